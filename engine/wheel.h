/* When accounts turn: a hierarchical timing wheel of milliseconds, threaded through the account
   headers.

       level L   2 048 lists; an account whose due differs from now first in the 11-bit digit L (counted
                 from the least) hangs in list digit(due, L) of that level
       level 0   the exact millisecond
       occupied  a bit for each list that is not empty, and one for each word of them that is not 0
       agenda    due and slot of the accounts of one list of level 2, sorted by due, which counts from the list's begin

   Time reaching a list of level 1 or 3 spreads its accounts over the lower levels; those of a list of level 2
   go on the agenda as far as it holds them, the others are spread. Levels span two seconds, 70 minutes, 99
   days and 557 years. An account that leaves the agenda, as it is due at another time now, leaves its entry
   there, which nobody believes: one holds where the account says that it is on the agenda and due then.

   Cost: an account moves at most once a level, each time a line far away that only the one before it
   names, so levels are few and wide, and the agenda names who turns next: what their turns need is fetched.
   The next instant is found by two bit scans a level. An account also knows who hung two to four places
   behind it when it came: these are hints, which a removal may make stale. A wheel is 65 KiB. */
#ifndef AMPEL_ENGINE_WHEEL_H
#define AMPEL_ENGINE_WHEEL_H

#include "engine/accounts.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_WHEEL_LEVELS 4
#define AMPEL_WHEEL_LISTS  2048
#define AMPEL_WHEEL_WORDS  (AMPEL_WHEEL_LISTS / 64)
/* Two million that are due within a month come to 3 200 a list. */
#define AMPEL_WHEEL_AGENDA_MAX 4096

struct ampel_wheel {
    int64_t now_ms;
    uint64_t words[AMPEL_WHEEL_LEVELS]; /* which of occupied are not 0 */
    uint64_t occupied[AMPEL_WHEEL_LEVELS][AMPEL_WHEEL_WORDS];
    uint32_t first[AMPEL_WHEEL_LEVELS][AMPEL_WHEEL_LISTS];
    int64_t lists_ms;  /* no list begins before it: as long as the agenda is due earlier, none is asked */
    int64_t agenda_ms; /* when its list began */
    uint32_t agenda_count, agenda_next;
    bool agenda_filling; /* its list is not empty yet: it is not sorted */
    uint64_t agenda[AMPEL_WHEEL_AGENDA_MAX];
};

void ampel_wheel_init(struct ampel_wheel *wheel, int64_t now_ms);

/* Hangs the account at due_ms > now (INT64_MAX: nowhere), wherever it hung before. */
void ampel_wheel_set(struct ampel_wheel *wheel, const struct ampel_accounts *accounts,
                     uint32_t slot, int64_t due_ms);

/* The next instant at which an account is due, at most limit_ms. Spreads lists on the way, each
   account one of *steps; false when the steps did not suffice. *out is INT64_MAX where nothing is
   due up to limit_ms. */
AMPEL_MUST_CHECK bool ampel_wheel_next(struct ampel_wheel *wheel,
                                       const struct ampel_accounts *accounts, int64_t limit_ms,
                                       uint32_t *steps, int64_t *out);
/* Moves to an instant up to which _next found nothing earlier. */
void ampel_wheel_move(struct ampel_wheel *wheel, int64_t now_ms);
/* Takes one account that is due now off the wheel; its due_ms stays. AMPEL_SLOT_NONE at the end. */
uint32_t ampel_wheel_pop(struct ampel_wheel *wheel, const struct ampel_accounts *accounts);

bool ampel_wheel_sane(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts);

#ifdef __cplusplus
}
#endif

#endif

/* Account Health Assurance of one account (rating-model 3.14): which days were below.

       header   first_day, settled_day, flags: today so far, the score shown now, what was told last
       rare     below ──▶ 192 bits, day d at d mod 192: the closed days before settled_day

   Days close without being touched. An account writes something only when the score it shows
   crosses the rule: then the days since settled_day, all of them alike, get their bits. So closed
   days before settled_day have bits, settled_day has its flag, and every day behind it is as the
   score shown now. A midnight therefore changes no byte of an account that shows the same score,
   and its page stays clean. Marks taken over (day_mark) stay facts and are joined when asked; an
   account of which they alone are known shows no score yet, so its days begin with the first other
   event.

   The bits are what was seen under the rules of their day: another rule assurance.score tells of
   days from now on (marks taken over are kept as scores and judged by the rule of now). */
#ifndef AMPEL_ENGINE_ASSURANCE_H
#define AMPEL_ENGINE_ASSURANCE_H

#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_BELOW_BITS 192

static_assert(AMPEL_BELOW_BITS > AMPEL_WINDOW_DAYS_MAX, "a day that is looked at has its own bit");

enum {
    AMPEL_ASSURED_TODAY_BELOW = 1, /* settled_day showed a score that was below */
    AMPEL_ASSURED_NOW_BELOW = 2,   /* the score that is shown now is */
    AMPEL_ASSURED_ELIGIBLE = 4,    /* as told last */
    AMPEL_ASSURED_NEAR = 8,        /* as told last */
    AMPEL_ASSURED_MOVED = 16,      /* violations moved since a drift was computed (drift.c) */
    AMPEL_ASSURED_BEGUN = 32,      /* something but day marks was told: it shows a score */
    AMPEL_ASSURED_LEAVING = 64,    /* that it will leave green was told (leaving.h) */
    AMPEL_ASSURED_FLAGS = 127
};

/* Three more days below lose it: "three days from lost". */
#define AMPEL_ASSURANCE_NEAR_DAYS 3

struct ampel_below {
    uint64_t words[AMPEL_BELOW_BITS / 64];
};

/* An account that shows its first score begins with today. */
void ampel_assurance_begin(const struct ampel_engine *engine, struct ampel_account *account,
                           int32_t score);
/* The account shows this score from the present instant on. False: no memory. */
AMPEL_MUST_CHECK bool ampel_assurance_show(struct ampel_engine *engine, uint32_t slot,
                                           struct ampel_account *account, int32_t score);
/* Notes for assurance and drift what the step left the account with. False: no memory. */
AMPEL_MUST_CHECK static inline bool ampel_account_show(struct ampel_engine *engine, struct ampel_account *account,
                                                       const struct ampel_touched *touched,
                                                       const struct ampel_numbers *after) {
    if (touched->shows && (account->assured & AMPEL_ASSURED_BEGUN) == 0) {
        ampel_assurance_begin(engine, account, after->score);
        ampel_account_dirty(&engine->accounts, touched->slot, account, AMPEL_ROW_FACTS);
    }
    if (touched->violations_mover != AMPEL_MOVER_NONE) account->assured |= AMPEL_ASSURED_MOVED;
    bool below = after->score < engine->rules.assurance_score;
    if (below == ((account->assured & AMPEL_ASSURED_NOW_BELOW) != 0)) return true;
    return ampel_assurance_show(engine, touched->slot, account, after->score);
}
/* Names what became of it since it was told last, and marks its row. False: no memory. */
AMPEL_MUST_CHECK bool ampel_assurance_tell(struct ampel_engine *engine, uint32_t slot,
                                           struct ampel_account *account,
                                           const struct ampel_cause *cause, uint64_t position);

#ifdef __cplusplus
}
#endif

#endif

/* The clocks of one account: how long there is to answer before the marketplace may act.

       rare     clocks ──▶ one for red, one for assurance, one for each cap group; 0 where none runs

   A clock starts at the end of the step that brings its condition and stops at the end of the one
   that takes it away:
       red         the colour is red; deadlines.red_hours
       cap         the group's count is at its limit or above; deadlines.cap_hours
       assurance   Account Health Assurance is given, and the account is in danger: its risk is eligible or
                   immediate, or the last account_status is at_risk or deactivated. The marketplace then
                   contacts first, and the protection is lost without an answer in 72 hours.
   A frame of a backfill starts none: what it leaves behind starts with the summary. A running clock
   keeps the deadline of the rules under which it started. What starts it is a matter of when things
   were seen (other rules, a late event), so clocks are state: part of pages, not of digests.

   A clock warns AMPEL_CLOCK_FIRST_HOURS and AMPEL_CLOCK_LAST_HOURS before it runs out, each once,
   where that lies behind its start. It stays after it ran out, until its condition ends. */
#ifndef AMPEL_ENGINE_CLOCKS_H
#define AMPEL_ENGINE_CLOCKS_H

#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_CLOCK_FIRST_HOURS 24
#define AMPEL_CLOCK_LAST_HOURS  4
/* The marketplace's own: no rule. */
#define AMPEL_ASSURANCE_ANSWER_HOURS 72

enum { AMPEL_CLOCKS_MAX = AMPEL_CLOCK_CAP + AMPEL_CAP_GROUPS_MAX };
enum { AMPEL_CLOCK_FIRST_TOLD = 1, AMPEL_CLOCK_LAST_TOLD = 2, AMPEL_CLOCK_FLAGS = 3 };

struct ampel_clock_state {
    int64_t started_ms;
    int64_t deadline_ms; /* 0: does not run */
    uint32_t told;       /* AMPEL_CLOCK_*_TOLD */
    uint32_t reserved;
};
struct ampel_clocks {
    struct ampel_clock_state list[AMPEL_CLOCKS_MAX]; /* enum ampel_clock_kind, then by cap group */
};

/* The next instant at which a clock warns, INT64_MAX where none does. */
int64_t ampel_clocks_due(const struct ampel_account *account);
/* The end of a step: clocks start and stop, and warn where it is time; numbers are the account's. told is false for frames of a
   backfill. Marks the account where its place in the wheel is stale. False: no memory. */
AMPEL_MUST_CHECK bool ampel_clocks_step(struct ampel_engine *engine, uint32_t slot,
                                        struct ampel_account *account,
                                        const struct ampel_numbers *numbers, bool told,
                                        uint64_t position);

#ifdef __cplusplus
}
#endif

#endif

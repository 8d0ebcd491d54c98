/* What is told of a takeover case (incident.h): its phases, and its clocks before they run out.

       fact incident     ──▶ INCIDENT_CHANGED when a phase is told, or told otherwise
       fact case_clock   what people know of a clock of a case: until when it runs, or that it is
                         settled; with neither, what the engine knows of itself holds again
       clock             runs from its start until its deadline; INCIDENT_CLOCK so many hours before

   Of itself the engine knows when the account was taken over, deactivated and let back in:
       lock              compromised, until the intruder is out
       removal, appeal, funds   the account's last status is deactivated, since the takeover
       watch             closed; the only clock of a closed case
   The hours of the others come with their case_clock, whose until overrides what is known of itself.

   Nothing is stored: a clock warns at instants that are a pure function of the facts, and the wheel
   brings its account to each of them exactly once. A clock that is told when it is already nearer
   than the first of them warns at once. While an account is backfilled nothing is told. */
#ifndef AMPEL_ENGINE_CASE_CLOCKS_H
#define AMPEL_ENGINE_CASE_CLOCKS_H

#include "engine/facts.h"
#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AMPEL_REGISTRY_CASE_CLOCK */
enum ampel_case_clock {
    AMPEL_CASE_LOCK = 0,
    AMPEL_CASE_REMOVAL = 1,
    AMPEL_CASE_APPEAL = 3,
    AMPEL_CASE_FUNDS = 4,
    AMPEL_CASE_WATCH = 11,
    AMPEL_CASE_CLOCKS_COUNT = 12
};

/* How long a clock runs that the engine starts itself; ampel.recovery_clock has the same. */
#define AMPEL_CASE_LOCK_HOURS    120
#define AMPEL_CASE_REMOVAL_HOURS 720
#define AMPEL_CASE_APPEAL_HOURS  408
#define AMPEL_CASE_FUNDS_HOURS   1440
#define AMPEL_CASE_WATCH_HOURS   1440

/* A clock warns so many hours before it runs out: AMPEL_CASE_WARNINGS of them, the first first. */
#define AMPEL_CASE_WARNINGS 3
extern const int32_t ampel_case_warning_hours[AMPEL_CASE_WARNINGS]; /* 72, 24, 4 */

/* One clock that runs. */
struct ampel_case_run {
    struct ampel_text id; /* of the case; borrowed until the next apply */
    int64_t started_ms;   /* where people told of it: when they did */
    int64_t deadline_ms;
    uint8_t clock;
};
/* Calls take for each clock of the cases among the facts, by case and clock, whether or not its
   deadline is behind. Cost: the facts of types incident and case_clock. */
typedef void ampel_case_take(void *context, const struct ampel_case_run *run);
void ampel_case_clocks_walk(const struct ampel_facts *facts, ampel_case_take *take, void *context);

/* The next instant behind now_ms at which a clock warns, INT64_MAX where none does. */
int64_t ampel_case_clocks_due(const struct ampel_facts *facts, int64_t now_ms);
/* Whether events of a type start or stop such clocks. */
bool ampel_case_clocks_from(uint8_t type);
/* Time reached an instant that concerns the account. False: no memory. */
AMPEL_MUST_CHECK bool ampel_case_clocks_warn(struct ampel_engine *engine, uint32_t slot,
                                             const struct ampel_account *account);
/* An event was merged and changed a fact. False: no memory. */
AMPEL_MUST_CHECK bool ampel_case_tell(struct ampel_engine *engine, uint32_t slot,
                                      const struct ampel_account *account,
                                      const struct ampel_event *event,
                                      const struct ampel_source *source);

#ifdef __cplusplus
}
#endif

#endif

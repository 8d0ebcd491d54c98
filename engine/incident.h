/* Takeover cases of an account, and its score without them (rating-model 3.10).

       fact incident   one for each (id, phase), kept for good (facts.h)
       incident i      [from, end): from its compromised_from until it was contained
       violation       carries i, or carries nothing and its at lies in [from, end): it belongs to i

   So a violation is taken out of an incident by a revision that names another one, or "-", which is
   the name of none; it is put back by a revision that names the incident.

   Asked, never kept: a pure function of (rules, E(t), t). Working memory is the outlook's, and the
   same rules hold for it: NO_MEMORY means that this answer could not be given, the engine is whole.
   Lifetime: what a function lends holds until the same function is called again, or until apply,
   advance, rules_set or close. Thread: that of the engine. */
#ifndef AMPEL_ENGINE_INCIDENT_H
#define AMPEL_ENGINE_INCIDENT_H

#include "engine/facts.h"
#include "engine/outlook.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_incident_phase {
    AMPEL_INCIDENT_OPENED = 0,
    AMPEL_INCIDENT_CONTAINED = 1,
    AMPEL_INCIDENT_CLOSED = 2,
    AMPEL_INCIDENT_TAGGED = 3, /* violations name it, no event of its own was told */
};
#define AMPEL_INCIDENT_PHASES_COUNT 3

/* The name that takes a violation out of every incident. */
#define AMPEL_INCIDENT_NONE "-"

struct ampel_incident {
    struct ampel_text id; /* borrowed until the next apply */
    int64_t phase_at_ms[AMPEL_INCIDENT_PHASES_COUNT]; /* INT64_MIN where the phase was not told */
    int64_t from_ms; /* compromised_from as last told, else when it was opened; INT64_MAX: none */
    int64_t end_ms;  /* contained, else closed; INT64_MAX while it lasts */
    uint8_t phase;   /* the furthest one told: enum ampel_incident_phase */
};

/* The incidents of an account, those with events by id, then those that violations alone name by id.
   Returns: OK, NO_MEMORY. Cost: O(facts + n log n), O(1) for an account with neither. */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_incidents_list(struct ampel_engine *engine,
                                                               uint32_t slot,
                                                               const struct ampel_incident **out,
                                                               uint32_t *count);
/* Whether a violation with this at and tag belongs to it. */
AMPEL_MUST_CHECK bool ampel_incident_holds(const struct ampel_incident *incident, int64_t at_ms,
                                           struct ampel_text tag);

struct ampel_incident_damage {
    struct ampel_numbers without; /* the numbers with its violations left out of everything */
    int64_t points;        /* p(v) of its deducting violations */
    int64_t points_caused; /* deducted now, less deducted without it: with what others repeat less */
    uint64_t orders;       /* fulfilled on the days that the time touches, of the last 180 */
    uint64_t cancelled;    /* orders_cancelled on those days */
    uint32_t violations, deducting;
};
/* What one incident of the list did. Returns: OK, NO_MEMORY. Cost: O(n log n + days + facts). */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_incident_damage(struct ampel_engine *engine, uint32_t slot,
                      const struct ampel_incident *incident, struct ampel_incident_damage *out);
/* The numbers without what belongs to any incident of the account. Returns: OK, NO_MEMORY. Cost: as
   list and damage. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_incidents_without(struct ampel_engine *engine, uint32_t slot, struct ampel_numbers *out);
/* What to dispute first: ampel_outlook_fixes of its violations alone, in their order. Lent as by
   ampel_outlook_fixes, whose list it replaces. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_incident_fixes(struct ampel_engine *engine, uint32_t slot,
                     const struct ampel_incident *incident, const struct ampel_outlook_fix **out,
                     uint32_t *count);

/* Sellers were taken over again after they had been let back in: so long after an incident was
   closed its account is watched more closely. */
#define AMPEL_AFTERCARE_DAYS 60
/* So much of the rule takeover.threshold is enough then: one weighty signal and a light one of another
   group, where else two weighty ones are needed. */
#define AMPEL_AFTERCARE_PERCENT 60
/* When the closer watch that holds at at_ms ends, of the incidents among the facts (NULL: none) the
   last one; INT64_MIN where none holds. */
int64_t ampel_incident_aftercare(const struct ampel_facts *facts, int64_t at_ms);

#ifdef __cplusplus
}
#endif

#endif

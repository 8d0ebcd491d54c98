/* What was told of an account beside orders and violations, merged as rating-model 2 says.

       facts    sorted[count] ──▶ fact: at, type, code, numbers, extras as they came
       key      what makes two events the same fact: the field of a profile, the id and phase of
                an incident, the id and clock of a case, the name of a metric, the day of marks and increments, everything for
                sets

   Kept only for accounts that have them, at most AMPEL_ACCOUNT_FACTS_MAX each; forgotten by the day
   when older than two windows, but for account_status, profile and incident. Two keys compare the
   same in every history, so the order is canonical. */
#ifndef AMPEL_ENGINE_FACTS_H
#define AMPEL_ENGINE_FACTS_H

#include "engine/event.h"
#include "engine/pool.h"
#include "engine/violations.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_fact {
    int64_t at_ms;
    uint32_t count;
    int16_t points;
    uint8_t type;
    uint8_t code;
    uint32_t extras_size;
    /* Of an observed score, what drift.c found when time reached it; not part of the fact: */
    int32_t drift;
    uint32_t orders; /* that the model counted for it */
    uint16_t marks;  /* AMPEL_DRIFT_* */
    uint16_t rules;  /* which rules computed it */
    uint8_t extras[];
};

struct ampel_facts {
    struct ampel_fact **sorted;
    uint32_t count, capacity;
    int64_t oldest_day; /* none to forget before it: a bound, not exact */
};

/* Merges one event of a type from account_status on. *facts is NULL as long as there is none. */
AMPEL_MUST_CHECK enum ampel_outcome ampel_facts_apply(struct ampel_facts **facts,
                                                      struct ampel_pool *pool,
                                                      const struct ampel_event *event,
                                                      int64_t now_day);
/* The first fact of a type whose at is not below at_ms, or behind all such; for types whose key
   begins with at. For profile any fact of the type with at_ms 0; for any type its first fact with INT64_MIN. */
uint32_t ampel_facts_first(const struct ampel_facts *facts, uint8_t type, int64_t at_ms);
/* Drops what is older than two windows on that day; returns how many. *facts may become NULL. */
uint32_t ampel_facts_forget(struct ampel_facts **facts, struct ampel_pool *pool, int64_t now_day);
/* The event that stands for a fact. Extras are borrowed. */
void ampel_fact_event(const struct ampel_fact *fact, struct ampel_event *out);
/* Appends a fact as exported; SAME where it is not canonical or out of order. */
AMPEL_MUST_CHECK enum ampel_outcome ampel_facts_import(struct ampel_facts **facts,
                                                       struct ampel_pool *pool,
                                                       const struct ampel_event *event);

#ifdef __cplusplus
}
#endif

#endif

/* Registries: names and codes that the log keeps. They only grow at the end, at most to 64.
   Source: rating-model 2 and 4. */
#ifndef AMPEL_ENGINE_REGISTRY_H
#define AMPEL_ENGINE_REGISTRY_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_registry {
    AMPEL_REGISTRY_POLICY,   /* suspected_ip 0, received_ip_complaint 1, ... fair_pricing 12 */
    AMPEL_REGISTRY_SEVERITY, /* none 0, low 1, medium 2, high 3, critical 4 */
    AMPEL_REGISTRY_VIOLATION_STATE,  /* open 0 ... approved 7: the code is the rank */
    AMPEL_REGISTRY_ACCOUNT_STATUS,   /* normal 0, at_risk 1, deactivated 2 */
    AMPEL_REGISTRY_KIND,             /* bulk_new_listings 0 ... status_flip 13 */
    AMPEL_REGISTRY_INCIDENT_PHASE,   /* opened 0, contained 1, closed 2 */
    AMPEL_REGISTRY_LISTING_CHANGE,   /* created 0, price 1, handling 2 */
    AMPEL_REGISTRY_METRIC_CONDITION, /* less_than 0, greater_than 1, equals 2 */
    AMPEL_REGISTRY_METRIC_STATE,     /* good 0, bad 1, none 2 */
    AMPEL_REGISTRY_KIND_GROUP, /* access 0, contact 1, payout 2, listings 3, orders 4, status 5 */
    AMPEL_REGISTRY_EVENT_TYPE,
    AMPEL_REGISTRY_COLOUR, /* green 0, yellow 1, red 2 */
    AMPEL_REGISTRY_RISK,   /* none 0, at_risk 1, eligible 2, immediate 3 */
    AMPEL_REGISTRY_CASE_CLOCK, /* lock 0 ... watch 11 */
    AMPEL_REGISTRIES_COUNT,
};

enum ampel_severity {
    AMPEL_SEVERITY_NOT_GIVEN = -1,
    AMPEL_SEVERITY_NONE = 0,
    AMPEL_SEVERITY_LOW = 1,
    AMPEL_SEVERITY_MEDIUM = 2,
    AMPEL_SEVERITY_HIGH = 3,
    AMPEL_SEVERITY_CRITICAL = 4,
};

enum ampel_violation_state {
    AMPEL_STATE_OPEN = 0,
    AMPEL_STATE_APPEALED = 1,
    AMPEL_STATE_DENIED = 2,
    AMPEL_STATE_LISTING_DELETED = 3,
    AMPEL_STATE_ACKNOWLEDGED = 4,
    AMPEL_STATE_EDITED = 5,
    AMPEL_STATE_RETRACTED = 6,
    AMPEL_STATE_APPROVED = 7,
    AMPEL_STATES_COUNT = 8,
};

/* Groups of rating-model 3.2, fixed. */
static inline bool ampel_state_deducting(uint8_t state) {
    return state <= AMPEL_STATE_LISTING_DELETED;
}
static inline bool ampel_state_cleared(uint8_t state) {
    return state >= AMPEL_STATE_EDITED;
}

enum ampel_colour { AMPEL_GREEN = 0, AMPEL_YELLOW = 1, AMPEL_RED = 2 };
enum ampel_risk {
    AMPEL_RISK_NONE = 0,
    AMPEL_RISK_AT_RISK = 1,
    AMPEL_RISK_ELIGIBLE = 2,
    AMPEL_RISK_IMMEDIATE = 3,
};

#define AMPEL_POLICIES_COUNT 13 /* that have names */

uint32_t ampel_registry_count(enum ampel_registry registry);
/* The name of a code, NULL beyond the registry. Static storage. */
const char *ampel_registry_name(enum ampel_registry registry, uint32_t code);
/* The code of a name; false if unknown. Exact, case matters. */
AMPEL_MUST_CHECK bool ampel_registry_code(enum ampel_registry registry, struct ampel_text name,
                                          uint8_t *code);

#ifdef __cplusplus
}
#endif

#endif

/* The slow oracle's incident view: rating-model 3.10 as its sentence says, by asking the oracle of oracle.h once more
   without the violations that belong. */
#ifndef AMPEL_TESTS_ORACLE_INCIDENT_H
#define AMPEL_TESTS_ORACLE_INCIDENT_H

#include "tests/oracle/oracle.h"

/* One accepted incident event. */
struct ampel_oracle_telling {
    char id[AMPEL_ID_BYTES_MAX + 1];
    int64_t at_ms;
    int64_t compromised_from_ms; /* AMPEL_ORACLE_MISSING where not given */
    uint8_t phase;
};

struct ampel_oracle_damage {
    uint32_t violations, deducting;
    int64_t points, points_caused;
    uint64_t orders;
};
/* The rating at at_ms without what belongs to one incident, or to any of them where id is NULL. Release without with
   ampel_oracle_rating_reset. */
void ampel_oracle_incident(const struct ampel_oracle *oracle, const struct ampel_rules *rules, int64_t at_ms,
                           const struct ampel_oracle_telling *tellings, uint32_t tellings_count, const char *id,
                           struct ampel_oracle_rating *without, struct ampel_oracle_damage *damage);

#endif

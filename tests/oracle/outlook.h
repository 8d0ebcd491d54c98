/* The slow oracle's outlook: rating-model 3.11 to 3.13, each as its sentence says, by asking the
   oracle of oracle.h again and again with other rules, times or events. */
#ifndef AMPEL_TESTS_ORACLE_OUTLOOK_H
#define AMPEL_TESTS_ORACLE_OUTLOOK_H

#include "tests/oracle/oracle.h"

/* The least and greatest score over the rules and the variants of rating-model 4 (written here once
 * more). */
void ampel_oracle_range(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                        int64_t at_ms, int64_t *score_min, int64_t *score_max);

struct ampel_oracle_step {
    int64_t at_ms;
    int64_t score;
};
/* The steps of the score in (at, at + W] if nothing new happens. The caller frees the list. */
struct ampel_oracle_step *ampel_oracle_forecast(const struct ampel_oracle *oracle,
                                                const struct ampel_rules *rules, int64_t at_ms,
                                                bool keep_orders, uint32_t *count);

struct ampel_oracle_outcome {
    int64_t score;
    int64_t raw;
    uint8_t risk;
};
struct ampel_oracle_fix {
    char id[AMPEL_ID_BYTES_MAX + 1];
    int64_t expires_at_ms;
    struct ampel_oracle_outcome approved;
    struct ampel_oracle_outcome acknowledged;
};
/* Sorted as 3.13 says. The caller frees the list. */
struct ampel_oracle_fix *ampel_oracle_fixes(const struct ampel_oracle *oracle,
                                            const struct ampel_rules *rules, int64_t at_ms,
                                            uint32_t *count);

#define AMPEL_ORACLE_EXACT_MAX 16
struct ampel_oracle_to_green {
    bool found; /* false: no set does, or, where exact is false, the oracle did not look */
    bool exact; /* false beyond EXACT_MAX deducting violations */
    uint32_t count;
    char ids[AMPEL_ORACLE_EXACT_MAX][AMPEL_ID_BYTES_MAX + 1]; /* sorted */
};
void ampel_oracle_to_green(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                           int64_t at_ms, struct ampel_oracle_to_green *out);

#endif

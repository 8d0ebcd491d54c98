/* The changes that the oracle says an engine must name, and whether it did: rating-model 1 at every
 * instant. */
#ifndef AMPEL_TESTS_ORACLE_EXPECT_H
#define AMPEL_TESTS_ORACLE_EXPECT_H

#include "engine/engine.h"
#include "tests/oracle/oracle.h"

struct ampel_expected {
    int64_t at_ms;
    uint32_t account;
    uint8_t kind; /* SCORE, COLOUR, RISK, CAP_NEAR, CAP_REACHED or CRITICAL */
    uint8_t cap_group;
    bool is_new;
    int64_t deadline_ms;
    struct ampel_numbers before, after;
};

/* Zero it to begin. */
struct ampel_expectation {
    struct ampel_expected *list;
    uint32_t count;
    uint32_t capacity;
};

struct ampel_numbers ampel_expect_numbers(const struct ampel_oracle_rating *rating);
AMPEL_MUST_CHECK bool ampel_expect_same_numbers(const struct ampel_numbers *left,
                                                const struct ampel_numbers *right);

/* What one instant changes for one account; before NULL: it came into being. */
void ampel_expect_instant(struct ampel_expectation *expectation, const struct ampel_rules *rules,
                          uint32_t account, int64_t at_ms, const struct ampel_numbers *before,
                          const struct ampel_numbers *after);
/* What time alone changes for one account in (from, to]. Returns false, having done nothing, where
   that takes more than instants_max ratings. */
AMPEL_MUST_CHECK bool ampel_expect_time(struct ampel_expectation *expectation,
                                        const struct ampel_rules *rules, uint32_t account,
                                        const struct ampel_oracle *oracle, int64_t from_ms,
                                        int64_t to_ms, uint32_t instants_max);

/* Writes one expected or actual change as a line for people. */
void ampel_expect_print(const struct ampel_expected *expected, char *line, size_t capacity);

#endif

/* What explains one account's score: its numbers, the same under each variant of the rules, and all known violations. */
#ifndef AMPEL_WORKERS_CLI_EXPLANATION_H
#define AMPEL_WORKERS_CLI_EXPLANATION_H

#include "engine/engine.h"
#include "workers/cli/explained_beside.h"
#include "workers/cli/explained_incidents.h"
#include "workers/cli/portfolio.h"

struct ampel_explained {
    char id[AMPEL_ID_BYTES_MAX + 1];
    int64_t at_ms, expires_at_ms, points;
    uint32_t rank;
    int16_t points_given; /* -1 not given */
    uint8_t policy, state;
    int8_t severity;
    bool critical, in_window, deducting;
};

struct ampel_explanation {
    char account[AMPEL_PORTFOLIO_NAME_SIZE];
    int64_t as_of_ms;
    const struct ampel_rules *rules; /* the engine's */
    struct ampel_numbers numbers;
    int32_t score_min, score_max; /* over the rules and their variants */
    struct ampel_numbers variants[AMPEL_VARIANTS_MAX]; /* in the order of the rules' variants */
    uint32_t count;
    struct ampel_explained *violations; /* by id */
    struct ampel_explained_beside beside;
    struct ampel_explained_incidents incidents;
    struct ampel_suspicion suspicion; /* what speaks for a takeover, whether or not it suffices */
};

/* The account in a slot of the portfolio's engine, at its time; what was borrowed holds as long as the engine.
   False: said on standard error. Close it in either case. */
AMPEL_MUST_CHECK bool ampel_explanation_open(struct ampel_portfolio *portfolio, uint32_t slot,
                                             struct ampel_explanation *out);
void ampel_explanation_close(struct ampel_explanation *explanation);

#endif

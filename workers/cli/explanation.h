/* What explains one account's score: its numbers and all known violations, from files or from the database. */
#ifndef AMPEL_WORKERS_CLI_EXPLANATION_H
#define AMPEL_WORKERS_CLI_EXPLANATION_H

#include "engine/engine.h"
#include "workers/cli/explained_beside.h"
#include "workers/cli/explained_incidents.h"
#include "workers/cli/portfolio.h"
#include "workers/pq.h"

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
    char account[3 * AMPEL_ID_BYTES_MAX + 3];
    char rules_version[AMPEL_ID_BYTES_MAX + 1];
    int64_t as_of_ms;
    struct ampel_numbers numbers;
    uint32_t count;
    struct ampel_explained *violations; /* by id */
    struct ampel_explained_beside beside;
    struct ampel_explained_incidents incidents;
};

/* From a portfolio in memory. False: there is no such account. */
AMPEL_MUST_CHECK bool ampel_explanation_files(const struct ampel_portfolio *portfolio,
                                              const char *account, int64_t as_of_ms,
                                              struct ampel_explanation *out);
/* From the database; rules name its cap groups. *found false: there is no such account. Returns as ampel_pq_run. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_explanation_database(struct ampel_pq *pq, const struct ampel_rules *rules, const char *account,
                           struct ampel_explanation *out, bool *found, struct ampel_error *error);
void ampel_explanation_close(struct ampel_explanation *explanation);

#endif

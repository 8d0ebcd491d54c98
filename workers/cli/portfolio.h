/* A portfolio in memory, without a server: one engine holds all accounts of the files at one time. */
#ifndef AMPEL_WORKERS_CLI_PORTFOLIO_H
#define AMPEL_WORKERS_CLI_PORTFOLIO_H

#include "engine/engine.h"
#include "workers/cli/options.h"
#include "workers/cli/source.h"
#include "workers/memory.h"

struct ampel_portfolio {
    struct ampel_shard_memory memory;
    struct ampel_engine *engine;
    uint32_t accounts_count;
    uint32_t *slots;         /* sorted by tenant, seller, marketplace, bytewise */
    struct ampel_source_counts counts;
};

/* The rules of --rules and --set: defaults where file is NULL. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_portfolio_rules(const char *file, const struct ampel_option_list *sets,
                                            struct ampel_rules *out);

/* The second half of it: --set on top of rules that were read; file names them, NULL the built-in ones. */
AMPEL_MUST_CHECK bool ampel_portfolio_sets(const char *file, const struct ampel_option_list *sets,
                                           struct ampel_rules *out);

/* Reads the files and keeps what has at <= as_of_ms. silent: only for ratings at that time (engine.h). False: said on standard error.
   Close it in either case. */
AMPEL_MUST_CHECK bool ampel_portfolio_open(struct ampel_portfolio *out, char *const *files,
                                           int files_count, int64_t as_of_ms,
                                           const struct ampel_rules *rules, bool silent);
void ampel_portfolio_close(struct ampel_portfolio *portfolio);
/* An empty portfolio, for whoever fills its engine otherwise and then sorts. Said and closed as above. */
AMPEL_MUST_CHECK bool ampel_portfolio_begin(struct ampel_portfolio *out, int64_t as_of_ms, const struct ampel_rules *rules);
AMPEL_MUST_CHECK bool ampel_portfolio_sort(struct ampel_portfolio *portfolio);
/* The three parts of "tenant/seller/marketplace", borrowed. False: it is not written so. */
AMPEL_MUST_CHECK bool ampel_portfolio_split(const char *account, struct ampel_text out[3]);
#define AMPEL_PORTFOLIO_NAME_SIZE (3 * AMPEL_ID_BYTES_MAX + 3)
/* "tenant/seller/marketplace" of a slot. */
void ampel_portfolio_name(const struct ampel_portfolio *portfolio, uint32_t slot,
                          char out[AMPEL_PORTFOLIO_NAME_SIZE]);
/* Slot of "tenant/seller/marketplace", AMPEL_SLOT_NONE if there is none. */
uint32_t ampel_portfolio_find(const struct ampel_portfolio *portfolio, const char *account);

#endif

#include "workers/cli/stored.h"

#include <stdio.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"

/* ---- the database --------------------------------------------------------------------------- */

static bool say(const struct ampel_stored *stored, const struct ampel_error *error) {
    (void)ampel_connect_failed(stored->options.command, error);
    return false;
}

/* The partition of "tenant/seller/marketplace". False: not written so. */
static bool partition_of(const char *account, uint32_t partitions, uint32_t *out) {
    struct ampel_text texts[3];
    if (!ampel_portfolio_split(account, texts)) return false;
    *out = ampel_hash_partition(ampel_hash_account(texts[0], texts[1], texts[2]), partitions);
    return true;
}

static bool database_open(struct ampel_stored *stored) {
    struct ampel_error error = {0};
    stored->codec = ampel_page_codec_open();
    AMPEL_ASSERT(stored->codec != NULL);
    stored->pq = ampel_connect(stored->options.command, stored->options.url);
    if (stored->pq == NULL) return false;
    if (ampel_pq_run(stored->pq, AMPEL_SQL_SYSTEM_LOOK, NULL, 0, &error) != AMPEL_DATABASE_OK)
        return say(stored, &error);
    if (ampel_pq_rows(stored->pq) != 1) {
        (void)ampel_error_set(&error, "database", "has no system yet: run ampel migrate");
        return say(stored, &error);
    }
    stored->partition_end = (uint32_t)ampel_pq_get_int64(stored->pq, 0, 1);
    const char *account = stored->options.account;
    if (account != NULL && partition_of(account, stored->partition_end, &stored->partition_next))
        stored->partition_end = stored->partition_next + 1;
    return true;
}

/* What was stored under other rules is computed under the present ones: worth a word. */
static void rules_compare(struct ampel_stored *stored, struct ampel_text version) {
    if (stored->told_rules || version.size == 0 || ampel_text_is(version, stored->rules.version)) return;
    stored->told_rules = true;
    fprintf(stderr, "ampel %s: stored with rules %.*s, computed with %s%s\n", stored->options.command,
            (int)version.size, version.bytes, stored->rules.version,
            stored->options.rules_given ? "" : "; give --rules FILE");
}

/* The rules to compute with: those of the database, where some were set and the user named no others. */
static bool rules_take(struct ampel_stored *stored, uint32_t rows) {
    const struct ampel_stored_options *options = &stored->options;
    struct ampel_error error = {0};
    stored->rules = *options->rules;
    if (rows == 0 || options->rules_given || options->sets == NULL || ampel_pq_is_null(stored->pq, 0, 3)) return true;
    if (ampel_rules_file_decode(ampel_pq_get_text(stored->pq, 0, 3), &stored->rules, &error))
        return ampel_portfolio_sets("the rules of the database", options->sets, &stored->rules);
    return say(stored, &error);
}

/* Row 0 is the meta, the others are pages in order. */
static bool row_import(struct ampel_stored *stored, uint32_t row) {
    struct ampel_text packed = ampel_pq_get_text(stored->pq, row, 1);
    struct ampel_error error = {0};
    const uint8_t *raw;
    uint32_t size;
    int64_t page = ampel_pq_get_int64(stored->pq, row, 0);
    if (!ampel_page_decode(stored->codec, (const uint8_t *)packed.bytes, packed.size, &raw, &size, &error))
        return say(stored, &error);
    enum ampel_engine_status status =
        row == 0 ? ampel_engine_meta_import(stored->present.engine, raw, size)
                 : ampel_engine_page_import(stored->present.engine, (uint32_t)page, raw, size);
    if (status == AMPEL_ENGINE_OK) return true;
    (void)ampel_error_set(&error, "page", "%s", ampel_engine_status_reason(status));
    return say(stored, &error);
}

static bool partition_load(struct ampel_stored *stored, uint32_t partition) {
    struct ampel_error error = {0};
    const struct ampel_pq_value value = ampel_pq_int64(partition);
    if (ampel_pq_run(stored->pq, AMPEL_SQL_READ_PARTITION, &value, 1, &error) != AMPEL_DATABASE_OK)
        return say(stored, &error);
    uint32_t rows = ampel_pq_rows(stored->pq);
    if (rows > 0 && ampel_pq_get_int64(stored->pq, 0, 0) >= 0) {
        (void)ampel_error_set(&error, "meta", "is missing where pages are");
        return say(stored, &error);
    }
    if (!rules_take(stored, rows)) return false;
    if (rows > 0) rules_compare(stored, ampel_pq_get_text(stored->pq, 0, 2));
    if (!ampel_portfolio_begin(&stored->present, 0, &stored->rules)) return false;
    for (uint32_t row = 0; row < rows; row++)
        if (!row_import(stored, row)) return false;
    if (rows > 0 && ampel_engine_import_finish(stored->present.engine) != AMPEL_ENGINE_OK) {
        (void)ampel_error_set(&error, "pages", "do not fit together, or out of memory");
        return say(stored, &error);
    }
    ampel_engine_changes_clear(stored->present.engine);
    return ampel_portfolio_sort(&stored->present);
}

/* ---- the walk ------------------------------------------------------------------------------- */

bool ampel_stored_open(struct ampel_stored *out, const struct ampel_stored_options *options) {
    *out = (struct ampel_stored){.options = *options};
    if (options->files_count > 0) {
        out->partition_end = 1;
        return true;
    }
    out->failed = !database_open(out);
    return !out->failed;
}

static void present_close(struct ampel_stored *stored) {
    if (stored->present_open) ampel_portfolio_close(&stored->present);
    stored->present_open = false;
}

static bool present_open(struct ampel_stored *stored, uint32_t number) {
    const struct ampel_stored_options *options = &stored->options;
    stored->present = (struct ampel_portfolio){0};
    stored->present_open = true;
    stored->rules = *options->rules;
    if (options->files_count == 0) return partition_load(stored, number);
    bool good = ampel_portfolio_open(&stored->present, options->files, options->files_count, options->as_of_ms,
                                     options->rules, false);
    stored->refused = stored->present.counts.refused > 0;
    return good;
}

struct ampel_portfolio *ampel_stored_next(struct ampel_stored *stored) {
    while (!stored->failed && stored->partition_next < stored->partition_end) {
        present_close(stored);
        stored->failed = !present_open(stored, stored->partition_next++);
        if (!stored->failed && stored->present.accounts_count > 0) return &stored->present;
    }
    return NULL;
}

int ampel_stored_close(struct ampel_stored *stored) {
    present_close(stored);
    ampel_page_codec_close(stored->codec);
    ampel_pq_close(stored->pq);
    stored->codec = NULL;
    stored->pq = NULL;
    if (stored->failed) return AMPEL_EXIT_FAILED;
    return stored->refused ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

int ampel_account_missing(const char *command, const char *account) {
    fprintf(stderr, "ampel %s: there is no account %s (tenant/seller/marketplace)\n", command, account);
    return AMPEL_EXIT_REFUSED;
}

struct ampel_portfolio *ampel_stored_account(struct ampel_stored *out, const struct ampel_stored_options *options,
                                             uint32_t *slot, int *status) {
    struct ampel_portfolio *portfolio = ampel_stored_open(out, options) ? ampel_stored_next(out) : NULL;
    *slot = portfolio == NULL ? AMPEL_SLOT_NONE : ampel_portfolio_find(portfolio, options->account);
    if (*slot != AMPEL_SLOT_NONE) return portfolio;
    bool failed = out->failed;
    *status = ampel_stored_close(out);
    if (failed) return NULL;
    *status = ampel_account_missing(options->command, options->account);
    return NULL;
}

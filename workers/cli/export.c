/* ampel export: what is known as the lists that agencies keep. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "proto/violation_list.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/labels.h"
#include "workers/cli/portfolio.h"

static const struct ampel_usage usage = {
    .command = "export",
    .arguments = "violations [FILE...]",
    .about = "Writes the known violations as CSV with the columns that `ampel import violations` reads: from event files\n"
             "(--as-of), without any from what the worker stored. Product titles and notes are not kept; their columns\n"
             "are empty.",
    .examples = "  ampel export violations -a nordlicht/A1SELLER/A1PA6795UKMFR9 -o list.csv\n"
                "  ampel export violations events.jsonl --as-of 2026-10-01T12:00:00Z\n",
};

struct exporting {
    const char *account, *tenant, *rules_path, *url, *path;
    struct ampel_option_list sets;
    int64_t as_of_ms;
    struct ampel_text parts[3]; /* tenant, seller, marketplace; empty: every one */
    FILE *out;
    uint64_t rows;
};

static void row_write(struct exporting *exporting, const struct ampel_list_row *row) {
    char line[AMPEL_LIST_LINE_MAX];
    fwrite(line, 1, ampel_list_row_encode(row, line), exporting->out);
    exporting->rows++;
}

/* ---- from files ----------------------------------------------------------------------------- */

static bool row_before(const struct ampel_list_row *left, const struct ampel_list_row *right) {
    if (left->at_ms != right->at_ms) return left->at_ms < right->at_ms;
    return ampel_text_compare(left->id, right->id) < 0;
}

static int row_compare(const void *left, const void *right) {
    return row_before(right, left) - row_before(left, right);
}

/* The violations of one account by time, as the database gives them. */
static void account_write(struct exporting *exporting, const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_list_row *rows = NULL;
    uint32_t count = 0, capacity = 0, cursor = 0;
    struct ampel_violation violation;
    while (ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
        if (count == capacity) {
            capacity = capacity == 0 ? 32 : capacity * 2;
            rows = realloc(rows, capacity * sizeof *rows);
            AMPEL_ASSERT(rows != NULL);
        }
        struct ampel_list_row *row = &rows[count++];
        *row = (struct ampel_list_row){.id = violation.id,
                                       .asin = violation.asin,
                                       .sku = violation.sku,
                                       .incident = violation.incident,
                                       .at_ms = violation.at_ms,
                                       .state_at_ms = violation.state_at_ms,
                                       .at_risk_sales_cents = violation.at_risk_sales_cents,
                                       .rank = violation.rank,
                                       .points_given = violation.points_given,
                                       .rev = violation.rev,
                                       .policy = violation.policy,
                                       .state = violation.state,
                                       .severity = violation.severity,
                                       .severity_given = violation.severity_given >= 0};
        ampel_engine_account_identity(engine, slot, &row->tenant, &row->seller, &row->marketplace);
    }
    if (count > 1) qsort(rows, count, sizeof *rows, row_compare);
    for (uint32_t i = 0; i < count; i++) row_write(exporting, &rows[i]);
    free(rows);
}

static int files_export(struct exporting *exporting, char *const *files, int files_count) {
    struct ampel_rules rules;
    if (!ampel_portfolio_rules(exporting->rules_path, &exporting->sets, &rules)) return AMPEL_EXIT_USAGE;
    struct ampel_portfolio portfolio;
    int status = AMPEL_EXIT_FAILED;
    if (ampel_portfolio_open(&portfolio, files, files_count, exporting->as_of_ms, &rules, false)) {
        for (uint32_t i = 0; i < portfolio.accounts_count; i++) {
            struct ampel_text identity[3];
            ampel_engine_account_identity(portfolio.engine, portfolio.slots[i], &identity[0], &identity[1],
                                          &identity[2]);
            bool wanted = true;
            for (uint32_t k = 0; k < 3; k++)
                if (exporting->parts[k].size > 0 && !ampel_text_equal(exporting->parts[k], identity[k]))
                    wanted = false;
            if (wanted) account_write(exporting, portfolio.engine, portfolio.slots[i]);
        }
        status = portfolio.counts.refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
    }
    ampel_portfolio_close(&portfolio);
    return status;
}

/* ---- from the database ---------------------------------------------------------------------- */

enum {
    TENANT, SELLER, MARKETPLACE, ID, POLICY, SEVERITY, SEVERITY_GIVEN, STATE, AT, STATE_AT, RANK, POINTS_GIVEN, REV,
    INCIDENT, ASIN, SKU, CENTS
};

/* A name that this program does not know belongs to a newer worker: not to be written as something else. */
static bool code_read(const struct ampel_pq *pq, uint32_t row, uint32_t column, enum ampel_registry registry,
                      uint8_t *code) {
    struct ampel_text name = ampel_pq_get_text(pq, row, column);
    if (ampel_registry_code(registry, name, code)) return true;
    fprintf(stderr, "ampel export: violation %s: '%s' is unknown to this version\n",
            ampel_pq_get_text(pq, row, ID).bytes, name.bytes);
    return false;
}

static bool stored_write(struct exporting *exporting, const struct ampel_pq *pq, uint32_t at) {
    uint8_t severity;
    struct ampel_list_row row = {
        .tenant = ampel_pq_get_text(pq, at, TENANT),
        .seller = ampel_pq_get_text(pq, at, SELLER),
        .marketplace = ampel_pq_get_text(pq, at, MARKETPLACE),
        .id = ampel_pq_get_text(pq, at, ID),
        .asin = ampel_pq_get_text(pq, at, ASIN),
        .sku = ampel_pq_get_text(pq, at, SKU),
        .incident = ampel_pq_get_text(pq, at, INCIDENT),
        .at_ms = ampel_pq_get_time(pq, at, AT),
        .state_at_ms = ampel_pq_is_null(pq, at, STATE_AT) ? INT64_MIN : ampel_pq_get_time(pq, at, STATE_AT),
        .at_risk_sales_cents = ampel_pq_get_int64(pq, at, CENTS),
        .rank = (uint32_t)ampel_pq_get_int64(pq, at, RANK),
        .points_given = (int32_t)ampel_pq_get_int64(pq, at, POINTS_GIVEN),
        .rev = (uint32_t)ampel_pq_get_int64(pq, at, REV),
        .severity_given = ampel_pq_get_text(pq, at, SEVERITY_GIVEN).size > 0,
    };
    if (!code_read(pq, at, POLICY, AMPEL_REGISTRY_POLICY, &row.policy) ||
        !code_read(pq, at, STATE, AMPEL_REGISTRY_VIOLATION_STATE, &row.state) ||
        !code_read(pq, at, SEVERITY, AMPEL_REGISTRY_SEVERITY, &severity))
        return false;
    row.severity = (int8_t)severity;
    row_write(exporting, &row);
    return true;
}

static int database_export(struct exporting *exporting) {
    struct ampel_pq *pq = ampel_connect("export", exporting->url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    struct ampel_pq_value values[3];
    for (uint32_t i = 0; i < 3; i++)
        values[i] = ampel_pq_bytes(exporting->parts[i].size > 0 ? exporting->parts[i].bytes : "",
                                   exporting->parts[i].size);
    struct ampel_error error = {0};
    int status = AMPEL_EXIT_OK;
    if (ampel_pq_run(pq, AMPEL_SQL_READ_LIST, values, 3, &error) != AMPEL_DATABASE_OK)
        status = ampel_connect_failed("export", &error);
    for (uint32_t row = 0; status == AMPEL_EXIT_OK && row < ampel_pq_rows(pq); row++)
        if (!stored_write(exporting, pq, row)) status = AMPEL_EXIT_FAILED;
    ampel_pq_close(pq);
    return status;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool account_split(const char *account, struct ampel_text parts[3]) {
    for (uint32_t i = 0; i < 3; i++) {
        size_t size = strcspn(account, "/");
        parts[i] = (struct ampel_text){account, (uint32_t)size};
        if (!ampel_id_valid(parts[i], true) || (account[size] == 0) != (i == 2)) return false;
        account += size + (i < 2);
    }
    return true;
}

static int export_run(struct exporting *exporting, char *const *files, int files_count) {
    exporting->out = exporting->path != NULL ? fopen(exporting->path, "w") : stdout;
    if (exporting->out == NULL) {
        fprintf(stderr, "ampel export: %s: %s\n", exporting->path, strerror(errno));
        return AMPEL_EXIT_FAILED;
    }
    char line[AMPEL_LIST_LINE_MAX];
    fwrite(line, 1, ampel_list_header_encode(line), exporting->out);
    int status = files_count > 0 ? files_export(exporting, files, files_count) : database_export(exporting);
    bool good = fflush(exporting->out) == 0 && ferror(exporting->out) == 0;
    if (exporting->path != NULL && fclose(exporting->out) != 0) good = false;
    if (!good) {
        fprintf(stderr, "ampel export: %s: %s\n", exporting->path != NULL ? exporting->path : "standard output",
                strerror(errno));
        return AMPEL_EXIT_FAILED;
    }
    fprintf(stderr, exporting->rows == 1 ? ampel_label("%llu violation\n") : ampel_label("%llu violations\n"),
            (unsigned long long)exporting->rows);
    if (status == AMPEL_EXIT_OK && exporting->rows == 0 && exporting->account != NULL) return AMPEL_EXIT_REFUSED;
    return status;
}

int ampel_command_export(int argc, char **argv) {
    struct exporting exporting = {.as_of_ms = INT64_MIN};
    const struct ampel_option options[] = {
        {"account", 'a', AMPEL_OPTION_TEXT, &exporting.account, "T/S/M", "one account; default: all"},
        {"tenant", 0, AMPEL_OPTION_TEXT, &exporting.tenant, "NAME", "one tenant; default: all"},
        {"output", 'o', AMPEL_OPTION_TEXT, &exporting.path, "FILE", "default: standard output"},
        {"as-of", 't', AMPEL_OPTION_TIME, &exporting.as_of_ms, "TIME", "with files: the time of the question; default: now"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &exporting.rules_path, "FILE", "with files; default: the built-in rules"},
        {"set", 's', AMPEL_OPTION_LIST, &exporting.sets, "KEY=VALUE", "with files: one rule by its dotted key"},
        {"database", 'd', AMPEL_OPTION_TEXT, &exporting.url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (result != AMPEL_OPTIONS_OK) return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words < 1 || strcmp(argv[1], "violations") != 0)
        return ampel_usage_wrong(&usage, "say what to write: violations");
    if (exporting.account != NULL && !account_split(exporting.account, exporting.parts))
        return ampel_usage_wrong(&usage, "--account is tenant/seller/marketplace, not '%s'", exporting.account);
    if (exporting.tenant != NULL) {
        if (exporting.account != NULL) return ampel_usage_wrong(&usage, "--account names a tenant already");
        exporting.parts[0] = ampel_text_of(exporting.tenant);
        if (!ampel_id_valid(exporting.parts[0], true))
            return ampel_usage_wrong(&usage, "--tenant is 1 to 64 printable characters without spaces and /");
    }
    if (exporting.as_of_ms == INT64_MIN) exporting.as_of_ms = ampel_option_now();
    return export_run(&exporting, argv + 2, words - 1);
}

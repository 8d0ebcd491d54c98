/* ampel verify: whether journal, pages, rows and history of a system agree. */
#include "workers/cli/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/environment.h"
#include "workers/cli/options.h"
#include "workers/cli/portfolio.h"
#include "workers/logline.h"
#include "workers/memory.h"

#define PROBLEMS_PRINTED_MAX 100

static const struct ampel_usage usage = {
    .command = "verify",
    .arguments = "",
    .about = "Checks what is stored against itself and changes nothing: every record of the journal, every page,\n"
             "all rows that checkpoints write, made again from the pages, against those that are stored, column by\n"
             "column, history against ratings and in itself, what is known of producers. Best with the worker stopped;\n"
             "while one runs, the journal is left out and the database is checked in one snapshot. One line a\n"
             "problem; exit status 1 if there is any.",
};

void ampel_verify_problem(struct ampel_verify *verify, const char *format, ...) {
    verify->problems++;
    if (verify->problems > PROBLEMS_PRINTED_MAX) return;
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("problem: ", stdout);
    (void)vprintf(format, arguments);
    (void)fputs("\n", stdout);
    va_end(arguments);
}

static enum ampel_database_status partition_verify(struct ampel_verify *verify, uint32_t number,
                                                   struct ampel_error *error) {
    struct ampel_verify_partition partition = {.number = number};
    enum ampel_database_status status =
        ampel_verify_partition_open(verify, number, &partition, error);
    /* Where the pages cannot be read there is nothing to hold the rows against. */
    if (status == AMPEL_DATABASE_OK && partition.engine != NULL)
        status = ampel_verify_ratings(verify, &partition, error);
    if (status == AMPEL_DATABASE_OK && partition.engine != NULL)
        status = ampel_verify_violations(verify, &partition, error);
    if (status == AMPEL_DATABASE_OK && partition.engine != NULL)
        status = ampel_verify_clocks(verify, &partition, error);
    if (status == AMPEL_DATABASE_OK && partition.engine != NULL)
        status = ampel_verify_columns(verify, &partition, error);
    ampel_verify_partition_close(&partition);
    return status;
}

static enum ampel_database_status system_read(struct ampel_verify *verify,
                                              struct ampel_error *error) {
    enum ampel_database_status status =
        ampel_pq_run(verify->pq, AMPEL_SQL_SYSTEM_LOOK, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(verify->pq) != 1) {
        (void)ampel_error_set(error, "system", "the database has no system yet");
        return AMPEL_DATABASE_BROKEN;
    }
    verify->system.id = (uint64_t)ampel_pq_get_int64(verify->pq, 0, 0);
    verify->system.partitions = (uint32_t)ampel_pq_get_int64(verify->pq, 0, 1);
    return AMPEL_DATABASE_OK;
}

static void counts_print(const struct ampel_verify *verify) {
    struct ampel_flow flow;
    if (verify->problems > PROBLEMS_PRINTED_MAX)
        printf(ampel_label("and %llu more problems\n"), (unsigned long long)(verify->problems - PROBLEMS_PRINTED_MAX));
    if (verify->journal_read)
        printf(ampel_label("journal: %llu segments, %llu records, positions %llu to %llu\n"),
               (unsigned long long)verify->segments, (unsigned long long)verify->records,
               (unsigned long long)verify->journal_first, (unsigned long long)verify->journal_end);
    ampel_flow_start(&flow, 2);
    ampel_flow_words(&flow, 0, AMPEL_PLAIN,
                     ampel_label("%u partitions: %llu pages, %llu accounts, %llu violations, %llu windows of producers"),
                     verify->system.partitions, (unsigned long long)verify->pages, (unsigned long long)verify->accounts,
                     (unsigned long long)verify->violations, (unsigned long long)verify->windows);
    ampel_flow_end(&flow);
    printf(ampel_label("compared: %llu rating rows, %llu with history; %llu rows by column\n"),
           (unsigned long long)verify->ratings, (unsigned long long)verify->histories,
           (unsigned long long)verify->columns_rows);
    if (verify->orders_waiting > 0) {
        ampel_flow_start(&flow, 2);
        ampel_flow_words(&flow, 0, AMPEL_PLAIN,
                         ampel_label("%llu rating rows wait for their order counts (orders_rows_every); their scores are right"),
                         (unsigned long long)verify->orders_waiting);
        ampel_flow_end(&flow);
    }
    printf(ampel_label("%llu problems\n"), (unsigned long long)verify->problems);
}

static int verify_all(struct ampel_verify *verify, const char *journal) {
    struct ampel_error error = {0};
    enum ampel_database_status status = system_read(verify, &error);
    /* The journal first: once it is locked no worker can move the database away from it. */
    if (status == AMPEL_DATABASE_OK && journal != NULL) ampel_verify_journal(verify, journal);
    /* Temporary tables, which are no change of the database; in a reading transaction they can be filled but not made. */
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(verify->pq, AMPEL_SQL_STAGING, &error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_plain(verify->pq, AMPEL_SQL_VERIFY_BEGIN, &error);
    for (uint32_t i = 0; status == AMPEL_DATABASE_OK && i < verify->system.partitions; i++)
        status = partition_verify(verify, i, &error);
    if (status == AMPEL_DATABASE_OK) status = ampel_verify_history(verify, &error);
    if (status != AMPEL_DATABASE_OK) return ampel_connect_failed("verify", &error);
    if (ampel_pq_plain(verify->pq, AMPEL_SQL_TRANSACTION_ROLLBACK, &error) != AMPEL_DATABASE_OK)
        return ampel_connect_failed("verify", &error);
    counts_print(verify);
    return verify->problems == 0 ? AMPEL_EXIT_OK : AMPEL_EXIT_REFUSED;
}

int ampel_command_verify(int argc, char **argv) {
    const char *rules_path = NULL, *url = NULL, *journal = NULL;
    bool exact = false;
    struct ampel_option_list sets = {0};
    const struct ampel_option options[] = {
        {"exact", 'e', AMPEL_OPTION_FLAG, &exact, NULL,
         "order counts, too, must be those of the pages: after an orderly stop they are"},
        {"journal", 'j', AMPEL_OPTION_TEXT, &journal, "DIR", "default: AMPEL_JOURNAL; without either it is left out"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &rules_path, "FILE", "of partitions under no rules that were set; default: AMPEL_RULES, else the built-in ones"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words > 0) return ampel_usage_wrong(&usage, "there is nothing to do with '%s'", argv[1]);
    struct ampel_rules rules;
    if (!ampel_portfolio_rules(ampel_environment_or(rules_path, "AMPEL_RULES"), &sets, &rules))
        return AMPEL_EXIT_USAGE;
    struct ampel_verify verify = {.started = &rules, .exact = exact};
    verify.pq = ampel_connect("verify", url);
    if (verify.pq == NULL) return AMPEL_EXIT_FAILED;
    ampel_pq_patience(verify.pq, -1);
    static struct ampel_postgres postgres;
    postgres.pq = verify.pq;
    verify.postgres = &postgres;
    verify.codec = ampel_page_codec_open();
    verify.builder = ampel_checkpoint_builder_open();
    AMPEL_ASSERT(verify.codec != NULL && verify.builder != NULL);
    struct ampel_shard_memory memory;
    ampel_memory_open(&memory, &verify.memory);
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO); /* what the journal would log is told here */
    int status = verify_all(&verify, ampel_environment_or(journal, "AMPEL_JOURNAL"));
    if (verify.disk.context != NULL) ampel_disk_posix_close(&verify.disk);
    ampel_memory_close(&memory);
    ampel_checkpoint_builder_close(verify.builder);
    ampel_page_codec_close(verify.codec);
    ampel_pq_close(verify.pq);
    return status;
}

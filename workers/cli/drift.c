/* ampel drift: what the marketplace's reports showed against what the model says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/print.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/drift_fit.h"
#include "workers/cli/format.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/replay.h"
#include "workers/cli/table.h"

static const struct ampel_usage usage = {
    .command = "drift",
    .arguments = "FILE...",
    .about = "Compares the reports in the files (`observed` events) with the model, each at its own time: accounts by how\n"
             "far they are apart, changes that no known event explains with the two reports that enclose them, and\n"
             "policies of which a report shows more violations than are known. --fit tries other rules (each variant,\n"
             "and ladders by points of severities) and tells which explain the reports of all accounts best: the files\n"
             "are replayed once for each.",
    .examples = "  ampel drift events.jsonl\n"
                "  ampel drift events.jsonl --fit --format jsonl\n",
};

struct drifting {
    uint32_t slot, reports_count, unexplained_count;
    struct ampel_drift last;
};

static bool ignore(void *context, const struct ampel_engine *engine, const struct ampel_change *change) {
    (void)context;
    (void)engine;
    (void)change;
    return true;
}

static void name_write(const struct ampel_engine *engine, uint32_t slot,
                       char out[AMPEL_PORTFOLIO_NAME_SIZE]) {
    struct ampel_text tenant, seller, marketplace;
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    (void)snprintf(out, AMPEL_PORTFOLIO_NAME_SIZE, "%.*s/%.*s/%.*s", (int)tenant.size, tenant.bytes,
                   (int)seller.size, seller.bytes, (int)marketplace.size, marketplace.bytes);
}

/* ---- accounts ------------------------------------------------------------------------------- */

static int64_t size_of(const struct drifting *drifting) {
    int64_t drift = drifting->last.drift;
    return drift < 0 ? -drift : drift;
}

static int farther_first(const void *left_one, const void *right_one) {
    const struct drifting *left = left_one, *right = right_one;
    if (size_of(left) != size_of(right)) return size_of(left) > size_of(right) ? -1 : 1;
    if (left->unexplained_count != right->unexplained_count)
        return left->unexplained_count > right->unexplained_count ? -1 : 1;
    return (left->slot > right->slot) - (left->slot < right->slot);
}

static bool missing_any(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_missing missing;
    uint32_t cursor = 0;
    return ampel_engine_missing_next(engine, slot, &cursor, &missing);
}

/* Those that have a report to speak of; NULL: no memory. */
static struct drifting *accounts_list(const struct ampel_engine *engine, uint32_t *count) {
    uint32_t accounts = ampel_engine_accounts_count(engine);
    struct drifting *list = calloc((size_t)accounts + 1, sizeof *list);
    *count = 0;
    for (uint32_t slot = 0; list != NULL && slot < accounts; slot++) {
        struct drifting *drifting = &list[*count];
        *drifting = (struct drifting){.slot = slot};
        uint32_t cursor = 0;
        while (ampel_engine_drift_next(engine, slot, &cursor, &drifting->last)) {
            drifting->reports_count++;
            drifting->unexplained_count += drifting->last.unexplained;
        }
        if (drifting->reports_count > 0 || missing_any(engine, slot)) (*count)++;
    }
    if (list != NULL) qsort(list, *count, sizeof *list, farther_first);
    return list;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void accounts_print(const struct ampel_engine *engine, const struct drifting *list, uint32_t count) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "ACCOUNT", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "DRIFT", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "OBSERVED", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "MODEL", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "LAST", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "REPORTS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "UNEXPLAINED", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < count; i++) {
        char account[AMPEL_PORTFOLIO_NAME_SIZE], at[AMPEL_LABEL_TIME_SIZE];
        name_write(engine, list[i].slot, account);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", account);
        if (list[i].reports_count == 0) {
            for (int cell = 0; cell < 4; cell++) ampel_table_cell(table, AMPEL_DIM, "-");
        } else {
            ampel_label_day(list[i].last.at_ms, at);
            ampel_table_cell(table, list[i].last.drift == 0 ? AMPEL_PLAIN : AMPEL_PAINT_YELLOW, "%+d",
                             list[i].last.drift);
            ampel_table_cell(table, AMPEL_PLAIN, "%d", list[i].last.observed);
            ampel_table_cell(table, AMPEL_PLAIN, "%d", list[i].last.score);
            ampel_table_cell(table, AMPEL_DIM, "%s", at);
        }
        ampel_table_cell(table, AMPEL_PLAIN, "%u", list[i].reports_count);
        ampel_table_cell(table, list[i].unexplained_count > 0 ? AMPEL_PAINT_RED : AMPEL_DIM, "%u",
                         list[i].unexplained_count);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

static void changes_print(const struct ampel_engine *engine, const struct drifting *list, uint32_t count) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "UNEXPLAINED", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "BY", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "DRIFT", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "REPORT OF", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "AND THAT OF", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        char account[AMPEL_PORTFOLIO_NAME_SIZE], since[AMPEL_LABEL_TIME_SIZE], at[AMPEL_LABEL_TIME_SIZE];
        struct ampel_drift drift;
        uint32_t cursor = 0;
        name_write(engine, list[i].slot, account);
        while (ampel_engine_drift_next(engine, list[i].slot, &cursor, &drift)) {
            if (!drift.unexplained) continue;
            ampel_label_minute(drift.since_ms, since);
            ampel_label_minute(drift.at_ms, at);
            ampel_table_cell(table, AMPEL_PLAIN, "%s", account);
            ampel_table_cell(table, AMPEL_PAINT_RED, "%+d", drift.drift - drift.drift_before);
            ampel_table_cell(table, AMPEL_PLAIN, "%+d", drift.drift);
            ampel_table_cell(table, AMPEL_DIM, "%s", since);
            ampel_table_cell(table, AMPEL_DIM, "%s", at);
            rows++;
        }
    }
    if (rows > 0) printf("\n");
    if (rows > 0) ampel_table_print(table);
    ampel_table_close(table);
}

static void missing_print(const struct ampel_engine *engine, const struct drifting *list, uint32_t count) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "VIOLATIONS MISSING", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "POLICY", AMPEL_LEFT, AMPEL_FIT_CUT);
    ampel_table_column(table, "MISSING", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "SHOWN", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "KNOWN", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "REPORT", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        char account[AMPEL_PORTFOLIO_NAME_SIZE], at[AMPEL_LABEL_TIME_SIZE];
        struct ampel_missing missing;
        uint32_t cursor = 0;
        name_write(engine, list[i].slot, account);
        while (ampel_engine_missing_next(engine, list[i].slot, &cursor, &missing)) {
            ampel_label_minute(missing.at_ms, at);
            ampel_table_cell(table, AMPEL_PLAIN, "%s", account);
            ampel_table_cell(table, AMPEL_PLAIN, "%s",
                             ampel_label_name(AMPEL_REGISTRY_POLICY, missing.policy));
            ampel_table_cell(table, AMPEL_PAINT_RED, "%u", missing.shown - missing.known);
            ampel_table_cell(table, AMPEL_PLAIN, "%u", missing.shown);
            ampel_table_cell(table, AMPEL_PLAIN, "%u", missing.known);
            ampel_table_cell(table, AMPEL_DIM, "%s", at);
            rows++;
        }
    }
    if (rows > 0) printf("\n");
    if (rows > 0) ampel_table_print(table);
    ampel_table_close(table);
}

/* ---- for programs --------------------------------------------------------------------------- */

static void reports_json(struct ampel_print *print, const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_drift drift;
    uint32_t cursor = 0, count = 0;
    ampel_print_key(print, "reports");
    ampel_print_word(print, "[");
    while (ampel_engine_drift_next(engine, slot, &cursor, &drift)) {
        ampel_print_word(print, count++ > 0 ? ",{" : "{");
        ampel_member_time(print, "at", drift.at_ms);
        ampel_member_integer(print, "observed", drift.observed);
        ampel_member_integer(print, "score", drift.score);
        ampel_member_integer(print, "drift", drift.drift);
        if (drift.since_ms != INT64_MIN) {
            ampel_member_time(print, "since", drift.since_ms);
            ampel_member_integer(print, "drift_before", drift.drift_before);
        }
        ampel_member_boolean(print, "unexplained", drift.unexplained);
        ampel_print_word(print, "}");
        ampel_members_piece(print);
    }
    ampel_print_word(print, "]");
}

static void account_json(const struct ampel_engine *engine, uint32_t slot) {
    char bytes[2048], account[AMPEL_PORTFOLIO_NAME_SIZE];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_missing missing;
    uint32_t cursor = 0, count = 0;
    name_write(engine, slot, account);
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "account", ampel_text_of(account));
    reports_json(&print, engine, slot);
    ampel_print_key(&print, "missing");
    ampel_print_word(&print, "[");
    while (ampel_engine_missing_next(engine, slot, &cursor, &missing)) {
        ampel_print_word(&print, count++ > 0 ? ",{" : "{");
        ampel_member_name(&print, "policy", AMPEL_REGISTRY_POLICY, missing.policy);
        ampel_member_integer(&print, "missing", (int64_t)missing.shown - missing.known);
        ampel_member_integer(&print, "shown", missing.shown);
        ampel_member_integer(&print, "known", missing.known);
        ampel_member_time(&print, "at", missing.at_ms);
        ampel_print_word(&print, "}");
        ampel_members_piece(&print);
    }
    ampel_print_word(&print, "]}\n");
    ampel_members_piece(&print);
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool show(const struct ampel_engine *engine, enum ampel_format format) {
    uint32_t count;
    struct drifting *list = accounts_list(engine, &count);
    if (list == NULL) {
        fprintf(stderr, "ampel drift: out of memory\n");
        return false;
    }
    if (format == AMPEL_FORMAT_JSONL) {
        for (uint32_t i = 0; i < count; i++) account_json(engine, list[i].slot);
    } else if (count == 0) {
        fputs(ampel_label("The files hold no report to compare with (events of type observed).\n"), stdout);
    } else {
        accounts_print(engine, list, count);
        changes_print(engine, list, count);
        missing_print(engine, list, count);
    }
    free(list);
    return true;
}

static int drift_run(char *const *files, int files_count, const struct ampel_replay_options *options,
                     enum ampel_format format, bool fit) {
    struct ampel_replay replay;
    const struct ampel_replay_sink sink = {.change = ignore};
    bool good = ampel_replay_open(&replay, files, files_count, options) && ampel_replay_run(&replay, &sink) &&
                show(replay.engine, format);
    bool refused = replay.counts.refused > 0;
    ampel_replay_close(&replay);
    if (good && fit) good = ampel_drift_fit(files, files_count, options, format);
    if (!good) return AMPEL_EXIT_FAILED;
    return refused ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

int ampel_command_drift(int argc, char **argv) {
    const char *rules_path = NULL, *format_text = NULL;
    int64_t until_ms = INT64_MIN;
    struct ampel_option_list sets = {0};
    bool fit = false;
    const struct ampel_option options[] = {
        {"as-of", 't', AMPEL_OPTION_TIME, &until_ms, "TIME", "later events are no part of the question; default: now"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &rules_path, "FILE", "rules file; default: the built-in rules"},
        {"set", 's', AMPEL_OPTION_LIST, &sets, "KEY=VALUE", "one rule by its dotted key; may be repeated"},
        {"fit", 0, AMPEL_OPTION_FLAG, &fit, NULL, "which rules explain the reports best, and by how much"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (for people, default) or jsonl"},
    };
    int files_count;
    enum ampel_format format;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &files_count);
    if (result != AMPEL_OPTIONS_OK) return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (!ampel_format_read(&usage, format_text, &format)) return AMPEL_EXIT_USAGE;
    if (files_count == 0) return ampel_usage_wrong(&usage, "no FILE is given");
    for (int i = 1; fit && i <= files_count; i++)
        if (strcmp(argv[i], "-") == 0)
            return ampel_usage_wrong(&usage, "--fit reads the files several times: standard input is none");
    if (until_ms == INT64_MIN) until_ms = ampel_option_now();
    struct ampel_rules rules;
    if (!ampel_portfolio_rules(rules_path, &sets, &rules)) return AMPEL_EXIT_USAGE;
    const struct ampel_replay_options replay = {.rules = &rules, .until_ms = until_ms};
    return drift_run(argv + 1, files_count, &replay, format, fit);
}

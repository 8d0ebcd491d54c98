/* ampel score: the ratings of all accounts in files at one time, without a server. */
#include <stdio.h>

#include "workers/cli/command.h"
#include "workers/cli/format.h"
#include "workers/cli/labels.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/score_lines.h"
#include "workers/cli/table.h"

/* What is beside the lines themselves goes out in fewer, larger calls. */
#define OUTPUT_BYTES (256 * 1024)

static const struct ampel_usage usage = {
    .command = "score",
    .arguments = "FILE...",
    .about = "Prints the rating of every account in the files (JSON Lines or what `ampel encode` wrote;\n"
             "- is standard input) as it stood at a time. Later events are no part of the question.\n"
             "jsonl tells the outlook, too: the range over the rules' variants, what to fix first, the\n"
             "smallest set back to green, and the forecast; and where there is a takeover case the score without it.",
    .examples = "  ampel score events.jsonl --as-of 2026-10-01T12:00:00Z\n"
                "  ampel score events.jsonl --as-of now --set repeat.ladder=off --format jsonl\n",
};

static void table_print(const struct ampel_portfolio *portfolio) {
    const struct ampel_rules *rules = ampel_engine_rules(portfolio->engine);
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "ACCOUNT", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "SCORE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "STATUS", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "RISK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "ORDERS", AMPEL_RIGHT, AMPEL_FIT_SPARE);
    ampel_table_column(table, "EARNED", AMPEL_RIGHT, AMPEL_FIT_SPARE);
    ampel_table_column(table, "LOST", AMPEL_RIGHT, AMPEL_FIT_SPARE);
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        ampel_table_column(table, rules->cap_groups[i].name, AMPEL_RIGHT, AMPEL_FIT_CUT);
    for (uint32_t i = 0; i < portfolio->accounts_count; i++) {
        struct ampel_text tenant, seller, marketplace;
        struct ampel_numbers numbers;
        ampel_engine_account_identity(portfolio->engine, portfolio->slots[i], &tenant, &seller,
                                      &marketplace);
        ampel_engine_numbers(portfolio->engine, portfolio->slots[i], &numbers);
        ampel_table_cell(table, AMPEL_PLAIN, "%.*s/%.*s/%.*s", (int)tenant.size, tenant.bytes,
                         (int)seller.size, seller.bytes, (int)marketplace.size, marketplace.bytes);
        enum ampel_paint paint = ampel_paint_of_colour(numbers.colour);
        ampel_table_cell(table, paint, "%d", numbers.score);
        ampel_table_cell(table, paint, "%s", ampel_label_name(AMPEL_REGISTRY_COLOUR, numbers.colour));
        ampel_table_cell(table, ampel_paint_of_risk(numbers.risk), "%s",
                         ampel_label_name(AMPEL_REGISTRY_RISK, numbers.risk));
        ampel_table_cell(table, AMPEL_PLAIN, "%u", numbers.orders);
        ampel_table_cell(table, AMPEL_PLAIN, "+%d", numbers.order_points);
        ampel_table_cell(table, AMPEL_PLAIN, "-%lld", (long long)numbers.deducted);
        for (uint32_t group = 0; group < rules->cap_groups_count; group++)
            ampel_table_cell(table,
                             numbers.caps[group] >= rules->cap_groups[group].limit ? AMPEL_PAINT_RED
                                                                                  : AMPEL_PLAIN,
                             "%u/%u", numbers.caps[group], rules->cap_groups[group].limit);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

int ampel_command_score(int argc, char **argv) {
    int64_t as_of_ms = INT64_MIN;
    const char *rules_path = NULL, *format_text = NULL;
    struct ampel_option_list sets = {0};
    bool no_outlook = false;
    const struct ampel_option options[] = {
        {"as-of", 't', AMPEL_OPTION_TIME, &as_of_ms, "TIME", "the time of the question; default: now"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &rules_path, "FILE", "rules file; default: the built-in rules"},
        {"set", 's', AMPEL_OPTION_LIST, &sets, "KEY=VALUE", "one rule by its dotted key; may be repeated"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (default) or jsonl"},
        {"no-outlook", 0, AMPEL_OPTION_FLAG, &no_outlook, NULL, "jsonl without range, forecast and what to fix"},
    };
    int files_count;
    enum ampel_options_result result = ampel_options_read(
        &usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &files_count);
    if (result != AMPEL_OPTIONS_OK) return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    enum ampel_format format;
    if (!ampel_format_read(&usage, format_text, &format)) return AMPEL_EXIT_USAGE;
    if (files_count == 0) return ampel_usage_wrong(&usage, "no FILE is given");
    if (as_of_ms == INT64_MIN) as_of_ms = ampel_option_now();
    struct ampel_rules rules;
    if (!ampel_portfolio_rules(rules_path, &sets, &rules)) return AMPEL_EXIT_USAGE;

    struct ampel_portfolio portfolio;
    int status = AMPEL_EXIT_FAILED;
    if (ampel_portfolio_open(&portfolio, argv + 1, files_count, as_of_ms, &rules, true)) {
        bool outlook = format == AMPEL_FORMAT_JSONL && !no_outlook;
        bool good = !outlook || ampel_outlook_variants_apply(portfolio.engine);
        if (format == AMPEL_FORMAT_TABLE) table_print(&portfolio);
        if (format == AMPEL_FORMAT_JSONL) (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
        if (good && format == AMPEL_FORMAT_JSONL) good = ampel_score_lines_print(&portfolio, outlook);
        if (good) status = portfolio.counts.refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
    }
    ampel_portfolio_close(&portfolio);
    return status;
}

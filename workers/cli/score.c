/* ampel score: the ratings of all accounts in files at one time, without a server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/print.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/explained_incidents.h"
#include "workers/cli/format.h"
#include "workers/cli/members.h"
#include "workers/cli/labels.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/table.h"

/* One piece of a line: an id escaped at worst to six bytes a byte, and some numbers. */
#define PIECE_BYTES 2048
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

struct listed {
    char id[AMPEL_ID_BYTES_MAX + 1];
    uint32_t rank;
    int64_t points;
};

static int listed_compare(const void *left, const void *right) {
    return strcmp(((const struct listed *)left)->id, ((const struct listed *)right)->id);
}

/* The deducting violations in window, by id. *count tells how many; free the result. */
static struct listed *violations_list(const struct ampel_engine *engine, uint32_t slot,
                                      uint32_t *count) {
    struct listed *list = NULL;
    uint32_t capacity = 0, cursor = 0;
    struct ampel_violation violation;
    *count = 0;
    while (ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
        if (!violation.deducting) continue;
        if (*count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            struct listed *grown = realloc(list, capacity * sizeof *grown);
            AMPEL_ASSERT(grown != NULL);
            list = grown;
        }
        struct listed *listed = &list[(*count)++];
        memset(listed, 0, sizeof *listed);
        memcpy(listed->id, violation.id.bytes, violation.id.size);
        listed->rank = violation.rank;
        listed->points = violation.points;
    }
    if (*count > 1) qsort(list, *count, sizeof *list, listed_compare);
    return list;
}

static bool line_print(const struct ampel_portfolio *portfolio, uint32_t slot, bool outlook) {
    static const char *const names[] = {"tenant", "seller", "marketplace"};
    char bytes[4 * PIECE_BYTES];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_text identity[3];
    struct ampel_numbers numbers;
    ampel_engine_account_identity(portfolio->engine, slot, &identity[0], &identity[1], &identity[2]);
    ampel_engine_numbers(portfolio->engine, slot, &numbers);
    ampel_print_word(&print, "{");
    for (uint32_t i = 0; i < 3; i++) {
        ampel_member_text(&print, names[i], identity[i]);
    }
    ampel_members_rated(&print, numbers.score, numbers.colour, numbers.risk);
    ampel_members_sums(&print, numbers.orders, numbers.order_points, numbers.deducted);
    ampel_members_caps(&print, ampel_engine_rules(portfolio->engine), &numbers);
    ampel_print_key(&print, "violations");
    ampel_print_word(&print, "[");
    ampel_members_piece(&print);
    uint32_t count;
    struct listed *list = violations_list(portfolio->engine, slot, &count);
    for (uint32_t i = 0; i < count; i++) {
        ampel_print_word(&print, i == 0 ? "{" : ",{");
        ampel_member_text(&print, "id", ampel_text_of(list[i].id));
        ampel_member_integer(&print, "rank", list[i].rank);
        ampel_member_integer(&print, "points", list[i].points);
        ampel_print_word(&print, "}");
        if (print.size > sizeof bytes - PIECE_BYTES) ampel_members_piece(&print);
    }
    ampel_members_piece(&print);
    free(list);
    fputs("]", stdout);
    struct ampel_explained_incidents incidents;
    if (!ampel_explained_incidents_engine(portfolio->engine, slot, &incidents)) return false;
    ampel_explained_incidents_json(&incidents);
    ampel_explained_incidents_close(&incidents);
    if (outlook && !ampel_outlook_json_all(portfolio->engine, slot)) return false;
    fputs("}\n", stdout);
    return true;
}

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
    if (ampel_portfolio_open(&portfolio, argv + 1, files_count, as_of_ms, &rules)) {
        bool outlook = format == AMPEL_FORMAT_JSONL && !no_outlook;
        bool good = !outlook || ampel_outlook_variants_apply(portfolio.engine);
        if (format == AMPEL_FORMAT_TABLE) table_print(&portfolio);
        /* Lines of a million accounts go out in fewer, larger calls. */
        if (format == AMPEL_FORMAT_JSONL) (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
        for (uint32_t i = 0; good && format == AMPEL_FORMAT_JSONL && i < portfolio.accounts_count; i++)
            good = line_print(&portfolio, portfolio.slots[i], outlook);
        if (good) status = portfolio.counts.refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
    }
    ampel_portfolio_close(&portfolio);
    return status;
}

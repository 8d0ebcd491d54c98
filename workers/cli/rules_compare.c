#include "workers/cli/rules_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/question.h"
#include "workers/cli/table.h"

#define ROWS_SHOWN 20

static const struct ampel_usage usage = {
    .command = "rules compare",
    .arguments = "A B [FILE...|--live]",
    .about = "Computes every account under two rule sets and tells who changes colour or risk. A and B are rules\n"
             "files, or default for the built-in rules; --set changes B. The accounts are those of the event\n"
             "files (--as-of) or, with --live, those that the worker stored.",
    .examples = "  ampel rules compare deploy/rules/amazon.yaml next.yaml events.jsonl\n"
                "  ampel rules compare default default --set repeat.ladder=double_once --live\n",
};

struct row {
    char account[AMPEL_PORTFOLIO_NAME_SIZE];
    struct ampel_numbers a, b;
};

struct comparison {
    struct row *rows;
    uint32_t count, capacity;
    uint32_t accounts, scores_changed;
    uint32_t colours[3][3]; /* from, to */
    bool all;               /* also those whose score alone changes */
};

static bool row_push(struct comparison *comparison, const struct row *row) {
    if (comparison->count == comparison->capacity) {
        uint32_t capacity = comparison->capacity == 0 ? 256 : comparison->capacity * 2;
        struct row *rows = realloc(comparison->rows, capacity * sizeof *rows);
        if (rows == NULL) return ampel_outlook_no_memory();
        comparison->rows = rows;
        comparison->capacity = capacity;
    }
    comparison->rows[comparison->count++] = *row;
    return true;
}

static bool portfolio_compare(struct comparison *comparison, struct ampel_portfolio *portfolio,
                              const struct ampel_rules *other) {
    if (ampel_engine_variants_set(portfolio->engine, other, 1) != AMPEL_ENGINE_OK) return ampel_outlook_no_memory();
    for (uint32_t i = 0; i < portfolio->accounts_count; i++) {
        struct ampel_numbers variants[AMPEL_VARIANTS_MAX];
        struct row row;
        memset(&row, 0, sizeof row);
        ampel_engine_numbers(portfolio->engine, portfolio->slots[i], &row.a);
        if (ampel_outlook_variants(portfolio->engine, portfolio->slots[i], variants) != AMPEL_ENGINE_OK)
            return ampel_outlook_no_memory();
        row.b = variants[0];
        bool score = row.a.score != row.b.score;
        bool shown = row.a.colour != row.b.colour || row.a.risk != row.b.risk || (comparison->all && score);
        comparison->accounts++;
        comparison->scores_changed += score;
        comparison->colours[row.a.colour][row.b.colour]++;
        if (!shown) continue;
        ampel_portfolio_name(portfolio, portfolio->slots[i], row.account);
        if (!row_push(comparison, &row)) return false;
    }
    return true;
}

/* Who gets worse most comes first. */
static int row_compare(const void *left, const void *right) {
    const struct row *x = left, *y = right;
    int order = (y->b.colour - y->a.colour) - (x->b.colour - x->a.colour);
    if (order == 0) order = (y->b.risk - y->a.risk) - (x->b.risk - x->a.risk);
    if (order == 0) order = (x->b.score - x->a.score) - (y->b.score - y->a.score);
    return order != 0 ? order : strcmp(x->account, y->account);
}

static void cells_put(struct ampel_table *table, const struct ampel_numbers *numbers) {
    enum ampel_paint paint = ampel_paint_of_colour(numbers->colour);
    ampel_table_cell(table, paint, "%d", numbers->score);
    ampel_table_cell(table, paint, "%s", ampel_label_name(AMPEL_REGISTRY_COLOUR, numbers->colour));
    ampel_table_cell(table, ampel_paint_of_risk(numbers->risk), "%s",
                     ampel_label_name(AMPEL_REGISTRY_RISK, numbers->risk));
}

static void table_print(const struct comparison *comparison, uint32_t shown) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "ACCOUNT", AMPEL_LEFT, AMPEL_FIT_NAME);
    for (int set = 0; set < 2; set++) {
        ampel_table_column(table, set == 0 ? "A" : "B", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
        ampel_table_column(table, "STATUS", AMPEL_LEFT, AMPEL_FIT_WHOLE);
        ampel_table_column(table, "RISK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    }
    ampel_table_column(table, "CHANGE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < shown; i++) {
        const struct row *row = &comparison->rows[i];
        ampel_table_cell(table, AMPEL_PLAIN, "%s", row->account);
        cells_put(table, &row->a);
        cells_put(table, &row->b);
        ampel_table_cell(table, row->b.score < row->a.score ? AMPEL_PAINT_RED : AMPEL_PLAIN, "%+d",
                         row->b.score - row->a.score);
    }
    if (shown > 0) ampel_table_print(table);
    ampel_table_close(table);
}

static void moves_print(uint8_t from, uint8_t to, uint32_t count) {
    const char *before = ampel_label_name(AMPEL_REGISTRY_COLOUR, from), *after = ampel_label_name(AMPEL_REGISTRY_COLOUR, to);
    printf("  %-*s -> %-*s  %u\n", ampel_label_width(before, 6), before, ampel_label_width(after, 6), after, count);
}

static void summary_print(const struct comparison *comparison, uint32_t shown) {
    uint32_t moved = 0;
    for (uint8_t from = 0; from < 3; from++)
        for (uint8_t to = 0; to < 3; to++) moved += from == to ? 0 : comparison->colours[from][to];
    if (shown > 0) printf("\n");
    if (shown < comparison->count)
        printf(ampel_label("%u of %u rows shown; --limit 0 shows all\n"), shown, comparison->count);
    printf(ampel_label("%u accounts, %u with another score, %u with another colour\n"), comparison->accounts,
           comparison->scores_changed, moved);
    for (uint8_t from = 0; from < 3; from++)
        for (uint8_t to = 0; to < 3; to++)
            if (from != to && comparison->colours[from][to] > 0)
                moves_print(from, to, comparison->colours[from][to]);
}

static void numbers_json(struct ampel_print *print, const char *key, const struct ampel_numbers *numbers) {
    ampel_print_key(print, key);
    ampel_print_word(print, "{");
    ampel_members_rated(print, numbers->score, numbers->colour, numbers->risk);
    ampel_print_word(print, "}");
}

static void lines_print(const struct comparison *comparison, uint32_t shown) {
    char bytes[2048];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    for (uint32_t i = 0; i < shown; i++) {
        ampel_print_word(&print, "{");
        ampel_member_text(&print, "account", ampel_text_of(comparison->rows[i].account));
        numbers_json(&print, "a", &comparison->rows[i].a);
        numbers_json(&print, "b", &comparison->rows[i].b);
        ampel_print_word(&print, "}\n");
        ampel_members_piece(&print);
    }
}

static int compare(const struct ampel_question *question, const struct ampel_rules *other, char *const *files,
                   int files_count, int64_t limit, bool all) {
    struct ampel_stored_options where = ampel_question_stored(question, "rules compare", files, files_count, NULL);
    where.rules_given = true; /* A, whatever the database stands under */
    struct comparison comparison = {.all = all};
    struct ampel_stored stored;
    struct ampel_portfolio *portfolio;
    bool good = ampel_stored_open(&stored, &where);
    stored.told_rules = true; /* that neither set need be the stored one is the point */
    while (good && (portfolio = ampel_stored_next(&stored)) != NULL)
        good = portfolio_compare(&comparison, portfolio, other);
    int status = ampel_stored_close(&stored);
    if (good && status != AMPEL_EXIT_FAILED) {
        if (comparison.count > 1) qsort(comparison.rows, comparison.count, sizeof *comparison.rows, row_compare);
        if (limit < 0) limit = isatty(STDOUT_FILENO) == 1 ? ROWS_SHOWN : 0;
        uint32_t shown = limit == 0 || limit > comparison.count ? comparison.count : (uint32_t)limit;
        if (question->format == AMPEL_FORMAT_TABLE) {
            table_print(&comparison, shown);
            summary_print(&comparison, shown);
        } else
            lines_print(&comparison, shown);
    } else
        status = AMPEL_EXIT_FAILED;
    free(comparison.rows);
    return status;
}

/* A rules file, or "default". */
static bool rules_read(const char *word, const struct ampel_option_list *sets, struct ampel_rules *out) {
    return ampel_portfolio_rules(strcmp(word, "default") == 0 ? NULL : word, sets, out);
}

int ampel_rules_compare(int argc, char **argv) {
    struct ampel_question question = AMPEL_QUESTION_INIT;
    bool live = false, all = false;
    int64_t limit = -1;
    const struct ampel_option options[] = {
        {"live", 'l', AMPEL_OPTION_FLAG, &live, NULL, "the accounts that the worker stored"},
        {"all", 'a', AMPEL_OPTION_FLAG, &all, NULL, "also whose score alone changes"},
        {"limit", 'n', AMPEL_OPTION_NUMBER, &limit, "N", "rows; 0 all; default: 20, all in a pipe"},
        {"as-of", 't', AMPEL_OPTION_TIME, &question.as_of_ms, "TIME", "with files: the time of the question; default: now"},
        {"set", 's', AMPEL_OPTION_LIST, &question.sets, "KEY=VALUE", "one rule of B by its dotted key; may be repeated"},
        {"format", 'f', AMPEL_OPTION_TEXT, &question.format_text, "FORM", "table (for people, default) or jsonl"},
        {"database", 'd', AMPEL_OPTION_TEXT, &question.url, "URL", "with --live; default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words < 2) return ampel_usage_wrong(&usage, "give two rule sets, A and B");
    if (live != (words == 2)) return ampel_usage_wrong(&usage, "give event files or --live, one of them");
    if (live && question.as_of_ms != INT64_MIN)
        return ampel_usage_wrong(&usage, "--as-of needs files: what is stored stands as it is");
    if (question.as_of_ms == INT64_MIN) question.as_of_ms = ampel_option_now();
    if (!ampel_format_read(&usage, question.format_text, &question.format)) return AMPEL_EXIT_USAGE;
    struct ampel_rules other;
    const struct ampel_option_list none = {0};
    if (!rules_read(argv[1], &none, &question.rules) || !rules_read(argv[2], &question.sets, &other))
        return AMPEL_EXIT_USAGE;
    return compare(&question, &other, argv + 3, words - 2, limit, all);
}

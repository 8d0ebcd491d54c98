/* ampel fix: what to fix first, of one account or of a whole portfolio. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/question.h"
#include "workers/cli/table.h"

/* Rows of --portfolio on a terminal unless --limit says otherwise. */
#define ROWS_SHOWN 20

static const struct ampel_usage usage = {
    .command = "fix",
    .arguments = "ACCOUNT [FILE...] | --portfolio [FILE...]",
    .about = "Tells for every violation that costs points what an approved appeal and what an acknowledgement\n"
             "would bring now, the one to fix first first, and the smallest set of approvals that brings the\n"
             "account back to green. An acknowledged violation stays a repeat and in its cap; an approved one\n"
             "leaves both. With --portfolio one row for each violation of all accounts: where an hour of work\n"
             "returns most. With files it computes from them (--as-of), without it reads what was stored.",
    .examples = "  ampel fix nordlicht/A1SELLER/A1PA6795UKMFR9\n"
                "  ampel fix demo/CASE05/A1PA6795UKMFR9 events.jsonl --as-of 2026-10-01T12:34:56Z\n"
                "  ampel fix --portfolio --limit 50\n"
                "  ampel fix --portfolio events.jsonl --format jsonl\n",
};

/* One violation of one account: texts are copies, as portfolios come and go. */
struct row {
    char account[AMPEL_PORTFOLIO_NAME_SIZE];
    char id[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_outlook_fix fix; /* its id is not used */
};

struct rows {
    struct row *list;
    uint32_t count, capacity, accounts;
};

/* ---- what both print ------------------------------------------------------------------------ */

static const char *policy_of(const struct ampel_outlook_fix *fix) {
    const char *name = ampel_registry_name(AMPEL_REGISTRY_POLICY, fix->policy);
    return name != NULL ? name : "?";
}

/* "440 +8" */
static void outcome_cell(struct ampel_table *table, const struct ampel_outlook_fix *fix,
                         const struct ampel_outlook_outcome *then) {
    ampel_table_cell(table, ampel_paint_of_colour(then->colour), "%d %+d", then->score, then->score - fix->now.score);
}

/* "at_risk>none", or one name where nothing changes. */
static void risks_cell(struct ampel_table *table, const struct ampel_outlook_fix *fix) {
    bool same = fix->now.risk == fix->approved.risk;
    ampel_table_cell(table, ampel_paint_of_risk(fix->now.risk), "%s%s%s",
                     ampel_label_name(AMPEL_REGISTRY_RISK, fix->now.risk), same ? "" : ">",
                     same ? "" : ampel_label_name(AMPEL_REGISTRY_RISK, fix->approved.risk));
}

/* Euro and cents are the marketplace's matter; the number is shown whole. */
static void sales_cell(struct ampel_table *table, int64_t cents) {
    if (cents < 0)
        ampel_table_cell(table, AMPEL_DIM, "-");
    else
        ampel_table_cell(table, AMPEL_PLAIN, "%" PRId64, cents / 100);
}

static void fix_json(struct ampel_print *print, const struct ampel_outlook_fix *fix, struct ampel_text id,
                     const struct ampel_rules *rules) {
    static const char *const names[] = {"approved", "acknowledged"};
    const struct ampel_outlook_outcome *outcomes[] = {&fix->approved, &fix->acknowledged};
    ampel_member_text(print, "id", id);
    ampel_member_text(print, "policy", ampel_text_of(policy_of(fix)));
    ampel_member_name(print, "state", AMPEL_REGISTRY_VIOLATION_STATE, fix->state);
    ampel_member_time(print, "expires_at", fix->expires_at_ms);
    ampel_member_integer(print, "rank", fix->rank);
    ampel_member_integer(print, "points", fix->points);
    ampel_print_key(print, "at_risk_sales");
    if (fix->at_risk_sales_cents < 0)
        ampel_print_word(print, "null");
    else {
        char amount[32];
        snprintf(amount, sizeof amount, "%" PRId64 ".%02" PRId64, fix->at_risk_sales_cents / 100,
                 fix->at_risk_sales_cents % 100);
        ampel_print_word(print, amount);
    }
    ampel_member_integer(print, "next_rank", fix->now.next_rank);
    if (fix->cap_group != AMPEL_CAP_GROUP_NONE) {
        ampel_member_text(print, "cap", ampel_text_of(rules->cap_groups[fix->cap_group].name));
        ampel_member_integer(print, "cap_count", fix->now.cap_count);
        ampel_member_integer(print, "cap_limit", rules->cap_groups[fix->cap_group].limit);
    }
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++) {
        ampel_print_key(print, names[i]);
        ampel_print_word(print, "{");
        ampel_outlook_json_outcome(print, outcomes[i]);
        ampel_member_integer(print, "gain", outcomes[i]->score - fix->now.score);
        ampel_member_integer(print, "raw_gain", outcomes[i]->raw - fix->now.raw);
        ampel_member_integer(print, "cap_count", outcomes[i]->cap_count);
        ampel_member_integer(print, "next_rank", outcomes[i]->next_rank);
        ampel_member_integer(print, "ranks_lowered", outcomes[i]->ranks_lowered);
        ampel_print_word(print, "}");
    }
}

/* ---- one account ---------------------------------------------------------------------------- */

static void fixes_table(const struct ampel_outlook_fix *fixes, uint32_t count, const struct ampel_rules *rules,
                        int64_t now_ms) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "VIOLATION", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "POLICY", AMPEL_LEFT, AMPEL_FIT_CUT);
    ampel_table_column(table, "COSTS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "APPROVED", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "ACKN.", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "RISK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "NEXT", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "CAP", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "SALES", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "DAYS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_outlook_fix *fix = &fixes[i];
        ampel_table_cell(table, AMPEL_PLAIN, "%.*s", (int)fix->id.size, fix->id.bytes);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", ampel_label(policy_of(fix)));
        if (fix->critical && rules->critical_mode != AMPEL_CRITICAL_POINTS)
            ampel_table_cell(table, AMPEL_PAINT_RED, "%s", ampel_label("crit"));
        else
            ampel_table_cell(table, AMPEL_PLAIN, "%" PRId64, fix->points);
        outcome_cell(table, fix, &fix->approved);
        outcome_cell(table, fix, &fix->acknowledged);
        ampel_table_cell(table, ampel_paint_of_risk(fix->approved.risk), "%s%s",
                         ampel_label_name(AMPEL_REGISTRY_RISK, fix->approved.risk),
                         fix->acknowledged.risk == fix->approved.risk ? "" : "*");
        ampel_table_cell(table, AMPEL_DIM, "%u>%u", fix->now.next_rank, fix->approved.next_rank);
        if (fix->cap_group == AMPEL_CAP_GROUP_NONE)
            ampel_table_cell(table, AMPEL_DIM, "-");
        else
            ampel_table_cell(table,
                             fix->now.cap_count >= rules->cap_groups[fix->cap_group].limit ? AMPEL_PAINT_RED : AMPEL_DIM,
                             "%u>%u/%u", fix->now.cap_count, fix->approved.cap_count,
                             rules->cap_groups[fix->cap_group].limit);
        sales_cell(table, fix->at_risk_sales_cents);
        ampel_table_cell(table, AMPEL_DIM, "%" PRId64, (fix->expires_at_ms - now_ms + AMPEL_DAY_MS - 1) / AMPEL_DAY_MS);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

static void legend_print(void) {
    printf(ampel_label("%sAPPROVED, ACKN.: score, gain. RISK: once approved (* acknowledged, another).\n"
           "NEXT: the rank of one more violation of the policy, now>once this is approved.\n"
           "CAP: repeats now>approved/limit. Acknowledging changes neither NEXT nor CAP.\n"
           "SALES: at risk, as reported. DAYS: until it leaves the window by itself.%s\n"),
           ampel_paint_start(AMPEL_DIM), ampel_paint_end());
}

static void green_print(const struct ampel_outlook_green *green) {
    if (!green->found) {
        printf(ampel_label("back to green: %s\n"),
               ampel_label(green->exact ? "no set of approvals does it" : "no greedy choice of approvals does it"));
        return;
    }
    if (green->count == 0) {
        fputs(ampel_label("back to green: it is green\n"), stdout);
        return;
    }
    struct ampel_flow flow;
    ampel_flow_start(&flow, 2);
    ampel_flow_put(&flow, 0, AMPEL_PLAIN, "%s", ampel_label("back to green"));
    ampel_flow_put(&flow, 1, AMPEL_PAINT_GREEN, "(%d)", green->then.score);
    ampel_flow_words(&flow, 1, AMPEL_PLAIN,
                     green->count == 1 ? ampel_label("with %u approval%s:") : ampel_label("with %u approvals%s:"),
                     green->count, ampel_label(green->exact ? ", and with no fewer" : ", found by a greedy choice"));
    ampel_flow_end(&flow);
    ampel_flow_start(&flow, 2);
    for (uint32_t i = 0; i < green->count; i++)
        ampel_flow_put(&flow, i == 0 ? 2 : 1, AMPEL_PLAIN, "%.*s", (int)green->ids[i].size, green->ids[i].bytes);
    ampel_flow_end(&flow);
}

static bool account_show(struct ampel_portfolio *portfolio, uint32_t slot, enum ampel_format format) {
    const struct ampel_rules *rules = ampel_engine_rules(portfolio->engine);
    const struct ampel_outlook_fix *fixes;
    struct ampel_outlook_green green;
    uint32_t count;
    if (ampel_outlook_fixes(portfolio->engine, slot, &fixes, &count) != AMPEL_ENGINE_OK ||
        ampel_outlook_to_green(portfolio->engine, slot, &green) != AMPEL_ENGINE_OK)
        return ampel_outlook_no_memory();
    if (format == AMPEL_FORMAT_TABLE) {
        if (!ampel_headline_print(portfolio, slot)) return false;
        printf("\n");
        if (count > 0) fixes_table(fixes, count, rules, ampel_engine_now(portfolio->engine));
        if (count > 0) legend_print();
        fputs(count > 0 ? "\n" : ampel_label("nothing costs points\n"), stdout);
        green_print(&green);
        return true;
    }
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    if (!ampel_headline_json(portfolio, slot)) return false;
    fputs(",\"to_green\":", stdout);
    ampel_outlook_json_ids(&green);
    printf(",\"to_green_exact\":%s,\"fix\":[", green.exact ? "true" : "false");
    for (uint32_t i = 0; i < count; i++) {
        ampel_print_word(&print, "{");
        fix_json(&print, &fixes[i], fixes[i].id, rules);
        ampel_print_word(&print, "}");
        ampel_members_piece(&print);
        if (i + 1 < count) fputs(",", stdout);
    }
    fputs("]}\n", stdout);
    return true;
}

static int account_fix(const struct ampel_question *question, char *const *files, int files_count,
                       const char *account) {
    struct ampel_stored_options where = ampel_question_stored(question, usage.command, files, files_count, account);
    struct ampel_stored stored;
    uint32_t slot;
    int status;
    struct ampel_portfolio *portfolio = ampel_stored_account(&stored, &where, &slot, &status);
    if (portfolio == NULL) return status;
    bool good = account_show(portfolio, slot, question->format);
    status = ampel_stored_close(&stored);
    return good ? status : AMPEL_EXIT_FAILED;
}

/* ---- a portfolio ---------------------------------------------------------------------------- */

static bool rows_push(struct rows *rows, const char *account, const struct ampel_outlook_fix *fix) {
    if (rows->count == rows->capacity) {
        uint32_t capacity = rows->capacity == 0 ? 1024 : rows->capacity * 2;
        struct row *list = realloc(rows->list, capacity * sizeof *list);
        if (list == NULL) return ampel_outlook_no_memory();
        rows->list = list;
        rows->capacity = capacity;
    }
    struct row *row = &rows->list[rows->count++];
    memset(row, 0, sizeof *row);
    snprintf(row->account, sizeof row->account, "%s", account);
    memcpy(row->id, fix->id.bytes, fix->id.size);
    row->fix = *fix;
    return true;
}

static bool tenant_wanted(const char *account, const char *tenant) {
    size_t size = tenant == NULL ? 0 : strlen(tenant);
    return tenant == NULL || (strncmp(account, tenant, size) == 0 && account[size] == '/');
}

static bool portfolio_collect(struct ampel_portfolio *portfolio, const char *tenant, struct rows *rows) {
    for (uint32_t i = 0; i < portfolio->accounts_count; i++) {
        char account[AMPEL_PORTFOLIO_NAME_SIZE];
        const struct ampel_outlook_fix *fixes;
        uint32_t count;
        ampel_portfolio_name(portfolio, portfolio->slots[i], account);
        if (!tenant_wanted(account, tenant)) continue;
        rows->accounts++;
        if (ampel_outlook_fixes(portfolio->engine, portfolio->slots[i], &fixes, &count) != AMPEL_ENGINE_OK)
            return ampel_outlook_no_memory();
        for (uint32_t k = 0; k < count; k++)
            if (!rows_push(rows, account, &fixes[k])) return false;
    }
    return true;
}

static int64_t gain_of(const struct row *row) { return row->fix.approved.score - row->fix.now.score; }

static int sign(int64_t left, int64_t right) { return (left > right) - (left < right); }

/* What an hour of work returns: classes of risk first, then points of the score, of the sum before its clamp, sales at risk. */
static int row_compare(const void *left, const void *right) {
    const struct row *a = left, *b = right;
    int order = sign(b->fix.now.risk - b->fix.approved.risk, a->fix.now.risk - a->fix.approved.risk);
    if (order == 0) order = sign(gain_of(b), gain_of(a));
    if (order == 0) order = sign(b->fix.approved.raw - b->fix.now.raw, a->fix.approved.raw - a->fix.now.raw);
    if (order == 0) order = sign(b->fix.at_risk_sales_cents, a->fix.at_risk_sales_cents);
    if (order == 0) order = strcmp(a->account, b->account);
    return order != 0 ? order : strcmp(a->id, b->id);
}

static void rows_table(const struct rows *rows, uint32_t shown, size_t skip) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "ACCOUNT", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "VIOLATION", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "RISK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "APPROVED", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "ACKN.", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "SALES", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < shown; i++) {
        const struct row *row = &rows->list[i];
        ampel_table_cell(table, AMPEL_PLAIN, "%s", row->account + skip);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", row->id);
        risks_cell(table, &row->fix);
        outcome_cell(table, &row->fix, &row->fix.approved);
        ampel_table_cell(table, ampel_paint_of_colour(row->fix.acknowledged.colour), "%+d%s",
                         row->fix.acknowledged.score - row->fix.now.score,
                         row->fix.acknowledged.risk == row->fix.approved.risk ? "" : "*");
        sales_cell(table, row->fix.at_risk_sales_cents);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

static void rows_json(const struct rows *rows, uint32_t shown, const struct ampel_rules *rules) {
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    for (uint32_t i = 0; i < shown; i++) {
        const struct row *row = &rows->list[i];
        ampel_print_word(&print, "{");
        ampel_member_text(&print, "account", ampel_text_of(row->account));
        ampel_member_integer(&print, "score", row->fix.now.score);
        ampel_member_name(&print, "risk", AMPEL_REGISTRY_RISK, row->fix.now.risk);
        fix_json(&print, &row->fix, ampel_text_of(row->id), rules);
        ampel_print_word(&print, "}\n");
        ampel_members_piece(&print);
    }
}

static int portfolio_fix(const struct ampel_question *question, char *const *files, int files_count,
                         const char *tenant, int64_t limit) {
    struct ampel_stored_options where = ampel_question_stored(question, usage.command, files, files_count, NULL);
    struct ampel_stored stored;
    struct rows rows = {0};
    struct ampel_portfolio *portfolio;
    bool good = ampel_stored_open(&stored, &where);
    while (good && (portfolio = ampel_stored_next(&stored)) != NULL) good = portfolio_collect(portfolio, tenant, &rows);
    int status = ampel_stored_close(&stored);
    if (!good || status == AMPEL_EXIT_FAILED) {
        free(rows.list);
        return AMPEL_EXIT_FAILED;
    }
    if (rows.count > 1) qsort(rows.list, rows.count, sizeof *rows.list, row_compare);
    if (limit < 0) limit = isatty(STDOUT_FILENO) == 1 ? ROWS_SHOWN : 0;
    uint32_t shown = limit == 0 || limit > rows.count ? rows.count : (uint32_t)limit;
    if (question->format == AMPEL_FORMAT_JSONL)
        rows_json(&rows, shown, &stored.rules);
    else if (rows.count == 0)
        printf(ampel_label("%u accounts, nothing costs points\n"), rows.accounts);
    else {
        rows_table(&rows, shown, tenant == NULL ? 0 : strlen(tenant) + 1);
        printf(ampel_label("%s%u violations of %u accounts cost points%s\n"
                           "RISK: now>approved. * acknowledged, another: repeats and caps stay.%s\n"),
               ampel_paint_start(AMPEL_DIM), rows.count, rows.accounts,
               shown < rows.count ? ampel_label("; --limit 0 shows all") : "", ampel_paint_end());
    }
    free(rows.list);
    return status;
}

int ampel_command_fix(int argc, char **argv) {
    struct ampel_question question = AMPEL_QUESTION_INIT;
    bool portfolio = false;
    const char *tenant = NULL;
    int64_t limit = -1;
    const struct ampel_option options[] = {
        {"portfolio", 'p', AMPEL_OPTION_FLAG, &portfolio, NULL, "all accounts, what returns most first"},
        {"tenant", 0, AMPEL_OPTION_TEXT, &tenant, "NAME", "with --portfolio: one tenant; default: all"},
        {"limit", 'n', AMPEL_OPTION_NUMBER, &limit, "N", "with --portfolio: rows; 0 all; default: 20, all in a pipe"},
        AMPEL_QUESTION_OPTIONS(question),
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words == 0 && !portfolio) return ampel_usage_wrong(&usage, "give an ACCOUNT, or --portfolio");
    if (!portfolio && (tenant != NULL || limit >= 0))
        return ampel_usage_wrong(&usage, "--tenant and --limit go with --portfolio");
    int accounts = portfolio ? 0 : 1;
    if (!ampel_question_settle(&question, &usage, words - accounts)) return AMPEL_EXIT_USAGE;
    return portfolio ? portfolio_fix(&question, argv + 1, words, tenant, limit)
                     : account_fix(&question, argv + 2, words - 1, argv[1]);
}

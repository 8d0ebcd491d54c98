/* ampel top: the portfolio, worst first, refreshed in place. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"
#include "proto/print.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/flow.h"
#include "workers/cli/format.h"
#include "workers/cli/members.h"
#include "workers/cli/labels.h"
#include "workers/cli/table.h"

/* Lines around the table: summary (two where it is long), empty line, titles, empty line, foot. */
#define FRAME_LINES 6
#define CAPS_BYTES 1024

static const struct ampel_usage usage = {
    .command = "top",
    .arguments = "",
    .about = "Shows the stored ratings, worst first: those that may be deactivated now (red, or a repeat cap reached), by\n"
             "score, then all others by score. RANGE is the score under the readings that the rules leave open, CLOCK\n"
             "what is left of the 72 hours after red, after a repeat cap, or after an assured account came into danger\n"
             "(the clock that runs out next); `takeover?` stands where somebody else seems to work in the account. On a\n"
             "terminal it is drawn again in place until Ctrl-C; in a pipe, or with --once, it is printed once.",
    .examples = "  ampel top --tenant nordlicht\n"
                "  ampel top --status red --limit 0 --once --format jsonl\n",
};

struct view {
    const char *tenant, *status;
    int64_t limit;
    enum ampel_format format;
};

enum { TENANT, SELLER, MARKETPLACE, SCORE, STATUS, RISK, ORDERS, ORDER_POINTS, DEDUCTED, CAPS, AS_OF, VERSION,
       SCORE_MIN, SCORE_MAX, RUNS_OUT, LEFT_MS, CLOCK, SUSPECTED };

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* Groups in the order of their names: jsonb has an order of its own. */
#define CAPS_MAX 64
struct cap {
    struct ampel_text name;
    int64_t count;
};

static int cap_compare(const void *left_one, const void *right_one) {
    const struct cap *left = left_one, *right = right_one;
    return ampel_text_compare(left->name, right->name);
}

/* The counts of a row, their names borrowed from *json, which is to be closed. */
static uint32_t caps_read(struct ampel_text text, struct ampel_json **json, struct cap caps[CAPS_MAX]) {
    struct ampel_error error;
    const void *cursor = NULL;
    const struct ampel_json *value;
    uint32_t count = 0;
    *json = ampel_json_open(text, &error);
    while (*json != NULL && count < CAPS_MAX && ampel_json_next(*json, &cursor, &caps[count].name, &value))
        if (ampel_json_integer(value, &caps[count].count)) count++;
    if (count > 1) qsort(caps, count, sizeof *caps, cap_compare);
    return count;
}

static void caps_json(struct ampel_print *print, struct ampel_text text) {
    struct ampel_json *json;
    struct cap caps[CAPS_MAX];
    uint32_t count = caps_read(text, &json, caps);
    ampel_print_key(print, "caps");
    ampel_print_word(print, "{");
    for (uint32_t i = 0; i < count; i++) {
        char name[AMPEL_ID_BYTES_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)caps[i].name.size, caps[i].name.bytes);
        ampel_member_integer(print, name, caps[i].count);
    }
    ampel_print_word(print, "}");
    ampel_json_close(json);
}

static void line_print(const struct ampel_pq *pq, uint32_t row) {
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "tenant", ampel_pq_get_text(pq, row, TENANT));
    ampel_member_text(&print, "seller", ampel_pq_get_text(pq, row, SELLER));
    ampel_member_text(&print, "marketplace", ampel_pq_get_text(pq, row, MARKETPLACE));
    ampel_member_integer(&print, "score", ampel_pq_get_int64(pq, row, SCORE));
    ampel_member_text(&print, "status", ampel_pq_get_text(pq, row, STATUS));
    ampel_member_text(&print, "risk", ampel_pq_get_text(pq, row, RISK));
    ampel_members_sums(&print, ampel_pq_get_int64(pq, row, ORDERS), ampel_pq_get_int64(pq, row, ORDER_POINTS),
                       ampel_pq_get_int64(pq, row, DEDUCTED));
    caps_json(&print, ampel_pq_get_text(pq, row, CAPS));
    ampel_member_time(&print, "as_of", ampel_pq_get_time(pq, row, AS_OF));
    ampel_member_text(&print, "rules_version", ampel_pq_get_text(pq, row, VERSION));
    if (!ampel_pq_is_null(pq, row, SCORE_MIN)) {
        ampel_member_integer(&print, "score_min", ampel_pq_get_int64(pq, row, SCORE_MIN));
        ampel_member_integer(&print, "score_max", ampel_pq_get_int64(pq, row, SCORE_MAX));
    }
    if (!ampel_pq_is_null(pq, row, RUNS_OUT))
        ampel_member_time(&print, "deadline", ampel_pq_get_time(pq, row, RUNS_OUT));
    if (!ampel_pq_is_null(pq, row, CLOCK)) ampel_member_text(&print, "clock", ampel_pq_get_text(pq, row, CLOCK));
    if (!ampel_pq_is_null(pq, row, SUSPECTED))
        ampel_member_time(&print, "takeover_suspected", ampel_pq_get_time(pq, row, SUSPECTED));
    ampel_print_word(&print, "}\n");
    ampel_members_piece(&print);
}

/* "infringement 3, restricted 1": groups that count something. */
static void caps_write(struct ampel_text text, char *out, uint32_t size) {
    struct ampel_json *json;
    struct cap caps[CAPS_MAX];
    uint32_t count = caps_read(text, &json, caps), used = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        char name[AMPEL_ID_BYTES_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)caps[i].name.size, caps[i].name.bytes);
        if (caps[i].count == 0 || used + 2 * AMPEL_ID_BYTES_MAX > size) continue;
        used += (uint32_t)snprintf(out + used, size - used, "%s%s %" PRId64, used > 0 ? ", " : "", ampel_label(name),
                                   caps[i].count);
    }
    ampel_json_close(json);
}

static enum ampel_paint paint_of_status(struct ampel_text status) {
    if (ampel_text_is(status, "green")) return AMPEL_PAINT_GREEN;
    return ampel_text_is(status, "yellow") ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_RED;
}

/* "0..99": how far readings of the rules differ; empty where they agree. */
static void range_cell(struct ampel_table *table, const struct ampel_pq *pq, uint32_t row) {
    int64_t least = ampel_pq_is_null(pq, row, SCORE_MIN) ? 0 : ampel_pq_get_int64(pq, row, SCORE_MIN);
    int64_t most = ampel_pq_is_null(pq, row, SCORE_MAX) ? 0 : ampel_pq_get_int64(pq, row, SCORE_MAX);
    if (least == most)
        ampel_table_cell(table, AMPEL_DIM, "%s", "");
    else
        ampel_table_cell(table, AMPEL_DIM, "%" PRId64 "..%" PRId64, least, most);
}

/* "red 13 h" of the 72: whole hours, rounded down; minutes in the last one, and "red over" behind it. AHA is what the
   marketplace calls Account Health Assurance for short. */
static void clock_cell(struct ampel_table *table, const struct ampel_pq *pq, uint32_t row) {
    if (ampel_pq_is_null(pq, row, LEFT_MS)) {
        ampel_table_cell(table, AMPEL_PLAIN, "%s", "");
        return;
    }
    int64_t left_ms = ampel_pq_get_int64(pq, row, LEFT_MS);
    int64_t hours = left_ms / AMPEL_HOUR_MS;
    enum ampel_paint paint = hours < 24 ? AMPEL_PAINT_RED : AMPEL_PAINT_YELLOW;
    struct ampel_text clock = ampel_pq_get_text(pq, row, CLOCK);
    const char *name = ampel_text_is(clock, ampel_clock_name(AMPEL_CLOCK_ASSURANCE)) ? "AHA" : ampel_label(clock.bytes);
    if (hours > 0)
        ampel_table_cell(table, paint, "%s %" PRId64 " h", name, hours);
    else if (left_ms > 0)
        ampel_table_cell(table, paint, "%s %" PRId64 " min", name, left_ms / 60000);
    else
        ampel_table_cell(table, paint, "%s %s", name, ampel_label("over"));
}

/* Which columns of the outlook any row fills: they take the place of orders and points, so that a terminal's
   width is enough. */
static void outlook_columns(const struct ampel_pq *pq, bool *range, bool *clock) {
    *range = *clock = false;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        if (!ampel_pq_is_null(pq, row, LEFT_MS)) *clock = true;
        if (!ampel_pq_is_null(pq, row, SCORE_MIN) &&
            ampel_pq_get_int64(pq, row, SCORE_MIN) != ampel_pq_get_int64(pq, row, SCORE_MAX))
            *range = true;
    }
}

/* "none", "at risk takeover?" where somebody else seems to work in the account. */
static void risk_cell(struct ampel_table *table, const struct ampel_pq *pq, uint32_t row) {
    struct ampel_text risk = ampel_pq_get_text(pq, row, RISK);
    bool suspected = !ampel_pq_is_null(pq, row, SUSPECTED);
    enum ampel_paint paint = ampel_text_is(risk, "none")      ? AMPEL_PLAIN
                             : ampel_text_is(risk, "at_risk") ? AMPEL_PAINT_YELLOW
                                                              : AMPEL_PAINT_RED;
    ampel_table_cell(table, suspected ? AMPEL_PAINT_RED : paint, "%s%s%s", ampel_label(risk.bytes),
                     suspected ? " " : "", suspected ? ampel_label("takeover?") : "");
}

static void table_print(const struct ampel_pq *pq, bool one_tenant) {
    bool range, clock;
    outlook_columns(pq, &range, &clock);
    bool plain = !range && !clock;
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "ACCOUNT", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "SCORE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    if (range) ampel_table_column(table, "RANGE", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "STATUS", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "RISK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    if (clock) ampel_table_column(table, "CLOCK", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    if (plain) ampel_table_column(table, "ORDERS", AMPEL_RIGHT, AMPEL_FIT_SPARE);
    if (plain) ampel_table_column(table, "LOST", AMPEL_RIGHT, AMPEL_FIT_SPARE);
    ampel_table_column(table, "REPEATS", AMPEL_LEFT, AMPEL_FIT_CUT);
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        struct ampel_text status = ampel_pq_get_text(pq, row, STATUS);
        char caps[CAPS_BYTES];
        caps_write(ampel_pq_get_text(pq, row, CAPS), caps, sizeof caps);
        ampel_table_cell(table, AMPEL_PLAIN, "%s%s%s/%s",
                         one_tenant ? "" : ampel_pq_get_text(pq, row, TENANT).bytes, one_tenant ? "" : "/",
                         ampel_pq_get_text(pq, row, SELLER).bytes,
                         ampel_pq_get_text(pq, row, MARKETPLACE).bytes);
        enum ampel_paint paint = paint_of_status(status);
        ampel_table_cell(table, paint, "%" PRId64, ampel_pq_get_int64(pq, row, SCORE));
        if (range) range_cell(table, pq, row);
        ampel_table_cell(table, paint, "%s", ampel_label(status.bytes));
        risk_cell(table, pq, row);
        if (clock) clock_cell(table, pq, row);
        if (plain) {
            ampel_table_cell(table, AMPEL_PLAIN, "%" PRId64, ampel_pq_get_int64(pq, row, ORDERS));
            ampel_table_cell(table, AMPEL_PLAIN, "%" PRId64, ampel_pq_get_int64(pq, row, DEDUCTED));
        }
        ampel_table_cell(table, AMPEL_DIM, "%s", caps);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

static void summary_print(const struct ampel_pq *pq, const char *tenant) {
    static const char *const names[] = {"green", "yellow", "red", "immediate"};
    static const enum ampel_paint paints[] = {AMPEL_PAINT_GREEN, AMPEL_PAINT_YELLOW, AMPEL_PAINT_RED, AMPEL_PAINT_RED};
    char now[AMPEL_LABEL_TIME_SIZE];
    struct ampel_flow flow;
    ampel_label_clock(ampel_option_now(), now);
    ampel_flow_start(&flow, 2);
    ampel_flow_put(&flow, 0, AMPEL_BOLD, "%" PRId64 "%s%s%s", ampel_pq_get_int64(pq, 0, 0), ampel_label(" accounts"),
                   tenant[0] != 0 ? ampel_label(" of ") : "", tenant);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
        ampel_flow_put(&flow, 2, paints[i], "%" PRId64 " %s", ampel_pq_get_int64(pq, 0, i + 1), ampel_label(names[i]));
    ampel_flow_put(&flow, 2, AMPEL_PLAIN, "%s", now);
    ampel_flow_end(&flow);
    printf("\n");
}

static bool view_show(struct ampel_pq *pq, const struct view *view, int64_t limit,
                      struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_string(view->tenant), ampel_pq_string(view->status),
                                            ampel_pq_int64(limit == 0 ? INT64_MAX : limit)};
    if (view->format == AMPEL_FORMAT_TABLE) {
        if (ampel_pq_run(pq, AMPEL_SQL_READ_COLOURS, values, 1, error) != AMPEL_DATABASE_OK) return false;
        summary_print(pq, view->tenant);
    }
    if (ampel_pq_run(pq, AMPEL_SQL_READ_PORTFOLIO, values, 3, error) != AMPEL_DATABASE_OK) return false;
    if (view->format == AMPEL_FORMAT_TABLE) table_print(pq, view->tenant[0] != 0);
    for (uint32_t row = 0; view->format == AMPEL_FORMAT_JSONL && row < ampel_pq_rows(pq); row++)
        line_print(pq, row);
    return true;
}

/* Draws into memory first and writes once, so that nothing flickers. */
static bool view_follow(struct ampel_pq *pq, const struct view *view, int64_t every_s,
                        struct ampel_error *error) {
    static char screen[1 << 16];
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    setvbuf(stdout, screen, _IOFBF, sizeof screen);
    printf("\033[?1049h\033[?25l");
    bool good = true;
    while (good && !interrupted) {
        uint32_t columns, rows;
        ampel_terminal_size(&columns, &rows);
        int64_t fits = rows > FRAME_LINES + 1 ? rows - FRAME_LINES : 1;
        printf("\033[H\033[J");
        good = view_show(pq, view, view->limit > 0 && view->limit < fits ? view->limit : fits, error);
        if (good)
            printf(ampel_label("\n%severy %lld s; Ctrl-C ends%s"), ampel_paint_start(AMPEL_DIM), (long long)every_s,
                   ampel_paint_end());
        fflush(stdout);
        if (good && !interrupted) (void)poll(NULL, 0, (int)(every_s * 1000));
    }
    printf("\033[?25h\033[?1049l");
    fflush(stdout);
    return good;
}

/* Nothing of a tenant is no portfolio without accounts, unless there is such a tenant. Who may not read tenants is not told. */
static bool tenant_missing(struct ampel_pq *pq, const char *tenant) {
    const struct ampel_pq_value value = ampel_pq_string(tenant);
    struct ampel_error error = {0};
    return tenant[0] != 0 && ampel_pq_run(pq, AMPEL_SQL_READ_TENANT, &value, 1, &error) == AMPEL_DATABASE_OK &&
           !ampel_pq_get_boolean(pq, 0, 0);
}

int ampel_command_top(int argc, char **argv) {
    const char *url = NULL, *format_text = NULL;
    struct view view = {.tenant = "", .status = "", .limit = -1};
    int64_t every_s = 2;
    bool once = false;
    const struct ampel_option options[] = {
        {"tenant", 0, AMPEL_OPTION_TEXT, &view.tenant, "NAME", "one tenant; default: all"},
        {"status", 0, AMPEL_OPTION_TEXT, &view.status, "COLOUR", "only green, yellow or red ones"},
        {"limit", 'n', AMPEL_OPTION_NUMBER, &view.limit, "N", "rows; 0 all; default: what fits, 20 in a pipe"},
        {"once", '1', AMPEL_OPTION_FLAG, &once, NULL, "print once and end"},
        {"every", 0, AMPEL_OPTION_NUMBER, &every_s, "S", "seconds between drawings; default 2"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (default) or jsonl"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words > 0) return ampel_usage_wrong(&usage, "there is nothing to do with '%s'", argv[1]);
    if (!ampel_format_read(&usage, format_text, &view.format)) return AMPEL_EXIT_USAGE;
    uint8_t colour;
    if (view.status[0] != 0 &&
        !ampel_registry_code(AMPEL_REGISTRY_COLOUR, ampel_text_of(view.status), &colour))
        return ampel_usage_wrong(&usage, "--status is green, yellow or red, not '%s'", view.status);
    if (every_s < 1 || every_s > 3600) return ampel_usage_wrong(&usage, "--every is 1 to 3600");
    struct ampel_pq *pq = ampel_connect("top", url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    if (tenant_missing(pq, view.tenant)) {
        fprintf(stderr, "ampel top: there is no tenant '%s'\n", view.tenant);
        ampel_pq_close(pq);
        return AMPEL_EXIT_REFUSED;
    }
    struct ampel_error error = {0};
    bool follow = !once && view.format == AMPEL_FORMAT_TABLE && isatty(STDOUT_FILENO) == 1;
    bool good = follow ? view_follow(pq, &view, every_s, &error)
                       : view_show(pq, &view, view.limit < 0 ? 20 : view.limit, &error);
    ampel_pq_close(pq);
    return good ? AMPEL_EXIT_OK : ampel_connect_failed("top", &error);
}

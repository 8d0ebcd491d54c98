/* ampel forecast: the score of one account for the next 180 days, if nothing new happens. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/text.h"
#include "workers/cli/chart.h"
#include "workers/cli/command.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/question.h"
#include "workers/cli/table.h"

/* Steps shown on a terminal unless --limit says otherwise. */
#define STEPS_SHOWN 20

static const struct ampel_usage usage = {
    .command = "forecast",
    .arguments = "ACCOUNT [FILE...]",
    .about = "Draws the score of one account through the next window (180 days) if nothing new happens:\n"
             "violations leave, orders age out. Lists every step with its cause, and the day on which the\n"
             "account turns green, yellow or red by itself. With files it computes from them (--as-of),\n"
             "without it reads what the worker stored.",
    .examples = "  ampel forecast nordlicht/A1SELLER/A1PA6795UKMFR9\n"
                "  ampel forecast demo/CASE05/A1PA6795UKMFR9 events.jsonl -t 2026-10-01T12:34:56Z\n"
                "  ampel forecast demo/CASE05/A1PA6795UKMFR9 events.jsonl --keep-orders -f jsonl\n",
};

struct forecast {
    struct ampel_portfolio *portfolio;
    uint32_t slot;
    bool keep_orders;
    int64_t limit;
    struct ampel_outlook_turns turns;
    const struct ampel_outlook_step *steps;
    uint32_t count;
};

static bool forecast_ask(struct forecast *forecast) {
    struct ampel_engine *engine = forecast->portfolio->engine;
    return (ampel_outlook_turns(engine, forecast->slot, &forecast->turns) == AMPEL_ENGINE_OK &&
            ampel_outlook_forecast(engine, forecast->slot, forecast->keep_orders, &forecast->steps,
                                   &forecast->count) == AMPEL_ENGINE_OK) ||
           ampel_outlook_no_memory();
}

/* ---- for people ----------------------------------------------------------------------------- */

static int64_t days_until(const struct forecast *forecast, int64_t at_ms) {
    return (at_ms - ampel_engine_now(forecast->portfolio->engine) + AMPEL_DAY_MS - 1) / AMPEL_DAY_MS;
}

static void turn_print(const struct forecast *forecast, enum ampel_paint paint, const char *what, int64_t at_ms) {
    char at[AMPEL_LABEL_TIME_SIZE];
    if (at_ms == INT64_MAX) return;
    ampel_label_minute(at_ms, at);
    int64_t days = days_until(forecast, at_ms);
    what = ampel_label(what);
    printf("  %s%-*s%s ", ampel_paint_start(paint), ampel_label_width(what, 26), what, ampel_paint_end());
    printf(days == 1 ? ampel_label("%s, in %lld day\n") : ampel_label("%s, in %lld days\n"), at, (long long)days);
}

static void turns_print(const struct forecast *forecast) {
    static const char *const names[] = {"turns green", "turns yellow", "turns red"};
    const struct ampel_outlook_turns *turns = &forecast->turns;
    if (turns->next_change_at_ms == INT64_MAX)
        printf(ampel_label("  nothing changes by itself in %d days\n"), ampel_engine_rules(forecast->portfolio->engine)->window_days);
    turn_print(forecast, AMPEL_PLAIN, "changes next", turns->next_change_at_ms);
    turn_print(forecast, AMPEL_PAINT_RED, "orders alone end its green", turns->leaves_green_at_ms);
    for (uint8_t colour = 0; colour < AMPEL_ARRAY_COUNT(names); colour++)
        turn_print(forecast, ampel_paint_of_colour(colour), names[colour], turns->turns_at_ms[colour]);
}

static void cause_write(const struct ampel_outlook_step *step, char *out, size_t size) {
    const char *policy = ampel_label_name(AMPEL_REGISTRY_POLICY, step->policy);
    const char *orders = (step->causes & AMPEL_STEP_ORDERS) != 0 ? ampel_label("orders age out") : "";
    const char *joint = step->causes == (AMPEL_STEP_ORDERS | AMPEL_STEP_VIOLATION) ? "; " : "";
    if ((step->causes & AMPEL_STEP_VIOLATION) == 0)
        snprintf(out, size, "%s", orders);
    else if (step->violations_count == 1)
        snprintf(out, size, ampel_label("%s%s%.*s leaves (%s)"), orders, joint, (int)step->id.size, step->id.bytes,
                 policy != NULL ? policy : "?");
    else
        snprintf(out, size, ampel_label("%s%s%u violations leave, %.*s first"), orders, joint, step->violations_count,
                 (int)step->id.size, step->id.bytes);
}

/* With keep_orders they come as well as go. */
static void cause_told(const struct forecast *forecast, uint32_t index, int32_t order_points_before, char *out,
                       size_t size) {
    const struct ampel_outlook_step *step = &forecast->steps[index];
    if (step->causes == AMPEL_STEP_ORDERS && step->order_points > order_points_before)
        snprintf(out, size, "%s", ampel_label("more orders than leave"));
    else
        cause_write(step, out, size);
}

static void steps_print(const struct forecast *forecast, uint32_t shown) {
    struct ampel_numbers now;
    ampel_engine_numbers(forecast->portfolio->engine, forecast->slot, &now);
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "WHEN", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "DAYS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "SCORE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "CHANGE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "STATUS", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "CAUSE", AMPEL_LEFT, AMPEL_FIT_CUT);
    int32_t score = now.score, order_points = now.order_points;
    for (uint32_t i = 0; i < shown; i++) {
        const struct ampel_outlook_step *step = &forecast->steps[i];
        enum ampel_paint paint = ampel_paint_of_colour(step->colour);
        char at[AMPEL_LABEL_TIME_SIZE], cause[512];
        ampel_label_minute(step->at_ms, at);
        cause_told(forecast, i, order_points, cause, sizeof cause);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", at);
        ampel_table_cell(table, AMPEL_DIM, "%" PRId64, days_until(forecast, step->at_ms));
        ampel_table_cell(table, paint, "%d", step->score);
        ampel_table_cell(table, step->score < score ? AMPEL_PAINT_RED : AMPEL_PAINT_GREEN, "%+d", step->score - score);
        ampel_table_cell(table, paint, "%s", ampel_label_name(AMPEL_REGISTRY_COLOUR, step->colour));
        ampel_table_cell(table, AMPEL_PLAIN, "%s", cause);
        score = step->score;
        order_points = step->order_points;
    }
    ampel_table_print(table);
    ampel_table_close(table);
    if (shown < forecast->count)
        printf(ampel_label("%s%u more; --limit 0 shows all%s\n"), ampel_paint_start(AMPEL_DIM), forecast->count - shown,
               ampel_paint_end());
}

static bool people_print(const struct forecast *forecast) {
    const struct ampel_engine *engine = forecast->portfolio->engine;
    struct ampel_numbers now;
    if (!ampel_headline_print(forecast->portfolio, forecast->slot)) return false;
    ampel_engine_numbers(engine, forecast->slot, &now);
    const struct ampel_rules *rules = ampel_engine_rules(engine);
    int64_t from_ms = ampel_engine_now(engine);
    struct ampel_chart chart = {.from_ms = from_ms,
                                .to_ms = from_ms + rules->window_days * AMPEL_DAY_MS,
                                .score = now.score,
                                .rules = rules,
                                .steps = forecast->steps,
                                .steps_count = forecast->count};
    uint32_t columns, rows;
    ampel_terminal_size(&columns, &rows);
    printf("\n");
    ampel_chart_print(&chart, columns);
    printf("\n");
    if (forecast->keep_orders) fputs(ampel_label("  drawn and listed with orders as in the last 28 days; without any more it\n"), stdout);
    turns_print(forecast);
    int64_t limit = forecast->limit;
    if (limit < 0) limit = isatty(STDOUT_FILENO) == 1 ? STEPS_SHOWN : 0;
    uint32_t shown = limit == 0 || limit > forecast->count ? forecast->count : (uint32_t)limit;
    if (forecast->count > 0) printf("\n");
    if (forecast->count > 0) steps_print(forecast, shown);
    return true;
}

/* ---- for programs --------------------------------------------------------------------------- */

static void step_json(struct ampel_print *print, const struct ampel_outlook_step *step) {
    ampel_print_word(print, "{");
    ampel_member_time(print, "at", step->at_ms);
    ampel_members_rated(print, step->score, step->colour, step->risk);
    ampel_member_integer(print, "order_points", step->order_points);
    ampel_print_key(print, "causes");
    ampel_print_word(print, (step->causes & AMPEL_STEP_ORDERS) == 0 ? "[\"violation\"]"
                            : (step->causes & AMPEL_STEP_VIOLATION) == 0 ? "[\"orders\"]"
                                                                         : "[\"orders\",\"violation\"]");
    if ((step->causes & AMPEL_STEP_VIOLATION) != 0) {
        ampel_member_text(print, "violation", step->id);
        ampel_member_integer(print, "violations", step->violations_count);
        ampel_member_integer(print, "points", step->points);
    }
    ampel_print_word(print, "}");
}

static bool programs_print(const struct forecast *forecast) {
    char bytes[2048];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    if (!ampel_headline_json(forecast->portfolio, forecast->slot)) return false;
    ampel_member_time(&print, "next_change_at", forecast->turns.next_change_at_ms);
    ampel_member_time(&print, "leaves_green_at", forecast->turns.leaves_green_at_ms);
    ampel_member_time(&print, "turns_green_at", forecast->turns.turns_at_ms[AMPEL_GREEN]);
    ampel_member_time(&print, "turns_yellow_at", forecast->turns.turns_at_ms[AMPEL_YELLOW]);
    ampel_member_time(&print, "turns_red_at", forecast->turns.turns_at_ms[AMPEL_RED]);
    ampel_member_boolean(&print, "keep_orders", forecast->keep_orders);
    ampel_print_key(&print, "steps");
    ampel_print_word(&print, "[");
    ampel_members_piece(&print);
    for (uint32_t i = 0; i < forecast->count; i++) {
        if (i > 0) fputs(",", stdout);
        step_json(&print, &forecast->steps[i]);
        ampel_members_piece(&print);
    }
    fputs("]}\n", stdout);
    return true;
}

int ampel_command_forecast(int argc, char **argv) {
    struct ampel_question question = AMPEL_QUESTION_INIT;
    struct forecast forecast = {.limit = -1};
    const struct ampel_option options[] = {
        {"keep-orders", 'k', AMPEL_OPTION_FLAG, &forecast.keep_orders, NULL,
         "as if every day brought the mean of the last 28"},
        {"limit", 'n', AMPEL_OPTION_NUMBER, &forecast.limit, "N", "steps listed; 0 all; default: 20, all in a pipe"},
        AMPEL_QUESTION_OPTIONS(question),
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words == 0) return ampel_usage_wrong(&usage, "no ACCOUNT is given");
    if (!ampel_question_settle(&question, &usage, words - 1)) return AMPEL_EXIT_USAGE;
    struct ampel_stored_options where =
        ampel_question_stored(&question, usage.command, argv + 2, words - 1, argv[1]);
    struct ampel_stored stored;
    int status;
    forecast.portfolio = ampel_stored_account(&stored, &where, &forecast.slot, &status);
    if (forecast.portfolio == NULL) return status;
    bool good = forecast_ask(&forecast);
    if (good) good = question.format == AMPEL_FORMAT_TABLE ? people_print(&forecast) : programs_print(&forecast);
    status = ampel_stored_close(&stored);
    return good ? status : AMPEL_EXIT_FAILED;
}

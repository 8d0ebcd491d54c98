/* ampel explain: every point of one account accounted for. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/explained_takeover.h"
#include "workers/cli/explanation.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/question.h"
#include "workers/cli/replay.h"
#include "workers/cli/stored.h"
#include "workers/cli/table.h"

/* Where the numbers of the sum stand: two columns of indent, the words, a space, the number. */
#define WORDS_COLUMNS 42

static const struct ampel_usage usage = {
    .command = "explain",
    .arguments = "ACCOUNT [FILE...]",
    .about = "Shows how one account's score comes about: start, orders, each violation with its rank and points, what\n"
             "does not count and why, repeat caps, and the effects after the sum; how far the readings that the rules\n"
             "leave open (their variants) would move it, and which does; assurance and delivery metrics beside it.\n"
             "With files it computes from them (--as-of), without it reads what the worker stored.",
    .examples = "  ampel explain nordlicht/A1SELLER/A1PA6795UKMFR9\n"
                "  ampel explain demo/CASE05/A1PA6795UKMFR9 events.jsonl -t 2026-10-01T12:34:56Z\n",
};

/* Why a violation takes no points, or how it does; a few words. */
static const char *standing_of(const struct ampel_explanation *explanation,
                               const struct ampel_explained *violation) {
    if (violation->at_ms > explanation->as_of_ms) return "not yet";
    if (!violation->in_window) return "expired";
    if (ampel_state_cleared(violation->state)) return "cleared";
    if (!ampel_state_deducting(violation->state)) return "restored";
    if (violation->critical) return "critical";
    return "deducts";
}

/* "8 x 4": severity's points and the ladder's step, where the rules give them. */
static void sum_write(const struct ampel_rules *rules, const struct ampel_explained *violation, char *out,
                      size_t size) {
    int64_t base = violation->severity >= 0 && violation->severity <= AMPEL_SEVERITY_HIGH
                       ? rules->severity_points[violation->severity]
                       : 0;
    if (violation->points_given >= 0)
        snprintf(out, size, "given");
    else if (violation->severity == AMPEL_SEVERITY_CRITICAL && rules->critical_mode == AMPEL_CRITICAL_POINTS)
        snprintf(out, size, "critical");
    else if (base == 0)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%" PRId64 " x %" PRId64, base, violation->points / base);
}

static void violations_print(const struct ampel_explanation *explanation, const struct ampel_rules *rules) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "VIOLATION", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "POLICY", AMPEL_LEFT, AMPEL_FIT_CUT);
    ampel_table_column(table, "SEVERITY", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "STATE", AMPEL_LEFT, AMPEL_FIT_CUT);
    ampel_table_column(table, "RANK", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "HOW", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "POINTS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "RETURNS", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < explanation->count; i++) {
        const struct ampel_explained *violation = &explanation->violations[i];
        char how[32], expires[AMPEL_LABEL_TIME_SIZE];
        const char *policy = ampel_label_name(AMPEL_REGISTRY_POLICY, violation->policy);
        const char *severity = ampel_label_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity);
        const char *state = ampel_label_name(AMPEL_REGISTRY_VIOLATION_STATE, violation->state);
        sum_write(rules, violation, how, sizeof how);
        ampel_label_day(violation->expires_at_ms, expires);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", violation->id);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", policy != NULL ? policy : "?");
        ampel_table_cell(table, AMPEL_PLAIN, "%s", severity != NULL ? severity : "?");
        ampel_table_cell(table, AMPEL_PLAIN, "%s", state != NULL ? state : "?");
        ampel_table_cell(table, AMPEL_PLAIN, "%u", violation->rank);
        ampel_table_cell(table, AMPEL_DIM, "%s", ampel_label(how));
        if (violation->deducting && !violation->critical)
            ampel_table_cell(table, AMPEL_PAINT_RED, "-%" PRId64, violation->points);
        else
            ampel_table_cell(table, violation->deducting ? AMPEL_PAINT_RED : AMPEL_DIM, "%s",
                             ampel_label(standing_of(explanation, violation)));
        ampel_table_cell(table, AMPEL_DIM, "%.10s", violation->deducting ? expires : "");
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

/* start + orders - deductions, as rating-model 3.7 has it before the final clamp. */
static int64_t raw_of(const struct ampel_rules *rules, const struct ampel_numbers *numbers) {
    int64_t earned = (int64_t)rules->start + numbers->order_points;
    if (rules->clamp_before_deduction && earned > rules->clamp_max) earned = rules->clamp_max;
    return earned - numbers->deducted;
}

static bool cap_reached(const struct ampel_rules *rules, const struct ampel_numbers *numbers) {
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        if (numbers->caps[i] >= rules->cap_groups[i].limit) return true;
    return false;
}

/* "  words      123", the number painted. */
static void sum_line(enum ampel_paint paint, const char *words, const char *format, int64_t value) {
    char number[32];
    snprintf(number, sizeof number, format, value);
    printf("  %s%-*s %8s%s\n", ampel_paint_start(paint), ampel_label_width(words, WORDS_COLUMNS), words, number,
           paint == AMPEL_PLAIN ? "" : ampel_paint_end());
}

static void criticals_line(uint16_t criticals, const char *one, const char *several, int64_t value) {
    char words[128];
    snprintf(words, sizeof words, criticals == 1 ? one : several, criticals);
    sum_line(AMPEL_PLAIN, words, "%" PRId64, value);
}

static void effects_print(const struct ampel_rules *rules, const struct ampel_numbers *numbers) {
    int64_t raw = raw_of(rules, numbers);
    if (raw < rules->clamp_min)
        sum_line(AMPEL_PLAIN, ampel_label("not below"), "%" PRId64, rules->clamp_min);
    else if (raw > rules->clamp_max)
        sum_line(AMPEL_PLAIN, ampel_label("not above"), "%" PRId64, rules->clamp_max);
    if (numbers->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_ZERO)
        criticals_line(numbers->criticals, ampel_label("%u critical violation: zero"),
                       ampel_label("%u critical violations: zero"), 0);
    if (numbers->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_CAP)
        criticals_line(numbers->criticals, ampel_label("%u critical violation: at most"),
                       ampel_label("%u critical violations: at most"), rules->critical_value);
    if (cap_reached(rules, numbers) && rules->cap_effect == AMPEL_CAP_ZERO)
        sum_line(AMPEL_PLAIN, ampel_label("a repeat cap is reached: zero"), "%" PRId64, 0);
}

static void sum_print(const struct ampel_explanation *explanation) {
    const struct ampel_rules *rules = explanation->rules;
    const struct ampel_numbers *numbers = &explanation->numbers;
    char orders[128];
    sum_line(AMPEL_PLAIN, ampel_label("start"), "%" PRId64, rules->start);
    snprintf(orders, sizeof orders, ampel_label("%u orders in %d days, %d for each %d"), numbers->orders,
             rules->window_days, rules->orders_points, rules->orders_block);
    sum_line(AMPEL_PLAIN, orders, "%+" PRId64, numbers->order_points);
    sum_line(AMPEL_PLAIN, ampel_label("violations"), "%+" PRId64, -numbers->deducted);
    effects_print(rules, numbers);
    sum_line(ampel_paint_of_colour(numbers->colour), ampel_label("score"), "%" PRId64, numbers->score);
}

/* "critical.mode=cap critical.value=99": what a variant changes, for words that it is known by. */
static void variant_line(const struct ampel_explanation *explanation, uint32_t index) {
    const struct ampel_variant *variant = &explanation->rules->variants[index];
    const struct ampel_numbers *numbers = &explanation->variants[index];
    struct ampel_flow flow;
    ampel_flow_start(&flow, 6);
    ampel_flow_put(&flow, 0, AMPEL_PLAIN, "    %-*s", WORDS_COLUMNS - 2, variant->name);
    ampel_flow_put(&flow, 1, ampel_paint_of_colour(numbers->colour), "%8d", numbers->score);
    char changes[AMPEL_VARIANT_KEYS_MAX * 2 * (AMPEL_ID_BYTES_MAX + 2)] = "";
    for (uint32_t i = 0, used = 0; i < variant->keys_count; i++)
        used += (uint32_t)snprintf(changes + used, sizeof changes - used, "%s%s=%s", i > 0 ? " " : "", variant->keys[i].key,
                                   variant->keys[i].value);
    ampel_flow_put(&flow, 2, AMPEL_DIM, "%s", changes);
    ampel_flow_end(&flow);
}

/* How sure the score is, and which variants move it. */
static void range_print(const struct ampel_explanation *explanation) {
    uint32_t count = explanation->rules->variants_count, moved = 0;
    for (uint32_t i = 0; i < count; i++) moved += explanation->variants[i].score != explanation->numbers.score;
    if (count == 0) return;
    if (moved == 0) {
        printf(ampel_label("  range: the same under all %u variants of the rules\n"), count);
        return;
    }
    printf(ampel_label("  range: %d to %d; %u of %u variants of the rules move it\n"), explanation->score_min,
           explanation->score_max, moved, count);
    for (uint32_t i = 0; i < count; i++)
        if (explanation->variants[i].score != explanation->numbers.score) variant_line(explanation, i);
}

static void caps_print(const struct ampel_explanation *explanation) {
    const struct ampel_rules *rules = explanation->rules;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        uint32_t count = explanation->numbers.caps[i], limit = rules->cap_groups[i].limit;
        char words[128];
        snprintf(words, sizeof words, ampel_label("repeats, %s"), ampel_label(rules->cap_groups[i].name));
        printf("  %-*s %s", ampel_label_width(words, WORDS_COLUMNS), words,
               count >= limit ? ampel_paint_start(AMPEL_PAINT_RED) : "");
        printf(count >= limit ? ampel_label("%8u of %u reached") : ampel_label("%8u of %u"), count, limit);
        printf("%s\n", count >= limit ? ampel_paint_end() : "");
    }
}

static void people_print(const struct ampel_explanation *explanation) {
    ampel_headline_show(explanation->account, &explanation->numbers);
    char as_of[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(explanation->as_of_ms, as_of);
    printf("  ");
    printf(ampel_label("as of %s, rules "), as_of);
    printf("%s\n\n", explanation->rules->version);
    sum_print(explanation);
    printf("\n");
    range_print(explanation);
    printf("\n");
    caps_print(explanation);
    printf("\n");
    if (explanation->count > 0)
        violations_print(explanation, explanation->rules);
    else
        fputs(ampel_label("  no violations\n"), stdout);
    ampel_explained_takeover_print(&explanation->suspicion, explanation->rules->takeover_threshold);
    ampel_explained_incidents_print(&explanation->incidents, explanation->numbers.score);
    ampel_explained_beside_print(&explanation->beside);
}

static void violation_json(struct ampel_print *print, const struct ampel_explanation *explanation,
                           const struct ampel_explained *violation) {
    ampel_print_word(print, "{");
    ampel_member_text(print, "id", ampel_text_of(violation->id));
    ampel_member_name(print, "policy", AMPEL_REGISTRY_POLICY, violation->policy);
    ampel_member_name(print, "severity", AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity);
    ampel_member_name(print, "state", AMPEL_REGISTRY_VIOLATION_STATE, violation->state);
    ampel_member_text(print, "standing", ampel_text_of(standing_of(explanation, violation)));
    ampel_member_time(print, "at", violation->at_ms);
    ampel_member_time(print, "expires_at", violation->expires_at_ms);
    ampel_member_integer(print, "rank", violation->rank);
    ampel_member_integer(print, "points", violation->points);
    ampel_member_integer(print, "deducted", violation->deducting && !violation->critical ? violation->points : 0);
    ampel_print_word(print, "}");
}

static void variants_json(struct ampel_print *print, const struct ampel_explanation *explanation) {
    ampel_member_integer(print, "score_min", explanation->score_min);
    ampel_member_integer(print, "score_max", explanation->score_max);
    ampel_print_key(print, "variants");
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < explanation->rules->variants_count; i++) {
        const struct ampel_numbers *numbers = &explanation->variants[i];
        ampel_print_word(print, i > 0 ? ",{" : "{");
        ampel_member_text(print, "name", ampel_text_of(explanation->rules->variants[i].name));
        ampel_members_rated(print, numbers->score, numbers->colour, numbers->risk);
        ampel_print_word(print, "}");
        ampel_members_piece(print);
    }
    ampel_print_word(print, "]");
}

static void programs_print(const struct ampel_explanation *explanation) {
    const struct ampel_rules *rules = explanation->rules;
    const struct ampel_numbers *numbers = &explanation->numbers;
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "account", ampel_text_of(explanation->account));
    ampel_member_time(&print, "as_of", explanation->as_of_ms);
    ampel_member_text(&print, "rules_version", ampel_text_of(rules->version));
    ampel_members_rated(&print, numbers->score, numbers->colour, numbers->risk);
    ampel_member_integer(&print, "start", rules->start);
    ampel_members_sums(&print, numbers->orders, numbers->order_points, numbers->deducted);
    ampel_member_integer(&print, "raw", raw_of(rules, numbers));
    ampel_member_integer(&print, "criticals", numbers->criticals);
    ampel_members_caps(&print, rules, numbers);
    variants_json(&print, explanation);
    ampel_print_key(&print, "violations");
    ampel_print_word(&print, "[");
    ampel_members_piece(&print);
    for (uint32_t i = 0; i < explanation->count; i++) {
        if (i > 0) ampel_print_word(&print, ",");
        violation_json(&print, explanation, &explanation->violations[i]);
        ampel_members_piece(&print);
    }
    printf("]");
    ampel_explained_takeover_json(&explanation->suspicion);
    ampel_explained_incidents_json(&explanation->incidents);
    ampel_explained_beside_json(&explanation->beside);
    printf("}\n");
}

static bool show(struct ampel_portfolio *portfolio, uint32_t slot, enum ampel_format format) {
    struct ampel_explanation explanation;
    bool good = ampel_explanation_open(portfolio, slot, &explanation);
    if (good && format == AMPEL_FORMAT_TABLE) people_print(&explanation);
    if (good && format == AMPEL_FORMAT_JSONL) programs_print(&explanation);
    ampel_explanation_close(&explanation);
    return good;
}

static bool ignore(void *context, const struct ampel_engine *engine, const struct ampel_change *change) {
    (void)context;
    (void)engine;
    (void)change;
    return true;
}

static int from_files(const struct ampel_question *question, char *const *files, int files_count, const char *account) {
    /* Assurance needs every day as it went, so time passes as it did. */
    const struct ampel_replay_options options = {
        .rules = &question->rules, .until_ms = question->as_of_ms, .account = account};
    const struct ampel_replay_sink sink = {.change = ignore};
    struct ampel_replay replay;
    int status = AMPEL_EXIT_FAILED;
    if (ampel_replay_open(&replay, files, files_count, &options) && ampel_replay_run(&replay, &sink)) {
        struct ampel_portfolio portfolio = {.engine = replay.engine};
        uint32_t slot = ampel_portfolio_find(&portfolio, account);
        if (slot == AMPEL_SLOT_NONE)
            status = ampel_account_missing(usage.command, account);
        else if (show(&portfolio, slot, question->format))
            status = AMPEL_EXIT_OK;
    }
    ampel_replay_close(&replay);
    return status;
}

static int from_database(const struct ampel_question *question, const char *account) {
    struct ampel_stored_options where = ampel_question_stored(question, usage.command, NULL, 0, account);
    struct ampel_stored stored;
    uint32_t slot;
    int status;
    struct ampel_portfolio *portfolio = ampel_stored_account(&stored, &where, &slot, &status);
    if (portfolio == NULL) return status;
    bool good = show(portfolio, slot, question->format);
    status = ampel_stored_close(&stored);
    return good ? status : AMPEL_EXIT_FAILED;
}

int ampel_command_explain(int argc, char **argv) {
    struct ampel_question question = AMPEL_QUESTION_INIT;
    const struct ampel_option options[] = {AMPEL_QUESTION_OPTIONS(question)};
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words == 0) return ampel_usage_wrong(&usage, "no ACCOUNT is given");
    if (!ampel_question_settle(&question, &usage, words - 1)) return AMPEL_EXIT_USAGE;
    return words == 1 ? from_database(&question, argv[1]) : from_files(&question, argv + 2, words - 1, argv[1]);
}

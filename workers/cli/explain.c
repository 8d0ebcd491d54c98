/* ampel explain: every point of one account accounted for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/print.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/environment.h"
#include "workers/cli/explanation.h"
#include "workers/cli/format.h"
#include "workers/cli/labels.h"
#include "workers/cli/replay.h"
#include "workers/cli/table.h"

static const struct ampel_usage usage = {
    .command = "explain",
    .arguments = "ACCOUNT [FILE...]",
    .about = "Shows how one account's score comes about: start, orders, each violation with its rank and points, what\n"
             "does not count and why, repeat caps, and the effects after the sum. With files it computes from them\n"
             "(--as-of), without it reads what the worker stored.",
    .examples = "  ampel explain nordlicht/A1SELLER/A1PA6795UKMFR9\n"
                "  ampel explain demo/CASE05/A1PA6795UKMFR9 events.jsonl --as-of 2026-10-01T12:34:56Z\n",
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
    ampel_table_column(table, "VIOLATION", AMPEL_LEFT, true);
    ampel_table_column(table, "POLICY", AMPEL_LEFT, true);
    ampel_table_column(table, "SEVERITY", AMPEL_LEFT, false);
    ampel_table_column(table, "STATE", AMPEL_LEFT, false);
    ampel_table_column(table, "RANK", AMPEL_RIGHT, false);
    ampel_table_column(table, "HOW", AMPEL_LEFT, false);
    ampel_table_column(table, "POINTS", AMPEL_RIGHT, false);
    ampel_table_column(table, "RETURNS", AMPEL_LEFT, false);
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
    (void)ampel_table_print(table, 0);
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

static void effects_print(const struct ampel_rules *rules, const struct ampel_numbers *numbers) {
    int64_t raw = raw_of(rules, numbers);
    if (raw < rules->clamp_min)
        printf("  %-*s %8d\n", ampel_label_width(ampel_label("not below"), 44), ampel_label("not below"), rules->clamp_min);
    else if (raw > rules->clamp_max)
        printf("  %-*s %8d\n", ampel_label_width(ampel_label("not above"), 44), ampel_label("not above"), rules->clamp_max);
    if (numbers->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_ZERO)
        printf(ampel_label("  %u critical violation%-22s %8s\n"), numbers->criticals, numbers->criticals == 1 ? ampel_label(": zero") : ampel_label("s: zero"),
               "0");
    if (numbers->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_CAP)
        printf(ampel_label("  %u critical violation%-22s %8d\n"), numbers->criticals,
               numbers->criticals == 1 ? ampel_label(": at most") : ampel_label("s: at most"), rules->critical_value);
    if (cap_reached(rules, numbers) && rules->cap_effect == AMPEL_CAP_ZERO)
        printf("  %-*s %8s\n", ampel_label_width(ampel_label("a repeat cap is reached: zero"), 44), ampel_label("a repeat cap is reached: zero"), "0");
}

static void people_print(const struct ampel_explanation *explanation, const struct ampel_rules *rules) {
    const struct ampel_numbers *numbers = &explanation->numbers;
    char as_of[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(explanation->as_of_ms, as_of);
    const char *paint = ampel_paint_start(ampel_paint_of_colour(numbers->colour));
    printf(ampel_label("%s%s%s  %s%d %s%s, risk %s\n  as of %s, rules %s\n\n"), ampel_paint_start(AMPEL_BOLD),
           explanation->account, ampel_paint_end(), paint, numbers->score,
           ampel_label_name(AMPEL_REGISTRY_COLOUR, numbers->colour), ampel_paint_end(),
           ampel_label_name(AMPEL_REGISTRY_RISK, numbers->risk), as_of, explanation->rules_version);
    printf("  %-*s %8d\n", ampel_label_width(ampel_label("start"), 44), ampel_label("start"), rules->start);
    char orders[64];
    snprintf(orders, sizeof orders, ampel_label("%u orders in %d days, %d for each %d"), numbers->orders, rules->window_days,
             rules->orders_points, rules->orders_block);
    printf("  %-*s %+8d\n", ampel_label_width(orders, 44), orders, numbers->order_points);
    printf("  %-*s %+8" PRId64 "\n", ampel_label_width(ampel_label("violations"), 44), ampel_label("violations"), -numbers->deducted);
    effects_print(rules, numbers);
    printf("  %s%-*s %8d%s\n\n", paint, ampel_label_width(ampel_label("score"), 44), ampel_label("score"), numbers->score, ampel_paint_end());
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        bool reached = numbers->caps[i] >= rules->cap_groups[i].limit;
        const char *group = ampel_label(rules->cap_groups[i].name);
        printf(ampel_label("  repeats, %-*s %s%5u of %u%s\n"),
               ampel_label_width(group, ampel_language_is_german() ? 28 : 35), group,
               reached ? ampel_paint_start(AMPEL_PAINT_RED) : "", numbers->caps[i], rules->cap_groups[i].limit,
               reached ? ampel_label(" reached") : "");
        if (reached) fputs(ampel_paint_end(), stdout);
    }
    printf("\n");
    if (explanation->count > 0)
        violations_print(explanation, rules);
    else
        fputs(ampel_label("  no violations\n"), stdout);
    ampel_explained_incidents_print(&explanation->incidents, numbers->score);
    ampel_explained_beside_print(&explanation->beside);
}

static void violation_json(struct ampel_print *print, const struct ampel_explanation *explanation,
                           const struct ampel_explained *violation) {
    const struct {
        const char *key, *value;
    } names[] = {
        {"policy", ampel_registry_name(AMPEL_REGISTRY_POLICY, violation->policy)},
        {"severity", ampel_registry_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity)},
        {"state", ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, violation->state)},
        {"standing", standing_of(explanation, violation)},
    };
    ampel_print_word(print, "{");
    ampel_print_key(print, "id");
    ampel_print_json(print, ampel_text_of(violation->id));
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++) {
        if (names[i].value == NULL) continue;
        ampel_print_key(print, names[i].key);
        ampel_print_json(print, ampel_text_of(names[i].value));
    }
    ampel_print_key(print, "at");
    ampel_print_time(print, violation->at_ms);
    ampel_print_key(print, "expires_at");
    ampel_print_time(print, violation->expires_at_ms);
    ampel_print_key(print, "rank");
    ampel_print_unsigned(print, violation->rank);
    ampel_print_key(print, "points");
    ampel_print_integer(print, violation->points);
    ampel_print_key(print, "deducted");
    ampel_print_integer(print, violation->deducting && !violation->critical ? violation->points : 0);
    ampel_print_word(print, "}");
}

static void programs_print(const struct ampel_explanation *explanation, const struct ampel_rules *rules) {
    const struct ampel_numbers *numbers = &explanation->numbers;
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, "{");
    ampel_print_key(&print, "account");
    ampel_print_json(&print, ampel_text_of(explanation->account));
    ampel_print_key(&print, "as_of");
    ampel_print_time(&print, explanation->as_of_ms);
    ampel_print_key(&print, "rules_version");
    ampel_print_json(&print, ampel_text_of(explanation->rules_version));
    ampel_print_key(&print, "status");
    ampel_print_json(&print, ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_COLOUR, numbers->colour)));
    ampel_print_key(&print, "risk");
    ampel_print_json(&print, ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_RISK, numbers->risk)));
    const struct {
        const char *key;
        int64_t value;
    } integers[] = {
        {"score", numbers->score},       {"start", rules->start},
        {"orders", numbers->orders},     {"order_points", numbers->order_points},
        {"deducted", numbers->deducted}, {"raw", raw_of(rules, numbers)},
        {"criticals", numbers->criticals},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(integers); i++) {
        ampel_print_key(&print, integers[i].key);
        ampel_print_integer(&print, integers[i].value);
    }
    ampel_print_key(&print, "caps");
    ampel_print_word(&print, "{");
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        ampel_print_key(&print, rules->cap_groups[i].name);
        ampel_print_unsigned(&print, numbers->caps[i]);
    }
    ampel_print_word(&print, "}");
    ampel_print_key(&print, "violations");
    ampel_print_word(&print, "[");
    AMPEL_ASSERT(!print.full);
    fwrite(bytes, 1, print.size, stdout);
    for (uint32_t i = 0; i < explanation->count; i++) {
        print = (struct ampel_print){.bytes = bytes, .capacity = sizeof bytes};
        if (i > 0) ampel_print_word(&print, ",");
        violation_json(&print, explanation, &explanation->violations[i]);
        AMPEL_ASSERT(!print.full);
        fwrite(bytes, 1, print.size, stdout);
    }
    printf("]");
    ampel_explained_incidents_json(&explanation->incidents);
    ampel_explained_beside_json(&explanation->beside);
    printf("}\n");
}

static int show(const struct ampel_explanation *explanation, const struct ampel_rules *rules,
                enum ampel_format format, bool found, const char *account) {
    if (!found) {
        fprintf(stderr, "ampel explain: there is no account %s (tenant/seller/marketplace)\n", account);
        return AMPEL_EXIT_REFUSED;
    }
    if (strcmp(explanation->rules_version, rules->version) != 0)
        fprintf(stderr, "ampel explain: the rating was made with rules %s, explained with %s; give --rules FILE\n",
                explanation->rules_version, rules->version);
    if (format == AMPEL_FORMAT_TABLE)
        people_print(explanation, rules);
    else
        programs_print(explanation, rules);
    return AMPEL_EXIT_OK;
}

static bool ignore(void *context, const struct ampel_engine *engine, const struct ampel_change *change) {
    (void)context;
    (void)engine;
    (void)change;
    return true;
}

static int from_files(char **files, int files_count, const char *account, int64_t as_of_ms,
                      const struct ampel_rules *rules, enum ampel_format format) {
    /* Assurance needs every day as it went, so time passes as it did. */
    const struct ampel_replay_options options = {.rules = rules, .until_ms = as_of_ms, .account = account};
    const struct ampel_replay_sink sink = {.change = ignore};
    struct ampel_replay replay;
    struct ampel_explanation explanation = {0};
    int status = AMPEL_EXIT_FAILED;
    if (ampel_replay_open(&replay, files, files_count, &options) && ampel_replay_run(&replay, &sink)) {
        struct ampel_portfolio portfolio = {.engine = replay.engine};
        bool found = ampel_explanation_files(&portfolio, account, as_of_ms, &explanation);
        status = show(&explanation, rules, format, found, account);
        ampel_explanation_close(&explanation);
    }
    ampel_replay_close(&replay);
    return status;
}

static int from_database(const char *url, const char *account, const struct ampel_rules *rules,
                         enum ampel_format format) {
    struct ampel_pq *pq = ampel_connect("explain", url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    struct ampel_explanation explanation;
    struct ampel_error error = {0};
    bool found;
    int status = ampel_explanation_database(pq, rules, account, &explanation, &found, &error) == AMPEL_DATABASE_OK
                     ? show(&explanation, rules, format, found, account)
                     : ampel_connect_failed("explain", &error);
    ampel_explanation_close(&explanation);
    ampel_pq_close(pq);
    return status;
}

int ampel_command_explain(int argc, char **argv) {
    int64_t as_of_ms = INT64_MIN;
    const char *rules_path = NULL, *format_text = NULL, *url = NULL;
    struct ampel_option_list sets = {0};
    const struct ampel_option options[] = {
        {"as-of", 't', AMPEL_OPTION_TIME, &as_of_ms, "TIME", "with files: the time of the question; default: now"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &rules_path, "FILE", "default: AMPEL_RULES, else the built-in rules"},
        {"set", 's', AMPEL_OPTION_LIST, &sets, "KEY=VALUE", "one rule by its dotted key; may be repeated"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (for people, default) or jsonl"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    enum ampel_format format;
    if (!ampel_format_read(&usage, format_text, &format)) return AMPEL_EXIT_USAGE;
    if (words == 0) return ampel_usage_wrong(&usage, "no ACCOUNT is given");
    if (words == 1 && as_of_ms != INT64_MIN)
        return ampel_usage_wrong(&usage, "--as-of needs files: what is stored stands as it is");
    struct ampel_rules rules;
    if (words == 1) rules_path = ampel_environment_or(rules_path, "AMPEL_RULES");
    if (!ampel_portfolio_rules(rules_path, &sets, &rules)) return AMPEL_EXIT_USAGE;
    if (as_of_ms == INT64_MIN) as_of_ms = ampel_option_now();
    return words == 1 ? from_database(url, argv[1], &rules, format)
                      : from_files(argv + 2, words - 1, argv[1], as_of_ms, &rules, format);
}

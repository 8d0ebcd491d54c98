#include "workers/cli/labels.h"
#include "workers/cli/question.h"

#include <stdio.h>

#include "proto/text.h"
#include "workers/environment.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/flow.h"
#include "workers/cli/table.h"

bool ampel_question_settle(struct ampel_question *question, const struct ampel_usage *usage, int files_count) {
    if (!ampel_format_read(usage, question->format_text, &question->format)) return false;
    if (files_count == 0 && question->as_of_ms != INT64_MIN) {
        ampel_usage_wrong(usage, "--as-of needs files: what is stored stands as it is");
        return false;
    }
    if (question->as_of_ms == INT64_MIN) question->as_of_ms = ampel_option_now();
    const char *path = question->rules_path;
    if (files_count == 0) path = ampel_environment_or(path, "AMPEL_RULES");
    return ampel_portfolio_rules(path, &question->sets, &question->rules);
}

struct ampel_stored_options ampel_question_stored(const struct ampel_question *question, const char *command,
                                                  char *const *files, int files_count, const char *account) {
    return (struct ampel_stored_options){
        .command = command,
        .files = files,
        .files_count = files_count,
        .as_of_ms = question->as_of_ms,
        .url = question->url,
        .account = account,
        .rules = &question->rules,
        .sets = &question->sets,
        .rules_given = question->rules_path != NULL,
    };
}

static bool range_read(struct ampel_portfolio *portfolio, uint32_t slot, int32_t *least, int32_t *greatest) {
    return ampel_outlook_variants_apply(portfolio->engine) &&
           (ampel_outlook_range(portfolio->engine, slot, least, greatest) == AMPEL_ENGINE_OK ||
            ampel_outlook_no_memory());
}

void ampel_headline_show(const char *account, const struct ampel_numbers *numbers) {
    struct ampel_flow flow;
    ampel_flow_start(&flow, 2);
    ampel_flow_put(&flow, 0, AMPEL_BOLD, "%s", account);
    ampel_flow_put(&flow, 2, ampel_paint_of_colour(numbers->colour), "%d %s", numbers->score,
                   ampel_label_name(AMPEL_REGISTRY_COLOUR, numbers->colour));
    ampel_flow_put(&flow, 0, AMPEL_PLAIN, ampel_label(", risk %s"), ampel_label_name(AMPEL_REGISTRY_RISK, numbers->risk));
    ampel_flow_end(&flow);
}

bool ampel_headline_print(struct ampel_portfolio *portfolio, uint32_t slot) {
    char name[AMPEL_PORTFOLIO_NAME_SIZE], as_of[AMPEL_LABEL_TIME_SIZE];
    struct ampel_numbers numbers;
    struct ampel_flow flow;
    int32_t least, greatest;
    if (!range_read(portfolio, slot, &least, &greatest)) return false;
    ampel_portfolio_name(portfolio, slot, name);
    ampel_engine_numbers(portfolio->engine, slot, &numbers);
    ampel_label_minute(ampel_engine_now(portfolio->engine), as_of);
    ampel_headline_show(name, &numbers);
    ampel_flow_start(&flow, 2);
    ampel_flow_words(&flow, 0, AMPEL_DIM, ampel_label("as of %s, rules %s, %d to %d over their variants"), as_of,
                     ampel_engine_rules(portfolio->engine)->version, least, greatest);
    ampel_flow_end(&flow);
    return true;
}

bool ampel_headline_json(struct ampel_portfolio *portfolio, uint32_t slot) {
    char name[AMPEL_PORTFOLIO_NAME_SIZE], bytes[2048];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_numbers numbers;
    int32_t least, greatest;
    if (!range_read(portfolio, slot, &least, &greatest)) return false;
    ampel_portfolio_name(portfolio, slot, name);
    ampel_engine_numbers(portfolio->engine, slot, &numbers);
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "account", ampel_text_of(name));
    ampel_member_time(&print, "as_of", ampel_engine_now(portfolio->engine));
    ampel_member_text(&print, "rules_version", ampel_text_of(ampel_engine_rules(portfolio->engine)->version));
    ampel_members_rated(&print, numbers.score, numbers.colour, numbers.risk);
    ampel_member_integer(&print, "score_min", least);
    ampel_member_integer(&print, "score_max", greatest);
    ampel_members_piece(&print);
    return true;
}

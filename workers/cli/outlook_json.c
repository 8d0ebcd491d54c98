#include "workers/cli/outlook_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/rules_file.h"
#include "proto/text.h"

/* One piece: an id escaped at worst to six bytes a byte, and some numbers. */
#define PIECE_BYTES 2048

bool ampel_outlook_no_memory(void) {
    fprintf(stderr, "ampel: out of memory\n");
    return false;
}

bool ampel_outlook_variants_apply(struct ampel_engine *engine) {
    const struct ampel_rules *rules = ampel_engine_rules(engine);
    struct ampel_rules *variants = calloc(AMPEL_VARIANTS_MAX, sizeof *variants);
    if (variants == NULL) return ampel_outlook_no_memory();
    bool good = true;
    for (uint32_t i = 0; good && i < rules->variants_count; i++) {
        struct ampel_error error = {0};
        good = ampel_rules_variant(rules, i, &variants[i], &error);
        if (!good)
            fprintf(stderr, "ampel: variant %s: %s: %s\n", rules->variants[i].name, error.field, error.reason);
    }
    if (good && ampel_engine_variants_set(engine, variants, rules->variants_count) != AMPEL_ENGINE_OK)
        good = ampel_outlook_no_memory();
    free(variants);
    return good;
}

void ampel_outlook_json_outcome(struct ampel_print *print, const struct ampel_outlook_outcome *outcome) {
    ampel_member_integer(print, "score", outcome->score);
    ampel_member_integer(print, "raw", outcome->raw);
    ampel_member_name(print, "risk", AMPEL_REGISTRY_RISK, outcome->risk);
}

void ampel_outlook_json_ids(const struct ampel_outlook_green *green) {
    char bytes[PIECE_BYTES];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, green->found ? "[" : "null");
    for (uint32_t i = 0; i < green->count; i++) {
        if (i > 0) ampel_print_word(&print, ",");
        ampel_print_json(&print, green->ids[i]);
        ampel_members_piece(&print);
    }
    if (green->found) ampel_print_word(&print, "]");
    ampel_members_piece(&print);
}

static void fixes_print(const struct ampel_outlook_fix *fixes, uint32_t count) {
    char bytes[PIECE_BYTES];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, ",\"fix\":[");
    for (uint32_t i = 0; i < count; i++) {
        ampel_print_word(&print, i == 0 ? "{" : ",{");
        ampel_member_text(&print, "id", fixes[i].id);
        ampel_outlook_json_outcome(&print, &fixes[i].approved);
        ampel_print_key(&print, "acknowledged");
        ampel_print_word(&print, "{");
        ampel_outlook_json_outcome(&print, &fixes[i].acknowledged);
        ampel_print_word(&print, "}}");
        ampel_members_piece(&print);
    }
    ampel_print_word(&print, "]");
    ampel_members_piece(&print);
}

static void steps_print(const struct ampel_outlook_step *steps, uint32_t count) {
    char bytes[PIECE_BYTES];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, ",\"forecast\":[");
    for (uint32_t i = 0; i < count; i++) {
        ampel_print_word(&print, i == 0 ? "{" : ",{");
        ampel_member_integer(&print, "at", steps[i].at_ms);
        ampel_member_integer(&print, "score", steps[i].score);
        ampel_print_word(&print, "}");
        ampel_members_piece(&print);
    }
    ampel_print_word(&print, "]");
    ampel_members_piece(&print);
}

bool ampel_outlook_json_all(struct ampel_engine *engine, uint32_t slot) {
    int32_t score_min, score_max;
    uint32_t fixes_count, steps_count;
    const struct ampel_outlook_fix *fixes;
    const struct ampel_outlook_step *steps;
    struct ampel_outlook_green green;
    if (ampel_outlook_range(engine, slot, &score_min, &score_max) != AMPEL_ENGINE_OK ||
        ampel_outlook_fixes(engine, slot, &fixes, &fixes_count) != AMPEL_ENGINE_OK ||
        ampel_outlook_to_green(engine, slot, &green) != AMPEL_ENGINE_OK ||
        ampel_outlook_forecast(engine, slot, false, &steps, &steps_count) != AMPEL_ENGINE_OK)
        return ampel_outlook_no_memory();
    printf(",\"score_min\":%d,\"score_max\":%d", score_min, score_max);
    fixes_print(fixes, fixes_count);
    fputs(",\"to_green\":", stdout);
    ampel_outlook_json_ids(&green);
    printf(",\"to_green_exact\":%s", green.exact ? "true" : "false");
    steps_print(steps, steps_count);
    return true;
}

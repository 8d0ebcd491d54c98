#include "workers/checkpoint_outlook.h"

#include "engine/registry.h"
#include "proto/print.h"
#include "proto/text.h"

/* Ids escape at worst to twice their size. Beside its id a violation takes ten numbers and words of at most 24 bytes, a step
   five, a cap group four; names of members take less than 256. */
#define ID_BYTES       (2 * AMPEL_ID_BYTES_MAX + 4)
#define TEXT_BYTES_MAX                                                                                 \
    (AMPEL_OUTLOOK_FIXES_STORED * (ID_BYTES + 10 * 24) + AMPEL_OUTLOOK_STEPS_STORED * (ID_BYTES + 5 * 24) + \
     AMPEL_OUTLOOK_GREEN_STORED * ID_BYTES + AMPEL_CAP_GROUPS_MAX * (ID_BYTES + 4 * 24) + 256)

static void put_number(struct ampel_print *print, int64_t number) {
    ampel_print_word(print, ",");
    ampel_print_integer(print, number);
}

/* Words of a registry and causes need no escapes. */
static void put_name(struct ampel_print *print, const char *name) {
    ampel_print_word(print, ",\"");
    ampel_print_word(print, name);
    ampel_print_word(print, "\"");
}

static void put_standing(struct ampel_print *print, uint8_t colour, uint8_t risk) {
    put_name(print, ampel_registry_name(AMPEL_REGISTRY_COLOUR, colour));
    put_name(print, ampel_registry_name(AMPEL_REGISTRY_RISK, risk));
}

static void put_outcome(struct ampel_print *print, const struct ampel_outlook_outcome *outcome) {
    put_number(print, outcome->score);
    put_number(print, outcome->raw);
    put_standing(print, outcome->colour, outcome->risk);
}

static bool put_fixes(struct ampel_engine *engine, uint32_t slot, struct ampel_print *print, uint32_t *total) {
    const struct ampel_outlook_fix *fixes;
    if (ampel_outlook_fixes(engine, slot, &fixes, total) != AMPEL_ENGINE_OK) return false;
    ampel_print_word(print, "{\"fixes\":[");
    for (uint32_t i = 0; i < *total && i < AMPEL_OUTLOOK_FIXES_STORED; i++) {
        ampel_print_word(print, i > 0 ? ",[" : "[");
        ampel_print_json(print, fixes[i].id);
        put_number(print, fixes[i].now.score);
        put_number(print, fixes[i].now.raw);
        put_outcome(print, &fixes[i].approved);
        put_outcome(print, &fixes[i].acknowledged);
        ampel_print_word(print, "]");
    }
    ampel_print_word(print, "],\"fixes_total\":");
    ampel_print_unsigned(print, *total);
    return true;
}

static bool put_green(struct ampel_engine *engine, uint32_t slot, uint32_t fixes_total, struct ampel_print *print) {
    struct ampel_outlook_green green = {0};
    bool known = fixes_total <= AMPEL_OUTLOOK_GREEN_STORED;
    if (known && ampel_outlook_to_green(engine, slot, &green) != AMPEL_ENGINE_OK) return false;
    ampel_print_word(print, known ? ",\"green_known\":true,\"to_green\":" : ",\"green_known\":false,\"to_green\":");
    ampel_print_word(print, green.found ? "[" : "null");
    for (uint32_t i = 0; green.found && i < green.count; i++) {
        if (i > 0) ampel_print_word(print, ",");
        ampel_print_json(print, green.ids[i]);
    }
    if (green.found) ampel_print_word(print, "]");
    return true;
}

static bool put_steps(struct ampel_engine *engine, uint32_t slot, struct ampel_print *print, struct ampel_rating_row *row) {
    static const char *const causes[] = {"", "violation", "orders", "violation and orders"};
    const struct ampel_outlook_step *steps;
    uint32_t total;
    if (ampel_outlook_forecast(engine, slot, false, &steps, &total) != AMPEL_ENGINE_OK) return false;
    ampel_outlook_turns_of(row->numbers.colour, steps, total, &row->turns);
    ampel_print_word(print, ",\"steps\":[");
    for (uint32_t i = 0; i < total && i < AMPEL_OUTLOOK_STEPS_STORED; i++) {
        ampel_print_word(print, i > 0 ? ",[" : "[");
        ampel_print_integer(print, steps[i].at_ms);
        put_number(print, steps[i].score);
        put_standing(print, steps[i].colour, steps[i].risk);
        put_name(print, causes[steps[i].causes & (AMPEL_STEP_VIOLATION | AMPEL_STEP_ORDERS)]);
        if (steps[i].id.size > 0) {
            ampel_print_word(print, ",");
            ampel_print_json(print, steps[i].id);
        }
        ampel_print_word(print, "]");
    }
    ampel_print_word(print, "],\"steps_total\":");
    ampel_print_unsigned(print, total);
    return true;
}

static bool put_caps(struct ampel_engine *engine, uint32_t slot, const struct ampel_checkpoint *checkpoint,
                     struct ampel_print *print) {
    struct ampel_outlook_cap caps[AMPEL_CAP_GROUPS_MAX];
    bool more = false;
    if (ampel_outlook_caps(engine, slot, caps) != AMPEL_ENGINE_OK) return false;
    ampel_print_word(print, ",\"caps\":[");
    for (uint32_t i = 0; i < checkpoint->caps_count; i++) {
        if (caps[i].count == 0) continue;
        ampel_print_word(print, more ? ",[" : "[");
        ampel_print_json(print, ampel_text_of(checkpoint->caps_names[i]));
        put_number(print, caps[i].count);
        put_number(print, caps[i].limit);
        put_number(print, caps[i].falls_at_ms);
        if (caps[i].below_at_ms == INT64_MAX)
            ampel_print_word(print, ",null");
        else
            put_number(print, caps[i].below_at_ms);
        ampel_print_word(print, "]");
        more = true;
    }
    ampel_print_word(print, "]}");
    return true;
}

bool ampel_checkpoint_outlook(struct ampel_engine *engine, uint32_t slot, const struct ampel_checkpoint *checkpoint,
                              struct ampel_rating_row *row) {
    char bytes[TEXT_BYTES_MAX];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    uint32_t fixes_total;
    if (!put_fixes(engine, slot, &print, &fixes_total) || !put_green(engine, slot, fixes_total, &print) ||
        !put_steps(engine, slot, &print, row) || !put_caps(engine, slot, checkpoint, &print)) {
        return false;
    }
    AMPEL_ASSERT(!print.full);
    return ampel_arena_text(checkpoint->arena, (struct ampel_text){print.bytes, print.size}, &row->outlook);
}

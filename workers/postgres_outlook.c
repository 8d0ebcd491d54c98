/* Rows of what to fix first and of what time alone brings: one an account, lists as JSON that the views take apart. */
#include "engine/registry.h"
#include "proto/print.h"
#include "proto/text.h"
#include "workers/postgres.h"

static void print_name(struct ampel_print *print, const char *name) {
    ampel_print_word(print, "\"");
    ampel_print_word(print, name);
    ampel_print_word(print, "\"");
}

static void print_standing(struct ampel_print *print, uint8_t colour, uint8_t risk) {
    ampel_print_key(print, "status");
    print_name(print, ampel_registry_name(AMPEL_REGISTRY_COLOUR, colour));
    ampel_print_key(print, "risk");
    print_name(print, ampel_registry_name(AMPEL_REGISTRY_RISK, risk));
}

static void print_outcome(struct ampel_print *print, const char *key,
                          const struct ampel_outlook_outcome *outcome) {
    ampel_print_key(print, key);
    ampel_print_word(print, "{");
    ampel_print_key(print, "score");
    ampel_print_integer(print, outcome->score);
    ampel_print_key(print, "raw");
    ampel_print_integer(print, outcome->raw);
    print_standing(print, outcome->colour, outcome->risk);
    ampel_print_word(print, "}");
}

static void print_fix(struct ampel_print *print, const struct ampel_outlook_fix *fix) {
    ampel_print_word(print, "{");
    ampel_print_key(print, "id");
    ampel_print_json(print, fix->id);
    ampel_print_key(print, "score");
    ampel_print_integer(print, fix->now.score);
    ampel_print_key(print, "raw");
    ampel_print_integer(print, fix->now.raw);
    print_outcome(print, "approved", &fix->approved);
    print_outcome(print, "acknowledged", &fix->acknowledged);
    ampel_print_word(print, "}");
}

static void print_step(struct ampel_print *print, const struct ampel_outlook_step *step) {
    static const char *const causes[] = {"", "violation", "orders", "violation and orders"};
    ampel_print_word(print, "{");
    ampel_print_key(print, "at");
    ampel_print_time(print, step->at_ms);
    ampel_print_key(print, "score");
    ampel_print_integer(print, step->score);
    print_standing(print, step->colour, step->risk);
    ampel_print_key(print, "cause");
    print_name(print, causes[step->causes & (AMPEL_STEP_VIOLATION | AMPEL_STEP_ORDERS)]);
    if (step->id.size > 0) {
        ampel_print_key(print, "id");
        ampel_print_json(print, step->id);
    }
    ampel_print_word(print, "}");
}

static struct ampel_text fixes_json(const struct ampel_outlook_row *row,
                                    struct ampel_print *print) {
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < row->fixes_count; i++) {
        if (i > 0) ampel_print_word(print, ",");
        print_fix(print, &row->fixes[i]);
    }
    ampel_print_word(print, "]");
    AMPEL_ASSERT(!print->full);
    return (struct ampel_text){print->bytes, print->size};
}

static struct ampel_text steps_json(const struct ampel_outlook_row *row,
                                    struct ampel_print *print) {
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < row->steps_count; i++) {
        if (i > 0) ampel_print_word(print, ",");
        print_step(print, &row->steps[i]);
    }
    ampel_print_word(print, "]");
    AMPEL_ASSERT(!print->full);
    return (struct ampel_text){print->bytes, print->size};
}
static_assert((AMPEL_OUTLOOK_FIXES_STORED + AMPEL_OUTLOOK_STEPS_STORED) *
                      (2 * AMPEL_ID_BYTES_MAX + 360) <
                  4 * AMPEL_MESSAGE_BYTES_MAX,
              "either list fits the text it is written to");

static struct ampel_text green_json(const struct ampel_outlook_row *row,
                                    struct ampel_print *print) {
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < row->green_count; i++) {
        if (i > 0) ampel_print_word(print, ",");
        ampel_print_json(print, row->green[i]);
    }
    ampel_print_word(print, "]");
    AMPEL_ASSERT(!print->full);
    return (struct ampel_text){print->bytes, print->size};
}

/* Groups that count anything. */
static struct ampel_text caps_json(const struct ampel_checkpoint *checkpoint, const struct ampel_outlook_row *row,
                                   struct ampel_print *print) {
    bool more = false;
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < checkpoint->caps_count; i++) {
        const struct ampel_outlook_cap *cap = &row->caps[i];
        if (cap->count == 0) continue;
        ampel_print_word(print, more ? ",{" : "{");
        ampel_print_key(print, "cap_group");
        ampel_print_json(print, ampel_text_of(checkpoint->caps_names[i]));
        ampel_print_key(print, "count");
        ampel_print_integer(print, cap->count);
        ampel_print_key(print, "limit");
        ampel_print_integer(print, cap->limit);
        ampel_print_key(print, "falls_at");
        ampel_print_time(print, cap->falls_at_ms);
        if (cap->below_at_ms != INT64_MAX) {
            ampel_print_key(print, "below_at");
            ampel_print_time(print, cap->below_at_ms);
        }
        ampel_print_word(print, "}");
        more = true;
    }
    ampel_print_word(print, "]");
    AMPEL_ASSERT(!print->full);
    return (struct ampel_text){print->bytes, print->size};
}

static struct ampel_print print_new(struct ampel_postgres *postgres) {
    return (struct ampel_print){.bytes = postgres->json, .capacity = sizeof(postgres->json)};
}

enum ampel_database_status ampel_postgres_copy_outlooks(struct ampel_postgres *postgres,
                                                        const struct ampel_checkpoint *checkpoint,
                                                        struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_OUTLOOK_COPY, 11, error);
    for (uint32_t i = 0; i < checkpoint->outlooks_count; i++) {
        const struct ampel_outlook_row *row = &checkpoint->outlooks[i];
        ampel_copy_row(copy);
        ampel_copy_text(copy, row->tenant);
        ampel_copy_text(copy, row->seller);
        ampel_copy_text(copy, row->marketplace);
        struct ampel_print print = print_new(postgres);
        ampel_copy_json(copy, fixes_json(row, &print));
        print = print_new(postgres);
        ampel_copy_json(copy, steps_json(row, &print));
        print = print_new(postgres);
        if (row->green_known && row->green_found)
            ampel_copy_json(copy, green_json(row, &print));
        else
            ampel_copy_null(copy);
        ampel_copy_boolean(copy, row->green_known);
        ampel_copy_int32(copy, (int32_t)row->fixes_total);
        ampel_copy_int32(copy, (int32_t)row->steps_total);
        print = print_new(postgres);
        ampel_copy_json(copy, caps_json(checkpoint, row, &print));
        ampel_copy_time(copy, row->as_of_ms);
    }
    return ampel_copy_end(copy);
}

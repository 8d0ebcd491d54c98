#include "workers/cli/members.h"

#include <stdio.h>

#include "engine/registry.h"
#include "proto/text.h"

void ampel_member_integer(struct ampel_print *print, const char *key, int64_t value) {
    ampel_print_key(print, key);
    ampel_print_integer(print, value);
}

void ampel_member_unsigned(struct ampel_print *print, const char *key, uint64_t value) {
    ampel_print_key(print, key);
    ampel_print_unsigned(print, value);
}

void ampel_member_boolean(struct ampel_print *print, const char *key, bool value) {
    ampel_print_key(print, key);
    ampel_print_word(print, value ? "true" : "false");
}

void ampel_member_text(struct ampel_print *print, const char *key, struct ampel_text text) {
    ampel_print_key(print, key);
    ampel_print_json(print, text);
}

void ampel_member_time(struct ampel_print *print, const char *key, int64_t at_ms) {
    ampel_print_key(print, key);
    if (at_ms == INT64_MAX)
        ampel_print_word(print, "null");
    else
        ampel_print_time(print, at_ms);
}

void ampel_member_name(struct ampel_print *print, const char *key, enum ampel_registry registry, uint32_t code) {
    const char *name = ampel_registry_name(registry, code);
    ampel_print_key(print, key);
    if (name == NULL)
        ampel_print_word(print, "null");
    else
        ampel_print_json(print, ampel_text_of(name));
}

void ampel_members_rated(struct ampel_print *print, int64_t score, uint32_t colour, uint32_t risk) {
    ampel_member_integer(print, "score", score);
    ampel_member_name(print, "status", AMPEL_REGISTRY_COLOUR, colour);
    ampel_member_name(print, "risk", AMPEL_REGISTRY_RISK, risk);
}

void ampel_members_sums(struct ampel_print *print, int64_t orders, int64_t order_points, int64_t deducted) {
    ampel_member_integer(print, "orders", orders);
    ampel_member_integer(print, "order_points", order_points);
    ampel_member_integer(print, "deducted", deducted);
}

void ampel_members_caps(struct ampel_print *print, const struct ampel_rules *rules, const struct ampel_numbers *numbers) {
    ampel_print_key(print, "caps");
    ampel_print_word(print, "{");
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        ampel_member_integer(print, rules->cap_groups[i].name, numbers->caps[i]);
    ampel_print_word(print, "}");
}

void ampel_members_piece(struct ampel_print *print) {
    AMPEL_ASSERT(!print->full);
    fwrite(print->bytes, 1, print->size, stdout);
    print->size = 0;
}

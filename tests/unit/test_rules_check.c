/* The ranges of rules stand in two places, the engine's check and the table of keys: here each key
   is tried at the edges of the model's range, and both must draw the line at the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "engine/rules.h"
#include "proto/rules_file.h"
#include "proto/rules_keys.h"

/* As rating-model 4 and engine/rules.h promise them, written down a third time on purpose. */
static const struct {
    const char *key;
    int32_t least, greatest;
} ranges[] = {
    {"window_days", 1, 180},
    {"start", 0, 1000},
    {"bands.green", 0, 1000},
    {"bands.yellow", 0, 1000},
    {"orders.block", 1, 1000000},
    {"orders.points", 0, 1000},
    {"severity_points.none", 0, 1000},
    {"severity_points.low", 0, 1000},
    {"severity_points.medium", 0, 1000},
    {"severity_points.high", 0, 1000},
    {"critical.value", 0, 1000},
    {"repeat.factor", 1, 10},
    {"repeat.max_exponent", 0, 10},
    {"repeat.table", 0, 1000},
    {"caps.warn_before", 0, 1000},
    {"caps.groups.infringement.limit", 1, 65535},
    {"clamp.min", -100000, 100000},
    {"clamp.max", -100000, 100000},
    {"assurance.score", 0, 1000},
    {"assurance.window_days", 1, 180},
    {"assurance.days_below", 0, 180},
    {"deadlines.red_hours", 1, 8760},
    {"deadlines.cap_hours", 1, 8760},
    {"takeover.hours", 1, 8760},
    {"takeover.threshold", 1, 64000},
    {"takeover.kinds.price_cut.weight", 0, 1000},
};

/* Defaults whose relations hold for any value of one key. */
static void init(struct ampel_rules *rules) {
    ampel_rules_init(rules);
    rules->band_green = 1000;
    rules->band_yellow = 0;
    rules->clamp_min = -100000;
    rules->clamp_max = 100000;
}

static bool set(struct ampel_rules *rules, const char *key, int64_t value,
                struct ampel_error *error) {
    char text[24];
    int size = snprintf(text, sizeof(text), "%lld", (long long)value);
    return ampel_rules_set(rules, (struct ampel_text){key, (uint32_t)strlen(key)},
                           (struct ampel_text){text, (uint32_t)size}, error);
}

static void assert_inside(const char *key, int32_t value) {
    struct ampel_rules rules;
    struct ampel_error error;
    const char *broken;
    init(&rules);
    if (!set(&rules, key, value, &error)) fail_msg("%s %d: %s", key, (int)value, error.reason);
    if (!ampel_rules_check(&rules, &broken)) fail_msg("%s %d: %s", key, (int)value, broken);
}

static void assert_outside(const char *key, int32_t value) {
    struct ampel_rules rules, before;
    struct ampel_error error;
    init(&rules);
    before = rules;
    if (set(&rules, key, value, &error)) fail_msg("%s %d was taken", key, (int)value);
    assert_string_equal(error.field, key);
    assert_memory_equal(&rules, &before, sizeof(rules));
}

static void each_number_is_taken_at_both_ends_of_its_range_and_not_beyond(void **state) {
    (void)state;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ranges); i++) {
        assert_inside(ranges[i].key, ranges[i].least);
        assert_inside(ranges[i].key, ranges[i].least + 1);
        assert_inside(ranges[i].key, ranges[i].greatest - 1);
        assert_inside(ranges[i].key, ranges[i].greatest);
        assert_outside(ranges[i].key, ranges[i].least - 1);
        assert_outside(ranges[i].key, ranges[i].greatest + 1);
    }
}

static void table_of_keys_has_no_number_that_is_not_tried_here(void **state) {
    (void)state;
    uint32_t tried = 0, numbers = 0;
    for (uint32_t i = 0; i < ampel_rules_keys_count; i++) {
        const struct ampel_rules_key *key = &ampel_rules_keys[i];
        if (key->form != AMPEL_RULES_NUMBER && key->form != AMPEL_RULES_TABLE) continue;
        numbers++;
        for (uint32_t k = 0; k < AMPEL_ARRAY_COUNT(ranges); k++) {
            if (strcmp(ranges[k].key, key->name) != 0) continue;
            assert_int_equal(ranges[k].least, key->least);
            assert_int_equal(ranges[k].greatest, key->greatest);
            tried++;
        }
    }
    assert_int_equal(tried, numbers);
    assert_int_equal(numbers + 2, AMPEL_ARRAY_COUNT(ranges));
}

static void assert_check_names(const struct ampel_rules *rules, const char *key) {
    const char *broken = "";
    if (ampel_rules_check(rules, &broken)) fail_msg("%s was let through", key);
    assert_string_equal(broken, key);
}

static void engine_draws_the_line_where_the_table_does(void **state) {
    (void)state;
    for (uint32_t i = 0; i < ampel_rules_keys_count; i++) {
        const struct ampel_rules_key *key = &ampel_rules_keys[i];
        struct ampel_rules rules;
        init(&rules);
        int32_t below = key->least - 1, above = key->greatest + 1;
        uint32_t unnamed = key->names_count;
        char *place = (char *)&rules + key->offset;
        switch ((enum ampel_rules_form)key->form) {
        case AMPEL_RULES_NUMBER:
        case AMPEL_RULES_TABLE: /* its first factor */
            memcpy(place, &below, sizeof(below));
            assert_check_names(&rules, key->name);
            memcpy(place, &above, sizeof(above));
            assert_check_names(&rules, key->name);
            break;
        case AMPEL_RULES_NAME:
            memcpy(place, &unnamed, sizeof(unnamed));
            assert_check_names(&rules, key->name);
            break;
        case AMPEL_RULES_TEXT:
            place[0] = '\0';
            assert_check_names(&rules, key->name);
            memset(place, 'a', AMPEL_ID_BYTES_MAX + 1);
            assert_check_names(&rules, key->name);
            break;
        case AMPEL_RULES_BOOLEAN:
            break;
        }
    }
}

static void engine_checks_lists_and_relations(void **state) {
    (void)state;
    struct ampel_rules rules;
    const char *broken;
    init(&rules);
    assert_true(ampel_rules_check(&rules, &broken));
    rules.band_yellow = 500;
    rules.band_green = 500;
    assert_true(ampel_rules_check(&rules, &broken));
    rules.band_green = 499;
    assert_check_names(&rules, "bands.yellow");
    init(&rules);
    rules.clamp_min = rules.clamp_max = 7;
    assert_true(ampel_rules_check(&rules, &broken));
    rules.clamp_max = 6;
    assert_check_names(&rules, "clamp.max");
    init(&rules);
    rules.cap_groups[1].limit = 0;
    assert_check_names(&rules, "caps.groups");
    init(&rules);
    rules.cap_groups[1] = rules.cap_groups[0];
    assert_check_names(&rules, "caps.groups");
    init(&rules);
    rules.cap_groups_count = 1; /* restricted_product belongs to the second */
    assert_check_names(&rules, "policies");
    init(&rules);
    rules.policies[0].severity = AMPEL_SEVERITY_CRITICAL + 1;
    assert_check_names(&rules, "policies");
    init(&rules);
    rules.kinds[0].weight = 1001;
    assert_check_names(&rules, "takeover.kinds");
    init(&rules);
    rules.kinds[0].group = (uint8_t)ampel_registry_count(AMPEL_REGISTRY_KIND_GROUP);
    assert_check_names(&rules, "takeover.kinds");
    init(&rules);
    rules.ladder_table_count = 0;
    assert_check_names(&rules, "repeat.table");
    rules.ladder_table_count = AMPEL_LADDER_TABLE_MAX + 1;
    assert_check_names(&rules, "repeat.table");
    init(&rules);
    rules.variants[0].keys_count = AMPEL_VARIANT_KEYS_MAX + 1;
    assert_check_names(&rules, "variants");
    init(&rules);
    rules.variants[1] = rules.variants[0];
    assert_check_names(&rules, "variants");
}

/* Of no bytes, without an end, and with a byte that no file may hold. */
static void assert_name_checked(size_t offset, size_t size, const char *key) {
    struct ampel_rules rules;
    init(&rules);
    char *name = (char *)&rules + offset;
    name[0] = '\0';
    assert_check_names(&rules, key);
    memset(name, 'x', size);
    assert_check_names(&rules, key);
    init(&rules);
    name[0] = '\n';
    assert_check_names(&rules, key);
}

static void engine_checks_the_names_in_lists(void **state) {
    (void)state;
    struct ampel_rules rules;
    assert_name_checked(offsetof(struct ampel_rules, cap_groups[0].name), sizeof(rules.cap_groups[0].name), "caps.groups");
    assert_name_checked(offsetof(struct ampel_rules, variants[0].name), sizeof(rules.variants[0].name), "variants");
    assert_name_checked(offsetof(struct ampel_rules, variants[0].keys[0].key), sizeof(rules.variants[0].keys[0].key), "variants");
    init(&rules);
    memset(rules.variants[0].keys[0].value, 'x', sizeof(rules.variants[0].keys[0].value));
    assert_check_names(&rules, "variants");
}

static void each_name_of_a_key_is_set_and_another_is_not(void **state) {
    (void)state;
    for (uint32_t i = 0; i < ampel_rules_keys_count; i++) {
        const struct ampel_rules_key *key = &ampel_rules_keys[i];
        if (key->form != AMPEL_RULES_NAME) continue;
        struct ampel_text name = {key->name, (uint32_t)strlen(key->name)};
        struct ampel_rules rules;
        struct ampel_error error;
        for (uint32_t code = 0; code < key->names_count; code++) {
            uint32_t stored;
            const char *word = key->names[code];
            init(&rules);
            assert_true(ampel_rules_set(&rules, name,
                                        (struct ampel_text){word, (uint32_t)strlen(word)}, &error));
            memcpy(&stored, (const char *)&rules + key->offset, sizeof(stored));
            assert_int_equal(stored, code);
            assert_false(ampel_rules_set(
                &rules, name, (struct ampel_text){word, (uint32_t)strlen(word) - 1}, &error));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_taken_at_both_ends_of_its_range_and_not_beyond),
        cmocka_unit_test(table_of_keys_has_no_number_that_is_not_tried_here),
        cmocka_unit_test(engine_draws_the_line_where_the_table_does),
        cmocka_unit_test(engine_checks_lists_and_relations),
        cmocka_unit_test(engine_checks_the_names_in_lists),
        cmocka_unit_test(each_name_of_a_key_is_set_and_another_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

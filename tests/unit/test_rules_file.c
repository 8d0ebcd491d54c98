/* The rules file: what it accepts, what it refuses and where it says the fault is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/rules_file.h"

#define FILE_BYTES_MAX (300 * 1024)

static char shipped[FILE_BYTES_MAX]; /* deploy/rules/amazon.yaml, terminated */
static char changed[FILE_BYTES_MAX];
static struct ampel_rules rules, other;
static struct ampel_error error;

static struct ampel_text text_of(const char *text) {
    return (struct ampel_text){text, (uint32_t)strlen(text)};
}

static int read_shipped(void **state) {
    (void)state;
    FILE *file = fopen(AMPEL_SOURCE_DIR "/deploy/rules/amazon.yaml", "rb");
    if (file == NULL) return -1;
    size_t size = fread(shipped, 1, sizeof(shipped) - 1, file);
    fclose(file);
    shipped[size] = '\0';
    return size > 0 ? 0 : -1;
}

/* The shipped file with the first `from` replaced, in `changed`; returns the line on which `from`
 * begins. */
static uint32_t change(const char *from, const char *to) {
    const char *place = strstr(shipped, from);
    assert_non_null(place);
    uint32_t line = 1;
    for (const char *byte = shipped; byte < place; byte++)
        line += *byte == '\n';
    int written = snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - shipped), shipped,
                           to, place + strlen(from));
    assert_true(written > 0 && (size_t)written < sizeof(changed));
    return line;
}

static void assert_refused(struct ampel_text text, uint32_t line, const char *field,
                           const char *reason) {
    memset(&error, 0, sizeof(error));
    assert_false(ampel_rules_file_decode(text, &other, &error));
    if (error.line != line || strcmp(error.field, field) != 0 ||
        strstr(error.reason, reason) == NULL)
        fail_msg("expected line %u: %s: %s\n         got line %u: %s: %s", line, field, reason,
                 error.line, error.field, error.reason);
    /* Without a place for the error it is refused all the same. */
    assert_false(ampel_rules_file_decode(text, &other, NULL));
}

/* After `from` became `to`, the fault is `lines_below` lines under the place of the change. */
static void assert_change_refused(const char *from, const char *to, uint32_t lines_below,
                                  const char *field, const char *reason) {
    uint32_t line = change(from, to);
    assert_refused(text_of(changed), line + lines_below, field, reason);
}

static void assert_change_accepted(const char *from, const char *to) {
    change(from, to);
    if (!ampel_rules_file_decode(text_of(changed), &other, &error))
        fail_msg("%s: line %u: %s: %s", to, error.line, error.field, error.reason);
}

static void shipped_file_equals_the_built_in_defaults(void **state) {
    (void)state;
    ampel_rules_init(&rules);
    assert_true(ampel_rules_file_decode(text_of(shipped), &other, &error));
    assert_memory_equal(&rules, &other, sizeof(rules));
}

static void encode_writes_the_shipped_file_for_the_defaults(void **state) {
    (void)state;
    ampel_rules_init(&rules);
    uint32_t size = ampel_rules_file_encode(&rules, changed, sizeof(changed));
    assert_int_equal(size, strlen(shipped));
    assert_memory_equal(changed, shipped, size);
    assert_int_equal(ampel_rules_file_encode(&rules, changed, size), 0);
    assert_int_equal(ampel_rules_file_encode(&rules, changed, size + 1), size);
    assert_int_equal(ampel_rules_file_encode(&rules, changed, 10), 0);
}

static void set_all(const char *const pairs[][2], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!ampel_rules_set(&rules, text_of(pairs[i][0]), text_of(pairs[i][1]), &error))
            fail_msg("%s: %s", error.field, error.reason);
    }
}

static void rename_entry(char name[AMPEL_ID_BYTES_MAX + 1], const char *to) {
    memset(name, 0, AMPEL_ID_BYTES_MAX + 1);
    memcpy(name, to, strlen(to));
}

static void decode_gives_back_what_encode_wrote_of_a_changed_set(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"version", "house: \"own\" \\ #2"},
        {"window_days", "90"},
        {"start", "0"},
        {"bands.green", "300"},
        {"bands.yellow", "300"},
        {"orders.block", "1000000"},
        {"orders.points", "1000"},
        {"orders.rounding", "linear"},
        {"severity_points.none", "1"},
        {"critical.mode", "points"},
        {"critical.value", "16"},
        {"repeat.ladder", "off"},
        {"repeat.table", "0,1000, 3,4,5,6,7,8,9,10,11,12,13,14,15 ,16"},
        {"repeat.anchor", "rerank"},
        {"caps.effect", "zero"},
        {"caps.groups.infringement.limit", "65535"},
        {"clamp.min", "-100000"},
        {"clamp.cap_before_deduction", "true"},
        {"policies.policy_warning.group", "restricted"},
        {"policies.restricted_product.group", "none"},
        {"policies.fair_pricing.severity", "critical"},
        {"takeover.kinds.status_flip.weight", "1000"},
        {"takeover.kinds.status_flip.group", "payout"},
    };
    ampel_rules_init(&rules);
    set_all(pairs, AMPEL_ARRAY_COUNT(pairs));
    rename_entry(rules.cap_groups[1].name, "off");
    rename_entry(rules.variants[0].name, "2.5");
    rules.variants_count = 1;
    memset(&rules.variants[1], 0, sizeof(rules.variants) - sizeof(rules.variants[0]));
    assert_int_equal(rules.ladder_table_count, 16);
    uint32_t size = ampel_rules_file_encode(&rules, changed, sizeof(changed));
    assert_true(size > 0);
    if (!ampel_rules_file_decode((struct ampel_text){changed, size}, &other, &error))
        fail_msg("line %u: %s: %s", error.line, error.field, error.reason);
    assert_memory_equal(&rules, &other, sizeof(rules));
    /* Empty lists come back, too. */
    for (uint32_t i = 0; i < AMPEL_POLICIES_MAX; i++)
        rules.policies[i].group = AMPEL_CAP_GROUP_NONE;
    rules.cap_groups_count = 0;
    memset(rules.cap_groups, 0, sizeof(rules.cap_groups));
    rules.variants_count = 0;
    memset(rules.variants, 0, sizeof(rules.variants));
    size = ampel_rules_file_encode(&rules, changed, sizeof(changed));
    assert_true(ampel_rules_file_decode((struct ampel_text){changed, size}, &other, &error));
    assert_memory_equal(&rules, &other, sizeof(rules));
}

static void number_out_of_range_names_line_key_and_range(void **state) {
    (void)state;
    assert_change_refused("factor: 2", "factor: 99", 0, "repeat.factor",
                          "must be a whole number from 1 to 10, is 99");
    assert_change_refused("factor: 2", "factor: 11", 0, "repeat.factor", "is 11");
    assert_change_refused("factor: 2", "factor: 0", 0, "repeat.factor", "is 0");
    assert_change_accepted("factor: 2", "factor: 10");
    assert_change_accepted("factor: 2", "factor: 1");
    assert_change_refused("window_days: 180", "window_days: 181", 0, "window_days", "1 to 180");
    assert_change_refused("limit: 5", "limit: 65536", 0, "caps.groups.infringement.limit", "65535");
    assert_change_refused("status, weight: 65", "status, weight: 1001", 0, "takeover.kinds.status_flip.weight",
                          "0 to 1000");
    assert_change_refused("[1, 2, 4]", "[1, 2, 1001]", 0, "repeat.table", "0 to 1000, is 1001");
    assert_change_refused("[1, 2, 4]", "\n    - 1\n    - 2\n    - x", 3, "repeat.table", "is x");
    assert_change_refused("[1, 2, 4]", "[\"1,2\", 4]", 0, "repeat.table",
                          "a list of whole numbers");
}

static void value_of_the_wrong_kind_is_refused(void **state) {
    (void)state;
    assert_change_refused("start: 200", "start: many", 0, "start", "is many");
    assert_change_refused("start: 200", "start: 200.0", 0, "start", "is 200.0");
    assert_change_refused("start: 200", "start: 0200", 0, "start", "is 0200");
    assert_change_refused("start: 200", "start: +200", 0, "start", "is +200");
    assert_change_refused("start: 200", "start: 99999999999999999999", 0, "start", "whole number");
    assert_change_refused("start: 200", "start:", 0, "start", "is empty");
    assert_change_refused("start: 200", "start: [200]", 0, "start", "must be a single value");
    assert_change_refused("start: 200", "start: {a: 1}", 0, "start", "must be a single value");
    assert_change_refused("[1, 2, 4]", "4", 0, "repeat.table", "must be a list");
    assert_change_refused("[1, 2, 4]", "[]", 0, "repeat.table", "must have 1 to 16 entries, has 0");
    assert_change_refused("[1, 2, 4]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", 0, "repeat.table",
                          "1 to 16 entries, has 17");
    assert_change_refused("- {name: restricted, limit: 2}", "- restricted", 0, "caps.groups[1]",
                          "must be a mapping");
    assert_change_refused("{name: restricted,", "{name: \"re stricted\",", 0, "caps.groups[1].name", "without spaces");
    assert_change_refused("{name: double_once,", "{name: \"double once\",", 0, "variants[0].name", "without spaces");
    assert_change_refused("severity: low}", "severity: lowest}", 0, "policies.listing_policy.severity", "lowest");
    assert_change_refused("rounding: floor", "rounding: nearest", 0, "orders.rounding",
                          "must be one of floor, linear, is nearest");
    assert_change_refused("cap_before_deduction: false", "cap_before_deduction: yes", 0,
                          "clamp.cap_before_deduction", "must be one of false, true, is yes");
    assert_change_refused("version: amazon-1", "version: \"a\\nb\"", 0, "version",
                          "printable ASCII, is a?b");
    assert_change_refused("version: amazon-1", "version: \"a\\0b\"", 0, "", "zero byte");
    assert_change_refused(
        "version: amazon-1",
        "version: 12345678901234567890123456789012345678901234567890123456789012345", 0, "version",
        "1 to 64 characters");
}

static void unknown_key_names_its_line(void **state) {
    (void)state;
    assert_change_refused("  yellow: 100", "  yelow: 100", 0, "bands.yelow", "no such key");
    assert_change_refused("start: 200", "start: 200\nfinish: 5", 1, "finish", "no such key");
    assert_change_refused("{name: restricted,", "{name: restricted, weight: 3,", 0,
                          "caps.groups[1].weight", "no such key");
    assert_change_refused("value: \"99\"}", "value: \"99\", why: x}", 0, "variants[3].set[1].why",
                          "no such key");
}

static void missing_key_names_the_line_of_its_section(void **state) {
    (void)state;
    assert_refused(text_of("version: a\nbands: {green: 1}\n"), 1, "window_days", "is missing");
    uint32_t section = change("bands:", "bands:");
    change("  yellow: 100", "");
    assert_refused(text_of(changed), section, "bands.yellow", "is missing");
    assert_change_refused("{name: restricted, limit: 2}", "{name: restricted}", 0,
                          "caps.groups[1].limit", "is missing");
    assert_change_refused("severity: low}", "}", 0, "policies[6].severity", "is missing");
}

static void policy_without_a_group_key_has_none(void **state) {
    (void)state;
    assert_change_accepted("product_safety, group: none, severity", "product_safety, severity");
    ampel_rules_init(&rules);
    assert_memory_equal(&rules, &other, sizeof(rules));
}

static void doubled_key_names_its_second_line(void **state) {
    (void)state;
    assert_change_refused("start: 200", "start: 200\nstart: 200", 1, "start", "second time");
    assert_change_refused("  yellow: 100", "  yellow: 100\n  green: 200", 1, "bands.green",
                          "second time");
    assert_change_refused("{name: restricted, limit: 2}", "{name: restricted, limit: 2, limit: 3}",
                          0, "caps.groups[1].limit", "second time");
}

static void lists_hold_each_name_once_and_all_of_the_registry(void **state) {
    (void)state;
    assert_change_refused("name: fair_pricing", "name: fair_prices", 0, "policies[12].name",
                          "fair_prices is not in the registry");
    assert_change_refused("name: fair_pricing", "name: other_policy", 0, "policies[12].name",
                          "other_policy stands here for the second time");
    assert_change_refused("kind: status_flip", "kind: flip", 0, "takeover.kinds[13].kind",
                          "flip is not in the registry");
    assert_change_refused("kind: status_flip", "kind: price_cut", 0, "takeover.kinds[13].kind",
                          "price_cut stands here for the second time");
    assert_change_refused("name: restricted,", "name: infringement,", 0, "caps.groups[1].name",
                          "infringement stands here for the second time");
    assert_change_refused("name: restricted,", "name: none,", 0, "caps.groups[1].name", "no group");
    assert_change_refused("name: ladder_off", "name: double_once", 0, "variants[1].name",
                          "double_once stands here for the second time");
    assert_change_refused("group: restricted", "group: restrict", 0,
                          "policies.restricted_product.group", "must be a group of caps.groups");
    assert_change_refused("group: status", "group: state", 0, "takeover.kinds.status_flip.group",
                          "must be one of access, contact");
}

static void missing_list_entry_is_told_at_the_list(void **state) {
    (void)state;
    uint32_t list = change("  kinds:", "  kinds:");
    change("    - {kind: status_flip, group: status, weight: 65}\n", "");
    assert_refused(text_of(changed), list, "takeover.kinds", "status_flip is missing");
    list = change("policies:", "policies:");
    change("  - {name: fair_pricing, group: none, severity: low}\n", "");
    assert_refused(text_of(changed), list, "policies", "fair_pricing is missing");
}

static void relations_between_keys_are_checked(void **state) {
    (void)state;
    assert_change_refused("yellow: 100", "yellow: 201", 0, "bands.yellow",
                          "must not be above bands.green");
    assert_change_accepted("yellow: 100", "yellow: 200");
    assert_change_refused("max: 1000", "max: -1", 0, "clamp.max", "must not be below clamp.min");
    assert_change_accepted("max: 1000", "max: 0");
}

static void variants_are_applied_to_see_that_they_can_be(void **state) {
    (void)state;
    assert_change_refused("value: \"99\"", "value: \"1001\"", 0, "critical.value",
                          "in variant critical_99: must be a whole number from 0 to 1000, is 1001");
    assert_change_refused("key: orders.rounding", "key: orders.round", 0, "orders.round",
                          "in variant linear: the rules have no such key");
    assert_change_refused("{key: orders.rounding, value: \"linear\"}",
                          "{key: bands.yellow, value: 500}", 0, "bands.yellow",
                          "in variant linear: must not be above bands.green");
    assert_change_refused("{key: orders.rounding, value: \"linear\"}", "", 0, "variants[5].set",
                          "1 to 8 entries, has 0");
    assert_change_refused("{key: orders.rounding, value: \"linear\"}",
                          "{key: start, value: 1}, {key: start, value: 2}", 0,
                          "variants[5].set[1].key", "start stands here for the second time");
    assert_change_accepted("value: \"99\"", "value: 99");
}

static void variant_replaces_its_own_keys_alone(void **state) {
    (void)state;
    ampel_rules_init(&rules);
    assert_int_equal(rules.variants_count, 7);
    assert_true(ampel_rules_variant(&rules, 3, &other, &error));
    assert_int_equal(other.critical_mode, AMPEL_CRITICAL_CAP);
    assert_int_equal(other.critical_value, 99);
    other.critical_mode = rules.critical_mode;
    other.critical_value = rules.critical_value;
    assert_memory_equal(&rules, &other, sizeof(rules));
    assert_true(ampel_rules_variant(&rules, 6, &other, &error));
    assert_true(other.clamp_before_deduction);
}

static void ladder_off_may_stand_with_or_without_quotes(void **state) {
    (void)state;
    assert_change_accepted("ladder: geometric", "ladder: off");
    assert_int_equal(other.ladder, AMPEL_LADDER_OFF);
    assert_change_accepted("ladder: geometric", "ladder: \"off\"");
    assert_int_equal(other.ladder, AMPEL_LADDER_OFF);
    assert_change_accepted("value: \"off\"", "value: off");
    assert_change_refused("ladder: geometric", "ladder: false", 0, "repeat.ladder",
                          "must be one of geometric, double_once, table, off, is false");
}

static void yaml_that_is_not_one_plain_document_is_refused(void **state) {
    (void)state;
    assert_change_refused("start: 200", "start: @200", 0, "", "not valid YAML");
    assert_change_refused("start: 200", "start: &a 200", 0, "", "anchors, aliases and tags");
    assert_change_refused("start: 200", "start: *a", 0, "", "anchors, aliases and tags");
    assert_change_refused("start: 200", "start: !!int 200", 0, "", "anchors, aliases and tags");
    assert_change_refused("start: 200", "[1]: 200", 0, "", "plain name");
    assert_change_refused("\nvariants:", "\n---\nvariants:", 1, "", "second document");
    assert_refused(text_of(""), 1, "", "empty");
    assert_refused(text_of("# nothing but a comment\n"), 1, "", "empty");
    assert_refused(text_of("just words"), 1, "", "must be a mapping");
    assert_refused(text_of("- a\n- b\n"), 1, "", "must be a mapping");
    assert_refused((struct ampel_text){"\xff\xfe\x80", 3}, 1, "", "");
    assert_refused(text_of("a: [[[[[[[[[[[[[[[[[[[["), 1, "", "");
}

static void oversized_file_is_refused_before_it_is_read(void **state) {
    (void)state;
    memset(changed, '#', sizeof(changed));
    size_t size = strlen(shipped);
    memcpy(changed, shipped, size);
    assert_true(ampel_rules_file_decode((struct ampel_text){changed, 256 * 1024}, &other, &error));
    assert_refused((struct ampel_text){changed, 256 * 1024 + 1}, 0, "", "at most 262144 bytes");
    /* Many tiny entries within the size are too many for any rules. */
    for (uint32_t i = 0; i < 50000; i++)
        memcpy(changed + 2 * i, i == 0 ? "[1" : ",1", 2);
    assert_refused((struct ampel_text){changed, 100000}, 1, "", "more entries");
}

static void every_prefix_of_the_file_is_refused_with_a_reason(void **state) {
    (void)state;
    /* Up to the key of the last list: that one may be shorter. */
    size_t whole = (size_t)(strstr(shipped, "\nvariants:") - shipped) + 8;
    for (size_t size = 0; size < whole; size += 7) {
        memset(&error, 0, sizeof(error));
        assert_false(
            ampel_rules_file_decode((struct ampel_text){shipped, (uint32_t)size}, &other, &error));
        assert_true(error.reason[0] != '\0');
        assert_true(error.line >= 1);
    }
}

static void assert_set_refused(const char *key, const char *value, const char *reason) {
    struct ampel_rules before = rules;
    assert_false(ampel_rules_set(&rules, text_of(key), text_of(value), &error));
    if (strcmp(error.field, key) != 0 || strstr(error.reason, reason) == NULL)
        fail_msg("expected %s: %s, got %s: %s", key, reason, error.field, error.reason);
    assert_memory_equal(&before, &rules, sizeof(rules));
}

static void refused_override_changes_nothing_and_names_its_key(void **state) {
    (void)state;
    ampel_rules_init(&rules);
    assert_set_refused("repeat.factor", "99", "from 1 to 10, is 99");
    assert_set_refused("repeat.factor", "", "is empty");
    assert_set_refused("repeat.factor", "-", "is -");
    assert_set_refused("repeat.factor", "-0", "is -0");
    assert_set_refused("repeat.table", "1,,2", "is empty");
    assert_set_refused("repeat.table", "1,2,", "is empty");
    assert_set_refused("repeat.table", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "has more");
    assert_set_refused("repeat", "2", "no such key");
    assert_set_refused("repeat.", "2", "no such key");
    assert_set_refused("caps.groups.none.limit", "2", "no such key");
    assert_set_refused("caps.groups..limit", "2", "no such key");
    assert_set_refused("caps.groups.restricted.name", "x", "no such key");
    assert_set_refused("policies.suspected_ip", "high", "no such key");
    assert_set_refused("policies.suspected_ip.points", "3", "no such key");
    assert_set_refused("policies.unheard_of.severity", "high", "no such key");
    assert_set_refused("policies.suspected_ip.severity", "highest", "none, low, medium, high");
    assert_set_refused("takeover.kinds.price_cut.weight", "-1", "0 to 1000");
    assert_set_refused("variants.double_once", "x", "no such key");
    assert_false(ampel_rules_set(&rules, (struct ampel_text){NULL, 0}, text_of("1"), &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_file_equals_the_built_in_defaults),
        cmocka_unit_test(encode_writes_the_shipped_file_for_the_defaults),
        cmocka_unit_test(decode_gives_back_what_encode_wrote_of_a_changed_set),
        cmocka_unit_test(number_out_of_range_names_line_key_and_range),
        cmocka_unit_test(value_of_the_wrong_kind_is_refused),
        cmocka_unit_test(unknown_key_names_its_line),
        cmocka_unit_test(missing_key_names_the_line_of_its_section),
        cmocka_unit_test(policy_without_a_group_key_has_none),
        cmocka_unit_test(doubled_key_names_its_second_line),
        cmocka_unit_test(lists_hold_each_name_once_and_all_of_the_registry),
        cmocka_unit_test(missing_list_entry_is_told_at_the_list),
        cmocka_unit_test(relations_between_keys_are_checked),
        cmocka_unit_test(variants_are_applied_to_see_that_they_can_be),
        cmocka_unit_test(variant_replaces_its_own_keys_alone),
        cmocka_unit_test(ladder_off_may_stand_with_or_without_quotes),
        cmocka_unit_test(yaml_that_is_not_one_plain_document_is_refused),
        cmocka_unit_test(oversized_file_is_refused_before_it_is_read),
        cmocka_unit_test(every_prefix_of_the_file_is_refused_with_a_reason),
        cmocka_unit_test(refused_override_changes_nothing_and_names_its_key),
    };
    return cmocka_run_group_tests(tests, read_shipped, NULL);
}

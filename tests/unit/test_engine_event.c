/* The field table, extras and the judgement of one event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/event.h"
#include "engine/frame.h"
#include "engine/registry.h"
#include "engine/rules.h"

static struct ampel_text text(const char *bytes) {
    return (struct ampel_text){bytes, (uint32_t)strlen(bytes)};
}

static const int64_t sent_at_ms = INT64_C(1790858096789);

static struct ampel_event event_of(uint8_t type, struct ampel_extras_writer *writer) {
    return (struct ampel_event){.at_ms = sent_at_ms,
                                .count = 1,
                                .rev = 1,
                                .points = -1,
                                .type = type,
                                .severity = -1,
                                .code = AMPEL_CODE_NONE,
                                .extras = writer->bytes,
                                .extras_size = writer->size};
}

static void assert_verdict(const struct ampel_event *event, enum ampel_verdict verdict,
                           const char *field) {
    const char *named = NULL;
    assert_int_equal(ampel_event_check(event, sent_at_ms, &named), verdict);
    assert_string_equal(named, field);
}

static void the_rows_of_each_type_are_together_and_complete(void **state) {
    (void)state;
    uint32_t total = 0;
    for (uint8_t type = 0; type < AMPEL_EVENT_TYPES_COUNT; type++) {
        const struct ampel_field *fields;
        uint32_t count = ampel_fields_of(type, &fields);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(fields[i].type, type);
        total += count;
    }
    assert_int_equal(total, ampel_fields_count);
}

static void extras_put_in_any_order_come_out_ordered_by_tag(void **state) {
    (void)state;
    uint8_t bytes[64];
    struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_SKU, text("S")));
    assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_AT_RISK_SALES, 12345));
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("v1")));
    struct ampel_event event = event_of(AMPEL_EVENT_VIOLATION, &writer);
    assert_verdict(&event, AMPEL_VERDICT_OK, "");
    assert_memory_equal(ampel_extra_text(&event, AMPEL_EXTRA_ID).bytes, "v1", 2);
    int64_t number;
    assert_true(ampel_extra_number(&event, AMPEL_EXTRA_AT_RISK_SALES, &number));
    assert_int_equal(number, 12345);
    assert_int_equal(ampel_extra_text(&event, AMPEL_EXTRA_ASIN).size, 0);
    writer.capacity = writer.size + 3;
    assert_false(ampel_extras_put_text(&writer, AMPEL_EXTRA_ASIN, text("A")));
}

static void a_tag_given_twice_is_refused(void **state) {
    (void)state;
    uint8_t bytes[64];
    struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("v1")));
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("v2")));
    struct ampel_event event = event_of(AMPEL_EVENT_VIOLATION, &writer);
    assert_verdict(&event, AMPEL_VERDICT_BAD_VALUE, "id");
}

static void torn_extras_are_refused_at_every_length(void **state) {
    (void)state;
    uint8_t bytes[64];
    struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("v1")));
    assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_AT_RISK_SALES, 1));
    struct ampel_event event = event_of(AMPEL_EVENT_VIOLATION, &writer);
    for (uint32_t size = 0; size < writer.size; size++) {
        const char *field;
        if (size == 5) continue; /* the id alone is whole */
        event.extras_size = size;
        assert_int_not_equal(ampel_event_check(&event, sent_at_ms, &field), AMPEL_VERDICT_OK);
    }
}

static void the_edges_of_at_are_exact(void **state) {
    (void)state;
    struct ampel_extras_writer none = {NULL, 0, 0};
    struct ampel_event event = event_of(AMPEL_EVENT_ORDER, &none);
    event.at_ms = sent_at_ms + AMPEL_FUTURE_SLACK_MS;
    assert_verdict(&event, AMPEL_VERDICT_OK, "");
    event.at_ms++;
    assert_verdict(&event, AMPEL_VERDICT_FUTURE, "at");
    event.at_ms = sent_at_ms - 2 * AMPEL_WINDOW_MS;
    assert_verdict(&event, AMPEL_VERDICT_OK, "");
    event.at_ms--;
    assert_verdict(&event, AMPEL_VERDICT_ANCIENT, "at");
    event.type = AMPEL_EVENT_ORDERS_CANCELLED;
    assert_verdict(&event, AMPEL_VERDICT_OK, "");
    event.at_ms = -1;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "at");
}

static void each_fixed_member_is_held_to_its_range(void **state) {
    (void)state;
    struct ampel_extras_writer none = {NULL, 0, 0};
    struct ampel_event event = event_of(AMPEL_EVENT_ORDER, &none);
    event.count = 0;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "count");
    event.count = AMPEL_ORDERS_MAX + 1;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "count");
    event = event_of(AMPEL_EVENT_ORDERS_DAY, &none);
    event.rev = 0;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "rev");
    event.rev = 256;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "rev");
    uint8_t bytes[64];
    struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("v1")));
    event = event_of(AMPEL_EVENT_VIOLATION, &writer);
    event.policy = 13;
    assert_verdict(&event, AMPEL_VERDICT_UNKNOWN_NAME, "policy");
    event.policy = 12;
    event.severity = 5;
    assert_verdict(&event, AMPEL_VERDICT_UNKNOWN_NAME, "severity");
    event.severity = 4;
    event.points = 1001;
    assert_verdict(&event, AMPEL_VERDICT_OUT_OF_RANGE, "points");
    event = event_of(AMPEL_EVENT_VIOLATION_STATE, &writer);
    assert_verdict(&event, AMPEL_VERDICT_MISSING, "state");
    event.code = 8;
    assert_verdict(&event, AMPEL_VERDICT_UNKNOWN_NAME, "state");
    event = event_of(AMPEL_EVENT_DAY_MARK, &none);
    assert_verdict(&event, AMPEL_VERDICT_MISSING, "lowest");
    event.type = AMPEL_EVENT_TYPES_COUNT;
    assert_verdict(&event, AMPEL_VERDICT_BAD_TYPE, "type");
    event = event_of(AMPEL_EVENT_ORDER, &writer);
    assert_verdict(&event, AMPEL_VERDICT_UNKNOWN_FIELD, "id");
}

static void texts_are_held_to_their_alphabet(void **state) {
    (void)state;
    char long_id[65];
    memset(long_id, 'x', sizeof(long_id));
    assert_true(ampel_id_valid((struct ampel_text){long_id, 64}, true));
    assert_false(ampel_id_valid((struct ampel_text){long_id, 65}, true));
    assert_false(ampel_id_valid(text("a/b"), true));
    assert_true(ampel_id_valid(text("a/b"), false));
    assert_false(ampel_id_valid(text("a b"), false));
    assert_false(ampel_id_valid(text(""), false));
    static const struct {
        const char *detail;
        enum ampel_verdict verdict;
    } rows[] = {
        {"Käse kostet 5 €", AMPEL_VERDICT_OK},
        {"\xf0\x9f\x9a\xa6", AMPEL_VERDICT_OK},
        {"tab\there", AMPEL_VERDICT_BAD_TEXT},
        {"\xc0\xaf", AMPEL_VERDICT_BAD_TEXT},
        {"\xed\xa0\x80", AMPEL_VERDICT_BAD_TEXT},
        {"\xe2\x82", AMPEL_VERDICT_BAD_TEXT},
        {"\xc3(", AMPEL_VERDICT_BAD_TEXT},
        {"", AMPEL_VERDICT_BAD_TEXT},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        uint8_t bytes[64];
        struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_DETAIL, text(rows[i].detail)));
        struct ampel_event event = event_of(AMPEL_EVENT_SIGNAL, &writer);
        event.code = 0;
        assert_verdict(&event, rows[i].verdict,
                       rows[i].verdict == AMPEL_VERDICT_OK ? "" : "detail");
    }
}

/* Cheap words about a violation are believed by readers of batches, so they must never be kinder than the table. */
static void a_plain_violation_is_one_that_the_table_accepts(void **state) {
    (void)state;
    uint64_t random = 1;
    uint32_t plain_count = 0, other_count = 0;
    for (uint32_t round = 0; round < 200000; round++) {
        uint8_t bytes[64];
        struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("V-1")));
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ASIN, text("B00")));
        struct ampel_event event = event_of(AMPEL_EVENT_VIOLATION, &writer);
        for (uint32_t change = 0; change < 3; change++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            uint8_t value = (uint8_t)(random >> 56);
            switch (random >> 32 & 7) {
            case 0:
                bytes[(random >> 40) % writer.size] = value % 32;
                break;
            case 1:
                bytes[(random >> 40) % writer.size] = value;
                break;
            case 2:
                event.extras_size = value % (writer.size + 1);
                break;
            case 3:
                event.policy = value;
                break;
            case 4:
                event.severity = (int8_t)(value % 8 - 2);
                break;
            case 5:
                event.points = (int16_t)(value * 8 - 8);
                break;
            case 6:
                event.at_ms = value < 8 ? -1 : event.at_ms;
                break;
            default:
                break;
            }
        }
        const char *field;
        bool plain = ampel_violation_plain(&event);
        if (plain) assert_int_equal(ampel_event_check(&event, event.at_ms, &field), AMPEL_VERDICT_OK);
        plain_count += plain;
        other_count += !plain;
    }
    assert_true(plain_count > 10000 && other_count > 10000);
}

static void a_frame_without_columns_reads_as_defaults(void **state) {
    (void)state;
    struct ampel_frame frame = {.events_count = 1};
    struct ampel_event event;
    uint32_t account;
    ampel_frame_event(&frame, 0, &account, &event);
    assert_int_equal(account, 0);
    assert_int_equal(event.count, 1);
    assert_int_equal(event.points, -1);
    assert_int_equal(event.severity, -1);
    assert_int_equal(event.rev, 0);
    uint8_t type = AMPEL_EVENT_ORDERS_DAY;
    frame.type = &type;
    ampel_frame_event(&frame, 0, &account, &event);
    assert_int_equal(event.rev, 1);
}

static void every_registered_name_reads_back_as_its_code(void **state) {
    (void)state;
    for (uint32_t registry = 0; registry < AMPEL_REGISTRIES_COUNT; registry++) {
        uint32_t count = ampel_registry_count((enum ampel_registry)registry);
        for (uint32_t code = 0; code < count; code++) {
            const char *name = ampel_registry_name((enum ampel_registry)registry, code);
            uint8_t back;
            assert_true(ampel_registry_code((enum ampel_registry)registry, text(name), &back));
            assert_int_equal(back, code);
        }
        assert_null(ampel_registry_name((enum ampel_registry)registry, count));
    }
    uint8_t code;
    assert_false(ampel_registry_code(AMPEL_REGISTRY_POLICY, text("Suspected_ip"), &code));
    assert_false(ampel_registry_code(AMPEL_REGISTRY_POLICY, text("suspected_i"), &code));
}

static void the_default_rules_pass_their_own_check_and_each_break_is_named(void **state) {
    (void)state;
    struct ampel_rules rules;
    const char *key = "";
    ampel_rules_init(&rules);
    assert_true(ampel_rules_check(&rules, &key));
    rules.window_days = 181;
    assert_false(ampel_rules_check(&rules, &key));
    assert_string_equal(key, "window_days");
    ampel_rules_init(&rules);
    rules.clamp_min = 1001;
    assert_false(ampel_rules_check(&rules, &key));
    assert_string_equal(key, "clamp.max");
    ampel_rules_init(&rules);
    rules.policies[3].group = 2;
    assert_false(ampel_rules_check(&rules, &key));
    assert_string_equal(key, "policies");
    ampel_rules_init(&rules);
    memset(rules.version, 'v', sizeof(rules.version));
    assert_false(ampel_rules_check(&rules, &key));
    assert_string_equal(key, "version");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_of_each_type_are_together_and_complete),
        cmocka_unit_test(extras_put_in_any_order_come_out_ordered_by_tag),
        cmocka_unit_test(a_tag_given_twice_is_refused),
        cmocka_unit_test(torn_extras_are_refused_at_every_length),
        cmocka_unit_test(the_edges_of_at_are_exact),
        cmocka_unit_test(each_fixed_member_is_held_to_its_range),
        cmocka_unit_test(texts_are_held_to_their_alphabet),
        cmocka_unit_test(a_plain_violation_is_one_that_the_table_accepts),
        cmocka_unit_test(a_frame_without_columns_reads_as_defaults),
        cmocka_unit_test(every_registered_name_reads_back_as_its_code),
        cmocka_unit_test(the_default_rules_pass_their_own_check_and_each_break_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

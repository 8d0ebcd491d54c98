/* Words of the lists that agencies keep (proto/list_words.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/list_words.h"
#include "proto/text.h"
#include "proto/time.h"

static void amounts_read_in_every_way_of_writing_decimals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t cents;
    } good[] = {
        {"$1,234.56", 123456},   {"1.234,56 \xE2\x82\xAC", 123456}, {"EUR 1234", 123400},  {"1234.5", 123450},
        {"1,234", 123400},       {"1.234", 123400},                 {"12,34", 1234},       {"0", 0},
        {"1'234'567.89", 123456789}, {"\xC2\xA3 0.99", 99},         {"US$ 12", 1200},      {"1 234,50", 123450},
        {"1\xC2\xA0" "234,50", 123450}, {"", -1},                   {" - ", -1},           {"N/A", -1},
        {"1,234,567", 123456700},
    };
    static const char *const bad[] = {"1.2k", "-5", "12 pieces", "1.234.5", "1,23,456", "abc", "$", "1.2345", "5%",
                                      "1,2345.00", "9999999999999999"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(good); i++) {
        int64_t cents = -7;
        if (!ampel_list_money(ampel_text_of(good[i].text), &cents)) fail_msg("%s is refused", good[i].text);
        if (cents != good[i].cents) fail_msg("%s reads as %lld", good[i].text, (long long)cents);
    }
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bad); i++) {
        int64_t cents;
        if (ampel_list_money(ampel_text_of(bad[i]), &cents))
            fail_msg("%s reads as %lld", bad[i], (long long)cents);
    }
}

static void dates_read_in_every_shape_and_never_by_guess(void **state) {
    (void)state;
    static const struct {
        const char *text, *time;
        enum ampel_list_dates order;
    } good[] = {
        {"2026-03-04", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"2026/3/4", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"4.3.2026", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"04.03.26 14:30", "2026-03-04T14:30:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"3/4/2026", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_MDY},
        {"3/4/2026", "2026-04-03T00:00:00.000Z", AMPEL_LIST_DATES_DMY},
        {"25/4/2026", "2026-04-25T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"4/25/26", "2026-04-25T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"5/5/2026", "2026-05-05T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"March 4, 2026", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"Mar 4th 2026 12:05 AM", "2026-03-04T00:05:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"4. M\xC3\xA4rz 2026", "2026-03-04T00:00:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"4-Mar-2026 12:05 PM", "2026-03-04T12:05:00.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {" 2026-03-04 14:30:05 ", "2026-03-04T14:30:05.000Z", AMPEL_LIST_DATES_UNKNOWN},
        {"2026-03-04T14:30:05+02:00", "2026-03-04T12:30:05.000Z", AMPEL_LIST_DATES_UNKNOWN},
    };
    static const char *const bad[] = {"3/4/2026", "31.4.2026", "20260304", "46085", "yesterday", "2026-13-01",
                                      "4 March", "2026-03-04 25:00", "2026-03-04 13:00 PM", "2026-03-04 x", "Mar Apr 2026", ""};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(good); i++) {
        int64_t at_ms;
        const char *why;
        char time[AMPEL_TIME_SIZE];
        if (!ampel_list_date(ampel_text_of(good[i].text), good[i].order, &at_ms, &why))
            fail_msg("%s %s", good[i].text, why);
        ampel_time_encode(at_ms, time);
        assert_string_equal(time, good[i].time);
    }
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bad); i++) {
        int64_t at_ms;
        const char *why = NULL;
        if (ampel_list_date(ampel_text_of(bad[i]), AMPEL_LIST_DATES_UNKNOWN, &at_ms, &why))
            fail_msg("%s reads as %lld", bad[i], (long long)at_ms);
        assert_non_null(why);
    }
}

static void every_policy_and_state_reads_back_from_what_a_list_writes(void **state) {
    (void)state;
    uint8_t code;
    for (uint8_t i = 0; i < ampel_registry_count(AMPEL_REGISTRY_POLICY); i++) {
        assert_non_null(ampel_list_policy_label(i));
        assert_true(ampel_list_policy(ampel_text_of(ampel_list_policy_label(i)), &code));
        assert_int_equal(code, i);
        assert_true(ampel_list_policy(ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_POLICY, i)), &code));
        assert_int_equal(code, i);
    }
    for (uint8_t i = 0; i < AMPEL_STATES_COUNT; i++) {
        assert_non_null(ampel_list_state_label(i));
        assert_true(ampel_list_state(ampel_text_of(ampel_list_state_label(i)), &code));
        assert_int_equal(code, i);
    }
    assert_false(ampel_list_policy(ampel_text_of(""), &code));
    assert_true(ampel_list_policy(ampel_text_of("Food Safety"), &code));
    assert_int_equal(code, 5);
    assert_false(ampel_list_state(ampel_text_of("somewhere"), &code));
}

static void an_impact_is_its_first_word_and_nothing_that_only_begins_alike(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int8_t severity;
    } good[] = {
        {"High - Repeat violation", AMPEL_SEVERITY_HIGH}, {"High Repeat violation", AMPEL_SEVERITY_HIGH},
        {"critical", AMPEL_SEVERITY_CRITICAL},            {"No Impact", AMPEL_SEVERITY_NONE},
        {"LOW", AMPEL_SEVERITY_LOW},                      {"Medium (by policy)", AMPEL_SEVERITY_NOT_GIVEN},
        {"", AMPEL_SEVERITY_NOT_GIVEN},
    };
    int8_t severity;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(good); i++) {
        assert_true(ampel_list_impact(ampel_text_of(good[i].text), &severity));
        assert_int_equal(severity, good[i].severity);
    }
    assert_false(ampel_list_impact(ampel_text_of("Lowest offer"), &severity));
    assert_false(ampel_list_impact(ampel_text_of("3"), &severity));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_read_in_every_way_of_writing_decimals),
        cmocka_unit_test(dates_read_in_every_shape_and_never_by_guess),
        cmocka_unit_test(every_policy_and_state_reads_back_from_what_a_list_writes),
        cmocka_unit_test(an_impact_is_its_first_word_and_nothing_that_only_begins_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

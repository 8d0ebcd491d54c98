/* Times as text (proto/time.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/bounds.h"
#include "proto/text.h"
#include "proto/time.h"

struct pair {
    const char *text;
    int64_t at_ms;
};

static void every_accepted_form_reads_as_the_same_instant_everywhere(void **state) {
    (void)state;
    static const struct pair pairs[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"0", 0},
        {"2026-10-01T12:34:56.789Z", INT64_C(1790858096789)},
        {"1790858096789", INT64_C(1790858096789)},
        {"2026-10-01T14:34:56.789+02:00", INT64_C(1790858096789)},
        {"2026-10-01T07:04:56.789-05:30", INT64_C(1790858096789)},
        {"2026-10-01t12:34:56.789z", INT64_C(1790858096789)},
        {"2026-10-01 12:34:56.789Z", INT64_C(1790858096789)},
        {"2026-10-01T12:34:56.7899999Z", INT64_C(1790858096789)},
        {"2026-10-01T12:34:56.7Z", INT64_C(1790858096700)},
        {"2020-11-18T23:59Z", INT64_C(1605743940000)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"2024-12-31T23:59:59.999Z", INT64_C(1735689599999)},
        {"1969-12-31T23:00:00-01:00", 0},
        {"2200-01-01T00:00:00Z", AMPEL_TIME_MAX_MS},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(pairs); i++) {
        int64_t at_ms = -1;
        assert_true(ampel_time_decode(ampel_text_of(pairs[i].text), &at_ms));
        assert_int_equal(at_ms, pairs[i].at_ms);
    }
}

static void anything_else_is_refused_and_leaves_the_result_alone(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "7258118400001",
        "99999999999999",
        "2026-10-01",
        "2026-10-01T12:34:56",
        "2026-10-01T12:34:56.Z",
        "2026-10-01T12Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-10-01T24:00:00Z",
        "2026-10-01T12:60:00Z",
        "2026-10-01T12:34:60Z",
        "2026-10-01T12:34:56+0200",
        "2026-10-01T12:34:56+24:00",
        "2026-10-01T12:34:56+02:60",
        "2026-10-01T12:34:56Zx",
        "2026-10-01T12:34:56 Z",
        "2026-10-01X12:34:56Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:30:00+01:00",
        "2200-01-01T00:00:00.001Z",
        "26-10-01T12:34:56Z",
        "2026-1-01T12:34:56Z",
        "2026-10-01T12:34:56,5Z",
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(texts); i++) {
        int64_t at_ms = 77;
        if (ampel_time_decode(ampel_text_of(texts[i]), &at_ms)) fail_msg("accepted: %s", texts[i]);
        assert_int_equal(at_ms, 77);
    }
}

static void text_reads_back_as_the_millisecond_it_was_made_from(void **state) {
    (void)state;
    char text[AMPEL_TIME_SIZE];
    int64_t days = 0;
    /* Steps of an odd number of milliseconds meet every day of the calendar at another clock time.
     */
    for (int64_t at_ms = 0; at_ms <= AMPEL_TIME_MAX_MS; at_ms += 86400000 / 2 + 1234567, days++) {
        int64_t back_ms = -1;
        ampel_time_encode(at_ms, text);
        assert_int_equal(text[AMPEL_TIME_SIZE - 1], 0);
        assert_true(ampel_time_decode((struct ampel_text){text, AMPEL_TIME_SIZE - 1}, &back_ms));
        assert_int_equal(back_ms, at_ms);
    }
    assert_true(days > 100000);
    ampel_time_encode(INT64_C(1790858096789), text);
    assert_string_equal(text, "2026-10-01T12:34:56.789Z");
}

static void instants_outside_what_four_digits_hold_are_held_at_the_edge(void **state) {
    (void)state;
    char text[AMPEL_TIME_SIZE];
    ampel_time_encode(INT64_MIN, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    ampel_time_encode(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_form_reads_as_the_same_instant_everywhere),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(text_reads_back_as_the_millisecond_it_was_made_from),
        cmocka_unit_test(instants_outside_what_four_digits_hold_are_held_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Words for people (workers/cli/labels.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/bounds.h"
#include "engine/engine.h"
/* The table itself is looked at. */
#include "workers/cli/labels.c" /* NOLINT */

/* The conversions of a format in their order: "%s%-28s%5u" as "s;s;u;". */
static void conversions(const char *format, char out[128]) {
    size_t used = 0;
    for (; *format != 0; format++) {
        if (*format != '%') continue;
        for (format++; strchr("-+ 0123456789.", *format) != NULL; format++)
            ;
        while (strchr("*lhszdiuxc%", *format) != NULL && *format != 0) {
            out[used++] = *format;
            if (strchr("sdiuxc%", *format) != NULL) break;
            format++;
        }
        out[used++] = ';';
    }
    out[used] = 0;
}

static void every_word_is_found_and_asks_for_the_same_values(void **state) {
    (void)state;
    assert_true(ampel_language_set("de"));
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(words); i++) {
        char english[128], translated[128];
        if (i > 0 && strcmp(words[i - 1].english, words[i].english) >= 0)
            fail_msg("'%s' does not stand behind '%s'", words[i].english, words[i - 1].english);
        assert_ptr_equal(ampel_label(words[i].english), words[i].german);
        conversions(words[i].english, english);
        conversions(words[i].german, translated);
        if (strcmp(english, translated) != 0) fail_msg("'%s' asks for other values in German", words[i].english);
    }
    assert_string_equal(ampel_label("no such word"), "no such word");
}

static void every_name_that_people_see_has_a_german_one(void **state) {
    (void)state;
    static const enum ampel_registry registries[] = {AMPEL_REGISTRY_POLICY, AMPEL_REGISTRY_SEVERITY,
                                                     AMPEL_REGISTRY_VIOLATION_STATE, AMPEL_REGISTRY_COLOUR,
                                                     AMPEL_REGISTRY_RISK};
    assert_true(ampel_language_set("de"));
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(registries); i++)
        for (uint32_t code = 0; code < ampel_registry_count(registries[i]); code++) {
            const char *name = ampel_registry_name(registries[i], code);
            if (strcmp(ampel_label_name(registries[i], code), name) == 0) fail_msg("%s has none", name);
        }
    for (uint8_t kind = 0; kind < AMPEL_CHANGES_COUNT; kind++) {
        if (!ampel_change_known(kind)) continue;
        if (kind == AMPEL_CHANGE_REFUSED || kind == AMPEL_CHANGE_FORGOTTEN) continue;
        const char *name = ampel_change_name(kind);
        if (strcmp(ampel_label(name), name) == 0) fail_msg("%s has none", name);
    }
    assert_true(ampel_language_set("en"));
    assert_string_equal(ampel_label_name(AMPEL_REGISTRY_COLOUR, 0), "green");
    assert_null(ampel_label_name(AMPEL_REGISTRY_COLOUR, 99));
}

static void the_language_is_what_was_said_else_what_the_locale_says(void **state) {
    (void)state;
    static const struct {
        const char *all, *messages, *lang;
        bool german;
    } cases[] = {
        {"", "", "de_DE.UTF-8", true},      {"", "de_AT", "en_US", true},  {"C", "de_DE", "de_DE", false},
        {"de", "", "", true},               {"", "", "", false},           {"den_CA", "", "", false},
        {"de@euro", "en_GB", "C", true},    {"", "en_GB", "de_DE", false},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        setenv("LC_ALL", cases[i].all, 1);
        setenv("LC_MESSAGES", cases[i].messages, 1);
        setenv("LANG", cases[i].lang, 1);
        assert_true(ampel_language_set(NULL));
        assert_int_equal(ampel_language_is_german(), cases[i].german);
    }
    assert_false(ampel_language_set("fr"));
    assert_true(ampel_language_set("en"));
    assert_false(ampel_language_is_german());
}

static void times_are_the_readers_and_name_their_zone(void **state) {
    (void)state;
    const int64_t at_ms = INT64_C(1790858096789);
    char text[AMPEL_LABEL_TIME_SIZE];
    setenv("TZ", "UTC", 1);
    tzset();
    ampel_label_time(at_ms, text);
    assert_string_equal(text, "2026-10-01T12:34:56.789Z");
    ampel_label_minute(at_ms, text);
    assert_string_equal(text, "2026-10-01 12:34Z");
    ampel_label_clock(at_ms, text);
    assert_string_equal(text, "12:34:56Z");
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    ampel_label_time(at_ms, text);
    assert_string_equal(text, "2026-10-01 14:34:56 CEST");
    ampel_label_minute(at_ms + 31 * AMPEL_DAY_MS, text);
    assert_string_equal(text, "2026-11-01 13:34 CET");
    ampel_label_day(at_ms - 13 * AMPEL_HOUR_MS, text);
    assert_string_equal(text, "2026-10-01");
    ampel_label_day(at_ms - 15 * AMPEL_HOUR_MS, text);
    assert_string_equal(text, "2026-09-30");
}

static void widths_count_what_is_seen(void **state) {
    (void)state;
    assert_int_equal(ampel_label_width("abc", 10), 10);
    assert_int_equal(ampel_label_width("Verst\xC3\xB6\xC3\x9F" "e", 10), 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_found_and_asks_for_the_same_values),
        cmocka_unit_test(every_name_that_people_see_has_a_german_one),
        cmocka_unit_test(the_language_is_what_was_said_else_what_the_locale_says),
        cmocka_unit_test(times_are_the_readers_and_name_their_zone),
        cmocka_unit_test(widths_count_what_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

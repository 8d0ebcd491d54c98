/* The layer over jansson: what is refused as a whole, and how numbers are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/json.h"

static struct ampel_error error;

static struct ampel_json *open_text(const char *text) {
    memset(&error, 0, sizeof(error));
    return ampel_json_open((struct ampel_text){text, (uint32_t)strlen(text)}, &error);
}

static void bytes_that_are_no_json_are_refused_with_their_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
    } texts[] = {{"", 0},
                 {" ", 1},
                 {"{", 1},
                 {"{}\n{}", 2},
                 {"{\"a\":1,\n\"a\":2}", 2},
                 {"[1,\n\n2", 3},
                 {"\"\xff\"", 1},
                 {"\"\\u0000\"", 1},
                 {"99999999999999999999", 1},
                 {"1e999", 1},
                 {"nul", 1},
                 {"01", 1}};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(texts); i++) {
        struct ampel_json *root = open_text(texts[i].text);
        if (root != NULL) fail_msg("%s was taken", texts[i].text);
        assert_true(error.reason[0] != '\0');
        if (error.line != texts[i].line)
            fail_msg("%s: line %u: %s", texts[i].text, error.line, error.reason);
    }
    ampel_json_close(NULL);
}

static void nesting_beyond_the_bound_is_refused_and_not_a_crash(void **state) {
    (void)state;
    static char deep[200000];
    memset(deep, '[', sizeof(deep));
    assert_null(ampel_json_open((struct ampel_text){deep, sizeof(deep)}, &error));
}

static void absent_values_can_be_asked_like_others(void **state) {
    (void)state;
    struct ampel_text text;
    int64_t number;
    bool boolean;
    const void *cursor = NULL;
    const struct ampel_json *value;
    struct ampel_json *root = open_text("{\"a\": [5]}");
    const struct ampel_json *none = ampel_json_get(root, "b");
    assert_null(none);
    assert_null(ampel_json_get(none, "c"));
    assert_null(ampel_json_get(ampel_json_get(root, "a"), "c"));
    assert_null(ampel_json_at(none, 0));
    assert_null(ampel_json_at(ampel_json_get(root, "a"), 1));
    assert_non_null(ampel_json_at(ampel_json_get(root, "a"), 0));
    assert_int_equal(ampel_json_kind(none), AMPEL_JSON_NULL);
    assert_int_equal(ampel_json_count(none), 0);
    assert_int_equal(ampel_json_count(root), 1);
    assert_false(ampel_json_text(none, &text));
    assert_false(ampel_json_integer(none, &number));
    assert_false(ampel_json_boolean(none, &boolean));
    assert_false(ampel_json_scaled(none, 1, &number));
    assert_false(ampel_json_next(none, &cursor, &text, &value));
    ampel_json_close(root);
}

static void entries_are_walked_in_the_order_of_the_text(void **state) {
    (void)state;
    struct ampel_json *root = open_text("{\"z\":1,\"a\":2,\"m\":3}");
    struct ampel_text key;
    const void *cursor = NULL;
    const struct ampel_json *value;
    const char *order = "zam";
    for (int64_t i = 0; i < 3; i++) {
        int64_t number;
        assert_true(ampel_json_next(root, &cursor, &key, &value));
        assert_int_equal(key.size, 1);
        assert_int_equal(key.bytes[0], order[i]);
        assert_true(ampel_json_integer(value, &number));
        assert_int_equal(number, i + 1);
    }
    assert_false(ampel_json_next(root, &cursor, &key, &value));
    ampel_json_close(root);
}

static bool scaled(const char *text, int64_t scale, bool exactly, int64_t *out) {
    struct ampel_json *root = open_text(text);
    assert_non_null(root);
    bool read =
        exactly ? ampel_json_scaled_exactly(root, scale, out) : ampel_json_scaled(root, scale, out);
    ampel_json_close(root);
    return read;
}

static void scaling_rounds_halves_away_from_zero_and_keeps_its_bounds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t scale, number;
    } cases[] = {{"0.03499611", 1000000, 34996},
                 {"0.0349965", 1000000, 34997},
                 {"-0.5", 1, -1},
                 {"0.5", 1, 1},
                 {"0.49", 1, 0},
                 {"1", 1000000, 1000000},
                 {"0", 1000000, 0},
                 {"1e15", 1, INT64_C(1000000000000000)}};
    int64_t number;
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        assert_true(scaled(cases[i].text, cases[i].scale, false, &number));
        if (number != cases[i].number) fail_msg("%s: %lld", cases[i].text, (long long)number);
    }
    assert_false(scaled("1000000000000001", 1, false, &number));
    assert_false(scaled("1e300", 1000000, false, &number));
    assert_false(scaled("\"5\"", 1, false, &number));
    assert_false(scaled("true", 1, false, &number));
}

static void exact_scaling_refuses_further_decimals(void **state) {
    (void)state;
    int64_t number;
    assert_true(scaled("5.0", 1, true, &number));
    assert_int_equal(number, 5);
    assert_true(scaled("12.50", 100, true, &number));
    assert_int_equal(number, 1250);
    assert_true(scaled("0.29", 100, true, &number)); /* 28.999... as a double */
    assert_int_equal(number, 29);
    assert_false(scaled("12.505", 100, true, &number));
    assert_false(scaled("5.5", 1, true, &number));
    assert_false(scaled("5.01", 1, true, &number));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_json_are_refused_with_their_line),
        cmocka_unit_test(nesting_beyond_the_bound_is_refused_and_not_a_crash),
        cmocka_unit_test(absent_values_can_be_asked_like_others),
        cmocka_unit_test(entries_are_walked_in_the_order_of_the_text),
        cmocka_unit_test(scaling_rounds_halves_away_from_zero_and_keeps_its_bounds),
        cmocka_unit_test(exact_scaling_refuses_further_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

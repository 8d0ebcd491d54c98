/* Every golden case through the slow oracle: all fields, the outlook where the case has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/golden.h"
#include "tests/oracle/outlook.h"

#define GOLDEN AMPEL_SOURCE_DIR "/tests/golden"

static void assert_number(const struct ampel_json *object, const char *key, int64_t number) {
    int64_t expected = 0;
    assert_true(ampel_json_integer(ampel_json_get(object, key), &expected));
    if (expected != number) {
        fail_msg("%s is %lld, expected %lld", key, (long long)number, (long long)expected);
    }
}

static void assert_text(const struct ampel_json *value, const char *text) {
    struct ampel_text expected;
    assert_true(ampel_json_text(value, &expected));
    if (expected.size != strlen(text) || memcmp(expected.bytes, text, expected.size) != 0) {
        fail_msg("'%s', expected '%.*s'", text, (int)expected.size, expected.bytes);
    }
}

static void assert_name(const struct ampel_json *object, const char *key,
                        enum ampel_registry registry, uint8_t code) {
    assert_text(ampel_json_get(object, key), ampel_registry_name(registry, code));
}

static void assert_caps(const struct ampel_json *expected, const struct ampel_rules *rules,
                        const struct ampel_oracle_rating *rating) {
    const struct ampel_json *caps = ampel_json_get(expected, "caps");
    assert_int_equal(ampel_json_count(caps), rules->cap_groups_count);
    for (uint32_t group = 0; group < rules->cap_groups_count; group++) {
        assert_number(caps, rules->cap_groups[group].name, rating->caps[group]);
    }
}

static int compare_ids(const void *left, const void *right) {
    const struct ampel_oracle_violation *u = left;
    const struct ampel_oracle_violation *v = right;
    return strcmp(u->told->id, v->told->id);
}

static void assert_violations(const struct ampel_json *expected,
                              struct ampel_oracle_rating *rating) {
    if (rating->violations_count > 0) {
        qsort(rating->violations, rating->violations_count, sizeof *rating->violations,
              compare_ids);
    }
    uint32_t count = 0;
    for (uint32_t index = 0; index < rating->violations_count; index++) {
        const struct ampel_oracle_violation *violation = &rating->violations[index];
        if (violation->deducting) {
            const struct ampel_json *line = ampel_json_at(expected, count);
            assert_text(ampel_json_get(line, "id"), violation->told->id);
            assert_number(line, "rank", violation->rank);
            assert_number(line, "points", violation->points);
            count++;
        }
    }
    assert_int_equal(ampel_json_count(expected), count);
}

static void assert_outcome(const struct ampel_json *expected,
                           const struct ampel_oracle_outcome *outcome) {
    assert_number(expected, "score", outcome->score);
    assert_number(expected, "raw", outcome->raw);
    assert_name(expected, "risk", AMPEL_REGISTRY_RISK, outcome->risk);
}

static void assert_fixes(const struct ampel_json *expected, const struct ampel_oracle *oracle,
                         const struct ampel_rules *rules, int64_t at_ms) {
    uint32_t count = 0;
    struct ampel_oracle_fix *fixes = ampel_oracle_fixes(oracle, rules, at_ms, &count);
    assert_int_equal(ampel_json_count(expected), count);
    for (uint32_t index = 0; index < count; index++) {
        const struct ampel_json *line = ampel_json_at(expected, index);
        assert_text(ampel_json_get(line, "id"), fixes[index].id);
        assert_outcome(line, &fixes[index].approved);
        assert_outcome(ampel_json_get(line, "acknowledged"), &fixes[index].acknowledged);
    }
    free(fixes);
}

static void assert_to_green(const struct ampel_json *expected, const struct ampel_oracle *oracle,
                            const struct ampel_rules *rules, int64_t at_ms) {
    struct ampel_oracle_to_green to_green;
    ampel_oracle_to_green(oracle, rules, at_ms, &to_green);
    assert_true(to_green.exact);
    assert_int_equal(ampel_json_kind(expected) == AMPEL_JSON_ARRAY, to_green.found);
    assert_int_equal(ampel_json_count(expected), to_green.count);
    for (uint32_t index = 0; index < to_green.count; index++) {
        assert_text(ampel_json_at(expected, index), to_green.ids[index]);
    }
}

static void assert_forecast(const struct ampel_json *expected, const struct ampel_oracle *oracle,
                            const struct ampel_rules *rules, int64_t at_ms) {
    uint32_t count = 0;
    struct ampel_oracle_step *steps = ampel_oracle_forecast(oracle, rules, at_ms, false, &count);
    assert_int_equal(ampel_json_count(expected), count);
    for (uint32_t index = 0; index < count; index++) {
        assert_number(ampel_json_at(expected, index), "at", steps[index].at_ms);
        assert_number(ampel_json_at(expected, index), "score", steps[index].score);
    }
    free(steps);
}

static void assert_outlook(const struct ampel_json *expected, const struct ampel_oracle *oracle,
                           const struct ampel_golden_case *golden) {
    int64_t score_min = 0, score_max = 0;
    ampel_oracle_range(oracle, &golden->rules, golden->as_of_ms, &score_min, &score_max);
    assert_number(expected, "score_min", score_min);
    assert_number(expected, "score_max", score_max);
    assert_fixes(ampel_json_get(expected, "fix"), oracle, &golden->rules, golden->as_of_ms);
    assert_to_green(ampel_json_get(expected, "to_green"), oracle, &golden->rules, golden->as_of_ms);
    assert_forecast(ampel_json_get(expected, "forecast"), oracle, &golden->rules, golden->as_of_ms);
}

static void assert_account(const struct ampel_json *expected,
                           const struct ampel_golden_account *account,
                           const struct ampel_golden_case *golden) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&account->oracle, &golden->rules, golden->as_of_ms, golden->as_of_ms,
                      &rating);
    assert_text(ampel_json_get(expected, "tenant"), account->tenant);
    assert_text(ampel_json_get(expected, "seller"), account->seller);
    assert_text(ampel_json_get(expected, "marketplace"), account->marketplace);
    assert_number(expected, "score", rating.score);
    assert_name(expected, "status", AMPEL_REGISTRY_COLOUR, rating.colour);
    assert_name(expected, "risk", AMPEL_REGISTRY_RISK, rating.risk);
    assert_number(expected, "orders", rating.orders);
    assert_number(expected, "order_points", rating.order_points);
    assert_number(expected, "deducted", rating.deducted);
    assert_caps(expected, &golden->rules, &rating);
    assert_violations(ampel_json_get(expected, "violations"), &rating);
    if (golden->forecast) {
        assert_outlook(expected, &account->oracle, golden);
    }
    ampel_oracle_rating_reset(&rating);
}

static void assert_case(const struct ampel_golden_case *golden) {
    struct ampel_golden_accounts accounts;
    static struct ampel_json *expected[AMPEL_GOLDEN_EXPECTED_MAX];
    ampel_golden_events(golden->events_path, &accounts);
    uint32_t expected_count = ampel_golden_expected(golden->expected_path, expected);
    uint32_t count = 0;
    for (uint32_t index = 0; index < accounts.count; index++) {
        struct ampel_oracle_rating rating;
        ampel_oracle_rate(&accounts.list[index].oracle, &golden->rules, golden->as_of_ms,
                          golden->as_of_ms, &rating);
        bool exists = rating.exists;
        ampel_oracle_rating_reset(&rating);
        if (exists) {
            assert_true(count < expected_count);
            assert_account(expected[count], &accounts.list[index], golden);
            count++;
        }
    }
    assert_int_equal(count, expected_count);
    for (uint32_t index = 0; index < expected_count; index++) {
        ampel_json_close(expected[index]);
    }
    ampel_golden_accounts_reset(&accounts);
}

static void the_oracle_gives_every_golden_answer(void **state) {
    (void)state;
    static struct ampel_golden_case cases[AMPEL_GOLDEN_CASES_MAX];
    uint32_t count = ampel_golden_cases(GOLDEN, cases);
    assert_int_equal(count, 12);
    for (uint32_t index = 0; index < count; index++) {
        printf("case %s\n", cases[index].name);
        assert_case(&cases[index]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oracle_gives_every_golden_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

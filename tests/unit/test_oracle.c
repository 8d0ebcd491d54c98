/* The slow oracle against the worked examples of rating-model 5 and the edges that its sentences
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/oracle.h"
#include "tests/oracle/outlook.h"

/* A noon long after 1970, so that two windows fit before it. */
#define NOON   ((int64_t)20000 * AMPEL_DAY_MS + 12 * AMPEL_HOUR_MS)
#define DAY    AMPEL_DAY_MS
#define WINDOW AMPEL_WINDOW_MS

enum { SUSPECTED_IP = 0, RECEIVED_IP = 1, CONDITION = 3, SAFETY = 4, RESTRICTED = 7, WARNING = 10 };

struct story {
    struct ampel_oracle oracle;
    struct ampel_rules rules;
};

static int begin(void **state) {
    struct story *story = calloc(1, sizeof *story);
    assert_non_null(story);
    ampel_oracle_rules(&story->rules);
    *state = story;
    return 0;
}

static int finish(void **state) {
    struct story *story = *state;
    ampel_oracle_reset(&story->oracle);
    free(story);
    return 0;
}

static void orders(struct story *story, int64_t at_ms, uint32_t total, uint16_t rev) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_ORDERS_DAY, at_ms);
    event.count = total;
    event.rev = rev;
    ampel_oracle_add(&story->oracle, &event);
}

static void order(struct story *story, int64_t at_ms, uint32_t count) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_ORDER, at_ms);
    event.count = count;
    ampel_oracle_add(&story->oracle, &event);
}

static struct ampel_oracle_event told(const char *id, uint8_t policy, int8_t severity,
                                      int64_t at_ms) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION, at_ms);
    (void)snprintf(event.id, sizeof event.id, "%s", id);
    event.policy = policy;
    event.severity = severity;
    return event;
}

static void violation(struct story *story, const char *id, uint8_t policy, int8_t severity,
                      int64_t at_ms) {
    struct ampel_oracle_event event = told(id, policy, severity, at_ms);
    ampel_oracle_add(&story->oracle, &event);
}

static void becomes(struct story *story, const char *id, uint8_t state, int64_t at_ms) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION_STATE, at_ms);
    (void)snprintf(event.id, sizeof event.id, "%s", id);
    event.code = state;
    ampel_oracle_add(&story->oracle, &event);
}

static void assert_rating(const struct story *story, int64_t at_ms, int64_t score, uint8_t colour,
                          uint8_t risk) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&story->oracle, &story->rules, at_ms, at_ms, &rating);
    assert_int_equal(rating.score, score);
    assert_int_equal(rating.colour, colour);
    assert_int_equal(rating.risk, risk);
    ampel_oracle_rating_reset(&rating);
}

static void assert_score(const struct story *story, int64_t at_ms, int64_t score) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&story->oracle, &story->rules, at_ms, at_ms, &rating);
    assert_int_equal(rating.score, score);
    ampel_oracle_rating_reset(&rating);
}

/* Rank and points of one violation. */
static void assert_place(const struct story *story, int64_t at_ms, const char *id, uint32_t rank,
                         int64_t points) {
    struct ampel_oracle_rating rating;
    bool found = false;
    ampel_oracle_rate(&story->oracle, &story->rules, at_ms, at_ms, &rating);
    for (uint32_t index = 0; index < rating.violations_count; index++) {
        if (strcmp(rating.violations[index].told->id, id) == 0) {
            found = true;
            assert_int_equal(rating.violations[index].rank, rank);
            assert_int_equal(rating.violations[index].points, points);
        }
    }
    assert_true(found);
    ampel_oracle_rating_reset(&rating);
}

static void a_new_account_has_200_and_is_green(void **state) {
    assert_rating(*state, NOON, 200, AMPEL_GREEN, AMPEL_RISK_NONE);
}

static void three_high_ones_of_a_policy_cost_8_16_32(void **state) {
    struct story *story = *state;
    orders(story, NOON - 20 * DAY, 12000, 1);
    assert_score(story, NOON, 440);
    violation(story, "a", RECEIVED_IP, AMPEL_SEVERITY_HIGH, NOON - 10 * DAY);
    assert_score(story, NOON, 432);
    violation(story, "b", RECEIVED_IP, AMPEL_SEVERITY_HIGH, NOON - 9 * DAY);
    assert_score(story, NOON, 416);
    violation(story, "c", RECEIVED_IP, AMPEL_SEVERITY_HIGH, NOON - 8 * DAY);
    assert_score(story, NOON, 384);
    becomes(story, "a", AMPEL_STATE_APPROVED, NOON - DAY);
    assert_score(story, NOON, 392);
    assert_place(story, NOON, "c", 2, 32);
    assert_place(story, NOON, "b", 1, 16);
    story->rules.anchor = AMPEL_ANCHOR_RERANK;
    assert_score(story, NOON, 416);
}

static void the_fifth_infringement_is_an_immediate_risk(void **state) {
    struct story *story = *state;
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (int index = 0; index < 5; index++) {
        violation(story, ids[index], SUSPECTED_IP, AMPEL_SEVERITY_LOW, NOON - (9 - index) * DAY);
    }
    assert_rating(story, NOON, 138, AMPEL_YELLOW, AMPEL_RISK_IMMEDIATE);
    assert_rating(story, NOON - 5 * DAY - 1, 170, AMPEL_YELLOW, AMPEL_RISK_AT_RISK);
    story->rules.cap_effect = AMPEL_CAP_ZERO;
    assert_rating(story, NOON, 0, AMPEL_RED, AMPEL_RISK_IMMEDIATE);
}

static void the_second_restricted_product_is_an_immediate_risk(void **state) {
    struct story *story = *state;
    violation(story, "a", RESTRICTED, AMPEL_SEVERITY_NOT_GIVEN, NOON - 2 * DAY);
    violation(story, "b", RESTRICTED, AMPEL_SEVERITY_NOT_GIVEN, NOON - DAY);
    assert_rating(story, NOON, 176, AMPEL_YELLOW, AMPEL_RISK_IMMEDIATE);
    becomes(story, "b", AMPEL_STATE_ACKNOWLEDGED, NOON);
    assert_rating(story, NOON, 192, AMPEL_YELLOW, AMPEL_RISK_IMMEDIATE);
    becomes(story, "b", AMPEL_STATE_EDITED, NOON);
    assert_rating(story, NOON, 192, AMPEL_YELLOW, AMPEL_RISK_AT_RISK);
}

static void an_open_critical_one_holds_the_score_at_0(void **state) {
    struct story *story = *state;
    orders(story, NOON - DAY, 40000, 1);
    violation(story, "a", SAFETY, AMPEL_SEVERITY_CRITICAL, NOON - DAY);
    assert_rating(story, NOON, 0, AMPEL_RED, AMPEL_RISK_ELIGIBLE);
    story->rules.critical_mode = AMPEL_CRITICAL_CAP;
    story->rules.critical_value = 99;
    assert_score(story, NOON, 99);
    story->rules.critical_mode = AMPEL_CRITICAL_POINTS;
    story->rules.critical_value = 16;
    assert_score(story, NOON, 984);
    story->rules.critical_mode = AMPEL_CRITICAL_ZERO;
    becomes(story, "a", AMPEL_STATE_APPROVED, NOON);
    assert_rating(story, NOON, 1000, AMPEL_GREEN, AMPEL_RISK_NONE);
}

static void points_of_its_own_take_a_critical_one_its_effect(void **state) {
    struct story *story = *state;
    struct ampel_oracle_event event = told("a", SAFETY, AMPEL_SEVERITY_CRITICAL, NOON - DAY);
    event.points = 7;
    ampel_oracle_add(&story->oracle, &event);
    assert_score(story, NOON, 193);
}

static void every_200_orders_give_4_points(void **state) {
    struct story *story = *state;
    order(story, NOON, 100);
    order(story, NOON, 99);
    assert_score(story, NOON, 200);
    order(story, NOON, 1);
    assert_score(story, NOON, 204);
    order(story, NOON, 50);
    assert_score(story, NOON, 204);
    story->rules.orders_rounding = AMPEL_ROUNDING_LINEAR;
    assert_score(story, NOON, 205);
}

static void a_day_of_orders_counts_through_the_end_of_day_179(void **state) {
    struct story *story = *state;
    int64_t day_ms = NOON - NOON % DAY;
    orders(story, NOON, 200, 1);
    assert_score(story, day_ms + 180 * DAY - 1, 204);
    assert_score(story, day_ms + 180 * DAY, 200);
}

static void a_violation_counts_from_its_at_until_just_before_180_days(void **state) {
    struct story *story = *state;
    violation(story, "a", CONDITION, AMPEL_SEVERITY_HIGH, NOON);
    assert_score(story, NOON - 1, 200);
    assert_score(story, NOON, 192);
    assert_score(story, NOON + WINDOW - 1, 192);
    assert_score(story, NOON + WINDOW, 200);
}

static void a_total_of_the_day_outweighs_increments_whenever_they_come(void **state) {
    struct story *story = *state;
    order(story, NOON, 5000);
    orders(story, NOON, 200, 1);
    order(story, NOON, 5000);
    assert_score(story, NOON, 204);
    orders(story, NOON, 400, 1);
    assert_score(story, NOON, 208);
    orders(story, NOON, 200, 2);
    assert_score(story, NOON, 204);
}

static void increments_stop_at_24_bits(void **state) {
    struct story *story = *state;
    order(story, NOON, AMPEL_ORDERS_MAX);
    order(story, NOON, AMPEL_ORDERS_MAX);
    assert_int_equal(ampel_oracle_orders_of(&story->oracle, NOON, NOON / DAY), AMPEL_ORDERS_MAX);
}

static void a_greater_rev_defines_a_violation_even_if_it_says_less(void **state) {
    struct story *story = *state;
    violation(story, "a", CONDITION, AMPEL_SEVERITY_HIGH, NOON);
    struct ampel_oracle_event event = told("a", CONDITION, AMPEL_SEVERITY_LOW, NOON - DAY);
    event.rev = 1;
    ampel_oracle_add(&story->oracle, &event);
    assert_score(story, NOON, 198);
    /* Among equal revs a severity that is given beats one that is not, whatever the default. */
    event.severity = AMPEL_SEVERITY_NOT_GIVEN;
    ampel_oracle_add(&story->oracle, &event);
    assert_score(story, NOON, 198);
}

static void a_state_counts_from_its_own_at_and_may_come_first(void **state) {
    struct story *story = *state;
    becomes(story, "a", AMPEL_STATE_APPROVED, NOON - 2 * DAY);
    assert_score(story, NOON, 200);
    violation(story, "a", CONDITION, AMPEL_SEVERITY_HIGH, NOON - DAY);
    assert_score(story, NOON, 200);
    becomes(story, "a", AMPEL_STATE_DENIED, NOON);
    assert_score(story, NOON - 1, 200);
    assert_score(story, NOON, 192);
}

static void a_repeat_is_forgiven_only_if_cleared_before_the_next_one(void **state) {
    struct story *story = *state;
    violation(story, "a", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON - 9 * DAY);
    violation(story, "b", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON - 5 * DAY);
    becomes(story, "a", AMPEL_STATE_EDITED, NOON - 5 * DAY + 1);
    assert_place(story, NOON, "b", 1, 8);
    becomes(story, "a", AMPEL_STATE_EDITED, NOON - 5 * DAY);
    assert_place(story, NOON, "b", 0, 4);
    /* What was cleared and is open again counts again. */
    becomes(story, "a", AMPEL_STATE_OPEN, NOON - DAY);
    assert_place(story, NOON, "b", 1, 8);
}

static void a_repeat_lies_less_than_a_window_before(void **state) {
    struct story *story = *state;
    violation(story, "a", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON - WINDOW);
    violation(story, "b", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON - 1);
    violation(story, "c", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON);
    assert_place(story, NOON, "b", 1, 8);
    assert_place(story, NOON, "c", 1, 8);
}

static void of_the_same_instant_the_lesser_id_is_the_earlier(void **state) {
    struct story *story = *state;
    violation(story, "b", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON);
    violation(story, "B", CONDITION, AMPEL_SEVERITY_MEDIUM, NOON);
    assert_place(story, NOON, "B", 0, 4);
    assert_place(story, NOON, "b", 1, 8);
}

static void severity_none_is_no_repeat_and_fills_no_cap(void **state) {
    struct story *story = *state;
    struct ampel_oracle_event event = told("a", RESTRICTED, AMPEL_SEVERITY_NONE, NOON - 2);
    event.points = 3;
    ampel_oracle_add(&story->oracle, &event);
    violation(story, "b", RESTRICTED, AMPEL_SEVERITY_HIGH, NOON - 1);
    violation(story, "w", WARNING, AMPEL_SEVERITY_NOT_GIVEN, NOON - 1);
    assert_rating(story, NOON, 189, AMPEL_YELLOW, AMPEL_RISK_AT_RISK);
    assert_place(story, NOON, "b", 0, 8);
}

static void ladders_end_where_their_rules_say(void **state) {
    struct story *story = *state;
    for (int index = 0; index < 7; index++) {
        char id[] = {(char)('a' + index), 0};
        violation(story, id, CONDITION, AMPEL_SEVERITY_LOW, NOON - 10 + index);
    }
    assert_place(story, NOON, "g", 6, 32);
    story->rules.ladder = AMPEL_LADDER_DOUBLE_ONCE;
    assert_place(story, NOON, "g", 6, 4);
    story->rules.ladder = AMPEL_LADDER_TABLE;
    assert_place(story, NOON, "b", 1, 4);
    assert_place(story, NOON, "g", 6, 8);
    story->rules.ladder = AMPEL_LADDER_OFF;
    assert_place(story, NOON, "g", 6, 2);
}

static void what_lies_beyond_the_clamp_is_kept(void **state) {
    struct story *story = *state;
    orders(story, NOON, 60000, 1);
    struct ampel_oracle_event event = told("a", CONDITION, AMPEL_SEVERITY_LOW, NOON);
    event.points = 100;
    ampel_oracle_add(&story->oracle, &event);
    assert_score(story, NOON, 1000);
    story->rules.clamp_before_deduction = true;
    assert_score(story, NOON, 900);
    event.points = 1000;
    ampel_oracle_add(&story->oracle, &event);
    assert_rating(story, NOON, 0, AMPEL_RED, AMPEL_RISK_ELIGIBLE);
}

static void kept_orders_hold_the_score_where_it_is(void **state) {
    struct story *story = *state;
    for (int day = 0; day < 180; day++) {
        orders(story, NOON - day * DAY, 10, 1);
    }
    uint32_t count = 0;
    free(ampel_oracle_forecast(&story->oracle, &story->rules, NOON, true, &count));
    assert_int_equal(count, 0);
    free(ampel_oracle_forecast(&story->oracle, &story->rules, NOON, false, &count));
    assert_int_equal(count, 9);
}

/* The numbers of a rule set in the order of rating-model 4; kinds and variants belong to later
 * sections. */
#define NUMBERS_COUNT 36
static void numbers_of(const struct ampel_rules *rules, int64_t out[NUMBERS_COUNT]) {
    const int64_t numbers[NUMBERS_COUNT] = {
        rules->window_days,
        rules->start,
        rules->band_green,
        rules->band_yellow,
        rules->orders_block,
        rules->orders_points,
        rules->orders_rounding,
        rules->severity_points[0],
        rules->severity_points[1],
        rules->severity_points[2],
        rules->severity_points[3],
        rules->critical_mode,
        rules->critical_value,
        rules->ladder,
        rules->ladder_factor,
        rules->ladder_max_exponent,
        rules->ladder_table_count,
        rules->ladder_table[0],
        rules->ladder_table[1],
        rules->ladder_table[2],
        rules->anchor,
        rules->cap_effect,
        rules->cap_warn_before,
        rules->cap_groups_count,
        rules->cap_groups[0].limit,
        rules->cap_groups[1].limit,
        rules->clamp_min,
        rules->clamp_max,
        rules->clamp_before_deduction,
        rules->assurance_score,
        rules->assurance_window_days,
        rules->assurance_days_below,
        rules->deadline_red_hours,
        rules->deadline_cap_hours,
        rules->takeover_hours,
        rules->takeover_threshold,
    };
    memcpy(out, numbers, sizeof numbers);
}

static void the_engine_ships_with_the_rules_of_the_model(void **state) {
    struct story *story = *state;
    struct ampel_rules shipped;
    int64_t expected[NUMBERS_COUNT], actual[NUMBERS_COUNT];
    ampel_rules_init(&shipped);
    numbers_of(&story->rules, expected);
    numbers_of(&shipped, actual);
    assert_memory_equal(actual, expected, sizeof actual);
    assert_string_equal(shipped.version, story->rules.version);
    assert_string_equal(shipped.cap_groups[0].name, "infringement");
    assert_string_equal(shipped.cap_groups[1].name, "restricted");
    assert_int_equal(ampel_registry_count(AMPEL_REGISTRY_POLICY), 13);
    for (uint32_t policy = 0; policy < 13; policy++) {
        assert_int_equal(shipped.policies[policy].group, story->rules.policies[policy].group);
        assert_int_equal(shipped.policies[policy].severity, story->rules.policies[policy].severity);
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(a_new_account_has_200_and_is_green),
        STORY(three_high_ones_of_a_policy_cost_8_16_32),
        STORY(the_fifth_infringement_is_an_immediate_risk),
        STORY(the_second_restricted_product_is_an_immediate_risk),
        STORY(an_open_critical_one_holds_the_score_at_0),
        STORY(points_of_its_own_take_a_critical_one_its_effect),
        STORY(every_200_orders_give_4_points),
        STORY(a_day_of_orders_counts_through_the_end_of_day_179),
        STORY(a_violation_counts_from_its_at_until_just_before_180_days),
        STORY(a_total_of_the_day_outweighs_increments_whenever_they_come),
        STORY(increments_stop_at_24_bits),
        STORY(a_greater_rev_defines_a_violation_even_if_it_says_less),
        STORY(a_state_counts_from_its_own_at_and_may_come_first),
        STORY(a_repeat_is_forgiven_only_if_cleared_before_the_next_one),
        STORY(a_repeat_lies_less_than_a_window_before),
        STORY(of_the_same_instant_the_lesser_id_is_the_earlier),
        STORY(severity_none_is_no_repeat_and_fills_no_cap),
        STORY(ladders_end_where_their_rules_say),
        STORY(what_lies_beyond_the_clamp_is_kept),
        STORY(kept_orders_hold_the_score_where_it_is),
        STORY(the_engine_ships_with_the_rules_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

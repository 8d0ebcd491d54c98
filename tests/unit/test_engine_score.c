/* The worked examples of rating-model 5 and the exact edges of time. */
#include "tests/unit/engine_fixture.h"

#define HIGH                    SEVERITY(AMPEL_SEVERITY_HIGH)
#define LOW                     SEVERITY(AMPEL_SEVERITY_LOW)
#define NONE                    SEVERITY(AMPEL_SEVERITY_NONE)
#define CRITICAL                SEVERITY(AMPEL_SEVERITY_CRITICAL)
#define VIOLATION(fixture, ...) SEND(fixture, .type = AMPEL_EVENT_VIOLATION, __VA_ARGS__)
#define STATE(fixture, ...)     SEND(fixture, .type = AMPEL_EVENT_VIOLATION_STATE, __VA_ARGS__)
#define ORDERS(fixture, ...)    SEND(fixture, .type = AMPEL_EVENT_ORDERS_DAY, __VA_ARGS__)

static void a_new_account_stands_at_200_green(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 0);
    struct ampel_numbers numbers = fixture_numbers(&f);
    assert_int_equal(numbers.score, 200);
    assert_int_equal(numbers.colour, AMPEL_GREEN);
    assert_int_equal(numbers.risk, AMPEL_RISK_NONE);
    fixture_close(&f);
}

static void three_high_after_12000_orders(struct fixture *f) {
    ORDERS(f, .at_ms = NOON - 10 * DAY, .count = 12000);
    assert_int_equal(fixture_score(f), 440);
    VIOLATION(f, .at_ms = NOON - 3 * DAY, .policy = 2, .severity = HIGH, .id = "a");
    assert_int_equal(fixture_score(f), 432);
    VIOLATION(f, .at_ms = NOON - 2 * DAY, .policy = 2, .severity = HIGH, .id = "b");
    assert_int_equal(fixture_score(f), 416);
    VIOLATION(f, .at_ms = NOON - 1 * DAY, .policy = 2, .severity = HIGH, .id = "c");
    assert_int_equal(fixture_score(f), 384);
    STATE(f, .at_ms = NOON, .code = AMPEL_STATE_APPROVED, .id = "a");
}

static void approving_the_first_leaves_the_ladder_of_the_others(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    three_high_after_12000_orders(&f);
    assert_int_equal(fixture_score(&f), 392);
    assert_int_equal(fixture_violation(&f, "b").points, 16);
    assert_int_equal(fixture_violation(&f, "c").points, 32);
    fixture_close(&f);
}

static void under_rerank_approving_the_first_moves_the_others_down(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.rules.anchor = AMPEL_ANCHOR_RERANK;
    fixture_reopen(&f, NOON);
    three_high_after_12000_orders(&f);
    assert_int_equal(fixture_score(&f), 416);
    fixture_close(&f);
}

static void the_fifth_infringement_reaches_the_cap(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) {
        assert_true(i == 0 || fixture_numbers(&f).risk != AMPEL_RISK_IMMEDIATE);
        VIOLATION(&f, .at_ms = NOON - (5 - i) * DAY, .policy = 0, .severity = LOW, .id = ids[i]);
    }
    struct ampel_numbers numbers = fixture_numbers(&f);
    assert_int_equal(numbers.score, 138);
    assert_int_equal(numbers.colour, AMPEL_YELLOW);
    assert_int_equal(numbers.risk, AMPEL_RISK_IMMEDIATE);
    assert_int_equal(numbers.caps[0], 5);
    fixture_close(&f);
}

static void the_second_restricted_reaches_its_cap(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 7, .id = "a");
    VIOLATION(&f, .at_ms = NOON, .policy = 7, .id = "b");
    assert_int_equal(fixture_score(&f), 176);
    assert_int_equal(fixture_numbers(&f).risk, AMPEL_RISK_IMMEDIATE);
    fixture_close(&f);
}

static void an_open_critical_one_is_zero_and_approved_it_is_gone(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 40000);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = CRITICAL, .id = "a");
    assert_int_equal(fixture_score(&f), 0);
    assert_int_equal(fixture_numbers(&f).colour, AMPEL_RED);
    assert_int_equal(fixture_numbers(&f).deducted, 0);
    STATE(&f, .at_ms = NOON, .code = AMPEL_STATE_APPROVED, .id = "a");
    assert_int_equal(fixture_score(&f), 1000);
    fixture_close(&f);
}

static void points_of_its_own_override_even_critical(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 2, .severity = CRITICAL, .id = "a", .points = 7);
    assert_int_equal(fixture_score(&f), 193);
    assert_int_equal(fixture_numbers(&f).criticals, 0);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = LOW, .id = "b");
    assert_int_equal(fixture_violation(&f, "b").rank, 1);
    fixture_close(&f);
}

static void severity_none_is_neither_repeat_nor_cap_even_with_points(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 7, .severity = NONE, .id = "a", .points = 9);
    VIOLATION(&f, .at_ms = NOON, .policy = 7, .severity = LOW, .id = "b");
    assert_int_equal(fixture_score(&f), 200 - 9 - 2);
    assert_int_equal(fixture_numbers(&f).caps[1], 1);
    assert_int_equal(fixture_violation(&f, "b").rank, 0);
    fixture_close(&f);
}

static void order_points_come_in_whole_blocks(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 199);
    assert_int_equal(fixture_score(&f), 200);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    assert_int_equal(fixture_score(&f), 204);
    f.rules.orders_rounding = AMPEL_ROUNDING_LINEAR;
    fixture_reopen(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 199);
    assert_int_equal(fixture_score(&f), 203);
    fixture_close(&f);
}

static void an_order_counts_through_the_last_millisecond_of_its_180th_day(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 400);
    int64_t last_ms = (NOON / DAY + 180) * DAY - 1;
    fixture_advance(&f, last_ms);
    assert_int_equal(fixture_score(&f), 208);
    fixture_advance(&f, last_ms + 1);
    assert_int_equal(fixture_score(&f), 200);
    assert_int_equal(fixture_numbers(&f).orders, 0);
    fixture_close(&f);
}

static void a_shorter_window_loses_orders_and_violations_earlier(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.rules.window_days = 30;
    fixture_reopen(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 400);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = LOW, .id = "a");
    fixture_advance(&f, (NOON / DAY + 30) * DAY - 1);
    assert_int_equal(fixture_score(&f), 206);
    fixture_advance(&f, (NOON / DAY + 30) * DAY);
    assert_int_equal(fixture_score(&f), 198);
    fixture_advance(&f, NOON + 30 * DAY);
    assert_int_equal(fixture_score(&f), 200);
    fixture_close(&f);
}

static void a_violation_leaves_at_exactly_one_window_after_it(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = HIGH, .id = "a");
    assert_int_equal(fixture_score(&f), 192);
    fixture_advance(&f, NOON + AMPEL_WINDOW_MS - 1);
    assert_int_equal(fixture_score(&f), 192);
    fixture_advance(&f, NOON + AMPEL_WINDOW_MS);
    assert_int_equal(fixture_score(&f), 200);
    assert_false(fixture_violation(&f, "a").in_window);
    fixture_close(&f);
}

static void an_event_of_the_future_counts_from_its_millisecond_on(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON + 5000, .policy = 2, .severity = HIGH, .id = "a");
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON + 5000, .count = 200);
    assert_int_equal(fixture_score(&f), 200);
    fixture_advance(&f, NOON + 4999);
    assert_int_equal(fixture_score(&f), 200);
    fixture_advance(&f, NOON + 5000);
    assert_int_equal(fixture_score(&f), 196);
    assert_int_equal(fixture_numbers(&f).orders, 200);
    fixture_close(&f);
}

static void the_greatest_revision_defines_the_violation_whenever_it_came(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - 5 * DAY, .policy = 2, .severity = LOW, .id = "a", .rev = 2);
    VIOLATION(&f, .at_ms = NOON - 1 * DAY, .policy = 3, .severity = HIGH, .id = "a", .rev = 1);
    struct ampel_violation violation = fixture_violation(&f, "a");
    assert_int_equal(violation.rev, 2);
    assert_int_equal(violation.at_ms, NOON - 5 * DAY);
    assert_int_equal(violation.policy, 2);
    VIOLATION(&f, .at_ms = NOON - 5 * DAY, .policy = 2, .severity = LOW, .id = "a", .rev = 2,
              .incident = "i1");
    assert_int_equal(fixture_violation(&f, "a").incident.size, 2);
    VIOLATION(&f, .at_ms = NOON - 5 * DAY, .policy = 2, .severity = LOW, .id = "a", .rev = 2);
    assert_int_equal(fixture_violation(&f, "a").incident.size, 2);
    assert_int_equal(fixture_score(&f), 198);
    fixture_close(&f);
}

static void a_state_waits_for_its_violation(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    STATE(&f, .at_ms = NOON - DAY, .code = AMPEL_STATE_RETRACTED, .id = "a");
    assert_int_equal(fixture_violation(&f, "a").at_ms, -1);
    VIOLATION(&f, .at_ms = NOON - 2 * DAY, .policy = 2, .severity = HIGH, .id = "a");
    assert_int_equal(fixture_score(&f), 200);
    assert_int_equal(fixture_violation(&f, "a").state, AMPEL_STATE_RETRACTED);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = HIGH, .id = "b");
    assert_int_equal(fixture_violation(&f, "b").rank, 0);
    fixture_close(&f);
}

static void of_states_at_one_instant_the_greater_rank_stands(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - 2 * DAY, .policy = 2, .severity = HIGH, .id = "a");
    STATE(&f, .at_ms = NOON, .code = AMPEL_STATE_ACKNOWLEDGED, .id = "a");
    STATE(&f, .at_ms = NOON, .code = AMPEL_STATE_DENIED, .id = "a");
    assert_int_equal(fixture_violation(&f, "a").state, AMPEL_STATE_ACKNOWLEDGED);
    STATE(&f, .at_ms = NOON - 1, .code = AMPEL_STATE_APPROVED, .id = "a");
    assert_int_equal(fixture_violation(&f, "a").state, AMPEL_STATE_ACKNOWLEDGED);
    assert_int_equal(fixture_violation(&f, "a").cleared_since_ms, NOON - 1);
    fixture_close(&f);
}

static void a_cleared_one_is_no_repeat_from_the_instant_it_was_cleared(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - 9 * DAY, .policy = 2, .severity = HIGH, .id = "a");
    VIOLATION(&f, .at_ms = NOON - 5 * DAY - 1, .policy = 2, .severity = HIGH, .id = "b");
    VIOLATION(&f, .at_ms = NOON - 5 * DAY, .policy = 2, .severity = HIGH, .id = "c");
    STATE(&f, .at_ms = NOON - 5 * DAY, .code = AMPEL_STATE_EDITED, .id = "a");
    assert_int_equal(fixture_violation(&f, "b").rank, 1);
    assert_int_equal(fixture_violation(&f, "c").rank, 1);
    STATE(&f, .at_ms = NOON, .code = AMPEL_STATE_OPEN, .id = "a");
    assert_int_equal(fixture_violation(&f, "c").rank, 2);
    STATE(&f, .at_ms = NOON + 0, .code = AMPEL_STATE_APPROVED, .id = "a");
    assert_int_equal(fixture_violation(&f, "c").rank, 1);
    assert_int_equal(fixture_score(&f), 200 - 16 - 16);
    fixture_close(&f);
}

static void a_repeat_reaches_back_less_than_one_window(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - AMPEL_WINDOW_MS, .policy = 2, .severity = HIGH, .id = "a");
    VIOLATION(&f, .at_ms = NOON - AMPEL_WINDOW_MS + 1, .policy = 2, .severity = HIGH, .id = "b");
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = HIGH, .id = "c");
    assert_int_equal(fixture_violation(&f, "c").rank, 1);
    assert_int_equal(fixture_score(&f), 200 - 16 - 16);
    fixture_close(&f);
}

static void points_lost_beyond_the_clamp_are_kept(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 60000);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .id = "a", .points = 100);
    assert_int_equal(fixture_score(&f), 1000);
    f.rules.clamp_before_deduction = true;
    fixture_reopen(&f, NOON);
    ORDERS(&f, .at_ms = NOON, .count = 60000);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .id = "a", .points = 100);
    assert_int_equal(fixture_score(&f), 900);
    fixture_close(&f);
}

static void critical_modes_cap_and_points_leave_a_score(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.rules.critical_mode = AMPEL_CRITICAL_CAP;
    f.rules.critical_value = 99;
    fixture_reopen(&f, NOON);
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = CRITICAL, .id = "a");
    assert_int_equal(fixture_score(&f), 99);
    f.rules.critical_mode = AMPEL_CRITICAL_POINTS;
    f.rules.critical_value = 16;
    fixture_reopen(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - 1, .policy = 2, .severity = CRITICAL, .id = "a");
    VIOLATION(&f, .at_ms = NOON, .policy = 2, .severity = CRITICAL, .id = "b");
    assert_int_equal(fixture_score(&f), 200 - 16 - 32);
    fixture_close(&f);
}

static void a_zero_cap_takes_the_score_as_well(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.rules.cap_effect = AMPEL_CAP_ZERO;
    fixture_reopen(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - 1, .policy = 7, .id = "a");
    assert_int_equal(fixture_score(&f), 192);
    VIOLATION(&f, .at_ms = NOON, .policy = 7, .id = "b");
    assert_int_equal(fixture_score(&f), 0);
    assert_int_equal(fixture_numbers(&f).risk, AMPEL_RISK_IMMEDIATE);
    fixture_close(&f);
}

static void other_rules_recompute_everything_and_back(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    three_high_after_12000_orders(&f);
    ampel_engine_changes_clear(f.engine);
    f.rules.anchor = AMPEL_ANCHOR_RERANK;
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&f), 416);
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].kind, AMPEL_CHANGE_SCORE);
    assert_int_equal(changes[0].cause.kind, AMPEL_CAUSE_RULES);
    assert_int_equal(changes[0].before.score, 392);
    f.rules.window_days = 2;
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&f), 200 - 16);
    ampel_rules_init(&f.rules);
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&f), 392);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_account_stands_at_200_green),
        cmocka_unit_test(approving_the_first_leaves_the_ladder_of_the_others),
        cmocka_unit_test(under_rerank_approving_the_first_moves_the_others_down),
        cmocka_unit_test(the_fifth_infringement_reaches_the_cap),
        cmocka_unit_test(the_second_restricted_reaches_its_cap),
        cmocka_unit_test(an_open_critical_one_is_zero_and_approved_it_is_gone),
        cmocka_unit_test(points_of_its_own_override_even_critical),
        cmocka_unit_test(severity_none_is_neither_repeat_nor_cap_even_with_points),
        cmocka_unit_test(order_points_come_in_whole_blocks),
        cmocka_unit_test(an_order_counts_through_the_last_millisecond_of_its_180th_day),
        cmocka_unit_test(a_shorter_window_loses_orders_and_violations_earlier),
        cmocka_unit_test(a_violation_leaves_at_exactly_one_window_after_it),
        cmocka_unit_test(an_event_of_the_future_counts_from_its_millisecond_on),
        cmocka_unit_test(the_greatest_revision_defines_the_violation_whenever_it_came),
        cmocka_unit_test(a_state_waits_for_its_violation),
        cmocka_unit_test(of_states_at_one_instant_the_greater_rank_stands),
        cmocka_unit_test(a_cleared_one_is_no_repeat_from_the_instant_it_was_cleared),
        cmocka_unit_test(a_repeat_reaches_back_less_than_one_window),
        cmocka_unit_test(points_lost_beyond_the_clamp_are_kept),
        cmocka_unit_test(critical_modes_cap_and_points_leave_a_score),
        cmocka_unit_test(a_zero_cap_takes_the_score_as_well),
        cmocka_unit_test(other_rules_recompute_everything_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is told before it comes (engine/clocks.h, engine/leaving.h): what the random stories of test_beside do not reach. */
#include "tests/unit/engine_fixture.h"

static void critical(struct fixture *f, const char *seller) {
    SEND(f, .type = AMPEL_EVENT_VIOLATION, .at_ms = ampel_engine_now(f->engine), .policy = 4,
         .severity = SEVERITY(4), .id = "c", .seller = seller);
}

/* The changes of a kind since the last clear, which it is. */
static uint32_t take(struct fixture *f, uint8_t kind, struct ampel_change out[8]) {
    uint32_t count, found = 0;
    const struct ampel_change *changes = ampel_engine_changes(f->engine, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].kind == kind && found < 8) out[found++] = changes[i];
    }
    ampel_engine_changes_clear(f->engine);
    return found;
}

static bool clock_of(const struct fixture *f, const char *seller, struct ampel_clock_run *out) {
    uint32_t cursor = 0;
    return ampel_engine_clock_next(f->engine, fixture_slot(f, seller), &cursor, out);
}

/* 400 orders that leave in 20 days, and points that are missing without them. */
static void green_for_now(struct fixture *f) {
    int64_t now_ms = ampel_engine_now(f->engine);
    SEND(f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = now_ms - 160 * DAY, .count = 400);
    SEND(f, .type = AMPEL_EVENT_VIOLATION, .at_ms = now_ms, .policy = 4, .severity = SEVERITY(3),
         .id = "v");
    assert_int_equal(fixture_score(f), 200);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void a_clock_of_twelve_hours_warns_four_hours_before_alone(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    f.rules.deadline_red_hours = 12;
    fixture_reopen(&f, NOON);
    critical(&f, "S1");
    fixture_advance(&f, NOON + 100 * HOUR);
    assert_int_equal(take(&f, AMPEL_CHANGE_DEADLINE_NEAR, told), 1);
    assert_int_equal(told[0].at_ms, NOON + 8 * HOUR);
    assert_int_equal(told[0].amount, 4);
    assert_int_equal(told[0].cause.kind, AMPEL_CAUSE_CLOCK);
    assert_int_equal(told[0].cause.code, AMPEL_CLOCK_RED);
    assert_int_equal(told[0].cause.at_ms, NOON);
    fixture_close(&f);
}

static void a_clock_of_four_hours_warns_never(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    f.rules.deadline_red_hours = 4;
    fixture_reopen(&f, NOON);
    critical(&f, "S1");
    fixture_advance(&f, NOON + 100 * HOUR);
    assert_int_equal(take(&f, AMPEL_CHANGE_DEADLINE_NEAR, told), 0);
    fixture_close(&f);
}

static void a_running_clock_keeps_the_deadline_that_it_started_with(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_clock_run run;
    fixture_open(&f, NOON);
    critical(&f, "S1");
    f.rules.deadline_red_hours = 10;
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    critical(&f, "S2");
    assert_true(clock_of(&f, "S1", &run));
    assert_int_equal(run.deadline_ms, NOON + 72 * HOUR);
    assert_true(clock_of(&f, "S2", &run));
    assert_int_equal(run.deadline_ms, NOON + 10 * HOUR);
    fixture_close(&f);
}

static void other_rules_start_a_clock_and_stop_it(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_clock_run run;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    f.rules.start = 50;
    fixture_advance(&f, NOON + HOUR);
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_true(clock_of(&f, "S1", &run));
    assert_int_equal(run.started_ms, NOON + HOUR);
    f.rules.start = 200;
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_false(clock_of(&f, "S1", &run));
    fixture_close(&f);
}

static void each_cap_has_a_clock_of_its_own(void **state) {
    (void)state;
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    struct fixture f;
    struct ampel_clock_run run;
    uint32_t cursor = 0;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON, .count = 40000);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ids); i++) {
        SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 0, .id = ids[i],
             .severity = SEVERITY(1));
    }
    fixture_advance(&f, NOON + HOUR);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 7, .id = "r1");
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 7, .id = "r2");
    uint32_t slot = fixture_slot(&f, "S1");
    for (uint8_t group = 0; group < 2; group++) {
        assert_true(ampel_engine_clock_next(f.engine, slot, &cursor, &run));
        assert_int_equal(run.kind, AMPEL_CLOCK_CAP);
        assert_int_equal(run.cap_group, group);
        assert_int_equal(run.started_ms, NOON + group * HOUR);
    }
    /* One falls under its limit, the other runs on. */
    SEND(&f, .type = AMPEL_EVENT_VIOLATION_STATE, .at_ms = NOON + HOUR, .id = "a",
         .code = AMPEL_STATE_APPROVED);
    assert_true(clock_of(&f, "S1", &run));
    assert_int_equal(run.cap_group, 1);
    fixture_close(&f);
}

static void a_backfill_starts_clocks_with_its_summary(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_clock_run run;
    fixture_open(&f, NOON);
    f.backfill = true;
    critical(&f, "S1");
    assert_false(clock_of(&f, "S1", &run));
    fixture_advance(&f, NOON + HOUR);
    assert_true(clock_of(&f, "S1", &run));
    assert_int_equal(run.started_ms, NOON + AMPEL_BACKFILL_QUIET_MS);
    fixture_close(&f);
}

/* ---- green that will end -------------------------------------------------------------------- */

static void the_end_of_green_is_told_at_the_midnight_a_fortnight_before(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    int64_t end_ms = (NOON / DAY + 20) * DAY;
    fixture_open(&f, NOON);
    green_for_now(&f);
    fixture_advance(&f, end_ms - 14 * DAY - 1);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 0);
    fixture_advance(&f, end_ms);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].at_ms, end_ms - 14 * DAY);
    assert_int_equal(told[0].deadline_ms, end_ms);
    assert_int_equal(told[0].amount, 192);
    assert_int_equal(told[0].cause.kind, AMPEL_CAUSE_MIDNIGHT);
    assert_int_equal(fixture_score(&f), 192);
    fixture_close(&f);
}

static void a_violation_that_brings_the_end_near_is_its_cause(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 170 * DAY, .count = 400);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 4, .severity = SEVERITY(3),
         .id = "v");
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].cause.kind, AMPEL_CAUSE_EVENT);
    assert_memory_equal(told[0].cause.id, "v", 1);
    assert_int_equal(told[0].deadline_ms, (NOON / DAY + 10) * DAY);
    fixture_close(&f);
}

static void fewer_orders_of_a_day_than_told_bring_the_end_near(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON, .count = 399, .rev = 1);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 170 * DAY, .count = 200);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 4, .severity = SEVERITY(2),
         .id = "v");
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 0);
    /* 599 or 399 orders are 8 or 4 points, either is enough; without the old day only 399 are. */
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON, .count = 100, .rev = 2);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].cause.event_type, AMPEL_EVENT_ORDERS_DAY);
    assert_int_equal(told[0].amount, 196);
    fixture_close(&f);
}

static void other_rules_can_bring_the_end_near(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 175 * DAY, .count = 400);
    f.rules.start = 195;
    assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].cause.kind, AMPEL_CAUSE_RULES);
    assert_int_equal(told[0].amount, 195);
    fixture_close(&f);
}

static void a_backfill_tells_the_end_with_its_summary(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    f.backfill = true;
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 170 * DAY, .count = 400);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 4, .severity = SEVERITY(3),
         .id = "v");
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 0);
    fixture_advance(&f, NOON + HOUR);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].cause.kind, AMPEL_CAUSE_BACKFILL);
    fixture_close(&f);
}

static void orders_that_come_take_the_end_away_and_later_it_is_told_again(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    green_for_now(&f);
    fixture_advance(&f, NOON + 10 * DAY);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON + 10 * DAY, .count = 400);
    fixture_advance(&f, NOON + 11 * DAY);
    /* The violation would leave before the new orders: another one keeps costing. */
    fixture_advance(&f, NOON + 100 * DAY);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON + 100 * DAY, .policy = 6,
         .severity = SEVERITY(3), .id = "w");
    assert_int_equal(fixture_score(&f), 192);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION_STATE, .at_ms = NOON + 100 * DAY, .id = "v",
         .code = AMPEL_STATE_APPROVED);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 0);
    fixture_advance(&f, NOON + 190 * DAY);
    assert_int_equal(take(&f, AMPEL_CHANGE_WILL_TURN, told), 1);
    assert_int_equal(told[0].deadline_ms, (NOON / DAY + 190) * DAY);
    fixture_close(&f);
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void what_was_told_is_not_told_again_after_a_recovery(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change told[8];
    fixture_open(&f, NOON);
    green_for_now(&f);
    critical(&f, "S2");
    fixture_advance(&f, NOON + 7 * DAY);
    assert_int_equal(take(&f, AMPEL_CHANGE_DEADLINE_NEAR, told), 2);
    struct fixture_image image = fixture_export(f.engine);
    fixture_reopen(&f, 0);
    assert_int_equal(fixture_import(f.engine, &image), AMPEL_ENGINE_OK);
    struct fixture_image again = fixture_export(f.engine);
    assert_true(fixture_image_equal(&image, &again));
    fixture_advance(&f, NOON + 9 * DAY);
    uint32_t count;
    (void)ampel_engine_changes(f.engine, &count);
    assert_int_equal(count, 0);
    fixture_image_free(&image);
    fixture_image_free(&again);
    fixture_close(&f);
}

/* The page of one red account, with other bytes of its clock. */
static enum ampel_engine_status bent(const struct fixture_image *image, uint32_t back,
                                     uint8_t value) {
    struct fixture g;
    fixture_open(&g, NOON);
    uint8_t page[4096];
    uint32_t size = image->page_sizes[0];
    memcpy(page, image->pages[0], size);
    page[size - back] = value;
    enum ampel_engine_status status =
        ampel_engine_meta_import(g.engine, image->meta, image->meta_size);
    if (status == AMPEL_ENGINE_OK) status = ampel_engine_page_import(g.engine, 0, page, size);
    fixture_close(&g);
    return status;
}

static void a_clock_that_no_engine_wrote_is_refused(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    critical(&f, "S1");
    struct fixture_image image = fixture_export(f.engine);
    uint32_t size = image.page_sizes[0];
    /* From behind: the end, the deadline and the start of 8 bytes, what was told, which clock. */
    assert_int_equal(image.pages[0][size - 1], 0);
    assert_int_equal(bent(&image, 19, AMPEL_CLOCK_RED), AMPEL_ENGINE_OK);
    /* Of a cap that is not reached: it stops. */
    assert_int_equal(bent(&image, 19, AMPEL_CLOCK_CAP + 1), AMPEL_ENGINE_OK);
    assert_int_equal(bent(&image, 19, AMPEL_CLOCK_CAP + AMPEL_CAP_GROUPS_MAX),
                     AMPEL_ENGINE_BAD_BYTES);
    assert_int_equal(bent(&image, 18, 4), AMPEL_ENGINE_BAD_BYTES);
    assert_int_equal(bent(&image, 10, 0x7f), AMPEL_ENGINE_BAD_BYTES); /* a start to come */
    assert_int_equal(bent(&image, 2, 0x7f), AMPEL_ENGINE_BAD_BYTES);  /* a deadline too far */
    assert_int_equal(bent(&image, 4, 0), AMPEL_ENGINE_BAD_BYTES); /* a deadline before its start */
    fixture_image_free(&image);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_of_twelve_hours_warns_four_hours_before_alone),
        cmocka_unit_test(a_clock_of_four_hours_warns_never),
        cmocka_unit_test(a_running_clock_keeps_the_deadline_that_it_started_with),
        cmocka_unit_test(other_rules_start_a_clock_and_stop_it),
        cmocka_unit_test(each_cap_has_a_clock_of_its_own),
        cmocka_unit_test(a_backfill_starts_clocks_with_its_summary),
        cmocka_unit_test(the_end_of_green_is_told_at_the_midnight_a_fortnight_before),
        cmocka_unit_test(a_violation_that_brings_the_end_near_is_its_cause),
        cmocka_unit_test(fewer_orders_of_a_day_than_told_bring_the_end_near),
        cmocka_unit_test(other_rules_can_bring_the_end_near),
        cmocka_unit_test(a_backfill_tells_the_end_with_its_summary),
        cmocka_unit_test(orders_that_come_take_the_end_away_and_later_it_is_told_again),
        cmocka_unit_test(what_was_told_is_not_told_again_after_a_recovery),
        cmocka_unit_test(a_clock_that_no_engine_wrote_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is told of takeover cases (engine/case_clocks.h): phases, and clocks before they run out. */
#include "engine/case_clocks.h"
#include "engine/incident.h"
#include "tests/oracle/random.h"
#include "tests/unit/engine_fixture.h"

#include <inttypes.h>
#include <stdio.h>

enum { NORMAL = 0, DEACTIVATED = 2 };
enum { LOCK = 0, REMOVAL = 1, REMOVAL_NOTICE = 2, APPEAL = 3, FUNDS = 4, LETTER = 9, WATCH = 11 };

#define TOLD_MAX 256

struct told {
    struct ampel_change list[TOLD_MAX];
    uint32_t count;
};

/* Adds the changes of a kind since the last clear, which it is. */
static void take(struct fixture *f, uint8_t kind, struct told *told) {
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(f->engine, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].kind != kind) continue;
        assert_true(told->count < TOLD_MAX);
        told->list[told->count++] = changes[i];
    }
    ampel_engine_changes_clear(f->engine);
}

static void assert_told(const struct ampel_change *change, uint8_t clock, int64_t at_ms, int32_t hours) {
    assert_int_equal(change->cause.kind, AMPEL_CAUSE_CASE_CLOCK);
    assert_int_equal(change->cause.code, clock);
    assert_int_equal(change->at_ms, at_ms);
    assert_int_equal(change->amount, hours);
    assert_int_equal(change->deadline_ms, at_ms + hours * HOUR);
    assert_int_equal(change->cause.id_size, 1);
    assert_int_equal(change->cause.id[0], 'i');
}

static void phase(struct fixture *f, uint8_t code) {
    SEND(f, .type = AMPEL_EVENT_INCIDENT, .at_ms = ampel_engine_now(f->engine), .id = "i", .code = code,
         .compromised_from_ms = code == AMPEL_INCIDENT_OPENED ? NOON - HOUR : 0);
}

static void clock_say(struct fixture *f, uint8_t code, int64_t until_ms, bool settled) {
    SEND(f, .type = AMPEL_EVENT_CASE_CLOCK, .at_ms = ampel_engine_now(f->engine), .id = "i", .code = code,
         .until_ms = until_ms, .settled = settled);
}

static void status(struct fixture *f, uint8_t code) {
    SEND(f, .type = AMPEL_EVENT_ACCOUNT_STATUS, .at_ms = ampel_engine_now(f->engine), .code = code);
}

/* ---- phases --------------------------------------------------------------------------------- */

static void a_phase_is_told_when_it_is_told_and_not_when_it_is_repeated(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    for (uint8_t code = 0; code < AMPEL_INCIDENT_PHASES_COUNT; code++) {
        phase(&f, code);
        phase(&f, code);
    }
    take(&f, AMPEL_CHANGE_INCIDENT_CHANGED, &told);
    assert_int_equal(told.count, AMPEL_INCIDENT_PHASES_COUNT);
    for (uint8_t code = 0; code < AMPEL_INCIDENT_PHASES_COUNT; code++) {
        assert_int_equal(told.list[code].cause.code, code);
        assert_int_equal(told.list[code].cause.event_type, AMPEL_EVENT_INCIDENT);
        assert_int_equal(told.list[code].since_ms, code == AMPEL_INCIDENT_OPENED ? NOON - HOUR : 0);
    }
    fixture_close(&f);
}

static void a_phase_of_a_backfill_is_not_told(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    f.backfill = true;
    phase(&f, AMPEL_INCIDENT_OPENED);
    take(&f, AMPEL_CHANGE_INCIDENT_CHANGED, &told);
    assert_int_equal(told.count, 0);
    fixture_close(&f);
}

static void a_phase_that_waits_for_its_time_is_told_then(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON + HOUR / 20, .id = "i", .code = AMPEL_INCIDENT_OPENED);
    take(&f, AMPEL_CHANGE_INCIDENT_CHANGED, &told);
    assert_int_equal(told.count, 0);
    fixture_advance(&f, NOON + HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CHANGED, &told);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.list[0].at_ms, NOON + HOUR / 20);
    fixture_close(&f);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void the_lock_is_near_until_the_intruder_is_out(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    phase(&f, AMPEL_INCIDENT_OPENED);
    int64_t lock_ms = NOON - HOUR + 120 * HOUR;
    fixture_advance(&f, lock_ms - 24 * HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 2);
    assert_told(&told.list[0], LOCK, lock_ms - 72 * HOUR, 72);
    assert_told(&told.list[1], LOCK, lock_ms - 24 * HOUR, 24);
    phase(&f, AMPEL_INCIDENT_CONTAINED);
    fixture_advance(&f, lock_ms + DAY);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 2);
    fixture_close(&f);
}

static void a_deactivation_starts_three_clocks_and_the_way_back_stops_them(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    phase(&f, AMPEL_INCIDENT_OPENED);
    phase(&f, AMPEL_INCIDENT_CONTAINED);
    status(&f, DEACTIVATED);
    fixture_advance(&f, NOON + 680 * HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 4);
    assert_told(&told.list[0], APPEAL, NOON + (408 - 72) * HOUR, 72);
    assert_told(&told.list[2], APPEAL, NOON + (408 - 4) * HOUR, 4);
    assert_told(&told.list[3], REMOVAL, NOON + (720 - 72) * HOUR, 72);
    /* Asked for a longer deadline: settled. Reopened: it runs as before. */
    clock_say(&f, REMOVAL, 0, true);
    fixture_advance(&f, NOON + 700 * HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 4);
    clock_say(&f, REMOVAL, 0, false);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 5);
    assert_told(&told.list[4], REMOVAL, NOON + 700 * HOUR, 20);
    status(&f, NORMAL);
    fixture_advance(&f, NOON + 2000 * HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 5);
    fixture_close(&f);
}

static void a_deactivation_from_before_the_takeover_starts_none(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON - 2 * HOUR);
    status(&f, DEACTIVATED);
    fixture_advance(&f, NOON);
    phase(&f, AMPEL_INCIDENT_OPENED);
    phase(&f, AMPEL_INCIDENT_CONTAINED);
    fixture_advance(&f, NOON + 2000 * HOUR);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 0);
    fixture_close(&f);
}

static void what_people_say_of_a_clock_counts_and_needs_its_case(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    clock_say(&f, LETTER, NOON + 14 * DAY, false);
    fixture_advance(&f, NOON + 12 * DAY);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 0); /* no such case yet */
    phase(&f, AMPEL_INCIDENT_OPENED);
    fixture_advance(&f, NOON + 14 * DAY);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 2);
    assert_told(&told.list[0], LETTER, NOON + 13 * DAY, 24);
    /* Told when it is near already: at once. */
    clock_say(&f, REMOVAL_NOTICE, NOON + 15 * DAY, false);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 3);
    assert_told(&told.list[2], REMOVAL_NOTICE, NOON + 14 * DAY, 24);
    fixture_close(&f);
}

static void of_a_closed_case_the_watch_alone_is_left(void **state) {
    (void)state;
    struct fixture f;
    struct told told = {.count = 0};
    fixture_open(&f, NOON);
    phase(&f, AMPEL_INCIDENT_OPENED);
    status(&f, DEACTIVATED);
    clock_say(&f, LETTER, NOON + 14 * DAY, false);
    phase(&f, AMPEL_INCIDENT_CONTAINED);
    phase(&f, AMPEL_INCIDENT_CLOSED);
    fixture_advance(&f, NOON + 61 * DAY);
    take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, &told);
    assert_int_equal(told.count, 3);
    assert_told(&told.list[0], WATCH, NOON + 57 * DAY, 72);
    assert_told(&told.list[2], WATCH, NOON + 60 * DAY - 4 * HOUR, 4);
    fixture_close(&f);
}

/* ---- once, whatever happens between --------------------------------------------------------- */

/* A story of random phases, statuses and clocks; interrupted: the engine is taken down and up again after each step. */
static void story_tell(uint64_t seed, bool interrupted, struct told *told) {
    struct ampel_random random = {seed};
    struct fixture f;

    fixture_open(&f, NOON);
    for (uint32_t step = 0; step < 30; step++) {
        int64_t now_ms = ampel_engine_now(f.engine);
        uint64_t die = ampel_random_below(&random, 10);
        int64_t until_ms = now_ms + (int64_t)ampel_random_below(&random, 200) * HOUR;
        if (die < 2) phase(&f, (uint8_t)ampel_random_below(&random, 3));
        if (die == 2 || die == 3) status(&f, (uint8_t)ampel_random_below(&random, 3));
        if (die >= 4 && die < 8) {
            clock_say(&f, (uint8_t)ampel_random_below(&random, 12), ampel_random_below(&random, 4) > 0 ? until_ms : 0,
                      ampel_random_below(&random, 4) == 0);
        }
        take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, told);
        if (interrupted) {
            struct fixture_image image = fixture_export(f.engine);
            fixture_reopen(&f, now_ms);
            assert_int_equal(fixture_import(f.engine, &image), AMPEL_ENGINE_OK);
            fixture_image_free(&image);
        }
        fixture_advance(&f, now_ms + (int64_t)ampel_random_below(&random, 60) * HOUR);
        take(&f, AMPEL_CHANGE_INCIDENT_CLOCK, told);
    }
    fixture_close(&f);
}

static void no_warning_is_lost_or_told_twice_where_an_engine_comes_back_from_its_pages(void **state) {
    (void)state;
    uint32_t warnings = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static struct told whole, pieces;
        whole.count = pieces.count = 0;
        story_tell(seed, false, &whole);
        story_tell(seed, true, &pieces);
        if (whole.count != pieces.count) fail_msg("seed %" PRIu64 ": %u and %u", seed, whole.count, pieces.count);
        for (uint32_t i = 0; i < whole.count; i++) {
            assert_int_equal(whole.list[i].at_ms, pieces.list[i].at_ms);
            assert_int_equal(whole.list[i].amount, pieces.list[i].amount);
            assert_int_equal(whole.list[i].cause.code, pieces.list[i].cause.code);
        }
        warnings += whole.count;
    }
    assert_true(warnings > 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_phase_is_told_when_it_is_told_and_not_when_it_is_repeated),
        cmocka_unit_test(a_phase_of_a_backfill_is_not_told),
        cmocka_unit_test(a_phase_that_waits_for_its_time_is_told_then),
        cmocka_unit_test(the_lock_is_near_until_the_intruder_is_out),
        cmocka_unit_test(a_deactivation_starts_three_clocks_and_the_way_back_stops_them),
        cmocka_unit_test(a_deactivation_from_before_the_takeover_starts_none),
        cmocka_unit_test(what_people_say_of_a_clock_counts_and_needs_its_case),
        cmocka_unit_test(of_a_closed_case_the_watch_alone_is_left),
        cmocka_unit_test(no_warning_is_lost_or_told_twice_where_an_engine_comes_back_from_its_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

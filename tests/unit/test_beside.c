/* Assurance, drift, clocks and what is told ahead of random accounts, the engine beside the slow oracle after every
   step. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/oracle/beside.h"
#include "tests/oracle/random.h"
#include "tests/unit/engine_fixture.h"

#define STORIES 400
#define STEPS   120

struct story {
    struct fixture f;
    struct ampel_beside slow;
    struct ampel_random random;
    uint64_t seed;
    bool gentle; /* few orders, few violations and long waits: green that ends by itself */
    uint32_t violations_count, states_count; /* states come in the order of the violations */
    int64_t violation_at_ms[STEPS];
    uint32_t ahead[4]; /* told of the clocks of red, assurance and caps, and of green that ends */
};

/* ---- one step, told to both ------------------------------------------------------------------ */

static void send_order(struct story *story, int64_t at_ms) {
    struct ampel_oracle_event event;
    bool total = ampel_random_chance(&story->random, 60);
    ampel_oracle_event_init(&event, total ? AMPEL_EVENT_ORDERS_DAY : AMPEL_EVENT_ORDER, at_ms);
    event.count = (uint32_t)ampel_random_between(&story->random, 1, story->gentle ? 1500 : 6000);
    event.rev = total ? (uint16_t)ampel_random_between(&story->random, 1, 9) : 0;
    SEND(&story->f, .type = event.type, .at_ms = at_ms, .count = event.count, .rev = event.rev);
    ampel_beside_tell(&story->slow, &event);
}

static void send_violation(struct story *story, int64_t at_ms) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION, at_ms);
    event.policy = (uint8_t)ampel_random_between(&story->random, 0, 3);
    event.severity = (int8_t)ampel_random_between(&story->random, 0, story->gentle ? 3 : 4);
    uint32_t number = story->violations_count++;
    story->violation_at_ms[number] = at_ms;
    (void)snprintf(event.id, sizeof event.id, "V%u", number);
    SEND(&story->f, .type = event.type, .at_ms = at_ms, .policy = event.policy,
         .severity = SEVERITY(event.severity), .id = event.id);
    ampel_beside_tell(&story->slow, &event);
}

/* Each violation gets one state at most, so that its state at any time is known. */
static void send_state(struct story *story, int64_t at_ms) {
    struct ampel_oracle_event event;
    if (story->states_count == story->violations_count) return;
    uint32_t number = story->states_count++;
    if (at_ms < story->violation_at_ms[number]) at_ms = story->violation_at_ms[number];
    /* The state of a violation that was forgotten waits and explains nothing. */
    if (at_ms > story->violation_at_ms[number] + 2 * AMPEL_WINDOW_MS) return;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION_STATE, at_ms);
    event.code = (uint8_t)ampel_random_between(&story->random, 1, 7);
    (void)snprintf(event.id, sizeof event.id, "V%u", number);
    SEND(&story->f, .type = event.type, .at_ms = at_ms, .code = event.code, .id = event.id);
    ampel_beside_tell(&story->slow, &event);
}

static void send_profile(struct story *story) {
    bool professional = ampel_random_chance(&story->random, 90);
    bool phone = ampel_random_chance(&story->random, 90);
    int64_t now_ms = story->slow.now_ms + 1; /* each profile later than the one before */
    fixture_advance(&story->f, now_ms);
    ampel_beside_advance(&story->slow, now_ms);
    const bool values[] = {professional, phone};
    static const enum ampel_extra_tag tags[] = {AMPEL_EXTRA_PROFESSIONAL,
                                                AMPEL_EXTRA_EMERGENCY_PHONE};
    uint8_t extras[64], type = AMPEL_EVENT_PROFILE, code = AMPEL_CODE_NONE;
    struct ampel_extras_writer writer = {extras, sizeof extras, 0};
    for (uint32_t i = 0; i < 2; i++)
        assert_true(ampel_extras_put_number(&writer, tags[i], values[i]));
    uint32_t offsets[2] = {0, writer.size};
    struct ampel_frame_account account = {.seller = text("S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    struct ampel_frame frame = {
        .stamp_ms = now_ms,
        .sent_at_ms = now_ms,
        .tenant = text("t1"),
        .accounts_count = 1,
        .accounts = &account,
        .events_count = 1,
        .type = &type,
        .at = (const uint8_t *)&now_ms,
        .code = &code,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = writer.size,
    };
    assert_int_equal(ampel_engine_apply(story->f.engine, &frame, &story->f.counts),
                     AMPEL_ENGINE_OK);
    ampel_beside_profile(&story->slow, professional, phone);
}

static void send_marks(struct story *story) {
    int64_t today = story->slow.now_ms / DAY;
    int64_t first = today - ampel_random_between(&story->random, 0, 185);
    int64_t end = first + ampel_random_between(&story->random, 1, 190);
    if (end > today + 1) end = today + 1;
    for (int64_t day = first; day < end; day++) {
        int lowest = ampel_random_chance(&story->random, 4)
                         ? (int)ampel_random_between(&story->random, 0, 260)
                         : 300;
        SEND(&story->f, .type = AMPEL_EVENT_DAY_MARK, .at_ms = day * DAY, .points = lowest,
             .has_points = true);
        ampel_beside_mark(&story->slow, day, lowest);
    }
}

static void send_report(struct story *story, int64_t at_ms) {
    /* Near the truth, so that drifts repeat and change. */
    int score = fixture_score(&story->f) + (int)ampel_random_between(&story->random, -2, 2) * 4;
    if (score < 0) score = 0;
    if (score > 1000) score = 1000;
    for (uint32_t i = 0; i < story->slow.reports_count; i++) {
        if (story->slow.reports[i].at_ms == at_ms) return;
    }
    SEND(&story->f, .type = AMPEL_EVENT_OBSERVED, .at_ms = at_ms, .points = score,
         .has_points = true, .code = AMPEL_CODE_NONE);
    ampel_beside_observe(&story->slow, at_ms, score);
}

/* Each later than the one before, as profiles. */
static void send_status(struct story *story) {
    int64_t now_ms = story->slow.now_ms + 1;
    uint8_t status = (uint8_t)ampel_random_between(&story->random, 0, 2);
    fixture_advance(&story->f, now_ms);
    ampel_beside_advance(&story->slow, now_ms);
    SEND(&story->f, .type = AMPEL_EVENT_ACCOUNT_STATUS, .at_ms = now_ms, .code = status);
    ampel_beside_status(&story->slow, status);
}

static void pass_time(struct story *story) {
    int64_t now_ms = story->slow.now_ms, to_ms;
    uint64_t die = ampel_random_below(&story->random, 10);
    if (story->gentle && die < 8)
        to_ms = now_ms + ampel_random_between(&story->random, 0, 25 * DAY);
    else if (die < 4)
        to_ms = now_ms + ampel_random_between(&story->random, 0, 6 * HOUR);
    else if (die < 6)
        to_ms = (now_ms / DAY + ampel_random_between(&story->random, 1, 3)) * DAY;
    else if (die < 9)
        to_ms = now_ms + ampel_random_between(&story->random, 0, 4 * DAY);
    else
        to_ms = now_ms + ampel_random_between(&story->random, 0, 40 * DAY);
    if (to_ms / DAY - story->slow.day_first >= AMPEL_BESIDE_DAYS_MAX - 4) to_ms = now_ms;
    fixture_advance_by(&story->f, to_ms, (uint32_t)ampel_random_between(&story->random, 1, 9));
    ampel_beside_advance(&story->slow, to_ms);
}

/* An engine that reads what the first one wrote goes on in its place. */
static void recover(struct story *story) {
    struct fixture_image image = fixture_export(story->f.engine);
    ampel_engine_close(story->f.engine);
    assert_int_equal(ampel_engine_open(&story->f.options, &story->f.engine), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_import(story->f.engine, &image), AMPEL_ENGINE_OK);
    fixture_image_free(&image);
}

static void step(struct story *story) {
    int64_t late_ms = ampel_random_chance(&story->random, 50)
                          ? 0
                          : ampel_random_between(&story->random, -4 * 60000, 9 * DAY);
    int64_t at_ms = story->slow.now_ms - late_ms;
    uint64_t die = ampel_random_below(&story->random, 100);
    if (story->gentle && die >= 57 && die < 60) die = 41;
    if (die < 40)
        pass_time(story);
    else if (die < 52)
        send_order(story, at_ms);
    else if (die < 60)
        send_violation(story, at_ms);
    else if (die < 70)
        send_state(story, at_ms);
    else if (die < 87)
        send_report(story, at_ms);
    else if (die < 90)
        send_status(story);
    else if (die < 94)
        send_profile(story);
    else if (die < 97)
        send_marks(story);
    else
        recover(story);
}

/* ---- both say the same ------------------------------------------------------------------------ */

static void check_named(struct story *story) {
    uint32_t count, found = 0;
    const struct ampel_change *changes = ampel_engine_changes(story->f.engine, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_change *change = &changes[i];
        bool assurance = change->kind >= AMPEL_CHANGE_ASSURANCE_GAINED &&
                         change->kind <= AMPEL_CHANGE_ASSURANCE_NEAR;
        bool ahead =
            change->kind == AMPEL_CHANGE_WILL_TURN || change->kind == AMPEL_CHANGE_DEADLINE_NEAR;
        if (!assurance && !ahead) continue;
        assert_true(found < story->slow.named_count);
        const struct ampel_beside_named *named = &story->slow.named[found++];
        assert_int_equal(change->kind, named->kind);
        assert_int_equal(change->at_ms, named->at_ms);
        if (!ahead) continue;
        assert_int_equal(change->deadline_ms, named->deadline_ms);
        assert_int_equal(change->amount, named->amount);
        assert_int_equal(change->cap_group, named->cap_group);
        story->ahead[change->kind == AMPEL_CHANGE_WILL_TURN ? 3 : named->clock]++;
    }
    assert_int_equal(found, story->slow.named_count);
    story->slow.named_count = 0;
    ampel_engine_changes_clear(story->f.engine);
}

static void check_reports(struct story *story) {
    uint32_t cursor = 0, found = 0, known = 0;
    struct ampel_drift drift;
    while (ampel_engine_drift_next(story->f.engine, 0, &cursor, &drift)) {
        found++;
        for (uint32_t i = 0; i < story->slow.reports_count; i++) {
            const struct ampel_beside_report *report = &story->slow.reports[i];
            if (report->at_ms != drift.at_ms) continue;
            assert_true(report->known);
            assert_int_equal(drift.drift, report->drift);
            if (report->must_explain) assert_true(drift.unexplained);
            if (report->may_explain) assert_false(drift.unexplained);
        }
    }
    for (uint32_t i = 0; i < story->slow.reports_count; i++) {
        const struct ampel_beside_report *report = &story->slow.reports[i];
        known += report->known && report->at_ms / DAY >= story->slow.now_ms / DAY - 360;
    }
    assert_int_equal(found, known);
}

static void check_clocks(struct story *story) {
    struct ampel_clock_run run;
    uint32_t cursor = 0, slow = 0;
    while (ampel_engine_clock_next(story->f.engine, 0, &cursor, &run)) {
        uint32_t number = run.kind < AMPEL_CLOCK_CAP ? run.kind : AMPEL_CLOCK_CAP + run.cap_group;
        for (; slow < number; slow++)
            assert_false(story->slow.clocks[slow].runs);
        assert_true(story->slow.clocks[slow].runs);
        assert_int_equal(run.started_ms, story->slow.clocks[slow].started_ms);
        assert_int_equal(run.deadline_ms, story->slow.clocks[slow].deadline_ms);
        slow++;
    }
    for (; slow < AMPEL_ARRAY_COUNT(story->slow.clocks); slow++)
        assert_false(story->slow.clocks[slow].runs);
}

static void check(struct story *story) {
    struct ampel_assurance fast, slow;
    ampel_engine_assurance(story->f.engine, 0, &fast);
    ampel_beside_assurance(&story->slow, &slow);
    assert_int_equal(fast.days_marked, slow.days_marked);
    assert_int_equal(fast.days_below, slow.days_below);
    assert_int_equal(fast.days_to_lost, slow.days_to_lost);
    assert_int_equal(fast.eligible, slow.eligible);
    assert_int_equal(fast.near, slow.near);
    assert_int_equal(fast.today_below, slow.today_below);
    check_named(story);
    check_reports(story);
    check_clocks(story);
}

static uint64_t seed_first = 20261121, seed_last;

static void what_stands_beside_the_score_of_random_accounts_is_the_oracles(void **state) {
    (void)state;
    uint32_t gained = 0, unexplained = 0, ahead[4] = {0};
    for (uint64_t number = 0; number < STORIES; number++) {
        struct story story;
        memset(&story, 0, sizeof story);
        seed_last = seed_first + number;
        story.random = (struct ampel_random){seed_last};
        fixture_open(&story.f, NOON);
        ampel_beside_init(&story.slow, &story.f.rules, NOON);
        /* History may be taken over before the first event of its own. */
        story.gentle = number % 2 == 0;
        if (number % 3 == 0) {
            send_marks(&story);
            pass_time(&story);
        }
        send_order(&story, story.slow.now_ms);
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&story);
            check(&story);
        }
        gained += story.slow.eligible;
        for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ahead); i++)
            ahead[i] += story.ahead[i];
        for (uint32_t i = 0; i < story.slow.reports_count; i++)
            unexplained += story.slow.reports[i].must_explain;
        ampel_beside_reset(&story.slow);
        fixture_close(&story.f);
    }
    /* Else the stories would show nothing. */
    assert_true(gained > 5);
    assert_true(unexplained > 50);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ahead); i++)
        assert_true(ahead[i] > 15);
}

int main(void) {
    const char *seed = getenv("AMPEL_TEST_SEED");
    if (seed != NULL) seed_first = strtoull(seed, NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_beside_the_score_of_random_accounts_is_the_oracles),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) printf("AMPEL_TEST_SEED=%" PRIu64 "\n", seed_last);
    return failed;
}

/* What a step says: changes, their causes and deadlines, backfills, forgetting, refusals,
 * duplicates. */
#include "tests/unit/engine_fixture.h"

#define LOW                     SEVERITY(AMPEL_SEVERITY_LOW)
#define HIGH                    SEVERITY(AMPEL_SEVERITY_HIGH)
#define CRITICAL                SEVERITY(AMPEL_SEVERITY_CRITICAL)
#define VIOLATION(fixture, ...) SEND(fixture, .type = AMPEL_EVENT_VIOLATION, __VA_ARGS__)
#define STATE(fixture, ...)     SEND(fixture, .type = AMPEL_EVENT_VIOLATION_STATE, __VA_ARGS__)

/* The changes since the last call, at most 64. */
static struct ampel_change taken[64];
static uint32_t take(struct fixture *f) {
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(f->engine, &count);
    assert_true(count <= 64);
    if (count > 0) memcpy(taken, changes, count * sizeof(*changes));
    ampel_engine_changes_clear(f->engine);
    return count;
}

static void assert_id(const struct ampel_cause *cause, const char *id) {
    assert_int_equal(cause->id_size, strlen(id));
    assert_memory_equal(cause->id, id, cause->id_size);
}

static void a_new_green_account_says_one_score_and_nothing_else(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    fixture_send(&f, &(struct fixture_event){.type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY},
                 "feeder", 7);
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_SCORE);
    assert_true(taken[0].is_new);
    assert_int_equal(taken[0].before.score, 0);
    assert_int_equal(taken[0].after.score, 200);
    assert_int_equal(taken[0].at_ms, NOON);
    assert_int_equal(taken[0].position, 1007);
    assert_int_equal(taken[0].cause.kind, AMPEL_CAUSE_EVENT);
    assert_int_equal(taken[0].cause.event_type, AMPEL_EVENT_ORDER);
    assert_int_equal(taken[0].cause.at_ms, NOON - DAY);
    assert_int_equal(taken[0].cause.sequence, 7);
    assert_int_equal(taken[0].cause.policy, 255);
    assert_int_equal(taken[0].cause.producer_size, 6);
    fixture_close(&f);
}

static void a_critical_one_turns_the_account_red_with_a_deadline(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    (void)take(&f);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .severity = CRITICAL, .id = "v9");
    assert_int_equal(take(&f), 4);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_SCORE);
    assert_int_equal(taken[1].kind, AMPEL_CHANGE_COLOUR);
    assert_int_equal(taken[1].deadline_ms, NOON + 72 * HOUR);
    assert_int_equal(taken[2].kind, AMPEL_CHANGE_RISK);
    assert_int_equal(taken[3].kind, AMPEL_CHANGE_CRITICAL);
    assert_id(&taken[3].cause, "v9");
    assert_int_equal(taken[3].cause.severity, AMPEL_SEVERITY_CRITICAL);
    assert_int_equal(taken[3].cause.policy, 4);
    STATE(&f, .at_ms = NOON, .id = "v9", .code = AMPEL_STATE_ACKNOWLEDGED);
    assert_int_equal(take(&f), 3);
    assert_int_equal(taken[1].kind, AMPEL_CHANGE_COLOUR);
    assert_int_equal(taken[1].deadline_ms, 0);
    assert_int_equal(taken[1].cause.policy, 4);
    assert_int_equal(taken[1].cause.code, AMPEL_STATE_ACKNOWLEDGED);
    fixture_close(&f);
}

static void a_cap_is_near_one_before_and_reached_at_its_limit_once(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    uint32_t near = 0, reached = 0;
    for (int i = 0; i < 6; i++) {
        VIOLATION(&f, .at_ms = NOON - 1000 + i, .policy = 0, .severity = LOW, .id = ids[i]);
        uint32_t count = take(&f);
        for (uint32_t k = 0; k < count; k++) {
            if (taken[k].kind == AMPEL_CHANGE_CAP_NEAR) {
                near++;
                assert_int_equal(i, 3);
            }
            if (taken[k].kind == AMPEL_CHANGE_CAP_REACHED) {
                reached++;
                assert_int_equal(i, 4);
                assert_int_equal(taken[k].cap_group, 0);
                assert_int_equal(taken[k].deadline_ms, NOON + 72 * HOUR);
            }
        }
    }
    assert_int_equal(near, 1);
    assert_int_equal(reached, 1);
    fixture_close(&f);
}

static void a_duplicate_event_says_nothing(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v9");
    (void)take(&f);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v9");
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    assert_int_equal(take(&f), 0);
    fixture_close(&f);
}

/* One frame of several events of one account. */
static void send_two(struct fixture *f, const int64_t at[2], const uint8_t type[2],
                     const uint32_t count[2], const char *id) {
    uint8_t extras[64];
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text(id)));
    struct ampel_frame_account account = {.seller = text("S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    bool first = type[0] == AMPEL_EVENT_VIOLATION;
    uint32_t offsets[3] = {0, first ? writer.size : 0, writer.size};
    uint32_t accounts[2] = {0, 0};
    struct ampel_frame frame = {.tenant = text("t1"),
                                .accounts_count = 1,
                                .accounts = &account,
                                .events_count = 2,
                                .account = (const uint8_t *)accounts,
                                .type = type,
                                .at = (const uint8_t *)at,
                                .count = (const uint8_t *)count,
                                .extras_offset = (const uint8_t *)offsets,
                                .extras = extras,
                                .extras_size = writer.size};
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
}

static void a_frame_is_one_step_and_its_cause_is_what_moved_it_last(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 199);
    (void)take(&f);
    int64_t at[2] = {NOON - DAY, NOON - HOUR};
    uint8_t violation_first[2] = {AMPEL_EVENT_VIOLATION, AMPEL_EVENT_ORDER};
    uint32_t one[2] = {1, 1}, many[2] = {1, 500};
    /* suspected_ip, medium: -4; the 200th order: +4. Nothing to say. */
    send_two(&f, at, violation_first, one, "x1");
    assert_int_equal(f.counts.applied, 2);
    assert_int_equal(take(&f), 0);
    send_two(&f, at, violation_first, many, "x1");
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].cause.event_type, AMPEL_EVENT_ORDER);
    uint32_t few[2] = {1, 5};
    send_two(&f, at, violation_first, few, "x2");
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].cause.event_type, AMPEL_EVENT_VIOLATION);
    assert_id(&taken[0].cause, "x2");
    fixture_close(&f);
}

static void midnight_and_expiry_at_one_instant_are_one_change(void **state) {
    (void)state;
    struct fixture f;
    int64_t midnight_ms = NOON / DAY * DAY;
    fixture_open(&f, midnight_ms);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = midnight_ms, .count = 600);
    VIOLATION(&f, .at_ms = midnight_ms, .policy = 4, .severity = HIGH, .id = "v1");
    (void)take(&f);
    ampel_engine_position_set(f.engine, 77);
    fixture_advance(&f, midnight_ms + 181 * DAY);
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].at_ms, midnight_ms + AMPEL_WINDOW_MS);
    assert_int_equal(taken[0].position, 77);
    assert_int_equal(taken[0].before.score, 204);
    assert_int_equal(taken[0].after.score, 200);
    fixture_close(&f);
}

static void time_names_midnight_or_the_violation_that_left(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY, .count = 400);
    VIOLATION(&f, .at_ms = NOON, .policy = 4, .severity = HIGH, .id = "v1");
    (void)take(&f);
    fixture_advance(&f, NOON + 300 * DAY);
    /* 200 -> 192 is yellow: told before, then score, colour, risk; and back */
    assert_int_equal(take(&f), 7);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_WILL_TURN);
    assert_int_equal(taken[1].cause.kind, AMPEL_CAUSE_MIDNIGHT);
    assert_int_equal(taken[1].at_ms, (NOON / DAY + 179) * DAY);
    assert_int_equal(taken[4].cause.kind, AMPEL_CAUSE_EXPIRY);
    assert_int_equal(taken[4].at_ms, NOON + AMPEL_WINDOW_MS);
    assert_int_equal(taken[4].cause.policy, 4);
    assert_id(&taken[4].cause, "v1");
    fixture_close(&f);
}

static void an_event_that_waited_is_named_with_the_frame_that_brought_it(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    fixture_send(&f,
                 &(struct fixture_event){.type = AMPEL_EVENT_VIOLATION,
                                         .at_ms = NOON + 1000,
                                         .policy = 4,
                                         .severity = CRITICAL,
                                         .id = "v1"},
                 "feeder", 12);
    assert_int_equal(take(&f), 1);
    fixture_advance(&f, NOON + 5000);
    assert_int_equal(take(&f), 4);
    assert_int_equal(taken[0].at_ms, NOON + 1000);
    assert_int_equal(taken[0].cause.sequence, 12);
    assert_int_equal(taken[0].cause.producer_size, 6);
    assert_id(&taken[0].cause, "v1");
    fixture_close(&f);
}

static void a_violation_is_forgotten_just_after_two_windows(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_engine_counts counts;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON, .policy = 4, .id = "v1");
    STATE(&f, .at_ms = NOON, .id = "waits", .code = AMPEL_STATE_DENIED);
    fixture_advance(&f, NOON + 2 * AMPEL_WINDOW_MS);
    assert_int_equal(fixture_violation(&f, "v1").at_ms, NOON);
    (void)take(&f);
    fixture_advance(&f, NOON + 2 * AMPEL_WINDOW_MS + 1);
    assert_int_equal(fixture_violation(&f, "v1").at_ms, -1);
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_FORGOTTEN);
    assert_id(&taken[0].cause, "v1");
    ampel_engine_counts(f.engine, &counts);
    assert_int_equal(counts.violations, 0);
    fixture_close(&f);
}

static void any_later_event_of_its_id_keeps_a_violation(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON, .policy = 4, .id = "v1", .rev = 5);
    fixture_advance(&f, NOON + 100 * DAY);
    VIOLATION(&f, .at_ms = NOON + 100 * DAY, .policy = 4, .id = "v1", .rev = 1); /* loses */
    fixture_advance(&f, NOON + 460 * DAY);
    assert_int_equal(fixture_violation(&f, "v1").at_ms, NOON);
    fixture_advance(&f, NOON + 460 * DAY + 1);
    assert_int_equal(fixture_violation(&f, "v1").at_ms, -1);
    fixture_close(&f);
}

static void an_event_that_waits_keeps_its_violation_too(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    VIOLATION(&f, .at_ms = NOON, .policy = 4, .id = "v1");
    fixture_advance(&f, NOON + 2 * AMPEL_WINDOW_MS);
    STATE(&f, .at_ms = NOON + 2 * AMPEL_WINDOW_MS + 1000, .id = "v1", .code = AMPEL_STATE_DENIED);
    fixture_advance(&f, NOON + 2 * AMPEL_WINDOW_MS + 500);
    assert_int_equal(fixture_violation(&f, "v1").at_ms, NOON);
    assert_int_equal(fixture_violation(&f, "v1").state, AMPEL_STATE_OPEN);
    fixture_advance(&f, NOON + 2 * AMPEL_WINDOW_MS + 1000);
    assert_int_equal(fixture_violation(&f, "v1").state, AMPEL_STATE_DENIED);
    fixture_close(&f);
}

static void what_is_too_old_on_arrival_leaves_no_trace(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    STATE(&f, .at_ms = NOON - 2 * AMPEL_WINDOW_MS - 1, .id = "v1", .code = AMPEL_STATE_APPROVED);
    VIOLATION(&f, .at_ms = NOON - 2 * AMPEL_WINDOW_MS - 1, .policy = 4, .id = "v2");
    assert_int_equal(f.counts.applied, 1);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v1");
    assert_int_equal(fixture_violation(&f, "v1").state, AMPEL_STATE_OPEN);
    assert_int_equal(fixture_violation(&f, "v2").at_ms, -1);
    fixture_close(&f);
}

static void a_backfill_says_nothing_but_its_summary(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.backfill = true;
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .severity = CRITICAL, .id = "v1");
    assert_int_equal(take(&f), 0);
    fixture_advance(&f, NOON + 30000);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 9 * DAY, .count = 500);
    f.backfill = false;
    fixture_advance(&f, NOON + 30000 + 59999);
    assert_int_equal(take(&f), 0);
    fixture_advance(&f, NOON + 30000 + 60000);
    assert_int_equal(take(&f), 2);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_SCORE);
    assert_true(taken[0].is_new);
    assert_int_equal(taken[1].kind, AMPEL_CHANGE_BACKFILL);
    assert_int_equal(taken[1].cause.kind, AMPEL_CAUSE_BACKFILL);
    assert_int_equal(taken[1].before.score, 0);
    assert_int_equal(taken[1].after.score, 0);
    assert_int_equal(taken[1].after.orders, 500);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 9 * DAY);
    fixture_advance(&f, NOON + DAY);
    assert_int_equal(take(&f), 0);
    fixture_close(&f);
}

/* Reaches yellow, red, a cap and an open critical one, too old, approved, and back. */
static void ups_and_downs(struct fixture *f) {
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    SEND(f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 3 * DAY, .count = 900);
    for (int i = 0; i < 6; i++) {
        VIOLATION(f, .at_ms = NOON - (7 - i) * DAY, .policy = 0, .severity = SEVERITY(AMPEL_SEVERITY_LOW), .id = ids[i]);
    }
    VIOLATION(f, .at_ms = NOON - 200 * DAY, .policy = 1, .id = "old");
    VIOLATION(f, .at_ms = NOON, .policy = 2, .severity = SEVERITY(AMPEL_SEVERITY_CRITICAL), .id = "g");
    STATE(f, .at_ms = NOON, .code = AMPEL_STATE_APPROVED, .id = "b");
    STATE(f, .at_ms = NOON, .code = AMPEL_STATE_DENIED, .id = "g");
    SEND(f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY, .count = 700);
}

static void a_silent_engine_has_the_same_numbers_and_names_refusals_alone(void **state) {
    (void)state;
    struct fixture telling, silent;
    fixture_open(&telling, NOON);
    fixture_open(&silent, NOON);
    silent.options.silent = true;
    silent.options.violations_per_account_max = 8;
    fixture_reopen(&silent, NOON);
    ups_and_downs(&telling);
    ups_and_downs(&silent);
    struct ampel_numbers expected = fixture_numbers(&telling), found = fixture_numbers(&silent);
    assert_memory_equal(&found, &expected, sizeof(found));
    assert_true(take(&telling) > 5);
    assert_int_equal(take(&silent), 0);
    VIOLATION(&silent, .at_ms = NOON, .policy = 4, .id = "one too many");
    assert_int_equal(take(&silent), 1);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_REFUSED);
    fixture_close(&telling);
    fixture_close(&silent);
}

static void refusals_by_bounds_are_told(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    f.options.accounts_per_tenant_max = 1;
    f.options.violations_per_account_max = 2;
    fixture_reopen(&f, NOON);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v1");
    STATE(&f, .at_ms = NOON - DAY, .id = "v2", .code = AMPEL_STATE_DENIED);
    (void)take(&f);
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v3");
    assert_int_equal(f.counts.refused, 1);
    assert_int_equal(f.counts.applied, 0);
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].kind, AMPEL_CHANGE_REFUSED);
    assert_int_equal(taken[0].verdict, AMPEL_VERDICT_TOO_MANY_VIOLATIONS);
    assert_id(&taken[0].cause, "v3");
    VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "v2"); /* its state waits: known */
    assert_int_equal(f.counts.applied, 1);
    (void)take(&f);
    SEND(&f, .seller = "S2", .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    assert_int_equal(take(&f), 1);
    assert_int_equal(taken[0].verdict, AMPEL_VERDICT_TOO_MANY_ACCOUNTS);
    assert_int_equal(taken[0].slot, AMPEL_SLOT_NONE);
    assert_int_equal(ampel_engine_accounts_count(f.engine), 1);
    fixture_close(&f);
}

static void facts_beyond_their_bound_are_refused(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_engine_counts counts;
    fixture_open(&f, NOON);
    for (int i = 0; i < AMPEL_ACCOUNT_FACTS_MAX; i++) {
        SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON - i);
        assert_int_equal(f.counts.applied, 1);
    }
    SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON);
    assert_int_equal(f.counts.applied, 1);
    SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON, .code = 1);
    assert_int_equal(f.counts.refused, 1);
    ampel_engine_counts(f.engine, &counts);
    assert_int_equal(counts.facts, AMPEL_ACCOUNT_FACTS_MAX);
    fixture_advance(&f, (NOON / DAY + 361) * DAY);
    ampel_engine_counts(f.engine, &counts);
    assert_int_equal(counts.facts, 0);
    fixture_close(&f);
}

static struct ampel_event fact(const struct fixture *f, uint32_t index) {
    struct ampel_event event = {.at_ms = -1};
    uint32_t cursor = index;
    if (!ampel_engine_fact_next(f->engine, 0, &cursor, &event)) event.at_ms = -1;
    return event;
}

static void facts_merge_by_their_keys(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ACCOUNT_STATUS, .at_ms = NOON - 5, .code = 2);
    SEND(&f, .type = AMPEL_EVENT_ACCOUNT_STATUS, .at_ms = NOON - 9, .code = 1);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_CANCELLED, .at_ms = NOON - 5, .count = 2);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_CANCELLED, .at_ms = NOON - 9, .count = 3);
    SEND(&f, .type = AMPEL_EVENT_DAY_MARK, .at_ms = NOON - 5, .points = 300);
    SEND(&f, .type = AMPEL_EVENT_DAY_MARK, .at_ms = NOON - 9, .points = 240);
    SEND(&f, .type = AMPEL_EVENT_DAY_MARK, .at_ms = NOON - 1, .points = 260);
    assert_int_equal(fact(&f, 0).code, 2);
    assert_int_equal(fact(&f, 1).count, 5);
    assert_int_equal(fact(&f, 1).at_ms, NOON / DAY * DAY);
    assert_int_equal(fact(&f, 2).points, 240);
    assert_int_equal(fact(&f, 3).at_ms, -1);
    fixture_close(&f);
}

static void a_sequence_counts_once_in_whatever_order(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    const struct fixture_event order = {.type = AMPEL_EVENT_ORDER, .at_ms = NOON};
    static const uint64_t sequences[] = {5, 3, 5, 4, 3, 1028, 5, 4, 6, 1028, 2000};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(sequences); i++) {
        fixture_send(&f, &order, "p", sequences[i]);
    }
    /* 5, 3, 4, 1028, 6, 2000; with 1028 the window begins at 5. */
    assert_int_equal(fixture_numbers(&f).orders, 6);
    fixture_send(&f, &order, "q", 5);
    assert_false(f.counts.duplicate);
    struct ampel_producer_window window;
    uint32_t cursor = 0;
    assert_true(ampel_engine_producer_next(f.engine, &cursor, &window));
    assert_int_equal(window.base, 2000 - AMPEL_CREDIT + 1);
    assert_int_equal(window.bits[AMPEL_CREDIT / 64 - 1] >> 63, 1);
    fixture_advance(&f, NOON + 32 * DAY);
    cursor = 0;
    assert_false(ampel_engine_producer_next(f.engine, &cursor, &window));
    fixture_close(&f);
}

/* What stands behind the texts of a cause is nothing. */
static struct ampel_change *changes_copy(const struct ampel_change *changes, uint32_t count) {
    struct ampel_change *copy = malloc(count * sizeof(*copy));
    memcpy(copy, changes, count * sizeof(*copy));
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_cause *cause = &copy[i].cause;
        memset(cause->id + cause->id_size, 0, sizeof(cause->id) - cause->id_size);
        size_t end = offsetof(struct ampel_cause, producer) + cause->producer_size;
        memset((char *)cause + end, 0, sizeof(*cause) - end); /* padding, too */
    }
    return copy;
}

static void slices_of_any_width_say_the_same(void **state) {
    (void)state;
    uint32_t totals[2] = {0, 0};
    struct ampel_change *kept = NULL;
    static const uint32_t widths[2] = {UINT32_MAX, 1};
    for (int run = 0; run < 2; run++) {
        struct fixture f;
        fixture_open(&f, NOON);
        static char seller[4] = "S00";
        for (int i = 0; i < 50; i++) {
            seller[1] = (char)('0' + i / 10);
            seller[2] = (char)('0' + i % 10);
            SEND(&f, .seller = seller, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - i % 7 * DAY,
                 .count = 300);
            VIOLATION(&f, .seller = seller, .at_ms = NOON / DAY * DAY - i % 3 * DAY, .policy = 4,
                      .id = "a");
            VIOLATION(&f, .seller = seller, .at_ms = NOON - i % 5, .policy = 7, .id = "b");
            STATE(&f, .seller = seller, .at_ms = NOON + 1000, .code = AMPEL_STATE_APPROVED,
                  .id = "b");
        }
        ampel_engine_changes_clear(f.engine);
        fixture_advance_by(&f, NOON + 400 * DAY, widths[run]);
        const struct ampel_change *changes = ampel_engine_changes(f.engine, &totals[run]);
        if (run == 0) {
            kept = changes_copy(changes, totals[0]);
        } else {
            assert_int_equal(totals[0], totals[1]);
            assert_true(totals[0] > 200);
            struct ampel_change *again = changes_copy(changes, totals[1]);
            assert_memory_equal(kept, again, totals[0] * sizeof(*kept));
            free(again);
        }
        fixture_close(&f);
    }
    free(kept);
}

/* An agency may leave columns out, or write them though they say nothing: seven events, the last column that says
   anything being policy. */
static void frame_columns_send(struct fixture *f, bool spare, bool accounts_told) {
    static const uint8_t types[7] = {AMPEL_EVENT_ORDER,     AMPEL_EVENT_VIOLATION, AMPEL_EVENT_ORDER, AMPEL_EVENT_VIOLATION,
                                     AMPEL_EVENT_VIOLATION, AMPEL_EVENT_ORDER,     AMPEL_EVENT_ORDERS_DAY};
    static const uint32_t counts[7] = {15, 1, 40, 1, 1, 30, 9}, accounts[7];
    static const uint8_t policies[7] = {0, 4, 0, 4, 7, 0, 0}, severities[7] = {255, 255, 255, 255, 255, 255, 255};
    static const uint16_t points[7] = {65535, 65535, 65535, 65535, 65535, 65535, 65535}, revs[7] = {0, 0, 0, 0, 0, 0, 1};
    int64_t at[7] = {NOON, NOON - 5, NOON, NOON - 3, NOON - 4, NOON, NOON - DAY};
    uint8_t extras[64];
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("violation-a")));
    uint32_t first = writer.size;
    struct ampel_extras_writer second = {extras + first, sizeof(extras) - first, 0};
    assert_true(ampel_extras_put_text(&second, AMPEL_EXTRA_ID, text("b")));
    assert_true(ampel_extras_put_text(&second, AMPEL_EXTRA_INCIDENT, text("i")));
    uint32_t end = first + second.size;
    uint32_t offsets[8] = {0, 0, first, first, end, end, end, end};
    struct ampel_frame_account account = {.seller = text("S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    struct ampel_frame frame = {
        .stamp_ms = NOON,
        .sent_at_ms = NOON,
        .tenant = text("t1"),
        .producer = text("feeder"),
        .sequence = 1,
        .accounts_count = 1,
        .accounts = &account,
        .events_count = 7,
        .account = accounts_told ? (const uint8_t *)accounts : NULL,
        .type = types,
        .at = (const uint8_t *)at,
        .count = (const uint8_t *)counts,
        .policy = policies,
        .severity = spare ? severities : NULL,
        .code = spare ? severities : NULL,
        .points = spare ? (const uint8_t *)points : NULL,
        .rev = spare ? (const uint8_t *)revs : NULL,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = end,
    };
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
    assert_int_equal(f->counts.applied, 6);
    assert_int_equal(f->counts.refused, 1); /* the third violation has no id */
}

static void columns_that_say_nothing_may_be_there_or_not(void **state) {
    (void)state;
    uint32_t totals[4];
    struct ampel_change *told[4];
    struct ampel_numbers numbers[4];
    for (uint32_t shape = 0; shape < 4; shape++) {
        struct fixture f;
        fixture_open(&f, NOON);
        frame_columns_send(&f, (shape & 1) != 0, (shape & 2) != 0);
        const struct ampel_change *changes = ampel_engine_changes(f.engine, &totals[shape]);
        told[shape] = changes_copy(changes, totals[shape]);
        numbers[shape] = fixture_numbers(&f);
        fixture_close(&f);
    }
    assert_int_equal(totals[0], 4); /* refused; score, colour and risk */
    assert_int_equal(told[0][0].kind, AMPEL_CHANGE_REFUSED);
    assert_id(&told[0][1].cause, "b");
    assert_int_equal(numbers[0].orders, 15 + 40 + 30 + 9);
    for (uint32_t shape = 1; shape < 4; shape++) {
        assert_int_equal(totals[shape], totals[0]);
        assert_memory_equal(told[shape], told[0], totals[0] * sizeof(*told[0]));
        assert_memory_equal(&numbers[shape], &numbers[0], sizeof(numbers[0]));
    }
    for (uint32_t shape = 0; shape < 4; shape++)
        free(told[shape]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_green_account_says_one_score_and_nothing_else),
        cmocka_unit_test(a_critical_one_turns_the_account_red_with_a_deadline),
        cmocka_unit_test(a_cap_is_near_one_before_and_reached_at_its_limit_once),
        cmocka_unit_test(a_duplicate_event_says_nothing),
        cmocka_unit_test(a_frame_is_one_step_and_its_cause_is_what_moved_it_last),
        cmocka_unit_test(midnight_and_expiry_at_one_instant_are_one_change),
        cmocka_unit_test(time_names_midnight_or_the_violation_that_left),
        cmocka_unit_test(an_event_that_waited_is_named_with_the_frame_that_brought_it),
        cmocka_unit_test(a_violation_is_forgotten_just_after_two_windows),
        cmocka_unit_test(any_later_event_of_its_id_keeps_a_violation),
        cmocka_unit_test(an_event_that_waits_keeps_its_violation_too),
        cmocka_unit_test(what_is_too_old_on_arrival_leaves_no_trace),
        cmocka_unit_test(a_backfill_says_nothing_but_its_summary),
        cmocka_unit_test(a_silent_engine_has_the_same_numbers_and_names_refusals_alone),
        cmocka_unit_test(refusals_by_bounds_are_told),
        cmocka_unit_test(facts_beyond_their_bound_are_refused),
        cmocka_unit_test(facts_merge_by_their_keys),
        cmocka_unit_test(a_sequence_counts_once_in_whatever_order),
        cmocka_unit_test(slices_of_any_width_say_the_same),
        cmocka_unit_test(columns_that_say_nothing_may_be_there_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

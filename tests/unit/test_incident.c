/* Incidents beside the slow oracle (rating-model 3.10): the score without them, what belongs to them, over accounts that
   are made to be awkward. AMPEL_TEST_SEED chooses other ones; the seed is printed. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/incident.h"
#include "tests/oracle/incident.h"
#include "tests/oracle/random.h"
#include "tests/unit/engine_fixture.h"

#define ACCOUNTS_COUNT 1500
#define TELLINGS_MAX   8

static uint64_t seed, account_last;

static uint64_t below(struct ampel_random *random, uint64_t bound) { return ampel_random_below(random, bound); }

/* ---- awkward accounts ----------------------------------------------------------------------- */

struct making {
    struct fixture *fixture;
    struct ampel_oracle oracle;
    struct ampel_random *random;
    int64_t now_ms, window_ms;
    struct ampel_oracle_telling tellings[TELLINGS_MAX];
    uint32_t tellings_count;
};

static const char *const names[] = {"i1", "i2", "i10", "z", "-"};

static void rules_make(struct ampel_random *random, struct ampel_rules *rules) {
    ampel_rules_init(rules);
    rules->ladder = (enum ampel_ladder)below(random, 4);
    rules->anchor = (enum ampel_anchor)below(random, 2);
    rules->critical_mode = (enum ampel_critical_mode)below(random, 3);
    rules->critical_value = (int32_t)below(random, 3) * 110;
    rules->cap_effect = (enum ampel_cap_effect)below(random, 2);
    rules->orders_rounding = (enum ampel_rounding)below(random, 2);
    if (below(random, 4) == 0) rules->window_days = 1 + (int32_t)below(random, 180);
}

static void tell(struct making *making, const struct ampel_oracle_event *event) {
    ampel_oracle_add(&making->oracle, event);
    SEND(making->fixture, .type = event->type, .at_ms = event->at_ms, .count = event->count, .rev = event->rev,
         .policy = event->policy, .severity = event->severity + 1, .points = event->points > 0 ? event->points : 0,
         .has_points = event->points >= 0, .code = event->code, .id = event->id[0] != 0 ? event->id : NULL,
         .incident = event->incident[0] != 0 ? event->incident : NULL);
    assert_int_equal(making->fixture->counts.refused, 0);
}

/* Few instants, so that violations meet the edges of incidents to the millisecond. */
static int64_t time_make(struct making *making) {
    static const int64_t edges[] = {0, 1, -1};
    int64_t base = making->now_ms - (int64_t)below(making->random, 9) * (making->window_ms / 8);
    return below(making->random, 3) == 0 ? base - 3 * DAY - edges[below(making->random, 3)]
                                         : base - (int64_t)below(making->random, 5) * HOUR;
}

static void violation_make(struct making *making, uint32_t index) {
    static const uint8_t policies[] = {0, 0, 0, 7, 6};
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION, time_make(making));
    (void)snprintf(event.id, sizeof event.id, "v%02u", (index * 37 + 11) % 100);
    event.policy = policies[below(making->random, 5)];
    event.severity = below(making->random, 2) == 0 ? -1 : (int8_t)below(making->random, 4);
    if (below(making->random, 20) == 0) event.severity = AMPEL_SEVERITY_CRITICAL;
    event.points = below(making->random, 6) == 0 ? (int16_t)below(making->random, 90) : -1;
    if (below(making->random, 3) == 0)
        (void)snprintf(event.incident, sizeof event.incident, "%s", names[below(making->random, 5)]);
    tell(making, &event);
    if (below(making->random, 4) == 0) { /* a revision moves it to another incident, or to none */
        event.rev++;
        (void)snprintf(event.incident, sizeof event.incident, "%s",
                       below(making->random, 4) == 0 ? "" : names[below(making->random, 5)]);
        tell(making, &event);
    }
    for (uint64_t states = below(making->random, 3); states > 0; states--) {
        struct ampel_oracle_event state;
        ampel_oracle_event_init(&state, AMPEL_EVENT_VIOLATION_STATE, time_make(making));
        memcpy(state.id, event.id, sizeof state.id);
        state.code = (uint8_t)below(making->random, AMPEL_STATES_COUNT);
        tell(making, &state);
    }
}

static void incident_make(struct making *making) {
    struct ampel_oracle_telling *telling = &making->tellings[making->tellings_count++];
    (void)snprintf(telling->id, sizeof telling->id, "%s", names[below(making->random, 3)]);
    telling->at_ms = time_make(making);
    telling->phase = (uint8_t)below(making->random, 3);
    telling->compromised_from_ms = below(making->random, 3) == 0 ? AMPEL_ORACLE_MISSING : time_make(making);
    SEND(making->fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = telling->at_ms, .code = telling->phase,
         .id = telling->id,
         .compromised_from_ms = telling->compromised_from_ms < 0 ? 0 : telling->compromised_from_ms);
    assert_int_equal(making->fixture->counts.refused, 0);
}

static void account_make(struct making *making, struct fixture *fixture, struct ampel_random *random) {
    *making = (struct making){.fixture = fixture, .random = random};
    making->now_ms = below(random, 4) == 0 ? NOON / DAY * DAY : NOON;
    fixture_open(fixture, making->now_ms);
    rules_make(random, &fixture->rules);
    fixture_reopen(fixture, making->now_ms);
    making->window_ms = fixture->rules.window_days * DAY;
    for (uint64_t days = 1 + below(random, 8); days > 0; days--) {
        struct ampel_oracle_event event;
        ampel_oracle_event_init(&event, AMPEL_EVENT_ORDER, making->now_ms - (int64_t)below(random, 181) * DAY);
        event.count = 1 + (uint32_t)below(random, 2000);
        tell(making, &event);
    }
    /* Incidents before, between and behind the violations: the order of arrival is nothing. */
    uint64_t incidents = below(random, TELLINGS_MAX), violations = below(random, 16);
    for (uint32_t i = 0; i < violations; i++) {
        if (incidents > making->tellings_count && below(random, 2) == 0) incident_make(making);
        violation_make(making, i);
    }
    while (incidents > making->tellings_count)
        incident_make(making);
}

static void numbers_check(const struct ampel_numbers *actual, const struct ampel_oracle_rating *expected) {
    assert_int_equal(actual->score, expected->score);
    assert_int_equal(actual->deducted, expected->deducted);
    assert_int_equal(actual->criticals, expected->criticals);
    assert_int_equal(actual->colour, expected->colour);
    assert_int_equal(actual->risk, expected->risk);
    for (uint32_t group = 0; group < AMPEL_CAP_GROUPS_MAX; group++)
        assert_int_equal(actual->caps[group], expected->caps[group]);
}

static void the_score_without_an_incident_is_the_oracles(void **state) {
    (void)state;
    uint32_t differing = 0, told = 0, tagged = 0;
    for (uint64_t account = 0; account < ACCOUNTS_COUNT; account++) {
        struct ampel_random random = {seed + account * 7919};
        struct fixture fixture;
        struct making making;
        account_make(&making, &fixture, &random);
        account_last = account;
        uint32_t slot = fixture_slot(&fixture, "S1"), count;
        const struct ampel_incident *list;
        struct ampel_oracle_rating without;
        struct ampel_oracle_damage expected;
        struct ampel_numbers all;
        assert_int_equal(ampel_incidents_list(fixture.engine, slot, &list, &count), AMPEL_ENGINE_OK);
        struct ampel_incident incidents[16];
        assert_true(count <= 5);
        if (count > 0) memcpy(incidents, list, count * sizeof *list);
        for (uint32_t i = 0; i < count; i++) {
            struct ampel_incident_damage damage;
            char id[AMPEL_ID_BYTES_MAX + 1] = {0};
            memcpy(id, incidents[i].id.bytes, incidents[i].id.size);
            told += incidents[i].phase != AMPEL_INCIDENT_TAGGED;
            tagged += incidents[i].phase == AMPEL_INCIDENT_TAGGED;
            assert_int_equal(ampel_incident_damage(fixture.engine, slot, &incidents[i], &damage), AMPEL_ENGINE_OK);
            ampel_oracle_incident(&making.oracle, &fixture.rules, making.now_ms, making.tellings,
                                  making.tellings_count, id, &without, &expected);
            numbers_check(&damage.without, &without);
            assert_int_equal(damage.violations, expected.violations);
            assert_int_equal(damage.deducting, expected.deducting);
            assert_int_equal(damage.points, expected.points);
            assert_int_equal(damage.points_caused, expected.points_caused);
            assert_int_equal(damage.orders, expected.orders);
            differing += damage.without.score != fixture_score(&fixture);
            ampel_oracle_rating_reset(&without);
        }
        assert_int_equal(ampel_incidents_without(fixture.engine, slot, &all), AMPEL_ENGINE_OK);
        ampel_oracle_incident(&making.oracle, &fixture.rules, making.now_ms, making.tellings, making.tellings_count,
                              NULL, &without, &expected);
        numbers_check(&all, &without);
        ampel_oracle_rating_reset(&without);
        ampel_oracle_reset(&making.oracle);
        fixture_close(&fixture);
    }
    assert_true(differing > ACCOUNTS_COUNT / 4);
    assert_true(told > ACCOUNTS_COUNT / 4 && tagged > ACCOUNTS_COUNT / 4);
}

/* ---- what belongs, one by one --------------------------------------------------------------- */

static struct ampel_incident_damage damage_of(struct fixture *fixture, const char *id) {
    const struct ampel_incident *list;
    struct ampel_incident_damage damage = {.orders = 0};
    uint32_t slot = fixture_slot(fixture, "S1"), count;
    assert_int_equal(ampel_incidents_list(fixture->engine, slot, &list, &count), AMPEL_ENGINE_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].id.size != strlen(id) || memcmp(list[i].id.bytes, id, strlen(id)) != 0) continue;
        assert_int_equal(ampel_incident_damage(fixture->engine, slot, &list[i], &damage), AMPEL_ENGINE_OK);
        return damage;
    }
    fail_msg("there is no incident %s", id);
    return damage;
}

static void a_violation_belongs_from_the_first_instant_and_no_more_when_contained(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    const struct {
        const char *id;
        int64_t at_ms;
    } violations[] = {{"a", NOON - 2 * DAY - 1}, {"b", NOON - 2 * DAY}, {"c", NOON - DAY - 1}, {"d", NOON - DAY}};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(violations); i++)
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = violations[i].at_ms, .policy = 6, .points = 10,
             .id = violations[i].id);
    SEND(&fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON, .id = "i", .code = AMPEL_INCIDENT_OPENED,
         .compromised_from_ms = NOON - 2 * DAY);
    assert_int_equal(damage_of(&fixture, "i").violations, 3);
    SEND(&fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON - DAY, .id = "i", .code = AMPEL_INCIDENT_CONTAINED);
    struct ampel_incident_damage damage = damage_of(&fixture, "i");
    assert_int_equal(damage.violations, 2);
    assert_int_equal(damage.without.score, 180);
    assert_int_equal(fixture_score(&fixture), 160);
    fixture_close(&fixture);
}

static void a_revision_takes_a_violation_out_and_puts_it_back(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    SEND(&fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON, .id = "i", .compromised_from_ms = NOON - DAY);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - HOUR, .policy = 6, .id = "a");
    assert_int_equal(damage_of(&fixture, "i").violations, 1);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - HOUR, .policy = 6, .id = "a", .rev = 1,
         .incident = "-");
    assert_int_equal(damage_of(&fixture, "i").violations, 0);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - HOUR, .policy = 6, .id = "a", .rev = 2);
    assert_int_equal(damage_of(&fixture, "i").violations, 1);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - HOUR, .policy = 6, .id = "a", .rev = 3,
         .incident = "other");
    assert_int_equal(damage_of(&fixture, "i").violations, 0);
    assert_int_equal(damage_of(&fixture, "other").violations, 1);
    fixture_close(&fixture);
}

static void repeats_that_the_intruder_caused_are_counted_as_caused(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - 2 * DAY, .policy = 2, .severity = SEVERITY(3),
         .id = "his", .incident = "i");
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - DAY, .policy = 2, .severity = SEVERITY(3),
         .id = "own");
    struct ampel_incident_damage damage = damage_of(&fixture, "i");
    assert_int_equal(damage.points, 8);
    assert_int_equal(damage.points_caused, 16); /* own costs 16 as a repeat, 8 without */
    assert_int_equal(damage.without.score, 192);
    fixture_close(&fixture);
}

static void orders_and_cancellations_of_the_days_are_the_damage(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    for (int day = 0; day < 6; day++) {
        SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - day * DAY, .count = 1u << day);
        SEND(&fixture, .type = AMPEL_EVENT_ORDERS_CANCELLED, .at_ms = NOON - day * DAY, .count = 100u << day);
    }
    SEND(&fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON, .id = "i", .compromised_from_ms = NOON - 4 * DAY);
    assert_int_equal(damage_of(&fixture, "i").orders, 1 + 2 + 4 + 8 + 16);
    SEND(&fixture, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON / DAY * DAY - 2 * DAY, .id = "i",
         .code = AMPEL_INCIDENT_CONTAINED);
    assert_int_equal(damage_of(&fixture, "i").orders, 8 + 16);
    assert_int_equal(damage_of(&fixture, "i").cancelled, 2400);
    fixture_close(&fixture);
}

static void what_to_dispute_first_is_the_order_of_fixes_restricted(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    const char *const tags[] = {"i", NULL, "i", NULL, "i"};
    for (int v = 0; v < 5; v++) {
        char id[8];
        (void)snprintf(id, sizeof id, "v%d", v);
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - v * HOUR, .policy = 6, .points = 10 + v,
             .id = id, .incident = tags[v]);
    }
    const struct ampel_incident *list;
    const struct ampel_outlook_fix *fixes;
    uint32_t slot = fixture_slot(&fixture, "S1"), count;
    assert_int_equal(ampel_incidents_list(fixture.engine, slot, &list, &count), AMPEL_ENGINE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ampel_incident_fixes(fixture.engine, slot, &list[0], &fixes, &count), AMPEL_ENGINE_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(fixes[0].id.bytes, "v4", 2);
    assert_memory_equal(fixes[1].id.bytes, "v2", 2);
    assert_memory_equal(fixes[2].id.bytes, "v0", 2);
    fixture_close(&fixture);
}

static struct ampel_facts *facts_with(struct ampel_pool *pool, int64_t closed_ms) {
    uint8_t extras[32];
    struct ampel_extras_writer writer = {extras, sizeof extras, 0};
    struct ampel_facts *facts = NULL;
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text("i")));
    struct ampel_event event = {.at_ms = closed_ms, .type = AMPEL_EVENT_INCIDENT, .code = AMPEL_INCIDENT_CLOSED,
                                .count = 1, .points = -1, .severity = -1, .extras = extras,
                                .extras_size = writer.size};
    assert_int_equal(ampel_facts_apply(&facts, pool, &event, closed_ms / DAY), AMPEL_OUTCOME_KEPT);
    return facts;
}

static void aftercare_lasts_sixty_days_to_the_millisecond(void **state) {
    (void)state;
    struct fixture_memory memory = {.fail_at = -1};
    struct ampel_memory allocator = {&memory, fixture_take, fixture_give};
    struct ampel_pool pool;
    ampel_pool_init(&pool, &allocator);
    const struct ampel_facts *facts = facts_with(&pool, NOON);
    assert_true(ampel_incident_aftercare(NULL, NOON) == INT64_MIN);
    assert_true(ampel_incident_aftercare(facts, NOON - 1) == INT64_MIN);
    assert_true(ampel_incident_aftercare(facts, NOON) == NOON + 60 * DAY);
    assert_true(ampel_incident_aftercare(facts, NOON + 60 * DAY - 1) == NOON + 60 * DAY);
    assert_true(ampel_incident_aftercare(facts, NOON + 60 * DAY) == INT64_MIN);
    ampel_pool_reset(&pool);
    assert_int_equal(memory.bytes, 0);
}

int main(void) {
    const char *given = getenv("AMPEL_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : 20261121;
    printf("seed %" PRIu64 "\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_score_without_an_incident_is_the_oracles),
        cmocka_unit_test(a_violation_belongs_from_the_first_instant_and_no_more_when_contained),
        cmocka_unit_test(a_revision_takes_a_violation_out_and_puts_it_back),
        cmocka_unit_test(repeats_that_the_intruder_caused_are_counted_as_caused),
        cmocka_unit_test(orders_and_cancellations_of_the_days_are_the_damage),
        cmocka_unit_test(what_to_dispute_first_is_the_order_of_fixes_restricted),
        cmocka_unit_test(aftercare_lasts_sixty_days_to_the_millisecond),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) printf("seed %" PRIu64 ", account %" PRIu64 "\n", seed, account_last);
    return failed;
}

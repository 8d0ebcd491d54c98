/* The outlook of the engine beside the slow oracle: range, forecast, fix first (rating-model 3.11
   to 3.13), over accounts that are made to be awkward and over random stories. AMPEL_TEST_SEED
   chooses other ones; the seed is printed. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/outlook.h"
#include "proto/rules_file.h"
#include "tests/oracle/outlook.h"
#include "tests/oracle/pair.h"
#include "tests/oracle/random.h"
#include "tests/unit/engine_fixture.h"

#define ACCOUNTS_COUNT   800
#define STORIES_COUNT    24
#define CANDIDATES_TRIED 9 /* the oracle asks 2^n times */
#define VIOLATIONS_MAX   64
#define W                AMPEL_WINDOW_MS

static uint64_t seed, account_last; /* the last one is told where something fails */

static uint64_t below(struct ampel_random *random, uint64_t bound) {
    return ampel_random_below(random, bound);
}

/* ---- what the oracle says ------------------------------------------------------------------- */

static void variants_set(struct ampel_engine *engine, const struct ampel_rules *rules) {
    struct ampel_rules variants[AMPEL_VARIANTS_MAX];
    struct ampel_error error;
    for (uint32_t i = 0; i < rules->variants_count; i++)
        assert_true(ampel_rules_variant(rules, i, &variants[i], &error));
    assert_int_equal(ampel_engine_variants_set(engine, variants, rules->variants_count),
                     AMPEL_ENGINE_OK);
}

static void check_range(struct ampel_engine *engine, uint32_t slot,
                        const struct ampel_oracle *oracle, const struct ampel_rules *rules) {
    int64_t least, greatest;
    int32_t score_min, score_max;
    ampel_oracle_range(oracle, rules, ampel_engine_now(engine), &least, &greatest);
    assert_int_equal(ampel_outlook_range(engine, slot, &score_min, &score_max), AMPEL_ENGINE_OK);
    assert_int_equal(score_min, least);
    assert_int_equal(score_max, greatest);
}

static uint8_t colour_of(const struct ampel_rules *rules, int64_t score) {
    if (score >= rules->band_green) return AMPEL_GREEN;
    return score >= rules->band_yellow ? AMPEL_YELLOW : AMPEL_RED;
}

static void check_turns(struct ampel_engine *engine, uint32_t slot, const struct ampel_rules *rules,
                        const struct ampel_oracle_step *steps, uint32_t count) {
    struct ampel_numbers now;
    struct ampel_outlook_turns turns;
    int64_t next_ms, expected[3] = {INT64_MAX, INT64_MAX, INT64_MAX};
    ampel_engine_numbers(engine, slot, &now);
    uint8_t colour = now.colour;
    int64_t leaves_ms = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t then = colour_of(rules, steps[i].score);
        if (then != colour && expected[then] == INT64_MAX) expected[then] = steps[i].at_ms;
        if (now.colour == AMPEL_GREEN && then != AMPEL_GREEN && leaves_ms == INT64_MAX) {
            leaves_ms = steps[i].at_ms;
        }
        colour = then;
    }
    assert_int_equal(ampel_outlook_turns(engine, slot, &turns), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_outlook_next_change(engine, slot, &next_ms), AMPEL_ENGINE_OK);
    assert_int_equal(turns.next_change_at_ms, count > 0 ? steps[0].at_ms : INT64_MAX);
    assert_int_equal(next_ms, turns.next_change_at_ms);
    assert_int_equal(turns.leaves_green_at_ms, leaves_ms);
    assert_memory_equal(turns.turns_at_ms, expected, sizeof(expected));
}

static void check_forecast(struct ampel_engine *engine, uint32_t slot,
                           const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                           bool keep_orders) {
    uint32_t expected_count, count;
    const struct ampel_outlook_step *steps;
    struct ampel_oracle_step *expected = ampel_oracle_forecast(
        oracle, rules, ampel_engine_now(engine), keep_orders, &expected_count);
    assert_int_equal(ampel_outlook_forecast(engine, slot, keep_orders, &steps, &count),
                     AMPEL_ENGINE_OK);
    assert_int_equal(count, expected_count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(steps[i].at_ms, expected[i].at_ms);
        assert_int_equal(steps[i].score, expected[i].score);
        assert_int_equal(steps[i].colour, colour_of(rules, expected[i].score));
        assert_int_not_equal(steps[i].causes, 0);
        bool orders = steps[i].at_ms % AMPEL_DAY_MS == 0;
        assert_true(orders || (steps[i].causes & AMPEL_STEP_ORDERS) == 0);
        assert_int_equal((steps[i].causes & AMPEL_STEP_VIOLATION) != 0,
                         steps[i].violations_count > 0);
        assert_int_equal(steps[i].id.size > 0, steps[i].violations_count > 0);
    }
    if (!keep_orders) check_turns(engine, slot, rules, expected, expected_count);
    free(expected);
}

static void check_outcome(const struct ampel_outlook_outcome *actual,
                          const struct ampel_oracle_outcome *expected,
                          const struct ampel_rules *rules) {
    assert_int_equal(actual->score, expected->score);
    assert_int_equal(actual->raw, expected->raw);
    assert_int_equal(actual->risk, expected->risk);
    assert_int_equal(actual->colour, colour_of(rules, expected->score));
}

static void check_fixes(struct ampel_engine *engine, uint32_t slot,
                        const struct ampel_oracle *oracle, const struct ampel_rules *rules) {
    uint32_t expected_count, count;
    const struct ampel_outlook_fix *fixes;
    struct ampel_oracle_fix *expected =
        ampel_oracle_fixes(oracle, rules, ampel_engine_now(engine), &expected_count);
    assert_int_equal(ampel_outlook_fixes(engine, slot, &fixes, &count), AMPEL_ENGINE_OK);
    assert_int_equal(count, expected_count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fixes[i].id.size, strlen(expected[i].id));
        assert_memory_equal(fixes[i].id.bytes, expected[i].id, fixes[i].id.size);
        assert_int_equal(fixes[i].expires_at_ms, expected[i].expires_at_ms);
        check_outcome(&fixes[i].approved, &expected[i].approved, rules);
        check_outcome(&fixes[i].acknowledged, &expected[i].acknowledged, rules);
    }
    free(expected);
}

static void check_to_green(struct ampel_engine *engine, uint32_t slot,
                           const struct ampel_oracle *oracle, const struct ampel_rules *rules) {
    struct ampel_outlook_green green;
    struct ampel_oracle_to_green expected;
    assert_int_equal(ampel_outlook_to_green(engine, slot, &green), AMPEL_ENGINE_OK);
    ampel_oracle_to_green(oracle, rules, ampel_engine_now(engine), &expected);
    assert_int_equal(green.exact, expected.exact);
    assert_int_equal(green.found, expected.found);
    assert_int_equal(green.count, expected.count);
    for (uint32_t i = 0; i < green.count; i++) {
        assert_int_equal(green.ids[i].size, strlen(expected.ids[i]));
        assert_memory_equal(green.ids[i].bytes, expected.ids[i], green.ids[i].size);
    }
    if (green.found) assert_int_equal(green.then.colour, AMPEL_GREEN);
}

/* Everything of one account; the set back to green only where the oracle can try them all. */
/* The counts of every group at an instant if nothing new happens. */
static uint32_t cap_then(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                         int64_t known_ms, int64_t at_ms, uint32_t group) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(oracle, rules, known_ms, at_ms, &rating);
    uint32_t count = rating.caps[group];
    ampel_oracle_rating_reset(&rating);
    return count;
}

/* The first expiry at which a count is below a bound; INT64_MAX where it is now. */
static int64_t cap_below_ms(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                            int64_t now_ms, uint32_t group, uint32_t bound) {
    int64_t least_ms = INT64_MAX;
    if (cap_then(oracle, rules, now_ms, now_ms, group) < bound) return least_ms;
    for (uint32_t i = 0; i < oracle->events_count; i++) {
        const struct ampel_oracle_event *event = &oracle->events[i];
        int64_t at_ms = event->at_ms + rules->window_days * AMPEL_DAY_MS;
        if (event->type != AMPEL_EVENT_VIOLATION || at_ms <= now_ms || at_ms >= least_ms) continue;
        if (cap_then(oracle, rules, now_ms, at_ms, group) < bound) least_ms = at_ms;
    }
    return least_ms;
}

static void check_caps(struct ampel_engine *engine, uint32_t slot,
                       const struct ampel_oracle *oracle, const struct ampel_rules *rules) {
    struct ampel_outlook_cap caps[AMPEL_CAP_GROUPS_MAX];
    int64_t now_ms = ampel_engine_now(engine);
    assert_int_equal(ampel_outlook_caps(engine, slot, caps), AMPEL_ENGINE_OK);
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        uint32_t count = cap_then(oracle, rules, now_ms, now_ms, i);
        assert_int_equal(caps[i].count, count);
        assert_int_equal(caps[i].limit, rules->cap_groups[i].limit);
        assert_int_equal(caps[i].below_at_ms,
                         cap_below_ms(oracle, rules, now_ms, i, rules->cap_groups[i].limit));
        int64_t falls_ms = count > 0 ? cap_below_ms(oracle, rules, now_ms, i, count) : INT64_MAX;
        assert_int_equal(caps[i].falls_at_ms, falls_ms);
    }
}

static void check_account(struct ampel_engine *engine, uint32_t slot,
                          const struct ampel_oracle *oracle, const struct ampel_rules *rules) {
    check_range(engine, slot, oracle, rules);
    check_forecast(engine, slot, oracle, rules, false);
    check_forecast(engine, slot, oracle, rules, true);
    check_fixes(engine, slot, oracle, rules);
    check_caps(engine, slot, oracle, rules);
    const struct ampel_outlook_fix *fixes;
    uint32_t count;
    assert_int_equal(ampel_outlook_fixes(engine, slot, &fixes, &count), AMPEL_ENGINE_OK);
    if (count <= CANDIDATES_TRIED) check_to_green(engine, slot, oracle, rules);
}

/* ---- awkward accounts ----------------------------------------------------------------------- */

/* Rules far from the default, ladders that fall among them. */
static void rules_make(struct ampel_random *random, struct ampel_rules *rules) {
    ampel_rules_init(rules);
    rules->ladder = (enum ampel_ladder)below(random, 4);
    rules->ladder_factor = 1 + (int32_t)below(random, 4);
    for (uint32_t i = 0; i < rules->ladder_table_count; i++)
        rules->ladder_table[i] = (int32_t)below(random, 9);
    rules->anchor = (enum ampel_anchor)below(random, 2);
    rules->critical_mode = (enum ampel_critical_mode)below(random, 3);
    rules->critical_value = (int32_t)below(random, 3) * 110;
    rules->cap_effect = (enum ampel_cap_effect)below(random, 2);
    rules->orders_rounding = (enum ampel_rounding)below(random, 2);
    rules->clamp_before_deduction = below(random, 4) == 0;
    if (below(random, 4) == 0) rules->window_days = 1 + (int32_t)below(random, 180);
    if (below(random, 4) == 0) rules->start = (int32_t)below(random, 300);
    if (below(random, 4) == 0) rules->clamp_max = 150 + (int32_t)below(random, 200);
}

struct making {
    struct fixture *fixture;
    struct ampel_oracle oracle;
    struct ampel_random *random;
    int64_t now_ms, window_ms;
};

static void tell(struct making *making, const struct ampel_oracle_event *event) {
    ampel_oracle_add(&making->oracle, event);
    SEND(making->fixture, .type = event->type, .at_ms = event->at_ms, .count = event->count,
         .rev = event->rev, .policy = event->policy, .severity = event->severity + 1,
         .points = event->points > 0 ? event->points : 0, .has_points = event->points >= 0,
         .code = event->code, .id = event->id[0] != 0 ? event->id : NULL);
    assert_int_equal(making->fixture->counts.refused, 0);
}

/* Now, the edges of the window, days apart or milliseconds apart. */
static int64_t time_make(struct making *making) {
    static const int64_t edges[] = {0, 1, -1, 2};
    int64_t edge = edges[below(making->random, 4)];
    switch (below(making->random, 8)) {
    case 0:
        return making->now_ms;
    case 1:
        return making->now_ms - making->window_ms + edge;
    case 2:
        return making->now_ms - 3 * AMPEL_DAY_MS + edge;
    case 3:
        return (making->now_ms / AMPEL_DAY_MS - (int64_t)below(making->random, 20)) * AMPEL_DAY_MS;
    default:
        return making->now_ms -
               (int64_t)below(making->random, (uint64_t)(3 * making->window_ms / 2));
    }
}

static void violation_make(struct making *making, uint32_t index) {
    static const uint8_t policies[] = {0, 0, 0, 7, 6, 10};
    struct ampel_oracle_event event;
    int64_t at_ms = time_make(making);
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION, at_ms);
    (void)snprintf(event.id, sizeof event.id, "v%02u", (index * 37 + 11) % 100);
    event.policy = policies[below(making->random, 6)];
    event.severity = below(making->random, 2) == 0 ? -1 : (int8_t)below(making->random, 4);
    if (below(making->random, 24) == 0) event.severity = AMPEL_SEVERITY_CRITICAL;
    event.points = below(making->random, 5) == 0 ? (int16_t)below(making->random, 120) : -1;
    tell(making, &event);
    for (uint64_t states = below(making->random, 3); states > 0; states--) {
        struct ampel_oracle_event state;
        int64_t state_at_ms = time_make(making);
        ampel_oracle_event_init(&state, AMPEL_EVENT_VIOLATION_STATE, state_at_ms);
        memcpy(state.id, event.id, sizeof state.id);
        state.code = (uint8_t)below(making->random, AMPEL_STATES_COUNT);
        tell(making, &state);
    }
}

static void orders_make(struct making *making) {
    for (uint64_t days = below(making->random, 12); days > 0; days--) {
        struct ampel_oracle_event event;
        ampel_oracle_event_init(&event, AMPEL_EVENT_ORDER,
                                making->now_ms -
                                    (int64_t)below(making->random, 181) * AMPEL_DAY_MS);
        event.count = 1 + (uint32_t)below(making->random, 2000);
        tell(making, &event);
    }
}

/* An account S1 with so many violations, at noon or at the very midnight. */
static void account_make(struct making *making, struct fixture *fixture,
                         struct ampel_random *random, uint32_t violations) {
    memset(fixture, 0, sizeof(*fixture));
    *making = (struct making){.fixture = fixture, .random = random};
    making->now_ms = below(random, 4) == 0 ? NOON / AMPEL_DAY_MS * AMPEL_DAY_MS : NOON + 12345;
    fixture_open(fixture, making->now_ms);
    rules_make(random, &fixture->rules);
    fixture_reopen(fixture, making->now_ms);
    making->window_ms = fixture->rules.window_days * AMPEL_DAY_MS;
    struct ampel_oracle_event first;
    ampel_oracle_event_init(&first, AMPEL_EVENT_ORDER, making->now_ms);
    first.count = 1;
    tell(making, &first);
    for (uint32_t i = 0; i < violations; i++)
        violation_make(making, i);
    orders_make(making);
}

static void the_outlook_of_awkward_accounts_is_the_oracles(void **state) {
    (void)state;
    for (uint64_t account = 0; account < ACCOUNTS_COUNT; account++) {
        struct ampel_random random = {seed + account * 7919};
        struct fixture fixture;
        struct making making;
        account_make(&making, &fixture, &random, (uint32_t)below(&random, 14));
        account_last = account;
        variants_set(fixture.engine, &fixture.rules);
        check_account(fixture.engine, fixture_slot(&fixture, "S1"), &making.oracle, &fixture.rules);
        ampel_oracle_reset(&making.oracle);
        fixture_close(&fixture);
    }
}

static void the_outlook_at_the_end_of_stories_is_the_oracles(void **state) {
    (void)state;
    static struct ampel_pair pair;
    for (uint64_t index = 0; index < STORIES_COUNT; index++) {
        struct ampel_story story;
        ampel_story_tell(&story, seed + index);
        ampel_pair_run(&pair, &story);
        assert_false(pair.failed);
        variants_set(pair.engine, pair.rules);
        for (uint32_t account = 0; account < story.accounts_count; account++) {
            uint32_t slot = ampel_pair_slot(pair.engine, account);
            if (slot == AMPEL_SLOT_NONE) continue;
            check_account(pair.engine, slot, &pair.accounts[account].oracle, pair.rules);
        }
        ampel_pair_reset(&pair);
        ampel_story_reset(&story);
    }
}

/* ---- a greedy choice ------------------------------------------------------------------------ */

static void approve(struct fixture *fixture, struct ampel_text id) {
    char name[AMPEL_ID_BYTES_MAX + 1] = {0};
    memcpy(name, id.bytes, id.size);
    SEND(fixture, .type = AMPEL_EVENT_VIOLATION_STATE, .at_ms = ampel_engine_now(fixture->engine),
         .code = AMPEL_STATE_APPROVED, .id = name);
}

static void what_a_greedy_choice_promises_comes_true_when_it_is_approved(void **state) {
    (void)state;
    uint32_t greedy = 0;
    for (uint64_t account = 0; account < ACCOUNTS_COUNT; account++) {
        struct ampel_random random = {seed + account * 104729};
        struct fixture fixture;
        struct making making;
        account_make(&making, &fixture, &random, 30 + (uint32_t)below(&random, 60));
        struct ampel_outlook_green green;
        char ids[VIOLATIONS_MAX * 2][AMPEL_ID_BYTES_MAX + 1] = {{0}};
        assert_int_equal(
            ampel_outlook_to_green(fixture.engine, fixture_slot(&fixture, "S1"), &green),
            AMPEL_ENGINE_OK);
        greedy += green.found && !green.exact;
        for (uint32_t i = 0; i < green.count; i++)
            memcpy(ids[i], green.ids[i].bytes, green.ids[i].size);
        for (uint32_t i = 1; i < green.count; i++)
            assert_true(strcmp(ids[i - 1], ids[i]) < 0);
        for (uint32_t i = 0; i < green.count; i++)
            approve(&fixture, text(ids[i]));
        if (green.found) {
            struct ampel_numbers numbers = fixture_numbers(&fixture);
            assert_int_equal(numbers.colour, AMPEL_GREEN);
            assert_int_equal(numbers.score, green.then.score);
            assert_int_equal(numbers.risk, green.then.risk);
        }
        ampel_oracle_reset(&making.oracle);
        fixture_close(&fixture);
    }
    assert_true(greedy > 20);
}

static void a_greedy_choice_of_independent_violations_is_the_smallest(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    for (int i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "v%02d", i);
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - i * HOUR, .policy = 6,
             .points = 1 + i, .id = id);
    }
    /* 200 - 820; 200 in all are needed back but 820 deducted, so the 40, 39, 38 ... until 820. */
    struct ampel_outlook_green green;
    assert_int_equal(ampel_outlook_to_green(fixture.engine, fixture_slot(&fixture, "S1"), &green),
                     AMPEL_ENGINE_OK);
    assert_true(green.found);
    assert_false(green.exact);
    assert_int_equal(green.count, 40);
    SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 10000);
    /* Now 420 are needed: 40 + 39 + ... + 29 = 414, and one more. */
    SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 10000);
    assert_int_equal(ampel_outlook_to_green(fixture.engine, fixture_slot(&fixture, "S1"), &green),
                     AMPEL_ENGINE_OK);
    assert_int_equal(green.count, 13);
    assert_int_equal(green.then.score, 200 + 400 - (820 - 414 - 28));
    fixture_close(&fixture);
}

static void an_account_beyond_sixteen_that_is_green_needs_nothing(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 40000);
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "v%02d", i);
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 6, .points = 1,
             .id = id);
    }
    struct ampel_outlook_green green;
    assert_int_equal(ampel_outlook_to_green(fixture.engine, fixture_slot(&fixture, "S1"), &green),
                     AMPEL_ENGINE_OK);
    assert_true(green.found);
    assert_true(green.exact);
    assert_int_equal(green.count, 0);
    fixture_close(&fixture);
}

/* ---- what an approval leaves behind --------------------------------------------------------- */

static void an_approval_is_told_with_what_it_does_to_repeats_and_caps(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    fixture.rules.anchor = AMPEL_ANCHOR_RERANK;
    fixture_reopen(&fixture, NOON);
    const char *ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - (3 - i) * DAY, .policy = 7,
             .id = ids[i]);
    const struct ampel_outlook_fix *fixes;
    uint32_t count;
    assert_int_equal(
        ampel_outlook_fixes(fixture.engine, fixture_slot(&fixture, "S1"), &fixes, &count),
        AMPEL_ENGINE_OK);
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t behind = (uint32_t)('c' - fixes[i].id.bytes[0]);
        assert_int_equal(fixes[i].now.cap_count, 3);
        assert_int_equal(fixes[i].approved.cap_count, 2);
        assert_int_equal(fixes[i].acknowledged.cap_count, 3);
        assert_int_equal(fixes[i].now.next_rank, 3);
        assert_int_equal(fixes[i].approved.next_rank, 2);
        assert_int_equal(fixes[i].acknowledged.next_rank, 3);
        assert_int_equal(fixes[i].approved.ranks_lowered, behind);
        assert_int_equal(fixes[i].acknowledged.ranks_lowered, 0);
        /* 8 + 16 + 32 now; whichever goes, 8 + 16 stay. */
        assert_int_equal(fixes[i].approved.raw, 200 - 24);
    }
    fixture_close(&fixture);
}

static void other_rules_keep_the_variants_but_count_their_repeats_anew(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    const char *ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - (3 - i) * DAY, .policy = 2,
             .id = ids[i]);
    approve(&fixture, text("a"));
    variants_set(fixture.engine, &fixture.rules);
    struct ampel_numbers variants[AMPEL_VARIANTS_MAX];
    uint32_t slot = fixture_slot(&fixture, "S1");
    assert_int_equal(ampel_outlook_variants(fixture.engine, slot, variants), AMPEL_ENGINE_OK);
    assert_int_equal(variants[0].score, 200 - 16 - 16); /* double_once, anchored */
    assert_int_equal(variants[2].score, 200 - 8 - 16);  /* rerank */
    fixture.rules.anchor = AMPEL_ANCHOR_RERANK;
    assert_int_equal(ampel_engine_rules_set(fixture.engine, &fixture.rules), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&fixture), 200 - 8 - 16);
    assert_int_equal(ampel_outlook_variants(fixture.engine, slot, variants), AMPEL_ENGINE_OK);
    assert_int_equal(variants[0].score, 200 - 16 - 16);
    assert_int_equal(variants[2].score, 200 - 8 - 16);
    fixture_close(&fixture);
}

static void a_variant_of_another_window_or_severity_counts_what_is_its_own(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    struct ampel_rules both[2] = {fixture.rules, fixture.rules};
    both[0].window_days = 90;
    both[1].policies[2].severity = AMPEL_SEVERITY_NONE;
    SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 100 * DAY, .count = 3000);
    SEND(&fixture, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 10 * DAY, .count = 1000);
    assert_int_equal(ampel_engine_variants_set(fixture.engine, both, 2), AMPEL_ENGINE_OK);
    struct ampel_numbers numbers[AMPEL_VARIANTS_MAX];
    int32_t least, greatest;
    uint32_t slot = fixture_slot(&fixture, "S1");
    assert_int_equal(ampel_outlook_variants(fixture.engine, slot, numbers), AMPEL_ENGINE_OK);
    assert_int_equal(numbers[0].orders, 1000);
    assert_int_equal(fixture_numbers(&fixture).orders, 4000);
    assert_int_equal(ampel_outlook_range(fixture.engine, slot, &least, &greatest), AMPEL_ENGINE_OK);
    assert_int_equal(least, numbers[0].score);
    assert_int_equal(greatest, fixture_score(&fixture));
    assert_true(least < greatest);
    /* A policy that is worth nothing takes no points and makes no repeats. */
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - 3 * DAY, .policy = 2, .id = "a");
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - 2 * DAY, .policy = 2, .id = "b");
    assert_int_equal(ampel_outlook_variants(fixture.engine, slot, numbers), AMPEL_ENGINE_OK);
    assert_int_equal(numbers[1].deducted, 0);
    assert_int_equal(numbers[0].deducted, fixture_numbers(&fixture).deducted);
    assert_true(numbers[0].deducted > 0);
    fixture_close(&fixture);
}

static void an_account_that_is_not_green_leaves_green_never(void **state) {
    (void)state;
    struct fixture fixture;
    struct ampel_outlook_leaving leaving;
    fixture_open(&fixture, NOON);
    SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - DAY, .policy = 2, .id = "a");
    assert_int_not_equal(fixture_numbers(&fixture).colour, AMPEL_GREEN);
    assert_int_equal(ampel_outlook_leaving(fixture.engine, fixture_slot(&fixture, "S1"), &leaving), AMPEL_ENGINE_OK);
    assert_int_equal(leaving.at_ms, INT64_MAX);
    fixture_close(&fixture);
}

static void without_memory_the_answer_is_missing_and_the_engine_is_whole(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, NOON);
    for (int i = 0; i < 5000; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "v%d", i);
        SEND(&fixture, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON - i * 1000, .policy = 0,
             .id = id);
    }
    uint32_t slot = fixture_slot(&fixture, "S1");
    struct ampel_numbers before = fixture_numbers(&fixture);
    const struct ampel_outlook_step *steps;
    const struct ampel_outlook_fix *fixes;
    struct ampel_outlook_green green;
    uint32_t count;
    fixture.memory.fail_at = fixture.memory.takes;
    assert_int_equal(ampel_outlook_forecast(fixture.engine, slot, false, &steps, &count),
                     AMPEL_ENGINE_NO_MEMORY);
    assert_int_equal(ampel_outlook_fixes(fixture.engine, slot, &fixes, &count),
                     AMPEL_ENGINE_NO_MEMORY);
    assert_int_equal(ampel_outlook_to_green(fixture.engine, slot, &green), AMPEL_ENGINE_NO_MEMORY);
    fixture.memory.fail_at = -1;
    assert_int_equal(ampel_outlook_fixes(fixture.engine, slot, &fixes, &count), AMPEL_ENGINE_OK);
    assert_int_equal(count, 5000);
    assert_int_equal(ampel_outlook_to_green(fixture.engine, slot, &green), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_outlook_forecast(fixture.engine, slot, false, &steps, &count),
                     AMPEL_ENGINE_OK);
    struct ampel_numbers after = fixture_numbers(&fixture);
    assert_memory_equal(&before, &after, sizeof(before));
    fixture_close(&fixture);
}

int main(void) {
    const char *given = getenv("AMPEL_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : 20261121;
    printf("seed %" PRIu64 "\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outlook_of_awkward_accounts_is_the_oracles),
        cmocka_unit_test(the_outlook_at_the_end_of_stories_is_the_oracles),
        cmocka_unit_test(what_a_greedy_choice_promises_comes_true_when_it_is_approved),
        cmocka_unit_test(a_greedy_choice_of_independent_violations_is_the_smallest),
        cmocka_unit_test(an_account_beyond_sixteen_that_is_green_needs_nothing),
        cmocka_unit_test(an_approval_is_told_with_what_it_does_to_repeats_and_caps),
        cmocka_unit_test(an_account_that_is_not_green_leaves_green_never),
        cmocka_unit_test(a_variant_of_another_window_or_severity_counts_what_is_its_own),
        cmocka_unit_test(other_rules_keep_the_variants_but_count_their_repeats_anew),
        cmocka_unit_test(without_memory_the_answer_is_missing_and_the_engine_is_whole),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) printf("seed %" PRIu64 ", account %" PRIu64 "\n", seed, account_last);
    return failed;
}

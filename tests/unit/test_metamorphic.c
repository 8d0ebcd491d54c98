/* What must not matter does not: the day on which a story begins, a violation
   that is taken back at once, the sizes and order of batches. Each run is also
   held against the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/fields.h"
#include "tests/oracle/golden.h"
#include "tests/oracle/pair.h"

#define STORIES 300
#define GOLDEN  AMPEL_SOURCE_DIR "/tests/golden"

static struct ampel_pair first, second;

static void assert_agrees(const struct ampel_pair *pair) {
    if (pair->failed) {
        fail_msg("story %llu, op %u: %s", (unsigned long long)pair->story->seed, pair->op_index,
                 pair->reason);
    }
}

static void assert_same_numbers(const struct ampel_pair *left, const struct ampel_pair *right) {
    for (uint32_t account = 0; account < left->story->accounts_count; account++) {
        uint32_t left_slot = ampel_pair_slot(left->engine, account);
        uint32_t right_slot = ampel_pair_slot(right->engine, account);
        assert_int_equal(left_slot == AMPEL_SLOT_NONE, right_slot == AMPEL_SLOT_NONE);
        if (left_slot != AMPEL_SLOT_NONE) {
            struct ampel_numbers left_numbers, right_numbers;
            ampel_engine_numbers(left->engine, left_slot, &left_numbers);
            ampel_engine_numbers(right->engine, right_slot, &right_numbers);
            if (!ampel_expect_same_numbers(&left_numbers, &right_numbers)) {
                fail_msg("story %llu: S%u has score %d, then %d",
                         (unsigned long long)left->story->seed, account, left_numbers.score,
                         right_numbers.score);
            }
        }
    }
}

/* ---- days
 * -----------------------------------------------------------------------------------
 */

static void move(struct ampel_story *story, int64_t by_ms) {
    story->start_ms += by_ms;
    for (uint32_t index = 0; index < story->ops_count; index++) {
        story->ops[index].to_ms += by_ms;
        story->ops[index].sent_at_ms += by_ms;
    }
    for (uint32_t index = 0; index < story->events_count; index++) {
        story->events[index].told.at_ms += by_ms;
        story->events[index].event.at_ms += by_ms;
    }
}

static void a_story_that_begins_days_later_is_the_same_story(void **state) {
    (void)state;
    struct ampel_random random = {1};
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct ampel_story story, later;
        ampel_story_tell(&story, seed);
        ampel_story_tell(&later, seed);
        move(&later, ampel_random_between(&random, 1, 10000) * AMPEL_DAY_MS);
        ampel_pair_run(&first, &story);
        ampel_pair_run(&second, &later);
        assert_agrees(&first);
        assert_agrees(&second);
        assert_true(first.changes_digest == second.changes_digest);
        assert_same_numbers(&first, &second);
        ampel_pair_reset(&first);
        ampel_pair_reset(&second);
        ampel_story_reset(&story);
        ampel_story_reset(&later);
    }
}

/* ---- a violation taken back
 * ----------------------------------------------------------------- */

static void append_event(struct ampel_story *story, uint32_t account,
                         struct ampel_oracle_event *told) {
    struct ampel_random unused = {0};
    story->events = ampel_oracle_grow(story->events, story->events_count, &story->events_capacity,
                                      sizeof *story->events);
    struct ampel_story_event *event = &story->events[story->events_count++];
    memset(event, 0, sizeof *event);
    event->account = account;
    ampel_story_fields(&unused, told, &event->event, event->extras, sizeof event->extras);
    event->told = *told;
}

static struct ampel_story_op *append_op(struct ampel_story *story, enum ampel_story_deed deed,
                                        int64_t to_ms) {
    story->ops =
        ampel_oracle_grow(story->ops, story->ops_count, &story->ops_capacity, sizeof *story->ops);
    struct ampel_story_op *op = &story->ops[story->ops_count++];
    *op = (struct ampel_story_op){
        .deed = deed,
        .to_ms = to_ms,
        .sent_at_ms = to_ms,
        .steps_max = 1000,
        .events_first = story->events_count,
    };
    return op;
}

static int64_t end_of(const struct ampel_story *story) {
    int64_t end_ms = story->start_ms;
    for (uint32_t index = 0; index < story->ops_count; index++) {
        const struct ampel_story_op *op = &story->ops[index];
        bool moves = op->deed == AMPEL_DEED_FRAME || op->deed == AMPEL_DEED_ADVANCE;
        end_ms = moves && op->to_ms > end_ms ? op->to_ms : end_ms;
    }
    return end_ms;
}

/* Adds a violation of some age and its approval to the end of a story: at once,
   so that no later one was ever its repeat, or, where repeats are counted anew,
   at any time since. */
static void append_taken_back(struct ampel_story *story, struct ampel_random *random) {
    int64_t end_ms = end_of(story);
    int64_t age_ms = ampel_random_between(random, 0, AMPEL_WINDOW_MS);
    int64_t at_ms = end_ms > age_ms ? end_ms - age_ms : 0;
    bool anew = true;
    for (uint32_t index = 0; index < AMPEL_STORY_RULES_MAX; index++) {
        anew = anew && story->rules[index].anchor == AMPEL_ANCHOR_RERANK;
    }
    uint32_t account = story->events[ampel_random_below(random, story->events_count)].account;
    struct ampel_story_op *op = append_op(story, AMPEL_DEED_FRAME, end_ms);
    op->tenant = account % 2;
    op->events_count = 2;
    struct ampel_oracle_event told;
    ampel_oracle_event_init(&told, AMPEL_EVENT_VIOLATION, at_ms);
    (void)snprintf(told.id, sizeof told.id, "taken-back");
    told.policy = (uint8_t)ampel_random_below(random, 8);
    told.severity = (int8_t)ampel_random_between(random, 0, AMPEL_SEVERITY_CRITICAL);
    append_event(story, account, &told);
    ampel_oracle_event_init(&told, AMPEL_EVENT_VIOLATION_STATE, at_ms);
    (void)snprintf(told.id, sizeof told.id, "taken-back");
    told.at_ms = anew ? ampel_random_between(random, at_ms, end_ms) : at_ms;
    told.code = AMPEL_STATE_APPROVED;
    append_event(story, account, &told);
}

static void a_violation_taken_back_at_once_was_never_there(void **state) {
    (void)state;
    struct ampel_random random = {2};
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct ampel_story story, longer;
        ampel_story_tell(&story, seed);
        ampel_story_tell(&longer, seed);
        for (int rules = 0; seed % 3 == 0 && rules < AMPEL_STORY_RULES_MAX; rules++) {
            story.rules[rules].anchor = AMPEL_ANCHOR_RERANK;
            longer.rules[rules].anchor = AMPEL_ANCHOR_RERANK;
        }
        if (story.events_count > 0) {
            int64_t then_ms = end_of(&story) + ampel_random_between(&random, 0, AMPEL_WINDOW_MS);
            append_taken_back(&longer, &random);
            (void)append_op(&story, AMPEL_DEED_ADVANCE, then_ms);
            (void)append_op(&longer, AMPEL_DEED_ADVANCE, then_ms);
            ampel_pair_run(&first, &story);
            ampel_pair_run(&second, &longer);
            assert_agrees(&first);
            assert_agrees(&second);
            assert_same_numbers(&first, &second);
            ampel_pair_reset(&first);
            ampel_pair_reset(&second);
        }
        ampel_story_reset(&story);
        ampel_story_reset(&longer);
    }
}

/* ---- batches
 * --------------------------------------------------------------------------------
 */

/* A golden case as a story: every event that is known at the time of the
 * question, in frames of some size. */
static void tell_golden(const struct ampel_golden_case *golden, uint32_t batch, bool mixed,
                        struct ampel_story *story) {
    struct ampel_golden_accounts accounts;
    ampel_golden_events(golden->events_path, &accounts);
    *story = (struct ampel_story){
        .accounts_count = accounts.count, .start_ms = golden->as_of_ms, .sparse = true};
    AMPEL_ASSERT(accounts.count <= AMPEL_PAIR_ACCOUNTS_MAX);
    story->rules[0] = golden->rules;
    for (uint32_t account = 0; account < accounts.count; account++) {
        struct ampel_oracle *oracle = &accounts.list[account].oracle;
        for (uint32_t index = 0; index < oracle->events_count; index++) {
            if (oracle->events[index].at_ms <= golden->as_of_ms) {
                append_event(story, account, &oracle->events[index]);
            }
        }
    }
    ampel_golden_accounts_reset(&accounts);
    struct ampel_random random = {batch};
    for (uint32_t index = story->events_count; mixed && index > 1; index--) {
        struct ampel_story_event kept = story->events[index - 1];
        uint64_t other = ampel_random_below(&random, index);
        story->events[index - 1] = story->events[other];
        story->events[other] = kept;
    }
    for (uint32_t index = 0; index < story->events_count;) {
        uint32_t tenant = story->events[index].account % 2;
        struct ampel_story_op *op = append_op(story, AMPEL_DEED_FRAME, golden->as_of_ms);
        op->tenant = tenant;
        op->events_first = index;
        while (op->events_count < batch && index < story->events_count &&
               story->events[index].account % 2 == tenant) {
            op->events_count++;
            index++;
        }
    }
}

static void the_sizes_and_order_of_batches_do_not_matter(void **state) {
    (void)state;
    static struct ampel_golden_case cases[AMPEL_GOLDEN_CASES_MAX];
    uint32_t count = ampel_golden_cases(GOLDEN, cases);
    for (uint32_t index = 0; index < count; index++) {
        struct ampel_story story, other;
        tell_golden(&cases[index], 60, false, &story);
        ampel_pair_run(&first, &story);
        assert_agrees(&first);
        for (uint32_t batch = 1; batch <= 49; batch += 16) {
            tell_golden(&cases[index], batch, true, &other);
            ampel_pair_run(&second, &other);
            assert_agrees(&second);
            ampel_pair_check_same(&first, second.engine, "in other batches");
            assert_agrees(&first);
            ampel_pair_reset(&second);
            ampel_story_reset(&other);
        }
        ampel_pair_reset(&first);
        ampel_story_reset(&story);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_story_that_begins_days_later_is_the_same_story),
        cmocka_unit_test(a_violation_taken_back_at_once_was_never_there),
        cmocka_unit_test(the_sizes_and_order_of_batches_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

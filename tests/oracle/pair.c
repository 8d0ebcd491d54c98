/* See pair.h: the telling of a story. */
#include "tests/oracle/pair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Instants of one step of time that are rated one by one; longer steps are looked at in samples. */
#define INSTANTS_MAX 40
/* What a slice may do beyond the steps it was given. */
#define SLICE_SLACK 4
/* No story needs more in one piece; what damaged bytes ask for beyond it is not given. */
#define MEMORY_AT_ONCE_MAX (UINT32_C(64) << 20)

void ampel_pair_fail(struct ampel_pair *pair, const char *format, ...) {
    if (!pair->failed) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(pair->reason, sizeof pair->reason, format, arguments);
        va_end(arguments);
        pair->failed = true;
    }
}

/* ---- the engine ----------------------------------------------------------------------------- */

static void *take(void *context, size_t size, size_t alignment) {
    struct ampel_pair *pair = context;
    if (size > MEMORY_AT_ONCE_MAX) {
        return NULL;
    }
    size_t rounded = (size + alignment - 1) / alignment * alignment;
    void *block = aligned_alloc(alignment, rounded);
    AMPEL_ASSERT(block != NULL);
    memset(block, 0xa5, rounded); /* nobody may count on zeros */
    pair->memory_bytes += size;
    return block;
}

static void give(void *context, void *block, size_t size) {
    struct ampel_pair *pair = context;
    AMPEL_ASSERT(block == NULL || pair->memory_bytes >= size);
    pair->memory_bytes -= block == NULL ? 0 : size;
    free(block);
}

struct ampel_engine *ampel_pair_open(struct ampel_pair *pair, const struct ampel_rules *rules,
                                     int64_t start_ms) {
    struct ampel_engine_options options = {
        .memory = {pair, take, give},
        .rules = rules,
        .start_ms = start_ms,
    };
    struct ampel_engine *engine = NULL;
    enum ampel_engine_status status = ampel_engine_open(&options, &engine);
    AMPEL_ASSERT(status == AMPEL_ENGINE_OK);
    return engine;
}

uint32_t ampel_pair_slot(const struct ampel_engine *engine, uint32_t account) {
    struct ampel_story_name tenant = ampel_story_tenant(account % 2);
    struct ampel_story_name seller = ampel_story_seller(account);
    struct ampel_text marketplace = {AMPEL_STORY_MARKETPLACE, sizeof AMPEL_STORY_MARKETPLACE - 1};
    return ampel_engine_account_find(engine, ampel_story_hash(account), ampel_story_text(&tenant),
                                     ampel_story_text(&seller), marketplace);
}

/* How many turns of an account the changes from `first` on speak of: each is a step, so a slice may
   hold no more than it was given, and some to finish with. */
static void check_slice(struct ampel_pair *pair, const struct ampel_engine *engine, uint32_t *first,
                        uint32_t steps_max) {
    uint32_t count = 0, turns = 0;
    const struct ampel_change *changes = ampel_engine_changes(engine, &count);
    for (uint32_t index = *first; index < count; index++) {
        turns += index == *first || changes[index].slot != changes[index - 1].slot ||
                         changes[index].at_ms != changes[index - 1].at_ms
                     ? 1
                     : 0;
    }
    if (turns > (uint64_t)steps_max + SLICE_SLACK) {
        ampel_pair_fail(pair, "a slice of %u steps turned %u accounts", steps_max, turns);
    }
    *first = count;
}

void ampel_pair_advance(struct ampel_pair *pair, struct ampel_engine *engine, int64_t to_ms,
                        uint32_t steps_max) {
    bool done = false;
    uint32_t changes_count = 0;
    (void)ampel_engine_changes(engine, &changes_count);
    for (uint64_t slices = 0; !done; slices++) {
        enum ampel_engine_status status = ampel_engine_advance(engine, to_ms, steps_max, &done);
        AMPEL_ASSERT(status == AMPEL_ENGINE_OK);
        check_slice(pair, engine, &changes_count, steps_max);
        if (slices > 10 * 1000 * 1000) {
            ampel_pair_fail(pair, "advance to %lld does not end", (long long)to_ms);
            return;
        }
    }
    if (ampel_engine_now(engine) < to_ms) {
        ampel_pair_fail(pair, "advance to %lld is done at %lld", (long long)to_ms,
                        (long long)ampel_engine_now(engine));
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

static struct ampel_numbers numbers_of(const struct ampel_pair *pair, uint32_t account) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&pair->accounts[account].oracle, pair->rules, pair->now_ms, pair->now_ms,
                      &rating);
    struct ampel_numbers numbers = ampel_expect_numbers(&rating);
    ampel_oracle_rating_reset(&rating);
    return numbers;
}

/* What the way to to_ms should change, account by account, and who is not looked at. */
static void expect_time(struct ampel_pair *pair, int64_t to_ms) {
    uint32_t instants_max = ampel_random_chance(&pair->random, 20) ? 400 : INSTANTS_MAX;
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        struct ampel_pair_account *state = &pair->accounts[account];
        state->quiet = state->backfilling || pair->story->sparse;
        bool sampled = pair->story->accounts_count <= 4 || ampel_random_chance(&pair->random, 10);
        if (state->oracle.events_count == 0 || state->quiet) {
            continue;
        }
        if (!sampled || !ampel_expect_time(&pair->expectation, pair->rules, account, &state->oracle,
                                           pair->now_ms, to_ms, instants_max)) {
            state->quiet = true;
        }
    }
}

static void pass_to(struct ampel_pair *pair, int64_t to_ms, uint32_t steps_max) {
    pair->operations++;
    if (to_ms > pair->now_ms) {
        expect_time(pair, to_ms);
        pair->now_ms = to_ms;
    }
    ampel_pair_advance(pair, pair->engine, to_ms, steps_max);
    if (ampel_engine_now(pair->engine) != pair->now_ms) {
        ampel_pair_fail(pair, "the engine's time is %lld, not %lld",
                        (long long)ampel_engine_now(pair->engine), (long long)pair->now_ms);
    }
    ampel_pair_check_changes(pair);
}

/* ---- frames --------------------------------------------------------------------------------- */

static const struct ampel_frame *frame_of(struct ampel_pair *pair,
                                          const struct ampel_story_op *op) {
    uint32_t order[64];
    AMPEL_ASSERT(op->events_count <= AMPEL_ARRAY_COUNT(order));
    for (uint32_t index = 0; index < op->events_count; index++) {
        order[index] = op->events_first + index;
    }
    ampel_framer_begin(&pair->framer, op);
    return ampel_framer_finish(&pair->framer, pair->story, order, op->events_count);
}

static void begin_backfill(struct ampel_pair *pair, struct ampel_pair_account *account,
                           bool is_new) {
    if (!account->backfilling) {
        account->backfilling = true;
        account->was_new = is_new;
    }
    account->backfilled_at_ms = pair->now_ms;
    account->quiet = true;
}

/* The oracle hears of a frame; what it changes is expected. */
static void tell_oracle(struct ampel_pair *pair, const struct ampel_story_op *op) {
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        pair->accounts[account].touched = false;
        pair->accounts[account].quiet = pair->accounts[account].backfilling || pair->story->sparse;
    }
    for (uint32_t index = 0; index < op->events_count; index++) {
        const struct ampel_story_event *event = &pair->story->events[op->events_first + index];
        struct ampel_pair_account *account = &pair->accounts[event->account];
        bool is_new = account->oracle.events_count == 0;
        if (!account->touched && !pair->story->sparse) {
            account->touched = true;
            struct ampel_numbers before = numbers_of(pair, event->account);
            if (is_new) {
                memset(&before, 0, sizeof before);
            }
            account->before = account->backfilling ? account->before : before;
            account->was_new = account->backfilling ? account->was_new : is_new;
        }
        if (op->backfill) {
            begin_backfill(pair, account, account->was_new);
        }
        ampel_oracle_add(&account->oracle, &event->told);
    }
    for (uint32_t index = 0; index < pair->story->accounts_count; index++) {
        const struct ampel_pair_account *account = &pair->accounts[index];
        if (account->touched && !account->quiet) {
            struct ampel_numbers after = numbers_of(pair, index);
            ampel_expect_instant(&pair->expectation, pair->rules, index, pair->now_ms,
                                 account->was_new ? NULL : &account->before, &after);
        }
    }
}

static void apply(struct ampel_pair *pair, const struct ampel_frame *frame, uint32_t applied,
                  bool duplicate) {
    struct ampel_apply_counts counts;
    enum ampel_engine_status status = ampel_engine_apply(pair->engine, frame, &counts);
    AMPEL_ASSERT(status == AMPEL_ENGINE_OK);
    if (counts.applied != applied || counts.refused != 0 || counts.duplicate != duplicate) {
        ampel_pair_fail(pair, "apply counts %u applied, %u refused, duplicate %d of %u events",
                        counts.applied, counts.refused, counts.duplicate, frame->events_count);
    }
}

static void do_frame(struct ampel_pair *pair, const struct ampel_story_op *op) {
    pass_to(pair, op->to_ms, op->steps_max);
    pair->operations += op->events_count;
    tell_oracle(pair, op);
    apply(pair, frame_of(pair, op), op->events_count, false);
    ampel_pair_check_changes(pair);
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        if (pair->accounts[account].touched) {
            ampel_pair_check_account(pair, account);
        }
    }
}

static void do_resend(struct ampel_pair *pair, const struct ampel_story_op *op) {
    struct ampel_story_op again = pair->story->ops[op->resend_of];
    again.to_ms = op->to_ms;
    pair->operations += again.events_count;
    apply(pair, frame_of(pair, &again), 0, true);
    ampel_pair_check_changes(pair);
}

void ampel_pair_expect_rules(struct ampel_pair *pair, const struct ampel_rules *rules) {
    const struct ampel_rules *old_rules = pair->rules;
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        struct ampel_pair_account *state = &pair->accounts[account];
        state->quiet = state->backfilling || pair->story->sparse;
        if (state->oracle.events_count > 0 && !state->quiet) {
            pair->rules = old_rules;
            struct ampel_numbers before = numbers_of(pair, account);
            pair->rules = rules;
            struct ampel_numbers after = numbers_of(pair, account);
            ampel_expect_instant(&pair->expectation, rules, account, pair->now_ms, &before, &after);
        }
    }
    pair->rules = rules;
}

static void do_rules(struct ampel_pair *pair, const struct ampel_rules *rules) {
    pair->operations++;
    ampel_pair_expect_rules(pair, rules);
    enum ampel_engine_status status = ampel_engine_rules_set(pair->engine, rules);
    AMPEL_ASSERT(status == AMPEL_ENGINE_OK);
    ampel_pair_check_changes(pair);
}

/* ---- the story ------------------------------------------------------------------------------ */

static void do_op(struct ampel_pair *pair, const struct ampel_story_op *op) {
    switch (op->deed) {
    case AMPEL_DEED_FRAME:
        do_frame(pair, op);
        break;
    case AMPEL_DEED_RESEND:
        do_resend(pair, op);
        break;
    case AMPEL_DEED_ADVANCE:
        pass_to(pair, op->to_ms, op->steps_max);
        break;
    case AMPEL_DEED_CHECKPOINT:
        ampel_pair_checkpoint(pair);
        break;
    case AMPEL_DEED_RECOVER:
        ampel_pair_recover(pair, &pair->story->rules[op->rules]);
        break;
    case AMPEL_DEED_RULES:
        do_rules(pair, &pair->story->rules[op->rules]);
        break;
    }
}

/* What metrics show. */
static void check_counts(struct ampel_pair *pair) {
    struct ampel_engine_counts counts;
    uint32_t violations = 0, facts = 0;
    ampel_engine_counts(pair->engine, &counts);
    for (uint32_t slot = 0; slot < counts.accounts; slot++) {
        struct ampel_violation violation;
        struct ampel_event fact;
        uint32_t cursor = 0;
        while (ampel_engine_violation_next(pair->engine, slot, &cursor, &violation)) {
            violations++;
        }
        cursor = 0;
        while (ampel_engine_fact_next(pair->engine, slot, &cursor, &fact)) {
            facts++;
        }
    }
    if (counts.memory_bytes != pair->memory_bytes || counts.facts != facts ||
        counts.violations < violations) {
        ampel_pair_fail(pair, "counts: %llu bytes of %llu, %u violations of %u, %u facts of %u",
                        (unsigned long long)counts.memory_bytes,
                        (unsigned long long)pair->memory_bytes, counts.violations, violations,
                        counts.facts, facts);
    }
}

/* A frame checks whom it touched; everyone is looked at now and then, and at the end. */
static void check_accounts(struct ampel_pair *pair, bool all) {
    uint32_t percent = pair->story->accounts_count <= 4 ? 30 : 5;
    if (pair->story->sparse) {
        percent = ampel_random_chance(&pair->random, 5) ? 3 : 0;
    }
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        if (all || ampel_random_chance(&pair->random, percent)) {
            ampel_pair_check_account(pair, account);
        }
        if (all || (!pair->story->sparse && ampel_random_chance(&pair->random, 2))) {
            ampel_pair_check_facts(pair, account);
        }
    }
    if (all) {
        ampel_pair_check_producers(pair);
        check_counts(pair);
    }
}

void ampel_pair_run(struct ampel_pair *pair, const struct ampel_story *story) {
    *pair = (struct ampel_pair){
        .story = story,
        .random = {~story->seed},
        .rules = &story->rules[0],
        .now_ms = story->start_ms,
    };
    AMPEL_ASSERT(story->accounts_count <= AMPEL_PAIR_ACCOUNTS_MAX);
    pair->engine = ampel_pair_open(pair, pair->rules, story->start_ms);
    for (uint32_t index = 0; index < story->ops_count && !pair->failed; index++) {
        pair->op_index = index;
        do_op(pair, &story->ops[index]);
        check_accounts(pair, index + 1 == story->ops_count);
    }
}

void ampel_pair_reset(struct ampel_pair *pair) {
    ampel_engine_close(pair->engine);
    pair->engine = NULL;
    ampel_framer_reset(&pair->framer);
    for (uint32_t account = 0; account < AMPEL_PAIR_ACCOUNTS_MAX; account++) {
        ampel_oracle_reset(&pair->accounts[account].oracle);
        free(pair->accounts[account].rows.list);
        pair->accounts[account].rows = (struct ampel_pair_rows){0};
    }
    for (uint32_t page = 0; page < AMPEL_PAIR_PAGES_MAX; page++) {
        free(pair->pages[page].bytes);
        pair->pages[page] = (struct ampel_pair_bytes){0};
    }
    free(pair->meta.bytes);
    free(pair->left.bytes);
    free(pair->right.bytes);
    free(pair->expectation.list);
    pair->meta = pair->left = pair->right = (struct ampel_pair_bytes){0};
    pair->expectation = (struct ampel_expectation){0};
    if (pair->memory_bytes != 0) {
        ampel_pair_fail(pair, "%llu bytes were not given back",
                        (unsigned long long)pair->memory_bytes);
    }
}

/* An engine without memory says so, and gives back what it took: at any moment
 * of any story. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "tests/oracle/framer.h"
#include "tests/oracle/story.h"

#define STORIES     40
#define STARVATIONS 40

/* An allocator whose takes are counted and end at some count. */
struct purse {
    uint64_t takes_count;
    uint64_t takes_max;
    uint64_t bytes_out;
};

static void *take(void *context, size_t size, size_t alignment) {
    struct purse *purse = context;
    if (purse->takes_count == purse->takes_max) {
        return NULL;
    }
    void *block = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    assert_non_null(block);
    purse->takes_count++;
    purse->bytes_out += size;
    return block;
}

static void give(void *context, void *block, size_t size) {
    struct purse *purse = context;
    purse->bytes_out -= block == NULL ? 0 : size;
    free(block);
}

static enum ampel_engine_status pass_to(struct ampel_engine *engine, int64_t to_ms) {
    bool done = false;
    enum ampel_engine_status status = AMPEL_ENGINE_OK;
    while (!done && status == AMPEL_ENGINE_OK) {
        status = ampel_engine_advance(engine, to_ms, 1000, &done);
    }
    return status;
}

static enum ampel_engine_status apply(struct ampel_engine *engine, struct ampel_framer *framer,
                                      const struct ampel_story *story,
                                      const struct ampel_story_op *op) {
    uint32_t order[64];
    assert_true(op->events_count <= AMPEL_ARRAY_COUNT(order));
    for (uint32_t index = 0; index < op->events_count; index++) {
        order[index] = op->events_first + index;
    }
    ampel_framer_begin(framer, op);
    struct ampel_apply_counts counts;
    return ampel_engine_apply(engine, ampel_framer_finish(framer, story, order, op->events_count),
                              &counts);
}

/* Tells the story until it ends or memory does; then the purse is whole again.
 */
static enum ampel_engine_status tell(const struct ampel_story *story, struct purse *purse) {
    struct ampel_engine_options options = {
        .memory = {purse, take, give},
        .rules = &story->rules[0],
        .start_ms = story->start_ms,
    };
    struct ampel_framer framer = {0};
    struct ampel_engine *engine = NULL;
    enum ampel_engine_status status = ampel_engine_open(&options, &engine);
    for (uint32_t index = 0; index < story->ops_count && status == AMPEL_ENGINE_OK; index++) {
        const struct ampel_story_op *op = &story->ops[index];
        if (op->deed == AMPEL_DEED_FRAME || op->deed == AMPEL_DEED_ADVANCE) {
            status = pass_to(engine, op->to_ms);
        }
        if (op->deed == AMPEL_DEED_FRAME && status == AMPEL_ENGINE_OK) {
            status = apply(engine, &framer, story, op);
        }
        if (op->deed == AMPEL_DEED_RULES) {
            status = ampel_engine_rules_set(engine, &story->rules[op->rules]);
        }
        if (index % 8 == 7 && status == AMPEL_ENGINE_OK) {
            ampel_engine_changes_clear(engine);
        }
    }
    ampel_engine_close(engine);
    ampel_framer_reset(&framer);
    assert_true(purse->bytes_out == 0);
    return status;
}

static void memory_that_ends_anywhere_is_told_and_given_back(void **state) {
    (void)state;
    struct ampel_random random = {3};
    uint32_t unneeded = 0;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct ampel_story story;
        ampel_story_tell(&story, seed);
        struct purse rich = {.takes_max = UINT64_MAX};
        assert_int_equal(tell(&story, &rich), AMPEL_ENGINE_OK);
        for (int starvation = 0; starvation < STARVATIONS; starvation++) {
            struct purse poor = {.takes_max = ampel_random_below(&random, rich.takes_count)};
            enum ampel_engine_status status = tell(&story, &poor);
            /* A block that was to shrink stays as it is: that take is not needed. */
            unneeded += status == AMPEL_ENGINE_OK;
            assert_true(status == AMPEL_ENGINE_OK || status == AMPEL_ENGINE_NO_MEMORY);
        }
        ampel_story_reset(&story);
    }
    assert_true(unneeded < STORIES * STARVATIONS / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_ends_anywhere_is_told_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

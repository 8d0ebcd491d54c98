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
#include "engine/incident.h"
#include "engine/outlook.h"
#include "engine/pool.h"
#include "tests/oracle/framer.h"
#include "tests/oracle/story.h"

#define STORIES     40
#define STARVATIONS 40
/* Of the blocks that an engine asks of its pool for a story, so many are refused, one a telling, all over the story. */
#define REFUSALS 160

/* The linker puts these around the pool's own (tests/CMakeLists.txt): slabs are so large that the allocator alone hears of few blocks. */
static uint64_t asked_count, refused_at = UINT64_MAX;

static bool refuses(void) { return asked_count++ == refused_at; }

void *__real_ampel_pool_take(struct ampel_pool *pool, size_t size);
void *__wrap_ampel_pool_take(struct ampel_pool *pool, size_t size);
void *__real_ampel_pool_double(struct ampel_pool *pool, void *array, uint32_t *capacity, uint32_t needed, size_t element_bytes);
void *__wrap_ampel_pool_double(struct ampel_pool *pool, void *array, uint32_t *capacity, uint32_t needed, size_t element_bytes);

void *__wrap_ampel_pool_take(struct ampel_pool *pool, size_t size) {
    return refuses() ? NULL : __real_ampel_pool_take(pool, size);
}

void *__wrap_ampel_pool_double(struct ampel_pool *pool, void *array, uint32_t *capacity, uint32_t needed, size_t element_bytes) {
    if (refuses()) return NULL;
    return __real_ampel_pool_double(pool, array, capacity, needed, element_bytes);
}

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

/* Everything that can be asked of an account. */
static enum ampel_engine_status ask(struct ampel_engine *engine, uint32_t slot) {
    const struct ampel_outlook_fix *fixes;
    const struct ampel_incident *incidents;
    struct ampel_outlook_green way;
    struct ampel_outlook_leaving leaving;
    struct ampel_outlook_turns turns;
    struct ampel_outlook_cap caps[AMPEL_CAP_GROUPS_MAX];
    struct ampel_numbers without;
    struct ampel_incident_damage damage;
    int32_t least, greatest;
    int64_t at_ms;
    uint32_t count, incidents_count;
    enum ampel_engine_status status = ampel_outlook_fixes(engine, slot, &fixes, &count);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_to_green(engine, slot, &way);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_leaving(engine, slot, &leaving);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_turns(engine, slot, &turns);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_next_change(engine, slot, &at_ms);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_caps(engine, slot, caps);
    if (status == AMPEL_ENGINE_OK) status = ampel_outlook_range(engine, slot, &least, &greatest);
    if (status == AMPEL_ENGINE_OK) status = ampel_incidents_without(engine, slot, &without);
    if (status == AMPEL_ENGINE_OK) status = ampel_incidents_list(engine, slot, &incidents, &incidents_count);
    if (status == AMPEL_ENGINE_OK && incidents_count > 0) {
        struct ampel_incident incident = incidents[0];
        status = ampel_incident_damage(engine, slot, &incident, &damage);
        if (status == AMPEL_ENGINE_OK) status = ampel_incident_fixes(engine, slot, &incident, &fixes, &count);
    }
    return status;
}

static enum ampel_engine_status ask_all(struct ampel_engine *engine, const struct ampel_rules *rules) {
    struct ampel_rules variants[2] = {*rules, *rules};
    variants[0].window_days = 90;
    variants[1].severity_points[1] = 1;
    enum ampel_engine_status status = ampel_engine_variants_set(engine, variants, 2);
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(engine) && status == AMPEL_ENGINE_OK; slot++)
        status = ask(engine, slot);
    return status;
}

/* As pages, and back into another engine, of which all is asked once more. */
static enum ampel_engine_status copy(const struct ampel_engine *engine, const struct ampel_engine_options *options) {
    struct ampel_engine *other = NULL;
    enum ampel_engine_status status = ampel_engine_open(options, &other);
    uint32_t size = ampel_engine_meta_export(engine, NULL, 0);
    uint8_t *bytes = malloc(size);
    assert_int_equal(ampel_engine_meta_export(engine, bytes, size), size);
    if (status == AMPEL_ENGINE_OK) status = ampel_engine_meta_import(other, bytes, size);
    for (uint32_t page = 0; page < ampel_engine_pages_count(engine) && status == AMPEL_ENGINE_OK; page++) {
        size = ampel_engine_page_export(engine, page, NULL, 0);
        bytes = realloc(bytes, size + 1);
        assert_int_equal(ampel_engine_page_export(engine, page, bytes, size), size);
        status = ampel_engine_page_import(other, page, bytes, size);
    }
    if (status == AMPEL_ENGINE_OK) status = ampel_engine_import_finish(other);
    if (status == AMPEL_ENGINE_OK) status = ask_all(other, options->rules);
    ampel_engine_close(other);
    free(bytes);
    return status;
}

/* Tells the story until it ends or memory does; then the purse is whole again.
 */
static enum ampel_engine_status tell(const struct ampel_story *story, struct purse *purse, bool asked) {
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
    if (asked && status == AMPEL_ENGINE_OK) status = ask_all(engine, options.rules);
    if (asked && status == AMPEL_ENGINE_OK) status = copy(engine, &options);
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
        assert_int_equal(tell(&story, &rich, false), AMPEL_ENGINE_OK);
        for (int starvation = 0; starvation < STARVATIONS; starvation++) {
            struct purse poor = {.takes_max = ampel_random_below(&random, rich.takes_count)};
            enum ampel_engine_status status = tell(&story, &poor, false);
            /* A block that was to shrink stays as it is: that take is not needed. */
            unneeded += status == AMPEL_ENGINE_OK;
            assert_true(status == AMPEL_ENGINE_OK || status == AMPEL_ENGINE_NO_MEMORY);
        }
        ampel_story_reset(&story);
    }
    assert_true(unneeded < STORIES * STARVATIONS / 20);
}

static void each_block_that_an_engine_asks_of_its_pool_may_be_refused(void **state) {
    (void)state;
    struct ampel_random random = {4};
    uint64_t unneeded = 0, refusals = 0;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct ampel_story story;
        ampel_story_tell(&story, seed);
        asked_count = 0;
        assert_int_equal(tell(&story, &(struct purse){.takes_max = UINT64_MAX}, true), AMPEL_ENGINE_OK);
        const uint64_t all = asked_count, step = all / REFUSALS + 1;
        for (uint64_t at = ampel_random_below(&random, step); at < all; at += step) {
            asked_count = 0;
            refused_at = at;
            enum ampel_engine_status status = tell(&story, &(struct purse){.takes_max = UINT64_MAX}, true);
            refused_at = UINT64_MAX;
            refusals++;
            unneeded += status == AMPEL_ENGINE_OK;
            assert_true(status == AMPEL_ENGINE_OK || status == AMPEL_ENGINE_NO_MEMORY);
        }
        ampel_story_reset(&story);
    }
    /* A block that was to shrink stays as it is, and what one question lacks the next one has. */
    assert_true(refusals > STORIES * REFUSALS / 2);
    assert_true(unneeded < refusals / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_block_that_an_engine_asks_of_its_pool_may_be_refused),
        cmocka_unit_test(memory_that_ends_anywhere_is_told_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

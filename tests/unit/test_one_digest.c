/* The same events through a whole worker, cut otherwise: batches, partitions, shards, checkpoints, deaths, days. One
   digest of all that is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/oracle/agency.h"
#include "tests/oracle/digest.h"
#include "tests/oracle/world.h"
#include "workers/logline.h"

#define MINUTE_MS INT64_C(60000)
#define START_MS  (INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS)
#define EVENTS    480
#define TENANTS   2

struct cut {
    uint32_t batch_events, partitions, shards;
    int64_t checkpoint_every_ms;
    uint32_t death_each; /* after so many batches; 0: none */
    int64_t days;        /* later */
    bool facts;
};
static const struct cut plain = {24, 3, 2, 400, 0, 0, true};

struct digests {
    uint64_t rows, pages;
};

static void *take(void *context, size_t size, size_t alignment) {
    (void)context;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    return aligned_alloc(least, (size + least - 1) / least * least);
}

static void give(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

static void start(struct ampel_world *world) {
    struct ampel_error error = {0};
    if (!ampel_world_start(world, &error)) fail_msg("%s: %s", error.field, error.reason);
}

static void pump(struct ampel_world *world, struct ampel_agency **agencies, int64_t pass_ms) {
    for (uint32_t i = 0; i < TENANTS; i++)
        ampel_feeder_pump(ampel_agency_feeder(agencies[i]), ampel_world_monotonic_ms(world));
    ampel_world_pass(world, pass_ms);
    assert_null(ampel_world_fatal(world));
}

static bool done(struct ampel_agency **agencies) {
    for (uint32_t i = 0; i < TENANTS; i++) {
        if (!ampel_feeder_done(ampel_agency_feeder(agencies[i]))) return false;
    }
    return true;
}

static struct digests live(const struct cut *cut) {
    static const char *const tenants[TENANTS] = {"nord", "sued"};
    struct ampel_rules rules;
    ampel_oracle_rules(&rules);
    struct ampel_world_options options;
    ampel_world_options_init(&options);
    int64_t start_ms = START_MS + cut->days * AMPEL_DAY_MS;
    options.rules = &rules;
    options.start_ms = start_ms;
    options.partitions = cut->partitions;
    options.shards_count = cut->shards;
    options.checkpoint_every_ms = cut->checkpoint_every_ms;
    struct ampel_world *world = ampel_world_open(&options);
    struct ampel_agency *agencies[TENANTS];
    for (uint32_t i = 0; i < TENANTS; i++) {
        ampel_memory_database_tenant_add(ampel_world_database(world), tenants[i],
                                         "0123456789012345678901234567890123456789");
        agencies[i] = ampel_agency_open(ampel_world_feeders(world), tenants[i], "erp", 10, 90 + i);
        if (cut->facts) ampel_agency_facts(agencies[i], 20);
        ampel_feeder_patience(ampel_agency_feeder(agencies[i]), 3000);
    }
    start(world);
    uint32_t batches = 0;
    for (uint32_t i = 0; i < EVENTS; i += cut->batch_events) {
        for (uint32_t j = 0; j < TENANTS; j++)
            ampel_agency_batch(agencies[j], start_ms, cut->batch_events, 0, false);
        pump(world, agencies, 30);
        if (cut->death_each == 0 || ++batches % cut->death_each != 0) continue;
        ampel_world_kill(world, batches % 2 == 0);
        start(world);
    }
    for (uint32_t i = 0; i < 1000 && !done(agencies); i++)
        pump(world, agencies, 100);
    assert_true(done(agencies));
    ampel_world_clock_jump(world, start_ms + 30 * MINUTE_MS + MINUTE_MS / 2 -
                                      ampel_world_now_ms(world));
    ampel_world_pass(world, 4000);
    assert_true(ampel_world_stop(world));
    struct ampel_memory memory = {.take = take, .give = give};
    struct digests digests = {.rows = ampel_digest_rows(ampel_world_database(world))};
    assert_true(ampel_digest_pages(ampel_world_database(world), cut->partitions, &rules, &memory,
                                   &digests.pages));
    for (uint32_t i = 0; i < TENANTS; i++)
        ampel_agency_close(agencies[i]);
    ampel_world_close(world);
    return digests;
}

static void assert_same(const struct cut *cut, bool pages) {
    struct digests one = live(&plain), other = live(cut);
    if (one.rows != other.rows || (pages && one.pages != other.pages))
        fail_msg("batches of %u, %u partitions, %u shards, checkpoints each %lld ms, deaths each %u: "
                 "other %s",
                 cut->batch_events, cut->partitions, cut->shards,
                 (long long)cut->checkpoint_every_ms, cut->death_each,
                 one.rows != other.rows ? "rows" : "pages");
}

static void batches_partitions_shards_and_checkpoints_make_no_difference(void **state) {
    (void)state;
    static const struct cut cuts[] = {
        {1, 3, 2, 400, 0, 0, true},    {240, 3, 2, 400, 0, 0, true},
        {480, 3, 2, 400, 0, 0, true},  {24, 1, 1, 400, 0, 0, true},
        {24, 8, 3, 400, 0, 0, true},   {24, 3, 2, 20, 0, 0, true},
        {24, 3, 2, 60000, 0, 0, true}, {60, 64, 2, 50, 0, 0, true},
    };
    /* The lowest score shown on a day, and drift, belong to what was shown, and that to batches: pages hold them, rows do
       not. */
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cuts); i++)
        assert_same(&cuts[i], cuts[i].batch_events == plain.batch_events);
}

static void deaths_make_no_difference(void **state) {
    (void)state;
    for (uint32_t each = 1; each <= 5; each++)
        assert_same(&(struct cut){24, 3, 2, each * 100, each, 0, true}, true);
}

/* Rows tell no times, pages do. */
static void later_days_make_no_difference_to_rows(void **state) {
    (void)state;
    assert_same(&(struct cut){24, 3, 2, 400, 0, 1, true}, false);
    assert_same(&(struct cut){24, 5, 2, 400, 0, 1000, true}, false);
    struct digests now = live(&plain), later = live(&(struct cut){24, 3, 2, 400, 0, 1, true});
    assert_true(now.pages != later.pages);
}

static void other_events_make_a_difference(void **state) {
    (void)state;
    struct digests with = live(&plain), without = live(&(struct cut){24, 3, 2, 400, 0, 0, false});
    assert_true(with.rows != without.rows && with.pages != without.pages);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_partitions_shards_and_checkpoints_make_no_difference),
        cmocka_unit_test(deaths_make_no_difference),
        cmocka_unit_test(later_days_make_no_difference_to_rows),
        cmocka_unit_test(other_events_make_a_difference),
    };
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

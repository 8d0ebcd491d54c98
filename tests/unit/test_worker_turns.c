/* A whole worker in a world that can be stopped at any turn: what agencies were told is durable is
   applied exactly once, whatever dies, and the stored ratings are the oracle's. The seed is
   printed; AMPEL_TEST_SEED replays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/oracle/agency.h"
#include "tests/oracle/oracle.h"
#include "tests/oracle/random.h"
#include "tests/oracle/world.h"

#define AGENCIES       3
#define HALF_MINUTE_MS INT64_C(30000)
#define KEY            "0123456789012345678901234567890123456789"
#define LIVES_MAX      200

struct scene {
    struct ampel_world *world;
    struct ampel_rules rules;
    struct ampel_agency *agencies[AGENCIES]; /* one tenant, one producer each */
    struct ampel_random random;
    bool died;     /* at least once */
    bool backfill; /* some batches are */
};

static const char *const tenants[AGENCIES] = {"nord", "sued", "west"};

/* The seed of this run: given, or another one each time. */
static uint64_t run_seed(void) {
    const char *given = getenv("AMPEL_TEST_SEED");
    uint64_t seed = (uint32_t)getpid();
    if (given != NULL) seed = (uint64_t)strtoull(given, NULL, 0);
    return seed % 1000000007;
}

static void scene_options(struct scene *scene, struct ampel_world_options *options, uint64_t seed) {
    *scene = (struct scene){.random.state = seed};
    ampel_oracle_rules(&scene->rules);
    ampel_world_options_init(options);
    options->rules = &scene->rules;
    options->seed = seed;
    /* A whole minute, so that agencies' times and half minutes lie as they should. */
    options->start_ms = INT64_C(1790000000000) / 60000 * 60000;
}

static void scene_open_with(struct scene *scene, const struct ampel_world_options *options) {
    scene->world = ampel_world_open(options);
    for (uint32_t i = 0; i < AGENCIES; i++) {
        ampel_memory_database_tenant_add(ampel_world_database(scene->world), tenants[i], KEY);
        scene->agencies[i] = ampel_agency_open(ampel_world_feeders(scene->world), tenants[i], "erp",
                                               10, options->seed + i);
    }
}

static void scene_open(struct scene *scene, uint64_t seed) {
    struct ampel_world_options options;
    scene_options(scene, &options, seed);
    scene_open_with(scene, &options);
}

static void scene_close(struct scene *scene) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        ampel_agency_close(scene->agencies[i]);
    ampel_world_close(scene->world);
}

static void start(struct scene *scene) {
    struct ampel_error error = {0};
    if (!ampel_world_start(scene->world, &error))
        fail_msg("seed %llu: the journal does not open: %s",
                 (unsigned long long)scene->random.state, error.reason);
}

static void pump(struct scene *scene) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        ampel_feeder_pump(ampel_agency_feeder(scene->agencies[i]),
                          ampel_world_now_ms(scene->world));
}

static bool all_done(const struct scene *scene) {
    for (uint32_t i = 0; i < AGENCIES; i++) {
        if (!ampel_feeder_done(ampel_agency_feeder(scene->agencies[i]))) return false;
    }
    return true;
}

static void batches(struct scene *scene, uint32_t events, uint32_t bad) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        ampel_agency_batch(scene->agencies[i], ampel_world_now_ms(scene->world), events, bad,
                           scene->backfill && ampel_random_chance(&scene->random, 30));
}

/* Until every batch is acked. */
static void deliver(struct scene *scene) {
    for (uint32_t i = 0; i < 1000 && !all_done(scene); i++) {
        pump(scene);
        ampel_world_pass(scene->world, 50);
        if (ampel_world_fatal(scene->world) != NULL)
            fail_msg("the stage %s failed", ampel_world_fatal(scene->world));
    }
    pump(scene);
    assert_true(all_done(scene));
}

/* Time goes on until no event waits for its time any more, and then to a half minute, when nothing
 * is about to happen. */
static void come_to_rest(struct scene *scene) {
    ampel_world_pass(scene->world, 240000);
    int64_t over_ms = ampel_world_now_ms(scene->world) % (2 * HALF_MINUTE_MS);
    ampel_world_pass(scene->world, 2 * HALF_MINUTE_MS + HALF_MINUTE_MS - over_ms);
}

static void kill_worker(struct scene *scene, bool power) {
    ampel_world_kill(scene->world, power);
    scene->died = true;
}

static void stop(struct scene *scene) {
    assert_true(ampel_world_stop(scene->world));
}

/* Every stored number is the oracle's. */
static void check_ratings(const struct scene *scene) {
    char reason[400] = "";
    int64_t now_ms = ampel_world_now_ms(scene->world);
    for (uint32_t i = 0; i < AGENCIES; i++) {
        const struct ampel_memory_database *database = ampel_world_database(scene->world);
        if (!ampel_agency_check(scene->agencies[i], database, &scene->rules, now_ms, reason) ||
            !ampel_agency_check_violations(scene->agencies[i], database, &scene->rules, now_ms,
                                           reason))
            fail_msg("%s", reason);
    }
}

static int compare_told(const void *left, const void *right) {
    const struct ampel_stored_told *a = left, *b = right;
    int order = strcmp(a->tenant, b->tenant);
    if (order == 0) order = (a->stream > b->stream) - (a->stream < b->stream);
    if (order == 0) order = (a->number > b->number) - (a->number < b->number);
    return order;
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(((const struct ampel_stored_told *)left)->id,
                  ((const struct ampel_stored_told *)right)->id);
}

/* Each change is stored once, and each stream counts upwards; from 1 without a gap, unless a death
   took numbers that were told and not stored (their changes come again under later ones). */
static void check_told(const struct scene *scene) {
    const struct ampel_stored_told *stored;
    uint32_t count = ampel_memory_database_told(ampel_world_database(scene->world), &stored);
    assert_true(count > 0);
    struct ampel_stored_told *told = malloc(count * sizeof(told[0]));
    assert_non_null(told);
    memcpy(told, stored, count * sizeof(told[0]));
    qsort(told, count, sizeof(told[0]), compare_ids);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(told[i - 1].id, told[i].id) == 0)
            fail_msg("the change %s of %s is stored twice", told[i].id, told[i].account);
    }
    qsort(told, count, sizeof(told[0]), compare_told);
    for (uint32_t i = 0; i < count; i++) {
        bool first = i == 0 || told[i - 1].stream != told[i].stream ||
                     strcmp(told[i - 1].tenant, told[i].tenant) != 0;
        uint64_t expected = first ? 1 : told[i - 1].number + 1;
        if (told[i].number < expected || (told[i].number > expected && !scene->died))
            fail_msg("%s stream %d: number %llu follows %llu", told[i].tenant, told[i].stream,
                     (unsigned long long)told[i].number, (unsigned long long)(expected - 1));
    }
    free(told);
}

static int compare_accounts(const void *left, const void *right) {
    const struct ampel_stored_told *a = left, *b = right;
    int order = strcmp(a->account, b->account);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

static bool same_rating(const struct ampel_numbers *left, const struct ampel_numbers *right) {
    return left->score == right->score && left->colour == right->colour &&
           left->risk == right->risk;
}

/* The history of each account is a chain without a missing link, from nothing to the rating that is
 * stored. */
static void check_history(const struct scene *scene) {
    const struct ampel_memory_database *database = ampel_world_database(scene->world);
    const struct ampel_stored_told *stored;
    uint32_t count = ampel_memory_database_told(database, &stored), scores = 0;
    struct ampel_stored_told *told = malloc(count * sizeof(told[0]));
    assert_non_null(told);
    for (uint32_t i = 0; i < count; i++) {
        if (stored[i].stream == AMPEL_STREAM_SCORES) told[scores++] = stored[i];
    }
    qsort(told, scores, sizeof(told[0]), compare_accounts);
    for (uint32_t i = 0; i < scores; i++) {
        bool first = i == 0 || strcmp(told[i - 1].account, told[i].account) != 0;
        bool last = i + 1 == scores || strcmp(told[i + 1].account, told[i].account) != 0;
        if (first != told[i].is_new ||
            (!first && !same_rating(&told[i - 1].after, &told[i].before)))
            fail_msg("%s: the history before number %llu is not whole: %d, then from %d to %d (%d)",
                     told[i].account, (unsigned long long)told[i].number,
                     first ? -1 : (int)told[i - 1].after.score, (int)told[i].before.score,
                     (int)told[i].after.score, told[i].is_new);
        if (!last) continue;
        const struct ampel_stored_rating *rating =
            ampel_memory_database_rating(database, told[i].account);
        assert_non_null(rating);
        if (!same_rating(&told[i].after, &rating->numbers))
            fail_msg("%s: the history does not end at the rating", told[i].account);
    }
    free(told);
}

/* Each refused event has its row, once. */
static void check_refusals(const struct scene *scene) {
    uint64_t bad = 0, refused = 0;
    for (uint32_t i = 0; i < AGENCIES; i++) {
        bad += ampel_agency_bad(scene->agencies[i]);
        refused += ampel_feeder_refused(ampel_agency_feeder(scene->agencies[i]));
    }
    const struct ampel_stored_refusal *rows;
    assert_int_equal(refused, bad);
    assert_int_equal(ampel_memory_database_refusals(ampel_world_database(scene->world), &rows),
                     bad);
}

static void check_all(const struct scene *scene) {
    check_ratings(scene);
    check_told(scene);
    if (!scene->backfill) check_history(scene);
    check_refusals(scene);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void what_is_fed_is_stored_as_the_oracle_says(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 11);
    start(&scene);
    for (uint32_t i = 0; i < 10; i++) {
        batches(&scene, 40, i % 3);
        deliver(&scene);
    }
    come_to_rest(&scene);
    check_all(&scene);
    stop(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void batches_before_the_start_is_over_come_back_and_are_taken_later(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 12);
    ampel_memory_database_away(ampel_world_database(scene.world), true);
    start(&scene);
    batches(&scene, 10, 0);
    pump(&scene);
    ampel_world_pass(scene.world, 3000);
    pump(&scene);
    assert_false(all_done(&scene));
    ampel_memory_database_away(ampel_world_database(scene.world), false);
    ampel_world_pass(scene.world, 6000);
    deliver(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void an_orderly_stop_leaves_nothing_to_do(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 13);
    start(&scene);
    batches(&scene, 100, 1);
    deliver(&scene);
    stop(&scene);
    ampel_world_pass(scene.world, 2 * HALF_MINUTE_MS);
    const struct ampel_stored_told *told;
    uint32_t told_count = ampel_memory_database_told(ampel_world_database(scene.world), &told);
    assert_true(told_count > 0);
    /* All is stored, and a new start tells nothing again. */
    start(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    stop(&scene);
    scene_close(&scene);
}

/* The worker starts with rules of its own each time; those of the database count once they are set. */
static void rules_set_while_running_hold_for_all_and_after_every_death(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 17);
    struct ampel_rules own = scene.rules;
    ampel_world_rules(scene.world, &own);
    start(&scene);
    batches(&scene, 60, 0);
    deliver(&scene);
    scene.rules.start = 150;
    ampel_memory_database_rules_set(ampel_world_database(scene.world), &scene.rules);
    ampel_world_pass(scene.world, 100);
    batches(&scene, 60, 0);
    deliver(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    scene.rules.start = 260;
    ampel_memory_database_rules_set(ampel_world_database(scene.world), &scene.rules);
    ampel_world_pass(scene.world, 1);
    kill_worker(&scene, false);
    start(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    stop(&scene);
    own.start = 300;
    start(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void a_resent_batch_is_a_duplicate_before_and_after_a_crash(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 14);
    start(&scene);
    for (uint32_t i = 0; i < 5; i++)
        batches(&scene, 20, 0);
    deliver(&scene);
    struct ampel_feeder *feeder = ampel_agency_feeder(scene.agencies[0]);
    assert_int_equal(ampel_feeder_duplicates(feeder), 0);
    ampel_feeder_resend(feeder, 3);
    ampel_world_pass(scene.world, 100);
    pump(&scene);
    assert_int_equal(ampel_feeder_duplicates(feeder), 1);
    kill_worker(&scene, true);
    start(&scene);
    ampel_world_pass(scene.world, 1000);
    pump(&scene);
    ampel_world_pass(scene.world, 100);
    ampel_feeder_resend(feeder, 0);
    ampel_feeder_resend(feeder, 4);
    ampel_world_pass(scene.world, 100);
    pump(&scene);
    assert_int_equal(ampel_feeder_duplicates(feeder), 3);
    assert_int_equal(ampel_feeder_next(feeder), 5);
    come_to_rest(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void ratings_go_on_while_the_database_is_away_and_are_stored_after_it(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 15);
    start(&scene);
    batches(&scene, 20, 0);
    deliver(&scene);
    come_to_rest(&scene);
    ampel_memory_database_away(ampel_world_database(scene.world), true);
    for (uint32_t i = 0; i < 20; i++) {
        batches(&scene, 20, 1);
        deliver(&scene);
        ampel_world_pass(scene.world, 2000);
    }
    ampel_memory_database_away(ampel_world_database(scene.world), false);
    come_to_rest(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void a_stolen_partition_stops_the_worker(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 16);
    start(&scene);
    batches(&scene, 50, 0);
    deliver(&scene);
    come_to_rest(&scene);
    ampel_memory_database_steal(ampel_world_database(scene.world), 3);
    ampel_world_pass(scene.world, 15000);
    assert_non_null(ampel_world_fatal(scene.world));
    kill_worker(&scene, false);
    /* The next start claims it again, and nothing is lost. */
    start(&scene);
    batches(&scene, 50, 0);
    ampel_world_pass(scene.world, 1000);
    deliver(&scene);
    come_to_rest(&scene);
    check_all(&scene);
    scene_close(&scene);
}

static void the_journal_is_recycled_as_checkpoints_pass(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, 17);
    start(&scene);
    for (uint32_t i = 0; i < 60; i++) {
        batches(&scene, 1500, 0);
        deliver(&scene);
        ampel_world_pass(scene.world, 2000);
    }
    /* Many segments of a megabyte were filled; those that all partitions are past are used again.
     */
    assert_in_range(memory_disk_files(ampel_world_disk(scene.world)), 1, 8);
    stop(&scene);
    scene_close(&scene);
}

/* One story of lives and deaths. Returns how many lives it took. */
/* Rules are set while the worker is alive, dead or on its way; the last ones are those of the check. */
static void other_rules(struct scene *scene) {
    scene->rules.start = (int32_t)ampel_random_between(&scene->random, 100, 300);
    scene->rules.severity_points[3] = (int32_t)ampel_random_between(&scene->random, 8, 60);
    scene->rules.anchor = ampel_random_chance(&scene->random, 50) ? AMPEL_ANCHOR_RERANK
                                                                 : AMPEL_ANCHOR_ANCHORED;
    ampel_memory_database_rules_set(ampel_world_database(scene->world), &scene->rules);
}

static uint32_t story(uint64_t seed, bool power) {
    struct scene scene;
    struct ampel_world_options options;
    scene_options(&scene, &options, seed);
    options.shards_count = 1 + (uint32_t)(seed % 3);
    options.scribes_count = 1 + (uint32_t)(seed / 3 % 2);
    options.partitions = 1 + (uint32_t)(seed % 7);
    if (seed % 4 == 0) options.unstored_bytes_max = 40000;
    scene_open_with(&scene, &options);
    scene.backfill = seed % 5 == 0;
    uint32_t lives = 0, fed = 0;
    while (lives < LIVES_MAX) {
        start(&scene);
        lives++;
        uint64_t turns = ampel_random_below(&scene.random, 600);
        for (uint64_t i = 0; i < turns; i++) {
            if (fed < 12 && ampel_random_chance(&scene.random, 2)) {
                batches(&scene, (uint32_t)ampel_random_below(&scene.random, 60) + 1,
                        (uint32_t)ampel_random_below(&scene.random, 3));
                fed++;
            }
            if (ampel_random_chance(&scene.random, 1) && ampel_random_chance(&scene.random, 40))
                other_rules(&scene);
            if (ampel_random_chance(&scene.random, 20)) pump(&scene);
            if (ampel_random_chance(&scene.random, 3))
                ampel_world_pass(scene.world, ampel_random_between(&scene.random, 1, 400));
            if (ampel_random_chance(&scene.random, 1)) {
                enum ampel_memory_fault fault = (enum ampel_memory_fault)ampel_random_between(
                    &scene.random, AMPEL_FAULT_AWAY, AMPEL_FAULT_UNKNOWN_UNDONE);
                ampel_memory_database_fault(ampel_world_database(scene.world), fault,
                                            1 + (uint32_t)ampel_random_below(&scene.random, 3));
            }
            (void)ampel_world_turn(scene.world);
            if (ampel_world_fatal(scene.world) != NULL)
                fail_msg("the stage %s failed", ampel_world_fatal(scene.world));
        }
        if (fed >= 12 && all_done(&scene)) break;
        kill_worker(&scene, power && ampel_random_chance(&scene.random, 50));
    }
    ampel_memory_database_fault(ampel_world_database(scene.world), AMPEL_FAULT_NONE, 0);
    come_to_rest(&scene);
    deliver(&scene);
    check_all(&scene);
    stop(&scene);
    check_all(&scene);
    scene_close(&scene);
    return lives;
}

static void any_death_at_any_turn_loses_nothing_and_doubles_nothing(void **state) {
    (void)state;
    uint64_t seed = run_seed();
    const char *stories = getenv("AMPEL_TEST_STORIES");
    uint32_t count = stories != NULL ? (uint32_t)strtoul(stories, NULL, 10) : 24, lives = 0;
    for (uint32_t i = 0; i < count; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        lives += story(seed + i, i % 2 == 0);
    }
    print_message("%u stories, %u lives\n", count, lives);
    assert_true(lives >= count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fed_is_stored_as_the_oracle_says),
        cmocka_unit_test(batches_before_the_start_is_over_come_back_and_are_taken_later),
        cmocka_unit_test(an_orderly_stop_leaves_nothing_to_do),
        cmocka_unit_test(rules_set_while_running_hold_for_all_and_after_every_death),
        cmocka_unit_test(a_resent_batch_is_a_duplicate_before_and_after_a_crash),
        cmocka_unit_test(ratings_go_on_while_the_database_is_away_and_are_stored_after_it),
        cmocka_unit_test(a_stolen_partition_stops_the_worker),
        cmocka_unit_test(the_journal_is_recycled_as_checkpoints_pass),
        cmocka_unit_test(any_death_at_any_turn_loses_nothing_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

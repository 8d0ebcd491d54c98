/* The scribe between its queues and a database in memory, turned by hand under a clock that stands
 * until it is moved. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/memory_database.h"
#include "workers/metrics.h"
#include "workers/parcel.h"
#include "workers/scribe.h"

#define PARTITIONS 4
#define SHARDS     2
#define MS         INT64_C(1000000)
#define SYSTEM_ID  77
#define TEST_KEY   "0123456789012345678901234567890123456789"
#define TURNS_MAX  1000

struct bench {
    struct ampel_memory_database *database;
    struct ampel_scribe *scribe;
    struct ampel_stage stage;
    struct ampel_queue *in, *keeper, *publisher, *gateway, *shards[SHARDS];
    int64_t ns, wake_ns;
    int64_t commit_ns; /* so long each commit takes */
    enum ampel_database_status (*commit)(void *context, const struct ampel_checkpoint *checkpoint, struct ampel_error *error);
};

static int64_t bench_ms(void *context) {
    return ((struct bench *)context)->ns / MS;
}
static int64_t bench_ns(void *context) {
    return ((struct bench *)context)->ns;
}

/* Whose clock a commit moves on: the database's context is its own. */
static struct bench *committing;

static enum ampel_database_status commit(void *context, const struct ampel_checkpoint *checkpoint, struct ampel_error *error) {
    committing->ns += committing->commit_ns;
    return committing->commit(context, checkpoint, error);
}

static void drain(struct ampel_queue *queue) {
    struct ampel_parcel *parcel;
    while ((parcel = ampel_queue_pop(queue)) != NULL)
        ampel_parcel_free(parcel);
}

static void bench_open(struct bench *bench, uint32_t partitions_expected, uint32_t capacity) {
    *bench = (struct bench){.ns = 1000 * MS};
    bench->database = ampel_memory_database_open(SYSTEM_ID, PARTITIONS);
    ampel_memory_database_tenant_add(bench->database, "nord", TEST_KEY);
    bench->in = ampel_queue_open(64);
    bench->keeper = ampel_queue_open(64);
    bench->publisher = ampel_queue_open(64);
    bench->gateway = ampel_queue_open(64);
    for (uint32_t i = 0; i < SHARDS; i++)
        bench->shards[i] = ampel_queue_open(capacity);
    struct ampel_scribe_options options = {
        .clock = {.context = bench, .now_ms = bench_ms, .monotonic_ns = bench_ns},
        .partitions = partitions_expected,
        .shards_count = SHARDS,
        .in = bench->in,
        .keeper = bench->keeper,
        .shards = bench->shards,
        .publisher = bench->publisher,
        .gateway = bench->gateway,
    };
    ampel_memory_database_face(bench->database, &options.database);
    committing = bench;
    bench->commit = options.database.commit;
    options.database.commit = commit;
    assert_true(ampel_scribe_open(&options, &bench->scribe));
    bench->stage = ampel_scribe_stage(bench->scribe);
}

static void bench_close(struct bench *bench) {
    ampel_scribe_close(bench->scribe);
    struct ampel_queue *queues[] = {bench->in,      bench->keeper,    bench->publisher,
                                    bench->gateway, bench->shards[0], bench->shards[1]};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(queues); i++) {
        drain(queues[i]);
        ampel_queue_close(queues[i]);
    }
    ampel_memory_database_close(bench->database);
}

/* Turns until nothing more is to be done at this time. */
static enum ampel_turn settle(struct bench *bench) {
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        enum ampel_turn turn = bench->stage.turn(bench->stage.context, &bench->wake_ns);
        if (turn != AMPEL_TURN_AGAIN) return turn;
    }
    fail_msg("the scribe does not settle");
    return AMPEL_TURN_FATAL;
}

/* Started, with all that the start brings thrown away. */
static void bench_start(struct bench *bench, uint32_t capacity) {
    bench_open(bench, PARTITIONS, capacity);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
    for (uint32_t i = 0; i < SHARDS; i++)
        drain(bench->shards[i]);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
    for (uint32_t i = 0; i < SHARDS; i++)
        drain(bench->shards[i]);
    drain(bench->keeper);
    drain(bench->publisher);
    drain(bench->gateway);
}

static void push(struct bench *bench, void *parcel) {
    assert_non_null(parcel);
    assert_true(ampel_queue_push(bench->in, parcel));
}

static void push_checkpoint_of(struct bench *bench, uint32_t partition, uint64_t epoch, uint64_t from, uint64_t to,
                               int64_t as_of_ms) {
    struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    assert_non_null(checkpoint);
    checkpoint->parcel.kind = AMPEL_PARCEL_CHECKPOINT;
    checkpoint->partition = partition;
    checkpoint->epoch = epoch;
    checkpoint->stream_epoch = 1;
    checkpoint->position_old = from;
    checkpoint->position_new = to;
    checkpoint->as_of_ms = as_of_ms;
    checkpoint->arena = ampel_arena_open();
    checkpoint->meta_size = 8;
    checkpoint->meta = ampel_arena_take(checkpoint->arena, 8);
    memset(checkpoint->meta, 1, 8);
    push(bench, checkpoint);
}

static void push_checkpoint(struct bench *bench, uint32_t partition, uint64_t epoch, uint64_t from,
                            uint64_t to) {
    push_checkpoint_of(bench, partition, epoch, from, to, 0);
}

static void push_stop(struct bench *bench) {
    struct ampel_parcel *stop = calloc(1, sizeof(*stop));
    assert_non_null(stop);
    stop->kind = AMPEL_PARCEL_STOP;
    push(bench, stop);
}

static void expect_committed(struct ampel_queue *queue, uint32_t partition, uint64_t position) {
    struct ampel_parcel_committed *committed = ampel_queue_pop(queue);
    assert_non_null(committed);
    assert_int_equal(committed->parcel.kind, AMPEL_PARCEL_COMMITTED);
    assert_int_equal(committed->partition, partition);
    assert_int_equal(committed->position, position);
    assert_false(committed->fenced);
    ampel_parcel_free(&committed->parcel);
}

static void expect_loaded(struct ampel_queue *queue, uint32_t partition) {
    struct ampel_parcel_loaded *loaded = ampel_queue_pop(queue);
    assert_non_null(loaded);
    assert_int_equal(loaded->parcel.kind, AMPEL_PARCEL_LOADED);
    assert_int_equal(loaded->partition, partition);
    assert_int_equal(loaded->epoch, 1);
    ampel_parcel_loaded_free(loaded);
}

static void expect_tenants(struct ampel_queue *queue, uint32_t keys_count) {
    struct ampel_parcel_tenants *tenants = ampel_queue_pop(queue);
    assert_non_null(tenants);
    assert_int_equal(tenants->parcel.kind, AMPEL_PARCEL_TENANTS);
    assert_int_equal(tenants->keys_count, keys_count);
    assert_int_equal(tenants->epoch, 1);
    ampel_parcel_tenants_free(tenants);
}

/* ---- the start ------------------------------------------------------------------------------ */

static void the_start_tells_tenants_and_loads_every_partition_to_its_shard(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS, 64);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_tenants(bench.gateway, 1);
    expect_tenants(bench.publisher, 1);
    expect_loaded(bench.shards[0], 0);
    expect_loaded(bench.shards[1], 1);
    expect_loaded(bench.shards[0], 2);
    expect_loaded(bench.shards[1], 3);
    for (uint32_t i = 0; i < PARTITIONS; i++)
        expect_loaded(bench.keeper, i);
    bench_close(&bench);
}

static void another_number_of_partitions_stops_the_process(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS + 1, 64);
    assert_int_equal(settle(&bench), AMPEL_TURN_FATAL);
    bench_close(&bench);
}

static void a_database_that_is_away_at_the_start_is_tried_with_growing_pauses(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS, 64);
    ampel_memory_database_away(bench.database, true);
    int64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(expected_ms); i++) {
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        assert_int_equal((bench.wake_ns - bench.ns) / MS, expected_ms[i]);
        bench.ns = bench.wake_ns;
    }
    ampel_memory_database_away(bench.database, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_queue_count(bench.keeper), PARTITIONS);
    bench_close(&bench);
}

static void a_start_that_has_to_be_tried_again_does_not_spin_on_a_notice(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS, 64);
    ampel_memory_database_fault(bench.database, AMPEL_FAULT_RETRY, 1);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_true(bench.wake_ns > bench.ns);
    struct pollfd fds[8];
    int numbers[8];
    uint32_t count = bench.stage.fds(bench.stage.context, numbers, 8);
    for (uint32_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = numbers[i], .events = POLLIN};
    assert_int_equal(poll(fds, count, 0), 0);
    bench_close(&bench);
}

static void stop_ends_a_scribe_that_never_found_its_database(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS, 64);
    ampel_memory_database_away(bench.database, true);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    push_stop(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    bench_close(&bench);
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static void a_commit_is_told_to_shard_keeper_and_publisher(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    push_checkpoint(&bench, 3, 1, 0, 500);
    push_checkpoint(&bench, 2, 1, 0, 600);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_committed(bench.shards[1], 3, 500);
    expect_committed(bench.shards[0], 2, 600);
    expect_committed(bench.keeper, 3, 500);
    expect_committed(bench.keeper, 2, 600);
    expect_committed(bench.publisher, 3, 500);
    assert_int_equal(ampel_memory_database_position(bench.database, 3), 500);
    bench_close(&bench);
}

static void a_checkpoint_waits_for_an_absent_database_and_keeps_its_place(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    ampel_memory_database_away(bench.database, true);
    push_checkpoint(&bench, 0, 1, 0, 500);
    push_checkpoint(&bench, 0, 1, 500, 600);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        assert_in_range(bench.wake_ns, bench.ns + 1, bench.ns + 5000 * MS);
        bench.ns = bench.wake_ns;
    }
    assert_int_equal(ampel_queue_count(bench.shards[0]), 0);
    ampel_memory_database_away(bench.database, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_committed(bench.shards[0], 0, 500);
    expect_committed(bench.shards[0], 0, 600);
    bench_close(&bench);
}

static void while_a_checkpoint_waits_its_queue_does_not_wake_the_scribe(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    int fds[8];
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 8), 2);
    ampel_memory_database_away(bench.database, true);
    push_checkpoint(&bench, 0, 1, 0, 500);
    push_checkpoint(&bench, 1, 1, 0, 500);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 8), 0);
    bench_close(&bench);
}

static void a_shard_is_told_how_long_its_checkpoint_took_without_what_it_waited(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    bench.commit_ns = 70 * MS;
    ampel_memory_database_fault(bench.database, AMPEL_FAULT_RETRY, 1);
    push_checkpoint(&bench, 0, 1, 0, 500);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    bench.ns = bench.wake_ns;
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_committed *committed = ampel_queue_pop(bench.shards[0]);
    assert_non_null(committed);
    assert_int_equal(committed->spent_ns, 70 * MS);
    ampel_parcel_free(&committed->parcel);
    bench_close(&bench);
}

static void commits_of_unknown_outcome_are_done_exactly_once(void **state) {
    (void)state;
    const enum ampel_memory_fault faults[] = {AMPEL_FAULT_UNKNOWN_DONE, AMPEL_FAULT_UNKNOWN_UNDONE,
                                              AMPEL_FAULT_AWAY, AMPEL_FAULT_RETRY};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(faults); i++) {
        struct bench bench;
        bench_start(&bench, 64);
        ampel_memory_database_fault(bench.database, faults[i], 1);
        push_checkpoint(&bench, 0, 1, 0, 500);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        assert_int_equal(ampel_queue_count(bench.shards[0]), 0);
        bench.ns = bench.wake_ns;
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        expect_committed(bench.shards[0], 0, 500);
        assert_int_equal(ampel_memory_database_commits(bench.database), 1);
        push_checkpoint(&bench, 0, 1, 500, 700);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        expect_committed(bench.shards[0], 0, 700);
        bench_close(&bench);
    }
}

static void a_stolen_partition_stops_the_process_and_its_shard_hears_why(void **state) {
    (void)state;
    const enum ampel_memory_fault faults[] = {AMPEL_FAULT_NONE, AMPEL_FAULT_UNKNOWN_UNDONE};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(faults); i++) {
        struct bench bench;
        bench_start(&bench, 64);
        ampel_memory_database_steal(bench.database, 1);
        ampel_memory_database_fault(bench.database, faults[i], 1);
        push_checkpoint(&bench, 1, 1, 0, 500);
        enum ampel_turn turn = settle(&bench);
        if (turn == AMPEL_TURN_IDLE) {
            bench.ns = bench.wake_ns;
            turn = settle(&bench);
        }
        assert_int_equal(turn, AMPEL_TURN_FATAL);
        struct ampel_parcel_committed *committed = ampel_queue_pop(bench.shards[1]);
        assert_non_null(committed);
        assert_true(committed->fenced);
        ampel_parcel_free(&committed->parcel);
        assert_int_equal(ampel_memory_database_commits(bench.database), 0);
        bench_close(&bench);
    }
}

static void a_full_shard_does_not_hold_up_the_commits_of_others(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 2);
    for (uint64_t i = 0; i < 5; i++)
        push_checkpoint(&bench, 0, 1, i * 100, (i + 1) * 100);
    push_checkpoint(&bench, 1, 1, 0, 900);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_committed(bench.shards[1], 1, 900);
    for (uint64_t i = 0; i < 5; i++) {
        expect_committed(bench.shards[0], 0, (i + 1) * 100);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    }
    bench_close(&bench);
}

static void stop_comes_after_the_checkpoints_before_it(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    ampel_memory_database_fault(bench.database, AMPEL_FAULT_AWAY, 1);
    push_checkpoint(&bench, 0, 1, 0, 500);
    push_checkpoint(&bench, 1, 1, 0, 500);
    push_stop(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    bench.ns = bench.wake_ns;
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    assert_int_equal(ampel_memory_database_commits(bench.database), 2);
    bench_close(&bench);
}

/* ---- questions and notices ------------------------------------------------------------------ */

static void push_ask(struct bench *bench, uint64_t from) {
    struct ampel_parcel_ask *ask = calloc(1, sizeof(*ask));
    assert_non_null(ask);
    ask->parcel.kind = AMPEL_PARCEL_ASK;
    memcpy(ask->tenant, "nord", 5);
    ask->from = from;
    ask->limit = 10;
    push(bench, ask);
}

static void a_question_is_answered_and_fails_openly_while_the_database_is_away(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    push_ask(&bench, 1);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    ampel_memory_database_away(bench.database, true);
    push_ask(&bench, 5);
    push_ask(&bench, 6);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    const bool failed[] = {false, true, true};
    const uint64_t from[] = {1, 5, 6};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(failed); i++) {
        struct ampel_parcel_answer *answer = ampel_queue_pop(bench.publisher);
        assert_non_null(answer);
        assert_int_equal(answer->parcel.kind, AMPEL_PARCEL_ANSWER);
        assert_int_equal(answer->failed, failed[i]);
        assert_int_equal(answer->from, from[i]);
        assert_string_equal(answer->tenant, "nord");
        ampel_parcel_answer_free(answer);
    }
    bench_close(&bench);
}

static void new_tenants_are_told_when_noticed_and_after_an_absence(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 64);
    ampel_memory_database_tenant_add(bench.database, "sued", TEST_KEY);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_tenants(bench.gateway, 2);
    expect_tenants(bench.publisher, 2);
    ampel_memory_database_away(bench.database, true);
    ampel_memory_database_tenant_add(bench.database, "west", TEST_KEY);
    push_checkpoint(&bench, 0, 1, 0, 500);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    ampel_memory_database_away(bench.database, false);
    bench.ns = bench.wake_ns;
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    expect_tenants(bench.gateway, 3);
    bench_close(&bench);
}

/* Found by a world's story (seed 18611): a notice while `begin` was to be tried again kept the thread spinning. */
static void a_notice_before_the_start_is_through_does_not_keep_the_thread_awake(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, PARTITIONS, 64);
    ampel_memory_database_tenant_add(bench.database, "nord",
                                     "0123456789012345678901234567890123456789");
    ampel_memory_database_fault(bench.database, AMPEL_FAULT_RETRY, 1);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    int fds[4];
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 4), 1);
    assert_int_equal(fds[0], ampel_queue_fd(bench.in));
    bench_close(&bench);
}

/* ---- beside the first ----------------------------------------------------------------------- */

/* A bench whose scribe stores beside another one that has claimed all; both have the same database. */
static void bench_beside_open(struct bench *first, struct bench *beside) {
    bench_start(first, 64);
    *beside = *first;
    beside->in = ampel_queue_open(64);
    struct ampel_scribe_options options = {
        .first = first->scribe,
        .clock = {.context = first, .now_ms = bench_ms, .monotonic_ns = bench_ns},
        .partitions = PARTITIONS,
        .shards_count = SHARDS,
        .in = beside->in,
        .keeper = first->keeper,
        .shards = first->shards,
        .publisher = first->publisher,
        .gateway = first->gateway,
    };
    ampel_memory_database_face_of(first->database, 1, &options.database);
    assert_true(ampel_scribe_open(&options, &beside->scribe));
    beside->stage = ampel_scribe_stage(beside->scribe);
}

static void bench_beside_close(struct bench *first, struct bench *beside) {
    ampel_scribe_close(beside->scribe);
    drain(beside->in);
    ampel_queue_close(beside->in);
    bench_close(first);
}

static void a_scribe_beside_the_first_stores_and_neither_begins_nor_claims(void **state) {
    (void)state;
    struct bench first, beside;
    bench_beside_open(&first, &beside);
    uint64_t calls = ampel_memory_database_calls(first.database);
    assert_int_equal(settle(&beside), AMPEL_TURN_IDLE);
    ampel_memory_database_notify(first.database);
    assert_int_equal(settle(&beside), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_memory_database_calls(first.database), calls);
    push_checkpoint(&beside, 3, 1, 0, 500);
    assert_int_equal(settle(&beside), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_memory_database_calls(first.database), calls + 1);
    assert_int_equal(ampel_memory_database_position(first.database, 3), 500);
    expect_committed(first.shards[1], 3, 500);
    expect_committed(first.keeper, 3, 500);
    expect_committed(first.publisher, 3, 500);
    push_stop(&beside);
    assert_int_equal(settle(&beside), AMPEL_TURN_ENDED);
    bench_beside_close(&first, &beside);
}

static void the_age_of_what_is_stored_is_that_of_all_scribes_together(void **state) {
    (void)state;
    struct bench first, beside;
    bench_beside_open(&first, &beside);
    first.ns += 60000 * MS;
    for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
        struct bench *bench = partition % 2 == 0 ? &first : &beside;
        push_checkpoint_of(bench, partition, 1, 0, 500, first.ns / MS);
        assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
        assert_int_equal(ampel_metric_get(AMPEL_METRIC_CHECKPOINT_AGE), partition + 1 < PARTITIONS ? 60 : 0);
    }
    bench_beside_close(&first, &beside);
}

static void a_scribe_beside_the_first_that_lost_its_connection_says_nothing_of_the_database(void **state) {
    (void)state;
    struct bench first, beside;
    bench_beside_open(&first, &beside);
    ampel_memory_database_fault(first.database, AMPEL_FAULT_UNKNOWN_DONE, 1);
    push_checkpoint(&beside, 3, 1, 0, 500);
    assert_int_equal(settle(&beside), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_DATABASE_UP), 1);
    first.ns += 1000 * MS;
    assert_int_equal(settle(&beside), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_memory_database_commits(first.database), 1);
    expect_committed(first.shards[1], 3, 500);
    bench_beside_close(&first, &beside);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_tells_tenants_and_loads_every_partition_to_its_shard),
        cmocka_unit_test(another_number_of_partitions_stops_the_process),
        cmocka_unit_test(a_database_that_is_away_at_the_start_is_tried_with_growing_pauses),
        cmocka_unit_test(a_start_that_has_to_be_tried_again_does_not_spin_on_a_notice),
        cmocka_unit_test(stop_ends_a_scribe_that_never_found_its_database),
        cmocka_unit_test(a_commit_is_told_to_shard_keeper_and_publisher),
        cmocka_unit_test(a_checkpoint_waits_for_an_absent_database_and_keeps_its_place),
        cmocka_unit_test(while_a_checkpoint_waits_its_queue_does_not_wake_the_scribe),
        cmocka_unit_test(a_shard_is_told_how_long_its_checkpoint_took_without_what_it_waited),
        cmocka_unit_test(commits_of_unknown_outcome_are_done_exactly_once),
        cmocka_unit_test(a_stolen_partition_stops_the_process_and_its_shard_hears_why),
        cmocka_unit_test(a_full_shard_does_not_hold_up_the_commits_of_others),
        cmocka_unit_test(stop_comes_after_the_checkpoints_before_it),
        cmocka_unit_test(a_question_is_answered_and_fails_openly_while_the_database_is_away),
        cmocka_unit_test(new_tenants_are_told_when_noticed_and_after_an_absence),
        cmocka_unit_test(a_notice_before_the_start_is_through_does_not_keep_the_thread_awake),
        cmocka_unit_test(a_scribe_beside_the_first_stores_and_neither_begins_nor_claims),
        cmocka_unit_test(the_age_of_what_is_stored_is_that_of_all_scribes_together),
        cmocka_unit_test(a_scribe_beside_the_first_that_lost_its_connection_says_nothing_of_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* When a shard stores its partitions, and what it does while that does not follow. */
#include "tests/unit/shard_fixture.h"

static void records_wait_while_too_much_is_told_and_not_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    start_again(&bench, 1200);
    orders_push(&bench, 20, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    uint32_t waiting = ampel_queue_count(bench.records);
    assert_in_range(waiting, 10, 19);
    /* What was told is stored at once, as it is in the way. */
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_queue_count(bench.records), waiting);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_true(ampel_queue_count(bench.records) < waiting);
    for (uint32_t i = 0; i < 40 && ampel_queue_count(bench.records) > 0; i++) {
        checkpoint = checkpoint_wanted(&bench);
        push_committed(&bench, checkpoint, false);
        ampel_checkpoint_free(checkpoint);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    }
    assert_int_equal(ampel_queue_count(bench.records), 0);
    bench_close(&bench);
}

static uint32_t told_take(struct bench *bench) {
    struct ampel_parcel *parcel;
    uint32_t told = 0;
    while ((parcel = ampel_queue_pop(bench->publisher)) != NULL) {
        if (parcel->kind == AMPEL_PARCEL_OUT) told += ((struct ampel_parcel_out *)parcel)->told_count;
        ampel_parcel_free(parcel);
    }
    return told;
}

/* The least room that there may be, and always more to tell: something is told every ten seconds, its bytes keep their bound, and
   the shard is not turned for nothing. */
static void for_ten_minutes_without_a_database_records_go_on_ever_more_slowly_and_do_not_stop(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    start_again(&bench, 1 << 20);
    uint32_t sellers = 0, told_first = 0, told_last = 0;
    for (uint32_t tens = 0; tens < 60; tens++) {
        uint32_t told = 0, turns = 0;
        for (const int64_t until_ns = bench.ns + 10000 * MS; bench.ns < until_ns; turns++) {
            while (ampel_queue_count(bench.records) < 8) {
                char seller[16];
                (void)snprintf(seller, sizeof(seller), "S%u", sellers++);
                order(&bench, seller, 1);
                push_batch(&bench);
            }
            enum ampel_turn turn = bench.stage.turn(bench.stage.context, &bench.wake_ns);
            assert_int_not_equal(turn, AMPEL_TURN_FATAL);
            int64_t next_ns = turn == AMPEL_TURN_AGAIN || bench.wake_ns <= bench.ns ? bench.ns + 20 * MS : bench.wake_ns;
            if (next_ns > until_ns) next_ns = until_ns;
            pass(&bench, (next_ns - bench.ns + MS - 1) / MS);
            told += told_take(&bench);
            assert_true(ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES) < (1 << 20) + 4096);
        }
        assert_true(told > 0 && turns < 2000);
        if (tens == 0) told_first = told;
        told_last = told;
    }
    assert_true(told_last < told_first / 10);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 1);
    assert_in_range(ampel_queue_depth(bench.records), 2, 8);
    bench_close(&bench);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 0);
}

static void a_pause_ends_as_soon_as_what_was_told_is_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    start_again(&bench, 3000);
    orders_push(&bench, 30, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    uint32_t waiting = ampel_queue_count(bench.records);
    assert_in_range(waiting, 10, 29);
    assert_true(bench.wake_ns > bench.ns && bench.wake_ns <= bench.ns + 60000 * MS);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_true(ampel_queue_count(bench.records) < waiting);
    bench_close(&bench);
}

/* Two partitions that change all the time, a quarter of the time for storing. */
static void shared_start(struct bench *bench) {
    bench_open(bench, 2, 64);
    bench->options.checkpoint_share = 25;
    start_fresh(bench);
}

/* Both partitions change; one is being stored, and the scribe says that it took so long. */
static void both_change(struct bench *bench, int64_t spent_ms) {
    orders_push(bench, 20, true);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
    pass_settle(bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(bench);
    pass_settle(bench, 500);
    assert_null(take_checkpoint(bench, NULL)); /* one at a time */
    push_committed_after(bench, checkpoint, spent_ms, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static void behind_a_checkpoint_storing_rests_for_three_times_as_long(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    both_change(&bench, 200);
    assert_int_equal(bench.wake_ns, bench.ns + 600 * MS);
    pass_settle(&bench, 599);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_has_been_due_for_29_intervals_rests_no_more(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    both_change(&bench, 100000);
    pass_settle(&bench, 28499);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_has_been_due_for_58_intervals_waits_for_no_other_checkpoint(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    orders_push(&bench, 20, true);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    pass_settle(&bench, 57999);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void nothing_rests_while_too_much_is_told_and_not_stored(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    start_again(&bench, 2000);
    both_change(&bench, 100000);
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "T%u", i);
        violation(&bench, seller, "V1", AMPEL_SEVERITY_CRITICAL);
    }
    batch_settle(&bench);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_checkpoints_under_way_copied_slows_nobody(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    start_again(&bench, 2000);
    order(&bench, "A", 1);
    push_batch(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass(&bench, 5000);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_true(ampel_metric_get(AMPEL_METRIC_CHECKPOINT_BYTES) > 1000);
    assert_true(ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES) < 1000);
    order(&bench, "A", 100);
    push_batch(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_queue_count(bench.records), 0);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 0);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_CHECKPOINT_BYTES), 0);
    bench_close(&bench);
}

static void rows_for_order_counts_alone_wait_for_their_time(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 1);
    order(&bench, "B", 1);
    push_batch(&bench);
    uint32_t rows_a = 0, rows_b = 0;
    uint32_t orders_a = 0;
    for (uint32_t second = 0; second < 130; second++) {
        if (second == 10) {
            order(&bench, "A", 5);
            push_batch(&bench);
        }
        push_tick(&bench);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        struct ampel_checkpoint *checkpoint;
        while ((checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
            for (uint32_t i = 0; i < checkpoint->ratings_count; i++) {
                bool is_a = checkpoint->ratings[i].seller.bytes[0] == 'A';
                if (is_a) orders_a = checkpoint->ratings[i].numbers.orders;
                if (is_a && second >= 10 && rows_a == 1) assert_in_range(second, 60, 62);
                rows_a += is_a;
                rows_b += !is_a;
            }
            push_committed(&bench, checkpoint, false);
            ampel_checkpoint_free(checkpoint);
        }
        pass(&bench, 1000);
    }
    assert_int_equal(rows_a, 2);
    assert_int_equal(rows_b, 1);
    assert_int_equal(orders_a, 6);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_wait_while_too_much_is_told_and_not_stored),
        cmocka_unit_test(for_ten_minutes_without_a_database_records_go_on_ever_more_slowly_and_do_not_stop),
        cmocka_unit_test(a_pause_ends_as_soon_as_what_was_told_is_stored),
        cmocka_unit_test(behind_a_checkpoint_storing_rests_for_three_times_as_long),
        cmocka_unit_test(what_has_been_due_for_29_intervals_rests_no_more),
        cmocka_unit_test(what_has_been_due_for_58_intervals_waits_for_no_other_checkpoint),
        cmocka_unit_test(nothing_rests_while_too_much_is_told_and_not_stored),
        cmocka_unit_test(what_checkpoints_under_way_copied_slows_nobody),
        cmocka_unit_test(rows_for_order_counts_alone_wait_for_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a shard applies, tells and stores. */
#include "tests/unit/shard_fixture.h"

static void changes_are_told_at_once_with_names(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_CRITICAL);
    batch_settle(&bench);
    struct ampel_parcel_out *out = ampel_queue_pop(bench.publisher);
    assert_non_null(out);
    assert_int_equal(out->parcel.kind, AMPEL_PARCEL_OUT);
    assert_int_equal(out->partition, 0);
    bool critical = false;
    for (uint32_t i = 0; i < out->told_count; i++) {
        const struct ampel_told *told = &out->told[i];
        assert_memory_equal(told->tenant.bytes, "nord", 4);
        assert_memory_equal(told->seller.bytes, "A", 1);
        assert_int_equal(told->change.position, FIRST);
        assert_int_equal(told->stream == AMPEL_STREAM_SCORES,
                         told->change.kind == AMPEL_CHANGE_SCORE);
        if (told->change.kind == AMPEL_CHANGE_CRITICAL) critical = true;
    }
    assert_true(critical);
    ampel_parcel_out_free(out);
    assert_null(ampel_queue_pop(bench.publisher));
    bench_close(&bench);
}

static void a_changed_partition_is_stored_after_its_time_and_not_before(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 250);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_LOW);
    batch_settle(&bench);
    assert_null(take_checkpoint(&bench, NULL));
    assert_int_equal(bench.wake_ns, bench.ns + 1000 * MS);
    pass_settle(&bench, 999);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->position_old, 0);
    assert_int_equal(checkpoint->position_new, bench.position);
    assert_int_equal(checkpoint->epoch, 1);
    assert_int_equal(checkpoint->pages_count, 1);
    assert_true(checkpoint->meta_size > 0);
    assert_false(checkpoint->last);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 202);
    assert_int_equal(checkpoint->ratings[0].numbers.orders, 250);
    assert_int_equal(checkpoint->violations_count, 1);
    assert_memory_equal(checkpoint->violations[0].violation.id.bytes, "V1", 2);
    assert_string_equal(checkpoint->rules_version, bench.rules.version);
    assert_int_equal(checkpoint->caps_count, bench.rules.cap_groups_count);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

/* The reading "a critical one caps at 99" shows in the range; when the announced instant is there, the
   row is written again and announces nothing. */
static void a_rating_row_tells_its_range_and_when_time_alone_turns_it(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_CRITICAL);
    push_batch(&bench);
    int64_t expires_ms = bench.stamp_ms + AMPEL_WINDOW_MS;
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    const struct ampel_rating_row *row = &checkpoint->ratings[0];
    assert_int_equal(row->numbers.score, 0);
    assert_int_equal(row->score_min, 0);
    assert_int_equal(row->score_max, 99);
    assert_int_equal(row->turns.next_change_at_ms, expires_ms);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_GREEN], expires_ms);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_RED], INT64_MAX);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    pass(&bench, AMPEL_WINDOW_MS);
    push_tick(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    row = &checkpoint->ratings[0];
    assert_int_equal(row->score_min, 200);
    assert_int_equal(row->score_max, 200);
    assert_int_equal(row->turns.next_change_at_ms, INT64_MAX);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_GREEN], INT64_MAX);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void one_checkpoint_of_a_partition_is_under_way_at_most(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 250);
    push_batch(&bench);
    pass_settle(&bench, 2000);
    struct ampel_checkpoint *first = take_checkpoint(&bench, NULL);
    if (first == NULL) {
        pass_settle(&bench, 2000);
        first = take_checkpoint(&bench, NULL);
    }
    assert_non_null(first);
    order(&bench, "B", 250);
    push_batch(&bench);
    pass_settle(&bench, 60000);
    assert_null(take_checkpoint(&bench, NULL));
    push_committed(&bench, first, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_checkpoint *second = checkpoint_wanted(&bench);
    assert_int_equal(second->position_old, first->position_new);
    assert_int_equal(second->position_new, bench.position);
    assert_int_equal(second->ratings_count, 1);
    assert_memory_equal(second->ratings[0].seller.bytes, "B", 1);
    ampel_checkpoint_free(first);
    ampel_checkpoint_free(second);
    bench_close(&bench);
}

static void a_partition_that_only_aged_moves_its_position(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = NULL;
    uint32_t seconds = 0;
    while (checkpoint == NULL && seconds < 20) {
        push_tick(&bench);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        checkpoint = take_checkpoint(&bench, NULL);
        pass(&bench, 1000);
        seconds++;
    }
    assert_non_null(checkpoint);
    assert_in_range(seconds, 5, 7);
    assert_int_equal(checkpoint->pages_count, 0);
    assert_int_equal(checkpoint->ratings_count, 0);
    assert_in_range(checkpoint->position_new, FIRST + 1, bench.position);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_restart_applies_only_what_lies_past_the_stored_position(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 500);
    struct ampel_parcel_record *stored = batch_record(&bench);
    ampel_parcel_record_hold(stored, 1);
    push(bench.records, stored);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    ampel_shard_close(bench.shard);

    shard_open(&bench);
    push(bench.in, loaded_from(checkpoint));
    ampel_checkpoint_free(checkpoint);
    push(bench.records, stored);
    order(&bench, "A", 20);
    push_batch(&bench);
    push_plain(bench.records, AMPEL_PARCEL_REPLAYED);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_windows *windows = ampel_queue_pop(bench.gateway);
    assert_non_null(windows);
    assert_int_equal(windows->parcel.kind, AMPEL_PARCEL_WINDOWS);
    assert_int_equal(windows->windows_count, 1);
    assert_string_equal(windows->windows[0].tenant, "nord");
    assert_string_equal(windows->windows[0].producer, "p");
    assert_int_equal(windows->windows[0].base, 0);
    assert_int_equal(windows->windows[0].bits[0], 3);
    ampel_parcel_free(&windows->parcel);
    push_plain(bench.records, AMPEL_PARCEL_STOP);
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    checkpoint = checkpoint_wanted(&bench);
    assert_true(checkpoint->last);
    assert_int_equal(checkpoint->epoch, 2);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.orders, 520);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_stored_page_that_cannot_be_read_is_fatal(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "A", 500);
    for (uint32_t place = 0; place < 3; place++) {
        ampel_shard_close(bench.shard);
        shard_open(&bench);
        struct ampel_parcel_loaded *loaded = loaded_from(checkpoint);
        if (place == 0) loaded->pages[0].bytes[loaded->pages[0].size - 1] ^= 1;
        if (place == 1) loaded->meta[loaded->meta_size - 1] ^= 1;
        push(bench.in, loaded);
        assert_int_equal(settle(&bench), place < 2 ? AMPEL_TURN_FATAL : AMPEL_TURN_IDLE);
    }
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_full_publisher_holds_records_back_and_loses_nothing(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1, 2);
    start_fresh(&bench);
    orders_push(&bench, 20, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_in_range(ampel_queue_count(bench.records), 15, 20);
    int fds[4];
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 4), 1);
    uint32_t told = 0;
    struct ampel_parcel_out *out;
    while ((out = ampel_queue_pop(bench.publisher)) != NULL) {
        told += out->told_count;
        ampel_parcel_out_free(out);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    }
    assert_int_equal(told, 20); /* each account comes into being: one SCORE */
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 4), 2);
    bench_close(&bench);
}

static void refused_events_become_rows_once(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 64);
    start_fresh(&bench);
    order(&bench, "A", 1);
    struct ampel_event future = {.at_ms = bench.stamp_ms + AMPEL_HOUR_MS,
                                 .count = 1,
                                 .type = AMPEL_EVENT_ORDER,
                                 .points = -1,
                                 .severity = -1,
                                 .code = AMPEL_CODE_NONE};
    assert_true(ampel_batch_builder_push(bench.builder, text("B"), text("DE"), &future));
    batch_settle(&bench);
    pass_settle(&bench, 1000);
    uint32_t rows = 0;
    struct ampel_checkpoint *checkpoint;
    while ((checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
        for (uint32_t i = 0; i < checkpoint->refusals_count; i++) {
            const struct ampel_refusal_row *row = &checkpoint->refusals[i];
            assert_int_equal(row->verdict, AMPEL_VERDICT_FUTURE);
            assert_int_equal(row->event_index, 1);
            assert_int_equal(row->at_ms, future.at_ms);
            assert_int_equal(row->sequence, 0);
            assert_memory_equal(row->producer.bytes, "p", 1);
            assert_memory_equal(row->tenant.bytes, "nord", 4);
            assert_memory_equal(row->seller.bytes, "B", 1);
            rows++;
        }
        ampel_checkpoint_free(checkpoint);
    }
    assert_int_equal(rows, 1);
    bench_close(&bench);
}

static void what_only_the_shard_can_refuse_becomes_a_row_too(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1, 64);
    bench.options.accounts_per_tenant_max = 2;
    start_fresh(&bench);
    order(&bench, "A", 1);
    order(&bench, "B", 1);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "C", 1);
    assert_int_equal(checkpoint->ratings_count, 2);
    assert_int_equal(checkpoint->refusals_count, 1);
    assert_int_equal(checkpoint->refusals_total, 1);
    assert_int_equal(checkpoint->refusals[0].verdict, AMPEL_VERDICT_TOO_MANY_ACCOUNTS);
    assert_memory_equal(checkpoint->refusals[0].tenant.bytes, "nord", 4);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void shards_apply_only_their_own_partitions(void **state) {
    (void)state;
    uint32_t accounts = 0;
    for (uint32_t index = 0; index < 3; index++) {
        struct bench bench;
        bench_open(&bench, 8, 64);
        bench.options.shards_count = 3;
        bench.options.shard_index = index;
        shard_open(&bench);
        for (uint32_t i = index; i < 8; i += 3)
            push_fresh(&bench, i);
        for (uint32_t i = 0; i < 40; i++) {
            char seller[8];
            (void)snprintf(seller, sizeof(seller), "S%u", i);
            order(&bench, seller, 1);
        }
        push_batch(&bench);
        push_plain(bench.records, AMPEL_PARCEL_STOP);
        assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
        struct ampel_checkpoint *checkpoint;
        while (ampel_queue_count(bench.publisher) > 1 &&
               (checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
            assert_int_equal(checkpoint->partition % 3, index);
            accounts += checkpoint->ratings_count;
            ampel_checkpoint_free(checkpoint);
        }
        struct ampel_parcel *stop = ampel_queue_pop(bench.publisher);
        assert_non_null(stop);
        assert_int_equal(stop->kind, AMPEL_PARCEL_STOP);
        ampel_parcel_free(stop);
        bench_close(&bench);
    }
    assert_int_equal(accounts, 40);
}

static void stop_waits_for_the_checkpoint_under_way(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *first = orders_checkpoint(&bench, "A", 1);
    order(&bench, "A", 7);
    push_batch(&bench);
    push_plain(bench.records, AMPEL_PARCEL_STOP);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_null(take_checkpoint(&bench, NULL));
    push_committed(&bench, first, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    struct ampel_checkpoint *last = checkpoint_wanted(&bench);
    assert_true(last->last);
    assert_int_equal(last->position_old, first->position_new);
    assert_int_equal(last->ratings_count, 1); /* the order count alone is reason enough now */
    assert_int_equal(last->ratings[0].numbers.orders, 8);
    ampel_checkpoint_free(first);
    ampel_checkpoint_free(last);
    bench_close(&bench);
}

static void a_fenced_partition_is_fatal(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "A", 1);
    push_committed(&bench, checkpoint, true);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_FATAL);
    bench_close(&bench);
}

static void other_rules_after_a_restart_are_told_and_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_HIGH);
    batch_settle(&bench);
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 192);
    ampel_shard_close(bench.shard);

    bench.rules.severity_points[3] = 150;
    shard_open(&bench);
    push(bench.in, loaded_from(checkpoint));
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_out *out = ampel_queue_pop(bench.publisher);
    assert_non_null(out);
    assert_int_equal(out->parcel.kind, AMPEL_PARCEL_OUT);
    assert_int_equal(out->told[0].change.cause.kind, AMPEL_CAUSE_RULES);
    assert_int_equal(out->told[0].change.after.score, 50);
    assert_int_equal(out->told[0].change.position, bench.position);
    ampel_parcel_out_free(out);
    push_tick(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 50);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_at_once_with_names),
        cmocka_unit_test(a_changed_partition_is_stored_after_its_time_and_not_before),
        cmocka_unit_test(a_rating_row_tells_its_range_and_when_time_alone_turns_it),
        cmocka_unit_test(one_checkpoint_of_a_partition_is_under_way_at_most),
        cmocka_unit_test(a_partition_that_only_aged_moves_its_position),
        cmocka_unit_test(a_restart_applies_only_what_lies_past_the_stored_position),
        cmocka_unit_test(a_stored_page_that_cannot_be_read_is_fatal),
        cmocka_unit_test(a_full_publisher_holds_records_back_and_loses_nothing),
        cmocka_unit_test(refused_events_become_rows_once),
        cmocka_unit_test(what_only_the_shard_can_refuse_becomes_a_row_too),
        cmocka_unit_test(shards_apply_only_their_own_partitions),
        cmocka_unit_test(stop_waits_for_the_checkpoint_under_way),
        cmocka_unit_test(a_fenced_partition_is_fatal),
        cmocka_unit_test(other_rules_after_a_restart_are_told_and_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

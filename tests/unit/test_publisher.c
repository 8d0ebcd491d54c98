/* The publisher with watchers in memory; shards and scribe are the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/loopback.h"
#include "tests/unit/parcels_fixture.h"
#include "workers/checkpoint.h"
#include "workers/metrics.h"
#include "workers/publisher.h"
#include "workers/publisher_streams.h"
#include "workers/publisher_watchers.h"

#define NOW_MS INT64_C(1700000000000)
#define PARTITIONS 4
#define SHARDS 2
#define EPOCH 9

struct bench {
    struct ampel_loopback *loopback;
    struct ampel_queue *in, *scribe;
    struct ampel_publisher *publisher;
    struct ampel_stage stage;
    struct ampel_message_decoder *decoder;
    struct ampel_rules rules;
    int64_t now_ms, now_ns, wake_ns;
    uint64_t position, since; /* since: the first number of north's alerts in this life; 0: not given yet */
    uint8_t heard[65536];
};

static int64_t bench_now_ms(void *context) { return ((struct bench *)context)->now_ms; }
static int64_t bench_now_ns(void *context) { return ((struct bench *)context)->now_ns; }

static enum ampel_turn turns(struct bench *bench) {
    enum ampel_turn turn = AMPEL_TURN_AGAIN;
    for (uint32_t i = 0; i < 100000 && turn == AMPEL_TURN_AGAIN; i++)
        turn = bench->stage.turn(bench->stage.context, &bench->wake_ns);
    assert_int_not_equal(turn, AMPEL_TURN_AGAIN);
    return turn;
}

static void give(struct bench *bench, void *parcel) {
    assert_true(ampel_queue_push(bench->in, parcel));
    (void)turns(bench);
}

/* `next` of the alerts of north, 0: none stored. */
static void give_tenants(struct bench *bench, uint64_t next, bool suspended) {
    struct ampel_parcel_tenants *tenants = calloc(1, sizeof(*tenants));
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    tenants->epoch = EPOCH;
    tenants->keys_count = 2;
    tenants->keys = calloc(2, sizeof(*tenants->keys));
    (void)snprintf(tenants->keys[0].tenant, sizeof(tenants->keys[0].tenant), "north");
    (void)snprintf(tenants->keys[1].tenant, sizeof(tenants->keys[1].tenant), "south");
    tenants->keys[0].suspended = suspended;
    if (bench->since == 0) bench->since = next > 0 ? next : 1;
    if (next > 0) {
        tenants->numbers_count = 1;
        tenants->numbers = calloc(1, sizeof(*tenants->numbers));
        (void)snprintf(tenants->numbers[0].tenant, sizeof(tenants->numbers[0].tenant), "north");
        tenants->numbers[0].stream = AMPEL_STREAM_ALERTS;
        tenants->numbers[0].next = next;
    }
    give(bench, tenants);
}

static void publisher_open(struct bench *bench, struct ampel_queue *const *scribes, uint32_t scribes_count) {
    struct ampel_publisher_options options = {
        .clock = {.context = bench, .now_ms = bench_now_ms, .monotonic_ns = bench_now_ns},
        .partitions = PARTITIONS,
        .shards_count = SHARDS,
        .in = bench->in,
        .scribes = scribes,
        .scribes_count = scribes_count,
        .network_fds = ampel_loopback_fds,
        .network_tenants = ampel_loopback_tenants,
    };
    ampel_loopback_face(bench->loopback, &options.network);
    assert_true(ampel_publisher_open(&options, &bench->publisher));
    bench->stage = ampel_publisher_stage(bench->publisher);
}

static int bench_open_cold(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->now_ms = NOW_MS;
    bench->position = 4096;
    ampel_rules_init(&bench->rules);
    bench->loopback = ampel_loopback_open();
    bench->in = ampel_queue_open(1024);
    bench->scribe = ampel_queue_open(2);
    bench->decoder = ampel_message_decoder_open();
    publisher_open(bench, &bench->scribe, 1);
    *state = bench;
    return 0;
}

static int bench_open(void **state) {
    (void)bench_open_cold(state);
    give_tenants(*state, 0, false);
    return 0;
}

static int bench_close(void **state) {
    struct bench *bench = *state;
    ampel_publisher_close(bench->publisher);
    parcels_end(bench->in);
    parcels_end(bench->scribe);
    ampel_message_decoder_close(bench->decoder);
    ampel_loopback_close(bench->loopback);
    free(bench);
    return 0;
}

/* ---- shards, scribe, watchers --------------------------------------------------------------- */

/* One step of a partition that tells `count` alerts of a tenant; the first one's score afterwards is `mark`, then one more each. */
static void give_out(struct bench *bench, uint32_t partition, const char *tenant, uint32_t count, int32_t mark) {
    struct ampel_parcel_out *out = calloc(1, sizeof(*out));
    out->parcel.kind = AMPEL_PARCEL_OUT;
    ampel_rules_face_set(&out->rules, &bench->rules);
    out->partition = partition;
    out->told_count = count;
    out->position = bench->position;
    out->told = calloc(count, sizeof(*out->told));
    out->texts = malloc(64);
    memcpy(out->texts, tenant, strlen(tenant));
    memcpy(out->texts + 40, "SELLERDE", 8);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_told *told = &out->told[i];
        told->tenant = (struct ampel_text){out->texts, (uint32_t)strlen(tenant)};
        told->seller = (struct ampel_text){out->texts + 40, 6};
        told->marketplace = (struct ampel_text){out->texts + 46, 2};
        told->stream = AMPEL_STREAM_ALERTS;
        told->change.kind = AMPEL_CHANGE_COLOUR;
        told->change.at_ms = NOW_MS;
        told->change.cap_group = 255;
        told->change.after.score = mark + (int32_t)i;
        told->change.cause.kind = AMPEL_CAUSE_MIDNIGHT;
        told->change.cause.at_ms = NOW_MS;
        told->change.cause.event_type = 255;
        told->change.cause.policy = 255;
        told->change.cause.severity = -1;
        told->change.cause.code = 255;
    }
    give(bench, out);
}

static void give_checkpoint(struct bench *bench, uint32_t partition) {
    struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    checkpoint->parcel.kind = AMPEL_PARCEL_CHECKPOINT;
    checkpoint->partition = partition;
    checkpoint->arena = ampel_arena_open();
    checkpoint->position_old = bench->position;
    checkpoint->position_new = bench->position += 8;
    give(bench, checkpoint);
}

static struct ampel_parcel *scribe_take(struct bench *bench, enum ampel_parcel_kind kind) {
    struct ampel_parcel *parcel = ampel_queue_pop(bench->scribe);
    assert_non_null(parcel);
    assert_int_equal(parcel->kind, kind);
    return parcel;
}

static struct ampel_checkpoint *scribe_checkpoint(struct bench *bench) {
    struct ampel_checkpoint *checkpoint =
        (struct ampel_checkpoint *)scribe_take(bench, AMPEL_PARCEL_CHECKPOINT);
    assert_true(ampel_checkpoint_unfold(checkpoint));
    return checkpoint;
}

static void scribe_committed(struct bench *bench, struct ampel_checkpoint *checkpoint) {
    struct ampel_parcel_committed *committed = calloc(1, sizeof(*committed));
    committed->parcel.kind = AMPEL_PARCEL_COMMITTED;
    committed->partition = checkpoint->partition;
    committed->position = checkpoint->position_new;
    ampel_checkpoint_free(checkpoint);
    give(bench, committed);
}

/* The answer to an ask with one small row for each of the numbers. */
static void scribe_answers(struct bench *bench, struct ampel_parcel *parcel, const uint64_t *numbers,
                           uint32_t count, bool failed) {
    const struct ampel_parcel_ask *ask = (const struct ampel_parcel_ask *)parcel;
    struct ampel_parcel_answer *answer = calloc(1, sizeof(*answer));
    answer->parcel.kind = AMPEL_PARCEL_ANSWER;
    answer->peer = ask->peer;
    memcpy(answer->tenant, ask->tenant, sizeof(answer->tenant));
    answer->stream = ask->stream;
    answer->from = ask->from;
    answer->failed = failed;
    answer->rows_count = count;
    answer->rows = calloc(count + 1, sizeof(*answer->rows));
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_message message = {
            .kind = AMPEL_MESSAGE_CHANGE,
            .change = {.stream = ask->stream, .epoch = 3, .number = numbers[i],
                       .tenant = {"north", 5}, .seller = {"S", 1}, .marketplace = {"DE", 2},
                       .rules_version = {"r", 1}},
        };
        memset(message.change.id, 'a', AMPEL_CHANGE_ID_SIZE - 1);
        message.change.change.kind = AMPEL_CHANGE_COLOUR;
        message.change.change.cap_group = 255;
        message.change.change.cause.event_type = 255;
        message.change.change.cause.policy = 255;
        message.change.change.cause.code = 255;
        answer->rows[i].bytes = malloc(AMPEL_MESSAGE_BYTES_MAX);
        answer->rows[i].number = numbers[i];
        answer->rows[i].size = ampel_message_encode(&message, answer->rows[i].bytes, AMPEL_MESSAGE_BYTES_MAX);
        assert_true(answer->rows[i].size > 0);
    }
    ampel_parcel_free(parcel);
    give(bench, answer);
}

static void say(struct bench *bench, uint32_t peer, const struct ampel_message *message) {
    uint8_t bytes[AMPEL_MESSAGE_BYTES_MAX];
    const uint32_t size = ampel_message_encode(message, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_true(ampel_loopback_say(bench->loopback, peer, bytes, size));
    (void)turns(bench);
}

static void say_watch(struct bench *bench, uint32_t peer, uint64_t from) {
    say(bench, peer,
        &(struct ampel_message){.kind = AMPEL_MESSAGE_WATCH,
                                .watch = {.stream = AMPEL_STREAM_ALERTS, .from = from}});
}

static bool hear(struct bench *bench, uint32_t peer, struct ampel_message *out) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_error error = {0};
    if (!ampel_loopback_hear(bench->loopback, peer, &bytes, &size)) return false;
    assert_true(size <= sizeof(bench->heard));
    memcpy(bench->heard, bytes, size);
    if (!ampel_message_decode(bench->decoder, bench->heard, size, out, &error))
        fail_msg("%s: %s", error.field, error.reason);
    return true;
}

static struct ampel_message hears(struct bench *bench, uint32_t peer, enum ampel_message_kind kind) {
    struct ampel_message message;
    assert_true(hear(bench, peer, &message));
    assert_int_equal(message.kind, kind);
    return message;
}

static void hears_nothing(struct bench *bench, uint32_t peer) {
    struct ampel_message message;
    assert_false(hear(bench, peer, &message));
}

static void hears_watching(struct bench *bench, uint32_t peer, uint64_t next) {
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_WATCHING);
    assert_int_equal(message.watching.next, next);
    assert_int_equal(message.watching.since, bench->since);
    assert_int_equal(message.watching.epoch, EPOCH);
}

static void hears_numbers(struct bench *bench, uint32_t peer, uint64_t from, uint64_t to) {
    for (uint64_t number = from; number <= to; number++) {
        const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_CHANGE);
        assert_int_equal(message.change.number, number);
    }
    hears_nothing(bench, peer);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void what_is_told_is_numbered_from_one_and_heard_by_its_tenant_alone(void **state) {
    struct bench *bench = *state;
    const uint32_t north = ampel_loopback_connect(bench->loopback, "north");
    const uint32_t south = ampel_loopback_connect(bench->loopback, "south");
    say_watch(bench, north, 0);
    say_watch(bench, south, 0);
    hears_watching(bench, north, 1);
    hears_watching(bench, south, 1);
    give_out(bench, 0, "north", 2, 500);
    give_out(bench, 1, "north", 1, 600);
    give_out(bench, 1, "south", 1, 700);
    for (uint64_t number = 1; number <= 3; number++) {
        const struct ampel_message message = hears(bench, north, AMPEL_MESSAGE_CHANGE);
        assert_int_equal(message.change.number, number);
        assert_int_equal(message.change.epoch, EPOCH);
        assert_int_equal(message.change.stream, AMPEL_STREAM_ALERTS);
        assert_memory_equal(message.change.tenant.bytes, "north", 5);
        assert_int_equal(message.change.change.after.score, number == 3 ? 600 : 499 + (int32_t)number);
        assert_int_equal(message.change.rules_version.size, strlen(bench->rules.version));
    }
    hears_nothing(bench, north);
    const struct ampel_message message = hears(bench, south, AMPEL_MESSAGE_CHANGE);
    assert_int_equal(message.change.number, 1);
    assert_int_equal(message.change.change.after.score, 700);
    hears_nothing(bench, south);
}

static void a_checkpoint_takes_along_what_its_partition_told_with_numbers(void **state) {
    struct bench *bench = *state;
    give_out(bench, 0, "north", 2, 0);
    give_out(bench, 1, "north", 1, 0);
    give_out(bench, 0, "north", 1, 0);
    give_checkpoint(bench, 0);
    give_checkpoint(bench, 2);
    struct ampel_checkpoint *checkpoint = scribe_checkpoint(bench);
    assert_int_equal(checkpoint->partition, 0);
    assert_int_equal(checkpoint->stream_epoch, EPOCH);
    assert_int_equal(checkpoint->outs_count, 1);
    assert_int_equal(checkpoint->outs[0]->told_count, 3);
    assert_int_equal(checkpoint->outs[0]->told[0].number, 1);
    assert_int_equal(checkpoint->outs[0]->told[1].number, 2);
    assert_int_equal(checkpoint->outs[0]->told[2].number, 4);
    const int64_t unstored = ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES);
    assert_true(unstored > 0);
    scribe_committed(bench, checkpoint);
    const int64_t left = ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES);
    assert_true(left > 0 && left < unstored / 2);
    checkpoint = scribe_checkpoint(bench);
    assert_int_equal(checkpoint->partition, 2);
    assert_int_equal(checkpoint->outs_count, 0);
    scribe_committed(bench, checkpoint);
    give_checkpoint(bench, 1);
    scribe_committed(bench, scribe_checkpoint(bench));
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES), 0);
}

static void a_second_checkpoint_may_pass_before_the_first_is_told_as_committed(void **state) {
    struct bench *bench = *state;
    give_out(bench, 0, "north", 1, 0);
    give_checkpoint(bench, 0);
    struct ampel_checkpoint *first = scribe_checkpoint(bench);
    give_out(bench, 0, "north", 1, 0);
    give_checkpoint(bench, 0);
    struct ampel_checkpoint *second = scribe_checkpoint(bench);
    assert_int_equal(second->outs[0]->told[0].number, 2);
    const int64_t unstored = ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES);
    scribe_committed(bench, first);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES), unstored / 2);
    scribe_committed(bench, second);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES), 0);
}

static void a_watcher_from_a_number_gets_what_is_kept_and_then_what_comes(void **state) {
    struct bench *bench = *state;
    give_out(bench, 0, "north", 5, 0);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 3);
    hears_watching(bench, peer, 6);
    hears_numbers(bench, peer, 3, 5);
    give_out(bench, 0, "north", 2, 0);
    hears_numbers(bench, peer, 6, 7);
    /* Once more from the start, over the same connection. */
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, 8);
    hears_numbers(bench, peer, 1, 7);
    /* From the future, as after a number that was told in an epoch and never stored: what comes. */
    say_watch(bench, peer, 100);
    hears_watching(bench, peer, 8);
    give_out(bench, 0, "north", 1, 0);
    hears_numbers(bench, peer, 8, 8);
}

static void the_outbox_comes_first_then_memory_then_what_comes_without_a_gap(void **state) {
    struct bench *bench = *state;
    give_tenants(bench, 8, false);
    give_out(bench, 0, "north", 2, 0); /* 8, 9 */
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 4);
    hears_watching(bench, peer, 10);
    hears_nothing(bench, peer);
    struct ampel_parcel *parcel = scribe_take(bench, AMPEL_PARCEL_ASK);
    const struct ampel_parcel_ask *ask = (const struct ampel_parcel_ask *)parcel;
    assert_int_equal(ask->from, 4);
    assert_string_equal(ask->tenant, "north");
    assert_int_equal(ask->stream, AMPEL_STREAM_ALERTS);
    assert_int_equal(ask->limit, AMPEL_ASK_ROWS);
    /* While the rows are read more is told, and 9 is stored before 8, so that the outbox shows it. */
    give_out(bench, 1, "north", 1, 0); /* 10 */
    hears_nothing(bench, peer);
    const uint64_t rows[] = {4, 5, 7, 9};
    scribe_answers(bench, parcel, rows, 4, false);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_CHANGE);
    assert_int_equal(message.change.number, 4);
    assert_int_equal(message.change.epoch, 3); /* of the time when it was told */
    const uint64_t heard[] = {5, 7, 8, 9, 10}; /* 6 was told in an earlier epoch and never stored */
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(hears(bench, peer, AMPEL_MESSAGE_CHANGE).change.number, heard[i]);
    hears_nothing(bench, peer);
    assert_null(ampel_queue_pop(bench->scribe));
}

static void many_rows_are_asked_for_piece_by_piece(void **state) {
    struct bench *bench = *state;
    const uint64_t all = 2 * AMPEL_ASK_ROWS + 10;
    give_tenants(bench, all + 1, false);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, all + 1);
    uint64_t from = 1;
    for (uint32_t piece = 0; piece < 3; piece++) {
        struct ampel_parcel *parcel = scribe_take(bench, AMPEL_PARCEL_ASK);
        assert_int_equal(((struct ampel_parcel_ask *)parcel)->from, from);
        uint64_t numbers[AMPEL_ASK_ROWS];
        uint32_t count = 0;
        while (count < AMPEL_ASK_ROWS && from + count <= all) {
            numbers[count] = from + count;
            count++;
        }
        scribe_answers(bench, parcel, numbers, count, false);
        hears_numbers(bench, peer, from, from + count - 1);
        from += count;
    }
    assert_null(ampel_queue_pop(bench->scribe));
    give_out(bench, 0, "north", 1, 0);
    hears_numbers(bench, peer, all + 1, all + 1);
}

static void rows_that_cannot_be_read_now_are_asked_for_again(void **state) {
    struct bench *bench = *state;
    give_tenants(bench, 3, false);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, 3);
    scribe_answers(bench, scribe_take(bench, AMPEL_PARCEL_ASK), NULL, 0, true);
    assert_null(ampel_queue_pop(bench->scribe));
    hears_nothing(bench, peer);
    assert_true(bench->wake_ns <= bench->now_ns + INT64_C(1000000000));
    bench->now_ns = bench->wake_ns;
    (void)turns(bench);
    const uint64_t rows[] = {1, 2};
    scribe_answers(bench, scribe_take(bench, AMPEL_PARCEL_ASK), rows, 2, false);
    hears_numbers(bench, peer, 1, 2);
}

static void an_answer_to_what_was_asked_before_a_new_start_is_not_taken(void **state) {
    struct bench *bench = *state;
    give_tenants(bench, 10, false);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, 10);
    struct ampel_parcel *stale = scribe_take(bench, AMPEL_PARCEL_ASK);
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, 10);
    const uint64_t few[] = {1, 2};
    scribe_answers(bench, stale, few, 2, false);
    hears_nothing(bench, peer);
    const uint64_t all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    scribe_answers(bench, scribe_take(bench, AMPEL_PARCEL_ASK), all, 9, false);
    hears_numbers(bench, peer, 1, 9);
}

static void a_watcher_that_does_not_read_slows_no_other_and_misses_nothing(void **state) {
    struct bench *bench = *state;
    ampel_loopback_room(bench->loopback, 4);
    const uint32_t slow = ampel_loopback_connect(bench->loopback, "north");
    const uint32_t quick = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, slow, 0);
    say_watch(bench, quick, 0);
    hears_watching(bench, slow, 1);
    hears_watching(bench, quick, 1);
    for (uint64_t number = 1; number <= 20; number++) {
        give_out(bench, 0, "north", 1, 0);
        hears_numbers(bench, quick, number, number);
    }
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_WATCHERS_BEHIND), 1);
    for (uint64_t number = 1; number <= 20; number++) {
        const struct ampel_message message = hears(bench, slow, AMPEL_MESSAGE_CHANGE);
        assert_int_equal(message.change.number, number);
        bench->now_ns += INT64_C(20000000);
        (void)turns(bench);
    }
    hears_nothing(bench, slow);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_WATCHERS_BEHIND), 0);
}

/* Looked at every 20 ms only, a watcher got 64 messages in that time at most, and whoever had more to hear fell behind for good. */
static void a_full_connection_is_looked_at_soon_and_one_that_stays_full_seldom(void **state) {
    struct bench *bench = *state;
    ampel_loopback_room(bench->loopback, 4);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    hears_watching(bench, peer, 1);
    for (uint64_t number = 1; number <= 20; number++)
        give_out(bench, 0, "north", 1, 0);
    const int64_t first_ns = bench->wake_ns - bench->now_ns;
    assert_in_range(first_ns, 1, 1000000);
    int64_t wait_ns = first_ns;
    for (int look = 0; look < 40; look++) {
        bench->now_ns = bench->wake_ns;
        (void)turns(bench);
        assert_true(bench->wake_ns - bench->now_ns >= wait_ns);
        wait_ns = bench->wake_ns - bench->now_ns;
    }
    assert_int_equal(wait_ns, 20000000);
    hears_numbers(bench, peer, 1, 4);
    bench->now_ns = bench->wake_ns;
    (void)turns(bench); /* four more go, and the next wait is a short one again */
    assert_int_equal(bench->wake_ns - bench->now_ns, first_ns);
}

static void silence_is_broken_by_a_beat_every_ten_seconds(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    hears_watching(bench, peer, 1);
    assert_int_equal(bench->wake_ns, AMPEL_BEAT_EVERY_NS);
    bench->now_ns = AMPEL_BEAT_EVERY_NS - 1;
    (void)turns(bench);
    hears_nothing(bench, peer);
    bench->now_ns = AMPEL_BEAT_EVERY_NS;
    bench->now_ms += 10000;
    (void)turns(bench);
    assert_int_equal(hears(bench, peer, AMPEL_MESSAGE_BEAT).beat.now_ms, NOW_MS + 10000);
    hears_nothing(bench, peer);
    bench->now_ns += AMPEL_BEAT_EVERY_NS / 2;
    give_out(bench, 0, "north", 1, 0);
    hears_numbers(bench, peer, 1, 1);
    bench->now_ns += AMPEL_BEAT_EVERY_NS / 2;
    (void)turns(bench);
    hears_nothing(bench, peer);
}

static void a_watcher_that_left_is_forgotten(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    hears_watching(bench, peer, 1);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_WATCHERS), 1);
    ampel_loopback_reset(bench->loopback);
    give_out(bench, 0, "north", 1, 0);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_WATCHERS), 0);
}

static void a_suspended_tenant_hears_nothing_more(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    hears_watching(bench, peer, 1);
    give_tenants(bench, 0, true);
    give_out(bench, 0, "north", 1, 0);
    hears_nothing(bench, peer);
    say_watch(bench, peer, 0);
    assert_int_equal(hears(bench, peer, AMPEL_MESSAGE_BACK).back.reason, AMPEL_BACK_TENANT);
    give_tenants(bench, 0, false);
    say_watch(bench, peer, 1);
    hears_watching(bench, peer, 2);
    hears_numbers(bench, peer, 1, 1);
}

static void what_comes_before_the_numbers_waits_for_them(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    assert_int_equal(hears(bench, peer, AMPEL_MESSAGE_BACK).back.reason, AMPEL_BACK_STARTING);
    give_out(bench, 0, "north", 2, 0);
    give_checkpoint(bench, 0);
    assert_null(ampel_queue_pop(bench->scribe));
    give_tenants(bench, 41, false);
    struct ampel_checkpoint *checkpoint = scribe_checkpoint(bench);
    assert_int_equal(checkpoint->outs_count, 1);
    assert_int_equal(checkpoint->outs[0]->told[0].number, 41);
    assert_int_equal(checkpoint->outs[0]->told[1].number, 42);
    scribe_committed(bench, checkpoint);
}

static void messages_that_are_no_watch_go_back_with_the_reason(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say(bench, peer, &(struct ampel_message){.kind = AMPEL_MESSAGE_HELLO, .hello = {{"feed", 4}}});
    struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_BACK);
    assert_int_equal(message.back.reason, AMPEL_BACK_MALFORMED);
    assert_memory_equal(message.back.text.bytes, "m: hello and batches belong to the feeders' endpoint",
                        message.back.text.size);
    assert_true(ampel_loopback_say(bench->loopback, peer, "\xc1", 1));
    (void)turns(bench);
    message = hears(bench, peer, AMPEL_MESSAGE_BACK);
    assert_int_equal(message.back.reason, AMPEL_BACK_MALFORMED);
    hears_nothing(bench, peer);
}

static void a_full_scribe_holds_checkpoints_back_and_loses_none(void **state) {
    struct bench *bench = *state;
    /* The scribe's queue takes 2. */
    for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
        give_out(bench, partition, "north", 1, 0);
        give_checkpoint(bench, partition);
    }
    for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
        struct ampel_checkpoint *checkpoint = scribe_checkpoint(bench);
        assert_int_equal(checkpoint->partition, partition);
        assert_int_equal(checkpoint->outs[0]->told[0].number, partition + 1);
        scribe_committed(bench, checkpoint);
    }
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES), 0);
}

static void stop_goes_on_after_the_last_shard_and_behind_the_checkpoints(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    hears_watching(bench, peer, 1);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct ampel_parcel *stop = calloc(1, sizeof(*stop));
        stop->kind = AMPEL_PARCEL_STOP;
        assert_null(ampel_queue_pop(bench->scribe));
        if (shard + 1 == SHARDS) {
            give_out(bench, 0, "north", 1, 0);
            give_checkpoint(bench, 0);
        }
        assert_true(ampel_queue_push(bench->in, stop));
        assert_int_equal(turns(bench), shard + 1 == SHARDS ? AMPEL_TURN_ENDED : AMPEL_TURN_IDLE);
    }
    hears_numbers(bench, peer, 1, 1);
    ampel_checkpoint_free(scribe_checkpoint(bench));
    ampel_parcel_free(scribe_take(bench, AMPEL_PARCEL_STOP));
}

/* A publisher before two scribes, the bench's and another one. */
static struct ampel_queue *second_scribe_open(struct bench *bench) {
    struct ampel_queue *second = ampel_queue_open(2);
    assert_non_null(second);
    ampel_publisher_close(bench->publisher);
    struct ampel_queue *const scribes[] = {bench->scribe, second};
    publisher_open(bench, scribes, 2);
    give_tenants(bench, 0, false);
    return second;
}

static void a_partitions_checkpoints_all_go_to_one_scribe_and_each_shard_has_both(void **state) {
    struct bench *bench = *state;
    struct ampel_queue *first = bench->scribe, *second = second_scribe_open(bench);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
            give_out(bench, partition, "north", 1, 0);
            give_checkpoint(bench, partition);
            bench->scribe = partition / SHARDS % 2 == 0 ? first : second;
            struct ampel_checkpoint *checkpoint = scribe_checkpoint(bench);
            assert_int_equal(checkpoint->partition, partition);
            assert_int_equal(checkpoint->outs[0]->told[0].number, round * PARTITIONS + partition + 1);
            scribe_committed(bench, checkpoint);
        }
    }
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct ampel_parcel *stop = calloc(1, sizeof(*stop));
        stop->kind = AMPEL_PARCEL_STOP;
        assert_true(ampel_queue_push(bench->in, stop));
    }
    assert_int_equal(turns(bench), AMPEL_TURN_ENDED);
    bench->scribe = second;
    ampel_parcel_free(scribe_take(bench, AMPEL_PARCEL_STOP));
    bench->scribe = first;
    ampel_parcel_free(scribe_take(bench, AMPEL_PARCEL_STOP));
    ampel_queue_close(second);
}

static void the_end_waits_for_room_at_each_scribe(void **state) {
    struct bench *bench = *state;
    struct ampel_queue *first = bench->scribe, *second = second_scribe_open(bench);
    for (uint32_t i = 0; i < 2; i++)
        give_checkpoint(bench, PARTITIONS - 1); /* its queue takes 2 */
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct ampel_parcel *stop = calloc(1, sizeof(*stop));
        stop->kind = AMPEL_PARCEL_STOP;
        assert_true(ampel_queue_push(bench->in, stop));
    }
    assert_int_equal(turns(bench), AMPEL_TURN_IDLE);
    bench->scribe = second;
    for (uint32_t i = 0; i < 2; i++)
        ampel_checkpoint_free(scribe_checkpoint(bench));
    assert_int_equal(turns(bench), AMPEL_TURN_ENDED);
    ampel_parcel_free(scribe_take(bench, AMPEL_PARCEL_STOP));
    bench->scribe = first;
    ampel_parcel_free(scribe_take(bench, AMPEL_PARCEL_STOP));
    ampel_queue_close(second);
}

static void the_end_does_not_wait_for_ever_for_a_watcher_that_does_not_read(void **state) {
    struct bench *bench = *state;
    ampel_loopback_room(bench->loopback, 1);
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_watch(bench, peer, 0);
    give_out(bench, 0, "north", 1, 0);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct ampel_parcel *stop = calloc(1, sizeof(*stop));
        stop->kind = AMPEL_PARCEL_STOP;
        assert_true(ampel_queue_push(bench->in, stop));
    }
    assert_int_equal(turns(bench), AMPEL_TURN_IDLE);
    enum ampel_turn turn = AMPEL_TURN_IDLE;
    for (uint32_t i = 0; i < 1000 && turn == AMPEL_TURN_IDLE; i++) {
        assert_true(bench->wake_ns < INT64_MAX);
        bench->now_ns = bench->wake_ns;
        turn = turns(bench);
    }
    assert_int_equal(turn, AMPEL_TURN_ENDED);
    assert_true(bench->now_ns < INT64_C(5000000000));
}

/* ---- streams by themselves ------------------------------------------------------------------ */

/* A score of a tenant under this number, as the publisher keeps it: of one size while it is below 100. */
static struct ampel_folded *told_fold(const char *tenant, uint64_t number, struct ampel_shared_face *face) {
    struct ampel_told told = {.tenant = {tenant, (uint32_t)strlen(tenant)},
                              .seller = {"SELLER", 6},
                              .marketplace = {"DE", 2},
                              .stream = AMPEL_STREAM_SCORES,
                              .number = number,
                              .change = {.kind = AMPEL_CHANGE_SCORE, .at_ms = NOW_MS, .cap_group = 255}};
    told.change.cause.event_type = told.change.cause.policy = told.change.cause.code = 255;
    told.change.cause.severity = -1;
    told.change.after.score = 600 + (int32_t)number;
    struct ampel_folded *folded = ampel_folded_make(&told, 4096, face);
    assert_non_null(folded);
    return folded;
}

static void streams_push(struct ampel_publisher_streams *streams, uint32_t index, struct ampel_shared_face *face) {
    struct ampel_folded *folded = told_fold(ampel_publisher_streams_tenant(streams, index),
                                            ampel_publisher_streams_next(streams, index), face);
    assert_true(ampel_publisher_streams_push(streams, index, folded));
    ampel_folded_release(folded);
}

static struct ampel_shared_face *face_make(void) {
    static const struct ampel_rules_face wanted = {.version = "r7", .caps_count = 1, .caps_names = {"infringement"}};
    struct ampel_shared_face *face = NULL;
    assert_true(ampel_shared_face_renew(&face, &wanted));
    return face;
}

/* The message of what is kept is that change's, whatever was asked for before. */
static void streams_hold(struct ampel_publisher_streams *streams, uint32_t index, uint64_t number) {
    struct ampel_message_decoder *decoder = ampel_message_decoder_open();
    struct ampel_message message;
    struct ampel_error error;
    const uint8_t *bytes;
    uint32_t size;
    ampel_publisher_streams_get(streams, index, number, EPOCH, &bytes, &size);
    assert_true(ampel_message_decode(decoder, bytes, size, &message, &error));
    const char *tenant = ampel_publisher_streams_tenant(streams, index);
    assert_int_equal(message.change.number, number);
    assert_int_equal(message.change.epoch, EPOCH);
    assert_int_equal(message.change.change.after.score, 600 + number);
    assert_memory_equal(message.change.tenant.bytes, tenant, strlen(tenant));
    assert_memory_equal(message.change.rules_version.bytes, "r7", 2);
    ampel_message_decoder_close(decoder);
}

static void only_what_is_stored_is_dropped_and_from_the_front(void **state) {
    (void)state;
    struct ampel_shared_face *face = face_make();
    struct ampel_folded *one = told_fold("north", 1, face);
    const uint32_t size = ampel_folded_bytes(one);
    ampel_folded_release(one);
    struct ampel_publisher_streams *streams = ampel_publisher_streams_open(10 * (uint64_t)size);
    uint32_t index;
    const struct ampel_text tenant = {"north", 5};
    assert_true(ampel_publisher_streams_claim(streams, tenant, AMPEL_STREAM_SCORES, &index));
    for (uint32_t i = 0; i < 30; i++)
        streams_push(streams, index, face);
    ampel_shared_face_release(face);
    /* Three times the bound, and nothing is dropped. */
    assert_int_equal(ampel_publisher_streams_first(streams, index), 1);
    assert_int_equal(ampel_publisher_streams_unstored_bytes(streams), 30 * size);
    ampel_publisher_streams_stored(streams, index, 2);
    ampel_publisher_streams_stored(streams, index, 3);
    assert_int_equal(ampel_publisher_streams_first(streams, index), 1);
    ampel_publisher_streams_stored(streams, index, 1);
    assert_int_equal(ampel_publisher_streams_first(streams, index), 4);
    for (uint64_t number = 4; number <= 30; number++)
        ampel_publisher_streams_stored(streams, index, number);
    /* Ten of them may stay. */
    assert_int_equal(ampel_publisher_streams_first(streams, index), 21);
    assert_int_equal(ampel_publisher_streams_next(streams, index), 31);
    assert_int_equal(ampel_publisher_streams_unstored_bytes(streams), 0);
    for (uint64_t number = 21; number <= 30; number++)
        streams_hold(streams, index, number);
    ampel_publisher_streams_close(streams);
}

static void a_message_is_that_of_its_stream_and_number_however_often_others_are_made(void **state) {
    (void)state;
    struct ampel_shared_face *face = face_make();
    struct ampel_publisher_streams *streams = ampel_publisher_streams_open(1 << 20);
    const struct ampel_text tenants[] = {{"north", 5}, {"south", 5}};
    uint32_t index[2];
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(ampel_publisher_streams_claim(streams, tenants[i], AMPEL_STREAM_SCORES, &index[i]));
        for (uint32_t k = 0; k < 3000; k++)
            streams_push(streams, index[i], face);
    }
    ampel_shared_face_release(face);
    /* Twice each, as two watchers ask; in a stride that meets every place of what is kept encoded. */
    for (uint64_t k = 0; k < 6000; k++)
        streams_hold(streams, index[k / 2 % 2], k / 4 * 415 % 3000 + 1);
    ampel_publisher_streams_close(streams);
}

static void streams_of_many_tenants_are_told_apart(void **state) {
    (void)state;
    struct ampel_publisher_streams *streams = ampel_publisher_streams_open(1 << 20);
    char name[16];
    uint32_t index;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 500; i++) {
            const int size = snprintf(name, sizeof(name), "tenant-%u", i / 2);
            const struct ampel_text tenant = {name, (uint32_t)size};
            assert_true(ampel_publisher_streams_claim(
                streams, tenant, i % 2 == 0 ? AMPEL_STREAM_ALERTS : AMPEL_STREAM_SCORES, &index));
            assert_int_equal(index, i);
            if (round == 0) ampel_publisher_streams_start(streams, index, i + 10);
            assert_int_equal(ampel_publisher_streams_next(streams, index), i + 10);
            assert_string_equal(ampel_publisher_streams_tenant(streams, index), name);
        }
    }
    ampel_publisher_streams_close(streams);
}

#define WITH(test, open) cmocka_unit_test_setup_teardown(test, open, bench_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(what_is_told_is_numbered_from_one_and_heard_by_its_tenant_alone, bench_open),
        WITH(a_checkpoint_takes_along_what_its_partition_told_with_numbers, bench_open),
        WITH(a_second_checkpoint_may_pass_before_the_first_is_told_as_committed, bench_open),
        WITH(a_watcher_from_a_number_gets_what_is_kept_and_then_what_comes, bench_open),
        WITH(the_outbox_comes_first_then_memory_then_what_comes_without_a_gap, bench_open_cold),
        WITH(many_rows_are_asked_for_piece_by_piece, bench_open_cold),
        WITH(rows_that_cannot_be_read_now_are_asked_for_again, bench_open_cold),
        WITH(an_answer_to_what_was_asked_before_a_new_start_is_not_taken, bench_open_cold),
        WITH(a_watcher_that_does_not_read_slows_no_other_and_misses_nothing, bench_open),
        WITH(a_full_connection_is_looked_at_soon_and_one_that_stays_full_seldom, bench_open),
        WITH(silence_is_broken_by_a_beat_every_ten_seconds, bench_open),
        WITH(a_watcher_that_left_is_forgotten, bench_open),
        WITH(a_suspended_tenant_hears_nothing_more, bench_open),
        WITH(what_comes_before_the_numbers_waits_for_them, bench_open_cold),
        WITH(messages_that_are_no_watch_go_back_with_the_reason, bench_open),
        WITH(a_full_scribe_holds_checkpoints_back_and_loses_none, bench_open),
        WITH(stop_goes_on_after_the_last_shard_and_behind_the_checkpoints, bench_open),
        WITH(a_partitions_checkpoints_all_go_to_one_scribe_and_each_shard_has_both, bench_open),
        WITH(the_end_waits_for_room_at_each_scribe, bench_open),
        WITH(the_end_does_not_wait_for_ever_for_a_watcher_that_does_not_read, bench_open),
        cmocka_unit_test(only_what_is_stored_is_dropped_and_from_the_front),
        cmocka_unit_test(a_message_is_that_of_its_stream_and_number_however_often_others_are_made),
        cmocka_unit_test(streams_of_many_tenants_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

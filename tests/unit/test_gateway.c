/* The gateway with a network in memory and the other ends of its queues in the test's hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/bundle.h"
#include "proto/record.h"
#include "tests/oracle/loopback.h"
#include "tests/unit/parcels_fixture.h"
#include "workers/gateway.h"
#include "workers/metrics.h"

#define NOW_MS             INT64_C(1700000000000)
#define PARTITIONS         8
#define SHARDS             2
#define INFLIGHT_BYTES_MAX 4096
#define PRODUCERS_MAX      3

struct bench {
    struct ampel_loopback *loopback;
    struct ampel_queue *in, *keeper;
    struct ampel_gateway *gateway;
    struct ampel_stage stage;
    struct ampel_message_decoder *decoder;
    int64_t now_ms, now_ns;
    uint8_t heard[65536]; /* the last message heard */
};

static int64_t bench_now_ms(void *context) {
    return ((struct bench *)context)->now_ms;
}
static int64_t bench_now_ns(void *context) {
    return ((struct bench *)context)->now_ns;
}

/* Until it waits; returns how the last turn ended. */
static enum ampel_turn turns(struct bench *bench) {
    enum ampel_turn turn = AMPEL_TURN_AGAIN;
    int64_t wake_ns;
    for (uint32_t i = 0; i < 100000 && turn == AMPEL_TURN_AGAIN; i++)
        turn = bench->stage.turn(bench->stage.context, &wake_ns);
    assert_int_not_equal(turn, AMPEL_TURN_AGAIN);
    return turn;
}

static void give(struct bench *bench, void *parcel) {
    assert_true(ampel_queue_push(bench->in, parcel));
    (void)turns(bench);
}

static void give_tenants(struct bench *bench, bool north_suspended) {
    struct ampel_parcel_tenants *tenants = calloc(1, sizeof(*tenants));
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    tenants->keys_count = 2;
    tenants->keys = calloc(2, sizeof(*tenants->keys));
    (void)snprintf(tenants->keys[0].tenant, sizeof(tenants->keys[0].tenant), "south");
    (void)snprintf(tenants->keys[1].tenant, sizeof(tenants->keys[1].tenant), "north");
    tenants->keys[1].suspended = north_suspended;
    give(bench, tenants);
}

static struct ampel_parcel_windows *windows_make(uint32_t count) {
    struct ampel_parcel_windows *windows = calloc(1, sizeof(*windows));
    windows->parcel.kind = AMPEL_PARCEL_WINDOWS;
    windows->windows_count = count;
    windows->windows = calloc(count + 1, sizeof(*windows->windows));
    return windows;
}

static void give_stop(struct bench *bench) {
    struct ampel_parcel *stop = calloc(1, sizeof(*stop));
    stop->kind = AMPEL_PARCEL_STOP;
    assert_true(ampel_queue_push(bench->in, stop));
}

static int bench_open_cold(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->now_ms = NOW_MS;
    bench->loopback = ampel_loopback_open();
    bench->in = ampel_queue_open(64);
    bench->keeper = ampel_queue_open(2);
    bench->decoder = ampel_message_decoder_open();
    struct ampel_gateway_options options = {
        .clock = {.context = bench, .now_ms = bench_now_ms, .monotonic_ns = bench_now_ns},
        .partitions = PARTITIONS,
        .shards_count = SHARDS,
        .inflight_bytes_max = INFLIGHT_BYTES_MAX,
        .message_bytes_max = 60000,
        .producers_per_tenant_max = PRODUCERS_MAX,
        .in = bench->in,
        .keeper = bench->keeper,
        .network_fds = ampel_loopback_fds,
        .network_tenants = ampel_loopback_tenants,
    };
    ampel_loopback_face(bench->loopback, &options.network);
    assert_true(ampel_gateway_open(&options, &bench->gateway));
    bench->stage = ampel_gateway_stage(bench->gateway);
    *state = bench;
    return 0;
}

static int bench_open(void **state) {
    (void)bench_open_cold(state);
    struct bench *bench = *state;
    give_tenants(bench, false);
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        give(bench, windows_make(0));
    return 0;
}

static int bench_close(void **state) {
    struct bench *bench = *state;
    ampel_gateway_close(bench->gateway);
    parcels_end(bench->in);
    parcels_end(bench->keeper);
    ampel_message_decoder_close(bench->decoder);
    ampel_loopback_close(bench->loopback);
    free(bench);
    return 0;
}

/* ---- saying and hearing --------------------------------------------------------------------- */

struct batch_plan {
    const char *producer;
    uint64_t sequence;
    int64_t sent_at_ms; /* 0: now */
    uint32_t good, bad; /* events; bad ones lie in the future */
    bool rows;
};

static struct ampel_batch_builder *batch_encode(const struct batch_plan *plan, const uint8_t **bytes,
                                                uint32_t *size) {
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    const struct ampel_text seller = {"A1SELLER", 8}, marketplace = {"DE", 2};
    const int64_t sent_at_ms = plan->sent_at_ms != 0 ? plan->sent_at_ms : NOW_MS;
    for (uint32_t i = 0; i < plan->good + plan->bad; i++) {
        const struct ampel_event event = {
            .at_ms = i < plan->good ? sent_at_ms - 1000 - i : sent_at_ms + AMPEL_DAY_MS,
            .count = 1,
            .type = AMPEL_EVENT_ORDER,
            .points = -1,
            .severity = -1,
            .code = AMPEL_CODE_NONE,
        };
        assert_true(ampel_batch_builder_push(builder, seller, marketplace, &event));
    }
    const struct ampel_batch_header header = {
        .producer = {plan->producer, (uint32_t)strlen(plan->producer)},
        .sequence = plan->sequence,
        .sent_at_ms = sent_at_ms,
    };
    assert_true(ampel_batch_encode(builder, &header, plan->rows, bytes, size));
    return builder;
}

static void say_batch(struct bench *bench, uint32_t peer, const struct batch_plan *plan) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_batch_builder *builder = batch_encode(plan, &bytes, &size);
    assert_true(ampel_loopback_say(bench->loopback, peer, bytes, size));
    ampel_batch_builder_close(builder);
}

/* Batches first .. first + count - 1 of one event each in one message, cut by so many bytes. */
static void say_bundle(struct bench *bench, uint32_t peer, uint64_t first, uint32_t count, uint32_t cut) {
    static uint8_t bundle[32768];
    uint32_t used = AMPEL_BUNDLE_HEAD_BYTES;
    ampel_bundle_head(count, bundle);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *bytes;
        uint32_t size;
        struct ampel_batch_builder *builder = batch_encode(
            &(struct batch_plan){.producer = "feed", .sequence = first + i, .good = 1}, &bytes, &size);
        assert_true(used + size <= sizeof(bundle));
        memcpy(bundle + used, bytes, size);
        used += size;
        ampel_batch_builder_close(builder);
    }
    assert_true(ampel_loopback_say(bench->loopback, peer, bundle, used - cut));
}

static void say_small(struct bench *bench, uint32_t peer, const struct ampel_message *message) {
    uint8_t bytes[AMPEL_MESSAGE_BYTES_MAX];
    const uint32_t size = ampel_message_encode(message, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_true(ampel_loopback_say(bench->loopback, peer, bytes, size));
}

static bool hear(struct bench *bench, uint32_t peer, struct ampel_message *out) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_error error = {0};
    if (!ampel_loopback_hear(bench->loopback, peer, &bytes, &size)) return false;
    assert_true(size <= sizeof(bench->heard));
    memcpy(bench->heard, bytes, size);
    assert_true(ampel_message_decode(bench->decoder, bench->heard, size, out, &error));
    return true;
}

static void hears_nothing(struct bench *bench, uint32_t peer) {
    struct ampel_message message;
    assert_false(hear(bench, peer, &message));
}

static struct ampel_message hears(struct bench *bench, uint32_t peer,
                                  enum ampel_message_kind kind) {
    struct ampel_message message;
    assert_true(hear(bench, peer, &message));
    assert_int_equal(message.kind, kind);
    return message;
}

static void hears_back(struct bench *bench, uint32_t peer, enum ampel_back_reason reason,
                       const char *producer, uint64_t sequence) {
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_BACK);
    assert_string_equal(ampel_back_name(message.back.reason), ampel_back_name(reason));
    assert_int_equal(message.back.producer.size, strlen(producer));
    assert_memory_equal(message.back.producer.bytes, producer, strlen(producer));
    assert_int_equal(message.back.sequence, sequence);
    assert_true(message.back.text.size > 0);
    /* What passes by itself is to be sent again, what needs a person is not. */
    const bool passes = reason == AMPEL_BACK_CREDIT || reason == AMPEL_BACK_STARTING ||
                        reason == AMPEL_BACK_STOPPING;
    assert_int_equal(message.back.retry_ms > 0, passes);
}

static void hears_ack(struct bench *bench, uint32_t peer, uint64_t sequence, uint64_t next,
                      bool duplicate) {
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_ACK);
    assert_int_equal(message.ack.sequence, sequence);
    assert_int_equal(message.ack.next, next);
    assert_int_equal(message.ack.duplicate, duplicate);
}

static struct ampel_parcel_record *keeper_take(struct bench *bench) {
    struct ampel_parcel *parcel = ampel_queue_pop(bench->keeper);
    assert_non_null(parcel);
    assert_int_equal(parcel->kind, AMPEL_PARCEL_RECORD);
    return (struct ampel_parcel_record *)parcel;
}

static void keeper_gives(struct bench *bench, struct ampel_parcel_record *record, bool failed) {
    record->failed = failed;
    give(bench, record);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_batch_is_acked_when_it_is_durable_and_not_before(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, peer, &(struct batch_plan){.producer = "feed", .good = 3, .bad = 2});
    (void)turns(bench);
    hears_nothing(bench, peer);
    struct ampel_parcel_record *record = keeper_take(bench);

    /* What the log gets: the tenant of the key, the stamp of the clock, the three good events. */
    ampel_record_seal(record->bytes, 4096, NOW_MS);
    struct ampel_record_header header;
    assert_int_equal(ampel_record_check(record->bytes, record->size, &header), AMPEL_RECORD_OK);
    assert_int_equal(header.stamp_ms, NOW_MS);
    struct ampel_record_reader *reader = ampel_record_reader_open();
    struct ampel_frame frame;
    struct ampel_error error = {0};
    uint32_t cursor = 0, events = 0;
    while (ampel_record_frame_next(reader, record->bytes, &cursor, &frame, &error)) {
        assert_int_equal(frame.tenant.size, 5);
        assert_memory_equal(frame.tenant.bytes, "north", 5);
        events += frame.events_count;
    }
    assert_string_equal(error.reason, "");
    assert_int_equal(events, 3);
    ampel_record_reader_close(reader);

    keeper_gives(bench, record, false);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_ACK);
    assert_int_equal(message.ack.sequence, 0);
    assert_int_equal(message.ack.next, 1);
    assert_int_equal(message.ack.accepted, 3);
    assert_false(message.ack.duplicate);
    assert_int_equal(message.ack.refused_count, 2);
    assert_int_equal(message.ack.refused[0].event_index, 3);
    assert_int_equal(message.ack.refused[0].verdict, AMPEL_VERDICT_FUTURE);
    assert_int_equal(message.ack.refused[1].event_index, 4);
    hears_nothing(bench, peer);
}

static void a_durable_sequence_is_acked_again_without_touching_the_log(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    const struct batch_plan plan = {.producer = "feed", .good = 1, .bad = 1};
    say_batch(bench, peer, &plan);
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, 0, 1, false);
    /* A month later, by another connection: the clock has no say in what is durable already. */
    bench->now_ms += 40 * AMPEL_DAY_MS;
    const uint32_t other = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, other, &plan);
    (void)turns(bench);
    assert_null(ampel_queue_pop(bench->keeper));
    const struct ampel_message message = hears(bench, other, AMPEL_MESSAGE_ACK);
    assert_true(message.ack.duplicate);
    assert_int_equal(message.ack.accepted, 1);
    assert_int_equal(message.ack.refused_count, 1);
    assert_int_equal(message.ack.refused[0].verdict, AMPEL_VERDICT_FUTURE);
    assert_int_equal(message.ack.next, 1);
    /* The same producer of another tenant is somebody else. */
    bench->now_ms = NOW_MS;
    const uint32_t south = ampel_loopback_connect(bench->loopback, "south");
    say_batch(bench, south, &plan);
    (void)turns(bench);
    hears_nothing(bench, south);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, south, 0, 1, false);
}

static void a_sequence_under_way_is_logged_once_and_answered_to_both_connections(void **state) {
    struct bench *bench = *state;
    const uint32_t first = ampel_loopback_connect(bench->loopback, "north");
    const uint32_t second = ampel_loopback_connect(bench->loopback, "north");
    const struct batch_plan plan = {.producer = "feed", .good = 1};
    say_batch(bench, first, &plan);
    say_batch(bench, second, &plan);
    say_batch(bench, second, &plan);
    (void)turns(bench);
    struct ampel_parcel_record *record = keeper_take(bench);
    assert_null(ampel_queue_pop(bench->keeper));
    hears_nothing(bench, first);
    hears_nothing(bench, second);
    keeper_gives(bench, record, false);
    hears_ack(bench, first, 0, 1, false);
    hears_ack(bench, second, 0, 1, false);
    hears_nothing(bench, second);
}

static void a_batch_that_the_log_could_not_keep_goes_back_and_may_come_again(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    const struct batch_plan plan = {.producer = "feed", .good = 1};
    say_batch(bench, peer, &plan);
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), true);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_BACK);
    assert_int_equal(message.back.reason, AMPEL_BACK_LOG);
    assert_true(message.back.retry_ms > 0);
    say_batch(bench, peer, &plan);
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, 0, 1, false);
}

static void acks_out_of_order_name_the_lowest_that_is_open(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    for (uint64_t sequence = 0; sequence < 2; sequence++)
        say_batch(bench, peer,
                  &(struct batch_plan){.producer = "feed", .sequence = sequence, .good = 1});
    (void)turns(bench);
    struct ampel_parcel_record *lower = keeper_take(bench), *upper = keeper_take(bench);
    keeper_gives(bench, upper, false);
    hears_ack(bench, peer, 1, 0, false);
    const struct ampel_message hello = {.kind = AMPEL_MESSAGE_HELLO, .hello = {{"feed", 4}}};
    say_small(bench, peer, &hello);
    (void)turns(bench);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_WELCOME);
    assert_int_equal(message.welcome.next, 0);
    assert_int_equal(message.welcome.credit, AMPEL_CREDIT);
    assert_int_equal(message.welcome.now_ms, NOW_MS);
    assert_int_equal(message.welcome.done_count, 1);
    assert_int_equal(message.welcome.done[0], 1);
    assert_memory_equal(message.welcome.tenant.bytes, "north", 5);
    keeper_gives(bench, lower, false);
    hears_ack(bench, peer, 0, 2, false);
}

static void a_batch_beyond_the_credit_goes_back_and_the_last_within_does_not(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, peer,
              &(struct batch_plan){.producer = "feed", .sequence = AMPEL_CREDIT, .good = 1});
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_CREDIT, "feed", AMPEL_CREDIT);
    say_batch(bench, peer,
              &(struct batch_plan){.producer = "feed", .sequence = AMPEL_CREDIT - 1, .good = 1});
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, AMPEL_CREDIT - 1, 0, false);
}

static void sent_at_is_held_to_the_clock_at_its_exact_edges(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    const struct {
        int64_t sent_at_ms;
        bool taken;
    } edges[] = {
        {NOW_MS + AMPEL_SENT_AHEAD_MAX_MS, true},
        {NOW_MS + AMPEL_SENT_AHEAD_MAX_MS + 1, false},
        {NOW_MS - AMPEL_SENT_BEHIND_MAX_MS, true},
        {NOW_MS - AMPEL_SENT_BEHIND_MAX_MS - 1, false},
    };
    for (uint32_t i = 0; i < 4; i++) {
        say_batch(
            bench, peer,
            &(struct batch_plan){
                .producer = "feed", .sequence = i, .sent_at_ms = edges[i].sent_at_ms, .good = 1});
        (void)turns(bench);
        if (edges[i].taken) {
            keeper_gives(bench, keeper_take(bench), false);
            const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_ACK);
            assert_int_equal(message.ack.sequence, i);
        } else {
            assert_null(ampel_queue_pop(bench->keeper));
            hears_back(bench, peer, AMPEL_BACK_CLOCK, "feed", i);
        }
    }
}

static void a_tenant_has_only_so_many_producers(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    char name[16];
    for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "feed-%u", i);
        say_batch(bench, peer, &(struct batch_plan){.producer = name, .good = 1});
        (void)turns(bench);
        keeper_gives(bench, keeper_take(bench), false);
        hears_ack(bench, peer, 0, 1, false);
    }
    say_batch(bench, peer, &(struct batch_plan){.producer = "one-more", .good = 1});
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_PRODUCERS, "one-more", 0);
    /* Another tenant's are its own. */
    const uint32_t south = ampel_loopback_connect(bench->loopback, "south");
    say_batch(bench, south, &(struct batch_plan){.producer = "one-more", .good = 1});
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, south, 0, 1, false);
    /* After 30 idle days one of the old makes room. */
    bench->now_ms += AMPEL_PRODUCER_IDLE_MS + 1;
    say_batch(bench, peer,
              &(struct batch_plan){.producer = "one-more", .sent_at_ms = bench->now_ms, .good = 1});
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, 0, 1, false);
}

static void until_all_shards_have_spoken_batches_go_back(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    const struct batch_plan plan = {.producer = "feed", .sequence = 7, .good = 1};
    const struct ampel_message hello = {.kind = AMPEL_MESSAGE_HELLO, .hello = {{"feed", 4}}};
    for (uint32_t shard = 0; shard <= SHARDS; shard++) {
        say_batch(bench, peer, &plan);
        say_small(bench, peer, &hello);
        (void)turns(bench);
        hears_back(bench, peer, AMPEL_BACK_STARTING, "feed", 7);
        hears_back(bench, peer, AMPEL_BACK_STARTING, "feed", 0);
        assert_int_equal(ampel_metric_get(AMPEL_METRIC_READY), 0);
        if (shard == 0) give_tenants(bench, false);
        /* One partition knows 0 to 4, another 5, 6 and 8. */
        if (shard < SHARDS) {
            struct ampel_parcel_windows *windows = windows_make(1);
            (void)snprintf(windows->windows[0].tenant, sizeof(windows->windows[0].tenant), "north");
            (void)snprintf(windows->windows[0].producer, sizeof(windows->windows[0].producer),
                           "feed");
            windows->windows[0].seen_ms = NOW_MS;
            windows->windows[0].base = shard == 0 ? 5 : 0;
            windows->windows[0].bits[0] = shard == 0 ? 0 : UINT64_C(0x160);
            give(bench, windows);
        }
        if (shard + 1 == SHARDS) break;
    }
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_READY), 1);
    say_small(bench, peer, &hello);
    (void)turns(bench);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_WELCOME);
    assert_int_equal(message.welcome.next, 7);
    assert_int_equal(message.welcome.done_count, 1);
    assert_int_equal(message.welcome.done[0], 8);
    say_batch(bench, peer, &(struct batch_plan){.producer = "feed", .sequence = 6, .good = 1});
    (void)turns(bench);
    hears_ack(bench, peer, 6, 7, true);
    say_batch(bench, peer, &plan);
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, 7, 9, false);
}

static void batches_of_a_suspended_or_unknown_tenant_go_back(void **state) {
    struct bench *bench = *state;
    const uint32_t north = ampel_loopback_connect(bench->loopback, "north");
    const uint32_t nobody = ampel_loopback_connect(bench->loopback, "");
    give_tenants(bench, true);
    const struct batch_plan plan = {.producer = "feed", .sequence = 3, .good = 1};
    say_batch(bench, north, &plan);
    say_batch(bench, nobody, &plan);
    (void)turns(bench);
    hears_back(bench, north, AMPEL_BACK_TENANT, "feed", 3);
    hears_back(bench, nobody, AMPEL_BACK_TENANT, "feed", 3);
    give_tenants(bench, false);
    say_batch(bench, north, &plan);
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, north, 3, 0, false);
}

static void what_cannot_be_read_goes_back_with_the_reason(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    static const struct {
        const char *bytes;
        uint32_t size;
        enum ampel_back_reason reason;
        const char *says;
    } bad[] = {
        {"", 0, AMPEL_BACK_MALFORMED, ""},
        {"\xc1", 1, AMPEL_BACK_MALFORMED, ""},
        {"GET / HTTP/1.1\r\n\r\n", 18, AMPEL_BACK_MALFORMED, ""},
        {"\xdd\xff\xff\xff\xff", 5, AMPEL_BACK_MALFORMED,
         ""}, /* an array of four thousand million */
        {"\x82\xa1v\x01\xa1m\xa5wa", 9, AMPEL_BACK_MALFORMED, ""}, /* torn */
        {"\x82\xa1v\x02\xa1m\xa5hello", 12, AMPEL_BACK_VERSION, "v"},
        {"\x82\xa1v\x01\xa1m\xa5house", 12, AMPEL_BACK_MALFORMED, "m"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bad); i++) {
        assert_true(ampel_loopback_say(bench->loopback, peer, bad[i].bytes, bad[i].size));
        (void)turns(bench);
        const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_BACK);
        assert_string_equal(ampel_back_name(message.back.reason), ampel_back_name(bad[i].reason));
        assert_int_equal(message.back.retry_ms, 0);
        assert_true(message.back.text.size > 0);
        assert_memory_equal(message.back.text.bytes, bad[i].says, strlen(bad[i].says));
    }
    assert_null(ampel_queue_pop(bench->keeper));
}

static void messages_of_the_other_endpoint_are_named(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    const struct ampel_message watch = {.kind = AMPEL_MESSAGE_WATCH,
                                        .watch = {.stream = AMPEL_STREAM_ALERTS, .from = 1}};
    say_small(bench, peer, &watch);
    (void)turns(bench);
    const struct ampel_message message = hears(bench, peer, AMPEL_MESSAGE_BACK);
    assert_int_equal(message.back.reason, AMPEL_BACK_MALFORMED);
    assert_memory_equal(message.back.text.bytes, "m: watch belongs to the watchers' endpoint",
                        message.back.text.size);
}

static void a_batch_that_is_too_large_goes_back_by_its_name(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, peer,
              &(struct batch_plan){.producer = "feed", .sequence = 5, .good = 4000, .rows = true});
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_TOO_LARGE, "feed", 5);
    assert_null(ampel_queue_pop(bench->keeper));
}

static void nothing_is_read_while_the_keeper_has_no_room_and_nothing_is_lost(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    /* The keeper's queue takes 2, the gateway holds one, the network keeps the others. */
    for (uint64_t sequence = 0; sequence < 8; sequence++)
        say_batch(bench, peer,
                  &(struct batch_plan){.producer = "feed", .sequence = sequence, .good = 1});
    assert_int_equal(turns(bench), AMPEL_TURN_IDLE);
    int fds[4];
    /* The network's fd would wake it for nothing. */
    assert_int_equal(bench->stage.fds(bench->stage.context, fds, 4), 1);
    struct ampel_parcel_record *records[8];
    uint32_t taken = 0;
    while (taken < 8) {
        struct ampel_parcel *parcel = ampel_queue_pop(bench->keeper);
        assert_non_null(parcel);
        records[taken++] = (struct ampel_parcel_record *)parcel;
        (void)turns(bench);
    }
    assert_int_equal(bench->stage.fds(bench->stage.context, fds, 4), 2);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(records[i]->sequence, i);
        keeper_gives(bench, records[i], false);
        hears_ack(bench, peer, i, i + 1, false);
    }
}

static void nothing_is_read_while_too_much_is_under_way(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    struct ampel_parcel_record *records[200];
    uint32_t taken = 0;
    uint64_t bytes = 0;
    for (uint64_t sequence = 0; sequence < 200; sequence++)
        say_batch(bench, peer,
                  &(struct batch_plan){.producer = "feed", .sequence = sequence, .good = 1});
    for (;;) {
        (void)turns(bench);
        struct ampel_parcel *parcel = ampel_queue_pop(bench->keeper);
        if (parcel == NULL) break;
        records[taken++] = (struct ampel_parcel_record *)parcel;
        bytes += records[taken - 1]->size;
    }
    assert_in_range(taken, 2, 199);
    assert_true(bytes >= INFLIGHT_BYTES_MAX);
    assert_true(bytes - records[taken - 1]->size < INFLIGHT_BYTES_MAX);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_GATEWAY_INFLIGHT_BYTES), bytes);
    keeper_gives(bench, records[0], false);
    struct ampel_parcel_record *next = keeper_take(bench);
    assert_int_equal(next->sequence, taken);
    for (uint32_t i = 1; i < taken; i++)
        ampel_parcel_free(&records[i]->parcel);
    ampel_parcel_free(&next->parcel);
}

static void a_peer_that_does_not_read_hears_its_acks_later_in_order(void **state) {
    struct bench *bench = *state;
    ampel_loopback_room(bench->loopback, 2);
    const uint32_t slow = ampel_loopback_connect(bench->loopback, "north");
    const uint32_t quick = ampel_loopback_connect(bench->loopback, "south");
    for (uint64_t sequence = 0; sequence < 5; sequence++) {
        say_batch(bench, slow,
                  &(struct batch_plan){.producer = "feed", .sequence = sequence, .good = 1});
        (void)turns(bench);
        keeper_gives(bench, keeper_take(bench), false);
    }
    say_batch(bench, quick, &(struct batch_plan){.producer = "feed", .good = 1});
    (void)turns(bench);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, quick, 0, 1, false);
    /* It is tried again though nobody wakes the gateway. */
    int64_t wake_ns = 0;
    assert_int_equal(bench->stage.turn(bench->stage.context, &wake_ns), AMPEL_TURN_IDLE);
    assert_true(wake_ns < INT64_MAX);
    for (uint64_t sequence = 0; sequence < 5; sequence++) {
        hears_ack(bench, slow, sequence, sequence + 1, false);
        (void)turns(bench);
    }
    assert_int_equal(bench->stage.turn(bench->stage.context, &wake_ns), AMPEL_TURN_IDLE);
    assert_true(wake_ns == INT64_MAX);
}

static void an_ack_for_a_connection_that_is_gone_is_no_trouble(void **state) {
    struct bench *bench = *state;
    const struct batch_plan plan = {.producer = "feed", .good = 1};
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, peer, &plan);
    (void)turns(bench);
    ampel_loopback_reset(bench->loopback);
    keeper_gives(bench, keeper_take(bench), false);
    const uint32_t again = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, again, &plan);
    (void)turns(bench);
    hears_ack(bench, again, 0, 1, true);
}

static void hears_bundle(struct bench *bench, uint32_t peer, uint64_t first, uint32_t count) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_error error = {0};
    struct ampel_bundle bundle;
    assert_true(ampel_loopback_hear(bench->loopback, peer, &bytes, &size));
    memcpy(bench->heard, bytes, size);
    assert_true(ampel_bundle_is(bench->heard, size));
    assert_true(ampel_bundle_open(&bundle, bench->heard, size, &error));
    assert_int_equal(bundle.left, count);
    for (uint64_t sequence = first; bundle.left > 0; sequence++) {
        struct ampel_message message;
        assert_true(ampel_bundle_next(&bundle, &bytes, &size, &error));
        assert_true(ampel_message_decode(bench->decoder, bytes, size, &message, &error));
        assert_int_equal(message.kind, AMPEL_MESSAGE_ACK);
        assert_int_equal(message.ack.sequence, sequence);
        assert_int_equal(message.ack.accepted, 1);
    }
}

/* The keeper has room for two, so the bundle is worked through in pieces, and nothing is read before its end. */
static void batches_of_a_bundle_are_taken_one_by_one_and_their_acks_go_together(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_bundle(bench, peer, 0, 4, 0);
    say_batch(bench, peer, &(struct batch_plan){.producer = "feed", .sequence = 4, .good = 1});
    (void)turns(bench);
    struct ampel_parcel_record *records[5] = {keeper_take(bench), keeper_take(bench)};
    assert_null(ampel_queue_pop(bench->keeper));
    hears_nothing(bench, peer);
    ampel_queue_wake(bench->in);
    (void)turns(bench);
    records[2] = keeper_take(bench);
    records[3] = keeper_take(bench);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(records[i]->sequence, i);
    (void)turns(bench);
    records[4] = keeper_take(bench);
    for (int i = 0; i < 4; i++)
        assert_true(ampel_queue_push(bench->in, records[i]));
    (void)turns(bench);
    hears_bundle(bench, peer, 0, 4);
    keeper_gives(bench, records[4], false);
    hears_ack(bench, peer, 4, 5, false);
    /* Known ones are answered together, too. */
    say_bundle(bench, peer, 1, 3, 0);
    (void)turns(bench);
    hears_bundle(bench, peer, 1, 3);
    hears_nothing(bench, peer);
}

static void a_bundle_that_is_cut_is_taken_as_far_as_it_is_whole(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_bundle(bench, peer, 0, 2, 1);
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_MALFORMED, "", 0);
    keeper_gives(bench, keeper_take(bench), false);
    hears_ack(bench, peer, 0, 1, false);
    assert_null(ampel_queue_pop(bench->keeper));
    assert_true(ampel_loopback_say(bench->loopback, peer, (const uint8_t *)"\x90", 1)); /* empty */
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_MALFORMED, "", 0);
    assert_true(ampel_loopback_say(bench->loopback, peer, (const uint8_t *)"\x91\x91\x01", 3)); /* of no map */
    (void)turns(bench);
    hears_back(bench, peer, AMPEL_BACK_MALFORMED, "", 0);
    hears_nothing(bench, peer);
}

static void stop_waits_for_what_is_under_way_and_answers_it(void **state) {
    struct bench *bench = *state;
    const uint32_t peer = ampel_loopback_connect(bench->loopback, "north");
    say_batch(bench, peer, &(struct batch_plan){.producer = "feed", .good = 1});
    (void)turns(bench);
    give_stop(bench);
    assert_int_equal(turns(bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_record *record = keeper_take(bench);
    struct ampel_parcel *stop = ampel_queue_pop(bench->keeper);
    assert_non_null(stop);
    assert_int_equal(stop->kind, AMPEL_PARCEL_STOP);
    ampel_parcel_free(stop);
    say_batch(bench, peer, &(struct batch_plan){.producer = "feed", .sequence = 1, .good = 1});
    assert_int_equal(turns(bench), AMPEL_TURN_IDLE);
    hears_back(bench, peer, AMPEL_BACK_STOPPING, "feed", 1);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_READY), 0);
    record->failed = false;
    assert_true(ampel_queue_push(bench->in, record));
    assert_int_equal(turns(bench), AMPEL_TURN_ENDED);
    hears_ack(bench, peer, 0, 1, false);
}

#define WITH(test, open) cmocka_unit_test_setup_teardown(test, open, bench_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(a_batch_is_acked_when_it_is_durable_and_not_before, bench_open),
        WITH(a_durable_sequence_is_acked_again_without_touching_the_log, bench_open),
        WITH(a_sequence_under_way_is_logged_once_and_answered_to_both_connections, bench_open),
        WITH(a_batch_that_the_log_could_not_keep_goes_back_and_may_come_again, bench_open),
        WITH(acks_out_of_order_name_the_lowest_that_is_open, bench_open),
        WITH(a_batch_beyond_the_credit_goes_back_and_the_last_within_does_not, bench_open),
        WITH(sent_at_is_held_to_the_clock_at_its_exact_edges, bench_open),
        WITH(a_tenant_has_only_so_many_producers, bench_open),
        WITH(until_all_shards_have_spoken_batches_go_back, bench_open_cold),
        WITH(batches_of_a_suspended_or_unknown_tenant_go_back, bench_open),
        WITH(what_cannot_be_read_goes_back_with_the_reason, bench_open),
        WITH(messages_of_the_other_endpoint_are_named, bench_open),
        WITH(a_batch_that_is_too_large_goes_back_by_its_name, bench_open),
        WITH(nothing_is_read_while_the_keeper_has_no_room_and_nothing_is_lost, bench_open),
        WITH(nothing_is_read_while_too_much_is_under_way, bench_open),
        WITH(a_peer_that_does_not_read_hears_its_acks_later_in_order, bench_open),
        WITH(an_ack_for_a_connection_that_is_gone_is_no_trouble, bench_open),
        WITH(batches_of_a_bundle_are_taken_one_by_one_and_their_acks_go_together, bench_open),
        WITH(a_bundle_that_is_cut_is_taken_as_far_as_it_is_whole, bench_open),
        WITH(stop_waits_for_what_is_under_way_and_answers_it, bench_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

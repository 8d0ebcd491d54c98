#define _DEFAULT_SOURCE
/* The gateway as it runs: a thread around real sockets, whose file descriptor fires only once for
   many messages. A wakeup that is lost here would leave a feeder waiting for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/batch.h"
#include "proto/message.h"
#include "workers/client_zmq.h"
#include "workers/gateway.h"
#include "workers/loop.h"
#include "workers/network_zmq.h"
#include "workers/realtime.h"

#define BATCHES     4000
#define PATIENCE_NS INT64_C(30000000000)

struct bench {
    struct ampel_system_clock clock_state;
    struct ampel_clock clock;
    struct ampel_hub *hub;
    struct ampel_network network;
    struct ampel_queue *in, *keeper;
    struct ampel_gateway *gateway;
    struct ampel_loop *loop;
    int ended_fd;
    struct ampel_client *client;
    struct ampel_message_decoder *decoder;
    struct ampel_batch_builder *builder;
    struct ampel_parcel_record *group[64];
    uint32_t group_count;
};

static int64_t now_ns(const struct bench *bench) {
    return bench->clock.monotonic_ns(bench->clock.context);
}

static void tenants_give(struct bench *bench, const struct ampel_keyfile *keys) {
    struct ampel_parcel_tenants *tenants = calloc(1, sizeof(*tenants));
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    tenants->keys_count = 1;
    tenants->keys = calloc(1, sizeof(*tenants->keys));
    memcpy(tenants->keys[0].tenant, "north", 6);
    memcpy(tenants->keys[0].public_key, keys->public_key, AMPEL_KEY_TEXT_SIZE);
    assert_true(ampel_queue_push(bench->in, tenants));
    struct ampel_parcel_windows *windows = calloc(1, sizeof(*windows));
    windows->parcel.kind = AMPEL_PARCEL_WINDOWS;
    assert_true(ampel_queue_push(bench->in, windows));
}

static int bench_open(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    struct ampel_error error = {0};
    struct ampel_hub_options hub = {.connections_max = 0};
    struct ampel_keyfile tenant;
    ampel_clock_system(&bench->clock_state, INT64_MIN, 1, &bench->clock);
    hub.clock = bench->clock;
    assert_true(ampel_keyfile_generate(&hub.keys));
    assert_true(ampel_keyfile_generate(&tenant));
    memcpy(tenant.server_key, hub.keys.public_key, AMPEL_KEY_TEXT_SIZE);
    assert_true(ampel_hub_open(&hub, &bench->hub, &error));
    assert_true(ampel_network_zmq_open(bench->hub, "tcp://127.0.0.1:*", &bench->network, &error));
    bench->in = ampel_queue_open(64);
    bench->keeper = ampel_queue_open(16);
    const struct ampel_gateway_options options = {
        .network = bench->network,
        .clock = bench->clock,
        .partitions = 8,
        .shards_count = 1,
        .inflight_bytes_max = 65536,
        .producers_per_tenant_max = 4,
        .in = bench->in,
        .keeper = bench->keeper,
        .network_fds = ampel_network_zmq_fds,
        .network_tenants = ampel_network_zmq_tenants,
    };
    assert_true(ampel_gateway_open(&options, &bench->gateway));
    const struct ampel_stage stage = ampel_gateway_stage(bench->gateway);
    bench->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bench->loop = ampel_loop_open(&stage, "gateway", bench->clock, bench->ended_fd, false, AMPEL_CORE_ANY);
    assert_non_null(bench->loop);
    tenants_give(bench, &tenant);
    assert_true(ampel_client_open(NULL, ampel_network_zmq_endpoint(bench->network.context), &tenant,
                                  &bench->client, &error));
    bench->decoder = ampel_message_decoder_open();
    bench->builder = ampel_batch_builder_open();
    *state = bench;
    return 0;
}

/* The keeper's part: gives records back in groups, the last ones by and by. */
static void keeper_turn(struct bench *bench, bool flush) {
    struct ampel_parcel *parcel;
    while (bench->group_count < AMPEL_ARRAY_COUNT(bench->group) &&
           (parcel = ampel_queue_pop(bench->keeper)) != NULL) {
        if (parcel->kind == AMPEL_PARCEL_RECORD)
            bench->group[bench->group_count++] = (struct ampel_parcel_record *)parcel;
        else
            ampel_parcel_free(parcel);
    }
    if (bench->group_count < 7 && !flush) return;
    uint32_t given = 0;
    while (given < bench->group_count && ampel_queue_push(bench->in, bench->group[given]))
        given++;
    bench->group_count -= given;
    memmove(bench->group, bench->group + given, bench->group_count * sizeof(bench->group[0]));
}

static int bench_close(void **state) {
    struct bench *bench = *state;
    struct ampel_parcel *stop = calloc(1, sizeof(*stop));
    stop->kind = AMPEL_PARCEL_STOP;
    assert_true(ampel_queue_push(bench->in, stop));
    for (int64_t until = now_ns(bench) + PATIENCE_NS;
         ampel_loop_state(bench->loop) == AMPEL_LOOP_RUNNING && now_ns(bench) < until; usleep(1000))
        keeper_turn(bench, true);
    assert_int_equal(ampel_loop_state(bench->loop), AMPEL_LOOP_ENDED);
    ampel_loop_close(bench->loop);
    keeper_turn(bench, true);
    ampel_gateway_close(bench->gateway);
    ampel_client_close(bench->client);
    ampel_network_zmq_close(bench->network.context);
    ampel_hub_close(bench->hub);
    struct ampel_parcel *parcel;
    while ((parcel = ampel_queue_pop(bench->keeper)) != NULL)
        ampel_parcel_free(parcel);
    ampel_queue_close(bench->in);
    ampel_queue_close(bench->keeper);
    ampel_message_decoder_close(bench->decoder);
    ampel_batch_builder_close(bench->builder);
    (void)close(bench->ended_fd);
    free(bench);
    return 0;
}

static bool batch_send(struct bench *bench, uint64_t sequence) {
    const struct ampel_text seller = {"A1SELLER", 8}, marketplace = {"DE", 2};
    const int64_t sent_at_ms = bench->clock.now_ms(bench->clock.context);
    ampel_batch_builder_reset(bench->builder);
    const struct ampel_event event = {.at_ms = sent_at_ms - 1000,
                                      .count = 1,
                                      .type = AMPEL_EVENT_ORDER,
                                      .points = -1,
                                      .severity = -1,
                                      .code = AMPEL_CODE_NONE};
    assert_true(ampel_batch_builder_push(bench->builder, seller, marketplace, &event));
    const struct ampel_batch_header header = {
        .producer = {"feed", 4}, .sequence = sequence, .sent_at_ms = sent_at_ms};
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_batch_encode(bench->builder, &header, false, &bytes, &size));
    return ampel_client_send(bench->client, bytes, size) == AMPEL_CLIENT_OK;
}

/* Takes what came; true where something did. */
static bool ack_take(struct bench *bench, uint32_t timeout_ms, uint8_t *acked,
                     uint32_t *acked_count, uint64_t *next) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_message message;
    struct ampel_error error = {0};
    if (ampel_client_receive(bench->client, timeout_ms, &bytes, &size) != AMPEL_CLIENT_OK)
        return false;
    assert_true(ampel_message_decode(bench->decoder, bytes, size, &message, &error));
    assert_int_equal(message.kind, AMPEL_MESSAGE_ACK);
    assert_int_equal(message.ack.accepted, 1);
    assert_true(message.ack.sequence < BATCHES);
    assert_int_equal(acked[message.ack.sequence], 0);
    acked[message.ack.sequence] = 1;
    (*acked_count)++;
    if (message.ack.next > *next) *next = message.ack.next;
    return true;
}

static void a_feeder_that_sends_at_its_credit_is_acked_to_the_last_batch(void **state) {
    struct bench *bench = *state;
    static uint8_t acked[BATCHES];
    uint32_t acked_count = 0;
    uint64_t sent = 0, next = 0;
    const int64_t start = now_ns(bench);
    while (acked_count < BATCHES && now_ns(bench) < start + PATIENCE_NS) {
        while (sent < BATCHES && sent < next + AMPEL_CREDIT && batch_send(bench, sent))
            sent++;
        keeper_turn(bench, sent == BATCHES || sent == next + AMPEL_CREDIT);
        while (ack_take(bench, 0, acked, &acked_count, &next)) {
        }
    }
    assert_int_equal(acked_count, BATCHES);
    print_message("%u batches of one event in %lld ms\n", BATCHES,
                  (long long)((now_ns(bench) - start) / 1000000));
}

static void a_lonely_batch_is_acked_each_time(void **state) {
    struct bench *bench = *state;
    static uint8_t acked[BATCHES];
    uint32_t acked_count = 0;
    uint64_t next = 0;
    for (uint64_t sequence = 0; sequence < 300; sequence++) {
        assert_true(batch_send(bench, sequence));
        const int64_t until = now_ns(bench) + PATIENCE_NS;
        while (acked_count <= sequence && now_ns(bench) < until) {
            keeper_turn(bench, true);
            (void)ack_take(bench, 1, acked, &acked_count, &next);
        }
        assert_int_equal(acked_count, sequence + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_feeder_that_sends_at_its_credit_is_acked_to_the_last_batch, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_lonely_batch_is_acked_each_time, bench_open, bench_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

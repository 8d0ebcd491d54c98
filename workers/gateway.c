#include "workers/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bundle.h"
#include "proto/message.h"
#include "proto/record.h"
#include "workers/acks.h"
#include "workers/gateway_producers.h"
#include "workers/gateway_tenants.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/rate.h"
#include "workers/replies.h"

/* What one turn takes at most, so that neither side waits long for the other. */
#define PARCELS_A_TURN  256
#define MESSAGES_A_TURN 64
/* How long the last answers may take to leave after STOP. */
#define STOP_PATIENCE_NS  INT64_C(2000000000)
#define REFUSED_BYTES_MAX 100

struct ampel_gateway {
    struct ampel_gateway_options options;
    struct ampel_gateway_producers *producers;
    struct ampel_batch_decoder *batch_decoder;
    struct ampel_message_decoder *message_decoder;
    struct ampel_record_builder *record_builder;
    struct ampel_replies replies;
    struct ampel_acks acks;
    bool bundle_open; /* and being worked through: no other message is taken before its end */
    struct ampel_received received;
    struct ampel_bundle bundle;
    int64_t received_ns; /* when what is worked through came: the clock is asked once for all of a bundle */
    int64_t acked_ns;    /* likewise of a turn's parcels */
    uint8_t *scratch; /* encoded answers */
    uint32_t scratch_size;
    uint32_t shards_known; /* WINDOWS so far */
    struct ampel_gateway_tenants tenants;
    struct ampel_parcel *held; /* found no room at the keeper */
    uint64_t inflight_bytes, inflight_count;
    bool stopping, stop_handed;
    bool failed; /* no memory where going on would lose something */
    int64_t stop_until_ns;
    struct ampel_rate malformed_rate;
};

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

static int64_t monotonic_ns(const struct ampel_gateway *gateway) {
    return gateway->options.clock.monotonic_ns(gateway->options.clock.context);
}

static bool started(const struct ampel_gateway *gateway) {
    return gateway->tenants.known && gateway->shards_known >= gateway->options.shards_count;
}

static void ready_tell(const struct ampel_gateway *gateway) {
    ampel_metric_set(AMPEL_METRIC_READY, started(gateway) && !gateway->stopping);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void message_send(struct ampel_gateway *gateway, const struct ampel_peer *peer,
                         const struct ampel_message *message, uint32_t bound, bool bundled) {
    if (bound > gateway->scratch_size) {
        uint8_t *larger = realloc(gateway->scratch, bound);
        if (larger == NULL) {
            /* The feeder hears nothing and asks again. */
            ampel_log(AMPEL_LOG_ERROR, "gateway", "no memory for an answer", "bytes", "%u", bound,
                      NULL);
            return;
        }
        gateway->scratch = larger;
        gateway->scratch_size = bound;
    }
    const uint32_t size = ampel_message_encode(message, gateway->scratch, gateway->scratch_size);
    AMPEL_ASSERT(size > 0);
    const struct ampel_network *network = &gateway->options.network;
    if (bundled && size <= AMPEL_ACKS_BYTES_MAX)
        ampel_acks_add(&gateway->acks, &gateway->replies, network, peer, gateway->scratch, size);
    else
        ampel_replies_send(&gateway->replies, network, peer, gateway->scratch, size);
}

static void back_send(struct ampel_gateway *gateway, const struct ampel_peer *peer,
                      const struct ampel_batch_header *header, enum ampel_back_reason reason,
                      uint32_t retry_ms, const char *text) {
    const struct ampel_message message = {
        .kind = AMPEL_MESSAGE_BACK,
        .back = {.producer = header->producer,
                 .sequence = header->sequence,
                 .reason = reason,
                 .retry_ms = retry_ms,
                 .text = text_of(text)},
    };
    ampel_metric_add(AMPEL_METRIC_BATCHES_BACK, 1);
    message_send(gateway, peer, &message, AMPEL_MESSAGE_BYTES_MAX, false);
}

static void ack_send(struct ampel_gateway *gateway, const struct ampel_peer *peer,
                     struct ampel_text producer, uint64_t sequence, uint64_t next, bool duplicate,
                     const struct ampel_gateway_waiting *waiting) {
    const struct ampel_message message = {
        .kind = AMPEL_MESSAGE_ACK,
        .ack = {.producer = producer,
                .sequence = sequence,
                .next = next,
                .accepted = waiting->accepted,
                .duplicate = duplicate,
                .refused_count = waiting->refused_count,
                .refused = waiting->refused},
    };
    message_send(gateway, peer, &message,
                 AMPEL_MESSAGE_BYTES_MAX + waiting->refused_count * REFUSED_BYTES_MAX,
                 waiting->bundled);
}

/* What cannot be read, and why; also in the log, as the feeder's people may not look at theirs. */
static void unreadable_send(struct ampel_gateway *gateway, const struct ampel_received *received,
                            const struct ampel_batch_header *header,
                            const struct ampel_error *error) {
    char text[sizeof(error->field) + sizeof(error->reason) + 4];
    (void)snprintf(text, sizeof(text), "%s%s%s", error->field, error->field[0] != '\0' ? ": " : "",
                   error->reason);
    /* `v` is the one field whose fault another worker might not find. */
    const bool version = strcmp(error->field, "v") == 0;
    uint64_t held;
    if (ampel_rate_pass(&gateway->malformed_rate, monotonic_ns(gateway), &held))
        ampel_log(AMPEL_LOG_WARN, "gateway", "a message cannot be read", "tenant", "%s",
                  received->tenant, "why", "%s", text, "more", "%llu", (unsigned long long)held,
                  NULL);
    back_send(gateway, &received->peer, header, version ? AMPEL_BACK_VERSION : AMPEL_BACK_MALFORMED,
              0, text);
}

/* ---- tenants -------------------------------------------------------------------------------- */

static void tenants_take(struct ampel_gateway *gateway, const struct ampel_parcel_tenants *parcel) {
    gateway->options.network_tenants(gateway->options.network.context, parcel);
    if (!ampel_gateway_tenants_set(&gateway->tenants, parcel))
        ampel_log(AMPEL_LOG_ERROR, "gateway", "no memory for the tenants: the old ones stay", NULL);
}

/* ---- windows of the start ------------------------------------------------------------------- */

static void windows_take(struct ampel_gateway *gateway, const struct ampel_parcel_windows *parcel) {
    for (uint32_t i = 0; i < parcel->windows_count; i++) {
        const struct ampel_known_window *window = &parcel->windows[i];
        const struct ampel_text tenant = text_of(window->tenant),
                                producer = text_of(window->producer);
        uint32_t index = ampel_gateway_producers_find(gateway->producers, tenant, producer);
        /* What was taken once is known for good, even where the bound is smaller today. */
        if (index == AMPEL_PRODUCER_NONE &&
            ampel_gateway_producers_claim(gateway->producers, tenant, producer, UINT32_MAX,
                                          window->seen_ms, &index) != AMPEL_CLAIM_OK) {
            gateway->failed = true;
            return;
        }
        struct ampel_gateway_producer *known =
            ampel_gateway_producers_at(gateway->producers, index);
        if (known->seen_ms < window->seen_ms) known->seen_ms = window->seen_ms;
        ampel_gateway_window_merge(&known->window, window->base, window->bits);
    }
    gateway->shards_known++;
    ampel_metric_set(AMPEL_METRIC_PRODUCERS, ampel_gateway_producers_count(gateway->producers));
    if (started(gateway))
        ampel_log(AMPEL_LOG_INFO, "gateway", "batches are taken", "producers", "%u",
                  ampel_gateway_producers_count(gateway->producers), NULL);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void duplicate_ack(struct ampel_gateway *gateway, const struct ampel_received *received,
                          const struct ampel_batch *batch,
                          const struct ampel_gateway_producer *producer) {
    struct ampel_gateway_waiting *told = ampel_gateway_waiting_make(&received->peer, batch);
    if (told == NULL) return; /* the feeder hears nothing and asks again */
    told->bundled = gateway->bundle_open;
    ampel_metric_add(AMPEL_METRIC_BATCHES_DUPLICATE, 1);
    ack_send(gateway, &received->peer, batch->header.producer, batch->header.sequence,
             producer->window.next, true, told);
    free(told);
}

/* Hands a record of the batch to the keeper, or holds it where that has no room: then nothing more
 * is read. */
static bool record_hand_over(struct ampel_gateway *gateway, const struct ampel_received *received,
                             const struct ampel_batch *batch, uint32_t index, int64_t stamp_ms) {
    struct ampel_gateway_producer *producer = ampel_gateway_producers_at(gateway->producers, index);
    const uint64_t sequence = batch->header.sequence;
    const struct ampel_text tenant = text_of(producer->tenant);
    uint32_t size;
    if (!ampel_record_plan_batch(gateway->record_builder, batch, tenant, &size)) return false;
    struct ampel_gateway_waiting *waiting = ampel_gateway_waiting_make(&received->peer, batch);
    struct ampel_parcel_record *record = ampel_parcel_record_make(size);
    if (waiting == NULL || record == NULL) {
        free(waiting);
        ampel_parcel_record_release(record);
        return false;
    }
    waiting->bundled = gateway->bundle_open;
    ampel_record_write_batch(gateway->record_builder, batch, tenant, stamp_ms, record->bytes, size);
    record->peer = received->peer;
    record->producer_index = index;
    record->sequence = sequence;
    record->received_monotonic_ns = gateway->received_ns;
    ampel_gateway_window_claim(&producer->window, sequence);
    AMPEL_ASSERT(producer->waiting[sequence % AMPEL_CREDIT] == NULL);
    producer->waiting[sequence % AMPEL_CREDIT] = waiting;
    producer->seen_ms = stamp_ms;
    gateway->inflight_bytes += size;
    gateway->inflight_count++;
    ampel_metric_set(AMPEL_METRIC_GATEWAY_INFLIGHT_BYTES, (int64_t)gateway->inflight_bytes);
    AMPEL_ASSERT(gateway->held == NULL);
    if (!ampel_queue_push(gateway->options.keeper, record)) gateway->held = &record->parcel;
    return true;
}

/* A batch that is new. What can change by tomorrow refuses it whole and leaves its sequence free.
   What needs a person comes with retry_ms 0: a feeder then says so and does not wait in silence. */
static void batch_admit(struct ampel_gateway *gateway, const struct ampel_received *received,
                        const struct ampel_batch *batch, uint32_t index) {
    const struct ampel_batch_header *header = &batch->header;
    const int64_t stamp_ms = gateway->options.clock.now_ms(gateway->options.clock.context);
    if (header->sent_at_ms > stamp_ms + AMPEL_SENT_AHEAD_MAX_MS) {
        back_send(gateway, &received->peer, header, AMPEL_BACK_CLOCK, 0,
                  "sent_at: more than a day ahead of the worker's clock");
        return;
    }
    if (header->sent_at_ms < stamp_ms - AMPEL_SENT_BEHIND_MAX_MS) {
        back_send(gateway, &received->peer, header, AMPEL_BACK_CLOCK, 0,
                  "sent_at: more than 29 days behind the worker's clock");
        return;
    }
    if (index == AMPEL_PRODUCER_NONE) {
        const enum ampel_claim_status status = ampel_gateway_producers_claim(
            gateway->producers, text_of(received->tenant), header->producer,
            gateway->options.producers_per_tenant_max, stamp_ms, &index);
        if (status != AMPEL_CLAIM_OK) {
            const bool full = status == AMPEL_CLAIM_FULL;
            back_send(gateway, &received->peer, header,
                      full ? AMPEL_BACK_PRODUCERS : AMPEL_BACK_BUSY, full ? 0 : 1000,
                      full ? "producer: the tenant has as many producers as it may have"
                           : "no memory");
            return;
        }
        ampel_metric_set(AMPEL_METRIC_PRODUCERS, ampel_gateway_producers_count(gateway->producers));
    }
    if (!record_hand_over(gateway, received, batch, index, stamp_ms))
        back_send(gateway, &received->peer, header, AMPEL_BACK_BUSY, 1000,
                  "no memory for the batch's record");
}

static void batch_judge(struct ampel_gateway *gateway, const struct ampel_received *received,
                        const struct ampel_batch *batch) {
    const struct ampel_batch_header *header = &batch->header;
    const uint32_t index = ampel_gateway_producers_find(
        gateway->producers, text_of(received->tenant), header->producer);
    struct ampel_gateway_window unknown;
    ampel_gateway_window_init(&unknown);
    struct ampel_gateway_producer *producer =
        index == AMPEL_PRODUCER_NONE ? NULL : ampel_gateway_producers_at(gateway->producers, index);
    const struct ampel_gateway_window *window = producer == NULL ? &unknown : &producer->window;
    switch (ampel_gateway_window_query(window, header->sequence)) {
    case AMPEL_SEQUENCE_DONE:
        duplicate_ack(gateway, received, batch, producer);
        break;
    case AMPEL_SEQUENCE_UNDERWAY:
        ampel_gateway_waiting_push(producer->waiting[header->sequence % AMPEL_CREDIT],
                                   &received->peer);
        break;
    case AMPEL_SEQUENCE_BEYOND: {
        char text[120];
        (void)snprintf(text, sizeof(text), "seq: lowest unacked is %llu, credit is %u",
                       (unsigned long long)window->next, (unsigned)AMPEL_CREDIT);
        back_send(gateway, &received->peer, header, AMPEL_BACK_CREDIT, 200, text);
        break;
    }
    case AMPEL_SEQUENCE_FREE:
        batch_admit(gateway, received, batch, index);
        break;
    }
}

/* What holds for every batch at this moment. */
static bool may_come_in(struct ampel_gateway *gateway, const struct ampel_received *received,
                        const struct ampel_batch_header *header) {
    if (gateway->stopping) {
        back_send(gateway, &received->peer, header, AMPEL_BACK_STOPPING, 1000,
                  "the worker is stopping");
        return false;
    }
    if (!started(gateway)) {
        back_send(gateway, &received->peer, header, AMPEL_BACK_STARTING, 500,
                  "partitions are still being recovered");
        return false;
    }
    if (!ampel_gateway_tenants_active(&gateway->tenants, received->tenant)) {
        back_send(gateway, &received->peer, header, AMPEL_BACK_TENANT, 0,
                  "the key's tenant is unknown or suspended");
        return false;
    }
    return true;
}

static void batch_take(struct ampel_gateway *gateway, const struct ampel_received *received) {
    struct ampel_batch batch = {0};
    struct ampel_error error = {0};
    const bool whole =
        ampel_batch_decode(gateway->batch_decoder, received->bytes, received->size, &batch, &error);
    if (received->size > gateway->options.message_bytes_max) {
        char text[120];
        (void)snprintf(text, sizeof(text), "%u bytes, at most %u are taken", received->size,
                       gateway->options.message_bytes_max);
        back_send(gateway, &received->peer, &batch.header, AMPEL_BACK_TOO_LARGE, 0, text);
    } else if (!whole && error.no_memory) {
        back_send(gateway, &received->peer, &batch.header, AMPEL_BACK_BUSY, 1000, "no memory for it");
    } else if (!whole) {
        unreadable_send(gateway, received, &batch.header, &error);
    } else if (may_come_in(gateway, received, &batch.header)) {
        batch_judge(gateway, received, &batch);
    }
}

static void hello_answer(struct ampel_gateway *gateway, const struct ampel_received *received,
                         struct ampel_text producer) {
    const struct ampel_batch_header header = {.producer = producer};
    struct ampel_error error = {0};
    if (!ampel_id_valid(producer, false)) {
        (void)ampel_error_set(&error, "producer", "1 to %d bytes of printable ASCII without spaces",
                              AMPEL_ID_BYTES_MAX);
        unreadable_send(gateway, received, &(struct ampel_batch_header){0}, &error);
        return;
    }
    if (!may_come_in(gateway, received, &header)) return;
    struct ampel_message message = {
        .kind = AMPEL_MESSAGE_WELCOME,
        .welcome = {.tenant = text_of(received->tenant),
                    .producer = producer,
                    .credit = AMPEL_CREDIT,
                    .now_ms = gateway->options.clock.now_ms(gateway->options.clock.context)},
    };
    const uint32_t index =
        ampel_gateway_producers_find(gateway->producers, text_of(received->tenant), producer);
    if (index != AMPEL_PRODUCER_NONE) {
        const struct ampel_gateway_producer *known =
            ampel_gateway_producers_at(gateway->producers, index);
        message.welcome.next = known->window.next;
        message.welcome.done_count =
            ampel_gateway_window_done(&known->window, message.welcome.done);
    }
    message_send(gateway, &received->peer, &message, AMPEL_MESSAGE_BYTES_MAX, false);
}

static void message_take(struct ampel_gateway *gateway, const struct ampel_received *received) {
    struct ampel_message message;
    struct ampel_error error = {0};
    const struct ampel_batch_header nobody = {0};
    if (received->size > gateway->options.message_bytes_max) {
        batch_take(gateway, received);
        return;
    }
    if (!ampel_message_decode(gateway->message_decoder, received->bytes, received->size, &message,
                              &error)) {
        unreadable_send(gateway, received, &nobody, &error);
        return;
    }
    switch (message.kind) {
    case AMPEL_MESSAGE_BATCH:
        batch_take(gateway, received);
        break;
    case AMPEL_MESSAGE_HELLO:
        hello_answer(gateway, received, message.hello.producer);
        break;
    case AMPEL_MESSAGE_WATCH:
        (void)ampel_error_set(&error, "m", "watch belongs to the watchers' endpoint");
        unreadable_send(gateway, received, &nobody, &error);
        break;
    default:
        (void)ampel_error_set(&error, "m", "a feeder sends hello and batches");
        unreadable_send(gateway, received, &nobody, &error);
        break;
    }
}

/* ---- bundles -------------------------------------------------------------------------------- */

static bool reads(const struct ampel_gateway *gateway) {
    return gateway->held == NULL && gateway->inflight_bytes < gateway->options.inflight_bytes_max;
}

static void bundle_end(struct ampel_gateway *gateway) {
    if (!gateway->bundle_open) return;
    gateway->options.network.release(gateway->options.network.context, &gateway->received);
    gateway->bundle_open = false;
}

static void bundle_broken(struct ampel_gateway *gateway, const struct ampel_error *error) {
    const struct ampel_batch_header nobody = {0};
    unreadable_send(gateway, &gateway->received, &nobody, error);
    bundle_end(gateway);
}

/* Works through the messages of the open bundle, as far as the keeper has room. */
static void bundle_work(struct ampel_gateway *gateway) {
    struct ampel_error error = {0};
    while (gateway->bundle_open && reads(gateway)) {
        struct ampel_received one = gateway->received;
        if (!ampel_bundle_next(&gateway->bundle, &one.bytes, &one.size, &error)) {
            bundle_broken(gateway, &error);
            return;
        }
        message_take(gateway, &one);
        if (gateway->bundle.left == 0) bundle_end(gateway);
    }
}

/* Takes what was received over. */
static void received_take(struct ampel_gateway *gateway, struct ampel_received *received) {
    struct ampel_error error = {0};
    gateway->received_ns = monotonic_ns(gateway);
    if (received->size > gateway->options.message_bytes_max ||
        !ampel_bundle_is(received->bytes, received->size)) {
        message_take(gateway, received);
        gateway->options.network.release(gateway->options.network.context, received);
        return;
    }
    gateway->received = *received;
    gateway->bundle_open = true;
    if (ampel_bundle_open(&gateway->bundle, received->bytes, received->size, &error))
        bundle_work(gateway);
    else
        bundle_broken(gateway, &error);
}

/* ---- what comes back ------------------------------------------------------------------------ */

/* A record is durable, or never will be: everybody who asked hears of it. */
static void record_take(struct ampel_gateway *gateway, struct ampel_parcel_record *record) {
    struct ampel_gateway_producer *producer =
        ampel_gateway_producers_at(gateway->producers, record->producer_index);
    const uint64_t slot = record->sequence % AMPEL_CREDIT;
    struct ampel_gateway_waiting *waiting = producer->waiting[slot];
    AMPEL_ASSERT(waiting != NULL);
    producer->waiting[slot] = NULL;
    ampel_gateway_window_release(&producer->window, record->sequence, !record->failed);
    const struct ampel_batch_header header = {.producer = text_of(producer->producer),
                                              .sequence = record->sequence};
    for (uint32_t i = 0; i < waiting->peers_count; i++) {
        if (record->failed)
            back_send(gateway, &waiting->peers[i], &header, AMPEL_BACK_LOG, 1000,
                      "the log cannot be written now");
        else
            ack_send(gateway, &waiting->peers[i], header.producer, record->sequence,
                     producer->window.next, false, waiting);
    }
    if (!record->failed) {
        ampel_metric_add(AMPEL_METRIC_BATCHES_TAKEN, 1);
        ampel_metric_add(AMPEL_METRIC_EVENTS_ACCEPTED, waiting->accepted);
        ampel_metric_add(AMPEL_METRIC_EVENTS_REFUSED, waiting->refused_count);
        ampel_metric_observe(AMPEL_METRIC_ACK_SECONDS,
                             gateway->acked_ns - record->received_monotonic_ns);
    }
    AMPEL_ASSERT(gateway->inflight_count > 0 && gateway->inflight_bytes >= record->size);
    gateway->inflight_bytes -= record->size;
    gateway->inflight_count--;
    ampel_metric_set(AMPEL_METRIC_GATEWAY_INFLIGHT_BYTES, (int64_t)gateway->inflight_bytes);
    free(waiting);
    ampel_parcel_record_release(record);
}

static void parcel_take(struct ampel_gateway *gateway, struct ampel_parcel *parcel) {
    switch (parcel->kind) {
    case AMPEL_PARCEL_RECORD:
        record_take(gateway, (struct ampel_parcel_record *)parcel);
        return;
    case AMPEL_PARCEL_WINDOWS:
        windows_take(gateway, (struct ampel_parcel_windows *)parcel);
        break;
    case AMPEL_PARCEL_TENANTS:
        tenants_take(gateway, (struct ampel_parcel_tenants *)parcel);
        break;
    case AMPEL_PARCEL_STOP:
        gateway->stopping = true;
        gateway->stop_until_ns = INT64_MAX;
        break;
    default:
        AMPEL_ASSERT(false);
    }
    ready_tell(gateway);
    ampel_parcel_free(parcel);
}

/* ---- the stage ------------------------------------------------------------------------------ */

/* Gives the keeper what it had no room for, and the STOP behind it. */
static void hand_on(struct ampel_gateway *gateway) {
    if (gateway->held != NULL) {
        if (!ampel_queue_push(gateway->options.keeper, gateway->held)) return;
        gateway->held = NULL;
    }
    if (!gateway->stopping || gateway->stop_handed) return;
    struct ampel_parcel *stop = calloc(1, sizeof(*stop));
    if (stop == NULL) {
        gateway->failed = true;
        return;
    }
    stop->kind = AMPEL_PARCEL_STOP;
    gateway->stop_handed = ampel_queue_push(gateway->options.keeper, stop);
    if (!gateway->stop_handed) free(stop);
}

/* After STOP: all that was taken is answered, as far as its peers still listen. */
static bool ended(struct ampel_gateway *gateway) {
    if (!gateway->stop_handed || gateway->inflight_count > 0 || gateway->bundle_open) return false;
    if (gateway->stop_until_ns == INT64_MAX)
        gateway->stop_until_ns = monotonic_ns(gateway) + STOP_PATIENCE_NS;
    return gateway->replies.count == 0 || monotonic_ns(gateway) >= gateway->stop_until_ns;
}

static enum ampel_turn turn(void *context, int64_t *wake_ns) {
    struct ampel_gateway *gateway = context;
    uint32_t parcels = 0, messages = 0;
    struct ampel_parcel *parcel;
    while (parcels < PARCELS_A_TURN && (parcel = ampel_queue_pop(gateway->options.in)) != NULL) {
        if (parcels == 0) gateway->acked_ns = monotonic_ns(gateway);
        parcel_take(gateway, parcel);
        parcels++;
    }
    hand_on(gateway);
    ampel_acks_flush(&gateway->acks, &gateway->replies, &gateway->options.network);
    (void)ampel_replies_flush(&gateway->replies, &gateway->options.network);
    /* Receiving is the last that is done with the network before the stage waits: its fd stirs only
     * for what came after. */
    struct ampel_received received;
    const struct ampel_network *network = &gateway->options.network;
    messages += gateway->bundle_open && reads(gateway);
    bundle_work(gateway);
    while (messages < MESSAGES_A_TURN && reads(gateway) &&
           network->receive(network->context, &received)) {
        received_take(gateway, &received);
        messages++;
    }
    if (gateway->failed) {
        ampel_log(AMPEL_LOG_ERROR, "gateway", "no memory", NULL);
        return AMPEL_TURN_FATAL;
    }
    if (ended(gateway)) return AMPEL_TURN_ENDED;
    *wake_ns = gateway->replies.count > 0 ? monotonic_ns(gateway) + gateway->replies.again_ns : INT64_MAX;
    return parcels > 0 || messages > 0 ? AMPEL_TURN_AGAIN : AMPEL_TURN_IDLE;
}

static uint32_t fds(void *context, int *out, uint32_t capacity) {
    struct ampel_gateway *gateway = context;
    AMPEL_ASSERT(capacity >= 2);
    out[0] = ampel_queue_fd(gateway->options.in);
    /* While nothing is read the network's fd stays readable, and the thread would spin. */
    if (!reads(gateway)) return 1;
    return 1 +
           gateway->options.network_fds(gateway->options.network.context, out + 1, capacity - 1);
}

bool ampel_gateway_open(const struct ampel_gateway_options *options, struct ampel_gateway **out) {
    struct ampel_gateway *gateway = calloc(1, sizeof(*gateway));
    if (gateway == NULL) return false;
    gateway->options = *options;
    if (gateway->options.message_bytes_max == 0)
        gateway->options.message_bytes_max = AMPEL_BATCH_BYTES_MAX;
    gateway->producers = ampel_gateway_producers_open();
    gateway->batch_decoder = ampel_batch_decoder_open();
    gateway->message_decoder = ampel_message_decoder_open();
    gateway->record_builder = ampel_record_builder_open(options->partitions);
    if (gateway->producers == NULL || gateway->batch_decoder == NULL ||
        gateway->message_decoder == NULL || gateway->record_builder == NULL) {
        ampel_gateway_close(gateway);
        return false;
    }
    ampel_queue_on_room(options->keeper, ampel_queue_fd(options->in));
    *out = gateway;
    return true;
}

void ampel_gateway_close(struct ampel_gateway *gateway) {
    if (gateway == NULL) return;
    ampel_metric_set(AMPEL_METRIC_READY, 0);
    bundle_end(gateway);
    ampel_parcel_free(gateway->held);
    ampel_replies_reset(&gateway->replies);
    if (gateway->producers != NULL) ampel_gateway_producers_close(gateway->producers);
    if (gateway->batch_decoder != NULL) ampel_batch_decoder_close(gateway->batch_decoder);
    if (gateway->message_decoder != NULL) ampel_message_decoder_close(gateway->message_decoder);
    if (gateway->record_builder != NULL) ampel_record_builder_close(gateway->record_builder);
    ampel_gateway_tenants_reset(&gateway->tenants);
    free(gateway->scratch);
    free(gateway);
}

struct ampel_stage ampel_gateway_stage(struct ampel_gateway *gateway) {
    return (struct ampel_stage){.name = "gateway", .context = gateway, .haste = AMPEL_HASTE_LIGHT, .turn = turn, .fds = fds};
}

#include "workers/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "workers/checkpoint.h"
#include "workers/deque.h"
#include "workers/folded.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/outbox.h"
#include "workers/publisher_streams.h"
#include "workers/publisher_watchers.h"
#include "workers/rate.h"
#include "workers/replies.h"
#include "workers/scribe.h"

#define PARCELS_A_TURN  256
#define MESSAGES_A_TURN 64
/* What is stored and still kept for watchers that are a little behind. */
#define KEPT_BYTES_MAX   (UINT64_C(32) << 20)
#define STOP_PATIENCE_NS INT64_C(2000000000)

/* What was told of one partition and is not stored, in the order of positions. The first of them are on their way to the database,
   and their checkpoints': what is not stored stays with its stream. The rest waits for the next checkpoint. */
struct partition {
    struct ampel_deque told;
    uint64_t flight_count;
};

struct ampel_publisher {
    struct ampel_publisher_options options;
    struct ampel_message_decoder *decoder;
    struct ampel_publisher_streams *streams;
    struct ampel_publisher_watchers *watchers;
    struct ampel_replies replies; /* to those who are no watchers */
    /* At most a checkpoint for each partition, and in the first an ASK for each watcher. */
    struct ampel_outbox scribes[AMPEL_SCRIBES_MAX];
    struct ampel_outbox
        early; /* OUTs and checkpoints that came before the numbers; its queue is never used */
    struct partition *partitions;
    struct ampel_shared_face *face;       /* that of the last OUT; NULL: none yet */
    struct ampel_parcel_tenants *tenants; /* the last; NULL: none yet, and no numbers */
    uint64_t epoch;
    uint32_t stops_count;
    bool failed;
    int64_t stop_until_ns;
    struct ampel_rate malformed_rate;
    uint8_t scratch[AMPEL_MESSAGE_BYTES_MAX];
};

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

static int64_t monotonic_ns(const struct ampel_publisher *publisher) {
    return publisher->options.clock.monotonic_ns(publisher->options.clock.context);
}

/* ---- what is told --------------------------------------------------------------------------- */

/* Gives one change its number and keeps it folded, for watchers and for its checkpoint: from now on it is told. False: no
   memory. */
static bool told_take(struct ampel_publisher *publisher, struct partition *partition, uint64_t position,
                      struct ampel_told *told) {
    uint32_t stream;
    if (!ampel_publisher_streams_claim(publisher->streams, told->tenant, told->stream, &stream))
        return false;
    told->number = ampel_publisher_streams_next(publisher->streams, stream);
    struct ampel_folded *folded = ampel_folded_make(told, position, publisher->face);
    if (folded == NULL) return false;
    if (!ampel_deque_push(&partition->told, folded)) {
        ampel_folded_release(folded);
        return false;
    }
    if (!ampel_publisher_streams_push(publisher->streams, stream, folded)) return false;
    ampel_metric_add(
        told->stream == AMPEL_STREAM_ALERTS ? AMPEL_METRIC_ALERTS : AMPEL_METRIC_SCORES, 1);
    return true;
}

/* The takers below own what they are given from the call on; false: no memory. */

static bool push_or_free(struct ampel_outbox *outbox, struct ampel_parcel *parcel) {
    if (ampel_outbox_push(outbox, parcel)) return true;
    ampel_parcel_free(parcel);
    return false;
}

/* What was told is sent, and waits folded for its checkpoint. */
static bool out_take(struct ampel_publisher *publisher, struct ampel_parcel_out *out) {
    AMPEL_ASSERT(out->partition < publisher->options.partitions);
    struct partition *partition = &publisher->partitions[out->partition];
    bool fine = ampel_shared_face_renew(&publisher->face, &out->rules);
    for (uint32_t i = 0; i < out->told_count && fine; i++)
        fine = told_take(publisher, partition, out->position, &out->told[i]);
    ampel_parcel_out_free(out);
    return fine;
}

/* What was told of records before the checkpoint's position goes with it; frames went on while it was made, and what they
   told waits for the next one. Its numbers are stored when the position is. */
static bool told_depart(struct partition *partition, struct ampel_checkpoint *checkpoint) {
    const uint64_t waiting = ampel_deque_count(&partition->told) - partition->flight_count;
    uint64_t count = 0;
    while (count < waiting && ampel_folded_position(ampel_deque_at(&partition->told, partition->flight_count + count)) <
                                  checkpoint->position_new)
        count++;
    if (count == 0) return true;
    checkpoint->folded = malloc(count * sizeof(checkpoint->folded[0]));
    if (checkpoint->folded == NULL) return false;
    for (; checkpoint->folded_count < count; checkpoint->folded_count++)
        checkpoint->folded[checkpoint->folded_count] = ampel_deque_at(&partition->told, partition->flight_count++);
    return true;
}

/* The checkpoint goes on with everything that was told since the last one of its partition. */
static bool checkpoint_take(struct ampel_publisher *publisher,
                            struct ampel_checkpoint *checkpoint) {
    AMPEL_ASSERT(checkpoint->partition < publisher->options.partitions);
    struct partition *partition = &publisher->partitions[checkpoint->partition];
    checkpoint->stream_epoch = publisher->epoch;
    const struct ampel_publisher_options *options = &publisher->options;
    const uint32_t scribe = ampel_scribe_of(checkpoint->partition, options->shards_count, options->scribes_count);
    if (told_depart(partition, checkpoint)) return push_or_free(&publisher->scribes[scribe], &checkpoint->parcel);
    ampel_checkpoint_free(checkpoint);
    return false;
}

static void committed_take(struct ampel_publisher *publisher,
                           const struct ampel_parcel_committed *committed) {
    if (committed->fenced) return;
    AMPEL_ASSERT(committed->partition < publisher->options.partitions);
    struct partition *partition = &publisher->partitions[committed->partition];
    while (partition->flight_count > 0 &&
           ampel_folded_position(ampel_deque_at(&partition->told, 0)) < committed->position) {
        const struct ampel_folded *stored = ampel_deque_pop(&partition->told);
        partition->flight_count--;
        ampel_publisher_streams_stored(publisher->streams, ampel_folded_place(stored), ampel_folded_number(stored));
    }
}

/* ---- tenants -------------------------------------------------------------------------------- */

static bool tenant_active(const void *context, const char *tenant) {
    const struct ampel_parcel_tenants *tenants = context;
    for (uint32_t i = 0; i < tenants->keys_count; i++)
        if (!tenants->keys[i].suspended && strcmp(tenants->keys[i].tenant, tenant) == 0)
            return true;
    return false;
}

static bool out_or_checkpoint_take(struct ampel_publisher *publisher, struct ampel_parcel *parcel) {
    return parcel->kind == AMPEL_PARCEL_OUT
               ? out_take(publisher, (struct ampel_parcel_out *)parcel)
               : checkpoint_take(publisher, (struct ampel_checkpoint *)parcel);
}

/* The first ones bring the epoch and where the streams stand. Takes the parcel. */
static bool tenants_take(struct ampel_publisher *publisher, struct ampel_parcel_tenants *tenants) {
    const bool first = publisher->tenants == NULL;
    ampel_parcel_tenants_free(publisher->tenants);
    publisher->tenants = tenants;
    publisher->options.network_tenants(publisher->options.network.context, tenants);
    ampel_publisher_watchers_evict(publisher->watchers, tenant_active, tenants);
    if (!first) return true;
    publisher->epoch = tenants->epoch;
    for (uint32_t i = 0; i < tenants->numbers_count; i++) {
        const struct ampel_stream_number *number = &tenants->numbers[i];
        uint32_t stream;
        if (!ampel_publisher_streams_claim(publisher->streams, text_of(number->tenant),
                                           number->stream, &stream))
            return false;
        ampel_publisher_streams_start(publisher->streams, stream, number->next);
    }
    bool taken = true;
    for (uint32_t i = 0; i < publisher->early.count; i++) {
        struct ampel_parcel *parcel =
            publisher->early.parcels[(publisher->early.first + i) % publisher->early.capacity];
        if (taken)
            taken = out_or_checkpoint_take(publisher, parcel);
        else
            ampel_parcel_free(parcel);
    }
    publisher->early.count = 0;
    return taken;
}

/* The last shard's goes on to each scribe. */
static bool stop_take(struct ampel_publisher *publisher, struct ampel_parcel *stop) {
    const bool last = ++publisher->stops_count == publisher->options.shards_count;
    bool taken = true;
    for (uint32_t i = 0; last && taken && i < publisher->options.scribes_count; i++) {
        struct ampel_parcel *one = malloc(sizeof(*one));
        taken = one != NULL;
        if (!taken) break;
        *one = *stop;
        taken = push_or_free(&publisher->scribes[i], one);
    }
    ampel_parcel_free(stop);
    return taken;
}

static void parcel_take(struct ampel_publisher *publisher, struct ampel_parcel *parcel) {
    bool taken = true;
    switch (parcel->kind) {
    case AMPEL_PARCEL_OUT:
    case AMPEL_PARCEL_CHECKPOINT:
        taken = publisher->tenants == NULL ? push_or_free(&publisher->early, parcel)
                                           : out_or_checkpoint_take(publisher, parcel);
        break;
    case AMPEL_PARCEL_COMMITTED:
        committed_take(publisher, (struct ampel_parcel_committed *)parcel);
        ampel_parcel_free(parcel);
        break;
    case AMPEL_PARCEL_ANSWER:
        ampel_publisher_watchers_answer(publisher->watchers, (struct ampel_parcel_answer *)parcel,
                                        monotonic_ns(publisher));
        break;
    case AMPEL_PARCEL_TENANTS:
        taken = tenants_take(publisher, (struct ampel_parcel_tenants *)parcel);
        break;
    case AMPEL_PARCEL_STOP:
        taken = stop_take(publisher, parcel);
        break;
    default:
        AMPEL_ASSERT(false);
    }
    if (!taken) publisher->failed = true;
}

/* ---- what peers say ------------------------------------------------------------------------- */

static void back_send(struct ampel_publisher *publisher, const struct ampel_peer *peer,
                      enum ampel_back_reason reason, uint32_t retry_ms, const char *text) {
    const struct ampel_message message = {
        .kind = AMPEL_MESSAGE_BACK,
        .back = {.reason = reason, .retry_ms = retry_ms, .text = text_of(text)},
    };
    const uint32_t size =
        ampel_message_encode(&message, publisher->scratch, sizeof(publisher->scratch));
    AMPEL_ASSERT(size > 0);
    ampel_replies_send(&publisher->replies, &publisher->options.network, peer, publisher->scratch,
                       size);
}

static void unreadable_send(struct ampel_publisher *publisher,
                            const struct ampel_received *received,
                            const struct ampel_error *error) {
    char text[sizeof(error->field) + sizeof(error->reason) + 4];
    (void)snprintf(text, sizeof(text), "%s%s%s", error->field, error->field[0] != '\0' ? ": " : "",
                   error->reason);
    uint64_t held;
    if (ampel_rate_pass(&publisher->malformed_rate, monotonic_ns(publisher), &held))
        ampel_log(AMPEL_LOG_WARN, "publisher", "a message cannot be read", "tenant", "%s",
                  received->tenant, "why", "%s", text, "more", "%llu", (unsigned long long)held,
                  NULL);
    const bool version = strcmp(error->field, "v") == 0;
    back_send(publisher, &received->peer, version ? AMPEL_BACK_VERSION : AMPEL_BACK_MALFORMED, 0,
              text);
}

static void watch_take(struct ampel_publisher *publisher, const struct ampel_received *received,
                       const struct ampel_message_watch *watch) {
    if (publisher->tenants == NULL) {
        back_send(publisher, &received->peer, AMPEL_BACK_STARTING, 500,
                  "the streams are not known yet");
        return;
    }
    if (received->tenant[0] == '\0' || !tenant_active(publisher->tenants, received->tenant)) {
        back_send(publisher, &received->peer, AMPEL_BACK_TENANT, 0,
                  "the key's tenant is unknown or suspended");
        return;
    }
    uint32_t stream;
    if (!ampel_publisher_streams_claim(publisher->streams, text_of(received->tenant), watch->stream,
                                       &stream) ||
        !ampel_publisher_watchers_push(publisher->watchers, &received->peer, stream, watch->from,
                                       publisher->epoch, monotonic_ns(publisher)))
        back_send(publisher, &received->peer, AMPEL_BACK_BUSY, 5000,
                  "there are as many watchers as may be");
}

static void message_take(struct ampel_publisher *publisher, const struct ampel_received *received) {
    struct ampel_message message;
    struct ampel_error error = {0};
    if (!ampel_message_decode(publisher->decoder, received->bytes, received->size, &message,
                              &error)) {
        unreadable_send(publisher, received, &error);
    } else if (message.kind == AMPEL_MESSAGE_WATCH) {
        watch_take(publisher, received, &message.watch);
    } else {
        (void)ampel_error_set(&error, "m", "%s",
                              message.kind == AMPEL_MESSAGE_BATCH ||
                                      message.kind == AMPEL_MESSAGE_HELLO
                                  ? "hello and batches belong to the feeders' endpoint"
                                  : "a watcher sends watch");
        unreadable_send(publisher, received, &error);
    }
}

/* ---- the stage ------------------------------------------------------------------------------ */

/* After the last STOP: the scribes have all, and who reads has been sent what was told. */
static bool ended(struct ampel_publisher *publisher, bool behind) {
    if (publisher->stops_count < publisher->options.shards_count) return false;
    for (uint32_t i = 0; i < publisher->options.scribes_count; i++) {
        if (publisher->scribes[i].count > 0) return false;
    }
    if (publisher->stop_until_ns == 0)
        publisher->stop_until_ns = monotonic_ns(publisher) + STOP_PATIENCE_NS;
    return !behind || monotonic_ns(publisher) >= publisher->stop_until_ns;
}

static enum ampel_turn no_memory(void) {
    ampel_log(AMPEL_LOG_ERROR, "publisher", "no memory", NULL);
    return AMPEL_TURN_FATAL;
}

static enum ampel_turn turn(void *context, int64_t *wake_ns) {
    struct ampel_publisher *publisher = context;
    uint32_t parcels = 0, messages = 0;
    struct ampel_parcel *parcel;
    while (parcels < PARCELS_A_TURN && !publisher->failed && (parcel = ampel_queue_pop(publisher->options.in)) != NULL) {
        parcel_take(publisher, parcel);
        parcels++;
    }
    /* Nothing that came behind what is missing may leave. */
    if (publisher->failed) return no_memory();
    const struct ampel_pumped pumped = ampel_publisher_watchers_pump(
        publisher->watchers, monotonic_ns(publisher),
        publisher->options.clock.now_ms(publisher->options.clock.context), &publisher->scribes[0]);
    for (uint32_t i = 0; i < publisher->options.scribes_count; i++)
        (void)ampel_outbox_flush(&publisher->scribes[i]);
    (void)ampel_replies_flush(&publisher->replies, &publisher->options.network);
    ampel_metric_set(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES,
                     (int64_t)ampel_publisher_streams_unstored_bytes(publisher->streams));
    /* Receiving is the last that is done with the network before the stage waits: its fd stirs only
     * for what came after. */
    struct ampel_received received;
    const struct ampel_network *network = &publisher->options.network;
    while (messages < MESSAGES_A_TURN && network->receive(network->context, &received)) {
        message_take(publisher, &received);
        network->release(network->context, &received);
        messages++;
    }
    if (publisher->failed) return no_memory();
    if (ended(publisher, pumped.behind)) return AMPEL_TURN_ENDED;
    *wake_ns = pumped.wake_ns;
    const int64_t again_ns = monotonic_ns(publisher) + publisher->replies.again_ns;
    if (publisher->replies.count > 0 && again_ns < *wake_ns) *wake_ns = again_ns;
    return parcels > 0 || messages > 0 || pumped.more ? AMPEL_TURN_AGAIN : AMPEL_TURN_IDLE;
}

static uint32_t fds(void *context, int *out, uint32_t capacity) {
    struct ampel_publisher *publisher = context;
    AMPEL_ASSERT(capacity >= 2);
    out[0] = ampel_queue_fd(publisher->options.in);
    return 1 + publisher->options.network_fds(publisher->options.network.context, out + 1,
                                              capacity - 1);
}

bool ampel_publisher_open(const struct ampel_publisher_options *options,
                          struct ampel_publisher **out) {
    struct ampel_publisher *publisher = calloc(1, sizeof(*publisher));
    if (publisher == NULL) return false;
    publisher->options = *options;
    AMPEL_ASSERT(options->scribes_count >= 1 && options->scribes_count <= AMPEL_SCRIBES_MAX);
    for (uint32_t i = 0; i < options->scribes_count; i++)
        publisher->scribes[i].queue = options->scribes[i];
    publisher->decoder = ampel_message_decoder_open();
    publisher->streams = ampel_publisher_streams_open(KEPT_BYTES_MAX);
    publisher->partitions = calloc(options->partitions, sizeof(*publisher->partitions));
    if (publisher->streams != NULL)
        publisher->watchers = ampel_publisher_watchers_open(publisher->streams, &options->network);
    if (publisher->decoder == NULL || publisher->streams == NULL || publisher->partitions == NULL ||
        publisher->watchers == NULL) {
        ampel_publisher_close(publisher);
        return false;
    }
    for (uint32_t i = 0; i < options->scribes_count; i++)
        ampel_queue_on_room(options->scribes[i], ampel_queue_fd(options->in));
    *out = publisher;
    return true;
}

void ampel_publisher_close(struct ampel_publisher *publisher) {
    if (publisher == NULL) return;
    for (uint32_t i = 0; i < AMPEL_SCRIBES_MAX; i++)
        ampel_outbox_reset(&publisher->scribes[i]);
    ampel_outbox_reset(&publisher->early);
    ampel_replies_reset(&publisher->replies);
    for (uint32_t i = 0; publisher->partitions != NULL && i < publisher->options.partitions; i++) {
        struct partition *partition = &publisher->partitions[i];
        for (uint64_t k = partition->flight_count; k < ampel_deque_count(&partition->told); k++)
            ampel_folded_release(ampel_deque_at(&partition->told, k));
        ampel_deque_reset(&partition->told);
    }
    free(publisher->partitions);
    ampel_shared_face_release(publisher->face);
    ampel_publisher_watchers_close(publisher->watchers);
    ampel_publisher_streams_close(publisher->streams);
    if (publisher->decoder != NULL) ampel_message_decoder_close(publisher->decoder);
    ampel_parcel_tenants_free(publisher->tenants);
    free(publisher);
}

struct ampel_stage ampel_publisher_stage(struct ampel_publisher *publisher) {
    return (struct ampel_stage){
        .name = "publisher", .context = publisher, .haste = AMPEL_HASTE_LIGHT, .beside_shards = true, .turn = turn, .fds = fds};
}

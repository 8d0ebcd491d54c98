#include "tests/oracle/feeder.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    uint8_t *bytes;
    uint32_t size;
    bool sent, acked;
    bool ever_sent, ever_acked; /* the truth, whatever the feeder's process has forgotten */
    int64_t not_before_ms, sent_ms;
};

struct ampel_feeder {
    struct ampel_loopback *network;
    char tenant[AMPEL_ID_BYTES_MAX + 1], producer[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_message_decoder *decoder;
    uint32_t peer;
    bool connected_once, welcomed;
    uint64_t next; /* what the worker said is done below */
    uint64_t kept_count, acked_count, refused_count, duplicates_count;
    struct kept *kept; /* by sequence */
    uint64_t backs[AMPEL_BACKS_COUNT];
    int64_t patience_ms;
};

struct ampel_feeder *ampel_feeder_open(struct ampel_loopback *network, const char *tenant,
                                       const char *producer) {
    struct ampel_feeder *feeder = calloc(1, sizeof(*feeder));
    AMPEL_ASSERT(feeder != NULL);
    feeder->network = network;
    feeder->patience_ms = INT64_MAX;
    AMPEL_ASSERT(strlen(tenant) <= AMPEL_ID_BYTES_MAX && strlen(producer) <= AMPEL_ID_BYTES_MAX);
    memcpy(feeder->tenant, tenant, strlen(tenant) + 1);
    memcpy(feeder->producer, producer, strlen(producer) + 1);
    feeder->decoder = ampel_message_decoder_open();
    AMPEL_ASSERT(feeder->decoder != NULL);
    return feeder;
}

void ampel_feeder_close(struct ampel_feeder *feeder) {
    if (feeder == NULL) return;
    for (uint64_t i = 0; i < feeder->kept_count; i++)
        free(feeder->kept[i].bytes);
    free(feeder->kept);
    ampel_message_decoder_close(feeder->decoder);
    free(feeder);
}

static struct ampel_text producer_of(const struct ampel_feeder *feeder) {
    return (struct ampel_text){feeder->producer, (uint32_t)strlen(feeder->producer)};
}

uint64_t ampel_feeder_add(struct ampel_feeder *feeder, struct ampel_batch_builder *builder,
                          int64_t sent_at_ms, bool backfill) {
    uint64_t sequence = feeder->kept_count;
    struct ampel_batch_header header = {.producer = producer_of(feeder),
                                        .sequence = sequence,
                                        .sent_at_ms = sent_at_ms,
                                        .backfill = backfill};
    const uint8_t *bytes;
    uint32_t size;
    AMPEL_ASSERT(ampel_batch_encode(builder, &header, sequence % 2 == 1, &bytes, &size));
    if ((sequence & (sequence - 1)) == 0) {
        struct kept *grown =
            realloc(feeder->kept, (sequence == 0 ? 1 : sequence * 2) * sizeof(grown[0]));
        AMPEL_ASSERT(grown != NULL);
        feeder->kept = grown;
    }
    struct kept *kept = &feeder->kept[feeder->kept_count++];
    *kept = (struct kept){.bytes = malloc(size), .size = size};
    AMPEL_ASSERT(kept->bytes != NULL);
    memcpy(kept->bytes, bytes, size);
    ampel_batch_builder_reset(builder);
    return sequence;
}

/* ---- the connection ------------------------------------------------------------------------- */

static void connect_anew(struct ampel_feeder *feeder) {
    feeder->peer = ampel_loopback_connect(feeder->network, feeder->tenant);
    feeder->connected_once = true;
    feeder->welcomed = false;
    for (uint64_t i = 0; i < feeder->kept_count; i++)
        feeder->kept[i].sent = false;
    struct ampel_message hello = {.kind = AMPEL_MESSAGE_HELLO, .hello = {producer_of(feeder)}};
    uint8_t bytes[1024];
    uint32_t size = ampel_message_encode(&hello, bytes, sizeof(bytes));
    AMPEL_ASSERT(size > 0);
    (void)ampel_loopback_say(feeder->network, feeder->peer, bytes, size);
}

static struct kept *kept_of(struct ampel_feeder *feeder, uint64_t sequence) {
    AMPEL_ASSERT(sequence < feeder->kept_count);
    return &feeder->kept[sequence];
}

static void take_ack(struct ampel_feeder *feeder, const struct ampel_message_ack *ack) {
    struct kept *kept = kept_of(feeder, ack->sequence);
    feeder->next = ack->next;
    if (ack->duplicate) feeder->duplicates_count++;
    if (kept->acked) return;
    kept->acked = true;
    feeder->acked_count++;
    if (!kept->ever_acked) feeder->refused_count += ack->refused_count;
    kept->ever_acked = true;
}

static void take_back(struct ampel_feeder *feeder, const struct ampel_message_back *back,
                      int64_t now_ms) {
    feeder->backs[back->reason]++;
    if (back->retry_ms == 0) return; /* it stays open for ever, and the feeder is never done */
    if (back->sequence >= feeder->kept_count) return; /* a hello that came too early */
    struct kept *kept = kept_of(feeder, back->sequence);
    kept->sent = false;
    kept->not_before_ms = now_ms + back->retry_ms;
}

static void take_message(struct ampel_feeder *feeder, const uint8_t *bytes, uint32_t size,
                         int64_t now_ms) {
    struct ampel_message message;
    struct ampel_error error = {0};
    AMPEL_ASSERT(ampel_message_decode(feeder->decoder, bytes, size, &message, &error));
    switch (message.kind) {
    case AMPEL_MESSAGE_WELCOME:
        feeder->welcomed = true;
        feeder->next = message.welcome.next;
        return;
    case AMPEL_MESSAGE_ACK:
        take_ack(feeder, &message.ack);
        return;
    case AMPEL_MESSAGE_BACK:
        take_back(feeder, &message.back, now_ms);
        return;
    default:
        AMPEL_ASSERT(false); /* a message that is not for feeders */
    }
}

/* The lowest sequence without an ack. */
static uint64_t lowest_open(const struct ampel_feeder *feeder) {
    uint64_t sequence = 0;
    while (sequence < feeder->kept_count && feeder->kept[sequence].acked)
        sequence++;
    return sequence;
}

void ampel_feeder_pump(struct ampel_feeder *feeder, int64_t now_ms) {
    const uint8_t *bytes;
    uint32_t size;
    while (feeder->connected_once &&
           ampel_loopback_hear(feeder->network, feeder->peer, &bytes, &size))
        take_message(feeder, bytes, size, now_ms);
    if (!feeder->connected_once || !ampel_loopback_connected(feeder->network, feeder->peer))
        connect_anew(feeder);
    uint64_t first = lowest_open(feeder);
    for (uint64_t i = first; i < feeder->kept_count && i < first + AMPEL_CREDIT; i++) {
        struct kept *kept = &feeder->kept[i];
        bool waits = kept->sent && now_ms - kept->sent_ms < feeder->patience_ms;
        if (waits || kept->acked || kept->not_before_ms > now_ms) continue;
        kept->sent = ampel_loopback_say(feeder->network, feeder->peer, kept->bytes, kept->size);
        kept->sent_ms = now_ms;
        kept->ever_sent = true;
    }
}

void ampel_feeder_resend(struct ampel_feeder *feeder, uint64_t sequence) {
    struct kept *kept = kept_of(feeder, sequence);
    if (!feeder->connected_once) return;
    kept->ever_sent = true;
    (void)ampel_loopback_say(feeder->network, feeder->peer, kept->bytes, kept->size);
}

void ampel_feeder_resend_elsewhere(struct ampel_feeder *feeder, uint64_t sequence) {
    const struct kept *kept = kept_of(feeder, sequence);
    if (!kept->ever_sent) return;
    uint32_t peer = ampel_loopback_connect(feeder->network, feeder->tenant);
    (void)ampel_loopback_say(feeder->network, peer, kept->bytes, kept->size);
}

void ampel_feeder_restart(struct ampel_feeder *feeder) {
    feeder->connected_once = false;
    feeder->acked_count = 0;
    for (uint64_t i = 0; i < feeder->kept_count; i++)
        feeder->kept[i].sent = feeder->kept[i].acked = false;
}

void ampel_feeder_patience(struct ampel_feeder *feeder, int64_t patience_ms) {
    feeder->patience_ms = patience_ms;
}

/* ---- how it stands -------------------------------------------------------------------------- */

bool ampel_feeder_done(const struct ampel_feeder *feeder) {
    return feeder->acked_count == feeder->kept_count;
}
uint64_t ampel_feeder_count(const struct ampel_feeder *feeder) {
    return feeder->kept_count;
}
bool ampel_feeder_is_acked(const struct ampel_feeder *feeder, uint64_t sequence) {
    return sequence < feeder->kept_count && feeder->kept[sequence].ever_acked;
}
bool ampel_feeder_was_sent(const struct ampel_feeder *feeder, uint64_t sequence) {
    return sequence < feeder->kept_count && feeder->kept[sequence].ever_sent;
}
uint64_t ampel_feeder_acked(const struct ampel_feeder *feeder) {
    return feeder->acked_count;
}
uint64_t ampel_feeder_refused(const struct ampel_feeder *feeder) {
    return feeder->refused_count;
}
uint64_t ampel_feeder_duplicates(const struct ampel_feeder *feeder) {
    return feeder->duplicates_count;
}
uint64_t ampel_feeder_backs(const struct ampel_feeder *feeder, enum ampel_back_reason reason) {
    return feeder->backs[reason];
}
uint64_t ampel_feeder_next(const struct ampel_feeder *feeder) {
    return feeder->next;
}

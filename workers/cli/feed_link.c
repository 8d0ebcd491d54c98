#include "workers/cli/feed_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bundle.h"
#include "proto/text.h"
#include "workers/client_zmq.h"
#include "workers/clock.h"

/* Bytes that may wait for their acks: a bound for memory, far more than a round trip needs. */
#define WAITING_BYTES_MAX (UINT64_C(64) << 20)
/* Without any word for so long, what waits is sent again; twice as long each time. */
#define RESEND_NS INT64_C(2000000000)
#define RESEND_MAX_NS INT64_C(30000000000)
#define RECEIVE_MS 50
/* New batches go in bundles of about this size while more are coming; a larger batch goes alone. */
#define BUNDLE_BYTES (UINT32_C(64) << 10)

enum slot_state { SLOT_FREE, SLOT_NEW, SLOT_SENT };

struct slot {
    enum slot_state state;
    uint64_t sequence;
    uint32_t size;
    uint8_t *bytes;
    int64_t not_before_ns; /* the worker asked for a pause */
};

struct ampel_feed_link {
    struct ampel_client *client;
    struct ampel_message_decoder *decoder;
    struct ampel_clock clock;
    struct ampel_system_clock clock_state;
    ampel_feed_sink sink;
    void *context;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    char producer[AMPEL_ID_BYTES_MAX + 1]; /* of the last push; another one is greeted anew */
    bool welcome;
    uint64_t next;         /* the worker's: everything below is durable */
    uint32_t credit;
    struct slot slots[AMPEL_CREDIT];
    uint32_t waiting_count;
    uint64_t waiting_bytes;
    uint32_t new_count; /* slots that are NEW */
    uint64_t new_bytes; /* in them */
    uint8_t bundle[AMPEL_BUNDLE_HEAD_BYTES + BUNDLE_BYTES];
    int64_t heard_ns;      /* the last word from the worker */
    int64_t resend_at_ns, resend_pause_ns;
    int64_t patience_ns;
};

static int64_t now_ns(const struct ampel_feed_link *link) {
    return link->clock.monotonic_ns(link->clock.context);
}

static bool trouble(const struct ampel_feed_link *link, const char *sentence) {
    fprintf(stderr, "ampel feed: tenant %s: %s\n", link->tenant, sentence);
    return false;
}

bool ampel_feed_link_open(const char *endpoint, const char *key_path, const char *tenant,
                          int64_t patience_ms, ampel_feed_sink sink, void *context,
                          struct ampel_feed_link **out) {
    struct ampel_keyfile keys;
    struct ampel_error error = {0};
    if (!ampel_keyfile_read(key_path, true, &keys, &error)) {
        fprintf(stderr, "ampel feed: tenant %s: %s\n", tenant, error.reason);
        return false;
    }
    struct ampel_feed_link *link = calloc(1, sizeof *link);
    AMPEL_ASSERT(link != NULL);
    snprintf(link->tenant, sizeof link->tenant, "%s", tenant);
    link->sink = sink;
    link->context = context;
    link->patience_ns = patience_ms * 1000000;
    ampel_clock_system(&link->clock_state, INT64_MIN, 1, &link->clock);
    link->decoder = ampel_message_decoder_open();
    AMPEL_ASSERT(link->decoder != NULL);
    if (!ampel_client_open(endpoint, &keys, &link->client, &error)) {
        trouble(link, error.reason);
        ampel_feed_link_close(link);
        return false;
    }
    *out = link;
    return true;
}

void ampel_feed_link_close(struct ampel_feed_link *link) {
    if (link == NULL) return;
    if (link->client != NULL) ampel_client_close(link->client);
    ampel_message_decoder_close(link->decoder);
    for (uint32_t i = 0; i < AMPEL_CREDIT; i++) free(link->slots[i].bytes);
    free(link);
}

uint32_t ampel_feed_link_waiting(const struct ampel_feed_link *link) { return link->waiting_count; }

static bool hello_send(struct ampel_feed_link *link) {
    uint8_t bytes[256];
    struct ampel_message message = {.kind = AMPEL_MESSAGE_HELLO,
                                    .hello = {.producer = ampel_text_of(link->producer)}};
    uint32_t size = ampel_message_encode(&message, bytes, sizeof bytes);
    AMPEL_ASSERT(size > 0);
    enum ampel_client_status status = ampel_client_send(link->client, bytes, size);
    return status != AMPEL_CLIENT_FAILED || trouble(link, ampel_client_trouble(link->client));
}

static struct slot *slot_of(struct ampel_feed_link *link, uint64_t sequence) {
    struct slot *slot = &link->slots[sequence % AMPEL_CREDIT];
    return slot->state != SLOT_FREE && slot->sequence == sequence ? slot : NULL;
}

static void slot_set(struct ampel_feed_link *link, struct slot *slot, enum slot_state state) {
    if (slot->state == SLOT_NEW) {
        link->new_count--;
        link->new_bytes -= slot->size;
    }
    slot->state = state;
    if (state == SLOT_NEW) {
        link->new_count++;
        link->new_bytes += slot->size;
    }
}

/* Whether the slot may be sent now. A sequence below next is durable already: it is sent all the same, its verdicts are wanted. */
static bool slot_ready(const struct ampel_feed_link *link, const struct slot *slot, int64_t now) {
    return slot->state == SLOT_NEW && slot->not_before_ns <= now &&
           slot->sequence < link->next + link->credit;
}

static struct slot *slot_at(struct ampel_feed_link *link, uint32_t index) {
    return &link->slots[(link->next + index) % AMPEL_CREDIT];
}

/* Copies what is ready from *index on into the bundle, as far as it fits, and passes over it; how many bytes, and batches. */
static uint32_t bundle_fill(struct ampel_feed_link *link, int64_t now, uint32_t *index, uint32_t *count) {
    uint32_t size = 0;
    for (*count = 0; *index < AMPEL_CREDIT; ++*index) {
        const struct slot *slot = slot_at(link, *index);
        if (!slot_ready(link, slot, now)) continue;
        if (slot->size > BUNDLE_BYTES - size) break;
        memcpy(link->bundle + AMPEL_BUNDLE_HEAD_BYTES + size, slot->bytes, slot->size);
        size += slot->size;
        ++*count;
    }
    return size;
}

/* Sends what is new and allowed, in order of sequences as far as slots tell, small batches together. */
static bool slots_send(struct ampel_feed_link *link) {
    if (!link->welcome || link->new_count == 0) return true;
    int64_t now = now_ns(link);
    for (uint32_t from = 0; from < AMPEL_CREDIT && link->new_count > 0;) {
        struct slot *slot = slot_at(link, from);
        if (!slot_ready(link, slot, now)) {
            from++;
            continue;
        }
        uint32_t to = from, count;
        uint32_t size = bundle_fill(link, now, &to, &count);
        enum ampel_client_status status;
        if (count > 1) {
            ampel_bundle_head(count, link->bundle);
            status = ampel_client_send(link->client, link->bundle, AMPEL_BUNDLE_HEAD_BYTES + size);
        } else {
            to = from + 1;
            status = ampel_client_send(link->client, slot->bytes, slot->size);
        }
        if (status == AMPEL_CLIENT_FULL) return true;
        if (status == AMPEL_CLIENT_FAILED) return trouble(link, ampel_client_trouble(link->client));
        for (; from < to; from++)
            if (slot_ready(link, slot_at(link, from), now)) slot_set(link, slot_at(link, from), SLOT_SENT);
    }
    return true;
}

static void slots_renew(struct ampel_feed_link *link) {
    for (uint32_t i = 0; i < AMPEL_CREDIT; i++)
        if (link->slots[i].state == SLOT_SENT) slot_set(link, &link->slots[i], SLOT_NEW);
}

static void ack_take(struct ampel_feed_link *link, const struct ampel_message_ack *ack) {
    if (ack->next > link->next) link->next = ack->next;
    struct slot *slot = slot_of(link, ack->sequence);
    if (slot == NULL) return; /* the answer to a batch sent twice */
    const struct ampel_feed_answer answer = {
        .tenant = ampel_text_of(link->tenant),
        .sequence = ack->sequence,
        .bytes = slot->bytes,
        .size = slot->size,
        .accepted = ack->accepted,
        .duplicate = ack->duplicate,
        .refused_count = ack->refused_count,
        .refused = ack->refused,
    };
    link->sink(link->context, &answer);
    link->waiting_count--;
    link->waiting_bytes -= slot->size;
    free(slot->bytes);
    slot_set(link, slot, SLOT_FREE);
    *slot = (struct slot){.state = SLOT_FREE};
}

/* False where the batch will never be taken. */
static bool back_take(struct ampel_feed_link *link, const struct ampel_message_back *back) {
    struct slot *slot = slot_of(link, back->sequence);
    if (back->retry_ms == 0 && back->reason != AMPEL_BACK_CREDIT) {
        fprintf(stderr, "ampel feed: tenant %s: the worker does not take batch %llu: %s (%.*s)\n",
                link->tenant, (unsigned long long)back->sequence, ampel_back_name(back->reason),
                (int)back->text.size, back->text.bytes);
        if (back->reason == AMPEL_BACK_CLOCK)
            fprintf(stderr, "  its sent_at is no longer near the worker's time; to send the events anew, "
                            "give another --producer and --state\n");
        return false;
    }
    if (slot == NULL) return true;
    slot_set(link, slot, SLOT_NEW);
    slot->not_before_ns = now_ns(link) + (int64_t)back->retry_ms * 1000000;
    /* Beyond the credit: ask where the worker stands. */
    return back->reason != AMPEL_BACK_CREDIT || hello_send(link);
}

static bool message_take(struct ampel_feed_link *link, const uint8_t *bytes, uint32_t size) {
    struct ampel_message message;
    struct ampel_error error = {0};
    if (!ampel_message_decode(link->decoder, bytes, size, &message, &error))
        return trouble(link, error.reason);
    switch (message.kind) {
    case AMPEL_MESSAGE_WELCOME:
        link->welcome = true;
        link->next = message.welcome.next;
        link->credit = message.welcome.credit < AMPEL_CREDIT ? message.welcome.credit : AMPEL_CREDIT;
        return true;
    case AMPEL_MESSAGE_ACK:
        ack_take(link, &message.ack);
        return true;
    case AMPEL_MESSAGE_BACK:
        return back_take(link, &message.back);
    default:
        return true; /* beats, and what later versions may add */
    }
}

/* One message, or a bundle of them. */
static bool received_take(struct ampel_feed_link *link, const uint8_t *bytes, uint32_t size) {
    struct ampel_error error = {0};
    link->heard_ns = now_ns(link);
    link->resend_pause_ns = RESEND_NS;
    link->resend_at_ns = link->heard_ns + link->resend_pause_ns;
    if (!ampel_bundle_is(bytes, size)) return message_take(link, bytes, size);
    struct ampel_bundle bundle;
    if (!ampel_bundle_open(&bundle, bytes, size, &error)) return trouble(link, error.reason);
    while (bundle.left > 0) {
        if (!ampel_bundle_next(&bundle, &bytes, &size, &error)) return trouble(link, error.reason);
        if (!message_take(link, bytes, size)) return false;
    }
    return true;
}

/* One round: send, receive what waits (for at most wait_ms), send again what seems lost. */
static bool link_turn(struct ampel_feed_link *link, uint32_t wait_ms) {
    if (!slots_send(link)) return false;
    for (;;) {
        const uint8_t *bytes;
        uint32_t size;
        enum ampel_client_status status =
            ampel_client_receive(link->client, wait_ms, &bytes, &size);
        if (status == AMPEL_CLIENT_FAILED) return trouble(link, ampel_client_trouble(link->client));
        if (status == AMPEL_CLIENT_REFUSED) {
            link->resend_at_ns = now_ns(link); /* what was sent is gone */
            break;
        }
        if (status == AMPEL_CLIENT_NOTHING) break;
        if (!received_take(link, bytes, size)) return false;
        wait_ms = 0;
    }
    int64_t now = now_ns(link);
    if (now - link->heard_ns > link->patience_ns) {
        const char *sentence = ampel_client_trouble(link->client);
        return trouble(link, sentence[0] != 0 ? sentence : "the worker does not answer");
    }
    if (now < link->resend_at_ns) return true;
    link->resend_pause_ns = link->resend_pause_ns * 2 < RESEND_MAX_NS ? link->resend_pause_ns * 2 : RESEND_MAX_NS;
    link->resend_at_ns = now + link->resend_pause_ns;
    slots_renew(link);
    return hello_send(link);
}

static bool greet(struct ampel_feed_link *link, struct ampel_text producer) {
    AMPEL_ASSERT(producer.size <= AMPEL_ID_BYTES_MAX);
    memcpy(link->producer, producer.bytes, producer.size);
    link->producer[producer.size] = 0;
    link->welcome = false;
    link->heard_ns = now_ns(link);
    link->resend_pause_ns = RESEND_NS / 8;
    link->resend_at_ns = link->heard_ns + link->resend_pause_ns;
    if (!hello_send(link)) return false;
    while (!link->welcome)
        if (!link_turn(link, RECEIVE_MS)) return false;
    return true;
}

bool ampel_feed_link_push(struct ampel_feed_link *link, const uint8_t *bytes, uint32_t size,
                          const struct ampel_batch_header *header, bool more) {
    if (!ampel_text_is(header->producer, link->producer)) {
        if (!ampel_feed_link_drain(link) || !greet(link, header->producer)) return false;
    }
    struct slot *slot = &link->slots[header->sequence % AMPEL_CREDIT];
    if (link->waiting_count == 0) link->heard_ns = now_ns(link);
    if (link->waiting_count == 0 && header->sequence >= link->next + link->credit) {
        fprintf(stderr,
                "ampel feed: tenant %s: batch %llu of producer %s cannot follow: the worker waits for %llu\n",
                link->tenant, (unsigned long long)header->sequence, link->producer,
                (unsigned long long)link->next);
        return false;
    }
    while (slot->state != SLOT_FREE || link->waiting_bytes > WAITING_BYTES_MAX)
        if (!link_turn(link, RECEIVE_MS)) return false;
    uint8_t *copy = malloc(size);
    AMPEL_ASSERT(copy != NULL);
    memcpy(copy, bytes, size);
    *slot = (struct slot){.state = SLOT_FREE, .sequence = header->sequence, .size = size, .bytes = copy};
    slot_set(link, slot, SLOT_NEW);
    link->waiting_count++;
    link->waiting_bytes += size;
    return (more && link->new_bytes < BUNDLE_BYTES) || link_turn(link, 0);
}

bool ampel_feed_link_send(struct ampel_feed_link *link) {
    return link->new_count == 0 || link_turn(link, 0);
}

bool ampel_feed_link_drain(struct ampel_feed_link *link) {
    if (link->waiting_count > 0) link->heard_ns = now_ns(link);
    while (link->waiting_count > 0)
        if (!link_turn(link, RECEIVE_MS)) return false;
    return true;
}

#include "workers/cli/feed_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

/* Without any word for so long, what waits is sent again; twice as long each time. */
#define RESEND_NS INT64_C(2000000000)
#define RESEND_MAX_NS INT64_C(30000000000)
/* A hello costs nothing, and may have come before the worker was ready. */
#define HELLO_AGAIN_NS (RESEND_NS / 8)

enum slot_state { SLOT_FREE, SLOT_NEW, SLOT_SENT };

struct slot {
    enum slot_state state;
    struct ampel_feed_parcel *parcel;
    int64_t not_before_ns; /* the worker asked for a pause */
};

struct ampel_feed_link {
    struct ampel_feed_shared *shared;
    struct ampel_client *client; /* NULL: not connected */
    struct ampel_keyfile keys;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    const char *producer;  /* who was greeted; another one is greeted when nothing of this one is under way */
    bool welcome;
    bool connected;        /* at the last look */
    char *refusal;         /* what was said of the key, where the last connection ended so; else NULL */
    uint64_t next;         /* the worker's: everything below is durable */
    uint32_t credit;
    /* In their order: behind what is in the slots. */
    struct ampel_feed_parcel *queue_first, *queue_last;
    struct slot *slots;    /* AMPEL_CREDIT of them; NULL until the first welcome */
    uint32_t slots_used;
    uint32_t waiting_count; /* in queue and slots */
    uint64_t waiting_bytes; /* likewise */
    uint32_t new_count;    /* slots that are NEW */
    uint64_t new_bytes;    /* in them */
    int64_t heard_ns;      /* the last word from the worker, or since when one is waited for */
    int64_t resend_at_ns, resend_pause_ns;
};

static void refusal_set(struct ampel_feed_link *link, const char *sentence) {
    free(link->refusal);
    link->refusal = sentence != NULL ? strdup(sentence) : NULL;
    AMPEL_ASSERT(sentence == NULL || link->refusal != NULL);
}

static int64_t now_ns(const struct ampel_feed_link *link) {
    return link->shared->clock.monotonic_ns(link->shared->clock.context);
}

static bool trouble(const struct ampel_feed_link *link, const char *sentence) {
    fprintf(stderr, "ampel feed: tenant %s: %s\n", link->tenant, sentence);
    return false;
}

bool ampel_feed_link_open(struct ampel_feed_shared *shared, const char *key_path, const char *tenant,
                          struct ampel_feed_link **out) {
    struct ampel_feed_link *link = calloc(1, sizeof *link);
    AMPEL_ASSERT(link != NULL);
    struct ampel_error error = {0};
    link->shared = shared;
    snprintf(link->tenant, sizeof link->tenant, "%s", tenant);
    if (!ampel_keyfile_read(key_path, true, &link->keys, &error)) {
        trouble(link, error.reason);
        free(link);
        return false;
    }
    *out = link;
    return true;
}

void ampel_feed_link_disconnect(struct ampel_feed_link *link) {
    ampel_client_close(link->client);
    link->client = NULL;
    link->welcome = false;
}

static void parcel_release(void *bytes, void *hint) {
    (void)bytes;
    struct ampel_feed_parcel *parcel = hint;
    if (atomic_fetch_sub_explicit(&parcel->holders, 1, memory_order_acq_rel) == 1) free(parcel);
}

static void parcel_free(struct ampel_feed_link *link, struct ampel_feed_parcel *parcel) {
    link->waiting_count--;
    link->waiting_bytes -= parcel->size;
    link->shared->bytes -= parcel->size;
    parcel_release(parcel->bytes, parcel);
}

static enum ampel_client_status parcel_send(struct ampel_feed_link *link, struct ampel_feed_parcel *parcel) {
    atomic_fetch_add_explicit(&parcel->holders, 1, memory_order_relaxed);
    return ampel_client_lend(link->client, parcel->bytes, parcel->size, parcel_release, parcel);
}

void ampel_feed_link_drop(struct ampel_feed_link *link) {
    ampel_feed_link_disconnect(link);
    for (uint32_t i = 0; link->slots != NULL && i < AMPEL_CREDIT; i++)
        if (link->slots[i].state != SLOT_FREE) parcel_free(link, link->slots[i].parcel);
    free(link->slots);
    link->slots = NULL;
    link->slots_used = link->new_count = 0;
    link->new_bytes = 0;
    while (link->queue_first != NULL) {
        struct ampel_feed_parcel *parcel = link->queue_first;
        link->queue_first = parcel->next;
        parcel_free(link, parcel);
    }
}

void ampel_feed_link_close(struct ampel_feed_link *link) {
    if (link == NULL) return;
    ampel_feed_link_drop(link);
    free(link->refusal);
    free(link);
}

const struct ampel_client *ampel_feed_link_client(const struct ampel_feed_link *link) { return link->client; }
uint32_t ampel_feed_link_waiting(const struct ampel_feed_link *link) { return link->waiting_count; }
uint64_t ampel_feed_link_waiting_bytes(const struct ampel_feed_link *link) { return link->waiting_bytes; }
bool ampel_feed_link_welcome(const struct ampel_feed_link *link) { return link->welcome; }
uint64_t ampel_feed_link_new_bytes(const struct ampel_feed_link *link) { return link->new_bytes; }

bool ampel_feed_link_full(const struct ampel_feed_link *link) {
    return link->welcome && link->queue_first != NULL;
}

void ampel_feed_link_away(struct ampel_feed_link *link, int64_t away_ns) { link->heard_ns += away_ns; }

/* ---- greeting -------------------------------------------------------------------------------- */

static bool hello_send(struct ampel_feed_link *link) {
    uint8_t bytes[256];
    struct ampel_message message = {.kind = AMPEL_MESSAGE_HELLO,
                                    .hello = {.producer = ampel_text_of(link->producer)}};
    uint32_t size = ampel_message_encode(&message, bytes, sizeof bytes);
    AMPEL_ASSERT(size > 0);
    enum ampel_client_status status = ampel_client_send(link->client, bytes, size);
    return status != AMPEL_CLIENT_FAILED || trouble(link, ampel_client_trouble(link->client));
}

static bool greet(struct ampel_feed_link *link, const char *producer, int64_t again_ns) {
    link->producer = producer;
    link->welcome = false;
    link->resend_pause_ns = again_ns;
    link->resend_at_ns = now_ns(link) + again_ns;
    return hello_send(link);
}

static void slot_set(struct ampel_feed_link *link, struct slot *slot, enum slot_state state) {
    if (slot->state == SLOT_NEW) {
        link->new_count--;
        link->new_bytes -= slot->parcel->size;
    }
    slot->state = state;
    if (state == SLOT_NEW) {
        link->new_count++;
        link->new_bytes += slot->parcel->size;
    }
}

static void slots_renew(struct ampel_feed_link *link) {
    for (uint32_t i = 0; link->slots_used > 0 && i < AMPEL_CREDIT; i++)
        if (link->slots[i].state == SLOT_SENT) slot_set(link, &link->slots[i], SLOT_NEW);
}

bool ampel_feed_link_connect(struct ampel_feed_link *link) {
    struct ampel_error error = {0};
    AMPEL_ASSERT(link->client == NULL && link->waiting_count > 0);
    if (!ampel_client_open(link->shared->clients, link->shared->endpoint, &link->keys, &link->client, &error))
        return trouble(link, error.reason);
    /* A key that was refused is tried again, but its time goes on. */
    if (link->refusal == NULL) link->heard_ns = now_ns(link);
    link->connected = false;
    slots_renew(link);
    return greet(link, link->slots_used > 0 ? link->producer : link->queue_first->producer, RESEND_NS);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Free and within the credit, and the parcel's producer was greeted; else NULL. */
static struct slot *slot_for(struct ampel_feed_link *link, const struct ampel_feed_parcel *parcel) {
    if (!link->welcome || parcel->producer != link->producer) return NULL;
    struct slot *slot = &link->slots[parcel->sequence % AMPEL_CREDIT];
    if (slot->state != SLOT_FREE) return NULL;
    return link->slots_used > 0 || parcel->sequence < link->next + link->credit ? slot : NULL;
}

static void slot_fill(struct ampel_feed_link *link, struct slot *slot, struct ampel_feed_parcel *parcel) {
    *slot = (struct slot){.state = SLOT_FREE, .parcel = parcel};
    slot_set(link, slot, SLOT_NEW);
    link->slots_used++;
}

void ampel_feed_link_push(struct ampel_feed_link *link, struct ampel_feed_parcel *parcel) {
    if (link->waiting_count++ == 0) {
        refusal_set(link, NULL);
        link->heard_ns = now_ns(link);
    }
    link->waiting_bytes += parcel->size;
    link->shared->bytes += parcel->size;
    parcel->next = NULL;
    struct slot *slot = link->queue_first == NULL ? slot_for(link, parcel) : NULL;
    if (slot != NULL) {
        slot_fill(link, slot, parcel);
        return;
    }
    if (link->queue_first == NULL)
        link->queue_first = parcel;
    else
        link->queue_last->next = parcel;
    link->queue_last = parcel;
}

static bool cannot_follow(const struct ampel_feed_link *link, const struct ampel_feed_parcel *parcel) {
    fprintf(stderr,
            "ampel feed: tenant %s: batch %llu of producer %s cannot follow: the worker waits for %llu\n",
            link->tenant, (unsigned long long)parcel->sequence, link->producer,
            (unsigned long long)link->next);
    return false;
}

/* Moves what waits into the slots, as far as they are free and the producer is the one that was greeted. */
static bool queue_take(struct ampel_feed_link *link) {
    while (link->queue_first != NULL) {
        struct ampel_feed_parcel *parcel = link->queue_first;
        if (parcel->producer != link->producer)
            return link->slots_used > 0 || greet(link, parcel->producer, HELLO_AGAIN_NS);
        struct slot *slot = slot_for(link, parcel);
        if (slot == NULL) return !link->welcome || link->slots_used > 0 || cannot_follow(link, parcel);
        link->queue_first = parcel->next;
        slot_fill(link, slot, parcel);
    }
    return true;
}

/* Whether the slot may be sent now. A sequence below next is durable already: it is sent all the same, its verdicts are wanted. */
static bool slot_ready(const struct ampel_feed_link *link, const struct slot *slot, int64_t now) {
    return slot->state == SLOT_NEW && slot->not_before_ns <= now &&
           slot->parcel->sequence < link->next + link->credit;
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
        const struct ampel_feed_parcel *parcel = slot->parcel;
        if (parcel->size > AMPEL_FEED_BUNDLE_BYTES - size) break;
        memcpy(link->shared->bundle + AMPEL_BUNDLE_HEAD_BYTES + size, parcel->bytes, parcel->size);
        size += parcel->size;
        ++*count;
    }
    return size;
}

/* Sends what is new and allowed, in order of sequences as far as slots tell, small batches together. */
static bool slots_send(struct ampel_feed_link *link) {
    if (!link->welcome || link->new_count == 0) return true;
    uint8_t *const bundle = link->shared->bundle;
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
            ampel_bundle_head(count, bundle);
            status = ampel_client_send(link->client, bundle, AMPEL_BUNDLE_HEAD_BYTES + size);
        } else {
            to = from + 1;
            status = parcel_send(link, slot->parcel);
        }
        if (status == AMPEL_CLIENT_FULL) return true;
        if (status == AMPEL_CLIENT_FAILED) return trouble(link, ampel_client_trouble(link->client));
        for (; from < to; from++)
            if (slot_ready(link, slot_at(link, from), now)) slot_set(link, slot_at(link, from), SLOT_SENT);
    }
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static struct slot *slot_of(struct ampel_feed_link *link, uint64_t sequence) {
    if (link->slots == NULL) return NULL;
    struct slot *slot = &link->slots[sequence % AMPEL_CREDIT];
    return slot->state != SLOT_FREE && slot->parcel->sequence == sequence ? slot : NULL;
}

static void welcome_take(struct ampel_feed_link *link, const struct ampel_message_welcome *welcome) {
    if (!ampel_text_is(welcome->producer, link->producer)) return; /* who was greeted before */
    if (link->slots == NULL) link->slots = calloc(AMPEL_CREDIT, sizeof *link->slots);
    AMPEL_ASSERT(link->slots != NULL);
    link->welcome = true;
    refusal_set(link, NULL);
    link->next = welcome->next;
    link->credit = welcome->credit < AMPEL_CREDIT ? welcome->credit : AMPEL_CREDIT;
}

static void ack_take(struct ampel_feed_link *link, const struct ampel_message_ack *ack) {
    if (!ampel_text_is(ack->producer, link->producer)) return;
    if (ack->next > link->next) link->next = ack->next;
    struct slot *slot = slot_of(link, ack->sequence);
    if (slot == NULL) return; /* the answer to a batch sent twice */
    const struct ampel_feed_answer answer = {
        .tenant = ampel_text_of(link->tenant),
        .sequence = ack->sequence,
        .bytes = slot->parcel->bytes,
        .size = slot->parcel->size,
        .accepted = ack->accepted,
        .duplicate = ack->duplicate,
        .refused_count = ack->refused_count,
        .refused = ack->refused,
    };
    link->shared->sink(link->shared->sink_context, &answer);
    slot_set(link, slot, SLOT_FREE);
    link->slots_used--;
    parcel_free(link, slot->parcel);
    slot->parcel = NULL;
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
    if (!ampel_message_decode(link->shared->decoder, bytes, size, &message, &error))
        return trouble(link, error.reason);
    switch (message.kind) {
    case AMPEL_MESSAGE_WELCOME:
        welcome_take(link, &message.welcome);
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
    link->heard_ns = link->shared->heard_ns = now_ns(link);
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

/* ---- a round --------------------------------------------------------------------------------- */

static bool patience_over(const struct ampel_feed_link *link, int64_t now) {
    return link->waiting_count > 0 && now - link->heard_ns > link->shared->patience_ns;
}

/* The worker is there where it refused the key before: then it is this tenant's trouble. */
static enum ampel_feed_turn silence_tell(const struct ampel_feed_link *link) {
    const char *sentence = link->refusal != NULL ? link->refusal : ampel_client_trouble(link->client);
    trouble(link, sentence[0] != 0 ? sentence : "the worker does not answer");
    return link->refusal != NULL ? AMPEL_FEED_FAILED : AMPEL_FEED_SILENT;
}

static enum ampel_feed_turn refusal_take(struct ampel_feed_link *link) {
    refusal_set(link, ampel_client_trouble(link->client));
    if (patience_over(link, now_ns(link))) return silence_tell(link);
    ampel_feed_link_disconnect(link);
    return AMPEL_FEED_REFUSED;
}

/* Takes what came until nothing does; *came: something did. */
static enum ampel_feed_turn messages_take(struct ampel_feed_link *link, bool *came) {
    for (*came = false;; *came = true) {
        const uint8_t *bytes;
        uint32_t size;
        switch (ampel_client_receive(link->client, 0, &bytes, &size)) {
        case AMPEL_CLIENT_NOTHING:
            return AMPEL_FEED_GOOD;
        case AMPEL_CLIENT_REFUSED:
            return refusal_take(link);
        case AMPEL_CLIENT_OK:
            if (!received_take(link, bytes, size)) return AMPEL_FEED_FAILED;
            break;
        default:
            trouble(link, ampel_client_trouble(link->client));
            return AMPEL_FEED_FAILED;
        }
    }
}

/* A connection that came, or came back: what was sent through another one may be lost. */
static void connection_look(struct ampel_feed_link *link, int64_t now) {
    const bool connected = ampel_client_trouble(link->client)[0] == '\0';
    if (connected && !link->connected) link->resend_at_ns = link->welcome ? now : now + HELLO_AGAIN_NS;
    link->connected = connected;
}

static bool resend(struct ampel_feed_link *link, int64_t now) {
    link->resend_pause_ns = link->resend_pause_ns * 2 < RESEND_MAX_NS ? link->resend_pause_ns * 2 : RESEND_MAX_NS;
    link->resend_at_ns = now + link->resend_pause_ns;
    slots_renew(link);
    return hello_send(link);
}

enum ampel_feed_turn ampel_feed_link_turn(struct ampel_feed_link *link) {
    bool came, more;
    do {
        if (!queue_take(link) || !slots_send(link)) return AMPEL_FEED_FAILED;
        const enum ampel_feed_turn turn = messages_take(link, &came);
        if (turn != AMPEL_FEED_GOOD) return turn;
        more = link->queue_first != NULL || link->new_count > 0;
    } while (came && more);
    if (link->waiting_count == 0) return AMPEL_FEED_GOOD;
    const int64_t now = now_ns(link);
    connection_look(link, now);
    if (patience_over(link, now)) return silence_tell(link);
    return now < link->resend_at_ns || resend(link, now) ? AMPEL_FEED_GOOD : AMPEL_FEED_FAILED;
}

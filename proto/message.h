/* Messages besides batches between a feeder or watcher and the worker: each is one msgpack map with a key "m" that names
   it. proto/WIRE.md is the contract. Decoders walk bounds first and trust nothing; encoders write into the caller's
   bytes and return the size, or 0 when capacity does not suffice. Texts in decoded structs are borrowed.

   feeder → worker   hello {v, m:"hello", producer}            → worker answers welcome
                     batch (proto/batch.h; "m" absent)         → worker answers ack, once it is durable
   worker → feeder   welcome {v, m:"welcome", tenant, producer, next, credit, done:[...], now}
                       every sequence below next is done; done lists those at or above it that are, too;
                       the feeder may send sequences below next + credit
                     ack {v, m:"ack", producer, seq, accepted, duplicate, next, refused:[[index, verdict, field]...]}
                     back {v, m:"back", producer, seq, reason, text, retry_ms}
                       the whole batch was not taken and its sequence not used: reason is one of AMPEL_BACKS;
                       retry_ms 0: do not resend unchanged
   watcher → worker  watch {v, m:"watch", stream:"alerts"|"scores", from}      from 0: only what comes
   worker → watcher  watching {v, m:"watching", tenant, stream, epoch, next, since}   next: the number of the next live one;
                       since: the first number of this epoch, 0 where an older worker does not say. What was told before under
                       that number or a higher one was never stored and is told again, by the same id
                     change {v, m:"change", stream, epoch, number, ...}        see struct below
                     beat {v, m:"beat", now}                                   every 10 s where nothing else came
*/
#ifndef AMPEL_PROTO_MESSAGE_H
#define AMPEL_PROTO_MESSAGE_H

#include "engine/engine.h"
#include "proto/batch.h"
#include "proto/error.h"
#include "proto/hash.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of all messages; batches have a newer one besides (proto/batch.h). */
#define AMPEL_WIRE_VERSION 1

enum ampel_message_kind {
    AMPEL_MESSAGE_BATCH,
    AMPEL_MESSAGE_HELLO,
    AMPEL_MESSAGE_WELCOME,
    AMPEL_MESSAGE_ACK,
    AMPEL_MESSAGE_BACK,
    AMPEL_MESSAGE_WATCH,
    AMPEL_MESSAGE_WATCHING,
    AMPEL_MESSAGE_CHANGE,
    AMPEL_MESSAGE_BEAT,
};

/* Why a whole batch goes back. Codes travel by name. */
#define AMPEL_BACKS(X)                                                                             \
    X(MALFORMED, malformed)       /* cannot be read: error says where; do not resend */            \
    X(VERSION, version)           /* a wire version this worker does not know */                   \
    X(TOO_LARGE, too_large)                                                                        \
    X(CREDIT, credit)             /* sequence at or beyond next + credit */                        \
    X(CLOCK, clock)               /* sent_at more than a day ahead or 29 days behind */            \
    X(BUSY, busy)                 /* queues are full: the database or disk is slow */              \
    X(STARTING, starting)         /* partitions are still being recovered */                       \
    X(STOPPING, stopping)                                                                          \
    X(PRODUCERS, producers)       /* the tenant has as many producers as it may have */            \
    X(QUOTA, quota)                                                                                \
    X(LOG, log)                   /* the journal cannot be written, e.g. disk full */              \
    X(TENANT, tenant)             /* the key's tenant is unknown or suspended */

enum ampel_back_reason {
#define X(upper, lower) AMPEL_BACK_##upper,
    AMPEL_BACKS(X)
#undef X
        AMPEL_BACKS_COUNT
};
const char *ampel_back_name(enum ampel_back_reason reason);

enum ampel_stream { AMPEL_STREAM_ALERTS = 0, AMPEL_STREAM_SCORES = 1 };

struct ampel_message_hello { struct ampel_text producer; };

struct ampel_message_welcome {
    struct ampel_text tenant, producer;
    uint64_t next;
    uint32_t credit;
    int64_t now_ms;
    uint32_t done_count;             /* <= AMPEL_CREDIT */
    uint64_t done[AMPEL_CREDIT];
};

struct ampel_message_ack {
    struct ampel_text producer;
    uint64_t sequence, next;
    uint32_t accepted;
    bool duplicate;                  /* it was durable before; verdicts are told again */
    uint32_t refused_count;
    const struct ampel_batch_refused *refused; /* decoded: the decoder's memory, field copied into a pool */
};

struct ampel_message_back {
    struct ampel_text producer, text;
    uint64_t sequence;
    enum ampel_back_reason reason;
    uint32_t retry_ms;
};

struct ampel_message_watch { enum ampel_stream stream; uint64_t from; };
struct ampel_message_watching { struct ampel_text tenant; enum ampel_stream stream; uint64_t epoch, next, since; };
struct ampel_message_beat { int64_t now_ms; };

/* The stream on which changes of a kind go out. */
enum ampel_stream ampel_change_stream(uint8_t kind);

/* One change as it goes out, is stored and is printed: alert kinds on the stream alerts, SCORE on scores. */
struct ampel_message_change {
    enum ampel_stream stream;
    uint64_t epoch, number;
    char id[AMPEL_CHANGE_ID_SIZE];
    struct ampel_text tenant, seller, marketplace;
    struct ampel_change change;      /* slot and position are not sent */
    struct ampel_text cap_group;     /* its name where change.cap_group is one */
    struct ampel_text rules_version;
    uint32_t caps_count;             /* cap groups of the rules, with names */
    struct ampel_text caps_names[AMPEL_CAP_GROUPS_MAX];
    struct ampel_signal signals[AMPEL_KINDS_MAX]; /* change.signals_count of them */
};
/* What TAKEOVER_* names; signals as long as the call. */
void ampel_message_signals_set(struct ampel_message_change *message, const struct ampel_signal *signals);

/* Memory of a decoder, reused; one a thread. */
struct ampel_message_decoder;
struct ampel_message_decoder *ampel_message_decoder_open(void);
void ampel_message_decoder_close(struct ampel_message_decoder *decoder);

struct ampel_message {
    enum ampel_message_kind kind;    /* BATCH: nothing else is filled, give the bytes to ampel_batch_decode */
    union {
        struct ampel_message_hello hello;
        struct ampel_message_welcome welcome;
        struct ampel_message_ack ack;
        struct ampel_message_back back;
        struct ampel_message_watch watch;
        struct ampel_message_watching watching;
        struct ampel_message_change change;
        struct ampel_message_beat beat;
    };
};
AMPEL_MUST_CHECK bool ampel_message_decode(struct ampel_message_decoder *decoder, const uint8_t *bytes,
                                           uint32_t size, struct ampel_message *out,
                                           struct ampel_error *error);

/* Any message but BATCH. Returns its size, 0 when capacity does not suffice. */
uint32_t ampel_message_encode(const struct ampel_message *message, uint8_t *bytes, uint32_t capacity);
/* An upper bound for the encoding of any message but an ack with refusals (each refusal: 100 bytes more). */
#define AMPEL_MESSAGE_BYTES_MAX (16 * 1024)

/* A change as one JSON object without newline, the fields of the wire under the same names, times RFC 3339: what
   `ampel watch --format jsonl` and `ampel replay` print. 0: capacity. */
/* event, expiry, midnight, backfill, rules, clock. */
const char *ampel_cause_name(uint8_t kind);
uint32_t ampel_change_json(const struct ampel_message_change *change, char *bytes, uint32_t capacity);
/* What a row in a database keeps as JSON, beside its columns: "cause", and of a suspected takeover "amount", "since" and "signals", as
   ampel_change_json writes them. Reading JSON is most of what storing an alert costs. */
uint32_t ampel_change_row_json(const struct ampel_message_change *change, char *bytes, uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif

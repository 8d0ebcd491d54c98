/* One tenant's way to the worker: keeps every batch until its ack, sends within the worker's credit, sends again what
   a lost connection or a restart of the worker may have swallowed. It never waits: who drives it (feed_links.h) turns it
   when something may have come, and twenty times a second. Thread: one. */
#ifndef AMPEL_WORKERS_CLI_FEED_LINK_H
#define AMPEL_WORKERS_CLI_FEED_LINK_H

#include <stdatomic.h>

#include "proto/batch.h"
#include "proto/bundle.h"
#include "proto/message.h"
#include "workers/client_zmq.h"
#include "workers/clock.h"

/* What the worker said of one batch. refused and its fields are borrowed for the time of the call. */
struct ampel_feed_answer {
    struct ampel_text tenant;
    uint64_t sequence;
    const uint8_t *bytes; /* the batch */
    uint32_t size;
    uint32_t accepted;
    bool duplicate;
    uint32_t refused_count;
    const struct ampel_batch_refused *refused;
};
typedef void (*ampel_feed_sink)(void *context, const struct ampel_feed_answer *answer);

/* New batches go in bundles of about this size while more are coming; a larger batch goes alone. */
#define AMPEL_FEED_BUNDLE_BYTES (UINT32_C(64) << 10)

/* What all links of a process share. */
struct ampel_feed_shared {
    const char *endpoint;
    struct ampel_client_context *clients;
    struct ampel_message_decoder *decoder;
    struct ampel_clock clock;
    int64_t patience_ns; /* without any word from the worker before giving up */
    ampel_feed_sink sink;
    void *sink_context;
    uint64_t bytes;   /* of all batches that are not answered */
    int64_t heard_ns; /* the last word to any of them */
    uint8_t bundle[AMPEL_BUNDLE_HEAD_BYTES + AMPEL_FEED_BUNDLE_BYTES];
};

/* A batch that is not answered yet; from malloc. The link and ZeroMQ hold it, the last one frees it. */
struct ampel_feed_parcel {
    atomic_uint holders; /* 1 */
    struct ampel_feed_parcel *next;
    const char *producer; /* the same pointer means the same producer */
    uint64_t sequence;
    uint32_t size;
    uint8_t bytes[];
};

enum ampel_feed_turn {
    AMPEL_FEED_GOOD,
    AMPEL_FEED_REFUSED, /* the worker does not accept the key for now; it is disconnected: try again in a second */
    AMPEL_FEED_SILENT,  /* patience is over without any word; said on standard error */
    AMPEL_FEED_FAILED,  /* this tenant's events will not go; said on standard error */
};

struct ampel_feed_link;

/* key_path: the tenant's key file. Does not connect. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_link_open(struct ampel_feed_shared *shared, const char *key_path,
                                           const char *tenant, struct ampel_feed_link **out);
void ampel_feed_link_close(struct ampel_feed_link *link);

/* Begins a connection and goes on with what waits, of which there is some. False: final for all tenants, said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_link_connect(struct ampel_feed_link *link);
void ampel_feed_link_disconnect(struct ampel_feed_link *link);
/* The client while connected, else NULL. */
const struct ampel_client *ampel_feed_link_client(const struct ampel_feed_link *link);
/* Gives up: nothing of what waits goes any more. */
void ampel_feed_link_drop(struct ampel_feed_link *link);

/* Takes the parcel over; connected or not. */
void ampel_feed_link_push(struct ampel_feed_link *link, struct ampel_feed_parcel *parcel);
/* One round while connected: sends what may go, takes what came, sends again what seems lost. */
AMPEL_MUST_CHECK enum ampel_feed_turn ampel_feed_link_turn(struct ampel_feed_link *link);
/* Nobody listened for so long: it does not count as the worker's silence. */
void ampel_feed_link_away(struct ampel_feed_link *link, int64_t away_ns);

/* Batches not answered yet. */
uint32_t ampel_feed_link_waiting(const struct ampel_feed_link *link);
/* Whether the worker's welcome has come, so that batches go at once. */
bool ampel_feed_link_welcome(const struct ampel_feed_link *link);
/* Whether batches wait for the acks of earlier ones before they may go. */
bool ampel_feed_link_full(const struct ampel_feed_link *link);
/* Bytes of batches not answered yet. */
uint64_t ampel_feed_link_waiting_bytes(const struct ampel_feed_link *link);
/* Bytes of batches that may go in the next turn. */
uint64_t ampel_feed_link_new_bytes(const struct ampel_feed_link *link);

#endif

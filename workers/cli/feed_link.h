/* One tenant's way to the worker: keeps every batch until its ack, sends within the worker's credit, sends again what
   a lost connection or a restart of the worker may have swallowed. */
#ifndef AMPEL_WORKERS_CLI_FEED_LINK_H
#define AMPEL_WORKERS_CLI_FEED_LINK_H

#include "proto/batch.h"
#include "proto/message.h"

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

struct ampel_feed_link;

/* key_path: the tenant's key file. patience_ms: how long to wait without any word from the worker before giving up.
   False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_link_open(const char *endpoint, const char *key_path,
                                           const char *tenant, int64_t patience_ms,
                                           ampel_feed_sink sink, void *context,
                                           struct ampel_feed_link **out);
void ampel_feed_link_close(struct ampel_feed_link *link);

/* Hands over one encoded batch (copied); waits while the window is full. more: the next one comes at once, so that small ones may
   go together; without it what was pushed goes now. False: final, said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_link_push(struct ampel_feed_link *link, const uint8_t *bytes,
                                           uint32_t size, const struct ampel_batch_header *header,
                                           bool more);
/* Sends what was pushed with more and is still here; does not wait. */
AMPEL_MUST_CHECK bool ampel_feed_link_send(struct ampel_feed_link *link);
/* Waits until every batch is answered. */
AMPEL_MUST_CHECK bool ampel_feed_link_drain(struct ampel_feed_link *link);
/* Batches not answered yet. */
uint32_t ampel_feed_link_waiting(const struct ampel_feed_link *link);

#endif

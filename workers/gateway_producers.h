/* The producers that the gateway knows: for each its window and what waits for the log.

       slots    index ──▶ producer, stable until it is forgotten; records under way carry the index
       buckets  open addressing over the hash of (tenant, producer), holding index + 1; at most half full

   Bounded for each tenant. A new producer takes the place of one of the same tenant that is idle for 30 days, as the
   partitions have forgotten it, too, or that never had a durable batch. Thread: the gateway's. */
#ifndef AMPEL_WORKERS_GATEWAY_PRODUCERS_H
#define AMPEL_WORKERS_GATEWAY_PRODUCERS_H

#include "proto/batch.h"
#include "workers/gateway_window.h"
#include "workers/network.h"

/* A sequence came through two connections at once: both are answered, of more than two the last. */
#define AMPEL_WAITING_PEERS_MAX 2

/* What the ack of a batch under way will say, and to whom. */
struct ampel_gateway_waiting {
    struct ampel_peer peers[AMPEL_WAITING_PEERS_MAX];
    uint32_t peers_count;
    bool bundled; /* it came in a bundle: so may its ack */
    uint32_t accepted;
    uint32_t refused_count;
    struct ampel_batch_refused refused[];
};
/* NULL: no memory. From malloc. */
struct ampel_gateway_waiting *ampel_gateway_waiting_make(const struct ampel_peer *peer,
                                                         const struct ampel_batch *batch);
/* One more peer that wants to hear; the same one again is one. */
void ampel_gateway_waiting_push(struct ampel_gateway_waiting *waiting, const struct ampel_peer *peer);

struct ampel_gateway_producer {
    char tenant[AMPEL_ID_BYTES_MAX + 1], producer[AMPEL_ID_BYTES_MAX + 1];
    int64_t seen_ms; /* of its last batch */
    struct ampel_gateway_window window;
    struct ampel_gateway_waiting *waiting[AMPEL_CREDIT]; /* by sequence mod AMPEL_CREDIT, where it is under way */
};

#define AMPEL_PRODUCER_NONE UINT32_MAX
struct ampel_gateway_producers;
struct ampel_gateway_producers *ampel_gateway_producers_open(void); /* NULL: no memory */
void ampel_gateway_producers_close(struct ampel_gateway_producers *producers);
uint32_t ampel_gateway_producers_count(const struct ampel_gateway_producers *producers);

/* AMPEL_PRODUCER_NONE where it is not known. */
uint32_t ampel_gateway_producers_find(const struct ampel_gateway_producers *producers,
                                      struct ampel_text tenant, struct ampel_text producer);
struct ampel_gateway_producer *ampel_gateway_producers_at(struct ampel_gateway_producers *producers,
                                                          uint32_t index);

enum ampel_claim_status { AMPEL_CLAIM_OK, AMPEL_CLAIM_FULL, AMPEL_CLAIM_NO_MEMORY };
/* A new one; it must not be known. FULL: the tenant has per_tenant_max of them. Cost: O(producers). */
AMPEL_MUST_CHECK enum ampel_claim_status
ampel_gateway_producers_claim(struct ampel_gateway_producers *producers, struct ampel_text tenant,
                              struct ampel_text producer, uint32_t per_tenant_max, int64_t now_ms,
                              uint32_t *index);

#endif

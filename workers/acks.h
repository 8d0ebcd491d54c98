/* Acks that go together: those of batches that came in bundles, to one peer within one turn. Thread: the gateway's. */
#ifndef AMPEL_WORKERS_ACKS_H
#define AMPEL_WORKERS_ACKS_H

#include "proto/bundle.h"
#include "workers/network.h"
#include "workers/replies.h"

/* Larger ones go alone. */
#define AMPEL_ACKS_BYTES_MAX (UINT32_C(16) << 10)

/* All zero is empty. bytes: room for the bundle's head, then the acks. */
struct ampel_acks {
    struct ampel_peer peer;
    uint32_t count, size;
    uint8_t bytes[AMPEL_BUNDLE_HEAD_BYTES + AMPEL_ACKS_BYTES_MAX];
};

/* Adds an ack of at most AMPEL_ACKS_BYTES_MAX; sends first what is for another peer or leaves no room. */
void ampel_acks_add(struct ampel_acks *acks, struct ampel_replies *replies,
                    const struct ampel_network *network, const struct ampel_peer *peer,
                    const uint8_t *bytes, uint32_t size);
void ampel_acks_flush(struct ampel_acks *acks, struct ampel_replies *replies,
                      const struct ampel_network *network);

#endif

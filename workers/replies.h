/* Replies that a peer was too slow to take: kept and tried again, bounded, so that one peer that does not read slows no
   other. What is dropped beyond the bound is an answer, never data: a feeder that hears nothing sends its batch again and
   is answered again. Thread: the owner's. */
#ifndef AMPEL_WORKERS_REPLIES_H
#define AMPEL_WORKERS_REPLIES_H

#include "workers/network.h"

#define AMPEL_REPLIES_MAX 8192
#define AMPEL_REPLIES_BYTES_MAX (UINT32_C(32) << 20)

struct ampel_reply {
    struct ampel_peer peer;
    uint32_t size;
    uint8_t *bytes;
};

/* A ring, oldest first. All zero is empty; memory is taken with the first that must wait. */
struct ampel_replies {
    struct ampel_reply *ring;
    uint32_t first, count;
    uint64_t bytes;
    uint64_t dropped;  /* ever */
    int64_t again_ns;  /* while something waits: after this time it is to be tried again */
};

void ampel_replies_reset(struct ampel_replies *replies);
/* Sends at once, or behind what waits for the same peer. Copies. */
void ampel_replies_send(struct ampel_replies *replies, const struct ampel_network *network,
                        const struct ampel_peer *peer, const uint8_t *bytes, uint32_t size);
/* Tries all that wait, in their order for each peer, and sets again_ns: soon where peers read, and twice as late each time
   that nothing went, up to 20 ms. True where none is left. */
bool ampel_replies_flush(struct ampel_replies *replies, const struct ampel_network *network);

#endif

/* The publisher: numbers what is told, per tenant and stream, sends it to the tenant's watchers at once, and gives a watcher
   everything from a number on: first from the outbox (ASK, ANSWER), then from memory, then live, without a gap.
   What is told and not yet stored stays in memory (bounded by unstored_bytes_max, which slows the shards); some
   more is kept for watchers that are only a little behind. Checkpoints pass through: the publisher adds what was told
   since the partition's last one. A watcher that reads too slowly is caught up from the outbox; it never slows others.
   Thread: the publisher's. */
#ifndef AMPEL_WORKERS_PUBLISHER_H
#define AMPEL_WORKERS_PUBLISHER_H

#include "workers/clock.h"
#include "workers/network.h"
#include "workers/parcel.h"
#include "workers/queue.h"
#include "workers/stage.h"

struct ampel_publisher_options {
    struct ampel_network network;
    struct ampel_clock clock;
    uint32_t partitions;
    uint32_t shards_count;             /* STOP comes from each */
    struct ampel_queue *in;            /* OUT, CHECKPOINT, ANSWER, COMMITTED, TENANTS, STOP */
    struct ampel_queue *const *scribes; /* CHECKPOINT of its partitions, STOP; the first: ASK. Read by open alone */
    uint32_t scribes_count;            /* 1..AMPEL_SCRIBES_MAX */
    uint32_t (*network_fds)(void *network_context, int *fds, uint32_t capacity);
    void (*network_tenants)(void *network_context, const struct ampel_parcel_tenants *tenants);
};
struct ampel_publisher;
AMPEL_MUST_CHECK bool ampel_publisher_open(const struct ampel_publisher_options *options,
                                           struct ampel_publisher **out);
void ampel_publisher_close(struct ampel_publisher *publisher);
struct ampel_stage ampel_publisher_stage(struct ampel_publisher *publisher);

#endif

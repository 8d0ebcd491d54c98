/* The gateway: who is it, is it whole, may it. Takes batches from feeders, judges them, stamps them once and hands one
   record a batch to the keeper; acks it when it comes back durable. A batch that cannot be taken goes back whole.

   Knows for each producer which sequences are durable (a window of AMPEL_CREDIT) and which are under way; a sequence under
   way that arrives again is answered by the same ack. Starts knowing what the partitions know (WINDOWS of all shards);
   until then every batch goes back with `starting`. Reads no more from the network while inflight_bytes_max is out.

   A batch is judged in this order: can it be read (malformed, version), too_large, starting, stopping, tenant; is it durable
   already (acked at once as a duplicate, whatever the clock says by now) or under way (answered when that is durable);
   clock, credit, producers. STOP: batches go back, what is under way is waited for and answered, then the stage ends.
   Thread: the gateway's. */
#ifndef AMPEL_WORKERS_GATEWAY_H
#define AMPEL_WORKERS_GATEWAY_H

#include "workers/clock.h"
#include "workers/network.h"
#include "workers/parcel.h"
#include "workers/queue.h"
#include "workers/stage.h"

struct ampel_gateway_options {
    struct ampel_network network;
    struct ampel_clock clock;
    uint32_t partitions;
    uint32_t shards_count;
    uint64_t inflight_bytes_max;
    uint32_t message_bytes_max;  /* larger batches go back; 0: AMPEL_BATCH_BYTES_MAX */
    uint32_t producers_per_tenant_max;
    struct ampel_queue *in;     /* RECORD (durable or failed), WINDOWS, TENANTS, STOP */
    struct ampel_queue *keeper; /* RECORD, STOP */
    /* The transport's fds for the stage's wait, and the tenants for its authentication. */
    uint32_t (*network_fds)(void *network_context, int *fds, uint32_t capacity);
    void (*network_tenants)(void *network_context, const struct ampel_parcel_tenants *tenants);
};
struct ampel_gateway;
AMPEL_MUST_CHECK bool ampel_gateway_open(const struct ampel_gateway_options *options,
                                         struct ampel_gateway **out);
void ampel_gateway_close(struct ampel_gateway *gateway);
struct ampel_stage ampel_gateway_stage(struct ampel_gateway *gateway);

#endif

/* The wiring: all stages of one worker and the queues between them, as main and the simulator both need it. Threads,
   sockets, files and the database connection are the caller's.

       stage 0 gateway | 1 keeper | 2 .. shards | publisher | scribes last: the order of an event's way

   Thread: main; a stage is turned by one thread at a time. */
#ifndef AMPEL_WORKERS_WIRING_H
#define AMPEL_WORKERS_WIRING_H

#include "engine/rules.h"
#include "workers/clock.h"
#include "workers/database.h"
#include "workers/journal.h"
#include "workers/network.h"
#include "workers/scribe.h"
#include "workers/stage.h"

/* A network as a stage uses it. */
struct ampel_wiring_network {
    struct ampel_network network;
    uint32_t (*fds)(void *network_context, int *fds, uint32_t capacity);
    void (*tenants)(void *network_context, const struct ampel_parcel_tenants *tenants);
};

struct ampel_wiring_options {
    struct ampel_clock clock;
    const struct ampel_rules *rules;      /* borrowed until close, as are the next four */
    const struct ampel_memory *memories;  /* one for each shard's engines */
    struct ampel_journal *journal;
    struct ampel_database databases[AMPEL_SCRIBES_MAX]; /* one for each scribe */
    uint32_t scribes_count;            /* 1..AMPEL_SCRIBES_MAX */
    struct ampel_wiring_network feeders, watchers;
    uint32_t partitions;
    uint32_t shards_count;
    int64_t checkpoint_every_ms, orders_rows_every_ms;
    uint32_t checkpoint_share;         /* of all shards together, in percent; 0: 100 */
    uint32_t copy_units;               /* as of shard.h */
    uint64_t inflight_bytes_max;
    uint32_t message_bytes_max;           /* 0: AMPEL_BATCH_BYTES_MAX */
    uint64_t unstored_bytes_max;          /* of all shards together */
    uint32_t accounts_per_tenant_max, violations_per_account_max, producers_per_tenant_max;
    bool clock_is_right;
};

#define AMPEL_SHARDS_MAX 64
#define AMPEL_STAGES_MAX (AMPEL_SHARDS_MAX + 3 + AMPEL_SCRIBES_MAX)
#define AMPEL_STAGE_NAME_SIZE 16 /* what Linux keeps of a thread's name */

struct ampel_wiring;
/* False: no memory or file descriptors. */
AMPEL_MUST_CHECK bool ampel_wiring_open(const struct ampel_wiring_options *options,
                                        struct ampel_wiring **out);
/* No stage is turned any more; whatever still waits in queues is freed. NULL is fine. */
void ampel_wiring_close(struct ampel_wiring *wiring);

uint32_t ampel_wiring_stages_count(const struct ampel_wiring *wiring);
/* name: at most AMPEL_STAGE_NAME_SIZE - 1 bytes, the wiring's. */
struct ampel_stage ampel_wiring_stage(const struct ampel_wiring *wiring, uint32_t index);

/* Sends STOP on its way: gateway, keeper, shards, publisher, scribes. False: no memory, or the gateway's queue is full now:
   try again. Thread: any. */
AMPEL_MUST_CHECK bool ampel_wiring_stop(struct ampel_wiring *wiring);

#endif

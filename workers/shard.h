/* A shard: one thread, the engines of its partitions. Imports what LOADED brings, applies records from the position
   of each partition on, tells changes at once (OUT), and builds checkpoints: a changed partition every
   checkpoint_every (later where storing takes more than its share), one under way for each partition at most, the least recently
   stored first, bounded work a turn.
   A partition that only aged moves its position, too, so that the journal can be recycled. After STOP every partition is stored
   once more (last), with rows for order counts.
   Thread: its own. */
#ifndef AMPEL_WORKERS_SHARD_H
#define AMPEL_WORKERS_SHARD_H

#include "engine/engine.h"
#include "workers/clock.h"
#include "workers/queue.h"
#include "workers/stage.h"

struct ampel_shard_options {
    struct ampel_memory memory;
    struct ampel_clock clock;          /* timers only: time comes from the log */
    const struct ampel_rules *rules;   /* borrowed for the shard's life */
    uint32_t shard_index, shards_count;
    uint32_t partitions;
    int64_t checkpoint_every_ms, orders_rows_every_ms;
    uint32_t checkpoint_share;         /* as of shard_store.h */
    uint32_t copy_units;               /* one piece of a checkpoint's copy, in microseconds about; 0: 500 */
    uint64_t unstored_bytes_max;
    uint32_t accounts_per_tenant_max;  /* of the whole system: each partition takes its share, some slack added */
    uint32_t violations_per_account_max;
    /* Two queues, because records may have to wait for the database while COMMITTED, which ends the wait, may not. */
    struct ampel_queue *in;            /* from the scribe: LOADED, COMMITTED */
    struct ampel_queue *records;       /* from the keeper: RECORD, REPLAYED, STOP */
    struct ampel_queue *publisher;     /* OUT, CHECKPOINT, STOP */
    struct ampel_queue *gateway;       /* WINDOWS */
};
struct ampel_shard;
AMPEL_MUST_CHECK bool ampel_shard_open(const struct ampel_shard_options *options,
                                       struct ampel_shard **out);
void ampel_shard_close(struct ampel_shard *shard);
struct ampel_stage ampel_shard_stage(struct ampel_shard *shard);

#endif

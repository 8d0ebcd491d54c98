/* One partition of a shard: its engine, where it stands in the log and in the database, and what its next checkpoint will hold.
   Plain data of the shard (workers/shard.c); what stands under "checkpoints" only its checkpoints change
   (workers/shard_store.h).

       log   ───────────▶ position ─ ─ ▶        records below it are applied
       store ──▶ stored                         the database holds this much
                 └ open_bytes, gathered ┘       told since the last checkpoint was begun; under_way_bytes: by that one
   Thread: the shard's. */
#ifndef AMPEL_WORKERS_SHARD_PARTITION_H
#define AMPEL_WORKERS_SHARD_PARTITION_H

#include "engine/engine.h"
#include "workers/checkpoint_build.h"

struct ampel_shard_partition {
    uint32_t number;
    bool loaded;
    bool advancing;              /* between two slices of one step */
    bool untold;                 /* the import named changes that are not told yet */
    bool told;                   /* changes, refusals or gone rows since the last checkpoint */
    struct ampel_engine *engine; /* NULL until the first frame of a fresh partition */
    uint64_t rules_number;       /* of the database's rules that the engine has; 0: of the start */
    uint64_t rules_recoloured;   /* accounts that changed colour by them */
    uint64_t epoch;
    uint64_t position;                 /* behind the last record applied */
    struct ampel_engine_counts counts; /* as metrics know them */
    struct ampel_gathered gathered;
    /* Checkpoints. */
    bool under_way;                       /* one is on its way to the database */
    bool finished;                        /* after STOP: the last one is made */
    uint64_t stored;                      /* where the database stands */
    int64_t built_ns, orders_rows_ns;     /* when the last one was begun, and the last one with rows for order counts */
    uint64_t open_bytes, under_way_bytes; /* told and not stored */
    uint64_t copied_bytes;                /* rows and pages of its checkpoint under way */
};

/* Brings the gauges of accounts, violations and memory up to date with the engine, if there is one. */
void ampel_shard_partition_count(struct ampel_shard_partition *partition);
/* Takes what it counted from the gauges again. */
void ampel_shard_partition_uncount(struct ampel_shard_partition *partition);
/* Says in the log that there was no memory for it; false. */
bool ampel_shard_partition_starved(const struct ampel_shard_partition *partition);

#endif

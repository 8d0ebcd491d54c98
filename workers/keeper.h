/* The keeper: the stage around the journal. It waits until every partition's position is known (LOADED), reads the
   log from the least of them and hands its records to the shards (replay), says REPLAYED, then takes records from
   the gateway: group, commit, hand each on to its shards and back to the gateway (durable or failed). Each second it
   appends a tick for the partitions that had no frame; a stamp never goes backwards. COMMITTED parcels tell it what may be
   recycled. RULES newer than those of the log become a record for all partitions. STOP: the last group is committed, STOP goes to the shards.
   Thread: the journal's. */
#ifndef AMPEL_WORKERS_KEEPER_H
#define AMPEL_WORKERS_KEEPER_H

#include "workers/clock.h"
#include "workers/journal.h"
#include "workers/queue.h"
#include "workers/stage.h"

struct ampel_keeper_options {
    struct ampel_journal *journal;    /* open; the keeper's until close, then the caller's again */
    struct ampel_clock clock;
    uint32_t partitions;
    uint32_t shards_count;            /* partition p belongs to shard p mod shards_count */
    bool clock_is_right;
    struct ampel_queue *in;           /* RECORD, LOADED, COMMITTED, RULES, STOP */
    struct ampel_queue *const *shards;/* to each shard: RECORD, REPLAYED, STOP */
    struct ampel_queue *gateway;      /* RECORD back */
};
struct ampel_keeper;
AMPEL_MUST_CHECK bool ampel_keeper_open(const struct ampel_keeper_options *options,
                                        struct ampel_keeper **out);
void ampel_keeper_close(struct ampel_keeper *keeper);
struct ampel_stage ampel_keeper_stage(struct ampel_keeper *keeper);
#endif

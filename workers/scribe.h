/* The scribe: the one that talks to the database. (main waits for the database before it opens any stage, because system
   id and number of partitions come from there.) At the start it begins (epoch of the streams,
   TENANTS to gateway and publisher), claims and loads every partition (LOADED to its shard and, without pages, to the
   keeper). Then it commits checkpoints in the order they come, answers ASKs, and hands on new TENANTS when noticed.
   A database that is away is tried again with a growing pause (0.1 to 5 s); a checkpoint is kept until its fate is known:
   after a commit whose outcome is unknown it looks at the position first. FENCED stops the process.
   Thread: the scribe's. */
#ifndef AMPEL_WORKERS_SCRIBE_H
#define AMPEL_WORKERS_SCRIBE_H

#include "workers/clock.h"
#include "workers/database.h"
#include "workers/queue.h"
#include "workers/stage.h"

struct ampel_scribe_options {
    struct ampel_database database;
    struct ampel_clock clock;
    uint32_t partitions;             /* expected; another number in the database is an error */
    uint32_t shards_count;
    struct ampel_queue *in;          /* CHECKPOINT, ASK, STOP */
    struct ampel_queue *keeper;      /* LOADED, COMMITTED */
    struct ampel_queue *const *shards; /* LOADED, COMMITTED */
    struct ampel_queue *publisher;   /* ANSWER, COMMITTED, TENANTS */
    struct ampel_queue *gateway;     /* TENANTS */
};
struct ampel_scribe;
AMPEL_MUST_CHECK bool ampel_scribe_open(const struct ampel_scribe_options *options,
                                        struct ampel_scribe **out);
void ampel_scribe_close(struct ampel_scribe *scribe);
struct ampel_stage ampel_scribe_stage(struct ampel_scribe *scribe);

#endif

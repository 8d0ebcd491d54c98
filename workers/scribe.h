/* The scribe: the one that talks to the database. (main waits for the database before it opens any stage, because system
   id and number of partitions come from there.) At the start it begins (epoch of the streams,
   TENANTS to gateway and publisher), claims and loads every partition (LOADED to its shard and, without pages, to the
   keeper). Then it commits checkpoints in the order they come, answers ASKs, and hands on new TENANTS when noticed.
   A database that is away is tried again with a growing pause (0.1 to 5 s); a checkpoint is kept until its fate is known:
   after a commit whose outcome is unknown it looks at the position first. FENCED stops the process.

   Beside the first scribe, which does all that, there may be others that store checkpoints alone, each on a connection and a thread of
   its own, so that PostgreSQL works on several at once. A partition's checkpoints all go to one of them, in their order; what is
   promised of them is promised of a partition. Thread: each scribe's its own. */
#ifndef AMPEL_WORKERS_SCRIBE_H
#define AMPEL_WORKERS_SCRIBE_H

#include "workers/clock.h"
#include "workers/database.h"
#include "workers/queue.h"
#include "workers/stage.h"

/* With more than these PostgreSQL would only wait for its disk. */
#define AMPEL_SCRIBES_MAX 4

struct ampel_scribe;
struct ampel_scribe_options {
    struct ampel_scribe *first;      /* NULL: this one. Otherwise it is open before and closed after this one, and ASK never comes here */
    struct ampel_database database;  /* each scribe's its own */
    struct ampel_clock clock;
    uint32_t partitions;             /* expected; another number in the database is an error */
    uint32_t shards_count;
    struct ampel_queue *in;          /* CHECKPOINT, ASK, STOP */
    struct ampel_queue *keeper;      /* LOADED, COMMITTED */
    struct ampel_queue *const *shards; /* LOADED, COMMITTED */
    struct ampel_queue *publisher;   /* ANSWER, COMMITTED, TENANTS */
    struct ampel_queue *gateway;     /* TENANTS */
};
AMPEL_MUST_CHECK bool ampel_scribe_open(const struct ampel_scribe_options *options,
                                        struct ampel_scribe **out);
void ampel_scribe_close(struct ampel_scribe *scribe);
struct ampel_stage ampel_scribe_stage(struct ampel_scribe *scribe);

/* Which of so many scribes stores the partition: each shard has all of them. */
static inline uint32_t ampel_scribe_of(uint32_t partition, uint32_t shards_count, uint32_t scribes_count) {
    return partition / shards_count % scribes_count;
}

#endif

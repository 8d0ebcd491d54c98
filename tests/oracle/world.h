/* The world: one whole worker on one thread, with a disk, a network, a database and a clock that stand still unless they
   are moved, and that survive the worker's death.

       feeders ──▶ loopback ──▶ gateway ─ keeper ─ shards ─ publisher ─ scribe ──▶ database in memory
                                            │                                       (survives)
                                       disk in memory (survives, or loses what was not synced)

   A stage is turned only when its thread would wake: it asked to be turned again, one of its file descriptors is
   readable, or its time has come. So a wakeup that is lost here is lost for good, as it would be in life. The order is
   chosen by the seed, so that no stage can count on another's being quick. Same seed, same calls: same story.
   Thread: one. */
#ifndef AMPEL_TESTS_ORACLE_WORLD_H
#define AMPEL_TESTS_ORACLE_WORLD_H

#include "tests/oracle/loopback.h"
#include "tests/oracle/memory_database.h"
#include "tests/oracle/memory_disk.h"
#include "workers/wiring.h"

struct ampel_world_options {
    const struct ampel_rules *rules; /* borrowed */
    uint64_t seed;
    int64_t start_ms; /* UTC */
    uint32_t partitions, shards_count, scribes_count;
    int64_t checkpoint_every_ms, orders_rows_every_ms;
    uint32_t checkpoint_share;         /* as of workers/shard_store.h */
    uint32_t copy_units;               /* as of workers/shard.h; 1: one page, or one row, a turn */
    uint64_t unstored_bytes_max, inflight_bytes_max;
    uint32_t accounts_per_tenant_max;
    uint64_t segment_bytes, journal_bytes_max;
    bool clock_is_right;               /* of the next start */
    /* Another disk than the one in memory: opened for each life, closed after it. NULL: in memory. */
    bool (*disk_open)(void *context, struct ampel_disk *out);
    void (*disk_close)(struct ampel_disk *disk);
    void *disk_context;
    const struct ampel_memory *memory; /* of the engines; NULL: the C library's */
    void (*turned)(void *context);     /* called after each turn of a stage, where it is given */
    void *turned_context;
};

struct ampel_world;

/* Defaults fit for tests; rules are the caller's. */
void ampel_world_options_init(struct ampel_world_options *options);
/* Disk, network, database; no worker yet. */
struct ampel_world *ampel_world_open(const struct ampel_world_options *options);
void ampel_world_close(struct ampel_world *world); /* kills a worker that lives */

struct ampel_memory_database *ampel_world_database(struct ampel_world *world);
struct memory_disk *ampel_world_disk(struct ampel_world *world);
struct ampel_loopback *ampel_world_feeders(struct ampel_world *world);
struct ampel_loopback *ampel_world_watchers(struct ampel_world *world);
int64_t ampel_world_now_ms(const struct ampel_world *world);
int64_t
ampel_world_monotonic_ms(const struct ampel_world *world); /* of the clock that never jumps */
/* From the next start on. */
void ampel_world_rules(struct ampel_world *world, const struct ampel_rules *rules);

/* ---- the worker's life -------------------------------------------------------------------------- */

/* Opens journal and stages. False: the journal says why in error. */
AMPEL_MUST_CHECK bool ampel_world_start(struct ampel_world *world, struct ampel_error *error);
/* The process dies: everything in memory is gone. power: the disk loses what was not synced, as the seed says. */
void ampel_world_kill(struct ampel_world *world, bool power);
/* As a stop signal to the process: its threads stand still where they are, and another worker may start. Its journal's
   lock is broken as if it ran on another machine. At most one worker sleeps: an older one dies for good. */
void ampel_world_pause(struct ampel_world *world);
/* The one that sleeps wakes, and its scribe goes on with what it had in hand, at most so many turns. False: none sleeps.
   It dies afterwards. */
bool ampel_world_wake_scribe(struct ampel_world *world, uint32_t turns);
/* STOP, and turns until all stages have ended; what they sent can be heard until they are buried. False: they do not
   end, or one fails. */
bool ampel_world_end(struct ampel_world *world);
/* After ampel_world_end. */
void ampel_world_bury(struct ampel_world *world);
/* Both. */
bool ampel_world_stop(struct ampel_world *world);
bool ampel_world_lives(const struct ampel_world *world);
/* NULL: no worker lives. */
struct ampel_journal *ampel_world_journal(struct ampel_world *world);
/* The name of the stage that failed for good, NULL: none. */
const char *ampel_world_fatal(const struct ampel_world *world);

/* ---- time --------------------------------------------------------------------------------------- */

/* The clock that stamps is set forwards or backwards; timers do not notice. */
void ampel_world_clock_jump(struct ampel_world *world, int64_t span_ms);
/* Time passes in the middle of whatever goes on: a call that took long. */
void ampel_world_linger(struct ampel_world *world, int64_t span_ms);
/* From the next start on. */
void ampel_world_clock_is_right(struct ampel_world *world, bool right);
/* Each stage that would wake is turned once. False: none would. */
bool ampel_world_turn(struct ampel_world *world);
/* Turns until nothing more is to be done at this time. */
void ampel_world_settle(struct ampel_world *world);
/* Time goes on, with a stop at each moment that a stage asked for. */
void ampel_world_pass(struct ampel_world *world, int64_t span_ms);

#endif

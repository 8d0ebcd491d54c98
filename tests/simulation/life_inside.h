/* The inside of a life, for life*.c alone. */
#ifndef AMPEL_TESTS_SIMULATION_LIFE_INSIDE_H
#define AMPEL_TESTS_SIMULATION_LIFE_INSIDE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/random.h"
#include "tests/simulation/hooks.h"
#include "tests/simulation/life.h"
#include "tests/simulation/watchers.h"
#include "workers/metrics.h"

#define KEY               "0123456789012345678901234567890123456789"
#define MINUTE_MS         INT64_C(60000)
#define HOUR_MS           INT64_C(3600000)
#define PATIENCE_MS       3000
#define ACTS_MAX          20000
#define LATE_RELEASES_MAX 40
#define STARTS_MAX        400
#define WATCHER_ROUNDS_MAX 1000
#define DRAIN_ROUNDS_MAX  4000
#define JUMPS_MAX_MS      (12 * AMPEL_DAY_MS)
#define JOURNAL_BYTES_MAX (UINT64_C(4) << 20)
#define SEGMENT_BYTES     (UINT64_C(8) << 10)
/* What one step tells may pass the bound before a shard stops, in each shard, on the way to its stamp and by its events;
   a checkpoint brings rows and pages. A sleeper has its own. */
#define STEP_PARCELS   3
#define UNSTORED_SLACK (UINT64_C(6) << 10)

/* Of a message that finds room. */
#define INFLIGHT_SLACK (UINT64_C(6) << 10)

extern const char *const sim_life_tenants[SIM_AGENCIES];

struct life {
    struct ampel_world *world;
    struct ampel_world_options options;
    struct ampel_rules rules;
    struct ampel_random random;
    struct sim_model model;
    struct sim_outcome *out;
    uint64_t enabled; /* faults of this seed, a bit each */
    bool broken;      /* one of the database's next calls says so */
    bool may_die;     /* a fault is under way that stops a worker rightly */
    bool suspended[SIM_AGENCIES];
    bool backfill; /* some batches are of old events */
    struct sim_watchers *watchers;
    uint64_t unstored_bytes_max, inflight_bytes_max; /* bounds that must hold */
    uint32_t full_acts; /* until the disk has room again */
    int64_t jumped_ms;
    uint32_t late_releases; /* groups since the journal could have been shorter */
    uint64_t memory_bytes;  /* of engines */
    struct ampel_memory memory;
};

static inline bool wrong(const struct life *life) {
    return life->model.reason[0] != '\0';
}

static inline void say(const struct life *life, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void say(const struct life *life, const char *format, ...) {
    if (!sim_hooks.story) return;
    printf("%10.3f  ", (double)(ampel_world_now_ms(life->world) % (1000 * AMPEL_DAY_MS)) / 1000.0);
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
}

static inline void fired(struct life *life, enum sim_fault fault) {
    life->out->faults[fault]++;
}

static inline bool enabled(const struct life *life, enum sim_fault fault) {
    return (life->enabled >> fault & 1) != 0;
}

static inline uint64_t below(struct life *life, uint64_t count) {
    return ampel_random_below(&life->random, count);
}

static inline bool chance(struct life *life, uint32_t percent) {
    return ampel_random_chance(&life->random, percent);
}

/* ---- life_worker.c ------------------------------------------------------------------------------ */

/* What stops a worker rightly is over with it. */
void sim_life_forgive(struct life *life);
void sim_life_kill(struct life *life, bool power);
/* Until a worker lives, or something is wrong. */
void sim_life_start(struct life *life);
/* A worker that stopped itself: rightly, or not. */
void sim_life_bury(struct life *life);
/* Flips a bit that was synced, of what the next start reads: that start must name it. */
void sim_life_flip(struct life *life);

/* ---- life_acts.c -------------------------------------------------------------------------------- */

void sim_life_pump(struct life *life);
void sim_life_wake_paused(struct life *life);
/* For memory_disk_on_sync; the context is the life. */
void sim_life_linger(void *context);
void sim_life_fault(struct life *life, enum sim_fault fault);
/* One step of the story. */
void sim_life_act(struct life *life);

#endif

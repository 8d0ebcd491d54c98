#include "tests/oracle/world.h"

#include <poll.h>
#include <stdlib.h>

#include "tests/oracle/random.h"

#define NS_PER_MS  INT64_C(1000000)
#define SYSTEM_ID  UINT64_C(0x616d70656c)
#define ROUNDS_MAX 1000000 /* beyond it something turns in a circle */
#define FDS_MAX    16

struct ampel_world {
    struct ampel_world_options options;
    struct ampel_random random;
    struct memory_disk *disk;
    struct ampel_memory_database *database;
    struct ampel_loopback *feeders, *watchers;
    struct ampel_memory memories[AMPEL_SHARDS_MAX];
    int64_t ns; /* monotonic, and UTC with start_ms added */
    struct ampel_journal *journal;
    struct ampel_wiring *wiring; /* NULL: no worker lives */
    struct ampel_disk real;      /* where the options bring one */
    struct ampel_journal *asleep_journal;
    struct ampel_wiring *asleep; /* a worker that stands still; NULL: none */
    bool ended[AMPEL_STAGES_MAX], again[AMPEL_STAGES_MAX];
    int64_t wake_ns[AMPEL_STAGES_MAX];
    const char *fatal;
};

static int64_t world_ms(void *context) {
    const struct ampel_world *world = context;
    return world->options.start_ms + world->ns / NS_PER_MS;
}

static int64_t world_ns(void *context) {
    return ((const struct ampel_world *)context)->ns;
}

static void *memory_take(void *context, size_t size, size_t alignment) {
    (void)context;
    size_t whole = (size + alignment - 1) / alignment * alignment;
    return aligned_alloc(alignment < sizeof(void *) ? sizeof(void *) : alignment, whole);
}

static void memory_give(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

void ampel_world_options_init(struct ampel_world_options *options) {
    *options = (struct ampel_world_options){
        .seed = 1,
        .start_ms = INT64_C(1790000000000),
        .partitions = 8,
        .shards_count = 2,
        .scribes_count = 2,
        .checkpoint_every_ms = 1000,
        .orders_rows_every_ms = 0,
        .copy_units = 1,
        .unstored_bytes_max = 64 * 1024 * 1024,
        .inflight_bytes_max = 8 * 1024 * 1024,
        .accounts_per_tenant_max = 1000000,
        .segment_bytes = 1024 * 1024,
        .journal_bytes_max = 64 * 1024 * 1024,
    };
}

struct ampel_world *ampel_world_open(const struct ampel_world_options *options) {
    AMPEL_ASSERT(options->shards_count <= AMPEL_SHARDS_MAX);
    struct ampel_world *world = calloc(1, sizeof(*world));
    AMPEL_ASSERT(world != NULL);
    world->options = *options;
    world->random.state = options->seed;
    world->ns = 1000 * NS_PER_MS;
    world->disk = memory_disk_open();
    world->database = ampel_memory_database_open(SYSTEM_ID, options->partitions);
    world->feeders = ampel_loopback_open();
    world->watchers = ampel_loopback_open();
    const struct ampel_memory memory = {.take = memory_take, .give = memory_give};
    for (uint32_t i = 0; i < options->shards_count; i++)
        world->memories[i] = options->memory == NULL ? memory : *options->memory;
    return world;
}

void ampel_world_close(struct ampel_world *world) {
    if (world == NULL) return;
    ampel_world_kill(world, false);
    (void)ampel_world_wake_scribe(world, 0);
    memory_disk_close(world->disk);
    ampel_memory_database_close(world->database);
    ampel_loopback_close(world->feeders);
    ampel_loopback_close(world->watchers);
    free(world);
}

struct ampel_memory_database *ampel_world_database(struct ampel_world *world) {
    return world->database;
}
struct memory_disk *ampel_world_disk(struct ampel_world *world) {
    return world->disk;
}
struct ampel_loopback *ampel_world_feeders(struct ampel_world *world) {
    return world->feeders;
}
struct ampel_loopback *ampel_world_watchers(struct ampel_world *world) {
    return world->watchers;
}
int64_t ampel_world_now_ms(const struct ampel_world *world) {
    return world_ms((void *)world);
}
int64_t ampel_world_monotonic_ms(const struct ampel_world *world) {
    return world->ns / NS_PER_MS;
}
bool ampel_world_lives(const struct ampel_world *world) {
    return world->wiring != NULL;
}
const char *ampel_world_fatal(const struct ampel_world *world) {
    return world->fatal;
}

struct ampel_journal *ampel_world_journal(struct ampel_world *world) {
    return world->journal;
}

void ampel_world_rules(struct ampel_world *world, const struct ampel_rules *rules) {
    world->options.rules = rules;
}

/* ---- the worker's life ---------------------------------------------------------------------- */

bool ampel_world_start(struct ampel_world *world, struct ampel_error *error) {
    AMPEL_ASSERT(world->wiring == NULL);
    if (world->options.disk_open != NULL &&
        !world->options.disk_open(world->options.disk_context, &world->real)) {
        return ampel_error_set(error, "", "the disk does not open");
    }
    struct ampel_journal_options journal = {
        .disk = world->options.disk_open == NULL ? memory_disk_process(world->disk) : world->real,
        .system_id = SYSTEM_ID,
        .segment_bytes = world->options.segment_bytes,
        .bytes_max = world->options.journal_bytes_max,
        .group_bytes_max = 64 * 1024,
    };
    if (ampel_journal_open(&journal, &world->journal, error) != AMPEL_JOURNAL_OK) {
        if (world->options.disk_close != NULL) world->options.disk_close(&world->real);
        return false;
    }
    struct ampel_wiring_options options = {
        .clock = {.context = world, .now_ms = world_ms, .monotonic_ns = world_ns},
        .rules = world->options.rules,
        .memories = world->memories,
        .journal = world->journal,
        .feeders = {.fds = ampel_loopback_fds, .tenants = ampel_loopback_tenants},
        .watchers = {.fds = ampel_loopback_fds, .tenants = ampel_loopback_tenants},
        .partitions = world->options.partitions,
        .shards_count = world->options.shards_count,
        .scribes_count = world->options.scribes_count,
        .checkpoint_every_ms = world->options.checkpoint_every_ms,
        .checkpoint_share = world->options.checkpoint_share,
        .orders_rows_every_ms = world->options.orders_rows_every_ms,
        .copy_units = world->options.copy_units,
        .inflight_bytes_max = world->options.inflight_bytes_max,
        .unstored_bytes_max = world->options.unstored_bytes_max,
        .accounts_per_tenant_max = world->options.accounts_per_tenant_max,
        .violations_per_account_max = AMPEL_ACCOUNT_VIOLATIONS_MAX,
        .producers_per_tenant_max = AMPEL_PRODUCERS_PER_TENANT_MAX,
        .clock_is_right = world->options.clock_is_right,
    };
    for (uint32_t i = 0; i < options.scribes_count; i++)
        ampel_memory_database_face_of(world->database, i, &options.databases[i]);
    ampel_loopback_face(world->feeders, &options.feeders.network);
    ampel_loopback_face(world->watchers, &options.watchers.network);
    if (!ampel_wiring_open(&options, &world->wiring)) {
        ampel_journal_close(world->journal);
        world->journal = NULL;
        if (world->options.disk_close != NULL) world->options.disk_close(&world->real);
        return ampel_error_set(error, "", "no memory");
    }
    world->fatal = NULL;
    for (uint32_t i = 0; i < AMPEL_STAGES_MAX; i++) {
        world->ended[i] = false;
        world->again[i] = true; /* a thread turns before it waits */
        world->wake_ns[i] = INT64_MAX;
    }
    return true;
}

/* Nothing of the worker is left; disk and database stay as they are. */
static void bury(struct ampel_world *world) {
    ampel_wiring_close(world->wiring);
    world->wiring = NULL;
    ampel_journal_close(world->journal);
    world->journal = NULL;
    if (world->options.disk_close != NULL) world->options.disk_close(&world->real);
    ampel_loopback_reset(world->feeders);
    ampel_loopback_reset(world->watchers);
    for (uint32_t i = 0; i < world->options.scribes_count; i++) {
        struct ampel_database face;
        ampel_memory_database_face_of(world->database, i, &face);
        face.close(face.context);
    }
}

void ampel_world_kill(struct ampel_world *world, bool power) {
    if (world->wiring == NULL) return;
    /* First the disk, so that closing can write nothing that dying would not have. */
    if (power)
        memory_disk_crash(world->disk, ampel_random_next(&world->random));
    else
        memory_disk_restart(world->disk);
    bury(world);
}

void ampel_world_pause(struct ampel_world *world) {
    AMPEL_ASSERT(world->wiring != NULL);
    (void)ampel_world_wake_scribe(world, 0);
    memory_disk_restart(world->disk);
    world->asleep = world->wiring;
    world->asleep_journal = world->journal;
    world->wiring = NULL;
    world->journal = NULL;
    ampel_loopback_reset(world->feeders);
    ampel_loopback_reset(world->watchers);
}

bool ampel_world_wake_scribe(struct ampel_world *world, uint32_t turns) {
    if (world->asleep == NULL) return false;
    for (uint32_t i = 1; i <= world->options.scribes_count; i++) {
        struct ampel_stage scribe = ampel_wiring_stage(world->asleep, ampel_wiring_stages_count(world->asleep) - i);
        enum ampel_turn turn = AMPEL_TURN_AGAIN;
        for (uint32_t k = 0; k < turns && turn == AMPEL_TURN_AGAIN; k++) {
            int64_t wake_ns = INT64_MAX;
            turn = scribe.turn(scribe.context, &wake_ns);
        }
    }
    ampel_memory_database_notify(world->database);
    ampel_wiring_close(world->asleep);
    ampel_journal_close(world->asleep_journal);
    world->asleep = NULL;
    world->asleep_journal = NULL;
    return true;
}

bool ampel_world_end(struct ampel_world *world) {
    AMPEL_ASSERT(world->wiring != NULL);
    if (!ampel_wiring_stop(world->wiring)) return false;
    ampel_world_settle(world);
    for (uint32_t i = 0; i < ampel_wiring_stages_count(world->wiring); i++) {
        if (!world->ended[i]) return false;
    }
    return true;
}

bool ampel_world_stop(struct ampel_world *world) {
    if (!ampel_world_end(world)) return false;
    ampel_world_bury(world);
    return true;
}

void ampel_world_bury(struct ampel_world *world) {
    memory_disk_restart(world->disk);
    bury(world);
}

/* ---- time ----------------------------------------------------------------------------------- */

void ampel_world_clock_jump(struct ampel_world *world, int64_t span_ms) {
    world->options.start_ms += span_ms;
}

void ampel_world_linger(struct ampel_world *world, int64_t span_ms) {
    world->ns += span_ms * NS_PER_MS;
}

void ampel_world_clock_is_right(struct ampel_world *world, bool right) {
    world->options.clock_is_right = right;
}

/* Whether the thread around the stage would turn it now. */
static bool awake(const struct ampel_world *world, uint32_t index) {
    if (world->ended[index]) return false;
    if (world->again[index] || world->wake_ns[index] <= world->ns) return true;
    struct ampel_stage stage = ampel_wiring_stage(world->wiring, index);
    int fds[FDS_MAX];
    struct pollfd polled[FDS_MAX];
    uint32_t count = stage.fds(stage.context, fds, FDS_MAX);
    for (uint32_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    return poll(polled, count, 0) > 0;
}

static void turn_stage(struct ampel_world *world, uint32_t index) {
    struct ampel_stage stage = ampel_wiring_stage(world->wiring, index);
    world->wake_ns[index] = INT64_MAX;
    enum ampel_turn turn = stage.turn(stage.context, &world->wake_ns[index]);
    world->again[index] = turn == AMPEL_TURN_AGAIN;
    world->ended[index] = turn == AMPEL_TURN_ENDED || turn == AMPEL_TURN_FATAL;
    if (turn == AMPEL_TURN_FATAL && world->fatal == NULL) world->fatal = stage.name;
    if (world->options.turned != NULL) world->options.turned(world->options.turned_context);
}

bool ampel_world_turn(struct ampel_world *world) {
    AMPEL_ASSERT(world->wiring != NULL);
    uint32_t order[AMPEL_STAGES_MAX];
    uint32_t count = ampel_wiring_stages_count(world->wiring);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    bool turned = false;
    for (uint32_t left = count; left > 0; left--) {
        uint32_t pick = (uint32_t)ampel_random_below(&world->random, left);
        if (awake(world, order[pick])) {
            turn_stage(world, order[pick]);
            turned = true;
        }
        order[pick] = order[left - 1];
    }
    return turned;
}

void ampel_world_settle(struct ampel_world *world) {
    uint32_t rounds = 0;
    while (ampel_world_turn(world))
        AMPEL_ASSERT(++rounds < ROUNDS_MAX);
}

void ampel_world_pass(struct ampel_world *world, int64_t span_ms) {
    int64_t until_ns = world->ns + span_ms * NS_PER_MS;
    if (world->wiring == NULL) world->ns = until_ns;
    while (world->ns < until_ns) {
        ampel_world_settle(world);
        int64_t next_ns = until_ns;
        for (uint32_t i = 0; i < ampel_wiring_stages_count(world->wiring); i++) {
            if (world->wake_ns[i] < next_ns) next_ns = world->wake_ns[i];
        }
        /* The clock shows whole milliseconds to some and nanoseconds to others: it moves by one at
         * least. */
        world->ns = next_ns > world->ns + NS_PER_MS ? next_ns : world->ns + NS_PER_MS;
    }
    if (world->wiring != NULL) ampel_world_settle(world);
}

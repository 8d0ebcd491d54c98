#include "workers/shard_store.h"

#include <stdlib.h>

#include "workers/metrics.h"

/* One piece of a copy, in microseconds about. Where frames wait they have the shard for so many times as long behind each
   piece, and behind each copy for so many times as long as all of it took, so that copies never take more than a fifth. */
#define COPY_UNITS_DEFAULT 500
#define COPY_PAUSE_SHARE   4
#define NS_PER_US          INT64_C(1000)
#define NS_PER_MS          INT64_C(1000000)
/* A partition in which nothing happens moves its stored position this often. */
#define MOVE_EVERY_MS 5000
/* What has been due for so many times checkpoint_every rests no more; for twice as many, it waits for no other checkpoint either. */
#define REST_EVERIES_MAX 29
/* Checkpoints that a shard has on their way at once: enough that the scribe never waits for one. More would be rows that wait and
   grow old, and the room that they take is better kept for what is told. */
#define UNDER_WAY_MAX 4

struct ampel_shard_store {
    struct ampel_shard_store_options options;
    struct ampel_checkpoint_builder *builder;
    uint64_t copied_bytes;                 /* of checkpoints under way */
    uint32_t under_way_count;
    int64_t scan_ns;                       /* when to look for partitions to store */
    int64_t rest_ns;                       /* storing took its share until then */
    int64_t held_ns;                       /* until then what is due waits for the share, unless room gets short */
    struct ampel_shard_partition *copying; /* whose checkpoint is being built; NULL: none */
    uint64_t copying_gathered_bytes;       /* of its size, what was gathered and counted before */
    int64_t copy_begun_ns;
    int64_t copy_ns;                       /* frames that wait come first until then */
};

bool ampel_shard_store_open(const struct ampel_shard_store_options *options, struct ampel_shard_store **out) {
    struct ampel_shard_store *store = calloc(1, sizeof *store);
    if (store == NULL) return false;
    store->options = *options;
    if (store->options.checkpoint_share == 0) store->options.checkpoint_share = 100;
    store->scan_ns = INT64_MAX;
    store->held_ns = INT64_MIN;
    store->builder = ampel_checkpoint_builder_open();
    if (store->builder == NULL) {
        free(store);
        return false;
    }
    *out = store;
    return true;
}

void ampel_shard_store_close(struct ampel_shard_store *store) {
    if (store == NULL) return;
    ampel_checkpoint_builder_close(store->builder);
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, -store->copied_bytes);
    free(store);
}

/* ---- rests ---------------------------------------------------------------------------------- */

static bool rests(const struct ampel_shard_store *store) {
    return store->options.checkpoint_share < 100 && !ampel_shard_pace_pressed(store->options.pace);
}

/* So long a rest is at most. */
static int64_t rest_most_ns(const struct ampel_shard_store *store) {
    return REST_EVERIES_MAX * store->options.checkpoint_every_ms * NS_PER_MS;
}

/* A checkpoint took so long of the shard's part of the share. */
static void rest_add(struct ampel_shard_store *store, int64_t spent_ns) {
    const struct ampel_clock *clock = &store->options.clock;
    if (!rests(store)) return;
    int64_t now_ns = clock->monotonic_ns(clock->context);
    if (store->rest_ns < now_ns) store->rest_ns = now_ns;
    store->rest_ns += spent_ns * store->options.shards_count * 100 / store->options.checkpoint_share - spent_ns;
    if (store->rest_ns > now_ns + rest_most_ns(store)) store->rest_ns = now_ns + rest_most_ns(store);
}

/* Until when what has been due since a time has to wait. */
static int64_t rest_until_ns(const struct ampel_shard_store *store, int64_t due_ns) {
    if (!rests(store)) return due_ns;
    int64_t late_ns = due_ns + rest_most_ns(store);
    if (store->under_way_count > 0) return late_ns + rest_most_ns(store);
    return store->rest_ns < late_ns ? store->rest_ns : late_ns;
}

/* ---- what happens to a partition ------------------------------------------------------------ */

static int64_t changed_due_ns(const struct ampel_shard_store *store, const struct ampel_shard_partition *partition) {
    return partition->built_ns + store->options.checkpoint_every_ms * NS_PER_MS;
}

/* Partitions are looked at again at this time. */
static void scan_by(struct ampel_shard_store *store, int64_t at_ns) {
    if (at_ns < store->scan_ns) store->scan_ns = at_ns;
}

void ampel_shard_store_loaded(const struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t position,
                              int64_t now_ns) {
    partition->stored = position;
    partition->built_ns = now_ns;
    /* Spread, so that not all partitions write such rows at one time. */
    int64_t every_ns = store->options.orders_rows_every_ms * NS_PER_MS;
    partition->orders_rows_ns = now_ns - every_ns / store->options.spread_count * (int64_t)partition->number;
}

void ampel_shard_store_told(struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t bytes) {
    partition->open_bytes += bytes;
    ampel_shard_pace_told(store->options.pace, bytes);
    if (ampel_shard_pace_pressed(store->options.pace)) scan_by(store, 0);
}

void ampel_shard_store_moved(struct ampel_shard_store *store, const struct ampel_shard_partition *partition) {
    scan_by(store, changed_due_ns(store, partition));
}

void ampel_shard_store_rows_due(struct ampel_shard_partition *partition) {
    partition->orders_rows_ns = INT64_MIN / 2;
    partition->told = true;
}

void ampel_shard_store_committed(struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t position,
                                 int64_t spent_ns) {
    AMPEL_ASSERT(partition->under_way);
    rest_add(store, spent_ns);
    store->held_ns = INT64_MIN;
    partition->stored = position;
    partition->under_way = false;
    store->under_way_count--;
    ampel_shard_pace_stored(store->options.pace, partition->under_way_bytes);
    partition->under_way_bytes = 0;
    store->copied_bytes -= partition->copied_bytes;
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, -partition->copied_bytes);
    partition->copied_bytes = 0;
    scan_by(store, ampel_shard_pace_pressed(store->options.pace) ? 0 : changed_due_ns(store, partition));
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* Copies may take half as much again as what is told, but for the last one. */
static bool enough_under_way(const struct ampel_shard_store *store) {
    return store->under_way_count >= UNDER_WAY_MAX || store->copied_bytes >= store->options.unstored_bytes_max / 2;
}

static bool orders_rows_due(const struct ampel_shard_store *store, const struct ampel_shard_partition *partition,
                            int64_t now_ns) {
    return now_ns >= partition->orders_rows_ns + store->options.orders_rows_every_ms * NS_PER_MS;
}

/* When the partition should be stored; INT64_MAX: not before something else happens. While too much is told and not stored, the
   one that told most comes first. */
static int64_t due_ns(const struct ampel_shard_store *store, const struct ampel_shard_partition *partition) {
    if (partition->engine == NULL || partition->under_way || partition->advancing ||
        partition->position == partition->stored) {
        return INT64_MAX;
    }
    if (ampel_shard_pace_pressed(store->options.pace) && partition->open_bytes > 0) return -(int64_t)partition->open_bytes;
    int64_t changed_ns = changed_due_ns(store, partition);
    if (partition->told || ampel_engine_page_dirty_next(partition->engine, 0) != UINT32_MAX)
        return changed_ns;
    int64_t moved_ns = partition->built_ns + MOVE_EVERY_MS * NS_PER_MS;
    int64_t orders_ns = INT64_MAX;
    if (partition->gathered.waiting_count > 0)
        orders_ns = partition->orders_rows_ns + store->options.orders_rows_every_ms * NS_PER_MS;
    if (orders_ns < moved_ns) moved_ns = orders_ns;
    return moved_ns > changed_ns ? moved_ns : changed_ns;
}

/* Begins the partition's checkpoint; ampel_shard_store_go_on goes on with it. */
static bool copy_begin(struct ampel_shard_store *store, struct ampel_shard_partition *partition, int64_t now_ns, bool last) {
    bool orders_rows = last || orders_rows_due(store, partition, now_ns);
    struct ampel_checkpoint_source source = {
        .engine = partition->engine,
        .gathered = &partition->gathered,
        .partition = partition->number,
        .epoch = partition->epoch,
        .position_old = partition->stored,
        .position_new = partition->position,
        .rules_number = partition->rules_number,
        .rules_recoloured = partition->rules_recoloured,
        .orders_rows = orders_rows,
        .last = last,
    };
    AMPEL_ASSERT(store->copying == NULL);
    store->copying_gathered_bytes = partition->gathered.size_bytes;
    if (!ampel_checkpoint_begin(store->builder, &source)) return ampel_shard_partition_starved(partition);
    store->copying = partition;
    store->copy_begun_ns = now_ns;
    if (orders_rows) partition->orders_rows_ns = now_ns;
    partition->built_ns = now_ns;
    partition->under_way = true;
    store->under_way_count++;
    partition->told = false;
    partition->under_way_bytes = partition->open_bytes;
    ampel_shard_pace_under_way(store->options.pace, partition->open_bytes);
    partition->open_bytes = 0;
    return true;
}

/* When to look at the partitions next. */
static int64_t wake_ns(const struct ampel_shard_store *store) {
    return rests(store) && store->held_ns > store->scan_ns ? store->held_ns : store->scan_ns;
}

bool ampel_shard_store_begin(struct ampel_shard_store *store, int64_t now_ns, bool waiting, bool *more) {
    if (now_ns < wake_ns(store) || store->copying != NULL || enough_under_way(store)) return true;
    if (waiting && now_ns < store->copy_ns) return true;
    struct ampel_shard_partition *first = NULL;
    int64_t first_ns = INT64_MAX;
    for (uint32_t i = 0; i < store->options.partitions_count; i++) {
        int64_t at_ns = due_ns(store, &store->options.partitions[i]);
        if (at_ns >= first_ns) continue;
        first_ns = at_ns;
        first = &store->options.partitions[i];
    }
    store->scan_ns = first_ns;
    if (first == NULL || first_ns > now_ns) return true;
    store->held_ns = rest_until_ns(store, first_ns);
    if (store->held_ns > now_ns) return true;
    *more = true;
    return copy_begin(store, first, now_ns, false);
}

bool ampel_shard_store_last(struct ampel_shard_store *store, int64_t now_ns, bool held, bool *all) {
    *all = store->copying == NULL;
    for (uint32_t i = 0; i < store->options.partitions_count; i++) {
        struct ampel_shard_partition *partition = &store->options.partitions[i];
        if (partition->finished) continue;
        if (held || store->copying != NULL || partition->under_way) {
            *all = false;
            continue;
        }
        partition->finished = true;
        bool moved = partition->engine != NULL && partition->position != partition->stored;
        if (moved && !copy_begin(store, partition, now_ns, true)) return false;
        if (moved) *all = false;
    }
    return true;
}

int64_t ampel_shard_store_wake_ns(const struct ampel_shard_store *store) {
    return enough_under_way(store) ? INT64_MAX : wake_ns(store);
}

/* ---- copying -------------------------------------------------------------------------------- */

bool ampel_shard_store_hurry(struct ampel_shard_store *store, struct ampel_parcel **out) {
    struct ampel_shard_partition *partition = store->copying;
    uint32_t units = store->options.copy_units > 0 ? store->options.copy_units : COPY_UNITS_DEFAULT;
    bool done;
    *out = NULL;
    if (!ampel_checkpoint_go_on(store->builder, units, &done)) return ampel_shard_partition_starved(partition);
    if (!done) return true;
    struct ampel_checkpoint *checkpoint;
    uint64_t size_bytes;
    ampel_checkpoint_end(store->builder, &checkpoint, &size_bytes);
    /* The changes told go along; what was gathered is counted in the size already. */
    size_bytes -= store->copying_gathered_bytes;
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, size_bytes);
    partition->copied_bytes = size_bytes;
    store->copied_bytes += size_bytes;
    store->copying = NULL;
    store->copy_ns = store->copy_begun_ns +
                     (1 + COPY_PAUSE_SHARE) * NS_PER_US * (int64_t)ampel_checkpoint_spent(store->builder);
    scan_by(store, 0);
    *out = &checkpoint->parcel;
    return true;
}

bool ampel_shard_store_go_on(struct ampel_shard_store *store, bool waiting, bool *more, struct ampel_parcel **out) {
    const struct ampel_clock *clock = &store->options.clock;
    *out = NULL;
    if (store->copying == NULL) return true;
    int64_t now_ns = clock->monotonic_ns(clock->context);
    *more = true;
    if (waiting && now_ns < store->copy_ns) return true;
    if (!ampel_shard_store_hurry(store, out)) return false;
    if (store->copying == NULL) return true;
    int64_t then_ns = clock->monotonic_ns(clock->context);
    store->copy_ns = then_ns + COPY_PAUSE_SHARE * (then_ns - now_ns);
    return true;
}

bool ampel_shard_store_copies(const struct ampel_shard_store *store, const struct ampel_shard_partition *partition) {
    return store->copying == partition;
}

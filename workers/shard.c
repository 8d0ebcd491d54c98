/* A turn: take what the scribe says, store a partition that is due, then go on with records. At
   most one thing waits for room at the publisher (`held`); nothing more is made meanwhile, so
   memory stays bounded and nothing is lost. */
#include "workers/shard.h"

#include <stdlib.h>

#include "engine/outlook.h"
#include "proto/record.h"
#include "workers/ahead.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/parcel.h"
#include "workers/shard_import.h"
#include "workers/shard_pace.h"
#include "workers/shard_partition.h"
#include "workers/shard_store.h"
#include "workers/shard_tell.h"

/* Work of one turn: so many steps of frames, and so many units of advancing in each of them. */
#define TURN_STEPS_MAX    64
#define ADVANCE_STEPS_MAX 4096
#define COUNT_EVERY_NS    INT64_C(1000000000)

struct ampel_shard {
    struct ampel_shard_options options;
    uint32_t partitions_count, loaded_count;
    struct ampel_shard_partition *partitions; /* ascending numbers: shard_index, + shards_count, ... */
    struct ampel_shard_pace pace;
    struct ampel_shard_store *store;
    struct ampel_shard_import *import;
    struct ampel_record_reader *reader;
    struct ampel_parcel *held;            /* waits for room at the publisher */
    bool handed;                          /* something to the publisher, who may not be awake */
    struct ampel_parcel_windows *windows; /* waits for room at the gateway */
    struct ampel_parcel_record *record;   /* being read */
    uint32_t cursor;
    struct ampel_ahead ahead;
    bool rules_due;  /* it may bring rules: looked at when its first frame is due */
    bool frame_open; /* `frame` is read and not applied */
    bool rules_open; /* the record brings the rules at hand */
    struct ampel_frame frame;
    bool stopping, stop_sent;
    bool waiting;     /* the last turn left frames behind */
    int64_t count_ns; /* when to bring the gauges up to date */
};

/* ---- opening -------------------------------------------------------------------------------- */

static bool open_parts(struct ampel_shard *shard) {
    uint32_t count = shard->partitions_count;
    shard->partitions = calloc(count == 0 ? 1 : count, sizeof(shard->partitions[0]));
    shard->reader = ampel_record_reader_open();
    if (shard->partitions == NULL || shard->reader == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        shard->partitions[i].number = shard->options.shard_index + i * shard->options.shards_count;
        if (!ampel_gathered_init(&shard->partitions[i].gathered)) return false;
    }
    const struct ampel_shard_options *options = &shard->options;
    const struct ampel_shard_store_options store = {
        .clock = options->clock,
        .checkpoint_every_ms = options->checkpoint_every_ms,
        .checkpoint_share = options->checkpoint_share,
        .shards_count = options->shards_count,
        .orders_rows_every_ms = options->orders_rows_every_ms,
        .copy_units = options->copy_units,
        .unstored_bytes_max = options->unstored_bytes_max,
        .spread_count = options->partitions,
        .partitions = shard->partitions,
        .partitions_count = count,
        .pace = &shard->pace,
    };
    const struct ampel_shard_import_options import = {
        .memory = options->memory,
        .rules = options->rules,
        .partitions = options->partitions,
        .accounts_per_tenant_max = options->accounts_per_tenant_max,
        .violations_per_account_max = options->violations_per_account_max,
        .told = options->shard_index == 0,
    };
    return ampel_shard_store_open(&store, &shard->store) && ampel_shard_import_open(&import, &shard->import);
}

bool ampel_shard_open(const struct ampel_shard_options *options, struct ampel_shard **out) {
    AMPEL_ASSERT(options->shard_index < options->shards_count);
    struct ampel_shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL) return false;
    shard->options = *options;
    if (options->shard_index < options->partitions) {
        uint32_t beyond = options->partitions - options->shard_index;
        shard->partitions_count = (beyond + options->shards_count - 1) / options->shards_count;
    }
    ampel_shard_pace_init(&shard->pace, options->unstored_bytes_max);
    ampel_metric_add(AMPEL_METRIC_PARTITIONS, shard->partitions_count);
    if (!open_parts(shard)) {
        ampel_shard_close(shard);
        return false;
    }
    ampel_queue_on_room(options->publisher, ampel_queue_fd(options->in));
    ampel_queue_on_room(options->gateway, ampel_queue_fd(options->in));
    *out = shard;
    return true;
}

void ampel_shard_close(struct ampel_shard *shard) {
    if (shard == NULL) return;
    ampel_shard_store_close(shard->store);
    for (uint32_t i = 0; shard->partitions != NULL && i < shard->partitions_count; i++) {
        struct ampel_shard_partition *partition = &shard->partitions[i];
        ampel_shard_partition_uncount(partition);
        ampel_engine_close(partition->engine);
        ampel_gathered_reset(&partition->gathered);
    }
    ampel_metric_add(AMPEL_METRIC_PARTITIONS, -(uint64_t)shard->partitions_count);
    ampel_shard_pace_close(&shard->pace);
    if (shard->held != NULL) ampel_parcel_free(shard->held);
    if (shard->windows != NULL) ampel_parcel_free(&shard->windows->parcel);
    if (shard->record != NULL) ampel_parcel_record_release(shard->record);
    ampel_shard_import_close(shard->import);
    if (shard->reader != NULL) ampel_record_reader_close(shard->reader);
    free(shard->partitions);
    free(shard);
}

/* ---- accounting ----------------------------------------------------------------------------- */

/* How many records may wait in front of the shard follows from its pauses. */
static void pace(struct ampel_shard *shard, int64_t now_ns) {
    ampel_queue_depth_set(shard->options.records, ampel_shard_pace_renew(&shard->pace, now_ns));
}

/* A record is done. */
static void pace_record(struct ampel_shard *shard) {
    int64_t now_ns = shard->options.clock.monotonic_ns(shard->options.clock.context);
    ampel_queue_depth_set(shard->options.records, ampel_shard_pace_record(&shard->pace, now_ns));
}

static void count_engines(struct ampel_shard *shard, int64_t now_ns) {
    if (now_ns < shard->count_ns) return;
    shard->count_ns = now_ns + COUNT_EVERY_NS;
    for (uint32_t i = 0; i < shard->partitions_count; i++)
        ampel_shard_partition_count(&shard->partitions[i]);
}

/* ---- handing on ----------------------------------------------------------------------------- */

/* Nothing may be made while something is held. A frame tells little, and a turn has many: the publisher is woken once for all of
   them, where the turn stirs it. */
static void hand_on(struct ampel_shard *shard, struct ampel_parcel *parcel) {
    AMPEL_ASSERT(shard->held == NULL);
    shard->handed = true;
    if (!ampel_queue_push_quietly(shard->options.publisher, parcel)) shard->held = parcel;
}

static void flush_held(struct ampel_shard *shard) {
    if (shard->held == NULL) return;
    shard->handed = true;
    if (ampel_queue_push_quietly(shard->options.publisher, shard->held)) shard->held = NULL;
}

static void stir(struct ampel_shard *shard) {
    if (shard->handed) ampel_queue_stir(shard->options.publisher);
    shard->handed = false;
}

static void flush_windows(struct ampel_shard *shard) {
    if (shard->windows != NULL && ampel_queue_push(shard->options.gateway, shard->windows))
        shard->windows = NULL;
}

/* The engine's changes become one parcel for the publisher and rows of the next checkpoint. */
static bool tell(struct ampel_shard *shard, struct ampel_shard_partition *partition,
                 const struct ampel_frame *frame) {
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(partition->engine, &count);
    if (count == 0) return true;
    struct ampel_parcel_out *out = NULL;
    uint64_t out_bytes, before_bytes = partition->gathered.size_bytes;
    if (!ampel_shard_tell(partition->engine, partition->number, changes, count, &out, &out_bytes) ||
        !ampel_shard_gather(partition->engine, frame, changes, count, &partition->gathered)) {
        if (out != NULL) ampel_parcel_out_free(out);
        return false;
    }
    ampel_engine_changes_clear(partition->engine);
    partition->told = true;
    ampel_shard_store_told(shard->store, partition, out_bytes + partition->gathered.size_bytes - before_bytes);
    if (out == NULL) return true;
    out->position = frame != NULL || shard->frame_open ? shard->frame.position : partition->position;
    hand_on(shard, &out->parcel);
    return true;
}

/* ---- engines -------------------------------------------------------------------------------- */

static struct ampel_shard_partition *partition_of(const struct ampel_shard *shard, uint32_t number) {
    if (number % shard->options.shards_count != shard->options.shard_index) return NULL;
    uint32_t index = number / shard->options.shards_count;
    return index < shard->partitions_count ? &shard->partitions[index] : NULL;
}

static const struct ampel_engine *engine_of(const void *context, uint32_t partition_number) {
    const struct ampel_shard_partition *partition = partition_of(context, partition_number);
    return partition != NULL ? partition->engine : NULL;
}

/* Imports a partition. What changed by it (other rules than before) is told as soon as there is
 * room. False: fatal. */
static bool take_loaded(struct ampel_shard *shard, const struct ampel_parcel_loaded *loaded,
                        int64_t now_ns) {
    struct ampel_shard_partition *partition = partition_of(shard, loaded->partition);
    AMPEL_ASSERT(partition != NULL && !partition->loaded);
    partition->epoch = loaded->epoch;
    partition->position = loaded->position;
    ampel_shard_store_loaded(shard->store, partition, loaded->position, now_ns);
    if (loaded->meta != NULL && !ampel_shard_import_pages(shard->import, partition, loaded)) return false;
    partition->loaded = true;
    partition->untold = partition->engine != NULL;
    shard->loaded_count++;
    return true;
}

static bool tell_imported(struct ampel_shard *shard) {
    for (uint32_t i = 0; i < shard->partitions_count && shard->held == NULL; i++) {
        struct ampel_shard_partition *partition = &shard->partitions[i];
        if (!partition->untold) continue;
        partition->untold = false;
        if (!tell(shard, partition, NULL)) return false;
    }
    return true;
}

/* ---- from the scribe ------------------------------------------------------------------------ */

static bool take_committed(struct ampel_shard *shard,
                           const struct ampel_parcel_committed *committed) {
    struct ampel_shard_partition *partition = partition_of(shard, committed->partition);
    AMPEL_ASSERT(partition != NULL);
    if (committed->fenced) {
        ampel_log(AMPEL_LOG_ERROR, "shard", "the partition has another owner", "partition", "%u",
                  partition->number, NULL);
        return false;
    }
    ampel_shard_store_committed(shard->store, partition, committed->position, committed->spent_ns);
    return true;
}

/* One import a turn at most; *more: there may be more to take. */
static bool take_control(struct ampel_shard *shard, int64_t now_ns, bool *more) {
    struct ampel_parcel *parcel;
    while (!*more && (parcel = ampel_queue_pop(shard->options.in)) != NULL) {
        bool fine;
        if (parcel->kind == AMPEL_PARCEL_LOADED) {
            fine = take_loaded(shard, (struct ampel_parcel_loaded *)parcel, now_ns);
            *more = true;
        } else {
            AMPEL_ASSERT(parcel->kind == AMPEL_PARCEL_COMMITTED);
            fine = take_committed(shard, (struct ampel_parcel_committed *)parcel);
        }
        ampel_parcel_free(parcel);
        if (!fine) return false;
    }
    return true;
}

/* ---- records -------------------------------------------------------------------------------- */

/* One slice of the way to the frame's stamp; *done when it is reached. */
static bool advance(struct ampel_shard *shard, struct ampel_shard_partition *partition, bool *done) {
    const struct ampel_frame *frame = &shard->frame;
    if (partition->engine == NULL &&
        ampel_shard_import_fresh(shard->import, partition, frame->stamp_ms) != AMPEL_ENGINE_OK) {
        return ampel_shard_partition_starved(partition);
    }
    ampel_engine_position_set(partition->engine, frame->position);
    if (ampel_engine_advance(partition->engine, frame->stamp_ms, ADVANCE_STEPS_MAX, done) !=
            AMPEL_ENGINE_OK ||
        !tell(shard, partition, NULL)) {
        return ampel_shard_partition_starved(partition);
    }
    partition->advancing = !*done;
    return true;
}

static uint64_t recoloured(const struct ampel_engine *engine) {
    uint32_t count;
    uint64_t colours = 0;
    const struct ampel_change *changes = ampel_engine_changes(engine, &count);
    for (uint32_t i = 0; i < count; i++)
        colours += changes[i].kind == AMPEL_CHANGE_COLOUR;
    return colours;
}

/* The record's rules from now on. All rows of the partition are written with the next checkpoint: each names its
   rules, and ranges may be others where scores are not. */
static bool apply_rules(struct ampel_shard *shard, struct ampel_shard_partition *partition) {
    const struct ampel_rule_set *set = ampel_shard_import_rules_at_hand(shard->import);
    if (partition->rules_number >= set->number) return true;
    if (ampel_engine_rules_set(partition->engine, &set->rules) != AMPEL_ENGINE_OK ||
        ampel_engine_variants_set(partition->engine, set->variants, set->variants_count) !=
            AMPEL_ENGINE_OK ||
        !ampel_gathered_wait_all(&partition->gathered,
                                 ampel_engine_accounts_count(partition->engine))) {
        return ampel_shard_partition_starved(partition);
    }
    partition->rules_number = set->number;
    partition->rules_recoloured = recoloured(partition->engine);
    ampel_shard_store_rows_due(partition);
    return tell(shard, partition, NULL) || ampel_shard_partition_starved(partition);
}

static bool apply(struct ampel_shard *shard, struct ampel_shard_partition *partition) {
    const struct ampel_frame *frame = &shard->frame;
    if (shard->rules_open) return apply_rules(shard, partition);
    if (frame->producer.size == 0) return true; /* a tick */
    struct ampel_apply_counts counts;
    if (ampel_engine_apply(partition->engine, frame, &counts) != AMPEL_ENGINE_OK)
        return ampel_shard_partition_starved(partition);
    if (counts.duplicate) {
        ampel_metric_add(AMPEL_METRIC_FRAMES_DUPLICATE, 1);
    } else {
        ampel_metric_add(AMPEL_METRIC_FRAMES_APPLIED, 1);
        ampel_metric_add(AMPEL_METRIC_EVENTS_APPLIED, counts.applied);
        uint64_t before_bytes = partition->gathered.size_bytes;
        if (!ampel_shard_gather_refused(shard->reader, frame, &partition->gathered))
            return ampel_shard_partition_starved(partition);
        uint64_t bytes = partition->gathered.size_bytes - before_bytes;
        if (bytes > 0) partition->told = true;
        ampel_shard_store_told(shard->store, partition, bytes);
    }
    return tell(shard, partition, frame) || ampel_shard_partition_starved(partition);
}

static void end_frame(struct ampel_shard *shard, struct ampel_shard_partition *partition) {
    partition->position = shard->frame.position + shard->record->size;
    shard->frame_open = false;
    ampel_shard_store_moved(shard->store, partition);
    ampel_metric_set(AMPEL_METRIC_LOG_STAMP, shard->frame.stamp_ms / 1000);
}

/* Goes on with the copy by one piece, because the open frame waits for it. */
static bool copy_on(struct ampel_shard *shard) {
    struct ampel_parcel *whole;
    AMPEL_ASSERT(shard->held == NULL);
    if (!ampel_shard_store_hurry(shard->store, &whole)) return false;
    if (whole != NULL) hand_on(shard, whole);
    return true;
}

/* Whether the partition's copy must be whole before its frame goes on: rings turn at midnight, and rules change all. */
static bool copy_first(const struct ampel_shard *shard, const struct ampel_shard_partition *partition) {
    return ampel_shard_store_copies(shard->store, partition) &&
           (shard->rules_open || ampel_engine_midnight_ahead(partition->engine, shard->frame.stamp_ms));
}

/* Moves the open frame one step on: first to its stamp, slice by slice, then its events. */
static bool step_frame(struct ampel_shard *shard) {
    struct ampel_shard_partition *partition = partition_of(shard, shard->frame.partition);
    AMPEL_ASSERT(partition != NULL && partition->loaded);
    if (copy_first(shard, partition)) return copy_on(shard);
    bool done = false;
    if (!advance(shard, partition, &done)) return false;
    if (!done || shard->held != NULL) return true;
    if (!apply(shard, partition)) return false;
    end_frame(shard, partition);
    return true;
}

/* Reads the rules that the record may bring; not before all partitions are imported, which need other sets. */
static bool record_rules(struct ampel_shard *shard) {
    if (!shard->rules_due) return true;
    shard->rules_due = false;
    uint64_t number;
    struct ampel_text text;
    struct ampel_error error = {0};
    shard->rules_open = ampel_record_rules(shard->record->bytes, &number, &text, &error);
    if (shard->rules_open) return ampel_shard_import_rules(shard->import, number, text);
    if (error.reason[0] == 0) return true;
    ampel_log(AMPEL_LOG_ERROR, "shard", "a record of the log cannot be read", "field", "%s",
              error.field, "reason", "%s", error.reason, NULL);
    return false;
}

/* Opens the next frame of the record that is ours and new to its partition; without one the record
 * is done. */
static bool next_frame(struct ampel_shard *shard) {
    struct ampel_error error = {0};
    if (!record_rules(shard)) return false;
    if (shard->cursor == 0) ampel_ahead_begin(&shard->ahead, shard->record->bytes, engine_of, shard);
    while (ampel_record_frame_next(shard->reader, shard->record->bytes, &shard->cursor,
                                   &shard->frame, &error)) {
        ampel_ahead_next(&shard->ahead);
        const struct ampel_shard_partition *partition = partition_of(shard, shard->frame.partition);
        if (partition == NULL || shard->frame.position < partition->position) continue;
        shard->frame_open = true;
        return true;
    }
    if (error.reason[0] != 0) {
        ampel_log(AMPEL_LOG_ERROR, "shard", "a record of the log cannot be read", "field", "%s",
                  error.field, "reason", "%s", error.reason, NULL);
        return false;
    }
    if (shard->record->replay) ampel_metric_add(AMPEL_METRIC_REPLAYED, 1);
    ampel_parcel_record_release(shard->record);
    shard->record = NULL;
    pace_record(shard);
    return true;
}

/* What all partitions know of producers: the gateway waits for it. */
static bool make_windows(struct ampel_shard *shard) {
    shard->windows = ampel_shard_windows_make();
    if (shard->windows == NULL) return false;
    for (uint32_t i = 0; i < shard->partitions_count; i++) {
        const struct ampel_engine *engine = shard->partitions[i].engine;
        if (engine != NULL && !ampel_shard_windows_add(shard->windows, engine)) return false;
    }
    return true;
}

/* Takes the next parcel of the log. *more: there was one. */
static bool take_parcel(struct ampel_shard *shard, bool *more) {
    struct ampel_parcel *parcel = ampel_queue_pop(shard->options.records);
    *more = parcel != NULL;
    if (parcel == NULL) return true;
    if (parcel->kind == AMPEL_PARCEL_RECORD) {
        shard->record = (struct ampel_parcel_record *)parcel;
        shard->cursor = 0;
        shard->rules_open = false;
        shard->rules_due = true;
        return true;
    }
    bool fine = true;
    if (parcel->kind == AMPEL_PARCEL_REPLAYED) {
        fine = make_windows(shard);
    } else {
        AMPEL_ASSERT(parcel->kind == AMPEL_PARCEL_STOP);
        shard->stopping = true;
    }
    ampel_parcel_free(parcel);
    return fine;
}

/* Whether records may be worked on at all; if not, the next COMMITTED, LOADED or room will say so, or the pause ends. */
static bool may_read(const struct ampel_shard *shard) {
    if (shard->held != NULL || shard->stopping) return false;
    if (shard->frame_open) return true;
    if (shard->record != NULL && shard->loaded_count < shard->partitions_count) return false;
    return shard->record != NULL || (!ampel_shard_pace_stalled(&shard->pace) && !ampel_shard_pace_paused(&shard->pace));
}

/* *more: the budget ended before the work did. */
static bool take_records(struct ampel_shard *shard, bool *more) {
    for (uint32_t steps = 0; may_read(shard); steps++) {
        if (steps == TURN_STEPS_MAX) {
            *more = true;
            return true;
        }
        bool fine, parcels = true;
        if (shard->frame_open) {
            fine = step_frame(shard);
        } else if (shard->record != NULL) {
            fine = next_frame(shard);
        } else {
            fine = take_parcel(shard, &parcels);
        }
        if (!fine) return false;
        if (!parcels) return true;
    }
    return true;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

/* A piece of the copy in its turn; hands the checkpoint on once it is whole. */
static bool copy_due(struct ampel_shard *shard, bool waiting, bool *more) {
    struct ampel_parcel *whole;
    if (shard->held != NULL) return true;
    if (!ampel_shard_store_go_on(shard->store, waiting, more, &whole)) return false;
    if (whole != NULL) hand_on(shard, whole);
    return true;
}

/* Stores the partition that has been due longest, if any. *more: there may be another one. */
static bool store_due(struct ampel_shard *shard, int64_t now_ns, bool *more) {
    if (shard->held != NULL || shard->stopping) return true;
    return ampel_shard_store_begin(shard->store, now_ns, shard->waiting, more);
}

/* After STOP. */
static bool store_last(struct ampel_shard *shard, int64_t now_ns) {
    bool all;
    if (!ampel_shard_store_last(shard->store, now_ns, shard->held != NULL, &all)) return false;
    if (!all || shard->held != NULL || shard->stop_sent) return true;
    struct ampel_parcel *stop = malloc(sizeof(*stop));
    if (stop == NULL) return false;
    stop->kind = AMPEL_PARCEL_STOP;
    shard->stop_sent = true;
    hand_on(shard, stop);
    return true;
}

/* ---- the stage ------------------------------------------------------------------------------ */

static int64_t shard_wake_ns(const struct ampel_shard *shard) {
    if (shard->held != NULL || shard->stopping) return INT64_MAX;
    const int64_t resume_ns = ampel_shard_pace_resume_ns(&shard->pace), scan_ns = ampel_shard_store_wake_ns(shard->store);
    return scan_ns < resume_ns ? scan_ns : resume_ns;
}

static enum ampel_turn shard_turn(void *context, int64_t *wake_ns) {
    struct ampel_shard *shard = context;
    int64_t now_ns = shard->options.clock.monotonic_ns(shard->options.clock.context);
    bool more = false, waiting = false, imports = false;
    flush_held(shard);
    if (!take_control(shard, now_ns, &imports) || !tell_imported(shard) ||
        !store_due(shard, now_ns, &more)) {
        return AMPEL_TURN_FATAL;
    }
    pace(shard, now_ns);
    if (!take_records(shard, &waiting)) return AMPEL_TURN_FATAL;
    stir(shard); /* a piece of a copy is no reason to wait */
    if ((shard->stopping && !store_last(shard, now_ns)) || !copy_due(shard, waiting, &more)) return AMPEL_TURN_FATAL;
    stir(shard);
    flush_windows(shard);
    count_engines(shard, now_ns);
    *wake_ns = shard_wake_ns(shard);
    if (shard->stop_sent && shard->held == NULL) return AMPEL_TURN_ENDED;
    /* While the publisher has no room, imports are all there is to do; room wakes us. */
    shard->waiting = waiting;
    more = more || waiting;
    return imports || (more && shard->held == NULL) ? AMPEL_TURN_AGAIN : AMPEL_TURN_IDLE;
}

static uint32_t shard_fds(void *context, int *fds, uint32_t capacity) {
    const struct ampel_shard *shard = context;
    uint32_t count = 0;
    if (count < capacity) fds[count++] = ampel_queue_fd(shard->options.in);
    bool waiting = may_read(shard) && shard->record == NULL;
    if (waiting && count < capacity) fds[count++] = ampel_queue_fd(shard->options.records);
    return count;
}

struct ampel_stage ampel_shard_stage(struct ampel_shard *shard) {
    return (struct ampel_stage){
        .name = "shard", .context = shard, .haste = AMPEL_HASTE_HEAVY, .beside_shards = true, .turn = shard_turn, .fds = shard_fds};
}

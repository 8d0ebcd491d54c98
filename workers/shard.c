/* A turn: take what the scribe says, store a partition that is due, then go on with records. At
   most one thing waits for room at the publisher (`held`); nothing more is made meanwhile, so
   memory stays bounded and nothing is lost. */
#include "workers/shard.h"

#include <stdlib.h>
#include <string.h>

#include "engine/outlook.h"
#include "proto/page.h"
#include "proto/record.h"
#include "proto/rules_file.h"
#include "workers/checkpoint_build.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/pace.h"
#include "workers/parcel.h"
#include "workers/shard_tell.h"

/* Work of one turn: so many steps of frames, and so many units of advancing in each of them. */
#define TURN_STEPS_MAX    64
#define ADVANCE_STEPS_MAX 4096
/* One piece of a copy, in microseconds about. Where frames wait they have the shard for so many times as long behind each
   piece, and behind each copy for so many times as long as all of it took, so that copies never take more than a fifth. */
#define COPY_UNITS_DEFAULT 500
#define COPY_PAUSE_SHARE   4
#define NS_PER_US         INT64_C(1000)
#define NS_PER_MS         INT64_C(1000000)
/* A partition in which nothing happens moves its stored position this often. */
#define MOVE_EVERY_MS  5000
#define COUNT_EVERY_NS (1000 * NS_PER_MS)
/* Checkpoints that a shard has on their way at once: enough that the scribe never waits for one. More would be rows that wait and
   grow old, and the room that they take is better kept for what is told. */
#define UNDER_WAY_MAX 4

struct partition {
    uint32_t number;
    bool loaded;
    bool under_way;              /* a checkpoint is on its way to the database */
    bool advancing;              /* between two slices of one step */
    bool untold;                 /* the import named changes that are not told yet */
    bool told;                   /* changes, refusals or gone rows since the last checkpoint */
    bool finished;               /* after STOP: its last checkpoint is made */
    struct ampel_engine *engine; /* NULL until the first frame of a fresh partition */
    uint64_t rules_number;       /* of the database's rules that the engine has; 0: of the start */
    uint64_t rules_recoloured;   /* accounts that changed colour by them */
    uint64_t epoch;
    uint64_t position; /* behind the last record applied */
    uint64_t stored;   /* where the database stands */
    int64_t built_ns, orders_rows_ns;
    uint64_t open_bytes, under_way_bytes; /* told and not stored */
    uint64_t copied_bytes;                /* rows and pages of its checkpoint under way */
    struct ampel_engine_counts counts;    /* as metrics know them */
    struct ampel_gathered gathered;
};

/* Rules with their variants, each applied. */
struct rule_set {
    uint64_t number;
    uint32_t variants_count;
    struct ampel_rules *variants;
    struct ampel_rules rules;
};

struct ampel_shard {
    struct ampel_shard_options options;
    uint32_t partitions_count, loaded_count;
    struct partition *partitions; /* ascending numbers: shard_index, + shards_count, ... */
    struct ampel_page_codec *codec;
    struct ampel_record_reader *reader;
    struct ampel_checkpoint_builder *builder;
    struct rule_set start; /* number 0: those that the worker was started with */
    struct rule_set set;   /* of the database, those that were needed last */
    struct ampel_parcel *held;            /* waits for room at the publisher */
    struct ampel_parcel_windows *windows; /* waits for room at the gateway */
    struct ampel_parcel_record *record;   /* being read */
    uint32_t cursor;
    bool rules_due;  /* it may bring rules: looked at when its first frame is due */
    bool frame_open; /* `frame` is read and not applied */
    bool rules_open; /* the record brings the rules of `set` */
    struct ampel_frame frame;
    bool stopping, stop_sent;
    uint64_t open_bytes, under_way_bytes, copied_bytes; /* sums over the partitions */
    uint32_t under_way_count;
    int64_t scan_ns;                      /* when to look for partitions to store */
    struct partition *copying;            /* whose checkpoint is being built; NULL: none */
    uint64_t copying_gathered_bytes;      /* of its size, what was gathered and counted before */
    int64_t copy_begun_ns;
    int64_t copy_ns;                      /* frames that wait come first until then */
    bool waiting;                         /* the last turn left frames behind */
    int64_t count_ns;                     /* when to bring the gauges up to date */
    uint64_t debt_bytes;                  /* told by the record before, and not paused for yet */
    int64_t debt_ns, resume_ns;           /* when that record ended; when the pause behind it does */
    int64_t pause_ns;                     /* behind the last records, smoothed */
    bool crowded, paused;
};

/* ---- opening -------------------------------------------------------------------------------- */

/* The variants of a rule set. One that does not apply to it, as --set may cause, is said and left out. */
static bool variants_renew(const struct ampel_shard *shard, struct rule_set *set) {
    if (set->variants == NULL)
        set->variants = calloc(AMPEL_VARIANTS_MAX, sizeof(set->variants[0]));
    if (set->variants == NULL) return false;
    set->variants_count = 0;
    for (uint32_t i = 0; i < set->rules.variants_count; i++) {
        struct ampel_error error = {0};
        if (ampel_rules_variant(&set->rules, i, &set->variants[set->variants_count], &error)) {
            set->variants_count++;
        } else if (shard->options.shard_index == 0) {
            ampel_log(AMPEL_LOG_WARN, "shard", "a variant does not go with the rules: left out",
                      "variant", "%s", set->rules.variants[i].name, "key", "%s", error.field,
                      "reason", "%s", error.reason, NULL);
        }
    }
    return true;
}

/* Makes the database's rules of this number the set at hand. False: the text is wrong, which was said. */
static bool rules_read(struct ampel_shard *shard, uint64_t number, struct ampel_text text) {
    if (shard->set.number == number) return true;
    struct ampel_error error = {0};
    if (!ampel_rules_file_decode(text, &shard->set.rules, &error)) {
        ampel_log(AMPEL_LOG_ERROR, "shard", "stored rules cannot be read", "number", "%llu",
                  (unsigned long long)number, "key", "%s", error.field, "reason", "%s",
                  error.reason, NULL);
        return false;
    }
    shard->set.number = number;
    return variants_renew(shard, &shard->set);
}

static bool open_parts(struct ampel_shard *shard) {
    uint32_t count = shard->partitions_count;
    shard->partitions = calloc(count == 0 ? 1 : count, sizeof(shard->partitions[0]));
    shard->codec = ampel_page_codec_open();
    shard->reader = ampel_record_reader_open();
    shard->builder = ampel_checkpoint_builder_open();
    if (shard->partitions == NULL || shard->codec == NULL || shard->reader == NULL ||
        shard->builder == NULL || !variants_renew(shard, &shard->start)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        shard->partitions[i].number = shard->options.shard_index + i * shard->options.shards_count;
        if (!ampel_gathered_init(&shard->partitions[i].gathered)) return false;
    }
    return true;
}

bool ampel_shard_open(const struct ampel_shard_options *options, struct ampel_shard **out) {
    AMPEL_ASSERT(options->shard_index < options->shards_count);
    struct ampel_shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL) return false;
    shard->options = *options;
    shard->start.rules = *options->rules;
    if (options->shard_index < options->partitions) {
        uint32_t beyond = options->partitions - options->shard_index;
        shard->partitions_count = (beyond + options->shards_count - 1) / options->shards_count;
    }
    shard->scan_ns = INT64_MAX;
    if (!open_parts(shard)) {
        ampel_shard_close(shard);
        return false;
    }
    ampel_queue_on_room(options->publisher, ampel_queue_fd(options->in));
    ampel_queue_on_room(options->gateway, ampel_queue_fd(options->in));
    ampel_metric_add(AMPEL_METRIC_PARTITIONS, shard->partitions_count);
    *out = shard;
    return true;
}

/* Without what checkpoints copied: that leaves as they do, and would slow what is told just when they go. */
static uint64_t unstored_bytes(const struct ampel_shard *shard) {
    return shard->open_bytes + shard->under_way_bytes;
}

static void uncount(struct partition *partition) {
    ampel_metric_add(AMPEL_METRIC_ACCOUNTS, -(uint64_t)partition->counts.accounts);
    ampel_metric_add(AMPEL_METRIC_VIOLATIONS, -(uint64_t)partition->counts.violations);
    ampel_metric_add(AMPEL_METRIC_ENGINE_BYTES, -partition->counts.memory_bytes);
    partition->counts = (struct ampel_engine_counts){0};
}

void ampel_shard_close(struct ampel_shard *shard) {
    if (shard == NULL) return;
    ampel_checkpoint_builder_close(shard->builder);
    for (uint32_t i = 0; shard->partitions != NULL && i < shard->partitions_count; i++) {
        struct partition *partition = &shard->partitions[i];
        uncount(partition);
        ampel_engine_close(partition->engine);
        ampel_gathered_reset(&partition->gathered);
    }
    ampel_metric_add(AMPEL_METRIC_PARTITIONS, -(uint64_t)shard->partitions_count);
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, -unstored_bytes(shard));
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, -shard->copied_bytes);
    if (shard->crowded) ampel_metric_add(AMPEL_METRIC_SHARDS_SLOWED, UINT64_MAX);
    if (shard->held != NULL) ampel_parcel_free(shard->held);
    if (shard->windows != NULL) ampel_parcel_free(&shard->windows->parcel);
    if (shard->record != NULL) ampel_parcel_record_release(shard->record);
    if (shard->codec != NULL) ampel_page_codec_close(shard->codec);
    if (shard->reader != NULL) ampel_record_reader_close(shard->reader);
    free(shard->start.variants);
    free(shard->set.variants);
    free(shard->partitions);
    free(shard);
}

/* ---- accounting ----------------------------------------------------------------------------- */

static bool stalled(const struct ampel_shard *shard) {
    return unstored_bytes(shard) >= shard->options.unstored_bytes_max;
}

/* Whether what is told is in the way of more, so that it is stored before its time. */
static bool pressed(const struct ampel_shard *shard) {
    return ampel_pace_crowded(unstored_bytes(shard), shard->options.unstored_bytes_max);
}

/* Copies may take half as much again as what is told, but for the last one. */
static bool enough_under_way(const struct ampel_shard *shard) {
    return shard->under_way_count >= UNDER_WAY_MAX ||
           shard->copied_bytes >= shard->options.unstored_bytes_max / 2;
}

/* Partitions are looked at again at this time. */
static void scan_by(struct ampel_shard *shard, int64_t at_ns) {
    if (at_ns < shard->scan_ns) shard->scan_ns = at_ns;
}

static void open_bytes_add(struct ampel_shard *shard, struct partition *partition, uint64_t bytes) {
    partition->open_bytes += bytes;
    shard->open_bytes += bytes;
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, bytes);
    shard->debt_bytes += bytes;
    if (pressed(shard)) scan_by(shard, 0);
}

/* The bound and the room as they are now say whether the pause behind the last record is over. */
static void pace(struct ampel_shard *shard, int64_t now_ns) {
    const uint64_t unstored = unstored_bytes(shard), max = shard->options.unstored_bytes_max;
    const bool crowded = ampel_pace_crowded(unstored, max);
    if (crowded != shard->crowded) ampel_metric_add(AMPEL_METRIC_SHARDS_SLOWED, crowded ? 1 : UINT64_MAX);
    shard->crowded = crowded;
    shard->resume_ns = shard->debt_ns + ampel_pace_pause_ns(shard->debt_bytes, unstored, max);
    shard->paused = now_ns < shard->resume_ns;
    if (!crowded) shard->pause_ns = 0;
    if (!shard->paused) shard->debt_bytes = 0;
    ampel_queue_depth_set(shard->options.records, ampel_pace_depth(shard->pause_ns));
}

/* A record is done. */
static void pace_record(struct ampel_shard *shard) {
    shard->debt_ns = shard->options.clock.monotonic_ns(shard->options.clock.context);
    int64_t pause_ns =
        ampel_pace_pause_ns(shard->debt_bytes, unstored_bytes(shard), shard->options.unstored_bytes_max);
    shard->pause_ns = (shard->pause_ns * 7 + pause_ns) / 8;
    pace(shard, shard->debt_ns);
}

static void gauge(enum ampel_metric metric, uint64_t before, uint64_t after) {
    if (before != after) ampel_metric_add(metric, after - before);
}

static void count_engines(struct ampel_shard *shard, int64_t now_ns) {
    if (now_ns < shard->count_ns) return;
    shard->count_ns = now_ns + COUNT_EVERY_NS;
    for (uint32_t i = 0; i < shard->partitions_count; i++) {
        struct partition *partition = &shard->partitions[i];
        if (partition->engine == NULL) continue;
        struct ampel_engine_counts counts;
        ampel_engine_counts(partition->engine, &counts);
        gauge(AMPEL_METRIC_ACCOUNTS, partition->counts.accounts, counts.accounts);
        gauge(AMPEL_METRIC_VIOLATIONS, partition->counts.violations, counts.violations);
        gauge(AMPEL_METRIC_ENGINE_BYTES, partition->counts.memory_bytes, counts.memory_bytes);
        partition->counts = counts;
    }
}

/* ---- handing on ----------------------------------------------------------------------------- */

/* Nothing may be made while something is held. */
static void hand_on(struct ampel_shard *shard, struct ampel_parcel *parcel) {
    AMPEL_ASSERT(shard->held == NULL);
    if (!ampel_queue_push(shard->options.publisher, parcel)) shard->held = parcel;
}

static void flush_held(struct ampel_shard *shard) {
    if (shard->held != NULL && ampel_queue_push(shard->options.publisher, shard->held))
        shard->held = NULL;
}

static void flush_windows(struct ampel_shard *shard) {
    if (shard->windows != NULL && ampel_queue_push(shard->options.gateway, shard->windows))
        shard->windows = NULL;
}

static int64_t changed_due_ns(const struct ampel_shard *shard, const struct partition *partition) {
    return partition->built_ns + shard->options.checkpoint_every_ms * NS_PER_MS;
}

/* The engine's changes become one parcel for the publisher and rows of the next checkpoint. */
static bool tell(struct ampel_shard *shard, struct partition *partition,
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
    open_bytes_add(shard, partition, out_bytes + partition->gathered.size_bytes - before_bytes);
    if (out == NULL) return true;
    out->position = frame != NULL || shard->frame_open ? shard->frame.position : partition->position;
    hand_on(shard, &out->parcel);
    return true;
}

/* ---- engines -------------------------------------------------------------------------------- */

static struct partition *partition_of(struct ampel_shard *shard, uint32_t number) {
    if (number % shard->options.shards_count != shard->options.shard_index) return NULL;
    uint32_t index = number / shard->options.shards_count;
    return index < shard->partitions_count ? &shard->partitions[index] : NULL;
}

/* A partition's share of the accounts that a tenant may have; hashing spreads them unevenly. */
static uint32_t accounts_share(const struct ampel_shard_options *options) {
    uint64_t share = options->accounts_per_tenant_max / options->partitions;
    share += share / 4 + 64;
    return share < options->accounts_per_tenant_max ? (uint32_t)share
                                                    : options->accounts_per_tenant_max;
}

static enum ampel_engine_status engine_open(const struct ampel_shard *shard,
                                            struct partition *partition, int64_t start_ms) {
    const struct rule_set *set = partition->rules_number == 0 ? &shard->start : &shard->set;
    AMPEL_ASSERT(set->number == partition->rules_number);
    struct ampel_engine_options options = {
        .memory = shard->options.memory,
        .rules = &set->rules,
        .start_ms = start_ms,
        .accounts_per_tenant_max = accounts_share(&shard->options),
        .violations_per_account_max = shard->options.violations_per_account_max,
    };
    enum ampel_engine_status status = ampel_engine_open(&options, &partition->engine);
    if (status != AMPEL_ENGINE_OK) return status;
    return ampel_engine_variants_set(partition->engine, set->variants, set->variants_count);
}

/* Says in the log what could not be read, and that nothing can be done about it here. */
static bool unreadable(const struct partition *partition, const char *what, uint32_t page,
                       const char *reason) {
    ampel_log(AMPEL_LOG_ERROR, "shard", "a stored partition cannot be read", "partition", "%u",
              partition->number, "part", "%s", what, "page", "%u", page, "reason", "%s", reason,
              NULL);
    return false;
}

static bool import_meta(struct ampel_shard *shard, struct partition *partition,
                        const struct ampel_parcel_loaded *loaded) {
    const uint8_t *raw;
    uint32_t raw_size;
    struct ampel_error error = {0};
    if (!ampel_page_decode(shard->codec, loaded->meta, loaded->meta_size, &raw, &raw_size, &error))
        return unreadable(partition, "meta", 0, error.reason);
    enum ampel_engine_status status = ampel_engine_meta_import(partition->engine, raw, raw_size);
    return status == AMPEL_ENGINE_OK || unreadable(partition, "meta", 0, ampel_engine_status_reason(status));
}

static bool import_page(struct ampel_shard *shard, struct partition *partition,
                        const struct ampel_loaded_page *page) {
    const uint8_t *raw;
    uint32_t raw_size;
    struct ampel_error error = {0};
    if (!ampel_page_decode(shard->codec, page->bytes, page->size, &raw, &raw_size, &error))
        return unreadable(partition, "page", page->page, error.reason);
    enum ampel_engine_status status =
        ampel_engine_page_import(partition->engine, page->page, raw, raw_size);
    return status == AMPEL_ENGINE_OK ||
           unreadable(partition, "page", page->page, ampel_engine_status_reason(status));
}

static bool import(struct ampel_shard *shard, struct partition *partition,
                   const struct ampel_parcel_loaded *loaded) {
    struct ampel_text text = {loaded->rules_text, loaded->rules_size};
    if (loaded->rules_number != 0 && !rules_read(shard, loaded->rules_number, text)) return false;
    partition->rules_number = loaded->rules_number;
    enum ampel_engine_status status = engine_open(shard, partition, 0);
    if (status != AMPEL_ENGINE_OK) return unreadable(partition, "engine", 0, ampel_engine_status_reason(status));
    ampel_engine_position_set(partition->engine, loaded->position);
    if (!import_meta(shard, partition, loaded)) return false;
    for (uint32_t i = 0; i < loaded->pages_count; i++) {
        if (!import_page(shard, partition, &loaded->pages[i])) return false;
    }
    status = ampel_engine_import_finish(partition->engine);
    if (status != AMPEL_ENGINE_OK) return unreadable(partition, "sum", 0, ampel_engine_status_reason(status));
    /* Which rows waited for their order counts is not stored, so after a start all of them do. */
    return ampel_gathered_wait_all(&partition->gathered,
                                   ampel_engine_accounts_count(partition->engine));
}

/* Imports a partition. What changed by it (other rules than before) is told as soon as there is
 * room. False: fatal. */
static bool take_loaded(struct ampel_shard *shard, const struct ampel_parcel_loaded *loaded,
                        int64_t now_ns) {
    struct partition *partition = partition_of(shard, loaded->partition);
    AMPEL_ASSERT(partition != NULL && !partition->loaded);
    partition->epoch = loaded->epoch;
    partition->position = loaded->position;
    partition->stored = loaded->position;
    partition->built_ns = now_ns;
    /* Spread, so that not all partitions write such rows at one time. */
    int64_t every_ns = shard->options.orders_rows_every_ms * NS_PER_MS;
    partition->orders_rows_ns =
        now_ns - every_ns / shard->options.partitions * (int64_t)partition->number;
    if (loaded->meta != NULL && !import(shard, partition, loaded)) return false;
    partition->loaded = true;
    partition->untold = partition->engine != NULL;
    shard->loaded_count++;
    return true;
}

static bool tell_imported(struct ampel_shard *shard) {
    for (uint32_t i = 0; i < shard->partitions_count && shard->held == NULL; i++) {
        struct partition *partition = &shard->partitions[i];
        if (!partition->untold) continue;
        partition->untold = false;
        if (!tell(shard, partition, NULL)) return false;
    }
    return true;
}

/* ---- from the scribe ------------------------------------------------------------------------ */

static bool take_committed(struct ampel_shard *shard,
                           const struct ampel_parcel_committed *committed) {
    struct partition *partition = partition_of(shard, committed->partition);
    AMPEL_ASSERT(partition != NULL);
    if (committed->fenced) {
        ampel_log(AMPEL_LOG_ERROR, "shard", "the partition has another owner", "partition", "%u",
                  partition->number, NULL);
        return false;
    }
    AMPEL_ASSERT(partition->under_way);
    partition->stored = committed->position;
    partition->under_way = false;
    shard->under_way_count--;
    shard->under_way_bytes -= partition->under_way_bytes;
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, -partition->under_way_bytes);
    partition->under_way_bytes = 0;
    shard->copied_bytes -= partition->copied_bytes;
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, -partition->copied_bytes);
    partition->copied_bytes = 0;
    scan_by(shard, pressed(shard) ? 0 : changed_due_ns(shard, partition));
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

static bool no_memory(const struct partition *partition) {
    ampel_log(AMPEL_LOG_ERROR, "shard", "no memory", "partition", "%u", partition->number, NULL);
    return false;
}

/* One slice of the way to the frame's stamp; *done when it is reached. */
static bool advance(struct ampel_shard *shard, struct partition *partition, bool *done) {
    const struct ampel_frame *frame = &shard->frame;
    if (partition->engine == NULL &&
        engine_open(shard, partition, frame->stamp_ms) != AMPEL_ENGINE_OK) {
        return no_memory(partition);
    }
    ampel_engine_position_set(partition->engine, frame->position);
    if (ampel_engine_advance(partition->engine, frame->stamp_ms, ADVANCE_STEPS_MAX, done) !=
            AMPEL_ENGINE_OK ||
        !tell(shard, partition, NULL)) {
        return no_memory(partition);
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
static bool apply_rules(struct ampel_shard *shard, struct partition *partition) {
    const struct rule_set *set = &shard->set;
    if (partition->rules_number >= set->number) return true;
    if (ampel_engine_rules_set(partition->engine, &set->rules) != AMPEL_ENGINE_OK ||
        ampel_engine_variants_set(partition->engine, set->variants, set->variants_count) !=
            AMPEL_ENGINE_OK ||
        !ampel_gathered_wait_all(&partition->gathered,
                                 ampel_engine_accounts_count(partition->engine))) {
        return no_memory(partition);
    }
    partition->rules_number = set->number;
    partition->rules_recoloured = recoloured(partition->engine);
    partition->orders_rows_ns = INT64_MIN / 2;
    partition->told = true;
    return tell(shard, partition, NULL) || no_memory(partition);
}

static bool apply(struct ampel_shard *shard, struct partition *partition) {
    const struct ampel_frame *frame = &shard->frame;
    if (shard->rules_open) return apply_rules(shard, partition);
    if (frame->producer.size == 0) return true; /* a tick */
    struct ampel_apply_counts counts;
    if (ampel_engine_apply(partition->engine, frame, &counts) != AMPEL_ENGINE_OK)
        return no_memory(partition);
    if (counts.duplicate) {
        ampel_metric_add(AMPEL_METRIC_FRAMES_DUPLICATE, 1);
    } else {
        ampel_metric_add(AMPEL_METRIC_FRAMES_APPLIED, 1);
        ampel_metric_add(AMPEL_METRIC_EVENTS_APPLIED, counts.applied);
        uint64_t before_bytes = partition->gathered.size_bytes;
        if (!ampel_shard_gather_refused(shard->reader, frame, &partition->gathered))
            return no_memory(partition);
        uint64_t bytes = partition->gathered.size_bytes - before_bytes;
        if (bytes > 0) partition->told = true;
        open_bytes_add(shard, partition, bytes);
    }
    return tell(shard, partition, frame) || no_memory(partition);
}

static void end_frame(struct ampel_shard *shard, struct partition *partition) {
    partition->position = shard->frame.position + shard->record->size;
    shard->frame_open = false;
    scan_by(shard, changed_due_ns(shard, partition));
    ampel_metric_set(AMPEL_METRIC_LOG_STAMP, shard->frame.stamp_ms / 1000);
}

/* Goes on with the copy by one piece; hands the checkpoint on once it is whole. */
static bool copy_on(struct ampel_shard *shard) {
    struct partition *partition = shard->copying;
    uint32_t units = shard->options.copy_units > 0 ? shard->options.copy_units : COPY_UNITS_DEFAULT;
    bool done;
    AMPEL_ASSERT(shard->held == NULL);
    if (!ampel_checkpoint_go_on(shard->builder, units, &done)) return no_memory(partition);
    if (!done) return true;
    struct ampel_checkpoint *checkpoint;
    uint64_t size_bytes;
    ampel_checkpoint_end(shard->builder, &checkpoint, &size_bytes);
    /* The changes told go along; what was gathered is counted in the size already. */
    size_bytes -= shard->copying_gathered_bytes;
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_BYTES, size_bytes);
    partition->copied_bytes = size_bytes;
    shard->copied_bytes += size_bytes;
    shard->copying = NULL;
    shard->copy_ns = shard->copy_begun_ns + (1 + COPY_PAUSE_SHARE) * NS_PER_US *
                                                (int64_t)ampel_checkpoint_spent(shard->builder);
    scan_by(shard, 0);
    hand_on(shard, &checkpoint->parcel);
    return true;
}

/* Whether the partition's copy must be whole before its frame goes on: rings turn at midnight, and rules change all. */
static bool copy_first(const struct ampel_shard *shard, const struct partition *partition) {
    return shard->copying == partition &&
           (shard->rules_open || ampel_engine_midnight_ahead(partition->engine, shard->frame.stamp_ms));
}

/* Moves the open frame one step on: first to its stamp, slice by slice, then its events. */
static bool step_frame(struct ampel_shard *shard) {
    struct partition *partition = partition_of(shard, shard->frame.partition);
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
    if (shard->rules_open) return rules_read(shard, number, text);
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
    while (ampel_record_frame_next(shard->reader, shard->record->bytes, &shard->cursor,
                                   &shard->frame, &error)) {
        const struct partition *partition = partition_of(shard, shard->frame.partition);
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
    return shard->record != NULL || (!stalled(shard) && !shard->paused);
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

static bool orders_rows_due(const struct ampel_shard *shard, const struct partition *partition,
                            int64_t now_ns) {
    return now_ns >= partition->orders_rows_ns + shard->options.orders_rows_every_ms * NS_PER_MS;
}

/* When the partition should be stored; INT64_MAX: not before something else happens. While too much is told and not stored, the
   one that told most comes first. */
static int64_t due_ns(const struct ampel_shard *shard, const struct partition *partition) {
    if (partition->engine == NULL || partition->under_way || partition->advancing ||
        partition->position == partition->stored) {
        return INT64_MAX;
    }
    if (pressed(shard) && partition->open_bytes > 0) return -(int64_t)partition->open_bytes;
    int64_t changed_ns = changed_due_ns(shard, partition);
    if (partition->told || ampel_engine_page_dirty_next(partition->engine, 0) != UINT32_MAX)
        return changed_ns;
    int64_t moved_ns = partition->built_ns + MOVE_EVERY_MS * NS_PER_MS;
    int64_t orders_ns = INT64_MAX;
    if (partition->gathered.waiting_count > 0)
        orders_ns = partition->orders_rows_ns + shard->options.orders_rows_every_ms * NS_PER_MS;
    if (orders_ns < moved_ns) moved_ns = orders_ns;
    return moved_ns > changed_ns ? moved_ns : changed_ns;
}

/* Begins the partition's checkpoint; copy_on goes on with it. */
static bool store(struct ampel_shard *shard, struct partition *partition, int64_t now_ns,
                  bool last) {
    bool orders_rows = last || orders_rows_due(shard, partition, now_ns);
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
    AMPEL_ASSERT(shard->copying == NULL);
    shard->copying_gathered_bytes = partition->gathered.size_bytes;
    if (!ampel_checkpoint_begin(shard->builder, &source)) return no_memory(partition);
    shard->copying = partition;
    shard->copy_begun_ns = now_ns;
    if (orders_rows) partition->orders_rows_ns = now_ns;
    partition->built_ns = now_ns;
    partition->under_way = true;
    shard->under_way_count++;
    partition->told = false;
    partition->under_way_bytes = partition->open_bytes;
    shard->under_way_bytes += partition->under_way_bytes;
    shard->open_bytes -= partition->open_bytes;
    partition->open_bytes = 0;
    return true;
}

/* A piece of the copy, in its turn: at once where nothing waits, else so that frames have most of the time. */
static bool copy_due(struct ampel_shard *shard, bool waiting, bool *more) {
    if (shard->copying == NULL || shard->held != NULL) return true;
    int64_t now_ns = shard->options.clock.monotonic_ns(shard->options.clock.context);
    *more = true;
    if (waiting && now_ns < shard->copy_ns) return true;
    if (!copy_on(shard)) return false;
    if (shard->copying == NULL) return true;
    int64_t then_ns = shard->options.clock.monotonic_ns(shard->options.clock.context);
    shard->copy_ns = then_ns + COPY_PAUSE_SHARE * (then_ns - now_ns);
    return true;
}

/* Stores the partition that has been due longest, if any. *more: there may be another one. */
static bool store_due(struct ampel_shard *shard, int64_t now_ns, bool *more) {
    if (now_ns < shard->scan_ns || shard->held != NULL || shard->stopping || shard->copying != NULL ||
        enough_under_way(shard)) {
        return true;
    }
    if (shard->waiting && now_ns < shard->copy_ns) return true;
    struct partition *first = NULL;
    int64_t first_ns = INT64_MAX;
    for (uint32_t i = 0; i < shard->partitions_count; i++) {
        int64_t at_ns = due_ns(shard, &shard->partitions[i]);
        if (at_ns >= first_ns) continue;
        first_ns = at_ns;
        first = &shard->partitions[i];
    }
    shard->scan_ns = first_ns;
    if (first == NULL || first_ns > now_ns) return true;
    *more = true;
    return store(shard, first, now_ns, false);
}

/* After STOP. A partition whose position did not move has nothing that its start would not tell
   again: the same position twice could not be told apart after a commit of unknown outcome. */
static bool store_last(struct ampel_shard *shard, int64_t now_ns) {
    bool all = shard->copying == NULL;
    for (uint32_t i = 0; i < shard->partitions_count; i++) {
        struct partition *partition = &shard->partitions[i];
        if (partition->finished) continue;
        if (shard->held != NULL || shard->copying != NULL || partition->under_way) {
            all = false;
            continue;
        }
        partition->finished = true;
        bool moved = partition->engine != NULL && partition->position != partition->stored;
        if (moved && !store(shard, partition, now_ns, true)) return false;
        if (moved) all = false;
    }
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
    const int64_t resume_ns = shard->paused ? shard->resume_ns : INT64_MAX;
    if (enough_under_way(shard)) return resume_ns;
    return shard->scan_ns < resume_ns ? shard->scan_ns : resume_ns;
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
    if (!take_records(shard, &waiting) || (shard->stopping && !store_last(shard, now_ns)) ||
        !copy_due(shard, waiting, &more)) {
        return AMPEL_TURN_FATAL;
    }
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
        .name = "shard", .context = shard, .turn = shard_turn, .fds = shard_fds};
}

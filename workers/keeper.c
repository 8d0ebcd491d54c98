/* A turn: take in everything that waits (COMMITTED must always get through, or a circle of full
   queues could close), then, as far as the shards have room: replay, or one group: gather, commit,
   hand on. */
#include "workers/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bounds.h"
#include "proto/time.h"
#include "workers/keeper_turns.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/parcel.h"

#define SHARDS_MAX          64 /* bits of a mask */
#define IN_PER_TURN_MAX     4096
#define REPLAY_PER_TURN_MAX 64
#define GROUP_RECORDS_MAX   4096
/* Bytes of records that one shard may leave in its queue before nothing more is read or taken. */
#define LANE_BYTES_MAX     (UINT64_C(64) << 20)
#define TICK_EVERY_NS      INT64_C(1000000000)
#define CLOCK_AHEAD_MAX_MS (400 * AMPEL_DAY_MS)

enum phase { PHASE_LOADING, PHASE_REPLAY, PHASE_LIVE, PHASE_STOPPING, PHASE_ENDED };
static_assert(AMPEL_PARTITIONS_MAX % 64 == 0, "idle partitions are a bitmap");

/* One record of the open group. */
struct entry {
    struct ampel_parcel_record *record;
    uint64_t shards; /* mask of those that own one of its partitions */
    bool tick;       /* or rules: made here, the gateway knows nothing of it */
};

struct ampel_keeper {
    struct ampel_keeper_options options;
    enum phase phase;
    bool stop_asked;
    bool full; /* the last group went back */
    struct ampel_record_builder *builder;
    uint64_t *positions; /* by partition; UINT64_MAX: not loaded yet */
    uint32_t loaded_count;
    bool release_due; /* a position moved */
    bool releasing;   /* segments before `released` are left */
    uint64_t released;
    uint64_t replay_position, replayed_count;
    uint64_t rules_number;                    /* of those that the log holds, or the partitions */
    struct ampel_parcel_rules *rules;         /* newer ones that wait for their group; NULL: none */
    bool rules_in_group;
    int64_t rules_ns;                         /* not before: their group went back */
    int64_t stamp_ms;                         /* of the last record */
    int64_t tick_ns;                          /* when the next tick is due */
    uint64_t busy[AMPEL_PARTITIONS_MAX / 64]; /* partitions that had a record since the last tick */
    bool last_tick;                           /* the one before STOP is due or made */
    uint32_t idle[AMPEL_PARTITIONS_MAX];      /* scratch */
    struct ampel_turns waiting;               /* RECORD from the gateway */
    struct ampel_lane gateway;
    struct ampel_lane shards[SHARDS_MAX];
    uint32_t group_count;
    struct entry group[GROUP_RECORDS_MAX];
};

static int64_t monotonic_ns(const struct ampel_keeper *keeper) {
    return keeper->options.clock.monotonic_ns(keeper->options.clock.context);
}

/* ---- opening -------------------------------------------------------------------------------- */

bool ampel_keeper_open(const struct ampel_keeper_options *options, struct ampel_keeper **out) {
    AMPEL_ASSERT(options->shards_count > 0 && options->shards_count <= SHARDS_MAX);
    AMPEL_ASSERT(options->partitions > 0 && options->partitions <= AMPEL_PARTITIONS_MAX);
    struct ampel_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) return false;
    keeper->options = *options;
    keeper->builder = ampel_record_builder_open(options->partitions);
    keeper->positions = malloc(options->partitions * sizeof(keeper->positions[0]));
    if (keeper->builder == NULL || keeper->positions == NULL) {
        ampel_record_builder_close(keeper->builder);
        free(keeper->positions);
        free(keeper);
        return false;
    }
    for (uint32_t i = 0; i < options->partitions; i++)
        keeper->positions[i] = UINT64_MAX;
    keeper->stamp_ms = ampel_journal_stamp(options->journal);
    int wake_fd = ampel_queue_fd(options->in);
    keeper->gateway.queue = options->gateway;
    ampel_queue_on_room(options->gateway, wake_fd);
    for (uint32_t i = 0; i < options->shards_count; i++) {
        keeper->shards[i].queue = options->shards[i];
        ampel_queue_on_room(options->shards[i], wake_fd);
    }
    *out = keeper;
    return true;
}

void ampel_keeper_close(struct ampel_keeper *keeper) {
    if (keeper == NULL) return;
    ampel_turns_reset(&keeper->waiting);
    for (uint32_t i = 0; i < keeper->group_count; i++) {
        ampel_parcel_record_release(keeper->group[i].record);
    }
    ampel_lane_reset(&keeper->gateway);
    for (uint32_t i = 0; i < keeper->options.shards_count; i++) {
        ampel_lane_reset(&keeper->shards[i]);
    }
    ampel_parcel_rules_free(keeper->rules);
    ampel_record_builder_close(keeper->builder);
    free(keeper->positions);
    free(keeper);
}

/* ---- saying what is wrong ------------------------------------------------------------------- */

static bool no_memory(void) {
    ampel_log(AMPEL_LOG_ERROR, "keeper", "no memory", NULL);
    return false;
}

static bool journal_fatal(const struct ampel_error *error, const char *what) {
    ampel_log(AMPEL_LOG_ERROR, "keeper", what, "file", "%s", error->field, "reason", "%s",
              error->reason, NULL);
    return false;
}

/* ---- taking in ------------------------------------------------------------------------------ */

static bool take_loaded(struct ampel_keeper *keeper, const struct ampel_parcel_loaded *loaded) {
    AMPEL_ASSERT(loaded->partition < keeper->options.partitions);
    AMPEL_ASSERT(keeper->positions[loaded->partition] == UINT64_MAX);
    keeper->positions[loaded->partition] = loaded->position;
    if (loaded->rules_number > keeper->rules_number) keeper->rules_number = loaded->rules_number;
    keeper->loaded_count++;
    return true;
}

static bool take_committed(struct ampel_keeper *keeper,
                           const struct ampel_parcel_committed *committed) {
    if (committed->fenced) {
        ampel_log(AMPEL_LOG_ERROR, "keeper", "the partition has another owner", "partition", "%u",
                  committed->partition, NULL);
        return false;
    }
    AMPEL_ASSERT(committed->partition < keeper->options.partitions);
    keeper->positions[committed->partition] = committed->position;
    keeper->release_due = true;
    return true;
}

/* Takes the parcel over. Of several only the newest is waited with: nobody has seen the others. While one is in a
   group the scribe's next one comes after that group, as groups are committed in the turn that makes them. */
static void take_rules(struct ampel_keeper *keeper, struct ampel_parcel_rules *rules) {
    AMPEL_ASSERT(!keeper->rules_in_group);
    ampel_parcel_rules_free(keeper->rules);
    keeper->rules = rules;
}

/* Returns false where the process must stop. Takes the parcel over. */
static bool take(struct ampel_keeper *keeper, struct ampel_parcel *parcel) {
    bool fine = true;
    switch (parcel->kind) {
    case AMPEL_PARCEL_RECORD:
        if (ampel_turns_push(&keeper->waiting, (struct ampel_parcel_record *)parcel)) return true;
        fine = no_memory();
        break;
    case AMPEL_PARCEL_RULES:
        take_rules(keeper, (struct ampel_parcel_rules *)parcel);
        return true;
    case AMPEL_PARCEL_LOADED:
        fine = take_loaded(keeper, (const struct ampel_parcel_loaded *)parcel);
        break;
    case AMPEL_PARCEL_COMMITTED:
        fine = take_committed(keeper, (const struct ampel_parcel_committed *)parcel);
        break;
    case AMPEL_PARCEL_STOP:
        keeper->stop_asked = true;
        break;
    default:
        AMPEL_ASSERT(false); /* a parcel that is not for the keeper */
    }
    ampel_parcel_free(parcel);
    return fine;
}

/* *more: the budget ended before the queue did. */
static bool take_in(struct ampel_keeper *keeper, bool *more) {
    for (uint32_t i = 0; i < IN_PER_TURN_MAX; i++) {
        struct ampel_parcel *parcel = ampel_queue_pop(keeper->options.in);
        if (parcel == NULL) return true;
        if (!take(keeper, parcel)) return false;
    }
    *more = true;
    return true;
}

static void released_renew(struct ampel_keeper *keeper) {
    if (!keeper->release_due) return;
    keeper->release_due = false;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < keeper->options.partitions; i++) {
        if (keeper->positions[i] < least) least = keeper->positions[i];
    }
    if (least <= keeper->released || least == UINT64_MAX) return;
    keeper->released = least;
    keeper->releasing = true;
}

/* The journal before the least position of all partitions may be used again. Behind a long outage that is much of it: a segment in
   a turn, so that batches go on between. */
static bool release(struct ampel_keeper *keeper, bool *more) {
    released_renew(keeper);
    if (!keeper->releasing) return true;
    enum ampel_journal_status status =
        ampel_journal_release(keeper->options.journal, keeper->released, &keeper->releasing);
    if (keeper->releasing) *more = true;
    if (status == AMPEL_JOURNAL_OK) return true;
    ampel_log(AMPEL_LOG_ERROR, "keeper", "the journal cannot recycle its segments", NULL);
    return false;
}

/* ---- handing on ----------------------------------------------------------------------------- */

/* How many records all shards have room for. Each is asked, so that each wakes us that has none. */
static uint32_t shards_room(struct ampel_keeper *keeper) {
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < keeper->options.shards_count; i++) {
        uint32_t room = ampel_lane_room(&keeper->shards[i], LANE_BYTES_MAX);
        if (room < least) least = room;
    }
    return least;
}

/* Whether all that was handed on has found room. */
static bool flush(struct ampel_keeper *keeper) {
    bool empty = ampel_lane_flush(&keeper->gateway);
    for (uint32_t i = 0; i < keeper->options.shards_count; i++) {
        if (!ampel_lane_flush(&keeper->shards[i])) empty = false;
    }
    return empty;
}

/* To each shard of the mask; the caller's own hold stays. */
static bool to_shards(struct ampel_keeper *keeper, struct ampel_parcel_record *record,
                      uint64_t shards) {
    bool fine = true;
    for (uint32_t i = 0; i < keeper->options.shards_count; i++) {
        if ((shards >> i & 1) == 0) continue;
        ampel_parcel_record_hold(record, 1);
        if (!ampel_lane_put(&keeper->shards[i], &record->parcel, record->size)) fine = no_memory();
    }
    return fine;
}

static bool signal_shards(struct ampel_keeper *keeper, enum ampel_parcel_kind kind) {
    for (uint32_t i = 0; i < keeper->options.shards_count; i++) {
        struct ampel_parcel *parcel = malloc(sizeof(*parcel));
        if (parcel == NULL) return no_memory();
        parcel->kind = kind;
        if (!ampel_lane_put(&keeper->shards[i], parcel, 0)) return no_memory();
    }
    return true;
}

static bool back_failed(struct ampel_keeper *keeper, struct ampel_parcel_record *record) {
    record->failed = true;
    return ampel_lane_put(&keeper->gateway, &record->parcel, record->size) || no_memory();
}

/* Which shards own a partition of the record for which it is new. False, with error: it cannot be
 * read. */
static bool shards_of(struct ampel_keeper *keeper, const uint8_t *bytes, uint64_t position,
                      uint64_t *shards, struct ampel_error *error) {
    uint32_t cursor = 0, partition;
    uint64_t mask = 0;
    while (ampel_record_partition_next(bytes, &cursor, &partition, error)) {
        if (partition >= keeper->options.partitions) {
            return ampel_error_set(error, "partition", "%u is beyond the %u of this system",
                                   partition, keeper->options.partitions);
        }
        keeper->busy[partition / 64] |= UINT64_C(1) << (partition % 64);
        if (position < keeper->positions[partition]) continue;
        mask |= UINT64_C(1) << (partition % keeper->options.shards_count);
    }
    *shards = mask;
    return error->reason[0] == '\0';
}

/* ---- the start ------------------------------------------------------------------------------ */

/* The database and the journal must belong together. */
static bool positions_check(const struct ampel_keeper *keeper, uint64_t *least) {
    uint32_t least_at = 0, most_at = 0;
    for (uint32_t i = 0; i < keeper->options.partitions; i++) {
        if (keeper->positions[i] < keeper->positions[least_at]) least_at = i;
        if (keeper->positions[i] > keeper->positions[most_at]) most_at = i;
    }
    *least = keeper->positions[least_at];
    uint64_t first = ampel_journal_first(keeper->options.journal);
    uint64_t end = ampel_journal_end(keeper->options.journal);
    if (keeper->positions[most_at] > end) {
        ampel_log(AMPEL_LOG_ERROR, "keeper",
                  "the journal ends before what the database has stored: it is lost or another one",
                  "journal_end", "%llu", (unsigned long long)end, "position", "%llu",
                  (unsigned long long)keeper->positions[most_at], "partition", "%u", most_at, NULL);
        return false;
    }
    if (*least < first) {
        ampel_log(
            AMPEL_LOG_ERROR, "keeper",
            "the journal begins behind what the database has stored: its oldest files are lost",
            "journal_first", "%llu", (unsigned long long)first, "position", "%llu",
            (unsigned long long)*least, "partition", "%u", least_at, NULL);
        return false;
    }
    return true;
}

/* A clock that is wrong by much would move all time windows for good (architecture 4.2). */
static bool clock_check(const struct ampel_keeper *keeper) {
    int64_t log_ms = keeper->stamp_ms;
    if (log_ms == INT64_MIN) return true;
    int64_t now_ms = keeper->options.clock.now_ms(keeper->options.clock.context);
    bool behind = now_ms < log_ms;
    if (!behind && now_ms - log_ms <= CLOCK_AHEAD_MAX_MS) return true;
    char now[AMPEL_TIME_SIZE], log[AMPEL_TIME_SIZE];
    ampel_time_encode(now_ms, now);
    ampel_time_encode(log_ms, log);
    bool accepted = keeper->options.clock_is_right;
    const char *sentence =
        behind ? "the clock is behind the log" : "the clock is more than 400 days ahead of the log";
    ampel_log(accepted ? AMPEL_LOG_WARN : AMPEL_LOG_ERROR, "keeper", sentence, "clock", "%s", now,
              "log", "%s", log, "advice", "%s",
              accepted ? "taken for right, as clock_is_right says"
                       : "set the clock, or start once with --clock-is-right",
              NULL);
    return accepted;
}

static bool replay_begin(struct ampel_keeper *keeper) {
    uint64_t least;
    if (!positions_check(keeper, &least) || !clock_check(keeper)) return false;
    keeper->replay_position = least;
    keeper->release_due = true;
    keeper->phase = PHASE_REPLAY;
    ampel_log(AMPEL_LOG_INFO, "keeper", "replay begins", "position", "%llu",
              (unsigned long long)least, "end", "%llu",
              (unsigned long long)ampel_journal_end(keeper->options.journal), NULL);
    return true;
}

static bool replay_record(struct ampel_keeper *keeper, const uint8_t *bytes,
                          const struct ampel_record_header *header) {
    struct ampel_error error = {0};
    uint64_t shards;
    if (!shards_of(keeper, bytes, header->position, &shards, &error)) {
        ampel_log(AMPEL_LOG_ERROR, "keeper", "a record of the journal cannot be read", "position",
                  "%llu", (unsigned long long)header->position, "field", "%s", error.field,
                  "reason", "%s", error.reason, NULL);
        return false;
    }
    uint64_t number;
    struct ampel_text text;
    if (ampel_record_rules(bytes, &number, &text, &error) && number > keeper->rules_number)
        keeper->rules_number = number;
    if (shards == 0) return true;
    struct ampel_parcel_record *record = ampel_parcel_record_make(header->size);
    if (record == NULL) return no_memory();
    memcpy(record->bytes, bytes, header->size);
    record->replay = true;
    keeper->replayed_count++;
    bool fine = to_shards(keeper, record, shards);
    ampel_parcel_record_release(record);
    return fine;
}

static bool replay_end(struct ampel_keeper *keeper) {
    if (!signal_shards(keeper, AMPEL_PARCEL_REPLAYED)) return false;
    keeper->phase = PHASE_LIVE;
    keeper->tick_ns =
        monotonic_ns(keeper); /* at once: the engines have the time of downtime to catch up with */
    memset(keeper->busy, 0, sizeof(keeper->busy));
    ampel_log(AMPEL_LOG_INFO, "keeper", "replay has ended", "records", "%llu",
              (unsigned long long)keeper->replayed_count, NULL);
    return true;
}

/* *more: there is more to read at once. */
static bool replay(struct ampel_keeper *keeper, bool *more) {
    for (uint32_t i = 0; i < REPLAY_PER_TURN_MAX && shards_room(keeper) > 0; i++) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        struct ampel_error error = {0};
        enum ampel_journal_status status = ampel_journal_read(
            keeper->options.journal, &keeper->replay_position, &bytes, &header, &error);
        if (status == AMPEL_JOURNAL_END) {
            *more = true;
            return replay_end(keeper);
        }
        if (status != AMPEL_JOURNAL_OK) return journal_fatal(&error, "the journal cannot be read");
        if (!replay_record(keeper, bytes, &header)) return false;
    }
    *more = *more || shards_room(keeper) > 0;
    return true;
}

/* ---- one group ------------------------------------------------------------------------------ */

/* Stamps never go backwards, whatever the clock does. */
static int64_t stamp_next(struct ampel_keeper *keeper) {
    int64_t now_ms = keeper->options.clock.now_ms(keeper->options.clock.context);
    if (now_ms < 0) now_ms = 0;
    if (now_ms > AMPEL_TIME_MAX_MS) now_ms = AMPEL_TIME_MAX_MS;
    if (now_ms > keeper->stamp_ms) keeper->stamp_ms = now_ms;
    return keeper->stamp_ms;
}

static void tell_full(struct ampel_keeper *keeper, bool full, const char *reason) {
    if (full == keeper->full) return;
    keeper->full = full;
    ampel_log(full ? AMPEL_LOG_WARN : AMPEL_LOG_INFO, "keeper",
              full ? "the journal is full: batches go back" : "the journal takes batches again",
              "reason", "%s", reason, NULL);
}

enum fit { FIT_TAKEN, FIT_LATER, FIT_FULL, FIT_FATAL };

/* The record into the open group; on TAKEN the group holds it. */
static enum fit group_add(struct ampel_keeper *keeper, struct ampel_parcel_record *record,
                          uint64_t shards, bool tick) {
    if (keeper->group_count == GROUP_RECORDS_MAX) return FIT_LATER;
    switch (ampel_journal_append(keeper->options.journal, record->bytes, record->size,
                                 stamp_next(keeper))) {
    case AMPEL_JOURNAL_OK:
        keeper->group[keeper->group_count++] =
            (struct entry){.record = record, .shards = shards, .tick = tick};
        return FIT_TAKEN;
    case AMPEL_JOURNAL_AGAIN:
        return FIT_LATER;
    case AMPEL_JOURNAL_FULL:
        tell_full(keeper, true, "more is held than journal_bytes_max allows");
        return FIT_FULL;
    default:
        return FIT_FATAL;
    }
}

/* A tick for the partitions that had nothing since the last one. */
static bool tick_add(struct ampel_keeper *keeper) {
    int64_t now_ns = monotonic_ns(keeper);
    if (now_ns < keeper->tick_ns) return true;
    keeper->tick_ns += TICK_EVERY_NS;
    if (keeper->tick_ns <= now_ns) keeper->tick_ns = now_ns + TICK_EVERY_NS;
    uint32_t count = 0;
    uint64_t shards = 0;
    for (uint32_t i = 0; i < keeper->options.partitions; i++) {
        if ((keeper->busy[i / 64] >> (i % 64) & 1) != 0) continue;
        keeper->idle[count++] = i;
        shards |= UINT64_C(1) << (i % keeper->options.shards_count);
    }
    memset(keeper->busy, 0, sizeof(keeper->busy));
    if (count == 0) return true;
    const uint8_t *bytes;
    uint32_t size;
    if (!ampel_record_encode_tick(keeper->builder, stamp_next(keeper), keeper->idle, count, &bytes,
                                  &size)) {
        return no_memory();
    }
    struct ampel_parcel_record *record = ampel_parcel_record_make(size);
    if (record == NULL) return no_memory();
    memcpy(record->bytes, bytes, size);
    enum fit fit = group_add(keeper, record, shards, true);
    if (fit == FIT_TAKEN) return true;
    ampel_parcel_record_release(record); /* nobody waits for a tick: the next one says more */
    return fit != FIT_FATAL;
}

/* Newer rules become a record for all partitions. Where the group does not take it, it waits for the next; where the group
   goes back, for a second: rules that fill a group would keep batches from theirs, which have to go back, too. */
static bool rules_add(struct ampel_keeper *keeper) {
    const struct ampel_parcel_rules *rules = keeper->rules;
    if (rules == NULL || monotonic_ns(keeper) < keeper->rules_ns) return true;
    if (rules->number <= keeper->rules_number) {
        ampel_parcel_rules_free(keeper->rules);
        keeper->rules = NULL;
        return true;
    }
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_text text = {rules->text, rules->size};
    if (!ampel_record_encode_rules(keeper->builder, stamp_next(keeper), rules->number, text, &bytes,
                                   &size)) {
        return no_memory();
    }
    struct ampel_parcel_record *record = ampel_parcel_record_make(size);
    if (record == NULL) return no_memory();
    memcpy(record->bytes, bytes, size);
    uint64_t shards = UINT64_MAX >> (SHARDS_MAX - keeper->options.shards_count);
    enum fit fit = group_add(keeper, record, shards, true);
    keeper->rules_in_group = fit == FIT_TAKEN;
    if (fit == FIT_FULL) keeper->rules_ns = monotonic_ns(keeper) + TICK_EVERY_NS;
    if (fit != FIT_TAKEN) ampel_parcel_record_release(record);
    return fit != FIT_FATAL;
}

/* The group with the rules is durable, or not. */
static void rules_settle(struct ampel_keeper *keeper, bool durable) {
    if (!keeper->rules_in_group) return;
    keeper->rules_in_group = false;
    if (!durable) {
        keeper->rules_ns = monotonic_ns(keeper) + TICK_EVERY_NS;
        return;
    }
    keeper->rules_number = keeper->rules->number;
    ampel_parcel_rules_free(keeper->rules);
    keeper->rules = NULL;
}

/* From what waits as much as one group takes, and not more than shards have room for. */
static bool gather(struct ampel_keeper *keeper, uint32_t room) {
    struct ampel_parcel_record *record;
    while (keeper->group_count < room && (record = ampel_turns_first(&keeper->waiting)) != NULL) {
        struct ampel_error error = {0};
        uint64_t shards;
        if (!shards_of(keeper, record->bytes, UINT64_MAX, &shards, &error)) {
            ampel_log(AMPEL_LOG_ERROR, "keeper", "a record of the gateway cannot be read", "field",
                      "%s", error.field, "reason", "%s", error.reason, NULL);
            return false;
        }
        enum fit fit = group_add(keeper, record, shards, false);
        if (fit == FIT_FATAL) return false;
        if (fit == FIT_LATER) return true;
        ampel_turns_pop(&keeper->waiting);
        if (fit == FIT_FULL && !back_failed(keeper, record)) return false;
    }
    return true;
}

/* Acks first: somebody waits for them, and they are short work; the shards have more to do than that. Takes the group's records. */
static bool group_hand_on(struct ampel_keeper *keeper, bool durable) {
    bool fine = true;
    for (uint32_t i = 0; i < keeper->group_count; i++) {
        const struct entry *entry = &keeper->group[i];
        ampel_parcel_record_hold(entry->record, 1);
        if (entry->tick) {
            ampel_parcel_record_release(entry->record);
        } else if (!durable) {
            fine = back_failed(keeper, entry->record) && fine;
        } else if (!ampel_lane_put(&keeper->gateway, &entry->record->parcel, entry->record->size)) {
            fine = no_memory();
        }
    }
    for (uint32_t i = 0; i < keeper->group_count; i++) {
        const struct entry *entry = &keeper->group[i];
        if (durable) fine = fine && to_shards(keeper, entry->record, entry->shards);
        ampel_parcel_record_release(entry->record);
    }
    keeper->group_count = 0;
    return fine;
}

static bool group_commit(struct ampel_keeper *keeper) {
    if (keeper->group_count == 0) return true;
    struct ampel_error error = {0};
    enum ampel_journal_status status = ampel_journal_commit(keeper->options.journal, &error);
    if (status != AMPEL_JOURNAL_OK && status != AMPEL_JOURNAL_FULL) {
        return journal_fatal(&error, "the journal cannot be written");
    }
    bool durable = status == AMPEL_JOURNAL_OK;
    rules_settle(keeper, durable);
    /* A tick finds room where a batch does not, so it proves nothing. */
    if (!durable || !keeper->group[keeper->group_count - 1].tick) {
        tell_full(keeper, !durable, error.reason);
    }
    return group_hand_on(keeper, durable);
}

static bool live(struct ampel_keeper *keeper, int64_t *wake_ns, bool *more) {
    uint32_t room = shards_room(keeper);
    if (room == 0) return true; /* room will wake us; the tick comes then, too */
    if (!tick_add(keeper) || !rules_add(keeper) || !gather(keeper, room) || !group_commit(keeper))
        return false;
    *wake_ns = keeper->tick_ns;
    /* Rules that found no room behind a tick have the next group, and not that of the next tick. */
    *more = *more || keeper->waiting.count > 0 ||
            (keeper->rules != NULL && monotonic_ns(keeper) >= keeper->rules_ns);
    return true;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* After the last group: STOP to the shards. Before replay has ended no record was taken; what waits
 * goes back. */
static bool stop(struct ampel_keeper *keeper, bool *more) {
    bool fine = true;
    if (keeper->phase == PHASE_LIVE) {
        if (keeper->waiting.count > 0) return true;
        if (!keeper->last_tick) {
            /* A position for the last checkpoint of each partition: order counts that waited are stored with it. */
            keeper->last_tick = true;
            keeper->tick_ns = monotonic_ns(keeper);
            memset(keeper->busy, 0, sizeof(keeper->busy));
            *more = true;
            return true;
        }
    } else {
        while (fine && keeper->waiting.count > 0) {
            struct ampel_parcel_record *record = ampel_turns_first(&keeper->waiting);
            ampel_turns_pop(&keeper->waiting);
            fine = back_failed(keeper, record);
        }
    }
    keeper->phase = PHASE_STOPPING;
    *more = true;
    return signal_shards(keeper, AMPEL_PARCEL_STOP) && fine;
}

static bool work(struct ampel_keeper *keeper, int64_t *wake_ns, bool *more) {
    if (!take_in(keeper, more)) return false;
    bool flushed = flush(keeper);
    if (!release(keeper, more)) return false;
    switch (keeper->phase) {
    case PHASE_LOADING:
        if (keeper->stop_asked) break;
        if (keeper->loaded_count < keeper->options.partitions) return true;
        *more = true;
        return replay_begin(keeper);
    case PHASE_REPLAY:
        if (keeper->stop_asked) break;
        return replay(keeper, more);
    case PHASE_LIVE:
        if (!live(keeper, wake_ns, more)) return false;
        break;
    case PHASE_STOPPING:
        if (flushed) keeper->phase = PHASE_ENDED;
        return true;
    case PHASE_ENDED:
        return true;
    }
    return !keeper->stop_asked || *more || stop(keeper, more);
}

static enum ampel_turn keeper_turn(void *context, int64_t *wake_ns) {
    struct ampel_keeper *keeper = context;
    bool more = false;
    *wake_ns = INT64_MAX;
    if (!work(keeper, wake_ns, &more)) return AMPEL_TURN_FATAL;
    if (keeper->phase == PHASE_ENDED) return AMPEL_TURN_ENDED;
    return more ? AMPEL_TURN_AGAIN : AMPEL_TURN_IDLE;
}

static uint32_t keeper_fds(void *context, int *fds, uint32_t capacity) {
    const struct ampel_keeper *keeper = context;
    if (capacity == 0) return 0;
    fds[0] = ampel_queue_fd(keeper->options.in);
    return 1;
}

struct ampel_stage ampel_keeper_stage(struct ampel_keeper *keeper) {
    return (struct ampel_stage){
        .name = "keeper", .context = keeper, .haste = AMPEL_HASTE_LIGHT, .turn = keeper_turn, .fds = keeper_fds};
}

#include "tests/simulation/life.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/random.h"
#include "tests/simulation/hooks.h"
#include "tests/simulation/undisturbed.h"
#include "workers/metrics.h"

#define KEY               "0123456789012345678901234567890123456789"
#define MINUTE_MS         INT64_C(60000)
#define HOUR_MS           INT64_C(3600000)
#define PATIENCE_MS       3000
#define ACTS_MAX          20000
#define LATE_RELEASES_MAX 40
#define STARTS_MAX        400
#define DRAIN_ROUNDS_MAX  4000
#define JUMPS_MAX_MS      (12 * AMPEL_DAY_MS)
#define JOURNAL_BYTES_MAX (UINT64_C(4) << 20)
#define SEGMENT_BYTES     (UINT64_C(8) << 10)
/* One step's changes may pass the bound before a shard stops, in each shard; a sleeper has its own. */
#define UNSTORED_SLACK (UINT64_C(256) << 10)

static const char *const tenants[SIM_AGENCIES] = {"nord", "sued", "west"};

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
    uint32_t full_acts, away_acts; /* acts until it is over */
    int64_t jumped_ms;
    uint32_t late_releases; /* groups since the journal could have been shorter */
    uint64_t memory_bytes;  /* of engines */
    struct ampel_memory memory;
    uint32_t batches_wanted;
};

static bool wrong(const struct life *life) {
    return life->model.reason[0] != '\0';
}

static void say(const struct life *life, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct life *life, const char *format, ...) {
    if (!sim_hooks.story) return;
    printf("%10.3f  ", (double)(ampel_world_now_ms(life->world) % (1000 * AMPEL_DAY_MS)) / 1000.0);
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
}

static void fired(struct life *life, enum sim_fault fault) {
    life->out->faults[fault]++;
}

static bool enabled(const struct life *life, enum sim_fault fault) {
    return (life->enabled >> fault & 1) != 0;
}

static uint64_t below(struct life *life, uint64_t count) {
    return ampel_random_below(&life->random, count);
}

static bool chance(struct life *life, uint32_t percent) {
    return ampel_random_chance(&life->random, percent);
}

/* ---- memory of the engines -------------------------------------------------------------------- */

static void *take(void *context, size_t size, size_t alignment) {
    struct life *life = context;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *block = aligned_alloc(least, (size + least - 1) / least * least);
    AMPEL_ASSERT(block != NULL);
    life->memory_bytes += size;
    return block;
}

static void give(void *context, void *block, size_t size) {
    struct life *life = context;
    AMPEL_ASSERT(size <= life->memory_bytes);
    life->memory_bytes -= size;
    free(block);
}

/* ---- after every turn of a stage -------------------------------------------------------------- */

static void check_bounds(struct life *life) {
    const struct ampel_journal *journal = ampel_world_journal(life->world);
    uint64_t held = ampel_journal_held_bytes(journal);
    if (held > JOURNAL_BYTES_MAX + JOURNAL_BYTES_MAX / 16 + life->options.segment_bytes)
        sim_model_fail(&life->model, "the journal holds %llu bytes", (unsigned long long)held);
    int64_t unstored = ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES);
    uint64_t bound =
        2 * (life->options.unstored_bytes_max + life->options.shards_count * UNSTORED_SLACK);
    if (unstored < 0 || (uint64_t)unstored > bound)
        sim_model_fail(&life->model, "%lld bytes are told and not stored", (long long)unstored);
    /* Stored everywhere, so gone: what the journal holds lies behind the least position that is stored. */
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < life->model.partitions; i++)
        if (life->model.of[i].position < least) least = life->model.of[i].position;
    /* A full disk may put it off for a while. */
    bool late = least > ampel_journal_first(journal) + 6 * life->options.segment_bytes;
    life->late_releases = late ? life->late_releases + 1 : 0;
    if (life->late_releases > LATE_RELEASES_MAX)
        sim_model_fail(&life->model,
                       "the journal begins at %llu and everything before %llu is stored",
                       (unsigned long long)ampel_journal_first(journal), (unsigned long long)least);
}

static void turned(void *context) {
    struct life *life = context;
    struct ampel_journal *journal = ampel_world_journal(life->world);
    if (journal == NULL || ampel_world_fatal(life->world) != NULL) return;
    if (ampel_journal_end(journal) > life->model.end) {
        memory_disk_hold(ampel_world_disk(life->world), true);
        sim_model_read(&life->model, journal);
        memory_disk_hold(ampel_world_disk(life->world), false);
        check_bounds(life);
    }
}

/* ---- lives ------------------------------------------------------------------------------------ */

/* What stops a worker rightly is over with it. */
static void forgive(struct life *life) {
    if (life->broken)
        ampel_memory_database_fault(ampel_world_database(life->world), AMPEL_FAULT_NONE, 0);
    life->may_die = life->broken = false;
}

static void kill_worker(struct life *life, bool power) {
    if (!ampel_world_lives(life->world)) return;
    say(life, power ? "the power fails" : "the process is killed");
    fired(life, power ? SIM_POWER : SIM_KILLED);
    ampel_world_kill(life->world, power);
    forgive(life);
}

/* The clock must not stand behind the log at a start, unless a person says that it is right. */
static void mend_clock(struct life *life) {
    const struct sim_record *last =
        life->model.records_count > 0 ? &life->model.records[life->model.records_count - 1] : NULL;
    int64_t behind_ms = last == NULL ? 0 : last->stamp_ms - ampel_world_now_ms(life->world);
    if (behind_ms <= 0) return;
    if (chance(life, 50)) {
        say(life, "a person says that the clock is right");
        ampel_world_clock_is_right(life->world, true);
    } else {
        say(life, "the clock is set right");
        ampel_world_clock_jump(life->world, behind_ms + 1);
    }
}

static bool start_once(struct life *life) {
    struct ampel_error error = {0};
    sim_hooks.named[0] = '\0';
    life->out->starts++;
    fired(life, SIM_STARTED);
    if (life->out->starts > STARTS_MAX) {
        sim_model_fail(&life->model, "%llu starts and no end",
                       (unsigned long long)life->out->starts);
        return false;
    }
    if (!ampel_world_start(life->world, &error)) {
        say(life, "the journal does not open: %s: %s", error.field, error.reason);
        if (!life->may_die)
            sim_model_fail(&life->model, "the journal does not open: %s: %s", error.field,
                           error.reason);
        (void)snprintf(sim_hooks.named, sizeof(sim_hooks.named), "%s: %s", error.field,
                       error.reason);
        return false;
    }
    say(life, "start %llu: the log ends at %llu", (unsigned long long)life->out->starts,
        (unsigned long long)ampel_journal_end(ampel_world_journal(life->world)));
    return true;
}

static void start(struct life *life) {
    while (!ampel_world_lives(life->world) && !wrong(life)) {
        if (start_once(life)) {
            memory_disk_hold(ampel_world_disk(life->world), true);
            sim_model_verify(&life->model, ampel_world_journal(life->world));
            memory_disk_hold(ampel_world_disk(life->world), false);
            return;
        }
        /* What made it fail does not last. */
        if (life->may_die && chance(life, 50))
            memory_disk_crash(ampel_world_disk(life->world), ampel_random_next(&life->random));
        else
            memory_disk_restart(ampel_world_disk(life->world));
        life->may_die = false;
        memory_disk_limit(ampel_world_disk(life->world), UINT64_MAX);
        life->full_acts = 0;
    }
}

/* A worker that stopped itself: rightly, or not. */
static void bury(struct life *life) {
    const char *fatal = ampel_world_fatal(life->world);
    if (fatal == NULL || !ampel_world_lives(life->world)) return;
    say(life, "the %s stops the worker: %s", fatal, sim_hooks.named);
    if (life->out->faults[SIM_CLOCK_BACKWARD] > 0 && strstr(sim_hooks.named, "clock") != NULL) {
        fired(life, SIM_CLOCK_REFUSED);
        mend_clock(life);
    } else if (!life->may_die) {
        sim_model_fail(&life->model, "the %s stopped the worker: %s", fatal, sim_hooks.named);
    }
    kill_worker(life, chance(life, 30));
}

/* ---- damage while the worker is down ---------------------------------------------------------- */

/* Where the segment that holds a position begins; its name. */
static uint64_t segment_of(struct memory_disk *disk, uint64_t position,
                           char out[AMPEL_DISK_NAME_MAX]) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < memory_disk_files(disk); i++) {
        const char *name = memory_disk_name(disk, i);
        char *end;
        uint64_t start_position = strtoull(name, &end, 16);
        if (strcmp(end, ".log") != 0 || end == name || start_position > position) continue;
        found = start_position;
        (void)snprintf(out, AMPEL_DISK_NAME_MAX, "%s", name);
    }
    return found;
}

/* Flips a bit of a record that is not of the last group and that the next start reads. Damage must be named. */
static void flip_synced(struct life *life) {
    struct sim_model *model = &life->model;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < model->partitions; i++)
        if (model->of[i].position < least) least = model->of[i].position;
    uint32_t from = 0;
    while (from < model->records_count && model->records[from].position < least)
        from++;
    if (from + 3 >= model->records_count) return;
    const struct sim_record *record =
        &model->records[from + below(life, model->records_count - from - 2)];
    /* A last group that is not whole is a torn tail: a group must end between the flip and the end, which is where the next
       record does not follow at once. */
    bool more = false;
    for (uint32_t i = from; i + 1 < model->records_count; i++) {
        if (model->records[i].position <= record->position) continue;
        more |=
            model->records[i].position + model->records[i].size != model->records[i + 1].position;
    }
    if (!more) return;
    struct memory_disk *disk = ampel_world_disk(life->world);
    char file[AMPEL_DISK_NAME_MAX] = "";
    uint64_t start_position = segment_of(disk, record->position, file), size = 0;
    uint8_t *bytes = memory_disk_bytes(disk, file, &size);
    uint64_t offset = record->position - start_position + below(life, record->size);
    if (bytes == NULL || offset >= size) return;
    uint8_t bit = (uint8_t)(1 << below(life, 8));
    bytes[offset] ^= bit;
    say(life, "a bit flips at position %llu", (unsigned long long)(start_position + offset));
    fired(life, SIM_FLIP_SYNCED);
    life->may_die = true;
    bool refused = !start_once(life);
    for (uint32_t i = 0; i < 400 && !refused && !wrong(life); i++) {
        ampel_world_pass(life->world, 20);
        refused = ampel_world_fatal(life->world) != NULL;
    }
    bool named =
        strstr(sim_hooks.named, ".log") != NULL && strstr(sim_hooks.named, "offset") != NULL;
    bool clock = strstr(sim_hooks.named, "clock") != NULL;
    if (refused && named) fired(life, SIM_FLIP_NAMED);
    if (!clock && !(refused && named))
        sim_model_fail(model, "damage at %llu was not named: %s",
                       (unsigned long long)(start_position + offset), sim_hooks.named);
    say(life, "%s", sim_hooks.named);
    if (clock) mend_clock(life);
    if (ampel_world_lives(life->world))
        ampel_world_kill(life->world, false);
    else
        memory_disk_restart(disk);
    /* As from a backup. */
    bytes = memory_disk_bytes(disk, file, &size);
    if (bytes != NULL) bytes[offset] ^= bit;
    life->may_die = false;
}

/* ---- acts ------------------------------------------------------------------------------------- */

static void pump(struct life *life) {
    uint64_t backs = 0;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        struct ampel_feeder *feeder = ampel_agency_feeder(life->model.agencies[i]);
        ampel_feeder_pump(feeder, ampel_world_monotonic_ms(life->world));
        for (uint32_t reason = 0; reason < AMPEL_BACKS_COUNT; reason++)
            backs += ampel_feeder_backs(feeder, (enum ampel_back_reason)reason);
    }
    life->out->faults[SIM_BATCH_BACK] = backs;
    sim_model_check_acks(&life->model);
}

static void feed(struct life *life) {
    uint32_t agency = (uint32_t)below(life, SIM_AGENCIES);
    uint32_t events = 1 + (uint32_t)below(life, 24),
             bad = chance(life, 20) ? 1 + (uint32_t)below(life, 2) : 0;
    if (ampel_feeder_count(ampel_agency_feeder(life->model.agencies[agency])) >=
        SIM_SEQUENCES_MAX - 1)
        return;
    ampel_agency_batch(life->model.agencies[agency], ampel_world_now_ms(life->world), events, bad,
                       chance(life, 10));
    life->out->events += events + bad;
    say(life, "%s makes batch %llu of %u events", tenants[agency],
        (unsigned long long)ampel_feeder_count(ampel_agency_feeder(life->model.agencies[agency])) -
            1,
        (unsigned)(events + bad));
}

static struct ampel_feeder *some_feeder(struct life *life, uint64_t *sequence) {
    struct ampel_feeder *feeder =
        ampel_agency_feeder(life->model.agencies[below(life, SIM_AGENCIES)]);
    uint64_t count = ampel_feeder_count(feeder);
    if (count == 0) return NULL;
    *sequence = below(life, count);
    return feeder;
}

static void resend(struct life *life, enum sim_fault fault) {
    uint64_t sequence;
    struct ampel_feeder *feeder = some_feeder(life, &sequence);
    if (feeder == NULL) return;
    fired(life, fault);
    if (fault == SIM_RESENT)
        ampel_feeder_resend(feeder, sequence);
    else if (fault == SIM_RESENT_ELSEWHERE)
        ampel_feeder_resend_elsewhere(feeder, sequence);
    else
        ampel_feeder_restart(feeder);
}

static void harm_message(struct life *life, enum sim_fault fault) {
    resend(life, SIM_RESENT);
    pump(life);
    static const struct {
        enum sim_fault fault;
        enum ampel_loopback_harm harm;
    } harms[] = {{SIM_BATCH_DROPPED, AMPEL_HARM_DROP},
                 {SIM_BATCH_DOUBLED, AMPEL_HARM_DOUBLE},
                 {SIM_BATCH_REORDERED, AMPEL_HARM_REORDER},
                 {SIM_BATCH_CUT, AMPEL_HARM_CUT}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(harms); i++) {
        if (harms[i].fault == fault &&
            ampel_loopback_harm(ampel_world_feeders(life->world), harms[i].harm, true,
                                ampel_random_next(&life->random)))
            fired(life, fault);
    }
}

static void harm_answer(struct life *life, enum sim_fault fault) {
    enum ampel_loopback_harm harm = fault == SIM_ANSWER_DROPPED ? AMPEL_HARM_DROP
                                    : chance(life, 50)          ? AMPEL_HARM_DOUBLE
                                                                : AMPEL_HARM_REORDER;
    resend(life, SIM_RESENT);
    ampel_world_settle(life->world);
    if (ampel_loopback_harm(ampel_world_feeders(life->world), harm, false,
                            ampel_random_next(&life->random)))
        fired(life, fault);
}

static void fail_disk(struct life *life, enum ampel_disk_status status) {
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_fail_at(disk, memory_disk_operations(disk) + below(life, 6), status);
    /* A full disk that says so in a sync, or when it should be overwritten with zeroes, stops the worker, too. */
    life->may_die = true;
}

static void fail_database(struct life *life, enum sim_fault fault) {
    static const struct {
        enum sim_fault fault;
        enum ampel_memory_fault what;
    } faults[] = {{SIM_DATABASE_AWAY, AMPEL_FAULT_AWAY},
                  {SIM_DATABASE_RETRY, AMPEL_FAULT_RETRY},
                  {SIM_COMMIT_UNKNOWN_DONE, AMPEL_FAULT_UNKNOWN_DONE},
                  {SIM_COMMIT_UNKNOWN_UNDONE, AMPEL_FAULT_UNKNOWN_UNDONE},
                  {SIM_DATABASE_BROKEN, AMPEL_FAULT_BROKEN}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(faults); i++) {
        if (faults[i].fault != fault) continue;
        ampel_memory_database_fault(ampel_world_database(life->world), faults[i].what,
                                    1 + (uint32_t)below(life, 3));
        if (fault == SIM_DATABASE_BROKEN) life->may_die = life->broken = true;
        fired(life, fault);
    }
}

static void jump_clock(struct life *life, enum sim_fault fault) {
    static const int64_t spans[] = {1500, 61000, 2 * HOUR_MS, 20 * HOUR_MS, 3 * AMPEL_DAY_MS};
    int64_t span_ms = spans[below(life, AMPEL_ARRAY_COUNT(spans))];
    if (fault == SIM_CLOCK_BACKWARD && span_ms > 2 * HOUR_MS) span_ms = 2 * HOUR_MS;
    if (life->jumped_ms + span_ms > JUMPS_MAX_MS) return;
    life->jumped_ms += span_ms;
    ampel_world_clock_jump(life->world, fault == SIM_CLOCK_FORWARD ? span_ms : -span_ms);
    fired(life, fault);
}

/* Another gateway, that had not heard of it, appends a batch once more. */
static void double_in_log(struct life *life) {
    struct sim_model *model = &life->model;
    if (model->records_count == 0 || sim_hooks.doubled != NULL) return;
    uint32_t index = (uint32_t)below(life, model->records_count);
    while (index > 0 && !model->records[index].batch)
        index--;
    const struct sim_record *record = &model->records[index];
    if (!record->batch) return;
    sim_hooks.doubled = malloc(record->size);
    AMPEL_ASSERT(sim_hooks.doubled != NULL);
    memcpy(sim_hooks.doubled, model->bytes + record->at, record->size);
    sim_hooks.doubled_size = record->size;
    uint32_t cursor = 0;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    if (!ampel_record_frame_next(model->reader, sim_hooks.doubled, &cursor, &frame, &error)) return;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (strncmp(tenants[i], frame.tenant.bytes, frame.tenant.size) == 0)
            model->doubled[i][frame.sequence]++;
    }
}

static void pause_worker(struct life *life) {
    say(life, "the worker stands still; another one starts");
    ampel_world_pause(life->world);
    forgive(life);
    fired(life, SIM_PAUSED);
}

static void wake_paused(struct life *life) {
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < life->model.partitions; i++)
        before += life->model.of[i].epoch;
    if (!ampel_world_wake_scribe(life->world, 1 + (uint32_t)below(life, 20))) return;
    say(life, "the paused scribe came back");
    fired(life, SIM_PAUSED_CAME_BACK);
    for (uint32_t i = 0; i < life->model.partitions; i++)
        after += life->model.of[i].epoch;
    /* It stood still while it claimed, and now has taken something from the one that lives. */
    if (after != before) life->may_die = true;
}

static void linger(void *context) {
    struct life *life = context;
    if (!enabled(life, SIM_DISK_SLOW) || !chance(life, 2)) return;
    ampel_world_linger(life->world, 1 + (int64_t)below(life, 4000));
    fired(life, SIM_DISK_SLOW);
}

static void stop_orderly(struct life *life) {
    say(life, "an orderly stop");
    bool stopped = ampel_world_stop(life->world);
    if (stopped) fired(life, SIM_STOPPED);
    if (!stopped && ampel_world_fatal(life->world) == NULL) kill_worker(life, false);
}

static void suspend(struct life *life) {
    uint32_t agency = (uint32_t)below(life, SIM_AGENCIES);
    life->suspended[agency] = !life->suspended[agency];
    ampel_memory_database_suspend(ampel_world_database(life->world), tenants[agency],
                                  life->suspended[agency]);
    fired(life, SIM_TENANT_SUSPENDED);
}

static void database_hour(struct life *life) {
    ampel_memory_database_away(ampel_world_database(life->world), true);
    fired(life, SIM_DATABASE_HOUR);
    for (uint32_t i = 0; i < 12 && ampel_world_fatal(life->world) == NULL && !wrong(life); i++) {
        pump(life);
        if (chance(life, 50)) feed(life);
        ampel_world_pass(life->world, HOUR_MS / 12);
    }
    ampel_memory_database_away(ampel_world_database(life->world), false);
}

static void fault_act(struct life *life, enum sim_fault fault) {
    say(life, "fault %u", (unsigned)fault);
    switch (fault) {
    case SIM_KILLED:
        kill_worker(life, false);
        return;
    case SIM_POWER:
        kill_worker(life, true);
        return;
    case SIM_POWER_IN_CALL:
        fail_disk(life, AMPEL_DISK_OK);
        fired(life, fault);
        return;
    case SIM_DISK_EIO:
        fail_disk(life, AMPEL_DISK_FAILED);
        return;
    case SIM_DISK_FULL:
        fail_disk(life, AMPEL_DISK_FULL);
        return;
    case SIM_DISK_READ_EIO: /* only a start reads */
        kill_worker(life, false);
        life->may_die = true;
        memory_disk_fail_reads(ampel_world_disk(life->world), 1);
        return;
    case SIM_DISK_FULL_LONG:
        memory_disk_limit(ampel_world_disk(life->world), below(life, 2 * SEGMENT_BYTES));
        life->full_acts = 40;
        fired(life, fault);
        return;
    case SIM_BATCH_DROPPED:
    case SIM_BATCH_DOUBLED:
    case SIM_BATCH_REORDERED:
    case SIM_BATCH_CUT:
        harm_message(life, fault);
        return;
    case SIM_ANSWER_DROPPED:
    case SIM_ANSWER_HARMED:
        harm_answer(life, fault);
        return;
    case SIM_RESENT:
    case SIM_RESENT_ELSEWHERE:
    case SIM_FEEDER_RESTARTED:
        resend(life, fault);
        return;
    case SIM_LOG_DOUBLED:
        double_in_log(life);
        return;
    case SIM_TENANT_SUSPENDED:
        suspend(life);
        return;
    case SIM_DATABASE_AWAY:
    case SIM_DATABASE_RETRY:
    case SIM_COMMIT_UNKNOWN_DONE:
    case SIM_COMMIT_UNKNOWN_UNDONE:
    case SIM_DATABASE_BROKEN:
        fail_database(life, fault);
        return;
    case SIM_DATABASE_HOUR:
        if (chance(life, 8)) database_hour(life);
        return;
    case SIM_CLOCK_FORWARD:
    case SIM_CLOCK_BACKWARD:
        jump_clock(life, fault);
        return;
    case SIM_STOLEN:
        ampel_memory_database_steal(ampel_world_database(life->world),
                                    (uint32_t)below(life, life->model.partitions));
        life->may_die = true;
        fired(life, fault);
        return;
    case SIM_PAUSED:
        pause_worker(life);
        return;
    case SIM_PAUSED_CAME_BACK:
        wake_paused(life);
        return;
    case SIM_FLIP_SYNCED:
        kill_worker(life, chance(life, 50));
        flip_synced(life);
        return;
    case SIM_STOPPED:
        stop_orderly(life);
        return;
    default:
        return; /* what follows from others */
    }
}

static void act(struct life *life) {
    if (life->full_acts > 0 && --life->full_acts == 0)
        memory_disk_limit(ampel_world_disk(life->world), UINT64_MAX);
    uint64_t what = below(life, 100);
    if (what < 30) {
        for (uint64_t i = below(life, 30); i > 0 && ampel_world_fatal(life->world) == NULL; i--)
            (void)ampel_world_turn(life->world);
    } else if (what < 55) {
        pump(life);
    } else if (what < 80) {
        ampel_world_pass(life->world, 1 + (int64_t)below(life, chance(life, 10) ? 8000 : 300));
    } else if (what < 92) {
        if (life->out->events < SIM_EVENTS_LEAST || chance(life, 5)) feed(life);
    } else {
        enum sim_fault fault = (enum sim_fault)below(life, SIM_FAULTS_COUNT);
        for (uint32_t i = 0; i < SIM_FAULTS_COUNT && !enabled(life, fault); i++)
            fault = (enum sim_fault)below(life, SIM_FAULTS_COUNT);
        if (enabled(life, fault)) fault_act(life, fault);
    }
}

/* ---- the story -------------------------------------------------------------------------------- */

static bool enough(const struct life *life) {
    return life->out->events >= SIM_EVENTS_LEAST && life->model.commits >= SIM_CHECKPOINTS_LEAST &&
           life->out->starts > SIM_RECOVERIES_LEAST;
}

static void disturb(struct life *life) {
    start(life);
    for (uint32_t acts = 0; acts < ACTS_MAX && !wrong(life) && !enough(life); acts++) {
        act(life);
        bury(life);
        /* So that no seed lives for ever in its first life. */
        if (acts % 50 == 49 && enabled(life, SIM_POWER_IN_CALL) && chance(life, 50))
            fault_act(life, SIM_POWER_IN_CALL);
        if (acts % 150 == 149) kill_worker(life, chance(life, 50));
        if (!ampel_world_lives(life->world) && !wrong(life)) start(life);
    }
}

static bool all_acked(const struct life *life) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (!ampel_feeder_done(ampel_agency_feeder(life->model.agencies[i]))) return false;
    }
    return true;
}

/* Every fault is over. */
static void calm(struct life *life) {
    say(life, "calm");
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_fail_at(disk, UINT64_MAX, AMPEL_DISK_OK);
    memory_disk_fail_reads(disk, 0);
    memory_disk_limit(disk, UINT64_MAX);
    memory_disk_on_sync(disk, NULL, NULL);
    ampel_memory_database_fault(ampel_world_database(life->world), AMPEL_FAULT_NONE, 0);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (life->suspended[i]) {
            ampel_memory_database_suspend(ampel_world_database(life->world), tenants[i], false);
        }
        life->suspended[i] = false;
    }
    wake_paused(life);
    free(sim_hooks.doubled);
    sim_hooks.doubled = NULL;
    life->full_acts = 0;
}

static void fail_unacked(struct life *life) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        const struct ampel_feeder *feeder = ampel_agency_feeder(life->model.agencies[i]);
        if (ampel_feeder_done(feeder)) continue;
        char backs[200];
        int size = 0;
        for (uint32_t j = 0; j < AMPEL_BACKS_COUNT; j++)
            size +=
                snprintf(backs + size, sizeof(backs) - (size_t)size, " %llu",
                         (unsigned long long)ampel_feeder_backs(feeder, (enum ampel_back_reason)j));
        sim_model_fail(&life->model,
                       "%s waits for ever for acks: %llu of %llu came; back by reason:%s",
                       tenants[i], (unsigned long long)ampel_feeder_acked(feeder),
                       (unsigned long long)ampel_feeder_count(feeder), backs);
    }
}

static void drain(struct life *life) {
    calm(life);
    for (uint32_t i = 0; i < DRAIN_ROUNDS_MAX && !wrong(life); i++) {
        if (!ampel_world_lives(life->world)) start(life);
        if (wrong(life)) return;
        pump(life);
        ampel_world_pass(life->world, 100);
        bury(life);
        if (ampel_world_lives(life->world) && all_acked(life)) break;
    }
    if (!wrong(life) && !all_acked(life)) fail_unacked(life);
    ampel_world_pass(life->world, 65000 + (int64_t)below(life, 5 * MINUTE_MS));
    bury(life);
}

static void finish(struct life *life) {
    if (wrong(life)) return;
    /* A start may be refused by the clock, and a claim that was stolen stops the worker when it stores. */
    for (uint32_t i = 0; i < 10 && !wrong(life); i++) {
        if (!ampel_world_lives(life->world)) start(life);
        ampel_world_pass(life->world, 10000);
        bury(life);
        if (ampel_world_lives(life->world)) break;
    }
    if (!wrong(life) && !ampel_world_stop(life->world))
        sim_model_fail(&life->model, "the worker does not stop: %s", sim_hooks.named);
    if (wrong(life)) return;
    fired(life, SIM_STOPPED);
    sim_model_check_drained(&life->model);
    sim_model_check_told(&life->model);
    sim_model_check_refusals(&life->model);
    if (life->memory_bytes != 0)
        sim_model_fail(&life->model, "%llu bytes of the engines were never given back",
                       (unsigned long long)life->memory_bytes);
    if (!wrong(life)) sim_undisturbed_check(&life->model, &life->options);
}

static void open_life(struct life *life, uint64_t seed) {
    ampel_oracle_rules(&life->rules);
    ampel_world_options_init(&life->options);
    struct ampel_world_options *options = &life->options;
    options->rules = &life->rules;
    options->seed = seed;
    options->start_ms = INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS;
    options->shards_count = 1 + (uint32_t)below(life, 3);
    options->partitions = 1 + (uint32_t)below(life, SIM_PARTITIONS);
    options->checkpoint_every_ms = 100 + (int64_t)below(life, 2000);
    options->orders_rows_every_ms = chance(life, 20) ? 30000 : 0;
    options->unstored_bytes_max = chance(life, 20) ? 60000 : 8 << 20;
    options->segment_bytes = chance(life, 70) ? SEGMENT_BYTES : 4 * SEGMENT_BYTES;
    options->journal_bytes_max = JOURNAL_BYTES_MAX;
    life->memory = (struct ampel_memory){.context = life, .take = take, .give = give};
    options->memory = &life->memory;
    options->turned = turned;
    options->turned_context = life;
    life->world = ampel_world_open(options);
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_on_sync(disk, linger, life);
    memory_disk_garble(disk, enabled(life, SIM_SECTOR_GARBLED) ? 30 : 0);
    memory_disk_lie(disk, sim_hooks.canary == SIM_CANARY_NO_SYNC);
    struct ampel_memory_database *database = ampel_world_database(life->world);
    static const struct {
        enum sim_canary canary;
        enum ampel_memory_bug bug;
    } bugs[] = {{SIM_CANARY_NO_FENCE, AMPEL_BUG_NO_FENCE},
                {SIM_CANARY_LOST_ROWS, AMPEL_BUG_LOST_ROWS},
                {SIM_CANARY_HALF_DONE, AMPEL_BUG_HALF_DONE}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bugs); i++) {
        if (bugs[i].canary == sim_hooks.canary) ampel_memory_database_plant(database, bugs[i].bug);
    }
    ampel_memory_database_watch(database,
                                &(struct ampel_memory_watch){.context = &life->model,
                                                             .claimed = sim_model_claimed,
                                                             .committed = sim_model_committed});
    struct sim_model *model = &life->model;
    model->rules = &life->rules;
    model->database = database;
    model->partitions = options->partitions;
    model->orders_late = options->orders_rows_every_ms > 0;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        ampel_memory_database_tenant_add(database, tenants[i], KEY);
        model->agencies[i] = ampel_agency_open(ampel_world_feeders(life->world), tenants[i], "erp",
                                               SIM_ACCOUNTS, seed * SIM_AGENCIES + i);
        ampel_feeder_patience(ampel_agency_feeder(model->agencies[i]), PATIENCE_MS);
    }
    sim_model_open(model);
}

static void tell(struct life *life) {
    struct sim_outcome *out = life->out;
    struct memory_disk_toll toll = memory_disk_toll(ampel_world_disk(life->world));
    out->faults[SIM_SECTOR_LOST] = toll.sectors_lost;
    out->faults[SIM_SECTOR_KEPT] = toll.sectors_kept;
    out->faults[SIM_SECTOR_GARBLED] = toll.sectors_garbled;
    out->faults[SIM_SYNC_FORGOTTEN] = toll.sectors_forgotten;
    out->faults[SIM_NAME_UNDONE] = toll.names_undone;
    out->faults[SIM_DISK_EIO] = toll.failed;
    out->faults[SIM_DISK_READ_EIO] = toll.failed_reads;
    out->faults[SIM_DISK_FULL] = toll.full;
    out->faults[SIM_WRITE_SHORT] = toll.short_writes;
    out->faults[SIM_LOG_DOUBLED] = sim_hooks.doubled_count;
    out->commits = life->model.commits;
    out->checks = life->model.checks;
    out->log_records = life->model.records_count;
    out->simulated_ms = (uint64_t)(ampel_world_now_ms(life->world) -
                                   INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS);
    const struct ampel_stored_told *told;
    out->told = ampel_memory_database_told(ampel_world_database(life->world), &told);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", life->model.reason);
}

void sim_live(uint64_t seed, struct sim_outcome *out) {
    *out = (struct sim_outcome){0};
    sim_hooks.doubled_count = 0;
    struct life *life = calloc(1, sizeof(*life));
    AMPEL_ASSERT(life != NULL);
    life->out = out;
    life->random.state = seed ^ UINT64_C(0x73696d);
    /* Some seeds meet everything, most a half, a few hardly anything. */
    uint64_t kind = below(life, 10);
    life->enabled = ampel_random_next(&life->random);
    if (kind == 0) life->enabled = UINT64_MAX;
    if (kind == 1) life->enabled &= ampel_random_next(&life->random);
    open_life(life, seed);
    disturb(life);
    drain(life);
    finish(life);
    if (!wrong(life) && !enough(life))
        sim_model_fail(&life->model, "too little happened: %llu events, %llu commits, %llu starts",
                       (unsigned long long)out->events, (unsigned long long)life->model.commits,
                       (unsigned long long)out->starts);
    tell(life);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++)
        ampel_agency_close(life->model.agencies[i]);
    ampel_world_close(life->world);
    sim_model_close(&life->model);
    free(life);
}

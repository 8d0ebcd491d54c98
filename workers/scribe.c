/* A turn does one thing with the database and hands on what comes of it. What finds no room with
   its receiver waits in that receiver's outbox and never holds up the database: every other stage
   may wait for the scribe, the scribe waits for nobody, so no circle of waiting can close. An
   outbox is short by nature: one COMMITTED for each partition under way, one ANSWER for each ASK.
 */
#include "workers/scribe.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rules_file.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/parcel.h"

#define NS_PER_MS      INT64_C(1000000)
#define PAUSE_LEAST_NS (100 * NS_PER_MS)
#define PAUSE_MOST_NS  (5000 * NS_PER_MS)

/* Parcels that wait for room in one queue, oldest first. */
struct outbox {
    struct ampel_queue *queue;
    struct ampel_parcel **parcels;
    uint32_t first, count, capacity;
};

enum phase {
    PHASE_BEGIN, /* epoch and numbers of the streams */
    PHASE_CLAIM, /* partition after partition */
    PHASE_SERVE,
};

struct ampel_scribe {
    struct ampel_scribe_options options;
    enum phase phase;
    uint32_t claim_next;
    bool connected;
    bool connected_before;
    bool tenants_due; /* keys may have changed */
    bool rules_due;   /* newer rules may be there */
    uint64_t rules_number; /* of the newest that were read */
    bool look_first;  /* the checkpoint's last commit is of unknown outcome */
    bool stopping;
    uint64_t system_id;
    struct ampel_parcel *work; /* a checkpoint or ask whose fate is open */
    int64_t retry_ns;          /* not before this time; 0: at once */
    int64_t pause_ns;          /* of the last failure in a row, 0 after success */
    /* By partition: the engine's time that is stored; INT64_MAX unknown. The first scribe's, for all. */
    _Atomic int64_t *as_of_ms;
    uint32_t outboxes_count;
    struct outbox *keeper, *publisher, *gateway;
    struct outbox *shards; /* shards_count of them */
    struct outbox outboxes[];
};

/* ---- opening -------------------------------------------------------------------------------- */

static void wire(struct ampel_scribe *scribe) {
    const struct ampel_scribe_options *options = &scribe->options;
    scribe->keeper = &scribe->outboxes[0];
    scribe->publisher = &scribe->outboxes[1];
    scribe->gateway = &scribe->outboxes[2];
    scribe->shards = &scribe->outboxes[3];
    scribe->keeper->queue = options->keeper;
    scribe->publisher->queue = options->publisher;
    scribe->gateway->queue = options->gateway;
    for (uint32_t i = 0; i < options->shards_count; i++)
        scribe->shards[i].queue = options->shards[i];
    for (uint32_t i = 0; i < scribe->outboxes_count; i++)
        ampel_queue_on_room(scribe->outboxes[i].queue, ampel_queue_fd(options->in));
}

static bool ages_open(struct ampel_scribe *scribe) {
    scribe->as_of_ms = calloc(scribe->options.partitions, sizeof(scribe->as_of_ms[0]));
    for (uint32_t i = 0; scribe->as_of_ms != NULL && i < scribe->options.partitions; i++)
        atomic_init(&scribe->as_of_ms[i], INT64_MAX);
    return scribe->as_of_ms != NULL;
}

bool ampel_scribe_open(const struct ampel_scribe_options *options, struct ampel_scribe **out) {
    uint32_t outboxes_count = 3 + options->shards_count;
    struct ampel_scribe *scribe =
        calloc(1, sizeof(*scribe) + outboxes_count * sizeof(scribe->outboxes[0]));
    if (scribe == NULL) return false;
    scribe->options = *options;
    scribe->outboxes_count = outboxes_count;
    if (options->first != NULL) {
        scribe->phase = PHASE_SERVE;
        scribe->as_of_ms = options->first->as_of_ms;
    } else if (!ages_open(scribe)) {
        free(scribe);
        return false;
    }
    wire(scribe);
    *out = scribe;
    return true;
}

void ampel_scribe_close(struct ampel_scribe *scribe) {
    if (scribe == NULL) return;
    for (uint32_t i = 0; i < scribe->outboxes_count; i++) {
        struct outbox *outbox = &scribe->outboxes[i];
        for (uint32_t j = 0; j < outbox->count; j++)
            ampel_parcel_free(outbox->parcels[outbox->first + j]);
        free(outbox->parcels);
    }
    ampel_parcel_free(scribe->work);
    if (scribe->options.first == NULL) free(scribe->as_of_ms);
    free(scribe);
}

/* ---- handing on ----------------------------------------------------------------------------- */

static void outbox_flush(struct outbox *outbox) {
    while (outbox->count > 0 && ampel_queue_push(outbox->queue, outbox->parcels[outbox->first])) {
        outbox->first++;
        outbox->count--;
    }
    if (outbox->count == 0) outbox->first = 0;
}

/* Takes the parcel over. False: no memory, and the parcel is freed. */
static bool hand_on(struct outbox *outbox, struct ampel_parcel *parcel) {
    outbox_flush(outbox);
    if (outbox->count == 0 && ampel_queue_push(outbox->queue, parcel)) return true;
    if (outbox->first + outbox->count == outbox->capacity) {
        uint32_t capacity = outbox->capacity == 0 ? 16 : outbox->capacity * 2;
        struct ampel_parcel **grown = realloc(outbox->parcels, capacity * sizeof(grown[0]));
        if (grown == NULL) {
            ampel_parcel_free(parcel);
            return false;
        }
        outbox->parcels = grown;
        outbox->capacity = capacity;
    }
    outbox->parcels[outbox->first + outbox->count++] = parcel;
    return true;
}

static struct outbox *shard_of(struct ampel_scribe *scribe, uint32_t partition) {
    return &scribe->shards[partition % scribe->options.shards_count];
}

static bool hand_on_committed(struct ampel_scribe *scribe,
                              const struct ampel_checkpoint *checkpoint, int64_t spent_ns, bool fenced) {
    struct outbox *receivers[3] = {shard_of(scribe, checkpoint->partition), scribe->keeper,
                                   scribe->publisher};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(receivers); i++) {
        struct ampel_parcel_committed *committed = malloc(sizeof(*committed));
        if (committed == NULL) return false;
        *committed = (struct ampel_parcel_committed){
            .parcel.kind = AMPEL_PARCEL_COMMITTED,
            .partition = checkpoint->partition,
            .epoch = checkpoint->epoch,
            .position = checkpoint->position_new,
            .spent_ns = spent_ns,
            .fenced = fenced,
        };
        if (!hand_on(receivers[i], &committed->parcel)) return false;
    }
    return true;
}

static void *copy_bytes(const void *from, size_t size) {
    void *copy = malloc(size == 0 ? 1 : size);
    if (copy != NULL && size > 0) memcpy(copy, from, size);
    return copy;
}

static struct ampel_parcel_tenants *copy_tenants(const struct ampel_parcel_tenants *from) {
    struct ampel_parcel_tenants *copy = copy_bytes(from, sizeof(*from));
    if (copy == NULL) return NULL;
    copy->keys = copy_bytes(from->keys, from->keys_count * sizeof(from->keys[0]));
    copy->numbers = copy_bytes(from->numbers, from->numbers_count * sizeof(from->numbers[0]));
    if (copy->keys == NULL || copy->numbers == NULL) {
        ampel_parcel_tenants_free(copy);
        return NULL;
    }
    return copy;
}

/* To gateway and publisher, one each. */
static bool hand_on_tenants(struct ampel_scribe *scribe, struct ampel_parcel_tenants *tenants) {
    struct ampel_parcel_tenants *copy = copy_tenants(tenants);
    if (copy == NULL) {
        ampel_parcel_tenants_free(tenants);
        return false;
    }
    bool first = hand_on(scribe->gateway, &tenants->parcel);
    return hand_on(scribe->publisher, &copy->parcel) && first;
}

/* To the shard with pages, to the keeper without. */
static bool hand_on_loaded(struct ampel_scribe *scribe, struct ampel_parcel_loaded *loaded) {
    struct ampel_parcel_loaded *positions = calloc(1, sizeof(*positions));
    if (positions == NULL) {
        ampel_parcel_loaded_free(loaded);
        return false;
    }
    positions->parcel.kind = AMPEL_PARCEL_LOADED;
    positions->partition = loaded->partition;
    positions->epoch = loaded->epoch;
    positions->position = loaded->position;
    positions->rules_number = loaded->rules_number;
    bool first = hand_on(shard_of(scribe, loaded->partition), &loaded->parcel);
    return hand_on(scribe->keeper, &positions->parcel) && first;
}

/* ---- what the database says ----------------------------------------------------------------- */

enum outcome {
    OUTCOME_DONE,
    OUTCOME_LATER, /* try again at retry_ns */
    OUTCOME_FATAL,
};

static enum outcome no_memory(void) {
    ampel_log(AMPEL_LOG_ERROR, "scribe", "no memory", NULL);
    return OUTCOME_FATAL;
}

static const char *status_name(enum ampel_database_status status) {
    switch (status) {
    case AMPEL_DATABASE_OK:
        return "ok";
    case AMPEL_DATABASE_AWAY:
        return "away";
    case AMPEL_DATABASE_RETRY:
        return "retry";
    case AMPEL_DATABASE_UNKNOWN:
        return "unknown";
    case AMPEL_DATABASE_FENCED:
        return "fenced";
    case AMPEL_DATABASE_BROKEN:
        return "broken";
    }
    return "?";
}

static int64_t now_ns(const struct ampel_scribe *scribe) {
    return scribe->options.clock.monotonic_ns(scribe->options.clock.context);
}

static void tell_as_of(struct ampel_scribe *scribe, uint32_t partition, int64_t as_of_ms) {
    atomic_store_explicit(&scribe->as_of_ms[partition], as_of_ms, memory_order_relaxed);
}

/* How old the oldest stored state is. */
static void tell_age(const struct ampel_scribe *scribe) {
    int64_t least_ms = INT64_MAX;
    for (uint32_t i = 0; i < scribe->options.partitions; i++) {
        int64_t as_of_ms = atomic_load_explicit(&scribe->as_of_ms[i], memory_order_relaxed);
        if (as_of_ms < least_ms) least_ms = as_of_ms;
    }
    if (least_ms == INT64_MAX) return;
    int64_t age_ms = scribe->options.clock.now_ms(scribe->options.clock.context) - least_ms;
    ampel_metric_set(AMPEL_METRIC_CHECKPOINT_AGE, age_ms > 0 ? age_ms / 1000 : 0);
}

/* Whether the database is there is told by the first scribe, who has work with it at all times. */
static void tell_up(const struct ampel_scribe *scribe, bool up) {
    if (scribe->options.first == NULL) ampel_metric_set(AMPEL_METRIC_DATABASE_UP, up);
}

/* Judges a status that is not OK: pauses, or says that nothing helps. */
static enum outcome failed(struct ampel_scribe *scribe, const char *what,
                           enum ampel_database_status status, const struct ampel_error *error) {
    ampel_metric_add(AMPEL_METRIC_DATABASE_ERRORS, 1);
    bool fatal = status == AMPEL_DATABASE_FENCED || status == AMPEL_DATABASE_BROKEN;
    int64_t pause_ns = scribe->pause_ns * 2;
    if (pause_ns < PAUSE_LEAST_NS) pause_ns = PAUSE_LEAST_NS;
    if (pause_ns > PAUSE_MOST_NS) pause_ns = PAUSE_MOST_NS;
    ampel_log(fatal ? AMPEL_LOG_ERROR : AMPEL_LOG_WARN, "scribe", "the database call failed",
              "call", "%s", what, "status", "%s", status_name(status), "reason", "%s",
              error->reason, "retry_ms", "%lld", fatal ? 0LL : (long long)(pause_ns / NS_PER_MS),
              NULL);
    if (fatal) return OUTCOME_FATAL;
    if (status != AMPEL_DATABASE_RETRY) {
        scribe->connected = false;
        tell_up(scribe, false);
    }
    scribe->pause_ns = pause_ns;
    scribe->retry_ns = now_ns(scribe) + pause_ns;
    tell_age(scribe);
    return OUTCOME_LATER;
}

/* Connecting alone is no success: a database may take connections and do nothing. */
static void succeeded(struct ampel_scribe *scribe) {
    scribe->pause_ns = 0;
}

static enum outcome connect(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_database_system system;
    struct ampel_error error = {0};
    enum ampel_database_status status = database->connect(database->context, &system, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "connect", status, &error);
    if (system.partitions != scribe->options.partitions ||
        (scribe->connected_before && system.id != scribe->system_id)) {
        ampel_log(AMPEL_LOG_ERROR, "scribe", "this is another system's database", "partitions",
                  "%u", system.partitions, "expected", "%u", scribe->options.partitions, NULL);
        return OUTCOME_FATAL;
    }
    scribe->system_id = system.id;
    scribe->connected = true;
    /* Notices that came while we were away are lost. */
    scribe->tenants_due = scribe->options.first == NULL && scribe->phase != PHASE_BEGIN;
    scribe->rules_due = scribe->options.first == NULL;
    if (scribe->connected_before) ampel_log(AMPEL_LOG_INFO, "scribe", "connected again", NULL);
    scribe->connected_before = true;
    tell_up(scribe, true);
    return OUTCOME_DONE;
}

static enum outcome begin(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_parcel_tenants *tenants;
    struct ampel_error error = {0};
    enum ampel_database_status status = database->begin(database->context, &tenants, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "begin", status, &error);
    succeeded(scribe);
    scribe->phase = PHASE_CLAIM;
    return hand_on_tenants(scribe, tenants) ? OUTCOME_DONE : no_memory();
}

static enum outcome claim(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_parcel_loaded *loaded;
    struct ampel_error error = {0};
    enum ampel_database_status status =
        database->claim(database->context, scribe->claim_next, &loaded, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "claim", status, &error);
    AMPEL_ASSERT(loaded->partition == scribe->claim_next);
    succeeded(scribe);
    /* What it holds is told to be as old as the start until its first checkpoint says more. */
    tell_as_of(scribe, scribe->claim_next, scribe->options.clock.now_ms(scribe->options.clock.context));
    scribe->claim_next++;
    if (scribe->claim_next == scribe->options.partitions) {
        scribe->phase = PHASE_SERVE;
        ampel_log(AMPEL_LOG_INFO, "scribe", "all partitions are claimed", "partitions", "%u",
                  scribe->options.partitions, NULL);
    }
    return hand_on_loaded(scribe, loaded) ? OUTCOME_DONE : no_memory();
}

static enum outcome tell_tenants(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_parcel_tenants *tenants;
    struct ampel_error error = {0};
    enum ampel_database_status status = database->tenants(database->context, &tenants, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "tenants", status, &error);
    succeeded(scribe);
    scribe->tenants_due = false;
    return hand_on_tenants(scribe, tenants) ? OUTCOME_DONE : no_memory();
}

/* The newest rules go to the keeper, who brings them into the log. Those that cannot be read (they were put there by
   hand, or by another program's version) are said and passed over. */
static enum outcome tell_rules(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_parcel_rules *parcel;
    struct ampel_error error = {0};
    enum ampel_database_status status =
        database->rules(database->context, scribe->rules_number, &parcel, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "rules", status, &error);
    succeeded(scribe);
    scribe->rules_due = false;
    if (parcel == NULL) return OUTCOME_DONE;
    scribe->rules_number = parcel->number;
    struct ampel_rules *rules = malloc(sizeof(*rules));
    struct ampel_text text = {parcel->text, parcel->size};
    bool right = rules != NULL && ampel_rules_file_decode(text, rules, &error);
    if (right) {
        ampel_log(AMPEL_LOG_INFO, "scribe", "the database's rules hold", "number", "%llu",
                  (unsigned long long)parcel->number, "version", "%s", rules->version, NULL);
    } else if (rules != NULL) {
        ampel_log(AMPEL_LOG_ERROR, "scribe", "the database's newest rules are wrong: not taken",
                  "number", "%llu", (unsigned long long)parcel->number, "key", "%s", error.field,
                  "reason", "%s", error.reason, NULL);
    }
    bool memory = rules != NULL;
    free(rules);
    if (right) return hand_on(scribe->keeper, &parcel->parcel) ? OUTCOME_DONE : no_memory();
    ampel_parcel_rules_free(parcel);
    return memory ? OUTCOME_DONE : no_memory();
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static enum outcome checkpoint_done(struct ampel_scribe *scribe,
                                    struct ampel_checkpoint *checkpoint, int64_t spent_ns) {
    succeeded(scribe);
    ampel_metric_add(AMPEL_METRIC_CHECKPOINTS, 1);
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_ROWS,
                     (uint64_t)checkpoint->ratings_count + checkpoint->violations_count);
    ampel_metric_add(AMPEL_METRIC_CHECKPOINT_PAGES, checkpoint->pages_count);
    tell_as_of(scribe, checkpoint->partition, checkpoint->as_of_ms);
    tell_age(scribe);
    bool handed = hand_on_committed(scribe, checkpoint, spent_ns, false);
    scribe->work = NULL;
    scribe->look_first = false;
    ampel_checkpoint_free(checkpoint);
    return handed ? OUTCOME_DONE : no_memory();
}

static enum outcome fenced(struct ampel_scribe *scribe, const struct ampel_checkpoint *checkpoint,
                           const char *reason) {
    ampel_log(AMPEL_LOG_ERROR, "scribe", "the partition has another owner", "partition", "%u",
              checkpoint->partition, "epoch", "%llu", (unsigned long long)checkpoint->epoch,
              "position", "%llu", (unsigned long long)checkpoint->position_old, "reason", "%s",
              reason, NULL);
    (void)hand_on_committed(scribe, checkpoint, 0, true);
    return OUTCOME_FATAL;
}

/* The last commit may have been done: the position says. A shard never makes a checkpoint with
   anything told that leaves the position where it was, so the two cases cannot be confused. */
static enum outcome look(struct ampel_scribe *scribe, struct ampel_checkpoint *checkpoint) {
    struct ampel_database *database = &scribe->options.database;
    uint64_t epoch, position;
    struct ampel_error error = {0};
    enum ampel_database_status status =
        database->position(database->context, checkpoint->partition, &epoch, &position, &error);
    if (status != AMPEL_DATABASE_OK) return failed(scribe, "position", status, &error);
    if (epoch != checkpoint->epoch) return fenced(scribe, checkpoint, "epoch");
    if (position == checkpoint->position_new) {
        ampel_log(AMPEL_LOG_INFO, "scribe", "the commit of unknown outcome was done", "partition",
                  "%u", checkpoint->partition, NULL);
        return checkpoint_done(scribe, checkpoint, 0);
    }
    if (position != checkpoint->position_old) return fenced(scribe, checkpoint, "position");
    scribe->look_first = false;
    return OUTCOME_DONE;
}

static enum outcome commit(struct ampel_scribe *scribe, struct ampel_checkpoint *checkpoint) {
    if (scribe->look_first) return look(scribe, checkpoint);
    struct ampel_database *database = &scribe->options.database;
    struct ampel_error error = {0};
    int64_t started_ns = now_ns(scribe);
    ampel_checkpoint_sort(checkpoint);
    if (!ampel_checkpoint_unfold(checkpoint)) return no_memory();
    enum ampel_database_status status = database->commit(database->context, checkpoint, &error);
    int64_t spent_ns = now_ns(scribe) - started_ns;
    ampel_metric_observe(AMPEL_METRIC_CHECKPOINT_SECONDS, spent_ns);
    if (status == AMPEL_DATABASE_OK) return checkpoint_done(scribe, checkpoint, spent_ns);
    if (status == AMPEL_DATABASE_FENCED) return fenced(scribe, checkpoint, error.reason);
    if (status == AMPEL_DATABASE_UNKNOWN) scribe->look_first = true;
    return failed(scribe, "commit", status, &error);
}

/* ---- questions ------------------------------------------------------------------------------ */

static struct ampel_parcel_answer *failed_answer(const struct ampel_parcel_ask *ask) {
    struct ampel_parcel_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) return NULL;
    answer->parcel.kind = AMPEL_PARCEL_ANSWER;
    answer->peer = ask->peer;
    memcpy(answer->tenant, ask->tenant, sizeof(answer->tenant));
    answer->stream = ask->stream;
    answer->from = ask->from;
    answer->failed = true;
    return answer;
}

/* A question that fails is answered so; whoever asked asks again. */
static enum outcome answer(struct ampel_scribe *scribe, struct ampel_parcel_ask *ask) {
    struct ampel_database *database = &scribe->options.database;
    struct ampel_parcel_answer *made = NULL;
    enum outcome outcome = OUTCOME_DONE;
    if (scribe->connected) {
        struct ampel_error error = {0};
        enum ampel_database_status status = database->outbox(database->context, ask, &made, &error);
        if (status != AMPEL_DATABASE_OK) {
            made = NULL;
            outcome = failed(scribe, "outbox", status, &error);
        }
    }
    if (made == NULL) made = failed_answer(ask);
    scribe->work = NULL;
    free(ask);
    if (made == NULL || !hand_on(scribe->publisher, &made->parcel)) return no_memory();
    return outcome;
}

/* ---- the stage ------------------------------------------------------------------------------ */

/* The next thing to do with the database; DONE with *idle where there is none. */
static enum outcome work(struct ampel_scribe *scribe, bool *idle) {
    if (scribe->work == NULL && !scribe->stopping) {
        scribe->work = ampel_queue_pop(scribe->options.in);
        if (scribe->work != NULL && scribe->work->kind == AMPEL_PARCEL_STOP) {
            ampel_parcel_free(scribe->work);
            scribe->work = NULL;
            scribe->stopping = true;
        }
    }
    if (scribe->work != NULL && scribe->work->kind == AMPEL_PARCEL_ASK)
        return answer(scribe, (struct ampel_parcel_ask *)scribe->work);
    /* After STOP nothing is left to be told, so nothing more is begun. */
    if (scribe->stopping && scribe->work == NULL) {
        *idle = true;
        return OUTCOME_DONE;
    }
    if (scribe->retry_ns > now_ns(scribe)) return OUTCOME_LATER;
    /* Those beside the first one have no business of their own: one whose connection is lost waits for the next checkpoint. */
    if (scribe->options.first != NULL && scribe->work == NULL && scribe->connected_before) {
        *idle = true;
        return OUTCOME_DONE;
    }
    if (!scribe->connected) return connect(scribe);
    if (scribe->phase == PHASE_BEGIN) return begin(scribe);
    if (scribe->phase == PHASE_CLAIM) {
        /* A shard that is still importing is waited for, so that only a few partitions are in
         * memory twice. */
        *idle = shard_of(scribe, scribe->claim_next)->count > 0;
        return *idle ? OUTCOME_DONE : claim(scribe);
    }
    if (scribe->work != NULL) {
        AMPEL_ASSERT(scribe->work->kind == AMPEL_PARCEL_CHECKPOINT);
        return commit(scribe, (struct ampel_checkpoint *)scribe->work);
    }
    if (scribe->tenants_due) return tell_tenants(scribe);
    if (scribe->rules_due) return tell_rules(scribe);
    *idle = true;
    return OUTCOME_DONE;
}

static void notice(struct ampel_scribe *scribe) {
    struct ampel_database *database = &scribe->options.database;
    if (!scribe->connected) return;
    /* Read by all, so that the server keeps none for them; of use to the first. */
    if (database->noticed(database->context) && scribe->options.first == NULL)
        scribe->tenants_due = scribe->rules_due = true;
    if (database->notice_fd(database->context) >= 0) return;
    ampel_log(AMPEL_LOG_WARN, "scribe", "the connection to the database is gone", NULL);
    scribe->connected = false;
    tell_up(scribe, false);
}

static enum ampel_turn scribe_turn(void *context, int64_t *wake_ns) {
    struct ampel_scribe *scribe = context;
    for (uint32_t i = 0; i < scribe->outboxes_count; i++)
        outbox_flush(&scribe->outboxes[i]);
    notice(scribe);
    bool idle = false;
    enum outcome outcome = work(scribe, &idle);
    *wake_ns = INT64_MAX;
    if (outcome == OUTCOME_FATAL) return AMPEL_TURN_FATAL;
    if (outcome == OUTCOME_LATER) {
        *wake_ns = scribe->retry_ns;
        return AMPEL_TURN_IDLE;
    }
    if (!idle) return AMPEL_TURN_AGAIN;
    return scribe->stopping ? AMPEL_TURN_ENDED : AMPEL_TURN_IDLE;
}

static uint32_t scribe_fds(void *context, int *fds, uint32_t capacity) {
    const struct ampel_scribe *scribe = context;
    const struct ampel_database *database = &scribe->options.database;
    uint32_t count = 0;
    /* While one thing waits for the database the next ones are not looked at. */
    bool paused = scribe->work != NULL && scribe->retry_ns > now_ns(scribe);
    if (!paused && count < capacity) fds[count++] = ampel_queue_fd(scribe->options.in);
    /* Before the first call is through nobody reads notices, and the thread would spin on them. */
    bool reads = scribe->connected && scribe->phase != PHASE_BEGIN;
    int notice_fd = reads ? database->notice_fd(database->context) : -1;
    if (notice_fd >= 0 && count < capacity) fds[count++] = notice_fd;
    return count;
}

struct ampel_stage ampel_scribe_stage(struct ampel_scribe *scribe) {
    return (struct ampel_stage){
        .name = "scribe", .context = scribe, .turn = scribe_turn, .fds = scribe_fds};
}

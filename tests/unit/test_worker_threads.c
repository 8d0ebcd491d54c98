/* The loop around a stage, and a whole worker on its threads: what the world tries turn by turn, here with real waits, so
   that ThreadSanitizer can look on. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/oracle/agency.h"
#include "tests/oracle/memory_disk.h"
#include "tests/oracle/oracle.h"
#include "workers/loop.h"
#include "workers/memory.h"
#include "workers/queue.h"
#include "workers/realtime.h"
#include "workers/wiring.h"

#define NS_PER_MS  INT64_C(1000000)
#define PARTITIONS 8
#define SHARDS     3
#define SCRIBES    2
#define AGENCIES   2
#define SYSTEM_ID  5
#define NOON_MS \
    (INT64_C(1790000000000) / 60000 * 60000 + 30000) /* a half minute: nothing is about to happen */

/* ---- the loop --------------------------------------------------------------------------------- */

/* A stage that counts its turns and does as it is told. */
struct puppet {
    struct ampel_clock clock;
    struct ampel_system_clock clock_state;
    struct ampel_queue *in;
    atomic_uint turns;
    _Atomic int64_t wake_after_ns; /* INT64_MAX: never */
    _Atomic enum ampel_turn answer;
};

static enum ampel_turn puppet_turn(void *context, int64_t *wake_ns) {
    struct puppet *puppet = context;
    while (ampel_queue_pop(puppet->in) != NULL) {
    }
    atomic_fetch_add(&puppet->turns, 1);
    int64_t after_ns = atomic_load(&puppet->wake_after_ns);
    if (after_ns != INT64_MAX)
        *wake_ns = puppet->clock.monotonic_ns(puppet->clock.context) + after_ns;
    return atomic_load(&puppet->answer);
}

static uint32_t puppet_fds(void *context, int *fds, uint32_t capacity) {
    if (capacity == 0) return 0;
    fds[0] = ampel_queue_fd(((struct puppet *)context)->in);
    return 1;
}

static struct ampel_loop *puppet_open(struct puppet *puppet, int ended_fd) {
    ampel_clock_system(&puppet->clock_state, INT64_MIN, 1, &puppet->clock);
    puppet->in = ampel_queue_open(8);
    atomic_init(&puppet->turns, 0);
    atomic_init(&puppet->wake_after_ns, INT64_MAX);
    atomic_init(&puppet->answer, AMPEL_TURN_IDLE);
    struct ampel_stage stage = {
        .name = "puppet", .context = puppet, .turn = puppet_turn, .fds = puppet_fds};
    struct ampel_loop *loop = ampel_loop_open(&stage, "puppet", puppet->clock, ended_fd, false, AMPEL_CORE_ANY);
    assert_non_null(loop);
    return loop;
}

/* Until the stage was turned so often, at most five seconds. */
static bool turned(struct puppet *puppet, uint32_t turns) {
    for (uint32_t i = 0; i < 5000 && atomic_load(&puppet->turns) < turns; i++)
        (void)poll(NULL, 0, 1);
    return atomic_load(&puppet->turns) >= turns;
}

static void prod(struct puppet *puppet) {
    assert_true(ampel_queue_push(puppet->in, puppet));
}

static void end(struct puppet *puppet, struct ampel_loop *loop, enum ampel_turn answer,
                int ended_fd) {
    atomic_store(&puppet->answer, answer);
    prod(puppet);
    struct pollfd ended = {.fd = ended_fd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 5000), 1);
    assert_int_equal(ampel_loop_state(loop),
                     answer == AMPEL_TURN_FATAL ? AMPEL_LOOP_FATAL : AMPEL_LOOP_ENDED);
    ampel_loop_close(loop);
    /* The first turn of all may have given the answer before the prod came. */
    while (ampel_queue_pop(puppet->in) != NULL) {
    }
    ampel_queue_close(puppet->in);
    (void)close(ended_fd);
}

static void an_idle_stage_is_turned_once_and_then_only_when_something_comes(void **state) {
    (void)state;
    struct puppet puppet;
    int ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct ampel_loop *loop = puppet_open(&puppet, ended_fd);
    assert_true(turned(&puppet, 1));
    (void)poll(NULL, 0, 50);
    assert_int_equal(atomic_load(&puppet.turns), 1);
    assert_int_equal(ampel_loop_state(loop), AMPEL_LOOP_RUNNING);
    prod(&puppet);
    assert_true(turned(&puppet, 2));
    end(&puppet, loop, AMPEL_TURN_ENDED, ended_fd);
}

static void a_timer_turns_a_stage_not_before_its_time(void **state) {
    (void)state;
    struct puppet puppet;
    int ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct ampel_loop *loop = puppet_open(&puppet, ended_fd);
    assert_true(turned(&puppet, 1));
    atomic_store(&puppet.wake_after_ns, 40 * NS_PER_MS);
    int64_t before_ns = puppet.clock.monotonic_ns(puppet.clock.context);
    prod(&puppet);
    assert_true(turned(&puppet, 4)); /* the prod, and two timers after it */
    assert_true(puppet.clock.monotonic_ns(puppet.clock.context) - before_ns >= 80 * NS_PER_MS);
    end(&puppet, loop, AMPEL_TURN_ENDED, ended_fd);
}

static void a_fatal_turn_ends_the_thread_and_is_seen(void **state) {
    (void)state;
    struct puppet puppet;
    int ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct ampel_loop *loop = puppet_open(&puppet, ended_fd);
    end(&puppet, loop, AMPEL_TURN_FATAL, ended_fd);
}

/* ---- a whole worker --------------------------------------------------------------------------- */

/* A connection to the database in memory, which is for one thread at a time. */
struct guarded {
    struct ampel_database database;
    pthread_mutex_t *mutex;
};

#define GUARDED(call)                                    \
    struct guarded *guarded = context;                   \
    (void)pthread_mutex_lock(guarded->mutex);            \
    struct ampel_database *database = &guarded->database; \
    enum ampel_database_status status = database->call;  \
    (void)pthread_mutex_unlock(guarded->mutex);          \
    return status

static enum ampel_database_status guarded_connect(void *context, struct ampel_database_system *out,
                                                  struct ampel_error *error) {
    GUARDED(connect(database->context, out, error));
}
static enum ampel_database_status guarded_begin(void *context, struct ampel_parcel_tenants **out,
                                                struct ampel_error *error) {
    GUARDED(begin(database->context, out, error));
}
static enum ampel_database_status guarded_claim(void *context, uint32_t partition, struct ampel_parcel_loaded **out,
                                                struct ampel_error *error) {
    GUARDED(claim(database->context, partition, out, error));
}
static enum ampel_database_status guarded_commit(void *context, const struct ampel_checkpoint *checkpoint,
                                                 struct ampel_error *error) {
    GUARDED(commit(database->context, checkpoint, error));
}
static enum ampel_database_status guarded_position(void *context, uint32_t partition, uint64_t *epoch,
                                                   uint64_t *position, struct ampel_error *error) {
    GUARDED(position(database->context, partition, epoch, position, error));
}
static enum ampel_database_status guarded_tenants(void *context, struct ampel_parcel_tenants **out,
                                                  struct ampel_error *error) {
    GUARDED(tenants(database->context, out, error));
}
static enum ampel_database_status guarded_rules(void *context, uint64_t number, struct ampel_parcel_rules **out,
                                                struct ampel_error *error) {
    GUARDED(rules(database->context, number, out, error));
}
static enum ampel_database_status guarded_outbox(void *context, const struct ampel_parcel_ask *ask,
                                                 struct ampel_parcel_answer **out, struct ampel_error *error) {
    GUARDED(outbox(database->context, ask, out, error));
}
static int guarded_notice_fd(void *context) {
    struct guarded *guarded = context;
    (void)pthread_mutex_lock(guarded->mutex);
    int fd = guarded->database.notice_fd(guarded->database.context);
    (void)pthread_mutex_unlock(guarded->mutex);
    return fd;
}
static bool guarded_noticed(void *context) {
    struct guarded *guarded = context;
    (void)pthread_mutex_lock(guarded->mutex);
    bool noticed = guarded->database.noticed(guarded->database.context);
    (void)pthread_mutex_unlock(guarded->mutex);
    return noticed;
}
static void guarded_close(void *context) {
    struct guarded *guarded = context;
    guarded->database.close(guarded->database.context);
}

static void guard(struct guarded *guarded, struct ampel_database *out) {
    *out = (struct ampel_database){
        .context = guarded,
        .connect = guarded_connect,
        .begin = guarded_begin,
        .claim = guarded_claim,
        .commit = guarded_commit,
        .position = guarded_position,
        .tenants = guarded_tenants,
        .rules = guarded_rules,
        .outbox = guarded_outbox,
        .notice_fd = guarded_notice_fd,
        .noticed = guarded_noticed,
        .close = guarded_close,
    };
}

struct rig {
    struct memory_disk *disk;
    struct ampel_memory_database *database;
    pthread_mutex_t database_mutex;
    struct guarded connections[SCRIBES];
    struct ampel_loopback *feeders, *watchers;
    struct ampel_rules rules;
    struct ampel_system_clock clock_state;
    struct ampel_clock clock;
    struct ampel_shard_memory memory_states[SHARDS];
    struct ampel_memory memories[SHARDS];
    struct ampel_journal *journal;
    struct ampel_wiring *wiring;
    struct ampel_loop *loops[AMPEL_STAGES_MAX];
    uint32_t loops_count;
    int ended_fd;
};

static void rig_start(struct rig *rig, int64_t now_ms) {
    struct ampel_error error = {0};
    ampel_clock_system(&rig->clock_state, now_ms, 0, &rig->clock);
    struct ampel_journal_options journal = {.disk = memory_disk_process(rig->disk),
                                            .system_id = SYSTEM_ID,
                                            .segment_bytes = 1024 * 1024,
                                            .bytes_max = 64 * 1024 * 1024,
                                            .group_bytes_max = 64 * 1024};
    assert_int_equal(ampel_journal_open(&journal, &rig->journal, &error), AMPEL_JOURNAL_OK);
    for (uint32_t i = 0; i < SHARDS; i++)
        ampel_memory_open(&rig->memory_states[i], &rig->memories[i]);
    struct ampel_wiring_options options = {
        .clock = rig->clock,
        .rules = &rig->rules,
        .memories = rig->memories,
        .journal = rig->journal,
        .feeders = {.fds = ampel_loopback_fds, .tenants = ampel_loopback_tenants},
        .watchers = {.fds = ampel_loopback_fds, .tenants = ampel_loopback_tenants},
        .partitions = PARTITIONS,
        .shards_count = SHARDS,
        .scribes_count = SCRIBES,
        .checkpoint_every_ms = 20,
        .checkpoint_share = 25,
        .inflight_bytes_max = 1024 * 1024,
        .unstored_bytes_max = 300000, /* little enough that shards stall now and then */
        .accounts_per_tenant_max = 100000,
        .violations_per_account_max = AMPEL_ACCOUNT_VIOLATIONS_MAX,
        .producers_per_tenant_max = AMPEL_PRODUCERS_PER_TENANT_MAX,
    };
    for (uint32_t i = 0; i < SCRIBES; i++) {
        rig->connections[i].mutex = &rig->database_mutex;
        ampel_memory_database_face_of(rig->database, i, &rig->connections[i].database);
        guard(&rig->connections[i], &options.databases[i]);
    }
    ampel_loopback_face(rig->feeders, &options.feeders.network);
    ampel_loopback_face(rig->watchers, &options.watchers.network);
    assert_true(ampel_wiring_open(&options, &rig->wiring));
    rig->loops_count = ampel_wiring_stages_count(rig->wiring);
    for (uint32_t i = 0; i < rig->loops_count; i++) {
        struct ampel_stage stage = ampel_wiring_stage(rig->wiring, i);
        rig->loops[i] = ampel_loop_open(&stage, stage.name, rig->clock, rig->ended_fd, false, AMPEL_CORE_ANY);
        assert_non_null(rig->loops[i]);
    }
}

static void rig_stop(struct rig *rig) {
    assert_true(ampel_wiring_stop(rig->wiring));
    for (uint32_t i = 0; i < rig->loops_count; i++) {
        for (uint32_t j = 0; j < 20000 && ampel_loop_state(rig->loops[i]) == AMPEL_LOOP_RUNNING;
             j++)
            (void)poll(NULL, 0, 1);
        if (ampel_loop_state(rig->loops[i]) != AMPEL_LOOP_ENDED)
            fail_msg("the stage %s did not end in order", ampel_loop_name(rig->loops[i]));
        ampel_loop_close(rig->loops[i]);
    }
    ampel_wiring_close(rig->wiring);
    ampel_journal_close(rig->journal);
    memory_disk_restart(rig->disk);
    for (uint32_t i = 0; i < SHARDS; i++)
        ampel_memory_close(&rig->memory_states[i]);
    ampel_loopback_reset(rig->feeders);
    ampel_loopback_reset(rig->watchers);
}

static void deliver(struct rig *rig, struct ampel_agency **agencies) {
    for (uint32_t i = 0; i < AGENCIES; i++) {
        struct ampel_feeder *feeder = ampel_agency_feeder(agencies[i]);
        for (uint32_t j = 0; j < 20000 && !ampel_feeder_done(feeder); j++) {
            for (uint32_t k = 0; k < AGENCIES; k++)
                ampel_feeder_pump(ampel_agency_feeder(agencies[k]),
                                  rig->clock.monotonic_ns(rig->clock.context) / NS_PER_MS);
            (void)poll(NULL, 0, 1);
        }
        assert_true(ampel_feeder_done(feeder));
    }
}

static void a_worker_on_its_threads_stores_what_the_oracle_says(void **state) {
    (void)state;
    static const char *const tenants[AGENCIES] = {"nord", "sued"};
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->disk = memory_disk_open();
    rig->database = ampel_memory_database_open(SYSTEM_ID, PARTITIONS);
    assert_int_equal(pthread_mutex_init(&rig->database_mutex, NULL), 0);
    rig->feeders = ampel_loopback_open();
    rig->watchers = ampel_loopback_open();
    rig->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ampel_oracle_rules(&rig->rules);
    struct ampel_agency *agencies[AGENCIES];
    for (uint32_t i = 0; i < AGENCIES; i++) {
        ampel_memory_database_tenant_add(rig->database, tenants[i],
                                         "0123456789012345678901234567890123456789");
        agencies[i] = ampel_agency_open(rig->feeders, tenants[i], "erp", 30, 7 + i);
    }
    for (int64_t life = 0; life < 3; life++) {
        rig_start(rig, NOON_MS + life * 60000);
        for (uint32_t i = 0; i < 40; i++) {
            ampel_agency_batch(agencies[i % AGENCIES], NOON_MS + life * 60000, 50, i % 2, false);
        }
        deliver(rig, agencies);
        rig_stop(rig);
    }
    /* Once more, when no event waits for its time any more. */
    int64_t last_ms = NOON_MS + 10 * 60000;
    rig_start(rig, last_ms);
    ampel_agency_batch(agencies[0], last_ms - 8 * 60000, 10, 0, false);
    deliver(rig, agencies);
    (void)poll(NULL, 0, 1500); /* a tick for the partitions that had no frame */
    rig_stop(rig);
    char reason[400];
    for (uint32_t i = 0; i < AGENCIES; i++) {
        if (!ampel_agency_check(agencies[i], rig->database, &rig->rules, last_ms, reason) ||
            !ampel_agency_check_violations(agencies[i], rig->database, &rig->rules, last_ms,
                                           reason))
            fail_msg("%s", reason);
        ampel_agency_close(agencies[i]);
    }
    ampel_loopback_close(rig->feeders);
    ampel_loopback_close(rig->watchers);
    ampel_memory_database_close(rig->database);
    (void)pthread_mutex_destroy(&rig->database_mutex);
    memory_disk_close(rig->disk);
    (void)close(rig->ended_fd);
    free(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_stage_is_turned_once_and_then_only_when_something_comes),
        cmocka_unit_test(a_timer_turns_a_stage_not_before_its_time),
        cmocka_unit_test(a_fatal_turn_ends_the_thread_and_is_seen),
        cmocka_unit_test(a_worker_on_its_threads_stores_what_the_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

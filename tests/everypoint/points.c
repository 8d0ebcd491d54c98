/* tests/points: a script of a thousand events, and a fault at every single place of it: every change of the disk, every
   call of the database, every allocation of the engines, every system call of the real disk. After each the worker
   recovers and ends with the same state, by digest. Thread: one. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/everypoint/calls.h"
#include "tests/oracle/agency.h"
#include "tests/oracle/digest.h"
#include "tests/oracle/world.h"
#include "workers/disk.h"
#include "workers/logline.h"

#define AGENCIES               2
#define ACCOUNTS               10
#define PARTITIONS             3
#define BATCHES                42
#define EVENTS                 24
#define BAD_EVERY              6
#define MINUTE_MS              INT64_C(60000)
#define START_MS               (INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS)
#define END_MS                 (START_MS + 30 * MINUTE_MS + MINUTE_MS / 2)
#define STARTS_MAX             20
#define KEY                    "0123456789012345678901234567890123456789"
#define SYSTEM_CALLS_DIRECTORY "/tmp/ampel-points-XXXXXX"

static const char *const tenants[AGENCIES] = {"nord", "sued"};

/* What goes wrong in a run: at most one thing. */
struct plan {
    enum { NOTHING, DISK, DATABASE, MEMORY, HEAP, CALLS } where;
    uint64_t at;
    enum ampel_disk_status disk; /* OK: the power fails within the operation */
    bool power;                  /* the power fails when the process has died */
    enum ampel_memory_fault database;
    bool kill; /* the process dies with the database's answer */
    int error; /* of a system call */
    bool part;
};

struct counts {
    uint64_t disk, database, takes, heap, calls, starts;
};

struct script {
    struct plan plan;
    struct ampel_world *world;
    struct ampel_world_options options;
    struct ampel_rules rules;
    struct ampel_agency *agencies[AGENCIES];
    struct ampel_memory memory;
    uint64_t takes, bytes_out, starts;
    char directory[64];
    char reason[400];
};

/* Planted bugs, for canaries: the disk says that it synced, and did not; the database keeps rows of what it rolled back; a
   write that took a part says that it took all. */
static bool disk_lies, database_keeps, call_lies;

static const char *doing = "the plain run";
static uint64_t doing_at;

static void on_abort(int number) {
    (void)number;
    char line[160];
    int size = snprintf(line, sizeof(line), "an assert failed in %s at %llu\n", doing,
                        (unsigned long long)doing_at);
    ssize_t written = write(STDOUT_FILENO, line, size > 0 ? (size_t)size : 0);
    (void)written;
}

/* ---- memory and disk -------------------------------------------------------------------------- */

static void *take(void *context, size_t size, size_t alignment) {
    struct script *script = context;
    if (script->takes++ == script->plan.at && script->plan.where == MEMORY) return NULL;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *block = aligned_alloc(least, (size + least - 1) / least * least);
    AMPEL_ASSERT(block != NULL);
    script->bytes_out += size;
    return block;
}

static void give(void *context, void *block, size_t size) {
    ((struct script *)context)->bytes_out -= size;
    free(block);
}

static bool real_open(void *context, struct ampel_disk *out) {
    const struct script *script = context;
    calls.counted = true;
    if (ampel_disk_posix(script->directory, out)) return true;
    calls.counted = false;
    return false;
}

static void real_close(struct ampel_disk *disk) {
    calls.counted = false;
    ampel_disk_posix_close(disk);
}

/* ---- the script ------------------------------------------------------------------------------- */

static void script_open(struct script *script, const struct plan *plan) {
    *script = (struct script){.plan = *plan};
    ampel_oracle_rules(&script->rules);
    ampel_world_options_init(&script->options);
    struct ampel_world_options *options = &script->options;
    options->rules = &script->rules;
    options->seed = 7;
    options->start_ms = START_MS;
    options->shards_count = 2;
    options->partitions = PARTITIONS;
    options->checkpoint_every_ms = 400;
    options->segment_bytes = 16384;
    script->memory = (struct ampel_memory){.context = script, .take = take, .give = give};
    options->memory = &script->memory;
    calls = (struct calls){.fail_at = UINT64_MAX};
    allocations = (struct allocations){.fail_at = plan->where == HEAP ? plan->at : UINT64_MAX};
    if (plan->where == CALLS) {
        (void)snprintf(script->directory, sizeof(script->directory), SYSTEM_CALLS_DIRECTORY);
        AMPEL_ASSERT(mkdtemp(script->directory) != NULL);
        options->disk_open = real_open;
        options->disk_close = real_close;
        options->disk_context = script;
        calls.fail_at = plan->at;
        calls.fail_with = plan->error;
        calls.part = plan->part;
    }
    script->world = ampel_world_open(options);
    memory_disk_lie(ampel_world_disk(script->world), disk_lies);
    struct ampel_memory_database *database = ampel_world_database(script->world);
    if (database_keeps) ampel_memory_database_plant(database, AMPEL_BUG_HALF_DONE);
    calls.lies = call_lies;
    if (plan->where == DISK)
        memory_disk_fail_at(ampel_world_disk(script->world), plan->at, plan->disk);
    if (plan->where == DATABASE) ampel_memory_database_fault_at(database, plan->at, plan->database);
    for (uint32_t i = 0; i < AGENCIES; i++) {
        ampel_memory_database_tenant_add(database, tenants[i], KEY);
        script->agencies[i] = ampel_agency_open(ampel_world_feeders(script->world), tenants[i],
                                                "erp", ACCOUNTS, 77 + i);
        ampel_feeder_patience(ampel_agency_feeder(script->agencies[i]), 3000);
    }
}

static void remove_file(void *context, const char *name) {
    const struct ampel_disk *disk = context;
    (void)disk->remove(disk->context, name);
}

static void script_close(struct script *script) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        ampel_agency_close(script->agencies[i]);
    ampel_world_close(script->world);
    calls.counted = false;
    if (script->bytes_out != 0 && script->reason[0] == '\0')
        (void)snprintf(script->reason, sizeof(script->reason),
                       "memory of engines was not given back");
    if (script->directory[0] == '\0') return;
    struct ampel_disk disk;
    if (!ampel_disk_posix(script->directory, &disk)) return;
    (void)disk.list(disk.context, remove_file, &disk);
    ampel_disk_posix_close(&disk);
    AMPEL_ASSERT(rmdir(script->directory) == 0);
}

/* A worker lives, unless the script has failed. */
static void keep_alive(struct script *script) {
    struct ampel_world *world = script->world;
    bool fatal = ampel_world_fatal(world) != NULL;
    bool struck =
        script->plan.kill &&
        (script->plan.where == CALLS
             ? calls.failed != NULL
             : ampel_memory_database_calls(ampel_world_database(world)) > script->plan.at);
    if (ampel_world_lives(world) && (fatal || struck)) {
        ampel_world_kill(world, script->plan.power);
        script->plan.kill = false;
    }
    while (!ampel_world_lives(world) && script->reason[0] == '\0') {
        struct ampel_error error = {0};
        if (++script->starts > STARTS_MAX) {
            (void)snprintf(script->reason, sizeof(script->reason),
                           "the worker does not stay alive");
            return;
        }
        allocations.counted = true;
        bool started = ampel_world_start(world, &error);
        allocations.counted = false;
        if (started) return;
        calls.counted = false;
        if (script->plan.power)
            memory_disk_crash(ampel_world_disk(world), script->plan.at);
        else
            memory_disk_restart(ampel_world_disk(world));
    }
}

/* Time passes; whatever dies is started again. */
static void pass(struct script *script, int64_t span_ms) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        ampel_feeder_pump(ampel_agency_feeder(script->agencies[i]),
                          ampel_world_monotonic_ms(script->world));
    allocations.counted = true;
    ampel_world_pass(script->world, span_ms);
    allocations.counted = false;
    keep_alive(script);
}

static bool all_acked(const struct script *script) {
    for (uint32_t i = 0; i < AGENCIES; i++)
        if (!ampel_feeder_done(ampel_agency_feeder(script->agencies[i]))) return false;
    return true;
}

static void play(struct script *script) {
    keep_alive(script);
    for (uint32_t i = 0; i < BATCHES && script->reason[0] == '\0'; i++) {
        ampel_agency_batch(script->agencies[i % AGENCIES], START_MS + i * 500, EVENTS,
                           i % BAD_EVERY == 0 ? 1 : 0, i % 10 == 9);
        pass(script, 150);
    }
    for (uint32_t i = 0; i < 600 && script->reason[0] == '\0' && !all_acked(script); i++)
        pass(script, 200);
    if (!all_acked(script) && script->reason[0] == '\0')
        (void)snprintf(script->reason, sizeof(script->reason), "not all batches were acked");
    if (script->reason[0] != '\0') return;
    ampel_world_clock_jump(script->world, END_MS - ampel_world_now_ms(script->world));
    /* Stops that a fault meets are tried again. The clock stands at the end for all of them. */
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t starts;
        do { /* a partition that was busy in one second gets no tick for the next */
            starts = script->starts;
            pass(script, 4000);
        } while (script->starts != starts && script->reason[0] == '\0');
        if (script->reason[0] != '\0') return;
        allocations.counted = true;
        bool stopped = ampel_world_stop(script->world);
        allocations.counted = false;
        if (stopped) return;
        keep_alive(script);
    }
    (void)snprintf(script->reason, sizeof(script->reason), "the worker does not stop");
}

static uint64_t run(const struct plan *plan, struct counts *counts, char reason[400]) {
    struct script script;
    script_open(&script, plan);
    play(&script);
    *counts = (struct counts){
        .disk = memory_disk_operations(ampel_world_disk(script.world)),
        .database = ampel_memory_database_calls(ampel_world_database(script.world)),
        .takes = script.takes,
        .heap = allocations.count,
        .calls = calls.count,
        .starts = script.starts,
    };
    uint64_t digest = 0;
    if (script.reason[0] == '\0') {
        struct ampel_memory_database *database = ampel_world_database(script.world);
        script.plan.where = NOTHING; /* building engines to look at pages meets no fault */
        uint64_t pages;
        digest = ampel_digest_rows(database) * 3;
        if (ampel_digest_pages(database, PARTITIONS, &script.rules, &script.memory, &pages))
            digest += pages;
        else
            (void)snprintf(script.reason, sizeof(script.reason), "stored pages cannot be read");
    }
    script_close(&script);
    (void)snprintf(reason, 400, "%s", script.reason);
    return digest;
}

/* ---- every point ------------------------------------------------------------------------------ */

struct totals {
    uint64_t expected, points, recoveries, failures;
    uint64_t every; /* only each so many-th point */
};

static void sweep(struct totals *totals, const char *name, struct plan plan, uint64_t points) {
    uint64_t done = 0, recoveries = 0, failures = 0;
    doing = name;
    for (plan.at = 0; plan.at < points; plan.at += totals->every) {
        doing_at = plan.at;
        struct counts counts;
        char reason[400];
        uint64_t digest = run(&plan, &counts, reason);
        done++;
        recoveries += counts.starts - 1;
        if (digest == totals->expected && reason[0] == '\0') continue;
        failures++;
        printf("  %s at %" PRIu64 ": %s\n", name, plan.at,
               reason[0] != '\0' ? reason : "another state than without a fault");
    }
    printf("%7" PRIu64 " points, %7" PRIu64 " recoveries, %4" PRIu64 " failures  %s\n", done,
           recoveries, failures, name);
    (void)fflush(stdout);
    totals->points += done;
    totals->recoveries += recoveries;
    totals->failures += failures;
}

static void sweep_disk(struct totals *totals, uint64_t points) {
    sweep(totals, "the power fails within a change of the disk",
          (struct plan){.where = DISK, .disk = AMPEL_DISK_OK, .power = true}, points);
    sweep(totals, "a change of the disk fails",
          (struct plan){.where = DISK, .disk = AMPEL_DISK_FAILED}, points);
    sweep(totals, "a change of the disk fails, then the power does",
          (struct plan){.where = DISK, .disk = AMPEL_DISK_FAILED, .power = true}, points);
    sweep(totals, "a change of the disk finds it full",
          (struct plan){.where = DISK, .disk = AMPEL_DISK_FULL}, points);
}

static void sweep_database(struct totals *totals, uint64_t points) {
    static const struct {
        const char *name;
        enum ampel_memory_fault fault;
        bool kill;
    } faults[] = {
        {"the database is away at a call", AMPEL_FAULT_AWAY, false},
        {"the database cannot serialize", AMPEL_FAULT_RETRY, false},
        {"a commit of unknown outcome is done", AMPEL_FAULT_UNKNOWN_DONE, false},
        {"a commit of unknown outcome is not done", AMPEL_FAULT_UNKNOWN_UNDONE, false},
        {"the database refuses for good", AMPEL_FAULT_BROKEN, false},
        {"the process dies right after a commit", AMPEL_FAULT_UNKNOWN_DONE, true},
        {"the process dies right before a commit", AMPEL_FAULT_UNKNOWN_UNDONE, true},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(faults); i++)
        sweep(totals, faults[i].name,
              (struct plan){.where = DATABASE, .database = faults[i].fault, .kill = faults[i].kill},
              points);
}

static void sweep_calls(struct totals *totals) {
    struct counts counts;
    char reason[400];
    uint64_t digest = run(&(struct plan){.where = CALLS, .at = UINT64_MAX}, &counts, reason);
    if (digest != totals->expected) {
        printf("  on a real disk: %s\n",
               reason[0] != '\0' ? reason : "another state than in memory");
        totals->failures++;
    }
    sweep(totals, "a system call fails with EIO", (struct plan){.where = CALLS, .error = EIO},
          counts.calls);
    sweep(totals, "a system call fails with ENOSPC", (struct plan){.where = CALLS, .error = ENOSPC},
          counts.calls);
    sweep(totals, "a read or write takes a part",
          (struct plan){.where = CALLS, .error = EINTR, .part = true}, counts.calls);
}

/* ---- canaries --------------------------------------------------------------------------------- */

/* A bug of each class of faults, which its sweep must find. */
static int canaries(const struct totals *plain, const struct counts *counts) {
    const struct {
        const char *name;
        struct plan plan;
        uint64_t points, every;
        bool *bug;
    } all[] = {
        {"the disk lies, and the power fails in its changes",
         {.where = DISK, .disk = AMPEL_DISK_OK, .power = true},
         counts->disk,
         9,
         &disk_lies},
        {"the disk lies, and the power fails after an allocation of an engine did",
         {.where = MEMORY, .power = true},
         counts->takes,
         1,
         &disk_lies},
        {"the disk lies, and the power fails after an allocation of the worker did",
         {.where = HEAP, .power = true},
         counts->heap,
         97,
         &disk_lies},
        {"the database keeps rows of what it could not serialize",
         {.where = DATABASE, .database = AMPEL_FAULT_RETRY},
         counts->database,
         1,
         &database_keeps},
        {"a write that took a part says that it took all, and the process dies",
         {.where = CALLS, .error = EINTR, .part = true, .kill = true},
         counts->calls,
         3,
         &call_lies},
    };
    uint32_t missed = 0;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(all); i++) {
        struct totals totals = {.expected = plain->expected, .every = all[i].every};
        *all[i].bug = true;
        sweep(&totals, all[i].name, all[i].plan, all[i].points);
        *all[i].bug = false;
        if (totals.failures == 0) missed++;
    }
    printf("%u canaries, %u not found\n", (unsigned)AMPEL_ARRAY_COUNT(all), (unsigned)missed);
    return missed == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    struct totals totals = {.every = 1};
    if (argc == 3 && strcmp(argv[1], "--every") == 0) totals.every = strtoull(argv[2], NULL, 10);
    bool planted = argc == 2 && strcmp(argv[1], "--canary") == 0;
    if (argc != 1 && !planted && (argc != 3 || totals.every == 0)) {
        (void)fputs("usage: tests/points [--every N]   only each N-th point\n"
                    "       tests/points --canary      a bug of each class of faults must be found\n",
                    stderr);
        return 2;
    }
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_JSON);
    /* The worker tells each fault there, thousands of times. */
    if (freopen("/dev/null", "w", stderr) == NULL) return 2;
    (void)signal(SIGABRT, on_abort);
    struct counts counts, again;
    char reason[400];
    totals.expected = run(&(struct plan){0}, &counts, reason);
    if (reason[0] != '\0' || run(&(struct plan){0}, &again, reason) != totals.expected) {
        printf("the plain run is not the same twice: %s\n", reason);
        return 1;
    }
    printf("the script: %u events, %" PRIu64 " changes of the disk, %" PRIu64
           " database calls, %" PRIu64 " allocations of engines, %" PRIu64
           " of the worker around them\n",
           (unsigned)(BATCHES * EVENTS + BATCHES / BAD_EVERY), counts.disk, counts.database,
           counts.takes, counts.heap);
    if (planted) {
        struct counts real;
        (void)run(&(struct plan){.where = CALLS, .at = UINT64_MAX}, &real, reason);
        counts.calls = real.calls;
        return canaries(&totals, &counts);
    }
    sweep_disk(&totals, counts.disk);
    sweep_database(&totals, counts.database);
    sweep(&totals, "an allocation of an engine fails", (struct plan){.where = MEMORY},
          counts.takes);
    sweep(&totals, "an allocation of the worker fails", (struct plan){.where = HEAP}, counts.heap);
    sweep_calls(&totals);
    printf("%" PRIu64 " points, %" PRIu64 " recoveries, %" PRIu64 " failures\n", totals.points,
           totals.recoveries, totals.failures);
    return totals.failures == 0 ? 0 : 1;
}

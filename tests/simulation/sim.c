/* tests/sim: seeds are lived through in child processes, so that an assert that fails is one seed's failure. Each child
   takes every jobs-th seed and keeps its account in shared memory. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/simulation/hooks.h"
#include "tests/simulation/life.h"
#include "workers/clock.h"

#define JOBS_MAX         16
#define FAILURES_MAX     64
#define SEED_SECONDS_MAX 60
#define CANARY_SEEDS     400
#define ALL_FAULTS_SEEDS 300
#define DAY_MS           UINT64_C(86400000)

static const char *const fault_sentences[] = {
#define X(upper, sentence) sentence,
    SIM_FAULTS(X)
#undef X
};

static const struct {
    const char *name, *sentence, *reason;
} canaries[] = {{"none", "", ""},
#define X(upper, name, sentence, reason) {name, sentence, reason},
                SIM_CANARIES(X)
#undef X
};

struct failure {
    uint64_t seed;
    char reason[600];
};

/* Of one child; survives it. */
struct account {
    uint64_t seed; /* being lived through; UINT64_MAX: none */
    uint64_t done;
    struct sim_outcome sum;
    uint64_t failures_count;
    struct failure failures[FAILURES_MAX];
};

struct run {
    uint64_t from, seeds;
    uint32_t jobs;
    bool stop_at_first;
    struct account *accounts;
};

static void add(struct sim_outcome *sum, const struct sim_outcome *one) {
    for (uint32_t i = 0; i < SIM_FAULTS_COUNT; i++)
        sum->faults[i] += one->faults[i];
    sum->events += one->events;
    sum->commits += one->commits;
    sum->checks += one->checks;
    sum->starts += one->starts;
    sum->simulated_ms += one->simulated_ms;
    sum->told += one->told;
    sum->steps += one->steps;
    sum->heard += one->heard;
    sum->log_records += one->log_records;
}

static void note_failure(struct account *account, uint64_t seed, const char *reason) {
    if (account->failures_count < FAILURES_MAX) {
        struct failure *failure = &account->failures[account->failures_count];
        failure->seed = seed;
        (void)snprintf(failure->reason, sizeof(failure->reason), "%s", reason);
    }
    account->failures_count++;
}

static void live_one(struct account *account, uint64_t seed) {
    struct sim_outcome outcome;
    account->seed = seed;
    (void)alarm(SEED_SECONDS_MAX);
    sim_hooks.windows_calls = 0;
    sim_live(seed, &outcome);
    add(&account->sum, &outcome);
    /* A canary counts as found by the check that is there for it. */
    if (outcome.reason[0] != '\0' &&
        strstr(outcome.reason, canaries[sim_hooks.canary].reason) != NULL)
        note_failure(account, seed, outcome.reason);
    account->seed = UINT64_MAX;
    account->done++;
}

/* Child number `job` from its seed on; the number of the next one is where it left off. */
static pid_t child_start(const struct run *run, uint32_t job, uint64_t first) {
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid != 0) return pid;
    struct account *account = &run->accounts[job];
    for (uint64_t i = first; i < run->seeds; i += run->jobs) {
        live_one(account, run->from + i);
        if (run->stop_at_first && account->failures_count > 0) break;
    }
    _exit(0);
}

static void child_died(struct account *account, int status) {
    char reason[80];
    int by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    (void)snprintf(reason, sizeof(reason),
                   by == SIGALRM ? "it does not come to an end" : "the worker died: signal %d", by);
    if (canaries[sim_hooks.canary].reason[0] == '\0')
        note_failure(account, account->seed, reason);
    account->seed = UINT64_MAX;
    account->done++;
}

static void lives(const struct run *run) {
    pid_t pids[JOBS_MAX];
    uint32_t alive = run->jobs;
    for (uint32_t job = 0; job < run->jobs; job++) {
        run->accounts[job].seed = UINT64_MAX;
        pids[job] = child_start(run, job, job);
    }
    while (alive > 0) {
        int status;
        pid_t pid = wait(&status);
        for (uint32_t job = 0; job < run->jobs; job++) {
            if (pids[job] != pid) continue;
            struct account *account = &run->accounts[job];
            alive--;
            if (account->seed == UINT64_MAX) continue;
            child_died(account, status);
            if (run->stop_at_first) continue;
            pids[job] = child_start(run, job, account->done * run->jobs + job);
            alive++;
        }
    }
}

static struct account *accounts_open(uint32_t jobs) {
    size_t size = jobs * sizeof(struct account);
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    memset(shared, 0, size);
    return shared;
}

/* ---- what is told ----------------------------------------------------------------------------- */

static uint64_t table(const struct sim_outcome *sum, bool all) {
    uint64_t missing = 0;
    printf("%14s  fault\n", "fired");
    for (uint32_t i = 0; i < SIM_FAULTS_COUNT; i++) {
        printf("%14" PRIu64 "  %s\n", sum->faults[i], fault_sentences[i]);
        if (sum->faults[i] == 0) missing++;
    }
    if (all && missing > 0) printf("%" PRIu64 " kinds of faults never fired\n", missing);
    return all ? missing : 0;
}

/* The first failures once more, with their story, in a process that may die. */
static void tell_story(uint64_t seed) {
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct sim_outcome outcome;
        sim_hooks.story = true;
        sim_hooks.windows_calls = 0;
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        (void)alarm(SEED_SECONDS_MAX);
        sim_live(seed, &outcome);
        _exit(0);
    }
    int status;
    (void)waitpid(pid, &status, 0);
}

static uint64_t tell_failures(const struct run *run, struct sim_outcome *sum, bool stories) {
    uint64_t failures = 0;
    const char *commit = getenv("AMPEL_COMMIT");
    for (uint32_t job = 0; job < run->jobs; job++) {
        const struct account *account = &run->accounts[job];
        add(sum, &account->sum);
        for (uint64_t i = 0; i < account->failures_count && i < FAILURES_MAX; i++) {
            const struct failure *failure = &account->failures[i];
            if (stories && failures + i == 0) {
                printf("---- the story of seed %" PRIu64 "\n", failure->seed);
                tell_story(failure->seed);
                printf("----\n");
            }
            printf("seed %" PRIu64 ": %s\n     replay: commit %s, tests/sim --from %" PRIu64
                   " --seeds 1 --story\n",
                   failure->seed, failure->reason, commit == NULL ? "?" : commit, failure->seed);
        }
        failures += account->failures_count;
    }
    return failures;
}

static int run_seeds(struct run *run, bool story) {
    if (story) {
        for (uint64_t i = 0; i < run->seeds; i++)
            tell_story(run->from + i);
    }
    int64_t before_ns = ampel_clock_machine_ns();
    lives(run);
    double seconds = (double)(ampel_clock_machine_ns() - before_ns) / 1e9;
    struct sim_outcome sum = {0};
    uint64_t failures = tell_failures(run, &sum, !story);
    uint64_t missing = table(&sum, run->seeds >= ALL_FAULTS_SEEDS);
    printf("%" PRIu64 " events, %" PRIu64 " starts, %" PRIu64 " commits, %" PRIu64
           " ratings compared at commits, %" PRIu64 " after steps, %" PRIu64
           " changes told, %" PRIu64 " heard by watchers, %" PRIu64 " records; %.1f seeds/s\n",
           sum.events, sum.starts, sum.commits, sum.checks, sum.steps, sum.told, sum.heard,
           sum.log_records,
           (double)run->seeds / seconds);
    printf("%" PRIu64 " seeds, %" PRIu64 " failures, %" PRIu64 " simulated days\n", run->seeds,
           failures + missing, sum.simulated_ms / DAY_MS);
    return failures + missing == 0 ? 0 : 1;
}

/* ---- canaries --------------------------------------------------------------------------------- */

static bool canary_found(uint32_t canary, const struct run *options) {
    struct run run = {
        .from = options->from, .seeds = CANARY_SEEDS, .jobs = 1, .stop_at_first = true};
    run.accounts = accounts_open(1);
    sim_hooks.canary = (enum sim_canary)canary;
    /* What a planted bug makes the worker say is not worth reading. */
    (void)fflush(NULL);
    int quiet = dup(STDERR_FILENO);
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere != NULL) (void)dup2(fileno(nowhere), STDERR_FILENO);
    lives(&run);
    (void)dup2(quiet, STDERR_FILENO);
    (void)close(quiet);
    if (nowhere != NULL) (void)fclose(nowhere);
    sim_hooks.canary = SIM_CANARY_NONE;
    bool found = run.accounts[0].failures_count > 0;
    printf("%-18s %s\n%-18s ", canaries[canary].name, canaries[canary].sentence, "");
    if (found)
        printf("found by seed %" PRIu64 ": %s\n", run.accounts[0].failures[0].seed,
               run.accounts[0].failures[0].reason);
    else
        printf("NOT FOUND within %u seeds\n", (unsigned)CANARY_SEEDS);
    (void)munmap(run.accounts, sizeof(struct account));
    return found;
}

static int run_canaries(const struct run *options, const char *only) {
    uint32_t missed = 0, tried = 0;
    for (uint32_t i = 1; i < AMPEL_ARRAY_COUNT(canaries); i++) {
        if (only != NULL && strcmp(only, canaries[i].name) != 0) continue;
        tried++;
        if (!canary_found(i, options)) missed++;
    }
    printf("%u canaries, %u not found\n", (unsigned)tried, (unsigned)missed);
    return missed == 0 && tried > 0 ? 0 : 1;
}

static int usage(void) {
    (void)fputs("usage: tests/sim [--from SEED] [--seeds N] [--jobs J] [--story]\n"
                "       tests/sim --canaries | --canary NAME [--from SEED]\n",
                stderr);
    return 2;
}

int main(int argc, char **argv) {
    struct run run = {.from = 1, .seeds = 300, .jobs = 1};
    bool story = false, all_canaries = false;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--story") == 0) {
            story = true;
        } else if (strcmp(argv[i], "--canaries") == 0) {
            all_canaries = true;
        } else if (value == NULL) {
            return usage();
        } else if (strcmp(argv[i], "--canary") == 0) {
            only = value;
            i++;
        } else {
            char *end;
            uint64_t number = strtoull(value, &end, 0);
            if (*end != '\0' || *value == '\0') return usage();
            if (strcmp(argv[i], "--from") == 0)
                run.from = number;
            else if (strcmp(argv[i], "--seeds") == 0)
                run.seeds = number;
            else if (strcmp(argv[i], "--jobs") == 0 && number > 0 && number <= JOBS_MAX)
                run.jobs = (uint32_t)number;
            else
                return usage();
            i++;
        }
    }
    if (all_canaries || only != NULL) return run_canaries(&run, only);
    run.accounts = accounts_open(run.jobs);
    return run_seeds(&run, story);
}

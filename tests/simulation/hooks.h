/* Hooks around single functions of the worker (the linker's --wrap): what the log says, what another gateway would do,
   and the bugs that canaries plant. Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_HOOKS_H
#define AMPEL_TESTS_SIMULATION_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

/* X(upper, name, sentence): one canary for each class of check. */
#define SIM_CANARIES(X)                                                                      \
    X(NO_SYNC, "no-sync", "the disk says that it synced and did not")                        \
    X(NO_FENCE, "no-fence", "the database lets an old epoch commit")                         \
    X(LOST_ROWS, "lost-rows", "a rating row is now and then not written")                    \
    X(HALF_DONE, "half-done", "a transaction that was rolled back leaves rows")              \
    X(EARLY_ACK, "early-ack", "a group that is not durable counts as durable")               \
    X(FORGETFUL_WINDOW, "forgetful-window", "the gateway forgets which batches are durable") \
    X(NO_WINDOW, "no-window", "windows of producers are not restored")                       \
    X(CLOCK_ID, "clock-id", "the id of a change depends on the moment it is told")           \
    X(NO_CHECKSUM, "no-checksum", "damaged records are taken for whole")                     \
    X(NO_RELEASE, "no-release", "the journal is never released")                             \
    X(NO_WAKEUP, "no-wakeup", "a queue does not wake its reader now and then")               \
    X(SKIPPED_EVENT, "skipped-event", "the engine leaves an event out now and then")

enum sim_canary {
    SIM_CANARY_NONE,
#define X(upper, name, sentence) SIM_CANARY_##upper,
    SIM_CANARIES(X)
#undef X
        SIM_CANARIES_COUNT
};

struct sim_hooks {
    enum sim_canary canary;
    bool story;             /* log lines are printed */
    uint32_t windows_calls; /* how often a canary's place was passed */
    char named[512];        /* the last error's file and reason */
    /* The next record that is appended is followed by these bytes. NULL: none. */
    uint8_t *doubled;
    uint32_t doubled_size;
    uint64_t doubled_count;
};
extern struct sim_hooks sim_hooks;

#endif

/* Hooks around single functions of the worker (the linker's --wrap): what the log says, what another gateway would do,
   and the bugs that canaries plant. Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_HOOKS_H
#define AMPEL_TESTS_SIMULATION_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_model;

/* X(upper, name, sentence, reason): one canary for each class of check. It counts as found by a failure that says `reason`. */
#define SIM_CANARIES(X)                                                                            \
    X(NO_SYNC, "no-sync", "the disk says that it synced and did not", "")                          \
    X(NO_FENCE, "no-fence", "the database lets an old epoch commit", "")                           \
    X(LATE_COMMIT, "late-commit", "an older worker commits after a later one has begun", "")       \
    X(LOST_ROWS, "lost-rows", "a rating row is now and then not written", "")                      \
    X(HALF_DONE, "half-done", "a transaction that was rolled back leaves rows", "")                \
    X(EARLY_ACK, "early-ack", "a group that is not durable counts as durable", "")                 \
    X(FORGETFUL_WINDOW, "forgetful-window", "the gateway forgets which batches are durable", "")   \
    X(NO_WINDOW, "no-window", "windows of producers are not restored", "")                         \
    X(CLOCK_ID, "clock-id", "the id of a change depends on the moment it is told", "")             \
    X(NO_CHECKSUM, "no-checksum", "damaged records are taken for whole", "")                       \
    X(NO_RELEASE, "no-release", "the journal is never released", "")                               \
    X(NO_WAKEUP, "no-wakeup", "a queue does not wake its reader now and then", "")                 \
    X(SKIPPED_EVENT, "skipped-event", "the engine leaves an event out now and then",               \
      "after the step")                                                                            \
    X(OLD_RULES, "old-rules", "an engine goes on with the rules that it has", "under rules")       \
    X(RULES_DATE, "rules-date", "what rules change is dated a moment later", "dated")              \
    X(RULES_NAME, "rules-name", "changes name the rules of the start", "names the rules")          \
    X(LOST_CHANGE, "lost-change", "a change is now and then not told", "history")                  \
    X(LATE_WATCHER, "late-watcher", "a watcher is given one number less than it asked for",        \
      "was not told the number")                                                                   \
    X(SHORT_ANSWER, "short-answer", "the last row of an answer from the outbox is left out",       \
      "was not told")                                                                              \
    X(EPOCH_HIDDEN, "epoch-hidden", "watchers are not told where an epoch begins",                 \
      "was never told the change")                                                                 \
    X(NO_SLOWING, "no-slowing", "what is told and not stored has no bound", "not stored")          \
    X(NO_CREDIT, "no-credit", "batches on their way into the log have no bound", "on their way")   \
    X(LEAK, "leak", "an engine is now and then not closed", "never given back")

enum sim_canary {
    SIM_CANARY_NONE,
#define X(upper, name, sentence, reason) SIM_CANARY_##upper,
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
    /* Steps of engines are checked against it. NULL: not now. */
    struct sim_model *model;
    uint64_t position; /* of the record that an engine is at */
    uint64_t dice;
    uint64_t told_bytes_most; /* of one parcel of changes, in this life */
    /* Another journal's positions (every second entry) to those of the log that it copies, for ids made from them. */
    const uint64_t *positions;
    uint32_t positions_count;
};
extern struct sim_hooks sim_hooks;

#endif

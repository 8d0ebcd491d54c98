/* Every fault that the simulator knows: one row each, from which the table at a run's end derives.
   A fault that a whole run never met is a failure of the run. */
#ifndef AMPEL_TESTS_SIMULATION_FAULTS_H
#define AMPEL_TESTS_SIMULATION_FAULTS_H

#include <stdint.h>

/* X(upper, sentence) */
#define SIM_FAULTS(X)                                                         \
    X(KILLED, "the process was killed")                                       \
    X(POWER, "the power failed between two turns")                            \
    X(POWER_IN_CALL, "the power failed within a call of the disk")            \
    X(SECTOR_LOST, "an unsynced sector was lost")                             \
    X(SECTOR_KEPT, "an unsynced sector survived, in any order")               \
    X(SECTOR_GARBLED, "an unsynced sector came back with a bit flipped")      \
    X(NAME_UNDONE, "an unsynced change of the directory was undone")          \
    X(SYNC_FORGOTTEN, "a sector was taken for written by a sync that failed") \
    X(FLIP_SYNCED, "a bit of synced data flipped while the worker was down")  \
    X(FLIP_NAMED, "damage was refused, with file and place")                  \
    X(DISK_EIO, "a write, sync or name failed")                               \
    X(DISK_READ_EIO, "a read failed")                                         \
    X(DISK_FULL, "a call found the disk full")                                \
    X(DISK_FULL_LONG, "the disk was full for a while")                        \
    X(WRITE_SHORT, "a write took only a part")                                \
    X(DISK_SLOW, "a sync took seconds")                                       \
    X(BATCH_DROPPED, "a message to the worker was lost")                      \
    X(BATCH_DOUBLED, "a message to the worker came twice")                    \
    X(BATCH_REORDERED, "a message to the worker came late")                   \
    X(BATCH_CUT, "a message to the worker was cut")                           \
    X(ANSWER_DROPPED, "an answer to a feeder was lost")                       \
    X(ANSWER_HARMED, "an answer to a feeder came twice or late")              \
    X(RESENT, "a feeder sent a batch again")                                  \
    X(RESENT_ELSEWHERE, "a batch came again through another connection")      \
    X(FEEDER_RESTARTED, "a feeder started again and had forgotten its acks")  \
    X(LOG_DOUBLED, "another gateway put a batch into the log once more")      \
    X(TENANT_SUSPENDED, "a tenant was suspended for a while")                 \
    X(BATCH_BACK, "a batch went back whole")                                  \
    X(RULES_SET, "other rules were set")                                      \
    X(RULES_DEATH, "the process was killed just after other rules were set")  \
    X(WATCHER_LEFT, "a watcher hung up and came again")                       \
    X(WATCHER_LAGS, "a watcher heard nothing for a while")                    \
    X(WATCHER_ASKS, "a watcher asked again from a number that it had seen")   \
    X(DATABASE_AWAY, "the connection to the database broke")                  \
    X(DATABASE_RETRY, "the database could not serialize")                     \
    X(COMMIT_UNKNOWN_DONE, "a commit of unknown outcome, done")               \
    X(COMMIT_UNKNOWN_UNDONE, "a commit of unknown outcome, not done")         \
    X(DATABASE_BROKEN, "the database refused for good")                       \
    X(DATABASE_HOUR, "the database was away for an hour")                     \
    X(CLOCK_FORWARD, "the clock jumped forwards")                             \
    X(CLOCK_BACKWARD, "the clock jumped backwards")                           \
    X(CLOCK_REFUSED, "a start was refused as the clock was behind the log")   \
    X(STOLEN, "somebody else claimed a partition")                            \
    X(PAUSED, "a worker stood still while another took over")                 \
    X(PAUSED_CAME_BACK, "a paused scribe came back after its epoch was gone") \
    X(STOPPED, "an orderly stop")                                             \
    X(STARTED, "a start")

enum sim_fault {
#define X(upper, sentence) SIM_##upper,
    SIM_FAULTS(X)
#undef X
        SIM_FAULTS_COUNT
};

#endif

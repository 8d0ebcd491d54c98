/* Stages: the loop code of the worker, shared with the simulator. A stage has a `turn`: it takes what waits in its queues and
   sockets, does a bounded amount of work, hands over what came of it, and never blocks (disk and database calls apart).

   The thread around a stage is only: wait for its file descriptors or its timer, turn, again. A simulator turns all
   stages on one thread in an order it chooses. */
#ifndef AMPEL_WORKERS_STAGE_H
#define AMPEL_WORKERS_STAGE_H

#include "engine/base.h"

enum ampel_turn {
    AMPEL_TURN_IDLE,  /* nothing to do until an fd is ready or wake_ns has come */
    AMPEL_TURN_AGAIN, /* there is more: turn again at once */
    AMPEL_TURN_ENDED, /* after STOP: all handed on, the thread may end */
    AMPEL_TURN_FATAL, /* the world failed for good (said in the log): the process must stop */
};

/* Whether acks and alerts wait for a stage's turns. */
enum ampel_haste {
    AMPEL_HASTE_NONE,
    AMPEL_HASTE_LIGHT, /* they do, and it never has work for long */
    AMPEL_HASTE_HEAVY, /* they do, and it may have a core to itself for minutes (a log that is read again) */
};

struct ampel_stage {
    const char *name;
    void *context;
    enum ampel_haste haste;
    bool beside_shards; /* it is a shard, or shards wake it more than others do */
    /* *wake_ns: monotonic time of the next thing to do without any input; INT64_MAX none. */
    enum ampel_turn (*turn)(void *context, int64_t *wake_ns);
    /* The fds that may wake it, at most capacity; returns how many. Called before each wait. */
    uint32_t (*fds)(void *context, int *fds, uint32_t capacity);
};

#endif

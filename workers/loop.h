/* The thread around a stage: wait for its file descriptors or its timer, turn, again (stage.h). Threads are named
   after their stages. A turn that is FATAL ends its own thread; whoever watches the loop stops the others in order. */
#ifndef AMPEL_WORKERS_LOOP_H
#define AMPEL_WORKERS_LOOP_H

#include "workers/clock.h"
#include "workers/stage.h"

struct ampel_loop;

enum ampel_loop_state {
    AMPEL_LOOP_RUNNING,
    AMPEL_LOOP_ENDED,
    AMPEL_LOOP_FATAL,
};

/* Starts the thread. name: at most 15 bytes, what the system shows; copied. ended_fd is an eventfd that is raised when the
   thread ends, however it does. Signals are blocked in it. realtime: it runs before others (workers/realtime.h), where that is
   permitted, on this core of its two, or AMPEL_CORE_ANY. NULL: no memory or no thread. */
struct ampel_loop *ampel_loop_open(const struct ampel_stage *stage, const char *name,
                                   struct ampel_clock clock, int ended_fd, bool realtime,
                                   uint32_t core);
/* Thread: any. */
enum ampel_loop_state ampel_loop_state(const struct ampel_loop *loop);
const char *ampel_loop_name(const struct ampel_loop *loop);
/* Waits for the thread's end: it must have been told to STOP, or have ended. NULL is fine. */
void ampel_loop_close(struct ampel_loop *loop);

#endif

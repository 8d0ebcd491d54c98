#include "workers/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "workers/logline.h"
#include "workers/realtime.h"

#define FDS_MAX     16
#define WAIT_MAX_NS INT64_C(60000000000)
#define NAME_SIZE 16 /* what Linux keeps of a thread's name */

struct ampel_loop {
    struct ampel_stage stage;
    struct ampel_clock clock;
    char name[NAME_SIZE];
    int ended_fd;
    bool realtime;
    uint32_t core;
    pthread_t thread;
    _Atomic enum ampel_loop_state state;
};

/* Until wake_ns, INT64_MAX without end, a minute at a time. */
static struct timespec patience(const struct ampel_loop *loop, int64_t wake_ns) {
    int64_t left_ns = wake_ns == INT64_MAX ? WAIT_MAX_NS : wake_ns - loop->clock.monotonic_ns(loop->clock.context);
    if (left_ns < 0) left_ns = 0;
    if (left_ns > WAIT_MAX_NS) left_ns = WAIT_MAX_NS;
    return (struct timespec){.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
}

static void wait_for(const struct ampel_loop *loop, int64_t wake_ns) {
    int fds[FDS_MAX];
    struct pollfd polled[FDS_MAX];
    uint32_t count = loop->stage.fds(loop->stage.context, fds, FDS_MAX);
    AMPEL_ASSERT(count <= FDS_MAX);
    for (uint32_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    const struct timespec timeout = patience(loop, wake_ns);
    int ready = ppoll(polled, count, &timeout, NULL);
    AMPEL_ASSERT(ready >= 0 || errno == EINTR);
}

static enum ampel_loop_state run(const struct ampel_loop *loop) {
    for (;;) {
        int64_t wake_ns = INT64_MAX;
        enum ampel_turn turn = loop->stage.turn(loop->stage.context, &wake_ns);
        if (turn == AMPEL_TURN_ENDED) return AMPEL_LOOP_ENDED;
        if (turn == AMPEL_TURN_FATAL) return AMPEL_LOOP_FATAL;
        if (turn == AMPEL_TURN_IDLE)
            wait_for(loop, wake_ns);
        else if (loop->realtime && (loop->stage.haste == AMPEL_HASTE_HEAVY || loop->core != AMPEL_CORE_ANY))
            (void)sched_yield(); /* to whom it has just woken on its own core */
    }
}

static void *thread_main(void *context) {
    struct ampel_loop *loop = context;
    (void)pthread_setname_np(pthread_self(), loop->name);
    if (loop->realtime && !ampel_realtime_enter(loop->core))
        ampel_log(AMPEL_LOG_WARN, "loop", "the thread may not run before others", "stage", "%s", loop->name, NULL);
    enum ampel_loop_state state = run(loop);
    ampel_log(state == AMPEL_LOOP_FATAL ? AMPEL_LOG_ERROR : AMPEL_LOG_DEBUG, "loop",
              state == AMPEL_LOOP_FATAL ? "the stage failed for good" : "the stage has ended",
              "stage", "%s", loop->name, NULL);
    atomic_store(&loop->state, state);
    const uint64_t one = 1;
    ssize_t written = write(loop->ended_fd, &one, sizeof(one));
    AMPEL_ASSERT(written == (ssize_t)sizeof(one) || errno == EAGAIN);
    return NULL;
}

struct ampel_loop *ampel_loop_open(const struct ampel_stage *stage, const char *name,
                                   struct ampel_clock clock, int ended_fd, bool realtime,
                                   uint32_t core) {
    struct ampel_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) return NULL;
    loop->stage = *stage;
    loop->clock = clock;
    loop->ended_fd = ended_fd;
    loop->realtime = realtime;
    loop->core = core;
    (void)snprintf(loop->name, sizeof(loop->name), "%s", name);
    atomic_init(&loop->state, AMPEL_LOOP_RUNNING);
    /* Signals belong to the main thread; a new thread inherits the mask of its maker. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&loop->thread, NULL, thread_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

enum ampel_loop_state ampel_loop_state(const struct ampel_loop *loop) {
    return atomic_load(&((struct ampel_loop *)loop)->state);
}

const char *ampel_loop_name(const struct ampel_loop *loop) {
    return loop->name;
}

void ampel_loop_close(struct ampel_loop *loop) {
    if (loop == NULL) return;
    int failed = pthread_join(loop->thread, NULL);
    AMPEL_ASSERT(failed == 0);
    free(loop);
}

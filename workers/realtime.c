#include "workers/realtime.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* The main thread's, which keeps to none. */
static bool process_cores(cpu_set_t *cores) {
    return sched_getaffinity(getpid(), sizeof(*cores), cores) == 0;
}

static bool keep_to(uint32_t core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core - 1, &one);
    return pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0;
}

bool ampel_realtime_cores(uint32_t *first, uint32_t *second) {
    cpu_set_t cores;
    uint32_t found[2] = {AMPEL_CORE_ANY, AMPEL_CORE_ANY}, count = 0;
    *first = *second = AMPEL_CORE_ANY;
    if (!process_cores(&cores) || CPU_COUNT(&cores) != 2) return false;
    for (uint32_t core = 0; core < CPU_SETSIZE && count < 2; core++)
        if (CPU_ISSET(core, &cores)) found[count++] = core + 1;
    /* ZeroMQ ends the process where a thread of its own may not. */
    bool permitted = keep_to(found[0]) && keep_to(found[1]);
    if (pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores) != 0 || !permitted) return false;
    *first = found[0];
    *second = found[1];
    return true;
}

bool ampel_realtime_enter(uint32_t core) {
    const struct sched_param param = {.sched_priority = AMPEL_REALTIME_PRIORITY};
    if (pthread_setschedparam(pthread_self(), SCHED_RR, &param) != 0) return false;
    if (core == AMPEL_CORE_ANY) return true;
    (void)keep_to(core); /* refused: it runs everywhere, as it did */
    return true;
}

void ampel_realtime_leave(void) {
    const struct sched_param param = {0};
    cpu_set_t cores;
    (void)pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
    if (process_cores(&cores)) (void)pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores);
}

bool ampel_realtime_permitted(void) {
    struct sched_param before;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &before) != 0 || !ampel_realtime_enter(AMPEL_CORE_ANY)) return false;
    int failed = pthread_setschedparam(pthread_self(), policy, &before);
    AMPEL_ASSERT(failed == 0);
    return true;
}

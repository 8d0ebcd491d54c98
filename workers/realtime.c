#include "workers/realtime.h"

#include <pthread.h>
#include <sched.h>

bool ampel_realtime_enter(void) {
    const struct sched_param param = {.sched_priority = AMPEL_REALTIME_PRIORITY};
    return pthread_setschedparam(pthread_self(), SCHED_RR, &param) == 0;
}

bool ampel_realtime_permitted(void) {
    struct sched_param before;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &before) != 0 || !ampel_realtime_enter()) return false;
    int failed = pthread_setschedparam(pthread_self(), policy, &before);
    AMPEL_ASSERT(failed == 0);
    return true;
}

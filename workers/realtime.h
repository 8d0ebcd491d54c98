/* Threads that acks and alerts wait for may run before all others: SCHED_RR, the least priority of that class (sched(7)). They work
   for microseconds and wait again; without it each waits, whenever it wakes on a full machine, for the rest of another thread's slice.
   Linux permits it to CAP_SYS_NICE or a limit RLIMIT_RTPRIO of 1. */
#ifndef AMPEL_WORKERS_REALTIME_H
#define AMPEL_WORKERS_REALTIME_H

#include "engine/base.h"

#define AMPEL_REALTIME_PRIORITY 1

/* For the calling thread, from now on; false: not permitted, nothing has changed. */
AMPEL_MUST_CHECK bool ampel_realtime_enter(void);
/* Whether threads of this process may. Thread: any; it runs so for a moment. */
bool ampel_realtime_permitted(void);

#endif

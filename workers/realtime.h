/* Threads that acks and alerts wait for may run before all others: SCHED_RR, the least priority of that class (sched(7)). They work
   for microseconds and wait again; without it each waits, whenever it wakes on a full machine, for the rest of another thread's slice.
   Linux permits it to CAP_SYS_NICE or a limit RLIMIT_RTPRIO of 1. */
#ifndef AMPEL_WORKERS_REALTIME_H
#define AMPEL_WORKERS_REALTIME_H

#include "engine/base.h"

#define AMPEL_REALTIME_PRIORITY 1

/* Where a thread may run: AMPEL_CORE_ANY, or a core of the system's by its number and one. */
#define AMPEL_CORE_ANY 0

/* The two cores of this process, where it has no more and no fewer and threads may keep to them; else false, and both are
   AMPEL_CORE_ANY. Thread: the main one; it runs on each of them for a moment. */
bool ampel_realtime_cores(uint32_t *first, uint32_t *second);

/* For the calling thread, from now on, on this core; false: not permitted, nothing has changed. */
AMPEL_MUST_CHECK bool ampel_realtime_enter(uint32_t core);
/* For a thread that such a one has started, and so has its ways: as others again, on any core. */
void ampel_realtime_leave(void);
/* Whether threads of this process may. Thread: any; it runs so for a moment. */
bool ampel_realtime_permitted(void);

#endif

/* How long a thread keeps a core before the scheduler looks at others. Linux (6.12 and later) lets any thread of the ordinary policies
   ask for its own slice: who asks for a short one gets a core sooner when it wakes, for no larger share. Elsewhere nothing changes, and
   nothing depends on it. Threads inherit it from their maker. Thread: any, for itself. */
#ifndef AMPEL_WORKERS_SLICE_H
#define AMPEL_WORKERS_SLICE_H

#include "engine/base.h"

/* For threads that work briefly and that somebody waits for. The shortest that Linux gives. */
#define AMPEL_SLICE_SHORT_NS UINT64_C(100000)
/* As long as the system says. */
#define AMPEL_SLICE_USUAL_NS UINT64_C(0)

/* Whether the kernel took it. */
bool ampel_slice_set(uint64_t slice_ns);
/* The caller's own slice as the kernel tells it; 0: not known. */
uint64_t ampel_slice_get(void);

#endif

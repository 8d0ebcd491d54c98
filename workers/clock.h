/* The one place that knows the time. A simulator gives its own. Thread: any. */
#ifndef AMPEL_WORKERS_CLOCK_H
#define AMPEL_WORKERS_CLOCK_H

#include <stdatomic.h>

#include "engine/base.h"

struct ampel_clock {
    void *context;
    int64_t (*now_ms)(void *context);       /* stamps: UTC, possibly standing or running at another speed */
    int64_t (*monotonic_ns)(void *context); /* timers: never jumps, always at the machine's speed */
};

/* The machine's clock. at_ms INT64_MIN: the time it is, but never more than a day away from what has passed since the
   start (somebody may set the machine's clock to nonsense, and stamps cannot be taken back); else it starts
   at at_ms and runs at speed (0 stands still, 1 is real). Memory is the caller's, kept as long as the clock. */
struct ampel_system_clock {
    int64_t start_ms;
    int64_t start_ns; /* of the machine's count of all time, sleep included */
    int64_t speed;
    bool shifted;
    atomic_bool told; /* that the machine's clock was set to nonsense */
};
void ampel_clock_system(struct ampel_system_clock *state, int64_t at_ms, int64_t speed,
                        struct ampel_clock *out);

/* The rule of the first kind of clock: machine_ms, held within a day of start_ms + elapsed_ms. */
int64_t ampel_clock_held(int64_t start_ms, int64_t elapsed_ms, int64_t machine_ms);

/* What the machine says: for log lines and how long a call took, never for stamps or what is decided. */
int64_t ampel_clock_machine_ms(void);
int64_t ampel_clock_machine_ns(void); /* monotonic */
/* Processor time that the calling thread has spent. */
int64_t ampel_clock_spent_ns(void);

#endif

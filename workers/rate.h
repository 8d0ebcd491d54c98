/* A rate for log lines: what anybody outside can cause, any number of times, is told once in a while with a count of
   what was held back. Thread: one. */
#ifndef AMPEL_WORKERS_RATE_H
#define AMPEL_WORKERS_RATE_H

#include "engine/base.h"

#define AMPEL_RATE_EVERY_NS INT64_C(1000000000)

struct ampel_rate {
    int64_t next_ns;  /* monotonic; all zero: the first one passes */
    uint64_t held;    /* since the last that passed */
};

/* True where the line may be written; *held is how many were held back before it. */
static inline bool ampel_rate_pass(struct ampel_rate *rate, int64_t now_ns, uint64_t *held) {
    if (now_ns < rate->next_ns) {
        rate->held++;
        return false;
    }
    *held = rate->held;
    rate->held = 0;
    rate->next_ns = now_ns + AMPEL_RATE_EVERY_NS;
    return true;
}

#endif

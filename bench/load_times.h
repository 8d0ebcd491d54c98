/* Times that were measured, kept one by one. Thread: one at a time. */
#ifndef AMPEL_BENCH_LOAD_TIMES_H
#define AMPEL_BENCH_LOAD_TIMES_H

#include <stdint.h>

/* Empty as {0}. */
struct load_times {
    uint64_t count, capacity;
    int64_t *ns;
};

void load_times_add(struct load_times *times, int64_t ns);
/* Their count and shares in milliseconds, -1 where there are none; they are gone then. */
void load_times_tell(const char *name, struct load_times *times);

#endif

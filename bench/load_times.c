#include "bench/load_times.h"

#include <stdlib.h>

#include "bench/load.h"

void load_times_add(struct load_times *times, int64_t ns) {
    if (times->count == times->capacity) {
        times->capacity = times->capacity == 0 ? 4096 : 2 * times->capacity;
        times->ns = realloc(times->ns, times->capacity * sizeof times->ns[0]);
        if (times->ns == NULL) load_fail("no memory", "");
    }
    times->ns[times->count++] = ns;
}

static int ns_order(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double at_ms(const struct load_times *times, double share) {
    if (times->count == 0) return -1;
    uint64_t index = (uint64_t)(share * (double)(times->count - 1) + 0.5);
    return (double)times->ns[index] / 1e6;
}

void load_times_tell(const char *name, struct load_times *times) {
    if (times->count > 1) qsort(times->ns, times->count, sizeof times->ns[0], ns_order);
    printf("{\"name\":\"%s\",\"unit\":\"ms\",\"count\":%llu,\"p50\":%.3f,\"p75\":%.3f,\"p90\":%.3f,\"p95\":%.3f,"
           "\"p99\":%.3f,\"p999\":%.3f,\"most\":%.3f}\n",
           name, (unsigned long long)times->count, at_ms(times, 0.5), at_ms(times, 0.75), at_ms(times, 0.9),
           at_ms(times, 0.95), at_ms(times, 0.99), at_ms(times, 0.999), at_ms(times, 1));
    fflush(stdout);
    free(times->ns);
    *times = (struct load_times){0};
}

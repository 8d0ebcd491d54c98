#include "engine/sort.h"

#include <stdbool.h>

static void sink(uint64_t *keys, uint32_t place, uint32_t count) {
    uint64_t key = keys[place];
    for (;;) {
        uint64_t child = 2 * (uint64_t)place + 1;
        if (child >= count) break;
        if (child + 1 < count && keys[child + 1] > keys[child]) child++;
        if (keys[child] <= key) break;
        keys[place] = keys[child];
        place = (uint32_t)child;
    }
    keys[place] = key;
}

static bool sorted(const uint64_t *keys, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (keys[i - 1] > keys[i]) return false;
    }
    return true;
}

void ampel_sort_u64(uint64_t *keys, uint32_t count) {
    if (sorted(keys, count)) return;
    for (uint32_t i = count / 2; i > 0; i--)
        sink(keys, i - 1, count);
    for (uint32_t i = count - 1; i > 0; i--) {
        uint64_t greatest = keys[0];
        keys[0] = keys[i];
        keys[i] = greatest;
        sink(keys, 0, i);
    }
}

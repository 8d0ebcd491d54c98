#include "bench/memory.h"

#include <stdlib.h>

#include "workers/memory.h"

struct ampel_bench_memory {
    struct ampel_shard_memory shard;
};

struct ampel_bench_memory *ampel_bench_memory_open(struct ampel_memory *out) {
    struct ampel_bench_memory *memory = calloc(1, sizeof(*memory));
    AMPEL_ASSERT(memory != NULL);
    ampel_memory_open(&memory->shard, out);
    return memory;
}

void ampel_bench_memory_close(struct ampel_bench_memory *memory) {
    ampel_memory_close(&memory->shard);
    free(memory);
}

uint64_t ampel_bench_memory_bytes(const struct ampel_bench_memory *memory) {
    return ampel_memory_bytes(&memory->shard);
}

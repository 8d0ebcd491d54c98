/* The worker's allocator (workers/memory.h) for programs in C++, which cannot read its atomics. */
#ifndef AMPEL_BENCH_MEMORY_H
#define AMPEL_BENCH_MEMORY_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_bench_memory;

/* Stops the program where there is no memory. */
struct ampel_bench_memory *ampel_bench_memory_open(struct ampel_memory *out);
/* Everything taken must have been given back. */
void ampel_bench_memory_close(struct ampel_bench_memory *memory);
uint64_t ampel_bench_memory_bytes(const struct ampel_bench_memory *memory);

#ifdef __cplusplus
}
#endif

#endif

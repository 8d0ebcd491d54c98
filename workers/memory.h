/* Memory for engines: jemalloc with an arena of its own for each shard, so that shards never meet in the allocator, over a
   region that is touched ahead (memory_region.h), or over pages of its own where the system has no such region, and a count
   of what is taken. Without jemalloc (sanitizers bring their own allocator) plain aligned memory. */
#ifndef AMPEL_WORKERS_MEMORY_H
#define AMPEL_WORKERS_MEMORY_H

#include <stdatomic.h>

#include "engine/base.h"

struct ampel_memory_source;

/* Memory is the caller's, kept in place until close. */
struct ampel_shard_memory {
    _Atomic uint64_t bytes; /* taken and not given back, as asked for */
    int flags;              /* for jemalloc: arena and thread cache */
    unsigned arena, cache;
    bool own;                           /* the cache is this memory's to destroy */
    struct ampel_memory_source *source; /* of the arena; NULL: the common one is used */
};

/* Fills *out. Where jemalloc can make no arena the common one is used. Thread: take and give on one thread at a time. */
void ampel_memory_open(struct ampel_shard_memory *state, struct ampel_memory *out);
/* Everything taken must have been given back. */
void ampel_memory_close(struct ampel_shard_memory *state);
/* Thread: any. */
uint64_t ampel_memory_bytes(const struct ampel_shard_memory *state);

#endif

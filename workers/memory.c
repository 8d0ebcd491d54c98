#include "workers/memory.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef AMPEL_JEMALLOC
#include <jemalloc/jemalloc.h>
#include <sys/mman.h>

#include "workers/memory_region.h"

/* Read by jemalloc when it starts. What is given back stays with the process for a minute, buffers of many megabytes too, which
   jemalloc else returns at once: the system may take eight milliseconds for each 2 MiB when they are taken again.
   Huge pages are for shards alone, whatever the system prefers: jemalloc's own tables grow by 2 MiB now and then, and a shard
   would wait for all of it. */
const char *malloc_conf = "thp:never,dirty_decay_ms:60000,oversize_threshold:0";

/* Where an arena has its memory from, what jemalloc itself notes of the arena too. Accounts are met at random: with pages of
   4 KiB every second one is a walk through the page table too (measured: apply is 1.8 times as fast on huge pages). */
struct ampel_memory_source {
    extent_hooks_t hooks; /* first: jemalloc hands it to each hook */
    struct ampel_region region; /* base is NULL where the system has no such range */
};

#define HUGE_BYTES ((size_t)2 << 20)

/* Pages of its own, huge ones where the system has them. */
static void *extent_map(size_t size, size_t alignment) {
    if (size >= HUGE_BYTES && alignment < HUGE_BYTES) alignment = HUGE_BYTES;
    if (size > SIZE_MAX - alignment) return NULL;
    uint8_t *map = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)map) % alignment;
    uint8_t *extent = map + before;
    if (before > 0) (void)munmap(map, before);
    (void)munmap(extent + size, alignment - before);
    (void)madvise(extent, size, MADV_HUGEPAGE);
    return extent;
}

static void *extent_alloc(extent_hooks_t *hooks, void *wanted, size_t size, size_t alignment, bool *zero, bool *commit,
                          unsigned arena) {
    struct ampel_memory_source *source = (struct ampel_memory_source *)(void *)hooks;
    (void)arena;
    if (wanted != NULL) return NULL;
    void *extent = source->region.base != NULL ? ampel_region_take(&source->region, size, alignment) : extent_map(size, alignment);
    *zero = *zero || extent != NULL;
    *commit = true;
    return extent;
}

/* A region's go with it. True: it is kept. */
static bool extent_give(extent_hooks_t *hooks, void *extent, size_t size, bool committed, unsigned arena) {
    struct ampel_memory_source *source = (struct ampel_memory_source *)(void *)hooks;
    (void)committed, (void)arena;
    return source->region.base != NULL || munmap(extent, size) != 0;
}

static void extent_destroy(extent_hooks_t *hooks, void *extent, size_t size, bool committed, unsigned arena) {
    (void)extent_give(hooks, extent, size, committed, arena);
}

/* Any two neighbours are one, any one is two. */
static bool extent_split(extent_hooks_t *hooks, void *extent, size_t size, size_t first, size_t second, bool committed,
                         unsigned arena) {
    (void)hooks, (void)extent, (void)size, (void)first, (void)second, (void)committed, (void)arena;
    return false;
}

static bool extent_merge(extent_hooks_t *hooks, void *first, size_t first_size, void *second, size_t second_size, bool committed,
                         unsigned arena) {
    (void)hooks, (void)first, (void)first_size, (void)second, (void)second_size, (void)committed, (void)arena;
    return false;
}

static void *obtain(struct ampel_shard_memory *state, size_t size, size_t alignment) {
    return mallocx(size, state->flags | MALLOCX_ALIGN(alignment));
}

static void give_back(struct ampel_shard_memory *state, void *block) {
    dallocx(block, state->flags);
}

static void arena_set(unsigned arena, const char *name, void *value, size_t size) {
    char path[64];
    (void)snprintf(path, sizeof(path), "arena.%u.%s", arena, name);
    (void)mallctl(path, NULL, NULL, value, size);
}

static void source_close(struct ampel_memory_source *source) {
    ampel_region_close(&source->region);
    free(source);
}

/* An arena over a source of its own. False: there is no memory for one. */
static bool arena_over_source(struct ampel_shard_memory *state) {
    struct ampel_memory_source *source = calloc(1, sizeof(*source));
    if (source == NULL) return false;
    bool ranged = ampel_region_open(&source->region);
    AMPEL_ASSERT(ranged == (source->region.base != NULL));
    source->hooks = (extent_hooks_t){.alloc = extent_alloc,
                                     .dalloc = extent_give,
                                     .destroy = extent_destroy,
                                     .split = extent_split,
                                     .merge = extent_merge};
    extent_hooks_t *hooks = &source->hooks;
    size_t size = sizeof(state->arena);
    if (mallctl("arenas.create", &state->arena, &size, &hooks, sizeof(hooks)) != 0) {
        source_close(source);
        return false;
    }
    ssize_t never = -1;
    size_t most = (size_t)4 << 20; /* that jemalloc takes at once where less is asked for */
    arena_set(state->arena, "dirty_decay_ms", &never, sizeof(never));
    arena_set(state->arena, "muzzy_decay_ms", &never, sizeof(never));
    arena_set(state->arena, "retain_grow_limit", &most, sizeof(most));
    state->source = source;
    return true;
}

static void arena_open(struct ampel_shard_memory *state) {
    size_t size = sizeof(state->cache);
    if (!arena_over_source(state)) return;
    if (mallctl("tcache.create", &state->cache, &size, NULL, 0) != 0) {
        state->flags = (int)MALLOCX_ARENA(state->arena) | MALLOCX_TCACHE_NONE;
        return;
    }
    state->flags = (int)MALLOCX_ARENA(state->arena) | (int)MALLOCX_TCACHE(state->cache);
    state->own = true;
}

/* Destroying an arena is for those who know that nothing of it is cached: so here, as its one cache goes first. */
static void arena_close(struct ampel_shard_memory *state) {
    if (state->own) (void)mallctl("tcache.destroy", NULL, NULL, &state->cache, sizeof(state->cache));
    state->own = false;
    if (state->source == NULL) return;
    char path[64];
    (void)snprintf(path, sizeof(path), "arena.%u.destroy", state->arena);
    if (mallctl(path, NULL, NULL, NULL, 0) != 0) return; /* its memory stays */
    source_close(state->source);
    state->source = NULL;
}
#else
static void *obtain(struct ampel_shard_memory *state, size_t size, size_t alignment) {
    (void)state;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void give_back(struct ampel_shard_memory *state, void *block) {
    (void)state;
    free(block);
}

static void arena_open(struct ampel_shard_memory *state) {
    (void)state;
}
static void arena_close(struct ampel_shard_memory *state) {
    (void)state;
}
#endif

static void *take(void *context, size_t size, size_t alignment) {
    struct ampel_shard_memory *state = context;
    AMPEL_ASSERT(alignment > 0 && alignment <= 64 && (alignment & (alignment - 1)) == 0);
    if (size > SIZE_MAX / 2) return NULL;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    void *block = obtain(state, size == 0 ? 1 : size, alignment);
    if (block != NULL) atomic_fetch_add_explicit(&state->bytes, size, memory_order_relaxed);
    return block;
}

static void give(void *context, void *block, size_t size) {
    struct ampel_shard_memory *state = context;
    if (block == NULL) return;
    uint64_t before = atomic_fetch_sub_explicit(&state->bytes, size, memory_order_relaxed);
    AMPEL_ASSERT(before >= size);
    give_back(state, block);
}

void ampel_memory_open(struct ampel_shard_memory *state, struct ampel_memory *out) {
    *state = (struct ampel_shard_memory){.flags = 0};
    arena_open(state);
    *out = (struct ampel_memory){.context = state, .take = take, .give = give};
}

void ampel_memory_close(struct ampel_shard_memory *state) {
    AMPEL_ASSERT(ampel_memory_bytes(state) == 0);
    arena_close(state);
}

uint64_t ampel_memory_bytes(const struct ampel_shard_memory *state) {
    return atomic_load_explicit(&state->bytes, memory_order_relaxed);
}

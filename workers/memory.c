#include "workers/memory.h"

#include <stdlib.h>

#ifdef AMPEL_JEMALLOC
#include <jemalloc/jemalloc.h>

/* Read by jemalloc when it starts. Accounts are met at random: with pages of 4 KiB every second one
   is a walk through the page table too (measured: apply is 1.8 times as fast on huge pages). */
const char *malloc_conf = "thp:always";

static void *obtain(struct ampel_shard_memory *state, size_t size, size_t alignment) {
    return mallocx(size, state->flags | MALLOCX_ALIGN(alignment));
}

static void give_back(struct ampel_shard_memory *state, void *block) {
    dallocx(block, state->flags);
}

static void arena_open(struct ampel_shard_memory *state) {
    size_t size = sizeof(state->arena);
    if (mallctl("arenas.create", &state->arena, &size, NULL, 0) != 0) return;
    size = sizeof(state->cache);
    if (mallctl("tcache.create", &state->cache, &size, NULL, 0) != 0) {
        state->flags = (int)MALLOCX_ARENA(state->arena) | MALLOCX_TCACHE_NONE;
        return;
    }
    state->flags = (int)MALLOCX_ARENA(state->arena) | (int)MALLOCX_TCACHE(state->cache);
    state->own = true;
}

static void arena_close(struct ampel_shard_memory *state) {
    if (!state->own) return;
    /* An arena itself stays with jemalloc, empty: destroying one is for those who know that nothing
     * of it is cached. */
    (void)mallctl("tcache.destroy", NULL, NULL, &state->cache, sizeof(state->cache));
    state->own = false;
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

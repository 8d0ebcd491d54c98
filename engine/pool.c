#include "engine/pool.h"

#include <assert.h>
#include <string.h>

#define HEADER_BYTES  128 /* two lines: what is fetched in pairs of lines stays in pairs */
#define ALIGN_BYTES   64
#define STEP_BYTES    16
#define LINEAR_MAX    256
#define SLAB_LEAST    ((size_t)64 << 10)
#define SLAB_GREATEST ((size_t)1 << 20)

struct ampel_pool_block {
    struct ampel_pool_block *previous, *next;
    size_t size; /* with this header */
};
static_assert(sizeof(struct ampel_pool_block) <= HEADER_BYTES,
              "the header keeps the alignment");
static_assert(SLAB_LEAST >= HEADER_BYTES + AMPEL_POOL_SMALL_MAX, "a slab holds any small block");

/* Multiples of 16 up to 256, then eight classes for each doubling up to 32 KiB: at most an eighth of a
   block is air. */
static uint32_t class_of(size_t size) {
    if (size <= LINEAR_MAX) return (uint32_t)((size + STEP_BYTES - 1) / STEP_BYTES) - 1;
    uint32_t power = 63 - (uint32_t)__builtin_clzll((unsigned long long)(size - 1));
    uint32_t eighth = (uint32_t)((size - 1) >> (power - 3)) & 7;
    return LINEAR_MAX / STEP_BYTES + (power - 8) * 8 + eighth;
}

static size_t class_bytes(uint32_t class_index) {
    uint32_t linear = LINEAR_MAX / STEP_BYTES;
    if (class_index < linear) return (size_t)(class_index + 1) * STEP_BYTES;
    uint32_t power = (class_index - linear) / 8 + 8, eighth = (class_index - linear) % 8;
    return ((size_t)1 << power) + ((size_t)(eighth + 1) << (power - 3));
}

void ampel_pool_init(struct ampel_pool *pool, const struct ampel_memory *memory) {
    memset(pool, 0, sizeof(*pool));
    pool->memory = *memory;
}

static void blocks_give(struct ampel_pool *pool, struct ampel_pool_block *block) {
    while (block != NULL) {
        struct ampel_pool_block *next = block->next;
        pool->memory.give(pool->memory.context, block, block->size);
        block = next;
    }
}

void ampel_pool_reset(struct ampel_pool *pool) {
    struct ampel_memory memory = pool->memory;
    blocks_give(pool, pool->slabs);
    blocks_give(pool, pool->big);
    ampel_pool_init(pool, &memory);
}

static struct ampel_pool_block *block_take(struct ampel_pool *pool, size_t size,
                                           struct ampel_pool_block **list) {
    struct ampel_pool_block *block = pool->memory.take(pool->memory.context, size, ALIGN_BYTES);
    if (block == NULL) return NULL;
    block->previous = NULL;
    block->next = *list;
    block->size = size;
    if (*list != NULL) (*list)->previous = block;
    *list = block;
    pool->bytes += size;
    return block;
}

/* What is left of the last slab is given to the free lists, greatest fitting class first. */
static void carve_rest(struct ampel_pool *pool) {
    while (pool->carve_size >= STEP_BYTES) {
        uint32_t class_index = class_of(pool->carve_size);
        if (class_bytes(class_index) > pool->carve_size) class_index--;
        size_t size = class_bytes(class_index);
        memcpy(pool->carve, &pool->free[class_index], sizeof(void *));
        pool->free[class_index] = pool->carve;
        pool->carve += size;
        pool->carve_size -= size;
    }
}

static bool slab_take(struct ampel_pool *pool) {
    size_t size = SLAB_LEAST;
    while (size < SLAB_GREATEST && size * 8 < pool->bytes)
        size *= 2;
    struct ampel_pool_block *slab = block_take(pool, size, &pool->slabs);
    if (slab == NULL) return false;
    carve_rest(pool);
    pool->carve = (uint8_t *)slab + HEADER_BYTES;
    pool->carve_size = size - HEADER_BYTES;
    return true;
}

/* NULL where none was given back. */
AMPEL_INLINE uint8_t *free_take(struct ampel_pool *pool, size_t class_index) {
    uint8_t *block = pool->free[class_index];
    if (block == NULL) return NULL;
    memcpy(&pool->free[class_index], block, sizeof(void *));
    /* The next one names the one behind it, and has been far away for long. */
    __builtin_prefetch(pool->free[class_index], 1);
    return block;
}

AMPEL_INLINE uint8_t *carve_take(struct ampel_pool *pool, size_t bytes) {
    uint8_t *block = pool->carve;
    pool->carve += bytes;
    pool->carve_size -= bytes;
    return block;
}

AMPEL_APART static void *any_take(struct ampel_pool *pool, size_t size) {
    AMPEL_ASSERT(size >= 1);
    if (size > AMPEL_POOL_SMALL_MAX) {
        if (size > SIZE_MAX - HEADER_BYTES) return NULL;
        struct ampel_pool_block *big = block_take(pool, size + HEADER_BYTES, &pool->big);
        return big != NULL ? (uint8_t *)big + HEADER_BYTES : NULL;
    }
    uint32_t class_index = class_of(size);
    uint8_t *block = free_take(pool, class_index);
    if (block != NULL) return block;
    size_t bytes = class_bytes(class_index);
    if (pool->carve_size < bytes && !slab_take(pool)) return NULL;
    return carve_take(pool, bytes);
}

/* Most are small, and what they take is at hand: asked for without a call. */
void *ampel_pool_take(struct ampel_pool *pool, size_t size) {
    if (size - 1 >= LINEAR_MAX) return any_take(pool, size);
    size_t steps = (size - 1) / STEP_BYTES, bytes = (steps + 1) * STEP_BYTES;
    uint8_t *block = free_take(pool, steps);
    if (block != NULL) return block;
    return pool->carve_size >= bytes ? carve_take(pool, bytes) : any_take(pool, size);
}

void ampel_pool_give(struct ampel_pool *pool, void *block, size_t size) {
    if (block == NULL) return;
    if (size <= AMPEL_POOL_SMALL_MAX) {
        uint32_t class_index = class_of(size);
        memcpy(block, &pool->free[class_index], sizeof(void *));
        pool->free[class_index] = block;
        return;
    }
    struct ampel_pool_block *big = (void *)((uint8_t *)block - HEADER_BYTES);
    AMPEL_ASSERT(big->size == size + HEADER_BYTES);
    if (big->previous != NULL)
        big->previous->next = big->next;
    else
        pool->big = big->next;
    if (big->next != NULL) big->next->previous = big->previous;
    pool->bytes -= big->size;
    pool->memory.give(pool->memory.context, big, big->size);
}

void *ampel_pool_double(struct ampel_pool *pool, void *array, uint32_t *capacity, uint32_t needed,
                        size_t element_bytes) {
    uint32_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < needed)
        wanted = wanted > UINT32_MAX / 2 ? UINT32_MAX : wanted * 2;
    void *grown = ampel_pool_take(pool, wanted * element_bytes);
    if (grown == NULL) return NULL;
    if (*capacity > 0) memcpy(grown, array, *capacity * element_bytes);
    ampel_pool_give(pool, array, *capacity * element_bytes);
    *capacity = wanted;
    return grown;
}

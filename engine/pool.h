/* All memory of one engine: small blocks by size class out of slabs, big blocks one by one.

       slab    header 128 bytes | block | block | ...     bump-carved, never returned before close
       class   free list through the blocks' first bytes: a block given back is the next one taken
       big     header 128 bytes | block                   above AMPEL_POOL_SMALL_MAX, returned at
   once

   So the steady state takes nothing from the allocator, and close needs no walk over accounts.
   Blocks are aligned to 16 bytes, big ones to 64; where the allocator gives whole pages, to 128. */
#ifndef AMPEL_ENGINE_POOL_H
#define AMPEL_ENGINE_POOL_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_POOL_SMALL_MAX     32768
#define AMPEL_POOL_CLASSES_COUNT 72

struct ampel_pool_block; /* header of a slab or a big block */

struct ampel_pool {
    struct ampel_memory memory;
    struct ampel_pool_block *slabs;
    struct ampel_pool_block *big;
    uint8_t *carve;
    size_t carve_size;
    uint64_t bytes; /* taken from the allocator */
    void *free[AMPEL_POOL_CLASSES_COUNT];
};

void ampel_pool_init(struct ampel_pool *pool, const struct ampel_memory *memory);
/* Gives everything back to the allocator. */
void ampel_pool_reset(struct ampel_pool *pool);

/* NULL when the allocator has none. size >= 1. The bytes are not cleared. */
AMPEL_MUST_CHECK void *ampel_pool_take(struct ampel_pool *pool, size_t size);
/* size is what was asked for. NULL is fine. */
void ampel_pool_give(struct ampel_pool *pool, void *block, size_t size);

/* ampel_pool_grow where there is not room enough. */
AMPEL_MUST_CHECK void *ampel_pool_double(struct ampel_pool *pool, void *array, uint32_t *capacity,
                                         uint32_t needed, size_t element_bytes);
/* Makes room for needed elements by doubling; the old elements are kept, new ones are not cleared.
   Returns the array or NULL (the old one then still holds). */
AMPEL_MUST_CHECK static inline void *ampel_pool_grow(struct ampel_pool *pool, void *array,
                                                     uint32_t *capacity, uint32_t needed,
                                                     size_t element_bytes) {
    if (needed <= *capacity) return array;
    return ampel_pool_double(pool, array, capacity, needed, element_bytes);
}

#ifdef __cplusplus
}
#endif

#endif

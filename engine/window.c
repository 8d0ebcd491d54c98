#include "engine/window.h"

#include <assert.h>
#include <string.h>

static_assert((uint64_t)AMPEL_WINDOW_CELLS * AMPEL_ORDERS_MAX <= UINT32_MAX,
              "a window's sum is a u32");

static bool ring_widen(struct ampel_pool *pool, uint8_t **ring, uint8_t *width, uint8_t wanted) {
    uint8_t *wide = ampel_pool_take(pool, (size_t)wanted * AMPEL_WINDOW_CELLS);
    if (wide == NULL) return false;
    memset(wide, 0, (size_t)wanted * AMPEL_WINDOW_CELLS);
    if (*ring != NULL) {
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
            ampel_window_set(wide, wanted, cell, ampel_window_get(*ring, *width, cell));
        }
        ampel_pool_give(pool, *ring, (size_t)*width * AMPEL_WINDOW_CELLS);
    }
    *ring = wide;
    *width = wanted;
    return true;
}

bool ampel_window_put(struct ampel_pool *pool, uint8_t **ring, uint8_t *width, uint32_t cell,
                      uint32_t packed) {
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS);
    uint8_t needed = ampel_window_width(packed);
    if (*width < needed && !ring_widen(pool, ring, width, needed)) return false;
    ampel_window_set(*ring, *width, cell, packed);
    AMPEL_ASSERT_PARANOID(ampel_window_get(*ring, *width, cell) == packed);
    return true;
}

void ampel_window_trim(struct ampel_pool *pool, uint8_t **ring, uint8_t *width) {
    size_t size = (size_t)*width * AMPEL_WINDOW_CELLS;
    for (size_t i = 0; i < size; i++) {
        if ((*ring)[i] != 0) return;
    }
    ampel_pool_give(pool, *ring, size);
    *ring = NULL;
    *width = 0;
}

uint32_t ampel_window_sum(const uint8_t *ring, uint8_t width, uint32_t last, uint32_t days) {
    if (ring == NULL) return 0;
    uint32_t sum = 0, cell = last;
    for (uint32_t i = 0; i < days; i++) {
        sum += ampel_day_total(ampel_window_get(ring, width, cell));
        cell = cell == 0 ? AMPEL_WINDOW_CELLS - 1 : cell - 1;
    }
    return sum;
}

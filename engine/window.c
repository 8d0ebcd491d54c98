#include "engine/window.h"

#include <assert.h>
#include <string.h>

static_assert((uint64_t)AMPEL_WINDOW_CELLS * AMPEL_ORDERS_MAX <= UINT32_MAX,
              "a window's sum is a u32");
static_assert(AMPEL_WINDOW_CELLS <= UINT8_MAX, "a cell's number is a u8");
static_assert(AMPEL_WINDOW_CELLS % 2 == 0, "a ring of half bytes is whole bytes");

static size_t ring_bytes(uint8_t bits) {
    return (size_t)bits * AMPEL_WINDOW_CELLS / 8;
}

static bool ring_widen(struct ampel_pool *pool, struct ampel_window *window, uint8_t bits) {
    uint8_t *wide = ampel_pool_take(pool, ring_bytes(bits));
    if (wide == NULL) return false;
    memset(wide, 0, ring_bytes(bits));
    if (window->ring != NULL) {
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
            ampel_cells_set(wide, bits, cell, ampel_cells_get(window->ring, window->bits, cell));
        }
        ampel_pool_give(pool, window->ring, ring_bytes(window->bits));
    }
    window->ring = wide;
    window->bits = bits;
    return true;
}

static bool ring_put(struct ampel_pool *pool, struct ampel_window *window, uint32_t cell,
                     uint32_t packed) {
    if (window->ring == NULL && packed == 0) return true;
    uint8_t needed = ampel_cells_bits(packed);
    if (window->bits < needed && !ring_widen(pool, window, needed)) return false;
    ampel_cells_set(window->ring, window->bits, cell, packed);
    return true;
}

bool ampel_window_put(struct ampel_pool *pool, struct ampel_window *window, uint32_t cell,
                      uint32_t packed) {
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS);
    if (window->near == 0 && cell != window->near_cell) {
        /* The near place is free. */
        if (!ring_put(pool, window, cell, 0)) return false;
        window->near_cell = (uint8_t)cell;
    }
    if (cell == window->near_cell)
        window->near = packed;
    else if (!ring_put(pool, window, cell, packed))
        return false;
    AMPEL_ASSERT_PARANOID(ampel_window_get(window, cell) == packed);
    return true;
}

bool ampel_window_bring(struct ampel_pool *pool, struct ampel_window *window, uint32_t cell) {
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS);
    if (cell == window->near_cell) return true;
    uint32_t packed = ampel_window_get(window, cell);
    if (!ring_put(pool, window, window->near_cell, window->near)) return false;
    if (packed != 0) ampel_cells_set(window->ring, window->bits, cell, 0);
    window->near_cell = (uint8_t)cell;
    window->near = packed;
    return true;
}

void ampel_window_drop(struct ampel_window *window, uint32_t cell) {
    if (cell == window->near_cell)
        window->near = 0;
    else if (window->ring != NULL)
        ampel_cells_set(window->ring, window->bits, cell, 0);
}

void ampel_window_trim(struct ampel_pool *pool, struct ampel_window *window) {
    if (window->ring == NULL) return;
    size_t size = ring_bytes(window->bits);
    for (size_t i = 0; i < size; i++) {
        if (window->ring[i] != 0) return;
    }
    ampel_pool_give(pool, window->ring, size);
    window->ring = NULL;
    window->bits = 0;
}

uint32_t ampel_window_sum(const struct ampel_window *window, uint32_t last, uint32_t days) {
    uint32_t age = last + (last < window->near_cell ? AMPEL_WINDOW_CELLS : 0) - window->near_cell;
    uint32_t sum = age < days ? ampel_day_total(window->near) : 0, cell = last;
    for (uint32_t i = 0; window->ring != NULL && i < days; i++) {
        /* The near day's own cell is 0. */
        sum += ampel_day_total(ampel_cells_get(window->ring, window->bits, cell));
        cell = cell == 0 ? AMPEL_WINDOW_CELLS - 1 : cell - 1;
    }
    return sum;
}

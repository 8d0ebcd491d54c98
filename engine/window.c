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

/* Cells of 4 bits become bytes, bytes become twice as wide: each loop is simple enough to be done many at a time. */
static void cells_double(uint8_t *wide, const uint8_t *cells, uint8_t bits) {
    if (bits == 4) {
        for (size_t i = 0; i < AMPEL_WINDOW_CELLS / 2; i++) {
            wide[2 * i] = (uint8_t)((cells[i] & 7u) | (cells[i] & 8u) << 4);
            wide[2 * i + 1] = (uint8_t)((cells[i] >> 4 & 7u) | (cells[i] & 0x80u));
        }
    } else {
        for (size_t i = 0; i < AMPEL_WINDOW_CELLS; i++)
            ampel_store_u16(wide + 2 * i, (uint16_t)((cells[i] & 0x7fu) | (cells[i] & 0x80u) << 8));
    }
}

static bool ring_widen(struct ampel_pool *pool, struct ampel_window *window, uint8_t bits) {
    uint8_t *wide = ampel_pool_take(pool, ring_bytes(bits));
    if (wide == NULL) return false;
    if (window->ring == NULL) {
        memset(wide, 0, ring_bytes(bits));
    } else if (bits == 2 * window->bits && bits <= 16) {
        cells_double(wide, window->ring, window->bits);
    } else {
        memset(wide, 0, ring_bytes(bits));
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
            ampel_cells_set(wide, bits, cell, ampel_cells_get(window->ring, window->bits, cell));
        }
    }
    if (window->ring != NULL) ampel_pool_give(pool, window->ring, ring_bytes(window->bits));
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

bool ampel_window_bring_wide(struct ampel_pool *pool, struct ampel_window *window, uint32_t cell) {
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS && cell != window->near_cell);
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

uint32_t ampel_window_gap(const struct ampel_window *window, uint32_t cell, uint32_t most) {
    uint32_t bits = window->bits, gap = 0, cells = AMPEL_WINDOW_CELLS - cell;
    uint32_t shift = (uint32_t)__builtin_ctz(bits), word_cells = 64u >> shift;
    if (cells > most) cells = most;
    if (bits == 4 && cell % 2 == 1 && cells > 0) {
        if (ampel_cells_get(window->ring, 4, cell) != 0) return 0;
        gap = 1;
    }
    const uint8_t *at = window->ring + (size_t)(cell + gap) * bits / 8;
    const uint8_t *end = window->ring + ring_bytes(window->bits);
    for (; gap < cells && (size_t)(end - at) >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = ampel_load_u64(at);
        if (word != 0) {
            gap += (uint32_t)__builtin_ctzll(word) >> shift;
            return gap < cells ? gap : cells;
        }
        gap += word_cells;
    }
    while (gap < cells && ampel_cells_get(window->ring, window->bits, cell + gap) == 0)
        gap++;
    return gap < cells ? gap : cells;
}

void ampel_window_trim(struct ampel_pool *pool, struct ampel_window *window) {
    if (window->ring == NULL) return;
    size_t size = ring_bytes(window->bits);
    /* The last word may hold some of the one before. */
    uint64_t any = ampel_load_u64(window->ring + size - sizeof(any));
    for (size_t i = 0; i + sizeof(any) <= size; i += sizeof(any))
        any |= ampel_load_u64(window->ring + i);
    if (any != 0) return;
    ampel_pool_give(pool, window->ring, size);
    window->ring = NULL;
    window->bits = 0;
}

/* The totals of the cells first..end-1, as ampel_cells_get has them; simple enough to be done many at a time. */
static uint32_t cells_sum(const uint8_t *cells, uint8_t bits, uint32_t first, uint32_t end) {
    uint32_t sum = 0, cell = first;
    if (bits == 8) {
        for (; cell < end; cell++)
            sum += cells[cell] & 0x7fu;
    } else if (bits == 16) {
        for (; cell < end; cell++)
            sum += ampel_load_u16(cells + 2 * (size_t)cell) & 0x7fffu;
    } else if (bits == 4) {
        if (cell % 2 == 1 && cell < end) sum += cells[cell++ / 2] >> 4 & 7u;
        for (; cell + 1 < end; cell += 2)
            sum += (cells[cell / 2] & 7u) + (cells[cell / 2] >> 4 & 7u);
        if (cell < end) sum += cells[cell / 2] & 7u;
    } else {
        for (; cell < end; cell++)
            sum += ampel_day_total(ampel_load_u32(cells + 4 * (size_t)cell));
    }
    return sum;
}

uint32_t ampel_window_sum(const struct ampel_window *window, uint32_t last, uint32_t days) {
    uint32_t age = last + (last < window->near_cell ? AMPEL_WINDOW_CELLS : 0) - window->near_cell;
    uint32_t sum = age < days ? ampel_day_total(window->near) : 0;
    if (window->ring == NULL || days == 0) return sum;
    /* The near day's own cell is 0. */
    if (days <= last + 1) return sum + cells_sum(window->ring, window->bits, last + 1 - days, last + 1);
    sum += cells_sum(window->ring, window->bits, 0, last + 1);
    return sum + cells_sum(window->ring, window->bits, AMPEL_WINDOW_CELLS - (days - last - 1),
                           AMPEL_WINDOW_CELLS);
}

/* ---- days that are not empty ------------------------------------------------------------------ */

static void day_mark(struct ampel_window_days *days, uint32_t cell) {
    days->words[cell / 64] |= UINT64_C(1) << (cell % 64);
}

void ampel_window_days(const struct ampel_window *window, struct ampel_window_days *out) {
    *out = (struct ampel_window_days){{0}};
    if (window->near != 0) day_mark(out, window->near_cell);
    if (window->ring == NULL) return;
    const uint32_t bits = window->bits, size = (uint32_t)ring_bytes(window->bits);
    const uint64_t one = (UINT64_C(1) << bits) - 1;
    for (uint32_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        /* Little-endian, so that lower bits are earlier cells; a ring need not end with a whole word. */
        if (size - at >= 8)
            word = ampel_load_u64(window->ring + at);
        else
            for (uint32_t i = at; i < size; i++)
                word |= (uint64_t)window->ring[i] << (8 * (i - at));
        while (word != 0) {
            uint32_t cell = (uint32_t)__builtin_ctzll(word) / bits;
            day_mark(out, at * 8 / bits + cell);
            word &= ~(one << (cell * bits));
        }
    }
}

/* The first from a cell on to the end of the ring; AMPEL_WINDOW_CELLS: none. */
static uint32_t day_from(const struct ampel_window_days *days, uint32_t cell) {
    uint64_t rest = ~UINT64_C(0) << (cell % 64);
    for (uint32_t word = cell / 64; word < AMPEL_ARRAY_COUNT(days->words); word++, rest = ~UINT64_C(0)) {
        uint64_t found = days->words[word] & rest;
        if (found != 0) return word * 64 + (uint32_t)__builtin_ctzll(found);
    }
    return AMPEL_WINDOW_CELLS;
}

uint32_t ampel_window_days_ahead(const struct ampel_window_days *days, uint32_t cell) {
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS);
    uint32_t found = day_from(days, cell);
    if (found < AMPEL_WINDOW_CELLS) return found - cell;
    found = day_from(days, 0);
    return found < AMPEL_WINDOW_CELLS ? found + AMPEL_WINDOW_CELLS - cell : AMPEL_WINDOW_CELLS;
}

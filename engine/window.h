/* The orders of the last 180 days of one account.

       near    one day, in the account's first line: mostly today
       ring    180 cells, day d at d mod 180, each 4, 8, 16 or 32 bits wide; the near day's cell is 0
       cell    the lowest bits are the total, what is left above it is rev: 3 and 1, 7 and 1, 15 and 1,
               24 and 8 bits

   Outside this file a day is always packed as rev << 24 | total; rev 0 are increments. Which day is
   near is a matter of speed alone: an order of today need not touch the ring. A ring comes with the
   second day, starts with cells as narrow as that allows, and widens as a whole when a day no longer
   fits. Days that no cell stands for (older than 179 days) are not kept; later days wait elsewhere. */
#ifndef AMPEL_ENGINE_WINDOW_H
#define AMPEL_ENGINE_WINDOW_H

#include "engine/bounds.h"
#include "engine/load.h"
#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_WINDOW_CELLS AMPEL_WINDOW_DAYS_MAX

/* All zero: no orders. */
struct ampel_window {
    uint8_t *ring;
    uint32_t near; /* packed */
    uint8_t near_cell;
    uint8_t bits; /* of a cell; 0 as long as there is no ring */
    uint8_t midnight; /* midnight.h, where there was room */
    uint8_t reserved;
};

static inline uint32_t ampel_day_pack(uint32_t rev, uint32_t total) {
    return rev << 24 | total;
}
static inline uint32_t ampel_day_total(uint32_t packed) {
    return packed & AMPEL_ORDERS_MAX;
}
static inline bool ampel_day_authoritative(uint32_t packed) {
    return packed >> 24 != 0;
}

/* Increments of a day: they add up, stop at the bound, and no longer matter once a total was told.
 */
static inline uint32_t ampel_day_increment(uint32_t packed, uint32_t count) {
    if (ampel_day_authoritative(packed)) return packed;
    return count > AMPEL_ORDERS_MAX - packed ? AMPEL_ORDERS_MAX : packed + count;
}

/* ---- cells, of a ring or of a page ------------------------------------------------------------ */

static inline uint32_t ampel_cells_get(const uint8_t *cells, uint8_t bits, uint32_t cell) {
    if (bits == 8) return (uint32_t)(cells[cell] >> 7) << 24 | (cells[cell] & 0x7fu);
    if (bits == 4) {
        uint32_t value = (uint32_t)cells[cell / 2] >> (4 * (cell % 2));
        return (value >> 3 & 1) << 24 | (value & 7);
    }
    if (bits == 16) {
        uint32_t value = ampel_load_u16(cells + 2 * (size_t)cell);
        return (value >> 15) << 24 | (value & 0x7fffu);
    }
    return ampel_load_u32(cells + 4 * (size_t)cell);
}

/* The fewest bits that hold a packed day. */
static inline uint8_t ampel_cells_bits(uint32_t packed) {
    if (packed >> 24 > 1 || ampel_day_total(packed) > 0x7fff) return 32;
    if (ampel_day_total(packed) > 0x7f) return 16;
    return ampel_day_total(packed) > 7 ? 8 : 4;
}

/* packed must fit. */
static inline void ampel_cells_set(uint8_t *cells, uint8_t bits, uint32_t cell, uint32_t packed) {
    uint32_t rev = packed >> 24, total = ampel_day_total(packed);
    if (bits == 8) {
        cells[cell] = (uint8_t)(rev << 7 | total);
    } else if (bits == 4) {
        uint32_t shift = 4 * (cell % 2);
        cells[cell / 2] = (uint8_t)((cells[cell / 2] & ~(15u << shift)) | (rev << 3 | total) << shift);
    } else if (bits == 16) {
        ampel_store_u16(cells + 2 * (size_t)cell, (uint16_t)(rev << 15 | total));
    } else {
        ampel_store_u32(cells + 4 * (size_t)cell, packed);
    }
}

/* Adds to a day where cells are of 4, 8 or 16 bits, its own holds the sum, and no total was told: most of what comes late.
   False: nothing was done. */
AMPEL_INLINE bool ampel_cells_add(uint8_t *cells, uint32_t bits, uint32_t cell, uint32_t count) {
    /* What was told as a total has the cell's highest bit, and is never below its half. */
    const uint32_t half = 1u << (bits - 1), shift = bits == 4 ? 4 * (cell % 2) : 0;
    uint8_t *at = cells + (size_t)cell * bits / 8;
    const uint32_t word = bits == 16 ? ampel_load_u16(at) : *at;
    if ((word >> shift & (2 * half - 1)) + count >= half) return false;
    if (bits == 16)
        ampel_store_u16(at, (uint16_t)(word + count));
    else
        *at = (uint8_t)(word + (count << shift));
    return true;
}

/* ---- the window ------------------------------------------------------------------------------- */

static inline uint32_t ampel_window_get(const struct ampel_window *window, uint32_t cell) {
    if (cell == window->near_cell) return window->near;
    return window->ring != NULL ? ampel_cells_get(window->ring, window->bits, cell) : 0;
}
/* How many cells from this one on lie in its line of memory, at least 1; there is a ring. */
static inline uint32_t ampel_window_line(const struct ampel_window *window, uint32_t cell) {
    uintptr_t at = (uintptr_t)window->ring + (uintptr_t)cell * window->bits / 8;
    uint32_t cells = (uint32_t)(64 - at % 64) * 8 >> __builtin_ctz(window->bits);
    return cells < AMPEL_WINDOW_CELLS - cell ? (cells > 0 ? cells : 1) : AMPEL_WINDOW_CELLS - cell;
}
/* Where a cell of the ring lies, to be fetched; NULL where there is none. */
static inline const uint8_t *ampel_window_place(const struct ampel_window *window, uint32_t cell) {
    return window->ring != NULL ? window->ring + (size_t)cell * window->bits / 8 : NULL;
}

/* Sets a cell, making or widening the ring as needed. False: no memory. */
AMPEL_MUST_CHECK bool ampel_window_put(struct ampel_pool *pool, struct ampel_window *window,
                                       uint32_t cell, uint32_t packed);
/* Makes a cell that is not the near one the near one, the ring as wide as needed. False: no memory. */
AMPEL_MUST_CHECK bool ampel_window_bring_wide(struct ampel_pool *pool, struct ampel_window *window,
                                              uint32_t cell);
/* Makes a cell the near one. False: no memory. */
AMPEL_MUST_CHECK static inline bool ampel_window_bring(struct ampel_pool *pool,
                                                       struct ampel_window *window, uint32_t cell) {
    if (cell == window->near_cell) return true;
    /* Increments that fit into half a cell's values; what was told as a total has higher bits. */
    if (window->ring == NULL || window->near >> (window->bits - 1) != 0)
        return ampel_window_bring_wide(pool, window, cell);
    AMPEL_ASSERT(cell < AMPEL_WINDOW_CELLS);
    uint32_t packed = ampel_cells_get(window->ring, window->bits, cell);
    ampel_cells_set(window->ring, window->bits, window->near_cell, window->near);
    if (packed != 0) ampel_cells_set(window->ring, window->bits, cell, 0);
    window->near_cell = (uint8_t)cell;
    window->near = packed;
    return true;
}
/* Empties a cell: its day has left. */
void ampel_window_drop(struct ampel_window *window, uint32_t cell);
/* Gives back a ring in which no day is left. */
void ampel_window_trim(struct ampel_pool *pool, struct ampel_window *window);
/* How many cells of the ring from this one on are empty, at most so many and up to the ring's end; the near
   day's cell is. */
uint32_t ampel_window_gap(const struct ampel_window *window, uint32_t cell, uint32_t most);
/* The sum of days cells that end with the cell `last`; days <= AMPEL_WINDOW_CELLS. */
uint32_t ampel_window_sum(const struct ampel_window *window, uint32_t last, uint32_t days);

/* Which cells are not empty, so that a walk over the days of an account that sells seldom need not look at all of them. */
struct ampel_window_days {
    uint64_t words[(AMPEL_WINDOW_CELLS + 63) / 64];
};
void ampel_window_days(const struct ampel_window *window, struct ampel_window_days *out);
/* How many cells on, round the ring, the first that is not empty lies (0: this one); AMPEL_WINDOW_CELLS: all are empty. */
uint32_t ampel_window_days_ahead(const struct ampel_window_days *days, uint32_t cell);

#ifdef __cplusplus
}
#endif

#endif

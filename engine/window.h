/* The orders of the last 180 days of one account.

       ring    180 cells, day d at d mod 180, each 8, 16 or 32 bits wide
       cell    8 bits: rev << 7 | total     16 bits: rev << 15 | total     32 bits: rev << 24 |
   total

   Outside this file a day is always packed as rev << 24 | total; rev 0 are increments. A ring
   starts with bytes and widens as a whole when a day no longer fits: most accounts sell fewer than
   128 a day. Days that no cell stands for (older than 179 days) are not kept; later days wait
   elsewhere. */
#ifndef AMPEL_ENGINE_WINDOW_H
#define AMPEL_ENGINE_WINDOW_H

#include "engine/bounds.h"
#include "engine/load.h"
#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_WINDOW_CELLS AMPEL_WINDOW_DAYS_MAX

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

/* width: 1, 2 or 4 bytes a cell. */
static inline uint32_t ampel_window_get(const uint8_t *ring, uint8_t width, uint32_t cell) {
    if (width == 1) return (uint32_t)(ring[cell] >> 7) << 24 | (ring[cell] & 0x7fu);
    if (width == 2) {
        uint32_t value = ampel_load_u16(ring + 2 * (size_t)cell);
        return (value >> 15) << 24 | (value & 0x7fffu);
    }
    return ampel_load_u32(ring + 4 * (size_t)cell);
}

/* The narrowest width that holds a packed day. */
static inline uint8_t ampel_window_width(uint32_t packed) {
    if (packed >> 24 > 1 || ampel_day_total(packed) > 0x7fff) return 4;
    return ampel_day_total(packed) > 0x7f ? 2 : 1;
}

/* packed must fit the width. */
static inline void ampel_window_set(uint8_t *ring, uint8_t width, uint32_t cell, uint32_t packed) {
    uint32_t rev = packed >> 24, total = ampel_day_total(packed);
    if (width == 1)
        ring[cell] = (uint8_t)(rev << 7 | total);
    else if (width == 2)
        ampel_store_u16(ring + 2 * (size_t)cell, (uint16_t)(rev << 15 | total));
    else
        ampel_store_u32(ring + 4 * (size_t)cell, packed);
}

/* Sets a cell, making or widening the ring as needed. False: no memory. */
AMPEL_MUST_CHECK bool ampel_window_put(struct ampel_pool *pool, uint8_t **ring, uint8_t *width,
                                       uint32_t cell, uint32_t packed);
/* Gives back a ring in which no day is left. */
void ampel_window_trim(struct ampel_pool *pool, uint8_t **ring, uint8_t *width);
/* The sum of days cells that end with the cell `last`. */
uint32_t ampel_window_sum(const uint8_t *ring, uint8_t width, uint32_t last, uint32_t days);

#ifdef __cplusplus
}
#endif

#endif

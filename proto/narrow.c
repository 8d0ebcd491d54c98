#include "proto/narrow.h"

#include "engine/load.h"

uint32_t ampel_narrow_bytes(uint64_t greatest) {
    if (greatest <= UINT8_MAX) return 1;
    if (greatest <= UINT16_MAX) return 2;
    return greatest <= UINT32_MAX ? 4 : 8;
}

void ampel_narrow_u32(uint8_t *to, uint32_t entry_bytes, const uint8_t *from, uint32_t count) {
    AMPEL_ASSERT(entry_bytes == 1 || entry_bytes == 2);
    if (entry_bytes == 2)
        for (size_t i = 0; i < count; i++)
            ampel_store_u16(to + 2 * i, (uint16_t)ampel_load_u32(from + 4 * i));
    if (entry_bytes == 1)
        for (size_t i = 0; i < count; i++)
            to[i] = (uint8_t)ampel_load_u32(from + 4 * i);
}

void ampel_narrow_times(uint8_t *to, uint32_t entry_bytes, const uint8_t *from, uint32_t count, int64_t from_ms) {
    AMPEL_ASSERT(entry_bytes == 1 || entry_bytes == 2 || entry_bytes == 4);
    for (size_t i = 0; i < count; i++) {
        uint32_t after_ms = (uint32_t)(ampel_load_i64(from + 8 * i) - from_ms);
        if (entry_bytes == 4)
            ampel_store_u32(to + 4 * i, after_ms);
        else if (entry_bytes == 2)
            ampel_store_u16(to + 2 * i, (uint16_t)after_ms);
        else
            to[i] = (uint8_t)after_ms;
    }
}

void ampel_widen_u32(uint8_t *to, const uint8_t *from, uint32_t entry_bytes, uint32_t count) {
    AMPEL_ASSERT(entry_bytes == 1 || entry_bytes == 2);
    if (entry_bytes == 2)
        for (size_t i = 0; i < count; i++)
            ampel_store_u32(to + 4 * i, ampel_load_u16(from + 2 * i));
    if (entry_bytes == 1)
        for (size_t i = 0; i < count; i++)
            ampel_store_u32(to + 4 * i, from[i]);
}

void ampel_widen_times(uint8_t *to, const uint8_t *from, uint32_t entry_bytes, uint32_t count, int64_t from_ms) {
    AMPEL_ASSERT(entry_bytes == 1 || entry_bytes == 2 || entry_bytes == 4);
    if (entry_bytes == 4)
        for (size_t i = 0; i < count; i++)
            ampel_store_i64(to + 8 * i, from_ms + ampel_load_u32(from + 4 * i));
    if (entry_bytes == 2)
        for (size_t i = 0; i < count; i++)
            ampel_store_i64(to + 8 * i, from_ms + ampel_load_u16(from + 2 * i));
    if (entry_bytes == 1)
        for (size_t i = 0; i < count; i++)
            ampel_store_i64(to + 8 * i, from_ms + from[i]);
}

void ampel_narrow_span(const uint8_t *times, uint32_t count, int64_t *least_ms, uint64_t *span_ms) {
    AMPEL_ASSERT(count > 0);
    int64_t least = ampel_load_i64(times), greatest = least;
    for (size_t i = 1; i < count; i++) {
        int64_t at_ms = ampel_load_i64(times + 8 * i);
        if (at_ms < least) least = at_ms;
        if (at_ms > greatest) greatest = at_ms;
    }
    *least_ms = least;
    *span_ms = (uint64_t)greatest - (uint64_t)least;
}

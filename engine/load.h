/* Unaligned little-endian loads and stores: how bytes from outside become numbers. The hosts are
   little-endian, so each of them is one instruction. */
#ifndef AMPEL_ENGINE_LOAD_H
#define AMPEL_ENGINE_LOAD_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint16_t ampel_load_u16(const void *from) {
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t ampel_load_u32(const void *from) {
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint64_t ampel_load_u64(const void *from) {
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static inline int64_t ampel_load_i64(const void *from) {
    int64_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static inline void ampel_store_u16(void *to, uint16_t value) {
    memcpy(to, &value, sizeof(value));
}
static inline void ampel_store_u32(void *to, uint32_t value) {
    memcpy(to, &value, sizeof(value));
}
static inline void ampel_store_u64(void *to, uint64_t value) {
    memcpy(to, &value, sizeof(value));
}
static inline void ampel_store_i64(void *to, int64_t value) {
    memcpy(to, &value, sizeof(value));
}

/* memcpy of what is short mostly: a call costs more than two words, of which some bytes are written twice. */
static inline void ampel_bytes_copy(void *to, const void *from, uint32_t size) {
    if (size >= 8 && size <= 16) {
        uint64_t last = ampel_load_u64((const uint8_t *)from + size - 8);
        ampel_store_u64(to, ampel_load_u64(from));
        ampel_store_u64((uint8_t *)to + size - 8, last);
    } else if (size > 0) {
        memcpy(to, from, size);
    }
}

#ifdef __cplusplus
}
#endif

#endif

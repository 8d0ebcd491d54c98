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

#ifdef __cplusplus
}
#endif

#endif

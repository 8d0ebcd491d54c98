/* Columns of numbers in as few bytes an entry as the greatest of them needs: what a batch of version 2 has on the wire
   (proto/WIRE.md, section 4). Little-endian, unsigned; no alignment is asked for. Pure. */
#ifndef AMPEL_PROTO_NARROW_H
#define AMPEL_PROTO_NARROW_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 1, 2, 4, or 8 where a number needs more. */
uint32_t ampel_narrow_bytes(uint64_t greatest);
/* count numbers of u32 as entries of 1 or 2 bytes, which hold them. */
void ampel_narrow_u32(uint8_t *to, uint32_t entry_bytes, const uint8_t *from, uint32_t count);
/* Times, as milliseconds after from_ms, in entries of 1, 2 or 4 bytes. */
void ampel_narrow_times(uint8_t *to, uint32_t entry_bytes, const uint8_t *from, uint32_t count, int64_t from_ms);

/* And back. */
void ampel_widen_u32(uint8_t *to, const uint8_t *from, uint32_t entry_bytes, uint32_t count);
void ampel_widen_times(uint8_t *to, const uint8_t *from, uint32_t entry_bytes, uint32_t count, int64_t from_ms);

/* The least of times, and by how much the greatest lies behind it; count > 0. */
void ampel_narrow_span(const uint8_t *times, uint32_t count, int64_t *least_ms, uint64_t *span_ms);

#ifdef __cplusplus
}
#endif

#endif

/* A frame: what one batch brings to one partition, stamped once, as the engine reads it.

   Columns of events_count entries each; a NULL column means the default for every event. All
   borrowed for the time of the call. Columns may be unaligned: read with memcpy-like loads
   (little-endian hosts).

       account  u32   index into accounts
       type     u8    enum ampel_event_type
       at       i64   ms
       count    u32   default 1
       policy   u8    default 0
       severity i8    default -1
       code     u8    default AMPEL_CODE_NONE
       points   i16   default -1
       rev      u16   default 0 (1 for orders_day)
       extras_offset u32[events_count + 1] into extras; NULL: no event has extras

   Events in a frame were judged by ampel_event_check before; the engine asserts nothing about them
   but tolerates any bytes that proto/frame.h has accepted. */
#ifndef AMPEL_ENGINE_FRAME_H
#define AMPEL_ENGINE_FRAME_H

#include "engine/base.h"
#include "engine/event.h"
#include "engine/load.h"
#include "engine/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_frame_account {
    uint64_t hash; /* xxh3_64 of tenant, seller, marketplace: proto/hash.h */
    struct ampel_text seller;
    struct ampel_text marketplace;
};

struct ampel_frame {
    int64_t stamp_ms;   /* set by the gateway, never backwards within a partition */
    int64_t sent_at_ms; /* as the batch says */
    uint32_t partition;
    bool backfill;
    struct ampel_text tenant;
    struct ampel_text producer;
    uint64_t sequence;
    uint64_t position; /* of the log record that carries it; 0 outside a log */
    uint32_t accounts_count;
    const struct ampel_frame_account *accounts;
    uint32_t events_count;
    const uint8_t *account;
    const uint8_t *type;
    const uint8_t *at;
    const uint8_t *count;
    const uint8_t *policy;
    const uint8_t *severity;
    const uint8_t *code;
    const uint8_t *points;
    const uint8_t *rev;
    const uint8_t *extras_offset;
    const uint8_t *extras;
    uint32_t extras_size;
};

/* Gathers one event; index < events_count. out->extras points into the frame. */
static inline void ampel_frame_event(const struct ampel_frame *frame, uint32_t index,
                                     uint32_t *account_index, struct ampel_event *out) {
    AMPEL_ASSERT(index < frame->events_count);
    size_t i = index;
    *account_index = frame->account != NULL ? ampel_load_u32(frame->account + 4 * i) : 0;
    out->type = frame->type != NULL ? frame->type[i] : 0;
    out->at_ms = frame->at != NULL ? ampel_load_i64(frame->at + 8 * i) : 0;
    out->count = frame->count != NULL ? ampel_load_u32(frame->count + 4 * i) : 1;
    out->policy = frame->policy != NULL ? frame->policy[i] : 0;
    out->severity = frame->severity != NULL ? (int8_t)frame->severity[i]
                                             : (int8_t)AMPEL_SEVERITY_NOT_GIVEN;
    out->code = frame->code != NULL ? frame->code[i] : AMPEL_CODE_NONE;
    out->points = frame->points != NULL ? (int16_t)ampel_load_u16(frame->points + 2 * i)
                                         : (int16_t)-1;
    uint16_t rev = out->type == AMPEL_EVENT_ORDERS_DAY;
    out->rev = frame->rev != NULL ? ampel_load_u16(frame->rev + 2 * i) : rev;
    out->extras = NULL;
    out->extras_size = 0;
    if (frame->extras_offset == NULL) return;
    uint32_t from = ampel_load_u32(frame->extras_offset + 4 * i);
    uint32_t to = ampel_load_u32(frame->extras_offset + 4 * (i + 1));
    if (from > to || to > frame->extras_size) return;
    out->extras = frame->extras + from;
    out->extras_size = to - from;
}

#ifdef __cplusplus
}
#endif

#endif

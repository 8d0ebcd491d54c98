/* The columns of a frame that orders need, and what can be said of its events by columns alone: which of them
   are anything but plain orders. Most events are plain, so this is done for many at a time.

   Borrowed from the frame. Bytes are read as they are: nothing here trusts an account's number or a count. */
#ifndef AMPEL_ENGINE_COLUMNS_H
#define AMPEL_ENGINE_COLUMNS_H

#include "engine/base.h"
#include "engine/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A column that may be missing: then its default is read again and again, as the mask is 0. */
struct ampel_column {
    const uint8_t *bytes;
    uint32_t mask; /* of an event's number */
};

struct ampel_columns {
    struct ampel_column account, type, at, count, extras_offset;
    uint32_t events_count, accounts_count;
    int64_t now_ms;
};

/* So many events are looked at together: enough to fill vectors, and a bit for each in a word. */
#define AMPEL_RUN_EVENTS 64

/* Bits of events, the first one's lowest; those behind the frame's last are outside. */
struct ampel_run {
    uint64_t odd;     /* anything but an order that has its time by now, a count and no extras */
    uint64_t outside; /* odd, too: its account is none of the frame, its time comes later, or its count is out of range */
    uint64_t same;    /* its account is that of the event before; never the first one's */
};

void ampel_columns_init(struct ampel_columns *columns, const struct ampel_frame *frame, int64_t now_ms);
/* The run that begins with this event; first may lie behind the last one. */
void ampel_columns_run(const struct ampel_columns *columns, uint32_t first, struct ampel_run *out);

/* Where the entry of an event lies; width is the bytes of one. */
AMPEL_INLINE const uint8_t *ampel_column_at(struct ampel_column column, uint32_t index, size_t width) {
    return column.bytes + width * (index & column.mask);
}
AMPEL_INLINE int64_t ampel_columns_at(const struct ampel_columns *columns, uint32_t index) {
    return ampel_load_i64(ampel_column_at(columns->at, index, sizeof(int64_t)));
}
AMPEL_INLINE uint32_t ampel_columns_account(const struct ampel_columns *columns, uint32_t index) {
    return ampel_load_u32(ampel_column_at(columns->account, index, sizeof(uint32_t)));
}
AMPEL_INLINE uint32_t ampel_columns_count(const struct ampel_columns *columns, uint32_t index) {
    return ampel_load_u32(ampel_column_at(columns->count, index, sizeof(uint32_t)));
}

#ifdef __cplusplus
}
#endif

#endif

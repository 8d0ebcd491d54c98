/* The bytes of a record's body, known to proto/record_write.c and proto/record_read.c alone.

       BATCH    sequence u64, sent_at_ms i64, refused_total u32, backfill u8, tenant size u8,
   producer size u8, 0 u8 tenant, producer, zeros to a multiple of 8; then the frames frame
   partition u32, size u32 (head and padding included), accounts u32, events u32, extras size u32,
                refused u32, refused size u32, columns u32 (bits)
                hash u64[accounts], at i64[events],
                account u32[events], count u32[events], extras_offset u32[events + 1],
                points i16[events], rev u16[events],
                type u8[events], policy u8[events], severity i8[events], code u8[events],
                (seller size u8, marketplace size u8)[accounts], the texts of the accounts, extras,
                refused events, zeros to a multiple of 8
       refused  event index u32, verdict u8, type u8, sizes u8 of field, seller, marketplace, id; 0
   u8[6], at_ms i64; the texts TICK     partition u32[frames], zeros to a multiple of 8
       RULES    number u64, text size u32, 0 u32, text, zeros to a multiple of 8, then as TICK

   Wide columns come first, so that every number stands at a multiple of its size. */
#ifndef AMPEL_PROTO_RECORD_LAYOUT_H
#define AMPEL_PROTO_RECORD_LAYOUT_H

#include "engine/bounds.h"
#include "proto/record.h"

#define RECORD_MAGIC           UINT32_C(0x52504d41) /* "AMPR" */
#define RECORD_CHECKSUM_OFFSET 32
#define BATCH_HEAD_BYTES       24
#define FRAME_HEAD_BYTES       32
#define REFUSED_HEAD_BYTES     24
#define REFUSED_REMEMBERED_MAX 100
#define RULES_HEAD_BYTES       16
#define RULES_TEXT_BYTES_MAX   (UINT32_C(256) * 1024)

/* Which of the columns that may be absent a frame has. */
enum {
    COLUMN_COUNT = 1,
    COLUMN_EXTRAS = 2,
    COLUMN_POINTS = 4,
    COLUMN_REV = 8,
    COLUMN_POLICY = 16,
    COLUMN_SEVERITY = 32,
    COLUMN_CODE = 64,
    COLUMNS_ALL = 127,
};

/* Where everything of a frame stands, from its head on. Widened: counts from outside cannot
 * overflow it. */
struct frame_layout {
    uint64_t hash, at, account, count, extras_offset, points, rev, type, policy, severity, code;
    uint64_t account_sizes, texts, extras, refused, end;
};

static inline uint64_t record_padded(uint64_t size) {
    return (size + 7) & ~UINT64_C(7);
}

static inline uint64_t layout_column(uint64_t *offset, uint32_t columns, uint32_t column,
                                     uint64_t size) {
    uint64_t place = *offset;
    if ((columns & column) == column) *offset += size;
    return place;
}

/* texts_size is that of all account texts together. */
static inline void frame_layout_init(struct frame_layout *layout, uint32_t accounts_count,
                                     uint32_t events_count, uint32_t columns, uint64_t texts_size,
                                     uint32_t extras_size, uint32_t refused_size) {
    uint64_t n = events_count, offset = FRAME_HEAD_BYTES;
    layout->hash = layout_column(&offset, columns, 0, UINT64_C(8) * accounts_count);
    layout->at = layout_column(&offset, columns, 0, 8 * n);
    layout->account = layout_column(&offset, columns, 0, 4 * n);
    layout->count = layout_column(&offset, columns, COLUMN_COUNT, 4 * n);
    layout->extras_offset = layout_column(&offset, columns, COLUMN_EXTRAS, 4 * (n + 1));
    layout->points = layout_column(&offset, columns, COLUMN_POINTS, 2 * n);
    layout->rev = layout_column(&offset, columns, COLUMN_REV, 2 * n);
    layout->type = layout_column(&offset, columns, 0, n);
    layout->policy = layout_column(&offset, columns, COLUMN_POLICY, n);
    layout->severity = layout_column(&offset, columns, COLUMN_SEVERITY, n);
    layout->code = layout_column(&offset, columns, COLUMN_CODE, n);
    layout->account_sizes = layout_column(&offset, columns, 0, UINT64_C(2) * accounts_count);
    layout->texts = layout_column(&offset, columns, 0, texts_size);
    layout->extras = layout_column(&offset, columns, 0, extras_size);
    layout->refused = layout_column(&offset, columns, 0, refused_size);
    layout->end = record_padded(offset);
}

/* Makes room for account texts of this size in a layout that was made without any. */
static inline void frame_layout_widen(struct frame_layout *layout, uint64_t texts_size, uint32_t refused_size) {
    layout->extras += texts_size;
    layout->refused += texts_size;
    layout->end = record_padded(layout->refused + refused_size);
}

#endif

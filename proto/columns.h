/* Events as columns that grow: what a feeder collects, and what rows become. Equal events give
 * equal columns. */
#ifndef AMPEL_PROTO_COLUMNS_H
#define AMPEL_PROTO_COLUMNS_H

#include "engine/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names of the columns on the wire, with the bytes of one entry, in the order in which they are
 * written. */
#define AMPEL_COLUMNS(X) \
    X(account, 4)        \
    X(type, 1)           \
    X(at, 8)             \
    X(count, 4)          \
    X(policy, 1)         \
    X(severity, 1)       \
    X(code, 1)           \
    X(points, 2)         \
    X(rev, 2)            \
    X(extras_offset, 4)

struct ampel_columns {
    uint32_t events_count, events_capacity;
    uint32_t extras_size, extras_capacity;
    /* Whether any event differs from the column's default. */
    bool has_count, has_policy, has_severity, has_code, has_points, has_rev, has_extras;
#define X(name, bytes) uint8_t *name;
    AMPEL_COLUMNS(X)
#undef X
    uint8_t *extras;
};

/* Zeroed memory is an empty set of columns. */
void ampel_columns_reset(struct ampel_columns *columns); /* forgets the events, keeps the memory */
void ampel_columns_close(struct ampel_columns *columns);
/* Room for so many events in all; what stands in it is open, of the offsets of extras one more. False: no memory. */
AMPEL_MUST_CHECK bool ampel_columns_reserve(struct ampel_columns *columns, uint32_t count);
/* False: no memory, nothing was added. */
AMPEL_MUST_CHECK bool ampel_columns_push(struct ampel_columns *columns, uint32_t account,
                                         const struct ampel_event *event);
/* Points the frame's columns here, NULL where all is default. Borrowed until the next push or
 * close. */
void ampel_columns_frame(const struct ampel_columns *columns, struct ampel_frame *frame);

#ifdef __cplusplus
}
#endif

#endif

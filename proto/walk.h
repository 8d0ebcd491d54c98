/* msgpack bytes walked with bounds before any library sees them: five bytes can claim four billion
   entries, and a library believes them. The walk takes no memory and looks at each byte at most
   once. */
#ifndef AMPEL_PROTO_WALK_H
#define AMPEL_PROTO_WALK_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The nesting of the deepest message: batch, rows, row, fields, counts; and of no other. */
#define AMPEL_WALK_DEPTH_MAX 8

enum ampel_walk_form {
    AMPEL_WALK_SCALAR,
    AMPEL_WALK_TEXT,
    AMPEL_WALK_BYTES,
    AMPEL_WALK_LIST,
    AMPEL_WALK_MAP
};

/* The head of one value. */
struct ampel_walk_head {
    enum ampel_walk_form form;
    uint32_t count;         /* LIST, MAP: entries that follow */
    struct ampel_text text; /* TEXT, BYTES */
};

struct ampel_walk {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t offset;     /* of the next value */
    uint32_t nodes_left; /* how many more values may stand in the message */
    const char *problem; /* a sentence once something is wrong, else NULL */
};

void ampel_walk_reset(struct ampel_walk *walk, const uint8_t *bytes, uint32_t size,
                      uint32_t nodes_max);
/* Reads the head of the next value and steps into it: the entries of a container come next. False:
 * problem. */
AMPEL_MUST_CHECK bool ampel_walk_step(struct ampel_walk *walk, struct ampel_walk_head *out);
/* A list of two texts of at most 31 bytes, the common form of an account: its size in bytes, or 0 where something else stands
 * there or it does not fit. */
AMPEL_MUST_CHECK uint32_t ampel_walk_pair(const uint8_t *bytes, uint32_t size,
                                          struct ampel_text out[2]);
/* Steps over the next value with all that is in it. False: problem. */
AMPEL_MUST_CHECK bool ampel_walk_over(struct ampel_walk *walk);
/* Whether the bytes are exactly one value within the bounds. False: problem and offset say why and
 * where. */
AMPEL_MUST_CHECK bool ampel_walk_whole(struct ampel_walk *walk);

#ifdef __cplusplus
}
#endif

#endif

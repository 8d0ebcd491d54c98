/* Frames out of a story's events, in columns as the wire brings them. Columns that say only
   defaults are left out, as producers may. */
#ifndef AMPEL_TESTS_ORACLE_FRAMER_H
#define AMPEL_TESTS_ORACLE_FRAMER_H

#include "engine/frame.h"
#include "tests/oracle/story.h"

/* Zero it to begin; reused from frame to frame. */
struct ampel_framer {
    struct ampel_frame frame;
    struct ampel_frame_account *accounts;
    struct ampel_story_name *sellers;
    uint8_t *columns; /* all of them, one behind the other */
    uint32_t accounts_capacity, sellers_capacity, columns_capacity;
    struct ampel_story_name tenant, producer;
};

/* Begins a frame for a story's op: everything but its events. */
void ampel_framer_begin(struct ampel_framer *framer, const struct ampel_story_op *op);
/* The frame of count events; order[i] is an index into the story's events. Borrowed until the next
 * begin. */
const struct ampel_frame *ampel_framer_finish(struct ampel_framer *framer,
                                              const struct ampel_story *story,
                                              const uint32_t *order, uint32_t count);
void ampel_framer_reset(struct ampel_framer *framer);

/* The hash and the name by which an engine knows a story's account. */
uint64_t ampel_story_hash(uint32_t account);
struct ampel_text ampel_story_text(const struct ampel_story_name *name);

#endif

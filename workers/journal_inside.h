/* The inside of the journal, for journal*.c alone: what a directory of segments holds, and the open group.

       segments  [0] oldest ... [count - 1] the one that is written; each begins where the records of the one
                 before end, so that its name tells where they must end
       end       where the next group will stand, in the last segment
       blocks    what is written with the open group, in whole blocks:

                 block                  block                  block
                 | tail | group: header, then sealed records         | zeroes |

       tail      the bytes of the block that end is in, which stand on the disk: they are written again, as they are */
#ifndef AMPEL_WORKERS_JOURNAL_INSIDE_H
#define AMPEL_WORKERS_JOURNAL_INSIDE_H

#include "workers/journal.h"

#define AMPEL_SEGMENT_VERSION 1
#define AMPEL_SEGMENT_HEADER_BYTES 4096
#define AMPEL_GROUP_HEADER_BYTES 32
/* Spares beyond this are removed. A checkpoint of all partitions sets free at once what was written since the one before, 2 GiB of
   64 MiB segments where 128 MB/s came for 16 s; what is removed then must be filled with zeroes again soon after. */
#define AMPEL_JOURNAL_SPARES_MAX 32
/* So many spares are made ahead, where the disk can, once a segment is used by an eighth: filling one with zeroes takes longer than
   writing several groups, and the next group must not wait for it. */
#define AMPEL_JOURNAL_SPARES_AHEAD 2
#define AMPEL_JOURNAL_AHEAD_SHARE  8
#define AMPEL_JOURNAL_WINDOW_BYTES ((size_t)1 << 20)

struct ampel_segment {
    uint64_t start;      /* position of its first byte */
    uint64_t size_bytes; /* of the file */
    int handle;          /* -1: not open */
};

/* Where journal_read stands, so that the next read goes on from there. */
struct ampel_journal_cursor {
    uint32_t segment;    /* index */
    uint64_t position;
    uint64_t group_end;  /* of the group that position is in, or position itself */
    bool valid;
};

struct ampel_journal {
    struct ampel_journal_options options;
    struct ampel_segment *segments;
    uint32_t segments_count, segments_capacity;
    uint32_t spares[AMPEL_JOURNAL_SPARES_MAX]; /* numbers of their names */
    uint32_t spares_count, spare_next;
    bool preparing;          /* one more spare is being made, of the number */
    uint32_t preparing_number;
    uint64_t end;
    uint64_t released;
    int64_t stamp_ms;
    bool failed;
    uint8_t tail[AMPEL_DISK_BLOCK_BYTES]; /* up to end */
    /* The open group; group_size 0: none. */
    uint8_t *blocks, *group;
    uint32_t group_capacity, group_size, group_records;
    uint64_t group_start;
    int64_t group_stamp_ms;
    bool group_rolls;    /* it goes into a new segment */
    /* A piece of one segment as it is on disk. */
    uint8_t *window;
    size_t window_capacity, window_size;
    uint64_t window_position;
    uint64_t window_start; /* of its segment: behind its records a file still has bytes of the same positions */
    struct ampel_journal_cursor cursor;
};

/* How much of a block stands before this offset of a segment. */
static inline uint32_t ampel_block_lead(uint64_t offset_bytes) {
    return (uint32_t)(offset_bytes % AMPEL_DISK_BLOCK_BYTES);
}

/* ---- forms of bytes: journal_form.c --------------------------------------------------------- */

struct ampel_segment_header {
    uint64_t system_id;
    uint64_t start;
    uint64_t previous; /* start of the segment before, its own for the first one */
};
enum ampel_form_status { AMPEL_FORM_OK, AMPEL_FORM_DAMAGED, AMPEL_FORM_NEWER };

void ampel_segment_name(uint64_t start, char out[AMPEL_DISK_NAME_MAX]);
AMPEL_MUST_CHECK bool ampel_segment_name_read(const char *name, uint64_t *start);
void ampel_spare_name(uint32_t number, char out[AMPEL_DISK_NAME_MAX]);
AMPEL_MUST_CHECK bool ampel_spare_name_read(const char *name, uint32_t *number);
void ampel_segment_header_encode(const struct ampel_segment_header *header,
                                 uint8_t out[AMPEL_SEGMENT_HEADER_BYTES]);
AMPEL_MUST_CHECK enum ampel_form_status
ampel_segment_header_decode(const uint8_t bytes[AMPEL_SEGMENT_HEADER_BYTES],
                            struct ampel_segment_header *out);
void ampel_group_header_encode(uint8_t out[AMPEL_GROUP_HEADER_BYTES], uint64_t position,
                               uint32_t size, uint32_t records_count);
/* Whether a group's header stands here; size is that of the whole group. */
AMPEL_MUST_CHECK enum ampel_form_status ampel_group_header_check(const uint8_t *bytes, size_t size,
                                                                 uint64_t position,
                                                                 uint32_t *group_size);
/* Whether a whole record of this position stands here. */
AMPEL_MUST_CHECK enum ampel_form_status ampel_journal_record_check(const uint8_t *bytes, size_t size,
                                                                   uint64_t position,
                                                                   struct ampel_record_header *out);
/* Cheap: whether the first 40 bytes claim to be a group header or record of this position, and how long. */
AMPEL_MUST_CHECK bool ampel_journal_claims(const uint8_t bytes[AMPEL_RECORD_HEADER_BYTES],
                                           uint64_t position, uint32_t *size, bool *is_group);

/* ---- reading: journal_read.c ---------------------------------------------------------------- */

/* Bytes of a segment from position on: at least need of them unless the segment ends before. Borrowed until the next
   call. False: the disk or memory failed, error says so. */
AMPEL_MUST_CHECK bool ampel_journal_window(struct ampel_journal *journal, uint32_t segment,
                                           uint64_t position, size_t need, const uint8_t **bytes,
                                           size_t *available, struct ampel_error *error);
AMPEL_MUST_CHECK bool ampel_segment_open(struct ampel_journal *journal, uint32_t segment,
                                         struct ampel_error *error);
void ampel_segment_close(struct ampel_journal *journal, uint32_t segment);

enum ampel_walk {
    AMPEL_WALK_RECORD,
    AMPEL_WALK_STOP,   /* nothing whole stands at cursor->position */
    AMPEL_WALK_NEWER,  /* what stands there was written by a newer version */
    AMPEL_WALK_FAILED, /* disk or memory: error says so */
};
/* Steps over one record of the cursor's segment (group headers are stepped over). On RECORD the cursor stands behind it. */
AMPEL_MUST_CHECK enum ampel_walk ampel_journal_walk(struct ampel_journal *journal,
                                                    struct ampel_journal_cursor *cursor,
                                                    const uint8_t **bytes,
                                                    struct ampel_record_header *header,
                                                    struct ampel_error *error);
struct ampel_journal_cursor ampel_journal_cursor_at(const struct ampel_journal *journal,
                                                    uint32_t segment);
/* DAMAGED, with the segment's file and the offset of position. */
enum ampel_journal_status ampel_journal_damaged(const struct ampel_journal *journal,
                                                uint32_t segment, uint64_t position,
                                                struct ampel_error *error, const char *what);

/* ---- recovery: journal_recover.c ------------------------------------------------------------ */

AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_recover(struct ampel_journal *journal,
                                                                 struct ampel_error *error);

/* ---- segments: journal_segment.c ------------------------------------------------------------ */

AMPEL_MUST_CHECK bool ampel_journal_segments_reserve(struct ampel_journal *journal);
/* Makes a segment that begins at start and has room for group_bytes, from a spare if there is one. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_roll(struct ampel_journal *journal,
                                                              uint64_t start, uint64_t group_bytes,
                                                              struct ampel_error *error);
/* Makes the oldest segment a spare, or removes it. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_recycle(struct ampel_journal *journal);
/* Begins to make a spare ahead where few are left, or takes in the one that was made. Never waits. */
void ampel_journal_prepare(struct ampel_journal *journal);
void ampel_journal_tell_metrics(const struct ampel_journal *journal);

#endif

/* Reading segments: a window of bytes, a walk over whole records, and what read promises. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bounds.h"
#include "workers/journal_inside.h"

bool ampel_segment_open(struct ampel_journal *journal, uint32_t segment,
                        struct ampel_error *error) {
    struct ampel_segment *one = &journal->segments[segment];
    if (one->handle >= 0) return true;
    const struct ampel_disk *disk = &journal->options.disk;
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(one->start, name);
    if (disk->open(disk->context, name, false, &one->handle) != AMPEL_DISK_OK ||
        disk->size(disk->context, one->handle, &one->size_bytes) != AMPEL_DISK_OK) {
        return ampel_error_set(error, name, "the journal's file cannot be opened");
    }
    return true;
}

void ampel_segment_close(struct ampel_journal *journal, uint32_t segment) {
    struct ampel_segment *one = &journal->segments[segment];
    if (one->handle < 0) return;
    /* Everything in it that matters was synced before. */
    (void)journal->options.disk.close(journal->options.disk.context, one->handle);
    one->handle = -1;
}

static bool window_reserve(struct ampel_journal *journal, size_t need) {
    if (need <= journal->window_capacity) return true;
    uint8_t *more = realloc(journal->window, need);
    if (more == NULL) return false;
    journal->window = more;
    journal->window_capacity = need;
    return true;
}

bool ampel_journal_window(struct ampel_journal *journal, uint32_t segment, uint64_t position,
                          size_t need, const uint8_t **bytes, size_t *available,
                          struct ampel_error *error) {
    if (!ampel_segment_open(journal, segment, error)) return false;
    const struct ampel_segment *one = &journal->segments[segment];
    uint64_t offset = position - one->start;
    uint64_t left = offset < one->size_bytes ? one->size_bytes - offset : 0;
    if (need > left) need = (size_t)left;
    uint64_t into = position - journal->window_position;
    if (journal->window_start != one->start || position < journal->window_position ||
        into > journal->window_size || need > journal->window_size - into) {
        size_t size = need > AMPEL_JOURNAL_WINDOW_BYTES ? need : AMPEL_JOURNAL_WINDOW_BYTES;
        journal->window_size = 0;
        if (!window_reserve(journal, size)) return ampel_error_set(error, "", "no memory");
        const struct ampel_disk *disk = &journal->options.disk;
        size_t got = 0;
        if (disk->read(disk->context, one->handle, offset, journal->window, size, &got) !=
            AMPEL_DISK_OK) {
            char name[AMPEL_DISK_NAME_MAX];
            ampel_segment_name(one->start, name);
            return ampel_error_set(error, name, "cannot be read at offset %" PRIu64, offset);
        }
        journal->window_start = one->start;
        journal->window_position = position;
        journal->window_size = got;
        into = 0;
    }
    *bytes = journal->window + into;
    *available = journal->window_size - into;
    return true;
}

struct ampel_journal_cursor ampel_journal_cursor_at(const struct ampel_journal *journal,
                                                    uint32_t segment) {
    uint64_t position = journal->segments[segment].start + AMPEL_SEGMENT_HEADER_BYTES;
    return (struct ampel_journal_cursor){
        .segment = segment, .position = position, .group_end = position, .valid = true};
}

static enum ampel_walk walk_of(enum ampel_form_status status) {
    return status == AMPEL_FORM_NEWER ? AMPEL_WALK_NEWER : AMPEL_WALK_STOP;
}

/* At a group's edge: its header, which must lie in the segment as a whole. */
static enum ampel_walk walk_group(struct ampel_journal *journal,
                                  struct ampel_journal_cursor *cursor, struct ampel_error *error) {
    const uint8_t *bytes = NULL;
    size_t available = 0;
    if (!ampel_journal_window(journal, cursor->segment, cursor->position, AMPEL_GROUP_HEADER_BYTES,
                              &bytes, &available, error)) {
        return AMPEL_WALK_FAILED;
    }
    uint32_t size = 0;
    enum ampel_form_status status =
        ampel_group_header_check(bytes, available, cursor->position, &size);
    if (status != AMPEL_FORM_OK) return walk_of(status);
    cursor->group_end = cursor->position + size;
    cursor->position += AMPEL_GROUP_HEADER_BYTES;
    return AMPEL_WALK_RECORD;
}

enum ampel_walk ampel_journal_walk(struct ampel_journal *journal,
                                   struct ampel_journal_cursor *cursor, const uint8_t **bytes,
                                   struct ampel_record_header *header, struct ampel_error *error) {
    while (cursor->position == cursor->group_end) {
        enum ampel_walk walk = walk_group(journal, cursor, error);
        if (walk != AMPEL_WALK_RECORD) return walk;
    }
    size_t available;
    if (!ampel_journal_window(journal, cursor->segment, cursor->position, AMPEL_RECORD_HEADER_BYTES,
                              bytes, &available, error)) {
        return AMPEL_WALK_FAILED;
    }
    uint32_t size = 0;
    bool is_group = true;
    if (available < AMPEL_RECORD_HEADER_BYTES ||
        !ampel_journal_claims(*bytes, cursor->position, &size, &is_group) || is_group) {
        return AMPEL_WALK_STOP;
    }
    if (size > cursor->group_end - cursor->position) return AMPEL_WALK_STOP;
    if (size > available && !ampel_journal_window(journal, cursor->segment, cursor->position, size,
                                                  bytes, &available, error)) {
        return AMPEL_WALK_FAILED;
    }
    enum ampel_form_status status =
        ampel_journal_record_check(*bytes, available, cursor->position, header);
    if (status != AMPEL_FORM_OK) return walk_of(status);
    cursor->position += header->size;
    return AMPEL_WALK_RECORD;
}

enum ampel_journal_status ampel_journal_damaged(const struct ampel_journal *journal,
                                                uint32_t segment, uint64_t position,
                                                struct ampel_error *error, const char *what) {
    char name[AMPEL_DISK_NAME_MAX];
    uint64_t start = journal->segments[segment].start;
    ampel_segment_name(start, name);
    (void)ampel_error_set(error, name, "offset %" PRIu64 " (position %" PRIu64 "): %s",
                          position - start, position, what);
    return AMPEL_JOURNAL_DAMAGED;
}

/* The segment that holds position: the last one that begins at or before it, or the oldest. */
static uint32_t segment_of(const struct ampel_journal *journal, uint64_t position) {
    uint32_t low = 0, high = journal->segments_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (journal->segments[middle].start <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* At the end of one segment's records: on to the next, or what is wrong. */
static enum ampel_journal_status cross(struct ampel_journal *journal, enum ampel_walk walk,
                                       struct ampel_error *error) {
    struct ampel_journal_cursor *cursor = &journal->cursor;
    uint32_t next = cursor->segment + 1;
    if (walk == AMPEL_WALK_NEWER) {
        return ampel_journal_damaged(journal, cursor->segment, cursor->position, error,
                                     "what stands here was written by a newer version of Ampel");
    }
    if (next == journal->segments_count || journal->segments[next].start != cursor->position) {
        return ampel_journal_damaged(journal, cursor->segment, cursor->position, error,
                                     "the record is damaged, and more follows it");
    }
    ampel_segment_close(journal, cursor->segment);
    *cursor = ampel_journal_cursor_at(journal, next);
    return AMPEL_JOURNAL_OK;
}

enum ampel_journal_status ampel_journal_read(struct ampel_journal *journal, uint64_t *position,
                                             const uint8_t **bytes,
                                             struct ampel_record_header *header,
                                             struct ampel_error *error) {
    if (journal->failed) {
        (void)ampel_error_set(error, "", "the journal failed before");
        return AMPEL_JOURNAL_FAILED;
    }
    if (*position >= journal->end || journal->segments_count == 0) return AMPEL_JOURNAL_END;
    struct ampel_journal_cursor *cursor = &journal->cursor;
    if (!cursor->valid || cursor->position != *position) {
        *cursor = ampel_journal_cursor_at(journal, segment_of(journal, *position));
    }
    for (;;) {
        if (cursor->position >= journal->end) {
            cursor->valid = false;
            return AMPEL_JOURNAL_END;
        }
        enum ampel_walk walk = ampel_journal_walk(journal, cursor, bytes, header, error);
        if (walk == AMPEL_WALK_FAILED) return AMPEL_JOURNAL_FAILED;
        if (walk != AMPEL_WALK_RECORD) {
            enum ampel_journal_status status = cross(journal, walk, error);
            if (status != AMPEL_JOURNAL_OK) {
                cursor->valid = false;
                return status;
            }
        } else if (header->position >= *position) {
            *position = cursor->position;
            return AMPEL_JOURNAL_OK;
        }
    }
}

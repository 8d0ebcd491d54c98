/* What a start finds in the directory: segments in one chain, spares, and the end of the last
 * group. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workers/journal_inside.h"
#include "workers/logline.h"

/* ---- the directory -------------------------------------------------------------------------- */

struct listing {
    struct ampel_journal *journal;
    uint32_t *spares;
    uint32_t spares_count, spares_capacity;
    bool no_memory;
};

static void spare_note(struct listing *listing, uint32_t number) {
    if (listing->spares_count == listing->spares_capacity) {
        uint32_t capacity = listing->spares_capacity == 0 ? 16 : listing->spares_capacity * 2;
        uint32_t *more = realloc(listing->spares, capacity * sizeof(more[0]));
        if (more == NULL) {
            listing->no_memory = true;
            return;
        }
        listing->spares = more;
        listing->spares_capacity = capacity;
    }
    listing->spares[listing->spares_count++] = number;
}

/* Other names (the lock, what people left there) are not ours. */
static void name_note(void *context, const char *name) {
    struct listing *listing = context;
    uint64_t start;
    uint32_t number;
    if (ampel_spare_name_read(name, &number)) {
        spare_note(listing, number);
    } else if (ampel_segment_name_read(name, &start)) {
        struct ampel_journal *journal = listing->journal;
        if (!ampel_journal_segments_reserve(journal)) {
            listing->no_memory = true;
            return;
        }
        journal->segments[journal->segments_count++] =
            (struct ampel_segment){.start = start, .handle = -1};
    }
}

static int by_start(const void *left, const void *right) {
    uint64_t a = ((const struct ampel_segment *)left)->start;
    uint64_t b = ((const struct ampel_segment *)right)->start;
    return (a > b) - (a < b);
}

/* Keeps a spare of the right size; one that was never finished, or one too many, goes. */
static void spare_adopt(struct ampel_journal *journal, uint32_t number) {
    const struct ampel_disk *disk = &journal->options.disk;
    char name[AMPEL_DISK_NAME_MAX];
    ampel_spare_name(number, name);
    if (number >= journal->spare_next && number < UINT32_MAX) journal->spare_next = number + 1;
    int handle;
    uint64_t size_bytes = 0;
    if (disk->open(disk->context, name, false, &handle) == AMPEL_DISK_OK) {
        /* Its zeroes may not have reached the disk yet; then neither has its size. */
        if (disk->size(disk->context, handle, &size_bytes) != AMPEL_DISK_OK ||
            disk->sync(disk->context, handle) != AMPEL_DISK_OK) {
            size_bytes = 0;
        }
        (void)disk->close(disk->context, handle);
    }
    if (size_bytes == journal->options.segment_bytes &&
        journal->spares_count < AMPEL_JOURNAL_SPARES_MAX) {
        journal->spares[journal->spares_count++] = number;
    } else {
        (void)disk->remove(disk->context, name);
    }
}

static enum ampel_journal_status directory_read(struct ampel_journal *journal,
                                                struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    enum ampel_disk_status locked = disk->lock(disk->context);
    if (locked != AMPEL_DISK_OK) {
        (void)ampel_error_set(error, "lock",
                              locked == AMPEL_DISK_BUSY ? "another process uses this journal"
                                                        : "the journal cannot be locked");
        return AMPEL_JOURNAL_FAILED;
    }
    struct listing listing = {.journal = journal};
    enum ampel_disk_status listed = disk->list(disk->context, name_note, &listing);
    if (listed == AMPEL_DISK_OK && !listing.no_memory) {
        for (uint32_t i = 0; i < listing.spares_count; i++)
            spare_adopt(journal, listing.spares[i]);
    }
    free(listing.spares);
    if (listed != AMPEL_DISK_OK || listing.no_memory) {
        (void)ampel_error_set(error, "",
                              listing.no_memory ? "no memory" : "the directory cannot be listed");
        return AMPEL_JOURNAL_FAILED;
    }
    if (journal->segments_count > 1) {
        qsort(journal->segments, journal->segments_count, sizeof(journal->segments[0]), by_start);
    }
    return AMPEL_JOURNAL_OK;
}

/* ---- the chain ------------------------------------------------------------------------------ */

static enum ampel_journal_status header_read(struct ampel_journal *journal, uint32_t segment,
                                             struct ampel_segment_header *header,
                                             struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    if (!ampel_segment_open(journal, segment, error)) return AMPEL_JOURNAL_FAILED;
    struct ampel_segment *one = &journal->segments[segment];
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(one->start, name);
    uint8_t bytes[AMPEL_SEGMENT_HEADER_BYTES];
    size_t got = 0;
    if (disk->read(disk->context, one->handle, 0, bytes, sizeof(bytes), &got) != AMPEL_DISK_OK) {
        (void)ampel_error_set(error, name, "cannot be read at offset 0");
        return AMPEL_JOURNAL_FAILED;
    }
    enum ampel_form_status form =
        got == sizeof(bytes) ? ampel_segment_header_decode(bytes, header) : AMPEL_FORM_DAMAGED;
    if (form == AMPEL_FORM_NEWER) {
        (void)ampel_error_set(error, name, "was written by a newer version of Ampel");
        return AMPEL_JOURNAL_FAILED;
    }
    if (form != AMPEL_FORM_OK || header->start != one->start) {
        return ampel_journal_damaged(journal, segment, one->start, error,
                                     "the header is damaged or another file's");
    }
    if (header->system_id != journal->options.system_id) {
        (void)ampel_error_set(error, name,
                              "belongs to the system %016" PRIx64 ", the database to %016" PRIx64,
                              header->system_id, journal->options.system_id);
        return AMPEL_JOURNAL_FAILED;
    }
    return AMPEL_JOURNAL_OK;
}

/* Every segment names the one before it. */
static enum ampel_journal_status chain_check(struct ampel_journal *journal,
                                             struct ampel_error *error) {
    for (uint32_t i = 0; i < journal->segments_count; i++) {
        struct ampel_segment_header header;
        enum ampel_journal_status status = header_read(journal, i, &header, error);
        if (status != AMPEL_JOURNAL_OK) return status;
        if (i + 1 < journal->segments_count) ampel_segment_close(journal, i);
        if (i == 0 || header.previous == journal->segments[i - 1].start) continue;
        char missing[AMPEL_DISK_NAME_MAX], after[AMPEL_DISK_NAME_MAX];
        ampel_segment_name(header.previous, missing);
        ampel_segment_name(journal->segments[i].start, after);
        (void)ampel_error_set(error, missing, "is missing: %s follows it", after);
        return AMPEL_JOURNAL_DAMAGED;
    }
    return AMPEL_JOURNAL_OK;
}

/* ---- the tail ------------------------------------------------------------------------------- */

/* Where the whole groups of a segment end; the stamp of their last record, if there is one. */
struct tail {
    uint64_t last;      /* where the last whole group begins, or `end` without one */
    uint64_t end;       /* of the last whole group */
    uint64_t broken;    /* where the first thing that is not whole stands */
    uint64_t group_end; /* of the group that is not whole, or `broken` where its header is not */
    int64_t stamp_ms;
};

static enum ampel_journal_status tail_find(struct ampel_journal *journal, uint32_t segment,
                                           struct tail *out, struct ampel_error *error) {
    struct ampel_journal_cursor cursor = ampel_journal_cursor_at(journal, segment);
    struct tail tail = {.last = cursor.position, .end = cursor.position, .stamp_ms = INT64_MIN};
    int64_t group_stamp_ms = INT64_MIN;
    for (;;) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        enum ampel_walk walk = ampel_journal_walk(journal, &cursor, &bytes, &header, error);
        if (walk == AMPEL_WALK_FAILED) return AMPEL_JOURNAL_FAILED;
        if (walk == AMPEL_WALK_NEWER) {
            return ampel_journal_damaged(
                journal, segment, cursor.position, error,
                "what stands here was written by a newer version of Ampel");
        }
        if (walk == AMPEL_WALK_STOP) break;
        group_stamp_ms = header.stamp_ms;
        if (cursor.position == cursor.group_end) {
            tail.last = tail.end;
            tail.end = cursor.position;
            tail.stamp_ms = group_stamp_ms;
        }
    }
    tail.broken = cursor.position;
    tail.group_end = cursor.group_end;
    *out = tail;
    return AMPEL_JOURNAL_OK;
}

/* What whole things of the right positions stand behind the broken place. */
struct remains {
    uint64_t end; /* of the last of them, 0 if none */
    uint64_t
        later_group; /* where a group begins that proves the broken place to be damage, 0 if none */
};

static enum ampel_journal_status remains_find(struct ampel_journal *journal, uint32_t segment,
                                              const struct tail *tail, struct remains *out,
                                              struct ampel_error *error) {
    const struct ampel_segment *one = &journal->segments[segment];
    struct remains found = {0};
    for (uint64_t at = tail->broken + 8; at < one->start + one->size_bytes; at += 8) {
        const uint8_t *bytes;
        size_t available;
        if (!ampel_journal_window(journal, segment, at, AMPEL_RECORD_HEADER_BYTES, &bytes,
                                  &available, error)) {
            return AMPEL_JOURNAL_FAILED;
        }
        uint32_t size = 0;
        bool is_group = false;
        if (available < AMPEL_RECORD_HEADER_BYTES) break;
        if (!ampel_journal_claims(bytes, at, &size, &is_group)) continue;
        if (!is_group && size > available &&
            !ampel_journal_window(journal, segment, at, size, &bytes, &available, error)) {
            return AMPEL_JOURNAL_FAILED;
        }
        struct ampel_record_header header;
        enum ampel_form_status form =
            is_group ? ampel_group_header_check(bytes, available, at, &size)
                     : ampel_journal_record_check(bytes, available, at, &header);
        if (form == AMPEL_FORM_DAMAGED) continue;
        if (is_group || (tail->group_end > tail->broken && at >= tail->group_end)) {
            if (found.later_group == 0) found.later_group = at;
        }
        if (found.end < at + size) found.end = at + size;
    }
    *out = found;
    return AMPEL_JOURNAL_OK;
}

/* Overwrites what a group that nobody was told of has left, and waits until the disk has it. */
static enum ampel_journal_status wipe(struct ampel_journal *journal, uint32_t segment,
                                      uint64_t from, uint64_t to, struct ampel_error *error) {
    const struct ampel_segment *one = &journal->segments[segment];
    const struct ampel_disk *disk = &journal->options.disk;
    if (to > one->start + one->size_bytes) to = one->start + one->size_bytes;
    uint8_t zeroes[4096] = {0};
    enum ampel_disk_status status = AMPEL_DISK_OK;
    for (uint64_t at = from; at < to && status == AMPEL_DISK_OK; at += sizeof(zeroes)) {
        size_t size = to - at < sizeof(zeroes) ? (size_t)(to - at) : sizeof(zeroes);
        status = disk->write(disk->context, one->handle, at - one->start, zeroes, size);
    }
    if (status == AMPEL_DISK_OK) status = disk->sync(disk->context, one->handle);
    journal->window_size = 0;
    if (status == AMPEL_DISK_OK) return AMPEL_JOURNAL_OK;
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(one->start, name);
    (void)ampel_error_set(error, name, "the torn tail cannot be overwritten");
    return AMPEL_JOURNAL_FAILED;
}

static enum ampel_journal_status tail_cut(struct ampel_journal *journal, uint32_t segment,
                                          const struct tail *tail, struct ampel_error *error) {
    struct remains remains;
    enum ampel_journal_status status = remains_find(journal, segment, tail, &remains, error);
    if (status != AMPEL_JOURNAL_OK) return status;
    if (remains.later_group != 0) {
        return ampel_journal_damaged(journal, segment, tail->broken, error,
                                     "the record is damaged, and more follows it");
    }
    uint64_t torn_end = remains.end > tail->group_end ? remains.end : tail->group_end;
    if (torn_end <= tail->end) return AMPEL_JOURNAL_OK;
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(journal->segments[segment].start, name);
    ampel_log(AMPEL_LOG_WARN, "journal", "torn tail cut: a group that was never acked", "file",
              "%s", name, "offset", "%llu",
              (unsigned long long)(tail->end - journal->segments[segment].start), "bytes", "%llu",
              (unsigned long long)(torn_end - tail->end), NULL);
    return wipe(journal, segment, tail->end, torn_end, error);
}

/* The greatest stamp, where the last segment has no record yet. */
static enum ampel_journal_status stamp_find(struct ampel_journal *journal,
                                            struct ampel_error *error) {
    for (uint32_t i = journal->segments_count - 1; i-- > 0 && journal->stamp_ms == INT64_MIN;) {
        struct tail tail;
        enum ampel_journal_status status = tail_find(journal, i, &tail, error);
        if (status != AMPEL_JOURNAL_OK) return status;
        if (tail.end != journal->segments[i + 1].start) {
            return ampel_journal_damaged(journal, i, tail.broken, error,
                                         "the record is damaged, and more follows it");
        }
        ampel_segment_close(journal, i);
        journal->stamp_ms = tail.stamp_ms;
    }
    return AMPEL_JOURNAL_OK;
}

/* After the death of the process alone the last group may stand in memory only; after an fsync that failed the system
   even takes it for written, and syncing once more says OK and does nothing. So it is written again. */
static enum ampel_journal_status tail_settle(struct ampel_journal *journal, uint32_t segment,
                                             const struct tail *tail, struct ampel_error *error) {
    const struct ampel_segment *one = &journal->segments[segment];
    const struct ampel_disk *disk = &journal->options.disk;
    const uint8_t *bytes = NULL;
    size_t size = (size_t)(tail->end - tail->last), available = 0;
    if (size > 0 &&
        !ampel_journal_window(journal, segment, tail->last, size, &bytes, &available, error)) {
        return AMPEL_JOURNAL_FAILED;
    }
    if (available > size) available = size;
    if ((size == 0 || disk->write(disk->context, one->handle, tail->last - one->start, bytes,
                                  available) == AMPEL_DISK_OK) &&
        disk->sync(disk->context, one->handle) == AMPEL_DISK_OK &&
        disk->sync_directory(disk->context) == AMPEL_DISK_OK) {
        return AMPEL_JOURNAL_OK;
    }
    (void)ampel_error_set(error, "", "the journal cannot be synced");
    return AMPEL_JOURNAL_FAILED;
}

/* What stands before end in its block will be written again with the next group. */
static enum ampel_journal_status tail_read(struct ampel_journal *journal, uint32_t segment,
                                           struct ampel_error *error) {
    const struct ampel_segment *one = &journal->segments[segment];
    const struct ampel_disk *disk = &journal->options.disk;
    uint64_t offset = journal->end - one->start;
    uint32_t lead = ampel_block_lead(offset);
    size_t got = 0;
    if (disk->read(disk->context, one->handle, offset - lead, journal->tail, lead, &got) == AMPEL_DISK_OK &&
        got == lead) {
        return AMPEL_JOURNAL_OK;
    }
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(one->start, name);
    (void)ampel_error_set(error, name, "cannot be read at offset %" PRIu64, offset - lead);
    return AMPEL_JOURNAL_FAILED;
}

enum ampel_journal_status ampel_journal_recover(struct ampel_journal *journal,
                                                struct ampel_error *error) {
    enum ampel_journal_status status = directory_read(journal, error);
    if (status == AMPEL_JOURNAL_OK) status = chain_check(journal, error);
    if (status != AMPEL_JOURNAL_OK || journal->segments_count == 0) return status;
    uint32_t last = journal->segments_count - 1;
    struct tail tail;
    status = tail_find(journal, last, &tail, error);
    if (status == AMPEL_JOURNAL_OK) status = tail_settle(journal, last, &tail, error);
    if (status == AMPEL_JOURNAL_OK) status = tail_cut(journal, last, &tail, error);
    if (status != AMPEL_JOURNAL_OK) return status;
    journal->end = tail.end;
    journal->stamp_ms = tail.stamp_ms;
    status = tail_read(journal, last, error);
    return status == AMPEL_JOURNAL_OK ? stamp_find(journal, error) : status;
}

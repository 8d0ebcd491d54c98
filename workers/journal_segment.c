/* Segments come from spares and become spares. Every step is durable before the next, so that a
   crash leaves a directory in which each segment has its header and no segment in the middle is
   missing. */
#include <stdlib.h>
#include <string.h>

#include "workers/journal_inside.h"
#include "workers/logline.h"
#include "workers/metrics.h"

bool ampel_journal_segments_reserve(struct ampel_journal *journal) {
    if (journal->segments_count < journal->segments_capacity) return true;
    uint32_t capacity = journal->segments_capacity == 0 ? 16 : journal->segments_capacity * 2;
    struct ampel_segment *more = realloc(journal->segments, capacity * sizeof(more[0]));
    if (more == NULL) return false;
    journal->segments = more;
    journal->segments_capacity = capacity;
    return true;
}

void ampel_journal_tell_metrics(const struct ampel_journal *journal) {
    ampel_metric_set(AMPEL_METRIC_JOURNAL_HELD_BYTES, (int64_t)ampel_journal_held_bytes(journal));
    ampel_metric_set(AMPEL_METRIC_JOURNAL_SEGMENTS,
                     (int64_t)journal->segments_count + journal->spares_count);
}

static enum ampel_journal_status fail(struct ampel_journal *journal, const char *name,
                                      const char *what, struct ampel_error *error) {
    journal->failed = true;
    (void)ampel_error_set(error, name, "%s", what);
    return AMPEL_JOURNAL_FAILED;
}

/* FULL stays FULL, everything else that is not OK ends the journal. */
static enum ampel_journal_status judge(struct ampel_journal *journal, enum ampel_disk_status status,
                                       const char *name, const char *what,
                                       struct ampel_error *error) {
    if (status == AMPEL_DISK_OK) return AMPEL_JOURNAL_OK;
    if (status == AMPEL_DISK_FULL) {
        (void)ampel_error_set(error, name, "the disk is full");
        return AMPEL_JOURNAL_FULL;
    }
    return fail(journal, name, what, error);
}

/* A new spare of zeroes, durable. */
static enum ampel_journal_status spare_make(struct ampel_journal *journal, uint64_t size_bytes,
                                            uint32_t *number, int *handle,
                                            struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    char name[AMPEL_DISK_NAME_MAX];
    *number = journal->spare_next;
    ampel_spare_name(*number, name);
    enum ampel_journal_status status = judge(journal, disk->open(disk->context, name, true, handle),
                                             name, "cannot be created", error);
    if (status != AMPEL_JOURNAL_OK) return status;
    journal->spare_next++;
    status = judge(journal, disk->allocate(disk->context, *handle, size_bytes), name,
                   "cannot be filled", error);
    if (status == AMPEL_JOURNAL_OK && disk->sync(disk->context, *handle) != AMPEL_DISK_OK) {
        status = fail(journal, name, "cannot be synced", error);
    }
    if (status != AMPEL_JOURNAL_OK) {
        (void)disk->close(disk->context, *handle);
        (void)disk->remove(disk->context, name); /* else it is removed at the next start */
    }
    return status;
}

static enum ampel_journal_status spare_take(struct ampel_journal *journal, uint64_t size_bytes,
                                            uint32_t *number, int *handle,
                                            struct ampel_error *error) {
    if (journal->spares_count == 0 || size_bytes != journal->options.segment_bytes) {
        return spare_make(journal, size_bytes, number, handle, error);
    }
    const struct ampel_disk *disk = &journal->options.disk;
    char name[AMPEL_DISK_NAME_MAX];
    *number = journal->spares[journal->spares_count - 1];
    ampel_spare_name(*number, name);
    if (disk->open(disk->context, name, false, handle) != AMPEL_DISK_OK) {
        return fail(journal, name, "cannot be opened", error);
    }
    journal->spares_count--;
    return AMPEL_JOURNAL_OK;
}

/* What was to become a segment goes back among the spares. */
static void spare_put(struct ampel_journal *journal, uint64_t size_bytes, uint32_t number,
                      int handle) {
    const struct ampel_disk *disk = &journal->options.disk;
    (void)disk->close(disk->context, handle);
    if (size_bytes == journal->options.segment_bytes &&
        journal->spares_count < AMPEL_JOURNAL_SPARES_MAX) {
        journal->spares[journal->spares_count++] = number;
        return;
    }
    char name[AMPEL_DISK_NAME_MAX];
    ampel_spare_name(number, name);
    (void)disk->remove(disk->context, name);
}

/* Gives the spare its header and then its name: a file with a segment's name always has a whole
 * header. */
static enum ampel_journal_status name_give(struct ampel_journal *journal, uint64_t start,
                                           uint32_t number, int handle, struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    char from[AMPEL_DISK_NAME_MAX], to[AMPEL_DISK_NAME_MAX];
    ampel_spare_name(number, from);
    ampel_segment_name(start, to);
    uint32_t count = journal->segments_count;
    _Alignas(AMPEL_DISK_BLOCK_BYTES) uint8_t bytes[AMPEL_SEGMENT_HEADER_BYTES];
    ampel_segment_header_encode(
        &(struct ampel_segment_header){.system_id = journal->options.system_id,
                                       .start = start,
                                       .previous =
                                           count > 0 ? journal->segments[count - 1].start : start},
        bytes);
    enum ampel_journal_status status =
        judge(journal, disk->write(disk->context, handle, 0, bytes, sizeof(bytes)), from,
              "cannot be written", error);
    if (status != AMPEL_JOURNAL_OK) return status;
    if (disk->sync(disk->context, handle) != AMPEL_DISK_OK) {
        return fail(journal, from, "cannot be synced", error);
    }
    status = judge(journal, disk->rename(disk->context, from, to), to, "cannot be named", error);
    if (status != AMPEL_JOURNAL_OK) return status;
    if (disk->sync_directory(disk->context) != AMPEL_DISK_OK) {
        return fail(journal, to, "the directory cannot be synced", error);
    }
    return AMPEL_JOURNAL_OK;
}

enum ampel_journal_status ampel_journal_roll(struct ampel_journal *journal, uint64_t start,
                                             uint64_t group_bytes, struct ampel_error *error) {
    uint64_t size_bytes = AMPEL_SEGMENT_HEADER_BYTES + group_bytes;
    size_bytes = (size_bytes + 4095) / 4096 * 4096;
    if (size_bytes < journal->options.segment_bytes) size_bytes = journal->options.segment_bytes;
    if (!ampel_journal_segments_reserve(journal)) {
        (void)ampel_error_set(error, "", "no memory");
        return AMPEL_JOURNAL_FULL;
    }
    uint32_t number;
    int handle;
    enum ampel_journal_status status = spare_take(journal, size_bytes, &number, &handle, error);
    if (status != AMPEL_JOURNAL_OK) return status;
    status = name_give(journal, start, number, handle, error);
    if (status != AMPEL_JOURNAL_OK) {
        spare_put(journal, size_bytes, number, handle);
        return status;
    }
    if (journal->segments_count > 0) ampel_segment_close(journal, journal->segments_count - 1);
    journal->segments[journal->segments_count++] =
        (struct ampel_segment){.start = start, .size_bytes = size_bytes, .handle = handle};
    journal->end = start + AMPEL_SEGMENT_HEADER_BYTES;
    ampel_journal_tell_metrics(journal);
    return AMPEL_JOURNAL_OK;
}

enum ampel_journal_status ampel_journal_recycle(struct ampel_journal *journal) {
    const struct ampel_disk *disk = &journal->options.disk;
    struct ampel_error *no_error = NULL;
    ampel_segment_close(journal, 0);
    const struct ampel_segment *oldest = &journal->segments[0];
    char name[AMPEL_DISK_NAME_MAX], spare[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(oldest->start, name);
    bool keep = oldest->size_bytes == journal->options.segment_bytes &&
                journal->spares_count < AMPEL_JOURNAL_SPARES_MAX;
    enum ampel_disk_status status;
    if (keep) {
        ampel_spare_name(journal->spare_next, spare);
        status = disk->rename(disk->context, name, spare);
    } else {
        status = disk->remove(disk->context, name);
    }
    enum ampel_journal_status judged = judge(journal, status, name, "cannot be recycled", no_error);
    if (judged != AMPEL_JOURNAL_OK) return judged;
    if (disk->sync_directory(disk->context) != AMPEL_DISK_OK) {
        return fail(journal, name, "the directory cannot be synced", no_error);
    }
    if (keep) journal->spares[journal->spares_count++] = journal->spare_next++;
    journal->segments_count--;
    memmove(journal->segments, journal->segments + 1,
            journal->segments_count * sizeof(journal->segments[0]));
    journal->cursor.valid = false;
    ampel_log(AMPEL_LOG_DEBUG, "journal", keep ? "segment recycled" : "segment removed", "file",
              "%s", name, NULL);
    return AMPEL_JOURNAL_OK;
}

/* Whether the last segment is filled so far that the next one is thought of. */
static bool next_is_near(const struct ampel_journal *journal) {
    if (journal->segments_count == 0) return false;
    uint64_t used = journal->end - journal->segments[journal->segments_count - 1].start;
    return used >= journal->options.segment_bytes / AMPEL_JOURNAL_AHEAD_SHARE;
}

void ampel_journal_prepare(struct ampel_journal *journal) {
    const struct ampel_disk *disk = &journal->options.disk;
    if (disk->prepare == NULL) return;
    if (!journal->preparing) {
        if (journal->spares_count >= AMPEL_JOURNAL_SPARES_AHEAD || !next_is_near(journal)) return;
        journal->preparing = true;
        journal->preparing_number = journal->spare_next++;
    }
    char name[AMPEL_DISK_NAME_MAX];
    ampel_spare_name(journal->preparing_number, name);
    bool done;
    enum ampel_disk_status status =
        disk->prepare(disk->context, name, journal->options.segment_bytes, &done);
    if (!done) return;
    journal->preparing = false;
    if (status == AMPEL_DISK_OK && journal->spares_count < AMPEL_JOURNAL_SPARES_MAX) {
        journal->spares[journal->spares_count++] = journal->preparing_number;
        return;
    }
    /* Who needs it makes it then, and hears what is wrong. */
    (void)disk->remove(disk->context, name);
}

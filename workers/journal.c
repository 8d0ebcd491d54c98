#include "workers/journal.h"

#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "workers/clock.h"
#include "workers/journal_inside.h"
#include "workers/metrics.h"

enum ampel_journal_status ampel_journal_open(const struct ampel_journal_options *options,
                                             struct ampel_journal **out,
                                             struct ampel_error *error) {
    AMPEL_ASSERT(options->segment_bytes % 4096 == 0 &&
                 options->segment_bytes > AMPEL_SEGMENT_HEADER_BYTES);
    struct ampel_journal *journal = malloc(sizeof(*journal));
    if (journal == NULL) {
        (void)ampel_error_set(error, "", "no memory");
        return AMPEL_JOURNAL_FAILED;
    }
    *journal = (struct ampel_journal){
        .options = *options, .end = AMPEL_SEGMENT_HEADER_BYTES, .stamp_ms = INT64_MIN};
    enum ampel_journal_status status = ampel_journal_recover(journal, error);
    if (status != AMPEL_JOURNAL_OK) {
        ampel_journal_close(journal);
        return status;
    }
    ampel_journal_tell_metrics(journal);
    *out = journal;
    return AMPEL_JOURNAL_OK;
}

void ampel_journal_close(struct ampel_journal *journal) {
    if (journal == NULL) return;
    for (uint32_t i = 0; i < journal->segments_count; i++)
        ampel_segment_close(journal, i);
    free(journal->segments);
    free(journal->blocks);
    free(journal->window);
    free(journal);
}

uint64_t ampel_journal_first(const struct ampel_journal *journal) {
    return journal->segments_count == 0 ? 0 : journal->segments[0].start;
}

uint64_t ampel_journal_end(const struct ampel_journal *journal) {
    return journal->end;
}

int64_t ampel_journal_stamp(const struct ampel_journal *journal) {
    return journal->stamp_ms;
}

uint64_t ampel_journal_held_bytes(const struct ampel_journal *journal) {
    uint64_t from = ampel_journal_first(journal);
    if (from < journal->released) from = journal->released;
    return journal->end > from ? journal->end - from : 0;
}

uint32_t ampel_journal_group_bytes(const struct ampel_journal *journal) {
    return journal->group_size;
}

/* ---- the open group ------------------------------------------------------------------------- */

static bool over_bytes_max(const struct ampel_journal *journal, const uint8_t *bytes,
                           uint32_t size) {
    uint64_t held = ampel_journal_held_bytes(journal) + journal->group_size + size;
    uint64_t bytes_max = journal->options.bytes_max;
    bool tick = ampel_load_u16(bytes + 6) == AMPEL_RECORD_TICK;
    return held > bytes_max + (tick ? bytes_max / 16 : 0);
}

/* Bytes behind end in the segment that is written. */
static uint64_t segment_room(const struct ampel_journal *journal) {
    if (journal->segments_count == 0) return 0;
    const struct ampel_segment *last = &journal->segments[journal->segments_count - 1];
    uint64_t file_end = last->start + last->size_bytes;
    return file_end > journal->end ? file_end - journal->end : 0;
}

static uint64_t next_start(const struct ampel_journal *journal) {
    return journal->segments_count == 0 ? 0 : journal->end;
}

/* How much of the block that end is in stands before it. */
static uint32_t end_lead(const struct ampel_journal *journal) {
    if (journal->segments_count == 0) return 0;
    return ampel_block_lead(journal->end - journal->segments[journal->segments_count - 1].start);
}

static bool group_reserve(struct ampel_journal *journal, uint64_t size) {
    if (size <= journal->group_capacity) return true;
    AMPEL_ASSERT(journal->group_size == 0); /* a group that holds something ends before it has to grow */
    uint64_t capacity = journal->options.group_bytes_max + AMPEL_GROUP_HEADER_BYTES;
    if (capacity < size) capacity = size;
    if (capacity > UINT32_MAX) return false;
    uint64_t blocks = (capacity + AMPEL_DISK_BLOCK_BYTES - 1) / AMPEL_DISK_BLOCK_BYTES;
    uint8_t *more = aligned_alloc(AMPEL_DISK_BLOCK_BYTES, (blocks + 1) * AMPEL_DISK_BLOCK_BYTES);
    if (more == NULL) return false;
    free(journal->blocks);
    journal->blocks = more;
    journal->group_capacity = (uint32_t)capacity;
    return true;
}

/* Whether the record still belongs into the open group: neither too many bytes, nor the end of the
 * segment. */
static bool group_has_room(const struct ampel_journal *journal, uint32_t size) {
    uint64_t grown = (uint64_t)journal->group_size + size;
    uint64_t room = journal->group_rolls
                        ? journal->options.segment_bytes - AMPEL_SEGMENT_HEADER_BYTES
                        : segment_room(journal);
    return grown <= journal->options.group_bytes_max && grown <= room;
}

static void group_start(struct ampel_journal *journal, uint32_t size) {
    journal->group_rolls = (uint64_t)AMPEL_GROUP_HEADER_BYTES + size > segment_room(journal);
    journal->group_start =
        journal->group_rolls ? next_start(journal) + AMPEL_SEGMENT_HEADER_BYTES : journal->end;
    /* It lies in memory as it will on the disk. */
    journal->group = journal->blocks + (journal->group_rolls ? 0 : end_lead(journal));
    journal->group_size = AMPEL_GROUP_HEADER_BYTES;
    journal->group_records = 0;
}

enum ampel_journal_status ampel_journal_append(struct ampel_journal *journal, uint8_t *bytes,
                                               uint32_t size, int64_t stamp_ms) {
    AMPEL_ASSERT(size % 8 == 0 && size >= AMPEL_RECORD_HEADER_BYTES);
    AMPEL_ASSERT(stamp_ms >= journal->stamp_ms);
    if (journal->failed) return AMPEL_JOURNAL_FAILED;
    if (journal->group_size > 0 && !group_has_room(journal, size)) return AMPEL_JOURNAL_AGAIN;
    if (over_bytes_max(journal, bytes, size)) return AMPEL_JOURNAL_FULL;
    if (!group_reserve(journal, (uint64_t)AMPEL_GROUP_HEADER_BYTES + journal->group_size + size)) {
        return AMPEL_JOURNAL_FULL; /* no memory may pass, too */
    }
    if (journal->group_size == 0) group_start(journal, size);
    ampel_record_seal(bytes, journal->group_start + journal->group_size, stamp_ms);
    memcpy(journal->group + journal->group_size, bytes, size);
    journal->group_size += size;
    journal->group_records++;
    journal->group_stamp_ms = stamp_ms;
    return AMPEL_JOURNAL_OK;
}

/* ---- commit --------------------------------------------------------------------------------- */

static enum ampel_journal_status fail(struct ampel_journal *journal,
                                      const struct ampel_segment *one, const char *what,
                                      struct ampel_error *error) {
    char name[AMPEL_DISK_NAME_MAX];
    ampel_segment_name(one->start, name);
    journal->failed = true;
    (void)ampel_error_set(error, name, "%s", what);
    return AMPEL_JOURNAL_FAILED;
}

/* What stands in the group's memory, between the end of the group before and zeroes: whole blocks, though not beyond the
   end of a file that was cut. */
static enum ampel_disk_status blocks_write(struct ampel_journal *journal, const struct ampel_segment *one) {
    const struct ampel_disk *disk = &journal->options.disk;
    uint64_t offset = journal->group_start - one->start;
    uint32_t lead = ampel_block_lead(offset);
    uint64_t used = (uint64_t)lead + journal->group_size;
    uint64_t whole = (used + AMPEL_DISK_BLOCK_BYTES - 1) / AMPEL_DISK_BLOCK_BYTES * AMPEL_DISK_BLOCK_BYTES;
    uint64_t room = one->size_bytes - (offset - lead);
    AMPEL_ASSERT(journal->group == journal->blocks + lead && used <= room);
    memcpy(journal->blocks, journal->tail, lead);
    memset(journal->blocks + used, 0, whole - used);
    return disk->write(disk->context, one->handle, offset - lead, journal->blocks, whole < room ? whole : room);
}

/* The next group's first block begins with it. */
static void tail_keep(struct ampel_journal *journal) {
    uint32_t lead = end_lead(journal);
    const uint8_t *end = journal->group + journal->group_size;
    memcpy(journal->tail, end - lead, lead);
}

/* A group that went back may stand on the disk in part, with positions that are used again; after a
   crash its records would look like ours. Zeroes over all of it, durable before anything else is
   written, prevent that. */
static enum ampel_journal_status group_wipe(struct ampel_journal *journal,
                                            const struct ampel_segment *one,
                                            struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    memset(journal->group, 0, journal->group_size);
    if (blocks_write(journal, one) != AMPEL_DISK_OK ||
        disk->sync(disk->context, one->handle) != AMPEL_DISK_OK) {
        return fail(journal, one, "what a full disk left of a group cannot be overwritten", error);
    }
    (void)ampel_error_set(error, "", "the disk is full");
    return AMPEL_JOURNAL_FULL;
}

static enum ampel_journal_status group_write(struct ampel_journal *journal,
                                             struct ampel_error *error) {
    const struct ampel_disk *disk = &journal->options.disk;
    const struct ampel_segment *one = &journal->segments[journal->segments_count - 1];
    AMPEL_ASSERT(journal->group_start >= one->start + AMPEL_SEGMENT_HEADER_BYTES);
    ampel_group_header_encode(journal->group, journal->group_start, journal->group_size,
                              journal->group_records);
    int64_t before_ns = ampel_clock_machine_ns();
    enum ampel_disk_status status = blocks_write(journal, one);
    if (status == AMPEL_DISK_FULL) return group_wipe(journal, one, error);
    if (status != AMPEL_DISK_OK) return fail(journal, one, "cannot be written", error);
    if (disk->sync(disk->context, one->handle) != AMPEL_DISK_OK) {
        return fail(journal, one, "cannot be synced: what was written may be lost", error);
    }
    ampel_metric_observe(AMPEL_METRIC_JOURNAL_SYNC_SECONDS, ampel_clock_machine_ns() - before_ns);
    ampel_metric_add(AMPEL_METRIC_JOURNAL_SYNCS, 1);
    ampel_metric_add(AMPEL_METRIC_JOURNAL_BYTES, journal->group_size);
    return AMPEL_JOURNAL_OK;
}

enum ampel_journal_status ampel_journal_commit(struct ampel_journal *journal,
                                               struct ampel_error *error) {
    if (journal->failed) {
        (void)ampel_error_set(error, "", "the journal failed before");
        return AMPEL_JOURNAL_FAILED;
    }
    if (journal->group_size == 0) return AMPEL_JOURNAL_OK;
    enum ampel_journal_status status = AMPEL_JOURNAL_OK;
    if (journal->group_rolls) {
        status = ampel_journal_roll(journal, next_start(journal), journal->group_size, error);
    }
    if (status == AMPEL_JOURNAL_OK) status = group_write(journal, error);
    if (status == AMPEL_JOURNAL_OK) {
        journal->end = journal->group_start + journal->group_size;
        journal->stamp_ms = journal->group_stamp_ms;
        tail_keep(journal);
        journal->window_size = 0; /* it may hold what stood here before */
        ampel_journal_prepare(journal);
    }
    journal->group_size = 0;
    ampel_journal_tell_metrics(journal);
    return status;
}

static bool recyclable(const struct ampel_journal *journal) {
    return journal->segments_count > 1 && journal->segments[1].start <= journal->released;
}

enum ampel_journal_status ampel_journal_release(struct ampel_journal *journal, uint64_t position,
                                                bool *more) {
    *more = false;
    if (journal->failed) return AMPEL_JOURNAL_FAILED;
    if (position > journal->released) journal->released = position;
    enum ampel_journal_status status = AMPEL_JOURNAL_OK;
    if (recyclable(journal)) status = ampel_journal_recycle(journal);
    *more = status == AMPEL_JOURNAL_OK && recyclable(journal);
    ampel_journal_tell_metrics(journal);
    /* A directory too full to rename in will be tried again at the next release. */
    return status == AMPEL_JOURNAL_FULL ? AMPEL_JOURNAL_OK : status;
}

/* The journal: the log of one machine. Records in segment files, each group of them durable with one write and one
   fdatasync before anybody hears of it.

       directory   lock | segment files named by the position of their first byte, 16 hex digits + ".log"
                   | spare-N.log: recycled segments, waiting
       segment     header 4096 bytes: magic, version, system id, position of its first byte, that of the segment before,
                   checksum; then groups, then zeroes or the remains of an earlier life, which their positions unmask
       group       header 32 bytes: magic, version, size, records, position, checksum; then records (proto/record.h)
       position    counts bytes over all segments, headers included; never reused once durable. A segment begins
                   where the records of the one before it end, so its name says where they must end.

   A group is written in whole blocks (disk.h): the first one begins with the end of the group before, as it stands on the disk,
   the last one ends with zeroes.

   Recovery. Only one group is ever on its way to the disk, and blocks reach it in any order. So what is not whole in the
   last group is a torn tail: nobody was told of that group, it is cut as a whole and overwritten with zeroes, so that
   nothing of it can be taken for real later. What is not whole where a later group or segment follows is damage: it is named
   with file and offset, nothing after it is applied. The last group is written and synced again before it is believed:
   after the death of the process alone, or an fsync that failed, what was read may stand in memory only. Older segments are checked as they are read.

   An fsync error stops the process, never a retry. Disk full is no error of the journal: the group goes back (failed), what
   of it was written is overwritten with zeroes, and the next may fit.

   Thread: the journal's. */
#ifndef AMPEL_WORKERS_JOURNAL_H
#define AMPEL_WORKERS_JOURNAL_H

#include "proto/error.h"
#include "proto/record.h"
#include "workers/disk.h"

struct ampel_journal;

struct ampel_journal_options {
    struct ampel_disk disk;
    uint64_t system_id;      /* of the database; another one in a segment is an error */
    uint64_t segment_bytes;
    uint64_t bytes_max;      /* held beyond it: append says full (to ticks a sixteenth later, as time should go on) */
    uint32_t group_bytes_max;
};

enum ampel_journal_status {
    AMPEL_JOURNAL_OK = 0,
    AMPEL_JOURNAL_END,       /* of what is durable */
    AMPEL_JOURNAL_FULL,      /* disk or bytes_max: may pass */
    AMPEL_JOURNAL_AGAIN,     /* append: does not fit into this group, commit it first */
    AMPEL_JOURNAL_DAMAGED,   /* error names file and offset */
    AMPEL_JOURNAL_FAILED,    /* final: stop the process */
};

/* Locks the directory, finds the segments, cuts a torn tail. error says what is wrong. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_open(const struct ampel_journal_options *options,
                                                              struct ampel_journal **out,
                                                              struct ampel_error *error);
void ampel_journal_close(struct ampel_journal *journal);

uint64_t ampel_journal_first(const struct ampel_journal *journal); /* oldest position still held */
uint64_t ampel_journal_end(const struct ampel_journal *journal);   /* records to come stand behind it */
int64_t ampel_journal_stamp(const struct ampel_journal *journal);  /* of the last record, INT64_MIN if empty */
/* Since the position released last. */
uint64_t ampel_journal_held_bytes(const struct ampel_journal *journal);

/* Reads the record at or after *position and moves *position behind it. bytes are the journal's until the next call. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_read(struct ampel_journal *journal,
                                                              uint64_t *position,
                                                              const uint8_t **bytes,
                                                              struct ampel_record_header *header,
                                                              struct ampel_error *error);

/* Appends to the open group; seals the record (position, stamp). bytes stay the caller's; they were copied, but may be
   read as sealed once commit said OK. Returns: OK, AGAIN, FULL (only this record does not fit), FAILED. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_append(struct ampel_journal *journal,
                                                                uint8_t *bytes, uint32_t size,
                                                                int64_t stamp_ms);
uint32_t ampel_journal_group_bytes(const struct ampel_journal *journal);
/* Makes the group durable: all of it or, with FULL, none of it (its positions are used again). Returns: OK (an empty
   group, too), FULL, FAILED with error. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_commit(struct ampel_journal *journal,
                                                                struct ampel_error *error);

/* Everything before position is stored elsewhere: its segments may be recycled, one by a call, as each takes a sync of the
   directory and batches wait meanwhile. *more: there are others, to be recycled by further calls. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_release(struct ampel_journal *journal,
                                                                 uint64_t position, bool *more);

#endif

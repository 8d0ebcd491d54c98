/* The journal: the log of one machine. Records in segment files, each group of them durable with one write and one
   fdatasync before anybody hears of it.

       directory   lock | segment files named by the position of their first byte, 16 hex digits + ".log"
                   | spare-N.log: recycled segments, waiting
       segment     header 4096 bytes: magic, version, system id, position of its first byte, checksum
                   then records (proto/record.h), then zeroes or the remains of an earlier life, which a record's
                   own position and the checksum unmask
       position    counts bytes over all segments, headers included; never reused. The first record's is 4096.

   Recovery reads from the oldest needed segment, checks each record and cuts at the first that is not whole, if
   nothing whole follows in later segments; else the damage is named with file and offset, and nothing after it is
   applied. An fsync error stops the process, never a retry. Disk full is no error of the journal: the group goes
   back (failed) and the next may fit.

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
    uint64_t bytes_max;      /* held beyond it: append says full */
    uint32_t group_bytes_max;
};

enum ampel_journal_status {
    AMPEL_JOURNAL_OK = 0,
    AMPEL_JOURNAL_END,       /* of what is durable */
    AMPEL_JOURNAL_FULL,      /* disk or bytes_max: may pass */
    AMPEL_JOURNAL_DAMAGED,   /* error names file and offset */
    AMPEL_JOURNAL_FAILED,    /* final: stop the process */
};

/* Locks the directory, finds the segments, cuts a torn tail. error says what is wrong. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_open(const struct ampel_journal_options *options,
                                                              struct ampel_journal **out,
                                                              struct ampel_error *error);
void ampel_journal_close(struct ampel_journal *journal);

uint64_t ampel_journal_first(const struct ampel_journal *journal); /* oldest position still held */
uint64_t ampel_journal_end(const struct ampel_journal *journal);   /* where the next record will stand */
int64_t ampel_journal_stamp(const struct ampel_journal *journal);  /* greatest stamp found, INT64_MIN if empty */
uint64_t ampel_journal_held_bytes(const struct ampel_journal *journal);

/* Reads the record at or after *position and moves *position behind it. bytes are the journal's until the next call. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_read(struct ampel_journal *journal,
                                                              uint64_t *position,
                                                              const uint8_t **bytes,
                                                              struct ampel_record_header *header,
                                                              struct ampel_error *error);

/* Appends to the open group; seals the record (position, stamp). bytes stay the caller's and must live until commit. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_append(struct ampel_journal *journal,
                                                                uint8_t *bytes, uint32_t size,
                                                                int64_t stamp_ms);
uint32_t ampel_journal_group_bytes(const struct ampel_journal *journal);
/* Makes the group durable: all of it or, with FULL, none of it (its positions are used again). */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_commit(struct ampel_journal *journal,
                                                                struct ampel_error *error);

/* Everything before position is stored elsewhere: its segments may be recycled. */
AMPEL_MUST_CHECK enum ampel_journal_status ampel_journal_release(struct ampel_journal *journal,
                                                                 uint64_t position);

#endif

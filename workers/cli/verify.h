/* Verifying a system: what `ampel verify` counts, and how it tells what is wrong. verify.c is the command, verify_journal.c
   reads the journal, verify_partition.c builds each partition from its pages as a start would, verify_rows.c holds the rows
   for people against it, verify_columns.c all their other columns. */
#ifndef AMPEL_WORKERS_CLI_VERIFY_H
#define AMPEL_WORKERS_CLI_VERIFY_H

#include "engine/engine.h"
#include "proto/page.h"
#include "workers/checkpoint_build.h"
#include "workers/database.h"
#include "workers/disk.h"
#include "workers/postgres.h"

struct ampel_verify {
    struct ampel_pq *pq; /* in one read-only transaction */
    struct ampel_postgres *postgres; /* the same session, for the worker's own writing of rows into staging tables */
    struct ampel_checkpoint_builder *builder;
    struct ampel_page_codec *codec;
    struct ampel_memory memory;
    const struct ampel_rules *started; /* what a worker is started with: for partitions under no others */
    const struct ampel_rules *rules;   /* of the partition at hand: started, or stored */
    struct ampel_rules stored;
    struct ampel_database_system system;
    bool exact;      /* order counts in rows must be those of now, too */
    /* The journal. Its lock is kept to the end. */
    struct ampel_disk disk;
    bool journal_read; /* false: not looked at, or a worker uses it */
    uint64_t journal_first, journal_end;
    uint64_t segments, records;
    /* Counts for people. */
    uint64_t pages, accounts, violations, clocks, windows, ratings, histories, orders_waiting, columns_rows;
    uint64_t problems;
};

/* One partition as its pages have it. */
struct ampel_verify_partition {
    uint32_t number;
    uint64_t position;
    struct ampel_engine *engine; /* NULL: nothing stored, or not readable */
    uint32_t accounts_count;
    uint32_t *slots;             /* in the order of (tenant, seller, marketplace) */
};

/* One line a problem, on standard output; the first hundred are printed, all are counted. */
void ampel_verify_problem(struct ampel_verify *verify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Walks every record that the journal at path holds, changing nothing. Where a worker uses the journal, only that is said. */
void ampel_verify_journal(struct ampel_verify *verify, const char *path);

/* Reads a partition and checks it in itself: pages, hashes, windows, position. Close it in every case.
   Returns OK, or what the database said. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_partition_open(struct ampel_verify *verify, uint32_t number,
                            struct ampel_verify_partition *out, struct ampel_error *error);
void ampel_verify_partition_close(struct ampel_verify_partition *partition);

/* Rating rows with the last of their history, and violation rows, against the engine. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_ratings(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                     struct ampel_error *error);
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_violations(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                        struct ampel_error *error);

/* The rows of clocks that run against the engine. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_clocks(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                    struct ampel_error *error);
/* Every other column of ratings, violations and what stands beside scores: the rows are made again as a checkpoint
   would make them, into the session's staging tables, and held against those that are stored. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_columns(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                     struct ampel_error *error);
/* History in itself: what a row says that it came from is what the row before it says; numbers and ids come once and lie
   below the next number. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_verify_history(struct ampel_verify *verify, struct ampel_error *error);

#endif

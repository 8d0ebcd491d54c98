/* A database in memory: what the scribe stores, kept as plainly as can be, with epochs, fences and faults.

   The store survives the worker that wrote it. It checks what a real one would: epochs and positions, the
   uniqueness of numbers in a stream. Memory is the C library's; when there is none the program stops.
   Thread: one at a time. */
#ifndef AMPEL_TESTS_ORACLE_MEMORY_DATABASE_H
#define AMPEL_TESTS_ORACLE_MEMORY_DATABASE_H

#include "workers/database.h"
#include "workers/scribe.h"

struct ampel_memory_database;

enum ampel_memory_fault {
    AMPEL_FAULT_NONE,
    AMPEL_FAULT_AWAY,           /* the connection is lost before anything is done */
    AMPEL_FAULT_RETRY,          /* rolled back */
    AMPEL_FAULT_UNKNOWN_DONE,   /* the connection breaks after the commit was done */
    AMPEL_FAULT_UNKNOWN_UNDONE, /* and before it */
    AMPEL_FAULT_BROKEN,
};

struct ampel_memory_database *ampel_memory_database_open(uint64_t system_id, uint32_t partitions);
void ampel_memory_database_close(struct ampel_memory_database *database); /* NULL is fine */
/* As its first connection sees it; each scribe has one, up to AMPEL_SCRIBES_MAX. */
void ampel_memory_database_face(struct ampel_memory_database *database, struct ampel_database *out);
void ampel_memory_database_face_of(struct ampel_memory_database *database, uint32_t client, struct ampel_database *out);

/* public_key: z85, 40 characters; any text of that size will do. */
void ampel_memory_database_tenant_add(struct ampel_memory_database *database, const char *tenant,
                                      const char *public_key);
/* The next `calls` calls that commit or read meet the fault. */
void ampel_memory_database_fault(struct ampel_memory_database *database,
                                 enum ampel_memory_fault fault, uint32_t calls);
/* While away every call fails. */
void ampel_memory_database_away(struct ampel_memory_database *database, bool away);
/* Somebody else claims the partition. */
void ampel_memory_database_steal(struct ampel_memory_database *database, uint32_t partition);

/* All keys of a tenant are shut out, or let in again. */
void ampel_memory_database_suspend(struct ampel_memory_database *database, const char *tenant,
                                   bool suspended);

/* Whoever is connected is told that keys may have changed: a server tells each of its connections. */
void ampel_memory_database_notify(struct ampel_memory_database *database);

/* Who watches hears of each claim, and of each checkpoint right after it was stored. */
struct ampel_memory_watch {
    void *context;
    void (*claimed)(void *context, uint32_t partition, uint64_t epoch);
    void (*committed)(void *context, const struct ampel_checkpoint *checkpoint);
};
void ampel_memory_database_watch(struct ampel_memory_database *database,
                                 const struct ampel_memory_watch *watch);
/* Calls that commit or read so far: each is a place to fail in. */
uint64_t ampel_memory_database_calls(const struct ampel_memory_database *database);
/* The call with this number meets the fault. UINT64_MAX: none. */
void ampel_memory_database_fault_at(struct ampel_memory_database *database, uint64_t call,
                                    enum ampel_memory_fault fault);

/* Bugs planted for canaries. */
enum ampel_memory_bug {
    AMPEL_BUG_NONE,
    AMPEL_BUG_NO_FENCE,  /* an old epoch commits */
    AMPEL_BUG_LOST_ROWS, /* now and then a rating row is not written */
    AMPEL_BUG_LATE_COMMIT, /* a worker commits what it told after the next one has begun */
    AMPEL_BUG_HALF_DONE, /* rows of a checkpoint that was rolled back stay */
};
void ampel_memory_database_plant(struct ampel_memory_database *database, enum ampel_memory_bug bug);

/* ---- what is stored. Borrowed until the next commit. -------------------------------------------- */

/* As `ampel rules set`: newer rules, of which listeners hear. */
void ampel_memory_database_rules_set(struct ampel_memory_database *database,
                                     const struct ampel_rules *rules);

struct ampel_stored_rating {
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)]; /* tenant/seller/marketplace */
    struct ampel_numbers numbers;
    int64_t as_of_ms;
    uint32_t partition;
    uint32_t written_count; /* how often this row was written */
};
uint32_t ampel_memory_database_ratings(const struct ampel_memory_database *database,
                                       const struct ampel_stored_rating **out);
/* NULL: no such row. */
const struct ampel_stored_rating *
ampel_memory_database_rating(const struct ampel_memory_database *database, const char *account);

struct ampel_stored_told {
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)];
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    char id[AMPEL_CHANGE_ID_SIZE];
    enum ampel_stream stream;
    uint64_t epoch, number;
    uint8_t kind;
    bool is_new;
    int64_t at_ms;
    struct ampel_numbers before, after;
    uint32_t size;
    uint8_t *bytes; /* the encoded message */
};
uint32_t ampel_memory_database_told(const struct ampel_memory_database *database,
                                    const struct ampel_stored_told **out);

struct ampel_stored_violation {
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)];
    char id[AMPEL_ID_BYTES_MAX + 1];
    uint8_t state;
    uint32_t rank;
    int64_t points;
};
uint32_t ampel_memory_database_violations(const struct ampel_memory_database *database,
                                          const struct ampel_stored_violation **out);

struct ampel_stored_refusal {
    char producer[AMPEL_ID_BYTES_MAX + 1];
    char id[AMPEL_ID_BYTES_MAX + 1];
    uint64_t sequence;
    uint32_t event_index;
    uint8_t verdict;
};
uint32_t ampel_memory_database_refusals(const struct ampel_memory_database *database,
                                        const struct ampel_stored_refusal **out);

uint64_t ampel_memory_database_position(const struct ampel_memory_database *database,
                                        uint32_t partition);
/* That the last worker has begun. */
uint64_t ampel_memory_database_stream_epoch(const struct ampel_memory_database *database);
uint64_t ampel_memory_database_commits(const struct ampel_memory_database *database);
uint32_t ampel_memory_database_pages(const struct ampel_memory_database *database,
                                     uint32_t partition);
/* Makes a stored page unreadable. */
void ampel_memory_database_damage(struct ampel_memory_database *database, uint32_t partition,
                                  uint32_t page);

#endif

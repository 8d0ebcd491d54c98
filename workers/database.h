/* The database, as the worker sees it: whole transactions. A simulator gives its own; the real one is
   workers/postgres.c over workers/pq.c, the only file that includes libpq. Thread: the scribe's. */
#ifndef AMPEL_WORKERS_DATABASE_H
#define AMPEL_WORKERS_DATABASE_H

#include "proto/error.h"
#include "workers/checkpoint.h"

enum ampel_database_status {
    AMPEL_DATABASE_OK = 0,
    AMPEL_DATABASE_AWAY,    /* no connection: connect again later; nothing was done */
    AMPEL_DATABASE_RETRY,   /* rolled back (serialization, deadlock, timeout): do it again */
    AMPEL_DATABASE_UNKNOWN, /* the connection broke in commit: may be done or not; look before doing it again */
    AMPEL_DATABASE_FENCED,  /* the partition has another owner or position: stop */
    AMPEL_DATABASE_BROKEN,  /* cannot work: schema missing or of another version, permission, wrong system */
};

struct ampel_database_system {
    uint64_t id;             /* random, made by the first migration; the journal carries it, too */
    uint32_t partitions;     /* fixed when the system was created */
};

struct ampel_database {
    void *context;
    /* Connects if not connected, checks schema and system. error says what is wrong. */
    enum ampel_database_status (*connect)(void *context, struct ampel_database_system *out,
                                          struct ampel_error *error);
    /* Takes the next epoch of the streams and says where they stand. Waits for an earlier worker's commit; one that does not
       come to its end within PostgreSQL's lock_timeout is ended by force, and the status is RETRY. */
    enum ampel_database_status (*begin)(void *context, struct ampel_parcel_tenants **out,
                                        struct ampel_error *error);
    /* Claims a partition: its epoch goes up by one, older owners can commit no more; then reads what is stored.
       meta and pages are in *out. */
    enum ampel_database_status (*claim)(void *context, uint32_t partition,
                                        struct ampel_parcel_loaded **out, struct ampel_error *error);
    /* Commits a checkpoint. FENCED where epoch or position_old are not the row's, or stream_epoch not that of the last begin. After UNKNOWN: call `position`. */
    enum ampel_database_status (*commit)(void *context, const struct ampel_checkpoint *checkpoint,
                                         struct ampel_error *error);
    enum ampel_database_status (*position)(void *context, uint32_t partition, uint64_t *epoch,
                                           uint64_t *position, struct ampel_error *error);
    /* Keys of all tenants (without numbers). */
    enum ampel_database_status (*tenants)(void *context, struct ampel_parcel_tenants **out,
                                          struct ampel_error *error);
    /* The newest rules, NULL where there are none newer than this number. */
    enum ampel_database_status (*rules)(void *context, uint64_t number,
                                        struct ampel_parcel_rules **out, struct ampel_error *error);
    /* Rows of a stream from a number on. */
    enum ampel_database_status (*outbox)(void *context, const struct ampel_parcel_ask *ask,
                                         struct ampel_parcel_answer **out, struct ampel_error *error);
    /* A socket that becomes readable when tenants, keys or rules changed (LISTEN), -1 where not connected; `noticed` drains it
       and says whether they did. Any call may meet a notification on its way: ask `noticed` before each wait,
       not only when the socket is readable. True also after each new connection: what was missed is unknown. */
    int (*notice_fd)(void *context);
    bool (*noticed)(void *context);
    void (*close)(void *context);
};

/* PostgreSQL through libpq. url as libpq takes it. False: no memory. */
AMPEL_MUST_CHECK bool ampel_database_postgres(const char *url, struct ampel_database *out);

#endif

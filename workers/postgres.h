/* What the files of the PostgreSQL database share (postgres*.c). Others see workers/database.h
   only. Thread: the scribe's. */
#ifndef AMPEL_WORKERS_POSTGRES_H
#define AMPEL_WORKERS_POSTGRES_H

#include "workers/copy.h"
#include "workers/database.h"
#include "workers/pq.h"

struct ampel_postgres {
    struct ampel_pq *pq;
    char *url;
    bool ready;   /* the session is set up: settings, staging tables, listening */
    bool renewed; /* connected anew: whatever was notified meanwhile is unknown */
    struct ampel_database_system system;
    struct ampel_copy copy;
    uint8_t message[AMPEL_MESSAGE_BYTES_MAX];
    char json[4 * AMPEL_MESSAGE_BYTES_MAX];
};

/* The members of struct ampel_database with these names; context is a struct ampel_postgres. */
enum ampel_database_status ampel_postgres_claim(void *context, uint32_t partition,
                                                struct ampel_parcel_loaded **out,
                                                struct ampel_error *error);
enum ampel_database_status ampel_postgres_position(void *context, uint32_t partition,
                                                   uint64_t *epoch, uint64_t *position,
                                                   struct ampel_error *error);
enum ampel_database_status ampel_postgres_begin(void *context, struct ampel_parcel_tenants **out,
                                                struct ampel_error *error);
enum ampel_database_status ampel_postgres_tenants(void *context, struct ampel_parcel_tenants **out,
                                                  struct ampel_error *error);
enum ampel_database_status ampel_postgres_rules(void *context, uint64_t number,
                                                struct ampel_parcel_rules **out,
                                                struct ampel_error *error);
enum ampel_database_status ampel_postgres_outbox(void *context, const struct ampel_parcel_ask *ask,
                                                 struct ampel_parcel_answer **out,
                                                 struct ampel_error *error);
enum ampel_database_status ampel_postgres_commit(void *context,
                                                 const struct ampel_checkpoint *checkpoint,
                                                 struct ampel_error *error);

/* No memory: as if the database were away, so that it is tried again. */
enum ampel_database_status ampel_postgres_no_memory(struct ampel_error *error);

/* postgres_rows.c: the rows of a checkpoint into their staging tables, by COPY. */
enum ampel_database_status ampel_postgres_copy_pages(struct ampel_postgres *postgres,
                                                     const struct ampel_checkpoint *checkpoint,
                                                     struct ampel_error *error);
enum ampel_database_status ampel_postgres_copy_ratings(struct ampel_postgres *postgres,
                                                       const struct ampel_checkpoint *checkpoint,
                                                       struct ampel_error *error);
enum ampel_database_status ampel_postgres_copy_gone(struct ampel_postgres *postgres,
                                                    const struct ampel_checkpoint *checkpoint,
                                                    struct ampel_error *error);
enum ampel_database_status ampel_postgres_copy_violations(struct ampel_postgres *postgres,
                                                          const struct ampel_checkpoint *checkpoint,
                                                          struct ampel_error *error);
enum ampel_database_status ampel_postgres_copy_refusals(struct ampel_postgres *postgres,
                                                        const struct ampel_checkpoint *checkpoint,
                                                        struct ampel_error *error);
/* postgres_clocks.c: which clocks run. */
enum ampel_database_status ampel_postgres_copy_clocks(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error);
/* postgres_beside.c: assurance, metrics, drift. */
enum ampel_database_status ampel_postgres_copy_beside(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error);
/* postgres_told.c: what was told on a stream. */
enum ampel_database_status ampel_postgres_copy_alerts(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error);
enum ampel_database_status ampel_postgres_copy_history(struct ampel_postgres *postgres,
                                                       const struct ampel_checkpoint *checkpoint,
                                                       struct ampel_error *error);

#endif

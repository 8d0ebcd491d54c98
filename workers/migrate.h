/* Migrations: how the database gets its shape (sql/migrations), forward only, each in its own
   transaction, one `ampel migrate` at a time. What was applied is recorded with its checksum in
   ampel.migration. Thread: any. */
#ifndef AMPEL_WORKERS_MIGRATE_H
#define AMPEL_WORKERS_MIGRATE_H

#include "workers/database.h"
#include "workers/sql_texts.h"

struct ampel_pq;

struct ampel_migrate_options {
    const char *url;
    uint32_t partitions; /* 0: AMPEL_PARTITIONS_DEFAULT for a new system, else what it has */
    /* NULL: those of this program. Names begin with four digits and ascend. */
    const struct ampel_sql_text *migrations;
    uint32_t migrations_count;
    /* Called for each migration in order, after it was applied or found applied; NULL is fine. */
    void (*told)(void *context, const char *name, bool applied);
    void *context;
};

struct ampel_migrate_result {
    uint32_t applied_count, known_count; /* now, and before */
    struct ampel_database_system system;
};

/* Applies what is missing and makes the system and its partitions where there are none. BROKEN,
   with error.field naming the migration: an applied one differs from this program's, the database
   has one that this program does not know (it is newer), one fails; also where the system has
   another number of partitions. AWAY: no connection. RETRY: somebody holds a lock. What was applied
   before the failing one stays. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_migrate(const struct ampel_migrate_options *options, struct ampel_migrate_result *out,
              struct ampel_error *error);

/* Whether the database has exactly this program's migrations, and its system. Changes nothing. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_migrate_check(struct ampel_pq *pq,
                                                                struct ampel_database_system *out,
                                                                struct ampel_error *error);

#endif

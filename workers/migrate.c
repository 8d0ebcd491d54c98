#include "workers/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bounds.h"
#include "workers/pq.h"

struct list {
    const struct ampel_sql_text *texts;
    uint32_t count;
};

/* The number a name begins with: "0003_rating" is 3. */
static int64_t number_of(const char *name) {
    return strtol(name, NULL, 10);
}

enum known { KNOWN_MISSING, KNOWN_SAME };

/* What the database knows of one migration; BROKEN where it knows another text or name under its
 * number. */
static enum ampel_database_status look(struct ampel_pq *pq, const struct ampel_sql_text *migration,
                                       enum known *known, struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_int64(number_of(migration->name)),
                                            ampel_pq_string(migration->text)};
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_MIGRATION_LOOK, values, 2, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(pq) == 0) {
        *known = KNOWN_MISSING;
        return AMPEL_DATABASE_OK;
    }
    const char *name = ampel_pq_get_text(pq, 0, 0).bytes;
    if (strcmp(name, migration->name) != 0) {
        (void)ampel_error_set(error, migration->name,
                              "the database has the migration %s under this number", name);
        return AMPEL_DATABASE_BROKEN;
    }
    if (!ampel_pq_get_boolean(pq, 0, 1)) {
        (void)ampel_error_set(error, migration->name,
                              "the migration was changed after it was applied to the database");
        return AMPEL_DATABASE_BROKEN;
    }
    *known = KNOWN_SAME;
    return AMPEL_DATABASE_OK;
}

/* A database newer than the program is refused by name. */
static enum ampel_database_status look_beyond(struct ampel_pq *pq, struct list list,
                                              struct ampel_error *error) {
    const struct ampel_pq_value last =
        ampel_pq_int64(list.count == 0 ? 0 : number_of(list.texts[list.count - 1].name));
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_MIGRATION_BEYOND, &last, 1, error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_rows(pq) == 0) return status;
    const char *name = ampel_pq_get_text(pq, 0, 0).bytes;
    (void)ampel_error_set(error, name,
                          "the database is newer than this program: it has the migration %s", name);
    return AMPEL_DATABASE_BROKEN;
}

static enum ampel_database_status
system_look(struct ampel_pq *pq, struct ampel_database_system *out, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_SYSTEM_LOOK, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(pq) != 1) {
        (void)ampel_error_set(error, "system",
                              "the database has no system yet: run `ampel migrate`");
        return AMPEL_DATABASE_BROKEN;
    }
    out->id = (uint64_t)ampel_pq_get_int64(pq, 0, 0);
    out->partitions = (uint32_t)ampel_pq_get_int64(pq, 0, 1);
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_migrate_check(struct ampel_pq *pq,
                                               struct ampel_database_system *out,
                                               struct ampel_error *error) {
    const struct list list = {ampel_sql_migrations, ampel_sql_migrations_count};
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_MIGRATION_EXISTS, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (!ampel_pq_get_boolean(pq, 0, 0)) {
        (void)ampel_error_set(error, "migration", "the database is empty: run `ampel migrate`");
        return AMPEL_DATABASE_BROKEN;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        enum known known;
        status = look(pq, &list.texts[i], &known, error);
        if (status != AMPEL_DATABASE_OK) return status;
        if (known == KNOWN_MISSING) {
            (void)ampel_error_set(error, list.texts[i].name,
                                  "the database lacks the migration %s: run `ampel migrate`",
                                  list.texts[i].name);
            return AMPEL_DATABASE_BROKEN;
        }
    }
    status = look_beyond(pq, list, error);
    return status == AMPEL_DATABASE_OK ? system_look(pq, out, error) : status;
}

/* Leaves a failed transaction; what the server says of it is no news. */
static void roll_back(struct ampel_pq *pq) {
    if (ampel_pq_connected(pq) &&
        ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_ROLLBACK, NULL) != AMPEL_DATABASE_OK)
        ampel_pq_disconnect(pq);
}

static enum ampel_database_status apply(struct ampel_pq *pq, const struct ampel_sql_text *migration,
                                        struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_int64(number_of(migration->name)),
                                            ampel_pq_string(migration->name),
                                            ampel_pq_string(migration->text)};
    enum ampel_database_status status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_script(pq, migration->name, migration->text, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_MIGRATION_RECORD, values, 3, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_commit(pq, error);
    if (status != AMPEL_DATABASE_OK) roll_back(pq);
    return status;
}

/* Everything is looked at before anything is applied. */
static enum ampel_database_status apply_missing(struct ampel_pq *pq, struct list list,
                                                const struct ampel_migrate_options *options,
                                                struct ampel_migrate_result *out,
                                                struct ampel_error *error) {
    enum ampel_database_status status = look_beyond(pq, list, error);
    enum known known;
    for (uint32_t i = 0; i < list.count && status == AMPEL_DATABASE_OK; i++)
        status = look(pq, &list.texts[i], &known, error);
    for (uint32_t i = 0; i < list.count && status == AMPEL_DATABASE_OK; i++) {
        status = look(pq, &list.texts[i], &known, error);
        if (status == AMPEL_DATABASE_OK && known == KNOWN_MISSING)
            status = apply(pq, &list.texts[i], error);
        if (status != AMPEL_DATABASE_OK) return status;
        if (known == KNOWN_MISSING)
            out->applied_count++;
        else
            out->known_count++;
        if (options->told != NULL)
            options->told(options->context, list.texts[i].name, known == KNOWN_MISSING);
    }
    return status;
}

static enum ampel_database_status system_make(struct ampel_pq *pq, uint32_t partitions,
                                              struct ampel_database_system *out,
                                              struct ampel_error *error) {
    const struct ampel_pq_value wanted =
        ampel_pq_int64(partitions == 0 ? AMPEL_PARTITIONS_DEFAULT : partitions);
    enum ampel_database_status status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_SYSTEM_MAKE, &wanted, 1, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_PARTITION_MAKE, NULL, 0, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_commit(pq, error);
    if (status == AMPEL_DATABASE_OK) status = system_look(pq, out, error);
    if (status != AMPEL_DATABASE_OK) {
        roll_back(pq);
        return status;
    }
    if (partitions != 0 && partitions != out->partitions) {
        (void)ampel_error_set(
            error, "partitions",
            "the system was made with %u partitions, which is fixed; asked for %u", out->partitions,
            partitions);
        return AMPEL_DATABASE_BROKEN;
    }
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status locked(struct ampel_pq *pq,
                                         const struct ampel_migrate_options *options,
                                         struct ampel_migrate_result *out,
                                         struct ampel_error *error) {
    struct list list = {options->migrations, options->migrations_count};
    if (list.texts == NULL) list = (struct list){ampel_sql_migrations, ampel_sql_migrations_count};
    enum ampel_database_status status = ampel_pq_plain(pq, AMPEL_SQL_MIGRATION_TABLE, error);
    if (status == AMPEL_DATABASE_OK) status = apply_missing(pq, list, options, out, error);
    if (status == AMPEL_DATABASE_OK)
        status = system_make(pq, options->partitions, &out->system, error);
    return status;
}

enum ampel_database_status ampel_migrate(const struct ampel_migrate_options *options,
                                         struct ampel_migrate_result *out,
                                         struct ampel_error *error) {
    struct ampel_migrate_result result = {0};
    if (options->partitions > AMPEL_PARTITIONS_MAX) {
        (void)ampel_error_set(error, "partitions", "at most %d", AMPEL_PARTITIONS_MAX);
        return AMPEL_DATABASE_BROKEN;
    }
    struct ampel_pq *pq = ampel_pq_open();
    if (pq == NULL) {
        (void)ampel_error_set(error, "", "no memory");
        return AMPEL_DATABASE_AWAY;
    }
    enum ampel_database_status status = ampel_pq_connect(pq, options->url, "ampel migrate", error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_plain(pq, AMPEL_SQL_MIGRATION_SESSION, error);
    /* The lock goes with the session. */
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_MIGRATION_LOCK, error);
    if (status == AMPEL_DATABASE_OK) status = locked(pq, options, &result, error);
    if (status == AMPEL_DATABASE_OK) *out = result;
    ampel_pq_close(pq);
    return status;
}

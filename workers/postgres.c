/* The database of workers/database.h in PostgreSQL: the session. Loading, commits and rows stand in
 * postgres_*.c. */
#include "workers/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "workers/migrate.h"

enum ampel_database_status ampel_postgres_no_memory(struct ampel_error *error) {
    (void)ampel_error_set(error, "", "no memory");
    return AMPEL_DATABASE_AWAY;
}

static enum ampel_database_status session_open(struct ampel_postgres *postgres,
                                               struct ampel_error *error) {
    struct ampel_pq *pq = postgres->pq;
    postgres->ready = false;
    enum ampel_database_status status = ampel_pq_connect(pq, postgres->url, "ampel-worker", error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_SESSION, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_migrate_check(pq, &postgres->system, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_STAGING, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_LISTEN, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_pq_disconnect(pq);
        return status;
    }
    postgres->ready = true;
    postgres->renewed = true;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status postgres_connect(void *context, struct ampel_database_system *out,
                                                   struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    if (!postgres->ready || !ampel_pq_connected(postgres->pq)) {
        enum ampel_database_status status = session_open(postgres, error);
        if (status != AMPEL_DATABASE_OK) return status;
    }
    *out = postgres->system;
    return AMPEL_DATABASE_OK;
}

static int postgres_notice_fd(void *context) {
    const struct ampel_postgres *postgres = context;
    return ampel_pq_fd(postgres->pq);
}

static bool postgres_noticed(void *context) {
    struct ampel_postgres *postgres = context;
    bool noticed = ampel_pq_noticed(postgres->pq);
    bool renewed = postgres->renewed;
    postgres->renewed = false;
    return noticed || renewed;
}

static void postgres_close(void *context) {
    struct ampel_postgres *postgres = context;
    if (postgres == NULL) return;
    ampel_pq_close(postgres->pq);
    free(postgres->url);
    free(postgres);
}

bool ampel_database_postgres(const char *url, struct ampel_database *out) {
    struct ampel_postgres *postgres = calloc(1, sizeof(*postgres));
    if (postgres == NULL) return false;
    postgres->url = malloc(strlen(url) + 1);
    postgres->pq = ampel_pq_open();
    if (postgres->url == NULL || postgres->pq == NULL) {
        postgres_close(postgres);
        return false;
    }
    memcpy(postgres->url, url, strlen(url) + 1);
    *out = (struct ampel_database){
        .context = postgres,
        .connect = postgres_connect,
        .begin = ampel_postgres_begin,
        .claim = ampel_postgres_claim,
        .commit = ampel_postgres_commit,
        .position = ampel_postgres_position,
        .tenants = ampel_postgres_tenants,
        .rules = ampel_postgres_rules,
        .outbox = ampel_postgres_outbox,
        .notice_fd = postgres_notice_fd,
        .noticed = postgres_noticed,
        .close = postgres_close,
    };
    return true;
}

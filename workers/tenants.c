#include "workers/tenants.h"

#include <stdlib.h>
#include <string.h>

#include "workers/migrate.h"
#include "workers/pq.h"

static enum ampel_database_status broken(struct ampel_error *error, const char *field,
                                         const char *sentence, const char *value) {
    (void)ampel_error_set(error, field, sentence, value);
    return AMPEL_DATABASE_BROKEN;
}

static bool key_valid(const char *key) {
    static const char alphabet[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    return strlen(key) == AMPEL_PUBLIC_KEY_SIZE && strspn(key, alphabet) == AMPEL_PUBLIC_KEY_SIZE;
}

static enum ampel_database_status names_check(const char *tenant, const char *public_key,
                                              struct ampel_error *error) {
    if (!ampel_id_valid((struct ampel_text){tenant, (uint32_t)strnlen(tenant, 1000)}, true))
        return broken(
            error, "tenant",
            "a tenant is named by 1 to 64 printable ASCII characters without space and /, not '%s'",
            tenant);
    if (public_key != NULL && !key_valid(public_key))
        return broken(error, "key", "a public key is 40 characters of z85, not '%s'", public_key);
    return AMPEL_DATABASE_OK;
}

/* Connected and checked, NULL in *out where the status is not OK. */
static enum ampel_database_status session_open(const char *url, struct ampel_pq **out,
                                               struct ampel_error *error) {
    struct ampel_database_system system;
    struct ampel_pq *pq = ampel_pq_open();
    *out = NULL;
    if (pq == NULL) {
        (void)ampel_error_set(error, "", "no memory");
        return AMPEL_DATABASE_AWAY;
    }
    enum ampel_database_status status = ampel_pq_connect(pq, url, "ampel tenant", error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_SESSION, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_migrate_check(pq, &system, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_pq_close(pq);
        return status;
    }
    *out = pq;
    return AMPEL_DATABASE_OK;
}

/* An open transaction is rolled back by closing. */
static enum ampel_database_status
session_end(struct ampel_pq *pq, enum ampel_database_status status, struct ampel_error *error) {
    if (pq == NULL) return status;
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_plain(pq, AMPEL_SQL_TENANT_NOTIFY, error);
    if (status == AMPEL_DATABASE_OK) {
        status = ampel_pq_commit(pq, error);
        if (status == AMPEL_DATABASE_AWAY) status = AMPEL_DATABASE_UNKNOWN;
    }
    ampel_pq_close(pq);
    return status;
}

static enum ampel_database_status key_give(struct ampel_pq *pq, const char *tenant,
                                           const char *public_key, struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_string(tenant), ampel_pq_string(public_key)};
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_TENANT_KEY_ADD, values, 2, error);
    if (status == AMPEL_DATABASE_OK && ampel_pq_changed(pq) == 0)
        return broken(error, "key", "there is no tenant '%s', or the key is another tenant's",
                      tenant);
    return status;
}

enum ampel_database_status ampel_tenant_add(const char *url, const char *tenant,
                                            const char *public_key, bool *added,
                                            char role[AMPEL_ID_BYTES_MAX],
                                            struct ampel_error *error) {
    const struct ampel_pq_value name = ampel_pq_string(tenant);
    struct ampel_pq *pq;
    bool is_new = false;
    char made[AMPEL_ID_BYTES_MAX] = "";
    enum ampel_database_status status = names_check(tenant, public_key, error);
    if (status != AMPEL_DATABASE_OK) return status;
    status = session_open(url, &pq, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_ADD, &name, 1, error);
    if (status == AMPEL_DATABASE_OK) {
        is_new = ampel_pq_changed(pq) == 1;
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_ROLE, &name, 1, error);
    }
    if (status == AMPEL_DATABASE_OK) {
        struct ampel_text text = ampel_pq_get_text(pq, 0, 0);
        AMPEL_ASSERT(text.size < sizeof(made)); /* names of roles end at 63 */
        memcpy(made, text.bytes, text.size + 1);
        if (public_key != NULL) status = key_give(pq, tenant, public_key, error);
    }
    status = session_end(pq, status, error);
    if (status != AMPEL_DATABASE_OK) return status;
    *added = is_new;
    memcpy(role, made, sizeof(made));
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_tenant_key(const char *url, const char *tenant,
                                            const char *public_key, bool revoke,
                                            struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_string(tenant), ampel_pq_string(public_key)};
    struct ampel_pq *pq;
    enum ampel_database_status status = names_check(tenant, public_key, error);
    if (status != AMPEL_DATABASE_OK) return status;
    status = session_open(url, &pq, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK && !revoke) status = key_give(pq, tenant, public_key, error);
    if (status == AMPEL_DATABASE_OK && revoke) {
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_KEY_REVOKE, values, 2, error);
        if (status == AMPEL_DATABASE_OK && ampel_pq_changed(pq) == 0)
            status = broken(error, "key", "the tenant '%s' has no such key", tenant);
    }
    return session_end(pq, status, error);
}

enum ampel_database_status ampel_tenant_suspend(const char *url, const char *tenant, bool suspended,
                                                struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_string(tenant), ampel_pq_boolean(suspended)};
    struct ampel_pq *pq;
    enum ampel_database_status status = session_open(url, &pq, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK) {
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_SUSPEND, values, 2, error);
        if (status == AMPEL_DATABASE_OK && ampel_pq_changed(pq) == 0)
            status = broken(error, "tenant", "there is no tenant '%s'", tenant);
    }
    return session_end(pq, status, error);
}

static void text_take(const struct ampel_pq *pq, uint32_t row, uint32_t column, char *out,
                      size_t capacity) {
    struct ampel_text text = ampel_pq_get_text(pq, row, column);
    /* The table's own checks hold the size. */
    AMPEL_ASSERT(text.size < capacity);
    memcpy(out, text.bytes, text.size + 1);
}

enum ampel_database_status ampel_tenant_list(const char *url, struct ampel_tenant_row **rows,
                                             uint32_t *rows_count, struct ampel_error *error) {
    struct ampel_pq *pq;
    struct ampel_tenant_row *list = NULL;
    enum ampel_database_status status = session_open(url, &pq, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_LIST, NULL, 0, error);
    if (status == AMPEL_DATABASE_OK) {
        uint32_t count = ampel_pq_rows(pq);
        list = calloc(count + 1, sizeof(*list));
        for (uint32_t i = 0; list != NULL && i < count; i++) {
            text_take(pq, i, 0, list[i].tenant, sizeof(list[i].tenant));
            list[i].suspended = ampel_pq_get_boolean(pq, i, 1);
            text_take(pq, i, 2, list[i].role, sizeof(list[i].role));
            list[i].created_at_ms = ampel_pq_get_time(pq, i, 3);
            list[i].keys_count = (uint64_t)ampel_pq_get_int64(pq, i, 4);
            list[i].accounts_count = (uint64_t)ampel_pq_get_int64(pq, i, 5);
        }
        *rows = list;
        *rows_count = count;
        if (list == NULL) status = broken(error, "", "%s", "no memory");
    }
    ampel_pq_close(pq);
    return status;
}

enum ampel_database_status ampel_tenant_key_list(const char *url, const char *tenant,
                                                 struct ampel_tenant_key_row **rows,
                                                 uint32_t *rows_count, struct ampel_error *error) {
    const struct ampel_pq_value name = ampel_pq_string(tenant);
    struct ampel_pq *pq;
    enum ampel_database_status status = session_open(url, &pq, error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_pq_run(pq, AMPEL_SQL_TENANT_KEY_LIST, &name, 1, error);
    if (status == AMPEL_DATABASE_OK) {
        uint32_t count = ampel_pq_rows(pq);
        struct ampel_tenant_key_row *list = calloc(count + 1, sizeof(*list));
        for (uint32_t i = 0; list != NULL && i < count; i++) {
            text_take(pq, i, 0, list[i].public_key, sizeof(list[i].public_key));
            list[i].created_at_ms = ampel_pq_get_time(pq, i, 1);
        }
        *rows = list;
        *rows_count = count;
        if (list == NULL) status = broken(error, "", "%s", "no memory");
    }
    ampel_pq_close(pq);
    return status;
}

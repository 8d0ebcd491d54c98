/* What is read: a partition at its claim, tenants and streams, rows of the outbox. */
#include <stdlib.h>
#include <string.h>

#include "workers/postgres.h"

static void *bytes_copy(struct ampel_text bytes) {
    void *out = malloc(bytes.size == 0 ? 1 : bytes.size);
    if (out != NULL && bytes.size > 0) memcpy(out, bytes.bytes, bytes.size);
    return out;
}

/* A terminated text of a column; false where it does not fit, which no row of ours does. */
static bool text_take(const struct ampel_pq *pq, uint32_t row, uint32_t column, char *out,
                      size_t capacity) {
    struct ampel_text text = ampel_pq_get_text(pq, row, column);
    if (text.size >= capacity) return false;
    memcpy(out, text.bytes, text.size + 1);
    return true;
}

static enum ampel_database_status broken(struct ampel_error *error, const char *field,
                                         const char *sentence) {
    (void)ampel_error_set(error, field, "%s", sentence);
    return AMPEL_DATABASE_BROKEN;
}

/* ---- a partition ---------------------------------------------------------------------------- */

static enum ampel_database_status claim_row(struct ampel_pq *pq, struct ampel_parcel_loaded *loaded,
                                            struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(loaded->partition);
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_PARTITION_CLAIM, &partition, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(pq) != 1)
        return broken(error, "partition", "the system has no such partition");
    loaded->epoch = (uint64_t)ampel_pq_get_int64(pq, 0, 0);
    loaded->position = (uint64_t)ampel_pq_get_int64(pq, 0, 1);
    loaded->rules_number = (uint64_t)ampel_pq_get_int64(pq, 0, 2);
    if (loaded->rules_number == 0) return AMPEL_DATABASE_OK;
    struct ampel_text text = ampel_pq_get_text(pq, 0, 3);
    loaded->rules_text = bytes_copy(text);
    if (loaded->rules_text == NULL) return ampel_postgres_no_memory(error);
    loaded->rules_size = text.size;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status meta_read(struct ampel_pq *pq, struct ampel_parcel_loaded *loaded,
                                            struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(loaded->partition);
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_PARTITION_META, &partition, 1, error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_rows(pq) == 0) return status;
    struct ampel_text bytes = ampel_pq_get_text(pq, 0, 0);
    loaded->meta = bytes_copy(bytes);
    if (loaded->meta == NULL) return ampel_postgres_no_memory(error);
    loaded->meta_size = bytes.size;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status
pages_read(struct ampel_pq *pq, struct ampel_parcel_loaded *loaded, struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(loaded->partition);
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_PARTITION_PAGES, &partition, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    uint32_t count = ampel_pq_rows(pq);
    if (count == 0) return AMPEL_DATABASE_OK;
    loaded->pages = calloc(count, sizeof(*loaded->pages));
    if (loaded->pages == NULL) return ampel_postgres_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_text bytes = ampel_pq_get_text(pq, i, 1);
        loaded->pages[i].bytes = bytes_copy(bytes);
        if (loaded->pages[i].bytes == NULL) return ampel_postgres_no_memory(error);
        loaded->pages[i].page = (uint32_t)ampel_pq_get_int64(pq, i, 0);
        loaded->pages[i].size = bytes.size;
        loaded->pages_count = i + 1;
    }
    return AMPEL_DATABASE_OK;
}

/* The claim stands alone: once it is done no older owner can commit, so what is read afterwards
 * stays as it is. */
enum ampel_database_status ampel_postgres_claim(void *context, uint32_t partition,
                                                struct ampel_parcel_loaded **out,
                                                struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    struct ampel_parcel_loaded *loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL) return ampel_postgres_no_memory(error);
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->partition = partition;
    enum ampel_database_status status = claim_row(postgres->pq, loaded, error);
    if (status == AMPEL_DATABASE_OK) status = meta_read(postgres->pq, loaded, error);
    if (status == AMPEL_DATABASE_OK) status = pages_read(postgres->pq, loaded, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_parcel_loaded_free(loaded);
        return status;
    }
    *out = loaded;
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_postgres_position(void *context, uint32_t partition,
                                                   uint64_t *epoch, uint64_t *position,
                                                   struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    const struct ampel_pq_value value = ampel_pq_int64(partition);
    enum ampel_database_status status =
        ampel_pq_run(postgres->pq, AMPEL_SQL_PARTITION_POSITION, &value, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(postgres->pq) != 1)
        return broken(error, "partition", "the system has no such partition");
    *epoch = (uint64_t)ampel_pq_get_int64(postgres->pq, 0, 0);
    *position = (uint64_t)ampel_pq_get_int64(postgres->pq, 0, 1);
    return AMPEL_DATABASE_OK;
}

/* ---- tenants and streams -------------------------------------------------------------------- */

static enum ampel_database_status
keys_read(struct ampel_pq *pq, struct ampel_parcel_tenants *tenants, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_TENANT_KEYS, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    uint32_t count = ampel_pq_rows(pq);
    tenants->keys = calloc(count + 1, sizeof(*tenants->keys));
    if (tenants->keys == NULL) return ampel_postgres_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_tenant_key *key = &tenants->keys[i];
        if (!text_take(pq, i, 0, key->tenant, sizeof(key->tenant)) ||
            !text_take(pq, i, 1, key->public_key, sizeof(key->public_key)))
            return broken(error, "tenant_key", "a tenant or key is too long");
        key->suspended = ampel_pq_get_boolean(pq, i, 2);
    }
    tenants->keys_count = count;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status
numbers_read(struct ampel_pq *pq, struct ampel_parcel_tenants *tenants, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_STREAM_NUMBERS, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    uint32_t count = ampel_pq_rows(pq);
    tenants->numbers = calloc(count + 1, sizeof(*tenants->numbers));
    if (tenants->numbers == NULL) return ampel_postgres_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_stream_number *number = &tenants->numbers[i];
        if (!text_take(pq, i, 0, number->tenant, sizeof(number->tenant)))
            return broken(error, "stream_number", "a tenant is too long");
        number->stream = strcmp(ampel_pq_get_text(pq, i, 1).bytes, "alerts") == 0
                             ? AMPEL_STREAM_ALERTS
                             : AMPEL_STREAM_SCORES;
        number->next = (uint64_t)ampel_pq_get_int64(pq, i, 2);
    }
    tenants->numbers_count = count;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status
epoch_take(struct ampel_pq *pq, struct ampel_parcel_tenants *tenants, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_STREAM_BEGIN, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(pq) != 1) return broken(error, "system", "the database has no system yet");
    tenants->epoch = (uint64_t)ampel_pq_get_int64(pq, 0, 0);
    return AMPEL_DATABASE_OK;
}

/* Who begins takes the place of whoever worked here before. One that is still in a transaction when the wait for its
   lock is over will not come to its end: its connection is ended, and error says so. */
static void holders_end(struct ampel_pq *pq, struct ampel_error *error) {
    struct ampel_error waited = *error;
    struct ampel_error refused = {0};
    uint32_t ended = 0;
    if (ampel_pq_run(pq, AMPEL_SQL_STREAM_HOLDERS_END, NULL, 0, &refused) != AMPEL_DATABASE_OK) {
        (void)ampel_error_set(error, waited.field, "%s; an earlier worker's connection could not be ended: %s",
                              waited.reason, refused.reason);
        return;
    }
    for (uint32_t i = 0; i < ampel_pq_rows(pq); i++)
        ended += ampel_pq_get_boolean(pq, i, 0) ? 1 : 0;
    (void)ampel_error_set(error, waited.field, "%s; connections of earlier workers ended: %u", waited.reason, ended);
}

enum ampel_database_status ampel_postgres_begin(void *context, struct ampel_parcel_tenants **out,
                                                struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    struct ampel_parcel_tenants *tenants = calloc(1, sizeof(*tenants));
    if (tenants == NULL) return ampel_postgres_no_memory(error);
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    enum ampel_database_status status = epoch_take(postgres->pq, tenants, error);
    if (status == AMPEL_DATABASE_RETRY) holders_end(postgres->pq, error);
    if (status == AMPEL_DATABASE_OK) status = keys_read(postgres->pq, tenants, error);
    if (status == AMPEL_DATABASE_OK) status = numbers_read(postgres->pq, tenants, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_parcel_tenants_free(tenants);
        return status;
    }
    *out = tenants;
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_postgres_tenants(void *context, struct ampel_parcel_tenants **out,
                                                  struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    struct ampel_parcel_tenants *tenants = calloc(1, sizeof(*tenants));
    if (tenants == NULL) return ampel_postgres_no_memory(error);
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    enum ampel_database_status status = keys_read(postgres->pq, tenants, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_parcel_tenants_free(tenants);
        return status;
    }
    *out = tenants;
    return AMPEL_DATABASE_OK;
}

/* ---- rules ---------------------------------------------------------------------------------- */

enum ampel_database_status ampel_postgres_rules(void *context, uint64_t number,
                                                struct ampel_parcel_rules **out,
                                                struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    const struct ampel_pq_value value = ampel_pq_int64((int64_t)number);
    enum ampel_database_status status =
        ampel_pq_run(postgres->pq, AMPEL_SQL_RULES_NEWEST, &value, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    *out = NULL;
    if (ampel_pq_rows(postgres->pq) == 0) return AMPEL_DATABASE_OK;
    struct ampel_parcel_rules *rules = calloc(1, sizeof(*rules));
    if (rules == NULL) return ampel_postgres_no_memory(error);
    struct ampel_text text = ampel_pq_get_text(postgres->pq, 0, 1);
    *rules = (struct ampel_parcel_rules){
        .parcel.kind = AMPEL_PARCEL_RULES,
        .number = (uint64_t)ampel_pq_get_int64(postgres->pq, 0, 0),
        .size = text.size,
        .text = bytes_copy(text),
    };
    if (rules->text == NULL) {
        ampel_parcel_rules_free(rules);
        return ampel_postgres_no_memory(error);
    }
    *out = rules;
    return AMPEL_DATABASE_OK;
}

/* ---- the outbox ----------------------------------------------------------------------------- */

static enum ampel_database_status
answer_read(struct ampel_pq *pq, struct ampel_parcel_answer *answer, struct ampel_error *error) {
    uint32_t count = ampel_pq_rows(pq);
    answer->rows = calloc(count + 1, sizeof(*answer->rows));
    if (answer->rows == NULL) return ampel_postgres_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_text bytes = ampel_pq_get_text(pq, i, 1);
        answer->rows[i].bytes = bytes_copy(bytes);
        if (answer->rows[i].bytes == NULL) return ampel_postgres_no_memory(error);
        answer->rows[i].number = (uint64_t)ampel_pq_get_int64(pq, i, 0);
        answer->rows[i].size = bytes.size;
        answer->rows_count = i + 1;
    }
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_postgres_outbox(void *context, const struct ampel_parcel_ask *ask,
                                                 struct ampel_parcel_answer **out,
                                                 struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    /* Numbers end far below; whoever asks beyond gets nothing. */
    const int64_t from = ask->from > INT64_MAX ? INT64_MAX : (int64_t)ask->from;
    const struct ampel_pq_value values[] = {ampel_pq_string(ask->tenant), ampel_pq_int64(from),
                                            ampel_pq_int64(ask->limit)};
    enum ampel_database_status status = ampel_pq_run(
        postgres->pq,
        ask->stream == AMPEL_STREAM_ALERTS ? AMPEL_SQL_ALERT_OUTBOX : AMPEL_SQL_HISTORY_OUTBOX,
        values, 3, error);
    if (status != AMPEL_DATABASE_OK) return status;
    struct ampel_parcel_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) return ampel_postgres_no_memory(error);
    answer->parcel.kind = AMPEL_PARCEL_ANSWER;
    answer->peer = ask->peer;
    memcpy(answer->tenant, ask->tenant, sizeof(answer->tenant));
    answer->stream = ask->stream;
    answer->from = ask->from;
    status = answer_read(postgres->pq, answer, error);
    if (status != AMPEL_DATABASE_OK) {
        ampel_parcel_answer_free(answer);
        return status;
    }
    *out = answer;
    return AMPEL_DATABASE_OK;
}

/* One checkpoint is one transaction: the fence first, whose row lock keeps others out until the
 * end, then what changed. */
#include "workers/postgres.h"

static enum ampel_database_status
fence(struct ampel_pq *pq, const struct ampel_checkpoint *checkpoint, struct ampel_error *error) {
    const struct ampel_pq_value values[] = {
        ampel_pq_int64(checkpoint->partition),
        ampel_pq_int64((int64_t)checkpoint->epoch),
        ampel_pq_int64((int64_t)checkpoint->position_old),
        ampel_pq_int64((int64_t)checkpoint->position_new),
        ampel_pq_time(checkpoint->as_of_ms),
        ampel_pq_string(checkpoint->rules_version),
        ampel_pq_int64((int64_t)checkpoint->refusals_total),
        ampel_pq_int64((int64_t)checkpoint->rules_number),
        ampel_pq_int64((int64_t)checkpoint->rules_recoloured),
        ampel_pq_int64((int64_t)checkpoint->stream_epoch),
    };
    enum ampel_database_status status =
        ampel_pq_run(pq, AMPEL_SQL_CHECKPOINT_FENCE, values, AMPEL_ARRAY_COUNT(values), error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_changed(pq) == 1) return status;
    (void)ampel_error_set(
        error, "partition",
        "partition %u is not at epoch %llu and position %llu, or epoch %llu of the streams is over: it has "
        "another owner",
        checkpoint->partition, (unsigned long long)checkpoint->epoch,
        (unsigned long long)checkpoint->position_old, (unsigned long long)checkpoint->stream_epoch);
    return AMPEL_DATABASE_FENCED;
}

/* Whether any row was told on the stream. */
static bool told_on(const struct ampel_checkpoint *checkpoint, enum ampel_stream stream) {
    for (uint32_t i = 0; i < checkpoint->outs_count; i++) {
        for (uint32_t k = 0; k < checkpoint->outs[i]->told_count; k++) {
            if (checkpoint->outs[i]->told[k].stream == stream) return true;
        }
    }
    return false;
}

static enum ampel_database_status store_pages(struct ampel_postgres *postgres,
                                              const struct ampel_checkpoint *checkpoint,
                                              struct ampel_error *error) {
    const struct ampel_pq_value meta[] = {ampel_pq_int64(checkpoint->partition),
                                          ampel_pq_bytes(checkpoint->meta, checkpoint->meta_size)};
    const struct ampel_pq_value pages[] = {ampel_pq_int64(checkpoint->partition),
                                           ampel_pq_int64((int64_t)checkpoint->position_new)};
    enum ampel_database_status status = AMPEL_DATABASE_OK;
    if (checkpoint->meta_size > 0)
        status = ampel_pq_run(postgres->pq, AMPEL_SQL_CHECKPOINT_META, meta, 2, error);
    if (status != AMPEL_DATABASE_OK || checkpoint->pages_count == 0) return status;
    status = ampel_postgres_copy_pages(postgres, checkpoint, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_PAGE_MERGE, pages, 2, error);
}

static enum ampel_database_status store_ratings(struct ampel_postgres *postgres,
                                                const struct ampel_checkpoint *checkpoint,
                                                struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_int64(checkpoint->partition),
                                            ampel_pq_string(checkpoint->rules_version)};
    if (checkpoint->ratings_count == 0) return AMPEL_DATABASE_OK;
    enum ampel_database_status status = ampel_postgres_copy_ratings(postgres, checkpoint, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_RATING_MERGE, values, 2, error);
}

/* What went is deleted first: a violation may have been forgotten and come again since the last
 * checkpoint. */
static enum ampel_database_status store_violations(struct ampel_postgres *postgres,
                                                   const struct ampel_checkpoint *checkpoint,
                                                   struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(checkpoint->partition);
    enum ampel_database_status status = AMPEL_DATABASE_OK;
    if (checkpoint->gone_count > 0) {
        status = ampel_postgres_copy_gone(postgres, checkpoint, error);
        if (status == AMPEL_DATABASE_OK)
            status = ampel_pq_run(postgres->pq, AMPEL_SQL_GONE_DELETE, NULL, 0, error);
    }
    if (status != AMPEL_DATABASE_OK || checkpoint->violations_count == 0) return status;
    status = ampel_postgres_copy_violations(postgres, checkpoint, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_VIOLATION_MERGE, &partition, 1, error);
}

static enum ampel_database_status store_beside(struct ampel_postgres *postgres,
                                               const struct ampel_checkpoint *checkpoint,
                                               struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(checkpoint->partition);
    if (checkpoint->beside_count == 0) return AMPEL_DATABASE_OK;
    enum ampel_database_status status = ampel_postgres_copy_beside(postgres, checkpoint, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_BESIDE_MERGE, &partition, 1, error);
}

static enum ampel_database_status store_clocks(struct ampel_postgres *postgres,
                                               const struct ampel_checkpoint *checkpoint,
                                               struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(checkpoint->partition);
    if (checkpoint->clocks_count == 0) return AMPEL_DATABASE_OK;
    enum ampel_database_status status = ampel_postgres_copy_clocks(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_run(postgres->pq, AMPEL_SQL_CLOCK_STOP, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_CLOCK_MERGE, &partition, 1, error);
}

/* Where the streams stand, last of all: two checkpoints at once may tell of the same tenant, and the second waits here for the end
   of the first. Rows are locked in one order, so that none waits in a circle. */
static enum ampel_database_status store_numbers(struct ampel_postgres *postgres,
                                                const struct ampel_checkpoint *checkpoint,
                                                struct ampel_error *error) {
    enum ampel_database_status status = AMPEL_DATABASE_OK;
    if (told_on(checkpoint, AMPEL_STREAM_SCORES))
        status = ampel_pq_run(postgres->pq, AMPEL_SQL_HISTORY_NUMBERS, NULL, 0, error);
    if (status == AMPEL_DATABASE_OK && told_on(checkpoint, AMPEL_STREAM_ALERTS))
        status = ampel_pq_run(postgres->pq, AMPEL_SQL_ALERT_NUMBERS, NULL, 0, error);
    return status;
}

static enum ampel_database_status store_told(struct ampel_postgres *postgres,
                                             const struct ampel_checkpoint *checkpoint,
                                             struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_int64(checkpoint->partition),
                                            ampel_pq_int64((int64_t)checkpoint->stream_epoch)};
    struct ampel_pq *pq = postgres->pq;
    enum ampel_database_status status = AMPEL_DATABASE_OK;
    if (told_on(checkpoint, AMPEL_STREAM_SCORES)) {
        status = ampel_postgres_copy_history(postgres, checkpoint, error);
        if (status == AMPEL_DATABASE_OK)
            status = ampel_pq_run(pq, AMPEL_SQL_HISTORY_MONTHS, NULL, 0, error);
        if (status == AMPEL_DATABASE_OK)
            status = ampel_pq_run(pq, AMPEL_SQL_HISTORY_STORE, values, 2, error);
    }
    if (status == AMPEL_DATABASE_OK && told_on(checkpoint, AMPEL_STREAM_ALERTS)) {
        status = ampel_postgres_copy_alerts(postgres, checkpoint, error);
        if (status == AMPEL_DATABASE_OK)
            status = ampel_pq_run(pq, AMPEL_SQL_ALERT_STORE, values, 2, error);
    }
    return status;
}

static enum ampel_database_status store_refusals(struct ampel_postgres *postgres,
                                                 const struct ampel_checkpoint *checkpoint,
                                                 struct ampel_error *error) {
    const struct ampel_pq_value partition = ampel_pq_int64(checkpoint->partition);
    if (checkpoint->refusals_count == 0) return AMPEL_DATABASE_OK;
    enum ampel_database_status status = ampel_postgres_copy_refusals(postgres, checkpoint, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_pq_run(postgres->pq, AMPEL_SQL_REFUSAL_STORE, &partition, 1, error);
}

static enum ampel_database_status store(struct ampel_postgres *postgres,
                                        const struct ampel_checkpoint *checkpoint,
                                        struct ampel_error *error) {
    enum ampel_database_status status =
        ampel_pq_plain(postgres->pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK) status = fence(postgres->pq, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_pages(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_ratings(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_violations(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_beside(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_clocks(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_told(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_refusals(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) status = store_numbers(postgres, checkpoint, error);
    return status;
}

/* Until COMMIT is sent nothing is done. Once it is, only an answer tells: a connection that breaks
   before it leaves the outcome unknown, also where the server says that it is shutting down. */
enum ampel_database_status ampel_postgres_commit(void *context,
                                                 const struct ampel_checkpoint *checkpoint,
                                                 struct ampel_error *error) {
    struct ampel_postgres *postgres = context;
    enum ampel_database_status status = store(postgres, checkpoint, error);
    if (status == AMPEL_DATABASE_OK) {
        status = ampel_pq_commit(postgres->pq, error);
        if (status == AMPEL_DATABASE_AWAY) return AMPEL_DATABASE_UNKNOWN;
    }
    if (status != AMPEL_DATABASE_OK && ampel_pq_connected(postgres->pq) &&
        ampel_pq_plain(postgres->pq, AMPEL_SQL_TRANSACTION_ROLLBACK, NULL) != AMPEL_DATABASE_OK)
        ampel_pq_disconnect(postgres->pq);
    return status;
}

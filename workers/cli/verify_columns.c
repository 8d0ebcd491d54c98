/* Columns that no check of their own looks at. The rows are made as the worker makes them, so whatever a checkpoint will
   write one day is compared, too. */
#include <inttypes.h>
#include <string.h>

#include "workers/cli/verify.h"

static enum ampel_database_status rows_copy(struct ampel_verify *verify, const struct ampel_checkpoint *made,
                                            struct ampel_error *error) {
    verify->columns_rows += made->ratings_count + made->violations_count + made->beside_count;
    enum ampel_database_status status = ampel_postgres_copy_ratings(verify->postgres, made, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_postgres_copy_violations(verify->postgres, made, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_postgres_copy_beside(verify->postgres, made, error);
    return status;
}

/* The rows of every account of the partition into the staging tables. */
static enum ampel_database_status rows_make(struct ampel_verify *verify,
                                            const struct ampel_verify_partition *partition,
                                            struct ampel_error *error) {
    struct ampel_gathered gathered;
    AMPEL_ASSERT(ampel_gathered_init(&gathered));
    const struct ampel_checkpoint_source source = {
        .engine = partition->engine, .gathered = &gathered, .partition = partition->number, .every_row = true};
    struct ampel_checkpoint *made;
    uint64_t size_bytes;
    AMPEL_ASSERT(ampel_checkpoint_build(verify->builder, &source, &made, &size_bytes));
    enum ampel_database_status status = rows_copy(verify, made, error);
    ampel_checkpoint_free(made);
    ampel_gathered_reset(&gathered);
    return status;
}

/* Row: what, name, field, found, made; without a field the row is missing (found is null) or too many. */
static void difference_tell(struct ampel_verify *verify, uint32_t row) {
    struct ampel_text what = ampel_pq_get_text(verify->pq, row, 0), name = ampel_pq_get_text(verify->pq, row, 1);
    if (ampel_pq_is_null(verify->pq, row, 2)) {
        ampel_verify_problem(verify, "%.*s %.*s: %s", (int)what.size, what.bytes, (int)name.size, name.bytes,
                             ampel_pq_is_null(verify->pq, row, 3) ? "the row is missing" : "no page makes this row");
        return;
    }
    struct ampel_text field = ampel_pq_get_text(verify->pq, row, 2), found = ampel_pq_get_text(verify->pq, row, 3);
    struct ampel_text made = ampel_pq_get_text(verify->pq, row, 4);
    ampel_verify_problem(verify, "%.*s %.*s: %.*s is %.*s, its pages make %.*s", (int)what.size, what.bytes,
                         (int)name.size, name.bytes, (int)field.size, field.bytes, (int)found.size, found.bytes,
                         (int)made.size, made.bytes);
}

enum ampel_database_status ampel_verify_columns(struct ampel_verify *verify,
                                                const struct ampel_verify_partition *partition,
                                                struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_int64(partition->number), ampel_pq_boolean(verify->exact)};
    enum ampel_database_status status = rows_make(verify, partition, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_COLUMNS, values, 2, error);
    if (status != AMPEL_DATABASE_OK) return status;
    for (uint32_t i = 0; i < ampel_pq_rows(verify->pq); i++)
        difference_tell(verify, i);
    return ampel_pq_plain(verify->pq, AMPEL_SQL_VERIFY_CLEAR, error);
}

enum ampel_database_status ampel_verify_history(struct ampel_verify *verify, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_HISTORY, NULL, 0, error);
    if (status != AMPEL_DATABASE_OK) return status;
    for (uint32_t i = 0; i < ampel_pq_rows(verify->pq); i++) {
        struct ampel_text name = ampel_pq_get_text(verify->pq, i, 0), wrong = ampel_pq_get_text(verify->pq, i, 1);
        ampel_verify_problem(verify, "%.*s: %.*s", (int)name.size, name.bytes, (int)wrong.size, wrong.bytes);
    }
    return AMPEL_DATABASE_OK;
}

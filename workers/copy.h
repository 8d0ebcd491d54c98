/* Rows for a binary COPY, one field after another. After a failure everything else does nothing,
   and end tells it. Thread: the session's. */
#ifndef AMPEL_WORKERS_COPY_H
#define AMPEL_WORKERS_COPY_H

#include "workers/pq.h"

/* What is collected before it goes to the server. */
#define AMPEL_COPY_BYTES (64 * 1024)

struct ampel_copy {
    struct ampel_pq *pq;
    struct ampel_error *error;
    enum ampel_database_status status;
    uint16_t fields_count, fields_left;
    uint32_t size;
    uint8_t bytes[AMPEL_COPY_BYTES];
};

/* statement is a copy ... from stdin (format binary) of fields_count columns. */
void ampel_copy_begin(struct ampel_copy *copy, struct ampel_pq *pq,
                      enum ampel_sql_statement statement, uint16_t fields_count,
                      struct ampel_error *error);
void ampel_copy_row(struct ampel_copy *copy); /* then its fields */
void ampel_copy_null(struct ampel_copy *copy);
void ampel_copy_int32(struct ampel_copy *copy, int32_t value);
void ampel_copy_int64(struct ampel_copy *copy, int64_t value);
void ampel_copy_boolean(struct ampel_copy *copy, bool value);
void ampel_copy_time(struct ampel_copy *copy, int64_t at_ms);
void ampel_copy_text(struct ampel_copy *copy, struct ampel_text text); /* also bytea */
void ampel_copy_text_or_null(struct ampel_copy *copy,
                             struct ampel_text text);                  /* null where size 0 */
void ampel_copy_name(struct ampel_copy *copy, const char *name);       /* NULL is null */
void ampel_copy_json(struct ampel_copy *copy, struct ampel_text json); /* jsonb */
void ampel_copy_uuid(struct ampel_copy *copy, const char *hex);        /* 32 hex digits */
AMPEL_MUST_CHECK enum ampel_database_status ampel_copy_end(struct ampel_copy *copy);

#endif

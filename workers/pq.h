/* One PostgreSQL session: statements of sql/statements by name, binary parameters and results,
   binary COPY. The one place that knows libpq. No call waits longer than AMPEL_PQ_PATIENCE_MS
   without a sign of the server, where no other patience was set: then the session is closed and the status is AWAY. Lifetime:
   results are borrowed until the next call. Thread: one at a time. */
#ifndef AMPEL_WORKERS_PQ_H
#define AMPEL_WORKERS_PQ_H

#include "proto/error.h"
#include "workers/database.h"
#include "workers/sql_texts.h"

/* Longer than the longest statement_timeout (sql/statements/session.sql), so that the server speaks
 * first. */
#define AMPEL_PQ_PATIENCE_MS 90000
#define AMPEL_PQ_VALUES_MAX  12

struct ampel_pq;

/* One parameter, made by the functions below; text and bytes are borrowed. */
struct ampel_pq_value {
    const char *bytes; /* NULL: the eight of number */
    uint32_t size;
    uint8_t number[8];
};
struct ampel_pq_value ampel_pq_int64(int64_t value);                    /* $n::bigint */
struct ampel_pq_value ampel_pq_time(int64_t at_ms);                     /* $n::timestamptz */
struct ampel_pq_value ampel_pq_boolean(bool value);                     /* $n::boolean */
struct ampel_pq_value ampel_pq_bytes(const void *bytes, uint32_t size); /* $n::bytea or $n::text */
struct ampel_pq_value ampel_pq_string(const char *text);                /* $n::text, terminated */

/* NULL: no memory. Not connected yet. */
struct ampel_pq *ampel_pq_open(void);
void ampel_pq_close(struct ampel_pq *pq); /* NULL is fine */

/* Connects anew. url as libpq takes it; application is what pg_stat_activity shows. Returns OK,
   AWAY, BROKEN (no such database, role, password). */
AMPEL_MUST_CHECK enum ampel_database_status ampel_pq_connect(struct ampel_pq *pq, const char *url,
                                                             const char *application,
                                                             struct ampel_error *error);
/* How long the next calls wait for the server, in milliseconds; -1: as long as its connection lives
 * (keepalives tell within half a minute), for statements over all that is stored. */
void ampel_pq_patience(struct ampel_pq *pq, int32_t patience_ms);
bool ampel_pq_connected(const struct ampel_pq *pq);
void ampel_pq_disconnect(struct ampel_pq *pq);
int ampel_pq_fd(const struct ampel_pq *pq); /* -1 where not connected */

/* Runs one statement (prepared once a session). Returns OK, AWAY, RETRY, BROKEN; error tells the
 * statement and the server's sentence. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_pq_run(struct ampel_pq *pq, enum ampel_sql_statement statement,
             const struct ampel_pq_value *values, uint32_t values_count, struct ampel_error *error);
/* Runs a text of one or several statements without parameters; rows it may give are dropped. name
 * is for the error. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_pq_script(struct ampel_pq *pq, const char *name, const char *text, struct ampel_error *error);
/* The same for a statement of sql/statements. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_pq_plain(struct ampel_pq *pq, enum ampel_sql_statement statement, struct ampel_error *error);

/* Commits. AWAY means that the outcome is unknown; RETRY and BROKEN that it was rolled back. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_pq_commit(struct ampel_pq *pq,
                                                            struct ampel_error *error);

/* The rows of the last run, and how many rows it wrote. Columns are of types bigint or timestamptz
 * (int64), boolean, text or bytea. */
uint32_t ampel_pq_rows(const struct ampel_pq *pq);
uint64_t ampel_pq_changed(const struct ampel_pq *pq);
bool ampel_pq_is_null(const struct ampel_pq *pq, uint32_t row, uint32_t column);
int64_t ampel_pq_get_int64(const struct ampel_pq *pq, uint32_t row, uint32_t column);
int64_t ampel_pq_get_time(const struct ampel_pq *pq, uint32_t row, uint32_t column); /* ms */
bool ampel_pq_get_boolean(const struct ampel_pq *pq, uint32_t row, uint32_t column);
/* Terminated by a zero that size does not count. */
struct ampel_text ampel_pq_get_text(const struct ampel_pq *pq, uint32_t row, uint32_t column);

/* COPY ... FROM STDIN (workers/copy.h writes its rows). */
AMPEL_MUST_CHECK enum ampel_database_status ampel_pq_copy_begin(struct ampel_pq *pq,
                                                                enum ampel_sql_statement statement,
                                                                struct ampel_error *error);
AMPEL_MUST_CHECK enum ampel_database_status
ampel_pq_copy_put(struct ampel_pq *pq, const void *bytes, uint32_t size, struct ampel_error *error);
AMPEL_MUST_CHECK enum ampel_database_status ampel_pq_copy_end(struct ampel_pq *pq,
                                                              struct ampel_error *error);

/* Reads what has come without asking, and says whether a notification was among it or among earlier
   answers. A session found dead is disconnected. */
AMPEL_MUST_CHECK bool ampel_pq_noticed(struct ampel_pq *pq);

/* Milliseconds since 1970 as PostgreSQL's microseconds since 2000. */
int64_t ampel_pq_microseconds(int64_t at_ms);

#endif

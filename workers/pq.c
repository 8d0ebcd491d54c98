#include "workers/pq.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2000-01-01, from which PostgreSQL counts. */
#define EPOCH_2000_MS INT64_C(946684800000)

struct ampel_pq {
    PGconn *connection; /* NULL: not connected */
    PGresult *result;   /* of the last run */
    enum ampel_sql_statement copying;
    int32_t patience_ms; /* -1: endless */
    bool noticed;
    bool prepared[AMPEL_SQL_STATEMENTS_COUNT];
};

int64_t ampel_pq_microseconds(int64_t at_ms) {
    return (at_ms - EPOCH_2000_MS) * 1000;
}

struct ampel_pq_value ampel_pq_int64(int64_t value) {
    struct ampel_pq_value out = {.size = 8};
    for (uint32_t i = 0; i < 8; i++)
        out.number[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    return out;
}

struct ampel_pq_value ampel_pq_time(int64_t at_ms) {
    return ampel_pq_int64(ampel_pq_microseconds(at_ms));
}

struct ampel_pq_value ampel_pq_boolean(bool value) {
    return (struct ampel_pq_value){.size = 1, .number = {value ? 1 : 0}};
}

struct ampel_pq_value ampel_pq_bytes(const void *bytes, uint32_t size) {
    return (struct ampel_pq_value){.bytes = bytes == NULL ? "" : bytes, .size = size};
}

struct ampel_pq_value ampel_pq_string(const char *text) {
    return ampel_pq_bytes(text, (uint32_t)strlen(text));
}

struct ampel_pq *ampel_pq_open(void) {
    struct ampel_pq *pq = calloc(1, sizeof(struct ampel_pq));
    if (pq != NULL) pq->patience_ms = AMPEL_PQ_PATIENCE_MS;
    return pq;
}

void ampel_pq_disconnect(struct ampel_pq *pq) {
    PQclear(pq->result);
    pq->result = NULL;
    PQfinish(pq->connection);
    pq->connection = NULL;
    memset(pq->prepared, 0, sizeof(pq->prepared));
}

void ampel_pq_close(struct ampel_pq *pq) {
    if (pq == NULL) return;
    ampel_pq_disconnect(pq);
    free(pq);
}

void ampel_pq_patience(struct ampel_pq *pq, int32_t patience_ms) {
    pq->patience_ms = patience_ms;
}

bool ampel_pq_connected(const struct ampel_pq *pq) {
    return pq->connection != NULL;
}

int ampel_pq_fd(const struct ampel_pq *pq) {
    return pq->connection == NULL ? -1 : PQsocket(pq->connection);
}

/* libpq's sentences end with a newline and may have several. */
static void error_from(struct ampel_error *error, const char *name, const char *sentence,
                       const char *code) {
    size_t size = strcspn(sentence, "\n");
    if (size == 0) {
        sentence = "no answer";
        size = strlen(sentence);
    }
    (void)ampel_error_set(error, name, "%.*s%s%s%s", (int)(size > 200 ? 200 : size), sentence,
                          code[0] == 0 ? "" : " (", code, code[0] == 0 ? "" : ")");
}

/* What a refused connection means: a wrong name or password will be wrong in five seconds, too; a
   server that is starting, stopping or full will not. libpq gives no code here, only whether the
   server spoke. */
static enum ampel_database_status status_of_connect(const PGconn *connection) {
    static const char *const final[] = {"does not exist",
                                        "password authentication failed",
                                        "no password supplied",
                                        "no pg_hba.conf entry",
                                        "authentication failed",
                                        "is not permitted",
                                        "permission denied for database"};
    const char *sentence = PQerrorMessage(connection);
    if (strstr(sentence, "No such file or directory") != NULL) return AMPEL_DATABASE_AWAY;
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(final); i++) {
        if (strstr(sentence, final[i]) != NULL) return AMPEL_DATABASE_BROKEN;
    }
    return AMPEL_DATABASE_AWAY;
}

/* Whether libpq can read the URL; a bare name is that of a database. */
static bool url_check(const char *url, struct ampel_error *error) {
    bool bare = strncmp(url, "postgres://", 11) != 0 && strncmp(url, "postgresql://", 13) != 0 &&
                strchr(url, '=') == NULL;
    char *reason = NULL;
    PQconninfoOption *options = bare ? NULL : PQconninfoParse(url, &reason);
    bool valid = bare || options != NULL;
    if (!valid) error_from(error, "database_url", reason == NULL ? "no memory" : reason, "");
    PQconninfoFree(options);
    PQfreemem(reason);
    return valid;
}

/* Else libpq writes notices to standard error, past the log. */
static void notice_drop(void *context, const char *sentence) {
    (void)context;
    (void)sentence;
}

enum ampel_database_status ampel_pq_connect(struct ampel_pq *pq, const char *url,
                                            const char *application, struct ampel_error *error) {
    /* What stands before dbname is a default that the URL may replace. */
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *values[] = {"5", "10", "5", "3", "20000", application, url, "UTF8", NULL};
    static_assert(AMPEL_ARRAY_COUNT(names) == AMPEL_ARRAY_COUNT(values), "a value for each name");
    ampel_pq_disconnect(pq);
    if (!url_check(url, error)) return AMPEL_DATABASE_BROKEN;
    pq->connection = PQconnectdbParams(names, values, 1);
    if (pq->connection == NULL) {
        (void)ampel_error_set(error, "database", "no memory");
        return AMPEL_DATABASE_AWAY;
    }
    if (PQstatus(pq->connection) != CONNECTION_OK || PQsetnonblocking(pq->connection, 1) != 0) {
        enum ampel_database_status status = status_of_connect(pq->connection);
        error_from(error, "database", PQerrorMessage(pq->connection), "");
        ampel_pq_disconnect(pq);
        return status;
    }
    (void)PQsetNoticeProcessor(pq->connection, notice_drop, NULL);
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status away(struct ampel_pq *pq, const char *name, const char *sentence,
                                       struct ampel_error *error) {
    error_from(error, name, sentence, "");
    ampel_pq_disconnect(pq);
    return AMPEL_DATABASE_AWAY;
}

/* Waits for the socket; false after too long or on an error. */
static bool wait_for(struct ampel_pq *pq, short events) {
    struct pollfd fd = {.fd = PQsocket(pq->connection), .events = events};
    int ready;
    do
        ready = poll(&fd, 1, pq->patience_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Sends everything that is queued. */
static bool flush(struct ampel_pq *pq) {
    for (;;) {
        int left = PQflush(pq->connection);
        if (left == 0) return true;
        /* The server may answer first and read later, so both ways are watched. */
        if (left < 0 || !wait_for(pq, POLLIN | POLLOUT)) return false;
        if (PQconsumeInput(pq->connection) == 0) return false;
    }
}

/* The next result, NULL in *out at the end of the answer. False: the connection is lost. */
static bool result_next(struct ampel_pq *pq, PGresult **out) {
    while (PQisBusy(pq->connection)) {
        if (!wait_for(pq, POLLIN) || PQconsumeInput(pq->connection) == 0) return false;
    }
    *out = PQgetResult(pq->connection);
    return true;
}

static void notifications_take(struct ampel_pq *pq) {
    PGnotify *notification;
    while ((notification = PQnotifies(pq->connection)) != NULL) {
        pq->noticed = true;
        PQfreemem(notification);
    }
}

static bool class_is(const char *code, const char *class) {
    return strncmp(code, class, strlen(class)) == 0;
}

static enum ampel_database_status status_of(const PGresult *result, const char *name,
                                            struct ampel_error *error) {
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *sentence = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (code == NULL) {
        error_from(error, name, PQresultErrorMessage(result), "");
        return AMPEL_DATABASE_AWAY;
    }
    error_from(error, name, sentence == NULL ? "" : sentence, code);
    /* Connection, shutdown, crash of a neighbour, too many connections, paused too long in a
     * transaction. */
    if (class_is(code, "08") || class_is(code, "57P") || class_is(code, "53300") ||
        class_is(code, "25P03"))
        return AMPEL_DATABASE_AWAY;
    /* Serialization, deadlock, lock and statement timeouts, disk or memory of the server full. */
    if (class_is(code, "40") || class_is(code, "55P03") || class_is(code, "57014") ||
        class_is(code, "53"))
        return AMPEL_DATABASE_RETRY;
    return AMPEL_DATABASE_BROKEN;
}

/* Reads the answer to its end; the last result with rows or a count, or the first failure, becomes
   pq->result. Stops early where the server waits for COPY data. */
static enum ampel_database_status answer_read(struct ampel_pq *pq, const char *name,
                                              struct ampel_error *error) {
    enum ampel_database_status status = AMPEL_DATABASE_OK;
    PQclear(pq->result);
    pq->result = NULL;
    if (!flush(pq)) return away(pq, name, PQerrorMessage(pq->connection), error);
    for (;;) {
        PGresult *result;
        if (!result_next(pq, &result)) return away(pq, name, PQerrorMessage(pq->connection), error);
        if (result == NULL) break;
        ExecStatusType kind = PQresultStatus(result);
        bool failed = kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_COPY_IN;
        if (failed && status == AMPEL_DATABASE_OK) status = status_of(result, name, error);
        PQclear(pq->result);
        pq->result = result;
        if (kind == PGRES_COPY_IN) break;
    }
    notifications_take(pq);
    if (status == AMPEL_DATABASE_AWAY || PQstatus(pq->connection) == CONNECTION_BAD) {
        ampel_pq_disconnect(pq);
        return AMPEL_DATABASE_AWAY;
    }
    return status;
}

static enum ampel_database_status unconnected(const char *name, struct ampel_error *error) {
    (void)ampel_error_set(error, name, "not connected");
    return AMPEL_DATABASE_AWAY;
}

enum ampel_database_status ampel_pq_script(struct ampel_pq *pq, const char *name, const char *text,
                                           struct ampel_error *error) {
    if (pq->connection == NULL) return unconnected(name, error);
    if (PQsendQuery(pq->connection, text) == 0)
        return away(pq, name, PQerrorMessage(pq->connection), error);
    return answer_read(pq, name, error);
}

enum ampel_database_status ampel_pq_plain(struct ampel_pq *pq, enum ampel_sql_statement statement,
                                          struct ampel_error *error) {
    const struct ampel_sql_text *sql = &ampel_sql_statements[statement];
    return ampel_pq_script(pq, sql->name, sql->text, error);
}

static enum ampel_database_status prepare(struct ampel_pq *pq, enum ampel_sql_statement statement,
                                          struct ampel_error *error) {
    const struct ampel_sql_text *sql = &ampel_sql_statements[statement];
    if (pq->prepared[statement]) return AMPEL_DATABASE_OK;
    if (PQsendPrepare(pq->connection, sql->name, sql->text, 0, NULL) == 0)
        return away(pq, sql->name, PQerrorMessage(pq->connection), error);
    enum ampel_database_status status = answer_read(pq, sql->name, error);
    pq->prepared[statement] = status == AMPEL_DATABASE_OK;
    return status;
}

enum ampel_database_status ampel_pq_run(struct ampel_pq *pq, enum ampel_sql_statement statement,
                                        const struct ampel_pq_value *values, uint32_t values_count,
                                        struct ampel_error *error) {
    const struct ampel_sql_text *sql = &ampel_sql_statements[statement];
    const char *bytes[AMPEL_PQ_VALUES_MAX];
    int sizes[AMPEL_PQ_VALUES_MAX], formats[AMPEL_PQ_VALUES_MAX];
    AMPEL_ASSERT(values_count <= AMPEL_PQ_VALUES_MAX);
    if (pq->connection == NULL) return unconnected(sql->name, error);
    enum ampel_database_status status = prepare(pq, statement, error);
    if (status != AMPEL_DATABASE_OK) return status;
    for (uint32_t i = 0; i < values_count; i++) {
        AMPEL_ASSERT(values[i].size <= INT32_MAX);
        bytes[i] = values[i].bytes == NULL ? (const char *)values[i].number : values[i].bytes;
        sizes[i] = (int)values[i].size;
        formats[i] = 1;
    }
    if (PQsendQueryPrepared(pq->connection, sql->name, (int)values_count, bytes, sizes, formats,
                            1) == 0)
        return away(pq, sql->name, PQerrorMessage(pq->connection), error);
    return answer_read(pq, sql->name, error);
}

enum ampel_database_status ampel_pq_commit(struct ampel_pq *pq, struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_COMMIT, error);
    if (status != AMPEL_DATABASE_OK) return status;
    /* The server answers the commit of a failed transaction without an error. */
    if (strcmp(PQcmdStatus(pq->result), "COMMIT") == 0) return AMPEL_DATABASE_OK;
    (void)ampel_error_set(error, "transaction_commit",
                          "the transaction had failed before its commit");
    return AMPEL_DATABASE_BROKEN;
}

uint32_t ampel_pq_rows(const struct ampel_pq *pq) {
    return (uint32_t)PQntuples(pq->result);
}

uint64_t ampel_pq_changed(const struct ampel_pq *pq) {
    return strtoull(PQcmdTuples(pq->result), NULL, 10);
}

bool ampel_pq_is_null(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return PQgetisnull(pq->result, (int)row, (int)column) != 0;
}

int64_t ampel_pq_get_int64(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(pq->result, (int)row, (int)column);
    uint64_t value = 0;
    AMPEL_ASSERT(PQgetlength(pq->result, (int)row, (int)column) == 8);
    for (uint32_t i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

int64_t ampel_pq_get_time(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return ampel_pq_get_int64(pq, row, column) / 1000 + EPOCH_2000_MS;
}

bool ampel_pq_get_boolean(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    AMPEL_ASSERT(PQgetlength(pq->result, (int)row, (int)column) == 1);
    return PQgetvalue(pq->result, (int)row, (int)column)[0] != 0;
}

struct ampel_text ampel_pq_get_text(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return (struct ampel_text){PQgetvalue(pq->result, (int)row, (int)column),
                               (uint32_t)PQgetlength(pq->result, (int)row, (int)column)};
}

enum ampel_database_status ampel_pq_copy_begin(struct ampel_pq *pq,
                                               enum ampel_sql_statement statement,
                                               struct ampel_error *error) {
    enum ampel_database_status status = ampel_pq_plain(pq, statement, error);
    if (status != AMPEL_DATABASE_OK) return status;
    AMPEL_ASSERT(PQresultStatus(pq->result) == PGRES_COPY_IN);
    pq->copying = statement;
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_pq_copy_put(struct ampel_pq *pq, const void *bytes, uint32_t size,
                                             struct ampel_error *error) {
    const char *name = ampel_sql_statements[pq->copying].name;
    if (pq->connection == NULL) return unconnected(name, error);
    /* A message of COPY is small, so that what libpq queues stays small, too. */
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < (UINT32_C(1) << 20) ? size - done : UINT32_C(1) << 20;
        if (PQputCopyData(pq->connection, (const char *)bytes + done, (int)part) != 1 || !flush(pq))
            return away(pq, name, PQerrorMessage(pq->connection), error);
        done += part;
    }
    return AMPEL_DATABASE_OK;
}

enum ampel_database_status ampel_pq_copy_end(struct ampel_pq *pq, struct ampel_error *error) {
    const char *name = ampel_sql_statements[pq->copying].name;
    if (pq->connection == NULL) return unconnected(name, error);
    if (PQputCopyEnd(pq->connection, NULL) != 1)
        return away(pq, name, PQerrorMessage(pq->connection), error);
    return answer_read(pq, name, error);
}

bool ampel_pq_noticed(struct ampel_pq *pq) {
    if (pq->connection != NULL) {
        if (PQconsumeInput(pq->connection) == 0 || PQstatus(pq->connection) == CONNECTION_BAD) {
            ampel_pq_disconnect(pq);
        } else {
            notifications_take(pq);
        }
    }
    bool noticed = pq->noticed;
    pq->noticed = false;
    return noticed;
}

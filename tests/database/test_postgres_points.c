/* Every call to libpq of a session with the real PostgreSQL, in turn: the connection is lost before it, or after it, or its
   statement is refused for now, or for good. The caller does what the scribe does, and each checkpoint is stored once.

   AMPEL_TEST_POINTS_EVERY=1 tries all of them, which takes some minutes; without it each 17th. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/database/client.h"
#include "tests/database/fixture.h"
#include "tests/database/sample.h"

/* ---- calls ------------------------------------------------------------------------------------ */

enum fault { LOST_BEFORE, LOST_AFTER, REFUSED_NOW, REFUSED_FOR_GOOD, FAULTS_COUNT };
static const char *const fault_names[] = {"the connection is lost before",
                                          "the connection is lost after", "refused for now",
                                          "refused for good"};

static struct {
    bool counted;
    uint64_t count, fail_at; /* fail_at: the call with this number; UINT64_MAX: none */
    enum fault fault;
    const char *failed; /* the name of the call that was struck */
} calls;

/* Linux says end of file to a peer whose socket is shut down, as it does where a server dies. */
static void lose(const PGconn *connection) {
    if (PQsocket(connection) >= 0) (void)shutdown(PQsocket(connection), SHUT_RDWR);
}

static bool strikes(const char *name) {
    if (!calls.counted || calls.count++ != calls.fail_at) return false;
    calls.failed = name;
    return true;
}

/* What a statement becomes that is refused: a serialization failure, or an error of its own. */
static const char *refusal(void) {
    return calls.fault == REFUSED_NOW ? "do $$ begin raise sqlstate '40001'; end $$"
                                      : "do $$ begin raise sqlstate '22012'; end $$";
}

static bool refuses(void) {
    return calls.fault == REFUSED_NOW || calls.fault == REFUSED_FOR_GOOD;
}

/* Before the call, or after it. A call that is no statement is not refused, but lost. */
#define WRAP(name, connection, real)                                         \
    bool struck = strikes(#name);                                            \
    if (struck && (calls.fault == LOST_BEFORE || refuses())) lose(connection); \
    int done = real;                                                         \
    if (struck && calls.fault == LOST_AFTER) lose(connection);               \
    return done

int __real_PQsendQuery(PGconn *connection, const char *text);
int __wrap_PQsendQuery(PGconn *connection, const char *text);
int __wrap_PQsendQuery(PGconn *connection, const char *text) {
    if (calls.counted && calls.count == calls.fail_at && refuses()) {
        (void)strikes("PQsendQuery");
        return __real_PQsendQuery(connection, refusal());
    }
    WRAP(PQsendQuery, connection, __real_PQsendQuery(connection, text));
}

int __real_PQsendQueryPrepared(PGconn *connection, const char *name, int count,
                               const char *const *values, const int *sizes, const int *formats,
                               int format);
int __wrap_PQsendQueryPrepared(PGconn *connection, const char *name, int count,
                               const char *const *values, const int *sizes, const int *formats,
                               int format);
int __wrap_PQsendQueryPrepared(PGconn *connection, const char *name, int count,
                               const char *const *values, const int *sizes, const int *formats,
                               int format) {
    if (calls.counted && calls.count == calls.fail_at && refuses()) {
        (void)strikes("PQsendQueryPrepared");
        return __real_PQsendQuery(connection, refusal());
    }
    WRAP(PQsendQueryPrepared, connection,
         __real_PQsendQueryPrepared(connection, name, count, values, sizes, formats, format));
}

int __real_PQsendPrepare(PGconn *connection, const char *name, const char *text, int count,
                         const Oid *types);
int __wrap_PQsendPrepare(PGconn *connection, const char *name, const char *text, int count,
                         const Oid *types);
int __wrap_PQsendPrepare(PGconn *connection, const char *name, const char *text, int count,
                         const Oid *types) {
    WRAP(PQsendPrepare, connection, __real_PQsendPrepare(connection, name, text, count, types));
}

int __real_PQputCopyData(PGconn *connection, const char *bytes, int size);
int __wrap_PQputCopyData(PGconn *connection, const char *bytes, int size);
int __wrap_PQputCopyData(PGconn *connection, const char *bytes, int size) {
    WRAP(PQputCopyData, connection, __real_PQputCopyData(connection, bytes, size));
}

int __real_PQputCopyEnd(PGconn *connection, const char *why);
int __wrap_PQputCopyEnd(PGconn *connection, const char *why);
int __wrap_PQputCopyEnd(PGconn *connection, const char *why) {
    WRAP(PQputCopyEnd, connection, __real_PQputCopyEnd(connection, why));
}

int __real_PQflush(PGconn *connection);
int __wrap_PQflush(PGconn *connection);
int __wrap_PQflush(PGconn *connection) {
    WRAP(PQflush, connection, __real_PQflush(connection));
}

int __real_PQconsumeInput(PGconn *connection);
int __wrap_PQconsumeInput(PGconn *connection);
int __wrap_PQconsumeInput(PGconn *connection) {
    WRAP(PQconsumeInput, connection, __real_PQconsumeInput(connection));
}

/* ---- the session ------------------------------------------------------------------------------ */

/* A worker that goes on as the scribe does, or dies and is followed by another one. */
struct session {
    struct worker *worker;
    struct ampel_parcel_loaded *loaded;
    struct ampel_parcel_tenants *tenants;
    uint64_t position; /* where the partition should be before the next checkpoint */
    bool forgetful;    /* a planted bug: what broke is taken for done */
};

/* Judges what a call said. True: it is to be done again, by the same worker or by another one. */
static bool again(struct session *session, enum ampel_database_status status) {
    if (status == AMPEL_DATABASE_OK) return false;
    struct worker *worker = session->worker;
    if (status == AMPEL_DATABASE_BROKEN) {
        worker_close(worker);
        session->worker = worker_open(client_url());
        ampel_parcel_loaded_free(session->loaded);
        session->loaded = NULL;
        return true;
    }
    assert_int_not_equal(status, AMPEL_DATABASE_FENCED);
    struct ampel_database_system system;
    while (status != AMPEL_DATABASE_RETRY && status != AMPEL_DATABASE_OK)
        status = worker->database.connect(worker->database.context, &system, &worker->error);
    return true;
}

/* Begins and claims, unless it has; then the partition stands where the last checkpoint left it, or one further. */
static void own(struct session *session) {
    if (session->loaded != NULL) return;
    ampel_parcel_tenants_free(session->tenants);
    session->tenants = NULL;
    do {
        struct ampel_database *database = &session->worker->database;
        if (!again(session, database->begin(database->context, &session->tenants,
                                            &session->worker->error)))
            break;
    } while (true);
    do {
        struct ampel_database *database = &session->worker->database;
        struct ampel_parcel_loaded *loaded = NULL;
        struct worker *before = session->worker;
        enum ampel_database_status status =
            database->claim(database->context, 0, &loaded, &session->worker->error);
        if (status == AMPEL_DATABASE_OK) session->loaded = loaded;
        if (!again(session, status)) break;
        if (session->worker == before) continue;
        own(session);
        return;
    } while (true);
}

/* One checkpoint with a row of each kind, made so that number n has told everything of n and nothing else has. */
static void store(struct session *session) {
    uint64_t number = session->position + 1;
    struct ampel_told told[] = {
        sample_told("acme", AMPEL_CHANGE_SCORE, 2 * number, SAMPLE_AT_MS),
        sample_told("acme", AMPEL_CHANGE_COLOUR, 2 * number + 1, SAMPLE_AT_MS),
    };
    struct ampel_parcel_out out = {
        .parcel = {AMPEL_PARCEL_OUT}, .told_count = 2, .told = told, .rules = sample_face()};
    struct ampel_parcel_out *outs[] = {&out};
    struct ampel_rating_row rating = sample_rating("acme", "S1", (int32_t)(number % 1000));
    struct ampel_violation_row violation = sample_violation("acme", "S1", "V1");
    struct ampel_refusal_row refused = sample_refusal("acme", number);
    uint8_t page[8];
    memcpy(page, &number, sizeof(page));
    struct ampel_loaded_page pages[] = {{.page = 0, .size = sizeof(page), .bytes = page}};
    bool look = false;
    for (;;) {
        own(session);
        uint64_t epoch, position = session->loaded->position;
        struct ampel_database *database = &session->worker->database;
        if (look) {
            enum ampel_database_status status = database->position(
                database->context, 0, &epoch, &position, &session->worker->error);
            if (again(session, status)) continue;
        }
        look = true;
        if (position == number) break;
        assert_int_equal(position, number - 1);
        struct ampel_checkpoint checkpoint = sample_checkpoint(session->loaded, number);
        checkpoint.position_old = position;
        checkpoint.stream_epoch = session->tenants->epoch;
        checkpoint.outs = outs;
        checkpoint.outs_count = 1;
        checkpoint.ratings = &rating;
        checkpoint.ratings_count = 1;
        checkpoint.violations = &violation;
        checkpoint.violations_count = 1;
        checkpoint.refusals = &refused;
        checkpoint.refusals_count = 1;
        checkpoint.refusals_total = 1;
        checkpoint.pages = pages;
        checkpoint.pages_count = 1;
        enum ampel_database_status status = commit(session->worker, &checkpoint);
        if (!again(session, status) || session->forgetful) break;
    }
    session->position = number;
    if (session->loaded != NULL) session->loaded->position = number;
}

/* What a watcher asks for. */
static void read_back(struct session *session) {
    struct ampel_parcel_ask ask = {.stream = AMPEL_STREAM_ALERTS,
                                   .from = 2 * session->position + 1,
                                   .limit = 10,
                                   .tenant = "acme"};
    struct ampel_parcel_answer *answer = NULL;
    enum ampel_database_status status;
    do {
        struct ampel_database *database = &session->worker->database;
        status = database->outbox(database->context, &ask, &answer, &session->worker->error);
    } while (again(session, status));
    assert_int_equal(answer->rows_count, session->forgetful ? answer->rows_count : 1);
    ampel_parcel_answer_free(answer);
    own(session);
}

/* How many of the checkpoints stand there whole, and once. */
static uint64_t stored(const struct session *session, uint64_t from) {
    char query[900];
    (void)snprintf(
        query, sizeof(query),
        "select count(*) from generate_series(%llu, %llu) as n where "
        "(select count(*) from ampel.alert_row where number = 2 * n + 1) = 1 and "
        "(select count(*) from ampel.history_row where number = 2 * n) = 1 and "
        "(select count(*) from ampel.refusal_row where sequence = n) = 1",
        (unsigned long long)from + 1, (unsigned long long)session->position);
    return strtoull(owner_ask(query), NULL, 10);
}

static bool last_rows_are_right(const struct session *session) {
    char expected[80];
    (void)snprintf(expected, sizeof(expected), "%llu|%llu|%llu",
                   (unsigned long long)session->position,
                   (unsigned long long)(session->position % 1000),
                   (unsigned long long)session->position);
    return strcmp(owner_ask("select (select position from ampel.partition where partition = 0), "
                            "(select score from ampel.rating_row), "
                            "(select refusals from ampel.partition where partition = 0)"),
                  expected) == 0;
}

static void session_open(struct session *session, bool forgetful) {
    *session = (struct session){.forgetful = forgetful};
    session->worker = worker_open(client_url());
    own(session);
}

static void session_close(struct session *session) {
    ampel_parcel_loaded_free(session->loaded);
    ampel_parcel_tenants_free(session->tenants);
    worker_close(session->worker);
}

/* A life: a worker that claims, stores, is asked, and stores once more. Returns how many calls it made. */
static uint64_t live(struct session *session, enum fault fault, uint64_t fail_at) {
    worker_close(session->worker);
    ampel_parcel_loaded_free(session->loaded);
    session->loaded = NULL;
    session->worker = worker_open(client_url());
    calls.fault = fault;
    calls.fail_at = fail_at;
    calls.failed = NULL;
    calls.count = 0;
    calls.counted = true;
    own(session);
    store(session);
    read_back(session);
    store(session);
    calls.counted = false;
    return calls.count;
}

/* Returns how many checkpoints are not stored whole and once. */
static uint64_t sweep(struct session *session, enum fault fault, uint64_t points, uint64_t each) {
    uint64_t from = session->position, struck = 0;
    for (uint64_t i = (uint64_t)fault % each; i < points; i += each) {
        (void)live(session, fault, i);
        struck += calls.failed != NULL;
        if (!session->forgetful && !last_rows_are_right(session))
            fail_msg("%s call %llu (%s): the partition is not where it should be",
                     fault_names[fault], (unsigned long long)i, calls.failed);
    }
    print_message("%llu calls struck: %s\n", (unsigned long long)struck, fault_names[fault]);
    assert_true(struck > 0);
    return session->position - from - stored(session, from);
}

static void every_call_may_fail_and_each_checkpoint_is_stored_once(void **state) {
    (void)state;
    struct session session;
    const char *every = getenv("AMPEL_TEST_POINTS_EVERY");
    uint64_t each = every == NULL ? 17 : strtoull(every, NULL, 10);
    assert_true(each > 0);
    session_open(&session, false);
    uint64_t points = live(&session, LOST_BEFORE, UINT64_MAX);
    assert_true(points > 100);
    for (uint32_t fault = 0; fault < FAULTS_COUNT; fault++)
        assert_int_equal(sweep(&session, (enum fault)fault, points, each), 0);
    session_close(&session);
}

static void one_who_takes_a_broken_commit_for_done_is_found(void **state) {
    (void)state;
    struct session session;
    session_open(&session, true);
    calls.counted = true;
    calls.count = 0;
    calls.fail_at = 40;
    calls.fault = LOST_BEFORE;
    store(&session);
    calls.counted = false;
    assert_int_equal(stored(&session, 0), 0);
    session_close(&session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_call_may_fail_and_each_checkpoint_is_stored_once, fresh),
        cmocka_unit_test_setup(one_who_takes_a_broken_commit_for_done_is_found, fresh),
    };
    (void)client_url();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

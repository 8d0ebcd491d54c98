/* The database when the world fails: sessions that die before, in and after a commit, cancelled
 * statements, races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/database/client.h"
#include "tests/database/fixture.h"
#include "tests/database/sample.h"
#include "workers/pq.h"
#include "workers/tenants.h"

/* ---- failures of the world ------------------------------------------------------------------ */

static void a_session_ended_before_its_commit_did_nothing_and_comes_back(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    struct ampel_database_system system;
    void *context = worker->database.context;
    assert_true(worker->database.noticed(context)); /* a new session knows nothing */
    assert_false(worker->database.noticed(context));
    owner_do("select pg_terminate_backend(pid) from pg_stat_activity "
             "where application_name = 'ampel-worker' and datname = current_database()");
    assert_int_equal(commit(worker, &checkpoint), AMPEL_DATABASE_AWAY);
    assert_int_equal(worker->database.notice_fd(context), -1);
    assert_int_equal(commit(worker, &checkpoint), AMPEL_DATABASE_AWAY);
    assert_int_equal(worker->database.connect(context, &system, &worker->error), AMPEL_DATABASE_OK);
    assert_true(worker->database.noticed(context));
    committed(worker, &checkpoint);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void an_idle_session_that_dies_is_found_dead_by_its_socket(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    void *context = worker->database.context;
    assert_true(worker->database.noticed(context));
    struct pollfd fd = {.fd = worker->database.notice_fd(context), .events = POLLIN};
    owner_do("select pg_terminate_backend(pid) from pg_stat_activity "
             "where application_name = 'ampel-worker' and datname = current_database()");
    assert_int_equal(poll(&fd, 1, 10000), 1);
    (void)worker->database.noticed(context);
    /* The farewell and the end of the stream may come apart. */
    for (int i = 0; i < 100 && worker->database.notice_fd(context) != -1; i++) {
        (void)poll(&fd, 1, 100);
        (void)worker->database.noticed(context);
    }
    assert_int_equal(worker->database.notice_fd(context), -1);
    worker_close(worker);
}

/* A trigger that ends its own session at COMMIT: the server dies before the commit is done. */
static void a_session_that_dies_in_its_commit_leaves_the_outcome_unknown(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    struct ampel_database_system system;
    uint64_t epoch, position;
    void *context = worker->database.context;
    owner_do("create function ampel.die() returns trigger language plpgsql as "
             "$$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); "
             "return null; end $$; "
             "create constraint trigger die after update on ampel.partition deferrable initially "
             "deferred "
             "for each row execute function ampel.die()");
    assert_int_equal(commit(worker, &checkpoint), AMPEL_DATABASE_UNKNOWN);
    assert_int_equal(worker->database.connect(context, &system, &worker->error), AMPEL_DATABASE_OK);
    assert_int_equal(worker->database.position(context, 0, &epoch, &position, &worker->error),
                     AMPEL_DATABASE_OK);
    assert_int_equal(epoch, loaded->epoch);
    assert_int_equal(position, 0);
    owner_do("drop function ampel.die() cascade");
    committed(worker, &checkpoint);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

/* Does something to the first session that waits in a way that matches, from outside, and runs
 * statements afterwards. */
static void *ender(void *argument) {
    const char *const *texts = argument; /* condition, function, statements */
    struct client *client =
        client_open(client_superuser_url() != NULL ? client_superuser_url() : client_url());
    char query[512];
    snprintf(query, sizeof(query),
             "select count(%s(pid)) from pg_stat_activity where application_name = 'ampel-worker' "
             "and datname = current_database() and %s",
             texts[1], texts[0]);
    for (int i = 0; i < 1000; i++) {
        if (strcmp(client_ask(client, query), "0") != 0) break;
        (void)poll(NULL, 0, 10);
    }
    for (int i = 2; texts[i] != NULL; i++)
        client_do(client, texts[i]);
    client_close(client);
    return NULL;
}

/* The other half of unknown: a commit that is done waits for a standby that does not exist, and its
 * session dies before it answers. */
static void a_commit_that_was_done_and_never_answered_is_found_by_its_position(void **state) {
    (void)state;
    if (client_superuser_url() == NULL) {
        print_message("skipped: no AMPEL_TEST_SUPERUSER_URL\n");
        skip();
    }
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    struct ampel_database_system system;
    uint64_t epoch, position;
    void *context = worker->database.context;
    /* On its way out the session drops its temporary tables, which would wait for the standby, too.
     */
    static const char *const texts[] = {"wait_event = 'SyncRep'", "pg_terminate_backend",
                                        "alter system reset synchronous_standby_names",
                                        "select pg_reload_conf()", NULL};
    struct client *superuser = client_open(client_superuser_url());
    client_do(superuser, "alter system set synchronous_standby_names = 'nobody'");
    client_do(superuser, "select pg_reload_conf()");
    (void)poll(NULL, 0, 300);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ender, (void *)(uintptr_t)texts), 0);
    enum ampel_database_status status = commit(worker, &checkpoint);
    assert_int_equal(pthread_join(thread, NULL), 0);
    client_close(superuser);
    assert_int_equal(status, AMPEL_DATABASE_UNKNOWN);
    assert_int_equal(worker->database.connect(context, &system, &worker->error), AMPEL_DATABASE_OK);
    assert_int_equal(worker->database.position(context, 0, &epoch, &position, &worker->error),
                     AMPEL_DATABASE_OK);
    assert_int_equal(position, 5);
    assert_int_equal(commit(worker, &checkpoint), AMPEL_DATABASE_FENCED);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void a_canceled_statement_is_rolled_back_and_the_same_checkpoint_passes_later(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row rating = sample_rating("acme", "S1", 100);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    checkpoint.ratings_count = 1;
    checkpoint.ratings = &rating;
    static const char *const texts[] = {"wait_event_type = 'Lock'", "pg_cancel_backend", NULL};
    /* Somebody holds the table of ratings. */
    struct client *holder = client_open(client_url());
    client_do(holder, "begin; lock table ampel.rating_row");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ender, (void *)(uintptr_t)texts), 0);
    enum ampel_database_status status = commit(worker, &checkpoint);
    assert_int_equal(pthread_join(thread, NULL), 0);
    client_do(holder, "rollback");
    client_close(holder);
    assert_int_equal(status, AMPEL_DATABASE_RETRY);
    assert_string_equal(worker->error.field, "rating_merge");
    assert_string_equal(owner_ask("select position from ampel.partition where partition = 0"), "0");
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select count(*) from ampel.rating"), "1");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

/* As a worker that was stopped there does: PostgreSQL waits for the rest of its COPY and looks at no timeout. */
static void a_worker_that_begins_ends_one_that_is_stuck_in_a_copy(void **state) {
    (void)state;
    struct worker *old = worker_open(client_url());
    struct worker *new = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(old, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    struct ampel_pq *pq = ampel_pq_open();
    struct ampel_error error = {0};
    assert_non_null(pq);
    assert_int_equal(ampel_pq_connect(pq, client_url(), "test", &error), AMPEL_DATABASE_OK);
    assert_int_equal(ampel_pq_script(pq, "stuck",
                                     "create temporary table stuck (bytes bytea); begin; "
                                     "select 1 from ampel.system for share; "
                                     "update ampel.partition set position = 7 where partition = 0; "
                                     "copy stuck from stdin",
                                     &error),
                     AMPEL_DATABASE_OK);
    struct ampel_parcel_tenants *tenants;
    void *context = new->database.context;
    assert_int_equal(new->database.begin(context, &tenants, &new->error), AMPEL_DATABASE_RETRY);
    assert_non_null(strstr(new->error.reason, "connections of earlier workers ended: 1"));
    assert_int_equal(new->database.begin(context, &tenants, &new->error), AMPEL_DATABASE_OK);
    struct ampel_parcel_loaded *taken = claimed(new, 0);
    assert_int_equal(taken->position, 0);
    assert_int_equal(commit(old, &checkpoint), AMPEL_DATABASE_FENCED);
    ampel_parcel_tenants_free(tenants);
    ampel_parcel_loaded_free(taken);
    ampel_parcel_loaded_free(loaded);
    ampel_pq_close(pq);
    worker_close(old);
    worker_close(new);
}

static void a_new_tenant_key_or_suspension_is_noticed(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_error error = {0};
    void *context = worker->database.context;
    assert_true(worker->database.noticed(context));
    struct pollfd fd = {.fd = worker->database.notice_fd(context), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(ampel_tenant_suspend(client_url(), "acme", true, &error), AMPEL_DATABASE_OK);
    assert_int_equal(poll(&fd, 1, 10000), 1);
    assert_true(worker->database.noticed(context));
    assert_false(worker->database.noticed(context));
    /* One that comes along with an answer is not lost, though the socket stays silent afterwards.
     */
    assert_int_equal(ampel_tenant_suspend(client_url(), "bravo", true, &error), AMPEL_DATABASE_OK);
    (void)poll(NULL, 0, 200);
    struct ampel_parcel_tenants *tenants;
    assert_int_equal(worker->database.tenants(context, &tenants, &worker->error),
                     AMPEL_DATABASE_OK);
    assert_true(worker->database.noticed(context));
    assert_int_equal(tenants->keys_count, 2);
    assert_true(tenants->keys[0].suspended && tenants->keys[1].suspended);
    ampel_parcel_tenants_free(tenants);
    worker_close(worker);
}

static void *month_in_thread(void *argument) {
    uint32_t partition = *(const uint32_t *)argument;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, partition);
    struct ampel_told told[24];
    for (uint32_t i = 0; i < 24; i++)
        told[i] = sample_told("acme", AMPEL_CHANGE_SCORE, 1 + partition + 4 * i,
                              SAMPLE_AT_MS + (int64_t)i * 31 * AMPEL_DAY_MS);
    enum ampel_database_status status;
    /* A deadlock or timeout is no fault: the scribe does it again, too. */
    do
        status = tell(worker, loaded, 0, told, 24);
    while (status == AMPEL_DATABASE_RETRY);
    if (status != AMPEL_DATABASE_OK)
        print_error("%s: %s\n", worker->error.field, worker->error.reason);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
    return status == AMPEL_DATABASE_OK ? NULL : argument;
}

static void workers_that_need_the_same_new_months_all_get_them(void **state) {
    (void)state;
    pthread_t threads[4];
    uint32_t partitions[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, month_in_thread, &partitions[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_string_equal(
        owner_ask("select count(*), count(distinct tableoid) from ampel.history_row"), "96|24");
}

static void a_server_that_is_silent_for_longer_than_the_patience_is_away(void **state) {
    (void)state;
    struct ampel_error error = {0};
    struct ampel_pq *pq = ampel_pq_open();
    assert_non_null(pq);
    assert_int_equal(ampel_pq_connect(pq, client_url(), "test", &error), AMPEL_DATABASE_OK);
    ampel_pq_patience(pq, -1);
    assert_int_equal(ampel_pq_script(pq, "long", "select pg_sleep(0.3)", &error), AMPEL_DATABASE_OK);
    ampel_pq_patience(pq, 100);
    assert_int_equal(ampel_pq_script(pq, "long", "select pg_sleep(30)", &error), AMPEL_DATABASE_AWAY);
    assert_string_equal(error.reason, "no answer");
    assert_false(ampel_pq_connected(pq));
    ampel_pq_close(pq);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workers_that_need_the_same_new_months_all_get_them, fresh),
        cmocka_unit_test_setup(a_session_ended_before_its_commit_did_nothing_and_comes_back, fresh),
        cmocka_unit_test_setup(an_idle_session_that_dies_is_found_dead_by_its_socket, fresh),
        cmocka_unit_test_setup(a_session_that_dies_in_its_commit_leaves_the_outcome_unknown, fresh),
        cmocka_unit_test_setup(a_commit_that_was_done_and_never_answered_is_found_by_its_position,
                               fresh),
        cmocka_unit_test_setup(
            a_canceled_statement_is_rolled_back_and_the_same_checkpoint_passes_later, fresh),
        cmocka_unit_test_setup(a_worker_that_begins_ends_one_that_is_stuck_in_a_copy, fresh),
        cmocka_unit_test_setup(a_new_tenant_key_or_suspension_is_noticed, fresh),
        cmocka_unit_test_setup(a_server_that_is_silent_for_longer_than_the_patience_is_away, fresh),
    };
    (void)client_url();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

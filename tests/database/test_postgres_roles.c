/* Who sees what: tenants their own rows, members of ampel_worker all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/database/client.h"
#include "tests/database/fixture.h"
#include "tests/database/sample.h"

/* ---- who sees what -------------------------------------------------------------------------- */

/* One row of every kind for both tenants. */
static void fill(struct worker *worker) {
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row ratings[] = {sample_rating("acme", "S1", 1),
                                         sample_rating("bravo", "S1", 2)};
    struct ampel_violation_row violations[] = {sample_violation("acme", "S1", "v"),
                                               sample_violation("bravo", "S1", "v")};
    struct ampel_refusal_row refusals[] = {sample_refusal("acme", 1), sample_refusal("bravo", 1)};
    struct ampel_told told[] = {sample_told("acme", AMPEL_CHANGE_SCORE, 1, SAMPLE_AT_MS),
                                sample_told("bravo", AMPEL_CHANGE_SCORE, 1, SAMPLE_AT_MS),
                                sample_told("acme", AMPEL_CHANGE_RISK, 1, SAMPLE_AT_MS),
                                sample_told("bravo", AMPEL_CHANGE_RISK, 1, SAMPLE_AT_MS)};
    struct ampel_parcel_out out = {.parcel = {AMPEL_PARCEL_OUT}, .told_count = 4, .told = told, .rules = sample_face()};
    struct ampel_parcel_out *outs[] = {&out};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 5);
    checkpoint.ratings_count = checkpoint.violations_count = checkpoint.refusals_count = 2;
    checkpoint.ratings = ratings;
    checkpoint.violations = violations;
    checkpoint.refusals = refusals;
    checkpoint.outs_count = 1;
    checkpoint.outs = outs;
    committed(worker, &checkpoint);
    ampel_parcel_loaded_free(loaded);
}

static const char *const views[] = {"rating", "violation", "alert", "rating_history", "refusal"};

/* Which tenants the client sees in a view. */
static const char *seen(struct client *client, const char *view) {
    char query[256];
    snprintf(query, sizeof(query), "select string_agg(tenant, ' ' order by tenant) from ampel.%s",
             view);
    return client_ask(client, query);
}

/* A role that can log in and is a member of another; dropped first where an earlier run left it. */
static struct client *login(const char *role, const char *member_of) {
    char make[512];
    struct client *superuser = client_open(client_superuser_url());
    snprintf(make, sizeof(make),
             "drop role if exists %s; create role %s login password '%s'; "
             "do $$ begin if '%s' <> '' then execute 'grant %s to %s'; end if; end $$",
             role, role, client_password(), member_of, member_of, role);
    client_do(superuser, make);
    client_close(superuser);
    return client_open(client_url_as(role));
}

static void a_tenants_role_sees_that_tenant_alone_in_every_view(void **state) {
    (void)state;
    if (client_superuser_url() == NULL) {
        print_message("skipped: no AMPEL_TEST_SUPERUSER_URL\n");
        skip();
    }
    struct worker *worker = worker_open(client_url());
    fill(worker);
    struct client *ada = login("test_ada", "ampel_tenant_acme"),
                  *bob = login("test_bob", "ampel_tenant_bravo"),
                  *eve = login("test_eve", "ampel_reader");
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(views); i++) {
        char query[256];
        snprintf(query, sizeof(query),
                 "select string_agg(tenant, ' ' order by tenant) from ampel.%s", views[i]);
        assert_string_equal(owner_ask(query), "acme bravo");
        assert_string_equal(seen(ada, views[i]), "acme");
        assert_string_equal(seen(bob, views[i]), "bravo");
        assert_string_equal(seen(eve, views[i]), "");
    }
    assert_string_equal(client_ask(ada, "select string_agg(tenant, ' ') from ampel.history_row"),
                        "acme");
    assert_string_equal(client_ask(ada, "select ampel.tenants_of('ampel_tenant_bravo')"), "{}");
    /* A superuser who takes the role is held to it, too. */
    struct client *superuser = client_open(client_superuser_url());
    client_do(superuser, "set role ampel_tenant_acme");
    assert_string_equal(seen(superuser, "rating"), "acme");
    client_close(superuser);
    client_close(ada);
    client_close(bob);
    client_close(eve);
    worker_close(worker);
}

static void a_tenants_role_reads_nothing_else_and_writes_nothing(void **state) {
    (void)state;
    static const char *const forbidden[] = {
        "select * from ampel.page",
        "select * from ampel.meta",
        "select * from ampel.tenant",
        "select * from ampel.tenant_key",
        "select * from ampel.system",
        "select * from ampel.stream_number",
        "select epoch from ampel.partition",
        "select * from ampel.history_2026_10",
        "select * from ampel.migration",
        "insert into ampel.tenant (tenant) values ('x')",
        "update ampel.rating_row set score = 1000",
        "delete from ampel.violation_row",
        "update ampel.rating set score = 1000",
        "select ampel.history_month_make('2030-01-01')",
        "select ampel.tenant_role_make('bravo')",
        "create table ampel.own (a int)",
    };
    if (client_superuser_url() == NULL) {
        print_message("skipped: no AMPEL_TEST_SUPERUSER_URL\n");
        skip();
    }
    struct worker *worker = worker_open(client_url());
    fill(worker);
    struct client *ada = login("test_ada", "ampel_tenant_acme");
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(forbidden); i++) {
        const char *code = client_refusal(ada, forbidden[i]);
        if (strcmp(code, "42501") != 0) fail_msg("'%s' ended with '%s'", forbidden[i], code);
    }
    client_close(ada);
    worker_close(worker);
}

static void a_member_of_ampel_worker_commits_without_owning_anything(void **state) {
    (void)state;
    if (client_superuser_url() == NULL) {
        print_message("skipped: no AMPEL_TEST_SUPERUSER_URL\n");
        skip();
    }
    struct client *client = login("test_worker", "ampel_worker");
    struct worker *worker = worker_open(client_url_as("test_worker"));
    struct ampel_parcel_tenants *tenants;
    assert_int_equal(worker->database.begin(worker->database.context, &tenants, &worker->error),
                     AMPEL_DATABASE_OK);
    assert_int_equal(tenants->keys_count, 2);
    ampel_parcel_tenants_free(tenants);
    owner_do("update ampel.system set stream_epoch = 7"); /* that of sample checkpoints */
    fill(worker);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(views); i++)
        assert_string_equal(seen(client, views[i]), "acme bravo");
    struct ampel_parcel_answer *answer = asked(worker, "bravo", AMPEL_STREAM_SCORES, 0, 10);
    assert_int_equal(answer->rows_count, 1);
    ampel_parcel_answer_free(answer);
    client_close(client);
    worker_close(worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_tenants_role_sees_that_tenant_alone_in_every_view, fresh),
        cmocka_unit_test_setup(a_tenants_role_reads_nothing_else_and_writes_nothing, fresh),
        cmocka_unit_test_setup(a_member_of_ampel_worker_commits_without_owning_anything, fresh),
    };
    (void)client_url();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

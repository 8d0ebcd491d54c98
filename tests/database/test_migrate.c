/* Migrations and tenants against a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/database/client.h"
#include "workers/migrate.h"
#include "workers/pq.h"
#include "workers/tenants.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb="

static int empty(void **state) {
    (void)state;
    owner_do("drop schema if exists ampel cascade");
    return 0;
}

static enum ampel_database_status migrate(uint32_t partitions, struct ampel_migrate_result *out,
                                          struct ampel_error *error) {
    const struct ampel_migrate_options options = {.url = client_url(), .partitions = partitions};
    memset(error, 0, sizeof(*error));
    return ampel_migrate(&options, out, error);
}

static void migrated(uint32_t partitions) {
    struct ampel_migrate_result result;
    struct ampel_error error;
    if (migrate(partitions, &result, &error) != AMPEL_DATABASE_OK)
        fail_msg("%s: %s", error.field, error.reason);
}

/* What a worker does first. */
static enum ampel_database_status check(struct ampel_error *error) {
    struct ampel_database_system system;
    struct ampel_pq *pq = ampel_pq_open();
    assert_non_null(pq);
    memset(error, 0, sizeof(*error));
    assert_int_equal(ampel_pq_connect(pq, client_url(), "test", error), AMPEL_DATABASE_OK);
    enum ampel_database_status status = ampel_migrate_check(pq, &system, error);
    ampel_pq_close(pq);
    return status;
}

static void a_second_migration_finds_everything_applied_and_the_same_system(void **state) {
    (void)state;
    struct ampel_migrate_result first, second;
    struct ampel_error error;
    assert_int_equal(migrate(8, &first, &error), AMPEL_DATABASE_OK);
    assert_int_equal(first.applied_count, ampel_sql_migrations_count);
    assert_int_equal(first.system.partitions, 8);
    assert_string_equal(
        owner_ask("select count(*), min(partition), max(partition) from ampel.partition"), "8|0|7");
    assert_int_equal(migrate(0, &second, &error), AMPEL_DATABASE_OK);
    assert_int_equal(second.applied_count, 0);
    assert_int_equal(second.known_count, ampel_sql_migrations_count);
    assert_true(first.system.id != 0);
    assert_true(second.system.id == first.system.id);
    assert_int_equal(second.system.partitions, 8);
    assert_int_equal(check(&error), AMPEL_DATABASE_OK);
}

static void the_number_of_partitions_is_fixed_once(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error;
    assert_int_equal(migrate(AMPEL_PARTITIONS_MAX + 1, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "partitions");
    migrated(0);
    assert_string_equal(owner_ask("select partitions from ampel.system"), "64");
    assert_int_equal(migrate(32, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "partitions");
    assert_int_equal(migrate(64, &result, &error), AMPEL_DATABASE_OK);
}

static void an_empty_database_is_told_to_be_migrated(void **state) {
    (void)state;
    struct ampel_error error;
    assert_int_equal(check(&error), AMPEL_DATABASE_BROKEN);
    assert_non_null(strstr(error.reason, "ampel migrate"));
}

static void a_database_that_lacks_a_migration_is_refused_by_name(void **state) {
    (void)state;
    struct ampel_error error;
    char last[128];
    migrated(4);
    snprintf(last, sizeof(last), "delete from ampel.migration where name = '%s'",
             ampel_sql_migrations[ampel_sql_migrations_count - 1].name);
    owner_do(last);
    assert_int_equal(check(&error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, ampel_sql_migrations[ampel_sql_migrations_count - 1].name);
}

static void a_migration_changed_after_it_was_applied_is_named(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error;
    migrated(4);
    owner_do(
        "update ampel.migration set checksum = encode(sha256('other'), 'hex') where number = 2");
    assert_int_equal(migrate(0, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "0002_partition");
    assert_int_equal(check(&error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "0002_partition");
}

static void a_database_newer_than_the_program_is_refused_by_name(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error;
    migrated(4);
    owner_do(
        "insert into ampel.migration (number, name, checksum) values (9000, '9000_later', 'x')");
    assert_int_equal(migrate(0, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "9000_later");
    assert_int_equal(check(&error), AMPEL_DATABASE_BROKEN);
    assert_non_null(strstr(error.reason, "9000_later"));
}

static void a_migration_that_fails_leaves_nothing_and_those_before_it_stay(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error = {0};
    const struct ampel_sql_text texts[] = {
        {"0001_fine", "create table ampel.fine (a int); create table ampel.fine_too (a int);"},
        {"0002_broken", "create table ampel.half (a int); create table ampel.half (a int);"},
        {"0003_never", "create table ampel.never (a int);"},
    };
    const struct ampel_migrate_options options = {
        .url = client_url(), .migrations = texts, .migrations_count = 3};
    assert_int_equal(ampel_migrate(&options, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "0002_broken");
    assert_non_null(strstr(error.reason, "already exists"));
    assert_string_equal(owner_ask("select string_agg(relname, ' ' order by relname) from pg_class "
                                  "where relnamespace = 'ampel'::regnamespace and relkind = 'r'"),
                        "fine fine_too migration");
    assert_string_equal(owner_ask("select string_agg(name, ' ') from ampel.migration"),
                        "0001_fine");
}

static void *migrate_in_thread(void *applied) {
    struct ampel_migrate_result result = {0};
    struct ampel_error error;
    enum ampel_database_status status = migrate(4, &result, &error);
    *(int64_t *)applied = status == AMPEL_DATABASE_OK ? (int64_t)result.applied_count : -1;
    return NULL;
}

static void several_migrations_at_once_apply_each_one_once(void **state) {
    (void)state;
    pthread_t threads[4];
    int64_t applied[4], total = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_in_thread, &applied[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(applied[i] >= 0);
        total += applied[i];
    }
    assert_int_equal(total, ampel_sql_migrations_count);
}

static void a_server_that_is_not_there_is_away_and_a_wrong_name_is_broken(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error = {0};
    struct ampel_migrate_options options = {.url = "host=/nowhere dbname=ampel"};
    assert_int_equal(ampel_migrate(&options, &result, &error), AMPEL_DATABASE_AWAY);
    assert_true(error.reason[0] != 0);
    options.url = "postgresql://[";
    assert_int_equal(ampel_migrate(&options, &result, &error), AMPEL_DATABASE_BROKEN);
    options.url = client_url_as("nobody_of_this_name");
    assert_int_equal(ampel_migrate(&options, &result, &error), AMPEL_DATABASE_BROKEN);
    assert_true(error.reason[0] != 0);
}

/* ---- row security --------------------------------------------------------------------------- */

static void every_table_with_a_tenant_column_forces_row_security(void **state) {
    (void)state;
    migrated(4);
    owner_do(
        "select ampel.history_month_make('2026-10-05'), ampel.history_month_make('2026-10-06')");
    assert_string_equal(
        owner_ask("select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid "
                  "where c.relnamespace = 'ampel'::regnamespace and c.relkind in ('r', 'p') "
                  "and a.attname = 'tenant' and not (c.relrowsecurity and c.relforcerowsecurity)"),
        "");
    assert_string_equal(
        owner_ask(
            "select string_agg(c.relname, ' ' order by c.relname collate \"C\") from pg_class c "
            "where c.relnamespace = 'ampel'::regnamespace and c.relkind in ('r', 'p') "
            "and c.relforcerowsecurity"),
        "alert_row beside_row case_account_row case_event_row case_log_row case_row clock_row history_2026_10 "
        "history_row rating_row refusal_row stream_number "
        "tenant "
        "tenant_key "
        "violation_row");
    assert_string_equal(
        owner_ask(
            "select relname from pg_class where relnamespace = 'ampel'::regnamespace "
            "and relkind = 'v' and not coalesce(reloptions @> '{security_invoker=true}', false)"),
        "");
}

static void the_views_are_there_and_rating_has_its_columns(void **state) {
    (void)state;
    migrated(4);
    assert_string_equal(
        owner_ask("select string_agg(attname, ',' order by attnum) from pg_attribute "
                  "where attrelid = 'ampel.rating'::regclass"),
        "tenant,seller,marketplace,score,status,risk,orders,order_points,deducted,infringement_"
        "count,"
        "restricted_count,as_of,rules_version,score_min,score_max,next_change_at,turns_green_at,"
        "turns_yellow_at,turns_red_at,score_without_incidents,incidents");
    assert_string_equal(
        owner_ask("select string_agg(relname, ' ' order by relname collate \"C\") from pg_class "
                  "where relnamespace = 'ampel'::regnamespace and relkind = 'v'"),
        "alert assurance case_clock case_log case_step deadline drift fix forecast incident incident_case metric missing outlook rating rating_history refusal takeover violation");
}

/* ---- tenants -------------------------------------------------------------------------------- */

static void added(const char *tenant, const char *key, bool expected) {
    struct ampel_error error = {0};
    bool is_new = false;
    char role[AMPEL_ID_BYTES_MAX];
    if (ampel_tenant_add(client_url(), tenant, key, &is_new, role, &error) != AMPEL_DATABASE_OK)
        fail_msg("%s: %s: %s", tenant, error.field, error.reason);
    assert_int_equal(is_new, expected);
    assert_memory_equal(role, "ampel_tenant_", 13);
}

static void a_tenant_is_added_once_with_its_role_and_key(void **state) {
    (void)state;
    migrated(4);
    added("acme", KEY_A, true);
    added("acme", KEY_A, false);
    assert_string_equal(owner_ask("select rolcanlogin, pg_has_role(oid, 'ampel_reader', 'member') "
                                  "from pg_roles where rolname = 'ampel_tenant_acme'"),
                        "f|t");
    assert_string_equal(owner_ask("select tenant, public_key from ampel.tenant_key"),
                        "acme|" KEY_A);
}

static void odd_and_long_names_of_tenants_get_a_role_of_their_own(void **state) {
    (void)state;
    static const char *const names[] = {
        "a\"b'c\\d;--",
        "%s$1",
        "Acme",
        "acme",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy",
    };
    migrated(4);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
        added(names[i], NULL, true);
    assert_string_equal(owner_ask("select count(distinct role) from ampel.tenant "
                                  "join pg_roles on rolname = role"),
                        "6");
}

static void bad_names_and_keys_are_refused_with_their_field(void **state) {
    (void)state;
    static const struct {
        const char *tenant, *key, *field;
    } rows[] = {
        {"", NULL, "tenant"},
        {"a b", NULL, "tenant"},
        {"a/b", NULL, "tenant"},
        {"\xc3\xa4", NULL, "tenant"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL, "tenant"},
        {"acme", "short", "key"},
        {"acme", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", "key"},
        {"acme", KEY_A "a", "key"},
    };
    struct ampel_error error;
    bool is_new;
    char role[AMPEL_ID_BYTES_MAX];
    migrated(4);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        assert_int_equal(
            ampel_tenant_add(client_url(), rows[i].tenant, rows[i].key, &is_new, role, &error),
            AMPEL_DATABASE_BROKEN);
        assert_string_equal(error.field, rows[i].field);
    }
    assert_string_equal(owner_ask("select count(*) from ampel.tenant"), "0");
}

static uint32_t keys_of(const char *tenant, char first[AMPEL_PUBLIC_KEY_SIZE + 1]) {
    struct ampel_error error;
    struct ampel_tenant_key_row *keys;
    uint32_t count;
    assert_int_equal(ampel_tenant_key_list(client_url(), tenant, &keys, &count, &error),
                     AMPEL_DATABASE_OK);
    memcpy(first, keys[0].public_key, AMPEL_PUBLIC_KEY_SIZE + 1);
    free(keys);
    return count;
}

static void
a_key_belongs_to_one_tenant_and_a_revoked_one_is_gone_until_it_is_given_back(void **state) {
    (void)state;
    struct ampel_error error = {0};
    bool is_new;
    char role[AMPEL_ID_BYTES_MAX], first[AMPEL_PUBLIC_KEY_SIZE + 1];
    const char *url = client_url();
    migrated(4);
    added("acme", KEY_A, true);
    assert_int_equal(ampel_tenant_add(url, "bravo", KEY_A, &is_new, role, &error),
                     AMPEL_DATABASE_BROKEN);
    assert_string_equal(error.field, "key");
    /* The failed call left no tenant behind. */
    assert_string_equal(owner_ask("select string_agg(tenant, ' ') from ampel.tenant"), "acme");
    assert_int_equal(ampel_tenant_key(url, "nobody", KEY_B, false, &error), AMPEL_DATABASE_BROKEN);
    assert_int_equal(ampel_tenant_key(url, "acme", KEY_B, true, &error), AMPEL_DATABASE_BROKEN);
    assert_int_equal(ampel_tenant_key(url, "acme", KEY_B, false, &error), AMPEL_DATABASE_OK);
    assert_int_equal(ampel_tenant_key(url, "acme", KEY_A, true, &error), AMPEL_DATABASE_OK);
    assert_int_equal(keys_of("acme", first), 1);
    assert_string_equal(first, KEY_B);
    assert_int_equal(ampel_tenant_key(url, "acme", KEY_A, false, &error), AMPEL_DATABASE_OK);
    assert_int_equal(keys_of("acme", first), 2);
}

static void a_suspended_tenant_is_listed_as_such_until_it_is_let_in_again(void **state) {
    (void)state;
    struct ampel_error error = {0};
    struct ampel_tenant_row *tenants;
    uint32_t count;
    const char *url = client_url();
    migrated(4);
    added("bravo", KEY_B, true);
    added("acme", KEY_A, true);
    assert_int_equal(ampel_tenant_suspend(url, "nobody", true, &error), AMPEL_DATABASE_BROKEN);
    assert_int_equal(ampel_tenant_suspend(url, "bravo", true, &error), AMPEL_DATABASE_OK);
    assert_int_equal(ampel_tenant_list(url, &tenants, &count, &error), AMPEL_DATABASE_OK);
    assert_int_equal(count, 2);
    assert_string_equal(tenants[0].tenant, "acme");
    assert_false(tenants[0].suspended);
    assert_int_equal(tenants[0].keys_count, 1);
    assert_string_equal(tenants[1].tenant, "bravo");
    assert_string_equal(tenants[1].role, "ampel_tenant_bravo");
    assert_true(tenants[1].suspended);
    assert_true(tenants[1].created_at_ms > INT64_C(1600000000000));
    free(tenants);
    assert_int_equal(ampel_tenant_suspend(url, "bravo", false, &error), AMPEL_DATABASE_OK);
    assert_string_equal(
        owner_ask("select count(*) from ampel.tenant where suspended_at is not null"), "0");
}

static void without_the_right_to_make_roles_everything_but_the_tenants_roles_works(void **state) {
    (void)state;
    struct ampel_error error = {0};
    struct ampel_migrate_result result;
    bool is_new;
    char role[AMPEL_ID_BYTES_MAX];
    if (client_superuser_url() == NULL) {
        print_message("skipped: no AMPEL_TEST_SUPERUSER_URL\n");
        skip();
    }
    struct client *superuser = client_open(client_superuser_url());
    char make[512];
    snprintf(
        make, sizeof(make),
        "drop role if exists ampel_plain; create role ampel_plain login password '%s'; do $$ begin "
        "execute format('grant create on database %%I to ampel_plain', current_database()); end $$",
        client_password());
    client_do(superuser, make);
    const struct ampel_migrate_options options = {.url = client_url_as("ampel_plain"),
                                                  .partitions = 4};
    enum ampel_database_status status = ampel_migrate(&options, &result, &error);
    if (status == AMPEL_DATABASE_OK)
        status = ampel_tenant_add(options.url, "only-here", KEY_A, &is_new, role, &error);
    client_do(superuser,
              "drop schema ampel cascade; drop owned by ampel_plain; drop role ampel_plain");
    client_close(superuser);
    if (status != AMPEL_DATABASE_OK) fail_msg("%s: %s", error.field, error.reason);
    assert_string_equal(role, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_second_migration_finds_everything_applied_and_the_same_system,
                               empty),
        cmocka_unit_test_setup(the_number_of_partitions_is_fixed_once, empty),
        cmocka_unit_test_setup(an_empty_database_is_told_to_be_migrated, empty),
        cmocka_unit_test_setup(a_database_that_lacks_a_migration_is_refused_by_name, empty),
        cmocka_unit_test_setup(a_migration_changed_after_it_was_applied_is_named, empty),
        cmocka_unit_test_setup(a_database_newer_than_the_program_is_refused_by_name, empty),
        cmocka_unit_test_setup(a_migration_that_fails_leaves_nothing_and_those_before_it_stay,
                               empty),
        cmocka_unit_test_setup(several_migrations_at_once_apply_each_one_once, empty),
        cmocka_unit_test_setup(a_server_that_is_not_there_is_away_and_a_wrong_name_is_broken,
                               empty),
        cmocka_unit_test_setup(every_table_with_a_tenant_column_forces_row_security, empty),
        cmocka_unit_test_setup(the_views_are_there_and_rating_has_its_columns, empty),
        cmocka_unit_test_setup(a_tenant_is_added_once_with_its_role_and_key, empty),
        cmocka_unit_test_setup(odd_and_long_names_of_tenants_get_a_role_of_their_own, empty),
        cmocka_unit_test_setup(bad_names_and_keys_are_refused_with_their_field, empty),
        cmocka_unit_test_setup(
            a_key_belongs_to_one_tenant_and_a_revoked_one_is_gone_until_it_is_given_back, empty),
        cmocka_unit_test_setup(a_suspended_tenant_is_listed_as_such_until_it_is_let_in_again,
                               empty),
        cmocka_unit_test_setup(
            without_the_right_to_make_roles_everything_but_the_tenants_roles_works, empty),
    };
    (void)client_url();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The database of workers/database.h in a real PostgreSQL: fences, checkpoints, outbox. */
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

#include "engine/registry.h"
#include "tests/database/client.h"
#include "tests/database/fixture.h"
#include "tests/database/sample.h"

/* ---- session, epochs, fences ---------------------------------------------------------------- */

static void each_start_takes_the_next_epoch_of_the_streams(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_tenants *first, *second;
    void *context = worker->database.context;
    assert_int_equal(worker->database.begin(context, &first, &worker->error), AMPEL_DATABASE_OK);
    assert_int_equal(worker->database.begin(context, &second, &worker->error), AMPEL_DATABASE_OK);
    assert_int_equal(first->epoch, 8);
    assert_int_equal(second->epoch, 9);
    assert_int_equal(first->numbers_count, 0);
    assert_int_equal(first->keys_count, 2);
    assert_string_equal(first->keys[0].tenant, "acme");
    assert_string_equal(first->keys[0].public_key, KEY_A);
    assert_false(first->keys[0].suspended);
    ampel_parcel_free(&first->parcel);
    ampel_parcel_free(&second->parcel);
    worker_close(worker);
}

static void a_fresh_partition_is_claimed_empty_at_position_zero(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 3);
    assert_int_equal(loaded->epoch, 1);
    assert_int_equal(loaded->position, 0);
    assert_null(loaded->meta);
    assert_int_equal(loaded->pages_count, 0);
    ampel_parcel_loaded_free(loaded);
    assert_int_equal(worker->database.claim(worker->database.context, 4, &loaded, &worker->error),
                     AMPEL_DATABASE_BROKEN);
    worker_close(worker);
}

static void an_older_owner_is_fenced_and_changes_nothing(void **state) {
    (void)state;
    struct worker *old = worker_open(client_url()), *new = worker_open(client_url());
    struct ampel_parcel_loaded *old_claim = claimed(old, 0), *new_claim = claimed(new, 0);
    assert_int_equal(new_claim->epoch, old_claim->epoch + 1);
    struct ampel_rating_row rating = sample_rating("acme", "S1", 100);
    struct ampel_checkpoint late = sample_checkpoint(old_claim, 10);
    late.ratings_count = 1;
    late.ratings = &rating;
    assert_int_equal(commit(old, &late), AMPEL_DATABASE_FENCED);
    assert_string_equal(owner_ask("select count(*) from ampel.rating"), "0");
    struct ampel_checkpoint checkpoint = sample_checkpoint(new_claim, 10);
    committed(new, &checkpoint);
    /* The fenced session is of further use: a fence is no broken connection. */
    uint64_t epoch, position;
    assert_int_equal(
        old->database.position(old->database.context, 0, &epoch, &position, &old->error),
        AMPEL_DATABASE_OK);
    assert_int_equal(epoch, new_claim->epoch);
    assert_int_equal(position, 10);
    ampel_parcel_loaded_free(old_claim);
    ampel_parcel_loaded_free(new_claim);
    worker_close(old);
    worker_close(new);
}

/* A worker that stood still commits what it told under numbers that the next one, which has only begun, gives anew. */
static void
a_worker_that_another_one_followed_commits_nothing_even_before_its_partitions_are_claimed(
    void **state) {
    (void)state;
    struct worker *old = worker_open(client_url()), *new = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(old, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 10);
    committed(old, &checkpoint);
    struct ampel_parcel_tenants *tenants;
    assert_int_equal(new->database.begin(new->database.context, &tenants, &new->error),
                     AMPEL_DATABASE_OK);
    checkpoint.position_old = 10;
    checkpoint.position_new = 20;
    assert_int_equal(commit(old, &checkpoint), AMPEL_DATABASE_FENCED);
    checkpoint.stream_epoch = tenants->epoch;
    committed(new, &checkpoint);
    ampel_parcel_free(&tenants->parcel);
    ampel_parcel_loaded_free(loaded);
    worker_close(old);
    worker_close(new);
}

static void the_same_checkpoint_twice_is_fenced_by_its_position(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 10);
    committed(worker, &checkpoint);
    assert_int_equal(commit(worker, &checkpoint), AMPEL_DATABASE_FENCED);
    checkpoint.position_old = 10;
    checkpoint.position_new = 10;
    committed(worker, &checkpoint);
    checkpoint.position_new = 11;
    committed(worker, &checkpoint);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void pages_and_meta_come_back_as_they_were_stored(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 2);
    uint32_t large_size = 3 << 20;
    uint8_t small[300], *large = malloc(large_size);
    assert_non_null(large);
    for (uint32_t i = 0; i < sizeof(small); i++)
        small[i] = (uint8_t)i;
    for (uint32_t i = 0; i < large_size; i++)
        large[i] = (uint8_t)(i * 2654435761u >> 24);
    struct ampel_loaded_page pages[] = {
        {0, sizeof(small), small}, {7, large_size, large}, {9, 0, small}};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 10);
    checkpoint.pages_count = 3;
    checkpoint.pages = pages;
    committed(worker, &checkpoint);
    ampel_parcel_loaded_free(loaded);

    loaded = claimed(worker, 2);
    assert_int_equal(loaded->position, 10);
    assert_int_equal(loaded->meta_size, 4);
    assert_memory_equal(loaded->meta, "meta", 4);
    assert_int_equal(loaded->pages_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(loaded->pages[i].page, pages[i].page);
        assert_int_equal(loaded->pages[i].size, pages[i].size);
        assert_memory_equal(loaded->pages[i].bytes, pages[i].bytes, pages[i].size);
    }
    /* One page anew: the others stay. */
    checkpoint = sample_checkpoint(loaded, 20);
    checkpoint.pages_count = 1;
    checkpoint.pages = &(struct ampel_loaded_page){7, 1, small};
    committed(worker, &checkpoint);
    assert_string_equal(
        owner_ask("select page, position, length(bytes) from ampel.page order by page"),
        "0|10|300\n7|20|1\n9|10|0");
    ampel_parcel_loaded_free(loaded);
    loaded = claimed(worker, 1);
    assert_int_equal(loaded->pages_count, 0);
    ampel_parcel_loaded_free(loaded);
    free(large);
    worker_close(worker);
}

static void ratings_are_read_as_they_were_committed_and_later_ones_replace_them(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row ratings[] = {sample_rating("acme", "S1", 250),
                                         sample_rating("acme", "S2", -5),
                                         sample_rating("bravo", "S1", 120)};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.ratings_count = 3;
    checkpoint.ratings = ratings;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select * from ampel.rating order by tenant, seller"),
                        "acme|S1|DE|250|green|none|4000000000|240|5000000000|3|1|2026-10-01 "
                        "12:34:56.789+00|amazon-1|240|260|2026-10-02 12:34:56.789+00||||257|1\n"
                        "acme|S2|DE|-5|red|at_risk|4000000000|240|5000000000|3|1|2026-10-01 "
                        "12:34:56.789+00|amazon-1|-15|5|2026-10-02 12:34:56.789+00||||2|1\n"
                        "bravo|S1|DE|120|yellow|at_risk|4000000000|240|5000000000|3|1|2026-10-01 "
                        "12:34:56.789+00|amazon-1|110|130|2026-10-02 12:34:56.789+00||||127|1");
    struct ampel_rating_row changed = sample_rating("acme", "S2", 300);
    checkpoint.position_old = 1;
    checkpoint.position_new = 2;
    checkpoint.ratings_count = 1;
    checkpoint.ratings = &changed;
    strcpy(checkpoint.rules_version, "amazon-2");
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select seller, score, status, rules_version from ampel.rating "
                                  "where tenant = 'acme' order by seller"),
                        "S1|250|green|amazon-1\nS2|300|green|amazon-2");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void an_incident_is_told_beside_the_score_until_a_row_has_none(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row rating = sample_rating("acme", "S1", 250);
    rating.incidents = sample_text(
        "[{\"id\":\"i\\\"1\",\"phase\":\"closed\",\"compromised_from\":\"2026-10-01T00:00:00Z\","
        "\"closed_at\":\"2026-10-02T00:00:00Z\",\"score\":300,\"status\":\"green\",\"risk\":"
        "\"none\","
        "\"violations\":3,\"deducting\":2,\"points\":8,\"points_caused\":50,\"orders\":7,"
        "\"cancelled\":4,"
        "\"dispute\":[\"b\",\"a\"]}]");
    rating.incidents_total = 3;
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.ratings_count = 1;
    checkpoint.ratings = &rating;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select id, phase, compromised_from, contained_at, "
                                  "watched_until, score, score_without, status_without, "
                                  "violations, deducting, points, points_caused, orders, "
                                  "cancelled, dispute_first, left_out from ampel.incident"),
                        "i\"1|closed|2026-10-01 00:00:00+00||2026-12-01 "
                        "00:00:00+00|250|300|green|3|2|8|50|7|4|{b,a}|2");
    rating.incidents_total = 0;
    checkpoint.position_old = 1;
    checkpoint.position_new = 2;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select count(*) from ampel.incident"), "0");
    assert_string_equal(owner_ask("select score_without_incidents, incidents from ampel.rating"),
                        "|0");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void counts_of_caps_go_by_the_groups_names_not_by_their_places(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row rating = sample_rating("acme", "S1", 250);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.ratings_count = 1;
    checkpoint.ratings = &rating;
    checkpoint.caps_count = 3;
    rating.numbers.caps[2] = 65535;
    strcpy(checkpoint.caps_names[0], "restricted");
    strcpy(checkpoint.caps_names[1], "odd\"name\\");
    strcpy(checkpoint.caps_names[2], "other");
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select infringement_count, restricted_count from ampel.rating"),
                        "0|3");
    assert_string_equal(
        owner_ask("select caps::jsonb ->> 'odd\"name\\', caps::jsonb ->> 'other' from ampel.rating_row"),
        "1|65535");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void a_violation_is_read_with_everything_known_of_it(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_violation_row rows[] = {sample_violation("acme", "S1", "v-1"),
                                         sample_violation("acme", "S1", "v-2"),
                                         sample_violation("acme", "S1", "v-3")};
    struct ampel_violation *full = &rows[1].violation;
    full->state = AMPEL_STATE_APPROVED;
    full->state_at_ms = SAMPLE_AT_MS - 2;
    full->cleared_since_ms = SAMPLE_AT_MS - 3;
    full->severity = AMPEL_SEVERITY_CRITICAL;
    full->severity_given = AMPEL_SEVERITY_CRITICAL;
    full->critical = true;
    full->points_given = 1000;
    full->points = AMPEL_VIOLATION_POINTS_MAX;
    full->at_risk_sales_cents = 123456789012345;
    full->incident = sample_text("i-1");
    full->asin = sample_text("B00000000X");
    full->sku = sample_text("SKU|'\"");
    rows[2].violation.at_ms = SAMPLE_AT_MS - AMPEL_WINDOW_MS;
    rows[2].violation.expires_at_ms = SAMPLE_AT_MS;
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.violations_count = 3;
    checkpoint.violations = rows;
    committed(worker, &checkpoint);
    assert_string_equal(
        owner_ask(
            "select id, policy, severity, severity_given, state, state_at, cleared_since, rank, "
            "points, "
            "points_given, rev, in_window, deducting, critical, incident, asin, sku, at_risk_sales "
            "from ampel.violation order by id"),
        "v-1|suspected_ip|medium||open|||2|16||65535|t|t|f||||\n"
        "v-2|suspected_ip|critical|critical|approved|2026-10-01 12:34:56.787+00|2026-10-01 "
        "12:34:56.786+00|2|"
        "1000000000|1000|65535|t|f|t|i-1|B00000000X|SKU|'\"|1234567890123.45\n"
        "v-3|suspected_ip|medium||open|||2|16||65535|f|f|f||||");
    assert_string_equal(
        owner_ask("select at, expires_at, as_of from ampel.violation where id = 'v-1'"),
        "2026-09-30 12:34:56.789+00|2027-03-29 12:34:56.789+00|2026-10-01 12:34:56.789+00");
    /* It leaves the window when the partition's time does, though nothing writes its row. */
    checkpoint = sample_checkpoint(loaded, 2);
    checkpoint.position_old = 1;
    checkpoint.as_of_ms = rows[0].violation.expires_at_ms;
    committed(worker, &checkpoint);
    assert_string_equal(
        owner_ask("select in_window, deducting from ampel.violation where id = 'v-1'"), "f|f");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

#define DEADLINES                                                                    \
    "select kind, coalesce(cap_group, '-'), runs_out - starts, resolved_at is null " \
    "from ampel.deadline order by starts, kind, cap_group"

static void clocks_are_kept_as_they_ran_and_end_where_they_are_told_no_more(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_clock_row row = {
        .tenant = sample_text("acme"),
        .seller = sample_text("S1"),
        .marketplace = sample_text("M1"),
        .as_of_ms = SAMPLE_AT_MS,
        .runs_count = 2,
        .runs = {{SAMPLE_AT_MS, SAMPLE_AT_MS + 72 * AMPEL_HOUR_MS, AMPEL_CLOCK_RED, 255},
                 {SAMPLE_AT_MS, SAMPLE_AT_MS + 48 * AMPEL_HOUR_MS, AMPEL_CLOCK_CAP, 1}},
    };
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.clocks_count = 1;
    checkpoint.clocks = &row;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask(DEADLINES), "cap|restricted|2 days|t\nred|-|3 days|t");
    /* The cap's clock stopped; red began anew since. */
    checkpoint = sample_checkpoint(loaded, 2);
    checkpoint.position_old = 1;
    checkpoint.clocks_count = 1;
    checkpoint.clocks = &row;
    row.runs_count = 1;
    row.runs[0].started_ms += AMPEL_HOUR_MS;
    row.runs[0].deadline_ms += AMPEL_HOUR_MS;
    row.as_of_ms += AMPEL_HOUR_MS;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask(DEADLINES),
                        "cap|restricted|2 days|f\nred|-|3 days|f\nred|-|3 days|t");
    assert_string_equal(owner_ask("select distinct resolved_at - starts from ampel.deadline "
                                  "where resolved_at is not null"),
                        "01:00:00");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void what_stands_beside_the_score_is_read_through_its_views(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_beside_row row = {
        .tenant = sample_text("acme"),
        .seller = sample_text("S1"),
        .marketplace = sample_text("M1"),
        .metrics = sample_text("[{\"name\":\"late\",\"at\":\"2026-10-01T00:00:00.000Z\","
                               "\"value_ppm\":41000,\"target_ppm\":40000,"
                               "\"condition\":\"less_than\",\"banner\":\"bad\"},"
                               "{\"name\":\"odr\",\"at\":\"2026-10-01T00:00:00.000Z\","
                               "\"state\":\"none\",\"banner\":\"no_data\"}]"),
        .drifts = sample_text("[{\"at\":\"2026-10-01T00:00:00.000Z\",\"observed\":432,"
                              "\"score\":440,\"drift\":-8,"
                              "\"since\":\"2026-09-30T00:00:00.000Z\",\"drift_before\":0,"
                              "\"unexplained\":true}]"),
        .missing = sample_text("[{\"policy\":\"suspected_ip\","
                               "\"at\":\"2026-10-01T00:00:00.000Z\",\"shown\":3,\"known\":1}]"),
        .assurance = {.days_marked = 180,
                      .days_below = 9,
                      .days_to_lost = 2,
                      .professional = true,
                      .emergency_phone = true,
                      .eligible = true,
                      .near = true},
        .as_of_ms = SAMPLE_AT_MS,
        .banner = AMPEL_BANNER_BAD,
    };
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.beside_count = 1;
    checkpoint.beside = &row;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select eligible, near, days_marked, days_below, days_to_lost "
                                  "from ampel.assurance"),
                        "t|t|180|9|2");
    assert_string_equal(
        owner_ask("select name, value, target, condition, state, banner, account_banner "
                  "from ampel.metric order by name"),
        "late|0.041000|0.040000|less_than||bad|bad\nodr||||none|no_data|bad");
    assert_string_equal(
        owner_ask("select observed, score, drift, drift_before, unexplained from ampel.drift"),
        "432|440|-8|0|t");
    assert_string_equal(owner_ask("select policy, missing, shown, known from ampel.missing"),
                        "suspected_ip|2|3|1");
    /* The row of an account is one, and as it was written last. */
    checkpoint = sample_checkpoint(loaded, 2);
    checkpoint.position_old = 1;
    row.assurance.eligible = false;
    row.drifts = row.missing = sample_text("[]");
    checkpoint.beside_count = 1;
    checkpoint.beside = &row;
    committed(worker, &checkpoint);
    assert_string_equal(owner_ask("select eligible, (select count(*) from ampel.drift) "
                                  "from ampel.assurance"),
                        "f|0");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void a_violation_forgotten_is_gone_unless_it_came_again(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_violation_row rows[] = {
        sample_violation("acme", "S1", "a"), sample_violation("acme", "S1", "b"),
        sample_violation("acme", "S2", "a"), sample_violation("bravo", "S1", "a")};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.violations_count = 4;
    checkpoint.violations = rows;
    committed(worker, &checkpoint);
    struct ampel_violation_gone gone[] = {
        {sample_text("acme"), sample_text("S1"), sample_text("DE"), sample_text("a")},
        {sample_text("acme"), sample_text("S2"), sample_text("DE"), sample_text("a")},
        {sample_text("acme"), sample_text("S2"), sample_text("DE"), sample_text("never-was")}};
    struct ampel_violation_row again = sample_violation("acme", "S2", "a");
    again.violation.rank = 9;
    checkpoint = sample_checkpoint(loaded, 2);
    checkpoint.position_old = 1;
    checkpoint.gone_count = 3;
    checkpoint.gone = gone;
    checkpoint.violations_count = 1;
    checkpoint.violations = &again;
    committed(worker, &checkpoint);
    assert_string_equal(
        owner_ask("select tenant, seller, id, rank from ampel.violation order by 1, 2, 3"),
        "acme|S1|b|2\nacme|S2|a|9\nbravo|S1|a|2");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void refusals_are_kept_with_any_sequence_and_counted(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 1);
    struct ampel_refusal_row rows[] = {sample_refusal("acme", 5),
                                       sample_refusal("acme", UINT64_MAX)};
    rows[1].type = 255;
    rows[1].field = rows[1].id = (struct ampel_text){0};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 1);
    checkpoint.refusals_count = 2;
    checkpoint.refusals = rows;
    checkpoint.refusals_total = 1002;
    committed(worker, &checkpoint);
    assert_string_equal(
        owner_ask("select tenant, stamp, seller, marketplace, producer, sequence, event_index, "
                  "verdict, type, field, "
                  "id, at from ampel.refusal order by number"),
        "acme|2026-10-01 "
        "12:34:56.79+00|S1|DE|feeder|5|4000000000|too_many_violations|violation|id|v-9|"
        "2026-10-01 12:34:56.789+00\n"
        "acme|2026-10-01 "
        "12:34:56.79+00|S1|DE|feeder|18446744073709551615|4000000000|too_many_violations|unknown|||"
        "2026-10-01 12:34:56.789+00");
    assert_string_equal(owner_ask("select refusals from ampel.partition where partition = 1"),
                        "1002");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

/* An update inside its block (HOT) needs room there and no index on what changes; any other leaves dead rows to vacuum. */
static void checkpoints_update_a_partition_inside_its_block(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 0);
    for (uint64_t i = 0; i < 300; i++) {
        checkpoint.position_old = i;
        checkpoint.position_new = i + 1;
        committed(worker, &checkpoint);
    }
    ampel_parcel_loaded_free(loaded);
    worker_close(worker); /* a session tells its counts when it ends */
    const char *counts = "";
    for (int i = 0; i < 500 && strcmp(counts, "301|301|299|299") != 0; i++) {
        (void)poll(NULL, 0, 10);
        counts = owner_ask(
            "select pg_stat_get_tuples_updated(p), pg_stat_get_tuples_hot_updated(p), "
            "pg_stat_get_tuples_updated(m), pg_stat_get_tuples_hot_updated(m) "
            "from (select 'ampel.partition'::regclass as p, 'ampel.meta'::regclass as m) as t");
    }
    assert_string_equal(counts, "301|301|299|299");
}

/* ---- what was told -------------------------------------------------------------------------- */

static void alerts_are_read_with_cause_and_numbers_before_and_after(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_told told[] = {sample_told("acme", AMPEL_CHANGE_CAP_REACHED, 5, SAMPLE_AT_MS),
                                sample_told("acme", AMPEL_CHANGE_COLOUR, 6, SAMPLE_AT_MS)};
    told[1].change.is_new = true;
    told[1].change.deadline_ms = 0;
    assert_int_equal(tell(worker, loaded, 0, told, 2), AMPEL_DATABASE_OK);
    assert_string_equal(
        owner_ask("select tenant, number, epoch, at, kind, seller, marketplace, status_before, "
                  "status_after, "
                  "score_before, score_after, risk_before, risk_after, cap_group, deadline, "
                  "rules_version "
                  "from ampel.alert order by number"),
        "acme|5|7|2026-10-01 "
        "12:34:56.789+00|cap_reached|S1|DE|green|yellow|250|150|none|at_risk|restricted|"
        "2026-10-04 12:34:56.789+00|amazon-1\n"
        "acme|6|7|2026-10-01 "
        "12:34:56.789+00|colour_changed|S1|DE||yellow||150||at_risk|||amazon-1");
    assert_string_equal(owner_ask("select id from ampel.alert where number = 5"), told[0].id);
    assert_string_equal(
        owner_ask(
            "select cause ->> 'kind', cause ->> 'policy', cause ->> 'id', cause ->> 'producer' "
            "from ampel.alert where number = 5"),
        "event|suspected_ip|v-1|feeder");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void history_lies_in_its_month_whatever_the_order_of_months(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    /* The last millisecond of September, the first of October, and January 1970. */
    int64_t october = INT64_C(1790812800000);
    struct ampel_told told[] = {sample_told("acme", AMPEL_CHANGE_SCORE, 1, october - 1),
                                sample_told("acme", AMPEL_CHANGE_SCORE, 2, october),
                                sample_told("acme", AMPEL_CHANGE_SCORE, 3, 0)};
    told[2].change.is_new = true;
    assert_int_equal(tell(worker, loaded, 0, told, 3), AMPEL_DATABASE_OK);
    assert_string_equal(
        owner_ask("select tableoid::regclass, number from ampel.history_row order by at"),
        "ampel.history_1970_01|3\nampel.history_2026_09|1\nampel.history_2026_10|2");
    assert_string_equal(owner_ask("select tenant, number, epoch, id, at, seller, marketplace, "
                                  "score, status, risk, orders, "
                                  "order_points, deducted, score_before, status_before, "
                                  "risk_before, cause, cause_id, rules_version "
                                  "from ampel.rating_history where number <> 1 order by number"),
                        "acme|2|7|44ad98655d8858e10000000000000002|2026-10-01 "
                        "00:00:00+00|S1|DE|150|yellow|at_risk|4000000000|240|"
                        "5000000000|250|green|none|event|v-1|amazon-1\n"
                        "acme|3|7|44ad98655d8858e10000000000000003|1970-01-01 "
                        "00:00:00+00|S1|DE|150|yellow|at_risk|4000000000|240|"
                        "5000000000||||event|v-1|amazon-1");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void the_outbox_gives_the_messages_from_a_number_on(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_message_decoder *decoder = ampel_message_decoder_open();
    struct ampel_told told[40];
    assert_non_null(decoder);
    /* Two streams, two tenants, months in between; numbers not in the order of time. */
    for (uint32_t i = 0; i < 40; i++)
        told[i] = sample_told(i % 4 < 2 ? "acme" : "bravo",
                              i % 2 == 0 ? AMPEL_CHANGE_SCORE : AMPEL_CHANGE_RISK, 40 - i,
                              SAMPLE_AT_MS + (int64_t)i * 20 * AMPEL_DAY_MS);
    assert_int_equal(tell(worker, loaded, 0, told, 40), AMPEL_DATABASE_OK);
    for (int stream = 0; stream < 2; stream++) {
        struct ampel_parcel_answer *answer =
            asked(worker, "acme", (enum ampel_stream)stream, 11, 6);
        assert_int_equal(answer->rows_count, 6);
        for (uint32_t i = 0; i < 6; i++) {
            struct ampel_message message;
            uint64_t expected = (stream == AMPEL_STREAM_SCORES ? 12 : 11) + 4 * i;
            assert_int_equal(answer->rows[i].number, expected);
            assert_true(ampel_message_decode(decoder, answer->rows[i].bytes, answer->rows[i].size,
                                             &message, &worker->error));
            assert_int_equal(message.kind, AMPEL_MESSAGE_CHANGE);
            assert_int_equal(message.change.number, expected);
            assert_int_equal(message.change.epoch, 7);
            assert_int_equal(message.change.stream, stream);
            assert_memory_equal(message.change.tenant.bytes, "acme", 4);
            assert_int_equal(message.change.change.at_ms, told[40 - expected].change.at_ms);
            assert_int_equal(message.change.change.after.score, 150);
        }
        ampel_parcel_answer_free(answer);
    }
    struct ampel_parcel_answer *nothing =
        asked(worker, "acme", AMPEL_STREAM_ALERTS, UINT64_MAX, 10);
    assert_int_equal(nothing->rows_count, 0);
    ampel_parcel_answer_free(nothing);
    nothing = asked(worker, "acme' or true --", AMPEL_STREAM_ALERTS, 0, 10);
    assert_int_equal(nothing->rows_count, 0);
    ampel_parcel_answer_free(nothing);
    ampel_message_decoder_close(decoder);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void the_next_start_learns_where_the_streams_stand(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_told first[] = {sample_told("acme", AMPEL_CHANGE_SCORE, 9, SAMPLE_AT_MS),
                                 sample_told("acme", AMPEL_CHANGE_RISK, 4, SAMPLE_AT_MS),
                                 sample_told("bravo", AMPEL_CHANGE_SCORE, 1, SAMPLE_AT_MS)};
    /* Partitions are stored in any order: a lower number may come later and must not turn the
     * stream back. */
    struct ampel_told second[] = {sample_told("acme", AMPEL_CHANGE_SCORE, 8, SAMPLE_AT_MS)};
    assert_int_equal(tell(worker, loaded, 0, first, 3), AMPEL_DATABASE_OK);
    assert_int_equal(tell(worker, loaded, 1, second, 1), AMPEL_DATABASE_OK);
    struct ampel_parcel_tenants *tenants;
    assert_int_equal(worker->database.begin(worker->database.context, &tenants, &worker->error),
                     AMPEL_DATABASE_OK);
    assert_int_equal(tenants->numbers_count, 3);
    assert_string_equal(tenants->numbers[0].tenant, "acme");
    assert_int_equal(tenants->numbers[0].stream, AMPEL_STREAM_ALERTS);
    assert_int_equal(tenants->numbers[0].next, 5);
    assert_int_equal(tenants->numbers[1].stream, AMPEL_STREAM_SCORES);
    assert_int_equal(tenants->numbers[1].next, 10);
    assert_string_equal(tenants->numbers[2].tenant, "bravo");
    assert_int_equal(tenants->numbers[2].next, 2);
    ampel_parcel_tenants_free(tenants);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

static void an_alert_met_again_is_kept_once_and_a_number_never_serves_two(void **state) {
    (void)state;
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_told first = sample_told("acme", AMPEL_CHANGE_RISK, 1, SAMPLE_AT_MS);
    struct ampel_told again = first;
    struct ampel_told other = sample_told("acme", AMPEL_CHANGE_COLOUR, 1, SAMPLE_AT_MS);
    again.number = 2;
    assert_int_equal(tell(worker, loaded, 0, &first, 1), AMPEL_DATABASE_OK);
    assert_int_equal(tell(worker, loaded, 1, &again, 1), AMPEL_DATABASE_OK);
    assert_string_equal(owner_ask("select number from ampel.alert"), "1");
    assert_int_equal(tell(worker, loaded, 2, &other, 1), AMPEL_DATABASE_BROKEN);
    assert_string_equal(worker->error.field, "alert_store");
    assert_non_null(strstr(worker->error.reason, "23505"));
    assert_string_equal(owner_ask("select position from ampel.partition where partition = 0"), "2");
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

/* ---- several at once ------------------------------------------------------------------------ */

/* One of two connections that store at once: its partition's checkpoints, each with alerts and scores of both tenants in a month that
   has no table yet. */
enum { AT_ONCE = 2, CHECKPOINTS = 30, TOLD = 4 };
struct storing {
    pthread_t thread;
    struct worker *worker;
    struct ampel_parcel_loaded *loaded;
    struct ampel_told told[CHECKPOINTS][TOLD];
    enum ampel_database_status worst;
};

static void *store_all(void *context) {
    struct storing *storing = context;
    for (uint32_t i = 0; i < CHECKPOINTS && storing->worst == AMPEL_DATABASE_OK; i++)
        storing->worst = tell(storing->worker, storing->loaded, i, storing->told[i], TOLD);
    return NULL;
}

static void connections_at_once_store_the_same_tenants_streams_without_waiting_in_a_circle(void **state) {
    (void)state;
    struct storing storing[AT_ONCE] = {0};
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        storing[i].worker = worker_open(client_url());
        storing[i].loaded = claimed(storing[i].worker, i);
        for (uint32_t k = 0; k < CHECKPOINTS; k++) {
            const uint64_t number = k * AT_ONCE + i + 1;
            const int64_t at_ms = SAMPLE_AT_MS + k * 31 * AMPEL_DAY_MS;
            storing[i].told[k][0] = sample_told("acme", AMPEL_CHANGE_SCORE, number, at_ms);
            storing[i].told[k][1] = sample_told("bravo", AMPEL_CHANGE_SCORE, number, at_ms);
            storing[i].told[k][2] = sample_told("acme", AMPEL_CHANGE_RISK, number, at_ms);
            storing[i].told[k][3] = sample_told("bravo", AMPEL_CHANGE_RISK, number, at_ms);
        }
    }
    for (uint32_t i = 0; i < AT_ONCE; i++)
        assert_int_equal(pthread_create(&storing[i].thread, NULL, store_all, &storing[i]), 0);
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        assert_int_equal(pthread_join(storing[i].thread, NULL), 0);
        if (storing[i].worst != AMPEL_DATABASE_OK)
            fail_msg("%s: %s", storing[i].worker->error.field, storing[i].worker->error.reason);
        ampel_parcel_loaded_free(storing[i].loaded);
        worker_close(storing[i].worker);
    }
    assert_string_equal(owner_ask("select count(*) || ' ' || count(distinct (tenant, number)) from ampel.history_row"), "120 120");
    assert_string_equal(owner_ask("select count(*) || ' ' || count(distinct (tenant, number)) from ampel.alert_row"), "120 120");
    assert_string_equal(owner_ask("select min(next) || ' ' || max(next) || ' ' || count(*) from ampel.stream_number"), "61 61 4");
}

/* ---- weight: told, not judged --------------------------------------------------------------- */

static void a_large_checkpoint_passes(void **state) {
    (void)state;
    enum { ACCOUNTS = 20000 };
    struct worker *worker = worker_open(client_url());
    struct ampel_parcel_loaded *loaded = claimed(worker, 0);
    struct ampel_rating_row *ratings = calloc(ACCOUNTS, sizeof(*ratings));
    struct ampel_violation_row *violations = calloc(ACCOUNTS, sizeof(*violations));
    struct ampel_told *told = calloc(ACCOUNTS, sizeof(*told));
    char(*sellers)[16] = calloc(ACCOUNTS, sizeof(*sellers));
    assert_true(ratings != NULL && violations != NULL && told != NULL && sellers != NULL);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        snprintf(sellers[i], sizeof(sellers[i]), "S%07u", i);
        ratings[i] = sample_rating("acme", sellers[i], 300);
        violations[i] = sample_violation("acme", sellers[i], "v-1");
        told[i] = sample_told("acme", AMPEL_CHANGE_SCORE, i + 1, SAMPLE_AT_MS);
        told[i].seller = ratings[i].seller;
    }
    struct ampel_parcel_out out = {
        .parcel = {AMPEL_PARCEL_OUT}, .told_count = ACCOUNTS, .told = told, .rules = sample_face()};
    struct ampel_parcel_out *outs[] = {&out};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, 0);
    checkpoint.ratings = ratings;
    checkpoint.violations = violations;
    for (int round = 0; round < 2; round++) {
        checkpoint.position_new = checkpoint.position_old + 1;
        checkpoint.ratings_count = checkpoint.violations_count = ACCOUNTS;
        checkpoint.outs_count = round == 0;
        checkpoint.outs = outs;
        char started[64];
        snprintf(started, sizeof(started), "%s",
                 owner_ask("select extract(epoch from clock_timestamp())"));
        committed(worker, &checkpoint);
        char query[256];
        snprintf(query, sizeof(query),
                 "select round(%d / (extract(epoch from clock_timestamp()) - %s))",
                 ACCOUNTS * (round == 0 ? 3 : 2), started);
        print_message("%s: %s rows/s\n",
                      round == 0 ? "ratings, violations, history" : "ratings, violations again",
                      owner_ask(query));
        checkpoint.position_old = checkpoint.position_new;
    }
    assert_string_equal(owner_ask("select count(*) from ampel.rating"), "20000");
    assert_string_equal(owner_ask("select count(*) from ampel.violation"), "20000");
    assert_string_equal(owner_ask("select count(*) from ampel.rating_history"), "20000");
    free(ratings);
    free(violations);
    free(told);
    free(sellers);
    ampel_parcel_loaded_free(loaded);
    worker_close(worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_start_takes_the_next_epoch_of_the_streams, fresh),
        cmocka_unit_test_setup(a_fresh_partition_is_claimed_empty_at_position_zero, fresh),
        cmocka_unit_test_setup(an_older_owner_is_fenced_and_changes_nothing, fresh),
        cmocka_unit_test_setup(
            a_worker_that_another_one_followed_commits_nothing_even_before_its_partitions_are_claimed,
            fresh),
        cmocka_unit_test_setup(the_same_checkpoint_twice_is_fenced_by_its_position, fresh),
        cmocka_unit_test_setup(pages_and_meta_come_back_as_they_were_stored, fresh),
        cmocka_unit_test_setup(ratings_are_read_as_they_were_committed_and_later_ones_replace_them,
                               fresh),
        cmocka_unit_test_setup(an_incident_is_told_beside_the_score_until_a_row_has_none, fresh),
        cmocka_unit_test_setup(counts_of_caps_go_by_the_groups_names_not_by_their_places, fresh),
        cmocka_unit_test_setup(a_violation_is_read_with_everything_known_of_it, fresh),
        cmocka_unit_test_setup(clocks_are_kept_as_they_ran_and_end_where_they_are_told_no_more,
                               fresh),
        cmocka_unit_test_setup(what_stands_beside_the_score_is_read_through_its_views, fresh),
        cmocka_unit_test_setup(a_violation_forgotten_is_gone_unless_it_came_again, fresh),
        cmocka_unit_test_setup(refusals_are_kept_with_any_sequence_and_counted, fresh),
        cmocka_unit_test_setup(checkpoints_update_a_partition_inside_its_block, fresh),
        cmocka_unit_test_setup(alerts_are_read_with_cause_and_numbers_before_and_after, fresh),
        cmocka_unit_test_setup(history_lies_in_its_month_whatever_the_order_of_months, fresh),
        cmocka_unit_test_setup(the_outbox_gives_the_messages_from_a_number_on, fresh),
        cmocka_unit_test_setup(the_next_start_learns_where_the_streams_stand, fresh),
        cmocka_unit_test_setup(an_alert_met_again_is_kept_once_and_a_number_never_serves_two,
                               fresh),
        cmocka_unit_test_setup(connections_at_once_store_the_same_tenants_streams_without_waiting_in_a_circle, fresh),
        cmocka_unit_test_setup(a_large_checkpoint_passes, fresh),
    };
    (void)client_url();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/database/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/database/client.h"
#include "tests/database/sample.h"
#include "workers/migrate.h"
#include "workers/tenants.h"

struct worker *worker_open(const char *url) {
    struct worker *worker = calloc(1, sizeof(*worker));
    struct ampel_database_system system;
    assert_non_null(worker);
    assert_true(ampel_database_postgres(url, &worker->database));
    if (worker->database.connect(worker->database.context, &system, &worker->error) !=
        AMPEL_DATABASE_OK)
        fail_msg("%s: %s", worker->error.field, worker->error.reason);
    assert_int_equal(system.partitions, 4);
    return worker;
}

void worker_close(struct worker *worker) {
    worker->database.close(worker->database.context);
    free(worker);
}

struct ampel_parcel_loaded *claimed(struct worker *worker, uint32_t partition) {
    struct ampel_parcel_loaded *loaded;
    if (worker->database.claim(worker->database.context, partition, &loaded, &worker->error) !=
        AMPEL_DATABASE_OK)
        fail_msg("%s: %s", worker->error.field, worker->error.reason);
    assert_int_equal(loaded->partition, partition);
    return loaded;
}

enum ampel_database_status commit(struct worker *worker,
                                  const struct ampel_checkpoint *checkpoint) {
    return worker->database.commit(worker->database.context, checkpoint, &worker->error);
}

void committed(struct worker *worker, const struct ampel_checkpoint *checkpoint) {
    if (commit(worker, checkpoint) != AMPEL_DATABASE_OK)
        fail_msg("%s: %s", worker->error.field, worker->error.reason);
}

static void tenant_made(const char *tenant, const char *key) {
    struct ampel_error error = {0};
    bool added;
    char role[AMPEL_ID_BYTES_MAX];
    if (ampel_tenant_add(client_url(), tenant, key, &added, role, &error) != AMPEL_DATABASE_OK)
        fail_msg("%s: %s", error.field, error.reason);
}

/* A fresh system of four partitions with two tenants, whose streams are in the epoch of sample checkpoints. */
int fresh(void **state) {
    (void)state;
    struct ampel_migrate_result result;
    struct ampel_error error = {0};
    const struct ampel_migrate_options options = {.url = client_url(), .partitions = 4};
    owner_do("drop schema if exists ampel cascade");
    if (ampel_migrate(&options, &result, &error) != AMPEL_DATABASE_OK)
        fail_msg("%s: %s", error.field, error.reason);
    owner_do("update ampel.system set stream_epoch = 7");
    tenant_made("acme", KEY_A);
    tenant_made("bravo", KEY_B);
    return 0;
}

enum ampel_database_status tell(struct worker *worker, const struct ampel_parcel_loaded *loaded,
                                uint64_t position, struct ampel_told *told, uint32_t told_count) {
    struct ampel_parcel_out out = {
        .parcel = {AMPEL_PARCEL_OUT}, .told_count = told_count, .told = told, .rules = sample_face()};
    struct ampel_parcel_out *outs[] = {&out};
    struct ampel_checkpoint checkpoint = sample_checkpoint(loaded, position + 1);
    checkpoint.position_old = position;
    checkpoint.outs_count = 1;
    checkpoint.outs = outs;
    return commit(worker, &checkpoint);
}

struct ampel_parcel_answer *asked(struct worker *worker, const char *tenant,
                                  enum ampel_stream stream, uint64_t from, uint32_t limit) {
    struct ampel_parcel_answer *answer;
    struct ampel_parcel_ask ask = {.parcel = {AMPEL_PARCEL_ASK},
                                   .peer = {.size = 2, .bytes = {1, 2}},
                                   .stream = stream,
                                   .from = from,
                                   .limit = limit};
    snprintf(ask.tenant, sizeof(ask.tenant), "%s", tenant);
    if (worker->database.outbox(worker->database.context, &ask, &answer, &worker->error) !=
        AMPEL_DATABASE_OK)
        fail_msg("%s: %s", worker->error.field, worker->error.reason);
    assert_int_equal(answer->peer.size, 2);
    assert_string_equal(answer->tenant, tenant);
    assert_int_equal(answer->stream, stream);
    assert_int_equal(answer->from, from);
    assert_false(answer->failed);
    return answer;
}

#include "tests/simulation/undisturbed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/hooks.h"

#define SYSTEM_ID UINT64_C(0x616d70656c)

static bool commit(struct ampel_journal *journal) {
    struct ampel_error error = {0};
    return ampel_journal_commit(journal, &error) == AMPEL_JOURNAL_OK;
}

/* places: where it stands in the copy, then in the log. */
static bool append(struct ampel_journal *journal, const struct sim_model *model,
                   const struct sim_record *record, uint64_t places[2]) {
    uint8_t *bytes = malloc(record->size);
    AMPEL_ASSERT(bytes != NULL);
    memcpy(bytes, model->bytes + record->at, record->size);
    enum ampel_journal_status status =
        ampel_journal_append(journal, bytes, record->size, record->stamp_ms);
    if (status == AMPEL_JOURNAL_AGAIN && commit(journal))
        status = ampel_journal_append(journal, bytes, record->size, record->stamp_ms);
    if (status == AMPEL_JOURNAL_OK) {
        struct ampel_record_header header;
        AMPEL_ASSERT(ampel_record_check(bytes, record->size, &header) == AMPEL_RECORD_OK);
        places[0] = header.position;
        places[1] = record->position;
    }
    free(bytes);
    return status == AMPEL_JOURNAL_OK;
}

/* The same records on another disk. */
static bool copy_log(const struct sim_model *model, const struct ampel_world_options *world_options,
                     struct memory_disk *disk, uint64_t *places) {
    struct ampel_journal_options options = {
        .disk = memory_disk_process(disk),
        .system_id = SYSTEM_ID,
        .segment_bytes = world_options->segment_bytes,
        .bytes_max = world_options->journal_bytes_max,
        .group_bytes_max = 64 * 1024,
    };
    struct ampel_journal *journal;
    struct ampel_error error = {0};
    if (ampel_journal_open(&options, &journal, &error) != AMPEL_JOURNAL_OK) return false;
    bool fine = true;
    for (uint32_t i = 0; i < model->records_count && fine; i++)
        fine = append(journal, model, &model->records[i], places + 2 * (size_t)i);
    fine = fine && commit(journal);
    ampel_journal_close(journal);
    memory_disk_restart(disk);
    return fine;
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(((const struct ampel_stored_told *)left)->id,
                  ((const struct ampel_stored_told *)right)->id);
}

/* Told up to a time, by id. Returns how many. */
static uint32_t told_until(const struct ampel_memory_database *database, int64_t until_ms,
                           struct ampel_stored_told **out) {
    const struct ampel_stored_told *stored;
    uint32_t count = ampel_memory_database_told(database, &stored), taken = 0;
    struct ampel_stored_told *told = malloc((count + 1) * sizeof(told[0]));
    AMPEL_ASSERT(told != NULL);
    for (uint32_t i = 0; i < count; i++)
        if (stored[i].at_ms <= until_ms) told[taken++] = stored[i];
    qsort(told, taken, sizeof(told[0]), compare_ids);
    *out = told;
    return taken;
}

static void compare(struct sim_model *model, const struct ampel_memory_database *other,
                    int64_t until_ms) {
    struct ampel_stored_told *mine, *others;
    uint32_t mine_count = told_until(model->database, until_ms, &mine);
    uint32_t others_count = told_until(other, until_ms, &others);
    for (uint32_t i = 0; i < mine_count || i < others_count; i++) {
        const struct ampel_stored_told *a = i < mine_count ? &mine[i] : NULL;
        const struct ampel_stored_told *b = i < others_count ? &others[i] : NULL;
        if (a != NULL && b != NULL && strcmp(a->id, b->id) == 0 && a->at_ms == b->at_ms &&
            a->kind == b->kind && strcmp(a->account, b->account) == 0)
            continue;
        sim_model_fail(model,
                       "told: %u changes, undisturbed %u; the first that differs: %s of %s, "
                       "undisturbed %s of %s",
                       (unsigned)mine_count, (unsigned)others_count, a == NULL ? "none" : a->id,
                       a == NULL ? "" : a->account, b == NULL ? "none" : b->id,
                       b == NULL ? "" : b->account);
    }
    free(mine);
    free(others);
}

void sim_undisturbed_check(struct sim_model *model, const struct ampel_world_options *options) {
    if (model->records_count == 0) return;
    struct ampel_world_options same = *options;
    int64_t last_ms = model->records[model->records_count - 1].stamp_ms;
    same.start_ms = last_ms - 1000; /* a world begins a second after its start */
    same.turned = NULL;
    same.unstored_bytes_max = 8 << 20;
    same.journal_bytes_max = options->journal_bytes_max * 4;
    same.memory = NULL;
    same.clock_is_right = false;
    struct ampel_world *world = ampel_world_open(&same);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++)
        ampel_memory_database_tenant_add(ampel_world_database(world),
                                         ampel_agency_tenant(model->agencies[i]),
                                         "0123456789012345678901234567890123456789");
    struct ampel_error error = {0};
    uint64_t *places = malloc(2 * model->records_count * sizeof(places[0]));
    AMPEL_ASSERT(places != NULL);
    sim_hooks.model = NULL;
    if (copy_log(model, &same, ampel_world_disk(world), places)) {
        sim_hooks.positions = places;
        sim_hooks.positions_count = model->records_count;
    }
    if (sim_hooks.positions_count == 0 || !ampel_world_start(world, &error)) {
        sim_model_fail(model, "the undisturbed run does not start: %s", error.reason);
    } else {
        ampel_world_pass(world, 5000);
        if (!ampel_world_stop(world))
            sim_model_fail(model, "the undisturbed run does not stop: %s", sim_hooks.named);
        else
            compare(model, ampel_world_database(world), last_ms);
    }
    ampel_world_close(world);
    sim_hooks.positions = NULL;
    sim_hooks.positions_count = 0;
    free(places);
}

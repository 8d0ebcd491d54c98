/* Rows of accounts: what they show is worked out from the engine and copied, one account after the other. */
#include "workers/checkpoint_rows.h"

#include <string.h>

#include "workers/checkpoint_beside.h"
#include "workers/checkpoint_incident.h"
#include "workers/checkpoint_outlook.h"

/* Makes room for one more row in the arena; what was outgrown goes with it. NULL: no memory. */
static void *more(struct ampel_building *building, void *rows, uint32_t count, uint32_t *capacity, size_t row_size) {
    building->size_bytes += row_size;
    if (count < *capacity) return rows;
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = ampel_arena_take(building->checkpoint->arena, wanted * row_size);
    if (grown == NULL) return NULL;
    if (count > 0) memcpy(grown, rows, count * row_size);
    *capacity = wanted;
    return grown;
}

/* The account's three texts, copied. */
static bool copy_identity(struct ampel_building *building, uint32_t slot, struct ampel_text *tenant,
                          struct ampel_text *seller, struct ampel_text *marketplace) {
    struct ampel_arena *arena = building->checkpoint->arena;
    struct ampel_text from[3];
    ampel_engine_account_identity(building->engine, slot, &from[0], &from[1], &from[2]);
    building->size_bytes += (uint64_t)from[0].size + from[1].size + from[2].size;
    return ampel_arena_text(arena, from[0], tenant) && ampel_arena_text(arena, from[1], seller) &&
           ampel_arena_text(arena, from[2], marketplace);
}

/* ---- ratings -------------------------------------------------------------------------------- */

bool ampel_building_rating(struct ampel_building *building, uint32_t slot) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    struct ampel_engine *engine = building->engine;
    void *rows = more(building, checkpoint->ratings, checkpoint->ratings_count, &building->ratings_capacity,
                      sizeof(checkpoint->ratings[0]));
    if (rows == NULL) return false;
    checkpoint->ratings = rows;
    struct ampel_rating_row *row = &checkpoint->ratings[checkpoint->ratings_count++];
    *row = (struct ampel_rating_row){.as_of_ms = checkpoint->as_of_ms};
    ampel_engine_numbers(engine, slot, &row->numbers);
    if (ampel_outlook_range(engine, slot, &row->score_min, &row->score_max) != AMPEL_ENGINE_OK ||
        !ampel_incident_row(engine, slot, checkpoint->arena, row) ||
        !ampel_checkpoint_outlook(engine, slot, checkpoint, row)) {
        return false;
    }
    building->size_bytes += (uint64_t)row->incidents.size + row->outlook.size;
    return copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace);
}

/* ---- violations ----------------------------------------------------------------------------- */

static bool copy_violation(struct ampel_building *building, const struct ampel_violation *from,
                           struct ampel_violation *to) {
    struct ampel_arena *arena = building->checkpoint->arena;
    *to = *from;
    building->size_bytes +=
        (uint64_t)from->id.size + from->incident.size + from->asin.size + from->sku.size;
    return ampel_arena_text(arena, from->id, &to->id) &&
           ampel_arena_text(arena, from->incident, &to->incident) &&
           ampel_arena_text(arena, from->asin, &to->asin) &&
           ampel_arena_text(arena, from->sku, &to->sku);
}

bool ampel_building_violations(struct ampel_building *building, uint32_t slot, bool every) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    struct ampel_violation_row account = {0};
    if (!copy_identity(building, slot, &account.tenant, &account.seller, &account.marketplace)) return false;
    uint32_t cursor = 0;
    struct ampel_violation violation;
    while (ampel_engine_violation_next(building->engine, slot, &cursor, &violation)) {
        if (!violation.changed && !every) continue;
        void *rows = more(building, checkpoint->violations, checkpoint->violations_count,
                          &building->violations_capacity, sizeof(checkpoint->violations[0]));
        if (rows == NULL) return false;
        checkpoint->violations = rows;
        struct ampel_violation_row *row = &checkpoint->violations[checkpoint->violations_count++];
        *row = account;
        if (!copy_violation(building, &violation, &row->violation)) return false;
    }
    return true;
}

/* ---- what stands beside, clocks ------------------------------------------------------------- */

bool ampel_building_beside(struct ampel_building *building, uint32_t slot) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    void *rows = more(building, checkpoint->beside, checkpoint->beside_count, &building->beside_capacity,
                      sizeof(checkpoint->beside[0]));
    if (rows == NULL) return false;
    checkpoint->beside = rows;
    struct ampel_beside_row *row = &checkpoint->beside[checkpoint->beside_count++];
    *row = (struct ampel_beside_row){0};
    if (!copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace) ||
        !ampel_beside_row(building->engine, slot, checkpoint->arena, row)) {
        return false;
    }
    row->as_of_ms = checkpoint->as_of_ms;
    building->size_bytes += (uint64_t)row->metrics.size + row->drifts.size + row->missing.size;
    return true;
}

bool ampel_building_clocks(struct ampel_building *building, uint32_t slot) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    void *rows = more(building, checkpoint->clocks, checkpoint->clocks_count, &building->clocks_capacity,
                      sizeof(checkpoint->clocks[0]));
    if (rows == NULL) return false;
    checkpoint->clocks = rows;
    struct ampel_clock_row *row = &checkpoint->clocks[checkpoint->clocks_count++];
    *row = (struct ampel_clock_row){.as_of_ms = checkpoint->as_of_ms};
    uint32_t cursor = 0;
    if (!copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace)) return false;
    while (ampel_engine_clock_next(building->engine, slot, &cursor, &row->runs[row->runs_count]))
        row->runs_count++;
    return true;
}

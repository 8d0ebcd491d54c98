/* Rows of accounts: what they show is worked out from the engine and copied, one account after the other. */
#include "workers/checkpoint_rows.h"

#include <string.h>

#include "workers/checkpoint_beside.h"
#include "workers/checkpoint_incident.h"

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
    return ampel_outlook_range(engine, slot, &row->score_min, &row->score_max) == AMPEL_ENGINE_OK &&
           ampel_outlook_turns(engine, slot, &row->turns) == AMPEL_ENGINE_OK &&
           ampel_incident_row(engine, slot, checkpoint->arena, row) &&
           copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace);
}

/* ---- outlooks ------------------------------------------------------------------------------- */

static void *arena_copy(struct ampel_building *building, const void *from, size_t size) {
    void *to = ampel_arena_take(building->checkpoint->arena, size);
    if (to != NULL && size > 0) memcpy(to, from, size);
    building->size_bytes += size;
    return to;
}

static bool copy_fixes(struct ampel_building *building, uint32_t slot, struct ampel_outlook_row *row) {
    const struct ampel_outlook_fix *fixes;
    if (ampel_outlook_fixes(building->engine, slot, &fixes, &row->fixes_total) !=
        AMPEL_ENGINE_OK) {
        return false;
    }
    row->fixes_count = row->fixes_total < AMPEL_OUTLOOK_FIXES_STORED ? row->fixes_total
                                                                     : AMPEL_OUTLOOK_FIXES_STORED;
    if (row->fixes_count == 0) return true;
    row->fixes = arena_copy(building, fixes, row->fixes_count * sizeof(*fixes));
    if (row->fixes == NULL) return false;
    for (uint32_t i = 0; i < row->fixes_count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, fixes[i].id, &row->fixes[i].id))
            return false;
    }
    return true;
}

static bool copy_steps(struct ampel_building *building, uint32_t slot, struct ampel_outlook_row *row) {
    const struct ampel_outlook_step *steps;
    if (ampel_outlook_forecast(building->engine, slot, false, &steps, &row->steps_total) !=
        AMPEL_ENGINE_OK) {
        return false;
    }
    row->steps_count = row->steps_total < AMPEL_OUTLOOK_STEPS_STORED ? row->steps_total
                                                                     : AMPEL_OUTLOOK_STEPS_STORED;
    if (row->steps_count == 0) return true;
    row->steps = arena_copy(building, steps, row->steps_count * sizeof(*steps));
    if (row->steps == NULL) return false;
    for (uint32_t i = 0; i < row->steps_count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, steps[i].id, &row->steps[i].id))
            return false;
    }
    return true;
}

static bool copy_green(struct ampel_building *building, uint32_t slot, struct ampel_outlook_row *row) {
    row->green_known = row->fixes_total <= AMPEL_OUTLOOK_GREEN_STORED;
    if (!row->green_known) return true;
    struct ampel_outlook_green green;
    if (ampel_outlook_to_green(building->engine, slot, &green) != AMPEL_ENGINE_OK)
        return false;
    row->green_found = green.found;
    if (!green.found || green.count == 0) return true;
    row->green = arena_copy(building, green.ids, green.count * sizeof(*green.ids));
    if (row->green == NULL) return false;
    row->green_count = green.count;
    for (uint32_t i = 0; i < green.count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, green.ids[i], &row->green[i]))
            return false;
    }
    return true;
}

bool ampel_building_outlook(struct ampel_building *building, uint32_t slot) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    void *rows = more(building, checkpoint->outlooks, checkpoint->outlooks_count, &building->outlooks_capacity,
                      sizeof(checkpoint->outlooks[0]));
    if (rows == NULL) return false;
    checkpoint->outlooks = rows;
    struct ampel_outlook_row *row = &checkpoint->outlooks[checkpoint->outlooks_count++];
    *row = (struct ampel_outlook_row){.as_of_ms = checkpoint->as_of_ms};
    return copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace) &&
           copy_fixes(building, slot, row) && copy_steps(building, slot, row) && copy_green(building, slot, row) &&
           ampel_outlook_caps(building->engine, slot, row->caps) == AMPEL_ENGINE_OK;
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

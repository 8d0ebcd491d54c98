/* What a partition gathers between two checkpoints besides its engine's state: rows that changes name, slots that wait. */
#include <stdlib.h>
#include <string.h>

#include "workers/checkpoint_build.h"

bool ampel_gathered_init(struct ampel_gathered *gathered) {
    *gathered = (struct ampel_gathered){.arena = ampel_arena_open()};
    return gathered->arena != NULL;
}

void ampel_gathered_reset(struct ampel_gathered *gathered) {
    if (gathered->arena != NULL) ampel_arena_close(gathered->arena);
    free(gathered->refusals);
    free(gathered->gone);
    free(gathered->waiting);
    *gathered = (struct ampel_gathered){0};
}

/* Makes room for one more row; the rows stay where they are or move. NULL: no memory. */
static void *grow(void *rows, uint32_t count, uint32_t *capacity, size_t row_size) {
    if (count < *capacity) return rows;
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(rows, wanted * row_size);
    if (grown != NULL) *capacity = wanted;
    return grown;
}

static uint64_t account_size(struct ampel_text tenant, struct ampel_text seller,
                             struct ampel_text marketplace) {
    return (uint64_t)tenant.size + seller.size + marketplace.size;
}

bool ampel_gathered_refusal(struct ampel_gathered *gathered, const struct ampel_refusal_row *row) {
    void *rows = grow(gathered->refusals, gathered->refusals_count, &gathered->refusals_capacity,
                      sizeof(*row));
    if (rows == NULL) return false;
    gathered->refusals = rows;
    struct ampel_refusal_row *copy = &gathered->refusals[gathered->refusals_count];
    *copy = *row;
    struct ampel_arena *arena = gathered->arena;
    if (!ampel_arena_text(arena, row->tenant, &copy->tenant) ||
        !ampel_arena_text(arena, row->seller, &copy->seller) ||
        !ampel_arena_text(arena, row->marketplace, &copy->marketplace) ||
        !ampel_arena_text(arena, row->producer, &copy->producer) ||
        !ampel_arena_text(arena, row->field, &copy->field) ||
        !ampel_arena_text(arena, row->id, &copy->id)) {
        return false;
    }
    gathered->refusals_count++;
    gathered->size_bytes += sizeof(*row) + row->producer.size + row->field.size + row->id.size +
                            account_size(row->tenant, row->seller, row->marketplace);
    return true;
}

bool ampel_gathered_gone(struct ampel_gathered *gathered, const struct ampel_violation_gone *row) {
    void *rows = grow(gathered->gone, gathered->gone_count, &gathered->gone_capacity, sizeof(*row));
    if (rows == NULL) return false;
    gathered->gone = rows;
    struct ampel_violation_gone *copy = &gathered->gone[gathered->gone_count];
    struct ampel_arena *arena = gathered->arena;
    if (!ampel_arena_text(arena, row->tenant, &copy->tenant) ||
        !ampel_arena_text(arena, row->seller, &copy->seller) ||
        !ampel_arena_text(arena, row->marketplace, &copy->marketplace) ||
        !ampel_arena_text(arena, row->id, &copy->id)) {
        return false;
    }
    gathered->gone_count++;
    gathered->size_bytes +=
        sizeof(*row) + row->id.size + account_size(row->tenant, row->seller, row->marketplace);
    return true;
}

/* ---- slots that wait ------------------------------------------------------------------------ */

static uint64_t *bitmap_grow(uint64_t *words, uint32_t count, uint32_t wanted) {
    uint64_t *grown = realloc(words, wanted * sizeof(uint64_t));
    if (grown != NULL) memset(grown + count, 0, (wanted - count) * sizeof(uint64_t));
    return grown;
}

bool ampel_gathered_reserve(struct ampel_gathered *gathered, uint32_t slots_count) {
    uint32_t words = slots_count / 64 + (slots_count % 64 != 0);
    if (words <= gathered->waiting_words) return true;
    words += words / 2;
    uint64_t *grown = bitmap_grow(gathered->waiting, gathered->waiting_words, words);
    if (grown == NULL) return false;
    gathered->waiting = grown;
    gathered->waiting_words = words;
    return true;
}

void ampel_gathered_wait(struct ampel_gathered *gathered, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((gathered->waiting[slot / 64] & bit) != 0) return;
    gathered->waiting[slot / 64] |= bit;
    gathered->waiting_count++;
}

void ampel_gathered_wait_no_more(struct ampel_gathered *gathered, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((gathered->waiting[slot / 64] & bit) == 0) return;
    gathered->waiting[slot / 64] &= ~bit;
    gathered->waiting_count--;
}

bool ampel_gathered_wait_all(struct ampel_gathered *gathered, uint32_t slots_count) {
    if (!ampel_gathered_reserve(gathered, slots_count)) return false;
    gathered->beside_due = true;
    for (uint32_t slot = 0; slot < slots_count; slot++) {
        ampel_gathered_wait(gathered, slot);
    }
    return true;
}

#include "engine/table.h"

#include <string.h>

#define ENTRIES AMPEL_TABLE_SEGMENT_ENTRIES

static struct ampel_table_segment *segment_take(struct ampel_pool *pool, uint32_t depth) {
    struct ampel_table_segment *segment = ampel_pool_take(pool, sizeof(*segment));
    if (segment == NULL) return NULL;
    memset(segment, 0, sizeof(*segment));
    segment->depth = depth;
    return segment;
}

bool ampel_table_init(struct ampel_table *table, struct ampel_pool *pool, uint32_t expected) {
    table->depth = 0;
    while (table->depth < AMPEL_TABLE_DEPTH_MAX && (expected >> table->depth) > ENTRIES / 4) {
        table->depth++;
    }
    uint32_t count = UINT32_C(1) << table->depth;
    table->directory = ampel_pool_take(pool, count * sizeof(struct ampel_table_segment *));
    if (table->directory == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        table->directory[i] = segment_take(pool, table->depth);
        if (table->directory[i] == NULL) return false;
    }
    return true;
}

uint32_t ampel_table_next(const struct ampel_table *table, uint32_t tag, uint32_t *step) {
    const struct ampel_table_segment *segment = ampel_table_segment_of(table, tag);
    while (*step < ENTRIES) {
        const struct ampel_table_entry *entry = &segment->entries[(tag + *step) % ENTRIES];
        if (entry->slot_and_one == 0) return UINT32_MAX;
        (*step)++;
        if (entry->tag == tag) return entry->slot_and_one - 1;
    }
    return UINT32_MAX;
}

static void entry_put(struct ampel_table_segment *segment, uint32_t tag, uint32_t slot_and_one) {
    uint32_t place = tag % ENTRIES;
    while (segment->entries[place].slot_and_one != 0)
        place = (place + 1) % ENTRIES;
    segment->entries[place] = (struct ampel_table_entry){tag, slot_and_one};
    segment->count++;
}

static bool directory_double(struct ampel_table *table, struct ampel_pool *pool) {
    uint32_t count = UINT32_C(1) << table->depth;
    size_t bytes = count * sizeof(struct ampel_table_segment *);
    struct ampel_table_segment **doubled = ampel_pool_take(pool, 2 * bytes);
    if (doubled == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        doubled[2 * i] = table->directory[i];
        doubled[2 * i + 1] = table->directory[i];
    }
    ampel_pool_give(pool, table->directory, bytes);
    table->directory = doubled;
    table->depth++;
    return true;
}

static bool segment_split(struct ampel_table *table, struct ampel_pool *pool, uint32_t tag) {
    struct ampel_table_segment *full = ampel_table_segment_of(table, tag);
    if (full->depth == table->depth && !directory_double(table, pool)) return false;
    uint32_t depth = full->depth + 1;
    struct ampel_table_segment *halves[2] = {segment_take(pool, depth), segment_take(pool, depth)};
    if (halves[0] == NULL || halves[1] == NULL) return false;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const struct ampel_table_entry *entry = &full->entries[i];
        if (entry->slot_and_one == 0) continue;
        entry_put(halves[entry->tag >> (32 - depth) & 1], entry->tag, entry->slot_and_one);
    }
    uint32_t shared = table->depth - depth; /* bits of the directory that no longer tell apart */
    uint32_t first = (uint32_t)((uint64_t)(tag >> (32 - depth) & ~UINT32_C(1)) << shared);
    uint32_t run = UINT32_C(1) << shared;
    for (uint32_t i = 0; i < 2 * run; i++)
        table->directory[first + i] = halves[i >= run];
    ampel_pool_give(pool, full, sizeof(*full));
    return true;
}

bool ampel_table_push(struct ampel_table *table, struct ampel_pool *pool, uint32_t tag,
                      uint32_t slot) {
    struct ampel_table_segment *segment = ampel_table_segment_of(table, tag);
    while (segment->count >= ENTRIES / 2 && segment->depth < AMPEL_TABLE_DEPTH_MAX) {
        if (!segment_split(table, pool, tag)) return false;
        segment = ampel_table_segment_of(table, tag);
    }
    /* Hundreds of accounts with twenty equal bits in their tags: fuller, never quite full. */
    if (segment->count >= ENTRIES - 1) return false;
    entry_put(segment, tag, slot + 1);
    return true;
}

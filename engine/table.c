#include "engine/table.h"

#include <string.h>

#define ENTRIES AMPEL_TABLE_SEGMENT_ENTRIES

#define LINE_BYTES    64
#define SEGMENT_BYTES (sizeof(struct ampel_table_segment) + LINE_BYTES - 16)

#define BUCKET        AMPEL_TABLE_BUCKET_ENTRIES
#define ENTRIES_MOST  (ENTRIES * 5 / 8)

static_assert(ENTRIES % BUCKET == 0, "buckets are whole");
static_assert(SEGMENT_BYTES <= 16384, "a segment fills a block of the pool");

/* Blocks of the pool are aligned to 16 bytes: some of them lie before the first whole line. */
static struct ampel_table_segment *segment_take(struct ampel_pool *pool, uint32_t depth) {
    uint8_t *block = ampel_pool_take(pool, SEGMENT_BYTES);
    if (block == NULL) return NULL;
    struct ampel_table_segment *segment = (void *)(block + (-(uintptr_t)block) % LINE_BYTES);
    memset(segment, 0, sizeof(*segment));
    segment->depth = depth;
    segment->block = block;
    return segment;
}

bool ampel_table_init(struct ampel_table *table, struct ampel_pool *pool, uint32_t expected) {
    table->depth = 0;
    table->count = 0;
    while (table->depth < AMPEL_TABLE_DEPTH_MAX && (expected >> table->depth) > ENTRIES_MOST / 2) {
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

/* The entry that a search looks at in its step-th step, step < ENTRIES. */
static uint32_t entry_place(uint32_t tag, uint32_t step) {
    uint32_t home = ampel_table_home(tag);
    uint32_t bucket = (home / BUCKET + step / BUCKET) % (ENTRIES / BUCKET);
    return bucket * BUCKET + (home + step) % BUCKET;
}

uint32_t ampel_table_next(const struct ampel_table *table, uint32_t tag, uint32_t *step) {
    const struct ampel_table_segment *segment = ampel_table_segment_of(table, tag);
    for (uint32_t passed = *step / ENTRIES; passed > 0 && segment != NULL; passed--) {
        segment = segment->overflow;
    }
    while (segment != NULL) {
        const struct ampel_table_entry *entry =
            &segment->entries[entry_place(tag, *step % ENTRIES)];
        if (entry->slot_and_one == 0) {
            *step = (*step / ENTRIES + 1) * ENTRIES;
            segment = segment->overflow;
            continue;
        }
        (*step)++;
        if (entry->tag == tag) return entry->slot_and_one - 1;
    }
    return UINT32_MAX;
}

/* Some of a segment stays free, so every search ends within it. */
static bool entry_put(struct ampel_table_segment *segment, struct ampel_pool *pool, uint32_t tag,
                      uint32_t slot_and_one) {
    while (segment->count >= ENTRIES_MOST) {
        if (segment->overflow == NULL) segment->overflow = segment_take(pool, segment->depth);
        segment = segment->overflow;
        if (segment == NULL) return false;
    }
    uint32_t step = 0, place = ampel_table_home(tag);
    while (segment->entries[place].slot_and_one != 0)
        place = entry_place(tag, ++step);
    segment->entries[place] = (struct ampel_table_entry){tag, slot_and_one};
    segment->count++;
    return true;
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

/* Every entry of a segment and of what overflowed from it, by the next bit of its tag. */
static bool entries_divide(struct ampel_pool *pool, struct ampel_table_segment *full,
                           struct ampel_table_segment *const halves[2], uint32_t depth) {
    while (full != NULL) {
        for (uint32_t i = 0; i < ENTRIES; i++) {
            const struct ampel_table_entry *entry = &full->entries[i];
            if (entry->slot_and_one == 0) continue;
            struct ampel_table_segment *half = halves[entry->tag >> (32 - depth) & 1];
            if (!entry_put(half, pool, entry->tag, entry->slot_and_one)) return false;
        }
        struct ampel_table_segment *overflow = full->overflow;
        ampel_pool_give(pool, full->block, SEGMENT_BYTES);
        full = overflow;
    }
    return true;
}

static bool segment_split(struct ampel_table *table, struct ampel_pool *pool, uint32_t tag) {
    struct ampel_table_segment *full = ampel_table_segment_of(table, tag);
    if (full->depth == table->depth && !directory_double(table, pool)) return false;
    uint32_t depth = full->depth + 1;
    struct ampel_table_segment *halves[2] = {segment_take(pool, depth), segment_take(pool, depth)};
    if (halves[0] == NULL || halves[1] == NULL) return false;
    uint32_t shared = table->depth - depth; /* bits of the directory that no longer tell apart */
    uint32_t first = (uint32_t)((uint64_t)(tag >> (32 - depth) & ~UINT32_C(1)) << shared);
    uint32_t run = UINT32_C(1) << shared;
    for (uint32_t i = 0; i < 2 * run; i++)
        table->directory[first + i] = halves[i >= run];
    return entries_divide(pool, full, halves, depth);
}

/* Even a table whose segments held a sixteenth of their room on average would be no deeper. */
static uint32_t depth_most(const struct ampel_table *table) {
    uint32_t depth = 0;
    while (depth < AMPEL_TABLE_DEPTH_MAX && table->count >> depth > ENTRIES / 16)
        depth++;
    return depth;
}

bool ampel_table_push(struct ampel_table *table, struct ampel_pool *pool, uint32_t tag,
                      uint32_t slot) {
    struct ampel_table_segment *segment = ampel_table_segment_of(table, tag);
    while (segment->count >= ENTRIES_MOST && segment->depth < depth_most(table)) {
        if (!segment_split(table, pool, tag)) return false;
        segment = ampel_table_segment_of(table, tag);
    }
    if (!entry_put(segment, pool, tag, slot + 1)) return false;
    table->count++;
    return true;
}

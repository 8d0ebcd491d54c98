#include "engine/records.h"

#include <string.h>

#include "engine/load.h"

#define CAPACITY_LEAST    2
#define CAPACITY_GREATEST 65536

static_assert(AMPEL_ACCOUNT_VIOLATIONS_MAX < AMPEL_VIOLATION_NONE + 1, "record numbers are u16");

/* ---- texts ---------------------------------------------------------------------------------- */

struct ampel_text ampel_violations_text(const struct ampel_violations *block, uint16_t record,
                                        enum ampel_violation_text which) {
    const struct ampel_violation_cold *cold = block->hot[record].cold;
    uint32_t offset = AMPEL_VIOLATION_COLD_BYTES;
    for (uint32_t i = 0; i < (uint32_t)which; i++)
        offset += cold->sizes[i];
    return (struct ampel_text){(const char *)cold + offset, cold->sizes[which]};
}

int64_t ampel_violations_sales(const struct ampel_violations *block, uint16_t record) {
    const struct ampel_violation_cold *cold = block->hot[record].cold;
    if (!cold->has_sales) return -1;
    struct ampel_text last = ampel_violations_text(block, record, AMPEL_TEXT_SKU);
    return ampel_load_i64(last.bytes + last.size);
}

void ampel_violations_texts(const struct ampel_violations *block, uint16_t record,
                            struct ampel_text texts[AMPEL_TEXTS_COUNT], int64_t *sales_cents) {
    const struct ampel_violation_cold *cold = block->hot[record].cold;
    const char *bytes = (const char *)cold + AMPEL_VIOLATION_COLD_BYTES;
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++) {
        texts[i] = (struct ampel_text){bytes, cold->sizes[i]};
        bytes += cold->sizes[i];
    }
    *sales_cents = cold->has_sales ? ampel_load_i64(bytes) : -1;
}

static size_t cold_bytes(const struct ampel_violation_cold *cold) {
    size_t size = AMPEL_VIOLATION_COLD_BYTES + (cold->has_sales ? sizeof(int64_t) : 0);
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++)
        size += cold->sizes[i];
    return size > sizeof(*cold) ? size : sizeof(*cold);
}

/* Of an id alone, as mostly. NULL: no memory. */
AMPEL_INLINE struct ampel_violation_cold *cold_bare(struct ampel_pool *pool, struct ampel_text id) {
    AMPEL_ASSERT(id.size <= AMPEL_ID_BYTES_MAX);
    size_t size = AMPEL_VIOLATION_COLD_BYTES + id.size;
    struct ampel_violation_cold *cold = ampel_pool_take(pool, size > sizeof(*cold) ? size : sizeof(*cold));
    if (cold == NULL) return NULL;
    *cold = (struct ampel_violation_cold){.state_at_ms = AMPEL_STATE_NEVER_MS, .sizes = {(uint8_t)id.size}};
    ampel_bytes_copy((uint8_t *)cold + AMPEL_VIOLATION_COLD_BYTES, id.bytes, id.size);
    return cold;
}

/* NULL: no memory. */
AMPEL_APART static struct ampel_violation_cold *cold_full(struct ampel_pool *pool,
                                                          const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                                          int64_t sales_cents) {
    const bool has_sales = sales_cents != -1;
    size_t size = AMPEL_VIOLATION_COLD_BYTES + (has_sales ? sizeof(int64_t) : 0);
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++) {
        AMPEL_ASSERT(texts[i].size <= AMPEL_ID_BYTES_MAX);
        size += texts[i].size;
    }
    struct ampel_violation_cold *cold =
        ampel_pool_take(pool, size > sizeof(*cold) ? size : sizeof(*cold));
    if (cold == NULL) return NULL;
    *cold = (struct ampel_violation_cold){.state_at_ms = AMPEL_STATE_NEVER_MS, .has_sales = has_sales};
    uint8_t *place = (uint8_t *)cold + AMPEL_VIOLATION_COLD_BYTES;
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++) {
        cold->sizes[i] = (uint8_t)texts[i].size;
        if (texts[i].size == 0) continue; /* mostly the id is the only one */
        ampel_bytes_copy(place, texts[i].bytes, texts[i].size);
        place += texts[i].size;
    }
    if (has_sales) ampel_store_i64(place, sales_cents);
    return cold;
}

/* NULL: no memory. */
AMPEL_INLINE struct ampel_violation_cold *cold_make(struct ampel_pool *pool,
                                                    const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                                    int64_t sales_cents) {
    uint32_t others = texts[AMPEL_TEXT_INCIDENT].size | texts[AMPEL_TEXT_ASIN].size | texts[AMPEL_TEXT_SKU].size;
    bool bare = others == 0 && sales_cents == -1;
    return bare ? cold_bare(pool, texts[AMPEL_TEXT_ID]) : cold_full(pool, texts, sales_cents);
}

bool ampel_records_texts_set(struct ampel_violations *block, struct ampel_pool *pool,
                             uint16_t record, const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                             int64_t sales_cents) {
    struct ampel_violation_cold *old = block->hot[record].cold;
    struct ampel_violation_cold *cold = cold_make(pool, texts, sales_cents);
    if (cold == NULL) return false;
    cold->last_seen_ms = old->last_seen_ms;
    cold->state_at_ms = old->state_at_ms;
    block->hot[record].cold = cold;
    /* The new texts may have been borrowed from the old ones: these go last. */
    ampel_pool_give(pool, old, cold_bytes(old));
    return true;
}

/* ---- room ----------------------------------------------------------------------------------- */

static size_t block_bytes(uint32_t capacity) {
    size_t bytes = sizeof(struct ampel_violations) + capacity * sizeof(struct ampel_violation_hot);
    if (capacity < AMPEL_VIOLATIONS_MANY) return bytes + capacity * sizeof(uint16_t);
    bytes += capacity / 2 * 3 * (sizeof(uint16_t) + sizeof(uint64_t)); /* order and keys */
    bytes += capacity * (sizeof(uint64_t) + 2 * sizeof(uint32_t));     /* dues and index */
    return bytes + AMPEL_VIOLATIONS_RUNS * sizeof(struct ampel_violations_run);
}

/* Two or four records, mostly: a call for their order would cost more. */
static void few_copy(struct ampel_violations *block, const struct ampel_violations *old) {
    const uint16_t *old_order = ampel_violations_order(old);
    uint16_t *order = ampel_violations_order(block);
    for (uint32_t i = 0; i < old->count; i++)
        order[i] = old_order[i];
}

static void many_copy(struct ampel_violations *block, const struct ampel_violations *old) {
    ampel_places_copy(block, old);
    if (ampel_violations_many(block)) {
        memset(ampel_violations_index(block), 0, 2 * (size_t)block->capacity * sizeof(uint32_t));
        for (uint32_t i = 0; i < block->count; i++)
            ampel_ids_put(block, (uint16_t)i);
    }
    if (ampel_violations_many(block) && ampel_violations_many(old))
        memcpy(ampel_violations_dues(block), ampel_violations_dues(old), old->count * sizeof(uint64_t));
    else
        ampel_dues_rebuild(block);
}

AMPEL_INLINE struct ampel_violations *block_resize(struct ampel_violations *old, struct ampel_pool *pool,
                                                   uint32_t capacity) {
    struct ampel_violations *block = ampel_pool_take(pool, block_bytes(capacity));
    if (block == NULL) return NULL;
    if (old == NULL) {
        memset(block, 0, sizeof(*block));
        block->capacity = capacity & 0x1ffff;
        return block;
    }
    memcpy(block, old, sizeof(*old) + old->count * sizeof(*old->hot));
    block->capacity = capacity & 0x1ffff;
    if (ampel_violations_many(block) || ampel_violations_many(old))
        many_copy(block, old);
    else
        few_copy(block, old);
    ampel_pool_give(pool, old, block_bytes(old->capacity));
    return block;
}

/* Few violations are the rule, and a block of a few has little to spare; an index asks for powers of
   two. */
static uint32_t capacity_above(uint32_t capacity) {
    if (capacity < 12) return (capacity + 2) / 2 * 2;
    if (capacity < 24) return (capacity + 4) / 4 * 4;
    return capacity < AMPEL_VIOLATIONS_MANY ? AMPEL_VIOLATIONS_MANY : 2 * capacity;
}

static bool room_make(struct ampel_violations **block, struct ampel_pool *pool) {
    uint32_t capacity = CAPACITY_LEAST;
    if (*block != NULL) {
        if ((*block)->count < (*block)->capacity) return true;
        capacity = capacity_above((*block)->capacity);
    }
    AMPEL_ASSERT(capacity <= CAPACITY_GREATEST);
    struct ampel_violations *resized = block_resize(*block, pool, capacity);
    if (resized == NULL) return false;
    *block = resized;
    return true;
}

/* ---- in and out ----------------------------------------------------------------------------- */

struct ampel_violation_hot *ampel_records_claim(struct ampel_violations **block,
                                                struct ampel_pool *pool,
                                                const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                                int64_t sales_cents, int64_t seen_ms,
                                                int64_t window_ms) {
    struct ampel_violation_cold *cold = cold_make(pool, texts, sales_cents);
    if (cold == NULL) return NULL;
    /* The room comes last, so that no block without records is left where there is none. */
    if (!room_make(block, pool)) {
        ampel_pool_give(pool, cold, cold_bytes(cold));
        return NULL;
    }
    struct ampel_violations *records = *block;
    cold->last_seen_ms = seen_ms;
    if (records->count == 0) records->window_days = (uint8_t)(window_ms / AMPEL_DAY_MS);
    AMPEL_ASSERT_PARANOID(records->window_days * AMPEL_DAY_MS == window_ms);
    struct ampel_violation_hot *hot = &records->hot[records->count];
    *hot = (struct ampel_violation_hot){.cleared_since_ms = AMPEL_CLEARED_NEVER_MS, .cold = cold};
    return hot;
}

void ampel_records_add(struct ampel_violations *block, uint32_t place, uint16_t rank) {
    uint16_t record = block->count;
    ampel_places_put(block, record, place, rank, record);
    if (ampel_violations_many(block)) ampel_ids_put(block, record);
    block->count++;
    ampel_dues_add(block);
}

/* The last record takes a free number; everything that knew it by its old one learns the new one. */
static void record_renumber(struct ampel_violations *block, uint16_t from, uint16_t to) {
    const struct ampel_violation_hot *hot = &block->hot[from];
    struct ampel_text id = ampel_violations_text(block, from, AMPEL_TEXT_ID);
    uint32_t place = ampel_places_find(block, hot->policy, hot->at_ms, id, from);
    AMPEL_ASSERT(ampel_violations_order(block)[place] == from);
    ampel_violations_order(block)[place] = to;
    ampel_dues_renumber(block, from, to);
    if (ampel_violations_many(block)) ampel_ids_renumber(block, from, to);
    block->hot[to] = block->hot[from];
}

void ampel_records_release(struct ampel_violations **block, struct ampel_pool *pool,
                           uint16_t record) {
    struct ampel_violations *records = *block;
    uint16_t last = (uint16_t)(records->count - 1);
    ampel_places_remove(records, ampel_places_of(records, record), records->count);
    if (ampel_violations_many(records)) ampel_ids_remove(records, record);
    ampel_dues_remove(records, record);
    ampel_pool_give(pool, records->hot[record].cold, cold_bytes(records->hot[record].cold));
    if (record != last) record_renumber(records, last, record);
    records->count--;
    if (records->count == 0) {
        ampel_pool_give(pool, records, block_bytes(records->capacity));
        *block = NULL;
    } else if (records->capacity > 8 && records->count <= records->capacity / 4) {
        struct ampel_violations *resized = block_resize(records, pool, (uint32_t)records->capacity / 2);
        if (resized != NULL) *block = resized;
    }
}

bool ampel_records_sane(const struct ampel_violations *block) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        if (ampel_violations_find(block, ampel_violations_text(block, (uint16_t)i, AMPEL_TEXT_ID)) != i) return false;
        known += block->hot[i].policy != AMPEL_POLICY_WAITING;
    }
    return known == block->known_count && ampel_places_sane(block) && ampel_dues_sane(block);
}

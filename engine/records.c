#include "engine/records.h"

#include <string.h>

#include "engine/load.h"

#define CAPACITY_LEAST    2
#define CAPACITY_GREATEST 65536
#define INDEX_FROM        32 /* below, a scan over the hashes of hot records is as fast */

/* A policy stands above any time. */
#define KEY_SHIFT 56

static_assert(AMPEL_TIME_MAX_MS < INT64_C(1) << KEY_SHIFT, "a key holds a time");
static_assert(AMPEL_ACCOUNT_VIOLATIONS_MAX < AMPEL_VIOLATION_NONE + 1, "record numbers are u16");

static uint64_t hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

uint32_t ampel_records_hash(struct ampel_text id) {
    uint64_t hash = id.size * UINT64_C(0x9e3779b97f4a7c15), word = 0;
    if (id.size < 8) {
        for (uint32_t i = 0; i < id.size; i++)
            word = word << 8 | (uint8_t)id.bytes[i];
        return (uint32_t)hash_word(hash, word);
    }
    for (uint32_t offset = 0; offset + 8 < id.size; offset += 8)
        hash = hash_word(hash, ampel_load_u64(id.bytes + offset));
    return (uint32_t)hash_word(hash, ampel_load_u64(id.bytes + id.size - 8));
}

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

static struct ampel_text id_of(const struct ampel_violations *block, uint16_t record) {
    return ampel_violations_text(block, record, AMPEL_TEXT_ID);
}

/* ---- the block ------------------------------------------------------------------------------ */

static uint32_t index_entries(uint32_t capacity) {
    return capacity >= INDEX_FROM ? 2 * capacity : 0;
}

static bool indexed(const struct ampel_violations *block) {
    return block->capacity >= INDEX_FROM;
}

/* Behind order and heap; a capacity that has an index is a power of two, so it is aligned. */
static uint32_t *index_of(const struct ampel_violations *block) {
    return (uint32_t *)(uintptr_t)(ampel_violations_order(block) + 2 * (size_t)block->capacity);
}

/* Where there is an index, its entries are a power of two. */
static uint32_t index_mask(const struct ampel_violations *block) {
    return 2 * (uint32_t)block->capacity - 1;
}

/* How many sort before the end of each policy; those that wait follow behind the last. */
static uint16_t *ends_of(const struct ampel_violations *block) {
    return (uint16_t *)(uintptr_t)(index_of(block) + 2 * (size_t)block->capacity);
}

static size_t block_bytes(uint32_t capacity) {
    size_t record = sizeof(struct ampel_violation_hot) + 2 * sizeof(uint16_t);
    size_t ends = capacity >= INDEX_FROM ? sizeof(uint16_t) * AMPEL_POLICIES_MAX : 0;
    return sizeof(struct ampel_violations) + record * capacity +
           sizeof(uint32_t) * index_entries(capacity) + ends;
}

static void block_lay_out(struct ampel_violations *block, uint32_t capacity) {
    uint32_t entries = index_entries(capacity);
    block->capacity = capacity & 0xffffff;
    if (entries > 0) memset(index_of(block), 0, entries * sizeof(uint32_t));
}

/* ---- the index ------------------------------------------------------------------------------ */

/* The upper half of the hash beside the record's number: who looks for an id that is unknown reads
   nothing but the index. */
static uint32_t index_entry(uint32_t hash, uint16_t record) {
    return (hash & UINT32_C(0xffff0000)) | (uint32_t)(record + 1);
}

static uint16_t index_record(uint32_t entry) {
    return (uint16_t)((entry & 0xffff) - 1);
}

static void index_put(struct ampel_violations *block, uint16_t record) {
    if (!indexed(block)) return;
    uint32_t hash = block->hot[record].id_hash, mask = index_mask(block), place = hash & mask;
    uint32_t *index = index_of(block);
    while (index[place] != 0)
        place = (place + 1) & mask;
    index[place] = index_entry(hash, record);
}

static uint32_t index_place(const struct ampel_violations *block, uint16_t record) {
    uint32_t hash = block->hot[record].id_hash, place = hash & index_mask(block);
    while (index_of(block)[place] != index_entry(hash, record))
        place = (place + 1) & index_mask(block);
    return place;
}

/* Closes the gap, so that no chain is cut (no tombstones). */
static void index_remove(struct ampel_violations *block, uint16_t record) {
    if (!indexed(block)) return;
    uint32_t mask = index_mask(block), hole = index_place(block, record), place = hole;
    for (;;) {
        index_of(block)[hole] = 0;
        for (;;) {
            place = (place + 1) & mask;
            if (index_of(block)[place] == 0) return;
            uint32_t home = block->hot[index_record(index_of(block)[place])].id_hash & mask;
            if (((place - home) & mask) >= ((place - hole) & mask)) break;
        }
        index_of(block)[hole] = index_of(block)[place];
        hole = place;
    }
}

static bool record_is(const struct ampel_violations *block, uint16_t record, uint32_t hash,
                      struct ampel_text id) {
    return block->hot[record].id_hash == hash && ampel_text_compare(id_of(block, record), id) == 0;
}

uint16_t ampel_violations_find(const struct ampel_violations *block, struct ampel_text id) {
    return block != NULL ? ampel_records_find(block, id, ampel_records_hash(id))
                         : AMPEL_VIOLATION_NONE;
}

uint16_t ampel_records_find(const struct ampel_violations *block, struct ampel_text id,
                            uint32_t hash) {
    if (block == NULL) return AMPEL_VIOLATION_NONE;
    if (!indexed(block)) {
        for (uint32_t i = 0; i < block->count; i++) {
            if (record_is(block, (uint16_t)i, hash, id)) return (uint16_t)i;
        }
        return AMPEL_VIOLATION_NONE;
    }
    const uint32_t *index = index_of(block);
    uint32_t mask = index_mask(block), place = hash & mask;
    for (; index[place] != 0; place = (place + 1) & mask) {
        if (((index[place] ^ hash) & UINT32_C(0xffff0000)) != 0) continue;
        uint16_t record = index_record(index[place]);
        if (record_is(block, record, hash, id)) return record;
    }
    return AMPEL_VIOLATION_NONE;
}

/* ---- the order ------------------------------------------------------------------------------ */

int ampel_records_compare(const struct ampel_violations *block, uint16_t a, uint16_t b) {
    const struct ampel_violation_hot *left = &block->hot[a], *right = &block->hot[b];
    if (left->policy != right->policy) return left->policy < right->policy ? -1 : 1;
    if (left->at_ms != right->at_ms) return left->at_ms < right->at_ms ? -1 : 1;
    return ampel_text_compare(id_of(block, a), id_of(block, b));
}

/* (policy, at) as one number. */
static uint64_t key_of(uint8_t policy, int64_t at_ms) {
    return (uint64_t)policy << KEY_SHIFT | (uint64_t)at_ms;
}

static uint64_t record_key(const struct ampel_violation_hot *hot) {
    return key_of(hot->policy, hot->at_ms);
}

/* Of the record at a position. */
static uint64_t key_at(const struct ampel_violations *block, uint32_t position) {
    return record_key(&block->hot[ampel_violations_order(block)[position]]);
}

/* Where those of a policy start and end among the first ordered_count; a policy that is none is that of those
   that wait. */
static void run_find(const struct ampel_violations *block, uint32_t policy, uint32_t ordered_count,
                     uint32_t *start, uint32_t *end) {
    const uint16_t *ends = ends_of(block);
    if (policy > AMPEL_POLICIES_MAX) policy = AMPEL_POLICIES_MAX;
    *start = policy > 0 ? ends[policy - 1] : 0;
    *end = policy < AMPEL_POLICIES_MAX ? ends[policy] : ordered_count;
}

/* One more of a policy, or one less. */
static void ends_shift(struct ampel_violations *block, uint32_t policy, int by) {
    uint16_t *ends = ends_of(block);
    for (uint32_t i = policy; i < AMPEL_POLICIES_MAX; i++)
        ends[i] = (uint16_t)(ends[i] + by);
}

/* Records of a few stand next to each other: one by one from the last. */
#define PLACED_ONE_BY_ONE 8

/* How many of the first ordered_count have a key below this one. */
static uint32_t key_place(const struct ampel_violations *block, uint64_t key,
                          uint32_t ordered_count) {
    uint32_t low = 0, high = ordered_count;
    if (ordered_count <= PLACED_ONE_BY_ONE) {
        while (high > 0 && key_at(block, high - 1) >= key)
            high--;
        return high;
    }
    if (indexed(block)) {
        run_find(block, (uint32_t)(key >> KEY_SHIFT), ordered_count, &low, &high);
        /* Records lie far apart, and mostly what comes is among the latest of its policy. */
        for (uint32_t step = 1; low < high; step *= 2) {
            uint32_t probe = high - low > step ? high - step : low;
            if (key_at(block, probe) < key) {
                low = probe + 1;
                break;
            }
            high = probe;
        }
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_at(block, middle) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t ampel_records_place(const struct ampel_violations *block, uint8_t policy, int64_t at_ms,
                             struct ampel_text id, uint32_t ordered_count) {
    const uint16_t *order = ampel_violations_order(block);
    uint64_t key = key_of(policy, at_ms);
    uint32_t low = key_place(block, key, ordered_count);
    /* Mostly nothing else has its key. */
    if (low == ordered_count || key_at(block, low) != key) return low;
    uint32_t high = key_place(block, key + 1, ordered_count);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ampel_text_compare(id_of(block, order[middle]), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many of the first ordered_count sort before the record. */
static uint32_t order_place(const struct ampel_violations *block, uint16_t record,
                            uint32_t ordered_count) {
    const struct ampel_violation_hot *hot = &block->hot[record];
    return ampel_records_place(block, hot->policy, hot->at_ms, id_of(block, record), ordered_count);
}

uint32_t ampel_records_position(const struct ampel_violations *block, uint16_t record) {
    uint32_t position = order_place(block, record, block->count);
    AMPEL_ASSERT(position < block->count && ampel_violations_order(block)[position] == record);
    return position;
}

uint32_t ampel_records_position_from(const struct ampel_violations *block, uint8_t policy,
                                     int64_t at_ms) {
    uint64_t key = at_ms > 0 ? key_of(policy, at_ms) : key_of(policy, 0);
    if (indexed(block)) {
        /* Mostly all of a policy are young enough. */
        uint32_t start, end;
        run_find(block, policy, block->count, &start, &end);
        if (start == end || key_at(block, start) >= key) return start;
    }
    return key_place(block, key, block->count);
}

uint32_t ampel_records_run_end(const struct ampel_violations *block, uint8_t policy) {
    uint32_t start, end = block->count;
    if (indexed(block)) run_find(block, policy, block->count, &start, &end);
    return end;
}

void ampel_records_order_remove(struct ampel_violations *block, uint32_t position,
                                uint32_t ordered_count) {
    uint16_t *order = ampel_violations_order(block);
    uint32_t behind = ordered_count - position - 1;
    if (indexed(block)) ends_shift(block, block->hot[order[position]].policy, -1);
    memmove(order + position, order + position + 1, behind * sizeof(*order));
}

/* Puts the record at a position among ordered_count others. */
static void order_put(struct ampel_violations *block, uint16_t record, uint32_t position,
                      uint32_t ordered_count) {
    uint16_t *order = ampel_violations_order(block);
    uint32_t behind = ordered_count - position;
    if (behind > 16) memmove(order + position + 1, order + position, behind * sizeof(*order));
    /* Mostly a handful: a call would cost more. */
    for (uint32_t i = ordered_count; behind <= 16 && i > position; i--)
        order[i] = order[i - 1];
    order[position] = record;
    if (indexed(block)) ends_shift(block, block->hot[record].policy, 1);
}

uint32_t ampel_records_order_insert(struct ampel_violations *block, uint16_t record,
                                    uint32_t ordered_count) {
    uint32_t position = order_place(block, record, ordered_count);
    order_put(block, record, position, ordered_count);
    return position;
}

/* ---- the heap ------------------------------------------------------------------------------- */

/* Ties by what every history agrees on, so that causes are named alike after an import. */
static bool due_before(const struct ampel_violations *block, uint16_t a, uint16_t b) {
    int64_t left = ampel_violation_due(block, &block->hot[a]);
    int64_t right = ampel_violation_due(block, &block->hot[b]);
    return left != right ? left < right : ampel_records_compare(block, a, b) < 0;
}

static void heap_put(struct ampel_violations *block, uint32_t place, uint16_t record) {
    ampel_violations_heap(block)[place] = record;
    block->hot[record].heap_place = (uint16_t)place;
}

static void heap_rise(struct ampel_violations *block, uint32_t place) {
    const uint16_t *heap = ampel_violations_heap(block);
    uint16_t record = heap[place];
    int64_t due_ms = ampel_violation_due(block, &block->hot[record]);
    uint32_t from = place;
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        int64_t parent_ms = ampel_violation_due(block, &block->hot[heap[parent]]);
        if (due_ms > parent_ms) break;
        if (due_ms == parent_ms && ampel_records_compare(block, record, heap[parent]) >= 0) break;
        heap_put(block, place, heap[parent]);
        place = parent;
    }
    if (place != from) heap_put(block, place, record);
}

static void heap_sink(struct ampel_violations *block, uint32_t place, uint32_t heap_count) {
    uint16_t record = ampel_violations_heap(block)[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count &&
            due_before(block, ampel_violations_heap(block)[child + 1], ampel_violations_heap(block)[child])) {
            child++;
        }
        if (!due_before(block, ampel_violations_heap(block)[child], record)) break;
        heap_put(block, place, ampel_violations_heap(block)[child]);
        place = child;
    }
    heap_put(block, place, record);
}

static void heap_remove(struct ampel_violations *block, uint16_t record, uint32_t heap_count) {
    uint32_t place = block->hot[record].heap_place, last = heap_count - 1;
    if (place == last) return;
    uint16_t moved = ampel_violations_heap(block)[last];
    heap_put(block, place, moved);
    heap_sink(block, place, last);
    heap_rise(block, block->hot[moved].heap_place);
}

void ampel_records_due_renew(struct ampel_violations *block, uint16_t record) {
    if (2 * (uint32_t)block->hot[record].heap_place + 1 < block->count)
        heap_sink(block, block->hot[record].heap_place, block->count);
    heap_rise(block, block->hot[record].heap_place);
}

void ampel_records_due_later(struct ampel_violations *block, uint16_t record) {
    if (2 * (uint32_t)block->hot[record].heap_place + 1 < block->count)
        heap_sink(block, block->hot[record].heap_place, block->count);
}

void ampel_records_heap_rebuild(struct ampel_violations *block) {
    for (uint32_t i = 0; i < block->count; i++)
        heap_put(block, i, (uint16_t)i);
    for (uint32_t i = block->count / 2; i > 0; i--)
        heap_sink(block, i - 1, block->count);
}

/* ---- room ----------------------------------------------------------------------------------- */

/* The ends of a block of which all records stand in order. */
static void ends_count(struct ampel_violations *block) {
    uint16_t *ends = ends_of(block);
    memset(ends, 0, AMPEL_POLICIES_MAX * sizeof(*ends));
    for (uint32_t i = 0; i < block->count; i++) {
        if (block->hot[i].policy < AMPEL_POLICIES_MAX) ends[block->hot[i].policy]++;
    }
    for (uint32_t i = 1; i < AMPEL_POLICIES_MAX; i++)
        ends[i] = (uint16_t)(ends[i] + ends[i - 1]);
}

/* Two or four records, mostly: a call for each part of them would cost more. */
static void few_copy(struct ampel_violations *block, const struct ampel_violations *old) {
    const uint16_t *old_order = ampel_violations_order(old), *old_heap = ampel_violations_heap(old);
    uint16_t *order = ampel_violations_order(block), *heap = ampel_violations_heap(block);
    for (uint32_t i = 0; i < old->count; i++) {
        block->hot[i] = old->hot[i];
        order[i] = old_order[i];
        heap[i] = old_heap[i];
    }
}

static struct ampel_violations *block_resize(struct ampel_violations *old, struct ampel_pool *pool,
                                             uint32_t capacity) {
    struct ampel_violations *block = ampel_pool_take(pool, block_bytes(capacity));
    if (block == NULL) return NULL;
    if (old == NULL) {
        memset(block, 0, sizeof(*block));
        block_lay_out(block, capacity);
        return block;
    }
    *block = *old;
    block_lay_out(block, capacity);
    if (!indexed(block)) {
        few_copy(block, old);
    } else {
        memcpy(block->hot, old->hot, old->count * sizeof(*old->hot));
        memcpy(ampel_violations_order(block), ampel_violations_order(old), old->count * sizeof(uint16_t));
        memcpy(ampel_violations_heap(block), ampel_violations_heap(old), old->count * sizeof(uint16_t));

        for (uint32_t i = 0; i < block->count; i++)
            index_put(block, (uint16_t)i);
        ends_count(block);
    }
    ampel_pool_give(pool, old, block_bytes(old->capacity));
    return block;
}

/* Few violations are the rule, and a block of a few has little to spare; an index asks for powers of
   two. */
static uint32_t capacity_above(uint32_t capacity) {
    if (capacity < 12) return (capacity + 2) / 2 * 2;
    if (capacity < 24) return (capacity + 4) / 4 * 4;
    return capacity < INDEX_FROM ? INDEX_FROM : 2 * capacity;
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

static size_t cold_bytes(const struct ampel_violation_cold *cold) {
    size_t size = AMPEL_VIOLATION_COLD_BYTES + (cold->has_sales ? sizeof(int64_t) : 0);
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++)
        size += cold->sizes[i];
    return size > sizeof(*cold) ? size : sizeof(*cold);
}

/* NULL: no memory. */
static struct ampel_violation_cold *cold_make(struct ampel_pool *pool,
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

struct ampel_violations *ampel_records_put(struct ampel_violations **block,
                                           struct ampel_pool *pool,
                                           const struct ampel_violation_hot *hot,
                                           const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                           int64_t sales_cents, uint32_t position,
                                           int64_t seen_ms, int64_t window_ms) {
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
    uint16_t record = (uint16_t)records->count;
    records->hot[record] = *hot;
    records->hot[record].cold = cold;
    index_put(records, record);
    order_put(records, record, position, records->count);
    records->count++;
    heap_put(records, record, record);
    heap_rise(records, record);
    return records;
}

uint16_t ampel_records_claim(struct ampel_violations **block, struct ampel_pool *pool,
                             struct ampel_text id, int64_t at_ms, int64_t window_ms) {
    struct ampel_text texts[AMPEL_TEXTS_COUNT] = {[AMPEL_TEXT_ID] = id};
    const struct ampel_violation_hot waiting = {
        .cleared_since_ms = AMPEL_CLEARED_NEVER_MS,
        .id_hash = ampel_records_hash(id),
        .points_given = -1,
        .policy = AMPEL_POLICY_WAITING,
        .severity_given = AMPEL_SEVERITY_NOT_GIVEN,
    };
    uint32_t count = *block != NULL ? (*block)->count : 0, position = 0;
    if (count > 0) position = ampel_records_place(*block, waiting.policy, waiting.at_ms, id, count);
    struct ampel_violations *records =
        ampel_records_put(block, pool, &waiting, texts, -1, position, at_ms, window_ms);
    return records != NULL ? (uint16_t)count : AMPEL_VIOLATION_NONE;
}

/* The last record takes a free number; everything that knew it by its old one learns the new one.
 */
static void record_renumber(struct ampel_violations *block, uint16_t from, uint16_t to,
                            uint32_t ordered_count) {
    uint32_t position = order_place(block, from, ordered_count);
    AMPEL_ASSERT(ampel_violations_order(block)[position] == from);
    ampel_violations_order(block)[position] = to;
    ampel_violations_heap(block)[block->hot[from].heap_place] = to;
    if (indexed(block))
        index_of(block)[index_place(block, from)] = index_entry(block->hot[from].id_hash, to);
    block->hot[to] = block->hot[from];
}

void ampel_records_release(struct ampel_violations **block, struct ampel_pool *pool,
                           uint16_t record) {
    struct ampel_violations *records = *block;
    uint16_t last = (uint16_t)(records->count - 1);
    ampel_records_order_remove(records, ampel_records_position(records, record), records->count);
    index_remove(records, record);
    heap_remove(records, record, records->count);
    ampel_pool_give(pool, records->hot[record].cold, cold_bytes(records->hot[record].cold));
    if (record != last) record_renumber(records, last, record, last);
    records->count--;
    if (records->count == 0) {
        ampel_pool_give(pool, records, block_bytes(records->capacity));
        *block = NULL;
    } else if (records->capacity > 8 && records->count <= records->capacity / 4) {
        struct ampel_violations *resized = block_resize(records, pool, (uint32_t)records->capacity / 2);
        if (resized != NULL) *block = resized;
    }
}

static bool ends_sane(const struct ampel_violations *block) {
    uint32_t start, end, last = 0;
    for (uint32_t policy = 0; policy <= AMPEL_POLICIES_MAX; policy++) {
        run_find(block, policy, block->count, &start, &end);
        if (start != last || end < start || end > block->count) return false;
        for (uint32_t i = start; i < end; i++) {
            uint8_t of = block->hot[ampel_violations_order(block)[i]].policy;
            if ((of < AMPEL_POLICIES_MAX ? of : AMPEL_POLICIES_MAX) != policy) return false;
        }
        last = end;
    }
    return last == block->count;
}

bool ampel_records_sane(const struct ampel_violations *block) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        uint16_t record = ampel_violations_order(block)[i];
        if (record >= block->count) return false;
        if (i > 0 && ampel_records_compare(block, ampel_violations_order(block)[i - 1], record) >= 0) return false;
        if (ampel_violations_heap(block)[block->hot[i].heap_place] != i) return false;
        if (i > 0 && due_before(block, ampel_violations_heap(block)[i], ampel_violations_heap(block)[(i - 1) / 2])) return false;
        if (ampel_violations_find(block, id_of(block, (uint16_t)i)) != i) return false;
        known += block->hot[i].policy != AMPEL_POLICY_WAITING;
    }
    return known == block->known_count && (!indexed(block) || ends_sane(block));
}

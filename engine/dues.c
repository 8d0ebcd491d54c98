/* Which of an account's violations turns next: a heap of many, a look through few. */
#include "engine/records.h"

#define DUE_SHIFT 16
#define LEAST_MASK 0x7fu /* the bits of the head that name it */

static_assert(AMPEL_VIOLATIONS_MANY <= LEAST_MASK, "the head names any of a few");
static_assert(AMPEL_TIME_MAX_MS + AMPEL_FORGET_AFTER_MS < INT64_C(1) << (63 - DUE_SHIFT), "a due fits beside a record");

static uint64_t due_make(const struct ampel_violations *block, uint16_t record) {
    return (uint64_t)ampel_violation_due(block, &block->hot[record]) << DUE_SHIFT | record;
}

/* Ties by what every history agrees on, so that causes are named alike after an import. */
static bool due_before(const struct ampel_violations *block, uint64_t a, uint64_t b) {
    if (a >> DUE_SHIFT != b >> DUE_SHIFT) return a < b;
    return ampel_places_compare(block, (uint16_t)a, (uint16_t)b) < 0;
}

/* ---- few ------------------------------------------------------------------------------------ */

/* No record turns before this: who knows that asks no text when it was seen. */
static int64_t due_bound(const struct ampel_violations *block, const struct ampel_violation_hot *hot) {
    if ((hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0) return ampel_violation_due(block, hot);
    return hot->at_ms + AMPEL_FORGET_AFTER_MS;
}

/* The least of a few but for one. */
static void least_find(struct ampel_violations *block, uint32_t but) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < block->count; i++) {
        if (i == but || (uint64_t)due_bound(block, &block->hot[i]) > least >> DUE_SHIFT) continue;
        uint64_t due = due_make(block, (uint16_t)i);
        if (least == UINT64_MAX || due_before(block, due, least)) least = due;
    }
    block->least = (uint32_t)least & LEAST_MASK;
}

static void least_renew(struct ampel_violations *block, uint16_t record) {
    if (record == block->least)
        least_find(block, block->count);
    else if (due_before(block, due_make(block, record), due_make(block, (uint16_t)block->least)))
        block->least = (uint32_t)record & LEAST_MASK;
}

/* ---- many ----------------------------------------------------------------------------------- */

static void heap_put(struct ampel_violations *block, uint32_t place, uint64_t due) {
    ampel_violations_dues(block)[place] = due;
    block->hot[(uint16_t)due].due_place = (uint16_t)place;
}

static void heap_rise(struct ampel_violations *block, uint32_t place, uint64_t due) {
    const uint64_t *heap = ampel_violations_dues(block);
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!due_before(block, due, heap[parent])) break;
        heap_put(block, place, heap[parent]);
        place = parent;
    }
    heap_put(block, place, due);
}

/* Returns where it stands then. */
static uint32_t heap_sink(struct ampel_violations *block, uint32_t place, uint64_t due, uint32_t heap_count) {
    const uint64_t *heap = ampel_violations_dues(block);
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && due_before(block, heap[child + 1], heap[child])) child++;
        if (!due_before(block, heap[child], due)) break;
        heap_put(block, place, heap[child]);
        place = child;
    }
    heap_put(block, place, due);
    return place;
}

static void heap_settle(struct ampel_violations *block, uint32_t place, uint64_t due, uint32_t heap_count) {
    if (heap_sink(block, place, due, heap_count) == place) heap_rise(block, place, due);
}

/* ---- both ----------------------------------------------------------------------------------- */

void ampel_dues_add(struct ampel_violations *block) {
    uint16_t record = (uint16_t)(block->count - 1);
    if (ampel_violations_many(block))
        heap_rise(block, record, due_make(block, record));
    else if (record == 0)
        block->least = 0;
    else if (ampel_violation_due(block, &block->hot[record]) <= ampel_violations_due(block))
        least_renew(block, record); /* mostly it leaves behind those that were there */
}

void ampel_dues_renew(struct ampel_violations *block, uint16_t record) {
    if (ampel_violations_many(block))
        heap_settle(block, block->hot[record].due_place, due_make(block, record), block->count);
    else
        least_renew(block, record);
}

void ampel_dues_remove(struct ampel_violations *block, uint16_t record) {
    if (!ampel_violations_many(block)) {
        if (record == block->least) least_find(block, record);
        return;
    }
    uint32_t place = block->hot[record].due_place, last = (uint32_t)block->count - 1;
    if (place != last) heap_settle(block, place, ampel_violations_dues(block)[last], last);
}

void ampel_dues_renumber(struct ampel_violations *block, uint16_t from, uint16_t to) {
    if (!ampel_violations_many(block)) {
        if (block->least == from) block->least = (uint32_t)to & LEAST_MASK;
        return;
    }
    uint64_t *due = &ampel_violations_dues(block)[block->hot[from].due_place];
    *due = (*due & ~(uint64_t)UINT16_MAX) | to;
}

void ampel_dues_rebuild(struct ampel_violations *block) {
    if (!ampel_violations_many(block)) {
        least_find(block, block->count);
        return;
    }
    for (uint32_t i = 0; i < block->count; i++)
        heap_put(block, i, due_make(block, (uint16_t)i));
    for (uint32_t i = block->count / 2; i > 0; i--)
        (void)heap_sink(block, i - 1, ampel_violations_dues(block)[i - 1], block->count);
}

bool ampel_dues_sane(const struct ampel_violations *block) {
    if (!ampel_violations_many(block)) {
        if (block->least >= block->count) return false;
        uint64_t least = due_make(block, (uint16_t)block->least);
        for (uint32_t i = 0; i < block->count; i++) {
            if (i != block->least && !due_before(block, least, due_make(block, (uint16_t)i))) return false;
        }
        return true;
    }
    const uint64_t *heap = ampel_violations_dues(block);
    for (uint32_t i = 0; i < block->count; i++) {
        if (block->hot[i].due_place >= block->count || heap[block->hot[i].due_place] != due_make(block, (uint16_t)i))
            return false;
        if (i > 0 && due_before(block, heap[i], heap[(i - 1) / 2])) return false;
    }
    return true;
}

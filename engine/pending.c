#include "engine/pending.h"

#include <string.h>

static bool entry_before(const struct ampel_pending_entry *a, const struct ampel_pending_entry *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

bool ampel_pending_push(struct ampel_pending *pending, struct ampel_pool *pool, uint32_t slot,
                        const struct ampel_event *event, struct ampel_text producer,
                        uint64_t sequence, bool backfill) {
    AMPEL_ASSERT(pending->count < AMPEL_PENDING_MAX);
    struct ampel_pending_entry *heap =
        ampel_pool_grow(pool, pending->heap, &pending->capacity, pending->count + 1, sizeof(*heap));
    if (heap == NULL) return false;
    pending->heap = heap;
    struct ampel_pending_entry entry;
    memset(&entry, 0, sizeof(entry));
    entry.at_ms = event->at_ms;
    entry.number = pending->number_next++;
    entry.sequence = sequence;
    entry.slot = slot;
    entry.count = event->count;
    entry.extras_size = event->extras_size;
    entry.rev = event->rev;
    entry.points = event->points;
    entry.type = event->type;
    entry.policy = event->policy;
    entry.severity = event->severity;
    entry.code = event->code;
    entry.producer_size = (uint8_t)producer.size;
    entry.backfill = backfill;
    size_t size = (size_t)producer.size + event->extras_size;
    if (size > 0) {
        entry.bytes = ampel_pool_take(pool, size);
        if (entry.bytes == NULL) return false;
        if (producer.size > 0) memcpy(entry.bytes, producer.bytes, producer.size);
        if (event->extras_size > 0) {
            memcpy(entry.bytes + producer.size, event->extras, event->extras_size);
        }
    }
    uint32_t place = pending->count++;
    while (place > 0 && entry_before(&entry, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = entry;
    return true;
}

void ampel_pending_pop(struct ampel_pending *pending, struct ampel_pending_entry *out) {
    AMPEL_ASSERT(pending->count > 0);
    struct ampel_pending_entry *heap = pending->heap;
    *out = heap[0];
    const struct ampel_pending_entry *last = &heap[--pending->count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= pending->count) break;
        if (child + 1 < pending->count && entry_before(&heap[child + 1], &heap[child])) child++;
        if (!entry_before(&heap[child], last)) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = *last;
}

#define SORT_TYPE         struct ampel_pending_entry
#define SORT_BEFORE(a, b) entry_before(a, b)
#include "engine/sort_heap.h"

static bool sorted(const struct ampel_pending *pending) {
    for (uint32_t i = 1; i < pending->count; i++) {
        if (!entry_before(&pending->heap[i - 1], &pending->heap[i])) return false;
    }
    return true;
}

void ampel_pending_sort(const struct ampel_pending *pending) {
    if (!sorted(pending)) sort_heap(pending->heap, pending->count, NULL);
}

void ampel_pending_release(struct ampel_pool *pool, const struct ampel_pending_entry *entry) {
    if (entry->bytes == NULL) return;
    ampel_pool_give(pool, entry->bytes, (size_t)entry->producer_size + entry->extras_size);
}

void ampel_pending_event(const struct ampel_pending_entry *entry, struct ampel_event *out) {
    *out = (struct ampel_event){
        .at_ms = entry->at_ms,
        .count = entry->count,
        .rev = entry->rev,
        .points = entry->points,
        .type = entry->type,
        .policy = entry->policy,
        .severity = entry->severity,
        .code = entry->code,
        .extras_size = entry->extras_size,
        .extras = entry->bytes != NULL ? entry->bytes + entry->producer_size : NULL,
    };
}

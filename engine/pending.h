/* Events that wait for their time: accepted, but with an at after the engine's time.

       heap    entries by (at, number), least first; number is the order of arrival
       entry   the event's fixed part, its account, the frame that brought it
       bytes   one block an entry: producer, then extras

   At most AMPEL_PENDING_MAX; what comes beyond is refused. */
#ifndef AMPEL_ENGINE_PENDING_H
#define AMPEL_ENGINE_PENDING_H

#include "engine/event.h"
#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_pending_entry {
    int64_t at_ms;
    uint64_t number;
    uint64_t sequence;
    uint8_t *bytes; /* producer_size, then extras_size; NULL where both are 0 */
    uint32_t slot;
    uint32_t count;
    uint32_t extras_size;
    uint16_t rev;
    int16_t points;
    uint8_t type;
    uint8_t policy;
    int8_t severity;
    uint8_t code;
    uint8_t producer_size;
    bool backfill;
};

struct ampel_pending {
    struct ampel_pending_entry *heap;
    uint32_t count, capacity;
    uint64_t number_next;
};

/* slot, event, and of the frame: producer, sequence, backfill. False: no memory. Full is for the
 * caller to see. */
AMPEL_MUST_CHECK bool ampel_pending_push(struct ampel_pending *pending, struct ampel_pool *pool,
                                         uint32_t slot, const struct ampel_event *event,
                                         struct ampel_text producer, uint64_t sequence,
                                         bool backfill);
static inline int64_t ampel_pending_due(const struct ampel_pending *pending) {
    return pending->count > 0 ? pending->heap[0].at_ms : INT64_MAX;
}
/* Takes the least entry out; its bytes are then the caller's to release. count > 0. */
void ampel_pending_pop(struct ampel_pending *pending, struct ampel_pending_entry *out);
/* Puts the entries in ascending order, which is a heap as well. */
void ampel_pending_sort(const struct ampel_pending *pending);
void ampel_pending_release(struct ampel_pool *pool, const struct ampel_pending_entry *entry);
void ampel_pending_event(const struct ampel_pending_entry *entry, struct ampel_event *out);

#ifdef __cplusplus
}
#endif

#endif

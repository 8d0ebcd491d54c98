#include "workers/keeper_lane.h"

#include <stdlib.h>
#include <string.h>

/* A ring of capacity entries becomes one of twice as many, oldest first. False: no memory. */
static bool ring_grow(void **ring, size_t entry_size, uint32_t *first, uint32_t *capacity) {
    uint32_t grown = *capacity == 0 ? 64 : *capacity * 2;
    unsigned char *more = malloc(grown * entry_size);
    if (more == NULL) return false;
    uint32_t tail = *capacity - *first;
    if (*capacity > 0) {
        memcpy(more, (unsigned char *)*ring + *first * entry_size, tail * entry_size);
        memcpy(more + tail * entry_size, *ring, *first * entry_size);
    }
    free(*ring);
    *ring = more;
    *first = 0;
    *capacity = grown;
    return true;
}

bool ampel_fifo_push(struct ampel_fifo *fifo, void *thing) {
    if (fifo->count == fifo->capacity) {
        void *ring = fifo->things;
        if (!ring_grow(&ring, sizeof(fifo->things[0]), &fifo->first, &fifo->capacity)) return false;
        fifo->things = ring;
    }
    fifo->things[(fifo->first + fifo->count++) % fifo->capacity] = thing;
    return true;
}

void *ampel_fifo_first(const struct ampel_fifo *fifo) {
    return fifo->count == 0 ? NULL : fifo->things[fifo->first];
}

void ampel_fifo_pop(struct ampel_fifo *fifo) {
    AMPEL_ASSERT(fifo->count > 0);
    fifo->first = (fifo->first + 1) % fifo->capacity;
    fifo->count--;
}

void ampel_fifo_reset(struct ampel_fifo *fifo) {
    AMPEL_ASSERT(fifo->count == 0);
    free(fifo->things);
    *fifo = (struct ampel_fifo){0};
}

/* ---- lanes ---------------------------------------------------------------------------------- */

/* Forgets the sizes of what the receiver has taken. */
static void sizes_trim(struct ampel_lane *lane) {
    uint32_t left = lane->waiting.count + ampel_queue_count(lane->queue);
    while (lane->sizes_count > left) {
        lane->bytes -= lane->sizes[lane->sizes_first];
        lane->sizes_first = (lane->sizes_first + 1) % lane->sizes_capacity;
        lane->sizes_count--;
    }
}

static bool size_add(struct ampel_lane *lane, uint32_t size) {
    if (lane->sizes_count == lane->sizes_capacity) {
        void *ring = lane->sizes;
        if (!ring_grow(&ring, sizeof(lane->sizes[0]), &lane->sizes_first, &lane->sizes_capacity)) {
            return false;
        }
        lane->sizes = ring;
    }
    lane->sizes[(lane->sizes_first + lane->sizes_count++) % lane->sizes_capacity] = size;
    lane->bytes += size;
    return true;
}

bool ampel_lane_flush(struct ampel_lane *lane) {
    while (lane->waiting.count > 0 &&
           ampel_queue_push(lane->queue, ampel_fifo_first(&lane->waiting))) {
        ampel_fifo_pop(&lane->waiting);
    }
    return lane->waiting.count == 0;
}

bool ampel_lane_put(struct ampel_lane *lane, struct ampel_parcel *parcel, uint32_t size) {
    sizes_trim(lane);
    if (!size_add(lane, size)) {
        ampel_parcel_free(parcel);
        return false;
    }
    if (ampel_lane_flush(lane) && ampel_queue_push(lane->queue, parcel)) return true;
    if (ampel_fifo_push(&lane->waiting, parcel)) return true;
    ampel_parcel_free(parcel);
    return false;
}

static uint32_t room(struct ampel_lane *lane, uint64_t bytes_max) {
    sizes_trim(lane);
    uint32_t depth = ampel_queue_depth(lane->queue);
    return lane->bytes < bytes_max && lane->sizes_count < depth ? depth - lane->sizes_count : 0;
}

uint32_t ampel_lane_room(struct ampel_lane *lane, uint64_t bytes_max) {
    if (!ampel_lane_flush(lane)) return 0; /* the failed push has asked for the wake */
    uint32_t found = room(lane, bytes_max);
    if (found > 0) return found;
    ampel_queue_want_room(lane->queue);
    return room(lane, bytes_max);
}

void ampel_lane_reset(struct ampel_lane *lane) {
    while (lane->waiting.count > 0) {
        ampel_parcel_free(ampel_fifo_first(&lane->waiting));
        ampel_fifo_pop(&lane->waiting);
    }
    ampel_fifo_reset(&lane->waiting);
    free(lane->sizes);
    lane->sizes = NULL;
}

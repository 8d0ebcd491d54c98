/* Lanes of the keeper: the way to one shard (or back to the gateway), in order, never losing anything. What finds no room
   in the receiver's queue waits here; and so that memory stays bounded, a lane knows how many bytes of records
   its receiver has not taken yet.

       lane   things that wait | the receiver's queue ──▶
       sizes  of all things in both, oldest first                                    Thread: the keeper's. */
#ifndef AMPEL_WORKERS_KEEPER_LANE_H
#define AMPEL_WORKERS_KEEPER_LANE_H

#include "workers/parcel.h"
#include "workers/queue.h"

/* First in, first out; grows. All zero is an empty one. */
struct ampel_fifo {
    void **things;
    uint32_t first, count, capacity;
};
AMPEL_MUST_CHECK bool ampel_fifo_push(struct ampel_fifo *fifo, void *thing); /* false: no memory */
void *ampel_fifo_first(const struct ampel_fifo *fifo);                      /* NULL: empty */
void ampel_fifo_pop(struct ampel_fifo *fifo);                               /* not when empty */
void ampel_fifo_reset(struct ampel_fifo *fifo);                             /* must be empty */

struct ampel_lane {
    struct ampel_queue *queue; /* borrowed; only the keeper pushes records into it */
    struct ampel_fifo waiting;
    uint32_t *sizes;
    uint32_t sizes_first, sizes_count, sizes_capacity;
    uint64_t bytes;
};
/* Takes the parcel over and pushes it as soon as there is room. False: no memory, the parcel is freed. */
AMPEL_MUST_CHECK bool ampel_lane_put(struct ampel_lane *lane, struct ampel_parcel *parcel,
                                     uint32_t size);
/* How many more may be put, 0 to UINT32_MAX: nothing waits, less than bytes_max are with the receiver, and no more things than it
   wishes (ampel_queue_depth). When 0, the keeper is woken as soon as that may have changed. */
AMPEL_MUST_CHECK uint32_t ampel_lane_room(struct ampel_lane *lane, uint64_t bytes_max);
/* Pushes what waits. Returns whether nothing waits any more. */
bool ampel_lane_flush(struct ampel_lane *lane);
/* Frees what waits. */
void ampel_lane_reset(struct ampel_lane *lane);

#endif

/* Pointers in a line: put at its end, taken from its front, looked at anywhere between. They stand in chunks, so that growing moves
   none of them and what was taken from the front gives its memory back.

       chunks   ... first ............ end           numbers since open; a chunk is made for its first and freed behind its last

   Zero it to open it. Bounded by its user's protocol. Thread: the owner's. */
#ifndef AMPEL_WORKERS_DEQUE_H
#define AMPEL_WORKERS_DEQUE_H

#include "engine/base.h"

struct ampel_deque {
    void ***chunks; /* a ring */
    uint32_t chunks_capacity; /* a power of two, or 0 */
    uint64_t first, end;
};

/* False: no memory, nothing changed. */
AMPEL_MUST_CHECK bool ampel_deque_push(struct ampel_deque *deque, void *thing);
/* The front one; there is one. */
void *ampel_deque_pop(struct ampel_deque *deque);
/* index < count, 0 is the front. */
void *ampel_deque_at(const struct ampel_deque *deque, uint64_t index);
uint64_t ampel_deque_count(const struct ampel_deque *deque);
/* Frees the deque's memory; the things are their owner's. It is open again. */
void ampel_deque_reset(struct ampel_deque *deque);

#endif

/* A bounded queue of pointers between two threads: whole things are handed over, ownership with them.
   Several producers, one consumer. The consumer waits on a file descriptor (eventfd), so nobody polls.
   In a simulation nobody waits: push and pop suffice. */
#ifndef AMPEL_WORKERS_QUEUE_H
#define AMPEL_WORKERS_QUEUE_H

#include "engine/base.h"

struct ampel_queue;

/* NULL: no memory or no file descriptor. capacity is rounded up to a power of two, 2..65536. */
struct ampel_queue *ampel_queue_open(uint32_t capacity);
void ampel_queue_close(struct ampel_queue *queue); /* must be empty */
/* False when full: keep the thing and try again when the consumer made room. */
AMPEL_MUST_CHECK bool ampel_queue_push(struct ampel_queue *queue, void *thing);
/* NULL when empty. */
void *ampel_queue_pop(struct ampel_queue *queue);
uint32_t ampel_queue_count(const struct ampel_queue *queue);
/* Readable whenever something waits (poll for POLLIN; drained by ampel_queue_pop reaching empty). */
int ampel_queue_fd(const struct ampel_queue *queue);
/* The fd to wake when this queue gets room again (a producer that met a full queue waits on its own fd); -1 none. */
void ampel_queue_on_room(struct ampel_queue *queue, int wake_fd);

#endif

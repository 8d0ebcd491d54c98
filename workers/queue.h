/* A bounded queue of pointers between two threads: whole things are handed over, ownership with them.
   Several producers, one consumer. The consumer waits on a file descriptor (eventfd), so nobody polls.
   In a simulation nobody waits: push and pop suffice.

       cells    ring of capacity; each carries the turn at which it may be written (turn == index) or read (index + 1)
       tail     the next index to write, taken by producers with one compare-and-swap
       head     the next index to read, the consumer's alone */
#ifndef AMPEL_WORKERS_QUEUE_H
#define AMPEL_WORKERS_QUEUE_H

#include "engine/base.h"

struct ampel_queue;

/* NULL: no memory or no file descriptor. capacity is rounded up to a power of two, 2..65536. */
struct ampel_queue *ampel_queue_open(uint32_t capacity);
void ampel_queue_close(struct ampel_queue *queue); /* must be empty; NULL is fine */
/* False when full: keep the thing and try again when the consumer made room. */
AMPEL_MUST_CHECK bool ampel_queue_push(struct ampel_queue *queue, void *thing);
/* The same without waking a consumer that waits: for a producer that pushes more soon and then calls ampel_queue_stir, at the
   latest before it waits itself, full queue or not. Each wake costs both of them a way through the kernel, and on a busy core the
   producer its place. */
AMPEL_MUST_CHECK bool ampel_queue_push_quietly(struct ampel_queue *queue, void *thing);
/* Wakes the consumer if something waits that was pushed quietly. */
void ampel_queue_stir(struct ampel_queue *queue);
/* NULL when empty. */
void *ampel_queue_pop(struct ampel_queue *queue);
uint32_t ampel_queue_count(const struct ampel_queue *queue);
uint32_t ampel_queue_capacity(const struct ampel_queue *queue);
/* The consumer's wish: how many things its producers should leave waiting, at most. No bound of its own: push goes on as
   before; a producer that can wait asks for it. All (UINT32_MAX) unless set. */
void ampel_queue_depth_set(struct ampel_queue *queue, uint32_t depth);
uint32_t ampel_queue_depth(const struct ampel_queue *queue);
/* Readable whenever something waits (poll for POLLIN; drained by ampel_queue_pop reaching empty). */
int ampel_queue_fd(const struct ampel_queue *queue);
/* Makes the queue's fd readable though nothing waits: the consumer turns once. Thread: any; fit for signal handlers. */
void ampel_queue_wake(struct ampel_queue *queue);

/* Adds a fd to those that are woken when this queue has room again after a push failed: that of the queue on which the
   producer itself waits (ampel_queue_fd). Each producer adds its own, once, before the threads run. Room means half
   empty, so that a full queue does not wake its producers for each thing taken. -1 forgets all of them. */
#define AMPEL_QUEUE_PRODUCERS_MAX 128
void ampel_queue_on_room(struct ampel_queue *queue, int wake_fd);
/* Asks for that wake without a failed push: for a producer that waits for another reason, such as bytes on the way. Look
   again at the reason after the call. */
void ampel_queue_want_room(struct ampel_queue *queue);

#endif

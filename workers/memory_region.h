/* A long range of addresses that is handed out from its beginning, and touched ahead of whoever uses it.

   A fresh page costs its first user what the system takes to find and clear it: a fifth of a millisecond for 2 MiB where memory is
   there, eight where the host of a virtual machine lends it by small pages. A shard that grows would stand still for that, so a
   thread of the region's touches pages before. Where they turn out to be dear, those that are used before it came by stay small
   ones: many short waits instead of a long one.

   Nothing is given back before close. Handing out: one thread at a time; the region's own thread beside it. */
#ifndef AMPEL_WORKERS_MEMORY_REGION_H
#define AMPEL_WORKERS_MEMORY_REGION_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "engine/base.h"

/* As much is touched beyond what is handed out, at most; half of what is handed out where that is less, so that what stays small
   costs little. */
#define AMPEL_REGION_AHEAD_BYTES ((size_t)16 << 20)

struct ampel_region {
    uint8_t *base; /* NULL: there is none */
    size_t size;
    void *map; /* what holds base */
    size_t map_size;
    _Atomic size_t handed, touched; /* from base on; what was handed out before it could be touched is skipped */
    atomic_bool stopped;
    sem_t wake;
    pthread_t thread;
};

/* Addresses for twice the machine's memory; none of it is taken yet. False: the system has no such range, or no thread for it. */
AMPEL_MUST_CHECK bool ampel_region_open(struct ampel_region *region);
/* The next size bytes, which read as zeroes; NULL where the range is at its end. alignment: a power of two, 2 MiB at most. */
AMPEL_MUST_CHECK void *ampel_region_take(struct ampel_region *region, size_t size, size_t alignment);
/* Ends the thread and gives the range back to the system. */
void ampel_region_close(struct ampel_region *region);

/* Whether what comes next has small pages, behind a page of so much processor time. *cheap: how many were not dear in a row. Pure. */
bool ampel_region_small(bool small, int64_t spent_ns, uint32_t *cheap);

#endif

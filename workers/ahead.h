/* Memory of the frames that come behind the present one of a record, fetched while that one is applied: a frame of a few accounts
   is over before what it asks for has arrived.

       record   | applied | present | next: days | account lines | buckets | engine | ...     a step of fetching for each

   Changes nothing but time. Thread: the shard's. */
#ifndef AMPEL_WORKERS_AHEAD_H
#define AMPEL_WORKERS_AHEAD_H

#include "engine/engine.h"
#include "proto/record.h"

#define AMPEL_AHEAD_FRAMES 8 /* more than there are steps: a power of two */

/* The engine of a partition; NULL where there is none. */
typedef const struct ampel_engine *ampel_ahead_engine(const void *context, uint32_t partition);

struct ampel_ahead {
    ampel_ahead_engine *engine;
    const void *context;
    const uint8_t *bytes; /* borrowed until the next begin */
    uint32_t cursor, walked;
    struct ampel_record_names frames[AMPEL_AHEAD_FRAMES]; /* the last ones that were walked */
};

/* Of a checked record, before its first frame is read. */
void ampel_ahead_begin(struct ampel_ahead *ahead, const uint8_t *bytes, ampel_ahead_engine *engine, const void *context);
/* After each frame that is read, before it is applied. */
void ampel_ahead_next(struct ampel_ahead *ahead);

#endif

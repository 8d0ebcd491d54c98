/* The pace of a shard while what it tells is not stored: PostgreSQL is away, or slower than what comes in. Scoring and telling
   go on, ever more slowly, instead of at full speed up to a wall. Behind a record that told something a shard pauses; the pause
   grows with the bytes that it told and shrinks with the room that is left:

       unstored  0 ............ half ................................. max
       pause     none           0, longer and longer                   for ever (the shard is stalled)

   so that without a database half of the room, told at the highest pace at first, lasts for hours. No pause is longer than a second where
   the room that is left lasts ten minutes with it. A record that tells nothing is not slowed. What waits in front of a shard is kept short meanwhile (depth), so that what is told is told soon: what has to wait
   waits with the keeper, where each feeder has its turn. Pure. */
#ifndef AMPEL_WORKERS_PACE_H
#define AMPEL_WORKERS_PACE_H

#include "engine/base.h"

/* Longest pause behind one record, which only one meets that tells a tenth of what is left. */
#define AMPEL_PACE_PAUSE_MAX_NS INT64_C(60000000000)
/* Fewest records in front of a shard; one is worked on while the next one is made durable. */
#define AMPEL_PACE_DEPTH_MIN 2

/* Whether that much of the room is taken that there is a pace at all. */
bool ampel_pace_crowded(uint64_t unstored_bytes, uint64_t max_bytes);

/* The pause behind a record that told so many bytes, 0..AMPEL_PACE_PAUSE_MAX_NS. */
int64_t ampel_pace_pause_ns(uint64_t told_bytes, uint64_t unstored_bytes, uint64_t max_bytes);

/* How many records may wait in front of a shard that lately paused so long behind each: about half a second of them. */
uint32_t ampel_pace_depth(int64_t pause_ns);

#endif

/* Who is next: records that wait for their group, each feeder in its turn. A feeder that sends all that its credit allows waits behind
   itself, not in front of one with a single batch; that one's alert is told soon even while feeders are slowed.

       lines   of records, first in, first out; a producer's all stand in one (its index modulo their number), so its order stays
       next    the line whose turn it is; empty ones are passed over                            Thread: the keeper's. */
#ifndef AMPEL_WORKERS_KEEPER_TURNS_H
#define AMPEL_WORKERS_KEEPER_TURNS_H

#include "workers/keeper_lane.h"

/* Producers beyond that share lines; some 8 KiB where all are used. */
#define AMPEL_TURNS_LINES 64

/* All zero is an empty one. */
struct ampel_turns {
    struct ampel_fifo lines[AMPEL_TURNS_LINES];
    uint32_t next, count;
};
/* False: no memory, nothing changed. */
AMPEL_MUST_CHECK bool ampel_turns_push(struct ampel_turns *turns, struct ampel_parcel_record *record);
struct ampel_parcel_record *ampel_turns_first(struct ampel_turns *turns); /* NULL: empty */
void ampel_turns_pop(struct ampel_turns *turns); /* what ampel_turns_first returned last; its producer's turn is over */
void ampel_turns_reset(struct ampel_turns *turns); /* frees what waits */

#endif

/* A shard's checkpoints: which of its partitions is stored when, and the copy of one at a time, in pieces between frames.

       changed ──▶ due ──▶ begun: copying ──▶ whole: handed on, under way ──▶ committed
                   │       pieces of about copy_units, frames between them     (or the shard ends)
                   └ checkpoint_every behind the last one; at once what told most, while room is short

   Storing shares processors and the disk with what acks and alerts wait for. So while there is room, one checkpoint at a time is
   under way, and behind each storing rests so long that it takes checkpoint_share of the time; but what has been due for 29
   times checkpoint_every rests no more, and for twice that waits for no other one. What changes meanwhile is folded into fewer
   rows.
   One under way for each partition at most, a few of them for the shard. A partition in which nothing happens but time moves its
   stored position, too, so that the journal can be recycled.
   Times are monotonic, in nanoseconds, but for settings. Owner: one shard. Thread: the shard's. */
#ifndef AMPEL_WORKERS_SHARD_STORE_H
#define AMPEL_WORKERS_SHARD_STORE_H

#include "workers/clock.h"
#include "workers/parcel.h"
#include "workers/shard_pace.h"
#include "workers/shard_partition.h"

struct ampel_shard_store_options {
    struct ampel_clock clock;
    int64_t checkpoint_every_ms, orders_rows_every_ms;
    uint32_t checkpoint_share;                /* in percent, of all shards together; 0: 100, no rests */
    uint32_t shards_count;
    uint32_t copy_units;                      /* one piece of a copy, in microseconds about; 0: 500 */
    uint64_t unstored_bytes_max;              /* copies may take half as much, but for the last one */
    uint32_t spread_count;                    /* partitions of the system: rows for order counts are spread over them */
    struct ampel_shard_partition *partitions; /* this and the pace are borrowed for the store's life */
    uint32_t partitions_count;
    struct ampel_shard_pace *pace;
};
struct ampel_shard_store;
AMPEL_MUST_CHECK bool ampel_shard_store_open(const struct ampel_shard_store_options *options, /* false: no memory */
                                             struct ampel_shard_store **out);
void ampel_shard_store_close(struct ampel_shard_store *store); /* NULL is fine */

/* ---- what happens to a partition ------------------------------------------------------------ */

/* It was imported, and the database holds it up to this position. */
void ampel_shard_store_loaded(const struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t position,
                              int64_t now_ns);
/* So many bytes of it were told, or gathered for its next checkpoint. */
void ampel_shard_store_told(struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t bytes);
/* Its position moved. */
void ampel_shard_store_moved(struct ampel_shard_store *store, const struct ampel_shard_partition *partition);
/* All its rows are written with its next checkpoint. */
void ampel_shard_store_rows_due(struct ampel_shard_partition *partition);
/* Its checkpoint under way is in the database, which now holds it up to this position. Storing it took spent_ns of a scribe. */
void ampel_shard_store_committed(struct ampel_shard_store *store, struct ampel_shard_partition *partition, uint64_t position,
                                 int64_t spent_ns);

/* ---- what is to be done --------------------------------------------------------------------- */

/* Begins the checkpoint of the partition that has been due longest, if any and if there is room for one more. waiting: frames
   wait, and have their time first. *more is set where there may be more to do at once. False, here and below: no memory, which
   was said. */
AMPEL_MUST_CHECK bool ampel_shard_store_begin(struct ampel_shard_store *store, int64_t now_ns, bool waiting, bool *more);
/* Goes on with the copy by a piece when it is its turn: at once where nothing waits, else so that frames have most of the
   time. *out: the checkpoint, once it is whole, else NULL; the caller hands it on. */
AMPEL_MUST_CHECK bool ampel_shard_store_go_on(struct ampel_shard_store *store, bool waiting, bool *more,
                                              struct ampel_parcel **out);
/* Goes on by a piece now, because a frame waits for this copy; one is under way. */
AMPEL_MUST_CHECK bool ampel_shard_store_hurry(struct ampel_shard_store *store, struct ampel_parcel **out);
/* Whether it is this partition that is being copied. */
bool ampel_shard_store_copies(const struct ampel_shard_store *store, const struct ampel_shard_partition *partition);
/* After STOP: begins the last checkpoint of the next partition that moved, unless the shard holds something. *all: none is left
   to begin, to copy or under way. A partition whose position did not move has nothing that its start would not tell again: the
   same position twice could not be told apart after a commit of unknown outcome. */
AMPEL_MUST_CHECK bool ampel_shard_store_last(struct ampel_shard_store *store, int64_t now_ns, bool held, bool *all);
/* When to call begin again; INT64_MAX: not before something happens. */
int64_t ampel_shard_store_wake_ns(const struct ampel_shard_store *store);

#endif

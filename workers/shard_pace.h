/* What a shard told and the database does not hold yet, and the pauses that follow from it (workers/pace.h): bytes are told,
   go under way with a checkpoint, and are stored.

       told ──▶ open_bytes ──▶ under_way_bytes ──▶ stored
                └──────── unstored ─────────┘  against max_bytes: crowded from half of it, stalled from all of it

   The pause behind a record is told by what that record told (debt) and by the room as it is now, so that room which comes
   free ends it early. Bytes are about those of rows and of parcels; times are monotonic.
   Owner: one shard; its members are for workers/shard_pace.c alone. Thread: the shard's. */
#ifndef AMPEL_WORKERS_SHARD_PACE_H
#define AMPEL_WORKERS_SHARD_PACE_H

#include "engine/base.h"

struct ampel_shard_pace {
    uint64_t max_bytes;
    uint64_t open_bytes, under_way_bytes;
    uint64_t debt_bytes;        /* told by the record before, and not paused for yet */
    int64_t debt_ns, resume_ns; /* when that record ended; when the pause behind it does */
    int64_t pause_ns;           /* behind the last records, smoothed */
    bool crowded, paused;
};

void ampel_shard_pace_init(struct ampel_shard_pace *pace, uint64_t max_bytes);
/* Takes what it counted from the gauges again. */
void ampel_shard_pace_close(struct ampel_shard_pace *pace);

/* Bytes go their way. */
void ampel_shard_pace_told(struct ampel_shard_pace *pace, uint64_t bytes);
void ampel_shard_pace_under_way(struct ampel_shard_pace *pace, uint64_t bytes);
void ampel_shard_pace_stored(struct ampel_shard_pace *pace, uint64_t bytes);

/* Nothing more may be told. */
bool ampel_shard_pace_stalled(const struct ampel_shard_pace *pace);
/* What is told is in the way of more, so that it is stored before its time. */
bool ampel_shard_pace_pressed(const struct ampel_shard_pace *pace);

/* A record ended at now_ns: the pause behind it begins. Here and below: how many records may wait in front of the shard. */
uint32_t ampel_shard_pace_record(struct ampel_shard_pace *pace, int64_t now_ns);
/* Looks again whether the pause is over, with the room as it is now. */
uint32_t ampel_shard_pace_renew(struct ampel_shard_pace *pace, int64_t now_ns);
/* As it was looked at last. */
bool ampel_shard_pace_paused(const struct ampel_shard_pace *pace);
/* When the pause ends by itself; INT64_MAX: there is none. */
int64_t ampel_shard_pace_resume_ns(const struct ampel_shard_pace *pace);

#endif

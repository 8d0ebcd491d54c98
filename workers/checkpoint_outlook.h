/* What to fix first and what time alone brings, as they stand in the rating's row (rating-model 3.8, 3.12, 3.13). */
#ifndef AMPEL_WORKERS_CHECKPOINT_OUTLOOK_H
#define AMPEL_WORKERS_CHECKPOINT_OUTLOOK_H

#include "workers/checkpoint.h"

/* How much of an account's outlook is stored; more is counted. */
#define AMPEL_OUTLOOK_FIXES_STORED 32
#define AMPEL_OUTLOOK_STEPS_STORED 64
/* The smallest set that brings green is looked for among so many deducting violations at most: 4 096 sets. */
#define AMPEL_OUTLOOK_GREEN_STORED 12

/* Fills turns and outlook of a row that has its numbers; the outlook is JSON in the checkpoint's arena, in the form that sql/migrations/0014 describes. Cap groups are those of
   the checkpoint. False: no memory. */
AMPEL_MUST_CHECK bool ampel_checkpoint_outlook(struct ampel_engine *engine, uint32_t slot,
                                               const struct ampel_checkpoint *checkpoint, struct ampel_rating_row *row);

#endif

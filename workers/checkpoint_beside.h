/* What stands beside the score, as rows: assurance, delivery metrics, drift (rating-model 3.14, 3.15). */
#ifndef AMPEL_WORKERS_CHECKPOINT_BESIDE_H
#define AMPEL_WORKERS_CHECKPOINT_BESIDE_H

#include "workers/checkpoint.h"

/* A row tells the metrics of so many names, and of so many reports the latest. */
#define AMPEL_BESIDE_METRICS_MAX 64
#define AMPEL_BESIDE_DRIFTS_MAX  64

/* Whether the account has a row: once anything but orders and violations was told of it. */
bool ampel_beside_has_row(const struct ampel_engine *engine, uint32_t slot);
/* Fills all but the identity; the lists are JSON in the arena. False: no memory. */
AMPEL_MUST_CHECK bool ampel_beside_row(const struct ampel_engine *engine, uint32_t slot,
                                       struct ampel_arena *arena, struct ampel_beside_row *out);

#endif

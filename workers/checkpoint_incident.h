/* Takeover cases as they stand in the rating's row (rating-model 3.10). */
#ifndef AMPEL_WORKERS_CHECKPOINT_INCIDENT_H
#define AMPEL_WORKERS_CHECKPOINT_INCIDENT_H

#include "workers/checkpoint.h"

/* A row tells so many incidents, those not closed first, and of each so many violations to dispute; more is counted. */
#define AMPEL_INCIDENTS_STORED          8
#define AMPEL_INCIDENT_DISPUTES_STORED 16

/* Fills incidents, incidents_total and score_without of a row; the list is JSON in the arena, empty without any. False: no
   memory. */
AMPEL_MUST_CHECK bool ampel_incident_row(struct ampel_engine *engine, uint32_t slot, struct ampel_arena *arena,
                                         struct ampel_rating_row *row);
/* Whether an event told of an incident of the account. Cost: O(facts). */
bool ampel_incident_told(const struct ampel_engine *engine, uint32_t slot);

#endif

/* Rows of one account after the other into a checkpoint that is being built (checkpoint_build.c). Each shows the engine as it
   stands; as_of is the checkpoint's time. False: no memory. Thread: the shard's. */
#ifndef AMPEL_WORKERS_CHECKPOINT_ROWS_H
#define AMPEL_WORKERS_CHECKPOINT_ROWS_H

#include "engine/engine.h"
#include "workers/checkpoint.h"

struct ampel_building {
    struct ampel_engine *engine;
    struct ampel_checkpoint *checkpoint;
    uint64_t size_bytes; /* about, of all that the checkpoint holds */
    uint32_t ratings_capacity, violations_capacity, beside_capacity, clocks_capacity;
};

/* Numbers, range, what time alone brings, what to fix first. */
AMPEL_MUST_CHECK bool ampel_building_rating(struct ampel_building *building, uint32_t slot);
/* Those that changed since the page was last cleaned, or every one. */
AMPEL_MUST_CHECK bool ampel_building_violations(struct ampel_building *building, uint32_t slot, bool every);
AMPEL_MUST_CHECK bool ampel_building_beside(struct ampel_building *building, uint32_t slot);
AMPEL_MUST_CHECK bool ampel_building_clocks(struct ampel_building *building, uint32_t slot);

#endif

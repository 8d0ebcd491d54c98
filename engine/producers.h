/* What this partition has applied of each producer (architecture 4.5).

       sorted[count] ──▶ window: tenant, producer, seen, base, bits[AMPEL_CREDIT / 64]
       bits              a ring: sequence s of base..base+AMPEL_CREDIT-1 has bit s mod AMPEL_CREDIT

   Sorted by (tenant, producer), so that the export is canonical. Dropped after
   AMPEL_PRODUCER_IDLE_MS of log time. */
#ifndef AMPEL_ENGINE_PRODUCERS_H
#define AMPEL_ENGINE_PRODUCERS_H

#include "engine/engine.h"
#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_WINDOW_WORDS (AMPEL_CREDIT / 64)

struct ampel_producer {
    int64_t seen_ms;
    uint64_t base;
    uint64_t bits[AMPEL_WINDOW_WORDS];
    uint32_t tenant_size, producer_size;
    char texts[2 * AMPEL_ID_BYTES_MAX]; /* tenant, then producer */
};

struct ampel_producers {
    struct ampel_producer **sorted;
    uint32_t count, capacity;
};

/* Remembers one sequence; *duplicate where it was here before or lies below the window. False: no
 * memory. */
AMPEL_MUST_CHECK bool ampel_producers_mark(struct ampel_producers *producers,
                                           struct ampel_pool *pool, struct ampel_text tenant,
                                           struct ampel_text producer, uint64_t sequence,
                                           int64_t now_ms, bool *duplicate);
/* Drops those that were idle too long at this time. */
void ampel_producers_forget(struct ampel_producers *producers, struct ampel_pool *pool,
                            int64_t now_ms);
/* The window from its base on: bit i of bits is sequence base + i. */
void ampel_producer_get(const struct ampel_producer *producer, struct ampel_producer_window *out);
/* Appends one as exported; *fits is false where it is out of order. False: no memory. */
AMPEL_MUST_CHECK bool ampel_producers_import(struct ampel_producers *producers,
                                             struct ampel_pool *pool,
                                             const struct ampel_producer_window *window,
                                             bool *fits);

#ifdef __cplusplus
}
#endif

#endif

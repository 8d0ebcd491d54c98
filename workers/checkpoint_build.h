/* Building checkpoints: what a shard copies of one partition at one position, in pieces between its frames.

       engine ── dirty pages ──▶ encoded pages
              ── rows changed ─▶ rating rows, violation rows
       gathered ───────────────▶ refusal rows, gone rows (named by changes since the last checkpoint)

   Thread: the shard's. */
#ifndef AMPEL_WORKERS_CHECKPOINT_BUILD_H
#define AMPEL_WORKERS_CHECKPOINT_BUILD_H

#include "engine/engine.h"
#include "workers/checkpoint.h"

/* What a partition gathers for its next checkpoint besides the engine's own state. */
struct ampel_gathered {
    struct ampel_arena *arena;       /* texts of the rows; the checkpoint takes it over */
    uint32_t refusals_count, refusals_capacity;
    struct ampel_refusal_row *refusals;
    uint32_t gone_count, gone_capacity;
    struct ampel_violation_gone *gone;
    uint64_t refusals_total;
    uint64_t size_bytes;             /* about, of all the above */
    /* Slots whose rating row waits for its order counts: a bitmap, and how many of its bits are set. */
    uint64_t *waiting;
    uint32_t waiting_words, waiting_count;
    bool beside_due;                 /* what stands beside scores is written with the slots that wait */
};

AMPEL_MUST_CHECK bool ampel_gathered_init(struct ampel_gathered *gathered);
void ampel_gathered_reset(struct ampel_gathered *gathered); /* frees all */
/* Both copy every text. False: no memory. */
AMPEL_MUST_CHECK bool ampel_gathered_refusal(struct ampel_gathered *gathered,
                                             const struct ampel_refusal_row *row);
AMPEL_MUST_CHECK bool ampel_gathered_gone(struct ampel_gathered *gathered,
                                          const struct ampel_violation_gone *row);
/* Room for so many slots. False: no memory. */
AMPEL_MUST_CHECK bool ampel_gathered_reserve(struct ampel_gathered *gathered, uint32_t slots_count);
/* Both below what was reserved. */
void ampel_gathered_wait(struct ampel_gathered *gathered, uint32_t slot);
void ampel_gathered_wait_no_more(struct ampel_gathered *gathered, uint32_t slot);
/* Every slot below count waits, with its outlook: what an import does not know is written once more, with what stands beside
   the score. False: no memory. */
AMPEL_MUST_CHECK bool ampel_gathered_wait_all(struct ampel_gathered *gathered, uint32_t slots_count);

struct ampel_checkpoint_builder; /* page codec and scratch, one a shard */
struct ampel_checkpoint_builder *ampel_checkpoint_builder_open(void); /* NULL: no memory */
void ampel_checkpoint_builder_close(struct ampel_checkpoint_builder *builder); /* NULL is fine */

struct ampel_checkpoint_source {
    struct ampel_engine *engine;     /* with its rules' variants; its dirty pages are clean afterwards */
    struct ampel_gathered *gathered; /* empty afterwards, but for the slots that still wait */
    uint32_t partition;
    uint64_t epoch, position_old, position_new;
    uint64_t rules_number, rules_recoloured;
    bool orders_rows;                /* rows for order counts alone, too, with their outlooks */
    bool every_row;                  /* of every account and violation, whatever changed; no page */
    bool last;
};
/* Begins a checkpoint of the partition as it stands; one at a time for each builder. False, here and below: no memory;
   engine and gathered are then unusable. Cost: O(meta + pages of the partition / 64). */
AMPEL_MUST_CHECK bool ampel_checkpoint_begin(struct ampel_checkpoint_builder *builder,
                                             const struct ampel_checkpoint_source *source);
/* Goes on with about so many units of work, a microsecond each: dirty pages and their violations, then rows that wait, each
   with its range and what time alone brings, so O(violations x variants + W in days). Between two calls frames may be
   applied; what they touch is taken before. */
AMPEL_MUST_CHECK bool ampel_checkpoint_go_on(struct ampel_checkpoint_builder *builder, uint32_t units, bool *done);
/* Units of the whole checkpoint so far, with what was taken because frames touched it. */
uint64_t ampel_checkpoint_spent(const struct ampel_checkpoint_builder *builder);
/* Once it is done. *size_bytes: about, of all that the checkpoint holds. Rows are in the order of their slots. */
void ampel_checkpoint_end(struct ampel_checkpoint_builder *builder, struct ampel_checkpoint **out,
                          uint64_t *size_bytes);
/* All of it at once. */
AMPEL_MUST_CHECK bool ampel_checkpoint_build(struct ampel_checkpoint_builder *builder,
                                             const struct ampel_checkpoint_source *source,
                                             struct ampel_checkpoint **out, uint64_t *size_bytes);

#endif

/* A checkpoint: all that one transaction stores of one partition at one position of the log (architecture 4.7).
   Built by the shard, completed with numbers by the publisher, written by the scribe. Whoever holds it owns it: the
   struct is from malloc, rows, meta, pages and texts lie in the arena; outs and the array of them are from malloc. */
#ifndef AMPEL_WORKERS_CHECKPOINT_H
#define AMPEL_WORKERS_CHECKPOINT_H

#include "engine/outlook.h"
#include "workers/folded.h"
#include "workers/parcel.h"

struct ampel_rating_row {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_numbers numbers;
    int64_t as_of_ms;        /* the engine's time when the row was made */
    int32_t score_min, score_max;     /* over the rules and their variants (rating-model 3.11) */
    struct ampel_outlook_turns turns; /* what time alone brings (3.12); INT64_MAX: never */
    uint32_t incidents_total;         /* takeover cases (3.10), with those that are not listed */
    int32_t score_without;            /* without all of them; nothing where there are none */
    struct ampel_text incidents;      /* a list as JSON; size 0 where there are none */
    struct ampel_text outlook;        /* what to fix first, forecast, caps: JSON (checkpoint_outlook.h); size 0: not known */
};

/* Assurance, metrics and drift of one account; the lists are JSON. */
struct ampel_beside_row {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_text metrics, drifts, missing;
    struct ampel_assurance assurance;
    int64_t as_of_ms;
    uint8_t banner;
};

/* The clocks that run, for accounts of which that changed; none where all stopped. */
#define AMPEL_CLOCKS_RUNNING_MAX (AMPEL_CLOCK_CAP + AMPEL_CAP_GROUPS_MAX)
struct ampel_clock_row {
    struct ampel_text tenant, seller, marketplace;
    int64_t as_of_ms;
    uint32_t runs_count;
    struct ampel_clock_run runs[AMPEL_CLOCKS_RUNNING_MAX];
};

struct ampel_violation_row {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_violation violation; /* texts in the arena */
};

struct ampel_violation_gone {
    struct ampel_text tenant, seller, marketplace, id;
};

struct ampel_refusal_row {
    struct ampel_text tenant, seller, marketplace, producer, field, id;
    uint64_t sequence;
    uint64_t position;
    uint32_t event_index;
    uint8_t verdict;
    uint8_t type;            /* enum ampel_event_type, 255 unknown */
    int64_t at_ms, stamp_ms;
};

struct ampel_checkpoint {
    struct ampel_parcel parcel;
    uint32_t partition;
    uint64_t epoch;
    uint64_t position_old, position_new;
    int64_t as_of_ms;
    uint64_t rules_number;     /* of the database's rules; 0: those of the worker's start */
    uint64_t rules_recoloured; /* accounts that changed colour by them, since they hold or since the start */
    char rules_version[AMPEL_ID_BYTES_MAX + 1];
    /* Names of cap groups by index, for the two columns of the view and for whoever reads the rest. */
    uint32_t caps_count;
    char caps_names[AMPEL_CAP_GROUPS_MAX][AMPEL_ID_BYTES_MAX + 1];
    uint32_t meta_size;
    uint8_t *meta;           /* encoded by proto/page.h */
    uint32_t pages_count;
    struct ampel_loaded_page *pages;  /* encoded */
    uint32_t ratings_count;
    struct ampel_rating_row *ratings;
    uint32_t violations_count;
    struct ampel_violation_row *violations;
    uint32_t beside_count;
    struct ampel_beside_row *beside;
    uint32_t clocks_count;
    struct ampel_clock_row *clocks;
    uint32_t gone_count;
    struct ampel_violation_gone *gone;
    uint32_t refusals_count;
    struct ampel_refusal_row *refusals;
    uint64_t refusals_total; /* with those that are only counted */
    /* Added by the publisher: everything told since the last checkpoint of this partition. In the scribe's turn outs are made
       of it, whose texts are those of what is folded. */
    uint64_t stream_epoch;
    uint32_t folded_count;
    struct ampel_folded **folded;
    uint32_t outs_count;
    struct ampel_parcel_out **outs;
    struct ampel_arena *arena;
    bool last;               /* of an orderly stop */
};

/* Texts and rows of one checkpoint, freed at once. */
struct ampel_arena;
struct ampel_arena *ampel_arena_open(void);
void ampel_arena_close(struct ampel_arena *arena);
void *ampel_arena_take(struct ampel_arena *arena, size_t size); /* 8-aligned; NULL: no memory */
AMPEL_MUST_CHECK bool ampel_arena_text(struct ampel_arena *arena, struct ampel_text text,
                                       struct ampel_text *out);

void ampel_checkpoint_free(struct ampel_checkpoint *checkpoint);
/* Makes outs of what is folded, once. False: no memory, to be called again. */
AMPEL_MUST_CHECK bool ampel_checkpoint_unfold(struct ampel_checkpoint *checkpoint);
/* Pages by number, ratings by account: they are taken in the order of the copy, and sorted by the scribe, where
   no event waits. */
void ampel_checkpoint_sort(struct ampel_checkpoint *checkpoint);

#endif

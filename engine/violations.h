/* The violations of one account: what numbers need apart from what only people read.

       few         sums, counts | hot[capacity] | order u16[capacity]
       many        sums, counts | hot[capacity] | order u16[places] | keys u64[places] | dues u64[capacity] |
                   index u32[2 x capacity] | runs[65]
       record i    hot[i], 40 bytes ──▶ cold: what only people and state events read, and its texts;
                   0..count-1, dense
       order       record numbers sorted by (policy, at, id); what waits for its violation sorts last,
                   by id
       keys        what stands in the record of a few stands by place of many: at << 17 | rank << 1 | changed
       dues        a heap of due << 16 | record, least (due, policy, id) first: the next to expire or to be
                   forgotten; few are looked through for it, and the head names it
       index       open addressing by the id's hash, half of which stands in each entry; few are looked through
       runs        where those of each policy begin, and how many they are; those that wait are the last run

   Many are 32 and more. Order and keys of many have half as much room again, given to the runs as they are
   long: places are numbers of order and keys, and those behind a run's last hold AMPEL_VIOLATION_NONE. So what
   comes moves only what stands behind it in its own run, and ranks move without a look at records. The places
   of a few are 0..count-1.

   A record whose policy is AMPEL_POLICY_WAITING is a state that waits for its violation, or the
   place of events that wait for their time. The sums (deducted, caps, criticals) and every rank are
   kept up by differences.

   Repeats. u counts in the rank of each v behind it in the order, of the same policy, whose at is
   below u's limit: the least of u.at + W and, where u is cleared, its cleared_since
   (rating-model 3.3); a severity of none has the limit INT64_MIN. So whatever happens to u, the
   ranks between its old and its new limit move by one. */
#ifndef AMPEL_ENGINE_VIOLATIONS_H
#define AMPEL_ENGINE_VIOLATIONS_H

#include <assert.h>

#include "engine/pool.h"
#include "engine/rating.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_POLICY_WAITING   255
#define AMPEL_VIOLATION_NONE   UINT16_MAX
#define AMPEL_STATE_NEVER_MS   INT64_MIN
#define AMPEL_CLEARED_NEVER_MS INT64_MAX
/* Leaves memory when everything seen of it is older than two windows (rating-model 2). */
#define AMPEL_FORGET_AFTER_MS (2 * AMPEL_WINDOW_MS + 1)
/* A block of this capacity and more has keys, dues, index and runs. Below, to look through is as fast. */
#define AMPEL_VIOLATIONS_MANY 32
/* One for each policy, one for those that wait. */
#define AMPEL_VIOLATIONS_RUNS (AMPEL_POLICIES_MAX + 1)

/* The mark of what changed since rows were written; of many it stands in the key. */
enum { AMPEL_VIOLATION_IN_WINDOW = 1, AMPEL_VIOLATION_CHANGED = 2 };

enum ampel_violation_text {
    AMPEL_TEXT_ID,
    AMPEL_TEXT_INCIDENT,
    AMPEL_TEXT_ASIN,
    AMPEL_TEXT_SKU,
    AMPEL_TEXTS_COUNT
};

/* What only people and state events read, and when it may be forgotten. */
struct ampel_violation_cold {
    int64_t state_at_ms;  /* AMPEL_STATE_NEVER_MS */
    int64_t last_seen_ms; /* greatest at of all events of this id */
    uint8_t sizes[AMPEL_TEXTS_COUNT];
    bool has_sales;
    /* The texts follow, in the order of the enum; then, where given, the sales at risk, i64 cents. */
};
#define AMPEL_VIOLATION_COLD_BYTES 21 /* before the texts */
static_assert(offsetof(struct ampel_violation_cold, has_sales) + 1 ==
                  AMPEL_VIOLATION_COLD_BYTES,
              "texts start behind what tells their sizes");

struct ampel_violation_hot {
    int64_t at_ms;
    int64_t cleared_since_ms; /* AMPEL_CLEARED_NEVER_MS */
    struct ampel_violation_cold *cold;
    uint32_t id_hash;
    uint16_t rank; /* of a few */
    uint16_t rev;
    int16_t points_given;
    uint16_t due_place; /* of many: where in dues */
    uint8_t policy;
    int8_t severity_given;
    uint8_t state;
    uint8_t flags;
};
static_assert(sizeof(struct ampel_violation_hot) == 40, "two violations fill two lines");

struct ampel_violation_sums {
    int64_t deducted;
    uint16_t caps[AMPEL_CAP_GROUPS_MAX];
    uint16_t criticals;
    uint16_t unlike; /* known ones that count in ranks for another time than their policy lets expect: cleared
                        ones, and those of which an event said the severity */
    uint16_t reserved[2];
};

struct ampel_violations {
    struct ampel_violation_sums sums;
    uint32_t capacity : 17;
    uint32_t least : 7;       /* of a few: which of them is due next */
    uint32_t window_days : 8; /* the rule, as dues were made by it */
    uint16_t count, known_count;
    struct ampel_violation_hot hot[];
};
static_assert(sizeof(struct ampel_violations) == 40, "a block of two is 128 bytes");
static_assert(AMPEL_WINDOW_DAYS_MAX < 256, "the rule is a byte");

struct ampel_violations_run {
    uint32_t begin, count;
};

static inline bool ampel_violations_many(const struct ampel_violations *block) {
    return block->capacity >= AMPEL_VIOLATIONS_MANY;
}
static inline uint32_t ampel_violations_places(const struct ampel_violations *block) {
    return ampel_violations_many(block) ? block->capacity / 2 * 3 : block->capacity;
}
static inline uint16_t *ampel_violations_order(const struct ampel_violations *block) {
    return (uint16_t *)(uintptr_t)(block->hot + block->capacity);
}
/* Of many, as all that follows; their capacity is a power of two, so everything is aligned. */
static inline uint64_t *ampel_violations_keys(const struct ampel_violations *block) {
    return (uint64_t *)(uintptr_t)(ampel_violations_order(block) + ampel_violations_places(block));
}
static inline uint64_t *ampel_violations_dues(const struct ampel_violations *block) {
    return ampel_violations_keys(block) + ampel_violations_places(block);
}
static inline uint32_t *ampel_violations_index(const struct ampel_violations *block) {
    return (uint32_t *)(uintptr_t)(ampel_violations_dues(block) + block->capacity);
}
static inline struct ampel_violations_run *
ampel_violations_runs(const struct ampel_violations *block) {
    return (struct ampel_violations_run *)(uintptr_t)(ampel_violations_index(block) + 2 * (size_t)block->capacity);
}

/* A key holds a time, and a rank that is below the greatest number of records. */
#define AMPEL_KEY_AT_SHIFT   17
#define AMPEL_KEY_RANK_SHIFT 1
#define AMPEL_KEY_CHANGED    UINT64_C(1)
static_assert(AMPEL_TIME_MAX_MS < INT64_C(1) << (64 - AMPEL_KEY_AT_SHIFT - 1), "a time fits a key");

/* ---- in order: for (i = _filled(block, 0); i < _known_end(block); i = _filled(block, i + 1)) ---- */

/* Behind the last place of those that do not wait. 0 of none. */
static inline uint32_t ampel_violations_known_end(const struct ampel_violations *block) {
    if (block == NULL) return 0;
    if (!ampel_violations_many(block)) return block->known_count;
    return ampel_violations_runs(block)[AMPEL_POLICIES_MAX].begin;
}
/* Behind the last place of all. */
static inline uint32_t ampel_violations_end(const struct ampel_violations *block) {
    if (block == NULL) return 0;
    if (!ampel_violations_many(block)) return block->count;
    const struct ampel_violations_run *waiting = &ampel_violations_runs(block)[AMPEL_POLICIES_MAX];
    return waiting->begin + waiting->count;
}
/* The first place from this one on at which a record stands, or one behind the last of all. */
static inline uint32_t ampel_violations_filled(const struct ampel_violations *block, uint32_t place) {
    if (block == NULL || !ampel_violations_many(block)) return place;
    const uint16_t *order = ampel_violations_order(block);
    uint32_t places = ampel_violations_places(block);
    while (place < places && order[place] == AMPEL_VIOLATION_NONE)
        place++;
    return place;
}
static inline uint16_t ampel_violations_rank(const struct ampel_violations *block, uint32_t place) {
    if (!ampel_violations_many(block)) return block->hot[ampel_violations_order(block)[place]].rank;
    return (uint16_t)(ampel_violations_keys(block)[place] >> AMPEL_KEY_RANK_SHIFT);
}
static inline bool ampel_violations_changed(const struct ampel_violations *block, uint32_t place) {
    if (ampel_violations_many(block)) return (ampel_violations_keys(block)[place] & AMPEL_KEY_CHANGED) != 0;
    return (block->hot[ampel_violations_order(block)[place]].flags & AMPEL_VIOLATION_CHANGED) != 0;
}
/* Rows were written: nothing has changed since. */
void ampel_violations_marks_clear(struct ampel_violations *block);

/* What an event did to the numbers and to the facts. */
enum ampel_outcome {
    AMPEL_OUTCOME_SAME,  /* nothing new */
    AMPEL_OUTCOME_KEPT,  /* facts differ, numbers do not */
    AMPEL_OUTCOME_MOVED, /* numbers differ */
    AMPEL_OUTCOME_FULL,  /* refused: the bound is reached */
    AMPEL_OUTCOME_NO_MEMORY,
};

/* A violation as an event or a page tells it; texts are borrowed. */
struct ampel_violation_facts {
    int64_t at_ms;
    int64_t at_risk_sales_cents;
    struct ampel_text texts[AMPEL_TEXTS_COUNT];
    uint16_t rev;
    int16_t points_given;
    uint8_t policy;
    int8_t severity_given;
};

struct ampel_violations_context {
    struct ampel_pool *pool;
    const struct ampel_scale *scale;
    int64_t now_ms;
    uint32_t records_max;
};

/* All three merge one event (rating-model 2). *block is NULL as long as there is no record. */
AMPEL_MUST_CHECK enum ampel_outcome
ampel_violations_define(struct ampel_violations **block,
                        const struct ampel_violations_context *context,
                        const struct ampel_violation_facts *facts);
AMPEL_MUST_CHECK enum ampel_outcome
ampel_violations_state(struct ampel_violations **block,
                       const struct ampel_violations_context *context, struct ampel_text id,
                       uint8_t state, int64_t at_ms);
/* An event of this id waits for its time: its record must not be forgotten before. */
AMPEL_MUST_CHECK enum ampel_outcome
ampel_violations_expect(struct ampel_violations **block,
                        const struct ampel_violations_context *context, struct ampel_text id,
                        int64_t at_ms);

/* When a record turns next: it leaves the window, or, being out of it, memory. */
static inline int64_t ampel_violation_due(const struct ampel_violations *block,
                                          const struct ampel_violation_hot *hot) {
    if ((hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0) return hot->at_ms + block->window_days * AMPEL_DAY_MS;
    return hot->cold->last_seen_ms + AMPEL_FORGET_AFTER_MS;
}
/* The next instant at which something leaves, INT64_MAX where none. */
static inline int64_t ampel_violations_due(const struct ampel_violations *block) {
    if (block == NULL || block->count == 0) return INT64_MAX;
    if (ampel_violations_many(block)) return (int64_t)(ampel_violations_dues(block)[0] >> 16);
    return ampel_violation_due(block, &block->hot[block->least]);
}
static inline uint16_t ampel_violations_due_record(const struct ampel_violations *block) {
    if (ampel_violations_many(block)) return (uint16_t)ampel_violations_dues(block)[0];
    return (uint16_t)block->least;
}
/* The record leaves the window. */
AMPEL_MUST_CHECK enum ampel_outcome
ampel_violations_expire(struct ampel_violations *block,
                        const struct ampel_violations_context *context, uint16_t record);
/* The record leaves memory; *block may become NULL. */
void ampel_violations_forget(struct ampel_violations **block,
                             const struct ampel_violations_context *context, uint16_t record);

/* AMPEL_VIOLATION_NONE if unknown. */
uint16_t ampel_violations_find(const struct ampel_violations *block, struct ampel_text id);
struct ampel_text ampel_violations_text(const struct ampel_violations *block, uint16_t record,
                                        enum ampel_violation_text which);
/* In cents, -1 where not given. */
int64_t ampel_violations_sales(const struct ampel_violations *block, uint16_t record);
/* Both, of all texts, in one go. */
void ampel_violations_texts(const struct ampel_violations *block, uint16_t record,
                            struct ampel_text texts[AMPEL_TEXTS_COUNT], int64_t *sales_cents);

/* Sums, ranks and dues anew from the facts: after other rules, or an import. With changed
   set, every record is marked. Cost: O(n log n). */
void ampel_violations_recompute(struct ampel_violations *block,
                                const struct ampel_violations_context *context, bool changed);

/* The record counts in the rank of what comes behind it with an at below this. */
int64_t ampel_violation_limit(const struct ampel_scale *scale,
                              const struct ampel_violation_hot *hot);
/* The rank of every record under a scale, one after another in order; room for block->count.
   Cost: O(n log n). */
void ampel_violations_ranks(const struct ampel_violations *block, const struct ampel_scale *scale,
                            uint16_t *ranks);

/* Appends a record as it was exported, in export order, for _recompute to finish. FULL or SAME
   where it is out of order or known already. */
struct ampel_violation_image {
    struct ampel_violation_facts facts; /* policy AMPEL_POLICY_WAITING where it waits */
    int64_t state_at_ms, cleared_since_ms, last_seen_ms;
    uint8_t state;
};
AMPEL_MUST_CHECK enum ampel_outcome
ampel_violations_import(struct ampel_violations **block,
                        const struct ampel_violations_context *context,
                        const struct ampel_violation_image *image);

/* Asserts the drawing; slow, for paranoid builds and tests. */
bool ampel_violations_sane(const struct ampel_violations *block,
                           const struct ampel_violations_context *context);

#ifdef __cplusplus
}
#endif

#endif

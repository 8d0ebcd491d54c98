/* The violations of one account: what numbers need apart from what only people read.

       one block   sums, counts | hot[capacity] | order u16[] | heap u16[] | index u32[2 x capacity] | ends u16[64]
       record i    hot[i], 40 bytes ──▶ cold: what only people and state events read, and its texts;
                   0..count-1, dense
       order       record numbers sorted by (policy, at, id); what waits for its violation sorts last,
                   by id
       heap        record numbers, least (due, policy, id) first: the next to expire or to be forgotten
       index       open addressing by the id's hash, half of which stands in each entry (from 32 records on;
                   below, a scan of hashes)
       ends        where each policy ends in the order (from 32 records on): what comes is mostly among the
                   latest of its policy, so a search begins there

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
    uint16_t rank;
    uint16_t rev;
    int16_t points_given;
    uint16_t heap_place;
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
    uint32_t capacity : 24;
    uint32_t window_days : 8; /* the rule, as the heap was made by it */
    uint16_t count, known_count;
    struct ampel_violation_hot hot[];
};
static_assert(sizeof(struct ampel_violations) == 40, "a block of two is 128 bytes");
static_assert(AMPEL_WINDOW_DAYS_MAX < 256, "the rule is a byte");

static inline uint16_t *ampel_violations_order(const struct ampel_violations *block) {
    return (uint16_t *)(uintptr_t)(block->hot + block->capacity);
}

static inline uint16_t *ampel_violations_heap(const struct ampel_violations *block) {
    return ampel_violations_order(block) + block->capacity;
}

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
    return ampel_violation_due(block, &block->hot[ampel_violations_heap(block)[0]]);
}
static inline uint16_t ampel_violations_due_record(const struct ampel_violations *block) {
    return ampel_violations_heap(block)[0];
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

/* Sums, ranks, dues and the heap anew from the facts: after other rules, or an import. With changed
   set, every record is marked. Cost: O(n log n). */
void ampel_violations_recompute(struct ampel_violations *block,
                                const struct ampel_violations_context *context, bool changed);

/* The record counts in the rank of what comes behind it with an at below this. */
int64_t ampel_violation_limit(const struct ampel_scale *scale,
                              const struct ampel_violation_hot *hot);
/* The rank of every record under a scale, by position in the order; room for block->count.
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

/* What one violation adds to the sums of its account, and how repeats count: the rules' part of violations.h, shared by
   violations.c, ranks.c and violations_anew.c. */
#ifndef AMPEL_ENGINE_REPEATS_H
#define AMPEL_ENGINE_REPEATS_H

#include "engine/records.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline bool ampel_violation_known(const struct ampel_violation_hot *hot) {
    return hot->policy != AMPEL_POLICY_WAITING;
}

static inline int8_t ampel_violation_severity(const struct ampel_scale *scale, const struct ampel_violation_hot *hot) {
    return ampel_scale_severity(scale, hot->policy, hot->severity_given);
}

/* ---- what one record adds to the sums ------------------------------------------------------- */

static inline bool ampel_violation_deducts(const struct ampel_violation_hot *hot) {
    return (hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0 && ampel_state_deducting(hot->state);
}

/* Adds (sign 1) or takes back (sign -1) the part of one record in the sums. */
static inline void ampel_sums_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                                    const struct ampel_violation_hot *hot, uint16_t rank, int sign) {
    if ((hot->flags & AMPEL_VIOLATION_IN_WINDOW) == 0) return;
    struct ampel_violation_sums *sums = &block->sums;
    int8_t severity = ampel_violation_severity(scale, hot);
    uint8_t group = scale->group[hot->policy];
    if (ampel_violation_deducts(hot)) {
        sums->deducted += sign * ampel_scale_points(scale, severity, rank, hot->points_given);
        if (severity == AMPEL_SEVERITY_CRITICAL && hot->points_given < 0) {
            sums->criticals = (uint16_t)(sums->criticals + sign);
        }
    }
    if (group != AMPEL_CAP_GROUP_NONE && severity != AMPEL_SEVERITY_NONE &&
        !ampel_state_cleared(hot->state)) {
        sums->caps[group] = (uint16_t)(sums->caps[group] + sign);
    }
}

/* ---- repeats -------------------------------------------------------------------------------- */

static inline int64_t ampel_repeat_limit(const struct ampel_scale *scale,
                                         const struct ampel_violation_hot *hot) {
    if (!ampel_violation_known(hot) || ampel_violation_severity(scale, hot) == AMPEL_SEVERITY_NONE) return INT64_MIN;
    int64_t limit = hot->at_ms + scale->window_ms;
    if (!ampel_state_cleared(hot->state)) return limit;
    if (scale->rerank) return INT64_MIN;
    return hot->cleared_since_ms < limit ? hot->cleared_since_ms : limit;
}

/* Where its policy is of severity none, nothing counts as a repeat unless the event says otherwise. */
static inline bool ampel_policy_repeats(const struct ampel_scale *scale, uint8_t policy) {
    return ampel_scale_severity(scale, policy, AMPEL_SEVERITY_NOT_GIVEN) != AMPEL_SEVERITY_NONE;
}

/* Keeps count of those whose limit is another than their policy lets expect: the end of their window, or
   none at all. As long as there are none, a rank is the difference of two places, or 0. */
static inline void ampel_sums_unlike_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                                           const struct ampel_violation_hot *hot, int64_t limit_ms, int sign) {
    bool repeats = ampel_policy_repeats(scale, hot->policy);
    if (limit_ms == (repeats ? hot->at_ms + scale->window_ms : INT64_MIN)) return;
    block->sums.unlike = (uint16_t)(block->sums.unlike + sign);
}

static inline enum ampel_outcome ampel_sums_outcome(const struct ampel_violations *block,
                                                    const struct ampel_violation_sums *before) {
    bool same = block->sums.deducted == before->deducted &&
                block->sums.criticals == before->criticals &&
                ampel_caps_same(block->sums.caps, before->caps);
    return same ? AMPEL_OUTCOME_KEPT : AMPEL_OUTCOME_MOVED;
}

/* ---- one record ------------------------------------------------------------------------------ */

static inline void ampel_violation_judge(const struct ampel_violations_context *context,
                                         struct ampel_violation_hot *hot) {
    bool inside = ampel_violation_known(hot) && hot->at_ms <= context->now_ms &&
                  context->now_ms < hot->at_ms + context->scale->window_ms;
    hot->flags = (uint8_t)((hot->flags & ~AMPEL_VIOLATION_IN_WINDOW) |
                           (inside ? AMPEL_VIOLATION_IN_WINDOW : 0));
}

static inline void ampel_violation_facts_set(struct ampel_violation_hot *hot, const struct ampel_violation_facts *facts) {
    hot->at_ms = facts->at_ms;
    hot->rev = facts->rev;
    hot->policy = facts->policy;
    hot->severity_given = facts->severity_given;
    hot->points_given = facts->points_given;
}

/* ---- ranks and marks of records ------------------------------------------------------------- */

/* Where a record's rank and mark stand: of a few in itself, and nothing needs to be looked for. */
static inline uint32_t ampel_numbers_place(const struct ampel_violations *block, uint16_t record) {
    return ampel_violations_many(block) ? ampel_places_of(block, record) : 0;
}

static inline uint16_t ampel_rank_get(const struct ampel_violations *block, uint16_t record, uint32_t place) {
    return ampel_violations_many(block) ? ampel_violations_rank(block, place) : block->hot[record].rank;
}

static inline void ampel_rank_set(struct ampel_violations *block, uint32_t place, uint16_t rank) {
    if (ampel_violations_many(block)) {
        uint64_t *key = &ampel_violations_keys(block)[place];
        *key = ampel_key_make(ampel_key_at_ms(*key), rank, (*key & AMPEL_KEY_CHANGED) != 0);
    } else {
        block->hot[ampel_violations_order(block)[place]].rank = rank;
    }
}

static inline void ampel_mark_set(struct ampel_violations *block, uint16_t record, uint32_t place) {
    if (ampel_violations_many(block))
        ampel_violations_keys(block)[place] |= AMPEL_KEY_CHANGED;
    else
        block->hot[record].flags |= AMPEL_VIOLATION_CHANGED;
}

/* A rank moves by one: what that does to the sum. */
static inline void ampel_points_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                                      const struct ampel_violation_hot *hot, uint32_t rank, int sign) {
    if (!ampel_violation_deducts(hot)) return;
    int8_t severity = ampel_violation_severity(scale, hot);
    block->sums.deducted += ampel_scale_points(scale, severity, rank + (uint32_t)sign, hot->points_given) -
                            ampel_scale_points(scale, severity, rank, hot->points_given);
}

/* ---- ranks.c -------------------------------------------------------------------------------- */

/* The limit of the record at this place moves: the ranks in between move by one. */
void ampel_ranks_limit_move(struct ampel_violations *block, const struct ampel_scale *scale,
                            uint32_t place, int64_t from_ms, int64_t to_ms);
/* The rank of what stands, or would stand, at this place: counted one by one. */
uint16_t ampel_ranks_count(const struct ampel_violations *block, const struct ampel_scale *scale,
                           uint8_t policy, int64_t at_ms, uint32_t place);
/* The same, without looking at others where they are many. */
uint16_t ampel_ranks_find(const struct ampel_violations *block, const struct ampel_scale *scale,
                          uint8_t policy, int64_t at_ms, uint32_t place);

#ifdef __cplusplus
}
#endif

#endif

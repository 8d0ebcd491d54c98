#include "engine/violations.h"

#include <string.h>

#include "engine/records.h"

/* Below this position repeats are counted one by one. */
#define RANKS_COUNTED 16
/* Records lie far apart where there are many: so many ahead of the one whose rank moves the next is fetched. */
#define SHIFTS_AHEAD 8

static bool known(const struct ampel_violation_hot *hot) {
    return hot->policy != AMPEL_POLICY_WAITING;
}

static int8_t severity_of(const struct ampel_scale *scale, const struct ampel_violation_hot *hot) {
    return ampel_scale_severity(scale, hot->policy, hot->severity_given);
}

/* ---- what one record adds to the sums ------------------------------------------------------- */

static bool deducts(const struct ampel_violation_hot *hot) {
    return (hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0 && ampel_state_deducting(hot->state);
}

/* Adds (sign 1) or takes back (sign -1) the part of one record in the sums. */
static void sums_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                       const struct ampel_violation_hot *hot, int sign) {
    if ((hot->flags & AMPEL_VIOLATION_IN_WINDOW) == 0) return;
    struct ampel_violation_sums *sums = &block->sums;
    int8_t severity = severity_of(scale, hot);
    uint8_t group = scale->group[hot->policy];
    if (deducts(hot)) {
        sums->deducted += sign * ampel_scale_points(scale, severity, hot->rank, hot->points_given);
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

static int64_t repeat_limit(const struct ampel_scale *scale,
                            const struct ampel_violation_hot *hot) {
    if (!known(hot) || severity_of(scale, hot) == AMPEL_SEVERITY_NONE) return INT64_MIN;
    int64_t limit = hot->at_ms + scale->window_ms;
    if (!ampel_state_cleared(hot->state)) return limit;
    if (scale->rerank) return INT64_MIN;
    return hot->cleared_since_ms < limit ? hot->cleared_since_ms : limit;
}

/* Where its policy is of severity none, nothing counts as a repeat unless the event says otherwise. */
static bool policy_repeats(const struct ampel_scale *scale, uint8_t policy) {
    return ampel_scale_severity(scale, policy, AMPEL_SEVERITY_NOT_GIVEN) != AMPEL_SEVERITY_NONE;
}

/* Keeps count of those whose limit is another than their policy lets expect: the end of their window, or
   none at all. As long as there are none, a rank is the difference of two positions, or 0. */
static void unlike_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                         const struct ampel_violation_hot *hot, int64_t limit_ms, int sign) {
    bool repeats = policy_repeats(scale, hot->policy);
    if (limit_ms == (repeats ? hot->at_ms + scale->window_ms : INT64_MIN)) return;
    block->sums.unlike = (uint16_t)(block->sums.unlike + sign);
}

int64_t ampel_violation_limit(const struct ampel_scale *scale,
                              const struct ampel_violation_hot *hot) {
    return repeat_limit(scale, hot);
}

static void rank_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                       struct ampel_violation_hot *hot, int sign) {
    uint16_t rank = (uint16_t)(hot->rank + sign);
    if (deducts(hot)) {
        int8_t severity = severity_of(scale, hot);
        block->sums.deducted += ampel_scale_points(scale, severity, rank, hot->points_given) -
                                ampel_scale_points(scale, severity, hot->rank, hot->points_given);
    }
    hot->rank = rank;
    hot->flags |= AMPEL_VIOLATION_CHANGED;
}

/* The limit of the record at this position moves: the ranks in between move by one. */
static void limit_move(struct ampel_violations *block, const struct ampel_scale *scale,
                       uint32_t position, int64_t from_ms, int64_t to_ms) {
    if (from_ms == to_ms || position + 1 == block->count) return;
    int64_t low = from_ms < to_ms ? from_ms : to_ms, high = from_ms < to_ms ? to_ms : from_ms;
    int sign = from_ms < to_ms ? 1 : -1;
    uint8_t policy = block->hot[ampel_violations_order(block)[position]].policy;
    uint32_t start = position + 1;
    if (low > block->hot[ampel_violations_order(block)[position]].at_ms) {
        uint32_t first = ampel_records_position_from(block, policy, low);
        if (first > start) start = first;
    }
    const uint16_t *order = ampel_violations_order(block);
    uint32_t end = ampel_records_run_end(block, policy);
    for (uint32_t i = start; i < end; i++) {
        struct ampel_violation_hot *behind = &block->hot[order[i]];
        if (behind->policy != policy || behind->at_ms >= high) break;
        if (i + SHIFTS_AHEAD < end) __builtin_prefetch(&block->hot[order[i + SHIFTS_AHEAD]], 1);
        rank_shift(block, scale, behind, sign);
    }
}

/* The rank of what stands, or would stand, at this position. */
static uint16_t rank_count(const struct ampel_violations *block, const struct ampel_scale *scale,
                           uint8_t policy, int64_t at_ms, uint32_t position) {
    const uint16_t *order = ampel_violations_order(block);
    uint32_t rank = 0;
    for (uint32_t i = position; i > 0; i--) {
        const struct ampel_violation_hot *other = &block->hot[order[i - 1]];
        if (other->policy != policy || at_ms - other->at_ms >= scale->window_ms) break;
        rank += at_ms < repeat_limit(scale, other);
    }
    return (uint16_t)rank;
}

/* The same, without looking at others where they are many. */
static uint16_t rank_find(const struct ampel_violations *block, const struct ampel_scale *scale,
                          uint8_t policy, int64_t at_ms, uint32_t position) {
    if (position == 0 || block->hot[ampel_violations_order(block)[position - 1]].policy != policy) return 0;
    if (position < RANKS_COUNTED || block->sums.unlike != 0)
        return rank_count(block, scale, policy, at_ms, position);
    if (!policy_repeats(scale, policy)) return 0;
    int64_t first_ms = at_ms - scale->window_ms + 1;
    uint32_t first = ampel_records_position_from(block, policy, first_ms > 0 ? first_ms : 0);
    return (uint16_t)(position - first);
}

/* ---- in and out of order, window and sums --------------------------------------------------- */

static void window_judge(const struct ampel_violations_context *context,
                         struct ampel_violation_hot *hot) {
    bool inside = known(hot) && hot->at_ms <= context->now_ms &&
                  context->now_ms < hot->at_ms + context->scale->window_ms;
    hot->flags = (uint8_t)((hot->flags & ~AMPEL_VIOLATION_IN_WINDOW) |
                           (inside ? AMPEL_VIOLATION_IN_WINDOW : 0));
}

/* Takes a record out of its place, with all it means to others. */
static void record_detach(struct ampel_violations *block, const struct ampel_scale *scale,
                          uint16_t record) {
    struct ampel_violation_hot *hot = &block->hot[record];
    uint32_t position = ampel_records_position(block, record);
    if (known(hot)) {
        int64_t limit_ms = repeat_limit(scale, hot);
        sums_shift(block, scale, hot, -1);
        unlike_shift(block, scale, hot, limit_ms, -1);
        limit_move(block, scale, position, limit_ms, INT64_MIN);
        block->known_count--;
    }
    ampel_records_order_remove(block, position, block->count);
}

/* Puts a known record where its key belongs, with all it means to others. */
static void record_attach(struct ampel_violations *block,
                          const struct ampel_violations_context *context, uint16_t record) {
    const struct ampel_scale *scale = context->scale;
    struct ampel_violation_hot *hot = &block->hot[record];
    uint32_t position = ampel_records_order_insert(block, record, block->count - 1);
    int64_t limit_ms = repeat_limit(scale, hot);
    hot->rank = rank_find(block, scale, hot->policy, hot->at_ms, position);
    window_judge(context, hot);
    hot->flags |= AMPEL_VIOLATION_CHANGED;
    block->known_count++;
    limit_move(block, scale, position, INT64_MIN, limit_ms);
    unlike_shift(block, scale, hot, limit_ms, 1);
    sums_shift(block, scale, hot, 1);
    ampel_records_due_renew(block, record);
}

/* ---- merging -------------------------------------------------------------------------------- */

static enum ampel_outcome moved_or_kept(const struct ampel_violations *block,
                                        const struct ampel_violation_sums *before) {
    bool same = block->sums.deducted == before->deducted &&
                block->sums.criticals == before->criticals &&
                ampel_caps_same(block->sums.caps, before->caps);
    return same ? AMPEL_OUTCOME_KEPT : AMPEL_OUTCOME_MOVED;
}

/* A known record sees an event of this at. */
static enum ampel_outcome record_see_again(struct ampel_violations *block, int64_t at_ms,
                                           uint16_t record) {
    struct ampel_violation_cold *cold = block->hot[record].cold;
    if (at_ms <= cold->last_seen_ms) return AMPEL_OUTCOME_SAME;
    cold->last_seen_ms = at_ms;
    ampel_records_due_renew(block, record);
    return AMPEL_OUTCOME_KEPT;
}

/* The record of an id, made if needed, having seen an event of this at. */
static enum ampel_outcome record_see(struct ampel_violations **block,
                                     const struct ampel_violations_context *context,
                                     struct ampel_text id, int64_t at_ms, uint16_t *record) {
    *record = ampel_violations_find(*block, id);
    if (*record == AMPEL_VIOLATION_NONE) {
        if (*block != NULL && (*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
        *record =
            ampel_records_claim(block, context->pool, id, at_ms, context->scale->window_ms);
        if (*record == AMPEL_VIOLATION_NONE) return AMPEL_OUTCOME_NO_MEMORY;
        return AMPEL_OUTCOME_KEPT;
    }
    return record_see_again(*block, at_ms, *record);
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

/* Does the event define the violation rather than what is known? The numbers' part first. */
static int facts_compare(const struct ampel_violation_facts *facts,
                         const struct ampel_violation_hot *hot) {
    int order = compare_i64(facts->rev, hot->rev);
    if (order == 0) order = compare_i64(facts->at_ms, hot->at_ms);
    if (order == 0) order = compare_i64(facts->policy, hot->policy);
    if (order == 0) order = compare_i64(facts->severity_given, hot->severity_given);
    if (order == 0) order = compare_i64(facts->points_given, hot->points_given);
    return order;
}

static int texts_compare(const struct ampel_violation_facts *facts,
                         const struct ampel_violations *block, uint16_t record) {
    for (uint32_t i = AMPEL_TEXT_INCIDENT; i < AMPEL_TEXTS_COUNT; i++) {
        struct ampel_text held = ampel_violations_text(block, record, (enum ampel_violation_text)i);
        int order = ampel_text_compare(facts->texts[i], held);
        if (order != 0) return order;
    }
    return compare_i64(facts->at_risk_sales_cents, ampel_violations_sales(block, record));
}

static void facts_set(struct ampel_violation_hot *hot, const struct ampel_violation_facts *facts) {
    hot->at_ms = facts->at_ms;
    hot->rev = facts->rev;
    hot->policy = facts->policy;
    hot->severity_given = facts->severity_given;
    hot->points_given = facts->points_given;
}

/* Whether one of the same policy stands behind this position. */
static bool repeats_behind(const struct ampel_violations *block, uint32_t position) {
    const uint16_t *order = ampel_violations_order(block);
    if (position + 1 == block->count) return false;
    return block->hot[order[position + 1]].policy == block->hot[order[position]].policy;
}

/* Nothing was known of it: the usual violation. All that it is is known before it takes its place. */
static enum ampel_outcome record_new(struct ampel_violations **block,
                                     const struct ampel_violations_context *context,
                                     const struct ampel_violation_facts *facts, uint32_t id_hash) {
    const struct ampel_scale *scale = context->scale;
    uint32_t position = 0;
    struct ampel_violation_hot hot = {
        .cleared_since_ms = AMPEL_CLEARED_NEVER_MS,
        .id_hash = id_hash,
        .flags = AMPEL_VIOLATION_CHANGED,
    };
    facts_set(&hot, facts);
    window_judge(context, &hot);
    if (*block != NULL) {
        if ((*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
        position = ampel_records_place(*block, facts->policy, facts->at_ms, facts->texts[AMPEL_TEXT_ID],
                                       (*block)->count);
        hot.rank = rank_find(*block, scale, facts->policy, facts->at_ms, position);
    }
    struct ampel_violations *records = ampel_records_put(block, context->pool, &hot, facts->texts,
                                                         facts->at_risk_sales_cents, position,
                                                         facts->at_ms, scale->window_ms);
    if (records == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    struct ampel_violation_sums before = records->sums;
    int64_t limit_ms = repeat_limit(scale, &hot);
    records->known_count++;
    if (repeats_behind(records, position)) limit_move(records, scale, position, INT64_MIN, limit_ms);
    unlike_shift(records, scale, &hot, limit_ms, 1);
    sums_shift(records, scale, &hot, 1);
    return moved_or_kept(records, &before);
}

enum ampel_outcome ampel_violations_define(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           const struct ampel_violation_facts *facts) {
    uint32_t id_hash = ampel_records_hash(facts->texts[AMPEL_TEXT_ID]);
    uint16_t record = ampel_records_find(*block, facts->texts[AMPEL_TEXT_ID], id_hash);
    if (record == AMPEL_VIOLATION_NONE) return record_new(block, context, facts, id_hash);
    enum ampel_outcome seen = record_see_again(*block, facts->at_ms, record);
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    int order = known(hot) ? facts_compare(facts, hot) : 1;
    if (order < 0) return seen;
    if (order == 0 && texts_compare(facts, records, record) <= 0) return seen;
    struct ampel_violation_sums before = records->sums;
    if (order > 0) {
        record_detach(records, context->scale, record);
        facts_set(hot, facts);
        record_attach(records, context, record);
    }
    if (!ampel_records_texts_set(records, context->pool, record, facts->texts,
                                 facts->at_risk_sales_cents)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    hot->flags |= AMPEL_VIOLATION_CHANGED;
    return moved_or_kept(records, &before);
}

enum ampel_outcome ampel_violations_state(struct ampel_violations **block,
                                          const struct ampel_violations_context *context,
                                          struct ampel_text id, uint8_t state, int64_t at_ms) {
    uint16_t record;
    enum ampel_outcome seen = record_see(block, context, id, at_ms, &record);
    if (seen == AMPEL_OUTCOME_FULL || seen == AMPEL_OUTCOME_NO_MEMORY) return seen;
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    bool later = at_ms != hot->cold->state_at_ms ? at_ms > hot->cold->state_at_ms : state > hot->state;
    bool clears = ampel_state_cleared(state) && at_ms < hot->cleared_since_ms;
    if (!later && !clears) return seen;
    struct ampel_violation_sums before = records->sums;
    int64_t limit_before = repeat_limit(context->scale, hot);
    if (known(hot)) sums_shift(records, context->scale, hot, -1);
    if (later) {
        hot->state = state;
        hot->cold->state_at_ms = at_ms;
    }
    if (clears) hot->cleared_since_ms = at_ms;
    hot->flags |= AMPEL_VIOLATION_CHANGED;
    if (!known(hot)) return AMPEL_OUTCOME_KEPT;
    sums_shift(records, context->scale, hot, 1);
    int64_t limit = repeat_limit(context->scale, hot);
    unlike_shift(records, context->scale, hot, limit_before, -1);
    unlike_shift(records, context->scale, hot, limit, 1);
    if (limit != limit_before) {
        limit_move(records, context->scale, ampel_records_position(records, record), limit_before,
                   limit);
    }
    return moved_or_kept(records, &before);
}

enum ampel_outcome ampel_violations_expect(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           struct ampel_text id, int64_t at_ms) {
    uint16_t record;
    return record_see(block, context, id, at_ms, &record);
}

/* ---- time ----------------------------------------------------------------------------------- */

enum ampel_outcome ampel_violations_expire(struct ampel_violations *block,
                                           const struct ampel_violations_context *context,
                                           uint16_t record) {
    struct ampel_violation_hot *hot = &block->hot[record];
    struct ampel_violation_sums before = block->sums;
    sums_shift(block, context->scale, hot, -1);
    hot->flags = (uint8_t)((hot->flags & ~AMPEL_VIOLATION_IN_WINDOW) | AMPEL_VIOLATION_CHANGED);
    ampel_records_due_later(block, record);
    return moved_or_kept(block, &before);
}

void ampel_violations_forget(struct ampel_violations **block,
                             const struct ampel_violations_context *context, uint16_t record) {
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    if (known(hot)) {
        /* What it meant to the ranks of others, all of them out of the window, goes with it: a rank
           is a function of what is known. */
        int64_t limit_ms = repeat_limit(context->scale, hot);
        limit_move(records, context->scale, ampel_records_position(records, record), limit_ms, INT64_MIN);
        unlike_shift(records, context->scale, hot, limit_ms, -1);
        sums_shift(records, context->scale, hot, -1);
        records->known_count--;
    }
    ampel_records_release(block, context->pool, record);
}

/* ---- anew ----------------------------------------------------------------------------------- */

/* Ranks by differences: each record adds one from the next position to its limit. Sums of u16 wrap
   and come back, as every rank itself fits. */
void ampel_violations_ranks(const struct ampel_violations *block, const struct ampel_scale *scale,
                            uint16_t *ranks) {
    memset(ranks, 0, block->count * sizeof(*ranks));
    for (uint32_t i = 0; i < block->count; i++) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        int64_t limit = repeat_limit(scale, hot);
        uint32_t end =
            limit > hot->at_ms ? ampel_records_position_from(block, hot->policy, limit) : 0;
        if (end <= i + 1) continue;
        ranks[i + 1]++;
        if (end < block->count) ranks[end]--;
    }
    for (uint32_t i = 1; i < block->count; i++)
        ranks[i] = (uint16_t)(ranks[i] + ranks[i - 1]);
}

/* The heap's array is the room for it: the heap is rebuilt behind. */
static void ranks_recompute(struct ampel_violations *block, const struct ampel_scale *scale) {
    uint16_t *ranks = ampel_violations_heap(block);
    ampel_violations_ranks(block, scale, ranks);
    for (uint32_t i = 0; i < block->count; i++)
        block->hot[ampel_violations_order(block)[i]].rank = ranks[i];
}

void ampel_violations_recompute(struct ampel_violations *block,
                                const struct ampel_violations_context *context, bool changed) {
    if (block == NULL) return;
    memset(&block->sums, 0, sizeof(block->sums));
    block->window_days = (uint8_t)(context->scale->window_ms / AMPEL_DAY_MS);
    ranks_recompute(block, context->scale);
    for (uint32_t i = 0; i < block->count; i++) {
        struct ampel_violation_hot *hot = &block->hot[i];
        window_judge(context, hot);
        if (changed) hot->flags |= AMPEL_VIOLATION_CHANGED;
        if (!known(hot)) continue;
        sums_shift(block, context->scale, hot, 1);
        unlike_shift(block, context->scale, hot, repeat_limit(context->scale, hot), 1);
    }
    ampel_records_heap_rebuild(block);
    AMPEL_ASSERT_PARANOID(ampel_violations_sane(block, context));
}

enum ampel_outcome ampel_violations_import(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           const struct ampel_violation_image *image) {
    struct ampel_text id = image->facts.texts[AMPEL_TEXT_ID];
    if (ampel_violations_find(*block, id) != AMPEL_VIOLATION_NONE) return AMPEL_OUTCOME_SAME;
    if (*block != NULL && (*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
    uint16_t record = ampel_records_claim(block, context->pool, id, image->last_seen_ms,
                                          context->scale->window_ms);
    if (record == AMPEL_VIOLATION_NONE) return AMPEL_OUTCOME_NO_MEMORY;
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    ampel_records_order_remove(records, ampel_records_position(records, record), records->count);
    hot->at_ms = image->facts.at_ms;
    hot->rev = image->facts.rev;
    hot->policy = image->facts.policy;
    hot->severity_given = image->facts.severity_given;
    hot->points_given = image->facts.points_given;
    hot->state = image->state;
    hot->cleared_since_ms = image->cleared_since_ms;
    records->known_count = (uint16_t)(records->known_count + known(hot));
    if (!ampel_records_texts_set(records, context->pool, record, image->facts.texts,
                                 image->facts.at_risk_sales_cents)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    hot->cold->state_at_ms = image->state_at_ms;
    uint32_t position = ampel_records_order_insert(records, record, records->count - 1);
    return position + 1 == records->count ? AMPEL_OUTCOME_KEPT : AMPEL_OUTCOME_SAME;
}

/* ---- the drawing, asserted ------------------------------------------------------------------ */

bool ampel_violations_sane(const struct ampel_violations *block,
                           const struct ampel_violations_context *context) {
    if (block == NULL) return true;
    if (block->count == 0 || !ampel_records_sane(block)) return false;
    struct ampel_violations naive = {.sums = {0}};
    for (uint32_t i = 0; i < block->count; i++) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        if (!known(hot)) continue;
        if (rank_count(block, context->scale, hot->policy, hot->at_ms, i) != hot->rank) return false;
        sums_shift(&naive, context->scale, hot, 1);
        unlike_shift(&naive, context->scale, hot, repeat_limit(context->scale, hot), 1);
    }
    if (naive.sums.unlike != block->sums.unlike) return false;
    return moved_or_kept(block, &naive.sums) == AMPEL_OUTCOME_KEPT;
}

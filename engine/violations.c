#include "engine/violations.h"

#include "engine/load.h"
#include "engine/repeats.h"

/* ---- in and out of order -------------------------------------------------------------------- */

/* Takes a record out of its place, with all it means to others. */
static void record_detach(struct ampel_violations *block, const struct ampel_scale *scale,
                          uint16_t record) {
    struct ampel_violation_hot *hot = &block->hot[record];
    uint32_t place = ampel_places_of(block, record);
    if (ampel_violation_known(hot)) {
        int64_t limit_ms = ampel_repeat_limit(scale, hot);
        ampel_sums_shift(block, scale, hot, ampel_rank_get(block, record, place), -1);
        ampel_sums_unlike_shift(block, scale, hot, limit_ms, -1);
        ampel_ranks_limit_move(block, scale, place, limit_ms, INT64_MIN);
        block->known_count--;
    }
    ampel_places_remove(block, place, block->count);
}

/* What a known record that was placed just now means to others and to the sums. */
static void record_count(struct ampel_violations *block, const struct ampel_scale *scale,
                         const struct ampel_violation_hot *hot, uint32_t place, uint16_t rank) {
    int64_t limit_ms = ampel_repeat_limit(scale, hot);
    block->known_count++;
    ampel_ranks_limit_move(block, scale, place, INT64_MIN, limit_ms);
    ampel_sums_unlike_shift(block, scale, hot, limit_ms, 1);
    ampel_sums_shift(block, scale, hot, rank, 1);
}

/* Puts a known record where its key belongs, with all it means to others. */
static void record_attach(struct ampel_violations *block,
                          const struct ampel_violations_context *context, uint16_t record) {
    const struct ampel_scale *scale = context->scale;
    struct ampel_violation_hot *hot = &block->hot[record];
    uint32_t others = (uint32_t)block->count - 1;
    ampel_places_reserve(block, hot->policy);
    uint32_t place = ampel_places_find(block, hot->policy, hot->at_ms,
                                       ampel_violations_text(block, record, AMPEL_TEXT_ID), others);
    uint16_t rank = ampel_ranks_find(block, scale, hot->policy, hot->at_ms, place);
    ampel_violation_judge(context, hot);
    hot->flags |= AMPEL_VIOLATION_CHANGED;
    ampel_places_put(block, record, place, rank, others);
    record_count(block, scale, hot, place, rank);
    ampel_dues_renew(block, record);
}

/* ---- merging -------------------------------------------------------------------------------- */

/* A known record sees an event of this at. */
static enum ampel_outcome record_see_again(struct ampel_violations *block, int64_t at_ms,
                                           uint16_t record) {
    struct ampel_violation_cold *cold = block->hot[record].cold;
    if (at_ms <= cold->last_seen_ms) return AMPEL_OUTCOME_SAME;
    cold->last_seen_ms = at_ms;
    ampel_dues_renew(block, record);
    return AMPEL_OUTCOME_KEPT;
}

/* A record that waits for its violation, of an id that is unknown. */
static enum ampel_outcome record_await(struct ampel_violations **block,
                                       const struct ampel_violations_context *context,
                                       struct ampel_text id, uint32_t id_hash, int64_t at_ms) {
    const struct ampel_text texts[AMPEL_TEXTS_COUNT] = {[AMPEL_TEXT_ID] = id};
    if (*block != NULL && (*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
    struct ampel_violation_hot *hot =
        ampel_records_claim(block, context->pool, texts, -1, at_ms, context->scale->window_ms);
    if (hot == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    struct ampel_violations *records = *block;
    hot->id_hash = id_hash;
    hot->points_given = -1;
    hot->policy = AMPEL_POLICY_WAITING;
    hot->severity_given = AMPEL_SEVERITY_NOT_GIVEN;
    ampel_places_reserve(records, AMPEL_POLICY_WAITING);
    ampel_records_add(records, ampel_places_find(records, AMPEL_POLICY_WAITING, 0, id, records->count), 0);
    return AMPEL_OUTCOME_KEPT;
}

/* The record of an id, made if needed, having seen an event of this at. */
static enum ampel_outcome record_see(struct ampel_violations **block,
                                     const struct ampel_violations_context *context,
                                     struct ampel_text id, int64_t at_ms, uint16_t *record) {
    uint32_t id_hash = ampel_ids_hash(id);
    *record = ampel_ids_find(*block, id, id_hash);
    if (*record != AMPEL_VIOLATION_NONE) return record_see_again(*block, at_ms, *record);
    *record = *block != NULL ? (*block)->count : 0;
    return record_await(block, context, id, id_hash, at_ms);
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

static uint64_t sort_of(const struct ampel_violation_hot *hot) {
    return (uint64_t)hot->policy << AMPEL_SORT_SHIFT | (uint64_t)hot->at_ms;
}

/* Whether what stands there already sorts behind what comes. */
static bool sorts_behind(const struct ampel_violations *block, uint16_t other, const struct ampel_violation_hot *hot) {
    uint64_t left = sort_of(&block->hot[other]), right = sort_of(hot);
    return left != right ? left > right : ampel_places_compare(block, other, block->count) > 0;
}

#define PLACE_ASKED UINT32_MAX

/* What a few say to one that comes. */
struct few_look {
    uint32_t place; /* among those of other policies; PLACE_ASKED where there are others */
    bool hashed;    /* one has its id's hash */
};

/* One pass, and no question whose answer is anybody's guess. */
static struct few_look few_look(const struct ampel_violations *block, uint8_t policy, uint32_t id_hash) {
    uint32_t place = 0, alike = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct ampel_violation_hot *hot = &block->hot[i];
        if (hot->id_hash == id_hash) return (struct few_look){PLACE_ASKED, true};
        place += hot->policy < policy;
        alike |= hot->policy == policy;
    }
    return (struct few_look){alike != 0 ? PLACE_ASKED : place, false};
}

/* Makes a gap in the order of a few. */
static void few_open(struct ampel_violations *block, uint32_t place) {
    uint16_t *order = ampel_violations_order(block);
    if (block->capacity == sizeof(uint64_t) / sizeof(*order)) {
        uint64_t word = ampel_load_u64(order), behind = ~UINT64_C(0) << (16 * place);
        ampel_store_u64(order, (word & ~behind) | (word & behind) << 16);
        return;
    }
    for (uint32_t i = block->count; i > place; i--)
        order[i] = order[i - 1];
}

/* Makes a gap for the claimed record among others of its policy in one pass, and returns it: from the last one on, what
   sorts behind it moves by a place, and by a rank where it repeats it. What is new is not cleared, so its limit is the
   end of its window. */
static uint32_t few_open_among(struct ampel_violations *block, const struct ampel_scale *scale,
                               struct ampel_violation_hot *hot, bool repeats) {
    const uint8_t policy = hot->policy;
    const int64_t limit_ms = repeats ? hot->at_ms + scale->window_ms : INT64_MIN;
    uint16_t *order = ampel_violations_order(block);
    uint32_t place = block->count;
    for (; place > 0 && sorts_behind(block, order[place - 1], hot); place--) {
        struct ampel_violation_hot *behind = &block->hot[order[place - 1]];
        order[place] = order[place - 1];
        if (behind->policy != policy || behind->at_ms >= limit_ms) continue;
        ampel_points_shift(block, scale, behind, behind->rank, 1);
        behind->rank++;
        behind->flags |= AMPEL_VIOLATION_CHANGED;
    }
    if (place > 0 && block->hot[order[place - 1]].policy == policy)
        hot->rank = ampel_ranks_count(block, scale, policy, hot->at_ms, place);
    return place;
}

/* The claimed record takes its place among a few; place as few_look told it. */
static void few_place(struct ampel_violations *block, const struct ampel_scale *scale,
                      struct ampel_violation_hot *hot, uint32_t place) {
    const bool repeats = ampel_violation_severity(scale, hot) != AMPEL_SEVERITY_NONE;
    if (place == PLACE_ASKED)
        place = few_open_among(block, scale, hot, repeats);
    else
        few_open(block, place);
    ampel_violations_order(block)[place] = block->count;
    block->count++;
    block->known_count++;
    if (repeats != ampel_policy_repeats(scale, hot->policy)) block->sums.unlike++;
    ampel_sums_shift(block, scale, hot, hot->rank, 1);
    ampel_dues_add(block);
}

static void many_place(struct ampel_violations *block, const struct ampel_scale *scale,
                       const struct ampel_violation_hot *hot, struct ampel_text id) {
    ampel_places_reserve(block, hot->policy);
    uint32_t place = ampel_places_find(block, hot->policy, hot->at_ms, id, block->count);
    uint16_t rank = ampel_ranks_find(block, scale, hot->policy, hot->at_ms, place);
    ampel_records_add(block, place, rank);
    record_count(block, scale, hot, place, rank);
}

/* Nothing was known of it: the usual violation. All that it is is known before it takes its place, which among a few is
   known already. */
static enum ampel_outcome record_new(struct ampel_violations **block,
                                     const struct ampel_violations_context *context,
                                     const struct ampel_violation_facts *facts, uint32_t id_hash,
                                     uint32_t few) {
    const struct ampel_scale *scale = context->scale;
    if (*block != NULL && (*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
    struct ampel_violation_hot *hot =
        ampel_records_claim(block, context->pool, facts->texts, facts->at_risk_sales_cents,
                            facts->at_ms, scale->window_ms);
    if (hot == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    struct ampel_violations *records = *block;
    struct ampel_violation_sums before = records->sums;
    hot->id_hash = id_hash;
    hot->flags = AMPEL_VIOLATION_CHANGED;
    ampel_violation_facts_set(hot, facts);
    ampel_violation_judge(context, hot);
    if (ampel_violations_many(records))
        many_place(records, scale, hot, facts->texts[AMPEL_TEXT_ID]);
    else
        few_place(records, scale, hot, few);
    return ampel_sums_outcome(records, &before);
}

/* Where an id of this hash would be found in many, where its policy's run is told, and what a new record writes and
   looks at: these lines are far away, and asked for together they arrive together. */
AMPEL_INLINE void many_fetch(const struct ampel_violations *block, uint32_t id_hash, uint8_t policy) {
    const uint64_t *dues = ampel_violations_dues(block);
    uint32_t count = block->count;
    __builtin_prefetch(ampel_ids_entry(block, id_hash), 1);
    __builtin_prefetch(ampel_places_run(block, policy), 1);
    __builtin_prefetch(dues + count, 1);
    __builtin_prefetch(dues + count / 2, 1); /* its parent, or that one's neighbour */
    __builtin_prefetch(dues);
    __builtin_prefetch(&block->hot[count], 1);
}

/* Where what comes is mostly put: behind the last of its run. */
AMPEL_INLINE void run_fetch(const struct ampel_violations *block, uint8_t policy) {
    const struct ampel_violations_run *run = ampel_places_run(block, policy);
    uint32_t end = run->begin + run->count;
    __builtin_prefetch(ampel_violations_keys(block) + end, 1);
    __builtin_prefetch(ampel_violations_order(block) + end, 1);
}

enum ampel_outcome ampel_violations_define(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           const struct ampel_violation_facts *facts) {
    uint32_t id_hash = ampel_ids_hash(facts->texts[AMPEL_TEXT_ID]);
    const bool many = *block != NULL && ampel_violations_many(*block);
    struct few_look look = {.hashed = many};
    if (many)
        many_fetch(*block, id_hash, facts->policy);
    else if (*block != NULL)
        look = few_look(*block, facts->policy, id_hash);
    uint16_t record = AMPEL_VIOLATION_NONE;
    if (look.hashed) record = ampel_ids_find(*block, facts->texts[AMPEL_TEXT_ID], id_hash);
    if (many) run_fetch(*block, facts->policy);
    if (record == AMPEL_VIOLATION_NONE) return record_new(block, context, facts, id_hash, look.place);
    enum ampel_outcome seen = record_see_again(*block, facts->at_ms, record);
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    int order = ampel_violation_known(hot) ? facts_compare(facts, hot) : 1;
    if (order < 0) return seen;
    if (order == 0 && texts_compare(facts, records, record) <= 0) return seen;
    struct ampel_violation_sums before = records->sums;
    if (order > 0) {
        record_detach(records, context->scale, record);
        ampel_violation_facts_set(hot, facts);
        record_attach(records, context, record);
    }
    if (!ampel_records_texts_set(records, context->pool, record, facts->texts,
                                 facts->at_risk_sales_cents)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    if (order == 0) ampel_mark_set(records, record, ampel_numbers_place(records, record));
    return ampel_sums_outcome(records, &before);
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
    int64_t limit_before = ampel_repeat_limit(context->scale, hot);
    uint32_t place = ampel_numbers_place(records, record);
    uint16_t rank = ampel_rank_get(records, record, place);
    if (ampel_violation_known(hot)) ampel_sums_shift(records, context->scale, hot, rank, -1);
    if (later) {
        hot->state = state;
        hot->cold->state_at_ms = at_ms;
    }
    if (clears) hot->cleared_since_ms = at_ms;
    ampel_mark_set(records, record, place);
    if (!ampel_violation_known(hot)) return AMPEL_OUTCOME_KEPT;
    ampel_sums_shift(records, context->scale, hot, rank, 1);
    int64_t limit = ampel_repeat_limit(context->scale, hot);
    ampel_sums_unlike_shift(records, context->scale, hot, limit_before, -1);
    ampel_sums_unlike_shift(records, context->scale, hot, limit, 1);
    if (limit != limit_before) {
        ampel_ranks_limit_move(records, context->scale, ampel_places_of(records, record), limit_before, limit);
    }
    return ampel_sums_outcome(records, &before);
}

enum ampel_outcome ampel_violations_expect(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           struct ampel_text id, int64_t at_ms) {
    uint16_t record;
    return record_see(block, context, id, at_ms, &record);
}

void ampel_violations_marks_clear(struct ampel_violations *block) {
    if (ampel_violations_many(block)) {
        uint64_t *keys = ampel_violations_keys(block);
        uint32_t end = ampel_violations_end(block);
        for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1))
            keys[i] &= ~AMPEL_KEY_CHANGED;
        return;
    }
    for (uint32_t i = 0; i < block->count; i++)
        block->hot[i].flags = (uint8_t)(block->hot[i].flags & ~AMPEL_VIOLATION_CHANGED);
}

/* ---- time ----------------------------------------------------------------------------------- */

enum ampel_outcome ampel_violations_expire(struct ampel_violations *block,
                                           const struct ampel_violations_context *context,
                                           uint16_t record) {
    struct ampel_violation_hot *hot = &block->hot[record];
    struct ampel_violation_sums before = block->sums;
    uint32_t place = ampel_numbers_place(block, record);
    ampel_sums_shift(block, context->scale, hot, ampel_rank_get(block, record, place), -1);
    hot->flags = (uint8_t)(hot->flags & ~AMPEL_VIOLATION_IN_WINDOW);
    ampel_mark_set(block, record, place);
    ampel_dues_renew(block, record);
    return ampel_sums_outcome(block, &before);
}

void ampel_violations_forget(struct ampel_violations **block,
                             const struct ampel_violations_context *context, uint16_t record) {
    struct ampel_violations *records = *block;
    struct ampel_violation_hot *hot = &records->hot[record];
    if (ampel_violation_known(hot)) {
        /* What it meant to the ranks of others, all of them out of the window, goes with it: a rank
           is a function of what is known. */
        int64_t limit_ms = ampel_repeat_limit(context->scale, hot);
        uint32_t place = ampel_places_of(records, record);
        ampel_ranks_limit_move(records, context->scale, place, limit_ms, INT64_MIN);
        ampel_sums_unlike_shift(records, context->scale, hot, limit_ms, -1);
        ampel_sums_shift(records, context->scale, hot, ampel_rank_get(records, record, place), -1);
        records->known_count--;
    }
    ampel_records_release(block, context->pool, record);
}


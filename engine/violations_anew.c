/* An account's violations that come from elsewhere or are counted by other rules, and what must hold of them. */
#include <string.h>

#include "engine/repeats.h"

/* The room for dues is room for them: these are rebuilt behind. */
static void ranks_recompute(struct ampel_violations *block, const struct ampel_scale *scale) {
    uint16_t few[AMPEL_VIOLATIONS_MANY], *ranks = few;
    if (ampel_violations_many(block)) ranks = (uint16_t *)ampel_violations_dues(block);
    ampel_violations_ranks(block, scale, ranks);
    uint32_t end = ampel_violations_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1))
        ampel_rank_set(block, i, *ranks++);
}

void ampel_violations_recompute(struct ampel_violations *block,
                                const struct ampel_violations_context *context, bool changed) {
    if (block == NULL) return;
    memset(&block->sums, 0, sizeof(block->sums));
    block->window_days = (uint8_t)(context->scale->window_ms / AMPEL_DAY_MS);
    ranks_recompute(block, context->scale);
    uint32_t end = ampel_violations_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        uint16_t record = ampel_violations_order(block)[i];
        struct ampel_violation_hot *hot = &block->hot[record];
        ampel_violation_judge(context, hot);
        if (changed) ampel_mark_set(block, record, i);
        if (!ampel_violation_known(hot)) continue;
        ampel_sums_shift(block, context->scale, hot, ampel_violations_rank(block, i), 1);
        ampel_sums_unlike_shift(block, context->scale, hot, ampel_repeat_limit(context->scale, hot), 1);
    }
    ampel_dues_rebuild(block);
    AMPEL_ASSERT_PARANOID(ampel_violations_sane(block, context));
}

enum ampel_outcome ampel_violations_import(struct ampel_violations **block,
                                           const struct ampel_violations_context *context,
                                           const struct ampel_violation_image *image) {
    struct ampel_text id = image->facts.texts[AMPEL_TEXT_ID];
    if (ampel_violations_find(*block, id) != AMPEL_VIOLATION_NONE) return AMPEL_OUTCOME_SAME;
    if (*block != NULL && (*block)->count >= context->records_max) return AMPEL_OUTCOME_FULL;
    struct ampel_violation_hot *hot =
        ampel_records_claim(block, context->pool, image->facts.texts, image->facts.at_risk_sales_cents,
                            image->last_seen_ms, context->scale->window_ms);
    if (hot == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    struct ampel_violations *records = *block;
    ampel_violation_facts_set(hot, &image->facts);
    hot->id_hash = ampel_ids_hash(id);
    hot->state = image->state;
    hot->cleared_since_ms = image->cleared_since_ms;
    hot->cold->state_at_ms = image->state_at_ms;
    records->known_count = (uint16_t)(records->known_count + ampel_violation_known(hot));
    ampel_places_reserve(records, hot->policy);
    uint32_t place = ampel_places_find(records, hot->policy, hot->at_ms, id, records->count);
    ampel_records_add(records, place, 0);
    return ampel_places_last(records, place) ? AMPEL_OUTCOME_KEPT : AMPEL_OUTCOME_SAME;
}

/* ---- the drawing, asserted ------------------------------------------------------------------ */

bool ampel_violations_sane(const struct ampel_violations *block,
                           const struct ampel_violations_context *context) {
    if (block == NULL) return true;
    if (block->count == 0 || !ampel_records_sane(block)) return false;
    struct ampel_violations naive = {.sums = {0}};
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        uint16_t rank = ampel_violations_rank(block, i);
        if (ampel_ranks_count(block, context->scale, hot->policy, hot->at_ms, i) != rank) return false;
        ampel_sums_shift(&naive, context->scale, hot, rank, 1);
        ampel_sums_unlike_shift(&naive, context->scale, hot, ampel_repeat_limit(context->scale, hot), 1);
    }
    if (naive.sums.unlike != block->sums.unlike) return false;
    return ampel_sums_outcome(block, &naive.sums) == AMPEL_OUTCOME_KEPT;
}

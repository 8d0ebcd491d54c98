/* What approving or acknowledging each violation would bring (rating-model 3.13). */
#include "engine/outlook.h"

#include <string.h>

#include "engine/outlook_view.h"
#include "engine/records.h"

/* The rank that a violation of each policy would get at the engine's time. */
static void next_ranks(const struct ampel_engine *engine, const struct ampel_outlook_view *view,
                       uint32_t ranks[AMPEL_POLICIES_MAX]) {
    const struct ampel_violations *block = view->account->violations;
    memset(ranks, 0, AMPEL_POLICIES_MAX * sizeof(*ranks));
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_violation_hot *hot = &block->hot[view->items[i].record];
        ranks[view->items[i].policy % AMPEL_POLICIES_MAX] +=
            engine->now_ms < ampel_violation_limit(&engine->scale, hot);
    }
}

static void fix_fill(const struct ampel_engine *engine, const struct ampel_outlook_view *view,
                     uint32_t index, const struct ampel_outlook_outcome *now, uint32_t next_rank,
                     struct ampel_outlook_fix *out) {
    const struct ampel_outlook_item *item = &view->items[index];
    const struct ampel_violations *block = view->account->violations;
    bool grouped = item->group != AMPEL_CAP_GROUP_NONE;
    *out = (struct ampel_outlook_fix){
        .id = ampel_outlook_item_id(view, index),
        .at_ms = item->at_ms,
        .expires_at_ms = item->at_ms + engine->scale.window_ms,
        .points = item->points,
        .at_risk_sales_cents = ampel_violations_sales(block, item->record),
        .now = *now,
        .rank = item->rank,
        .policy = item->policy,
        .state = item->state,
        .cap_group = item->group,
        .severity = item->severity,
        .critical = item->critical,
    };
    out->now.cap_count = grouped ? view->numbers.caps[item->group] : 0;
    out->now.next_rank = next_rank;
    /* Acknowledged: its points come back; repeats and caps stay. */
    struct ampel_outlook_sums sums = ampel_outlook_sums_now(view);
    ampel_outlook_sums_take(&sums, item);
    struct ampel_outlook_sums acknowledged = sums;
    memcpy(acknowledged.caps, view->numbers.caps, sizeof(acknowledged.caps));
    ampel_outlook_judge(engine, view, &acknowledged, &out->acknowledged);
    out->acknowledged.cap_count = out->now.cap_count;
    out->acknowledged.next_rank = next_rank;
    /* Approved: it is no repeat and counts to no cap any more. */
    sums.deducted -= view->gains[item->lowered_end] - view->gains[item->lowered_first];
    ampel_outlook_judge(engine, view, &sums, &out->approved);
    out->approved.cap_count = grouped ? sums.caps[item->group] : 0;
    out->approved.next_rank = item->severity == AMPEL_SEVERITY_NONE ? next_rank : next_rank - 1;
    out->approved.ranks_lowered = item->lowered_end - item->lowered_first;
}

static bool fix_before(const struct ampel_outlook_fix *a, const struct ampel_outlook_fix *b) {
    if (a->approved.risk != b->approved.risk) return a->approved.risk < b->approved.risk;
    if (a->approved.score != b->approved.score) return a->approved.score > b->approved.score;
    if (a->approved.raw != b->approved.raw) return a->approved.raw > b->approved.raw;
    if (a->expires_at_ms != b->expires_at_ms) return a->expires_at_ms < b->expires_at_ms;
    return ampel_text_compare(a->id, b->id) < 0;
}

#define SORT_TYPE         struct ampel_outlook_fix
#define SORT_BEFORE(a, b) fix_before(a, b)
#include "engine/sort_heap.h"

enum ampel_engine_status ampel_outlook_fixes(struct ampel_engine *engine, uint32_t slot,
                                             const struct ampel_outlook_fix **out,
                                             uint32_t *count) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot) ||
        !ampel_outlook_view_gains(engine, outlook)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    const struct ampel_outlook_view *view = &outlook->view;
    if (view->candidates > outlook->fixes_capacity) {
        struct ampel_outlook_fix *fixes =
            ampel_pool_grow(&engine->pool, outlook->fixes, &outlook->fixes_capacity,
                            view->candidates, sizeof(*fixes));
        if (fixes == NULL) return AMPEL_ENGINE_NO_MEMORY;
        outlook->fixes = fixes;
    }
    struct ampel_outlook_sums sums = ampel_outlook_sums_now(view);
    struct ampel_outlook_outcome now;
    uint32_t ranks[AMPEL_POLICIES_MAX], filled = 0;
    ampel_outlook_judge(engine, view, &sums, &now);
    next_ranks(engine, view, ranks);
    for (uint32_t i = 0; i < view->count; i++) {
        if (!view->items[i].deducting) continue;
        fix_fill(engine, view, i, &now, ranks[view->items[i].policy % AMPEL_POLICIES_MAX],
                 &outlook->fixes[filled++]);
    }
    sort_heap(outlook->fixes, filled, NULL);
    *out = outlook->fixes;
    *count = filled;
    return AMPEL_ENGINE_OK;
}

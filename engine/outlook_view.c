#include "engine/outlook_view.h"

#include <string.h>

#include "engine/records.h"

struct ampel_outlook *ampel_outlook_claim(struct ampel_engine *engine) {
    if (engine->outlook != NULL) return engine->outlook;
    struct ampel_outlook *outlook = ampel_pool_take(&engine->pool, sizeof(*outlook));
    if (outlook == NULL) return NULL;
    memset(outlook, 0, sizeof(*outlook));
    engine->outlook = outlook;
    ampel_outlook_classes_renew(engine);
    return outlook;
}

/* ---- items ---------------------------------------------------------------------------------- */

static void item_fill(const struct ampel_engine *engine, const struct ampel_violations *block,
                      uint32_t place, struct ampel_outlook_item *out) {
    uint16_t record = ampel_violations_order(block)[place], rank = ampel_violations_rank(block, place);
    const struct ampel_violation_hot *hot = &block->hot[record];
    const struct ampel_scale *scale = &engine->scale;
    int8_t severity = ampel_scale_severity(scale, hot->policy, hot->severity_given);
    bool in_window = (hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0;
    bool grouped = severity != AMPEL_SEVERITY_NONE;
    *out = (struct ampel_outlook_item){
        .at_ms = hot->at_ms,
        .points = ampel_scale_points(scale, severity, rank, hot->points_given),
        .rank = rank,
        .record = record,
        .points_given = hot->points_given,
        .policy = hot->policy,
        .state = hot->state,
        .group = grouped ? scale->group[hot->policy] : AMPEL_CAP_GROUP_NONE,
        .severity = severity,
        .in_window = in_window,
        .deducting = in_window && ampel_state_deducting(hot->state),
        .critical = severity == AMPEL_SEVERITY_CRITICAL && hot->points_given < 0,
    };
    out->capped =
        in_window && out->group != AMPEL_CAP_GROUP_NONE && !ampel_state_cleared(hot->state);
}

/* Which ranks the approval at the engine's time of a deducting item lowers. Its own state is none
   of the cleared ones, but may have been one once: cleared_since is the least of all. */
static void lowered_find(const struct ampel_engine *engine, const struct ampel_violations *block,
                         struct ampel_outlook_view *view, uint32_t index) {
    struct ampel_outlook_item *item = &view->items[index];
    const struct ampel_violation_hot *hot = &block->hot[item->record];
    if (!item->deducting || item->severity == AMPEL_SEVERITY_NONE) return;
    int64_t from_ms = engine->now_ms;
    if (hot->cleared_since_ms < from_ms) from_ms = hot->cleared_since_ms;
    if (engine->scale.rerank || from_ms < item->at_ms) from_ms = item->at_ms;
    uint32_t first = ampel_places_count_from(block, item->policy, from_ms);
    uint32_t end = ampel_places_count_from(block, item->policy,
                                               ampel_violation_limit(&engine->scale, hot));
    if (first <= index) first = index + 1;
    if (first >= end) return;
    item->lowered_first = first;
    item->lowered_end = end;
}

bool ampel_outlook_view_fill(struct ampel_engine *engine, struct ampel_outlook *outlook,
                             uint32_t slot) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    struct ampel_outlook_view *view = &outlook->view;
    view->account = ampel_account_at(&engine->accounts, slot);
    view->count = view->candidates = 0;
    ampel_account_numbers(engine, view->account, &view->numbers);
    const struct ampel_violations *block = view->account->violations;
    if (block == NULL || block->known_count == 0) return true;
    struct ampel_outlook_item *items = ampel_pool_grow(&engine->pool, view->items, &view->capacity,
                                                       block->known_count, sizeof(*items));
    if (items == NULL) return false;
    view->items = items;
    view->count = block->known_count; /* what waits for its violation sorts last */
    for (uint32_t i = 0, place = ampel_violations_filled(block, 0); i < view->count; i++) {
        item_fill(engine, block, place, &items[i]);
        view->candidates += items[i].deducting;
        place = ampel_violations_filled(block, place + 1);
    }
    for (uint32_t i = 0; i < view->count; i++)
        lowered_find(engine, block, view, i);
    return true;
}

bool ampel_outlook_view_gains(struct ampel_engine *engine, struct ampel_outlook *outlook) {
    struct ampel_outlook_view *view = &outlook->view;
    int64_t *gains = ampel_pool_grow(&engine->pool, view->gains, &view->gains_capacity,
                                     view->count + 1, sizeof(*gains));
    if (gains == NULL) return false;
    view->gains = gains;
    gains[0] = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        int64_t gain = 0;
        if (item->deducting && item->rank > 0) {
            gain = item->points - ampel_scale_points(&engine->scale, item->severity, item->rank - 1,
                                                     item->points_given);
        }
        gains[i + 1] = gains[i] + gain;
    }
    return true;
}

struct ampel_text ampel_outlook_item_id(const struct ampel_outlook_view *view, uint32_t item) {
    return ampel_violations_text(view->account->violations, view->items[item].record,
                                 AMPEL_TEXT_ID);
}

/* ---- sums ----------------------------------------------------------------------------------- */

struct ampel_outlook_sums ampel_outlook_sums_now(const struct ampel_outlook_view *view) {
    struct ampel_outlook_sums sums = {.deducted = view->numbers.deducted,
                                      .criticals = view->numbers.criticals};
    memcpy(sums.caps, view->numbers.caps, sizeof(sums.caps));
    return sums;
}

void ampel_outlook_sums_take(struct ampel_outlook_sums *sums,
                             const struct ampel_outlook_item *item) {
    if (item->deducting) {
        sums->deducted -= item->points;
        sums->criticals = (uint16_t)(sums->criticals - item->critical);
    }
    if (item->capped) sums->caps[item->group]--;
}

void ampel_outlook_judge(const struct ampel_engine *engine, const struct ampel_outlook_view *view,
                         const struct ampel_outlook_sums *sums, struct ampel_outlook_outcome *out) {
    struct ampel_numbers numbers;
    uint32_t orders = view->account->orders;
    ampel_rating_numbers(&engine->rules, orders, sums->deducted, sums->criticals, sums->caps,
                         &numbers);
    *out = (struct ampel_outlook_outcome){
        .raw = ampel_rating_raw(&engine->rules, orders, sums->deducted),
        .score = numbers.score,
        .colour = numbers.colour,
        .risk = numbers.risk,
    };
}

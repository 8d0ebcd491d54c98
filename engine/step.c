#include <string.h>

#include "engine/assurance.h"
#include "engine/case_clocks.h"
#include "engine/clocks.h"
#include "engine/leaving.h"
#include "engine/takeover.h"

void ampel_account_numbers(const struct ampel_engine *engine, const struct ampel_account *account,
                           struct ampel_numbers *out) {
    const struct ampel_violations *violations = account->violations;
    if (violations == NULL) {
        ampel_rating_numbers(&engine->rules, account->orders, 0, 0, NULL, out);
        return;
    }
    ampel_rating_numbers(&engine->rules, account->orders, violations->sums.deducted,
                         violations->sums.criticals, violations->sums.caps, out);
}

bool ampel_step_reserve(struct ampel_engine *engine, uint32_t count) {
    if (count == 0) return true;
    struct ampel_touch *touches =
        ampel_pool_grow(&engine->pool, engine->touches, &engine->touches_capacity,
                        engine->touches_count + count, sizeof(*touches));
    if (touches == NULL) return false;
    engine->touches = touches;
    return true;
}

struct ampel_touched *ampel_step_touch(struct ampel_engine *engine, uint32_t slot,
                                       struct ampel_account *account, bool is_new) {
    struct ampel_touch *touch = ampel_step_glance(engine, slot, account);
    if (touch->whole != 0) return &engine->touched[touch->whole - 1];
    struct ampel_touched *list =
        ampel_pool_grow(&engine->pool, engine->touched, &engine->touched_capacity,
                        engine->touched_count + 1, sizeof(*list));
    if (list == NULL) return NULL;
    engine->touched = list;
    struct ampel_touched *touched = &list[engine->touched_count++];
    *touched = (struct ampel_touched){
        .slot = slot,
        .any_mover = touch->mover,
        .orders_mover = touch->mover,
        .shows = touch->mover != AMPEL_MOVER_NONE,
        .is_new = is_new,
        .whole = is_new,
        .before = {.orders = is_new ? 0 : touch->orders_before},
    };
    touch->whole = engine->touched_count;
    return touched;
}

void ampel_touched_complete(const struct ampel_engine *engine, const struct ampel_account *account,
                            struct ampel_touched *touched) {
    if (touched->whole) return;
    static const struct ampel_violation_sums none;
    const struct ampel_violation_sums *sums =
        account->violations != NULL ? &account->violations->sums : &none;
    ampel_rating_numbers(&engine->rules, touched->before.orders, sums->deducted, sums->criticals,
                         sums->caps, &touched->before);
    touched->whole = true;
}

bool ampel_touched_settle(struct ampel_engine *engine, struct ampel_account *account,
                          const struct ampel_touched *touched) {
    if (touched->whole || touched->nearer) return false;
    if ((account->assured & AMPEL_ASSURED_BEGUN) == 0) return false;
    if (account->orders == touched->before.orders) return true;
    if (ampel_rating_order_points(&engine->rules, account->orders) !=
        ampel_rating_order_points(&engine->rules, touched->before.orders)) {
        return false;
    }
    ampel_account_dirty(&engine->accounts, touched->slot, account, AMPEL_ROW_ORDERS);
    return true;
}

uint32_t ampel_touched_mover(const struct ampel_touched *touched,
                             const struct ampel_numbers *after) {
    const struct ampel_numbers *before = &touched->before;
    uint32_t mover = AMPEL_MOVER_NONE;
    if (before->order_points != after->order_points) mover = touched->orders_mover;
    bool violations = before->deducted != after->deducted ||
                      before->criticals != after->criticals ||
                      !ampel_caps_same(before->caps, after->caps);
    if (violations && touched->violations_mover > mover) mover = touched->violations_mover;
    return mover != AMPEL_MOVER_NONE ? mover : touched->any_mover;
}

void ampel_account_row_mark(struct ampel_engine *engine, uint32_t slot,
                            struct ampel_account *account, const struct ampel_numbers *before,
                            const struct ampel_numbers *after) {
    uint32_t row = before->orders != after->orders ? AMPEL_ROW_ORDERS : 0;
    if (!ampel_numbers_same(before, after)) row |= AMPEL_ROW_NUMBERS;
    if (row != 0) ampel_account_dirty(&engine->accounts, slot, account, row);
}

bool ampel_account_show(struct ampel_engine *engine, struct ampel_account *account,
                        const struct ampel_touched *touched, const struct ampel_numbers *after) {
    if (touched->shows && (account->assured & AMPEL_ASSURED_BEGUN) == 0) {
        ampel_assurance_begin(engine, account, after->score);
        ampel_account_dirty(&engine->accounts, touched->slot, account, AMPEL_ROW_FACTS);
    }
    if (touched->violations_mover != AMPEL_MOVER_NONE) account->assured |= AMPEL_ASSURED_MOVED;
    bool below = after->score < engine->rules.assurance_score;
    if (below == ((account->assured & AMPEL_ASSURED_NOW_BELOW) != 0)) return true;
    return ampel_assurance_show(engine, touched->slot, account, after->score);
}

static int64_t rare_due(const struct ampel_engine *engine, const struct ampel_account *account) {
    const struct ampel_rare *rare = account->rare;
    int64_t due_ms = ampel_clocks_due(account);
    if (rare->backfill != NULL && rare->backfill->due_ms < due_ms) due_ms = rare->backfill->due_ms;
    if (rare->takeover != NULL && rare->takeover->due_ms < due_ms) due_ms = rare->takeover->due_ms;
    if (rare->facts != NULL) {
        int64_t case_ms = ampel_case_clocks_due(rare->facts, engine->now_ms);
        if (case_ms < due_ms) due_ms = case_ms;
    }
    return due_ms;
}

void ampel_account_due_renew(struct ampel_engine *engine, uint32_t slot,
                             struct ampel_account *account) {
    int64_t due_ms = ampel_violations_due(account->violations);
    if (account->rare != NULL) {
        int64_t rare_ms = rare_due(engine, account);
        if (rare_ms < due_ms) due_ms = rare_ms;
    }
    /* Only an image of other times can hold what is overdue: it leaves at the next instant. */
    if (due_ms <= engine->now_ms) due_ms = engine->now_ms + 1;
    account->flags = (uint8_t)(account->flags & ~AMPEL_ACCOUNT_DUE_STALE);
    bool hangs = account->wheel_place != AMPEL_WHEEL_NOWHERE;
    if (account->due_ms == due_ms && hangs == (due_ms != INT64_MAX)) return;
    ampel_wheel_set(&engine->wheel, &engine->accounts, slot, due_ms);
}

bool ampel_account_warn(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                        const struct ampel_numbers *numbers, bool told, bool look,
                        const struct ampel_cause *cause, uint64_t position) {
    /* What is at risk at most and has nothing rare has no clock, and none to start. */
    bool eligible = numbers->risk >= AMPEL_RISK_ELIGIBLE, clocks = account->has_rare != 0 || eligible;
    account->flags = (uint8_t)((account->flags & ~AMPEL_ACCOUNT_ELIGIBLE) | (eligible ? AMPEL_ACCOUNT_ELIGIBLE : 0));
    if (clocks && !ampel_clocks_step(engine, slot, account, numbers, told, position)) return false;
    return !look || ampel_leaving_judge(engine, slot, account, numbers, told, cause, position);
}

#include <string.h>

#include "engine/assurance.h"
#include "engine/case_clocks.h"
#include "engine/clocks.h"
#include "engine/takeover.h"

bool ampel_step_reserve(struct ampel_engine *engine, uint32_t count) {
    if (count == 0) return true;
    struct ampel_touch *touches =
        ampel_pool_grow(&engine->pool, engine->touches, &engine->touches_capacity,
                        engine->touches_count + count, sizeof(*touches));
    if (touches == NULL) return false;
    engine->touches = touches;
    uint32_t words_before = engine->touches_whole_capacity;
    uint64_t *whole = ampel_pool_grow(&engine->pool, engine->touches_whole, &engine->touches_whole_capacity,
                                      (engine->touches_count + count + 63) / 64, sizeof(*whole));
    if (whole == NULL) return false;
    engine->touches_whole = whole;
    memset(whole + words_before, 0, (engine->touches_whole_capacity - words_before) * sizeof(*whole));
    return true;
}

AMPEL_APART static bool touched_grow(struct ampel_engine *engine) {
    struct ampel_touched *list =
        ampel_pool_grow(&engine->pool, engine->touched, &engine->touched_capacity,
                        engine->touched_count + 1, sizeof(*list));
    if (list == NULL) return false;
    engine->touched = list;
    return true;
}

struct ampel_touched *ampel_step_touch(struct ampel_engine *engine, uint32_t slot,
                                       struct ampel_account *account, bool is_new) {
    struct ampel_touch *touch = ampel_step_glance(engine, slot, account);
    if (touch->whole != 0) return &engine->touched[touch->whole - 1];
    if (engine->touched_count == engine->touched_capacity && !touched_grow(engine)) return NULL;
    struct ampel_touched *touched = &engine->touched[engine->touched_count++];
    /* Member by member: of the numbers before, all but the orders are written when they are completed. */
    touched->slot = slot;
    touched->account = account;
    uint32_t mover = touch->mover;
    touched->any_mover = touched->orders_mover = mover;
    touched->violations_mover = touched->assurance_mover = touched->signals_mover = AMPEL_MOVER_NONE;
    touched->observed = touched->nearer = false;
    touched->shows = mover != AMPEL_MOVER_NONE;
    touched->is_new = touched->whole = is_new;
    if (is_new) {
        memset(&touched->before, 0, sizeof(touched->before));
        memset(&touched->sums, 0, sizeof(touched->sums));
    }
    touched->before.orders = is_new ? 0 : touch->orders_before;
    touch->whole = engine->touched_count;
    uint32_t place = (uint32_t)(touch - engine->touches);
    engine->touches_whole[place / 64] |= UINT64_C(1) << (place % 64);
    return touched;
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

#include <string.h>

#include "engine/case_clocks.h"
#include "engine/midnight.h"
#include "engine/state.h"
#include "engine/window.h"

enum ampel_verdict ampel_event_tolerate(const struct ampel_event *event) {
    if (event->type == AMPEL_EVENT_ORDER && event->extras_size == 0) {
        bool fits = event->count >= 1 && event->count <= AMPEL_ORDERS_MAX && event->at_ms >= 0 &&
                    event->at_ms <= AMPEL_TIME_MAX_MS;
        return fits ? AMPEL_VERDICT_OK : AMPEL_VERDICT_OUT_OF_RANGE;
    }
    if (event->type == AMPEL_EVENT_VIOLATION && ampel_violation_plain(event)) return AMPEL_VERDICT_OK;
    const char *field;
    return ampel_event_check(event, event->at_ms, &field);
}

/* ---- orders --------------------------------------------------------------------------------- */

AMPEL_APART static enum ampel_outcome orders_merge(struct ampel_engine *engine, uint32_t slot,
                                                   struct ampel_account *account,
                                                   const struct ampel_event *event,
                                                   struct ampel_touched *touched) {
    int64_t age_days = engine->now_day - event->at_ms / AMPEL_DAY_MS;
    if (age_days >= AMPEL_WINDOW_CELLS) return AMPEL_OUTCOME_SAME;
    uint32_t cell = engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days;
    if (cell >= AMPEL_WINDOW_CELLS) cell -= AMPEL_WINDOW_CELLS;
    uint32_t before = ampel_window_get(&account->window, cell);
    uint32_t after;
    if (event->type == AMPEL_EVENT_ORDER) {
        after = ampel_day_increment(before, event->count);
    } else {
        after = ampel_day_pack(event->rev, event->count);
        if (after < before) after = before;
    }
    if (after == before) return AMPEL_OUTCOME_SAME;
    if (age_days == 0 && !ampel_window_bring(&engine->pool, &account->window, cell)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    if (!ampel_window_put(&engine->pool, &account->window, cell, after)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    ampel_midnight_orders(engine, slot, account, cell);
    ampel_account_dirty(&engine->accounts, slot, account, 0);
    if (age_days >= engine->rules.window_days) return AMPEL_OUTCOME_KEPT;
    if (ampel_day_total(after) < ampel_day_total(before)) touched->nearer = true;
    account->orders += ampel_day_total(after) - ampel_day_total(before);
    return AMPEL_OUTCOME_MOVED;
}

/* ---- violations ----------------------------------------------------------------------------- */

/* Tags of texts that stand in a violation's record. */
static const uint8_t text_of_tag[] = {
    [AMPEL_EXTRA_ID] = AMPEL_TEXT_ID,
    [AMPEL_EXTRA_INCIDENT] = AMPEL_TEXT_INCIDENT,
    [AMPEL_EXTRA_ASIN] = AMPEL_TEXT_ASIN,
    [AMPEL_EXTRA_SKU] = AMPEL_TEXT_SKU,
};

static void facts_of(const struct ampel_event *event, struct ampel_violation_facts *out) {
    *out = (struct ampel_violation_facts){
        .at_ms = event->at_ms,
        .at_risk_sales_cents = -1,
        .rev = event->rev,
        .points_given = event->points,
        .policy = event->policy,
        .severity_given = event->severity,
    };
    uint32_t offset = 0;
    uint8_t tag;
    struct ampel_text text;
    out->texts[AMPEL_TEXT_ID] = ampel_extra_lone_id(event);
    if (out->texts[AMPEL_TEXT_ID].size > 0) return;
    while (ampel_extra_next(event, &offset, &tag, &text)) {
        if (tag >= AMPEL_EXTRA_ID && tag < AMPEL_ARRAY_COUNT(text_of_tag))
            out->texts[text_of_tag[tag]] = text;
        else if (tag == AMPEL_EXTRA_AT_RISK_SALES && text.size == sizeof(int64_t))
            out->at_risk_sales_cents = ampel_load_i64(text.bytes);
    }
}

static uint32_t known_count(const struct ampel_account *account) {
    return account->violations != NULL ? account->violations->known_count : 0;
}

static enum ampel_outcome violations_merge(struct ampel_engine *engine, uint32_t slot,
                                           struct ampel_account *account,
                                           const struct ampel_event *event) {
    struct ampel_violations_context context = ampel_engine_context(engine);
    enum ampel_outcome outcome;
    uint32_t known_before = known_count(account);
    if (event->type == AMPEL_EVENT_VIOLATION) {
        struct ampel_violation_facts facts;
        facts_of(event, &facts);
        outcome = ampel_violations_define(&account->violations, &context, &facts);
    } else {
        outcome = ampel_violations_state(&account->violations, &context,
                                         ampel_extra_text(event, AMPEL_EXTRA_ID), event->code,
                                         event->at_ms);
    }
    engine->violations_count += known_count(account) - known_before;
    AMPEL_ASSERT_PARANOID(account->violations == NULL || account->violations->count > 8 ||
                          ampel_violations_sane(account->violations, &context));
    if (outcome == AMPEL_OUTCOME_KEPT || outcome == AMPEL_OUTCOME_MOVED) {
        /* Mostly it leaves behind those that were there, and the account hangs where it belongs. */
        bool stale = ampel_violations_due(account->violations) != account->due_ms;
        ampel_account_dirty(&engine->accounts, slot, account,
                            AMPEL_ROW_VIOLATIONS | (stale ? AMPEL_ACCOUNT_DUE_STALE : 0));
    }
    return outcome;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static bool signals_from(uint8_t type) {
    return type == AMPEL_EVENT_SIGNAL || type == AMPEL_EVENT_MAINTENANCE ||
           type == AMPEL_EVENT_LISTING || type == AMPEL_EVENT_ORDERS_CANCELLED ||
           type == AMPEL_EVENT_ACCOUNT_STATUS;
}

AMPEL_APART static enum ampel_outcome rest_merge(struct ampel_engine *engine, uint32_t slot,
                                                 struct ampel_account *account, const struct ampel_event *event,
                                                 struct ampel_touched *touched, uint32_t mover) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    uint32_t before = rare->facts != NULL ? rare->facts->count : 0;
    enum ampel_outcome outcome =
        ampel_facts_apply(&rare->facts, &engine->pool, event, engine->now_day);
    uint32_t after = rare->facts != NULL ? rare->facts->count : 0;
    engine->facts_count += after - before;
    if (after > 0) ampel_midnight_by(engine, slot, account, 1);
    if (outcome == AMPEL_OUTCOME_KEPT) {
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_FACTS);
        bool assurance = event->type == AMPEL_EVENT_PROFILE || event->type == AMPEL_EVENT_DAY_MARK;
        if (assurance) touched->assurance_mover = mover;
        if (event->type == AMPEL_EVENT_OBSERVED) touched->observed = true;
        if (signals_from(event->type)) touched->signals_mover = mover;
        if (ampel_case_clocks_from(event->type))
            ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ACCOUNT_DUE_STALE);
    }
    return outcome;
}

enum ampel_outcome ampel_account_merge(struct ampel_engine *engine, uint32_t slot,
                                       struct ampel_account *account,
                                       const struct ampel_event *event, uint32_t mover) {
    struct ampel_touched *touched = ampel_step_touch(engine, slot, account, false);
    if (touched == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    if (event->type != AMPEL_EVENT_DAY_MARK) touched->shows = true;
    enum ampel_outcome outcome;
    if (event->type <= AMPEL_EVENT_ORDERS_DAY) {
        outcome = orders_merge(engine, slot, account, event, touched);
        if (outcome == AMPEL_OUTCOME_MOVED) touched->orders_mover = mover;
        if (outcome <= AMPEL_OUTCOME_MOVED) touched->any_mover = mover;
        return outcome;
    }
    ampel_touched_complete(engine, account, touched);
    if (event->type <= AMPEL_EVENT_VIOLATION_STATE) {
        outcome = violations_merge(engine, slot, account, event);
        touched->sums = *ampel_account_sums(account);
        if (outcome == AMPEL_OUTCOME_MOVED) {
            touched->violations_mover = mover;
            touched->violation = *event;
        }
        if (outcome == AMPEL_OUTCOME_MOVED || outcome == AMPEL_OUTCOME_KEPT) touched->nearer = true;
    } else {
        outcome = rest_merge(engine, slot, account, event, touched, mover);
    }
    if (outcome <= AMPEL_OUTCOME_MOVED) touched->any_mover = mover;
    return outcome;
}

enum ampel_outcome ampel_account_defer(struct ampel_engine *engine, uint32_t slot,
                                       struct ampel_account *account,
                                       const struct ampel_event *event,
                                       const struct ampel_source *source) {
    AMPEL_ASSERT(event->at_ms > engine->now_ms);
    if (event->type == AMPEL_EVENT_VIOLATION || event->type == AMPEL_EVENT_VIOLATION_STATE) {
        struct ampel_violations_context context = ampel_engine_context(engine);
        enum ampel_outcome outcome = ampel_violations_expect(
            &account->violations, &context, ampel_extra_text(event, AMPEL_EXTRA_ID), event->at_ms);
        if (outcome == AMPEL_OUTCOME_FULL || outcome == AMPEL_OUTCOME_NO_MEMORY) return outcome;
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ACCOUNT_DUE_STALE);
    }
    if (!ampel_pending_push(&engine->pending, &engine->pool, slot, event, source->producer,
                            source->sequence, source->backfill)) {
        return AMPEL_OUTCOME_NO_MEMORY;
    }
    return AMPEL_OUTCOME_KEPT;
}

enum ampel_verdict ampel_full_verdict(uint8_t type) {
    bool violation = type == AMPEL_EVENT_VIOLATION || type == AMPEL_EVENT_VIOLATION_STATE;
    return violation ? AMPEL_VERDICT_TOO_MANY_VIOLATIONS : AMPEL_VERDICT_TOO_MANY_FACTS;
}

bool ampel_account_refuse(struct ampel_engine *engine, uint32_t slot,
                          const struct ampel_event *event, const struct ampel_source *source,
                          enum ampel_verdict verdict) {
    struct ampel_cause cause;
    ampel_cause_event(engine, slot, event, source, &cause);
    struct ampel_change *change =
        ampel_change_push(engine, AMPEL_CHANGE_REFUSED, slot, source->position, &cause);
    if (change == NULL) return false;
    change->verdict = (uint8_t)verdict;
    if (slot != AMPEL_SLOT_NONE) {
        ampel_account_numbers(engine, ampel_account_at(&engine->accounts, slot), &change->before);
        change->after = change->before;
    }
    return true;
}

#include <string.h>

#include "engine/state.h"

/* ---- violations ----------------------------------------------------------------------------- */

static void expired_note(struct ampel_engine *engine, const struct ampel_violations *violations,
                         uint16_t record) {
    struct ampel_instant *instant = &engine->instant;
    const struct ampel_violation_hot *hot = &violations->hot[record];
    struct ampel_text id = ampel_violations_text(violations, record, AMPEL_TEXT_ID);
    instant->expired_policy = hot->policy;
    instant->expired_severity =
        ampel_scale_severity(&engine->scale, hot->policy, hot->severity_given);
    instant->expired_id_size = (uint8_t)id.size;
    memcpy(instant->expired_id, id.bytes, id.size);
}

static bool forgotten_tell(struct ampel_engine *engine, uint32_t slot,
                           const struct ampel_account *account, uint16_t record) {
    const struct ampel_violation_hot *hot = &account->violations->hot[record];
    struct ampel_cause cause;
    ampel_cause_time(engine->now_ms, AMPEL_CAUSE_EXPIRY, &cause);
    ampel_cause_violation(
        hot->policy, ampel_scale_severity(&engine->scale, hot->policy, hot->severity_given),
        ampel_violations_text(account->violations, record, AMPEL_TEXT_ID), &cause);
    struct ampel_change *change =
        ampel_change_push(engine, AMPEL_CHANGE_FORGOTTEN, slot, engine->position, &cause);
    if (change == NULL) return false;
    ampel_account_numbers(engine, account, &change->before);
    change->after = change->before;
    return true;
}

bool ampel_account_leave(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                         struct ampel_touched *touched, bool told) {
    struct ampel_violations_context context = ampel_engine_context(engine);
    while (ampel_violations_due(account->violations) <= engine->now_ms) {
        uint16_t record = ampel_violations_due_record(account->violations);
        const struct ampel_violation_hot *hot = &account->violations->hot[record];
        ampel_account_dirty(&engine->accounts, slot, account,
                            AMPEL_ROW_VIOLATIONS | AMPEL_ACCOUNT_DUE_STALE);
        if ((hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0) {
            expired_note(engine, account->violations, record);
            enum ampel_outcome outcome =
                ampel_violations_expire(account->violations, &context, record);
            if (outcome == AMPEL_OUTCOME_MOVED) touched->violations_mover = AMPEL_MOVER_EXPIRY;
            continue;
        }
        bool known = hot->policy != AMPEL_POLICY_WAITING;
        if (known && told && !forgotten_tell(engine, slot, account, record)) return false;
        engine->violations_count -= known;
        ampel_violations_forget(&account->violations, &context, record);
    }
    return true;
}

/* ---- backfills ------------------------------------------------------------------------------ */

bool ampel_backfill_note(struct ampel_engine *engine, struct ampel_account *account,
                         const struct ampel_touched *touched) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL) return false;
    if (rare->backfill == NULL) {
        rare->backfill = ampel_pool_take(&engine->pool, sizeof(*rare->backfill));
        if (rare->backfill == NULL) return false;
        memset(rare->backfill, 0, sizeof(*rare->backfill));
        rare->backfill->before = touched->before;
        rare->backfill->is_new = touched->is_new;
    }
    rare->backfill->due_ms = engine->now_ms + AMPEL_BACKFILL_QUIET_MS;
    ampel_account_dirty(&engine->accounts, touched->slot, account, AMPEL_ACCOUNT_DUE_STALE);
    return true;
}

bool ampel_backfill_summarize(struct ampel_engine *engine, uint32_t slot,
                              struct ampel_account *account) {
    struct ampel_rare *rare = account->rare;
    if (rare == NULL || rare->backfill == NULL || rare->backfill->due_ms > engine->now_ms) {
        return true;
    }
    struct ampel_cause cause;
    ampel_cause_time(engine->now_ms, AMPEL_CAUSE_BACKFILL, &cause);
    static const uint8_t kinds[] = {AMPEL_CHANGE_SCORE, AMPEL_CHANGE_BACKFILL};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(kinds); i++) {
        struct ampel_change *change =
            ampel_change_push(engine, kinds[i], slot, engine->position, &cause);
        if (change == NULL) return false;
        change->before = rare->backfill->before;
        change->is_new = rare->backfill->is_new;
        ampel_account_numbers(engine, account, &change->after);
    }
    ampel_pool_give(&engine->pool, rare->backfill, sizeof(*rare->backfill));
    rare->backfill = NULL;
    ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ACCOUNT_DUE_STALE);
    return true;
}

/* Time: the instants on the way are taken in their order; at each one, every account it concerns
   turns once, in slot order, and says what changed. A turn is never cut; between turns, advance may
   stop and be called again. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/case_clocks.h"
#include "engine/drift.h"
#include "engine/leaving.h"
#include "engine/midnight.h"
#include "engine/sort.h"
#include "engine/state.h"
#include "engine/takeover.h"
#include "engine/warnings.h"

/* ---- the turn of one account ---------------------------------------------------------------- */

static void turn_cause(const struct ampel_engine *engine, const struct ampel_touched *touched,
                       const struct ampel_numbers *after, struct ampel_cause *out) {
    const struct ampel_instant *instant = &engine->instant;
    uint32_t mover = ampel_touched_mover(touched, after);
    if (mover >= AMPEL_MOVER_EVENT) {
        const struct ampel_pending_entry *entry = &instant->entries[mover - AMPEL_MOVER_EVENT];
        struct ampel_source source = {
            .producer = {(const char *)entry->bytes, entry->producer_size},
            .sequence = entry->sequence,
            .position = engine->position,
        };
        struct ampel_event event;
        ampel_pending_event(entry, &event);
        ampel_cause_event(engine, touched->slot, &event, &source, out);
        return;
    }
    if (mover != AMPEL_MOVER_EXPIRY) {
        ampel_cause_time(instant->at_ms, AMPEL_CAUSE_MIDNIGHT, out);
        return;
    }
    ampel_cause_time(instant->at_ms, AMPEL_CAUSE_EXPIRY, out);
    ampel_cause_violation(instant->expired_policy, instant->expired_severity,
                          (struct ampel_text){instant->expired_id, instant->expired_id_size}, out);
}

/* An event whose time has come. */
static bool entry_turn(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                       uint32_t index, bool *silent) {
    const struct ampel_pending_entry *entry = &engine->instant.entries[index];
    struct ampel_event event;
    ampel_pending_event(entry, &event);
    enum ampel_outcome outcome =
        ampel_account_merge(engine, slot, account, &event, AMPEL_MOVER_EVENT + index);
    if (outcome == AMPEL_OUTCOME_NO_MEMORY) return false;
    bool backfilling = account->rare != NULL && account->rare->backfill != NULL;
    *silent = entry->backfill && backfilling;
    struct ampel_source source = {
        .producer = {(const char *)entry->bytes, entry->producer_size},
        .sequence = entry->sequence,
        .position = engine->position,
    };
    if (outcome == AMPEL_OUTCOME_KEPT && !entry->backfill)
        return ampel_case_tell(engine, slot, account, &event, &source);
    if (outcome != AMPEL_OUTCOME_FULL) return true;
    return ampel_account_refuse(engine, slot, &event, &source, ampel_full_verdict(event.type));
}

static bool turn_finish(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                        struct ampel_touched *touched, bool silent) {
    struct ampel_numbers after;
    if (ampel_touched_settle(engine, account, touched)) return true;
    ampel_touched_complete(engine, account, touched);
    ampel_account_numbers_after(engine, account, ampel_account_sums(account), &touched->before, &after);
    ampel_account_row_mark(engine, slot, account, &touched->before, &after);
    if (!ampel_account_show(engine, account, touched, &after)) return false;
    uint32_t due = silent ? 0 : ampel_changes_due(engine, &touched->before, &after, false);
    if (due != 0) {
        struct ampel_cause cause;
        turn_cause(engine, touched, &after, &cause);
        if (!ampel_changes_name(engine, slot, due, &touched->before, &after, false, &cause,
                                engine->position)) {
            return false;
        }
    }
    if (!ampel_backfill_summarize(engine, slot, account)) return false;
    ampel_account_due_renew(engine, slot, account);
    return true;
}

/* The event whose time has come that did it. */
static void entry_cause(const struct ampel_engine *engine, uint32_t slot, uint32_t mover,
                        struct ampel_cause *out) {
    AMPEL_ASSERT(mover >= AMPEL_MOVER_EVENT);
    const struct ampel_pending_entry *entry = &engine->instant.entries[mover - AMPEL_MOVER_EVENT];
    struct ampel_source source = {
        .producer = {(const char *)entry->bytes, entry->producer_size},
        .sequence = entry->sequence,
        .position = engine->position,
    };
    struct ampel_event event;
    ampel_pending_event(entry, &event);
    ampel_cause_event(engine, slot, &event, &source, out);
}

/* What stands beside the score; summed: the account's backfill ended with this turn. */
static bool turn_beside(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                        const struct ampel_touched *touched, bool silent, bool summed) {
    const struct ampel_instant *instant = &engine->instant;
    struct ampel_source source = {.position = engine->position};
    if (touched->observed && !ampel_drift_judge(engine, slot, account, &source, !silent)) {
        return false;
    }
    struct ampel_cause cause;
    if (instant->midnight)
        ampel_cause_time(instant->at_ms, AMPEL_CAUSE_MIDNIGHT, &cause);
    else if (summed)
        ampel_cause_time(instant->at_ms, AMPEL_CAUSE_BACKFILL, &cause);
    else if (touched->assurance_mover != AMPEL_MOVER_NONE && !silent)
        entry_cause(engine, slot, touched->assurance_mover, &cause);
    else
        return true;
    return ampel_assurance_tell(engine, slot, account, &cause, engine->position);
}

/* What is told ahead of time. */
static bool turn_warn(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                      const struct ampel_touched *touched, bool silent, bool summed) {
    const struct ampel_instant *instant = &engine->instant;
    struct ampel_numbers now;
    struct ampel_cause cause;
    ampel_account_numbers(engine, account, &now);
    bool look =
        summed || touched->nearer || (touched->whole && touched->before.colour != now.colour);
    if (instant->midnight && ampel_leaving_due(engine, account)) {
        look = look || account->rare == NULL || account->rare->backfill == NULL;
    }
    if (summed)
        ampel_cause_time(instant->at_ms, AMPEL_CAUSE_BACKFILL, &cause);
    else if (look)
        turn_cause(engine, touched, &now, &cause);
    if (!ampel_account_warn(engine, slot, account, &now, !silent, look, &cause, engine->position)) {
        return false;
    }
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, slot, account);
    }
    return true;
}

/* Whether somebody else works in the account; summed as above. */
static bool turn_suspect(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                         const struct ampel_touched *touched, bool summed) {
    const struct ampel_instant *instant = &engine->instant;
    bool told = account->rare != NULL && account->rare->takeover != NULL;
    if (touched->signals_mover == AMPEL_MOVER_NONE && !account->watched && !told) return true;
    struct ampel_suspicion suspicion;
    enum ampel_takeover_news news = ampel_takeover_judge(engine, account, &suspicion);
    if (!ampel_takeover_waits(account) && news != AMPEL_TAKEOVER_SAME) {
        struct ampel_cause cause;
        uint32_t mover = touched->signals_mover;
        if (mover == AMPEL_MOVER_NONE) mover = touched->any_mover;
        if (mover >= AMPEL_MOVER_EVENT)
            entry_cause(engine, slot, mover, &cause);
        else
            ampel_cause_time(instant->at_ms, summed ? AMPEL_CAUSE_BACKFILL : AMPEL_CAUSE_EXPIRY,
                             &cause);
        if (!ampel_takeover_tell(engine, slot, account, news, &suspicion, &cause,
                                 engine->position)) {
            return false;
        }
    }
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, slot, account);
    }
    return true;
}

/* Everything that this instant means to one account; its keys are those at keys_next. */
static bool turn(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account) {
    struct ampel_instant *instant = &engine->instant;
    if (!ampel_account_before(engine, slot)) return false;
    if (!ampel_step_reserve(engine, 1)) return false;
    struct ampel_touched *touched = ampel_step_touch(engine, slot, account, false);
    if (touched == NULL) return false;
    bool silent = false, done = true;
    bool keyed =
        instant->keys_next < instant->keys_count && instant->keys[instant->keys_next] >> 32 == slot;
    if (keyed) ampel_touched_complete(engine, account, touched);
    if (instant->midnight) ampel_midnight_leave(engine, slot, account, touched);
    if (keyed) done = ampel_account_leave(engine, slot, account, touched, true);
    while (done && instant->keys_next < instant->keys_count &&
           instant->keys[instant->keys_next] >> 32 == slot) {
        uint32_t index = (uint32_t)instant->keys[instant->keys_next++];
        if (index != UINT32_MAX) done = entry_turn(engine, slot, account, index, &silent);
    }
    if (done && keyed) done = ampel_account_leave(engine, slot, account, touched, true);
    bool backfilling = account->rare != NULL && account->rare->backfill != NULL;
    done = done && turn_finish(engine, slot, account, touched, silent);
    bool summed = backfilling && account->rare->backfill == NULL;
    done = done && turn_beside(engine, slot, account, touched, silent, summed);
    done = done && turn_warn(engine, slot, account, touched, silent, summed);
    done = done && turn_suspect(engine, slot, account, touched, summed);
    done = done && ampel_case_clocks_warn(engine, slot, account);
    ampel_step_end(engine);
    return done;
}

/* Whether nothing but violations that are due can concern the account: then turn_plain does all that turn
   does. */
static bool plain(const struct ampel_engine *engine, const struct ampel_account *account) {
    return engine->instant.entries_count == 0 && account->has_rare == 0 && account->watched == 0;
}

/* The turn of most: violations leave, and numbers are computed once before and once behind. */
static bool turn_plain(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account) {
    struct ampel_touched touched = {.account = account, .slot = slot, .whole = true};
    struct ampel_numbers after;
    struct ampel_cause cause;
    if (!ampel_account_before(engine, slot)) return false;
    engine->instant.keys_next++;
    ampel_account_numbers(engine, account, &touched.before);
    if (!ampel_account_leave(engine, slot, account, &touched, true)) return false;
    ampel_account_numbers(engine, account, &after);
    ampel_account_row_mark(engine, slot, account, &touched.before, &after);
    if (!ampel_account_show(engine, account, &touched, &after)) return false;
    uint32_t due = ampel_changes_due(engine, &touched.before, &after, false);
    bool look = touched.before.colour != after.colour;
    if (due != 0 || look) turn_cause(engine, &touched, &after, &cause);
    if (due != 0 &&
        !ampel_changes_name(engine, slot, due, &touched.before, &after, false, &cause, engine->position))
        return false;
    ampel_account_due_renew(engine, slot, account);
    if (!ampel_account_warn(engine, slot, account, &after, true, look, &cause, engine->position)) return false;
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) ampel_account_due_renew(engine, slot, account);
    return true;
}

/* ---- one instant ---------------------------------------------------------------------------- */

static bool key_push(struct ampel_engine *engine, uint32_t slot, uint32_t index) {
    struct ampel_instant *instant = &engine->instant;
    if (instant->keys_count == instant->keys_capacity) {
        uint64_t *keys = ampel_pool_grow(&engine->pool, instant->keys, &instant->keys_capacity,
                                         instant->keys_count + 1, sizeof(*keys));
        if (keys == NULL) return false;
        instant->keys = keys;
    }
    instant->keys[instant->keys_count++] = (uint64_t)slot << 32 | index;
    return true;
}

static bool entries_collect(struct ampel_engine *engine) {
    struct ampel_instant *instant = &engine->instant;
    while (ampel_pending_due(&engine->pending) == instant->at_ms) {
        struct ampel_pending_entry *entries =
            ampel_pool_grow(&engine->pool, instant->entries, &instant->entries_capacity,
                            instant->entries_count + 1, sizeof(*entries));
        if (entries == NULL) return false;
        instant->entries = entries;
        ampel_pending_pop(&engine->pending, &entries[instant->entries_count]);
        if (!key_push(engine, entries[instant->entries_count].slot, instant->entries_count)) {
            return false;
        }
        instant->entries_count++;
    }
    return true;
}

static bool instant_begin(struct ampel_engine *engine, int64_t at_ms) {
    struct ampel_instant *instant = &engine->instant;
    instant->active = true;
    instant->at_ms = at_ms;
    instant->sweep_slot = 0;
    instant->keys_count = instant->keys_next = instant->entries_count = 0;
    engine->now_ms = at_ms;
    ampel_wheel_move(&engine->wheel, at_ms);
    instant->midnight = at_ms / AMPEL_DAY_MS != engine->now_day;
    if (instant->midnight) {
        /* Rings turn with the day: what is exported afterwards is not what stood before. */
        AMPEL_ASSERT(engine->before == NULL);
        engine->now_day = at_ms / AMPEL_DAY_MS;
        engine->now_cell = (uint32_t)(engine->now_day % AMPEL_WINDOW_DAYS_MAX);
        engine->now_midnight = ampel_midnight_code(engine->now_day);
        ampel_producers_forget(&engine->producers, &engine->pool, at_ms);
    }
    for (;;) {
        uint32_t slot = ampel_wheel_pop(&engine->wheel, &engine->accounts);
        if (slot == AMPEL_SLOT_NONE) break;
        if (!key_push(engine, slot, UINT32_MAX)) return false;
    }
    if (!entries_collect(engine)) return false;
    if (instant->keys_count > 1) ampel_sort_u64(instant->keys, instant->keys_count);
    return true;
}

static void instant_end(struct ampel_engine *engine) {
    struct ampel_instant *instant = &engine->instant;
    for (uint32_t i = 0; i < instant->entries_count; i++) {
        ampel_pending_release(&engine->pool, &instant->entries[i]);
    }
    instant->entries_count = 0;
    instant->active = false;
}

/* So many accounts that a midnight concerns go together: their first lines are fetched, a group later the
   cells that leave, and another group later they turn. */
#define SWEEP_GROUP  32
#define SWEEP_STAGES 3

struct sweep {
    uint32_t slots[SWEEP_GROUP];
    uint32_t count;
};

/* The slot of the first key that the present instant has not turned yet and that is not below this one. */
static uint32_t key_slot(const struct ampel_instant *instant, uint32_t *key, uint32_t slot) {
    while (*key < instant->keys_count && instant->keys[*key] >> 32 < slot)
        (*key)++;
    return *key < instant->keys_count ? (uint32_t)(instant->keys[*key] >> 32) : AMPEL_SLOT_NONE;
}

/* Those that the midnight concerns next: by their bytes, and by their keys. A chunk in which there is none
   takes a step. */
static void sweep_gather(struct ampel_engine *engine, uint32_t *steps, struct sweep *sweep) {
    struct ampel_instant *instant = &engine->instant;
    uint32_t key = instant->keys_next, count = engine->accounts.count, slot = instant->sweep_slot;
    uint32_t most = *steps < SWEEP_GROUP ? *steps : SWEEP_GROUP;
    sweep->count = 0;
    while (sweep->count < most && slot < count) {
        uint32_t end = (slot / AMPEL_CHUNK_ACCOUNTS + 1) * AMPEL_CHUNK_ACCOUNTS;
        if (end > count) end = count;
        uint32_t keyed = key_slot(instant, &key, slot), due = ampel_midnight_next(engine, slot, end);
        uint32_t next = keyed < due ? keyed : due;
        slot = next < end ? next + 1 : end;
        if (next < end) {
            __builtin_prefetch(ampel_account_at(&engine->accounts, next), 1);
            sweep->slots[sweep->count++] = next;
        } else if (most > sweep->count) {
            most--;
            (*steps)--;
        }
    }
    *steps -= sweep->count;
    instant->sweep_slot = slot;
}

/* The cell that the day which begins takes. */
AMPEL_INLINE void sweep_fetch(const struct ampel_engine *engine, const struct sweep *sweep) {
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct ampel_window *window =
            &ampel_account_at(&engine->accounts, sweep->slots[i])->window;
        const uint8_t *place = ampel_window_place(window, engine->now_cell);
        if (place != NULL) __builtin_prefetch(place, 1);
    }
}

static bool slot_turn(struct ampel_engine *engine, uint32_t slot) {
    const struct ampel_instant *instant = &engine->instant;
    struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    bool keyed =
        instant->keys_next < instant->keys_count && instant->keys[instant->keys_next] >> 32 == slot;
    if (keyed || ampel_midnight_due(engine, account)) {
        if (!ampel_account_before(engine, slot)) return false;
        bool passed = !keyed && ampel_midnight_pass(engine, slot, account);
        if (!passed && !turn(engine, slot, account)) return false;
    }
    ampel_midnight_renew(engine, slot, account);
    return true;
}

static bool sweep_turn(struct ampel_engine *engine, const struct sweep *sweep) {
    for (uint32_t i = 0; i < sweep->count; i++) {
        if (!slot_turn(engine, sweep->slots[i])) return false;
    }
    return true;
}

/* False: no memory. Stops where the steps end; the instant is over when nothing is left. */
static bool sweep_run(struct ampel_engine *engine, uint32_t *steps) {
    struct ampel_instant *instant = &engine->instant;
    struct sweep sweeps[SWEEP_STAGES] = {0};
    uint32_t under_way = 0;
    for (uint32_t round = 0; under_way > 0 || (instant->sweep_slot < engine->accounts.count && *steps > 0); round++) {
        struct sweep *last = &sweeps[(round + 1) % SWEEP_STAGES];
        sweep_gather(engine, steps, &sweeps[round % SWEEP_STAGES]);
        sweep_fetch(engine, &sweeps[(round + 2) % SWEEP_STAGES]);
        if (!sweep_turn(engine, last)) return false;
        under_way = sweeps[round % SWEEP_STAGES].count + sweeps[(round + 2) % SWEEP_STAGES].count;
    }
    if (instant->sweep_slot == engine->accounts.count) instant_end(engine);
    return true;
}

static bool instant_run(struct ampel_engine *engine, uint32_t *steps) {
    struct ampel_instant *instant = &engine->instant;
    if (instant->midnight) return sweep_run(engine, steps);
    while (instant->keys_next<instant->keys_count && * steps> 0) {
        uint32_t slot = (uint32_t)(instant->keys[instant->keys_next] >> 32);
        (*steps)--;
        struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
        bool done = plain(engine, account) ? turn_plain(engine, slot, account) : turn(engine, slot, account);
        if (!done) return false;
    }
    if (instant->keys_next == instant->keys_count) instant_end(engine);
    return true;
}

/* ---- the way -------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The next instant up to to_ms, INT64_MAX if there is none; false when the steps did not suffice to
 * know. */
static bool instant_next(struct ampel_engine *engine, int64_t to_ms, uint32_t *steps,
                         int64_t *out) {
    int64_t midnight_ms = (engine->now_day + 1) * AMPEL_DAY_MS, due_ms;
    int64_t limit_ms = least(least(midnight_ms, ampel_pending_due(&engine->pending)), to_ms);
    if (!ampel_wheel_next(&engine->wheel, &engine->accounts, limit_ms, steps, &due_ms)) {
        return false;
    }
    due_ms = least(due_ms, least(midnight_ms, ampel_pending_due(&engine->pending)));
    *out = due_ms <= to_ms ? due_ms : INT64_MAX;
    return true;
}

enum ampel_engine_status ampel_engine_advance(struct ampel_engine *engine, int64_t to_ms,
                                              uint32_t steps_max, bool *done) {
    uint32_t steps = steps_max > 0 ? steps_max : 1;
    *done = false;
    if (engine->poisoned || engine->importing) return AMPEL_ENGINE_NO_MEMORY;
    if (to_ms > AMPEL_TIME_MAX_MS) to_ms = AMPEL_TIME_MAX_MS;
    for (;;) {
        if (engine->instant.active && !instant_run(engine, &steps)) {
            engine->poisoned = true;
            return AMPEL_ENGINE_NO_MEMORY;
        }
        if (engine->instant.active) return AMPEL_ENGINE_OK;
        if (to_ms <= engine->now_ms) break;
        int64_t next_ms;
        if (!instant_next(engine, to_ms, &steps, &next_ms)) return AMPEL_ENGINE_OK;
        if (next_ms == INT64_MAX) {
            engine->now_ms = to_ms;
            ampel_wheel_move(&engine->wheel, to_ms);
            break;
        }
        if (!instant_begin(engine, next_ms)) {
            engine->poisoned = true;
            return AMPEL_ENGINE_NO_MEMORY;
        }
    }
    AMPEL_ASSERT_PARANOID(ampel_wheel_sane(&engine->wheel, &engine->accounts) && ampel_midnights_sane(engine));
    *done = true;
    return AMPEL_ENGINE_OK;
}

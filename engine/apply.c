/* Frames: events become state, touched accounts say what changed. Events are taken in groups, so
   that the memory of one is fetched while others are worked on. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/drift.h"
#include "engine/load.h"
#include "engine/state.h"
#include "engine/window.h"

#define GROUP 64

static bool texts_fit(const struct ampel_frame *frame) {
    return frame->producer.size <= AMPEL_ID_BYTES_MAX && frame->tenant.size <= AMPEL_ID_BYTES_MAX &&
           (frame->events_count == 0 || ampel_id_valid(frame->tenant, true));
}

/* ---- accounts of the frame ------------------------------------------------------------------ */

static bool slots_find(struct ampel_engine *engine, const struct ampel_frame *frame) {
    uint32_t *slots =
        ampel_pool_grow(&engine->pool, engine->frame_slots, &engine->frame_slots_capacity,
                        frame->accounts_count, sizeof(*slots));
    if (slots == NULL && frame->accounts_count > 0) return false;
    engine->frame_slots = slots;
    uint32_t tenant = ampel_tenant_find(&engine->accounts, frame->tenant);
    for (uint32_t i = 0; i < frame->accounts_count; i += AMPEL_ACCOUNTS_GROUP) {
        uint32_t count = frame->accounts_count - i;
        if (count > AMPEL_ACCOUNTS_GROUP) count = AMPEL_ACCOUNTS_GROUP;
        ampel_accounts_find_group(&engine->accounts, tenant, frame->accounts + i, count, slots + i);
    }
    return true;
}

/* What became of the account of an event. */
enum claim { CLAIMED, REFUSED_BAD, REFUSED_MANY, NO_MEMORY };

/* The account comes into being with its first accepted event. */
static enum claim account_claim(struct ampel_engine *engine, const struct ampel_frame *frame,
                                uint32_t index, uint32_t *slot) {
    const struct ampel_frame_account *account = &frame->accounts[index];
    if (!ampel_id_valid(account->seller, true) || !ampel_id_valid(account->marketplace, true)) {
        return REFUSED_BAD;
    }
    uint32_t tenant = ampel_tenant_claim(&engine->accounts, &engine->pool, frame->tenant);
    if (tenant == UINT32_MAX) return NO_MEMORY;
    struct ampel_account_key key = {account->hash, tenant, account->seller, account->marketplace};
    /* The frame may name one account twice. */
    *slot = ampel_accounts_find(&engine->accounts, &key);
    if (*slot == AMPEL_SLOT_NONE) {
        uint32_t most = engine->accounts_per_tenant_max;
        if (most > 0 && engine->accounts.tenants[tenant].accounts_count >= most)
            return REFUSED_MANY;
        *slot = ampel_accounts_claim(&engine->accounts, &engine->pool, &key);
        if (*slot == AMPEL_SLOT_NONE) return NO_MEMORY;
        struct ampel_account *made = ampel_account_at(&engine->accounts, *slot);
        ampel_account_dirty(&engine->accounts, *slot, made, AMPEL_ROW_NUMBERS | AMPEL_ROW_ORDERS);
        if (ampel_step_touch(engine, *slot, made, true) == NULL) return NO_MEMORY;
    }
    engine->frame_slots[index] = *slot;
    return CLAIMED;
}

/* ---- one event ------------------------------------------------------------------------------ */

struct frame_work {
    struct ampel_engine *engine;
    const struct ampel_frame *frame;
    struct ampel_source source;
    struct ampel_apply_counts *counts;
};

static bool refuse(const struct frame_work *work, uint32_t slot, const struct ampel_event *event,
                   enum ampel_verdict verdict) {
    work->counts->refused++;
    return ampel_account_refuse(work->engine, slot, event, &work->source, verdict);
}

/* False: no memory. */
static bool event_apply(const struct frame_work *work, uint32_t index) {
    struct ampel_engine *engine = work->engine;
    struct ampel_event event;
    uint32_t account_index, slot = AMPEL_SLOT_NONE;
    ampel_frame_event(work->frame, index, &account_index, &event);
    if (account_index >= work->frame->accounts_count) {
        return refuse(work, slot, &event, AMPEL_VERDICT_BAD_ACCOUNT);
    }
    slot = engine->frame_slots[account_index];
    enum ampel_verdict verdict = ampel_event_tolerate(&event);
    if (verdict != AMPEL_VERDICT_OK) return refuse(work, slot, &event, verdict);
    bool waits = event.at_ms > engine->now_ms;
    if (waits && engine->pending.count >= AMPEL_PENDING_MAX) {
        return refuse(work, slot, &event, AMPEL_VERDICT_TOO_MANY_PENDING);
    }
    if (slot == AMPEL_SLOT_NONE) {
        enum claim claim = account_claim(engine, work->frame, account_index, &slot);
        if (claim == NO_MEMORY) return false;
        if (claim == REFUSED_BAD) {
            return refuse(work, AMPEL_SLOT_NONE, &event, AMPEL_VERDICT_BAD_ACCOUNT);
        }
        if (claim == REFUSED_MANY) {
            return refuse(work, AMPEL_SLOT_NONE, &event, AMPEL_VERDICT_TOO_MANY_ACCOUNTS);
        }
    }
    struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    enum ampel_outcome outcome;
    if (waits) {
        struct ampel_touched *touched = ampel_step_touch(engine, slot, account, false);
        if (touched == NULL) return false;
        if (event.type != AMPEL_EVENT_DAY_MARK) touched->shows = true;
        outcome = ampel_account_defer(engine, slot, account, &event, &work->source);
        if (outcome <= AMPEL_OUTCOME_MOVED && touched->any_mover == AMPEL_MOVER_NONE) {
            touched->any_mover = AMPEL_MOVER_EVENT + index;
        }
    } else {
        outcome = ampel_account_merge(engine, slot, account, &event, AMPEL_MOVER_EVENT + index);
    }
    if (outcome == AMPEL_OUTCOME_NO_MEMORY) return false;
    if (outcome == AMPEL_OUTCOME_FULL) {
        return refuse(work, slot, &event, ampel_full_verdict(event.type));
    }
    work->counts->applied++;
    return true;
}

/* ---- groups --------------------------------------------------------------------------------- */

static uint32_t group_slot(const struct frame_work *work, uint32_t index) {
    const struct ampel_frame *frame = work->frame;
    uint32_t account =
        frame->account != NULL ? ampel_load_u32(frame->account + 4 * (size_t)index) : 0;
    return account < frame->accounts_count ? work->engine->frame_slots[account] : AMPEL_SLOT_NONE;
}

static uint32_t group_end(const struct frame_work *work, uint32_t first) {
    uint32_t total = work->frame->events_count;
    if (first >= total) return first;
    return total - first < GROUP ? total : first + GROUP;
}

AMPEL_INLINE void headers_prefetch(const struct frame_work *work, uint32_t first) {
    for (uint32_t i = first, end = group_end(work, first); i < end; i++) {
        uint32_t slot = group_slot(work, i);
        if (slot == AMPEL_SLOT_NONE) continue;
        __builtin_prefetch(ampel_account_at(&work->engine->accounts, slot), 1);
    }
}

/* What hangs below the headers that were fetched before. */
AMPEL_INLINE void contents_prefetch(const struct frame_work *work, uint32_t first) {
    const struct ampel_engine *engine = work->engine;
    for (uint32_t i = first, end = group_end(work, first); i < end; i++) {
        uint32_t slot = group_slot(work, i);
        if (slot == AMPEL_SLOT_NONE) continue;
        const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
        uint8_t type = work->frame->type != NULL ? work->frame->type[i] : 0;
        if (type <= AMPEL_EVENT_ORDERS_DAY) {
            if (account->ring == NULL) continue;
            __builtin_prefetch(account->ring + (size_t)engine->now_cell * account->ring_width, 1);
        } else if (account->violations != NULL) {
            __builtin_prefetch(account->violations, 1);
        }
    }
}

/* Three groups are on their way at a time: one is applied, of the next the contents and of the one
   behind it the headers are being fetched. */
static bool events_apply(const struct frame_work *work) {
    uint32_t total = work->frame->events_count;
    headers_prefetch(work, 0);
    headers_prefetch(work, GROUP);
    contents_prefetch(work, 0);
    for (uint32_t first = 0; first < total; first += GROUP) {
        headers_prefetch(work, first + 2 * GROUP);
        contents_prefetch(work, first + GROUP);
        for (uint32_t i = first, end = group_end(work, first); i < end; i++) {
            if (!event_apply(work, i)) return false;
        }
    }
    return true;
}

/* ---- the end of the step -------------------------------------------------------------------- */

static void account_cause(const struct frame_work *work, const struct ampel_touched *touched,
                          const struct ampel_numbers *after, struct ampel_cause *out) {
    struct ampel_event event;
    uint32_t account_index, mover = ampel_touched_mover(touched, after);
    AMPEL_ASSERT(mover >= AMPEL_MOVER_EVENT);
    ampel_frame_event(work->frame, mover - AMPEL_MOVER_EVENT, &account_index, &event);
    ampel_cause_event(work->engine, touched->slot, &event, &work->source, out);
}

static bool account_tell(const struct frame_work *work, const struct ampel_touched *touched,
                         const struct ampel_numbers *after) {
    struct ampel_engine *engine = work->engine;
    if (!ampel_changes_due(engine, &touched->before, after, touched->is_new)) return true;
    struct ampel_cause cause;
    account_cause(work, touched, after, &cause);
    return ampel_changes_name(engine, touched->slot, &touched->before, after, touched->is_new,
                              &cause, work->source.position);
}

/* What stands beside the score: assurance, and drift from a report. */
static bool account_beside(const struct frame_work *work, struct ampel_account *account,
                           const struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
    bool told = !work->source.backfill;
    /* What a backfill does to assurance is told with its summary. */
    if (told && touched->assurance_mover != AMPEL_MOVER_NONE) {
        struct ampel_event event;
        struct ampel_cause cause;
        uint32_t account_index, index = touched->assurance_mover - AMPEL_MOVER_EVENT;
        ampel_frame_event(work->frame, index, &account_index, &event);
        ampel_cause_event(engine, touched->slot, &event, &work->source, &cause);
        if (!ampel_assurance_tell(engine, touched->slot, account, &cause, work->source.position)) {
            return false;
        }
    }
    if (!touched->observed) return true;
    return ampel_drift_judge(engine, touched->slot, account, &work->source, told);
}

/* What is told ahead of time. */
static bool account_warn(const struct frame_work *work, struct ampel_account *account,
                         const struct ampel_touched *touched, const struct ampel_numbers *after) {
    bool look = touched->nearer || touched->is_new || touched->before.colour != after->colour;
    struct ampel_cause cause;
    if (look && touched->any_mover != AMPEL_MOVER_NONE)
        account_cause(work, touched, after, &cause);
    else
        look = false;
    return ampel_account_warn(work->engine, touched->slot, account, !work->source.backfill, look,
                              &cause, work->source.position);
}

static bool account_finish(const struct frame_work *work, struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
    struct ampel_account *account = ampel_account_at(&engine->accounts, touched->slot);
    struct ampel_numbers after;
    account->touched = 0;
    bool stale = (account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0;
    if (!work->source.backfill && !stale && ampel_touched_settle(engine, account, touched)) {
        return true;
    }
    ampel_touched_complete(engine, account, touched);
    /* What was too old on arrival never was: it leaves untold, once the whole frame had its say. */
    if (stale && !ampel_account_leave(engine, touched->slot, account, touched, false)) {
        return false;
    }
    ampel_account_numbers(engine, account, &after);
    ampel_account_row_mark(engine, touched->slot, account, &touched->before, &after);
    if (!ampel_account_show(engine, account, touched, &after)) return false;
    if (work->source.backfill) {
        if (touched->any_mover != AMPEL_MOVER_NONE &&
            !ampel_backfill_note(engine, account, touched)) {
            return false;
        }
    } else if (!account_tell(work, touched, &after)) {
        return false;
    }
    if (!account_beside(work, account, touched)) return false;
    if (!account_warn(work, account, touched, &after)) return false;
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, touched->slot, account);
    }
    return true;
}

static bool frame_apply(const struct frame_work *work) {
    struct ampel_engine *engine = work->engine;
    if (!slots_find(engine, work->frame) || !events_apply(work)) return false;
    for (uint32_t i = 0; i < engine->touched_count; i++) {
        if (!account_finish(work, &engine->touched[i])) return false;
    }
    engine->touched_count = 0;
    return true;
}

enum ampel_engine_status ampel_engine_apply(struct ampel_engine *engine,
                                            const struct ampel_frame *frame,
                                            struct ampel_apply_counts *counts) {
    memset(counts, 0, sizeof(*counts));
    if (engine->poisoned || engine->importing) return AMPEL_ENGINE_NO_MEMORY;
    if (!texts_fit(frame)) return AMPEL_ENGINE_BAD_BYTES;
    AMPEL_ASSERT(!engine->instant.active);
    if (frame->producer.size > 0) {
        bool duplicate;
        if (!ampel_producers_mark(&engine->producers, &engine->pool, frame->tenant, frame->producer,
                                  frame->sequence, engine->now_ms, &duplicate)) {
            engine->poisoned = true;
            return AMPEL_ENGINE_NO_MEMORY;
        }
        counts->duplicate = duplicate;
        if (duplicate) return AMPEL_ENGINE_OK;
    }
    struct frame_work work = {
        .engine = engine,
        .frame = frame,
        .source = {frame->producer, frame->sequence, frame->position, frame->backfill},
        .counts = counts,
    };
    if (!frame_apply(&work)) {
        engine->poisoned = true;
        return AMPEL_ENGINE_NO_MEMORY;
    }
    return AMPEL_ENGINE_OK;
}

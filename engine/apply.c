/* Frames: events become state, touched accounts say what changed. While one event is worked on, the
   memory of those behind it is on its way. Most events are orders that move no point: they are merged
   in passing (order_pass), everything else by ampel_account_merge. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/case_clocks.h"
#include "engine/drift.h"
#include "engine/load.h"
#include "engine/state.h"
#include "engine/takeover.h"
#include "engine/window.h"

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
    ampel_accounts_find_all(&engine->accounts, ampel_tenant_find(&engine->accounts, frame->tenant),
                            frame->accounts, frame->accounts_count, slots);
    return true;
}

/* A copy under way takes what the frame may change before it does. */
static bool slots_copy(const struct ampel_engine *engine, const struct ampel_frame *frame) {
    for (uint32_t i = 0; i < frame->accounts_count && engine->before != NULL; i++) {
        if (engine->frame_slots[i] != AMPEL_SLOT_NONE && !ampel_account_before(engine, engine->frame_slots[i]))
            return false;
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
        if (!ampel_account_before(engine, engine->accounts.count)) return NO_MEMORY;
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

/* A column that may be missing: then its default is read again and again. */
struct column {
    const uint8_t *bytes;
    size_t step;
};

struct frame_work {
    struct ampel_engine *engine;
    const struct ampel_frame *frame;
    struct ampel_source source;
    struct ampel_apply_counts *counts;
    struct column account, type, at, count, extras_offset; /* what orders need */
    const uint32_t *slots; /* by account of the frame */
    uint32_t accounts_count;
    int64_t day_ms; /* when the engine's day began */
};

static struct column column_of(const uint8_t *bytes, size_t step, const void *fallback) {
    return bytes != NULL ? (struct column){bytes, step} : (struct column){fallback, 0};
}

static void columns_init(struct frame_work *work) {
    static const uint64_t zero = 0, one = 1;
    const struct ampel_frame *frame = work->frame;
    work->account = column_of(frame->account, sizeof(uint32_t), &zero);
    work->type = column_of(frame->type, sizeof(uint8_t), &zero);
    work->at = column_of(frame->at, sizeof(int64_t), &zero);
    work->count = column_of(frame->count, sizeof(uint32_t), &one);
    work->extras_offset = column_of(frame->extras_offset, sizeof(uint32_t), &zero);
    work->accounts_count = frame->accounts_count;
    work->day_ms = work->engine->now_day * AMPEL_DAY_MS;
}

static inline const uint8_t *cell(struct column column, size_t index) {
    return column.bytes + column.step * index;
}

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
    if (outcome == AMPEL_OUTCOME_KEPT && !waits && !work->source.backfill &&
        !ampel_case_tell(engine, slot, account, &event, &work->source)) {
        return false;
    }
    work->counts->applied++;
    return true;
}

/* ---- orders in passing ---------------------------------------------------------------------- */

/* The event's account, AMPEL_SLOT_NONE where it is none yet. */
static inline uint32_t event_slot(const struct frame_work *work, uint32_t index) {
    uint32_t account = ampel_load_u32(cell(work->account, index));
    return account < work->accounts_count ? work->slots[account] : AMPEL_SLOT_NONE;
}

/* The ring's cell of a time that is not after now; AMPEL_WINDOW_CELLS where it has none. */
static inline uint32_t ring_cell(const struct frame_work *work, int64_t at_ms, uint32_t days) {
    const struct ampel_engine *engine = work->engine;
    if (at_ms >= work->day_ms) return engine->now_cell;
    uint64_t age_days = (uint64_t)(engine->now_day - at_ms / AMPEL_DAY_MS);
    if (age_days >= days) return AMPEL_WINDOW_CELLS;
    uint32_t cell_index = engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days;
    return cell_index < AMPEL_WINDOW_CELLS ? cell_index : cell_index - AMPEL_WINDOW_CELLS;
}

/* An order that finds its day's cell wide enough, earns no point and makes no suspicion surer: nearly every event. False:
   nothing was done, the event wants the whole care. */
AMPEL_INLINE bool order_pass(const struct frame_work *work, uint32_t index) {
    struct ampel_engine *engine = work->engine;
    int64_t at_ms = ampel_load_i64(cell(work->at, index));
    uint32_t slot = event_slot(work, index), count = ampel_load_u32(cell(work->count, index));
    const uint8_t *extras = cell(work->extras_offset, index);
    if (*cell(work->type, index) != AMPEL_EVENT_ORDER || slot == AMPEL_SLOT_NONE) return false;
    if (ampel_load_u32(extras) != ampel_load_u32(extras + work->extras_offset.step)) return false;
    if (at_ms < 0 || at_ms > engine->now_ms || count - 1 >= AMPEL_ORDERS_MAX) return false;
    struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    uint32_t day = ring_cell(work, at_ms, (uint32_t)engine->rules.window_days);
    if (day == AMPEL_WINDOW_CELLS || account->ring == NULL) return false;
    if ((account->assured & AMPEL_ASSURED_BEGUN) == 0 || account->watched != 0) return false;
    if (!ampel_rating_orders_quiet(&engine->rules, account->orders, count)) return false;
    uint32_t total = ampel_window_get(account->ring, account->ring_width, day);
    if (ampel_day_authoritative(total)) return false;
    total += count;
    if (total > AMPEL_ORDERS_MAX || ampel_window_width(total) > account->ring_width) return false;
    struct ampel_touch *touch = ampel_step_glance(engine, slot, account);
    ampel_window_set(account->ring, account->ring_width, day, total);
    account->orders += count;
    touch->mover = AMPEL_MOVER_EVENT + index;
    ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_ORDERS);
    work->counts->applied++;
    return true;
}

/* ---- all events ----------------------------------------------------------------------------- */

/* How many events lie between the fetching of a header, of what hangs below it, and the work. */
#define AHEAD 24
/* The headers of so many accounts are still near when they were found. */
#define ACCOUNTS_NEAR 8192
/* Violations of an account with a few of them fill so many lines. */
#define VIOLATIONS_LINES 6

AMPEL_INLINE void header_prefetch(const struct frame_work *work, uint32_t index) {
    uint32_t slot = event_slot(work, index);
    if (slot != AMPEL_SLOT_NONE) {
        __builtin_prefetch(ampel_account_at(&work->engine->accounts, slot), 1);
    }
}

/* What hangs below a header that was fetched before. */
AMPEL_INLINE void contents_prefetch(const struct frame_work *work, uint32_t index) {
    const struct ampel_engine *engine = work->engine;
    uint32_t slot = event_slot(work, index);
    if (slot == AMPEL_SLOT_NONE) return;
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    if (*cell(work->type, index) <= AMPEL_EVENT_ORDERS_DAY) {
        int64_t at_ms = ampel_load_i64(cell(work->at, index));
        uint32_t day = ring_cell(work, at_ms, AMPEL_WINDOW_CELLS);
        if (account->ring != NULL)
            __builtin_prefetch(account->ring + (size_t)day * account->ring_width, 1);
    } else if (account->violations != NULL) {
        for (uint32_t line = 0; line < VIOLATIONS_LINES; line++)
            __builtin_prefetch((const uint8_t *)account->violations + 64 * (size_t)line, 1);
    }
}

static bool events_apply(const struct frame_work *given) {
    /* A copy that nobody else knows: its members stay in registers although rings are written. */
    struct frame_work copy = *given;
    copy.slots = given->engine->frame_slots;
    const struct frame_work *work = &copy;
    uint32_t total = work->frame->events_count;
    bool pass = !work->source.backfill, far = work->frame->accounts_count > ACCOUNTS_NEAR;
    for (uint32_t i = 0; i < AHEAD && i < total; i++)
        contents_prefetch(work, i);
    for (uint32_t i = 0; i < total; i++) {
        if (far && total - i > 2 * AHEAD) header_prefetch(work, i + 2 * AHEAD);
        if (total - i > AHEAD) contents_prefetch(work, i + AHEAD);
        if (pass && order_pass(work, i)) continue;
        if (!event_apply(given, i)) return false;
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

/* Whether somebody else works in the account. */
static bool account_suspect(const struct frame_work *work, struct ampel_account *account,
                            const struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
    if (touched->signals_mover == AMPEL_MOVER_NONE && !account->watched) return true;
    struct ampel_suspicion suspicion;
    enum ampel_takeover_news news = ampel_takeover_judge(engine, account, &suspicion);
    if (ampel_takeover_waits(account) || news == AMPEL_TAKEOVER_SAME) return true;
    struct ampel_cause cause;
    uint32_t mover = touched->signals_mover;
    if (mover == AMPEL_MOVER_NONE) mover = touched->any_mover;
    ampel_cause_time(engine->now_ms, AMPEL_CAUSE_EXPIRY, &cause);
    if (mover >= AMPEL_MOVER_EVENT) {
        struct ampel_event event;
        uint32_t account_index;
        ampel_frame_event(work->frame, mover - AMPEL_MOVER_EVENT, &account_index, &event);
        ampel_cause_event(engine, touched->slot, &event, &work->source, &cause);
    }
    return ampel_takeover_tell(engine, touched->slot, account, news, &suspicion, &cause,
                               work->source.position);
}

/* Of an account that only sold something. */
static bool account_settled(const struct frame_work *work, struct ampel_account *account,
                            const struct ampel_touched *touched) {
    if (account->watched && !account_suspect(work, account, touched)) return false;
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(work->engine, touched->slot, account);
    }
    return true;
}

static bool account_finish(const struct frame_work *work, struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
    struct ampel_account *account = ampel_account_at(&engine->accounts, touched->slot);
    struct ampel_numbers after;
    bool stale = (account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0;
    if (!work->source.backfill && !stale && ampel_touched_settle(engine, account, touched)) {
        return account_settled(work, account, touched);
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
    if (!account_suspect(work, account, touched)) return false;
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, touched->slot, account);
    }
    return true;
}

/* Orders that came in passing are movers like others; where they are all, nothing is to be told. */
static bool touches_finish(const struct frame_work *work) {
    struct ampel_engine *engine = work->engine;
    for (uint32_t i = 0; i < engine->touches_count; i++) {
        const struct ampel_touch *touch = &engine->touches[i];
        if (touch->whole == 0) continue;
        struct ampel_touched *touched = &engine->touched[touch->whole - 1];
        if (touch->mover != AMPEL_MOVER_NONE) touched->shows = true;
        if (touch->mover > touched->orders_mover) touched->orders_mover = touch->mover;
        if (touch->mover > touched->any_mover) touched->any_mover = touch->mover;
        if (!account_finish(work, touched)) return false;
    }
    return true;
}

static bool frame_apply(const struct frame_work *work) {
    struct ampel_engine *engine = work->engine;
    if (!slots_find(engine, work->frame) || !slots_copy(engine, work->frame)) return false;
    if (!ampel_step_reserve(engine, work->frame->events_count)) return false;
    if (!events_apply(work) || !touches_finish(work)) return false;
    ampel_step_end(engine);
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
    columns_init(&work);
    if (!frame_apply(&work)) {
        engine->poisoned = true;
        return AMPEL_ENGINE_NO_MEMORY;
    }
    return AMPEL_ENGINE_OK;
}

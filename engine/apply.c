/* Frames: events become state, touched accounts say what changed. While one event is worked on, the
   memory of those behind it is on its way. Most events are orders that move no point: they are merged
   in passing (orders_pass), those of one account in a row together, everything else by ampel_account_merge. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/case_clocks.h"
#include "engine/columns.h"
#include "engine/drift.h"
#include "engine/frame_accounts.h"
#include "engine/load.h"
#include "engine/midnight.h"
#include "engine/state.h"
#include "engine/takeover.h"
#include "engine/warnings.h"
#include "engine/window.h"

static bool texts_fit(const struct ampel_frame *frame) {
    return frame->producer.size <= AMPEL_ID_BYTES_MAX && frame->tenant.size <= AMPEL_ID_BYTES_MAX &&
           (frame->events_count == 0 || ampel_id_valid(frame->tenant, true));
}

/* ---- one event ------------------------------------------------------------------------------ */

struct frame_work {
    struct ampel_engine *engine;
    const struct ampel_frame *frame;
    struct ampel_source source;
    struct ampel_apply_counts *counts;
    struct ampel_columns columns;
    /* By account of the frame, as far as frame_found says; those that an event makes join them. */
    const uint32_t *slots;
    struct ampel_account *const *accounts;
    struct ampel_touch *touches;
    uint32_t now_cell, window_days;
    uint32_t block;          /* so many orders earn points; 0 where each one may */
    uint32_t exact;          /* below this many orders a multiplication divides them by block */
    uint64_t inverse;        /* of block, in units of 2^-32 */
    int64_t day_ms;          /* when the engine's day began */
    bool plain;              /* columns of orders and policies are there and no others: orders and new violations */
};

/* The whole event; of usual frames without looking for each column. */
static void event_gather(const struct frame_work *work, uint32_t index, uint32_t *account_index,
                         struct ampel_event *out) {
    const struct ampel_frame *frame = work->frame;
    if (!work->plain) {
        ampel_frame_event(frame, index, account_index, out);
        return;
    }
    const size_t i = index;
    AMPEL_ASSERT(index < frame->events_count);
    *account_index = ampel_load_u32(frame->account + 4 * i);
    out->at_ms = ampel_load_i64(frame->at + 8 * i);
    out->count = ampel_columns_count(&work->columns, index);
    out->type = frame->type[i];
    out->rev = out->type == AMPEL_EVENT_ORDERS_DAY;
    out->points = -1;
    out->policy = frame->policy[i];
    out->severity = AMPEL_SEVERITY_NOT_GIVEN;
    out->code = AMPEL_CODE_NONE;
    uint32_t from = ampel_load_u32(frame->extras_offset + 4 * i);
    uint32_t to = ampel_load_u32(frame->extras_offset + 4 * (i + 1));
    bool within = from <= to && to <= frame->extras_size;
    out->extras = within ? frame->extras + from : NULL;
    out->extras_size = within ? to - from : 0;
}

static void work_init(struct frame_work *work) {
    const struct ampel_engine *engine = work->engine;
    const struct ampel_frame *frame = work->frame;
    bool linear = engine->rules.orders_rounding == AMPEL_ROUNDING_LINEAR;
    ampel_columns_init(&work->columns, frame, engine->now_ms);
    work->plain = frame->account != NULL && frame->type != NULL && frame->at != NULL && frame->policy != NULL &&
                  frame->extras_offset != NULL && frame->severity == NULL && frame->code == NULL &&
                  frame->points == NULL && frame->rev == NULL;
    work->slots = engine->frame_slots;
    work->accounts = engine->frame_accounts;
    work->touches = engine->touches;
    work->now_cell = engine->now_cell;
    work->window_days = (uint32_t)engine->rules.window_days;
    work->block = linear ? 0 : (uint32_t)engine->rules.orders_block;
    work->exact = 0;
    work->inverse = 0;
    if (work->block > 0) {
        /* Too great by less than 2^-32, which a product with so few orders does not show. */
        work->inverse = (UINT64_C(1) << 32) / work->block + 1;
        work->exact = UINT32_MAX / work->block;
    }
    work->day_ms = engine->now_day * AMPEL_DAY_MS;
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
    event_gather(work, index, &account_index, &event);
    if (account_index >= work->frame->accounts_count) {
        return refuse(work, slot, &event, AMPEL_VERDICT_BAD_ACCOUNT);
    }
    /* A frame need not name its accounts in the order of their events. */
    if (account_index >= engine->frame_found &&
        !ampel_frame_accounts_find(engine, work->frame, work->frame->accounts_count)) {
        return false;
    }
    slot = work->slots[account_index];
    /* Mostly it is a violation: then this spares a call. */
    bool plain = event.type == AMPEL_EVENT_VIOLATION && ampel_violation_plain(&event);
    enum ampel_verdict verdict = plain ? AMPEL_VERDICT_OK : ampel_event_tolerate(&event);
    if (verdict != AMPEL_VERDICT_OK) return refuse(work, slot, &event, verdict);
    bool waits = event.at_ms > engine->now_ms;
    if (waits && engine->pending.count >= AMPEL_PENDING_MAX) {
        return refuse(work, slot, &event, AMPEL_VERDICT_TOO_MANY_PENDING);
    }
    if (slot == AMPEL_SLOT_NONE) {
        enum ampel_claim claim = ampel_frame_account_claim(engine, work->frame, account_index, &slot);
        if (claim == AMPEL_CLAIM_NO_MEMORY) return false;
        if (claim == AMPEL_CLAIM_BAD) {
            return refuse(work, AMPEL_SLOT_NONE, &event, AMPEL_VERDICT_BAD_ACCOUNT);
        }
        if (claim == AMPEL_CLAIM_MANY) {
            return refuse(work, AMPEL_SLOT_NONE, &event, AMPEL_VERDICT_TOO_MANY_ACCOUNTS);
        }
    }
    struct ampel_account *account = work->accounts[account_index];
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

/* The event's account by its number in the frame, which is one: NULL where it is none yet. */
AMPEL_INLINE struct ampel_account *event_account(const struct frame_work *work, uint32_t index) {
    return work->accounts[ampel_columns_account(&work->columns, index)];
}

/* The window's cell of a time that is not after now; AMPEL_WINDOW_CELLS where it has none. */
AMPEL_INLINE uint32_t window_cell(const struct frame_work *work, int64_t at_ms, uint32_t days) {
    if (at_ms >= work->day_ms) return work->now_cell;
    uint64_t age_days = (uint64_t)(work->engine->now_day - at_ms / AMPEL_DAY_MS);
    if (age_days >= days) return AMPEL_WINDOW_CELLS;
    uint32_t cell = work->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days;
    return cell < AMPEL_WINDOW_CELLS ? cell : cell - AMPEL_WINDOW_CELLS;
}

/* The order of a day that is not near, or of one that just began. False as below. */
static bool order_far(const struct frame_work *work, uint32_t slot, struct ampel_account *account,
                      uint32_t day, uint32_t count) {
    struct ampel_window *window = &account->window;
    if (day == AMPEL_WINDOW_CELLS) return false;
    if (day == work->now_cell && !ampel_window_bring(&work->engine->pool, window, day)) return false;
    bool near = day == window->near_cell;
    if (!near && window->ring == NULL) return false;
    uint32_t before = near ? window->near : ampel_cells_get(window->ring, window->bits, day);
    if (before > AMPEL_ORDERS_MAX - count) return false;
    uint32_t total = before + count;
    if (!near && ampel_cells_bits(total) > window->bits) return false;
    if (before == 0) ampel_midnight_orders(work->engine, slot, account, day);
    if (near)
        window->near = total;
    else
        ampel_cells_set(window->ring, window->bits, day, total);
    return true;
}

/* How many orders more earn nothing more, for sure: without a division where that is exact, else 0. */
AMPEL_INLINE uint32_t orders_room(const struct frame_work *work, uint32_t orders) {
    if (orders >= work->exact) return 0;
    uint32_t blocks = (uint32_t)(orders * work->inverse >> 32);
    return (blocks + 1) * work->block - orders - 1;
}

/* The same of so many, where there is no room for sure. */
AMPEL_INLINE bool orders_quiet(const struct frame_work *work, uint32_t orders, uint32_t more) {
    return orders >= work->exact && ampel_rating_orders_quiet(&work->engine->rules, orders, more);
}

/* Orders in a row of one account. */
struct row {
    uint32_t room;   /* how many orders more earn nothing more, for sure */
    uint32_t oldest; /* of the days in the ring that became more, so many days ago; 0: none did */
};

/* Merges the first orders of a row that are of days before today, in the ring, as most are, and of today where it is near.
   Returns how many. */
AMPEL_INLINE uint32_t ring_pass(const struct frame_work *work, struct ampel_window *window, uint32_t first, uint32_t many,
                                uint32_t bits, struct row *row) {
    uint8_t *ring = window->ring;
    const uint32_t now_cell = work->now_cell, near_cell = window->near_cell;
    const uint64_t end_ms = (uint64_t)work->day_ms + AMPEL_DAY_MS - 1;
    const uint64_t days_ms = (uint64_t)(work->window_days - 1) * AMPEL_DAY_MS;
    const uint8_t *count_at = ampel_column_at(work->columns.count, first, sizeof(uint32_t));
    const uint8_t *at = ampel_column_at(work->columns.at, first, sizeof(int64_t)), *begin = at;
    const uint8_t *end = at + sizeof(int64_t) * many;
    const size_t count_step = work->columns.count.mask & sizeof(uint32_t);
    uint32_t room = row->room, oldest = row->oldest;
    for (; at < end; at += sizeof(int64_t), count_at += count_step) {
        const uint32_t count = ampel_load_u32(count_at);
        if (count > room) break;
        /* What is later than today is far before it here. */
        const uint64_t age_ms = end_ms - ampel_load_u64(at);
        if (age_ms - AMPEL_DAY_MS >= days_ms) {
            if (age_ms >= AMPEL_DAY_MS || now_cell != near_cell) break;
            if (window->near - 1 >= AMPEL_ORDERS_MAX - count) break;
            window->near += count;
        } else {
            const uint32_t age_days = (uint32_t)(age_ms / AMPEL_DAY_MS);
            uint32_t cell = now_cell - age_days;
            if (now_cell < age_days) cell += AMPEL_WINDOW_CELLS;
            if (cell == near_cell || !ampel_cells_add(ring, bits, cell, count)) break;
            if (oldest < age_days) oldest = age_days;
        }
        room -= count;
    }
    row->room = room;
    row->oldest = oldest;
    return (uint32_t)((size_t)(at - begin) / sizeof(int64_t));
}

AMPEL_APART static uint32_t narrow_pass(const struct frame_work *work, struct ampel_window *window, uint32_t first, uint32_t many,
                                  struct row *row) {
    if (work->columns.at.mask == 0) return 0;
    switch (window->bits) {
    case 4: return ring_pass(work, window, first, many, 4, row);
    case 8: return ring_pass(work, window, first, many, 8, row);
    case 16: return ring_pass(work, window, first, many, 16, row);
    default: return 0;
    }
}

/* Merges any other order into its day. False: nothing was done, the event wants the whole care. */
AMPEL_INLINE bool order_merge(const struct frame_work *work, uint32_t slot, struct ampel_account *account, uint32_t index,
                              uint32_t count) {
    uint32_t day = window_cell(work, ampel_columns_at(&work->columns, index), work->window_days);
    /* What was told as a total is more than any count; 0 less 1, too. */
    if (day == account->window.near_cell && account->window.near - 1 < AMPEL_ORDERS_MAX - count) {
        account->window.near += count;
        return true;
    }
    return order_far(work, slot, account, day, count);
}

/* Orders of one account in a row, which find their days' cells wide enough, earn no point and make no suspicion surer:
   nearly every event that is not odd. Returns how many of them were merged, the first ones; the next one wants the whole
   care, and nothing that counts was done with it. */
AMPEL_INLINE uint32_t orders_pass(const struct frame_work *work, uint32_t first, uint32_t many) {
    struct ampel_engine *engine = work->engine;
    uint32_t number = ampel_columns_account(&work->columns, first);
    struct ampel_account *account = work->accounts[number];
    if (account == NULL || account->watched != 0) return 0;
    uint32_t slot = work->slots[number], place = account->touch - engine->touch_first;
    bool touched = place < engine->touches_count && work->touches[place].slot == slot;
    /* Assurance begins at the end of a step that looks at all of the account, as one does that made it. */
    if ((account->assured & AMPEL_ASSURED_BEGUN) == 0 && (!touched || work->touches[place].whole == 0)) return 0;
    const uint32_t before = account->orders;
    uint32_t orders = before, passed = 0;
    struct row row = {orders_room(work, orders), 0};
    while (passed < many) {
        /* One alone is not worth a call. */
        if (many - passed > 1) {
            const uint32_t room = row.room;
            passed += narrow_pass(work, &account->window, first + passed, many - passed, &row);
            orders += room - row.room;
            if (passed == many) break;
        }
        uint32_t count = ampel_columns_count(&work->columns, first + passed);
        bool within = count <= row.room;
        if (!within && !orders_quiet(work, orders, count)) break;
        if (!order_merge(work, slot, account, first + passed, count)) break;
        orders += count;
        row.room -= within ? count : 0;
        passed++;
    }
    if (passed == 0) return 0;
    /* Older days leave before: said once, and again where the day had orders already, which is cheaper than to ask. */
    if (row.oldest > 0) {
        uint32_t now_cell = work->now_cell, wrap = now_cell < row.oldest ? AMPEL_WINDOW_CELLS : 0;
        ampel_midnight_orders(engine, slot, account, now_cell + wrap - row.oldest);
    }
    if (!touched) {
        place = engine->touches_count++;
        account->touch = engine->touch_first + place;
        work->touches[place].slot = slot;
        work->touches[place].orders_before = before;
        work->touches[place].whole = 0;
    }
    work->touches[place].mover = AMPEL_MOVER_EVENT + first + passed - 1;
    account->orders = orders;
    ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_ORDERS);
    return passed;
}

/* ---- all events ----------------------------------------------------------------------------- */

/* Events go by groups of so many at least, and the contents of those that come AHEAD of a group are fetched before its
   work: all of them first, as what a fetch waits for is where its page is, and that is found for many at once. */
#define GROUP 8
#define AHEAD 32
static_assert(GROUP + AHEAD <= AMPEL_RUN_EVENTS, "a group and what is ahead of it lie in two runs");
/* Violations of an account with a few of them fill so many lines; so does a ring of narrow cells. */
#define CONTENTS_LINES 4

/* The second line of the account of what is no order. The first one is near since the account was found. */
AMPEL_INLINE void account_fetch(const struct frame_work *work, uint32_t index) {
    const struct ampel_account *account = event_account(work, index);
    if (account != NULL) __builtin_prefetch(&account->violations, 1);
}

AMPEL_INLINE void lines_fetch(const void *bytes, uint32_t lines) {
    for (uint32_t line = 0; line < lines; line++)
        __builtin_prefetch((const uint8_t *)bytes + 64 * (size_t)line, 1);
}

/* What hangs below the account of an order; of several in a row, of any days. */
AMPEL_INLINE void days_fetch(const struct frame_work *work, uint32_t index, bool several) {
    const struct ampel_account *account = event_account(work, index);
    if (account == NULL) return;
    const struct ampel_window *window = &account->window;
    uint32_t day = window_cell(work, ampel_columns_at(&work->columns, index), AMPEL_WINDOW_CELLS);
    if (window->ring == NULL) return;
    if (several) {
        lines_fetch(window->ring, CONTENTS_LINES);
        return;
    }
    if (day == window->near_cell) return;
    __builtin_prefetch(ampel_window_place(window, day), 1);
    if (day == work->now_cell) __builtin_prefetch(ampel_window_place(window, window->near_cell), 1);
}

/* Fetches for what is no order by the bits of events from first on. */
AMPEL_INLINE void odd_fetch(const struct frame_work *work, uint32_t first, uint64_t odd) {
    for (; odd != 0; odd &= odd - 1)
        account_fetch(work, first + (uint32_t)__builtin_ctzll(odd));
}

/* The same of an account whose second line was fetched before. */
AMPEL_INLINE void violations_fetch(const struct ampel_account *account) {
    if (account != NULL && account->violations != NULL) lines_fetch(account->violations, CONTENTS_LINES);
}

/* The bits from one event on, of its run and the next. */
AMPEL_INLINE uint64_t bits_from(uint64_t run, uint64_t next, uint32_t event) {
    if (event >= AMPEL_RUN_EVENTS) return next >> (event - AMPEL_RUN_EVENTS);
    return event > 0 ? run >> event | next << (AMPEL_RUN_EVENTS - event) : run;
}

/* Of count events, fewer than a run has, from the one on that has the lowest bits. */
AMPEL_INLINE void contents_fetch(const struct frame_work *work, uint32_t first, uint32_t count, struct ampel_run bits) {
    const uint64_t wanted = (UINT64_C(1) << count) - 1;
    const uint64_t row = bits.same & ~bits.odd;
    for (uint64_t heads = wanted & ~bits.odd & ~(row & ~(bits.odd << 1)); heads != 0; heads &= heads - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(heads);
        days_fetch(work, first + i, (row >> i >> 1 & 1) != 0);
    }
    for (uint64_t odd = wanted & bits.odd & ~bits.outside; odd != 0; odd &= odd - 1)
        violations_fetch(event_account(work, first + (uint32_t)__builtin_ctzll(odd)));
}

/* GROUP events from the i-th one of a run on, and those of the last one's row; returns how many of the run are done then.
   0: no memory. */
AMPEL_INLINE uint32_t group_apply(const struct frame_work *given, const struct frame_work *work, uint32_t first, uint32_t i,
                                  const struct ampel_run *run) {
    const uint64_t plain = work->source.backfill ? 0 : ~run->odd, row = run->same & plain;
    const uint32_t end = i + GROUP < AMPEL_RUN_EVENTS ? i + GROUP : AMPEL_RUN_EVENTS;
    while (i < end && first + i < work->columns.events_count) {
        if ((plain >> i & 1) != 0) {
            uint32_t many = 1 + (uint32_t)__builtin_ctzll(~(row >> i >> 1));
            if (many > AHEAD) many = AHEAD;
            uint32_t passed = orders_pass(work, first + i, many);
            work->counts->applied += passed;
            i += passed;
            if (passed == many) continue;
        }
        if (!event_apply(given, first + i)) return 0;
        i++;
    }
    return i;
}

/* Whoever comes first in a frame is mostly named first: so many accounts are found beyond those of the events at hand,
   few enough for their lines to stay near until then. */
#define ACCOUNTS_AHEAD 64

/* The run of events that begins with first; what names an account that is not found yet is outside. False: no memory. */
static bool run_look(const struct frame_work *work, uint32_t first, struct ampel_columns *columns, struct ampel_run *out) {
    struct ampel_engine *engine = work->engine;
    const uint32_t accounts = work->frame->accounts_count, needed = first + AMPEL_RUN_EVENTS;
    if (needed > engine->frame_found) {
        uint32_t until = needed + ACCOUNTS_AHEAD < accounts ? needed + ACCOUNTS_AHEAD : accounts;
        if (!ampel_frame_accounts_find(engine, work->frame, until)) return false;
    }
    columns->accounts_count = engine->frame_found;
    ampel_columns_run(columns, first, out);
    return true;
}

static bool events_apply(const struct frame_work *given) {
    /* A copy that nobody else knows: its members stay in registers although accounts are written. */
    const struct frame_work copy = *given, *work = &copy;
    const uint32_t total = work->columns.events_count;
    struct ampel_columns columns = given->columns;
    struct ampel_run run, next;
    if (!run_look(given, 0, &columns, &next)) return false;
    odd_fetch(work, 0, next.odd & ~next.outside);
    contents_fetch(work, 0, AHEAD, next);
    uint32_t fetched = AHEAD;
    for (uint32_t first = 0; first < total; first += AMPEL_RUN_EVENTS, fetched -= AMPEL_RUN_EVENTS) {
        run = next;
        if (!run_look(given, first + AMPEL_RUN_EVENTS, &columns, &next)) return false;
        odd_fetch(work, first + AMPEL_RUN_EVENTS, next.odd & ~next.outside);
        for (uint32_t i = 0; i < AMPEL_RUN_EVENTS && first + i < total;) {
            struct ampel_run ahead = {bits_from(run.odd, next.odd, fetched), bits_from(run.outside, next.outside, fetched),
                                      bits_from(run.same, next.same, fetched)};
            contents_fetch(work, first + fetched, i + GROUP + AHEAD - fetched, ahead);
            fetched = i + GROUP + AHEAD;
            i = group_apply(given, work, first, i, &run);
            if (i == 0) return false;
        }
    }
    return true;
}

/* ---- the end of the step -------------------------------------------------------------------- */

static void account_cause(const struct frame_work *work, const struct ampel_touched *touched,
                          const struct ampel_numbers *after, struct ampel_cause *out) {
    struct ampel_event gathered;
    const struct ampel_event *event = &touched->violation;
    uint32_t account_index, mover = ampel_touched_mover(touched, after);
    AMPEL_ASSERT(mover >= AMPEL_MOVER_EVENT);
    if (mover != touched->violations_mover) {
        event_gather(work, mover - AMPEL_MOVER_EVENT, &account_index, &gathered);
        event = &gathered;
    }
    ampel_cause_event(work->engine, touched->slot, event, &work->source, out);
}

/* What stands beside the score: assurance, and drift from a report. */
AMPEL_APART static bool account_beside(const struct frame_work *work, struct ampel_account *account,
                                       const struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
    bool told = !work->source.backfill;
    /* What a backfill does to assurance is told with its summary. */
    if (told && touched->assurance_mover != AMPEL_MOVER_NONE) {
        struct ampel_event event;
        struct ampel_cause cause;
        uint32_t account_index, index = touched->assurance_mover - AMPEL_MOVER_EVENT;
        event_gather(work, index, &account_index, &event);
        ampel_cause_event(engine, touched->slot, &event, &work->source, &cause);
        if (!ampel_assurance_tell(engine, touched->slot, account, &cause, work->source.position)) {
            return false;
        }
    }
    if (!touched->observed) return true;
    return ampel_drift_judge(engine, touched->slot, account, &work->source, told);
}

/* What changed, what stands beside it, and what is to be said ahead of time. */
static bool account_tell(const struct frame_work *work, struct ampel_account *account,
                         const struct ampel_touched *touched, const struct ampel_numbers *after) {
    struct ampel_engine *engine = work->engine;
    bool told = !work->source.backfill && !engine->silent;
    uint32_t due = told ? ampel_changes_due(engine, &touched->before, after, touched->is_new) : 0;
    bool look = touched->nearer || touched->is_new || touched->before.colour != after->colour;
    if (touched->any_mover == AMPEL_MOVER_NONE) look = false;
    struct ampel_cause cause;
    /* Only what is green is foreseen to leave it, and asks why. */
    if (due != 0 || (told && look && after->colour == AMPEL_GREEN)) account_cause(work, touched, after, &cause);
    if (due != 0 && !ampel_changes_name(engine, touched->slot, due, &touched->before, after, touched->is_new,
                                        &cause, work->source.position)) {
        return false;
    }
    bool beside = touched->observed || touched->assurance_mover != AMPEL_MOVER_NONE;
    if (beside && !account_beside(work, account, touched)) return false;
    return engine->silent || ampel_account_warn(engine, touched->slot, account, after, !work->source.backfill, look,
                                                &cause, work->source.position);
}

/* Whether somebody else works in the account. */
AMPEL_APART static bool account_suspect(const struct frame_work *work, struct ampel_account *account,
                                        const struct ampel_touched *touched) {
    struct ampel_engine *engine = work->engine;
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
        event_gather(work, mover - AMPEL_MOVER_EVENT, &account_index, &event);
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
    struct ampel_account *account = touched->account;
    struct ampel_numbers after;
    bool stale = (account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0;
    bool orders_alone = !touched->whole && !touched->nearer;
    if (orders_alone && !work->source.backfill && !stale && ampel_touched_settle(engine, account, touched)) {
        return account_settled(work, account, touched);
    }
    ampel_touched_complete(engine, account, touched);
    /* What was too old on arrival never was: it leaves untold, once the whole frame had its say. */
    if (stale && ampel_violations_due(account->violations) <= engine->now_ms) {
        if (!ampel_account_leave(engine, touched->slot, account, touched, false)) return false;
        touched->sums = *ampel_account_sums(account);
    }
    AMPEL_ASSERT_PARANOID(memcmp(&touched->sums, ampel_account_sums(account), sizeof(touched->sums)) == 0);
    ampel_account_numbers_after(engine, account, &touched->sums, &touched->before, &after);
    ampel_account_row_mark(engine, touched->slot, account, &touched->before, &after);
    if (!ampel_account_show(engine, account, touched, &after)) return false;
    if (work->source.backfill && touched->any_mover != AMPEL_MOVER_NONE &&
        !ampel_backfill_note(engine, account, touched)) {
        return false;
    }
    if (!account_tell(work, account, touched, &after)) return false;
    bool suspect = touched->signals_mover != AMPEL_MOVER_NONE || account->watched;
    if (suspect && !account_suspect(work, account, touched)) return false;
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, touched->slot, account);
    }
    return true;
}

/* Touched accounts are finished by groups of so many: since their events came, a whole frame has passed, and what the
   next three groups need is fetched again, for the nearer ones what the lines of the step before name. */
#define FINISH_GROUP 16
#define FINISH_AHEAD (3 * FINISH_GROUP)

/* Whether all of the account is looked at. Mostly it is a violation that leaves others behind, and what is told of it is
   known without the account's second line. */
AMPEL_INLINE bool touched_deep(const struct ampel_touched *touched) {
    const struct ampel_account *account = touched->account;
    return !touched->whole || (account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0 || account->has_rare != 0;
}

/* first: of the group furthest ahead. Where there is none yet, indices of the nearer ones are beyond all. */
AMPEL_INLINE void touched_fetch(const struct ampel_engine *engine, uint32_t first) {
    const struct ampel_touched *touched = engine->touched;
    const uint32_t count = engine->touched_count, second = first - FINISH_GROUP, third = second - FINISH_GROUP;
    for (uint32_t i = first; i < first + FINISH_GROUP && i < count; i++)
        __builtin_prefetch(touched[i].account, 1);
    for (uint32_t i = second; i < first && i < count; i++)
        if (touched_deep(&touched[i])) __builtin_prefetch(&touched[i].account->violations, 1);
    for (uint32_t i = third; i < second && i < count; i++) {
        if (touched_deep(&touched[i])) violations_fetch(touched[i].account);
        if (touched[i].nearer && touched[i].before.colour == AMPEL_GREEN) ampel_leaving_fetch(engine, touched[i].account);
    }
}

/* Orders that came in passing are movers like others. */
static bool touch_finish(const struct frame_work *work, const struct ampel_touch *touch) {
    struct ampel_engine *engine = work->engine;
    struct ampel_touched *touched = &engine->touched[touch->whole - 1];
    if (touch->mover != AMPEL_MOVER_NONE) touched->shows = true;
    if (touch->mover > touched->orders_mover) touched->orders_mover = touch->mover;
    if (touch->mover > touched->any_mover) touched->any_mover = touch->mover;
    return account_finish(work, touched);
}

/* In the order of the first touches. */
static bool touches_finish(const struct frame_work *work) {
    struct ampel_engine *engine = work->engine;
    uint32_t finished = 0;
    for (uint32_t ahead = 0; ahead < FINISH_AHEAD; ahead += FINISH_GROUP)
        touched_fetch(engine, ahead);
    for (uint32_t first = 0; first < engine->touches_count; first += 64) {
        for (uint64_t whole = engine->touches_whole[first / 64]; whole != 0; whole &= whole - 1) {
            if (finished % FINISH_GROUP == 0) touched_fetch(engine, finished + FINISH_AHEAD);
            finished++;
            if (!touch_finish(work, &work->touches[first + (uint32_t)__builtin_ctzll(whole)])) return false;
        }
    }
    return true;
}

static bool frame_apply(struct frame_work *work) {
    struct ampel_engine *engine = work->engine;
    if (!ampel_frame_accounts_begin(engine, work->frame)) return false;
    if (!ampel_step_reserve(engine, work->frame->events_count)) return false;
    work_init(work);
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
    /* Member by member: the rest is work_init's. */
    struct frame_work work;
    work.engine = engine;
    work.frame = frame;
    work.source = (struct ampel_source){frame->producer, frame->sequence, frame->position, frame->backfill};
    work.counts = counts;
    if (!frame_apply(&work)) {
        engine->poisoned = true;
        return AMPEL_ENGINE_NO_MEMORY;
    }
    return AMPEL_ENGINE_OK;
}

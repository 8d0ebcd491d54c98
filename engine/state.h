/* The engine from inside: what the files of this room share.

       engine ── accounts (accounts.h) ── headers ──▶ rings, violations, facts
              ── wheel (wheel.h), pending events (pending.h), producer windows (producers.h)
              ── touches   the accounts that the present frame or instant has touched: in order of the
                           first touch, with their orders before it
              ── touched   of those of which more than orders changed, or that may have something to
                           tell: their numbers before, and what moved them
              ── instant   where advance stands inside one instant, so that it can be cut anywhere
              ── changes   what is to be told

   An account names its touch by a number that goes on from step to step, so that nothing has to be undone when
   a step ends: those of former steps are out of range, until numbers wrap, and a touch says whose it is.

   A mover says what moved an account last within a step: nothing, midnight, an expiry, or an event
   of the step by its index. Later movers are greater, so the cause of a change is a maximum. */
#ifndef AMPEL_ENGINE_STATE_H
#define AMPEL_ENGINE_STATE_H

#include "engine/accounts.h"
#include "engine/engine.h"
#include "engine/pending.h"
#include "engine/producers.h"
#include "engine/wheel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    AMPEL_MOVER_NONE = 0,
    AMPEL_MOVER_MIDNIGHT = 1,
    AMPEL_MOVER_EXPIRY = 2,
    AMPEL_MOVER_EVENT = 3
};

struct ampel_outlook;

struct ampel_touch {
    uint32_t slot;
    uint32_t orders_before;
    uint32_t mover; /* of its orders, as far as they were merged in passing (apply.c) */
    uint32_t whole; /* 1 + index among the touched, 0: its orders moved and no point with them */
};

struct ampel_touched {
    struct ampel_account *account; /* of slot */
    uint32_t slot;
    uint32_t any_mover, orders_mover, violations_mover;
    uint32_t assurance_mover; /* a profile or a day mark */
    uint32_t signals_mover;   /* what takeover signals are made of, orders aside */
    bool observed;            /* a report came */
    bool nearer;              /* what may bring its leaving green nearer (leaving.h) */
    bool shows;               /* anything but a day mark came */
    bool is_new;
    bool whole; /* before is complete; else only its orders are, as nothing else has changed yet */
    struct ampel_numbers before;
    struct ampel_violation_sums sums; /* of its violations as merge.c left them, where whole: so that who ends the step
                                         need not go where they stand */
    struct ampel_event violation; /* of violations_mover where that is an event, mostly what is told as the cause;
                                     extras are borrowed as the event's were */
};

/* Who brought the events of a step, for their causes. */
struct ampel_source {
    struct ampel_text producer;
    uint64_t sequence;
    uint64_t position;
    bool backfill;
};

struct ampel_instant {
    bool active;
    bool midnight;
    int64_t at_ms;
    uint32_t sweep_slot; /* midnight: the next slot to visit */
    uint64_t
        *keys; /* slot << 32 | index of a pending entry, UINT32_MAX for an account that is due */
    uint32_t keys_count, keys_capacity, keys_next;
    struct ampel_pending_entry *entries;
    uint32_t entries_count, entries_capacity;
    /* The violation that left the window last in the present turn. */
    char expired_id[AMPEL_ID_BYTES_MAX];
    uint8_t expired_id_size, expired_policy;
    int8_t expired_severity;
};

struct ampel_engine {
    struct ampel_pool pool;
    struct ampel_rules rules;
    struct ampel_scale scale;
    int64_t now_ms, now_day;
    uint32_t now_cell;     /* now_day mod 180 */
    uint32_t now_midnight; /* midnight.h: now_day in a byte */
    uint64_t position;
    uint32_t accounts_per_tenant_max, violations_per_account_max;
    bool poisoned, importing, silent;
    struct ampel_accounts accounts;
    struct ampel_wheel wheel;
    struct ampel_pending pending;
    struct ampel_producers producers;
    struct ampel_instant instant;
    struct ampel_touch *touches;
    uint32_t touches_count, touches_capacity;
    struct ampel_touched *touched;
    uint32_t touched_count, touched_capacity;
    uint32_t touch_first; /* what the first touch of this step is called in its account */
    uint64_t *touches_whole; /* a bit for each touch: whether it is looked at when the step ends */
    uint32_t touches_whole_capacity;
    uint32_t *frame_slots; /* of the accounts that the present frame names */
    struct ampel_account **frame_accounts; /* the same; NULL where the account is none yet */
    uint32_t frame_slots_capacity, frame_accounts_capacity;
    uint32_t frame_found; /* so many of them were looked for, the first ones */
    uint32_t frame_tenant; /* whose they are; UINT32_MAX where it is unknown yet */
    struct ampel_change *changes;
    uint32_t changes_count, changes_capacity;
    struct ampel_signal *told_signals; /* of the changes, takeover.h */
    uint32_t told_signals_count, told_signals_capacity;
    uint32_t pages_imported, accounts_promised;
    struct ampel_outlook *outlook; /* outlook_view.h; NULL until asked */
    bool other_rules; /* the import was written under other rules than the present ones */
    uint64_t violations_count, facts_count;
    /* While pages are copied in pieces (snapshot.c): who is asked before an account changes, NULL else; and how many
       accounts stood at the begin. */
    ampel_engine_before *before;
    void *before_context;
    uint32_t copied_accounts;
};

static inline struct ampel_violations_context ampel_engine_context(struct ampel_engine *engine) {
    return (struct ampel_violations_context){&engine->pool, &engine->scale, engine->now_ms,
                                             engine->violations_per_account_max};
}

/* ---- step.c: what a step touches --------------------------------------------------------------
 */

static inline const struct ampel_violation_sums *ampel_account_sums(const struct ampel_account *account) {
    static const struct ampel_violation_sums none = {0, {0}, 0, 0, {0}};
    return account->violations != NULL ? &account->violations->sums : &none;
}
static inline void ampel_account_numbers(const struct ampel_engine *engine,
                                         const struct ampel_account *account,
                                         struct ampel_numbers *out) {
    const struct ampel_violation_sums *sums = ampel_account_sums(account);
    ampel_rating_numbers(&engine->rules, account->orders, sums->deducted, sums->criticals, sums->caps, out);
}
/* The same where sums and those before are known: mostly orders earn what they earned, and a division is spared. */
static inline void ampel_account_numbers_after(const struct ampel_engine *engine,
                                               const struct ampel_account *account,
                                               const struct ampel_violation_sums *sums,
                                               const struct ampel_numbers *before,
                                               struct ampel_numbers *out) {
    bool same = account->orders == before->orders && before->order_points < INT32_MAX;
    int64_t earned = same ? before->order_points : ampel_rating_order_points(&engine->rules, account->orders);
    ampel_rating_show(&engine->rules, account->orders, earned, sums->deducted, sums->criticals, sums->caps, out);
}
/* Whether criticals, colour and risk are the same: four bytes in a row. */
static inline bool ampel_numbers_alike(const struct ampel_numbers *a, const struct ampel_numbers *b) {
    static_assert(offsetof(struct ampel_numbers, criticals) + 4 == sizeof(struct ampel_numbers), "the last four bytes");
    return ampel_load_u32(&a->criticals) == ampel_load_u32(&b->criticals);
}
/* Whether all but the orders are the same. One question: mostly something differs, and what does is anybody's guess. */
static inline bool ampel_numbers_same(const struct ampel_numbers *a, const struct ampel_numbers *b) {
    int64_t points = (a->deducted ^ b->deducted) | (a->order_points ^ b->order_points);
    int same = ampel_numbers_alike(a, b), caps = ampel_caps_same(a->caps, b->caps);
    return ((points | (a->score ^ b->score)) == 0) + same + caps == 3;
}
/* Room for so many first touches. False: no memory. */
AMPEL_MUST_CHECK bool ampel_step_reserve(struct ampel_engine *engine, uint32_t count);
/* The account's touch of this step; to be called before anything of it changes. */
static inline struct ampel_touch *ampel_step_glance(struct ampel_engine *engine, uint32_t slot,
                                                    struct ampel_account *account) {
    uint32_t place = account->touch - engine->touch_first;
    if (place < engine->touches_count && engine->touches[place].slot == slot) {
        return &engine->touches[place];
    }
    AMPEL_ASSERT(engine->touches_count < engine->touches_capacity);
    account->touch = engine->touch_first + engine->touches_count;
    struct ampel_touch *touch = &engine->touches[engine->touches_count++];
    *touch = (struct ampel_touch){slot, account->orders, AMPEL_MOVER_NONE, 0};
    return touch;
}
/* The same, to be looked at when the step ends. Borrowed until the next touch. NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_touched *ampel_step_touch(struct ampel_engine *engine, uint32_t slot,
                                                        struct ampel_account *account, bool is_new);
static inline void ampel_step_end(struct ampel_engine *engine) {
    for (uint32_t word = 0; word * 64 < engine->touches_count; word++)
        engine->touches_whole[word] = 0;
    engine->touch_first += engine->touches_count;
    engine->touches_count = engine->touched_count = 0;
}
/* Completes the numbers before; to be called before anything but orders changes. */
static inline void ampel_touched_complete(const struct ampel_engine *engine,
                                          const struct ampel_account *account,
                                          struct ampel_touched *touched) {
    if (touched->whole) return;
    const struct ampel_violation_sums *sums = ampel_account_sums(account);
    uint32_t orders = touched->before.orders;
    ampel_rating_show(&engine->rules, orders, ampel_rating_order_points(&engine->rules, orders), sums->deducted,
                      sums->criticals, sums->caps, &touched->before);
    touched->sums = *sums;
    touched->whole = true;
}
/* Settles an account of which orders alone changed, and not so that points follow: the usual case,
   in which its violations need not be looked at. False: look at everything. */
AMPEL_MUST_CHECK bool ampel_touched_settle(struct ampel_engine *engine,
                                           struct ampel_account *account,
                                           const struct ampel_touched *touched);
/* Which mover the difference of the numbers comes from. */
static inline uint32_t ampel_touched_mover(const struct ampel_touched *touched,
                                           const struct ampel_numbers *after) {
    const struct ampel_numbers *before = &touched->before;
    uint32_t mover = AMPEL_MOVER_NONE;
    /* One violation and nothing else: mostly. */
    if (touched->orders_mover == AMPEL_MOVER_NONE && touched->violations_mover == touched->any_mover)
        return touched->any_mover;
    if (before->order_points != after->order_points) mover = touched->orders_mover;
    bool violations = before->deducted != after->deducted || before->criticals != after->criticals ||
                      !ampel_caps_same(before->caps, after->caps);
    if (violations && touched->violations_mover > mover) mover = touched->violations_mover;
    return mover != AMPEL_MOVER_NONE ? mover : touched->any_mover;
}
/* Marks what of the account's row differs from before. */
static inline void ampel_account_row_mark(struct ampel_engine *engine, uint32_t slot,
                                          struct ampel_account *account,
                                          const struct ampel_numbers *before,
                                          const struct ampel_numbers *after) {
    uint32_t row = before->orders != after->orders ? AMPEL_ROW_ORDERS : 0;
    if (!ampel_numbers_same(before, after)) row |= AMPEL_ROW_NUMBERS;
    if (row != 0) ampel_account_dirty(&engine->accounts, slot, account, row);
}
/* Hangs the account where its violations, its backfill and its clocks say. */
void ampel_account_due_renew(struct ampel_engine *engine, uint32_t slot,
                             struct ampel_account *account);

/* ---- snapshot.c: copies in pieces -------------------------------------------------------------
 */

/* To be called before anything of the account, or its page, is another. False: no memory. */
AMPEL_MUST_CHECK static inline bool ampel_account_before(const struct ampel_engine *engine,
                                                         uint32_t slot) {
    return engine->before == NULL || engine->before(engine->before_context, slot);
}

/* ---- changes.c: what a step says --------------------------------------------------------------
 */

/* A blank change of the engine's present instant. NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_change *ampel_change_push(struct ampel_engine *engine, uint8_t kind,
                                                        uint32_t slot, uint64_t position,
                                                        const struct ampel_cause *cause);
/* What naming would say, a bit for each kind of change; 0 for nothing. */
uint32_t ampel_changes_due(const struct ampel_engine *engine, const struct ampel_numbers *before,
                           const struct ampel_numbers *after, bool is_new);
/* Names what is due (as above), each with the cause. False: no memory. */
AMPEL_MUST_CHECK bool ampel_changes_name(struct ampel_engine *engine, uint32_t slot, uint32_t due,
                                         const struct ampel_numbers *before,
                                         const struct ampel_numbers *after, bool is_new,
                                         const struct ampel_cause *cause, uint64_t position);
void ampel_cause_event(const struct ampel_engine *engine, uint32_t slot,
                       const struct ampel_event *event, const struct ampel_source *source,
                       struct ampel_cause *out);
void ampel_cause_time(int64_t at_ms, uint8_t kind, struct ampel_cause *out);
/* Names the violation that the cause is about. */
void ampel_cause_violation(uint8_t policy, int8_t severity, struct ampel_text id,
                           struct ampel_cause *out);

/* ---- merge.c: one event into one account ------------------------------------------------------
 */

/* Judges what a frame's bytes may still hold wrong; a cheap check for orders, ampel_event_check for
 * the rest. */
enum ampel_verdict ampel_event_tolerate(const struct ampel_event *event);
/* The event's at must not lie after now. Touches the account. */
AMPEL_MUST_CHECK enum ampel_outcome ampel_account_merge(struct ampel_engine *engine, uint32_t slot,
                                                        struct ampel_account *account,
                                                        const struct ampel_event *event,
                                                        uint32_t mover);
/* An event that waits for its time: keeps its place among the violations and stands in the queue.
 */
AMPEL_MUST_CHECK enum ampel_outcome ampel_account_defer(struct ampel_engine *engine, uint32_t slot,
                                                        struct ampel_account *account,
                                                        const struct ampel_event *event,
                                                        const struct ampel_source *source);
/* What FULL means for an event of this type. */
enum ampel_verdict ampel_full_verdict(uint8_t type);
/* A change of kind REFUSED. slot may be AMPEL_SLOT_NONE. False: no memory. */
AMPEL_MUST_CHECK bool ampel_account_refuse(struct ampel_engine *engine, uint32_t slot,
                                           const struct ampel_event *event,
                                           const struct ampel_source *source,
                                           enum ampel_verdict verdict);

/* ---- turn.c: what time alone does to one account ----------------------------------------------
 */

/* Everything due by now leaves the window or memory, with FORGOTTEN changes where told is set.
 * False: no memory. */
AMPEL_MUST_CHECK bool ampel_account_leave(struct ampel_engine *engine, uint32_t slot,
                                          struct ampel_account *account,
                                          struct ampel_touched *touched, bool told);
/* Begins or prolongs the account's backfill. False: no memory. */
AMPEL_MUST_CHECK bool ampel_backfill_note(struct ampel_engine *engine,
                                          struct ampel_account *account,
                                          const struct ampel_touched *touched);
/* The summary, if it is due now. False: no memory. */
AMPEL_MUST_CHECK bool ampel_backfill_summarize(struct ampel_engine *engine, uint32_t slot,
                                               struct ampel_account *account);

#ifdef __cplusplus
}
#endif

#endif

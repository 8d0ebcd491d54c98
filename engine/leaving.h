/* Which accounts will leave green by ageing orders alone, told 14 days before (change WILL_TURN).

   The day is that of the forecast without keep_orders (rating-model 3.12): its first step out of
   green, if orders cause it. Told once, at the first instant at which that day lies at most 14 days
   ahead: the midnight that comes so near, or the event that brings it near. Told again only after a
   midnight at which the account was green and the day lay more than 28 days ahead, or was none. That
   it was told is state: part of pages, not of digests.

   Cost. That day moves nearer only by violations, by fewer orders of a day, and by rules; time and
   more orders never bring it nearer than it was foreseen. So an account is judged when one of these
   touched it, and else on look_day alone, which is in its header: 14 days before the day. Judging
   asks a bound first, that no violation leaves: one that has none costing it points has no such day
   (as long as rules.start lies in the green), for others the 60 oldest days of the ring tell; where
   none of them does it, the account is looked at again when they have gone. Only below 28 days is the
   forecast walked. What was told is judged every midnight. */
#ifndef AMPEL_ENGINE_LEAVING_H
#define AMPEL_ENGINE_LEAVING_H

#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_LEAVING_DAYS       14
#define AMPEL_LEAVING_AGAIN_DAYS 28
#define AMPEL_LEAVING_LOOK_DAYS  60 /* so many at most are looked at */
#define AMPEL_LEAVING_LOOKS      65535
#define AMPEL_LEAVING_NEVER      0 /* no day to look on */

/* What stands in account->look_day for a day: told from others within one round of 65 535 days. */
static inline uint16_t ampel_leaving_look(int64_t day) {
    return (uint16_t)(1 + day % AMPEL_LEAVING_LOOKS);
}
/* Whether the midnight that has just begun is the account's. */
static inline bool ampel_leaving_due(const struct ampel_engine *engine,
                                     const struct ampel_account *account) {
    return account->look_day == ampel_leaving_look(engine->now_day);
}

/* The cell of the window's oldest day, which leaves at the next midnight. */
static inline uint32_t ampel_leaving_cell(const struct ampel_engine *engine) {
    uint32_t cell = engine->now_cell + AMPEL_WINDOW_CELLS + 1 - (uint32_t)engine->rules.window_days;
    return cell < AMPEL_WINDOW_CELLS ? cell : cell - AMPEL_WINDOW_CELLS;
}
/* Fetches what looking ahead reads of an account whose first line is near: mostly two lines of days. */
AMPEL_INLINE void ampel_leaving_fetch(const struct ampel_engine *engine, const struct ampel_account *account) {
    if (account->window.ring == NULL) return;
    uint32_t cell = ampel_leaving_cell(engine), last = cell + AMPEL_LEAVING_LOOK_DAYS - 1;
    __builtin_prefetch(ampel_window_place(&account->window, cell));
    __builtin_prefetch(ampel_window_place(&account->window, last < AMPEL_WINDOW_CELLS ? last : last - AMPEL_WINDOW_CELLS));
}
/* Of a green account, from which so much is deducted: looks ahead, and tells. False: no memory. */
AMPEL_MUST_CHECK bool ampel_leaving_foresee(struct ampel_engine *engine, uint32_t slot,
                                            struct ampel_account *account, int64_t deducted,
                                            const struct ampel_cause *cause, uint64_t position);
/* The same of any account, whose numbers these are. told is false for frames of a backfill: its summary is judged. */
AMPEL_MUST_CHECK static inline bool ampel_leaving_judge(struct ampel_engine *engine, uint32_t slot,
                                                        struct ampel_account *account,
                                                        const struct ampel_numbers *numbers, bool told,
                                                        const struct ampel_cause *cause, uint64_t position) {
    account->look_day = AMPEL_LEAVING_NEVER;
    /* A return to green is judged when it comes. */
    if (!told || numbers->colour != AMPEL_GREEN) return true;
    return ampel_leaving_foresee(engine, slot, account, numbers->deducted, cause, position);
}
/* After an import: when to look next, by the bound alone. */
void ampel_leaving_renew(struct ampel_engine *engine, struct ampel_account *account);

#ifdef __cplusplus
}
#endif

#endif

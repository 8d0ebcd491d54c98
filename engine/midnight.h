/* Which accounts the next midnights concern.

       chunk      midnights[512], a byte an account: the day of the next midnight at which something of it
                  may leave, modulo 255 and plus 1; 0 where nothing can
       window     midnight, a copy in the account's first line: an order asks there, and mostly leaves both alone

   A day in a byte is never later than the truth, so that a midnight looks at the accounts that name it
   and at no other. It comes nearer with what comes (ampel_midnight_by) and is found anew when the midnight
   has passed (ampel_midnight_renew), no further than the ring's line of memory goes: whoever sells seldom is
   looked at once a line for nothing. What leaves at midnight are days of orders, facts, and what is told ahead of
   time (leaving.h); accounts with facts are looked at every midnight. */
#ifndef AMPEL_ENGINE_MIDNIGHT_H
#define AMPEL_ENGINE_MIDNIGHT_H

#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_MIDNIGHT_CODES 255
/* None is named that is further ahead: so orders that come late seldom bring nearer what is named. */
#define AMPEL_MIDNIGHT_AHEAD_MAX 128
static_assert(AMPEL_MIDNIGHT_AHEAD_MAX < AMPEL_MIDNIGHT_CODES, "codes do not meet");

static inline uint8_t ampel_midnight_code(int64_t day) {
    return (uint8_t)(1 + day % AMPEL_MIDNIGHT_CODES);
}

/* How many midnights ahead the account is to be looked at, 1 to 255; 255 where today's is not over, too. */
static inline uint32_t ampel_midnight_ahead(const struct ampel_engine *engine,
                                            const struct ampel_account *account) {
    uint32_t code = account->window.midnight, today = engine->now_midnight;
    return code > today ? code - today : code + AMPEL_MIDNIGHT_CODES - today;
}

static inline void ampel_midnight_set(struct ampel_engine *engine, uint32_t slot,
                                      struct ampel_account *account, uint8_t code) {
    account->window.midnight = code;
    engine->accounts.chunks[slot / AMPEL_CHUNK_ACCOUNTS]->midnights[slot % AMPEL_CHUNK_ACCOUNTS] = code;
}

/* Something of the account leaves so many midnights ahead, 1 to AMPEL_MIDNIGHT_AHEAD_MAX. */
static inline void ampel_midnight_by(struct ampel_engine *engine, uint32_t slot,
                                     struct ampel_account *account, uint32_t ahead) {
    AMPEL_ASSERT(ahead >= 1 && ahead <= AMPEL_MIDNIGHT_AHEAD_MAX);
    if (account->window.midnight != 0 && ampel_midnight_ahead(engine, account) <= ahead) return;
    uint32_t code = engine->now_midnight + ahead;
    ampel_midnight_set(engine, slot, account,
                       (uint8_t)(code > AMPEL_MIDNIGHT_CODES ? code - AMPEL_MIDNIGHT_CODES : code));
}

/* The same of a day of orders, by its cell; at once where it is of the weeks before today, as most are. */
static inline void ampel_midnight_orders(struct ampel_engine *engine, uint32_t slot,
                                         struct ampel_account *account, uint32_t cell) {
    uint32_t age_days = engine->now_cell - cell + (engine->now_cell < cell ? AMPEL_WINDOW_CELLS : 0);
    uint32_t days = (uint32_t)engine->rules.window_days;
    if (age_days + AMPEL_MIDNIGHT_AHEAD_MAX <= days && account->window.midnight != 0) return;
    uint32_t ahead = (age_days < days ? days : AMPEL_WINDOW_CELLS) - age_days;
    ampel_midnight_by(engine, slot, account, ahead < AMPEL_MIDNIGHT_AHEAD_MAX ? ahead : AMPEL_MIDNIGHT_AHEAD_MAX);
}

/* Finds it anew: the midnight has passed, the account was read, or other rules hold. */
void ampel_midnight_renew(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account);

/* Would the midnight that has just begun change anything? Reads two cells of the ring. */
bool ampel_midnight_due(const struct ampel_engine *engine, const struct ampel_account *account);
/* The whole midnight of an account of which only orders leave that were worth no point: most. False:
   nothing was done. */
AMPEL_MUST_CHECK bool ampel_midnight_pass(struct ampel_engine *engine, uint32_t slot,
                                          struct ampel_account *account);
/* Days of orders and facts leave; the rest is for the turn to tell. */
void ampel_midnight_leave(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                          struct ampel_touched *touched);

/* The next slot from this one on, below end, that the midnight concerns by its byte; end where none is.
   Both lie in one chunk. */
uint32_t ampel_midnight_next(const struct ampel_engine *engine, uint32_t slot, uint32_t end);

/* That no account would be overlooked by the next midnights; slow, for paranoid builds and tests. */
bool ampel_midnights_sane(const struct ampel_engine *engine);

#ifdef __cplusplus
}
#endif

#endif

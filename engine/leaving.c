#include "engine/leaving.h"

#include <assert.h>

#include "engine/assurance.h"
#include "engine/midnight.h"
#include "engine/outlook_view.h"
#include "engine/window.h"

static_assert(AMPEL_LEAVING_LOOK_DAYS > AMPEL_LEAVING_AGAIN_DAYS, "what is told again is seen");

/* ---- the bound ------------------------------------------------------------------------------ */

static int64_t deducted_of(const struct ampel_account *account) {
    return account->violations != NULL ? account->violations->sums.deducted : 0;
}

/* The least orders with which it is green, as long as no violation leaves. What effects take from
   the score ends by itself and is left out; it is green now, so its orders suffice. */
static uint32_t orders_needed(const struct ampel_engine *engine, const struct ampel_account *account,
                              int64_t deducted) {
    const struct ampel_rules *rules = &engine->rules;
    int64_t points = rules->band_green - rules->start + deducted;
    int64_t each = rules->orders_points, block = rules->orders_block, needed;
    if (points <= 0) return 0;
    if (each == 0) return account->orders;
    if (rules->orders_rounding == AMPEL_ROUNDING_LINEAR)
        needed = (points * block + each - 1) / each;
    else
        needed = (points + each - 1) / each * block;
    return needed < account->orders ? (uint32_t)needed : account->orders;
}

/* No midnight before the one at which this day begins takes the account from green; INT64_MAX: none
   ever does. Looks so far ahead that few accounts are looked at again on a day. */
static int64_t day_least(const struct ampel_engine *engine, const struct ampel_account *account, int64_t deducted) {
    if (ampel_rating_raw(&engine->rules, 0, deducted) >= engine->rules.band_green) {
        return INT64_MAX;
    }
    uint32_t needed = orders_needed(engine, account, deducted), orders = account->orders;
    uint32_t days = (uint32_t)engine->rules.window_days;
    uint32_t ahead = days < AMPEL_LEAVING_LOOK_DAYS ? days : AMPEL_LEAVING_LOOK_DAYS;
    uint32_t cell = ampel_leaving_cell(engine);
    /* Mostly all of these days together leave enough. */
    uint32_t last = (cell + ahead - 1) % AMPEL_WINDOW_CELLS;
    if (orders - ampel_window_sum(&account->window, last, ahead) >= needed)
        return ahead < days ? engine->now_day + ahead + 1 : INT64_MAX;
    for (uint32_t day = 1; day <= ahead; day++) {
        orders -= ampel_day_total(ampel_window_get(&account->window, cell));
        if (orders < needed) return engine->now_day + day;
        cell = cell + 1 < AMPEL_WINDOW_CELLS ? cell + 1 : 0;
    }
    return ahead < days ? engine->now_day + ahead + 1 : INT64_MAX;
}

/* ---- the day -------------------------------------------------------------------------------- */

static bool backfilling(const struct ampel_account *account) {
    return account->rare != NULL && account->rare->backfill != NULL;
}

static bool is_green(const struct ampel_engine *engine, const struct ampel_account *account) {
    struct ampel_numbers numbers;
    ampel_account_numbers(engine, account, &numbers);
    return numbers.colour == AMPEL_GREEN;
}

static bool name(struct ampel_engine *engine, uint32_t slot, const struct ampel_account *account,
                 const struct ampel_outlook_leaving *leaving, const struct ampel_cause *cause,
                 uint64_t position) {
    struct ampel_change *change =
        ampel_change_push(engine, AMPEL_CHANGE_WILL_TURN, slot, position, cause);
    if (change == NULL) return false;
    ampel_account_numbers(engine, account, &change->before);
    change->after = change->before;
    change->deadline_ms = leaving->at_ms;
    change->amount = leaving->score;
    return true;
}

static void told_set(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                     bool told) {
    account->assured = (uint8_t)(account->assured & ~AMPEL_ASSURED_LEAVING);
    if (told) account->assured |= AMPEL_ASSURED_LEAVING;
    ampel_account_dirty(&engine->accounts, slot, account, 0);
}

/* The account is looked at again at the midnight that begins a day. */
static void look_set(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account, int64_t day) {
    int64_t ahead = day - engine->now_day;
    account->look_day = ampel_leaving_look(day);
    ampel_midnight_by(engine, slot, account,
                      (uint32_t)(ahead < AMPEL_MIDNIGHT_AHEAD_MAX ? ahead : AMPEL_MIDNIGHT_AHEAD_MAX));
}

bool ampel_leaving_foresee(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account, int64_t deducted,
                           const struct ampel_cause *cause, uint64_t position) {
    bool was = (account->assured & AMPEL_ASSURED_LEAVING) != 0;
    int64_t today = engine->now_day;
    bool midnight = engine->instant.active && engine->instant.midnight;
    if (was && !midnight) {
        look_set(engine, slot, account, today + 1);
        return true;
    }
    int64_t day = day_least(engine, account, deducted);
    struct ampel_outlook_leaving leaving = {.at_ms = INT64_MAX};
    if (day - today <= (was ? AMPEL_LEAVING_AGAIN_DAYS : AMPEL_LEAVING_DAYS)) {
        if (ampel_outlook_leaving(engine, slot, &leaving) != AMPEL_ENGINE_OK) return false;
        day = leaving.at_ms == INT64_MAX ? INT64_MAX : leaving.at_ms / AMPEL_DAY_MS;
    }
    if (was && day - today <= AMPEL_LEAVING_AGAIN_DAYS) {
        look_set(engine, slot, account, today + 1);
        return true;
    }
    if (was) told_set(engine, slot, account, false);
    if (day == INT64_MAX) return true;
    if (day - today > AMPEL_LEAVING_DAYS) {
        look_set(engine, slot, account, day - AMPEL_LEAVING_DAYS);
        return true;
    }
    look_set(engine, slot, account, today + 1);
    told_set(engine, slot, account, true);
    return name(engine, slot, account, &leaving, cause, position);
}

void ampel_leaving_renew(struct ampel_engine *engine, struct ampel_account *account) {
    int64_t tomorrow = engine->now_day + 1;
    account->look_day = AMPEL_LEAVING_NEVER;
    if (backfilling(account) || !is_green(engine, account)) return;
    bool was = (account->assured & AMPEL_ASSURED_LEAVING) != 0;
    int64_t day = was ? tomorrow : day_least(engine, account, deducted_of(account));
    if (day == INT64_MAX) return;
    day -= was ? 0 : AMPEL_LEAVING_DAYS;
    account->look_day = ampel_leaving_look(day > tomorrow ? day : tomorrow);
}

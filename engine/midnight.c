#include "engine/midnight.h"

#include "engine/assurance.h"
#include "engine/leaving.h"
#include "engine/load.h"
#include "engine/window.h"

static uint32_t less(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* ---- when ----------------------------------------------------------------------------------- */

/* The first day of orders from so many days after the one that leaves the ring next, or the first of which
   the cell lies in another line of memory than the one before it: that is asked when it has come. */
static uint32_t orders_first(const struct ampel_engine *engine, const struct ampel_window *window,
                             uint32_t from) {
    uint32_t left = engine->now_cell + from, gap = AMPEL_WINDOW_CELLS;
    if (left >= AMPEL_WINDOW_CELLS) left -= AMPEL_WINDOW_CELLS;
    uint32_t cell = left + 1 < AMPEL_WINDOW_CELLS ? left + 1 : 0;
    if (window->ring != NULL) gap = ampel_window_gap(window, cell, ampel_window_line(window, left) - 1);
    uint32_t first = from + gap;
    if (window->near == 0) return first;
    uint32_t near = window->near_cell + AMPEL_WINDOW_CELLS - (engine->now_cell + 1);
    if (near >= AMPEL_WINDOW_CELLS) near -= AMPEL_WINDOW_CELLS;
    return near >= from ? less(first, near) : first;
}

static uint32_t leaving_ahead(const struct ampel_engine *engine, const struct ampel_account *account) {
    if (account->look_day == 0) return AMPEL_MIDNIGHT_AHEAD_MAX;
    uint32_t today = ampel_leaving_look(engine->now_day), look = account->look_day;
    uint32_t ahead = look >= today ? look - today : look + AMPEL_LEAVING_LOOKS - today;
    /* Today's is over. */
    return ahead == 0 ? AMPEL_MIDNIGHT_AHEAD_MAX : less(ahead, AMPEL_MIDNIGHT_AHEAD_MAX);
}

/* A day leaves what the rule counts, and then the ring. */
static uint32_t orders_ahead(const struct ampel_engine *engine, const struct ampel_window *window) {
    uint32_t beyond = AMPEL_WINDOW_CELLS - (uint32_t)engine->rules.window_days;
    if (window->ring == NULL && window->near == 0) return AMPEL_MIDNIGHT_AHEAD_MAX;
    uint32_t ahead = orders_first(engine, window, beyond) - beyond + 1;
    return beyond == 0 ? ahead : less(ahead, orders_first(engine, window, 0) + 1);
}

void ampel_midnight_renew(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account) {
    const struct ampel_window *window = &account->window;
    bool facts = account->has_rare != 0 && account->rare->facts != NULL;
    uint32_t ahead = AMPEL_MIDNIGHT_AHEAD_MAX;
    if (window->ring == NULL && window->near == 0 && account->look_day == 0 && !facts) {
        ampel_midnight_set(engine, slot, account, 0);
        return;
    }
    if (facts)
        ahead = 1;
    else
        ahead = less(orders_ahead(engine, window), leaving_ahead(engine, account));
    account->window.midnight = 0;
    ampel_midnight_by(engine, slot, account, ahead);
}

/* ---- what ----------------------------------------------------------------------------------- */

/* The cell of the day that has just left the rule's window. */
static uint32_t leaving_cell(const struct ampel_engine *engine) {
    uint32_t cell = engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)engine->rules.window_days;
    return cell < AMPEL_WINDOW_CELLS ? cell : cell - AMPEL_WINDOW_CELLS;
}

bool ampel_midnight_due(const struct ampel_engine *engine, const struct ampel_account *account) {
    if (account->has_rare != 0 && account->rare->facts != NULL) return true;
    if (ampel_leaving_due(engine, account)) return true;
    return ampel_window_get(&account->window, leaving_cell(engine)) != 0 ||
           ampel_window_get(&account->window, engine->now_cell) != 0;
}

/* Orders that were worth anything have left. */
static uint32_t orders_leave(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account) {
    struct ampel_window *window = &account->window;
    uint32_t leaving = ampel_day_total(ampel_window_get(window, leaving_cell(engine)));
    account->orders -= leaving;
    /* The day that begins takes the cell of the day 180 before. */
    if (ampel_window_get(window, engine->now_cell) != 0) {
        ampel_window_drop(window, engine->now_cell);
        ampel_account_dirty(&engine->accounts, slot, account, 0);
    }
    if (account->orders == 0) ampel_window_trim(&engine->pool, window);
    return leaving;
}

bool ampel_midnight_pass(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account) {
    if (account->has_rare != 0 || account->watched != 0 || ampel_leaving_due(engine, account)) return false;
    if ((account->flags & AMPEL_ACCOUNT_ELIGIBLE) != 0) return false;
    if ((account->assured & AMPEL_ASSURED_ELIGIBLE) != 0) return false;
    uint32_t leaving = ampel_day_total(ampel_window_get(&account->window, leaving_cell(engine)));
    if (!ampel_rating_orders_quiet(&engine->rules, account->orders - leaving, leaving)) return false;
    if (orders_leave(engine, slot, account) > 0)
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_ORDERS);
    return true;
}

void ampel_midnight_leave(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                          struct ampel_touched *touched) {
    if (orders_leave(engine, slot, account) > 0) touched->orders_mover = AMPEL_MOVER_MIDNIGHT;
    if (account->rare != NULL && account->rare->facts != NULL) {
        uint32_t gone = ampel_facts_forget(&account->rare->facts, &engine->pool, engine->now_day);
        engine->facts_count -= gone;
        if (gone > 0) ampel_account_dirty(&engine->accounts, slot, account, 0);
    }
}

/* ---- who ------------------------------------------------------------------------------------ */

uint32_t ampel_midnight_next(const struct ampel_engine *engine, uint32_t slot, uint32_t end) {
    AMPEL_ASSERT(slot < end && (end - 1) / AMPEL_CHUNK_ACCOUNTS == slot / AMPEL_CHUNK_ACCOUNTS);
    const uint8_t *bytes = engine->accounts.chunks[slot / AMPEL_CHUNK_ACCOUNTS]->midnights;
    const uint64_t ones = UINT64_C(0x0101010101010101), today = ones * engine->now_midnight;
    for (; slot < end && slot % 8 != 0; slot++) {
        if (bytes[slot % AMPEL_CHUNK_ACCOUNTS] == engine->now_midnight) return slot;
    }
    for (; slot < end; slot += 8) {
        /* The lowest byte that is 0 is the lowest with this bit. */
        uint64_t word = ampel_load_u64(bytes + slot % AMPEL_CHUNK_ACCOUNTS) ^ today;
        uint64_t found = (word - ones) & ~word & ones << 7;
        if (found == 0) continue;
        slot += (uint32_t)__builtin_ctzll(found) / 8;
        return slot < end ? slot : end;
    }
    return end;
}

/* ---- the drawing, asserted ------------------------------------------------------------------ */

/* How many midnights ahead something leaves, found day by day. */
static uint32_t ahead_naive(const struct ampel_engine *engine, const struct ampel_account *account) {
    if (account->has_rare != 0 && account->rare->facts != NULL) return 1;
    for (uint32_t ahead = 1; ahead <= AMPEL_WINDOW_CELLS; ahead++) {
        int64_t day = engine->now_day + ahead;
        uint32_t days = (uint32_t)engine->rules.window_days;
        uint32_t drops = (uint32_t)(day % AMPEL_WINDOW_CELLS);
        uint32_t leaves = (drops + AMPEL_WINDOW_CELLS - days) % AMPEL_WINDOW_CELLS;
        bool old = ampel_window_get(&account->window, drops) != 0;
        /* A cell of a day that has not come yet is empty, or that of the day 180 before. */
        bool counted = ahead <= days && ampel_window_get(&account->window, leaves) != 0;
        if (old || counted || account->look_day == ampel_leaving_look(day)) return ahead;
    }
    return UINT32_MAX;
}

bool ampel_midnights_sane(const struct ampel_engine *engine) {
    for (uint32_t slot = 0; slot < engine->accounts.count; slot++) {
        const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
        const struct ampel_chunk *chunk = engine->accounts.chunks[slot / AMPEL_CHUNK_ACCOUNTS];
        if (chunk->midnights[slot % AMPEL_CHUNK_ACCOUNTS] != account->window.midnight) return false;
        uint32_t ahead = ahead_naive(engine, account);
        if (ahead == UINT32_MAX) continue;
        if (account->window.midnight == 0 || ampel_midnight_ahead(engine, account) > ahead) return false;
    }
    return true;
}

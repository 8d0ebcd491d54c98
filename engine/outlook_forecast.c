/* What the score will be if nothing new happens (rating-model 3.12).

   A walk from instant to instant, each the nearer of the next midnight and the next expiry. Ranks
   do not change on the way: u's leaving the window leaves r(v) as it is. */
#include "engine/outlook.h"

#include <string.h>

#include "engine/outlook_view.h"
#include "engine/sort.h"
#include "engine/window.h"

#define KEEP_DAYS 28

struct walk {
    const struct ampel_engine *engine;
    const struct ampel_outlook *outlook;
    struct ampel_outlook_sums sums;
    struct ampel_numbers numbers; /* after the last instant */
    int64_t at_ms, until_ms;
    int64_t midnight_ms;   /* the next one; INT64_MAX: none matters any more */
    int64_t expires_ms;    /* the next expiry; INT64_MAX: none is left */
    struct ampel_window_days days; /* that have orders */
    uint32_t orders, kept; /* kept: what every day after today brings */
    uint32_t expiries_count, expiries_next;
};

/* keys are at << 16 | item: ascending by expiry, as all have the window in common. */
static bool expiries_sort(struct ampel_engine *engine, struct ampel_outlook *outlook,
                          uint32_t *count) {
    const struct ampel_outlook_view *view = &outlook->view;
    *count = 0;
    if (view->count == 0) return true;
    uint64_t *keys = ampel_pool_grow(&engine->pool, outlook->keys, &outlook->keys_capacity,
                                     view->count, sizeof(*keys));
    if (keys == NULL) return false;
    outlook->keys = keys;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        if (!item->deducting && !item->capped) continue;
        keys[(*count)++] = (uint64_t)item->at_ms << 16 | i;
    }
    ampel_sort_u64(keys, *count);
    return true;
}

/* The orders of a day of the past 180, today among them. */
static uint32_t orders_of(const struct walk *walk, int64_t day) {
    const struct ampel_account *account = walk->outlook->view.account;
    int64_t age_days = walk->engine->now_day - day;
    if (age_days < 0 || age_days >= AMPEL_WINDOW_CELLS) return 0;
    uint32_t cell = (uint32_t)((uint64_t)day % AMPEL_WINDOW_CELLS);
    return ampel_day_total(ampel_window_get(&account->window, cell));
}

static const struct ampel_outlook_item *item_of(const struct walk *walk, uint32_t expiry) {
    return &walk->outlook->view.items[walk->outlook->keys[expiry] & 0xffff];
}

/* The next expiry, INT64_MAX where none is left. */
static int64_t expiry_ms(const struct walk *walk) {
    if (walk->expiries_next == walk->expiries_count) return INT64_MAX;
    return item_of(walk, walk->expiries_next)->at_ms + walk->engine->scale.window_ms;
}

/* The midnight, from that of a day on, at which orders move; INT64_MAX: at none. Where new days bring nothing these are those that
   a day with orders leaves at. */
static int64_t midnight_from(const struct walk *walk, int64_t day) {
    if (walk->kept > 0) return day * AMPEL_DAY_MS;
    int64_t leaves = day - walk->engine->rules.window_days;
    uint32_t ahead = ampel_window_days_ahead(&walk->days, (uint32_t)((uint64_t)(leaves + AMPEL_WINDOW_CELLS) % AMPEL_WINDOW_CELLS));
    /* What comes behind today's cell are days that have left. */
    return leaves + ahead <= walk->engine->now_day ? (day + ahead) * AMPEL_DAY_MS : INT64_MAX;
}

static bool walk_init(struct walk *walk, struct ampel_engine *engine, uint32_t slot,
                      bool keep_orders) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot)) return false;
    memset(walk, 0, sizeof(*walk));
    if (!expiries_sort(engine, outlook, &walk->expiries_count)) return false;
    walk->engine = engine;
    walk->outlook = outlook;
    walk->sums = ampel_outlook_sums_now(&outlook->view);
    walk->numbers = outlook->view.numbers;
    walk->at_ms = engine->now_ms;
    walk->until_ms = engine->now_ms + engine->scale.window_ms;
    walk->expires_ms = expiry_ms(walk);
    walk->orders = outlook->view.account->orders;
    ampel_window_days(&outlook->view.account->window, &walk->days);
    uint64_t sum = 0;
    for (int64_t day = engine->now_day - KEEP_DAYS; keep_orders && day < engine->now_day; day++)
        sum += orders_of(walk, day);
    walk->kept = (uint32_t)(sum / KEEP_DAYS);
    walk->midnight_ms = midnight_from(walk, engine->now_day + 1);
    return true;
}

/* Takes out what leaves at the walk's instant; tells it in the step where it counts for something:
   a cap that only flags moves no score. */
static void violations_leave(struct walk *walk, struct ampel_outlook_step *step) {
    int64_t most = -1;
    for (; walk->expires_ms == walk->at_ms; walk->expires_ms = expiry_ms(walk)) {
        const struct ampel_outlook_item *item = item_of(walk, walk->expiries_next);
        uint32_t place = (uint32_t)(walk->outlook->keys[walk->expiries_next++] & 0xffff);
        ampel_outlook_sums_take(&walk->sums, item);
        bool deducted = item->deducting && (item->points > 0 || item->critical);
        bool capped = item->capped && walk->engine->rules.cap_effect == AMPEL_CAP_ZERO;
        if (!deducted && !capped) continue;
        int64_t points = deducted ? item->points : 0;
        step->causes |= AMPEL_STEP_VIOLATION;
        step->violations_count++;
        step->points += points;
        if (points <= most) continue;
        most = points;
        step->policy = item->policy;
        step->id = ampel_outlook_item_id(&walk->outlook->view, place);
    }
}

/* The day that has just begun brings its orders, the one that leaves takes its own along: that one
   lies at most W back from the last instant, so not after today. Whether what orders earn moved. */
static bool midnight_pass(struct walk *walk) {
    const struct ampel_rules *rules = &walk->engine->rules;
    uint32_t before = walk->orders;
    int64_t day = walk->midnight_ms / AMPEL_DAY_MS;
    walk->orders += walk->kept;
    walk->orders -= orders_of(walk, day - rules->window_days);
    walk->midnight_ms = midnight_from(walk, day + 1);
    if (walk->orders == before) return false;
    return ampel_rating_order_points(rules, walk->orders) != ampel_rating_order_points(rules, before);
}

/* Moves to the next step. False at the end. */
static bool walk_next(struct walk *walk, struct ampel_outlook_step *step) {
    for (;;) {
        bool leave = walk->expires_ms <= walk->midnight_ms;
        walk->at_ms = leave ? walk->expires_ms : walk->midnight_ms;
        if (walk->at_ms > walk->until_ms) return false;
        bool moved = walk->at_ms == walk->midnight_ms && midnight_pass(walk);
        if (!leave && !moved) continue;
        *step = (struct ampel_outlook_step){.at_ms = walk->at_ms, .policy = 255};
        violations_leave(walk, step);
        struct ampel_numbers before = walk->numbers;
        ampel_rating_numbers(&walk->engine->rules, walk->orders, walk->sums.deducted,
                             walk->sums.criticals, walk->sums.caps, &walk->numbers);
        if (walk->numbers.order_points != before.order_points) step->causes |= AMPEL_STEP_ORDERS;
        if (walk->numbers.score == before.score) continue;
        step->score = walk->numbers.score;
        step->order_points = walk->numbers.order_points;
        step->colour = walk->numbers.colour;
        step->risk = walk->numbers.risk;
        return true;
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

enum ampel_engine_status ampel_outlook_forecast(struct ampel_engine *engine, uint32_t slot,
                                                bool keep_orders,
                                                const struct ampel_outlook_step **out,
                                                uint32_t *count) {
    struct walk walk;
    if (!walk_init(&walk, engine, slot, keep_orders)) return AMPEL_ENGINE_NO_MEMORY;
    struct ampel_outlook *outlook = engine->outlook;
    struct ampel_outlook_step step;
    uint32_t steps_count = 0;
    while (walk_next(&walk, &step)) {
        struct ampel_outlook_step *steps =
            ampel_pool_grow(&engine->pool, outlook->steps, &outlook->steps_capacity,
                            steps_count + 1, sizeof(*steps));
        if (steps == NULL) return AMPEL_ENGINE_NO_MEMORY;
        outlook->steps = steps;
        steps[steps_count++] = step;
    }
    *out = outlook->steps;
    *count = steps_count;
    return AMPEL_ENGINE_OK;
}

void ampel_outlook_turns_of(uint8_t colour, const struct ampel_outlook_step *steps, uint32_t count,
                            struct ampel_outlook_turns *out) {
    bool green = colour == AMPEL_GREEN;
    *out = (struct ampel_outlook_turns){INT64_MAX, INT64_MAX, {INT64_MAX, INT64_MAX, INT64_MAX}};
    if (count > 0) out->next_change_at_ms = steps[0].at_ms;
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_outlook_step *step = &steps[i];
        if (green && step->colour != AMPEL_GREEN && out->leaves_green_at_ms == INT64_MAX) {
            out->leaves_green_at_ms = step->at_ms;
        }
        if (step->colour != colour && out->turns_at_ms[step->colour] == INT64_MAX) {
            out->turns_at_ms[step->colour] = step->at_ms;
        }
        colour = step->colour;
    }
}

enum ampel_engine_status ampel_outlook_turns(struct ampel_engine *engine, uint32_t slot,
                                             struct ampel_outlook_turns *out) {
    const struct ampel_outlook_step *steps;
    uint32_t count;
    if (ampel_outlook_forecast(engine, slot, false, &steps, &count) != AMPEL_ENGINE_OK)
        return AMPEL_ENGINE_NO_MEMORY;
    ampel_outlook_turns_of(engine->outlook->view.numbers.colour, steps, count, out);
    return AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_outlook_next_change(struct ampel_engine *engine, uint32_t slot,
                                                   int64_t *at_ms) {
    struct walk walk;
    struct ampel_outlook_step step;
    if (!walk_init(&walk, engine, slot, false)) return AMPEL_ENGINE_NO_MEMORY;
    *at_ms = walk_next(&walk, &step) ? step.at_ms : INT64_MAX;
    return AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_outlook_leaving(struct ampel_engine *engine, uint32_t slot,
                                               struct ampel_outlook_leaving *out) {
    struct walk walk;
    struct ampel_outlook_step step;
    if (!walk_init(&walk, engine, slot, false)) return AMPEL_ENGINE_NO_MEMORY;
    *out = (struct ampel_outlook_leaving){.at_ms = INT64_MAX};
    if (walk.numbers.colour != AMPEL_GREEN) return AMPEL_ENGINE_OK;
    while (walk_next(&walk, &step)) {
        if (step.colour == AMPEL_GREEN) continue;
        if ((step.causes & AMPEL_STEP_ORDERS) == 0) break;
        *out = (struct ampel_outlook_leaving){step.at_ms, step.score};
        break;
    }
    return AMPEL_ENGINE_OK;
}

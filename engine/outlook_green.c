/* The set of violations whose approval brings an account back to green (rating-model 3.13).

   Up to 16 deducting violations every set is tried, smaller ones first. Beyond, a greedy choice:
   what must go in any case (criticals and the surplus of a cap where they hold the score down),
   then what gives back most, in at most 64 rounds that each look at all anew; the last round is
   halved down to the fewest that do. Where the ranks of others do not move, as under the anchored
   default, no smaller set exists. */
#include "engine/outlook.h"

#include <string.h>

#include "engine/outlook_view.h"
#include "engine/records.h"
#include "engine/sort.h"

#define ROUNDS 64
/* Gains lie within +-2^47: 65 535 violations of at most 10^9 points. */
#define GAIN_OFFSET (INT64_C(1) << 47)

static_assert(INT64_C(65535) * AMPEL_VIOLATION_POINTS_MAX < GAIN_OFFSET, "a gain fits its key");

struct choice {
    const struct ampel_engine *engine;
    struct ampel_outlook *outlook;
    struct ampel_outlook_view *view;
    struct ampel_outlook_sums sums;    /* with what is chosen */
    struct ampel_outlook_outcome then; /* likewise */
};

static bool green(const struct choice *choice) {
    return choice->then.score >= choice->engine->rules.band_green;
}

/* ---- candidates by id ----------------------------------------------------------------------- */

static bool id_before(const struct ampel_outlook_view *view, uint32_t a, uint32_t b) {
    return ampel_text_compare(ampel_outlook_item_id(view, a), ampel_outlook_item_id(view, b)) < 0;
}

#define SORT_TYPE         uint32_t
#define SORT_BEFORE(a, b) id_before(context, *(a), *(b))
#include "engine/sort_heap.h"

static void candidates_sort(const struct ampel_outlook_view *view, uint32_t *items) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->items[i].deducting) items[count++] = i;
    }
    sort_heap(items, count, view);
}

/* ---- all sets of few ------------------------------------------------------------------------ */

struct sets {
    uint32_t count;
    const struct ampel_outlook_item *items[AMPEL_OUTLOOK_EXACT_MAX];
    uint32_t lowered_by[AMPEL_OUTLOOK_EXACT_MAX]; /* candidates that lower the rank of this one */
};

static void sets_init(struct sets *sets, const struct ampel_outlook *outlook) {
    const struct ampel_outlook_view *view = &outlook->view;
    memset(sets, 0, sizeof(*sets));
    sets->count = view->candidates;
    for (uint32_t i = 0; i < sets->count; i++) {
        uint32_t index = outlook->candidates[i];
        sets->items[i] = &view->items[index];
        for (uint32_t k = 0; k < sets->count; k++) {
            const struct ampel_outlook_item *other = &view->items[outlook->candidates[k]];
            bool lowers = index >= other->lowered_first && index < other->lowered_end;
            sets->lowered_by[i] |= (uint32_t)lowers << k;
        }
    }
}

static uint32_t bits_count(uint32_t set) {
    uint32_t count = 0;
    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

static void set_judge(struct choice *choice, const struct sets *sets, uint32_t set) {
    const struct ampel_scale *scale = &choice->engine->scale;
    choice->sums = ampel_outlook_sums_now(choice->view);
    for (uint32_t i = 0; i < sets->count; i++) {
        const struct ampel_outlook_item *item = sets->items[i];
        if ((set >> i & 1) != 0) {
            ampel_outlook_sums_take(&choice->sums, item);
            continue;
        }
        uint32_t rank = item->rank - bits_count(set & sets->lowered_by[i]);
        if (rank == item->rank) continue;
        choice->sums.deducted +=
            ampel_scale_points(scale, item->severity, rank, item->points_given) - item->points;
    }
    ampel_outlook_judge(choice->engine, choice->view, &choice->sums, &choice->then);
}

/* The next greater number with as many bits set. set > 0. */
static uint32_t set_next(uint32_t set) {
    uint32_t least = set & (0u - set), ripple = set + least;
    return (((ripple ^ set) >> 2) / least) | ripple;
}

/* Of two sets of one size: whose sorted ids come first. Lower bits are lower ids. */
static bool set_before(uint32_t a, uint32_t b) {
    uint32_t differ = a ^ b;
    return differ != 0 && (a & (differ & (0u - differ))) != 0;
}

/* The best of the sets of a size. False: none is green. */
static bool size_try(struct choice *choice, const struct sets *sets, uint32_t size,
                     uint32_t *best) {
    bool found = false;
    int64_t best_raw = 0;
    uint32_t set = (UINT32_C(1) << size) - 1;
    while (set < UINT32_C(1) << sets->count) {
        set_judge(choice, sets, set);
        int64_t raw = choice->then.raw;
        if (green(choice) &&
            (!found || raw > best_raw || (raw == best_raw && set_before(set, *best)))) {
            found = true;
            best_raw = raw;
            *best = set;
        }
        if (set == 0) break;
        set = set_next(set);
    }
    return found;
}

static bool choose_exactly(struct choice *choice) {
    struct sets sets;
    uint32_t best = 0;
    bool found = false;
    sets_init(&sets, choice->outlook);
    for (uint32_t size = 0; size <= sets.count && !found; size++)
        found = size_try(choice, &sets, size, &best);
    if (!found) return false;
    set_judge(choice, &sets, best);
    for (uint32_t i = 0; i < sets.count; i++)
        choice->view->items[choice->outlook->candidates[i]].chosen = (best >> i & 1) != 0;
    return true;
}

/* ---- a greedy choice of many ---------------------------------------------------------------- */

static int64_t points_then(const struct choice *choice, uint32_t index) {
    const struct ampel_outlook_item *item = &choice->view->items[index];
    return ampel_scale_points(&choice->engine->scale, item->severity,
                              item->rank - choice->outlook->lowered[index], item->points_given);
}

/* Ranks as they are with what is chosen, as a sum of differences. u32 wraps and comes back. */
static void lowered_renew(struct choice *choice) {
    const struct ampel_outlook_view *view = choice->view;
    uint32_t *lowered = choice->outlook->lowered;
    memset(lowered, 0, (view->count + 1) * sizeof(*lowered));
    for (uint32_t i = 0; i < view->count; i++) {
        if (!view->items[i].chosen) continue;
        lowered[view->items[i].lowered_first]++;
        lowered[view->items[i].lowered_end]--;
    }
    for (uint32_t i = 1; i < view->count; i++)
        lowered[i] += lowered[i - 1];
}

/* Everything anew for what is chosen: ranks, sums, the outcome and what each rank less would give.
 */
static void choice_renew(struct choice *choice) {
    struct ampel_outlook_view *view = choice->view;
    lowered_renew(choice);
    choice->sums = ampel_outlook_sums_now(view);
    choice->sums.deducted = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        int64_t gain = 0;
        if (item->chosen) {
            ampel_outlook_sums_take(&choice->sums, item);
            choice->sums.deducted += item->points; /* all others are summed up anew */
        } else if (item->deducting) {
            int64_t points = points_then(choice, i);
            uint32_t rank = item->rank - choice->outlook->lowered[i];
            choice->sums.deducted += points;
            if (rank > 0) {
                gain = points - ampel_scale_points(&choice->engine->scale, item->severity, rank - 1,
                                                   item->points_given);
            }
        }
        view->gains[i + 1] = view->gains[i] + gain;
    }
    ampel_outlook_judge(choice->engine, view, &choice->sums, &choice->then);
}

/* Those not chosen yet, of one cap group or of all, the greatest gain first, then by id. Returns
   how many. keys: candidate number in the low 16 bits. */
static uint32_t gains_sort(const struct choice *choice, uint8_t group) {
    const struct ampel_outlook *outlook = choice->outlook;
    const struct ampel_outlook_view *view = choice->view;
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->candidates; i++) {
        uint32_t index = outlook->candidates[i];
        const struct ampel_outlook_item *item = &view->items[index];
        if (item->chosen || (group != AMPEL_CAP_GROUP_NONE && item->group != group)) continue;
        int64_t gain = points_then(choice, index) + view->gains[item->lowered_end] -
                       view->gains[item->lowered_first];
        outlook->keys[count++] = (uint64_t)(GAIN_OFFSET - gain) << 16 | i;
    }
    ampel_sort_u64(outlook->keys, count);
    return count;
}

static void choose(struct choice *choice, uint32_t first, uint32_t end, bool chosen) {
    for (uint32_t i = first; i < end; i++) {
        uint32_t candidate = (uint32_t)(choice->outlook->keys[i] & 0xffff);
        choice->view->items[choice->outlook->candidates[candidate]].chosen = chosen;
    }
}

static void choose_criticals(struct choice *choice) {
    const struct ampel_rules *rules = &choice->engine->rules;
    bool hold =
        (rules->critical_mode == AMPEL_CRITICAL_ZERO && rules->band_green > 0) ||
        (rules->critical_mode == AMPEL_CRITICAL_CAP && rules->critical_value < rules->band_green);
    for (uint32_t i = 0; hold && i < choice->view->count; i++) {
        struct ampel_outlook_item *item = &choice->view->items[i];
        if (item->deducting && item->critical) item->chosen = true;
    }
    choice_renew(choice);
}

/* False: too few of a reached group can be approved. */
static bool choose_caps(struct choice *choice) {
    const struct ampel_rules *rules = &choice->engine->rules;
    if (rules->cap_effect != AMPEL_CAP_ZERO || rules->band_green <= 0) return true;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (choice->sums.caps[i] < rules->cap_groups[i].limit) continue;
        uint32_t surplus = choice->sums.caps[i] - rules->cap_groups[i].limit + 1u;
        if (gains_sort(choice, (uint8_t)i) < surplus) return false;
        choose(choice, 0, surplus, true);
        choice_renew(choice);
    }
    return true;
}

/* The fewest of the batch that are green; all of it is. */
static void batch_halve(struct choice *choice, uint32_t batch) {
    uint32_t low = 1, high = batch;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        choose(choice, 0, middle, true);
        choose(choice, middle, high, false);
        choice_renew(choice);
        if (green(choice))
            high = middle;
        else
            low = middle + 1;
    }
    choose(choice, 0, high, true);
    choice_renew(choice);
}

static bool choose_greedily(struct choice *choice) {
    choice_renew(choice);
    choose_criticals(choice);
    if (!choose_caps(choice)) return false;
    uint32_t batch = choice->view->candidates / ROUNDS + 1;
    while (!green(choice)) {
        uint32_t left = gains_sort(choice, AMPEL_CAP_GROUP_NONE);
        if (left == 0) return false;
        uint32_t taken = left < batch ? left : batch;
        choose(choice, 0, taken, true);
        choice_renew(choice);
        if (green(choice)) batch_halve(choice, taken);
    }
    return true;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static bool room_make(struct ampel_engine *engine, struct ampel_outlook *outlook) {
    struct ampel_pool *pool = &engine->pool;
    uint32_t candidates = outlook->view.candidates;
    uint32_t *items = ampel_pool_grow(pool, outlook->candidates, &outlook->candidates_capacity,
                                      candidates, sizeof(*items));
    if (items == NULL && candidates > 0) return false;
    outlook->candidates = items;
    uint64_t *keys =
        ampel_pool_grow(pool, outlook->keys, &outlook->keys_capacity, candidates, sizeof(*keys));
    if (keys == NULL && candidates > 0) return false;
    outlook->keys = keys;
    struct ampel_text *ids =
        ampel_pool_grow(pool, outlook->ids, &outlook->ids_capacity, candidates, sizeof(*ids));
    if (ids == NULL && candidates > 0) return false;
    outlook->ids = ids;
    uint32_t *lowered = ampel_pool_grow(pool, outlook->lowered, &outlook->lowered_capacity,
                                        outlook->view.count + 1, sizeof(*lowered));
    if (lowered == NULL) return false;
    outlook->lowered = lowered;
    return ampel_outlook_view_gains(engine, outlook);
}

enum ampel_engine_status ampel_outlook_to_green(struct ampel_engine *engine, uint32_t slot,
                                                struct ampel_outlook_green *out) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot) ||
        !room_make(engine, outlook)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    struct ampel_outlook_view *view = &outlook->view;
    struct choice choice = {
        .engine = engine, .outlook = outlook, .view = view, .sums = ampel_outlook_sums_now(view)};
    *out = (struct ampel_outlook_green){.exact = view->candidates <= AMPEL_OUTLOOK_EXACT_MAX};
    candidates_sort(view, outlook->candidates);
    ampel_outlook_judge(engine, view, &choice.sums, &choice.then);
    if (green(&choice))
        out->found = out->exact = true; /* the empty set: none is smaller */
    else
        out->found = out->exact ? choose_exactly(&choice) : choose_greedily(&choice);
    for (uint32_t i = 0; out->found && i < view->candidates; i++) {
        uint32_t item = outlook->candidates[i];
        if (view->items[item].chosen)
            outlook->ids[out->count++] = ampel_outlook_item_id(view, item);
    }
    if (out->found) out->then = choice.then;
    out->ids = outlook->ids;
    return AMPEL_ENGINE_OK;
}

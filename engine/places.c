/* The order of an account's violations: where records stand, the runs of many, and the room between them. */
#include <string.h>

#include "engine/records.h"

static struct ampel_text id_of(const struct ampel_violations *block, uint16_t record) {
    return ampel_violations_text(block, record, AMPEL_TEXT_ID);
}

int ampel_places_compare(const struct ampel_violations *block, uint16_t a, uint16_t b) {
    const struct ampel_violation_hot *left = &block->hot[a], *right = &block->hot[b];
    if (left->policy != right->policy) return left->policy < right->policy ? -1 : 1;
    if (left->at_ms != right->at_ms) return left->at_ms < right->at_ms ? -1 : 1;
    return ampel_text_compare(id_of(block, a), id_of(block, b));
}

/* ---- searches ------------------------------------------------------------------------------- */

/* (policy, at) as one number. */
static uint64_t sort_of(uint8_t policy, int64_t at_ms) {
    return (uint64_t)policy << AMPEL_SORT_SHIFT | (uint64_t)at_ms;
}

/* Of the record at a place of a few. */
static uint64_t sort_at(const struct ampel_violations *block, uint32_t place) {
    const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[place]];
    return sort_of(hot->policy, hot->at_ms);
}

/* So few are looked at one by one from the last. */
#define PLACED_ONE_BY_ONE 8

/* The first of a few that does not sort below. */
static uint32_t few_from(const struct ampel_violations *block, uint64_t sort, uint32_t ordered_count) {
    uint32_t low = 0, high = ordered_count;
    if (ordered_count <= PLACED_ONE_BY_ONE) {
        while (high > 0 && sort_at(block, high - 1) >= sort)
            high--;
        return high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sort_at(block, middle) < sort)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first of a run whose at is not below. Mostly what comes is among the latest, so the search goes back in
   steps that double. */
static uint32_t run_from(const struct ampel_violations *block, const struct ampel_violations_run *run,
                         int64_t at_ms) {
    const uint64_t *keys = ampel_violations_keys(block), key = ampel_key_make(at_ms, 0, false);
    uint32_t low = run->begin, high = run->begin + run->count;
    for (uint32_t step = 1; low < high; step *= 2) {
        uint32_t probe = high - low > step ? high - step : low;
        if (keys[probe] < key) {
            low = probe + 1;
            break;
        }
        high = probe;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Among those of one key. */
static uint32_t id_place(const struct ampel_violations *block, struct ampel_text id, uint32_t low, uint32_t high) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ampel_text_compare(id_of(block, ampel_violations_order(block)[middle]), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Mostly nothing else has the key of what is looked for. */
uint32_t ampel_places_find(const struct ampel_violations *block, uint8_t policy, int64_t at_ms,
                           struct ampel_text id, uint32_t ordered_count) {
    if (!ampel_violations_many(block)) {
        uint64_t sort = sort_of(policy, at_ms);
        uint32_t low = few_from(block, sort, ordered_count);
        if (low == ordered_count || sort_at(block, low) != sort) return low;
        return id_place(block, id, low, few_from(block, sort + 1, ordered_count));
    }
    const struct ampel_violations_run *run = ampel_places_run(block, policy);
    uint32_t low = run_from(block, run, at_ms);
    if (low == run->begin + run->count || ampel_key_at_ms(ampel_violations_keys(block)[low]) != at_ms) return low;
    return id_place(block, id, low, run_from(block, run, at_ms + 1));
}

uint32_t ampel_places_of(const struct ampel_violations *block, uint16_t record) {
    const struct ampel_violation_hot *hot = &block->hot[record];
    uint32_t place = ampel_places_find(block, hot->policy, hot->at_ms, id_of(block, record), block->count);
    AMPEL_ASSERT(place < ampel_violations_end(block) && ampel_violations_order(block)[place] == record);
    return place;
}

uint32_t ampel_places_from(const struct ampel_violations *block, uint8_t policy, int64_t at_ms) {
    if (at_ms < 0) at_ms = 0;
    if (!ampel_violations_many(block)) return few_from(block, sort_of(policy, at_ms), block->count);
    /* Mostly all of a policy are young enough. */
    const struct ampel_violations_run *run = ampel_places_run(block, policy);
    if (run->count == 0 || ampel_key_at_ms(ampel_violations_keys(block)[run->begin]) >= at_ms) return run->begin;
    return run_from(block, run, at_ms);
}

uint32_t ampel_places_count_from(const struct ampel_violations *block, uint8_t policy, int64_t at_ms) {
    uint32_t place = ampel_places_from(block, policy, at_ms);
    if (!ampel_violations_many(block)) return place;
    const struct ampel_violations_run *runs = ampel_violations_runs(block), *own = ampel_places_run(block, policy);
    uint32_t before = place - own->begin;
    for (const struct ampel_violations_run *run = runs; run < own; run++)
        before += run->count;
    return before;
}

bool ampel_places_last(const struct ampel_violations *block, uint32_t place) {
    if (!ampel_violations_many(block)) return place + 1 == block->count;
    return ampel_violations_filled(block, place + 1) >= ampel_violations_end(block);
}

/* ---- room between runs ---------------------------------------------------------------------- */

static void places_move(struct ampel_violations *block, uint32_t to, uint32_t from, uint32_t count) {
    if (to == from || count == 0) return;
    uint16_t *order = ampel_violations_order(block);
    uint64_t *keys = ampel_violations_keys(block);
    memmove(order + to, order + from, count * sizeof(*order));
    memmove(keys + to, keys + from, count * sizeof(*keys));
}

/* Runs get of what is free as they are long, and the wanted one at least one place, as its part of what is
   free is more than none, and what the others' parts leave over is at least that part. */
static void runs_divide(const struct ampel_violations *block, const struct ampel_violations_run *wanted,
                        uint32_t begins[AMPEL_VIOLATIONS_RUNS]) {
    const struct ampel_violations_run *runs = ampel_violations_runs(block);
    uint32_t held = 0, next = 0;
    for (uint32_t i = 0; i < AMPEL_VIOLATIONS_RUNS; i++)
        held += runs[i].count;
    uint32_t free = ampel_violations_places(block) - held;
    for (uint32_t i = 0; i < AMPEL_VIOLATIONS_RUNS; i++) {
        uint32_t weight = runs[i].count + (&runs[i] == wanted);
        uint32_t room = (uint32_t)((uint64_t)weight * free / (held + 1));
        if (&runs[i] == wanted && room == 0) room = 1;
        begins[i] = next;
        next += runs[i].count + room;
    }
    AMPEL_ASSERT(next <= ampel_violations_places(block));
}

/* All close up, then each goes to where it begins now, the last one first. */
static void runs_spread(struct ampel_violations *block, const struct ampel_violations_run *wanted) {
    struct ampel_violations_run *runs = ampel_violations_runs(block);
    uint16_t *order = ampel_violations_order(block);
    uint32_t begins[AMPEL_VIOLATIONS_RUNS], next = 0, end = ampel_violations_places(block);
    runs_divide(block, wanted, begins);
    for (uint32_t i = 0; i < AMPEL_VIOLATIONS_RUNS; i++) {
        places_move(block, next, runs[i].begin, runs[i].count);
        runs[i].begin = next;
        next += runs[i].count;
    }
    for (uint32_t i = AMPEL_VIOLATIONS_RUNS; i-- > 0;) {
        struct ampel_violations_run *run = &runs[i];
        places_move(block, begins[i], run->begin, run->count);
        run->begin = begins[i];
        uint32_t filled = run->begin + run->count;
        memset(order + filled, 0xff, (end - filled) * sizeof(*order));
        end = run->begin;
    }
}

/* Where the run behind begins, or the end of all. */
static uint32_t run_limit(const struct ampel_violations *block, const struct ampel_violations_run *run) {
    bool last = run == ampel_places_run(block, AMPEL_POLICIES_MAX);
    return last ? ampel_violations_places(block) : run[1].begin;
}

void ampel_places_reserve(struct ampel_violations *block, uint8_t policy) {
    if (!ampel_violations_many(block)) return;
    const struct ampel_violations_run *run = ampel_places_run(block, policy);
    if (run->begin + run->count == run_limit(block, run)) runs_spread(block, run);
}

/* ---- in and out ----------------------------------------------------------------------------- */

static uint64_t hot_key(const struct ampel_violation_hot *hot, uint16_t rank) {
    return ampel_key_make(hot->at_ms, rank, (hot->flags & AMPEL_VIOLATION_CHANGED) != 0);
}

void ampel_places_put(struct ampel_violations *block, uint16_t record, uint32_t place, uint16_t rank,
                      uint32_t ordered_count) {
    uint16_t *order = ampel_violations_order(block);
    struct ampel_violation_hot *hot = &block->hot[record];
    if (!ampel_violations_many(block)) {
        hot->rank = rank;
        for (uint32_t i = ordered_count; i > place; i--)
            order[i] = order[i - 1];
        order[place] = record;
        return;
    }
    struct ampel_violations_run *run = ampel_places_run(block, hot->policy);
    AMPEL_ASSERT(run->begin + run->count < run_limit(block, run));
    places_move(block, place + 1, place, run->begin + run->count - place);
    order[place] = record;
    ampel_violations_keys(block)[place] = hot_key(hot, rank);
    run->count++;
}

void ampel_places_remove(struct ampel_violations *block, uint32_t place, uint32_t ordered_count) {
    uint16_t *order = ampel_violations_order(block);
    if (!ampel_violations_many(block)) {
        memmove(order + place, order + place + 1, (ordered_count - place - 1) * sizeof(*order));
        return;
    }
    struct ampel_violations_run *run = ampel_places_run(block, block->hot[order[place]].policy);
    uint32_t end = run->begin + run->count;
    places_move(block, place, place + 1, end - place - 1);
    order[end - 1] = AMPEL_VIOLATION_NONE;
    run->count--;
}

/* ---- from block to block -------------------------------------------------------------------- */

/* Rank and mark stand in records, or in keys. */
static void place_copy(struct ampel_violations *to, uint32_t to_place, const struct ampel_violations *from,
                       uint32_t from_place) {
    uint16_t record = ampel_violations_order(from)[from_place], rank = ampel_violations_rank(from, from_place);
    bool changed = ampel_violations_changed(from, from_place);
    struct ampel_violation_hot *hot = &to->hot[record];
    ampel_violations_order(to)[to_place] = record;
    if (ampel_violations_many(to)) {
        ampel_violations_keys(to)[to_place] = ampel_key_make(hot->at_ms, rank, changed);
        return;
    }
    hot->rank = rank;
    hot->flags = (uint8_t)((hot->flags & ~AMPEL_VIOLATION_CHANGED) | (changed ? AMPEL_VIOLATION_CHANGED : 0));
}

void ampel_places_copy(struct ampel_violations *to, const struct ampel_violations *from) {
    uint32_t next = 0, end = ampel_violations_end(from);
    for (uint32_t i = ampel_violations_filled(from, 0); i < end; i = ampel_violations_filled(from, i + 1))
        place_copy(to, next++, from, i);
    if (!ampel_violations_many(to)) return;
    struct ampel_violations_run *runs = ampel_violations_runs(to);
    memset(runs, 0, AMPEL_VIOLATIONS_RUNS * sizeof(*runs));
    for (uint32_t i = 0; i < next; i++)
        ampel_places_run(to, to->hot[i].policy)->count++;
    for (uint32_t i = 1; i < AMPEL_VIOLATIONS_RUNS; i++)
        runs[i].begin = runs[i - 1].begin + runs[i - 1].count;
    runs_spread(to, NULL);
}

/* ---- the drawing, asserted ------------------------------------------------------------------ */

static bool runs_sane(const struct ampel_violations *block) {
    const uint16_t *order = ampel_violations_order(block);
    for (uint32_t r = 0, next = 0; r < AMPEL_VIOLATIONS_RUNS; r++) {
        const struct ampel_violations_run *run = ampel_places_run(block, r);
        uint32_t filled = run->begin + run->count, end = run_limit(block, run);
        if (run->begin != next || filled > end) return false;
        for (uint32_t i = run->begin; i < end; i++) {
            if ((order[i] != AMPEL_VIOLATION_NONE) != (i < filled)) return false;
            if (i >= filled) continue;
            const struct ampel_violation_hot *hot = &block->hot[order[i]];
            if (order[i] >= block->count || ampel_places_run(block, hot->policy) != run) return false;
            if (ampel_key_at_ms(ampel_violations_keys(block)[i]) != hot->at_ms) return false;
        }
        next = end;
    }
    return true;
}

bool ampel_places_sane(const struct ampel_violations *block) {
    if (ampel_violations_many(block) && !runs_sane(block)) return false;
    const uint16_t *order = ampel_violations_order(block);
    uint32_t end = ampel_violations_end(block), held = 0, last = AMPEL_VIOLATION_NONE;
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        if (order[i] >= block->count) return false;
        if (held > 0 && ampel_places_compare(block, (uint16_t)last, order[i]) >= 0) return false;
        last = order[i];
        held++;
    }
    return held == block->count;
}

/* See beside.h: clocks that run out, and green that will end, asked anew at every instant. */
#include <string.h>

#include "tests/oracle/beside.h"

static struct ampel_beside_named *name(struct ampel_beside *beside, uint8_t kind) {
    AMPEL_ASSERT(beside->named_count < AMPEL_BESIDE_NAMED_MAX);
    struct ampel_beside_named *named = &beside->named[beside->named_count++];
    *named = (struct ampel_beside_named){.at_ms = beside->now_ms, .kind = kind, .cap_group = 255};
    return named;
}

/* ---- clocks --------------------------------------------------------------------------------- */

static bool holds(const struct ampel_beside *beside, const struct ampel_oracle_rating *rating,
                  uint32_t clock) {
    bool danger = rating->risk >= AMPEL_RISK_ELIGIBLE || beside->status > 0;
    if (clock == 0) return rating->score < beside->rules->band_yellow;
    if (clock == 1) return beside->eligible && danger;
    return clock - 2 < beside->rules->cap_groups_count &&
           rating->caps[clock - 2] >= beside->rules->cap_groups[clock - 2].limit;
}

static void warn(struct ampel_beside *beside, uint32_t number, int32_t hours, bool *told) {
    const struct ampel_beside_clock *clock = &beside->clocks[number];
    int64_t at_ms = clock->deadline_ms - hours * AMPEL_HOUR_MS;
    if (*told || !clock->runs || at_ms <= clock->started_ms || at_ms > beside->now_ms) return;
    *told = true;
    struct ampel_beside_named *named = name(beside, AMPEL_CHANGE_DEADLINE_NEAR);
    named->deadline_ms = clock->deadline_ms;
    named->amount = hours;
    named->clock = (uint8_t)(number < 2 ? number : 2);
    if (number >= 2) named->cap_group = (uint8_t)(number - 2);
}

static void clocks_ahead(struct ampel_beside *beside) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&beside->oracle, beside->rules, beside->now_ms, beside->now_ms, &rating);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(beside->clocks); i++) {
        struct ampel_beside_clock *clock = &beside->clocks[i];
        bool now = holds(beside, &rating, i);
        int32_t hours = i == 0   ? beside->rules->deadline_red_hours
                        : i == 1 ? 72
                                 : beside->rules->deadline_cap_hours;
        if (now != clock->runs) memset(clock, 0, sizeof *clock);
        if (now && !clock->runs) {
            clock->started_ms = beside->now_ms;
            clock->deadline_ms = beside->now_ms + hours * AMPEL_HOUR_MS;
        }
        clock->runs = now;
        warn(beside, i, 24, &clock->first_told);
        warn(beside, i, 4, &clock->last_told);
    }
    ampel_oracle_rating_reset(&rating);
}

int64_t ampel_beside_ahead_ms(const struct ampel_beside *beside) {
    static const int32_t hours[] = {24, 4};
    int64_t next_ms = INT64_MAX;
    for (uint32_t i = 0; i < 2 * AMPEL_ARRAY_COUNT(beside->clocks); i++) {
        const struct ampel_beside_clock *clock = &beside->clocks[i / 2];
        int64_t at_ms = clock->deadline_ms - hours[i % 2] * AMPEL_HOUR_MS;
        if (clock->runs && at_ms > beside->now_ms && at_ms < next_ms) next_ms = at_ms;
    }
    return next_ms;
}

/* ---- green that will end -------------------------------------------------------------------- */

static struct ampel_oracle known_now(const struct ampel_beside *beside) {
    struct ampel_oracle known = {0};
    for (uint32_t i = 0; i < beside->oracle.events_count; i++) {
        if (beside->oracle.events[i].at_ms <= beside->now_ms) {
            ampel_oracle_add(&known, &beside->oracle.events[i]);
        }
    }
    return known;
}

static int64_t score_at(const struct ampel_beside *beside, const struct ampel_oracle *known,
                        int64_t at_ms) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(known, beside->rules, at_ms, at_ms, &rating);
    int64_t score = rating.score;
    ampel_oracle_rating_reset(&rating);
    return score;
}

/* The first midnight of so many days on which it is green no more: under these rules violations only
   give back, so that orders alone can end its green. INT64_MAX: none. */
static int64_t ends_ms(const struct ampel_beside *beside, int64_t days, int32_t *score) {
    struct ampel_oracle known = known_now(beside);
    int64_t at_ms = INT64_MAX, today = beside->now_ms / AMPEL_DAY_MS;
    for (int64_t day = today + 1; day <= today + days && at_ms == INT64_MAX; day++) {
        int64_t then = score_at(beside, &known, day * AMPEL_DAY_MS);
        if (then >= beside->rules->band_green) continue;
        at_ms = day * AMPEL_DAY_MS;
        *score = (int32_t)then;
    }
    ampel_oracle_reset(&known);
    return at_ms;
}

static void green_ahead(struct ampel_beside *beside) {
    int32_t score = 0;
    if (score_at(beside, &beside->oracle, beside->now_ms) < beside->rules->band_green) return;
    bool midnight = beside->now_ms % AMPEL_DAY_MS == 0;
    if (beside->leaving_told) {
        if (midnight && ends_ms(beside, 28, &score) == INT64_MAX) beside->leaving_told = false;
        return;
    }
    int64_t at_ms = ends_ms(beside, 14, &score);
    if (at_ms == INT64_MAX) return;
    beside->leaving_told = true;
    struct ampel_beside_named *named = name(beside, AMPEL_CHANGE_WILL_TURN);
    named->deadline_ms = at_ms;
    named->amount = score;
}

void ampel_beside_ahead(struct ampel_beside *beside) {
    if (beside->oracle.events_count == 0) return;
    clocks_ahead(beside);
    green_ahead(beside);
}

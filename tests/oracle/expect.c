/* See expect.h. */
#include "tests/oracle/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers are shown in 32 bits: rules can give more points than that, which then stand at the
 * greatest. */
static int32_t shown(int64_t points) {
    return points < INT32_MAX ? (int32_t)points : INT32_MAX;
}

struct ampel_numbers ampel_expect_numbers(const struct ampel_oracle_rating *rating) {
    struct ampel_numbers numbers = {
        .deducted = rating->deducted,
        .score = (int32_t)rating->score,
        .order_points = shown(rating->order_points),
        .orders = (uint32_t)rating->orders,
        .criticals = (uint16_t)rating->criticals,
        .colour = rating->colour,
        .risk = rating->risk,
    };
    for (uint32_t group = 0; group < AMPEL_CAP_GROUPS_MAX; group++) {
        numbers.caps[group] = (uint16_t)rating->caps[group];
    }
    return numbers;
}

bool ampel_expect_same_numbers(const struct ampel_numbers *left,
                               const struct ampel_numbers *right) {
    return left->deducted == right->deducted && left->score == right->score &&
           left->order_points == right->order_points && left->orders == right->orders &&
           memcmp(left->caps, right->caps, sizeof left->caps) == 0 &&
           left->criticals == right->criticals && left->colour == right->colour &&
           left->risk == right->risk;
}

static struct ampel_expected *expect(struct ampel_expectation *expectation,
                                     const struct ampel_expected *base, uint8_t kind,
                                     uint8_t cap_group) {
    expectation->list = ampel_oracle_grow(expectation->list, expectation->count,
                                          &expectation->capacity, sizeof *expectation->list);
    struct ampel_expected *expected = &expectation->list[expectation->count++];
    *expected = *base;
    expected->kind = kind;
    expected->cap_group = cap_group;
    return expected;
}

/* A cap counts as near from limit - warn_before up, below the limit; warn_before 0 warns never. */
static void expect_caps(struct ampel_expectation *expectation, const struct ampel_rules *rules,
                        const struct ampel_expected *base) {
    for (uint32_t group = 0; group < rules->cap_groups_count; group++) {
        int32_t limit = rules->cap_groups[group].limit;
        int32_t near = limit - rules->cap_warn_before;
        int32_t before = base->before.caps[group];
        int32_t after = base->after.caps[group];
        if (before < limit && after >= limit) {
            expect(expectation, base, AMPEL_CHANGE_CAP_REACHED, (uint8_t)group)->deadline_ms =
                base->at_ms + rules->deadline_cap_hours * AMPEL_HOUR_MS;
        } else if (before < near && after >= near && after < limit) {
            expect(expectation, base, AMPEL_CHANGE_CAP_NEAR, (uint8_t)group);
        }
    }
}

void ampel_expect_instant(struct ampel_expectation *expectation, const struct ampel_rules *rules,
                          uint32_t account, int64_t at_ms, const struct ampel_numbers *before,
                          const struct ampel_numbers *after) {
    static const struct ampel_numbers nothing = {0};
    struct ampel_expected base = {
        .at_ms = at_ms,
        .account = account,
        .is_new = before == NULL,
        .before = before == NULL ? nothing : *before,
        .after = *after,
    };
    bool colour = base.before.colour != after->colour; /* green and none are 0 */
    bool risk = base.before.risk != after->risk;
    if (before == NULL || base.before.score != after->score || colour || risk) {
        expect(expectation, &base, AMPEL_CHANGE_SCORE, 255);
    }
    if (colour) {
        expect(expectation, &base, AMPEL_CHANGE_COLOUR, 255)->deadline_ms =
            after->colour == AMPEL_RED ? at_ms + rules->deadline_red_hours * AMPEL_HOUR_MS : 0;
    }
    if (risk) {
        expect(expectation, &base, AMPEL_CHANGE_RISK, 255);
    }
    expect_caps(expectation, rules, &base);
    if (after->criticals > base.before.criticals) {
        expect(expectation, &base, AMPEL_CHANGE_CRITICAL, 255);
    }
}

static int compare_times(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Appends an instant if it lies in (from, to]. */
static int64_t *note_instant(int64_t *instants, uint32_t *count, uint32_t *capacity,
                             int64_t instant_ms, int64_t from_ms, int64_t to_ms) {
    if (instant_ms > from_ms && instant_ms <= to_ms) {
        instants = ampel_oracle_grow(instants, *count, capacity, sizeof *instants);
        instants[(*count)++] = instant_ms;
    }
    return instants;
}

/* Every instant in (from, to] at which an event comes to count, leaves the window, or a day ends.
   Midnights beyond the last one at which orders can leave are no news. */
static int64_t *instants_of(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                            int64_t from_ms, int64_t to_ms, uint32_t *count) {
    int64_t *instants = NULL;
    uint32_t capacity = 0;
    *count = 0;
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        int64_t at_ms = event->at_ms;
        int64_t leaves_ms = at_ms + rules->window_days * AMPEL_DAY_MS;
        bool orders = event->type == AMPEL_EVENT_ORDER || event->type == AMPEL_EVENT_ORDERS_DAY;
        if (orders) {
            leaves_ms -= at_ms % AMPEL_DAY_MS;
        }
        instants = note_instant(instants, count, &capacity, at_ms, from_ms, to_ms);
        instants = note_instant(instants, count, &capacity, leaves_ms, from_ms, to_ms);
    }
    if (*count > 0) {
        qsort(instants, *count, sizeof *instants, compare_times);
    }
    return instants;
}

bool ampel_expect_time(struct ampel_expectation *expectation, const struct ampel_rules *rules,
                       uint32_t account, const struct ampel_oracle *oracle, int64_t from_ms,
                       int64_t to_ms, uint32_t instants_max) {
    uint32_t count = 0;
    int64_t *instants = instants_of(oracle, rules, from_ms, to_ms, &count);
    struct ampel_oracle_rating rating;
    if (count > 0 && count <= instants_max) {
        ampel_oracle_rate(oracle, rules, from_ms, from_ms, &rating);
        struct ampel_numbers before = ampel_expect_numbers(&rating);
        ampel_oracle_rating_reset(&rating);
        for (uint32_t index = 0; index < count; index++) {
            if (index > 0 && instants[index] == instants[index - 1]) {
                continue;
            }
            ampel_oracle_rate(oracle, rules, instants[index], instants[index], &rating);
            struct ampel_numbers after = ampel_expect_numbers(&rating);
            ampel_oracle_rating_reset(&rating);
            ampel_expect_instant(expectation, rules, account, instants[index], &before, &after);
            before = after;
        }
    }
    free(instants);
    return count <= instants_max;
}

void ampel_expect_print(const struct ampel_expected *expected, char *line, size_t capacity) {
    (void)snprintf(line, capacity,
                   "S%u %s at %lld group %u new %d deadline %lld: score %d -> %d, orders %u -> %u, "
                   "deducted %lld -> %lld, colour %u -> %u, risk %u -> %u, criticals %u -> %u",
                   expected->account, ampel_change_name(expected->kind), (long long)expected->at_ms,
                   expected->cap_group, expected->is_new, (long long)expected->deadline_ms,
                   expected->before.score, expected->after.score, expected->before.orders,
                   expected->after.orders, (long long)expected->before.deducted,
                   (long long)expected->after.deducted, expected->before.colour,
                   expected->after.colour, expected->before.risk, expected->after.risk,
                   expected->before.criticals, expected->after.criticals);
}

/* See outlook.h. */
#include "tests/oracle/outlook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- 3.11 ----------------------------------------------------------------------------------- */

static int64_t score_of(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                        int64_t known_ms, int64_t at_ms) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(oracle, rules, known_ms, at_ms, &rating);
    int64_t score = rating.score;
    ampel_oracle_rating_reset(&rating);
    return score;
}

void ampel_oracle_range(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                        int64_t at_ms, int64_t *score_min, int64_t *score_max) {
    static const char *const variants[][2][2] = {
        {{"repeat.ladder", "double_once"}},
        {{"repeat.ladder", "off"}},
        {{"repeat.anchor", "rerank"}},
        {{"critical.mode", "cap"}, {"critical.value", "99"}},
        {{"caps.effect", "zero"}},
        {{"orders.rounding", "linear"}},
        {{"clamp.cap_before_deduction", "true"}},
    };
    *score_min = score_of(oracle, rules, at_ms, at_ms);
    *score_max = *score_min;
    for (size_t index = 0; index < AMPEL_ARRAY_COUNT(variants); index++) {
        struct ampel_rules variant = *rules;
        for (size_t key = 0; key < 2 && variants[index][key][0] != NULL; key++) {
            AMPEL_ASSERT(
                ampel_oracle_rules_set(&variant, variants[index][key][0], variants[index][key][1]));
        }
        int64_t score = score_of(oracle, &variant, at_ms, at_ms);
        *score_min = score < *score_min ? score : *score_min;
        *score_max = score > *score_max ? score : *score_max;
    }
}

/* ---- 3.12 ----------------------------------------------------------------------------------- */

static int compare_times(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Every instant in (at, at + W] at which anything could change: midnights and expiries, ascending.
 */
static int64_t *instants_of(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                            int64_t at_ms, uint32_t *count) {
    int64_t window_ms = rules->window_days * AMPEL_DAY_MS;
    int64_t *instants = NULL;
    uint32_t capacity = 0;
    *count = 0;
    for (int64_t day = at_ms / AMPEL_DAY_MS + 1; day * AMPEL_DAY_MS <= at_ms + window_ms; day++) {
        instants = ampel_oracle_grow(instants, *count, &capacity, sizeof *instants);
        instants[(*count)++] = day * AMPEL_DAY_MS;
    }
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(oracle, rules, at_ms, at_ms, &rating);
    for (uint32_t index = 0; index < rating.violations_count; index++) {
        int64_t expires_at_ms = rating.violations[index].told->at_ms + window_ms;
        if (expires_at_ms > at_ms) {
            instants = ampel_oracle_grow(instants, *count, &capacity, sizeof *instants);
            instants[(*count)++] = expires_at_ms;
        }
    }
    ampel_oracle_rating_reset(&rating);
    qsort(instants, *count, sizeof *instants, compare_times);
    return instants;
}

static struct ampel_oracle copy_of(const struct ampel_oracle *oracle, int64_t known_ms) {
    struct ampel_oracle copy = {0};
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        if (oracle->events[index].at_ms <= known_ms) {
            ampel_oracle_add(&copy, &oracle->events[index]);
        }
    }
    return copy;
}

/* The same account with the orders that every day after today is expected to bring. */
static struct ampel_oracle copy_with_orders_kept(const struct ampel_oracle *oracle,
                                                 const struct ampel_rules *rules, int64_t at_ms) {
    struct ampel_oracle copy = copy_of(oracle, at_ms);
    int64_t today = at_ms / AMPEL_DAY_MS;
    int64_t sum = 0;
    for (int64_t day = today - 28; day < today; day++) {
        sum += ampel_oracle_orders_of(oracle, at_ms, day);
    }
    if (sum / 28 > 0) {
        struct ampel_oracle_event event;
        ampel_oracle_event_init(&event, AMPEL_EVENT_ORDERS_DAY, 0);
        event.count = (uint32_t)(sum / 28);
        for (int64_t day = today + 1; day <= today + rules->window_days; day++) {
            event.at_ms = day * AMPEL_DAY_MS;
            ampel_oracle_add(&copy, &event);
        }
    }
    return copy;
}

struct ampel_oracle_step *ampel_oracle_forecast(const struct ampel_oracle *oracle,
                                                const struct ampel_rules *rules, int64_t at_ms,
                                                bool keep_orders, uint32_t *count) {
    struct ampel_oracle future =
        keep_orders ? copy_with_orders_kept(oracle, rules, at_ms) : copy_of(oracle, at_ms);
    struct ampel_oracle_step *steps = NULL;
    uint32_t capacity = 0, instants_count = 0;
    int64_t *instants = instants_of(oracle, rules, at_ms, &instants_count);
    int64_t score = score_of(&future, rules, at_ms, at_ms);
    *count = 0;
    for (uint32_t index = 0; index < instants_count; index++) {
        int64_t next = score_of(&future, rules, instants[index], instants[index]);
        if (next != score) {
            steps = ampel_oracle_grow(steps, *count, &capacity, sizeof *steps);
            steps[(*count)++] = (struct ampel_oracle_step){instants[index], next};
            score = next;
        }
    }
    free(instants);
    ampel_oracle_reset(&future);
    return steps;
}

/* ---- 3.13 ----------------------------------------------------------------------------------- */

static void set_state(struct ampel_oracle *oracle, const char *id, uint8_t state, int64_t at_ms) {
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, AMPEL_EVENT_VIOLATION_STATE, at_ms);
    (void)snprintf(event.id, sizeof event.id, "%s", id);
    event.code = state;
    ampel_oracle_add(oracle, &event);
}

static struct ampel_oracle_outcome outcome_of(const struct ampel_oracle *oracle,
                                              const struct ampel_rules *rules, const char *id,
                                              uint8_t state, int64_t at_ms) {
    struct ampel_oracle then = copy_of(oracle, at_ms);
    set_state(&then, id, state, at_ms);
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&then, rules, at_ms, at_ms, &rating);
    struct ampel_oracle_outcome outcome = {rating.score, rating.raw, rating.risk};
    ampel_oracle_rating_reset(&rating);
    ampel_oracle_reset(&then);
    return outcome;
}

static int compare_fixes(const void *left, const void *right) {
    const struct ampel_oracle_fix *a = left;
    const struct ampel_oracle_fix *b = right;
    if (a->approved.risk != b->approved.risk) {
        return a->approved.risk < b->approved.risk ? -1 : 1;
    }
    if (a->approved.score != b->approved.score) {
        return a->approved.score > b->approved.score ? -1 : 1;
    }
    if (a->approved.raw != b->approved.raw) {
        return a->approved.raw > b->approved.raw ? -1 : 1;
    }
    if (a->expires_at_ms != b->expires_at_ms) {
        return a->expires_at_ms < b->expires_at_ms ? -1 : 1;
    }
    return strcmp(a->id, b->id);
}

struct ampel_oracle_fix *ampel_oracle_fixes(const struct ampel_oracle *oracle,
                                            const struct ampel_rules *rules, int64_t at_ms,
                                            uint32_t *count) {
    struct ampel_oracle_fix *fixes = NULL;
    uint32_t capacity = 0;
    *count = 0;
    struct ampel_oracle_rating now;
    ampel_oracle_rate(oracle, rules, at_ms, at_ms, &now);
    for (uint32_t index = 0; index < now.violations_count; index++) {
        if (!now.violations[index].deducting) {
            continue;
        }
        const struct ampel_oracle_event *told = now.violations[index].told;
        fixes = ampel_oracle_grow(fixes, *count, &capacity, sizeof *fixes);
        struct ampel_oracle_fix *fix = &fixes[(*count)++];
        memcpy(fix->id, told->id, sizeof fix->id);
        fix->expires_at_ms = told->at_ms + rules->window_days * AMPEL_DAY_MS;
        fix->approved = outcome_of(oracle, rules, told->id, AMPEL_STATE_APPROVED, at_ms);
        fix->acknowledged = outcome_of(oracle, rules, told->id, AMPEL_STATE_ACKNOWLEDGED, at_ms);
    }
    ampel_oracle_rating_reset(&now);
    if (*count > 0) {
        qsort(fixes, *count, sizeof *fixes, compare_fixes);
    }
    return fixes;
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static uint32_t bits_count(uint32_t set) {
    uint32_t count = 0;
    for (; set != 0; set &= set - 1) {
        count++;
    }
    return count;
}

/* True if the set `left` of indices into sorted ids, as a sorted list, comes before `right` of the
   same size: the first id in which they differ decides, and the lower ids are the lower bits. */
static bool comes_before(uint32_t left, uint32_t right) {
    uint32_t differ = left ^ right;
    return differ != 0 && (left & (differ & (0U - differ))) != 0;
}

/* Tries every set of `size` of the ids. True if one brings the score to green; best is then the
 * chosen one. */
static bool try_sets(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                     int64_t at_ms, const char *const *ids, uint32_t count, uint32_t size,
                     uint32_t *best) {
    bool found = false;
    int64_t best_raw = 0;
    for (uint32_t set = 0; set < UINT32_C(1) << count; set++) {
        if (bits_count(set) != size) {
            continue;
        }
        struct ampel_oracle then = copy_of(oracle, at_ms);
        for (uint32_t index = 0; index < count; index++) {
            if ((set >> index & 1) != 0) {
                set_state(&then, ids[index], AMPEL_STATE_APPROVED, at_ms);
            }
        }
        struct ampel_oracle_rating rating;
        ampel_oracle_rate(&then, rules, at_ms, at_ms, &rating);
        if (rating.score >= rules->band_green &&
            (!found || rating.raw > best_raw ||
             (rating.raw == best_raw && comes_before(set, *best)))) {
            found = true;
            best_raw = rating.raw;
            *best = set;
        }
        ampel_oracle_rating_reset(&rating);
        ampel_oracle_reset(&then);
    }
    return found;
}

void ampel_oracle_to_green(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                           int64_t at_ms, struct ampel_oracle_to_green *out) {
    *out = (struct ampel_oracle_to_green){0};
    struct ampel_oracle_rating now;
    ampel_oracle_rate(oracle, rules, at_ms, at_ms, &now);
    const char *ids[AMPEL_ORACLE_EXACT_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < now.violations_count; index++) {
        if (now.violations[index].deducting) {
            if (count < AMPEL_ORACLE_EXACT_MAX) {
                ids[count] = now.violations[index].told->id;
            }
            count++;
        }
    }
    out->exact = count <= AMPEL_ORACLE_EXACT_MAX;
    if (out->exact) {
        qsort(ids, count, sizeof ids[0], compare_ids);
        uint32_t best = 0;
        for (uint32_t size = 0; size <= count && !out->found; size++) {
            out->found = try_sets(oracle, rules, at_ms, ids, count, size, &best);
        }
        for (uint32_t index = 0; out->found && index < count; index++) {
            if ((best >> index & 1) != 0) {
                (void)snprintf(out->ids[out->count], sizeof out->ids[0], "%s", ids[index]);
                out->count++;
            }
        }
    }
    ampel_oracle_rating_reset(&now);
}

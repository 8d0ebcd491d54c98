/* See oracle.h. Every step of rating-model 2 and 3 is one function that reads like its sentence. */
#include "tests/oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules ---------------------------------------------------------------------------------- */

void ampel_oracle_rules(struct ampel_rules *out) {
    static const struct ampel_policy_rule policies[] = {
        {0, AMPEL_SEVERITY_MEDIUM},                    /* suspected_ip */
        {0, AMPEL_SEVERITY_HIGH},                      /* received_ip_complaint */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* product_authenticity */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_MEDIUM}, /* product_condition */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* product_safety */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* food_and_product_safety */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* listing_policy */
        {1, AMPEL_SEVERITY_HIGH},                      /* restricted_product */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* customer_reviews */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_MEDIUM}, /* other_policy */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_NONE},   /* policy_warning */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* regulatory_compliance */
        {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* fair_pricing */
    };
    *out = (struct ampel_rules){
        .version = "amazon-1",
        .window_days = 180,
        .start = 200,
        .band_green = 200,
        .band_yellow = 100,
        .orders_block = 200,
        .orders_points = 4,
        .orders_rounding = AMPEL_ROUNDING_FLOOR,
        .severity_points = {0, 2, 4, 8},
        .critical_mode = AMPEL_CRITICAL_ZERO,
        .ladder = AMPEL_LADDER_GEOMETRIC,
        .ladder_factor = 2,
        .ladder_max_exponent = 4,
        .ladder_table_count = 3,
        .ladder_table = {1, 2, 4},
        .anchor = AMPEL_ANCHOR_ANCHORED,
        .cap_effect = AMPEL_CAP_FLAG,
        .cap_warn_before = 1,
        .cap_groups_count = 2,
        .cap_groups = {{"infringement", 5}, {"restricted", 2}},
        .clamp_min = 0,
        .clamp_max = 1000,
        .assurance_score = 250,
        .assurance_window_days = 180,
        .assurance_days_below = 10,
        .deadline_red_hours = 72,
        .deadline_cap_hours = 72,
        .takeover_hours = 72,
        .takeover_threshold = 100,
    };
    memcpy(out->policies, policies, sizeof policies);
}

static bool choose(const char *value, const char *const *names, int count, int *out) {
    for (int index = 0; index < count; index++) {
        if (strcmp(value, names[index]) == 0) {
            *out = index;
            return true;
        }
    }
    return false;
}

bool ampel_oracle_rules_set(struct ampel_rules *rules, const char *key, const char *value) {
    static const char *const ladders[] = {"geometric", "double_once", "table", "off"};
    static const char *const anchors[] = {"anchored", "rerank"};
    static const char *const criticals[] = {"zero", "cap", "points"};
    static const char *const effects[] = {"flag", "zero"};
    static const char *const roundings[] = {"floor", "linear"};
    static const char *const truths[] = {"false", "true"};
    int code = 0;
    if (strcmp(key, "repeat.ladder") == 0 && choose(value, ladders, 4, &code)) {
        rules->ladder = (enum ampel_ladder)code;
    } else if (strcmp(key, "repeat.anchor") == 0 && choose(value, anchors, 2, &code)) {
        rules->anchor = (enum ampel_anchor)code;
    } else if (strcmp(key, "critical.mode") == 0 && choose(value, criticals, 3, &code)) {
        rules->critical_mode = (enum ampel_critical_mode)code;
    } else if (strcmp(key, "caps.effect") == 0 && choose(value, effects, 2, &code)) {
        rules->cap_effect = (enum ampel_cap_effect)code;
    } else if (strcmp(key, "orders.rounding") == 0 && choose(value, roundings, 2, &code)) {
        rules->orders_rounding = (enum ampel_rounding)code;
    } else if (strcmp(key, "clamp.cap_before_deduction") == 0 && choose(value, truths, 2, &code)) {
        rules->clamp_before_deduction = code == 1;
    } else if (strcmp(key, "critical.value") == 0) {
        rules->critical_value = (int32_t)strtol(value, NULL, 10);
    } else {
        return false;
    }
    return true;
}

/* ---- the list of events --------------------------------------------------------------------- */

void *ampel_oracle_grow(void *list, uint32_t count, uint32_t *capacity, size_t item_size) {
    if (count < *capacity) {
        return list;
    }
    *capacity = *capacity == 0 ? 16 : 2 * *capacity;
    void *grown = realloc(list, *capacity * item_size);
    if (grown == NULL) {
        fputs("the oracle has no memory\n", stderr);
        abort();
    }
    return grown;
}

void ampel_oracle_event_init(struct ampel_oracle_event *event, enum ampel_event_type type,
                             int64_t at_ms) {
    memset(event, 0, sizeof *event);
    event->type = (uint8_t)type;
    event->at_ms = at_ms;
    event->at_risk_sales_cents = AMPEL_ORACLE_MISSING;
    event->count = 1;
    event->rev = type == AMPEL_EVENT_ORDERS_DAY ? 1 : 0;
    event->points = AMPEL_ORACLE_MISSING;
    event->severity = AMPEL_SEVERITY_NOT_GIVEN;
    event->code = AMPEL_CODE_NONE;
}

void ampel_oracle_add(struct ampel_oracle *oracle, const struct ampel_oracle_event *event) {
    oracle->events = ampel_oracle_grow(oracle->events, oracle->events_count,
                                       &oracle->events_capacity, sizeof *event);
    oracle->events[oracle->events_count] = *event;
    oracle->events_count++;
}

void ampel_oracle_reset(struct ampel_oracle *oracle) {
    free(oracle->events);
    *oracle = (struct ampel_oracle){0};
}

/* ---- merging (rating-model 2) --------------------------------------------------------------- */

static int64_t day_of(int64_t at_ms) {
    return at_ms / AMPEL_DAY_MS; /* at is never negative, so this is floor */
}

int64_t ampel_oracle_orders_of(const struct ampel_oracle *oracle, int64_t known_ms, int64_t day) {
    int64_t sum = 0;
    const struct ampel_oracle_event *total = NULL;
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        if (event->at_ms > known_ms || day_of(event->at_ms) != day) {
            continue;
        }
        if (event->type == AMPEL_EVENT_ORDER) {
            sum += event->count;
        } else if (event->type == AMPEL_EVENT_ORDERS_DAY &&
                   (total == NULL || event->rev > total->rev ||
                    (event->rev == total->rev && event->count > total->count))) {
            total = event;
        }
    }
    if (total != NULL) {
        return total->count;
    }
    return sum < AMPEL_ORDERS_MAX ? sum : AMPEL_ORDERS_MAX;
}

static int compare_numbers(int64_t left, int64_t right) {
    return (left > right) - (left < right);
}

/* Which of two tellings of one violation defines it: (rev, at, policy, severity, points), then the
 * texts. */
static int compare_tellings(const struct ampel_oracle_event *left,
                            const struct ampel_oracle_event *right) {
    int order = compare_numbers(left->rev, right->rev);
    order = order != 0 ? order : compare_numbers(left->at_ms, right->at_ms);
    order = order != 0 ? order : compare_numbers(left->policy, right->policy);
    order = order != 0 ? order : compare_numbers(left->severity, right->severity);
    order = order != 0 ? order : compare_numbers(left->points, right->points);
    order = order != 0 ? order : strcmp(left->incident, right->incident);
    order = order != 0 ? order : strcmp(left->asin, right->asin);
    order = order != 0 ? order : strcmp(left->sku, right->sku);
    return order != 0 ? order
                      : compare_numbers(left->at_risk_sales_cents, right->at_risk_sales_cents);
}

/* The violations of E, each with the telling that defines it. */
static void merge_tellings(const struct ampel_oracle *oracle, int64_t known_ms,
                           struct ampel_oracle_rating *out) {
    uint32_t capacity = 0;
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        if (event->type != AMPEL_EVENT_VIOLATION || event->at_ms > known_ms) {
            continue;
        }
        uint32_t place = 0;
        while (place < out->violations_count &&
               strcmp(out->violations[place].told->id, event->id) != 0) {
            place++;
        }
        if (place == out->violations_count) {
            out->violations =
                ampel_oracle_grow(out->violations, place, &capacity, sizeof *out->violations);
            out->violations[place] = (struct ampel_oracle_violation){.told = event};
            out->violations_count++;
        } else if (compare_tellings(event, out->violations[place].told) > 0) {
            out->violations[place].told = event;
        }
    }
}

/* The state of one violation: the greatest (at, rank); cleared since: the least at of the cleared
 * ones. */
static void merge_states(const struct ampel_oracle *oracle, int64_t known_ms,
                         struct ampel_oracle_violation *violation) {
    violation->state = AMPEL_STATE_OPEN;
    violation->state_at_ms = INT64_MIN;
    violation->cleared_since_ms = INT64_MAX;
    violation->newest_at_ms = violation->told->at_ms;
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        bool state = event->type == AMPEL_EVENT_VIOLATION_STATE;
        if ((!state && event->type != AMPEL_EVENT_VIOLATION) || event->at_ms > known_ms ||
            strcmp(event->id, violation->told->id) != 0) {
            continue;
        }
        if (event->at_ms > violation->newest_at_ms) {
            violation->newest_at_ms = event->at_ms;
        }
        if (state && (event->at_ms > violation->state_at_ms ||
                      (event->at_ms == violation->state_at_ms && event->code > violation->state))) {
            violation->state = event->code;
            violation->state_at_ms = event->at_ms;
        }
        bool clears = event->code == AMPEL_STATE_EDITED || event->code == AMPEL_STATE_RETRACTED ||
                      event->code == AMPEL_STATE_APPROVED;
        if (state && clears && event->at_ms < violation->cleared_since_ms) {
            violation->cleared_since_ms = event->at_ms;
        }
    }
}

/* ---- numbers (rating-model 3) --------------------------------------------------------------- */

static int64_t window_ms(const struct ampel_rules *rules) {
    return rules->window_days * AMPEL_DAY_MS;
}

static bool is_deducting(uint8_t state) {
    return state == AMPEL_STATE_OPEN || state == AMPEL_STATE_APPEALED ||
           state == AMPEL_STATE_DENIED || state == AMPEL_STATE_LISTING_DELETED;
}

static bool is_cleared(uint8_t state) {
    return state == AMPEL_STATE_EDITED || state == AMPEL_STATE_RETRACTED ||
           state == AMPEL_STATE_APPROVED;
}

/* 3.3 */
static bool is_repeat_of(const struct ampel_oracle_violation *earlier,
                         const struct ampel_oracle_violation *later,
                         const struct ampel_rules *rules) {
    const struct ampel_oracle_event *u = earlier->told;
    const struct ampel_oracle_event *v = later->told;
    if (u->policy != v->policy || earlier->severity == AMPEL_SEVERITY_NONE) {
        return false;
    }
    bool before = u->at_ms < v->at_ms || (u->at_ms == v->at_ms && strcmp(u->id, v->id) < 0);
    if (!before || v->at_ms - u->at_ms >= window_ms(rules)) {
        return false;
    }
    if (rules->anchor == AMPEL_ANCHOR_RERANK) {
        return !is_cleared(earlier->state);
    }
    return !(is_cleared(earlier->state) && earlier->cleared_since_ms <= v->at_ms);
}

static uint32_t rank_of(const struct ampel_oracle_rating *rating,
                        const struct ampel_oracle_violation *violation,
                        const struct ampel_rules *rules) {
    uint32_t rank = 0;
    for (uint32_t index = 0; index < rating->violations_count; index++) {
        if (is_repeat_of(&rating->violations[index], violation, rules)) {
            rank++;
        }
    }
    return rank;
}

static int64_t ladder_of(uint32_t rank, const struct ampel_rules *rules) {
    int64_t factor = 1;
    switch (rules->ladder) {
    case AMPEL_LADDER_GEOMETRIC:
        for (uint32_t step = 0; step < rank && step < (uint32_t)rules->ladder_max_exponent;
             step++) {
            factor *= rules->ladder_factor;
        }
        return factor;
    case AMPEL_LADDER_DOUBLE_ONCE:
        return rank == 0 ? 1 : rules->ladder_factor;
    case AMPEL_LADDER_TABLE:
        return rules
            ->ladder_table[rank < rules->ladder_table_count ? rank : rules->ladder_table_count - 1];
    case AMPEL_LADDER_OFF:
        break;
    }
    return factor;
}

/* 3.4 and 3.5 */
static int64_t points_of(const struct ampel_oracle_violation *violation,
                         const struct ampel_rules *rules) {
    if (violation->told->points != AMPEL_ORACLE_MISSING) {
        return violation->told->points;
    }
    int64_t base = 0;
    if (violation->severity != AMPEL_SEVERITY_CRITICAL) {
        base = rules->severity_points[violation->severity];
    } else if (rules->critical_mode == AMPEL_CRITICAL_POINTS) {
        base = rules->critical_value;
    }
    int64_t points = base * ladder_of(violation->rank, rules);
    /* Not of the model: a bound far beyond any clamp that every implementation shares. */
    return points < AMPEL_VIOLATION_POINTS_MAX ? points : AMPEL_VIOLATION_POINTS_MAX;
}

static int compare_places(const void *left, const void *right) {
    const struct ampel_oracle_violation *u = left;
    const struct ampel_oracle_violation *v = right;
    int order = compare_numbers(u->told->policy, v->told->policy);
    order = order != 0 ? order : compare_numbers(u->told->at_ms, v->told->at_ms);
    return order != 0 ? order : strcmp(u->told->id, v->told->id);
}

static void rate_violations(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                            int64_t known_ms, int64_t at_ms, struct ampel_oracle_rating *out) {
    merge_tellings(oracle, known_ms, out);
    for (uint32_t index = 0; index < out->violations_count; index++) {
        struct ampel_oracle_violation *violation = &out->violations[index];
        const struct ampel_oracle_event *told = violation->told;
        merge_states(oracle, known_ms, violation);
        violation->severity = told->severity != AMPEL_SEVERITY_NOT_GIVEN
                                  ? told->severity
                                  : rules->policies[told->policy].severity;
        violation->in_window = told->at_ms <= at_ms && at_ms < told->at_ms + window_ms(rules);
        violation->deducting = violation->in_window && is_deducting(violation->state);
        violation->critical =
            violation->severity == AMPEL_SEVERITY_CRITICAL && told->points == AMPEL_ORACLE_MISSING;
    }
    for (uint32_t index = 0; index < out->violations_count; index++) {
        struct ampel_oracle_violation *violation = &out->violations[index];
        violation->rank = rank_of(out, violation, rules);
        violation->points = points_of(violation, rules);
    }
    if (out->violations_count > 0) {
        qsort(out->violations, out->violations_count, sizeof *out->violations, compare_places);
    }
}

/* 3.6. Each day is asked for once, however many of its events there are. */
static void rate_orders(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                        int64_t known_ms, int64_t at_ms, struct ampel_oracle_rating *out) {
    int64_t today = day_of(at_ms);
    bool counted[AMPEL_WINDOW_DAYS_MAX] = {false};
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        int64_t day = day_of(event->at_ms);
        bool orders = event->type == AMPEL_EVENT_ORDER || event->type == AMPEL_EVENT_ORDERS_DAY;
        if (!orders || event->at_ms > known_ms || day > today ||
            day <= today - rules->window_days || counted[today - day]) {
            continue;
        }
        counted[today - day] = true;
        out->orders += ampel_oracle_orders_of(oracle, known_ms, day);
    }
    if (rules->orders_rounding == AMPEL_ROUNDING_LINEAR) {
        out->order_points = rules->orders_points * out->orders / rules->orders_block;
    } else {
        out->order_points = rules->orders_points * (out->orders / rules->orders_block);
    }
}

static int64_t clamp(int64_t value, int64_t least, int64_t greatest) {
    return value < least ? least : value > greatest ? greatest : value;
}

/* 3.8, counts only. */
static void count_violations(const struct ampel_rules *rules, struct ampel_oracle_rating *out) {
    for (uint32_t index = 0; index < out->violations_count; index++) {
        const struct ampel_oracle_violation *violation = &out->violations[index];
        uint8_t group = rules->policies[violation->told->policy].group;
        if (violation->deducting) {
            out->deducted += violation->points;
            out->criticals += violation->critical ? 1 : 0;
        }
        if (violation->in_window && group != AMPEL_CAP_GROUP_NONE &&
            violation->severity != AMPEL_SEVERITY_NONE && !is_cleared(violation->state)) {
            out->caps[group]++;
        }
    }
}

/* 3.5, 3.7 and 3.8 */
static void rate_score(const struct ampel_rules *rules, struct ampel_oracle_rating *out) {
    int64_t earned = rules->start + out->order_points;
    if (rules->clamp_before_deduction && earned > rules->clamp_max) {
        earned = rules->clamp_max;
    }
    out->raw = earned - out->deducted;
    out->score = clamp(out->raw, rules->clamp_min, rules->clamp_max);
    if (out->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_ZERO) {
        out->score = 0;
    }
    if (out->criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_CAP &&
        out->score > rules->critical_value) {
        out->score = rules->critical_value;
    }
    bool reached = false;
    for (uint32_t group = 0; group < rules->cap_groups_count; group++) {
        reached = reached || out->caps[group] >= rules->cap_groups[group].limit;
    }
    if (reached && rules->cap_effect == AMPEL_CAP_ZERO) {
        out->score = 0;
    }
    out->colour = out->score >= rules->band_green    ? AMPEL_GREEN
                  : out->score >= rules->band_yellow ? AMPEL_YELLOW
                                                     : AMPEL_RED;
    out->risk = reached                       ? AMPEL_RISK_IMMEDIATE
                : out->colour == AMPEL_RED    ? AMPEL_RISK_ELIGIBLE
                : out->colour == AMPEL_YELLOW ? AMPEL_RISK_AT_RISK
                                              : AMPEL_RISK_NONE;
}

void ampel_oracle_rate(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                       int64_t known_ms, int64_t at_ms, struct ampel_oracle_rating *out) {
    *out = (struct ampel_oracle_rating){0};
    if (known_ms > at_ms) {
        known_ms = at_ms;
    }
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        out->exists = out->exists || oracle->events[index].at_ms <= known_ms;
    }
    rate_violations(oracle, rules, known_ms, at_ms, out);
    rate_orders(oracle, rules, known_ms, at_ms, out);
    count_violations(rules, out);
    rate_score(rules, out);
}

void ampel_oracle_rating_reset(struct ampel_oracle_rating *rating) {
    free(rating->violations);
    *rating = (struct ampel_oracle_rating){0};
}

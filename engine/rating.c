#include "engine/rating.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct ampel_numbers) == 40, "numbers are compared and exported whole: no padding");

static int64_t ladder_factor(const struct ampel_rules *rules, uint32_t rank) {
    switch (rules->ladder) {
    case AMPEL_LADDER_GEOMETRIC: {
        int64_t factor = 1;
        for (uint32_t i = 0; i < rank && i < (uint32_t)rules->ladder_max_exponent; i++) {
            factor *= rules->ladder_factor;
        }
        return factor;
    }
    case AMPEL_LADDER_DOUBLE_ONCE:
        return rank == 0 ? 1 : rules->ladder_factor;
    case AMPEL_LADDER_TABLE: {
        uint32_t last = rules->ladder_table_count - 1;
        return rules->ladder_table[rank < last ? rank : last];
    }
    case AMPEL_LADDER_OFF:
        break;
    }
    return 1;
}

void ampel_scale_init(struct ampel_scale *out, const struct ampel_rules *rules) {
    memset(out, 0, sizeof(*out));
    out->window_ms = rules->window_days * AMPEL_DAY_MS;
    out->rerank = rules->anchor == AMPEL_ANCHOR_RERANK;
    for (uint32_t severity = 0; severity <= AMPEL_SEVERITY_CRITICAL; severity++) {
        int64_t base = 0; /* of a critical one too: it acts by its mode, not by points */
        if (severity < AMPEL_SEVERITY_CRITICAL)
            base = rules->severity_points[severity];
        else if (rules->critical_mode == AMPEL_CRITICAL_POINTS)
            base = rules->critical_value;
        for (uint32_t rank = 0; rank < AMPEL_SCALE_RANKS; rank++) {
            int64_t points = base * ladder_factor(rules, rank);
            if (points > AMPEL_VIOLATION_POINTS_MAX) points = AMPEL_VIOLATION_POINTS_MAX;
            out->points[severity][rank] = points;
        }
    }
    for (uint32_t i = 0; i < AMPEL_POLICIES_MAX; i++) {
        out->group[i] = rules->policies[i].group;
        out->severity[i] = rules->policies[i].severity;
    }
}

static int64_t clamp(int64_t value, int64_t least, int64_t greatest) {
    return value < least ? least : value > greatest ? greatest : value;
}

static bool cap_reached(const struct ampel_rules *rules, const uint16_t *caps) {
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (caps[i] >= rules->cap_groups[i].limit) return true;
    }
    return false;
}

/* Effects after the clamp, in the order of the model: critical, then caps. */
static int64_t effects(const struct ampel_rules *rules, int64_t score, uint16_t criticals,
                       bool reached) {
    if (criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_ZERO) score = 0;
    if (criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_CAP &&
        score > rules->critical_value) {
        score = rules->critical_value;
    }
    if (reached && rules->cap_effect == AMPEL_CAP_ZERO) score = 0;
    return score;
}

static inline int64_t raw_of(const struct ampel_rules *rules, int64_t earned, int64_t deducted) {
    int64_t raw = rules->start + earned;
    if (rules->clamp_before_deduction && raw > rules->clamp_max) raw = rules->clamp_max;
    return raw - deducted;
}

int64_t ampel_rating_raw(const struct ampel_rules *rules, uint32_t orders, int64_t deducted) {
    return raw_of(rules, ampel_rating_order_points(rules, orders), deducted);
}

void ampel_rating_numbers(const struct ampel_rules *rules, uint32_t orders, int64_t deducted,
                          uint16_t criticals, const uint16_t caps[AMPEL_CAP_GROUPS_MAX],
                          struct ampel_numbers *out) {
    int64_t earned = ampel_rating_order_points(rules, orders);
    int64_t score = clamp(raw_of(rules, earned, deducted), rules->clamp_min, rules->clamp_max);
    bool reached = false;
    if (caps != NULL) {
        memcpy(out->caps, caps, sizeof(out->caps));
        reached = cap_reached(rules, caps);
    } else {
        memset(out->caps, 0, sizeof(out->caps));
    }
    score = effects(rules, score, criticals, reached);
    out->deducted = deducted;
    out->score = (int32_t)score;
    /* Extreme rules can earn more than the member holds; the score above is exact all the same. */
    out->order_points = earned > INT32_MAX ? INT32_MAX : (int32_t)earned;
    out->orders = orders;
    out->criticals = criticals;
    out->colour = score >= rules->band_green    ? AMPEL_GREEN
                  : score >= rules->band_yellow ? AMPEL_YELLOW
                                                : AMPEL_RED;
    out->risk = reached                       ? AMPEL_RISK_IMMEDIATE
                : out->colour == AMPEL_RED    ? AMPEL_RISK_ELIGIBLE
                : out->colour == AMPEL_YELLOW ? AMPEL_RISK_AT_RISK
                                              : AMPEL_RISK_NONE;
}

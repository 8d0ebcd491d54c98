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

int64_t ampel_rating_raw(const struct ampel_rules *rules, uint32_t orders, int64_t deducted) {
    int64_t raw = rules->start + ampel_rating_order_points(rules, orders);
    if (rules->clamp_before_deduction && raw > rules->clamp_max) raw = rules->clamp_max;
    return raw - deducted;
}

void ampel_rating_numbers(const struct ampel_rules *rules, uint32_t orders, int64_t deducted,
                          uint16_t criticals, const uint16_t caps[AMPEL_CAP_GROUPS_MAX],
                          struct ampel_numbers *out) {
    static const uint16_t none[AMPEL_CAP_GROUPS_MAX];
    ampel_rating_show(rules, orders, ampel_rating_order_points(rules, orders), deducted, criticals,
                      caps != NULL ? caps : none, out);
}

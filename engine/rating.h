/* The score as a formula: pure functions of rules and sums (rating-model 3.4 to 3.8). */
#ifndef AMPEL_ENGINE_RATING_H
#define AMPEL_ENGINE_RATING_H

#include <assert.h>

#include "engine/engine.h"
#include "engine/load.h"
#include "engine/registry.h"
#include "engine/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every ladder is constant from rank 16 on: exponents end at 10, tables at 16 factors. */
#define AMPEL_SCALE_RANKS 17

/* The rules as the tables that one violation needs. */
struct ampel_scale {
    int64_t window_ms;                                              /* the rule window_days */
    int64_t points[AMPEL_SEVERITY_CRITICAL + 1][AMPEL_SCALE_RANKS]; /* by severity and rank */
    uint8_t group[AMPEL_POLICIES_MAX];
    int8_t severity[AMPEL_POLICIES_MAX]; /* of a policy where the event gives none */
    bool rerank;
};

void ampel_scale_init(struct ampel_scale *out, const struct ampel_rules *rules);

/* p(v): what one violation costs at a rank; given is the event's own points or -1. */
static inline int64_t ampel_scale_points(const struct ampel_scale *scale, int8_t severity,
                                         uint32_t rank, int16_t given) {
    if (given >= 0) return given;
    return scale->points[severity][rank < AMPEL_SCALE_RANKS ? rank : AMPEL_SCALE_RANKS - 1];
}

static inline int8_t ampel_scale_severity(const struct ampel_scale *scale, uint8_t policy,
                                          int8_t given) {
    return given >= 0 ? given : scale->severity[policy % AMPEL_POLICIES_MAX];
}

/* What the orders of a window earn, before any clamp. */
static inline int64_t ampel_rating_order_points(const struct ampel_rules *rules, uint32_t orders) {
    if (rules->orders_rounding == AMPEL_ROUNDING_LINEAR) {
        return (int64_t)rules->orders_points * orders / rules->orders_block;
    }
    return (int64_t)rules->orders_points * (orders / (uint32_t)rules->orders_block);
}
static inline bool ampel_caps_same(const uint16_t a[AMPEL_CAP_GROUPS_MAX],
                                   const uint16_t b[AMPEL_CAP_GROUPS_MAX]) {
    /* Two words: a call of memcmp costs more. */
    static_assert(AMPEL_CAP_GROUPS_MAX * sizeof(uint16_t) == 2 * sizeof(uint64_t), "two words");
    return ((ampel_load_u64(a) ^ ampel_load_u64(b)) |
            (ampel_load_u64(a + 4) ^ ampel_load_u64(b + 4))) == 0;
}
/* Do so many orders more earn nothing more? */
static inline bool ampel_rating_orders_quiet(const struct ampel_rules *rules, uint32_t orders,
                                             uint32_t more) {
    if (rules->orders_rounding != AMPEL_ROUNDING_LINEAR) {
        uint32_t block = (uint32_t)rules->orders_block;
        return more < block - orders % block;
    }
    return ampel_rating_order_points(rules, orders + more) ==
           ampel_rating_order_points(rules, orders);
}
/* The score before the final clamp, critical and cap effects (rating-model 3.13). */
int64_t ampel_rating_raw(const struct ampel_rules *rules, uint32_t orders, int64_t deducted);
static inline bool ampel_caps_reached(const struct ampel_rules *rules,
                                      const uint16_t caps[AMPEL_CAP_GROUPS_MAX]) {
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (caps[i] >= rules->cap_groups[i].limit) return true;
    }
    return false;
}
/* Everything shown, from the sums; earned is what so many orders earn. */
static inline void ampel_rating_show(const struct ampel_rules *rules, uint32_t orders, int64_t earned,
                                     int64_t deducted, uint16_t criticals,
                                     const uint16_t caps[AMPEL_CAP_GROUPS_MAX],
                                     struct ampel_numbers *out) {
    int64_t raw = rules->start + earned;
    if (rules->clamp_before_deduction && raw > rules->clamp_max) raw = rules->clamp_max;
    int64_t score = raw - deducted;
    if (score > rules->clamp_max) score = rules->clamp_max;
    if (score < rules->clamp_min) score = rules->clamp_min;
    bool reached = ampel_caps_reached(rules, caps);
    /* Effects after the clamp, in the order of the model: critical, then caps. */
    if (criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_ZERO) score = 0;
    if (criticals > 0 && rules->critical_mode == AMPEL_CRITICAL_CAP && score > rules->critical_value)
        score = rules->critical_value;
    if (reached && rules->cap_effect == AMPEL_CAP_ZERO) score = 0;
    out->deducted = deducted;
    out->score = (int32_t)score;
    /* Extreme rules can earn more than the member holds; the score above is exact all the same. */
    out->order_points = earned > INT32_MAX ? INT32_MAX : (int32_t)earned;
    out->orders = orders;
    out->criticals = criticals;
    memcpy(out->caps, caps, sizeof(out->caps));
    /* Colours and risks are in the order of bands, so they are counted, not asked for. */
    static_assert(AMPEL_GREEN == 0 && AMPEL_YELLOW == 1 && AMPEL_RED == 2, "by bands missed");
    static_assert(AMPEL_RISK_NONE == 0 && AMPEL_RISK_AT_RISK == 1 && AMPEL_RISK_ELIGIBLE == 2, "as colours");
    out->colour = (uint8_t)((score < rules->band_green) + (score < rules->band_yellow));
    out->risk = reached ? (uint8_t)AMPEL_RISK_IMMEDIATE : out->colour;
}
/* The same from orders alone; caps may be NULL where all are 0. */
void ampel_rating_numbers(const struct ampel_rules *rules, uint32_t orders, int64_t deducted,
                          uint16_t criticals, const uint16_t caps[AMPEL_CAP_GROUPS_MAX],
                          struct ampel_numbers *out);

#ifdef __cplusplus
}
#endif

#endif

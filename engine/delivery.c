/* Delivery metrics of reports: beside the rating, never in it (domain.md). */
#include "engine/state.h"

static void metric_fill(const struct ampel_fact *fact, struct ampel_delivery_metric *out) {
    struct ampel_event event;
    int64_t condition;
    ampel_fact_event(fact, &event);
    *out = (struct ampel_delivery_metric){
        .at_ms = fact->at_ms,
        .state = fact->code == AMPEL_CODE_NONE ? AMPEL_METRIC_NOT_GIVEN : fact->code,
        .condition = AMPEL_METRIC_NOT_GIVEN,
        .name = ampel_extra_text(&event, AMPEL_EXTRA_NAME),
    };
    out->has_value = ampel_extra_number(&event, AMPEL_EXTRA_VALUE_PPM, &out->value_ppm);
    out->has_target = ampel_extra_number(&event, AMPEL_EXTRA_TARGET_PPM, &out->target_ppm);
    if (ampel_extra_number(&event, AMPEL_EXTRA_CONDITION, &condition)) {
        out->condition = (uint8_t)condition;
    }
}

/* The report's own word where it has one; else its value against its own target. */
static uint8_t metric_banner(const struct ampel_delivery_metric *metric) {
    if (metric->state == AMPEL_METRIC_BAD) return AMPEL_BANNER_BAD;
    if (metric->state == AMPEL_METRIC_GOOD) return AMPEL_BANNER_GOOD;
    if (metric->state == AMPEL_METRIC_NONE || !metric->has_value || !metric->has_target) {
        return AMPEL_BANNER_NO_DATA;
    }
    bool met = metric->value_ppm == metric->target_ppm;
    if (metric->condition == AMPEL_METRIC_LESS_THAN) met = metric->value_ppm < metric->target_ppm;
    if (metric->condition == AMPEL_METRIC_GREATER_THAN) {
        met = metric->value_ppm > metric->target_ppm;
    }
    if (metric->condition == AMPEL_METRIC_NOT_GIVEN) return AMPEL_BANNER_NO_DATA;
    return met ? AMPEL_BANNER_GOOD : AMPEL_BANNER_BAD;
}

bool ampel_engine_metrics_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                               struct ampel_delivery_metric *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_rare *rare = ampel_account_at(&engine->accounts, slot)->rare;
    if (rare == NULL || rare->facts == NULL) return false;
    uint32_t first = ampel_facts_first(rare->facts, AMPEL_EVENT_METRIC, 0), index = first + *cursor;
    if (index >= rare->facts->count) return false;
    if (rare->facts->sorted[index]->type != AMPEL_EVENT_METRIC) return false;
    (*cursor)++;
    metric_fill(rare->facts->sorted[index], out);
    out->banner = metric_banner(out);
    return true;
}

uint8_t ampel_engine_banner(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_delivery_metric metric;
    uint32_t cursor = 0;
    uint8_t worst = AMPEL_BANNER_NO_DATA;
    while (ampel_engine_metrics_next(engine, slot, &cursor, &metric)) {
        if (metric.banner > worst) worst = metric.banner;
    }
    return worst;
}

const char *ampel_banner_name(uint8_t banner) {
    static const char *const names[] = {"no_data", "good", "bad"};
    return banner < AMPEL_ARRAY_COUNT(names) ? names[banner] : "unknown";
}

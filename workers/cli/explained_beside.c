#include "workers/cli/explained_beside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/print.h"
#include "proto/text.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/table.h"

/* ---- from an engine ------------------------------------------------------------------------- */

void ampel_explained_beside_engine(const struct ampel_engine *engine, uint32_t slot,
                                   struct ampel_explained_beside *out) {
    struct ampel_event event;
    struct ampel_delivery_metric metric;
    uint32_t cursor = 0;
    memset(out, 0, sizeof *out);
    out->known = ampel_engine_fact_next(engine, slot, &cursor, &event);
    out->window_days = ampel_engine_rules(engine)->assurance_window_days;
    out->banner = ampel_engine_banner(engine, slot);
    ampel_engine_assurance(engine, slot, &out->assurance);
    cursor = 0;
    while (out->metrics_count < AMPEL_EXPLAINED_METRICS_MAX &&
           ampel_engine_metrics_next(engine, slot, &cursor, &metric)) {
        struct ampel_explained_metric *explained = &out->metrics[out->metrics_count++];
        memcpy(explained->name, metric.name.bytes, metric.name.size);
        explained->at_ms = metric.at_ms;
        explained->value_ppm = metric.value_ppm;
        explained->target_ppm = metric.target_ppm;
        explained->has_value = metric.has_value;
        explained->has_target = metric.has_target;
        explained->banner = metric.banner;
    }
}

/* ---- for people ----------------------------------------------------------------------------- */

static void assurance_print(const struct ampel_explained_beside *beside) {
    const struct ampel_assurance *assurance = &beside->assurance;
    enum ampel_paint paint = assurance->near ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_GREEN;
    struct ampel_flow flow;
    printf("\n");
    ampel_flow_start(&flow, 4);
    if (assurance->eligible)
        ampel_flow_put(&flow, 2, paint, "%s", ampel_label("assurance: eligible"));
    else
        ampel_flow_put(&flow, 2, AMPEL_DIM, "%s", ampel_label("assurance: not eligible"));
    ampel_flow_put(&flow, 0, AMPEL_PLAIN, ampel_label(", %u of %lld days marked, %u below"), assurance->days_marked,
                   (long long)beside->window_days, assurance->days_below);
    if (assurance->today_below) ampel_flow_put(&flow, 0, AMPEL_PLAIN, "%s", ampel_label(", today below"));
    ampel_flow_end(&flow);
    if (!assurance->professional) fputs(ampel_label("    no professional plan is known\n"), stdout);
    if (!assurance->emergency_phone) fputs(ampel_label("    no emergency phone is known\n"), stdout);
    if (assurance->eligible)
        printf(assurance->days_to_lost == 1 ? ampel_label("    lost with %u more day below\n")
                                            : ampel_label("    lost with %u more days below\n"),
               assurance->days_to_lost);
}

static void percent_cell(struct ampel_table *table, bool given, int64_t ppm) {
    if (given)
        ampel_table_cell(table, AMPEL_PLAIN, "%s%" PRId64 ".%02u%%", ppm < 0 ? "-" : "",
                         (ppm < 0 ? -(ppm / 10000) : ppm / 10000), (unsigned)((ppm < 0 ? -(ppm % 10000) : ppm % 10000) / 100));
    else
        ampel_table_cell(table, AMPEL_DIM, "-");
}

void ampel_explained_beside_print(const struct ampel_explained_beside *beside) {
    if (!beside->known) return;
    assurance_print(beside);
    if (beside->metrics_count == 0) return;
    fputs(ampel_label("\nDelivery metrics, no part of the score:\n"), stdout);
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "METRIC", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "VALUE", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "TARGET", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "BANNER", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "REPORT", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < beside->metrics_count; i++) {
        const struct ampel_explained_metric *metric = &beside->metrics[i];
        char at[AMPEL_LABEL_TIME_SIZE];
        ampel_label_day(metric->at_ms, at);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", metric->name);
        percent_cell(table, metric->has_value, metric->value_ppm);
        percent_cell(table, metric->has_target, metric->target_ppm);
        ampel_table_cell(table,
                         metric->banner == AMPEL_BANNER_BAD    ? AMPEL_PAINT_RED
                         : metric->banner == AMPEL_BANNER_GOOD ? AMPEL_PAINT_GREEN
                                                               : AMPEL_DIM,
                         "%s", ampel_label(metric->banner == AMPEL_BANNER_NO_DATA ? "no data" : ampel_banner_name(metric->banner)));
        ampel_table_cell(table, AMPEL_DIM, "%s", at);
    }
    ampel_table_print(table);
    ampel_table_close(table);
}

/* ---- for programs --------------------------------------------------------------------------- */

static void metric_json(struct ampel_print *print, const struct ampel_explained_metric *metric) {
    ampel_member_text(print, "name", ampel_text_of(metric->name));
    ampel_member_time(print, "at", metric->at_ms);
    if (metric->has_value) ampel_member_integer(print, "value_ppm", metric->value_ppm);
    if (metric->has_target) ampel_member_integer(print, "target_ppm", metric->target_ppm);
    ampel_member_text(print, "banner", ampel_text_of(ampel_banner_name(metric->banner)));
}

void ampel_explained_beside_json(const struct ampel_explained_beside *beside) {
    if (!beside->known) return;
    const struct ampel_assurance *assurance = &beside->assurance;
    char bytes[1024];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, ",\"assurance\":{");
    ampel_member_boolean(&print, "eligible", assurance->eligible);
    ampel_member_boolean(&print, "near", assurance->near);
    ampel_member_integer(&print, "days_marked", assurance->days_marked);
    ampel_member_integer(&print, "days_below", assurance->days_below);
    ampel_member_integer(&print, "days_to_lost", assurance->days_to_lost);
    ampel_member_boolean(&print, "professional", assurance->professional);
    ampel_member_boolean(&print, "emergency_phone", assurance->emergency_phone);
    ampel_member_boolean(&print, "today_below", assurance->today_below);
    ampel_print_word(&print, "}");
    ampel_member_text(&print, "metrics_banner", ampel_text_of(ampel_banner_name(beside->banner)));
    ampel_print_key(&print, "metrics");
    ampel_print_word(&print, "[");
    for (uint32_t i = 0; i < beside->metrics_count; i++) {
        ampel_print_word(&print, i > 0 ? ",{" : "{");
        metric_json(&print, &beside->metrics[i]);
        ampel_print_word(&print, "}");
        ampel_members_piece(&print);
    }
    ampel_print_word(&print, "]");
    ampel_members_piece(&print);
}

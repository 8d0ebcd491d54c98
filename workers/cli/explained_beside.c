#include "workers/cli/explained_beside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/print.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/table.h"
#include "workers/sql_texts.h"

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

/* ---- from the database ---------------------------------------------------------------------- */

static uint8_t banner_code(struct ampel_text name) {
    for (uint8_t banner = AMPEL_BANNER_NO_DATA; banner <= AMPEL_BANNER_BAD; banner++)
        if (ampel_text_is(name, ampel_banner_name(banner))) return banner;
    return AMPEL_BANNER_NO_DATA;
}

static void metric_read(const struct ampel_json *json, struct ampel_explained_metric *out) {
    struct ampel_text text;
    memset(out, 0, sizeof *out);
    if (ampel_json_text(ampel_json_get(json, "name"), &text) && text.size <= AMPEL_ID_BYTES_MAX)
        memcpy(out->name, text.bytes, text.size);
    if (ampel_json_text(ampel_json_get(json, "at"), &text) && !ampel_time_decode(text, &out->at_ms)) out->at_ms = 0;
    out->has_value = ampel_json_integer(ampel_json_get(json, "value_ppm"), &out->value_ppm);
    out->has_target = ampel_json_integer(ampel_json_get(json, "target_ppm"), &out->target_ppm);
    if (ampel_json_text(ampel_json_get(json, "banner"), &text)) out->banner = banner_code(text);
}

static void metrics_read(struct ampel_text json, struct ampel_explained_beside *out) {
    struct ampel_error error;
    struct ampel_json *list = ampel_json_open(json, &error);
    for (uint32_t i = 0; i < ampel_json_count(list) && i < AMPEL_EXPLAINED_METRICS_MAX; i++)
        metric_read(ampel_json_at(list, i), &out->metrics[out->metrics_count++]);
    ampel_json_close(list);
}

enum ampel_database_status
ampel_explained_beside_database(struct ampel_pq *pq, const struct ampel_pq_value key[3],
                                const struct ampel_rules *rules, struct ampel_explained_beside *out,
                                struct ampel_error *error) {
    memset(out, 0, sizeof *out);
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_READ_BESIDE, key, 3, error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_rows(pq) == 0) return status;
    out->known = true;
    out->window_days = rules->assurance_window_days;
    out->assurance.days_marked = (uint16_t)ampel_pq_get_int64(pq, 0, 0);
    out->assurance.days_below = (uint16_t)ampel_pq_get_int64(pq, 0, 1);
    out->assurance.days_to_lost = (uint16_t)ampel_pq_get_int64(pq, 0, 2);
    out->assurance.professional = ampel_pq_get_boolean(pq, 0, 3);
    out->assurance.emergency_phone = ampel_pq_get_boolean(pq, 0, 4);
    out->assurance.eligible = ampel_pq_get_boolean(pq, 0, 5);
    out->assurance.near = ampel_pq_get_boolean(pq, 0, 6);
    out->assurance.today_below = ampel_pq_get_boolean(pq, 0, 7);
    out->banner = banner_code(ampel_pq_get_text(pq, 0, 8));
    metrics_read(ampel_pq_get_text(pq, 0, 9), out);
    return status;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void assurance_print(const struct ampel_explained_beside *beside) {
    const struct ampel_assurance *assurance = &beside->assurance;
    enum ampel_paint paint = assurance->near ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_GREEN;
    printf("\n  assurance: %s%s%s, %u of %" PRId64 " days marked, %u below%s\n",
           ampel_paint_start(assurance->eligible ? paint : AMPEL_DIM), assurance->eligible ? "eligible" : "not eligible",
           ampel_paint_end(), assurance->days_marked, beside->window_days, assurance->days_below,
           assurance->today_below ? ", today below" : "");
    if (!assurance->professional) printf("    no professional plan is known\n");
    if (!assurance->emergency_phone) printf("    no emergency phone is known\n");
    if (assurance->eligible)
        printf("    lost with %u more day%s below\n", assurance->days_to_lost, assurance->days_to_lost == 1 ? "" : "s");
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
    printf("\n");
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "METRIC (NOT PART OF THE SCORE)", AMPEL_LEFT, true);
    ampel_table_column(table, "VALUE", AMPEL_RIGHT, false);
    ampel_table_column(table, "TARGET", AMPEL_RIGHT, false);
    ampel_table_column(table, "BANNER", AMPEL_LEFT, false);
    ampel_table_column(table, "REPORT", AMPEL_LEFT, false);
    for (uint32_t i = 0; i < beside->metrics_count; i++) {
        const struct ampel_explained_metric *metric = &beside->metrics[i];
        char at[AMPEL_TIME_SIZE];
        ampel_time_encode(metric->at_ms, at);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", metric->name);
        percent_cell(table, metric->has_value, metric->value_ppm);
        percent_cell(table, metric->has_target, metric->target_ppm);
        ampel_table_cell(table,
                         metric->banner == AMPEL_BANNER_BAD    ? AMPEL_PAINT_RED
                         : metric->banner == AMPEL_BANNER_GOOD ? AMPEL_PAINT_GREEN
                                                               : AMPEL_DIM,
                         "%s", metric->banner == AMPEL_BANNER_NO_DATA ? "no data" : ampel_banner_name(metric->banner));
        ampel_table_cell(table, AMPEL_DIM, "%.10s", at);
    }
    (void)ampel_table_print(table, 0);
    ampel_table_close(table);
}

/* ---- for programs --------------------------------------------------------------------------- */

static void flag(struct ampel_print *print, const char *key, bool value) {
    ampel_print_key(print, key);
    ampel_print_word(print, value ? "true" : "false");
}

static void number(struct ampel_print *print, const char *key, int64_t value) {
    ampel_print_key(print, key);
    ampel_print_integer(print, value);
}

static void piece(struct ampel_print *print) {
    AMPEL_ASSERT(!print->full);
    fwrite(print->bytes, 1, print->size, stdout);
    print->size = 0;
}

static void metric_json(struct ampel_print *print, const struct ampel_explained_metric *metric) {
    ampel_print_key(print, "name");
    ampel_print_json(print, ampel_text_of(metric->name));
    ampel_print_key(print, "at");
    ampel_print_time(print, metric->at_ms);
    if (metric->has_value) number(print, "value_ppm", metric->value_ppm);
    if (metric->has_target) number(print, "target_ppm", metric->target_ppm);
    ampel_print_key(print, "banner");
    ampel_print_json(print, ampel_text_of(ampel_banner_name(metric->banner)));
}

void ampel_explained_beside_json(const struct ampel_explained_beside *beside) {
    if (!beside->known) return;
    const struct ampel_assurance *assurance = &beside->assurance;
    char bytes[1024];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, ",\"assurance\":{");
    flag(&print, "eligible", assurance->eligible);
    flag(&print, "near", assurance->near);
    number(&print, "days_marked", assurance->days_marked);
    number(&print, "days_below", assurance->days_below);
    number(&print, "days_to_lost", assurance->days_to_lost);
    flag(&print, "professional", assurance->professional);
    flag(&print, "emergency_phone", assurance->emergency_phone);
    flag(&print, "today_below", assurance->today_below);
    ampel_print_word(&print, "}");
    ampel_print_key(&print, "metrics_banner");
    ampel_print_json(&print, ampel_text_of(ampel_banner_name(beside->banner)));
    ampel_print_key(&print, "metrics");
    ampel_print_word(&print, "[");
    for (uint32_t i = 0; i < beside->metrics_count; i++) {
        ampel_print_word(&print, i > 0 ? ",{" : "{");
        metric_json(&print, &beside->metrics[i]);
        ampel_print_word(&print, "}");
        piece(&print);
    }
    ampel_print_word(&print, "]");
    piece(&print);
}

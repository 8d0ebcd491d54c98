#include "workers/cli/explained_incidents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/checkpoint_incident.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/table.h"

bool ampel_explained_incidents_engine(struct ampel_engine *engine, uint32_t slot,
                                      struct ampel_explained_incidents *out) {
    struct ampel_rating_row row = {.as_of_ms = 0};
    *out = (struct ampel_explained_incidents){.total = 0};
    struct ampel_arena *arena = ampel_arena_open();
    if (arena == NULL || !ampel_incident_row(engine, slot, arena, &row)) {
        if (arena != NULL) ampel_arena_close(arena);
        return ampel_outlook_no_memory();
    }
    out->total = row.incidents_total;
    out->score_without = row.score_without;
    if (row.incidents_total > 0) {
        out->list = strndup(row.incidents.bytes, row.incidents.size);
        AMPEL_ASSERT(out->list != NULL);
    }
    ampel_arena_close(arena);
    return true;
}

void ampel_explained_incidents_close(struct ampel_explained_incidents *incidents) { free(incidents->list); }

/* ---- for people ----------------------------------------------------------------------------- */

static long long number(const struct ampel_json *object, const char *key) {
    int64_t value = 0;
    return ampel_json_integer(ampel_json_get(object, key), &value) ? (long long)value : 0;
}

static struct ampel_text word(const struct ampel_json *object, const char *key) {
    struct ampel_text value;
    return ampel_json_text(ampel_json_get(object, key), &value) ? value : (struct ampel_text){"", 0};
}

static void time_write(const struct ampel_json *object, const char *key, char out[AMPEL_LABEL_TIME_SIZE]) {
    int64_t at_ms;
    struct ampel_text text = word(object, key);
    snprintf(out, AMPEL_LABEL_TIME_SIZE, "-");
    if (text.size > 0 && ampel_time_decode(text, &at_ms)) ampel_label_minute(at_ms, out);
}

static void disputes_print(const struct ampel_json *disputes) {
    struct ampel_flow flow;
    ampel_flow_start(&flow, 6);
    ampel_flow_put(&flow, 4, AMPEL_PLAIN, "%s", ampel_label("dispute first:"));
    for (uint32_t i = 0; i < ampel_json_count(disputes); i++) {
        struct ampel_text violation;
        if (ampel_json_text(ampel_json_at(disputes, i), &violation))
            ampel_flow_put(&flow, 1, AMPEL_PLAIN, "%.*s", (int)violation.size, violation.bytes);
    }
    ampel_flow_end(&flow);
}

static void incident_print(const struct ampel_json *incident, int32_t score) {
    char from[AMPEL_LABEL_TIME_SIZE], end[AMPEL_LABEL_TIME_SIZE];
    struct ampel_text id = word(incident, "id"), phase = word(incident, "phase");
    const struct ampel_json *disputes = ampel_json_get(incident, "dispute");
    struct ampel_flow flow;
    time_write(incident, "compromised_from", from);
    time_write(incident, "ended_at", end);
    printf("\n");
    ampel_flow_start(&flow, 4);
    ampel_flow_put(&flow, 2, AMPEL_PLAIN, "%s", ampel_label("incident "));
    ampel_flow_put(&flow, 0, AMPEL_BOLD, "%.*s", (int)id.size, id.bytes);
    ampel_flow_put(&flow, 1, AMPEL_PLAIN, "(%s):", ampel_label(phase.bytes));
    ampel_flow_put(&flow, 1, AMPEL_PLAIN, ampel_label("score %d with it,"), score);
    ampel_flow_put(&flow, 1, AMPEL_BOLD, ampel_label("%lld without"), number(incident, "score"));
    ampel_flow_end(&flow);
    printf(ampel_label("    from %s until %s\n"), from, end);
    ampel_flow_start(&flow, 4);
    ampel_flow_words(&flow, 4, AMPEL_PLAIN,
                     ampel_label("%lld violations, %lld of them cost %lld points, with their repeats %lld"),
                     number(incident, "violations"), number(incident, "deducting"), number(incident, "points"),
                     number(incident, "points_caused"));
    ampel_flow_end(&flow);
    printf(ampel_label("    %lld orders, %lld cancelled on its days\n"), number(incident, "orders"),
           number(incident, "cancelled"));
    if (ampel_json_count(disputes) > 0) disputes_print(disputes);
}

void ampel_explained_incidents_print(const struct ampel_explained_incidents *incidents, int32_t score) {
    if (incidents->list == NULL) return;
    struct ampel_error error;
    struct ampel_json *list = ampel_json_open(ampel_text_of(incidents->list), &error);
    for (uint32_t i = 0; i < ampel_json_count(list); i++)
        incident_print(ampel_json_at(list, i), score);
    if (incidents->total > 1)
        printf(ampel_label("\n  without all %u incidents: %d\n"), incidents->total, incidents->score_without);
    ampel_json_close(list);
}

/* ---- for programs --------------------------------------------------------------------------- */

void ampel_explained_incidents_json(const struct ampel_explained_incidents *incidents) {
    if (incidents->list == NULL) return;
    printf(",\"score_without_incidents\":%d,\"incidents_total\":%u,\"incidents\":%s", incidents->score_without,
           incidents->total, incidents->list);
}

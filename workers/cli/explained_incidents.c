#include "workers/cli/explained_incidents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/checkpoint_incident.h"
#include "workers/cli/labels.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/table.h"

/* ---- from where ----------------------------------------------------------------------------- */

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

enum ampel_database_status ampel_explained_incidents_database(struct ampel_pq *pq, const struct ampel_pq_value key[3],
                                                              struct ampel_explained_incidents *out,
                                                              struct ampel_error *error) {
    *out = (struct ampel_explained_incidents){.total = 0};
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_READ_INCIDENTS, key, 3, error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_rows(pq) == 0) return status;
    out->total = (uint32_t)ampel_pq_get_int64(pq, 0, 0);
    out->score_without = (int32_t)ampel_pq_get_int64(pq, 0, 1);
    out->list = strdup(ampel_pq_get_text(pq, 0, 2).bytes);
    AMPEL_ASSERT(out->list != NULL);
    return AMPEL_DATABASE_OK;
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

static void incident_print(const struct ampel_json *incident, int32_t score) {
    char from[AMPEL_LABEL_TIME_SIZE], end[AMPEL_LABEL_TIME_SIZE];
    struct ampel_text id = word(incident, "id"), phase = word(incident, "phase");
    const struct ampel_json *disputes = ampel_json_get(incident, "dispute");
    time_write(incident, "compromised_from", from);
    time_write(incident, "ended_at", end);
    printf(ampel_label("\n  incident %s%.*s%s (%s): score %d with it, %s%lld%s without\n"),
           ampel_paint_start(AMPEL_BOLD), (int)id.size, id.bytes, ampel_paint_end(), ampel_label(phase.bytes), score,
           ampel_paint_start(AMPEL_BOLD), number(incident, "score"), ampel_paint_end());
    printf(ampel_label("    from %s until %s\n"), from, end);
    printf(ampel_label("    %lld violations, %lld of them cost %lld points, with their repeats %lld\n"),
           number(incident, "violations"), number(incident, "deducting"), number(incident, "points"),
           number(incident, "points_caused"));
    printf(ampel_label("    %lld orders, %lld cancelled on its days\n"), number(incident, "orders"),
           number(incident, "cancelled"));
    if (ampel_json_count(disputes) == 0) return;
    fputs(ampel_label("    dispute first:"), stdout);
    for (uint32_t i = 0; i < ampel_json_count(disputes); i++) {
        struct ampel_text violation;
        if (ampel_json_text(ampel_json_at(disputes, i), &violation))
            printf(" %.*s", (int)violation.size, violation.bytes);
    }
    printf("\n");
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

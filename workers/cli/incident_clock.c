/* Clocks on their way to the worker, which warns before they run out: whenever people start, settle or move one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/draft.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/incident.h"

#define CLOCKS_MAX 64

struct moved {
    int64_t until_ms; /* AMPEL_CASE_NONE_MS: as the worker knows without it */
    uint8_t clock;
    bool settled;
};

static void moved_event(const struct ampel_case *incident, const struct moved *moved, int64_t at_ms,
                        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX], struct ampel_event *out) {
    struct ampel_extras_writer writer = {extras, AMPEL_EXTRAS_BYTES_MAX, 0};
    ampel_event_reset(out, AMPEL_EVENT_CASE_CLOCK, at_ms);
    out->code = moved->clock;
    AMPEL_ASSERT(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, ampel_text_of(incident->id)));
    if (moved->until_ms != AMPEL_CASE_NONE_MS)
        AMPEL_ASSERT(ampel_extras_put_number(&writer, AMPEL_EXTRA_UNTIL, moved->until_ms));
    if (moved->settled) AMPEL_ASSERT(ampel_extras_put_number(&writer, AMPEL_EXTRA_SETTLED, 1));
    out->extras = extras;
    out->extras_size = writer.size;
}

/* Rows of case_clocks_told; a clock that only the database knows is nothing for the worker. */
static uint32_t moved_read(const struct ampel_pq *pq, struct moved list[CLOCKS_MAX]) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < ampel_pq_rows(pq) && count < CLOCKS_MAX; row++) {
        struct moved *moved = &list[count];
        if (!ampel_registry_code(AMPEL_REGISTRY_CASE_CLOCK, ampel_pq_get_text(pq, row, 0), &moved->clock)) continue;
        moved->settled = ampel_pq_get_boolean(pq, row, 2);
        bool runs = !moved->settled && !ampel_pq_is_null(pq, row, 1);
        moved->until_ms = runs ? ampel_pq_get_time(pq, row, 1) : AMPEL_CASE_NONE_MS;
        count++;
    }
    return count;
}

bool ampel_case_clocks_post(struct ampel_pq *pq, const struct ampel_incident_words *given,
                            const struct ampel_case *incident, const struct ampel_case_clock_move *move, bool *posted) {
    const struct ampel_pq_value values[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id),
                                            ampel_pq_int64(move->step), ampel_pq_string(move->name),
                                            ampel_pq_boolean(move->settles)};
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    struct ampel_case_lines lines = {.bytes = NULL};
    struct moved list[CLOCKS_MAX];
    struct ampel_event event;
    int64_t now_ms = ampel_option_now();
    *posted = false;
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_CLOCKS_TOLD, values, 5)) return false;
    uint32_t count = moved_read(pq, list);
    if (count == 0) return true;
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_ACCOUNTS, values, 2)) return false;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        for (uint32_t i = 0; i < count; i++) {
            moved_event(incident, &list[i], now_ms, extras, &event);
            ampel_case_line_add(&lines, incident, ampel_pq_get_text(pq, row, 0).bytes,
                                ampel_pq_get_text(pq, row, 1).bytes, &event);
        }
    }
    *posted = lines.bytes != NULL && ampel_case_post(pq, given, incident, lines.bytes);
    bool good = lines.bytes == NULL || *posted;
    free(lines.bytes);
    return good;
}

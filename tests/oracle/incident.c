/* See incident.h. */
#include "tests/oracle/incident.h"

#include <stdlib.h>
#include <string.h>

/* The start and the end of one incident as rating-model 2 merges what was told: of each phase the greatest
   (at, compromised_from); the start as it was told last, else when it was opened. */
static void time_of(const struct ampel_oracle_telling *tellings, uint32_t count, int64_t known_ms, const char *id,
                    int64_t *from_ms, int64_t *end_ms) {
    const struct ampel_oracle_telling *phases[3] = {NULL, NULL, NULL};
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_oracle_telling *telling = &tellings[i], **phase = &phases[telling->phase];
        if (telling->at_ms > known_ms || strcmp(telling->id, id) != 0) continue;
        bool greater = *phase == NULL || telling->at_ms > (*phase)->at_ms ||
                       (telling->at_ms == (*phase)->at_ms &&
                        telling->compromised_from_ms > (*phase)->compromised_from_ms);
        if (greater) *phase = telling;
    }
    const struct ampel_oracle_telling *start = NULL;
    for (uint32_t i = 0; i < 3; i++) {
        if (phases[i] == NULL || phases[i]->compromised_from_ms < 0) continue;
        if (start == NULL || phases[i]->at_ms >= start->at_ms) start = phases[i];
    }
    *from_ms = start != NULL ? start->compromised_from_ms : phases[0] != NULL ? phases[0]->at_ms : INT64_MAX;
    *end_ms = phases[1] != NULL ? phases[1]->at_ms : phases[2] != NULL ? phases[2]->at_ms : INT64_MAX;
}

static bool belongs(const struct ampel_oracle_telling *tellings, uint32_t count, int64_t known_ms, const char *id,
                    const struct ampel_oracle_event *told) {
    if (told->incident[0] != 0) return strcmp(told->incident, id) == 0;
    int64_t from_ms, end_ms;
    time_of(tellings, count, known_ms, id, &from_ms, &end_ms);
    return from_ms <= told->at_ms && told->at_ms < end_ms;
}

static bool belongs_to_any(const struct ampel_oracle_telling *tellings, uint32_t count, int64_t known_ms,
                           const struct ampel_oracle_event *told) {
    if (told->incident[0] != 0 && strcmp(told->incident, "-") != 0) return true;
    for (uint32_t i = 0; i < count; i++) {
        if (tellings[i].at_ms <= known_ms && belongs(tellings, count, known_ms, tellings[i].id, told)) return true;
    }
    return false;
}

void ampel_oracle_incident(const struct ampel_oracle *oracle, const struct ampel_rules *rules, int64_t at_ms,
                           const struct ampel_oracle_telling *tellings, uint32_t tellings_count, const char *id,
                           struct ampel_oracle_rating *without, struct ampel_oracle_damage *damage) {
    struct ampel_oracle_rating now;
    struct ampel_oracle rest = {0};
    ampel_oracle_rate(oracle, rules, at_ms, at_ms, &now);
    memset(damage, 0, sizeof *damage);
    bool *gone = calloc(oracle->events_count + 1, sizeof *gone);
    AMPEL_ASSERT(gone != NULL);
    for (uint32_t i = 0; i < now.violations_count; i++) {
        const struct ampel_oracle_violation *violation = &now.violations[i];
        bool out = id != NULL ? belongs(tellings, tellings_count, at_ms, id, violation->told)
                              : belongs_to_any(tellings, tellings_count, at_ms, violation->told);
        if (!out) continue;
        damage->violations++;
        damage->deducting += violation->deducting;
        if (violation->deducting) damage->points += violation->points;
        for (uint32_t event = 0; event < oracle->events_count; event++) {
            const struct ampel_oracle_event *other = &oracle->events[event];
            bool of_violation = other->type == AMPEL_EVENT_VIOLATION || other->type == AMPEL_EVENT_VIOLATION_STATE;
            if (of_violation && strcmp(other->id, violation->told->id) == 0) gone[event] = true;
        }
    }
    for (uint32_t event = 0; event < oracle->events_count; event++) {
        if (!gone[event]) ampel_oracle_add(&rest, &oracle->events[event]);
    }
    free(gone);
    ampel_oracle_rate(&rest, rules, at_ms, at_ms, without);
    damage->points_caused = now.deducted - without->deducted;
    if (id != NULL) {
        int64_t from_ms, end_ms;
        time_of(tellings, tellings_count, at_ms, id, &from_ms, &end_ms);
        for (int64_t day = at_ms / AMPEL_DAY_MS - 179; day <= at_ms / AMPEL_DAY_MS; day++) {
            bool touched = from_ms < end_ms && day * AMPEL_DAY_MS < end_ms && (day + 1) * AMPEL_DAY_MS > from_ms;
            if (touched && from_ms <= at_ms) damage->orders += (uint64_t)ampel_oracle_orders_of(oracle, at_ms, day);
        }
    }
    ampel_oracle_rating_reset(&now);
    ampel_oracle_reset(&rest);
}

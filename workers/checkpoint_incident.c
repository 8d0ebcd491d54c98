#include "workers/checkpoint_incident.h"

#include "engine/incident.h"
#include "proto/print.h"
#include "proto/text.h"

/* Ids escape at worst to twice their size; an incident's other members take some 900 bytes at their longest. */
#define ENTRY_BYTES_MAX (1024 + (AMPEL_INCIDENT_DISPUTES_STORED + 1) * (2 * AMPEL_ID_BYTES_MAX + 4))
#define JSON_BYTES_MAX  (AMPEL_INCIDENTS_STORED * ENTRY_BYTES_MAX + 2)

bool ampel_incident_told(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_event event;
    uint32_t cursor = 0;
    while (ampel_engine_fact_next(engine, slot, &cursor, &event))
        if (event.type == AMPEL_EVENT_INCIDENT) return true;
    return false;
}

static void put_integer(struct ampel_print *print, const char *key, int64_t number) {
    ampel_print_key(print, key);
    ampel_print_integer(print, number);
}

static void put_word(struct ampel_print *print, const char *key, const char *word) {
    ampel_print_key(print, key);
    ampel_print_json(print, ampel_text_of(word));
}

/* Nothing where the time is unknown. */
static void put_time(struct ampel_print *print, const char *key, int64_t at_ms) {
    if (at_ms == INT64_MIN || at_ms == INT64_MAX) return;
    ampel_print_key(print, key);
    ampel_print_time(print, at_ms);
}

/* When the marketplace said that it deactivated the account, if it says so now and did so within the case. */
static int64_t deactivated_at(const struct ampel_engine *engine, uint32_t slot, int64_t from_ms) {
    struct ampel_event event;
    uint32_t cursor = 0;
    uint8_t code;
    bool known = ampel_registry_code(AMPEL_REGISTRY_ACCOUNT_STATUS, ampel_text_of("deactivated"), &code);
    while (known && ampel_engine_fact_next(engine, slot, &cursor, &event)) {
        bool deactivated = event.type == AMPEL_EVENT_ACCOUNT_STATUS && event.code == code;
        if (deactivated && event.at_ms >= from_ms) return event.at_ms;
    }
    return INT64_MAX;
}

static void put_damage(struct ampel_print *print, const struct ampel_incident_damage *damage) {
    put_integer(print, "score", damage->without.score);
    put_word(print, "status", ampel_registry_name(AMPEL_REGISTRY_COLOUR, damage->without.colour));
    put_word(print, "risk", ampel_registry_name(AMPEL_REGISTRY_RISK, damage->without.risk));
    put_integer(print, "violations", damage->violations);
    put_integer(print, "deducting", damage->deducting);
    put_integer(print, "points", damage->points);
    put_integer(print, "points_caused", damage->points_caused);
    put_integer(print, "orders", (int64_t)damage->orders);
    put_integer(print, "cancelled", (int64_t)damage->cancelled);
}

static bool put_disputes(struct ampel_engine *engine, uint32_t slot, const struct ampel_incident *incident,
                         struct ampel_print *print) {
    const struct ampel_outlook_fix *fixes;
    uint32_t count;
    if (ampel_incident_fixes(engine, slot, incident, &fixes, &count) != AMPEL_ENGINE_OK) return false;
    ampel_print_key(print, "dispute");
    ampel_print_word(print, "[");
    for (uint32_t i = 0; i < count && i < AMPEL_INCIDENT_DISPUTES_STORED; i++) {
        if (i > 0) ampel_print_word(print, ",");
        ampel_print_json(print, fixes[i].id);
    }
    ampel_print_word(print, "]");
    return true;
}

static bool put_incident(struct ampel_engine *engine, uint32_t slot, const struct ampel_incident *incident,
                         struct ampel_print *print) {
    const char *phase = ampel_registry_name(AMPEL_REGISTRY_INCIDENT_PHASE, incident->phase);
    struct ampel_incident_damage damage;
    if (ampel_incident_damage(engine, slot, incident, &damage) != AMPEL_ENGINE_OK) return false;
    ampel_print_word(print, print->size > 1 ? ",{" : "{");
    ampel_print_key(print, "id");
    ampel_print_json(print, incident->id);
    put_word(print, "phase", phase != NULL ? phase : "tagged");
    put_time(print, "opened_at", incident->phase_at_ms[AMPEL_INCIDENT_OPENED]);
    put_time(print, "contained_at", incident->phase_at_ms[AMPEL_INCIDENT_CONTAINED]);
    put_time(print, "closed_at", incident->phase_at_ms[AMPEL_INCIDENT_CLOSED]);
    put_time(print, "compromised_from", incident->from_ms);
    put_time(print, "ended_at", incident->end_ms);
    put_time(print, "deactivated_at", deactivated_at(engine, slot, incident->from_ms));
    put_damage(print, &damage);
    bool good = put_disputes(engine, slot, incident, print);
    ampel_print_word(print, "}");
    return good;
}

bool ampel_incident_row(struct ampel_engine *engine, uint32_t slot, struct ampel_arena *arena,
                        struct ampel_rating_row *row) {
    char bytes[JSON_BYTES_MAX];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    const struct ampel_incident *list;
    if (ampel_incidents_list(engine, slot, &list, &row->incidents_total) != AMPEL_ENGINE_OK) return false;
    if (row->incidents_total == 0) return true;
    struct ampel_numbers without;
    uint32_t stored = 0;
    ampel_print_word(&print, "[");
    for (int closed = 0; closed < 2; closed++) {
        for (uint32_t i = 0; i < row->incidents_total && stored < AMPEL_INCIDENTS_STORED; i++) {
            if ((list[i].phase == AMPEL_INCIDENT_CLOSED) != (closed == 1)) continue;
            if (!put_incident(engine, slot, &list[i], &print)) return false;
            stored++;
        }
    }
    ampel_print_word(&print, "]");
    AMPEL_ASSERT(!print.full);
    if (ampel_incidents_without(engine, slot, &without) != AMPEL_ENGINE_OK) return false;
    row->score_without = without.score;
    return ampel_arena_text(arena, (struct ampel_text){print.bytes, print.size}, &row->incidents);
}

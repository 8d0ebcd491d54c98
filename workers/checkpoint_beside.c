#include "workers/checkpoint_beside.h"

#include "engine/registry.h"
#include "proto/print.h"
#include "proto/text.h"

/* Members of one entry with their longest values; texts are ids and escape at worst to twice their size. */
#define ENTRY_BYTES_MAX 512
#define JSON_BYTES_MAX  (ENTRY_BYTES_MAX * 64 + 2)

static_assert(AMPEL_BESIDE_METRICS_MAX <= 64 && AMPEL_BESIDE_DRIFTS_MAX <= 64 &&
                  AMPEL_POLICIES_MAX <= 64,
              "every list fits its bytes");

bool ampel_beside_has_row(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_event event;
    uint32_t cursor = 0;
    return ampel_engine_fact_next(engine, slot, &cursor, &event);
}

static void put_registry(struct ampel_print *print, const char *key, enum ampel_registry registry,
                         uint8_t code) {
    const char *word = ampel_registry_name(registry, code);
    if (word == NULL) return;
    ampel_print_key(print, key);
    ampel_print_json(print, ampel_text_of(word));
}

static void put_integer(struct ampel_print *print, const char *key, int64_t number) {
    ampel_print_key(print, key);
    ampel_print_integer(print, number);
}

static void put_time(struct ampel_print *print, const char *key, int64_t at_ms) {
    ampel_print_key(print, key);
    ampel_print_time(print, at_ms);
}

static bool json_keep(struct ampel_print *print, struct ampel_arena *arena,
                      struct ampel_text *out) {
    ampel_print_word(print, "]");
    AMPEL_ASSERT(!print->full);
    return ampel_arena_text(arena, (struct ampel_text){print->bytes, print->size}, out);
}

static bool metrics_json(const struct ampel_engine *engine, uint32_t slot,
                         struct ampel_arena *arena, struct ampel_text *out) {
    char bytes[JSON_BYTES_MAX];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_delivery_metric metric;
    uint32_t cursor = 0;
    ampel_print_word(&print, "[");
    while (cursor < AMPEL_BESIDE_METRICS_MAX &&
           ampel_engine_metrics_next(engine, slot, &cursor, &metric)) {
        ampel_print_word(&print, cursor > 1 ? ",{" : "{");
        ampel_print_key(&print, "name");
        ampel_print_json(&print, metric.name);
        put_time(&print, "at", metric.at_ms);
        if (metric.has_value) put_integer(&print, "value_ppm", metric.value_ppm);
        if (metric.has_target) put_integer(&print, "target_ppm", metric.target_ppm);
        put_registry(&print, "condition", AMPEL_REGISTRY_METRIC_CONDITION, metric.condition);
        put_registry(&print, "state", AMPEL_REGISTRY_METRIC_STATE, metric.state);
        ampel_print_key(&print, "banner");
        ampel_print_json(&print, ampel_text_of(ampel_banner_name(metric.banner)));
        ampel_print_word(&print, "}");
    }
    return json_keep(&print, arena, out);
}

static bool drifts_json(const struct ampel_engine *engine, uint32_t slot, struct ampel_arena *arena,
                        struct ampel_text *out) {
    char bytes[JSON_BYTES_MAX];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_drift drift;
    uint32_t cursor = 0, count = 0, index = 0;
    while (ampel_engine_drift_next(engine, slot, &cursor, &drift))
        count++;
    ampel_print_word(&print, "[");
    for (cursor = 0; ampel_engine_drift_next(engine, slot, &cursor, &drift); index++) {
        if (index + AMPEL_BESIDE_DRIFTS_MAX < count) continue;
        ampel_print_word(&print, print.size > 1 ? ",{" : "{");
        put_time(&print, "at", drift.at_ms);
        put_integer(&print, "observed", drift.observed);
        put_integer(&print, "score", drift.score);
        put_integer(&print, "drift", drift.drift);
        put_registry(&print, "status", AMPEL_REGISTRY_ACCOUNT_STATUS, drift.status);
        if (drift.since_ms != INT64_MIN) {
            put_time(&print, "since", drift.since_ms);
            put_integer(&print, "drift_before", drift.drift_before);
        }
        ampel_print_key(&print, "unexplained");
        ampel_print_word(&print, drift.unexplained ? "true" : "false");
        ampel_print_word(&print, "}");
    }
    return json_keep(&print, arena, out);
}

static bool missing_json(const struct ampel_engine *engine, uint32_t slot,
                         struct ampel_arena *arena, struct ampel_text *out) {
    char bytes[JSON_BYTES_MAX];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    struct ampel_missing missing;
    uint32_t cursor = 0;
    ampel_print_word(&print, "[");
    while (ampel_engine_missing_next(engine, slot, &cursor, &missing)) {
        ampel_print_word(&print, print.size > 1 ? ",{" : "{");
        put_registry(&print, "policy", AMPEL_REGISTRY_POLICY, missing.policy);
        put_time(&print, "at", missing.at_ms);
        put_integer(&print, "shown", missing.shown);
        put_integer(&print, "known", missing.known);
        ampel_print_word(&print, "}");
    }
    return json_keep(&print, arena, out);
}

bool ampel_beside_row(const struct ampel_engine *engine, uint32_t slot, struct ampel_arena *arena,
                      struct ampel_beside_row *out) {
    out->as_of_ms = ampel_engine_now(engine);
    out->banner = ampel_engine_banner(engine, slot);
    ampel_engine_assurance(engine, slot, &out->assurance);
    return metrics_json(engine, slot, arena, &out->metrics) &&
           drifts_json(engine, slot, arena, &out->drifts) &&
           missing_json(engine, slot, arena, &out->missing);
}

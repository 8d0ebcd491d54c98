#include "workers/cli/explanation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/text.h"

static struct ampel_explained *explained_push(struct ampel_explanation *out, uint32_t *capacity) {
    if (out->count == *capacity) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        out->violations = realloc(out->violations, *capacity * sizeof *out->violations);
        AMPEL_ASSERT(out->violations != NULL);
    }
    struct ampel_explained *explained = &out->violations[out->count++];
    memset(explained, 0, sizeof *explained);
    return explained;
}

static int explained_compare(const void *left, const void *right) {
    return strcmp(((const struct ampel_explained *)left)->id, ((const struct ampel_explained *)right)->id);
}

bool ampel_explanation_files(const struct ampel_portfolio *portfolio, const char *account,
                             int64_t as_of_ms, struct ampel_explanation *out) {
    uint32_t slot = ampel_portfolio_find(portfolio, account), cursor = 0, capacity = 0;
    *out = (struct ampel_explanation){.as_of_ms = as_of_ms};
    if (slot == AMPEL_SLOT_NONE) return false;
    snprintf(out->account, sizeof out->account, "%s", account);
    snprintf(out->rules_version, sizeof out->rules_version, "%s",
             ampel_engine_rules(portfolio->engine)->version);
    ampel_engine_numbers(portfolio->engine, slot, &out->numbers);
    ampel_explained_beside_engine(portfolio->engine, slot, &out->beside);
    if (!ampel_explained_incidents_engine(portfolio->engine, slot, &out->incidents)) return false;
    struct ampel_violation violation;
    while (ampel_engine_violation_next(portfolio->engine, slot, &cursor, &violation)) {
        struct ampel_explained *explained = explained_push(out, &capacity);
        memcpy(explained->id, violation.id.bytes, violation.id.size);
        explained->at_ms = violation.at_ms;
        explained->expires_at_ms = violation.expires_at_ms;
        explained->points = violation.points;
        explained->points_given = violation.points_given;
        explained->rank = violation.rank;
        explained->policy = violation.policy;
        explained->state = violation.state;
        explained->severity = violation.severity;
        explained->critical = violation.critical;
        explained->in_window = violation.in_window;
        explained->deducting = violation.deducting;
    }
    if (out->count > 1) qsort(out->violations, out->count, sizeof *out->violations, explained_compare);
    return true;
}

/* A name that this program does not know (a newer worker's) reads as 255. */
static uint8_t code_of(enum ampel_registry registry, struct ampel_text name) {
    uint8_t code;
    return ampel_registry_code(registry, name, &code) ? code : UINT8_MAX;
}

static void caps_read(struct ampel_text json, const struct ampel_rules *rules,
                      struct ampel_numbers *out) {
    struct ampel_error error;
    struct ampel_json *caps = ampel_json_open(json, &error);
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        int64_t count;
        if (ampel_json_integer(ampel_json_get(caps, rules->cap_groups[i].name), &count))
            out->caps[i] = (uint16_t)count;
    }
    ampel_json_close(caps);
}

static void rating_read(const struct ampel_pq *pq, const struct ampel_rules *rules,
                        struct ampel_explanation *out) {
    struct ampel_numbers *numbers = &out->numbers;
    numbers->score = (int32_t)ampel_pq_get_int64(pq, 0, 0);
    numbers->colour = code_of(AMPEL_REGISTRY_COLOUR, ampel_pq_get_text(pq, 0, 1));
    numbers->risk = code_of(AMPEL_REGISTRY_RISK, ampel_pq_get_text(pq, 0, 2));
    numbers->orders = (uint32_t)ampel_pq_get_int64(pq, 0, 3);
    numbers->order_points = (int32_t)ampel_pq_get_int64(pq, 0, 4);
    numbers->deducted = ampel_pq_get_int64(pq, 0, 5);
    numbers->criticals = (uint16_t)ampel_pq_get_int64(pq, 0, 6);
    caps_read(ampel_pq_get_text(pq, 0, 7), rules, numbers);
    snprintf(out->rules_version, sizeof out->rules_version, "%s", ampel_pq_get_text(pq, 0, 9).bytes);
    out->as_of_ms = ampel_pq_get_time(pq, 0, 10);
}

static void violations_read(const struct ampel_pq *pq, struct ampel_explanation *out) {
    uint32_t capacity = 0;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        struct ampel_explained *explained = explained_push(out, &capacity);
        snprintf(explained->id, sizeof explained->id, "%s", ampel_pq_get_text(pq, row, 0).bytes);
        explained->policy = code_of(AMPEL_REGISTRY_POLICY, ampel_pq_get_text(pq, row, 1));
        explained->severity = (int8_t)code_of(AMPEL_REGISTRY_SEVERITY, ampel_pq_get_text(pq, row, 2));
        explained->state = code_of(AMPEL_REGISTRY_VIOLATION_STATE, ampel_pq_get_text(pq, row, 3));
        explained->at_ms = ampel_pq_get_time(pq, row, 4);
        explained->expires_at_ms = ampel_pq_get_time(pq, row, 5);
        explained->rank = (uint32_t)ampel_pq_get_int64(pq, row, 6);
        explained->points = ampel_pq_get_int64(pq, row, 7);
        explained->points_given = (int16_t)ampel_pq_get_int64(pq, row, 8);
        explained->critical = ampel_pq_get_boolean(pq, row, 9);
        explained->in_window = ampel_pq_get_boolean(pq, row, 10);
        explained->deducting = ampel_pq_get_boolean(pq, row, 11);
    }
}

enum ampel_database_status ampel_explanation_database(struct ampel_pq *pq, const struct ampel_rules *rules,
                                                      const char *account, struct ampel_explanation *out,
                                                      bool *found, struct ampel_error *error) {
    *out = (struct ampel_explanation){0};
    *found = false;
    snprintf(out->account, sizeof out->account, "%s", account);
    const char *seller = strchr(account, '/');
    const char *marketplace = seller != NULL ? strchr(seller + 1, '/') : NULL;
    if (marketplace == NULL) return AMPEL_DATABASE_OK;
    const struct ampel_pq_value key[] = {
        ampel_pq_bytes(account, (uint32_t)(seller - account)),
        ampel_pq_bytes(seller + 1, (uint32_t)(marketplace - seller - 1)),
        ampel_pq_string(marketplace + 1),
    };
    enum ampel_database_status status = ampel_pq_run(pq, AMPEL_SQL_READ_RATING, key, 3, error);
    if (status != AMPEL_DATABASE_OK || ampel_pq_rows(pq) == 0) return status;
    *found = true;
    rating_read(pq, rules, out);
    status = ampel_pq_run(pq, AMPEL_SQL_READ_VIOLATIONS, key, 3, error);
    if (status != AMPEL_DATABASE_OK) return status;
    violations_read(pq, out);
    status = ampel_explained_incidents_database(pq, key, &out->incidents, error);
    if (status != AMPEL_DATABASE_OK) return status;
    return ampel_explained_beside_database(pq, key, rules, &out->beside, error);
}

void ampel_explanation_close(struct ampel_explanation *explanation) {
    ampel_explained_incidents_close(&explanation->incidents);
    free(explanation->violations);
}

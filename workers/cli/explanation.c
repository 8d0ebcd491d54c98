#include "workers/cli/explanation.h"

#include <stdlib.h>
#include <string.h>

#include "engine/outlook.h"
#include "workers/cli/outlook_json.h"

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

static void violations_take(const struct ampel_engine *engine, uint32_t slot, struct ampel_explanation *out) {
    uint32_t cursor = 0, capacity = 0;
    struct ampel_violation violation;
    while (ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
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
}

bool ampel_explanation_open(struct ampel_portfolio *portfolio, uint32_t slot, struct ampel_explanation *out) {
    struct ampel_engine *engine = portfolio->engine;
    *out = (struct ampel_explanation){.as_of_ms = ampel_engine_now(engine), .rules = ampel_engine_rules(engine)};
    ampel_portfolio_name(portfolio, slot, out->account);
    ampel_engine_numbers(engine, slot, &out->numbers);
    ampel_explained_beside_engine(engine, slot, &out->beside);
    violations_take(engine, slot, out);
    ampel_engine_suspicion(engine, slot, &out->suspicion);
    if (!ampel_explained_incidents_engine(engine, slot, &out->incidents)) return false;
    if (!ampel_outlook_variants_apply(engine)) return false;
    return (ampel_outlook_range(engine, slot, &out->score_min, &out->score_max) == AMPEL_ENGINE_OK &&
            ampel_outlook_variants(engine, slot, out->variants) == AMPEL_ENGINE_OK) ||
           ampel_outlook_no_memory();
}

void ampel_explanation_close(struct ampel_explanation *explanation) {
    ampel_explained_incidents_close(&explanation->incidents);
    free(explanation->violations);
}

/* One store of a case, as the engine knows it: what belongs, what it costs, the days, and the picture. */
#include <stdlib.h>
#include <string.h>

#include "engine/outlook.h"
#include "engine/rating.h"
#include "proto/draft.h"
#include "proto/text.h"
#include "workers/cli/connect.h"
#include "workers/cli/dossier.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/picture.h"

/* The picture begins so long before the case, and ends so long after now. */
#define BEFORE_MS (45 * AMPEL_DAY_MS)
#define AFTER_MS  (30 * AMPEL_DAY_MS)
/* Instants before the first stored rating; what comes beyond is left out of the line. */
#define INSTANTS_MAX 1024

/* ---- the case in the engine ----------------------------------------------------------------- */

/* An incident that no event of this store told has no time and holds what carries its name. */
static bool incident_find(struct ampel_engine *engine, uint32_t slot, const struct ampel_case *given,
                          struct ampel_incident *out) {
    const struct ampel_incident *list;
    uint32_t count;
    if (ampel_incidents_list(engine, slot, &list, &count) != AMPEL_ENGINE_OK) return ampel_outlook_no_memory();
    *out = (struct ampel_incident){.id = ampel_text_of(given->id), .from_ms = INT64_MAX, .end_ms = INT64_MAX,
                                   .phase = AMPEL_INCIDENT_TAGGED};
    for (uint32_t i = 0; i < count; i++)
        if (ampel_text_is(list[i].id, given->id)) *out = list[i];
    return true;
}

/* ---- violations ----------------------------------------------------------------------------- */

static void text_copy(char out[AMPEL_ID_BYTES_MAX + 1], struct ampel_text text) {
    memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
}

static struct ampel_dossier_violation *violation_push(struct ampel_dossier_store *store, uint32_t *capacity) {
    if (store->violations_count == *capacity) {
        *capacity = *capacity == 0 ? 16 : 2 * *capacity;
        store->violations = realloc(store->violations, *capacity * sizeof *store->violations);
        AMPEL_ASSERT(store->violations != NULL);
    }
    struct ampel_dossier_violation *made = &store->violations[store->violations_count++];
    memset(made, 0, sizeof *made);
    return made;
}

static int violation_compare(const void *left, const void *right) {
    const struct ampel_dossier_violation *a = left, *b = right;
    uint32_t first = a->place - 1, second = b->place - 1; /* place 0 comes last */
    if (first != second) return first < second ? -1 : 1;
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static bool places_find(struct ampel_engine *engine, uint32_t slot, const struct ampel_incident *incident,
                        struct ampel_dossier_store *store) {
    const struct ampel_outlook_fix *fixes;
    uint32_t count;
    if (ampel_incident_fixes(engine, slot, incident, &fixes, &count) != AMPEL_ENGINE_OK) return ampel_outlook_no_memory();
    for (uint32_t v = 0; v < store->violations_count; v++) {
        for (uint32_t i = 0; i < count; i++) {
            if (!ampel_text_is(fixes[i].id, store->violations[v].id)) continue;
            store->violations[v].place = i + 1;
            store->violations[v].score_then = fixes[i].approved.score;
        }
    }
    return true;
}

static bool violations_read(struct ampel_engine *engine, uint32_t slot, const struct ampel_incident *incident,
                            struct ampel_dossier_store *store) {
    struct ampel_violation violation;
    uint32_t cursor = 0, capacity = 0;
    while (ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
        if (!ampel_incident_holds(incident, violation.at_ms, violation.incident)) continue;
        struct ampel_dossier_violation *made = violation_push(store, &capacity);
        text_copy(made->id, violation.id);
        text_copy(made->asin, violation.asin);
        text_copy(made->sku, violation.sku);
        made->at_ms = violation.at_ms;
        made->state_at_ms = violation.state_at_ms;
        made->points = violation.points;
        made->policy = violation.policy;
        made->state = violation.state;
        made->severity = violation.severity;
        made->deducting = violation.deducting;
        made->critical = violation.critical;
    }
    if (!places_find(engine, slot, incident, store)) return false;
    if (store->violations_count > 1)
        qsort(store->violations, store->violations_count, sizeof *store->violations, violation_compare);
    return true;
}

/* ---- days ----------------------------------------------------------------------------------- */

static uint32_t cancelled_of(const struct ampel_engine *engine, uint32_t slot, int64_t day) {
    struct ampel_event event;
    uint32_t cursor = 0, count = 0;
    while (ampel_engine_fact_next(engine, slot, &cursor, &event))
        if (event.type == AMPEL_EVENT_ORDERS_CANCELLED && event.at_ms / AMPEL_DAY_MS == day) count += event.count;
    return count;
}

static void days_read(const struct ampel_engine *engine, uint32_t slot, const struct ampel_incident *incident,
                      struct ampel_dossier_store *store) {
    int64_t now_ms = ampel_engine_now(engine), end_ms = incident->end_ms < now_ms ? incident->end_ms : now_ms + 1;
    if (incident->from_ms >= end_ms) return;
    int64_t last = (end_ms - 1) / AMPEL_DAY_MS, first = incident->from_ms / AMPEL_DAY_MS;
    if (first <= last - AMPEL_DOSSIER_DAYS_MAX) first = last - AMPEL_DOSSIER_DAYS_MAX + 1;
    store->days = calloc((size_t)(last - first + 1), sizeof *store->days);
    AMPEL_ASSERT(store->days != NULL);
    for (int64_t day = first; day <= last; day++) {
        bool authoritative;
        struct ampel_dossier_day made = {.day = day,
                                         .orders = ampel_engine_orders_of(engine, slot, day, &authoritative),
                                         .cancelled = cancelled_of(engine, slot, day)};
        if (made.orders + made.cancelled > 0) store->days[store->days_count++] = made;
    }
}

/* ---- the line without the case --------------------------------------------------------------- */

/* What was told of the past: at each change the score and the orders behind it. */
struct past {
    int64_t at_ms;
    int32_t score;
    uint32_t orders;
    uint32_t place; /* in the order in which they were told */
    bool made; /* the score is not known but made from what is */
};

struct lines {
    uint32_t count;
    struct past *past;
    struct ampel_picture_point *with, *without;
};

static int past_compare(const void *left, const void *right) {
    const struct past *a = left, *b = right;
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* Instants at which a violation came, changed or left, before the first rating that was stored: there the score is what
   today's violations and orders come to. Returns how many were put at the list's end. */
static uint32_t instants_add(const struct ampel_engine *engine, uint32_t slot, int64_t from_ms, int64_t until_ms,
                             struct past *list, uint32_t room) {
    struct ampel_violation violation;
    struct ampel_numbers numbers;
    uint32_t cursor = 0, count = 0;
    ampel_engine_numbers(engine, slot, &numbers);
    if (from_ms >= until_ms) return 0;
    list[count++] = (struct past){.at_ms = from_ms, .orders = numbers.orders, .made = true};
    while (ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
        const int64_t times[] = {violation.at_ms, violation.state_at_ms, violation.expires_at_ms};
        for (size_t i = 0; i < AMPEL_ARRAY_COUNT(times); i++)
            if (times[i] > from_ms && times[i] < until_ms && count < room)
                list[count++] = (struct past){.at_ms = times[i], .orders = numbers.orders, .made = true};
    }
    return count;
}

static bool past_read(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *tenant,
                      const struct ampel_portfolio *portfolio, uint32_t slot, const struct ampel_dossier_store *store,
                      int64_t from_ms, struct lines *lines) {
    const struct ampel_pq_value values[] = {ampel_pq_string(tenant), ampel_pq_string(store->seller),
                                            ampel_pq_string(store->marketplace), ampel_pq_time(from_ms)};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_PAST, values, 4)) return false;
    uint32_t known = ampel_pq_rows(pq), room = known + INSTANTS_MAX;
    lines->past = calloc(room, sizeof *lines->past);
    lines->with = calloc(room, sizeof *lines->with);
    lines->without = calloc(room, sizeof *lines->without);
    AMPEL_ASSERT(lines->past != NULL && lines->with != NULL && lines->without != NULL);
    for (uint32_t row = 0; row < known; row++)
        lines->past[row] = (struct past){.at_ms = ampel_pq_get_time(pq, row, 0),
                                         .score = (int32_t)ampel_pq_get_int64(pq, row, 1),
                                         .orders = (uint32_t)ampel_pq_get_int64(pq, row, 2),
                                         .place = row};
    int64_t first_ms = known > 0 ? lines->past[0].at_ms : store->as_of_ms;
    lines->count = known + instants_add(portfolio->engine, slot, from_ms, first_ms, lines->past + known, INSTANTS_MAX);
    if (lines->count > 1) qsort(lines->past, lines->count, sizeof *lines->past, past_compare);
    return true;
}

/* An engine that knows the store's violations without those of the case: their ranks are what they would have been. */
static bool without_make(const struct ampel_portfolio *portfolio, uint32_t slot, const struct ampel_incident *incident,
                         struct ampel_portfolio *out) {
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    const struct ampel_engine *engine = portfolio->engine;
    struct ampel_text tenant, seller, marketplace;
    struct ampel_violation violation;
    struct ampel_frame frame;
    struct ampel_apply_counts counts;
    uint32_t cursor = 0;
    AMPEL_ASSERT(builder != NULL);
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    bool good = ampel_portfolio_begin(out, ampel_engine_now(engine), ampel_engine_rules(engine));
    while (good && ampel_engine_violation_next(engine, slot, &cursor, &violation)) {
        uint8_t bytes[AMPEL_EXTRAS_BYTES_MAX];
        struct ampel_extras_writer writer = {bytes, sizeof bytes, 0};
        struct ampel_event event;
        if (ampel_incident_holds(incident, violation.at_ms, violation.incident)) continue;
        AMPEL_ASSERT(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, violation.id));
        ampel_event_reset(&event, AMPEL_EVENT_VIOLATION, violation.at_ms);
        event.policy = violation.policy;
        event.severity = violation.severity_given;
        event.points = violation.points_given;
        event.extras = bytes;
        event.extras_size = writer.size;
        good = ampel_batch_builder_push(builder, seller, marketplace, &event);
        if (!good || violation.state_at_ms == INT64_MIN) continue;
        ampel_event_reset(&event, AMPEL_EVENT_VIOLATION_STATE,
                          violation.cleared_since_ms < violation.state_at_ms ? violation.cleared_since_ms : violation.state_at_ms);
        event.code = violation.state;
        event.extras = bytes;
        event.extras_size = writer.size;
        good = ampel_batch_builder_push(builder, seller, marketplace, &event);
    }
    good = good && ampel_batch_builder_frame(builder, tenant, &frame) &&
           ampel_engine_apply(out->engine, &frame, &counts) == AMPEL_ENGINE_OK;
    ampel_batch_builder_close(builder);
    return good;
}

/* Whether it took points then, as far as its present state tells. */
static bool deducted_then(const struct ampel_violation *violation, int64_t at_ms) {
    if (at_ms < violation->at_ms || at_ms >= violation->expires_at_ms) return false;
    return ampel_state_deducting(violation->state) || at_ms < violation->state_at_ms;
}

/* The score at an instant by the violations that an engine knows now and the orders of then. */
static int32_t score_then(const struct ampel_portfolio *others, uint32_t only, const struct past *past) {
    struct ampel_numbers numbers;
    struct ampel_violation violation;
    int64_t deducted = 0;
    uint16_t criticals = 0;
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(others->engine); slot++) {
        uint32_t cursor = 0;
        if (only != AMPEL_SLOT_NONE && slot != only) continue;
        while (ampel_engine_violation_next(others->engine, slot, &cursor, &violation)) {
            if (!deducted_then(&violation, past->at_ms)) continue;
            deducted += violation.critical ? 0 : violation.points;
            criticals = (uint16_t)(criticals + violation.critical);
        }
    }
    ampel_rating_numbers(ampel_engine_rules(others->engine), past->orders, deducted, criticals, NULL, &numbers);
    return numbers.score;
}

static bool lines_make(const struct ampel_portfolio *portfolio, uint32_t slot, const struct ampel_incident *incident,
                       const struct ampel_dossier_store *store, struct lines *lines) {
    struct ampel_portfolio others = {0};
    bool good = without_make(portfolio, slot, incident, &others);
    for (uint32_t i = 0; good && i < lines->count; i++) {
        const struct past *past = &lines->past[i];
        int32_t with = past->made ? score_then(portfolio, slot, past) : past->score;
        bool before = past->at_ms < incident->from_ms && incident->phase != AMPEL_INCIDENT_TAGGED;
        lines->with[i] = (struct ampel_picture_point){past->at_ms, with};
        lines->without[i] =
            (struct ampel_picture_point){past->at_ms, before ? with : score_then(&others, AMPEL_SLOT_NONE, past)};
    }
    /* Now is known, not reconstructed. */
    if (good && lines->count > 0) lines->without[lines->count - 1].score = store->damage.without.score;
    ampel_portfolio_close(&others);
    return good || ampel_outlook_no_memory();
}

static bool picture_make(const struct ampel_portfolio *portfolio, uint32_t slot, const struct ampel_case *given,
                         const struct ampel_incident *incident, const struct lines *lines,
                         struct ampel_dossier_store *store) {
    char account[AMPEL_PORTFOLIO_NAME_SIZE];
    size_t size;
    int64_t now_ms = ampel_engine_now(portfolio->engine);
    ampel_portfolio_name(portfolio, slot, account);
    const struct ampel_picture picture = {
        .account = account,
        .engine = portfolio->engine,
        .slot = slot,
        .from_ms = given->compromised_from_ms - BEFORE_MS,
        .to_ms = now_ms + AFTER_MS,
        .points_count = lines->count,
        .points = lines->with,
        .case_from_ms = given->compromised_from_ms,
        .case_end_ms = incident->end_ms < now_ms ? incident->end_ms : now_ms,
        .without_count = lines->count,
        .without = lines->without,
    };
    FILE *out = open_memstream(&store->picture, &size);
    AMPEL_ASSERT(out != NULL);
    bool good = ampel_picture_write(&picture, out);
    AMPEL_ASSERT(fclose(out) == 0);
    return good || ampel_outlook_no_memory();
}

bool ampel_dossier_store_fill(struct ampel_pq *pq, const struct ampel_incident_words *given,
                              const struct ampel_case *incident_case, struct ampel_portfolio *portfolio, uint32_t slot,
                              struct ampel_dossier_store *out) {
    struct ampel_engine *engine = portfolio->engine;
    struct ampel_incident incident;
    struct lines lines = {.count = 0};
    out->known = true;
    out->as_of_ms = ampel_engine_now(engine);
    ampel_engine_numbers(engine, slot, &out->numbers);
    if (!incident_find(engine, slot, incident_case, &incident)) return false;
    if (ampel_incident_damage(engine, slot, &incident, &out->damage) != AMPEL_ENGINE_OK) return ampel_outlook_no_memory();
    days_read(engine, slot, &incident, out);
    bool good = violations_read(engine, slot, &incident, out) &&
                past_read(pq, given, incident_case->tenant, portfolio, slot, out, incident_case->compromised_from_ms - BEFORE_MS, &lines) &&
                lines_make(portfolio, slot, &incident, out, &lines) &&
                picture_make(portfolio, slot, incident_case, &incident, &lines, out);
    free(lines.past);
    free(lines.with);
    free(lines.without);
    return good;
}

void ampel_dossier_store_reset(struct ampel_dossier_store *store) {
    free(store->violations);
    free(store->days);
    free(store->picture);
}

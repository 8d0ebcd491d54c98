#include "engine/incident.h"

#include <string.h>

#include "engine/outlook_view.h"
#include "engine/records.h"

/* ---- the list ------------------------------------------------------------------------------- */

static const struct ampel_facts *facts_of(const struct ampel_engine *engine, uint32_t slot) {
    const struct ampel_rare *rare = ampel_account_at(&engine->accounts, slot)->rare;
    return rare != NULL ? rare->facts : NULL;
}

static bool names_none(struct ampel_text tag) {
    return ampel_text_equal(tag, (struct ampel_text){AMPEL_INCIDENT_NONE, sizeof(AMPEL_INCIDENT_NONE) - 1});
}

static struct ampel_incident *incident_push(struct ampel_engine *engine,
                                            struct ampel_outlook *outlook, struct ampel_text id) {
    struct ampel_incident *list =
        ampel_pool_grow(&engine->pool, outlook->incidents, &outlook->incidents_capacity,
                        outlook->incidents_count + 1, sizeof(*list));
    if (list == NULL) return NULL;
    outlook->incidents = list;
    struct ampel_incident *incident = &list[outlook->incidents_count++];
    *incident = (struct ampel_incident){
        .id = id,
        .phase_at_ms = {INT64_MIN, INT64_MIN, INT64_MIN},
        .from_ms = INT64_MAX,
        .end_ms = INT64_MAX,
        .phase = AMPEL_INCIDENT_TAGGED,
    };
    return incident;
}

/* The phases of one id stand together, in their order; told_ms is when the start was last told. */
static void phase_add(struct ampel_incident *incident, const struct ampel_event *event,
                      int64_t *told_ms) {
    int64_t from_ms;
    incident->phase_at_ms[event->code] = event->at_ms;
    incident->phase = event->code;
    if (ampel_extra_number(event, AMPEL_EXTRA_COMPROMISED_FROM, &from_ms) &&
        event->at_ms >= *told_ms) {
        incident->from_ms = from_ms;
        *told_ms = event->at_ms;
    }
    if (event->code == AMPEL_INCIDENT_OPENED && *told_ms == INT64_MIN) {
        incident->from_ms = event->at_ms;
    }
    if (event->code != AMPEL_INCIDENT_OPENED && incident->end_ms == INT64_MAX) {
        incident->end_ms = event->at_ms;
    }
}

/* False: no memory. */
static bool told_collect(struct ampel_engine *engine, struct ampel_outlook *outlook,
                         const struct ampel_facts *facts) {
    struct ampel_incident *incident = NULL;
    int64_t told_ms = INT64_MIN;
    for (uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_INCIDENT, INT64_MIN); i < facts->count; i++) {
        if (facts->sorted[i]->type != AMPEL_EVENT_INCIDENT) break;
        struct ampel_event event;
        ampel_fact_event(facts->sorted[i], &event);
        struct ampel_text id = ampel_extra_text(&event, AMPEL_EXTRA_ID);
        if (incident == NULL || !ampel_text_equal(incident->id, id)) {
            incident = incident_push(engine, outlook, id);
            told_ms = INT64_MIN;
        }
        if (incident == NULL) return false;
        phase_add(incident, &event, &told_ms);
    }
    return true;
}

/* Among the first `count` of the list, which stand by id. */
static bool listed(const struct ampel_outlook *outlook, uint32_t count, struct ampel_text id) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = ampel_text_compare(outlook->incidents[middle].id, id);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

#define SORT_TYPE         struct ampel_incident
#define SORT_BEFORE(a, b) (ampel_text_compare((a)->id, (b)->id) < 0)
#include "engine/sort_heap.h"

/* Sorts by id and leaves each id once; returns how many stay. */
static uint32_t incidents_distinct(struct ampel_incident *list, uint32_t count) {
    sort_heap(list, count, NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || !ampel_text_equal(list[kept - 1].id, list[i].id)) list[kept++] = list[i];
    }
    return kept;
}

/* Names that violations carry and no event told. False: no memory. */
static bool tagged_collect(struct ampel_engine *engine, struct ampel_outlook *outlook,
                           const struct ampel_violations *block) {
    uint32_t told = outlook->incidents_count;
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        uint16_t record = ampel_violations_order(block)[i];
        if (block->hot[record].cold->sizes[AMPEL_TEXT_INCIDENT] == 0) continue;
        struct ampel_text tag = ampel_violations_text(block, record, AMPEL_TEXT_INCIDENT);
        if (names_none(tag) || listed(outlook, told, tag)) continue;
        uint32_t count = outlook->incidents_count;
        if (count > told && ampel_text_equal(outlook->incidents[count - 1].id, tag)) continue;
        if (incident_push(engine, outlook, tag) == NULL) return false;
    }
    outlook->incidents_count =
        told + incidents_distinct(outlook->incidents + told, outlook->incidents_count - told);
    return true;
}

enum ampel_engine_status ampel_incidents_list(struct ampel_engine *engine, uint32_t slot,
                                              const struct ampel_incident **out, uint32_t *count) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL) return AMPEL_ENGINE_NO_MEMORY;
    outlook->incidents_count = 0;
    const struct ampel_facts *facts = facts_of(engine, slot);
    const struct ampel_violations *block = ampel_account_at(&engine->accounts, slot)->violations;
    if (facts != NULL && !told_collect(engine, outlook, facts)) return AMPEL_ENGINE_NO_MEMORY;
    if (block != NULL && !tagged_collect(engine, outlook, block)) return AMPEL_ENGINE_NO_MEMORY;
    *out = outlook->incidents;
    *count = outlook->incidents_count;
    return AMPEL_ENGINE_OK;
}

bool ampel_incident_holds(const struct ampel_incident *incident, int64_t at_ms,
                          struct ampel_text tag) {
    if (tag.size > 0) return ampel_text_equal(tag, incident->id);
    return incident->from_ms <= at_ms && at_ms < incident->end_ms;
}

/* ---- the numbers without -------------------------------------------------------------------- */

static struct ampel_text tag_of(const struct ampel_outlook_view *view, uint32_t item) {
    return ampel_violations_text(view->account->violations, view->items[item].record,
                                 AMPEL_TEXT_INCIDENT);
}

/* The numbers with the chosen items left out of everything. What is left out is a repeat of nothing:
   the ranks behind it, up to its limit, go down by one each. False: no memory. */
static bool without_chosen(struct ampel_engine *engine, struct ampel_outlook *outlook,
                           struct ampel_numbers *out) {
    const struct ampel_outlook_view *view = &outlook->view;
    const struct ampel_violations *block = view->account->violations;
    const struct ampel_scale *scale = &engine->scale;
    uint32_t *lowered = ampel_pool_grow(&engine->pool, outlook->lowered, &outlook->lowered_capacity,
                                        view->count + 1, sizeof(*lowered));
    if (lowered == NULL) return false;
    outlook->lowered = lowered;
    memset(lowered, 0, (view->count + 1) * sizeof(*lowered));
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        if (!item->chosen) continue;
        int64_t limit_ms = ampel_violation_limit(scale, &block->hot[item->record]);
        uint32_t end = ampel_places_count_from(block, item->policy, limit_ms);
        if (end <= i + 1) continue;
        lowered[i + 1]++;
        lowered[end]--; /* wraps, and comes back in the sum */
    }
    struct ampel_outlook_sums sums = {0};
    uint32_t by = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        by += lowered[i];
        if (item->chosen) continue;
        AMPEL_ASSERT(by <= item->rank);
        if (item->deducting) {
            sums.deducted += ampel_scale_points(scale, item->severity, item->rank - by,
                                                item->points_given);
            sums.criticals = (uint16_t)(sums.criticals + item->critical);
        }
        if (item->capped) sums.caps[item->group]++;
    }
    ampel_rating_numbers(&engine->rules, view->account->orders, sums.deducted, sums.criticals,
                         sums.caps, out);
    return true;
}

/* Fulfilled and cancelled orders of the days that the incident's time touches. */
static void orders_count(const struct ampel_engine *engine, uint32_t slot,
                         const struct ampel_incident *incident,
                         struct ampel_incident_damage *out) {
    int64_t end_ms = incident->end_ms < engine->now_ms ? incident->end_ms : engine->now_ms + 1;
    if (incident->from_ms >= end_ms) return;
    int64_t first = incident->from_ms / AMPEL_DAY_MS, last = (end_ms - 1) / AMPEL_DAY_MS;
    int64_t oldest = engine->now_day - (AMPEL_WINDOW_DAYS_MAX - 1);
    for (int64_t day = first > oldest ? first : oldest; day <= last; day++) {
        bool authoritative;
        out->orders += ampel_engine_orders_of(engine, slot, day, &authoritative);
    }
    const struct ampel_facts *facts = facts_of(engine, slot);
    uint32_t next = facts == NULL ? 0
                                  : ampel_facts_first(facts, AMPEL_EVENT_ORDERS_CANCELLED,
                                                      first * AMPEL_DAY_MS);
    for (; facts != NULL && next < facts->count; next++) {
        const struct ampel_fact *fact = facts->sorted[next];
        if (fact->type != AMPEL_EVENT_ORDERS_CANCELLED || fact->at_ms >= end_ms) break;
        out->cancelled += fact->count;
    }
}

enum ampel_engine_status ampel_incident_damage(struct ampel_engine *engine, uint32_t slot,
                                               const struct ampel_incident *incident,
                                               struct ampel_incident_damage *out) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    struct ampel_outlook_view *view = &outlook->view;
    struct ampel_incident_damage damage = {.orders = 0};
    for (uint32_t i = 0; i < view->count; i++) {
        struct ampel_outlook_item *item = &view->items[i];
        item->chosen = ampel_incident_holds(incident, item->at_ms, tag_of(view, i));
        damage.violations += item->chosen;
        if (!item->chosen || !item->deducting) continue;
        damage.deducting++;
        damage.points += item->points;
    }
    if (!without_chosen(engine, outlook, &damage.without)) return AMPEL_ENGINE_NO_MEMORY;
    damage.points_caused = view->numbers.deducted - damage.without.deducted;
    orders_count(engine, slot, incident, &damage);
    *out = damage;
    return AMPEL_ENGINE_OK;
}

/* Untagged violations belong to whatever time they lie in: few incidents, so all are looked at. */
static bool any_holds(const struct ampel_outlook *outlook, int64_t at_ms, struct ampel_text tag) {
    if (tag.size > 0) return !names_none(tag) || listed(outlook, outlook->incidents_told, tag);
    for (uint32_t i = 0; i < outlook->incidents_told; i++) {
        if (ampel_incident_holds(&outlook->incidents[i], at_ms, tag)) return true;
    }
    return false;
}

enum ampel_engine_status ampel_incidents_without(struct ampel_engine *engine, uint32_t slot,
                                                 struct ampel_numbers *out) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    const struct ampel_facts *facts = facts_of(engine, slot);
    outlook->incidents_count = 0;
    if (facts != NULL && !told_collect(engine, outlook, facts)) return AMPEL_ENGINE_NO_MEMORY;
    outlook->incidents_told = outlook->incidents_count;
    struct ampel_outlook_view *view = &outlook->view;
    for (uint32_t i = 0; i < view->count; i++)
        view->items[i].chosen = any_holds(outlook, view->items[i].at_ms, tag_of(view, i));
    return without_chosen(engine, outlook, out) ? AMPEL_ENGINE_OK : AMPEL_ENGINE_NO_MEMORY;
}

/* ---- what to dispute first, and afterwards -------------------------------------------------- */

enum ampel_engine_status ampel_incident_fixes(struct ampel_engine *engine, uint32_t slot,
                                              const struct ampel_incident *incident,
                                              const struct ampel_outlook_fix **out,
                                              uint32_t *count) {
    const struct ampel_outlook_fix *all;
    uint32_t all_count, kept = 0;
    enum ampel_engine_status status = ampel_outlook_fixes(engine, slot, &all, &all_count);
    if (status != AMPEL_ENGINE_OK) return status;
    struct ampel_outlook *outlook = engine->outlook;
    const struct ampel_violations *block = outlook->view.account->violations;
    for (uint32_t i = 0; i < all_count; i++) {
        uint16_t record = ampel_violations_find(block, all[i].id);
        struct ampel_text tag = ampel_violations_text(block, record, AMPEL_TEXT_INCIDENT);
        if (ampel_incident_holds(incident, all[i].at_ms, tag)) outlook->fixes[kept++] = all[i];
    }
    *out = outlook->fixes;
    *count = kept;
    return AMPEL_ENGINE_OK;
}

int64_t ampel_incident_aftercare(const struct ampel_facts *facts, int64_t at_ms) {
    const int64_t span_ms = AMPEL_AFTERCARE_DAYS * AMPEL_DAY_MS;
    int64_t end_ms = INT64_MIN;
    if (facts == NULL) return end_ms;
    for (uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_INCIDENT, INT64_MIN); i < facts->count; i++) {
        const struct ampel_fact *fact = facts->sorted[i];
        if (fact->type != AMPEL_EVENT_INCIDENT) break;
        bool holds = fact->code == AMPEL_INCIDENT_CLOSED && fact->at_ms <= at_ms &&
                     at_ms - fact->at_ms < span_ms;
        if (holds && fact->at_ms + span_ms > end_ms) end_ms = fact->at_ms + span_ms;
    }
    return end_ms;
}

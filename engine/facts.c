#include "engine/facts.h"

#include <string.h>

#include "engine/drift.h"
#include "engine/records.h"

#define FORGET_DAYS (2 * AMPEL_WINDOW_DAYS_MAX)

static bool adds_up(uint8_t type) {
    return type == AMPEL_EVENT_ORDERS_CANCELLED || type == AMPEL_EVENT_LISTING;
}
static bool of_a_day(uint8_t type) {
    return adds_up(type) || type == AMPEL_EVENT_DAY_MARK;
}

static bool kept_for_good(uint8_t type) {
    return type == AMPEL_EVENT_ACCOUNT_STATUS || type == AMPEL_EVENT_PROFILE ||
           type == AMPEL_EVENT_INCIDENT;
}

/* Only what the type means: a column may carry anything in the members that the type does not use.
 */
static void event_normalize(struct ampel_event *event) {
    bool points = event->type == AMPEL_EVENT_OBSERVED || event->type == AMPEL_EVENT_DAY_MARK;
    bool code = event->type == AMPEL_EVENT_ACCOUNT_STATUS || event->type == AMPEL_EVENT_OBSERVED ||
                event->type == AMPEL_EVENT_SIGNAL || event->type == AMPEL_EVENT_INCIDENT ||
                event->type == AMPEL_EVENT_LISTING || event->type == AMPEL_EVENT_METRIC ||
                event->type == AMPEL_EVENT_CASE_CLOCK;
    if (!adds_up(event->type)) event->count = 1;
    if (!points) event->points = -1;
    if (!code) event->code = AMPEL_CODE_NONE;
    if (of_a_day(event->type)) event->at_ms -= event->at_ms % AMPEL_DAY_MS;
    event->rev = 0;
    event->policy = 0;
    event->severity = AMPEL_SEVERITY_NOT_GIVEN;
}

void ampel_fact_event(const struct ampel_fact *fact, struct ampel_event *out) {
    *out = (struct ampel_event){
        .at_ms = fact->at_ms,
        .count = fact->count,
        .points = fact->points,
        .type = fact->type,
        .severity = AMPEL_SEVERITY_NOT_GIVEN,
        .code = fact->code,
        .extras_size = fact->extras_size,
        .extras = fact->extras,
    };
}

/* ---- keys and values ------------------------------------------------------------------------ */

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_extras(const struct ampel_event *a, const struct ampel_event *b) {
    struct ampel_text left = {(const char *)a->extras, a->extras_size};
    struct ampel_text right = {(const char *)b->extras, b->extras_size};
    return ampel_text_compare(left, right);
}

static int compare_text(const struct ampel_event *a, const struct ampel_event *b,
                        enum ampel_extra_tag tag) {
    return ampel_text_compare(ampel_extra_text(a, tag), ampel_extra_text(b, tag));
}

/* A missing number is less than any. */
static int compare_number(const struct ampel_event *a, const struct ampel_event *b,
                          enum ampel_extra_tag tag) {
    int64_t left = INT64_MIN, right = INT64_MIN;
    if (!ampel_extra_number(a, tag, &left)) left = INT64_MIN;
    if (!ampel_extra_number(b, tag, &right)) right = INT64_MIN;
    return compare_i64(left, right);
}

static int key_compare(const struct ampel_event *a, const struct ampel_event *b) {
    int order = compare_i64(a->type, b->type);
    if (order != 0) return order;
    switch (a->type) {
    case AMPEL_EVENT_ACCOUNT_STATUS:
        return 0;
    case AMPEL_EVENT_PROFILE:
        return compare_i64(a->extras[0], b->extras[0]); /* one field each */
    case AMPEL_EVENT_INCIDENT:
    case AMPEL_EVENT_CASE_CLOCK:
        order = compare_text(a, b, AMPEL_EXTRA_ID);
        return order != 0 ? order : compare_i64(a->code, b->code);
    case AMPEL_EVENT_METRIC:
        return compare_text(a, b, AMPEL_EXTRA_NAME);
    case AMPEL_EVENT_DAY_MARK:
        return compare_i64(a->at_ms, b->at_ms);
    default:
        break;
    }
    order = compare_i64(a->at_ms, b->at_ms);
    if (order == 0) order = compare_i64(a->code, b->code);
    if (order == 0 && !adds_up(a->type)) order = compare_i64(a->points, b->points);
    return order != 0 ? order : compare_extras(a, b);
}

/* Of two events with one key: which one stands. */
static int value_compare(const struct ampel_event *a, const struct ampel_event *b) {
    if (a->type == AMPEL_EVENT_DAY_MARK) return compare_i64(b->points, a->points); /* the least */
    int order = compare_i64(a->at_ms, b->at_ms);
    if (order != 0) return order;
    switch (a->type) {
    case AMPEL_EVENT_ACCOUNT_STATUS:
        return compare_i64(a->code, b->code);
    case AMPEL_EVENT_PROFILE:
    case AMPEL_EVENT_CASE_CLOCK:
        return compare_extras(a, b);
    case AMPEL_EVENT_INCIDENT:
        return compare_number(a, b, AMPEL_EXTRA_COMPROMISED_FROM);
    case AMPEL_EVENT_METRIC:
        order = compare_number(a, b, AMPEL_EXTRA_VALUE_PPM);
        if (order == 0) order = compare_number(a, b, AMPEL_EXTRA_TARGET_PPM);
        if (order == 0) order = compare_number(a, b, AMPEL_EXTRA_CONDITION);
        return order != 0 ? order : compare_i64(a->code, b->code);
    default:
        return 0; /* sets: the key is everything */
    }
}

/* The last instant at which it may matter: announced work matters until it ends. */
static int64_t age_day(const struct ampel_event *event) {
    int64_t until_ms = 0;
    if (event->type == AMPEL_EVENT_MAINTENANCE &&
        ampel_extra_number(event, AMPEL_EXTRA_UNTIL, &until_ms) && until_ms > event->at_ms) {
        return until_ms / AMPEL_DAY_MS;
    }
    return event->at_ms / AMPEL_DAY_MS;
}

/* ---- places --------------------------------------------------------------------------------- */

static size_t fact_bytes(const struct ampel_fact *fact) {
    return sizeof(*fact) + fact->extras_size;
}

/* The place of the key, and whether it is taken. */
static uint32_t fact_place(const struct ampel_facts *facts, const struct ampel_event *event,
                           bool *taken) {
    uint32_t low = 0, high = facts->count;
    *taken = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct ampel_event held;
        ampel_fact_event(facts->sorted[middle], &held);
        int order = key_compare(&held, event);
        if (order == 0) {
            *taken = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct ampel_fact *fact_take(struct ampel_pool *pool, const struct ampel_event *event) {
    struct ampel_fact *fact = ampel_pool_take(pool, sizeof(*fact) + event->extras_size);
    if (fact == NULL) return NULL;
    memset(fact, 0, sizeof(*fact));
    fact->at_ms = event->at_ms;
    fact->count = event->count;
    fact->points = event->points;
    fact->type = event->type;
    fact->code = event->code;
    fact->extras_size = event->extras_size;
    if (event->extras_size > 0) memcpy(fact->extras, event->extras, event->extras_size);
    return fact;
}

static bool fact_insert(struct ampel_facts *facts, struct ampel_pool *pool, uint32_t place,
                        const struct ampel_event *event) {
    struct ampel_fact **sorted =
        ampel_pool_grow(pool, facts->sorted, &facts->capacity, facts->count + 1, sizeof(*sorted));
    if (sorted == NULL) return false;
    facts->sorted = sorted;
    struct ampel_fact *fact = fact_take(pool, event);
    if (fact == NULL) return false;
    memmove(sorted + place + 1, sorted + place, (facts->count - place) * sizeof(*sorted));
    sorted[place] = fact;
    facts->count++;
    if (!kept_for_good(event->type) && age_day(event) < facts->oldest_day) {
        facts->oldest_day = age_day(event);
    }
    return true;
}

static bool facts_make(struct ampel_facts **facts, struct ampel_pool *pool) {
    if (*facts != NULL) return true;
    *facts = ampel_pool_take(pool, sizeof(**facts));
    if (*facts == NULL) return false;
    memset(*facts, 0, sizeof(**facts));
    (*facts)->oldest_day = INT64_MAX;
    return true;
}

uint32_t ampel_facts_first(const struct ampel_facts *facts, uint8_t type, int64_t at_ms) {
    uint32_t low = 0, high = facts->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct ampel_fact *fact = facts->sorted[middle];
        if (fact->type < type || (fact->type == type && fact->at_ms < at_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- merging -------------------------------------------------------------------------------- */

static enum ampel_outcome fact_merge(struct ampel_facts *facts, struct ampel_pool *pool,
                                     uint32_t place, const struct ampel_event *event) {
    struct ampel_fact *held = facts->sorted[place];
    if (adds_up(event->type)) {
        uint32_t room = AMPEL_ORDERS_MAX - held->count;
        held->count += event->count < room ? event->count : room;
        return room > 0 ? AMPEL_OUTCOME_KEPT : AMPEL_OUTCOME_SAME;
    }
    struct ampel_event before;
    ampel_fact_event(held, &before);
    if (value_compare(event, &before) <= 0) return AMPEL_OUTCOME_SAME;
    struct ampel_fact *fact = fact_take(pool, event);
    if (fact == NULL) return AMPEL_OUTCOME_NO_MEMORY;
    ampel_pool_give(pool, held, fact_bytes(held));
    facts->sorted[place] = fact;
    return AMPEL_OUTCOME_KEPT;
}

static enum ampel_outcome fact_apply(struct ampel_facts **facts, struct ampel_pool *pool,
                                     const struct ampel_event *event) {
    if (!facts_make(facts, pool)) return AMPEL_OUTCOME_NO_MEMORY;
    bool taken;
    uint32_t place = fact_place(*facts, event, &taken);
    if (taken) return fact_merge(*facts, pool, place, event);
    if ((*facts)->count >= AMPEL_ACCOUNT_FACTS_MAX) return AMPEL_OUTCOME_FULL;
    if (!fact_insert(*facts, pool, place, event)) return AMPEL_OUTCOME_NO_MEMORY;
    if (event->type == AMPEL_EVENT_OBSERVED) (*facts)->sorted[place]->marks = AMPEL_DRIFT_NEW;
    return AMPEL_OUTCOME_KEPT;
}

/* A profile is merged field by field: each field is a fact of its own. */
static enum ampel_outcome profile_apply(struct ampel_facts **facts, struct ampel_pool *pool,
                                        const struct ampel_event *event) {
    static const enum ampel_extra_tag tags[] = {AMPEL_EXTRA_PROFESSIONAL,
                                                AMPEL_EXTRA_EMERGENCY_PHONE};
    enum ampel_outcome outcome = AMPEL_OUTCOME_SAME;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(tags); i++) {
        int64_t value;
        if (!ampel_extra_number(event, tags[i], &value)) continue;
        uint8_t bytes[16];
        struct ampel_extras_writer writer = {bytes, sizeof(bytes), 0};
        if (!ampel_extras_put_number(&writer, tags[i], value)) continue;
        struct ampel_event field = *event;
        field.extras = bytes;
        field.extras_size = writer.size;
        enum ampel_outcome one = fact_apply(facts, pool, &field);
        if (one > outcome) outcome = one;
    }
    return outcome;
}

enum ampel_outcome ampel_facts_apply(struct ampel_facts **facts, struct ampel_pool *pool,
                                     const struct ampel_event *event, int64_t now_day) {
    struct ampel_event normal = *event;
    event_normalize(&normal);
    bool old = age_day(&normal) < now_day - FORGET_DAYS;
    if (old && !kept_for_good(normal.type)) return AMPEL_OUTCOME_SAME;
    if (normal.type == AMPEL_EVENT_PROFILE) return profile_apply(facts, pool, &normal);
    return fact_apply(facts, pool, &normal);
}

uint32_t ampel_facts_forget(struct ampel_facts **facts, struct ampel_pool *pool, int64_t now_day) {
    struct ampel_facts *held = *facts;
    if (held == NULL || held->oldest_day >= now_day - FORGET_DAYS) return 0;
    uint32_t kept = 0, count = held->count;
    int64_t oldest_day = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_fact *fact = held->sorted[i];
        struct ampel_event event;
        ampel_fact_event(fact, &event);
        int64_t day = kept_for_good(fact->type) ? INT64_MAX : age_day(&event);
        if (day < now_day - FORGET_DAYS) {
            ampel_pool_give(pool, fact, fact_bytes(fact));
            continue;
        }
        if (day < oldest_day) oldest_day = day;
        held->sorted[kept++] = fact;
    }
    held->count = kept;
    held->oldest_day = oldest_day;
    if (kept == 0) {
        ampel_pool_give(pool, held->sorted, held->capacity * sizeof(*held->sorted));
        ampel_pool_give(pool, held, sizeof(*held));
        *facts = NULL;
    }
    return count - kept;
}

enum ampel_outcome ampel_facts_import(struct ampel_facts **facts, struct ampel_pool *pool,
                                      const struct ampel_event *event) {
    struct ampel_event normal = *event, last;
    event_normalize(&normal);
    bool canonical = normal.at_ms == event->at_ms && normal.count == event->count &&
                     normal.points == event->points && normal.code == event->code;
    int64_t value;
    if (normal.type == AMPEL_EVENT_PROFILE) {
        canonical = canonical && ampel_extra_number(event, AMPEL_EXTRA_PROFESSIONAL, &value) !=
                                     ampel_extra_number(event, AMPEL_EXTRA_EMERGENCY_PHONE, &value);
    }
    if (!canonical) return AMPEL_OUTCOME_SAME;
    if (!facts_make(facts, pool)) return AMPEL_OUTCOME_NO_MEMORY;
    if ((*facts)->count >= AMPEL_ACCOUNT_FACTS_MAX) return AMPEL_OUTCOME_FULL;
    if ((*facts)->count > 0) {
        ampel_fact_event((*facts)->sorted[(*facts)->count - 1], &last);
        if (key_compare(&last, &normal) >= 0) return AMPEL_OUTCOME_SAME;
    }
    return fact_insert(*facts, pool, (*facts)->count, &normal) ? AMPEL_OUTCOME_KEPT
                                                               : AMPEL_OUTCOME_NO_MEMORY;
}

#include "engine/drift.h"

#include <string.h>

#include "engine/assurance.h"
#include "engine/image.h"
#include "engine/window.h"

#define NOTHING UINT32_MAX

/* ---- the model at a time that has passed ---------------------------------------------------- */

static uint32_t orders_at(const struct ampel_engine *engine, const struct ampel_account *account,
                          int64_t at_ms) {
    int64_t age_days = engine->now_day - at_ms / AMPEL_DAY_MS;
    int64_t days = engine->rules.window_days;
    if (age_days + days > AMPEL_WINDOW_CELLS) days = AMPEL_WINDOW_CELLS - age_days;
    if (days <= 0) return 0;
    uint32_t last =
        (engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days) % AMPEL_WINDOW_CELLS;
    return ampel_window_sum(&account->window, last, (uint32_t)days);
}

static bool in_window_at(const struct ampel_engine *engine, const struct ampel_violation_hot *hot,
                         int64_t at_ms) {
    return hot->at_ms <= at_ms && at_ms < hot->at_ms + engine->scale.window_ms;
}

static uint8_t state_at(const struct ampel_violation_hot *hot, int64_t at_ms) {
    if (hot->cold->state_at_ms <= at_ms) return hot->state;
    return hot->cleared_since_ms <= at_ms ? AMPEL_STATE_APPROVED : AMPEL_STATE_OPEN;
}

static void numbers_at(const struct ampel_engine *engine, const struct ampel_account *account,
                       int64_t at_ms, struct ampel_numbers *out) {
    const struct ampel_violations *block = account->violations;
    const struct ampel_scale *scale = &engine->scale;
    uint16_t caps[AMPEL_CAP_GROUPS_MAX] = {0}, criticals = 0;
    int64_t deducted = 0;
    bool critical_points = engine->rules.critical_mode == AMPEL_CRITICAL_POINTS;
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        if (!in_window_at(engine, hot, at_ms)) continue;
        int8_t severity = ampel_scale_severity(scale, hot->policy, hot->severity_given);
        uint8_t state = state_at(hot, at_ms), group = scale->group[hot->policy];
        if (ampel_state_deducting(state)) {
            deducted += ampel_scale_points(scale, severity, ampel_violations_rank(block, i), hot->points_given);
            bool acts = severity == AMPEL_SEVERITY_CRITICAL && hot->points_given < 0;
            criticals = (uint16_t)(criticals + (acts && !critical_points));
        }
        bool counts = severity != AMPEL_SEVERITY_NONE && !ampel_state_cleared(state);
        if (counts && group < AMPEL_CAP_GROUPS_MAX) caps[group]++;
    }
    ampel_rating_numbers(&engine->rules, orders_at(engine, account, at_ms), deducted, criticals,
                         caps, out);
}

/* ---- scores --------------------------------------------------------------------------------- */

static uint16_t rules_tag(const struct ampel_engine *engine) {
    uint64_t hash = ampel_image_scale(&engine->scale);
    for (size_t i = 0; i < sizeof(engine->rules.version); i++) {
        hash = (hash ^ (uint8_t)engine->rules.version[i]) * UINT64_C(0x100000001b3);
    }
    return (uint16_t)(hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48);
}

/* The report before it whose drift is known, under the same rules. */
static uint32_t previous_known(const struct ampel_facts *facts, uint32_t index) {
    const struct ampel_fact *fact = facts->sorted[index];
    while (index > 0 && facts->sorted[index - 1]->type == AMPEL_EVENT_OBSERVED) {
        const struct ampel_fact *other = facts->sorted[--index];
        bool known = (other->marks & AMPEL_DRIFT_KNOWN) != 0;
        if (known && other->rules == fact->rules) return index;
    }
    return NOTHING;
}

static bool within(int64_t at_ms, int64_t after_ms, int64_t until_ms) {
    return at_ms > after_ms && at_ms <= until_ms;
}

static bool explained(const struct ampel_engine *engine, const struct ampel_account *account,
                      const struct ampel_fact *before, const struct ampel_fact *after) {
    if ((account->assured & AMPEL_ASSURED_MOVED) != 0) return true;
    int64_t change = (int64_t)after->drift - before->drift;
    if (change < 0) change = -change;
    if (before->orders != after->orders && change <= engine->rules.orders_points) return true;
    const struct ampel_violations *block = account->violations;
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        if (within(hot->at_ms, before->at_ms, after->at_ms) ||
            within(hot->cold->state_at_ms, before->at_ms, after->at_ms) ||
            within(hot->at_ms + engine->scale.window_ms, before->at_ms, after->at_ms)) {
            return true;
        }
    }
    return false;
}

static bool name(struct ampel_engine *engine, uint32_t slot, const struct ampel_account *account,
                 const struct ampel_fact *fact, const struct ampel_source *source, uint8_t kind,
                 struct ampel_change **out) {
    struct ampel_event event;
    struct ampel_cause cause;
    ampel_fact_event(fact, &event);
    ampel_cause_event(engine, slot, &event, source, &cause);
    *out = ampel_change_push(engine, kind, slot, source->position, &cause);
    if (*out == NULL) return false;
    ampel_account_numbers(engine, account, &(*out)->before);
    (*out)->after = (*out)->before;
    return true;
}

static bool score_judge(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                        uint32_t index, const struct ampel_source *source, bool told) {
    const struct ampel_facts *facts = account->rare->facts;
    struct ampel_fact *fact = facts->sorted[index];
    struct ampel_numbers model;
    numbers_at(engine, account, fact->at_ms, &model);
    fact->drift = fact->points - model.score;
    fact->orders = model.orders;
    fact->rules = rules_tag(engine);
    fact->marks = (uint16_t)(fact->marks | AMPEL_DRIFT_KNOWN);
    uint32_t previous = previous_known(facts, index);
    if (previous == NOTHING) return true;
    const struct ampel_fact *before = facts->sorted[previous];
    if (before->drift == fact->drift || explained(engine, account, before, fact)) return true;
    fact->marks = (uint16_t)(fact->marks | AMPEL_DRIFT_UNEXPLAINED);
    if (!told) return true;
    struct ampel_change *change;
    if (!name(engine, slot, account, fact, source, AMPEL_CHANGE_DRIFT, &change)) return false;
    change->amount = fact->drift;
    change->amount_before = before->drift;
    change->since_ms = before->at_ms;
    return true;
}

bool ampel_engine_drift_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                             struct ampel_drift *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_rare *rare = ampel_account_at(&engine->accounts, slot)->rare;
    if (rare == NULL || rare->facts == NULL) return false;
    const struct ampel_facts *facts = rare->facts;
    uint32_t index = *cursor > 0 ? *cursor : ampel_facts_first(facts, AMPEL_EVENT_OBSERVED, 0);
    for (; index < facts->count && facts->sorted[index]->type == AMPEL_EVENT_OBSERVED; index++) {
        const struct ampel_fact *fact = facts->sorted[index];
        if ((fact->marks & AMPEL_DRIFT_KNOWN) == 0) continue;
        uint32_t previous = previous_known(facts, index);
        bool first = previous == NOTHING;
        *out = (struct ampel_drift){
            .at_ms = fact->at_ms,
            .since_ms = first ? INT64_MIN : facts->sorted[previous]->at_ms,
            .drift = fact->drift,
            .drift_before = first ? 0 : facts->sorted[previous]->drift,
            .observed = fact->points,
            .score = fact->points - fact->drift,
            .status = fact->code,
            .unexplained = (fact->marks & AMPEL_DRIFT_UNEXPLAINED) != 0,
        };
        *cursor = index + 1;
        return true;
    }
    return false;
}

/* ---- counts --------------------------------------------------------------------------------- */

#define COUNT_BYTES 5

static struct ampel_text counts_of(const struct ampel_fact *fact) {
    struct ampel_event event;
    ampel_fact_event(fact, &event);
    return ampel_extra_text(&event, AMPEL_EXTRA_COUNTS);
}

static uint32_t count_shown(struct ampel_text counts, uint32_t index, uint8_t *policy) {
    const uint8_t *bytes = (const uint8_t *)counts.bytes + (size_t)index * COUNT_BYTES;
    *policy = bytes[0];
    return ampel_load_u32(bytes + 1);
}

/* Violations of the policy in window then, whatever their state and severity: what may stand behind
   a count, so that what is missing is missing for sure. */
static uint32_t count_known(const struct ampel_engine *engine, const struct ampel_account *account,
                            uint8_t policy, int64_t at_ms) {
    const struct ampel_violations *block = account->violations;
    uint32_t known = 0;
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        known += hot->policy == policy && in_window_at(engine, hot, at_ms);
    }
    return known;
}

static uint32_t previous_counts(const struct ampel_facts *facts, uint32_t index) {
    while (index > 0 && facts->sorted[index - 1]->type == AMPEL_EVENT_OBSERVED) {
        if (counts_of(facts->sorted[--index]).size > 0) return index;
    }
    return NOTHING;
}

static uint32_t latest_counts(const struct ampel_facts *facts) {
    return previous_counts(facts, ampel_facts_first(facts, AMPEL_EVENT_OBSERVED + 1, 0));
}

/* What a report shows of a policy beyond what is known. */
static uint32_t missing_of(const struct ampel_engine *engine, const struct ampel_account *account,
                           const struct ampel_fact *fact, uint8_t policy) {
    struct ampel_text counts = counts_of(fact);
    for (uint32_t i = 0; i < counts.size / COUNT_BYTES; i++) {
        uint8_t shown_policy;
        uint32_t shown = count_shown(counts, i, &shown_policy);
        if (shown_policy != policy) continue;
        uint32_t known = count_known(engine, account, policy, fact->at_ms);
        return shown > known ? shown - known : 0;
    }
    return 0;
}

static int32_t saturated(uint32_t value) {
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static bool counts_judge(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                         uint32_t index, const struct ampel_source *source, bool told) {
    const struct ampel_facts *facts = account->rare->facts;
    const struct ampel_fact *fact = facts->sorted[index];
    struct ampel_text counts = counts_of(fact);
    if (!told || counts.size == 0 || latest_counts(facts) != index) return true;
    uint32_t previous = previous_counts(facts, index);
    for (uint32_t i = 0; i < counts.size / COUNT_BYTES; i++) {
        uint8_t policy;
        uint32_t before = 0;
        (void)count_shown(counts, i, &policy);
        uint32_t missing = missing_of(engine, account, fact, policy);
        if (previous != NOTHING) {
            before = missing_of(engine, account, facts->sorted[previous], policy);
        }
        if (missing <= before) continue;
        struct ampel_change *change;
        if (!name(engine, slot, account, fact, source, AMPEL_CHANGE_MISSING, &change)) return false;
        change->cause.policy = policy;
        change->amount = saturated(missing);
        change->amount_before = saturated(before);
        change->since_ms = previous != NOTHING ? facts->sorted[previous]->at_ms : 0;
    }
    return true;
}

bool ampel_engine_missing_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                               struct ampel_missing *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    if (account->rare == NULL || account->rare->facts == NULL) return false;
    uint32_t latest = latest_counts(account->rare->facts);
    if (latest == NOTHING) return false;
    const struct ampel_fact *fact = account->rare->facts->sorted[latest];
    struct ampel_text counts = counts_of(fact);
    while (*cursor < counts.size / COUNT_BYTES) {
        uint8_t policy;
        uint32_t shown = count_shown(counts, (*cursor)++, &policy);
        uint32_t known = count_known(engine, account, policy, fact->at_ms);
        if (shown <= known) continue;
        *out = (struct ampel_missing){fact->at_ms, shown, known, policy};
        return true;
    }
    return false;
}

/* ---- the end of a step ---------------------------------------------------------------------- */

bool ampel_drift_judge(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                       const struct ampel_source *source, bool told) {
    if (account->rare == NULL || account->rare->facts == NULL) return true;
    const struct ampel_facts *facts = account->rare->facts;
    uint32_t index = ampel_facts_first(facts, AMPEL_EVENT_OBSERVED, 0);
    bool computed = false;
    for (; index < facts->count && facts->sorted[index]->type == AMPEL_EVENT_OBSERVED; index++) {
        struct ampel_fact *fact = facts->sorted[index];
        if ((fact->marks & AMPEL_DRIFT_NEW) == 0) continue;
        fact->marks = 0;
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_FACTS);
        if (fact->at_ms < engine->now_ms - AMPEL_DRIFT_LATE_MS) continue;
        if (fact->points >= 0) {
            computed = true;
            if (!score_judge(engine, slot, account, index, source, told)) return false;
        }
        if (!counts_judge(engine, slot, account, index, source, told)) return false;
    }
    if (computed) account->assured = (uint8_t)(account->assured & ~AMPEL_ASSURED_MOVED);
    return true;
}

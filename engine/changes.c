#include <assert.h>
#include <string.h>

#include "engine/load.h"
#include "engine/state.h"

static const char *const change_names[] = {
#define X(upper, lower, code) [code] = #lower,
    AMPEL_CHANGES(X)
#undef X
};

const char *ampel_change_name(uint8_t kind) {
    return ampel_change_known(kind) ? change_names[kind] : "unknown";
}

bool ampel_change_known(uint8_t kind) {
    return kind < AMPEL_CHANGES_COUNT && change_names[kind] != NULL;
}

bool ampel_change_is_told(uint8_t kind) {
    return kind != AMPEL_CHANGE_REFUSED && kind != AMPEL_CHANGE_FORGOTTEN;
}

struct ampel_change *ampel_change_push(struct ampel_engine *engine, uint8_t kind, uint32_t slot,
                                       uint64_t position, const struct ampel_cause *cause) {
    struct ampel_change *changes =
        ampel_pool_grow(&engine->pool, engine->changes, &engine->changes_capacity,
                        engine->changes_count + 1, sizeof(*changes));
    if (changes == NULL) return NULL;
    engine->changes = changes;
    struct ampel_change *change = &changes[engine->changes_count++];
    *change = (struct ampel_change){
        .at_ms = engine->now_ms,
        .position = position,
        .slot = slot,
        .kind = kind,
        .cap_group = AMPEL_CAP_GROUP_NONE,
        .cause = *cause,
    };
    return change;
}

/* What a cap group has to say: CAP_NEAR, CAP_REACHED, or AMPEL_CHANGES_COUNT for nothing. */
static uint8_t cap_kind(const struct ampel_rules *rules, uint32_t group, uint16_t before,
                        uint16_t after) {
    int32_t limit = rules->cap_groups[group].limit, near = limit - rules->cap_warn_before;
    if (before < limit && after >= limit) return AMPEL_CHANGE_CAP_REACHED;
    if (before < near && after >= near && after < limit) return AMPEL_CHANGE_CAP_NEAR;
    return AMPEL_CHANGES_COUNT;
}

static uint32_t bit_of(enum ampel_change_kind kind) { return UINT32_C(1) << kind; }

AMPEL_APART static uint32_t caps_due(const struct ampel_rules *rules, const struct ampel_numbers *before,
                                     const struct ampel_numbers *after) {
    const uint32_t both = bit_of(AMPEL_CHANGE_CAP_NEAR) | bit_of(AMPEL_CHANGE_CAP_REACHED);
    uint32_t due = 0;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        due |= UINT32_C(1) << cap_kind(rules, i, before->caps[i], after->caps[i]);
    }
    return due & both;
}

uint32_t ampel_changes_due(const struct ampel_engine *engine, const struct ampel_numbers *before,
                           const struct ampel_numbers *after, bool is_new) {
    uint32_t due = is_new || before->score != after->score ? bit_of(AMPEL_CHANGE_SCORE) : 0;
    if (!ampel_numbers_alike(before, after)) {
        if (before->colour != after->colour) due |= bit_of(AMPEL_CHANGE_SCORE) | bit_of(AMPEL_CHANGE_COLOUR);
        if (before->risk != after->risk) due |= bit_of(AMPEL_CHANGE_SCORE) | bit_of(AMPEL_CHANGE_RISK);
        if (before->criticals < after->criticals) due |= bit_of(AMPEL_CHANGE_CRITICAL);
    }
    if (!ampel_caps_same(before->caps, after->caps)) due |= caps_due(&engine->rules, before, after);
    return due;
}

/* One naming in progress. */
struct naming {
    struct ampel_engine *engine;
    const struct ampel_numbers *before, *after;
    const struct ampel_cause *cause;
    uint64_t position;
    uint32_t slot;
    bool is_new;
};

/* There is room: ampel_changes_name made it. Every member is written once, as there are several changes
   to a violation. */
static inline void name_one(const struct naming *naming, uint8_t kind, int32_t deadline_hours,
                            uint8_t cap_group) {
    struct ampel_engine *engine = naming->engine;
    AMPEL_ASSERT(engine->changes_count < engine->changes_capacity);
    struct ampel_change *change = &engine->changes[engine->changes_count++];
    change->at_ms = engine->now_ms;
    change->deadline_ms = deadline_hours > 0 ? engine->now_ms + deadline_hours * AMPEL_HOUR_MS : 0;
    change->position = naming->position;
    change->since_ms = 0;
    change->amount = change->amount_before = 0;
    change->signals_first = change->signals_count = 0;
    change->slot = naming->slot;
    change->kind = kind;
    change->cap_group = cap_group;
    change->verdict = 0;
    change->is_new = naming->is_new;
    change->before = *naming->before;
    change->after = *naming->after;
    change->cause = *naming->cause;
}

static int32_t deadline_hours(const struct naming *naming, uint8_t kind) {
    const struct ampel_rules *rules = &naming->engine->rules;
    if (kind == AMPEL_CHANGE_COLOUR && naming->after->colour == AMPEL_RED) return rules->deadline_red_hours;
    return kind == AMPEL_CHANGE_CAP_REACHED ? rules->deadline_cap_hours : 0;
}

AMPEL_APART static void name_caps(const struct naming *naming, uint8_t wanted) {
    const struct ampel_rules *rules = &naming->engine->rules;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        uint8_t kind = cap_kind(rules, i, naming->before->caps[i], naming->after->caps[i]);
        if (kind == wanted) name_one(naming, kind, deadline_hours(naming, kind), (uint8_t)i);
    }
}

/* Score, colour, risk, a critical one, and each cap group says one thing at most. */
#define NAMES_MOST (4 + AMPEL_CAP_GROUPS_MAX)
static_assert(AMPEL_CHANGE_SCORE < AMPEL_CHANGE_COLOUR && AMPEL_CHANGE_COLOUR < AMPEL_CHANGE_RISK &&
                  AMPEL_CHANGE_RISK < AMPEL_CHANGE_CAP_NEAR && AMPEL_CHANGE_CAP_NEAR < AMPEL_CHANGE_CAP_REACHED &&
                  AMPEL_CHANGE_CAP_REACHED < AMPEL_CHANGE_CRITICAL && AMPEL_CHANGES_COUNT < 32,
              "what is due is told from the lowest bit on");

bool ampel_changes_name(struct ampel_engine *engine, uint32_t slot, uint32_t due,
                        const struct ampel_numbers *before, const struct ampel_numbers *after,
                        bool is_new, const struct ampel_cause *cause, uint64_t position) {
    const struct naming naming = {engine, before, after, cause, position, slot, is_new};
    struct ampel_change *changes =
        ampel_pool_grow(&engine->pool, engine->changes, &engine->changes_capacity,
                        engine->changes_count + NAMES_MOST, sizeof(*changes));
    if (changes == NULL) return false;
    engine->changes = changes;
    for (; due != 0; due &= due - 1) {
        uint8_t kind = (uint8_t)__builtin_ctz(due);
        if (kind == AMPEL_CHANGE_CAP_NEAR || kind == AMPEL_CHANGE_CAP_REACHED)
            name_caps(&naming, kind);
        else
            name_one(&naming, kind, deadline_hours(&naming, kind), AMPEL_CAP_GROUP_NONE);
    }
    return true;
}

/* ---- causes --------------------------------------------------------------------------------- */

/* All but the texts, of which nobody reads more than their sizes say: a violation has a cause, and to blank 128 bytes
   took longer than to make the rest of it. */
static void cause_begin(int64_t at_ms, uint64_t sequence, uint8_t kind, struct ampel_cause *out) {
    out->at_ms = at_ms;
    out->sequence = sequence;
    out->kind = kind;
    out->event_type = out->policy = 255;
    out->severity = AMPEL_SEVERITY_NOT_GIVEN;
    out->code = AMPEL_CODE_NONE;
    out->id_size = out->producer_size = 0;
}

void ampel_cause_time(int64_t at_ms, uint8_t kind, struct ampel_cause *out) {
    cause_begin(at_ms, 0, kind, out);
}

void ampel_cause_violation(uint8_t policy, int8_t severity, struct ampel_text id,
                           struct ampel_cause *out) {
    out->policy = policy;
    out->severity = severity;
    out->id_size = (uint8_t)(id.size <= AMPEL_ID_BYTES_MAX ? id.size : AMPEL_ID_BYTES_MAX);
    ampel_bytes_copy(out->id, id.bytes, out->id_size);
}

/* What is known of the violation that a state is about. */
AMPEL_APART static void cause_state(const struct ampel_engine *engine, uint32_t slot, struct ampel_text id,
                                    struct ampel_cause *out) {
    ampel_cause_violation(255, AMPEL_SEVERITY_NOT_GIVEN, id, out);
    if (slot == AMPEL_SLOT_NONE) return;
    const struct ampel_violations *violations =
        ampel_account_at(&engine->accounts, slot)->violations;
    uint16_t record = ampel_violations_find(violations, id);
    if (record == AMPEL_VIOLATION_NONE) return;
    const struct ampel_violation_hot *hot = &violations->hot[record];
    if (hot->policy == AMPEL_POLICY_WAITING) return;
    out->policy = hot->policy;
    out->severity = ampel_scale_severity(&engine->scale, hot->policy, hot->severity_given);
}

void ampel_cause_event(const struct ampel_engine *engine, uint32_t slot,
                       const struct ampel_event *event, const struct ampel_source *source,
                       struct ampel_cause *out) {
    cause_begin(event->at_ms, source->sequence, AMPEL_CAUSE_EVENT, out);
    out->event_type = event->type;
    out->code = event->code;
    out->producer_size = (uint8_t)source->producer.size;
    ampel_bytes_copy(out->producer, source->producer.bytes, out->producer_size);
    struct ampel_text id = ampel_extra_lone_id(event);
    if (id.size == 0) id = ampel_extra_text(event, AMPEL_EXTRA_ID);
    if (event->type == AMPEL_EVENT_VIOLATION) {
        ampel_cause_violation(event->policy,
                              ampel_scale_severity(&engine->scale, event->policy, event->severity),
                              id, out);
    } else if (event->type == AMPEL_EVENT_VIOLATION_STATE) {
        cause_state(engine, slot, id, out);
    } else if (id.size > 0) {
        ampel_cause_violation(255, AMPEL_SEVERITY_NOT_GIVEN, id, out);
    }
}

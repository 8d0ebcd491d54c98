#include "workers/cli/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/text.h"
#include "workers/cli/explained_takeover.h"
#include "workers/cli/flow.h"
#include "workers/cli/labels.h"

void ampel_told_fill(const struct ampel_engine *engine, const struct ampel_change *change,
                     struct ampel_message_change *out) {
    const struct ampel_rules *rules = ampel_engine_rules(engine);
    *out = (struct ampel_message_change){
        .stream = ampel_change_stream(change->kind),
        .change = *change,
        .rules_version = ampel_text_of(rules->version),
        .caps_count = rules->cap_groups_count,
    };
    ampel_engine_account_identity(engine, change->slot, &out->tenant, &out->seller, &out->marketplace);
    ampel_hash_change(out->tenant, out->seller, out->marketplace, change, out->id);
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        out->caps_names[i] = ampel_text_of(rules->cap_groups[i].name);
    if (change->cap_group < rules->cap_groups_count)
        out->cap_group = ampel_text_of(rules->cap_groups[change->cap_group].name);
    ampel_message_signals_set(out, ampel_engine_change_signals(engine, change));
}

static bool of_assurance(uint8_t kind) {
    return kind == AMPEL_CHANGE_ASSURANCE_GAINED || kind == AMPEL_CHANGE_ASSURANCE_LOST ||
           kind == AMPEL_CHANGE_ASSURANCE_NEAR;
}

static bool of_takeover(uint8_t kind) {
    return kind == AMPEL_CHANGE_TAKEOVER_SUSPECTED || kind == AMPEL_CHANGE_TAKEOVER_CLEARED;
}

/* What speaks for it, one line a signal, and the sum that made it so sure. */
static void signals_put(struct ampel_flow *flow, const struct ampel_message_change *told) {
    const struct ampel_change *change = &told->change;
    char at[AMPEL_LABEL_TIME_SIZE];
    if (!of_takeover(change->kind)) return;
    ampel_label_time(change->since_ms, at);
    ampel_flow_start(flow, 4);
    ampel_flow_words(flow, 2, AMPEL_PLAIN, ampel_label("suspected since %s, weight %d:"), at, change->amount);
    ampel_flow_end(flow);
    for (uint32_t i = 0; i < change->signals_count; i++)
        ampel_explained_signal_put(flow, 6, &told->signals[i]);
}

/* What an alert counts, in words. */
static void amounts_put(struct ampel_flow *flow, const struct ampel_change *change) {
    ampel_flow_start(flow, 4);
    switch (change->kind) {
    case AMPEL_CHANGE_DRIFT:
        ampel_flow_words(flow, 2, AMPEL_PLAIN, ampel_label("the report less the model: %+d; at the report before: %+d"),
                         change->amount, change->amount_before);
        break;
    case AMPEL_CHANGE_MISSING:
        ampel_flow_words(flow, 2, AMPEL_PLAIN,
                         ampel_label("missing %d: the report shows more than are known; at the report before: %d"),
                         change->amount, change->amount_before);
        break;
    case AMPEL_CHANGE_ASSURANCE_GAINED:
    case AMPEL_CHANGE_ASSURANCE_LOST:
        ampel_flow_words(flow, 2, AMPEL_PLAIN, ampel_label("%d days below its mark"), change->amount);
        break;
    case AMPEL_CHANGE_ASSURANCE_NEAR:
        ampel_flow_words(flow, 2, AMPEL_PLAIN, ampel_label("%d days below its mark; three more lose it"), change->amount);
        break;
    default:
        return;
    }
    ampel_flow_end(flow);
}

/* Which phase of which case. */
static void phase_put(struct ampel_flow *flow, const struct ampel_change *change) {
    const struct ampel_cause *cause = &change->cause;
    char since[AMPEL_LABEL_TIME_SIZE];
    if (change->kind != AMPEL_CHANGE_INCIDENT_CHANGED || cause->code == AMPEL_CODE_NONE) return;
    ampel_flow_start(flow, 4);
    ampel_flow_put(flow, 2, AMPEL_PLAIN, ampel_label("case %.*s:"), (int)cause->id_size, cause->id);
    ampel_flow_put(flow, 1, AMPEL_BOLD, "%s",
                   ampel_label(ampel_registry_name(AMPEL_REGISTRY_INCIDENT_PHASE, cause->code)));
    ampel_label_time(change->since_ms, since);
    if (change->since_ms != 0) ampel_flow_words(flow, 1, AMPEL_PLAIN, ampel_label("taken over since %s"), since);
    ampel_flow_end(flow);
}

/* What comes at the end of the time that a change tells of. */
static const char *deadline_words(uint8_t kind) {
    if (kind == AMPEL_CHANGE_INCIDENT_CLOCK) return "runs out at";
    return kind == AMPEL_CHANGE_WILL_TURN ? "leaves green at" : "resolve before";
}

/* Until when there is time, or when it comes. */
static void deadline_put(struct ampel_flow *flow, const struct ampel_change *change) {
    char at[AMPEL_LABEL_TIME_SIZE];
    if (change->deadline_ms == 0) return;
    bool turns = change->kind == AMPEL_CHANGE_WILL_TURN;
    ampel_label_time(change->deadline_ms, at);
    ampel_flow_start(flow, 4);
    ampel_flow_put(flow, 2, AMPEL_PLAIN, "%s", ampel_label(deadline_words(change->kind)));
    ampel_flow_put(flow, 1, turns ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_RED, "%s", at);
    if (turns) ampel_flow_words(flow, 1, AMPEL_PLAIN, ampel_label("with a score of %d then"), change->amount);
    if (change->kind == AMPEL_CHANGE_DEADLINE_NEAR || change->kind == AMPEL_CHANGE_INCIDENT_CLOCK)
        ampel_flow_words(flow, 1, AMPEL_PLAIN, ampel_label("(%d hours left)"), change->amount);
    ampel_flow_end(flow);
}

/* Orders that are foreseen to leave have not left. */
static const char *midnight_words(uint8_t kind) {
    if (of_assurance(kind)) return "because a day closed";
    return kind == AMPEL_CHANGE_WILL_TURN ? "because orders will leave the window" : "because orders left the window";
}

static const char *cause_words(const struct ampel_cause *cause, uint8_t kind) {
    switch (cause->kind) {
    case AMPEL_CAUSE_EXPIRY:
        return ampel_label(of_takeover(kind) ? "because a signal left the window"
                                             : "because a violation left the window:");
    case AMPEL_CAUSE_MIDNIGHT:
        return ampel_label(midnight_words(kind));
    case AMPEL_CAUSE_BACKFILL:
        return ampel_label("after a backfill");
    default:
        return ampel_label("because the rules changed");
    }
}

static void cause_put(struct ampel_flow *flow, const struct ampel_cause *cause, uint8_t kind) {
    char at[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(cause->at_ms, at);
    const char *policy = cause->policy == 255 ? NULL : ampel_label_name(AMPEL_REGISTRY_POLICY, cause->policy);
    if (cause->kind == AMPEL_CAUSE_EVENT)
        ampel_flow_put(flow, 1, AMPEL_PLAIN, ampel_label("because of %s"),
                       ampel_label_name(AMPEL_REGISTRY_EVENT_TYPE, cause->event_type));
    else if (cause->kind == AMPEL_CAUSE_CLOCK)
        ampel_flow_put(flow, 1, AMPEL_PLAIN, ampel_label("because of the clock %s"),
                       ampel_label(ampel_clock_name(cause->code)));
    else if (cause->kind == AMPEL_CAUSE_CASE_CLOCK)
        ampel_flow_put(flow, 1, AMPEL_PLAIN, ampel_label("because of the clock %s"),
                       ampel_label_name(AMPEL_REGISTRY_CASE_CLOCK, cause->code));
    else
        ampel_flow_put(flow, 1, AMPEL_PLAIN, "%s", cause_words(cause, kind));
    if (cause->id_size > 0) ampel_flow_put(flow, 1, AMPEL_PLAIN, "%.*s", (int)cause->id_size, cause->id);
    if (policy != NULL) ampel_flow_put(flow, 1, AMPEL_PLAIN, "(%s)", policy);
    /* What will leave has no time yet but the one in the next line. */
    if (kind == AMPEL_CHANGE_WILL_TURN && cause->kind == AMPEL_CAUSE_MIDNIGHT) return;
    ampel_flow_put(flow, 1, AMPEL_PLAIN, ampel_label("of %s"), at);
}

/* "194 yellow -> 210 green (+16), risk none"; once where nothing moved. */
static void scores_put(struct ampel_flow *flow, const struct ampel_change *change) {
    const struct ampel_numbers *before = &change->before, *after = &change->after;
    bool moved = !change->is_new && (before->score != after->score || before->colour != after->colour);
    if (moved)
        ampel_flow_put(flow, 2, ampel_paint_of_colour(before->colour), "%d %s", before->score,
                       ampel_label_name(AMPEL_REGISTRY_COLOUR, before->colour));
    if (moved) ampel_flow_put(flow, 1, AMPEL_PLAIN, "->");
    ampel_flow_put(flow, moved ? 1 : 2, ampel_paint_of_colour(after->colour), "%d %s", after->score,
                   ampel_label_name(AMPEL_REGISTRY_COLOUR, after->colour));
    if (moved && before->score != after->score)
        ampel_flow_put(flow, 1, AMPEL_PLAIN, "(%+d)", after->score - before->score);
    ampel_flow_put(flow, 0, AMPEL_PLAIN, ampel_label(", risk %s"), ampel_label_name(AMPEL_REGISTRY_RISK, after->risk));
}

static void change_show(const struct ampel_message_change *told) {
    const struct ampel_change *change = &told->change;
    struct ampel_flow flow;
    char at[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(change->at_ms, at);
    const char *kind = ampel_label(ampel_change_name(change->kind));
    ampel_flow_start(&flow, 4);
    ampel_flow_put(&flow, 0, AMPEL_PLAIN, "%s", at);
    ampel_flow_put(&flow, 2, AMPEL_BOLD, "%-*s", ampel_label_width(kind, 18), kind);
    ampel_flow_put(&flow, 2, AMPEL_PLAIN, "%.*s/%.*s", (int)told->seller.size, told->seller.bytes,
                   (int)told->marketplace.size, told->marketplace.bytes);
    if (told->cap_group.size > 0) {
        char group[AMPEL_ID_BYTES_MAX + 1];
        snprintf(group, sizeof group, "%.*s", (int)told->cap_group.size, told->cap_group.bytes);
        ampel_flow_put(&flow, 2, AMPEL_PLAIN, "%s", ampel_label(group));
    }
    scores_put(&flow, change);
    ampel_flow_end(&flow);
    ampel_flow_start(&flow, 4);
    ampel_flow_put(&flow, 2, AMPEL_PLAIN, "#%" PRIu64, told->number);
    cause_put(&flow, &change->cause, change->kind);
    ampel_flow_end(&flow);
    amounts_put(&flow, change);
    signals_put(&flow, told);
    phase_put(&flow, change);
    deadline_put(&flow, change);
}

void ampel_told_print(const struct ampel_message_change *told, enum ampel_format format) {
    if (format != AMPEL_FORMAT_JSONL) {
        change_show(told);
        return;
    }
    char bytes[AMPEL_MESSAGE_BYTES_MAX];
    uint32_t size = ampel_change_json(told, bytes, sizeof bytes);
    AMPEL_ASSERT(size > 0);
    printf("%.*s\n", (int)size, bytes);
}

#include "workers/cli/labels.h"
#include "workers/cli/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/text.h"
#include "workers/cli/table.h"

bool ampel_told_is(const struct ampel_change *change) {
    return change->kind != AMPEL_CHANGE_REFUSED && change->kind != AMPEL_CHANGE_FORGOTTEN;
}

void ampel_told_fill(const struct ampel_engine *engine, const struct ampel_change *change,
                     struct ampel_message_change *out) {
    const struct ampel_rules *rules = ampel_engine_rules(engine);
    *out = (struct ampel_message_change){
        .stream = change->kind == AMPEL_CHANGE_SCORE ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS,
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
}

static bool of_assurance(uint8_t kind) {
    return kind == AMPEL_CHANGE_ASSURANCE_GAINED || kind == AMPEL_CHANGE_ASSURANCE_LOST ||
           kind == AMPEL_CHANGE_ASSURANCE_NEAR;
}

static void amounts_print(const struct ampel_change *change) {
    if (change->kind == AMPEL_CHANGE_DRIFT)
        printf(ampel_label("  drift %+d, before %+d\n"), change->amount, change->amount_before);
    else if (change->kind == AMPEL_CHANGE_MISSING)
        printf(ampel_label("  missing %d\n"), change->amount);
    else if (of_assurance(change->kind))
        printf(ampel_label("  %d days below\n"), change->amount);
}

static void cause_print(const struct ampel_cause *cause, uint8_t kind) {
    char at[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(cause->at_ms, at);
    const char *policy = cause->policy == 255 ? NULL : ampel_label_name(AMPEL_REGISTRY_POLICY, cause->policy);
    switch (cause->kind) {
    case AMPEL_CAUSE_EVENT:
        printf(ampel_label("because of %s"), ampel_label_name(AMPEL_REGISTRY_EVENT_TYPE, cause->event_type));
        break;
    case AMPEL_CAUSE_EXPIRY:
        fputs(ampel_label("because a violation left the window:"), stdout);
        break;
    case AMPEL_CAUSE_MIDNIGHT:
        fputs(ampel_label(of_assurance(kind) ? "because a day closed" : "because orders left the window"), stdout);
        break;
    case AMPEL_CAUSE_BACKFILL:
        fputs(ampel_label("after a backfill"), stdout);
        break;
    default:
        fputs(ampel_label("because the rules changed"), stdout);
    }
    if (cause->id_size > 0) printf(" %.*s", (int)cause->id_size, cause->id);
    if (policy != NULL) printf(" (%s)", policy);
    printf(ampel_label(" of %s\n"), at);
}

static void change_show(const struct ampel_message_change *told) {
    const struct ampel_change *change = &told->change;
    const struct ampel_numbers *before = &change->before, *after = &change->after;
    char at[AMPEL_LABEL_TIME_SIZE], deadline[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(change->at_ms, at);
    const char *kind = ampel_label(ampel_change_name(change->kind));
    printf("%s  %s%-*s%s  %.*s/%.*s", at, ampel_paint_start(AMPEL_BOLD), ampel_label_width(kind, 18), kind,
           ampel_paint_end(), (int)told->seller.size, told->seller.bytes, (int)told->marketplace.size,
           told->marketplace.bytes);
    if (told->cap_group.size > 0) printf("  %.*s", (int)told->cap_group.size, told->cap_group.bytes);
    if (!change->is_new)
        printf("  %s%d %s%s ->", ampel_paint_start(ampel_paint_of_colour(before->colour)), before->score,
               ampel_label_name(AMPEL_REGISTRY_COLOUR, before->colour), ampel_paint_end());
    printf(ampel_label("  %s%d %s%s, risk %s\n"), ampel_paint_start(ampel_paint_of_colour(after->colour)), after->score,
           ampel_label_name(AMPEL_REGISTRY_COLOUR, after->colour), ampel_paint_end(),
           ampel_label_name(AMPEL_REGISTRY_RISK, after->risk));
    printf("  #%" PRIu64 " ", told->number);
    cause_print(&change->cause, change->kind);
    amounts_print(change);
    if (change->deadline_ms != 0) {
        ampel_label_time(change->deadline_ms, deadline);
        printf(ampel_label("  resolve before %s%s%s\n"), ampel_paint_start(AMPEL_PAINT_RED), deadline, ampel_paint_end());
    }
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

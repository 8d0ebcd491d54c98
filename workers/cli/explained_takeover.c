#include "workers/cli/explained_takeover.h"

#include <stdio.h>

#include "proto/text.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"

void ampel_explained_signal_put(struct ampel_flow *flow, uint32_t indent, const struct ampel_signal *signal) {
    char at[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(signal->first_ms, at);
    ampel_flow_start(flow, indent);
    ampel_flow_put(flow, indent - 2, AMPEL_PLAIN, "%s", at);
    ampel_flow_put(flow, 2, AMPEL_PLAIN, "%3u", (unsigned)signal->weight);
    ampel_flow_put(flow, 2, AMPEL_PAINT_RED, "%s", ampel_label_name(AMPEL_REGISTRY_KIND, signal->kind));
    if (signal->derived) ampel_flow_put(flow, 0, AMPEL_PLAIN, "%s", ampel_label(", found by Ampel"));
    ampel_flow_end(flow);
}

void ampel_explained_takeover_print(const struct ampel_suspicion *suspicion, int32_t threshold) {
    struct ampel_flow flow;
    char since[AMPEL_LABEL_TIME_SIZE];
    if (suspicion->signals_count == 0) return;
    printf("\n");
    ampel_flow_start(&flow, 4);
    if (suspicion->suspected) {
        ampel_label_time(suspicion->began_ms, since);
        ampel_flow_put(&flow, 2, AMPEL_PAINT_RED, "%s", ampel_label("taken over?"));
        ampel_flow_words(&flow, 1, AMPEL_PLAIN, ampel_label("suspected since %s, weight %d:"), since,
                         (int)suspicion->weight);
    } else if ((int64_t)suspicion->weight >= threshold) {
        ampel_flow_words(&flow, 2, AMPEL_PLAIN,
                         ampel_label("signs of a takeover, but all of one group: weight %d, another group would do"),
                         (int)suspicion->weight);
    } else {
        ampel_flow_words(&flow, 2, AMPEL_PLAIN, ampel_label("signs of a takeover, not enough: weight %d of %d"),
                         (int)suspicion->weight, (int)threshold);
    }
    ampel_flow_end(&flow);
    for (uint32_t i = 0; i < suspicion->signals_count; i++)
        ampel_explained_signal_put(&flow, 6, &suspicion->signals[i]);
}

static void signal_json(struct ampel_print *print, const struct ampel_signal *signal) {
    ampel_print_word(print, "{");
    ampel_member_name(print, "kind", AMPEL_REGISTRY_KIND, signal->kind);
    ampel_member_name(print, "group", AMPEL_REGISTRY_KIND_GROUP, signal->group);
    ampel_member_integer(print, "weight", signal->weight);
    ampel_member_time(print, "at", signal->first_ms);
    if (signal->last_ms != signal->first_ms) ampel_member_time(print, "last", signal->last_ms);
    if (signal->derived) ampel_member_boolean(print, "derived", true);
    ampel_print_word(print, "}");
}

void ampel_explained_takeover_json(const struct ampel_suspicion *suspicion) {
    char bytes[4096];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    if (suspicion->signals_count == 0) return;
    printf(",\"takeover\":");
    ampel_print_word(&print, "{");
    ampel_member_boolean(&print, "suspected", suspicion->suspected);
    if (suspicion->suspected) ampel_member_time(&print, "since", suspicion->began_ms);
    ampel_member_integer(&print, "weight", suspicion->weight);
    ampel_print_key(&print, "signals");
    ampel_print_word(&print, "[");
    for (uint32_t i = 0; i < suspicion->signals_count; i++) {
        if (i > 0) ampel_print_word(&print, ",");
        signal_json(&print, &suspicion->signals[i]);
        ampel_members_piece(&print);
    }
    ampel_print_word(&print, "]}");
    ampel_members_piece(&print);
}

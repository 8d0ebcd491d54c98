/* The outlook from inside: one account laid flat, and the room that the answers are made in.

       items     the account's known violations in the order of (policy, at, id), each with all that
   an answer needs of it      gains[i]   sum over items below i of what a rank less by one would
   change in the points that are deducted now, so that a run of items costs two reads

   Approving v at the engine's time lowers by one the ranks of the items behind v of the same policy
   with an at in [cleared_limit_ms, limit_ms) (violations.h, Repeats). No other number of another
   violation depends on it. */
#ifndef AMPEL_ENGINE_OUTLOOK_VIEW_H
#define AMPEL_ENGINE_OUTLOOK_VIEW_H

#include "engine/outlook.h"
#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_outlook_item {
    int64_t at_ms;
    int64_t points;         /* p(v) */
    uint32_t lowered_first; /* items whose rank v's approval lowers: from here */
    uint32_t lowered_end;   /* up to here; both 0 where none */
    uint32_t rank;
    uint16_t record;
    int16_t points_given;
    uint8_t policy, state;
    uint8_t group; /* AMPEL_CAP_GROUP_NONE where it counts to none */
    int8_t severity;
    bool in_window, deducting, critical;
    bool capped; /* in window, counts to its group */
    bool chosen; /* to_green: would be approved; incident.h: left out */
};

struct ampel_outlook_view {
    const struct ampel_account *account;
    struct ampel_numbers numbers;
    uint32_t count, capacity;
    uint32_t candidates; /* deducting ones */
    struct ampel_outlook_item *items;
    int64_t *gains; /* count + 1 */
    uint32_t gains_capacity;
};

struct ampel_incident;

struct ampel_outlook_variant {
    struct ampel_rules rules;
    struct ampel_scale scale;
    uint32_t class_number;
};

/* Variants that count repeats alike. Class 0 counts like the present rules. */
struct ampel_outlook_class {
    uint32_t variant;  /* its first one; of class 0 none */
    bool other_anchor; /* differs from the present rules by the anchor alone */
};

struct ampel_outlook {
    struct ampel_outlook_variant *variants;
    uint32_t variants_count, classes_count;
    struct ampel_outlook_class classes[AMPEL_VARIANTS_MAX + 1];
    uint16_t *ranks;
    uint32_t ranks_capacity;
    struct ampel_outlook_view view;
    struct ampel_outlook_step *steps;
    uint32_t steps_capacity;
    uint64_t *keys;
    uint32_t keys_capacity;
    struct ampel_outlook_fix *fixes;
    uint32_t fixes_capacity;
    struct ampel_text *ids;
    uint32_t ids_capacity;
    uint32_t *candidates; /* deducting items, sorted by their ids */
    uint32_t candidates_capacity;
    uint32_t *lowered; /* by how much the rank of each item is lowered by what is chosen */
    uint32_t lowered_capacity;
    struct ampel_incident *incidents; /* incident.h: those with events first */
    uint32_t incidents_count, incidents_told, incidents_capacity;
};

/* The engine's room, made when first asked for. NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_outlook *ampel_outlook_claim(struct ampel_engine *engine);
/* After other rules: which variants count repeats like them. */
void ampel_outlook_classes_renew(struct ampel_engine *engine);

/* Lays the account flat. False: no memory. Cost: O(n log n). */
AMPEL_MUST_CHECK bool ampel_outlook_view_fill(struct ampel_engine *engine,
                                              struct ampel_outlook *outlook, uint32_t slot);
/* Fills gains; kept apart, as the forecast needs none. False: no memory. */
AMPEL_MUST_CHECK bool ampel_outlook_view_gains(struct ampel_engine *engine,
                                               struct ampel_outlook *outlook);
struct ampel_text ampel_outlook_item_id(const struct ampel_outlook_view *view, uint32_t item);

/* Sums that an answer changes, and what they come to. */
struct ampel_outlook_sums {
    int64_t deducted;
    uint16_t criticals;
    uint16_t caps[AMPEL_CAP_GROUPS_MAX];
};
struct ampel_outlook_sums ampel_outlook_sums_now(const struct ampel_outlook_view *view);
void ampel_outlook_judge(const struct ampel_engine *engine, const struct ampel_outlook_view *view,
                         const struct ampel_outlook_sums *sums, struct ampel_outlook_outcome *out);
/* Takes an approved item out of the sums, not its effect on the ranks of others. */
void ampel_outlook_sums_take(struct ampel_outlook_sums *sums,
                             const struct ampel_outlook_item *item);

#ifdef __cplusplus
}
#endif

#endif

/* Rules: the numbers of the model as data (rating-model 4). The engine copies them at open. */
#ifndef AMPEL_ENGINE_RULES_H
#define AMPEL_ENGINE_RULES_H

#include "engine/base.h"
#include "engine/bounds.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_rounding { AMPEL_ROUNDING_FLOOR, AMPEL_ROUNDING_LINEAR };
enum ampel_critical_mode { AMPEL_CRITICAL_ZERO, AMPEL_CRITICAL_CAP, AMPEL_CRITICAL_POINTS };
enum ampel_ladder {
    AMPEL_LADDER_GEOMETRIC,
    AMPEL_LADDER_DOUBLE_ONCE,
    AMPEL_LADDER_TABLE,
    AMPEL_LADDER_OFF,
};
enum ampel_anchor { AMPEL_ANCHOR_ANCHORED, AMPEL_ANCHOR_RERANK };
enum ampel_cap_effect { AMPEL_CAP_FLAG, AMPEL_CAP_ZERO };

#define AMPEL_CAP_GROUP_NONE 255

struct ampel_policy_rule {
    uint8_t group;   /* index into cap_groups, or AMPEL_CAP_GROUP_NONE */
    int8_t severity; /* the default where the event gives none: 0..4 */
};

struct ampel_cap_group {
    char name[AMPEL_ID_BYTES_MAX + 1];
    uint16_t limit; /* 1..65535 */
};

struct ampel_kind_rule {
    uint8_t group;   /* AMPEL_REGISTRY_KIND_GROUP */
    uint16_t weight; /* 0..1000 */
};

/* A variant replaces keys of the set, as the file writes them; used from proto/rules_file.h. */
struct ampel_variant {
    char name[AMPEL_ID_BYTES_MAX + 1];
    uint32_t keys_count;
    struct {
        char key[AMPEL_ID_BYTES_MAX + 1];
        char value[AMPEL_ID_BYTES_MAX + 1];
    } keys[AMPEL_VARIANT_KEYS_MAX];
};

struct ampel_rules {
    char version[AMPEL_ID_BYTES_MAX + 1];
    int32_t window_days;                 /* 1..180 */
    int32_t start;                       /* 0..1000 */
    int32_t band_green, band_yellow;     /* 0..1000, yellow <= green */
    int32_t orders_block, orders_points; /* 1..1000000, 0..1000 */
    enum ampel_rounding orders_rounding;
    int32_t severity_points[4]; /* none, low, medium, high: 0..1000 */
    enum ampel_critical_mode critical_mode;
    int32_t critical_value; /* 0..1000 */
    enum ampel_ladder ladder;
    int32_t ladder_factor;                        /* 1..10 */
    int32_t ladder_max_exponent;                  /* 0..10 */
    uint32_t ladder_table_count;                  /* 1..16 */
    int32_t ladder_table[AMPEL_LADDER_TABLE_MAX]; /* 0..1000 each */
    enum ampel_anchor anchor;
    enum ampel_cap_effect cap_effect;
    int32_t cap_warn_before;   /* 0..1000; 0 warns never */
    uint32_t cap_groups_count; /* 0..8 */
    struct ampel_cap_group cap_groups[AMPEL_CAP_GROUPS_MAX];
    int32_t clamp_min, clamp_max; /* -100000..100000, min <= max; shown scores lie inside */
    bool clamp_before_deduction;
    int32_t assurance_score, assurance_window_days, assurance_days_below;
    int32_t deadline_red_hours, deadline_cap_hours;        /* 1..8760 */
    struct ampel_policy_rule policies[AMPEL_POLICIES_MAX]; /* by registry code */
    int32_t takeover_hours, takeover_threshold;
    struct ampel_kind_rule kinds[AMPEL_KINDS_MAX]; /* by registry code */
    uint32_t variants_count;
    struct ampel_variant variants[AMPEL_VARIANTS_MAX];
};

/* The defaults of rating-model 4, the same as deploy/rules/amazon.yaml (a test compares them). */
void ampel_rules_init(struct ampel_rules *out);

/* Ranges and relations of every member. On false, key names the offending key as the file writes it
   ("clamp.min"), static storage. Thread: any. */
AMPEL_MUST_CHECK bool ampel_rules_check(const struct ampel_rules *rules, const char **key);

#ifdef __cplusplus
}
#endif

#endif

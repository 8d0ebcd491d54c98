/* The default rules and the ranges of all rules (rating-model 4). */
#include "engine/rules.h"

#include <string.h>

#include "engine/registry.h"

#define INFRINGEMENT 0
#define RESTRICTED   1

/* By registry code; a policy that a registry adds needs a row here. */
static const struct ampel_policy_rule default_policies[] = {
    {INFRINGEMENT, AMPEL_SEVERITY_MEDIUM},         /* suspected_ip */
    {INFRINGEMENT, AMPEL_SEVERITY_HIGH},           /* received_ip_complaint */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* product_authenticity */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_MEDIUM}, /* product_condition */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* product_safety */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* food_and_product_safety */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* listing_policy */
    {RESTRICTED, AMPEL_SEVERITY_HIGH},             /* restricted_product */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_HIGH},   /* customer_reviews */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_MEDIUM}, /* other_policy */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_NONE},   /* policy_warning */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* regulatory_compliance */
    {AMPEL_CAP_GROUP_NONE, AMPEL_SEVERITY_LOW},    /* fair_pricing */
};

enum { ACCESS, CONTACT, PAYOUT, LISTINGS, ORDERS, STATUS, KIND_GROUPS_COUNT };

/* Chosen by measuring (docs/TAKEOVER.md). */
static const struct ampel_kind_rule default_kinds[] = {
    {LISTINGS, 25}, /* bulk_new_listings */
    {LISTINGS, 14}, /* new_category */
    {LISTINGS, 39}, /* price_cut */
    {LISTINGS, 39}, /* handling_time */
    {ORDERS, 22},   /* dormant_wake */
    {ORDERS, 36},   /* order_burst */
    {PAYOUT, 60},   /* deposit_change */
    {CONTACT, 50},  /* email_phone_change */
    {ACCESS, 40},   /* new_user_or_app */
    {ACCESS, 50},   /* foreign_login_language */
    {ORDERS, 45},   /* cancel_and_mail */
    {LISTINGS, 65}, /* storefront_text */
    {ORDERS, 22},   /* wismo_burst */
    {STATUS, 65},   /* status_flip */
};

/* name, key, value: the readings that the marketplace leaves open. */
static const struct {
    const char *name;
    uint32_t keys_count;
    struct {
        const char *key, *value;
    } keys[2];
} default_variants[] = {
    {"double_once", 1, {{"repeat.ladder", "double_once"}}},
    {"ladder_off", 1, {{"repeat.ladder", "off"}}},
    {"rerank", 1, {{"repeat.anchor", "rerank"}}},
    {"critical_99", 2, {{"critical.mode", "cap"}, {"critical.value", "99"}}},
    {"cap_zero", 1, {{"caps.effect", "zero"}}},
    {"linear", 1, {{"orders.rounding", "linear"}}},
    {"cap_before", 1, {{"clamp.cap_before_deduction", "true"}}},
};

/* Literals are shorter than the member, which was zeroed before. */
static void text_set(char out[AMPEL_ID_BYTES_MAX + 1], const char *literal) {
    for (uint32_t i = 0; i < AMPEL_ID_BYTES_MAX && literal[i] != '\0'; i++)
        out[i] = literal[i];
}

static void variants_init(struct ampel_rules *out) {
    out->variants_count = AMPEL_ARRAY_COUNT(default_variants);
    for (uint32_t i = 0; i < out->variants_count; i++) {
        text_set(out->variants[i].name, default_variants[i].name);
        out->variants[i].keys_count = default_variants[i].keys_count;
        for (uint32_t k = 0; k < default_variants[i].keys_count; k++) {
            text_set(out->variants[i].keys[k].key, default_variants[i].keys[k].key);
            text_set(out->variants[i].keys[k].value, default_variants[i].keys[k].value);
        }
    }
}

void ampel_rules_init(struct ampel_rules *out) {
    AMPEL_ASSERT(AMPEL_ARRAY_COUNT(default_policies) ==
                 ampel_registry_count(AMPEL_REGISTRY_POLICY));
    AMPEL_ASSERT(AMPEL_ARRAY_COUNT(default_kinds) == ampel_registry_count(AMPEL_REGISTRY_KIND));
    AMPEL_ASSERT(KIND_GROUPS_COUNT == ampel_registry_count(AMPEL_REGISTRY_KIND_GROUP));
    memset(out, 0, sizeof(*out));
    text_set(out->version, "amazon-1");
    out->window_days = 180;
    out->start = 200;
    out->band_green = 200;
    out->band_yellow = 100;
    out->orders_block = 200;
    out->orders_points = 4;
    out->orders_rounding = AMPEL_ROUNDING_FLOOR;
    out->severity_points[AMPEL_SEVERITY_LOW] = 2;
    out->severity_points[AMPEL_SEVERITY_MEDIUM] = 4;
    out->severity_points[AMPEL_SEVERITY_HIGH] = 8;
    out->critical_mode = AMPEL_CRITICAL_ZERO;
    out->ladder = AMPEL_LADDER_GEOMETRIC;
    out->ladder_factor = 2;
    out->ladder_max_exponent = 4;
    out->ladder_table_count = 3;
    for (uint32_t i = 0; i < 3; i++)
        out->ladder_table[i] = 1 << i;
    out->anchor = AMPEL_ANCHOR_ANCHORED;
    out->cap_effect = AMPEL_CAP_FLAG;
    out->cap_warn_before = 1;
    out->cap_groups_count = 2;
    text_set(out->cap_groups[INFRINGEMENT].name, "infringement");
    out->cap_groups[INFRINGEMENT].limit = 5;
    text_set(out->cap_groups[RESTRICTED].name, "restricted");
    out->cap_groups[RESTRICTED].limit = 2;
    out->clamp_min = 0;
    out->clamp_max = 1000;
    out->assurance_score = 250;
    out->assurance_window_days = 180;
    out->assurance_days_below = 10;
    out->deadline_red_hours = 72;
    out->deadline_cap_hours = 72;
    for (uint32_t i = 0; i < AMPEL_POLICIES_MAX; i++)
        out->policies[i].group = AMPEL_CAP_GROUP_NONE;
    memcpy(out->policies, default_policies, sizeof(default_policies));
    out->takeover_hours = 72;
    out->takeover_threshold = 100;
    memcpy(out->kinds, default_kinds, sizeof(default_kinds));
    variants_init(out);
}

/* A whole number of the rules with its range; one row each, in the order of the file. */
struct range {
    const char *key;
    size_t offset;
    int32_t least, greatest;
};
#define RANGE(key, member, least, greatest) \
    { key, offsetof(struct ampel_rules, member), least, greatest }

static const struct range ranges[] = {
    RANGE("window_days", window_days, 1, AMPEL_WINDOW_DAYS_MAX),
    RANGE("start", start, 0, 1000),
    RANGE("bands.green", band_green, 0, 1000),
    RANGE("bands.yellow", band_yellow, 0, 1000),
    RANGE("orders.block", orders_block, 1, 1000000),
    RANGE("orders.points", orders_points, 0, 1000),
    RANGE("severity_points.none", severity_points[0], 0, 1000),
    RANGE("severity_points.low", severity_points[1], 0, 1000),
    RANGE("severity_points.medium", severity_points[2], 0, 1000),
    RANGE("severity_points.high", severity_points[3], 0, 1000),
    RANGE("critical.value", critical_value, 0, 1000),
    RANGE("repeat.factor", ladder_factor, 1, 10),
    RANGE("repeat.max_exponent", ladder_max_exponent, 0, 10),
    RANGE("caps.warn_before", cap_warn_before, 0, 1000),
    RANGE("clamp.min", clamp_min, -100000, 100000),
    RANGE("clamp.max", clamp_max, -100000, 100000),
    RANGE("assurance.score", assurance_score, 0, 1000),
    RANGE("assurance.window_days", assurance_window_days, 1, AMPEL_WINDOW_DAYS_MAX),
    RANGE("assurance.days_below", assurance_days_below, 0, AMPEL_WINDOW_DAYS_MAX),
    RANGE("deadlines.red_hours", deadline_red_hours, 1, 8760),
    RANGE("deadlines.cap_hours", deadline_cap_hours, 1, 8760),
    RANGE("takeover.hours", takeover_hours, 1, 8760),
    RANGE("takeover.threshold", takeover_threshold, 1, 64000),
};

static const char *ranges_check(const struct ampel_rules *rules) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ranges); i++) {
        int32_t value;
        memcpy(&value, (const char *)rules + ranges[i].offset, sizeof(value));
        if (value < ranges[i].least || value > ranges[i].greatest) return ranges[i].key;
    }
    if (rules->band_yellow > rules->band_green) return "bands.yellow";
    if (rules->clamp_min > rules->clamp_max) return "clamp.max";
    return NULL;
}

static const char *choices_check(const struct ampel_rules *rules) {
    if ((uint32_t)rules->orders_rounding > AMPEL_ROUNDING_LINEAR) return "orders.rounding";
    if ((uint32_t)rules->critical_mode > AMPEL_CRITICAL_POINTS) return "critical.mode";
    if ((uint32_t)rules->ladder > AMPEL_LADDER_OFF) return "repeat.ladder";
    if ((uint32_t)rules->anchor > AMPEL_ANCHOR_RERANK) return "repeat.anchor";
    if ((uint32_t)rules->cap_effect > AMPEL_CAP_ZERO) return "caps.effect";
    return NULL;
}

/* 1..64 bytes, ended by a zero, without control characters; spaces only where said. */
static bool text_valid(const char text[AMPEL_ID_BYTES_MAX + 1], bool spaces) {
    uint32_t size = 0;
    while (size <= AMPEL_ID_BYTES_MAX && text[size] != '\0') {
        unsigned char byte = (unsigned char)text[size];
        if (byte < ' ' || byte == 127 || (byte == ' ' && !spaces)) return false;
        size++;
    }
    return size >= 1 && size <= AMPEL_ID_BYTES_MAX;
}

static bool text_equal(const char *a, const char *b) {
    for (uint32_t i = 0; i <= AMPEL_ID_BYTES_MAX; i++) {
        if (a[i] != b[i]) return false;
        if (a[i] == '\0') return true;
    }
    return true;
}

static bool cap_groups_valid(const struct ampel_rules *rules) {
    if (rules->cap_groups_count > AMPEL_CAP_GROUPS_MAX) return false;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (!text_valid(rules->cap_groups[i].name, false)) return false;
        if (rules->cap_groups[i].limit == 0) return false;
        for (uint32_t k = 0; k < i; k++) {
            if (text_equal(rules->cap_groups[i].name, rules->cap_groups[k].name)) return false;
        }
    }
    return true;
}

static bool ladder_table_valid(const struct ampel_rules *rules) {
    if (rules->ladder_table_count < 1 || rules->ladder_table_count > AMPEL_LADDER_TABLE_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < rules->ladder_table_count; i++) {
        if (rules->ladder_table[i] < 0 || rules->ladder_table[i] > 1000) return false;
    }
    return true;
}

static bool policies_valid(const struct ampel_rules *rules) {
    uint32_t count = ampel_registry_count(AMPEL_REGISTRY_POLICY);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_policy_rule *rule = &rules->policies[i];
        if (rule->group != AMPEL_CAP_GROUP_NONE && rule->group >= rules->cap_groups_count)
            return false;
        if (rule->severity < AMPEL_SEVERITY_NONE || rule->severity > AMPEL_SEVERITY_CRITICAL) {
            return false;
        }
    }
    return true;
}

static bool kinds_valid(const struct ampel_rules *rules) {
    uint32_t count = ampel_registry_count(AMPEL_REGISTRY_KIND);
    for (uint32_t i = 0; i < count; i++) {
        if (rules->kinds[i].group >= KIND_GROUPS_COUNT || rules->kinds[i].weight > 1000)
            return false;
    }
    return true;
}

/* What the keys and values mean is the rules file's to say; here only that they are there. */
static bool variants_valid(const struct ampel_rules *rules) {
    if (rules->variants_count > AMPEL_VARIANTS_MAX) return false;
    for (uint32_t i = 0; i < rules->variants_count; i++) {
        const struct ampel_variant *variant = &rules->variants[i];
        if (!text_valid(variant->name, false)) return false;
        if (variant->keys_count < 1 || variant->keys_count > AMPEL_VARIANT_KEYS_MAX) return false;
        for (uint32_t k = 0; k < variant->keys_count; k++) {
            if (!text_valid(variant->keys[k].key, false)) return false;
            if (!text_valid(variant->keys[k].value, true)) return false;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (text_equal(variant->name, rules->variants[k].name)) return false;
        }
    }
    return true;
}

bool ampel_rules_check(const struct ampel_rules *rules, const char **key) {
    const char *bad = NULL;
    if (!text_valid(rules->version, true)) bad = "version";
    if (bad == NULL) bad = ranges_check(rules);
    if (bad == NULL) bad = choices_check(rules);
    if (bad == NULL && !ladder_table_valid(rules)) bad = "repeat.table";
    if (bad == NULL && !cap_groups_valid(rules)) bad = "caps.groups";
    if (bad == NULL && !policies_valid(rules)) bad = "policies";
    if (bad == NULL && !kinds_valid(rules)) bad = "takeover.kinds";
    if (bad == NULL && !variants_valid(rules)) bad = "variants";
    if (bad != NULL) *key = bad;
    return bad == NULL;
}

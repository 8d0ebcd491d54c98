/* The registries as tables: the position is the code. New names go at the end, never between. */
#include "engine/registry.h"

#include <string.h>

#include "engine/bounds.h"
#include "engine/event.h"

struct name {
    const char *text;
    uint32_t size;
};
#define NAME(text) \
    { text, sizeof(text) - 1 }

static const struct name policies[] = {
    NAME("suspected_ip"),      NAME("received_ip_complaint"), NAME("product_authenticity"),
    NAME("product_condition"), NAME("product_safety"),        NAME("food_and_product_safety"),
    NAME("listing_policy"),    NAME("restricted_product"),    NAME("customer_reviews"),
    NAME("other_policy"),      NAME("policy_warning"),        NAME("regulatory_compliance"),
    NAME("fair_pricing"),
};
static const struct name severities[] = {NAME("none"), NAME("low"), NAME("medium"), NAME("high"),
                                         NAME("critical")};
static const struct name violation_states[] = {
    NAME("open"),         NAME("appealed"), NAME("denied"),    NAME("listing_deleted"),
    NAME("acknowledged"), NAME("edited"),   NAME("retracted"), NAME("approved"),
};
static const struct name account_statuses[] = {NAME("normal"), NAME("at_risk"),
                                               NAME("deactivated")};
static const struct name kinds[] = {
    NAME("bulk_new_listings"), NAME("new_category"),
    NAME("price_cut"),         NAME("handling_time"),
    NAME("dormant_wake"),      NAME("order_burst"),
    NAME("deposit_change"),    NAME("email_phone_change"),
    NAME("new_user_or_app"),   NAME("foreign_login_language"),
    NAME("cancel_and_mail"),   NAME("storefront_text"),
    NAME("wismo_burst"),       NAME("status_flip"),
};
static const struct name incident_phases[] = {NAME("opened"), NAME("contained"), NAME("closed")};
static const struct name listing_changes[] = {NAME("created"), NAME("price"), NAME("handling")};
static const struct name metric_conditions[] = {NAME("less_than"), NAME("greater_than"),
                                                NAME("equals")};
static const struct name metric_states[] = {NAME("good"), NAME("bad"), NAME("none")};
static const struct name kind_groups[] = {NAME("access"),   NAME("contact"), NAME("payout"),
                                          NAME("listings"), NAME("orders"),  NAME("status")};
static const struct name event_types[] = {
#define X(upper, lower, code) [code] = NAME(#lower),
    AMPEL_EVENT_TYPES(X)
#undef X
};
static const struct name case_clocks[] = {
    NAME("lock"),       NAME("removal"), NAME("removal_notice"), NAME("appeal"), NAME("funds"), NAME("cure"),
    NAME("ip_removal"), NAME("contact"), NAME("review"),         NAME("letter"), NAME("file"),  NAME("watch"),
};
static const struct name colours[] = {NAME("green"), NAME("yellow"), NAME("red")};
static const struct name risks[] = {NAME("none"), NAME("at_risk"), NAME("eligible"),
                                    NAME("immediate")};

static_assert(AMPEL_ARRAY_COUNT(policies) <= AMPEL_POLICIES_MAX, "a set of policies is one u64");
static_assert(AMPEL_ARRAY_COUNT(policies) == AMPEL_POLICIES_COUNT, "a new policy is counted");
static_assert(AMPEL_ARRAY_COUNT(kinds) <= AMPEL_KINDS_MAX, "a set of kinds is one u64");
static_assert(AMPEL_ARRAY_COUNT(violation_states) == AMPEL_STATES_COUNT, "the code is the rank");
static_assert(AMPEL_ARRAY_COUNT(event_types) == AMPEL_EVENT_TYPES_COUNT, "every type has a name");

#define TABLE(names) \
    { names, AMPEL_ARRAY_COUNT(names) }
static const struct {
    const struct name *names;
    uint32_t count;
} registries[AMPEL_REGISTRIES_COUNT] = {
    [AMPEL_REGISTRY_POLICY] = TABLE(policies),
    [AMPEL_REGISTRY_SEVERITY] = TABLE(severities),
    [AMPEL_REGISTRY_VIOLATION_STATE] = TABLE(violation_states),
    [AMPEL_REGISTRY_ACCOUNT_STATUS] = TABLE(account_statuses),
    [AMPEL_REGISTRY_KIND] = TABLE(kinds),
    [AMPEL_REGISTRY_INCIDENT_PHASE] = TABLE(incident_phases),
    [AMPEL_REGISTRY_LISTING_CHANGE] = TABLE(listing_changes),
    [AMPEL_REGISTRY_METRIC_CONDITION] = TABLE(metric_conditions),
    [AMPEL_REGISTRY_METRIC_STATE] = TABLE(metric_states),
    [AMPEL_REGISTRY_KIND_GROUP] = TABLE(kind_groups),
    [AMPEL_REGISTRY_EVENT_TYPE] = TABLE(event_types),
    [AMPEL_REGISTRY_COLOUR] = TABLE(colours),
    [AMPEL_REGISTRY_RISK] = TABLE(risks),
    [AMPEL_REGISTRY_CASE_CLOCK] = TABLE(case_clocks),
};

uint32_t ampel_registry_count(enum ampel_registry registry) {
    AMPEL_ASSERT((uint32_t)registry < AMPEL_REGISTRIES_COUNT);
    return registries[registry].count;
}

const char *ampel_registry_name(enum ampel_registry registry, uint32_t code) {
    AMPEL_ASSERT((uint32_t)registry < AMPEL_REGISTRIES_COUNT);
    return code < registries[registry].count ? registries[registry].names[code].text : NULL;
}

bool ampel_registry_code(enum ampel_registry registry, struct ampel_text name, uint8_t *code) {
    AMPEL_ASSERT((uint32_t)registry < AMPEL_REGISTRIES_COUNT);
    const struct name *names = registries[registry].names;
    for (uint32_t i = 0; i < registries[registry].count; i++) {
        if (names[i].size == name.size && memcmp(names[i].text, name.bytes, name.size) == 0) {
            *code = (uint8_t)i;
            return true;
        }
    }
    return false;
}

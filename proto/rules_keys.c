#include "proto/rules_keys.h"

#include <stdio.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/rules_file.h"

static_assert(sizeof(enum ampel_ladder) == sizeof(uint32_t), "names are stored as four bytes");

static const char *const rounding_names[] = {"floor", "linear"};
static const char *const critical_names[] = {"zero", "cap", "points"};
static const char *const ladder_names[] = {"geometric", "double_once", "table", "off"};
static const char *const anchor_names[] = {"anchored", "rerank"};
static const char *const effect_names[] = {"flag", "zero"};

#define AT(member) (uint16_t) offsetof(struct ampel_rules, member)
#define TEXT(key, member) \
    { key, AMPEL_RULES_TEXT, 0, AT(member), 0, 0, NULL }
#define NUMBER(key, member, least, greatest) \
    { key, AMPEL_RULES_NUMBER, 0, AT(member), least, greatest, NULL }
#define NAME(key, member, names) \
    { key, AMPEL_RULES_NAME, AMPEL_ARRAY_COUNT(names), AT(member), 0, 0, names }
#define BOOLEAN(key, member) \
    { key, AMPEL_RULES_BOOLEAN, 0, AT(member), 0, 0, NULL }
#define TABLE(key, member, least, greatest) \
    { key, AMPEL_RULES_TABLE, 0, AT(member), least, greatest, NULL }

const struct ampel_rules_key ampel_rules_keys[] = {
    TEXT("version", version),
    NUMBER("window_days", window_days, 1, AMPEL_WINDOW_DAYS_MAX),
    NUMBER("start", start, 0, 1000),
    NUMBER("bands.green", band_green, 0, 1000),
    NUMBER("bands.yellow", band_yellow, 0, 1000),
    NUMBER("orders.block", orders_block, 1, 1000000),
    NUMBER("orders.points", orders_points, 0, 1000),
    NAME("orders.rounding", orders_rounding, rounding_names),
    NUMBER("severity_points.none", severity_points[0], 0, 1000),
    NUMBER("severity_points.low", severity_points[1], 0, 1000),
    NUMBER("severity_points.medium", severity_points[2], 0, 1000),
    NUMBER("severity_points.high", severity_points[3], 0, 1000),
    NAME("critical.mode", critical_mode, critical_names),
    NUMBER("critical.value", critical_value, 0, 1000),
    NAME("repeat.ladder", ladder, ladder_names),
    NUMBER("repeat.factor", ladder_factor, 1, 10),
    NUMBER("repeat.max_exponent", ladder_max_exponent, 0, 10),
    TABLE("repeat.table", ladder_table, 0, 1000),
    NAME("repeat.anchor", anchor, anchor_names),
    NAME("caps.effect", cap_effect, effect_names),
    NUMBER("caps.warn_before", cap_warn_before, 0, 1000),
    NUMBER("clamp.min", clamp_min, -100000, 100000),
    NUMBER("clamp.max", clamp_max, -100000, 100000),
    BOOLEAN("clamp.cap_before_deduction", clamp_before_deduction),
    NUMBER("assurance.score", assurance_score, 0, 1000),
    NUMBER("assurance.window_days", assurance_window_days, 1, AMPEL_WINDOW_DAYS_MAX),
    NUMBER("assurance.days_below", assurance_days_below, 0, AMPEL_WINDOW_DAYS_MAX),
    NUMBER("deadlines.red_hours", deadline_red_hours, 1, 8760),
    NUMBER("deadlines.cap_hours", deadline_cap_hours, 1, 8760),
    NUMBER("takeover.hours", takeover_hours, 1, 8760),
    NUMBER("takeover.threshold", takeover_threshold, 1, 64000),
};
const uint32_t ampel_rules_keys_count = AMPEL_ARRAY_COUNT(ampel_rules_keys);

#define SHOWN_SIZE 48
/* A text from outside as a message may show it: cut, and nothing in it that moves a terminal's
 * cursor. */
static const char *shown(struct ampel_text text, char out[SHOWN_SIZE]) {
    uint32_t size = 0;
    for (; size < text.size && size + 4 < SHOWN_SIZE; size++) {
        char byte = text.bytes[size];
        out[size] = byte >= ' ' && byte <= '~' ? byte : '?';
    }
    if (size < text.size) {
        memcpy(out + size, "...", 3);
        size += 3;
    }
    out[size] = '\0';
    return size > 0 ? out : "empty";
}

static bool equals(struct ampel_text text, const char *word) {
    return text.size == strlen(word) && memcmp(text.bytes, word, text.size) == 0;
}

/* Digits with an optional minus; no leading zeros, which YAML would read as octal. */
static bool read_number(struct ampel_text text, int32_t *out) {
    uint32_t place = text.size > 0 && text.bytes[0] == '-' ? 1 : 0;
    uint32_t digits = text.size - place;
    if (digits < 1 || digits > 9) return false;
    if (text.bytes[place] == '0' && (digits > 1 || place == 1)) return false;
    int32_t value = 0;
    for (uint32_t i = place; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return false;
        value = value * 10 + (text.bytes[i] - '0');
    }
    *out = place == 1 ? -value : value;
    return true;
}

static bool take_number(const char *key, struct ampel_text value, int32_t least, int32_t greatest,
                        int32_t *out, struct ampel_error *error) {
    char seen[SHOWN_SIZE];
    int32_t number;
    if (!read_number(value, &number) || number < least || number > greatest)
        return ampel_error_set(error, key, "must be a whole number from %d to %d, is %s",
                               (int)least, (int)greatest, shown(value, seen));
    *out = number;
    return true;
}

/* The names a value may have as "floor, linear". */
static void join_names(const char *const *names, uint32_t count, char *out, size_t capacity) {
    size_t size = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count && size < capacity; i++)
        size += (size_t)snprintf(out + size, capacity - size, "%s%s", i > 0 ? ", " : "", names[i]);
}

static bool take_name(const char *key, struct ampel_text value, const char *const *names,
                      uint32_t count, uint32_t *out, struct ampel_error *error) {
    for (uint32_t i = 0; i < count; i++) {
        if (!equals(value, names[i])) continue;
        *out = i;
        return true;
    }
    char seen[SHOWN_SIZE], all[160];
    join_names(names, count, all, sizeof(all));
    return ampel_error_set(error, key, "must be one of %s, is %s", all, shown(value, seen));
}

static bool take_registered(const char *key, struct ampel_text value, enum ampel_registry registry,
                            uint8_t *out, struct ampel_error *error) {
    const char *names[64];
    uint32_t count = ampel_registry_count(registry), code = 0;
    AMPEL_ASSERT(count <= AMPEL_ARRAY_COUNT(names));
    for (uint32_t i = 0; i < count; i++)
        names[i] = ampel_registry_name(registry, i);
    if (!take_name(key, value, names, count, &code, error)) return false;
    *out = (uint8_t)code;
    return true;
}

static bool take_text(const char *key, struct ampel_text value, char out[AMPEL_ID_BYTES_MAX + 1],
                      struct ampel_error *error) {
    bool plain = value.size >= 1 && value.size <= AMPEL_ID_BYTES_MAX;
    for (uint32_t i = 0; plain && i < value.size; i++)
        plain = value.bytes[i] >= ' ' && value.bytes[i] <= '~';
    char seen[SHOWN_SIZE];
    if (!plain)
        return ampel_error_set(error, key, "must be 1 to 64 characters of printable ASCII, is %s",
                               shown(value, seen));
    memset(out, 0, AMPEL_ID_BYTES_MAX + 1);
    memcpy(out, value.bytes, value.size);
    return true;
}

/* "1,2,4", spaces around the commas are fine. */
static bool take_table(const struct ampel_rules_key *key, struct ampel_rules *rules,
                       struct ampel_text value, struct ampel_error *error) {
    int32_t table[AMPEL_LADDER_TABLE_MAX] = {0};
    uint32_t count = 0, start = 0;
    for (uint32_t end = 0; end <= value.size; end++) {
        if (end < value.size && value.bytes[end] != ',') continue;
        struct ampel_text part = {value.bytes + start, end - start};
        while (part.size > 0 && part.bytes[0] == ' ')
            part.bytes++, part.size--;
        while (part.size > 0 && part.bytes[part.size - 1] == ' ')
            part.size--;
        if (count == AMPEL_LADDER_TABLE_MAX)
            return ampel_error_set(error, key->name, "must have 1 to %d factors, has more",
                                   AMPEL_LADDER_TABLE_MAX);
        if (!take_number(key->name, part, key->least, key->greatest, &table[count], error))
            return false;
        count++;
        start = end + 1;
    }
    memcpy(rules->ladder_table, table, sizeof(table));
    rules->ladder_table_count = count;
    return true;
}

static bool set_fixed(struct ampel_rules *rules, const struct ampel_rules_key *key,
                      struct ampel_text value, struct ampel_error *error) {
    static const char *const boolean_names[] = {"false", "true"};
    char *place = (char *)rules + key->offset;
    int32_t number;
    uint32_t code = 0;
    switch ((enum ampel_rules_form)key->form) {
    case AMPEL_RULES_TEXT:
        return take_text(key->name, value, place, error);
    case AMPEL_RULES_NUMBER:
        if (!take_number(key->name, value, key->least, key->greatest, &number, error)) return false;
        memcpy(place, &number, sizeof(number));
        return true;
    case AMPEL_RULES_NAME:
        if (!take_name(key->name, value, key->names, key->names_count, &code, error)) return false;
        memcpy(place, &code, sizeof(code));
        return true;
    case AMPEL_RULES_BOOLEAN:
        if (!take_name(key->name, value, boolean_names, 2, &code, error)) return false;
        *(bool *)place = code == 1;
        return true;
    case AMPEL_RULES_TABLE:
        return take_table(key, rules, value, error);
    }
    return false;
}

/* "prefix.NAME.member" with a name that may have dots; false where the key is not of that form. */
static bool split_key(struct ampel_text key, const char *prefix, struct ampel_text *name,
                      struct ampel_text *member) {
    uint32_t begin = (uint32_t)strlen(prefix);
    if (key.size <= begin || memcmp(key.bytes, prefix, begin) != 0) return false;
    for (uint32_t dot = key.size; dot-- > begin;) {
        if (key.bytes[dot] != '.') continue;
        *name = (struct ampel_text){key.bytes + begin, dot - begin};
        *member = (struct ampel_text){key.bytes + dot + 1, key.size - dot - 1};
        return name->size > 0;
    }
    return false;
}

static uint32_t cap_group_find(const struct ampel_rules *rules, struct ampel_text name) {
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (equals(name, rules->cap_groups[i].name)) return i;
    }
    return AMPEL_CAP_GROUP_NONE;
}

static bool take_group(const struct ampel_rules *rules, const char *key, struct ampel_text value,
                       uint8_t *out, struct ampel_error *error) {
    uint32_t group = cap_group_find(rules, value);
    char seen[SHOWN_SIZE];
    if (group == AMPEL_CAP_GROUP_NONE && !equals(value, AMPEL_RULES_NO_GROUP))
        return ampel_error_set(error, key, "must be a group of caps.groups or none, is %s",
                               shown(value, seen));
    *out = (uint8_t)group;
    return true;
}

enum listed { LISTED_NO, LISTED_BAD, LISTED_SET };

static enum listed listed_of(bool taken) {
    return taken ? LISTED_SET : LISTED_BAD;
}

/* Keys inside lists, by the name of their entry. `full` is the key, terminated, for messages. */
static enum listed set_listed(struct ampel_rules *rules, struct ampel_text key, const char *full,
                              struct ampel_text value, struct ampel_error *error) {
    struct ampel_text name, member;
    int32_t number;
    uint8_t code;
    if (split_key(key, "caps.groups.", &name, &member) && equals(member, "limit")) {
        uint32_t group = cap_group_find(rules, name);
        if (group == AMPEL_CAP_GROUP_NONE) return LISTED_NO;
        if (!take_number(full, value, 1, 65535, &number, error)) return LISTED_BAD;
        rules->cap_groups[group].limit = (uint16_t)number;
        return LISTED_SET;
    }
    if (split_key(key, "policies.", &name, &member) &&
        ampel_registry_code(AMPEL_REGISTRY_POLICY, name, &code)) {
        struct ampel_policy_rule *policy = &rules->policies[code];
        if (equals(member, "group"))
            return listed_of(take_group(rules, full, value, &policy->group, error));
        if (!equals(member, "severity")) return LISTED_NO;
        if (!take_registered(full, value, AMPEL_REGISTRY_SEVERITY, &code, error)) return LISTED_BAD;
        policy->severity = (int8_t)code;
        return LISTED_SET;
    }
    if (split_key(key, "takeover.kinds.", &name, &member) &&
        ampel_registry_code(AMPEL_REGISTRY_KIND, name, &code)) {
        struct ampel_kind_rule *kind = &rules->kinds[code];
        if (equals(member, "group"))
            return listed_of(
                take_registered(full, value, AMPEL_REGISTRY_KIND_GROUP, &kind->group, error));
        if (!equals(member, "weight")) return LISTED_NO;
        if (!take_number(full, value, 0, 1000, &number, error)) return LISTED_BAD;
        kind->weight = (uint16_t)number;
        return LISTED_SET;
    }
    return LISTED_NO;
}

bool ampel_rules_set(struct ampel_rules *rules, struct ampel_text key, struct ampel_text value,
                     struct ampel_error *error) {
    for (uint32_t i = 0; i < ampel_rules_keys_count; i++) {
        if (equals(key, ampel_rules_keys[i].name))
            return set_fixed(rules, &ampel_rules_keys[i], value, error);
    }
    char full[80];
    snprintf(full, sizeof(full), "%.*s", key.size < 79 ? (int)key.size : 79,
             key.size > 0 ? key.bytes : "");
    enum listed listed = set_listed(rules, key, full, value, error);
    if (listed != LISTED_NO) return listed == LISTED_SET;
    char seen[SHOWN_SIZE];
    return ampel_error_set(error, shown(key, seen), "the rules have no such key");
}

bool ampel_rules_file_check(const struct ampel_rules *rules, struct ampel_error *error) {
    const char *key;
    if (ampel_rules_check(rules, &key)) return true;
    const char *reason = "is not valid";
    if (strcmp(key, "bands.yellow") == 0) reason = "must not be above bands.green";
    if (strcmp(key, "clamp.max") == 0) reason = "must not be below clamp.min";
    return ampel_error_set(error, key, "%s", reason);
}

bool ampel_rules_variant(const struct ampel_rules *rules, uint32_t index, struct ampel_rules *out,
                         struct ampel_error *error) {
    AMPEL_ASSERT(index < rules->variants_count);
    const struct ampel_variant *variant = &rules->variants[index];
    struct ampel_rules changed = *rules;
    struct ampel_error inner;
    bool applied = true;
    for (uint32_t i = 0; applied && i < variant->keys_count; i++) {
        const char *key = variant->keys[i].key, *value = variant->keys[i].value;
        applied = ampel_rules_set(&changed, (struct ampel_text){key, (uint32_t)strlen(key)},
                                  (struct ampel_text){value, (uint32_t)strlen(value)}, &inner);
    }
    if (!applied || !ampel_rules_file_check(&changed, &inner))
        return ampel_error_set(error, inner.field, "in variant %s: %.150s", variant->name,
                               inner.reason);
    *out = changed;
    return true;
}

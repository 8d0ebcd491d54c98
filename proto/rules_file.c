/* Reading a rules file, in this order: an index of lines (proto/yaml_index.h), the shape against
   the schema, libcyaml's load by the same schema, every value through ampel_rules_set, relations by
   ampel_rules_check, each variant by applying it. Whatever is wrong is found by the first step that
   can name it. */
#include "proto/rules_file.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/registry.h"
#include "proto/rules_keys.h"
#include "proto/yaml_index.h"

/* The shipped file has 9 KiB; every registry and list full makes some 40 KiB without comments. */
#define RULES_FILE_BYTES_MAX (256 * 1024)
/* libcyaml loads every scalar whatever its length, so that the key's own message can tell what it
 * must be. */
#define SCALAR_BYTES_MAX RULES_FILE_BYTES_MAX

/* ---- the schema ----------------------------------------------------------------------------- */

/* What libcyaml fills: every scalar as the text that stands there. One parser of values, that of
   `--set`, reads them afterwards, and YAML 1.1's idea that off is a boolean never gets a say. */
struct raw_cap_group {
    char *name, *limit;
};
struct raw_policy {
    char *name, *group, *severity;
};
struct raw_kind {
    char *kind, *group, *weight;
};
struct raw_setting {
    char *key, *value;
};
struct raw_variant {
    char *name;
    struct raw_setting *set;
    uint32_t set_count;
};
struct raw_bands {
    char *green, *yellow;
};
struct raw_orders {
    char *block, *points, *rounding;
};
struct raw_severity_points {
    char *none, *low, *medium, *high;
};
struct raw_critical {
    char *mode, *value;
};
struct raw_repeat {
    char *ladder, *factor, *max_exponent, *anchor;
    char **table;
    uint32_t table_count;
};
struct raw_caps {
    char *effect, *warn_before;
    struct raw_cap_group *groups;
    uint32_t groups_count;
};
struct raw_clamp {
    char *min, *max, *cap_before_deduction;
};
struct raw_assurance {
    char *score, *window_days, *days_below;
};
struct raw_deadlines {
    char *red_hours, *cap_hours;
};
struct raw_takeover {
    char *hours, *threshold;
    struct raw_kind *kinds;
    uint32_t kinds_count;
};
struct raw_rules {
    char *version, *window_days, *start;
    struct raw_bands bands;
    struct raw_orders orders;
    struct raw_severity_points severity_points;
    struct raw_critical critical;
    struct raw_repeat repeat;
    struct raw_caps caps;
    struct raw_clamp clamp;
    struct raw_assurance assurance;
    struct raw_deadlines deadlines;
    struct raw_policy *policies;
    uint32_t policies_count;
    struct raw_takeover takeover;
    struct raw_variant *variants;
    uint32_t variants_count;
};

#define TEXT(type, member) \
    CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER, type, member, 0, SCALAR_BYTES_MAX)
#define TEXT_OPTIONAL(type, member)                                                            \
    CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, \
                           SCALAR_BYTES_MAX)
#define LIST(type, member, entry, least, most) \
    CYAML_FIELD_SEQUENCE(#member, CYAML_FLAG_POINTER, type, member, &(entry), least, most)
#define MAPPING(member) \
    CYAML_FIELD_MAPPING(#member, CYAML_FLAG_DEFAULT, struct raw_rules, member, member##_fields)
#define ENTRY(type, fields) \
    { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, type, fields) }

static const cyaml_schema_value_t factor_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, SCALAR_BYTES_MAX)};

static const cyaml_schema_field_t cap_group_fields[] = {
    TEXT(struct raw_cap_group, name), TEXT(struct raw_cap_group, limit), CYAML_FIELD_END};
static const cyaml_schema_value_t cap_group_entry = ENTRY(struct raw_cap_group, cap_group_fields);

static const cyaml_schema_field_t policy_fields[] = {
    TEXT(struct raw_policy, name), TEXT_OPTIONAL(struct raw_policy, group),
    TEXT(struct raw_policy, severity), CYAML_FIELD_END};
static const cyaml_schema_value_t policy_entry = ENTRY(struct raw_policy, policy_fields);

static const cyaml_schema_field_t kind_fields[] = {TEXT(struct raw_kind, kind),
                                                   TEXT(struct raw_kind, group),
                                                   TEXT(struct raw_kind, weight), CYAML_FIELD_END};
static const cyaml_schema_value_t kind_entry = ENTRY(struct raw_kind, kind_fields);

static const cyaml_schema_field_t setting_fields[] = {
    TEXT(struct raw_setting, key), TEXT(struct raw_setting, value), CYAML_FIELD_END};
static const cyaml_schema_value_t setting_entry = ENTRY(struct raw_setting, setting_fields);

static const cyaml_schema_field_t variant_fields[] = {
    TEXT(struct raw_variant, name),
    LIST(struct raw_variant, set, setting_entry, 1, AMPEL_VARIANT_KEYS_MAX), CYAML_FIELD_END};
static const cyaml_schema_value_t variant_entry = ENTRY(struct raw_variant, variant_fields);

static const cyaml_schema_field_t bands_fields[] = {
    TEXT(struct raw_bands, green), TEXT(struct raw_bands, yellow), CYAML_FIELD_END};
static const cyaml_schema_field_t orders_fields[] = {
    TEXT(struct raw_orders, block), TEXT(struct raw_orders, points),
    TEXT(struct raw_orders, rounding), CYAML_FIELD_END};
static const cyaml_schema_field_t severity_points_fields[] = {
    TEXT(struct raw_severity_points, none), TEXT(struct raw_severity_points, low),
    TEXT(struct raw_severity_points, medium), TEXT(struct raw_severity_points, high),
    CYAML_FIELD_END};
static const cyaml_schema_field_t critical_fields[] = {
    TEXT(struct raw_critical, mode), TEXT(struct raw_critical, value), CYAML_FIELD_END};
static const cyaml_schema_field_t repeat_fields[] = {
    TEXT(struct raw_repeat, ladder),
    TEXT(struct raw_repeat, factor),
    TEXT(struct raw_repeat, max_exponent),
    TEXT(struct raw_repeat, anchor),
    LIST(struct raw_repeat, table, factor_entry, 1, AMPEL_LADDER_TABLE_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_field_t caps_fields[] = {
    TEXT(struct raw_caps, effect), TEXT(struct raw_caps, warn_before),
    LIST(struct raw_caps, groups, cap_group_entry, 0, AMPEL_CAP_GROUPS_MAX), CYAML_FIELD_END};
static const cyaml_schema_field_t clamp_fields[] = {
    TEXT(struct raw_clamp, min), TEXT(struct raw_clamp, max),
    TEXT(struct raw_clamp, cap_before_deduction), CYAML_FIELD_END};
static const cyaml_schema_field_t assurance_fields[] = {
    TEXT(struct raw_assurance, score), TEXT(struct raw_assurance, window_days),
    TEXT(struct raw_assurance, days_below), CYAML_FIELD_END};
static const cyaml_schema_field_t deadlines_fields[] = {
    TEXT(struct raw_deadlines, red_hours), TEXT(struct raw_deadlines, cap_hours), CYAML_FIELD_END};
static const cyaml_schema_field_t takeover_fields[] = {
    TEXT(struct raw_takeover, hours), TEXT(struct raw_takeover, threshold),
    LIST(struct raw_takeover, kinds, kind_entry, 0, AMPEL_KINDS_MAX), CYAML_FIELD_END};
static const cyaml_schema_field_t rules_fields[] = {
    TEXT(struct raw_rules, version),
    TEXT(struct raw_rules, window_days),
    TEXT(struct raw_rules, start),
    MAPPING(bands),
    MAPPING(orders),
    MAPPING(severity_points),
    MAPPING(critical),
    MAPPING(repeat),
    MAPPING(caps),
    MAPPING(clamp),
    MAPPING(assurance),
    MAPPING(deadlines),
    LIST(struct raw_rules, policies, policy_entry, 0, AMPEL_POLICIES_MAX),
    MAPPING(takeover),
    LIST(struct raw_rules, variants, variant_entry, 0, AMPEL_VARIANTS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t rules_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_rules, rules_fields)};

/* Where libcyaml puts the text of each key of ampel_rules_keys; the table of the ladder is joined
 * by hand. */
#define LEAF(key, member) \
    { key, offsetof(struct raw_rules, member) }
static const struct {
    const char *key;
    size_t offset;
} leaves[] = {
    LEAF("version", version),
    LEAF("window_days", window_days),
    LEAF("start", start),
    LEAF("bands.green", bands.green),
    LEAF("bands.yellow", bands.yellow),
    LEAF("orders.block", orders.block),
    LEAF("orders.points", orders.points),
    LEAF("orders.rounding", orders.rounding),
    LEAF("severity_points.none", severity_points.none),
    LEAF("severity_points.low", severity_points.low),
    LEAF("severity_points.medium", severity_points.medium),
    LEAF("severity_points.high", severity_points.high),
    LEAF("critical.mode", critical.mode),
    LEAF("critical.value", critical.value),
    LEAF("repeat.ladder", repeat.ladder),
    LEAF("repeat.factor", repeat.factor),
    LEAF("repeat.max_exponent", repeat.max_exponent),
    LEAF("repeat.anchor", repeat.anchor),
    LEAF("caps.effect", caps.effect),
    LEAF("caps.warn_before", caps.warn_before),
    LEAF("clamp.min", clamp.min),
    LEAF("clamp.max", clamp.max),
    LEAF("clamp.cap_before_deduction", clamp.cap_before_deduction),
    LEAF("assurance.score", assurance.score),
    LEAF("assurance.window_days", assurance.window_days),
    LEAF("assurance.days_below", assurance.days_below),
    LEAF("deadlines.red_hours", deadlines.red_hours),
    LEAF("deadlines.cap_hours", deadlines.cap_hours),
    LEAF("takeover.hours", takeover.hours),
    LEAF("takeover.threshold", takeover.threshold),
};

/* ---- the shape ------------------------------------------------------------------------------ */

struct reader {
    const struct ampel_yaml_index *index;
    struct ampel_error *error;
    struct ampel_rules rules; /* grows key by key */
};

/* Gives an error that is already filled the line of a path. */
static bool place(const struct reader *reader, const char *path) {
    if (reader->error != NULL) reader->error->line = ampel_yaml_index_line(reader->index, path);
    return false;
}

static bool fail_node(const struct reader *reader, uint32_t node, const char *reason) {
    char path[AMPEL_YAML_PATH_SIZE];
    ampel_yaml_index_path(reader->index, node, path);
    ampel_error_set(reader->error, path, "%s", reason);
    if (reader->error != NULL)
        reader->error->line = ampel_yaml_index_node(reader->index, node)->line;
    return false;
}

static const cyaml_schema_value_t *schema_below(const cyaml_schema_value_t *above,
                                                const struct ampel_yaml_node *node) {
    if (above->type == CYAML_SEQUENCE) return above->sequence.entry;
    for (const cyaml_schema_field_t *field = above->mapping.fields; field->key != NULL; field++) {
        if (strcmp(field->key, node->key) == 0) return &field->value;
    }
    return NULL;
}

static bool check_kind(const struct reader *reader, uint32_t node_index,
                       const cyaml_schema_value_t *schema) {
    uint8_t kind = ampel_yaml_index_node(reader->index, node_index)->kind;
    if (schema->type == CYAML_MAPPING && kind != AMPEL_YAML_MAPPING)
        return fail_node(reader, node_index, "must be a mapping of keys to values");
    if (schema->type == CYAML_SEQUENCE && kind != AMPEL_YAML_SEQUENCE)
        return fail_node(reader, node_index, "must be a list");
    if (schema->type == CYAML_STRING && kind != AMPEL_YAML_SCALAR)
        return fail_node(reader, node_index, "must be a single value");
    return true;
}

static bool check_missing(const struct reader *reader, uint32_t node_index,
                          const cyaml_schema_value_t *schema) {
    if (schema->type != CYAML_MAPPING) return true;
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL; field++) {
        if (field->value.flags & CYAML_FLAG_OPTIONAL) continue;
        if (ampel_yaml_index_child(reader->index, node_index, field->key) != AMPEL_YAML_NODE_NONE)
            continue;
        char above[AMPEL_YAML_PATH_SIZE], path[AMPEL_YAML_PATH_SIZE + AMPEL_YAML_KEY_BYTES_MAX];
        ampel_yaml_index_path(reader->index, node_index, above);
        snprintf(path, sizeof(path), "%s%s%s", above, above[0] != '\0' ? "." : "", field->key);
        ampel_error_set(reader->error, path, "is missing");
        return place(reader, above);
    }
    return true;
}

/* Unknown keys, wrong kinds, lists of a wrong length, missing keys. Parents come before their
 * children in the index. */
static bool check_shape(const struct reader *reader) {
    const cyaml_schema_value_t *schemas[AMPEL_YAML_NODES_MAX];
    uint32_t entries[AMPEL_YAML_NODES_MAX] = {0};
    uint32_t count = ampel_yaml_index_count(reader->index);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_yaml_node *node = ampel_yaml_index_node(reader->index, i);
        schemas[i] = i == 0 ? &rules_schema : schema_below(schemas[node->parent], node);
        if (schemas[i] == NULL) return fail_node(reader, i, "the rules have no such key");
        if (!check_kind(reader, i, schemas[i])) return false;
        if (i > 0) entries[node->parent]++;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!check_missing(reader, i, schemas[i])) return false;
        if (schemas[i]->type != CYAML_SEQUENCE) continue;
        char reason[80];
        snprintf(reason, sizeof(reason), "must have %u to %u entries, has %u",
                 schemas[i]->sequence.min, schemas[i]->sequence.max, entries[i]);
        if (entries[i] < schemas[i]->sequence.min || entries[i] > schemas[i]->sequence.max)
            return fail_node(reader, i, reason);
    }
    return true;
}

/* ---- the values ----------------------------------------------------------------------------- */

static struct ampel_text text_of(const char *terminated) {
    return (struct ampel_text){terminated, (uint32_t)strlen(terminated)};
}

/* Sets a key whose value stands at path, which names the line. */
static bool set_at(struct reader *reader, const char *key, const char *value, const char *path) {
    if (ampel_rules_set(&reader->rules, text_of(key), text_of(value), reader->error)) return true;
    return place(reader, path);
}

/* An entry's name: an id that no entry before it has. */
static bool take_id(struct reader *reader, const char *value, const char *path,
                    char out[AMPEL_ID_BYTES_MAX + 1]) {
    if (!ampel_id_valid(text_of(value), false)) {
        ampel_error_set(reader->error, path,
                        "must be 1 to 64 characters of printable ASCII without spaces");
        return place(reader, path);
    }
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool fail_doubled(const struct reader *reader, const char *path, const char *name) {
    ampel_error_set(reader->error, path, "%s stands here for the second time", name);
    return place(reader, path);
}

static bool read_table(struct reader *reader, const struct raw_repeat *repeat) {
    char joined[16 * AMPEL_LADDER_TABLE_MAX];
    size_t size = 0;
    for (uint32_t i = 0; i < repeat->table_count; i++) {
        char path[AMPEL_YAML_PATH_SIZE];
        struct ampel_rules scratch = reader->rules;
        snprintf(path, sizeof(path), "repeat.table[%u]", i);
        /* Alone first, so that the line is the factor's and no comma slips in. */
        if (!ampel_rules_set(&scratch, text_of("repeat.table"), text_of(repeat->table[i]),
                             reader->error))
            return place(reader, path);
        if (scratch.ladder_table_count != 1) {
            ampel_error_set(reader->error, "repeat.table", "must be a list of whole numbers");
            return place(reader, path);
        }
        size += (size_t)snprintf(joined + size, sizeof(joined) - size, "%s%d", i > 0 ? "," : "",
                                 (int)scratch.ladder_table[0]);
    }
    return set_at(reader, "repeat.table", joined, "repeat.table");
}

static bool read_leaves(struct reader *reader, const struct raw_rules *raw) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(leaves); i++) {
        const char *value;
        memcpy(&value, (const char *)raw + leaves[i].offset, sizeof(value));
        if (!set_at(reader, leaves[i].key, value, leaves[i].key)) return false;
    }
    return read_table(reader, &raw->repeat);
}

static bool read_cap_groups(struct reader *reader, const struct raw_caps *caps) {
    for (uint32_t i = 0; i < caps->groups_count; i++) {
        char path[AMPEL_YAML_PATH_SIZE], key[128];
        struct ampel_cap_group *group = &reader->rules.cap_groups[i];
        snprintf(path, sizeof(path), "caps.groups[%u].name", i);
        if (!take_id(reader, caps->groups[i].name, path, group->name)) return false;
        if (strcmp(group->name, AMPEL_RULES_NO_GROUP) == 0) {
            ampel_error_set(reader->error, path,
                            "none is how policies say that they have no group");
            return place(reader, path);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(group->name, reader->rules.cap_groups[k].name) == 0)
                return fail_doubled(reader, path, group->name);
        }
        reader->rules.cap_groups_count = i + 1;
        snprintf(path, sizeof(path), "caps.groups[%u].limit", i);
        snprintf(key, sizeof(key), "caps.groups.%s.limit", group->name);
        if (!set_at(reader, key, caps->groups[i].limit, path)) return false;
    }
    return true;
}

/* The code of an entry's name in a registry; each at most once. *seen is the set of codes before
 * it. */
static bool take_code(const struct reader *reader, enum ampel_registry registry, const char *name,
                      const char *path, uint64_t *seen) {
    uint8_t code;
    if (!ampel_registry_code(registry, text_of(name), &code)) {
        ampel_error_set(reader->error, path, "%.40s is not in the registry", name);
        return place(reader, path);
    }
    if (*seen & UINT64_C(1) << code) return fail_doubled(reader, path, name);
    *seen |= UINT64_C(1) << code;
    return true;
}

static bool check_complete(const struct reader *reader, enum ampel_registry registry,
                           const char *path, uint64_t seen) {
    for (uint32_t code = 0; code < ampel_registry_count(registry); code++) {
        if (seen & UINT64_C(1) << code) continue;
        ampel_error_set(reader->error, path, "%s is missing", ampel_registry_name(registry, code));
        return place(reader, path);
    }
    return true;
}

static bool read_policies(struct reader *reader, const struct raw_rules *raw) {
    uint64_t seen = 0;
    for (uint32_t i = 0; i < raw->policies_count; i++) {
        const struct raw_policy *policy = &raw->policies[i];
        char path[AMPEL_YAML_PATH_SIZE], key[128];
        snprintf(path, sizeof(path), "policies[%u].name", i);
        if (!take_code(reader, AMPEL_REGISTRY_POLICY, policy->name, path, &seen)) return false;
        snprintf(path, sizeof(path), "policies[%u].group", i);
        snprintf(key, sizeof(key), "policies.%s.group", policy->name);
        const char *group = policy->group != NULL ? policy->group : AMPEL_RULES_NO_GROUP;
        if (!set_at(reader, key, group, path)) return false;
        snprintf(path, sizeof(path), "policies[%u].severity", i);
        snprintf(key, sizeof(key), "policies.%s.severity", policy->name);
        if (!set_at(reader, key, policy->severity, path)) return false;
    }
    return check_complete(reader, AMPEL_REGISTRY_POLICY, "policies", seen);
}

static bool read_kinds(struct reader *reader, const struct raw_takeover *takeover) {
    uint64_t seen = 0;
    for (uint32_t i = 0; i < takeover->kinds_count; i++) {
        const struct raw_kind *kind = &takeover->kinds[i];
        char path[AMPEL_YAML_PATH_SIZE], key[128];
        snprintf(path, sizeof(path), "takeover.kinds[%u].kind", i);
        if (!take_code(reader, AMPEL_REGISTRY_KIND, kind->kind, path, &seen)) return false;
        snprintf(path, sizeof(path), "takeover.kinds[%u].group", i);
        snprintf(key, sizeof(key), "takeover.kinds.%s.group", kind->kind);
        if (!set_at(reader, key, kind->group, path)) return false;
        snprintf(path, sizeof(path), "takeover.kinds[%u].weight", i);
        snprintf(key, sizeof(key), "takeover.kinds.%s.weight", kind->kind);
        if (!set_at(reader, key, kind->weight, path)) return false;
    }
    return check_complete(reader, AMPEL_REGISTRY_KIND, "takeover.kinds", seen);
}

static bool take_setting(struct reader *reader, const char *value, const char *path,
                         char out[AMPEL_ID_BYTES_MAX + 1]) {
    size_t size = strlen(value);
    if (size < 1 || size > AMPEL_ID_BYTES_MAX) {
        ampel_error_set(reader->error, path, "must be a text of 1 to 64 bytes");
        return place(reader, path);
    }
    memcpy(out, value, size + 1);
    return true;
}

static bool read_variant(struct reader *reader, const struct raw_variant *raw, uint32_t index) {
    struct ampel_variant *variant = &reader->rules.variants[index];
    char path[AMPEL_YAML_PATH_SIZE];
    snprintf(path, sizeof(path), "variants[%u].name", index);
    if (!take_id(reader, raw->name, path, variant->name)) return false;
    for (uint32_t k = 0; k < index; k++) {
        if (strcmp(variant->name, reader->rules.variants[k].name) == 0)
            return fail_doubled(reader, path, variant->name);
    }
    for (uint32_t i = 0; i < raw->set_count; i++) {
        snprintf(path, sizeof(path), "variants[%u].set[%u].key", index, i);
        if (!take_setting(reader, raw->set[i].key, path, variant->keys[i].key)) return false;
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(variant->keys[i].key, variant->keys[k].key) == 0)
                return fail_doubled(reader, path, variant->keys[i].key);
        }
        snprintf(path, sizeof(path), "variants[%u].set[%u].value", index, i);
        if (!take_setting(reader, raw->set[i].value, path, variant->keys[i].value)) return false;
        variant->keys_count = i + 1;
    }
    reader->rules.variants_count = index + 1;
    return true;
}

/* Applies a variant to see that it can be; what is wrong gets the line of its key. */
static bool try_variant(struct reader *reader, uint32_t index) {
    struct ampel_rules applied;
    struct ampel_error error;
    if (ampel_rules_variant(&reader->rules, index, &applied, &error)) return true;
    const struct ampel_variant *variant = &reader->rules.variants[index];
    char path[AMPEL_YAML_PATH_SIZE];
    snprintf(path, sizeof(path), "variants[%u]", index);
    for (uint32_t i = 0; i < variant->keys_count; i++) {
        if (strcmp(variant->keys[i].key, error.field) == 0)
            snprintf(path, sizeof(path), "variants[%u].set[%u].value", index, i);
    }
    if (reader->error != NULL) *reader->error = error;
    return place(reader, path);
}

static bool read_variants(struct reader *reader, const struct raw_rules *raw) {
    for (uint32_t i = 0; i < raw->variants_count; i++) {
        if (!read_variant(reader, &raw->variants[i], i)) return false;
    }
    return true;
}

static bool check_rules(struct reader *reader) {
    struct ampel_error broken;
    if (!ampel_rules_file_check(&reader->rules, &broken)) {
        if (reader->error != NULL) *reader->error = broken;
        return place(reader, broken.field);
    }
    for (uint32_t i = 0; i < reader->rules.variants_count; i++) {
        if (!try_variant(reader, i)) return false;
    }
    return true;
}

static bool read_values(struct reader *reader, const struct raw_rules *raw) {
    return read_leaves(reader, raw) && read_cap_groups(reader, &raw->caps) &&
           read_policies(reader, raw) && read_kinds(reader, &raw->takeover) &&
           read_variants(reader, raw) && check_rules(reader);
}

/* ---- the load ------------------------------------------------------------------------------- */

static const cyaml_config_t load_config = {
    .log_fn = NULL,
    .mem_fn = cyaml_mem,
    .log_level = CYAML_LOG_ERROR,
    .flags = CYAML_CFG_NO_ALIAS,
};

static bool load_and_read(struct reader *reader, struct ampel_text text) {
    if (!check_shape(reader)) return false;
    struct raw_rules *raw = NULL;
    cyaml_err_t status = cyaml_load_data((const uint8_t *)text.bytes, text.size, &load_config,
                                         &rules_schema, (cyaml_data_t **)&raw, NULL);
    if (status != CYAML_OK || raw == NULL)
        return ampel_error_set(reader->error, "", "cannot be loaded: %s", cyaml_strerror(status));
    bool read = read_values(reader, raw);
    cyaml_free(&load_config, &rules_schema, raw, 0);
    return read;
}

bool ampel_rules_file_decode(struct ampel_text text, struct ampel_rules *out,
                             struct ampel_error *error) {
    if (text.size > RULES_FILE_BYTES_MAX)
        return ampel_error_set(error, "", "a rules file has at most %d bytes, this one has %u",
                               RULES_FILE_BYTES_MAX, text.size);
    struct ampel_yaml_index *index = ampel_yaml_index_open(text, error);
    if (index == NULL) return false;
    struct reader reader = {.index = index, .error = error};
    /* Beyond the registries the defaults hold: no policy of a later build belongs to a group. */
    ampel_rules_init(&reader.rules);
    reader.rules.cap_groups_count = 0;
    memset(reader.rules.cap_groups, 0, sizeof(reader.rules.cap_groups));
    reader.rules.variants_count = 0;
    memset(reader.rules.variants, 0, sizeof(reader.rules.variants));
    bool read = load_and_read(&reader, text);
    ampel_yaml_index_close(index);
    if (read) *out = reader.rules;
    return read;
}

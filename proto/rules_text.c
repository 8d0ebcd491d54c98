/* Writing a rule set as the file that people read; deploy/rules/amazon.yaml is what it writes for
 * the defaults. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/rules_file.h"
#include "proto/rules_keys.h"

/* Text that grows until the capacity is reached and then only remembers that it was. */
struct writer {
    char *bytes;
    size_t capacity, size;
    bool full;
    const struct ampel_rules *rules;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
                                                      ...) {
    if (writer->full) return;
    va_list arguments;
    va_start(arguments, format);
    int written =
        vsnprintf(writer->bytes + writer->size, writer->capacity - writer->size, format, arguments);
    va_end(arguments);
    if (written < 0 || (size_t)written >= writer->capacity - writer->size)
        writer->full = true;
    else
        writer->size += (size_t)written;
}

/* In double quotes: what stands there is a text, whatever YAML would make of it. */
static void put_quoted(struct writer *writer, const char *text) {
    put(writer, "\"");
    for (; *text != '\0'; text++)
        put(writer, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    put(writer, "\"");
}

/* Names of the registries and most names of people need no quotes. */
static void put_name(struct writer *writer, const char *name) {
    size_t plain =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-.");
    bool letter_first = strspn(name, "0123456789-") == 0;
    static const char *const words[] = {"off",   "on",   "yes", "no", "true",
                                        "false", "null", "y",   "n"};
    bool word = false;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(words); i++) {
        if (strcmp(name, words[i]) == 0) word = true;
    }
    if (name[plain] == '\0' && letter_first && !word)
        put(writer, "%s", name);
    else
        put_quoted(writer, name);
}

/* "name: value" of one key of the table, without the part of the key before its last dot. */
static void put_key(struct writer *writer, const char *name) {
    const struct ampel_rules_key *key = ampel_rules_keys;
    while (strcmp(key->name, name) != 0)
        key++;
    const char *place = (const char *)writer->rules + key->offset;
    const char *dot = strrchr(name, '.');
    put(writer, "%s: ", dot != NULL ? dot + 1 : name);
    uint32_t code;
    int32_t number;
    switch ((enum ampel_rules_form)key->form) {
    case AMPEL_RULES_TEXT:
        put_name(writer, place);
        break;
    case AMPEL_RULES_NUMBER:
        memcpy(&number, place, sizeof(number));
        put(writer, "%d", (int)number);
        break;
    case AMPEL_RULES_NAME:
        memcpy(&code, place, sizeof(code));
        put_name(writer, key->names[code]);
        break;
    case AMPEL_RULES_BOOLEAN:
        put(writer, "%s", *(const bool *)place ? "true" : "false");
        break;
    case AMPEL_RULES_TABLE:
        put(writer, "[");
        for (uint32_t i = 0; i < writer->rules->ladder_table_count; i++)
            put(writer, "%s%d", i > 0 ? ", " : "", (int)writer->rules->ladder_table[i]);
        put(writer, "]");
        break;
    }
}

/* A line of its own for one key, with a comment. */
static void put_line(struct writer *writer, const char *indent, const char *name,
                     const char *comment) {
    size_t before = writer->size;
    put(writer, "%s", indent);
    put_key(writer, name);
    if (comment[0] != '\0') {
        size_t width = writer->size - before;
        put(writer, "%*s# %s", width < 30 ? (int)(30 - width) : 1, "", comment);
    }
    put(writer, "\n");
}

static void put_basics(struct writer *writer) {
    put(writer, "# How scores are computed: rules of Ampel. Every key must stand here; a key that "
                "is unknown, missing\n"
                "# or out of range is an error that names its line. `ampel score --set key=value` "
                "tries a change.\n\n");
    put_line(writer, "", "version", "any text of up to 64 characters of ASCII; every stored score names it");
    put_line(writer, "", "window_days", "1..180: how long violations and orders count");
    put_line(writer, "", "start", "0..1000: the score of an account without orders and violations");
    put(writer,
        "\nbands:                        # the least score of each colour; below yellow is red\n");
    put_line(writer, "  ", "bands.green", "0..1000");
    put_line(writer, "  ", "bands.yellow", "0..1000, not above green");
    put(writer,
        "\norders:                       # points for each block of orders in the window\n");
    put_line(writer, "  ", "orders.block", "1..1000000 orders");
    put_line(writer, "  ", "orders.points", "0..1000 points");
    put_line(writer, "  ", "orders.rounding",
             "floor: whole blocks only; linear: points x orders / block, cut off");
    put(writer, "\nseverity_points:              # what a first violation costs, 0..1000; critical "
                "has a section of its own\n");
    put_line(writer, "  ", "severity_points.none", "");
    put_line(writer, "  ", "severity_points.low", "");
    put_line(writer, "  ", "severity_points.medium", "");
    put_line(writer, "  ", "severity_points.high", "");
}

static void put_effects(struct writer *writer) {
    put(writer, "\ncritical:                     # while one is open\n");
    put_line(writer, "  ", "critical.mode",
             "zero: score 0; cap: score at most value; points: value points, with the ladder");
    put_line(writer, "  ", "critical.value", "0..1000, for cap and points");
    put(writer, "\nrepeat:                       # repeats of one policy cost more\n");
    put_line(writer, "  ", "repeat.ladder",
             "geometric: factor^rank; double_once: factor from the second on; table; \"off\" "
             "(quoted: YAML takes off for false)");
    put_line(writer, "  ", "repeat.factor", "1..10, for geometric and double_once");
    put_line(writer, "  ", "repeat.max_exponent", "0..10: geometric grows no further");
    put_line(
        writer, "  ", "repeat.table",
        "for table: the factor of the first, second, ...; the last one holds. 1 to 16 of 0..1000");
    put_line(writer, "  ", "repeat.anchor",
             "anchored: a rank stays as it was when recorded; rerank: cleared violations leave it "
             "at once");
    put(writer, "\ncaps:                         # so many violations of a group are a risk "
                "whatever the score\n");
    put_line(writer, "  ", "caps.effect",
             "flag: the risk is immediate, the score stays; zero: score 0 as well");
    put_line(writer, "  ", "caps.warn_before",
             "0..1000: an alert when the count is this near its limit; 0 warns never");
    put(writer, "  groups:                     # at most 8; the limit is 1..65535%s\n",
        writer->rules->cap_groups_count == 0 ? "\n    []" : "");
    for (uint32_t i = 0; i < writer->rules->cap_groups_count; i++) {
        put(writer, "    - {name: ");
        put_name(writer, writer->rules->cap_groups[i].name);
        put(writer, ", limit: %u}\n", writer->rules->cap_groups[i].limit);
    }
    put(writer, "\nclamp:                        # the score shown stays inside\n");
    put_line(writer, "  ", "clamp.min", "-100000..100000");
    put_line(writer, "  ", "clamp.max", "-100000..100000, not below min");
    put_line(writer, "  ", "clamp.cap_before_deduction",
             "true: what orders bring beyond max is lost before violations deduct");
}

static void put_clocks(struct writer *writer) {
    put(writer, "\nassurance:                    # Account Health Assurance\n");
    put_line(writer, "  ", "assurance.score",
             "0..1000: a day whose lowest score is under it is below");
    put_line(writer, "  ", "assurance.window_days", "1..180 days that are looked at");
    put_line(writer, "  ", "assurance.days_below", "0..180 days that may be below");
    put(writer,
        "\ndeadlines:                    # what an alert says there is time for, 1..8760 hours\n");
    put_line(writer, "  ", "deadlines.red_hours", "after an account turns red");
    put_line(writer, "  ", "deadlines.cap_hours", "after a cap is reached");
}

static void put_policies(struct writer *writer) {
    put(writer,
        "\npolicies:                     # every policy of the registry once; group: one of "
        "caps.groups, or none;\n"
        "                              # severity: where a violation does not say its own\n");
    for (uint32_t i = 0; i < ampel_registry_count(AMPEL_REGISTRY_POLICY); i++) {
        const struct ampel_policy_rule *policy = &writer->rules->policies[i];
        put(writer, "  - {name: %s, group: ", ampel_registry_name(AMPEL_REGISTRY_POLICY, i));
        put_name(writer, policy->group == AMPEL_CAP_GROUP_NONE
                             ? AMPEL_RULES_NO_GROUP
                             : writer->rules->cap_groups[policy->group].name);
        put(writer, ", severity: %s}\n",
            ampel_registry_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)policy->severity));
    }
}

static void put_takeover(struct writer *writer) {
    put(writer,
        "\ntakeover:                     # signs that somebody else works in the account\n");
    put_line(writer, "  ", "takeover.hours", "1..8760: signals count this long");
    put_line(writer, "  ", "takeover.threshold",
             "1..64000: suspected from this sum of weights on, two groups at least");
    put(writer,
        "  kinds:                      # every kind of the registry once; weight 0..1000\n");
    for (uint32_t i = 0; i < ampel_registry_count(AMPEL_REGISTRY_KIND); i++) {
        const struct ampel_kind_rule *kind = &writer->rules->kinds[i];
        put(writer, "    - {kind: %s, group: %s, weight: %u}\n",
            ampel_registry_name(AMPEL_REGISTRY_KIND, i),
            ampel_registry_name(AMPEL_REGISTRY_KIND_GROUP, kind->group), kind->weight);
    }
}

static void put_variants(struct writer *writer) {
    put(writer,
        "\nvariants:                     # readings that the marketplace leaves open; each alone "
        "replaces its keys%s\n",
        writer->rules->variants_count == 0 ? "\n  []" : "");
    for (uint32_t i = 0; i < writer->rules->variants_count; i++) {
        const struct ampel_variant *variant = &writer->rules->variants[i];
        put(writer, "  - {name: ");
        put_name(writer, variant->name);
        put(writer, ", set: [");
        for (uint32_t k = 0; k < variant->keys_count; k++) {
            put(writer, "%s{key: ", k > 0 ? ", " : "");
            put_name(writer, variant->keys[k].key);
            put(writer, ", value: ");
            put_quoted(writer, variant->keys[k].value);
            put(writer, "}");
        }
        put(writer, "]}\n");
    }
}

uint32_t ampel_rules_file_encode(const struct ampel_rules *rules, char *bytes, uint32_t capacity) {
    struct writer writer = {.bytes = bytes, .capacity = capacity, .rules = rules};
    put_basics(&writer);
    put_effects(&writer);
    put_clocks(&writer);
    put_policies(&writer);
    put_takeover(&writer);
    put_variants(&writer);
    return writer.full ? 0 : (uint32_t)writer.size;
}

/* The keys of a rules file as one table: what each holds, where it lives in struct ampel_rules,
   what it may be. The file's reader, its writer and `--set` derive from it; tests hold it against
   ampel_rules_check. */
#ifndef AMPEL_PROTO_RULES_KEYS_H
#define AMPEL_PROTO_RULES_KEYS_H

#include "engine/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_rules_form {
    AMPEL_RULES_TEXT, /* char[AMPEL_ID_BYTES_MAX + 1]: 1..64 bytes of printable ASCII, spaces inside
                         too */
    AMPEL_RULES_NUMBER,  /* int32_t in [least, greatest] */
    AMPEL_RULES_NAME,    /* an enum of engine/rules.h, by its name */
    AMPEL_RULES_BOOLEAN, /* bool: true or false */
    AMPEL_RULES_TABLE,   /* ladder_table and its count; each factor in [least, greatest] */
};

struct ampel_rules_key {
    const char *name; /* dotted */
    uint8_t form;     /* enum ampel_rules_form */
    uint8_t names_count;
    uint16_t offset; /* in struct ampel_rules */
    int32_t least, greatest;
    const char *const *names; /* by the enum's value, where the form is NAME */
};

/* All keys but those of lists (caps.groups, policies, takeover.kinds, variants), in the order of
 * the file. */
extern const struct ampel_rules_key ampel_rules_keys[];
extern const uint32_t ampel_rules_keys_count;

/* The name by which policies say that they belong to no cap group; no group may have it. */
#define AMPEL_RULES_NO_GROUP "none"

#ifdef __cplusplus
}
#endif

#endif

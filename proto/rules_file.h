/* The rules file: YAML, one document, read with libcyaml, every key checked (rating-model 4). */
#ifndef AMPEL_PROTO_RULES_FILE_H
#define AMPEL_PROTO_RULES_FILE_H

#include "engine/rules.h"
#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The text of a file. Unknown keys, missing keys, doubled keys, values out of range or of the wrong kind, policies or kinds
   that are unknown, missing or doubled are errors that name line and key. Variants are applied once each to
   see that their keys and values exist. Size bound: 256 KiB. Thread: any (libcyaml's log is off). */
AMPEL_MUST_CHECK bool ampel_rules_file_decode(struct ampel_text text, struct ampel_rules *out,
                                              struct ampel_error *error);
/* One override as `--set key=value` gives it, dotted keys ("repeat.ladder", "caps.groups.infringement.limit",
   "policies.suspected_ip.severity", "takeover.kinds.price_cut.weight", "repeat.table" as "1,2,4"). Does not check relations: call ampel_rules_check after the last one. */
AMPEL_MUST_CHECK bool ampel_rules_set(struct ampel_rules *rules, struct ampel_text key,
                                      struct ampel_text value, struct ampel_error *error);
/* ampel_rules_check with a sentence: what must hold between keys that are each in range. */
AMPEL_MUST_CHECK bool ampel_rules_file_check(const struct ampel_rules *rules,
                                             struct ampel_error *error);
/* The set with one of its variants applied, relations checked. index < variants_count. */
AMPEL_MUST_CHECK bool ampel_rules_variant(const struct ampel_rules *rules, uint32_t index,
                                          struct ampel_rules *out, struct ampel_error *error);
/* The file's text for a set, commented; decode gives the same set back. 0: capacity. */
uint32_t ampel_rules_file_encode(const struct ampel_rules *rules, char *bytes, uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif

/* Words of the lists that agencies keep: issue types, impacts, workflow states, dates and amounts as people write them. Case,
   spaces and punctuation of names do not matter. docs/DOCUMENTS.md tells what maps to what. Thread: any. */
#ifndef AMPEL_PROTO_LIST_WORDS_H
#define AMPEL_PROTO_LIST_WORDS_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_LIST_NAME_SIZE 96
/* Letters, digits and bytes beyond ASCII alone, small: what names are compared by. Cut off at the size. */
void ampel_list_name(struct ampel_text text, char out[AMPEL_LIST_NAME_SIZE]);
/* Without spaces (also those that do not break) at either end. */
struct ampel_text ampel_list_trim(struct ampel_text text);

/* As the marketplace writes the policy ("Listing Policy Violations"); NULL beyond the registry. */
const char *ampel_list_policy_label(uint8_t policy);
/* A label, the registry's name, or a usual short form. False: unknown. */
AMPEL_MUST_CHECK bool ampel_list_policy(struct ampel_text text, uint8_t *policy);

/* "High", "High - Repeat violation", "No impact": by how it begins. "High (by policy)" and "" leave the severity to the rules: -1.
   False: unknown. */
AMPEL_MUST_CHECK bool ampel_list_impact(struct ampel_text text, int8_t *severity);

/* How the list writes a state that it gives back. */
const char *ampel_list_state_label(uint8_t state);
/* A workflow state, or the registry's name. "" is open. False: unknown. */
AMPEL_MUST_CHECK bool ampel_list_state(struct ampel_text text, uint8_t *state);

/* "$1,234.56", "1.234,56 EUR", "1'234"; -1 for "", "-" and "n/a". False: no amount of at most two decimals. */
AMPEL_MUST_CHECK bool ampel_list_money(struct ampel_text text, int64_t *cents);

enum ampel_list_dates {
    AMPEL_LIST_DATES_UNKNOWN, /* 3/4/2026 is not taken */
    AMPEL_LIST_DATES_DMY,
    AMPEL_LIST_DATES_MDY,
};
/* RFC 3339; 2026-10-01, 2026/10/1; 1.10.2026; 10/1/2026 by the order given; Oct 1, 2026; 1. Oktober 2026; each with or without a
   time of day (14:30, 2:30 PM). Without a zone it is UTC. On false, why is a sentence in static storage. */
AMPEL_MUST_CHECK bool ampel_list_date(struct ampel_text text, enum ampel_list_dates order, int64_t *at_ms,
                                      const char **why);

#ifdef __cplusplus
}
#endif

#endif

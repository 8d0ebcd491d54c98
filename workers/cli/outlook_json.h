/* The outlook of an account as JSON, on standard output (tests/golden/README.md has the keys). */
#ifndef AMPEL_WORKERS_CLI_OUTLOOK_JSON_H
#define AMPEL_WORKERS_CLI_OUTLOOK_JSON_H

#include "engine/outlook.h"
#include "proto/print.h"
#include "workers/cli/members.h"

/* The variants of the rules, each applied, become those of the engine. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_outlook_variants_apply(struct ampel_engine *engine);

/* ,"score_min":...,"forecast":[...] of one account. False: no memory, said on standard error. */
AMPEL_MUST_CHECK bool ampel_outlook_json_all(struct ampel_engine *engine, uint32_t slot);

/* Keys and values of one outcome, one set, into a print that has room for some hundred bytes more. */
void ampel_outlook_json_outcome(struct ampel_print *print, const struct ampel_outlook_outcome *outcome);
/* ["id", ...] or null, in pieces of its own. */
void ampel_outlook_json_ids(const struct ampel_outlook_green *green);
/* "ampel: out of memory"; false, to be returned. */
bool ampel_outlook_no_memory(void);

#endif

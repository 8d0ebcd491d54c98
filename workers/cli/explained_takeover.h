/* What speaks for somebody else working in an account, as explain and alerts tell it (rating-model 3.9). */
#ifndef AMPEL_WORKERS_CLI_EXPLAINED_TAKEOVER_H
#define AMPEL_WORKERS_CLI_EXPLAINED_TAKEOVER_H

#include "engine/engine.h"
#include "workers/cli/flow.h"

/* One line: when, how much it weighs, what it is, and whether Ampel found it itself. */
void ampel_explained_signal_put(struct ampel_flow *flow, uint32_t indent, const struct ampel_signal *signal);
/* Both say nothing where no signal is in the window. threshold is the rules'. */
void ampel_explained_takeover_print(const struct ampel_suspicion *suspicion, int32_t threshold);
/* ,"takeover":{...} to standard output. */
void ampel_explained_takeover_json(const struct ampel_suspicion *suspicion);

#endif

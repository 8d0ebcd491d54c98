/* Which rules explain the reports of a portfolio best (rating-model 3.15): the files are replayed under each candidate, and the
   distances of all reports from the model summed. */
#ifndef AMPEL_WORKERS_CLI_DRIFT_FIT_H
#define AMPEL_WORKERS_CLI_DRIFT_FIT_H

#include "workers/cli/format.h"
#include "workers/cli/replay.h"

/* Prints the candidates, the best first, with the present rules among them; nothing where no report is
   compared. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_drift_fit(char *const *files, int files_count, const struct ampel_replay_options *options,
                                      enum ampel_format format);

#endif

/* --format: what a command prints. */
#ifndef AMPEL_WORKERS_CLI_FORMAT_H
#define AMPEL_WORKERS_CLI_FORMAT_H

#include "workers/cli/options.h"

enum ampel_format { AMPEL_FORMAT_TABLE, AMPEL_FORMAT_JSONL };

/* text NULL: the table. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_format_read(const struct ampel_usage *usage, const char *text,
                                        enum ampel_format *out);

#endif

/* The lines of `ampel score --format jsonl`: a line an account, in the order of the portfolio, on standard output. */
#ifndef AMPEL_WORKERS_CLI_SCORE_LINES_H
#define AMPEL_WORKERS_CLI_SCORE_LINES_H

#include "workers/cli/portfolio.h"

/* outlook: with range, what to fix and forecast; the engine has its variants. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_score_lines_print(const struct ampel_portfolio *portfolio, bool outlook);

#endif

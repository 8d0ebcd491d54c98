/* A progress bar on standard error: shown on a terminal only, redrawn at most ten times a second, gone at the end. */
#ifndef AMPEL_WORKERS_CLI_PROGRESS_H
#define AMPEL_WORKERS_CLI_PROGRESS_H

#include "engine/base.h"

struct ampel_progress {
    const char *what;   /* "feeding" */
    const char *unit;   /* "events" */
    uint64_t total;     /* 0: not known */
    uint64_t looked;    /* done, when the clock was asked last */
    int64_t started_ns, drawn_ns;
    bool shown;
};

void ampel_progress_start(struct ampel_progress *progress, const char *what, const char *unit,
                          uint64_t total);
/* done: of total; counted: in the unit (where done counts bytes), shown with its rate. */
void ampel_progress_show(struct ampel_progress *progress, uint64_t done, uint64_t counted);
void ampel_progress_end(struct ampel_progress *progress);

#endif

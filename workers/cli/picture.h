/* The picture of one account as SVG: a year of its score over the bands of colour, the forecast dashed, its violations as bars in
   a lane for each policy. Self-contained: no script, no font, no other file. */
#ifndef AMPEL_WORKERS_CLI_PICTURE_H
#define AMPEL_WORKERS_CLI_PICTURE_H

#include <stdio.h>

#include "engine/outlook.h"

struct ampel_picture_point {
    int64_t at_ms;
    int32_t score; /* from at_ms on */
};

struct ampel_picture {
    const char *account;
    struct ampel_engine *engine; /* at the time of the picture */
    uint32_t slot;
    int64_t from_ms, to_ms; /* the engine's time lies between */
    uint32_t points_count;
    const struct ampel_picture_point *points; /* ascending; the last one before from_ms is where the line begins */
    /* A takeover case: its time is shaded where it has one, and what the score would have been without it is drawn, too. */
    int64_t case_from_ms, case_end_ms; /* equal: none */
    uint32_t without_count;
    const struct ampel_picture_point *without; /* ascending */
};

/* False: the engine had no memory for the forecast. What cannot be written shows in ferror(out). */
AMPEL_MUST_CHECK bool ampel_picture_write(const struct ampel_picture *picture, FILE *out);

#endif

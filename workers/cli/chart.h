/* A step function drawn with the characters of a terminal. */
#ifndef AMPEL_WORKERS_CLI_CHART_H
#define AMPEL_WORKERS_CLI_CHART_H

#include "engine/outlook.h"

struct ampel_chart {
    int64_t from_ms, to_ms;
    int32_t score; /* at from_ms */
    const struct ampel_rules *rules; /* for the bands */
    const struct ampel_outlook_step *steps;
    uint32_t steps_count;
};

/* Prints it, columns wide (at least 40), some dozen lines high; a column shows the score at its end. */
void ampel_chart_print(const struct ampel_chart *chart, uint32_t columns);

#endif

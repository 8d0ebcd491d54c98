/* Lines for people made of pieces that stay whole: on a terminal a piece that does not fit any more begins a line of its own,
   indented; in a pipe a line is one line. Thread: that of the command. */
#ifndef AMPEL_WORKERS_CLI_FLOW_H
#define AMPEL_WORKERS_CLI_FLOW_H

#include "workers/cli/table.h"

struct ampel_flow {
    uint32_t column;  /* where the next piece begins */
    uint32_t columns; /* of the terminal; 0: no end */
    uint32_t indent;  /* of lines that a piece begins */
};

/* A line that begins at column 0. */
void ampel_flow_start(struct ampel_flow *flow, uint32_t indent);
/* Prints one piece, gap spaces before it; printf-like. A new line begins
   without the gap, and without a comma and space that the piece begins with. */
void ampel_flow_put(struct ampel_flow *flow, uint32_t gap, enum ampel_paint paint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Each word of the text is a piece, one space between. */
void ampel_flow_words(struct ampel_flow *flow, uint32_t gap, enum ampel_paint paint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void ampel_flow_end(struct ampel_flow *flow);

#endif

/* Tables for people: aligned columns, colours where standard output is a terminal (NO_COLOR is honoured), fitted to the
   terminal's width (80 where it is none and AMPEL_COLUMNS is not set: never cut in a pipe). UTF-8 counts by code point. */
#ifndef AMPEL_WORKERS_CLI_TABLE_H
#define AMPEL_WORKERS_CLI_TABLE_H

#include "engine/base.h"

enum ampel_align { AMPEL_LEFT, AMPEL_RIGHT };
enum ampel_paint { AMPEL_PLAIN, AMPEL_BOLD, AMPEL_DIM, AMPEL_PAINT_GREEN, AMPEL_PAINT_YELLOW, AMPEL_PAINT_RED };

struct ampel_table;
/* NULL: no memory. */
struct ampel_table *ampel_table_open(void);
void ampel_table_close(struct ampel_table *table);
/* shrink: this column may be cut with an ellipsis where the terminal is too narrow. */
void ampel_table_column(struct ampel_table *table, const char *title, enum ampel_align align, bool shrink);
/* Cells fill rows from left to right. */
void ampel_table_cell(struct ampel_table *table, enum ampel_paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints title line and rows, at most rows_max (0 all); returns how many rows it has. */
uint32_t ampel_table_print(const struct ampel_table *table, uint32_t rows_max);

/* Whether standard output shows colours; the sequences to use, "" where not. */
bool ampel_terminal_colours(void);
const char *ampel_paint_start(enum ampel_paint paint);
const char *ampel_paint_end(void);
/* Columns and rows of the terminal of standard output; 80 and 24 where there is none. */
void ampel_terminal_size(uint32_t *columns, uint32_t *rows);
enum ampel_paint ampel_paint_of_colour(uint8_t colour); /* enum ampel_colour */
enum ampel_paint ampel_paint_of_risk(uint8_t risk);

#endif

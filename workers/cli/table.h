/* Tables for people: aligned columns; on a terminal in colours (NO_COLOR is honoured) and fitted to its width; in a pipe whole and
   plain. UTF-8 counts by code point. */
#ifndef AMPEL_WORKERS_CLI_TABLE_H
#define AMPEL_WORKERS_CLI_TABLE_H

#include "engine/base.h"

enum ampel_align { AMPEL_LEFT, AMPEL_RIGHT };
/* What may happen to a column where the terminal is too narrow. */
enum ampel_fit {
    AMPEL_FIT_WHOLE, /* nothing */
    AMPEL_FIT_CUT,   /* texts lose their end */
    AMPEL_FIT_NAME,  /* ids: cut in the middle, never so that two become the same (names.h) */
    AMPEL_FIT_SPARE, /* the whole column goes, the last one first, before a name is cut short */
};
enum ampel_paint { AMPEL_PLAIN, AMPEL_BOLD, AMPEL_DIM, AMPEL_PAINT_GREEN, AMPEL_PAINT_YELLOW, AMPEL_PAINT_RED };

struct ampel_table;
/* NULL: no memory. */
struct ampel_table *ampel_table_open(void);
void ampel_table_close(struct ampel_table *table);
/* title: an English word, shown as ampel_label has it. */
void ampel_table_column(struct ampel_table *table, const char *title, enum ampel_align align, enum ampel_fit fit);
/* Cells fill rows from left to right. */
void ampel_table_cell(struct ampel_table *table, enum ampel_paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints title line and rows, once: what it cuts stays cut. */
void ampel_table_print(struct ampel_table *table);

/* Whether standard output shows colours; the sequences to use, "" where not. */
bool ampel_terminal_colours(void);
const char *ampel_paint_start(enum ampel_paint paint);
const char *ampel_paint_end(void);
/* Columns and rows of the terminal of standard output; 80 and 24 where there is none. */
void ampel_terminal_size(uint32_t *columns, uint32_t *rows);
enum ampel_paint ampel_paint_of_colour(uint8_t colour); /* enum ampel_colour */
enum ampel_paint ampel_paint_of_risk(uint8_t risk);

#endif

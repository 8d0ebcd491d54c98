/* Tables as text (RFC 4180): rows of cells between commas, semicolons or tabs. A cell in quotes may hold separators, newlines and
   doubled quotes; a quote within a cell that does not begin with one is a character like others. A byte order mark is passed
   over, rows end with CRLF, LF or CR, lines without any character are no rows. */
#ifndef AMPEL_PROTO_CSV_H
#define AMPEL_PROTO_CSV_H

#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_CSV_CELLS_MAX 256

struct ampel_csv; /* a file in reading */

/* The separator is the one of , ; and tab that the first row has most, outside of quotes. The text is borrowed until close.
   NULL where it is no text of UTF-8 (as UTF-16), with error filled, or there is no memory. Thread: one. */
AMPEL_MUST_CHECK struct ampel_csv *ampel_csv_open(struct ampel_text file, struct ampel_error *error);
void ampel_csv_close(struct ampel_csv *csv); /* NULL is fine */
char ampel_csv_separator(const struct ampel_csv *csv);

enum ampel_csv_status {
    AMPEL_CSV_ROW,
    AMPEL_CSV_END,
    AMPEL_CSV_BROKEN, /* error names line and column; nothing after it can be read */
};

struct ampel_csv_row {
    uint32_t line; /* where it begins, 1.. */
    uint32_t cells_count;
    struct ampel_text cells[AMPEL_CSV_CELLS_MAX]; /* without quotes; borrowed until the next row */
};

/* Cost: O(bytes of the row). */
AMPEL_MUST_CHECK enum ampel_csv_status ampel_csv_next(struct ampel_csv *csv, struct ampel_csv_row *row,
                                                      struct ampel_error *error);

/* A cell as text, in quotes where it needs them (a separator of any kind, a quote, a newline, space at an end). Returns the size,
   0 where capacity does not suffice; an empty cell needs none and gives 0 too. */
#define AMPEL_CSV_CELL_MAX(size) (2 * (size) + 2)
uint32_t ampel_csv_cell(struct ampel_text cell, char *bytes, uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif

#include "workers/cli/labels.h"
#include "workers/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/registry.h"
#include "workers/cli/names.h"

#define COLUMNS_MAX 32
/* Columns are cut down to this, and where that is not enough to the lesser. */
#define COLUMN_WIDTH_MIN  6
#define COLUMN_WIDTH_LAST 3
/* Names keep so much while there is a column to spare. */
#define NAME_WIDTH_KEPT   30

struct column {
    const char *title;
    enum ampel_align align;
    enum ampel_fit fit;
    bool gone; /* spared */
};

struct cell {
    char *text;
    enum ampel_paint paint;
};

struct ampel_table {
    uint32_t columns_count;
    struct column columns[COLUMNS_MAX];
    uint32_t cells_count, cells_capacity;
    struct cell *cells;
};

bool ampel_terminal_colours(void) {
    const char *no_colour = getenv("NO_COLOR");
    const char *forced = getenv("CLICOLOR_FORCE");
    if (no_colour != NULL && no_colour[0] != 0) return false;
    return isatty(STDOUT_FILENO) == 1 || (forced != NULL && forced[0] == '1');
}

const char *ampel_paint_start(enum ampel_paint paint) {
    if (!ampel_terminal_colours()) return "";
    switch (paint) {
    case AMPEL_PLAIN:
        return "";
    case AMPEL_BOLD:
        return "\033[1m";
    case AMPEL_DIM:
        return "\033[2m";
    case AMPEL_PAINT_GREEN:
        return "\033[32m";
    case AMPEL_PAINT_YELLOW:
        return "\033[33m";
    case AMPEL_PAINT_RED:
        return "\033[31m";
    }
    return "";
}

const char *ampel_paint_end(void) { return ampel_terminal_colours() ? "\033[0m" : ""; }

void ampel_terminal_size(uint32_t *columns, uint32_t *rows) {
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

enum ampel_paint ampel_paint_of_colour(uint8_t colour) {
    return colour == AMPEL_GREEN ? AMPEL_PAINT_GREEN
                                 : (colour == AMPEL_YELLOW ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_RED);
}

enum ampel_paint ampel_paint_of_risk(uint8_t risk) {
    return risk == AMPEL_RISK_NONE
               ? AMPEL_PLAIN
               : (risk == AMPEL_RISK_AT_RISK ? AMPEL_PAINT_YELLOW : AMPEL_PAINT_RED);
}

struct ampel_table *ampel_table_open(void) { return calloc(1, sizeof(struct ampel_table)); }

void ampel_table_close(struct ampel_table *table) {
    if (table == NULL) return;
    for (uint32_t i = 0; i < table->cells_count; i++) free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void ampel_table_column(struct ampel_table *table, const char *title, enum ampel_align align,
                        enum ampel_fit fit) {
    AMPEL_ASSERT(table->columns_count < COLUMNS_MAX);
    table->columns[table->columns_count++] = (struct column){.title = ampel_label(title), .align = align, .fit = fit};
}

void ampel_table_cell(struct ampel_table *table, enum ampel_paint paint, const char *format, ...) {
    if (table->cells_count == table->cells_capacity) {
        uint32_t capacity = table->cells_capacity == 0 ? 256 : table->cells_capacity * 2;
        struct cell *cells = realloc(table->cells, capacity * sizeof *cells);
        AMPEL_ASSERT(cells != NULL);
        table->cells = cells;
        table->cells_capacity = capacity;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = strdup(text);
    AMPEL_ASSERT(copy != NULL);
    table->cells[table->cells_count++] = (struct cell){copy, paint};
}

/* Code points; continuation bytes do not count. */
static uint32_t width_of(const char *text) {
    uint32_t width = 0;
    for (; *text != 0; text++)
        if (((unsigned char)*text & 0xC0) != 0x80) width++;
    return width;
}

/* Prints at most width code points, the last one an ellipsis where text is longer. */
static void print_cut(const char *text, uint32_t width) {
    uint32_t have = width_of(text);
    uint32_t keep = have <= width ? have : width - 1;
    const char *end = text;
    for (uint32_t shown = 0; *end != 0; end++) {
        if (((unsigned char)*end & 0xC0) != 0x80 && shown++ == keep) break;
    }
    fwrite(text, 1, (size_t)(end - text), stdout);
    if (have > width) fputs("…", stdout);
}

static void print_cell(const struct column *column, const struct cell *cell, uint32_t width,
                       bool last) {
    uint32_t have = width_of(cell->text);
    uint32_t pad = have < width ? width - have : 0;
    const char *start = cell->paint == AMPEL_PLAIN ? "" : ampel_paint_start(cell->paint);
    if (column->align == AMPEL_RIGHT) printf("%*s", (int)pad, "");
    fputs(start, stdout);
    print_cut(cell->text, width);
    if (start[0] != 0) fputs(ampel_paint_end(), stdout);
    if (column->align == AMPEL_LEFT && !last) printf("%*s", (int)pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

/* ---- fitting -------------------------------------------------------------------------------- */

static uint32_t rows_of(const struct ampel_table *table) {
    return table->columns_count == 0 ? 0 : table->cells_count / table->columns_count;
}

/* The texts of one column, borrowed; free the array. */
static char **texts_of(const struct ampel_table *table, uint32_t column) {
    uint32_t rows = rows_of(table);
    char **texts = calloc((size_t)rows + 1, sizeof *texts);
    AMPEL_ASSERT(texts != NULL);
    for (uint32_t row = 0; row < rows; row++) texts[row] = table->cells[row * table->columns_count + column].text;
    return texts;
}

static uint32_t total_of(const struct ampel_table *table, const uint32_t *widths) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < table->columns_count; i++)
        if (!table->columns[i].gone) total += widths[i] + (total > 0 ? 2 : 0);
    return total;
}

/* Columns go while the others would have to be cut short. */
static void spare(struct ampel_table *table, const uint32_t *widths, const uint32_t *least, uint32_t columns) {
    uint32_t wanted[COLUMNS_MAX];
    for (uint32_t i = 0; i < table->columns_count; i++) {
        wanted[i] = table->columns[i].fit == AMPEL_FIT_CUT ? least[i] : widths[i];
        if (table->columns[i].fit == AMPEL_FIT_NAME && wanted[i] > NAME_WIDTH_KEPT) wanted[i] = NAME_WIDTH_KEPT;
    }
    for (uint32_t i = table->columns_count; i-- > 0 && total_of(table, wanted) > columns;)
        if (table->columns[i].fit == AMPEL_FIT_SPARE) table->columns[i].gone = true;
}

/* Takes from the widest that is wider than its least, until all fit. False: they do not. */
static bool shrink(const struct ampel_table *table, const uint32_t *least, uint32_t columns, uint32_t *widths) {
    while (total_of(table, widths) > columns) {
        uint32_t widest = COLUMNS_MAX;
        for (uint32_t i = 0; i < table->columns_count; i++)
            if (!table->columns[i].gone && widths[i] > least[i] && (widest == COLUMNS_MAX || widths[i] > widths[widest])) widest = i;
        if (widest == COLUMNS_MAX) return false;
        widths[widest]--;
    }
    return true;
}

static void least_find(const struct ampel_table *table, const uint32_t *widths, uint32_t *least) {
    for (uint32_t i = 0; i < table->columns_count; i++) {
        least[i] = widths[i];
        if (table->columns[i].fit == AMPEL_FIT_CUT && widths[i] > COLUMN_WIDTH_MIN) least[i] = COLUMN_WIDTH_MIN;
        if (table->columns[i].fit != AMPEL_FIT_NAME || widths[i] <= AMPEL_NAMES_WIDTH_MIN) continue;
        char **texts = texts_of(table, i);
        least[i] = ampel_names_width(texts, rows_of(table));
        if (least[i] < width_of(table->columns[i].title)) least[i] = width_of(table->columns[i].title);
        free(texts);
    }
}

static void names_cut(struct ampel_table *table, uint32_t column, uint32_t width) {
    char **texts = texts_of(table, column);
    uint32_t rows = rows_of(table);
    ampel_names_cut(texts, rows, width);
    for (uint32_t row = 0; row < rows; row++) table->cells[row * table->columns_count + column].text = texts[row];
    free(texts);
}

static void fit(struct ampel_table *table, uint32_t *widths) {
    uint32_t columns, rows, least[COLUMNS_MAX];
    if (isatty(STDOUT_FILENO) != 1) return;
    ampel_terminal_size(&columns, &rows);
    if (total_of(table, widths) <= columns) return;
    least_find(table, widths, least);
    spare(table, widths, least, columns);
    if (!shrink(table, least, columns, widths)) {
        for (uint32_t i = 0; i < table->columns_count; i++)
            if ((table->columns[i].fit == AMPEL_FIT_CUT || table->columns[i].fit == AMPEL_FIT_NAME) &&
                least[i] > COLUMN_WIDTH_LAST)
                least[i] = COLUMN_WIDTH_LAST;
        (void)shrink(table, least, columns, widths);
    }
    for (uint32_t i = 0; i < table->columns_count; i++)
        if (table->columns[i].fit == AMPEL_FIT_NAME) names_cut(table, i, widths[i]);
}

static void row_print(const struct ampel_table *table, const struct cell *cells, const uint32_t *widths) {
    uint32_t last = table->columns_count - 1;
    while (last > 0 && table->columns[last].gone) last--;
    for (uint32_t i = 0; i <= last; i++)
        if (!table->columns[i].gone) print_cell(&table->columns[i], &cells[i], widths[i], i == last);
}

void ampel_table_print(struct ampel_table *table) {
    uint32_t widths[COLUMNS_MAX] = {0}, rows = rows_of(table);
    struct cell titles[COLUMNS_MAX] = {0};
    for (uint32_t i = 0; i < table->columns_count; i++) {
        union {
            const char *from;
            char *to;
        } title = {.from = table->columns[i].title};
        titles[i] = (struct cell){title.to, AMPEL_BOLD};
        widths[i] = width_of(table->columns[i].title);
        for (uint32_t row = 0; row < rows; row++) {
            uint32_t width = width_of(table->cells[row * table->columns_count + i].text);
            if (width > widths[i]) widths[i] = width;
        }
    }
    fit(table, widths);
    row_print(table, titles, widths);
    for (uint32_t row = 0; row < rows; row++) row_print(table, &table->cells[row * table->columns_count], widths);
}

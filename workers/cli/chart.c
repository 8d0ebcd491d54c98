#include "workers/cli/chart.h"

#include <stdio.h>
#include <string.h>

#include "proto/time.h"
#include "workers/cli/table.h"

#define ROWS 12
#define COLUMNS_MAX 240
#define LABEL_COLUMNS 7 /* "  440 ┤" */
#define TICK_COLUMNS 14
#define GLYPH_BYTES 4

struct grid {
    uint32_t columns;
    int32_t top, bottom; /* scores of the first and last row */
    int32_t scores[COLUMNS_MAX];
    char glyphs[ROWS][COLUMNS_MAX][GLYPH_BYTES];
};

static uint32_t row_of(const struct grid *grid, int32_t score) {
    int64_t span = grid->top - grid->bottom;
    return (uint32_t)(((int64_t)(grid->top - score) * (ROWS - 1) + span / 2) / span);
}

static int32_t score_of(const struct grid *grid, uint32_t row) {
    int64_t span = grid->top - grid->bottom;
    return (int32_t)(grid->top - (span * row + (ROWS - 1) / 2) / (ROWS - 1));
}

static void glyph_set(struct grid *grid, uint32_t row, uint32_t column, const char *glyph) {
    snprintf(grid->glyphs[row][column], GLYPH_BYTES, "%s", glyph);
}

/* The score at the end of each column, and what lies between the least and the greatest. */
static void scores_fill(struct grid *grid, const struct ampel_chart *chart) {
    int32_t score = chart->score, least = score, greatest = score;
    uint32_t next = 0;
    for (uint32_t column = 0; column < grid->columns; column++) {
        int64_t end_ms =
            chart->from_ms + (chart->to_ms - chart->from_ms) * (column + 1) / (int64_t)grid->columns;
        for (; next < chart->steps_count && chart->steps[next].at_ms <= end_ms; next++)
            score = chart->steps[next].score;
        grid->scores[column] = score;
        least = score < least ? score : least;
        greatest = score > greatest ? score : greatest;
    }
    int32_t room = greatest - least < ROWS ? (ROWS - (greatest - least)) / 2 + 1 : 0;
    grid->top = greatest + room;
    grid->bottom = least - room;
}

static void line_draw(struct grid *grid) {
    for (uint32_t column = 0; column < grid->columns; column++) {
        uint32_t row = row_of(grid, grid->scores[column]);
        uint32_t before = column == 0 ? row : row_of(grid, grid->scores[column - 1]);
        glyph_set(grid, row, column, row == before ? "─" : (row > before ? "└" : "┌"));
        if (row == before) continue;
        glyph_set(grid, before, column, row > before ? "┐" : "┘");
        uint32_t upper = row < before ? row : before, lower = row < before ? before : row;
        for (uint32_t between = upper + 1; between < lower; between++)
            glyph_set(grid, between, column, "│");
    }
}

static enum ampel_paint paint_of(const struct ampel_rules *rules, int32_t score) {
    return score >= rules->band_green    ? AMPEL_PAINT_GREEN
           : score >= rules->band_yellow ? AMPEL_PAINT_YELLOW
                                         : AMPEL_PAINT_RED;
}

static bool band_row(const struct grid *grid, int32_t band, uint32_t row) {
    return band <= grid->top && band >= grid->bottom && row_of(grid, band) == row;
}

static void row_print(const struct grid *grid, const struct ampel_rules *rules, uint32_t row) {
    bool green = band_row(grid, rules->band_green, row), yellow = band_row(grid, rules->band_yellow, row);
    int32_t label = green ? rules->band_green : (yellow ? rules->band_yellow : score_of(grid, row));
    bool labelled = green || yellow || row % 3 == 0 || row == ROWS - 1;
    if (labelled)
        printf("%5d ┤", label);
    else
        printf("%5s │", "");
    enum ampel_paint paint = AMPEL_PLAIN;
    uint32_t end = grid->columns;
    while (end > 0 && grid->glyphs[row][end - 1][0] == 0 && !green && !yellow) end--;
    for (uint32_t column = 0; column < end; column++) {
        const char *glyph = grid->glyphs[row][column];
        enum ampel_paint wanted = glyph[0] == 0 ? AMPEL_DIM : paint_of(rules, grid->scores[column]);
        if (wanted != paint) printf("%s%s", ampel_paint_end(), ampel_paint_start(wanted));
        paint = wanted;
        fputs(glyph[0] != 0 ? glyph : (green || yellow ? "·" : " "), stdout);
    }
    printf("%s\n", paint == AMPEL_PLAIN ? "" : ampel_paint_end());
}

/* Ticks with the day that stands there, as 11-30. */
static void axis_print(const struct grid *grid, const struct ampel_chart *chart) {
    printf("%*s└", LABEL_COLUMNS - 1, "");
    for (uint32_t column = 0; column < grid->columns; column++)
        fputs(column % TICK_COLUMNS == 0 ? "┬" : "─", stdout);
    printf("\n%*s", LABEL_COLUMNS, "");
    for (uint32_t column = 0; column + 5 <= grid->columns; column += TICK_COLUMNS) {
        char text[AMPEL_TIME_SIZE];
        ampel_time_encode(chart->from_ms + (chart->to_ms - chart->from_ms) * column / (int64_t)grid->columns, text);
        bool last = column + TICK_COLUMNS + 5 > grid->columns;
        printf("%-*.5s", last ? 5 : TICK_COLUMNS, text + 5);
    }
    printf("\n");
}

void ampel_chart_print(const struct ampel_chart *chart, uint32_t columns) {
    static struct grid grid; /* large; the command has one thread */
    memset(&grid, 0, sizeof grid);
    grid.columns = columns < 40 ? 40 - LABEL_COLUMNS : columns - LABEL_COLUMNS;
    if (grid.columns > COLUMNS_MAX) grid.columns = COLUMNS_MAX;
    scores_fill(&grid, chart);
    line_draw(&grid);
    for (uint32_t row = 0; row < ROWS; row++) row_print(&grid, chart->rules, row);
    axis_print(&grid, chart);
}

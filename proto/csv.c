#include "proto/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ampel_csv {
    const char *at, *end;
    uint32_t line;
    char separator;
    char *cells; /* as many bytes as the file has: no row needs more */
    uint32_t cells_size;
};

/* ---- opening -------------------------------------------------------------------------------- */

/* The first row's separators outside of quotes; the comma where nothing else is more often. */
static char separator_find(const char *at, const char *end) {
    static const char kinds[] = ",;\t";
    uint32_t counts[3] = {0};
    bool quoted = false;
    for (; at < end && (quoted || (*at != '\n' && *at != '\r')); at++) {
        if (*at == '"') quoted = !quoted;
        const char *kind = quoted || *at == 0 ? NULL : strchr(kinds, *at);
        if (kind != NULL) counts[kind - kinds]++;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < 3; i++)
        if (counts[i] > counts[best]) best = i;
    return kinds[best];
}

/* How many bytes the character at `at` has; 0 where it is none of UTF-8. */
static uint32_t character_size(const uint8_t *at, const uint8_t *end) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (*at < 0x80) return 1;
    uint32_t size = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : 2;
    if (*at < 0xC2 || *at > 0xF4 || (size_t)(end - at) < size) return 0;
    uint32_t code = *at & (0x7Fu >> size);
    for (uint32_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < least[size] || code > 0x10FFFF || surrogate ? 0 : size;
}

static bool broken_at(struct ampel_error *error, uint32_t line, const char *field, const char *reason) {
    (void)ampel_error_set(error, field, "%s", reason);
    if (error != NULL) error->line = line;
    return false;
}

static bool text_check(struct ampel_text file, struct ampel_error *error) {
    const uint8_t *at = (const uint8_t *)file.bytes, *end = at + file.size;
    if (file.size >= 2 && ((at[0] == 0xFF && at[1] == 0xFE) || (at[0] == 0xFE && at[1] == 0xFF)))
        return broken_at(error, 1, "", "the file is UTF-16: save it as CSV in UTF-8");
    for (uint32_t line = 1; at < end;) {
        uint32_t size = character_size(at, end);
        if (size == 0)
            return broken_at(error, line, "", "a byte is no character of UTF-8: save the file as CSV in UTF-8");
        if (*at == 0) return broken_at(error, line, "", "a byte is zero: this is no table of text");
        if (*at == '\n' || (*at == '\r' && (at + 1 == end || at[1] != '\n'))) line++;
        at += size;
    }
    return true;
}

struct ampel_csv *ampel_csv_open(struct ampel_text file, struct ampel_error *error) {
    if (!text_check(file, error)) return NULL;
    struct ampel_csv *csv = malloc(sizeof *csv);
    char *cells = malloc((size_t)file.size + 1);
    if (csv == NULL || cells == NULL) {
        free(csv);
        free(cells);
        (void)ampel_error_set(error, "", "there is no memory");
        return NULL;
    }
    *csv = (struct ampel_csv){.line = 1, .cells = cells};
    if (file.size == 0) file.bytes = "";
    csv->at = file.bytes;
    csv->end = file.bytes + file.size;
    if (file.size >= 3 && memcmp(file.bytes, "\xEF\xBB\xBF", 3) == 0) csv->at += 3;
    csv->separator = separator_find(csv->at, csv->end);
    return csv;
}

void ampel_csv_close(struct ampel_csv *csv) {
    if (csv == NULL) return;
    free(csv->cells);
    free(csv);
}

char ampel_csv_separator(const struct ampel_csv *csv) { return csv->separator; }

/* ---- rows ----------------------------------------------------------------------------------- */

static bool at_newline(const struct ampel_csv *csv) {
    return csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r');
}

static void newline_skip(struct ampel_csv *csv) {
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n') csv->at++;
    csv->at++;
    csv->line++;
}

static bool cell_broken(struct ampel_error *error, uint32_t line, uint32_t index, const char *reason) {
    char field[32];
    snprintf(field, sizeof field, "column %u", index + 1);
    return broken_at(error, line, field, reason);
}

/* From behind the opening quote to behind the closing one. */
static bool quoted_read(struct ampel_csv *csv, uint32_t index, struct ampel_error *error) {
    uint32_t line = csv->line;
    for (csv->at++; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"') {
                csv->at++;
                return true;
            }
            csv->at++;
        }
        bool pair = *csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n';
        if (*csv->at == '\n' || (*csv->at == '\r' && !pair)) csv->line++;
        csv->cells[csv->cells_size++] = *csv->at;
    }
    return cell_broken(error, line, index, "the quote is never closed");
}

static bool cell_read(struct ampel_csv *csv, uint32_t index, struct ampel_text *out,
                      struct ampel_error *error) {
    char *start = csv->cells + csv->cells_size;
    if (csv->at < csv->end && *csv->at == '"') {
        if (!quoted_read(csv, index, error)) return false;
        if (csv->at < csv->end && *csv->at != csv->separator && !at_newline(csv))
            return cell_broken(error, csv->line, index, "there is text behind the closing quote");
    } else {
        while (csv->at < csv->end && *csv->at != csv->separator && !at_newline(csv))
            csv->cells[csv->cells_size++] = *csv->at++;
    }
    *out = (struct ampel_text){start, (uint32_t)(csv->cells + csv->cells_size - start)};
    return true;
}

enum ampel_csv_status ampel_csv_next(struct ampel_csv *csv, struct ampel_csv_row *row,
                                     struct ampel_error *error) {
    while (at_newline(csv)) newline_skip(csv);
    if (csv->at == csv->end) return AMPEL_CSV_END;
    row->line = csv->line;
    row->cells_count = 0;
    csv->cells_size = 0;
    for (;;) {
        if (row->cells_count == AMPEL_CSV_CELLS_MAX) {
            (void)cell_broken(error, row->line, row->cells_count, "a row has at most 256 cells");
            return AMPEL_CSV_BROKEN;
        }
        if (!cell_read(csv, row->cells_count, &row->cells[row->cells_count], error))
            return AMPEL_CSV_BROKEN;
        row->cells_count++;
        if (csv->at == csv->end || *csv->at != csv->separator) break;
        csv->at++;
    }
    if (at_newline(csv)) newline_skip(csv);
    return AMPEL_CSV_ROW;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool quotes_needed(struct ampel_text cell) {
    if (cell.size == 0) return false;
    if (cell.bytes[0] == ' ' || cell.bytes[cell.size - 1] == ' ') return true;
    for (uint32_t i = 0; i < cell.size; i++)
        if (memchr(",;\t\"\r\n", cell.bytes[i], 6) != NULL) return true;
    return false;
}

uint32_t ampel_csv_cell(struct ampel_text cell, char *bytes, uint32_t capacity) {
    if (!quotes_needed(cell)) {
        if (cell.size > capacity) return 0;
        if (cell.size > 0) memcpy(bytes, cell.bytes, cell.size);
        return cell.size;
    }
    uint32_t size = 0;
    if (capacity < 2) return 0;
    bytes[size++] = '"';
    for (uint32_t i = 0; i < cell.size; i++) {
        uint32_t needed = cell.bytes[i] == '"' ? 2 : 1;
        if (capacity - size < needed + 1) return 0;
        if (needed == 2) bytes[size++] = '"';
        bytes[size++] = cell.bytes[i];
    }
    bytes[size++] = '"';
    return size;
}

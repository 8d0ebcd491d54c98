/* A sheet: text that grows in the caller's bytes, and says at its end whether all of it fitted. Thread: any. */
#ifndef AMPEL_WORKERS_SHEET_H
#define AMPEL_WORKERS_SHEET_H

#include "engine/base.h"

struct ampel_sheet {
    char *bytes;
    uint32_t capacity;
    uint32_t size;
    bool full; /* something did not fit: nothing more is added */
};

void ampel_sheet_put(struct ampel_sheet *sheet, const char *bytes, uint32_t size);
void ampel_sheet_print(struct ampel_sheet *sheet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text as the inside of a JSON string. */
void ampel_sheet_json(struct ampel_sheet *sheet, const char *text);
/* The text as a cell of a Markdown table. */
void ampel_sheet_cell(struct ampel_sheet *sheet, const char *text);

#endif

#include "workers/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ampel_sheet_put(struct ampel_sheet *sheet, const char *bytes, uint32_t size) {
    if (sheet->full) return;
    if (size > sheet->capacity - sheet->size) {
        sheet->full = true;
        return;
    }
    memcpy(sheet->bytes + sheet->size, bytes, size);
    sheet->size += size;
}

void ampel_sheet_print(struct ampel_sheet *sheet, const char *format, ...) {
    if (sheet->full) return;
    uint32_t room = sheet->capacity - sheet->size;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sheet->bytes + sheet->size, room, format, arguments);
    va_end(arguments);
    /* The terminating zero must fit, too, or the last byte would be lost. */
    if (size < 0 || (uint32_t)size >= room) {
        sheet->full = true;
        return;
    }
    sheet->size += (uint32_t)size;
}

void ampel_sheet_json(struct ampel_sheet *sheet, const char *text) {
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            ampel_sheet_print(sheet, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            ampel_sheet_print(sheet, "\\u%04x", byte);
        } else {
            ampel_sheet_put(sheet, text, 1);
        }
    }
}

void ampel_sheet_cell(struct ampel_sheet *sheet, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '|') ampel_sheet_put(sheet, "\\", 1);
        ampel_sheet_put(sheet, text, 1);
    }
}

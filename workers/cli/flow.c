#include "workers/cli/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 1024

void ampel_flow_start(struct ampel_flow *flow, uint32_t indent) {
    uint32_t rows;
    *flow = (struct ampel_flow){.indent = indent};
    if (isatty(STDOUT_FILENO) == 1) ampel_terminal_size(&flow->columns, &rows);
}

static void piece(struct ampel_flow *flow, uint32_t gap, enum ampel_paint paint, const char *text, size_t size) {
    uint32_t width = 0;
    for (size_t i = 0; i < size; i++) width += ((unsigned char)text[i] & 0xC0) != 0x80;
    if (flow->columns > 0 && flow->column > flow->indent && flow->column + gap + width > flow->columns) {
        printf("\n%*s", (int)flow->indent, "");
        flow->column = flow->indent;
        gap = 0;
        size_t joint = size > 2 && text[0] == ',' && text[1] == ' ' ? 2 : 0;
        text += joint;
        size -= joint;
        width -= (uint32_t)joint;
    }
    const char *start = paint == AMPEL_PLAIN ? "" : ampel_paint_start(paint);
    printf("%*s%s%.*s%s", (int)gap, "", start, (int)size, text, start[0] == 0 ? "" : ampel_paint_end());
    flow->column += gap + width;
}

void ampel_flow_put(struct ampel_flow *flow, uint32_t gap, enum ampel_paint paint, const char *format, ...) {
    char text[PIECE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    piece(flow, gap, paint, text, strlen(text));
}

void ampel_flow_words(struct ampel_flow *flow, uint32_t gap, enum ampel_paint paint, const char *format, ...) {
    char text[PIECE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (const char *word = text; *word != 0; gap = 1) {
        size_t size = strcspn(word, " ");
        piece(flow, gap, paint, word, size);
        word += size + (word[size] == ' ');
    }
}

void ampel_flow_end(struct ampel_flow *flow) {
    printf("\n");
    flow->column = 0;
}

#include "proto/document.h"

static bool between(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == ',' ||
           byte == '[' || byte == ']';
}

/* Where the next line begins with an object, or the file ends: how far a broken document reaches.
 */
static uint32_t broken_end(struct ampel_text file, uint32_t start) {
    for (uint32_t i = start; i + 1 < file.size; i++) {
        if (file.bytes[i] == '\n' && file.bytes[i + 1] == '{') return i + 1;
    }
    return file.size;
}

/* The offset behind the object that begins at start. Braces in texts do not count. */
static uint32_t object_end(struct ampel_text file, uint32_t start) {
    uint32_t depth = 0;
    bool text = false;
    for (uint32_t i = start; i < file.size; i++) {
        char byte = file.bytes[i];
        if (text && byte == '\\')
            i++;
        else if (byte == '"')
            text = !text;
        else if (!text && byte == '{')
            depth++;
        else if (!text && byte == '}' && --depth == 0)
            return i + 1;
    }
    return broken_end(file, start);
}

static uint32_t other_end(struct ampel_text file, uint32_t start) {
    uint32_t end = start;
    while (end < file.size && file.bytes[end] != '{')
        end++;
    return end;
}

bool ampel_document_next(struct ampel_text file, struct ampel_document_cursor *cursor,
                         struct ampel_text *document, uint32_t *line) {
    uint32_t start = cursor->offset;
    for (; start < file.size && between(file.bytes[start]); start++)
        cursor->newlines += file.bytes[start] == '\n';
    cursor->offset = start;
    if (start >= file.size) return false;
    uint32_t end = file.bytes[start] == '{' ? object_end(file, start) : other_end(file, start);
    *line = cursor->newlines + 1;
    for (uint32_t i = start; i < end; i++)
        cursor->newlines += file.bytes[i] == '\n';
    *document = (struct ampel_text){file.bytes + start, end - start};
    cursor->offset = end;
    return true;
}

/* The mapping file of violation lists. */
#include <string.h>

#include "engine/registry.h"
#include "proto/text.h"
#include "proto/violation_list.h"

/* The column that a name stands for; false if it is none of ours. */
static bool column_named(struct ampel_text text, uint8_t *column) {
    char name[AMPEL_LIST_NAME_SIZE], other[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(text, name);
    for (uint8_t i = 0; i < AMPEL_LIST_COLUMNS_COUNT; i++) {
        ampel_list_name(ampel_text_of(ampel_list_header(i)), other);
        if (strcmp(name, other) != 0) continue;
        *column = i;
        return true;
    }
    return false;
}

static bool value_named(uint8_t column, struct ampel_text text, uint8_t *code) {
    int8_t severity;
    switch (column) {
    case AMPEL_LIST_ISSUE_TYPE:
        return ampel_list_policy(text, code);
    case AMPEL_LIST_IMPACT:
        if (text.size == 0 || !ampel_list_impact(text, &severity) || severity < 0) return false;
        *code = (uint8_t)severity;
        return true;
    case AMPEL_LIST_STATUS:
        return text.size > 0 && ampel_list_state(text, code);
    default:
        return false;
    }
}

static bool line_take(struct ampel_list_mapping *out, struct ampel_text line, struct ampel_error *error) {
    const char *equals = memchr(line.bytes, '=', line.size);
    if (equals == NULL) return ampel_error_set(error, "", "a line is 'header = column' or 'Column: text = name'");
    struct ampel_text left = ampel_list_trim((struct ampel_text){line.bytes, (uint32_t)(equals - line.bytes)});
    struct ampel_text right = ampel_list_trim(
        (struct ampel_text){equals + 1, line.size - (uint32_t)(equals + 1 - line.bytes)});
    if (out->count == AMPEL_LIST_MAPPINGS_MAX) return ampel_error_set(error, "", "there are more than 256 lines");
    uint8_t column, code;
    const char *colon = memchr(left.bytes, ':', left.size);
    bool value = colon != NULL &&
                 column_named((struct ampel_text){left.bytes, (uint32_t)(colon - left.bytes)}, &column) &&
                 (column == AMPEL_LIST_ISSUE_TYPE || column == AMPEL_LIST_IMPACT || column == AMPEL_LIST_STATUS);
    if (value) {
        left = (struct ampel_text){colon + 1, left.size - (uint32_t)(colon + 1 - left.bytes)};
        if (!value_named(column, right, &code))
            return ampel_error_set(error, "", "'%.*s' is no %s", (int)(right.size < 60 ? right.size : 60),
                                   right.bytes,
                                   column == AMPEL_LIST_ISSUE_TYPE ? "policy"
                                   : column == AMPEL_LIST_IMPACT   ? "severity"
                                                                   : "state");
    } else {
        column = AMPEL_LIST_COLUMNS_COUNT;
        if (!column_named(right, &code))
            return ampel_error_set(error, "", "'%.*s' is no column", (int)(right.size < 60 ? right.size : 60),
                                   right.bytes);
    }
    ampel_list_name(left, out->entries[out->count].left);
    if (out->entries[out->count].left[0] == 0) return ampel_error_set(error, "", "nothing stands before the =");
    out->entries[out->count].column = column;
    out->entries[out->count].code = code;
    out->count++;
    return true;
}

bool ampel_list_mapping_decode(struct ampel_text text, struct ampel_list_mapping *out,
                               struct ampel_error *error) {
    out->count = 0;
    uint32_t number = 0;
    for (uint32_t at = 0; at < text.size;) {
        const char *start = text.bytes + at;
        const char *newline = memchr(start, '\n', text.size - at);
        uint32_t size = newline != NULL ? (uint32_t)(newline - start) : text.size - at;
        at += size + 1;
        number++;
        struct ampel_text line = ampel_list_trim((struct ampel_text){start, size});
        if (line.size == 0 || line.bytes[0] == '#') continue;
        if (line_take(out, line, error)) continue;
        error->line = number;
        return false;
    }
    return true;
}

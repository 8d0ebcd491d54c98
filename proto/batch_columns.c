#include "proto/batch_columns.h"

#include <stdio.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/judge.h"
#include "proto/narrow.h"
#include "proto/text.h"

struct column {
    const char *name;
    uint32_t entry_bytes;
    uint32_t entries_more; /* than there are events */
    bool required;
    const uint8_t **place;
    uint8_t **wide; /* room for its entries where they may be narrow, else NULL */
    struct ampel_pack pack; /* kind OTHER while it was not met */
};

/* What stands among the columns and is a number: from AMPEL_BATCH_VERSION_NARROW on. */
struct numbers {
    struct ampel_pack events, at_from; /* kind OTHER as above */
};

static bool column_blame(const struct column *column, uint32_t entries, const char *needs,
                         struct ampel_error *error) {
    char name[32] = "columns.";
    strncat(name, column->name, sizeof name - 9);
    return ampel_error_set(error, name, "the column has %u bytes where %u entries need %s",
                           column->pack.text.size, entries, needs);
}

static bool column_whole_blame(const struct column *column, uint32_t entries, bool narrow, struct ampel_error *error) {
    char needs[64];
    snprintf(needs, sizeof needs, "%llu%s", (unsigned long long)column->entry_bytes * entries,
             narrow ? " without at_from" : column->wide != NULL ? " in a batch of version 1" : "");
    return column_blame(column, entries, needs, error);
}

/* The column's entries as the engine reads them: in place, or made wide. */
static bool column_place(const struct column *column, uint32_t events_count, bool narrow,
                         const struct numbers *numbers, struct ampel_error *error) {
    const uint32_t entries = events_count + column->entries_more, size = column->pack.text.size;
    const uint8_t *bytes = (const uint8_t *)column->pack.text.bytes;
    const uint32_t entry_bytes = entries > 0 && size % entries == 0 ? size / entries : 0;
    const bool times = column->entry_bytes == 8, after = numbers->at_from.kind == AMPEL_PACK_INTEGER;
    const bool may = narrow && column->wide != NULL && (!times || after);
    *column->place = bytes;
    if (size == (uint64_t)column->entry_bytes * entries && !(times && after)) return true;
    if (entries == 0 && size == 0) return true;
    if (!may) return column_whole_blame(column, entries, narrow && times, error);
    if (entry_bytes != 1 && entry_bytes != 2 && !(times && entry_bytes == 4))
        return column_blame(column, entries, times ? "1, 2 or 4 each after at_from" : "1, 2 or 4 each", error);
    if (times)
        ampel_widen_times(*column->wide, bytes, entry_bytes, entries, numbers->at_from.integer);
    else
        ampel_widen_u32(*column->wide, bytes, entry_bytes, entries);
    *column->place = *column->wide;
    return true;
}

/* Feeders write them in the order of the table, as far as they have them: *guess is where the last one was found. */
static struct column *column_named(struct column *columns, uint32_t count, struct ampel_text name, uint32_t *guess) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t candidate = (*guess + i) % count;
        if (!ampel_text_is(name, columns[candidate].name)) continue;
        *guess = candidate + 1;
        return &columns[candidate];
    }
    return NULL;
}

static struct ampel_pack *number_named(struct numbers *numbers, struct ampel_text name) {
    if (ampel_text_is(name, "events")) return &numbers->events;
    return ampel_text_is(name, "at_from") ? &numbers->at_from : NULL;
}

static bool entry_blame(struct ampel_text name, const char *reason, struct ampel_error *error) {
    char field[32] = "columns.";
    bool shown = ampel_id_valid(name, false) && name.size <= sizeof field - 9;
    if (shown) strncat(field, name.bytes, name.size);
    return ampel_error_set(error, shown ? field : "columns", "%s", reason);
}

/* Finds each entry's place; false for a strange key, a second one, or a value of another kind. */
static bool match_columns(const struct ampel_pack *map, struct column *columns, uint32_t count, bool narrow,
                          struct numbers *numbers, struct ampel_error *error) {
    struct ampel_pack_cursor cursor;
    uint32_t guess = 0;
    ampel_pack_cursor_reset(&cursor, map);
    for (uint32_t i = 0; i < map->count; i++) {
        struct ampel_pack key, value;
        ampel_pack_cursor_next(&cursor, &key);
        ampel_pack_cursor_next(&cursor, &value);
        if (key.kind != AMPEL_PACK_TEXT) return ampel_error_set(error, "columns", "a name is no text");
        struct column *column = column_named(columns, count, key.text, &guess);
        struct ampel_pack *number = column == NULL ? number_named(numbers, key.text) : NULL;
        struct ampel_pack *place = column != NULL ? &column->pack : number;
        if (number != NULL && !narrow) return entry_blame(key.text, "batches of version 1 have no such key", error);
        if (place == NULL || place->kind != AMPEL_PACK_OTHER)
            return entry_blame(key.text, "no such column is known, or it stands twice", error);
        if (column != NULL && value.kind != AMPEL_PACK_BYTES) return entry_blame(key.text, "the column is no bin", error);
        if (number != NULL && value.kind != AMPEL_PACK_INTEGER)
            return entry_blame(key.text, "the value is no integer", error);
        *place = value;
    }
    return true;
}

static bool read_numbers(const struct numbers *numbers, uint32_t events_count, struct ampel_error *error) {
    const struct ampel_pack *events = &numbers->events, *at_from = &numbers->at_from;
    if (events->kind != AMPEL_PACK_INTEGER)
        return ampel_error_set(error, "columns.events", "the number of events is missing");
    if (events->integer != events_count)
        return ampel_error_set(error, "columns.events", "the number of events is %lld, and %u have a type",
                               (long long)events->integer, events_count);
    if (at_from->kind == AMPEL_PACK_INTEGER && (at_from->integer < 0 || at_from->integer > AMPEL_TIME_MAX_MS))
        return ampel_error_set(error, "columns.at_from", "the value is no time in milliseconds");
    return true;
}

bool ampel_batch_columns_read(const struct ampel_pack *map, bool narrow, struct ampel_columns *wide,
                              struct ampel_frame *frame, struct ampel_error *error) {
    struct numbers numbers = {0};
    struct column columns[] = {
        {"account", 4, 0, true, &frame->account, &wide->account, {0}},
        {"type", 1, 0, true, &frame->type, NULL, {0}},
        {"at", 8, 0, true, &frame->at, &wide->at, {0}},
        {"count", 4, 0, false, &frame->count, &wide->count, {0}},
        {"policy", 1, 0, false, &frame->policy, NULL, {0}},
        {"severity", 1, 0, false, &frame->severity, NULL, {0}},
        {"code", 1, 0, false, &frame->code, NULL, {0}},
        {"points", 2, 0, false, &frame->points, NULL, {0}},
        {"rev", 2, 0, false, &frame->rev, NULL, {0}},
        {"extras_offset", 4, 1, false, &frame->extras_offset, &wide->extras_offset, {0}},
        {"extras", 0, 0, false, &frame->extras, NULL, {0}}, /* of any size */
    };
    const uint32_t count = AMPEL_ARRAY_COUNT(columns), extras = count - 1;
    if (map->kind != AMPEL_PACK_MAP)
        return ampel_error_set(error, "columns", "the value is no map");
    if (!match_columns(map, columns, count, narrow, &numbers, error)) return false;
    for (uint32_t i = 0; i < count; i++)
        if (columns[i].required && columns[i].pack.kind == AMPEL_PACK_OTHER)
            return ampel_error_set(error, "columns", "the column %s is missing", columns[i].name);
    uint32_t events_count = columns[1].pack.text.size;
    if (events_count > AMPEL_BATCH_EVENTS_MAX)
        return ampel_error_set(error, "columns", "there are more than %u events",
                               AMPEL_BATCH_EVENTS_MAX);
    if (narrow && !read_numbers(&numbers, events_count, error)) return false;
    if (narrow && !ampel_columns_reserve(wide, events_count)) return ampel_error_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i].pack.kind == AMPEL_PACK_OTHER) continue;
        if (i == extras)
            frame->extras = (const uint8_t *)columns[i].pack.text.bytes;
        else if (!column_place(&columns[i], events_count, narrow, &numbers, error))
            return false;
    }
    frame->events_count = events_count;
    frame->extras_size = columns[extras].pack.text.size;
    if (ampel_judge_extras(frame)) return true;
    return ampel_error_set(error, "columns.extras_offset",
                           "the offsets do not rise from 0 to the size of extras");
}

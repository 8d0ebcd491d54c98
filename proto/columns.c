#include "proto/columns.h"

#include <stdlib.h>

#include "engine/load.h"
#include "engine/registry.h"

#define EVENTS_FIRST 256
#define EXTRAS_FIRST 4096

void ampel_columns_reset(struct ampel_columns *columns) {
    columns->events_count = 0;
    columns->extras_size = 0;
    columns->has_count = columns->has_policy = columns->has_severity = columns->has_code = false;
    columns->has_points = columns->has_rev = columns->has_extras = false;
}

void ampel_columns_close(struct ampel_columns *columns) {
#define X(name, bytes) free(columns->name);
    AMPEL_COLUMNS(X)
#undef X
    free(columns->extras);
    *columns = (struct ampel_columns){0};
}

static bool grow(uint8_t **block, size_t size) {
    uint8_t *grown = realloc(*block, size);
    if (grown == NULL) return false;
    *block = grown;
    return true;
}

bool ampel_columns_reserve(struct ampel_columns *columns, uint32_t count) {
    /* Of no events there is one offset all the same. */
    if (columns->events_capacity > 0 && count <= columns->events_capacity) return true;
    uint32_t capacity = columns->events_capacity == 0 ? EVENTS_FIRST : 2 * columns->events_capacity;
    if (capacity < count) capacity = count;
    /* One entry more: the offsets of n events are n + 1. */
#define X(name, bytes) \
    if (!grow(&columns->name, ((size_t)capacity + 1) * (bytes))) return false;
    AMPEL_COLUMNS(X)
#undef X
    columns->events_capacity = capacity;
    return true;
}

static bool reserve_extras(struct ampel_columns *columns, uint32_t size) {
    if (columns->extras_capacity - columns->extras_size >= size) return true;
    uint64_t capacity = columns->extras_capacity == 0 ? EXTRAS_FIRST : columns->extras_capacity;
    while (capacity - columns->extras_size < size)
        capacity *= 2;
    if (capacity > UINT32_MAX || !grow(&columns->extras, capacity)) return false;
    columns->extras_capacity = (uint32_t)capacity;
    return true;
}

bool ampel_columns_push(struct ampel_columns *columns, uint32_t account,
                        const struct ampel_event *event) {
    if (!ampel_columns_reserve(columns, columns->events_count + 1) || !reserve_extras(columns, event->extras_size)) return false;
    size_t i = columns->events_count;
    ampel_store_u32(columns->account + 4 * i, account);
    columns->type[i] = event->type;
    ampel_store_i64(columns->at + 8 * i, event->at_ms);
    ampel_store_u32(columns->count + 4 * i, event->count);
    columns->policy[i] = event->policy;
    columns->severity[i] = (uint8_t)event->severity;
    columns->code[i] = event->code;
    ampel_store_u16(columns->points + 2 * i, (uint16_t)event->points);
    ampel_store_u16(columns->rev + 2 * i, event->rev);
    ampel_store_u32(columns->extras_offset + 4 * i, columns->extras_size);
    if (event->extras_size > 0)
        memcpy(columns->extras + columns->extras_size, event->extras, event->extras_size);
    columns->extras_size += event->extras_size;
    ampel_store_u32(columns->extras_offset + 4 * (i + 1), columns->extras_size);
    columns->events_count++;

    columns->has_count |= event->count != 1;
    columns->has_policy |= event->policy != 0;
    columns->has_severity |= event->severity != AMPEL_SEVERITY_NOT_GIVEN;
    columns->has_code |= event->code != AMPEL_CODE_NONE;
    columns->has_points |= event->points != -1;
    columns->has_rev |= event->rev != (event->type == AMPEL_EVENT_ORDERS_DAY ? 1 : 0);
    columns->has_extras |= event->extras_size > 0;
    return true;
}

void ampel_columns_frame(const struct ampel_columns *columns, struct ampel_frame *frame) {
    frame->events_count = columns->events_count;
    frame->account = columns->account;
    frame->type = columns->type;
    frame->at = columns->at;
    frame->count = columns->has_count ? columns->count : NULL;
    frame->policy = columns->has_policy ? columns->policy : NULL;
    frame->severity = columns->has_severity ? columns->severity : NULL;
    frame->code = columns->has_code ? columns->code : NULL;
    frame->points = columns->has_points ? columns->points : NULL;
    frame->rev = columns->has_rev ? columns->rev : NULL;
    frame->extras_offset = columns->has_extras ? columns->extras_offset : NULL;
    frame->extras = columns->has_extras ? columns->extras : NULL;
    frame->extras_size = columns->has_extras ? columns->extras_size : 0;
}

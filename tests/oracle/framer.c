/* See framer.h. */
#include "tests/oracle/framer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/hash.h"

struct ampel_text ampel_story_text(const struct ampel_story_name *name) {
    return (struct ampel_text){name->text, (uint32_t)strlen(name->text)};
}

static struct ampel_text marketplace(void) {
    return (struct ampel_text){AMPEL_STORY_MARKETPLACE, sizeof AMPEL_STORY_MARKETPLACE - 1};
}

uint64_t ampel_story_hash(uint32_t account) {
    struct ampel_story_name tenant = ampel_story_tenant(account % 2);
    struct ampel_story_name seller = ampel_story_seller(account);
    return ampel_hash_account(ampel_story_text(&tenant), ampel_story_text(&seller), marketplace());
}

void ampel_framer_begin(struct ampel_framer *framer, const struct ampel_story_op *op) {
    framer->tenant = ampel_story_tenant(op->tenant);
    framer->producer = ampel_story_producer(op->producer);
    framer->frame = (struct ampel_frame){
        .stamp_ms = op->to_ms,
        .sent_at_ms = op->sent_at_ms,
        .backfill = op->backfill,
        .tenant = ampel_story_text(&framer->tenant),
        .producer = ampel_story_text(&framer->producer),
        .sequence = op->sequence,
    };
}

/* One column of a frame: where it goes, how wide it is, and whether any event says more than the
 * default. */
struct column {
    const uint8_t **place;
    uint32_t width;
    bool needed;
};

enum { ACCOUNT, TYPE, AT, COUNT, POLICY, SEVERITY, CODE, POINTS, REV, OFFSET, COLUMNS };

static void columns_of(struct ampel_frame *frame, struct column out[COLUMNS]) {
    out[ACCOUNT] = (struct column){&frame->account, 4, true};
    out[TYPE] = (struct column){&frame->type, 1, true};
    out[AT] = (struct column){&frame->at, 8, true};
    out[COUNT] = (struct column){&frame->count, 4, false};
    out[POLICY] = (struct column){&frame->policy, 1, false};
    out[SEVERITY] = (struct column){&frame->severity, 1, false};
    out[CODE] = (struct column){&frame->code, 1, false};
    out[POINTS] = (struct column){&frame->points, 2, false};
    out[REV] = (struct column){&frame->rev, 2, false};
    out[OFFSET] = (struct column){&frame->extras_offset, 4, false};
}

static void need_columns(const struct ampel_event *event, struct column columns[COLUMNS]) {
    uint16_t rev = event->type == AMPEL_EVENT_ORDERS_DAY ? 1 : 0;
    columns[COUNT].needed |= event->count != 1;
    columns[POLICY].needed |= event->policy != 0;
    columns[SEVERITY].needed |= event->severity != AMPEL_SEVERITY_NOT_GIVEN;
    columns[CODE].needed |= event->code != AMPEL_CODE_NONE;
    columns[POINTS].needed |= event->points != -1;
    columns[REV].needed |= event->rev != rev;
    columns[OFFSET].needed |= event->extras_size > 0;
}

static uint32_t account_index(struct ampel_framer *framer, uint32_t account) {
    struct ampel_frame *frame = &framer->frame;
    struct ampel_story_name seller = ampel_story_seller(account);
    for (uint32_t index = 0; index < frame->accounts_count; index++) {
        if (strcmp(framer->sellers[index].text, seller.text) == 0) {
            return index;
        }
    }
    uint32_t index = frame->accounts_count++;
    framer->accounts = ampel_oracle_grow(framer->accounts, index, &framer->accounts_capacity,
                                         sizeof *framer->accounts);
    framer->sellers = ampel_oracle_grow(framer->sellers, index, &framer->sellers_capacity,
                                        sizeof *framer->sellers);
    framer->sellers[index] = seller;
    framer->accounts[index].hash = ampel_story_hash(account);
    framer->accounts[index].marketplace = marketplace();
    return index;
}

static void store_event(const struct ampel_event *event, uint32_t account, uint32_t index,
                        uint32_t offset, uint8_t *const at[COLUMNS]) {
    ampel_store_u32(at[ACCOUNT] + 4 * (size_t)index, account);
    at[TYPE][index] = event->type;
    ampel_store_i64(at[AT] + 8 * (size_t)index, event->at_ms);
    ampel_store_u32(at[COUNT] + 4 * (size_t)index, event->count);
    at[POLICY][index] = event->policy;
    memcpy(at[SEVERITY] + index, &event->severity, 1);
    at[CODE][index] = event->code;
    memcpy(at[POINTS] + 2 * (size_t)index, &event->points, 2);
    ampel_store_u16(at[REV] + 2 * (size_t)index, event->rev);
    ampel_store_u32(at[OFFSET] + 4 * (size_t)index, offset);
}

const struct ampel_frame *ampel_framer_finish(struct ampel_framer *framer,
                                              const struct ampel_story *story,
                                              const uint32_t *order, uint32_t count) {
    struct ampel_frame *frame = &framer->frame;
    struct column columns[COLUMNS];
    columns_of(frame, columns);
    uint32_t extras_size = 0, size = 0;
    uint8_t *at[COLUMNS];
    for (uint32_t index = 0; index < count; index++) {
        need_columns(&story->events[order[index]].event, columns);
        extras_size += story->events[order[index]].event.extras_size;
    }
    for (int column = 0; column < COLUMNS; column++) {
        size += columns[column].width * (count + 1);
    }
    while (framer->columns_capacity < size + extras_size) {
        framer->columns = ampel_oracle_grow(framer->columns, framer->columns_capacity,
                                            &framer->columns_capacity, 1);
    }
    uint8_t *next = framer->columns;
    for (int column = 0; column < COLUMNS; column++) {
        at[column] = next;
        *columns[column].place = columns[column].needed ? next : NULL;
        next += columns[column].width * (count + 1);
    }
    frame->events_count = count;
    frame->extras = next;
    frame->extras_size = extras_size;
    uint32_t offset = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct ampel_story_event *event = &story->events[order[index]];
        store_event(&event->event, account_index(framer, event->account), index, offset, at);
        memcpy(next + offset, event->extras, event->event.extras_size);
        offset += event->event.extras_size;
    }
    ampel_store_u32(at[OFFSET] + 4 * (size_t)count, offset);
    for (uint32_t index = 0; index < frame->accounts_count; index++) {
        framer->accounts[index].seller = ampel_story_text(&framer->sellers[index]);
    }
    frame->accounts = framer->accounts;
    return frame;
}

void ampel_framer_reset(struct ampel_framer *framer) {
    free(framer->accounts);
    free(framer->sellers);
    free(framer->columns);
    *framer = (struct ampel_framer){0};
}

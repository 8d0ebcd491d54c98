#include "proto/judge.h"

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/draft.h"

/* Events judged at once by columns: long enough to fill vectors, short enough that one other event
   among orders costs little. */
#define RUN_EVENTS 64

bool ampel_judge_extras(const struct ampel_frame *frame) {
    if (frame->extras_offset == NULL) return frame->extras_size == 0;
    uint32_t falls = 0, last = ampel_load_u32(frame->extras_offset);
    if (last != 0) return false;
    for (size_t i = 1; i <= frame->events_count; i++) {
        uint32_t next = ampel_load_u32(frame->extras_offset + 4 * i);
        falls |= next < last;
        last = next;
    }
    return falls == 0 && last == frame->extras_size;
}

static bool all_bytes(const uint8_t *column, uint32_t from, uint32_t count, uint8_t expected) {
    if (column == NULL) return true;
    uint8_t differs = 0;
    for (uint32_t i = 0; i < count; i++)
        differs |= column[from + i] ^ expected;
    return differs == 0;
}

static bool all_u16(const uint8_t *column, uint32_t from, uint32_t count, uint16_t expected) {
    if (column == NULL) return true;
    uint32_t differs = 0;
    for (uint32_t i = 0; i < count; i++)
        differs |= (uint32_t)(ampel_load_u16(column + 2 * ((size_t)from + i)) ^ expected);
    return differs == 0;
}

/* Whether every entry lies in [least, least + span]: one subtraction and one comparison each. */
static bool all_u32_within(const uint8_t *column, uint32_t from, uint32_t count, uint32_t least,
                           uint32_t span) {
    if (column == NULL) return true;
    uint32_t outside = 0;
    for (uint32_t i = 0; i < count; i++)
        outside |= ampel_load_u32(column + 4 * ((size_t)from + i)) - least > span;
    return outside == 0;
}

static bool all_at_within(const uint8_t *column, uint32_t from, uint32_t count, int64_t least,
                          int64_t greatest) {
    if (least > greatest) return false;
    uint64_t outside = 0, base = (uint64_t)least, span = (uint64_t)greatest - base;
    for (uint32_t i = 0; i < count; i++)
        outside |= ampel_load_u64(column + 8 * ((size_t)from + i)) - base > span;
    return outside == 0;
}

/* The times that ampel_event_check accepts for an order of a batch sent at sent_at_ms. */
struct span {
    int64_t least_ms, greatest_ms;
};

static struct span order_span(int64_t sent_at_ms) {
    struct span span = {0, AMPEL_TIME_MAX_MS};
    if (sent_at_ms == INT64_MIN) return span;
    if (sent_at_ms - 2 * AMPEL_WINDOW_MS > span.least_ms)
        span.least_ms = sent_at_ms - 2 * AMPEL_WINDOW_MS;
    if (sent_at_ms + AMPEL_FUTURE_SLACK_MS < span.greatest_ms)
        span.greatest_ms = sent_at_ms + AMPEL_FUTURE_SLACK_MS;
    return span;
}

/* Whether a run is all orders with nothing to refuse. A column that other events of the frame use
   holds its default here, or ampel_event_check is asked. */
static bool run_plain(const struct ampel_frame *frame, struct span span, uint32_t from,
                      uint32_t count) {
    return all_bytes(frame->type, from, count, AMPEL_EVENT_ORDER) &&
           all_at_within(frame->at, from, count, span.least_ms, span.greatest_ms) &&
           frame->accounts_count > 0 &&
           all_u32_within(frame->account, from, count, 0, frame->accounts_count - 1) &&
           all_u32_within(frame->count, from, count, 1, AMPEL_ORDERS_MAX - 1) &&
           all_bytes(frame->policy, from, count, 0) &&
           all_bytes(frame->severity, from, count, (uint8_t)AMPEL_SEVERITY_NOT_GIVEN) &&
           all_bytes(frame->code, from, count, AMPEL_CODE_NONE) &&
           all_u16(frame->points, from, count, UINT16_MAX) && all_u16(frame->rev, from, count, 0) &&
           (frame->extras_offset == NULL ||
            ampel_load_u32(frame->extras_offset + 4 * (size_t)from) ==
                ampel_load_u32(frame->extras_offset + 4 * ((size_t)from + count)));
}

static enum ampel_verdict judge_one(const struct ampel_frame *frame, const uint8_t *account_bad,
                                    int64_t sent_at_ms, uint32_t index, const char **field) {
    struct ampel_event event;
    uint32_t account;
    ampel_frame_event(frame, index, &account, &event);
    if (account >= frame->accounts_count || (account_bad != NULL && account_bad[account] != 0)) {
        *field = "account";
        return AMPEL_VERDICT_BAD_ACCOUNT;
    }
    return ampel_draft_judge(&event, sent_at_ms, field);
}

uint32_t ampel_judge_next(const struct ampel_frame *frame, const uint8_t *account_bad,
                          int64_t sent_at_ms, uint32_t from, enum ampel_verdict *verdict,
                          const char **field) {
    struct span span = order_span(sent_at_ms);
    uint32_t index = from;
    while (index < frame->events_count) {
        uint32_t left = frame->events_count - index;
        uint32_t count = left < RUN_EVENTS ? left : RUN_EVENTS;
        if (account_bad == NULL && run_plain(frame, span, index, count)) {
            index += count;
            continue;
        }
        for (uint32_t end = index + count; index < end; index++) {
            const char *blamed = "";
            enum ampel_verdict found = judge_one(frame, account_bad, sent_at_ms, index, &blamed);
            if (found == AMPEL_VERDICT_OK) continue;
            *verdict = found;
            *field = blamed;
            return index;
        }
    }
    return frame->events_count;
}

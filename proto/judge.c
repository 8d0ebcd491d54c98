#include "proto/judge.h"

#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/draft.h"

/* Events judged at once by columns: long enough to fill vectors, short enough that one other event
   among orders costs little. */
#define RUN_EVENTS 64

bool ampel_judge_extras(const struct ampel_frame *frame) {
    if (frame->extras_offset == NULL) return frame->extras_size == 0;
    const uint8_t *offsets = frame->extras_offset;
    uint32_t falls = 0;
    for (size_t i = 0; i < frame->events_count; i++)
        falls |= ampel_load_u32(offsets + 4 * i + 4) < ampel_load_u32(offsets + 4 * i);
    return falls == 0 && ampel_load_u32(offsets) == 0 &&
           ampel_load_u32(offsets + 4 * (size_t)frame->events_count) == frame->extras_size;
}

/* Each adds to odd, a byte an event, where a column holds something else than expected. */
static void odd_bytes(const uint8_t *column, uint32_t from, uint32_t count, uint8_t expected,
                      uint8_t odd[RUN_EVENTS]) {
    if (column == NULL) return;
    column += from;
    for (size_t i = 0; i < count; i++)
        odd[i] |= column[i] ^ expected;
}

static void odd_u16(const uint8_t *column, uint32_t from, uint32_t count, uint16_t expected,
                    uint8_t odd[RUN_EVENTS]) {
    if (column == NULL) return;
    column += 2 * (size_t)from;
    for (size_t i = 0; i < count; i++)
        odd[i] |= ampel_load_u16(column + 2 * i) != expected;
}

static void odd_extras(const struct ampel_frame *frame, uint32_t from, uint32_t count,
                       uint8_t odd[RUN_EVENTS]) {
    if (frame->extras_offset == NULL) return;
    const uint8_t *offsets = frame->extras_offset + 4 * (size_t)from;
    for (size_t i = 0; i < count; i++)
        odd[i] |= ampel_load_u32(offsets + 4 * i) != ampel_load_u32(offsets + 4 * i + 4);
}

/* Whether every entry lies in [least, least + span]: one subtraction and one comparison each. */
static bool all_u32_within(const uint8_t *column, uint32_t from, uint32_t count, uint32_t least,
                           uint32_t span) {
    if (column == NULL) return true;
    uint32_t outside = 0;
    column += 4 * (size_t)from;
    for (size_t i = 0; i < count; i++)
        outside |= ampel_load_u32(column + 4 * i) - least > span;
    return outside == 0;
}

static bool all_at_within(const uint8_t *column, uint32_t from, uint32_t count, int64_t least,
                          int64_t greatest) {
    AMPEL_ASSERT(least >= 0 && least <= greatest);
    /* By signs: what lies between has differences to both without one; what is below zero has one to either at least. */
    uint64_t outside = 0, low = (uint64_t)least, high = (uint64_t)greatest;
    column += 8 * (size_t)from;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = ampel_load_u64(column + 8 * i);
        outside |= (at - low) | (high - at);
    }
    return outside >> 63 == 0;
}

/* The times that ampel_event_check accepts for an order or a violation of a batch sent at sent_at_ms. */
struct span {
    int64_t least_ms, greatest_ms;
};

static struct span event_span(int64_t sent_at_ms) {
    struct span span = {0, AMPEL_TIME_MAX_MS};
    if (sent_at_ms == INT64_MIN) return span;
    if (sent_at_ms - 2 * AMPEL_WINDOW_MS > span.least_ms)
        span.least_ms = sent_at_ms - 2 * AMPEL_WINDOW_MS;
    if (sent_at_ms + AMPEL_FUTURE_SLACK_MS < span.greatest_ms)
        span.greatest_ms = sent_at_ms + AMPEL_FUTURE_SLACK_MS;
    return span;
}

/* Marks the events of a run that are no plain orders with nothing to refuse: ampel_event_check is asked about those. A column
   that other events of the frame use holds its default where an order is plain. */
static void run_odd(const struct ampel_frame *frame, const uint8_t *account_bad, struct span span,
                    uint32_t from, uint32_t count, uint8_t odd[RUN_EVENTS]) {
    bool within = account_bad == NULL && frame->accounts_count > 0 &&
                  all_at_within(frame->at, from, count, span.least_ms, span.greatest_ms) &&
                  all_u32_within(frame->account, from, count, 0, frame->accounts_count - 1) &&
                  all_u32_within(frame->count, from, count, 1, AMPEL_ORDERS_MAX - 1);
    memset(odd, within ? 0 : 1, RUN_EVENTS);
    if (!within) return;
    odd_bytes(frame->type, from, count, AMPEL_EVENT_ORDER, odd);
    odd_bytes(frame->policy, from, count, 0, odd);
    odd_bytes(frame->severity, from, count, (uint8_t)AMPEL_SEVERITY_NOT_GIVEN, odd);
    odd_bytes(frame->code, from, count, AMPEL_CODE_NONE, odd);
    odd_u16(frame->points, from, count, UINT16_MAX, odd);
    odd_u16(frame->rev, from, count, 0, odd);
    odd_extras(frame, from, count, odd);
}

/* The next marked event of a run at or after index; count if there is none. Bytes behind the run are there to be read. */
static uint32_t odd_next(const uint8_t odd[RUN_EVENTS + 8], uint32_t index, uint32_t count) {
    for (; index < count; index += 8) {
        const uint64_t word = ampel_load_u64(odd + index);
        if (word == 0) continue;
        index += (uint32_t)__builtin_ctzll(word) / 8;
        return index < count ? index : count;
    }
    return count;
}

static enum ampel_verdict judge_one(const struct ampel_frame *frame, const uint8_t *account_bad,
                                    int64_t sent_at_ms, struct span span, uint32_t index,
                                    const char **field) {
    struct ampel_event event;
    uint32_t account;
    ampel_frame_event(frame, index, &account, &event);
    if (account >= frame->accounts_count || (account_bad != NULL && account_bad[account] != 0)) {
        *field = "account";
        return AMPEL_VERDICT_BAD_ACCOUNT;
    }
    if (event.type == AMPEL_EVENT_VIOLATION && event.count == 1 && event.code == AMPEL_CODE_NONE &&
        event.at_ms >= span.least_ms && event.at_ms <= span.greatest_ms && ampel_violation_plain(&event))
        return AMPEL_VERDICT_OK;
    return ampel_draft_judge(&event, sent_at_ms, field);
}

uint32_t ampel_judge_next(const struct ampel_frame *frame, const uint8_t *account_bad,
                          int64_t sent_at_ms, uint32_t from, enum ampel_verdict *verdict,
                          const char **field) {
    struct span span = event_span(sent_at_ms);
    for (uint32_t first = from; first < frame->events_count; first += RUN_EVENTS) {
        uint32_t left = frame->events_count - first;
        uint32_t count = left < RUN_EVENTS ? left : RUN_EVENTS;
        uint8_t odd[RUN_EVENTS + 8] = {0};
        run_odd(frame, account_bad, span, first, count, odd);
        for (uint32_t i = odd_next(odd, 0, count); i < count; i = odd_next(odd, i + 1, count)) {
            const char *blamed = "";
            enum ampel_verdict found = judge_one(frame, account_bad, sent_at_ms, span, first + i, &blamed);
            if (found == AMPEL_VERDICT_OK) continue;
            *verdict = found;
            *field = blamed;
            return first + i;
        }
    }
    return frame->events_count;
}

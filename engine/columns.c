#include "engine/columns.h"

#include "engine/event.h"

static struct ampel_column column_of(const uint8_t *bytes, const void *fallback) {
    return bytes != NULL ? (struct ampel_column){bytes, UINT32_MAX} : (struct ampel_column){fallback, 0};
}

void ampel_columns_init(struct ampel_columns *columns, const struct ampel_frame *frame, int64_t now_ms) {
    static const uint64_t zero = 0, one = 1;
    *columns = (struct ampel_columns){
        .account = column_of(frame->account, &zero),
        .type = column_of(frame->type, &zero),
        .at = column_of(frame->at, &zero),
        .count = column_of(frame->count, &one),
        .extras_offset = column_of(frame->extras_offset, &zero),
        .events_count = frame->events_count,
        .accounts_count = frame->accounts_count,
        .now_ms = now_ms,
    };
}

static bool event_plain(const struct ampel_columns *columns, uint32_t index) {
    return *ampel_column_at(columns->type, index, sizeof(uint8_t)) == AMPEL_EVENT_ORDER &&
           ampel_load_u32(ampel_column_at(columns->extras_offset, index, sizeof(uint32_t))) ==
               ampel_load_u32(ampel_column_at(columns->extras_offset, index + 1, sizeof(uint32_t)));
}

static bool event_outside(const struct ampel_columns *columns, uint32_t index) {
    /* A time below zero is a great one without its sign. */
    return ampel_columns_account(columns, index) >= columns->accounts_count ||
           ampel_columns_count(columns, index) - 1 >= AMPEL_ORDERS_MAX ||
           (uint64_t)ampel_columns_at(columns, index) > (uint64_t)columns->now_ms;
}

/* Not of a frame's first event. */
static bool account_same(const struct ampel_columns *columns, uint32_t index) {
    return ampel_columns_account(columns, index) == ampel_columns_account(columns, index - 1);
}

/* One by one: the end of a frame, and what the look at all together leaves open. */
static void run_each(const struct ampel_columns *columns, uint32_t first, uint32_t count, struct ampel_run *out) {
    /* Events that are not there; count may be as many as there are bits. */
    uint64_t behind = count < AMPEL_RUN_EVENTS ? ~UINT64_C(0) << count : 0;
    *out = (struct ampel_run){behind, behind, 0};
    for (uint32_t i = 0; i < count; i++) {
        bool outside = event_outside(columns, first + i);
        out->odd |= (uint64_t)(outside || !event_plain(columns, first + i)) << i;
        out->outside |= (uint64_t)outside << i;
        out->same |= (uint64_t)(i > 0 && account_same(columns, first + i)) << i;
    }
}

/* A bit for each byte, which is 0 or 1. */
static uint64_t bytes_bits(const uint8_t bytes[AMPEL_RUN_EVENTS]) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < AMPEL_RUN_EVENTS; i += 8) /* the eight lowest bits side by side */
        bits |= (ampel_load_u64(bytes + i) * UINT64_C(0x0102040810204080) >> 56) << i;
    return bits;
}

/* What loops look at is done so many events at a time. */
#define GROUP 16
static_assert(AMPEL_RUN_EVENTS % GROUP == 0, "a whole run is whole groups");

/* A byte an event of a run, and before them room for a group that ends in its first events. */
struct looked {
    uint8_t odd[GROUP + AMPEL_RUN_EVENTS], same[GROUP + AMPEL_RUN_EVENTS];
    uint64_t beyond; /* its sign: whether any time lies below zero or after now */
    uint32_t account; /* its sign: whether any is none of the frame */
    uint32_t count;   /* AMPEL_ORDERS_MAX and less: none is out of range */
};

/* Whole groups of events: one loop a column. Defaults of columns that are missing are those of a plain order of the frame's
   first account. */
AMPEL_INLINE void groups_look(const struct ampel_columns *columns, uint32_t first, uint32_t events, struct looked *looked,
                              uint8_t *odd) {
    const uint8_t *type = ampel_column_at(columns->type, first, sizeof(uint8_t));
    const uint8_t *extras = ampel_column_at(columns->extras_offset, first, sizeof(uint32_t));
    const uint8_t *account = ampel_column_at(columns->account, first, sizeof(uint32_t));
    const uint8_t *count = ampel_column_at(columns->count, first, sizeof(uint32_t));
    const uint8_t *at = ampel_column_at(columns->at, first, sizeof(int64_t));
    const uint32_t accounts_count = columns->accounts_count;
    const uint64_t now_ms = (uint64_t)columns->now_ms;
    const size_t many = events & ~(uint32_t)(GROUP - 1);
    uint32_t none = 0, counts = 0;
    uint64_t beyond = 0;
    for (size_t i = 0; i < many && columns->type.mask != 0; i++)
        odd[i] = type[i] != AMPEL_EVENT_ORDER;
    for (size_t i = 0; i < many && columns->extras_offset.mask != 0; i++)
        odd[i] |= ampel_load_u32(extras + 4 * i) != ampel_load_u32(extras + 4 * i + 4);
    for (size_t i = 0; i < many && columns->account.mask != 0; i++)
        none |= ampel_load_u32(account + 4 * i) | ~(ampel_load_u32(account + 4 * i) - accounts_count);
    for (size_t i = 0; i < many && columns->count.mask != 0; i++)
        counts |= ampel_load_u32(count + 4 * i) | (ampel_load_u32(count + 4 * i) - 1);
    for (size_t i = 0; i < many && columns->at.mask != 0; i++)
        beyond |= ampel_load_u64(at + 8 * i) | (now_ms - ampel_load_u64(at + 8 * i));
    looked->account |= none;
    looked->count |= counts;
    looked->beyond |= beyond;
}
static_assert((AMPEL_ORDERS_MAX & (AMPEL_ORDERS_MAX + 1)) == 0, "counts in range are those without higher bits");

/* Whole groups of events, not with the frame's first one. */
AMPEL_INLINE void groups_same(const struct ampel_columns *columns, uint32_t first, uint32_t events, uint8_t *same) {
    const uint8_t *account = ampel_column_at(columns->account, first - 1, sizeof(uint32_t));
    const size_t many = events & ~(uint32_t)(GROUP - 1);
    for (size_t i = 0; i < many; i++)
        same[i] = ampel_load_u32(account + 4 * i) == ampel_load_u32(account + 4 * i + 4);
}

/* Of a frame that has a group behind its first event. What is left of whole groups is looked at as the group that ends with
   the last event. */
static void run_groups(const struct ampel_columns *columns, uint32_t first, uint32_t count, struct ampel_run *out) {
    struct looked looked = {.beyond = (uint64_t)columns->now_ms, .account = columns->accounts_count - 1};
    uint8_t *odd = looked.odd + GROUP, *same = looked.same + GROUP;
    const uint32_t end = first + count, second = first > 0 ? first : 1;
    if (count == AMPEL_RUN_EVENTS)
        groups_look(columns, first, AMPEL_RUN_EVENTS, &looked, odd);
    else
        groups_look(columns, first, count, &looked, odd);
    if (count % GROUP != 0) groups_look(columns, end - GROUP, GROUP, &looked, odd + count - GROUP);
    *out = (struct ampel_run){bytes_bits(odd), 0, ~UINT64_C(1)};
    if (columns->account.mask != 0) {
        groups_same(columns, second, end - second, same + (second - first));
        if ((end - second) % GROUP != 0) groups_same(columns, end - GROUP, GROUP, same + count - GROUP);
        out->same = bytes_bits(same) & ~UINT64_C(1);
    }
    if (count < AMPEL_RUN_EVENTS) {
        const uint64_t behind = ~UINT64_C(0) << count;
        out->odd |= behind;
        out->outside = behind;
        out->same &= ~behind;
    }
    if ((looked.account >> 31 | looked.beyond >> 63) != 0 || looked.count > AMPEL_ORDERS_MAX)
        run_each(columns, first, count, out);
}

void ampel_columns_run(const struct ampel_columns *columns, uint32_t first, struct ampel_run *out) {
    uint32_t left = first < columns->events_count ? columns->events_count - first : 0;
    if (left > AMPEL_RUN_EVENTS) left = AMPEL_RUN_EVENTS;
    if (left > 0 && columns->events_count > GROUP)
        run_groups(columns, first, left, out);
    else
        run_each(columns, first, left, out);
}

/* Runs of events by their columns, beside every event for itself. */
#include "engine/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/event.h"
#include "tests/unit/draw.h"

#define EVENTS_MAX 400
#define NOW_MS     INT64_C(1790858096789)

struct store {
    struct ampel_frame frame;
    uint8_t account[4 * EVENTS_MAX + 1], type[EVENTS_MAX + 1], at[8 * EVENTS_MAX + 1], count[4 * EVENTS_MAX + 1];
    uint8_t extras_offset[4 * (EVENTS_MAX + 1) + 1];
};

static uint64_t state = 88172645463325252u;
static uint32_t below(uint32_t bound) {
    return draw_from(&state, bound);
}

/* Columns lie one byte off any alignment; of every so many events one has something odd. */
static void store_fill(struct store *store, uint32_t events_count, uint32_t one_in) {
    static const int64_t times[] = {-1, INT64_MIN, NOW_MS + 1, INT64_MAX, 0, NOW_MS};
    static const uint32_t counts[] = {0, UINT32_MAX, AMPEL_ORDERS_MAX, AMPEL_ORDERS_MAX + 1, AMPEL_ORDERS_MAX - 1, 1};
    uint32_t extras = 0;
    for (uint32_t i = 0; i < events_count; i++) {
        uint32_t what = below(one_in) == 0 ? 1 + below(5) : 0;
        ampel_store_u32(store->account + 1 + 4 * (size_t)i, what == 1 ? 7 + below(2) * (UINT32_MAX - 7) : below(7));
        store->type[1 + i] = what == 2 ? (uint8_t)below(16) : AMPEL_EVENT_ORDER;
        ampel_store_i64(store->at + 1 + 8 * (size_t)i, what == 3 ? times[below(6)] : NOW_MS - (int64_t)below(1u << 31));
        ampel_store_u32(store->count + 1 + 4 * (size_t)i, what == 4 ? counts[below(6)] : 1 + below(9));
        ampel_store_u32(store->extras_offset + 1 + 4 * (size_t)i, extras);
        extras += what == 5 ? below(3) : 0;
    }
    ampel_store_u32(store->extras_offset + 1 + 4 * (size_t)events_count, extras);
    store->frame = (struct ampel_frame){
        .accounts_count = 7, .events_count = events_count, .account = store->account + 1, .type = store->type + 1,
        .at = store->at + 1, .count = store->count + 1, .extras_offset = store->extras_offset + 1, .extras_size = extras,
    };
}

static void runs_check(const struct ampel_frame *frame) {
    struct ampel_columns columns;
    struct ampel_run run = {0, 0, 0};
    ampel_columns_init(&columns, frame, NOW_MS);
    uint32_t end = frame->events_count + 2 * AMPEL_RUN_EVENTS;
    for (uint32_t i = 0; i < end; i++) {
        uint32_t bit = i % AMPEL_RUN_EVENTS, account, before = 0;
        if (bit == 0) ampel_columns_run(&columns, i, &run);
        bool odd = true, outside = true, same = false;
        if (i < frame->events_count) {
            struct ampel_event event;
            ampel_frame_event(frame, i, &account, &event);
            outside = account >= frame->accounts_count || event.at_ms < 0 || event.at_ms > NOW_MS || event.count < 1 ||
                      event.count > AMPEL_ORDERS_MAX;
            bool extras = frame->extras_offset != NULL && ampel_load_u32(frame->extras_offset + 4 * (size_t)i) !=
                                                              ampel_load_u32(frame->extras_offset + 4 * (size_t)i + 4);
            odd = outside || event.type != AMPEL_EVENT_ORDER || extras;
            if (bit > 0) ampel_frame_event(frame, i - 1, &before, &event);
            same = bit > 0 && before == account;
        }
        assert_int_equal(run.odd >> bit & 1, odd);
        assert_int_equal(run.outside >> bit & 1, outside);
        assert_int_equal(run.same >> bit & 1, same);
    }
}

static void test_runs_say_of_each_event_what_it_says_alone(void **unused) {
    (void)unused;
    static struct store store;
    static const uint32_t one_ins[] = {1, 5, 70, 1000000};
    for (uint32_t round = 0; round < 400; round++) {
        store_fill(&store, below(EVENTS_MAX + 1), one_ins[round % 4]);
        runs_check(&store.frame);
    }
}

static void test_missing_columns_are_their_defaults(void **unused) {
    (void)unused;
    static struct store store;
    for (uint32_t round = 0; round < 320; round++) {
        store_fill(&store, below(EVENTS_MAX + 1), 9);
        struct ampel_frame frame = store.frame;
        if ((round & 1) != 0) frame.account = NULL;
        if ((round & 2) != 0) frame.type = NULL;
        if ((round & 4) != 0) frame.at = NULL;
        if ((round & 8) != 0) frame.count = NULL;
        if ((round & 16) != 0) frame.extras_offset = NULL;
        runs_check(&frame);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_say_of_each_event_what_it_says_alone),
        cmocka_unit_test(test_missing_columns_are_their_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

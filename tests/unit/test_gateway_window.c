/* The gateway's window of sequences, beside a slow one that remembers every sequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "workers/gateway_window.h"

static void a_fresh_window_takes_exactly_the_credit(void **state) {
    (void)state;
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    assert_int_equal(ampel_gateway_window_query(&window, 0), AMPEL_SEQUENCE_FREE);
    assert_int_equal(ampel_gateway_window_query(&window, AMPEL_CREDIT - 1), AMPEL_SEQUENCE_FREE);
    assert_int_equal(ampel_gateway_window_query(&window, AMPEL_CREDIT), AMPEL_SEQUENCE_BEYOND);
    assert_int_equal(ampel_gateway_window_query(&window, UINT64_MAX), AMPEL_SEQUENCE_BEYOND);
}

static void next_waits_for_the_lowest_and_then_jumps_over_what_is_done(void **state) {
    (void)state;
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    for (uint64_t sequence = 0; sequence < 5; sequence++)
        ampel_gateway_window_claim(&window, sequence);
    for (uint64_t sequence = 4; sequence > 0; sequence--) {
        ampel_gateway_window_release(&window, sequence, true);
        assert_int_equal(window.next, 0);
        assert_int_equal(ampel_gateway_window_query(&window, sequence), AMPEL_SEQUENCE_DONE);
    }
    assert_int_equal(ampel_gateway_window_query(&window, 0), AMPEL_SEQUENCE_UNDERWAY);
    ampel_gateway_window_release(&window, 0, true);
    assert_int_equal(window.next, 5);
    assert_int_equal(ampel_gateway_window_query(&window, AMPEL_CREDIT + 4), AMPEL_SEQUENCE_FREE);
    assert_int_equal(ampel_gateway_window_query(&window, AMPEL_CREDIT + 5), AMPEL_SEQUENCE_BEYOND);
}

static void a_sequence_that_failed_may_be_taken_again(void **state) {
    (void)state;
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    ampel_gateway_window_claim(&window, 7);
    assert_false(ampel_gateway_window_quiet(&window));
    ampel_gateway_window_release(&window, 7, false);
    assert_true(ampel_gateway_window_quiet(&window));
    assert_int_equal(ampel_gateway_window_query(&window, 7), AMPEL_SEQUENCE_FREE);
    assert_int_equal(window.next, 0);
}

static void the_union_of_partitions_is_the_truth_in_any_order(void **state) {
    (void)state;
    /* One partition moved on to 2000, others stand behind it and know sequences on both sides. */
    const struct {
        uint64_t base;
        uint32_t bits[4];
        uint32_t count;
    } parts[] = {
        {2000, {0, 1, 5}, 3},      /* 2000, 2001, 2005 */
        {1500, {10, 502, 503}, 3}, /* 1510 is below 2000; 2002, 2003 */
        {1990, {14, 30}, 2},       /* 2004, 2020 */
    };
    static const uint32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (uint32_t order = 0; order < 6; order++) {
        struct ampel_gateway_window window;
        ampel_gateway_window_init(&window);
        for (uint32_t i = 0; i < 3; i++) {
            const uint32_t part = orders[order][i];
            uint64_t bits[AMPEL_CREDIT / 64] = {0};
            for (uint32_t k = 0; k < parts[part].count; k++)
                bits[parts[part].bits[k] / 64] |= UINT64_C(1) << (parts[part].bits[k] % 64);
            ampel_gateway_window_merge(&window, parts[part].base, bits);
        }
        assert_int_equal(window.next, 2006);
        uint64_t done[AMPEL_CREDIT];
        assert_int_equal(ampel_gateway_window_done(&window, done), 1);
        assert_int_equal(done[0], 2020);
    }
}

static void a_base_far_ahead_leaves_no_old_bits_behind(void **state) {
    (void)state;
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    uint64_t bits[AMPEL_CREDIT / 64];
    memset(bits, 0xff, sizeof(bits));
    bits[0] = ~UINT64_C(1); /* all but the lowest */
    ampel_gateway_window_merge(&window, 0, bits);
    assert_int_equal(window.next, 0);
    const uint64_t none[AMPEL_CREDIT / 64] = {0};
    ampel_gateway_window_merge(&window, 100000, none);
    assert_int_equal(window.next, 100000);
    uint64_t done[AMPEL_CREDIT];
    assert_int_equal(ampel_gateway_window_done(&window, done), 0);
}

static void sequences_at_the_end_of_the_numbers_do_not_wrap(void **state) {
    (void)state;
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    const uint64_t bits[AMPEL_CREDIT / 64] = {0, 0, UINT64_MAX};
    ampel_gateway_window_merge(&window, UINT64_MAX - 10, bits);
    assert_int_equal(window.next, UINT64_MAX - 10);
    assert_int_equal(ampel_gateway_window_query(&window, 0), AMPEL_SEQUENCE_DONE);
    assert_int_equal(ampel_gateway_window_query(&window, UINT64_MAX), AMPEL_SEQUENCE_FREE);
}

/* splitmix64: the seed is printed, so that a failure can be seen again. */
static uint64_t random_next(uint64_t *seed) {
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define SLOW_SEQUENCES 20000
static uint8_t slow[SLOW_SEQUENCES]; /* 0 free, 1 under way, 2 done */

static void a_slow_window_that_remembers_everything_agrees(void **state) {
    (void)state;
    const uint64_t first_seed = 20250211;
    uint64_t seed = first_seed;
    print_message("seed %llu\n", (unsigned long long)first_seed);
    memset(slow, 0, sizeof(slow));
    struct ampel_gateway_window window;
    ampel_gateway_window_init(&window);
    uint64_t lowest = 0;
    for (uint32_t step = 0; step < 200000; step++) {
        uint64_t sequence = lowest + random_next(&seed) % (AMPEL_CREDIT + 50);
        /* The lowest comes often enough for the window to move. */
        if (random_next(&seed) % 4 == 0) sequence = lowest;
        if (lowest > 60 && random_next(&seed) % 16 == 0)
            sequence = lowest - random_next(&seed) % 60;
        if (sequence >= SLOW_SEQUENCES) break;
        const enum ampel_sequence_state is = ampel_gateway_window_query(&window, sequence);
        const enum ampel_sequence_state should = slow[sequence] == 2 ? AMPEL_SEQUENCE_DONE
                                                 : sequence >= lowest + AMPEL_CREDIT
                                                     ? AMPEL_SEQUENCE_BEYOND
                                                 : slow[sequence] == 1 ? AMPEL_SEQUENCE_UNDERWAY
                                                                       : AMPEL_SEQUENCE_FREE;
        assert_int_equal(is, should);
        if (is == AMPEL_SEQUENCE_FREE) {
            ampel_gateway_window_claim(&window, sequence);
            slow[sequence] = 1;
        } else if (is == AMPEL_SEQUENCE_UNDERWAY) {
            const bool durable = random_next(&seed) % 3 != 0;
            ampel_gateway_window_release(&window, sequence, durable);
            slow[sequence] = durable ? 2 : 0;
        }
        while (slow[lowest] == 2)
            lowest++;
        assert_int_equal(window.next, lowest);
    }
    assert_true(lowest > AMPEL_CREDIT * 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_window_takes_exactly_the_credit),
        cmocka_unit_test(next_waits_for_the_lowest_and_then_jumps_over_what_is_done),
        cmocka_unit_test(a_sequence_that_failed_may_be_taken_again),
        cmocka_unit_test(the_union_of_partitions_is_the_truth_in_any_order),
        cmocka_unit_test(a_base_far_ahead_leaves_no_old_bits_behind),
        cmocka_unit_test(sequences_at_the_end_of_the_numbers_do_not_wrap),
        cmocka_unit_test(a_slow_window_that_remembers_everything_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

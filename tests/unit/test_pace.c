/* How shards slow down while what they told is not stored: never at once, never for good before the room is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/keeper_turns.h"
#include "workers/pace.h"

#define MIB       (UINT64_C(1) << 20)
#define SECOND_NS INT64_C(1000000000)

static void nothing_pauses_before_half_of_the_room_is_taken(void **state) {
    (void)state;
    assert_int_equal(ampel_pace_pause_ns(1 << 20, 0, 256 * MIB), 0);
    assert_int_equal(ampel_pace_pause_ns(1 << 20, 128 * MIB, 256 * MIB), 0);
    assert_false(ampel_pace_crowded(128 * MIB, 256 * MIB));
    assert_true(ampel_pace_crowded(128 * MIB + 1, 256 * MIB));
    assert_int_equal(ampel_pace_pause_ns(0, 200 * MIB, 256 * MIB), 0);
}

static void pauses_grow_with_what_is_told_and_with_what_is_taken_without_a_step(void **state) {
    (void)state;
    int64_t before_ns = 0;
    for (uint64_t taken = 128 * MIB; taken <= 257 * MIB; taken += MIB / 16) {
        int64_t pause_ns = ampel_pace_pause_ns(3000, taken, 256 * MIB);
        assert_true(pause_ns >= before_ns && pause_ns <= AMPEL_PACE_PAUSE_MAX_NS);
        assert_true(pause_ns <= before_ns * 2 + 2000000 || pause_ns == AMPEL_PACE_PAUSE_MAX_NS);
        assert_true(ampel_pace_pause_ns(6000, taken, 256 * MIB) >= pause_ns);
        before_ns = pause_ns;
    }
    assert_int_equal(before_ns, AMPEL_PACE_PAUSE_MAX_NS);
    assert_int_equal(ampel_pace_pause_ns(UINT64_MAX, 256 * MIB - 1, 256 * MIB), AMPEL_PACE_PAUSE_MAX_NS);
    assert_int_equal(ampel_pace_pause_ns(UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 2 + 1), AMPEL_PACE_PAUSE_MAX_NS);
}

/* Records of 3 000 bytes told, as many as come, none of them stored: after ten minutes some are told each second, after an hour, too. */
static void without_a_database_telling_goes_on_for_hours(void **state) {
    (void)state;
    const uint64_t max = 256 * MIB;
    uint64_t taken = 128 * MIB, records = 0, by_ten_minutes = 0, last_minute = 0;
    for (int64_t now_ns = 0; now_ns < 7200 * SECOND_NS; records++) {
        taken += 3000;
        now_ns += ampel_pace_pause_ns(3000, taken, max) + SECOND_NS / 1000;
        if (now_ns < 600 * SECOND_NS) by_ten_minutes = records;
        if (now_ns > 7140 * SECOND_NS) last_minute++;
    }
    assert_true(taken < max);
    assert_in_range(by_ten_minutes, 15000, 40000);
    assert_true(last_minute >= 30);
}

/* Whatever records tell, and in however little room: what is told in ten minutes is never all that is left. */
static void room_that_is_left_lasts_ten_minutes_more(void **state) {
    (void)state;
    for (uint64_t max = MIB; max <= 1024 * MIB; max *= 4) {
        for (uint64_t told = 500; told <= max / 32; told *= 3) {
            uint64_t taken = max / 2 + max / 8, left = max - taken;
            for (int64_t now_ns = 0; now_ns < 600 * SECOND_NS; taken += told)
                now_ns += ampel_pace_pause_ns(told, taken, max);
            assert_true(taken < max && max - taken > left / 8);
        }
    }
    assert_true(ampel_pace_pause_ns(1000, 3 * MIB, 4 * MIB) <= SECOND_NS);
}

static void what_waits_in_front_of_a_slow_shard_is_kept_to_half_a_second_of_work(void **state) {
    (void)state;
    assert_int_equal(ampel_pace_depth(0), UINT32_MAX);
    assert_int_equal(ampel_pace_depth(1000000), 500);
    assert_int_equal(ampel_pace_depth(100000000), 5);
    assert_int_equal(ampel_pace_depth(AMPEL_PACE_PAUSE_MAX_NS), AMPEL_PACE_DEPTH_MIN);
}

static struct ampel_parcel_record *record_of(uint32_t producer, uint64_t sequence) {
    struct ampel_parcel_record *record = ampel_parcel_record_make(64);
    assert_non_null(record);
    record->producer_index = producer;
    record->sequence = sequence;
    return record;
}

static void each_producer_has_its_turn_and_its_records_keep_their_order(void **state) {
    (void)state;
    struct ampel_turns turns = {0};
    assert_null(ampel_turns_first(&turns));
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(ampel_turns_push(&turns, record_of(7, i)));
    for (uint64_t i = 0; i < 3; i++)
        assert_true(ampel_turns_push(&turns, record_of(300, i)));
    assert_int_equal(turns.count, 1003);
    uint64_t next_7 = 0, next_300 = 0;
    for (uint32_t i = 0; i < 100; i++) {
        struct ampel_parcel_record *record = ampel_turns_first(&turns);
        assert_int_equal(record->sequence, record->producer_index == 7 ? next_7++ : next_300++);
        ampel_turns_pop(&turns);
        ampel_parcel_record_release(record);
        if (i == 5) assert_int_equal(next_300, 3);
    }
    assert_int_equal(turns.count, 903);
    ampel_turns_reset(&turns);
    assert_int_equal(turns.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_pauses_before_half_of_the_room_is_taken),
        cmocka_unit_test(pauses_grow_with_what_is_told_and_with_what_is_taken_without_a_step),
        cmocka_unit_test(without_a_database_telling_goes_on_for_hours),
        cmocka_unit_test(room_that_is_left_lasts_ten_minutes_more),
        cmocka_unit_test(what_waits_in_front_of_a_slow_shard_is_kept_to_half_a_second_of_work),
        cmocka_unit_test(each_producer_has_its_turn_and_its_records_keep_their_order),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}

/* The machine's clock: shifted, standing, fast, and held when somebody sets it to nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/bounds.h"
#include "workers/clock.h"

#define AT INT64_C(1790000000000)

/* Waits on the monotonic clock alone. */
static void pass(const struct ampel_clock *clock, int64_t ms) {
    int64_t until_ns = clock->monotonic_ns(clock->context) + ms * 1000000;
    while (clock->monotonic_ns(clock->context) < until_ns) {
    }
}

static void a_standing_clock_stands_while_its_timers_run(void **state) {
    (void)state;
    struct ampel_system_clock memory;
    struct ampel_clock clock;
    ampel_clock_system(&memory, AT, 0, &clock);
    int64_t before_ns = clock.monotonic_ns(clock.context);
    pass(&clock, 3);
    assert_true(clock.now_ms(clock.context) == AT);
    assert_true(clock.monotonic_ns(clock.context) - before_ns >= 3000000);
}

static void a_fast_clock_runs_at_its_speed_from_its_start(void **state) {
    (void)state;
    struct ampel_system_clock memory;
    struct ampel_clock clock;
    ampel_clock_system(&memory, AT, 1000, &clock);
    pass(&clock, 20);
    int64_t passed_ms = clock.now_ms(clock.context) - AT;
    assert_true(passed_ms >= 19 * 1000 && passed_ms < 20 * 1000 * 100);
}

static void a_fast_clock_ends_with_the_times_of_the_model(void **state) {
    (void)state;
    struct ampel_system_clock memory;
    struct ampel_clock clock;
    ampel_clock_system(&memory, AMPEL_TIME_MAX_MS - 50000, 100000, &clock);
    pass(&clock, 5);
    assert_true(clock.now_ms(clock.context) == AMPEL_TIME_MAX_MS);
}

static void the_plain_clock_is_the_machines(void **state) {
    (void)state;
    struct ampel_system_clock memory;
    struct ampel_clock clock;
    ampel_clock_system(&memory, INT64_MIN, 1, &clock);
    int64_t before_ms = ampel_clock_machine_ms();
    int64_t now_ms = clock.now_ms(clock.context);
    assert_true(now_ms >= before_ms && now_ms <= ampel_clock_machine_ms());
}

static void a_jump_is_followed_by_a_day_and_no_further(void **state) {
    (void)state;
    int64_t day = AMPEL_DAY_MS;
    assert_true(ampel_clock_held(AT, 5000, AT + 5000) == AT + 5000);
    assert_true(ampel_clock_held(AT, 5000, AT + 5000 + day) == AT + 5000 + day);
    assert_true(ampel_clock_held(AT, 5000, AT + 5000 + day + 1) == AT + 5000 + day);
    assert_true(ampel_clock_held(AT, 5000, AT + 5000 - day) == AT + 5000 - day);
    assert_true(ampel_clock_held(AT, 5000, AT + 5000 - day - 1) == AT + 5000 - day);
    assert_true(ampel_clock_held(AT, 40 * day, 0) == AT + 39 * day);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standing_clock_stands_while_its_timers_run),
        cmocka_unit_test(a_fast_clock_runs_at_its_speed_from_its_start),
        cmocka_unit_test(a_fast_clock_ends_with_the_times_of_the_model),
        cmocka_unit_test(the_plain_clock_is_the_machines),
        cmocka_unit_test(a_jump_is_followed_by_a_day_and_no_further),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

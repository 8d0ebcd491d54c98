#define _POSIX_C_SOURCE 200809L
#include "workers/clock.h"

#include <time.h>

#include "engine/bounds.h"

static int64_t read_ns(clockid_t clock) {
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    AMPEL_ASSERT(failed == 0);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t ampel_clock_machine_ms(void) {
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t ampel_clock_machine_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

static int64_t monotonic_ns(void *context) {
    (void)context;
    return ampel_clock_machine_ns();
}

static int64_t now_ms(void *context) {
    const struct ampel_system_clock *state = context;
    if (!state->shifted) return ampel_clock_machine_ms();
    int64_t elapsed_ms = (ampel_clock_machine_ns() - state->start_monotonic_ns) / 1000000;
    /* A fast clock stops at the end of the times the model knows instead of running over. */
    int64_t left_ms = AMPEL_TIME_MAX_MS - state->start_ms;
    if (state->speed > 0 && elapsed_ms > left_ms / state->speed) return AMPEL_TIME_MAX_MS;
    return state->start_ms + elapsed_ms * state->speed;
}

void ampel_clock_system(struct ampel_system_clock *state, int64_t at_ms, int64_t speed,
                        struct ampel_clock *out) {
    *state = (struct ampel_system_clock){
        .start_ms = at_ms == INT64_MIN ? ampel_clock_machine_ms() : at_ms,
        .start_monotonic_ns = ampel_clock_machine_ns(),
        .speed = speed,
        .shifted = at_ms != INT64_MIN || speed != 1,
    };
    *out = (struct ampel_clock){.context = state, .now_ms = now_ms, .monotonic_ns = monotonic_ns};
}

#define _DEFAULT_SOURCE /* CLOCK_BOOTTIME */
#include "workers/clock.h"

#include <time.h>

#include "engine/bounds.h"
#include "workers/logline.h"

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

int64_t ampel_clock_spent_ns(void) {
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int64_t monotonic_ns(void *context) {
    (void)context;
    return ampel_clock_machine_ns();
}

int64_t ampel_clock_held(int64_t start_ms, int64_t elapsed_ms, int64_t machine_ms) {
    int64_t expected_ms = start_ms + elapsed_ms;
    if (machine_ms < expected_ms - AMPEL_DAY_MS) return expected_ms - AMPEL_DAY_MS;
    if (machine_ms > expected_ms + AMPEL_DAY_MS) return expected_ms + AMPEL_DAY_MS;
    return machine_ms;
}

/* Time that passes while the machine sleeps counts, too. */
static int64_t passed_ns(void) {
    return read_ns(CLOCK_BOOTTIME);
}

static int64_t now_ms(void *context) {
    struct ampel_system_clock *state = context;
    int64_t elapsed_ms = (passed_ns() - state->start_ns) / 1000000;
    if (!state->shifted) {
        int64_t machine_ms = ampel_clock_machine_ms();
        int64_t held_ms = ampel_clock_held(state->start_ms, elapsed_ms, machine_ms);
        if (held_ms != machine_ms && !atomic_exchange(&state->told, true)) {
            ampel_log(AMPEL_LOG_ERROR, "clock",
                      "the machine's clock jumped by more than a day: it is not followed further",
                      "jump_ms", "%lld", (long long)(machine_ms - state->start_ms - elapsed_ms),
                      "advice", "%s", "restart when it is right", NULL);
        }
        return held_ms;
    }
    /* A fast clock stops at the end of the times the model knows instead of running over. */
    int64_t left_ms = AMPEL_TIME_MAX_MS - state->start_ms;
    if (state->speed > 0 && elapsed_ms > left_ms / state->speed) return AMPEL_TIME_MAX_MS;
    return state->start_ms + elapsed_ms * state->speed;
}

void ampel_clock_system(struct ampel_system_clock *state, int64_t at_ms, int64_t speed,
                        struct ampel_clock *out) {
    *state = (struct ampel_system_clock){
        .start_ms = at_ms == INT64_MIN ? ampel_clock_machine_ms() : at_ms,
        .start_ns = passed_ns(),
        .speed = speed,
        .shifted = at_ms != INT64_MIN || speed != 1,
    };
    *out = (struct ampel_clock){.context = state, .now_ms = now_ms, .monotonic_ns = monotonic_ns};
}

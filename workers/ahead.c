#include "workers/ahead.h"

static_assert(AMPEL_FETCH_STEPS < AMPEL_AHEAD_FRAMES, "a frame is kept for each step");

void ampel_ahead_next(struct ampel_ahead *ahead) {
    struct ampel_record_names *newest = &ahead->frames[ahead->walked % AMPEL_AHEAD_FRAMES];
    if (!ampel_record_names_next(ahead->bytes, &ahead->cursor, newest)) newest->accounts_count = 0;
    for (uint32_t step = 0; step < AMPEL_FETCH_STEPS && step <= ahead->walked; step++) {
        const struct ampel_record_names *names = &ahead->frames[(ahead->walked - step) % AMPEL_AHEAD_FRAMES];
        if (names->accounts_count == 0) continue;
        const struct ampel_engine *engine = ahead->engine(ahead->context, names->partition);
        if (engine != NULL) ampel_engine_frame_fetch(engine, names->hashes, names->accounts_count, (enum ampel_frame_fetch)step);
    }
    ahead->walked++;
}

void ampel_ahead_begin(struct ampel_ahead *ahead, const uint8_t *bytes, ampel_ahead_engine *engine, const void *context) {
    ahead->engine = engine;
    ahead->context = context;
    ahead->bytes = bytes;
    ahead->cursor = ahead->walked = 0;
    for (uint32_t i = 0; i < AMPEL_FETCH_STEPS; i++)
        ampel_ahead_next(ahead);
}

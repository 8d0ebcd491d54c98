#include "workers/gateway_window.h"

#include <string.h>

static bool bit_get(const uint64_t *bits, uint64_t sequence) {
    const uint64_t slot = sequence % AMPEL_CREDIT;
    return (bits[slot / 64] >> (slot % 64) & 1) != 0;
}

static void bit_set(uint64_t *bits, uint64_t sequence) {
    const uint64_t slot = sequence % AMPEL_CREDIT;
    bits[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void bit_clear(uint64_t *bits, uint64_t sequence) {
    const uint64_t slot = sequence % AMPEL_CREDIT;
    bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

static void next_advance(struct ampel_gateway_window *window) {
    for (uint32_t steps = 0; steps < AMPEL_CREDIT && bit_get(window->done, window->next); steps++) {
        bit_clear(window->done, window->next);
        window->next++;
    }
}

void ampel_gateway_window_init(struct ampel_gateway_window *window) {
    memset(window, 0, sizeof(*window));
}

enum ampel_sequence_state ampel_gateway_window_query(const struct ampel_gateway_window *window,
                                                     uint64_t sequence) {
    if (sequence < window->next) return AMPEL_SEQUENCE_DONE;
    /* The difference and not the sum: a sequence near 2^64 must not wrap into the window. */
    if (sequence - window->next >= AMPEL_CREDIT) return AMPEL_SEQUENCE_BEYOND;
    if (bit_get(window->done, sequence)) return AMPEL_SEQUENCE_DONE;
    if (bit_get(window->underway, sequence)) return AMPEL_SEQUENCE_UNDERWAY;
    return AMPEL_SEQUENCE_FREE;
}

void ampel_gateway_window_claim(struct ampel_gateway_window *window, uint64_t sequence) {
    AMPEL_ASSERT(ampel_gateway_window_query(window, sequence) == AMPEL_SEQUENCE_FREE);
    bit_set(window->underway, sequence);
}

void ampel_gateway_window_release(struct ampel_gateway_window *window, uint64_t sequence,
                                  bool durable) {
    AMPEL_ASSERT(ampel_gateway_window_query(window, sequence) == AMPEL_SEQUENCE_UNDERWAY);
    bit_clear(window->underway, sequence);
    if (!durable) return;
    bit_set(window->done, sequence);
    next_advance(window);
}

void ampel_gateway_window_merge(struct ampel_gateway_window *window, uint64_t base,
                                const uint64_t bits[AMPEL_CREDIT / 64]) {
    AMPEL_ASSERT(ampel_gateway_window_quiet(window));
    if (base > window->next) {
        /* What was known above the old next and lies below the new one is durable anyway. */
        const uint64_t gone = base - window->next;
        for (uint64_t i = 0; i < gone && i < AMPEL_CREDIT; i++)
            bit_clear(window->done, window->next + i);
        window->next = base;
    }
    /* A partition whose base lies further back knows nothing beyond the greatest base plus the
       credit, because the gateway took no sequence beyond it. Bytes of the world all the same: what
       does not fit is left out. */
    for (uint32_t i = 0; i < AMPEL_CREDIT; i++) {
        if ((bits[i / 64] >> (i % 64) & 1) == 0 || base > UINT64_MAX - i) continue;
        const uint64_t sequence = base + i;
        if (sequence >= window->next && sequence - window->next < AMPEL_CREDIT)
            bit_set(window->done, sequence);
    }
    next_advance(window);
}

uint32_t ampel_gateway_window_done(const struct ampel_gateway_window *window,
                                   uint64_t out[AMPEL_CREDIT]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < AMPEL_CREDIT; i++)
        if (bit_get(window->done, window->next + i)) out[count++] = window->next + i;
    return count;
}

bool ampel_gateway_window_quiet(const struct ampel_gateway_window *window) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(window->underway); i++)
        if (window->underway[i] != 0) return false;
    return true;
}

/* What tests draw: xorshift64 (Marsaglia, 2003); tests need no more. */
#ifndef AMPEL_TESTS_DRAW_H
#define AMPEL_TESTS_DRAW_H

#include <stdint.h>

/* 0 to below - 1; *seed is not 0. */
static inline uint32_t draw_from(uint64_t *seed, uint32_t below) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)((*seed >> 20) % below);
}

#endif

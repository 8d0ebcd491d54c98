/* Random numbers that a seed replays: splitmix64. */
#ifndef AMPEL_TESTS_ORACLE_RANDOM_H
#define AMPEL_TESTS_ORACLE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct ampel_random {
    uint64_t state;
};

static inline uint64_t ampel_random_next(struct ampel_random *random) {
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = random->state;
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

/* 0..count-1; count > 0. The bias of a modulo does not matter to tests. */
static inline uint64_t ampel_random_below(struct ampel_random *random, uint64_t count) {
    return ampel_random_next(random) % count;
}

/* least..greatest */
static inline int64_t ampel_random_between(struct ampel_random *random, int64_t least,
                                           int64_t greatest) {
    return least + (int64_t)ampel_random_below(random, (uint64_t)(greatest - least) + 1);
}

static inline bool ampel_random_chance(struct ampel_random *random, uint32_t percent) {
    return ampel_random_below(random, 100) < percent;
}

#endif

/* Ranks of an account's violations: found, moved and counted anew. */
#include <string.h>

#include "engine/repeats.h"

/* What points stop at. */
#define LAST_RANK (AMPEL_SCALE_RANKS - 1)

int64_t ampel_violation_limit(const struct ampel_scale *scale,
                              const struct ampel_violation_hot *hot) {
    return ampel_repeat_limit(scale, hot);
}

static void few_ranks_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                            uint32_t start, uint8_t policy, int64_t high_ms, int sign) {
    const uint16_t *order = ampel_violations_order(block);
    for (uint32_t i = start; i < block->count; i++) {
        struct ampel_violation_hot *hot = &block->hot[order[i]];
        if (hot->policy != policy || hot->at_ms >= high_ms) break;
        ampel_points_shift(block, scale, hot, hot->rank, sign);
        hot->rank = (uint16_t)(hot->rank + sign);
        hot->flags |= AMPEL_VIOLATION_CHANGED;
    }
}

/* Ranks stand side by side, and those of many are mostly beyond the last that moves points: then no record is
   read. */
static void many_ranks_shift(struct ampel_violations *block, const struct ampel_scale *scale,
                             uint32_t start, uint8_t policy, int64_t high_ms, int sign) {
    const struct ampel_violations_run *run = ampel_places_run(block, policy);
    uint64_t *keys = ampel_violations_keys(block);
    uint32_t end = run->begin + run->count;
    if (start >= end) return;
    if (ampel_key_at_ms(keys[end - 1]) >= high_ms) end = ampel_places_from(block, policy, high_ms);
    for (uint32_t i = start; i < end; i++) {
        uint16_t rank = ampel_violations_rank(block, i);
        if (rank < LAST_RANK || (rank == LAST_RANK && sign < 0))
            ampel_points_shift(block, scale, &block->hot[ampel_violations_order(block)[i]], rank, sign);
    }
    const uint64_t by = (uint64_t)(int64_t)sign << AMPEL_KEY_RANK_SHIFT;
    for (uint32_t i = start; i < end; i++)
        keys[i] = (keys[i] + by) | AMPEL_KEY_CHANGED;
}

void ampel_ranks_limit_move(struct ampel_violations *block, const struct ampel_scale *scale,
                       uint32_t place, int64_t from_ms, int64_t to_ms) {
    if (from_ms == to_ms) return;
    int64_t low = from_ms < to_ms ? from_ms : to_ms, high = from_ms < to_ms ? to_ms : from_ms;
    int sign = from_ms < to_ms ? 1 : -1;
    const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[place]];
    uint32_t start = place + 1;
    if (low > hot->at_ms) {
        uint32_t first = ampel_places_from(block, hot->policy, low);
        if (first > start) start = first;
    }
    if (ampel_violations_many(block))
        many_ranks_shift(block, scale, start, hot->policy, high, sign);
    else
        few_ranks_shift(block, scale, start, hot->policy, high, sign);
}

uint16_t ampel_ranks_count(const struct ampel_violations *block, const struct ampel_scale *scale,
                           uint8_t policy, int64_t at_ms, uint32_t place) {
    const uint16_t *order = ampel_violations_order(block);
    uint32_t begin = ampel_violations_many(block) ? ampel_places_run(block, policy)->begin : 0, rank = 0;
    for (uint32_t i = place; i > begin; i--) {
        const struct ampel_violation_hot *other = &block->hot[order[i - 1]];
        if (other->policy != policy || at_ms - other->at_ms >= scale->window_ms) break;
        rank += at_ms < ampel_repeat_limit(scale, other);
    }
    return (uint16_t)rank;
}

uint16_t ampel_ranks_find(const struct ampel_violations *block, const struct ampel_scale *scale,
                          uint8_t policy, int64_t at_ms, uint32_t place) {
    if (!ampel_violations_many(block) || block->sums.unlike != 0)
        return ampel_ranks_count(block, scale, policy, at_ms, place);
    if (!ampel_policy_repeats(scale, policy)) return 0;
    return (uint16_t)(place - ampel_places_from(block, policy, at_ms - scale->window_ms + 1));
}

/* Ranks by differences: each record adds one from the next one to its limit. Sums of u16 wrap
   and come back, as every rank itself fits. */
void ampel_violations_ranks(const struct ampel_violations *block, const struct ampel_scale *scale,
                            uint16_t *ranks) {
    memset(ranks, 0, block->count * sizeof(*ranks));
    uint32_t places_end = ampel_violations_known_end(block), index = 0;
    for (uint32_t i = ampel_violations_filled(block, 0); i < places_end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        int64_t limit = ampel_repeat_limit(scale, hot);
        uint32_t end = limit > hot->at_ms ? ampel_places_from(block, hot->policy, limit) : 0;
        if (end > i + 1) {
            ranks[index + 1]++;
            if (index + (end - i) < block->count) ranks[index + (end - i)]--;
        }
        index++;
    }
    for (uint32_t i = 1; i < block->count; i++)
        ranks[i] = (uint16_t)(ranks[i] + ranks[i - 1]);
}

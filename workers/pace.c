#include "workers/pace.h"

/* At the pace of the middle (a quarter of the room is left) all that is left would last so long. */
#define LASTS_MS    (UINT64_C(60) * 60 * 1000)
/* What is told soon is worth more than room that lasts longer than this. */
#define LASTS_LEAST_MS (UINT64_C(10) * 60 * 1000)
#define PROMPT_MS      UINT64_C(1000)
#define DEPTH_NS    INT64_C(500000000)
#define SHARE_WHOLE 1024
#define NS_PER_MS   INT64_C(1000000)
#define PAUSE_MAX_MS ((uint64_t)(AMPEL_PACE_PAUSE_MAX_NS / NS_PER_MS))
/* No record tells more; keeps products within 64 bits. */
#define TOLD_BYTES_MAX (UINT64_C(1) << 30)

bool ampel_pace_crowded(uint64_t unstored_bytes, uint64_t max_bytes) {
    return unstored_bytes > max_bytes / 2;
}

int64_t ampel_pace_pause_ns(uint64_t told_bytes, uint64_t unstored_bytes, uint64_t max_bytes) {
    if (told_bytes == 0 || !ampel_pace_crowded(unstored_bytes, max_bytes)) return 0;
    if (unstored_bytes >= max_bytes) return AMPEL_PACE_PAUSE_MAX_NS;
    if (told_bytes > TOLD_BYTES_MAX) told_bytes = TOLD_BYTES_MAX;
    uint64_t half_bytes = max_bytes - max_bytes / 2, left_bytes = max_bytes - unstored_bytes;
    uint64_t share = (half_bytes - left_bytes) * SHARE_WHOLE / half_bytes; /* of the half, taken */
    uint64_t pause_ms = told_bytes * LASTS_MS / left_bytes * share / SHARE_WHOLE;
    uint64_t most_ms = told_bytes * LASTS_LEAST_MS / left_bytes;
    if (most_ms < PROMPT_MS) most_ms = PROMPT_MS;
    if (most_ms > PAUSE_MAX_MS) most_ms = PAUSE_MAX_MS;
    return (int64_t)(pause_ms < most_ms ? pause_ms : most_ms) * NS_PER_MS;
}

uint32_t ampel_pace_depth(int64_t pause_ns) {
    if (pause_ns <= DEPTH_NS / (int64_t)UINT32_MAX) return UINT32_MAX;
    int64_t depth = DEPTH_NS / pause_ns;
    return depth < AMPEL_PACE_DEPTH_MIN ? AMPEL_PACE_DEPTH_MIN : (uint32_t)depth;
}

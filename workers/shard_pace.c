#include "workers/shard_pace.h"

#include "workers/metrics.h"
#include "workers/pace.h"

/* Without what checkpoints copied: that leaves as they do, and would slow what is told just when they go. */
static uint64_t unstored_bytes(const struct ampel_shard_pace *pace) {
    return pace->open_bytes + pace->under_way_bytes;
}

void ampel_shard_pace_init(struct ampel_shard_pace *pace, uint64_t max_bytes) {
    *pace = (struct ampel_shard_pace){.max_bytes = max_bytes};
}

void ampel_shard_pace_close(struct ampel_shard_pace *pace) {
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, -unstored_bytes(pace));
    if (pace->crowded) ampel_metric_add(AMPEL_METRIC_SHARDS_SLOWED, UINT64_MAX);
}

void ampel_shard_pace_told(struct ampel_shard_pace *pace, uint64_t bytes) {
    pace->open_bytes += bytes;
    pace->debt_bytes += bytes;
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, bytes);
}

void ampel_shard_pace_under_way(struct ampel_shard_pace *pace, uint64_t bytes) {
    pace->open_bytes -= bytes;
    pace->under_way_bytes += bytes;
}

void ampel_shard_pace_stored(struct ampel_shard_pace *pace, uint64_t bytes) {
    pace->under_way_bytes -= bytes;
    ampel_metric_add(AMPEL_METRIC_UNSTORED_BYTES, -bytes);
}

bool ampel_shard_pace_stalled(const struct ampel_shard_pace *pace) {
    return unstored_bytes(pace) >= pace->max_bytes;
}

bool ampel_shard_pace_pressed(const struct ampel_shard_pace *pace) {
    return ampel_pace_crowded(unstored_bytes(pace), pace->max_bytes);
}

uint32_t ampel_shard_pace_renew(struct ampel_shard_pace *pace, int64_t now_ns) {
    const bool crowded = ampel_shard_pace_pressed(pace);
    if (crowded != pace->crowded) ampel_metric_add(AMPEL_METRIC_SHARDS_SLOWED, crowded ? 1 : UINT64_MAX);
    pace->crowded = crowded;
    pace->resume_ns = pace->debt_ns + ampel_pace_pause_ns(pace->debt_bytes, unstored_bytes(pace), pace->max_bytes);
    pace->paused = now_ns < pace->resume_ns;
    if (!crowded) pace->pause_ns = 0;
    if (!pace->paused) pace->debt_bytes = 0;
    return ampel_pace_depth(pace->pause_ns);
}

uint32_t ampel_shard_pace_record(struct ampel_shard_pace *pace, int64_t now_ns) {
    pace->debt_ns = now_ns;
    int64_t pause_ns = ampel_pace_pause_ns(pace->debt_bytes, unstored_bytes(pace), pace->max_bytes);
    pace->pause_ns = (pace->pause_ns * 7 + pause_ns) / 8;
    return ampel_shard_pace_renew(pace, now_ns);
}

bool ampel_shard_pace_paused(const struct ampel_shard_pace *pace) { return pace->paused; }

int64_t ampel_shard_pace_resume_ns(const struct ampel_shard_pace *pace) {
    return pace->paused ? pace->resume_ns : INT64_MAX;
}

#include "workers/shard_partition.h"

#include "workers/logline.h"
#include "workers/metrics.h"

static void gauge(enum ampel_metric metric, uint64_t before, uint64_t after) {
    if (before != after) ampel_metric_add(metric, after - before);
}

static void counts_set(struct ampel_shard_partition *partition, const struct ampel_engine_counts *counts) {
    gauge(AMPEL_METRIC_ACCOUNTS, partition->counts.accounts, counts->accounts);
    gauge(AMPEL_METRIC_VIOLATIONS, partition->counts.violations, counts->violations);
    gauge(AMPEL_METRIC_ENGINE_BYTES, partition->counts.memory_bytes, counts->memory_bytes);
    partition->counts = *counts;
}

void ampel_shard_partition_count(struct ampel_shard_partition *partition) {
    struct ampel_engine_counts counts;
    if (partition->engine == NULL) return;
    ampel_engine_counts(partition->engine, &counts);
    counts_set(partition, &counts);
}

void ampel_shard_partition_uncount(struct ampel_shard_partition *partition) {
    counts_set(partition, &(struct ampel_engine_counts){0});
}

bool ampel_shard_partition_starved(const struct ampel_shard_partition *partition) {
    ampel_log(AMPEL_LOG_ERROR, "shard", "no memory", "partition", "%u", partition->number, NULL);
    return false;
}

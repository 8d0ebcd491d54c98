/* Metrics: one row each, from which the Prometheus text and docs/METRICS.md derive. Adding is one relaxed atomic.
   Thread: any. */
#ifndef AMPEL_WORKERS_METRICS_H
#define AMPEL_WORKERS_METRICS_H

#include "engine/base.h"

/* X(upper, name, kind, unit, sentence); kinds: COUNTER, GAUGE, HISTOGRAM (observations in nanoseconds, told in seconds). */
#define AMPEL_METRICS(X)                                                                           \
    X(BATCHES_TAKEN, batches_taken_total, COUNTER, batches, "Batches made durable")                 \
    X(BATCHES_DUPLICATE, batches_duplicate_total, COUNTER, batches, "Batches that were durable before") \
    X(BATCHES_BACK, batches_back_total, COUNTER, batches, "Batches sent back whole")                \
    X(EVENTS_ACCEPTED, events_accepted_total, COUNTER, events, "Events accepted by the gateway")    \
    X(EVENTS_REFUSED, events_refused_total, COUNTER, events, "Events refused by verdict")           \
    X(EVENTS_APPLIED, events_applied_total, COUNTER, events, "Events applied to account states")    \
    X(FRAMES_APPLIED, frames_applied_total, COUNTER, frames, "Frames applied")                      \
    X(FRAMES_DUPLICATE, frames_duplicate_total, COUNTER, frames, "Frames recognised as applied before") \
    X(GATEWAY_INFLIGHT_BYTES, gateway_inflight_bytes, GAUGE, bytes, "Batches taken and not yet durable") \
    X(GATEWAY_PEERS_REFUSED, gateway_peers_refused_total, COUNTER, connections, "Connections refused by their key") \
    X(REPLIES_DROPPED, replies_dropped_total, COUNTER, messages, "Answers dropped because a peer did not read; acks in a bundle count as one") \
    X(PRODUCERS, producers, GAUGE, producers, "Producers known to the gateway")                     \
    X(JOURNAL_BYTES, journal_written_bytes_total, COUNTER, bytes, "Bytes written to the journal")   \
    X(JOURNAL_SYNCS, journal_syncs_total, COUNTER, calls, "fdatasync calls")                        \
    X(JOURNAL_DIRECT, journal_direct, GAUGE, boolean, "1 while groups are written past the page cache, 0 where the file system refuses") \
    X(JOURNAL_SYNC_SECONDS, journal_sync_seconds, HISTOGRAM, seconds, "Time of one write and fdatasync of a group") \
    X(JOURNAL_HELD_BYTES, journal_held_bytes, GAUGE, bytes, "Journal that is not checkpointed by all partitions") \
    X(JOURNAL_SEGMENTS, journal_segments, GAUGE, files, "Segment files, recycled ones included")    \
    X(ACK_SECONDS, ack_seconds, HISTOGRAM, seconds, "From a batch's arrival to its ack")            \
    X(ACCOUNTS, accounts, GAUGE, accounts, "Accounts in memory")                                    \
    X(VIOLATIONS, violations, GAUGE, violations, "Violations in memory")                            \
    X(ENGINE_BYTES, engine_memory_bytes, GAUGE, bytes, "Memory of the engines")                     \
    X(LOG_STAMP, log_stamp_seconds, GAUGE, seconds, "Greatest stamp read from the log, since 1970") \
    X(ALERTS, alerts_total, COUNTER, alerts, "Alerts told")                                         \
    X(SCORES, score_changes_total, COUNTER, changes, "Score changes told")                          \
    X(WATCHERS, watchers, GAUGE, connections, "Watchers connected")                                 \
    X(WATCHERS_BEHIND, watchers_behind, GAUGE, connections, "Watchers that are being caught up")    \
    X(UNSTORED_BYTES, unstored_bytes, GAUGE, bytes, "Changes told and not yet in the database")     \
    X(CHECKPOINT_BYTES, checkpoint_bytes, GAUGE, bytes, "Rows and pages of checkpoints under way")  \
    X(UNSTORED_MESSAGE_BYTES, unstored_message_bytes, GAUGE, bytes, "Of these bytes, what the publisher has numbered and holds") \
    X(SHARDS_SLOWED, shards_slowed, GAUGE, shards, "Shards that slow feeders, as much of what they told is not stored") \
    X(CHECKPOINTS, checkpoints_total, COUNTER, transactions, "Checkpoints committed")               \
    X(CHECKPOINT_SECONDS, checkpoint_seconds, HISTOGRAM, seconds, "Time of one checkpoint transaction") \
    X(CHECKPOINT_ROWS, checkpoint_rows_total, COUNTER, rows, "Rating and violation rows written")   \
    X(CHECKPOINT_PAGES, checkpoint_pages_total, COUNTER, pages, "Pages written")                    \
    X(CHECKPOINT_AGE, checkpoint_age_seconds, GAUGE, seconds, "Age of the oldest position that is not stored") \
    X(DATABASE_UP, database_up, GAUGE, boolean, "1 while the database answers")                     \
    X(DATABASE_ERRORS, database_errors_total, COUNTER, errors, "Failed database calls")             \
    X(PARTITIONS, partitions_owned, GAUGE, partitions, "Partitions this worker owns")               \
    X(READY, ready, GAUGE, boolean, "1 while batches are taken")                                    \
    X(REPLAYED, records_replayed_total, COUNTER, records, "Records read again at the start")

enum ampel_metric {
#define X(upper, name, kind, unit, sentence) AMPEL_METRIC_##upper,
    AMPEL_METRICS(X)
#undef X
        AMPEL_METRICS_COUNT
};

void ampel_metric_add(enum ampel_metric metric, uint64_t amount); /* COUNTER, GAUGE */
void ampel_metric_set(enum ampel_metric metric, int64_t value);   /* GAUGE */
void ampel_metric_observe(enum ampel_metric metric, int64_t ns);  /* HISTOGRAM */
int64_t ampel_metric_get(enum ampel_metric metric);               /* histograms: how many */
/* The Prometheus text format 0.0.4, names prefixed with ampel_. Returns the size, 0 when capacity does not suffice. */
uint32_t ampel_metrics_encode(char *bytes, uint32_t capacity);
/* docs/METRICS.md. */
uint32_t ampel_metrics_document(char *bytes, uint32_t capacity);

#endif

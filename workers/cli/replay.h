/* Replay: the events of files as they happened, without a server.

       entries   (at, tenant, place) of each event, sorted ──▶ bytes: the events, one after another
       engine    stands at the time of the first event and is moved from instant to instant

   All events of one tenant and instant are one step, as a batch is. An event's place among its equals
   does not matter to any number. Backfilled events are told like others. */
#ifndef AMPEL_WORKERS_CLI_REPLAY_H
#define AMPEL_WORKERS_CLI_REPLAY_H

#include "engine/engine.h"
#include "proto/batch.h"
#include "workers/cli/source.h"
#include "workers/memory.h"

struct ampel_replay_options {
    const struct ampel_rules *rules;
    int64_t until_ms;    /* events after it are no part of the replay; time ends there */
    const char *account; /* "tenant/seller/marketplace"; NULL: all */
};

struct ampel_replay_entry {
    int64_t at_ms;
    uint64_t offset; /* in bytes; ascends in the order of arrival */
    uint32_t tenant;
    uint32_t reserved;
};

struct ampel_replay {
    struct ampel_replay_options options;
    struct ampel_shard_memory memory;
    struct ampel_engine *engine; /* at until_ms after the run */
    struct ampel_batch_builder *builder;
    struct ampel_source_counts counts;
    uint64_t entries_count, entries_capacity;
    struct ampel_replay_entry *entries;
    uint64_t bytes_size, bytes_capacity;
    uint8_t *bytes;
    uint32_t tenants_count, tenants_capacity;
    char (*tenants)[AMPEL_ID_BYTES_MAX + 1];
};

/* Called for every change as it happens, also those of kinds REFUSED and FORGOTTEN. False ends the run. */
struct ampel_replay_sink {
    void *context;
    bool (*change)(void *context, const struct ampel_engine *engine, const struct ampel_change *change);
};

/* Reads and sorts the events. False: said on standard error. Close it in either case. */
AMPEL_MUST_CHECK bool ampel_replay_open(struct ampel_replay *out, char *const *files, int files_count,
                                        const struct ampel_replay_options *options);
/* From the first event to until_ms, once. False: no memory (said), or the sink ended it. */
AMPEL_MUST_CHECK bool ampel_replay_run(struct ampel_replay *replay, const struct ampel_replay_sink *sink);
void ampel_replay_close(struct ampel_replay *replay);

#endif

#include "workers/cli/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/text.h"

/* Accounts turned between two looks at what changed: bounds the memory that changes take. */
#define ADVANCE_STEPS 100000

/* ---- collecting ----------------------------------------------------------------------------- */

/* What stands before the texts and extras of one event in bytes. */
struct stored {
    struct ampel_event event;
    uint32_t seller_size, marketplace_size;
};

static void *grown(void *array, uint64_t *capacity, uint64_t needed, size_t element_bytes) {
    if (needed <= *capacity) return array;
    uint64_t larger = *capacity == 0 ? 1024 : *capacity * 2;
    while (larger < needed) larger *= 2;
    void *moved = realloc(array, larger * element_bytes);
    AMPEL_ASSERT(moved != NULL);
    *capacity = larger;
    return moved;
}

static uint32_t tenant_number(struct ampel_replay *replay, struct ampel_text tenant) {
    for (uint32_t i = 0; i < replay->tenants_count; i++)
        if (ampel_text_is(tenant, replay->tenants[i])) return i;
    if (replay->tenants_count == replay->tenants_capacity) {
        replay->tenants_capacity = replay->tenants_capacity == 0 ? 16 : replay->tenants_capacity * 2;
        replay->tenants = realloc(replay->tenants, replay->tenants_capacity * sizeof *replay->tenants);
        AMPEL_ASSERT(replay->tenants != NULL);
    }
    char *name = replay->tenants[replay->tenants_count];
    memcpy(name, tenant.bytes, tenant.size);
    name[tenant.size] = 0;
    return replay->tenants_count++;
}

static bool account_wanted(const char *account, struct ampel_text tenant, struct ampel_text seller,
                           struct ampel_text marketplace) {
    if (account == NULL) return true;
    char name[3 * (AMPEL_ID_BYTES_MAX + 1)];
    snprintf(name, sizeof name, "%.*s/%.*s/%.*s", (int)tenant.size, tenant.bytes, (int)seller.size,
             seller.bytes, (int)marketplace.size, marketplace.bytes);
    return strcmp(name, account) == 0;
}

static void bytes_push(struct ampel_replay *replay, const void *bytes, uint32_t size) {
    if (size > 0) memcpy(replay->bytes + replay->bytes_size, bytes, size);
    replay->bytes_size += size;
}

static bool event_take(void *context, struct ampel_text tenant, struct ampel_text seller,
                       struct ampel_text marketplace, const struct ampel_event *event) {
    struct ampel_replay *replay = context;
    if (event->at_ms > replay->options.until_ms) return true;
    if (!account_wanted(replay->options.account, tenant, seller, marketplace)) return true;
    const struct stored stored = {*event, seller.size, marketplace.size};
    uint64_t needed =
        replay->bytes_size + sizeof stored + seller.size + marketplace.size + event->extras_size;
    replay->bytes = grown(replay->bytes, &replay->bytes_capacity, needed, 1);
    replay->entries = grown(replay->entries, &replay->entries_capacity, replay->entries_count + 1,
                            sizeof *replay->entries);
    replay->entries[replay->entries_count++] = (struct ampel_replay_entry){
        .at_ms = event->at_ms, .offset = replay->bytes_size, .tenant = tenant_number(replay, tenant)};
    bytes_push(replay, &stored, sizeof stored);
    bytes_push(replay, seller.bytes, seller.size);
    bytes_push(replay, marketplace.bytes, marketplace.size);
    bytes_push(replay, event->extras, event->extras_size);
    return true;
}

static bool line_take(void *context, const struct ampel_jsonl_event *event) {
    return event_take(context, event->tenant, event->seller, event->marketplace, &event->event);
}

static bool batch_take(void *context, struct ampel_text tenant, const struct ampel_batch *batch,
                       const uint8_t *bytes, uint32_t size) {
    (void)bytes;
    (void)size;
    return ampel_source_batch_events(tenant, batch, context, event_take);
}

static int entry_compare(const void *left, const void *right) {
    const struct ampel_replay_entry *a = left, *b = right;
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms ? -1 : 1;
    if (a->tenant != b->tenant) return a->tenant < b->tenant ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

bool ampel_replay_open(struct ampel_replay *out, char *const *files, int files_count,
                       const struct ampel_replay_options *options) {
    *out = (struct ampel_replay){.options = *options};
    struct ampel_engine_options engine = {.rules = options->rules};
    ampel_memory_open(&out->memory, &engine.memory);
    const struct ampel_source_options source = {.sent_at_ms = INT64_MIN, .progress = "reading"};
    const struct ampel_source_sink sink = {.context = out, .event = line_take, .batch = batch_take};
    if (!ampel_source_walk(files, files_count, &source, &sink, &out->counts)) return false;
    if (out->entries_count > 1)
        qsort(out->entries, out->entries_count, sizeof *out->entries, entry_compare);
    engine.start_ms = out->entries_count > 0 ? out->entries[0].at_ms : options->until_ms;
    out->builder = ampel_batch_builder_open();
    if (out->builder != NULL && ampel_engine_open(&engine, &out->engine) == AMPEL_ENGINE_OK) return true;
    fprintf(stderr, "ampel: out of memory\n");
    return false;
}

void ampel_replay_close(struct ampel_replay *replay) {
    ampel_batch_builder_close(replay->builder);
    ampel_engine_close(replay->engine);
    ampel_memory_close(&replay->memory);
    free(replay->entries);
    free(replay->bytes);
    free(replay->tenants);
}

/* ---- running -------------------------------------------------------------------------------- */

static bool changes_hand(struct ampel_replay *replay, const struct ampel_replay_sink *sink) {
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(replay->engine, &count);
    bool good = true;
    for (uint32_t i = 0; i < count && good; i++)
        good = sink->change(sink->context, replay->engine, &changes[i]);
    ampel_engine_changes_clear(replay->engine);
    return good;
}

static bool no_memory(void) {
    fprintf(stderr, "ampel: out of memory\n");
    return false;
}

static bool time_move(struct ampel_replay *replay, int64_t to_ms, const struct ampel_replay_sink *sink) {
    for (bool done = false; !done;) {
        if (ampel_engine_advance(replay->engine, to_ms, ADVANCE_STEPS, &done) != AMPEL_ENGINE_OK)
            return no_memory();
        if (!changes_hand(replay, sink)) return false;
    }
    return true;
}

static bool frame_apply(struct ampel_replay *replay, const struct ampel_replay_entry *entry,
                        const struct ampel_replay_sink *sink) {
    struct ampel_frame frame;
    struct ampel_apply_counts counts;
    struct ampel_text tenant = ampel_text_of(replay->tenants[entry->tenant]);
    if (!ampel_batch_builder_frame(replay->builder, tenant, &frame)) return no_memory();
    frame.stamp_ms = entry->at_ms;
    frame.sent_at_ms = entry->at_ms;
    if (ampel_engine_apply(replay->engine, &frame, &counts) != AMPEL_ENGINE_OK) return no_memory();
    ampel_batch_builder_reset(replay->builder);
    return changes_hand(replay, sink);
}

static bool entry_push(struct ampel_replay *replay, const struct ampel_replay_entry *entry) {
    const uint8_t *bytes = replay->bytes + entry->offset;
    struct stored stored;
    memcpy(&stored, bytes, sizeof stored);
    const char *seller = (const char *)bytes + sizeof stored;
    const char *marketplace = seller + stored.seller_size;
    stored.event.extras = (const uint8_t *)marketplace + stored.marketplace_size;
    return ampel_batch_builder_push(replay->builder, (struct ampel_text){seller, stored.seller_size},
                                    (struct ampel_text){marketplace, stored.marketplace_size},
                                    &stored.event);
}

/* The events of one tenant at one instant, from the first on; *next is behind them. */
static bool step_run(struct ampel_replay *replay, uint64_t first, const struct ampel_replay_sink *sink,
                     uint64_t *next) {
    const struct ampel_replay_entry *entries = replay->entries;
    uint64_t end = first;
    while (end < replay->entries_count && entries[end].at_ms == entries[first].at_ms &&
           entries[end].tenant == entries[first].tenant) {
        if (entry_push(replay, &entries[end])) {
            end++;
            continue;
        }
        if (ampel_batch_builder_events(replay->builder) == 0) return no_memory();
        if (!frame_apply(replay, &entries[first], sink)) return false;
    }
    *next = end;
    return frame_apply(replay, &entries[first], sink);
}

bool ampel_replay_run(struct ampel_replay *replay, const struct ampel_replay_sink *sink) {
    for (uint64_t first = 0; first < replay->entries_count;) {
        if (!time_move(replay, replay->entries[first].at_ms, sink)) return false;
        if (!step_run(replay, first, sink, &first)) return false;
    }
    return time_move(replay, replay->options.until_ms, sink);
}

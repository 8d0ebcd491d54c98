#include "workers/cli/portfolio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "proto/rules_file.h"
#include "workers/memory.h"

#define RULES_BYTES_MAX (256 * 1024)
/* Events of one tenant collected before they go to the engine as one frame. */
#define FRAME_EVENTS 8192

/* Single events are collected per tenant as the columns of a frame. */
struct collector {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_batch_builder *builder;
};

struct loading {
    struct ampel_engine *engine;
    int64_t as_of_ms;
    struct ampel_frame_account *accounts; /* with hashes */
    uint32_t accounts_capacity;
    uint32_t collectors_count, collectors_capacity;
    struct collector *collectors;
    bool failed;
};

static struct ampel_text text_of(const char *text) {
    return (struct ampel_text){text, (uint32_t)strlen(text)};
}

static void error_print(const char *file, const struct ampel_error *error) {
    fprintf(stderr, "ampel: %s", file);
    if (error->line > 0) fprintf(stderr, ":%u", error->line);
    if (error->field[0] != 0) fprintf(stderr, ": %s", error->field);
    fprintf(stderr, ": %s\n", error->reason);
}

static bool rules_file_read(const char *file, struct ampel_rules *out) {
    FILE *stream = fopen(file, "r");
    if (stream == NULL) {
        fprintf(stderr, "ampel: %s: cannot be read: %s\n", file, strerror(errno));
        return false;
    }
    char *bytes = malloc(RULES_BYTES_MAX + 1);
    bool good = bytes != NULL;
    size_t size = good ? fread(bytes, 1, RULES_BYTES_MAX + 1, stream) : 0;
    if (good && size > RULES_BYTES_MAX) {
        fprintf(stderr, "ampel: %s: larger than 256 KiB\n", file);
        good = false;
    }
    struct ampel_error error = {0};
    if (good && !ampel_rules_file_decode((struct ampel_text){bytes, (uint32_t)size}, out, &error)) {
        error_print(file, &error);
        good = false;
    }
    free(bytes);
    fclose(stream);
    return good;
}

bool ampel_portfolio_sets(const char *file, const struct ampel_option_list *sets, struct ampel_rules *out) {
    for (uint32_t i = 0; i < sets->count; i++) {
        const char *equals = strchr(sets->values[i], '=');
        if (equals == NULL) {
            fprintf(stderr, "ampel: --set %s: must be key=value\n", sets->values[i]);
            return false;
        }
        struct ampel_error error = {0};
        struct ampel_text key = {sets->values[i], (uint32_t)(equals - sets->values[i])};
        if (!ampel_rules_set(out, key, text_of(equals + 1), &error)) {
            error_print("--set", &error);
            return false;
        }
    }
    struct ampel_error error = {0};
    if (!ampel_rules_file_check(out, &error)) {
        error_print(file != NULL ? file : "--set", &error);
        return false;
    }
    return true;
}

bool ampel_portfolio_rules(const char *file, const struct ampel_option_list *sets,
                           struct ampel_rules *out) {
    ampel_rules_init(out);
    if (file != NULL && !rules_file_read(file, out)) return false;
    return ampel_portfolio_sets(file, sets, out);
}

static bool frame_apply(struct loading *loading, struct ampel_frame *frame) {
    frame->stamp_ms = loading->as_of_ms;
    struct ampel_apply_counts counts;
    enum ampel_engine_status status = ampel_engine_apply(loading->engine, frame, &counts);
    ampel_engine_changes_clear(loading->engine);
    return status == AMPEL_ENGINE_OK;
}

/* A decoded batch goes to the engine as it is; only its accounts get their hashes. */
static bool batch_apply(struct loading *loading, struct ampel_text tenant,
                        const struct ampel_frame *decoded) {
    if (decoded->accounts_count > loading->accounts_capacity) {
        struct ampel_frame_account *accounts =
            realloc(loading->accounts, decoded->accounts_count * sizeof *accounts);
        if (accounts == NULL) return false;
        loading->accounts = accounts;
        loading->accounts_capacity = decoded->accounts_count;
    }
    for (uint32_t i = 0; i < decoded->accounts_count; i++) {
        loading->accounts[i] = decoded->accounts[i];
        loading->accounts[i].hash = ampel_hash_account(tenant, decoded->accounts[i].seller,
                                                       decoded->accounts[i].marketplace);
    }
    struct ampel_frame frame = *decoded;
    frame.tenant = tenant;
    frame.producer = (struct ampel_text){NULL, 0};
    frame.backfill = false;
    frame.accounts = loading->accounts;
    return frame_apply(loading, &frame);
}

static bool collector_flush(struct loading *loading, struct collector *collector) {
    if (ampel_batch_builder_events(collector->builder) == 0) return true;
    struct ampel_frame frame;
    bool good = ampel_batch_builder_frame(collector->builder, text_of(collector->tenant), &frame) &&
                frame_apply(loading, &frame);
    ampel_batch_builder_reset(collector->builder);
    return good;
}

static struct collector *collector_of(struct loading *loading, struct ampel_text tenant) {
    for (uint32_t i = 0; i < loading->collectors_count; i++) {
        struct collector *collector = &loading->collectors[i];
        if (strlen(collector->tenant) == tenant.size &&
            memcmp(collector->tenant, tenant.bytes, tenant.size) == 0)
            return collector;
    }
    if (loading->collectors_count == loading->collectors_capacity) {
        uint32_t capacity = loading->collectors_capacity == 0 ? 8 : loading->collectors_capacity * 2;
        struct collector *collectors = realloc(loading->collectors, capacity * sizeof *collectors);
        if (collectors == NULL) return NULL;
        loading->collectors = collectors;
        loading->collectors_capacity = capacity;
    }
    struct collector *collector = &loading->collectors[loading->collectors_count];
    memset(collector, 0, sizeof *collector);
    memcpy(collector->tenant, tenant.bytes, tenant.size);
    collector->builder = ampel_batch_builder_open();
    if (collector->builder == NULL) return NULL;
    loading->collectors_count++;
    return collector;
}

/* Events after the time of the question are no part of it. */
static bool event_take(void *context, struct ampel_text tenant, struct ampel_text seller,
                       struct ampel_text marketplace, const struct ampel_event *event) {
    struct loading *loading = context;
    if (event->at_ms > loading->as_of_ms) return true;
    struct collector *collector = collector_of(loading, tenant);
    if (collector == NULL) return false;
    if (ampel_batch_builder_events(collector->builder) >= FRAME_EVENTS &&
        !collector_flush(loading, collector))
        return false;
    return ampel_batch_builder_push(collector->builder, seller, marketplace, event) ||
           (collector_flush(loading, collector) &&
            ampel_batch_builder_push(collector->builder, seller, marketplace, event));
}

static bool line_take(void *context, const struct ampel_jsonl_event *event) {
    struct loading *loading = context;
    loading->failed = !event_take(loading, event->tenant, event->seller, event->marketplace,
                                  &event->event);
    return !loading->failed;
}

static bool frame_is_whole(const struct loading *loading, const struct ampel_batch *batch) {
    if (batch->refused_count > 0) return false;
    /* By the sign of what is left: accepted times are not below zero. */
    const uint64_t as_of_ms = (uint64_t)loading->as_of_ms;
    uint64_t left_ms = as_of_ms;
    for (size_t i = 0; i < batch->frame.events_count; i++)
        left_ms |= as_of_ms - ampel_load_u64(batch->frame.at + 8 * i);
    return left_ms >> 63 == 0;
}

static bool batch_take(void *context, struct ampel_text tenant, const struct ampel_batch *batch,
                       const uint8_t *bytes, uint32_t size) {
    struct loading *loading = context;
    (void)bytes;
    (void)size;
    if (frame_is_whole(loading, batch)) {
        loading->failed = !batch_apply(loading, tenant, &batch->frame);
        return !loading->failed;
    }
    loading->failed = !ampel_source_batch_events(tenant, batch, loading, event_take);
    return !loading->failed;
}

static bool files_load(struct loading *loading, struct ampel_portfolio *out, char *const *files,
                       int files_count) {
    const struct ampel_source_options options = {.sent_at_ms = INT64_MIN, .progress = "reading"};
    const struct ampel_source_sink sink = {
        .context = loading, .event = line_take, .batch = batch_take};
    bool good = ampel_source_walk(files, files_count, &options, &sink, &out->counts);
    for (uint32_t i = 0; good && i < loading->collectors_count; i++)
        good = collector_flush(loading, &loading->collectors[i]);
    for (uint32_t i = 0; i < loading->collectors_count; i++)
        ampel_batch_builder_close(loading->collectors[i].builder);
    free(loading->collectors);
    free(loading->accounts);
    return good;
}

static bool begin(struct ampel_portfolio *out, int64_t as_of_ms, const struct ampel_rules *rules, bool silent) {
    *out = (struct ampel_portfolio){0};
    struct ampel_engine_options options = {.rules = rules, .start_ms = as_of_ms, .silent = silent};
    ampel_memory_open(&out->memory, &options.memory);
    if (ampel_engine_open(&options, &out->engine) == AMPEL_ENGINE_OK) return true;
    fprintf(stderr, "ampel: out of memory\n");
    return false;
}

bool ampel_portfolio_begin(struct ampel_portfolio *out, int64_t as_of_ms, const struct ampel_rules *rules) {
    return begin(out, as_of_ms, rules, false);
}

bool ampel_portfolio_open(struct ampel_portfolio *out, char *const *files, int files_count,
                          int64_t as_of_ms, const struct ampel_rules *rules, bool silent) {
    if (!begin(out, as_of_ms, rules, silent)) return false;
    struct loading loading = {.engine = out->engine, .as_of_ms = as_of_ms};
    if (files_load(&loading, out, files, files_count)) return ampel_portfolio_sort(out);
    if (loading.failed) fprintf(stderr, "ampel: out of memory\n");
    return false;
}

void ampel_portfolio_close(struct ampel_portfolio *portfolio) {
    free(portfolio->slots);
    ampel_engine_close(portfolio->engine);
    ampel_memory_close(&portfolio->memory);
}

bool ampel_portfolio_split(const char *account, struct ampel_text out[3]) {
    const char *seller = strchr(account, '/');
    const char *marketplace = seller != NULL ? strchr(seller + 1, '/') : NULL;
    if (marketplace == NULL) return false;
    out[0] = (struct ampel_text){account, (uint32_t)(seller - account)};
    out[1] = (struct ampel_text){seller + 1, (uint32_t)(marketplace - seller - 1)};
    out[2] = text_of(marketplace + 1);
    return true;
}

uint32_t ampel_portfolio_find(const struct ampel_portfolio *portfolio, const char *account) {
    struct ampel_text texts[3];
    if (!ampel_portfolio_split(account, texts)) return AMPEL_SLOT_NONE;
    return ampel_engine_account_find(portfolio->engine,
                                     ampel_hash_account(texts[0], texts[1], texts[2]), texts[0],
                                     texts[1], texts[2]);
}

void ampel_portfolio_name(const struct ampel_portfolio *portfolio, uint32_t slot,
                          char out[AMPEL_PORTFOLIO_NAME_SIZE]) {
    struct ampel_text texts[3];
    ampel_engine_account_identity(portfolio->engine, slot, &texts[0], &texts[1], &texts[2]);
    snprintf(out, AMPEL_PORTFOLIO_NAME_SIZE, "%.*s/%.*s/%.*s", (int)texts[0].size, texts[0].bytes,
             (int)texts[1].size, texts[1].bytes, (int)texts[2].size, texts[2].bytes);
}

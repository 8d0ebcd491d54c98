/* ampel encode: events as batches in a file that `ampel feed` sends without parsing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch_file.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/options.h"
#include "workers/cli/source.h"

#define LANES_MAX 10000

static const struct ampel_usage usage = {
    .command = "encode",
    .arguments = "FILE...",
    .about = "Writes the events of JSON Lines files as encoded batches (proto/WIRE.md), which feed and score read\n"
             "much faster. Producer, sequences and the time of sending are fixed in them.",
    .examples = "  ampel encode events.jsonl -o events.ampel --producer crm\n"
                "  ampel score events.ampel --as-of 2026-10-01T12:00:00Z\n",
};

struct lane {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_batch_builder *builder;
    uint64_t sequence;
};

struct encoding {
    const char *path;
    FILE *out;
    const char *producer;
    int64_t sent_at_ms;
    uint64_t first_sequence, batches;
    uint32_t batch_events;
    bool backfill, rows;
    uint32_t lanes_count, lanes_capacity;
    struct lane *lanes;
};

static bool lane_flush(struct encoding *encoding, struct lane *lane) {
    if (ampel_batch_builder_events(lane->builder) == 0) return true;
    const struct ampel_batch_header header = {
        .producer = ampel_text_of(encoding->producer),
        .sequence = lane->sequence++,
        .sent_at_ms = encoding->sent_at_ms,
        .backfill = encoding->backfill,
    };
    const uint8_t *bytes;
    uint32_t size;
    AMPEL_ASSERT(ampel_batch_encode(lane->builder, &header, encoding->rows, &bytes, &size));
    struct ampel_batch_file_wrap wrap;
    ampel_batch_file_wrap(ampel_text_of(lane->tenant), bytes, size, &wrap);
    ampel_batch_builder_reset(lane->builder);
    encoding->batches++;
    if (fwrite(wrap.head, 1, wrap.head_size, encoding->out) == wrap.head_size &&
        fwrite(bytes, 1, size, encoding->out) == size &&
        fwrite(wrap.tail, 1, sizeof wrap.tail, encoding->out) == sizeof wrap.tail)
        return true;
    fprintf(stderr, "ampel encode: %s: %s\n", encoding->path, strerror(errno));
    return false;
}

static struct lane *lane_of(struct encoding *encoding, struct ampel_text tenant) {
    for (uint32_t i = 0; i < encoding->lanes_count; i++)
        if (ampel_text_is(tenant, encoding->lanes[i].tenant)) return &encoding->lanes[i];
    if (encoding->lanes_count == LANES_MAX) {
        fprintf(stderr, "ampel encode: more than %d tenants in one file\n", LANES_MAX);
        return NULL;
    }
    if (encoding->lanes_count == encoding->lanes_capacity) {
        encoding->lanes_capacity = encoding->lanes_capacity == 0 ? 8 : encoding->lanes_capacity * 2;
        encoding->lanes = realloc(encoding->lanes, encoding->lanes_capacity * sizeof *encoding->lanes);
        AMPEL_ASSERT(encoding->lanes != NULL);
    }
    struct lane *lane = &encoding->lanes[encoding->lanes_count++];
    *lane = (struct lane){.builder = ampel_batch_builder_open(), .sequence = encoding->first_sequence};
    AMPEL_ASSERT(lane->builder != NULL);
    memcpy(lane->tenant, tenant.bytes, tenant.size);
    return lane;
}

static bool event_take(void *context, const struct ampel_jsonl_event *event) {
    struct encoding *encoding = context;
    struct lane *lane = lane_of(encoding, event->tenant);
    if (lane == NULL) return false;
    if (!ampel_batch_builder_push(lane->builder, event->seller, event->marketplace, &event->event) &&
        (!lane_flush(encoding, lane) ||
         !ampel_batch_builder_push(lane->builder, event->seller, event->marketplace, &event->event)))
        return false;
    return ampel_batch_builder_events(lane->builder) < encoding->batch_events || lane_flush(encoding, lane);
}

static bool batch_take(void *context, struct ampel_text tenant, const struct ampel_batch *batch,
                       const uint8_t *bytes, uint32_t size) {
    const struct encoding *encoding = context;
    (void)tenant;
    (void)batch;
    (void)bytes;
    (void)size;
    fprintf(stderr, "ampel encode: the file is encoded already; %s would hold it twice\n", encoding->path);
    return false;
}

static int encode_run(struct encoding *encoding, char **files, int files_count, struct ampel_text fallback) {
    const struct ampel_source_options options = {
        .sent_at_ms = INT64_MIN, .fallback_tenant = fallback, .progress = "encoding"};
    const struct ampel_source_sink sink = {.context = encoding, .event = event_take, .batch = batch_take};
    struct ampel_source_counts counts = {0};
    bool good = fwrite(AMPEL_BATCH_FILE_MAGIC, 1, AMPEL_BATCH_FILE_MAGIC_BYTES, encoding->out) ==
                AMPEL_BATCH_FILE_MAGIC_BYTES;
    good = good && ampel_source_walk(files, files_count, &options, &sink, &counts);
    for (uint32_t i = 0; i < encoding->lanes_count; i++) {
        good = good && lane_flush(encoding, &encoding->lanes[i]);
        ampel_batch_builder_close(encoding->lanes[i].builder);
    }
    free(encoding->lanes);
    if (fflush(encoding->out) != 0) {
        if (encoding->out != stdout) perror("ampel encode: the output cannot be written"); /* stdout: told at the end */
        good = false;
    }
    fprintf(stderr, "%" PRIu64 " events in %" PRIu64 " batches, %" PRIu64 " lines refused\n", counts.events,
            encoding->batches, counts.refused);
    if (!good) return AMPEL_EXIT_FAILED;
    return counts.refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

int ampel_command_encode(int argc, char **argv) {
    const char *output = NULL, *tenant = NULL;
    int64_t batch_events = 4096, first = 0;
    struct encoding encoding = {.producer = "encode", .sent_at_ms = INT64_MIN};
    const struct ampel_option options[] = {
        {"output", 'o', AMPEL_OPTION_TEXT, &output, "FILE", "default: standard output"},
        {"producer", 'p', AMPEL_OPTION_TEXT, &encoding.producer, "NAME", "default: encode"},
        {"first", 0, AMPEL_OPTION_NUMBER, &first, "N", "sequence of each tenant's first batch; default 0"},
        {"sent-at", 0, AMPEL_OPTION_TIME, &encoding.sent_at_ms, "TIME", "default: now"},
        {"tenant", 0, AMPEL_OPTION_TEXT, &tenant, "NAME", "tenant of lines that name none"},
        {"batch-events", 0, AMPEL_OPTION_NUMBER, &batch_events, "N", "events in a batch; default 4096"},
        {"backfill", 'b', AMPEL_OPTION_FLAG, &encoding.backfill, NULL, "old events in bulk: a summary instead of alerts"},
        {"rows", 0, AMPEL_OPTION_FLAG, &encoding.rows, NULL, "rows, not columns"},
    };
    int files_count;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &files_count);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (files_count == 0) return ampel_usage_wrong(&usage, "no FILE is given");
    if (batch_events < 1 || batch_events > AMPEL_BATCH_EVENTS_MAX)
        return ampel_usage_wrong(&usage, "--batch-events is 1 to %u", AMPEL_BATCH_EVENTS_MAX);
    if (!ampel_id_valid(ampel_text_of(encoding.producer), false))
        return ampel_usage_wrong(&usage, "--producer is 1 to 64 printable characters without spaces");
    if (tenant != NULL && !ampel_id_valid(ampel_text_of(tenant), true))
        return ampel_usage_wrong(&usage, "--tenant is 1 to 64 printable characters without spaces and /");
    if (encoding.sent_at_ms == INT64_MIN) encoding.sent_at_ms = ampel_option_now();
    encoding.batch_events = (uint32_t)batch_events;
    encoding.first_sequence = (uint64_t)first;
    encoding.path = output != NULL ? output : "standard output";
    encoding.out = output != NULL ? fopen(output, "wb") : stdout;
    if (encoding.out == NULL) {
        fprintf(stderr, "ampel encode: %s: %s\n", output, strerror(errno));
        return AMPEL_EXIT_FAILED;
    }
    struct ampel_text fallback = tenant != NULL ? ampel_text_of(tenant) : (struct ampel_text){NULL, 0};
    int status = encode_run(&encoding, argv + 1, files_count, fallback);
    if (output != NULL && fclose(encoding.out) != 0) {
        fprintf(stderr, "ampel encode: %s: %s\n", output, strerror(errno));
        status = AMPEL_EXIT_FAILED;
    }
    return status;
}

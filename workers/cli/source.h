/* Events from files: JSON Lines or encoded batches (told apart by their first bytes), "-" is standard input. */
#ifndef AMPEL_WORKERS_CLI_SOURCE_H
#define AMPEL_WORKERS_CLI_SOURCE_H

#include "proto/batch.h"
#include "proto/jsonl.h"

/* What a walk over files hands to its caller; each may be NULL. All borrowed for the time of the call. A false
   return ends the walk. */
struct ampel_source_sink {
    void *context;
    /* One event of a JSON Lines file. */
    bool (*event)(void *context, const struct ampel_jsonl_event *event);
    /* One batch of an encoded file: its tenant, decoded, and its bytes as they are. */
    bool (*batch)(void *context, struct ampel_text tenant, const struct ampel_batch *batch,
                  const uint8_t *bytes, uint32_t size);
    /* Instead of batch, where its events do not matter: more tells that the next one is at hand. */
    bool (*encoded)(void *context, struct ampel_text tenant, const struct ampel_batch_header *header,
                    const uint8_t *bytes, uint32_t size, bool more);
    /* A line that was refused: verdict, reason (line filled) and the line itself. NULL: the walk says it on standard
       error and goes on. */
    bool (*refused)(void *context, const char *file, enum ampel_verdict verdict,
                    const struct ampel_error *error, struct ampel_text line);
};

struct ampel_source_options {
    int64_t sent_at_ms;              /* INT64_MIN: neither future nor ancient are judged */
    struct ampel_text fallback_tenant;
    const char *progress;            /* "reading"; NULL: no bar */
};

/* Of encoded batches that are passed on the sink counts the events. */
struct ampel_source_counts {
    uint64_t events, refused, batches;
};

/* Walks the files in order. False: a file cannot be read or an encoded one is damaged (said on standard error with file and
   offset), or a sink ended the walk. */
AMPEL_MUST_CHECK bool ampel_source_walk(char *const *files, int files_count,
                                        const struct ampel_source_options *options,
                                        const struct ampel_source_sink *sink,
                                        struct ampel_source_counts *counts);

/* The events of a batch one by one, without those that were refused for what they say. What only the batch's own time
   speaks against (future, ancient) is part of a question about the past. A false return of event ends it. */
AMPEL_MUST_CHECK bool ampel_source_batch_events(
    struct ampel_text tenant, const struct ampel_batch *batch, void *context,
    bool (*event)(void *context, struct ampel_text tenant, struct ampel_text seller,
                  struct ampel_text marketplace, const struct ampel_event *event));

#endif

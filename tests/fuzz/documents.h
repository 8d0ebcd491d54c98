/* Where the events of documents go in fuzz targets: each is checked and counted. */
#ifndef AMPEL_TESTS_FUZZ_DOCUMENTS_H
#define AMPEL_TESTS_FUZZ_DOCUMENTS_H

#include "proto/draft.h"
#include "proto/jsonl.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_told {
    uint32_t events;
    uint32_t of_type[AMPEL_EVENT_TYPES_COUNT];
    int64_t at_ms; /* of the last one */
};

static inline void fuzz_told_sink(void *context, const struct ampel_jsonl_event *event) {
    static char line[AMPEL_JSONL_LINE_MAX];
    static struct ampel_jsonl_event again;
    struct fuzz_told *told = context;
    struct ampel_error error = {0};
    const char *field;
    AMPEL_ASSERT(ampel_draft_judge(&event->event, INT64_MIN, &field) == AMPEL_VERDICT_OK);
    uint32_t size = ampel_jsonl_encode(event->tenant, event->seller, event->marketplace,
                                       &event->event, line, sizeof line);
    AMPEL_ASSERT(size > 0);
    AMPEL_ASSERT(ampel_jsonl_decode((struct ampel_text){line, size - 1}, INT64_MIN,
                                    (struct ampel_text){NULL, 0}, &again,
                                    &error) == AMPEL_VERDICT_OK);
    AMPEL_ASSERT(fuzz_event_equal(&event->event, &again.event));
    told->events++;
    told->of_type[event->event.type]++;
    told->at_ms = event->event.at_ms;
}

/* What a table of events told, and how many of its rows were broken; each names its line. */
struct fuzz_heard {
    struct fuzz_told told;
    uint32_t broken;
};

static inline void fuzz_heard_event(void *context, const struct ampel_jsonl_event *event) {
    struct fuzz_heard *heard = context;
    fuzz_told_sink(&heard->told, event);
}

static inline void fuzz_heard_broken(void *context, const struct ampel_error *error) {
    struct fuzz_heard *heard = context;
    AMPEL_ASSERT(error->reason[0] != 0 && error->line >= 2);
    heard->broken++;
}

#endif

/* Events of cases on their way to the worker: numbered and kept in the same transaction as what they tell, sent in order
   under those numbers until the worker has confirmed them. So a command that is run again, or comes back after a lost
   connection, sends the same batches and changes nothing twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/jsonl.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/feed_links.h"
#include "workers/cli/incident.h"
#include "workers/environment.h"

/* Cases have a producer of their own, whose sequences the database gives. */
#define PRODUCER "ampel-incident"

struct waiting {
    int64_t sequence, sent_at_ms;
    char *lines;
};

struct sending {
    const struct ampel_incident_words *given;
    const char *tenant;
    struct ampel_batch_builder *builder;
    struct ampel_feed_links *links;
    struct ampel_feed_way *way;
    uint32_t count;
    struct waiting *waiting;
    uint64_t refused;
};

bool ampel_case_post(struct ampel_pq *pq, const struct ampel_incident_words *given, const struct ampel_case *incident,
                     const char *lines) {
    const struct ampel_pq_value tenant = ampel_pq_string(incident->tenant);
    const struct ampel_pq_value values[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id),
                                            ampel_pq_string(lines), ampel_pq_time(ampel_option_now())};
    return ampel_case_run(pq, given, AMPEL_SQL_CASE_EVENTS_LOCK, &tenant, 1) &&
           ampel_case_run(pq, given, AMPEL_SQL_CASE_EVENT_ADD, values, 4);
}

void ampel_case_line_add(struct ampel_case_lines *lines, const struct ampel_case *incident, const char *seller,
                         const char *marketplace, const struct ampel_event *event) {
    if (lines->capacity - lines->size < AMPEL_JSONL_LINE_MAX + 1) {
        lines->capacity = 2 * lines->capacity + 2 * AMPEL_JSONL_LINE_MAX;
        lines->bytes = realloc(lines->bytes, lines->capacity);
        AMPEL_ASSERT(lines->bytes != NULL);
    }
    uint32_t size = ampel_jsonl_encode(ampel_text_of(incident->tenant), ampel_text_of(seller), ampel_text_of(marketplace),
                                       event, lines->bytes + lines->size, AMPEL_JSONL_LINE_MAX);
    AMPEL_ASSERT(size > 0);
    lines->size += size;
    lines->bytes[lines->size] = 0;
}

bool ampel_case_reaches(const struct ampel_incident_words *given) {
    return ampel_environment_or(given->endpoint, "AMPEL_ENDPOINT") != NULL &&
           ampel_environment_or(given->keys, "AMPEL_KEYS") != NULL;
}

static void answer_take(void *context, const struct ampel_feed_answer *answer) {
    struct sending *sending = context;
    for (uint32_t i = 0; i < answer->refused_count; i++)
        (void)ampel_case_refuse(sending->given, "the worker refused an event: %s (%s)",
                                ampel_verdict_sentence(answer->refused[i].verdict), answer->refused[i].field);
    sending->refused += answer->refused_count;
}

static bool waiting_read(struct ampel_pq *pq, struct sending *sending) {
    const struct ampel_pq_value tenant = ampel_pq_string(sending->tenant);
    if (!ampel_case_run(pq, sending->given, AMPEL_SQL_CASE_EVENTS_UNSENT, &tenant, 1)) return false;
    sending->count = ampel_pq_rows(pq);
    sending->waiting = calloc(sending->count + 1, sizeof *sending->waiting);
    AMPEL_ASSERT(sending->waiting != NULL);
    for (uint32_t i = 0; i < sending->count; i++) {
        sending->waiting[i] = (struct waiting){.sequence = ampel_pq_get_int64(pq, i, 0),
                                               .sent_at_ms = ampel_pq_get_time(pq, i, 2),
                                               .lines = strdup(ampel_pq_get_text(pq, i, 1).bytes)};
        AMPEL_ASSERT(sending->waiting[i].lines != NULL);
    }
    return true;
}

/* Lines that this program wrote; another version's may not be read. */
static bool batch_build(struct sending *sending, const struct waiting *waiting) {
    static struct ampel_jsonl_event event;
    ampel_batch_builder_reset(sending->builder);
    for (const char *line = waiting->lines; *line != 0;) {
        struct ampel_error error = {0};
        size_t size = strcspn(line, "\n");
        enum ampel_verdict verdict = ampel_jsonl_decode((struct ampel_text){line, (uint32_t)size}, waiting->sent_at_ms,
                                                        ampel_text_of(sending->tenant), &event, &error);
        if (verdict != AMPEL_VERDICT_OK ||
            !ampel_batch_builder_push(sending->builder, event.seller, event.marketplace, &event.event)) {
            (void)ampel_case_refuse(sending->given, "an event cannot be sent: %s: %s", error.field, error.reason);
            return false;
        }
        line += size + (line[size] == '\n');
    }
    return true;
}

static bool batch_push(struct sending *sending, const struct waiting *waiting) {
    const struct ampel_batch_header header = {.producer = ampel_text_of(PRODUCER),
                                              .sequence = (uint64_t)waiting->sequence,
                                              .sent_at_ms = waiting->sent_at_ms};
    const uint8_t *bytes;
    uint32_t size;
    if (!batch_build(sending, waiting)) return false;
    AMPEL_ASSERT(ampel_batch_encode(sending->builder, &header, false, &bytes, &size));
    return ampel_feed_links_push(sending->links, sending->way, bytes, size, &header, false);
}

static bool links_open(struct sending *sending) {
    const struct ampel_feed_links_options options = {
        .endpoint = ampel_environment_or(sending->given->endpoint, "AMPEL_ENDPOINT"),
        .keys = ampel_environment_or(sending->given->keys, "AMPEL_KEYS"),
        .patience_ms = sending->given->patience_s * 1000,
        .sink = answer_take,
        .sink_context = sending};
    if (options.endpoint == NULL || options.keys == NULL) {
        (void)ampel_case_refuse(sending->given, "no --%s and no AMPEL_%s: where is the worker?",
                                options.endpoint == NULL ? "endpoint" : "keys",
                                options.endpoint == NULL ? "ENDPOINT" : "KEYS");
        return false;
    }
    sending->links = ampel_feed_links_open(&options);
    sending->way = ampel_feed_links_way(sending->links, sending->tenant);
    return ampel_feed_way_good(sending->way);
}

static bool acked_write(struct ampel_pq *pq, const struct sending *sending) {
    for (uint32_t i = 0; i < sending->count; i++) {
        const struct ampel_pq_value key[] = {ampel_pq_string(sending->tenant),
                                             ampel_pq_int64(sending->waiting[i].sequence)};
        if (!ampel_case_run(pq, sending->given, AMPEL_SQL_CASE_EVENT_ACKED, key, 2)) return false;
    }
    return true;
}

int ampel_case_send(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *tenant) {
    struct sending sending = {.given = given, .tenant = tenant};
    bool good = waiting_read(pq, &sending);
    if (good && sending.count > 0) {
        sending.builder = ampel_batch_builder_open();
        AMPEL_ASSERT(sending.builder != NULL);
        good = links_open(&sending);
        for (uint32_t i = 0; good && i < sending.count; i++)
            good = batch_push(&sending, &sending.waiting[i]);
        good = good && ampel_feed_links_drain(sending.links) && ampel_feed_way_good(sending.way) && acked_write(pq, &sending);
        ampel_feed_links_close(sending.links);
        ampel_batch_builder_close(sending.builder);
        if (!good)
            (void)ampel_case_refuse(given, "it is written down, but the worker does not know yet: run the same again");
    }
    for (uint32_t i = 0; i < sending.count; i++)
        free(sending.waiting[i].lines);
    free(sending.waiting);
    if (!good) return AMPEL_EXIT_FAILED;
    return sending.refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

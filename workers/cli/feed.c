/* ampel feed: events of files to a worker, each exactly once however often it is run. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/hash.h"
#include "proto/print.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/environment.h"
#include "workers/cli/feed_links.h"
#include "workers/cli/feed_state.h"
#include "workers/cli/options.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/source.h"

/* A bound for memory: some 300 bytes each while nothing of it waits. */
#define LANES_MAX 16384
#define LANE_BUCKETS (2 * LANES_MAX) /* a power of two */
/* Batches remembered with one sync before they are sent. */
#define GROUP_BATCHES 64
#define PATH_BYTES 4096

static const struct ampel_usage usage = {
    .command = "feed",
    .arguments = "FILE...",
    .about =
        "Sends the events of files (JSON Lines, or what `ampel encode` wrote; - is standard input) to a\n"
        "worker and waits until they are durable there. Each tenant's events go with that tenant's key,\n"
        "all tenants' at once; where one's cannot go, it is named and the others' go all the same.\n"
        "Producer, sequences and times of sending are kept beside the first file (FILE.feed), so that a\n"
        "second run changes nothing, and a file that has grown sends only what is new. Standard\n"
        "input is taken as new each time; with --state FILE the same input again changes nothing.\n"
        "Refused events go to a file with the reason.",
    .examples = "  ampel feed events.jsonl\n"
                "  ampel feed --backfill history.jsonl     one summary an account, no alerts\n"
                "  ampel feed --state feeds.state monday.jsonl tuesday.jsonl\n"
                "                                          one producer for many files\n",
};

/* One tenant: the batch being collected, and its way to the worker. */
struct lane {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_batch_builder *builder; /* NULL: its batches come encoded */
    struct ampel_feed_way *way;
    uint32_t batches_count; /* of the present file */
};

struct ready {
    uint32_t lane_index;
    uint64_t sequence;
    uint32_t size;
    uint8_t *bytes;
};

struct feeding {
    const char *endpoint, *keys;
    char file[AMPEL_FEED_FILE_SIZE]; /* the one being read, as the state knows it */
    bool file_waits; /* it is a pipe: a read may take long */
    int64_t sent_at_ms, patience_ms;
    uint32_t batch_events;
    bool backfill, rows;
    struct ampel_feed_state *state;
    struct ampel_batch_decoder *decoder;
    struct ampel_feed_links *links;
    uint32_t lanes_count, lanes_capacity;
    struct lane *lanes;
    uint32_t lane_buckets[LANE_BUCKETS]; /* by hash of the tenant: index + 1 */
    uint32_t ready_count;
    struct ready ready[GROUP_BATCHES];
    char refused_path[PATH_BYTES];
    FILE *refused;
    uint64_t accepted, batches, duplicates;
    struct ampel_source_counts counts;
    uint64_t by_verdict[AMPEL_VERDICTS_COUNT];
    bool failed;
};

/* ---- refused events -------------------------------------------------------------------------- */

static void refused_write(struct feeding *feeding, uint8_t verdict, const char *field,
                          const char *reason, struct ampel_text event, bool event_is_json) {
    if (verdict < AMPEL_VERDICTS_COUNT) feeding->by_verdict[verdict]++;
    if (feeding->refused == NULL) {
        feeding->refused = fopen(feeding->refused_path, "w");
        if (feeding->refused == NULL) {
            fprintf(stderr, "ampel feed: %s: %s\n", feeding->refused_path, strerror(errno));
            feeding->failed = true;
            return;
        }
    }
    static char bytes[512 * 1024];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "verdict", ampel_text_of(ampel_verdict_name(verdict)));
    ampel_member_text(&print, "field", ampel_text_of(field));
    ampel_member_text(&print, "reason", ampel_text_of(reason));
    ampel_print_key(&print, event_is_json ? "event" : "line");
    if (event_is_json)
        ampel_print_text(&print, event);
    else
        ampel_print_json(&print, event);
    ampel_print_word(&print, "}\n");
    fwrite(bytes, 1, print.size, feeding->refused);
}

static bool line_refused(void *context, const char *file, enum ampel_verdict verdict,
                         const struct ampel_error *error, struct ampel_text line) {
    struct feeding *feeding = context;
    char reason[512];
    snprintf(reason, sizeof reason, "%s:%u: %s", file, error->line, error->reason);
    refused_write(feeding, (uint8_t)verdict, error->field, reason, line, false);
    return !feeding->failed;
}

/* The worker refused events of a batch: each is written as its line again. */
static void answer_refused(struct feeding *feeding, const struct ampel_feed_answer *answer) {
    struct ampel_batch batch;
    struct ampel_error error = {0};
    if (!ampel_batch_decode(feeding->decoder, answer->bytes, answer->size, &batch, &error)) {
        feeding->failed = true;
        return;
    }
    for (uint32_t i = 0; i < answer->refused_count; i++) {
        const struct ampel_batch_refused *refused = &answer->refused[i];
        char line[8192];
        uint32_t size = 0, account = 0;
        if (refused->event_index < batch.frame.events_count) {
            struct ampel_event event;
            ampel_frame_event(&batch.frame, refused->event_index, &account, &event);
            if (account < batch.frame.accounts_count)
                size = ampel_jsonl_encode(answer->tenant, batch.frame.accounts[account].seller,
                                          batch.frame.accounts[account].marketplace, &event, line,
                                          sizeof line);
        }
        struct ampel_text text = {line, size > 0 ? size - 1 : 0};
        refused_write(feeding, refused->verdict, refused->field, ampel_verdict_sentence(refused->verdict),
                      text, size > 0);
    }
}

static void answer_take(void *context, const struct ampel_feed_answer *answer) {
    struct feeding *feeding = context;
    feeding->accepted += answer->accepted;
    feeding->batches++;
    if (answer->duplicate) feeding->duplicates++;
    if (answer->refused_count > 0) answer_refused(feeding, answer);
}

/* ---- batches --------------------------------------------------------------------------------- */

static struct lane *lane_make(struct feeding *feeding, struct ampel_text tenant) {
    if (feeding->lanes_count == LANES_MAX) {
        fprintf(stderr, "ampel feed: more than %d tenants in one run\n", LANES_MAX);
        return NULL;
    }
    if (feeding->lanes_count == feeding->lanes_capacity) {
        feeding->lanes_capacity = feeding->lanes_capacity == 0 ? 16 : feeding->lanes_capacity * 2;
        feeding->lanes = realloc(feeding->lanes, feeding->lanes_capacity * sizeof *feeding->lanes);
        AMPEL_ASSERT(feeding->lanes != NULL);
    }
    struct lane *lane = &feeding->lanes[feeding->lanes_count++];
    memset(lane, 0, sizeof *lane);
    memcpy(lane->tenant, tenant.bytes, tenant.size);
    lane->way = ampel_feed_links_way(feeding->links, lane->tenant);
    return lane;
}

/* The tenant's, made where it is new. Good until the next call. */
static struct lane *lane_of(struct feeding *feeding, struct ampel_text tenant) {
    uint64_t bucket = ampel_hash_bytes(tenant.bytes, tenant.size);
    for (;; bucket++) {
        uint32_t *index = &feeding->lane_buckets[bucket % LANE_BUCKETS];
        if (*index > 0 && !ampel_text_is(tenant, feeding->lanes[*index - 1].tenant)) continue;
        if (*index > 0) return &feeding->lanes[*index - 1];
        struct lane *lane = lane_make(feeding, tenant);
        *index = feeding->lanes_count;
        return lane;
    }
}

/* Remembers what is ready, then sends it. */
static bool group_send(struct feeding *feeding) {
    bool good = ampel_feed_state_sync(feeding->state);
    for (uint32_t i = 0; i < feeding->ready_count; i++) {
        struct ready *ready = &feeding->ready[i];
        const struct ampel_batch_header header = {
            .producer = ampel_text_of(ampel_feed_state_producer(feeding->state)),
            .sequence = ready->sequence,
        };
        good = good && ampel_feed_links_push(feeding->links, feeding->lanes[ready->lane_index].way, ready->bytes,
                                             ready->size, &header, true);
        free(ready->bytes);
    }
    feeding->ready_count = 0;
    return good && ampel_feed_links_send(feeding->links, feeding->file_waits) && !feeding->failed;
}

static bool lane_flush(struct feeding *feeding, struct lane *lane) {
    uint32_t events_count = lane->builder != NULL ? ampel_batch_builder_events(lane->builder) : 0;
    if (events_count == 0) return true;
    const struct ampel_feed_batch *known =
        ampel_feed_state_batch(feeding->state, feeding->file, lane->tenant, lane->batches_count);
    struct ampel_feed_batch batch = {.events_count = events_count};
    snprintf(batch.tenant, sizeof batch.tenant, "%s", lane->tenant);
    batch.sequence = known != NULL ? known->sequence : ampel_feed_state_next(feeding->state, lane->tenant);
    batch.sent_at_ms = known != NULL ? known->sent_at_ms : feeding->sent_at_ms;
    if (batch.sent_at_ms == INT64_MIN) batch.sent_at_ms = ampel_option_now();
    const struct ampel_batch_header header = {
        .producer = ampel_text_of(ampel_feed_state_producer(feeding->state)),
        .sequence = batch.sequence,
        .sent_at_ms = batch.sent_at_ms,
        .backfill = feeding->backfill,
    };
    const uint8_t *bytes;
    uint32_t size;
    AMPEL_ASSERT(ampel_batch_encode(lane->builder, &header, feeding->rows, &bytes, &size));
    batch.checksum = ampel_hash_bytes(bytes, size);
    if (known != NULL && known->checksum != batch.checksum) {
        fprintf(stderr,
                "ampel feed: %s: the %u events from tenant %s's batch %" PRIu64 " on are not those sent before "
                "(or --backfill, --rows differ); to send the file as a new one give another --state\n",
                feeding->file, events_count, lane->tenant, batch.sequence);
        return false;
    }
    if (known == NULL && !ampel_feed_state_push(feeding->state, feeding->file, &batch)) return false;
    struct ready *ready = &feeding->ready[feeding->ready_count++];
    *ready = (struct ready){.lane_index = (uint32_t)(lane - feeding->lanes),
                            .sequence = batch.sequence,
                            .size = size,
                            .bytes = malloc(size)};
    AMPEL_ASSERT(ready->bytes != NULL);
    memcpy(ready->bytes, bytes, size);
    ampel_batch_builder_reset(lane->builder);
    lane->batches_count++;
    return feeding->ready_count < GROUP_BATCHES || group_send(feeding);
}

/* A batch sent before ends where it ended then, also when the file has grown since. */
static uint32_t lane_limit(const struct feeding *feeding, const struct lane *lane) {
    const struct ampel_feed_batch *known =
        ampel_feed_state_batch(feeding->state, feeding->file, lane->tenant, lane->batches_count);
    return known != NULL ? known->events_count : feeding->batch_events;
}

static bool event_take(void *context, const struct ampel_jsonl_event *event) {
    struct feeding *feeding = context;
    struct lane *lane = lane_of(feeding, event->tenant);
    if (lane == NULL) return false;
    if (!ampel_feed_way_good(lane->way)) return true;
    if (lane->builder == NULL) lane->builder = ampel_batch_builder_open();
    AMPEL_ASSERT(lane->builder != NULL);
    if (!ampel_batch_builder_push(lane->builder, event->seller, event->marketplace, &event->event)) {
        if (!lane_flush(feeding, lane) ||
            !ampel_batch_builder_push(lane->builder, event->seller, event->marketplace, &event->event))
            return false;
    }
    return ampel_batch_builder_events(lane->builder) < lane_limit(feeding, lane) ||
           lane_flush(feeding, lane);
}

/* A batch of an encoded file goes as it is: producer, sequence and sent_at are inside. */
static bool encoded_take(void *context, struct ampel_text tenant,
                         const struct ampel_batch_header *header, const uint8_t *bytes, uint32_t size,
                         bool more) {
    struct feeding *feeding = context;
    struct lane *lane = lane_of(feeding, tenant);
    feeding->counts.events = feeding->accepted;
    if (lane == NULL || !ampel_feed_links_push(feeding->links, lane->way, bytes, size, header, more)) return false;
    return (more || ampel_feed_links_send(feeding->links, feeding->file_waits)) && !feeding->failed;
}

static bool file_end(struct feeding *feeding) {
    bool good = true;
    for (uint32_t i = 0; i < feeding->lanes_count && good; i++) {
        good = lane_flush(feeding, &feeding->lanes[i]);
        feeding->lanes[i].batches_count = 0;
    }
    return good && group_send(feeding);
}

static bool file_waits(const char *file) {
    struct stat about;
    return strcmp(file, "-") == 0 || stat(file, &about) != 0 || !S_ISREG(about.st_mode);
}

/* Of whom not everything went was said when it was met; here that it was not all of them. */
static bool failed_tell(const struct feeding *feeding) {
    const uint32_t failed = ampel_feed_links_failed(feeding->links);
    if (failed > 0 && failed < feeding->lanes_count)
        fprintf(stderr, "ampel feed: of %u of %u tenants not all events went, as said above\n", failed,
                feeding->lanes_count);
    return failed > 0;
}

static bool files_feed(struct feeding *feeding, char **files, int files_count,
                       struct ampel_text fallback_tenant) {
    const struct ampel_source_options options = {
        .sent_at_ms = INT64_MIN, .fallback_tenant = fallback_tenant, .progress = "feeding"};
    const struct ampel_source_sink sink = {
        .context = feeding, .event = event_take, .encoded = encoded_take, .refused = line_refused};
    bool good = true;
    for (int i = 0; i < files_count && good; i++) {
        ampel_feed_state_name(feeding->state, files[i], feeding->file);
        feeding->file_waits = file_waits(files[i]);
        good = ampel_source_walk(&files[i], 1, &options, &sink, &feeding->counts) && file_end(feeding);
    }
    good = good && ampel_feed_links_drain(feeding->links);
    return !failed_tell(feeding) && good && !feeding->failed;
}

/* ---- the command ----------------------------------------------------------------------------- */

static uint64_t summary_print(const struct feeding *feeding) {
    uint64_t refused = 0;
    for (uint32_t i = 0; i < AMPEL_VERDICTS_COUNT; i++) refused += feeding->by_verdict[i];
    printf(ampel_label("%llu events accepted, %llu refused, in %llu batches"), (unsigned long long)feeding->accepted,
           (unsigned long long)refused, (unsigned long long)feeding->batches);
    if (feeding->duplicates > 0)
        printf(ampel_label(" (%llu of them were durable before)"), (unsigned long long)feeding->duplicates);
    printf("\n");
    for (uint32_t i = 0; i < AMPEL_VERDICTS_COUNT; i++)
        if (feeding->by_verdict[i] > 0)
            printf("  %-20s %" PRIu64 "  %s\n", ampel_verdict_name((uint8_t)i), feeding->by_verdict[i],
                   ampel_verdict_sentence((uint8_t)i));
    if (refused > 0) printf(ampel_label("refused events: %s\n"), feeding->refused_path);
    return refused;
}

static void feeding_close(struct feeding *feeding) {
    ampel_feed_links_close(feeding->links);
    for (uint32_t i = 0; i < feeding->lanes_count; i++) ampel_batch_builder_close(feeding->lanes[i].builder);
    free(feeding->lanes);
    for (uint32_t i = 0; i < feeding->ready_count; i++) free(feeding->ready[i].bytes);
    if (feeding->refused != NULL && fclose(feeding->refused) != 0) feeding->failed = true;
    ampel_batch_decoder_close(feeding->decoder);
    ampel_feed_state_close(feeding->state);
}

static int feed_run(struct feeding *feeding, char **files, int files_count, const char *tenant,
                    const char *state_path, const char *producer) {
    char beside[PATH_BYTES];
    if (state_path == NULL && strcmp(files[0], "-") != 0) {
        snprintf(beside, sizeof beside, "%s.feed", files[0]);
        state_path = beside;
    }
    struct ampel_text fallback = tenant != NULL ? ampel_text_of(tenant) : (struct ampel_text){NULL, 0};
    feeding->decoder = ampel_batch_decoder_open();
    AMPEL_ASSERT(feeding->decoder != NULL);
    const struct ampel_feed_links_options links = {.endpoint = feeding->endpoint,
                                                   .keys = feeding->keys,
                                                   .patience_ms = feeding->patience_ms,
                                                   .sink = answer_take,
                                                   .sink_context = feeding};
    feeding->links = ampel_feed_links_open(&links);
    bool good = ampel_feed_state_open(state_path, producer, &feeding->state) &&
                files_feed(feeding, files, files_count, fallback);
    uint64_t refused = good || feeding->batches > 0 ? summary_print(feeding) : 0;
    feeding_close(feeding);
    if (!good || feeding->failed) return AMPEL_EXIT_FAILED;
    return refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

int ampel_command_feed(int argc, char **argv) {
    const char *endpoint = NULL, *keys = NULL, *tenant = NULL, *producer = NULL, *state_path = NULL;
    const char *refused_path = NULL;
    int64_t sent_at_ms = INT64_MIN, batch_events = 1000, patience_s = 60;
    bool backfill = false, rows = false;
    const struct ampel_option options[] = {
        {"tenant", 0, AMPEL_OPTION_TEXT, &tenant, "NAME", "tenant of lines that name none"},
        {"backfill", 'b', AMPEL_OPTION_FLAG, &backfill, NULL, "old events in bulk: a summary instead of alerts"},
        {"batch-events", 0, AMPEL_OPTION_NUMBER, &batch_events, "N", "events in a batch; default 1000"},
        {"rows", 0, AMPEL_OPTION_FLAG, &rows, NULL, "send rows, not columns"},
        {"producer", 'p', AMPEL_OPTION_TEXT, &producer, "NAME", "default: one made at random, kept in the state"},
        {"state", 0, AMPEL_OPTION_TEXT, &state_path, "FILE", "what was sent; default: FILE.feed beside the first"},
        {"sent-at", 0, AMPEL_OPTION_TIME, &sent_at_ms, "TIME", "of new batches; default: now"},
        {"refused", 0, AMPEL_OPTION_TEXT, &refused_path, "FILE", "default: FILE.refused.jsonl beside the first"},
        {"patience", 0, AMPEL_OPTION_NUMBER, &patience_s, "S", "seconds without a word from the worker; default 60"},
        {"endpoint", 0, AMPEL_OPTION_TEXT, &endpoint, "URL", "default: AMPEL_ENDPOINT"},
        {"keys", 0, AMPEL_OPTION_TEXT, &keys, "DIR", "with TENANT.key files; default: AMPEL_KEYS"},
    };
    int files_count;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &files_count);
    if (result != AMPEL_OPTIONS_OK)
        return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (files_count == 0) return ampel_usage_wrong(&usage, "no FILE is given");
    if (batch_events < 1 || batch_events > AMPEL_BATCH_EVENTS_MAX)
        return ampel_usage_wrong(&usage, "--batch-events is 1 to %u", AMPEL_BATCH_EVENTS_MAX);
    if (producer != NULL && !ampel_id_valid(ampel_text_of(producer), false))
        return ampel_usage_wrong(&usage, "--producer is 1 to 64 printable characters without spaces");
    if (tenant != NULL && !ampel_id_valid(ampel_text_of(tenant), true))
        return ampel_usage_wrong(&usage, "--tenant is 1 to 64 printable characters without spaces and /");
    static struct feeding feeding;
    feeding = (struct feeding){
        .endpoint = ampel_environment_or(endpoint, "AMPEL_ENDPOINT"),
        .keys = ampel_environment_or(keys, "AMPEL_KEYS"),
        .sent_at_ms = sent_at_ms,
        .patience_ms = patience_s * 1000,
        .batch_events = (uint32_t)batch_events,
        .backfill = backfill,
        .rows = rows,
    };
    if (feeding.endpoint == NULL) return ampel_usage_wrong(&usage, "no --endpoint and no AMPEL_ENDPOINT");
    if (feeding.keys == NULL) return ampel_usage_wrong(&usage, "no --keys and no AMPEL_KEYS");
    if (refused_path != NULL)
        snprintf(feeding.refused_path, sizeof feeding.refused_path, "%s", refused_path);
    else
        snprintf(feeding.refused_path, sizeof feeding.refused_path, "%s.refused.jsonl",
                 strcmp(argv[1], "-") == 0 ? "stdin" : argv[1]);
    return feed_run(&feeding, argv + 1, files_count, tenant, state_path, producer);
}

/* Each stage of the way alone, over the batches of an encoded file: what the whole cannot be faster than.

   Rates are per second of wall time; "core_ns" is processor time an event, which says more on a busy machine. Each stage checks
   that every event went through. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"
#include "proto/bundle.h"
#include "proto/rules_file.h"
#include "workers/ahead.h"
#include "workers/client_zmq.h"
#include "workers/clock.h"
#include "workers/journal.h"
#include "workers/logline.h"
#include "workers/memory.h"
#include "workers/network_zmq.h"

#define PARTITIONS 64
#define GROUP_BYTES (UINT32_C(1) << 20)
#define ANSWER_BYTES 100
#define BUNDLE_BYTES (UINT32_C(64) << 10)

/* Records of the file, as the gateway makes them. */
struct records {
    uint64_t count, bytes_size;
    uint8_t **bytes;
    uint32_t *sizes;
};

struct watch {
    int64_t wall_ns, core_ns;
};

static struct watch watch_start(void) { return (struct watch){load_now_ns(), load_thread_ns()}; }

static void tell(const char *name, const struct watch *from, uint64_t events, uint64_t bytes,
                 int64_t more_core_ns) {
    double wall = (double)(load_now_ns() - from->wall_ns);
    double core = (double)(load_thread_ns() - from->core_ns + more_core_ns);
    printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"events/s\",\"bytes_per_second\":%.0f,\"core_ns\":%.1f,"
           "\"events\":%llu}\n",
           name, (double)events * 1e9 / wall, (double)bytes * 1e9 / wall, core / (double)events,
           (unsigned long long)events);
    fflush(stdout);
}

/* ---- decode --------------------------------------------------------------------------------- */

static uint64_t decode_one(struct ampel_batch_decoder *decoder, struct ampel_record_builder *builder,
                           const struct load_batch *from, const uint8_t **record, uint32_t *size) {
    struct ampel_batch batch;
    struct ampel_error error = {0};
    if (!ampel_batch_decode(decoder, from->bytes, from->size, &batch, &error) ||
        !ampel_record_encode_batch(builder, &batch, from->tenant, batch.header.sent_at_ms, record, size))
        load_fail("a batch cannot be decoded", error.reason);
    if (batch.refused_count != 0) load_fail("an event was refused", "");
    return batch.frame.events_count;
}

/* The gateway's work; keeps the records where out is given. */
static void decode(const struct load_file *file, struct records *out, bool told) {
    struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    struct ampel_record_builder *builder = ampel_record_builder_open(PARTITIONS);
    if (decoder == NULL || builder == NULL) load_fail("no memory", "");
    struct watch watch = watch_start();
    uint64_t events = 0;
    for (uint64_t i = 0; i < file->batches_count; i++) {
        const uint8_t *bytes;
        uint32_t size;
        events += decode_one(decoder, builder, &file->batches[i], &bytes, &size);
        if (out == NULL) continue;
        out->bytes[i] = malloc(size);
        if (out->bytes[i] == NULL) load_fail("no memory", "");
        memcpy(out->bytes[i], bytes, size);
        out->sizes[i] = size;
        out->bytes_size += size;
        out->count = i + 1;
    }
    if (events != file->events_count) load_fail("events are missing", "decode");
    if (told) tell("stage_decode", &watch, events, file->size, 0);
    ampel_batch_decoder_close(decoder);
    ampel_record_builder_close(builder);
}

/* ---- journal -------------------------------------------------------------------------------- */

static struct ampel_journal *journal_open(const char *path, struct ampel_journal_options *options) {
    if (!ampel_disk_posix(path, &options->disk)) load_fail("the directory cannot be used", path);
    options->system_id = 1;
    options->segment_bytes = UINT64_C(64) << 20;
    options->bytes_max = UINT64_C(1) << 40;
    options->group_bytes_max = GROUP_BYTES;
    struct ampel_journal *journal;
    struct ampel_error error = {0};
    if (ampel_journal_open(options, &journal, &error) != AMPEL_JOURNAL_OK)
        load_fail(error.reason, error.field);
    return journal;
}

static void commit(struct ampel_journal *journal) {
    struct ampel_error error = {0};
    if (ampel_journal_commit(journal, &error) != AMPEL_JOURNAL_OK) load_fail(error.reason, error.field);
}

static void release(struct ampel_journal *journal) {
    for (bool more = true; more;)
        if (ampel_journal_release(journal, ampel_journal_end(journal), &more) != AMPEL_JOURNAL_OK)
            load_fail("the journal releases nothing", "");
}

static void records_append(struct ampel_journal *journal, const struct records *records) {
    for (uint64_t i = 0; i < records->count; i++) {
        enum ampel_journal_status status =
            ampel_journal_append(journal, records->bytes[i], records->sizes[i], INT64_MAX / 2);
        if (status == AMPEL_JOURNAL_AGAIN) {
            commit(journal);
            status = ampel_journal_append(journal, records->bytes[i], records->sizes[i], INT64_MAX / 2);
        }
        if (status != AMPEL_JOURNAL_OK) load_fail("the journal takes no more", "");
        /* As if each segment were checkpointed at once, so that the next is a recycled one. */
        if (i % 1024 == 1023) release(journal);
    }
    commit(journal);
}

/* Once to have segments to recycle, then timed. */
static void journal(const struct records *records, const char *path, uint64_t events) {
    struct ampel_journal_options options = {0};
    struct ampel_journal *journal = journal_open(path, &options);
    records_append(journal, records);
    release(journal);
    uint64_t before = ampel_journal_end(journal);
    struct watch watch = watch_start();
    records_append(journal, records);
    if (ampel_journal_end(journal) - before < records->bytes_size) load_fail("bytes are missing", "journal");
    tell("stage_journal", &watch, events, records->bytes_size, 0);
    ampel_journal_close(journal);
    ampel_disk_posix_close(&options.disk);
}

/* ---- apply ---------------------------------------------------------------------------------- */

static void frame_apply(struct ampel_engine *engine, const struct ampel_frame *frame, uint64_t *applied) {
    struct ampel_apply_counts counts;
    bool done = false;
    ampel_engine_position_set(engine, frame->position);
    while (!done)
        if (ampel_engine_advance(engine, frame->stamp_ms, UINT32_MAX, &done) != AMPEL_ENGINE_OK)
            load_fail("no memory", "advance");
    if (ampel_engine_apply(engine, frame, &counts) != AMPEL_ENGINE_OK) load_fail("no memory", "apply");
    *applied += counts.applied;
    ampel_engine_changes_clear(engine);
}

static const struct ampel_engine *engine_of(const void *context, uint32_t partition) {
    struct ampel_engine *const *engines = context;
    return partition < PARTITIONS ? engines[partition] : NULL;
}

/* The shard's work. */
static void apply(const struct records *records, int64_t stamp_ms, uint64_t events) {
    struct ampel_shard_memory memory;
    struct ampel_rules rules;
    ampel_rules_init(&rules);
    struct ampel_engine_options options = {.rules = &rules, .start_ms = stamp_ms};
    ampel_memory_open(&memory, &options.memory);
    struct ampel_engine *engines[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++)
        if (ampel_engine_open(&options, &engines[i]) != AMPEL_ENGINE_OK) load_fail("no memory", "");
    struct ampel_record_reader *reader = ampel_record_reader_open();
    uint64_t applied = 0;
    struct ampel_ahead ahead;
    struct watch watch = watch_start();
    for (uint64_t i = 0; i < records->count; i++) {
        uint32_t cursor = 0;
        struct ampel_frame frame;
        struct ampel_error error = {0};
        ampel_record_seal(records->bytes[i], i * 8, stamp_ms);
        ampel_ahead_begin(&ahead, records->bytes[i], engine_of, engines);
        while (ampel_record_frame_next(reader, records->bytes[i], &cursor, &frame, &error)) {
            ampel_ahead_next(&ahead);
            frame_apply(engines[frame.partition], &frame, &applied);
        }
        if (error.reason[0] != 0) load_fail(error.reason, "apply");
    }
    if (applied != events) load_fail("events are missing", "apply");
    tell("stage_apply", &watch, events, records->bytes_size, 0);
    ampel_record_reader_close(reader);
    for (int i = 0; i < PARTITIONS; i++) ampel_engine_close(engines[i]);
    ampel_memory_close(&memory);
}

/* ---- transport ------------------------------------------------------------------------------ */

struct receiving {
    struct ampel_network network;
    uint64_t messages_count, bytes;
    int64_t core_ns;
};

static void *receive_all(void *context) {
    struct receiving *receiving = context;
    const uint8_t answer[ANSWER_BYTES] = {0};
    for (uint64_t taken = 0; taken < receiving->messages_count;) {
        struct ampel_received received;
        while (receiving->network.receive(receiving->network.context, &received)) {
            taken++;
            receiving->bytes += received.size;
            struct ampel_peer peer = received.peer;
            receiving->network.release(receiving->network.context, &received);
            if (receiving->network.send(receiving->network.context, &peer, answer, sizeof answer) !=
                AMPEL_SEND_OK)
                load_fail("an answer finds no room", "transport");
        }
        struct pollfd polled = {.events = POLLIN};
        if (taken == receiving->messages_count) break;
        if (ampel_network_zmq_fds(receiving->network.context, &polled.fd, 1) != 1 || poll(&polled, 1, 1000) < 0)
            load_fail("cannot wait", "transport");
    }
    receiving->core_ns = load_thread_ns();
    return NULL;
}

static void answers_take(struct ampel_client *client, uint64_t *answers, uint32_t wait_ms) {
    const uint8_t *bytes;
    uint32_t size;
    enum ampel_client_status status;
    while ((status = ampel_client_receive(client, wait_ms, &bytes, &size)) == AMPEL_CLIENT_OK) {
        ++*answers;
        wait_ms = 0;
    }
    if (status != AMPEL_CLIENT_NOTHING) load_fail(ampel_client_trouble(client), "transport");
}

/* What `ampel feed` would send: small batches in bundles. */
struct messages {
    uint64_t count;
    uint8_t **bytes;
    uint32_t *sizes;
};

static uint64_t bundle_end(const struct load_file *file, uint64_t from, uint32_t *size) {
    uint64_t to = from;
    for (*size = 0; to < file->batches_count && file->batches[to].size <= BUNDLE_BYTES - *size; to++)
        *size += file->batches[to].size;
    return to;
}

static struct messages messages_make(const struct load_file *file) {
    struct messages messages = {0, calloc(file->batches_count, sizeof(uint8_t *)),
                                calloc(file->batches_count, sizeof(uint32_t))};
    if (messages.bytes == NULL || messages.sizes == NULL) load_fail("no memory", "transport");
    for (uint64_t from = 0; from < file->batches_count; messages.count++) {
        uint32_t size;
        uint64_t to = bundle_end(file, from, &size);
        bool alone = to <= from + 1;
        if (alone) size = file->batches[from].size;
        uint8_t *bytes = malloc(AMPEL_BUNDLE_HEAD_BYTES + size), *at = bytes;
        if (bytes == NULL) load_fail("no memory", "transport");
        if (alone) to = from + 1;
        if (!alone) {
            ampel_bundle_head((uint32_t)(to - from), at);
            at += AMPEL_BUNDLE_HEAD_BYTES;
        }
        for (; from < to; from++) {
            memcpy(at, file->batches[from].bytes, file->batches[from].size);
            at += file->batches[from].size;
        }
        messages.bytes[messages.count] = bytes;
        messages.sizes[messages.count] = (uint32_t)(at - bytes);
    }
    return messages;
}

static void messages_free(struct messages *messages) {
    for (uint64_t i = 0; i < messages->count; i++) free(messages->bytes[i]);
    free(messages->bytes);
    free(messages->sizes);
}

static void send_all(struct ampel_client *client, const struct messages *messages) {
    uint64_t answers = 0;
    for (uint64_t i = 0; i < messages->count; i++) {
        while (ampel_client_send(client, messages->bytes[i], messages->sizes[i]) == AMPEL_CLIENT_FULL)
            answers_take(client, &answers, 1);
        if (i % 16 == 15) answers_take(client, &answers, 0);
    }
    while (answers < messages->count) answers_take(client, &answers, 50);
}

static int64_t process_ns(void) {
    struct timespec at;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at) != 0) load_fail("the clock cannot be read", "");
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

/* A client and a server with CURVE in this process, and nothing else: two threads of ours, two of libzmq. */
static void transport(const struct load_file *file) {
    struct ampel_system_clock clock;
    struct ampel_hub_options options = {0};
    struct ampel_keyfile keys;
    struct ampel_error error = {0};
    struct ampel_hub *hub;
    ampel_clock_system(&clock, INT64_MIN, 1, &options.clock);
    if (!ampel_keyfile_generate(&options.keys) || !ampel_keyfile_generate(&keys) ||
        !ampel_hub_open(&options, &hub, &error))
        load_fail(error.reason, "transport");
    memcpy(keys.server_key, options.keys.public_key, sizeof keys.server_key);
    struct messages messages = messages_make(file);
    struct receiving receiving = {.messages_count = messages.count};
    if (!ampel_network_zmq_open(hub, "tcp://127.0.0.1:*", &receiving.network, &error))
        load_fail(error.reason, "transport");
    struct ampel_tenant_key key = {.tenant = "load-0"};
    memcpy(key.public_key, keys.public_key, sizeof key.public_key);
    const struct ampel_parcel_tenants tenants = {.keys_count = 1, .keys = &key};
    ampel_network_zmq_tenants(receiving.network.context, &tenants);
    struct ampel_client *client;
    if (!ampel_client_open(NULL, ampel_network_zmq_endpoint(receiving.network.context), &keys, &client, &error))
        load_fail(error.reason, "transport");
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive_all, &receiving) != 0) load_fail("no thread", "transport");
    struct watch watch = watch_start();
    int64_t before_ns = process_ns();
    send_all(client, &messages);
    pthread_join(thread, NULL);
    int64_t others_ns = process_ns() - before_ns - (load_thread_ns() - watch.core_ns);
    tell("stage_transport", &watch, file->events_count, receiving.bytes, others_ns);
    ampel_client_close(client);
    ampel_network_zmq_close(receiving.network.context);
    ampel_hub_close(hub);
    messages_free(&messages);
}

/* ---- the command ---------------------------------------------------------------------------- */

int load_stages(int argc, char **argv) {
    if (argc < 1 || argv[0][0] == '-') load_fail("no FILE is given", "stages");
    const char *only = load_option(argc, argv, "only", ""), *path = load_option(argc, argv, "journal", "");
    struct load_file file;
    struct records records = {0};
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO);
    load_file_open(argv[0], &file);
    records.bytes = calloc(file.batches_count, sizeof records.bytes[0]);
    records.sizes = calloc(file.batches_count, sizeof records.sizes[0]);
    if (records.bytes == NULL || records.sizes == NULL) load_fail("no memory", "");
    bool all = only[0] == 0;
    if (all || strcmp(only, "decode") == 0) decode(&file, NULL, true);
    decode(&file, &records, false);
    if (path[0] != 0 && (all || strcmp(only, "journal") == 0)) journal(&records, path, file.events_count);
    if (all || strcmp(only, "apply") == 0) apply(&records, 1790858096789, file.events_count);
    if (all || strcmp(only, "transport") == 0) transport(&file);
    for (uint64_t i = 0; i < records.count; i++) free(records.bytes[i]);
    free(records.bytes);
    free(records.sizes);
    load_file_close(&file);
    return 0;
}

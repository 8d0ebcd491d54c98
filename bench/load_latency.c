/* Latency, open loop: batches are due at fixed times whatever the worker does, and each is timed from when it was due, so that a
   worker that stalls is charged with everything that should have been sent meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/load_pauses.h"
#include "bench/load_times.h"
#include "proto/bundle.h"
#include "proto/message.h"
#include "proto/text.h"
#include "workers/client_zmq.h"
#include "workers/realtime.h"

#define LAST_WAIT_NS INT64_C(20000000000)

struct plan {
    const char *producer;
    uint64_t batches_count;
    int64_t start_ns, step_ns; /* batch i is due at start + i * step */
    uint64_t warm_count;       /* so many are sent before any is timed */
    uint32_t batch_events;
    struct load_batch *batches; /* their bytes are theirs */
};

static int64_t due_ns(const struct plan *plan, uint64_t index) {
    return plan->start_ns + (int64_t)index * plan->step_ns;
}

/* An answer to a batch, or to what it caused, has come. */
static void time_it(struct load_times *times, const struct plan *plan, uint64_t index, int64_t now_ns) {
    if (index >= plan->warm_count) load_times_add(times, now_ns - due_ns(plan, index));
}

/* ---- the batches ---------------------------------------------------------------------------- */

static void plan_make(struct plan *plan, int argc, char **argv) {
    uint32_t accounts = (uint32_t)load_number(argc, argv, "accounts", 1e5);
    uint32_t run = (uint32_t)load_number(argc, argv, "run", 20);
    uint32_t violations = (uint32_t)load_number(argc, argv, "violations", 1);
    double rate = load_number(argc, argv, "rate", 1e5), seconds = load_number(argc, argv, "seconds", 10);
    uint64_t state = (uint64_t)load_number(argc, argv, "seed", 7), account = 0, number = 0;
    plan->producer = load_option(argc, argv, "producer", "latency");
    plan->batch_events = (uint32_t)load_number(argc, argv, "batch", 1000);
    plan->batches_count = (uint64_t)(rate * seconds / plan->batch_events) + 1;
    plan->warm_count = (uint64_t)(rate * load_number(argc, argv, "warm", 0) / plan->batch_events);
    plan->step_ns = (int64_t)(1e9 * plan->batch_events / rate);
    plan->batches = calloc(plan->batches_count, sizeof plan->batches[0]);
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    if (plan->batches == NULL || builder == NULL) load_fail("no memory", "");
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) load_fail("the clock cannot be read", "");
    int64_t now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
    for (uint64_t i = 0; i < plan->batches_count; i++) {
        for (uint32_t k = 0; k < plan->batch_events; k++, number++) {
            uint8_t extras[128];
            struct ampel_event event;
            struct ampel_text seller, marketplace;
            if (number % run == 0) account = load_below(&state, accounts);
            load_account(account, &seller, &marketplace);
            load_event(&state, number, violations, now_ms - 86400000, now_ms, extras, &event);
            if (!ampel_batch_builder_push(builder, seller, marketplace, &event)) load_fail("a batch is full", "");
        }
        const struct ampel_batch_header header = {
            .producer = ampel_text_of(plan->producer), .sequence = i, .sent_at_ms = now_ms};
        const uint8_t *bytes;
        uint32_t size;
        if (!ampel_batch_encode(builder, &header, false, &bytes, &size)) load_fail("no memory", "");
        uint8_t *copy = malloc(size);
        if (copy == NULL) load_fail("no memory", "");
        memcpy(copy, bytes, size);
        plan->batches[i] = (struct load_batch){.bytes = copy, .size = size};
        ampel_batch_builder_reset(builder);
    }
    ampel_batch_builder_close(builder);
}

/* ---- watching ------------------------------------------------------------------------------- */

struct watching {
    struct ampel_client *client;
    const struct plan *plan;
    atomic_bool ready, stop;
    struct load_times times;
};

static void watch_take(struct watching *watching, const struct ampel_message *message) {
    if (message->kind == AMPEL_MESSAGE_WATCHING) atomic_store(&watching->ready, true);
    if (message->kind != AMPEL_MESSAGE_CHANGE) return;
    const struct ampel_cause *cause = &message->change.change.cause;
    if (cause->kind != AMPEL_CAUSE_EVENT || cause->sequence >= watching->plan->batches_count) return;
    if (cause->producer_size != strlen(watching->plan->producer) ||
        memcmp(cause->producer, watching->plan->producer, cause->producer_size) != 0) return;
    time_it(&watching->times, watching->plan, cause->sequence, load_now_ns());
}

static void *watch_all(void *context) {
    struct watching *watching = context;
    struct ampel_message_decoder *decoder = ampel_message_decoder_open();
    uint8_t hello[256];
    const struct ampel_message watch = {.kind = AMPEL_MESSAGE_WATCH,
                                        .watch = {.stream = AMPEL_STREAM_ALERTS, .from = 0}};
    uint32_t hello_size = ampel_message_encode(&watch, hello, sizeof hello);
    while (ampel_client_send(watching->client, hello, hello_size) == AMPEL_CLIENT_FULL) {
    }
    while (!atomic_load(&watching->stop)) {
        const uint8_t *bytes;
        uint32_t size;
        static struct ampel_message message;
        struct ampel_error error = {0};
        if (ampel_client_receive(watching->client, 100, &bytes, &size) != AMPEL_CLIENT_OK) continue;
        if (!ampel_message_decode(decoder, bytes, size, &message, &error)) load_fail(error.reason, "watch");
        watch_take(watching, &message);
    }
    ampel_message_decoder_close(decoder);
    return NULL;
}

/* ---- feeding -------------------------------------------------------------------------------- */

struct feeding {
    struct ampel_client *client;
    struct ampel_message_decoder *decoder;
    const struct plan *plan;
    bool welcome;
    uint64_t sent, acked, next, accepted;
    struct load_times times;
};

static void message_take(struct feeding *feeding, const uint8_t *bytes, uint32_t size, int64_t now_ns) {
    static struct ampel_message message;
    struct ampel_error error = {0};
    if (!ampel_message_decode(feeding->decoder, bytes, size, &message, &error)) load_fail(error.reason, "latency");
    if (message.kind == AMPEL_MESSAGE_WELCOME) feeding->welcome = true;
    if (message.kind == AMPEL_MESSAGE_BACK) load_fail(ampel_back_name(message.back.reason), "a batch goes back");
    if (message.kind != AMPEL_MESSAGE_ACK) return;
    if (message.ack.duplicate) load_fail("a batch was there before", "latency");
    time_it(&feeding->times, feeding->plan, message.ack.sequence, now_ns);
    feeding->acked++;
    feeding->accepted += message.ack.accepted;
    if (message.ack.next > feeding->next) feeding->next = message.ack.next;
}

/* All that has come. */
static void acks_take(struct feeding *feeding) {
    const uint8_t *bytes;
    uint32_t size;
    while (ampel_client_receive(feeding->client, 0, &bytes, &size) == AMPEL_CLIENT_OK) {
        int64_t now_ns = load_now_ns();
        struct ampel_bundle bundle;
        struct ampel_error error = {0};
        if (!ampel_bundle_is(bytes, size)) {
            message_take(feeding, bytes, size, now_ns);
            continue;
        }
        if (!ampel_bundle_open(&bundle, bytes, size, &error)) load_fail(error.reason, "latency");
        while (bundle.left > 0) {
            if (!ampel_bundle_next(&bundle, &bytes, &size, &error)) load_fail(error.reason, "latency");
            message_take(feeding, bytes, size, now_ns);
        }
    }
}

/* Sends what is due, as far as credit and the connection take it. */
static void due_send(struct feeding *feeding) {
    const struct plan *plan = feeding->plan;
    while (feeding->sent < plan->batches_count && feeding->sent < feeding->next + AMPEL_CREDIT &&
           due_ns(plan, feeding->sent) <= load_now_ns()) {
        const struct load_batch *batch = &plan->batches[feeding->sent];
        if (ampel_client_send(feeding->client, batch->bytes, batch->size) != AMPEL_CLIENT_OK) return;
        feeding->sent++;
    }
}

static void wait_until(struct feeding *feeding, int64_t until_ns) {
    int64_t left_ns = until_ns - load_now_ns();
    if (left_ns <= 0) return;
    if (left_ns > 10000000) left_ns = 10000000;
    struct pollfd polled = {.fd = ampel_client_fd(feeding->client), .events = POLLIN};
    const struct timespec patience = {.tv_nsec = left_ns};
    if (ppoll(&polled, 1, &patience, NULL) < 0 && errno != EINTR) load_fail("cannot wait", "latency");
}

static void hello(struct feeding *feeding) {
    uint8_t bytes[256];
    const struct ampel_message message = {.kind = AMPEL_MESSAGE_HELLO,
                                          .hello = {.producer = ampel_text_of(feeding->plan->producer)}};
    uint32_t size = ampel_message_encode(&message, bytes, sizeof bytes);
    while (ampel_client_send(feeding->client, bytes, size) == AMPEL_CLIENT_FULL) wait_until(feeding, load_now_ns() + 1000000);
    int64_t until_ns = load_now_ns() + LAST_WAIT_NS;
    while (!feeding->welcome) {
        acks_take(feeding);
        if (load_now_ns() > until_ns) load_fail(ampel_client_trouble(feeding->client), "no welcome");
        if (!feeding->welcome) wait_until(feeding, load_now_ns() + 10000000);
    }
}

static void feed(struct feeding *feeding) {
    const struct plan *plan = feeding->plan;
    int64_t last_ns = due_ns(plan, plan->batches_count) + LAST_WAIT_NS;
    while (feeding->acked < plan->batches_count) {
        due_send(feeding);
        acks_take(feeding);
        if (load_now_ns() > last_ns) load_fail("not all batches were acked", "latency");
        bool sending = feeding->sent < plan->batches_count && feeding->sent < feeding->next + AMPEL_CREDIT;
        if (feeding->acked < plan->batches_count)
            wait_until(feeding, sending ? due_ns(plan, feeding->sent) : load_now_ns() + 10000000);
    }
}

/* ---- the disk ------------------------------------------------------------------------------- */

/* What one write and fdatasync of so many bytes takes, on a file that has its blocks, with a pause before each: what an ack cannot
   be faster than. */
static void sync_tell(const char *path, const char *name, size_t size, int count, int64_t pause_ns) {
    char file[4096];
    snprintf(file, sizeof file, "%s/sync", path);
    int fd = open(file, O_RDWR | O_CREAT, 0600);
    uint8_t *bytes = calloc(1, size);
    if (fd < 0 || bytes == NULL) load_fail("cannot be written", file);
    struct load_times times = {0};
    const struct timespec pause = {.tv_nsec = pause_ns};
    for (int i = 0; i < 2 * count; i++) {
        if (pause_ns > 0) nanosleep(&pause, NULL);
        int64_t from_ns = load_now_ns();
        if (pwrite(fd, bytes, size, (off_t)size * (i % count)) != (ssize_t)size || fdatasync(fd) != 0)
            load_fail("cannot be written", file);
        if (i >= count) load_times_add(&times, load_now_ns() - from_ns);
    }
    load_times_tell(name, &times);
    close(fd);
    unlink(file);
    free(bytes);
}

/* The same beside the load: what the disk has for an ack while the journal, PostgreSQL and its log are written. */
#define BESIDE_BYTES    65536
#define BESIDE_EVERY_NS 20000000
struct beside {
    const char *folder;
    atomic_bool stop;
    struct load_times times;
};

static void *sync_beside(void *context) {
    struct beside *beside = context;
    char file[4096];
    snprintf(file, sizeof file, "%s/beside", beside->folder);
    int fd = open(file, O_RDWR | O_CREAT, 0600);
    uint8_t *bytes = calloc(1, BESIDE_BYTES);
    if (fd < 0 || bytes == NULL || posix_fallocate(fd, 0, BESIDE_BYTES) != 0) load_fail("cannot be written", file);
    for (bool first = true; !atomic_load(&beside->stop); first = false) {
        const struct timespec pause = {.tv_nsec = BESIDE_EVERY_NS};
        int64_t from_ns = load_now_ns();
        if (pwrite(fd, bytes, BESIDE_BYTES, 0) != BESIDE_BYTES || fdatasync(fd) != 0) load_fail("cannot be written", file);
        if (!first) load_times_add(&beside->times, load_now_ns() - from_ns);
        nanosleep(&pause, NULL);
    }
    close(fd);
    unlink(file);
    free(bytes);
    return NULL;
}

/* ---- cores ---------------------------------------------------------------------------------- */

/* What cores do before there is any load. */
static void rest_tell(double seconds) {
    int64_t ns = (int64_t)(1e9 * seconds);
    const struct timespec rest = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct load_pauses *pauses = load_pauses_begin(load_now_ns());
    if (pauses == NULL) return;
    nanosleep(&rest, NULL);
    load_pauses_end(pauses, "pauses_rest");
}

/* ---- the command ---------------------------------------------------------------------------- */

static struct ampel_client *client_open(const char *endpoint, const char *key_path) {
    struct ampel_keyfile keys;
    struct ampel_error error = {0};
    struct ampel_client *client;
    if (!ampel_keyfile_read(key_path, true, &keys, &error) ||
        !ampel_client_open(NULL, endpoint, &keys, &client, &error))
        load_fail(error.reason, key_path);
    return client;
}

int load_latency(int argc, char **argv) {
    const char *endpoint = load_option(argc, argv, "endpoint", NULL), *key = load_option(argc, argv, "key", NULL);
    const char *watch = load_option(argc, argv, "watch", NULL), *disk = load_option(argc, argv, "disk", NULL);
    if (endpoint == NULL || key == NULL || watch == NULL) load_fail("--endpoint, --watch and --key are needed", "latency");
    /* It stands for machines elsewhere: how long its own threads wait for a core is not what is measured. */
    bool realtime = ampel_realtime_enter(AMPEL_CORE_ANY);
    printf("{\"name\":\"realtime\",\"value\":%d}\n", realtime);
    double pauses_rest = load_number(argc, argv, "pauses", 0);
    struct plan plan = {0};
    plan_make(&plan, argc, argv);
    if (disk != NULL) {
        sync_tell(disk, "sync_4k", 4096, 200, 0);
        sync_tell(disk, "sync_4k_rest", 4096, 40, 50000000);
        sync_tell(disk, "sync_256k", 262144, 200, 0);
    }
    if (pauses_rest > 0) rest_tell(pauses_rest);
    struct watching watching = {.plan = &plan, .client = client_open(watch, key)};
    struct feeding feeding = {.plan = &plan, .client = client_open(endpoint, key), .decoder = ampel_message_decoder_open()};
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_all, &watching) != 0) load_fail("no thread", "latency");
    hello(&feeding);
    while (!atomic_load(&watching.ready)) wait_until(&feeding, load_now_ns() + 1000000);
    struct beside beside = {.folder = disk};
    pthread_t beside_thread;
    if (disk != NULL && pthread_create(&beside_thread, NULL, sync_beside, &beside) != 0) load_fail("no thread", "latency");
    plan.start_ns = load_now_ns() + 50000000;
    struct load_pauses *pauses = pauses_rest > 0 ? load_pauses_begin(due_ns(&plan, plan.warm_count)) : NULL;
    feed(&feeding);
    load_pauses_end(pauses, "pauses");
    atomic_store(&beside.stop, true);
    if (disk != NULL) {
        pthread_join(beside_thread, NULL);
        load_times_tell("sync_beside", &beside.times);
    }
    if (feeding.accepted != plan.batches_count * plan.batch_events) load_fail("events are missing", "latency");
    const struct timespec patience = {.tv_sec = 2};
    nanosleep(&patience, NULL);
    atomic_store(&watching.stop, true);
    pthread_join(thread, NULL);
    load_times_tell("ack", &feeding.times);
    load_times_tell("alert", &watching.times);
    ampel_message_decoder_close(feeding.decoder);
    ampel_client_close(feeding.client);
    ampel_client_close(watching.client);
    for (uint64_t i = 0; i < plan.batches_count; i++) free((void *)(uintptr_t)plan.batches[i].bytes);
    free(plan.batches);
    return 0;
}

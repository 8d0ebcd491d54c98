#include "workers/cli/feed_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/hash.h"

#define LINE_BYTES_MAX 8192
#define OF_ALL_FILES "" /* no file is called so */

/* All batches of one tenant from one file, in order; of all files only how many. */
struct series {
    uint64_t hash;
    char *file;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    uint32_t count, capacity;
    struct ampel_feed_batch *batches;
};

struct ampel_feed_state {
    const char *path;
    FILE *stream;
    bool dirty;
    char producer[AMPEL_ID_BYTES_MAX + 1];
    uint32_t series_count, series_capacity;
    struct series *series;
    uint32_t *buckets; /* open addressing over tenant and file, holding index + 1; at most half full */
    uint32_t buckets_count;
};

/* How much of a path is its folder, the slash included. */
static size_t folder_size(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

void ampel_feed_state_name(const struct ampel_feed_state *state, const char *file, char out[AMPEL_FEED_FILE_SIZE]) {
    char *whole = strcmp(file, "-") == 0 ? NULL : realpath(file, NULL);
    char *beside = state->path == NULL ? NULL : realpath(state->path, NULL);
    snprintf(out, AMPEL_FEED_FILE_SIZE, "%s", whole != NULL ? whole : file);
    if (whole != NULL && beside != NULL && folder_size(whole) == folder_size(beside) &&
        strncmp(whole, beside, folder_size(whole)) == 0)
        snprintf(out, AMPEL_FEED_FILE_SIZE, "./%s", whole + folder_size(whole));
    free(whole);
    free(beside);
}

static uint64_t series_hash(const char *file, const char *tenant) {
    return ampel_hash_bytes(tenant, strlen(tenant)) ^ ampel_hash_bytes(file, strlen(file));
}

/* The bucket of a series, or the free one where it belongs. */
static uint32_t *bucket_of(const struct ampel_feed_state *state, uint64_t hash, const char *file,
                           const char *tenant) {
    for (uint64_t bucket = hash;; bucket++) {
        uint32_t *index = &state->buckets[bucket & (state->buckets_count - 1)];
        if (*index == 0) return index;
        const struct series *series = &state->series[*index - 1];
        if (series->hash == hash && strcmp(series->tenant, tenant) == 0 && strcmp(series->file, file) == 0)
            return index;
    }
}

static struct series *series_find(const struct ampel_feed_state *state, const char *file,
                                  const char *tenant) {
    if (state->buckets_count == 0) return NULL;
    uint32_t index = *bucket_of(state, series_hash(file, tenant), file, tenant);
    return index > 0 ? &state->series[index - 1] : NULL;
}

static void series_grow(struct ampel_feed_state *state) {
    state->series_capacity = state->series_capacity == 0 ? 8 : state->series_capacity * 2;
    state->series = realloc(state->series, state->series_capacity * sizeof *state->series);
    free(state->buckets);
    state->buckets_count = 2 * state->series_capacity;
    state->buckets = calloc(state->buckets_count, sizeof *state->buckets);
    AMPEL_ASSERT(state->series != NULL && state->buckets != NULL);
    for (uint32_t i = 0; i < state->series_count; i++) {
        const struct series *series = &state->series[i];
        *bucket_of(state, series->hash, series->file, series->tenant) = i + 1;
    }
}

static struct series *series_make(struct ampel_feed_state *state, const char *file,
                                  const char *tenant) {
    if (state->series_count == state->series_capacity) series_grow(state);
    const uint64_t hash = series_hash(file, tenant);
    *bucket_of(state, hash, file, tenant) = state->series_count + 1;
    struct series *series = &state->series[state->series_count++];
    *series = (struct series){.hash = hash, .file = strdup(file)};
    AMPEL_ASSERT(series->file != NULL);
    snprintf(series->tenant, sizeof series->tenant, "%s", tenant);
    return series;
}

static struct series *series_of(struct ampel_feed_state *state, const char *file, const char *tenant) {
    struct series *series = series_find(state, file, tenant);
    return series != NULL ? series : series_make(state, file, tenant);
}

static void batch_keep(struct ampel_feed_state *state, const char *file,
                       const struct ampel_feed_batch *batch) {
    series_of(state, OF_ALL_FILES, batch->tenant)->count++;
    struct series *series = series_of(state, file, batch->tenant);
    if (series->count == series->capacity) {
        series->capacity = series->capacity == 0 ? 4 : series->capacity * 2;
        series->batches = realloc(series->batches, series->capacity * sizeof *series->batches);
        AMPEL_ASSERT(series->batches != NULL);
    }
    series->batches[series->count++] = *batch;
}

static bool line_read(struct ampel_feed_state *state, char *line, bool *known) {
    char file[AMPEL_FEED_FILE_SIZE], name[AMPEL_FEED_FILE_SIZE];
    struct ampel_feed_batch batch = {0};
    *known = true;
    if (sscanf(line, "producer %64s", state->producer) == 1) return true;
    if (sscanf(line, "batch %64s %" SCNu64 " %" SCNd64 " %" SCNu32 " %" SCNx64 " %4096[^\n]", batch.tenant,
               &batch.sequence, &batch.sent_at_ms, &batch.events_count, &batch.checksum, file) != 6)
        return false;
    if (batch.sequence != ampel_feed_state_next(state, batch.tenant)) return false;
    /* Earlier feeders wrote the name as it was called. */
    bool named = file[0] == '.' && file[1] == '/' && strchr(file + 2, '/') == NULL;
    if (!named) ampel_feed_state_name(state, file, name);
    batch_keep(state, named ? file : name, &batch);
    return true;
}

/* Reads what is there. A last line without its newline was never synced and never sent: it is cut. */
static bool lines_read(struct ampel_feed_state *state) {
    char line[LINE_BYTES_MAX];
    long whole = 0;
    for (unsigned number = 1; fgets(line, sizeof line, state->stream) != NULL; number++) {
        if (strchr(line, '\n') == NULL) break;
        bool known;
        if (!line_read(state, line, &known)) {
            fprintf(stderr, "ampel feed: %s:%u: not a line that a feeder wrote\n", state->path, number);
            return false;
        }
        whole = ftell(state->stream);
    }
    return fseek(state->stream, whole, SEEK_SET) == 0 && ftruncate(fileno(state->stream), whole) == 0;
}

static bool producer_make(struct ampel_feed_state *state) {
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    snprintf(state->producer, sizeof state->producer, "feed-%08x", random);
    return true;
}

static bool stream_open(struct ampel_feed_state *state) {
    int descriptor = open(state->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "ampel feed: %s: %s\n", state->path,
                descriptor >= 0 && errno == EWOULDBLOCK ? "another feeder is using it" : strerror(errno));
        if (descriptor >= 0) close(descriptor);
        return false;
    }
    state->stream = fdopen(descriptor, "r+");
    AMPEL_ASSERT(state->stream != NULL);
    return true;
}

bool ampel_feed_state_open(const char *path, const char *producer, struct ampel_feed_state **out) {
    struct ampel_feed_state *state = calloc(1, sizeof *state);
    AMPEL_ASSERT(state != NULL);
    state->path = path;
    *out = state;
    if (path != NULL && (!stream_open(state) || !lines_read(state))) return false;
    if (producer != NULL && state->producer[0] != 0 && strcmp(producer, state->producer) != 0) {
        fprintf(stderr, "ampel feed: %s was written by producer %s, not %s; give another --state\n", path,
                state->producer, producer);
        return false;
    }
    if (state->producer[0] != 0) return true;
    if (producer != NULL)
        snprintf(state->producer, sizeof state->producer, "%s", producer);
    else if (!producer_make(state))
        return false;
    if (state->stream != NULL) {
        fprintf(state->stream, "producer %s\n", state->producer);
        state->dirty = true;
    }
    return true;
}

void ampel_feed_state_close(struct ampel_feed_state *state) {
    if (state == NULL) return;
    if (state->stream != NULL) fclose(state->stream);
    for (uint32_t i = 0; i < state->series_count; i++) {
        free(state->series[i].file);
        free(state->series[i].batches);
    }
    free(state->series);
    free(state->buckets);
    free(state);
}

const char *ampel_feed_state_producer(const struct ampel_feed_state *state) { return state->producer; }

const struct ampel_feed_batch *ampel_feed_state_batch(const struct ampel_feed_state *state,
                                                      const char *file, const char *tenant,
                                                      uint32_t index) {
    const struct series *series = series_find(state, file, tenant);
    return series != NULL && index < series->count ? &series->batches[index] : NULL;
}

uint64_t ampel_feed_state_next(const struct ampel_feed_state *state, const char *tenant) {
    const struct series *all = series_find(state, OF_ALL_FILES, tenant);
    return all != NULL ? all->count : 0;
}

bool ampel_feed_state_push(struct ampel_feed_state *state, const char *file,
                           const struct ampel_feed_batch *batch) {
    AMPEL_ASSERT(batch->sequence == ampel_feed_state_next(state, batch->tenant));
    if (state->stream != NULL) {
        if (fprintf(state->stream, "batch %s %" PRIu64 " %" PRId64 " %" PRIu32 " %016" PRIx64 " %s\n", batch->tenant,
                    batch->sequence, batch->sent_at_ms, batch->events_count, batch->checksum, file) < 0)
            return false;
        state->dirty = true;
    }
    batch_keep(state, file, batch);
    return true;
}

bool ampel_feed_state_sync(struct ampel_feed_state *state) {
    if (!state->dirty) return true;
    if (fflush(state->stream) != 0 || fdatasync(fileno(state->stream)) != 0) {
        fprintf(stderr, "ampel feed: %s: %s\n", state->path, strerror(errno));
        return false;
    }
    state->dirty = false;
    return true;
}

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

#define LINE_BYTES_MAX 8192

/* All batches of one tenant from one file, in order. */
struct series {
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

static struct series *series_find(const struct ampel_feed_state *state, const char *file,
                                  const char *tenant) {
    for (uint32_t i = 0; i < state->series_count; i++)
        if (strcmp(state->series[i].tenant, tenant) == 0 && strcmp(state->series[i].file, file) == 0)
            return &state->series[i];
    return NULL;
}

static struct series *series_make(struct ampel_feed_state *state, const char *file,
                                  const char *tenant) {
    if (state->series_count == state->series_capacity) {
        state->series_capacity = state->series_capacity == 0 ? 8 : state->series_capacity * 2;
        state->series = realloc(state->series, state->series_capacity * sizeof *state->series);
        AMPEL_ASSERT(state->series != NULL);
    }
    struct series *series = &state->series[state->series_count++];
    *series = (struct series){.file = strdup(file)};
    AMPEL_ASSERT(series->file != NULL);
    snprintf(series->tenant, sizeof series->tenant, "%s", tenant);
    return series;
}

static void batch_keep(struct ampel_feed_state *state, const char *file,
                       const struct ampel_feed_batch *batch) {
    struct series *series = series_find(state, file, batch->tenant);
    if (series == NULL) series = series_make(state, file, batch->tenant);
    if (series->count == series->capacity) {
        series->capacity = series->capacity == 0 ? 64 : series->capacity * 2;
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
    uint64_t next = 0;
    for (uint32_t i = 0; i < state->series_count; i++)
        if (strcmp(state->series[i].tenant, tenant) == 0) next += state->series[i].count;
    return next;
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

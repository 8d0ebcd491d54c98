#include "workers/cli/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/batch_file.h"
#include "workers/cli/progress.h"

/* What is read at once: more than a batch has, and little enough to be still near when it is used. */
#define BUFFER_BYTES (256u << 10)
/* A line of JSON holds one event; nothing sensible is longer. */
#define LINE_BYTES_MAX (64u << 10)

struct walk {
    const struct ampel_source_options *options;
    const struct ampel_source_sink *sink;
    struct ampel_source_counts *counts;
    struct ampel_progress progress;
    struct ampel_batch_decoder *decoder;
    struct ampel_jsonl_event *event;
    const char *name;      /* of the file, for messages */
    FILE *file;
    uint8_t *bytes;        /* window on the file: bytes[start..end) are not used yet */
    size_t start, end, capacity;
    uint64_t offset;       /* of bytes[start] in the file */
    uint64_t done;         /* of all files */
    bool ended;            /* the file has no more */
};

/* Makes at least size bytes available, fewer only at the end of the file. */
static bool walk_fill(struct walk *walk, size_t size) {
    if (walk->end - walk->start >= size || walk->ended) return true;
    if (walk->start > 0) {
        memmove(walk->bytes, walk->bytes + walk->start, walk->end - walk->start);
        walk->end -= walk->start;
        walk->start = 0;
    }
    if (size + BUFFER_BYTES > walk->capacity) {
        uint8_t *bytes = realloc(walk->bytes, size + BUFFER_BYTES);
        if (bytes == NULL) {
            fprintf(stderr, "ampel: %s: out of memory\n", walk->name);
            return false;
        }
        walk->bytes = bytes;
        walk->capacity = size + BUFFER_BYTES;
    }
    while (walk->end < size && !walk->ended) {
        size_t got = fread(walk->bytes + walk->end, 1, walk->capacity - walk->end, walk->file);
        walk->end += got;
        walk->ended = got == 0;
    }
    if (ferror(walk->file)) {
        fprintf(stderr, "ampel: %s: cannot be read: %s\n", walk->name, strerror(errno));
        return false;
    }
    return true;
}

static void walk_skip(struct walk *walk, size_t size) {
    walk->start += size;
    walk->offset += size;
    walk->done += size;
    if (walk->options->progress != NULL)
        ampel_progress_show(&walk->progress, walk->done, walk->counts->events);
}

static bool refused_say(struct walk *walk, enum ampel_verdict verdict,
                        const struct ampel_error *error, struct ampel_text line) {
    walk->counts->refused++;
    if (walk->sink->refused != NULL)
        return walk->sink->refused(walk->sink->context, walk->name, verdict, error, line);
    fprintf(stderr, "ampel: %s:%u: %s%s%s (%s)\n", walk->name, error->line, error->field,
            error->field[0] != 0 ? ": " : "", error->reason, ampel_verdict_name((uint8_t)verdict));
    return true;
}

static bool line_is_blank(struct ampel_text line) {
    for (uint32_t i = 0; i < line.size; i++)
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r') return false;
    return true;
}

static bool line_take(struct walk *walk, struct ampel_text line, uint32_t number) {
    if (line_is_blank(line)) return true;
    struct ampel_error error = {0};
    enum ampel_verdict verdict = ampel_jsonl_decode(
        line, walk->options->sent_at_ms, walk->options->fallback_tenant, walk->event, &error);
    error.line = number;
    if (verdict != AMPEL_VERDICT_OK) return refused_say(walk, verdict, &error, line);
    walk->counts->events++;
    return walk->sink->event == NULL || walk->sink->event(walk->sink->context, walk->event);
}

/* A line that fits no buffer is refused and passed over. */
static bool line_too_long(struct walk *walk, uint32_t number) {
    struct ampel_error error = {.line = number};
    (void)ampel_error_set(&error, "", "the line is longer than %u bytes", LINE_BYTES_MAX);
    error.line = number;
    if (!refused_say(walk, AMPEL_VERDICT_BAD_VALUE, &error, (struct ampel_text){"", 0})) return false;
    for (;;) {
        size_t have = walk->end - walk->start;
        const uint8_t *newline = memchr(walk->bytes + walk->start, '\n', have);
        if (newline != NULL) {
            walk_skip(walk, (size_t)(newline - (walk->bytes + walk->start)) + 1);
            return true;
        }
        walk_skip(walk, have);
        if (walk->ended) return true;
        if (!walk_fill(walk, BUFFER_BYTES)) return false;
    }
}

static bool lines_walk(struct walk *walk) {
    for (uint32_t number = 1;; number++) {
        const uint8_t *newline = NULL;
        size_t have = walk->end - walk->start;
        if (have > 0) newline = memchr(walk->bytes + walk->start, '\n', have);
        if (newline == NULL && !walk->ended && have < LINE_BYTES_MAX) {
            if (!walk_fill(walk, have + 1)) return false;
            have = walk->end - walk->start;
            newline = have > 0 ? memchr(walk->bytes + walk->start, '\n', have) : NULL;
        }
        if (have == 0) return true;
        if (newline == NULL && !walk->ended) {
            number--;
            if (have < LINE_BYTES_MAX) continue;
            if (!line_too_long(walk, ++number)) return false;
            continue;
        }
        size_t size = newline != NULL ? (size_t)(newline - (walk->bytes + walk->start)) : have;
        if (size > LINE_BYTES_MAX) {
            if (!line_too_long(walk, number)) return false;
            continue;
        }
        struct ampel_text line = {(const char *)walk->bytes + walk->start, (uint32_t)size};
        if (!line_take(walk, line, number)) return false;
        walk_skip(walk, size + (newline != NULL ? 1 : 0));
    }
}

static bool damaged(const struct walk *walk, const char *reason) {
    fprintf(stderr, "ampel: %s: damaged at byte %llu: %s\n", walk->name,
            (unsigned long long)walk->offset, reason);
    return false;
}

static bool batch_take(struct walk *walk, struct ampel_text tenant, const uint8_t *bytes,
                       uint32_t size) {
    struct ampel_batch batch;
    struct ampel_error error = {0};
    if (!ampel_batch_decode(walk->decoder, bytes, size, &batch, &error))
        return damaged(walk, error.reason);
    walk->counts->batches++;
    walk->counts->events += batch.frame.events_count - batch.refused_count;
    walk->counts->refused += batch.refused_count;
    return walk->sink->batch == NULL ||
           walk->sink->batch(walk->sink->context, tenant, &batch, bytes, size);
}

static bool encoded_take(struct walk *walk, const struct ampel_batch_file_record *record) {
    struct ampel_batch_header header;
    struct ampel_error error = {0};
    if (!ampel_batch_header_decode(record->batch, record->batch_size, &header, &error))
        return damaged(walk, error.reason);
    walk->counts->batches++;
    size_t behind = walk->end - walk->start - record->record_size;
    return walk->sink->encoded(walk->sink->context, record->tenant, &header, record->batch,
                               record->batch_size, behind >= record->record_size);
}

static bool record_take(struct walk *walk, const struct ampel_batch_file_record *record) {
    if (!ampel_id_valid(record->tenant, true)) return damaged(walk, "the tenant is not an id");
    if (walk->sink->encoded != NULL ? !encoded_take(walk, record)
                                    : !batch_take(walk, record->tenant, record->batch, record->batch_size))
        return false;
    walk_skip(walk, record->record_size);
    return true;
}

static bool batches_walk(struct walk *walk) {
    walk_skip(walk, AMPEL_BATCH_FILE_MAGIC_BYTES);
    for (size_t wanted = 1;;) {
        if (!walk_fill(walk, wanted)) return false;
        size_t have = walk->end - walk->start;
        if (have == 0) return true;
        struct ampel_batch_file_record record;
        struct ampel_error error = {0};
        switch (ampel_batch_file_next(walk->bytes + walk->start, have, &record, &error)) {
        case AMPEL_BATCH_FILE_OK:
            if (!record_take(walk, &record)) return false;
            wanted = 1;
            break;
        case AMPEL_BATCH_FILE_SHORT:
            if (walk->ended) return damaged(walk, "the file ends within a batch");
            wanted = 2 * have + BUFFER_BYTES;
            break;
        default:
            return damaged(walk, error.reason);
        }
    }
}

static bool file_walk(struct walk *walk, const char *path) {
    walk->name = strcmp(path, "-") == 0 ? "standard input" : path;
    walk->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    walk->start = walk->end = 0;
    walk->offset = 0;
    walk->ended = false;
    if (walk->file == NULL) {
        fprintf(stderr, "ampel: %s: cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    bool good = walk_fill(walk, AMPEL_BATCH_FILE_MAGIC_BYTES);
    if (good)
        good = ampel_batch_file_is(walk->bytes + walk->start, walk->end - walk->start) ? batches_walk(walk)
                                                                                      : lines_walk(walk);
    if (walk->file != stdin) fclose(walk->file);
    return good;
}

/* 0 where a part has no size (a pipe). */
static uint64_t files_size(char *const *files, int files_count) {
    uint64_t total = 0;
    for (int i = 0; i < files_count; i++) {
        struct stat about;
        if (strcmp(files[i], "-") == 0 || stat(files[i], &about) != 0 || !S_ISREG(about.st_mode)) return 0;
        total += (uint64_t)about.st_size;
    }
    return total;
}

bool ampel_source_walk(char *const *files, int files_count, const struct ampel_source_options *options,
                       const struct ampel_source_sink *sink, struct ampel_source_counts *counts) {
    struct walk walk = {.options = options, .sink = sink, .counts = counts};
    walk.decoder = ampel_batch_decoder_open();
    walk.event = malloc(sizeof *walk.event);
    AMPEL_ASSERT(walk.decoder != NULL && walk.event != NULL);
    if (options->progress != NULL)
        ampel_progress_start(&walk.progress, options->progress, "events", files_size(files, files_count));
    bool good = true;
    for (int i = 0; i < files_count && good; i++) good = file_walk(&walk, files[i]);
    if (options->progress != NULL) ampel_progress_end(&walk.progress);
    ampel_batch_decoder_close(walk.decoder);
    free(walk.event);
    free(walk.bytes);
    return good;
}

static bool refusal_stands(uint8_t verdict) {
    return verdict != AMPEL_VERDICT_ANCIENT && verdict != AMPEL_VERDICT_FUTURE;
}

bool ampel_source_batch_events(struct ampel_text tenant, const struct ampel_batch *batch, void *context,
                               bool (*event)(void *context, struct ampel_text tenant,
                                             struct ampel_text seller, struct ampel_text marketplace,
                                             const struct ampel_event *event)) {
    uint32_t refused = 0;
    for (uint32_t i = 0; i < batch->frame.events_count; i++) {
        if (refused < batch->refused_count && batch->refused[refused].event_index == i &&
            refusal_stands(batch->refused[refused++].verdict))
            continue;
        uint32_t index;
        struct ampel_event gathered;
        ampel_frame_event(&batch->frame, i, &index, &gathered);
        const struct ampel_frame_account *account = &batch->frame.accounts[index];
        if (!event(context, tenant, account->seller, account->marketplace, &gathered)) return false;
    }
    return true;
}

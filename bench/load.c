#include "bench/load.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/registry.h"
#include "proto/batch_file.h"

uint64_t load_random(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*state ^ (*state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t load_below(uint64_t *state, uint32_t bound) {
    return (uint32_t)((load_random(state) >> 32) * bound >> 32);
}

void load_account(uint64_t number, struct ampel_text *seller, struct ampel_text *marketplace) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    static const char *const marketplaces[] = {"de", "fr", "it", "es", "nl", "pl", "se", "be"};
    static char bytes[14];
    uint64_t state = number / AMPEL_ARRAY_COUNT(marketplaces);
    uint64_t name = load_random(&state);
    bytes[0] = 'A';
    for (int i = 1; i < 14; i++, name >>= 5)
        bytes[i] = digits[name & 31];
    *seller = (struct ampel_text){bytes, sizeof bytes};
    *marketplace = (struct ampel_text){marketplaces[number % AMPEL_ARRAY_COUNT(marketplaces)], 2};
}

struct ampel_text load_tenant(uint32_t number, char *bytes) {
    return (struct ampel_text){bytes, (uint32_t)snprintf(bytes, 16, "load-%u", number)};
}

void load_event(uint64_t *state, uint64_t number, uint32_t violations, int64_t from_ms, int64_t to_ms,
                uint8_t extras[128], struct ampel_event *out) {
    uint32_t minutes = (uint32_t)((to_ms - from_ms) / 60000) + 1;
    int64_t at_ms = from_ms + (int64_t)load_below(state, minutes) * 60000;
    *out = (struct ampel_event){.at_ms = at_ms > to_ms ? to_ms : at_ms,
                                .count = 1,
                                .points = -1,
                                .type = AMPEL_EVENT_ORDER,
                                .severity = AMPEL_SEVERITY_NOT_GIVEN,
                                .code = AMPEL_CODE_NONE};
    /* 389 and 1000 have no common divisor: in each thousand every remainder comes once. */
    if (number * 389 % 1000 >= violations) return;
    char id[24];
    struct ampel_extras_writer writer = {.bytes = extras, .capacity = 128};
    struct ampel_text text = {id, (uint32_t)snprintf(id, sizeof id, "V-%llu", (unsigned long long)number)};
    if (!ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text)) load_fail("an id does not fit", id);
    out->type = AMPEL_EVENT_VIOLATION;
    out->policy = (uint8_t)load_below(state, 12);
    out->extras = extras;
    out->extras_size = writer.size;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void batch_add(struct load_file *file, const struct ampel_batch_file_record *record) {
    if ((file->batches_count & (file->batches_count + 1)) == 0) {
        file->batches =
            realloc(file->batches, (2 * file->batches_count + 2) * sizeof file->batches[0]);
        if (file->batches == NULL) load_fail("no memory", "");
    }
    file->batches[file->batches_count++] =
        (struct load_batch){record->tenant, record->batch, record->batch_size};
}

void load_file_open(const char *path, struct load_file *out) {
    *out = (struct load_file){0};
    FILE *stream = fopen(path, "rb");
    if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) load_fail("cannot be read", path);
    out->size = (size_t)ftell(stream);
    out->bytes = malloc(out->size + 1);
    rewind(stream);
    if (out->bytes == NULL || fread(out->bytes, 1, out->size, stream) != out->size)
        load_fail("cannot be read", path);
    fclose(stream);
    if (!ampel_batch_file_is(out->bytes, out->size)) load_fail("is no encoded file", path);
    struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    for (size_t at = AMPEL_BATCH_FILE_MAGIC_BYTES; at < out->size;) {
        struct ampel_batch_file_record record;
        struct ampel_batch batch;
        struct ampel_error error = {0};
        if (ampel_batch_file_next(out->bytes + at, out->size - at, &record, &error) !=
                AMPEL_BATCH_FILE_OK ||
            !ampel_batch_decode(decoder, record.batch, record.batch_size, &batch, &error))
            load_fail("is damaged", path);
        out->events_count += batch.frame.events_count;
        batch_add(out, &record);
        at += record.record_size;
    }
    ampel_batch_decoder_close(decoder);
}

void load_file_close(struct load_file *file) {
    free(file->batches);
    free(file->bytes);
}

/* ---- time and words ------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock) {
    struct timespec at;
    if (clock_gettime(clock, &at) != 0) load_fail("the clock cannot be read", "");
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

int64_t load_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int64_t load_thread_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

_Noreturn void load_fail(const char *sentence, const char *what) {
    fprintf(stderr, "load: %s%s%s\n", what, what[0] != 0 ? ": " : "", sentence);
    exit(1);
}

const char *load_option(int argc, char **argv, const char *name, const char *fallback) {
    for (int i = 0; i + 1 < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return argv[i + 1];
    return fallback;
}

double load_number(int argc, char **argv, const char *name, double fallback) {
    const char *text = load_option(argc, argv, name, NULL);
    if (text == NULL) return fallback;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != 0) load_fail("is no number", text);
    return number;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"make", load_make}, {"stages", load_stages}, {"latency", load_latency},
                  {"store", load_store}};
    for (size_t i = 0; argc > 1 && i < AMPEL_ARRAY_COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    fputs("usage: load make FILE [--events N] [--accounts N] [--tenants N] [--batch N]\n"
          "                 [--run N] [--violations N] [--sent-at MS] [--span-days N] [--producer NAME] [--first N] [--number N] [--seed N]\n"
          "                 [--form encoded|jsonl]\n"
          "                                 orders and --violations in a thousand; --run of them in a row are one account's\n"
          "       load stages FILE [--journal DIR] [--seconds S] [--only decode|journal|apply|transport]\n"
          "                                 an encoded file through each stage of the way alone\n"
          "       load latency --endpoint E --watch E --key FILE [--rate N] [--batch N] [--seconds S] [--warm S] [--disk DIR]\n"
          "                 [--pauses S]\n"
          "                                 open loop: send to ack, send to the alert's arrival; with --pauses how long cores were gone\n"
          "                                 meanwhile, and in so many seconds without load before\n"
          "       load store [--accounts N] [--events N] [--day N] [--scribes N]   with AMPEL_DATABASE_URL\n"
          "                                 checkpoints of all accounts, recovery, and N more checkpoints in a row; a line is awaited\n"
          "                                 after each step\n",
          stderr);
    return 2;
}

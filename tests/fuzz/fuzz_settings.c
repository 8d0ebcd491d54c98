/* Settings files: what is read lies within its bounds, and what --print-settings shows of it reads
   as the same settings (but for a password, which it hides). */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "workers/settings.h"

/* Files without a disk, known by their numbers. */
static int given = -1, printed = -1;
static char given_path[64], printed_path[64];

static void files_open(void) {
    if (given >= 0) return;
    given = memfd_create("given", 0);
    printed = memfd_create("printed", 0);
    AMPEL_ASSERT(given >= 0 && printed >= 0);
    snprintf(given_path, sizeof given_path, "/proc/self/fd/%d", given);
    snprintf(printed_path, sizeof printed_path, "/proc/self/fd/%d", printed);
    /* Settings are printed on standard output; libFuzzer writes on the other one. */
    AMPEL_ASSERT(dup2(printed, STDOUT_FILENO) == STDOUT_FILENO);
}

static bool read_file(char *path, struct ampel_settings *out, struct ampel_error *error) {
    char program[] = "ampel-worker", flag[] = "--settings";
    char *arguments[] = {program, flag, path, NULL};
    bool help, print;
    return ampel_settings_read(out, 3, arguments, &help, &print, error);
}

static void check_same(const struct ampel_settings *left, const struct ampel_settings *right) {
#define SAME_TEXT(name)                                          AMPEL_ASSERT(strcmp(left->name, right->name) == 0);
#define SAME_CHOICE(name)                                        SAME_TEXT(name)
#define SAME_INTEGER(name)                                       AMPEL_ASSERT(left->name == right->name);
#define SAME_BYTES(name)                                         SAME_INTEGER(name)
#define SAME_TIME(name)                                          SAME_INTEGER(name)
#define X(name, form, fallback, least, greatest, unit, sentence) SAME_##form(name)
    AMPEL_SETTINGS(X)
#undef X
}

static void check_bounds(const struct ampel_settings *settings) {
#define BOUND_TEXT(name, least, greatest)                      \
    AMPEL_ASSERT((int64_t)strlen(settings->name) >= (least) && \
                 (int64_t)strlen(settings->name) <= (greatest));
#define BOUND_CHOICE(name, least, greatest) AMPEL_ASSERT(settings->name[0] != 0);
#define BOUND_INTEGER(name, least, greatest) \
    AMPEL_ASSERT(settings->name >= least && settings->name <= greatest);
#define BOUND_BYTES(name, least, greatest) BOUND_INTEGER(name, least, greatest)
#define BOUND_TIME(name, least, greatest) \
    AMPEL_ASSERT(settings->name == INT64_MIN || settings->name >= 0);
#define X(name, form, fallback, least, greatest, unit, sentence) BOUND_##form(name, least, greatest)
    AMPEL_SETTINGS(X)
#undef X
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct ampel_settings settings, again;
    struct ampel_error error = {0};
    files_open();
    AMPEL_ASSERT(ftruncate(given, 0) == 0);
    AMPEL_ASSERT(pwrite(given, bytes, size, 0) == (ssize_t)size);
    if (!read_file(given_path, &settings, &error)) {
        AMPEL_ASSERT(error.reason[0] != 0);
        return 0;
    }
    check_bounds(&settings);
    FUZZ_CANARY(settings.shards > 4);
    AMPEL_ASSERT(ftruncate(printed, 0) == 0 && lseek(printed, 0, SEEK_SET) == 0);
    ampel_settings_print(&settings);
    fflush(stdout);
    AMPEL_ASSERT(read_file(printed_path, &again, &error));
    memcpy(settings.database_url, again.database_url, sizeof settings.database_url);
    check_same(&settings, &again);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 40)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_lines(bytes, size, size_max, &random);
}

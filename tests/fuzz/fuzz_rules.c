/* Rules files and --set. What is accepted passes the engine's own check, and the file that is
   written of it says the same. An input that begins with '=' is lines of key=value over the
   defaults; with '+', edits of the default file; else it is a file. */
#include <string.h>

#include "proto/rules_file.h"
#include "tests/fuzz/fuzz.h"

#define FILE_BYTES_MAX (256 * 1024)

static void check_written_again(const struct ampel_rules *rules) {
    static char first[FILE_BYTES_MAX], second[FILE_BYTES_MAX];
    static struct ampel_rules again, variant;
    struct ampel_error error = {0};
    uint32_t first_size = ampel_rules_file_encode(rules, first, sizeof first);
    AMPEL_ASSERT(first_size > 0);
    AMPEL_ASSERT(ampel_rules_file_decode((struct ampel_text){first, first_size}, &again, &error));
    uint32_t second_size = ampel_rules_file_encode(&again, second, sizeof second);
    AMPEL_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
    for (uint32_t i = 0; i < rules->variants_count; i++)
        AMPEL_ASSERT(ampel_rules_variant(rules, i, &variant, &error));
}

/* Returns whether every line was taken. */
static bool set_lines(struct ampel_rules *rules, const char *bytes, size_t size) {
    bool good = true;
    while (size > 0) {
        const char *end = memchr(bytes, '\n', size);
        size_t line = end != NULL ? (size_t)(end - bytes) : size;
        const char *equals = memchr(bytes, '=', line);
        size_t key = equals != NULL ? (size_t)(equals - bytes) : line;
        size_t value = equals != NULL ? line - key - 1 : 0;
        struct ampel_error error = {0};
        if (!ampel_rules_set(rules, (struct ampel_text){bytes, (uint32_t)key},
                             (struct ampel_text){bytes + line - value, (uint32_t)value}, &error)) {
            AMPEL_ASSERT(error.reason[0] != 0);
            good = false;
        }
        size_t step = line + (end != NULL);
        bytes += step;
        size -= step;
    }
    return good;
}

/* Each edit is a line number, what to do there, and a line. Whole files have so many keys that must
   all be there that mutations of their bytes seldom say anything new. */
static uint32_t edit_file(const char *edits, size_t size, char *file) {
    static char written[FILE_BYTES_MAX];
    static struct ampel_rules rules;
    ampel_rules_init(&rules);
    uint32_t file_size = ampel_rules_file_encode(&rules, file, FILE_BYTES_MAX);
    AMPEL_ASSERT(file_size > 0);
    while (size > 2 && file_size + size < FILE_BYTES_MAX) {
        uint32_t lines = (uint8_t)edits[0], action = (uint8_t)edits[1] % 3;
        const char *end = memchr(edits + 2, '\n', size - 2);
        size_t line = end != NULL ? (size_t)(end - edits) - 2 : size - 2;
        char *place = file;
        for (uint32_t i = 0; i < lines && place < file + file_size; i++) {
            char *next = memchr(place, '\n', (size_t)(file + file_size - place));
            place = next != NULL ? next + 1 : file + file_size;
        }
        uint32_t offset = (uint32_t)(place - file);
        const char *rest = memchr(place, '\n', file_size - offset);
        /* 0: insert a line, 1: put it in place of one, 2: put it before the rest of one. */
        uint32_t skipped = action == 1 && rest != NULL ? (uint32_t)(rest - place) + 1 : 0;
        uint32_t made = 0;
        memcpy(written, edits + 2, line);
        made += (uint32_t)line;
        if (action != 2) written[made++] = '\n';
        memmove(place + made, place + skipped, file_size - offset - skipped);
        memcpy(place, written, made);
        file_size += made - skipped;
        size -= line + 2 + (end != NULL);
        edits += line + 2 + (end != NULL);
    }
    return file_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct ampel_rules rules;
    static char file[2 * FILE_BYTES_MAX];
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    struct ampel_error error = {0};
    const char *key = NULL;
    if (size > 0 && bytes[0] == '=') {
        ampel_rules_init(&rules);
        bool good = set_lines(&rules, (const char *)bytes + 1, size - 1);
        FUZZ_CANARY(good && rules.start != 150 && rules.start != 200);
        bool sound = ampel_rules_check(&rules, &key);
        AMPEL_ASSERT(ampel_rules_file_check(&rules, &error) == sound);
        /* Variants are checked where a file is read: an override may make one of them impossible.
         */
        rules.variants_count = 0;
        if (good && sound) check_written_again(&rules);
        return 0;
    }
    if (size > 0 && bytes[0] == '+')
        text = (struct ampel_text){file, edit_file(text.bytes + 1, size - 1, file)};
    if (!ampel_rules_file_decode(text, &rules, &error)) {
        AMPEL_ASSERT(error.reason[0] != 0);
        return 0;
    }
    FUZZ_CANARY(rules.window_days % 90 != 0);
    AMPEL_ASSERT(ampel_rules_check(&rules, &key));
    check_written_again(&rules);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 40)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_lines(bytes, size, size_max, &random);
}

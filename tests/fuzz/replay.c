/* Goes through files as libFuzzer would, without it: any compiler, any build.

   usage: fuzz_<reader> FILE... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILE_BYTES_MAX (1 << 20)

/* Mutators call it; nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max) {
    (void)bytes;
    (void)size_max;
    return size;
}

static bool replay(const char *path) {
    static uint8_t bytes[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    /* A block of its own size, so that a read beyond it is seen. */
    uint8_t *block = malloc(size);
    if (block == NULL && size > 0) return false;
    if (size > 0) memcpy(block, bytes, size);
    (void)LLVMFuzzerTestOneInput(block, size);
    free(block);
    return true;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!replay(argv[i])) return 1;
    fprintf(stderr, "%d files\n", argc - 1);
    return 0;
}

#include "workers/cli/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (UINT32_C(256) << 20)

char *ampel_file_read(const char *command, const char *path, uint32_t *size) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *bytes = NULL;
    size_t have = 0, capacity = 1 << 16;
    bool good = file != NULL;
    while (good) {
        char *grown = realloc(bytes, capacity);
        AMPEL_ASSERT(grown != NULL);
        bytes = grown;
        size_t got = fread(bytes + have, 1, capacity - have, file);
        have += got;
        if (got == 0) break;
        if (have == capacity) capacity *= 2;
        if (have > FILE_BYTES_MAX) {
            errno = EFBIG;
            good = false;
        }
    }
    if (good && ferror(file) != 0) good = false;
    if (!good) fprintf(stderr, "ampel %s: %s: %s\n", command, path, strerror(errno));
    if (file != NULL && file != stdin) fclose(file);
    if (good) {
        *size = (uint32_t)have;
        return bytes;
    }
    free(bytes);
    return NULL;
}

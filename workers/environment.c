#include "workers/environment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

static bool line_take(char *line, const char *path, unsigned number) {
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == 0 || line[0] == '#') return true;
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line) {
        fprintf(stderr, "ampel: %s:%u: not a line NAME=value\n", path, number);
        return false;
    }
    *equals = 0;
    char *value = equals + 1;
    size_t size = strlen(value);
    if (size >= 2 && value[0] == '\'' && value[size - 1] == '\'') {
        value[size - 1] = 0;
        value++;
    }
    return setenv(line, value, 0) == 0;
}

/* *found tells whether the file is there. */
static bool file_read(const char *path, bool *found) {
    FILE *file = fopen(path, "r");
    *found = file != NULL;
    if (file == NULL) return true;
    char line[LINE_BYTES_MAX];
    bool good = true;
    for (unsigned number = 1; good && fgets(line, sizeof line, file) != NULL; number++)
        good = line_take(line, path, number);
    fclose(file);
    return good;
}

bool ampel_environment_read(void) {
    bool found;
    const char *named = getenv("AMPEL_ENV");
    if (named != NULL && named[0] != 0) {
        bool good = file_read(named, &found);
        if (!found) fprintf(stderr, "ampel: AMPEL_ENV names %s, which cannot be read\n", named);
        return good && found;
    }
    if (!file_read("var/ampel.env", &found)) return false;
    if (found) return true;
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 32);
    if (size <= 0) return true;
    path[size] = 0;
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) return true;
        *slash = 0;
    }
    strncat(path, "/var/ampel.env", sizeof path - strlen(path) - 1);
    return file_read(path, &found);
}

const char *ampel_environment_or(const char *given, const char *variable) {
    if (given != NULL) return given;
    const char *value = getenv(variable);
    return value != NULL && value[0] != 0 ? value : NULL;
}

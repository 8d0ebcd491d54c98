#include "workers/environment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

#define NAMES_MAX      128
#define NAME_BYTES_MAX 64

/* The names of one file, so that one that is given twice is told: the second would be passed over without a word. */
struct names {
    char names[NAMES_MAX][NAME_BYTES_MAX];
    unsigned lines[NAMES_MAX];
    unsigned count;
};

static bool name_take(struct names *names, const char *name, const char *path, unsigned number) {
    for (unsigned i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) != 0) continue;
        fprintf(stderr, "ampel: %s:%u: %s is given twice, in line %u, too\n", path, number, name, names->lines[i]);
        return false;
    }
    if (names->count == NAMES_MAX || strlen(name) >= NAME_BYTES_MAX) return true; /* none of ours */
    snprintf(names->names[names->count], NAME_BYTES_MAX, "%s", name);
    names->lines[names->count++] = number;
    return true;
}

static bool line_take(struct names *names, char *line, const char *path, unsigned number) {
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == 0 || line[0] == '#') return true;
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line) {
        fprintf(stderr, "ampel: %s:%u: not a line NAME=value\n", path, number);
        return false;
    }
    *equals = 0;
    if (!name_take(names, line, path, number)) return false;
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
    static struct names names;
    names.count = 0;
    char line[LINE_BYTES_MAX];
    bool good = true;
    for (unsigned number = 1; good && fgets(line, sizeof line, file) != NULL; number++)
        good = line_take(&names, line, path, number);
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

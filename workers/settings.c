#define _POSIX_C_SOURCE 200809L
#include "workers/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/time.h"
#include "workers/sheet.h"

enum form { TEXT, INTEGER, BYTES, CHOICE, TIME };

struct row {
    const char *name;
    enum form form;
    const char *fallback;
    int64_t least, greatest;
    const char *unit, *sentence;
    size_t offset; /* of its member */
    size_t size;
};

static const struct row rows[AMPEL_SETTINGS_COUNT] = {
#define X(name, form, fallback, least, greatest, unit, sentence) \
    {#name,                                                      \
     form,                                                       \
     fallback,                                                   \
     least,                                                      \
     greatest,                                                   \
     unit,                                                       \
     sentence,                                                   \
     offsetof(struct ampel_settings, name),                      \
     sizeof(((struct ampel_settings *)0)->name)},
    AMPEL_SETTINGS(X)
#undef X
};

#define LINE_BYTES_MAX 4096
#define NAME_BYTES_MAX 64
static const char environment_prefix[] = "AMPEL_";

/* ---- one value ------------------------------------------------------------------------------ */

static bool is_boolean(const struct row *row) {
    return strcmp(row->unit, "boolean") == 0;
}

/* Whole digits with an optional minus; false for anything else and beyond int64. */
static bool integer_scan(const char *text, const char **end, int64_t *out) {
    const char *digits = *text == '-' ? text + 1 : text;
    if (*digits < '0' || *digits > '9') return false;
    errno = 0;
    char *behind;
    long long value = strtoll(text, &behind, 10);
    if (errno != 0) return false;
    *end = behind;
    *out = value;
    return true;
}

static bool integer_read(const struct row *row, const char *text, int64_t *out) {
    if (is_boolean(row)) {
        if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0) return *out = 1, true;
        if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0) return *out = 0, true;
    }
    const char *end;
    return integer_scan(text, &end, out) && *end == '\0';
}

static bool bytes_read(const char *text, int64_t *out) {
    const char *end;
    int64_t value;
    if (!integer_scan(text, &end, &value) || value < 0) return false;
    int shift = 0;
    if (*end == 'k' || *end == 'K') shift = 10;
    if (*end == 'm' || *end == 'M') shift = 20;
    if (*end == 'g' || *end == 'G') shift = 30;
    if (shift > 0) end++;
    if (*end != '\0' || value > INT64_MAX >> shift) return false;
    *out = value << shift;
    return true;
}

static bool choice_has(const struct row *row, const char *text) {
    size_t size = strlen(text);
    if (size == 0 || strchr(text, '|') != NULL) return false;
    const char *choice = row->sentence;
    for (;;) {
        size_t choice_size = strcspn(choice, "|:");
        if (choice_size == size && memcmp(choice, text, size) == 0) return true;
        if (choice[choice_size] != '|') return false;
        choice += choice_size + 1;
    }
}

static void value_set(struct ampel_settings *settings, const struct row *row, int64_t value) {
    memcpy((char *)settings + row->offset, &value, sizeof(value));
}

static int64_t value_get(const struct ampel_settings *settings, const struct row *row) {
    int64_t value;
    memcpy(&value, (const char *)settings + row->offset, sizeof(value));
    return value;
}

static const char *text_get(const struct ampel_settings *settings, const struct row *row) {
    return (const char *)settings + row->offset;
}

static void text_set(struct ampel_settings *settings, const struct row *row, const char *text) {
    memcpy((char *)settings + row->offset, text, strlen(text) + 1);
}

static bool text_apply(struct ampel_settings *settings, const struct row *row, const char *text,
                       const char *source, struct ampel_error *error) {
    int64_t size = (int64_t)strlen(text);
    if (size < row->least || size > row->greatest || (size_t)size >= row->size) {
        return ampel_error_set(error, row->name,
                               "has %" PRId64 " bytes, %" PRId64 " to %" PRId64
                               " are allowed (from %s)",
                               size, row->least, row->greatest, source);
    }
    for (const char *byte = text; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == 127) {
            return ampel_error_set(error, row->name, "has a control character (from %s)", source);
        }
    }
    text_set(settings, row, text);
    return true;
}

static bool choice_apply(struct ampel_settings *settings, const struct row *row, const char *text,
                         const char *source, struct ampel_error *error) {
    if (!choice_has(row, text)) {
        return ampel_error_set(error, row->name, "is \"%.60s\", it can be %.*s (from %s)", text,
                               (int)strcspn(row->sentence, ":"), row->sentence, source);
    }
    text_set(settings, row, text);
    return true;
}

static bool time_apply(struct ampel_settings *settings, const struct row *row, const char *text,
                       const char *source, struct ampel_error *error) {
    int64_t value = INT64_MIN;
    struct ampel_text time = {text, (uint32_t)strlen(text)};
    if (strcmp(text, "now") != 0 && !ampel_time_decode(time, &value)) {
        return ampel_error_set(error, row->name,
                               "is \"%.60s\", neither a time such as 2026-10-01T00:00:00Z nor now "
                               "(from %s)",
                               text, source);
    }
    value_set(settings, row, value);
    return true;
}

static bool number_apply(struct ampel_settings *settings, const struct row *row, const char *text,
                         const char *source, struct ampel_error *error) {
    int64_t value;
    bool read = row->form == BYTES ? bytes_read(text, &value) : integer_read(row, text, &value);
    if (!read) {
        return ampel_error_set(error, row->name, "is \"%.60s\", not a whole number%s (from %s)",
                               text, row->form == BYTES ? " with an optional k, m or g" : "",
                               source);
    }
    if (value < row->least || value > row->greatest) {
        return ampel_error_set(
            error, row->name, "is %" PRId64 ", it can be %" PRId64 " to %" PRId64 "%s%s (from %s)",
            value, row->least, row->greatest, row->unit[0] == '\0' ? "" : " ", row->unit, source);
    }
    /* Segments are written in blocks of the disk. */
    if (row->offset == offsetof(struct ampel_settings, segment_bytes) && value % 4096 != 0) {
        return ampel_error_set(error, row->name, "is %" PRId64 ", not a multiple of 4096 (from %s)",
                               value, source);
    }
    value_set(settings, row, value);
    return true;
}

static bool apply(struct ampel_settings *settings, size_t index, const char *text,
                  const char *source, struct ampel_error *error) {
    const struct row *row = &rows[index];
    bool done = false;
    switch (row->form) {
    case TEXT:
        done = text_apply(settings, row, text, source, error);
        break;
    case CHOICE:
        done = choice_apply(settings, row, text, source, error);
        break;
    case TIME:
        done = time_apply(settings, row, text, source, error);
        break;
    case INTEGER:
    case BYTES:
        done = number_apply(settings, row, text, source, error);
        break;
    }
    if (!done) return false;
    snprintf(settings->sources[index], sizeof(settings->sources[index]), "%s", source);
    return true;
}

/* The row of a name written with - or _ between words; COUNT if there is none. */
static size_t row_find(const char *name, size_t name_size) {
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        if (strlen(rows[i].name) != name_size) continue;
        size_t same = 0;
        while (same < name_size && (name[same] == rows[i].name[same] ||
                                    (name[same] == '-' && rows[i].name[same] == '_'))) {
            same++;
        }
        if (same == name_size) return i;
    }
    return AMPEL_SETTINGS_COUNT;
}

/* ---- the sources ---------------------------------------------------------------------------- */

static bool defaults_read(struct ampel_settings *out, struct ampel_error *error) {
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        if (!apply(out, i, rows[i].fallback, "default", error)) return false;
    }
    return true;
}

static bool blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static char *trim(char *text) {
    while (blank(*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && blank(text[size - 1]))
        text[--size] = '\0';
    return text;
}

/* The value of a line: in double quotes as it is, else up to a # that follows a blank. NULL: broken
 * quotes. */
static char *value_cut(char *text) {
    text = trim(text);
    if (*text != '"') {
        for (char *byte = text; *byte != '\0'; byte++) {
            if (*byte == '#' && (byte == text || blank(byte[-1]))) {
                *byte = '\0';
                break;
            }
        }
        return trim(text);
    }
    char *end = strchr(text + 1, '"');
    if (end == NULL) return NULL;
    const char *rest = trim(end + 1);
    if (*rest != '\0' && *rest != '#') return NULL;
    *end = '\0';
    return text + 1;
}

static bool line_read(struct ampel_settings *out, char *line, const char *path, uint32_t number,
                      struct ampel_error *error) {
    char source[128];
    snprintf(source, sizeof(source), "%.100s:%u", path, number);
    char *name = trim(line);
    if (*name == '\0' || *name == '#') return true;
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        return ampel_error_set(error, "", "%s: \"%.60s\" is no `name = value`", source, name);
    }
    *equals = '\0';
    name = trim(name);
    char *value = value_cut(equals + 1);
    if (value == NULL) {
        return ampel_error_set(error, name, "has broken quotes (from %s)", source);
    }
    size_t index = row_find(name, strlen(name));
    if (index == AMPEL_SETTINGS_COUNT) {
        return ampel_error_set(error, name, "is no setting (from %s)", source);
    }
    /* "default", or a line of this file: nothing else was read yet. */
    if (strcmp(out->sources[index], "default") != 0) {
        return ampel_error_set(error, name, "is given twice (from %s and %.60s)", source,
                               out->sources[index]);
    }
    return apply(out, index, value, source, error);
}

/* The size of what fgets wrote over a line of newlines: behind its zero they still stand. */
static size_t line_size(const char *line, size_t capacity) {
    while (line[capacity - 1] == '\n')
        capacity--;
    return capacity - 1;
}

static bool file_read(struct ampel_settings *out, const char *path, struct ampel_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ampel_error_set(error, "settings", "file %.150s cannot be read: %s", path,
                               strerror(errno));
    }
    static char line[LINE_BYTES_MAX];
    bool good = true;
    uint32_t number = 0;
    while (good && fgets(memset(line, '\n', sizeof(line)), sizeof(line), file) != NULL) {
        number++;
        if (strlen(line) != line_size(line, sizeof(line))) {
            good = ampel_error_set(error, "", "%.150s:%u: the line has a zero byte", path, number);
            break;
        }
        size_t size = strcspn(line, "\n");
        if (line[size] == '\0' && size == sizeof(line) - 1) {
            good = ampel_error_set(error, "", "%.150s:%u: the line is longer than %d bytes", path,
                                   number, LINE_BYTES_MAX - 2);
            break;
        }
        line[size] = '\0';
        good = line_read(out, line, path, number, error);
        if (!good && error != NULL) error->line = number;
    }
    if (good && ferror(file)) {
        good = ampel_error_set(error, "settings", "file %.150s cannot be read: %s", path,
                               strerror(errno));
    }
    (void)fclose(file);
    return good;
}

static void environment_name(const struct row *row, char *out, size_t size) {
    snprintf(out, size, "%s%s", environment_prefix, row->name);
    for (char *byte = out; *byte != '\0'; byte++) {
        if (*byte >= 'a' && *byte <= 'z') *byte = (char)(*byte - 'a' + 'A');
    }
}

/* What commands and other programs of ours read. */
static bool variable_of_others(const char *name) {
    static const char *const names[] = {"AMPEL_ENV", "AMPEL_SETTINGS", "AMPEL_IMPORT_MEMORY", "AMPEL_COMMIT",
                                        "AMPEL_BY"};
    static const char *const prefixes[] = {"AMPEL_TEST_", "AMPEL_BENCH_", "AMPEL_WIRE_"};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

static bool variable_known(const char *name) {
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        char own[NAME_BYTES_MAX];
        environment_name(&rows[i], own, sizeof(own));
        if (strcmp(name, own) == 0) return true;
    }
    return variable_of_others(name);
}

uint32_t ampel_settings_unknown(char **environment, uint32_t from, char *name, size_t name_size) {
    for (uint32_t i = from; environment[i] != NULL; i++) {
        if (strncmp(environment[i], environment_prefix, sizeof(environment_prefix) - 1) != 0) continue;
        snprintf(name, name_size, "%.*s", (int)strcspn(environment[i], "="), environment[i]);
        if (!variable_known(name)) return i + 1;
    }
    return 0;
}

static bool environment_read(struct ampel_settings *out, struct ampel_error *error) {
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        char name[NAME_BYTES_MAX];
        environment_name(&rows[i], name, sizeof(name));
        const char *value = getenv(name);
        if (value == NULL) continue;
        char source[128];
        snprintf(source, sizeof(source), "environment %s", name);
        if (!apply(out, i, value, source, error)) return false;
    }
    return true;
}

/* One argument, taken apart. */
struct flag {
    const char *name;
    size_t name_size;
    const char *value; /* NULL: none */
    int taken;         /* arguments used up: 1 or 2 */
};

static bool flag_is(const struct flag *flag, const char *name) {
    return flag->name_size == strlen(name) && memcmp(flag->name, name, flag->name_size) == 0;
}

static bool flag_scan(int argc, char **argv, int at, struct flag *out, struct ampel_error *error) {
    const char *argument = argv[at];
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0') {
        return ampel_error_set(
            error, "", "\"%.60s\" is no flag; settings are given as --name value", argument);
    }
    out->name = argument + 2;
    out->name_size = strcspn(out->name, "=");
    out->value = out->name[out->name_size] == '=' ? out->name + out->name_size + 1 : NULL;
    out->taken = 1;
    if (out->value != NULL || flag_is(out, "help") || flag_is(out, "print-settings")) return true;
    if (at + 1 < argc && strncmp(argv[at + 1], "--", 2) != 0) {
        out->value = argv[at + 1];
        out->taken = 2;
    }
    return true;
}

static bool flag_apply(struct ampel_settings *out, const struct flag *flag,
                       struct ampel_error *error) {
    char name[NAME_BYTES_MAX];
    snprintf(name, sizeof(name), "%.*s", flag->name_size < 60 ? (int)flag->name_size : 60,
             flag->name);
    size_t index = row_find(flag->name, flag->name_size);
    if (index == AMPEL_SETTINGS_COUNT) {
        return ampel_error_set(error, name, "is no setting (from --%s)", name);
    }
    const char *value = flag->value;
    if (value == NULL && is_boolean(&rows[index])) value = "1";
    if (value == NULL)
        return ampel_error_set(error, rows[index].name, "lacks its value (from --%s)", name);
    char source[128];
    snprintf(source, sizeof(source), "--%s", name);
    return apply(out, index, value, source, error);
}

static bool flags_read(struct ampel_settings *out, int argc, char **argv, bool *help, bool *print,
                       struct ampel_error *error) {
    struct flag flag;
    for (int at = 1; at < argc; at += flag.taken) {
        if (!flag_scan(argc, argv, at, &flag, error)) return false;
        if (flag_is(&flag, "help")) {
            *help = true;
        } else if (flag_is(&flag, "print-settings")) {
            *print = true;
        } else if (!flag_is(&flag, "settings") && !flag_apply(out, &flag, error)) {
            return false;
        }
    }
    return true;
}

/* The file's name stands among the arguments or in the environment, but its values are the weakest.
 */
static bool path_find(int argc, char **argv, const char **path, struct ampel_error *error) {
    *path = getenv("AMPEL_SETTINGS");
    struct flag flag;
    for (int at = 1; at < argc; at += flag.taken) {
        if (!flag_scan(argc, argv, at, &flag, error)) return false;
        if (!flag_is(&flag, "settings")) continue;
        if (flag.value == NULL) return ampel_error_set(error, "settings", "lacks the file's name");
        *path = flag.value;
    }
    return true;
}

bool ampel_settings_read(struct ampel_settings *out, int argc, char **argv, bool *help, bool *print,
                         struct ampel_error *error) {
    *help = false;
    *print = false;
    const char *path;
    if (!defaults_read(out, error) || !path_find(argc, argv, &path, error)) return false;
    if (path != NULL && *path != '\0' && !file_read(out, path, error)) return false;
    return environment_read(out, error) && flags_read(out, argc, argv, help, print, error);
}

/* ---- what people see ------------------------------------------------------------------------ */

/* Copies a libpq URL or key-value string without its password. */
static void password_hide(const char *url, char *out, size_t size) {
    const char *from = strstr(url, "password=");
    const char *end = NULL;
    if (from != NULL) {
        from += strlen("password=");
        if (*from == '\'') from++, end = strchr(from, '\'');
        if (from[-1] != '\'') end = from + strcspn(from, " &");
        if (end == NULL) end = from + strlen(from);
    } else if ((from = strstr(url, "://")) != NULL) {
        from += 3;
        const char *at = from + strcspn(from, "@/");
        const char *colon = from + strcspn(from, ":");
        if (*at == '@' && colon < at) {
            from = colon + 1;
            end = at;
        }
    }
    if (end == NULL) {
        snprintf(out, size, "%s", url);
    } else {
        snprintf(out, size, "%.*s***%s", (int)(from - url), url, end);
    }
}

static void value_print(const struct ampel_settings *settings, const struct row *row, char *out,
                        size_t size) {
    if (row->form == TEXT || row->form == CHOICE) {
        const char *text = text_get(settings, row);
        char shown[1024];
        if (row->offset == offsetof(struct ampel_settings, database_url)) {
            password_hide(text, shown, sizeof(shown));
            text = shown;
        }
        /* A value with a quote in it came without quotes and needs none: nothing in it is cut. */
        bool quoted =
            *text == '\0' || (strpbrk(text, "# \t") != NULL && strchr(text, '"') == NULL);
        snprintf(out, size, "%s%s%s", quoted ? "\"" : "", text, quoted ? "\"" : "");
        return;
    }
    int64_t value = value_get(settings, row);
    if (row->form == TIME && value == INT64_MIN) {
        snprintf(out, size, "now");
    } else if (row->form == TIME) {
        char at[AMPEL_TIME_SIZE];
        ampel_time_encode(value, at);
        snprintf(out, size, "%s", at);
    } else {
        snprintf(out, size, "%" PRId64, value);
    }
}

void ampel_settings_print(const struct ampel_settings *settings) {
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        char value[1100];
        value_print(settings, &rows[i], value, sizeof(value));
        printf("%s = %s  # %s\n", rows[i].name, value, settings->sources[i]);
    }
}

static void bounds_print(const struct row *row, char *out, size_t size) {
    if (row->form == INTEGER || row->form == BYTES) {
        snprintf(out, size, "%" PRId64 " to %" PRId64, row->least, row->greatest);
    } else if (row->form == TEXT) {
        snprintf(out, size, "at most %" PRId64 " bytes", row->greatest);
    } else {
        out[0] = '\0';
    }
}

void ampel_settings_help(const char *program) {
    printf("%s: keeps ratings up to date from batches of events.\n\n"
           "usage: %s [--settings FILE] [--name value]...\n\n"
           "Each setting is a flag --name, a variable AMPEL_NAME of the environment, or a line\n"
           "`name = value` of the file that --settings or AMPEL_SETTINGS names; the first of these "
           "wins.\n"
           "--print-settings shows every value and where it came from.\n\n",
           program, program);
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        char bounds[64];
        bounds_print(&rows[i], bounds, sizeof(bounds));
        const char *fallback = rows[i].fallback[0] == '\0' ? "none" : rows[i].fallback;
        printf("  --%-27s %s\n  %-29s (default %s%s%s%s%s)\n", rows[i].name, rows[i].sentence, "",
               fallback, bounds[0] == '\0' ? "" : "; ", bounds, rows[i].unit[0] == '\0' ? "" : " ",
               rows[i].unit);
    }
}

uint32_t ampel_settings_document(char *bytes, uint32_t capacity) {
    struct ampel_sheet sheet = {.bytes = bytes, .capacity = capacity};
    ampel_sheet_print(
        &sheet,
        "# Settings\n\n"
        "Settings of `ampel-worker`. Order of force: flag `--name`, environment `AMPEL_NAME`, the "
        "file "
        "that `--settings FILE`\nor `AMPEL_SETTINGS` names (`name = value` lines, `#` comments), "
        "default. `ampel-worker --print-settings` shows\nvalues and where they came from. Sizes "
        "take "
        "`k`, `m`, `g`. None can be changed while the worker runs.\nMade from the table in "
        "`workers/settings.h` by `ampel-worker --print-settings-document`; a test compares.\n\n"
        "| name | default | bounds | unit | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < AMPEL_SETTINGS_COUNT; i++) {
        char bounds[64];
        bounds_print(&rows[i], bounds, sizeof(bounds));
        ampel_sheet_print(&sheet, "| `%s` | %s%s%s | %s | %s | ", rows[i].name,
                          rows[i].fallback[0] == '\0' ? "" : "`", rows[i].fallback,
                          rows[i].fallback[0] == '\0' ? "" : "`", bounds, rows[i].unit);
        ampel_sheet_cell(&sheet, rows[i].sentence);
        ampel_sheet_print(&sheet, " |\n");
    }
    return sheet.full ? 0 : sheet.size;
}

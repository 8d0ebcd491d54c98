#include "workers/cli/import_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/audit.h"
#include "workers/cli/file.h"

static void error_say(const char *path, const struct ampel_error *error) {
    fprintf(stderr, "ampel import: %s", path);
    if (error->line > 0) fprintf(stderr, ":%u", error->line);
    fprintf(stderr, ": %s%s%s\n", error->field, error->field[0] != 0 ? ": " : "", error->reason);
}

bool ampel_import_list_options(const char *mapping_path, const char *dates, struct ampel_list_mapping *mapping,
                               struct ampel_list_options *out) {
    if (dates != NULL && strcmp(dates, "dmy") != 0 && strcmp(dates, "mdy") != 0) {
        fprintf(stderr, "ampel import: --dates is dmy or mdy, not '%s'\n", dates);
        return false;
    }
    if (dates != NULL) out->dates = dates[0] == 'd' ? AMPEL_LIST_DATES_DMY : AMPEL_LIST_DATES_MDY;
    if (mapping_path == NULL) return true;
    uint32_t size;
    char *bytes = ampel_file_read("import", mapping_path, &size);
    if (bytes == NULL) return false;
    struct ampel_error error = {0};
    bool good = ampel_list_mapping_decode((struct ampel_text){bytes, size}, mapping, &error);
    if (!good) error_say(mapping_path, &error);
    free(bytes);
    out->mapping = mapping;
    return good;
}

static void broken_say(void *context, const struct ampel_error *error) {
    const struct ampel_import_list *list = context;
    error_say(list->path, error);
}

static void ignored_say(void *context, struct ampel_text header) {
    const struct ampel_import_list *list = context;
    fprintf(stderr, "ampel import: %s: nothing is read from the column '%.*s'\n", list->path, (int)header.size,
            header.bytes);
}

static void event_forward(void *context, const struct ampel_jsonl_event *event) {
    const struct ampel_import_list *list = context;
    list->event(list->context, event);
}

void ampel_import_list(const struct ampel_import_list *list, struct ampel_text csv, uint32_t *events,
                       uint32_t *broken) {
    struct ampel_import_list copy = *list;
    const struct ampel_list_sink sink = {
        .context = &copy, .event = event_forward, .broken = broken_say, .ignored = ignored_say};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    bool good = ampel_violation_list(csv, list->options, &sink, &counts, &error);
    if (!good) error_say(list->path, &error);
    if (good && counts.rows == 0) fprintf(stderr, "ampel import: %s: there is no violation in it\n", list->path);
    *events += counts.events;
    *broken += counts.broken + (good && counts.rows > 0 ? 0 : 1);
}

void ampel_import_audit(const struct ampel_import_list *list, struct ampel_text csv, uint32_t *events,
                        uint32_t *broken) {
    struct ampel_import_list copy = *list;
    const struct ampel_list_sink sink = {
        .context = &copy, .event = event_forward, .broken = broken_say, .ignored = ignored_say};
    const struct ampel_audit_options options = {.account = list->options->account, .dates = list->options->dates};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    bool good = ampel_audit(csv, &options, &sink, &counts, &error);
    if (!good) error_say(list->path, &error);
    if (good && counts.rows == 0) fprintf(stderr, "ampel import: %s: there is no row in it\n", list->path);
    *events += counts.events;
    *broken += counts.broken + (good && counts.rows > 0 ? 0 : 1);
}

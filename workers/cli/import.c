/* ampel import: the marketplace's documents become events, as JSON Lines or straight into a worker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/document.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/environment.h"
#include "workers/cli/file.h"
#include "workers/cli/import_list.h"
#include "workers/cli/labels.h"
#include "workers/cli/options.h"

#define PATH_BYTES 4096
#define LINE_BYTES 8192
/* Events older than two windows are refused as ancient anyway. */
#define FORGET_AFTER_MS (2 * AMPEL_WINDOW_MS + AMPEL_DAY_MS)

static const struct ampel_usage usage = {
    .command = "import",
    .arguments = "report|notification|violations|audit FILE...",
    .about =
        "Reads seller performance reports, or notifications (ORDER_CHANGE,\n"
        "ACCOUNT_STATUS_CHANGED, ANY_OFFER_CHANGED, LISTINGS_ITEM_STATUS_CHANGE,\n"
        "LISTINGS_ITEM_ISSUES_CHANGE), one or many in a file, or as CSV violation\n"
        "lists and audits (signals of a takeover, announced work), and writes events as JSON Lines. Orders, offers and\n"
        "notifications count once; with --memory also over many runs. The same list again tells the same violations.\n"
        "Unknown fields are no error; a broken one is named.",
    .examples = "  ampel import report r1.json -a nordlicht/A1SELLER/ --at 2026-10-01T06:00:00Z\n"
                "  ampel import notification n.json -a nordlicht/A1SELLER/A1PA6795UKMFR9 --feed\n"
                "  ampel import violations list.csv -a nordlicht/A1SELLER/A1PA6795UKMFR9 \\\n"
                "      --mapping ours.txt\n"
                "  ampel import audit console.csv -a nordlicht/A1SELLER/A1PA6795UKMFR9 --feed\n",
};

struct importing {
    FILE *out;
    const char *kind;
    int64_t at_ms;
    struct ampel_document_account account;
    struct ampel_document_memory *memory;
    struct ampel_document_counts counts;
    uint32_t broken;
    bool list; /* of violations, or an audit: CSV */
    void (*list_read)(const struct ampel_import_list *list, struct ampel_text csv, uint32_t *events, uint32_t *broken);
    struct ampel_list_options list_options;
};

static void event_write(void *context, const struct ampel_jsonl_event *event) {
    struct importing *importing = context;
    char line[LINE_BYTES];
    uint32_t size = ampel_jsonl_encode(event->tenant, event->seller, event->marketplace, &event->event,
                                       line, sizeof line);
    AMPEL_ASSERT(size > 0);
    fwrite(line, 1, size, importing->out);
}

/* One document; what is wrong with it is said. */
static void document_import(struct importing *importing, const char *path, struct ampel_text document,
                            uint32_t line) {
    struct ampel_error error = {0};
    bool good = strcmp(importing->kind, "report") == 0
                    ? ampel_document_report(document, importing->at_ms, &importing->account, event_write,
                                            importing, &importing->counts, &error)
                    : ampel_document_notification(document, &importing->account, importing->memory,
                                                  event_write, importing, &importing->counts, &error);
    if (good) return;
    importing->broken++;
    fprintf(stderr, "ampel import: %s:%u: %s%s%s\n", path, line + (error.line > 0 ? error.line - 1 : 0),
            error.field, error.field[0] != 0 ? ": " : "", error.reason);
}

static bool file_import(struct importing *importing, const char *path) {
    uint32_t size;
    char *bytes = ampel_file_read("import", path, &size);
    if (bytes == NULL) return false;
    struct ampel_document_cursor cursor = {0};
    struct ampel_text document;
    uint32_t line, documents = 0;
    if (importing->list) {
        const struct ampel_import_list list = {path, &importing->list_options, event_write, importing};
        importing->list_read(&list, (struct ampel_text){bytes, size}, &importing->counts.events, &importing->broken);
        free(bytes);
        return true;
    }
    while (ampel_document_next((struct ampel_text){bytes, size}, &cursor, &document, &line)) {
        document_import(importing, path, document, line);
        documents++;
    }
    if (documents == 0) {
        importing->broken++;
        fprintf(stderr, "ampel import: %s: there is no %s in it\n", path, importing->kind);
    }
    free(bytes);
    return true;
}

static bool memory_load(struct ampel_document_memory *memory, const char *path) {
    if (access(path, F_OK) != 0) return true;
    uint32_t size;
    char *bytes = ampel_file_read("import", path, &size);
    if (bytes == NULL) return false;
    struct ampel_error error = {0};
    bool good = ampel_document_memory_import(memory, (const uint8_t *)bytes, size, &error);
    if (!good) fprintf(stderr, "ampel import: %s: %s\n", path, error.reason);
    free(bytes);
    return good;
}

/* Written aside and renamed, so that a crash leaves the old one. */
static bool memory_save(const struct ampel_document_memory *memory, const char *path) {
    size_t capacity = ampel_document_memory_export_size_max(memory);
    uint8_t *bytes = malloc(capacity + 1);
    AMPEL_ASSERT(bytes != NULL);
    size_t size =
        ampel_document_memory_export(memory, ampel_option_now() - FORGET_AFTER_MS, bytes, capacity);
    char aside[PATH_BYTES];
    snprintf(aside, sizeof aside, "%s.new", path);
    FILE *file = fopen(aside, "wb");
    bool good = file != NULL && fwrite(bytes, 1, size, file) == size && fflush(file) == 0 &&
                fsync(fileno(file)) == 0;
    if (file != NULL && fclose(file) != 0) good = false;
    good = good && rename(aside, path) == 0;
    if (!good) fprintf(stderr, "ampel import: %s: %s\n", path, strerror(errno));
    free(bytes);
    return good;
}

/* "tenant/seller/marketplace", any part empty, trailing parts may be missing. */
static bool account_read(const char *text, struct ampel_document_account *out) {
    struct ampel_text *parts[] = {&out->tenant, &out->seller, &out->marketplace};
    for (int i = 0; i < 3; i++) {
        size_t size = strcspn(text, "/");
        *parts[i] = (struct ampel_text){text, (uint32_t)size};
        if (size > 0 && !ampel_id_valid(*parts[i], true)) return false;
        if (text[size] == 0) return true;
        text += size + 1;
    }
    return false;
}

static int feed_run(char *events_path) {
    char name[] = "feed";
    char *words[] = {name, events_path, NULL};
    return ampel_command_feed(2, words);
}

static int import_run(struct importing *importing, char **files, int files_count, bool feed,
                      const char *memory_path) {
    char events_path[PATH_BYTES];
    importing->out = stdout;
    if (feed) {
        snprintf(events_path, sizeof events_path, "%s.events.jsonl", files[0]);
        importing->out = fopen(events_path, "w");
        if (importing->out == NULL) {
            fprintf(stderr, "ampel import: %s: %s\n", events_path, strerror(errno));
            return AMPEL_EXIT_FAILED;
        }
    }
    bool good = memory_path == NULL || memory_load(importing->memory, memory_path);
    for (int i = 0; i < files_count && good; i++) good = file_import(importing, files[i]);
    if (feed ? fclose(importing->out) != 0 : fflush(stdout) != 0) good = false;
    int status = good ? AMPEL_EXIT_OK : AMPEL_EXIT_FAILED;
    if (good && feed && importing->counts.events > 0) status = feed_run(events_path);
    /* What was seen is remembered only once its events are safe. */
    if (status <= AMPEL_EXIT_REFUSED && memory_path != NULL && !memory_save(importing->memory, memory_path))
        status = AMPEL_EXIT_FAILED;
    if (importing->list)
        fprintf(stderr, ampel_label("%u events, %u rows broken\n"), importing->counts.events, importing->broken);
    else
        fprintf(stderr, ampel_label("%u events, %u duplicates, %u documents of no interest, %u broken\n"),
                importing->counts.events, importing->counts.duplicates, importing->counts.skipped,
                importing->broken);
    return status == AMPEL_EXIT_OK && importing->broken > 0 ? AMPEL_EXIT_REFUSED : status;
}

int ampel_command_import(int argc, char **argv) {
    const char *account = NULL, *memory_path = NULL, *mapping_path = NULL, *dates = NULL;
    bool feed = false;
    struct importing importing = {.at_ms = INT64_MIN};
    const struct ampel_option options[] = {
        {"account", 'a', AMPEL_OPTION_TEXT, &account, "T/S/M",
         "tenant/seller/marketplace, as far as documents do not name them"},
        {"at", 't', AMPEL_OPTION_TIME, &importing.at_ms, "TIME",
         "when a report was made (default: the end of its latest range), or a list was true"},
        {"memory", 'm', AMPEL_OPTION_TEXT, &memory_path, "FILE",
         "what was seen in earlier runs; default: AMPEL_IMPORT_MEMORY, else none"},
        {"mapping", 0, AMPEL_OPTION_TEXT, &mapping_path, "FILE",
         "violations: lines 'header = column', 'Issue Type: text = policy'; docs/DOCUMENTS.md"},
        {"dates", 0, AMPEL_OPTION_TEXT, &dates, "ORDER", "violations, audit: dmy or mdy, for dates such as 3/4/2026"},
        {"feed", 0, AMPEL_OPTION_FLAG, &feed, NULL, "send the events to the worker (kept in FILE.events.jsonl)"},
    };
    int words;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (result != AMPEL_OPTIONS_OK)
        return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    bool audit = words >= 1 && strcmp(argv[1], "audit") == 0;
    importing.list = audit || (words >= 1 && strcmp(argv[1], "violations") == 0);
    importing.list_read = audit ? ampel_import_audit : ampel_import_list;
    if (words < 1 ||
        (strcmp(argv[1], "report") != 0 && strcmp(argv[1], "notification") != 0 && !importing.list))
        return ampel_usage_wrong(&usage, "say what the files are: report, notification, violations or audit");
    if ((!importing.list || audit) && mapping_path != NULL)
        return ampel_usage_wrong(&usage, "--mapping is for violations");
    if (!importing.list && dates != NULL)
        return ampel_usage_wrong(&usage, "--dates is for violations and audits");
    if (words < 2) return ampel_usage_wrong(&usage, "no FILE is given");
    if (account != NULL && !account_read(account, &importing.account))
        return ampel_usage_wrong(&usage, "--account is tenant/seller/marketplace, not '%s'", account);
    if (importing.account.tenant.size == 0 && !importing.list)
        return ampel_usage_wrong(&usage, "documents name no tenant: give --account TENANT/...");
    if (feed && strcmp(argv[2], "-") == 0)
        return ampel_usage_wrong(&usage, "--feed needs a file: its events are kept beside it");
    importing.kind = argv[1];
    importing.list_options = (struct ampel_list_options){.account = importing.account, .at_ms = importing.at_ms};
    static struct ampel_list_mapping mapping;
    if (!ampel_import_list_options(mapping_path, dates, &mapping, &importing.list_options))
        return AMPEL_EXIT_USAGE;
    importing.memory = ampel_document_memory_open();
    AMPEL_ASSERT(importing.memory != NULL);
    int status = import_run(&importing, argv + 2, words - 1, feed,
                            ampel_environment_or(memory_path, "AMPEL_IMPORT_MEMORY"));
    ampel_document_memory_close(importing.memory);
    return status;
}

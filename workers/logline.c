#define _POSIX_C_SOURCE 200809L
#include "workers/logline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "proto/time.h"
#include "workers/clock.h"
#include "workers/sheet.h"

/* Below PIPE_BUF, so that one write is one whole line on a pipe, too. */
#define LINE_BYTES_MAX 4000

static atomic_int least_level = AMPEL_LOG_INFO;
static atomic_int chosen_format = AMPEL_LOG_AUTO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void ampel_log_configure(enum ampel_log_level least, enum ampel_log_format format) {
    atomic_store(&least_level, (int)least);
    atomic_store(&chosen_format, (int)format);
}

static bool as_json(void) {
    int format = atomic_load(&chosen_format);
    if (format == AMPEL_LOG_AUTO) return isatty(STDERR_FILENO) == 0;
    return format == AMPEL_LOG_JSON;
}

/* One value, printed by its conversion. Returns whether it is a number. */
static bool value_print(struct ampel_sheet *value, const char *format, va_list *arguments) {
    if (strcmp(format, "%s") == 0) {
        const char *text = va_arg(*arguments, const char *);
        ampel_sheet_print(value, "%s", text == NULL ? "" : text);
        return false;
    }
    if (strcmp(format, "%d") == 0) {
        ampel_sheet_print(value, "%d", va_arg(*arguments, int));
    } else if (strcmp(format, "%u") == 0) {
        ampel_sheet_print(value, "%u", va_arg(*arguments, unsigned));
    } else if (strcmp(format, "%lld") == 0) {
        ampel_sheet_print(value, "%lld", va_arg(*arguments, long long));
    } else {
        AMPEL_ASSERT(strcmp(format, "%llu") == 0);
        ampel_sheet_print(value, "%llu", va_arg(*arguments, unsigned long long));
    }
    return true;
}

static void pair_put(struct ampel_sheet *line, bool json, const char *key, const char *value,
                     bool number) {
    if (!json) {
        ampel_sheet_print(line, " %s=", key);
        const char *quote = !number && strpbrk(value, " \"") != NULL ? "\"" : "";
        ampel_sheet_print(line, "%s", quote);
        ampel_sheet_json(line, value); /* control characters never reach a terminal */
        ampel_sheet_print(line, "%s", quote);
        return;
    }
    ampel_sheet_print(line, ",\"%s\":%s", key, number ? "" : "\"");
    ampel_sheet_json(line, value);
    if (!number) ampel_sheet_put(line, "\"", 1);
}

static void write_whole(const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; /* nobody listens: a log line is not worth stopping for */
        bytes += written;
        size -= (size_t)written;
    }
}

void ampel_log(enum ampel_log_level level, const char *room, const char *sentence, ...) {
    if ((int)level < atomic_load(&least_level)) return;
    char bytes[LINE_BYTES_MAX + 32];
    struct ampel_sheet line = {.bytes = bytes, .capacity = LINE_BYTES_MAX};
    char at[AMPEL_TIME_SIZE];
    ampel_time_encode(ampel_clock_machine_ms(), at);
    bool json = as_json();
    if (json) {
        ampel_sheet_print(&line, "{\"at\":\"%s\",\"level\":\"%s\",\"room\":\"%s\",\"what\":\"", at,
                          level_names[level], room);
        ampel_sheet_json(&line, sentence);
        ampel_sheet_put(&line, "\"", 1);
    } else {
        ampel_sheet_print(&line, "%s %-5s %-10s %s", at, level_names[level], room, sentence);
    }
    va_list arguments;
    va_start(arguments, sentence);
    for (;;) {
        const char *key = va_arg(arguments, const char *);
        if (key == NULL) break;
        const char *format = va_arg(arguments, const char *);
        char value_bytes[1200];
        struct ampel_sheet value = {.bytes = value_bytes, .capacity = sizeof(value_bytes) - 1};
        bool number = value_print(&value, format, &arguments);
        value_bytes[value.size] = '\0';
        uint32_t before = line.size;
        pair_put(&line, json, key, value.full ? "(too long to show)" : value_bytes,
                 number && !value.full);
        if (line.full) line.size = before; /* a pair that does not fit is left out whole */
        line.full = false;
    }
    va_end(arguments);
    line.capacity = sizeof(bytes);
    ampel_sheet_print(&line, "%s\n", json ? "}" : "");
    write_whole(line.bytes, line.size);
}

#include "workers/cli/labels.h"
#include "workers/cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/clock.h"

/* Lines of help fit 79 columns. Newlines in a text are spaces, but before a line that is indented, which stands as it is. */
#define HELP_COLUMNS 79
#define HELP_INDENT 29

/* Prints a text from column `at`, further lines from column `indent`. */
static void print_wrapped(const char *text, size_t at, size_t indent) {
    size_t column = at;
    while (*text != 0) {
        if (text[0] == '\n' && (text[1] == ' ' || text[1] == '\n')) {
            size_t line = 1 + strcspn(text + 1, "\n");
            printf("%.*s", (int)line, text);
            text += line;
            column = HELP_COLUMNS;
            continue;
        }
        size_t spaces = strspn(text, " \n"), word = strcspn(text + spaces, " \n");
        bool breaks = column > indent && column + (spaces > 0) + word > HELP_COLUMNS;
        if (breaks)
            printf("\n%*s", (int)indent, "");
        else if (spaces > 0)
            printf(" ");
        column = breaks ? indent : column + (spaces > 0);
        printf("%.*s", (int)word, text + spaces);
        column += word;
        text += spaces + word;
    }
    printf("\n");
}

static void print_help(const struct ampel_usage *usage, const struct ampel_option *options,
                       uint32_t options_count) {
    printf("usage: ampel %s [OPTION]... %s\n\n", usage->command, usage->arguments);
    print_wrapped(usage->about, 0, 0);
    printf("\noptions:\n");
    for (uint32_t i = 0; i < options_count; i++) {
        const struct ampel_option *option = &options[i];
        char left[64];
        char letter[4] = {0};
        if (option->letter != 0) {
            letter[0] = '-';
            letter[1] = option->letter;
            letter[2] = ',';
        }
        snprintf(left, sizeof left, "%-3s --%s%s%s", letter, option->name,
                 option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
        int columns = printf("  %-26s ", left);
        print_wrapped(option->help, (size_t)columns, HELP_INDENT);
    }
    int printed = printf("  %-26s ", "    --lang de|en");
    print_wrapped("words for people; default: LC_ALL, LC_MESSAGES or LANG", (size_t)printed, HELP_INDENT);
    printf("  %-26s %s\n", "-h, --help", "this text");
    if (usage->examples != NULL) printf("\nexamples:\n%s", usage->examples);
}

int ampel_usage_wrong(const struct ampel_usage *usage, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "ampel %s: ", usage->command);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry 'ampel %s --help'.\n", usage->command);
    va_end(arguments);
    return AMPEL_EXIT_USAGE;
}

static const struct ampel_option *option_by_name(const struct ampel_option *options,
                                                 uint32_t options_count, const char *name,
                                                 size_t size) {
    for (uint32_t i = 0; i < options_count; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

static const struct ampel_option *option_by_letter(const struct ampel_option *options,
                                                   uint32_t options_count, char letter) {
    for (uint32_t i = 0; i < options_count; i++)
        if (options[i].letter == letter) return &options[i];
    return NULL;
}

static bool number_read(const char *text, int64_t *out) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < 0) return false;
    *out = value;
    return true;
}

int64_t ampel_option_now(void) {
    struct ampel_system_clock state;
    struct ampel_clock clock;
    ampel_clock_system(&state, INT64_MIN, 1, &clock);
    return clock.now_ms(clock.context);
}

static bool time_read(const char *text, int64_t *out) {
    if (strcmp(text, "now") == 0) {
        *out = ampel_option_now();
        return true;
    }
    return ampel_time_decode((struct ampel_text){text, (uint32_t)strlen(text)}, out);
}

/* False: said what is wrong. */
static bool option_take(const struct ampel_usage *usage, const struct ampel_option *option,
                        const char *value) {
    switch (option->form) {
    case AMPEL_OPTION_FLAG:
        *(bool *)option->value = true;
        return true;
    case AMPEL_OPTION_TEXT:
        *(const char **)option->value = value;
        return true;
    case AMPEL_OPTION_LIST: {
        struct ampel_option_list *list = option->value;
        if (list->count == AMPEL_OPTION_LIST_MAX) {
            ampel_usage_wrong(usage, "--%s is given more than %d times", option->name,
                              AMPEL_OPTION_LIST_MAX);
            return false;
        }
        list->values[list->count++] = value;
        return true;
    }
    case AMPEL_OPTION_NUMBER:
        if (number_read(value, option->value)) return true;
        ampel_usage_wrong(usage, "--%s wants a whole number, not '%s'", option->name, value);
        return false;
    case AMPEL_OPTION_TIME:
        if (time_read(value, option->value)) return true;
        ampel_usage_wrong(usage,
                          "--%s wants a time such as 2026-10-01T12:00:00Z, milliseconds since 1970 "
                          "or now, not '%s'",
                          option->name, value);
        return false;
    }
    return false;
}

enum ampel_options_result ampel_options_read(const struct ampel_usage *usage,
                                             const struct ampel_option *options,
                                             uint32_t options_count, int argc, char **argv,
                                             int *arguments_count) {
    const char *language = NULL;
    const struct ampel_option common = {"lang", 0, AMPEL_OPTION_TEXT, &language, "de|en", ""};
    int kept = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (ended || word[0] != '-' || word[1] == 0) {
            argv[1 + kept++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            ended = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(usage, options, options_count);
            return AMPEL_OPTIONS_HELP;
        }
        const struct ampel_option *option;
        const char *value = NULL;
        if (word[1] == '-') {
            const char *equals = strchr(word, '=');
            size_t size = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word + 2);
            option = option_by_name(options, options_count, word + 2, size);
            if (option == NULL) option = option_by_name(&common, 1, word + 2, size);
            if (equals != NULL) value = equals + 1;
        } else {
            option = option_by_letter(options, options_count, word[1]);
            if (word[2] != 0) value = word + 2;
        }
        if (option == NULL) {
            ampel_usage_wrong(usage, "there is no option '%s'", word);
            return AMPEL_OPTIONS_WRONG;
        }
        if (option->form == AMPEL_OPTION_FLAG && value != NULL) {
            ampel_usage_wrong(usage, "--%s takes no value", option->name);
            return AMPEL_OPTIONS_WRONG;
        }
        if (option->form != AMPEL_OPTION_FLAG && value == NULL) {
            if (i + 1 == argc) {
                ampel_usage_wrong(usage, "--%s wants a value: %s", option->name, option->argument);
                return AMPEL_OPTIONS_WRONG;
            }
            value = argv[++i];
        }
        if (!option_take(usage, option, value)) return AMPEL_OPTIONS_WRONG;
    }
    if (!ampel_language_set(language)) {
        ampel_usage_wrong(usage, "--lang is de or en, not '%s'", language);
        return AMPEL_OPTIONS_WRONG;
    }
    *arguments_count = kept;
    return AMPEL_OPTIONS_OK;
}

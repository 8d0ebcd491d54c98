/* Options of a command: one table a command, from which parsing and --help derive. GNU style: --name VALUE, --name=VALUE,
   -n VALUE, flags without value, options anywhere among the arguments, "--" ends them, "-" is an argument. */
#ifndef AMPEL_WORKERS_CLI_OPTIONS_H
#define AMPEL_WORKERS_CLI_OPTIONS_H

#include "engine/base.h"

enum ampel_option_form {
    AMPEL_OPTION_FLAG,   /* value: bool * */
    AMPEL_OPTION_TEXT,   /* value: const char ** */
    AMPEL_OPTION_LIST,   /* value: struct ampel_option_list *; may be given several times */
    AMPEL_OPTION_NUMBER, /* value: int64_t *; whole, not negative */
    AMPEL_OPTION_TIME,   /* value: int64_t * ms; RFC 3339, milliseconds, or "now" */
};

#define AMPEL_OPTION_LIST_MAX 64
struct ampel_option_list {
    uint32_t count;
    const char *values[AMPEL_OPTION_LIST_MAX];
};

struct ampel_option {
    const char *name;     /* "as-of" */
    char letter;          /* 0 none */
    enum ampel_option_form form;
    void *value;
    const char *argument; /* "TIME"; NULL for flags */
    const char *help;     /* one or more sentences */
};

struct ampel_usage {
    const char *command;   /* "score" */
    const char *arguments; /* "FILE..." */
    const char *about;     /* a paragraph */
    const char *examples;  /* lines, NULL none */
};

enum ampel_options_result {
    AMPEL_OPTIONS_OK,
    AMPEL_OPTIONS_HELP,  /* --help was printed: exit 0 */
    AMPEL_OPTIONS_WRONG, /* said on standard error: exit 2 */
};

/* Reads argv[1..]; what is no option stays in argv[1..*arguments_count] in order. */
AMPEL_MUST_CHECK enum ampel_options_result
ampel_options_read(const struct ampel_usage *usage, const struct ampel_option *options,
                   uint32_t options_count, int argc, char **argv, int *arguments_count);

/* The time it is, in milliseconds: what "now" means. */
int64_t ampel_option_now(void);

/* "ampel score: sentence" on standard error, printf-like; returns AMPEL_EXIT_USAGE. */
int ampel_usage_wrong(const struct ampel_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

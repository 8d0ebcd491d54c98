/* What commands that look at accounts ask in common: at which time, under which rules, of which files or database, in which
   form; and the lines that an answer about one account begins with. */
#ifndef AMPEL_WORKERS_CLI_QUESTION_H
#define AMPEL_WORKERS_CLI_QUESTION_H

#include "workers/cli/format.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/stored.h"

struct ampel_question {
    int64_t as_of_ms;
    const char *rules_path, *format_text, *url;
    struct ampel_option_list sets;
    enum ampel_format format;
    struct ampel_rules rules;
};
#define AMPEL_QUESTION_INIT {.as_of_ms = INT64_MIN}

/* Rows of an option table. */
#define AMPEL_QUESTION_OPTIONS(question)                                                                           \
    {"as-of", 't', AMPEL_OPTION_TIME, &(question).as_of_ms, "TIME", "with files: the time of the question; default: now"}, \
    {"rules", 'r', AMPEL_OPTION_TEXT, &(question).rules_path, "FILE", "default: the database's, else AMPEL_RULES, else the built-in ones"},    \
    {"set", 's', AMPEL_OPTION_LIST, &(question).sets, "KEY=VALUE", "one rule by its dotted key; may be repeated"},         \
    {"format", 'f', AMPEL_OPTION_TEXT, &(question).format_text, "FORM", "table (for people, default) or jsonl"},          \
    {"database", 'd', AMPEL_OPTION_TEXT, &(question).url, "URL", "without files; default: AMPEL_DATABASE_URL"}

/* Reads format and rules, once the options are read. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_question_settle(struct ampel_question *question, const struct ampel_usage *usage,
                                            int files_count);
/* What a walk needs of it. account may be NULL. */
struct ampel_stored_options ampel_question_stored(const struct ampel_question *question, const char *command,
                                                  char *const *files, int files_count, const char *account);

/* "demo/A1/M  440 green, risk none". */
void ampel_headline_show(const char *account, const struct ampel_numbers *numbers);
/* The same and, dim, the time, the rules and the range over their variants. False: no memory. */
AMPEL_MUST_CHECK bool ampel_headline_print(struct ampel_portfolio *portfolio, uint32_t slot);
/* {"account":...,"as_of":...,"rules_version":...,"score":...,"status":...,"risk":... with the range, the brace left open. */
AMPEL_MUST_CHECK bool ampel_headline_json(struct ampel_portfolio *portfolio, uint32_t slot);

#endif

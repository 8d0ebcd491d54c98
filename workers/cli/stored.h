/* Portfolios as a command walks them: the files it is given, as one; without files what a worker stored, the pages of one
   partition after the other, each at the time at which it was stored. */
#ifndef AMPEL_WORKERS_CLI_STORED_H
#define AMPEL_WORKERS_CLI_STORED_H

#include "proto/page.h"
#include "workers/cli/portfolio.h"
#include "workers/pq.h"

struct ampel_stored_options {
    const char *command;   /* for messages: "fix" */
    char *const *files;
    int files_count;       /* 0: the database */
    int64_t as_of_ms;      /* of files alone */
    const char *url;       /* NULL: AMPEL_DATABASE_URL */
    const char *account;   /* the one that is wanted: its partition alone is read; NULL all */
    const struct ampel_rules *rules; /* borrowed until close */
    /* Without files: a partition for which rules were set (ampel rules set) stands under those, with sets on top, unless
       rules_given says that the user named a file. NULL: under rules in every case. */
    const struct ampel_option_list *sets;
    bool rules_given;
};

struct ampel_stored {
    struct ampel_stored_options options;
    struct ampel_pq *pq; /* NULL: files */
    struct ampel_page_codec *codec;
    uint32_t partition_next, partition_end;
    bool failed;  /* said on standard error */
    bool refused; /* an event of the files was */
    bool told_rules;
    bool present_open;
    struct ampel_portfolio present;
    struct ampel_rules rules; /* of the last portfolio */
};

/* False: said on standard error. Close it in either case. */
AMPEL_MUST_CHECK bool ampel_stored_open(struct ampel_stored *out, const struct ampel_stored_options *options);
/* The next portfolio with accounts, borrowed until the next call; NULL at the end or where it failed. */
struct ampel_portfolio *ampel_stored_next(struct ampel_stored *stored);
/* Returns the exit status: OK, REFUSED or FAILED. */
int ampel_stored_close(struct ampel_stored *stored);

/* Says that there is no such account; AMPEL_EXIT_REFUSED. */
int ampel_account_missing(const char *command, const char *account);
/* The whole of what a command does with one account: opens, walks and finds it. NULL: *status says why, closed already. */
struct ampel_portfolio *ampel_stored_account(struct ampel_stored *out, const struct ampel_stored_options *options,
                                             uint32_t *slot, int *status);

#endif

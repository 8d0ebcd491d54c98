/* ampel incident: takeover cases and the way back. One file each for what its verbs do:

       incident.c        the verbs and their words
       incident_case.c   finding a case, writing down what happened to it
       incident_phase.c  open, contain, close, tag: events to the worker
       incident_send.c   those events on their way (ampel.case_event_row)
       incident_step.c   step, note, evidence, clock, product
       incident_clock.c  what the worker is told of clocks
       incident_show.c   list, show, remind
       dossier.c         dossier, letter

   What is written down can only be added to; PostgreSQL sees to it. */
#ifndef AMPEL_WORKERS_CLI_INCIDENT_H
#define AMPEL_WORKERS_CLI_INCIDENT_H

#include "engine/event.h"
#include "workers/cli/format.h"
#include "workers/pq.h"

#define AMPEL_CASE_NOTE_BYTES_MAX 4000 /* a note, an owner, a name: what a page of a dossier holds */
#define AMPEL_CASE_NONE_MS        INT64_MIN

/* One case. Times are AMPEL_CASE_NONE_MS where they are not there yet. */
struct ampel_case {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    char id[AMPEL_ID_BYTES_MAX + 1];
    char state[16]; /* opened, contained, closed */
    int64_t compromised_from_ms, opened_ms, contained_ms, closed_ms;
};

/* What the verbs were given. */
struct ampel_incident_words {
    const char *command; /* "incident step": for messages */
    const struct ampel_usage *usage;
    const char *url, *endpoint, *keys, *by, *id, *note, *owner, *tenant, *output, *sku, *format_text, *rules_path;
    int64_t since_ms, at_ms, within_hours, patience_s;
    bool not_needed, undo, settled, none, all, mark;
    struct ampel_option_list sets;
    enum ampel_format format;
    int count; /* arguments behind the verb */
    char **words;
};

/* ---- incident_case.c ------------------------------------------------------------------------ */

/* By ID, TENANT/ID, or an account whose case it is. False: said on standard error, *status says how to exit. */
AMPEL_MUST_CHECK bool ampel_case_find(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *name,
                                      struct ampel_case *out, int *status);
/* The case in row of a result of case_find or case_of_account. */
void ampel_case_read(const struct ampel_pq *pq, uint32_t row, struct ampel_case *out);

/* What is written down. kind and the meaning of what: ampel.case_log_row. NULL is none. */
struct ampel_case_entry {
    const char *kind, *what, *note, *file_name, *file_sha256;
    int64_t step; /* 0 none */
    int64_t moment_ms, file_size;
};
/* Within a transaction that holds the case's lock. False: said. */
AMPEL_MUST_CHECK bool ampel_case_write(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                       const struct ampel_case *incident, const struct ampel_case_entry *entry);
/* Begins a transaction and takes the lock. False: said. */
AMPEL_MUST_CHECK bool ampel_case_begin(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                       const struct ampel_case *incident);
/* Ends it: commits where good, else takes everything back. False: said, or it was not good. */
AMPEL_MUST_CHECK bool ampel_case_end(struct ampel_pq *pq, const struct ampel_incident_words *given, bool good);
/* One statement. False: said. */
AMPEL_MUST_CHECK bool ampel_case_run(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                     enum ampel_sql_statement statement, const struct ampel_pq_value *values,
                                     uint32_t values_count);
/* "ampel incident step: sentence" on standard error; returns AMPEL_EXIT_REFUSED. */
int ampel_case_refuse(const struct ampel_incident_words *given, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The name of who says so: --by, else AMPEL_BY, else USER. NULL: said. */
const char *ampel_case_by(const struct ampel_incident_words *given);
/* Texts of people: 1..AMPEL_CASE_NOTE_BYTES_MAX bytes of UTF-8 without control characters but line ends. */
AMPEL_MUST_CHECK bool ampel_case_text_valid(const char *text);

/* ---- incident_send.c ------------------------------------------------------------------------ */

/* Sends what waits for the worker and writes down what it confirmed. Returns the exit status. */
int ampel_case_send(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *tenant);
/* Whether it is known where the worker is. */
bool ampel_case_reaches(const struct ampel_incident_words *given);
/* Puts lines of events (JSON Lines) among what waits. Within a transaction. False: said. */
AMPEL_MUST_CHECK bool ampel_case_post(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                      const struct ampel_case *incident, const char *lines);

/* Lines of events of one case, one behind the other; bytes is freed by whoever has it. */
struct ampel_case_lines {
    char *bytes; /* NULL while there are none */
    size_t size, capacity;
};
void ampel_case_line_add(struct ampel_case_lines *lines, const struct ampel_case *incident, const char *seller,
                         const char *marketplace, const struct ampel_event *event);

/* ---- incident_clock.c ----------------------------------------------------------------------- */

/* What moved clocks of a case. */
struct ampel_case_clock_move {
    int64_t step;     /* 0 none */
    const char *name; /* of what starts a clock, or of one that is settled; "" none */
    bool settles;
};
/* Puts what the worker is to know of them among what waits, for all stores of the case. Within a
   transaction. *posted: whether there was any. False: said. */
AMPEL_MUST_CHECK bool ampel_case_clocks_post(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                             const struct ampel_case *incident,
                                             const struct ampel_case_clock_move *move, bool *posted);

/* ---- the verbs; each returns the exit status ------------------------------------------------ */

int ampel_incident_open(const struct ampel_incident_words *given);
int ampel_incident_contain(const struct ampel_incident_words *given);
int ampel_incident_close(const struct ampel_incident_words *given);
int ampel_incident_tag(const struct ampel_incident_words *given);
int ampel_incident_step(const struct ampel_incident_words *given);
int ampel_incident_note(const struct ampel_incident_words *given);
int ampel_incident_evidence(const struct ampel_incident_words *given);
int ampel_incident_clock(const struct ampel_incident_words *given);
int ampel_incident_product(const struct ampel_incident_words *given);
int ampel_incident_list(const struct ampel_incident_words *given);
int ampel_incident_show(const struct ampel_incident_words *given);
int ampel_incident_remind(const struct ampel_incident_words *given);

#endif

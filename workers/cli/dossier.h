/* The dossier of a takeover case: one self-contained HTML file for printing, and the letter to the performance team as text.

       dossier.c         the verbs; gathers all that is known into the struct below
       dossier_store.c   what the engine knows of one store of the case
       dossier_html.c    the file
       dossier_letter.c  the letter

   Words stand here in both languages side by side, not in the table of labels: they are sentences of a document. */
#ifndef AMPEL_WORKERS_CLI_DOSSIER_H
#define AMPEL_WORKERS_CLI_DOSSIER_H

#include <stdio.h>

#include "engine/incident.h"
#include "workers/cli/incident.h"
#include "workers/cli/stored.h"

#define AMPEL_DOSSIER_DAYS_MAX AMPEL_WINDOW_DAYS_MAX

struct ampel_dossier_violation {
    char id[AMPEL_ID_BYTES_MAX + 1], asin[AMPEL_ID_BYTES_MAX + 1], sku[AMPEL_ID_BYTES_MAX + 1];
    int64_t at_ms, state_at_ms, points; /* state_at_ms INT64_MIN where none came */
    uint32_t place;                     /* among what to dispute first, from 1; 0: costs nothing any more */
    int32_t score_then;                 /* once its approval alone is had */
    uint8_t policy, state;
    int8_t severity;
    bool deducting, critical;
};

struct ampel_dossier_day {
    int64_t day;
    uint32_t orders, cancelled;
};

struct ampel_dossier_store {
    char seller[AMPEL_ID_BYTES_MAX + 1], marketplace[AMPEL_ID_BYTES_MAX + 1];
    bool known; /* the worker has told the store's state */
    int64_t as_of_ms;
    struct ampel_numbers numbers;
    struct ampel_incident_damage damage;
    uint32_t violations_count;
    struct ampel_dossier_violation *violations; /* by place, then by at */
    uint32_t days_count;
    struct ampel_dossier_day *days; /* those with orders or cancellations */
    char *picture;                  /* SVG */
};

struct ampel_dossier_step {
    int64_t step, done_ms; /* AMPEL_CASE_NONE_MS */
    char *phase, *title, *evidence, *state, *by, *note, *owner, *waits_for;
};

struct ampel_dossier_entry {
    int64_t number, step, moment_ms, file_size;
    char *by, *kind, *what, *note, *file_name, *file_sha256;
};

struct ampel_dossier_clock {
    int64_t starts_ms, earliest_ms, runs_out_ms, settled_ms; /* AMPEL_CASE_NONE_MS */
    char *clock, *store, *what, *certainty;
};

struct ampel_dossier {
    struct ampel_case incident;
    int64_t made_ms;
    const char *by;
    char rules_version[AMPEL_ID_BYTES_MAX + 1];
    uint32_t stores_count, steps_count, entries_count, clocks_count;
    struct ampel_dossier_store *stores;
    struct ampel_dossier_step *steps;
    struct ampel_dossier_entry *entries;
    struct ampel_dossier_clock *clocks;
};

/* Fills the store from the engine at its time. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_dossier_store_fill(struct ampel_pq *pq, const struct ampel_incident_words *given,
                                               const struct ampel_case *incident, struct ampel_portfolio *portfolio,
                                               uint32_t slot, struct ampel_dossier_store *out);
void ampel_dossier_store_reset(struct ampel_dossier_store *store);

/* What cannot be written shows in ferror(out). */
void ampel_dossier_html(const struct ampel_dossier *dossier, FILE *out);
void ampel_dossier_letter(const struct ampel_dossier *dossier, FILE *out);

/* The sentence in the reader's language. */
const char *ampel_dossier_say(const char *english, const char *german);
/* A name of a registry or a table, for people: in German its word, in English without underscores. Such names hold nothing
   that HTML would have to escape. */
void ampel_dossier_name(FILE *out, const char *name);
/* "1 October 2026" or "1. Oktober 2026": the reader's day. */
#define AMPEL_DOSSIER_DAY_SIZE 48
void ampel_dossier_day(int64_t at_ms, char out[AMPEL_DOSSIER_DAY_SIZE]);
/* When the product of a violation was removed: as was written down, else when its listing was deleted; AMPEL_CASE_NONE_MS. */
int64_t ampel_dossier_removed(const struct ampel_dossier *dossier, const struct ampel_dossier_violation *violation);
/* Whether a product that was written down is that of a violation. */
bool ampel_dossier_is_violations(const struct ampel_dossier *dossier, const char *product);
/* The deadline that the letter sets: the one that runs since it was sent, else a fortnight from now. */
int64_t ampel_dossier_deadline(const struct ampel_dossier *dossier);

int ampel_incident_dossier(const struct ampel_incident_words *given);
int ampel_incident_letter(const struct ampel_incident_words *given);

#endif

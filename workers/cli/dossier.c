/* dossier, letter: gathers what database and engine know of a case. */
#include "workers/cli/dossier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/labels.h"
#include "workers/environment.h"

#define LETTER_HOURS 336 /* the clock `letter`: a fortnight */

const char *ampel_dossier_say(const char *english, const char *german) {
    return ampel_language_is_german() ? german : english;
}

void ampel_dossier_name(FILE *out, const char *name) {
    const char *label = ampel_label(name);
    for (const char *at = label; *at != 0; at++)
        fputc(*at == '_' && label == name ? ' ' : *at, out);
}

void ampel_dossier_day(int64_t at_ms, char out[AMPEL_DOSSIER_DAY_SIZE]) {
    static const char *const months[][2] = {
        {"January", "Januar"}, {"February", "Februar"}, {"March", "März"}, {"April", "April"},
        {"May", "Mai"}, {"June", "Juni"}, {"July", "Juli"}, {"August", "August"},
        {"September", "September"}, {"October", "Oktober"}, {"November", "November"}, {"December", "Dezember"},
    };
    char day[AMPEL_LABEL_TIME_SIZE];
    ampel_label_day(at_ms, day); /* 2026-10-01 */
    long month = strtol(day + 5, NULL, 10), number = strtol(day + 8, NULL, 10);
    const char *name = months[(month - 1) % 12][ampel_language_is_german() ? 1 : 0];
    snprintf(out, AMPEL_DOSSIER_DAY_SIZE, ampel_dossier_say("%ld %s %.4s", "%ld. %s %.4s"), number, name, day);
}

int64_t ampel_dossier_deadline(const struct ampel_dossier *dossier) {
    for (uint32_t i = 0; i < dossier->clocks_count; i++)
        if (strcmp(dossier->clocks[i].clock, "letter") == 0) return dossier->clocks[i].runs_out_ms;
    return dossier->made_ms + LETTER_HOURS * AMPEL_HOUR_MS;
}

/* The last word on a product, by its ASIN or SKU. */
static const struct ampel_dossier_entry *removal_of(const struct ampel_dossier *dossier, const char *name) {
    for (uint32_t i = dossier->entries_count; i > 0; i--) {
        const struct ampel_dossier_entry *entry = &dossier->entries[i - 1];
        if (name[0] != 0 && strcmp(entry->kind, "product") == 0 && strcmp(entry->what, name) == 0) return entry;
    }
    return NULL;
}

int64_t ampel_dossier_removed(const struct ampel_dossier *dossier, const struct ampel_dossier_violation *violation) {
    const struct ampel_dossier_entry *removed = removal_of(dossier, violation->asin);
    if (removed == NULL) removed = removal_of(dossier, violation->sku);
    if (removed != NULL) return removed->moment_ms;
    return violation->state == AMPEL_STATE_LISTING_DELETED ? violation->state_at_ms : AMPEL_CASE_NONE_MS;
}

bool ampel_dossier_is_violations(const struct ampel_dossier *dossier, const char *product) {
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        for (uint32_t v = 0; v < dossier->stores[i].violations_count; v++) {
            const struct ampel_dossier_violation *violation = &dossier->stores[i].violations[v];
            if (strcmp(violation->asin, product) == 0 || strcmp(violation->sku, product) == 0) return true;
        }
    }
    return false;
}

/* ---- rows of the database -------------------------------------------------------------------- */

static char *text_take(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    char *copy = strdup(ampel_pq_get_text(pq, row, column).bytes);
    AMPEL_ASSERT(copy != NULL);
    return copy;
}

static int64_t time_take(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return ampel_pq_is_null(pq, row, column) ? AMPEL_CASE_NONE_MS : ampel_pq_get_time(pq, row, column);
}

static void *rows_make(const struct ampel_pq *pq, uint32_t *count, size_t size) {
    *count = ampel_pq_rows(pq);
    void *rows = calloc(*count + 1, size);
    AMPEL_ASSERT(rows != NULL);
    return rows;
}

static void stores_take(const struct ampel_pq *pq, struct ampel_dossier *dossier) {
    dossier->stores = rows_make(pq, &dossier->stores_count, sizeof *dossier->stores);
    for (uint32_t row = 0; row < dossier->stores_count; row++) {
        struct ampel_dossier_store *store = &dossier->stores[row];
        snprintf(store->seller, sizeof store->seller, "%s", ampel_pq_get_text(pq, row, 0).bytes);
        snprintf(store->marketplace, sizeof store->marketplace, "%s", ampel_pq_get_text(pq, row, 1).bytes);
    }
}

static void steps_take(const struct ampel_pq *pq, struct ampel_dossier *dossier) {
    dossier->steps = rows_make(pq, &dossier->steps_count, sizeof *dossier->steps);
    for (uint32_t row = 0; row < dossier->steps_count; row++)
        dossier->steps[row] = (struct ampel_dossier_step){
            .step = ampel_pq_get_int64(pq, row, 0),
            .phase = text_take(pq, row, 1),
            .title = text_take(pq, row, 2),
            .evidence = text_take(pq, row, 3),
            .state = text_take(pq, row, 4),
            .done_ms = time_take(pq, row, 5),
            .by = text_take(pq, row, 6),
            .note = text_take(pq, row, 7),
            .owner = text_take(pq, row, 8),
            .waits_for = text_take(pq, row, 9),
        };
}

static void clocks_take(const struct ampel_pq *pq, struct ampel_dossier *dossier) {
    dossier->clocks = rows_make(pq, &dossier->clocks_count, sizeof *dossier->clocks);
    for (uint32_t row = 0; row < dossier->clocks_count; row++)
        dossier->clocks[row] = (struct ampel_dossier_clock){
            .clock = text_take(pq, row, 2),
            .store = text_take(pq, row, 3),
            .starts_ms = time_take(pq, row, 4),
            .earliest_ms = time_take(pq, row, 5),
            .runs_out_ms = time_take(pq, row, 6),
            .what = text_take(pq, row, 7),
            .certainty = text_take(pq, row, 8),
            .settled_ms = time_take(pq, row, 9),
        };
}

static void entries_take(const struct ampel_pq *pq, struct ampel_dossier *dossier) {
    dossier->entries = rows_make(pq, &dossier->entries_count, sizeof *dossier->entries);
    for (uint32_t row = 0; row < dossier->entries_count; row++)
        dossier->entries[row] = (struct ampel_dossier_entry){
            .number = ampel_pq_get_int64(pq, row, 0),
            .by = text_take(pq, row, 2),
            .kind = text_take(pq, row, 3),
            .step = ampel_pq_get_int64(pq, row, 4),
            .what = text_take(pq, row, 5),
            .moment_ms = ampel_pq_is_null(pq, row, 6) ? ampel_pq_get_time(pq, row, 1) : ampel_pq_get_time(pq, row, 6),
            .note = text_take(pq, row, 7),
            .file_name = text_take(pq, row, 8),
            .file_size = ampel_pq_get_int64(pq, row, 9),
            .file_sha256 = text_take(pq, row, 10),
        };
}

static bool case_gather(struct ampel_pq *pq, const struct ampel_incident_words *given, struct ampel_dossier *dossier) {
    const struct ampel_pq_value key[] = {ampel_pq_string(dossier->incident.tenant), ampel_pq_string(dossier->incident.id)};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_ACCOUNTS, key, 2)) return false;
    stores_take(pq, dossier);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_STEPS, key, 2)) return false;
    steps_take(pq, dossier);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_CLOCKS, key, 2)) return false;
    clocks_take(pq, dossier);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_HISTORY, key, 2)) return false;
    entries_take(pq, dossier);
    return true;
}

/* ---- the stores as the engine knows them ------------------------------------------------------ */

static bool store_gather(struct ampel_pq *pq, const struct ampel_incident_words *given, const struct ampel_rules *rules,
                         const struct ampel_dossier *dossier, struct ampel_dossier_store *store) {
    char account[AMPEL_PORTFOLIO_NAME_SIZE];
    snprintf(account, sizeof account, "%s/%s/%s", dossier->incident.tenant, store->seller, store->marketplace);
    const struct ampel_stored_options where = {.command = given->command, .url = given->url, .account = account, .rules = rules};
    struct ampel_stored stored;
    struct ampel_portfolio *portfolio = ampel_stored_open(&stored, &where) ? ampel_stored_next(&stored) : NULL;
    uint32_t slot = portfolio == NULL ? AMPEL_SLOT_NONE : ampel_portfolio_find(portfolio, account);
    /* A store of which the worker has stored nothing yet stands in the dossier without numbers. */
    bool good = slot == AMPEL_SLOT_NONE ||
                ampel_dossier_store_fill(pq, given, &dossier->incident, portfolio, slot, store);
    return ampel_stored_close(&stored) == AMPEL_EXIT_OK && good;
}

static bool gather(struct ampel_pq *pq, const struct ampel_incident_words *given, struct ampel_dossier *dossier,
                   int *status) {
    struct ampel_rules rules;
    *status = AMPEL_EXIT_FAILED;
    if (!ampel_portfolio_rules(ampel_environment_or(given->rules_path, "AMPEL_RULES"), &given->sets, &rules)) {
        *status = AMPEL_EXIT_USAGE;
        return false;
    }
    snprintf(dossier->rules_version, sizeof dossier->rules_version, "%s", rules.version);
    if (!ampel_case_find(pq, given, given->words[0], &dossier->incident, status)) return false;
    *status = AMPEL_EXIT_FAILED;
    bool good = case_gather(pq, given, dossier);
    for (uint32_t i = 0; good && i < dossier->stores_count; i++)
        good = store_gather(pq, given, &rules, dossier, &dossier->stores[i]);
    return good;
}

static void dossier_reset(struct ampel_dossier *dossier) {
    for (uint32_t i = 0; i < dossier->stores_count; i++)
        ampel_dossier_store_reset(&dossier->stores[i]);
    for (uint32_t i = 0; i < dossier->steps_count; i++) {
        struct ampel_dossier_step *step = &dossier->steps[i];
        char *texts[] = {step->phase, step->title, step->evidence, step->state, step->by, step->note, step->owner, step->waits_for};
        for (size_t k = 0; k < AMPEL_ARRAY_COUNT(texts); k++) free(texts[k]);
    }
    for (uint32_t i = 0; i < dossier->entries_count; i++) {
        struct ampel_dossier_entry *entry = &dossier->entries[i];
        char *texts[] = {entry->by, entry->kind, entry->what, entry->note, entry->file_name, entry->file_sha256};
        for (size_t k = 0; k < AMPEL_ARRAY_COUNT(texts); k++) free(texts[k]);
    }
    for (uint32_t i = 0; i < dossier->clocks_count; i++) {
        struct ampel_dossier_clock *clock = &dossier->clocks[i];
        char *texts[] = {clock->clock, clock->store, clock->what, clock->certainty};
        for (size_t k = 0; k < AMPEL_ARRAY_COUNT(texts); k++) free(texts[k]);
    }
    free(dossier->stores);
    free(dossier->steps);
    free(dossier->entries);
    free(dossier->clocks);
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static int output_write(const struct ampel_incident_words *given, const struct ampel_dossier *dossier,
                        void (*write)(const struct ampel_dossier *, FILE *)) {
    const char *path = given->output;
    FILE *out = path != NULL ? fopen(path, "w") : stdout;
    if (out != NULL) {
        write(dossier, out);
        bool good = fflush(out) == 0 && ferror(out) == 0;
        if (path != NULL && fclose(out) != 0) good = false;
        if (good) return AMPEL_EXIT_OK;
    }
    fprintf(stderr, "ampel %s: %s: %s\n", given->command, path != NULL ? path : "standard output", strerror(errno));
    return AMPEL_EXIT_FAILED;
}

static int document_write(const struct ampel_incident_words *given,
                          void (*write)(const struct ampel_dossier *, FILE *)) {
    static struct ampel_dossier dossier;
    int status;
    if (given->count != 1) return ampel_usage_wrong(given->usage, "give one CASE: its id, or an account");
    struct ampel_pq *pq = ampel_connect(given->command, given->url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    dossier = (struct ampel_dossier){.made_ms = ampel_option_now(), .by = ampel_environment_or(given->by, "AMPEL_BY")};
    if (gather(pq, given, &dossier, &status)) status = output_write(given, &dossier, write);
    dossier_reset(&dossier);
    ampel_pq_close(pq);
    return status;
}

int ampel_incident_dossier(const struct ampel_incident_words *given) { return document_write(given, ampel_dossier_html); }
int ampel_incident_letter(const struct ampel_incident_words *given) { return document_write(given, ampel_dossier_letter); }

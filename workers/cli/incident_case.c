#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/incident.h"
#include "workers/cli/labels.h"
#include "workers/cli/portfolio.h"
#include "workers/environment.h"

int ampel_case_refuse(const struct ampel_incident_words *given, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "ampel %s: ", given->command);
    va_start(arguments, format);
    vfprintf(stderr, ampel_label(format), arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return AMPEL_EXIT_REFUSED;
}

bool ampel_case_text_valid(const char *text) {
    size_t size = strlen(text);
    if (size == 0 || size > AMPEL_CASE_NOTE_BYTES_MAX) return false;
    for (const char *at = text; *at != 0; at++) {
        unsigned char byte = (unsigned char)*at;
        if ((byte < 0x20 && byte != '\n') || byte == 0x7f) return false;
    }
    return true;
}

const char *ampel_case_by(const struct ampel_incident_words *given) {
    const char *by = ampel_environment_or(given->by, "AMPEL_BY");
    if (by == NULL) by = getenv("USER");
    if (by != NULL && ampel_case_text_valid(by)) return by;
    (void)ampel_case_refuse(given, "who says so? give --by NAME (or AMPEL_BY)");
    return NULL;
}

bool ampel_case_run(struct ampel_pq *pq, const struct ampel_incident_words *given, enum ampel_sql_statement statement,
                    const struct ampel_pq_value *values, uint32_t values_count) {
    struct ampel_error error = {0};
    if (ampel_pq_run(pq, statement, values, values_count, &error) == AMPEL_DATABASE_OK) return true;
    (void)ampel_connect_failed(given->command, &error);
    return false;
}

/* ---- finding -------------------------------------------------------------------------------- */

static int64_t time_or_none(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return ampel_pq_is_null(pq, row, column) ? AMPEL_CASE_NONE_MS : ampel_pq_get_time(pq, row, column);
}

void ampel_case_read(const struct ampel_pq *pq, uint32_t row, struct ampel_case *out) {
    memset(out, 0, sizeof *out);
    snprintf(out->tenant, sizeof out->tenant, "%s", ampel_pq_get_text(pq, row, 0).bytes);
    snprintf(out->id, sizeof out->id, "%s", ampel_pq_get_text(pq, row, 1).bytes);
    snprintf(out->state, sizeof out->state, "%s", ampel_pq_get_text(pq, row, 2).bytes);
    out->compromised_from_ms = ampel_pq_get_time(pq, row, 3);
    out->opened_ms = ampel_pq_get_time(pq, row, 4);
    out->contained_ms = time_or_none(pq, row, 5);
    out->closed_ms = time_or_none(pq, row, 6);
}

static bool failed(int *status) {
    *status = AMPEL_EXIT_FAILED;
    return false;
}

static bool account_find(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *name,
                         struct ampel_case *out, int *status) {
    struct ampel_text texts[3];
    AMPEL_ASSERT(ampel_portfolio_split(name, texts));
    struct ampel_pq_value key[3];
    for (int i = 0; i < 3; i++)
        key[i] = ampel_pq_bytes(texts[i].bytes, texts[i].size);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_OF_ACCOUNT, key, 3)) return failed(status);
    if (ampel_pq_rows(pq) == 0) {
        *status = ampel_case_refuse(given, "%s has no case", name);
        return false;
    }
    ampel_case_read(pq, 0, out);
    return true;
}

bool ampel_case_find(struct ampel_pq *pq, const struct ampel_incident_words *given, const char *name,
                     struct ampel_case *out, int *status) {
    struct ampel_text texts[3];
    if (ampel_portfolio_split(name, texts)) return account_find(pq, given, name, out, status);
    const char *slash = strchr(name, '/');
    const char *tenant = given->tenant != NULL ? given->tenant : "";
    size_t tenant_size = slash != NULL ? (size_t)(slash - name) : strlen(tenant);
    const struct ampel_pq_value key[] = {
        ampel_pq_bytes(slash != NULL ? name : tenant, (uint32_t)tenant_size),
        ampel_pq_string(slash != NULL ? slash + 1 : name),
    };
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_FIND, key, 2)) return failed(status);
    if (ampel_pq_rows(pq) == 1) {
        ampel_case_read(pq, 0, out);
        return true;
    }
    *status = ampel_pq_rows(pq) == 0
                  ? ampel_case_refuse(given, "there is no case %s (ID, TENANT/ID, or an account)", name)
                  : ampel_case_refuse(given, "several tenants have a case %s: say TENANT/%s", name, name);
    return false;
}

/* ---- writing down --------------------------------------------------------------------------- */

bool ampel_case_begin(struct ampel_pq *pq, const struct ampel_incident_words *given,
                      const struct ampel_case *incident) {
    struct ampel_error error = {0};
    if (ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, &error) != AMPEL_DATABASE_OK) {
        (void)ampel_connect_failed(given->command, &error);
        return false;
    }
    const struct ampel_pq_value key[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id)};
    return ampel_case_run(pq, given, AMPEL_SQL_CASE_LOCK, key, 2);
}

bool ampel_case_end(struct ampel_pq *pq, const struct ampel_incident_words *given, bool good) {
    struct ampel_error error = {0};
    if (!good) {
        if (ampel_pq_connected(pq)) (void)!ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_ROLLBACK, &error);
        return false;
    }
    if (ampel_pq_commit(pq, &error) == AMPEL_DATABASE_OK) return true;
    (void)ampel_connect_failed(given->command, &error);
    return false;
}

static struct ampel_pq_value text_or_none(const char *text) { return ampel_pq_string(text != NULL ? text : ""); }

bool ampel_case_write(struct ampel_pq *pq, const struct ampel_incident_words *given, const struct ampel_case *incident,
                      const struct ampel_case_entry *entry) {
    const char *by = ampel_case_by(given);
    if (by == NULL) return false;
    const struct ampel_pq_value values[] = {
        ampel_pq_string(incident->tenant),
        ampel_pq_string(incident->id),
        ampel_pq_string(by),
        ampel_pq_string(entry->kind),
        ampel_pq_int64(entry->step),
        text_or_none(entry->what),
        ampel_pq_time(entry->moment_ms),
        text_or_none(entry->note),
        text_or_none(entry->file_name),
        ampel_pq_int64(entry->file_size),
        text_or_none(entry->file_sha256),
    };
    return ampel_case_run(pq, given, AMPEL_SQL_CASE_LOG_ADD, values, AMPEL_ARRAY_COUNT(values));
}

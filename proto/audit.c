#include "proto/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/csv.h"
#include "proto/document_part.h"
#include "proto/text.h"

#define NO_CELL UINT32_MAX

enum column { ACCOUNT, TIME, KIND, VALUE, DETAIL, UNTIL, KINDS, COLUMNS_COUNT };

static const char *const headers[COLUMNS_COUNT] = {"Account", "Time", "Kind", "Value", "Detail", "Until", "Kinds"};
/* Other names that consoles give these columns. */
static const struct {
    const char *header;
    enum column column;
} other_headers[] = {{"Date", TIME}, {"When", TIME}, {"Event", KIND}, {"Signal", KIND}, {"Note", DETAIL}, {"Ends", UNTIL}};

/* Usual phrases, compared without case, spaces and punctuation. */
static const struct {
    const char *phrase, *kind;
} phrases[] = {
    {"bank account", "deposit_change"},
    {"bank account changed", "deposit_change"},
    {"deposit method", "deposit_change"},
    {"deposit method changed", "deposit_change"},
    {"Bankkonto geändert", "deposit_change"},
    {"email changed", "email_phone_change"},
    {"phone changed", "email_phone_change"},
    {"contact changed", "email_phone_change"},
    {"two-step verification", "email_phone_change"},
    {"E-Mail geändert", "email_phone_change"},
    {"Telefon geändert", "email_phone_change"},
    {"new user", "new_user_or_app"},
    {"user added", "new_user_or_app"},
    {"user permissions", "new_user_or_app"},
    {"app authorized", "new_user_or_app"},
    {"developer app", "new_user_or_app"},
    {"API key", "new_user_or_app"},
    {"neuer Nutzer", "new_user_or_app"},
    {"foreign login", "foreign_login_language"},
    {"login from elsewhere", "foreign_login_language"},
    {"new device", "foreign_login_language"},
    {"language changed", "foreign_login_language"},
    {"fremde Anmeldung", "foreign_login_language"},
    {"store name changed", "storefront_text"},
    {"condition note", "storefront_text"},
    {"where is my order", "wismo_burst"},
    {"bulk upload", "bulk_new_listings"},
};

struct audit {
    const struct ampel_audit_options *options;
    const struct ampel_list_sink *sink;
    struct ampel_list_counts *counts;
    uint32_t places[COLUMNS_COUNT]; /* of a column's cell in a row */
    uint32_t width;
    struct ampel_csv_row row;
    struct ampel_document_account account; /* of the row */
    struct ampel_document_counts told;
    struct ampel_error error;
    struct ampel_document_writer writer;
};

/* ---- words ---------------------------------------------------------------------------------- */

static bool same_name(const char *name, const char *other) {
    char folded[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(ampel_text_of(other), folded);
    return strcmp(name, folded) == 0;
}

bool ampel_audit_kind(struct ampel_text text, uint8_t *kind) {
    char name[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(text, name);
    *kind = AMPEL_AUDIT_MAINTENANCE;
    if (same_name(name, "maintenance") || same_name(name, "Wartung")) return true;
    for (uint32_t code = 0; code < ampel_registry_count(AMPEL_REGISTRY_KIND); code++) {
        if (!same_name(name, ampel_registry_name(AMPEL_REGISTRY_KIND, code))) continue;
        *kind = (uint8_t)code;
        return true;
    }
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(phrases); i++)
        if (same_name(name, phrases[i].phrase))
            return ampel_registry_code(AMPEL_REGISTRY_KIND, ampel_text_of(phrases[i].kind), kind);
    return false;
}

/* ---- the header ----------------------------------------------------------------------------- */

static uint32_t column_of(struct ampel_text header) {
    char name[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(header, name);
    for (uint32_t i = 0; i < COLUMNS_COUNT; i++)
        if (same_name(name, headers[i])) return i;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(other_headers); i++)
        if (same_name(name, other_headers[i].header)) return other_headers[i].column;
    return COLUMNS_COUNT;
}

static bool header_fail(struct ampel_error *error, uint32_t line, const char *column, const char *reason) {
    (void)ampel_error_set(error, column, "%s", reason);
    error->line = line;
    return false;
}

static bool header_read(struct audit *audit, struct ampel_error *error) {
    const struct ampel_csv_row *row = &audit->row;
    for (uint32_t i = 0; i < COLUMNS_COUNT; i++) audit->places[i] = NO_CELL;
    audit->width = row->cells_count;
    for (uint32_t i = 0; i < row->cells_count; i++) {
        struct ampel_text header = ampel_list_trim(row->cells[i]);
        uint32_t column = header.size > 0 ? column_of(header) : COLUMNS_COUNT;
        if (column == COLUMNS_COUNT) {
            if (header.size > 0 && audit->sink->ignored != NULL) audit->sink->ignored(audit->sink->context, header);
            continue;
        }
        if (audit->places[column] != NO_CELL)
            return header_fail(error, row->line, headers[column], "the header has this column twice");
        audit->places[column] = i;
    }
    if (audit->places[TIME] == NO_CELL)
        return header_fail(error, row->line, headers[TIME], "the header lacks this column");
    if (audit->places[KIND] == NO_CELL)
        return header_fail(error, row->line, headers[KIND], "the header lacks this column");
    return true;
}

/* ---- a row's cells -------------------------------------------------------------------------- */

static struct ampel_text cell_of(const struct audit *audit, enum column column) {
    uint32_t place = audit->places[column];
    if (place == NO_CELL || place >= audit->row.cells_count) return (struct ampel_text){"", 0};
    return ampel_list_trim(audit->row.cells[place]);
}

static bool cell_fail(struct audit *audit, enum column column, const char *reason) {
    char field[64];
    uint32_t place = audit->places[column];
    if (place == NO_CELL)
        snprintf(field, sizeof field, "%s", headers[column]);
    else
        snprintf(field, sizeof field, "column %u, %s", place + 1, headers[column]);
    return ampel_error_set(&audit->error, field, "%s", reason);
}

static bool date_read(struct audit *audit, enum column column, int64_t *at_ms) {
    const char *why = "";
    if (cell_of(audit, column).size == 0) return cell_fail(audit, column, "is missing");
    return ampel_list_date(cell_of(audit, column), audit->options->dates, at_ms, &why) || cell_fail(audit, column, why);
}

static bool account_read(struct audit *audit) {
    audit->account = audit->options->account;
    struct ampel_text cell = cell_of(audit, ACCOUNT);
    struct ampel_text *parts[] = {&audit->account.tenant, &audit->account.seller, &audit->account.marketplace};
    uint32_t at = 0;
    for (uint32_t i = 0; cell.size > 0 && i < 3; i++) {
        uint32_t end = at;
        while (end < cell.size && cell.bytes[end] != '/') end++;
        *parts[i] = (struct ampel_text){cell.bytes + at, end - at};
        if (!ampel_id_valid(*parts[i], true) || (end == cell.size) != (i == 2))
            return cell_fail(audit, ACCOUNT, "is no tenant/seller/marketplace");
        at = end + 1;
    }
    struct ampel_text given = audit->options->account.tenant;
    if (given.size > 0 && !ampel_text_equal(given, audit->account.tenant))
        return cell_fail(audit, ACCOUNT, "belongs to another tenant than the one given");
    for (uint32_t i = 0; i < 3; i++)
        if (parts[i]->size == 0) return cell_fail(audit, ACCOUNT, "is missing, and no account was given");
    return true;
}

/* Names between commas, semicolons or bars; none are all. */
static bool kinds_read(struct audit *audit, int64_t *kinds) {
    struct ampel_text cell = cell_of(audit, KINDS);
    uint64_t set = 0;
    uint32_t at = 0;
    while (at < cell.size) {
        uint32_t end = at;
        while (end < cell.size && strchr(",;|", cell.bytes[end]) == NULL) end++;
        struct ampel_text name = ampel_list_trim((struct ampel_text){cell.bytes + at, end - at});
        uint8_t kind;
        at = end + 1;
        if (name.size == 0) continue;
        if (ampel_text_is(name, "all")) {
            *kinds = -1;
            return true;
        }
        if (!ampel_audit_kind(name, &kind) || kind == AMPEL_AUDIT_MAINTENANCE)
            return cell_fail(audit, KINDS, "names no kind of signal");
        set |= UINT64_C(1) << kind;
    }
    *kinds = set == 0 ? -1 : (int64_t)set;
    return true;
}

static bool value_read(struct audit *audit, bool *given, int64_t *value) {
    struct ampel_text cell = cell_of(audit, VALUE);
    *given = cell.size > 0;
    *value = 0;
    bool negative = cell.size > 0 && cell.bytes[0] == '-';
    for (uint32_t i = negative; i < cell.size; i++) {
        if (cell.bytes[i] < '0' || cell.bytes[i] > '9' || cell.size > 15)
            return cell_fail(audit, VALUE, "is no whole number");
        *value = *value * 10 + (cell.bytes[i] - '0');
    }
    if (negative) *value = -*value;
    return !negative || cell.size > 1 || cell_fail(audit, VALUE, "is no whole number");
}

/* ---- a row ---------------------------------------------------------------------------------- */

static bool signal_tell(struct audit *audit, uint8_t kind, int64_t at_ms) {
    struct ampel_document_writer *writer = &audit->writer;
    struct ampel_text detail = cell_of(audit, DETAIL);
    bool valued;
    int64_t value;
    if (!value_read(audit, &valued, &value)) return false;
    if (detail.size > AMPEL_TEXT_BYTES_MAX) return cell_fail(audit, DETAIL, "must have at most 200 bytes");
    ampel_document_event(writer, AMPEL_EVENT_SIGNAL, at_ms);
    writer->out.event.code = kind;
    bool fits = !valued || ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_VALUE, value);
    fits = fits && (detail.size == 0 || ampel_extras_put_text(&writer->extras, AMPEL_EXTRA_DETAIL, detail));
    AMPEL_ASSERT(fits); /* a number and a text of 200 bytes are far from the bound */
    return true;
}

static bool maintenance_tell(struct audit *audit, int64_t at_ms) {
    struct ampel_document_writer *writer = &audit->writer;
    int64_t until_ms = 0, kinds = 0;
    if (!date_read(audit, UNTIL, &until_ms) || !kinds_read(audit, &kinds)) return false;
    if (until_ms <= at_ms) return cell_fail(audit, UNTIL, "does not lie behind Time");
    ampel_document_event(writer, AMPEL_EVENT_MAINTENANCE, at_ms);
    /* All kinds are told by naming none, as everywhere: one fact has one form. */
    bool fits = ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_UNTIL, until_ms) &&
                (kinds == -1 || ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_KINDS, kinds));
    AMPEL_ASSERT(fits); /* two numbers are far from the bound */
    return true;
}

static bool row_tell(struct audit *audit) {
    const struct ampel_text none = {NULL, 0};
    int64_t at_ms = 0;
    uint8_t kind;
    for (uint32_t i = audit->width; i < audit->row.cells_count; i++)
        if (ampel_list_trim(audit->row.cells[i]).size > 0)
            return ampel_error_set(&audit->error, "", "the row has more cells than the header");
    if (!account_read(audit) || !date_read(audit, TIME, &at_ms)) return false;
    if (cell_of(audit, KIND).size == 0) return cell_fail(audit, KIND, "is missing");
    if (!ampel_audit_kind(cell_of(audit, KIND), &kind))
        return cell_fail(audit, KIND, "is no known kind of signal (docs/DOCUMENTS.md lists them)");
    audit->writer.account = &audit->account;
    bool made = kind == AMPEL_AUDIT_MAINTENANCE ? maintenance_tell(audit, at_ms) : signal_tell(audit, kind, at_ms);
    return made && ampel_document_tell(&audit->writer, none, none, "");
}

static void event_forward(void *context, const struct ampel_jsonl_event *event) {
    struct audit *audit = context;
    audit->counts->events++;
    audit->sink->event(audit->sink->context, event);
}

static bool row_empty(const struct ampel_csv_row *row) {
    for (uint32_t i = 0; i < row->cells_count; i++)
        if (ampel_list_trim(row->cells[i]).size > 0) return false;
    return true;
}

static void row_take(struct audit *audit) {
    if (row_empty(&audit->row)) return;
    audit->counts->rows++;
    if (row_tell(audit)) return;
    audit->error.line = audit->row.line;
    audit->counts->broken++;
    audit->sink->broken(audit->sink->context, &audit->error);
}

static bool rows_read(struct audit *audit, struct ampel_csv *csv, struct ampel_error *error) {
    enum ampel_csv_status status = ampel_csv_next(csv, &audit->row, error);
    if (status == AMPEL_CSV_END) return ampel_error_set(error, "", "the audit is empty");
    if (status == AMPEL_CSV_BROKEN || !header_read(audit, error)) return false;
    while ((status = ampel_csv_next(csv, &audit->row, error)) == AMPEL_CSV_ROW) row_take(audit);
    return status == AMPEL_CSV_END;
}

bool ampel_audit(struct ampel_text text, const struct ampel_audit_options *options, const struct ampel_list_sink *sink,
                 struct ampel_list_counts *counts, struct ampel_error *error) {
    struct ampel_csv *csv = ampel_csv_open(text, error);
    if (csv == NULL) return false;
    struct audit *audit = calloc(1, sizeof *audit);
    bool good = audit != NULL || ampel_error_set(error, "", "there is no memory");
    if (good) {
        audit->options = options;
        audit->sink = sink;
        audit->counts = counts;
        audit->writer = (struct ampel_document_writer){
            .sink = event_forward, .context = audit, .counts = &audit->told, .error = &audit->error};
        good = rows_read(audit, csv, error);
    }
    free(audit);
    ampel_csv_close(csv);
    return good;
}

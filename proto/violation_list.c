#include "proto/violation_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/csv.h"
#include "proto/document_part.h"
#include "proto/hash.h"
#include "proto/text.h"

#define NO_CELL UINT32_MAX

static const char *const headers[AMPEL_LIST_COLUMNS_COUNT] = {
    [AMPEL_LIST_ASIN] = "ASIN",
    [AMPEL_LIST_PRODUCT_TITLE] = "Product Title",
    [AMPEL_LIST_ISSUE_TYPE] = "Issue Type",
    [AMPEL_LIST_AT_RISK_SALES] = "At Risk Sales",
    [AMPEL_LIST_IMPACT] = "Impact",
    [AMPEL_LIST_STATUS] = "Status",
    [AMPEL_LIST_DATE_OPENED] = "Date Opened",
    [AMPEL_LIST_DATE_RESOLVED] = "Date Resolved",
    [AMPEL_LIST_ACTION_TAKEN] = "Action Taken",
    [AMPEL_LIST_NEXT_STEPS] = "Next Steps",
    [AMPEL_LIST_NOTES] = "Notes",
    [AMPEL_LIST_ACCOUNT] = "Account",
    [AMPEL_LIST_VIOLATION_ID] = "Violation ID",
    [AMPEL_LIST_SKU] = "SKU",
    [AMPEL_LIST_INCIDENT] = "Incident",
    [AMPEL_LIST_POINTS] = "Points",
    [AMPEL_LIST_REVISION] = "Revision",
};

const char *ampel_list_header(enum ampel_list_column column) { return headers[column]; }

/* How often each violation without an id of its own was met: two of one product, type and day are two. */
struct seen {
    uint64_t *keys; /* open addressing; 0 is empty */
    uint32_t *counts;
    uint32_t count, capacity;
};

struct reading {
    const struct ampel_list_options *options;
    const struct ampel_list_sink *sink;
    struct ampel_list_counts *counts;
    uint32_t places[AMPEL_LIST_COLUMNS_COUNT]; /* of a column's cell in a row */
    uint32_t width;
    struct seen seen;
    struct ampel_csv_row row;
    struct ampel_document_account account; /* of the row */
    struct ampel_document_counts told;
    struct ampel_error error;
    struct ampel_document_writer writer;
};

/* ---- the header ----------------------------------------------------------------------------- */

static uint8_t column_of(struct ampel_text header, const struct ampel_list_mapping *mapping) {
    char name[AMPEL_LIST_NAME_SIZE], other[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(header, name);
    for (uint32_t i = 0; mapping != NULL && i < mapping->count; i++)
        if (mapping->entries[i].column == AMPEL_LIST_COLUMNS_COUNT && strcmp(mapping->entries[i].left, name) == 0)
            return mapping->entries[i].code;
    for (uint8_t i = 0; i < AMPEL_LIST_COLUMNS_COUNT; i++) {
        ampel_list_name(ampel_text_of(headers[i]), other);
        if (strcmp(name, other) == 0) return i;
    }
    return AMPEL_LIST_COLUMNS_COUNT;
}

static bool header_fail(struct ampel_error *error, uint32_t line, const char *column, const char *reason) {
    (void)ampel_error_set(error, column, "%s", reason);
    error->line = line;
    return false;
}

static bool header_read(struct reading *reading, struct ampel_error *error) {
    const struct ampel_csv_row *row = &reading->row;
    for (uint32_t i = 0; i < AMPEL_LIST_COLUMNS_COUNT; i++) reading->places[i] = NO_CELL;
    reading->width = row->cells_count;
    for (uint32_t i = 0; i < row->cells_count; i++) {
        struct ampel_text header = ampel_list_trim(row->cells[i]);
        if (header.size == 0) continue;
        uint8_t column = column_of(header, reading->options->mapping);
        if (column == AMPEL_LIST_COLUMNS_COUNT) {
            if (reading->sink->ignored != NULL) reading->sink->ignored(reading->sink->context, header);
            continue;
        }
        if (reading->places[column] != NO_CELL)
            return header_fail(error, row->line, headers[column], "the header has this column twice");
        reading->places[column] = i;
    }
    static const enum ampel_list_column required[] = {AMPEL_LIST_ISSUE_TYPE, AMPEL_LIST_DATE_OPENED};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(required); i++)
        if (reading->places[required[i]] == NO_CELL)
            return header_fail(error, row->line, headers[required[i]],
                               "the header lacks this column: name it in a mapping file");
    return true;
}

/* ---- a row's cells -------------------------------------------------------------------------- */

static struct ampel_text cell_of(const struct reading *reading, enum ampel_list_column column) {
    uint32_t place = reading->places[column];
    if (place == NO_CELL || place >= reading->row.cells_count) return (struct ampel_text){"", 0};
    return ampel_list_trim(reading->row.cells[place]);
}

static bool cell_fail(struct reading *reading, enum ampel_list_column column, const char *reason) {
    char field[64];
    uint32_t place = reading->places[column];
    if (place == NO_CELL)
        snprintf(field, sizeof field, "%s", headers[column]);
    else
        snprintf(field, sizeof field, "column %u, %s", place + 1, headers[column]);
    return ampel_error_set(&reading->error, field, "%s", reason);
}

/* "'cell' reason", as much of the cell as is useful. */
static bool cell_fail_of(struct reading *reading, enum ampel_list_column column, const char *reason) {
    char sentence[200];
    struct ampel_text cell = cell_of(reading, column);
    if (cell.size > 60) {
        cell.size = 60;
        while (cell.size > 0 && ((uint8_t)cell.bytes[cell.size] & 0xC0) == 0x80) cell.size--;
    }
    snprintf(sentence, sizeof sentence, "'%.*s' %s", (int)cell.size, cell.bytes, reason);
    return cell_fail(reading, column, sentence);
}

static bool mapped(const struct reading *reading, enum ampel_list_column column, struct ampel_text cell,
                   uint8_t *code) {
    const struct ampel_list_mapping *mapping = reading->options->mapping;
    char name[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(cell, name);
    for (uint32_t i = 0; mapping != NULL && i < mapping->count; i++) {
        if (mapping->entries[i].column != column || strcmp(mapping->entries[i].left, name) != 0) continue;
        *code = mapping->entries[i].code;
        return true;
    }
    return false;
}

static bool id_read(struct reading *reading, enum ampel_list_column column, struct ampel_text *out) {
    *out = cell_of(reading, column);
    if (out->size == 0 || ampel_id_valid(*out, false)) return true;
    return cell_fail_of(reading, column, "must be 1 to 64 characters of ASCII without spaces");
}

static bool number_read(struct reading *reading, enum ampel_list_column column, int64_t most, int64_t absent,
                        int64_t *out) {
    struct ampel_text cell = cell_of(reading, column);
    *out = absent;
    if (cell.size == 0) return true;
    int64_t value = 0;
    for (uint32_t i = 0; i < cell.size; i++) {
        bool digit = cell.bytes[i] >= '0' && cell.bytes[i] <= '9';
        value = digit ? value * 10 + (cell.bytes[i] - '0') : most + 1;
        if (value > most) return cell_fail_of(reading, column, "is no whole number, or too large");
    }
    *out = value;
    return true;
}

static bool date_read(struct reading *reading, enum ampel_list_column column, int64_t *at_ms) {
    struct ampel_text cell = cell_of(reading, column);
    const char *why;
    *at_ms = INT64_MIN;
    if (cell.size == 0 || ampel_list_date(cell, reading->options->dates, at_ms, &why)) return true;
    return cell_fail_of(reading, column, why);
}

/* ---- ids ------------------------------------------------------------------------------------ */

static bool seen_grow(struct seen *seen) {
    struct seen larger = {.count = seen->count, .capacity = seen->capacity == 0 ? 256 : seen->capacity * 2};
    larger.keys = calloc(larger.capacity, sizeof *larger.keys);
    larger.counts = calloc(larger.capacity, sizeof *larger.counts);
    if (larger.keys == NULL || larger.counts == NULL) {
        free(larger.keys);
        free(larger.counts);
        return false;
    }
    for (uint32_t i = 0; i < seen->capacity; i++) {
        if (seen->keys[i] == 0) continue;
        uint32_t place = (uint32_t)seen->keys[i] & (larger.capacity - 1);
        while (larger.keys[place] != 0) place = (place + 1) & (larger.capacity - 1);
        larger.keys[place] = seen->keys[i];
        larger.counts[place] = seen->counts[i];
    }
    free(seen->keys);
    free(seen->counts);
    *seen = larger;
    return true;
}

/* The how manieth of this key it is, 1..; 0: no memory. */
static uint32_t seen_count(struct seen *seen, uint64_t key) {
    if (seen->count * 2 >= seen->capacity && !seen_grow(seen)) return 0;
    if (key == 0) key = 1;
    uint32_t place = (uint32_t)key & (seen->capacity - 1);
    while (seen->keys[place] != 0 && seen->keys[place] != key) place = (place + 1) & (seen->capacity - 1);
    if (seen->keys[place] == 0) {
        seen->keys[place] = key;
        seen->count++;
    }
    return ++seen->counts[place];
}

/* ASIN, policy and date opened: not the issue's wording, which a person may put right. */
static bool id_make(struct reading *reading, struct ampel_text asin, uint8_t policy, int64_t at_ms,
                    char id[AMPEL_ID_BYTES_MAX + 1]) {
    char key[5 * AMPEL_ID_BYTES_MAX];
    int size = snprintf(key, sizeof key, "%.*s|%u|%lld", (int)asin.size, asin.bytes, policy, (long long)at_ms);
    uint64_t hash = ampel_hash_bytes(key, (size_t)size);
    size += snprintf(key + size, sizeof key - (size_t)size, "|%.*s/%.*s", (int)reading->account.seller.size,
                     reading->account.seller.bytes, (int)reading->account.marketplace.size,
                     reading->account.marketplace.bytes);
    uint32_t count = seen_count(&reading->seen, ampel_hash_bytes(key, (size_t)size));
    if (count == 0) return ampel_error_set(&reading->error, "", "there is no memory");
    snprintf(id, AMPEL_ID_BYTES_MAX + 1, "list-%016llx", (unsigned long long)hash);
    size_t used = strlen(id);
    if (count > 1) snprintf(id + used, AMPEL_ID_BYTES_MAX + 1 - used, "-%u", count);
    return true;
}

/* ---- a row ---------------------------------------------------------------------------------- */

static bool account_read(struct reading *reading) {
    reading->account = reading->options->account;
    struct ampel_text cell = cell_of(reading, AMPEL_LIST_ACCOUNT);
    struct ampel_text *parts[] = {&reading->account.tenant, &reading->account.seller, &reading->account.marketplace};
    uint32_t at = 0;
    for (uint32_t i = 0; cell.size > 0 && i < 3; i++) {
        uint32_t end = at;
        while (end < cell.size && cell.bytes[end] != '/') end++;
        *parts[i] = (struct ampel_text){cell.bytes + at, end - at};
        if (!ampel_id_valid(*parts[i], true) || (end == cell.size) != (i == 2))
            return cell_fail_of(reading, AMPEL_LIST_ACCOUNT, "is no tenant/seller/marketplace");
        at = end + 1;
    }
    struct ampel_text given = reading->options->account.tenant;
    if (given.size > 0 && !ampel_text_equal(given, reading->account.tenant))
        return cell_fail_of(reading, AMPEL_LIST_ACCOUNT, "belongs to another tenant than the one given");
    for (uint32_t i = 0; i < 3; i++)
        if (parts[i]->size == 0)
            return cell_fail(reading, AMPEL_LIST_ACCOUNT, "is missing, and no account was given");
    return true;
}

struct listed {
    struct ampel_text id, asin, sku, incident;
    char made[AMPEL_ID_BYTES_MAX + 1];
    int64_t at_ms, state_at_ms, cents, points, revision;
    uint8_t policy, state;
    int8_t severity;
};

static bool names_read(struct reading *reading, struct listed *listed) {
    struct ampel_text issue = cell_of(reading, AMPEL_LIST_ISSUE_TYPE);
    struct ampel_text impact = cell_of(reading, AMPEL_LIST_IMPACT);
    struct ampel_text status = cell_of(reading, AMPEL_LIST_STATUS);
    uint8_t code;
    if (issue.size == 0) return cell_fail(reading, AMPEL_LIST_ISSUE_TYPE, "is missing");
    if (!mapped(reading, AMPEL_LIST_ISSUE_TYPE, issue, &listed->policy) &&
        !ampel_list_policy(issue, &listed->policy))
        return cell_fail_of(reading, AMPEL_LIST_ISSUE_TYPE,
                            "is no known policy: name it in a mapping file (Issue Type: text = policy)");
    if (mapped(reading, AMPEL_LIST_IMPACT, impact, &code))
        listed->severity = (int8_t)code;
    else if (!ampel_list_impact(impact, &listed->severity))
        return cell_fail_of(reading, AMPEL_LIST_IMPACT,
                            "is no known impact: name it in a mapping file (Impact: text = severity)");
    if (!mapped(reading, AMPEL_LIST_STATUS, status, &listed->state) && !ampel_list_state(status, &listed->state))
        return cell_fail_of(reading, AMPEL_LIST_STATUS,
                            "is no known status: name it in a mapping file (Status: text = state)");
    return true;
}

/* When the state began: the date in the list, the time of the list, or, where it makes no difference to any number, the
   violation's own. */
static bool dates_read(struct reading *reading, struct listed *listed) {
    if (cell_of(reading, AMPEL_LIST_DATE_OPENED).size == 0)
        return cell_fail(reading, AMPEL_LIST_DATE_OPENED, "is missing");
    if (!date_read(reading, AMPEL_LIST_DATE_OPENED, &listed->at_ms) ||
        !date_read(reading, AMPEL_LIST_DATE_RESOLVED, &listed->state_at_ms))
        return false;
    if (listed->state == AMPEL_STATE_OPEN) listed->state_at_ms = INT64_MIN;
    if (listed->state_at_ms != INT64_MIN) {
        /* A day without a time of day may be the day on which it was opened. */
        if (listed->state_at_ms < listed->at_ms && listed->state_at_ms % AMPEL_DAY_MS == 0 &&
            listed->state_at_ms / AMPEL_DAY_MS == listed->at_ms / AMPEL_DAY_MS)
            listed->state_at_ms = listed->at_ms;
        /* A system with ids of its own may know a state's time better; in a sheet it is a slip. */
        if (listed->state_at_ms < listed->at_ms && cell_of(reading, AMPEL_LIST_VIOLATION_ID).size == 0)
            return cell_fail_of(reading, AMPEL_LIST_DATE_RESOLVED, "lies before Date Opened");
        return true;
    }
    listed->state_at_ms = reading->options->at_ms;
    if (listed->state_at_ms != INT64_MIN || listed->state == AMPEL_STATE_OPEN) return true;
    if (!ampel_state_deducting(listed->state))
        return cell_fail(reading, AMPEL_LIST_DATE_RESOLVED,
                         "is missing: since when do its points count no more? (--at says when the list was true)");
    listed->state_at_ms = listed->at_ms;
    return true;
}

static bool row_read(struct reading *reading, struct listed *listed) {
    for (uint32_t i = reading->width; i < reading->row.cells_count; i++)
        if (ampel_list_trim(reading->row.cells[i]).size > 0)
            return ampel_error_set(&reading->error, "", "the row has more cells than the header");
    if (!account_read(reading) || !names_read(reading, listed) || !dates_read(reading, listed)) return false;
    if (!id_read(reading, AMPEL_LIST_VIOLATION_ID, &listed->id) ||
        !id_read(reading, AMPEL_LIST_ASIN, &listed->asin) || !id_read(reading, AMPEL_LIST_SKU, &listed->sku) ||
        !id_read(reading, AMPEL_LIST_INCIDENT, &listed->incident) ||
        !number_read(reading, AMPEL_LIST_POINTS, AMPEL_POINTS_MAX, -1, &listed->points) ||
        !number_read(reading, AMPEL_LIST_REVISION, AMPEL_VIOLATION_REV_MAX, 0, &listed->revision))
        return false;
    if (!ampel_list_money(cell_of(reading, AMPEL_LIST_AT_RISK_SALES), &listed->cents))
        return cell_fail_of(reading, AMPEL_LIST_AT_RISK_SALES, "is no amount of money");
    if (listed->id.size > 0) return true;
    if (!id_make(reading, listed->asin, listed->policy, listed->at_ms, listed->made)) return false;
    listed->id = ampel_text_of(listed->made);
    return true;
}

static void text_put(struct ampel_extras_writer *extras, enum ampel_extra_tag tag, struct ampel_text text) {
    bool fits = text.size == 0 || ampel_extras_put_text(extras, tag, text);
    AMPEL_ASSERT(fits); /* four ids and a number are far from the bound */
}

static void event_forward(void *context, const struct ampel_jsonl_event *event) {
    struct reading *reading = context;
    reading->counts->events++;
    reading->sink->event(reading->sink->context, event);
}

static bool row_tell(struct reading *reading, const struct listed *listed) {
    struct ampel_document_writer *writer = &reading->writer;
    writer->account = &reading->account;
    ampel_document_event(writer, AMPEL_EVENT_VIOLATION, listed->at_ms);
    writer->out.event.policy = listed->policy;
    writer->out.event.severity = listed->severity;
    writer->out.event.points = (int16_t)listed->points;
    writer->out.event.rev = (uint16_t)listed->revision;
    text_put(&writer->extras, AMPEL_EXTRA_ID, listed->id);
    text_put(&writer->extras, AMPEL_EXTRA_INCIDENT, listed->incident);
    text_put(&writer->extras, AMPEL_EXTRA_ASIN, listed->asin);
    text_put(&writer->extras, AMPEL_EXTRA_SKU, listed->sku);
    if (listed->cents >= 0)
        AMPEL_ASSERT(ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_AT_RISK_SALES, listed->cents));
    const struct ampel_text none = {NULL, 0};
    if (!ampel_document_tell(writer, none, none, "")) return false;
    if (listed->state_at_ms == INT64_MIN) return true;
    ampel_document_event(writer, AMPEL_EVENT_VIOLATION_STATE, listed->state_at_ms);
    writer->out.event.code = listed->state;
    text_put(&writer->extras, AMPEL_EXTRA_ID, listed->id);
    return ampel_document_tell(writer, none, none, "");
}

static bool row_empty(const struct ampel_csv_row *row) {
    for (uint32_t i = 0; i < row->cells_count; i++)
        if (ampel_list_trim(row->cells[i]).size > 0) return false;
    return true;
}

static void row_take(struct reading *reading) {
    if (row_empty(&reading->row)) return;
    struct listed listed = {0};
    reading->counts->rows++;
    if (row_read(reading, &listed) && row_tell(reading, &listed)) return;
    reading->error.line = reading->row.line;
    reading->counts->broken++;
    reading->sink->broken(reading->sink->context, &reading->error);
}

static bool list_read(struct reading *reading, struct ampel_csv *csv, struct ampel_error *error) {
    enum ampel_csv_status status = ampel_csv_next(csv, &reading->row, error);
    if (status == AMPEL_CSV_END) return ampel_error_set(error, "", "the list is empty");
    if (status == AMPEL_CSV_BROKEN || !header_read(reading, error)) return false;
    while ((status = ampel_csv_next(csv, &reading->row, error)) == AMPEL_CSV_ROW) row_take(reading);
    return status == AMPEL_CSV_END;
}

bool ampel_violation_list(struct ampel_text text, const struct ampel_list_options *options,
                          const struct ampel_list_sink *sink, struct ampel_list_counts *counts,
                          struct ampel_error *error) {
    struct ampel_csv *csv = ampel_csv_open(text, error);
    if (csv == NULL) return false;
    struct reading *reading = calloc(1, sizeof *reading);
    bool good = reading != NULL || ampel_error_set(error, "", "there is no memory");
    if (good) {
        reading->options = options;
        reading->sink = sink;
        reading->counts = counts;
        reading->writer = (struct ampel_document_writer){.sink = event_forward,
                                                         .context = reading,
                                                         .counts = &reading->told,
                                                         .error = &reading->error};
        good = list_read(reading, csv, error);
        free(reading->seen.keys);
        free(reading->seen.counts);
    }
    free(reading);
    ampel_csv_close(csv);
    return good;
}

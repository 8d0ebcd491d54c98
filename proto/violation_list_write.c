/* Violations as rows of a list that ampel_violation_list reads back. */
#include <stdio.h>
#include <string.h>

#include "engine/bounds.h"
#include "engine/registry.h"
#include "proto/csv.h"
#include "proto/text.h"
#include "proto/time.h"
#include "proto/violation_list.h"

struct line {
    char *bytes;
    uint32_t size;
};

static void bytes_put(struct line *line, const char *bytes, uint32_t size) {
    AMPEL_ASSERT(line->size + size <= AMPEL_LIST_LINE_MAX);
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void cell_put(struct line *line, struct ampel_text text) {
    uint32_t size = ampel_csv_cell(text, line->bytes + line->size, AMPEL_LIST_LINE_MAX - line->size);
    AMPEL_ASSERT(size > 0 || text.size == 0); /* ids and numbers are far from the bound */
    line->size += size;
    bytes_put(line, ",", 1);
}

static void word_put(struct line *line, const char *word) { cell_put(line, ampel_text_of(word)); }

/* Midnight is a date alone: that is how it came. */
static void date_put(struct line *line, int64_t at_ms) {
    char text[AMPEL_TIME_SIZE] = "";
    if (at_ms != INT64_MIN) ampel_time_encode(at_ms, text);
    if (at_ms != INT64_MIN && at_ms % AMPEL_DAY_MS == 0) text[10] = 0;
    word_put(line, text);
}

static void number_put(struct line *line, bool given, int64_t number) {
    char text[24] = "";
    if (given) snprintf(text, sizeof text, "%lld", (long long)number);
    word_put(line, text);
}

static void money_put(struct line *line, int64_t cents) {
    char text[32] = "";
    if (cents >= 0) snprintf(text, sizeof text, "%lld.%02lld", (long long)(cents / 100), (long long)(cents % 100));
    word_put(line, text);
}

static void impact_put(struct line *line, const struct ampel_list_row *row) {
    static const char *const names[] = {"No impact", "Low", "Medium", "High", "Critical"};
    AMPEL_ASSERT(row->severity >= 0 && (size_t)row->severity < AMPEL_ARRAY_COUNT(names));
    char text[64];
    snprintf(text, sizeof text, "%s%s%s", names[row->severity], row->rank > 0 ? " - Repeat violation" : "",
             row->severity_given ? "" : " (by policy)");
    word_put(line, text);
}

static uint32_t line_end(struct line *line) {
    line->size--; /* the last comma */
    bytes_put(line, "\r\n", 2);
    return line->size;
}

uint32_t ampel_list_header_encode(char bytes[AMPEL_LIST_LINE_MAX]) {
    struct line line = {bytes, 0};
    for (uint32_t i = 0; i < AMPEL_LIST_COLUMNS_COUNT; i++) word_put(&line, ampel_list_header(i));
    return line_end(&line);
}

uint32_t ampel_list_row_encode(const struct ampel_list_row *row, char bytes[AMPEL_LIST_LINE_MAX]) {
    struct line line = {bytes, 0};
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)];
    snprintf(account, sizeof account, "%.*s/%.*s/%.*s", (int)row->tenant.size, row->tenant.bytes,
             (int)row->seller.size, row->seller.bytes, (int)row->marketplace.size, row->marketplace.bytes);
    const char *policy = ampel_list_policy_label(row->policy), *state = ampel_list_state_label(row->state);
    cell_put(&line, row->asin);
    word_put(&line, "");
    word_put(&line, policy != NULL ? policy : ampel_registry_name(AMPEL_REGISTRY_POLICY, row->policy));
    money_put(&line, row->at_risk_sales_cents);
    impact_put(&line, row);
    word_put(&line, state != NULL ? state : ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, row->state));
    date_put(&line, row->at_ms);
    date_put(&line, ampel_state_deducting(row->state) ? INT64_MIN : row->state_at_ms);
    for (uint32_t i = 0; i < 3; i++) word_put(&line, ""); /* action, steps, notes: events have none */
    word_put(&line, account);
    cell_put(&line, row->id);
    cell_put(&line, row->sku);
    cell_put(&line, row->incident);
    number_put(&line, row->points_given >= 0, row->points_given);
    number_put(&line, row->rev > 0, row->rev);
    return line_end(&line);
}

/* Violation lists that agencies keep, as CSV: each row becomes a `violation` and, where its status says more than open, a
   `violation_state`. Columns are known by their headers (domain.md), others by a mapping. A violation without an id of its own
   gets one made from ASIN, issue type and date opened, so that the same list again tells the same events.

   Product Title, Action Taken, Next Steps and Notes have no place in an event and are passed over. */
#ifndef AMPEL_PROTO_VIOLATION_LIST_H
#define AMPEL_PROTO_VIOLATION_LIST_H

#include "proto/document.h"
#include "proto/list_words.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_list_column {
    AMPEL_LIST_ASIN,
    AMPEL_LIST_PRODUCT_TITLE,
    AMPEL_LIST_ISSUE_TYPE,
    AMPEL_LIST_AT_RISK_SALES,
    AMPEL_LIST_IMPACT,
    AMPEL_LIST_STATUS,
    AMPEL_LIST_DATE_OPENED,
    AMPEL_LIST_DATE_RESOLVED,
    AMPEL_LIST_ACTION_TAKEN,
    AMPEL_LIST_NEXT_STEPS,
    AMPEL_LIST_NOTES,
    /* Beyond what agencies keep, so that a list that was exported comes back whole. */
    AMPEL_LIST_ACCOUNT,
    AMPEL_LIST_VIOLATION_ID,
    AMPEL_LIST_SKU,
    AMPEL_LIST_INCIDENT,
    AMPEL_LIST_POINTS,
    AMPEL_LIST_REVISION,
    AMPEL_LIST_COLUMNS_COUNT,
};
const char *ampel_list_header(enum ampel_list_column column);

/* ---- the mapping ---------------------------------------------------------------------------- */

#define AMPEL_LIST_MAPPINGS_MAX 256
struct ampel_list_mapping {
    uint32_t count;
    struct {
        char left[AMPEL_LIST_NAME_SIZE]; /* as ampel_list_name makes it */
        uint8_t column;                  /* of a value: ISSUE_TYPE, IMPACT or STATUS; of a header: COLUMNS_COUNT */
        uint8_t code;                    /* the column that the header stands for, or the value's code */
    } entries[AMPEL_LIST_MAPPINGS_MAX];
};
/* Lines "header = column" and "Issue Type: text = policy", "Impact: text = severity", "Status: text = state"; # begins a comment.
   False with error's line. */
AMPEL_MUST_CHECK bool ampel_list_mapping_decode(struct ampel_text text, struct ampel_list_mapping *out,
                                                struct ampel_error *error);

/* ---- reading -------------------------------------------------------------------------------- */

struct ampel_list_options {
    struct ampel_document_account account;     /* of rows without an Account */
    const struct ampel_list_mapping *mapping;  /* NULL: none */
    enum ampel_list_dates dates;
    int64_t at_ms; /* when the list was true, for states without Date Resolved; INT64_MIN not known */
};

struct ampel_list_sink {
    void *context;
    void (*event)(void *context, const struct ampel_jsonl_event *event);
    void (*broken)(void *context, const struct ampel_error *error);   /* a row: the others go on */
    void (*ignored)(void *context, struct ampel_text header);         /* a column that nothing is read from; NULL is fine */
};

struct ampel_list_counts {
    uint32_t rows, events, broken;
};

/* False where the list as a whole cannot be read (no text, no header, a column twice or missing, a broken row of CSV), with error
   filled; events of rows before it were told. counts are added to. */
AMPEL_MUST_CHECK bool ampel_violation_list(struct ampel_text csv, const struct ampel_list_options *options,
                                           const struct ampel_list_sink *sink,
                                           struct ampel_list_counts *counts, struct ampel_error *error);

/* ---- writing -------------------------------------------------------------------------------- */

struct ampel_list_row {
    struct ampel_text tenant, seller, marketplace, id, asin, sku, incident;
    int64_t at_ms, state_at_ms;  /* state_at_ms INT64_MIN where no state came */
    int64_t at_risk_sales_cents; /* -1 not given */
    uint32_t rank;
    int32_t points_given; /* -1 not given */
    uint32_t rev;
    uint8_t policy, state;
    int8_t severity; /* as the rules resolve it */
    bool severity_given;
};
#define AMPEL_LIST_LINE_MAX 2048
/* The header line, or a row's; with its newline (CRLF). */
uint32_t ampel_list_header_encode(char bytes[AMPEL_LIST_LINE_MAX]);
uint32_t ampel_list_row_encode(const struct ampel_list_row *row, char bytes[AMPEL_LIST_LINE_MAX]);

#ifdef __cplusplus
}
#endif

#endif

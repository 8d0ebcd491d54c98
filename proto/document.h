/* Documents of the marketplace: seller performance reports and notifications become events
   (domain.md "What feeds it"). jansson reads them. Unknown fields are no error; a broken one is
   named by its path. */
#ifndef AMPEL_PROTO_DOCUMENT_H
#define AMPEL_PROTO_DOCUMENT_H

#include "proto/error.h"
#include "proto/jsonl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The account that documents do not name themselves: any part may be empty. */
struct ampel_document_account {
    struct ampel_text tenant, seller, marketplace;
};

/* Called for each event that a document yields, in order; the event is borrowed. */
typedef void (*ampel_document_sink)(void *context, const struct ampel_jsonl_event *event);

struct ampel_document_counts {
    uint32_t events, duplicates,
        skipped; /* skipped: documents of no interest (an order not shipped yet, ...) */
};

/* Walks the documents of a file: JSON objects one after another, on lines of their own or not, or
   the entries of one array. The cursor starts zeroed. False at the end. *line is where the document
   begins, 1.., so that an error's line in the file is line - 1 + error.line. What is no object
   comes out as a document of its own, which its reader refuses; a broken one ends where a line
   begins with the next object. Thread: any. */
struct ampel_document_cursor {
    uint32_t offset,
        newlines; /* behind the document before, and how many newlines came before that */
};
AMPEL_MUST_CHECK bool ampel_document_next(struct ampel_text file,
                                          struct ampel_document_cursor *cursor,
                                          struct ampel_text *document, uint32_t *line);

/* What was seen already, over many documents: notification ids, and orders counted, as hashes of
   128 bits with the day they belong to. Grows; NULL: no memory. Thread: one. */
struct ampel_document_memory;
struct ampel_document_memory *ampel_document_memory_open(void);
void ampel_document_memory_close(struct ampel_document_memory *memory); /* NULL is fine */
uint32_t ampel_document_memory_count(const struct ampel_document_memory *memory);

/* The memory as bytes for a file, so that the next run does not count an order twice: write them
   only once the events themselves are safe. What belongs to days before forget_before_ms is left
   out: an order older than two windows is refused as ancient anyway. The same memory gives the same
   bytes. export returns the size, 0 when capacity does not suffice (export_size_max always does).
 */
size_t ampel_document_memory_export_size_max(const struct ampel_document_memory *memory);
size_t ampel_document_memory_export(const struct ampel_document_memory *memory,
                                    int64_t forget_before_ms, uint8_t *bytes, size_t capacity);
/* Adds what export wrote. False, with nothing added, for bytes that it did not write or when there
 * is no memory. */
AMPEL_MUST_CHECK bool ampel_document_memory_import(struct ampel_document_memory *memory,
                                                   const uint8_t *bytes, size_t size,
                                                   struct ampel_error *error);

/* One seller performance report (one JSON document, one element a marketplace): for each
   marketplace an `account_status`, an `observed` with score, status and counts per policy, and a
   `metric` for each delivery metric, named as the report names it ("orderDefectRate.mfn",
   "lateShipmentRate.10d" from lateShipmentRateList). at_ms: when it was made, from the file's name
   or the caller; INT64_MIN takes the end of its latest reporting range. All events of a report, or
   none: false with error filled (field:
   "performanceMetrics[0].listingPolicyViolations.defectsCount"). counts are added to. */
AMPEL_MUST_CHECK bool ampel_document_report(struct ampel_text json, int64_t at_ms,
                                            const struct ampel_document_account *account,
                                            ampel_document_sink sink, void *context,
                                            struct ampel_document_counts *counts,
                                            struct ampel_error *error);
/* One notification: ORDER_CHANGE, ACCOUNT_STATUS_CHANGED, ANY_OFFER_CHANGED (a `listing` price of the seller's own offer against the
   lowest of the others, once a day for each price), LISTINGS_ITEM_STATUS_CHANGE (a `listing` created, at its
   CreatedDate, when an offer is first met) or LISTINGS_ITEM_ISSUES_CHANGE (a `hint`, unless nothing is left of the issues) in
   either spelling of keys; others are skipped. An order gives one `order` event when it is first met as Shipped and one
   `orders_cancelled` when it is first met as Canceled, at its TimeOfOrderChange; replacement orders none. counts are added to; a document that is
   refused leaves the memory as it was. */
AMPEL_MUST_CHECK bool ampel_document_notification(struct ampel_text json,
                                                  const struct ampel_document_account *account,
                                                  struct ampel_document_memory *memory,
                                                  ampel_document_sink sink, void *context,
                                                  struct ampel_document_counts *counts,
                                                  struct ampel_error *error);

#ifdef __cplusplus
}
#endif

#endif

/* Documents of the marketplace: seller performance reports and notifications become events (domain.md "What
   feeds it"). jansson reads them. Unknown fields are no error; a broken one is named by its path. */
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
    uint32_t events, duplicates, skipped; /* skipped: documents of no interest (an order not shipped yet, ...) */
};

/* What was seen already, over many documents: notification ids, and orders counted. Grows; NULL: no memory. */
struct ampel_document_memory;
struct ampel_document_memory *ampel_document_memory_open(void);
void ampel_document_memory_close(struct ampel_document_memory *memory);

/* One seller performance report (one JSON document, one element a marketplace). at_ms: when it was made, from the
   file's name or the caller; INT64_MIN takes the end of its latest reporting range. */
AMPEL_MUST_CHECK bool ampel_document_report(struct ampel_text json, int64_t at_ms,
                                            const struct ampel_document_account *account,
                                            ampel_document_sink sink, void *context,
                                            struct ampel_document_counts *counts,
                                            struct ampel_error *error);
/* One notification: ORDER_CHANGE or ACCOUNT_STATUS_CHANGED in either spelling of keys; others are skipped. */
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

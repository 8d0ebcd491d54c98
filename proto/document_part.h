/* What reports and notifications share: values by path, times in several shapes, events on their
 * way to the sink. */
#ifndef AMPEL_PROTO_DOCUMENT_PART_H
#define AMPEL_PROTO_DOCUMENT_PART_H

#include "proto/document.h"
#include "proto/json.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_DOCUMENT_PATH_SIZE 120

struct ampel_document_writer {
    const struct ampel_document_account *account;
    ampel_document_sink sink; /* NULL: everything is read and judged, nothing told */
    void *context;
    struct ampel_document_counts *counts;
    struct ampel_error *error;
    struct ampel_extras_writer extras; /* of the event in the making, inside out.bytes */
    struct ampel_jsonl_event out;
};

/* Fills error; returns false. */
bool ampel_document_fail(struct ampel_document_writer *writer, const char *path,
                         const char *reason);
/* "must be ..., is a list"; returns false. */
bool ampel_document_fail_kind(struct ampel_document_writer *writer, const char *path,
                              const char *wanted, const struct ampel_json *value);

/* The caller's account: each part that is given must be an id. */
AMPEL_MUST_CHECK bool ampel_document_account_check(struct ampel_document_writer *writer);

/* Starts an event in writer->out; extras go through writer->extras. */
void ampel_document_event(struct ampel_document_writer *writer, enum ampel_event_type type,
                          int64_t at_ms);
/* Judges and tells it. seller and marketplace as the document has them; empty takes the caller's.
   False with error filled where the account is not known or the event is none. */
AMPEL_MUST_CHECK bool ampel_document_tell(struct ampel_document_writer *writer,
                                          struct ampel_text seller, struct ampel_text marketplace,
                                          const char *path);

/* An account status as the marketplace writes it; SUSPENDED, an older name, reads as deactivated.
 */
AMPEL_MUST_CHECK bool ampel_document_status(struct ampel_document_writer *writer,
                                            const struct ampel_json *value, const char *path,
                                            uint8_t *code);

/* Times as documents write them: RFC 3339 with or without seconds, zone (then UTC) or colon in the
   zone, a date alone (its first millisecond, or its last where `end`), seconds or milliseconds as a
   number. */
AMPEL_MUST_CHECK bool ampel_document_time(const struct ampel_json *value, bool end,
                                          int64_t *out_ms);

#ifdef __cplusplus
}
#endif

#endif

/* JSON Lines: what people read, write and import (rating-model 2). One event a line; what is flat is
   read in place, jansson reads the rest. Reading is strict: unknown fields, duplicate keys, wrong types are errors that name the
   field. */
#ifndef AMPEL_PROTO_JSONL_H
#define AMPEL_PROTO_JSONL_H

#include "engine/event.h"
#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One event with the account it belongs to. Texts and extras point into `bytes`: copyable as a
   whole with ampel_jsonl_event_copy only. About 2 KiB; callers keep one and reuse it. */
struct ampel_jsonl_event {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_event event;
    uint8_t bytes[3 * AMPEL_ID_BYTES_MAX + AMPEL_EXTRAS_BYTES_MAX];
};

/* Decodes one line (without its newline). sent_at_ms judges future and ancient; INT64_MIN judges
   neither (files). Returns VERDICT_OK or why not, then with error filled. tenant may be absent in
   the line where fallback_tenant is given (size > 0). Empty lines are the caller's to skip. Thread:
   any. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_jsonl_decode(struct ampel_text line, int64_t sent_at_ms,
                                                       struct ampel_text fallback_tenant,
                                                       struct ampel_jsonl_event *out,
                                                       struct ampel_error *error);

/* The same through jansson alone: what ampel_jsonl_decode means, and what it asks where a line is not flat (proto/jsonl_flat.h). */
AMPEL_MUST_CHECK enum ampel_verdict ampel_jsonl_decode_whole(struct ampel_text line,
                                                             int64_t sent_at_ms,
                                                             struct ampel_text fallback_tenant,
                                                             struct ampel_jsonl_event *out,
                                                             struct ampel_error *error);

/* Copies an event so that its texts and extras point into the copy. */
void ampel_jsonl_event_copy(struct ampel_jsonl_event *to, const struct ampel_jsonl_event *from);

/* A bound for the encoding of one event. */
#define AMPEL_JSONL_LINE_MAX 8192

/* Encodes one event as a line with its newline. Returns the size, or 0 when capacity does not
 * suffice. */
uint32_t ampel_jsonl_encode(struct ampel_text tenant, struct ampel_text seller,
                            struct ampel_text marketplace, const struct ampel_event *event,
                            char *bytes, uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif

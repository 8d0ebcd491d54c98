/* Judging columns: the shape that makes a frame safe to read, then each event's verdict. Runs of
   plain orders, the bulk of every feed, are judged column by column without putting an event
   together. */
#ifndef AMPEL_PROTO_JUDGE_H
#define AMPEL_PROTO_JUDGE_H

#include "engine/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether extras offsets begin at 0, never fall and end at extras_size: only then may events be
 * gathered. */
AMPEL_MUST_CHECK bool ampel_judge_extras(const struct ampel_frame *frame);

/* The first event at or after from that is not to be accepted, with its verdict and the field to
   blame (static storage); events_count if there is none. account_bad has a byte for each account of
   the frame, NULL where all are good. sent_at_ms INT64_MIN judges neither future nor ancient. */
AMPEL_MUST_CHECK uint32_t ampel_judge_next(const struct ampel_frame *frame,
                                           const uint8_t *account_bad, int64_t sent_at_ms,
                                           uint32_t from, enum ampel_verdict *verdict,
                                           const char **field);

#ifdef __cplusplus
}
#endif

#endif

/* Times as text: RFC 3339 with Z or an offset, or integer milliseconds. */
#ifndef AMPEL_PROTO_TIME_H
#define AMPEL_PROTO_TIME_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads "2026-10-01T12:34:56.789Z", any number of fraction digits (cut off after milliseconds), "+02:00"
   offsets, lower-case t and z, a space for T, seconds optional ("2020-11-18T23:59Z"), or integer milliseconds as
   digits. Range 0..AMPEL_TIME_MAX_MS. False for anything else, also for a missing zone. */
AMPEL_MUST_CHECK bool ampel_time_decode(struct ampel_text text, int64_t *out_ms);

#define AMPEL_TIME_SIZE 25
/* "2026-10-01T12:34:56.789Z" and a zero. */
void ampel_time_encode(int64_t at_ms, char out[AMPEL_TIME_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

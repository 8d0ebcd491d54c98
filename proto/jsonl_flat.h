/* Lines that are flat: one object of texts without escapes, whole numbers and booleans, which is what programs write. They are
   read in place, without a tree and without memory, some ten times faster than through jansson.

   Only the good is known here. Whatever is not flat, or not an event that is accepted, is left to the whole reader (proto/jsonl.h),
   which then finds what is wrong and says so; so there is one place that words errors, and a line means the same on both ways
   (tests/fuzz/fuzz_jsonl.c holds one against the other). Thread: any. */
#ifndef AMPEL_PROTO_JSONL_FLAT_H
#define AMPEL_PROTO_JSONL_FLAT_H

#include "proto/jsonl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters as of ampel_jsonl_decode. False: ask the whole reader; out may be written in part. */
AMPEL_MUST_CHECK bool ampel_jsonl_flat(struct ampel_text line, int64_t sent_at_ms,
                                       struct ampel_text fallback_tenant,
                                       struct ampel_jsonl_event *out);

#ifdef __cplusplus
}
#endif

#endif

/* Bundles: several small messages in one, a msgpack list of what would else go one by one. A feeder with many small batches
   sends them so, and gets their acks so: what a message costs on the way (a call, a box of CURVE, a wake) is paid once for
   many. Nothing else follows from standing in a bundle; each message in it has a fate of its own. Thread: any. */
#ifndef AMPEL_PROTO_BUNDLE_H
#define AMPEL_PROTO_BUNDLE_H

#include "proto/error.h"
#include "proto/walk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the bytes begin as a bundle; they may still be anything. */
AMPEL_MUST_CHECK bool ampel_bundle_is(const uint8_t *bytes, uint32_t size);

struct ampel_bundle {
    struct ampel_walk walk;
    uint32_t left; /* messages to come */
};
/* False: error says what is wrong. The bytes stay borrowed. */
AMPEL_MUST_CHECK bool ampel_bundle_open(struct ampel_bundle *bundle, const uint8_t *bytes, uint32_t size,
                                        struct ampel_error *error);
/* The next message, which is one whole map; left > 0. False: error says what is wrong, and nothing more can be read. */
AMPEL_MUST_CHECK bool ampel_bundle_next(struct ampel_bundle *bundle, const uint8_t **bytes,
                                        uint32_t *size, struct ampel_error *error);

/* What stands before the messages of a bundle. */
#define AMPEL_BUNDLE_HEAD_BYTES 5
void ampel_bundle_head(uint32_t count, uint8_t out[AMPEL_BUNDLE_HEAD_BYTES]);

#ifdef __cplusplus
}
#endif

#endif

#include "proto/bundle.h"

/* Values of all messages together: each takes a byte at least, so the bytes bound them. */
#define NODES_MAX UINT32_MAX

bool ampel_bundle_is(const uint8_t *bytes, uint32_t size) {
    return size > 0 && ((bytes[0] & 0xf0) == 0x90 || bytes[0] == 0xdc || bytes[0] == 0xdd);
}

bool ampel_bundle_open(struct ampel_bundle *bundle, const uint8_t *bytes, uint32_t size,
                       struct ampel_error *error) {
    struct ampel_walk_head head;
    ampel_walk_reset(&bundle->walk, bytes, size, NODES_MAX);
    if (!ampel_walk_step(&bundle->walk, &head))
        return ampel_error_set(error, "", "%s (byte %u of %u)", bundle->walk.problem,
                               bundle->walk.offset, size);
    if (head.form != AMPEL_WALK_LIST || head.count == 0)
        return ampel_error_set(error, "", "a bundle is a list of messages");
    bundle->left = head.count;
    return true;
}

bool ampel_bundle_next(struct ampel_bundle *bundle, const uint8_t **bytes, uint32_t *size,
                       struct ampel_error *error) {
    struct ampel_walk *walk = &bundle->walk;
    const uint32_t from = walk->offset;
    AMPEL_ASSERT(bundle->left > 0);
    if (!ampel_walk_over(walk))
        return ampel_error_set(error, "", "%s (byte %u of %u)", walk->problem, walk->offset, walk->size);
    bundle->left--;
    if (bundle->left == 0 && walk->offset != walk->size)
        return ampel_error_set(error, "", "there are bytes after the bundle");
    *bytes = walk->bytes + from;
    *size = walk->offset - from;
    return true;
}

void ampel_bundle_head(uint32_t count, uint8_t out[AMPEL_BUNDLE_HEAD_BYTES]) {
    out[0] = 0xdd;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(count >> (24 - 8 * i));
}

#include "workers/acks.h"

#include <string.h>

void ampel_acks_flush(struct ampel_acks *acks, struct ampel_replies *replies,
                      const struct ampel_network *network) {
    if (acks->count == 0) return;
    const uint32_t head = acks->count > 1 ? 0 : AMPEL_BUNDLE_HEAD_BYTES; /* one goes as it is */
    ampel_bundle_head(acks->count, acks->bytes);
    ampel_replies_send(replies, network, &acks->peer, acks->bytes + head,
                       AMPEL_BUNDLE_HEAD_BYTES + acks->size - head);
    acks->count = acks->size = 0;
}

void ampel_acks_add(struct ampel_acks *acks, struct ampel_replies *replies,
                    const struct ampel_network *network, const struct ampel_peer *peer,
                    const uint8_t *bytes, uint32_t size) {
    AMPEL_ASSERT(size <= AMPEL_ACKS_BYTES_MAX);
    const bool same =
        acks->peer.size == peer->size && memcmp(acks->peer.bytes, peer->bytes, peer->size) == 0;
    if (!same || size > AMPEL_ACKS_BYTES_MAX - acks->size) ampel_acks_flush(acks, replies, network);
    memcpy(acks->bytes + AMPEL_BUNDLE_HEAD_BYTES + acks->size, bytes, size);
    acks->peer = *peer;
    acks->size += size;
    acks->count++;
}

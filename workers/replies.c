#include "workers/replies.h"

#include <stdlib.h>
#include <string.h>

#include "workers/metrics.h"

/* Peers met full in one flush; where there are more, the rest waits for the next one. */
#define FULL_PEERS_MAX 32

#define AGAIN_MIN_NS INT64_C(500000)
#define AGAIN_MAX_NS INT64_C(20000000)

static bool same_peer(const struct ampel_peer *left, const struct ampel_peer *right) {
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

static struct ampel_reply *at(const struct ampel_replies *replies, uint32_t index) {
    return &replies->ring[(replies->first + index) % AMPEL_REPLIES_MAX];
}

static void dropped_count(struct ampel_replies *replies) {
    replies->dropped++;
    ampel_metric_add(AMPEL_METRIC_REPLIES_DROPPED, 1);
}

static void first_drop(struct ampel_replies *replies) {
    struct ampel_reply *reply = at(replies, 0);
    replies->bytes -= reply->size;
    free(reply->bytes);
    *reply = (struct ampel_reply){0};
    replies->first = (replies->first + 1) % AMPEL_REPLIES_MAX;
    replies->count--;
}

void ampel_replies_reset(struct ampel_replies *replies) {
    while (replies->count > 0)
        first_drop(replies);
    free(replies->ring);
    *replies = (struct ampel_replies){0};
}

static void keep(struct ampel_replies *replies, const struct ampel_peer *peer, const uint8_t *bytes,
                 uint32_t size) {
    if (replies->ring == NULL) replies->ring = calloc(AMPEL_REPLIES_MAX, sizeof(*replies->ring));
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (replies->ring == NULL || copy == NULL || size > AMPEL_REPLIES_BYTES_MAX) {
        free(copy);
        dropped_count(replies);
        return;
    }
    while (replies->count == AMPEL_REPLIES_MAX ||
           (replies->count > 0 && replies->bytes + size > AMPEL_REPLIES_BYTES_MAX)) {
        first_drop(replies);
        dropped_count(replies);
    }
    memcpy(copy, bytes, size);
    *at(replies, replies->count) = (struct ampel_reply){.peer = *peer, .size = size, .bytes = copy};
    replies->count++;
    replies->bytes += size;
}

void ampel_replies_send(struct ampel_replies *replies, const struct ampel_network *network,
                        const struct ampel_peer *peer, const uint8_t *bytes, uint32_t size) {
    bool behind = false;
    for (uint32_t i = 0; i < replies->count && !behind; i++)
        behind = same_peer(&at(replies, i)->peer, peer);
    if (!behind && network->send(network->context, peer, bytes, size) != AMPEL_SEND_FULL) return;
    keep(replies, peer, bytes, size);
}

bool ampel_replies_flush(struct ampel_replies *replies, const struct ampel_network *network) {
    struct ampel_peer full[FULL_PEERS_MAX];
    uint32_t full_count = 0, kept_count = 0, count = replies->count;
    for (uint32_t i = 0; i < replies->count; i++) {
        struct ampel_reply reply = *at(replies, i);
        bool stays = full_count == FULL_PEERS_MAX;
        for (uint32_t k = 0; k < full_count && !stays; k++)
            stays = same_peer(&full[k], &reply.peer);
        if (!stays && network->send(network->context, &reply.peer, reply.bytes, reply.size) ==
                          AMPEL_SEND_FULL) {
            full[full_count++] = reply.peer;
            stays = true;
        }
        if (stays) {
            *at(replies, kept_count++) = reply;
        } else {
            replies->bytes -= reply.size;
            free(reply.bytes);
        }
    }
    replies->count = kept_count;
    bool moved = kept_count == 0 || kept_count < count;
    replies->again_ns = moved || replies->again_ns == 0 ? AGAIN_MIN_NS : 2 * replies->again_ns;
    if (replies->again_ns > AGAIN_MAX_NS) replies->again_ns = AGAIN_MAX_NS;
    return kept_count == 0;
}

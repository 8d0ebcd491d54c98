#include "tests/oracle/loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct message {
    struct message *next;
    uint32_t peer;
    uint32_t size;
    uint8_t bytes[];
};

/* Oldest first. */
struct line {
    struct message *first, *last;
    uint32_t count;
};

struct peer {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    bool connected;
    struct line heard; /* for the peer */
    struct message *borrowed;
};

struct ampel_loopback {
    struct line said; /* for the worker */
    int said_fd;      /* readable while it may have something */
    struct peer *peers;
    uint32_t peers_count, room, keys_count;
};

static void line_push(struct line *line, uint32_t peer, const void *bytes, uint32_t size) {
    struct message *message = malloc(sizeof(*message) + size);
    AMPEL_ASSERT(message != NULL);
    message->next = NULL;
    message->peer = peer;
    message->size = size;
    if (size > 0) memcpy(message->bytes, bytes, size);
    if (line->last != NULL)
        line->last->next = message;
    else
        line->first = message;
    line->last = message;
    line->count++;
}

static struct message *line_pop(struct line *line) {
    struct message *message = line->first;
    if (message == NULL) return NULL;
    line->first = message->next;
    if (line->first == NULL) line->last = NULL;
    line->count--;
    return message;
}

static void line_reset(struct line *line) {
    struct message *message;
    while ((message = line_pop(line)) != NULL)
        free(message);
}

struct ampel_loopback *ampel_loopback_open(void) {
    struct ampel_loopback *loopback = calloc(1, sizeof(*loopback));
    AMPEL_ASSERT(loopback != NULL);
    loopback->said_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    AMPEL_ASSERT(loopback->said_fd >= 0);
    loopback->room = 1024;
    loopback->keys_count = UINT32_MAX;
    return loopback;
}

void ampel_loopback_reset(struct ampel_loopback *loopback) {
    line_reset(&loopback->said);
    for (uint32_t i = 0; i < loopback->peers_count; i++) {
        loopback->peers[i].connected = false;
        line_reset(&loopback->peers[i].heard);
    }
    loopback->keys_count = UINT32_MAX;
}

void ampel_loopback_close(struct ampel_loopback *loopback) {
    if (loopback == NULL) return;
    ampel_loopback_reset(loopback);
    for (uint32_t i = 0; i < loopback->peers_count; i++)
        free(loopback->peers[i].borrowed);
    (void)close(loopback->said_fd);
    free(loopback->peers);
    free(loopback);
}

/* ---- the worker's side ------------------------------------------------------------------------
 */

static bool face_receive(void *context, struct ampel_received *out) {
    struct ampel_loopback *loopback = context;
    struct message *message = line_pop(&loopback->said);
    if (message == NULL) {
        uint64_t count;
        ssize_t got = read(loopback->said_fd, &count, sizeof(count));
        AMPEL_ASSERT(got == (ssize_t)sizeof(count) || got < 0);
        return false;
    }
    *out =
        (struct ampel_received){.bytes = message->bytes, .size = message->size, .handle = message};
    out->peer.size = sizeof(message->peer);
    memcpy(out->peer.bytes, &message->peer, sizeof(message->peer));
    memcpy(out->tenant, loopback->peers[message->peer].tenant, sizeof(out->tenant));
    return true;
}

static void face_release(void *context, struct ampel_received *received) {
    (void)context;
    free(received->handle);
}

static enum ampel_send_status face_send(void *context, const struct ampel_peer *peer,
                                        const uint8_t *bytes, uint32_t size) {
    struct ampel_loopback *loopback = context;
    uint32_t index;
    AMPEL_ASSERT(peer->size == sizeof(index));
    memcpy(&index, peer->bytes, sizeof(index));
    if (index >= loopback->peers_count || !loopback->peers[index].connected) return AMPEL_SEND_GONE;
    if (loopback->peers[index].heard.count >= loopback->room) return AMPEL_SEND_FULL;
    line_push(&loopback->peers[index].heard, index, bytes, size);
    return AMPEL_SEND_OK;
}

void ampel_loopback_face(struct ampel_loopback *loopback, struct ampel_network *out) {
    *out = (struct ampel_network){
        .context = loopback, .receive = face_receive, .release = face_release, .send = face_send};
}

uint32_t ampel_loopback_fds(void *context, int *fds, uint32_t capacity) {
    const struct ampel_loopback *loopback = context;
    if (capacity == 0) return 0;
    fds[0] = loopback->said_fd;
    return 1;
}

void ampel_loopback_tenants(void *context, const struct ampel_parcel_tenants *tenants) {
    ((struct ampel_loopback *)context)->keys_count = tenants->keys_count;
}

uint32_t ampel_loopback_keys_count(const struct ampel_loopback *loopback) {
    return loopback->keys_count;
}

/* ---- the other side ---------------------------------------------------------------------------
 */

uint32_t ampel_loopback_connect(struct ampel_loopback *loopback, const char *tenant) {
    uint32_t count = loopback->peers_count;
    if ((count & (count - 1)) == 0) {
        struct peer *grown =
            realloc(loopback->peers, (count == 0 ? 1 : (size_t)count * 2) * sizeof(grown[0]));
        AMPEL_ASSERT(grown != NULL);
        loopback->peers = grown;
    }
    struct peer *peer = &loopback->peers[count];
    *peer = (struct peer){.connected = true};
    (void)snprintf(peer->tenant, sizeof(peer->tenant), "%s", tenant);
    loopback->peers_count++;
    return count;
}

bool ampel_loopback_connected(const struct ampel_loopback *loopback, uint32_t peer) {
    return peer < loopback->peers_count && loopback->peers[peer].connected;
}

bool ampel_loopback_say(struct ampel_loopback *loopback, uint32_t peer, const void *bytes,
                        uint32_t size) {
    if (!ampel_loopback_connected(loopback, peer)) return false;
    line_push(&loopback->said, peer, bytes, size);
    const uint64_t one = 1;
    ssize_t written = write(loopback->said_fd, &one, sizeof(one));
    AMPEL_ASSERT(written == (ssize_t)sizeof(one));
    return true;
}

bool ampel_loopback_hear(struct ampel_loopback *loopback, uint32_t peer, const uint8_t **bytes,
                         uint32_t *size) {
    AMPEL_ASSERT(peer < loopback->peers_count);
    struct message *message = line_pop(&loopback->peers[peer].heard);
    if (message == NULL) return false;
    free(loopback->peers[peer].borrowed);
    loopback->peers[peer].borrowed = message;
    *bytes = message->bytes;
    *size = message->size;
    return true;
}

void ampel_loopback_room(struct ampel_loopback *loopback, uint32_t messages_max) {
    loopback->room = messages_max;
}

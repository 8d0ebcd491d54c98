#include "tests/oracle/loopback.h"

#include <pthread.h>
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
    pthread_mutex_t lock;
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
    AMPEL_ASSERT(pthread_mutex_init(&loopback->lock, NULL) == 0);
    loopback->said_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    AMPEL_ASSERT(loopback->said_fd >= 0);
    loopback->room = 1024;
    loopback->keys_count = UINT32_MAX;
    return loopback;
}

static void lock(struct ampel_loopback *loopback) {
    AMPEL_ASSERT(pthread_mutex_lock(&loopback->lock) == 0);
}

static void unlock(struct ampel_loopback *loopback) {
    AMPEL_ASSERT(pthread_mutex_unlock(&loopback->lock) == 0);
}

void ampel_loopback_reset(struct ampel_loopback *loopback) {
    lock(loopback);
    line_reset(&loopback->said);
    for (uint32_t i = 0; i < loopback->peers_count; i++) {
        loopback->peers[i].connected = false;
        line_reset(&loopback->peers[i].heard);
    }
    loopback->keys_count = UINT32_MAX;
    unlock(loopback);
}

void ampel_loopback_close(struct ampel_loopback *loopback) {
    if (loopback == NULL) return;
    ampel_loopback_reset(loopback);
    for (uint32_t i = 0; i < loopback->peers_count; i++)
        free(loopback->peers[i].borrowed);
    (void)close(loopback->said_fd);
    (void)pthread_mutex_destroy(&loopback->lock);
    free(loopback->peers);
    free(loopback);
}

/* ---- the worker's side ---------------------------------------------------------------------- */

/* What was said first, NULL where nothing was: then the fd is quiet, too. */
static struct message *take_said(struct ampel_loopback *loopback) {
    struct message *message = line_pop(&loopback->said);
    if (message != NULL) return message;
    uint64_t count;
    ssize_t got = read(loopback->said_fd, &count, sizeof(count));
    AMPEL_ASSERT(got == (ssize_t)sizeof(count) || got < 0);
    return NULL;
}

static bool face_receive(void *context, struct ampel_received *out) {
    struct ampel_loopback *loopback = context;
    lock(loopback);
    struct message *message = take_said(loopback);
    if (message != NULL) {
        *out = (struct ampel_received){
            .bytes = message->bytes, .size = message->size, .handle = message};
        out->peer.size = sizeof(message->peer);
        memcpy(out->peer.bytes, &message->peer, sizeof(message->peer));
        memcpy(out->tenant, loopback->peers[message->peer].tenant, sizeof(out->tenant));
    }
    unlock(loopback);
    return message != NULL;
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
    enum ampel_send_status status = AMPEL_SEND_OK;
    lock(loopback);
    if (index >= loopback->peers_count || !loopback->peers[index].connected)
        status = AMPEL_SEND_GONE;
    else if (loopback->peers[index].heard.count >= loopback->room)
        status = AMPEL_SEND_FULL;
    else
        line_push(&loopback->peers[index].heard, index, bytes, size);
    unlock(loopback);
    return status;
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
    struct ampel_loopback *loopback = context;
    lock(loopback);
    loopback->keys_count = tenants->keys_count;
    unlock(loopback);
}

uint32_t ampel_loopback_keys_count(struct ampel_loopback *loopback) {
    lock(loopback);
    uint32_t count = loopback->keys_count;
    unlock(loopback);
    return count;
}

/* ---- the other side ------------------------------------------------------------------------- */

uint32_t ampel_loopback_connect(struct ampel_loopback *loopback, const char *tenant) {
    lock(loopback);
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
    unlock(loopback);
    return count;
}

bool ampel_loopback_connected(struct ampel_loopback *loopback, uint32_t peer) {
    lock(loopback);
    bool connected = peer < loopback->peers_count && loopback->peers[peer].connected;
    unlock(loopback);
    return connected;
}

void ampel_loopback_leave(struct ampel_loopback *loopback, uint32_t peer) {
    lock(loopback);
    AMPEL_ASSERT(peer < loopback->peers_count);
    loopback->peers[peer].connected = false;
    line_reset(&loopback->peers[peer].heard);
    unlock(loopback);
}

bool ampel_loopback_say(struct ampel_loopback *loopback, uint32_t peer, const void *bytes,
                        uint32_t size) {
    lock(loopback);
    bool connected = peer < loopback->peers_count && loopback->peers[peer].connected;
    if (connected) {
        line_push(&loopback->said, peer, bytes, size);
        const uint64_t one = 1;
        ssize_t written = write(loopback->said_fd, &one, sizeof(one));
        AMPEL_ASSERT(written == (ssize_t)sizeof(one));
    }
    unlock(loopback);
    return connected;
}

bool ampel_loopback_hear(struct ampel_loopback *loopback, uint32_t peer, const uint8_t **bytes,
                         uint32_t *size) {
    lock(loopback);
    AMPEL_ASSERT(peer < loopback->peers_count);
    struct message *message = line_pop(&loopback->peers[peer].heard);
    if (message != NULL) {
        free(loopback->peers[peer].borrowed);
        loopback->peers[peer].borrowed = message;
        *bytes = message->bytes;
        *size = message->size;
    }
    unlock(loopback);
    return message != NULL;
}

/* The link that names the message. */
static struct message **line_at(struct line *line, uint32_t index) {
    struct message **link = &line->first;
    while (index-- > 0)
        link = &(*link)->next;
    return link;
}

static void line_settle(struct line *line) {
    line->last = line->first;
    while (line->last != NULL && line->last->next != NULL)
        line->last = line->last->next;
}

static void line_harm(struct line *line, enum ampel_loopback_harm harm, uint64_t number) {
    struct message **link = line_at(line, (uint32_t)(number % line->count)), *message = *link;
    switch (harm) {
    case AMPEL_HARM_DROP:
        *link = message->next;
        line->count--;
        line_settle(line);
        free(message);
        return;
    case AMPEL_HARM_DOUBLE:
        line_push(line, message->peer, message->bytes, message->size);
        return;
    case AMPEL_HARM_REORDER: /* it comes last */
        *link = message->next;
        message->next = NULL;
        line_settle(line);
        if (line->last != NULL)
            line->last->next = message;
        else
            line->first = message;
        line->last = message;
        return;
    case AMPEL_HARM_CUT:
        message->size = (uint32_t)(number / line->count % (message->size == 0 ? 1 : message->size));
        return;
    }
}

bool ampel_loopback_harm(struct ampel_loopback *loopback, enum ampel_loopback_harm harm,
                         bool to_worker, uint64_t number) {
    struct line *line = to_worker ? &loopback->said : NULL;
    for (uint32_t i = 0; !to_worker && i < loopback->peers_count && line == NULL; i++) {
        struct peer *peer = &loopback->peers[(number + i) % loopback->peers_count];
        if (peer->heard.count > 0) line = &peer->heard;
    }
    if (line == NULL || line->count == 0) return false;
    line_harm(line, harm, number);
    const uint64_t one = 1;
    ssize_t written = write(loopback->said_fd, &one, sizeof(one));
    AMPEL_ASSERT(written == (ssize_t)sizeof(one));
    return true;
}

void ampel_loopback_room(struct ampel_loopback *loopback, uint32_t messages_max) {
    lock(loopback);
    loopback->room = messages_max;
    unlock(loopback);
}

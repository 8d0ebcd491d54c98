#define _POSIX_C_SOURCE 200809L
#include "workers/zap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zmq.h>

#include "workers/keyfile.h"
#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/rate.h"

#define ZAP_ENDPOINT     "inproc://zeromq.zap.01"
#define CONTROL_ENDPOINT "inproc://ampel.zap.control"
#define COUNTED_MAX      4 /* listening sockets whose connections are counted */
#define FRAMES_MAX       10
#define FRAME_BYTES_MAX  255 /* ids and addresses are at most this long */
#define KEY_BYTES        32
/* A key that is not known is looked at again for this long before it is refused: it may have been added just now, and a
   client that is refused once does not always come again (libzmq 4.3.4). So is one too many: its sender may just have closed
   another, and would come again only after ZMQ_HANDSHAKE_IVL, which is far longer. */
#define REFUSAL_PAUSE_NS INT64_C(2000000000)
#define PENDING_MAX      64 /* beyond it a refusal is told at once */

enum judgement { LET_IN, UNKNOWN_KEY, SUSPENDED_TENANT, TOO_MANY };

/* One request as the ROUTER reads it. Frames beyond FRAMES_MAX and bytes beyond the bound are not kept. */
struct zap_request {
    uint32_t frames_count; /* of the message */
    struct {
        uint32_t size;
        char bytes[FRAME_BYTES_MAX + 1];
    } frames[FRAMES_MAX];
    char key[AMPEL_KEY_TEXT_SIZE]; /* Z85 of FRAME_KEY */
    int64_t until_ns;              /* when a refusal is told at last */
};
enum {
    FRAME_PEER,
    FRAME_EMPTY,
    FRAME_VERSION,
    FRAME_ID,
    FRAME_DOMAIN,
    FRAME_ADDRESS,
    FRAME_IDENTITY,
    FRAME_MECHANISM,
    FRAME_KEY,
    FRAMES_OF_CURVE
};

struct ampel_zap {
    pthread_t thread;
    void *context;
    void *control;            /* main's end */
    uint32_t sockets_counted; /* main's: names of monitors */
    uint32_t connections_max;
    struct ampel_clock clock;
    /* Handed over under the lock, because two threads bring tenants; held for the time of one
     * look-up. */
    pthread_mutex_t lock;
    struct ampel_zap_keys keys;
    int tenants_fd; /* eventfd: tenants came */
    /* The thread's own. */
    bool known;
    struct zap_request pending[PENDING_MAX];
    uint32_t pending_count;
    void *requests;
    void *control_inside;
    void *monitors[COUNTED_MAX];
    uint32_t monitors_count;
    uint32_t connections;
    struct ampel_rate refused_rate;
};

/* ---- keys ----------------------------------------------------------------------------------- */

static int key_order(const void *left, const void *right) {
    return strcmp(((const struct ampel_tenant_key *)left)->public_key,
                  ((const struct ampel_tenant_key *)right)->public_key);
}

bool ampel_zap_keys_set(struct ampel_zap_keys *keys, const struct ampel_parcel_tenants *tenants) {
    struct ampel_tenant_key *copy = NULL;
    if (tenants->keys_count > 0) {
        copy = calloc(tenants->keys_count, sizeof(*copy));
        if (copy == NULL) return false;
        memcpy(copy, tenants->keys, tenants->keys_count * sizeof(*copy));
        qsort(copy, tenants->keys_count, sizeof(*copy), key_order);
    }
    free(keys->keys);
    *keys = (struct ampel_zap_keys){.known = true, .count = tenants->keys_count, .keys = copy};
    return true;
}

void ampel_zap_keys_reset(struct ampel_zap_keys *keys) {
    free(keys->keys);
    *keys = (struct ampel_zap_keys){0};
}

const struct ampel_tenant_key *ampel_zap_keys_find(const struct ampel_zap_keys *keys,
                                                   const char *public_key) {
    uint32_t least = 0, beyond = keys->count;
    while (least < beyond) {
        const uint32_t middle = least + (beyond - least) / 2;
        const int order = strcmp(public_key, keys->keys[middle].public_key);
        if (order == 0) return &keys->keys[middle];
        if (order < 0)
            beyond = middle;
        else
            least = middle + 1;
    }
    return NULL;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool request_receive(void *socket, struct zap_request *request) {
    request->frames_count = 0;
    for (int more = 1; more != 0;) {
        zmq_msg_t frame;
        (void)zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) return false;
        if (request->frames_count < FRAMES_MAX) {
            const size_t size = zmq_msg_size(&frame);
            const size_t kept = size < FRAME_BYTES_MAX ? size : FRAME_BYTES_MAX;
            memcpy(request->frames[request->frames_count].bytes, zmq_msg_data(&frame), kept);
            request->frames[request->frames_count].bytes[kept] = '\0';
            request->frames[request->frames_count].size = (uint32_t)kept;
        }
        request->frames_count++;
        more = zmq_msg_more(&frame);
        (void)zmq_msg_close(&frame);
    }
    return true;
}

/* One property as ZMTP writes it: size u8, name, size u32 big-endian, value. */
static size_t property_encode(const char *name, const char *value, uint8_t *bytes) {
    const size_t name_size = strlen(name), value_size = strlen(value);
    size_t size = 0;
    bytes[size++] = (uint8_t)name_size;
    memcpy(bytes + size, name, name_size);
    size += name_size;
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes[size++] = (uint8_t)(value_size >> shift);
    memcpy(bytes + size, value, value_size);
    return size + value_size;
}

static void reply_send(void *socket, const struct zap_request *request, const char *status,
                       const char *text, const char *tenant, const char *key) {
    uint8_t properties[128];
    size_t properties_size = 0;
    if (key[0] != '\0') properties_size = property_encode(AMPEL_ZAP_KEY_PROPERTY, key, properties);
    (void)zmq_send(socket, request->frames[FRAME_PEER].bytes, request->frames[FRAME_PEER].size,
                   ZMQ_SNDMORE);
    (void)zmq_send(socket, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(socket, request->frames[FRAME_ID].bytes, request->frames[FRAME_ID].size,
                   ZMQ_SNDMORE);
    (void)zmq_send(socket, status, 3, ZMQ_SNDMORE);
    (void)zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    (void)zmq_send(socket, tenant, strlen(tenant), ZMQ_SNDMORE);
    (void)zmq_send(socket, properties, properties_size, 0);
}

static void refuse(struct ampel_zap *zap, const struct zap_request *request, const char *status,
                   const char *why) {
    /* Counted before it is said: who hears of it may look at once. */
    ampel_metric_add(AMPEL_METRIC_GATEWAY_PEERS_REFUSED, 1);
    reply_send(zap->requests, request, status, why, "", "");
    uint64_t held;
    if (!ampel_rate_pass(&zap->refused_rate, zap->clock.monotonic_ns(zap->clock.context), &held))
        return;
    ampel_log(AMPEL_LOG_WARN, "zap", "connection refused", "why", "%s", why, "address", "%s",
              request->frames[FRAME_ADDRESS].bytes, "key", "%s", request->key, "more", "%llu",
              (unsigned long long)held, NULL);
}

/* Those whose handshake waits here have not come in yet. others: that wait beside this one. */
static enum judgement request_judge(struct ampel_zap *zap, const struct zap_request *request,
                                    uint32_t others, char tenant[AMPEL_ID_BYTES_MAX + 1]) {
    enum judgement judgement = LET_IN;
    (void)pthread_mutex_lock(&zap->lock);
    const struct ampel_tenant_key *found = ampel_zap_keys_find(&zap->keys, request->key);
    if (found == NULL)
        judgement = UNKNOWN_KEY;
    else if (found->suspended)
        judgement = SUSPENDED_TENANT;
    else
        memcpy(tenant, found->tenant, AMPEL_ID_BYTES_MAX + 1);
    (void)pthread_mutex_unlock(&zap->lock);
    if (judgement == LET_IN && zap->connections > zap->connections_max + others) return TOO_MANY;
    return judgement;
}

/* 200 lets in. 300 is "not now": the peer comes again by itself. 400 is "no": it is told so and
   gives up. False: what stands in its way may be gone in a moment, nothing is answered yet. */
static bool request_answer(struct ampel_zap *zap, const struct zap_request *request,
                           uint32_t others, bool at_last) {
    static const char *const whys[] = {"", "unknown key", "suspended tenant",
                                       "too many connections"};
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    const enum judgement judgement = request_judge(zap, request, others, tenant);
    if (judgement != LET_IN && !at_last) return false;
    if (judgement == LET_IN)
        reply_send(zap->requests, request, "200", "OK", tenant, request->key);
    else
        refuse(zap, request, judgement == TOO_MANY ? "300" : "400", whys[judgement]);
    return true;
}

static void request_take(struct ampel_zap *zap, struct zap_request *request) {
    request->key[0] = '\0';
    if (request->frames_count <= FRAME_ADDRESS) return; /* not even a name to answer to */
    if (request->frames_count != FRAMES_OF_CURVE ||
        strcmp(request->frames[FRAME_VERSION].bytes, "1.0") != 0 ||
        strcmp(request->frames[FRAME_MECHANISM].bytes, "CURVE") != 0 ||
        strcmp(request->frames[FRAME_DOMAIN].bytes, AMPEL_ZAP_DOMAIN) != 0 ||
        request->frames[FRAME_KEY].size != KEY_BYTES) {
        refuse(zap, request, "400", "not a CURVE handshake");
        return;
    }
    (void)zmq_z85_encode(request->key, (const uint8_t *)request->frames[FRAME_KEY].bytes,
                         KEY_BYTES);
    if (request_answer(zap, request, zap->pending_count, zap->pending_count == PENDING_MAX)) return;
    request->until_ns = zap->clock.monotonic_ns(zap->clock.context) + REFUSAL_PAUSE_NS;
    zap->pending[zap->pending_count++] = *request;
}

/* Looks again at those whose key was not known. Returns how long the next one may wait, in
   milliseconds; -1: there is none. */
static long pending_turn(struct ampel_zap *zap) {
    const int64_t now_ns = zap->clock.monotonic_ns(zap->clock.context);
    int64_t left_ns = INT64_MAX;
    for (uint32_t i = zap->pending_count; i > 0; i--) {
        const struct zap_request *request = &zap->pending[i - 1];
        if (request_answer(zap, request, zap->pending_count - 1, now_ns >= request->until_ns))
            zap->pending[i - 1] = zap->pending[--zap->pending_count];
        else if (request->until_ns - now_ns < left_ns)
            left_ns = request->until_ns - now_ns;
    }
    return left_ns == INT64_MAX ? -1 : (long)((left_ns + 999999) / 1000000);
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* An event of a monitor: event u16, value u32 of the host's order; then the endpoint. */
static void monitor_read(struct ampel_zap *zap, void *monitor) {
    for (;;) {
        uint8_t event[6];
        if (zmq_recv(monitor, event, sizeof(event), ZMQ_DONTWAIT) < 0) return;
        char endpoint[FRAME_BYTES_MAX];
        (void)zmq_recv(monitor, endpoint, sizeof(endpoint), ZMQ_DONTWAIT);
        uint16_t kind;
        memcpy(&kind, event, sizeof(kind));
        if (kind == ZMQ_EVENT_ACCEPTED) zap->connections++;
        if (kind == ZMQ_EVENT_DISCONNECTED && zap->connections > 0) zap->connections--;
    }
}

/* False: the end. Anything else is the name of a monitor. */
static bool control_read(struct ampel_zap *zap) {
    char name[64];
    const int size = zmq_recv(zap->control_inside, name, sizeof(name) - 1, 0);
    if (size <= 0) return false;
    name[size] = '\0';
    AMPEL_ASSERT(zap->monitors_count < COUNTED_MAX);
    void *monitor = zmq_socket(zap->context, ZMQ_PAIR);
    if (monitor == NULL || zmq_connect(monitor, name) != 0) {
        ampel_log(AMPEL_LOG_ERROR, "zap", "connections are not counted", "error", "%s",
                  zmq_strerror(zmq_errno()), NULL);
        if (monitor != NULL) (void)zmq_close(monitor);
        monitor = NULL;
    }
    if (monitor != NULL) zap->monitors[zap->monitors_count++] = monitor;
    /* The answer lets main go on: from now on no connection can come unseen. */
    (void)zmq_send(zap->control_inside, monitor != NULL ? "1" : "0", 1, 0);
    return true;
}

/* What became readable; false: the end. */
static bool items_take(struct ampel_zap *zap, const zmq_pollitem_t *items) {
    for (uint32_t i = 0; i < zap->monitors_count; i++)
        if (items[3 + i].revents != 0) monitor_read(zap, zap->monitors[i]);
    if (items[1].revents != 0) {
        uint64_t count;
        zap->known = read(zap->tenants_fd, &count, sizeof(count)) > 0 || zap->known;
    }
    struct zap_request request;
    if (zap->known && items[2].revents != 0 && request_receive(zap->requests, &request))
        request_take(zap, &request);
    return items[0].revents == 0 || control_read(zap);
}

static void *thread_run(void *argument) {
    struct ampel_zap *zap = argument;
    for (;;) {
        zmq_pollitem_t items[3 + COUNTED_MAX] = {
            {.socket = zap->control_inside, .events = ZMQ_POLLIN},
            {.fd = zap->tenants_fd, .events = ZMQ_POLLIN},
            {.socket = zap->requests, .events = zap->known ? ZMQ_POLLIN : 0},
        };
        for (uint32_t i = 0; i < zap->monitors_count; i++)
            items[3 + i] = (zmq_pollitem_t){.socket = zap->monitors[i], .events = ZMQ_POLLIN};
        const long wait_ms = pending_turn(zap);
        if (zmq_poll(items, 3 + (int)zap->monitors_count, wait_ms) < 0) {
            if (zmq_errno() == EINTR) continue;
            break;
        }
        if (!items_take(zap, items)) break;
    }
    for (uint32_t i = 0; i < zap->monitors_count; i++)
        (void)zmq_close(zap->monitors[i]);
    (void)zmq_close(zap->requests);
    (void)zmq_close(zap->control_inside);
    return NULL;
}

/* ---- from main ------------------------------------------------------------------------------ */

static bool sockets_open(struct ampel_zap *zap) {
    zap->requests = zmq_socket(zap->context, ZMQ_ROUTER);
    zap->control = zmq_socket(zap->context, ZMQ_PAIR);
    zap->control_inside = zmq_socket(zap->context, ZMQ_PAIR);
    if (zap->requests == NULL || zap->control == NULL || zap->control_inside == NULL) return false;
    const int linger_ms = 0;
    (void)zmq_setsockopt(zap->requests, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    return zmq_bind(zap->requests, ZAP_ENDPOINT) == 0 &&
           zmq_bind(zap->control_inside, CONTROL_ENDPOINT) == 0 &&
           zmq_connect(zap->control, CONTROL_ENDPOINT) == 0;
}

bool ampel_zap_open(void *zmq_context, const struct ampel_clock *clock, uint32_t connections_max,
                    struct ampel_zap **out) {
    struct ampel_zap *zap = calloc(1, sizeof(*zap));
    if (zap == NULL) return false;
    zap->context = zmq_context;
    zap->clock = *clock;
    zap->connections_max = connections_max;
    (void)pthread_mutex_init(&zap->lock, NULL);
    zap->tenants_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (zap->tenants_fd < 0 || !sockets_open(zap) ||
        pthread_create(&zap->thread, NULL, thread_run, zap) != 0) {
        if (zap->requests != NULL) (void)zmq_close(zap->requests);
        if (zap->control != NULL) (void)zmq_close(zap->control);
        if (zap->control_inside != NULL) (void)zmq_close(zap->control_inside);
        if (zap->tenants_fd >= 0) (void)close(zap->tenants_fd);
        (void)pthread_mutex_destroy(&zap->lock);
        free(zap);
        return false;
    }
    *out = zap;
    return true;
}

void ampel_zap_close(struct ampel_zap *zap) {
    (void)zmq_send(zap->control, "", 0, 0);
    (void)pthread_join(zap->thread, NULL);
    (void)zmq_close(zap->control);
    (void)close(zap->tenants_fd);
    (void)pthread_mutex_destroy(&zap->lock);
    ampel_zap_keys_reset(&zap->keys);
    free(zap);
}

bool ampel_zap_count(struct ampel_zap *zap, void *zmq_socket) {
    char name[64];
    (void)snprintf(name, sizeof(name), "inproc://ampel.monitor.%u", zap->sockets_counted);
    if (zap->sockets_counted == COUNTED_MAX) return false;
    if (zmq_socket_monitor(zmq_socket, name, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0)
        return false;
    zap->sockets_counted++;
    char answer = '0';
    return zmq_send(zap->control, name, strlen(name), 0) >= 0 &&
           zmq_recv(zap->control, &answer, 1, 0) == 1 && answer == '1';
}

void ampel_zap_tenants(struct ampel_zap *zap, const struct ampel_parcel_tenants *tenants) {
    (void)pthread_mutex_lock(&zap->lock);
    const bool set = ampel_zap_keys_set(&zap->keys, tenants);
    (void)pthread_mutex_unlock(&zap->lock);
    const uint64_t one = 1;
    const bool woken = set && write(zap->tenants_fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
    if (!woken)
        ampel_log(AMPEL_LOG_ERROR, "zap", "tenants' keys cannot be replaced: the old ones stay",
                  NULL);
}

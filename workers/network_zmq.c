#include "workers/network_zmq.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "workers/logline.h"
#include "workers/metrics.h"
#include "workers/rate.h"
#include "workers/realtime.h"
#include "workers/zap.h"

#define ENDPOINT_BYTES_MAX 256
/* TCP asks a silent peer after this long, this often, before it is gone. */
#define KEEPALIVE_AFTER_S 10
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_TRIES   3
/* Also how long a peer that is turned away with "not now" (ZAP 300) waits before it tries
   again: 4.3.4 leaves its connection to this timer. */
#define HANDSHAKE_MS 5000
/* How long closing waits for the last acks to leave. */
#define LINGER_MS 1000
/* Connections that the kernel holds until ZeroMQ's thread takes them. It also does the mathematics of their handshakes, and
   one that finds no place here comes again only after a second. */
#define BACKLOG 512
/* What CURVE and ZMTP add to a message. */
#define ENVELOPE_BYTES  64
#define PEER_NAME_BYTES 5

struct ampel_hub {
    void *context;
    struct ampel_zap *zap;
    struct ampel_keyfile keys;
    struct ampel_clock clock;
    uint32_t message_bytes_max;
};

struct network {
    struct ampel_hub *hub;
    void *socket;
    struct ampel_zap_keys
        keys; /* the stage's own, as its thread may not look into the ZAP handler's */
    struct ampel_rate dropped_rate;
    char endpoint[ENDPOINT_BYTES_MAX];
};

/* ---- receiving ------------------------------------------------------------------------------ */

static void dropped_tell(struct network *network, const char *why) {
    uint64_t held;
    const struct ampel_clock *clock = &network->hub->clock;
    if (!ampel_rate_pass(&network->dropped_rate, clock->monotonic_ns(clock->context), &held))
        return;
    ampel_log(AMPEL_LOG_WARN, "network", "message dropped", "why", "%s", why, "endpoint", "%s",
              network->endpoint, "more", "%llu", (unsigned long long)held, NULL);
}

/* Reads the rest of a message that is not of our form. */
static void parts_skip(struct network *network, zmq_msg_t *part) {
    while (zmq_msg_more(part) != 0) {
        (void)zmq_msg_close(part);
        (void)zmq_msg_init(part);
        if (zmq_msg_recv(part, network->socket, ZMQ_DONTWAIT) < 0) break;
    }
}

/* The tenant of a message, or "" where its key is not an active tenant's (any more). */
static void tenant_find(const struct network *network, zmq_msg_t *message,
                        char tenant[AMPEL_ID_BYTES_MAX + 1]) {
    tenant[0] = '\0';
    const char *user = zmq_msg_gets(message, "User-Id");
    const char *key = zmq_msg_gets(message, AMPEL_ZAP_KEY_PROPERTY);
    if (user == NULL || key == NULL) return;
    const struct ampel_tenant_key *found = ampel_zap_keys_find(&network->keys, key);
    if (found == NULL || found->suspended || strcmp(found->tenant, user) != 0) return;
    memcpy(tenant, found->tenant, AMPEL_ID_BYTES_MAX + 1);
}

enum part_status { PART_MESSAGE, PART_DROPPED, PART_NOTHING };

/* One message of two parts: the peer's name, the bytes. */
static enum part_status message_receive(struct network *network, struct ampel_received *out,
                                        zmq_msg_t *message) {
    zmq_msg_t name;
    (void)zmq_msg_init(&name);
    if (zmq_msg_recv(&name, network->socket, ZMQ_DONTWAIT) < 0) return PART_NOTHING;
    const size_t size = zmq_msg_size(&name);
    const bool named_by_us = size == PEER_NAME_BYTES && *(const uint8_t *)zmq_msg_data(&name) == 0;
    if (named_by_us) {
        out->peer.size = (uint8_t)size;
        memcpy(out->peer.bytes, zmq_msg_data(&name), size);
    }
    const bool whole = zmq_msg_more(&name) != 0;
    (void)zmq_msg_close(&name);
    if (!whole || zmq_msg_recv(message, network->socket, ZMQ_DONTWAIT) < 0) return PART_DROPPED;
    if (zmq_msg_more(message) != 0) {
        parts_skip(network, message);
        dropped_tell(network, "a message has one part and no more");
        return PART_DROPPED;
    }
    if (!named_by_us) {
        dropped_tell(network, "a connection may not name itself (routing id)");
        return PART_DROPPED;
    }
    return PART_MESSAGE;
}

static bool message_next(void *context, struct ampel_received *out) {
    struct network *network = context;
    zmq_msg_t *message = malloc(sizeof(*message));
    if (message == NULL) return false;
    (void)zmq_msg_init(message);
    struct ampel_received received = {.handle = message};
    enum part_status status;
    while ((status = message_receive(network, &received, message)) == PART_DROPPED) {
        (void)zmq_msg_close(message);
        (void)zmq_msg_init(message);
    }
    if (status == PART_NOTHING) {
        (void)zmq_msg_close(message);
        free(message);
        return false;
    }
    tenant_find(network, message, received.tenant);
    received.bytes = zmq_msg_data(message);
    received.size = (uint32_t)zmq_msg_size(message); /* ZMQ_MAXMSGSIZE is far below 4 GiB */
    *out = received;
    return true;
}

static void message_release(void *context, struct ampel_received *received) {
    (void)context;
    (void)zmq_msg_close(received->handle);
    free(received->handle);
    *received = (struct ampel_received){0};
}

/* ---- sending -------------------------------------------------------------------------------- */

static enum ampel_send_status message_send(void *context, const struct ampel_peer *peer,
                                           const uint8_t *bytes, uint32_t size) {
    const struct network *network = context;
    const int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    /* With ZMQ_ROUTER_MANDATORY the first part is refused where the peer is gone (EHOSTUNREACH) or
       its queue full (EAGAIN); once it is taken the second part is, too. */
    int taken = zmq_send(network->socket, peer->bytes, peer->size, flags);
    if (taken < 0 && zmq_errno() == EAGAIN) {
        /* A send that fails does not always look whether the queue was emptied in between; asking
         * for events does. */
        int events;
        size_t events_size = sizeof(events);
        (void)zmq_getsockopt(network->socket, ZMQ_EVENTS, &events, &events_size);
        taken = zmq_send(network->socket, peer->bytes, peer->size, flags);
    }
    if (taken < 0) return zmq_errno() == EAGAIN ? AMPEL_SEND_FULL : AMPEL_SEND_GONE;
    if (zmq_send(network->socket, bytes, size, ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EAGAIN ? AMPEL_SEND_FULL : AMPEL_SEND_GONE;
    return AMPEL_SEND_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool option_set(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool options_set(const struct ampel_hub *hub, void *socket, const char *endpoint) {
    const int64_t message_bytes_max =
        (int64_t)hub->message_bytes_max + AMPEL_NETWORK_SLACK_BYTES + ENVELOPE_BYTES;
    return option_set(socket, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, hub->keys.secret_key, AMPEL_KEY_TEXT_SIZE) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, AMPEL_ZAP_DOMAIN, strlen(AMPEL_ZAP_DOMAIN)) ==
               0 &&
           option_set(socket, ZMQ_ROUTER_MANDATORY, 1) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof(message_bytes_max)) ==
               0 &&
           option_set(socket, ZMQ_RCVHWM, AMPEL_NETWORK_RECEIVE_HWM) &&
           option_set(socket, ZMQ_SNDHWM, AMPEL_NETWORK_SEND_HWM) &&
           option_set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_AFTER_S) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EVERY_S) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_TRIES) &&
           option_set(socket, ZMQ_LINGER, LINGER_MS) && option_set(socket, ZMQ_BACKLOG, BACKLOG) &&
           /* Only where asked for: a host without IPv6 must still listen on "*". */
           option_set(socket, ZMQ_IPV6, strchr(endpoint, '[') != NULL);
}

bool ampel_network_zmq_open(struct ampel_hub *hub, const char *endpoint, struct ampel_network *out,
                            struct ampel_error *error) {
    struct network *network = calloc(1, sizeof(*network));
    if (network == NULL) return ampel_error_set(error, "", "no memory");
    network->hub = hub;
    network->socket = zmq_socket(hub->context, ZMQ_ROUTER);
    size_t size = sizeof(network->endpoint);
    const bool open =
        network->socket != NULL && options_set(hub, network->socket, endpoint) &&
        ampel_zap_count(hub->zap, network->socket) && zmq_bind(network->socket, endpoint) == 0 &&
        zmq_getsockopt(network->socket, ZMQ_LAST_ENDPOINT, network->endpoint, &size) == 0;
    if (!open) {
        (void)ampel_error_set(error, "endpoint", "cannot listen on %s: %s", endpoint,
                              zmq_strerror(zmq_errno()));
        if (network->socket != NULL) (void)zmq_close(network->socket);
        free(network);
        return false;
    }
    *out = (struct ampel_network){.context = network,
                                  .receive = message_next,
                                  .release = message_release,
                                  .send = message_send};
    return true;
}

void ampel_network_zmq_close(void *network_context) {
    struct network *network = network_context;
    (void)zmq_close(network->socket);
    ampel_zap_keys_reset(&network->keys);
    free(network);
}

const char *ampel_network_zmq_endpoint(const void *network_context) {
    return ((const struct network *)network_context)->endpoint;
}

uint32_t ampel_network_zmq_fds(void *network_context, int *fds, uint32_t capacity) {
    const struct network *network = network_context;
    size_t size = sizeof(*fds);
    if (capacity == 0 || zmq_getsockopt(network->socket, ZMQ_FD, fds, &size) != 0) return 0;
    return 1;
}

void ampel_network_zmq_tenants(void *network_context, const struct ampel_parcel_tenants *tenants) {
    struct network *network = network_context;
    if (!ampel_zap_keys_set(&network->keys, tenants))
        ampel_log(AMPEL_LOG_ERROR, "network", "no memory for the tenants' keys: the old ones stay",
                  NULL);
    ampel_zap_tenants(network->hub->zap, tenants);
}

bool ampel_hub_open(const struct ampel_hub_options *options, struct ampel_hub **out,
                    struct ampel_error *error) {
    struct ampel_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL) return ampel_error_set(error, "", "no memory");
    hub->keys = options->keys;
    hub->clock = options->clock;
    hub->message_bytes_max =
        options->message_bytes_max != 0 ? options->message_bytes_max : AMPEL_BATCH_BYTES_MAX;
    hub->context = zmq_ctx_new();
    if (hub->context != NULL && options->realtime) {
        /* Before the first socket, which starts the threads. */
        (void)zmq_ctx_set(hub->context, ZMQ_THREAD_SCHED_POLICY, SCHED_RR);
        (void)zmq_ctx_set(hub->context, ZMQ_THREAD_PRIORITY, AMPEL_REALTIME_PRIORITY);
        if (options->core != AMPEL_CORE_ANY)
            (void)zmq_ctx_set(hub->context, ZMQ_THREAD_AFFINITY_CPU_ADD, (int)options->core - 1);
    }
    const uint32_t connections_max =
        options->connections_max != 0 ? options->connections_max : AMPEL_NETWORK_CONNECTIONS_MAX;
    if (hub->context == NULL ||
        !ampel_zap_open(hub->context, &hub->clock, connections_max, &hub->zap)) {
        (void)ampel_error_set(error, "", "ZeroMQ cannot start: %s", zmq_strerror(zmq_errno()));
        if (hub->context != NULL) (void)zmq_ctx_term(hub->context);
        free(hub);
        return false;
    }
    *out = hub;
    return true;
}

void ampel_hub_close(struct ampel_hub *hub) {
    ampel_zap_close(hub->zap);
    while (zmq_ctx_term(hub->context) != 0 && zmq_errno() == EINTR) {
    }
    free(hub);
}

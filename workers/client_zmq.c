#include "workers/client_zmq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#define ENDPOINT_BYTES_MAX 256
/* Batches are large; acks and changes are small, and a watcher's memory is its own. */
#define SEND_HWM 16
/* Far more than a feeder's credit lets come at once: a connection that is lost while its input
   stands still can fail an assertion inside libzmq 4.3.4 (see network_zmq.h), so that it should not
   stand still. */
#define RECEIVE_HWM       65536
#define RECONNECT_MS      100
#define RECONNECT_MAX_MS  2000
#define REFUSED_PAUSE_MS  1000
#define KEEPALIVE_AFTER_S 10
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_TRIES   3
/* How often a receive that does not wait looks at the connection's life. */
#define MONITOR_EVERY 16
/* What event_note knows. */
#define EVENTS_OF_LIFE                                                                              \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_CLOSED |                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                   \
     ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
/* Of one context: a client has three, and those that were closed count until ZeroMQ's thread has let go of them. */
#define SOCKETS_MAX 4096

struct ampel_client_context {
    void *zmq;
    uint32_t opened_count; /* names the monitors */
};

struct ampel_client {
    struct ampel_client_context *context;
    bool context_own;
    void *socket;
    void *monitor;
    zmq_msg_t message;     /* the last received */
    bool refused;          /* the socket is of no use any more: open another one */
    uint32_t looks_count;  /* calls of receive that did not wait */
    char endpoint[ENDPOINT_BYTES_MAX];
    struct ampel_keyfile keys;
    char trouble[ENDPOINT_BYTES_MAX + 160];
};

struct ampel_client_context *ampel_client_context_open(void) {
    struct ampel_client_context *context = calloc(1, sizeof(*context));
    if (context == NULL) return NULL;
    context->zmq = zmq_ctx_new();
    if (context->zmq != NULL && zmq_ctx_set(context->zmq, ZMQ_MAX_SOCKETS, SOCKETS_MAX) == 0)
        return context;
    ampel_client_context_close(context);
    return NULL;
}

void ampel_client_context_close(struct ampel_client_context *context) {
    if (context == NULL) return;
    while (context->zmq != NULL && zmq_ctx_term(context->zmq) != 0 && zmq_errno() == EINTR) {
    }
    free(context);
}

static bool option_set(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool socket_set(const struct ampel_client *client) {
    void *const socket = client->socket;
    const struct ampel_keyfile *keys = &client->keys;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->server_key, AMPEL_KEY_TEXT_SIZE) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, AMPEL_KEY_TEXT_SIZE) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, AMPEL_KEY_TEXT_SIZE) ==
               0 &&
           option_set(socket, ZMQ_SNDHWM, SEND_HWM) &&
           option_set(socket, ZMQ_RCVHWM, RECEIVE_HWM) && option_set(socket, ZMQ_LINGER, 0) &&
           option_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           option_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_AFTER_S) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EVERY_S) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_TRIES) &&
           option_set(socket, ZMQ_IPV6, strchr(client->endpoint, '[') != NULL);
}

/* Monitoring ends before its reader goes: with nobody to read ZeroMQ's thread would wait to tell of the end, for good. */
static void socket_close(struct ampel_client *client) {
    if (client->socket != NULL) (void)zmq_socket_monitor(client->socket, NULL, 0);
    if (client->monitor != NULL) (void)zmq_close(client->monitor);
    if (client->socket != NULL) (void)zmq_close(client->socket);
    client->monitor = NULL;
    client->socket = NULL;
}

/* The monitor first, so that nothing of the connection's life is missed. */
static bool socket_open(struct ampel_client *client) {
    char name[64];
    (void)snprintf(name, sizeof(name), "inproc://ampel.client.%u", client->context->opened_count++);
    client->socket = zmq_socket(client->context->zmq, ZMQ_DEALER);
    client->monitor = zmq_socket(client->context->zmq, ZMQ_PAIR);
    if (client->socket == NULL || client->monitor == NULL || !socket_set(client) ||
        zmq_socket_monitor(client->socket, name, EVENTS_OF_LIFE) != 0 ||
        zmq_connect(client->monitor, name) != 0 ||
        zmq_connect(client->socket, client->endpoint) != 0) {
        (void)snprintf(client->trouble, sizeof(client->trouble), "cannot connect to %s: %s",
                       client->endpoint, zmq_strerror(zmq_errno()));
        socket_close(client);
        return false;
    }
    client->refused = false;
    return true;
}

bool ampel_client_open(struct ampel_client_context *context, const char *endpoint,
                       const struct ampel_keyfile *keys, struct ampel_client **out,
                       struct ampel_error *error) {
    if (strlen(endpoint) >= ENDPOINT_BYTES_MAX)
        return ampel_error_set(error, "endpoint", "an endpoint has at most %d bytes",
                               ENDPOINT_BYTES_MAX - 1);
    struct ampel_client *client = calloc(1, sizeof(*client));
    if (client == NULL) return ampel_error_set(error, "", "no memory");
    memcpy(client->endpoint, endpoint, strlen(endpoint) + 1);
    client->keys = *keys;
    (void)zmq_msg_init(&client->message);
    (void)snprintf(client->trouble, sizeof(client->trouble), "no answer yet from %s", endpoint);
    client->context_own = context == NULL;
    client->context = client->context_own ? ampel_client_context_open() : context;
    if (client->context == NULL || !socket_open(client)) {
        (void)ampel_error_set(error, "endpoint", "%s", client->trouble);
        ampel_client_close(client);
        return false;
    }
    *out = client;
    return true;
}

void ampel_client_close(struct ampel_client *client) {
    if (client == NULL) return;
    (void)zmq_msg_close(&client->message);
    socket_close(client);
    if (client->context_own) ampel_client_context_close(client->context);
    free(client);
}

/* Hands the message over; where it cannot, the message is closed. */
static enum ampel_client_status message_send(struct ampel_client *client, zmq_msg_t *message) {
    bool sent = zmq_msg_send(message, client->socket, ZMQ_DONTWAIT) >= 0;
    if (!sent) {
        /* A send that fails does not always look whether the queue was emptied in between; asking for
         * events does. */
        int events;
        size_t events_size = sizeof(events);
        (void)zmq_getsockopt(client->socket, ZMQ_EVENTS, &events, &events_size);
        sent = zmq_msg_send(message, client->socket, ZMQ_DONTWAIT) >= 0;
    }
    if (sent) return AMPEL_CLIENT_OK;
    const int why = zmq_errno();
    (void)zmq_msg_close(message);
    if (why == EAGAIN || why == EINTR) return AMPEL_CLIENT_FULL;
    (void)snprintf(client->trouble, sizeof(client->trouble), "cannot send: %s", zmq_strerror(why));
    return AMPEL_CLIENT_FAILED;
}

static enum ampel_client_status no_memory(struct ampel_client *client) {
    (void)snprintf(client->trouble, sizeof(client->trouble), "cannot send: no memory");
    return AMPEL_CLIENT_FAILED;
}

enum ampel_client_status ampel_client_send(struct ampel_client *client, const uint8_t *bytes,
                                           uint32_t size) {
    zmq_msg_t message;
    if (client->refused || client->socket == NULL) return AMPEL_CLIENT_FULL;
    if (zmq_msg_init_size(&message, size) != 0) return no_memory(client);
    memcpy(zmq_msg_data(&message), bytes, size);
    return message_send(client, &message);
}

enum ampel_client_status ampel_client_lend(struct ampel_client *client, const uint8_t *bytes, uint32_t size,
                                           void (*done)(void *bytes, void *hint), void *hint) {
    zmq_msg_t message;
    void *const lent = (void *)(uintptr_t)bytes; /* ZeroMQ does not write to what it sends */
    const bool open = !client->refused && client->socket != NULL;
    if (open && zmq_msg_init_data(&message, lent, size, done, hint) == 0) return message_send(client, &message);
    done(lent, hint);
    return open ? no_memory(client) : AMPEL_CLIENT_FULL;
}

/* What one event of the connection's life means to people. */
static void event_note(struct ampel_client *client, uint16_t event, uint32_t value) {
    char *const to = client->trouble;
    const size_t size = sizeof(client->trouble);
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        to[0] = '\0';
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
    case ZMQ_EVENT_CLOSED:
        if (to[0] == '\0' || strncmp(to, "no answer", 9) == 0)
            (void)snprintf(to, size, "nobody listens at %s", client->endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        (void)snprintf(
            to, size,
            "%s ended the handshake: not a worker, the wrong `server` key, or it is not ready yet",
            client->endpoint);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (to[0] == '\0')
            (void)snprintf(to, size, "the connection to %s was lost", client->endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        /* 300 is "not now", and libzmq comes again by itself; else it gives up or not, by luck. */
        if (value == 300) break;
        (void)snprintf(to, size, "the worker at %s does not accept this key: unknown or suspended",
                       client->endpoint);
        client->refused = true;
        break;
    default:
        break;
    }
}

static void monitor_read(struct ampel_client *client) {
    for (;;) {
        uint8_t event[6];
        if (zmq_recv(client->monitor, event, sizeof(event), ZMQ_DONTWAIT) < 0) return;
        char endpoint[ENDPOINT_BYTES_MAX];
        (void)zmq_recv(client->monitor, endpoint, sizeof(endpoint), ZMQ_DONTWAIT);
        uint16_t kind;
        uint32_t value;
        memcpy(&kind, event, sizeof(kind));
        memcpy(&value, event + sizeof(kind), sizeof(value));
        event_note(client, kind, value);
    }
}

/* After a refusal: waits a while, then starts again with a new socket. */
static enum ampel_client_status start_again(struct ampel_client *client, uint32_t timeout_ms) {
    socket_close(client);
    const uint32_t pause_ms = timeout_ms < REFUSED_PAUSE_MS ? timeout_ms : REFUSED_PAUSE_MS;
    if (pause_ms > 0) (void)zmq_poll(NULL, 0, (long)pause_ms);
    return socket_open(client) ? AMPEL_CLIENT_NOTHING : AMPEL_CLIENT_FAILED;
}

enum ampel_client_status ampel_client_receive(struct ampel_client *client, uint32_t timeout_ms,
                                              const uint8_t **bytes, uint32_t *size) {
    (void)zmq_msg_close(&client->message);
    (void)zmq_msg_init(&client->message);
    if (client->refused || client->socket == NULL) return start_again(client, timeout_ms);
    long wait_ms = 0;
    for (;;) {
        /* A look that finds nothing is a system call, and most calls come from the middle of a stream. */
        const bool connected = client->trouble[0] == '\0';
        if (timeout_ms > 0 || !connected || client->looks_count++ % MONITOR_EVERY == 0)
            monitor_read(client);
        if (client->refused) return AMPEL_CLIENT_REFUSED;
        if (zmq_msg_recv(&client->message, client->socket, ZMQ_DONTWAIT) >= 0) break;
        if (zmq_errno() != EAGAIN && zmq_errno() != EINTR) {
            (void)snprintf(client->trouble, sizeof(client->trouble), "cannot receive: %s",
                           zmq_strerror(zmq_errno()));
            return AMPEL_CLIENT_FAILED;
        }
        if (wait_ms == (long)timeout_ms) return AMPEL_CLIENT_NOTHING;
        wait_ms = (long)timeout_ms;
        zmq_pollitem_t items[2] = {{.socket = client->socket, .events = ZMQ_POLLIN},
                                   {.socket = client->monitor, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, wait_ms) < 0) return AMPEL_CLIENT_NOTHING;
    }
    *bytes = zmq_msg_data(&client->message);
    *size = (uint32_t)zmq_msg_size(&client->message);
    return AMPEL_CLIENT_OK;
}

static int socket_fd(void *socket) {
    int fd = -1;
    size_t size = sizeof(fd);
    return socket != NULL && zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

int ampel_client_fd(const struct ampel_client *client) {
    return socket_fd(client->socket);
}

int ampel_client_life_fd(const struct ampel_client *client) {
    return socket_fd(client->monitor);
}

const char *ampel_client_trouble(const struct ampel_client *client) {
    return client->trouble;
}

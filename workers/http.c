#define _POSIX_C_SOURCE 200809L
#include "workers/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "workers/metrics.h"

#define METRICS_BYTES_MAX (64 * 1024)
#define CONNECTIONS_MAX   64
#define IDLE_SECONDS_MAX  30

struct ampel_http {
    struct MHD_Daemon *daemon;
    const char *(*ready)(void *context);
    void *context;
    uint16_t port;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *bytes, size_t size) {
    /* The library does not write to what it must copy. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text) {
    char line[300];
    int size = snprintf(line, sizeof(line), "%.290s\n", text);
    return answer(connection, status, "text/plain; charset=utf-8", line, (size_t)size);
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection) {
    char *bytes = malloc(METRICS_BYTES_MAX);
    uint32_t size = bytes == NULL ? 0 : ampel_metrics_encode(bytes, METRICS_BYTES_MAX);
    enum MHD_Result result =
        size == 0 ? answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory")
                  : answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                           bytes, size);
    free(bytes);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request) {
    (void)version, (void)upload, (void)upload_size, (void)request;
    struct ampel_http *http = context;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    }
    if (strcmp(url, "/metrics") == 0) return answer_metrics(connection);
    if (strcmp(url, "/healthz") == 0) return answer_text(connection, MHD_HTTP_OK, "alive");
    if (strcmp(url, "/readyz") == 0) {
        const char *reason = http->ready(http->context);
        if (reason[0] == '\0') return answer_text(connection, MHD_HTTP_OK, "ready");
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz");
}

/* Digits up to 65535: getaddrinfo would cut greater ones off. */
static bool port_valid(const char *port) {
    uint32_t value = 0;
    const char *digit = port;
    for (; *digit >= '0' && *digit <= '9' && value <= UINT16_MAX; digit++) {
        value = value * 10 + (uint32_t)(*digit - '0');
    }
    return digit != port && *digit == '\0' && value <= UINT16_MAX;
}

/* "host:port", "[v6]:port" or ":port" taken apart; false for another form. */
static bool address_split(const char *address, char *host, size_t host_capacity,
                          const char **port) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || !port_valid(colon + 1)) return false;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size >= host_capacity) return false;
    memcpy(host, address, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

static struct MHD_Daemon *daemon_start(struct ampel_http *http, const struct sockaddr *address) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (address->sa_family == AF_INET6) flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, http, MHD_OPTION_SOCK_ADDR, address,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX,
                            MHD_OPTION_END);
}

struct ampel_http *ampel_http_open(const char *address, const char *(*ready)(void *context),
                                   void *context) {
    char host[256];
    const char *port;
    errno = EINVAL; /* the libraries below set it only where the system said no */
    if (!address_split(address, host, sizeof(host), &port)) return NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM,
                             .ai_family = host[0] == '\0' ? AF_INET : AF_UNSPEC};
    struct addrinfo *found;
    if (getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found) != 0) return NULL;
    struct ampel_http *http = malloc(sizeof(*http));
    if (http != NULL) {
        *http = (struct ampel_http){.ready = ready, .context = context};
        http->daemon = daemon_start(http, found->ai_addr);
        if (http->daemon == NULL) {
            free(http);
            http = NULL;
        }
    }
    freeaddrinfo(found);
    if (http == NULL) return NULL;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    http->port = info == NULL ? 0 : info->port;
    return http;
}

uint16_t ampel_http_port(const struct ampel_http *http) {
    return http->port;
}

void ampel_http_close(struct ampel_http *http) {
    if (http == NULL) return;
    MHD_stop_daemon(http->daemon);
    free(http);
}

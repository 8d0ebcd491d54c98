/* /metrics, /healthz (200 while the process lives), /readyz (200 while batches are taken, else 503 with the reason).
   libmicrohttpd with a thread of its own. */
#ifndef AMPEL_WORKERS_HTTP_H
#define AMPEL_WORKERS_HTTP_H

#include "engine/base.h"

struct ampel_http;
/* address "127.0.0.1:9464"; port 0 picks one. ready: "" or why not; called on the HTTP thread. NULL: cannot listen, errno says
   why (EINVAL: this is no address). */
struct ampel_http *ampel_http_open(const char *address, const char *(*ready)(void *context), void *context);
uint16_t ampel_http_port(const struct ampel_http *http);
void ampel_http_close(struct ampel_http *http);

#endif

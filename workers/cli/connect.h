/* A session with the database, for commands that read it. */
#ifndef AMPEL_WORKERS_CLI_CONNECT_H
#define AMPEL_WORKERS_CLI_CONNECT_H

#include "workers/pq.h"

/* url NULL: AMPEL_DATABASE_URL. NULL: said on standard error. */
struct ampel_pq *ampel_connect(const char *command, const char *url);
/* The url itself; NULL: said. */
const char *ampel_connect_url(const char *command, const char *url);
/* "ampel COMMAND: field: reason"; returns AMPEL_EXIT_FAILED. */
int ampel_connect_failed(const char *command, const struct ampel_error *error);

#endif

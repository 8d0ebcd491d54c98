#include "workers/cli/connect.h"

#include <stdio.h>

#include "workers/cli/command.h"
#include "workers/environment.h"

const char *ampel_connect_url(const char *command, const char *url) {
    url = ampel_environment_or(url, "AMPEL_DATABASE_URL");
    if (url == NULL)
        fprintf(stderr, "ampel %s: no --database and no AMPEL_DATABASE_URL: where is the database?\n", command);
    return url;
}

int ampel_connect_failed(const char *command, const struct ampel_error *error) {
    fprintf(stderr, "ampel %s: %s%s%s\n", command, error->field, error->field[0] != 0 ? ": " : "",
            error->reason);
    return AMPEL_EXIT_FAILED;
}

struct ampel_pq *ampel_connect(const char *command, const char *url) {
    url = ampel_connect_url(command, url);
    if (url == NULL) return NULL;
    struct ampel_pq *pq = ampel_pq_open();
    AMPEL_ASSERT(pq != NULL);
    struct ampel_error error = {0};
    if (ampel_pq_connect(pq, url, "ampel", &error) == AMPEL_DATABASE_OK) return pq;
    (void)ampel_connect_failed(command, &error);
    ampel_pq_close(pq);
    return NULL;
}

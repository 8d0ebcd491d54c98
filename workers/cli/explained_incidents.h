/* What takeover cases do to an account's score, as score and explain tell it (rating-model 3.10). */
#ifndef AMPEL_WORKERS_CLI_EXPLAINED_INCIDENTS_H
#define AMPEL_WORKERS_CLI_EXPLAINED_INCIDENTS_H

#include "engine/incident.h"

struct ampel_explained_incidents {
    uint32_t total;        /* with those that are not listed; 0: none */
    int32_t score_without; /* without all of them */
    char *list;            /* JSON as the rating's row holds it; NULL where there are none */
};

/* False: no memory, said on standard error. */
AMPEL_MUST_CHECK bool ampel_explained_incidents_engine(struct ampel_engine *engine, uint32_t slot,
                                                       struct ampel_explained_incidents *out);
/* Both say nothing where there are none. score is the one with them. */
void ampel_explained_incidents_print(const struct ampel_explained_incidents *incidents, int32_t score);
/* ,"score_without_incidents":N,"incidents":[...] to standard output. */
void ampel_explained_incidents_json(const struct ampel_explained_incidents *incidents);
void ampel_explained_incidents_close(struct ampel_explained_incidents *incidents);

#endif

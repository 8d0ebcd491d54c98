/* What takeover cases do to an account's score, as score and explain tell it (rating-model 3.10). */
#ifndef AMPEL_WORKERS_CLI_EXPLAINED_INCIDENTS_H
#define AMPEL_WORKERS_CLI_EXPLAINED_INCIDENTS_H

#include "engine/incident.h"
#include "workers/pq.h"

struct ampel_explained_incidents {
    uint32_t total;        /* with those that are not listed; 0: none */
    int32_t score_without; /* without all of them */
    char *list;            /* JSON as the rating's row holds it; NULL where there are none */
};

/* False: no memory, said on standard error. */
AMPEL_MUST_CHECK bool ampel_explained_incidents_engine(struct ampel_engine *engine, uint32_t slot,
                                                       struct ampel_explained_incidents *out);
/* key: tenant, seller, marketplace. Returns as ampel_pq_run. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_explained_incidents_database(struct ampel_pq *pq, const struct ampel_pq_value key[3],
                                   struct ampel_explained_incidents *out, struct ampel_error *error);
/* Both say nothing where there are none. score is the one with them. */
void ampel_explained_incidents_print(const struct ampel_explained_incidents *incidents, int32_t score);
/* ,"score_without_incidents":N,"incidents":[...] to standard output. */
void ampel_explained_incidents_json(const struct ampel_explained_incidents *incidents);
void ampel_explained_incidents_close(struct ampel_explained_incidents *incidents);

#endif

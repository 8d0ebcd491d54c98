/* Tenants and their keys, for `ampel tenant`. Each call is a session and a transaction of its own,
   and tells the workers (NOTIFY ampel_tenants). Secret keys never come here. Thread: any. */
#ifndef AMPEL_WORKERS_TENANTS_H
#define AMPEL_WORKERS_TENANTS_H

#include "workers/database.h"

#define AMPEL_PUBLIC_KEY_SIZE 40 /* z85 */

/* Makes a tenant, its role where that is allowed, and gives it a key (public_key NULL: none). A
   tenant or key that is there already is no error: *added says whether the tenant was new. role
   gets the name of its role, "" where none could be made. BROKEN: the name is no id, the key no z85
   of 40 characters or another tenant's. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_tenant_add(const char *url, const char *tenant,
                                                             const char *public_key, bool *added,
                                                             char role[AMPEL_ID_BYTES_MAX],
                                                             struct ampel_error *error);

/* Gives an existing tenant one more key, or takes one back (revoke): feeders and watchers with it
 * are refused from then on. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_tenant_key(const char *url, const char *tenant,
                                                             const char *public_key, bool revoke,
                                                             struct ampel_error *error);

/* Suspends a tenant (all its keys are refused) or lets it in again. Its data stays. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_tenant_suspend(const char *url,
                                                                 const char *tenant, bool suspended,
                                                                 struct ampel_error *error);

struct ampel_tenant_row {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    char role[AMPEL_ID_BYTES_MAX]; /* "": none */
    bool suspended;
    int64_t created_at_ms;
    uint64_t keys_count, accounts_count;
};
/* All tenants by name. rows is the caller's to free. */
AMPEL_MUST_CHECK enum ampel_database_status ampel_tenant_list(const char *url,
                                                              struct ampel_tenant_row **rows,
                                                              uint32_t *rows_count,
                                                              struct ampel_error *error);

struct ampel_tenant_key_row {
    char public_key[AMPEL_PUBLIC_KEY_SIZE + 1];
    int64_t created_at_ms;
};
/* The keys of a tenant that are not revoked, oldest first. */
AMPEL_MUST_CHECK enum ampel_database_status
ampel_tenant_key_list(const char *url, const char *tenant, struct ampel_tenant_key_row **rows,
                      uint32_t *rows_count, struct ampel_error *error);

#endif

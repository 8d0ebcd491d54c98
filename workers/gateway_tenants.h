/* Which tenants the gateway takes batches from: those with a key that is not suspended. Thread: the gateway's. */
#ifndef AMPEL_WORKERS_GATEWAY_TENANTS_H
#define AMPEL_WORKERS_GATEWAY_TENANTS_H

#include "workers/parcel.h"

/* All zero: none is known yet. */
struct ampel_gateway_tenants {
    bool known;
    uint32_t count;
    struct ampel_gateway_tenant *tenants; /* sorted */
};
/* Replaces them. False: no memory, nothing changed. */
AMPEL_MUST_CHECK bool ampel_gateway_tenants_set(struct ampel_gateway_tenants *tenants,
                                                const struct ampel_parcel_tenants *parcel);
void ampel_gateway_tenants_reset(struct ampel_gateway_tenants *tenants);
AMPEL_MUST_CHECK bool ampel_gateway_tenants_active(const struct ampel_gateway_tenants *tenants,
                                                   const char tenant[AMPEL_ID_BYTES_MAX + 1]);

#endif

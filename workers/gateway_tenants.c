#include "workers/gateway_tenants.h"

#include <stdlib.h>
#include <string.h>

struct ampel_gateway_tenant {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    bool active; /* at least one key that is not suspended */
};

static int tenant_order(const void *left, const void *right) {
    return strcmp(((const struct ampel_gateway_tenant *)left)->tenant,
                  ((const struct ampel_gateway_tenant *)right)->tenant);
}

bool ampel_gateway_tenants_active(const struct ampel_gateway_tenants *tenants,
                                  const char tenant[AMPEL_ID_BYTES_MAX + 1]) {
    if (tenant[0] == '\0' || tenants->count == 0) return false;
    struct ampel_gateway_tenant key = {.active = false};
    memcpy(key.tenant, tenant, sizeof(key.tenant));
    const struct ampel_gateway_tenant *found =
        bsearch(&key, tenants->tenants, tenants->count, sizeof(key), tenant_order);
    return found != NULL && found->active;
}

/* One entry a tenant: it is active while one of its keys is. */
bool ampel_gateway_tenants_set(struct ampel_gateway_tenants *tenants,
                               const struct ampel_parcel_tenants *parcel) {
    struct ampel_gateway_tenant *states = calloc(parcel->keys_count + 1, sizeof(*states));
    if (states == NULL) return false;
    for (uint32_t i = 0; i < parcel->keys_count; i++) {
        memcpy(states[i].tenant, parcel->keys[i].tenant, sizeof(states[i].tenant));
        states[i].active = !parcel->keys[i].suspended;
    }
    qsort(states, parcel->keys_count, sizeof(*states), tenant_order);
    uint32_t count = 0;
    for (uint32_t i = 0; i < parcel->keys_count; i++) {
        if (count > 0 && strcmp(states[count - 1].tenant, states[i].tenant) == 0)
            states[count - 1].active |= states[i].active;
        else
            states[count++] = states[i];
    }
    free(tenants->tenants);
    *tenants = (struct ampel_gateway_tenants){.known = true, .count = count, .tenants = states};
    return true;
}

void ampel_gateway_tenants_reset(struct ampel_gateway_tenants *tenants) {
    free(tenants->tenants);
    *tenants = (struct ampel_gateway_tenants){0};
}

#include "proto/batch_file.h"

#include <string.h>

#include "engine/load.h"
#include "proto/hash.h"

bool ampel_batch_file_is(const uint8_t *bytes, size_t size) {
    return size >= AMPEL_BATCH_FILE_MAGIC_BYTES &&
           memcmp(bytes, AMPEL_BATCH_FILE_MAGIC, AMPEL_BATCH_FILE_MAGIC_BYTES) == 0;
}

static enum ampel_batch_file_status damaged(struct ampel_error *error, const char *field,
                                            const char *reason) {
    ampel_error_set(error, field, "%s", reason);
    return AMPEL_BATCH_FILE_DAMAGED;
}

enum ampel_batch_file_status ampel_batch_file_next(const uint8_t *bytes, size_t size,
                                                   struct ampel_batch_file_record *out,
                                                   struct ampel_error *error) {
    if (size < 1) return AMPEL_BATCH_FILE_SHORT;
    uint32_t tenant_size = bytes[0], head_size = 1 + tenant_size + 4;
    if (tenant_size < 1 || tenant_size > AMPEL_ID_BYTES_MAX)
        return damaged(error, "tenant", "the tenant is no id of 1 to 64 bytes");
    if (size < head_size) return AMPEL_BATCH_FILE_SHORT;
    struct ampel_text tenant = {(const char *)bytes + 1, tenant_size};
    uint32_t batch_size = ampel_load_u32(bytes + 1 + tenant_size);
    if (!ampel_id_valid(tenant, true))
        return damaged(error, "tenant", "the tenant is no id of 1 to 64 bytes");
    if (batch_size > AMPEL_BATCH_BYTES_MAX)
        return damaged(error, "size", "the batch is larger than a batch may be");
    if (size - head_size < (size_t)batch_size + 8) return AMPEL_BATCH_FILE_SHORT;
    const uint8_t *batch = bytes + head_size;
    if (ampel_load_u64(batch + batch_size) != ampel_hash_bytes(batch, batch_size))
        return damaged(error, "checksum", "the batch is damaged");
    *out = (struct ampel_batch_file_record){.tenant = tenant,
                                            .batch = batch,
                                            .batch_size = batch_size,
                                            .record_size = head_size + batch_size + 8};
    return AMPEL_BATCH_FILE_OK;
}

void ampel_batch_file_wrap(struct ampel_text tenant, const uint8_t *batch, uint32_t size,
                           struct ampel_batch_file_wrap *out) {
    AMPEL_ASSERT(ampel_id_valid(tenant, true) && size <= AMPEL_BATCH_BYTES_MAX);
    out->head[0] = (uint8_t)tenant.size;
    memcpy(out->head + 1, tenant.bytes, tenant.size);
    ampel_store_u32(out->head + 1 + tenant.size, size);
    out->head_size = 1 + tenant.size + 4;
    ampel_store_u64(out->tail, ampel_hash_bytes(batch, size));
}

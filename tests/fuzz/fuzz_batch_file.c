/* Encoded files: records come one after another, each in its place, until the bytes end or are damaged; a record that is
   wrapped again has the same bytes. */
#include <string.h>

#include "engine/load.h"
#include "proto/batch_file.h"
#include "proto/hash.h"
#include "tests/fuzz/fuzz.h"

static void check_wrapped_again(const uint8_t *bytes,
                                const struct ampel_batch_file_record *record) {
    struct ampel_batch_file_wrap wrap;
    ampel_batch_file_wrap(record->tenant, record->batch, record->batch_size, &wrap);
    AMPEL_ASSERT(record->record_size == wrap.head_size + record->batch_size + sizeof wrap.tail);
    AMPEL_ASSERT(memcmp(bytes, wrap.head, wrap.head_size) == 0);
    AMPEL_ASSERT(bytes + wrap.head_size == record->batch);
    AMPEL_ASSERT(memcmp(record->batch + record->batch_size, wrap.tail, sizeof wrap.tail) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!ampel_batch_file_is(bytes, size)) return 0;
    size_t at = AMPEL_BATCH_FILE_MAGIC_BYTES;
    uint32_t records = 0;
    while (at < size) {
        struct ampel_batch_file_record record;
        struct ampel_error error = {0};
        enum ampel_batch_file_status status =
            ampel_batch_file_next(bytes + at, size - at, &record, &error);
        if (status != AMPEL_BATCH_FILE_OK) {
            AMPEL_ASSERT(status == AMPEL_BATCH_FILE_SHORT || error.reason[0] != 0);
            return 0;
        }
        AMPEL_ASSERT(record.record_size > 0 && record.record_size <= size - at);
        AMPEL_ASSERT(ampel_id_valid(record.tenant, true));
        check_wrapped_again(bytes + at, &record);
        records++;
        FUZZ_CANARY(records == 3 && record.batch_size == 5);
        at += record.record_size;
    }
    return 0;
}

/* ---- the mutator: records are put together anew, so that sizes and checksums fit -------------- */

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    static uint8_t batch[4096];
    struct ampel_random random = {seed};
    struct ampel_batch_file_record record;
    struct ampel_error error;
    size_t at = AMPEL_BATCH_FILE_MAGIC_BYTES, skipped = ampel_random_below(&random, 4);
    if (ampel_random_chance(&random, 20)) return LLVMFuzzerMutate(bytes, size, size_max);
    if (!ampel_batch_file_is(bytes, size) || ampel_random_chance(&random, 10)) {
        if (size_max < at) return size;
        memcpy(bytes, AMPEL_BATCH_FILE_MAGIC, at);
        if (size < at) size = at;
    }
    while (at < size && skipped-- > 0 &&
           ampel_batch_file_next(bytes + at, size - at, &record, &error) == AMPEL_BATCH_FILE_OK)
        at += record.record_size;
    if (at >= size) at = AMPEL_BATCH_FILE_MAGIC_BYTES;
    /* In place of what stands here, or before it. */
    size_t end = at, batch_size = 0;
    if (at < size &&
        ampel_batch_file_next(bytes + at, size - at, &record, &error) == AMPEL_BATCH_FILE_OK &&
        record.batch_size < sizeof batch / 2) {
        memcpy(batch, record.batch, record.batch_size);
        batch_size = record.batch_size;
        if (ampel_random_chance(&random, 50)) end += record.record_size;
    }
    batch_size = LLVMFuzzerMutate(batch, batch_size, batch_size + 16);
    struct ampel_batch_file_wrap wrap;
    static const char *const tenants[] = {"a", "agency", "agency-2"};
    const char *tenant = tenants[ampel_random_below(&random, 3)];
    ampel_batch_file_wrap((struct ampel_text){tenant, (uint32_t)strlen(tenant)}, batch,
                          (uint32_t)batch_size, &wrap);
    size_t made = wrap.head_size + batch_size + sizeof wrap.tail;
    if (size - (end - at) + made > size_max) return size;
    memmove(bytes + at + made, bytes + end, size - end);
    memcpy(bytes + at, wrap.head, wrap.head_size);
    if (batch_size > 0) memcpy(bytes + at + wrap.head_size, batch, batch_size);
    memcpy(bytes + at + wrap.head_size + batch_size, wrap.tail, sizeof wrap.tail);
    return size - (end - at) + made;
}

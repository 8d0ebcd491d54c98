/* Pages at rest: any bytes are unpacked or refused, and what was packed comes back. The mutator
 * mends sizes and checksum. */
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "proto/page.h"
#include "tests/fuzz/fuzz.h"

#define HEADER_BYTES    24
#define CHECKSUM_OFFSET 16
/* A page may claim half a gigabyte, and then has it taken; here that only costs time. */
#define RAW_BYTES_MAX (1 << 20)

static struct ampel_page_codec *codec, *other;

static void check_packed_again(const uint8_t *raw, uint32_t raw_size) {
    const uint8_t *packed, *found;
    uint32_t packed_size, found_size;
    struct ampel_error error = {0};
    AMPEL_ASSERT(ampel_page_encode(other, raw, raw_size, &packed, &packed_size));
    uint8_t *copy = malloc(packed_size);
    AMPEL_ASSERT(copy != NULL);
    memcpy(copy, packed, packed_size);
    AMPEL_ASSERT(ampel_page_decode(other, copy, packed_size, &found, &found_size, &error));
    AMPEL_ASSERT(found_size == raw_size);
    AMPEL_ASSERT(raw_size == 0 || memcmp(found, raw, raw_size) == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const uint8_t *raw;
    uint32_t raw_size;
    struct ampel_error error = {0};
    if (codec == NULL) {
        codec = ampel_page_codec_open();
        other = ampel_page_codec_open();
    }
    /* Packing costs far more than refusing: some sizes speak for all. */
    if (size % 16 == 5) check_packed_again(bytes, (uint32_t)size);
    if (size >= HEADER_BYTES && ampel_load_u32(bytes + 8) > RAW_BYTES_MAX) return 0;
    if (!ampel_page_decode(codec, bytes, (uint32_t)size, &raw, &raw_size, &error)) {
        AMPEL_ASSERT(error.reason[0] != 0);
        return 0;
    }
    FUZZ_CANARY(raw_size == 77);
    check_packed_again(raw, raw_size);
    return 0;
}

/* Other raw bytes, packed by ourselves. */
static size_t repack(uint8_t *bytes, size_t size, size_t size_max) {
    static uint8_t made[1 << 16];
    const uint8_t *found;
    uint32_t found_size;
    struct ampel_error error;
    if (size < HEADER_BYTES || ampel_load_u32(bytes + 8) > sizeof made / 2 ||
        !ampel_page_decode(codec, bytes, (uint32_t)size, &found, &found_size, &error))
        return size;
    memcpy(made, found, found_size);
    size_t made_size = LLVMFuzzerMutate(made, found_size, found_size + 64);
    if (!ampel_page_encode(codec, made, (uint32_t)made_size, &found, &found_size) ||
        found_size > size_max)
        return size;
    memcpy(bytes, found, found_size);
    return found_size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    uint64_t action = ampel_random_below(&random, 16);
    if (codec != NULL && action == 0) return repack(bytes, size, size_max);
    if (action < 5)
        size = LLVMFuzzerMutate(bytes, size, size_max);
    else
        fuzz_mutate_in_place(bytes, size, &random);
    if (size < HEADER_BYTES || ampel_random_chance(&random, 6)) return size;
    ampel_store_u32(bytes, UINT32_C(0x50504d41));
    ampel_store_u32(bytes + 12, (uint32_t)size - HEADER_BYTES);
    /* A zstd frame with one byte of content size right behind its magic and flags. */
    if (size > HEADER_BYTES + 6 && (bytes[HEADER_BYTES + 4] & 0xe0) == 0x20)
        ampel_store_u32(bytes + 8, bytes[HEADER_BYTES + 5]);
    ampel_store_u64(bytes + CHECKSUM_OFFSET, ampel_hash_around(bytes, size, CHECKSUM_OFFSET));
    return size;
}

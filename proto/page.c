#include "proto/page.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "engine/bounds.h"
#include "engine/load.h"
#include "proto/hash.h"

#define PAGE_MAGIC           UINT32_C(0x50504d41) /* "AMPP" */
#define PAGE_HEADER_BYTES    24
#define PAGE_CHECKSUM_OFFSET 16
/* Codecs are never renumbered: pages at rest name theirs. */
#define CODEC_ZSTD 1
/* More effort saves little in bytes that are mostly numbers: level 3 makes pages 2 % smaller. LZ4
 * is thrice as fast and its pages are a quarter larger; what a page costs is its way into
 * PostgreSQL, not its packing. */
#define ZSTD_LEVEL 1

struct ampel_page_codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    uint8_t *bytes;
    size_t capacity;
};

struct ampel_page_codec *ampel_page_codec_open(void) {
    struct ampel_page_codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL) return NULL;
    codec->compress = ZSTD_createCCtx();
    codec->decompress = ZSTD_createDCtx();
    if (codec->compress != NULL && codec->decompress != NULL) return codec;
    ampel_page_codec_close(codec);
    return NULL;
}

void ampel_page_codec_close(struct ampel_page_codec *codec) {
    if (codec == NULL) return;
    ZSTD_freeCCtx(codec->compress);
    ZSTD_freeDCtx(codec->decompress);
    free(codec->bytes);
    free(codec);
}

static bool reserve(struct ampel_page_codec *codec, size_t size) {
    if (size <= codec->capacity) return true;
    uint8_t *bytes = realloc(codec->bytes, size);
    if (bytes == NULL) return false;
    codec->bytes = bytes;
    codec->capacity = size;
    return true;
}

bool ampel_page_encode(struct ampel_page_codec *codec, const uint8_t *raw, uint32_t raw_size,
                       const uint8_t **bytes, uint32_t *size) {
    AMPEL_ASSERT(raw_size <= AMPEL_PAGE_BYTES_MAX);
    size_t bound = ZSTD_compressBound(raw_size);
    if (!reserve(codec, PAGE_HEADER_BYTES + bound)) return false;
    uint8_t *header = codec->bytes;
    size_t packed = ZSTD_compressCCtx(codec->compress, header + PAGE_HEADER_BYTES, bound, raw,
                                      raw_size, ZSTD_LEVEL);
    if (ZSTD_isError(packed)) return false; /* with room for the bound only memory can be short */
    ampel_store_u32(header, PAGE_MAGIC);
    ampel_store_u16(header + 4, AMPEL_PAGE_VERSION);
    ampel_store_u16(header + 6, CODEC_ZSTD);
    ampel_store_u32(header + 8, raw_size);
    ampel_store_u32(header + 12, (uint32_t)packed);
    size_t whole = PAGE_HEADER_BYTES + packed;
    ampel_store_u64(header + PAGE_CHECKSUM_OFFSET,
                    ampel_hash_around(header, whole, PAGE_CHECKSUM_OFFSET));
    *bytes = header;
    *size = (uint32_t)whole;
    return true;
}

static bool check_header(const uint8_t *bytes, uint32_t size, struct ampel_error *error) {
    if (size < PAGE_HEADER_BYTES)
        return ampel_error_set(error, "", "the page is shorter than its header");
    if (ampel_load_u32(bytes) != PAGE_MAGIC)
        return ampel_error_set(error, "magic", "the bytes are no page");
    if (ampel_load_u32(bytes + 12) != size - PAGE_HEADER_BYTES)
        return ampel_error_set(error, "packed size", "the page has %u bytes where it says %llu",
                               size,
                               (unsigned long long)ampel_load_u32(bytes + 12) + PAGE_HEADER_BYTES);
    if (ampel_load_u64(bytes + PAGE_CHECKSUM_OFFSET) !=
        ampel_hash_around(bytes, size, PAGE_CHECKSUM_OFFSET))
        return ampel_error_set(error, "checksum", "the page is damaged");
    uint16_t version = ampel_load_u16(bytes + 4), codec = ampel_load_u16(bytes + 6);
    if (version != AMPEL_PAGE_VERSION)
        return ampel_error_set(error, "version", "page version %u is not the %u known here",
                               version, AMPEL_PAGE_VERSION);
    if (codec != CODEC_ZSTD)
        return ampel_error_set(error, "codec", "page codec %u is unknown here", codec);
    if (ampel_load_u32(bytes + 8) > AMPEL_PAGE_BYTES_MAX)
        return ampel_error_set(error, "raw size", "the page is larger than a page may be");
    return true;
}

bool ampel_page_decode(struct ampel_page_codec *codec, const uint8_t *bytes, uint32_t size,
                       const uint8_t **raw, uint32_t *raw_size, struct ampel_error *error) {
    if (!check_header(bytes, size, error)) return false;
    uint32_t expected = ampel_load_u32(bytes + 8);
    const uint8_t *payload = bytes + PAGE_HEADER_BYTES;
    /* The frame must agree before memory is taken for what the header claims. */
    if (ZSTD_getFrameContentSize(payload, size - PAGE_HEADER_BYTES) != expected)
        return ampel_error_set(error, "raw size", "header and payload do not agree");
    if (!reserve(codec, (size_t)expected + 1)) return ampel_error_set(error, "", "out of memory");
    size_t found = ZSTD_decompressDCtx(codec->decompress, codec->bytes, expected, payload,
                                       size - PAGE_HEADER_BYTES);
    if (ZSTD_isError(found) || found != expected)
        return ampel_error_set(error, "payload", "the page cannot be unpacked");
    *raw = codec->bytes;
    *raw_size = expected;
    return true;
}

/* Pages at rest: what ampel_engine_page_export or _meta_export wrote, compressed (zstd or LZ4) and wrapped:
       magic u32 'AMPP', version u16, codec u16, raw size u32, packed size u32, checksum u64 (xxh3_64 of header with 0 and payload)
   A newer version is refused by name. */
#ifndef AMPEL_PROTO_PAGE_H
#define AMPEL_PROTO_PAGE_H

#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_PAGE_VERSION 1
struct ampel_page_codec; /* contexts and scratch, one a thread */
struct ampel_page_codec *ampel_page_codec_open(void);
void ampel_page_codec_close(struct ampel_page_codec *codec);
/* *bytes is the codec's until its next call. False: no memory. */
AMPEL_MUST_CHECK bool ampel_page_encode(struct ampel_page_codec *codec, const uint8_t *raw,
                                        uint32_t raw_size, const uint8_t **bytes, uint32_t *size);
AMPEL_MUST_CHECK bool ampel_page_decode(struct ampel_page_codec *codec, const uint8_t *bytes,
                                        uint32_t size, const uint8_t **raw, uint32_t *raw_size,
                                        struct ampel_error *error);

#ifdef __cplusplus
}
#endif

#endif

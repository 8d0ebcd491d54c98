/* Bytes of snapshots: written into what room there is while the size is counted on, read with every
   step checked.

   An account's image, little-endian, sorted in itself, the same for the same facts:

       u8 tenant, seller, marketplace sizes, u8 0 | texts
       numbers    i64 deducted, i32 score, i32 order_points, u32 orders, u16 caps[8], u16 criticals,
   u8 colour, u8 risk orders     u8 width (0: none), u8 0, u16 days, u32 first day | cells of width
   bytes, as window.h draws them; the first and the last are not 0, the width is the least that
   holds them all violations u32 count | each by (policy, at, id), waiting ones last: i64 at,
   state_at, cleared_since, last_seen, at_risk_sales, u16 rev, i16 points, u8 policy, i8 severity,
   u8 state, u8 0, u8 sizes[4] | texts facts      u32 count | each: i64 at, u32 count, i16 points,
   u8 type, u8 code, u32 extras size | extras */
#ifndef AMPEL_ENGINE_IMAGE_H
#define AMPEL_ENGINE_IMAGE_H

#include "engine/load.h"
#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_PAGE_MAGIC_1 UINT32_C(0x31474150) /* PAG1: without assurance and drift; read still */
#define AMPEL_PAGE_MAGIC_2 UINT32_C(0x32474150) /* PAG2: without sections; read still */
#define AMPEL_PAGE_MAGIC   UINT32_C(0x33474150) /* PAG3 */
#define AMPEL_META_MAGIC   UINT32_C(0x3154454d) /* MET1 */

struct ampel_image_writer {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t size; /* counts on behind the capacity */
};

struct ampel_image_reader {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t offset;
    bool bad; /* read beyond the end, or the caller's judgement */
};

static inline void ampel_image_put(struct ampel_image_writer *writer, const void *bytes,
                                   uint32_t size) {
    bool fits = writer->size <= writer->capacity && writer->capacity - writer->size >= size;
    if (fits && size > 0) memcpy(writer->bytes + writer->size, bytes, size);
    writer->size = size > UINT32_MAX - writer->size ? UINT32_MAX : writer->size + size;
}
static inline void ampel_image_put_u8(struct ampel_image_writer *writer, uint8_t value) {
    ampel_image_put(writer, &value, 1);
}
static inline void ampel_image_put_u16(struct ampel_image_writer *writer, uint16_t value) {
    ampel_image_put(writer, &value, 2);
}
static inline void ampel_image_put_u32(struct ampel_image_writer *writer, uint32_t value) {
    ampel_image_put(writer, &value, 4);
}
static inline void ampel_image_put_u64(struct ampel_image_writer *writer, uint64_t value) {
    ampel_image_put(writer, &value, 8);
}
static inline void ampel_image_put_i64(struct ampel_image_writer *writer, int64_t value) {
    ampel_image_put(writer, &value, 8);
}

/* size bytes in place, NULL (and bad) where there are fewer. */
static inline const uint8_t *ampel_image_get(struct ampel_image_reader *reader, uint32_t size) {
    if (reader->bad || reader->size - reader->offset < size) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *bytes = reader->bytes + reader->offset;
    reader->offset += size;
    return bytes;
}
static inline uint8_t ampel_image_get_u8(struct ampel_image_reader *reader) {
    const uint8_t *bytes = ampel_image_get(reader, 1);
    return bytes != NULL ? bytes[0] : 0;
}
static inline uint16_t ampel_image_get_u16(struct ampel_image_reader *reader) {
    const uint8_t *bytes = ampel_image_get(reader, 2);
    return bytes != NULL ? ampel_load_u16(bytes) : 0;
}
static inline uint32_t ampel_image_get_u32(struct ampel_image_reader *reader) {
    const uint8_t *bytes = ampel_image_get(reader, 4);
    return bytes != NULL ? ampel_load_u32(bytes) : 0;
}
static inline uint64_t ampel_image_get_u64(struct ampel_image_reader *reader) {
    const uint8_t *bytes = ampel_image_get(reader, 8);
    return bytes != NULL ? ampel_load_u64(bytes) : 0;
}
static inline int64_t ampel_image_get_i64(struct ampel_image_reader *reader) {
    return (int64_t)ampel_image_get_u64(reader);
}
static inline struct ampel_text ampel_image_get_text(struct ampel_image_reader *reader,
                                                     uint32_t size) {
    const uint8_t *bytes = ampel_image_get(reader, size);
    return (struct ampel_text){(const char *)bytes, bytes != NULL ? size : 0};
}

void ampel_image_put_numbers(struct ampel_image_writer *writer,
                             const struct ampel_numbers *numbers);
void ampel_image_get_numbers(struct ampel_image_reader *reader, struct ampel_numbers *out);

/* image_beside.c: what a page holds behind an account's image since PAG2, and no digest does:

       u32 first_day, settled_day | u8 flags, u8 1 if there are bits, u16 0 | the bits, u64 x 3
       of each fact of type observed, in their order: i32 drift, u32 orders, u16 marks, u16 rules
       since PAG3 sections, by ascending tag, none of them empty: u8 tag, u32 size, bytes | u8 0

   sections is false for a page of PAG2. */
void ampel_image_beside_put(struct ampel_image_writer *writer, const struct ampel_account *account);
AMPEL_MUST_CHECK enum ampel_engine_status ampel_image_beside_read(struct ampel_engine *engine,
                                                                  struct ampel_image_reader *reader,
                                                                  struct ampel_account *account,
                                                                  bool sections);

/* Tags are never given anew: a page at rest may hold them. */
enum {
    AMPEL_SECTION_END = 0,
    AMPEL_SECTION_CLOCKS = 1, /* each that runs: u8 place in the list, u8 told, i64 started, deadline */
    AMPEL_SECTION_TAKEOVER = 2, /* takeover.h */
};
/* Begins a section; the return is what its end needs. One that stays empty leaves no byte. */
AMPEL_MUST_CHECK uint32_t ampel_image_section_begin(struct ampel_image_writer *writer, uint8_t tag);
void ampel_image_section_end(struct ampel_image_writer *writer, uint32_t begin);

/* What tells other points from these: a page of the same rules need not be told anew. */
uint64_t ampel_image_scale(const struct ampel_scale *scale);

/* image_account.c: reads one account's image behind its identity into a new account; shown gets its
 * numbers. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_image_account_read(struct ampel_engine *engine, struct ampel_image_reader *reader,
                         struct ampel_account *account, struct ampel_numbers *shown);

#ifdef __cplusplus
}
#endif

#endif

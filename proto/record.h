/* Records: what the log keeps. One record holds all frames of one batch, or a tick of idle partitions, so that
   a batch becomes durable as a whole.

       record   header 40 bytes | body                                    all little-endian, 8-aligned
       header   magic u32 'AMPR', version u16, kind u16, size u32 (of the whole record), frames u32,
                position u64, stamp_ms i64, checksum u64 (xxh3_64 of the record with this field 0)
       BATCH    tenant, producer, sequence, sent_at, backfill, refused summary; then each frame: partition, size,
                accounts, columns (absent ones cost nothing), extras
       TICK     partitions u32[]: time passes for them
       RULES    number u64, text size u32, 0 u32, the text of a rules file; then partitions u32[]: other rules hold for
                them from this stamp on

   The position is the log's own count of bytes or offsets: whoever appends sets it. */
#ifndef AMPEL_PROTO_RECORD_H
#define AMPEL_PROTO_RECORD_H

#include "engine/frame.h"
#include "proto/batch.h"
#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The newest version known. RULES records carry it, so that a program that does not know them says NEWER; the others are
   as in version 1 and carry that. */
#define AMPEL_RECORD_VERSION 2
#define AMPEL_RECORD_HEADER_BYTES 40

enum ampel_record_kind { AMPEL_RECORD_BATCH = 1, AMPEL_RECORD_TICK = 2, AMPEL_RECORD_RULES = 3 };

struct ampel_record_header {
    uint32_t size;       /* of the whole record, header and padding included, a multiple of 8 */
    uint32_t frames_count;
    uint16_t version;
    uint16_t kind;
    uint64_t position;
    int64_t stamp_ms;
};

/* ---- writing (gateway) ---------------------------------------------------------------------- */

struct ampel_record_builder; /* scratch, reused */
struct ampel_record_builder *ampel_record_builder_open(uint32_t partitions);
void ampel_record_builder_close(struct ampel_record_builder *builder);

/* Splits the accepted events of a batch by partition into one BATCH record, in two steps: the plan, whose size says how many bytes the
   record takes, then the writing into so many bytes of the caller's, 8-aligned, of the same batch and tenant. Accounts are hashed here. A batch without an
   accepted event makes one empty frame for partition hash(tenant/producer) mod partitions, so that its sequence is
   remembered. The first 100 refused events travel in the home partition's frame (ampel_record_refused). False: no
   memory or over AMPEL_RECORD_BYTES_MAX. Position and checksum are open. */
AMPEL_MUST_CHECK bool ampel_record_plan_batch(struct ampel_record_builder *builder, const struct ampel_batch *batch,
                                              struct ampel_text tenant, uint32_t *size);
void ampel_record_write_batch(const struct ampel_record_builder *builder, const struct ampel_batch *batch,
                              struct ampel_text tenant, int64_t stamp_ms, uint8_t *bytes, uint32_t size);
/* Both. *bytes is the builder's until its next call, here and below. */
AMPEL_MUST_CHECK bool ampel_record_encode_batch(struct ampel_record_builder *builder,
                                                const struct ampel_batch *batch,
                                                struct ampel_text tenant, int64_t stamp_ms,
                                                const uint8_t **bytes, uint32_t *size);
AMPEL_MUST_CHECK bool ampel_record_encode_tick(struct ampel_record_builder *builder,
                                               int64_t stamp_ms, const uint32_t *partitions,
                                               uint32_t partitions_count, const uint8_t **bytes,
                                               uint32_t *size);
/* Other rules for all partitions. number: of the database's rules, never 0. text: as ampel_rules_file_decode takes it. */
AMPEL_MUST_CHECK bool ampel_record_encode_rules(struct ampel_record_builder *builder,
                                                int64_t stamp_ms, uint64_t number,
                                                struct ampel_text text, const uint8_t **bytes,
                                                uint32_t *size);
/* Sets position and checksum in place; stamp_ms too, as the log may hold it back to keep stamps from going backwards.
   The one moment of sealing is just before the write. */
void ampel_record_seal(uint8_t *bytes, uint64_t position, int64_t stamp_ms);

/* ---- reading (journal, shard) --------------------------------------------------------------- */

enum ampel_record_status {
    AMPEL_RECORD_OK = 0,
    AMPEL_RECORD_SHORT,   /* the bytes end before the record does: a torn tail, or read more */
    AMPEL_RECORD_DAMAGED, /* magic, size or checksum is wrong */
    AMPEL_RECORD_NEWER,   /* a version this build does not know */
};
/* Header and checksum; trusts nothing. size is what may be read. */
AMPEL_MUST_CHECK enum ampel_record_status ampel_record_check(const uint8_t *bytes, size_t size,
                                                             struct ampel_record_header *out);

/* Walks the frames of a checked record; *cursor starts 0. accounts memory is the reader's, reused. TICK and RULES
   records give frames without events, producer or accounts, one a partition. False at the end, or, with error filled
   (error->reason not empty), where a frame inside is not what encode writes. */
struct ampel_record_reader;
struct ampel_record_reader *ampel_record_reader_open(void);
void ampel_record_reader_close(struct ampel_record_reader *reader);
AMPEL_MUST_CHECK bool ampel_record_frame_next(struct ampel_record_reader *reader,
                                              const uint8_t *bytes, uint32_t *cursor,
                                              struct ampel_frame *out, struct ampel_error *error);

/* Of a checked RULES record: its number and text (the record's). False: it is of another kind, or (error filled) not what
   encode writes. */
AMPEL_MUST_CHECK bool ampel_record_rules(const uint8_t *bytes, uint64_t *number,
                                         struct ampel_text *text, struct ampel_error *error);

/* Walks the partitions of a checked record alone, at little cost: which shards it concerns. *cursor starts 0. False at the
   end, or, with error filled, where the frames do not fill the record. */
AMPEL_MUST_CHECK bool ampel_record_partition_next(const uint8_t *bytes, uint32_t *cursor,
                                                  uint32_t *partition, struct ampel_error *error);

/* The same walk for who looks ahead: what stands in the head of the next frame of a BATCH record, believed no further than that
   it may be read. False at the end, where the frames do not fill the record, and for other records. */
struct ampel_record_names {
    uint32_t partition, accounts_count;
    const uint8_t *hashes; /* u64 of each account; the record's */
};
AMPEL_MUST_CHECK bool ampel_record_names_next(const uint8_t *bytes, uint32_t *cursor,
                                              struct ampel_record_names *out);

/* One refused event as it was remembered with the frame just read. Index below the count. */
struct ampel_record_refused {
    uint32_t event_index;
    uint8_t verdict;
    uint8_t type;
    int64_t at_ms;
    struct ampel_text field, seller, marketplace, id; /* borrowed from the record; may be empty */
};
uint32_t ampel_record_refused_count(const struct ampel_record_reader *reader); /* remembered, <= 100 */
uint32_t ampel_record_refused_total(const struct ampel_record_reader *reader); /* all of the batch */
void ampel_record_refused_get(const struct ampel_record_reader *reader, uint32_t index,
                              struct ampel_record_refused *out);

#ifdef __cplusplus
}
#endif

#endif

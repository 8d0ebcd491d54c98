/* Batches: what a feeder sends, one msgpack map (proto/WIRE.md is the contract).

   Decoding walks the bytes with bounds first, then msgpack-c reads the envelope, columns are used in
   place; narrow columns and rows become whole ones in the decoder's memory. Whole batches are
   refused for their shape; single events get verdicts. The same bytes always meet the same verdicts. */
#ifndef AMPEL_PROTO_BATCH_H
#define AMPEL_PROTO_BATCH_H

#include "engine/event.h"
#include "engine/frame.h"
#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- building (feeders) --------------------------------------------------------------------- */

struct ampel_batch_builder;

/* Collects events of one tenant. NULL when there is no memory. Lifetime: until close. Thread: one. */
struct ampel_batch_builder *ampel_batch_builder_open(void);
void ampel_batch_builder_close(struct ampel_batch_builder *builder);
void ampel_batch_builder_reset(struct ampel_batch_builder *builder);
/* False when the batch is full (AMPEL_BATCH_* bounds): finish it and start anew. Copies everything. */
AMPEL_MUST_CHECK bool ampel_batch_builder_push(struct ampel_batch_builder *builder,
                                               struct ampel_text seller,
                                               struct ampel_text marketplace,
                                               const struct ampel_event *event);
uint32_t ampel_batch_builder_events(const struct ampel_batch_builder *builder);
uint32_t ampel_batch_builder_bytes(const struct ampel_batch_builder *builder); /* about, of the encoding */

/* The collected events as the engine reads them, without wire and log between (files, tests): stamp, producer and position
   are 0. Borrowed from the builder until its next call. False: no memory. */
AMPEL_MUST_CHECK bool ampel_batch_builder_frame(struct ampel_batch_builder *builder,
                                                struct ampel_text tenant, struct ampel_frame *out);

struct ampel_batch_header {
    struct ampel_text producer; /* id, 1..64 bytes */
    uint64_t sequence;          /* from 0, one up for each batch */
    int64_t sent_at_ms;         /* fixed at the first sending */
    bool backfill;
};
/* The newest version of batches that is read, and the one whose columns may be narrow. */
#define AMPEL_BATCH_VERSION        2
#define AMPEL_BATCH_VERSION_NARROW 2

/* Encodes with columns, as narrow as what they hold allows where that takes fewer bytes, or rows.
   *bytes is the builder's, until its next call. False: no memory. */
AMPEL_MUST_CHECK bool ampel_batch_encode(struct ampel_batch_builder *builder,
                                         const struct ampel_batch_header *header, bool rows,
                                         const uint8_t **bytes, uint32_t *size);

/* ---- reading (gateway, ampel) --------------------------------------------------------------- */

struct ampel_batch_decoder; /* its memory is reused from batch to batch */
struct ampel_batch_decoder *ampel_batch_decoder_open(void);
void ampel_batch_decoder_close(struct ampel_batch_decoder *decoder);

struct ampel_batch_refused {
    uint32_t event_index;
    uint8_t verdict;      /* enum ampel_verdict, never OK */
    const char *field;    /* static storage, "" if none */
};

struct ampel_batch {
    struct ampel_batch_header header;
    struct ampel_frame frame; /* all events as sent; tenant empty, stamp 0, account hashes 0 */
    uint32_t refused_count;
    const struct ampel_batch_refused *refused; /* ascending by index */
};

/* Everything in out is borrowed from bytes and decoder until either is used again.
   False: the batch as a whole cannot be read, error says where, or that there was no memory. Where at least producer and sequence could
   be read they stand in out->header, else producer is empty (so that the refusal can name its batch). */
AMPEL_MUST_CHECK bool ampel_batch_decode(struct ampel_batch_decoder *decoder, const uint8_t *bytes,
                                         uint32_t size, struct ampel_batch *out,
                                         struct ampel_error *error);

/* The header alone, for who passes a batch on without looking at its events; they are the receiver's to judge. Reads no further
   than the last key it needs. producer is borrowed from bytes. False: error says what is missing. */
AMPEL_MUST_CHECK bool ampel_batch_header_decode(const uint8_t *bytes, uint32_t size,
                                                struct ampel_batch_header *out,
                                                struct ampel_error *error);

/* ---- encoded files (ampel encode) ----------------------------------------------------------- */
/* A file is "AMPELB1\n", then records of: tenant size u8, tenant, size u32 little-endian, batch bytes, xxh3_64 of the batch
   bytes u64. A feeder sends each record's bytes as they are. Producer, sequence and sent_at inside are those given
   to `ampel encode`. */
#define AMPEL_BATCH_FILE_MAGIC "AMPELB1\n"

#ifdef __cplusplus
}
#endif

#endif

/* Encoded files (`ampel encode`): batches with all that their sending needs, sent later without
   parsing.

       file    "AMPELB1\n", then records                             numbers little-endian
       record  tenant size u8 | tenant | size u32 | batch bytes | xxh3_64 of the batch bytes u64

   These functions know bytes, not files: who reads keeps a window of the file and moves on by the
   sizes told here. Thread: any. */
#ifndef AMPEL_PROTO_BATCH_FILE_H
#define AMPEL_PROTO_BATCH_FILE_H

#include "proto/batch.h"
#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_BATCH_FILE_MAGIC_BYTES (sizeof(AMPEL_BATCH_FILE_MAGIC) - 1)
/* Every record fits a window of this size. */
#define AMPEL_BATCH_FILE_RECORD_MAX (1 + AMPEL_ID_BYTES_MAX + 4 + AMPEL_BATCH_BYTES_MAX + 8)

/* Whether a file that begins with these bytes is an encoded one; size may be less than the magic's
 * (then false). */
AMPEL_MUST_CHECK bool ampel_batch_file_is(const uint8_t *bytes, size_t size);

struct ampel_batch_file_record {
    struct ampel_text tenant; /* borrowed, like batch */
    const uint8_t *batch;
    uint32_t batch_size;
    uint32_t record_size; /* where the next one begins, from the start of this one */
};

enum ampel_batch_file_status {
    AMPEL_BATCH_FILE_OK = 0,
    AMPEL_BATCH_FILE_SHORT,   /* the bytes end within the record: read more; at the file's end it is
                                 torn */
    AMPEL_BATCH_FILE_DAMAGED, /* error says what is wrong */
};
/* The record that begins at bytes; size > 0 is what may be read. */
AMPEL_MUST_CHECK enum ampel_batch_file_status
ampel_batch_file_next(const uint8_t *bytes, size_t size, struct ampel_batch_file_record *out,
                      struct ampel_error *error);

/* What stands before and after a batch's bytes in its record; the caller writes head, batch, tail.
   The tenant is a valid id, size at most AMPEL_BATCH_BYTES_MAX. */
struct ampel_batch_file_wrap {
    uint8_t head[1 + AMPEL_ID_BYTES_MAX + 4];
    uint8_t tail[8];
    uint32_t head_size;
};
void ampel_batch_file_wrap(struct ampel_text tenant, const uint8_t *batch, uint32_t size,
                           struct ampel_batch_file_wrap *out);

#ifdef __cplusplus
}
#endif

#endif

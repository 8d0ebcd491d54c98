/* The columns of a batch, as they stand on the wire (proto/WIRE.md, section 4). Part of reading batches. */
#ifndef AMPEL_PROTO_BATCH_COLUMNS_H
#define AMPEL_PROTO_BATCH_COLUMNS_H

#include "engine/frame.h"
#include "proto/columns.h"
#include "proto/error.h"
#include "proto/pack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* map: the value under `columns`, closed. Points the frame's columns into its bytes or, where they are narrow, into wide, which
   is overwritten; narrow: they may be. Extras are judged as a whole, no event is. False: error names the column. */
AMPEL_MUST_CHECK bool ampel_batch_columns_read(const struct ampel_pack *map, bool narrow, struct ampel_columns *wide,
                                               struct ampel_frame *frame, struct ampel_error *error);

#ifdef __cplusplus
}
#endif

#endif

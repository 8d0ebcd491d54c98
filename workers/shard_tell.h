/* How a shard puts into parcels and rows what an engine names: changes for the publisher, refusals and forgotten
   violations for the next checkpoint, producer windows for the gateway. Thread: the shard's. */
#ifndef AMPEL_WORKERS_SHARD_TELL_H
#define AMPEL_WORKERS_SHARD_TELL_H

#include "proto/record.h"
#include "workers/checkpoint_build.h"
#include "workers/parcel.h"

/* Score changes and alerts. *out stays NULL where there are none among the changes; *size_bytes is what they take while
   they wait folded. False: no memory. */
AMPEL_MUST_CHECK bool ampel_shard_tell(const struct ampel_engine *engine, uint32_t partition,
                                       const struct ampel_change *changes, uint32_t count,
                                       struct ampel_parcel_out **out, uint64_t *size_bytes);

/* Refused events and forgotten violations among the changes. frame NULL: they come from time alone. */
AMPEL_MUST_CHECK bool ampel_shard_gather(const struct ampel_engine *engine,
                                         const struct ampel_frame *frame,
                                         const struct ampel_change *changes, uint32_t count,
                                         struct ampel_gathered *gathered);

/* Events that the gateway refused, as the frame just read remembers them. */
AMPEL_MUST_CHECK bool ampel_shard_gather_refused(const struct ampel_record_reader *reader,
                                                 const struct ampel_frame *frame,
                                                 struct ampel_gathered *gathered);

struct ampel_parcel_windows *ampel_shard_windows_make(void); /* NULL: no memory */
AMPEL_MUST_CHECK bool ampel_shard_windows_add(struct ampel_parcel_windows *windows,
                                              const struct ampel_engine *engine);

/* The index of a refused event that only its id tells: refused by a shard, not by the gateway. */
#define AMPEL_EVENT_INDEX_NONE UINT32_MAX

#endif

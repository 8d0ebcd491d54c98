/* Streams of what is told: numbers without a gap, and what watchers may still want of them.

       stream   (tenant, alerts or scores): ... first ............ next
                what lies in [first, next) is kept; all below first is stored, so that the outbox has it
       kept     folded changes in a line, each with whether it is stored; a message is made of one when somebody is sent it
       encoded  the last messages that were made: who else watches the same stream is sent the same bytes

   What is not stored yet is never dropped. What is stored is dropped from the front while a stream holds more than its
   share of kept_bytes_max (all streams share it alike), looked at whenever the stream moves. Thread: the publisher's. */
#ifndef AMPEL_WORKERS_PUBLISHER_STREAMS_H
#define AMPEL_WORKERS_PUBLISHER_STREAMS_H

#include "engine/bounds.h"
#include "proto/message.h"
#include "workers/folded.h"

struct ampel_publisher_streams;

struct ampel_publisher_streams *ampel_publisher_streams_open(uint64_t kept_bytes_max); /* NULL: no memory */
void ampel_publisher_streams_close(struct ampel_publisher_streams *streams);

/* The index of a stream, which is made if there is none (its next number is 1). False: no memory. */
AMPEL_MUST_CHECK bool ampel_publisher_streams_claim(struct ampel_publisher_streams *streams,
                                                    struct ampel_text tenant, enum ampel_stream kind,
                                                    uint32_t *index);
/* Where the outbox says that a stream stands; before anything is told in it. */
void ampel_publisher_streams_start(struct ampel_publisher_streams *streams, uint32_t index, uint64_t next);

const char *ampel_publisher_streams_tenant(const struct ampel_publisher_streams *streams, uint32_t index);
enum ampel_stream ampel_publisher_streams_kind(const struct ampel_publisher_streams *streams, uint32_t index);
uint64_t ampel_publisher_streams_next(const struct ampel_publisher_streams *streams, uint32_t index);
/* The first number that this worker gave or will give: what stands before it was given by earlier ones. */
uint64_t ampel_publisher_streams_since(const struct ampel_publisher_streams *streams, uint32_t index);
uint64_t ampel_publisher_streams_first(const struct ampel_publisher_streams *streams, uint32_t index);

/* Keeps a change that has the number `next`, which goes up by one; holds it once more until it is stored, and notes its stream as the
   change's place. False: no memory, nothing changed. */
AMPEL_MUST_CHECK bool ampel_publisher_streams_push(struct ampel_publisher_streams *streams, uint32_t index,
                                                   struct ampel_folded *folded);
/* The message of what is kept, first <= number < next, of this worker's epoch. Borrowed until the next call of this room. */
void ampel_publisher_streams_get(struct ampel_publisher_streams *streams, uint32_t index, uint64_t number,
                                 uint64_t epoch, const uint8_t **bytes, uint32_t *size);
/* The change is in the database now. */
void ampel_publisher_streams_stored(struct ampel_publisher_streams *streams, uint32_t index, uint64_t number);
/* Kept and not stored, of all streams. */
uint64_t ampel_publisher_streams_unstored_bytes(const struct ampel_publisher_streams *streams);

#endif

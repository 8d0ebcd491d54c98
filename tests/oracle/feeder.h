/* A feeder as an agency would write it: keeps each batch until its ack, sends what is open again after a lost connection,
   heeds credit and "come later". Memory is the C library's; when there is none the program stops. Thread: one. */
#ifndef AMPEL_TESTS_ORACLE_FEEDER_H
#define AMPEL_TESTS_ORACLE_FEEDER_H

#include "proto/batch.h"
#include "proto/message.h"
#include "tests/oracle/loopback.h"

struct ampel_feeder;

struct ampel_feeder *ampel_feeder_open(struct ampel_loopback *network, const char *tenant,
                                       const char *producer);
void ampel_feeder_close(struct ampel_feeder *feeder); /* NULL is fine */

/* Encodes and keeps what the builder holds under the next sequence, then resets the builder. Returns the sequence. */
uint64_t ampel_feeder_add(struct ampel_feeder *feeder, struct ampel_batch_builder *builder,
                          int64_t sent_at_ms, bool backfill);
/* Connects where the connection is gone, sends what may be sent, reads what came. now_ms decides when a batch that was
   sent back is sent again. */
void ampel_feeder_pump(struct ampel_feeder *feeder, int64_t now_ms);
/* Sends a batch once more, acked or not. */
void ampel_feeder_resend(struct ampel_feeder *feeder, uint64_t sequence);

/* The same through another connection of the same key, as a second process of the agency might. */
void ampel_feeder_resend_elsewhere(struct ampel_feeder *feeder, uint64_t sequence);
/* The feeder's process starts again: it knows its batches from its source, and nothing of what was acked. */
void ampel_feeder_restart(struct ampel_feeder *feeder);
/* A batch without an answer for so long is sent again. INT64_MAX, as it is at first: never. */
void ampel_feeder_patience(struct ampel_feeder *feeder, int64_t patience_ms);
uint64_t ampel_feeder_count(const struct ampel_feeder *feeder);
/* Whether the worker ever said that the batch is durable; restarts do not change it. */
bool ampel_feeder_is_acked(const struct ampel_feeder *feeder, uint64_t sequence);
/* Whether it ever was on its way. */
bool ampel_feeder_was_sent(const struct ampel_feeder *feeder, uint64_t sequence);

bool ampel_feeder_done(const struct ampel_feeder *feeder); /* every batch is acked */
uint64_t ampel_feeder_acked(const struct ampel_feeder *feeder);
uint64_t ampel_feeder_refused(const struct ampel_feeder *feeder);    /* events, by the acks */
uint64_t ampel_feeder_duplicates(const struct ampel_feeder *feeder); /* acks that said so */
/* Why batches came back, how often. */
uint64_t ampel_feeder_backs(const struct ampel_feeder *feeder, enum ampel_back_reason reason);
/* Of the last welcome. */
uint64_t ampel_feeder_next(const struct ampel_feeder *feeder);

#endif

/* The record store under violations.h: places, order, heap and index; it knows no rules. */
#ifndef AMPEL_ENGINE_RECORDS_H
#define AMPEL_ENGINE_RECORDS_H

#include "engine/violations.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a record of this key and id stands, or would stand, among the first ordered_count in order. */
uint32_t ampel_records_place(const struct ampel_violations *block, uint8_t policy, int64_t at_ms,
                             struct ampel_text id, uint32_t ordered_count);
/* A new record like this one, whose id must be unknown, at that place of the order, in index and heap. seen_ms
   is the at of what told of it; window_ms, the rule's, is kept where the record is the first. Returns *block,
   which may be another now. NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_violations *
ampel_records_put(struct ampel_violations **block, struct ampel_pool *pool,
                  const struct ampel_violation_hot *hot,
                  const struct ampel_text texts[AMPEL_TEXTS_COUNT], int64_t sales_cents,
                  uint32_t position, int64_t seen_ms, int64_t window_ms);
/* What index and search know an id by. */
uint32_t ampel_records_hash(struct ampel_text id);
/* ampel_violations_find for who has the hash already. */
uint16_t ampel_records_find(const struct ampel_violations *block, struct ampel_text id,
                            uint32_t hash);
/* A new waiting record with this id (which must be unknown) at the end of count, in index, order
   and heap. AMPEL_VIOLATION_NONE: no memory. */
AMPEL_MUST_CHECK uint16_t ampel_records_claim(struct ampel_violations **block,
                                              struct ampel_pool *pool, struct ampel_text id,
                                              int64_t at_ms, int64_t window_ms);
/* Takes it out of everything; the last record takes its number. *block becomes NULL with the last
   one. Shrinks where it can. */
void ampel_records_release(struct ampel_violations **block, struct ampel_pool *pool,
                           uint16_t record);

/* Below 0, 0 or above: a sorts before, is, or sorts behind b. */
int ampel_records_compare(const struct ampel_violations *block, uint16_t a, uint16_t b);
/* Where a record stands in the order. It must be there under its present key. */
uint32_t ampel_records_position(const struct ampel_violations *block, uint16_t record);
/* The first position whose (policy, at) is not below this one. */
uint32_t ampel_records_position_from(const struct ampel_violations *block, uint8_t policy,
                                     int64_t at_ms);
/* Behind the last position of a policy, or further behind where the block has no index. */
uint32_t ampel_records_run_end(const struct ampel_violations *block, uint8_t policy);
void ampel_records_order_remove(struct ampel_violations *block, uint32_t position,
                                uint32_t ordered_count);
/* Puts it where its key belongs among ordered_count others; returns the position. */
uint32_t ampel_records_order_insert(struct ampel_violations *block, uint16_t record,
                                    uint32_t ordered_count);

/* The record's due has changed, or what breaks its ties. */
void ampel_records_due_renew(struct ampel_violations *block, uint16_t record);
/* The same where it can only have become later. */
void ampel_records_due_later(struct ampel_violations *block, uint16_t record);
void ampel_records_heap_rebuild(struct ampel_violations *block);

/* Replaces the texts behind the id (or all, for a new record). False: no memory. */
AMPEL_MUST_CHECK bool ampel_records_texts_set(struct ampel_violations *block,
                                              struct ampel_pool *pool, uint16_t record,
                                              const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                              int64_t sales_cents);
bool ampel_records_sane(const struct ampel_violations *block);

#ifdef __cplusplus
}
#endif

#endif

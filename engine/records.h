/* The record store under violations.h: it knows no rules. Four rooms share it:

       records.c   what only people read, and records that come and go
       places.c    the order: where records stand, runs and the room between them
       dues.c      what turns next
       ids.c       the index by id */
#ifndef AMPEL_ENGINE_RECORDS_H
#define AMPEL_ENGINE_RECORDS_H

#include "engine/violations.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- records -------------------------------------------------------------------------------- */

/* Makes room for one more record, whose number is the count, with these texts, seen at seen_ms; the id must be
   unknown. Returns it, cleared, for the caller to fill and to add. window_days, the rule's, is kept where the
   record is the first. *block may be another then. NULL: no memory, nothing has changed. */
AMPEL_MUST_CHECK struct ampel_violation_hot *
ampel_records_claim(struct ampel_violations **block, struct ampel_pool *pool,
                    const struct ampel_text texts[AMPEL_TEXTS_COUNT], int64_t sales_cents,
                    int64_t seen_ms, int64_t window_ms);
/* What was claimed and filled is counted, and takes its place, found for it since, in order, dues and index. */
void ampel_records_add(struct ampel_violations *block, uint32_t place, uint16_t rank);
/* Takes it out of everything; the last record takes its number. *block becomes NULL with the last
   one. Shrinks where it can. */
void ampel_records_release(struct ampel_violations **block, struct ampel_pool *pool,
                           uint16_t record);
/* Replaces the texts behind the id. False: no memory. */
AMPEL_MUST_CHECK bool ampel_records_texts_set(struct ampel_violations *block,
                                              struct ampel_pool *pool, uint16_t record,
                                              const struct ampel_text texts[AMPEL_TEXTS_COUNT],
                                              int64_t sales_cents);
bool ampel_records_sane(const struct ampel_violations *block);

/* ---- places --------------------------------------------------------------------------------- */

/* Where a record of this key and id stands, or would stand, among the first ordered_count in order. Of many,
   its run has room for one more before this is asked for a place to put it. */
uint32_t ampel_places_find(const struct ampel_violations *block, uint8_t policy, int64_t at_ms,
                           struct ampel_text id, uint32_t ordered_count);
/* Where a record stands. It must be there under its present key. */
uint32_t ampel_places_of(const struct ampel_violations *block, uint16_t record);
/* The first place of a policy whose at is not below this one; behind its last, where there is none. */
uint32_t ampel_places_from(const struct ampel_violations *block, uint8_t policy, int64_t at_ms);
/* The same as the number of records that stand before it. */
uint32_t ampel_places_count_from(const struct ampel_violations *block, uint8_t policy, int64_t at_ms);
/* Whether nothing stands behind this place. */
bool ampel_places_last(const struct ampel_violations *block, uint32_t place);
/* (policy, at) as one number: a policy stands above any time. */
#define AMPEL_SORT_SHIFT 56
static_assert(AMPEL_TIME_MAX_MS < INT64_C(1) << AMPEL_SORT_SHIFT, "a time stands below a policy");
/* Below 0, 0 or above: a sorts before, is, or sorts behind b. */
int ampel_places_compare(const struct ampel_violations *block, uint16_t a, uint16_t b);
/* Room for one more of this policy. Places of others may be others behind. Of a few: nothing to do. */
void ampel_places_reserve(struct ampel_violations *block, uint8_t policy);
/* Puts it there among ordered_count others, marked as changed where that is set in its flags. */
void ampel_places_put(struct ampel_violations *block, uint16_t record, uint32_t place, uint16_t rank,
                      uint32_t ordered_count);
void ampel_places_remove(struct ampel_violations *block, uint32_t place, uint32_t ordered_count);
/* All records of another block, into one that has none in order yet. */
void ampel_places_copy(struct ampel_violations *to, const struct ampel_violations *from);
bool ampel_places_sane(const struct ampel_violations *block);

static inline struct ampel_violations_run *
ampel_places_run(const struct ampel_violations *block, uint32_t policy) {
    return &ampel_violations_runs(block)[policy < AMPEL_POLICIES_MAX ? policy : AMPEL_POLICIES_MAX];
}
static inline int64_t ampel_key_at_ms(uint64_t key) {
    return (int64_t)(key >> AMPEL_KEY_AT_SHIFT);
}
static inline uint64_t ampel_key_make(int64_t at_ms, uint16_t rank, bool changed) {
    return (uint64_t)at_ms << AMPEL_KEY_AT_SHIFT | (uint64_t)rank << AMPEL_KEY_RANK_SHIFT |
           (changed ? AMPEL_KEY_CHANGED : 0);
}

/* ---- dues ----------------------------------------------------------------------------------- */

/* The last record is new. */
void ampel_dues_add(struct ampel_violations *block);
/* The record's due has changed, or what breaks its ties. */
void ampel_dues_renew(struct ampel_violations *block, uint16_t record);
/* The record leaves; numbers are those of before. */
void ampel_dues_remove(struct ampel_violations *block, uint16_t record);
/* The record that was the last has this number now. */
void ampel_dues_renumber(struct ampel_violations *block, uint16_t from, uint16_t to);
/* All anew. */
void ampel_dues_rebuild(struct ampel_violations *block);
bool ampel_dues_sane(const struct ampel_violations *block);

/* ---- ids ------------------------------------------------------------------------------------ */

/* What index and search know an id by. */
uint32_t ampel_ids_hash(struct ampel_text id);
/* ampel_violations_find for who has the hash already. */
uint16_t ampel_ids_find(const struct ampel_violations *block, struct ampel_text id, uint32_t hash);
/* Of many, as all that follows: where the search for a hash begins. */
static inline const uint32_t *ampel_ids_entry(const struct ampel_violations *block, uint32_t hash) {
    return ampel_violations_index(block) + (hash & (2 * (uint32_t)block->capacity - 1));
}
void ampel_ids_put(struct ampel_violations *block, uint16_t record);
void ampel_ids_remove(struct ampel_violations *block, uint16_t record);
void ampel_ids_renumber(struct ampel_violations *block, uint16_t from, uint16_t to);

#ifdef __cplusplus
}
#endif

#endif

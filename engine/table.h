/* Where an account is: a hash table that grows by small steps (extendible hashing).

       directory   2^depth pointers, by the top bits of a tag; several may point to one segment
       segment     512 entries (tag u32, slot + 1 u32), open addressing, at most half of them taken
                   ──▶ overflow: another segment, where names were chosen so that their tags agree

   A full segment splits in two by the next bit of the tags: one insert moves some hundred entries, and only the
   directory (some 4 bytes an account) doubles at times. How deep it may go follows from the number of accounts, so
   that no tenant can blow it up by choosing names; what does not fit then overflows. Entries are never removed. */
#ifndef AMPEL_ENGINE_TABLE_H
#define AMPEL_ENGINE_TABLE_H

#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_TABLE_SEGMENT_ENTRIES 512
#define AMPEL_TABLE_DEPTH_MAX       23 /* of 32 bits; the 9 lowest ones place the entry */

struct ampel_table_entry {
    uint32_t tag;
    uint32_t slot_and_one; /* 0: free */
};

struct ampel_table_segment {
    uint32_t depth; /* how many top bits all its tags share */
    uint32_t count;
    struct ampel_table_segment *overflow;
    struct ampel_table_entry entries[AMPEL_TABLE_SEGMENT_ENTRIES];
};

struct ampel_table {
    struct ampel_table_segment **directory;
    uint32_t depth;
    uint32_t count; /* of all entries */
};

AMPEL_MUST_CHECK bool ampel_table_init(struct ampel_table *table, struct ampel_pool *pool,
                                       uint32_t expected);
/* The tag of an account hash. The partition fixes the hash's low bits, so they are mixed upwards.
 */
static inline uint32_t ampel_table_tag(uint64_t hash) {
    return (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static inline struct ampel_table_segment *ampel_table_segment_of(const struct ampel_table *table,
                                                                 uint32_t tag) {
    return table->directory[((uint64_t)tag << table->depth) >> 32];
}

AMPEL_INLINE void ampel_table_prefetch(const struct ampel_table *table, uint32_t tag) {
    __builtin_prefetch(
        &ampel_table_segment_of(table, tag)->entries[tag % AMPEL_TABLE_SEGMENT_ENTRIES]);
}

/* The next slot whose tag is this one, UINT32_MAX at the end; *step starts 0. */
uint32_t ampel_table_next(const struct ampel_table *table, uint32_t tag, uint32_t *step);
/* False: no memory. */
AMPEL_MUST_CHECK bool ampel_table_push(struct ampel_table *table, struct ampel_pool *pool,
                                       uint32_t tag, uint32_t slot);

#ifdef __cplusplus
}
#endif

#endif

/* Where an account is: a hash table that grows by small steps (extendible hashing).

       directory   2^depth pointers, by the top bits of a tag; several may point to one segment
       segment     head (one line) | 254 buckets (one line each), at most 5/8 of their entries taken
                   ──▶ overflow: another segment, where names were chosen so that their tags agree
       bucket      8 entries (tag u32, slot + 1 u32); the low bits of a tag name an entry, from where
                   its bucket is searched round, then the next one

   So nearly every search reads one line, and the directory of a million accounts (16 KiB) stays near.
   A full segment splits in two by the next bit of the tags: one insert moves about a thousand entries
   (some microseconds). How deep the directory may go follows from the number of accounts, so that no
   tenant can blow it up by choosing names; what does not fit then overflows. Entries are never
   removed. */
#ifndef AMPEL_ENGINE_TABLE_H
#define AMPEL_ENGINE_TABLE_H

#include <assert.h>

#include "engine/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* With its head and what aligns it a segment fills 16 KiB. */
#define AMPEL_TABLE_SEGMENT_ENTRIES 2032
#define AMPEL_TABLE_BUCKET_ENTRIES  8
#define AMPEL_TABLE_PLACE_BITS      16 /* the lowest ones of a tag, which name its entry */
#define AMPEL_TABLE_DEPTH_MAX       (32 - AMPEL_TABLE_PLACE_BITS)

struct ampel_table_entry {
    uint32_t tag;
    uint32_t slot_and_one; /* 0: free */
};

struct ampel_table_segment {
    uint32_t depth; /* how many top bits all its tags share */
    uint32_t count;
    struct ampel_table_segment *overflow;
    void *block; /* what the pool gave; the segment starts at the first line in it */
    uint64_t reserved[5];
    struct ampel_table_entry entries[AMPEL_TABLE_SEGMENT_ENTRIES];
};
static_assert(offsetof(struct ampel_table_segment, entries) == 64, "buckets are lines");

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

/* The entry that a tag names. */
static inline uint32_t ampel_table_home(uint32_t tag) {
    uint32_t low = tag % (UINT32_C(1) << AMPEL_TABLE_PLACE_BITS);
    return low * AMPEL_TABLE_SEGMENT_ENTRIES >> AMPEL_TABLE_PLACE_BITS;
}

/* Fetches the tag's bucket; returns the entry that it names, for ampel_table_first. Borrowed until the next push. */
AMPEL_INLINE const struct ampel_table_entry *ampel_table_prefetch(const struct ampel_table *table,
                                                                  uint32_t tag) {
    const struct ampel_table_entry *home =
        &ampel_table_segment_of(table, tag)->entries[ampel_table_home(tag)];
    __builtin_prefetch(home);
    return home;
}

/* The next slot whose tag is this one, UINT32_MAX at the end; *step starts 0. */
uint32_t ampel_table_next(const struct ampel_table *table, uint32_t tag, uint32_t *step);
/* The first one, mostly where the tag says (home), else of the same bucket; whoever is new mostly finds it free. */
static inline uint32_t ampel_table_first(const struct ampel_table *table,
                                         const struct ampel_table_entry *home, uint32_t tag) {
    if (home->tag == tag && home->slot_and_one != 0) return home->slot_and_one - 1;
    uint32_t place = ampel_table_home(tag) % AMPEL_TABLE_BUCKET_ENTRIES, step = 0;
    const struct ampel_table_entry *bucket = home - place, *entry = home;
    for (uint32_t i = 1; i < AMPEL_TABLE_BUCKET_ENTRIES && entry->slot_and_one != 0; i++) {
        entry = &bucket[(place + i) % AMPEL_TABLE_BUCKET_ENTRIES];
        if (entry->tag == tag && entry->slot_and_one != 0) return entry->slot_and_one - 1;
    }
    if (entry->slot_and_one == 0 && ampel_table_segment_of(table, tag)->overflow == NULL) return UINT32_MAX;
    return ampel_table_next(table, tag, &step);
}
/* False: no memory. */
AMPEL_MUST_CHECK bool ampel_table_push(struct ampel_table *table, struct ampel_pool *pool,
                                       uint32_t tag, uint32_t slot);

#ifdef __cplusplus
}
#endif

#endif

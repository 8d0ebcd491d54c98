#include "proto/hash.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "engine/bounds.h"
#include "engine/load.h"

uint64_t ampel_hash_bytes(const void *bytes, size_t size) {
    return XXH3_64bits(bytes, size);
}

uint64_t ampel_hash_around(const uint8_t *bytes, size_t size, size_t hole) {
    static const uint8_t zeros[8];
    AMPEL_ASSERT(hole + 8 <= size);
    XXH3_state_t state;
    (void)XXH3_64bits_reset(&state);
    (void)XXH3_64bits_update(&state, bytes, hole);
    (void)XXH3_64bits_update(&state, zeros, sizeof zeros);
    (void)XXH3_64bits_update(&state, bytes + hole + 8, size - hole - 8);
    return XXH3_64bits_digest(&state);
}

/* Ids are at most 64 bytes, so that what is hashed fits a few lines of cache. */
struct joined {
    uint32_t size;
    char bytes[3 * (AMPEL_ID_BYTES_MAX + 1)];
};

static void joined_push(struct joined *joined, struct ampel_text text) {
    AMPEL_ASSERT(text.size <= AMPEL_ID_BYTES_MAX);
    if (joined->size > 0) joined->bytes[joined->size++] = '/';
    if (text.size > 0) memcpy(joined->bytes + joined->size, text.bytes, text.size);
    joined->size += text.size;
}

uint64_t ampel_hash_account(struct ampel_text tenant, struct ampel_text seller,
                            struct ampel_text marketplace) {
    struct joined joined;
    joined.size = 0;
    joined_push(&joined, tenant);
    joined_push(&joined, seller);
    joined_push(&joined, marketplace);
    return XXH3_64bits(joined.bytes, joined.size);
}

uint64_t ampel_hash_producer(struct ampel_text tenant, struct ampel_text producer) {
    struct joined joined;
    joined.size = 0;
    joined_push(&joined, tenant);
    joined_push(&joined, producer);
    return XXH3_64bits(joined.bytes, joined.size);
}

uint32_t ampel_hash_partition(uint64_t account_hash, uint32_t partitions) {
    AMPEL_ASSERT(partitions > 0);
    /* A division costs more than the rest of the account's way; the default is a power of two. */
    if ((partitions & (partitions - 1)) == 0) return (uint32_t)account_hash & (partitions - 1);
    return (uint32_t)(account_hash % partitions);
}

static uint8_t *put_text(uint8_t *to, struct ampel_text text) {
    AMPEL_ASSERT(text.size <= AMPEL_ID_BYTES_MAX);
    *to++ = (uint8_t)text.size;
    if (text.size > 0) memcpy(to, text.bytes, text.size);
    return to + text.size;
}

/* The severity is left out: it is what the rules make of the event, and other rules may read it
 * again. Other rules may hold twice within a millisecond: the record that brought them tells them apart. */
void ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                       struct ampel_text marketplace, const struct ampel_change *change,
                       char out[AMPEL_CHANGE_ID_SIZE]) {
    const struct ampel_cause *cause = &change->cause;
    uint8_t bytes[5 * (AMPEL_ID_BYTES_MAX + 1) + 8 + 3 * 8];
    uint8_t *to = bytes;
    to = put_text(to, tenant);
    to = put_text(to, seller);
    to = put_text(to, marketplace);
    to = put_text(to, (struct ampel_text){cause->id, cause->id_size});
    to = put_text(to, (struct ampel_text){cause->producer, cause->producer_size});
    *to++ = change->kind;
    *to++ = change->cap_group;
    *to++ = change->verdict;
    *to++ = cause->kind;
    *to++ = cause->event_type;
    *to++ = cause->policy;
    *to++ = cause->code;
    ampel_store_i64(to, change->at_ms);
    ampel_store_i64(to + 8, cause->at_ms);
    bool rules = cause->kind == AMPEL_CAUSE_RULES;
    ampel_store_u64(to + 16, rules ? change->position : cause->sequence);
    to += 24;

    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, (size_t)(to - bytes)));
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < sizeof canonical.digest; i++) {
        out[2 * i] = digits[canonical.digest[i] >> 4];
        out[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    out[AMPEL_CHANGE_ID_SIZE - 1] = 0;
}

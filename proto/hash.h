/* Hashes that are promises: where an account lives, what an alert is called, whether bytes are
   whole. All are XXH3 (xxHash 0.8, seed 0), whose output is fixed across versions. */
#ifndef AMPEL_PROTO_HASH_H
#define AMPEL_PROTO_HASH_H

#include "engine/base.h"
#include "engine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

uint64_t ampel_hash_bytes(const void *bytes, size_t size);
/* The same over bytes whose eight at `hole` read as zero: a checksum that lies within what it
   checks. hole + 8 <= size. */
uint64_t ampel_hash_around(const uint8_t *bytes, size_t size, size_t hole);
/* xxh3_64 of "tenant/seller/marketplace" (architecture 4.3), each a valid id; partition = hash mod
 * partitions. */
uint64_t ampel_hash_account(struct ampel_text tenant, struct ampel_text seller,
                            struct ampel_text marketplace);
/* xxh3_64 of "tenant/producer": where a batch without an accepted event is remembered. */
uint64_t ampel_hash_producer(struct ampel_text tenant, struct ampel_text producer);
uint32_t ampel_hash_partition(uint64_t account_hash, uint32_t partitions);

/* The id of a change: xxh3_128 over account, kind (with cap group and verdict), instant and
   cause, not over slots, positions or numbers,
   as 32 lower-case hex digits and a zero. A change met again has the same id. */
#define AMPEL_CHANGE_ID_SIZE 33
void ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                       struct ampel_text marketplace, const struct ampel_change *change,
                       char out[AMPEL_CHANGE_ID_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

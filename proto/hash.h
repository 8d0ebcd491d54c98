/* Hashes that are promises: where an account lives, what an alert is called, whether bytes are whole.
   All are XXH3 (xxHash 0.8, seed 0), whose output is fixed across versions. */
#ifndef AMPEL_PROTO_HASH_H
#define AMPEL_PROTO_HASH_H

#include "engine/base.h"
#include "engine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

uint64_t ampel_hash_bytes(const void *bytes, size_t size);
/* xxh3_64 of "tenant/seller/marketplace" (architecture 4.3); partition = hash mod partitions. */
uint64_t ampel_hash_account(struct ampel_text tenant, struct ampel_text seller,
                            struct ampel_text marketplace);
uint32_t ampel_hash_partition(uint64_t account_hash, uint32_t partitions);

/* The id of a change: xxh3_128 over account, kind, instant and cause (not over slots, positions or numbers),
   as 32 lower-case hex digits and a zero. A change met again has the same id. */
#define AMPEL_CHANGE_ID_SIZE 33
void ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                       struct ampel_text marketplace, const struct ampel_change *change,
                       char out[AMPEL_CHANGE_ID_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

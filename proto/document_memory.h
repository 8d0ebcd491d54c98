/* The inside of struct ampel_document_memory (proto/document.h): a set of keys, each of some day.
 */
#ifndef AMPEL_PROTO_DOCUMENT_MEMORY_H
#define AMPEL_PROTO_DOCUMENT_MEMORY_H

#include "proto/document.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Three ids and one text from outside of at most 200 bytes. */
#define AMPEL_DOCUMENT_KEY_BYTES_MAX (2 + 4 * 4 + 3 * AMPEL_ID_BYTES_MAX + AMPEL_TEXT_BYTES_MAX)

struct ampel_document_memory_key {
    uint64_t low, high; /* never both 0 */
};

/* The key of a kind and its parts, at most AMPEL_DOCUMENT_KEY_BYTES_MAX together with 4 bytes for
 * each. */
void ampel_document_memory_key_of(struct ampel_document_memory_key *key, char kind,
                                  const struct ampel_text *parts, uint32_t parts_count);
AMPEL_MUST_CHECK bool ampel_document_memory_has(const struct ampel_document_memory *memory,
                                                const struct ampel_document_memory_key *key);
/* Makes room for so many keys more; false: no memory. */
AMPEL_MUST_CHECK bool ampel_document_memory_reserve(struct ampel_document_memory *memory,
                                                    uint32_t more);
/* A key that is there keeps its day. Room must have been reserved. */
void ampel_document_memory_add(struct ampel_document_memory *memory,
                               const struct ampel_document_memory_key *key, int64_t day);

#ifdef __cplusplus
}
#endif

#endif

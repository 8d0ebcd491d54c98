/* Digests of what a database in memory holds: equal states have equal ones, in whatever order and slots they came to be.
   Thread: one. */
#ifndef AMPEL_TESTS_ORACLE_DIGEST_H
#define AMPEL_TESTS_ORACLE_DIGEST_H

#include "tests/oracle/memory_database.h"

/* Of rating, violation and refusal rows, but for times. */
uint64_t ampel_digest_rows(const struct ampel_memory_database *database);
/* Of the stored pages as engines read them, under the rules of the start; ends faults and claims each partition. False: they
   cannot be read. */
AMPEL_MUST_CHECK bool ampel_digest_pages(struct ampel_memory_database *database, uint32_t partitions,
                                         const struct ampel_rules *rules,
                                         const struct ampel_memory *memory, uint64_t *out);
/* Of an engine's accounts. */
uint64_t ampel_digest_engine(const struct ampel_engine *engine);

#endif

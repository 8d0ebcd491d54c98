/* A shard's engines as they begin: under the rules that hold for their partition, empty or as the database's pages have them.

       rules of the start ──┐
       rules of the database ┴▶ engine ◀── meta, pages (LOADED)

   Of the database's rules the last ones needed are kept decoded, with their variants, each applied.
   Owner: one shard. Thread: the shard's. */
#ifndef AMPEL_WORKERS_SHARD_IMPORT_H
#define AMPEL_WORKERS_SHARD_IMPORT_H

#include "engine/engine.h"
#include "workers/parcel.h"
#include "workers/shard_partition.h"

/* Rules with their variants, each applied. */
struct ampel_rule_set {
    uint64_t number;
    uint32_t variants_count;
    struct ampel_rules *variants;
    struct ampel_rules rules;
};

struct ampel_shard_import_options {
    struct ampel_memory memory;
    const struct ampel_rules *rules;  /* of the start; copied */
    uint32_t partitions;              /* of the system */
    uint32_t accounts_per_tenant_max; /* of the whole system: each partition takes its share, some slack added */
    uint32_t violations_per_account_max;
    bool told;                        /* what is wrong with variants is said by one shard of all */
};
struct ampel_shard_import;
AMPEL_MUST_CHECK bool ampel_shard_import_open(const struct ampel_shard_import_options *options, /* false: no memory */
                                              struct ampel_shard_import **out);
void ampel_shard_import_close(struct ampel_shard_import *import); /* NULL is fine */

/* Makes the database's rules of this number those at hand. False: the text is wrong, which was said, or no memory. */
AMPEL_MUST_CHECK bool ampel_shard_import_rules(struct ampel_shard_import *import, uint64_t number, struct ampel_text text);
/* The database's rules at hand; lent until others are. */
const struct ampel_rule_set *ampel_shard_import_rules_at_hand(const struct ampel_shard_import *import);

/* An empty engine for the partition, under the rules of its number, which are those of the start or those at hand. */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_shard_import_fresh(const struct ampel_shard_import *import,
                                                                   struct ampel_shard_partition *partition, int64_t start_ms);
/* The engine that the pages tell, under their rules; its rows all wait for order counts. False: it cannot be, which was said. */
AMPEL_MUST_CHECK bool ampel_shard_import_pages(struct ampel_shard_import *import, struct ampel_shard_partition *partition,
                                               const struct ampel_parcel_loaded *loaded);

#endif

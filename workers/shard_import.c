#include "workers/shard_import.h"

#include <stdlib.h>

#include "proto/page.h"
#include "proto/rules_file.h"
#include "workers/logline.h"

struct ampel_shard_import {
    struct ampel_shard_import_options options;
    struct ampel_page_codec *codec;
    struct ampel_rule_set start; /* number 0: those that the worker was started with */
    struct ampel_rule_set set;   /* of the database, those that were needed last */
};

/* ---- rules ---------------------------------------------------------------------------------- */

/* The variants of a rule set. One that does not apply to it, as --set may cause, is said and left out. */
static bool variants_renew(const struct ampel_shard_import *import, struct ampel_rule_set *set) {
    if (set->variants == NULL)
        set->variants = calloc(AMPEL_VARIANTS_MAX, sizeof(set->variants[0]));
    if (set->variants == NULL) return false;
    set->variants_count = 0;
    for (uint32_t i = 0; i < set->rules.variants_count; i++) {
        struct ampel_error error = {0};
        if (ampel_rules_variant(&set->rules, i, &set->variants[set->variants_count], &error)) {
            set->variants_count++;
        } else if (import->options.told) {
            ampel_log(AMPEL_LOG_WARN, "shard", "a variant does not go with the rules: left out",
                      "variant", "%s", set->rules.variants[i].name, "key", "%s", error.field,
                      "reason", "%s", error.reason, NULL);
        }
    }
    return true;
}

bool ampel_shard_import_open(const struct ampel_shard_import_options *options, struct ampel_shard_import **out) {
    struct ampel_shard_import *import = calloc(1, sizeof *import);
    if (import == NULL) return false;
    import->options = *options;
    import->start.rules = *options->rules;
    import->options.rules = &import->start.rules;
    import->codec = ampel_page_codec_open();
    if (import->codec == NULL || !variants_renew(import, &import->start)) {
        ampel_shard_import_close(import);
        return false;
    }
    *out = import;
    return true;
}

void ampel_shard_import_close(struct ampel_shard_import *import) {
    if (import == NULL) return;
    if (import->codec != NULL) ampel_page_codec_close(import->codec);
    free(import->start.variants);
    free(import->set.variants);
    free(import);
}

bool ampel_shard_import_rules(struct ampel_shard_import *import, uint64_t number, struct ampel_text text) {
    if (import->set.number == number) return true;
    struct ampel_error error = {0};
    if (!ampel_rules_file_decode(text, &import->set.rules, &error)) {
        ampel_log(AMPEL_LOG_ERROR, "shard", "stored rules cannot be read", "number", "%llu",
                  (unsigned long long)number, "key", "%s", error.field, "reason", "%s",
                  error.reason, NULL);
        return false;
    }
    import->set.number = number;
    return variants_renew(import, &import->set);
}

const struct ampel_rule_set *ampel_shard_import_rules_at_hand(const struct ampel_shard_import *import) {
    return &import->set;
}

/* ---- engines -------------------------------------------------------------------------------- */

/* A partition's share of the accounts that a tenant may have; hashing spreads them unevenly. */
static uint32_t accounts_share(const struct ampel_shard_import_options *options) {
    uint64_t share = options->accounts_per_tenant_max / options->partitions;
    share += share / 4 + 64;
    return share < options->accounts_per_tenant_max ? (uint32_t)share
                                                    : options->accounts_per_tenant_max;
}

enum ampel_engine_status ampel_shard_import_fresh(const struct ampel_shard_import *import,
                                                  struct ampel_shard_partition *partition, int64_t start_ms) {
    const struct ampel_rule_set *set = partition->rules_number == 0 ? &import->start : &import->set;
    AMPEL_ASSERT(set->number == partition->rules_number);
    struct ampel_engine_options options = {
        .memory = import->options.memory,
        .rules = &set->rules,
        .start_ms = start_ms,
        .accounts_per_tenant_max = accounts_share(&import->options),
        .violations_per_account_max = import->options.violations_per_account_max,
    };
    enum ampel_engine_status status = ampel_engine_open(&options, &partition->engine);
    if (status != AMPEL_ENGINE_OK) return status;
    return ampel_engine_variants_set(partition->engine, set->variants, set->variants_count);
}

/* Says in the log what could not be read, and that nothing can be done about it here. */
static bool unreadable(const struct ampel_shard_partition *partition, const char *what, uint32_t page,
                       const char *reason) {
    ampel_log(AMPEL_LOG_ERROR, "shard", "a stored partition cannot be read", "partition", "%u",
              partition->number, "part", "%s", what, "page", "%u", page, "reason", "%s", reason,
              NULL);
    return false;
}

static bool import_meta(struct ampel_shard_import *import, struct ampel_shard_partition *partition,
                        const struct ampel_parcel_loaded *loaded) {
    const uint8_t *raw;
    uint32_t raw_size;
    struct ampel_error error = {0};
    if (!ampel_page_decode(import->codec, loaded->meta, loaded->meta_size, &raw, &raw_size, &error))
        return unreadable(partition, "meta", 0, error.reason);
    enum ampel_engine_status status = ampel_engine_meta_import(partition->engine, raw, raw_size);
    return status == AMPEL_ENGINE_OK || unreadable(partition, "meta", 0, ampel_engine_status_reason(status));
}

static bool import_page(struct ampel_shard_import *import, struct ampel_shard_partition *partition,
                        const struct ampel_loaded_page *page) {
    const uint8_t *raw;
    uint32_t raw_size;
    struct ampel_error error = {0};
    if (!ampel_page_decode(import->codec, page->bytes, page->size, &raw, &raw_size, &error))
        return unreadable(partition, "page", page->page, error.reason);
    enum ampel_engine_status status =
        ampel_engine_page_import(partition->engine, page->page, raw, raw_size);
    return status == AMPEL_ENGINE_OK ||
           unreadable(partition, "page", page->page, ampel_engine_status_reason(status));
}

bool ampel_shard_import_pages(struct ampel_shard_import *import, struct ampel_shard_partition *partition,
                              const struct ampel_parcel_loaded *loaded) {
    struct ampel_text text = {loaded->rules_text, loaded->rules_size};
    if (loaded->rules_number != 0 && !ampel_shard_import_rules(import, loaded->rules_number, text)) return false;
    partition->rules_number = loaded->rules_number;
    enum ampel_engine_status status = ampel_shard_import_fresh(import, partition, 0);
    if (status != AMPEL_ENGINE_OK) return unreadable(partition, "engine", 0, ampel_engine_status_reason(status));
    ampel_engine_position_set(partition->engine, loaded->position);
    if (!import_meta(import, partition, loaded)) return false;
    for (uint32_t i = 0; i < loaded->pages_count; i++) {
        if (!import_page(import, partition, &loaded->pages[i])) return false;
    }
    status = ampel_engine_import_finish(partition->engine);
    if (status != AMPEL_ENGINE_OK) return unreadable(partition, "sum", 0, ampel_engine_status_reason(status));
    /* Which rows waited for their order counts is not stored, so after a start all of them do. */
    return ampel_gathered_wait_all(&partition->gathered,
                                   ampel_engine_accounts_count(partition->engine));
}

/* A partition as its pages have it: the engine that a start would make of them, and what must be true of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/rules_file.h"
#include "workers/cli/verify.h"

/* The raw bytes of a packed page; false: told. what is "meta" or "page". */
static bool unpack(struct ampel_verify *verify, uint32_t partition, const char *what, int64_t page,
                   struct ampel_text packed, struct ampel_text *raw) {
    struct ampel_error error = {0};
    const uint8_t *bytes;
    uint32_t size;
    if (!ampel_page_decode(verify->codec, (const uint8_t *)packed.bytes, packed.size, &bytes, &size,
                           &error)) {
        ampel_verify_problem(verify, "partition %u: %s %" PRId64 ": %s%s%s", partition, what, page, error.field,
                             error.field[0] != 0 ? ": " : "", error.reason);
        return false;
    }
    *raw = (struct ampel_text){(const char *)bytes, size};
    return true;
}

static bool meta_import(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                        struct ampel_text packed) {
    struct ampel_text raw;
    if (!unpack(verify, partition->number, "meta", 0, packed, &raw)) return false;
    enum ampel_engine_status status =
        ampel_engine_meta_import(partition->engine, (const uint8_t *)raw.bytes, raw.size);
    if (status == AMPEL_ENGINE_OK) return true;
    ampel_verify_problem(verify, "partition %u: meta: %s", partition->number, ampel_engine_status_reason(status));
    return false;
}

/* Row of verify_pages. */
static bool page_import(struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                        uint32_t row) {
    int64_t page = ampel_pq_get_int64(verify->pq, row, 0);
    uint64_t position = (uint64_t)ampel_pq_get_int64(verify->pq, row, 1);
    if (position > partition->position)
        ampel_verify_problem(verify, "partition %u: page %" PRId64 ": holds position %" PRIu64
                             ", beyond the partition's %" PRIu64,
                             partition->number, page, position, partition->position);
    struct ampel_text raw;
    if (!unpack(verify, partition->number, "page", page, ampel_pq_get_text(verify->pq, row, 2), &raw))
        return false;
    enum ampel_engine_status status = ampel_engine_page_import(
        partition->engine, (uint32_t)page, (const uint8_t *)raw.bytes, raw.size);
    if (status == AMPEL_ENGINE_OK) return true;
    ampel_verify_problem(verify, "partition %u: page %" PRId64 ": %s", partition->number, page, ampel_engine_status_reason(status));
    return false;
}

static enum ampel_database_status pages_import(struct ampel_verify *verify,
                                               const struct ampel_verify_partition *partition,
                                               bool *whole, struct ampel_error *error) {
    const struct ampel_pq_value number = ampel_pq_int64(partition->number);
    enum ampel_database_status status =
        ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_PAGES, &number, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    uint32_t count = ampel_pq_rows(verify->pq);
    verify->pages += count;
    *whole = true;
    /* A page that cannot be read hides what comes after it, so all are unpacked first. */
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_text raw;
        if (!unpack(verify, partition->number, "page", ampel_pq_get_int64(verify->pq, i, 0),
                    ampel_pq_get_text(verify->pq, i, 2), &raw))
            *whole = false;
    }
    for (uint32_t i = 0; i < count && *whole; i++)
        *whole = page_import(verify, partition, i);
    if (!*whole) return AMPEL_DATABASE_OK;
    enum ampel_engine_status finished = ampel_engine_import_finish(partition->engine);
    if (finished != AMPEL_ENGINE_OK) {
        ampel_verify_problem(verify, "partition %u: pages are missing", partition->number);
        *whole = false;
    }
    return AMPEL_DATABASE_OK;
}

/* What the pages showed last and what their facts say now: different rules under one name, or damage. */
static void shown_check(struct ampel_verify *verify, const struct ampel_verify_partition *partition) {
    uint32_t count, last = UINT32_MAX;
    const struct ampel_change *changes = ampel_engine_changes(partition->engine, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].slot == last) continue;
        last = changes[i].slot;
        struct ampel_text tenant, seller, marketplace;
        ampel_engine_account_identity(partition->engine, last, &tenant, &seller, &marketplace);
        ampel_verify_problem(verify, "partition %u: %.*s/%.*s/%.*s: its page shows score %d, its facts make %d",
                             partition->number, (int)tenant.size, tenant.bytes, (int)seller.size, seller.bytes,
                             (int)marketplace.size, marketplace.bytes, changes[i].before.score,
                             changes[i].after.score);
    }
    ampel_engine_changes_clear(partition->engine);
}

/* A window is moved by the sequence that becomes its last, and seen in log time. */
static void windows_check(struct ampel_verify *verify, const struct ampel_verify_partition *partition) {
    uint32_t cursor = 0;
    struct ampel_producer_window window;
    int64_t now_ms = ampel_engine_now(partition->engine);
    while (ampel_engine_producer_next(partition->engine, &cursor, &window)) {
        verify->windows++;
        const char *wrong = NULL;
        bool last = window.bits[(AMPEL_CREDIT - 1) / 64] >> ((AMPEL_CREDIT - 1) % 64) & 1;
        if (window.base > 0 && !last) wrong = "it was moved by a sequence that is not done";
        if (window.seen_ms > now_ms) wrong = "it was seen later than the log says";
        if (window.base > INT64_MAX) wrong = "its base is no sequence";
        if (window.tenant.size == 0 || window.producer.size == 0) wrong = "it has no name";
        if (wrong != NULL)
            ampel_verify_problem(verify, "partition %u: producer %.*s/%.*s: %s", partition->number,
                                 (int)window.tenant.size, window.tenant.bytes, (int)window.producer.size,
                                 window.producer.bytes, wrong);
    }
}

static int slot_compare(const void *left, const void *right, void *context) {
    const struct ampel_engine *engine = context;
    struct ampel_text a[3], b[3];
    ampel_engine_account_identity(engine, *(const uint32_t *)left, &a[0], &a[1], &a[2]);
    ampel_engine_account_identity(engine, *(const uint32_t *)right, &b[0], &b[1], &b[2]);
    int order = 0;
    for (uint32_t i = 0; i < 3 && order == 0; i++)
        order = ampel_text_compare(a[i], b[i]);
    return order;
}

static void accounts_check(struct ampel_verify *verify, struct ampel_verify_partition *partition) {
    partition->accounts_count = ampel_engine_accounts_count(partition->engine);
    verify->accounts += partition->accounts_count;
    partition->slots = malloc((partition->accounts_count + 1) * sizeof *partition->slots);
    AMPEL_ASSERT(partition->slots != NULL);
    for (uint32_t slot = 0; slot < partition->accounts_count; slot++) {
        struct ampel_text tenant, seller, marketplace;
        partition->slots[slot] = slot;
        ampel_engine_account_identity(partition->engine, slot, &tenant, &seller, &marketplace);
        uint64_t hash = ampel_hash_account(tenant, seller, marketplace);
        uint32_t home = ampel_hash_partition(hash, verify->system.partitions);
        if (home != partition->number)
            ampel_verify_problem(verify, "partition %u: %.*s/%.*s/%.*s belongs to partition %u", partition->number,
                                 (int)tenant.size, tenant.bytes, (int)seller.size, seller.bytes,
                                 (int)marketplace.size, marketplace.bytes, home);
        if (ampel_engine_account_find(partition->engine, hash, tenant, seller, marketplace) != slot)
            ampel_verify_problem(verify, "partition %u: %.*s/%.*s/%.*s is there twice", partition->number,
                                 (int)tenant.size, tenant.bytes, (int)seller.size, seller.bytes,
                                 (int)marketplace.size, marketplace.bytes);
    }
    qsort_r(partition->slots, partition->accounts_count, sizeof *partition->slots, slot_compare,
            partition->engine);
}

static void position_check(struct ampel_verify *verify, const struct ampel_verify_partition *partition) {
    if (!verify->journal_read) return;
    if (partition->position > verify->journal_end)
        ampel_verify_problem(verify, "partition %u: stored up to position %" PRIu64
                             ", but the journal ends at %" PRIu64,
                             partition->number, partition->position, verify->journal_end);
    else if (partition->position < verify->journal_first && verify->segments > 0)
        ampel_verify_problem(verify, "partition %u: stored up to position %" PRIu64
                             ", but the journal begins at %" PRIu64,
                             partition->number, partition->position, verify->journal_first);
}

/* The variants of the rules, as a shard has them: one that does not apply is left out. */
static bool variants_set(struct ampel_verify *verify, struct ampel_engine *engine) {
    static struct ampel_rules variants[AMPEL_VARIANTS_MAX];
    uint32_t count = 0;
    struct ampel_error error;
    for (uint32_t i = 0; i < verify->rules->variants_count; i++)
        count += ampel_rules_variant(verify->rules, i, &variants[count], &error);
    return ampel_engine_variants_set(engine, variants, count) == AMPEL_ENGINE_OK;
}

static bool engine_open(struct ampel_verify *verify, struct ampel_verify_partition *partition) {
    const struct ampel_engine_options options = {.memory = verify->memory, .rules = verify->rules};
    if (ampel_engine_open(&options, &partition->engine) == AMPEL_ENGINE_OK &&
        variants_set(verify, partition->engine))
        return true;
    ampel_verify_problem(verify, "partition %u: no memory", partition->number);
    return false;
}

static void engine_drop(struct ampel_verify_partition *partition) {
    ampel_engine_close(partition->engine);
    partition->engine = NULL;
}

/* The rules that the partition stands under; false: told. */
static bool rules_take(struct ampel_verify *verify, const struct ampel_verify_partition *partition) {
    verify->rules = verify->started;
    if (!ampel_pq_is_null(verify->pq, 0, 4)) {
        struct ampel_error error = {0};
        if (!ampel_rules_file_decode(ampel_pq_get_text(verify->pq, 0, 4), &verify->stored, &error)) {
            ampel_verify_problem(verify, "partition %u: its rules cannot be read: %s: %s", partition->number,
                                 error.field, error.reason);
            return false;
        }
        verify->rules = &verify->stored;
    }
    struct ampel_text version = ampel_pq_get_text(verify->pq, 0, 2);
    if (version.size == strlen(verify->rules->version) &&
        memcmp(version.bytes, verify->rules->version, version.size) == 0)
        return true;
    ampel_verify_problem(verify, "partition %u: stored with the rules %.*s, verified with %s; give --rules FILE",
                         partition->number, (int)version.size, version.bytes, verify->rules->version);
    return false;
}

/* Row of verify_partition: a partition without meta was never stored. */
static bool meta_take(struct ampel_verify *verify, struct ampel_verify_partition *partition, int64_t *as_of_ms) {
    partition->position = (uint64_t)ampel_pq_get_int64(verify->pq, 0, 0);
    *as_of_ms = ampel_pq_is_null(verify->pq, 0, 1) ? INT64_MIN : ampel_pq_get_time(verify->pq, 0, 1);
    position_check(verify, partition);
    if (ampel_pq_is_null(verify->pq, 0, 3)) {
        if (partition->position != 0)
            ampel_verify_problem(verify, "partition %u: stored up to position %" PRIu64 ", but its meta is missing",
                                 partition->number, partition->position);
        return false;
    }
    if (!rules_take(verify, partition)) return false;
    if (!engine_open(verify, partition)) return false;
    if (meta_import(verify, partition, ampel_pq_get_text(verify->pq, 0, 3))) return true;
    engine_drop(partition);
    return false;
}

enum ampel_database_status ampel_verify_partition_open(struct ampel_verify *verify, uint32_t number,
                                                       struct ampel_verify_partition *out,
                                                       struct ampel_error *error) {
    *out = (struct ampel_verify_partition){.number = number};
    const struct ampel_pq_value value = ampel_pq_int64(number);
    enum ampel_database_status status =
        ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_PARTITION, &value, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    if (ampel_pq_rows(verify->pq) != 1) {
        ampel_verify_problem(verify, "partition %u: its row is missing", number);
        return AMPEL_DATABASE_OK;
    }
    int64_t as_of_ms;
    if (!meta_take(verify, out, &as_of_ms)) return AMPEL_DATABASE_OK;
    bool whole = false;
    status = pages_import(verify, out, &whole, error);
    if (status != AMPEL_DATABASE_OK || !whole) {
        engine_drop(out);
        return status;
    }
    if (ampel_engine_now(out->engine) != as_of_ms)
        ampel_verify_problem(verify, "partition %u: its row is as of %" PRId64 " ms, its pages of %" PRId64, number,
                             as_of_ms, ampel_engine_now(out->engine));
    shown_check(verify, out);
    windows_check(verify, out);
    accounts_check(verify, out);
    return AMPEL_DATABASE_OK;
}

void ampel_verify_partition_close(struct ampel_verify_partition *partition) {
    free(partition->slots);
    ampel_engine_close(partition->engine);
    *partition = (struct ampel_verify_partition){0};
}

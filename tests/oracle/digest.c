#include "tests/oracle/digest.h"

#include <string.h>

#include "proto/hash.h"
#include "proto/page.h"

uint64_t ampel_digest_engine(const struct ampel_engine *engine) {
    static uint8_t bytes[1 << 20];
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(engine); slot++) {
        struct ampel_text name[3];
        ampel_engine_account_identity(engine, slot, &name[0], &name[1], &name[2]);
        uint32_t size = ampel_engine_account_export(engine, slot, bytes, sizeof(bytes));
        AMPEL_ASSERT(size <= sizeof(bytes));
        sum += ampel_hash_bytes(bytes, size) ^ ampel_hash_account(name[0], name[1], name[2]) * 31;
    }
    return sum;
}

static bool import(struct ampel_engine *engine, struct ampel_page_codec *codec,
                   const struct ampel_parcel_loaded *loaded) {
    const uint8_t *raw;
    uint32_t size;
    struct ampel_error error = {0};
    if (!ampel_page_decode(codec, loaded->meta, loaded->meta_size, &raw, &size, &error) ||
        ampel_engine_meta_import(engine, raw, size) != AMPEL_ENGINE_OK) {
        return false;
    }
    for (uint32_t i = 0; i < loaded->pages_count; i++) {
        const struct ampel_loaded_page *page = &loaded->pages[i];
        if (!ampel_page_decode(codec, page->bytes, page->size, &raw, &size, &error) ||
            ampel_engine_page_import(engine, page->page, raw, size) != AMPEL_ENGINE_OK) {
            return false;
        }
    }
    return ampel_engine_import_finish(engine) == AMPEL_ENGINE_OK;
}

bool ampel_digest_pages(struct ampel_memory_database *database, uint32_t partitions,
                        const struct ampel_rules *rules, const struct ampel_memory *memory,
                        uint64_t *out) {
    struct ampel_database face;
    ampel_memory_database_face(database, &face);
    ampel_memory_database_fault(database, AMPEL_FAULT_NONE, 0);
    ampel_memory_database_fault_at(database, UINT64_MAX, AMPEL_FAULT_NONE);
    struct ampel_database_system system;
    struct ampel_error error = {0};
    AMPEL_ASSERT(face.connect(face.context, &system, &error) == AMPEL_DATABASE_OK);
    struct ampel_page_codec *codec = ampel_page_codec_open();
    AMPEL_ASSERT(codec != NULL);
    bool readable = true;
    *out = 0;
    for (uint32_t i = 0; i < partitions; i++) {
        struct ampel_parcel_loaded *loaded;
        AMPEL_ASSERT(face.claim(face.context, i, &loaded, &error) == AMPEL_DATABASE_OK);
        struct ampel_engine *engine;
        struct ampel_engine_options options = {.memory = *memory,
                                               .rules = rules,
                                               .accounts_per_tenant_max = 1000000,
                                               .violations_per_account_max =
                                                   AMPEL_ACCOUNT_VIOLATIONS_MAX};
        AMPEL_ASSERT(ampel_engine_open(&options, &engine) == AMPEL_ENGINE_OK);
        /* A partition without an account may have nothing stored. */
        if (loaded->meta != NULL && !import(engine, codec, loaded)) readable = false;
        *out += ampel_digest_engine(engine);
        ampel_engine_close(engine);
        ampel_parcel_loaded_free(loaded);
    }
    ampel_page_codec_close(codec);
    return readable;
}

static uint64_t name_hash(const char *name, uint64_t salt) {
    return ampel_hash_bytes(name, strlen(name)) * salt;
}

uint64_t ampel_digest_rows(const struct ampel_memory_database *database) {
    const struct ampel_stored_rating *ratings;
    const struct ampel_stored_violation *violations;
    const struct ampel_stored_refusal *refusals;
    uint64_t sum = 0;
    uint32_t count = ampel_memory_database_ratings(database, &ratings);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_numbers *numbers = &ratings[i].numbers;
        uint64_t values[] = {(uint64_t)numbers->score,
                             (uint64_t)numbers->orders,
                             (uint64_t)numbers->deducted,
                             numbers->colour,
                             numbers->risk,
                             numbers->criticals,
                             numbers->caps[0],
                             numbers->caps[1]};
        sum += ampel_hash_bytes(values, sizeof(values)) ^ name_hash(ratings[i].account, 31);
    }
    count = ampel_memory_database_violations(database, &violations);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t values[] = {violations[i].state, violations[i].rank,
                             (uint64_t)violations[i].points};
        sum += ampel_hash_bytes(values, sizeof(values)) ^ name_hash(violations[i].account, 31) ^
               name_hash(violations[i].id, 37);
    }
    count = ampel_memory_database_refusals(database, &refusals);
    for (uint32_t i = 0; i < count; i++)
        sum += name_hash(refusals[i].producer, 1) ^
               (refusals[i].sequence * 41 + refusals[i].event_index);
    return sum;
}

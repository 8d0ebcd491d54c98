/* In: the rest, then pages in their order, then one last look. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/image.h"
#include "engine/leaving.h"
#include "engine/midnight.h"
#include "engine/takeover.h"
#include "engine/warnings.h"

static enum ampel_engine_status poisoned(struct ampel_engine *engine,
                                         enum ampel_engine_status status) {
    if (status != AMPEL_ENGINE_OK) engine->poisoned = true;
    return status;
}

const char *ampel_engine_status_reason(enum ampel_engine_status status) {
    static const char *const reasons[] = {
        [AMPEL_ENGINE_OK] = "all is well",
        [AMPEL_ENGINE_NO_MEMORY] = "no memory",
        [AMPEL_ENGINE_BAD_BYTES] = "these are no bytes that were exported",
        [AMPEL_ENGINE_NEWER] = "a newer version wrote these bytes",
    };
    return reasons[status];
}

/* A magic is three letters and a digit, which is the version. */
static bool newer(uint32_t magic, uint32_t own) {
    return (magic & 0xffffff) == (own & 0xffffff) && magic > own && magic >> 24 <= '9';
}

/* ---- the rest ------------------------------------------------------------------------------- */

static enum ampel_engine_status
pending_read(struct ampel_engine *engine, struct ampel_image_reader *reader, int64_t *last_at_ms) {
    struct ampel_event event = {.at_ms = ampel_image_get_i64(reader)};
    uint64_t sequence = ampel_image_get_u64(reader);
    uint32_t slot = ampel_image_get_u32(reader);
    event.count = ampel_image_get_u32(reader);
    event.extras_size = ampel_image_get_u32(reader);
    event.rev = ampel_image_get_u16(reader);
    event.points = (int16_t)ampel_image_get_u16(reader);
    event.type = ampel_image_get_u8(reader);
    event.policy = ampel_image_get_u8(reader);
    event.severity = (int8_t)ampel_image_get_u8(reader);
    event.code = ampel_image_get_u8(reader);
    uint8_t producer_size = ampel_image_get_u8(reader), backfill = ampel_image_get_u8(reader);
    struct ampel_text producer = ampel_image_get_text(reader, producer_size);
    event.extras = ampel_image_get(reader, event.extras_size);
    if (reader->bad || backfill > 1 || slot >= engine->accounts_promised) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    if (producer_size > AMPEL_ID_BYTES_MAX || event.at_ms < *last_at_ms) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    if (event.at_ms <= engine->now_ms || ampel_event_tolerate(&event) != AMPEL_VERDICT_OK) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    *last_at_ms = event.at_ms;
    bool pushed = ampel_pending_push(&engine->pending, &engine->pool, slot, &event, producer,
                                     sequence, backfill != 0);
    return pushed ? AMPEL_ENGINE_OK : AMPEL_ENGINE_NO_MEMORY;
}

static enum ampel_engine_status producer_read(struct ampel_engine *engine,
                                              struct ampel_image_reader *reader) {
    struct ampel_producer_window window;
    uint8_t tenant_size = ampel_image_get_u8(reader), producer_size = ampel_image_get_u8(reader);
    window.tenant = ampel_image_get_text(reader, tenant_size);
    window.producer = ampel_image_get_text(reader, producer_size);
    window.seen_ms = ampel_image_get_i64(reader);
    window.base = ampel_image_get_u64(reader);
    for (uint32_t i = 0; i < AMPEL_WINDOW_WORDS; i++)
        window.bits[i] = ampel_image_get_u64(reader);
    if (reader->bad || window.tenant.size > AMPEL_ID_BYTES_MAX || window.producer.size == 0 ||
        window.producer.size > AMPEL_ID_BYTES_MAX || window.seen_ms < 0 ||
        window.seen_ms > engine->now_ms) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    bool fits;
    if (!ampel_producers_import(&engine->producers, &engine->pool, &window, &fits)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    return fits ? AMPEL_ENGINE_OK : AMPEL_ENGINE_BAD_BYTES;
}

static enum ampel_engine_status meta_read(struct ampel_engine *engine,
                                          struct ampel_image_reader *reader) {
    uint32_t magic = ampel_image_get_u32(reader);
    engine->accounts_promised = ampel_image_get_u32(reader);
    int64_t now_ms = ampel_image_get_i64(reader);
    const uint8_t *version = ampel_image_get(reader, sizeof(engine->rules.version));
    uint64_t scale = ampel_image_get_u64(reader);
    if (newer(magic, AMPEL_META_MAGIC)) return AMPEL_ENGINE_NEWER;
    if (reader->bad || magic != AMPEL_META_MAGIC || now_ms < 0 || now_ms > AMPEL_TIME_MAX_MS) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    engine->other_rules =
        scale != ampel_image_scale(&engine->scale) ||
        memcmp(version, engine->rules.version, sizeof(engine->rules.version)) != 0;
    engine->now_ms = now_ms;
    engine->now_day = now_ms / AMPEL_DAY_MS;
    engine->now_cell = (uint32_t)(engine->now_day % AMPEL_WINDOW_DAYS_MAX);
    engine->now_midnight = ampel_midnight_code(engine->now_day);
    ampel_wheel_init(&engine->wheel, now_ms);
    uint32_t count = ampel_image_get_u32(reader);
    enum ampel_engine_status status = AMPEL_ENGINE_OK;
    if (count > AMPEL_PENDING_MAX) return AMPEL_ENGINE_BAD_BYTES;
    int64_t last_at_ms = 0;
    for (uint32_t i = 0; i < count && status == AMPEL_ENGINE_OK; i++) {
        status = pending_read(engine, reader, &last_at_ms);
    }
    if (status != AMPEL_ENGINE_OK) return status;
    count = ampel_image_get_u32(reader);
    for (uint32_t i = 0; i < count && status == AMPEL_ENGINE_OK; i++) {
        status = producer_read(engine, reader);
    }
    if (status != AMPEL_ENGINE_OK) return status;
    return reader->bad || reader->offset != reader->size ? AMPEL_ENGINE_BAD_BYTES : AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_engine_meta_import(struct ampel_engine *engine, const uint8_t *bytes,
                                                  uint32_t size) {
    if (engine->poisoned) return AMPEL_ENGINE_NO_MEMORY;
    AMPEL_ASSERT(!engine->importing && engine->accounts.count == 0);
    AMPEL_ASSERT(engine->pending.count == 0 && engine->producers.count == 0);
    struct ampel_image_reader reader = {.bytes = bytes, .size = size};
    engine->importing = true;
    return poisoned(engine, meta_read(engine, &reader));
}

/* ---- pages ---------------------------------------------------------------------------------- */

static enum ampel_engine_status backfill_read(struct ampel_engine *engine,
                                              struct ampel_image_reader *reader,
                                              struct ampel_backfill *out, bool *given) {
    uint8_t flag = ampel_image_get_u8(reader);
    memset(out, 0, sizeof(*out));
    *given = flag == 1;
    if (reader->bad || flag > 1) return AMPEL_ENGINE_BAD_BYTES;
    if (flag == 0) return AMPEL_ENGINE_OK;
    uint8_t is_new = ampel_image_get_u8(reader);
    out->is_new = is_new == 1;
    out->due_ms = ampel_image_get_i64(reader);
    ampel_image_get_numbers(reader, &out->before);
    bool plausible =
        is_new <= 1 && out->due_ms >= 0 && out->due_ms <= engine->now_ms + AMPEL_BACKFILL_QUIET_MS;
    return reader->bad || !plausible ? AMPEL_ENGINE_BAD_BYTES : AMPEL_ENGINE_OK;
}

static enum ampel_engine_status identity_read(struct ampel_engine *engine,
                                              struct ampel_image_reader *reader, uint64_t hash,
                                              uint32_t *slot) {
    uint8_t tenant_size = ampel_image_get_u8(reader), seller_size = ampel_image_get_u8(reader);
    uint8_t marketplace_size = ampel_image_get_u8(reader), zero = ampel_image_get_u8(reader);
    struct ampel_text tenant = ampel_image_get_text(reader, tenant_size);
    struct ampel_text seller = ampel_image_get_text(reader, seller_size);
    struct ampel_text marketplace = ampel_image_get_text(reader, marketplace_size);
    if (reader->bad || zero != 0 || !ampel_id_valid(tenant, true) ||
        !ampel_id_valid(seller, true) || !ampel_id_valid(marketplace, true)) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    struct ampel_account_key key = {hash, 0, seller, marketplace};
    key.tenant = ampel_tenant_claim(&engine->accounts, &engine->pool, tenant);
    if (key.tenant == UINT32_MAX) return AMPEL_ENGINE_NO_MEMORY;
    if (ampel_accounts_find(&engine->accounts, &key) != AMPEL_SLOT_NONE) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    *slot = ampel_accounts_claim(&engine->accounts, &engine->pool, &key);
    return *slot != AMPEL_SLOT_NONE ? AMPEL_ENGINE_OK : AMPEL_ENGINE_NO_MEMORY;
}

/* Numbers come from the facts alone; where they differ from those shown, other rules speak. */
static enum ampel_engine_status account_settle(struct ampel_engine *engine, uint32_t slot,
                                               struct ampel_account *account,
                                               const struct ampel_numbers *shown) {
    struct ampel_violations_context context = ampel_engine_context(engine);
    ampel_violations_recompute(account->violations, &context, engine->other_rules);
    struct ampel_numbers after;
    struct ampel_cause cause;
    ampel_account_numbers(engine, account, &after);
    ampel_account_row_mark(engine, slot, account, shown, &after);
    if (engine->other_rules && account->violations != NULL) {
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_VIOLATIONS);
    }
    if (!ampel_assurance_show(engine, slot, account, after.score)) return AMPEL_ENGINE_NO_MEMORY;
    ampel_cause_time(engine->now_ms, AMPEL_CAUSE_RULES, &cause);
    uint32_t due = ampel_changes_due(engine, shown, &after, false);
    if (due != 0 && !ampel_changes_name(engine, slot, due, shown, &after, false, &cause, engine->position)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    /* Pages without clocks start them now. */
    bool told = account->rare == NULL || account->rare->backfill == NULL;
    if (!ampel_account_warn(engine, slot, account, &after, told, engine->other_rules, &cause,
                            engine->position)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    if (!engine->other_rules) ampel_leaving_renew(engine, account);
    ampel_account_due_renew(engine, slot, account);
    ampel_midnight_renew(engine, slot, account);
    bool named = ampel_takeover_renew(engine, slot, account, &cause);
    return named ? AMPEL_ENGINE_OK : AMPEL_ENGINE_NO_MEMORY;
}

static enum ampel_engine_status account_read(struct ampel_engine *engine,
                                             struct ampel_image_reader *reader, uint32_t magic) {
    uint64_t hash = ampel_image_get_u64(reader);
    struct ampel_backfill backfill;
    struct ampel_numbers shown;
    bool backfilling;
    uint32_t slot;
    enum ampel_engine_status status = backfill_read(engine, reader, &backfill, &backfilling);
    if (status == AMPEL_ENGINE_OK) status = identity_read(engine, reader, hash, &slot);
    if (status != AMPEL_ENGINE_OK) return status;
    struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    status = ampel_image_account_read(engine, reader, account, &shown);
    if (magic == AMPEL_PAGE_MAGIC_1)
        ampel_assurance_begin(engine, account, shown.score);
    else if (status == AMPEL_ENGINE_OK)
        status = ampel_image_beside_read(engine, reader, account, magic != AMPEL_PAGE_MAGIC_2);
    if (status != AMPEL_ENGINE_OK) return status;
    if (backfilling) {
        struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
        if (rare == NULL) return AMPEL_ENGINE_NO_MEMORY;
        rare->backfill = ampel_pool_take(&engine->pool, sizeof(*rare->backfill));
        if (rare->backfill == NULL) return AMPEL_ENGINE_NO_MEMORY;
        *rare->backfill = backfill;
    }
    return account_settle(engine, slot, account, &shown);
}

static enum ampel_engine_status page_read(struct ampel_engine *engine,
                                          struct ampel_image_reader *reader) {
    uint32_t magic = ampel_image_get_u32(reader), count = ampel_image_get_u32(reader);
    uint32_t left = engine->accounts_promised - engine->accounts.count;
    uint32_t expected = left < AMPEL_PAGE_ACCOUNTS ? left : AMPEL_PAGE_ACCOUNTS;
    bool known =
        magic == AMPEL_PAGE_MAGIC || magic == AMPEL_PAGE_MAGIC_2 || magic == AMPEL_PAGE_MAGIC_1;
    if (newer(magic, AMPEL_PAGE_MAGIC)) return AMPEL_ENGINE_NEWER;
    if (reader->bad || !known || count == 0 || count != expected) return AMPEL_ENGINE_BAD_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        enum ampel_engine_status status = account_read(engine, reader, magic);
        if (status != AMPEL_ENGINE_OK) return status;
    }
    return reader->offset == reader->size ? AMPEL_ENGINE_OK : AMPEL_ENGINE_BAD_BYTES;
}

enum ampel_engine_status ampel_engine_page_import(struct ampel_engine *engine, uint32_t page,
                                                  const uint8_t *bytes, uint32_t size) {
    if (engine->poisoned) return AMPEL_ENGINE_NO_MEMORY;
    struct ampel_image_reader reader = {.bytes = bytes, .size = size};
    if (!engine->importing || page != engine->pages_imported) {
        return poisoned(engine, AMPEL_ENGINE_BAD_BYTES);
    }
    engine->pages_imported++;
    return poisoned(engine, page_read(engine, &reader));
}

enum ampel_engine_status ampel_engine_import_finish(struct ampel_engine *engine) {
    if (engine->poisoned) return AMPEL_ENGINE_NO_MEMORY;
    if (!engine->importing || engine->accounts.count != engine->accounts_promised) {
        return poisoned(engine, AMPEL_ENGINE_BAD_BYTES);
    }
    engine->importing = false;
    AMPEL_ASSERT_PARANOID(ampel_wheel_sane(&engine->wheel, &engine->accounts) && ampel_midnights_sane(engine));
    return AMPEL_ENGINE_OK;
}

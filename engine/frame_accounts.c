#include "engine/frame_accounts.h"

bool ampel_frame_accounts_begin(struct ampel_engine *engine, const struct ampel_frame *frame) {
    uint32_t *slots =
        ampel_pool_grow(&engine->pool, engine->frame_slots, &engine->frame_slots_capacity,
                        frame->accounts_count, sizeof(*slots));
    if (slots == NULL && frame->accounts_count > 0) return false;
    engine->frame_slots = slots;
    struct ampel_account **found =
        ampel_pool_grow(&engine->pool, engine->frame_accounts, &engine->frame_accounts_capacity,
                        frame->accounts_count, sizeof(struct ampel_account *));
    if (found == NULL && frame->accounts_count > 0) return false;
    engine->frame_accounts = found;
    engine->frame_found = 0;
    engine->frame_tenant = ampel_tenant_find(&engine->accounts, frame->tenant);
    return true;
}

bool ampel_frame_accounts_find(struct ampel_engine *engine, const struct ampel_frame *frame, uint32_t until) {
    const uint32_t first = engine->frame_found;
    AMPEL_ASSERT(until <= frame->accounts_count);
    if (until <= first) return true;
    ampel_accounts_find_all(&engine->accounts, engine->frame_tenant, frame->accounts + first, until - first,
                            engine->frame_slots + first, engine->frame_accounts + first);
    engine->frame_found = until;
    for (uint32_t i = first; i < until && engine->before != NULL; i++) {
        if (engine->frame_slots[i] != AMPEL_SLOT_NONE && !ampel_account_before(engine, engine->frame_slots[i]))
            return false;
    }
    return true;
}

enum ampel_claim ampel_frame_account_claim(struct ampel_engine *engine, const struct ampel_frame *frame,
                                           uint32_t index, uint32_t *slot) {
    const struct ampel_frame_account *account = &frame->accounts[index];
    if (!ampel_id_valid(account->seller, true) || !ampel_id_valid(account->marketplace, true)) {
        return AMPEL_CLAIM_BAD;
    }
    if (engine->frame_tenant == UINT32_MAX)
        engine->frame_tenant = ampel_tenant_claim(&engine->accounts, &engine->pool, frame->tenant);
    const uint32_t tenant = engine->frame_tenant;
    if (tenant == UINT32_MAX) return AMPEL_CLAIM_NO_MEMORY;
    struct ampel_account_key key = {account->hash, tenant, account->seller, account->marketplace};
    /* The frame may name one account twice. */
    *slot = ampel_accounts_find(&engine->accounts, &key);
    if (*slot == AMPEL_SLOT_NONE) {
        uint32_t most = engine->accounts_per_tenant_max;
        if (most > 0 && engine->accounts.tenants[tenant].accounts_count >= most)
            return AMPEL_CLAIM_MANY;
        if (!ampel_account_before(engine, engine->accounts.count)) return AMPEL_CLAIM_NO_MEMORY;
        *slot = ampel_accounts_claim(&engine->accounts, &engine->pool, &key);
        if (*slot == AMPEL_SLOT_NONE) return AMPEL_CLAIM_NO_MEMORY;
        struct ampel_account *made = ampel_account_at(&engine->accounts, *slot);
        ampel_account_dirty(&engine->accounts, *slot, made, AMPEL_ROW_NUMBERS | AMPEL_ROW_ORDERS);
        if (ampel_step_touch(engine, *slot, made, true) == NULL) return AMPEL_CLAIM_NO_MEMORY;
    }
    engine->frame_slots[index] = *slot;
    engine->frame_accounts[index] = ampel_account_at(&engine->accounts, *slot);
    return AMPEL_CLAIM_MADE;
}

/* ---- frames to come ------------------------------------------------------------------------- */

/* So many accounts of a frame, and so many lines of a ring: all but those of wide cells. */
#define NAMED_MAX  32
#define DAYS_LINES 6

/* What a step reads of the engine itself, which is far away where a shard has many of them. */
static void engine_fetch(const struct ampel_engine *engine) {
    const uint8_t *bytes = (const uint8_t *)engine;
    __builtin_prefetch(&engine->rules.window_days);
    for (size_t at = offsetof(struct ampel_engine, now_ms); at < offsetof(struct ampel_engine, wheel) + 64; at += 64)
        __builtin_prefetch(bytes + at, 1);
    for (size_t at = offsetof(struct ampel_engine, pending); at < sizeof(*engine); at += 64)
        __builtin_prefetch(bytes + at, 1);
}

/* What a step writes down beside accounts. */
static void touches_fetch(const struct ampel_engine *engine) {
    __builtin_prefetch(engine->touches, 1);
    __builtin_prefetch(engine->touches_whole, 1);
    __builtin_prefetch(engine->frame_slots, 1);
    __builtin_prefetch(engine->frame_accounts, 1);
    __builtin_prefetch(engine->producers.sorted);
}

static void days_fetch(const struct ampel_window *window) {
    const size_t size = (size_t)window->bits * AMPEL_WINDOW_CELLS / 8;
    for (size_t at = 0; at < size && at < 64 * DAYS_LINES; at += 64)
        __builtin_prefetch(window->ring + at, 1);
}

void ampel_engine_frame_fetch(const struct ampel_engine *engine, const uint8_t *hashes, uint32_t count,
                              enum ampel_frame_fetch step) {
    const struct ampel_accounts *accounts = &engine->accounts;
    if (step == AMPEL_FETCH_ENGINE) {
        engine_fetch(engine);
        return;
    }
    if (step == AMPEL_FETCH_BUCKETS) touches_fetch(engine);
    for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
        const uint32_t tag = ampel_table_tag(ampel_load_u64(hashes + 8 * i));
        const struct ampel_table_entry *home = ampel_table_prefetch(&accounts->table, tag);
        if (step == AMPEL_FETCH_BUCKETS) continue;
        const uint32_t slot = ampel_table_first(&accounts->table, home, tag);
        if (slot == AMPEL_SLOT_NONE) continue;
        const struct ampel_account *account = ampel_account_at(accounts, slot);
        if (step == AMPEL_FETCH_NAMED)
            __builtin_prefetch(account, 1);
        else
            days_fetch(&account->window);
    }
}

#include "engine/accounts.h"

#include <string.h>

#include "engine/load.h"
#include "engine/records.h"

bool ampel_accounts_init(struct ampel_accounts *accounts, struct ampel_pool *pool,
                         uint32_t expected) {
    memset(accounts, 0, sizeof(*accounts));
    return ampel_table_init(&accounts->table, pool, expected);
}

/* ---- tenants -------------------------------------------------------------------------------- */

static struct ampel_text tenant_text(const struct ampel_accounts *accounts, uint32_t number) {
    return (struct ampel_text){accounts->tenants[number].bytes, accounts->tenants[number].size};
}

static uint32_t tenant_place(const struct ampel_accounts *accounts, struct ampel_text tenant) {
    uint32_t low = 0, high = accounts->tenants_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t number = accounts->tenants_sorted[middle];
        if (ampel_text_compare(tenant_text(accounts, number), tenant) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t ampel_tenant_find(const struct ampel_accounts *accounts, struct ampel_text tenant) {
    uint32_t place = tenant_place(accounts, tenant);
    if (place == accounts->tenants_count) return UINT32_MAX;
    uint32_t number = accounts->tenants_sorted[place];
    return ampel_text_compare(tenant_text(accounts, number), tenant) == 0 ? number : UINT32_MAX;
}

uint32_t ampel_tenant_claim(struct ampel_accounts *accounts, struct ampel_pool *pool,
                            struct ampel_text tenant) {
    uint32_t number = ampel_tenant_find(accounts, tenant), count = accounts->tenants_count;
    if (number != UINT32_MAX) return number;
    struct ampel_tenant *tenants = ampel_pool_grow(
        pool, accounts->tenants, &accounts->tenants_capacity, count + 1, sizeof(*tenants));
    if (tenants == NULL) return UINT32_MAX;
    accounts->tenants = tenants;
    uint32_t *sorted =
        ampel_pool_grow(pool, accounts->tenants_sorted, &accounts->tenants_sorted_capacity,
                        count + 1, sizeof(*sorted));
    if (sorted == NULL) return UINT32_MAX;
    accounts->tenants_sorted = sorted;
    char *bytes = ampel_pool_take(pool, tenant.size > 0 ? tenant.size : 1);
    if (bytes == NULL) return UINT32_MAX;
    if (tenant.size > 0) memcpy(bytes, tenant.bytes, tenant.size);
    uint32_t place = tenant_place(accounts, tenant);
    memmove(sorted + place + 1, sorted + place, (count - place) * sizeof(*sorted));
    sorted[place] = count;
    tenants[count] = (struct ampel_tenant){bytes, tenant.size, 0};
    accounts->tenants_count++;
    return count;
}

/* ---- identities ----------------------------------------------------------------------------- */

static const char *identity_texts(const struct ampel_identity *identity) {
    uint32_t size = (uint32_t)identity->seller_size + identity->marketplace_size;
    return size <= AMPEL_IDENTITY_PLACE ? identity->texts.place : identity->texts.elsewhere;
}

struct ampel_text ampel_identity_seller(const struct ampel_identity *identity) {
    return (struct ampel_text){identity_texts(identity), identity->seller_size};
}

struct ampel_text ampel_identity_marketplace(const struct ampel_identity *identity) {
    return (struct ampel_text){identity_texts(identity) + identity->seller_size,
                               identity->marketplace_size};
}

/* Short texts of one size; a call of memcmp would cost more than the comparison. */
static bool texts_same(const char *a, const char *b, uint32_t size) {
    uint32_t offset = 0;
    uint64_t differ = 0;
    if (size < 8) {
        for (; offset < size; offset++)
            differ |= (uint64_t)(uint8_t)(a[offset] ^ b[offset]);
        return differ == 0;
    }
    for (; offset + 8 < size; offset += 8)
        differ |= ampel_load_u64(a + offset) ^ ampel_load_u64(b + offset);
    /* The last eight bytes, some of them for a second time. */
    differ |= ampel_load_u64(a + size - 8) ^ ampel_load_u64(b + size - 8);
    return differ == 0;
}

static inline bool identity_is(const struct ampel_identity *identity, uint64_t hash,
                               uint32_t tenant, struct ampel_text seller,
                               struct ampel_text marketplace) {
    if (identity->hash != hash || identity->tenant != tenant) return false;
    if (identity->seller_size != seller.size) return false;
    if (identity->marketplace_size != marketplace.size) return false;
    const char *texts = identity_texts(identity);
    return texts_same(texts, seller.bytes, seller.size) &&
           texts_same(texts + seller.size, marketplace.bytes, marketplace.size);
}

uint32_t ampel_accounts_find(const struct ampel_accounts *accounts,
                             const struct ampel_account_key *key) {
    uint32_t tag = ampel_table_tag(key->hash), step = 0;
    for (;;) {
        uint32_t slot = ampel_table_next(&accounts->table, tag, &step);
        if (slot == UINT32_MAX) return AMPEL_SLOT_NONE;
        if (identity_is(ampel_identity_at(accounts, slot), key->hash, key->tenant, key->seller,
                        key->marketplace)) {
            return slot;
        }
    }
}

/* How many keys lie between the steps of a search: long enough for a line to arrive, few enough that
   it is still near when it is looked at. */
#define AHEAD 24

AMPEL_INLINE void seat_prefetch(const struct ampel_accounts *accounts, uint32_t slot) {
    __builtin_prefetch(ampel_account_at(accounts, slot), 1);
    __builtin_prefetch(ampel_identity_at(accounts, slot));
}

void ampel_accounts_find_all(const struct ampel_accounts *accounts, uint32_t tenant,
                             const struct ampel_frame_account *keys, uint32_t count,
                             uint32_t *slots) {
    for (uint64_t i = 0; i < (uint64_t)count + 2 * AHEAD; i++) {
        if (i < count) ampel_table_prefetch(&accounts->table, ampel_table_tag(keys[i].hash));
        if (i >= AHEAD && i - AHEAD < count) {
            uint64_t seat = i - AHEAD;
            slots[seat] =
                ampel_table_first(&accounts->table, ampel_table_tag(keys[seat].hash));
            if (slots[seat] != AMPEL_SLOT_NONE) seat_prefetch(accounts, slots[seat]);
        }
        if (i < 2 * AHEAD) continue;
        const struct ampel_frame_account *key = &keys[i - 2 * AHEAD];
        uint32_t slot = slots[i - 2 * AHEAD];
        if (slot == AMPEL_SLOT_NONE) continue;
        if (identity_is(ampel_identity_at(accounts, slot), key->hash, tenant, key->seller,
                        key->marketplace)) {
            continue;
        }
        /* Another account has the same tag: all of them one by one. */
        struct ampel_account_key whole = {key->hash, tenant, key->seller, key->marketplace};
        slots[i - 2 * AHEAD] = ampel_accounts_find(accounts, &whole);
    }
}

/* ---- room ----------------------------------------------------------------------------------- */

static bool chunk_add(struct ampel_accounts *accounts, struct ampel_pool *pool) {
    struct ampel_chunk **chunks =
        ampel_pool_grow(pool, accounts->chunks, &accounts->chunks_capacity,
                        accounts->chunks_count + 1, sizeof(*chunks));
    if (chunks == NULL) return false;
    accounts->chunks = chunks;
    uint32_t words = (accounts->chunks_count + 1) * (AMPEL_CHUNK_ACCOUNTS / AMPEL_PAGE_ACCOUNTS);
    words = (words + 63) / 64;
    uint32_t words_before = accounts->dirty_capacity;
    uint64_t *dirty =
        ampel_pool_grow(pool, accounts->dirty, &accounts->dirty_capacity, words, sizeof(*dirty));
    if (dirty == NULL) return false;
    accounts->dirty = dirty;
    memset(dirty + words_before, 0, (accounts->dirty_capacity - words_before) * sizeof(*dirty));
    chunks[accounts->chunks_count] = ampel_pool_take(pool, sizeof(struct ampel_chunk));
    if (chunks[accounts->chunks_count] == NULL) return false;
    memset(chunks[accounts->chunks_count], 0, sizeof(struct ampel_chunk));
    accounts->chunks_count++;
    return true;
}

static bool identity_init(struct ampel_identity *identity, struct ampel_pool *pool,
                          const struct ampel_account_key *key) {
    identity->hash = key->hash;
    identity->tenant = key->tenant;
    identity->seller_size = (uint8_t)key->seller.size;
    identity->marketplace_size = (uint8_t)key->marketplace.size;
    uint32_t size = key->seller.size + key->marketplace.size;
    char *texts = identity->texts.place;
    if (size > AMPEL_IDENTITY_PLACE) {
        texts = ampel_pool_take(pool, size);
        if (texts == NULL) return false;
        identity->texts.elsewhere = texts;
    }
    memcpy(texts, key->seller.bytes, key->seller.size);
    memcpy(texts + key->seller.size, key->marketplace.bytes, key->marketplace.size);
    return true;
}

uint32_t ampel_accounts_claim(struct ampel_accounts *accounts, struct ampel_pool *pool,
                              const struct ampel_account_key *key) {
    AMPEL_ASSERT(key->seller.size <= AMPEL_ID_BYTES_MAX);
    AMPEL_ASSERT(key->marketplace.size <= AMPEL_ID_BYTES_MAX);
    uint32_t slot = accounts->count;
    if (slot / AMPEL_CHUNK_ACCOUNTS == accounts->chunks_count && !chunk_add(accounts, pool)) {
        return AMPEL_SLOT_NONE;
    }
    if (!identity_init(ampel_identity_at(accounts, slot), pool, key)) return AMPEL_SLOT_NONE;
    if (!ampel_table_push(&accounts->table, pool, ampel_table_tag(key->hash), slot)) {
        return AMPEL_SLOT_NONE;
    }
    struct ampel_account *account = ampel_account_at(accounts, slot);
    account->due_ms = INT64_MAX;
    account->wheel_place = AMPEL_WHEEL_NOWHERE;
    accounts->tenants[key->tenant].accounts_count++;
    accounts->count++;
    return slot;
}

struct ampel_rare *ampel_account_rare(struct ampel_account *account, struct ampel_pool *pool) {
    if (account->rare == NULL) {
        account->rare = ampel_pool_take(pool, sizeof(*account->rare));
        if (account->rare != NULL) memset(account->rare, 0, sizeof(*account->rare));
    }
    return account->rare;
}

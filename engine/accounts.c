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

/* ---- who is it ----------------------------------------------------------------------------- */

static const char *account_texts(const struct ampel_account *account) {
    uint32_t size = (uint32_t)account->seller_size + account->marketplace_size;
    if (size <= AMPEL_ACCOUNT_PLACE) return account->texts;
    const char *elsewhere;
    memcpy(&elsewhere, account->texts, sizeof(elsewhere));
    return elsewhere;
}

void ampel_account_names(const struct ampel_account *account, struct ampel_text *seller, struct ampel_text *marketplace) {
    const char *texts = account_texts(account);
    *seller = (struct ampel_text){texts, account->seller_size};
    *marketplace = (struct ampel_text){texts + account->seller_size, account->marketplace_size};
}

/* Short texts of one size; a call of memcmp would cost more than the comparison. */
static inline bool texts_same(const char *a, const char *b, uint32_t size) {
    uint32_t offset = 0;
    uint64_t differ = 0;
    if (size < 8) {
        for (; offset < size; offset++)
            differ |= (uint64_t)(uint8_t)(a[offset] ^ b[offset]);
        return differ == 0;
    }
    /* The first eight bytes and the last eight, some of them twice; what lies between in long ones. */
    differ = ampel_load_u64(a) ^ ampel_load_u64(b);
    differ |= ampel_load_u64(a + size - 8) ^ ampel_load_u64(b + size - 8);
    for (offset = 16; offset < size; offset += 8)
        differ |= ampel_load_u64(a + offset - 8) ^ ampel_load_u64(b + offset - 8);
    return differ == 0;
}

/* Of 16 to 32 bytes: the first sixteen and the last sixteen, some of them twice. */
static inline bool sixteens_same(const char *a, const char *b, uint32_t size) {
    uint64_t differ = (ampel_load_u64(a) ^ ampel_load_u64(b)) | (ampel_load_u64(a + 8) ^ ampel_load_u64(b + 8));
    a += size - 16;
    b += size - 16;
    differ |= (ampel_load_u64(a) ^ ampel_load_u64(b)) | (ampel_load_u64(a + 8) ^ ampel_load_u64(b + 8));
    return differ == 0;
}
static_assert(AMPEL_ACCOUNT_PLACE <= 32, "texts in place are two sixteens at most");

/* The texts say it, whatever the hash: it follows from them, and stands in another line. */
static inline bool account_is(const struct ampel_account *account, uint32_t tenant,
                              struct ampel_text seller, struct ampel_text marketplace) {
    uint32_t differ = account->tenant ^ tenant;
    differ |= account->seller_size ^ seller.size;
    if ((differ | (account->marketplace_size ^ marketplace.size)) != 0) return false;
    const uint32_t size = seller.size + marketplace.size;
    /* A record's texts stand one behind the other, as the account's do. */
    if (size >= 16 && size <= AMPEL_ACCOUNT_PLACE && seller.bytes + seller.size == marketplace.bytes)
        return sixteens_same(account->texts, seller.bytes, size);
    const char *texts = account_texts(account);
    return texts_same(texts, seller.bytes, seller.size) &&
           texts_same(texts + seller.size, marketplace.bytes, marketplace.size);
}

uint32_t ampel_accounts_find(const struct ampel_accounts *accounts,
                             const struct ampel_account_key *key) {
    uint32_t tag = ampel_table_tag(key->hash), step = 0;
    const struct ampel_table_segment *segment = ampel_table_segment_of(&accounts->table, tag);
    const struct ampel_table_entry *home = &segment->entries[ampel_table_home(tag)];
    if (ampel_table_first(&accounts->table, home, tag) == UINT32_MAX) return AMPEL_SLOT_NONE;
    for (;;) {
        uint32_t slot = ampel_table_next(&accounts->table, tag, &step);
        if (slot == UINT32_MAX) return AMPEL_SLOT_NONE;
        if (account_is(ampel_account_at(accounts, slot), key->tenant, key->seller,
                       key->marketplace)) {
            return slot;
        }
    }
}

/* A search takes steps by groups of so many keys. Within a group nothing but fetches stands between two fetches, so that
   what they wait for first, where the page is, is found for many at once; from one step of a group to the next there is
   time enough for lines to arrive. */
#define GROUP 16

/* Where the table says that a key is. */
struct home {
    const struct ampel_table_entry *entry;
    uint32_t tag;
    uint32_t reserved;
};

struct search {
    const struct ampel_accounts *accounts;
    const struct ampel_frame_account *keys;
    uint32_t *slots;
    struct ampel_account **found;
    uint32_t tenant;
    struct home homes[GROUP]; /* of those whose buckets are on their way */
};

AMPEL_INLINE void bucket_fetch(struct search *search, uint32_t i) {
    struct home *home = &search->homes[i % GROUP];
    home->tag = ampel_table_tag(search->keys[i].hash);
    home->entry = ampel_table_prefetch(&search->accounts->table, home->tag);
}

AMPEL_INLINE void account_fetch(const struct search *search, uint32_t i) {
    const struct home *home = &search->homes[i % GROUP];
    uint32_t slot = ampel_table_first(&search->accounts->table, home->entry, home->tag);
    struct ampel_account *account = NULL;
    if (slot != AMPEL_SLOT_NONE) {
        account = ampel_account_at(search->accounts, slot);
        __builtin_prefetch(account, 1);
    }
    search->slots[i] = slot;
    search->found[i] = account;
}

/* Another account has the key's tag: all of them one by one. */
static void account_again(const struct search *search, uint32_t i) {
    const struct ampel_frame_account *key = &search->keys[i];
    struct ampel_account_key whole = {key->hash, search->tenant, key->seller, key->marketplace};
    uint32_t slot = ampel_accounts_find(search->accounts, &whole);
    search->slots[i] = slot;
    search->found[i] = slot != AMPEL_SLOT_NONE ? ampel_account_at(search->accounts, slot) : NULL;
}

AMPEL_INLINE void account_judge(const struct search *search, uint32_t i) {
    const struct ampel_frame_account *key = &search->keys[i];
    const struct ampel_account *account = search->found[i];
    if (account != NULL && !account_is(account, search->tenant, key->seller, key->marketplace))
        account_again(search, i);
}

/* The keys of a group that are there. */
AMPEL_INLINE uint32_t group_end(uint32_t first, uint32_t count) {
    return count - first < GROUP ? count : first + GROUP;
}

void ampel_accounts_find_all(const struct ampel_accounts *accounts, uint32_t tenant,
                             const struct ampel_frame_account *keys, uint32_t count,
                             uint32_t *slots, struct ampel_account **found) {
    /* Member by member: homes are written before they are read. */
    struct search search;
    search.accounts = accounts;
    search.keys = keys;
    search.slots = slots;
    search.found = found;
    search.tenant = tenant;
    for (uint32_t first = 0; first < count + 2 * GROUP; first += GROUP) {
        uint32_t judged = first - 2 * GROUP, fetched = first - GROUP;
        for (uint32_t i = fetched; fetched < count && i < group_end(fetched, count); i++)
            account_fetch(&search, i);
        for (uint32_t i = first; first < count && i < group_end(first, count); i++)
            bucket_fetch(&search, i);
        for (uint32_t i = judged; judged < count && i < group_end(judged, count); i++)
            account_judge(&search, i);
    }
}

/* ---- room ----------------------------------------------------------------------------------- */

static bool chunk_add(struct ampel_accounts *accounts, struct ampel_pool *pool) {
    struct ampel_chunk **chunks =
        ampel_pool_grow(pool, accounts->chunks, &accounts->chunks_capacity,
                        accounts->chunks_count + 1, sizeof(*chunks));
    if (chunks == NULL) return false;
    accounts->chunks = chunks;
    uint32_t pages = (accounts->chunks_count + 1) * (AMPEL_CHUNK_ACCOUNTS / AMPEL_PAGE_ACCOUNTS);
    uint32_t pages_before = accounts->dirty_capacity;
    uint8_t *dirty = ampel_pool_grow(pool, accounts->dirty, &accounts->dirty_capacity, pages, sizeof(*dirty));
    if (dirty == NULL) return false;
    accounts->dirty = dirty;
    memset(dirty + pages_before, 0, accounts->dirty_capacity - pages_before);
    chunks[accounts->chunks_count] = ampel_pool_take(pool, sizeof(struct ampel_chunk));
    if (chunks[accounts->chunks_count] == NULL) return false;
    memset(chunks[accounts->chunks_count], 0, sizeof(struct ampel_chunk));
    accounts->chunks_count++;
    return true;
}

static bool account_init(struct ampel_account *account, struct ampel_pool *pool,
                         const struct ampel_account_key *key) {
    account->hash = key->hash;
    account->tenant = key->tenant;
    account->seller_size = (uint8_t)key->seller.size;
    account->marketplace_size = (uint8_t)key->marketplace.size;
    uint32_t size = key->seller.size + key->marketplace.size;
    char *texts = account->texts;
    if (size > AMPEL_ACCOUNT_PLACE) {
        texts = ampel_pool_take(pool, size);
        if (texts == NULL) return false;
        memcpy(account->texts, &texts, sizeof(texts));
    }
    memcpy(texts, key->seller.bytes, key->seller.size);
    memcpy(texts + key->seller.size, key->marketplace.bytes, key->marketplace.size);
    account->due_ms = INT64_MAX;
    account->wheel_place = AMPEL_WHEEL_NOWHERE;
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
    struct ampel_account *account = ampel_account_at(accounts, slot);
    if (!account_init(account, pool, key)) return AMPEL_SLOT_NONE;
    if (!ampel_table_push(&accounts->table, pool, ampel_table_tag(key->hash), slot)) {
        return AMPEL_SLOT_NONE;
    }
    accounts->tenants[key->tenant].accounts_count++;
    accounts->count++;
    return slot;
}

struct ampel_rare *ampel_account_rare(struct ampel_account *account, struct ampel_pool *pool) {
    if (account->rare == NULL) {
        account->rare = ampel_pool_take(pool, sizeof(*account->rare));
        if (account->rare == NULL) return NULL;
        memset(account->rare, 0, sizeof(*account->rare));
        account->has_rare = 1;
    }
    return account->rare;
}

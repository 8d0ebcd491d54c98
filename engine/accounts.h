/* All accounts of a partition, in slot order, in chunks that never move.

       chunk      seats[512], each a header (64 bytes, what an event touches) beside its identity (64 bytes)
       header     ──▶ ring (window.h), violations (violations.h), rare (facts, a running backfill, days below)
       identity   hash, tenant number, seller and marketplace (in place up to 48 bytes)
       tenants    texts by number; sorted[] are numbers in the order of the texts

   Accounts are never removed. */
#ifndef AMPEL_ENGINE_ACCOUNTS_H
#define AMPEL_ENGINE_ACCOUNTS_H

#include <assert.h>

#include "engine/engine.h"
#include "engine/facts.h"
#include "engine/pool.h"
#include "engine/table.h"
#include "engine/violations.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_CHUNK_ACCOUNTS 512
#define AMPEL_WHEEL_NOWHERE  UINT16_MAX

static_assert(AMPEL_CHUNK_ACCOUNTS % AMPEL_PAGE_ACCOUNTS == 0, "a page lies in one chunk");

/* A backfill that was not summed up yet. */
struct ampel_backfill {
    int64_t due_ms;
    struct ampel_numbers before;
    bool is_new;
};

/* What few accounts have. */
struct ampel_below;  /* assurance.h */
struct ampel_clocks; /* clocks.h */
struct ampel_takeover;
struct ampel_rare {
    struct ampel_facts *facts;
    struct ampel_backfill *backfill;
    struct ampel_below *below;   /* closed days, once the score crossed the rule assurance.score */
    struct ampel_clocks *clocks; /* while any runs */
    struct ampel_takeover *takeover; /* takeover.h; while suspected */
};

/* A flag above the bits of enum AMPEL_ROW_*: the account hangs in the wheel where it no longer
 * belongs. */
enum { AMPEL_ACCOUNT_DUE_STALE = 8 };

struct ampel_account {
    uint8_t *ring;
    uint32_t orders;  /* the sum of the window's days */
    uint32_t touch;   /* where it would stand among the touches of this step (state.h) */
    struct ampel_violations *violations;
    struct ampel_rare *rare;
    int64_t due_ms; /* next instant at which time alone changes it, INT64_MAX if none */
    uint32_t wheel_previous, wheel_next;
    uint16_t wheel_place;
    uint8_t ring_width;
    uint8_t flags;
    uint32_t first_day, settled_day; /* assurance.h */
    uint8_t assured;                 /* AMPEL_ASSURED_* */
    uint8_t watched;                 /* takeover.h */
    uint16_t look_day;               /* leaving.h */
};
static_assert(sizeof(struct ampel_account) == 64, "one line a header");

#define AMPEL_IDENTITY_PLACE 48
struct ampel_identity {
    uint64_t hash;
    uint32_t tenant;
    uint8_t seller_size, marketplace_size;
    uint16_t reserved;
    union {
        char place[AMPEL_IDENTITY_PLACE];
        char *elsewhere;
    } texts; /* seller, then marketplace */
};
static_assert(sizeof(struct ampel_identity) == 64, "one line an identity");

/* An event needs both, the identity to know that it is the one: neighbouring lines come together. */
struct ampel_seat {
    struct ampel_account header;
    struct ampel_identity identity;
};
static_assert(sizeof(struct ampel_seat) == 128, "a pair of lines a seat");

struct ampel_chunk {
    struct ampel_seat seats[AMPEL_CHUNK_ACCOUNTS];
};

struct ampel_tenant {
    char *bytes;
    uint32_t size;
    uint32_t accounts_count;
};

struct ampel_accounts {
    struct ampel_table table;
    struct ampel_chunk **chunks;
    uint32_t count;
    uint32_t chunks_count, chunks_capacity;
    struct ampel_tenant *tenants;
    uint32_t *tenants_sorted;
    uint32_t tenants_count, tenants_capacity, tenants_sorted_capacity;
    uint64_t *dirty; /* a bit for each page */
    uint32_t dirty_capacity;
};

struct ampel_account_key {
    uint64_t hash;
    uint32_t tenant; /* number, or UINT32_MAX where the tenant is unknown */
    struct ampel_text seller, marketplace;
};

AMPEL_MUST_CHECK bool ampel_accounts_init(struct ampel_accounts *accounts, struct ampel_pool *pool,
                                          uint32_t expected);

static inline struct ampel_account *ampel_account_at(const struct ampel_accounts *accounts,
                                                     uint32_t slot) {
    return &accounts->chunks[slot / AMPEL_CHUNK_ACCOUNTS]->seats[slot % AMPEL_CHUNK_ACCOUNTS].header;
}
static inline struct ampel_identity *ampel_identity_at(const struct ampel_accounts *accounts,
                                                       uint32_t slot) {
    return &accounts->chunks[slot / AMPEL_CHUNK_ACCOUNTS]
                ->seats[slot % AMPEL_CHUNK_ACCOUNTS]
                .identity;
}

/* The number of a tenant, UINT32_MAX if unknown. */
uint32_t ampel_tenant_find(const struct ampel_accounts *accounts, struct ampel_text tenant);
/* Finds or makes it; UINT32_MAX: no memory. */
AMPEL_MUST_CHECK uint32_t ampel_tenant_claim(struct ampel_accounts *accounts,
                                             struct ampel_pool *pool, struct ampel_text tenant);

/* AMPEL_SLOT_NONE if unknown. */
uint32_t ampel_accounts_find(const struct ampel_accounts *accounts,
                             const struct ampel_account_key *key);
/* Many keys of one tenant; slots get AMPEL_SLOT_NONE where unknown. While one is judged, the seats of
   those behind it and the buckets of those still further behind are on their way. */
void ampel_accounts_find_all(const struct ampel_accounts *accounts, uint32_t tenant,
                             const struct ampel_frame_account *keys, uint32_t count,
                             uint32_t *slots);
/* A new account with the next slot; the key must be unknown and its tenant known. AMPEL_SLOT_NONE:
 * no memory. */
AMPEL_MUST_CHECK uint32_t ampel_accounts_claim(struct ampel_accounts *accounts,
                                               struct ampel_pool *pool,
                                               const struct ampel_account_key *key);

struct ampel_text ampel_identity_seller(const struct ampel_identity *identity);
struct ampel_text ampel_identity_marketplace(const struct ampel_identity *identity);

/* The account differs from what was last exported; row are bits of what its row shows. */
static inline void ampel_account_dirty(struct ampel_accounts *accounts, uint32_t slot,
                                       struct ampel_account *account, uint32_t row) {
    account->flags = (uint8_t)(account->flags | row);
    uint32_t page = slot / AMPEL_PAGE_ACCOUNTS;
    accounts->dirty[page / 64] |= UINT64_C(1) << (page % 64);
}

/* NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_rare *ampel_account_rare(struct ampel_account *account,
                                                       struct ampel_pool *pool);

#ifdef __cplusplus
}
#endif

#endif

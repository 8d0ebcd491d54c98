/* All accounts of a partition, in slot order, in chunks that never move.

       chunk      accounts[512] of two lines each, midnights[512] (midnight.h)
       line 1     what an order needs: who it is (tenant number, seller and marketplace, in place up to 28
                  bytes), today's orders, the window's sum, what keeps it from being merged in passing
       line 2     the rest ──▶ violations (violations.h), rare (facts, a running backfill, days below),
                  its place in the wheel
       tenants    texts by number; sorted[] are numbers in the order of the texts

   So an order of today touches two lines that are far away: its bucket of the table and line 1.

   Accounts are never removed. */
#ifndef AMPEL_ENGINE_ACCOUNTS_H
#define AMPEL_ENGINE_ACCOUNTS_H

#include <assert.h>

#include "engine/engine.h"
#include "engine/facts.h"
#include "engine/pool.h"
#include "engine/table.h"
#include "engine/violations.h"
#include "engine/window.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_CHUNK_ACCOUNTS 512
#define AMPEL_WHEEL_NOWHERE  UINT16_MAX
#define AMPEL_WHEEL_AGENDA   (UINT16_MAX - 1) /* wheel.h */

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

/* Flags beside the bits of enum AMPEL_ROW_*: the account hangs in the wheel where it no longer belongs;
   its risk is eligible at least, as it was looked at last. */
enum { AMPEL_ACCOUNT_DUE_STALE = 8, AMPEL_ACCOUNT_ELIGIBLE = 64 };

/* Marketplaces' own ids are no longer; longer texts stand elsewhere. */
#define AMPEL_ACCOUNT_PLACE 28

struct ampel_account {
    struct ampel_window window;
    uint32_t orders;   /* the sum of the window's days */
    uint32_t touch;    /* its last touch's number (state.h) */
    uint32_t tenant;
    uint16_t look_day; /* leaving.h */
    uint8_t seller_size, marketplace_size;
    uint8_t flags;
    uint8_t assured;     /* AMPEL_ASSURED_* */
    uint8_t watched;     /* takeover.h */
    uint8_t has_rare;    /* rare is not NULL: asked at midnight, when line 2 is far away */
    char texts[AMPEL_ACCOUNT_PLACE]; /* seller, then marketplace; or a pointer to both */
    /* ---- line 2 ---- */
    struct ampel_violations *violations;
    struct ampel_rare *rare;
    uint64_t hash;
    int64_t due_ms; /* next instant at which time alone changes it, INT64_MAX if none */
    uint32_t wheel_previous, wheel_next;
    uint32_t wheel_ahead[3]; /* those behind wheel_next when it was hung: to be fetched, no more */
    uint32_t first_day, settled_day; /* assurance.h */
    uint16_t wheel_place;
    uint16_t reserved;
};
static_assert(sizeof(struct ampel_account) == 128, "a pair of lines an account");
static_assert(offsetof(struct ampel_account, violations) == 64, "what an order needs is one line");

struct ampel_chunk {
    struct ampel_account accounts[AMPEL_CHUNK_ACCOUNTS];
    uint8_t midnights[AMPEL_CHUNK_ACCOUNTS];
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
    uint8_t *dirty; /* by page: 1 where an account of it is */
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
    return &accounts->chunks[slot / AMPEL_CHUNK_ACCOUNTS]->accounts[slot % AMPEL_CHUNK_ACCOUNTS];
}

/* The number of a tenant, UINT32_MAX if unknown. */
uint32_t ampel_tenant_find(const struct ampel_accounts *accounts, struct ampel_text tenant);
/* Finds or makes it; UINT32_MAX: no memory. */
AMPEL_MUST_CHECK uint32_t ampel_tenant_claim(struct ampel_accounts *accounts,
                                             struct ampel_pool *pool, struct ampel_text tenant);

/* AMPEL_SLOT_NONE if unknown. */
uint32_t ampel_accounts_find(const struct ampel_accounts *accounts,
                             const struct ampel_account_key *key);
/* Many keys of one tenant; slots get AMPEL_SLOT_NONE and found NULL where unknown. While one is judged,
   the first lines of those behind it and the buckets of those still further behind are on their way. */
void ampel_accounts_find_all(const struct ampel_accounts *accounts, uint32_t tenant,
                             const struct ampel_frame_account *keys, uint32_t count,
                             uint32_t *slots, struct ampel_account **found);
/* A new account with the next slot; the key must be unknown and its tenant known. AMPEL_SLOT_NONE:
 * no memory. */
AMPEL_MUST_CHECK uint32_t ampel_accounts_claim(struct ampel_accounts *accounts,
                                               struct ampel_pool *pool,
                                               const struct ampel_account_key *key);

/* Borrowed from the account, which never moves. */
void ampel_account_names(const struct ampel_account *account, struct ampel_text *seller, struct ampel_text *marketplace);

/* The account differs from what was last exported; row are bits of what its row shows. */
static inline void ampel_account_dirty(struct ampel_accounts *accounts, uint32_t slot,
                                       struct ampel_account *account, uint32_t row) {
    account->flags = (uint8_t)(account->flags | row);
    accounts->dirty[slot / AMPEL_PAGE_ACCOUNTS] = 1;
}

/* NULL: no memory. */
AMPEL_MUST_CHECK struct ampel_rare *ampel_account_rare(struct ampel_account *account,
                                                       struct ampel_pool *pool);

#ifdef __cplusplus
}
#endif

#endif

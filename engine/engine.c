#include "engine/engine.h"

#include <string.h>

#include "engine/assurance.h"
#include "engine/midnight.h"
#include "engine/outlook_view.h"
#include "engine/records.h"
#include "engine/state.h"
#include "engine/takeover.h"
#include "engine/warnings.h"
#include "engine/window.h"

static_assert(sizeof(struct ampel_numbers) == 40,
              "numbers have no padding: they are compared whole");

/* ---- life ----------------------------------------------------------------------------------- */

enum ampel_engine_status ampel_engine_open(const struct ampel_engine_options *options,
                                           struct ampel_engine **out) {
    const char *key;
    AMPEL_ASSERT(ampel_rules_check(options->rules, &key));
    int64_t start_ms = options->start_ms < 0 ? 0 : options->start_ms;
    if (start_ms > AMPEL_TIME_MAX_MS) start_ms = AMPEL_TIME_MAX_MS;
    struct ampel_memory memory = options->memory;
    struct ampel_engine *engine = memory.take(memory.context, sizeof(*engine), 64);
    if (engine == NULL) return AMPEL_ENGINE_NO_MEMORY;
    memset(engine, 0, sizeof(*engine));
    ampel_pool_init(&engine->pool, &memory);
    engine->rules = *options->rules;
    ampel_scale_init(&engine->scale, &engine->rules);
    engine->now_ms = start_ms;
    engine->now_day = start_ms / AMPEL_DAY_MS;
    engine->now_cell = (uint32_t)(engine->now_day % AMPEL_WINDOW_DAYS_MAX);
    engine->now_midnight = ampel_midnight_code(engine->now_day);
    engine->accounts_per_tenant_max = options->accounts_per_tenant_max;
    engine->violations_per_account_max = options->violations_per_account_max;
    engine->silent = options->silent;
    if (engine->violations_per_account_max == 0 ||
        engine->violations_per_account_max > AMPEL_ACCOUNT_VIOLATIONS_MAX) {
        engine->violations_per_account_max = AMPEL_ACCOUNT_VIOLATIONS_MAX;
    }
    ampel_wheel_init(&engine->wheel, start_ms);
    if (!ampel_accounts_init(&engine->accounts, &engine->pool, options->accounts_expected)) {
        ampel_engine_close(engine);
        return AMPEL_ENGINE_NO_MEMORY;
    }
    *out = engine;
    return AMPEL_ENGINE_OK;
}

void ampel_engine_close(struct ampel_engine *engine) {
    if (engine == NULL) return;
    struct ampel_memory memory = engine->pool.memory;
    ampel_pool_reset(&engine->pool);
    memory.give(memory.context, engine, sizeof(*engine));
}

int64_t ampel_engine_now(const struct ampel_engine *engine) {
    return engine->now_ms;
}
const struct ampel_rules *ampel_engine_rules(const struct ampel_engine *engine) {
    return &engine->rules;
}
void ampel_engine_position_set(struct ampel_engine *engine, uint64_t position) {
    engine->position = position;
}

/* ---- other rules ---------------------------------------------------------------------------- */

static void numbers_under(const struct ampel_rules *rules, const struct ampel_account *account,
                          struct ampel_numbers *out) {
    static const struct ampel_violation_sums none;
    const struct ampel_violation_sums *sums =
        account->violations != NULL ? &account->violations->sums : &none;
    ampel_rating_numbers(rules, account->orders, sums->deducted, sums->criticals, sums->caps, out);
}

static bool account_recompute(struct ampel_engine *engine, uint32_t slot,
                              const struct ampel_rules *old, const struct ampel_cause *cause) {
    struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    struct ampel_violations_context context = ampel_engine_context(engine);
    struct ampel_touched *touched = ampel_step_touch(engine, slot, account, false);
    struct ampel_numbers after;
    if (touched == NULL) return false;
    touched->whole = true;
    numbers_under(old, account, &touched->before);
    if (engine->rules.window_days != old->window_days) {
        account->orders = ampel_window_sum(&account->window, engine->now_cell, (uint32_t)engine->rules.window_days);
    }
    ampel_violations_recompute(account->violations, &context, true);
    ampel_account_numbers(engine, account, &after);
    ampel_account_row_mark(engine, slot, account, &touched->before, &after);
    if (account->violations != NULL) {
        ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_VIOLATIONS);
    }
    if (!ampel_account_show(engine, account, touched, &after)) return false;
    if (!ampel_assurance_tell(engine, slot, account, cause, engine->position)) return false;
    uint32_t due = ampel_changes_due(engine, &touched->before, &after, false);
    if (due != 0 &&
        !ampel_changes_name(engine, slot, due, &touched->before, &after, false, cause, engine->position)) {
        return false;
    }
    if (!ampel_account_warn(engine, slot, account, &after, true, true, cause, engine->position)) {
        return false;
    }
    ampel_account_due_renew(engine, slot, account);
    ampel_midnight_renew(engine, slot, account);
    return ampel_takeover_renew(engine, slot, account, cause);
}

enum ampel_engine_status ampel_engine_rules_set(struct ampel_engine *engine,
                                                const struct ampel_rules *rules) {
    const char *key;
    if (engine->poisoned) return AMPEL_ENGINE_NO_MEMORY;
    AMPEL_ASSERT(!engine->instant.active && !engine->importing && engine->before == NULL);
    AMPEL_ASSERT(ampel_rules_check(rules, &key));
    struct ampel_rules old = engine->rules;
    struct ampel_cause cause;
    ampel_cause_time(engine->now_ms, AMPEL_CAUSE_RULES, &cause);
    engine->rules = *rules;
    ampel_scale_init(&engine->scale, &engine->rules);
    bool done = ampel_step_reserve(engine, 1);
    for (uint32_t slot = 0; done && slot < engine->accounts.count; slot++) {
        done = account_recompute(engine, slot, &old, &cause);
        ampel_step_end(engine);
    }
    if (!done) {
        engine->poisoned = true;
        return AMPEL_ENGINE_NO_MEMORY;
    }
    ampel_outlook_classes_renew(engine);
    return AMPEL_ENGINE_OK;
}

/* ---- numbers -------------------------------------------------------------------------------- */

uint32_t ampel_engine_accounts_count(const struct ampel_engine *engine) {
    return engine->accounts.count;
}

uint32_t ampel_engine_account_find(const struct ampel_engine *engine, uint64_t hash,
                                   struct ampel_text tenant, struct ampel_text seller,
                                   struct ampel_text marketplace) {
    struct ampel_account_key key = {hash, ampel_tenant_find(&engine->accounts, tenant), seller,
                                    marketplace};
    return key.tenant != UINT32_MAX ? ampel_accounts_find(&engine->accounts, &key)
                                    : AMPEL_SLOT_NONE;
}

void ampel_engine_account_identity(const struct ampel_engine *engine, uint32_t slot,
                                   struct ampel_text *tenant, struct ampel_text *seller,
                                   struct ampel_text *marketplace) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    const struct ampel_tenant *of = &engine->accounts.tenants[account->tenant];
    *tenant = (struct ampel_text){of->bytes, of->size};
    ampel_account_names(account, seller, marketplace);
}

uint32_t ampel_engine_account_tenant(const struct ampel_engine *engine, uint32_t slot) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    return ampel_account_at(&engine->accounts, slot)->tenant;
}

/* So many violations of an account are fetched; few accounts have more. */
#define FETCH_VIOLATIONS 8

void ampel_engine_account_fetch(const struct ampel_engine *engine, uint32_t slot,
                                enum ampel_fetch step) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    if (step == AMPEL_FETCH_NAME || step == AMPEL_FETCH_ACCOUNT) __builtin_prefetch(account);
    if (step == AMPEL_FETCH_NAME) return;
    if (step == AMPEL_FETCH_ACCOUNT) {
        __builtin_prefetch(&account->violations);
        return;
    }
    const struct ampel_violations *block = account->violations;
    if (block == NULL) return;
    if (step == AMPEL_FETCH_VIOLATIONS) {
        for (uint32_t i = 0; i <= FETCH_VIOLATIONS / 2; i++)
            __builtin_prefetch((const uint8_t *)block + 64 * (size_t)i);
        return;
    }
    for (uint32_t i = 0; i < block->count && i < FETCH_VIOLATIONS; i++)
        __builtin_prefetch(block->hot[i].cold);
}

bool ampel_engine_account_backfilling(const struct ampel_engine *engine, uint32_t slot) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_rare *rare = ampel_account_at(&engine->accounts, slot)->rare;
    return rare != NULL && rare->backfill != NULL;
}

void ampel_engine_numbers(const struct ampel_engine *engine, uint32_t slot,
                          struct ampel_numbers *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    ampel_account_numbers(engine, ampel_account_at(&engine->accounts, slot), out);
}

bool ampel_engine_violation_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                                 struct ampel_violation *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_violations *block = ampel_account_at(&engine->accounts, slot)->violations;
    uint32_t place = ampel_violations_filled(block, *cursor);
    if (place >= ampel_violations_known_end(block)) return false;
    *cursor = place + 1;
    uint16_t record = ampel_violations_order(block)[place], rank = ampel_violations_rank(block, place);
    const struct ampel_violation_hot *hot = &block->hot[record];
    int8_t severity = ampel_scale_severity(&engine->scale, hot->policy, hot->severity_given);
    bool in_window = (hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0;
    struct ampel_text texts[AMPEL_TEXTS_COUNT];
    int64_t sales_cents;
    ampel_violations_texts(block, record, texts, &sales_cents);
    *out = (struct ampel_violation){
        .at_ms = hot->at_ms,
        .expires_at_ms = hot->at_ms + engine->scale.window_ms,
        .state_at_ms = hot->cold->state_at_ms,
        .cleared_since_ms = hot->cleared_since_ms,
        .points = ampel_scale_points(&engine->scale, severity, rank, hot->points_given),
        .at_risk_sales_cents = sales_cents,
        .rank = rank,
        .rev = hot->rev,
        .points_given = hot->points_given,
        .policy = hot->policy,
        .severity = severity,
        .severity_given = hot->severity_given,
        .state = hot->state,
        .in_window = in_window,
        .deducting = in_window && ampel_state_deducting(hot->state),
        .critical = severity == AMPEL_SEVERITY_CRITICAL && hot->points_given < 0,
        .changed = ampel_violations_changed(block, place),
        .id = texts[AMPEL_TEXT_ID],
        .incident = texts[AMPEL_TEXT_INCIDENT],
        .asin = texts[AMPEL_TEXT_ASIN],
        .sku = texts[AMPEL_TEXT_SKU],
    };
    return true;
}

uint32_t ampel_engine_orders_of(const struct ampel_engine *engine, uint32_t slot, int64_t day,
                                bool *authoritative) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    *authoritative = false;
    int64_t age_days = engine->now_day - day;
    if (age_days < 0 || age_days >= AMPEL_WINDOW_CELLS) return 0;
    uint32_t cell =
        (engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days) % AMPEL_WINDOW_CELLS;
    uint32_t packed = ampel_window_get(&account->window, cell);
    *authoritative = ampel_day_authoritative(packed);
    return ampel_day_total(packed);
}

bool ampel_engine_fact_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                            struct ampel_event *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_rare *rare = ampel_account_at(&engine->accounts, slot)->rare;
    if (rare == NULL || rare->facts == NULL || *cursor >= rare->facts->count) return false;
    ampel_fact_event(rare->facts->sorted[(*cursor)++], out);
    return true;
}

/* ---- changes, pages, producers, counts ------------------------------------------------------ */

const struct ampel_change *ampel_engine_changes(const struct ampel_engine *engine,
                                                uint32_t *count) {
    *count = engine->changes_count;
    return engine->changes;
}

void ampel_engine_changes_clear(struct ampel_engine *engine) {
    engine->changes_count = 0;
    engine->told_signals_count = 0;
}

uint32_t ampel_engine_pages_count(const struct ampel_engine *engine) {
    return (engine->accounts.count + AMPEL_PAGE_ACCOUNTS - 1) / AMPEL_PAGE_ACCOUNTS;
}

uint32_t ampel_engine_page_dirty_next(const struct ampel_engine *engine, uint32_t from) {
    uint32_t pages = ampel_engine_pages_count(engine);
    if (from >= pages) return UINT32_MAX;
    const uint8_t *dirty = engine->accounts.dirty, *found = memchr(dirty + from, 1, pages - from);
    return found != NULL ? (uint32_t)(found - dirty) : UINT32_MAX;
}

uint8_t ampel_engine_row_changed(const struct ampel_engine *engine, uint32_t slot) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    return ampel_account_at(&engine->accounts, slot)->flags & AMPEL_ROW_ALL;
}

static void account_clean(struct ampel_account *account) {
    uint8_t row = AMPEL_ROW_ALL;
    if ((account->flags & AMPEL_ROW_VIOLATIONS) != 0 && account->violations != NULL)
        ampel_violations_marks_clear(account->violations);
    account->flags = (uint8_t)(account->flags & ~row);
}

void ampel_engine_page_clean(struct ampel_engine *engine, uint32_t page) {
    AMPEL_ASSERT(page < ampel_engine_pages_count(engine));
    uint32_t first = page * AMPEL_PAGE_ACCOUNTS, end = first + AMPEL_PAGE_ACCOUNTS;
    if (end > engine->accounts.count) end = engine->accounts.count;
    for (uint32_t slot = first; slot < end; slot++) {
        account_clean(ampel_account_at(&engine->accounts, slot));
    }
    engine->accounts.dirty[page] = 0;
}

bool ampel_engine_producer_next(const struct ampel_engine *engine, uint32_t *cursor,
                                struct ampel_producer_window *out) {
    if (*cursor >= engine->producers.count) return false;
    ampel_producer_get(engine->producers.sorted[(*cursor)++], out);
    return true;
}

void ampel_engine_counts(const struct ampel_engine *engine, struct ampel_engine_counts *out) {
    *out = (struct ampel_engine_counts){
        .memory_bytes = engine->pool.bytes + sizeof(*engine),
        .accounts = engine->accounts.count,
        .violations = (uint32_t)engine->violations_count,
        .pending = engine->pending.count,
        .producers = engine->producers.count,
        .facts = (uint32_t)engine->facts_count,
    };
}

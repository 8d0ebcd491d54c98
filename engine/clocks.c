#include "engine/clocks.h"

#include <string.h>

#include "engine/assurance.h"

static const char *const clock_names[] = {"red", "assurance", "cap"};

const char *ampel_clock_name(uint8_t kind) {
    return kind < AMPEL_ARRAY_COUNT(clock_names) ? clock_names[kind] : "unknown";
}

/* Mostly there is nothing rare, and the account's second line is not asked. */
static struct ampel_clocks *clocks_of(const struct ampel_account *account) {
    return account->has_rare != 0 ? account->rare->clocks : NULL;
}

static uint8_t kind_of(uint32_t index) {
    return (uint8_t)(index < AMPEL_CLOCK_CAP ? index : AMPEL_CLOCK_CAP);
}

static uint8_t group_of(uint32_t index) {
    return index < AMPEL_CLOCK_CAP ? AMPEL_CAP_GROUP_NONE : (uint8_t)(index - AMPEL_CLOCK_CAP);
}

/* ---- conditions ----------------------------------------------------------------------------- */

/* What the marketplace says of the account: at_risk or deactivated. */
static bool status_bad(const struct ampel_account *account) {
    const struct ampel_facts *facts = account->has_rare != 0 ? account->rare->facts : NULL;
    if (facts == NULL) return false;
    uint32_t first = ampel_facts_first(facts, AMPEL_EVENT_ACCOUNT_STATUS, 0);
    return first < facts->count && facts->sorted[first]->type == AMPEL_EVENT_ACCOUNT_STATUS &&
           facts->sorted[first]->code > 0;
}

/* Which clocks have to run, a bit for each. */
static uint32_t wanted(const struct ampel_engine *engine, const struct ampel_account *account,
                       const struct ampel_numbers *numbers) {
    uint32_t bits = 0;
    bool assured = (account->assured & AMPEL_ASSURED_ELIGIBLE) != 0;
    if (numbers->colour == AMPEL_RED) bits |= UINT32_C(1) << AMPEL_CLOCK_RED;
    if (assured && (numbers->risk >= AMPEL_RISK_ELIGIBLE || status_bad(account))) {
        bits |= UINT32_C(1) << AMPEL_CLOCK_ASSURANCE;
    }
    for (uint32_t i = 0; i < engine->rules.cap_groups_count; i++) {
        bool reached = numbers->caps[i] >= engine->rules.cap_groups[i].limit;
        if (reached) bits |= UINT32_C(1) << (AMPEL_CLOCK_CAP + i);
    }
    return bits;
}

static int32_t hours_of(const struct ampel_rules *rules, uint32_t index) {
    if (index == AMPEL_CLOCK_RED) return rules->deadline_red_hours;
    if (index == AMPEL_CLOCK_ASSURANCE) return AMPEL_ASSURANCE_ANSWER_HOURS;
    return rules->deadline_cap_hours;
}

/* ---- starts and stops ----------------------------------------------------------------------- */

static uint32_t running(const struct ampel_clocks *clocks) {
    uint32_t bits = 0;
    for (uint32_t i = 0; clocks != NULL && i < AMPEL_CLOCKS_MAX; i++) {
        if (clocks->list[i].deadline_ms != 0) bits |= UINT32_C(1) << i;
    }
    return bits;
}

static struct ampel_clocks *clocks_claim(struct ampel_engine *engine,
                                         struct ampel_account *account) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL || rare->clocks != NULL) return rare != NULL ? rare->clocks : NULL;
    rare->clocks = ampel_pool_take(&engine->pool, sizeof(*rare->clocks));
    if (rare->clocks != NULL) memset(rare->clocks, 0, sizeof(*rare->clocks));
    return rare->clocks;
}

/* A warning that would lie at the start or before it is none. */
static void clock_start(const struct ampel_engine *engine, uint32_t index,
                        struct ampel_clock_state *clock) {
    int64_t span_ms = hours_of(&engine->rules, index) * AMPEL_HOUR_MS;
    clock->started_ms = engine->now_ms;
    clock->deadline_ms = engine->now_ms + span_ms;
    clock->told = 0;
    if (span_ms <= AMPEL_CLOCK_FIRST_HOURS * AMPEL_HOUR_MS) clock->told |= AMPEL_CLOCK_FIRST_TOLD;
    if (span_ms <= AMPEL_CLOCK_LAST_HOURS * AMPEL_HOUR_MS) clock->told |= AMPEL_CLOCK_LAST_TOLD;
}

static bool clocks_set(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                       uint32_t starting, uint32_t stopping) {
    struct ampel_clocks *clocks =
        starting != 0 ? clocks_claim(engine, account) : clocks_of(account);
    if (clocks == NULL) return false;
    for (uint32_t i = 0; i < AMPEL_CLOCKS_MAX; i++) {
        if ((stopping >> i & 1) != 0) memset(&clocks->list[i], 0, sizeof(clocks->list[i]));
        if ((starting >> i & 1) != 0) clock_start(engine, i, &clocks->list[i]);
    }
    if (running(clocks) == 0) {
        ampel_pool_give(&engine->pool, clocks, sizeof(*clocks));
        account->rare->clocks = NULL;
    }
    ampel_account_dirty(&engine->accounts, slot, account,
                        AMPEL_ROW_CLOCKS | AMPEL_ACCOUNT_DUE_STALE);
    return true;
}

/* ---- warnings ------------------------------------------------------------------------------- */

static int64_t warn_ms(const struct ampel_clock_state *clock) {
    if (clock->deadline_ms == 0) return INT64_MAX;
    if ((clock->told & AMPEL_CLOCK_FIRST_TOLD) == 0) {
        return clock->deadline_ms - AMPEL_CLOCK_FIRST_HOURS * AMPEL_HOUR_MS;
    }
    if ((clock->told & AMPEL_CLOCK_LAST_TOLD) == 0) {
        return clock->deadline_ms - AMPEL_CLOCK_LAST_HOURS * AMPEL_HOUR_MS;
    }
    return INT64_MAX;
}

int64_t ampel_clocks_due(const struct ampel_account *account) {
    const struct ampel_clocks *clocks = clocks_of(account);
    int64_t due_ms = INT64_MAX;
    for (uint32_t i = 0; clocks != NULL && i < AMPEL_CLOCKS_MAX; i++) {
        int64_t one_ms = warn_ms(&clocks->list[i]);
        if (one_ms < due_ms) due_ms = one_ms;
    }
    return due_ms;
}

static bool warn(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                 uint32_t index, uint64_t position) {
    struct ampel_clock_state *clock = &account->rare->clocks->list[index];
    bool first = (clock->told & AMPEL_CLOCK_FIRST_TOLD) == 0;
    struct ampel_cause cause;
    ampel_cause_time(clock->started_ms, AMPEL_CAUSE_CLOCK, &cause);
    cause.code = kind_of(index);
    struct ampel_change *change =
        ampel_change_push(engine, AMPEL_CHANGE_DEADLINE_NEAR, slot, position, &cause);
    if (change == NULL) return false;
    ampel_account_numbers(engine, account, &change->before);
    change->after = change->before;
    change->cap_group = group_of(index);
    change->deadline_ms = clock->deadline_ms;
    change->amount = first ? AMPEL_CLOCK_FIRST_HOURS : AMPEL_CLOCK_LAST_HOURS;
    clock->told |= first ? AMPEL_CLOCK_FIRST_TOLD : AMPEL_CLOCK_LAST_TOLD;
    ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ACCOUNT_DUE_STALE);
    return true;
}

static bool warnings_tell(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                          uint64_t position) {
    for (uint32_t i = 0; i < AMPEL_CLOCKS_MAX; i++) {
        while (warn_ms(&account->rare->clocks->list[i]) <= engine->now_ms) {
            if (!warn(engine, slot, account, i, position)) return false;
        }
    }
    return true;
}

bool ampel_clocks_step(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                       const struct ampel_numbers *numbers, bool told, uint64_t position) {
    uint32_t want = wanted(engine, account, numbers), run = running(clocks_of(account));
    uint32_t starting = told ? want & ~run : 0, stopping = run & ~want;
    bool done = true;
    if ((starting | stopping) != 0) done = clocks_set(engine, slot, account, starting, stopping);
    if (!done || clocks_of(account) == NULL) return done;
    return warnings_tell(engine, slot, account, position);
}

/* ---- out ------------------------------------------------------------------------------------ */

bool ampel_engine_clock_next(const struct ampel_engine *engine, uint32_t slot, uint32_t *cursor,
                             struct ampel_clock_run *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_clocks *clocks = clocks_of(ampel_account_at(&engine->accounts, slot));
    for (; clocks != NULL && *cursor < AMPEL_CLOCKS_MAX; (*cursor)++) {
        const struct ampel_clock_state *clock = &clocks->list[*cursor];
        if (clock->deadline_ms == 0) continue;
        *out = (struct ampel_clock_run){clock->started_ms, clock->deadline_ms, kind_of(*cursor),
                                    group_of(*cursor)};
        (*cursor)++;
        return true;
    }
    return false;
}

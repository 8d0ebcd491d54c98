#include "engine/assurance.h"

#include <string.h>

/* ---- days ----------------------------------------------------------------------------------- */

static void bit_set(struct ampel_below *below, int64_t day, bool value) {
    uint32_t bit = (uint32_t)(day % AMPEL_BELOW_BITS);
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (value)
        below->words[bit / 64] |= mask;
    else
        below->words[bit / 64] &= ~mask;
}

/* Of a closed day, first_day <= day, of the last AMPEL_WINDOW_DAYS_MAX. */
static bool day_below(const struct ampel_account *account, int64_t day) {
    if (day > account->settled_day) return (account->assured & AMPEL_ASSURED_NOW_BELOW) != 0;
    if (day == account->settled_day) return (account->assured & AMPEL_ASSURED_TODAY_BELOW) != 0;
    const struct ampel_below *below = account->rare != NULL ? account->rare->below : NULL;
    uint32_t bit = (uint32_t)(day % AMPEL_BELOW_BITS);
    return below != NULL && (below->words[bit / 64] >> (bit % 64) & 1) != 0;
}

static bool days_settle(struct ampel_engine *engine, struct ampel_account *account) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL) return false;
    if (rare->below == NULL) {
        rare->below = ampel_pool_take(&engine->pool, sizeof(*rare->below));
        if (rare->below == NULL) return false;
        memset(rare->below, 0, sizeof(*rare->below));
    }
    bool now_below = (account->assured & AMPEL_ASSURED_NOW_BELOW) != 0;
    bool today_below = (account->assured & AMPEL_ASSURED_TODAY_BELOW) != 0;
    int64_t day = account->settled_day;
    if (day < engine->now_day - AMPEL_BELOW_BITS) day = engine->now_day - AMPEL_BELOW_BITS;
    for (; day < engine->now_day; day++) {
        bit_set(rare->below, day, day == account->settled_day ? today_below : now_below);
    }
    account->settled_day = (uint32_t)engine->now_day;
    /* At its very midnight the score before was shown yesterday for the last time. */
    bool shown_today = !(engine->instant.active && engine->instant.midnight);
    account->assured = (uint8_t)(account->assured & ~AMPEL_ASSURED_TODAY_BELOW);
    if (shown_today && now_below) account->assured |= AMPEL_ASSURED_TODAY_BELOW;
    return true;
}

void ampel_assurance_begin(const struct ampel_engine *engine, struct ampel_account *account,
                           int32_t score) {
    account->first_day = account->settled_day = (uint32_t)engine->now_day;
    account->assured |= AMPEL_ASSURED_BEGUN;
    if (score < engine->rules.assurance_score) {
        account->assured |= AMPEL_ASSURED_TODAY_BELOW | AMPEL_ASSURED_NOW_BELOW;
    }
}

bool ampel_assurance_show(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                          int32_t score) {
    bool below = score < engine->rules.assurance_score;
    if ((account->assured & AMPEL_ASSURED_BEGUN) == 0) return true;
    if (below == ((account->assured & AMPEL_ASSURED_NOW_BELOW) != 0)) return true;
    if (account->settled_day < engine->now_day && !days_settle(engine, account)) return false;
    account->assured = (uint8_t)(account->assured & ~AMPEL_ASSURED_NOW_BELOW);
    if (below) account->assured |= AMPEL_ASSURED_TODAY_BELOW | AMPEL_ASSURED_NOW_BELOW;
    ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_FACTS);
    return true;
}

/* ---- what it comes to ----------------------------------------------------------------------- */

static bool profile_flag(const struct ampel_facts *facts, enum ampel_extra_tag tag) {
    if (facts == NULL) return false;
    for (uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_PROFILE, 0); i < facts->count; i++) {
        struct ampel_event event;
        int64_t value;
        ampel_fact_event(facts->sorted[i], &event);
        if (event.type != AMPEL_EVENT_PROFILE) break;
        if (ampel_extra_number(&event, tag, &value)) return value != 0;
    }
    return false;
}

static void days_count(const struct ampel_engine *engine, const struct ampel_account *account,
                       struct ampel_assurance *out) {
    const struct ampel_facts *facts = account->rare != NULL ? account->rare->facts : NULL;
    bool begun = (account->assured & AMPEL_ASSURED_BEGUN) != 0;
    int64_t day = engine->now_day - engine->rules.assurance_window_days;
    if (day < 0) day = 0;
    uint32_t mark =
        facts != NULL ? ampel_facts_first(facts, AMPEL_EVENT_DAY_MARK, day * AMPEL_DAY_MS) : 0;
    uint32_t marks = facts != NULL ? facts->count : 0;
    for (; day < engine->now_day; day++) {
        bool marked = begun && day >= account->first_day, below = marked && day_below(account, day);
        if (mark < marks && facts->sorted[mark]->type == AMPEL_EVENT_DAY_MARK &&
            facts->sorted[mark]->at_ms == day * AMPEL_DAY_MS) {
            marked = true;
            below = below || facts->sorted[mark]->points < engine->rules.assurance_score;
            mark++;
        }
        out->days_marked = (uint16_t)(out->days_marked + marked);
        out->days_below = (uint16_t)(out->days_below + below);
    }
}

static void assurance_fill(const struct ampel_engine *engine, const struct ampel_account *account,
                           struct ampel_assurance *out) {
    const struct ampel_facts *facts = account->rare != NULL ? account->rare->facts : NULL;
    int32_t allowed = engine->rules.assurance_days_below;
    memset(out, 0, sizeof(*out));
    out->professional = profile_flag(facts, AMPEL_EXTRA_PROFESSIONAL);
    out->emergency_phone = profile_flag(facts, AMPEL_EXTRA_EMERGENCY_PHONE);
    days_count(engine, account, out);
    out->eligible = out->professional && out->emergency_phone && out->days_below <= allowed &&
                    out->days_marked == engine->rules.assurance_window_days;
    out->days_to_lost = out->eligible ? (uint16_t)(allowed - out->days_below + 1) : 0;
    out->near = out->eligible && out->days_to_lost <= AMPEL_ASSURANCE_NEAR_DAYS;
    bool today = account->settled_day == engine->now_day;
    uint8_t flag = today ? AMPEL_ASSURED_TODAY_BELOW : AMPEL_ASSURED_NOW_BELOW;
    out->today_below = (account->assured & flag) != 0;
}

void ampel_engine_assurance(const struct ampel_engine *engine, uint32_t slot,
                            struct ampel_assurance *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    assurance_fill(engine, ampel_account_at(&engine->accounts, slot), out);
}

static bool name(struct ampel_engine *engine, uint32_t slot, const struct ampel_account *account,
                 uint8_t kind, const struct ampel_assurance *assurance,
                 const struct ampel_cause *cause, uint64_t position) {
    struct ampel_change *change = ampel_change_push(engine, kind, slot, position, cause);
    if (change == NULL) return false;
    ampel_account_numbers(engine, account, &change->before);
    change->after = change->before;
    change->amount = assurance->days_below;
    return true;
}

bool ampel_assurance_tell(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                          const struct ampel_cause *cause, uint64_t position) {
    const struct ampel_facts *facts = account->rare != NULL ? account->rare->facts : NULL;
    bool was = (account->assured & AMPEL_ASSURED_ELIGIBLE) != 0;
    bool was_near = (account->assured & AMPEL_ASSURED_NEAR) != 0;
    bool possible = profile_flag(facts, AMPEL_EXTRA_PROFESSIONAL) &&
                    profile_flag(facts, AMPEL_EXTRA_EMERGENCY_PHONE);
    if (!possible && !was) return true;
    struct ampel_assurance now;
    assurance_fill(engine, account, &now);
    bool done = true;
    if (now.eligible != was) {
        uint8_t kind = now.eligible ? AMPEL_CHANGE_ASSURANCE_GAINED : AMPEL_CHANGE_ASSURANCE_LOST;
        done = name(engine, slot, account, kind, &now, cause, position);
    }
    if (done && now.near && !was_near) {
        done = name(engine, slot, account, AMPEL_CHANGE_ASSURANCE_NEAR, &now, cause, position);
    }
    account->assured = (uint8_t)(account->assured & ~(AMPEL_ASSURED_ELIGIBLE | AMPEL_ASSURED_NEAR));
    if (now.eligible) account->assured |= AMPEL_ASSURED_ELIGIBLE;
    if (now.near) account->assured |= AMPEL_ASSURED_NEAR;
    /* A full window without a day below reads the same tomorrow: its row need not be written. */
    bool quiet = now.eligible == was && now.near == was_near && now.days_below == 0 &&
                 now.days_marked == engine->rules.assurance_window_days;
    if (!quiet) ampel_account_dirty(&engine->accounts, slot, account, AMPEL_ROW_FACTS);
    return done;
}

#include "tests/oracle/takeover.h"

#include <stdlib.h>
#include <string.h>

enum { BULK = 0, CATEGORY = 1, CUT = 2, HANDLING = 3, WAKE = 4, BURST = 5, CANCEL = 10, FLIP = 13 };

struct question {
    const struct ampel_takeover_oracle *oracle;
    int64_t at_ms, today;
    struct ampel_takeover_answer *out;
};

static int64_t day_of(int64_t at_ms) {
    return at_ms / AMPEL_DAY_MS;
}

void ampel_takeover_oracle_add(struct ampel_takeover_oracle *oracle,
                               const struct ampel_takeover_fact *fact) {
    oracle->facts = ampel_oracle_grow(oracle->facts, oracle->facts_count, &oracle->facts_capacity,
                                      sizeof *oracle->facts);
    oracle->facts[oracle->facts_count++] = *fact;
}

void ampel_takeover_oracle_reset(struct ampel_takeover_oracle *oracle) {
    ampel_oracle_reset(&oracle->oracle);
    free(oracle->facts);
    oracle->facts = NULL;
    oracle->facts_count = oracle->facts_capacity = 0;
}

/* ---- what is known ---------------------------------------------------------------------------- */

/* Facts leave memory when they are older than two windows. */
static bool is_known(const struct question *question, const struct ampel_takeover_fact *fact) {
    return fact->at_ms <= question->at_ms && day_of(fact->at_ms) >= question->today - 360;
}

static int64_t orders_on(const struct question *question, int64_t day) {
    if (day < 0 || day > question->today || day <= question->today - 180) return 0;
    return ampel_oracle_orders_of(&question->oracle->oracle, question->at_ms, day);
}

static int64_t orders_between(const struct question *question, int64_t first, int64_t end) {
    int64_t sum = 0;
    for (int64_t day = first; day < end; day++) sum += orders_on(question, day);
    return sum;
}

enum sum { SUM_CREATED, SUM_CUT, SUM_PRICED, SUM_CANCELLED };

static int64_t sum_on(const struct question *question, enum sum sum, int64_t day) {
    int64_t total = 0;
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (!is_known(question, fact) || day_of(fact->at_ms) != day) continue;
        bool listing = fact->type == AMPEL_EVENT_LISTING;
        bool counts = false;
        if (sum == SUM_CREATED) counts = listing && fact->code == 0;
        if (sum == SUM_PRICED) counts = listing && fact->permille >= 0;
        if (sum == SUM_CUT) counts = listing && fact->permille >= 0 && fact->permille < 600;
        if (sum == SUM_CANCELLED) counts = fact->type == AMPEL_EVENT_ORDERS_CANCELLED;
        if (counts) total += fact->count;
    }
    return total;
}

static int64_t greatest_before(const struct question *question, enum sum sum, int64_t day) {
    int64_t greatest = 0;
    for (int64_t other = day - 90; other < day; other++) {
        int64_t total = sum_on(question, sum, other);
        if (total > greatest) greatest = total;
    }
    return greatest;
}

static bool listed_before(const struct question *question, int64_t day) {
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (is_known(question, fact) && fact->type == AMPEL_EVENT_LISTING &&
            day_of(fact->at_ms) < day)
            return true;
    }
    return false;
}

static bool active_before(const struct question *question, int64_t day) {
    return listed_before(question, day) ||
           orders_between(question, question->today - 179, day) > 0;
}

/* ---- signals ---------------------------------------------------------------------------------- */

/* Whether a window of announced work that names the kind has an instant in common with [first, last]. */
static bool is_muted(const struct question *question, uint8_t kind, int64_t first_ms,
                     int64_t last_ms) {
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (fact->type != AMPEL_EVENT_MAINTENANCE || fact->at_ms > question->at_ms) continue;
        if ((fact->kinds >> kind & 1) == 0) continue;
        if (fact->at_ms <= last_ms && first_ms < fact->until_ms) return true;
    }
    return false;
}

static void notice(const struct question *question, uint8_t kind, int64_t at_ms, bool derived) {
    struct ampel_takeover_answer *out = question->out;
    int64_t span_ms = question->oracle->rules->takeover_hours * AMPEL_HOUR_MS;
    if (at_ms <= question->at_ms - span_ms || at_ms > question->at_ms) return;
    if (question->oracle->rules->kinds[kind].weight == 0) return;
    bool there = (out->kinds >> kind & 1) != 0;
    out->kinds |= UINT64_C(1) << kind;
    if (!there || at_ms < out->first_ms[kind]) out->first_ms[kind] = at_ms;
    if (!there || at_ms > out->last_ms[kind]) out->last_ms[kind] = at_ms;
    out->derived[kind] = derived && (!there || out->derived[kind]);
}

static void raise_told(const struct question *question) {
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (fact->type == AMPEL_EVENT_SIGNAL &&
            !is_muted(question, fact->code, fact->at_ms, fact->at_ms))
            notice(question, fact->code, fact->at_ms, false);
    }
}

static void raise_flip(const struct question *question) {
    const struct ampel_takeover_fact *status = NULL;
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (fact->type != AMPEL_EVENT_ACCOUNT_STATUS || fact->at_ms > question->at_ms) continue;
        if (status == NULL || fact->at_ms > status->at_ms ||
            (fact->at_ms == status->at_ms && fact->code > status->code))
            status = fact;
    }
    if (status == NULL || status->code != 2) return;
    struct ampel_oracle_rating rating;
    const struct ampel_rules *rules = question->oracle->rules;
    ampel_oracle_rate(&question->oracle->oracle, rules, question->at_ms, question->at_ms, &rating);
    bool explained = rating.colour != AMPEL_GREEN;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        if (rating.caps[i] >= rules->cap_groups[i].limit) explained = true;
    for (uint32_t i = 0; i < rating.violations_count; i++)
        if (rating.violations[i].deducting &&
            rating.violations[i].severity == AMPEL_SEVERITY_CRITICAL)
            explained = true;
    ampel_oracle_rating_reset(&rating);
    if (!explained && !is_muted(question, FLIP, status->at_ms, status->at_ms))
        notice(question, FLIP, status->at_ms, true);
}

static void raise_day(const struct question *question, uint8_t kind, int64_t day) {
    int64_t start_ms = day * AMPEL_DAY_MS;
    if (!is_muted(question, kind, start_ms, start_ms + AMPEL_DAY_MS - 1))
        notice(question, kind, start_ms, true);
}

static bool type_is_new(const struct question *question, const char *product, int64_t day) {
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (is_known(question, fact) && fact->type == AMPEL_EVENT_LISTING &&
            day_of(fact->at_ms) < day && strcmp(fact->product, product) == 0)
            return false;
    }
    return true;
}

static void raise_category(const struct question *question, int64_t day) {
    int64_t typed = 0, unfamiliar = 0;
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (!is_known(question, fact) || fact->type != AMPEL_EVENT_LISTING || fact->code != 0)
            continue;
        if (day_of(fact->at_ms) != day || fact->product[0] == 0) continue;
        typed += fact->count;
        if (type_is_new(question, fact->product, day)) unfamiliar += fact->count;
    }
    if (unfamiliar >= 10 && 2 * unfamiliar >= typed) raise_day(question, CATEGORY, day);
}

static void raise_handling(const struct question *question, int64_t day) {
    int64_t usual = -1, slow = 0;
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        bool before = day_of(fact->at_ms) < day && day_of(fact->at_ms) >= day - 90;
        if (is_known(question, fact) && fact->type == AMPEL_EVENT_LISTING && before &&
            fact->handling > usual)
            usual = fact->handling;
    }
    if (usual < 0) usual = 3;
    for (uint32_t i = 0; i < question->oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &question->oracle->facts[i];
        if (is_known(question, fact) && fact->type == AMPEL_EVENT_LISTING &&
            day_of(fact->at_ms) == day && fact->handling >= usual + 10)
            slow += fact->count;
    }
    if (slow >= 10) raise_day(question, HANDLING, day);
}

static void raise_offers(const struct question *question, int64_t day) {
    int64_t created = sum_on(question, SUM_CREATED, day), cut = sum_on(question, SUM_CUT, day);
    bool settled = active_before(question, day - 14);
    if (settled && created >= 50 && created > 3 * greatest_before(question, SUM_CREATED, day))
        raise_day(question, BULK, day);
    if (settled) raise_category(question, day);
    if (cut >= 10 && 2 * cut >= sum_on(question, SUM_PRICED, day) &&
        cut > 3 * greatest_before(question, SUM_CUT, day))
        raise_day(question, CUT, day);
    raise_handling(question, day);
}

static void raise_cancelled(const struct question *question, int64_t day) {
    int64_t cancelled = sum_on(question, SUM_CANCELLED, day);
    if (cancelled >= 20 && cancelled > 3 * greatest_before(question, SUM_CANCELLED, day) &&
        28 * cancelled >= orders_between(question, day - 28, day))
        raise_day(question, CANCEL, day);
}

static void raise_orders(const struct question *question, int64_t day) {
    int64_t orders = orders_on(question, day), start_ms = day * AMPEL_DAY_MS;
    if (orders >= 50 && 28 * orders >= 8 * orders_between(question, day - 28, day) &&
        !is_muted(question, BURST, start_ms, start_ms))
        notice(question, BURST, start_ms, true);
    int64_t created_before = 0;
    for (int64_t other = day - 60; other < day; other++)
        created_before += sum_on(question, SUM_CREATED, other);
    bool offers = sum_on(question, SUM_CREATED, day) >= 10 && created_before == 0;
    bool slept = orders_between(question, day - 60, day) == 0;
    if ((orders >= 5 || offers) && slept && active_before(question, day - 60))
        raise_day(question, WAKE, day);
}

/* ---- the question ----------------------------------------------------------------------------- */

void ampel_takeover_oracle_ask(const struct ampel_takeover_oracle *oracle, int64_t at_ms,
                               struct ampel_takeover_answer *out) {
    struct question question = {oracle, at_ms, day_of(at_ms), out};
    memset(out, 0, sizeof *out);
    raise_told(&question);
    raise_flip(&question);
    int64_t first = question.today - 151;
    for (int64_t day = first > 0 ? first : 0; day <= question.today; day++) {
        if (day * AMPEL_DAY_MS <= at_ms - oracle->rules->takeover_hours * AMPEL_HOUR_MS) continue;
        raise_offers(&question, day);
        raise_cancelled(&question, day);
    }
    /* Orders speak beside something else. */
    for (int64_t day = first > 0 ? first : 0; out->kinds != 0 && day <= question.today; day++) {
        if (day * AMPEL_DAY_MS <= at_ms - oracle->rules->takeover_hours * AMPEL_HOUR_MS) continue;
        raise_orders(&question, day);
    }
    uint32_t groups = 0;
    for (uint32_t kind = 0; kind < AMPEL_KINDS_MAX; kind++) {
        if ((out->kinds >> kind & 1) == 0) continue;
        out->weight += oracle->rules->kinds[kind].weight;
        groups |= UINT32_C(1) << oracle->rules->kinds[kind].group;
    }
    bool two_groups = (groups & (groups - 1)) != 0;
    bool closely = false;
    for (uint32_t i = 0; i < oracle->facts_count; i++) {
        const struct ampel_takeover_fact *fact = &oracle->facts[i];
        if (fact->type != AMPEL_EVENT_INCIDENT || fact->code != 2 || fact->at_ms > at_ms) continue;
        closely = closely || at_ms < fact->at_ms + 60 * AMPEL_DAY_MS;
    }
    uint32_t enough = (uint32_t)oracle->rules->takeover_threshold;
    out->suspected = two_groups && (closely ? out->weight * 5 >= enough * 3 : out->weight >= enough);
}

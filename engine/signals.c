/* See takeover.h: the signals of one account. Days are taken one by one, each against its own past;
   what is looked at is bounded by the ring and by AMPEL_ACCOUNT_FACTS_MAX. */
#include <string.h>

#include "engine/incident.h"
#include "engine/records.h"
#include "engine/takeover.h"
#include "engine/window.h"

/* Codes of AMPEL_REGISTRY_KIND that the engine derives, and of what it derives them from. */
enum {
    BULK_NEW_LISTINGS = 0,
    NEW_CATEGORY = 1,
    PRICE_CUT = 2,
    HANDLING_TIME = 3,
    DORMANT_WAKE = 4,
    ORDER_BURST = 5,
    CANCEL_AND_MAIL = 10,
    STATUS_FLIP = 13
};
enum { DEACTIVATED = 2 };
enum { CREATED = 0 };

/* Days are derived as long as their own past lies in the ring. */
#define DERIVED_DAYS_MAX (AMPEL_WINDOW_CELLS - AMPEL_BURST_DAYS)
/* So many created facts of a day are looked at for their product type. */
#define TYPES_MAX 32

struct look {
    const struct ampel_engine *engine;
    const struct ampel_account *account;
    const struct ampel_facts *facts;
    int64_t after_ms; /* signals behind it are in the window */
    struct ampel_suspicion *out;
};

/* ---- muting and adding ---------------------------------------------------------------------- */

static bool mutes(const struct ampel_fact *fact, uint8_t kind, int64_t first_ms, int64_t last_ms) {
    struct ampel_event event;
    int64_t until_ms, kinds;
    ampel_fact_event(fact, &event);
    if (event.at_ms > last_ms) return false;
    if (!ampel_extra_number(&event, AMPEL_EXTRA_UNTIL, &until_ms) || until_ms <= first_ms) {
        return false;
    }
    bool named = ampel_extra_number(&event, AMPEL_EXTRA_KINDS, &kinds);
    return !named || ((uint64_t)kinds >> kind & 1) != 0;
}

/* Whether announced work covers any instant of [first, last]. */
static bool muted(const struct look *look, uint8_t kind, int64_t first_ms, int64_t last_ms) {
    const struct ampel_facts *facts = look->facts;
    uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_MAINTENANCE, 0);
    for (; i < facts->count && facts->sorted[i]->type == AMPEL_EVENT_MAINTENANCE; i++) {
        if (mutes(facts->sorted[i], kind, first_ms, last_ms)) return true;
    }
    return false;
}

static void add(struct look *look, uint8_t kind, int64_t at_ms, bool derived) {
    const struct ampel_kind_rule *rule = &look->engine->rules.kinds[kind];
    struct ampel_suspicion *out = look->out;
    if (rule->weight == 0) return; /* such a kind is switched off */
    if ((out->kinds >> kind & 1) == 0) {
        out->kinds |= UINT64_C(1) << kind;
        out->weight += rule->weight;
        out->signals[out->signals_count++] = (struct ampel_signal){
            .first_ms = at_ms,
            .last_ms = at_ms,
            .weight = rule->weight,
            .kind = kind,
            .group = rule->group,
            .derived = derived,
        };
        return;
    }
    uint32_t i = 0;
    while (out->signals[i].kind != kind) i++;
    struct ampel_signal *signal = &out->signals[i];
    if (at_ms < signal->first_ms) signal->first_ms = at_ms;
    if (at_ms > signal->last_ms) signal->last_ms = at_ms;
    signal->derived = signal->derived && derived;
}

/* A kind of a whole day that later sections added: work announced for any hour of the day mutes it,
   since the sums of a day do not know their hours. */
static void add_day(struct look *look, uint8_t kind, int64_t day) {
    int64_t start_ms = day * AMPEL_DAY_MS;
    if (!muted(look, kind, start_ms, start_ms + AMPEL_DAY_MS - 1)) add(look, kind, start_ms, true);
}

/* ---- what was told -------------------------------------------------------------------------- */

static void look_told(struct look *look) {
    const struct ampel_facts *facts = look->facts;
    uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_SIGNAL, look->after_ms + 1);
    for (; i < facts->count && facts->sorted[i]->type == AMPEL_EVENT_SIGNAL; i++) {
        const struct ampel_fact *fact = facts->sorted[i];
        if (!muted(look, fact->code, fact->at_ms, fact->at_ms)) {
            add(look, fact->code, fact->at_ms, false);
        }
    }
}

/* ---- the account's status ------------------------------------------------------------------- */

static bool critical_deducting(const struct look *look) {
    const struct ampel_violations *block = look->account->violations;
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        bool deducting = (hot->flags & AMPEL_VIOLATION_IN_WINDOW) != 0 &&
                         ampel_state_deducting(hot->state);
        int8_t severity =
            ampel_scale_severity(&look->engine->scale, hot->policy, hot->severity_given);
        if (deducting && severity == AMPEL_SEVERITY_CRITICAL) return true;
    }
    return false;
}

static bool nothing_explains(const struct look *look) {
    struct ampel_numbers numbers;
    const struct ampel_rules *rules = &look->engine->rules;
    ampel_account_numbers(look->engine, look->account, &numbers);
    if (numbers.colour != AMPEL_GREEN) return false;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        if (numbers.caps[i] >= rules->cap_groups[i].limit) return false;
    }
    return !critical_deducting(look);
}

/* Whether the account was deactivated within the window, whatever the score says of it. */
static bool look_status(struct look *look) {
    const struct ampel_facts *facts = look->facts;
    uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_ACCOUNT_STATUS, 0);
    if (i == facts->count || facts->sorted[i]->type != AMPEL_EVENT_ACCOUNT_STATUS) return false;
    const struct ampel_fact *fact = facts->sorted[i];
    if (fact->code != DEACTIVATED || fact->at_ms <= look->after_ms) return false;
    if (nothing_explains(look) && !muted(look, STATUS_FLIP, fact->at_ms, fact->at_ms)) {
        add(look, STATUS_FLIP, fact->at_ms, true);
    }
    return true;
}

/* ---- orders of days ------------------------------------------------------------------------- */

static uint32_t day_total(const struct look *look, int64_t day) {
    const struct ampel_engine *engine = look->engine;
    const struct ampel_account *account = look->account;
    int64_t age_days = engine->now_day - day;
    if (age_days < 0 || age_days >= AMPEL_WINDOW_CELLS) return 0;
    uint32_t cell =
        (engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days) % AMPEL_WINDOW_CELLS;
    return ampel_day_total(ampel_window_get(&account->window, cell));
}

/* Of the days [first, end). */
static uint64_t days_total(const struct look *look, int64_t first, int64_t end) {
    uint64_t total = 0;
    for (int64_t day = first; day < end; day++)
        total += day_total(look, day);
    return total;
}

/* Whether any of the days [first, end) that the ring still knows had orders. */
static bool sold(const struct look *look, int64_t first, int64_t end) {
    int64_t known = look->engine->now_day - AMPEL_WINDOW_CELLS + 1;
    for (int64_t day = first > known ? first : known; day < end; day++) {
        if (day_total(look, day) > 0) return true;
    }
    return false;
}

static void look_burst(struct look *look, int64_t day) {
    uint64_t orders = day_total(look, day);
    if (orders < AMPEL_BURST_ORDERS_MIN) return;
    uint64_t before = days_total(look, day - AMPEL_BURST_DAYS, day);
    if (orders * AMPEL_BURST_DAYS < AMPEL_BURST_FACTOR * before) return;
    int64_t at_ms = day * AMPEL_DAY_MS;
    if (!muted(look, ORDER_BURST, at_ms, at_ms)) add(look, ORDER_BURST, at_ms, true);
}

/* ---- offers of days ------------------------------------------------------------------------- */

/* Sums of the listing facts of one day. */
struct offers {
    uint64_t created, priced, cut, slow;
    int64_t handling_most; /* days, -1 where none is told */
};

static int64_t number_or(const struct ampel_event *event, enum ampel_extra_tag tag,
                         int64_t missing) {
    int64_t value;
    return ampel_extra_number(event, tag, &value) ? value : missing;
}

/* slow: offers of at least that many days of handling. */
static void offers_add(struct offers *offers, const struct ampel_fact *fact, int64_t slow_days) {
    struct ampel_event event;
    ampel_fact_event(fact, &event);
    int64_t permille = number_or(&event, AMPEL_EXTRA_PRICE_PERMILLE, -1);
    int64_t handling = number_or(&event, AMPEL_EXTRA_HANDLING_DAYS, -1);
    if (event.code == CREATED) offers->created += event.count;
    if (permille >= 0) offers->priced += event.count;
    if (permille >= 0 && permille < AMPEL_CUT_PERMILLE) offers->cut += event.count;
    if (handling >= slow_days) offers->slow += event.count;
    if (handling > offers->handling_most) offers->handling_most = handling;
}

/* Index of the first listing fact of a day or later; behind the last one where there is none. */
static uint32_t listing_first(const struct look *look, int64_t day) {
    int64_t at_ms = day > 0 ? day * AMPEL_DAY_MS : 0;
    return ampel_facts_first(look->facts, AMPEL_EVENT_LISTING, at_ms);
}

static struct offers offers_of(const struct look *look, uint32_t first, uint32_t end,
                               int64_t slow_days) {
    struct offers offers = {.handling_most = -1};
    for (uint32_t i = first; i < end; i++)
        offers_add(&offers, look->facts->sorted[i], slow_days);
    return offers;
}

/* The greatest day of the habit before a day, each sum for itself. */
static struct offers offers_habit(const struct look *look, int64_t day) {
    struct offers habit = {.handling_most = -1};
    uint32_t i = listing_first(look, day - AMPEL_HABIT_DAYS), end = listing_first(look, day);
    while (i < end) {
        uint32_t first = i;
        int64_t at_ms = look->facts->sorted[i]->at_ms;
        while (i < end && look->facts->sorted[i]->at_ms == at_ms)
            i++;
        struct offers one = offers_of(look, first, i, INT64_MAX);
        if (one.created > habit.created) habit.created = one.created;
        if (one.cut > habit.cut) habit.cut = one.cut;
        if (one.handling_most > habit.handling_most) habit.handling_most = one.handling_most;
    }
    return habit;
}

static bool breaks(uint64_t sum, uint64_t least, uint64_t habit) {
    return sum >= least && sum > AMPEL_HABIT_FACTOR * habit;
}

/* The account sold or listed something before that day. */
static bool active_before(const struct look *look, int64_t day) {
    uint32_t first = listing_first(look, 0);
    bool listed = first < listing_first(look, day);
    return listed || sold(look, 0, day);
}

static struct ampel_text type_of(const struct ampel_fact *fact) {
    struct ampel_event event;
    ampel_fact_event(fact, &event);
    return ampel_extra_text(&event, AMPEL_EXTRA_PRODUCT_TYPE);
}

static bool type_known(const struct look *look, struct ampel_text type, uint32_t end) {
    for (uint32_t i = listing_first(look, 0); i < end; i++) {
        if (ampel_text_compare(type_of(look->facts->sorted[i]), type) == 0) return true;
    }
    return false;
}

/* Offers created on the day of a type that was never listed before are most of those with a type. */
static bool types_unfamiliar(const struct look *look, uint32_t first, uint32_t end) {
    uint64_t typed = 0, foreign = 0;
    uint32_t looked = 0;
    for (uint32_t i = first; i < end && looked < TYPES_MAX; i++) {
        const struct ampel_fact *fact = look->facts->sorted[i];
        struct ampel_text type = type_of(fact);
        if (fact->code != CREATED || type.size == 0) continue;
        looked++;
        typed += fact->count;
        if (!type_known(look, type, first)) foreign += fact->count;
    }
    return foreign >= AMPEL_CATEGORY_OFFERS_MIN && 2 * foreign >= typed;
}

static void look_offers(struct look *look, int64_t day) {
    uint32_t first = listing_first(look, day), end = listing_first(look, day + 1);
    if (first == end) return;
    struct offers habit = offers_habit(look, day);
    int64_t usual = habit.handling_most >= 0 ? habit.handling_most : AMPEL_HANDLING_USUAL_DAYS;
    struct offers offers = offers_of(look, first, end, usual + AMPEL_HANDLING_JUMP_DAYS);
    bool settled = active_before(look, day - AMPEL_SETTLED_DAYS);
    if (settled && breaks(offers.created, AMPEL_BULK_OFFERS_MIN, habit.created)) {
        add_day(look, BULK_NEW_LISTINGS, day);
    }
    if (settled && types_unfamiliar(look, first, end)) add_day(look, NEW_CATEGORY, day);
    bool most = 2 * offers.cut >= offers.priced;
    if (most && breaks(offers.cut, AMPEL_CUT_OFFERS_MIN, habit.cut)) {
        add_day(look, PRICE_CUT, day);
    }
    if (offers.slow >= AMPEL_HANDLING_OFFERS_MIN) add_day(look, HANDLING_TIME, day);
}

/* ---- a sleeper wakes ------------------------------------------------------------------------ */

static uint64_t created_between(const struct look *look, int64_t first_day, int64_t end_day) {
    uint32_t first = listing_first(look, first_day), end = listing_first(look, end_day);
    return offers_of(look, first, end, INT64_MAX).created;
}

static void look_wake(struct look *look, int64_t day) {
    int64_t slept = day - AMPEL_DORMANT_DAYS;
    bool orders = day_total(look, day) >= AMPEL_WAKE_ORDERS_MIN;
    bool offers = created_between(look, day, day + 1) >= AMPEL_WAKE_OFFERS_MIN &&
                  created_between(look, slept, day) == 0;
    if (!orders && !offers) return;
    if (sold(look, slept, day) || !active_before(look, slept)) return;
    add_day(look, DORMANT_WAKE, day);
}

/* ---- cancellations -------------------------------------------------------------------------- */

static void look_cancelled(struct look *look, int64_t day) {
    const struct ampel_facts *facts = look->facts;
    uint32_t first = ampel_facts_first(facts, AMPEL_EVENT_ORDERS_CANCELLED, day * AMPEL_DAY_MS);
    uint32_t end =
        ampel_facts_first(facts, AMPEL_EVENT_ORDERS_CANCELLED, (day + 1) * AMPEL_DAY_MS);
    uint64_t cancelled = 0, habit = 0;
    for (uint32_t i = first; i < end; i++)
        cancelled += facts->sorted[i]->count;
    if (cancelled < AMPEL_CANCELLED_MIN) return;
    int64_t habit_day = day > AMPEL_HABIT_DAYS ? day - AMPEL_HABIT_DAYS : 0;
    uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_ORDERS_CANCELLED, habit_day * AMPEL_DAY_MS);
    for (; i < first; i++) {
        /* One fact a day: increments of a day add up. */
        if (facts->sorted[i]->count > habit) habit = facts->sorted[i]->count;
    }
    uint64_t usual = days_total(look, day - AMPEL_BURST_DAYS, day);
    if (!breaks(cancelled, AMPEL_CANCELLED_MIN, habit)) return;
    if (cancelled * AMPEL_BURST_DAYS >= usual) add_day(look, CANCEL_AND_MAIL, day);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int signal_compare(const struct ampel_signal *a, const struct ampel_signal *b) {
    if (a->first_ms != b->first_ms) return a->first_ms < b->first_ms ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

static void signals_sort(struct ampel_suspicion *out) {
    for (uint32_t i = 1; i < out->signals_count; i++) {
        struct ampel_signal signal = out->signals[i];
        uint32_t place = i;
        for (; place > 0 && signal_compare(&signal, &out->signals[place - 1]) < 0; place--)
            out->signals[place] = out->signals[place - 1];
        out->signals[place] = signal;
    }
}

static bool groups_differ(const struct ampel_suspicion *out) {
    for (uint32_t i = 1; i < out->signals_count; i++) {
        if (out->signals[i].group != out->signals[0].group) return true;
    }
    return false;
}

/* The first UTC day whose start lies in the window. */
static int64_t day_first(const struct look *look) {
    int64_t day = look->after_ms < 0 ? 0 : look->after_ms / AMPEL_DAY_MS + 1;
    int64_t known = look->engine->now_day - DERIVED_DAYS_MAX + 1;
    return day > known ? day : known;
}

/* What is enough: less for a time after an incident of the account was closed. */
static bool weighs_enough(const struct ampel_engine *engine, const struct ampel_facts *facts,
                          uint32_t weight) {
    bool closely = ampel_incident_aftercare(facts, engine->now_ms) != INT64_MIN;
    uint64_t percent = closely ? AMPEL_AFTERCARE_PERCENT : 100;
    return 100 * (uint64_t)weight >= percent * (uint64_t)engine->rules.takeover_threshold;
}

void ampel_signals_collect(const struct ampel_engine *engine, const struct ampel_account *account,
                           struct ampel_suspicion *out, bool *watched) {
    out->began_ms = 0;
    out->kinds = 0;
    out->weight = 0;
    out->signals_count = 0;
    out->suspected = false;
    *watched = false;
    if (account->rare == NULL || account->rare->facts == NULL) return;
    struct look look = {
        .engine = engine,
        .account = account,
        .facts = account->rare->facts,
        .after_ms = engine->now_ms - engine->rules.takeover_hours * AMPEL_HOUR_MS,
        .out = out,
    };
    look_told(&look);
    bool flips = look_status(&look);
    int64_t first = day_first(&look);
    for (int64_t day = first; day <= engine->now_day; day++) {
        look_offers(&look, day);
        look_cancelled(&look, day);
    }
    *watched = flips || out->signals_count > 0;
    if (out->signals_count == 0) return;
    /* Kinds that come from orders alone count beside others: by themselves they are of one group. */
    for (int64_t day = first; day <= engine->now_day; day++) {
        look_burst(&look, day);
        look_wake(&look, day);
    }
    signals_sort(out);
    out->suspected = weighs_enough(engine, look.facts, out->weight) && groups_differ(out);
}

int64_t ampel_signals_leave(const struct ampel_engine *engine, const struct ampel_account *account,
                            const struct ampel_suspicion *suspicion) {
    int64_t least_ms = INT64_MAX;
    for (uint32_t i = 0; i < suspicion->signals_count; i++) {
        if (suspicion->signals[i].last_ms < least_ms) least_ms = suspicion->signals[i].last_ms;
    }
    if (least_ms == INT64_MAX) return INT64_MAX;
    least_ms += engine->rules.takeover_hours * AMPEL_HOUR_MS;
    if (suspicion->weight >= (uint32_t)engine->rules.takeover_threshold) return least_ms;
    /* It lasts no longer than the closer watch. */
    int64_t end_ms = ampel_incident_aftercare(account->rare->facts, engine->now_ms);
    return end_ms != INT64_MIN && end_ms < least_ms ? end_ms : least_ms;
}

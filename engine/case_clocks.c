#include "engine/case_clocks.h"

#include "engine/incident.h"
#include "engine/records.h"

const int32_t ampel_case_warning_hours[AMPEL_CASE_WARNINGS] = {72, 24, 4};

enum { DEACTIVATED = 2 };

/* ---- what is known of a case ---------------------------------------------------------------- */

/* One case as its facts tell it; times are INT64_MIN where they do not. */
struct known {
    struct ampel_text id;
    int64_t phase_at_ms[AMPEL_INCIDENT_PHASES_COUNT];
    int64_t from_ms, told_ms; /* the start, and when it was told last */
    int64_t deactivated_ms;
    const struct ampel_fact *said[AMPEL_CASE_CLOCKS_COUNT]; /* by people; NULL: nothing */
};

static struct ampel_text id_of(const struct ampel_fact *fact) {
    struct ampel_event event;
    ampel_fact_event(fact, &event);
    return ampel_extra_text(&event, AMPEL_EXTRA_ID);
}

static bool is_of(const struct ampel_facts *facts, uint32_t index, uint8_t type) {
    return index < facts->count && facts->sorted[index]->type == type;
}

static int64_t deactivated_of(const struct ampel_facts *facts) {
    uint32_t first = ampel_facts_first(facts, AMPEL_EVENT_ACCOUNT_STATUS, INT64_MIN);
    bool deactivated = is_of(facts, first, AMPEL_EVENT_ACCOUNT_STATUS) &&
                       facts->sorted[first]->code == DEACTIVATED;
    return deactivated ? facts->sorted[first]->at_ms : INT64_MIN;
}

static void phase_take(struct known *known, const struct ampel_fact *fact) {
    struct ampel_event event;
    int64_t from_ms;
    ampel_fact_event(fact, &event);
    known->phase_at_ms[event.code] = event.at_ms;
    bool told = ampel_extra_number(&event, AMPEL_EXTRA_COMPROMISED_FROM, &from_ms);
    if (told && event.at_ms >= known->told_ms) {
        known->from_ms = from_ms;
        known->told_ms = event.at_ms;
    }
    if (event.code == AMPEL_INCIDENT_OPENED && known->told_ms == INT64_MIN) {
        known->from_ms = event.at_ms;
    }
}

/* The phases of one case from *phase on, and its clocks from *clock on: both stand by id. */
static void known_take(const struct ampel_facts *facts, uint32_t *phase, uint32_t *clock,
                       struct known *known) {
    while (is_of(facts, *phase, AMPEL_EVENT_INCIDENT) &&
           ampel_text_compare(id_of(facts->sorted[*phase]), known->id) == 0) {
        phase_take(known, facts->sorted[(*phase)++]);
    }
    while (is_of(facts, *clock, AMPEL_EVENT_CASE_CLOCK)) {
        const struct ampel_fact *fact = facts->sorted[*clock];
        int order = ampel_text_compare(id_of(fact), known->id);
        if (order > 0) break;
        if (order == 0 && fact->code < AMPEL_CASE_CLOCKS_COUNT) known->said[fact->code] = fact;
        (*clock)++;
    }
}

/* ---- its clocks ----------------------------------------------------------------------------- */

/* What starts a clock that the engine starts itself, and how long it runs. */
static int64_t own_start(const struct known *known, uint8_t clock, int64_t *hours) {
    bool taken = known->from_ms != INT64_MIN && known->deactivated_ms >= known->from_ms;
    switch (clock) {
    case AMPEL_CASE_LOCK:
        *hours = AMPEL_CASE_LOCK_HOURS;
        return known->phase_at_ms[AMPEL_INCIDENT_CONTAINED] == INT64_MIN ? known->from_ms : INT64_MIN;
    case AMPEL_CASE_REMOVAL:
        *hours = AMPEL_CASE_REMOVAL_HOURS;
        return taken ? known->deactivated_ms : INT64_MIN;
    case AMPEL_CASE_APPEAL:
        *hours = AMPEL_CASE_APPEAL_HOURS;
        return taken ? known->deactivated_ms : INT64_MIN;
    case AMPEL_CASE_FUNDS:
        *hours = AMPEL_CASE_FUNDS_HOURS;
        return taken ? known->deactivated_ms : INT64_MIN;
    case AMPEL_CASE_WATCH:
        *hours = AMPEL_CASE_WATCH_HOURS;
        return known->phase_at_ms[AMPEL_INCIDENT_CLOSED];
    default:
        return INT64_MIN;
    }
}

/* False: it does not run. */
static bool clock_run(const struct known *known, uint8_t clock, struct ampel_case_run *out) {
    bool closed = known->phase_at_ms[AMPEL_INCIDENT_CLOSED] != INT64_MIN;
    if (closed != (clock == AMPEL_CASE_WATCH)) return false;
    const struct ampel_fact *fact = known->said[clock];
    struct ampel_event event;
    int64_t settled = 0, until_ms, hours = 0;
    if (fact != NULL) {
        ampel_fact_event(fact, &event);
        if (ampel_extra_number(&event, AMPEL_EXTRA_SETTLED, &settled) && settled != 0) return false;
        if (ampel_extra_number(&event, AMPEL_EXTRA_UNTIL, &until_ms)) {
            *out = (struct ampel_case_run){known->id, fact->at_ms, until_ms, clock};
            return true;
        }
    }
    int64_t start_ms = own_start(known, clock, &hours);
    if (start_ms == INT64_MIN) return false;
    *out = (struct ampel_case_run){known->id, start_ms, start_ms + hours * AMPEL_HOUR_MS, clock};
    return true;
}

void ampel_case_clocks_walk(const struct ampel_facts *facts, ampel_case_take *take, void *context) {
    uint32_t phase = ampel_facts_first(facts, AMPEL_EVENT_INCIDENT, INT64_MIN);
    if (!is_of(facts, phase, AMPEL_EVENT_INCIDENT)) return;
    uint32_t clock = ampel_facts_first(facts, AMPEL_EVENT_CASE_CLOCK, INT64_MIN);
    int64_t deactivated_ms = deactivated_of(facts);
    while (is_of(facts, phase, AMPEL_EVENT_INCIDENT)) {
        struct known known = {
            .id = id_of(facts->sorted[phase]),
            .phase_at_ms = {INT64_MIN, INT64_MIN, INT64_MIN},
            .from_ms = INT64_MIN,
            .told_ms = INT64_MIN,
            .deactivated_ms = deactivated_ms,
        };
        known_take(facts, &phase, &clock, &known);
        for (uint8_t i = 0; i < AMPEL_CASE_CLOCKS_COUNT; i++) {
            struct ampel_case_run run;
            if (clock_run(&known, i, &run)) take(context, &run);
        }
    }
}

/* ---- when it warns -------------------------------------------------------------------------- */

struct due {
    int64_t now_ms, due_ms;
};

static void due_take(void *context, const struct ampel_case_run *run) {
    struct due *due = context;
    for (uint32_t i = 0; i < AMPEL_CASE_WARNINGS; i++) {
        int64_t at_ms = run->deadline_ms - ampel_case_warning_hours[i] * AMPEL_HOUR_MS;
        if (at_ms > due->now_ms && at_ms < due->due_ms) due->due_ms = at_ms;
    }
}

int64_t ampel_case_clocks_due(const struct ampel_facts *facts, int64_t now_ms) {
    struct due due = {now_ms, INT64_MAX};
    ampel_case_clocks_walk(facts, due_take, &due);
    return due.due_ms;
}

bool ampel_case_clocks_from(uint8_t type) {
    return type == AMPEL_EVENT_ACCOUNT_STATUS || type == AMPEL_EVENT_INCIDENT ||
           type == AMPEL_EVENT_CASE_CLOCK;
}

/* ---- telling -------------------------------------------------------------------------------- */

struct telling {
    struct ampel_engine *engine;
    const struct ampel_account *account;
    const struct ampel_event *event; /* that was just merged; NULL: time passed */
    uint64_t position;
    uint32_t slot;
    bool failed;
};

static struct ampel_change *tell(const struct telling *telling, uint8_t kind,
                                 const struct ampel_cause *cause) {
    struct ampel_change *change =
        ampel_change_push(telling->engine, kind, telling->slot, telling->position, cause);
    if (change == NULL) return NULL;
    ampel_account_numbers(telling->engine, telling->account, &change->before);
    change->after = change->before;
    return change;
}

static void run_tell(struct telling *telling, const struct ampel_case_run *run) {
    struct ampel_cause cause;
    int64_t left_ms = run->deadline_ms - telling->engine->now_ms;
    ampel_cause_time(run->started_ms, AMPEL_CAUSE_CASE_CLOCK, &cause);
    ampel_cause_violation(cause.policy, cause.severity, run->id, &cause);
    cause.code = run->clock;
    struct ampel_change *change = tell(telling, AMPEL_CHANGE_INCIDENT_CLOCK, &cause);
    telling->failed = change == NULL;
    if (change == NULL) return;
    change->deadline_ms = run->deadline_ms;
    change->amount = (int32_t)(left_ms / AMPEL_HOUR_MS);
}

static void warn_take(void *context, const struct ampel_case_run *run) {
    struct telling *telling = context;
    int64_t left_ms = run->deadline_ms - telling->engine->now_ms;
    for (uint32_t i = 0; i < AMPEL_CASE_WARNINGS && !telling->failed; i++) {
        if (left_ms == ampel_case_warning_hours[i] * AMPEL_HOUR_MS) run_tell(telling, run);
    }
}

bool ampel_case_clocks_warn(struct ampel_engine *engine, uint32_t slot,
                            const struct ampel_account *account) {
    const struct ampel_rare *rare = account->rare;
    if (rare == NULL || rare->facts == NULL || rare->backfill != NULL) return true;
    struct telling telling = {engine, account, NULL, engine->position, slot, false};
    ampel_case_clocks_walk(rare->facts, warn_take, &telling);
    return !telling.failed;
}

/* A clock that people told of, too late for its first warning. */
static void near_take(void *context, const struct ampel_case_run *run) {
    struct telling *telling = context;
    int64_t left_ms = run->deadline_ms - telling->engine->now_ms;
    struct ampel_text id = ampel_extra_text(telling->event, AMPEL_EXTRA_ID);
    if (run->clock != telling->event->code || ampel_text_compare(run->id, id) != 0) return;
    if (left_ms > 0 && left_ms < ampel_case_warning_hours[0] * AMPEL_HOUR_MS && !telling->failed) {
        run_tell(telling, run);
    }
}

bool ampel_case_tell(struct ampel_engine *engine, uint32_t slot, const struct ampel_account *account,
                     const struct ampel_event *event, const struct ampel_source *source) {
    if (event->type != AMPEL_EVENT_INCIDENT && event->type != AMPEL_EVENT_CASE_CLOCK) return true;
    if (account->rare == NULL || account->rare->facts == NULL || account->rare->backfill != NULL) {
        return true;
    }
    struct telling telling = {engine, account, event, source->position, slot, false};
    if (event->type == AMPEL_EVENT_CASE_CLOCK) {
        ampel_case_clocks_walk(account->rare->facts, near_take, &telling);
        return !telling.failed;
    }
    struct ampel_cause cause;
    int64_t from_ms;
    ampel_cause_event(engine, slot, event, source, &cause);
    struct ampel_change *change = tell(&telling, AMPEL_CHANGE_INCIDENT_CHANGED, &cause);
    if (change == NULL) return false;
    if (ampel_extra_number(event, AMPEL_EXTRA_COMPROMISED_FROM, &from_ms)) change->since_ms = from_ms;
    return true;
}

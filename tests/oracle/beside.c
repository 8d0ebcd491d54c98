#include "tests/oracle/beside.h"

#include <string.h>

static int64_t day_of(int64_t at_ms) {
    return at_ms / AMPEL_DAY_MS;
}

static int32_t *cell(struct ampel_beside *beside, int32_t *list, int64_t day) {
    AMPEL_ASSERT(day >= beside->day_first && day < beside->day_first + AMPEL_BESIDE_DAYS_MAX);
    return &list[day - beside->day_first];
}

void ampel_beside_init(struct ampel_beside *beside, const struct ampel_rules *rules,
                       int64_t start_ms) {
    memset(beside, 0, sizeof *beside);
    beside->rules = rules;
    beside->now_ms = start_ms;
    beside->day_first = day_of(start_ms) - 400;
    for (int i = 0; i < AMPEL_BESIDE_DAYS_MAX; i++) {
        beside->lowest[i] = beside->marks[i] = INT32_MAX;
    }
}

void ampel_beside_reset(struct ampel_beside *beside) {
    ampel_oracle_reset(&beside->oracle);
}

/* ---- assurance ------------------------------------------------------------------------------ */

static void show(struct ampel_beside *beside) {
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&beside->oracle, beside->rules, beside->now_ms, beside->now_ms, &rating);
    int32_t *lowest = cell(beside, beside->lowest, day_of(beside->now_ms));
    if (rating.score < *lowest) *lowest = (int32_t)rating.score;
    ampel_oracle_rating_reset(&rating);
}

void ampel_beside_assurance(const struct ampel_beside *beside, struct ampel_assurance *out) {
    int64_t today = day_of(beside->now_ms);
    memset(out, 0, sizeof *out);
    for (int64_t day = today - beside->rules->assurance_window_days; day < today; day++) {
        int32_t seen = beside->lowest[day - beside->day_first];
        int32_t told = beside->marks[day - beside->day_first];
        int32_t least = seen < told ? seen : told;
        out->days_marked = (uint16_t)(out->days_marked + (least != INT32_MAX));
        out->days_below = (uint16_t)(out->days_below + (least < beside->rules->assurance_score));
    }
    out->professional = beside->professional;
    out->emergency_phone = beside->emergency_phone;
    out->eligible = out->days_marked == beside->rules->assurance_window_days &&
                    out->days_below <= beside->rules->assurance_days_below && out->professional &&
                    out->emergency_phone;
    if (out->eligible) {
        /* Day after day below, until it is gone. */
        while (out->days_below + out->days_to_lost <= beside->rules->assurance_days_below) {
            out->days_to_lost++;
        }
        out->near = out->days_to_lost <= 3;
    }
    out->today_below = beside->lowest[today - beside->day_first] < beside->rules->assurance_score;
}

static void name(struct ampel_beside *beside, uint8_t kind) {
    AMPEL_ASSERT(beside->named_count < AMPEL_BESIDE_NAMED_MAX);
    beside->named[beside->named_count++] =
        (struct ampel_beside_named){.at_ms = beside->now_ms, .kind = kind};
}

static void compare_assurance(struct ampel_beside *beside) {
    struct ampel_assurance now;
    ampel_beside_assurance(beside, &now);
    if (now.eligible && !beside->eligible) name(beside, AMPEL_CHANGE_ASSURANCE_GAINED);
    if (!now.eligible && beside->eligible) name(beside, AMPEL_CHANGE_ASSURANCE_LOST);
    if (now.near && !beside->near) name(beside, AMPEL_CHANGE_ASSURANCE_NEAR);
    beside->eligible = now.eligible;
    beside->near = now.near;
}

/* ---- drift ---------------------------------------------------------------------------------- */

/* What was known when the report was judged, as it stood at the time of the report: no state that
   was set later, and of orders the days that are kept. */
static void rate_then(const struct ampel_beside *beside, int64_t at_ms,
                      struct ampel_oracle_rating *out) {
    struct ampel_oracle then = {0};
    for (uint32_t i = 0; i < beside->oracle.events_count; i++) {
        const struct ampel_oracle_event *event = &beside->oracle.events[i];
        bool later = event->type == AMPEL_EVENT_VIOLATION_STATE && event->at_ms > at_ms;
        bool order = event->type == AMPEL_EVENT_ORDER || event->type == AMPEL_EVENT_ORDERS_DAY;
        bool gone = order && day_of(event->at_ms) <= day_of(beside->now_ms) - 180;
        if (later || gone || event->at_ms > beside->now_ms) continue;
        /* A day of orders is kept as a whole: at no time of it is known which came before. */
        struct ampel_oracle_event whole = *event;
        if (order) whole.at_ms -= whole.at_ms % AMPEL_DAY_MS;
        ampel_oracle_add(&then, &whole);
    }
    ampel_oracle_rate(&then, beside->rules, beside->now_ms, at_ms, out);
    ampel_oracle_reset(&then);
}

static const struct ampel_beside_report *report_before(const struct ampel_beside *beside,
                                                       int64_t at_ms) {
    const struct ampel_beside_report *before = NULL;
    for (uint32_t i = 0; i < beside->reports_count; i++) {
        const struct ampel_beside_report *other = &beside->reports[i];
        /* Facts older than two windows are forgotten (rating-model 2). */
        if (day_of(other->at_ms) < day_of(beside->now_ms) - 360) continue;
        if (!other->known || other->at_ms >= at_ms) continue;
        if (before == NULL || other->at_ms > before->at_ms) before = other;
    }
    return before;
}

static bool between(int64_t at_ms, int64_t after_ms, int64_t until_ms) {
    return at_ms > after_ms && at_ms <= until_ms;
}

static bool event_between(const struct ampel_beside *beside, int64_t after_ms, int64_t until_ms) {
    for (uint32_t i = 0; i < beside->oracle.events_count; i++) {
        const struct ampel_oracle_event *event = &beside->oracle.events[i];
        if (event->at_ms > beside->now_ms) continue;
        /* What is forgotten explains nothing. */
        if (event->at_ms < beside->now_ms - 2 * AMPEL_WINDOW_MS) continue;
        bool violation = event->type == AMPEL_EVENT_VIOLATION;
        if (!violation && event->type != AMPEL_EVENT_VIOLATION_STATE) continue;
        if (between(event->at_ms, after_ms, until_ms)) return true;
        int64_t expires_ms = event->at_ms + beside->rules->window_days * AMPEL_DAY_MS;
        if (violation && between(expires_ms, after_ms, until_ms)) return true;
    }
    return false;
}

static void judge(struct ampel_beside *beside, struct ampel_beside_report *report) {
    report->judged = true;
    if (beside->now_ms - report->at_ms > 7 * AMPEL_DAY_MS) return;
    struct ampel_oracle_rating rating;
    rate_then(beside, report->at_ms, &rating);
    report->drift = report->observed - (int32_t)rating.score;
    report->orders = rating.orders;
    ampel_oracle_rating_reset(&rating);
    const struct ampel_beside_report *before = report_before(beside, report->at_ms);
    report->known = true;
    if (before != NULL) {
        int32_t change = report->drift - before->drift;
        bool rounding = report->orders != before->orders &&
                        change <= beside->rules->orders_points &&
                        change >= -beside->rules->orders_points;
        bool event = event_between(beside, before->at_ms, report->at_ms);
        report->may_explain = change == 0 || rounding || event;
        report->must_explain = !report->may_explain && !beside->moved;
    } else {
        report->may_explain = true;
    }
    beside->moved = false;
}

static void judge_due(struct ampel_beside *beside) {
    for (uint32_t i = 0; i < beside->reports_count; i++) {
        struct ampel_beside_report *report = &beside->reports[i];
        if (!report->judged && report->at_ms <= beside->now_ms) judge(beside, report);
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t next_instant(const struct ampel_beside *beside) {
    int64_t now_ms = beside->now_ms, next_ms = (day_of(now_ms) + 1) * AMPEL_DAY_MS;
    for (uint32_t i = 0; i < beside->oracle.events_count; i++) {
        const struct ampel_oracle_event *event = &beside->oracle.events[i];
        int64_t leaves_ms = event->at_ms + beside->rules->window_days * AMPEL_DAY_MS;
        if (event->at_ms > now_ms) next_ms = least(next_ms, event->at_ms);
        if (leaves_ms > now_ms) next_ms = least(next_ms, leaves_ms);
    }
    for (uint32_t i = 0; i < beside->reports_count; i++) {
        if (beside->reports[i].at_ms > now_ms) next_ms = least(next_ms, beside->reports[i].at_ms);
    }
    return least(next_ms, ampel_beside_ahead_ms(beside));
}

static bool violations_move(const struct ampel_beside *beside) {
    for (uint32_t i = 0; i < beside->oracle.events_count; i++) {
        const struct ampel_oracle_event *event = &beside->oracle.events[i];
        if (event->type != AMPEL_EVENT_VIOLATION && event->type != AMPEL_EVENT_VIOLATION_STATE) {
            continue;
        }
        int64_t leaves_ms = event->at_ms + beside->rules->window_days * AMPEL_DAY_MS;
        if (event->at_ms == beside->now_ms || leaves_ms == beside->now_ms) return true;
    }
    return false;
}

void ampel_beside_advance(struct ampel_beside *beside, int64_t to_ms) {
    for (;;) {
        int64_t next_ms = next_instant(beside);
        if (next_ms > to_ms) break;
        beside->now_ms = next_ms;
        if (violations_move(beside)) beside->moved = true;
        if (beside->oracle.events_count > 0) show(beside);
        judge_due(beside);
        if (next_ms % AMPEL_DAY_MS == 0) compare_assurance(beside);
        ampel_beside_ahead(beside);
    }
    beside->now_ms = to_ms;
}

/* ---- events --------------------------------------------------------------------------------- */

void ampel_beside_tell(struct ampel_beside *beside, const struct ampel_oracle_event *event) {
    ampel_oracle_add(&beside->oracle, event);
    bool violation =
        event->type == AMPEL_EVENT_VIOLATION || event->type == AMPEL_EVENT_VIOLATION_STATE;
    if (violation && event->at_ms <= beside->now_ms) beside->moved = true;
    show(beside);
    ampel_beside_ahead(beside);
}

void ampel_beside_profile(struct ampel_beside *beside, bool professional, bool emergency_phone) {
    beside->professional = professional;
    beside->emergency_phone = emergency_phone;
    compare_assurance(beside);
    ampel_beside_ahead(beside);
}

void ampel_beside_mark(struct ampel_beside *beside, int64_t day, int32_t lowest) {
    int32_t *mark = cell(beside, beside->marks, day);
    if (lowest < *mark) *mark = lowest;
    compare_assurance(beside);
    ampel_beside_ahead(beside);
}

void ampel_beside_observe(struct ampel_beside *beside, int64_t at_ms, int32_t score) {
    AMPEL_ASSERT(beside->reports_count < AMPEL_BESIDE_REPORTS_MAX);
    beside->reports[beside->reports_count++] =
        (struct ampel_beside_report){.at_ms = at_ms, .observed = score};
    judge_due(beside);
}

void ampel_beside_status(struct ampel_beside *beside, uint8_t status) {
    beside->status = status;
    ampel_beside_ahead(beside);
}

/* See pair.h: facts and producers, of which no number is made yet, against what was told. */
#include <string.h>

#include "tests/oracle/pair.h"

#define TWO_WINDOWS_DAYS (2 * AMPEL_WINDOW_DAYS_MAX)

/* ---- facts ---------------------------------------------------------------------------------- */

static bool is_fact(const struct ampel_story_event *event) {
    return event->told.type >= AMPEL_EVENT_ACCOUNT_STATUS;
}

static bool adds_up(uint8_t type) {
    return type == AMPEL_EVENT_ORDERS_CANCELLED || type == AMPEL_EVENT_LISTING;
}

static bool same_extra(const struct ampel_event *left, const struct ampel_event *right,
                       enum ampel_extra_tag tag) {
    struct ampel_text a = ampel_extra_text(left, tag);
    struct ampel_text b = ampel_extra_text(right, tag);
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static bool same_extras(const struct ampel_event *left, const struct ampel_event *right) {
    return left->extras_size == right->extras_size &&
           (left->extras_size == 0 || memcmp(left->extras, right->extras, left->extras_size) == 0);
}

static int64_t day_of(const struct ampel_event *event) {
    return event->at_ms / AMPEL_DAY_MS;
}

/* Whether two events are tellings of one fact (rating-model 2, "the others"). */
static bool same_fact(const struct ampel_event *left, const struct ampel_event *right) {
    if (left->type != right->type) {
        return false;
    }
    switch (left->type) {
    case AMPEL_EVENT_ACCOUNT_STATUS:
        return true;
    case AMPEL_EVENT_INCIDENT:
    case AMPEL_EVENT_CASE_CLOCK:
        return left->code == right->code && same_extra(left, right, AMPEL_EXTRA_ID);
    case AMPEL_EVENT_METRIC:
        return same_extra(left, right, AMPEL_EXTRA_NAME);
    case AMPEL_EVENT_DAY_MARK:
        return day_of(left) == day_of(right);
    case AMPEL_EVENT_ORDERS_CANCELLED:
    case AMPEL_EVENT_LISTING:
        return day_of(left) == day_of(right) && left->code == right->code &&
               same_extras(left, right);
    default:
        return left->at_ms == right->at_ms && left->code == right->code &&
               left->points == right->points && same_extras(left, right);
    }
}

/* The first two windows of age keep a fact; some are kept for good. */
static bool is_kept(const struct ampel_event *event, int64_t now_ms) {
    int64_t day = day_of(event);
    int64_t until_ms = 0;
    if (event->type == AMPEL_EVENT_ACCOUNT_STATUS || event->type == AMPEL_EVENT_INCIDENT) {
        return true;
    }
    if (event->type == AMPEL_EVENT_MAINTENANCE &&
        ampel_extra_number(event, AMPEL_EXTRA_UNTIL, &until_ms) && until_ms > event->at_ms) {
        day = until_ms / AMPEL_DAY_MS;
    }
    return day >= now_ms / AMPEL_DAY_MS - TWO_WINDOWS_DAYS;
}

/* What the story told of one fact so far. */
struct told {
    uint32_t tellings;
    uint64_t count;
    int64_t newest_ms;
    int16_t lowest;
    bool first; /* the event that asks is the first telling of its fact */
    bool exact; /* some telling is exactly this event */
};

static struct told told_of(const struct ampel_pair *pair, uint32_t account,
                           const struct ampel_event *fact, uint32_t asking) {
    const struct ampel_story *story = pair->story;
    struct told told = {.newest_ms = INT64_MIN, .lowest = INT16_MAX, .first = true};
    for (uint32_t op = 0; op <= pair->op_index; op++) {
        for (uint32_t offset = 0; offset < story->ops[op].events_count; offset++) {
            uint32_t index = story->ops[op].events_first + offset;
            struct ampel_event event = ampel_story_event_of(&story->events[index]);
            if (story->events[index].account != account || event.at_ms > pair->now_ms ||
                !same_fact(&event, fact)) {
                continue;
            }
            told.tellings++;
            told.count += event.count;
            told.newest_ms = event.at_ms > told.newest_ms ? event.at_ms : told.newest_ms;
            told.lowest = event.points < told.lowest ? event.points : told.lowest;
            told.first = told.first && index >= asking;
            told.exact = told.exact || (event.at_ms == fact->at_ms && event.code == fact->code &&
                                        same_extras(&event, fact));
        }
    }
    return told;
}

static void check_fact(struct ampel_pair *pair, uint32_t account, const struct ampel_event *fact) {
    struct told told = told_of(pair, account, fact, 0);
    bool right = told.tellings > 0 && is_kept(fact, pair->now_ms);
    if (adds_up(fact->type)) {
        uint64_t count = told.count < AMPEL_ORDERS_MAX ? told.count : AMPEL_ORDERS_MAX;
        right = right && fact->count == count;
    } else if (fact->type == AMPEL_EVENT_DAY_MARK) {
        right = right && fact->points == told.lowest;
    } else {
        right = right && told.exact && fact->at_ms == told.newest_ms;
    }
    if (!right) {
        ampel_pair_fail(pair, "S%u fact of type %u at %lld: told %u times, newest %lld, count %u",
                        account, fact->type, (long long)fact->at_ms, told.tellings,
                        (long long)told.newest_ms, fact->count);
    }
}

/* Every fact that the engine keeps was told so, and it keeps as many as were told. A profile is one
   fact for each of its fields, which the numbers of this section do not need: those are skipped. */
void ampel_pair_check_facts(struct ampel_pair *pair, uint32_t account) {
    const struct ampel_story *story = pair->story;
    uint32_t slot = ampel_pair_slot(pair->engine, account);
    uint32_t cursor = 0, kept = 0, expected = 0;
    struct ampel_event fact;
    if (slot == AMPEL_SLOT_NONE) {
        return;
    }
    while (ampel_engine_fact_next(pair->engine, slot, &cursor, &fact)) {
        if (fact.type != AMPEL_EVENT_PROFILE) {
            kept++;
            check_fact(pair, account, &fact);
        }
    }
    for (uint32_t op = 0; op <= pair->op_index; op++) {
        for (uint32_t offset = 0; offset < story->ops[op].events_count; offset++) {
            uint32_t index = story->ops[op].events_first + offset;
            const struct ampel_story_event *told = &story->events[index];
            struct ampel_event event = ampel_story_event_of(told);
            if (told->account != account || !is_fact(told) || event.at_ms > pair->now_ms ||
                event.type == AMPEL_EVENT_PROFILE) {
                continue;
            }
            struct told facts = told_of(pair, account, &event, index);
            /* A metric is as old as its newest telling. */
            event.at_ms = event.type == AMPEL_EVENT_METRIC ? facts.newest_ms : event.at_ms;
            expected += facts.first && is_kept(&event, pair->now_ms) ? 1 : 0;
        }
    }
    if (kept != expected) {
        ampel_pair_fail(pair, "S%u has %u facts at %lld, %u were told", account, kept,
                        (long long)pair->now_ms, expected);
    }
}

/* ---- producers ------------------------------------------------------------------------------ */

static bool same_text(struct ampel_text text, const struct ampel_story_name *name) {
    struct ampel_text other = ampel_story_text(name);
    return text.size == other.size && memcmp(text.bytes, other.bytes, text.size) == 0;
}

static bool is_marked(const struct ampel_producer_window *window, uint64_t sequence) {
    uint64_t place = sequence - window->base;
    return place < AMPEL_CREDIT && (window->bits[place / 64] >> (place % 64) & 1) != 0;
}

/* One window: what was applied in the last 29 days is remembered, and nothing else is marked. */
static void check_window(struct ampel_pair *pair, const struct ampel_producer_window *window) {
    uint32_t marked = 0, used = 0;
    for (uint64_t place = 0; place < AMPEL_CREDIT; place++) {
        marked += is_marked(window, window->base + place) ? 1 : 0;
    }
    for (uint32_t index = 0; index <= pair->op_index; index++) {
        const struct ampel_story_op *op = &pair->story->ops[index];
        struct ampel_story_name tenant = ampel_story_tenant(op->tenant);
        struct ampel_story_name producer = ampel_story_producer(op->producer);
        if (op->deed != AMPEL_DEED_FRAME || !same_text(window->producer, &producer) ||
            !same_text(window->tenant, &tenant)) {
            continue;
        }
        used += is_marked(window, op->sequence) ? 1 : 0;
        bool young = pair->now_ms - op->to_ms < AMPEL_SENT_BEHIND_MAX_MS;
        if (young && op->sequence >= window->base && !is_marked(window, op->sequence)) {
            ampel_pair_fail(pair, "t%u p%u/%llu is not remembered", op->tenant, op->producer,
                            (unsigned long long)op->sequence);
        }
    }
    if (marked != used) {
        ampel_pair_fail(pair, "%.*s remembers %u sequences, %u were used",
                        (int)window->producer.size, window->producer.bytes, marked, used);
    }
}

void ampel_pair_check_producers(struct ampel_pair *pair) {
    struct ampel_producer_window window;
    uint32_t cursor = 0;
    uint64_t young = 0, seen = 0;
    while (ampel_engine_producer_next(pair->engine, &cursor, &window)) {
        seen |=
            UINT64_C(1) << ((window.tenant.bytes[1] - '0') * 4 + window.producer.bytes[1] - '0');
        check_window(pair, &window);
    }
    for (uint32_t index = 0; index <= pair->op_index; index++) {
        const struct ampel_story_op *op = &pair->story->ops[index];
        if (op->deed == AMPEL_DEED_FRAME && op->producer > 0 &&
            pair->now_ms - op->to_ms < AMPEL_SENT_BEHIND_MAX_MS) {
            young |= UINT64_C(1) << (op->tenant * 4 + op->producer);
        }
    }
    if ((young & ~seen) != 0) {
        ampel_pair_fail(pair, "a producer of the last 29 days has no window");
    }
}

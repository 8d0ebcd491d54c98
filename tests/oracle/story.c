/* See story.h. The dice are loaded towards edges: exact ends of windows, midnights, ties and
 * doubles. */
#include "tests/oracle/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jsonl.h"
#include "tests/oracle/fields.h"

#define TWO_WINDOWS (2 * AMPEL_WINDOW_MS)
/* Everything told of one violation lies this close together: see deliverable. */
#define SPAN_MAX (AMPEL_WINDOW_MS + AMPEL_WINDOW_MS / 2)

/* A producer of one tenant: which sequences it has used, and when it was heard last. It never runs
   further ahead of its lowest unused one than the credit allows, and stays silent once its numbers
   run out. */
#define SEQUENCES_MAX 8192
struct feeder {
    uint64_t lowest;
    int64_t heard_ms;
    bool used[SEQUENCES_MAX];
};

/* What the teller knows while telling. */
struct teller {
    struct ampel_story *story;
    struct ampel_random random;
    int64_t now_ms;
    uint32_t rules;
    uint32_t ids_count;          /* of made-up ids, 0: the usual few */
    struct feeder feeders[2][3]; /* by tenant and producer; producer 0 is none */
};

/* ---- names ---------------------------------------------------------------------------------- */

struct ampel_story_name ampel_story_seller(uint32_t account) {
    struct ampel_story_name name;
    (void)snprintf(name.text, sizeof name.text, "S%u", account);
    return name;
}

struct ampel_story_name ampel_story_tenant(uint32_t tenant) {
    struct ampel_story_name name;
    (void)snprintf(name.text, sizeof name.text, "t%u", tenant);
    return name;
}

struct ampel_story_name ampel_story_producer(uint32_t producer) {
    struct ampel_story_name name = {""};
    if (producer > 0) {
        (void)snprintf(name.text, sizeof name.text, "p%u", producer);
    }
    return name;
}

struct ampel_event ampel_story_event_of(const struct ampel_story_event *event) {
    struct ampel_event whole = event->event;
    whole.extras = event->extras;
    return whole;
}

/* ---- what producers keep to ----------------------------------------------------------------- */

static bool of_violation(const struct ampel_story_event *event) {
    return event->told.type == AMPEL_EVENT_VIOLATION ||
           event->told.type == AMPEL_EVENT_VIOLATION_STATE;
}

static bool same_violation(const struct ampel_story_event *left,
                           const struct ampel_story_event *right) {
    return of_violation(left) && left->account == right->account &&
           strcmp(left->told.id, right->told.id) == 0;
}

/* Whether `event`, at this index, may be told at now. A violation whose newest event is older than
   two windows has left memory: nothing more is told of it. All events of one id span at most a
   window and a half, so none dies between two of its own; and two tellings of it lie at most a
   window apart. */
static bool deliverable(const struct ampel_story *story, uint32_t index, int64_t now_ms) {
    const struct ampel_story_event *event = &story->events[index];
    if (!of_violation(event)) {
        return true;
    }
    bool seen = false;
    int64_t newest_ms = INT64_MIN;
    for (uint32_t other = 0; other < index; other++) {
        const struct ampel_story_event *before = &story->events[other];
        if (!same_violation(before, event)) {
            continue;
        }
        int64_t distance_ms = before->told.at_ms - event->told.at_ms;
        distance_ms = distance_ms < 0 ? -distance_ms : distance_ms;
        bool tellings =
            before->told.type == AMPEL_EVENT_VIOLATION && event->told.type == AMPEL_EVENT_VIOLATION;
        if (distance_ms > (tellings ? AMPEL_WINDOW_MS : SPAN_MAX)) {
            return false;
        }
        if (before->told.at_ms <= now_ms) {
            seen = true;
            newest_ms = before->told.at_ms > newest_ms ? before->told.at_ms : newest_ms;
        }
    }
    return !seen || newest_ms >= now_ms - TWO_WINDOWS;
}

bool ampel_story_holds(const struct ampel_story *story) {
    int64_t now_ms = story->start_ms;
    for (uint32_t index = 0; index < story->ops_count; index++) {
        const struct ampel_story_op *op = &story->ops[index];
        if ((op->deed == AMPEL_DEED_FRAME || op->deed == AMPEL_DEED_ADVANCE) &&
            op->to_ms > now_ms) {
            now_ms = op->to_ms;
        }
        for (uint32_t event = 0; event < op->events_count; event++) {
            if (!deliverable(story, op->events_first + event, now_ms)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static int32_t pick(struct ampel_random *random, const int32_t *choices, size_t count) {
    return choices[ampel_random_below(random, count)];
}
#define PICK(random, ...)                        \
    pick(random, (const int32_t[]){__VA_ARGS__}, \
         sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void tell_groups(struct ampel_random *random, struct ampel_rules *rules) {
    rules->cap_groups_count = (uint32_t)PICK(random, 0, 1, 2, 2, 3, AMPEL_CAP_GROUPS_MAX);
    for (uint32_t group = 0; group < rules->cap_groups_count; group++) {
        (void)snprintf(rules->cap_groups[group].name, sizeof rules->cap_groups[group].name, "g%u",
                       group);
        rules->cap_groups[group].limit = (uint16_t)PICK(random, 1, 2, 3, 5, 65535);
    }
    uint32_t policies = ampel_registry_count(AMPEL_REGISTRY_POLICY);
    for (uint32_t policy = 0; policy < policies; policy++) {
        uint64_t group = ampel_random_below(random, rules->cap_groups_count + UINT64_C(1));
        rules->policies[policy].group =
            group == rules->cap_groups_count ? AMPEL_CAP_GROUP_NONE : (uint8_t)group;
        rules->policies[policy].severity = (int8_t)PICK(random, 0, 1, 2, 3, 4);
    }
}

static void tell_numbers(struct ampel_random *random, struct ampel_rules *rules) {
    rules->window_days = PICK(random, 180, 180, 180, 179, 90, 30, 7, 1);
    rules->start = PICK(random, 200, 200, 0, 1000, 137);
    rules->band_green = PICK(random, 200, 200, 150, 1000);
    rules->band_yellow = PICK(random, 100, 100, 0, 150);
    rules->orders_block = PICK(random, 200, 200, 1, 7, 1000000);
    rules->orders_points = PICK(random, 4, 4, 0, 1, 1000);
    rules->orders_rounding = (enum ampel_rounding)PICK(random, 0, 1);
    for (int severity = 0; severity < 4; severity++) {
        rules->severity_points[severity] = PICK(random, 0, 1, 2, 4, 8, 50, 1000);
    }
}

static void tell_ladder(struct ampel_random *random, struct ampel_rules *rules) {
    rules->ladder = (enum ampel_ladder)PICK(random, 0, 0, 0, 1, 2, 3);
    rules->ladder_factor = PICK(random, 2, 2, 1, 3, 10);
    rules->ladder_max_exponent = PICK(random, 4, 4, 0, 1, 10);
    rules->ladder_table_count = (uint32_t)PICK(random, 1, 3, AMPEL_LADDER_TABLE_MAX);
    for (uint32_t index = 0; index < AMPEL_LADDER_TABLE_MAX; index++) {
        rules->ladder_table[index] =
            index < rules->ladder_table_count ? PICK(random, 1, 2, 4, 0, 1000) : 0;
    }
    rules->anchor = (enum ampel_anchor)PICK(random, 0, 0, 1);
}

/* Some stories follow the defaults, some change a part of the rules, some all of it. */
static void tell_rules(struct ampel_random *random, struct ampel_rules *rules) {
    ampel_rules_init(rules);
    if (ampel_random_chance(random, 40)) {
        return;
    }
    if (ampel_random_chance(random, 40)) {
        tell_groups(random, rules);
    }
    if (ampel_random_chance(random, 50)) {
        tell_numbers(random, rules);
    }
    if (ampel_random_chance(random, 60)) {
        tell_ladder(random, rules);
    }
    if (ampel_random_chance(random, 50)) {
        rules->critical_mode = (enum ampel_critical_mode)PICK(random, 0, 1, 2);
        rules->critical_value = PICK(random, 99, 16, 0, 1000);
        rules->cap_effect = (enum ampel_cap_effect)PICK(random, 0, 1);
        rules->cap_warn_before = PICK(random, 1, 0, 2, 1000);
    }
    if (ampel_random_chance(random, 40)) {
        rules->clamp_min = PICK(random, 0, 0, -100, -100000, 50);
        rules->clamp_max = PICK(random, 1000, 1000, 300, 100000, 50);
        rules->clamp_before_deduction = ampel_random_chance(random, 50);
    }
    const char *key = "";
    AMPEL_ASSERT(ampel_rules_check(rules, &key));
}

/* Two random numbers never stand in one expression: compilers may draw them in either order, and a seed would tell each its
   own story. */

/* ---- times ---------------------------------------------------------------------------------- */

/* A time near which something may happen: an edge of some event of the story, a midnight, an edge
 * of a window. */
static int64_t tell_edge(struct teller *teller) {
    struct ampel_random *random = &teller->random;
    const struct ampel_story *story = teller->story;
    int64_t edge_ms = teller->now_ms;
    if (story->events_count > 0 && ampel_random_chance(random, 60)) {
        uint64_t recent = story->events_count < 60 ? story->events_count : 60;
        uint64_t back = ampel_random_below(random, recent) + 1;
        edge_ms = story->events[story->events_count - back].told.at_ms;
    } else if (ampel_random_chance(random, 50)) {
        int64_t day = teller->now_ms / AMPEL_DAY_MS - ampel_random_between(random, -2, 2);
        if (ampel_random_chance(random, 30)) day -= 180;
        edge_ms = day * AMPEL_DAY_MS;
    }
    int64_t days = story->rules[0].window_days;
    int64_t windows = PICK(random, 0, 0, 0, 1, -1, 2, -2);
    edge_ms +=
        windows * (ampel_random_chance(random, 70) ? days * AMPEL_DAY_MS : AMPEL_WINDOW_MS);
    return edge_ms + PICK(random, 0, 0, 0, 1, -1);
}

static int64_t clamp(int64_t value, int64_t least, int64_t greatest) {
    return value < least ? least : value > greatest ? greatest : value;
}

/* When an event of this frame happened. */
static int64_t tell_at(struct teller *teller, int64_t sent_at_ms) {
    struct ampel_random *random = &teller->random;
    int64_t latest_ms = sent_at_ms + AMPEL_FUTURE_SLACK_MS;
    int64_t earliest_ms = sent_at_ms - TWO_WINDOWS > 0 ? sent_at_ms - TWO_WINDOWS : 0;
    int64_t at_ms = 0;
    switch (ampel_random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        at_ms = tell_edge(teller);
        if (at_ms < earliest_ms || at_ms > latest_ms) {
            at_ms = sent_at_ms - (int64_t)ampel_random_below(random, AMPEL_WINDOW_MS);
        }
        break;
    case 3:
        at_ms = teller->now_ms + ampel_random_between(random, -1, 1);
        break;
    case 4:
        at_ms = sent_at_ms + ampel_random_between(random, -AMPEL_DAY_MS, AMPEL_FUTURE_SLACK_MS);
        break;
    case 5:
        at_ms = sent_at_ms - (int64_t)ampel_random_below(random, TWO_WINDOWS);
        break;
    default:
        at_ms = sent_at_ms - (int64_t)ampel_random_below(random, 20 * AMPEL_DAY_MS);
        break;
    }
    return clamp(at_ms, earliest_ms, latest_ms);
}

/* ---- events --------------------------------------------------------------------------------- */

static void tell_id(struct teller *teller, char out[AMPEL_ID_BYTES_MAX + 1]) {
    static const char *const ids[] = {
        "a",
        "A",
        "aa",
        "a0",
        "~",
        "!",
        "b",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "0123456789012345678901234567890123456789012345678901234567890122",
        "01234567",
        "012345678",
        "v-1",
        "v-2",
        "v-3",
        "v-4",
        "v-5",
        "v-6",
        "v-7",
        "v-8",
        "v-9",
    };
    struct ampel_random *random = &teller->random;
    if (teller->ids_count > 0) {
        (void)snprintf(out, AMPEL_ID_BYTES_MAX + 1, "w-%u",
                       (uint32_t)ampel_random_below(random, teller->ids_count));
        return;
    }
    (void)snprintf(out, AMPEL_ID_BYTES_MAX + 1, "%s",
                   ids[ampel_random_below(random, AMPEL_ARRAY_COUNT(ids))]);
}

static void tell_text(struct ampel_random *random, char out[AMPEL_ID_BYTES_MAX + 1],
                      uint32_t percent) {
    static const char *const texts[] = {"i", "i2", "I", "ii", "B012345678"};
    if (ampel_random_chance(random, percent)) {
        (void)snprintf(out, AMPEL_ID_BYTES_MAX + 1, "%s",
                       texts[ampel_random_below(random, AMPEL_ARRAY_COUNT(texts))]);
    }
}

static void tell_violation(struct teller *teller, struct ampel_oracle_event *told) {
    struct ampel_random *random = &teller->random;
    uint32_t policies = ampel_registry_count(AMPEL_REGISTRY_POLICY);
    told->policy = ampel_random_chance(random, 85) ? (uint8_t)PICK(random, 0, 1, 7, 3, 10)
                                                   : (uint8_t)ampel_random_below(random, policies);
    told->severity = (int8_t)PICK(random, -1, -1, 0, 1, 1, 2, 2, 3, 3, 4);
    told->points = ampel_random_chance(random, 80) ? AMPEL_ORACLE_MISSING
                                                   : (int16_t)PICK(random, 0, 1, 7, 100, 1000);
    told->rev = ampel_random_chance(random, 70) ? 0 : (uint16_t)PICK(random, 1, 2, 255, 65535);
    tell_id(teller, told->id);
    tell_text(random, told->incident, 20);
    tell_text(random, told->asin, 30);
    tell_text(random, told->sku, 30);
    if (ampel_random_chance(random, 30)) {
        told->at_risk_sales_cents = PICK(random, 0, 1, 12345, 99999999);
    }
}

static void tell_orders(struct ampel_random *random, struct ampel_oracle_event *told) {
    bool total = told->type == AMPEL_EVENT_ORDERS_DAY;
    if (total) {
        told->rev = ampel_random_chance(random, 60) ? 1 : (uint16_t)PICK(random, 1, 2, 3, 255);
    }
    told->count = ampel_random_chance(random, 80)
                      ? (uint32_t)ampel_random_below(random, 300)
                      : (uint32_t)PICK(random, 0, 255, 256, 65535, 65536, AMPEL_ORDERS_MAX);
    if (!total && told->count == 0) {
        told->count = 1;
    }
}

static enum ampel_event_type tell_type(struct ampel_random *random) {
    uint64_t dice = ampel_random_below(random, 100);
    return dice < 35   ? AMPEL_EVENT_VIOLATION
           : dice < 60 ? AMPEL_EVENT_VIOLATION_STATE
           : dice < 75 ? AMPEL_EVENT_ORDER
           : dice < 92 ? AMPEL_EVENT_ORDERS_DAY
                       : (enum ampel_event_type)ampel_random_between(
                             random, AMPEL_EVENT_ACCOUNT_STATUS, AMPEL_EVENT_DAY_MARK);
}

/* One more event of the story. False, and none, where producers keep from telling it. */
static bool tell_event(struct teller *teller, uint32_t account, int64_t sent_at_ms) {
    struct ampel_story *story = teller->story;
    struct ampel_random *random = &teller->random;
    story->events = ampel_oracle_grow(story->events, story->events_count, &story->events_capacity,
                                      sizeof *story->events);
    struct ampel_story_event *event = &story->events[story->events_count];
    memset(event, 0, sizeof *event);
    event->account = account;
    if (story->events_count > 0 && ampel_random_chance(random, 8)) {
        /* The same again, to the byte; an order told twice counts twice. */
        uint64_t back = ampel_random_below(random, story->events_count) + 1;
        *event = story->events[story->events_count - back > 0 ? story->events_count - back : 0];
        if (event->account != account || event->told.at_ms < sent_at_ms - TWO_WINDOWS ||
            event->told.at_ms > sent_at_ms + AMPEL_FUTURE_SLACK_MS) {
            return false;
        }
    } else {
        struct ampel_oracle_event *told = &event->told;
        int64_t at_ms = tell_at(teller, sent_at_ms);
        ampel_oracle_event_init(told, tell_type(random), at_ms);
        if (told->type == AMPEL_EVENT_VIOLATION) {
            tell_violation(teller, told);
        } else if (told->type == AMPEL_EVENT_VIOLATION_STATE) {
            tell_id(teller, told->id);
            told->code = (uint8_t)ampel_random_below(random, AMPEL_STATES_COUNT);
        } else if (told->type == AMPEL_EVENT_ORDER || told->type == AMPEL_EVENT_ORDERS_DAY) {
            tell_orders(random, told);
        }
        ampel_story_fields(random, told, &event->event, event->extras, sizeof event->extras);
    }
    if (!deliverable(story, story->events_count, teller->now_ms)) {
        return false;
    }
    struct ampel_event whole = ampel_story_event_of(event);
    const char *field = "";
    AMPEL_ASSERT(ampel_event_check(&whole, sent_at_ms, &field) == AMPEL_VERDICT_OK);
    story->events_count++;
    return true;
}

/* ---- ops ------------------------------------------------------------------------------------ */

static struct ampel_story_op *new_op(struct teller *teller, enum ampel_story_deed deed) {
    struct ampel_story *story = teller->story;
    story->ops =
        ampel_oracle_grow(story->ops, story->ops_count, &story->ops_capacity, sizeof *story->ops);
    struct ampel_story_op *op = &story->ops[story->ops_count++];
    *op = (struct ampel_story_op){.deed = deed, .to_ms = teller->now_ms};
    op->steps_max = (uint32_t)PICK(&teller->random, 1, 2, 7, 1000, 1000000);
    return op;
}

static void pass_to(struct teller *teller, int64_t to_ms) {
    teller->now_ms = to_ms > teller->now_ms ? to_ms : teller->now_ms;
}

static void tell_advance(struct teller *teller) {
    struct ampel_random *random = &teller->random;
    struct ampel_story_op *op = new_op(teller, AMPEL_DEED_ADVANCE);
    int64_t span_ms = 1;
    switch (ampel_random_below(random, 10)) {
    case 0:
        span_ms = 1;
        break;
    case 1:
    case 2:
    case 3:
        span_ms = tell_edge(teller) - teller->now_ms;
        break;
    case 4:
        span_ms = (int64_t)ampel_random_below(random, 60 * AMPEL_DAY_MS);
        break;
    case 5:
        span_ms = ampel_random_chance(random, 20) ? (int64_t)ampel_random_below(random, TWO_WINDOWS)
                                                  : AMPEL_BACKFILL_QUIET_MS;
        break;
    default:
        span_ms = (int64_t)ampel_random_below(random, 3 * AMPEL_DAY_MS);
        break;
    }
    /* Also a step of time that leads backwards, which is no step. */
    op->to_ms = teller->now_ms + (span_ms < TWO_WINDOWS ? span_ms : TWO_WINDOWS);
    op->to_ms = op->to_ms < 0 ? 0 : op->to_ms;
    pass_to(teller, op->to_ms);
}

/* The next sequence of a producer, mostly in order. After 29 days of silence its past is not spoken
 * of. */
static bool tell_sequence(struct teller *teller, uint32_t tenant, uint32_t producer,
                          uint64_t *sequence) {
    struct ampel_random *random = &teller->random;
    struct feeder *feeder = &teller->feeders[tenant][producer];
    if (producer == 0) {
        return false;
    }
    if (teller->now_ms - feeder->heard_ms >= AMPEL_SENT_BEHIND_MAX_MS) {
        for (uint64_t used = feeder->lowest; used < SEQUENCES_MAX; used++) {
            feeder->lowest = feeder->used[used] ? used + 1 : feeder->lowest;
        }
    }
    uint64_t ahead = ampel_random_chance(random, 70)   ? 0
                     : ampel_random_chance(random, 70) ? ampel_random_below(random, 4)
                     : ampel_random_chance(random, 70) ? ampel_random_below(random, AMPEL_CREDIT)
                                                       : AMPEL_CREDIT - 1;
    if (feeder->lowest + AMPEL_CREDIT >= SEQUENCES_MAX) {
        return false;
    }
    *sequence = feeder->lowest + ahead;
    *sequence = feeder->used[*sequence] ? feeder->lowest : *sequence;
    feeder->used[*sequence] = true;
    feeder->heard_ms = teller->now_ms;
    while (feeder->used[feeder->lowest]) {
        feeder->lowest++;
    }
    return true;
}

static void tell_frame(struct teller *teller) {
    struct ampel_random *random = &teller->random;
    struct ampel_story_op *op = new_op(teller, AMPEL_DEED_FRAME);
    op->to_ms += PICK(random, 0, 0, 1, 1000, 3600000, -5000);
    op->to_ms = op->to_ms < 0 ? 0 : op->to_ms;
    pass_to(teller, op->to_ms);
    op->tenant = teller->story->accounts_count > 1 ? (uint32_t)ampel_random_below(random, 2) : 0;
    op->producer = (uint32_t)ampel_random_below(random, 3);
    op->producer =
        tell_sequence(teller, op->tenant, op->producer, &op->sequence) ? op->producer : 0;
    op->sent_at_ms = teller->now_ms;
    if (ampel_random_chance(random, 30)) {
        op->sent_at_ms +=
            ampel_random_between(random, -AMPEL_SENT_BEHIND_MAX_MS + 1, AMPEL_SENT_AHEAD_MAX_MS);
        op->sent_at_ms = op->sent_at_ms < 0 ? 0 : op->sent_at_ms;
    }
    op->backfill = ampel_random_chance(random, 6) && !teller->story->sparse;
    uint32_t wanted = (uint32_t)PICK(random, 0, 1, 1, 1, 2, 3, 5, 12);
    uint32_t accounts = (teller->story->accounts_count + 1 - op->tenant) / 2;
    uint32_t first = teller->story->events_count;
    int64_t sent_at_ms = op->sent_at_ms;
    uint32_t tenant = op->tenant;
    for (uint32_t count = 0; count < wanted; count++) {
        uint32_t account = tenant + 2 * (uint32_t)ampel_random_below(random, accounts);
        (void)!tell_event(teller, account, sent_at_ms);
    }
    op->events_first = first;
    op->events_count = teller->story->events_count - first;
}

/* A frame that its producer still remembers: windows live 30 days, batches are refused after 29. */
static void tell_resend(struct teller *teller) {
    struct ampel_story *story = teller->story;
    uint32_t index = (uint32_t)ampel_random_below(&teller->random, story->ops_count);
    const struct ampel_story_op *old = &story->ops[index];
    if (old->deed == AMPEL_DEED_FRAME && old->producer > 0 &&
        teller->now_ms - old->to_ms < AMPEL_SENT_BEHIND_MAX_MS) {
        new_op(teller, AMPEL_DEED_RESEND)->resend_of = index;
    }
}

static void tell_op(struct teller *teller) {
    uint64_t dice = ampel_random_below(&teller->random, 1000);
    if (dice < 720 || teller->story->ops_count == 0) {
        tell_frame(teller);
    } else if (dice < 900) {
        tell_advance(teller);
    } else if (dice < 950) {
        tell_resend(teller);
    } else if (dice < 975) {
        (void)new_op(teller, AMPEL_DEED_CHECKPOINT);
    } else if (dice < 990) {
        struct ampel_story_op *op = new_op(teller, AMPEL_DEED_RECOVER);
        if (ampel_random_chance(&teller->random, 20)) {
            teller->rules = (uint32_t)ampel_random_below(&teller->random, AMPEL_STORY_RULES_MAX);
        }
        op->rules = teller->rules;
    } else {
        struct ampel_story_op *op = new_op(teller, AMPEL_DEED_RULES);
        op->rules = (uint32_t)ampel_random_below(&teller->random, AMPEL_STORY_RULES_MAX);
        teller->rules = op->rules;
    }
}

void ampel_story_tell(struct ampel_story *story, uint64_t seed) {
    *story = (struct ampel_story){.seed = seed};
    static struct teller teller; /* large */
    memset(&teller, 0, sizeof teller);
    teller.story = story;
    teller.random.state = seed;
    struct ampel_random *random = &teller.random;
    for (int index = 0; index < AMPEL_STORY_RULES_MAX; index++) {
        tell_rules(random, &story->rules[index]);
    }
    story->accounts_count = ampel_random_chance(random, 85)
                                ? (uint32_t)ampel_random_between(random, 1, 4)
                                : (uint32_t)ampel_random_between(random, 30, 80);
    /* Some stories begin in the seventies, when two windows do not fit before them. */
    if (ampel_random_chance(random, 10)) {
        story->start_ms = (int64_t)ampel_random_below(random, 3 * AMPEL_WINDOW_MS);
    } else {
        story->start_ms = ampel_random_between(random, 15000, 25000) * AMPEL_DAY_MS;
        story->start_ms += (int64_t)ampel_random_below(random, AMPEL_DAY_MS);
    }
    teller.now_ms = story->start_ms;
    uint32_t wanted = (uint32_t)PICK(random, 5, 20, 60, 60, 150);
    if (ampel_random_below(random, 300) == 0) {
        /* One account with more violations than anyone has. */
        story->sparse = true;
        story->accounts_count = 1;
        teller.ids_count = (uint32_t)PICK(random, 50, 300, 1000);
        wanted = 600;
    }
    for (uint32_t count = 0; count < wanted; count++) {
        tell_op(&teller);
    }
}

void ampel_story_reset(struct ampel_story *story) {
    free(story->ops);
    free(story->events);
    *story = (struct ampel_story){0};
}

/* ---- for people ----------------------------------------------------------------------------- */

static struct ampel_text text_of(const char *terminated) {
    return (struct ampel_text){terminated, (uint32_t)strlen(terminated)};
}

static void print_event(const struct ampel_story_event *event) {
    char line[4096];
    struct ampel_story_name tenant = ampel_story_tenant(event->account % 2);
    struct ampel_story_name seller = ampel_story_seller(event->account);
    struct ampel_event whole = ampel_story_event_of(event);
    uint32_t size = ampel_jsonl_encode(text_of(tenant.text), text_of(seller.text),
                                       text_of(AMPEL_STORY_MARKETPLACE), &whole, line, sizeof line);
    printf("    %.*s", (int)size, line);
}

static void print_op(const struct ampel_story *story, uint32_t index) {
    const struct ampel_story_op *op = &story->ops[index];
    switch (op->deed) {
    case AMPEL_DEED_FRAME:
        printf("%u: frame t%u p%u/%llu stamp %lld sent_at %lld%s\n", index, op->tenant,
               op->producer, (unsigned long long)op->sequence, (long long)op->to_ms,
               (long long)op->sent_at_ms, op->backfill ? " backfill" : "");
        for (uint32_t event = 0; event < op->events_count; event++) {
            print_event(&story->events[op->events_first + event]);
        }
        break;
    case AMPEL_DEED_RESEND:
        printf("%u: frame %u once more\n", index, op->resend_of);
        break;
    case AMPEL_DEED_ADVANCE:
        printf("%u: advance to %lld by %u\n", index, (long long)op->to_ms, op->steps_max);
        break;
    case AMPEL_DEED_CHECKPOINT:
        printf("%u: checkpoint\n", index);
        break;
    case AMPEL_DEED_RECOVER:
        printf("%u: recover under rules %u\n", index, op->rules);
        break;
    case AMPEL_DEED_RULES:
        printf("%u: rules %u\n", index, op->rules);
        break;
    }
}

static void print_rules(const struct ampel_rules *rules) {
    printf(
        "window %d start %d bands %d %d orders %d %d rounding %d severities %d %d %d %d critical "
        "%d %d ladder %d %d %d table %u: %d %d %d anchor %d effect %d warn %d clamp %d %d %d\n",
        rules->window_days, rules->start, rules->band_green, rules->band_yellow,
        rules->orders_block, rules->orders_points, (int)rules->orders_rounding,
        rules->severity_points[0], rules->severity_points[1], rules->severity_points[2],
        rules->severity_points[3], (int)rules->critical_mode, rules->critical_value,
        (int)rules->ladder, rules->ladder_factor, rules->ladder_max_exponent,
        rules->ladder_table_count, rules->ladder_table[0], rules->ladder_table[1],
        rules->ladder_table[2], (int)rules->anchor, (int)rules->cap_effect, rules->cap_warn_before,
        rules->clamp_min, rules->clamp_max, (int)rules->clamp_before_deduction);
    for (uint32_t group = 0; group < rules->cap_groups_count; group++) {
        printf("    group %u limit %u\n", group, rules->cap_groups[group].limit);
    }
    for (uint32_t policy = 0; policy < ampel_registry_count(AMPEL_REGISTRY_POLICY); policy++) {
        printf("    %s group %u severity %d\n", ampel_registry_name(AMPEL_REGISTRY_POLICY, policy),
               rules->policies[policy].group, rules->policies[policy].severity);
    }
}

void ampel_story_print(const struct ampel_story *story) {
    printf("story %llu: %u accounts, begins at %lld\n", (unsigned long long)story->seed,
           story->accounts_count, (long long)story->start_ms);
    for (uint32_t index = 0; index < AMPEL_STORY_RULES_MAX; index++) {
        bool used = index == 0;
        for (uint32_t op = 0; op < story->ops_count; op++) {
            used =
                used || (story->ops[op].deed == AMPEL_DEED_RULES && story->ops[op].rules == index);
        }
        if (used) {
            printf("rules %u: ", index);
            print_rules(&story->rules[index]);
        }
    }
    for (uint32_t index = 0; index < story->ops_count; index++) {
        print_op(story, index);
    }
}

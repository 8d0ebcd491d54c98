/* The slow oracle of what stands beside the score (rating-model 3.14 and 3.15): one account, told
   event by event and instant by instant. It writes down the lowest score of every day and every
   report, and counts through all of them at every question. The scores themselves are those of
   oracle.h. */
#ifndef AMPEL_TESTS_ORACLE_BESIDE_H
#define AMPEL_TESTS_ORACLE_BESIDE_H

#include "engine/engine.h"
#include "tests/oracle/oracle.h"

#define AMPEL_BESIDE_DAYS_MAX    1200
#define AMPEL_BESIDE_REPORTS_MAX 256
#define AMPEL_BESIDE_NAMED_MAX   64

struct ampel_beside_report {
    int64_t at_ms;
    int32_t observed, drift;
    int64_t orders;
    bool judged, known;
    bool must_explain; /* no event explains a change: it has to be called unexplained */
    bool may_explain;  /* surely explained: it must not be */
};

struct ampel_beside_named {
    int64_t at_ms;
    int64_t deadline_ms; /* DEADLINE_NEAR, WILL_TURN */
    int32_t amount;      /* the same */
    uint8_t kind;
    uint8_t clock, cap_group; /* DEADLINE_NEAR */
};

/* A condition and the time there is since it began. */
struct ampel_beside_clock {
    int64_t started_ms, deadline_ms;
    bool runs, first_told, last_told;
};

struct ampel_beside {
    const struct ampel_rules *rules;
    struct ampel_oracle oracle;
    int64_t day_first; /* of the arrays below */
    int64_t now_ms;
    int32_t lowest[AMPEL_BESIDE_DAYS_MAX]; /* shown; INT32_MAX where none */
    int32_t marks[AMPEL_BESIDE_DAYS_MAX];  /* told; INT32_MAX where none */
    bool professional, emergency_phone, eligible, near;
    bool moved;     /* violations, since a drift was computed */
    uint8_t status; /* the last account_status */
    bool leaving_told;
    struct ampel_beside_clock clocks[2 + AMPEL_CAP_GROUPS_MAX];   /* red, assurance, caps */
    struct ampel_beside_report reports[AMPEL_BESIDE_REPORTS_MAX]; /* as they came */
    uint32_t reports_count;
    struct ampel_beside_named named[AMPEL_BESIDE_NAMED_MAX];
    uint32_t named_count;
};

void ampel_beside_init(struct ampel_beside *beside, const struct ampel_rules *rules,
                       int64_t start_ms);
void ampel_beside_reset(struct ampel_beside *beside);
/* Time passes; every instant on the way at which something may happen is looked at. */
void ampel_beside_advance(struct ampel_beside *beside, int64_t to_ms);
/* One frame: an event of the first four types, or one of those below. */
void ampel_beside_tell(struct ampel_beside *beside, const struct ampel_oracle_event *event);
void ampel_beside_profile(struct ampel_beside *beside, bool professional, bool emergency_phone);
void ampel_beside_mark(struct ampel_beside *beside, int64_t day, int32_t lowest);
void ampel_beside_observe(struct ampel_beside *beside, int64_t at_ms, int32_t score);
void ampel_beside_status(struct ampel_beside *beside, uint8_t status);

/* ahead.c: what is told before it comes, at the present instant. */
void ampel_beside_ahead(struct ampel_beside *beside);
/* The next instant at which a clock warns. */
int64_t ampel_beside_ahead_ms(const struct ampel_beside *beside);
void ampel_beside_assurance(const struct ampel_beside *beside, struct ampel_assurance *out);

#endif

/* The slow oracle: rating-model 1 to 3.8 as plainly as it can be written, for tests to hold the
   engine against.

   It keeps the list of an account's accepted events and recomputes everything from all of them at
   every question. It shares words with the engine (codes, bounds, rules as data) and not a line of
   computing. Memory is the C library's; when there is none the program stops. Thread: any, one at a
   time. */
#ifndef AMPEL_TESTS_ORACLE_ORACLE_H
#define AMPEL_TESTS_ORACLE_ORACLE_H

#include "engine/base.h"
#include "engine/event.h"
#include "engine/registry.h"
#include "engine/rules.h"

#define AMPEL_ORACLE_MISSING (-1)

/* One accepted event; texts are terminated, "" is missing. */
struct ampel_oracle_event {
    int64_t at_ms;
    int64_t at_risk_sales_cents; /* MISSING where not given */
    uint32_t count;
    uint16_t rev;
    int16_t points;
    uint8_t type;
    uint8_t policy;
    int8_t severity;
    uint8_t code;
    char id[AMPEL_ID_BYTES_MAX + 1];
    char incident[AMPEL_ID_BYTES_MAX + 1];
    char asin[AMPEL_ID_BYTES_MAX + 1];
    char sku[AMPEL_ID_BYTES_MAX + 1];
};

/* One account: zero it to begin. */
struct ampel_oracle {
    struct ampel_oracle_event *events;
    uint32_t events_count;
    uint32_t events_capacity;
};

/* One known violation: it was told and is in E. texts are borrowed from the oracle until it is
 * added to. */
struct ampel_oracle_violation {
    const struct ampel_oracle_event
        *told;                /* the event that defines it (the greatest of its revisions) */
    int64_t newest_at_ms;     /* the greatest at of all events of this id, states too */
    int64_t state_at_ms;      /* INT64_MIN where no state event came */
    int64_t cleared_since_ms; /* INT64_MAX where no cleared state came */
    int64_t points;
    uint32_t rank;
    int8_t severity; /* resolved by the rules */
    uint8_t state;
    bool in_window;
    bool deducting; /* in window and the state deducts */
    bool critical;  /* critical and without points of its own */
};

struct ampel_oracle_rating {
    int64_t score;
    int64_t raw; /* before the final clamp, critical and cap effects (rating-model 3.13) */
    int64_t orders;
    int64_t order_points;
    int64_t deducted;
    uint32_t caps[AMPEL_CAP_GROUPS_MAX];
    uint32_t criticals;
    uint8_t colour;
    uint8_t risk;
    bool exists; /* some event of the account is in E */
    uint32_t violations_count;
    struct ampel_oracle_violation *violations; /* all known, by (policy, at, id) */
};

/* The defaults of rating-model 4 and its table of policies, written here once more. */
void ampel_oracle_rules(struct ampel_rules *out);
/* One dotted override ("repeat.ladder", "double_once"), those keys alone that variants and golden
   cases use. False for any other. */
AMPEL_MUST_CHECK bool ampel_oracle_rules_set(struct ampel_rules *rules, const char *key,
                                             const char *value);

void ampel_oracle_event_init(struct ampel_oracle_event *event, enum ampel_event_type type,
                             int64_t at_ms);
/* The event is copied. Duplicates are the caller's: an order counts as often as it is added. */
void ampel_oracle_add(struct ampel_oracle *oracle, const struct ampel_oracle_event *event);
void ampel_oracle_reset(struct ampel_oracle *oracle);

/* The rating at at_ms if nothing with an at beyond known_ms is known. Release out with
 * ampel_oracle_rating_reset. */
void ampel_oracle_rate(const struct ampel_oracle *oracle, const struct ampel_rules *rules,
                       int64_t known_ms, int64_t at_ms, struct ampel_oracle_rating *out);
void ampel_oracle_rating_reset(struct ampel_oracle_rating *rating);

/* The orders of one day that are known at known_ms (rating-model 2, merging). */
int64_t ampel_oracle_orders_of(const struct ampel_oracle *oracle, int64_t known_ms, int64_t day);

/* Grows like every list here does: twice the room when it is full. The program stops without
 * memory. */
void *ampel_oracle_grow(void *list, uint32_t count, uint32_t *capacity, size_t item_size);

#endif

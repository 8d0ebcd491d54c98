/* The slow oracle of takeover suspicion (rating-model 3.9 and docs/TAKEOVER.md): one account, the list
   of everything told of it, and all of it counted through at every question. Scores come from oracle.h;
   no line of computing is shared with the engine. */
#ifndef AMPEL_TESTS_ORACLE_TAKEOVER_H
#define AMPEL_TESTS_ORACLE_TAKEOVER_H

#include "tests/oracle/oracle.h"

/* One fact that is neither an order nor a violation. */
struct ampel_takeover_fact {
    int64_t at_ms;
    int64_t until_ms;   /* maintenance */
    uint64_t kinds;     /* maintenance */
    int64_t permille;   /* listing, -1 where not given */
    int64_t handling;   /* listing, -1 where not given */
    uint32_t count;     /* listing, orders_cancelled */
    uint8_t type;       /* enum ampel_event_type */
    uint8_t code;       /* signal: kind; account_status: status; listing: change */
    char product[AMPEL_ID_BYTES_MAX + 1]; /* listing, "" where not given */
};

struct ampel_takeover_oracle {
    const struct ampel_rules *rules;
    struct ampel_oracle oracle; /* orders, violations, states */
    struct ampel_takeover_fact *facts;
    uint32_t facts_count, facts_capacity;
};

struct ampel_takeover_answer {
    bool suspected;
    uint64_t kinds;
    uint32_t weight;
    int64_t first_ms[AMPEL_KINDS_MAX], last_ms[AMPEL_KINDS_MAX]; /* of each kind that is there */
    bool derived[AMPEL_KINDS_MAX];
};

void ampel_takeover_oracle_add(struct ampel_takeover_oracle *oracle,
                               const struct ampel_takeover_fact *fact);
/* At t, from all with an at not beyond it. */
void ampel_takeover_oracle_ask(const struct ampel_takeover_oracle *oracle, int64_t at_ms,
                               struct ampel_takeover_answer *out);
void ampel_takeover_oracle_reset(struct ampel_takeover_oracle *oracle);

#endif

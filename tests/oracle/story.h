/* Stories: what random producers, clocks and operators do to one engine, made up before anything
   runs, so that a story can be told to the engine and the oracle, told again in another order, cut
   shorter and printed.

   A story keeps to what rating-model 2 asks of producers: no revision moves a violation's at by
   more than W, and nothing more is told of a violation once it has left memory. */
#ifndef AMPEL_TESTS_ORACLE_STORY_H
#define AMPEL_TESTS_ORACLE_STORY_H

#include "engine/frame.h"
#include "tests/oracle/oracle.h"
#include "tests/oracle/random.h"

#define AMPEL_STORY_EXTRAS_MAX 640
#define AMPEL_STORY_RULES_MAX  4

struct ampel_story_event {
    uint32_t account;
    struct ampel_oracle_event
        told;                 /* violations and orders whole; of the others type, at and code */
    struct ampel_event event; /* extras are below: take it through ampel_story_event_of */
    uint8_t extras[AMPEL_STORY_EXTRAS_MAX];
};

enum ampel_story_deed {
    AMPEL_DEED_FRAME,      /* a frame arrives */
    AMPEL_DEED_RESEND,     /* an earlier frame arrives once more */
    AMPEL_DEED_ADVANCE,    /* time passes */
    AMPEL_DEED_CHECKPOINT, /* dirty pages are exported and cleaned */
    AMPEL_DEED_RECOVER, /* the engine is gone; another one reads the pages as they would stand now
                         */
    AMPEL_DEED_RULES,   /* other rules */
};

struct ampel_story_op {
    enum ampel_story_deed deed;
    int64_t to_ms;      /* ADVANCE; FRAME: the stamp, which may lie behind */
    uint32_t steps_max; /* of each slice of advance */
    uint32_t rules;     /* RULES, RECOVER: index of those from then on */
    uint32_t resend_of; /* RESEND: index of the op */
    uint32_t tenant;    /* FRAME, from here */
    uint32_t producer;  /* 0: none */
    uint64_t sequence;
    int64_t sent_at_ms;
    bool backfill;
    uint32_t events_first, events_count;
};

struct ampel_story {
    uint64_t seed;
    int64_t start_ms;
    bool sparse;             /* long, so looked at in samples and at its end, changes not at all */
    uint32_t accounts_count; /* account a belongs to tenant a % 2 */
    struct ampel_rules rules[AMPEL_STORY_RULES_MAX];
    struct ampel_story_op *ops;
    struct ampel_story_event *events;
    uint32_t ops_count, ops_capacity;
    uint32_t events_count, events_capacity;
};

/* The story of a seed. Release with ampel_story_reset. */
void ampel_story_tell(struct ampel_story *story, uint64_t seed);
void ampel_story_reset(struct ampel_story *story);
/* False where a story that was cut breaks what producers keep to. */
AMPEL_MUST_CHECK bool ampel_story_holds(const struct ampel_story *story);
/* Ops and events as lines for people, events as JSON Lines. */
void ampel_story_print(const struct ampel_story *story);

/* The event with its extras; borrowed from the story. */
struct ampel_event ampel_story_event_of(const struct ampel_story_event *event);

struct ampel_story_name {
    char text[16];
};
struct ampel_story_name ampel_story_seller(uint32_t account);
struct ampel_story_name ampel_story_tenant(uint32_t tenant);
struct ampel_story_name ampel_story_producer(uint32_t producer); /* "" for 0 */
#define AMPEL_STORY_MARKETPLACE "A1PA6795UKMFR9"

#endif

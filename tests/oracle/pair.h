/* The pair: one engine and the oracle, told the same story and compared after every step: numbers,
   violations, days of orders, and every change that the engine names or should have named. */
#ifndef AMPEL_TESTS_ORACLE_PAIR_H
#define AMPEL_TESTS_ORACLE_PAIR_H

#include "engine/engine.h"
#include "tests/oracle/expect.h"
#include "tests/oracle/framer.h"
#include "tests/oracle/story.h"

#define AMPEL_PAIR_ACCOUNTS_MAX 96
#define AMPEL_PAIR_PAGES_MAX    8

struct ampel_pair_bytes {
    uint8_t *bytes;
    uint32_t size;
    uint32_t capacity;
};

/* What a database would hold of one violation, and of one account. */
struct ampel_pair_row {
    char id[AMPEL_ID_BYTES_MAX + 1];
    uint8_t policy;
    int8_t severity;
    uint8_t state;
    uint32_t rank;
    int64_t at_ms, expires_at_ms, state_at_ms, points, sales_cents;
};
struct ampel_pair_rows {
    struct ampel_numbers numbers;
    bool written;
    struct ampel_pair_row *list;
    uint32_t count, capacity;
};

struct ampel_pair_account {
    struct ampel_oracle oracle;
    struct ampel_pair_rows rows;
    bool touched;     /* by the op under way */
    bool backfilling; /* until its summary; `quiet` still for the op that brought it */
    bool quiet;       /* its changes are not compared in this op */
    bool was_new;     /* when the backfill began */
    int64_t backfilled_at_ms;
    struct ampel_numbers before; /* the op; while backfilling: the backfill */
};

struct ampel_pair {
    const struct ampel_story *story;
    struct ampel_random random; /* for samples alone */
    struct ampel_engine *engine;
    const struct ampel_rules *rules;
    int64_t now_ms;
    uint64_t memory_bytes; /* taken and not given back */
    struct ampel_framer framer;
    struct ampel_pair_account accounts[AMPEL_PAIR_ACCOUNTS_MAX];
    struct ampel_pair_bytes pages[AMPEL_PAIR_PAGES_MAX];
    struct ampel_pair_bytes meta, left, right;
    struct ampel_expectation expectation;
    uint64_t changes_digest; /* of all changes so far, in their order */
    uint64_t operations;     /* events, steps of time, checkpoints, recoveries */
    uint32_t op_index;
    bool failed;
    char reason[1024];
};

/* Tells the story to both. Where they differ, failed is set and reason says how. */
void ampel_pair_run(struct ampel_pair *pair, const struct ampel_story *story);
/* Tells the same events to another engine, differently, and compares the accounts of both: all at
   the end and in any order and frames (shuffled), or as the story goes but every frame mixed and
   split. */
void ampel_pair_compare_told_at_the_end(struct ampel_pair *pair);
void ampel_pair_compare_told_in_pieces(struct ampel_pair *pair);
void ampel_pair_reset(struct ampel_pair *pair);

/* ---- for the parts of the pair -------------------------------------------------------------- */

/* The first failure counts. */
void ampel_pair_fail(struct ampel_pair *pair, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct ampel_engine *ampel_pair_open(struct ampel_pair *pair, const struct ampel_rules *rules,
                                     int64_t start_ms);
uint32_t ampel_pair_slot(const struct ampel_engine *engine, uint32_t account);
uint32_t ampel_pair_account_of(const struct ampel_pair *pair, uint32_t slot);
/* Advances in slices. */
void ampel_pair_advance(struct ampel_pair *pair, struct ampel_engine *engine, int64_t to_ms,
                        uint32_t steps_max);
/* All that is known of one account at now, against the oracle. */
void ampel_pair_check_account(struct ampel_pair *pair, uint32_t account);
/* The facts of an account, and what is remembered of producers, against what was told so far. */
void ampel_pair_check_facts(struct ampel_pair *pair, uint32_t account);
void ampel_pair_check_producers(struct ampel_pair *pair);
/* The changes since the last clear against the expectation; then both are emptied. */
void ampel_pair_check_changes(struct ampel_pair *pair);
/* Both engines hold the same of every account. */
void ampel_pair_check_same(struct ampel_pair *pair, const struct ampel_engine *other,
                           const char *what);
/* Rows of a page that is about to be cleaned; of a violation that left memory; all against the
 * engine. */
void ampel_pair_rows_write(struct ampel_pair *pair, uint32_t page);
void ampel_pair_rows_forget(struct ampel_pair *pair, uint32_t account,
                            const struct ampel_change *change);
void ampel_pair_rows_check(struct ampel_pair *pair);
void ampel_pair_checkpoint(struct ampel_pair *pair);
/* Under other rules where rules is not that of the pair. */
void ampel_pair_recover(struct ampel_pair *pair, const struct ampel_rules *rules);
/* What other rules change at this instant is expected, and the pair's from now on. */
void ampel_pair_expect_rules(struct ampel_pair *pair, const struct ampel_rules *rules);

#endif

/* What follows from an account's state at the engine's time: how sure the score is, what it will be
   if nothing new happens, and what to fix first (rating-model 3.11 to 3.13).

   Everything here is asked, never kept: a pure function of (rules, variants, E(t), t) that changes
   nothing an account shows. Working memory comes from the engine's allocator, grows with the
   greatest account that was asked for and stays; NO_MEMORY means that this answer could not be
   given, the engine is whole.

   Lifetime: arrays and texts that a function lends hold until the same function is called again, or
   until apply, advance, rules_set or close. Thread: that of the engine. */
#ifndef AMPEL_ENGINE_OUTLOOK_H
#define AMPEL_ENGINE_OUTLOOK_H

#include "engine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- how sure (3.11) ------------------------------------------------------------------------ */

/* The rule sets beside the present one: its variants, each applied by ampel_rules_variant (or any
   other sets that are to be compared). Copied; each must pass ampel_rules_check. They stay until
   set again: whoever sets other rules sets their variants too. count <= AMPEL_VARIANTS_MAX; 0 takes
   them away. Returns: OK, NO_MEMORY (the old ones then still stand). */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_engine_variants_set(struct ampel_engine *engine, const struct ampel_rules *variants,
                          uint32_t count);
uint32_t ampel_engine_variants_count(const struct ampel_engine *engine);

/* The numbers of one account under each variant, in their order. Returns: OK, NO_MEMORY.
   Cost: O(variants) without violations; else O(violations x variants), and O(n log n) once for the
   variants that count repeats otherwise than the present rules. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_outlook_variants(struct ampel_engine *engine, uint32_t slot,
                       struct ampel_numbers out[AMPEL_VARIANTS_MAX]);
/* The least and greatest score over the present rules and the variants. Cost: as above. */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_outlook_range(struct ampel_engine *engine,
                                                              uint32_t slot, int32_t *score_min,
                                                              int32_t *score_max);

/* ---- forecast (3.12) ------------------------------------------------------------------------ */

enum { AMPEL_STEP_VIOLATION = 1, AMPEL_STEP_ORDERS = 2 }; /* bits of causes */

struct ampel_outlook_step {
    int64_t at_ms;
    int64_t points;       /* what the violations that leave at this instant gave back */
    int32_t score;        /* from at_ms on */
    int32_t order_points; /* from at_ms on */
    struct ampel_text id; /* of those that leave the one of the most points; empty where none */
    uint32_t violations_count; /* that leave at this instant and counted for something */
    uint8_t causes;
    uint8_t colour; /* from at_ms on */
    uint8_t risk;   /* from at_ms on */
    uint8_t policy; /* of the id; 255 where none */
};

/* The steps of the score in (now, now + W] if nothing new happens, ascending. With keep_orders
   every day after today brings floor(sum of the 28 days before today / 28) orders.
   Returns: OK, NO_MEMORY. Cost: O(n log n + W in days). */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_outlook_forecast(struct ampel_engine *engine, uint32_t slot, bool keep_orders,
                       const struct ampel_outlook_step **out, uint32_t *count);

struct ampel_outlook_turns {
    int64_t next_change_at_ms;  /* the first step without keep_orders; INT64_MAX none */
    int64_t leaves_green_at_ms; /* green now, and by ageing orders alone no longer then; INT64_MAX
                                   none */
    int64_t turns_at_ms[3]; /* by enum ampel_colour: the first step into it from another; INT64_MAX
                               none */
};
/* What the forecast without keep_orders says of days. Cost: as the forecast. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_outlook_turns(struct ampel_engine *engine, uint32_t slot, struct ampel_outlook_turns *out);
/* The same from steps that the forecast without keep_orders lent, for an account of this colour now. Cost: O(steps). */
void ampel_outlook_turns_of(uint8_t colour, const struct ampel_outlook_step *steps, uint32_t count,
                            struct ampel_outlook_turns *out);
/* The next_change_at alone: stops at the first step. For every changed account of a checkpoint.
   Cost: O(n + days until it). */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_outlook_next_change(struct ampel_engine *engine,
                                                                    uint32_t slot, int64_t *at_ms);

struct ampel_outlook_leaving {
    int64_t at_ms; /* INT64_MAX: never */
    int32_t score; /* from at_ms on */
};
/* The first step of the forecast without keep_orders out of green, if orders cause it; never where
   the account is not green. Cost: O(n log n + days until it). */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_outlook_leaving(struct ampel_engine *engine,
                                                                uint32_t slot,
                                                                struct ampel_outlook_leaving *out);

/* ---- repeat caps (3.8) ---------------------------------------------------------------------- */

struct ampel_outlook_cap {
    int64_t falls_at_ms; /* time alone makes the count less; INT64_MAX: it is 0 */
    int64_t below_at_ms; /* time alone takes it below the limit; INT64_MAX: it is */
    uint16_t count, limit;
};
/* Of each cap group of the rules. Cost: O(n log n). */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_outlook_caps(struct ampel_engine *engine, uint32_t slot,
                   struct ampel_outlook_cap out[AMPEL_CAP_GROUPS_MAX]);

/* ---- fix first (3.13) ----------------------------------------------------------------------- */

struct ampel_outlook_outcome {
    int64_t raw; /* before the final clamp, critical and cap effects */
    int32_t score;
    uint8_t colour, risk;
    uint16_t cap_count;     /* of the violation's cap group then; 0 where it has none */
    uint32_t next_rank;     /* that a new violation of the policy would get at this time */
    uint32_t ranks_lowered; /* known violations of the policy whose rank goes down by one */
};

struct ampel_outlook_fix {
    struct ampel_text id;
    int64_t at_ms, expires_at_ms;
    int64_t points;                   /* p(v) */
    int64_t at_risk_sales_cents;      /* -1 not given */
    struct ampel_outlook_outcome now; /* the same for every violation but cap_count and next_rank */
    struct ampel_outlook_outcome approved, acknowledged;
    uint32_t rank;
    uint8_t policy, state;
    uint8_t cap_group; /* AMPEL_CAP_GROUP_NONE where it counts to none */
    int8_t severity;   /* as the rules resolve it */
    bool critical;     /* acts by the critical mode, not by points */
};

/* Every deducting violation in window with what approval and acknowledgement at the engine's time
   would bring, the one to fix first first. Returns: OK, NO_MEMORY. Cost: O(n log n). */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_outlook_fixes(struct ampel_engine *engine,
                                                              uint32_t slot,
                                                              const struct ampel_outlook_fix **out,
                                                              uint32_t *count);

/* Up to this many deducting violations the smallest set is found by trying all. */
#define AMPEL_OUTLOOK_EXACT_MAX 16

struct ampel_outlook_green {
    bool found; /* false: no set does, or, where exact is false, the greedy choice found none */
    bool exact; /* false: beyond AMPEL_OUTLOOK_EXACT_MAX violations, a greedy choice */
    uint32_t count;
    const struct ampel_text *ids; /* sorted bytewise */
    struct ampel_outlook_outcome
        then; /* where found; without cap_count, next_rank, ranks_lowered */
};
/* to_green of 3.13. Returns: OK, NO_MEMORY. Cost: exact at most 2^16 sets of 16, some milliseconds;
   greedy O(n log n) for each of at most some 64 rounds. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_outlook_to_green(struct ampel_engine *engine, uint32_t slot, struct ampel_outlook_green *out);

#ifdef __cplusplus
}
#endif

#endif

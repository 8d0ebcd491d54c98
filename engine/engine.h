/* The engine: all accounts of one partition, their ratings at one time, and what changed.

   Promise. After advance(t) and any set of applied events, every number is the pure function of
   (rules, E(t), t) that rating-model 3 defines. Same calls, same changes out, in the same order.
   Pure: no I/O, no clock, no thread, no locale. Memory comes from the injected allocator when
   tables grow, never per event in the steady state.

   Memory.
       engine ── hash table (hash tag, slot) ──▶ account headers, 64 bytes each, in slot order
                                                  ├─▶ day ring (8, 16 or 32 bits a day)
                                                  ├─▶ violations: hot part by (policy, at, id)
                                                  ├─▶ violations: cold part, texts
                                                  └─▶ identity, facts
              ── timing wheel over accounts, pending events by time, producer windows, backfills

   Time moves only through advance. apply works at the engine's time, which must have been advanced
   to the frame's stamp (a stamp behind it, as after a restart of the clock, is applied at the
   engine's time). A frame is one step: changes compare each touched account before and after the
   whole frame.

   Errors. AMPEL_ENGINE_NO_MEMORY poisons the engine: close it and recover. Import returns
   AMPEL_ENGINE_BAD_BYTES for anything that export could not have written and leaves the engine
   poisoned. Thread: one at a time, any. One engine serves one partition; a shard owns several. */
#ifndef AMPEL_ENGINE_ENGINE_H
#define AMPEL_ENGINE_ENGINE_H

#include "engine/base.h"
#include "engine/event.h"
#include "engine/frame.h"
#include "engine/registry.h"
#include "engine/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_engine;

enum ampel_engine_status {
    AMPEL_ENGINE_OK = 0,
    AMPEL_ENGINE_NO_MEMORY,
    AMPEL_ENGINE_BAD_BYTES,
    AMPEL_ENGINE_NEWER, /* bytes of a version that is not known yet */
};
/* What a status means, in a few words for people. Lifetime: static. */
const char *ampel_engine_status_reason(enum ampel_engine_status status);

struct ampel_engine_options {
    struct ampel_memory memory;
    const struct ampel_rules *rules;     /* copied; must pass ampel_rules_check */
    int64_t start_ms;                    /* the engine's first time, held within 1970..2200 */
    uint32_t accounts_expected;          /* sizes the tables; 0 starts small */
    uint32_t accounts_per_tenant_max;    /* within this partition; 0: unlimited */
    uint32_t violations_per_account_max; /* 0: AMPEL_ACCOUNT_VIOLATIONS_MAX */
    /* For who asks for ratings at start_ms and nothing else: what ampel_engine_apply does to scores, risk and caps is not named, and
       nothing is watched that would be told ahead of time (clocks, days of leaving). Refusals are named as ever. Such an engine is
       neither advanced nor exported. */
    bool silent;
};

/* Returns: OK, NO_MEMORY. Lifetime: *out until ampel_engine_close. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_engine_open(const struct ampel_engine_options *options, struct ampel_engine **out);
void ampel_engine_close(struct ampel_engine *engine); /* NULL is fine */

int64_t ampel_engine_now(const struct ampel_engine *engine);
const struct ampel_rules *ampel_engine_rules(const struct ampel_engine *engine);

/* ---- in ------------------------------------------------------------------------------------- */

/* Moves time forward to to_ms in at most about steps_max units of work (an account touched is one),
   in exact order of the instants on the way: midnights, expiries, events that waited, backfill
   summaries. What happens at one instant is one change. *done is false when work is left: call
   again with the same to_ms before applying, exporting or setting rules. to_ms behind now is no error and does nothing. Slicing
   never alters the changes. Returns: OK, NO_MEMORY. Cost: O(instants + accounts turned). */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_engine_advance(struct ampel_engine *engine, int64_t to_ms, uint32_t steps_max, bool *done);

struct ampel_apply_counts {
    uint32_t applied; /* events that are in E now (with pending ones) */
    uint32_t refused; /* each one also a change of kind REFUSED */
    bool duplicate;   /* the frame's (tenant, producer, sequence) was here before: nothing done */
};

/* Applies one frame at the engine's time. Frames with an empty producer skip the duplicate check
   (files). Returns: OK, NO_MEMORY. */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_engine_apply(struct ampel_engine *engine,
                                                             const struct ampel_frame *frame,
                                                             struct ampel_apply_counts *counts);

/* Replaces the rules and recomputes every account from its state; changes carry cause RULES. */
AMPEL_MUST_CHECK enum ampel_engine_status ampel_engine_rules_set(struct ampel_engine *engine,
                                                                 const struct ampel_rules *rules);

/* ---- out: numbers --------------------------------------------------------------------------- */

/* The numbers of one account at the engine's time (rating-model 3.5 to 3.8). */
struct ampel_numbers {
    int64_t deducted; /* sum of p(v) over deducting violations in window */
    int32_t score;
    int32_t order_points;
    uint32_t orders; /* the sum of the window's days */
    uint16_t caps[AMPEL_CAP_GROUPS_MAX];
    uint16_t criticals; /* deducting criticals in window without points of their own */
    uint8_t colour;     /* enum ampel_colour */
    uint8_t risk;       /* enum ampel_risk */
};

#define AMPEL_SLOT_NONE UINT32_MAX

uint32_t ampel_engine_accounts_count(const struct ampel_engine *engine); /* slots are 0..count-1 */
/* AMPEL_SLOT_NONE if there is no such account. */
uint32_t ampel_engine_account_find(const struct ampel_engine *engine, uint64_t hash,
                                   struct ampel_text tenant, struct ampel_text seller,
                                   struct ampel_text marketplace);
/* Borrowed until the next apply. */
void ampel_engine_account_identity(const struct ampel_engine *engine, uint32_t slot,
                                   struct ampel_text *tenant, struct ampel_text *seller,
                                   struct ampel_text *marketplace);
/* The number of its tenant: from 0, in the order in which tenants came. */
uint32_t ampel_engine_account_tenant(const struct ampel_engine *engine, uint32_t slot);
/* Brings memory of an account near, for who walks accounts in an order of its own: ask for a step some accounts ahead of
   the next one. Changes nothing. */
enum ampel_fetch { AMPEL_FETCH_ACCOUNT, AMPEL_FETCH_VIOLATIONS, AMPEL_FETCH_TEXTS, AMPEL_FETCH_NAME };
void ampel_engine_account_fetch(const struct ampel_engine *engine, uint32_t slot,
                                enum ampel_fetch step);
/* The same of the accounts that a coming frame names, for who knows them some frames before it: ask for each step a frame
   before the next one, the last one a frame before the frame itself. The engine's own memory is the first step. hashes: u64
   each. Of the first accounts alone: apply itself looks ahead among those of a frame that has many. */
enum ampel_frame_fetch { AMPEL_FETCH_ENGINE, AMPEL_FETCH_BUCKETS, AMPEL_FETCH_NAMED, AMPEL_FETCH_DAYS, AMPEL_FETCH_STEPS };
void ampel_engine_frame_fetch(const struct ampel_engine *engine, const uint8_t *hashes, uint32_t count,
                              enum ampel_frame_fetch step);
/* Whether its summary of backfilled events is still to come: history does not tell its numbers yet. */
AMPEL_MUST_CHECK bool ampel_engine_account_backfilling(const struct ampel_engine *engine,
                                                       uint32_t slot);
void ampel_engine_numbers(const struct ampel_engine *engine, uint32_t slot,
                          struct ampel_numbers *out);

/* One known violation as people and tables want it. Texts are borrowed until the next apply. */
struct ampel_violation {
    int64_t at_ms;
    int64_t expires_at_ms;    /* at + W: counts while at <= t < expires */
    int64_t state_at_ms;      /* of the state that counts; INT64_MIN where no state event came */
    int64_t cleared_since_ms; /* INT64_MAX where never cleared */
    int64_t points; /* p(v), told for every violation, counted only where deducting in window */
    int64_t at_risk_sales_cents; /* -1 not given */
    uint32_t rank;
    uint16_t rev;
    int16_t points_given; /* -1 not given */
    uint8_t policy;
    int8_t severity;       /* as the rules resolve it, 0..4 */
    int8_t severity_given; /* as the event said, -1 not given */
    uint8_t state;
    bool in_window; /* at the engine's time */
    bool deducting; /* in window and the state deducts */
    bool critical;  /* acts by the critical mode, not by points */
    bool changed;   /* since the page was last cleaned */
    struct ampel_text id, incident, asin, sku;
};

/* Walks the violations of an account in order of (policy, at, id); start with *cursor 0, ends with
   false. States that wait for their violation are not among them. Not across apply or advance. */
AMPEL_MUST_CHECK bool ampel_engine_violation_next(const struct ampel_engine *engine, uint32_t slot,
                                                  uint32_t *cursor, struct ampel_violation *out);

/* The orders of one UTC day as they count (0 outside the last 180 days), and whether orders_day
 * rules it. */
uint32_t ampel_engine_orders_of(const struct ampel_engine *engine, uint32_t slot, int64_t day,
                                bool *authoritative);

/* Facts that no section of the model in this build computes with: kept, merged by the model's
   rules, and forgotten when older than two windows (profile and account_status: never). Events as
   they came. Walk as above. */
AMPEL_MUST_CHECK bool ampel_engine_fact_next(const struct ampel_engine *engine, uint32_t slot,
                                             uint32_t *cursor, struct ampel_event *out);

/* ---- out: beside the score (rating-model 3.14, 3.15) ------------------------------------------ */

/* Account Health Assurance: closed days of the last rule assurance.window_days, today not among
   them. A day is marked if the account was shown on it (from its first day on) or a day_mark tells
   of it. */
struct ampel_assurance {
    uint16_t days_marked, days_below;
    uint16_t days_to_lost; /* so many more days below lose it; 0 where it is not given */
    bool professional, emergency_phone;
    bool eligible;
    bool near;        /* eligible, and three more days below lose it */
    bool today_below; /* so far */
};
void ampel_engine_assurance(const struct ampel_engine *engine, uint32_t slot,
                            struct ampel_assurance *out);

/* One report with a score that was compared when time reached it (engine/drift.h). */
struct ampel_drift {
    int64_t at_ms;
    int64_t since_ms;     /* of the report before, INT64_MIN where none is comparable */
    int32_t drift;        /* observed - score(at) */
    int32_t drift_before; /* of the report before */
    int32_t observed, score;
    uint8_t status;   /* as the report says, AMPEL_CODE_NONE */
    bool unexplained; /* it changed since the report before, and no event explains it */
};
/* Ascending by at. Walk as above. */
AMPEL_MUST_CHECK bool ampel_engine_drift_next(const struct ampel_engine *engine, uint32_t slot,
                                              uint32_t *cursor, struct ampel_drift *out);

/* A policy of which the latest report with counts shows more violations than are known at its at:
   "missing n". Closes by itself as violations become known, or with the next report. */
struct ampel_missing {
    int64_t at_ms;
    uint32_t shown, known;
    uint8_t policy;
};
AMPEL_MUST_CHECK bool ampel_engine_missing_next(const struct ampel_engine *engine, uint32_t slot,
                                                uint32_t *cursor, struct ampel_missing *out);

/* Delivery metrics of reports. Codes as in the registries METRIC_STATE and METRIC_CONDITION. */
enum { AMPEL_METRIC_GOOD = 0, AMPEL_METRIC_BAD = 1, AMPEL_METRIC_NONE = 2 };
enum { AMPEL_METRIC_LESS_THAN = 0, AMPEL_METRIC_GREATER_THAN = 1, AMPEL_METRIC_EQUALS = 2 };
#define AMPEL_METRIC_NOT_GIVEN 255
/* A banner is worse the greater it is; what has no data raises none. */
enum { AMPEL_BANNER_NO_DATA = 0, AMPEL_BANNER_GOOD = 1, AMPEL_BANNER_BAD = 2 };
struct ampel_delivery_metric {
    int64_t at_ms;
    int64_t value_ppm, target_ppm; /* 0 where not given */
    struct ampel_text name;        /* borrowed until the next apply */
    uint8_t state, condition;      /* AMPEL_METRIC_NOT_GIVEN where not given */
    uint8_t banner;                /* the report's own state, else its value against its target */
    bool has_value, has_target;
};
/* The latest of each name, by name. Walk as above. */
AMPEL_MUST_CHECK bool ampel_engine_metrics_next(const struct ampel_engine *engine, uint32_t slot,
                                                uint32_t *cursor, struct ampel_delivery_metric *out);
/* The worst of them. */
uint8_t ampel_engine_banner(const struct ampel_engine *engine, uint32_t slot);
const char *ampel_banner_name(uint8_t banner); /* no_data, good, bad */

/* ---- out: clocks (engine/clocks.h) ------------------------------------------------------------ */

enum ampel_clock_kind { AMPEL_CLOCK_RED = 0, AMPEL_CLOCK_ASSURANCE = 1, AMPEL_CLOCK_CAP = 2 };
const char *ampel_clock_name(uint8_t kind); /* red, assurance, cap; "unknown" beyond */
struct ampel_clock_run {
    int64_t started_ms, deadline_ms; /* the deadline may be behind now */
    uint8_t kind;                    /* enum ampel_clock_kind */
    uint8_t cap_group;               /* CAP: index; else AMPEL_CAP_GROUP_NONE */
};
/* Those that run, by kind and cap group. Walk as above. */
AMPEL_MUST_CHECK bool ampel_engine_clock_next(const struct ampel_engine *engine, uint32_t slot,
                                              uint32_t *cursor, struct ampel_clock_run *out);

/* ---- out: takeover (rating-model 3.9) --------------------------------------------------------- */

/* One kind of signal in the window, unmuted and of a weight above 0. */
struct ampel_signal {
    int64_t first_ms, last_ms; /* at of the first and the last of it; of a day: the day's start */
    uint16_t weight;
    uint8_t kind, group; /* AMPEL_REGISTRY_KIND, AMPEL_REGISTRY_KIND_GROUP */
    bool derived;        /* the engine found it; nobody told of it */
    uint8_t reserved[3];
};
struct ampel_suspicion {
    int64_t began_ms; /* when it was told first: with the account its id; 0 where nothing is told */
    uint64_t kinds;
    uint32_t weight; /* the sum */
    uint32_t signals_count;
    bool suspected;
    struct ampel_signal signals[AMPEL_KINDS_MAX]; /* by (first, kind) */
};
/* What speaks for a takeover at the engine's time, whether or not it suffices. Kinds that come from
   orders alone are looked for beside others only. Cost: the account's facts of 90 days. */
void ampel_engine_suspicion(const struct ampel_engine *engine, uint32_t slot,
                            struct ampel_suspicion *out);

/* ---- out: what changed ---------------------------------------------------------------------- */

#define AMPEL_CHANGES(X)                                                                \
    X(SCORE, score, 0) /* score, colour or risk differ: a row of history */             \
    X(COLOUR, colour_changed, 1)                                                        \
    X(RISK, risk_changed, 2)                                                            \
    X(CAP_NEAR, cap_near, 3) /* the count came within cap_warn_before of the limit */   \
    X(CAP_REACHED, cap_reached, 4)                                                      \
    X(CRITICAL, critical_violation, 5) /* a critical one more is deducting */           \
    X(BACKFILL, backfill_summary, 6)                                                    \
    X(REFUSED, refused, 7)               /* one event, by what only a shard can know */ \
    X(FORGOTTEN, violation_forgotten, 8) /* its row in tables goes */                   \
    X(ASSURANCE_GAINED, assurance_gained, 9)                                            \
    X(ASSURANCE_LOST, assurance_lost, 10)                                               \
    X(ASSURANCE_NEAR, assurance_near, 11) /* three more days below lose it */           \
    X(DRIFT, drift_changed, 12)           /* against the report before, unexplained */  \
    X(MISSING, violations_missing, 13)    /* a report shows more than are known */  \
    X(WILL_TURN, will_turn, 14)           /* green ends by ageing orders in 14 days */ \
    X(DEADLINE_NEAR, deadline_near, 15)   /* a clock runs out in 24 or 4 hours */  \
    X(TAKEOVER_SUSPECTED, takeover_suspected, 16) /* it began, or a kind joined */      \
    X(TAKEOVER_CLEARED, takeover_cleared, 17)     /* its signals left, or are muted */  \
    X(INCIDENT_CHANGED, incident_changed, 20)     /* a phase of a takeover case */      \
    X(INCIDENT_CLOCK, incident_clock, 21) /* a clock of such a case runs out soon */

enum ampel_change_kind {
#define X(upper, lower, code) AMPEL_CHANGE_##upper = code,
    AMPEL_CHANGES(X)
#undef X
        AMPEL_CHANGES_COUNT = 22
};
/* "unknown" for a code that no kind has: they are given in blocks, so there are gaps. */
const char *ampel_change_name(uint8_t kind);
/* Whether such a change goes out to watchers; what does not (a refusal, a forgotten violation) concerns rows alone. */
bool ampel_change_is_told(uint8_t kind);
AMPEL_MUST_CHECK bool ampel_change_known(uint8_t kind);

enum ampel_cause_kind {
    AMPEL_CAUSE_EVENT = 0,    /* an event: type, policy, id, at, and the frame that brought it */
    AMPEL_CAUSE_EXPIRY = 1,   /* a violation left the window: policy, id */
    AMPEL_CAUSE_MIDNIGHT = 2, /* orders aged out */
    AMPEL_CAUSE_BACKFILL = 3, /* the summary of old events */
    AMPEL_CAUSE_RULES = 4,    /* other rules */
    AMPEL_CAUSE_CLOCK = 5,    /* a clock that started at at_ms; code is which */
    AMPEL_CAUSE_CASE_CLOCK = 6, /* a clock of the case id that started at at_ms; code is which */
    AMPEL_CAUSES_COUNT = 7
};

/* The last thing in the step that moved the account; several are named by the last one. */
struct ampel_cause {
    int64_t at_ms;         /* the event's at, or the instant */
    uint64_t sequence;     /* of the frame, 0 for time */
    uint8_t kind;          /* enum ampel_cause_kind */
    uint8_t event_type;    /* EVENT only, else 255 */
    uint8_t policy;        /* 255 where none */
    int8_t severity;       /* resolved; -1 where none */
    uint8_t code; /* EVENT: its code (the state, the status, the phase); CLOCK: enum ampel_clock_kind;
                     CASE_CLOCK: AMPEL_REGISTRY_CASE_CLOCK; 255 none */
    uint8_t id_size;       /* of the violation */
    uint8_t producer_size; /* of the frame */
    char id[AMPEL_ID_BYTES_MAX]; /* what stands behind the sizes is nothing */
    char producer[AMPEL_ID_BYTES_MAX];
};

struct ampel_change {
    int64_t at_ms;         /* the instant: the stamp, or the moment on the way to it */
    int64_t deadline_ms;   /* that starts with it (red_hours, cap_hours) or comes near; WILL_TURN: when it
                              turns; 0 if none */
    uint64_t position;     /* of the log record that was read, 0 for time before any */
    int64_t since_ms;      /* DRIFT, MISSING: at of the report before, 0 if none; TAKEOVER_*: when
                              the suspicion was told first; INCIDENT_CHANGED: compromised_from, 0 if not told */
    int32_t amount;        /* ASSURANCE_*: days below; DRIFT: the drift; MISSING: how many; WILL_TURN:
                              the score then; DEADLINE_NEAR, INCIDENT_CLOCK: hours left; TAKEOVER_*: the sum of weights */
    int32_t amount_before; /* DRIFT, MISSING: the same at the report before */
    uint32_t signals_first, signals_count; /* TAKEOVER_*: ampel_engine_change_signals */
    uint32_t slot;
    uint8_t kind;      /* enum ampel_change_kind */
    uint8_t cap_group; /* CAP_*, DEADLINE_NEAR of a cap: index; else 255 */
    uint8_t verdict;   /* REFUSED: enum ampel_verdict */
    bool is_new;       /* the account came into being in this step: before is all zero */
    struct ampel_numbers before, after;
    struct ampel_cause cause;
};
/* Where an account comes into being, one SCORE change with is_new says so, and COLOUR, RISK follow
   only where it does not start green and none. While an account is being backfilled (until its
   summary) frames marked backfill name no changes but REFUSED and FORGOTTEN for it; the summary's
   before is from before the first backfilled event, and one SCORE change goes with it. REFUSED for
   a tenant that has no slot for the account: slot is AMPEL_SLOT_NONE. */

/* The changes since the last clear, in order. Borrowed until the next apply, advance or clear. */
const struct ampel_change *ampel_engine_changes(const struct ampel_engine *engine, uint32_t *count);
/* The signals that a change of kind TAKEOVER_* names, signals_count of them, as long as the change
   itself; NULL where there are none. */
const struct ampel_signal *ampel_engine_change_signals(const struct ampel_engine *engine,
                                                       const struct ampel_change *change);
void ampel_engine_changes_clear(struct ampel_engine *engine);

/* Position of the log record that the following advance belongs to (frames carry their own). */
void ampel_engine_position_set(struct ampel_engine *engine, uint64_t position);

/* ---- out: snapshots ------------------------------------------------------------------------- */

/* Pages are runs of AMPEL_PAGE_ACCOUNTS slots; page k holds slots k*32 .. k*32+31. A page is dirty
   when any account in it differs from what was last exported. */
uint32_t ampel_engine_pages_count(const struct ampel_engine *engine);
/* The first dirty page >= from, or UINT32_MAX. Cost: a scan of a bitmap. */
uint32_t ampel_engine_page_dirty_next(const struct ampel_engine *engine, uint32_t from);
/* Bits: what of a slot's row changed since its page was last cleaned. */
enum {
    AMPEL_ROW_NUMBERS = 1,
    AMPEL_ROW_ORDERS = 2,
    AMPEL_ROW_VIOLATIONS = 4,
    AMPEL_ROW_FACTS = 16,  /* assurance, drift, metrics; 8 is the engine's own */
    AMPEL_ROW_CLOCKS = 32, /* which clocks run */
    AMPEL_ROW_ALL = AMPEL_ROW_NUMBERS | AMPEL_ROW_ORDERS | AMPEL_ROW_VIOLATIONS | AMPEL_ROW_FACTS |
                    AMPEL_ROW_CLOCKS
};
uint8_t ampel_engine_row_changed(const struct ampel_engine *engine, uint32_t slot);

/* Writes the page; the return is its size. Where that is greater than capacity nothing useful was
   written: take more and call again. Canonical: equal state, equal bytes. Little-endian. */
uint32_t ampel_engine_page_export(const struct ampel_engine *engine, uint32_t page, uint8_t *bytes,
                                  uint32_t capacity);
void ampel_engine_page_clean(struct ampel_engine *engine, uint32_t page);
/* The rest: time, rules version, pending events, producer windows, backfills, tenants. */
uint32_t ampel_engine_meta_export(const struct ampel_engine *engine, uint8_t *bytes,
                                  uint32_t capacity);

/* Copies in pieces: pages and rows of one time, taken while frames go on being applied. Between begin and end, `before`
   is called for each account right before anything about it changes, and with the next free slot before an account comes
   into being: whoever copies takes what is not copied yet of its page then (page export and page clean may be called from
   there, and whatever reads; nothing that moves). Pages are exported with the accounts that stood at the begin. Meta
   belongs to the begin: export it there. A copy must end before time passes midnight and before rules_set. */
typedef bool ampel_engine_before(void *context, uint32_t slot); /* false: no memory */
void ampel_engine_copy_begin(struct ampel_engine *engine, ampel_engine_before *before, void *context);
void ampel_engine_copy_end(struct ampel_engine *engine);
/* Whether advancing to to_ms passes a midnight. */
bool ampel_engine_midnight_ahead(const struct ampel_engine *engine, int64_t to_ms);

/* Into a fresh engine: meta first, pages in ascending order without a gap, then finish, which
   recomputes every number from the facts under the present rules (accounts whose shown numbers
   differ name changes with cause RULES). Trusts nothing. Returns: OK, NO_MEMORY, BAD_BYTES, NEWER. */
AMPEL_MUST_CHECK enum ampel_engine_status
ampel_engine_meta_import(struct ampel_engine *engine, const uint8_t *bytes, uint32_t size);
AMPEL_MUST_CHECK enum ampel_engine_status ampel_engine_page_import(struct ampel_engine *engine,
                                                                   uint32_t page,
                                                                   const uint8_t *bytes,
                                                                   uint32_t size);
AMPEL_MUST_CHECK enum ampel_engine_status ampel_engine_import_finish(struct ampel_engine *engine);

/* The canonical bytes of one account's facts and numbers, independent of slots and of how it came
   to be: what digests are made of. Same sizing rule as page export. */
uint32_t ampel_engine_account_export(const struct ampel_engine *engine, uint32_t slot,
                                     uint8_t *bytes, uint32_t capacity);

/* ---- producers (architecture 4.5) ----------------------------------------------------------- */

/* What this partition knows of a producer: sequences below base are all done; bit i of bits: base +
 * i is. */
struct ampel_producer_window {
    struct ampel_text tenant, producer; /* borrowed until the next apply */
    int64_t seen_ms;
    uint64_t base;
    uint64_t bits[AMPEL_CREDIT / 64];
};
AMPEL_MUST_CHECK bool ampel_engine_producer_next(const struct ampel_engine *engine,
                                                 uint32_t *cursor,
                                                 struct ampel_producer_window *out);

/* For metrics. */
struct ampel_engine_counts {
    uint64_t memory_bytes; /* taken from the allocator */
    uint32_t accounts, violations, pending, producers, facts;
};
void ampel_engine_counts(const struct ampel_engine *engine, struct ampel_engine_counts *out);

#ifdef __cplusplus
}
#endif

#endif

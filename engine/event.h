/* Events: what an agency tells us (rating-model 2), as words of the engine.

   An event has a fixed part, the same for all types, and `extras`: its texts and rare fields, one
   after another, each of them

       tag u8 | size u16 little-endian | size bytes      texts: the bytes; numbers: i64
   little-endian

   ordered by tag, each tag at most once. Both the wire and the log carry extras as they are, so
   that a new field costs one row in AMPEL_EVENT_FIELDS and no new column.

   The tables below are the one place that knows which types, fields, ranges and defaults exist.
   JSON Lines, the wire's rows, WIRE.md and the checks derive from it. */
#ifndef AMPEL_ENGINE_EVENT_H
#define AMPEL_ENGINE_EVENT_H

#include "engine/base.h"
#include "engine/bounds.h"
#include "engine/load.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The codes travel on the wire and stand in the log: append only. */
#define AMPEL_EVENT_TYPES(X)                  \
    X(ORDER, order, 0)                        \
    X(ORDERS_DAY, orders_day, 1)              \
    X(VIOLATION, violation, 2)                \
    X(VIOLATION_STATE, violation_state, 3)    \
    X(ACCOUNT_STATUS, account_status, 4)      \
    X(OBSERVED, observed, 5)                  \
    X(SIGNAL, signal, 6)                      \
    X(MAINTENANCE, maintenance, 7)            \
    X(INCIDENT, incident, 8)                  \
    X(PROFILE, profile, 9)                    \
    X(ORDERS_CANCELLED, orders_cancelled, 10) \
    X(LISTING, listing, 11)                   \
    X(METRIC, metric, 12)                     \
    X(HINT, hint, 13)                         \
    X(DAY_MARK, day_mark, 14)                 \
    X(CASE_CLOCK, case_clock, 15)

enum ampel_event_type {
#define X(upper, lower, code) AMPEL_EVENT_##upper = code,
    AMPEL_EVENT_TYPES(X)
#undef X
        AMPEL_EVENT_TYPES_COUNT = 16
};

/* What `code` means, by type: violation_state -> the state; account_status and observed -> the
   status; signal -> the kind; incident -> the phase; listing -> the change; metric -> the state;
   case_clock -> the clock. */
struct ampel_event {
    int64_t at_ms;  /* 0..AMPEL_TIME_MAX_MS */
    uint32_t count; /* order, orders_cancelled, listing: count; orders_day: total */
    uint16_t rev;   /* orders_day 1..255, violation 0..65535 */
    int16_t
        points;   /* violation: 0..1000 or -1 not given; day_mark: lowest; observed: score or -1 */
    uint8_t type; /* enum ampel_event_type */
    uint8_t policy;  /* violation: code of the policy registry; else 0 */
    int8_t severity; /* violation: enum ampel_severity, -1 not given; else -1 */
    uint8_t code;    /* see above; AMPEL_CODE_NONE where absent */
    uint32_t extras_size;
    const uint8_t *extras; /* borrowed */
};

#define AMPEL_CODE_NONE 255

/* Where a field lives: in a fixed member, or among the extras under its tag. */
enum ampel_field_home {
    AMPEL_HOME_COUNT,
    AMPEL_HOME_REV,
    AMPEL_HOME_POINTS,
    AMPEL_HOME_POLICY,
    AMPEL_HOME_SEVERITY,
    AMPEL_HOME_CODE,
    AMPEL_HOME_EXTRA,
};

enum ampel_field_form {
    AMPEL_FORM_INTEGER, /* a whole number in [least, greatest] */
    AMPEL_FORM_ID,      /* 1..64 bytes of printable ASCII without spaces */
    AMPEL_FORM_TEXT,    /* 1..200 bytes of UTF-8 without control characters */
    AMPEL_FORM_NAME,    /* one name of a registry (engine/registry.h) */
    AMPEL_FORM_NAMES,   /* a list of names of a registry, kept as a u64 set; "all" is every bit */
    AMPEL_FORM_TEXTS,   /* a list of ids, kept joined by commas in the order given */
    AMPEL_FORM_BOOLEAN, /* 0 or 1 */
    AMPEL_FORM_TIME,    /* milliseconds, or RFC 3339 in JSON */
    AMPEL_FORM_CENTS,   /* an amount of at most two decimals, kept in cents, >= 0 */
    AMPEL_FORM_COUNTS,  /* {policy: n}: pairs (policy u8, n u32 little-endian), by policy */
};

/* Tags of extras: append only. */
enum ampel_extra_tag {
    AMPEL_EXTRA_ID = 1,
    AMPEL_EXTRA_INCIDENT = 2,
    AMPEL_EXTRA_ASIN = 3,
    AMPEL_EXTRA_SKU = 4,
    AMPEL_EXTRA_AT_RISK_SALES = 5,
    AMPEL_EXTRA_COUNTS = 6,
    AMPEL_EXTRA_VALUE = 7,
    AMPEL_EXTRA_DETAIL = 8,
    AMPEL_EXTRA_UNTIL = 9,
    AMPEL_EXTRA_KINDS = 10,
    AMPEL_EXTRA_COMPROMISED_FROM = 11,
    AMPEL_EXTRA_PROFESSIONAL = 12,
    AMPEL_EXTRA_EMERGENCY_PHONE = 13,
    AMPEL_EXTRA_PRODUCT_TYPE = 14,
    AMPEL_EXTRA_PRICE_PERMILLE = 15,
    AMPEL_EXTRA_HANDLING_DAYS = 16,
    AMPEL_EXTRA_NAME = 17,
    AMPEL_EXTRA_VALUE_PPM = 18,
    AMPEL_EXTRA_TARGET_PPM = 19,
    AMPEL_EXTRA_CONDITION = 20,
    AMPEL_EXTRA_ACTIONS = 21,
    AMPEL_EXTRA_SETTLED = 22,
    AMPEL_EXTRA_TAGS_COUNT = 23,
};

struct ampel_field {
    const char *name; /* as JSON Lines and rows write it */
    uint8_t type;     /* enum ampel_event_type */
    uint8_t home;     /* enum ampel_field_home */
    uint8_t tag;      /* enum ampel_extra_tag where home is EXTRA, else 0 */
    uint8_t form;     /* enum ampel_field_form */
    uint8_t registry; /* enum ampel_registry where the form is NAME or NAMES */
    bool required;
    bool has_default;
    int64_t least, greatest; /* INTEGER and TIME */
    int64_t fallback;        /* where has_default */
};

/* All fields but the common ones, grouped by type in the order of the model's table. */
extern const struct ampel_field ampel_fields[];
extern const uint32_t ampel_fields_count;

/* The fields of one type: out gets the first, the return is how many. 0 for an unknown type. */
uint32_t ampel_fields_of(uint8_t type, const struct ampel_field **out);

/* Steps over one extra; *offset starts 0. False at the end or where the bytes do not hold what they
   say. */
AMPEL_MUST_CHECK bool ampel_extra_next(const struct ampel_event *event, uint32_t *offset,
                                       uint8_t *tag, struct ampel_text *text);
/* The text under tag, size 0 if absent. The extras must have passed ampel_extras_check. */
struct ampel_text ampel_extra_text(const struct ampel_event *event, enum ampel_extra_tag tag);
/* The id of an event that has nothing else among its extras, as most violations have; size 0 where there is more,
   or none. */
static inline struct ampel_text ampel_extra_lone_id(const struct ampel_event *event) {
    bool lone = event->extras_size > 3 && event->extras[0] == AMPEL_EXTRA_ID &&
                event->extras_size == 3u + ampel_load_u16(event->extras + 1);
    if (!lone) return (struct ampel_text){NULL, 0};
    return (struct ampel_text){(const char *)event->extras + 3, event->extras_size - 3};
}
/* The number under tag; false if absent. */
AMPEL_MUST_CHECK bool ampel_extra_number(const struct ampel_event *event, enum ampel_extra_tag tag,
                                         int64_t *out);

/* Writes extras in place, tags ascending; false when capacity does not suffice. */
struct ampel_extras_writer {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t size;
};
AMPEL_MUST_CHECK bool ampel_extras_put_text(struct ampel_extras_writer *writer,
                                            enum ampel_extra_tag tag, struct ampel_text text);
AMPEL_MUST_CHECK bool ampel_extras_put_number(struct ampel_extras_writer *writer,
                                              enum ampel_extra_tag tag, int64_t number);

/* One event's fate. VERDICT_OK is 0. Codes travel in acks: append only. */
#define AMPEL_VERDICTS(X)                                                                         \
    X(OK, ok, 0, "accepted")                                                                      \
    X(BAD_TYPE, bad_type, 1, "the type is unknown")                                               \
    X(BAD_ACCOUNT, bad_account, 2, "the account is not a valid seller/marketplace")               \
    X(MISSING, missing, 3, "a required field is missing")                                         \
    X(OUT_OF_RANGE, out_of_range, 4, "a value is out of range")                                   \
    X(BAD_TEXT, bad_text, 5, "a text is too long, empty or has characters that are not allowed")  \
    X(UNKNOWN_NAME, unknown_name, 6, "a policy, severity, state, kind or other name is unknown")  \
    X(BAD_VALUE, bad_value, 7, "a value has the wrong type or cannot be read")                    \
    X(UNKNOWN_FIELD, unknown_field, 8, "the event has a field its type does not know")            \
    X(FUTURE, future, 9, "at lies more than five minutes after sent_at")                          \
    X(ANCIENT, ancient, 10, "at lies more than 360 days before sent_at")                          \
    X(TOO_MANY_ACCOUNTS, too_many_accounts, 11, "the tenant has as many accounts as it may have") \
    X(TOO_MANY_VIOLATIONS, too_many_violations, 12,                                               \
      "the account has as many violations as it may have")                                        \
    X(TOO_MANY_FACTS, too_many_facts, 13, "the account has as many other facts as it may have")   \
    X(TOO_MANY_PENDING, too_many_pending, 14, "too many events wait for their time")

enum ampel_verdict {
#define X(upper, lower, code, sentence) AMPEL_VERDICT_##upper = code,
    AMPEL_VERDICTS(X)
#undef X
        AMPEL_VERDICTS_COUNT = 15
};
const char *ampel_verdict_name(uint8_t verdict);     /* "ok", ... ; "unknown" beyond the table */
const char *ampel_verdict_sentence(uint8_t verdict); /* for people */

/* Judges one event by its bytes, sent_at and the registries alone (rating-model 2): type, ranges,
   registry codes, extras well-formed and allowed for the type, required fields, future, ancient.
   field gets the name of the offending field ("" if none; static storage). Thread: any. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_event_check(const struct ampel_event *event,
                                                      int64_t sent_at_ms, const char **field);

/* Whether a VIOLATION has texts that are ids and no other extras, all in order, as usual ones have: ampel_event_check accepts it
   by then, except for what it says of sent_at. */
AMPEL_MUST_CHECK bool ampel_violation_plain(const struct ampel_event *event);

/* 1..64 bytes of printable ASCII without spaces; without '/' too where account is set. */
AMPEL_MUST_CHECK bool ampel_id_valid(struct ampel_text text, bool account);
/* Whether those are all the bytes of an account's ids that stand one behind the other, however many. */
AMPEL_MUST_CHECK bool ampel_ids_shown(struct ampel_text texts);

#ifdef __cplusplus
}
#endif

#endif

/* An event in the making: named fields with values of their own format (JSON, msgpack rows) become
   the fixed members and extras of one event, by the one table of engine/event.h. So a line and a
   row mean the same. */
#ifndef AMPEL_PROTO_DRAFT_H
#define AMPEL_PROTO_DRAFT_H

#include "engine/event.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_value_kind {
    AMPEL_VALUE_OTHER, /* null, nested containers, numbers beyond int64 */
    AMPEL_VALUE_BOOLEAN,
    AMPEL_VALUE_INTEGER,
    AMPEL_VALUE_REAL,
    AMPEL_VALUE_TEXT,
    AMPEL_VALUE_LIST,
    AMPEL_VALUE_MAP,
};

/* One entry of a list, or of a map with texts as keys. */
struct ampel_value_item {
    struct ampel_text key; /* maps only */
    struct ampel_text text;
    int64_t integer;
    enum ampel_value_kind kind; /* INTEGER, TEXT, else OTHER */
};

/* More than any list or map of a field can use. */
#define AMPEL_VALUE_ITEMS_MAX 128

struct ampel_value {
    enum ampel_value_kind kind;
    bool boolean;
    int64_t integer;
    double real; /* amounts of money alone are ever written so, and become cents at once */
    struct ampel_text text;
    uint32_t items_count; /* <= AMPEL_VALUE_ITEMS_MAX; more are kind OTHER */
    const struct ampel_value_item *items;
};

struct ampel_draft {
    struct ampel_event event;
    struct ampel_extras_writer extras;
    const struct ampel_field *fields; /* of the type */
    uint32_t fields_count;
    uint32_t given; /* a bit for each of them */
};

/* The event of a type as if no field were given: what columns that are absent mean
 * (engine/frame.h). */
void ampel_event_reset(struct ampel_event *event, uint8_t type, int64_t at_ms);
/* Sets what the type has no field for to the same defaults, so that equal events have equal bytes.
 */
void ampel_event_normalise(struct ampel_event *event);
/* The first member that differs from its default although the type has no field for it: the name of
   its column; NULL if there is none. */
const char *ampel_event_stray(const struct ampel_event *event);

/* Starts anew. type < AMPEL_EVENT_TYPES_COUNT; extras go to bytes, which the event borrows. */
void ampel_draft_reset(struct ampel_draft *draft, uint8_t type, int64_t at_ms, uint8_t *bytes,
                       uint32_t capacity);
/* Puts one field. On a verdict other than OK, *why is a sentence for people in static storage. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_draft_put(struct ampel_draft *draft,
                                                    struct ampel_text name,
                                                    const struct ampel_value *value,
                                                    const char **why);
/* The last look: required fields, then ampel_event_check. sent_at_ms INT64_MIN judges neither
 * future nor ancient. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_draft_check(struct ampel_draft *draft, int64_t sent_at_ms,
                                                      const char **field);

/* ampel_event_check, with INT64_MIN for "judge neither future nor ancient", and refusing stray
 * members. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_draft_judge(const struct ampel_event *event,
                                                      int64_t sent_at_ms, const char **field);

/* `at` or another time: integer milliseconds or RFC 3339 text in range. */
AMPEL_MUST_CHECK enum ampel_verdict ampel_value_time(const struct ampel_value *value,
                                                     int64_t *out_ms);

/* ---- the way back: the value of a field, as formats write it -------------------------------- */

struct ampel_value_reader {
    struct ampel_value value;
    struct ampel_value_item items[AMPEL_VALUE_ITEMS_MAX];
    char bytes[24];
};
/* False where the field is absent or holds its default. NAME and NAMES become texts ("all" for
   every name), TIME an integer, CENTS a text with two decimals, COUNTS a map. Texts are borrowed
   from event and reader. The event has passed ampel_event_check. */
AMPEL_MUST_CHECK bool ampel_event_field(const struct ampel_event *event,
                                        const struct ampel_field *field,
                                        struct ampel_value_reader *reader);

#ifdef __cplusplus
}
#endif

#endif

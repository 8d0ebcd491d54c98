#include "proto/message_change.h"

#include <string.h>

#include "engine/registry.h"
#include "proto/print.h"
#include "proto/text.h"

/* The words for enum ampel_cause_kind. */
static const char *const cause_names[] = {"event", "expiry", "midnight",  "backfill",
                                          "rules", "clock",  "case_clock"};
static_assert(AMPEL_CAUSES_COUNT == AMPEL_ARRAY_COUNT(cause_names), "a word for each cause");

const char *ampel_cause_name(uint8_t kind) {
    return kind < AMPEL_CAUSES_COUNT ? cause_names[kind] : "unknown";
}

const char *ampel_stream_name(enum ampel_stream stream) {
    return stream == AMPEL_STREAM_SCORES ? "scores" : "alerts";
}

enum ampel_stream ampel_change_stream(uint8_t kind) {
    return kind == AMPEL_CHANGE_SCORE ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS;
}

bool ampel_stream_code(struct ampel_text name, enum ampel_stream *out) {
    if (ampel_text_is(name, "alerts"))
        *out = AMPEL_STREAM_ALERTS;
    else if (ampel_text_is(name, "scores"))
        *out = AMPEL_STREAM_SCORES;
    else
        return false;
    return true;
}

/* ---- a sink of members ---------------------------------------------------------------------- */

#define MAPS_MAX  (8 + AMPEL_KINDS_MAX) /* the change, before, after, caps, the cause, signals */
#define DEPTH_MAX 3

/* msgpack wants to know the members of a map before they come, so members go through twice for it:
   counted, then packed. JSON is printed at once. */
struct sink {
    struct ampel_print *print;
    struct ampel_pack_writer *pack;
    bool counting;
    uint32_t maps_count, depth;
    uint32_t members[MAPS_MAX]; /* of each map, in the order of their opening */
    uint32_t open[DEPTH_MAX];   /* which maps the next member is in */
};

static void put_key(struct sink *sink, const char *key) {
    if (sink->counting)
        sink->members[sink->open[sink->depth - 1]]++;
    else if (sink->pack != NULL)
        ampel_pack_put_word(sink->pack, key);
    else
        ampel_print_key(sink->print, key);
}

static void open_map(struct sink *sink) {
    AMPEL_ASSERT(sink->maps_count < MAPS_MAX && sink->depth < DEPTH_MAX);
    uint32_t map = sink->maps_count++;
    sink->open[sink->depth++] = map;
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_map(sink->pack, sink->members[map]);
    else
        ampel_print_word(sink->print, "{");
}

static void close_map(struct sink *sink) {
    AMPEL_ASSERT(sink->depth > 0);
    sink->depth--;
    if (sink->print != NULL) ampel_print_word(sink->print, "}");
}

static void put_text(struct sink *sink, const char *key, struct ampel_text text) {
    put_key(sink, key);
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_text(sink->pack, text);
    else
        ampel_print_json(sink->print, text);
}

static void put_word(struct sink *sink, const char *key, const char *word) {
    put_text(sink, key, ampel_text_of(word == NULL ? "unknown" : word));
}

static void put_integer(struct sink *sink, const char *key, int64_t number) {
    put_key(sink, key);
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_integer(sink->pack, number);
    else
        ampel_print_integer(sink->print, number);
}

static void put_unsigned(struct sink *sink, const char *key, uint64_t number) {
    put_key(sink, key);
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_unsigned(sink->pack, number);
    else
        ampel_print_unsigned(sink->print, number);
}

static void put_time(struct sink *sink, const char *key, int64_t at_ms) {
    put_key(sink, key);
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_integer(sink->pack, at_ms);
    else
        ampel_print_time(sink->print, at_ms);
}

static void put_true(struct sink *sink, const char *key) {
    put_key(sink, key);
    if (sink->counting) return;
    if (sink->pack != NULL)
        ampel_pack_put_boolean(sink->pack, true);
    else
        ampel_print_word(sink->print, "true");
}

/* ---- the members ---------------------------------------------------------------------------- */

static void put_numbers(struct sink *sink, const char *key, const struct ampel_numbers *numbers,
                        const struct ampel_message_change *change) {
    char name[AMPEL_ID_BYTES_MAX + 1];
    put_key(sink, key);
    open_map(sink);
    put_integer(sink, "score", numbers->score);
    put_word(sink, "status", ampel_registry_name(AMPEL_REGISTRY_COLOUR, numbers->colour));
    put_word(sink, "risk", ampel_registry_name(AMPEL_REGISTRY_RISK, numbers->risk));
    put_integer(sink, "orders", numbers->orders);
    put_integer(sink, "order_points", numbers->order_points);
    put_integer(sink, "deducted", numbers->deducted);
    put_key(sink, "caps");
    open_map(sink);
    for (uint32_t i = 0; i < change->caps_count; i++) {
        struct ampel_text text = change->caps_names[i];
        AMPEL_ASSERT(text.size < sizeof name);
        memcpy(name, text.bytes, text.size);
        name[text.size] = 0;
        put_integer(sink, name, numbers->caps[i]);
    }
    close_map(sink);
    close_map(sink);
}

/* The state, status or phase that the event set, or which clock; the codes of other events do not
   move a score. */
static void put_code(struct sink *sink, const struct ampel_cause *cause) {
    if (cause->code == AMPEL_CODE_NONE) return;
    if (cause->kind == AMPEL_CAUSE_CLOCK) {
        put_word(sink, "clock", ampel_clock_name(cause->code));
        return;
    }
    if (cause->kind == AMPEL_CAUSE_CASE_CLOCK) {
        put_word(sink, "clock", ampel_registry_name(AMPEL_REGISTRY_CASE_CLOCK, cause->code));
        return;
    }
    if (cause->event_type == AMPEL_EVENT_INCIDENT)
        put_word(sink, "phase", ampel_registry_name(AMPEL_REGISTRY_INCIDENT_PHASE, cause->code));
    if (cause->event_type == AMPEL_EVENT_CASE_CLOCK)
        put_word(sink, "clock", ampel_registry_name(AMPEL_REGISTRY_CASE_CLOCK, cause->code));
    if (cause->event_type == AMPEL_EVENT_VIOLATION_STATE)
        put_word(sink, "state", ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, cause->code));
    if (cause->event_type == AMPEL_EVENT_ACCOUNT_STATUS ||
        cause->event_type == AMPEL_EVENT_OBSERVED)
        put_word(sink, "status", ampel_registry_name(AMPEL_REGISTRY_ACCOUNT_STATUS, cause->code));
}

static void put_cause(struct sink *sink, const struct ampel_cause *cause) {
    put_key(sink, "cause");
    open_map(sink);
    put_word(sink, "kind", ampel_cause_name(cause->kind));
    if (cause->event_type < AMPEL_EVENT_TYPES_COUNT)
        put_word(sink, "type", ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, cause->event_type));
    if (cause->policy < ampel_registry_count(AMPEL_REGISTRY_POLICY))
        put_word(sink, "policy", ampel_registry_name(AMPEL_REGISTRY_POLICY, cause->policy));
    if (cause->severity >= 0)
        put_word(sink, "severity",
                 ampel_registry_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)cause->severity));
    if (cause->id_size > 0) put_text(sink, "id", (struct ampel_text){cause->id, cause->id_size});
    put_code(sink, cause);
    put_time(sink, "at", cause->at_ms);
    if (cause->producer_size > 0) {
        put_text(sink, "producer", (struct ampel_text){cause->producer, cause->producer_size});
        put_unsigned(sink, "seq", cause->sequence);
    }
    close_map(sink);
}

static bool of_takeover(uint8_t kind) {
    return kind == AMPEL_CHANGE_TAKEOVER_SUSPECTED || kind == AMPEL_CHANGE_TAKEOVER_CLEARED;
}

static void put_signal(struct sink *sink, const struct ampel_signal *signal) {
    open_map(sink);
    put_word(sink, "kind", ampel_registry_name(AMPEL_REGISTRY_KIND, signal->kind));
    put_word(sink, "group", ampel_registry_name(AMPEL_REGISTRY_KIND_GROUP, signal->group));
    put_integer(sink, "weight", signal->weight);
    put_time(sink, "at", signal->first_ms);
    if (signal->last_ms != signal->first_ms) put_time(sink, "last", signal->last_ms);
    if (signal->derived) put_true(sink, "derived");
    close_map(sink);
}

static void put_signals(struct sink *sink, const struct ampel_message_change *message) {
    uint32_t count = message->change.signals_count;
    if (!of_takeover(message->change.kind)) return;
    put_key(sink, "signals");
    if (sink->pack != NULL && !sink->counting) ampel_pack_put_list(sink->pack, count);
    if (sink->print != NULL) ampel_print_word(sink->print, "[");
    for (uint32_t i = 0; i < count; i++) {
        if (sink->print != NULL && i > 0) ampel_print_word(sink->print, ",");
        put_signal(sink, &message->signals[i]);
    }
    if (sink->print != NULL) ampel_print_word(sink->print, "]");
}

void ampel_message_signals_set(struct ampel_message_change *message,
                               const struct ampel_signal *signals) {
    uint32_t count = message->change.signals_count;
    AMPEL_ASSERT(count <= AMPEL_KINDS_MAX);
    if (count > 0) memcpy(message->signals, signals, count * sizeof(signals[0]));
}

/* What a change beside the score is about: how many, or how much. */
static bool has_amount(uint8_t kind) {
    return of_takeover(kind) || kind == AMPEL_CHANGE_ASSURANCE_GAINED || kind == AMPEL_CHANGE_ASSURANCE_LOST ||
           kind == AMPEL_CHANGE_ASSURANCE_NEAR || kind == AMPEL_CHANGE_DRIFT ||
           kind == AMPEL_CHANGE_MISSING || kind == AMPEL_CHANGE_WILL_TURN ||
           kind == AMPEL_CHANGE_DEADLINE_NEAR || kind == AMPEL_CHANGE_INCIDENT_CLOCK;
}

/* Whether it compares with a report before. */
static bool has_before(uint8_t kind) {
    return kind == AMPEL_CHANGE_DRIFT || kind == AMPEL_CHANGE_MISSING;
}

/* Whether it tells since when. */
static bool has_since(uint8_t kind) {
    return has_before(kind) || of_takeover(kind) || kind == AMPEL_CHANGE_INCIDENT_CHANGED;
}

static void put_amounts(struct sink *sink, const struct ampel_change *change) {
    if (has_amount(change->kind)) put_integer(sink, "amount", change->amount);
    if (has_before(change->kind)) put_integer(sink, "amount_before", change->amount_before);
    if (!has_since(change->kind)) return;
    if (change->since_ms != 0) put_time(sink, "since", change->since_ms);
}

static void put_change(struct sink *sink, const struct ampel_message_change *message) {
    const struct ampel_change *change = &message->change;
    open_map(sink);
    if (sink->print == NULL) {
        put_integer(sink, "v", AMPEL_WIRE_VERSION);
        put_word(sink, "m", "change");
    }
    put_word(sink, "stream", ampel_stream_name(message->stream));
    put_unsigned(sink, "epoch", message->epoch);
    put_unsigned(sink, "number", message->number);
    put_text(sink, "id", (struct ampel_text){message->id, AMPEL_CHANGE_ID_SIZE - 1});
    put_word(sink, "kind", ampel_change_name(change->kind));
    put_text(sink, "tenant", message->tenant);
    put_text(sink, "seller", message->seller);
    put_text(sink, "marketplace", message->marketplace);
    put_time(sink, "at", change->at_ms);
    if (!change->is_new) put_numbers(sink, "before", &change->before, message);
    put_numbers(sink, "after", &change->after, message);
    put_cause(sink, &change->cause);
    if (message->cap_group.size > 0) put_text(sink, "cap_group", message->cap_group);
    if (change->kind == AMPEL_CHANGE_REFUSED)
        put_word(sink, "verdict", ampel_verdict_name(change->verdict));
    put_amounts(sink, change);
    put_signals(sink, message);
    if (change->deadline_ms != 0) put_time(sink, "deadline", change->deadline_ms);
    if (change->is_new) put_true(sink, "new");
    put_text(sink, "rules_version", message->rules_version);
    close_map(sink);
}

void ampel_change_pack(const struct ampel_message_change *change,
                       struct ampel_pack_writer *writer) {
    struct sink sink = {.pack = writer, .counting = true};
    put_change(&sink, change);
    sink.counting = false;
    sink.maps_count = 0;
    put_change(&sink, change);
}

uint32_t ampel_change_json(const struct ampel_message_change *change, char *bytes,
                           uint32_t capacity) {
    struct ampel_print print = {.bytes = bytes, .capacity = capacity};
    struct sink sink = {.print = &print};
    put_change(&sink, change);
    return ampel_print_size(&print);
}

uint32_t ampel_change_row_json(const struct ampel_message_change *change, char *bytes, uint32_t capacity) {
    struct ampel_print print = {.bytes = bytes, .capacity = capacity};
    struct sink sink = {.print = &print};
    open_map(&sink);
    put_cause(&sink, &change->change.cause);
    if (of_takeover(change->change.kind)) {
        put_amounts(&sink, &change->change);
        put_signals(&sink, change);
    }
    close_map(&sink);
    return ampel_print_size(&print);
}

/* ---- keys in -------------------------------------------------------------------------------- */

static bool take_text(const struct ampel_pack *map, const char *key, struct ampel_text *out) {
    struct ampel_pack value;
    if (!ampel_pack_find(map, key, &value) || value.kind != AMPEL_PACK_TEXT) return false;
    *out = value.text;
    return true;
}

bool ampel_take_id(const struct ampel_pack *map, const char *key, bool account,
                   struct ampel_text *out, struct ampel_error *error) {
    struct ampel_text text;
    if (!take_text(map, key, &text) || !ampel_id_valid(text, account))
        return ampel_error_set(error, key, "the value is missing or no id of 1 to 64 bytes");
    *out = text;
    return true;
}

bool ampel_take_integer(const struct ampel_pack *map, const char *key, int64_t least,
                        int64_t greatest, int64_t *out, struct ampel_error *error) {
    struct ampel_pack value;
    if (!ampel_pack_find(map, key, &value) || value.kind != AMPEL_PACK_INTEGER ||
        value.integer < least || value.integer > greatest)
        return ampel_error_set(error, key, "the value is missing, no integer or out of range");
    *out = value.integer;
    return true;
}

bool ampel_take_unsigned(const struct ampel_pack *map, const char *key, uint64_t *out,
                         struct ampel_error *error) {
    int64_t number = 0;
    if (!ampel_take_integer(map, key, 0, INT64_MAX, &number, error)) return false;
    *out = (uint64_t)number;
    return true;
}

bool ampel_take_stream(const struct ampel_pack *map, enum ampel_stream *out,
                       struct ampel_error *error) {
    struct ampel_text name;
    if (take_text(map, "stream", &name) && ampel_stream_code(name, out)) return true;
    return ampel_error_set(error, "stream", "the stream is neither alerts nor scores");
}

/* A name of a registry; absent where the key is, and none is written. */
static bool take_name(const struct ampel_pack *map, const char *key, enum ampel_registry registry,
                      bool required, uint8_t absent, uint8_t *out, struct ampel_error *error) {
    struct ampel_pack value;
    *out = absent;
    if (!ampel_pack_find(map, key, &value)) {
        if (!required) return true;
        return ampel_error_set(error, key, "the value is missing");
    }
    if (value.kind == AMPEL_PACK_TEXT && ampel_registry_code(registry, value.text, out))
        return true;
    return ampel_error_set(error, key, "the name is unknown");
}

/* ---- a change in ---------------------------------------------------------------------------- */

/* As rules files take them: spaces inside, nothing that is no character of a JSON text. */
static bool label_valid(struct ampel_text text) {
    if (text.size < 1 || text.size > AMPEL_ID_BYTES_MAX) return false;
    for (uint32_t i = 0; i < text.size; i++)
        if (text.bytes[i] < ' ' || text.bytes[i] > '~') return false;
    return true;
}

static bool read_caps(const struct ampel_pack *map, struct ampel_numbers *numbers,
                      struct ampel_message_change *out, struct ampel_error *error) {
    struct ampel_pack caps;
    if (!ampel_pack_find(map, "caps", &caps) || caps.kind != AMPEL_PACK_MAP ||
        caps.count > AMPEL_CAP_GROUPS_MAX)
        return ampel_error_set(error, "caps", "the value is missing or no map of cap groups");
    /* Both numbers of a change are told under the same names. */
    bool named = numbers == &out->change.after && !out->change.is_new;
    if (named && caps.count != out->caps_count)
        return ampel_error_set(error, "caps", "before and after have other cap groups");
    out->caps_count = caps.count;
    for (uint32_t i = 0; i < caps.count; i++) {
        struct ampel_pack key, value;
        ampel_pack_entry(&caps, i, &key, &value);
        if (key.kind != AMPEL_PACK_TEXT || !label_valid(key.text) ||
            value.kind != AMPEL_PACK_INTEGER || value.integer < 0 || value.integer > UINT16_MAX)
            return ampel_error_set(error, "caps", "an entry is no count by name");
        if (named && !ampel_text_equal(key.text, out->caps_names[i]))
            return ampel_error_set(error, "caps", "before and after have other cap groups");
        for (uint32_t j = 0; j < i; j++)
            if (ampel_text_equal(key.text, out->caps_names[j]))
                return ampel_error_set(error, "caps", "a cap group stands twice");
        out->caps_names[i] = key.text;
        numbers->caps[i] = (uint16_t)value.integer;
    }
    return true;
}

static bool read_numbers(const struct ampel_pack *map, const char *key,
                         struct ampel_numbers *numbers, struct ampel_message_change *out,
                         struct ampel_error *error) {
    struct ampel_pack value;
    int64_t score = 0, orders = 0, order_points = 0;
    if (!ampel_pack_find(map, key, &value) || value.kind != AMPEL_PACK_MAP)
        return ampel_error_set(error, key, "the value is missing or no map");
    if (!ampel_take_integer(&value, "score", INT32_MIN, INT32_MAX, &score, error) ||
        !ampel_take_integer(&value, "orders", 0, UINT32_MAX, &orders, error) ||
        !ampel_take_integer(&value, "order_points", INT32_MIN, INT32_MAX, &order_points, error) ||
        !ampel_take_integer(&value, "deducted", INT64_MIN, INT64_MAX, &numbers->deducted, error) ||
        !take_name(&value, "status", AMPEL_REGISTRY_COLOUR, true, 0, &numbers->colour, error) ||
        !take_name(&value, "risk", AMPEL_REGISTRY_RISK, true, 0, &numbers->risk, error))
        return false;
    numbers->score = (int32_t)score;
    numbers->orders = (uint32_t)orders;
    numbers->order_points = (int32_t)order_points;
    return read_caps(&value, numbers, out, error);
}

/* Copies an id that may be absent. */
static bool read_id(const struct ampel_pack *map, const char *key, char bytes[AMPEL_ID_BYTES_MAX],
                    uint8_t *size, struct ampel_error *error) {
    struct ampel_pack value;
    *size = 0;
    if (!ampel_pack_find(map, key, &value)) return true;
    if (value.kind != AMPEL_PACK_TEXT || !ampel_id_valid(value.text, false))
        return ampel_error_set(error, key, "the value is no id of 1 to 64 bytes");
    memcpy(bytes, value.text.bytes, value.text.size);
    *size = (uint8_t)value.text.size;
    return true;
}

static bool read_clock(const struct ampel_pack *map, struct ampel_cause *cause,
                       struct ampel_error *error) {
    struct ampel_text name;
    if (take_text(map, "clock", &name)) {
        for (uint8_t kind = AMPEL_CLOCK_RED; kind <= AMPEL_CLOCK_CAP; kind++) {
            if (!ampel_text_is(name, ampel_clock_name(kind))) continue;
            cause->code = kind;
            return true;
        }
    }
    return ampel_error_set(error, "clock", "the clock is missing or unknown");
}

static bool read_code(const struct ampel_pack *map, struct ampel_cause *cause,
                      struct ampel_error *error) {
    cause->code = AMPEL_CODE_NONE;
    if (cause->kind == AMPEL_CAUSE_CLOCK) return read_clock(map, cause, error);
    if (cause->kind == AMPEL_CAUSE_CASE_CLOCK)
        return take_name(map, "clock", AMPEL_REGISTRY_CASE_CLOCK, true, AMPEL_CODE_NONE, &cause->code, error);
    if (cause->event_type == AMPEL_EVENT_INCIDENT)
        return take_name(map, "phase", AMPEL_REGISTRY_INCIDENT_PHASE, false, AMPEL_CODE_NONE,
                         &cause->code, error);
    if (cause->event_type == AMPEL_EVENT_CASE_CLOCK)
        return take_name(map, "clock", AMPEL_REGISTRY_CASE_CLOCK, false, AMPEL_CODE_NONE, &cause->code,
                         error);
    if (cause->event_type == AMPEL_EVENT_VIOLATION_STATE)
        return take_name(map, "state", AMPEL_REGISTRY_VIOLATION_STATE, false, AMPEL_CODE_NONE,
                         &cause->code, error);
    if (cause->event_type == AMPEL_EVENT_ACCOUNT_STATUS ||
        cause->event_type == AMPEL_EVENT_OBSERVED)
        return take_name(map, "status", AMPEL_REGISTRY_ACCOUNT_STATUS, false, AMPEL_CODE_NONE,
                         &cause->code, error);
    return true;
}

static bool read_cause_kind(const struct ampel_pack *map, struct ampel_cause *cause,
                            struct ampel_error *error) {
    struct ampel_text name;
    if (take_text(map, "kind", &name)) {
        for (uint8_t i = 0; i < AMPEL_ARRAY_COUNT(cause_names); i++) {
            if (!ampel_text_is(name, cause_names[i])) continue;
            cause->kind = i;
            return true;
        }
    }
    return ampel_error_set(error, "cause", "the kind of cause is unknown");
}

static bool read_cause(const struct ampel_pack *map, struct ampel_cause *cause,
                       struct ampel_error *error) {
    struct ampel_pack value;
    uint8_t severity;
    if (!ampel_pack_find(map, "cause", &value) || value.kind != AMPEL_PACK_MAP)
        return ampel_error_set(error, "cause", "the value is missing or no map");
    if (!read_cause_kind(&value, cause, error) ||
        !take_name(&value, "type", AMPEL_REGISTRY_EVENT_TYPE, false, 255, &cause->event_type,
                   error) ||
        !take_name(&value, "policy", AMPEL_REGISTRY_POLICY, false, 255, &cause->policy, error) ||
        !take_name(&value, "severity", AMPEL_REGISTRY_SEVERITY, false, UINT8_MAX, &severity,
                   error) ||
        !read_id(&value, "id", cause->id, &cause->id_size, error) ||
        !read_code(&value, cause, error) ||
        !ampel_take_integer(&value, "at", INT64_MIN, INT64_MAX, &cause->at_ms, error) ||
        !read_id(&value, "producer", cause->producer, &cause->producer_size, error))
        return false;
    cause->severity = severity == UINT8_MAX ? AMPEL_SEVERITY_NOT_GIVEN : (int8_t)severity;
    cause->sequence = 0;
    return cause->producer_size == 0 || ampel_take_unsigned(&value, "seq", &cause->sequence, error);
}

static bool read_kind(const struct ampel_pack *map, struct ampel_change *change,
                      struct ampel_error *error) {
    struct ampel_text name;
    if (take_text(map, "kind", &name)) {
        for (uint8_t kind = 0; kind < AMPEL_CHANGES_COUNT; kind++) {
            if (!ampel_change_known(kind) || !ampel_text_is(name, ampel_change_name(kind))) continue;
            change->kind = kind;
            return true;
        }
    }
    return ampel_error_set(error, "kind", "the kind of change is unknown");
}

static bool read_verdict(const struct ampel_pack *map, struct ampel_change *change,
                         struct ampel_error *error) {
    struct ampel_text name;
    change->verdict = AMPEL_VERDICT_OK;
    if (change->kind != AMPEL_CHANGE_REFUSED) return true;
    if (take_text(map, "verdict", &name)) {
        for (uint8_t verdict = 0; verdict < AMPEL_VERDICTS_COUNT; verdict++) {
            if (!ampel_text_is(name, ampel_verdict_name(verdict))) continue;
            change->verdict = verdict;
            return true;
        }
    }
    return ampel_error_set(error, "verdict", "the verdict is unknown");
}

static bool read_hex_id(const struct ampel_pack *map, char out[AMPEL_CHANGE_ID_SIZE],
                        struct ampel_error *error) {
    struct ampel_text text;
    bool good = take_text(map, "id", &text) && text.size == AMPEL_CHANGE_ID_SIZE - 1;
    for (uint32_t i = 0; good && i < text.size; i++) {
        char c = text.bytes[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    if (!good) return ampel_error_set(error, "id", "the id is not 32 hexadecimal digits");
    memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
    return true;
}

/* Names that rules give themselves: any text, but nothing that would disturb a terminal. */
static bool take_label(const struct ampel_pack *map, const char *key, struct ampel_text *out,
                       struct ampel_error *error) {
    bool good = take_text(map, key, out) && label_valid(*out);
    return good || ampel_error_set(error, key, "the value is missing or no text of 1 to 64 bytes");
}

static bool read_amounts(const struct ampel_pack *map, struct ampel_change *change,
                         struct ampel_error *error) {
    int64_t amount = 0, before = 0;
    struct ampel_pack value;
    if (has_amount(change->kind) &&
        !ampel_take_integer(map, "amount", INT32_MIN, INT32_MAX, &amount, error))
        return false;
    if (has_before(change->kind) &&
        !ampel_take_integer(map, "amount_before", INT32_MIN, INT32_MAX, &before, error))
        return false;
    change->amount = (int32_t)amount;
    change->amount_before = (int32_t)before;
    if (!has_since(change->kind) || !ampel_pack_find(map, "since", &value)) return true;
    return ampel_take_integer(map, "since", 1, INT64_MAX, &change->since_ms, error);
}

static bool read_signal(const struct ampel_pack *map, struct ampel_signal *out,
                        struct ampel_error *error) {
    struct ampel_pack value;
    int64_t weight = 0;
    *out = (struct ampel_signal){0};
    if (map->kind != AMPEL_PACK_MAP)
        return ampel_error_set(error, "signals", "an entry is no map");
    if (!take_name(map, "kind", AMPEL_REGISTRY_KIND, true, 0, &out->kind, error) ||
        !take_name(map, "group", AMPEL_REGISTRY_KIND_GROUP, true, 0, &out->group, error) ||
        !ampel_take_integer(map, "weight", 1, 1000, &weight, error) ||
        !ampel_take_integer(map, "at", 0, AMPEL_TIME_MAX_MS, &out->first_ms, error))
        return false;
    out->weight = (uint16_t)weight;
    out->last_ms = out->first_ms;
    out->derived = ampel_pack_find(map, "derived", &value) &&
                   value.kind == AMPEL_PACK_BOOLEAN && value.boolean;
    if (!ampel_pack_find(map, "last", &value)) return true;
    return ampel_take_integer(map, "last", out->first_ms, AMPEL_TIME_MAX_MS, &out->last_ms, error);
}

static bool read_signals(const struct ampel_pack *map, struct ampel_message_change *out,
                         struct ampel_error *error) {
    struct ampel_pack value, item;
    uint64_t kinds = 0;
    if (!of_takeover(out->change.kind)) return true;
    if (!ampel_pack_find(map, "signals", &value) || value.kind != AMPEL_PACK_LIST ||
        value.count > AMPEL_KINDS_MAX)
        return ampel_error_set(error, "signals", "the value is missing or no list of signals");
    for (uint32_t i = 0; i < value.count; i++) {
        ampel_pack_item(&value, i, &item);
        if (!read_signal(&item, &out->signals[i], error)) return false;
        uint64_t bit = UINT64_C(1) << out->signals[i].kind;
        if ((kinds & bit) != 0) return ampel_error_set(error, "signals", "a kind stands twice");
        kinds |= bit;
    }
    out->change.signals_count = value.count;
    return true;
}

/* The members that are left out where they say nothing. */
static bool read_optional(const struct ampel_pack *map, struct ampel_message_change *out,
                          struct ampel_error *error) {
    struct ampel_change *change = &out->change;
    struct ampel_pack value;
    change->cap_group = 255;
    if (ampel_pack_find(map, "cap_group", &value)) {
        if (!take_label(map, "cap_group", &out->cap_group, error)) return false;
        for (uint8_t i = 0; i < out->caps_count; i++)
            if (ampel_text_equal(out->caps_names[i], out->cap_group)) change->cap_group = i;
    }
    if (ampel_pack_find(map, "deadline", &value) &&
        !ampel_take_integer(map, "deadline", 1, INT64_MAX, &change->deadline_ms, error))
        return false;
    return true;
}

bool ampel_change_unpack(const struct ampel_pack *map, struct ampel_message_change *out,
                         struct ampel_error *error) {
    struct ampel_change *change = &out->change;
    struct ampel_pack value;
    *out = (struct ampel_message_change){0};
    if (!ampel_take_stream(map, &out->stream, error) ||
        !ampel_take_unsigned(map, "epoch", &out->epoch, error) ||
        !ampel_take_unsigned(map, "number", &out->number, error) ||
        !read_hex_id(map, out->id, error) || !read_kind(map, change, error) ||
        !ampel_take_id(map, "tenant", true, &out->tenant, error) ||
        !ampel_take_id(map, "seller", true, &out->seller, error) ||
        !ampel_take_id(map, "marketplace", true, &out->marketplace, error) ||
        !ampel_take_integer(map, "at", 0, INT64_MAX, &change->at_ms, error))
        return false;
    change->is_new =
        ampel_pack_find(map, "new", &value) && value.kind == AMPEL_PACK_BOOLEAN && value.boolean;
    if (!change->is_new && !read_numbers(map, "before", &change->before, out, error)) return false;
    if (!read_numbers(map, "after", &change->after, out, error)) return false;
    return read_cause(map, &change->cause, error) && read_verdict(map, change, error) &&
           read_amounts(map, change, error) && read_signals(map, out, error) && read_optional(map, out, error) &&
           take_label(map, "rules_version", &out->rules_version, error);
}

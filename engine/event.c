/* The table of fields, extras, and the judgement of one event by its bytes. */
#include "engine/event.h"

#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"

/* ---- the table ------------------------------------------------------------------------------ */

#define EVERY_INTEGER INT64_C(1000000000000000) /* every amount that a person can mean */

/* name, type, home, tag, form, registry, required, default given, least, greatest, default */
#define FIELD(name, type, home, tag, form, registry, required, given, least, greatest, fallback) \
    {                                                                                            \
        name, AMPEL_EVENT_##type, AMPEL_HOME_##home, tag, AMPEL_FORM_##form, registry, required, \
            given, least, greatest, fallback                                                     \
    }
#define EXTRA(name, type, tag, form, required) \
    FIELD(name, type, EXTRA, AMPEL_EXTRA_##tag, form, 0, required, false, 0, EVERY_INTEGER, 0)
#define WHOLE(name, type, tag, least, greatest) \
    FIELD(name, type, EXTRA, AMPEL_EXTRA_##tag, INTEGER, 0, false, false, least, greatest, 0)
#define MOMENT(name, type, tag, required) \
    FIELD(name, type, EXTRA, AMPEL_EXTRA_##tag, TIME, 0, required, false, 0, AMPEL_TIME_MAX_MS, 0)
#define CODE(name, type, home, registry, required) \
    FIELD(name, type, home, 0, NAME, AMPEL_REGISTRY_##registry, required, false, 0, 0, 0)
#define COUNT(type) FIELD("count", type, COUNT, 0, INTEGER, 0, false, true, 1, AMPEL_ORDERS_MAX, 1)

const struct ampel_field ampel_fields[] = {
    COUNT(ORDER),

    FIELD("total", ORDERS_DAY, COUNT, 0, INTEGER, 0, true, false, 0, AMPEL_ORDERS_MAX, 0),
    FIELD("rev", ORDERS_DAY, REV, 0, INTEGER, 0, false, true, 1, AMPEL_ORDERS_REV_MAX, 1),

    EXTRA("id", VIOLATION, ID, ID, true),
    CODE("policy", VIOLATION, POLICY, POLICY, true),
    CODE("severity", VIOLATION, SEVERITY, SEVERITY, false),
    FIELD("points", VIOLATION, POINTS, 0, INTEGER, 0, false, false, 0, AMPEL_POINTS_MAX, 0),
    FIELD("rev", VIOLATION, REV, 0, INTEGER, 0, false, true, 0, AMPEL_VIOLATION_REV_MAX, 0),
    EXTRA("asin", VIOLATION, ASIN, ID, false),
    EXTRA("sku", VIOLATION, SKU, ID, false),
    EXTRA("at_risk_sales", VIOLATION, AT_RISK_SALES, CENTS, false),
    EXTRA("incident", VIOLATION, INCIDENT, ID, false),

    EXTRA("id", VIOLATION_STATE, ID, ID, true),
    CODE("state", VIOLATION_STATE, CODE, VIOLATION_STATE, true),

    CODE("status", ACCOUNT_STATUS, CODE, ACCOUNT_STATUS, true),

    FIELD("score", OBSERVED, POINTS, 0, INTEGER, 0, false, false, 0, 1000, 0),
    CODE("status", OBSERVED, CODE, ACCOUNT_STATUS, false),
    EXTRA("counts", OBSERVED, COUNTS, COUNTS, false),

    CODE("kind", SIGNAL, CODE, KIND, true),
    WHOLE("value", SIGNAL, VALUE, -EVERY_INTEGER, EVERY_INTEGER),
    EXTRA("detail", SIGNAL, DETAIL, TEXT, false),

    MOMENT("until", MAINTENANCE, UNTIL, true),
    FIELD("kinds", MAINTENANCE, EXTRA, AMPEL_EXTRA_KINDS, NAMES, AMPEL_REGISTRY_KIND, false, true,
          0, 0, -1),

    EXTRA("id", INCIDENT, ID, ID, true),
    CODE("phase", INCIDENT, CODE, INCIDENT_PHASE, true),
    MOMENT("compromised_from", INCIDENT, COMPROMISED_FROM, false),

    EXTRA("professional", PROFILE, PROFESSIONAL, BOOLEAN, false),
    EXTRA("emergency_phone", PROFILE, EMERGENCY_PHONE, BOOLEAN, false),

    COUNT(ORDERS_CANCELLED),

    CODE("change", LISTING, CODE, LISTING_CHANGE, true),
    COUNT(LISTING),
    EXTRA("product_type", LISTING, PRODUCT_TYPE, ID, false),
    WHOLE("price_permille", LISTING, PRICE_PERMILLE, 0, 1000000000),
    WHOLE("handling_days", LISTING, HANDLING_DAYS, 0, 36500),

    EXTRA("name", METRIC, NAME, ID, true),
    WHOLE("value_ppm", METRIC, VALUE_PPM, 0, EVERY_INTEGER),
    WHOLE("target_ppm", METRIC, TARGET_PPM, 0, EVERY_INTEGER),
    FIELD("condition", METRIC, EXTRA, AMPEL_EXTRA_CONDITION, NAME, AMPEL_REGISTRY_METRIC_CONDITION,
          false, false, 0, 0, 0),
    CODE("state", METRIC, CODE, METRIC_STATE, false),

    EXTRA("asin", HINT, ASIN, ID, false),
    EXTRA("sku", HINT, SKU, ID, false),
    EXTRA("actions", HINT, ACTIONS, TEXTS, false),

    FIELD("lowest", DAY_MARK, POINTS, 0, INTEGER, 0, true, false, 0, 1000, 0),

    EXTRA("id", CASE_CLOCK, ID, ID, true),
    CODE("clock", CASE_CLOCK, CODE, CASE_CLOCK, true),
    MOMENT("until", CASE_CLOCK, UNTIL, false),
    EXTRA("settled", CASE_CLOCK, SETTLED, BOOLEAN, false),
};
const uint32_t ampel_fields_count = AMPEL_ARRAY_COUNT(ampel_fields);

/* Where each type's rows start; a test walks both tables. */
static const uint8_t first_rows[AMPEL_EVENT_TYPES_COUNT + 1] = {
    [AMPEL_EVENT_ORDER] = 0,
    [AMPEL_EVENT_ORDERS_DAY] = 1,
    [AMPEL_EVENT_VIOLATION] = 3,
    [AMPEL_EVENT_VIOLATION_STATE] = 12,
    [AMPEL_EVENT_ACCOUNT_STATUS] = 14,
    [AMPEL_EVENT_OBSERVED] = 15,
    [AMPEL_EVENT_SIGNAL] = 18,
    [AMPEL_EVENT_MAINTENANCE] = 21,
    [AMPEL_EVENT_INCIDENT] = 23,
    [AMPEL_EVENT_PROFILE] = 26,
    [AMPEL_EVENT_ORDERS_CANCELLED] = 28,
    [AMPEL_EVENT_LISTING] = 29,
    [AMPEL_EVENT_METRIC] = 34,
    [AMPEL_EVENT_HINT] = 39,
    [AMPEL_EVENT_DAY_MARK] = 42,
    [AMPEL_EVENT_CASE_CLOCK] = 43,
    [AMPEL_EVENT_TYPES_COUNT] = 47,
};
static_assert(AMPEL_ARRAY_COUNT(ampel_fields) == 47, "first_rows follows the table");

uint32_t ampel_fields_of(uint8_t type, const struct ampel_field **out) {
    if (type >= AMPEL_EVENT_TYPES_COUNT) return 0;
    *out = ampel_fields + first_rows[type];
    return (uint32_t)first_rows[type + 1] - first_rows[type];
}

/* ---- extras --------------------------------------------------------------------------------- */

#define EXTRA_HEAD_BYTES 3

bool ampel_extra_next(const struct ampel_event *event, uint32_t *offset, uint8_t *tag,
                      struct ampel_text *text) {
    uint32_t left = event->extras_size - *offset;
    if (left < EXTRA_HEAD_BYTES) return false;
    const uint8_t *head = event->extras + *offset;
    uint32_t size = ampel_load_u16(head + 1);
    if (left - EXTRA_HEAD_BYTES < size) return false;
    *tag = head[0];
    text->bytes = (const char *)head + EXTRA_HEAD_BYTES;
    text->size = size;
    *offset += EXTRA_HEAD_BYTES + size;
    return true;
}

struct ampel_text ampel_extra_text(const struct ampel_event *event, enum ampel_extra_tag tag) {
    uint32_t offset = 0;
    uint8_t found;
    struct ampel_text text;
    while (ampel_extra_next(event, &offset, &found, &text)) {
        if (found == (uint8_t)tag) return text;
    }
    return (struct ampel_text){NULL, 0};
}

bool ampel_extra_number(const struct ampel_event *event, enum ampel_extra_tag tag, int64_t *out) {
    struct ampel_text text = ampel_extra_text(event, tag);
    if (text.size != 8) return false;
    *out = ampel_load_i64(text.bytes);
    return true;
}

bool ampel_extras_put_text(struct ampel_extras_writer *writer, enum ampel_extra_tag tag,
                           struct ampel_text text) {
    AMPEL_ASSERT(writer->size <= writer->capacity);
    if (text.size > UINT16_MAX) return false;
    if (writer->capacity - writer->size < EXTRA_HEAD_BYTES + text.size) return false;
    /* Callers meet fields in any order: the place is behind the last tag that is not greater. */
    struct ampel_event so_far = {.extras = writer->bytes, .extras_size = writer->size};
    uint32_t place = 0, offset = 0;
    uint8_t found;
    struct ampel_text skipped;
    while (ampel_extra_next(&so_far, &offset, &found, &skipped) && found <= (uint8_t)tag)
        place = offset;
    uint32_t size = EXTRA_HEAD_BYTES + text.size;
    memmove(writer->bytes + place + size, writer->bytes + place, writer->size - place);
    writer->bytes[place] = (uint8_t)tag;
    ampel_store_u16(writer->bytes + place + 1, (uint16_t)text.size);
    if (text.size > 0) memcpy(writer->bytes + place + EXTRA_HEAD_BYTES, text.bytes, text.size);
    writer->size += size;
    return true;
}

bool ampel_extras_put_number(struct ampel_extras_writer *writer, enum ampel_extra_tag tag,
                             int64_t number) {
    char bytes[8];
    ampel_store_i64(bytes, number);
    return ampel_extras_put_text(writer, tag, (struct ampel_text){bytes, sizeof(bytes)});
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static const char *const verdict_names[] = {
#define X(upper, lower, code, sentence) [code] = #lower,
    AMPEL_VERDICTS(X)
#undef X
};
static const char *const verdict_sentences[] = {
#define X(upper, lower, code, sentence) [code] = sentence,
    AMPEL_VERDICTS(X)
#undef X
};

const char *ampel_verdict_name(uint8_t verdict) {
    return verdict < AMPEL_VERDICTS_COUNT ? verdict_names[verdict] : "unknown";
}

const char *ampel_verdict_sentence(uint8_t verdict) {
    return verdict < AMPEL_VERDICTS_COUNT ? verdict_sentences[verdict] : "unknown";
}

/* ---- the judgement -------------------------------------------------------------------------- */

static uint64_t bytes_of(uint64_t byte) { return byte * UINT64_C(0x0101010101010101); }

/* A byte of eight is below `bound` (1..128), where all are below 128. Exact for the eight together. */
static uint64_t any_below(uint64_t word, uint64_t bound) {
    return (word - bytes_of(bound)) & ~word & bytes_of(0x80);
}

static uint64_t any_equal(uint64_t word, uint64_t byte) {
    return any_below(word ^ bytes_of(byte), 1);
}

/* Highest bits of bytes that are not shown: below '!' or above '~'. A sum that carries into the next byte comes from one that is
   128 at least, which is none by itself. */
static uint64_t any_hidden(uint64_t word) {
    return (word | (word + bytes_of(0x80 - 0x7f)) | ~(word + bytes_of(0x80 - '!'))) & bytes_of(0x80);
}

/* The same for texts of eight bytes and more, eight at a time, the last ones over again: ids are looked at for every account
   of every batch, twice. */
static bool words_shown(struct ampel_text text, bool account) {
    uint64_t word = ampel_load_u64(text.bytes), bad = any_hidden(word);
    if (account) bad |= any_equal(word, '/');
    for (uint32_t i = 8; i < text.size; i += 8) {
        word = ampel_load_u64(text.bytes + (i + 8 <= text.size ? i : text.size - 8));
        bad |= any_hidden(word);
        if (account) bad |= any_equal(word, '/');
    }
    return bad == 0;
}

AMPEL_INLINE bool bytes_shown(struct ampel_text text, bool account) {
    if (text.size >= 8) return words_shown(text, account);
    for (uint32_t i = 0; i < text.size; i++) {
        char byte = text.bytes[i];
        if (byte <= ' ' || byte > '~') return false;
        if (account && byte == '/') return false;
    }
    return true;
}

bool ampel_id_valid(struct ampel_text text, bool account) {
    return text.size >= 1 && text.size <= AMPEL_ID_BYTES_MAX && bytes_shown(text, account);
}

bool ampel_ids_shown(struct ampel_text texts) {
    return bytes_shown(texts, true);
}

/* The bytes of one UTF-8 sequence that starts at bytes, 0 where it is none (overlong forms,
   surrogates and control characters included). */
static uint32_t utf8_sequence(const uint8_t *bytes, uint32_t left) {
    uint8_t first = bytes[0];
    if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
    uint32_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > left) return 0;
    for (uint32_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    }
    if (first == 0xc2 && bytes[1] < 0xa0) return 0; /* C1 controls */
    if (first == 0xe0 && bytes[1] < 0xa0) return 0;
    if (first == 0xed && bytes[1] > 0x9f) return 0;
    if (first == 0xf0 && bytes[1] < 0x90) return 0;
    if (first == 0xf4 && bytes[1] > 0x8f) return 0;
    return size;
}

static bool text_valid(struct ampel_text text) {
    if (text.size < 1 || text.size > AMPEL_TEXT_BYTES_MAX) return false;
    const uint8_t *bytes = (const uint8_t *)text.bytes;
    for (uint32_t i = 0; i < text.size;) {
        uint32_t size = utf8_sequence(bytes + i, text.size - i);
        if (size == 0) return false;
        i += size;
    }
    return true;
}

static bool texts_valid(struct ampel_text text) {
    if (text.size < 1 || text.size > AMPEL_TEXT_BYTES_MAX) return false;
    uint32_t start = 0;
    for (uint32_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.bytes[i] != ',') continue;
        if (!ampel_id_valid((struct ampel_text){text.bytes + start, i - start}, false))
            return false;
        start = i + 1;
    }
    return true;
}

static enum ampel_verdict counts_check(struct ampel_text text) {
    if (text.size == 0 || text.size % 5 != 0) return AMPEL_VERDICT_BAD_VALUE;
    uint32_t policies = ampel_registry_count(AMPEL_REGISTRY_POLICY);
    for (uint32_t i = 0; i < text.size; i += 5) {
        uint8_t policy = (uint8_t)text.bytes[i];
        if (policy >= policies) return AMPEL_VERDICT_UNKNOWN_NAME;
        if (i > 0 && policy <= (uint8_t)text.bytes[i - 5]) return AMPEL_VERDICT_BAD_VALUE;
        if (ampel_load_u32(text.bytes + i + 1) > AMPEL_ORDERS_MAX)
            return AMPEL_VERDICT_OUT_OF_RANGE;
    }
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict number_check(const struct ampel_field *field, int64_t number) {
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_BOOLEAN:
        return number == 0 || number == 1 ? AMPEL_VERDICT_OK : AMPEL_VERDICT_OUT_OF_RANGE;
    case AMPEL_FORM_NAME:
        return number >= 0 && number < ampel_registry_count((enum ampel_registry)field->registry)
                   ? AMPEL_VERDICT_OK
                   : AMPEL_VERDICT_UNKNOWN_NAME;
    case AMPEL_FORM_NAMES: {
        uint32_t count = ampel_registry_count((enum ampel_registry)field->registry);
        uint64_t known = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
        if ((uint64_t)number == UINT64_MAX) return AMPEL_VERDICT_OK;
        if (number == 0) return AMPEL_VERDICT_OUT_OF_RANGE;
        return ((uint64_t)number & ~known) == 0 ? AMPEL_VERDICT_OK : AMPEL_VERDICT_UNKNOWN_NAME;
    }
    case AMPEL_FORM_INTEGER:
    case AMPEL_FORM_TIME:
    case AMPEL_FORM_CENTS:
    case AMPEL_FORM_ID:
    case AMPEL_FORM_TEXT:
    case AMPEL_FORM_TEXTS:
    case AMPEL_FORM_COUNTS:
        break;
    }
    return number >= field->least && number <= field->greatest ? AMPEL_VERDICT_OK
                                                               : AMPEL_VERDICT_OUT_OF_RANGE;
}

static enum ampel_verdict extra_check(const struct ampel_field *field, struct ampel_text text) {
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_ID:
        return ampel_id_valid(text, false) ? AMPEL_VERDICT_OK : AMPEL_VERDICT_BAD_TEXT;
    case AMPEL_FORM_TEXT:
        return text_valid(text) ? AMPEL_VERDICT_OK : AMPEL_VERDICT_BAD_TEXT;
    case AMPEL_FORM_TEXTS:
        return texts_valid(text) ? AMPEL_VERDICT_OK : AMPEL_VERDICT_BAD_TEXT;
    case AMPEL_FORM_COUNTS:
        return counts_check(text);
    case AMPEL_FORM_INTEGER:
    case AMPEL_FORM_NAME:
    case AMPEL_FORM_NAMES:
    case AMPEL_FORM_BOOLEAN:
    case AMPEL_FORM_TIME:
    case AMPEL_FORM_CENTS:
        break;
    }
    if (text.size != 8) return AMPEL_VERDICT_BAD_VALUE;
    return number_check(field, ampel_load_i64(text.bytes));
}

/* The name that any type gives to a tag, for the one who sent it to a type without. */
static const char *tag_name(uint8_t tag) {
    for (uint32_t i = 0; i < ampel_fields_count; i++) {
        if (ampel_fields[i].home == AMPEL_HOME_EXTRA && ampel_fields[i].tag == tag) {
            return ampel_fields[i].name;
        }
    }
    return "";
}

static enum ampel_verdict tag_check(const struct ampel_field *fields, uint32_t count, uint8_t tag,
                                    struct ampel_text text) {
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].home == AMPEL_HOME_EXTRA && fields[i].tag == tag)
            return extra_check(&fields[i], text);
    }
    return AMPEL_VERDICT_UNKNOWN_FIELD;
}

/* Walks the extras once; seen gets a bit for every tag. */
static enum ampel_verdict extras_check(const struct ampel_event *event,
                                       const struct ampel_field *fields, uint32_t count,
                                       uint32_t *seen, const char **field) {
    uint32_t offset = 0, greatest = 0;
    uint8_t tag;
    struct ampel_text text;
    if (event->extras_size > AMPEL_EXTRAS_BYTES_MAX) return AMPEL_VERDICT_BAD_VALUE;
    while (ampel_extra_next(event, &offset, &tag, &text)) {
        enum ampel_verdict verdict = AMPEL_VERDICT_BAD_VALUE; /* order, and each at most once */
        if (tag > greatest) verdict = tag_check(fields, count, tag, text);
        if (verdict != AMPEL_VERDICT_OK) {
            *field = tag_name(tag);
            return verdict;
        }
        greatest = tag;
        *seen |= UINT32_C(1) << tag;
    }
    *field = "";
    return offset == event->extras_size ? AMPEL_VERDICT_OK : AMPEL_VERDICT_BAD_VALUE;
}

/* The value of a fixed member; absent where it says "not given". */
static bool member_number(const struct ampel_event *event, const struct ampel_field *field,
                          int64_t *out) {
    switch ((enum ampel_field_home)field->home) {
    case AMPEL_HOME_COUNT:
        *out = event->count;
        return true;
    case AMPEL_HOME_REV:
        *out = event->rev;
        return true;
    case AMPEL_HOME_POINTS:
        *out = event->points;
        return event->points != -1;
    case AMPEL_HOME_POLICY:
        *out = event->policy;
        return true;
    case AMPEL_HOME_SEVERITY:
        *out = event->severity;
        return event->severity != -1;
    case AMPEL_HOME_CODE:
        *out = event->code;
        return event->code != AMPEL_CODE_NONE;
    case AMPEL_HOME_EXTRA:
        break;
    }
    return false;
}

static enum ampel_verdict fields_check(const struct ampel_event *event,
                                       const struct ampel_field *fields, uint32_t count,
                                       uint32_t seen, const char **field) {
    for (uint32_t i = 0; i < count; i++) {
        int64_t number = 0;
        bool extra = fields[i].home == AMPEL_HOME_EXTRA;
        bool given =
            extra ? (seen >> fields[i].tag & 1) != 0 : member_number(event, &fields[i], &number);
        *field = fields[i].name;
        if (!given && fields[i].required) return AMPEL_VERDICT_MISSING;
        if (!given || extra) continue;
        enum ampel_verdict verdict = number_check(&fields[i], number);
        if (verdict != AMPEL_VERDICT_OK) return verdict;
    }
    *field = "";
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict at_check(const struct ampel_event *event, int64_t sent_at_ms) {
    if (event->at_ms < 0 || event->at_ms > AMPEL_TIME_MAX_MS) return AMPEL_VERDICT_OUT_OF_RANGE;
    if (event->at_ms - AMPEL_FUTURE_SLACK_MS > sent_at_ms) return AMPEL_VERDICT_FUTURE;
    bool ages = event->type <= AMPEL_EVENT_VIOLATION_STATE;
    if (ages && event->at_ms + 2 * AMPEL_WINDOW_MS < sent_at_ms) return AMPEL_VERDICT_ANCIENT;
    return AMPEL_VERDICT_OK;
}

enum ampel_verdict ampel_event_check(const struct ampel_event *event, int64_t sent_at_ms,
                                     const char **field) {
    const struct ampel_field *fields;
    *field = "type";
    if (event->type >= AMPEL_EVENT_TYPES_COUNT) return AMPEL_VERDICT_BAD_TYPE;
    uint32_t count = ampel_fields_of(event->type, &fields), seen = 0;
    enum ampel_verdict verdict = extras_check(event, fields, count, &seen, field);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    verdict = fields_check(event, fields, count, seen, field);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    verdict = at_check(event, sent_at_ms);
    *field = verdict == AMPEL_VERDICT_OK ? "" : "at";
    return verdict;
}

/* Several texts, an id the first of them. */
AMPEL_APART static bool texts_plain(const struct ampel_event *event) {
    uint32_t offset = 0, greatest = 0;
    if (event->extras_size < 4 || event->extras[0] != AMPEL_EXTRA_ID) return false;
    while (offset < event->extras_size) {
        uint32_t left = event->extras_size - offset;
        if (left < 4) return false;
        const uint8_t *extra = event->extras + offset;
        struct ampel_text text = {(const char *)extra + 3, ampel_load_u16(extra + 1)};
        if (extra[0] <= greatest || extra[0] > AMPEL_EXTRA_SKU) return false;
        if (text.size > left - 3 || !ampel_id_valid(text, false)) return false;
        greatest = extra[0];
        offset += 3 + text.size;
    }
    return true;
}

bool ampel_violation_plain(const struct ampel_event *event) {
    bool at = event->at_ms >= 0 && event->at_ms <= AMPEL_TIME_MAX_MS;
    bool severity = event->severity >= AMPEL_SEVERITY_NOT_GIVEN && event->severity <= AMPEL_SEVERITY_CRITICAL;
    bool points = event->points >= -1 && event->points <= AMPEL_POINTS_MAX;
    if (!(at & severity & points & (event->policy < AMPEL_POLICIES_COUNT))) return false;
    struct ampel_text id = ampel_extra_lone_id(event);
    return id.size > 0 ? ampel_id_valid(id, false) : texts_plain(event);
}

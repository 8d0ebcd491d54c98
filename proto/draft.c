#include "proto/draft.h"

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/text.h"
#include "proto/time.h"

static_assert(AMPEL_POLICIES_MAX <= AMPEL_VALUE_ITEMS_MAX, "counts of all policies are items");
static_assert(AMPEL_KINDS_MAX <= AMPEL_VALUE_ITEMS_MAX, "names of all kinds are items");
static_assert(AMPEL_TEXT_BYTES_MAX / 2 <= AMPEL_VALUE_ITEMS_MAX, "joined texts are items");

#define COUNT_PAIR_BYTES 5

/* ---- members -------------------------------------------------------------------------------- */

static uint16_t default_rev(uint8_t type) {
    return type == AMPEL_EVENT_ORDERS_DAY ? 1 : 0;
}

void ampel_event_reset(struct ampel_event *event, uint8_t type, int64_t at_ms) {
    *event = (struct ampel_event){
        .at_ms = at_ms,
        .count = 1,
        .rev = default_rev(type),
        .points = -1,
        .type = type,
        .severity = AMPEL_SEVERITY_NOT_GIVEN,
        .code = AMPEL_CODE_NONE,
    };
}

/* The homes that a type's fields use, as a set of bits: looked up for every event of a batch, hence
   a table made of the table of fields. */
static uint32_t homes_of(uint8_t type) {
    const struct ampel_field *fields;
    uint32_t homes = 0, count = ampel_fields_of(type, &fields);
    for (uint32_t i = 0; i < count; i++)
        homes |= UINT32_C(1) << fields[i].home;
    return homes;
}

static bool uses(uint32_t homes, enum ampel_field_home home) {
    return (homes >> home & 1) != 0;
}

void ampel_event_normalise(struct ampel_event *event) {
    struct ampel_event plain;
    uint32_t homes = homes_of(event->type);
    ampel_event_reset(&plain, event->type, event->at_ms);
    if (!uses(homes, AMPEL_HOME_COUNT)) event->count = plain.count;
    if (!uses(homes, AMPEL_HOME_REV)) event->rev = plain.rev;
    if (!uses(homes, AMPEL_HOME_POINTS)) event->points = plain.points;
    if (!uses(homes, AMPEL_HOME_POLICY)) event->policy = plain.policy;
    if (!uses(homes, AMPEL_HOME_SEVERITY)) event->severity = plain.severity;
    if (!uses(homes, AMPEL_HOME_CODE)) event->code = plain.code;
}

const char *ampel_event_stray(const struct ampel_event *event) {
    struct ampel_event plain;
    uint32_t homes = homes_of(event->type);
    ampel_event_reset(&plain, event->type, event->at_ms);
    if (event->count != plain.count && !uses(homes, AMPEL_HOME_COUNT)) return "count";
    if (event->rev != plain.rev && !uses(homes, AMPEL_HOME_REV)) return "rev";
    if (event->points != plain.points && !uses(homes, AMPEL_HOME_POINTS)) return "points";
    if (event->policy != plain.policy && !uses(homes, AMPEL_HOME_POLICY)) return "policy";
    if (event->severity != plain.severity && !uses(homes, AMPEL_HOME_SEVERITY)) return "severity";
    if (event->code != plain.code && !uses(homes, AMPEL_HOME_CODE)) return "code";
    return NULL;
}

enum ampel_verdict ampel_draft_judge(const struct ampel_event *event, int64_t sent_at_ms,
                                     const char **field) {
    /* An event is neither future nor ancient to its own time. */
    int64_t judged_by_ms = sent_at_ms == INT64_MIN ? event->at_ms : sent_at_ms;
    enum ampel_verdict verdict = ampel_event_check(event, judged_by_ms, field);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    const char *stray = ampel_event_stray(event);
    if (stray == NULL) return AMPEL_VERDICT_OK;
    *field = stray;
    return AMPEL_VERDICT_UNKNOWN_FIELD;
}

/* ---- values in ------------------------------------------------------------------------------ */

static const char why_type[] = "the value has the wrong type";
static const char why_range[] = "the value is out of range";
static const char why_name[] = "the name is unknown";
static const char why_text[] = "the text is empty, too long or has characters that are not allowed";

static enum ampel_verdict refuse(enum ampel_verdict verdict, const char *sentence,
                                 const char **why) {
    *why = sentence;
    return verdict;
}

enum ampel_verdict ampel_value_time(const struct ampel_value *value, int64_t *out_ms) {
    if (value->kind == AMPEL_VALUE_TEXT) {
        return ampel_time_decode(value->text, out_ms) ? AMPEL_VERDICT_OK : AMPEL_VERDICT_BAD_VALUE;
    }
    if (value->kind != AMPEL_VALUE_INTEGER) return AMPEL_VERDICT_BAD_VALUE;
    if (value->integer < 0 || value->integer > AMPEL_TIME_MAX_MS) return AMPEL_VERDICT_OUT_OF_RANGE;
    *out_ms = value->integer;
    return AMPEL_VERDICT_OK;
}

/* "12", "12.3", "12.34" in cents. At most 13 digits before the point: far from overflow. */
static bool cents_of_text(struct ampel_text text, int64_t *out) {
    int64_t cents = 0;
    uint32_t i = 0, decimals = 0;
    for (; i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
        cents = cents * 10 + (text.bytes[i] - '0');
        if (i >= 13) return false;
    }
    if (i == 0) return false;
    if (i < text.size && text.bytes[i] == '.') {
        for (i++; i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
            cents = cents * 10 + (text.bytes[i] - '0');
            if (++decimals > 2) return false;
        }
        if (decimals == 0) return false;
    }
    if (i != text.size) return false;
    for (; decimals < 2; decimals++)
        cents *= 10;
    *out = cents;
    return true;
}

/* A decimal text of two decimals reads as the double nearest to cents / 100, and so does this
   division: equal means that the amount has no further decimals. */
static bool cents_of_real(double real, int64_t *out) {
    if (!(real >= 0 && real < 1e13)) return false;
    int64_t cents = (int64_t)(real * 100 + 0.5);
    if ((double)cents / 100 != real) return false;
    *out = cents;
    return true;
}

static enum ampel_verdict number_of(const struct ampel_field *field,
                                    const struct ampel_value *value, int64_t *out,
                                    const char **why) {
    enum ampel_verdict verdict;
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_BOOLEAN:
        if (value->kind != AMPEL_VALUE_BOOLEAN)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is not true or false", why);
        *out = value->boolean;
        return AMPEL_VERDICT_OK;
    case AMPEL_FORM_TIME:
        verdict = ampel_value_time(value, out);
        if (verdict != AMPEL_VERDICT_OK)
            return refuse(verdict, "the value is no RFC 3339 time and no integer milliseconds",
                          why);
        break;
    case AMPEL_FORM_CENTS:
        if (value->kind == AMPEL_VALUE_INTEGER) {
            if (value->integer < 0 || value->integer > INT64_C(10000000000000))
                return refuse(AMPEL_VERDICT_OUT_OF_RANGE, why_range, why);
            *out = value->integer * 100;
        } else if (!(value->kind == AMPEL_VALUE_REAL && cents_of_real(value->real, out)) &&
                   !(value->kind == AMPEL_VALUE_TEXT && cents_of_text(value->text, out))) {
            return refuse(AMPEL_VERDICT_BAD_VALUE,
                          "the value is no amount of at most two decimals, 0 or more", why);
        }
        break;
    default:
        if (value->kind != AMPEL_VALUE_INTEGER)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is not a whole number", why);
        *out = value->integer;
        break;
    }
    if (*out < field->least || *out > field->greatest)
        return refuse(AMPEL_VERDICT_OUT_OF_RANGE, why_range, why);
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict code_of(const struct ampel_field *field, struct ampel_text name,
                                  uint8_t *out, const char **why) {
    if (!ampel_registry_code((enum ampel_registry)field->registry, name, out))
        return refuse(AMPEL_VERDICT_UNKNOWN_NAME, why_name, why);
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict names_of(const struct ampel_field *field, const struct ampel_value *value,
                                   int64_t *out, const char **why) {
    if (value->kind == AMPEL_VALUE_TEXT && ampel_text_is(value->text, "all")) {
        *out = -1;
        return AMPEL_VERDICT_OK;
    }
    if (value->kind != AMPEL_VALUE_LIST || value->items_count == 0)
        return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is no list of names and not \"all\"",
                      why);
    uint64_t set = 0;
    for (uint32_t i = 0; i < value->items_count; i++) {
        uint8_t code;
        if (value->items[i].kind != AMPEL_VALUE_TEXT)
            return refuse(AMPEL_VERDICT_BAD_VALUE, why_type, why);
        enum ampel_verdict verdict = code_of(field, value->items[i].text, &code, why);
        if (verdict != AMPEL_VERDICT_OK) return verdict;
        set |= UINT64_C(1) << code;
    }
    *out = (int64_t)set;
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict put_number(struct ampel_draft *draft, const struct ampel_field *field,
                                     int64_t number, const char **why) {
    /* What equals the default is the same event as one without the field. */
    if (field->has_default && number == field->fallback) return AMPEL_VERDICT_OK;
    if (!ampel_extras_put_number(&draft->extras, (enum ampel_extra_tag)field->tag, number))
        return refuse(AMPEL_VERDICT_BAD_TEXT, "the event's texts are too long together", why);
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict put_text(struct ampel_draft *draft, const struct ampel_field *field,
                                   struct ampel_text text, const char **why) {
    if (!ampel_extras_put_text(&draft->extras, (enum ampel_extra_tag)field->tag, text))
        return refuse(AMPEL_VERDICT_BAD_TEXT, why_text, why);
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict put_texts(struct ampel_draft *draft, const struct ampel_field *field,
                                    const struct ampel_value *value, const char **why) {
    char joined[AMPEL_TEXT_BYTES_MAX];
    uint32_t size = 0;
    if (value->kind != AMPEL_VALUE_LIST || value->items_count == 0)
        return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is no list of texts", why);
    for (uint32_t i = 0; i < value->items_count; i++) {
        const struct ampel_value_item *item = &value->items[i];
        if (item->kind != AMPEL_VALUE_TEXT) return refuse(AMPEL_VERDICT_BAD_VALUE, why_type, why);
        bool comma = item->text.size > 0 && memchr(item->text.bytes, ',', item->text.size) != NULL;
        if (comma || !ampel_id_valid(item->text, false) ||
            size + item->text.size + 1 > sizeof joined)
            return refuse(AMPEL_VERDICT_BAD_TEXT, why_text, why);
        if (i > 0) joined[size++] = ',';
        memcpy(joined + size, item->text.bytes, item->text.size);
        size += item->text.size;
    }
    return put_text(draft, field, (struct ampel_text){joined, size}, why);
}

static enum ampel_verdict put_counts(struct ampel_draft *draft, const struct ampel_field *field,
                                     const struct ampel_value *value, const char **why) {
    uint32_t counts[AMPEL_POLICIES_MAX];
    uint64_t given = 0;
    if (value->kind != AMPEL_VALUE_MAP || value->items_count == 0)
        return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is no object of counts by policy", why);
    for (uint32_t i = 0; i < value->items_count; i++) {
        const struct ampel_value_item *item = &value->items[i];
        uint8_t policy;
        if (!ampel_registry_code(AMPEL_REGISTRY_POLICY, item->key, &policy))
            return refuse(AMPEL_VERDICT_UNKNOWN_NAME, why_name, why);
        if (item->kind != AMPEL_VALUE_INTEGER || (given >> policy & 1) != 0)
            return refuse(AMPEL_VERDICT_BAD_VALUE, why_type, why);
        if (item->integer < 0 || item->integer > AMPEL_ORDERS_MAX)
            return refuse(AMPEL_VERDICT_OUT_OF_RANGE, why_range, why);
        counts[policy] = (uint32_t)item->integer;
        given |= UINT64_C(1) << policy;
    }
    char pairs[AMPEL_POLICIES_MAX * COUNT_PAIR_BYTES];
    uint32_t size = 0;
    for (uint8_t policy = 0; policy < AMPEL_POLICIES_MAX; policy++) {
        if ((given >> policy & 1) == 0) continue;
        pairs[size] = (char)policy;
        ampel_store_u32(pairs + size + 1, counts[policy]);
        size += COUNT_PAIR_BYTES;
    }
    return put_text(draft, field, (struct ampel_text){pairs, size}, why);
}

static enum ampel_verdict put_extra(struct ampel_draft *draft, const struct ampel_field *field,
                                    const struct ampel_value *value, const char **why) {
    int64_t number;
    uint8_t code;
    enum ampel_verdict verdict;
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_ID:
    case AMPEL_FORM_TEXT:
        if (value->kind != AMPEL_VALUE_TEXT)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is not a text", why);
        return put_text(draft, field, value->text, why);
    case AMPEL_FORM_TEXTS:
        return put_texts(draft, field, value, why);
    case AMPEL_FORM_COUNTS:
        return put_counts(draft, field, value, why);
    case AMPEL_FORM_NAME:
        if (value->kind != AMPEL_VALUE_TEXT)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is not a name", why);
        verdict = code_of(field, value->text, &code, why);
        number = code;
        break;
    case AMPEL_FORM_NAMES:
        verdict = names_of(field, value, &number, why);
        break;
    default:
        verdict = number_of(field, value, &number, why);
        break;
    }
    return verdict == AMPEL_VERDICT_OK ? put_number(draft, field, number, why) : verdict;
}

static enum ampel_verdict put_member(struct ampel_draft *draft, const struct ampel_field *field,
                                     const struct ampel_value *value, const char **why) {
    struct ampel_event *event = &draft->event;
    int64_t number;
    enum ampel_verdict verdict;
    if (field->form == AMPEL_FORM_NAME) {
        uint8_t code;
        if (value->kind != AMPEL_VALUE_TEXT)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the value is not a name", why);
        verdict = code_of(field, value->text, &code, why);
        number = code;
    } else {
        verdict = number_of(field, value, &number, why);
    }
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    /* The field's range is within its home's, see the table. */
    switch ((enum ampel_field_home)field->home) {
    case AMPEL_HOME_COUNT:
        event->count = (uint32_t)number;
        break;
    case AMPEL_HOME_REV:
        event->rev = (uint16_t)number;
        break;
    case AMPEL_HOME_POINTS:
        event->points = (int16_t)number;
        break;
    case AMPEL_HOME_POLICY:
        event->policy = (uint8_t)number;
        break;
    case AMPEL_HOME_SEVERITY:
        event->severity = (int8_t)number;
        break;
    case AMPEL_HOME_CODE:
        event->code = (uint8_t)number;
        break;
    case AMPEL_HOME_EXTRA:
        break;
    }
    return AMPEL_VERDICT_OK;
}

void ampel_draft_reset(struct ampel_draft *draft, uint8_t type, int64_t at_ms, uint8_t *bytes,
                       uint32_t capacity) {
    AMPEL_ASSERT(type < AMPEL_EVENT_TYPES_COUNT);
    ampel_event_reset(&draft->event, type, at_ms);
    draft->extras = (struct ampel_extras_writer){bytes, capacity, 0};
    draft->fields_count = ampel_fields_of(type, &draft->fields);
    draft->given = 0;
}

enum ampel_verdict ampel_draft_put(struct ampel_draft *draft, struct ampel_text name,
                                   const struct ampel_value *value, const char **why) {
    for (uint32_t i = 0; i < draft->fields_count; i++) {
        const struct ampel_field *field = &draft->fields[i];
        if (!ampel_text_is(name, field->name)) continue;
        if ((draft->given >> i & 1) != 0)
            return refuse(AMPEL_VERDICT_BAD_VALUE, "the field stands twice", why);
        draft->given |= UINT32_C(1) << i;
        if (field->home != AMPEL_HOME_EXTRA) return put_member(draft, field, value, why);
        enum ampel_verdict verdict = put_extra(draft, field, value, why);
        draft->event.extras = draft->extras.bytes;
        draft->event.extras_size = draft->extras.size;
        return verdict;
    }
    return refuse(AMPEL_VERDICT_UNKNOWN_FIELD, "the type of event knows no such field", why);
}

enum ampel_verdict ampel_draft_check(struct ampel_draft *draft, int64_t sent_at_ms,
                                     const char **field) {
    for (uint32_t i = 0; i < draft->fields_count; i++) {
        if (!draft->fields[i].required || (draft->given >> i & 1) != 0) continue;
        *field = draft->fields[i].name;
        return AMPEL_VERDICT_MISSING;
    }
    return ampel_draft_judge(&draft->event, sent_at_ms, field);
}

/* ---- values out ----------------------------------------------------------------------------- */

static void out_text(struct ampel_value_reader *reader, struct ampel_text text) {
    reader->value.kind = AMPEL_VALUE_TEXT;
    reader->value.text = text;
}

static void out_name(struct ampel_value_reader *reader, uint8_t registry, int64_t code) {
    const char *name = ampel_registry_name((enum ampel_registry)registry, (uint32_t)code);
    out_text(reader, ampel_text_of(name == NULL ? "unknown" : name));
}

static struct ampel_value_item *out_item(struct ampel_value_reader *reader,
                                         enum ampel_value_kind container) {
    AMPEL_ASSERT(reader->value.items_count < AMPEL_VALUE_ITEMS_MAX);
    reader->value.kind = container;
    reader->value.items = reader->items;
    struct ampel_value_item *item = &reader->items[reader->value.items_count++];
    *item = (struct ampel_value_item){.kind = AMPEL_VALUE_TEXT};
    return item;
}

static void out_names(struct ampel_value_reader *reader, uint8_t registry, int64_t set) {
    if (set == -1) {
        out_text(reader, ampel_text_of("all"));
        return;
    }
    for (uint32_t code = 0; code < ampel_registry_count((enum ampel_registry)registry); code++) {
        if (((uint64_t)set >> code & 1) == 0) continue;
        out_item(reader, AMPEL_VALUE_LIST)->text =
            ampel_text_of(ampel_registry_name((enum ampel_registry)registry, code));
    }
}

static void out_texts(struct ampel_value_reader *reader, struct ampel_text joined) {
    uint32_t start = 0;
    for (uint32_t i = 0; i <= joined.size; i++) {
        if (i < joined.size && joined.bytes[i] != ',') continue;
        out_item(reader, AMPEL_VALUE_LIST)->text =
            (struct ampel_text){joined.bytes + start, i - start};
        start = i + 1;
    }
}

static void out_counts(struct ampel_value_reader *reader, struct ampel_text pairs) {
    for (uint32_t i = 0; i + COUNT_PAIR_BYTES <= pairs.size; i += COUNT_PAIR_BYTES) {
        struct ampel_value_item *item = out_item(reader, AMPEL_VALUE_MAP);
        const char *name = ampel_registry_name(AMPEL_REGISTRY_POLICY, (uint8_t)pairs.bytes[i]);
        item->key = ampel_text_of(name == NULL ? "unknown" : name);
        item->kind = AMPEL_VALUE_INTEGER;
        item->integer = ampel_load_u32(pairs.bytes + i + 1);
    }
}

/* Money as it is written: "1234.50". A JSON number of that many digits would be a double to its
 * reader. */
static void out_cents(struct ampel_value_reader *reader, int64_t cents) {
    char *end = reader->bytes + sizeof reader->bytes, *to = end;
    uint32_t digits = 0;
    while (cents > 0 || digits < 3) {
        *--to = (char)('0' + cents % 10);
        cents /= 10;
        if (++digits == 2) *--to = '.';
    }
    out_text(reader, (struct ampel_text){to, (uint32_t)(end - to)});
}

static void out_number(struct ampel_value_reader *reader, const struct ampel_field *field,
                       int64_t number) {
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_NAME:
        out_name(reader, field->registry, number);
        break;
    case AMPEL_FORM_NAMES:
        out_names(reader, field->registry, number);
        break;
    case AMPEL_FORM_CENTS:
        out_cents(reader, number);
        break;
    case AMPEL_FORM_BOOLEAN:
        reader->value.kind = AMPEL_VALUE_BOOLEAN;
        reader->value.boolean = number != 0;
        break;
    default:
        reader->value.kind = AMPEL_VALUE_INTEGER;
        reader->value.integer = number;
        break;
    }
}

static bool out_extra(const struct ampel_event *event, const struct ampel_field *field,
                      struct ampel_value_reader *reader) {
    struct ampel_text text = ampel_extra_text(event, (enum ampel_extra_tag)field->tag);
    if (text.size == 0) return false;
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_ID:
    case AMPEL_FORM_TEXT:
        out_text(reader, text);
        return true;
    case AMPEL_FORM_TEXTS:
        out_texts(reader, text);
        return true;
    case AMPEL_FORM_COUNTS:
        out_counts(reader, text);
        return true;
    default:
        break;
    }
    int64_t number;
    if (!ampel_extra_number(event, (enum ampel_extra_tag)field->tag, &number)) return false;
    if (field->has_default && number == field->fallback) return false;
    out_number(reader, field, number);
    return true;
}

bool ampel_event_field(const struct ampel_event *event, const struct ampel_field *field,
                       struct ampel_value_reader *reader) {
    int64_t number = 0;
    bool given = true;
    reader->value = (struct ampel_value){.kind = AMPEL_VALUE_OTHER};
    switch ((enum ampel_field_home)field->home) {
    case AMPEL_HOME_EXTRA:
        return out_extra(event, field, reader);
    case AMPEL_HOME_COUNT:
        number = event->count;
        break;
    case AMPEL_HOME_REV:
        number = event->rev;
        break;
    case AMPEL_HOME_POLICY:
        number = event->policy;
        break;
    case AMPEL_HOME_POINTS:
        number = event->points;
        given = number != -1;
        break;
    case AMPEL_HOME_SEVERITY:
        number = event->severity;
        given = number != AMPEL_SEVERITY_NOT_GIVEN;
        break;
    case AMPEL_HOME_CODE:
        number = event->code;
        given = number != AMPEL_CODE_NONE;
        break;
    }
    if (!given || (field->has_default && number == field->fallback)) return false;
    out_number(reader, field, number);
    return true;
}

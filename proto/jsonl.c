#include "proto/jsonl.h"

#include <string.h>

#include "engine/registry.h"
#include "proto/draft.h"
#include "proto/json.h"
#include "proto/jsonl_flat.h"
#include "proto/print.h"
#include "proto/text.h"

/* Far more than one event can hold; a longer line is no event but a mistake. */
#define LINE_BYTES_MAX (64 * 1024)

/* ---- decode --------------------------------------------------------------------------------- */

static enum ampel_verdict refuse(struct ampel_error *error, enum ampel_verdict verdict,
                                 const char *field, const char *why) {
    ampel_error_set(error, field, "%s", why);
    return verdict;
}

static enum ampel_value_kind plain_kind(enum ampel_json_kind kind) {
    switch (kind) {
    case AMPEL_JSON_BOOLEAN:
        return AMPEL_VALUE_BOOLEAN;
    case AMPEL_JSON_INTEGER:
        return AMPEL_VALUE_INTEGER;
    case AMPEL_JSON_REAL:
        return AMPEL_VALUE_REAL;
    case AMPEL_JSON_TEXT:
        return AMPEL_VALUE_TEXT;
    case AMPEL_JSON_ARRAY:
        return AMPEL_VALUE_LIST;
    case AMPEL_JSON_OBJECT:
        return AMPEL_VALUE_MAP;
    case AMPEL_JSON_NULL:
        break;
    }
    return AMPEL_VALUE_OTHER;
}

static void item_of(const struct ampel_json *json, struct ampel_value_item *out) {
    out->kind = AMPEL_VALUE_OTHER;
    if (ampel_json_text(json, &out->text)) out->kind = AMPEL_VALUE_TEXT;
    if (ampel_json_integer(json, &out->integer)) out->kind = AMPEL_VALUE_INTEGER;
}

/* Items of containers go to items, AMPEL_VALUE_ITEMS_MAX of them. */
static void value_of(const struct ampel_json *json, struct ampel_value_item *items,
                     struct ampel_value *out) {
    const struct ampel_json *entry;
    const void *cursor = NULL;
    *out = (struct ampel_value){.kind = plain_kind(ampel_json_kind(json)), .items = items};
    switch (out->kind) {
    case AMPEL_VALUE_BOOLEAN:
        (void)!ampel_json_boolean(json, &out->boolean);
        break;
    case AMPEL_VALUE_INTEGER:
        (void)!ampel_json_integer(json, &out->integer);
        break;
    case AMPEL_VALUE_REAL:
        (void)!ampel_json_real(json, &out->real);
        break;
    case AMPEL_VALUE_TEXT:
        (void)!ampel_json_text(json, &out->text);
        break;
    case AMPEL_VALUE_LIST:
    case AMPEL_VALUE_MAP:
        out->items_count = ampel_json_count(json);
        if (out->items_count > AMPEL_VALUE_ITEMS_MAX) {
            out->kind = AMPEL_VALUE_OTHER;
        } else if (out->kind == AMPEL_VALUE_LIST) {
            for (uint32_t i = 0; i < out->items_count; i++)
                item_of(ampel_json_at(json, i), &items[i]);
        } else {
            for (uint32_t i = 0; ampel_json_next(json, &cursor, &items[i].key, &entry); i++)
                item_of(entry, &items[i]);
        }
        break;
    case AMPEL_VALUE_OTHER:
        break;
    }
}

/* Copies one part of the account's name into its place in out->bytes. */
static enum ampel_verdict decode_part(const struct ampel_json *line, const char *key,
                                      struct ampel_text fallback, uint8_t *bytes,
                                      struct ampel_text *out, struct ampel_error *error) {
    const struct ampel_json *value = ampel_json_get(line, key);
    struct ampel_text text = fallback;
    if (value == NULL && fallback.size == 0)
        return refuse(error, AMPEL_VERDICT_MISSING, key, "a required field is missing");
    if (value != NULL && !ampel_json_text(value, &text))
        return refuse(error, AMPEL_VERDICT_BAD_VALUE, key, "the value is not a text");
    if (!ampel_id_valid(text, true))
        return refuse(error, AMPEL_VERDICT_BAD_ACCOUNT, key,
                      "the value is not 1 to 64 characters of printable ASCII without space and /");
    memcpy(bytes, text.bytes, text.size);
    *out = (struct ampel_text){(const char *)bytes, text.size};
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict decode_account(const struct ampel_json *line,
                                         struct ampel_text fallback_tenant,
                                         struct ampel_jsonl_event *out, struct ampel_error *error) {
    const struct ampel_text none = {NULL, 0};
    enum ampel_verdict verdict =
        decode_part(line, "tenant", fallback_tenant, out->bytes, &out->tenant, error);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    verdict =
        decode_part(line, "seller", none, out->bytes + AMPEL_ID_BYTES_MAX, &out->seller, error);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    return decode_part(line, "marketplace", none, out->bytes + 2 * AMPEL_ID_BYTES_MAX,
                       &out->marketplace, error);
}

static enum ampel_verdict decode_type_and_at(const struct ampel_json *line, uint8_t *type,
                                             int64_t *at_ms, struct ampel_error *error) {
    struct ampel_text name;
    struct ampel_value at;
    const struct ampel_json *value = ampel_json_get(line, "type");
    if (value == NULL)
        return refuse(error, AMPEL_VERDICT_MISSING, "type", "a required field is missing");
    if (!ampel_json_text(value, &name) ||
        !ampel_registry_code(AMPEL_REGISTRY_EVENT_TYPE, name, type))
        return refuse(error, AMPEL_VERDICT_BAD_TYPE, "type", "the type is unknown");
    value = ampel_json_get(line, "at");
    if (value == NULL)
        return refuse(error, AMPEL_VERDICT_MISSING, "at", "a required field is missing");
    struct ampel_value_item items[AMPEL_VALUE_ITEMS_MAX];
    value_of(value, items, &at);
    enum ampel_verdict verdict = ampel_value_time(&at, at_ms);
    if (verdict == AMPEL_VERDICT_OK) return verdict;
    return refuse(error, verdict, "at",
                  "the value is no RFC 3339 time with a zone and no integer milliseconds, "
                  "1970 to 2200");
}

static bool is_common(struct ampel_text key) {
    static const char *const common[] = {"type", "at", "seller", "marketplace", "tenant"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(common); i++)
        if (ampel_text_is(key, common[i])) return true;
    return false;
}

static enum ampel_verdict decode_fields(const struct ampel_json *line, struct ampel_draft *draft,
                                        struct ampel_error *error) {
    struct ampel_value_item items[AMPEL_VALUE_ITEMS_MAX];
    const struct ampel_json *json;
    const void *cursor = NULL;
    struct ampel_text key;
    while (ampel_json_next(line, &cursor, &key, &json)) {
        struct ampel_value value;
        const char *why = "";
        if (is_common(key)) continue;
        value_of(json, items, &value);
        enum ampel_verdict verdict = ampel_draft_put(draft, key, &value, &why);
        if (verdict == AMPEL_VERDICT_OK) continue;
        char name[AMPEL_ID_BYTES_MAX + 1];
        uint32_t size = key.size < AMPEL_ID_BYTES_MAX ? key.size : AMPEL_ID_BYTES_MAX;
        memcpy(name, key.bytes, size);
        name[size] = 0;
        return refuse(error, verdict, name, why);
    }
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict decode_event(const struct ampel_json *line, int64_t sent_at_ms,
                                       struct ampel_text fallback_tenant,
                                       struct ampel_jsonl_event *out, struct ampel_error *error) {
    struct ampel_draft draft;
    uint8_t type;
    int64_t at_ms;
    const char *field = "";
    enum ampel_verdict verdict = decode_account(line, fallback_tenant, out, error);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    verdict = decode_type_and_at(line, &type, &at_ms, error);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    ampel_draft_reset(&draft, type, at_ms, out->bytes + 3 * AMPEL_ID_BYTES_MAX,
                      AMPEL_EXTRAS_BYTES_MAX);
    verdict = decode_fields(line, &draft, error);
    if (verdict != AMPEL_VERDICT_OK) return verdict;
    verdict = ampel_draft_check(&draft, sent_at_ms, &field);
    if (verdict != AMPEL_VERDICT_OK)
        return refuse(error, verdict, field, ampel_verdict_sentence((uint8_t)verdict));
    out->event = draft.event;
    return AMPEL_VERDICT_OK;
}

enum ampel_verdict ampel_jsonl_decode(struct ampel_text line, int64_t sent_at_ms,
                                      struct ampel_text fallback_tenant,
                                      struct ampel_jsonl_event *out, struct ampel_error *error) {
    if (line.size <= LINE_BYTES_MAX && ampel_jsonl_flat(line, sent_at_ms, fallback_tenant, out))
        return AMPEL_VERDICT_OK;
    return ampel_jsonl_decode_whole(line, sent_at_ms, fallback_tenant, out, error);
}

enum ampel_verdict ampel_jsonl_decode_whole(struct ampel_text line, int64_t sent_at_ms,
                                            struct ampel_text fallback_tenant,
                                            struct ampel_jsonl_event *out,
                                            struct ampel_error *error) {
    if (line.size > LINE_BYTES_MAX)
        return refuse(error, AMPEL_VERDICT_BAD_VALUE, "", "the line is longer than 64 KiB");
    struct ampel_json *root = ampel_json_open(line, error);
    if (root == NULL) return AMPEL_VERDICT_BAD_VALUE;
    enum ampel_verdict verdict;
    if (ampel_json_kind(root) != AMPEL_JSON_OBJECT)
        verdict = refuse(error, AMPEL_VERDICT_BAD_VALUE, "", "the line is not a JSON object");
    else
        verdict = decode_event(root, sent_at_ms, fallback_tenant, out, error);
    ampel_json_close(root);
    return verdict;
}

/* ---- copy ----------------------------------------------------------------------------------- */

static const void *moved(const struct ampel_jsonl_event *to, const struct ampel_jsonl_event *from,
                         const void *pointer) {
    return to->bytes + ((const uint8_t *)pointer - from->bytes);
}

void ampel_jsonl_event_copy(struct ampel_jsonl_event *to, const struct ampel_jsonl_event *from) {
    *to = *from;
    to->tenant.bytes = moved(to, from, from->tenant.bytes);
    to->seller.bytes = moved(to, from, from->seller.bytes);
    to->marketplace.bytes = moved(to, from, from->marketplace.bytes);
    if (from->event.extras_size > 0) to->event.extras = moved(to, from, from->event.extras);
}

/* ---- encode --------------------------------------------------------------------------------- */

static void print_item(struct ampel_print *print, const struct ampel_value_item *item) {
    if (item->kind == AMPEL_VALUE_INTEGER)
        ampel_print_integer(print, item->integer);
    else
        ampel_print_json(print, item->text);
}

static void print_items(struct ampel_print *print, const struct ampel_value *value) {
    bool map = value->kind == AMPEL_VALUE_MAP;
    ampel_print_word(print, map ? "{" : "[");
    for (uint32_t i = 0; i < value->items_count; i++) {
        if (i > 0) ampel_print_word(print, ",");
        if (map) {
            ampel_print_json(print, value->items[i].key);
            ampel_print_word(print, ":");
        }
        print_item(print, &value->items[i]);
    }
    ampel_print_word(print, map ? "}" : "]");
}

static void print_value(struct ampel_print *print, const struct ampel_field *field,
                        const struct ampel_value *value) {
    switch (value->kind) {
    case AMPEL_VALUE_BOOLEAN:
        ampel_print_word(print, value->boolean ? "true" : "false");
        break;
    case AMPEL_VALUE_TEXT:
        ampel_print_json(print, value->text);
        break;
    case AMPEL_VALUE_LIST:
    case AMPEL_VALUE_MAP:
        print_items(print, value);
        break;
    default:
        if (field->form == AMPEL_FORM_TIME)
            ampel_print_time(print, value->integer);
        else
            ampel_print_integer(print, value->integer);
        break;
    }
}

static void print_account(struct ampel_print *print, struct ampel_text tenant,
                          struct ampel_text seller, struct ampel_text marketplace) {
    if (tenant.size > 0) {
        ampel_print_key(print, "tenant");
        ampel_print_json(print, tenant);
    }
    ampel_print_key(print, "seller");
    ampel_print_json(print, seller);
    ampel_print_key(print, "marketplace");
    ampel_print_json(print, marketplace);
}

uint32_t ampel_jsonl_encode(struct ampel_text tenant, struct ampel_text seller,
                            struct ampel_text marketplace, const struct ampel_event *event,
                            char *bytes, uint32_t capacity) {
    struct ampel_print print = {.bytes = bytes, .capacity = capacity};
    struct ampel_value_reader reader;
    const struct ampel_field *fields;
    const char *type = ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, event->type);
    uint32_t count = ampel_fields_of(event->type, &fields);
    ampel_print_word(&print, "{");
    print_account(&print, tenant, seller, marketplace);
    ampel_print_key(&print, "type");
    ampel_print_json(&print, ampel_text_of(type == NULL ? "unknown" : type));
    ampel_print_key(&print, "at");
    ampel_print_time(&print, event->at_ms);
    for (uint32_t i = 0; i < count; i++) {
        if (!ampel_event_field(event, &fields[i], &reader)) continue;
        ampel_print_key(&print, fields[i].name);
        print_value(&print, &fields[i], &reader.value);
    }
    ampel_print_word(&print, "}\n");
    return ampel_print_size(&print);
}

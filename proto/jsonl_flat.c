#include "proto/jsonl_flat.h"

#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/draft.h"
#include "proto/text.h"

/* No type of event has as many fields; a line with more is not flat. */
#define FIELDS_MAX 16
/* 18 digits fit an int64_t whatever they are. */
#define DIGITS_MAX 18

struct flat_field {
    struct ampel_text key;
    struct ampel_value value;
};

struct flat {
    struct ampel_value tenant, seller, marketplace, type, at; /* kind OTHER while not given */
    uint32_t fields_count;
    struct flat_field fields[FIELDS_MAX];
};

/* ---- tokens --------------------------------------------------------------------------------- */

static const char *space_over(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static uint64_t each(uint64_t byte) {
    return byte * UINT64_C(0x0101010101010101);
}

/* A high bit where a byte is below bound; nothing is said about bytes behind the first such. */
static uint64_t below(uint64_t word, uint64_t bound) {
    return (word - each(bound)) & ~word & each(0x80);
}

/* The first byte that is no plain text: a quote, a backslash, a control character or the beginning of what is not ASCII. */
static const char *text_end(const char *at, const char *end) {
    for (; end - at >= 8; at += 8) {
        uint64_t word = ampel_load_u64(at);
        uint64_t stop = below(word ^ each('"'), 1) | below(word ^ each('\\'), 1) | below(word, 0x20) |
                        (word & each(0x80));
        if (stop != 0) return at + __builtin_ctzll(stop) / 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && *at < 0x7f)
        at++;
    return at;
}

/* Each returns what follows the token, NULL where it is none of ours. */
static const char *take_text(const char *at, const char *end, struct ampel_text *out) {
    if (at == end || *at != '"') return NULL;
    const char *from = at + 1, *to = text_end(from, end);
    if (to == end || *to != '"') return NULL;
    *out = (struct ampel_text){from, (uint32_t)(to - from)};
    return to + 1;
}

static const char *take_integer(const char *at, const char *end, struct ampel_value *out) {
    const char *from = at;
    int64_t value = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - from < DIGITS_MAX)
        value = value * 10 + (*at++ - '0');
    if (at == from || (*from == '0' && at - from > 1)) return NULL;
    *out = (struct ampel_value){.kind = AMPEL_VALUE_INTEGER, .integer = value};
    return at;
}

static const char *take_word(const char *at, const char *end, const char *word, size_t size) {
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

static const char *take_value(const char *at, const char *end, struct ampel_value *out) {
    if (at == end) return NULL;
    switch (*at) {
    case '"':
        *out = (struct ampel_value){.kind = AMPEL_VALUE_TEXT};
        return take_text(at, end, &out->text);
    case 't':
        *out = (struct ampel_value){.kind = AMPEL_VALUE_BOOLEAN, .boolean = true};
        return take_word(at, end, "true", 4);
    case 'f':
        *out = (struct ampel_value){.kind = AMPEL_VALUE_BOOLEAN};
        return take_word(at, end, "false", 5);
    default:
        return take_integer(at, end, out);
    }
}

/* ---- the object ----------------------------------------------------------------------------- */

static bool key_is(struct ampel_text key, const char *word, uint32_t size) {
    return key.size == size && memcmp(key.bytes, word, size) == 0;
}

/* Where a value of this key goes; NULL where there is no room, or a common field stands twice (of the others the draft
 * knows). */
static struct ampel_value *place_of(struct flat *flat, struct ampel_text key) {
    struct ampel_value *common = NULL;
    if (key_is(key, "at", 2)) common = &flat->at;
    if (key_is(key, "type", 4)) common = &flat->type;
    if (key_is(key, "seller", 6)) common = &flat->seller;
    if (key_is(key, "tenant", 6)) common = &flat->tenant;
    if (key_is(key, "marketplace", 11)) common = &flat->marketplace;
    if (common != NULL) return common->kind == AMPEL_VALUE_OTHER ? common : NULL;
    if (flat->fields_count == FIELDS_MAX) return NULL;
    flat->fields[flat->fields_count].key = key;
    return &flat->fields[flat->fields_count++].value;
}

static const char *take_member(const char *at, const char *end, struct flat *flat) {
    struct ampel_text key;
    at = take_text(space_over(at, end), end, &key);
    if (at == NULL) return NULL;
    at = space_over(at, end);
    if (at == end || *at != ':') return NULL;
    struct ampel_value *place = place_of(flat, key);
    if (place == NULL) return NULL;
    at = take_value(space_over(at + 1, end), end, place);
    return at == NULL ? NULL : space_over(at, end);
}

static bool tokens(struct ampel_text line, struct flat *flat) {
    const char *end = line.bytes + line.size;
    const char *at = space_over(line.bytes, end);
    flat->tenant.kind = flat->seller.kind = flat->marketplace.kind = AMPEL_VALUE_OTHER;
    flat->type.kind = flat->at.kind = AMPEL_VALUE_OTHER;
    flat->fields_count = 0;
    if (at == end || *at != '{') return false;
    do {
        at = take_member(at + 1, end, flat);
        if (at == NULL || at == end) return false;
    } while (*at == ',');
    return *at == '}' && space_over(at + 1, end) == end;
}

/* ---- the event ------------------------------------------------------------------------------ */

static bool put_part(const struct ampel_value *value, struct ampel_text fallback, uint8_t *bytes,
                     struct ampel_text *out) {
    struct ampel_text text = value->kind == AMPEL_VALUE_TEXT ? value->text : fallback;
    if (value->kind != AMPEL_VALUE_TEXT && value->kind != AMPEL_VALUE_OTHER) return false;
    if (!ampel_id_valid(text, true)) return false;
    memcpy(bytes, text.bytes, text.size);
    *out = (struct ampel_text){(const char *)bytes, text.size};
    return true;
}

bool ampel_jsonl_flat(struct ampel_text line, int64_t sent_at_ms, struct ampel_text fallback_tenant,
                      struct ampel_jsonl_event *out) {
    const struct ampel_text none = {NULL, 0};
    const char *text = "";
    struct ampel_draft draft;
    struct flat flat;
    uint8_t type;
    int64_t at_ms;
    if (!tokens(line, &flat) || flat.type.kind != AMPEL_VALUE_TEXT ||
        !ampel_registry_code(AMPEL_REGISTRY_EVENT_TYPE, flat.type.text, &type) ||
        ampel_value_time(&flat.at, &at_ms) != AMPEL_VERDICT_OK)
        return false;
    uint8_t *bytes = out->bytes;
    if (!put_part(&flat.tenant, fallback_tenant, bytes, &out->tenant) ||
        !put_part(&flat.seller, none, bytes + AMPEL_ID_BYTES_MAX, &out->seller) ||
        !put_part(&flat.marketplace, none, bytes + 2 * AMPEL_ID_BYTES_MAX, &out->marketplace))
        return false;
    ampel_draft_reset(&draft, type, at_ms, bytes + 3 * AMPEL_ID_BYTES_MAX, AMPEL_EXTRAS_BYTES_MAX);
    for (uint32_t i = 0; i < flat.fields_count; i++)
        if (ampel_draft_put(&draft, flat.fields[i].key, &flat.fields[i].value, &text) != AMPEL_VERDICT_OK)
            return false;
    if (ampel_draft_check(&draft, sent_at_ms, &text) != AMPEL_VERDICT_OK) return false;
    out->event = draft.event;
    return true;
}

#include "proto/document_part.h"

#include <string.h>

#include "engine/registry.h"
#include "proto/draft.h"
#include "proto/text.h"
#include "proto/time.h"

bool ampel_document_fail(struct ampel_document_writer *writer, const char *path,
                         const char *reason) {
    return ampel_error_set(writer->error, path, "%s", reason);
}

bool ampel_document_fail_kind(struct ampel_document_writer *writer, const char *path,
                              const char *wanted, const struct ampel_json *value) {
    if (value == NULL) return ampel_error_set(writer->error, path, "is missing");
    return ampel_error_set(writer->error, path, "must be %s, is %s", wanted,
                           ampel_json_kind_name(ampel_json_kind(value)));
}

/* ---- events --------------------------------------------------------------------------------- */

void ampel_document_event(struct ampel_document_writer *writer, enum ampel_event_type type,
                          int64_t at_ms) {
    ampel_event_reset(&writer->out.event, (uint8_t)type, at_ms);
    writer->extras = (struct ampel_extras_writer){
        .bytes = writer->out.bytes + 3 * AMPEL_ID_BYTES_MAX, .capacity = AMPEL_EXTRAS_BYTES_MAX};
}

/* A part of the account at its place among the event's bytes. */
static struct ampel_text keep(struct ampel_document_writer *writer, uint32_t part,
                              struct ampel_text text) {
    uint8_t *place = writer->out.bytes + (size_t)part * AMPEL_ID_BYTES_MAX;
    if (text.size > 0) memcpy(place, text.bytes, text.size);
    return (struct ampel_text){(const char *)place, text.size};
}

static bool check_id(struct ampel_document_writer *writer, struct ampel_text text, const char *path,
                     const char *part) {
    if (text.size == 0)
        return ampel_error_set(writer->error, path, "the document names no %s, and none was given",
                               part);
    if (ampel_id_valid(text, true)) return true;
    return ampel_error_set(writer->error, path,
                           "the %s must be 1 to 64 characters without space or slash", part);
}

bool ampel_document_account_check(struct ampel_document_writer *writer) {
    const struct ampel_document_account *account = writer->account;
    return (account->tenant.size == 0 || check_id(writer, account->tenant, "", "tenant")) &&
           (account->seller.size == 0 || check_id(writer, account->seller, "", "seller")) &&
           (account->marketplace.size == 0 ||
            check_id(writer, account->marketplace, "", "marketplace"));
}

bool ampel_document_tell(struct ampel_document_writer *writer, struct ampel_text seller,
                         struct ampel_text marketplace, const char *path) {
    struct ampel_jsonl_event *out = &writer->out;
    if (seller.size == 0) seller = writer->account->seller;
    if (marketplace.size == 0) marketplace = writer->account->marketplace;
    if (!check_id(writer, seller, path, "seller") ||
        !check_id(writer, marketplace, path, "marketplace"))
        return false;
    out->tenant = keep(writer, 0, writer->account->tenant);
    out->seller = keep(writer, 1, seller);
    out->marketplace = keep(writer, 2, marketplace);
    out->event.extras = writer->extras.bytes;
    out->event.extras_size = writer->extras.size;
    const char *field;
    enum ampel_verdict verdict = ampel_draft_judge(&out->event, INT64_MIN, &field);
    if (verdict != AMPEL_VERDICT_OK)
        return ampel_document_fail(writer, path, ampel_verdict_sentence((uint8_t)verdict));
    if (writer->sink == NULL) return true;
    writer->counts->events++;
    writer->sink(writer->context, out);
    return true;
}

bool ampel_document_status(struct ampel_document_writer *writer, const struct ampel_json *value,
                           const char *path, uint8_t *code) {
    static const struct {
        const char *word, *name;
    } words[] = {
        {"NORMAL", "normal"},
        {"AT_RISK", "at_risk"},
        {"DEACTIVATED", "deactivated"},
        {"SUSPENDED", "deactivated"},
    };
    struct ampel_text text;
    if (!ampel_json_text(value, &text))
        return ampel_document_fail_kind(writer, path, "a text", value);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(words); i++) {
        if (!ampel_text_is(text, words[i].word)) continue;
        return ampel_registry_code(AMPEL_REGISTRY_ACCOUNT_STATUS, ampel_text_of(words[i].name),
                                   code);
    }
    return ampel_document_fail(writer, path, "must be NORMAL, AT_RISK, DEACTIVATED or SUSPENDED");
}

/* ---- times ---------------------------------------------------------------------------------- */

#define TIME_TEXT_MAX 48

/* Seconds have at most ten digits until the year 2286; milliseconds have more since 1973. */
static bool time_of_number(int64_t number, int64_t *out_ms) {
    if (number < 0) return false;
    int64_t at_ms = number < INT64_C(10000000000) ? number * 1000 : number;
    if (at_ms > AMPEL_TIME_MAX_MS) return false;
    *out_ms = at_ms;
    return true;
}

static bool digits_only(struct ampel_text text) {
    for (uint32_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return false;
    }
    return text.size > 0;
}

static bool time_of_digits(struct ampel_text text, int64_t *out_ms) {
    if (text.size < 10 || text.size > 13) return false; /* 20201118 is a date, but whose? */
    int64_t number = 0;
    for (uint32_t i = 0; i < text.size; i++)
        number = number * 10 + (text.bytes[i] - '0');
    return time_of_number(number, out_ms);
}

/* The text with what RFC 3339 asks for and documents leave out. */
static bool time_of_completed(struct ampel_text text, const char *rest, int64_t *out_ms) {
    char bytes[TIME_TEXT_MAX + 32];
    uint32_t rest_size = (uint32_t)strlen(rest);
    memcpy(bytes, text.bytes, text.size);
    memcpy(bytes + text.size, rest, rest_size);
    return ampel_time_decode((struct ampel_text){bytes, text.size + rest_size}, out_ms);
}

/* "+0100" as "+01:00". */
static bool time_of_bare_zone(struct ampel_text text, int64_t *out_ms) {
    if (text.size < 16) return false;
    char sign = text.bytes[text.size - 5];
    if (sign != '+' && sign != '-') return false;
    char minutes[] = {':', text.bytes[text.size - 2], text.bytes[text.size - 1], '\0'};
    text.size -= 2;
    return time_of_completed(text, minutes, out_ms);
}

bool ampel_document_time(const struct ampel_json *value, bool end, int64_t *out_ms) {
    int64_t number;
    struct ampel_text text;
    if (ampel_json_integer(value, &number)) return time_of_number(number, out_ms);
    if (!ampel_json_text(value, &text) || text.size == 0 || text.size > TIME_TEXT_MAX) return false;
    if (digits_only(text)) return time_of_digits(text, out_ms);
    if (ampel_time_decode(text, out_ms)) return true;
    if (text.size == 10)
        return time_of_completed(text, end ? "T23:59:59.999Z" : "T00:00:00Z", out_ms);
    return time_of_bare_zone(text, out_ms) || time_of_completed(text, "Z", out_ms);
}

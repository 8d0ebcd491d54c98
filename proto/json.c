/* An ampel_json is jansson's json_t under our name; the casts live here. */
#include "proto/json.h"

#include <jansson.h>

#define JSON_SCALED_MAX 1e15

static const json_t *inner(const struct ampel_json *value) {
    return (const json_t *)value;
}
static const struct ampel_json *outer(const json_t *value) {
    return (const struct ampel_json *)value;
}

struct ampel_json *ampel_json_open(struct ampel_text text, struct ampel_error *error) {
    json_error_t problem;
    if (text.size == 0) {
        ampel_error_set(error, "", "the document is empty");
        return NULL;
    }
    json_t *root =
        json_loadb(text.bytes, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (root == NULL) {
        ampel_error_set(error, "", "not valid JSON: %s", problem.text);
        if (error != NULL && problem.line > 0) error->line = (uint32_t)problem.line;
    }
    return (struct ampel_json *)root;
}

void ampel_json_close(struct ampel_json *root) {
    json_decref((json_t *)root);
}

enum ampel_json_kind ampel_json_kind(const struct ampel_json *value) {
    if (value == NULL) return AMPEL_JSON_NULL;
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return AMPEL_JSON_OBJECT;
    case JSON_ARRAY:
        return AMPEL_JSON_ARRAY;
    case JSON_STRING:
        return AMPEL_JSON_TEXT;
    case JSON_INTEGER:
        return AMPEL_JSON_INTEGER;
    case JSON_REAL:
        return AMPEL_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return AMPEL_JSON_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return AMPEL_JSON_NULL;
}

const char *ampel_json_kind_name(enum ampel_json_kind kind) {
    switch (kind) {
    case AMPEL_JSON_NULL:
        break;
    case AMPEL_JSON_BOOLEAN:
        return "true or false";
    case AMPEL_JSON_INTEGER:
        return "a whole number";
    case AMPEL_JSON_REAL:
        return "a number with decimals";
    case AMPEL_JSON_TEXT:
        return "a text";
    case AMPEL_JSON_ARRAY:
        return "a list";
    case AMPEL_JSON_OBJECT:
        return "an object";
    }
    return "null";
}

const struct ampel_json *ampel_json_get(const struct ampel_json *object, const char *key) {
    return outer(json_object_get(inner(object), key));
}

uint32_t ampel_json_count(const struct ampel_json *value) {
    if (ampel_json_kind(value) == AMPEL_JSON_ARRAY) return (uint32_t)json_array_size(inner(value));
    return (uint32_t)json_object_size(inner(value));
}

const struct ampel_json *ampel_json_at(const struct ampel_json *array, uint32_t index) {
    return outer(json_array_get(inner(array), index));
}

bool ampel_json_next(const struct ampel_json *object, const void **cursor, struct ampel_text *key,
                     const struct ampel_json **value) {
    if (ampel_json_kind(object) != AMPEL_JSON_OBJECT) return false;
    /* jansson's iterators take the object without const, but do not write to it. */
    json_t *walked = (json_t *)(uintptr_t)inner(object);
    void *place = *cursor == NULL ? json_object_iter(walked)
                                  : json_object_iter_next(walked, (void *)(uintptr_t)*cursor);
    if (place == NULL) return false;
    *cursor = place;
    key->bytes = json_object_iter_key(place);
    key->size = (uint32_t)json_object_iter_key_len(place);
    *value = outer(json_object_iter_value(place));
    return true;
}

bool ampel_json_text(const struct ampel_json *value, struct ampel_text *out) {
    if (ampel_json_kind(value) != AMPEL_JSON_TEXT) return false;
    out->bytes = json_string_value(inner(value));
    out->size = (uint32_t)json_string_length(inner(value));
    return true;
}

bool ampel_json_boolean(const struct ampel_json *value, bool *out) {
    if (ampel_json_kind(value) != AMPEL_JSON_BOOLEAN) return false;
    *out = json_is_true(inner(value));
    return true;
}

bool ampel_json_integer(const struct ampel_json *value, int64_t *out) {
    if (ampel_json_kind(value) != AMPEL_JSON_INTEGER) return false;
    *out = json_integer_value(inner(value));
    return true;
}

bool ampel_json_real(const struct ampel_json *value, double *out) {
    if (ampel_json_kind(value) != AMPEL_JSON_REAL) return false;
    *out = json_real_value(inner(value));
    return true;
}

/* Scaled and rounded; *distance is what rounding took. */
static bool scale_number(const struct ampel_json *value, int64_t scale, int64_t *out,
                         double *distance) {
    enum ampel_json_kind kind = ampel_json_kind(value);
    if (kind != AMPEL_JSON_INTEGER && kind != AMPEL_JSON_REAL) return false;
    double scaled = json_number_value(inner(value)) * (double)scale;
    if (!(scaled >= -JSON_SCALED_MAX && scaled <= JSON_SCALED_MAX)) return false;
    *out = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    double taken = scaled - (double)*out;
    *distance = taken < 0 ? -taken : taken;
    return true;
}

bool ampel_json_scaled(const struct ampel_json *value, int64_t scale, int64_t *out) {
    double distance;
    return scale_number(value, scale, out, &distance);
}

bool ampel_json_scaled_exactly(const struct ampel_json *value, int64_t scale, int64_t *out) {
    double distance;
    int64_t whole;
    if (!scale_number(value, scale, &whole, &distance)) return false;
    /* One more digit is at least 0.1 away, and a double's own error is below 1e-3 up to 10^12. */
    if (distance >= 1e-3) return false;
    *out = whole;
    return true;
}

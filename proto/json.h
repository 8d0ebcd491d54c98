/* JSON values: the one place that knows jansson. Reading is bounded (nesting of 2048, no zero
   bytes, valid UTF-8, no doubled keys); what a value means is its reader's business.

   A document owns its values: whatever `get`, `at`, `next` and `text` give is borrowed until close.
 */
#ifndef AMPEL_PROTO_JSON_H
#define AMPEL_PROTO_JSON_H

#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_json; /* one value of a document, or the document's root */

enum ampel_json_kind {
    AMPEL_JSON_NULL,
    AMPEL_JSON_BOOLEAN,
    AMPEL_JSON_INTEGER,
    AMPEL_JSON_REAL,
    AMPEL_JSON_TEXT,
    AMPEL_JSON_ARRAY,
    AMPEL_JSON_OBJECT,
};

/* Any one value with nothing after it. NULL with error's line and reason where the bytes are no
   JSON, a key of an object is doubled, or a number does not fit. Lifetime: until close. Thread:
   any, one at a time for a document. */
AMPEL_MUST_CHECK struct ampel_json *ampel_json_open(struct ampel_text text,
                                                    struct ampel_error *error);
void ampel_json_close(struct ampel_json *root); /* NULL is fine; only for what open returned */

/* Readers take NULL for a value that is not there: its kind is NULL, nothing can be read from it.
 */
enum ampel_json_kind ampel_json_kind(const struct ampel_json *value);
/* "a number", "an object", ...: the kind for people. */
const char *ampel_json_kind_name(enum ampel_json_kind kind);

/* The value under a key; NULL where it is absent or the value is no object. */
const struct ampel_json *ampel_json_get(const struct ampel_json *object, const char *key);
/* How many entries an array or object has, else 0. */
uint32_t ampel_json_count(const struct ampel_json *value);
/* An entry of an array; NULL beyond it. */
const struct ampel_json *ampel_json_at(const struct ampel_json *array, uint32_t index);
/* Walks an object's entries in the order of the text; *cursor starts NULL. False at the end or for
   no object. The key is terminated by a zero, too. */
AMPEL_MUST_CHECK bool ampel_json_next(const struct ampel_json *object, const void **cursor,
                                      struct ampel_text *key, const struct ampel_json **value);

/* False where the value is of another kind. A text of "" has size 0. */
AMPEL_MUST_CHECK bool ampel_json_text(const struct ampel_json *value, struct ampel_text *out);
AMPEL_MUST_CHECK bool ampel_json_boolean(const struct ampel_json *value, bool *out);
/* Whole numbers written as such: 5, not 5.0. */
AMPEL_MUST_CHECK bool ampel_json_integer(const struct ampel_json *value, int64_t *out);
/* A number with decimals or an exponent, as the double nearest to it. */
AMPEL_MUST_CHECK bool ampel_json_real(const struct ampel_json *value, double *out);
/* A number times scale (1..1 000 000), rounded to the nearest whole, halves away from zero: how
   0.0349 becomes 34 900 ppm. Also false where the result leaves +-10^15. */
AMPEL_MUST_CHECK bool ampel_json_scaled(const struct ampel_json *value, int64_t scale,
                                        int64_t *out);
/* The same, but false where rounding would change the number by more than a double's own
   error: 12.50 are 1250 cents, 12.505 are none. */
AMPEL_MUST_CHECK bool ampel_json_scaled_exactly(const struct ampel_json *value, int64_t scale,
                                                int64_t *out);

#ifdef __cplusplus
}
#endif

#endif

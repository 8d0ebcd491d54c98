/* Text into the caller's bytes, bounded: once something does not fit, nothing follows and size is
 * 0. */
#ifndef AMPEL_PROTO_PRINT_H
#define AMPEL_PROTO_PRINT_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_print {
    char *bytes;
    uint32_t capacity;
    uint32_t size;
    bool full; /* something did not fit */
};

void ampel_print_text(struct ampel_print *print, struct ampel_text text);
void ampel_print_word(struct ampel_print *print, const char *word);
void ampel_print_integer(struct ampel_print *print, int64_t number);
void ampel_print_unsigned(struct ampel_print *print, uint64_t number);
/* With quotes; quotes, backslashes and control characters escaped. The text is valid UTF-8. */
void ampel_print_json(struct ampel_print *print, struct ampel_text text);
/* RFC 3339 in quotes. */
void ampel_print_time(struct ampel_print *print, int64_t at_ms);
/* Decimal digits at the start of at, which has room for 20; behind the last one. */
char *ampel_print_digits(char *at, uint64_t number);
/* What was written, 0 if it did not fit. */
AMPEL_MUST_CHECK uint32_t ampel_print_size(const struct ampel_print *print);

/* Objects: `{` and members with their commas. A member's value follows its key. */
void ampel_print_key(struct ampel_print *print, const char *key);

#ifdef __cplusplus
}
#endif

#endif

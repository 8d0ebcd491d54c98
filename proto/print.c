#include "proto/print.h"

#include <string.h>

#include "proto/text.h"
#include "proto/time.h"

#define DIGITS_MAX 20 /* of a u64 */

static void put(struct ampel_print *print, const char *bytes, uint32_t size) {
    if (print->full || print->capacity - print->size < size) {
        print->full = true;
        return;
    }
    if (size > 0) memcpy(print->bytes + print->size, bytes, size);
    print->size += size;
}

void ampel_print_text(struct ampel_print *print, struct ampel_text text) {
    put(print, text.bytes, text.size);
}

void ampel_print_word(struct ampel_print *print, const char *word) {
    put(print, word, (uint32_t)strlen(word));
}

char *ampel_print_digits(char *at, uint64_t number) {
    char digits[DIGITS_MAX];
    uint32_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + first, sizeof digits - first);
    return at + (sizeof digits - first);
}

void ampel_print_unsigned(struct ampel_print *print, uint64_t number) {
    char digits[DIGITS_MAX];
    put(print, digits, (uint32_t)(ampel_print_digits(digits, number) - digits));
}

void ampel_print_integer(struct ampel_print *print, int64_t number) {
    if (number < 0) put(print, "-", 1);
    ampel_print_unsigned(print, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void put_escaped(struct ampel_print *print, char byte) {
    static const char digits[] = "0123456789abcdef";
    uint8_t code = (uint8_t)byte;
    if (byte == '"' || byte == '\\') {
        char escaped[2] = {'\\', byte};
        put(print, escaped, 2);
        return;
    }
    char escaped[6] = {'\\', 'u', '0', '0', digits[code >> 4], digits[code & 15]};
    put(print, escaped, 6);
}

/* Whether nothing in the text must be escaped: the common case, looked at without a branch for each byte. */
static bool plain(struct ampel_text text) {
    uint32_t odd = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.bytes[i];
        odd |= (byte < 0x20) | (byte == 0x7f) | (byte == '"') | (byte == '\\');
    }
    return odd == 0;
}

void ampel_print_json(struct ampel_print *print, struct ampel_text text) {
    uint32_t start = 0;
    put(print, "\"", 1);
    if (plain(text)) start = text.size;
    if (start > 0) put(print, text.bytes, start);
    if (start == text.size) {
        put(print, "\"", 1);
        return;
    }
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.bytes[i];
        if (byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\') continue;
        put(print, text.bytes + start, i - start);
        put_escaped(print, text.bytes[i]);
        start = i + 1;
    }
    if (text.size > 0) put(print, text.bytes + start, text.size - start);
    put(print, "\"", 1);
}

void ampel_print_time(struct ampel_print *print, int64_t at_ms) {
    char text[AMPEL_TIME_SIZE];
    ampel_time_encode(at_ms, text);
    put(print, "\"", 1);
    put(print, text, AMPEL_TIME_SIZE - 1);
    put(print, "\"", 1);
}

uint32_t ampel_print_size(const struct ampel_print *print) {
    return print->full ? 0 : print->size;
}

void ampel_print_key(struct ampel_print *print, const char *key) {
    /* After an opening brace a key is the first. */
    bool first = print->size > 0 && !print->full && print->bytes[print->size - 1] == '{';
    if (!first) put(print, ",", 1);
    ampel_print_json(print, ampel_text_of(key));
    put(print, ":", 1);
}

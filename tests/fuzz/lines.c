/* Mutations of texts of lines: lines go, come twice, take each other's place; a number in one
 * becomes another. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define LINES_MAX 512
#define BYTES_MAX (1 << 15)

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* Where each line begins, and behind the last one the size. Returns how many lines there are. */
static uint32_t lines_read(const uint8_t *bytes, size_t size, uint32_t begins[LINES_MAX + 1]) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < size && count < LINES_MAX; count++) {
        const uint8_t *end = memchr(bytes + at, '\n', size - at);
        begins[count] = at;
        at = end != NULL ? (uint32_t)(end - bytes) + 1 : (uint32_t)size;
        begins[count + 1] = at;
    }
    return count;
}

static size_t put(uint8_t *bytes, size_t size, size_t size_max, uint32_t from, uint32_t to,
                  const uint8_t *with, size_t with_size) {
    if (size - (to - from) + with_size > size_max) return size;
    memmove(bytes + from + with_size, bytes + to, size - to);
    if (with_size > 0) memcpy(bytes + from, with, with_size);
    return size - (to - from) + with_size;
}

static size_t number_change(uint8_t *bytes, size_t size, size_t size_max, uint32_t from,
                            uint32_t to, struct ampel_random *random) {
    uint8_t digits[4];
    while (from < to && !is_digit(bytes[from]))
        from++;
    uint32_t end = from;
    while (end < to && is_digit(bytes[end]))
        end++;
    if (from == end) return size;
    size_t count = 1 + ampel_random_below(random, sizeof digits);
    for (size_t i = 0; i < count; i++)
        digits[i] = (uint8_t)('0' + ampel_random_below(random, 10));
    return put(bytes, size, size_max, from, end, digits, count);
}

size_t fuzz_mutate_lines(uint8_t *bytes, size_t size, size_t size_max,
                         struct ampel_random *random) {
    static uint32_t begins[LINES_MAX + 1];
    static uint8_t piece[BYTES_MAX + 64];
    uint32_t count = lines_read(bytes, size, begins);
    if (count == 0 || size > BYTES_MAX) return LLVMFuzzerMutate(bytes, size, size_max);
    uint64_t line = ampel_random_below(random, count), other = ampel_random_below(random, count);
    uint32_t from = begins[line], to = begins[line + 1];
    size_t piece_size;
    uint64_t action = ampel_random_below(random, 8);
    switch (action) {
    case 0:
        return put(bytes, size, size_max, from, to, NULL, 0);
    case 1: /* in its place */
    case 2: /* before it */
        piece_size = begins[other + 1] - begins[other];
        memcpy(piece, bytes + begins[other], piece_size);
        return put(bytes, size, size_max, from, action == 1 ? to : from, piece, piece_size);
    case 3:
    case 4:
        return number_change(bytes, size, size_max, from, to, random);
    default:
        piece_size = to - from;
        memcpy(piece, bytes + from, piece_size);
        piece_size = LLVMFuzzerMutate(piece, piece_size, piece_size + 32);
        return put(bytes, size, size_max, from, to, piece, piece_size);
    }
}

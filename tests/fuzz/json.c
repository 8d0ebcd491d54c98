/* Mutations of JSON texts: tokens (texts, numbers, words, brackets with all that is in them) take
   each other's place, so that the text stays one that the reader looks into. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define TOKENS_MAX 512
#define BYTES_MAX  (1 << 15)

struct token {
    uint32_t from, to;
};

static bool is_word(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte == '-' ||
           byte == '+' || byte == '.' || byte == 'E';
}

static uint32_t text_end(const uint8_t *bytes, uint32_t size, uint32_t from) {
    uint32_t at = from + 1;
    while (at < size && bytes[at] != '"')
        at += bytes[at] == '\\' ? 2 : 1;
    return at < size ? at + 1 : size;
}

/* Brackets count as one token from the opening to the closing one, and what is in them as tokens,
 * too. */
static uint32_t tokens_read(const uint8_t *bytes, uint32_t size, struct token tokens[TOKENS_MAX]) {
    uint32_t count = 0, depth = 0, open[64];
    for (uint32_t at = 0; at < size && count < TOKENS_MAX;) {
        uint8_t byte = bytes[at];
        uint32_t to = at + 1;
        if (byte == '"') {
            to = text_end(bytes, size, at);
            tokens[count++] = (struct token){at, to};
        } else if (is_word(byte)) {
            while (to < size && is_word(bytes[to]))
                to++;
            tokens[count++] = (struct token){at, to};
        } else if (byte == '{' || byte == '[') {
            if (depth < 64) open[depth++] = count;
            tokens[count++] = (struct token){at, size};
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            tokens[open[--depth]].to = to;
        }
        at = to;
    }
    return count;
}

static size_t put(uint8_t *bytes, size_t size, size_t size_max, struct token token,
                  const void *with, size_t with_size) {
    if (size - (token.to - token.from) + with_size > size_max) return size;
    memmove(bytes + token.from + with_size, bytes + token.to, size - token.to);
    if (with_size > 0) memcpy(bytes + token.from, with, with_size);
    return size - (token.to - token.from) + with_size;
}

size_t fuzz_mutate_json(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random) {
    static const char *const words[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-1",
                                        "1e3",
                                        "0.5",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "12.50",
                                        "\"a\"",
                                        "99999999999999999999"};
    static struct token tokens[TOKENS_MAX];
    static uint8_t piece[BYTES_MAX + 64];
    if (size == 0 || size > BYTES_MAX) return LLVMFuzzerMutate(bytes, size, size_max);
    uint32_t count = tokens_read(bytes, (uint32_t)size, tokens);
    if (count == 0) return LLVMFuzzerMutate(bytes, size, size_max);
    struct token token = tokens[ampel_random_below(random, count)];
    struct token other = tokens[ampel_random_below(random, count)];
    size_t piece_size = token.to - token.from;
    switch (ampel_random_below(random, 8)) {
    case 0: {
        const char *word = words[ampel_random_below(random, AMPEL_ARRAY_COUNT(words))];
        return put(bytes, size, size_max, token, word, strlen(word));
    }
    case 1: /* with the comma behind it, if there is one */
        if (token.to < size && bytes[token.to] == ',') token.to++;
        return put(bytes, size, size_max, token, NULL, 0);
    case 2: /* twice */
        memcpy(piece, bytes + token.from, piece_size);
        piece[piece_size] = ',';
        return put(bytes, size, size_max, (struct token){token.from, token.from}, piece,
                   piece_size + 1);
    case 3:
    case 4:
        memcpy(piece, bytes + other.from, other.to - other.from);
        return put(bytes, size, size_max, token, piece, other.to - other.from);
    case 5: /* one digit */
        for (size_t at = token.from + ampel_random_below(random, piece_size); at < token.to; at++) {
            if (bytes[at] < '0' || bytes[at] > '9') continue;
            bytes[at] = (uint8_t)('0' + ampel_random_below(random, 10));
            break;
        }
        return size;
    default: /* what is between quotes, or the number */
        if (bytes[token.from] == '"' && piece_size >= 2) {
            token.from++;
            token.to--;
            piece_size -= 2;
        }
        memcpy(piece, bytes + token.from, piece_size);
        piece_size = LLVMFuzzerMutate(piece, piece_size, piece_size + 32);
        return put(bytes, size, size_max, token, piece, piece_size);
    }
}

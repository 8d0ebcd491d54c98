/* Small words about borrowed texts. */
#ifndef AMPEL_PROTO_TEXT_H
#define AMPEL_PROTO_TEXT_H

#include <string.h>

#include "engine/base.h"

/* Whether a text is a word of ours. */
static inline bool ampel_text_is(struct ampel_text text, const char *word) {
    size_t size = strlen(word);
    return text.size == size && memcmp(text.bytes, word, size) == 0;
}

static inline struct ampel_text ampel_text_of(const char *word) {
    return (struct ampel_text){word, (uint32_t)strlen(word)};
}

#endif

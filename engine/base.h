/* What every room shares: texts, attributes, asserts. Nothing here allocates. */
#ifndef AMPEL_ENGINE_BASE_H
#define AMPEL_ENGINE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_MUST_CHECK         __attribute__((warn_unused_result))
/* For what is all prefetches: gcc takes such a function for one without effects and drops its calls,
   unless it is part of its caller before that is looked at. */
#define AMPEL_INLINE static inline __attribute__((always_inline))
/* Apart from its callers, which seldom need it: within them it would take registers that they save each time. */
#define AMPEL_APART __attribute__((noinline))
#define AMPEL_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Borrowed bytes, not terminated; size 0 means absent. */
struct ampel_text {
    const char *bytes;
    uint32_t size;
};

static inline bool ampel_text_equal(struct ampel_text left, struct ampel_text right) {
    return left.size == right.size && (left.size == 0 || memcmp(left.bytes, right.bytes, left.size) == 0);
}
/* Below, equal to or above 0, bytewise; of two texts that agree the shorter one is less, so a missing one is least. */
static inline int ampel_text_compare(struct ampel_text a, struct ampel_text b) {
    uint32_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.bytes, b.bytes, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}
/* What a text begins with, as a number in the order of texts: where two numbers differ, texts do in the same way. */
static inline uint64_t ampel_text_beginning(struct ampel_text text) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < sizeof(number); i++)
        number = number << 8 | (i < text.size ? (uint8_t)text.bytes[i] : 0);
    return number;
}

/* The one thing the engine may call: we are wrong, stop. Defined by each program, never returns. */
__attribute__((noreturn)) void ampel_panic(const char *file, int line, const char *condition);

/* Stays on in release builds. Never for bytes, configuration or the clock. */
#define AMPEL_ASSERT(condition) \
    ((condition) ? (void)0 : ampel_panic(__FILE__, __LINE__, #condition))

/* Expensive checks, on in dev, simulation and fuzzing builds. */
#ifdef AMPEL_PARANOID
#define AMPEL_ASSERT_PARANOID(condition) AMPEL_ASSERT(condition)
#else
#define AMPEL_ASSERT_PARANOID(condition) ((void)0)
#endif

/* Injected memory. take returns NULL when there is none; give gets the size that was taken.
   Alignment is at most 64. Thread: that of the owner. */
struct ampel_memory {
    void *context;
    void *(*take)(void *context, size_t size, size_t alignment);
    void (*give)(void *context, void *block, size_t size);
};

#ifdef __cplusplus
}
#endif

#endif

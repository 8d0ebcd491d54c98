/* What every room shares: texts, attributes, asserts. Nothing here allocates. */
#ifndef AMPEL_ENGINE_BASE_H
#define AMPEL_ENGINE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AMPEL_MUST_CHECK         __attribute__((warn_unused_result))
/* For what is all prefetches: gcc takes such a function for one without effects and drops its calls,
   unless it is part of its caller before that is looked at. */
#define AMPEL_INLINE static inline __attribute__((always_inline))
#define AMPEL_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Borrowed bytes, not terminated; size 0 means absent. */
struct ampel_text {
    const char *bytes;
    uint32_t size;
};

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

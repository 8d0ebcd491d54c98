/* System calls of the real disk and allocations of the worker's own code, counted, and one of them failing. Thread: one. */
#ifndef AMPEL_TESTS_EVERYPOINT_CALLS_H
#define AMPEL_TESTS_EVERYPOINT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calls {
    bool counted;       /* calls are those of the worker's disk now */
    uint64_t count;     /* so far */
    uint64_t fail_at;   /* the call with this number fails; UINT64_MAX: none */
    int fail_with;      /* errno */
    bool part;          /* a write or read of more than a byte takes a part and succeeds, instead */
    bool lies;          /* a planted bug: such a write says that it took all */
    const char *failed; /* the name of the one that did, NULL: none yet */
};
extern struct calls calls;

struct allocations {
    bool counted; /* the worker is at work, and not those around it */
    uint64_t count;
    uint64_t fail_at; /* UINT64_MAX: none */
};
extern struct allocations allocations;

/* What malloc and the others are called in the archives that points links (CMakeLists.txt). */
void *points_malloc(size_t size);
void *points_calloc(size_t count, size_t size);
void *points_realloc(void *block, size_t size);
void *points_aligned_alloc(size_t alignment, size_t size);

#endif

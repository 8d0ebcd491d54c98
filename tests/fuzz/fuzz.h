/* What the fuzz targets share. A target is one file that reads its input with one reader of ours
   and asserts what that reader promises; libFuzzer gives it a block of exactly the input's size, so
   a read beyond it is seen.

   A finding is a crash, a sanitizer's report, a leak, a hang, or an assert that does not hold. */
#ifndef AMPEL_TESTS_FUZZ_H
#define AMPEL_TESTS_FUZZ_H

#include "engine/event.h"
#include "tests/oracle/random.h"

/* Called by libFuzzer; each target defines the first, some the second. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed);
/* libFuzzer's own mutations. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max);

/* The bug of a target's canary program: where the condition holds the reader is said to have
   failed. The ordinary program has none. */
#ifdef AMPEL_FUZZ_CANARY
#define FUZZ_CANARY(condition)             \
    do {                                   \
        if (condition) fuzz_canary_sing(); \
    } while (0)
#else
#define FUZZ_CANARY(condition) ((void)sizeof(condition))
#endif
/* Says "canary found" and stops. */
__attribute__((noreturn)) void fuzz_canary_sing(void);

/* The input as a script: bytes that decide what happens. Beyond its end everything is 0. */
struct fuzz_script {
    const uint8_t *bytes;
    size_t size, offset;
};
static inline bool fuzz_done(const struct fuzz_script *script) {
    return script->offset >= script->size;
}
static inline uint8_t fuzz_u8(struct fuzz_script *script) {
    return fuzz_done(script) ? 0 : script->bytes[script->offset++];
}
static inline uint16_t fuzz_u16(struct fuzz_script *script) {
    uint16_t low = fuzz_u8(script);
    return (uint16_t)(low | fuzz_u8(script) << 8);
}
static inline uint32_t fuzz_u32(struct fuzz_script *script) {
    uint32_t low = fuzz_u16(script);
    return low | (uint32_t)fuzz_u16(script) << 16;
}
static inline uint64_t fuzz_u64(struct fuzz_script *script) {
    uint64_t low = fuzz_u32(script);
    return low | (uint64_t)fuzz_u32(script) << 32;
}
/* 0..count-1 */
static inline uint32_t fuzz_below(struct fuzz_script *script, uint32_t count) {
    return (count <= 256 ? fuzz_u8(script) : fuzz_u32(script)) % count;
}

/* Changes some bytes where they stand: binary forms whose sizes must agree seldom survive an
 * insertion. */
void fuzz_mutate_in_place(uint8_t *bytes, size_t size, struct ampel_random *random);

/* pack.c: a msgpack message with some value changed and every count that must follow. */
size_t fuzz_mutate_pack(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random);

/* json.c: a JSON text with some token changed, left out, or put in place of another. */
size_t fuzz_mutate_json(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random);

/* lines.c: a text of lines with one of them changed. */
size_t fuzz_mutate_lines(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random);

/* The same event in every byte. */
AMPEL_MUST_CHECK bool fuzz_event_equal(const struct ampel_event *left,
                                       const struct ampel_event *right);

/* The memory of engines. */
struct ampel_memory fuzz_memory(void);

#endif

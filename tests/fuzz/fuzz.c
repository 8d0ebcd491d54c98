#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_canary_sing(void) {
    fprintf(stderr, "canary found\n");
    abort();
}

void fuzz_mutate_in_place(uint8_t *bytes, size_t size, struct ampel_random *random) {
    static const uint8_t words[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    uint8_t piece[16];
    if (size == 0) return;
    if (ampel_random_chance(random, 30)) {
        uint8_t *byte = bytes + ampel_random_below(random, size);
        *byte = ampel_random_chance(random, 50)
                    ? words[ampel_random_below(random, sizeof words)]
                    : (uint8_t)(*byte ^ 1u << ampel_random_below(random, 8));
        return;
    }
    size_t piece_size = 1 + ampel_random_below(random, sizeof piece);
    if (piece_size > size) piece_size = size;
    size_t offset = ampel_random_below(random, size - piece_size + 1);
    memcpy(piece, bytes + offset, piece_size);
    size_t mutated = LLVMFuzzerMutate(piece, piece_size, piece_size);
    memcpy(bytes + offset, piece, mutated);
}

bool fuzz_event_equal(const struct ampel_event *left, const struct ampel_event *right) {
    return left->at_ms == right->at_ms && left->count == right->count && left->rev == right->rev &&
           left->points == right->points && left->type == right->type &&
           left->policy == right->policy && left->severity == right->severity &&
           left->code == right->code && left->extras_size == right->extras_size &&
           (left->extras_size == 0 || memcmp(left->extras, right->extras, left->extras_size) == 0);
}

static void *take(void *context, size_t size, size_t alignment) {
    void *block = NULL;
    (void)context;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void give(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

struct ampel_memory fuzz_memory(void) {
    return (struct ampel_memory){.take = take, .give = give};
}

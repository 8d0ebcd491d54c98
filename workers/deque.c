#include "workers/deque.h"

#include <stdlib.h>

#define CHUNK_THINGS 128
#define CHUNKS_FIRST 4

static void ***chunk_at(const struct ampel_deque *deque, uint64_t number) {
    return &deque->chunks[number / CHUNK_THINGS & (deque->chunks_capacity - 1)];
}

/* Room for the chunk that begins at `end`. */
static bool chunks_reserve(struct ampel_deque *deque) {
    const uint64_t used = deque->end / CHUNK_THINGS - deque->first / CHUNK_THINGS;
    if (used < deque->chunks_capacity) return true;
    struct ampel_deque grown = *deque;
    grown.chunks_capacity = deque->chunks_capacity == 0 ? CHUNKS_FIRST : deque->chunks_capacity * 2;
    grown.chunks = malloc(grown.chunks_capacity * sizeof(grown.chunks[0]));
    if (grown.chunks == NULL) return false;
    for (uint64_t i = 0, number = deque->first; i < used; i++, number += CHUNK_THINGS)
        *chunk_at(&grown, number) = *chunk_at(deque, number);
    free(deque->chunks);
    *deque = grown;
    return true;
}

static bool chunk_make(struct ampel_deque *deque) {
    if (!chunks_reserve(deque)) return false;
    void **chunk = malloc(CHUNK_THINGS * sizeof(chunk[0]));
    if (chunk == NULL) return false;
    *chunk_at(deque, deque->end) = chunk;
    return true;
}

bool ampel_deque_push(struct ampel_deque *deque, void *thing) {
    if (deque->end % CHUNK_THINGS == 0 && !chunk_make(deque)) return false;
    (*chunk_at(deque, deque->end))[deque->end % CHUNK_THINGS] = thing;
    deque->end++;
    return true;
}

void *ampel_deque_at(const struct ampel_deque *deque, uint64_t index) {
    AMPEL_ASSERT(index < ampel_deque_count(deque));
    const uint64_t number = deque->first + index;
    return (*chunk_at(deque, number))[number % CHUNK_THINGS];
}

void *ampel_deque_pop(struct ampel_deque *deque) {
    void *thing = ampel_deque_at(deque, 0);
    if (++deque->first % CHUNK_THINGS == 0) free(*chunk_at(deque, deque->first - 1));
    return thing;
}

uint64_t ampel_deque_count(const struct ampel_deque *deque) {
    return deque->end - deque->first;
}

void ampel_deque_reset(struct ampel_deque *deque) {
    for (uint64_t chunk = deque->first / CHUNK_THINGS; chunk * CHUNK_THINGS < deque->end; chunk++)
        free(*chunk_at(deque, chunk * CHUNK_THINGS));
    free(deque->chunks);
    *deque = (struct ampel_deque){0};
}

/* Memory of one checkpoint: blocks that grow, freed at once.

       arena ──▶ newest block ──▶ older block ──▶ ...      each: link, then bytes taken from the
   front */
#include <stdlib.h>
#include <string.h>

#include "workers/checkpoint.h"

#define BLOCK_BYTES_LEAST ((size_t)16 * 1024)
#define BLOCK_BYTES_MOST  ((size_t)1024 * 1024)

struct block {
    struct block *older;
    size_t capacity;
    size_t used;
    _Alignas(8) unsigned char bytes[];
};

struct ampel_arena {
    struct block *newest;
    size_t next_bytes;
};

struct ampel_arena *ampel_arena_open(void) {
    struct ampel_arena *arena = malloc(sizeof(*arena));
    if (arena != NULL) *arena = (struct ampel_arena){.next_bytes = BLOCK_BYTES_LEAST};
    return arena;
}

void ampel_arena_close(struct ampel_arena *arena) {
    if (arena == NULL) return;
    while (arena->newest != NULL) {
        struct block *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
    free(arena);
}

static bool grow(struct ampel_arena *arena, size_t size) {
    size_t capacity = arena->next_bytes > size ? arena->next_bytes : size;
    if (capacity > SIZE_MAX - sizeof(struct block)) return false;
    struct block *block = malloc(sizeof(*block) + capacity);
    if (block == NULL) return false;
    block->older = arena->newest;
    block->capacity = capacity;
    block->used = 0;
    arena->newest = block;
    if (arena->next_bytes < BLOCK_BYTES_MOST) arena->next_bytes *= 2;
    return true;
}

void *ampel_arena_take(struct ampel_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + 7) & ~(size_t)7;
    struct block *block = arena->newest;
    if (block == NULL || size > block->capacity - block->used) {
        if (!grow(arena, size)) return NULL;
        block = arena->newest;
    }
    void *taken = block->bytes + block->used;
    block->used += size;
    return taken;
}

bool ampel_arena_text(struct ampel_arena *arena, struct ampel_text text, struct ampel_text *out) {
    if (text.size == 0) {
        *out = (struct ampel_text){"", 0};
        return true;
    }
    char *bytes = ampel_arena_take(arena, text.size);
    if (bytes == NULL) return false;
    memcpy(bytes, text.bytes, text.size);
    *out = (struct ampel_text){bytes, text.size};
    return true;
}

void ampel_checkpoint_free(struct ampel_checkpoint *checkpoint) {
    if (checkpoint == NULL) return;
    for (uint32_t i = 0; i < checkpoint->outs_count; i++) {
        ampel_parcel_out_free(checkpoint->outs[i]);
    }
    free(checkpoint->outs);
    for (uint32_t i = 0; i < checkpoint->folded_count; i++)
        ampel_folded_release(checkpoint->folded[i]);
    free(checkpoint->folded);
    ampel_arena_close(checkpoint->arena);
    free(checkpoint);
}

/* How many runs of changes there are that share their rules: rules change seldom. */
static uint32_t runs_count(const struct ampel_checkpoint *checkpoint) {
    uint32_t runs = 0;
    for (uint32_t i = 0; i < checkpoint->folded_count; i++)
        runs += i == 0 || ampel_folded_rules(checkpoint->folded[i]) != ampel_folded_rules(checkpoint->folded[i - 1]);
    return runs;
}

bool ampel_checkpoint_unfold(struct ampel_checkpoint *checkpoint) {
    if (checkpoint->folded_count == 0 || checkpoint->outs_count > 0) return true;
    struct ampel_parcel_out **outs = calloc(runs_count(checkpoint), sizeof(outs[0]));
    if (outs == NULL) return false;
    uint32_t outs_count = 0;
    for (uint32_t i = 0; i < checkpoint->folded_count; i += outs[outs_count++]->told_count) {
        outs[outs_count] = ampel_folded_open(checkpoint->folded + i, checkpoint->folded_count - i);
        if (outs[outs_count] != NULL) {
            outs[outs_count]->partition = checkpoint->partition;
            continue;
        }
        while (outs_count > 0)
            ampel_parcel_out_free(outs[--outs_count]);
        free(outs);
        return false;
    }
    free(checkpoint->outs);
    checkpoint->outs = outs;
    checkpoint->outs_count = outs_count;
    return true;
}

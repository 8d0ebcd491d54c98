/* A set of 128-bit hashes by open addressing. A slot with both halves 0 is empty; a hash that is 0
   is stored as 1.

   As bytes: "AMPELM1\n", count u64, count x (low u64, high u64, day i64) ascending, xxh3_64 of all
   before. */
#include "proto/document_memory.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bounds.h"
#include "engine/load.h"
#include "proto/hash.h"

#define MAGIC          "AMPELM1\n"
#define MAGIC_BYTES    8
#define HEAD_BYTES     (MAGIC_BYTES + 8)
#define ENTRY_BYTES    24
#define TAIL_BYTES     8
#define CAPACITY_FIRST 1024
/* 64 Mi entries are two years of 90 000 orders a day; beyond it something else is wrong. */
#define ENTRIES_MAX (UINT32_C(1) << 26)

struct entry {
    uint64_t low, high;
    int64_t day;
};

struct ampel_document_memory {
    struct entry *entries;
    uint32_t capacity; /* a power of two, more than half of it empty */
    uint32_t count;
};

static_assert(sizeof(struct entry) == ENTRY_BYTES, "entries are written as they are");

struct ampel_document_memory *ampel_document_memory_open(void) {
    struct ampel_document_memory *memory = malloc(sizeof(*memory));
    if (memory == NULL) return NULL;
    *memory = (struct ampel_document_memory){.capacity = CAPACITY_FIRST};
    memory->entries = calloc(memory->capacity, sizeof(struct entry));
    if (memory->entries != NULL) return memory;
    free(memory);
    return NULL;
}

void ampel_document_memory_close(struct ampel_document_memory *memory) {
    if (memory == NULL) return;
    free(memory->entries);
    free(memory);
}

uint32_t ampel_document_memory_count(const struct ampel_document_memory *memory) {
    return memory->count;
}

void ampel_document_memory_key_of(struct ampel_document_memory_key *key, char kind,
                                  const struct ampel_text *parts, uint32_t parts_count) {
    /* Each part with its size before it, so that "a","bc" differs from "ab","c". Twice, with
     * another first byte. */
    uint8_t bytes[AMPEL_DOCUMENT_KEY_BYTES_MAX];
    uint32_t size = 2;
    bytes[1] = (uint8_t)kind;
    for (uint32_t i = 0; i < parts_count; i++) {
        AMPEL_ASSERT(size + 4 + parts[i].size <= sizeof(bytes));
        ampel_store_u32(bytes + size, parts[i].size);
        if (parts[i].size > 0) memcpy(bytes + size + 4, parts[i].bytes, parts[i].size);
        size += 4 + parts[i].size;
    }
    bytes[0] = 1;
    key->low = ampel_hash_bytes(bytes, size);
    bytes[0] = 2;
    key->high = ampel_hash_bytes(bytes, size);
    if (key->low == 0 && key->high == 0) key->low = 1;
}

/* Where a key stands or would stand. */
static struct entry *slot_of(const struct ampel_document_memory *memory, uint64_t low,
                             uint64_t high) {
    for (uint32_t i = (uint32_t)low;; i++) {
        struct entry *entry = &memory->entries[i & (memory->capacity - 1)];
        if ((entry->low == low && entry->high == high) || (entry->low == 0 && entry->high == 0))
            return entry;
    }
}

static bool filled(const struct entry *entry) {
    return entry->low != 0 || entry->high != 0;
}

bool ampel_document_memory_has(const struct ampel_document_memory *memory,
                               const struct ampel_document_memory_key *key) {
    return filled(slot_of(memory, key->low, key->high));
}

bool ampel_document_memory_reserve(struct ampel_document_memory *memory, uint32_t more) {
    if (more > ENTRIES_MAX || memory->count > ENTRIES_MAX - more) return false;
    uint32_t capacity = memory->capacity;
    while (capacity / 2 < memory->count + more)
        capacity *= 2;
    if (capacity == memory->capacity) return true;
    struct ampel_document_memory grown = {.capacity = capacity, .count = memory->count};
    grown.entries = calloc(capacity, sizeof(struct entry));
    if (grown.entries == NULL) return false;
    for (uint32_t i = 0; i < memory->capacity; i++) {
        const struct entry *entry = &memory->entries[i];
        if (filled(entry)) *slot_of(&grown, entry->low, entry->high) = *entry;
    }
    free(memory->entries);
    *memory = grown;
    return true;
}

void ampel_document_memory_add(struct ampel_document_memory *memory,
                               const struct ampel_document_memory_key *key, int64_t day) {
    struct entry *entry = slot_of(memory, key->low, key->high);
    if (filled(entry)) return;
    AMPEL_ASSERT(memory->count < memory->capacity / 2);
    *entry = (struct entry){key->low, key->high, day};
    memory->count++;
}

/* ---- as bytes ------------------------------------------------------------------------------- */

size_t ampel_document_memory_export_size_max(const struct ampel_document_memory *memory) {
    return HEAD_BYTES + (size_t)memory->count * ENTRY_BYTES + TAIL_BYTES;
}

static int compare_entries(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    if (a->low != b->low) return a->low < b->low ? -1 : 1;
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    return 0;
}

size_t ampel_document_memory_export(const struct ampel_document_memory *memory,
                                    int64_t forget_before_ms, uint8_t *bytes, size_t capacity) {
    if (capacity < ampel_document_memory_export_size_max(memory)) return 0;
    int64_t first_day = forget_before_ms <= 0 ? 0 : forget_before_ms / AMPEL_DAY_MS;
    struct entry *sorted = malloc((size_t)memory->count * sizeof(struct entry) + 1);
    if (sorted == NULL) return 0;
    uint64_t count = 0;
    for (uint32_t i = 0; i < memory->capacity; i++) {
        const struct entry *entry = &memory->entries[i];
        if (filled(entry) && entry->day >= first_day) sorted[count++] = *entry;
    }
    qsort(sorted, count, sizeof(struct entry), compare_entries);
    memcpy(bytes, MAGIC, MAGIC_BYTES);
    memcpy(bytes + MAGIC_BYTES, &count, sizeof(count));
    memcpy(bytes + HEAD_BYTES, sorted, count * ENTRY_BYTES);
    free(sorted);
    size_t size = HEAD_BYTES + count * ENTRY_BYTES;
    uint64_t sum = ampel_hash_bytes(bytes, size);
    memcpy(bytes + size, &sum, sizeof(sum));
    return size + TAIL_BYTES;
}

bool ampel_document_memory_import(struct ampel_document_memory *memory, const uint8_t *bytes,
                                  size_t size, struct ampel_error *error) {
    if (size < HEAD_BYTES + TAIL_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return ampel_error_set(error, "", "is no memory of imported documents");
    uint64_t count = ampel_load_u64(bytes + MAGIC_BYTES);
    if (count > ENTRIES_MAX || size != HEAD_BYTES + count * ENTRY_BYTES + TAIL_BYTES ||
        ampel_load_u64(bytes + size - TAIL_BYTES) != ampel_hash_bytes(bytes, size - TAIL_BYTES))
        return ampel_error_set(error, "", "the memory of imported documents is damaged");
    if (!ampel_document_memory_reserve(memory, (uint32_t)count))
        return ampel_error_set(error, "", "there is no memory");
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *entry = bytes + HEAD_BYTES + i * ENTRY_BYTES;
        struct ampel_document_memory_key key = {ampel_load_u64(entry), ampel_load_u64(entry + 8)};
        if (key.low == 0 && key.high == 0) continue;
        ampel_document_memory_add(memory, &key, ampel_load_i64(entry + 16));
    }
    return true;
}

#include "workers/folded.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

struct ampel_shared_face {
    atomic_uint holders;
    struct ampel_rules_face face;
};

struct ampel_folded {
    struct ampel_shared_face *face;
    uint64_t position, number;
    atomic_uint holders;
    uint32_t place;
    uint16_t size;
    uint8_t signals_count, stream;
    bool stored;
    uint8_t bytes[]; /* from the next address that signals may have, where there are any */
};

#define BYTES_AT   offsetof(struct ampel_folded, bytes)
#define SIGNALS_AT ((BYTES_AT + 7) / 8 * 8)

/* Of a change all up to its cause's texts, as words. */
#define CHANGE_BYTES (offsetof(struct ampel_change, cause) + offsetof(struct ampel_cause, id))
#define WORDS        ((CHANGE_BYTES + 7) / 8)
#define MAP_BYTES    4
#define TEXTS_COUNT  3
/* Which words are told again by others. */
#define AT_WORD       (offsetof(struct ampel_change, at_ms) / 8)
#define CAUSE_AT_WORD ((offsetof(struct ampel_change, cause) + offsetof(struct ampel_cause, at_ms)) / 8)
#define BEFORE_WORD   (offsetof(struct ampel_change, before) / 8)
#define AFTER_WORD    (offsetof(struct ampel_change, after) / 8)
#define NUMBERS_WORDS (sizeof(struct ampel_numbers) / 8)
static_assert(offsetof(struct ampel_change, cause) + sizeof(struct ampel_cause) == sizeof(struct ampel_change) &&
                  sizeof(struct ampel_cause) - offsetof(struct ampel_cause, id) - 2 * AMPEL_ID_BYTES_MAX < 8,
              "the texts of a cause are the end of a change");
static_assert(WORDS <= 8 * MAP_BYTES, "each word has a bit in the map");
static_assert(_Alignof(struct ampel_numbers) == 8 && sizeof(struct ampel_numbers) % 8 == 0, "numbers are whole words");
static_assert(_Alignof(struct ampel_signal) <= 8, "signals stand at a multiple of eight");
static_assert(AMPEL_ID_BYTES_MAX <= UINT8_MAX, "the size of an id fits a byte");
static_assert(AMPEL_KINDS_MAX <= UINT8_MAX, "the number of signals fits a byte");
static_assert(SIGNALS_AT + AMPEL_KINDS_MAX * sizeof(struct ampel_signal) + TEXTS_COUNT + MAP_BYTES + 9 * WORDS +
                      5 * AMPEL_ID_BYTES_MAX <=
                  UINT16_MAX,
              "the size of a block fits its field");

/* ---- faces ---------------------------------------------------------------------------------- */

void ampel_shared_face_release(struct ampel_shared_face *face) {
    if (face == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&face->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders == 1) free(face);
}

bool ampel_shared_face_renew(struct ampel_shared_face **face, const struct ampel_rules_face *wanted) {
    if (*face != NULL && memcmp(&(*face)->face, wanted, sizeof(*wanted)) == 0) return true;
    struct ampel_shared_face *made = malloc(sizeof(*made));
    if (made == NULL) return false;
    atomic_init(&made->holders, 1);
    made->face = *wanted;
    ampel_shared_face_release(*face);
    *face = made;
    return true;
}

/* ---- words ---------------------------------------------------------------------------------- */

/* Takes out of the words what others of them tell, or puts it back: what is equal becomes zero. */
static void repeats_mix(uint64_t words[WORDS]) {
    words[CAUSE_AT_WORD] ^= words[AT_WORD];
    for (uint32_t i = 0; i < NUMBERS_WORDS; i++)
        words[AFTER_WORD + i] ^= words[BEFORE_WORD + i];
}

static void words_of(const struct ampel_change *change, uint64_t words[WORDS]) {
    words[WORDS - 1] = 0;
    memcpy(words, change, CHANGE_BYTES);
    repeats_mix(words);
}

/* The lowest bit of each byte that is not zero. */
static uint64_t bytes_set(uint64_t word) {
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    return ((((word & low) + low) | word) & ~low) >> 7;
}

static uint32_t bytes_count(uint64_t set) {
    return (uint32_t)(set * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t words_size(const uint64_t words[WORDS]) {
    uint32_t size = MAP_BYTES;
    for (uint32_t i = 0; i < WORDS; i++)
        size += (words[i] != 0) + bytes_count(bytes_set(words[i]));
    return size;
}

/* A map of the words that are not zero; of each of them a map of its bytes that are not zero, and these. */
static void words_put(uint8_t **to, const uint64_t words[WORDS]) {
    uint8_t *const map_at = *to, *at = map_at + MAP_BYTES;
    uint32_t map = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        if (words[i] == 0) continue;
        const uint64_t set = bytes_set(words[i]);
        map |= UINT32_C(1) << i;
        *at++ = (uint8_t)(set * UINT64_C(0x0102040810204080) >> 56); /* bit k: byte k */
        for (uint64_t left = set; left != 0; left &= left - 1)
            *at++ = (uint8_t)(words[i] >> __builtin_ctzll(left));
    }
    memcpy(map_at, &map, sizeof(map));
    *to = at;
}

static void words_take(const uint8_t **from, uint64_t words[WORDS]) {
    const uint8_t *at = *from + MAP_BYTES;
    uint32_t map;
    memcpy(&map, *from, sizeof(map));
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] = 0;
        if ((map >> i & 1) == 0) continue;
        const uint8_t bytes_map = *at++;
        for (uint32_t k = 0; k < 8; k++)
            if ((bytes_map >> k & 1) != 0) words[i] |= (uint64_t)*at++ << (8 * k);
    }
    *from = at;
}

/* ---- folding -------------------------------------------------------------------------------- */

static uint32_t signals_count(const struct ampel_told *told) {
    return told->signals == NULL ? 0 : told->change.signals_count;
}

/* Where a block's bytes go on behind its signals. */
static uint32_t signals_end(uint32_t count) {
    return (uint32_t)(count == 0 ? BYTES_AT : SIGNALS_AT + count * sizeof(struct ampel_signal));
}

/* The head of a block from malloc, and who points to it: its stream, its partition and its checkpoint. */
#define BESIDE_BYTES 40

static uint32_t folded_size(const struct ampel_told *told, const uint64_t words[WORDS]) {
    const struct ampel_cause *cause = &told->change.cause;
    return signals_end(signals_count(told)) + TEXTS_COUNT + words_size(words) + cause->id_size + cause->producer_size + told->tenant.size + told->seller.size + told->marketplace.size;
}

uint32_t ampel_folded_size(const struct ampel_told *told) {
    uint64_t words[WORDS];
    words_of(&told->change, words);
    return BESIDE_BYTES + folded_size(told, words);
}

static void put(uint8_t **at, const void *bytes, size_t size) {
    if (size > 0) memcpy(*at, bytes, size);
    *at += size;
}

static void told_put(const struct ampel_told *told, const uint64_t words[WORDS], struct ampel_folded *folded) {
    const struct ampel_cause *cause = &told->change.cause;
    const uint8_t sizes[TEXTS_COUNT] = {(uint8_t)told->tenant.size, (uint8_t)told->seller.size,
                                        (uint8_t)told->marketplace.size};
    uint8_t *at = (uint8_t *)folded + signals_end(folded->signals_count);
    if (folded->signals_count > 0)
        memcpy((uint8_t *)folded + SIGNALS_AT, told->signals, folded->signals_count * sizeof(told->signals[0]));
    put(&at, sizes, sizeof(sizes));
    words_put(&at, words);
    put(&at, cause->id, cause->id_size);
    put(&at, cause->producer, cause->producer_size);
    put(&at, told->tenant.bytes, told->tenant.size);
    put(&at, told->seller.bytes, told->seller.size);
    put(&at, told->marketplace.bytes, told->marketplace.size);
}

struct ampel_folded *ampel_folded_make(const struct ampel_told *told, uint64_t position, struct ampel_shared_face *face) {
    uint64_t words[WORDS];
    words_of(&told->change, words);
    const uint32_t size = folded_size(told, words);
    AMPEL_ASSERT(signals_count(told) <= AMPEL_KINDS_MAX);
    struct ampel_folded *folded = malloc(size);
    if (folded == NULL) return NULL;
    atomic_init(&folded->holders, 1);
    atomic_fetch_add_explicit(&face->holders, 1, memory_order_relaxed);
    folded->face = face;
    folded->position = position;
    folded->number = told->number;
    folded->size = (uint16_t)size;
    folded->place = 0;
    folded->stored = false;
    folded->signals_count = (uint8_t)signals_count(told);
    folded->stream = (uint8_t)told->stream;
    told_put(told, words, folded);
    return folded;
}

void ampel_folded_hold(struct ampel_folded *folded) {
    atomic_fetch_add_explicit(&folded->holders, 1, memory_order_relaxed);
}

void ampel_folded_release(struct ampel_folded *folded) {
    if (folded == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&folded->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders > 1) return;
    ampel_shared_face_release(folded->face);
    free(folded);
}

uint64_t ampel_folded_position(const struct ampel_folded *folded) { return folded->position; }

uint64_t ampel_folded_number(const struct ampel_folded *folded) { return folded->number; }

uint32_t ampel_folded_bytes(const struct ampel_folded *folded) { return BESIDE_BYTES + folded->size; }

const struct ampel_rules_face *ampel_folded_rules(const struct ampel_folded *folded) { return &folded->face->face; }

uint32_t ampel_folded_place(const struct ampel_folded *folded) { return folded->place; }

void ampel_folded_place_set(struct ampel_folded *folded, uint32_t place) { folded->place = place; }

bool ampel_folded_stored(const struct ampel_folded *folded) { return folded->stored; }

void ampel_folded_stored_set(struct ampel_folded *folded) { folded->stored = true; }

/* ---- opening -------------------------------------------------------------------------------- */

static void take(const uint8_t **at, void *to, size_t size) {
    if (size > 0) memcpy(to, *at, size);
    *at += size;
}

static struct ampel_text text_at(const uint8_t **at, uint32_t size) {
    struct ampel_text text = {(const char *)*at, size};
    *at += size;
    return text;
}

static void change_take(const uint8_t **at, struct ampel_change *change) {
    uint64_t words[WORDS];
    words_take(at, words);
    repeats_mix(words);
    memcpy(change, words, CHANGE_BYTES);
    take(at, change->cause.id, change->cause.id_size);
    take(at, change->cause.producer, change->cause.producer_size);
}

void ampel_folded_read(const struct ampel_folded *folded, struct ampel_told *told) {
    const uint8_t *at = (const uint8_t *)folded + signals_end(folded->signals_count);
    *told = (struct ampel_told){.number = folded->number, .stream = (enum ampel_stream)folded->stream};
    if (folded->signals_count > 0)
        told->signals = (const struct ampel_signal *)(const void *)((const uint8_t *)folded + SIGNALS_AT);
    const uint8_t *const sizes = at;
    at += TEXTS_COUNT;
    change_take(&at, &told->change);
    told->tenant = text_at(&at, sizes[0]);
    told->seller = text_at(&at, sizes[1]);
    told->marketplace = text_at(&at, sizes[2]);
    ampel_hash_change(told->tenant, told->seller, told->marketplace, &told->change, told->id);
}

struct ampel_parcel_out *ampel_folded_open(struct ampel_folded *const *folded, uint32_t count) {
    AMPEL_ASSERT(count > 0);
    uint32_t alike = 1;
    while (alike < count && folded[alike]->face == folded[0]->face)
        alike++;
    struct ampel_parcel_out *out = calloc(1, sizeof(*out));
    if (out == NULL) return NULL;
    out->parcel.kind = AMPEL_PARCEL_OUT;
    out->position = folded[alike - 1]->position;
    out->rules = folded[0]->face->face;
    out->told = malloc(alike * sizeof(out->told[0]));
    if (out->told == NULL) {
        ampel_parcel_out_free(out);
        return NULL;
    }
    for (; out->told_count < alike; out->told_count++)
        ampel_folded_read(folded[out->told_count], &out->told[out->told_count]);
    return out;
}

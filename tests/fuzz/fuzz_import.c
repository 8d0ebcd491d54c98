/* Pages and meta into an engine: any bytes are taken or refused, whatever they say. An engine that took them gives bytes
   that lead to the same state, and lives on.

   input    pieces: size u16, bytes; the first is the meta, the others are pages in their order */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/load.h"
#include "proto/batch.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

#define PAGES_MAX 4

struct piece {
    uint8_t *bytes; /* a block of its own size */
    uint32_t size;
};
struct image {
    struct piece meta, pages[PAGES_MAX];
    uint32_t pages_count;
};

static struct ampel_rules rules;
static struct ampel_batch_builder *builder;

static struct ampel_engine *engine_open(void) {
    struct ampel_engine *engine = NULL;
    struct ampel_engine_options options = {.memory = fuzz_memory(), .rules = &rules};
    AMPEL_ASSERT(ampel_engine_open(&options, &engine) == AMPEL_ENGINE_OK);
    return engine;
}

static struct piece piece_take(const uint8_t *bytes, uint32_t size) {
    struct piece piece = {malloc(size), size};
    AMPEL_ASSERT(size == 0 || piece.bytes != NULL);
    if (size > 0) memcpy(piece.bytes, bytes, size);
    return piece;
}

static void image_read(const uint8_t *bytes, size_t size, struct image *out) {
    *out = (struct image){0};
    for (uint32_t i = 0; size >= 2 && i <= PAGES_MAX; i++) {
        uint32_t one = ampel_load_u16(bytes);
        if (one > size - 2) one = (uint32_t)size - 2;
        struct piece piece = piece_take(bytes + 2, one);
        if (i == 0)
            out->meta = piece;
        else
            out->pages[out->pages_count++] = piece;
        bytes += 2 + one;
        size -= 2 + one;
    }
}

static void image_reset(struct image *image) {
    free(image->meta.bytes);
    for (uint32_t i = 0; i < image->pages_count; i++)
        free(image->pages[i].bytes);
}

static void image_export(const struct ampel_engine *engine, struct image *out) {
    *out = (struct image){.pages_count = ampel_engine_pages_count(engine)};
    AMPEL_ASSERT(out->pages_count <= PAGES_MAX);
    uint32_t size = ampel_engine_meta_export(engine, NULL, 0);
    out->meta = (struct piece){malloc(size), size};
    AMPEL_ASSERT(ampel_engine_meta_export(engine, out->meta.bytes, size) == size);
    for (uint32_t i = 0; i < out->pages_count; i++) {
        size = ampel_engine_page_export(engine, i, NULL, 0);
        out->pages[i] = (struct piece){malloc(size), size};
        AMPEL_ASSERT(ampel_engine_page_export(engine, i, out->pages[i].bytes, size) == size);
    }
}

static bool piece_equal(const struct piece *left, const struct piece *right) {
    return left->size == right->size &&
           (left->size == 0 || memcmp(left->bytes, right->bytes, left->size) == 0);
}

static bool image_equal(const struct image *left, const struct image *right) {
    bool equal = left->pages_count == right->pages_count && piece_equal(&left->meta, &right->meta);
    for (uint32_t i = 0; equal && i < left->pages_count; i++)
        equal = piece_equal(&left->pages[i], &right->pages[i]);
    return equal;
}

static enum ampel_engine_status image_import(struct ampel_engine *engine,
                                             const struct image *image) {
    enum ampel_engine_status status =
        ampel_engine_meta_import(engine, image->meta.bytes, image->meta.size);
    for (uint32_t i = 0; i < image->pages_count && status == AMPEL_ENGINE_OK; i++)
        status = ampel_engine_page_import(engine, i, image->pages[i].bytes, image->pages[i].size);
    return status == AMPEL_ENGINE_OK ? ampel_engine_import_finish(engine) : status;
}

/* An order for an account that may be there or not, and two years of time. */
static void live_on(struct ampel_engine *engine) {
    struct ampel_event event = {.type = AMPEL_EVENT_ORDER,
                                .at_ms = ampel_engine_now(engine),
                                .count = 3,
                                .points = -1,
                                .severity = AMPEL_SEVERITY_NOT_GIVEN,
                                .code = AMPEL_CODE_NONE};
    struct ampel_frame frame;
    struct ampel_apply_counts counts;
    bool done = false;
    ampel_batch_builder_reset(builder);
    AMPEL_ASSERT(
        ampel_batch_builder_push(builder, ampel_text_of("A1"), ampel_text_of("DE"), &event));
    AMPEL_ASSERT(ampel_batch_builder_frame(builder, ampel_text_of("agency"), &frame));
    AMPEL_ASSERT(ampel_engine_apply(engine, &frame, &counts) == AMPEL_ENGINE_OK);
    int64_t to_ms = ampel_engine_now(engine) + 4 * AMPEL_WINDOW_MS;
    while (!done)
        AMPEL_ASSERT(ampel_engine_advance(engine, to_ms, 10000, &done) == AMPEL_ENGINE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct image given, first, second;
    if (builder == NULL) {
        builder = ampel_batch_builder_open();
        ampel_rules_init(&rules);
    }
    image_read(bytes, size, &given);
    struct ampel_engine *engine = engine_open();
    enum ampel_engine_status status = image_import(engine, &given);
    AMPEL_ASSERT(status == AMPEL_ENGINE_OK || status == AMPEL_ENGINE_BAD_BYTES ||
                 status == AMPEL_ENGINE_NEWER);
    if (status == AMPEL_ENGINE_OK) {
        uint32_t changes;
        (void)ampel_engine_changes(engine, &changes);
        FUZZ_CANARY(changes > 0); /* numbers shown that are not those of the facts */
        struct ampel_engine *other = engine_open();
        image_export(engine, &first);
        AMPEL_ASSERT(image_import(other, &first) == AMPEL_ENGINE_OK);
        image_export(other, &second);
        AMPEL_ASSERT(image_equal(&first, &second));
        live_on(engine);
        image_reset(&first);
        image_reset(&second);
        ampel_engine_close(other);
    }
    ampel_engine_close(engine);
    image_reset(&given);
    return 0;
}

/* ---- the mutator ---------------------------------------------------------------------------- */

/* One piece becomes longer or shorter, and its size follows. */
static size_t piece_change(uint8_t *bytes, size_t size, size_t size_max,
                           struct ampel_random *random) {
    static uint8_t made[1 << 16];
    size_t at = 0, piece = ampel_random_below(random, 3);
    while (piece-- > 0 && size - at >= 2 && size - at - 2 > ampel_load_u16(bytes + at) + 2u)
        at += 2u + ampel_load_u16(bytes + at);
    if (size < at + 2) return size;
    size_t one = ampel_load_u16(bytes + at), rest;
    if (one > size - at - 2) one = size - at - 2;
    rest = size - at - 2 - one;
    memcpy(made, bytes + at + 2, one);
    size_t room = size_max - size > 32 ? 32 : size_max - size;
    size_t changed = LLVMFuzzerMutate(made, one, one + room);
    if (changed > UINT16_MAX) return size;
    memmove(bytes + at + 2 + changed, bytes + at + 2 + one, rest);
    memcpy(bytes + at + 2, made, changed);
    ampel_store_u16(bytes + at, (uint16_t)changed);
    return at + 2 + changed + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 30)) return piece_change(bytes, size, size_max, &random);
    fuzz_mutate_in_place(bytes, size, &random);
    return size;
}

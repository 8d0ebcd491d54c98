/* What the tests of the engine share: one engine, events one by one, and the numbers they lead to.
   Included by each of them once; everything is static. */
#ifndef AMPEL_TESTS_ENGINE_FIXTURE_H
#define AMPEL_TESTS_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

#define NOON   (INT64_C(20728) * AMPEL_DAY_MS + AMPEL_DAY_MS / 2)
#define DAY    AMPEL_DAY_MS
#define HOUR   AMPEL_HOUR_MS
#define UNUSED __attribute__((unused))

/* An allocator that counts, and fails from a chosen take on. */
struct fixture_memory {
    int64_t takes, bytes, fail_at;
};

static void *fixture_take(void *context, size_t size, size_t alignment) {
    struct fixture_memory *memory = context;
    if (memory->fail_at >= 0 && memory->takes >= memory->fail_at) return NULL;
    memory->takes++;
    memory->bytes += (int64_t)size;
    void *block = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    memset(block, 0xa5, size);
    return block;
}

static void fixture_give(void *context, void *block, size_t size) {
    struct fixture_memory *memory = context;
    memory->bytes -= (int64_t)size;
    free(block);
}

struct fixture {
    struct fixture_memory memory;
    struct ampel_rules rules;
    struct ampel_engine_options options;
    struct ampel_engine *engine;
    struct ampel_apply_counts counts;
    uint64_t sequence;
    bool backfill;
};

static struct ampel_text text(const char *bytes) {
    return (struct ampel_text){bytes, (uint32_t)strlen(bytes)};
}

UNUSED static void fixture_open(struct fixture *fixture, int64_t start_ms) {
    memset(fixture, 0, sizeof(*fixture));
    fixture->memory.fail_at = -1;
    ampel_rules_init(&fixture->rules);
    fixture->options = (struct ampel_engine_options){
        .memory = {&fixture->memory, fixture_take, fixture_give},
        .rules = &fixture->rules,
        .start_ms = start_ms,
    };
    assert_int_equal(ampel_engine_open(&fixture->options, &fixture->engine), AMPEL_ENGINE_OK);
}

/* Once more, after options or rules were changed. */
UNUSED static void fixture_reopen(struct fixture *fixture, int64_t start_ms) {
    ampel_engine_close(fixture->engine);
    fixture->options.start_ms = start_ms;
    fixture->options.rules = &fixture->rules;
    assert_int_equal(ampel_engine_open(&fixture->options, &fixture->engine), AMPEL_ENGINE_OK);
}

UNUSED static void fixture_close(struct fixture *fixture) {
    ampel_engine_close(fixture->engine);
    assert_int_equal(fixture->memory.bytes, 0);
}

static uint64_t fixture_hash(struct ampel_text seller) {
    uint64_t hash = 7;
    for (uint32_t i = 0; i < seller.size; i++) {
        hash = (hash ^ (uint8_t)seller.bytes[i]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return hash;
}

struct fixture_event {
    const char *seller;
    uint8_t type;
    int64_t at_ms;
    uint32_t count;
    uint16_t rev;
    int points; /* 0 is "not given" unless has_points */
    bool has_points;
    uint8_t policy;
    int severity; /* 0 is "not given"; SEVERITY(x) otherwise */
    uint8_t code;
    const char *id;
    const char *incident;
    int64_t compromised_from_ms; /* 0 is "not given" */
    const char *name;
    int64_t until_ms; /* 0 is "not given" */
    bool settled;
};
#define SEVERITY(x) ((x) + 1)

UNUSED static void fixture_send(struct fixture *fixture, const struct fixture_event *given,
                         const char *producer, uint64_t sequence) {
    uint8_t extras[256];
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    if (given->id != NULL) {
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text(given->id)));
    }
    if (given->incident != NULL) {
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_INCIDENT, text(given->incident)));
    }
    if (given->until_ms != 0) {
        assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_UNTIL, given->until_ms));
    }
    if (given->compromised_from_ms != 0) {
        assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_COMPROMISED_FROM,
                                            given->compromised_from_ms));
    }
    if (given->name != NULL) {
        assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_NAME, text(given->name)));
    }
    if (given->settled) assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_SETTLED, 1));
    struct ampel_frame_account account = {
        .seller = text(given->seller != NULL ? given->seller : "S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    uint32_t offsets[2] = {0, writer.size};
    uint32_t count = given->count != 0 || given->type == AMPEL_EVENT_ORDERS_DAY ? given->count : 1;
    uint16_t rev = given->rev != 0 || given->type != AMPEL_EVENT_ORDERS_DAY ? given->rev : 1;
    int16_t points = given->has_points || given->points != 0 ? (int16_t)given->points : -1;
    int8_t severity = (int8_t)(given->severity - 1);
    uint8_t code = given->type == AMPEL_EVENT_ORDER || given->type == AMPEL_EVENT_ORDERS_DAY ||
                           given->type == AMPEL_EVENT_VIOLATION ||
                           given->type == AMPEL_EVENT_PROFILE
                       ? AMPEL_CODE_NONE
                       : given->code;
    struct ampel_frame frame = {
        .stamp_ms = ampel_engine_now(fixture->engine),
        .sent_at_ms = ampel_engine_now(fixture->engine),
        .backfill = fixture->backfill,
        .tenant = text("t1"),
        .producer = text(producer),
        .sequence = sequence,
        .position = 1000 + sequence,
        .accounts_count = 1,
        .accounts = &account,
        .events_count = 1,
        .type = &given->type,
        .at = (const uint8_t *)&given->at_ms,
        .count = (const uint8_t *)&count,
        .policy = &given->policy,
        .severity = (const uint8_t *)&severity,
        .code = &code,
        .points = (const uint8_t *)&points,
        .rev = (const uint8_t *)&rev,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = writer.size,
    };
    assert_int_equal(ampel_engine_apply(fixture->engine, &frame, &fixture->counts),
                     AMPEL_ENGINE_OK);
}

/* One event in a frame of its own, without a producer. */
#define SEND(fixture, ...) \
    fixture_send((fixture), &(struct fixture_event){__VA_ARGS__}, "", (fixture)->sequence++)

UNUSED static void fixture_advance_by(struct fixture *fixture, int64_t to_ms, uint32_t steps_max) {
    bool done = false;
    while (!done) {
        assert_int_equal(ampel_engine_advance(fixture->engine, to_ms, steps_max, &done),
                         AMPEL_ENGINE_OK);
    }
}

UNUSED static void fixture_advance(struct fixture *fixture, int64_t to_ms) {
    fixture_advance_by(fixture, to_ms, UINT32_MAX);
    assert_int_equal(ampel_engine_now(fixture->engine), to_ms);
}

static uint32_t fixture_slot(const struct fixture *fixture, const char *seller) {
    return ampel_engine_account_find(fixture->engine, fixture_hash(text(seller)), text("t1"),
                                     text(seller), text("M1"));
}

UNUSED static struct ampel_numbers fixture_numbers(const struct fixture *fixture) {
    struct ampel_numbers numbers;
    uint32_t slot = fixture_slot(fixture, "S1");
    assert_int_not_equal(slot, AMPEL_SLOT_NONE);
    ampel_engine_numbers(fixture->engine, slot, &numbers);
    return numbers;
}

UNUSED static int fixture_score(const struct fixture *fixture) {
    return fixture_numbers(fixture).score;
}

UNUSED static struct ampel_violation fixture_violation(const struct fixture *fixture,
                                                       const char *id) {
    struct ampel_violation violation = {.at_ms = -1};
    uint32_t cursor = 0;
    while (ampel_engine_violation_next(fixture->engine, fixture_slot(fixture, "S1"), &cursor,
                                       &violation)) {
        if (violation.id.size == strlen(id) && memcmp(violation.id.bytes, id, strlen(id)) == 0) {
            return violation;
        }
    }
    return (struct ampel_violation){.at_ms = -1};
}

struct fixture_image {
    uint32_t meta_size, pages_count;
    uint8_t *meta;
    uint8_t **pages;
    uint32_t *page_sizes;
};

UNUSED static struct fixture_image fixture_export(const struct ampel_engine *engine) {
    struct fixture_image image = {0};
    image.meta_size = ampel_engine_meta_export(engine, NULL, 0);
    image.meta = malloc(image.meta_size);
    assert_int_equal(ampel_engine_meta_export(engine, image.meta, image.meta_size),
                     image.meta_size);
    image.pages_count = ampel_engine_pages_count(engine);
    image.pages = calloc(image.pages_count + 1, sizeof(*image.pages));
    image.page_sizes = calloc(image.pages_count + 1, sizeof(*image.page_sizes));
    for (uint32_t page = 0; page < image.pages_count; page++) {
        image.page_sizes[page] = ampel_engine_page_export(engine, page, NULL, 0);
        image.pages[page] = malloc(image.page_sizes[page]);
        assert_int_equal(
            ampel_engine_page_export(engine, page, image.pages[page], image.page_sizes[page]),
            image.page_sizes[page]);
    }
    return image;
}

UNUSED static enum ampel_engine_status fixture_import(struct ampel_engine *engine,
                                                      const struct fixture_image *image) {
    enum ampel_engine_status status =
        ampel_engine_meta_import(engine, image->meta, image->meta_size);
    for (uint32_t page = 0; page < image->pages_count && status == AMPEL_ENGINE_OK; page++) {
        status =
            ampel_engine_page_import(engine, page, image->pages[page], image->page_sizes[page]);
    }
    return status == AMPEL_ENGINE_OK ? ampel_engine_import_finish(engine) : status;
}

UNUSED static bool fixture_image_equal(const struct fixture_image *a,
                                       const struct fixture_image *b) {
    if (a->meta_size != b->meta_size || a->pages_count != b->pages_count) return false;
    if (memcmp(a->meta, b->meta, a->meta_size) != 0) return false;
    for (uint32_t page = 0; page < a->pages_count; page++) {
        if (a->page_sizes[page] != b->page_sizes[page]) return false;
        if (memcmp(a->pages[page], b->pages[page], a->page_sizes[page]) != 0) return false;
    }
    return true;
}

UNUSED static void fixture_image_free(struct fixture_image *image) {
    for (uint32_t page = 0; page < image->pages_count; page++)
        free(image->pages[page]);
    free(image->pages);
    free(image->page_sizes);
    free(image->meta);
}

#endif

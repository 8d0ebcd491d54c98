/* Export and import: whole, canonical, and believing nothing. */
#include "tests/unit/engine_fixture.h"

#define VIOLATION(fixture, ...) SEND(fixture, .type = AMPEL_EVENT_VIOLATION, __VA_ARGS__)
#define STATE(fixture, ...)     SEND(fixture, .type = AMPEL_EVENT_VIOLATION_STATE, __VA_ARGS__)

/* A little of everything, over more than one page. */
static void everything(struct fixture *f) {
    static char seller[8] = "S1";
    for (int i = 0; i < 40; i++) {
        seller[1] = (char)('1' + i / 10);
        seller[2] = (char)(i == 0 ? '\0' : '0' + i % 10);
        seller[3] = '\0';
        SEND(f, .seller = seller, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - i * DAY,
             .count = 1u << (i % 20));
        SEND(f, .seller = seller, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON - 2 * i * DAY,
             .count = 9, .rev = (uint16_t)(1 + i % 3));
    }
    VIOLATION(f, .at_ms = NOON - 3 * DAY, .policy = 7, .id = "a", .incident = "i1");
    VIOLATION(f, .at_ms = NOON - 2 * DAY, .policy = 7, .id = "b", .rev = 3);
    VIOLATION(f, .at_ms = NOON - 200 * DAY, .policy = 7, .id = "old");
    STATE(f, .at_ms = NOON - DAY, .id = "a", .code = AMPEL_STATE_EDITED);
    STATE(f, .at_ms = NOON - DAY, .id = "later", .code = AMPEL_STATE_APPEALED);
    VIOLATION(f, .at_ms = NOON + HOUR, .policy = 1, .id = "b", .rev = 4);
    SEND(f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON + HOUR, .count = 17);
    SEND(f, .type = AMPEL_EVENT_ACCOUNT_STATUS, .at_ms = NOON, .code = 1);
    SEND(f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON, .code = 3);
    SEND(f, .type = AMPEL_EVENT_METRIC, .at_ms = NOON, .name = "odr", .code = 1);
    SEND(f, .type = AMPEL_EVENT_INCIDENT, .at_ms = NOON, .id = "i1", .code = 0);
    fixture_send(f,
                 &(struct fixture_event){.type = AMPEL_EVENT_ORDER, .seller = "S2", .at_ms = NOON},
                 "p1", 5000);
    f->backfill = true;
    SEND(f, .seller = "S3", .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    f->backfill = false;
}

static struct ampel_engine *copy_open(struct fixture *f, const struct fixture_image *image) {
    struct ampel_engine *copy = NULL;
    assert_int_equal(ampel_engine_open(&f->options, &copy), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_import(copy, image), AMPEL_ENGINE_OK);
    return copy;
}

static void an_import_exports_the_same_bytes(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    struct fixture_image image = fixture_export(f.engine);
    assert_int_equal(image.pages_count, 2);
    struct ampel_engine *copy = copy_open(&f, &image);
    struct fixture_image again = fixture_export(copy);
    assert_true(fixture_image_equal(&image, &again));
    uint32_t count;
    (void)ampel_engine_changes(copy, &count);
    assert_int_equal(count, 0);
    assert_int_equal(ampel_engine_page_dirty_next(copy, 0), UINT32_MAX);
    fixture_image_free(&again);
    fixture_image_free(&image);
    ampel_engine_close(copy);
    fixture_close(&f);
}

static bool cause_equal(const struct ampel_cause *a, const struct ampel_cause *b) {
    return a->kind == b->kind && a->at_ms == b->at_ms && a->id_size == b->id_size &&
           memcmp(a->id, b->id, a->id_size) == 0 && a->sequence == b->sequence;
}

static void an_imported_engine_goes_on_with_the_same_changes(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    ampel_engine_changes_clear(f.engine);
    struct fixture_image image = fixture_export(f.engine);
    struct ampel_engine *copy = copy_open(&f, &image);
    bool done;
    fixture_advance(&f, NOON + 500 * DAY);
    assert_int_equal(ampel_engine_advance(copy, NOON + 500 * DAY, UINT32_MAX, &done),
                     AMPEL_ENGINE_OK);
    uint32_t count, copy_count;
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    const struct ampel_change *copied = ampel_engine_changes(copy, &copy_count);
    assert_int_equal(count, copy_count);
    assert_true(count > 10);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(changes[i].kind, copied[i].kind);
        assert_int_equal(changes[i].slot, copied[i].slot);
        assert_int_equal(changes[i].at_ms, copied[i].at_ms);
        assert_memory_equal(&changes[i].after, &copied[i].after, sizeof(changes[i].after));
        assert_true(cause_equal(&changes[i].cause, &copied[i].cause));
    }
    fixture_image_free(&image);
    ampel_engine_close(copy);
    fixture_close(&f);
}

static void a_producer_window_survives_an_import(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    struct fixture_image image = fixture_export(f.engine);
    ampel_engine_close(f.engine);
    f.engine = copy_open(&f, &image);
    const struct fixture_event order = {.type = AMPEL_EVENT_ORDER, .seller = "S2", .at_ms = NOON};
    fixture_send(&f, &order, "p1", 5000);
    assert_true(f.counts.duplicate);
    fixture_send(&f, &order, "p1", 4999);
    assert_false(f.counts.duplicate);
    fixture_send(&f, &order, "p1", 5000 - AMPEL_CREDIT);
    assert_true(f.counts.duplicate);
    fixture_image_free(&image);
    fixture_close(&f);
}

/* ---- copies in pieces ----------------------------------------------------------------------- */

#define PIECES_PAGES_MAX 8

struct pieces {
    struct fixture *f;
    const struct fixture_image *image; /* of the begin */
    bool due[PIECES_PAGES_MAX];
    uint32_t by_engine; /* pages that the engine asked for */
};

static void piece_take(struct pieces *pieces, uint32_t page) {
    static uint8_t bytes[1 << 16];
    pieces->due[page] = false;
    uint32_t size = ampel_engine_page_export(pieces->f->engine, page, bytes, sizeof(bytes));
    assert_int_equal(size, pieces->image->page_sizes[page]);
    assert_memory_equal(bytes, pieces->image->pages[page], size);
    ampel_engine_page_clean(pieces->f->engine, page);
}

static bool piece_before(void *context, uint32_t slot) {
    struct pieces *pieces = context;
    uint32_t page = slot / AMPEL_PAGE_ACCOUNTS;
    if (page < pieces->image->pages_count && pieces->due[page]) {
        pieces->by_engine++;
        piece_take(pieces, page);
    }
    return true;
}

static void a_copy_in_pieces_shows_the_engine_of_its_begin(void **state) {
    (void)state;
    /* Each touches an account in a way of its own; all pages are due when it does. */
    for (uint32_t touch = 0; touch < 8; touch++) {
        struct fixture f;
        fixture_open(&f, NOON);
        everything(&f);
        /* Expires an hour after noon. */
        VIOLATION(&f, .seller = "S5", .at_ms = NOON + HOUR - 180 * DAY, .policy = 3, .id = "leaves");
        struct fixture_image image = fixture_export(f.engine);
        struct pieces pieces = {.f = &f, .image = &image};
        for (uint32_t page = 0; page < image.pages_count; page++)
            pieces.due[page] = true;
        ampel_engine_copy_begin(f.engine, piece_before, &pieces);
        if (touch == 0) SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY, .count = 3);
        if (touch == 1) VIOLATION(&f, .at_ms = NOON - DAY, .policy = 4, .id = "new", .seller = "S40");
        if (touch == 2) STATE(&f, .at_ms = NOON, .id = "b", .code = AMPEL_STATE_APPROVED);
        if (touch == 3) SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .seller = "another");
        if (touch == 4) SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON, .count = 70000, .rev = 9);
        if (touch == 5) SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON - HOUR, .code = 1);
        if (touch == 6) fixture_advance(&f, NOON + 2 * HOUR);
        if (touch == 7) VIOLATION(&f, .at_ms = NOON + DAY, .policy = 4, .id = "waits", .seller = "S2");
        assert_in_range(pieces.by_engine, 1, image.pages_count);
        for (uint32_t page = 0; page < image.pages_count; page++) {
            if (pieces.due[page]) piece_take(&pieces, page);
        }
        ampel_engine_copy_end(f.engine);
        /* What was touched is another page now, and dirty; what waits stands in the meta. */
        if (touch != 7) assert_int_not_equal(ampel_engine_page_dirty_next(f.engine, 0), UINT32_MAX);
        assert_int_equal(ampel_engine_midnight_ahead(f.engine, NOON + 2 * HOUR), false);
        assert_int_equal(ampel_engine_midnight_ahead(f.engine, NOON + 12 * HOUR), true);
        fixture_image_free(&image);
        fixture_close(&f);
    }
}

static void other_rules_at_an_import_name_what_they_change(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    struct fixture_image image = fixture_export(f.engine);
    f.rules.start = 300;
    fixture_reopen(&f, 0);
    assert_int_equal(fixture_import(f.engine, &image), AMPEL_ENGINE_OK);
    uint32_t count;
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    assert_true(count >= 30);
    assert_int_equal(changes[0].cause.kind, AMPEL_CAUSE_RULES);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), 0);
    fixture_image_free(&image);
    fixture_close(&f);
}

static void the_digest_of_an_account_knows_no_slot_and_no_history(void **state) {
    (void)state;
    struct fixture a, b;
    uint8_t left[2048], right[2048];
    fixture_open(&a, NOON);
    fixture_open(&b, NOON - 3 * DAY);
    SEND(&a, .seller = "S9", .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    SEND(&a, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 5 * DAY, .count = 300);
    SEND(&a, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 5 * DAY, .count = 2);
    VIOLATION(&a, .at_ms = NOON - 4 * DAY, .policy = 3, .id = "x");
    STATE(&a, .at_ms = NOON - 4 * DAY, .id = "x", .code = AMPEL_STATE_DENIED);
    STATE(&b, .at_ms = NOON - 4 * DAY, .id = "x", .code = AMPEL_STATE_DENIED);
    SEND(&b, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 5 * DAY, .count = 302);
    VIOLATION(&b, .at_ms = NOON - 4 * DAY, .policy = 3, .id = "x");
    fixture_advance(&b, NOON);
    uint32_t size = ampel_engine_account_export(a.engine, fixture_slot(&a, "S1"), left, 2048);
    assert_int_equal(ampel_engine_account_export(b.engine, fixture_slot(&b, "S1"), right, 2048),
                     size);
    assert_memory_equal(left, right, size);
    SEND(&b, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    assert_int_equal(ampel_engine_account_export(b.engine, fixture_slot(&b, "S1"), right, 2048),
                     size + 10);
    fixture_close(&a);
    fixture_close(&b);
}

/* Each byte of each part flipped: refused or lived with. Each part cut at each length: refused. */
static void damage(struct fixture *f, struct fixture_image *image, uint8_t *bytes, uint32_t *size) {
    uint32_t whole = *size;
    for (uint32_t i = 0; i < whole; i++) {
        bytes[i] ^= (uint8_t)(1u << (i % 8));
        struct ampel_engine *copy = NULL;
        assert_int_equal(ampel_engine_open(&f->options, &copy), AMPEL_ENGINE_OK);
        if (fixture_import(copy, image) == AMPEL_ENGINE_OK) {
            bool done;
            assert_int_equal(ampel_engine_advance(copy, NOON + DAY, UINT32_MAX, &done),
                             AMPEL_ENGINE_OK);
        }
        ampel_engine_close(copy);
        bytes[i] ^= (uint8_t)(1u << (i % 8));
    }
    for (uint32_t i = 0; i < whole; i++) {
        *size = i;
        struct ampel_engine *copy = NULL;
        assert_int_equal(ampel_engine_open(&f->options, &copy), AMPEL_ENGINE_OK);
        assert_int_equal(fixture_import(copy, image), AMPEL_ENGINE_BAD_BYTES);
        ampel_engine_close(copy);
    }
    *size = whole;
}

static void damaged_bytes_are_refused_or_harmless(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON, .count = 300);
    VIOLATION(&f, .at_ms = NOON - 2 * DAY, .policy = 7, .id = "b", .rev = 3);
    VIOLATION(&f, .at_ms = NOON - 3 * DAY, .policy = 7, .id = "c");
    STATE(&f, .at_ms = NOON - DAY, .id = "b", .code = AMPEL_STATE_EDITED);
    STATE(&f, .at_ms = NOON - DAY, .id = "w", .code = AMPEL_STATE_EDITED);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON + HOUR, .count = 17);
    SEND(&f, .type = AMPEL_EVENT_METRIC, .at_ms = NOON, .name = "odr", .code = 1);
    fixture_send(&f, &(struct fixture_event){.type = AMPEL_EVENT_ORDER, .at_ms = NOON}, "p", 1);
    struct fixture_image image = fixture_export(f.engine);
    damage(&f, &image, image.pages[0], &image.page_sizes[0]);
    damage(&f, &image, image.meta, &image.meta_size);
    fixture_image_free(&image);
    fixture_close(&f);
}

static void bytes_of_a_newer_version_are_told_from_damage(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    struct fixture_image image = fixture_export(f.engine);
    const struct {
        uint8_t digit;
        enum ampel_engine_status status;
    } versions[] = {{'0', AMPEL_ENGINE_BAD_BYTES},
                    {'9', AMPEL_ENGINE_NEWER},
                    {'9' + 1, AMPEL_ENGINE_BAD_BYTES}};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(versions); i++) {
        uint8_t *digits[] = {&image.meta[3], &image.pages[0][3]};
        for (size_t j = 0; j < AMPEL_ARRAY_COUNT(digits); j++) {
            uint8_t written = *digits[j];
            *digits[j] = versions[i].digit;
            fixture_reopen(&f, 0);
            assert_int_equal(fixture_import(f.engine, &image), (int)versions[i].status);
            *digits[j] = written;
        }
    }
    fixture_image_free(&image);
    fixture_close(&f);
}

static void pages_out_of_order_or_missing_are_refused(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    struct fixture_image image = fixture_export(f.engine);
    fixture_reopen(&f, 0);
    assert_int_equal(ampel_engine_meta_import(f.engine, image.meta, image.meta_size),
                     AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(f.engine, 1, image.pages[1], image.page_sizes[1]),
                     AMPEL_ENGINE_BAD_BYTES);
    fixture_reopen(&f, 0);
    assert_int_equal(ampel_engine_meta_import(f.engine, image.meta, image.meta_size),
                     AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(f.engine, 0, image.pages[0], image.page_sizes[0]),
                     AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_import_finish(f.engine), AMPEL_ENGINE_BAD_BYTES);
    fixture_image_free(&image);
    fixture_close(&f);
}

static void a_clean_page_turns_dirty_by_what_changes_it_alone(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    everything(&f);
    fixture_advance(&f, NOON + 2 * HOUR);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), 0);
    ampel_engine_page_clean(f.engine, 0);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), 1);
    ampel_engine_page_clean(f.engine, 1);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), UINT32_MAX);
    assert_int_equal(ampel_engine_row_changed(f.engine, 0), 0);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = NOON, .count = 0, .rev = 1);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), UINT32_MAX);
    uint32_t slot = fixture_slot(&f, "S1");
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY);
    assert_int_equal(ampel_engine_row_changed(f.engine, slot), AMPEL_ROW_ORDERS);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), 0);
    assert_false(fixture_violation(&f, "b").changed);
    STATE(&f, .at_ms = NOON, .id = "b", .code = AMPEL_STATE_APPROVED);
    assert_true(fixture_violation(&f, "b").changed);
    assert_int_equal(ampel_engine_row_changed(f.engine, slot),
                     AMPEL_ROW_ORDERS | AMPEL_ROW_NUMBERS | AMPEL_ROW_VIOLATIONS);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_import_exports_the_same_bytes),
        cmocka_unit_test(an_imported_engine_goes_on_with_the_same_changes),
        cmocka_unit_test(a_producer_window_survives_an_import),
        cmocka_unit_test(a_copy_in_pieces_shows_the_engine_of_its_begin),
        cmocka_unit_test(other_rules_at_an_import_name_what_they_change),
        cmocka_unit_test(the_digest_of_an_account_knows_no_slot_and_no_history),
        cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
        cmocka_unit_test(bytes_of_a_newer_version_are_told_from_damage),
        cmocka_unit_test(pages_out_of_order_or_missing_are_refused),
        cmocka_unit_test(a_clean_page_turns_dirty_by_what_changes_it_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

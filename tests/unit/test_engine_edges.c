/* Where names, times and steps end: the longest names, the first and the last day, a budget of no steps. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define HASH UINT64_C(42) /* of every account here: only names tell them apart */

static const uint32_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64};
#define SIZES AMPEL_ARRAY_COUNT(sizes)

/* A name of so many bytes that differs from others of its size in its last byte alone. */
static struct ampel_text name_of(char bytes[AMPEL_ID_BYTES_MAX], uint32_t size, char last) {
    memset(bytes, 'n', size);
    bytes[size - 1] = last;
    return (struct ampel_text){bytes, size};
}

static void order_send(struct fixture *f, struct ampel_text seller, struct ampel_text marketplace, uint32_t count) {
    const struct ampel_frame_account account = {.hash = HASH, .seller = seller, .marketplace = marketplace};
    const uint8_t type = AMPEL_EVENT_ORDER;
    const int64_t at_ms = NOON;
    const struct ampel_frame frame = {.stamp_ms = NOON,
                                      .sent_at_ms = NOON,
                                      .tenant = text("t1"),
                                      .position = 1000 + f->sequence++,
                                      .accounts_count = 1,
                                      .accounts = &account,
                                      .events_count = 1,
                                      .type = &type,
                                      .at = (const uint8_t *)&at_ms,
                                      .account = (const uint8_t *)&(const uint32_t){0},
                                      .count = (const uint8_t *)&count};
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
    assert_int_equal(f->counts.applied, 1);
}

static void assert_orders(const struct ampel_engine *engine, struct ampel_text seller, struct ampel_text marketplace,
                          uint32_t orders) {
    struct ampel_numbers numbers;
    uint32_t slot = ampel_engine_account_find(engine, HASH, text("t1"), seller, marketplace);
    if (slot == AMPEL_SLOT_NONE) fail_msg("no account of %u and %u bytes", seller.size, marketplace.size);
    ampel_engine_numbers(engine, slot, &numbers);
    assert_int_equal(numbers.orders, orders);
    struct ampel_text names[3];
    ampel_engine_account_identity(engine, slot, &names[0], &names[1], &names[2]);
    assert_memory_equal(names[1].bytes, seller.bytes, seller.size);
    assert_memory_equal(names[2].bytes, marketplace.bytes, marketplace.size);
}

static void accounts_of_one_hash_are_told_apart_by_names_of_any_size_and_come_back(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    char seller[AMPEL_ID_BYTES_MAX], marketplace[AMPEL_ID_BYTES_MAX];
    static const char lasts[] = "ab";
    for (uint32_t round = 1; round <= 2; round++)
        for (uint32_t i = 0; i < SIZES; i++)
            for (uint32_t k = 0; k < SIZES; k++)
                for (uint32_t last = 0; last < 4; last++)
                    order_send(&f, name_of(seller, sizes[i], lasts[last / 2]), name_of(marketplace, sizes[k], lasts[last % 2]),
                               1 + i * 100 + k * 10 + last);
    struct fixture_image image = fixture_export(f.engine);
    struct ampel_engine *copy = NULL;
    assert_int_equal(ampel_engine_open(&f.options, &copy), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_import(copy, &image), AMPEL_ENGINE_OK);
    struct fixture_image again = fixture_export(copy);
    assert_true(fixture_image_equal(&image, &again));
    for (uint32_t i = 0; i < SIZES; i++)
        for (uint32_t k = 0; k < SIZES; k++)
            for (uint32_t last = 0; last < 4; last++) {
                name_of(seller, sizes[i], lasts[last / 2]);
                name_of(marketplace, sizes[k], lasts[last % 2]);
                const struct ampel_text names[] = {{seller, sizes[i]}, {marketplace, sizes[k]}};
                assert_orders(f.engine, names[0], names[1], 2 * (1 + i * 100 + k * 10 + last));
                assert_orders(copy, names[0], names[1], 2 * (1 + i * 100 + k * 10 + last));
            }
    /* A byte in the middle counts, too. */
    name_of(seller, 64, 'a');
    seller[20] = 'x';
    assert_int_equal(ampel_engine_account_find(copy, HASH, text("t1"), (struct ampel_text){seller, 64},
                                               name_of(marketplace, 64, 'a')),
                     AMPEL_SLOT_NONE);
    fixture_image_free(&again);
    fixture_image_free(&image);
    ampel_engine_close(copy);
    fixture_close(&f);
}

static void time_ends_where_the_bounds_say(void **state) {
    (void)state;
    struct fixture f;
    bool done = false;
    fixture_open(&f, AMPEL_TIME_MAX_MS + 1);
    assert_int_equal(ampel_engine_now(f.engine), AMPEL_TIME_MAX_MS);
    fixture_reopen(&f, -1);
    assert_int_equal(ampel_engine_now(f.engine), 0);
    SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = 0, .code = 6);
    SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = 0, .code = 8);
    SEND(&f, .type = AMPEL_EVENT_LISTING, .at_ms = 0, .code = 0, .count = 50);
    fixture_advance(&f, HOUR);
    fixture_reopen(&f, AMPEL_TIME_MAX_MS - 2 * DAY);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = AMPEL_TIME_MAX_MS - 2 * DAY);
    while (!done)
        assert_int_equal(ampel_engine_advance(f.engine, INT64_MAX, 0, &done), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_now(f.engine), AMPEL_TIME_MAX_MS);
    fixture_close(&f);
}

static void a_budget_of_no_steps_moves_on_as_one_step_does(void **state) {
    (void)state;
    struct fixture none, one;
    fixture_open(&none, NOON);
    fixture_open(&one, NOON);
    for (int i = 0; i < 3; i++) {
        static const char *const sellers[] = {"S1", "S2", "S3"};
        SEND(&none, .seller = sellers[i], .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 179 * DAY);
        SEND(&one, .seller = sellers[i], .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 179 * DAY);
    }
    bool none_done = false, one_done = false;
    uint32_t turns = 0;
    for (; !none_done; turns++) {
        assert_int_equal(ampel_engine_advance(none.engine, NOON + 3 * DAY, 0, &none_done), AMPEL_ENGINE_OK);
        assert_int_equal(ampel_engine_advance(one.engine, NOON + 3 * DAY, 1, &one_done), AMPEL_ENGINE_OK);
        assert_int_equal(none_done, one_done);
        assert_int_equal(ampel_engine_now(none.engine), ampel_engine_now(one.engine));
    }
    assert_true(turns > 3);
    fixture_close(&none);
    fixture_close(&one);
}

/* What no reader lets through is refused all the same, event by event, and the rest of the frame counts. */
static void a_frame_of_senseless_accounts_is_refused_event_by_event(void **state) {
    (void)state;
    struct fixture f;
    uint32_t count, orders = 1;
    fixture_open(&f, NOON);
    const struct ampel_frame_account accounts[] = {
        {.hash = HASH, .seller = text("S1"), .marketplace = text("M1")}, {.hash = HASH, .seller = text(""), .marketplace = text("M1")},
        {.hash = HASH, .seller = text("S1"), .marketplace = text("M1")}, {.hash = HASH, .seller = text("S2"), .marketplace = text("M/1")}};
    static const uint8_t types[] = {AMPEL_EVENT_ORDER, AMPEL_EVENT_ORDER, AMPEL_EVENT_ORDER, AMPEL_EVENT_ORDER,
                                    AMPEL_EVENT_ORDER, AMPEL_EVENT_TYPES_COUNT};
    static const uint32_t numbers[] = {0, 1, 2, 3, 4, 0};
    static const int64_t at_ms[] = {NOON, NOON, NOON, NOON, NOON, NOON};
    struct ampel_frame frame = {.stamp_ms = NOON,
                                .sent_at_ms = NOON,
                                .tenant = text("t1"),
                                .position = 1000,
                                .accounts_count = 4,
                                .accounts = accounts,
                                .events_count = 6,
                                .type = types,
                                .at = (const uint8_t *)at_ms,
                                .account = (const uint8_t *)numbers};
    assert_int_equal(ampel_engine_apply(f.engine, &frame, &f.counts), AMPEL_ENGINE_OK);
    assert_int_equal(f.counts.applied, 2);
    assert_int_equal(f.counts.refused, 4);
    assert_orders(f.engine, accounts[0].seller, accounts[0].marketplace, 2 * orders);
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    uint32_t bad_account = 0, others = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].kind != AMPEL_CHANGE_REFUSED) continue;
        bad_account += changes[i].verdict == AMPEL_VERDICT_BAD_ACCOUNT;
        others += changes[i].verdict != AMPEL_VERDICT_BAD_ACCOUNT;
    }
    assert_int_equal(bad_account, 3);
    assert_int_equal(others, 1);
    frame.tenant = text("");
    assert_int_equal(ampel_engine_apply(f.engine, &frame, &f.counts), AMPEL_ENGINE_BAD_BYTES);
    fixture_close(&f);
}

/* More than are fetched ahead at once, and more than are near when their events come. */
static void a_frame_of_very_many_accounts_gives_each_its_own(void **state) {
    (void)state;
    enum { MANY = 9000 };
    struct fixture f;
    fixture_open(&f, NOON);
    char(*sellers)[8] = calloc(MANY, sizeof *sellers);
    struct ampel_frame_account *accounts = calloc(MANY, sizeof *accounts);
    uint32_t *numbers = calloc(MANY, sizeof *numbers), *counts = calloc(MANY, sizeof *counts);
    int64_t *at_ms = calloc(MANY, sizeof *at_ms);
    uint8_t *types = calloc(MANY, 1), *codes = calloc(MANY, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        int size = snprintf(sellers[i], sizeof sellers[i], "S%u", i);
        accounts[i] = (struct ampel_frame_account){
            .hash = i * UINT64_C(0x9e3779b97f4a7c15), .seller = {sellers[i], (uint32_t)size}, .marketplace = text("M1")};
        numbers[i] = (i * 7919) % MANY;
        counts[i] = 1 + numbers[i] % 5;
        at_ms[i] = NOON;
    }
    for (uint32_t round = 0; round < 3; round++) {
        /* The last time every third one is no order. */
        for (uint32_t i = 0; i < MANY; i++)
            types[i] = round == 2 && i % 3 == 0 ? AMPEL_EVENT_ACCOUNT_STATUS : AMPEL_EVENT_ORDER;
        const struct ampel_frame frame = {.stamp_ms = NOON,
                                          .sent_at_ms = NOON,
                                          .tenant = text("t1"),
                                          .position = 1000 + round,
                                          .accounts_count = MANY,
                                          .accounts = accounts,
                                          .events_count = MANY,
                                          .type = types,
                                          .at = (const uint8_t *)at_ms,
                                          .account = (const uint8_t *)numbers,
                                          .code = round == 2 ? codes : NULL,
                                          .count = (const uint8_t *)counts};
        assert_int_equal(ampel_engine_apply(f.engine, &frame, &f.counts), AMPEL_ENGINE_OK);
        assert_int_equal(f.counts.applied, MANY);
        ampel_engine_changes_clear(f.engine);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        struct ampel_numbers got;
        const struct ampel_frame_account *account = &accounts[numbers[i]];
        uint32_t slot = ampel_engine_account_find(f.engine, account->hash, text("t1"), account->seller, account->marketplace);
        assert_int_not_equal(slot, AMPEL_SLOT_NONE);
        ampel_engine_numbers(f.engine, slot, &got);
        assert_int_equal(got.orders, counts[i] * (i % 3 == 0 ? 2 : 3));
    }
    free(sellers);
    free(accounts);
    free(numbers);
    free(counts);
    free(at_ms);
    free(types);
    free(codes);
    fixture_close(&f);
}

/* Windows, days of assurance and days of signals begin before the first day there is. */
static void an_account_of_the_first_days_of_time_is_scored_as_any_other(void **state) {
    (void)state;
    struct fixture early, late;
    fixture_open(&early, 10 * DAY + HOUR);
    fixture_open(&late, NOON - NOON % DAY + HOUR);
    struct fixture *const both[] = {&early, &late};
    struct ampel_numbers numbers[2];
    struct ampel_assurance assurance[2];
    for (int i = 0; i < 2; i++) {
        struct fixture *f = both[i];
        int64_t now_ms = ampel_engine_now(f->engine);
        SEND(f, .type = AMPEL_EVENT_ORDER, .at_ms = now_ms - 9 * DAY, .count = 500);
        SEND(f, .type = AMPEL_EVENT_VIOLATION, .at_ms = now_ms - 8 * DAY, .policy = 2, .id = "a");
        SEND(f, .type = AMPEL_EVENT_OBSERVED, .at_ms = now_ms - DAY, .points = 196, .code = AMPEL_CODE_NONE);
        SEND(f, .type = AMPEL_EVENT_SIGNAL, .at_ms = now_ms - DAY, .code = 6);
        SEND(f, .type = AMPEL_EVENT_SIGNAL, .at_ms = now_ms, .code = 7);
        fixture_advance(f, now_ms + 3 * DAY);
        numbers[i] = fixture_numbers(f);
        ampel_engine_assurance(f->engine, fixture_slot(f, "S1"), &assurance[i]);
    }
    assert_int_equal(numbers[0].score, numbers[1].score);
    assert_int_equal(numbers[0].orders, numbers[1].orders);
    assert_int_equal(assurance[0].days_below, assurance[1].days_below);
    fixture_close(&early);
    fixture_close(&late);
}

static void a_page_that_holds_an_account_of_another_page_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_engine *copy = NULL;
    char seller[8];
    fixture_open(&f, NOON);
    for (int i = 0; i < 33; i++) {
        snprintf(seller, sizeof seller, "S%d", i);
        SEND(&f, .seller = seller, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    }
    struct fixture_image image = fixture_export(f.engine);
    assert_true(image.pages_count >= 2);
    assert_int_equal(ampel_engine_open(&f.options, &copy), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_meta_import(copy, image.meta, image.meta_size), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(copy, 0, image.pages[0], image.page_sizes[0]), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(copy, 1, image.pages[0], image.page_sizes[0]), AMPEL_ENGINE_BAD_BYTES);
    ampel_engine_close(copy);
    fixture_image_free(&image);
    fixture_close(&f);
}

static void names_of_what_nobody_knows_are_unknown(void **state) {
    (void)state;
    assert_string_equal(ampel_change_name(255), "unknown");
    assert_string_equal(ampel_verdict_name(255), "unknown");
    assert_string_equal(ampel_verdict_sentence(255), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_of_one_hash_are_told_apart_by_names_of_any_size_and_come_back),
        cmocka_unit_test(time_ends_where_the_bounds_say),
        cmocka_unit_test(a_budget_of_no_steps_moves_on_as_one_step_does),
        cmocka_unit_test(a_frame_of_senseless_accounts_is_refused_event_by_event),
        cmocka_unit_test(a_frame_of_very_many_accounts_gives_each_its_own),
        cmocka_unit_test(an_account_of_the_first_days_of_time_is_scored_as_any_other),
        cmocka_unit_test(a_page_that_holds_an_account_of_another_page_is_refused),
        cmocka_unit_test(names_of_what_nobody_knows_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

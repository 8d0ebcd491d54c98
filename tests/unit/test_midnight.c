/* Midnights: which accounts they look at, beside ledgers of all their days. */
#include "tests/unit/draw.h"
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "engine/midnight.h"

#define ACCOUNTS 60
#define DAYS     1200

static uint64_t seed = UINT64_C(0x0714);
static uint32_t draw(uint32_t below) {
    return draw_from(&seed, below);
}

/* Orders by account and day; days count from the first. */
static uint32_t days[ACCOUNTS][DAYS];

static void one_sells(struct fixture *f, uint32_t account, int64_t first_day) {
    char seller[16];
    (void)snprintf(seller, sizeof(seller), "S%u", account);
    int64_t now_ms = ampel_engine_now(f->engine), at_ms = now_ms - (draw(3) == 0 ? draw(200) : draw(2)) * DAY;
    uint32_t *day = &days[account][at_ms / DAY - first_day], count = draw(20) == 0 ? 1 + draw(40000) : draw(9);
    bool kept = now_ms / DAY - at_ms / DAY < AMPEL_WINDOW_CELLS;
    if (draw(9) == 0) {
        SEND(f, .seller = seller, .type = AMPEL_EVENT_SIGNAL, .at_ms = at_ms, .code = (uint8_t)draw(5));
    } else if (draw(12) == 0 && kept && *day == 0) {
        /* A day of which a total of none was told loses nothing. */
        SEND(f, .seller = seller, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = at_ms, .rev = 1);
        *day = UINT32_MAX;
    } else {
        SEND(f, .seller = seller, .type = AMPEL_EVENT_ORDER, .at_ms = at_ms, .count = count + 1);
        if (kept && *day != UINT32_MAX) *day += count + 1;
    }
}

static uint32_t sum_of(const struct fixture *f, uint32_t account, int64_t first_day) {
    int64_t today = ampel_engine_now(f->engine) / DAY - first_day;
    uint32_t sum = 0;
    for (int64_t age = 0; age < f->rules.window_days; age++) {
        uint32_t day = days[account][today - age];
        sum += day != UINT32_MAX ? day : 0;
    }
    return sum;
}

static void all_compared(const struct fixture *f, int64_t first_day) {
    assert_true(ampel_midnights_sane(f->engine));
    for (uint32_t account = 0; account < ACCOUNTS; account++) {
        char seller[16];
        (void)snprintf(seller, sizeof(seller), "S%u", account);
        uint32_t slot = fixture_slot(f, seller);
        if (slot == AMPEL_SLOT_NONE) continue;
        struct ampel_numbers numbers;
        ampel_engine_numbers(f->engine, slot, &numbers);
        assert_int_equal(numbers.orders, sum_of(f, account, first_day));
    }
}

static void no_midnight_overlooks_a_day_that_leaves(void **state) {
    (void)state;
    static const int32_t windows[] = {180, 30, 1, 179, 90};
    struct fixture f;
    int64_t first_day = NOON / DAY - 200;
    memset(days, 0, sizeof(days));
    fixture_open(&f, NOON);
    while (ampel_engine_now(f.engine) / DAY - first_day < DAYS - 70) {
        uint32_t events = draw(3) == 0 ? 0 : draw(80), ahead = draw(4) == 0 ? draw(60) : draw(4);
        /* Some accounts sell seldom, some never again. */
        for (uint32_t i = 0; i < events; i++)
            one_sells(&f, draw(2) == 0 ? draw(ACCOUNTS) : draw(5), first_day);
        assert_true(ampel_midnights_sane(f.engine));
        int64_t to_ms = ampel_engine_now(f.engine) + ahead * DAY + draw((uint32_t)DAY);
        fixture_advance_by(&f, to_ms, draw(2) == 0 ? 1 + draw(40) : UINT32_MAX);
        all_compared(&f, first_day);
        if (draw(25) == 0) {
            f.rules.window_days = windows[draw(AMPEL_ARRAY_COUNT(windows))];
            assert_int_equal(ampel_engine_rules_set(f.engine, &f.rules), AMPEL_ENGINE_OK);
            all_compared(&f, first_day);
        }
        ampel_engine_changes_clear(f.engine);
    }
    fixture_close(&f);
}

static void an_account_without_orders_is_named_by_no_midnight(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 2, .id = "a");
    SEND(&f, .seller = "S2", .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    assert_int_equal(ampel_account_at(&f.engine->accounts, 0)->window.midnight, 0);
    assert_int_equal(ampel_midnight_ahead(f.engine, ampel_account_at(&f.engine->accounts, 1)), 128);
    fixture_advance(&f, NOON + 128 * DAY);
    assert_int_equal(ampel_midnight_ahead(f.engine, ampel_account_at(&f.engine->accounts, 1)), 180 - 128);
    fixture_advance(&f, NOON + 180 * DAY);
    assert_int_equal(ampel_account_at(&f.engine->accounts, 1)->window.midnight, 0);
    assert_int_equal(ampel_midnight_next(f.engine, 0, 2), 2);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_midnight_overlooks_a_day_that_leaves),
        cmocka_unit_test(an_account_without_orders_is_named_by_no_midnight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parts of the engine, each beside a slow and obvious one. */
#include "tests/unit/draw.h"
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#include "engine/records.h"
#include "engine/sort.h"
#include "engine/state.h"
#include "engine/window.h"

static uint64_t seed = UINT64_C(0x5eed);
static uint32_t draw(uint32_t below) {
    return draw_from(&seed, below);
}

static struct fixture_memory counted = {.fail_at = -1};
static struct ampel_pool pool_open(void) {
    struct ampel_memory memory = {&counted, fixture_take, fixture_give};
    struct ampel_pool pool;
    ampel_pool_init(&pool, &memory);
    return pool;
}

/* ---- pool ----------------------------------------------------------------------------------- */

static void blocks_never_overlap_and_all_go_back(void **state) {
    (void)state;
    struct ampel_pool pool = pool_open();
    struct {
        uint8_t *bytes;
        size_t size;
        uint8_t mark;
    } held[200] = {{0}};
    for (int i = 0; i < 20000; i++) {
        uint32_t k = draw(200);
        if (held[k].bytes != NULL) {
            for (size_t b = 0; b < held[k].size; b++)
                assert_int_equal(held[k].bytes[b], held[k].mark);
            ampel_pool_give(&pool, held[k].bytes, held[k].size);
            held[k].bytes = NULL;
            continue;
        }
        held[k].size = draw(20) == 0 ? 1 + draw(70000) : 1 + draw(400);
        held[k].bytes = ampel_pool_take(&pool, held[k].size);
        assert_non_null(held[k].bytes);
        assert_int_equal((uintptr_t)held[k].bytes % 16, 0);
        held[k].mark = (uint8_t)i;
        memset(held[k].bytes, held[k].mark, held[k].size);
    }
    ampel_pool_reset(&pool);
    assert_int_equal(counted.bytes, 0);
}

/* ---- table ---------------------------------------------------------------------------------- */

static void a_table_finds_all_it_was_given_through_every_split(void **state) {
    (void)state;
    struct ampel_pool pool = pool_open();
    struct ampel_table table;
    assert_true(ampel_table_init(&table, &pool, 0));
    /* The low bits of all hashes of one partition are the same. */
    for (uint32_t slot = 0; slot < 50000; slot++) {
        assert_true(
            ampel_table_push(&table, &pool, ampel_table_tag((uint64_t)slot * 64 + 5), slot));
    }
    assert_true(table.depth >= 6);
    for (uint32_t slot = 0; slot < 50000; slot++) {
        uint32_t step = 0, found;
        do {
            found = ampel_table_next(&table, ampel_table_tag((uint64_t)slot * 64 + 5), &step);
        } while (found != slot && found != UINT32_MAX);
        assert_int_equal(found, slot);
    }
    ampel_pool_reset(&pool);
}

static void names_chosen_to_collide_cost_steps_but_no_directory(void **state) {
    (void)state;
    struct ampel_pool pool = pool_open();
    struct ampel_table table;
    assert_true(ampel_table_init(&table, &pool, 0));
    for (uint32_t slot = 0; slot < 3000; slot++) {
        assert_true(ampel_table_push(&table, &pool, 12345, slot));
    }
    assert_true(table.depth <= 7);
    /* Others come, the directory deepens, and what overflowed is divided anew. */
    for (uint32_t slot = 3000; slot < 60000; slot++) {
        assert_true(ampel_table_push(&table, &pool, ampel_table_tag(slot), slot));
        if (slot % 500 == 0) assert_true(ampel_table_push(&table, &pool, 12345, 100000 + slot));
    }
    uint32_t step = 0, found = 0;
    while (ampel_table_next(&table, 12345, &step) != UINT32_MAX)
        found++;
    assert_int_equal(found, 3000 + 57000 / 500);
    for (uint32_t slot = 3000; slot < 60000; slot++) {
        uint32_t at;
        step = 0;
        do {
            at = ampel_table_next(&table, ampel_table_tag(slot), &step);
        } while (at != slot && at != UINT32_MAX);
        assert_int_equal(at, slot);
    }
    ampel_pool_reset(&pool);
}

/* ---- window --------------------------------------------------------------------------------- */

/* From each cell on, the first day that is not empty; as a walk over all cells finds it. */
static void check_days(const struct ampel_window *window, const uint32_t *naive) {
    struct ampel_window_days days;
    ampel_window_days(window, &days);
    for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
        uint32_t ahead = 0;
        while (ahead < AMPEL_WINDOW_CELLS && naive[(cell + ahead) % AMPEL_WINDOW_CELLS] == 0)
            ahead++;
        assert_int_equal(ampel_window_days_ahead(&days, cell), ahead);
    }
}

static void days_that_are_not_empty_are_found_from_every_cell(void **state) {
    (void)state;
    for (uint32_t filled = 0; filled < 12; filled++) {
        struct ampel_pool pool = pool_open();
        struct ampel_window window = {0};
        uint32_t naive[AMPEL_WINDOW_CELLS] = {0};
        for (uint32_t i = 0; i < filled; i++) {
            uint32_t cell = draw(AMPEL_WINDOW_CELLS);
            naive[cell] = ampel_day_pack(draw(2), draw(2) == 0 ? 0 : 1 + draw(1u << draw(20)));
            assert_true(ampel_window_put(&pool, &window, cell, naive[cell]));
        }
        check_days(&window, naive);
        ampel_pool_reset(&pool);
    }
}

static void a_ring_of_any_width_keeps_every_day(void **state) {
    (void)state;
    static const uint32_t most[] = {7, 8, 127, 128, 32767, 32768, AMPEL_ORDERS_MAX};
    static const uint8_t bits[] = {4, 8, 8, 16, 16, 32, 32};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(most); i++) {
        struct ampel_pool pool = pool_open();
        struct ampel_window window = {0};
        uint32_t naive[AMPEL_WINDOW_CELLS] = {0};
        for (int k = 0; k < 1000; k++) {
            uint32_t cell = draw(AMPEL_WINDOW_CELLS);
            naive[cell] = ampel_day_pack(draw(2), k == 0 ? most[i] : draw(most[i] + 1));
            assert_true(ampel_window_put(&pool, &window, cell, naive[cell]));
            cell = draw(AMPEL_WINDOW_CELLS);
            if (draw(8) == 0) assert_true(ampel_window_bring(&pool, &window, cell));
            cell = draw(AMPEL_WINDOW_CELLS);
            if (draw(8) == 0 && k > 0) naive[cell] = 0, ampel_window_drop(&window, cell);
        }
        uint32_t away = window.near_cell == 90 ? 91 : 90;
        naive[away] = ampel_day_pack(0, most[i]);
        assert_true(ampel_window_put(&pool, &window, away, naive[away]));
        assert_true(ampel_window_bring(&pool, &window, away));
        assert_true(ampel_window_bring(&pool, &window, 5));
        assert_int_equal(window.bits, bits[i]);
        uint64_t sum = 0;
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
            assert_int_equal(ampel_window_get(&window, cell), naive[cell]);
            if (cell >= 100 || cell <= 10) sum += ampel_day_total(naive[cell]);
        }
        assert_int_equal(ampel_window_sum(&window, 10, 91), (uint32_t)sum);
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++) {
            uint32_t gap = 0, limit = draw(AMPEL_WINDOW_CELLS);
            while (gap < limit && cell + gap < AMPEL_WINDOW_CELLS &&
                   (cell + gap == window.near_cell || naive[cell + gap] == 0))
                gap++;
            assert_int_equal(ampel_window_gap(&window, cell, limit), gap);
        }
        check_days(&window, naive);
        assert_true(ampel_window_put(&pool, &window, 3, ampel_day_pack(2, 1)));
        assert_true(ampel_window_bring(&pool, &window, 2));
        assert_int_equal(window.bits, 32);
        assert_int_equal(ampel_window_get(&window, 3), ampel_day_pack(2, 1));
        for (uint32_t cell = 0; cell < AMPEL_WINDOW_CELLS; cell++)
            ampel_window_drop(&window, cell);
        ampel_window_trim(&pool, &window);
        assert_true(window.ring == NULL && ampel_window_sum(&window, 10, 180) == 0);
        ampel_pool_reset(&pool);
    }
}

static void increments_stop_at_the_bound_and_before_a_told_total(void **state) {
    (void)state;
    assert_int_equal(ampel_day_increment(5, 3), 8);
    assert_int_equal(ampel_day_increment(AMPEL_ORDERS_MAX - 1, 5), AMPEL_ORDERS_MAX);
    assert_int_equal(ampel_day_increment(ampel_day_pack(1, 0), 5), ampel_day_pack(1, 0));
}

/* ---- wheel ---------------------------------------------------------------------------------- */

#define WHEEL_ACCOUNTS 300

static void the_wheel_turns_accounts_in_the_order_of_a_sorted_list(void **state) {
    (void)state;
    struct ampel_pool pool = pool_open();
    struct ampel_accounts accounts;
    struct ampel_wheel wheel;
    int64_t due[WHEEL_ACCOUNTS], now_ms = NOON;
    assert_true(ampel_accounts_init(&accounts, &pool, 0));
    uint32_t tenant = ampel_tenant_claim(&accounts, &pool, text("t"));
    ampel_wheel_init(&wheel, now_ms);
    for (uint32_t i = 0; i < WHEEL_ACCOUNTS; i++) {
        struct ampel_account_key key = {i, tenant, text("s"), text("m")};
        assert_int_equal(ampel_accounts_claim(&accounts, &pool, &key), i);
        due[i] = INT64_MAX;
    }
    static const int64_t spans[] = {1, 64, 5000, HOUR, DAY, 40 * DAY, 400 * DAY, 40000 * DAY};
    for (int round = 0; round < 3000; round++) {
        for (int k = 0; k < 20; k++) {
            uint32_t i = draw(WHEEL_ACCOUNTS);
            due[i] = now_ms + 1 + (int64_t)(draw(1 << 30) % spans[draw(8)]);
            if (draw(9) == 0) due[i] = INT64_MAX;
            ampel_wheel_set(&wheel, &accounts, i, due[i]);
        }
        int64_t least = INT64_MAX, next_ms, limit_ms = now_ms + spans[draw(8)];
        for (uint32_t i = 0; i < WHEEL_ACCOUNTS; i++)
            least = due[i] < least ? due[i] : least;
        uint32_t steps = 1;
        while (!ampel_wheel_next(&wheel, &accounts, limit_ms, &steps, &next_ms))
            steps = 1 + draw(3);
        assert_true(next_ms == (least <= limit_ms ? least : INT64_MAX));
        now_ms = next_ms == INT64_MAX ? limit_ms : next_ms;
        ampel_wheel_move(&wheel, now_ms);
        assert_true(ampel_wheel_sane(&wheel, &accounts));
        for (uint32_t slot; (slot = ampel_wheel_pop(&wheel, &accounts)) != AMPEL_SLOT_NONE;) {
            assert_true(due[slot] == now_ms);
            due[slot] = INT64_MAX;
        }
        for (uint32_t i = 0; i < WHEEL_ACCOUNTS; i++)
            assert_true(due[i] > now_ms);
    }
    ampel_pool_reset(&pool);
}

#define AGENDA_ACCOUNTS (2 * AMPEL_WHEEL_AGENDA_MAX)

static int compare_due(const void *a, const void *b) {
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void accounts_due_within_the_hour_turn_in_order_though_they_are_more_than_an_agenda(void **state) {
    (void)state;
    struct ampel_pool pool = pool_open();
    struct ampel_accounts accounts;
    struct ampel_wheel wheel;
    static int64_t due[AGENDA_ACCOUNTS], sorted[AGENDA_ACCOUNTS];
    assert_true(ampel_accounts_init(&accounts, &pool, 0));
    uint32_t tenant = ampel_tenant_claim(&accounts, &pool, text("t")), counts[] = {100, 300, AGENDA_ACCOUNTS};
    for (uint32_t i = 0; i < AGENDA_ACCOUNTS; i++) {
        struct ampel_account_key key = {i, tenant, text("s"), text("m")};
        assert_int_equal(ampel_accounts_claim(&accounts, &pool, &key), i);
    }
    int64_t now_ms = NOON;
    ampel_wheel_init(&wheel, now_ms);
    for (uint32_t round = 0; round < AMPEL_ARRAY_COUNT(counts); round++) {
        uint32_t count = counts[round], turned = 0, steps = 1;
        for (uint32_t i = 0; i < count; i++) {
            due[i] = now_ms + DAY + (int64_t)draw((uint32_t)HOUR);
            ampel_wheel_set(&wheel, &accounts, i, due[i]);
        }
        /* Some are due at another time as soon as all lists are spread. */
        int64_t next_ms;
        while (!ampel_wheel_next(&wheel, &accounts, now_ms + 2 * DAY, &steps, &next_ms))
            steps = 1 + draw(30);
        for (uint32_t i = 0; i < count; i += 1 + draw(5)) {
            due[i] = 1 + (draw(3) == 0 ? due[i] : next_ms + (int64_t)draw((uint32_t)HOUR));
            ampel_wheel_set(&wheel, &accounts, i, due[i]);
        }
        assert_true(ampel_wheel_sane(&wheel, &accounts));
        memcpy(sorted, due, count * sizeof(*due));
        qsort(sorted, count, sizeof(*sorted), compare_due);
        while (turned < count) {
            while (!ampel_wheel_next(&wheel, &accounts, now_ms + 2 * DAY, &steps, &next_ms))
                steps = 1 + draw(30);
            assert_true(next_ms == sorted[turned]);
            ampel_wheel_move(&wheel, next_ms);
            for (uint32_t slot; (slot = ampel_wheel_pop(&wheel, &accounts)) != AMPEL_SLOT_NONE; turned++)
                assert_true(due[slot] == next_ms);
        }
        now_ms += 2 * DAY;
        ampel_wheel_move(&wheel, now_ms);
        assert_true(ampel_wheel_sane(&wheel, &accounts));
    }
    ampel_pool_reset(&pool);
}

static void sorting_sorts(void **state) {
    (void)state;
    uint64_t keys[500];
    for (uint32_t count = 0; count < 500; count++) {
        for (uint32_t i = 0; i < count; i++)
            keys[i] = draw(100);
        ampel_sort_u64(keys, count);
        for (uint32_t i = 1; i < count; i++)
            assert_true(keys[i - 1] <= keys[i]);
    }
}

/* ---- violations ----------------------------------------------------------------------------- */

/* Sanity recounts every rank and the sums by the definition; recomputing anew must change nothing.
 */
static void assert_violations(struct ampel_violations *block,
                              const struct ampel_violations_context *context) {
    assert_true(ampel_violations_sane(block, context));
    if (block == NULL) return;
    struct ampel_violation_sums sums = block->sums;
    ampel_violations_recompute(block, context, false);
    assert_memory_equal(&sums, &block->sums, sizeof(sums));
    assert_true(ampel_violations_sane(block, context));
}

/* What each known violation was when rows were written last. */
struct written {
    uint16_t rank[200];
    bool known[200];
};

static uint32_t number_of(const struct ampel_violations *block, uint16_t record) {
    struct ampel_text id = ampel_violations_text(block, record, AMPEL_TEXT_ID);
    uint32_t number = 0;
    for (uint32_t i = 0; i < id.size; i++)
        number = 10 * number + (uint32_t)(id.bytes[i] - '0');
    return number;
}

static void assert_marked(const struct ampel_violations *block, const struct written *written) {
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        uint32_t number = number_of(block, ampel_violations_order(block)[i]);
        bool differs = !written->known[number] || written->rank[number] != ampel_violations_rank(block, i);
        assert_true(!differs || ampel_violations_changed(block, i));
    }
}

static void write_rows(struct ampel_violations *block, struct written *written) {
    memset(written, 0, sizeof(*written));
    if (block == NULL) return;
    ampel_violations_marks_clear(block);
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        uint32_t number = number_of(block, ampel_violations_order(block)[i]);
        assert_false(ampel_violations_changed(block, i));
        written->known[number] = true;
        written->rank[number] = ampel_violations_rank(block, i);
    }
}

static void differences_keep_what_counting_anew_gives(void **state) {
    (void)state;
    for (uint32_t run = 0; run < 60; run++) {
        /* Then nothing is cleared, and ranks are found without counting. */
        bool plain = run >= 40;
        struct ampel_pool pool = pool_open();
        struct ampel_rules rules;
        struct ampel_scale scale;
        ampel_rules_init(&rules);
        rules.anchor = run % 2 == 0 ? AMPEL_ANCHOR_ANCHORED : AMPEL_ANCHOR_RERANK;
        rules.critical_mode = (enum ampel_critical_mode)(run % 3);
        rules.critical_value = 3;
        rules.window_days = run % 5 == 0 ? 20 : 180;
        rules.policies[2].severity = AMPEL_SEVERITY_NONE;
        ampel_scale_init(&scale, &rules);
        struct ampel_violations *block = NULL;
        struct ampel_violations_context context = {&pool, &scale, NOON, 65535};
        struct written written = {.known = {false}};
        for (int step = 0; step < 400; step++) {
            char id[8];
            snprintf(id, sizeof(id), "%u", draw(run < 10 ? 8 : run < 20 ? 30 : 150));
            int64_t at_ms = context.now_ms - draw(40) * DAY * 10 - (int64_t)draw(3);
            if (draw(3) == 0) {
                assert_true(ampel_violations_state(&block, &context, text(id),
                                                   (uint8_t)draw(plain ? 4 : 8), at_ms) <= AMPEL_OUTCOME_MOVED);
            } else {
                struct ampel_violation_facts facts = {
                    .at_ms = at_ms,
                    .at_risk_sales_cents = -1,
                    .texts = {[AMPEL_TEXT_ID] = text(id)},
                    .rev = (uint16_t)draw(4),
                    .points_given = (int16_t)(draw(8) == 0 ? (int)draw(9) : -1),
                    .policy = (uint8_t)draw(run % 4 == 3 ? 64 : 3),
                    .severity_given = (int8_t)(plain ? -1 : (int)draw(6) - 1),
                };
                assert_true(ampel_violations_define(&block, &context, &facts) <=
                            AMPEL_OUTCOME_MOVED);
            }
            if (draw(4) == 0) context.now_ms += draw(200) * HOUR;
            while (ampel_violations_due(block) <= context.now_ms) {
                uint16_t record = ampel_violations_due_record(block);
                if ((block->hot[record].flags & AMPEL_VIOLATION_IN_WINDOW) != 0) {
                    assert_true(ampel_violations_expire(block, &context, record) <=
                                AMPEL_OUTCOME_MOVED);
                } else {
                    ampel_violations_forget(&block, &context, record);
                }
            }
            assert_true(ampel_violations_sane(block, &context));
            if (step % 7 == 0) assert_violations(block, &context);
            assert_marked(block, &written);
            if (step % 50 == 0) write_rows(block, &written);
        }
        ampel_pool_reset(&pool);
        assert_int_equal(counted.bytes, 0);
    }
}

static void a_ladder_stays_what_it_is_beyond_its_last_step(void **state) {
    (void)state;
    struct ampel_rules rules;
    struct ampel_scale scale;
    ampel_rules_init(&rules);
    ampel_scale_init(&scale, &rules);
    assert_int_equal(ampel_scale_points(&scale, AMPEL_SEVERITY_HIGH, 4, -1), 128);
    assert_int_equal(ampel_scale_points(&scale, AMPEL_SEVERITY_HIGH, 65000, -1), 128);
    rules.ladder = AMPEL_LADDER_TABLE;
    ampel_scale_init(&scale, &rules);
    assert_int_equal(ampel_scale_points(&scale, AMPEL_SEVERITY_LOW, 1, -1), 4);
    assert_int_equal(ampel_scale_points(&scale, AMPEL_SEVERITY_LOW, 3, -1), 8);
    rules.ladder = AMPEL_LADDER_GEOMETRIC;
    rules.ladder_factor = 10;
    rules.ladder_max_exponent = 10;
    rules.severity_points[AMPEL_SEVERITY_LOW] = 1000;
    ampel_scale_init(&scale, &rules);
    assert_true(ampel_scale_points(&scale, AMPEL_SEVERITY_LOW, 10, -1) ==
                AMPEL_VIOLATION_POINTS_MAX);
}

/* ---- memory --------------------------------------------------------------------------------- */

static enum ampel_engine_status story(struct fixture *f) {
    enum ampel_engine_status status = ampel_engine_open(&f->options, &f->engine);
    if (status != AMPEL_ENGINE_OK) {
        f->engine = NULL;
        return status;
    }
    for (uint32_t i = 0; i < 3000 && status == AMPEL_ENGINE_OK; i++) {
        uint8_t extras[32];
        char seller[8];
        snprintf(seller, sizeof(seller), "S%u", i % 1500);
        struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
        struct ampel_frame_account account = {.seller = text(seller), .marketplace = text("M")};
        account.hash = fixture_hash(account.seller);
        uint8_t type = (uint8_t)(i % 3 == 0 ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_ORDER);
        if (type == AMPEL_EVENT_VIOLATION) {
            assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text(seller)));
        }
        int64_t at_ms = NOON + (i % 7 == 0 ? HOUR : -HOUR);
        uint32_t offsets[2] = {0, writer.size};
        struct ampel_frame frame = {.tenant = text("t"),
                                    .producer = text("p"),
                                    .sequence = i,
                                    .accounts_count = 1,
                                    .accounts = &account,
                                    .events_count = 1,
                                    .type = &type,
                                    .at = (const uint8_t *)&at_ms,
                                    .extras_offset = (const uint8_t *)offsets,
                                    .extras = extras,
                                    .extras_size = writer.size};
        status = ampel_engine_apply(f->engine, &frame, &f->counts);
    }
    bool done = false;
    if (status == AMPEL_ENGINE_OK) {
        status = ampel_engine_advance(f->engine, NOON + 200 * DAY, UINT32_MAX, &done);
    }
    return status;
}

static void a_lack_of_memory_at_any_take_is_a_status_and_nothing_leaks(void **state) {
    (void)state;
    for (int64_t fail_at = 0;; fail_at++) {
        struct fixture f;
        memset(&f, 0, sizeof(f));
        ampel_rules_init(&f.rules);
        f.memory.fail_at = fail_at;
        f.options = (struct ampel_engine_options){
            .memory = {&f.memory, fixture_take, fixture_give}, .rules = &f.rules, .start_ms = NOON};
        enum ampel_engine_status status = story(&f);
        if (status == AMPEL_ENGINE_OK)
            assert_true(f.memory.takes <= fail_at && fail_at > 10);
        else
            assert_int_equal(status, AMPEL_ENGINE_NO_MEMORY);
        ampel_engine_close(f.engine);
        assert_int_equal(f.memory.bytes, 0);
        if (status == AMPEL_ENGINE_OK) break;
    }
}

static void the_steady_state_takes_no_memory(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    for (int round = 0; round < 200; round++) {
        char id[8];
        if (round == 100) f.memory.takes = 0;
        for (int i = 0; i < 20; i++) {
            snprintf(id, sizeof(id), "v%d", i);
            SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = ampel_engine_now(f.engine), .count = 9);
            SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = ampel_engine_now(f.engine),
                 .policy = 4, .id = id, .rev = (uint16_t)round);
            SEND(&f, .type = AMPEL_EVENT_VIOLATION_STATE,
                 .at_ms = ampel_engine_now(f.engine) + HOUR, .id = id,
                 .code = (uint8_t)(round % 8));
        }
        fixture_advance(&f, ampel_engine_now(f.engine) + 5 * DAY);
        ampel_engine_changes_clear(f.engine);
    }
    assert_int_equal(f.memory.takes, 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_never_overlap_and_all_go_back),
        cmocka_unit_test(a_table_finds_all_it_was_given_through_every_split),
        cmocka_unit_test(names_chosen_to_collide_cost_steps_but_no_directory),
        cmocka_unit_test(a_ring_of_any_width_keeps_every_day),
        cmocka_unit_test(days_that_are_not_empty_are_found_from_every_cell),
        cmocka_unit_test(increments_stop_at_the_bound_and_before_a_told_total),
        cmocka_unit_test(the_wheel_turns_accounts_in_the_order_of_a_sorted_list),
        cmocka_unit_test(accounts_due_within_the_hour_turn_in_order_though_they_are_more_than_an_agenda),
        cmocka_unit_test(sorting_sorts),
        cmocka_unit_test(differences_keep_what_counting_anew_gives),
        cmocka_unit_test(a_ladder_stays_what_it_is_beyond_its_last_step),
        cmocka_unit_test(a_lack_of_memory_at_any_take_is_a_status_and_nothing_leaks),
        cmocka_unit_test(the_steady_state_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

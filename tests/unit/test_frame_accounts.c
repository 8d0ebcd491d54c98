/* Accounts of frames with more of them than are found at once: however a frame names them, the same becomes of each. */
#include "tests/unit/draw.h"
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define SELLERS      700
#define EVENTS       1500
#define FRAMES       3
#define UNUSED_NAMES 300

enum naming { AS_MET, REVERSED, TWICE_AND_SHUFFLED, BEHIND_UNUSED, NAMINGS };

struct event {
    uint32_t seller;
    uint8_t type;
    int64_t at_ms;
    uint32_t count;
};

static struct event events[FRAMES][EVENTS];
static char sellers[SELLERS + UNUSED_NAMES][8];

static void events_draw(void) {
    uint64_t seed = UINT64_C(0xf4a3e);
    for (uint32_t i = 0; i < SELLERS + UNUSED_NAMES; i++)
        (void)snprintf(sellers[i], sizeof(sellers[i]), "S%u", i);
    for (uint32_t f = 0; f < FRAMES; f++) {
        for (uint32_t i = 0; i < EVENTS; i++) {
            bool violation = draw_from(&seed, 10) == 0;
            /* Later frames bring some that are new. */
            events[f][i] = (struct event){draw_from(&seed, SELLERS * (f + 1) / FRAMES),
                                          violation ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_ORDER,
                                          NOON - (int64_t)draw_from(&seed, 100) * HOUR, 1 + draw_from(&seed, 120)};
        }
    }
}

struct naming_made {
    uint32_t count, of[SELLERS][2]; /* the numbers of each seller */
    struct ampel_frame_account accounts[2 * SELLERS + UNUSED_NAMES];
};

static void name_put(struct naming_made *made, uint32_t seller, uint32_t which) {
    struct ampel_frame_account account = {.seller = text(sellers[seller]), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    if (seller < SELLERS) made->of[seller][which] = made->count;
    made->accounts[made->count++] = account;
}

static void naming_make(enum naming naming, const struct event frame[EVENTS], struct naming_made *made) {
    uint64_t seed = UINT64_C(0x5fff1e);
    uint32_t order[2 * SELLERS], used = 0;
    bool met[SELLERS] = {false};
    made->count = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        if (!met[frame[i].seller]) order[used++] = frame[i].seller;
        met[frame[i].seller] = true;
    }
    for (uint32_t i = 0; naming == BEHIND_UNUSED && i < UNUSED_NAMES; i++)
        name_put(made, SELLERS + i, 0);
    if (naming != TWICE_AND_SHUFFLED) {
        for (uint32_t i = 0; i < used; i++) {
            uint32_t seller = order[naming == REVERSED ? used - 1 - i : i];
            name_put(made, seller, 0);
            made->of[seller][1] = made->of[seller][0];
        }
        return;
    }
    memcpy(order + used, order, used * sizeof(*order));
    bool named[SELLERS] = {false};
    for (uint32_t left = 2 * used; left > 0; left--) {
        uint32_t i = draw_from(&seed, left), seller = order[i];
        name_put(made, seller, named[seller]);
        named[seller] = true;
        order[i] = order[left - 1];
    }
}

static void frame_send(struct fixture *f, enum naming naming, uint32_t number) {
    static struct naming_made made;
    static uint32_t account[EVENTS], count[EVENTS], offsets[EVENTS + 1];
    static uint8_t type[EVENTS], policy[EVENTS], extras[EVENTS * 16];
    static int64_t at_ms[EVENTS];
    uint32_t written = 0;
    naming_make(naming, events[number], &made);
    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct event *event = &events[number][i];
        account[i] = made.of[event->seller][i & 1];
        type[i] = event->type;
        at_ms[i] = event->at_ms;
        count[i] = event->type == AMPEL_EVENT_ORDER ? event->count : 1;
        policy[i] = event->type == AMPEL_EVENT_ORDER ? 0 : (uint8_t)(event->count % 3);
        offsets[i] = written;
        if (event->type == AMPEL_EVENT_VIOLATION) {
            char id[16];
            struct ampel_extras_writer writer = {extras + written, sizeof(extras) - written, 0};
            (void)snprintf(id, sizeof(id), "v%u-%u", number, i);
            assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text(id)));
            written += writer.size;
        }
    }
    offsets[EVENTS] = written;
    struct ampel_frame frame = {
        .stamp_ms = NOON,
        .sent_at_ms = NOON,
        .tenant = text("t1"),
        .producer = text("feeder"),
        .sequence = number + 1,
        .accounts_count = made.count,
        .accounts = made.accounts,
        .events_count = EVENTS,
        .account = (const uint8_t *)account,
        .type = type,
        .at = (const uint8_t *)at_ms,
        .count = (const uint8_t *)count,
        .policy = policy,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = written,
    };
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
    assert_int_equal(f->counts.applied, EVENTS);
}

static void whatever_order_names_stand_in_the_same_becomes_of_each(void **state) {
    (void)state;
    static uint8_t exported[NAMINGS][SELLERS][4096];
    static uint32_t sizes[NAMINGS][SELLERS];
    uint32_t told[NAMINGS] = {0}, accounts[NAMINGS];
    events_draw();
    for (int naming = 0; naming < NAMINGS; naming++) {
        struct fixture f;
        fixture_open(&f, NOON);
        for (uint32_t number = 0; number < FRAMES; number++) {
            uint32_t count;
            frame_send(&f, (enum naming)naming, number);
            (void)ampel_engine_changes(f.engine, &count);
            told[naming] += count;
            ampel_engine_changes_clear(f.engine);
        }
        for (uint32_t i = 0; i < SELLERS; i++) {
            struct ampel_text seller = text(sellers[i]);
            uint32_t slot = ampel_engine_account_find(f.engine, fixture_hash(seller), text("t1"), seller, text("M1"));
            sizes[naming][i] =
                slot == AMPEL_SLOT_NONE ? 0 : ampel_engine_account_export(f.engine, slot, exported[naming][i], sizeof(exported[naming][i]));
            assert_in_range(sizes[naming][i], 0, sizeof(exported[naming][i]));
            assert_int_equal(sizes[naming][i], sizes[0][i]);
            assert_memory_equal(exported[naming][i], exported[0][i], sizes[0][i]);
        }
        assert_int_equal(told[naming], told[0]);
        accounts[naming] = ampel_engine_accounts_count(f.engine);
        assert_int_equal(accounts[naming], accounts[0]);
        fixture_close(&f);
    }
    assert_in_range(accounts[0], SELLERS / 2, SELLERS);
    assert_in_range(told[0], 1, UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_order_names_stand_in_the_same_becomes_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

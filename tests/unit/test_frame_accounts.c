/* Frames with more accounts than are found at once: however a frame names them, and whatever order its events come in, the
   same becomes of each. */
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
    uint32_t id; /* of a violation, within its frame */
};

static struct event events[FRAMES][EVENTS];
static char sellers[SELLERS + UNUSED_NAMES][8];

static void names_make(void) {
    for (uint32_t i = 0; i < SELLERS + UNUSED_NAMES; i++)
        (void)snprintf(sellers[i], sizeof(sellers[i]), "S%u", i);
}

static void events_draw(void) {
    uint64_t seed = UINT64_C(0xf4a3e);
    names_make();
    for (uint32_t f = 0; f < FRAMES; f++) {
        for (uint32_t i = 0; i < EVENTS; i++) {
            bool violation = draw_from(&seed, 10) == 0;
            /* Later frames bring some that are new. */
            events[f][i] = (struct event){draw_from(&seed, SELLERS * (f + 1) / FRAMES),
                                          violation ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_ORDER,
                                          NOON - (int64_t)draw_from(&seed, 100) * HOUR, 1 + draw_from(&seed, 120), i};
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
            (void)snprintf(id, sizeof(id), "v%u-%u", number, event->id);
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

struct result {
    uint8_t exported[SELLERS][4096];
    uint32_t sizes[SELLERS], told, accounts;
};

static void frames_run(enum naming naming, struct result *out) {
    struct fixture f;
    fixture_open(&f, NOON);
    out->told = 0;
    for (uint32_t number = 0; number < FRAMES; number++) {
        uint32_t count;
        frame_send(&f, naming, number);
        (void)ampel_engine_changes(f.engine, &count);
        out->told += count;
        ampel_engine_changes_clear(f.engine);
    }
    for (uint32_t i = 0; i < SELLERS; i++) {
        struct ampel_text seller = text(sellers[i]);
        uint32_t slot = ampel_engine_account_find(f.engine, fixture_hash(seller), text("t1"), seller, text("M1"));
        out->sizes[i] = slot == AMPEL_SLOT_NONE ? 0 : ampel_engine_account_export(f.engine, slot, out->exported[i], sizeof(out->exported[i]));
        assert_in_range(out->sizes[i], 0, sizeof(out->exported[i]));
    }
    out->accounts = ampel_engine_accounts_count(f.engine);
    fixture_close(&f);
}

static void result_same(const struct result *a, const struct result *b) {
    for (uint32_t i = 0; i < SELLERS; i++) {
        assert_int_equal(a->sizes[i], b->sizes[i]);
        assert_memory_equal(a->exported[i], b->exported[i], a->sizes[i]);
    }
    assert_int_equal(a->told, b->told);
    assert_int_equal(a->accounts, b->accounts);
}

static struct result first, other;

static void whatever_order_names_stand_in_the_same_becomes_of_each(void **state) {
    (void)state;
    events_draw();
    frames_run(AS_MET, &first);
    for (int naming = REVERSED; naming < NAMINGS; naming++) {
        frames_run((enum naming)naming, &other);
        result_same(&first, &other);
    }
    assert_in_range(first.accounts, SELLERS / 2, SELLERS);
    assert_in_range(first.told, 1, UINT32_MAX);
}

/* Orders of one account stand together, up to so many; among them a violation now and then, a day that is too old, and so
   many orders at once that points are earned. */
static void rows_draw(uint64_t *seed, uint32_t longest) {
    for (uint32_t f = 0; f < FRAMES; f++) {
        for (uint32_t i = 0; i < EVENTS;) {
            uint32_t seller = draw_from(seed, SELLERS * (f + 1) / FRAMES), many = 1 + draw_from(seed, longest);
            for (; many > 0 && i < EVENTS; many--, i++) {
                bool violation = draw_from(seed, 25) == 0;
                uint32_t most = draw_from(seed, 30) == 0 ? 250 : 3;
                uint32_t days = draw_from(seed, 20) == 0 ? 183 : 30;
                events[f][i] = (struct event){seller, violation ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_ORDER,
                                              NOON - (int64_t)draw_from(seed, days) * DAY, 1 + draw_from(seed, most), i};
            }
        }
    }
}

static void frames_shuffle(uint64_t *seed) {
    for (uint32_t f = 0; f < FRAMES; f++) {
        for (uint32_t left = EVENTS; left > 1; left--) {
            struct event *a = &events[f][left - 1], *b = &events[f][draw_from(seed, left)], kept = *a;
            *a = *b;
            *b = kept;
        }
    }
}

static void orders_in_a_row_come_to_what_they_come_to_apart(void **state) {
    (void)state;
    static const uint32_t longest[] = {2, 7, 25, 100, 400};
    uint64_t seed = UINT64_C(0x20125);
    names_make();
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(longest); i++) {
        rows_draw(&seed, longest[i]);
        frames_run(AS_MET, &first);
        frames_shuffle(&seed);
        frames_run(AS_MET, &other);
        result_same(&first, &other);
        assert_in_range(first.told, 1, UINT32_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_order_names_stand_in_the_same_becomes_of_each),
        cmocka_unit_test(orders_in_a_row_come_to_what_they_come_to_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

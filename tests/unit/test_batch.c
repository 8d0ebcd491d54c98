/* Batches (proto/batch.h): columns and rows say the same; what is broken is named and harms
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/batch.h"
#include "proto/pack.h"
#include "proto/text.h"
#include "tests/oracle/maker.h"
#include "tests/unit/batch_fixture.h"

static void assert_texts_equal(struct ampel_text left, struct ampel_text right) {
    assert_true(ampel_text_equal(left, right));
}

/* ---- there and back ------------------------------------------------------------------------- */

struct sent {
    struct ampel_event event;
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    char seller[AMPEL_ID_BYTES_MAX], marketplace[AMPEL_ID_BYTES_MAX];
    uint32_t seller_size, marketplace_size;
};

static void make_sent(struct ampel_maker *maker, const struct sent *before, uint32_t index,
                      struct sent *out) {
    uint8_t type = (uint8_t)ampel_maker_below(maker, AMPEL_EVENT_TYPES_COUNT);
    if (ampel_maker_below(maker, 3) > 0) type = AMPEL_EVENT_ORDER;
    if (index > 0 && ampel_maker_below(maker, 4) > 0) {
        *out = before[ampel_maker_below(maker, index)];
    } else {
        out->seller_size = ampel_maker_id(maker, true, out->seller);
        out->marketplace_size = ampel_maker_id(maker, true, out->marketplace);
    }
    ampel_maker_event(maker, type, SENT_AT_MS, out->extras, &out->event);
}

static void random_batches_come_back_as_they_were_sent_in_both_forms(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    struct sent *sent = calloc(1000, sizeof *sent);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t count = ampel_maker_below(&maker, round % 2 == 0 ? 10 : 1000);
        ampel_batch_builder_reset(builder);
        for (uint32_t i = 0; i < count; i++) {
            make_sent(&maker, sent, i, &sent[i]);
            struct ampel_text seller = {sent[i].seller, sent[i].seller_size};
            struct ampel_text marketplace = {sent[i].marketplace, sent[i].marketplace_size};
            assert_true(ampel_batch_builder_push(builder, seller, marketplace, &sent[i].event));
        }
        assert_int_equal(ampel_batch_builder_events(builder), count);
        for (int rows = 0; rows < 2; rows++) {
            struct ampel_batch_header header = header_of(round);
            struct ampel_error error = {0};
            struct ampel_batch batch;
            const uint8_t *bytes;
            uint32_t size;
            header.backfill = round % 3 == 0;
            assert_true(ampel_batch_encode(builder, &header, rows == 1, &bytes, &size));
            if (!ampel_batch_decode(decoder, bytes, size, &batch, &error))
                fail_msg("%s: %s", error.field, error.reason);
            assert_texts_equal(batch.header.producer, header.producer);
            assert_int_equal(batch.header.sequence, round);
            assert_int_equal(batch.header.sent_at_ms, SENT_AT_MS);
            assert_int_equal(batch.header.backfill, header.backfill);
            assert_int_equal(batch.refused_count, 0);
            assert_int_equal(batch.frame.events_count, count);
            for (uint32_t i = 0; i < count; i++) {
                struct ampel_event event;
                uint32_t account;
                ampel_frame_event(&batch.frame, i, &account, &event);
                assert_events_equal(&event, &sent[i].event);
                assert_in_range(account, 0, batch.frame.accounts_count - 1);
                assert_texts_equal(batch.frame.accounts[account].seller,
                                   (struct ampel_text){sent[i].seller, sent[i].seller_size});
            }
        }
    }
    free(sent);
    ampel_batch_builder_close(builder);
    ampel_batch_decoder_close(decoder);
}

/* ---- batches by hand ------------------------------------------------------------------------ */

/* The row's parts as a hand-written feeder gives them; field "" gives no fields at all. */
static void put_row(struct ampel_pack_writer *writer, int64_t account, const char *type,
                    int64_t at_ms, const char *field, const char *text, int64_t number) {
    ampel_pack_put_list(writer, field[0] == 0 ? 3 : 4);
    ampel_pack_put_integer(writer, account);
    ampel_pack_put_word(writer, type);
    ampel_pack_put_integer(writer, at_ms);
    if (field[0] == 0) return;
    ampel_pack_put_map(writer, 1);
    ampel_pack_put_word(writer, field);
    if (text != NULL)
        ampel_pack_put_word(writer, text);
    else
        ampel_pack_put_integer(writer, number);
}

static void a_refused_row_is_named_and_holds_back_no_other(void **state) {
    (void)state;
    static const struct {
        int64_t account;
        const char *type;
        int64_t off_ms;
        const char *field, *text;
        int64_t number;
        enum ampel_verdict verdict;
        const char *blamed;
    } rows[] = {
        {0, "order", 0, "count", NULL, 3, AMPEL_VERDICT_OK, ""},
        {0, "order", 0, "", NULL, 0, AMPEL_VERDICT_OK, ""},
        {1, "order", 0, "", NULL, 0, AMPEL_VERDICT_BAD_ACCOUNT, "account"},
        {2, "order", 0, "", NULL, 0, AMPEL_VERDICT_BAD_ACCOUNT, "account"},
        {-1, "order", 0, "", NULL, 0, AMPEL_VERDICT_BAD_ACCOUNT, "account"},
        {0, "orders", 0, "", NULL, 0, AMPEL_VERDICT_BAD_TYPE, "type"},
        {0, "order", -SENT_AT_MS - 1, "", NULL, 0, AMPEL_VERDICT_OUT_OF_RANGE, "at"},
        {0, "order", AMPEL_FUTURE_SLACK_MS, "", NULL, 0, AMPEL_VERDICT_OK, ""},
        {0, "order", AMPEL_FUTURE_SLACK_MS + 1, "", NULL, 0, AMPEL_VERDICT_FUTURE, "at"},
        {0, "order", -2 * AMPEL_WINDOW_MS, "", NULL, 0, AMPEL_VERDICT_OK, ""},
        {0, "order", -2 * AMPEL_WINDOW_MS - 1, "", NULL, 0, AMPEL_VERDICT_ANCIENT, "at"},
        {0, "order", 0, "count", NULL, 0, AMPEL_VERDICT_OUT_OF_RANGE, "count"},
        {0, "order", 0, "count", "3", 0, AMPEL_VERDICT_BAD_VALUE, "count"},
        {0, "order", 0, "quantity", NULL, 3, AMPEL_VERDICT_UNKNOWN_FIELD, "quantity"},
        {0, "order", 0, "no name", NULL, 3, AMPEL_VERDICT_UNKNOWN_FIELD, ""},
        {0, "violation", 0, "id", "v1", 0, AMPEL_VERDICT_MISSING, "policy"},
        {0, "violation", 0, "policy", "theft", 0, AMPEL_VERDICT_UNKNOWN_NAME, "policy"},
        {0, "violation_state", 0, "id", "a b", 0, AMPEL_VERDICT_MISSING, "state"},
        {0, "account_status", 0, "status", "normal", 0, AMPEL_VERDICT_OK, ""},
    };
    struct hand hand;
    struct ampel_batch batch;
    struct ampel_error error;
    struct ampel_pack_writer *writer = hand_open(&hand, 1, "bad seller");
    ampel_pack_put_word(writer, "rows");
    ampel_pack_put_list(writer, AMPEL_ARRAY_COUNT(rows));
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        put_row(writer, rows[i].account, rows[i].type, SENT_AT_MS + rows[i].off_ms, rows[i].field,
                rows[i].text, rows[i].number);
    assert_true(hand_decode(&hand, &batch, &error));
    assert_int_equal(batch.frame.events_count, AMPEL_ARRAY_COUNT(rows));
    uint32_t refused = 0;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        if (rows[i].verdict == AMPEL_VERDICT_OK) continue;
        assert_true(refused < batch.refused_count);
        const struct ampel_batch_refused *found = &batch.refused[refused++];
        if (found->event_index != i || found->verdict != rows[i].verdict ||
            strcmp(found->field, rows[i].blamed) != 0)
            fail_msg("row %u: refused %u, %s, '%s'", i, found->event_index,
                     ampel_verdict_name(found->verdict), found->field);
    }
    assert_int_equal(refused, batch.refused_count);
}

static void a_time_of_a_row_may_be_text(void **state) {
    (void)state;
    struct hand hand;
    struct ampel_batch batch;
    struct ampel_error error;
    struct ampel_event event;
    uint32_t account;
    struct ampel_pack_writer *writer = hand_open(&hand, 1, "bad seller");
    ampel_pack_put_word(writer, "rows");
    ampel_pack_put_list(writer, 1);
    ampel_pack_put_list(writer, 3);
    ampel_pack_put_integer(writer, 0);
    ampel_pack_put_word(writer, "order");
    ampel_pack_put_word(writer, "2026-10-01T14:34:56.789+02:00");
    assert_true(hand_decode(&hand, &batch, &error));
    assert_int_equal(batch.refused_count, 0);
    ampel_frame_event(&batch.frame, 0, &account, &event);
    assert_int_equal(event.at_ms, SENT_AT_MS);
}

/* ---- columns by hand ------------------------------------------------------------------------ */

struct hand_columns {
    uint32_t count;
    uint8_t account[4 * 300], type[300], at[8 * 300];
    struct {
        const char *name;
        const void *bytes;
        uint32_t size;
    } more[4];
    uint32_t more_count;
    const char *second_seller;
};

static void columns_of_orders(struct hand_columns *columns, uint32_t count) {
    *columns = (struct hand_columns){.count = count, .second_seller = "S2"};
    for (size_t i = 0; i < count; i++)
        ampel_store_i64(columns->at + 8 * i, SENT_AT_MS);
}

static void columns_more(struct hand_columns *columns, const char *name, const void *bytes,
                         uint32_t size) {
    columns->more[columns->more_count].name = name;
    columns->more[columns->more_count].bytes = bytes;
    columns->more[columns->more_count++].size = size;
}

static void put_columns(struct hand *hand, const struct hand_columns *columns) {
    struct ampel_pack_writer *writer = hand_open(hand, 1, columns->second_seller);
    ampel_pack_put_word(writer, "columns");
    ampel_pack_put_map(writer, 3 + columns->more_count);
    ampel_pack_put_word(writer, "account");
    ampel_pack_put_bytes(writer, columns->account, 4 * columns->count);
    ampel_pack_put_word(writer, "type");
    ampel_pack_put_bytes(writer, columns->type, columns->count);
    ampel_pack_put_word(writer, "at");
    ampel_pack_put_bytes(writer, columns->at, 8 * columns->count);
    for (uint32_t i = 0; i < columns->more_count; i++) {
        ampel_pack_put_word(writer, columns->more[i].name);
        ampel_pack_put_bytes(writer, columns->more[i].bytes, columns->more[i].size);
    }
}

/* Spoils one event at a time in the midst of plain orders, so that the fast way over runs must
 * notice each. */
static void one_wrong_event_among_orders_is_found_wherever_it_stands(void **state) {
    (void)state;
    enum { COUNT = 200, WAYS = 12 };
    static const enum ampel_verdict verdicts[WAYS] = {
        AMPEL_VERDICT_BAD_ACCOUNT,   AMPEL_VERDICT_BAD_ACCOUNT,   AMPEL_VERDICT_BAD_TYPE,
        AMPEL_VERDICT_FUTURE,        AMPEL_VERDICT_ANCIENT,       AMPEL_VERDICT_OUT_OF_RANGE,
        AMPEL_VERDICT_OUT_OF_RANGE,  AMPEL_VERDICT_UNKNOWN_FIELD, AMPEL_VERDICT_UNKNOWN_FIELD,
        AMPEL_VERDICT_UNKNOWN_FIELD, AMPEL_VERDICT_UNKNOWN_FIELD, AMPEL_VERDICT_UNKNOWN_FIELD,
    };
    static const uint32_t places[] = {0, 1, 63, 64, 65, 127, 128, 150, 191, 192, 199};
    for (uint32_t p = 0; p < AMPEL_ARRAY_COUNT(places); p++) {
        for (uint32_t way = 0; way < WAYS; way++) {
            struct hand_columns columns;
            struct hand hand;
            struct ampel_batch batch;
            struct ampel_error error;
            uint8_t count[4 * COUNT], policy[COUNT] = {0}, severity[COUNT], points[2 * COUNT];
            size_t at = places[p];
            columns_of_orders(&columns, COUNT);
            memset(severity, 0xff, sizeof severity);
            memset(points, 0xff, sizeof points);
            for (size_t i = 0; i < COUNT; i++)
                ampel_store_u32(count + 4 * i, 1 + (uint32_t)i);
            if (way == 0) ampel_store_u32(columns.account + 4 * at, 2);
            /* With a bad account every event is looked at singly. */
            if (way == 1) columns.second_seller = "bad seller";
            if (way == 1) ampel_store_u32(columns.account + 4 * at, 1);
            if (way == 2) columns.type[at] = AMPEL_EVENT_TYPES_COUNT;
            if (way == 3)
                ampel_store_i64(columns.at + 8 * at, SENT_AT_MS + AMPEL_FUTURE_SLACK_MS + 1);
            if (way == 4)
                ampel_store_i64(columns.at + 8 * at, SENT_AT_MS - 2 * AMPEL_WINDOW_MS - 1);
            if (way == 5) ampel_store_i64(columns.at + 8 * at, -1);
            if (way == 6)
                ampel_store_u32(count + 4 * at, places[p] % 2 == 0 ? 0 : AMPEL_ORDERS_MAX + 1);
            if (way == 7) policy[at] = 1;
            if (way == 8) severity[at] = 2;
            if (way == 9) ampel_store_u16(points + 2 * at, 0);
            columns_more(&columns, "count", count, sizeof count);
            columns_more(&columns, "policy", policy, sizeof policy);
            columns_more(&columns, "severity", severity, sizeof severity);
            if (way < 10) columns_more(&columns, "points", points, sizeof points);
            uint8_t code[COUNT], rev[2 * COUNT] = {0};
            memset(code, AMPEL_CODE_NONE, sizeof code);
            code[at] = 0;
            ampel_store_u16(rev + 2 * at, 1);
            if (way == 10) columns_more(&columns, "code", code, sizeof code);
            if (way == 11) columns_more(&columns, "rev", rev, sizeof rev);
            put_columns(&hand, &columns);
            assert_true(hand_decode(&hand, &batch, &error));
            assert_int_equal(batch.refused_count, 1);
            assert_int_equal(batch.refused[0].event_index, at);
            assert_int_equal(batch.refused[0].verdict, verdicts[way]);
        }
    }
}

static void columns_that_do_not_fit_each_other_refuse_the_whole_batch(void **state) {
    (void)state;
    static const uint8_t zeros[64];
    static const struct {
        const char *name;
        uint32_t size;
        const char *field;
    } wrongs[] = {
        {"count", 12, "columns.count"},
        {"count", 17, "columns.count"},
        {"policy", 3, "columns.policy"},
        {"points", 4, "columns.points"},
        {"rev", 9, "columns.rev"},
        {"extras_offset", 16, "columns.extras_offset"},
        {"extras", 1, "columns.extras_offset"},
        {"colour", 4, "columns.colour"},
        {"type", 4, "columns.type"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(wrongs); i++) {
        struct hand_columns columns;
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error;
        columns_of_orders(&columns, 4);
        columns_more(&columns, wrongs[i].name, zeros, wrongs[i].size);
        put_columns(&hand, &columns);
        assert_false(hand_decode(&hand, &batch, &error));
        assert_string_equal(error.field, wrongs[i].field);
        assert_int_equal(batch.header.sequence, 9);
    }
}

/* Without `type` it was `account` that was blamed, for its size. */
static void a_column_that_every_event_needs_is_missed_by_name(void **state) {
    (void)state;
    static const char *const names[] = {"account", "type", "at"};
    static const uint8_t zeros[16];
    for (uint32_t missing = 0; missing < 3; missing++) {
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error;
        static const uint32_t sizes[] = {4, 1, 8};
        struct ampel_pack_writer *writer = hand_open(&hand, 1, "S2");
        ampel_pack_put_word(writer, "columns");
        ampel_pack_put_map(writer, 2);
        for (uint32_t i = 0; i < 3; i++) {
            if (i == missing) continue;
            ampel_pack_put_word(writer, names[i]);
            ampel_pack_put_bytes(writer, zeros, sizes[i] * 2);
        }
        assert_false(hand_decode(&hand, &batch, &error));
        assert_string_equal(error.field, "columns");
        assert_non_null(strstr(error.reason, names[missing]));
    }
}

static void a_header_is_read_from_no_part_of_a_batch_that_ends_before_it(void **state) {
    (void)state;
    struct hand hand;
    struct hand_columns columns;
    struct ampel_batch_header header;
    struct ampel_error error;
    columns_of_orders(&columns, 2);
    put_columns(&hand, &columns);
    bool before = false;
    for (uint32_t size = 0; size <= hand.writer.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, hand.bytes, size);
        bool read = ampel_batch_header_decode(copy, size, &header, &error);
        assert_true(read || !before);
        if (read) assert_int_equal(header.sequence, 9);
        before = read;
        free(copy);
    }
    assert_true(before);
}

static void offsets_of_extras_must_rise_within_the_extras(void **state) {
    (void)state;
    static const struct {
        uint32_t offsets[4];
        bool good;
    } cases[] = {
        {{0, 0, 0, 0}, false},           {{0, 0, 8, 8}, true},  {{1, 1, 8, 8}, false},
        {{0, 9, 8, 8}, false},           {{0, 8, 4, 8}, false}, {{0, 0, 0, 9}, false},
        {{0, 4294967295u, 0, 8}, false},
    };
    static const uint8_t extras[8] = {AMPEL_EXTRA_ID, 5, 0, 'a', 'b', 'c', 'd', 'e'};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        struct hand_columns columns;
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error;
        columns_of_orders(&columns, 3);
        columns_more(&columns, "extras_offset", cases[i].offsets, 16);
        columns_more(&columns, "extras", extras, sizeof extras);
        put_columns(&hand, &columns);
        assert_int_equal(hand_decode(&hand, &batch, &error), cases[i].good);
        /* An order has no id. */
        if (cases[i].good) assert_int_equal(batch.refused[0].verdict, AMPEL_VERDICT_UNKNOWN_FIELD);
        if (cases[i].good) assert_int_equal(batch.refused[0].event_index, 1);
    }
}

/* ---- broken envelopes ----------------------------------------------------------------------- */

/* Builds a batch whose value under one key is replaced (or left out where there is none). */
static void put_spoiled(struct ampel_pack_writer *writer, const char *key, int way) {
    static const char *const keys[] = {"v",        "producer", "seq",    "sent_at",
                                       "backfill", "accounts", "columns"};
    const uint32_t count = AMPEL_ARRAY_COUNT(keys);
    ampel_pack_put_map(writer, way == 0 ? count - 1 : way == 1 ? count + 1 : count);
    for (uint32_t i = 0; i < count; i++) {
        bool spoiled = strcmp(keys[i], key) == 0;
        for (int times = 0; times < (spoiled && way == 1 ? 2 : 1); times++) {
            if (spoiled && way == 0) continue;
            ampel_pack_put_word(writer, keys[i]);
            if (spoiled && way == 2) {
                ampel_pack_put_integer(writer, -7);
                continue;
            }
            if (spoiled && way == 3) {
                ampel_pack_put_word(writer, "a b");
                continue;
            }
            switch (i) {
            case 0:
                ampel_pack_put_integer(writer, 1);
                break;
            case 1:
                ampel_pack_put_word(writer, "hand");
                break;
            case 2:
                ampel_pack_put_integer(writer, 9);
                break;
            case 3:
                ampel_pack_put_integer(writer, SENT_AT_MS);
                break;
            case 4:
                ampel_pack_put_boolean(writer, false);
                break;
            case 5:
                ampel_pack_put_list(writer, 0);
                break;
            default:
                ampel_pack_put_map(writer, 3);
                ampel_pack_put_word(writer, "account");
                ampel_pack_put_bytes(writer, "", 0);
                ampel_pack_put_word(writer, "type");
                ampel_pack_put_bytes(writer, "", 0);
                ampel_pack_put_word(writer, "at");
                ampel_pack_put_bytes(writer, "", 0);
                break;
            }
        }
    }
}

static void a_broken_key_of_the_envelope_is_named(void **state) {
    (void)state;
    static const char *const keys[] = {"none",    "v",        "producer", "seq",
                                       "sent_at", "backfill", "accounts", "columns"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(keys); i++) {
        for (int way = 0; way < 4; way++) {
            struct hand hand;
            struct ampel_batch batch;
            struct ampel_error error;
            bool good = (i == 0 && way >= 2) || (way == 0 && strcmp(keys[i], "backfill") == 0);
            if (i == 0 && way < 2) continue; /* the map would lie about its size */
            hand.writer =
                (struct ampel_pack_writer){.bytes = hand.bytes, .capacity = sizeof hand.bytes};
            put_spoiled(&hand.writer, keys[i], way);
            assert_int_equal(hand_decode(&hand, &batch, &error), good);
            if (!good) assert_string_equal(error.field, keys[i]);
            bool named = i == 0 || way == 1 ||
                         (strcmp(keys[i], "producer") != 0 && strcmp(keys[i], "seq") != 0);
            assert_int_equal(batch.header.producer.size, named ? 4 : 0);
            if (named) assert_int_equal(batch.header.sequence, 9);
        }
    }
}

static void unknown_keys_and_newer_versions_are_refused_by_name(void **state) {
    (void)state;
    struct hand hand;
    struct ampel_batch batch;
    struct ampel_error error;
    struct ampel_pack_writer *writer = hand_open(&hand, 2, "S2");
    ampel_pack_put_word(writer, "rows");
    ampel_pack_put_list(writer, 0);
    ampel_pack_put_word(writer, "tenant");
    ampel_pack_put_word(writer, "other");
    assert_false(hand_decode(&hand, &batch, &error));
    assert_string_equal(error.field, "tenant");
    assert_int_equal(batch.header.sequence, 9);
    /* The same bytes of version 3: "v" is the first key, its value the fourth byte. */
    assert_int_equal(hand.bytes[3], 1);
    hand.bytes[3] = 3;
    assert_false(hand_decode(&hand, &batch, &error));
    assert_string_equal(error.field, "v");
    assert_non_null(strstr(error.reason, "version 3"));
}

static void lengths_that_claim_gigabytes_take_no_memory(void **state) {
    (void)state;
    static const uint8_t lies[][8] = {
        {0xdf, 0xff, 0xff, 0xff, 0xff},
        {0xdd, 0xff, 0xff, 0xff, 0xff},
        {0x81, 0xdd, 0xff, 0xff, 0xff, 0xff},
        {0x81, 0xa1, 'v', 0xdf, 0x7f, 0xff, 0xff, 0xff},
        {0xc6, 0xff, 0xff, 0xff, 0xff},
        {0xdb, 0xff, 0xff, 0xff, 0xff},
        {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91},
        {0xc1},
        {0xd4, 0, 0},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(lies); i++) {
        struct ampel_batch batch;
        struct ampel_error error = {0};
        assert_false(ampel_batch_decode(shared_decoder, lies[i], sizeof lies[i], &batch, &error));
        assert_true(error.reason[0] != 0);
    }
    struct ampel_batch batch;
    struct ampel_error error = {0};
    assert_false(ampel_batch_decode(shared_decoder, lies[0], 0, &batch, &error));
    assert_false(
        ampel_batch_decode(shared_decoder, lies[0], AMPEL_BATCH_BYTES_MAX + 1, &batch, &error));
}

static void a_full_builder_says_so_and_what_it_holds_can_be_sent(void **state) {
    (void)state;
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_batch_header header = header_of(1);
    struct ampel_event event = {
        .at_ms = SENT_AT_MS, .count = 1, .severity = -1, .points = -1, .code = AMPEL_CODE_NONE};
    struct ampel_batch batch;
    struct ampel_error error;
    const uint8_t *bytes;
    uint32_t size, pushed = 0;
    while (ampel_batch_builder_push(builder, ampel_text_of("s"), ampel_text_of("m"), &event))
        pushed++;
    assert_in_range(pushed, AMPEL_BATCH_EVENTS_MAX / 2, AMPEL_BATCH_EVENTS_MAX);
    for (int rows = 0; rows < 2; rows++) {
        assert_true(ampel_batch_encode(builder, &header, rows == 1, &bytes, &size));
        assert_in_range(size, 1, AMPEL_BATCH_BYTES_MAX);
        assert_true(ampel_batch_decode(shared_decoder, bytes, size, &batch, &error));
        assert_int_equal(batch.frame.events_count, pushed);
        assert_int_equal(batch.refused_count, 0);
    }
    ampel_batch_builder_close(builder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_batches_come_back_as_they_were_sent_in_both_forms),
        cmocka_unit_test(a_refused_row_is_named_and_holds_back_no_other),
        cmocka_unit_test(a_time_of_a_row_may_be_text),
        cmocka_unit_test(one_wrong_event_among_orders_is_found_wherever_it_stands),
        cmocka_unit_test(columns_that_do_not_fit_each_other_refuse_the_whole_batch),
        cmocka_unit_test(a_column_that_every_event_needs_is_missed_by_name),
        cmocka_unit_test(a_header_is_read_from_no_part_of_a_batch_that_ends_before_it),
        cmocka_unit_test(offsets_of_extras_must_rise_within_the_extras),
        cmocka_unit_test(a_broken_key_of_the_envelope_is_named),
        cmocka_unit_test(unknown_keys_and_newer_versions_are_refused_by_name),
        cmocka_unit_test(lengths_that_claim_gigabytes_take_no_memory),
        cmocka_unit_test(a_full_builder_says_so_and_what_it_holds_can_be_sent),
    };
    shared_decoder = ampel_batch_decoder_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ampel_batch_decoder_close(shared_decoder);
    return failed;
}

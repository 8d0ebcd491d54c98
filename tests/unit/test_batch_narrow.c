/* Batches of version 2 (proto/batch.h): columns as narrow as what they hold say what whole ones say; what they cannot say is
   refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/load.h"
#include "tests/unit/batch_fixture.h"

/* A violation between two orders; every column as wide as is asked for. */
struct narrow {
    int version;
    uint32_t account, at, count, offset; /* bytes an entry */
    int64_t from_ms;
    int at_from; /* times the key stands there */
    int events;  /* 0: the key is left out */
};

#define FIRST_MS (SENT_AT_MS - 70000)

static const int64_t narrow_accounts[] = {1, 0, 1}, narrow_after_ms[] = {0, 13, 200}, narrow_counts[] = {1, 1, 250},
                     narrow_offsets[] = {0, 0, 5, 5};
static const uint8_t narrow_types[] = {AMPEL_EVENT_ORDER, AMPEL_EVENT_VIOLATION, AMPEL_EVENT_ORDER};
static const uint8_t narrow_extras[] = {AMPEL_EXTRA_ID, 2, 0, 'v', '1'};

/* What an entry of so many bytes can hold beside what one byte can: so that each byte of it is read. */
static int64_t widened(int64_t number, uint32_t bytes) {
    if (number < 100) return number;
    return bytes == 1 ? number : bytes == 2 ? number + 0x5500 : number + 0x110000;
}

static void put_column(struct ampel_pack_writer *writer, const char *name, const void *bytes, uint32_t size) {
    ampel_pack_put_word(writer, name);
    ampel_pack_put_bytes(writer, bytes, size);
}

static void put_number(struct ampel_pack_writer *writer, const char *name, int64_t number) {
    ampel_pack_put_word(writer, name);
    ampel_pack_put_integer(writer, number);
}

static void put_numbers(struct ampel_pack_writer *writer, const char *name, uint32_t bytes, const int64_t *numbers,
                        uint32_t count) {
    uint8_t column[8 * 4];
    assert_true(count <= 4);
    for (uint32_t i = 0; i < count; i++)
        memcpy(column + (size_t)bytes * i, &numbers[i], bytes);
    put_column(writer, name, column, bytes * count);
}

static void put_narrow(struct hand *hand, const struct narrow *narrow) {
    int64_t at[3], counts[3];
    for (uint32_t i = 0; i < 3; i++) {
        at[i] = widened(narrow_after_ms[i], narrow->at) + FIRST_MS - (narrow->at_from > 0 ? narrow->from_ms : 0);
        counts[i] = widened(narrow_counts[i], narrow->count);
    }
    struct ampel_pack_writer *writer = hand_open(hand, 1, "S2");
    ampel_pack_put_word(writer, "columns");
    ampel_pack_put_map(writer, 6 + (uint32_t)narrow->at_from + (narrow->events != 0));
    put_numbers(writer, "account", narrow->account, narrow_accounts, 3);
    put_column(writer, "type", narrow_types, 3);
    for (int i = 0; i < narrow->at_from; i++) {
        put_number(writer, "at_from", narrow->from_ms);
    }
    if (narrow->events != 0) {
        put_number(writer, "events", narrow->events);
    }
    put_numbers(writer, "at", narrow->at, at, 3);
    put_numbers(writer, "count", narrow->count, counts, 3);
    put_numbers(writer, "extras_offset", narrow->offset, narrow_offsets, 4);
    put_column(writer, "extras", narrow_extras, sizeof narrow_extras);
    hand->bytes[3] = (uint8_t)narrow->version;
}

static void columns_of_every_width_say_the_same(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 2, 4};
    for (uint32_t way = 0; way < 3 * 3 * 3 * 4; way++) {
        struct narrow narrow = {2, widths[way % 3], 8, widths[way / 3 % 3], widths[way / 9 % 3], FIRST_MS, 0, 3};
        if (way / 27 < 3) narrow.at = widths[way / 27], narrow.at_from = 1;
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error = {0};
        put_narrow(&hand, &narrow);
        /* What is whole is read in place: the bytes stay until all is compared. */
        if (!ampel_batch_decode(shared_decoder, hand.bytes, hand.writer.size, &batch, &error))
            fail_msg("%s: %s", error.field, error.reason);
        bool late = narrow.at >= 4; /* by some minutes: after sent_at, but not by too much */
        assert_int_equal(batch.refused_count, late ? 1 : 0);
        assert_int_equal(batch.frame.events_count, 3);
        for (uint32_t i = 0; i < 3; i++) {
            struct ampel_event event;
            uint32_t account;
            ampel_frame_event(&batch.frame, i, &account, &event);
            assert_int_equal(account, narrow_accounts[i]);
            assert_int_equal(event.type, narrow_types[i]);
            assert_int_equal(event.at_ms, FIRST_MS + widened(narrow_after_ms[i], narrow.at));
            assert_int_equal(event.count, widened(narrow_counts[i], narrow.count));
            assert_int_equal(event.extras_size, i == 1 ? sizeof narrow_extras : 0);
        }
    }
}

static void narrow_columns_that_cannot_be_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        struct narrow narrow;
        const char *field, *reason;
    } wrongs[] = {
        {{1, 1, 8, 4, 4, 0, 0, 0}, "columns.account", "3 bytes where 3 entries need 12 in a batch of version 1"},
        {{1, 4, 8, 2, 4, 0, 0, 0}, "columns.count", "12 in a batch of version 1"},
        {{1, 4, 8, 4, 1, 0, 0, 0}, "columns.extras_offset", "4 bytes where 4 entries need 16"},
        {{1, 4, 4, 4, 4, 0, 0, 0}, "columns.at", "24 in a batch of version 1"},
        {{1, 4, 4, 4, 4, FIRST_MS, 1, 0}, "columns.at_from", "version 1"},
        {{1, 4, 8, 4, 4, 0, 0, 3}, "columns.events", "version 1"},
        {{2, 3, 8, 4, 4, 0, 0, 3}, "columns.account", "1, 2 or 4 each"},
        {{2, 8, 8, 4, 4, 0, 0, 3}, "columns.account", "1, 2 or 4 each"},
        {{2, 4, 8, 0, 4, 0, 0, 3}, "columns.count", "1, 2 or 4 each"},
        {{2, 4, 8, 4, 3, 0, 0, 3}, "columns.extras_offset", "1, 2 or 4 each"},
        {{2, 4, 4, 4, 4, 0, 0, 3}, "columns.at", "24 without at_from"},
        {{2, 4, 8, 4, 4, FIRST_MS, 1, 3}, "columns.at", "1, 2 or 4 each after at_from"},
        {{2, 4, 3, 4, 4, FIRST_MS, 1, 3}, "columns.at", "1, 2 or 4 each after at_from"},
        {{2, 4, 4, 4, 4, FIRST_MS, 2, 3}, "columns.at_from", "twice"},
        {{2, 4, 4, 4, 4, -1, 1, 3}, "columns.at_from", "no time"},
        {{2, 4, 4, 4, 4, AMPEL_TIME_MAX_MS + 1, 1, 3}, "columns.at_from", "no time"},
        {{2, 4, 8, 4, 4, 0, 0, 0}, "columns.events", "missing"},
        {{2, 4, 8, 4, 4, 0, 0, 4}, "columns.events", "is 4, and 3 have a type"},
        {{2, 4, 8, 4, 4, 0, 0, -3}, "columns.events", "is -3"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(wrongs); i++) {
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error;
        put_narrow(&hand, &wrongs[i].narrow);
        assert_false(hand_decode(&hand, &batch, &error));
        assert_string_equal(error.field, wrongs[i].field);
        if (strstr(error.reason, wrongs[i].reason) == NULL) fail_msg("%s: %s", error.field, error.reason);
        assert_int_equal(batch.header.sequence, 9);
    }
}

/* Columns without entries, but for the one offset that there is always: what a decoder meets first. */
static void no_events_at_all_are_read_by_a_decoder_that_is_new(void **state) {
    (void)state;
    for (uint32_t bytes = 1; bytes <= 4; bytes *= 2) {
        static const uint8_t none[4];
        struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
        struct hand hand;
        struct ampel_batch batch;
        struct ampel_error error = {0};
        struct ampel_pack_writer *writer = hand_open(&hand, 1, "S2");
        ampel_pack_put_word(writer, "columns");
        ampel_pack_put_map(writer, 5);
        put_number(writer, "events", 0);
        put_column(writer, "account", none, 0);
        put_column(writer, "type", none, 0);
        put_column(writer, "at", none, 0);
        put_column(writer, "extras_offset", none, bytes);
        hand.bytes[3] = 2;
        if (!ampel_batch_decode(decoder, hand.bytes, hand.writer.size, &batch, &error))
            fail_msg("%s: %s", error.field, error.reason);
        assert_int_equal(batch.frame.events_count, 0);
        assert_int_equal(batch.refused_count, 0);
        ampel_batch_decoder_close(decoder);
    }
}

static void a_time_that_cannot_be_is_its_events_own_fault(void **state) {
    (void)state;
    struct hand hand;
    struct ampel_batch batch;
    struct ampel_error error;
    static const uint8_t after_ms[2] = {0, 1}, accounts[2] = {0, 0}, types[2] = {AMPEL_EVENT_ORDER, AMPEL_EVENT_ORDER};
    struct ampel_pack_writer *writer = hand_open(&hand, 1, "S2");
    ampel_pack_put_word(writer, "columns");
    ampel_pack_put_map(writer, 5);
    put_number(writer, "events", 2);
    put_column(writer, "account", accounts, 2);
    put_column(writer, "type", types, 2);
    put_column(writer, "at", after_ms, 2);
    put_number(writer, "at_from", AMPEL_TIME_MAX_MS);
    hand.bytes[3] = 2;
    assert_true(hand_decode(&hand, &batch, &error));
    assert_int_equal(batch.refused_count, 2);
    assert_int_equal(batch.refused[0].verdict, AMPEL_VERDICT_FUTURE);
    assert_int_equal(batch.refused[1].verdict, AMPEL_VERDICT_OUT_OF_RANGE);
}

/* What is encoded, and how wide: the greatest numbers that a width holds, and one more. */
struct encoded {
    uint32_t events, accounts, count, extras_size;
    int64_t from_ms, to_ms;
    uint32_t account, at, counts, offset; /* bytes an entry; 0: the column is not there */
};

/* The last event has the last of the extras: a violation's; all of them stand there by pieces of 1024 at most. */
static void encoded_event(const struct encoded *how, uint32_t index, uint8_t extras[AMPEL_EXTRAS_BYTES_MAX],
                          struct ampel_event *out) {
    *out = (struct ampel_event){.at_ms = index % 2 == 0 ? how->to_ms : how->from_ms,
                                .count = index == 0 ? how->count : 1,
                                .severity = -1,
                                .points = -1,
                                .code = AMPEL_CODE_NONE,
                                .extras = extras};
    uint32_t before = index * AMPEL_EXTRAS_BYTES_MAX;
    if (before >= how->extras_size) return;
    uint32_t left = how->extras_size - before;
    out->extras_size = left < AMPEL_EXTRAS_BYTES_MAX ? left : AMPEL_EXTRAS_BYTES_MAX;
    memset(extras, (int)('a' + index % 26), out->extras_size);
}

static uint32_t column_size(const struct ampel_pack *columns, const char *name) {
    struct ampel_pack found;
    return ampel_pack_find(columns, name, &found) ? found.text.size : 0;
}

static void assert_encoded(const struct encoded *how) {
    /* New ones, so that none has room from the case before. */
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_pack_reader *reader = ampel_pack_reader_open();
    const struct ampel_batch_header header = header_of(7);
    struct ampel_batch batch;
    struct ampel_error error;
    struct ampel_pack map, columns, version;
    const uint8_t *bytes;
    uint32_t size;
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    struct ampel_event event, sent;
    for (uint32_t i = 0; i < how->events; i++) {
        char seller[16];
        snprintf(seller, sizeof seller, "s%u", i % how->accounts);
        encoded_event(how, i, extras, &event);
        assert_true(ampel_batch_builder_push(builder, ampel_text_of(seller), ampel_text_of("m"), &event));
    }
    assert_true(ampel_batch_encode(builder, &header, false, &bytes, &size));
    assert_true(ampel_pack_decode(reader, bytes, size, UINT32_C(1) << 22, &map, &error));
    assert_true(ampel_pack_find(&map, "columns", &columns) && ampel_pack_find(&map, "v", &version));
    bool whole = how->account == 4 && how->at == 8;
    assert_int_equal(version.integer, whole ? 1 : 2);
    assert_int_equal(column_size(&columns, "account"), how->account * how->events);
    assert_int_equal(column_size(&columns, "at"), how->at * how->events);
    assert_int_equal(column_size(&columns, "count"), how->counts * how->events);
    assert_int_equal(column_size(&columns, "extras_offset"), how->offset * (how->events + 1));
    if (!ampel_batch_decode(shared_decoder, bytes, size, &batch, &error)) fail_msg("%s: %s", error.field, error.reason);
    assert_int_equal(batch.frame.events_count, how->events);
    for (uint32_t i = 0; i < how->events; i++) {
        uint32_t account;
        ampel_frame_event(&batch.frame, i, &account, &event);
        encoded_event(how, i, extras, &sent);
        assert_int_equal(account, i % how->accounts);
        assert_events_equal(&event, &sent);
    }
    ampel_pack_reader_close(reader);
    ampel_batch_builder_close(builder);
}

static void encodings_are_as_narrow_as_what_they_hold(void **state) {
    (void)state;
    static const struct encoded cases[] = {
        {10, 1, 1, 0, SENT_AT_MS - 255, SENT_AT_MS, 1, 1, 0, 0},
        {10, 1, 255, 255, SENT_AT_MS - 256, SENT_AT_MS, 1, 2, 1, 1},
        {257, 256, 256, 256, SENT_AT_MS - 65535, SENT_AT_MS, 1, 2, 2, 2},
        {257, 257, 65535, 65535, SENT_AT_MS - 65536, SENT_AT_MS, 2, 4, 2, 2},
        {257, 257, 65536, 65536, SENT_AT_MS - UINT32_MAX, SENT_AT_MS, 2, 4, 4, 4},
        {257, 257, AMPEL_ORDERS_MAX, 66000, SENT_AT_MS - UINT32_MAX - 1, SENT_AT_MS, 2, 8, 4, 4},
        {60000, 60000, 1, 0, SENT_AT_MS, SENT_AT_MS, 2, 1, 0, 0}, /* as many as a batch takes, about */
        /* No time that can be: refused alone, as ever. */
        {10, 1, 1, 0, -1, 0, 1, 8, 0, 0},
        {10, 1, 1, 0, AMPEL_TIME_MAX_MS + 1, AMPEL_TIME_MAX_MS + 1, 1, 8, 0, 0},
        /* Narrow columns would spare fewer bytes than what is said beside them takes. */
        {1, 1, 1, 0, SENT_AT_MS, SENT_AT_MS, 4, 8, 0, 0},
        {4, 1, 1, 0, SENT_AT_MS - UINT32_MAX, SENT_AT_MS, 4, 8, 0, 0},
        {5, 1, 1, 0, SENT_AT_MS - UINT32_MAX, SENT_AT_MS, 1, 4, 0, 0},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++)
        assert_encoded(&cases[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_every_width_say_the_same),
        cmocka_unit_test(narrow_columns_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(no_events_at_all_are_read_by_a_decoder_that_is_new),
        cmocka_unit_test(a_time_that_cannot_be_is_its_events_own_fault),
        cmocka_unit_test(encodings_are_as_narrow_as_what_they_hold),
    };
    shared_decoder = ampel_batch_decoder_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ampel_batch_decoder_close(shared_decoder);
    return failed;
}

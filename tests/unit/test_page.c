/* Pages at rest (proto/page.h) and encoded files (proto/batch_file.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/load.h"
#include "proto/batch_file.h"
#include "proto/hash.h"
#include "proto/page.h"
#include "proto/text.h"
#include "tests/oracle/maker.h"

static void fill_random(struct ampel_maker *maker, uint8_t *bytes, uint32_t size) {
    /* Runs, as counts of orders are. */
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = ampel_maker_below(maker, 4) == 0 ? (uint8_t)ampel_maker_below(maker, 256) : 0;
}

static void a_page_of_any_size_comes_back(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_page_codec *writer = ampel_page_codec_open(), *reader = ampel_page_codec_open();
    static const uint32_t sizes[] = {0, 1, 7, 100, 4096, 100000, 1000003};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(sizes); i++) {
        struct ampel_error error = {0};
        uint8_t *raw = malloc(sizes[i] + 1);
        const uint8_t *bytes, *back;
        uint32_t size, back_size;
        fill_random(&maker, raw, sizes[i]);
        assert_true(ampel_page_encode(writer, raw, sizes[i], &bytes, &size));
        if (!ampel_page_decode(reader, bytes, size, &back, &back_size, &error))
            fail_msg("%s", error.reason);
        assert_int_equal(back_size, sizes[i]);
        assert_memory_equal(back, raw, sizes[i]);
        if (sizes[i] >= 4096) assert_true(size < sizes[i]);
        free(raw);
    }
    ampel_page_codec_close(writer);
    ampel_page_codec_close(reader);
}

static void every_damage_to_a_page_is_named(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_page_codec *writer = ampel_page_codec_open(), *reader = ampel_page_codec_open();
    uint8_t raw[300];
    const uint8_t *bytes, *back;
    uint32_t size, back_size;
    fill_random(&maker, raw, sizeof raw);
    assert_true(ampel_page_encode(writer, raw, sizeof raw, &bytes, &size));
    for (uint32_t i = 0; i < size; i++) {
        struct ampel_error error = {0};
        uint8_t *cut = malloc(i + 1), *bent = malloc(size);
        memcpy(cut, bytes, i);
        assert_false(ampel_page_decode(reader, cut, i, &back, &back_size, &error));
        memcpy(bent, bytes, size);
        bent[i] = (uint8_t)(bent[i] ^ (1u << i % 8));
        error = (struct ampel_error){0};
        assert_false(ampel_page_decode(reader, bent, size, &back, &back_size, &error));
        assert_true(error.reason[0] != 0);
        free(cut);
        free(bent);
    }
    ampel_page_codec_close(writer);
    ampel_page_codec_close(reader);
}

/* A header that lies with a checksum that is good: what a fault before the checksum would leave. */
static void lies_under_a_good_checksum_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t value;
        const char *field;
    } lies[] = {
        {4, 2 | 1u << 16, "version"}, {4, 1 | 7u << 16, "codec"}, {8, 1u << 30, "raw size"},
        {8, 299, "raw size"},         {8, 301, "raw size"},
    };
    struct ampel_page_codec *writer = ampel_page_codec_open(), *reader = ampel_page_codec_open();
    static const uint8_t raw[300];
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(lies); i++) {
        struct ampel_error error = {0};
        const uint8_t *bytes, *back;
        uint32_t size, back_size;
        uint8_t bent[400];
        assert_true(ampel_page_encode(writer, raw, sizeof raw, &bytes, &size));
        memcpy(bent, bytes, size);
        ampel_store_u32(bent + lies[i].offset, lies[i].value);
        ampel_store_u64(bent + 16, ampel_hash_around(bent, size, 16));
        assert_false(ampel_page_decode(reader, bent, size, &back, &back_size, &error));
        assert_string_equal(error.field, lies[i].field);
    }
    ampel_page_codec_close(writer);
    ampel_page_codec_close(reader);
}

/* ---- encoded files -------------------------------------------------------------------------- */

static uint32_t put_record(uint8_t *to, const char *tenant, const void *batch, uint32_t size) {
    struct ampel_batch_file_wrap wrap;
    ampel_batch_file_wrap(ampel_text_of(tenant), batch, size, &wrap);
    memcpy(to, wrap.head, wrap.head_size);
    memcpy(to + wrap.head_size, batch, size);
    memcpy(to + wrap.head_size + size, wrap.tail, sizeof wrap.tail);
    return wrap.head_size + size + (uint32_t)sizeof wrap.tail;
}

static void records_of_a_file_are_read_one_after_another(void **state) {
    (void)state;
    uint8_t bytes[300];
    struct ampel_batch_file_record record;
    struct ampel_error error;
    uint32_t first = put_record(bytes, "agency", "batch one", 9);
    uint32_t size = first + put_record(bytes + first, "t", "", 0);
    assert_int_equal(ampel_batch_file_next(bytes, size, &record, &error), AMPEL_BATCH_FILE_OK);
    assert_true(ampel_text_is(record.tenant, "agency"));
    assert_int_equal(record.batch_size, 9);
    assert_memory_equal(record.batch, "batch one", 9);
    assert_int_equal(record.record_size, first);
    assert_int_equal(ampel_batch_file_next(bytes + first, size - first, &record, &error),
                     AMPEL_BATCH_FILE_OK);
    assert_int_equal(record.batch_size, 0);
    assert_int_equal(record.record_size, size - first);
    assert_true(ampel_batch_file_is((const uint8_t *)"AMPELB1\n...", 11));
    assert_false(ampel_batch_file_is((const uint8_t *)"AMPELB1\n", 7));
    assert_false(ampel_batch_file_is((const uint8_t *)"{\"tenant\"", 9));
}

static void a_torn_or_bent_record_of_a_file_is_noticed(void **state) {
    (void)state;
    uint8_t bytes[300];
    struct ampel_batch_file_record record;
    uint32_t size = put_record(bytes, "agency", "batch one", 9);
    for (uint32_t i = 0; i < size; i++) {
        struct ampel_error error = {0};
        assert_int_equal(ampel_batch_file_next(bytes, i, &record, &error), AMPEL_BATCH_FILE_SHORT);
        bytes[i] ^= 0x80;
        enum ampel_batch_file_status status = ampel_batch_file_next(bytes, size, &record, &error);
        /* A greater size may look like a longer record. */
        assert_true(status == AMPEL_BATCH_FILE_DAMAGED ||
                    (status == AMPEL_BATCH_FILE_SHORT && i >= 7 && i < 11));
        bytes[i] ^= 0x80;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_any_size_comes_back),
        cmocka_unit_test(every_damage_to_a_page_is_named),
        cmocka_unit_test(lies_under_a_good_checksum_are_refused_by_name),
        cmocka_unit_test(records_of_a_file_are_read_one_after_another),
        cmocka_unit_test(a_torn_or_bent_record_of_a_file_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

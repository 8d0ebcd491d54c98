/* Records (proto/record.h): a batch split by partition loses nothing, and damage is found before
 * anyone relies on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "proto/record.h"
#include "proto/text.h"
#include "tests/oracle/maker.h"

#define SENT_AT_MS INT64_C(1790858096789)
#define STAMP_MS   (SENT_AT_MS + 1234)

struct tools {
    struct ampel_batch_builder *builder;
    struct ampel_batch_decoder *decoder;
    struct ampel_record_reader *reader;
};
static struct tools tools;

static const struct ampel_batch_header header = {
    .producer = {"erp-1", 5}, .sequence = 77, .sent_at_ms = SENT_AT_MS, .backfill = true};

static void push_random(struct ampel_maker *maker, uint32_t count) {
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
        struct ampel_event event;
        char seller[16];
        uint8_t type = (uint8_t)ampel_maker_below(maker, AMPEL_EVENT_TYPES_COUNT);
        if (ampel_maker_below(maker, 2) == 0) type = AMPEL_EVENT_ORDER;
        ampel_maker_event(maker, type, SENT_AT_MS, extras, &event);
        snprintf(seller, sizeof seller, "S%u", ampel_maker_below(maker, 40));
        assert_true(ampel_batch_builder_push(tools.builder, ampel_text_of(seller),
                                             ampel_text_of("M"), &event));
    }
}

static void decode_built(bool rows, struct ampel_batch *batch) {
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_error error = {0};
    assert_true(ampel_batch_encode(tools.builder, &header, rows, &bytes, &size));
    if (!ampel_batch_decode(tools.decoder, bytes, size, batch, &error))
        fail_msg("%s: %s", error.field, error.reason);
}

/* Into a block of its own size, so that a read beyond it is seen. The caller frees it. */
static uint8_t *encode_record(struct ampel_record_builder *builder, const struct ampel_batch *batch,
                              uint32_t *size) {
    const uint8_t *bytes;
    assert_true(
        ampel_record_encode_batch(builder, batch, ampel_text_of("agency"), STAMP_MS, &bytes, size));
    uint8_t *copy = malloc(*size);
    memcpy(copy, bytes, *size);
    ampel_record_seal(copy, 4096, STAMP_MS + 1);
    return copy;
}

static void assert_same_event(const struct ampel_frame *left, uint32_t left_index,
                              const struct ampel_frame *right, uint32_t right_index) {
    struct ampel_event a, b;
    uint32_t account_a, account_b;
    ampel_frame_event(left, left_index, &account_a, &a);
    ampel_frame_event(right, right_index, &account_b, &b);
    assert_true(
        ampel_text_equal(left->accounts[account_a].seller, right->accounts[account_b].seller));
    assert_int_equal(a.at_ms, b.at_ms);
    assert_int_equal(a.type, b.type);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.policy, b.policy);
    assert_int_equal(a.severity, b.severity);
    assert_int_equal(a.code, b.code);
    assert_int_equal(a.points, b.points);
    assert_int_equal(a.rev, b.rev);
    assert_int_equal(a.extras_size, b.extras_size);
    if (a.extras_size > 0) assert_memory_equal(a.extras, b.extras, a.extras_size);
}

static uint32_t partition_of_event(const struct ampel_frame *frame, uint32_t index,
                                   uint32_t partitions) {
    struct ampel_event event;
    uint32_t account;
    ampel_frame_event(frame, index, &account, &event);
    return ampel_hash_partition(ampel_hash_account(ampel_text_of("agency"),
                                                   frame->accounts[account].seller,
                                                   frame->accounts[account].marketplace),
                                partitions);
}

static void every_accepted_event_arrives_once_in_its_partition_and_in_order(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    static const uint32_t partitions[] = {1, 3, 64, 4096};
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t parts = partitions[round % 4], size, cursor = 0, ahead = 0, seen = 0;
        struct ampel_record_builder *builder = ampel_record_builder_open(parts);
        struct ampel_record_header record;
        struct ampel_record_names names;
        struct ampel_batch batch;
        struct ampel_frame frame;
        struct ampel_error error;
        push_random(&maker, ampel_maker_below(&maker, 500));
        decode_built(round % 2 == 1, &batch);
        uint8_t *bytes = encode_record(builder, &batch, &size);
        assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_OK);
        assert_int_equal(record.size, size);
        assert_int_equal(record.position, 4096);
        assert_int_equal(record.stamp_ms, STAMP_MS + 1);
        int64_t last_partition = -1;
        while (ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error)) {
            uint32_t place = 0;
            /* Who looks ahead sees the same names. */
            assert_true(ampel_record_names_next(bytes, &ahead, &names));
            assert_int_equal(ahead, cursor);
            assert_int_equal(names.partition, frame.partition);
            assert_int_equal(names.accounts_count, frame.accounts_count);
            for (uint32_t i = 0; i < frame.accounts_count; i++)
                assert_int_equal(ampel_load_u64(names.hashes + 8 * (size_t)i), frame.accounts[i].hash);
            assert_true(frame.partition > last_partition);
            last_partition = frame.partition;
            assert_true(ampel_text_is(frame.tenant, "agency"));
            assert_true(ampel_text_is(frame.producer, "erp-1"));
            assert_int_equal(frame.sequence, 77);
            assert_int_equal(frame.position, 4096);
            assert_int_equal(frame.stamp_ms, STAMP_MS + 1);
            assert_int_equal(frame.sent_at_ms, SENT_AT_MS);
            assert_true(frame.backfill);
            for (uint32_t i = 0; i < frame.accounts_count; i++)
                assert_int_equal(frame.accounts[i].hash,
                                 ampel_hash_account(frame.tenant, frame.accounts[i].seller,
                                                    frame.accounts[i].marketplace));
            for (uint32_t i = 0; i < batch.frame.events_count; i++) {
                if (partition_of_event(&batch.frame, i, parts) != frame.partition) continue;
                assert_same_event(&batch.frame, i, &frame, place++);
            }
            assert_int_equal(place, frame.events_count);
            seen += frame.events_count;
        }
        assert_string_equal(error.reason, "");
        assert_false(ampel_record_names_next(bytes, &ahead, &names));
        assert_int_equal(seen, batch.frame.events_count);
        free(bytes);
        ampel_record_builder_close(builder);
    }
}

static void rows_and_columns_of_the_same_events_make_the_same_record(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_record_builder *builder = ampel_record_builder_open(16);
    for (uint32_t round = 0; round < 50; round++) {
        struct ampel_batch batch;
        uint32_t columns_size, rows_size;
        push_random(&maker, 1 + ampel_maker_below(&maker, 200));
        decode_built(false, &batch);
        uint8_t *columns = encode_record(builder, &batch, &columns_size);
        decode_built(true, &batch);
        uint8_t *rows = encode_record(builder, &batch, &rows_size);
        assert_int_equal(columns_size, rows_size);
        assert_memory_equal(columns, rows, rows_size);
        free(columns);
        free(rows);
    }
    ampel_record_builder_close(builder);
}

static void a_frame_of_orders_alone_carries_no_other_columns(void **state) {
    (void)state;
    struct ampel_record_builder *builder = ampel_record_builder_open(1);
    struct ampel_event event = {.type = AMPEL_EVENT_ORDER,
                                .at_ms = SENT_AT_MS,
                                .count = 1,
                                .points = -1,
                                .severity = -1,
                                .code = AMPEL_CODE_NONE};
    struct ampel_batch batch;
    struct ampel_frame frame;
    struct ampel_error error;
    uint32_t size, cursor = 0;
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(ampel_batch_builder_push(tools.builder, ampel_text_of("s"), ampel_text_of("m"),
                                             &event));
    decode_built(false, &batch);
    uint8_t *bytes = encode_record(builder, &batch, &size);
    assert_true(ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error));
    assert_null(frame.count);
    assert_null(frame.policy);
    assert_null(frame.extras_offset);
    /* Account, type and time are 13 bytes an event. */
    assert_in_range(size, 1300, 1300 + 150);
    assert_int_equal((uintptr_t)frame.at % 8, (uintptr_t)bytes % 8);
    free(bytes);
    ampel_record_builder_close(builder);
}

/* A batch in which some events are refused: hints of bad time among good ones. */
static void refused_events_are_remembered_where_the_producer_lives(void **state) {
    (void)state;
    static const uint32_t refused_counts[] = {1, 99, 100, 101, 150};
    for (uint32_t c = 0; c < AMPEL_ARRAY_COUNT(refused_counts); c++) {
        const uint32_t parts = 64;
        struct ampel_record_builder *builder = ampel_record_builder_open(parts);
        uint32_t size, cursor = 0, accepted = 0, homes = 0;
        struct ampel_batch batch;
        struct ampel_frame frame;
        struct ampel_error error;
        ampel_batch_builder_reset(tools.builder);
        for (uint32_t i = 0; i < 300; i++) {
            uint8_t extras[] = {AMPEL_EXTRA_ID, 2, 0, 'v', (uint8_t)('0' + i % 10)};
            bool bad = i % 2 == 1 && i / 2 < refused_counts[c];
            struct ampel_event event = {.type = AMPEL_EVENT_VIOLATION_STATE,
                                        .at_ms = SENT_AT_MS + (bad ? AMPEL_DAY_MS : 0),
                                        .count = 1,
                                        .points = -1,
                                        .severity = -1,
                                        .code = 0,
                                        .extras = extras,
                                        .extras_size = sizeof extras};
            char seller[16];
            snprintf(seller, sizeof seller, "S%u", i);
            assert_true(ampel_batch_builder_push(tools.builder, ampel_text_of(seller),
                                                 ampel_text_of("M"), &event));
        }
        decode_built(c % 2 == 1, &batch);
        assert_int_equal(batch.refused_count, refused_counts[c]);
        uint8_t *bytes = encode_record(builder, &batch, &size);
        uint32_t home = ampel_hash_partition(
            ampel_hash_producer(ampel_text_of("agency"), header.producer), parts);
        while (ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error)) {
            uint32_t remembered = ampel_record_refused_count(tools.reader);
            accepted += frame.events_count;
            assert_int_equal(ampel_record_refused_total(tools.reader), refused_counts[c]);
            if (frame.partition != home) assert_int_equal(remembered, 0);
            if (frame.partition != home) continue;
            homes++;
            assert_int_equal(remembered, refused_counts[c] < 100 ? refused_counts[c] : 100);
            for (uint32_t i = 0; i < remembered; i++) {
                struct ampel_record_refused refused;
                char seller[16], id[8];
                ampel_record_refused_get(tools.reader, i, &refused);
                snprintf(seller, sizeof seller, "S%u", 2 * i + 1);
                snprintf(id, sizeof id, "v%u", (2 * i + 1) % 10);
                assert_int_equal(refused.event_index, 2 * i + 1);
                assert_int_equal(refused.verdict, AMPEL_VERDICT_FUTURE);
                assert_int_equal(refused.type, AMPEL_EVENT_VIOLATION_STATE);
                assert_int_equal(refused.at_ms, SENT_AT_MS + AMPEL_DAY_MS);
                assert_true(ampel_text_is(refused.field, "at"));
                assert_true(ampel_text_is(refused.seller, seller));
                assert_true(ampel_text_is(refused.marketplace, "M"));
                assert_true(ampel_text_is(refused.id, id));
            }
        }
        assert_string_equal(error.reason, "");
        assert_int_equal(homes, 1);
        assert_int_equal(accepted, 300 - refused_counts[c]);
        free(bytes);
        ampel_record_builder_close(builder);
    }
}

static void a_batch_without_an_accepted_event_still_leaves_its_sequence(void **state) {
    (void)state;
    struct ampel_record_builder *builder = ampel_record_builder_open(64);
    struct ampel_batch batch;
    struct ampel_frame frame;
    struct ampel_error error;
    uint32_t size, cursor = 0;
    ampel_batch_builder_reset(tools.builder);
    decode_built(false, &batch);
    uint8_t *bytes = encode_record(builder, &batch, &size);
    assert_true(ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error));
    assert_int_equal(frame.events_count, 0);
    assert_int_equal(frame.accounts_count, 0);
    assert_int_equal(frame.sequence, 77);
    assert_false(ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error));
    assert_string_equal(error.reason, "");
    free(bytes);
    ampel_record_builder_close(builder);
}

static void a_tick_names_its_partitions(void **state) {
    (void)state;
    struct ampel_record_builder *builder = ampel_record_builder_open(64);
    for (uint32_t count = 0; count <= 64; count++) {
        uint32_t partitions[64], size, cursor = 0, seen = 0;
        struct ampel_record_header record;
        struct ampel_frame frame;
        struct ampel_error error;
        const uint8_t *bytes;
        for (uint32_t i = 0; i < count; i++)
            partitions[i] = 63 - i;
        assert_true(ampel_record_encode_tick(builder, STAMP_MS, partitions, count, &bytes, &size));
        uint8_t *copy = malloc(size);
        memcpy(copy, bytes, size);
        ampel_record_seal(copy, 8, STAMP_MS);
        assert_int_equal(ampel_record_check(copy, size, &record), AMPEL_RECORD_OK);
        assert_int_equal(record.kind, AMPEL_RECORD_TICK);
        while (ampel_record_frame_next(tools.reader, copy, &cursor, &frame, &error)) {
            assert_int_equal(frame.partition, partitions[seen++]);
            assert_int_equal(frame.stamp_ms, STAMP_MS);
            assert_int_equal(frame.events_count, 0);
            assert_int_equal(frame.producer.size, 0);
        }
        assert_string_equal(error.reason, "");
        assert_int_equal(seen, count);
        free(copy);
    }
    ampel_record_builder_close(builder);
}

static void rules_are_carried_to_all_partitions_and_cuts_are_noticed(void **state) {
    (void)state;
    struct ampel_record_builder *builder = ampel_record_builder_open(5);
    for (uint32_t text_size = 0; text_size < 20; text_size++) {
        const char *text = "version: amazon-1 # x";
        uint32_t size, cursor = 0, seen = 0, partition;
        struct ampel_record_header record;
        struct ampel_frame frame;
        struct ampel_error error;
        struct ampel_text back;
        uint64_t number;
        const uint8_t *bytes;
        assert_true(ampel_record_encode_rules(builder, STAMP_MS, 7,
                                              (struct ampel_text){text, text_size}, &bytes, &size));
        uint8_t *copy = malloc(size);
        memcpy(copy, bytes, size);
        ampel_record_seal(copy, 8, STAMP_MS);
        assert_int_equal(ampel_record_check(copy, size, &record), AMPEL_RECORD_OK);
        assert_int_equal(record.kind, AMPEL_RECORD_RULES);
        assert_true(ampel_record_rules(copy, &number, &back, &error));
        assert_int_equal(number, 7);
        assert_int_equal(back.size, text_size);
        assert_memory_equal(back.bytes, text, text_size);
        while (ampel_record_frame_next(tools.reader, copy, &cursor, &frame, &error)) {
            assert_int_equal(frame.partition, seen++);
            assert_int_equal(frame.stamp_ms, STAMP_MS);
            assert_int_equal(frame.producer.size, 0);
        }
        assert_string_equal(error.reason, "");
        assert_int_equal(seen, 5);
        for (cursor = 0, seen = 0; ampel_record_partition_next(copy, &cursor, &partition, &error);)
            assert_int_equal(partition, seen++);
        assert_int_equal(seen, 5);
        assert_string_equal(error.reason, "");
        /* A text that claims more than the record has. */
        copy[AMPEL_RECORD_HEADER_BYTES + 9] = 0xff;
        cursor = 0;
        assert_false(ampel_record_rules(copy, &number, &back, &error));
        assert_string_equal(error.field, "rules");
        assert_false(ampel_record_frame_next(tools.reader, copy, &cursor, &frame, &error));
        assert_string_equal(error.field, "rules");
        free(copy);
    }
    ampel_record_builder_close(builder);
}

/* ---- damage --------------------------------------------------------------------------------- */

static uint8_t *small_record(struct ampel_maker *maker, uint32_t *size) {
    struct ampel_record_builder *builder = ampel_record_builder_open(2);
    struct ampel_batch batch;
    push_random(maker, 12);
    decode_built(false, &batch);
    uint8_t *bytes = encode_record(builder, &batch, size);
    ampel_record_builder_close(builder);
    return bytes;
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_record_header record;
    uint32_t size;
    uint8_t *bytes = small_record(&maker, &size);
    for (uint32_t i = 0; i < size; i++) {
        assert_int_equal(ampel_record_check(bytes, i, &record), AMPEL_RECORD_SHORT);
        for (uint32_t bit = 0; bit < 8; bit++) {
            bytes[i] = (uint8_t)(bytes[i] ^ (1u << bit));
            enum ampel_record_status status = ampel_record_check(bytes, size, &record);
            /* A size that claims more looks like a torn tail. */
            if (i >= 8 && i < 12)
                assert_true(status == AMPEL_RECORD_SHORT || status == AMPEL_RECORD_DAMAGED);
            else
                assert_int_equal(status, AMPEL_RECORD_DAMAGED);
            bytes[i] = (uint8_t)(bytes[i] ^ (1u << bit));
        }
    }
    assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_OK);
    free(bytes);
}

static void a_newer_version_is_told_from_damage(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    struct ampel_record_header record;
    uint32_t size;
    uint8_t *bytes = small_record(&maker, &size);
    ampel_store_u16(bytes + 4, AMPEL_RECORD_VERSION + 1);
    assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_DAMAGED);
    ampel_record_seal(bytes, 4096, STAMP_MS);
    assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_NEWER);
    free(bytes);
}

/* What the engine relies on in a frame, looked at by reading all of it. */
static void touch(const struct ampel_frame *frame) {
    const char *field;
    for (uint32_t i = 0; i < frame->accounts_count; i++) {
        assert_true(ampel_id_valid(frame->accounts[i].seller, true));
        assert_true(ampel_id_valid(frame->accounts[i].marketplace, true));
    }
    for (uint32_t i = 0; i < frame->events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        ampel_frame_event(frame, i, &account, &event);
        assert_in_range(account, 0, frame->accounts_count - 1);
        assert_int_equal(ampel_event_check(&event, event.at_ms, &field), AMPEL_VERDICT_OK);
    }
}

/* The checksum is made good again after each change, as if a writer had gone mad. */
static void a_frame_that_is_not_as_written_is_refused_or_safe(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    uint32_t size, refused = 0, tried = 0;
    uint8_t *bytes = small_record(&maker, &size);
    static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x40};
    for (uint32_t i = AMPEL_RECORD_HEADER_BYTES; i < size; i++) {
        for (uint32_t m = 0; m < sizeof masks; m++) {
            struct ampel_record_header record;
            struct ampel_frame frame;
            struct ampel_error error;
            uint32_t cursor = 0;
            bytes[i] = (uint8_t)(bytes[i] ^ masks[m]);
            ampel_record_seal(bytes, 4096, STAMP_MS);
            assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_OK);
            while (ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error))
                touch(&frame);
            refused += error.reason[0] != 0;
            tried++;
            bytes[i] = (uint8_t)(bytes[i] ^ masks[m]);
        }
    }
    /* Times, counts and texts may well become other good ones. */
    assert_true(refused > tried / 8);
    free(bytes);
}

/* What the reader says of a record whose checksum holds. */
static void assert_refused(uint8_t *bytes, const char *field, const char *reason) {
    struct ampel_frame frame;
    struct ampel_error error;
    uint32_t cursor = 0, size = ampel_load_u32(bytes + 8);
    struct ampel_record_header record;
    ampel_record_seal(bytes, 4096, STAMP_MS);
    assert_int_equal(ampel_record_check(bytes, size, &record), AMPEL_RECORD_OK);
    while (ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, &error))
        touch(&frame);
    if (strcmp(error.field, field) != 0 || strstr(error.reason, reason) == NULL)
        fail_msg("expected %s: %s, got %s: %s", field, reason, error.field, error.reason);
}

/* A block of a record's header and so many bytes behind it, zeros. */
static uint8_t *bare_record(uint16_t kind, uint32_t behind, uint32_t frames_count) {
    uint8_t *bytes = calloc(1, AMPEL_RECORD_HEADER_BYTES + behind);
    ampel_store_u32(bytes, UINT32_C(0x52504d41));
    ampel_store_u16(bytes + 4, kind == AMPEL_RECORD_RULES ? AMPEL_RECORD_VERSION : 1);
    ampel_store_u16(bytes + 6, kind);
    ampel_store_u32(bytes + 8, AMPEL_RECORD_HEADER_BYTES + behind);
    ampel_store_u32(bytes + 12, frames_count);
    return bytes;
}

static void orders_of_the_first_and_the_last_second_of_time_are_taken(void **state) {
    (void)state;
    static const int64_t sent[] = {0, 1000, AMPEL_TIME_MAX_MS - 1000, AMPEL_TIME_MAX_MS};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(sent); i++) {
        struct ampel_event event = {.type = AMPEL_EVENT_ORDER, .at_ms = sent[i], .count = 1, .points = -1,
                                    .severity = -1, .code = AMPEL_CODE_NONE};
        struct ampel_batch_header early = header;
        struct ampel_batch batch;
        struct ampel_error error;
        const uint8_t *bytes;
        uint32_t size;
        early.sent_at_ms = sent[i];
        ampel_batch_builder_reset(tools.builder);
        assert_true(ampel_batch_builder_push(tools.builder, ampel_text_of("s"), ampel_text_of("m"), &event));
        assert_true(ampel_batch_encode(tools.builder, &early, false, &bytes, &size));
        assert_true(ampel_batch_decode(tools.decoder, bytes, size, &batch, &error));
        assert_int_equal(batch.frame.events_count, 1);
        assert_int_equal(batch.refused_count, 0);
    }
}

static void a_header_that_nobody_writes_is_damage_behind_a_sound_checksum(void **state) {
    (void)state;
    static const struct {
        uint32_t offset;
        uint16_t value;
    } rows[] = {{4, 0}, {6, 0}, {6, AMPEL_RECORD_RULES + 1}, {14, 1}};
    struct ampel_record_header record;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        uint8_t *bytes = bare_record(AMPEL_RECORD_TICK, 8, 1);
        ampel_record_seal(bytes, 0, STAMP_MS);
        assert_int_equal(ampel_record_check(bytes, AMPEL_RECORD_HEADER_BYTES + 8, &record), AMPEL_RECORD_OK);
        ampel_store_u16(bytes + rows[i].offset, rows[i].value);
        /* Kinds beyond the first two have the version of today. */
        if (rows[i].value == AMPEL_RECORD_RULES + 1) ampel_store_u16(bytes + 4, AMPEL_RECORD_VERSION);
        ampel_record_seal(bytes, 0, STAMP_MS);
        enum ampel_record_status status = ampel_record_check(bytes, AMPEL_RECORD_HEADER_BYTES + 8, &record);
        if (status != AMPEL_RECORD_DAMAGED) fail_msg("row %u: %d", i, (int)status);
        free(bytes);
    }
    uint8_t *bytes = bare_record(AMPEL_RECORD_TICK, 16, 1);
    static const uint32_t sizes[] = {0, AMPEL_RECORD_HEADER_BYTES - 8, AMPEL_RECORD_HEADER_BYTES + 4, AMPEL_RECORD_BYTES_MAX + 8};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(sizes); i++) {
        ampel_store_u32(bytes + 8, sizes[i]);
        assert_int_equal(ampel_record_check(bytes, AMPEL_RECORD_HEADER_BYTES + 16, &record), AMPEL_RECORD_DAMAGED);
    }
    free(bytes);
}

static void a_batch_that_ends_in_its_head_is_refused_by_either_walk(void **state) {
    (void)state;
    struct ampel_error error;
    struct ampel_record_names names;
    uint32_t cursor = 0, partition;
    uint8_t *bytes = bare_record(AMPEL_RECORD_BATCH, 16, 1);
    assert_refused(bytes, "batch", "too short");
    assert_false(ampel_record_names_next(bytes, &cursor, &names));
    assert_false(ampel_record_partition_next(bytes, &cursor, &partition, &error));
    assert_string_equal(error.field, "batch");
    free(bytes);
    bytes = bare_record(AMPEL_RECORD_BATCH, 24, 1);
    bytes[AMPEL_RECORD_HEADER_BYTES + 21] = 200;
    assert_refused(bytes, "batch", "too short");
    cursor = 0;
    assert_false(ampel_record_names_next(bytes, &cursor, &names));
    assert_false(ampel_record_partition_next(bytes, &cursor, &partition, &error));
    assert_string_equal(error.field, "frame");
    free(bytes);
}

static void more_names_than_a_frame_has_room_for_are_none(void **state) {
    (void)state;
    struct ampel_record_names names;
    uint32_t cursor = 0;
    const uint32_t head_size = 24, frame_at = AMPEL_RECORD_HEADER_BYTES + head_size, frame_size = 32 + 16;
    uint8_t *bytes = bare_record(AMPEL_RECORD_BATCH, head_size + frame_size, 1);
    ampel_store_u32(bytes + frame_at + 4, frame_size);
    for (uint32_t count = 1; count < 4; count++) {
        ampel_store_u32(bytes + frame_at + 8, count);
        cursor = 0;
        assert_true(ampel_record_names_next(bytes, &cursor, &names));
        assert_int_equal(names.accounts_count, count < 3 ? count : 0);
    }
    assert_false(ampel_record_names_next(bytes, &cursor, &names));
    free(bytes);
}

static void ticks_and_rules_whose_sizes_do_not_fit_are_refused_by_either_walk(void **state) {
    (void)state;
    struct ampel_error error;
    struct ampel_text text;
    uint64_t number;
    uint32_t cursor = 0, partition;
    /* Three partitions need 16 bytes. */
    uint8_t *bytes = bare_record(AMPEL_RECORD_TICK, 8, 3);
    assert_refused(bytes, "tick", "does not fit");
    for (uint32_t i = 0; i < 2; i++)
        assert_true(ampel_record_partition_next(bytes, &cursor, &partition, &error));
    assert_false(ampel_record_partition_next(bytes, &cursor, &partition, &error));
    assert_string_equal(error.field, "tick");
    ampel_store_u32(bytes + 12, 1);
    ampel_store_u32(bytes + AMPEL_RECORD_HEADER_BYTES, AMPEL_PARTITIONS_MAX);
    assert_refused(bytes, "tick", "no such partition");
    free(bytes);
    bytes = bare_record(AMPEL_RECORD_RULES, 8, 0);
    assert_refused(bytes, "rules", "does not fit");
    assert_false(ampel_record_rules(bytes, &number, &text, &error));
    cursor = 0;
    assert_false(ampel_record_partition_next(bytes, &cursor, &partition, &error));
    assert_string_equal(error.field, "rules");
    free(bytes);
    bytes = bare_record(AMPEL_RECORD_RULES, 24, 0);
    ampel_store_u32(bytes + AMPEL_RECORD_HEADER_BYTES + 8, 9); /* of which 8 are there */
    assert_refused(bytes, "rules", "does not fit");
    ampel_store_u32(bytes + AMPEL_RECORD_HEADER_BYTES + 8, 256 * 1024 + 1);
    assert_refused(bytes, "rules", "does not fit");
    ampel_store_u32(bytes + AMPEL_RECORD_HEADER_BYTES + 8, 8);
    assert_false(ampel_record_rules(bytes, &number, &text, &error));
    assert_string_equal(error.reason, "the number is 0");
    free(bytes);
}

static void a_record_of_other_frames_than_its_header_says_is_refused(void **state) {
    (void)state;
    struct ampel_maker maker = ampel_maker_open(__func__);
    uint32_t size;
    uint8_t *bytes = small_record(&maker, &size);
    uint32_t frames = ampel_load_u32(bytes + 12);
    ampel_store_u32(bytes + 12, frames - 1);
    assert_refused(bytes, "frame", "bytes after the last frame");
    ampel_store_u32(bytes + 12, frames + 1);
    assert_refused(bytes, "frame", "too short");
    free(bytes);
}

/* The first frame of a record with one refused event, and where its refused events stand. */
static uint8_t *refused_record(uint32_t *size, uint32_t *head, uint32_t *refused) {
    struct ampel_record_builder *builder = ampel_record_builder_open(1);
    struct ampel_batch batch;
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < 2; i++) {
        struct ampel_event event = {.type = AMPEL_EVENT_ORDER,
                                    .at_ms = SENT_AT_MS + (i == 0 ? AMPEL_DAY_MS : 0),
                                    .count = 1,
                                    .points = -1,
                                    .severity = -1,
                                    .code = AMPEL_CODE_NONE};
        assert_true(ampel_batch_builder_push(tools.builder, ampel_text_of("seller"), ampel_text_of("M"), &event));
    }
    decode_built(false, &batch);
    assert_int_equal(batch.refused_count, 1);
    uint8_t *bytes = encode_record(builder, &batch, size);
    ampel_record_builder_close(builder);
    uint32_t batch_head = UINT32_C(24) + bytes[AMPEL_RECORD_HEADER_BYTES + 21] + bytes[AMPEL_RECORD_HEADER_BYTES + 22];
    *head = AMPEL_RECORD_HEADER_BYTES + (batch_head + 7) / 8 * 8;
    /* The last thing of the frame but for the padding. */
    const uint8_t entry[] = {0, 0, 0, 0, AMPEL_VERDICT_FUTURE, AMPEL_EVENT_ORDER, 2};
    for (*refused = *size - (uint32_t)sizeof entry; memcmp(bytes + *refused, entry, sizeof entry) != 0;)
        --*refused;
    return bytes;
}

static void a_list_of_refused_events_that_nobody_writes_is_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t offset;
        uint8_t value;
        const char *reason;
    } rows[] = {
        {4, AMPEL_VERDICT_OK, "none that is ever written"}, {4, AMPEL_VERDICTS_COUNT, "none that is ever written"},
        {6, 255, "the list is too short"},                  {6, 1, "the list is too long"},
        {24, ' ', "none that is ever written"},             {26, ' ', "none that is ever written"},
        {32, ' ', "none that is ever written"},
    };
    uint32_t size, head, refused;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        uint8_t *bytes = refused_record(&size, &head, &refused);
        bytes[refused + rows[i].offset] = rows[i].value;
        assert_refused(bytes, "refused", rows[i].reason);
        free(bytes);
    }
    uint8_t *bytes = refused_record(&size, &head, &refused);
    ampel_store_u32(bytes + head + 20, 2);
    assert_refused(bytes, "refused", "the list is too short");
    ampel_store_u32(bytes + head + 20, 0);
    assert_refused(bytes, "refused", "the list is too long");
    free(bytes);
}

static void a_frame_head_that_nobody_writes_is_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t offset, value;
    } rows[] = {
        {0, AMPEL_PARTITIONS_MAX}, {4, UINT32_C(1) << 20}, {4, 33},
        {8, AMPEL_BATCH_ACCOUNTS_MAX + 1}, {12, AMPEL_BATCH_EVENTS_MAX + 1}, {16, 1}, {20, 101},
        {28, 128}, {12, 1000}, {12, 0},
    };
    uint32_t size, head, refused;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        uint8_t *bytes = refused_record(&size, &head, &refused);
        ampel_store_u32(bytes + head + rows[i].offset, rows[i].value);
        assert_refused(bytes, "frame", "do not fit its size");
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_event_arrives_once_in_its_partition_and_in_order),
        cmocka_unit_test(rows_and_columns_of_the_same_events_make_the_same_record),
        cmocka_unit_test(a_frame_of_orders_alone_carries_no_other_columns),
        cmocka_unit_test(refused_events_are_remembered_where_the_producer_lives),
        cmocka_unit_test(a_batch_without_an_accepted_event_still_leaves_its_sequence),
        cmocka_unit_test(a_tick_names_its_partitions),
        cmocka_unit_test(rules_are_carried_to_all_partitions_and_cuts_are_noticed),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
        cmocka_unit_test(a_newer_version_is_told_from_damage),
        cmocka_unit_test(a_frame_that_is_not_as_written_is_refused_or_safe),
        cmocka_unit_test(orders_of_the_first_and_the_last_second_of_time_are_taken),
        cmocka_unit_test(a_header_that_nobody_writes_is_damage_behind_a_sound_checksum),
        cmocka_unit_test(a_batch_that_ends_in_its_head_is_refused_by_either_walk),
        cmocka_unit_test(more_names_than_a_frame_has_room_for_are_none),
        cmocka_unit_test(ticks_and_rules_whose_sizes_do_not_fit_are_refused_by_either_walk),
        cmocka_unit_test(a_record_of_other_frames_than_its_header_says_is_refused),
        cmocka_unit_test(a_list_of_refused_events_that_nobody_writes_is_refused),
        cmocka_unit_test(a_frame_head_that_nobody_writes_is_refused),
    };
    tools = (struct tools){ampel_batch_builder_open(), ampel_batch_decoder_open(),
                           ampel_record_reader_open()};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ampel_batch_builder_close(tools.builder);
    ampel_batch_decoder_close(tools.decoder);
    ampel_record_reader_close(tools.reader);
    return failed;
}

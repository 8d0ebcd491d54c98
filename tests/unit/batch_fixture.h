/* Batches that tests put together by hand, value by value. */
#ifndef AMPEL_TESTS_UNIT_BATCH_FIXTURE_H
#define AMPEL_TESTS_UNIT_BATCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/batch.h"
#include "proto/pack.h"
#include "proto/text.h"

#define SENT_AT_MS INT64_C(1790858096789)

static inline struct ampel_batch_header header_of(uint64_t sequence) {
    return (struct ampel_batch_header){
        .producer = ampel_text_of("erp-1"), .sequence = sequence, .sent_at_ms = SENT_AT_MS};
}

static inline void assert_events_equal(const struct ampel_event *left, const struct ampel_event *right) {
    assert_int_equal(left->type, right->type);
    assert_int_equal(left->at_ms, right->at_ms);
    assert_int_equal(left->count, right->count);
    assert_int_equal(left->rev, right->rev);
    assert_int_equal(left->points, right->points);
    assert_int_equal(left->policy, right->policy);
    assert_int_equal(left->severity, right->severity);
    assert_int_equal(left->code, right->code);
    assert_int_equal(left->extras_size, right->extras_size);
    if (left->extras_size > 0) assert_memory_equal(left->extras, right->extras, left->extras_size);
}

/* The parts of a batch map, each of which a test may leave out or spoil. */
struct hand {
    struct ampel_pack_writer writer;
    uint8_t bytes[64 * 1024];
};

static inline struct ampel_pack_writer *hand_open(struct hand *hand, uint32_t keys,
                                           const char *second_seller) {
    hand->writer = (struct ampel_pack_writer){.bytes = hand->bytes, .capacity = sizeof hand->bytes};
    struct ampel_pack_writer *writer = &hand->writer;
    ampel_pack_put_map(writer, keys + 5);
    ampel_pack_put_word(writer, "v");
    ampel_pack_put_integer(writer, 1);
    ampel_pack_put_word(writer, "producer");
    ampel_pack_put_word(writer, "hand");
    ampel_pack_put_word(writer, "seq");
    ampel_pack_put_integer(writer, 9);
    ampel_pack_put_word(writer, "sent_at");
    ampel_pack_put_integer(writer, SENT_AT_MS);
    ampel_pack_put_word(writer, "accounts");
    ampel_pack_put_list(writer, 2);
    ampel_pack_put_list(writer, 2);
    ampel_pack_put_word(writer, "S1");
    ampel_pack_put_word(writer, "M1");
    ampel_pack_put_list(writer, 2);
    ampel_pack_put_word(writer, second_seller);
    ampel_pack_put_word(writer, "M1");
    return writer;
}

static struct ampel_batch_decoder *shared_decoder;

static inline bool hand_decode(struct hand *hand, struct ampel_batch *batch, struct ampel_error *error) {
    *error = (struct ampel_error){0};
    assert_false(hand->writer.full);
    /* In a block of its own size, so that a read beyond it is seen. */
    uint8_t *bytes = malloc(hand->writer.size);
    memcpy(bytes, hand->bytes, hand->writer.size);
    bool good = ampel_batch_decode(shared_decoder, bytes, hand->writer.size, batch, error);
    free(bytes);
    return good;
}

#endif

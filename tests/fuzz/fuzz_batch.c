/* Batches. The same bytes always meet the same verdicts; what is accepted is sound, comes back from
   a batch that is built and encoded of it in columns and in rows, and goes through the record of
   the log to where the shard reads it. */
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/draft.h"
#include "proto/record.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/maker.h"

#define PARTITIONS 3

static struct tools {
    struct ampel_batch_builder *builder;
    struct ampel_batch_decoder *decoder, *other;
    struct ampel_record_builder *records;
    struct ampel_record_reader *reader;
} tools;

static void tools_open(void) {
    if (tools.builder != NULL) return;
    tools = (struct tools){ampel_batch_builder_open(), ampel_batch_decoder_open(),
                           ampel_batch_decoder_open(), ampel_record_builder_open(PARTITIONS),
                           ampel_record_reader_open()};
}

static bool is_refused(const struct ampel_batch *batch, uint32_t index) {
    for (uint32_t i = 0; i < batch->refused_count; i++)
        if (batch->refused[i].event_index == index) return true;
    return false;
}

static void check_refused(const struct ampel_batch *batch) {
    for (uint32_t i = 0; i < batch->refused_count; i++) {
        const struct ampel_batch_refused *refused = &batch->refused[i];
        AMPEL_ASSERT(refused->verdict != AMPEL_VERDICT_OK &&
                     refused->verdict < AMPEL_VERDICTS_COUNT);
        AMPEL_ASSERT(refused->field != NULL && strlen(refused->field) <= AMPEL_ID_BYTES_MAX);
        AMPEL_ASSERT(refused->event_index < batch->frame.events_count);
        AMPEL_ASSERT(i == 0 || refused[-1].event_index < refused->event_index);
    }
}

/* What was accepted goes into the builder. Returns how many that are. */
static uint32_t push_accepted(const struct ampel_batch *batch) {
    uint32_t accepted = 0;
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < batch->frame.events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        const char *field;
        if (is_refused(batch, i)) continue;
        ampel_frame_event(&batch->frame, i, &account, &event);
        AMPEL_ASSERT(account < batch->frame.accounts_count);
        AMPEL_ASSERT(ampel_draft_judge(&event, batch->header.sent_at_ms, &field) ==
                     AMPEL_VERDICT_OK);
        const struct ampel_frame_account *where = &batch->frame.accounts[account];
        AMPEL_ASSERT(
            ampel_batch_builder_push(tools.builder, where->seller, where->marketplace, &event));
        accepted++;
    }
    return accepted;
}

static void check_same_accepted(const struct ampel_batch *batch, const struct ampel_frame *built) {
    uint32_t place = 0;
    for (uint32_t i = 0; i < batch->frame.events_count; i++) {
        struct ampel_event left, right;
        uint32_t left_account, right_account;
        if (is_refused(batch, i)) continue;
        ampel_frame_event(&batch->frame, i, &left_account, &left);
        ampel_frame_event(built, place++, &right_account, &right);
        AMPEL_ASSERT(fuzz_event_equal(&left, &right));
        AMPEL_ASSERT(ampel_text_equal(batch->frame.accounts[left_account].seller,
                                      built->accounts[right_account].seller));
        AMPEL_ASSERT(ampel_text_equal(batch->frame.accounts[left_account].marketplace,
                                      built->accounts[right_account].marketplace));
    }
    AMPEL_ASSERT(place == built->events_count);
}

static void check_built_again(const struct ampel_batch *batch, bool rows) {
    const uint8_t *encoded;
    uint32_t size;
    struct ampel_batch again;
    struct ampel_error error;
    AMPEL_ASSERT(ampel_batch_encode(tools.builder, &batch->header, rows, &encoded, &size));
    AMPEL_ASSERT(ampel_batch_decode(tools.other, encoded, size, &again, &error));
    AMPEL_ASSERT(again.refused_count == 0);
    AMPEL_ASSERT(again.header.sequence == batch->header.sequence);
    AMPEL_ASSERT(again.header.sent_at_ms == batch->header.sent_at_ms);
    AMPEL_ASSERT(again.header.backfill == batch->header.backfill);
    AMPEL_ASSERT(ampel_text_equal(again.header.producer, batch->header.producer));
    check_same_accepted(batch, &again.frame);
}

static void check_logged(const struct ampel_batch *batch, uint32_t accepted) {
    const uint8_t *encoded;
    uint32_t size, cursor = 0, seen = 0, remembered = 0, frames = 0;
    struct ampel_record_header header;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    AMPEL_ASSERT(ampel_record_encode_batch(tools.records, batch, ampel_text_of("agency"), 1,
                                           &encoded, &size));
    uint8_t *record = malloc(size);
    AMPEL_ASSERT(record != NULL);
    memcpy(record, encoded, size);
    ampel_record_seal(record, 4096, 2);
    AMPEL_ASSERT(ampel_record_check(record, size, &header) == AMPEL_RECORD_OK);
    while (ampel_record_frame_next(tools.reader, record, &cursor, &frame, &error)) {
        AMPEL_ASSERT(frame.partition < PARTITIONS);
        AMPEL_ASSERT(frame.sequence == batch->header.sequence);
        seen += frame.events_count;
        frames++;
        remembered += ampel_record_refused_count(tools.reader);
        AMPEL_ASSERT(ampel_record_refused_total(tools.reader) == batch->refused_count);
    }
    AMPEL_ASSERT(error.reason[0] == 0);
    AMPEL_ASSERT(seen == accepted && frames > 0 && frames == header.frames_count);
    AMPEL_ASSERT(remembered == (batch->refused_count < 100 ? batch->refused_count : 100));
    free(record);
}

/* The header alone is what the whole batch's is; of a batch that is refused it may be read all the same. */
static void check_header(const uint8_t *bytes, uint32_t size, const struct ampel_batch *batch) {
    struct ampel_batch_header header;
    struct ampel_error error = {0};
    bool good = ampel_batch_header_decode(bytes, size, &header, &error);
    AMPEL_ASSERT(good || error.reason[0] != 0);
    if (batch == NULL) return;
    AMPEL_ASSERT(good && header.sequence == batch->header.sequence &&
                 header.sent_at_ms == batch->header.sent_at_ms &&
                 header.backfill == batch->header.backfill &&
                 ampel_text_equal(header.producer, batch->header.producer));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_batch batch, same;
    struct ampel_error error = {0}, same_error;
    tools_open();
    /* One that has read much and one that has read nothing. */
    ampel_batch_decoder_close(tools.other);
    tools.other = ampel_batch_decoder_open();
    bool good = ampel_batch_decode(tools.decoder, bytes, (uint32_t)size, &batch, &error);
    AMPEL_ASSERT(ampel_batch_decode(tools.other, bytes, (uint32_t)size, &same, &same_error) ==
                 good);
    check_header(bytes, (uint32_t)size, good ? &batch : NULL);
    if (!good) {
        AMPEL_ASSERT(error.reason[0] != 0);
        AMPEL_ASSERT(batch.header.producer.size == 0 ||
                     ampel_id_valid(batch.header.producer, false));
        return 0;
    }
    check_refused(&batch);
    AMPEL_ASSERT(batch.refused_count == same.refused_count);
    for (uint32_t i = 0; i < batch.refused_count; i++) {
        AMPEL_ASSERT(batch.refused[i].event_index == same.refused[i].event_index);
        AMPEL_ASSERT(batch.refused[i].verdict == same.refused[i].verdict);
        AMPEL_ASSERT(strcmp(batch.refused[i].field, same.refused[i].field) == 0);
    }
    FUZZ_CANARY(batch.refused_count > 0 && batch.refused[0].verdict == AMPEL_VERDICT_FUTURE);
    uint32_t accepted = push_accepted(&batch);
    check_built_again(&batch, false);
    check_built_again(&batch, true);
    check_logged(&batch, accepted);
    return 0;
}

/* ---- the mutator ---------------------------------------------------------------------------- */

/* The batch with one event more, or one less, in columns or rows: what only somebody who knows
 * columns can write. */
static size_t rebuild(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random) {
    struct ampel_maker maker = {ampel_random_next(random)};
    struct ampel_batch batch;
    struct ampel_error error;
    tools_open();
    if (!ampel_batch_decode(tools.decoder, bytes, (uint32_t)size, &batch, &error)) return size;
    bool less = ampel_random_chance(random, 30);
    uint64_t skipped = less ? ampel_random_below(random, 8) : UINT64_MAX;
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < batch.frame.events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        if (is_refused(&batch, i) || i == skipped) continue;
        ampel_frame_event(&batch.frame, i, &account, &event);
        const struct ampel_frame_account *where = &batch.frame.accounts[account];
        if (!ampel_batch_builder_push(tools.builder, where->seller, where->marketplace, &event))
            return size;
    }
    if (!less) {
        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
        struct ampel_event event;
        int64_t sent_at_ms = batch.header.sent_at_ms;
        if (sent_at_ms < 2 * AMPEL_WINDOW_MS || sent_at_ms > AMPEL_TIME_MAX_MS) return size;
        ampel_maker_event(&maker, (uint8_t)ampel_random_below(random, AMPEL_EVENT_TYPES_COUNT),
                          sent_at_ms, extras, &event);
        if (!ampel_batch_builder_push(tools.builder, ampel_text_of("A1"), ampel_text_of("DE"),
                                      &event))
            return size;
    }
    const uint8_t *encoded;
    uint32_t encoded_size;
    bool rows = ampel_random_chance(random, 50);
    if (!ampel_batch_encode(tools.builder, &batch.header, rows, &encoded, &encoded_size) ||
        encoded_size > size_max)
        return size;
    memcpy(bytes, encoded, encoded_size);
    return encoded_size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    switch (ampel_random_below(&random, 8)) {
    case 0:
        return LLVMFuzzerMutate(bytes, size, size_max);
    case 1:
        return rebuild(bytes, size, size_max, &random);
    case 2:
        fuzz_mutate_in_place(bytes, size, &random);
        return size;
    default:
        return fuzz_mutate_pack(bytes, size, size_max, &random);
    }
}

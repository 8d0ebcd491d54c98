/* Records. A record that is not whole is told from one that is; frames that come out of a whole one
   are sound, whatever wrote it, and an engine takes them. The mutator mends sizes and checksum, so
   that the walk is reached. */
#include <string.h>

#include "engine/engine.h"
#include "engine/load.h"
#include "proto/draft.h"
#include "proto/hash.h"
#include "proto/record.h"
#include "proto/record_layout.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

static struct ampel_record_reader *reader;
static struct ampel_rules rules;

static void check_events(const struct ampel_frame *frame) {
    for (uint32_t i = 0; i < frame->events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        const char *field;
        ampel_frame_event(frame, i, &account, &event);
        AMPEL_ASSERT(account < frame->accounts_count);
        AMPEL_ASSERT(ampel_draft_judge(&event, INT64_MIN, &field) == AMPEL_VERDICT_OK);
    }
}

static void check_refused(void) {
    for (uint32_t i = 0; i < ampel_record_refused_count(reader); i++) {
        struct ampel_record_refused refused;
        ampel_record_refused_get(reader, i, &refused);
        AMPEL_ASSERT(refused.verdict != AMPEL_VERDICT_OK && refused.verdict < AMPEL_VERDICTS_COUNT);
        AMPEL_ASSERT(refused.field.size == 0 || ampel_id_valid(refused.field, false));
        AMPEL_ASSERT(refused.id.size == 0 || ampel_id_valid(refused.id, false));
    }
}

/* The engine advances to the stamp and takes the frame, as a shard does it. */
static void apply(struct ampel_engine *engine, const struct ampel_frame *frame) {
    struct ampel_apply_counts counts;
    bool done = false;
    int64_t to_ms = frame->stamp_ms;
    /* A day is far enough: each midnight on the way costs a turn. */
    if (to_ms > ampel_engine_now(engine) + AMPEL_DAY_MS)
        to_ms = ampel_engine_now(engine) + AMPEL_DAY_MS;
    while (!done)
        AMPEL_ASSERT(ampel_engine_advance(engine, to_ms, 1000, &done) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(ampel_engine_apply(engine, frame, &counts) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(counts.duplicate || counts.applied + counts.refused == frame->events_count);
    ampel_engine_changes_clear(engine);
}

static struct ampel_engine *engine_open(int64_t start_ms) {
    struct ampel_engine *engine = NULL;
    if (start_ms < 0 || start_ms > AMPEL_TIME_MAX_MS) start_ms = 0;
    struct ampel_engine_options options = {
        .memory = fuzz_memory(), .rules = &rules, .start_ms = start_ms};
    AMPEL_ASSERT(ampel_engine_open(&options, &engine) == AMPEL_ENGINE_OK);
    return engine;
}

/* Who looks at the partitions alone sees those of the frames. */
static void check_partitions(const uint8_t *bytes, const uint32_t *partitions, uint32_t count) {
    struct ampel_error error = {0};
    uint32_t cursor = 0, partition, seen = 0;
    while (ampel_record_partition_next(bytes, &cursor, &partition, &error)) {
        AMPEL_ASSERT(seen < count && partitions[seen] == partition);
        seen++;
    }
    AMPEL_ASSERT(error.reason[0] == 0 && seen == count);
}

/* Who looks ahead reads no further than the record, whatever stands in it, and changes nothing. */
static void look_ahead(const struct ampel_engine *engine, const uint8_t *bytes) {
    struct ampel_record_names names;
    uint32_t cursor = 0;
    while (ampel_record_names_next(bytes, &cursor, &names))
        for (uint32_t step = 0; step < AMPEL_FETCH_STEPS; step++)
            ampel_engine_frame_fetch(engine, names.hashes, names.accounts_count, (enum ampel_frame_fetch)step);
}

static void check_rules(const uint8_t *bytes, const struct ampel_record_header *header) {
    static struct ampel_rules found;
    struct ampel_text text;
    struct ampel_error error = {0};
    uint64_t number;
    if (!ampel_record_rules(bytes, &number, &text, &error)) {
        AMPEL_ASSERT(header->kind != AMPEL_RECORD_RULES || error.reason[0] != 0);
        return;
    }
    AMPEL_ASSERT(header->kind == AMPEL_RECORD_RULES && number != 0);
    AMPEL_ASSERT((const uint8_t *)text.bytes >= bytes + AMPEL_RECORD_HEADER_BYTES);
    AMPEL_ASSERT((const uint8_t *)text.bytes + text.size <= bytes + header->size);
    (void)!ampel_rules_file_decode(text, &found, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_record_header header;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    static uint32_t partitions[AMPEL_PARTITIONS_MAX];
    uint32_t cursor = 0, frames = 0;
    if (reader == NULL) {
        reader = ampel_record_reader_open();
        ampel_rules_init(&rules);
    }
    enum ampel_record_status status = ampel_record_check(bytes, size, &header);
    if (status != AMPEL_RECORD_OK) return 0;
    AMPEL_ASSERT(header.size <= size);
    struct ampel_engine *engine = engine_open(header.stamp_ms);
    while (ampel_record_frame_next(reader, bytes, &cursor, &frame, &error)) {
        AMPEL_ASSERT(cursor <= header.size && frames < header.frames_count);
        partitions[frames++] = frame.partition;
        AMPEL_ASSERT(frame.stamp_ms == header.stamp_ms && frame.position == header.position);
        FUZZ_CANARY(frame.events_count > 1 && frame.rev != NULL && frame.backfill);
        check_events(&frame);
        check_refused();
        if (header.kind == AMPEL_RECORD_BATCH && header.stamp_ms >= 0 &&
            header.stamp_ms <= AMPEL_TIME_MAX_MS)
            apply(engine, &frame);
    }
    AMPEL_ASSERT(error.reason[0] != 0 || frames == header.frames_count);
    if (error.reason[0] == 0) check_partitions(bytes, partitions, frames);
    look_ahead(engine, bytes);
    check_rules(bytes, &header);
    ampel_engine_close(engine);
    return 0;
}

/* ---- the mutator ---------------------------------------------------------------------------- */

/* Another count of events in the first frame, everything behind it moved: copies its columns, or
 * zeroes beyond them. */
static size_t relay_frame(uint8_t *bytes, size_t size, size_t size_max,
                          struct ampel_random *random) {
    static uint8_t made[1 << 16];
    struct frame_layout from, to;
    if (size < AMPEL_RECORD_HEADER_BYTES + BATCH_HEAD_BYTES + FRAME_HEAD_BYTES) return size;
    size_t at = AMPEL_RECORD_HEADER_BYTES;
    at += record_padded((uint64_t)BATCH_HEAD_BYTES + bytes[at + 21] + bytes[at + 22]);
    if (size < at + FRAME_HEAD_BYTES) return size;
    uint8_t *frame = bytes + at;
    uint32_t frame_size = ampel_load_u32(frame + 4), accounts = ampel_load_u32(frame + 8);
    uint32_t events = ampel_load_u32(frame + 12), extras = ampel_load_u32(frame + 16);
    uint32_t refused = ampel_load_u32(frame + 24), columns = ampel_load_u32(frame + 28);
    if (frame_size > size - at || accounts > 100 || events > 1000) return size;
    frame_layout_init(&from, accounts, events, columns & COLUMNS_ALL, 0, extras, refused);
    if (from.end > frame_size) return size;
    uint64_t texts = 0;
    for (uint32_t i = 0; i < 2 * accounts; i++)
        texts += frame[from.account_sizes + i];
    frame_layout_init(&from, accounts, events, columns & COLUMNS_ALL, texts, extras, refused);
    if (from.end != frame_size) return size;
    uint32_t events_new = ampel_random_chance(random, 50) ? events + 1 : events - (events > 0);
    uint32_t columns_new = (columns ^ 1u << ampel_random_below(random, 12)) & COLUMNS_ALL;
    frame_layout_init(&to, accounts, events_new, columns_new, texts,
                      (columns_new & COLUMN_EXTRAS) != 0 ? extras : 0, refused);
    size_t rest = size - at - frame_size;
    if (at + to.end + rest > size_max || to.end > sizeof made) return size;
    memset(made, 0, to.end);
    memcpy(made, frame, from.at); /* head and hashes */
#define COPY(name, next, next_to)                                               \
    memcpy(made + to.name, frame + from.name,                                   \
           from.next - from.name < to.next_to - to.name ? from.next - from.name \
                                                        : to.next_to - to.name);
    COPY(at, account, account)
    COPY(account, count, count)
    COPY(count, extras_offset, extras_offset)
    COPY(extras_offset, points, points)
    COPY(points, rev, rev)
    COPY(rev, type, type)
    COPY(type, policy, policy)
    COPY(policy, severity, severity)
    COPY(severity, code, code)
    COPY(code, account_sizes, account_sizes)
    COPY(account_sizes, texts, texts)
    COPY(texts, extras, extras)
    COPY(extras, refused, refused)
    COPY(refused, end, end)
#undef COPY
    if ((columns_new & COLUMN_EXTRAS) != 0)
        ampel_store_u32(made + to.extras_offset + 4 * (size_t)events_new, extras);
    ampel_store_u32(made + 4, (uint32_t)to.end);
    ampel_store_u32(made + 12, events_new);
    ampel_store_u32(made + 16, (columns_new & COLUMN_EXTRAS) != 0 ? extras : 0);
    ampel_store_u32(made + 28, columns_new);
    memmove(frame + to.end, frame + frame_size, rest);
    memcpy(frame, made, to.end);
    return at + to.end + rest;
}

static size_t mend(uint8_t *bytes, size_t size) {
    size_t whole = size & ~(size_t)7;
    if (whole < AMPEL_RECORD_HEADER_BYTES) return size;
    ampel_store_u32(bytes, RECORD_MAGIC);
    ampel_store_u16(bytes + 4, ampel_load_u16(bytes + 6) == AMPEL_RECORD_RULES ? 2 : 1);
    ampel_store_u32(bytes + 8, (uint32_t)whole);
    ampel_store_u64(bytes + RECORD_CHECKSUM_OFFSET,
                    ampel_hash_around(bytes, whole, RECORD_CHECKSUM_OFFSET));
    return whole;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    switch (ampel_random_below(&random, 4)) {
    case 0:
        size = LLVMFuzzerMutate(bytes, size, size_max);
        break;
    case 1:
        size = relay_frame(bytes, size, size_max, &random);
        break;
    default:
        fuzz_mutate_in_place(bytes, size, &random);
    }
    /* One in sixteen stays broken. */
    return ampel_random_chance(&random, 6) ? size : mend(bytes, size);
}

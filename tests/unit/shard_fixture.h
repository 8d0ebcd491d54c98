/* One shard between its queues, turned by hand; the test is keeper, publisher, gateway and scribe. Included by each of its tests once.
 */
#ifndef AMPEL_TESTS_SHARD_FIXTURE_H
#define AMPEL_TESTS_SHARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"
#include "proto/record.h"
#include "workers/checkpoint.h"
#include "workers/metrics.h"
#include "workers/parcel.h"
#include "tests/unit/parcels_fixture.h"
#include "workers/shard.h"

#define MS        INT64_C(1000000)
#define START_MS  INT64_C(1790000000000)
#define TURNS_MAX 10000
#define FIRST     4096 /* the first position of a log */

struct bench {
    struct ampel_shard *shard;
    struct ampel_stage stage;
    struct ampel_shard_options options;
    struct ampel_rules rules;
    struct ampel_queue *in, *records, *publisher, *gateway;
    int64_t ns, wake_ns;
    /* The log. */
    struct ampel_batch_builder *builder;
    struct ampel_batch_decoder *decoder;
    struct ampel_record_builder *recorder;
    uint64_t position, sequence;
    int64_t stamp_ms;
};

static inline int64_t bench_ms(void *context) {
    return START_MS + ((struct bench *)context)->ns / MS;
}
static inline int64_t bench_ns(void *context) {
    return ((struct bench *)context)->ns;
}

static inline void *memory_take(void *context, size_t size, size_t alignment) {
    (void)context;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
static inline void memory_give(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

static inline void shard_open(struct bench *bench) {
    assert_true(ampel_shard_open(&bench->options, &bench->shard));
    bench->stage = ampel_shard_stage(bench->shard);
}

/* publisher_capacity: of its queue. */
static inline void bench_open(struct bench *bench, uint32_t partitions, uint32_t publisher_capacity) {
    *bench = (struct bench){.ns = 1000 * MS, .position = FIRST, .stamp_ms = START_MS};
    ampel_rules_init(&bench->rules);
    bench->in = ampel_queue_open(64);
    bench->records = ampel_queue_open(64);
    bench->publisher = ampel_queue_open(publisher_capacity);
    bench->gateway = ampel_queue_open(64);
    bench->builder = ampel_batch_builder_open();
    bench->decoder = ampel_batch_decoder_open();
    bench->recorder = ampel_record_builder_open(partitions);
    bench->options = (struct ampel_shard_options){
        .memory = {.take = memory_take, .give = memory_give},
        .clock = {.context = bench, .now_ms = bench_ms, .monotonic_ns = bench_ns},
        .rules = &bench->rules,
        .shards_count = 1,
        .partitions = partitions,
        .checkpoint_every_ms = 1000,
        .orders_rows_every_ms = 60000,
        .unstored_bytes_max = 64 * 1024 * 1024,
        .accounts_per_tenant_max = 100000,
        .violations_per_account_max = 1000,
        .in = bench->in,
        .records = bench->records,
        .publisher = bench->publisher,
        .gateway = bench->gateway,
    };
}

static inline void bench_close(struct bench *bench) {
    ampel_shard_close(bench->shard);
    struct ampel_queue *queues[] = {bench->in, bench->records, bench->publisher, bench->gateway};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(queues); i++) {
        parcels_end(queues[i]);
    }
    ampel_batch_builder_close(bench->builder);
    ampel_batch_decoder_close(bench->decoder);
    ampel_record_builder_close(bench->recorder);
}

static inline enum ampel_turn settle(struct bench *bench) {
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        enum ampel_turn turn = bench->stage.turn(bench->stage.context, &bench->wake_ns);
        if (turn == AMPEL_TURN_IDLE && bench->wake_ns <= bench->ns) continue;
        if (turn != AMPEL_TURN_AGAIN) return turn;
    }
    fail_msg("the shard does not settle");
    return AMPEL_TURN_FATAL;
}

static inline void push(struct ampel_queue *queue, void *parcel) {
    assert_non_null(parcel);
    assert_true(ampel_queue_push(queue, parcel));
}

static inline void push_plain(struct ampel_queue *queue, enum ampel_parcel_kind kind) {
    struct ampel_parcel *parcel = calloc(1, sizeof(*parcel));
    assert_non_null(parcel);
    parcel->kind = kind;
    push(queue, parcel);
}

/* ---- what the scribe says ------------------------------------------------------------------- */

static inline void push_fresh(struct bench *bench, uint32_t partition) {
    struct ampel_parcel_loaded *loaded = calloc(1, sizeof(*loaded));
    assert_non_null(loaded);
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->partition = partition;
    loaded->epoch = 1;
    push(bench->in, loaded);
}

static inline uint8_t *copy(const uint8_t *bytes, uint32_t size) {
    uint8_t *made = malloc(size);
    assert_non_null(made);
    memcpy(made, bytes, size);
    return made;
}

/* The partition as the checkpoint stored it, which must hold all of its pages. */
static inline struct ampel_parcel_loaded *loaded_from(const struct ampel_checkpoint *checkpoint) {
    struct ampel_parcel_loaded *loaded = calloc(1, sizeof(*loaded));
    assert_non_null(loaded);
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->partition = checkpoint->partition;
    loaded->epoch = checkpoint->epoch + 1;
    loaded->position = checkpoint->position_new;
    loaded->meta = copy(checkpoint->meta, checkpoint->meta_size);
    loaded->meta_size = checkpoint->meta_size;
    loaded->pages = calloc(checkpoint->pages_count + 1, sizeof(loaded->pages[0]));
    assert_non_null(loaded->pages);
    for (uint32_t i = 0; i < checkpoint->pages_count; i++) {
        assert_int_equal(checkpoint->pages[i].page, i);
        loaded->pages[loaded->pages_count++] = (struct ampel_loaded_page){
            .page = i,
            .size = checkpoint->pages[i].size,
            .bytes = copy(checkpoint->pages[i].bytes, checkpoint->pages[i].size),
        };
    }
    return loaded;
}

static inline void push_committed_after(struct bench *bench, const struct ampel_checkpoint *checkpoint,
                                 int64_t spent_ms, bool fenced) {
    struct ampel_parcel_committed *committed = calloc(1, sizeof(*committed));
    assert_non_null(committed);
    *committed = (struct ampel_parcel_committed){.parcel.kind = AMPEL_PARCEL_COMMITTED,
                                                 .partition = checkpoint->partition,
                                                 .epoch = checkpoint->epoch,
                                                 .position = checkpoint->position_new,
                                                 .spent_ns = spent_ms * MS,
                                                 .fenced = fenced};
    push(bench->in, committed);
}

static inline void push_committed(struct bench *bench, const struct ampel_checkpoint *checkpoint,
                           bool fenced) {
    push_committed_after(bench, checkpoint, 0, fenced);
}

/* ---- the log -------------------------------------------------------------------------------- */

static inline struct ampel_text text(const char *bytes) {
    return (struct ampel_text){bytes, (uint32_t)strlen(bytes)};
}

static inline void order(struct bench *bench, const char *seller, uint32_t count) {
    struct ampel_event event = {.at_ms = bench->stamp_ms,
                                .count = count,
                                .type = AMPEL_EVENT_ORDER,
                                .points = -1,
                                .severity = -1,
                                .code = AMPEL_CODE_NONE};
    assert_true(ampel_batch_builder_push(bench->builder, text(seller), text("DE"), &event));
}

static inline void violation(struct bench *bench, const char *seller, const char *id, int8_t severity) {
    uint8_t extras[128];
    struct ampel_extras_writer writer = {.bytes = extras, .capacity = sizeof(extras)};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text(id)));
    struct ampel_event event = {.at_ms = bench->stamp_ms,
                                .count = 1,
                                .type = AMPEL_EVENT_VIOLATION,
                                .points = -1,
                                .severity = severity,
                                .code = AMPEL_CODE_NONE,
                                .extras = extras,
                                .extras_size = writer.size};
    assert_true(ampel_batch_builder_push(bench->builder, text(seller), text("DE"), &event));
}

/* Seals the bytes as the next record and hands a parcel of it over. */
static inline struct ampel_parcel_record *append(struct bench *bench, const uint8_t *bytes,
                                          uint32_t size) {
    struct ampel_parcel_record *record = ampel_parcel_record_make(size);
    assert_non_null(record);
    memcpy(record->bytes, bytes, size);
    ampel_record_seal(record->bytes, bench->position, bench->stamp_ms);
    bench->position += size;
    return record;
}

/* What the builder holds, as one record of producer "p". */
static inline struct ampel_parcel_record *batch_record(struct bench *bench) {
    struct ampel_batch_header header = {
        .producer = text("p"), .sequence = bench->sequence++, .sent_at_ms = bench->stamp_ms};
    const uint8_t *bytes;
    uint32_t size;
    struct ampel_batch batch;
    struct ampel_error error = {0};
    assert_true(ampel_batch_encode(bench->builder, &header, false, &bytes, &size));
    assert_true(ampel_batch_decode(bench->decoder, bytes, size, &batch, &error));
    assert_true(ampel_record_encode_batch(bench->recorder, &batch, text("nord"), bench->stamp_ms,
                                          &bytes, &size));
    ampel_batch_builder_reset(bench->builder);
    return append(bench, bytes, size);
}

static inline void push_batch(struct bench *bench) {
    push(bench->records, batch_record(bench));
}

static inline void push_tick(struct bench *bench) {
    uint32_t partitions[64];
    for (uint32_t i = 0; i < bench->options.partitions; i++)
        partitions[i] = i;
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_record_encode_tick(bench->recorder, bench->stamp_ms, partitions,
                                         bench->options.partitions, &bytes, &size));
    push(bench->records, append(bench, bytes, size));
}

static inline void pass(struct bench *bench, int64_t span_ms) {
    bench->ns += span_ms * MS;
    bench->stamp_ms += span_ms;
}

/* ---- what comes out ------------------------------------------------------------------------- */

/* The next checkpoint; the changes before it are freed and counted. */
static inline struct ampel_checkpoint *take_checkpoint(struct bench *bench, uint32_t *told_count) {
    struct ampel_parcel *parcel;
    uint32_t count = 0;
    while ((parcel = ampel_queue_pop(bench->publisher)) != NULL) {
        if (parcel->kind == AMPEL_PARCEL_OUT)
            count += ((struct ampel_parcel_out *)parcel)->told_count;
        if (parcel->kind == AMPEL_PARCEL_CHECKPOINT) break;
        assert_int_equal(parcel->kind, AMPEL_PARCEL_OUT);
        ampel_parcel_free(parcel);
    }
    if (told_count != NULL) *told_count = count;
    return (struct ampel_checkpoint *)parcel;
}

static inline void start_fresh(struct bench *bench) {
    shard_open(bench);
    for (uint32_t i = 0; i < bench->options.partitions; i++)
        push_fresh(bench, i);
    push_plain(bench->records, AMPEL_PARCEL_REPLAYED);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
    parcels_drain(bench->gateway);
}

/* ---- steps that most tests take -------------------------------------------------------------- */

/* One partition, nothing stored yet. */
static inline void bench_start(struct bench *bench) {
    bench_open(bench, 1, 64);
    start_fresh(bench);
}

static inline void batch_settle(struct bench *bench) {
    push_batch(bench);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static inline void pass_settle(struct bench *bench, int64_t span_ms) {
    pass(bench, span_ms);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static inline struct ampel_checkpoint *checkpoint_wanted(struct bench *bench) {
    struct ampel_checkpoint *checkpoint = take_checkpoint(bench, NULL);
    assert_non_null(checkpoint);
    return checkpoint;
}

/* One order each of sellers S0 .. S(count - 1), all in one batch or each in its own. */
static inline void orders_push(struct bench *bench, uint32_t count, bool one_batch) {
    for (uint32_t i = 0; i < count; i++) {
        char seller[16];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(bench, seller, 1);
        if (!one_batch || i + 1 == count) push_batch(bench);
    }
}

/* Fresh once more, with so little room for what is told. */
static inline void start_again(struct bench *bench, uint64_t unstored_bytes_max) {
    ampel_shard_close(bench->shard);
    bench->options.unstored_bytes_max = unstored_bytes_max;
    start_fresh(bench);
}

/* That many orders of an account, stored a second later. */
static inline struct ampel_checkpoint *orders_checkpoint(struct bench *bench, const char *seller, uint32_t count) {
    order(bench, seller, count);
    batch_settle(bench);
    pass_settle(bench, 1000);
    return checkpoint_wanted(bench);
}

#endif

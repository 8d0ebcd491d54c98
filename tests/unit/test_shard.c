/* One shard between its queues, turned by hand; the test is keeper, publisher, gateway and scribe.
 */
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

static int64_t bench_ms(void *context) {
    return START_MS + ((struct bench *)context)->ns / MS;
}
static int64_t bench_ns(void *context) {
    return ((struct bench *)context)->ns;
}

static void *memory_take(void *context, size_t size, size_t alignment) {
    (void)context;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
static void memory_give(void *context, void *block, size_t size) {
    (void)context;
    (void)size;
    free(block);
}

static void shard_open(struct bench *bench) {
    assert_true(ampel_shard_open(&bench->options, &bench->shard));
    bench->stage = ampel_shard_stage(bench->shard);
}

/* publisher_capacity: of its queue. */
static void bench_open(struct bench *bench, uint32_t partitions, uint32_t publisher_capacity) {
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

static void bench_close(struct bench *bench) {
    ampel_shard_close(bench->shard);
    struct ampel_queue *queues[] = {bench->in, bench->records, bench->publisher, bench->gateway};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(queues); i++) {
        parcels_end(queues[i]);
    }
    ampel_batch_builder_close(bench->builder);
    ampel_batch_decoder_close(bench->decoder);
    ampel_record_builder_close(bench->recorder);
}

static enum ampel_turn settle(struct bench *bench) {
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        enum ampel_turn turn = bench->stage.turn(bench->stage.context, &bench->wake_ns);
        if (turn == AMPEL_TURN_IDLE && bench->wake_ns <= bench->ns) continue;
        if (turn != AMPEL_TURN_AGAIN) return turn;
    }
    fail_msg("the shard does not settle");
    return AMPEL_TURN_FATAL;
}

static void push(struct ampel_queue *queue, void *parcel) {
    assert_non_null(parcel);
    assert_true(ampel_queue_push(queue, parcel));
}

static void push_plain(struct ampel_queue *queue, enum ampel_parcel_kind kind) {
    struct ampel_parcel *parcel = calloc(1, sizeof(*parcel));
    assert_non_null(parcel);
    parcel->kind = kind;
    push(queue, parcel);
}

/* ---- what the scribe says ------------------------------------------------------------------- */

static void push_fresh(struct bench *bench, uint32_t partition) {
    struct ampel_parcel_loaded *loaded = calloc(1, sizeof(*loaded));
    assert_non_null(loaded);
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->partition = partition;
    loaded->epoch = 1;
    push(bench->in, loaded);
}

static uint8_t *copy(const uint8_t *bytes, uint32_t size) {
    uint8_t *made = malloc(size);
    assert_non_null(made);
    memcpy(made, bytes, size);
    return made;
}

/* The partition as the checkpoint stored it, which must hold all of its pages. */
static struct ampel_parcel_loaded *loaded_from(const struct ampel_checkpoint *checkpoint) {
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

static void push_committed_after(struct bench *bench, const struct ampel_checkpoint *checkpoint,
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

static void push_committed(struct bench *bench, const struct ampel_checkpoint *checkpoint,
                           bool fenced) {
    push_committed_after(bench, checkpoint, 0, fenced);
}

/* ---- the log -------------------------------------------------------------------------------- */

static struct ampel_text text(const char *bytes) {
    return (struct ampel_text){bytes, (uint32_t)strlen(bytes)};
}

static void order(struct bench *bench, const char *seller, uint32_t count) {
    struct ampel_event event = {.at_ms = bench->stamp_ms,
                                .count = count,
                                .type = AMPEL_EVENT_ORDER,
                                .points = -1,
                                .severity = -1,
                                .code = AMPEL_CODE_NONE};
    assert_true(ampel_batch_builder_push(bench->builder, text(seller), text("DE"), &event));
}

static void violation(struct bench *bench, const char *seller, const char *id, int8_t severity) {
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
static struct ampel_parcel_record *append(struct bench *bench, const uint8_t *bytes,
                                          uint32_t size) {
    struct ampel_parcel_record *record = ampel_parcel_record_make(size);
    assert_non_null(record);
    memcpy(record->bytes, bytes, size);
    ampel_record_seal(record->bytes, bench->position, bench->stamp_ms);
    bench->position += size;
    return record;
}

/* What the builder holds, as one record of producer "p". */
static struct ampel_parcel_record *batch_record(struct bench *bench) {
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

static void push_batch(struct bench *bench) {
    push(bench->records, batch_record(bench));
}

static void push_tick(struct bench *bench) {
    uint32_t partitions[64];
    for (uint32_t i = 0; i < bench->options.partitions; i++)
        partitions[i] = i;
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_record_encode_tick(bench->recorder, bench->stamp_ms, partitions,
                                         bench->options.partitions, &bytes, &size));
    push(bench->records, append(bench, bytes, size));
}

static void pass(struct bench *bench, int64_t span_ms) {
    bench->ns += span_ms * MS;
    bench->stamp_ms += span_ms;
}

/* ---- what comes out ------------------------------------------------------------------------- */

/* The next checkpoint; the changes before it are freed and counted. */
static struct ampel_checkpoint *take_checkpoint(struct bench *bench, uint32_t *told_count) {
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

static void start_fresh(struct bench *bench) {
    shard_open(bench);
    for (uint32_t i = 0; i < bench->options.partitions; i++)
        push_fresh(bench, i);
    push_plain(bench->records, AMPEL_PARCEL_REPLAYED);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
    parcels_drain(bench->gateway);
}

/* ---- steps that most tests take -------------------------------------------------------------- */

/* One partition, nothing stored yet. */
static void bench_start(struct bench *bench) {
    bench_open(bench, 1, 64);
    start_fresh(bench);
}

static void batch_settle(struct bench *bench) {
    push_batch(bench);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static void pass_settle(struct bench *bench, int64_t span_ms) {
    pass(bench, span_ms);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static struct ampel_checkpoint *checkpoint_wanted(struct bench *bench) {
    struct ampel_checkpoint *checkpoint = take_checkpoint(bench, NULL);
    assert_non_null(checkpoint);
    return checkpoint;
}

/* That many orders of an account, stored a second later. */
static struct ampel_checkpoint *orders_checkpoint(struct bench *bench, const char *seller, uint32_t count) {
    order(bench, seller, count);
    batch_settle(bench);
    pass_settle(bench, 1000);
    return checkpoint_wanted(bench);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void changes_are_told_at_once_with_names_and_ids(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_CRITICAL);
    batch_settle(&bench);
    struct ampel_parcel_out *out = ampel_queue_pop(bench.publisher);
    assert_non_null(out);
    assert_int_equal(out->parcel.kind, AMPEL_PARCEL_OUT);
    assert_int_equal(out->partition, 0);
    bool critical = false;
    for (uint32_t i = 0; i < out->told_count; i++) {
        const struct ampel_told *told = &out->told[i];
        assert_memory_equal(told->tenant.bytes, "nord", 4);
        assert_memory_equal(told->seller.bytes, "A", 1);
        assert_int_equal(strlen(told->id), AMPEL_CHANGE_ID_SIZE - 1);
        assert_int_equal(told->change.position, FIRST);
        assert_int_equal(told->stream == AMPEL_STREAM_SCORES,
                         told->change.kind == AMPEL_CHANGE_SCORE);
        if (told->change.kind == AMPEL_CHANGE_CRITICAL) critical = true;
    }
    assert_true(critical);
    ampel_parcel_out_free(out);
    assert_null(ampel_queue_pop(bench.publisher));
    bench_close(&bench);
}

static void a_changed_partition_is_stored_after_its_time_and_not_before(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 250);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_LOW);
    batch_settle(&bench);
    assert_null(take_checkpoint(&bench, NULL));
    assert_int_equal(bench.wake_ns, bench.ns + 1000 * MS);
    pass_settle(&bench, 999);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->position_old, 0);
    assert_int_equal(checkpoint->position_new, bench.position);
    assert_int_equal(checkpoint->epoch, 1);
    assert_int_equal(checkpoint->pages_count, 1);
    assert_true(checkpoint->meta_size > 0);
    assert_false(checkpoint->last);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 202);
    assert_int_equal(checkpoint->ratings[0].numbers.orders, 250);
    assert_int_equal(checkpoint->violations_count, 1);
    assert_memory_equal(checkpoint->violations[0].violation.id.bytes, "V1", 2);
    assert_string_equal(checkpoint->rules_version, bench.rules.version);
    assert_int_equal(checkpoint->caps_count, bench.rules.cap_groups_count);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

/* The reading "a critical one caps at 99" shows in the range; when the announced instant is there, the
   row is written again and announces nothing. */
static void a_rating_row_tells_its_range_and_when_time_alone_turns_it(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_CRITICAL);
    push_batch(&bench);
    int64_t expires_ms = bench.stamp_ms + AMPEL_WINDOW_MS;
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    const struct ampel_rating_row *row = &checkpoint->ratings[0];
    assert_int_equal(row->numbers.score, 0);
    assert_int_equal(row->score_min, 0);
    assert_int_equal(row->score_max, 99);
    assert_int_equal(row->turns.next_change_at_ms, expires_ms);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_GREEN], expires_ms);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_RED], INT64_MAX);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    pass(&bench, AMPEL_WINDOW_MS);
    push_tick(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    row = &checkpoint->ratings[0];
    assert_int_equal(row->score_min, 200);
    assert_int_equal(row->score_max, 200);
    assert_int_equal(row->turns.next_change_at_ms, INT64_MAX);
    assert_int_equal(row->turns.turns_at_ms[AMPEL_GREEN], INT64_MAX);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void one_checkpoint_of_a_partition_is_under_way_at_most(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 250);
    push_batch(&bench);
    pass_settle(&bench, 2000);
    struct ampel_checkpoint *first = take_checkpoint(&bench, NULL);
    if (first == NULL) {
        pass_settle(&bench, 2000);
        first = take_checkpoint(&bench, NULL);
    }
    assert_non_null(first);
    order(&bench, "B", 250);
    push_batch(&bench);
    pass_settle(&bench, 60000);
    assert_null(take_checkpoint(&bench, NULL));
    push_committed(&bench, first, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_checkpoint *second = checkpoint_wanted(&bench);
    assert_int_equal(second->position_old, first->position_new);
    assert_int_equal(second->position_new, bench.position);
    assert_int_equal(second->ratings_count, 1);
    assert_memory_equal(second->ratings[0].seller.bytes, "B", 1);
    ampel_checkpoint_free(first);
    ampel_checkpoint_free(second);
    bench_close(&bench);
}

static void a_partition_that_only_aged_moves_its_position(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = NULL;
    uint32_t seconds = 0;
    while (checkpoint == NULL && seconds < 20) {
        push_tick(&bench);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        checkpoint = take_checkpoint(&bench, NULL);
        pass(&bench, 1000);
        seconds++;
    }
    assert_non_null(checkpoint);
    assert_in_range(seconds, 5, 7);
    assert_int_equal(checkpoint->pages_count, 0);
    assert_int_equal(checkpoint->ratings_count, 0);
    assert_in_range(checkpoint->position_new, FIRST + 1, bench.position);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_restart_applies_only_what_lies_past_the_stored_position(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 500);
    struct ampel_parcel_record *stored = batch_record(&bench);
    ampel_parcel_record_hold(stored, 1);
    push(bench.records, stored);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    ampel_shard_close(bench.shard);

    shard_open(&bench);
    push(bench.in, loaded_from(checkpoint));
    ampel_checkpoint_free(checkpoint);
    push(bench.records, stored);
    order(&bench, "A", 20);
    push_batch(&bench);
    push_plain(bench.records, AMPEL_PARCEL_REPLAYED);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_windows *windows = ampel_queue_pop(bench.gateway);
    assert_non_null(windows);
    assert_int_equal(windows->parcel.kind, AMPEL_PARCEL_WINDOWS);
    assert_int_equal(windows->windows_count, 1);
    assert_string_equal(windows->windows[0].tenant, "nord");
    assert_string_equal(windows->windows[0].producer, "p");
    assert_int_equal(windows->windows[0].base, 0);
    assert_int_equal(windows->windows[0].bits[0], 3);
    ampel_parcel_free(&windows->parcel);
    push_plain(bench.records, AMPEL_PARCEL_STOP);
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    checkpoint = checkpoint_wanted(&bench);
    assert_true(checkpoint->last);
    assert_int_equal(checkpoint->epoch, 2);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.orders, 520);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_stored_page_that_cannot_be_read_is_fatal(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "A", 500);
    for (uint32_t place = 0; place < 3; place++) {
        ampel_shard_close(bench.shard);
        shard_open(&bench);
        struct ampel_parcel_loaded *loaded = loaded_from(checkpoint);
        if (place == 0) loaded->pages[0].bytes[loaded->pages[0].size - 1] ^= 1;
        if (place == 1) loaded->meta[loaded->meta_size - 1] ^= 1;
        push(bench.in, loaded);
        assert_int_equal(settle(&bench), place < 2 ? AMPEL_TURN_FATAL : AMPEL_TURN_IDLE);
    }
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void a_full_publisher_holds_records_back_and_loses_nothing(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1, 2);
    start_fresh(&bench);
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(&bench, seller, 1);
        push_batch(&bench);
    }
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_in_range(ampel_queue_count(bench.records), 15, 20);
    int fds[4];
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 4), 1);
    uint32_t told = 0;
    struct ampel_parcel_out *out;
    while ((out = ampel_queue_pop(bench.publisher)) != NULL) {
        told += out->told_count;
        ampel_parcel_out_free(out);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    }
    assert_int_equal(told, 20); /* each account comes into being: one SCORE */
    assert_int_equal(bench.stage.fds(bench.stage.context, fds, 4), 2);
    bench_close(&bench);
}

static void records_wait_while_too_much_is_told_and_not_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1, 64);
    bench.options.unstored_bytes_max = 2000;
    start_fresh(&bench);
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(&bench, seller, 1);
        push_batch(&bench);
    }
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    uint32_t waiting = ampel_queue_count(bench.records);
    assert_in_range(waiting, 10, 19);
    /* What was told is stored at once, as it is in the way. */
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_queue_count(bench.records), waiting);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_true(ampel_queue_count(bench.records) < waiting);
    for (uint32_t i = 0; i < 40 && ampel_queue_count(bench.records) > 0; i++) {
        checkpoint = checkpoint_wanted(&bench);
        push_committed(&bench, checkpoint, false);
        ampel_checkpoint_free(checkpoint);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    }
    assert_int_equal(ampel_queue_count(bench.records), 0);
    bench_close(&bench);
}

static uint32_t told_take(struct bench *bench) {
    struct ampel_parcel *parcel;
    uint32_t told = 0;
    while ((parcel = ampel_queue_pop(bench->publisher)) != NULL) {
        if (parcel->kind == AMPEL_PARCEL_OUT) told += ((struct ampel_parcel_out *)parcel)->told_count;
        ampel_parcel_free(parcel);
    }
    return told;
}

/* The least room that there may be, and always more to tell: something is told every ten seconds, its bytes keep their bound, and
   the shard is not turned for nothing. */
static void for_ten_minutes_without_a_database_records_go_on_ever_more_slowly_and_do_not_stop(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    ampel_shard_close(bench.shard);
    bench.options.unstored_bytes_max = 1 << 20;
    start_fresh(&bench);
    uint32_t sellers = 0, told_first = 0, told_last = 0;
    for (uint32_t tens = 0; tens < 60; tens++) {
        uint32_t told = 0, turns = 0;
        for (const int64_t until_ns = bench.ns + 10000 * MS; bench.ns < until_ns; turns++) {
            while (ampel_queue_count(bench.records) < 8) {
                char seller[16];
                (void)snprintf(seller, sizeof(seller), "S%u", sellers++);
                order(&bench, seller, 1);
                push_batch(&bench);
            }
            enum ampel_turn turn = bench.stage.turn(bench.stage.context, &bench.wake_ns);
            assert_int_not_equal(turn, AMPEL_TURN_FATAL);
            int64_t next_ns = turn == AMPEL_TURN_AGAIN || bench.wake_ns <= bench.ns ? bench.ns + 20 * MS : bench.wake_ns;
            if (next_ns > until_ns) next_ns = until_ns;
            pass(&bench, (next_ns - bench.ns + MS - 1) / MS);
            told += told_take(&bench);
            assert_true(ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES) < (1 << 20) + 4096);
        }
        assert_true(told > 0 && turns < 2000);
        if (tens == 0) told_first = told;
        told_last = told;
    }
    assert_true(told_last < told_first / 10);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 1);
    assert_in_range(ampel_queue_depth(bench.records), 2, 8);
    bench_close(&bench);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 0);
}

static void a_pause_ends_as_soon_as_what_was_told_is_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    ampel_shard_close(bench.shard);
    bench.options.unstored_bytes_max = 6000;
    start_fresh(&bench);
    for (uint32_t i = 0; i < 30; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(&bench, seller, 1);
        push_batch(&bench);
    }
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    uint32_t waiting = ampel_queue_count(bench.records);
    assert_in_range(waiting, 10, 29);
    assert_true(bench.wake_ns > bench.ns && bench.wake_ns <= bench.ns + 60000 * MS);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_true(ampel_queue_count(bench.records) < waiting);
    bench_close(&bench);
}

/* Two partitions that change all the time, a quarter of the time for storing. */
static void shared_start(struct bench *bench) {
    bench_open(bench, 2, 64);
    bench->options.checkpoint_share = 25;
    start_fresh(bench);
}

/* Both partitions change; one is being stored, and the scribe says that it took so long. */
static void both_change(struct bench *bench, int64_t spent_ms) {
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(bench, seller, 1);
    }
    batch_settle(bench);
    pass_settle(bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(bench);
    pass_settle(bench, 500);
    assert_null(take_checkpoint(bench, NULL)); /* one at a time */
    push_committed_after(bench, checkpoint, spent_ms, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(bench), AMPEL_TURN_IDLE);
}

static void behind_a_checkpoint_storing_rests_for_three_times_as_long(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    both_change(&bench, 200);
    assert_int_equal(bench.wake_ns, bench.ns + 600 * MS);
    pass_settle(&bench, 599);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_has_been_due_for_29_intervals_rests_no_more(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    both_change(&bench, 100000);
    pass_settle(&bench, 28499);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_has_been_due_for_58_intervals_waits_for_no_other_checkpoint(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "S%u", i);
        order(&bench, seller, 1);
    }
    batch_settle(&bench);
    pass_settle(&bench, 1000);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    pass_settle(&bench, 57999);
    assert_null(take_checkpoint(&bench, NULL));
    pass_settle(&bench, 1);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void nothing_rests_while_too_much_is_told_and_not_stored(void **state) {
    (void)state;
    struct bench bench;
    shared_start(&bench);
    ampel_shard_close(bench.shard);
    bench.options.unstored_bytes_max = 4000;
    start_fresh(&bench);
    both_change(&bench, 100000);
    for (uint32_t i = 0; i < 20; i++) {
        char seller[8];
        (void)snprintf(seller, sizeof(seller), "T%u", i);
        violation(&bench, seller, "V1", AMPEL_SEVERITY_CRITICAL);
    }
    batch_settle(&bench);
    ampel_checkpoint_free(checkpoint_wanted(&bench));
    bench_close(&bench);
}

static void what_checkpoints_under_way_copied_slows_nobody(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    ampel_shard_close(bench.shard);
    bench.options.unstored_bytes_max = 2000;
    start_fresh(&bench);
    order(&bench, "A", 1);
    push_batch(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass(&bench, 5000);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_true(ampel_metric_get(AMPEL_METRIC_CHECKPOINT_BYTES) > 1000);
    assert_true(ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES) < 1000);
    order(&bench, "A", 100);
    push_batch(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_queue_count(bench.records), 0);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_SHARDS_SLOWED), 0);
    push_committed(&bench, checkpoint, false);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_CHECKPOINT_BYTES), 0);
    bench_close(&bench);
}

static void rows_for_order_counts_alone_wait_for_their_time(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    order(&bench, "A", 1);
    order(&bench, "B", 1);
    push_batch(&bench);
    uint32_t rows_a = 0, rows_b = 0;
    uint32_t orders_a = 0;
    for (uint32_t second = 0; second < 130; second++) {
        if (second == 10) {
            order(&bench, "A", 5);
            push_batch(&bench);
        }
        push_tick(&bench);
        assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
        struct ampel_checkpoint *checkpoint;
        while ((checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
            for (uint32_t i = 0; i < checkpoint->ratings_count; i++) {
                bool is_a = checkpoint->ratings[i].seller.bytes[0] == 'A';
                if (is_a) orders_a = checkpoint->ratings[i].numbers.orders;
                if (is_a && second >= 10 && rows_a == 1) assert_in_range(second, 60, 62);
                rows_a += is_a;
                rows_b += !is_a;
            }
            push_committed(&bench, checkpoint, false);
            ampel_checkpoint_free(checkpoint);
        }
        pass(&bench, 1000);
    }
    assert_int_equal(rows_a, 2);
    assert_int_equal(rows_b, 1);
    assert_int_equal(orders_a, 6);
    bench_close(&bench);
}

static void refused_events_become_rows_once(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 64);
    start_fresh(&bench);
    order(&bench, "A", 1);
    struct ampel_event future = {.at_ms = bench.stamp_ms + AMPEL_HOUR_MS,
                                 .count = 1,
                                 .type = AMPEL_EVENT_ORDER,
                                 .points = -1,
                                 .severity = -1,
                                 .code = AMPEL_CODE_NONE};
    assert_true(ampel_batch_builder_push(bench.builder, text("B"), text("DE"), &future));
    batch_settle(&bench);
    pass_settle(&bench, 1000);
    uint32_t rows = 0;
    struct ampel_checkpoint *checkpoint;
    while ((checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
        for (uint32_t i = 0; i < checkpoint->refusals_count; i++) {
            const struct ampel_refusal_row *row = &checkpoint->refusals[i];
            assert_int_equal(row->verdict, AMPEL_VERDICT_FUTURE);
            assert_int_equal(row->event_index, 1);
            assert_int_equal(row->at_ms, future.at_ms);
            assert_int_equal(row->sequence, 0);
            assert_memory_equal(row->producer.bytes, "p", 1);
            assert_memory_equal(row->tenant.bytes, "nord", 4);
            assert_memory_equal(row->seller.bytes, "B", 1);
            rows++;
        }
        ampel_checkpoint_free(checkpoint);
    }
    assert_int_equal(rows, 1);
    bench_close(&bench);
}

static void what_only_the_shard_can_refuse_becomes_a_row_too(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1, 64);
    bench.options.accounts_per_tenant_max = 2;
    start_fresh(&bench);
    order(&bench, "A", 1);
    order(&bench, "B", 1);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "C", 1);
    assert_int_equal(checkpoint->ratings_count, 2);
    assert_int_equal(checkpoint->refusals_count, 1);
    assert_int_equal(checkpoint->refusals_total, 1);
    assert_int_equal(checkpoint->refusals[0].verdict, AMPEL_VERDICT_TOO_MANY_ACCOUNTS);
    assert_memory_equal(checkpoint->refusals[0].tenant.bytes, "nord", 4);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

static void shards_apply_only_their_own_partitions(void **state) {
    (void)state;
    uint32_t accounts = 0;
    for (uint32_t index = 0; index < 3; index++) {
        struct bench bench;
        bench_open(&bench, 8, 64);
        bench.options.shards_count = 3;
        bench.options.shard_index = index;
        shard_open(&bench);
        for (uint32_t i = index; i < 8; i += 3)
            push_fresh(&bench, i);
        for (uint32_t i = 0; i < 40; i++) {
            char seller[8];
            (void)snprintf(seller, sizeof(seller), "S%u", i);
            order(&bench, seller, 1);
        }
        push_batch(&bench);
        push_plain(bench.records, AMPEL_PARCEL_STOP);
        assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
        struct ampel_checkpoint *checkpoint;
        while (ampel_queue_count(bench.publisher) > 1 &&
               (checkpoint = take_checkpoint(&bench, NULL)) != NULL) {
            assert_int_equal(checkpoint->partition % 3, index);
            accounts += checkpoint->ratings_count;
            ampel_checkpoint_free(checkpoint);
        }
        struct ampel_parcel *stop = ampel_queue_pop(bench.publisher);
        assert_non_null(stop);
        assert_int_equal(stop->kind, AMPEL_PARCEL_STOP);
        ampel_parcel_free(stop);
        bench_close(&bench);
    }
    assert_int_equal(accounts, 40);
}

static void stop_waits_for_the_checkpoint_under_way(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *first = orders_checkpoint(&bench, "A", 1);
    order(&bench, "A", 7);
    push_batch(&bench);
    push_plain(bench.records, AMPEL_PARCEL_STOP);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    assert_null(take_checkpoint(&bench, NULL));
    push_committed(&bench, first, false);
    assert_int_equal(settle(&bench), AMPEL_TURN_ENDED);
    struct ampel_checkpoint *last = checkpoint_wanted(&bench);
    assert_true(last->last);
    assert_int_equal(last->position_old, first->position_new);
    assert_int_equal(last->ratings_count, 1); /* the order count alone is reason enough now */
    assert_int_equal(last->ratings[0].numbers.orders, 8);
    ampel_checkpoint_free(first);
    ampel_checkpoint_free(last);
    bench_close(&bench);
}

static void a_fenced_partition_is_fatal(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct ampel_checkpoint *checkpoint = orders_checkpoint(&bench, "A", 1);
    push_committed(&bench, checkpoint, true);
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_FATAL);
    bench_close(&bench);
}

static void other_rules_after_a_restart_are_told_and_stored(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench);
    violation(&bench, "A", "V1", AMPEL_SEVERITY_HIGH);
    batch_settle(&bench);
    pass_settle(&bench, 1000);
    struct ampel_checkpoint *checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 192);
    ampel_shard_close(bench.shard);

    bench.rules.severity_points[3] = 150;
    shard_open(&bench);
    push(bench.in, loaded_from(checkpoint));
    ampel_checkpoint_free(checkpoint);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    struct ampel_parcel_out *out = ampel_queue_pop(bench.publisher);
    assert_non_null(out);
    assert_int_equal(out->parcel.kind, AMPEL_PARCEL_OUT);
    assert_int_equal(out->told[0].change.cause.kind, AMPEL_CAUSE_RULES);
    assert_int_equal(out->told[0].change.after.score, 50);
    assert_int_equal(out->told[0].change.position, bench.position);
    ampel_parcel_out_free(out);
    push_tick(&bench);
    assert_int_equal(settle(&bench), AMPEL_TURN_IDLE);
    pass_settle(&bench, 1000);
    checkpoint = checkpoint_wanted(&bench);
    assert_int_equal(checkpoint->ratings_count, 1);
    assert_int_equal(checkpoint->ratings[0].numbers.score, 50);
    ampel_checkpoint_free(checkpoint);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_at_once_with_names_and_ids),
        cmocka_unit_test(a_changed_partition_is_stored_after_its_time_and_not_before),
        cmocka_unit_test(a_rating_row_tells_its_range_and_when_time_alone_turns_it),
        cmocka_unit_test(one_checkpoint_of_a_partition_is_under_way_at_most),
        cmocka_unit_test(a_partition_that_only_aged_moves_its_position),
        cmocka_unit_test(a_restart_applies_only_what_lies_past_the_stored_position),
        cmocka_unit_test(a_stored_page_that_cannot_be_read_is_fatal),
        cmocka_unit_test(a_full_publisher_holds_records_back_and_loses_nothing),
        cmocka_unit_test(records_wait_while_too_much_is_told_and_not_stored),
        cmocka_unit_test(for_ten_minutes_without_a_database_records_go_on_ever_more_slowly_and_do_not_stop),
        cmocka_unit_test(a_pause_ends_as_soon_as_what_was_told_is_stored),
        cmocka_unit_test(behind_a_checkpoint_storing_rests_for_three_times_as_long),
        cmocka_unit_test(what_has_been_due_for_29_intervals_rests_no_more),
        cmocka_unit_test(what_has_been_due_for_58_intervals_waits_for_no_other_checkpoint),
        cmocka_unit_test(nothing_rests_while_too_much_is_told_and_not_stored),
        cmocka_unit_test(what_checkpoints_under_way_copied_slows_nobody),
        cmocka_unit_test(rows_for_order_counts_alone_wait_for_their_time),
        cmocka_unit_test(refused_events_become_rows_once),
        cmocka_unit_test(what_only_the_shard_can_refuse_becomes_a_row_too),
        cmocka_unit_test(shards_apply_only_their_own_partitions),
        cmocka_unit_test(stop_waits_for_the_checkpoint_under_way),
        cmocka_unit_test(a_fenced_partition_is_fatal),
        cmocka_unit_test(other_rules_after_a_restart_are_told_and_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The contract: golden bytes in tests/wire, and the tables of proto/WIRE.md.

   AMPEL_WIRE_WRITE=1 writes both anew: for a change of the contract that is meant. */
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
#include "proto/jsonl.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/print.h"
#include "proto/record.h"
#include "proto/text.h"

#define GOLDEN   AMPEL_SOURCE_DIR "/tests/wire/"
#define CONTRACT AMPEL_SOURCE_DIR "/proto/WIRE.md"
#define AT_MS    INT64_C(1790858096789)

static bool writing(void) {
    return getenv("AMPEL_WIRE_WRITE") != NULL;
}

static struct {
    struct ampel_batch_builder *builder;
    struct ampel_batch_decoder *batches;
    struct ampel_message_decoder *messages;
    struct ampel_record_builder *records;
    struct ampel_record_reader *reader;
    struct ampel_page_codec *pages;
} tools;

/* ---- samples -------------------------------------------------------------------------------- */

/* A feeder's day in JSON Lines; the last one is refused as too new. */
static const char *const sample_lines[] = {
    "{\"seller\":\"A1\",\"marketplace\":\"DE\",\"type\":\"order\",\"at\":1790858096789}",
    "{\"seller\":\"A1\",\"marketplace\":\"DE\",\"type\":\"order\",\"at\":1790858000000,\"count\":"
    "3}",
    "{\"seller\":\"A2\",\"marketplace\":\"FR\",\"type\":\"orders_day\",\"at\":1790800000000,"
    "\"total\":120,\"rev\":2}",
    "{\"seller\":\"A1\",\"marketplace\":\"DE\",\"type\":\"violation\",\"at\":1790858000000,\"id\":"
    "\"v1\","
    "\"policy\":\"restricted_product\",\"severity\":\"high\",\"asin\":\"B000000001\",\"at_risk_"
    "sales\":\"12.50\"}",
    "{\"seller\":\"A1\",\"marketplace\":\"DE\",\"type\":\"violation_state\",\"at\":1790858000001,"
    "\"id\":\"v1\","
    "\"state\":\"appealed\"}",
    "{\"seller\":\"A2\",\"marketplace\":\"FR\",\"type\":\"observed\",\"at\":1790858000000,"
    "\"score\":204,"
    "\"status\":\"normal\",\"counts\":{\"suspected_ip\":1,\"fair_pricing\":2}}",
    "{\"seller\":\"A2\",\"marketplace\":\"FR\",\"type\":\"maintenance\",\"at\":1790858000000,"
    "\"until\":1790859000000,\"kinds\":[\"price_cut\"]}",
    "{\"seller\":\"A2\",\"marketplace\":\"FR\",\"type\":\"order\",\"at\":1791858096789}",
};

static void build_sample(void) {
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(sample_lines); i++) {
        struct ampel_jsonl_event event;
        struct ampel_error error;
        if (ampel_jsonl_decode(ampel_text_of(sample_lines[i]), INT64_MIN, ampel_text_of("agency"),
                               &event, &error) != AMPEL_VERDICT_OK)
            fail_msg("%s: %s: %s", sample_lines[i], error.field, error.reason);
        assert_true(
            ampel_batch_builder_push(tools.builder, event.seller, event.marketplace, &event.event));
    }
}

static const struct ampel_batch_header sample_header = {
    .producer = {"erp-1", 5}, .sequence = 300, .sent_at_ms = AT_MS, .backfill = false};

struct bytes {
    uint8_t *bytes;
    uint32_t size;
};

static struct bytes copied(const uint8_t *bytes, uint32_t size) {
    struct bytes copy = {malloc(size > 0 ? size : 1), size};
    memcpy(copy.bytes, bytes, size);
    return copy;
}

static struct bytes make_batch(bool rows) {
    const uint8_t *bytes;
    uint32_t size;
    build_sample();
    assert_true(ampel_batch_encode(tools.builder, &sample_header, rows, &bytes, &size));
    return copied(bytes, size);
}
static struct bytes make_columns(void) {
    return make_batch(false);
}
static struct bytes make_rows(void) {
    return make_batch(true);
}

static struct bytes make_message(struct ampel_message *message) {
    static uint8_t bytes[AMPEL_MESSAGE_BYTES_MAX];
    uint32_t size = ampel_message_encode(message, bytes, sizeof bytes);
    assert_true(size > 0);
    return copied(bytes, size);
}

static struct ampel_message message;

static struct bytes make_hello(void) {
    message.kind = AMPEL_MESSAGE_HELLO;
    message.hello.producer = ampel_text_of("erp-1");
    return make_message(&message);
}
static struct bytes make_welcome(void) {
    message.kind = AMPEL_MESSAGE_WELCOME;
    message.welcome = (struct ampel_message_welcome){.tenant = ampel_text_of("agency"),
                                                     .producer = ampel_text_of("erp-1"),
                                                     .next = 300,
                                                     .credit = 1024,
                                                     .now_ms = AT_MS,
                                                     .done_count = 2,
                                                     .done = {302, 305}};
    return make_message(&message);
}
static struct bytes make_ack(void) {
    static const struct ampel_batch_refused refused[] = {{7, AMPEL_VERDICT_FUTURE, "at"},
                                                         {9, AMPEL_VERDICT_BAD_VALUE, ""}};
    message.kind = AMPEL_MESSAGE_ACK;
    message.ack = (struct ampel_message_ack){.producer = ampel_text_of("erp-1"),
                                             .sequence = 300,
                                             .next = 301,
                                             .accepted = 7,
                                             .refused_count = 2,
                                             .refused = refused};
    return make_message(&message);
}
static struct bytes make_back(void) {
    message.kind = AMPEL_MESSAGE_BACK;
    message.back = (struct ampel_message_back){.producer = ampel_text_of("erp-1"),
                                               .text = ampel_text_of("the queues are full"),
                                               .sequence = 300,
                                               .reason = AMPEL_BACK_BUSY,
                                               .retry_ms = 500};
    return make_message(&message);
}
static struct bytes make_watch(void) {
    message.kind = AMPEL_MESSAGE_WATCH;
    message.watch = (struct ampel_message_watch){AMPEL_STREAM_ALERTS, 41};
    return make_message(&message);
}
static struct bytes make_watching(void) {
    message.kind = AMPEL_MESSAGE_WATCHING;
    message.watching =
        (struct ampel_message_watching){ampel_text_of("agency"), AMPEL_STREAM_SCORES, 1, 77, 70};
    return make_message(&message);
}
static struct bytes make_beat(void) {
    message.kind = AMPEL_MESSAGE_BEAT;
    message.beat.now_ms = AT_MS;
    return make_message(&message);
}
static struct bytes make_change(void) {
    message.kind = AMPEL_MESSAGE_CHANGE;
    message.change = (struct ampel_message_change){
        .stream = AMPEL_STREAM_ALERTS,
        .epoch = 1,
        .number = 41,
        .tenant = ampel_text_of("agency"),
        .seller = ampel_text_of("A1"),
        .marketplace = ampel_text_of("DE"),
        .cap_group = ampel_text_of("restricted"),
        .rules_version = ampel_text_of("amazon-1"),
        .caps_count = 2,
        .caps_names = {ampel_text_of("infringement"), ampel_text_of("restricted")}};
    struct ampel_change *change = &message.change.change;
    change->at_ms = AT_MS;
    change->deadline_ms = AT_MS + 72 * AMPEL_HOUR_MS;
    change->kind = AMPEL_CHANGE_CAP_REACHED;
    change->cap_group = 1;
    change->before = (struct ampel_numbers){.score = 192,
                                            .orders = 120,
                                            .deducted = 8,
                                            .caps = {0, 1},
                                            .colour = AMPEL_YELLOW,
                                            .risk = AMPEL_RISK_AT_RISK};
    change->after = (struct ampel_numbers){.score = 176,
                                           .orders = 120,
                                           .deducted = 24,
                                           .caps = {0, 2},
                                           .colour = AMPEL_YELLOW,
                                           .risk = AMPEL_RISK_IMMEDIATE};
    change->cause = (struct ampel_cause){.at_ms = AT_MS - 5000,
                                         .sequence = 300,
                                         .kind = AMPEL_CAUSE_EVENT,
                                         .event_type = AMPEL_EVENT_VIOLATION,
                                         .policy = 7,
                                         .severity = 3,
                                         .code = AMPEL_CODE_NONE,
                                         .id_size = 2,
                                         .producer_size = 5,
                                         .id = "v2",
                                         .producer = "erp-1"};
    ampel_hash_change(message.change.tenant, message.change.seller, message.change.marketplace,
                      change, message.change.id);
    return make_message(&message);
}

/* The same account, told ahead of time. */
static struct bytes make_will_turn(void) {
    free(make_change().bytes);
    struct ampel_change *change = &message.change.change;
    message.change.cap_group.size = 0;
    change->cap_group = 255;
    change->kind = AMPEL_CHANGE_WILL_TURN;
    change->deadline_ms = AT_MS - AT_MS % AMPEL_DAY_MS + 14 * AMPEL_DAY_MS;
    change->amount = 196;
    change->before.score = change->after.score = 200;
    change->before.colour = change->after.colour = AMPEL_GREEN;
    change->cause = (struct ampel_cause){.at_ms = AT_MS - AT_MS % AMPEL_DAY_MS,
                                         .kind = AMPEL_CAUSE_MIDNIGHT,
                                         .event_type = 255,
                                         .policy = 255,
                                         .severity = -1,
                                         .code = AMPEL_CODE_NONE};
    ampel_hash_change(message.change.tenant, message.change.seller, message.change.marketplace,
                      change, message.change.id);
    return make_message(&message);
}
static struct bytes make_deadline_near(void) {
    free(make_change().bytes);
    struct ampel_change *change = &message.change.change;
    change->kind = AMPEL_CHANGE_DEADLINE_NEAR;
    change->deadline_ms = AT_MS + 24 * AMPEL_HOUR_MS;
    change->amount = 24;
    change->before = change->after;
    change->cause = (struct ampel_cause){.at_ms = AT_MS - 48 * AMPEL_HOUR_MS,
                                         .kind = AMPEL_CAUSE_CLOCK,
                                         .event_type = 255,
                                         .policy = 255,
                                         .severity = -1,
                                         .code = AMPEL_CLOCK_CAP};
    ampel_hash_change(message.change.tenant, message.change.seller, message.change.marketplace,
                      change, message.change.id);
    return make_message(&message);
}
static struct bytes make_change_takeover(void) {
    free(make_change().bytes);
    struct ampel_change *change = &message.change.change;
    change->kind = AMPEL_CHANGE_TAKEOVER_SUSPECTED;
    change->cap_group = AMPEL_CAP_GROUP_NONE;
    message.change.cap_group = ampel_text_of("");
    change->deadline_ms = 0;
    change->after = change->before;
    change->amount = 95;
    change->since_ms = AT_MS - AMPEL_HOUR_MS;
    change->signals_count = 2;
    message.change.signals[0] = (struct ampel_signal){
        .first_ms = AT_MS - AMPEL_DAY_MS, .last_ms = AT_MS - AMPEL_HOUR_MS, .weight = 55, .kind = 6, .group = 2};
    message.change.signals[1] = (struct ampel_signal){
        .first_ms = AT_MS, .last_ms = AT_MS, .weight = 40, .kind = 2, .group = 3, .derived = true};
    return make_message(&message);
}

static struct bytes make_change_incident(void) {
    free(make_change_takeover().bytes);
    struct ampel_change *change = &message.change.change;
    change->kind = AMPEL_CHANGE_INCIDENT_CHANGED;
    change->signals_count = 0;
    change->amount = 0;
    change->cause.kind = AMPEL_CAUSE_EVENT;
    change->cause.event_type = AMPEL_EVENT_INCIDENT;
    change->cause.policy = 255;
    change->cause.severity = -1;
    change->cause.code = 1;
    return make_message(&message);
}
static struct bytes make_change_incident_clock(void) {
    free(make_change_takeover().bytes);
    struct ampel_change *change = &message.change.change;
    change->kind = AMPEL_CHANGE_INCIDENT_CLOCK;
    change->signals_count = 0;
    change->since_ms = 0;
    change->amount = 72;
    change->deadline_ms = AT_MS + 72 * AMPEL_HOUR_MS;
    change->cause = (struct ampel_cause){.at_ms = AT_MS - 48 * AMPEL_HOUR_MS,
                                         .kind = AMPEL_CAUSE_CASE_CLOCK,
                                         .event_type = 255,
                                         .policy = 255,
                                         .severity = -1,
                                         .code = 9,
                                         .id_size = 6,
                                         .id = "case-1"};
    return make_message(&message);
}

static struct bytes record_of(const uint8_t *batch_bytes, uint32_t batch_size) {
    struct ampel_batch batch;
    struct ampel_error error;
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_batch_decode(tools.batches, batch_bytes, batch_size, &batch, &error));
    assert_int_equal(batch.refused_count, 1);
    assert_true(ampel_record_encode_batch(tools.records, &batch, ampel_text_of("agency"),
                                          AT_MS + 20, &bytes, &size));
    struct bytes copy = copied(bytes, size);
    ampel_record_seal(copy.bytes, 65536, AT_MS + 21);
    return copy;
}

static struct bytes make_record(void) {
    struct bytes batch = make_columns();
    struct bytes record = record_of(batch.bytes, batch.size);
    free(batch.bytes);
    return record;
}

static struct bytes make_tick(void) {
    static const uint32_t partitions[] = {0, 3, 2};
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_record_encode_tick(tools.records, AT_MS, partitions, 3, &bytes, &size));
    struct bytes copy = copied(bytes, size);
    ampel_record_seal(copy.bytes, 65536 + 4096, AT_MS);
    return copy;
}

/* The text of the rules is the keeper's business: any bytes will do. */
static struct bytes make_rules(void) {
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_record_encode_rules(tools.records, AT_MS, 7,
                                          ampel_text_of("version: amazon-2\n"), &bytes, &size));
    struct bytes copy = copied(bytes, size);
    ampel_record_seal(copy.bytes, 65536 + 8192, AT_MS);
    return copy;
}

static const char page_text[] =
    "a page holds accounts, a page holds accounts, a page holds accounts";
static struct bytes make_page(void) {
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_page_encode(tools.pages, (const uint8_t *)page_text, sizeof page_text, &bytes,
                                  &size));
    return copied(bytes, size);
}

/* ---- decoding and encoding again ------------------------------------------------------------ */

/* Each of these reads the bytes and, where again is not NULL, writes what it has read once more.
   False: refused, with a reason. */
typedef bool (*reading)(const uint8_t *bytes, uint32_t size, struct bytes *again,
                        struct ampel_error *error);

static bool holds_rows(const uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0; i + 5 <= size; i++)
        if (memcmp(bytes + i, "\xa4rows", 5) == 0) return true;
    return false;
}

static bool read_batch(const uint8_t *bytes, uint32_t size, struct bytes *again,
                       struct ampel_error *error) {
    struct ampel_batch batch;
    const uint8_t *encoded;
    uint32_t encoded_size;
    if (!ampel_batch_decode(tools.batches, bytes, size, &batch, error)) return false;
    /* Whatever the batch holds is read: the sanitizer watches. */
    for (uint32_t i = 0; i < batch.frame.events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        ampel_frame_event(&batch.frame, i, &account, &event);
    }
    if (again == NULL) return true;
    ampel_batch_builder_reset(tools.builder);
    for (uint32_t i = 0; i < batch.frame.events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        ampel_frame_event(&batch.frame, i, &account, &event);
        assert_true(ampel_batch_builder_push(tools.builder, batch.frame.accounts[account].seller,
                                             batch.frame.accounts[account].marketplace, &event));
    }
    bool rows = holds_rows(bytes, size);
    assert_true(ampel_batch_encode(tools.builder, &batch.header, rows, &encoded, &encoded_size));
    *again = copied(encoded, encoded_size);
    return true;
}

static bool read_message(const uint8_t *bytes, uint32_t size, struct bytes *again,
                         struct ampel_error *error) {
    if (!ampel_message_decode(tools.messages, bytes, size, &message, error)) return false;
    if (again != NULL) *again = make_message(&message);
    return true;
}

static bool read_frames(const uint8_t *bytes, uint32_t size, struct bytes *again,
                        struct ampel_error *error) {
    struct ampel_record_header header;
    struct ampel_frame frame;
    uint32_t cursor = 0, partitions[8], count = 0;
    enum ampel_record_status status = ampel_record_check(bytes, size, &header);
    if (status == AMPEL_RECORD_NEWER) return ampel_error_set(error, "version", "newer");
    if (status != AMPEL_RECORD_OK) return ampel_error_set(error, "", "short or damaged");
    while (ampel_record_frame_next(tools.reader, bytes, &cursor, &frame, error)) {
        assert_true(count < 8);
        partitions[count++] = frame.partition;
    }
    if (error->reason[0] != 0) return false;
    if (again == NULL) return true;
    assert_int_equal(count, header.frames_count);
    if (header.kind == AMPEL_RECORD_BATCH) {
        /* A record keeps no refused events whole: it is made again from its batch. */
        *again = make_record();
    } else {
        const uint8_t *encoded;
        uint32_t encoded_size;
        assert_true(ampel_record_encode_tick(tools.records, header.stamp_ms, partitions, count,
                                             &encoded, &encoded_size));
        *again = copied(encoded, encoded_size);
        ampel_record_seal(again->bytes, header.position, header.stamp_ms);
    }
    return true;
}

static bool read_rules(const uint8_t *bytes, uint32_t size, struct bytes *again,
                       struct ampel_error *error) {
    struct ampel_record_header header;
    struct ampel_text text;
    uint64_t number;
    enum ampel_record_status status = ampel_record_check(bytes, size, &header);
    if (status == AMPEL_RECORD_NEWER) return ampel_error_set(error, "version", "newer");
    if (status != AMPEL_RECORD_OK) return ampel_error_set(error, "", "short or damaged");
    if (!ampel_record_rules(bytes, &number, &text, error)) return false;
    if (again == NULL) return true;
    const uint8_t *encoded;
    uint32_t encoded_size;
    assert_true(ampel_record_encode_rules(tools.records, header.stamp_ms, number, text, &encoded,
                                          &encoded_size));
    *again = copied(encoded, encoded_size);
    ampel_record_seal(again->bytes, header.position, header.stamp_ms);
    return true;
}

static bool read_page(const uint8_t *bytes, uint32_t size, struct bytes *again,
                      struct ampel_error *error) {
    const uint8_t *raw;
    uint32_t raw_size;
    if (!ampel_page_decode(tools.pages, bytes, size, &raw, &raw_size, error)) return false;
    if (again == NULL) return true;
    assert_int_equal(raw_size, sizeof page_text);
    assert_memory_equal(raw, page_text, sizeof page_text);
    *again = make_page();
    return true;
}

static const struct {
    const char *name;
    struct bytes (*make)(void);
    reading read;
    uint32_t version_offset; /* of the byte that holds the version */
    const char *version_field;
    uint8_t version, newest; /* its own, and the newest of its kind */
} samples[] = {
    {"batch_narrow", make_columns, read_batch, 3, "v", 2, 2},
    {"batch_columns", NULL, read_batch, 3, "v", 1, 2}, /* written where narrow ones are no shorter */
    {"batch_rows", make_rows, read_batch, 3, "v", 1, 2},
    {"hello", make_hello, read_message, 3, "v", 1, 1},
    {"welcome", make_welcome, read_message, 3, "v", 1, 1},
    {"ack", make_ack, read_message, 3, "v", 1, 1},
    {"back", make_back, read_message, 3, "v", 1, 1},
    {"watch", make_watch, read_message, 3, "v", 1, 1},
    {"watching", make_watching, read_message, 3, "v", 1, 1},
    {"beat", make_beat, read_message, 3, "v", 1, 1},
    {"change", make_change, read_message, 5, "v", 1, 1},
    {"change_will_turn", make_will_turn, read_message, 5, "v", 1, 1},
    {"change_deadline_near", make_deadline_near, read_message, 5, "v", 1, 1},
    {"change_takeover", make_change_takeover, read_message, 5, "v", 1, 1},
    {"change_incident", make_change_incident, read_message, 5, "v", 1, 1},
    {"change_incident_clock", make_change_incident_clock, read_message, 5, "v", 1, 1},
    {"record_batch", make_record, read_frames, 4, "version", 1, 1},
    {"record_tick", make_tick, read_frames, 4, "version", 1, 1},
    {"record_rules", make_rules, read_rules, 4, "version", 2, 2},
    {"page", make_page, read_page, 4, "version", 1, 1},
};

/* ---- golden files --------------------------------------------------------------------------- */

static void golden_path(const char *name, char path[4096]) {
    snprintf(path, 4096, "%s%s.hex", GOLDEN, name);
}

static void write_golden(uint32_t sample, struct bytes bytes) {
    char path[4096];
    golden_path(samples[sample].name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint32_t i = 0; i < bytes.size; i++)
        fprintf(file, "%02x%s", bytes.bytes[i], i % 32 == 31 || i + 1 == bytes.size ? "\n" : "");
    fclose(file);
}

static struct bytes read_golden_of(const char *name) {
    char path[4096];
    golden_path(name, path);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s is missing", path);
    struct bytes bytes = {malloc(65536), 0};
    unsigned byte;
    while (bytes.size < 65536 && fscanf(file, "%2x", &byte) == 1)
        bytes.bytes[bytes.size++] = (uint8_t)byte;
    fclose(file);
    struct bytes exact = copied(bytes.bytes, bytes.size);
    free(bytes.bytes);
    return exact;
}

static struct bytes read_golden(uint32_t sample) {
    return read_golden_of(samples[sample].name);
}

static void assert_bytes(struct bytes left, struct bytes right, const char *name) {
    if (left.size != right.size || memcmp(left.bytes, right.bytes, left.size) != 0)
        fail_msg("the bytes of %s are not the golden ones", name);
}

static void every_sample_has_its_golden_bytes(void **state) {
    (void)state;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(samples); i++) {
        if (samples[i].make == NULL) continue;
        struct bytes made = samples[i].make();
        if (writing()) write_golden(i, made);
        struct bytes golden = read_golden(i);
        assert_bytes(made, golden, samples[i].name);
        free(made.bytes);
        free(golden.bytes);
    }
}

static void golden_bytes_are_read_and_written_again_without_a_change(void **state) {
    (void)state;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(samples); i++) {
        if (samples[i].make == NULL) continue;
        struct bytes golden = read_golden(i), again = {0};
        struct ampel_error error = {0};
        if (!samples[i].read(golden.bytes, golden.size, &again, &error))
            fail_msg("%s: %s: %s", samples[i].name, error.field, error.reason);
        assert_bytes(again, golden, samples[i].name);
        free(golden.bytes);
        free(again.bytes);
    }
}

/* Who writes batches by hand need not count bytes: that whole columns are read is for good. */
static void whole_columns_say_what_narrow_ones_say(void **state) {
    (void)state;
    struct bytes whole = read_golden_of("batch_columns"), narrow = read_golden_of("batch_narrow"), again = {0};
    struct ampel_error error = {0};
    assert_true(whole.size > narrow.size);
    if (!read_batch(whole.bytes, whole.size, &again, &error)) fail_msg("%s: %s", error.field, error.reason);
    assert_bytes(again, narrow, "batch_columns");
    narrow.bytes[3] = 1;
    assert_false(read_batch(narrow.bytes, narrow.size, NULL, &error));
    assert_string_equal(error.field, "columns.events");
    free(whole.bytes);
    free(narrow.bytes);
    free(again.bytes);
}

/* Records and pages are sealed again, so that it is the version that is found wrong and not the
 * checksum. */
static void seal_again(uint32_t sample, struct bytes bytes) {
    if (samples[sample].read == read_frames || samples[sample].read == read_rules)
        ampel_record_seal(bytes.bytes, 1, AT_MS);
    if (samples[sample].read == read_page)
        ampel_store_u64(bytes.bytes + 16, ampel_hash_around(bytes.bytes, bytes.size, 16));
}

static void a_newer_version_of_each_is_refused_by_name(void **state) {
    (void)state;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(samples); i++) {
        struct bytes golden = read_golden(i);
        struct ampel_error error = {0};
        uint8_t *version = &golden.bytes[samples[i].version_offset];
        assert_int_equal(*version, samples[i].version);
        *version = (uint8_t)(samples[i].newest + 1);
        seal_again(i, golden);
        assert_false(samples[i].read(golden.bytes, golden.size, NULL, &error));
        if (strcmp(error.field, samples[i].version_field) != 0)
            fail_msg("%s: '%s' is blamed: %s", samples[i].name, error.field, error.reason);
        free(golden.bytes);
    }
}

static void each_cut_is_refused_and_each_changed_byte_does_no_harm(void **state) {
    (void)state;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(samples); i++) {
        struct bytes golden = read_golden(i);
        for (uint32_t at = 0; at < golden.size; at++) {
            struct ampel_error error = {0};
            struct bytes cut = copied(golden.bytes, at), bent = copied(golden.bytes, golden.size);
            /* A cut batch may look like one that is only told from a message: its own reader
             * refuses it. */
            assert_false(
                (samples[i].read == read_message && samples[i].read(cut.bytes, at, NULL, &error) &&
                 message.kind != AMPEL_MESSAGE_BATCH) ||
                (samples[i].read != read_message && samples[i].read(cut.bytes, at, NULL, &error)));
            for (uint32_t value = 0; value < 256; value++) {
                error = (struct ampel_error){0};
                bent.bytes[at] = (uint8_t)value;
                (void)!samples[i].read(bent.bytes, bent.size, NULL, &error);
            }
            free(cut.bytes);
            free(bent.bytes);
        }
        free(golden.bytes);
    }
}

/* ---- WIRE.md -------------------------------------------------------------------------------- */

static const char *const form_words[] = {
    [AMPEL_FORM_INTEGER] = "integer",
    [AMPEL_FORM_ID] = "id",
    [AMPEL_FORM_TEXT] = "text, at most 200 bytes of UTF-8",
    [AMPEL_FORM_NAME] = "name",
    [AMPEL_FORM_NAMES] = "list of names, or `all`",
    [AMPEL_FORM_TEXTS] = "list of ids",
    [AMPEL_FORM_BOOLEAN] = "boolean",
    [AMPEL_FORM_TIME] = "time",
    [AMPEL_FORM_CENTS] = "amount: number or text, at most two decimals",
    [AMPEL_FORM_COUNTS] = "map of policy to integer",
};
static const char *const home_words[] = {
    [AMPEL_HOME_COUNT] = "`count`",       [AMPEL_HOME_REV] = "`rev`",
    [AMPEL_HOME_POINTS] = "`points`",     [AMPEL_HOME_POLICY] = "`policy`",
    [AMPEL_HOME_SEVERITY] = "`severity`", [AMPEL_HOME_CODE] = "`code`",
};
static const char *const registry_words[AMPEL_REGISTRIES_COUNT] = {
    [AMPEL_REGISTRY_POLICY] = "policy",
    [AMPEL_REGISTRY_SEVERITY] = "severity",
    [AMPEL_REGISTRY_VIOLATION_STATE] = "violation state",
    [AMPEL_REGISTRY_ACCOUNT_STATUS] = "account status",
    [AMPEL_REGISTRY_KIND] = "kind",
    [AMPEL_REGISTRY_INCIDENT_PHASE] = "incident phase",
    [AMPEL_REGISTRY_LISTING_CHANGE] = "listing change",
    [AMPEL_REGISTRY_METRIC_CONDITION] = "metric condition",
    [AMPEL_REGISTRY_METRIC_STATE] = "metric state",
    [AMPEL_REGISTRY_CASE_CLOCK] = "case clock",
};

static void print_field(struct ampel_print *print, const struct ampel_field *field) {
    char line[512], home[32], range[64] = "", fallback[32] = "";
    bool name = field->form == AMPEL_FORM_NAME || field->form == AMPEL_FORM_NAMES;
    snprintf(home, sizeof home, "extra %u", field->tag);
    if (field->form == AMPEL_FORM_INTEGER)
        snprintf(range, sizeof range, " %lld..%lld", (long long)field->least,
                 (long long)field->greatest);
    if (name) snprintf(range, sizeof range, ": %s", registry_words[field->registry]);
    if (field->has_default && field->form == AMPEL_FORM_NAMES)
        snprintf(fallback, sizeof fallback, "all");
    else if (field->has_default)
        snprintf(fallback, sizeof fallback, "%lld", (long long)field->fallback);
    snprintf(line, sizeof line, "| `%s` | `%s` | %s%s | %s | %s |\n",
             ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, field->type), field->name,
             form_words[field->form], range,
             field->required      ? "required"
             : field->has_default ? fallback
                                  : "none",
             field->home == AMPEL_HOME_EXTRA ? home : home_words[field->home]);
    ampel_print_word(print, line);
}

static void print_fields(struct ampel_print *print) {
    ampel_print_word(print, "| type | field | value | absent | home |\n|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < ampel_fields_count; i++)
        print_field(print, &ampel_fields[i]);
}

static void print_names(struct ampel_print *print, enum ampel_registry registry) {
    for (uint32_t code = 0; code < ampel_registry_count(registry); code++) {
        if (code > 0) ampel_print_word(print, ", ");
        ampel_print_word(print, "`");
        ampel_print_word(print, ampel_registry_name(registry, code));
        ampel_print_word(print, "` ");
        ampel_print_unsigned(print, code);
    }
}

static void print_types(struct ampel_print *print) {
    print_names(print, AMPEL_REGISTRY_EVENT_TYPE);
    ampel_print_word(print, "\n");
}

static void print_registries(struct ampel_print *print) {
    for (uint32_t registry = 0; registry < AMPEL_REGISTRIES_COUNT; registry++) {
        if (registry_words[registry] == NULL) continue;
        ampel_print_word(print, "- ");
        ampel_print_word(print, registry_words[registry]);
        ampel_print_word(print, ": ");
        print_names(print, (enum ampel_registry)registry);
        ampel_print_word(print, "\n");
    }
}

static void print_verdicts(struct ampel_print *print) {
    ampel_print_word(print, "| code | verdict | meaning |\n|---|---|---|\n");
    for (uint8_t verdict = 0; verdict < AMPEL_VERDICTS_COUNT; verdict++) {
        char line[256];
        snprintf(line, sizeof line, "| %u | `%s` | %s |\n", verdict, ampel_verdict_name(verdict),
                 ampel_verdict_sentence(verdict));
        ampel_print_word(print, line);
    }
}

static void print_changes(struct ampel_print *print) {
    for (uint8_t kind = 0; kind < AMPEL_CHANGES_COUNT; kind++) {
        if (!ampel_change_known(kind)) continue;
        ampel_print_word(print, kind > 0 ? ", `" : "`");
        ampel_print_word(print, ampel_change_name(kind));
        ampel_print_word(print, "`");
    }
}

static const struct {
    const char *marker;
    void (*print)(struct ampel_print *print);
} blocks[] = {
    {"<!-- fields -->\n", print_fields},         {"<!-- types -->\n", print_types},
    {"<!-- registries -->\n", print_registries}, {"<!-- verdicts -->\n", print_verdicts},
    {"<!-- changes -->", print_changes},
};

#define CONTRACT_BYTES_MAX 65536

static uint32_t read_contract(char *text) {
    FILE *file = fopen(CONTRACT, "r");
    assert_non_null(file);
    uint32_t size = (uint32_t)fread(text, 1, CONTRACT_BYTES_MAX - 1, file);
    fclose(file);
    text[size] = 0;
    return size;
}

/* The contract as the tables would have it: all between a marker and the end that follows it is
 * printed anew. */
static uint32_t fresh_contract(const char *text, char *fresh) {
    struct ampel_print print = {.bytes = fresh, .capacity = CONTRACT_BYTES_MAX - 1};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(blocks); i++) {
        const char *place = strstr(text, blocks[i].marker);
        if (place == NULL) fail_msg("WIRE.md has no %s", blocks[i].marker);
        const char *after = place + strlen(blocks[i].marker), *end = strstr(after, "<!-- end -->");
        assert_non_null(end);
        ampel_print_text(&print, (struct ampel_text){text, (uint32_t)(after - text)});
        blocks[i].print(&print);
        text = end;
    }
    ampel_print_word(&print, text);
    assert_false(print.full);
    fresh[print.size] = 0;
    return print.size;
}

static void the_contract_tells_the_tables_as_the_code_has_them(void **state) {
    (void)state;
    static char text[CONTRACT_BYTES_MAX], fresh[CONTRACT_BYTES_MAX];
    read_contract(text);
    uint32_t size = fresh_contract(text, fresh);
    if (writing()) {
        FILE *file = fopen(CONTRACT, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(fresh, 1, size, file), size);
        fclose(file);
        read_contract(text);
    }
    if (strcmp(text, fresh) != 0)
        fail_msg("proto/WIRE.md is stale: run this test with AMPEL_WIRE_WRITE=1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_has_its_golden_bytes),
        cmocka_unit_test(golden_bytes_are_read_and_written_again_without_a_change),
        cmocka_unit_test(whole_columns_say_what_narrow_ones_say),
        cmocka_unit_test(a_newer_version_of_each_is_refused_by_name),
        cmocka_unit_test(each_cut_is_refused_and_each_changed_byte_does_no_harm),
        cmocka_unit_test(the_contract_tells_the_tables_as_the_code_has_them),
    };
    tools.builder = ampel_batch_builder_open();
    tools.batches = ampel_batch_decoder_open();
    tools.messages = ampel_message_decoder_open();
    tools.records = ampel_record_builder_open(4);
    tools.reader = ampel_record_reader_open();
    tools.pages = ampel_page_codec_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ampel_batch_builder_close(tools.builder);
    ampel_batch_decoder_close(tools.batches);
    ampel_message_decoder_close(tools.messages);
    ampel_record_builder_close(tools.records);
    ampel_record_reader_close(tools.reader);
    ampel_page_codec_close(tools.pages);
    return failed;
}

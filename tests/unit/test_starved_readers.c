/* Without memory: each allocation of proto/ is refused once, by itself and with all after it; whoever asked says so, gives back
   what it has, and can be asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/audit.h"
#include "proto/batch.h"
#include "proto/document.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/record.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "proto/violation_list.h"

#define SENT_AT_MS INT64_C(1790858096789)
#define POINTS_MAX 4000

/* The linker puts these around malloc and the others of this program and its archives (tests/CMakeLists.txt). */
static int64_t left = INT64_MAX, live;
static bool for_good, refused;

static bool starves(void) {
    if (left > 0) {
        left--;
        return false;
    }
    if (refused && !for_good) return false;
    refused = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size) {
    if (starves()) return NULL;
    live++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    if (starves()) return NULL;
    live++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    if (starves()) return NULL;
    live += block == NULL;
    return __real_realloc(block, size);
}

void __wrap_free(void *block) {
    live -= block != NULL;
    __real_free(block);
}

/* ---- what is starved: each gives back everything, and says whether all went well ------------- */

static char text_bytes[256 * 1024];
static uint32_t text_size;

static void file_read(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", AMPEL_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text_size = (uint32_t)fread(text_bytes, 1, sizeof text_bytes, file);
    fclose(file);
    assert_true(text_size > 0 && text_size < sizeof text_bytes);
}

static void event_take(void *context, const struct ampel_jsonl_event *event) {
    (void)context;
    (void)event;
}

static bool row_broken;
static void broken_take(void *context, const struct ampel_error *error) {
    (void)context;
    (void)error;
    row_broken = true;
}

static const struct ampel_document_account account = {{"t", 1}, {"A", 1}, {"DE", 2}};

/* As many orders as make the memory grow, then as bytes and back. */
static bool notifications_remembered(void) {
    static uint8_t bytes[64 * 1024];
    struct ampel_document_memory *memory = ampel_document_memory_open(), *other = NULL;
    struct ampel_document_counts counts = {0};
    struct ampel_error error = {0};
    bool good = memory != NULL;
    for (int i = 0; i < 520 && good; i++) {
        int size = snprintf(text_bytes, sizeof text_bytes,
                            "{\"NotificationType\":\"ORDER_CHANGE\",\"EventTime\":\"2026-09-12T10:00:00Z\",\"Payload\":{"
                            "\"OrderChangeNotification\":{\"AmazonOrderId\":\"%d\",\"Summary\":{\"OrderStatus\":\"Shipped\"}}}}",
                            i);
        good = ampel_document_notification((struct ampel_text){text_bytes, (uint32_t)size}, &account, memory, event_take, NULL,
                                           &counts, &error);
    }
    size_t size = good ? ampel_document_memory_export(memory, 0, bytes, sizeof bytes) : 0;
    if (size > 0) other = ampel_document_memory_open();
    good = other != NULL && ampel_document_memory_import(other, bytes, size, &error);
    ampel_document_memory_close(memory);
    ampel_document_memory_close(other);
    return good;
}

static bool report_read(void) {
    struct ampel_document_counts counts = {0};
    struct ampel_error error = {0};
    file_read("tests/documents/report_live.json");
    return ampel_document_report((struct ampel_text){text_bytes, text_size}, INT64_MIN, &account, event_take, NULL, &counts,
                                 &error);
}

static bool audit_read(void) {
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take};
    const struct ampel_audit_options options = {.account = account};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    return ampel_audit(ampel_text_of("Time,Kind\n2026-10-01,price_cut\n"), &options, &sink, &counts, &error);
}

/* So many rows that what was seen is kept in a larger table. */
static bool list_read(void) {
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take};
    const struct ampel_list_options options = {.account = account, .at_ms = INT64_MIN};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    int size = snprintf(text_bytes, sizeof text_bytes, "Issue Type,Date Opened,ASIN\n");
    for (int i = 0; i < 1500; i++)
        size += snprintf(text_bytes + size, sizeof text_bytes - (size_t)size, "listing_policy,2026-10-01,B%d\n", i);
    row_broken = false;
    return ampel_violation_list((struct ampel_text){text_bytes, (uint32_t)size}, &options, &sink, &counts, &error) && !row_broken;
}

static bool rules_read(void) {
    static struct ampel_rules rules;
    struct ampel_error error = {0};
    file_read("deploy/rules/amazon.yaml");
    bool good = ampel_rules_file_decode((struct ampel_text){text_bytes, text_size}, &rules, &error);
    return good && ampel_rules_file_encode(&rules, text_bytes, sizeof text_bytes) > 0;
}

static bool batch_fill(struct ampel_batch_builder *builder) {
    static const uint8_t extras[] = {AMPEL_EXTRA_ID, 2, 0, 'v', '1'};
    for (int i = 0; i < 3000; i++) {
        char seller[16];
        snprintf(seller, sizeof seller, "S%d", i % 700);
        const struct ampel_event event = {.type = AMPEL_EVENT_VIOLATION_STATE,
                                          .at_ms = SENT_AT_MS + (i % 7 == 0 ? 30 * AMPEL_DAY_MS : 0),
                                          .count = 1,
                                          .points = -1,
                                          .severity = -1,
                                          .code = 0,
                                          .extras = extras,
                                          .extras_size = sizeof extras};
        if (!ampel_batch_builder_push(builder, ampel_text_of(seller), ampel_text_of("DE"), &event)) return false;
    }
    return true;
}

/* One batch through its builder, its decoder, a record of the log and its reader. */
static bool batch_carried(bool rows) {
    const struct ampel_batch_header header = {.producer = {"p", 1}, .sequence = 1, .sent_at_ms = SENT_AT_MS};
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    struct ampel_record_builder *records = ampel_record_builder_open(64);
    struct ampel_record_reader *reader = ampel_record_reader_open();
    struct ampel_batch batch;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    const uint8_t *bytes, *record;
    uint32_t size, cursor = 0, frames = 0, partitions[64] = {0};
    bool good = builder != NULL && decoder != NULL && records != NULL && reader != NULL && batch_fill(builder) &&
                ampel_batch_encode(builder, &header, rows, &bytes, &size) &&
                ampel_batch_decode(decoder, bytes, size, &batch, &error) &&
                ampel_record_encode_batch(records, &batch, ampel_text_of("t"), SENT_AT_MS, &record, &size);
    /* The bytes are good: what is wrong is known to be memory, so that they may come again. */
    if (!good && error.reason[0] != 0) assert_true(error.no_memory);
    while (good && ampel_record_frame_next(reader, record, &cursor, &frame, &error)) frames++;
    good = good && frames > 0 && error.reason[0] == 0 &&
           ampel_record_encode_tick(records, SENT_AT_MS, partitions, 64, &record, &size) &&
           ampel_record_encode_rules(records, SENT_AT_MS, 7, ampel_text_of("version: a"), &record, &size);
    if (builder != NULL) ampel_batch_builder_close(builder);
    if (decoder != NULL) ampel_batch_decoder_close(decoder);
    if (records != NULL) ampel_record_builder_close(records);
    if (reader != NULL) ampel_record_reader_close(reader);
    return good;
}

static bool columns_carried(void) { return batch_carried(false); }
static bool rows_carried(void) { return batch_carried(true); }

/* The first record of a builder is one without events. */
static bool small_records_made(void) {
    struct ampel_record_builder *records = ampel_record_builder_open(4);
    const uint8_t *record;
    uint32_t size, partitions[4] = {0, 1, 2, 3};
    bool good = records != NULL && ampel_record_encode_tick(records, SENT_AT_MS, partitions, 4, &record, &size);
    if (records != NULL) ampel_record_builder_close(records);
    records = good ? ampel_record_builder_open(4) : NULL;
    good = records != NULL && ampel_record_encode_rules(records, SENT_AT_MS, 7, ampel_text_of("version: a"), &record, &size);
    if (records != NULL) ampel_record_builder_close(records);
    return good;
}

static bool page_packed(void) {
    static uint8_t raw[50000];
    struct ampel_page_codec *writer = ampel_page_codec_open(), *reader = ampel_page_codec_open();
    const uint8_t *bytes, *back;
    uint32_t size, back_size;
    struct ampel_error error = {0};
    bool good = writer != NULL && reader != NULL && ampel_page_encode(writer, raw, sizeof raw, &bytes, &size) &&
                ampel_page_decode(reader, bytes, size, &back, &back_size, &error);
    if (writer != NULL) ampel_page_codec_close(writer);
    if (reader != NULL) ampel_page_codec_close(reader);
    return good;
}

static bool message_read(void) {
    static const struct ampel_message message = {.kind = AMPEL_MESSAGE_HELLO, .hello = {{"p", 1}}};
    static struct ampel_message found;
    uint8_t bytes[256];
    struct ampel_error error = {0};
    struct ampel_message_decoder *decoder = ampel_message_decoder_open();
    uint32_t size = ampel_message_encode(&message, bytes, sizeof bytes);
    bool good = decoder != NULL && ampel_message_decode(decoder, bytes, size, &found, &error);
    if (decoder != NULL) ampel_message_decoder_close(decoder);
    return good;
}

/* ---- each point ------------------------------------------------------------------------------ */

static void starve(bool (*run)(void), const char *name, bool ever) {
    uint32_t points = 0;
    for (;; points++) {
        assert_true(points < POINTS_MAX);
        int64_t before = live;
        left = points;
        for_good = ever;
        refused = false;
        bool good = run();
        left = INT64_MAX;
        if (live != before) fail_msg("%s keeps %lld blocks after point %u", name, (long long)(live - before), points);
        if (good == refused) fail_msg("%s %s at point %u", name, good ? "noticed nothing" : "failed", points);
        if (!refused) break;
    }
    printf("%s: %u points\n", name, points);
}

#define STARVED(name)                                      \
    static void name##_without_memory_says_so(void **state) { \
        (void)state;                                       \
        starve(name, #name, false);                        \
        starve(name, #name, true);                         \
    }
STARVED(notifications_remembered)
STARVED(report_read)
STARVED(audit_read)
STARVED(list_read)
STARVED(rules_read)
STARVED(columns_carried)
STARVED(rows_carried)
STARVED(small_records_made)
STARVED(page_packed)
STARVED(message_read)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_remembered_without_memory_says_so),
        cmocka_unit_test(report_read_without_memory_says_so),
        cmocka_unit_test(audit_read_without_memory_says_so),
        cmocka_unit_test(list_read_without_memory_says_so),
        cmocka_unit_test(rules_read_without_memory_says_so),
        cmocka_unit_test(columns_carried_without_memory_says_so),
        cmocka_unit_test(rows_carried_without_memory_says_so),
        cmocka_unit_test(small_records_made_without_memory_says_so),
        cmocka_unit_test(page_packed_without_memory_says_so),
        cmocka_unit_test(message_read_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

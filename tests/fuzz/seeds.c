/* Writes the seeds: sound inputs of every binary and text form, made by the code of today, so that
   they never grow stale. Documents of the marketplace are copied from tests/documents by
   tests/fuzz/run.

   usage: fuzz_seeds DIRECTORY    makes DIRECTORY/<reader>/NAME files */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/load.h"
#include "proto/batch.h"
#include "proto/batch_file.h"
#include "proto/document_memory.h"
#include "proto/jsonl.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/record.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/maker.h"

#define SENT_AT_MS INT64_C(1790000000000)

static const char *directory;
static struct ampel_maker maker = {1};

/* fuzz.c needs it; nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max) {
    (void)bytes;
    (void)size_max;
    return size;
}

static void write_seed(const char *reader, const char *name, const void *bytes, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, reader);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        perror(path);
        exit(1);
    }
    snprintf(path, sizeof path, "%s/%s/seed-%s", directory, reader, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_text(const char *reader, const char *name, const char *text) {
    write_seed(reader, name, text, strlen(text));
}

static struct ampel_text text_of(const char *word) {
    return ampel_text_of(word);
}

/* ---- batches, records, lines ---------------------------------------------------------------- */

/* A batch of events of one type, or of all where type is AMPEL_EVENT_TYPES_COUNT. */
static void push_events(struct ampel_batch_builder *builder, uint8_t type, uint32_t count) {
    static const char *const sellers[] = {"A1", "A2", "A3"};
    ampel_batch_builder_reset(builder);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
        struct ampel_event event;
        uint8_t one =
            type < AMPEL_EVENT_TYPES_COUNT ? type : (uint8_t)(i % AMPEL_EVENT_TYPES_COUNT);
        ampel_maker_event(&maker, one, SENT_AT_MS, extras, &event);
        AMPEL_ASSERT(
            ampel_batch_builder_push(builder, text_of(sellers[i % 3]), text_of("DE"), &event));
    }
}

static void write_batches(void) {
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    struct ampel_record_builder *records = ampel_record_builder_open(6);
    struct ampel_record_builder *whole = ampel_record_builder_open(1); /* all events in one frame */
    struct ampel_batch_header header = {.producer = text_of("erp"), .sent_at_ms = SENT_AT_MS};
    AMPEL_ASSERT(builder != NULL && decoder != NULL && records != NULL && whole != NULL);
    for (uint32_t i = 0; i <= AMPEL_EVENT_TYPES_COUNT; i++) {
        const uint8_t *bytes;
        uint32_t size;
        char name[32];
        struct ampel_batch batch;
        struct ampel_error error;
        header.sequence = i;
        header.backfill = i % 5 == 4;
        push_events(builder, (uint8_t)i, i < AMPEL_EVENT_TYPES_COUNT ? 2 : 30);
        for (int rows = 0; rows < 2; rows++) {
            AMPEL_ASSERT(ampel_batch_encode(builder, &header, rows == 1, &bytes, &size));
            snprintf(name, sizeof name, "%s-%u", rows == 1 ? "rows" : "columns", i);
            write_seed("batch", name, bytes, size);
        }
        AMPEL_ASSERT(ampel_batch_decode(decoder, bytes, size, &batch, &error));
        struct ampel_batch_refused refused[] = {{0, AMPEL_VERDICT_FUTURE, "at"}};
        if (i % 4 == 3) {
            batch.refused = refused;
            batch.refused_count = 1;
        }
        AMPEL_ASSERT(ampel_record_encode_batch(i % 4 == 1 ? records : whole, &batch,
                                               text_of("agency"), SENT_AT_MS, &bytes, &size));
        uint8_t *record = malloc(size);
        AMPEL_ASSERT(record != NULL);
        memcpy(record, bytes, size);
        ampel_record_seal(record, 4096, SENT_AT_MS);
        snprintf(name, sizeof name, "batch-%u", i);
        write_seed("record", name, record, size);
        free(record);
    }
    const uint32_t partitions[] = {0, 1, 5};
    uint8_t tick[128];
    const uint8_t *bytes;
    uint32_t size;
    AMPEL_ASSERT(ampel_record_encode_tick(records, SENT_AT_MS, partitions, 3, &bytes, &size));
    AMPEL_ASSERT(size <= sizeof tick);
    memcpy(tick, bytes, size);
    ampel_record_seal(tick, 4096, SENT_AT_MS);
    write_seed("record", "tick", tick, size);
    AMPEL_ASSERT(
        ampel_record_encode_rules(records, SENT_AT_MS, 1, text_of("version: a\n"), &bytes, &size));
    AMPEL_ASSERT(size <= sizeof tick);
    memcpy(tick, bytes, size);
    ampel_record_seal(tick, 4096, SENT_AT_MS);
    write_seed("record", "rules", tick, size);
    ampel_batch_builder_close(builder);
    ampel_batch_decoder_close(decoder);
    ampel_record_builder_close(records);
    ampel_record_builder_close(whole);
}

static void write_lines(void) {
    for (uint32_t i = 0; i < 2 * AMPEL_EVENT_TYPES_COUNT; i++) {
        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
        char line[AMPEL_JSONL_LINE_MAX], name[16];
        struct ampel_event event;
        ampel_maker_event(&maker, (uint8_t)(i % AMPEL_EVENT_TYPES_COUNT), SENT_AT_MS, extras,
                          &event);
        uint32_t size = ampel_jsonl_encode(text_of("agency"), text_of("A1"), text_of("DE"), &event,
                                           line, sizeof line);
        AMPEL_ASSERT(size > 0);
        snprintf(name, sizeof name, "%u", i);
        write_seed("jsonl", name, line, size - 1);
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

static void write_message(const char *name, const struct ampel_message *message) {
    static uint8_t bytes[AMPEL_MESSAGE_BYTES_MAX + 1000];
    uint32_t size = ampel_message_encode(message, bytes, sizeof bytes);
    AMPEL_ASSERT(size > 0);
    write_seed("message", name, bytes, size);
}

static void write_changes(void) {
    static struct ampel_message message;
    for (uint32_t kind = 0; kind < AMPEL_CHANGES_COUNT; kind++) {
        if (!ampel_change_known((uint8_t)kind)) continue;
        struct ampel_change change = {.at_ms = SENT_AT_MS,
                                      .kind = (uint8_t)kind,
                                      .cap_group = 255,
                                      .after = {.score = 200, .caps = {1, 2}},
                                      .cause = {.kind = (uint8_t)(kind % 5),
                                                .event_type = 255,
                                                .policy = 255,
                                                .severity = -1,
                                                .code = 255}};
        if (kind % 5 == AMPEL_CAUSE_EVENT) change.cause.event_type = AMPEL_EVENT_ORDER;
        message = (struct ampel_message){
            .kind = AMPEL_MESSAGE_CHANGE,
            .change = {.stream = kind == 0 ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS,
                       .epoch = 1,
                       .number = kind,
                       .tenant = text_of("agency"),
                       .seller = text_of("A1"),
                       .marketplace = text_of("DE"),
                       .change = change,
                       .rules_version = text_of("amazon-1"),
                       .caps_count = 2,
                       .caps_names = {text_of("infringement"), text_of("restricted")}}};
        struct ampel_message_change *out = &message.change;
        if (kind == AMPEL_CHANGE_CAP_NEAR || kind == AMPEL_CHANGE_CAP_REACHED) {
            out->change.cap_group = 0;
            out->cap_group = text_of("infringement");
        }
        if (kind == AMPEL_CHANGE_TAKEOVER_SUSPECTED) {
            out->change.signals_count = 2;
            out->signals[0] = (struct ampel_signal){
                .first_ms = SENT_AT_MS - 5, .last_ms = SENT_AT_MS, .weight = 55, .kind = 6, .group = 2};
            out->signals[1] = (struct ampel_signal){
                .first_ms = SENT_AT_MS, .last_ms = SENT_AT_MS, .weight = 50, .kind = 9, .derived = true};
        }
        if (kind == AMPEL_CHANGE_REFUSED) out->change.verdict = AMPEL_VERDICT_TOO_MANY_VIOLATIONS;
        ampel_hash_change(out->tenant, out->seller, out->marketplace, &out->change, out->id);
        char name[32];
        snprintf(name, sizeof name, "change-%u", kind);
        write_message(name, &message);
    }
}

static void write_messages(void) {
    static struct ampel_message message;
    struct ampel_text producer = text_of("erp"), tenant = text_of("agency");
    message = (struct ampel_message){.kind = AMPEL_MESSAGE_HELLO, .hello = {producer}};
    write_message("hello", &message);
    message = (struct ampel_message){
        .kind = AMPEL_MESSAGE_WELCOME,
        .welcome = {tenant, producer, 5, AMPEL_CREDIT, SENT_AT_MS, 2, {7, 9}}};
    write_message("welcome", &message);
    struct ampel_batch_refused refused[] = {{1, AMPEL_VERDICT_FUTURE, "at"},
                                            {3, AMPEL_VERDICT_MISSING, "id"}};
    message = (struct ampel_message){
        .kind = AMPEL_MESSAGE_ACK,
        .ack = {.producer = producer, .accepted = 8, .refused_count = 2, .refused = refused}};
    write_message("ack", &message);
    message = (struct ampel_message){
        .kind = AMPEL_MESSAGE_BACK,
        .back = {producer, text_of("the queues are full"), 4, AMPEL_BACK_BUSY, 100}};
    write_message("back", &message);
    message =
        (struct ampel_message){.kind = AMPEL_MESSAGE_WATCH, .watch = {AMPEL_STREAM_SCORES, 3}};
    write_message("watch", &message);
    message = (struct ampel_message){.kind = AMPEL_MESSAGE_WATCHING,
                                     .watching = {tenant, AMPEL_STREAM_ALERTS, 1, 9, 9}};
    write_message("watching", &message);
    message = (struct ampel_message){.kind = AMPEL_MESSAGE_BEAT, .beat = {SENT_AT_MS}};
    write_message("beat", &message);
    write_changes();
}

/* ---- pages, memories ------------------------------------------------------------------------ */

static void write_pages(void) {
    struct ampel_page_codec *codec = ampel_page_codec_open();
    AMPEL_ASSERT(codec != NULL);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t raw[600];
        const uint8_t *bytes;
        uint32_t size, raw_size = i * 60;
        char name[16];
        for (uint32_t j = 0; j < raw_size; j++)
            raw[j] = i < 2 ? (uint8_t)j : (uint8_t)ampel_maker_below(&maker, 4 * i);
        AMPEL_ASSERT(ampel_page_encode(codec, raw, raw_size, &bytes, &size));
        snprintf(name, sizeof name, "%u", i);
        write_seed("page", name, bytes, size);
    }
    ampel_page_codec_close(codec);
}

static void write_memories(void) {
    struct ampel_document_memory *memory = ampel_document_memory_open();
    AMPEL_ASSERT(memory != NULL);
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t bytes[256];
        struct ampel_document_memory_key key;
        struct ampel_text part = text_of(i == 0 ? "one" : i == 1 ? "two" : "three");
        size_t size = ampel_document_memory_export(memory, 0, bytes, sizeof bytes);
        char name[32];
        snprintf(name, sizeof name, "memory-%u", i);
        write_seed("document", name, bytes, size);
        ampel_document_memory_key_of(&key, 'n', &part, 1);
        AMPEL_ASSERT(ampel_document_memory_reserve(memory, 1));
        ampel_document_memory_add(memory, &key, 20000 + i);
    }
    ampel_document_memory_close(memory);
}

/* An engine that took every type of event, as its meta and its page, for three moments. */
static void write_images(void) {
    static uint8_t image[1 << 16];
    static struct ampel_rules rules;
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_engine *engine = NULL;
    ampel_rules_init(&rules);
    struct ampel_engine_options options = {
        .memory = fuzz_memory(), .rules = &rules, .start_ms = SENT_AT_MS - 1000};
    AMPEL_ASSERT(builder != NULL && ampel_engine_open(&options, &engine) == AMPEL_ENGINE_OK);
    for (uint32_t i = 0; i < 6; i++) {
        struct ampel_frame frame;
        struct ampel_apply_counts counts;
        char name[16];
        bool done;
        if (i > 0) {
            push_events(builder, i == 3 ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_TYPES_COUNT,
                        i == 1 ? 3 : 8);
            AMPEL_ASSERT(ampel_batch_builder_frame(builder, text_of("agency"), &frame));
            frame.stamp_ms = frame.sent_at_ms = SENT_AT_MS;
            frame.backfill = i == 2;
            frame.producer = text_of(i % 2 == 1 ? "erp" : "");
            frame.sequence = i;
            AMPEL_ASSERT(ampel_engine_apply(engine, &frame, &counts) == AMPEL_ENGINE_OK);
        }
        uint32_t meta = ampel_engine_meta_export(engine, image + 2, sizeof image / 2);
        ampel_store_u16(image, (uint16_t)meta);
        uint32_t size = 2 + meta;
        if (i > 0) {
            uint32_t page = ampel_engine_page_export(engine, 0, image + size + 2, sizeof image / 4);
            AMPEL_ASSERT(page < sizeof image / 4);
            ampel_store_u16(image + size, (uint16_t)page);
            size += 2 + page;
        }
        snprintf(name, sizeof name, "%u", i);
        write_seed("import", name, image, size);
        AMPEL_ASSERT(ampel_engine_advance(engine, SENT_AT_MS + i * AMPEL_HOUR_MS, UINT32_MAX,
                                          &done) == AMPEL_ENGINE_OK);
    }
    ampel_engine_close(engine);
    ampel_batch_builder_close(builder);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void write_rules(void) {
    static struct ampel_rules rules;
    static char file[64 * 1024];
    ampel_rules_init(&rules);
    uint32_t size = ampel_rules_file_encode(&rules, file, sizeof file);
    AMPEL_ASSERT(size > 0);
    write_seed("rules", "file", file, size);
    write_text("rules", "set", "=start=150\nrepeat.ladder=table\nrepeat.table=1,2,4");
    write_text("rules", "set-lists",
               "=caps.groups.infringement.limit=3\npolicies.suspected_ip.severity=high\n"
               "takeover.kinds.price_cut.weight=10\n");
    write_text("rules", "edits", "+\x04\x01window_days: 90\n\x08\x02# a remark");
}

static void write_encoded_file(void) {
    static const char *const tenants[] = {"agency", "a"};
    uint8_t file[128];
    size_t size = AMPEL_BATCH_FILE_MAGIC_BYTES;
    memcpy(file, AMPEL_BATCH_FILE_MAGIC, size);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(tenants); i++) {
        static const uint8_t batch[] = {0x81, 0xa1, 'v'};
        struct ampel_batch_file_wrap wrap;
        ampel_batch_file_wrap(text_of(tenants[i]), batch, sizeof batch, &wrap);
        memcpy(file + size, wrap.head, wrap.head_size);
        memcpy(file + size + wrap.head_size, batch, sizeof batch);
        memcpy(file + size + wrap.head_size + sizeof batch, wrap.tail, sizeof wrap.tail);
        size += wrap.head_size + sizeof batch + sizeof wrap.tail;
    }
    write_seed("batch_file", "two", file, size);
}

static void write_texts(void) {
    static const char *const times[] = {"2026-10-01T12:34:56.789Z", "2026-10-01t12:34:56+02:00",
                                        "2020-11-18T23:59Z", "1790000000000",
                                        "1970-01-01 00:00:00.000000001-00:30"};
    char name[16];
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(times); i++) {
        snprintf(name, sizeof name, "%u", i);
        write_text("time", name, times[i]);
    }
    write_text("settings", "all",
               "# worker\nshards = 4\nsegment_bytes = 1m  # small\njournal = \"a b\"\n"
               "clock_at = 2026-10-01T00:00:00Z\nclock_speed = 0\nlog_format = json\n"
               "database-url = postgresql://u:p@h/d\n");
    write_text("settings", "empty", "\n \n# nothing\n");
    write_text(
        "list", "all",
        "ASIN,Product Title,Issue Type,At Risk Sales,Impact,Status,Date Opened,Date "
        "Resolved,Notes\n"
        "B1,\"Lamp, brass\",Other Policy Violations,\"$1,234.56\",High - Repeat "
        "violation,Submitted,"
        "2026-08-01,,\"a\nb\"\nB2,,Restricted Product,-,No impact,Resolved,1.9.2026,3 Sep 2026,\n"
        "B2,,Restricted Product,,Low,Acknowledged,1. September 2026,2026-09-05T18:00:00+02:00,\n");
    write_text("list", "own",
               "Issue Type;Date Opened;Account;Violation ID;Points;Revision\r\n"
               "listing_policy;25/4/2026;agency/A2/M2;V1;12;3\r\n");
    write_text("list", "mapping", "# ours\nArt = Issue Type\nStatus: Erledigt = approved\n");
    write_text("audit", "all",
               "Time,Kind,Value,Detail,Until,Kinds\n2026-10-01 14:30,deposit_change,2,\"to, abroad\",,\n"
               "1.10.2026,maintenance,,,2026-10-02,\"price_cut; bulk upload\"\n"
               "2026-10-01T15:00:00Z,Maintenance,,,2026-10-02,\n2026-10-01,nonsense,,,,\n");
    write_text("audit", "accounts",
               "Account;When;Event\r\nagency/A2/M2;25/4/2026;new user\r\nother/A2/M2;1/4/2026;foreign login\r\n");
    write_text("document", "lines", "{\"a\":1}\n{\"b\":[2,\"}\"]}\n");
    write_text("document", "array", "[\n {\"a\": 1},\n {\"b\": \"\\\"{\"}\n]\n");
    write_text("document", "broken", "{\"a\":\n{\"b\":2}\n");
}

/* ---- scripts -------------------------------------------------------------------------------- */

static void write_scripts(void) {
    /* start, segments, spare; for each segment: a lie, groups (0, records, lie, records...), 128,
     * tail */
    static const uint8_t journal[] = {0, 2,   0, 0, 0, 2, 0, 1, 1, 3, 2, 0, 1, 0,   2,
                                      2, 128, 1, 0, 0, 3, 0, 1, 1, 1, 1, 1, 1, 128, 1};
    write_seed("journal", "two", journal, sizeof journal);
    static const uint8_t torn[] = {0, 1, 0, 0, 0, 2,   0, 1, 1,   3, 2,
                                   0, 1, 0, 2, 2, 205, 9, 0, 128, 1};
    write_seed("journal", "torn", torn, sizeof torn);
    /* Random scripts: any bytes are one. */
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t script[160];
        char name[16];
        for (uint32_t j = 0; j < sizeof script; j++)
            script[j] = (uint8_t)ampel_maker_below(&maker, 256);
        snprintf(name, sizeof name, "%u", i);
        write_seed("engine", name, script, 20 * (i + 1));
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    directory = argv[1];
    write_batches();
    write_encoded_file();
    write_lines();
    write_messages();
    write_pages();
    write_memories();
    write_images();
    write_rules();
    write_texts();
    write_scripts();
    return 0;
}

/* Messages besides batches (proto/message.h), and changes as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/json.h"
#include "proto/message.h"
#include "proto/pack.h"
#include "proto/text.h"
#include "tests/oracle/maker.h"

static struct ampel_message_decoder *decoder;
static struct ampel_message sent, found;
static uint8_t encoded[AMPEL_MESSAGE_BYTES_MAX];

/* Encodes `sent` and decodes it into `found` from a block of its own size. The block is kept until
 * the next. */
static uint8_t *block;
static uint32_t there_and_back(void) {
    struct ampel_error error = {0};
    uint32_t size = ampel_message_encode(&sent, encoded, sizeof encoded);
    assert_true(size > 0);
    for (uint32_t capacity = 0; capacity < size; capacity += 1 + capacity / 8)
        assert_int_equal(ampel_message_encode(&sent, encoded, capacity), 0);
    assert_int_equal(ampel_message_encode(&sent, encoded, size), size);
    free(block);
    block = malloc(size);
    memcpy(block, encoded, size);
    memset(&found, 0xa5, sizeof found);
    if (!ampel_message_decode(decoder, block, size, &found, &error))
        fail_msg("%s: %s", error.field, error.reason);
    assert_int_equal(found.kind, sent.kind);
    return size;
}

static void assert_text(struct ampel_text text, const char *word) {
    if (!ampel_text_is(text, word))
        fail_msg("'%.*s' is not '%s'", (int)text.size, text.bytes, word);
}

static void hello_says_its_producer(void **state) {
    (void)state;
    sent.kind = AMPEL_MESSAGE_HELLO;
    sent.hello.producer = ampel_text_of("erp-1");
    there_and_back();
    assert_text(found.hello.producer, "erp-1");
}

static void welcome_lists_what_is_done(void **state) {
    (void)state;
    for (uint32_t count = 0; count <= AMPEL_CREDIT; count += AMPEL_CREDIT / 4) {
        sent.kind = AMPEL_MESSAGE_WELCOME;
        sent.welcome = (struct ampel_message_welcome){.tenant = ampel_text_of("agency"),
                                                      .producer = ampel_text_of("erp-1"),
                                                      .next = INT64_MAX - 2000,
                                                      .credit = AMPEL_CREDIT,
                                                      .now_ms = 1790858096789,
                                                      .done_count = count};
        for (uint32_t i = 0; i < count; i++)
            sent.welcome.done[i] = sent.welcome.next + i + 1;
        there_and_back();
        assert_text(found.welcome.tenant, "agency");
        assert_text(found.welcome.producer, "erp-1");
        assert_int_equal(found.welcome.next, sent.welcome.next);
        assert_int_equal(found.welcome.credit, AMPEL_CREDIT);
        assert_int_equal(found.welcome.now_ms, 1790858096789);
        assert_int_equal(found.welcome.done_count, count);
        assert_memory_equal(found.welcome.done, sent.welcome.done, count * sizeof(uint64_t));
    }
}

static void ack_tells_each_refusal(void **state) {
    (void)state;
    static const struct ampel_batch_refused refused[] = {
        {3, AMPEL_VERDICT_FUTURE, "at"},
        {131071, AMPEL_VERDICT_UNKNOWN_FIELD,
         "a_field_of_sixty_four_characters_______________________________x"},
        {4, AMPEL_VERDICT_BAD_VALUE, ""},
    };
    assert_int_equal(strlen(refused[1].field), 64);
    for (uint32_t count = 0; count <= 3; count++) {
        sent.kind = AMPEL_MESSAGE_ACK;
        sent.ack = (struct ampel_message_ack){.producer = ampel_text_of("erp-1"),
                                              .sequence = 7,
                                              .next = 8,
                                              .accepted = 99,
                                              .duplicate = count == 2,
                                              .refused_count = count,
                                              .refused = refused};
        there_and_back();
        assert_text(found.ack.producer, "erp-1");
        assert_int_equal(found.ack.sequence, 7);
        assert_int_equal(found.ack.next, 8);
        assert_int_equal(found.ack.accepted, 99);
        assert_int_equal(found.ack.duplicate, count == 2);
        assert_int_equal(found.ack.refused_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(found.ack.refused[i].event_index, refused[i].event_index);
            assert_int_equal(found.ack.refused[i].verdict, refused[i].verdict);
            assert_string_equal(found.ack.refused[i].field, refused[i].field);
        }
    }
}

static void back_names_every_reason_and_shows_only_printable_text(void **state) {
    (void)state;
    for (uint32_t reason = 0; reason < AMPEL_BACKS_COUNT; reason++) {
        sent.kind = AMPEL_MESSAGE_BACK;
        sent.back = (struct ampel_message_back){.producer = ampel_text_of("erp-1"),
                                                .sequence = 5,
                                                .text = ampel_text_of("bad \x1b[31m\xff key"),
                                                .reason = (enum ampel_back_reason)reason,
                                                .retry_ms = reason * 10};
        there_and_back();
        assert_text(found.back.producer, "erp-1");
        assert_text(found.back.text, "bad ?[31m? key");
        assert_int_equal(found.back.sequence, 5);
        assert_int_equal(found.back.reason, reason);
        assert_int_equal(found.back.retry_ms, reason * 10);
    }
    sent.back.producer.size = 0;
    there_and_back();
    assert_int_equal(found.back.producer.size, 0);
}

static void watch_watching_and_beat_come_back(void **state) {
    (void)state;
    for (uint32_t stream = 0; stream < 2; stream++) {
        sent.kind = AMPEL_MESSAGE_WATCH;
        sent.watch = (struct ampel_message_watch){(enum ampel_stream)stream, 12345};
        there_and_back();
        assert_int_equal(found.watch.stream, stream);
        assert_int_equal(found.watch.from, 12345);
        sent.kind = AMPEL_MESSAGE_WATCHING;
        sent.watching = (struct ampel_message_watching){ampel_text_of("agency"),
                                                        (enum ampel_stream)stream, 3, 1u << 31,
                                                        77};
        there_and_back();
        assert_text(found.watching.tenant, "agency");
        assert_int_equal(found.watching.stream, stream);
        assert_int_equal(found.watching.epoch, 3);
        assert_int_equal(found.watching.next, 1u << 31);
        assert_int_equal(found.watching.since, 77);
    }
    sent.kind = AMPEL_MESSAGE_BEAT;
    sent.beat.now_ms = 1790858096789;
    there_and_back();
    assert_int_equal(found.beat.now_ms, 1790858096789);
}

/* ---- changes -------------------------------------------------------------------------------- */

static void fill_change(struct ampel_message_change *out) {
    *out = (struct ampel_message_change){
        .stream = AMPEL_STREAM_ALERTS,
        .epoch = 2,
        .number = 41,
        .tenant = ampel_text_of("agency"),
        .seller = ampel_text_of("A1"),
        .marketplace = ampel_text_of("DE"),
        .cap_group = ampel_text_of("restricted"),
        .rules_version = ampel_text_of("amazon-1"),
        .caps_count = 2,
        .caps_names = {ampel_text_of("infringement"), ampel_text_of("restricted")},
    };
    struct ampel_change *change = &out->change;
    change->at_ms = 1790858096789;
    change->deadline_ms = 1790858096789 + 72 * AMPEL_HOUR_MS;
    change->kind = AMPEL_CHANGE_CAP_REACHED;
    change->cap_group = 1;
    change->before = (struct ampel_numbers){.score = 204,
                                            .orders = 200,
                                            .order_points = 4,
                                            .caps = {0, 1},
                                            .colour = AMPEL_GREEN,
                                            .risk = AMPEL_RISK_NONE};
    change->after = (struct ampel_numbers){.score = 188,
                                           .orders = 200,
                                           .order_points = 4,
                                           .deducted = 16,
                                           .caps = {0, 2},
                                           .colour = AMPEL_YELLOW,
                                           .risk = AMPEL_RISK_IMMEDIATE};
    change->cause = (struct ampel_cause){.at_ms = 1790858096000,
                                         .sequence = 9,
                                         .kind = AMPEL_CAUSE_EVENT,
                                         .event_type = AMPEL_EVENT_VIOLATION,
                                         .policy = 7,
                                         .severity = 3,
                                         .code = AMPEL_CODE_NONE,
                                         .id_size = 2,
                                         .producer_size = 5,
                                         .id = "v2",
                                         .producer = "erp-1"};
    ampel_hash_change(out->tenant, out->seller, out->marketplace, change, out->id);
}

static void assert_numbers(const struct ampel_numbers *left, const struct ampel_numbers *right) {
    assert_int_equal(left->score, right->score);
    assert_int_equal(left->orders, right->orders);
    assert_int_equal(left->order_points, right->order_points);
    assert_int_equal(left->deducted, right->deducted);
    assert_int_equal(left->colour, right->colour);
    assert_int_equal(left->risk, right->risk);
    assert_memory_equal(left->caps, right->caps, sizeof left->caps);
}

static void assert_changes(const struct ampel_message_change *left,
                           const struct ampel_message_change *right) {
    const struct ampel_change *a = &left->change, *b = &right->change;
    assert_int_equal(left->stream, right->stream);
    assert_int_equal(left->epoch, right->epoch);
    assert_int_equal(left->number, right->number);
    assert_string_equal(left->id, right->id);
    assert_true(ampel_text_equal(left->seller, right->seller));
    assert_true(ampel_text_equal(left->cap_group, right->cap_group));
    assert_true(ampel_text_equal(left->rules_version, right->rules_version));
    assert_int_equal(left->caps_count, right->caps_count);
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->deadline_ms, b->deadline_ms);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->cap_group, b->cap_group);
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->is_new, b->is_new);
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->amount, b->amount);
    assert_int_equal(a->signals_count, b->signals_count);
    assert_memory_equal(left->signals, right->signals,
                        a->signals_count * sizeof(left->signals[0]));
    assert_numbers(&a->before, &b->before);
    assert_numbers(&a->after, &b->after);
    assert_int_equal(a->cause.at_ms, b->cause.at_ms);
    assert_int_equal(a->cause.sequence, b->cause.sequence);
    assert_int_equal(a->cause.kind, b->cause.kind);
    assert_int_equal(a->cause.event_type, b->cause.event_type);
    assert_int_equal(a->cause.policy, b->cause.policy);
    assert_int_equal(a->cause.severity, b->cause.severity);
    assert_int_equal(a->cause.code, b->cause.code);
    assert_int_equal(a->cause.id_size, b->cause.id_size);
    assert_int_equal(a->cause.producer_size, b->cause.producer_size);
    assert_memory_equal(a->cause.id, b->cause.id, a->cause.id_size);
    assert_memory_equal(a->cause.producer, b->cause.producer, a->cause.producer_size);
}

static bool of_takeover(uint8_t kind) {
    return kind == AMPEL_CHANGE_TAKEOVER_SUSPECTED || kind == AMPEL_CHANGE_TAKEOVER_CLEARED;
}

/* As many signals as there can be of the registry. */
static void fill_signals(struct ampel_message_change *out) {
    struct ampel_change *change = &out->change;
    change->signals_count = ampel_registry_count(AMPEL_REGISTRY_KIND);
    change->amount = 730;
    change->since_ms = change->at_ms - AMPEL_HOUR_MS;
    for (uint32_t i = 0; i < change->signals_count; i++) {
        out->signals[i] = (struct ampel_signal){
            .first_ms = change->at_ms - AMPEL_DAY_MS + i,
            .last_ms = change->at_ms - AMPEL_DAY_MS + i + i % 3,
            .weight = (uint16_t)(10 + i),
            .kind = (uint8_t)i,
            .group = (uint8_t)(i % 6),
            .derived = i % 2 == 0,
        };
    }
}

static void every_kind_of_change_and_cause_comes_back(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < AMPEL_CHANGES_COUNT; kind++) {
        if (!ampel_change_known((uint8_t)kind)) continue;
        for (uint32_t cause = 0; cause < AMPEL_CAUSES_COUNT; cause++) {
            for (uint32_t type = 0; type <= AMPEL_EVENT_TYPES_COUNT; type++) {
                sent.kind = AMPEL_MESSAGE_CHANGE;
                fill_change(&sent.change);
                struct ampel_change *change = &sent.change.change;
                change->kind = (uint8_t)kind;
                change->verdict = kind == AMPEL_CHANGE_REFUSED ? AMPEL_VERDICT_TOO_MANY_FACTS : 0;
                if (of_takeover(change->kind)) fill_signals(&sent.change);
                change->is_new = kind % 2 == 1;
                if (change->is_new) change->before = (struct ampel_numbers){0};
                if (kind % 3 == 0) sent.change.cap_group.size = 0;
                if (kind % 3 == 0) change->cap_group = 255;
                if (kind % 4 == 0) change->deadline_ms = 0;
                change->cause.kind = (uint8_t)cause;
                change->cause.event_type = type == AMPEL_EVENT_TYPES_COUNT ? 255 : (uint8_t)type;
                bool coded = type == AMPEL_EVENT_VIOLATION_STATE ||
                             type == AMPEL_EVENT_ACCOUNT_STATUS || type == AMPEL_EVENT_OBSERVED;
                change->cause.code = coded ? 2 : AMPEL_CODE_NONE;
                if (cause == AMPEL_CAUSE_CLOCK || cause == AMPEL_CAUSE_CASE_CLOCK) change->cause.code = (uint8_t)(kind % 3);
                if (cause != AMPEL_CAUSE_EVENT) {
                    change->cause.producer_size = change->cause.id_size = 0;
                    change->cause.sequence = 0;
                    change->cause.policy = 255;
                    change->cause.severity = -1;
                }
                there_and_back();
                assert_changes(&found.change, &sent.change);
            }
        }
    }
}

static void signals_that_no_engine_names_are_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t index;
        uint8_t kind;
        uint16_t weight;
        int64_t last_before_ms;
    } wrong[] = {{1, 0, 11, 0}, {1, 1, 0, 0}, {1, 1, 1001, 0}, {1, 1, 11, 1}, {3, 63, 11, 0}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(wrong); i++) {
        sent.kind = AMPEL_MESSAGE_CHANGE;
        fill_change(&sent.change);
        sent.change.change.kind = AMPEL_CHANGE_TAKEOVER_SUSPECTED;
        fill_signals(&sent.change);
        struct ampel_signal *signal = &sent.change.signals[wrong[i].index];
        signal->kind = wrong[i].kind;
        signal->weight = wrong[i].weight;
        signal->last_ms = signal->first_ms - wrong[i].last_before_ms;
        uint32_t size = ampel_message_encode(&sent, encoded, sizeof encoded);
        assert_true(size > 0);
        struct ampel_error error;
        assert_false(ampel_message_decode(decoder, encoded, size, &found, &error));
    }
}

static const char change_text[] =
    "{\"stream\":\"alerts\",\"epoch\":2,\"number\":41,\"id\":\"%s\",\"kind\":\"cap_reached\","
    "\"tenant\":\"agency\","
    "\"seller\":\"A1\",\"marketplace\":\"DE\",\"at\":\"2026-10-01T12:34:56.789Z\","
    "\"before\":{\"score\":204,\"status\":\"green\",\"risk\":\"none\",\"orders\":200,\"order_"
    "points\":4,\"deducted\":0,"
    "\"caps\":{\"infringement\":0,\"restricted\":1}},"
    "\"after\":{\"score\":188,\"status\":\"yellow\",\"risk\":\"immediate\",\"orders\":200,\"order_"
    "points\":4,"
    "\"deducted\":16,\"caps\":{\"infringement\":0,\"restricted\":2}},"
    "\"cause\":{\"kind\":\"event\",\"type\":\"violation\",\"policy\":\"restricted_product\","
    "\"severity\":\"high\","
    "\"id\":\"v2\",\"at\":\"2026-10-01T12:34:56.000Z\",\"producer\":\"erp-1\",\"seq\":9},"
    "\"cap_group\":\"restricted\",\"deadline\":\"2026-10-04T12:34:56.789Z\",\"rules_version\":"
    "\"amazon-1\"}";

static void json_of_a_change_reads_as_documented(void **state) {
    (void)state;
    struct ampel_message_change change;
    char text[4096], expected[4096];
    fill_change(&change);
    uint32_t size = ampel_change_json(&change, text, sizeof text);
    snprintf(expected, sizeof expected, change_text, change.id);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
    assert_int_equal(ampel_change_json(&change, text, size - 1), 0);
    struct ampel_error error;
    struct ampel_json *json = ampel_json_open((struct ampel_text){text, size}, &error);
    assert_non_null(json);
    ampel_json_close(json);
    change.change.is_new = true;
    size = ampel_change_json(&change, text, sizeof text - 1);
    text[size] = 0;
    assert_null(strstr(text, "before"));
    assert_non_null(strstr(text, "\"new\":true"));
}

/* A row has columns for the rest, and a database reads JSON slowly. */
static void the_json_of_a_row_is_its_cause_and_for_a_takeover_its_signals(void **state) {
    (void)state;
    struct ampel_message_change change;
    char whole[4096], row[4096], expected[4096];
    fill_change(&change);
    for (uint32_t takeover = 0; takeover < 2; takeover++) {
        if (takeover == 1) {
            change.change.kind = AMPEL_CHANGE_TAKEOVER_SUSPECTED;
            change.change.amount = 120;
            change.change.since_ms = change.change.at_ms;
            change.change.signals_count = 1;
            memset(&change.signals[0], 0, sizeof(change.signals[0]));
            change.signals[0].weight = 70;
        }
        whole[ampel_change_json(&change, whole, sizeof whole - 1)] = 0;
        uint32_t size = ampel_change_row_json(&change, row, sizeof row - 1);
        row[size] = 0;
        const char *cause = strstr(whole, "\"cause\":"), *signals = strstr(whole, "\"amount\":120,\"since\":");
        int cause_size = (int)(strstr(cause, "}") + 1 - cause);
        if (takeover == 1)
            snprintf(expected, sizeof expected, "{%.*s,%.*s}", cause_size, cause,
                     (int)(strstr(signals, "]") + 1 - signals), signals);
        else
            snprintf(expected, sizeof expected, "{%.*s}", cause_size, cause);
        assert_string_equal(row, expected);
        assert_int_equal(ampel_change_row_json(&change, row, size - 1), 0);
    }
}

static void the_id_of_a_change_follows_its_cause_and_nothing_else(void **state) {
    (void)state;
    struct ampel_message_change change;
    char first[AMPEL_CHANGE_ID_SIZE], again[AMPEL_CHANGE_ID_SIZE];
    fill_change(&change);
    memcpy(first, change.id, sizeof first);
    change.change.slot = 9;
    change.change.position = 77;
    change.change.after.score = 3;
    change.change.cause.severity = 1;
    ampel_hash_change(change.tenant, change.seller, change.marketplace, &change.change, again);
    assert_string_equal(first, again);
    for (uint32_t way = 0; way < 8; way++) {
        fill_change(&change);
        if (way == 0) change.change.kind = AMPEL_CHANGE_CAP_NEAR;
        if (way == 1) change.change.cap_group = 0;
        if (way == 2) change.change.at_ms++;
        if (way == 3) change.change.cause.at_ms++;
        if (way == 4) change.change.cause.sequence++;
        if (way == 5) change.change.cause.id_size = 1;
        if (way == 6) change.seller = ampel_text_of("A2");
        if (way == 7) change.change.cause.policy = 6;
        ampel_hash_change(change.tenant, change.seller, change.marketplace, &change.change, again);
        assert_string_not_equal(first, again);
    }
}

/* ---- what is wrong -------------------------------------------------------------------------- */

static void a_batch_is_told_from_a_message_by_its_keys(void **state) {
    (void)state;
    struct ampel_batch_builder *builder = ampel_batch_builder_open();
    struct ampel_batch_header header = {.producer = ampel_text_of("p"), .sent_at_ms = 5};
    struct ampel_error error = {0};
    const uint8_t *bytes;
    uint32_t size;
    for (int rows = 0; rows < 2; rows++) {
        assert_true(ampel_batch_encode(builder, &header, rows == 1, &bytes, &size));
        assert_true(ampel_message_decode(decoder, bytes, size, &found, &error));
        assert_int_equal(found.kind, AMPEL_MESSAGE_BATCH);
    }
    ampel_batch_builder_close(builder);
    sent.kind = AMPEL_MESSAGE_BATCH;
    assert_int_equal(ampel_message_encode(&sent, encoded, sizeof encoded), 0);
}

static bool decode_pack(const struct ampel_pack_writer *writer, struct ampel_error *error) {
    *error = (struct ampel_error){0};
    return ampel_message_decode(decoder, writer->bytes, writer->size, &found, error);
}

static void newer_versions_and_unknown_messages_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        int64_t version;
        const char *message;
        const char *field;
    } cases[] = {
        {1, "beat", ""},     {2, "beat", "v"},    {0, "beat", "v"},
        {1, "goodbye", "m"}, {3, "goodbye", "v"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        struct ampel_error error;
        struct ampel_pack_writer writer = {.bytes = encoded, .capacity = sizeof encoded};
        ampel_pack_put_map(&writer, 4);
        ampel_pack_put_word(&writer, "v");
        ampel_pack_put_integer(&writer, cases[i].version);
        ampel_pack_put_word(&writer, "m");
        ampel_pack_put_word(&writer, cases[i].message);
        ampel_pack_put_word(&writer, "now");
        ampel_pack_put_integer(&writer, 5);
        /* Keys that are not known yet are no error. */
        ampel_pack_put_word(&writer, "mood");
        ampel_pack_put_list(&writer, 0);
        assert_int_equal(decode_pack(&writer, &error), cases[i].field[0] == 0);
        assert_string_equal(error.field, cases[i].field);
    }
}

/* Their JSON would be none: a key twice, or bytes that are no characters. */
static void cap_groups_that_no_rules_can_have_are_refused(void **state) {
    (void)state;
    static const char *const names[][2] = {{"infringement", "infringement"},
                                           {"infring\xff", "restricted"},
                                           {"tab\t", "restricted"}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++) {
        struct ampel_error error = {0};
        sent = (struct ampel_message){.kind = AMPEL_MESSAGE_CHANGE};
        fill_change(&sent.change);
        sent.change.caps_names[0] = ampel_text_of(names[i][0]);
        sent.change.caps_names[1] = ampel_text_of(names[i][1]);
        uint32_t size = ampel_message_encode(&sent, encoded, sizeof encoded);
        assert_false(ampel_message_decode(decoder, encoded, size, &found, &error));
        assert_string_equal(error.field, "caps");
    }
}

static void an_older_worker_does_not_say_where_its_epoch_begins(void **state) {
    (void)state;
    sent.kind = AMPEL_MESSAGE_WATCHING;
    sent.watching = (struct ampel_message_watching){ampel_text_of("agency"), AMPEL_STREAM_ALERTS,
                                                    3, 78, 77};
    uint32_t size = there_and_back();
    struct ampel_error error = {0};
    /* Its last key, as if it were one that nobody knows. */
    uint8_t *since = block + size - strlen("since") - 1;
    assert_memory_equal(since, "since", 5);
    *since = '?';
    assert_true(ampel_message_decode(decoder, block, size, &found, &error));
    assert_int_equal(found.watching.since, 0);
    assert_int_equal(found.watching.next, 78);
}

/* Each key of each message in turn becomes one that nobody knows, so that it is missing. */
static void a_missing_key_is_named(void **state) {
    (void)state;
    static const struct {
        enum ampel_message_kind kind;
        const char *keys;
    } messages[] = {
        {AMPEL_MESSAGE_HELLO, "producer"},
        {AMPEL_MESSAGE_WELCOME, "tenant producer next credit done now"},
        {AMPEL_MESSAGE_ACK, "producer seq accepted duplicate next refused"},
        {AMPEL_MESSAGE_BACK, "reason text retry_ms"},
        {AMPEL_MESSAGE_WATCH, "stream from"},
        {AMPEL_MESSAGE_WATCHING, "tenant stream epoch next"},
        {AMPEL_MESSAGE_CHANGE,
         "stream epoch number id kind tenant seller marketplace before after cause rules_version"},
        {AMPEL_MESSAGE_BEAT, "now"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(messages); i++) {
        char keys[200];
        snprintf(keys, sizeof keys, "%s", messages[i].keys);
        for (char *key = strtok(keys, " "); key != NULL; key = strtok(NULL, " ")) {
            struct ampel_error error = {0};
            memset(&sent, 0, sizeof sent);
            sent.kind = messages[i].kind;
            if (sent.kind == AMPEL_MESSAGE_HELLO) sent.hello.producer = ampel_text_of("p");
            if (sent.kind == AMPEL_MESSAGE_WELCOME)
                sent.welcome.tenant = sent.welcome.producer = ampel_text_of("p");
            if (sent.kind == AMPEL_MESSAGE_ACK) sent.ack.producer = ampel_text_of("p");
            if (sent.kind == AMPEL_MESSAGE_BACK) sent.back.producer = ampel_text_of("p");
            if (sent.kind == AMPEL_MESSAGE_WATCHING) sent.watching.tenant = ampel_text_of("p");
            if (sent.kind == AMPEL_MESSAGE_CHANGE) fill_change(&sent.change);
            uint32_t size = there_and_back();
            char packed[32];
            size_t length = strlen(key);
            snprintf(packed, sizeof packed, "%c%s", (char)(0xa0 | length), key);
            uint8_t *place = NULL;
            for (uint32_t at = 0; at + length + 1 <= size && place == NULL; at++)
                if (memcmp(block + at, packed, length + 1) == 0) place = block + at;
            assert_non_null(place);
            place[1] = '?';
            assert_false(ampel_message_decode(decoder, block, size, &found, &error));
            if (strcmp(error.field, key) != 0)
                fail_msg("%s is missing, but %s is blamed", key, error.field);
        }
    }
}

static void no_damage_to_a_message_does_harm(void **state) {
    (void)state;
    sent.kind = AMPEL_MESSAGE_CHANGE;
    fill_change(&sent.change);
    uint32_t size = there_and_back(), refused = 0;
    for (uint32_t i = 0; i < size; i++) {
        for (uint32_t value = 0; value < 256; value++) {
            struct ampel_error error = {0};
            uint8_t kept = block[i];
            block[i] = (uint8_t)value;
            refused += !ampel_message_decode(decoder, block, size, &found, &error);
            block[i] = kept;
        }
    }
    assert_true(refused > size * 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_says_its_producer),
        cmocka_unit_test(welcome_lists_what_is_done),
        cmocka_unit_test(ack_tells_each_refusal),
        cmocka_unit_test(back_names_every_reason_and_shows_only_printable_text),
        cmocka_unit_test(watch_watching_and_beat_come_back),
        cmocka_unit_test(an_older_worker_does_not_say_where_its_epoch_begins),
        cmocka_unit_test(every_kind_of_change_and_cause_comes_back),
        cmocka_unit_test(signals_that_no_engine_names_are_refused),
        cmocka_unit_test(json_of_a_change_reads_as_documented),
        cmocka_unit_test(the_json_of_a_row_is_its_cause_and_for_a_takeover_its_signals),
        cmocka_unit_test(the_id_of_a_change_follows_its_cause_and_nothing_else),
        cmocka_unit_test(a_batch_is_told_from_a_message_by_its_keys),
        cmocka_unit_test(newer_versions_and_unknown_messages_are_refused_by_name),
        cmocka_unit_test(cap_groups_that_no_rules_can_have_are_refused),
        cmocka_unit_test(a_missing_key_is_named),
        cmocka_unit_test(no_damage_to_a_message_does_harm),
    };
    decoder = ampel_message_decoder_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ampel_message_decoder_close(decoder);
    free(block);
    return failed;
}

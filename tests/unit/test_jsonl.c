/* JSON Lines (proto/jsonl.h): strict in, the same names out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/jsonl.h"
#include "proto/jsonl_flat.h"
#include "proto/text.h"

#define ACCOUNT "\"tenant\":\"t\",\"seller\":\"s\",\"marketplace\":\"m\","
static const struct ampel_text none = {NULL, 0};

static enum ampel_verdict decode(const char *line, struct ampel_jsonl_event *out,
                                 struct ampel_error *error) {
    *error = (struct ampel_error){0};
    return ampel_jsonl_decode(ampel_text_of(line), INT64_MIN, none, out, error);
}

/* One line of each type with every field, as encode writes it. */
static const char *const full_lines[] = {
    "{" ACCOUNT "\"type\":\"order\",\"at\":\"2026-10-01T12:34:56.789Z\",\"count\":7}\n",
    "{" ACCOUNT
    "\"type\":\"orders_day\",\"at\":\"2026-10-01T12:34:56.789Z\",\"total\":0,\"rev\":255}\n",
    "{" ACCOUNT "\"type\":\"violation\",\"at\":\"2026-10-01T12:34:56.789Z\",\"id\":\"v/1\","
    "\"policy\":\"fair_pricing\",\"severity\":\"none\",\"points\":0,\"rev\":65535,"
    "\"asin\":\"B000000001\",\"sku\":\"S-1\",\"at_risk_sales\":\"1234.50\",\"incident\":"
    "\"i\\\"\\\\1\"}\n",
    "{" ACCOUNT "\"type\":\"violation_state\",\"at\":\"2026-10-01T12:34:56.789Z\",\"id\":\"v1\","
    "\"state\":\"approved\"}\n",
    "{" ACCOUNT "\"type\":\"account_status\",\"at\":\"2026-10-01T12:34:56.789Z\","
    "\"status\":\"deactivated\"}\n",
    "{" ACCOUNT "\"type\":\"observed\",\"at\":\"2026-10-01T12:34:56.789Z\",\"score\":428,"
    "\"status\":\"normal\",\"counts\":{\"suspected_ip\":3,\"fair_pricing\":0}}\n",
    "{" ACCOUNT "\"type\":\"signal\",\"at\":\"2026-10-01T12:34:56.789Z\",\"kind\":\"price_cut\","
    "\"value\":-5,\"detail\":\"\xc3\xbc \\\"quoted\\\"\"}\n",
    "{" ACCOUNT "\"type\":\"maintenance\",\"at\":\"2026-10-01T12:34:56.789Z\","
    "\"until\":\"2026-10-02T00:00:00.000Z\",\"kinds\":[\"bulk_new_listings\",\"price_cut\"]}\n",
    "{" ACCOUNT "\"type\":\"incident\",\"at\":\"2026-10-01T12:34:56.789Z\",\"id\":\"i1\","
    "\"phase\":\"contained\",\"compromised_from\":\"2026-09-01T00:00:00.000Z\"}\n",
    "{" ACCOUNT "\"type\":\"profile\",\"at\":\"2026-10-01T12:34:56.789Z\",\"professional\":true,"
    "\"emergency_phone\":false}\n",
    "{" ACCOUNT "\"type\":\"orders_cancelled\",\"at\":\"2026-10-01T12:34:56.789Z\",\"count\":2}\n",
    "{" ACCOUNT "\"type\":\"listing\",\"at\":\"2026-10-01T12:34:56.789Z\",\"change\":\"price\","
    "\"count\":3,\"product_type\":\"SHOES\",\"price_permille\":330,\"handling_days\":14}\n",
    "{" ACCOUNT
    "\"type\":\"metric\",\"at\":\"2026-10-01T12:34:56.789Z\",\"name\":\"lateShipmentRate\","
    "\"value_ppm\":34900,\"target_ppm\":40000,\"condition\":\"less_than\",\"state\":\"good\"}\n",
    "{" ACCOUNT
    "\"type\":\"hint\",\"at\":\"2026-10-01T12:34:56.789Z\",\"asin\":\"B1\",\"sku\":\"S\","
    "\"actions\":[\"SEARCH_SUPPRESSED\",\"ATTRIBUTE_SUPPRESSED\"]}\n",
    "{" ACCOUNT "\"type\":\"day_mark\",\"at\":\"2026-10-01T12:34:56.789Z\",\"lowest\":0}\n",
    "{" ACCOUNT "\"type\":\"case_clock\",\"at\":\"2026-10-01T12:34:56.789Z\",\"id\":\"i1\","
    "\"clock\":\"letter\",\"until\":\"2026-10-15T00:00:00.000Z\",\"settled\":true}\n",
};

static void every_field_of_every_type_survives_there_and_back(void **state) {
    (void)state;
    struct ampel_jsonl_event event;
    struct ampel_error error;
    uint64_t types = 0;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(full_lines); i++) {
        char line[AMPEL_JSONL_LINE_MAX];
        if (decode(full_lines[i], &event, &error) != AMPEL_VERDICT_OK)
            fail_msg("%s%s: %s", full_lines[i], error.field, error.reason);
        types |= UINT64_C(1) << event.event.type;
        uint32_t size = ampel_jsonl_encode(event.tenant, event.seller, event.marketplace,
                                           &event.event, line, sizeof line);
        assert_int_equal(size, strlen(full_lines[i]));
        assert_memory_equal(line, full_lines[i], size);
        assert_int_equal(ampel_jsonl_encode(event.tenant, event.seller, event.marketplace,
                                            &event.event, line, size - 1),
                         0);
    }
    assert_int_equal(types, (UINT64_C(1) << AMPEL_EVENT_TYPES_COUNT) - 1);
}

static void the_full_lines_hold_every_field_of_the_table(void **state) {
    (void)state;
    for (uint32_t i = 0; i < ampel_fields_count; i++) {
        char key[80];
        snprintf(key, sizeof key, "\"%s\":", ampel_fields[i].name);
        const char *line = full_lines[ampel_fields[i].type];
        if (strstr(line, key) == NULL) fail_msg("no %s in %s", key, line);
    }
}

static void absent_fields_mean_their_defaults(void **state) {
    (void)state;
    struct ampel_jsonl_event event;
    struct ampel_error error;
    assert_int_equal(decode("{" ACCOUNT "\"type\":\"order\",\"at\":5}", &event, &error), 0);
    assert_int_equal(event.event.count, 1);
    assert_int_equal(event.event.at_ms, 5);
    assert_int_equal(
        decode("{" ACCOUNT "\"type\":\"orders_day\",\"at\":5,\"total\":9}", &event, &error), 0);
    assert_int_equal(event.event.rev, 1);
    assert_int_equal(decode("{" ACCOUNT "\"type\":\"violation\",\"at\":5,\"id\":\"v\","
                            "\"policy\":\"suspected_ip\"}",
                            &event, &error),
                     0);
    assert_int_equal(event.event.rev, 0);
    assert_int_equal(event.event.severity, -1);
    assert_int_equal(event.event.points, -1);
    assert_int_equal(event.event.code, AMPEL_CODE_NONE);
    /* A default that is written out is the same event, byte for byte. */
    struct ampel_jsonl_event written;
    assert_int_equal(
        decode("{" ACCOUNT "\"type\":\"maintenance\",\"at\":5,\"until\":6}", &event, &error), 0);
    assert_int_equal(decode("{" ACCOUNT "\"type\":\"maintenance\",\"at\":5,\"until\":6,"
                            "\"kinds\":\"all\"}",
                            &written, &error),
                     0);
    assert_int_equal(event.event.extras_size, written.event.extras_size);
}

static void amounts_are_read_to_the_cent_in_each_of_their_forms(void **state) {
    (void)state;
    static const struct {
        const char *written;
        int64_t cents;
    } amounts[] = {
        {"0", 0},
        {"12", 1200},
        {"12.3", 1230},
        {"12.34", 1234},
        {"0.1", 10},
        {"1e2", 10000},
        {"\"12\"", 1200},
        {"\"12.3\"", 1230},
        {"\"12.34\"", 1234},
        {"\"0.00\"", 0},
        {"9999999999999", 999999999999900},
        {"9999999999.99", 999999999999},
    };
    static const char *const wrong[] = {
        "-1",     "-0.01", "12.345",   "\"12.345\"",         "\"12.\"",
        "\".5\"", "\"\"",  "\"1,50\"", "\"12 EUR\"",         "true",
        "null",   "[1]",   "1e20",     "\"99999999999999\"", "10000000000001"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(amounts) + AMPEL_ARRAY_COUNT(wrong); i++) {
        struct ampel_jsonl_event event;
        struct ampel_error error;
        bool right = i < AMPEL_ARRAY_COUNT(amounts);
        const char *written = right ? amounts[i].written : wrong[i - AMPEL_ARRAY_COUNT(amounts)];
        char line[256];
        snprintf(line, sizeof line,
                 "{" ACCOUNT "\"type\":\"violation\",\"at\":5,\"id\":\"v\","
                 "\"policy\":\"suspected_ip\",\"at_risk_sales\":%s}",
                 written);
        enum ampel_verdict verdict = decode(line, &event, &error);
        if ((verdict == AMPEL_VERDICT_OK) != right) fail_msg("%s: %s", line, error.reason);
        int64_t cents = -1;
        if (!right) {
            assert_string_equal(error.field, "at_risk_sales");
        } else {
            assert_true(ampel_extra_number(&event.event, AMPEL_EXTRA_AT_RISK_SALES, &cents));
            assert_int_equal(cents, amounts[i].cents);
        }
    }
}

struct wrong {
    const char *line;
    enum ampel_verdict verdict;
    const char *field;
};

#define ORDER     ACCOUNT "\"type\":\"order\",\"at\":5"
#define VIOLATION ACCOUNT "\"type\":\"violation\",\"at\":5,\"id\":\"v\",\"policy\":\"suspected_ip\""
#define FIFTY "12345678901234567890123456789012345678901234567890"

static void what_is_wrong_is_named(void **state) {
    (void)state;
    static const struct wrong wrongs[] = {
        {"", AMPEL_VERDICT_BAD_VALUE, ""},
        {"{", AMPEL_VERDICT_BAD_VALUE, ""},
        {"[]", AMPEL_VERDICT_BAD_VALUE, ""},
        {"7", AMPEL_VERDICT_BAD_VALUE, ""},
        {"{" ORDER "} x", AMPEL_VERDICT_BAD_VALUE, ""},
        {"{" ORDER ",\"count\":1,\"count\":1}", AMPEL_VERDICT_BAD_VALUE, ""},
        {"{\"seller\":\"s\",\"marketplace\":\"m\",\"type\":\"order\",\"at\":5}",
         AMPEL_VERDICT_MISSING, "tenant"},
        {"{\"tenant\":\"t\",\"marketplace\":\"m\",\"type\":\"order\",\"at\":5}",
         AMPEL_VERDICT_MISSING, "seller"},
        {"{\"tenant\":\"t\",\"seller\":\"a/b\",\"marketplace\":\"m\",\"type\":\"order\",\"at\":5}",
         AMPEL_VERDICT_BAD_ACCOUNT, "seller"},
        {"{\"tenant\":\"t\",\"seller\":\"s\",\"marketplace\":\"\",\"type\":\"order\",\"at\":5}",
         AMPEL_VERDICT_BAD_ACCOUNT, "marketplace"},
        {"{\"tenant\":7,\"seller\":\"s\",\"marketplace\":\"m\",\"type\":\"order\",\"at\":5}",
         AMPEL_VERDICT_BAD_VALUE, "tenant"},
        {"{" ACCOUNT "\"at\":5}", AMPEL_VERDICT_MISSING, "type"},
        {"{" ACCOUNT "\"type\":\"Order\",\"at\":5}", AMPEL_VERDICT_BAD_TYPE, "type"},
        {"{" ACCOUNT "\"type\":0,\"at\":5}", AMPEL_VERDICT_BAD_TYPE, "type"},
        {"{" ACCOUNT "\"type\":\"order\"}", AMPEL_VERDICT_MISSING, "at"},
        {"{" ACCOUNT "\"type\":\"order\",\"at\":5.0}", AMPEL_VERDICT_BAD_VALUE, "at"},
        {"{" ACCOUNT "\"type\":\"order\",\"at\":-1}", AMPEL_VERDICT_OUT_OF_RANGE, "at"},
        {"{" ACCOUNT "\"type\":\"order\",\"at\":\"yesterday\"}", AMPEL_VERDICT_BAD_VALUE, "at"},
        {"{" ACCOUNT "\"type\":\"order\",\"at\":null}", AMPEL_VERDICT_BAD_VALUE, "at"},
        {"{" ORDER ",\"count\":0}", AMPEL_VERDICT_OUT_OF_RANGE, "count"},
        {"{" ORDER ",\"count\":16777216}", AMPEL_VERDICT_OUT_OF_RANGE, "count"},
        {"{" ORDER ",\"count\":5.0}", AMPEL_VERDICT_BAD_VALUE, "count"},
        {"{" ORDER ",\"count\":\"5\"}", AMPEL_VERDICT_BAD_VALUE, "count"},
        {"{" ORDER ",\"count\":null}", AMPEL_VERDICT_BAD_VALUE, "count"},
        {"{" ORDER ",\"count\":99999999999999999999}", AMPEL_VERDICT_BAD_VALUE, ""},
        {"{" ORDER ",\"quantity\":5}", AMPEL_VERDICT_UNKNOWN_FIELD, "quantity"},
        {"{" ORDER ",\"points\":5}", AMPEL_VERDICT_UNKNOWN_FIELD, "points"},
        {"{" ACCOUNT "\"type\":\"orders_day\",\"at\":5}", AMPEL_VERDICT_MISSING, "total"},
        {"{" ACCOUNT "\"type\":\"orders_day\",\"at\":5,\"total\":0,\"rev\":256}",
         AMPEL_VERDICT_OUT_OF_RANGE, "rev"},
        {"{" ACCOUNT "\"type\":\"violation\",\"at\":5,\"id\":\"v\"}", AMPEL_VERDICT_MISSING,
         "policy"},
        {"{" ACCOUNT "\"type\":\"violation\",\"at\":5,\"policy\":\"suspected_ip\"}",
         AMPEL_VERDICT_MISSING, "id"},
        {"{" ACCOUNT "\"type\":\"violation\",\"at\":5,\"id\":\"v\",\"policy\":\"theft\"}",
         AMPEL_VERDICT_UNKNOWN_NAME, "policy"},
        {"{" VIOLATION ",\"severity\":\"High\"}", AMPEL_VERDICT_UNKNOWN_NAME, "severity"},
        {"{" VIOLATION ",\"severity\":3}", AMPEL_VERDICT_BAD_VALUE, "severity"},
        {"{" VIOLATION ",\"points\":1001}", AMPEL_VERDICT_OUT_OF_RANGE, "points"},
        {"{" VIOLATION ",\"points\":-1}", AMPEL_VERDICT_OUT_OF_RANGE, "points"},
        {"{" VIOLATION ",\"rev\":65536}", AMPEL_VERDICT_OUT_OF_RANGE, "rev"},
        {"{" VIOLATION ",\"asin\":\"a b\"}", AMPEL_VERDICT_BAD_TEXT, "asin"},
        {"{" VIOLATION ",\"sku\":\"\"}", AMPEL_VERDICT_BAD_TEXT, "sku"},
        {"{" ACCOUNT "\"type\":\"observed\",\"at\":5,\"counts\":{\"theft\":1}}",
         AMPEL_VERDICT_UNKNOWN_NAME, "counts"},
        {"{" ACCOUNT "\"type\":\"observed\",\"at\":5,\"counts\":{\"suspected_ip\":-1}}",
         AMPEL_VERDICT_OUT_OF_RANGE, "counts"},
        {"{" ACCOUNT "\"type\":\"observed\",\"at\":5,\"counts\":[1]}", AMPEL_VERDICT_BAD_VALUE,
         "counts"},
        {"{" ACCOUNT "\"type\":\"maintenance\",\"at\":5,\"until\":6,\"kinds\":[]}",
         AMPEL_VERDICT_BAD_VALUE, "kinds"},
        {"{" ACCOUNT "\"type\":\"maintenance\",\"at\":5,\"until\":6,\"kinds\":[\"x\"]}",
         AMPEL_VERDICT_UNKNOWN_NAME, "kinds"},
        {"{" ACCOUNT "\"type\":\"maintenance\",\"at\":5,\"until\":\"soon\"}",
         AMPEL_VERDICT_BAD_VALUE, "until"},
        {"{" ACCOUNT "\"type\":\"profile\",\"at\":5,\"professional\":1}", AMPEL_VERDICT_BAD_VALUE,
         "professional"},
        {"{" ACCOUNT "\"type\":\"hint\",\"at\":5,\"actions\":[\"a,b\"]}", AMPEL_VERDICT_BAD_TEXT,
         "actions"},
        {"{" ACCOUNT "\"type\":\"hint\",\"at\":5,\"actions\":[\"" FIFTY "\",\"" FIFTY "\",\"" FIFTY "\",\"" FIFTY "\"]}",
         AMPEL_VERDICT_BAD_TEXT, "actions"},
        {"{" ACCOUNT "\"type\":\"metric\",\"at\":5,\"name\":\"odr\",\"condition\":7}", AMPEL_VERDICT_BAD_VALUE,
         "condition"},
        {"{" ACCOUNT "\"type\":\"signal\",\"at\":5,\"kind\":\"price_cut\",\"detail\":\"a\\nb\"}",
         AMPEL_VERDICT_BAD_TEXT, "detail"},
        {"{" ACCOUNT "\"type\":\"day_mark\",\"at\":5,\"lowest\":1001}", AMPEL_VERDICT_OUT_OF_RANGE,
         "lowest"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(wrongs); i++) {
        struct ampel_jsonl_event event;
        struct ampel_error error;
        enum ampel_verdict verdict = decode(wrongs[i].line, &event, &error);
        if (verdict != wrongs[i].verdict || strcmp(error.field, wrongs[i].field) != 0)
            fail_msg("%s: %s, '%s', %s", wrongs[i].line, ampel_verdict_name((uint8_t)verdict),
                     error.field, error.reason);
        assert_true(error.reason[0] != 0);
    }
}

static void future_and_ancient_are_judged_by_sent_at_to_the_millisecond(void **state) {
    (void)state;
    const int64_t sent_at_ms = INT64_C(1790858096789);
    struct ampel_jsonl_event event;
    struct ampel_error error;
    static const struct {
        int64_t off_ms;
        const char *type;
        enum ampel_verdict verdict;
    } cases[] = {
        {AMPEL_FUTURE_SLACK_MS, "\"order\"", AMPEL_VERDICT_OK},
        {AMPEL_FUTURE_SLACK_MS + 1, "\"order\"", AMPEL_VERDICT_FUTURE},
        {-2 * AMPEL_WINDOW_MS, "\"order\"", AMPEL_VERDICT_OK},
        {-2 * AMPEL_WINDOW_MS - 1, "\"order\"", AMPEL_VERDICT_ANCIENT},
        {-2 * AMPEL_WINDOW_MS - 1, "\"orders_cancelled\"", AMPEL_VERDICT_OK},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        char line[200];
        snprintf(line, sizeof line, "{" ACCOUNT "\"type\":%s,\"at\":%lld}", cases[i].type,
                 (long long)(sent_at_ms + cases[i].off_ms));
        assert_int_equal(ampel_jsonl_decode(ampel_text_of(line), sent_at_ms, none, &event, &error),
                         cases[i].verdict);
        assert_int_equal(ampel_jsonl_decode(ampel_text_of(line), INT64_MIN, none, &event, &error),
                         AMPEL_VERDICT_OK);
    }
}

static void the_tenant_may_come_from_elsewhere_and_the_line_wins(void **state) {
    (void)state;
    struct ampel_jsonl_event event;
    struct ampel_error error;
    const struct ampel_text fallback = ampel_text_of("agency");
    struct ampel_text line =
        ampel_text_of("{\"seller\":\"s\",\"marketplace\":\"m\",\"type\":\"order\",\"at\":5}");
    assert_int_equal(ampel_jsonl_decode(line, INT64_MIN, fallback, &event, &error), 0);
    assert_true(ampel_text_is(event.tenant, "agency"));
    line = ampel_text_of("{" ORDER "}");
    assert_int_equal(ampel_jsonl_decode(line, INT64_MIN, fallback, &event, &error), 0);
    assert_true(ampel_text_is(event.tenant, "t"));
}

static void a_copy_stands_on_its_own(void **state) {
    (void)state;
    struct ampel_jsonl_event *first = calloc(1, sizeof *first), copy;
    struct ampel_error error;
    assert_int_equal(decode("{" VIOLATION "}", first, &error), 0);
    ampel_jsonl_event_copy(&copy, first);
    memset(first, 0xff, sizeof *first);
    free(first);
    assert_true(ampel_text_is(copy.seller, "s"));
    assert_true(ampel_text_is(ampel_extra_text(&copy.event, AMPEL_EXTRA_ID), "v"));
    first = calloc(1, sizeof *first);
    assert_int_equal(decode("{" ORDER "}", first, &error), 0);
    ampel_jsonl_event_copy(&copy, first);
    free(first);
    assert_true(ampel_text_is(copy.marketplace, "m"));
    assert_int_equal(copy.event.extras_size, 0);
}

static void no_damage_to_a_line_does_harm(void **state) {
    (void)state;
    struct ampel_jsonl_event event;
    struct ampel_error error;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(full_lines); i++) {
        size_t size = strlen(full_lines[i]);
        for (size_t at = 0; at < size; at++) {
            char *line = malloc(size);
            memcpy(line, full_lines[i], size);
            line[at] = (char)(line[at] ^ (1 << (at % 8)));
            struct ampel_text text = {line, (uint32_t)size};
            if (ampel_jsonl_decode(text, 0, none, &event, &error) != AMPEL_VERDICT_OK) refused++;
            text.size = (uint32_t)at;
            if (ampel_jsonl_decode(text, 0, none, &event, &error) != AMPEL_VERDICT_OK) refused++;
            free(line);
        }
    }
    assert_true(refused > 1000);
}

/* ---- two readers ---------------------------------------------------------------------------- */

/* Lines at the edge between what is read in place and what is left to jansson: `flat` says on which side each lies. */
static const struct {
    bool flat;
    const char *line;
} edges[] = {
    {true, "{" ACCOUNT "\"type\":\"order\",\"at\":1790858096789}"},
    {true, " {\t" ACCOUNT " \"type\" : \"order\" , \"at\":\"2026-10-01T12:34:56Z\",\"count\":12 }"},
    {true, "{" ACCOUNT "\"type\":\"profile\",\"at\":1,\"professional\":true,\"emergency_phone\":false}\r"},
    {true, "{\"seller\":\"12345678\",\"tenant\":\"t\",\"marketplace\":\"m\",\"at\":1,\"type\":\"order\",\"count\":16777215}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":01}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":1.0}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":1e0}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":-0}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":9223372036854775808}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":1,\"count\":1}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"at\":1}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":null}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"count\":truest}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1}}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1"},
    {false, "{" ACCOUNT "\"type\":\"order\" \"at\":1}"},
    {false, "{" ACCOUNT "\"type\":\"ord\\u0065r\",\"at\":1}"},
    {false, "{" ACCOUNT "\"type\":\"signal\",\"at\":1,\"kind\":\"price_cut\",\"detail\":\"\xc3\xbc\"}"},
    {false, "{" ACCOUNT "\"type\":\"signal\",\"at\":1,\"kind\":\"price_cut\",\"detail\":\"\xc3\"}"},
    {false, "{" ACCOUNT "\"type\":\"signal\",\"at\":1,\"kind\":\"price_cut\",\"detail\":\"a\tb\"}"},
    {false, "{" ACCOUNT "\"type\":\"order\",\"at\":1,\"colour\":1}"},
    {false, "{" ACCOUNT "\"type\":\"order\"}"},
    {false, "{\"type\":\"order\",\"at\":1}"},
    {false, "{}"},
    {false, "["},
};

static void a_line_means_the_same_to_both_readers_and_the_edge_between_them_is_where_it_was(void **state) {
    (void)state;
    static struct ampel_jsonl_event one, other, flat;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(edges); i++) {
        struct ampel_text line = ampel_text_of(edges[i].line);
        struct ampel_error error = {0}, whole_error = {0};
        enum ampel_verdict verdict = ampel_jsonl_decode(line, INT64_MIN, none, &one, &error);
        enum ampel_verdict whole = ampel_jsonl_decode_whole(line, INT64_MIN, none, &other, &whole_error);
        if (verdict != whole)
            fail_msg("line %u: %s, whole %s", i, ampel_verdict_name((uint8_t)verdict), ampel_verdict_name((uint8_t)whole));
        assert_string_equal(error.reason, whole_error.reason);
        assert_string_equal(error.field, whole_error.field);
        if (ampel_jsonl_flat(line, INT64_MIN, none, &flat) != edges[i].flat) fail_msg("line %u: flat or not", i);
        if (verdict != AMPEL_VERDICT_OK) continue;
        assert_true(ampel_text_equal(one.seller, other.seller));
        assert_int_equal(one.event.at_ms, other.event.at_ms);
        assert_int_equal(one.event.count, other.event.count);
        assert_int_equal(one.event.extras_size, other.event.extras_size);
        if (one.event.extras_size > 0)
            assert_memory_equal(one.event.extras, other.event.extras, one.event.extras_size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_every_type_survives_there_and_back),
        cmocka_unit_test(the_full_lines_hold_every_field_of_the_table),
        cmocka_unit_test(absent_fields_mean_their_defaults),
        cmocka_unit_test(amounts_are_read_to_the_cent_in_each_of_their_forms),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(future_and_ancient_are_judged_by_sent_at_to_the_millisecond),
        cmocka_unit_test(the_tenant_may_come_from_elsewhere_and_the_line_wins),
        cmocka_unit_test(a_copy_stands_on_its_own),
        cmocka_unit_test(no_damage_to_a_line_does_harm),
        cmocka_unit_test(a_line_means_the_same_to_both_readers_and_the_edge_between_them_is_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Seller performance reports: what they become, and that a broken field is named and yields
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/document.h"

#define BYTES_MAX (64 * 1024)

static char document[BYTES_MAX], changed[BYTES_MAX], expected[BYTES_MAX];
static char told[BYTES_MAX]; /* the events as lines, terminated */
static size_t told_size;
static struct ampel_document_counts counts;
static struct ampel_error error;

static const struct ampel_document_account account = {
    .tenant = {"nordlicht", 9}, .seller = {"A2QUAYSIDE41", 12}, .marketplace = {NULL, 0}};

static void take(void *context, const struct ampel_jsonl_event *event) {
    assert_ptr_equal(context, told);
    told_size += ampel_jsonl_encode(event->tenant, event->seller, event->marketplace, &event->event,
                                    told + told_size, (uint32_t)(BYTES_MAX - told_size - 1));
    told[told_size] = '\0';
}

static void read_file(const char *name, char *into) {
    char path[512];
    snprintf(path, sizeof(path), "%s/tests/documents/%s", AMPEL_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(into, 1, BYTES_MAX - 1, file);
    fclose(file);
    assert_true(size > 0);
    into[size] = '\0';
}

static bool report_of(const char *text, int64_t at_ms,
                      const struct ampel_document_account *of_account) {
    told_size = 0;
    told[0] = '\0';
    memset(&counts, 0, sizeof(counts));
    memset(&error, 0, sizeof(error));
    return ampel_document_report((struct ampel_text){text, (uint32_t)strlen(text)}, at_ms,
                                 of_account, take, told, &counts, &error);
}

static void assert_report_becomes(const char *name, const char *expected_name) {
    read_file(name, document);
    read_file(expected_name, expected);
    if (!report_of(document, INT64_MIN, &account))
        fail_msg("%s: %s: %s", name, error.field, error.reason);
    assert_string_equal(told, expected);
    uint32_t lines = 0;
    for (const char *byte = expected; *byte != '\0'; byte++)
        lines += *byte == '\n';
    assert_int_equal(counts.events, lines);
}

static void report_of_the_published_schema_becomes_events(void **state) {
    (void)state;
    assert_report_becomes("report_schema.json", "report_schema.expected.jsonl");
}

static void live_report_with_score_warnings_and_many_time_shapes_becomes_events(void **state) {
    (void)state;
    assert_report_becomes("report_live.json", "report_live.expected.jsonl");
}

static void given_time_stands_for_all_events_of_a_report(void **state) {
    (void)state;
    read_file("report_schema.json", document);
    assert_true(report_of(document, 1789430400000, &account));
    assert_int_equal(counts.events, 6);
    uint32_t stamped = 0;
    for (const char *at = told; (at = strstr(at, "\"at\":\"2026-09-15T00:00:00.000Z\"")); at++)
        stamped++;
    assert_int_equal(stamped, 6);
}

/* The live report with the first `from` replaced. */
static void change(const char *from, const char *to) {
    read_file("report_live.json", document);
    const char *place = strstr(document, from);
    assert_non_null(place);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - document), document, to,
             place + strlen(from));
}

static void assert_change_refused(const char *from, const char *to, const char *field,
                                  const char *reason) {
    change(from, to);
    assert_false(report_of(changed, INT64_MIN, &account));
    if (strcmp(error.field, field) != 0 || strstr(error.reason, reason) == NULL)
        fail_msg("expected %s: %s, got %s: %s", field, reason, error.field, error.reason);
    assert_string_equal(told, "");
    assert_int_equal(counts.events, 0);
}

static void assert_change_accepted(const char *from, const char *to) {
    change(from, to);
    if (!report_of(changed, INT64_MIN, &account))
        fail_msg("%s: %s: %s", to, error.field, error.reason);
}

static void broken_field_is_named_by_its_path_and_nothing_is_told(void **state) {
    (void)state;
    assert_change_refused("\"AT_RISK\"", "\"FINE\"", "accountStatuses[0].status",
                          "must be NORMAL, AT_RISK, DEACTIVATED or SUSPENDED");
    assert_change_refused("\"AT_RISK\"", "3", "accountStatuses[0].status",
                          "must be a text, is a whole number");
    assert_change_refused(", \"status\": \"AT_RISK\"", "", "accountStatuses[0].status",
                          "is missing");
    assert_change_refused("\"marketplaceId\": \"A1PA6795UKMFR9\", ", "",
                          "accountStatuses[0].marketplaceId", "is missing");
    assert_change_refused("\"A1PA6795UKMFR9\"", "\"with space\"",
                          "accountStatuses[0].marketplaceId", "without space");
    assert_change_refused("\"ahrScore\": 164", "\"ahrScore\": 1001",
                          "performanceMetrics[0].accountHealthRating.ahrScore", "0 to 1000");
    assert_change_refused("\"ahrScore\": 164", "\"ahrScore\": -1",
                          "performanceMetrics[0].accountHealthRating.ahrScore", "0 to 1000");
    assert_change_refused("\"ahrScore\": 164", "\"ahrScore\": 164.5",
                          "performanceMetrics[0].accountHealthRating.ahrScore", "0 to 1000");
    assert_change_refused(
        "\"defectsCount\": 3", "\"defectsCount\": \"3\"",
        "performanceMetrics[0].receivedIntellectualPropertyComplaints.defectsCount",
        "whole number");
    assert_change_refused(
        "\"defectsCount\": 3, ", "",
        "performanceMetrics[0].receivedIntellectualPropertyComplaints.defectsCount", "is missing");
    assert_change_refused("\"warningsCount\": 4", "\"warningsCount\": -4",
                          "performanceMetrics[0].policyViolationWarnings.warningsCount",
                          "whole number");
    assert_change_refused("\"productSafetyCustomerComplaints\": null",
                          "\"productSafetyCustomerComplaints\": 3",
                          "performanceMetrics[0].productSafetyCustomerComplaints",
                          "must be an object, is a whole number");
    assert_change_refused("\"rate\": 0.0016196", "\"rate\": \"0.2 %\"",
                          "performanceMetrics[0].orderDefectRate.afn.rate", "must be a number");
    assert_change_refused("\"rate\": 0.0016196", "\"rate\": -0.1",
                          "performanceMetrics[0].orderDefectRate.afn.rate", "0 or more");
    assert_change_refused("\"GREATER_THAN\"", "\"ABOVE\"",
                          "performanceMetrics[0].validTrackingRate.targetCondition", "LESS_THAN");
    assert_change_refused("\"warningsCount\": 4, \"status\": \"BAD\"",
                          "\"warningsCount\": 4, \"status\": \"POOR\"",
                          "performanceMetrics[0].policyViolationWarnings.status", "GOOD, BAD");
    assert_change_refused("\"lateShipmentRateList\": [", "\"lateShipmentRateList\": [7, ",
                          "performanceMetrics[0].lateShipmentRateList[0].reportingDateRange."
                          "reportingDateFrom",
                          "must be a time");
    assert_change_refused("2026-09-05T00:00Z", "2026-13-05T00:00Z",
                          "performanceMetrics[0].lateShipmentRateList[0].reportingDateRange."
                          "reportingDateFrom",
                          "must be a time");
    assert_change_refused("2026-09-14T23:59\"", "yesterday\"",
                          "performanceMetrics[0].customerProductReviewsPolicyViolations."
                          "reportingDateRange.reportingDateTo",
                          "must be a time");
    assert_change_refused("\"performanceMetrics\": [", "\"performanceMetrics\": [7, ",
                          "performanceMetrics[0]", "must be an object");
}

/* A report of one marketplace with these members, ' for ". */
static bool report_with(const char *members, int64_t at_ms) {
    int size = snprintf(changed, sizeof(changed), "{'performanceMetrics':[{'marketplaceId':'M1',%s}]}", members);
    for (int i = 0; i < size; i++)
        if (changed[i] == '\'') changed[i] = '"';
    return report_of(changed, at_ms, &account);
}

static void broken_member_is_named_even_where_no_document_had_it_so(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"'accountHealthRating':[]", "accountHealthRating", "must be an object, is a list"},
        {"'policyViolationWarnings':{'warningsCount':4,'status':'AWORDTHATISLONGERTHANANYNAMEOFTHEREGISTRYCANEVERBECOMEINALLITSLIFE'}",
         "policyViolationWarnings.status", "GOOD, BAD or NONE"},
        {"'orderDefectRate':3", "orderDefectRate", "must be an object"},
        {"'orderDefectRate':{'afn':3}", "orderDefectRate.afn", "must be an object"},
        {"'orderDefectRate':{'afn':{'status':'FINE'}}", "orderDefectRate.afn.status", "GOOD, BAD or NONE"},
        {"'validTrackingRate':{'targetCondition':5}", "validTrackingRate.targetCondition", "must be a text"},
        {"'validTrackingRate':{'targetValue':-1}", "validTrackingRate.targetValue", "0 or more"},
        {"'lateShipmentRateList':{}", "lateShipmentRateList", "must be a list, is an object"},
        {"'lateShipmentRateList':[{'reportingDateRange':{'reportingDateFrom':'2026-09-05'}}]",
         "lateShipmentRateList[0].reportingDateRange.reportingDateTo", "must be a time"},
        {"'lateShipmentRateList':[null,{'reportingDateRange':{'reportingDateFrom':'2026-09-05','reportingDateTo':'2026-09-04'}}]",
         "lateShipmentRateList[1].reportingDateRange.reportingDateTo", "must not be before"},
        {"'lateShipmentRateList':[{'reportingDateRange':{'reportingDateFrom':'2026-09-05','reportingDateTo':'2026-09-05'},'rate':-1}]",
         "lateShipmentRateList[0].rate", "0 or more"},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        char field[200];
        snprintf(field, sizeof(field), "performanceMetrics[0].%s", rows[i][1]);
        assert_false(report_with(rows[i][0], 1789430400000));
        if (strcmp(error.field, field) != 0 || strstr(error.reason, rows[i][2]) == NULL)
            fail_msg("%s: expected %s, got %s: %s", rows[i][0], rows[i][2], error.field, error.reason);
        assert_string_equal(told, "");
    }
    /* Where no time is given, ranges give it, and each must be one. */
    assert_false(report_with("'lateShipmentRateList':[7,{'reportingDateRange':{'reportingDateTo':'soon'}}]", INT64_MIN));
    assert_string_equal(error.field, "performanceMetrics[0].lateShipmentRateList[1].reportingDateRange.reportingDateTo");
    assert_string_equal(error.reason, "must be a time");
}

static void member_that_says_nothing_tells_nothing(void **state) {
    (void)state;
    static const char *const rows[] = {"'accountHealthRating':{}", "'accountHealthRating':null",
                                       "'orderDefectRate':{'afn':null}", "'lateShipmentRateList':[null]",
                                       "'policyViolationWarnings':{'status':'NONE'}"};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        if (!report_with(rows[i], 1789430400000)) fail_msg("%s: %s", error.field, error.reason);
        assert_string_equal(told, "");
    }
}

static void time_of_any_shape_is_the_same_instant_and_others_are_none(void **state) {
    (void)state;
    static const struct {
        const char *time, *at; /* NULL: none */
    } rows[] = {
        {"0", "1970-01-01T00:00:00.000Z"},
        {"-1", NULL},
        {"9999999999", NULL}, /* the year 2286 */
        {"10000000000", "1970-04-26T17:46:40.000Z"},
        {"1789430399", "2026-09-14T23:59:59.000Z"},
        {"1789430399000", "2026-09-14T23:59:59.000Z"},
        {"9007199254740993", NULL},
        {"'1789430399'", "2026-09-14T23:59:59.000Z"},
        {"'1789430399000'", "2026-09-14T23:59:59.000Z"},
        {"'178943039'", NULL},
        {"'17894303990000'", NULL},
        {"'20260914'", NULL},
        {"'2026-09-14'", "2026-09-14T23:59:59.999Z"},
        {"'2026-09-1x'", NULL},
        {"'2026-09-14T23:59:59'", "2026-09-14T23:59:59.000Z"},
        {"'2026-09-14T23:59:59+0100'", "2026-09-14T22:59:59.000Z"},
        {"'2026-09-14T23:59:59-0130'", "2026-09-15T01:29:59.000Z"},
        {"'2026-09-14T23:59:59*0100'", NULL},
        {"''", NULL},
        {"'2026-09-14T23:59:59.000000000000000000000000000000Z'", NULL},
        {"[]", NULL},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        char members[200], at[64];
        snprintf(members, sizeof(members),
                 "'accountHealthRating':{'ahrScore':300,'reportingDateRange':{'reportingDateTo':%s}}", rows[i].time);
        if (report_with(members, INT64_MIN) != (rows[i].at != NULL)) fail_msg("%s: %s", rows[i].time, error.reason);
        snprintf(at, sizeof(at), "\"at\":\"%s\"", rows[i].at == NULL ? "" : rows[i].at);
        if (rows[i].at != NULL && strstr(told, at) == NULL) fail_msg("%s became %s", rows[i].time, told);
        if (rows[i].at == NULL) assert_string_equal(error.reason, "must be a time");
    }
}

static void score_and_counts_are_taken_up_to_their_bounds(void **state) {
    (void)state;
    assert_change_accepted("\"ahrScore\": 164", "\"ahrScore\": 1000");
    assert_non_null(strstr(told, "\"score\":1000,"));
    assert_change_accepted("\"ahrScore\": 164", "\"ahrScore\": 0");
    assert_non_null(strstr(told, "\"score\":0,"));
    assert_change_accepted("\"ahrScore\": 164", "\"ahrScore\": null");
    assert_null(strstr(told, "\"score\""));
    assert_change_accepted("\"defectsCount\": 3", "\"defectsCount\": 16777215");
    assert_non_null(strstr(told, "16777215"));
    assert_change_refused(
        "\"defectsCount\": 3", "\"defectsCount\": 16777216",
        "performanceMetrics[0].receivedIntellectualPropertyComplaints.defectsCount", "16777215");
}

static void document_that_is_no_report_is_refused(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"", "empty"},
        {"{", "not valid JSON"},
        {"[]", "one JSON object"},
        {"{}", "neither accountStatuses"},
        {"{\"accountStatuses\": {}}", "must be a list, is an object"},
        {"{\"accountStatuses\": []}", "no reporting range"},
        {"{\"accountStatuses\": [], \"accountStatuses\": []}", "not valid JSON"},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(texts); i++) {
        assert_false(report_of(texts[i][0], INT64_MIN, &account));
        if (strstr(error.reason, texts[i][1]) == NULL)
            fail_msg("%s: %s", texts[i][0], error.reason);
    }
    assert_true(report_of("{\"accountStatuses\": []}", 0, &account));
    assert_int_equal(counts.events, 0);
    assert_false(report_of("{\n\n  \"accountStatuses\": [}", INT64_MIN, &account));
    assert_int_equal(error.line, 3);
}

static void account_that_the_document_does_not_name_comes_from_the_caller(void **state) {
    (void)state;
    struct ampel_document_account given = account;
    change("\"marketplaceId\": \"A1PA6795UKMFR9\", ", "");
    given.marketplace = (struct ampel_text){"A1PA6795UKMFR9", 14};
    assert_true(report_of(changed, INT64_MIN, &given));
    read_file("report_live.expected.jsonl", expected);
    assert_string_equal(told, expected);
    given.seller.size = 0;
    assert_false(report_of(changed, INT64_MIN, &given));
    assert_non_null(strstr(error.reason, "names no seller"));
    given.seller = (struct ampel_text){"a/b", 3};
    assert_false(report_of(changed, INT64_MIN, &given));
    assert_non_null(strstr(error.reason, "seller must be"));
}

static void every_prefix_of_a_report_is_refused(void **state) {
    (void)state;
    read_file("report_live.json", document);
    size_t whole = strlen(document);
    while (document[whole - 1] != '}')
        whole--;
    for (size_t size = 0; size < whole; size++) {
        told_size = 0;
        assert_false(ampel_document_report((struct ampel_text){document, (uint32_t)size}, INT64_MIN,
                                           &account, take, told, &counts, &error));
        assert_int_equal(told_size, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_of_the_published_schema_becomes_events),
        cmocka_unit_test(live_report_with_score_warnings_and_many_time_shapes_becomes_events),
        cmocka_unit_test(given_time_stands_for_all_events_of_a_report),
        cmocka_unit_test(broken_field_is_named_by_its_path_and_nothing_is_told),
        cmocka_unit_test(broken_member_is_named_even_where_no_document_had_it_so),
        cmocka_unit_test(member_that_says_nothing_tells_nothing),
        cmocka_unit_test(time_of_any_shape_is_the_same_instant_and_others_are_none),
        cmocka_unit_test(score_and_counts_are_taken_up_to_their_bounds),
        cmocka_unit_test(document_that_is_no_report_is_refused),
        cmocka_unit_test(account_that_the_document_does_not_name_comes_from_the_caller),
        cmocka_unit_test(every_prefix_of_a_report_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

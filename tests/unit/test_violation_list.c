/* Violation lists: what a row lacks or says wrongly is named by line and column, a list that was written is read back, and
   mapping files say what stands for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/text.h"
#include "proto/violation_list.h"
#include "tests/unit/list_fixture.h"

#define OPENED_MS INT64_C(1790812800000) /* 2026-10-01 */

static char passed[1024];
static struct ampel_list_counts counts;
static struct ampel_error failure;
static struct ampel_list_options options;

static void ignored_take(void *context, struct ampel_text header) {
    (void)context;
    size_t used = strlen(passed);
    snprintf(passed + used, sizeof passed - used, "%.*s.", (int)header.size, header.bytes);
}

static bool list(const char *csv) {
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take, .ignored = ignored_take};
    told[0] = wrong[0] = passed[0] = 0;
    counts = (struct ampel_list_counts){0};
    failure = (struct ampel_error){0};
    return ampel_violation_list(ampel_text_of(csv), &options, &sink, &counts, &failure);
}

static int setup(void **state) {
    (void)state;
    options = (struct ampel_list_options){
        .account = {ampel_text_of("t"), ampel_text_of("A"), ampel_text_of("DE")}, .at_ms = INT64_MIN};
    return 0;
}

static void what_a_row_says_wrongly_is_named_and_the_rest_goes_on(void **state) {
    (void)state;
    assert_true(list("Issue Type,Date Opened,Date Resolved,Impact,Status,ASIN,SKU,Incident,Points,Revision,At Risk Sales,Violation ID\n"
                     ",2026-10-01,,,,,,,,,,\n"
                     "sunshine,2026-10-01,,,,,,,,,,\n"
                     "listing_policy,,,,,,,,,,,\n"
                     "listing_policy,3/4/2026,,,,,,,,,,\n"
                     "listing_policy,2026-10-01,soon,,approved,,,,,,,\n"
                     "listing_policy,2026-10-01,,dreadful,,,,,,,,\n"
                     "listing_policy,2026-10-01,,,perhaps,,,,,,,\n"
                     "listing_policy,2026-10-01,,,approved,,,,,,,\n"
                     "listing_policy,2026-10-01,2026-09-01,,approved,,,,,,,\n"
                     "listing_policy,2026-10-01,,,,B 0,,,,,,\n"
                     "listing_policy,2026-10-01,,,,,a b,,,,,\n"
                     "listing_policy,2026-10-01,,,,,,a b,,,,\n"
                     "listing_policy,2026-10-01,,,,,,,many,,,\n"
                     "listing_policy,2026-10-01,,,,,,,99999999999999999999999,,,\n"
                     "listing_policy,2026-10-01,,,,,,,,-1,,\n"
                     "listing_policy,2026-10-01,,,,,,,,,a lot,\n"
                     "listing_policy,2026-10-01,,,,,,,,,,a b\n"
                     "listing_policy,2026-10-01,,,,,,,,,,,,more\n"
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xC3\xA4\xC3\xA4\xC3\xA4,2026-10-01\n"
                     " , ,,\n"
                     "listing_policy,2026-10-01,,,,,,,,,,,\n"));
    static const char *const lines[] = {
        "2 column 1, Issue Type: is missing",        "3 column 1, Issue Type: 'sunshine' is no known policy",
        "4 column 2, Date Opened: is missing",       "5 column 2, Date Opened: '3/4/2026'",
        "6 column 3, Date Resolved: 'soon'",         "7 column 4, Impact: 'dreadful' is no known impact",
        "8 column 5, Status: 'perhaps' is no known", "9 column 3, Date Resolved: is missing: since when",
        "10 column 3, Date Resolved: '2026-09-01' lies before", "11 column 6, ASIN: 'B 0' must be",
        "12 column 7, SKU: ",                        "13 column 8, Incident: ",
        "14 column 9, Points: 'many' is no whole",   "15 column 9, Points: ",
        "16 column 10, Revision: ",                  "17 column 11, At Risk Sales: 'a lot' is no amount",
        "18 column 12, Violation ID: ",              "19 : the row has more cells",
        "20 column 1, Issue Type: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is no",
    };
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
    assert_int_equal(counts.rows, 20);
    assert_int_equal(counts.broken, 19);
    assert_int_equal(counts.events, 1);
}

static void states_begin_when_the_list_or_its_date_says(void **state) {
    (void)state;
    const char *csv = "Issue Type,Date Opened,Date Resolved,Status\n"
                      "listing_policy,2026-10-01 14:00,2026-10-01,approved\n"
                      "listing_policy,2026-10-02,2026-10-05,open\n"
                      "listing_policy,2026-10-03,,open\n"
                      "listing_policy,2026-10-04,,Submitted\n";
    assert_true(list(csv));
    assert_string_equal(wrong, "");
    assert_int_equal(counts.events, 6);
    assert_non_null(strstr(told, "\"type\":\"violation_state\",\"at\":\"2026-10-01T14:00:00.000Z\""));
    assert_non_null(strstr(told, "\"type\":\"violation_state\",\"at\":\"2026-10-04T00:00:00.000Z\""));
    options.at_ms = OPENED_MS + 10 * AMPEL_DAY_MS;
    assert_true(list(csv));
    assert_non_null(strstr(told, "\"type\":\"violation_state\",\"at\":\"2026-10-11T00:00:00.000Z\""));
    /* An id of its own: its times are taken as they are. */
    assert_true(list("Violation ID,Issue Type,Date Opened,Date Resolved,Status\nV1,listing_policy,2026-10-05,2026-10-01,approved\n"));
    assert_int_equal(counts.broken, 0);
}

static void the_same_row_twice_is_two_violations_and_the_same_list_again_the_same_ones(void **state) {
    (void)state;
    static char csv[40000], first[sizeof told];
    size_t size = (size_t)snprintf(csv, sizeof csv, "Issue Type,Date Opened,ASIN\n");
    for (uint32_t i = 0; i < 150; i++) /* more than a table of keys holds before it grows */
        size += (size_t)snprintf(csv + size, sizeof csv - size, "listing_policy,2026-10-01,B%u\nlisting_policy,2026-10-01,B%u\n", i, i);
    assert_true(list(csv));
    assert_int_equal(counts.events, 300);
    assert_int_equal(counts.broken, 0);
    memcpy(first, told, sizeof told);
    uint32_t twos = 0;
    for (const char *at = told; (at = strstr(at, "-2\"")) != NULL; at++) twos++;
    assert_int_equal(twos, 150);
    assert_true(list(csv));
    assert_string_equal(told, first);
}

static void accounts_stand_in_rows_or_are_given(void **state) {
    (void)state;
    assert_true(list("Account,Issue Type,Date Opened\nt/B/FR,listing_policy,2026-10-01\nB/FR,listing_policy,2026-10-01\n"
                     "t/B/FR/X,listing_policy,2026-10-01\nt//FR,listing_policy,2026-10-01\nu/B/FR,listing_policy,2026-10-01\n"));
    static const char *const lines[] = {"3 column 1, Account: 'B/FR' is no tenant", "4 column 1, Account: ",
                                        "5 column 1, Account: ", "6 column 1, Account: 'u/B/FR' belongs to another"};
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
    options.account = (struct ampel_document_account){.tenant = {NULL, 0}};
    assert_true(list("Issue Type,Date Opened\nlisting_policy,2026-10-01\n"));
    assert_string_equal(wrong, "2 Account: is missing, and no account was given\n");
}

static void a_list_as_a_whole_is_refused_for_its_header_or_its_bytes(void **state) {
    (void)state;
    static const struct {
        const char *csv, *field, *reason;
        uint32_t line;
    } bad[] = {
        {"", "", "the list is empty", 0},
        {"ASIN,Date Opened\n", "Issue Type", "the header lacks this column", 1},
        {"ASIN,Issue Type\n", "Date Opened", "the header lacks this column", 1},
        {"Issue Type,Date Opened,issue  type\n", "Issue Type", "the header has this column twice", 1},
        {"Issue Type,\"Date Opened\n", "column 2", "the quote is never closed", 1},
        {"Issue Type,Date Opened\n\"listing_policy\"x,2026-10-01\n", "column 1", "there is text behind", 2},
        {"Issue Type,Date Opened\n\xFF", "", "a byte is no character", 2},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bad); i++) {
        assert_false(list(bad[i].csv));
        assert_string_equal(failure.field, bad[i].field);
        assert_memory_equal(failure.reason, bad[i].reason, strlen(bad[i].reason));
        assert_int_equal(failure.line, bad[i].line);
    }
    assert_true(list("Issue Type,,Mood,Date Opened,Notes\nlisting_policy,x,,2026-10-01,n\n"));
    assert_string_equal(passed, "Mood.");
    assert_int_equal(counts.events, 1);
}

static void a_mapping_names_headers_and_values(void **state) {
    (void)state;
    static struct ampel_list_mapping mapping;
    assert_true(ampel_list_mapping_decode(
        ampel_text_of("# ours\n\nArt = Issue Type\nAm = Date Opened\nIssue Type: Fake = product_safety\n"
                      "Impact: arg = critical\nStatus: Erledigt = approved\nStand: heute = Notes\n"),
        &mapping, &failure));
    assert_int_equal(mapping.count, 6);
    options.mapping = &mapping;
    assert_true(list("Art,Am,Impact,Status,Date Resolved\nFake,2026-10-01,arg,Erledigt,2026-10-02\nlisting_policy,2026-10-01,low,open,\n"));
    assert_string_equal(wrong, "");
    assert_int_equal(counts.events, 3);
    assert_non_null(strstr(told, "\"policy\":\"product_safety\",\"severity\":\"critical\""));
}

static void what_is_wrong_in_a_mapping_is_named_with_its_line(void **state) {
    (void)state;
    static struct ampel_list_mapping mapping;
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"# one\nArt", "a line is 'header = column'"},
        {"\nArt = Nothing", "'Nothing' is no column"},
        {"\nSKU: a = Nothing", "'Nothing' is no column"},
        {"\n = Issue Type", "nothing stands before the ="},
        {"\nIssue Type: a = sunshine", "'sunshine' is no policy"},
        {"\nImpact: a = sunshine", "'sunshine' is no severity"},
        {"\nImpact: a =", "'' is no severity"},
        {"\nImpact: a = low (by policy)", "'low (by policy)' is no severity"},
        {"\nStatus: a = sunshine", "'sunshine' is no state"},
        {"\nStatus: a =", "'' is no state"},
        {"\nStatus: a = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "'xxxxxxxx"},
        {"\na = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "'xxxxxxxx"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bad); i++) {
        failure = (struct ampel_error){0};
        assert_false(ampel_list_mapping_decode(ampel_text_of(bad[i].text), &mapping, &failure));
        assert_memory_equal(failure.reason, bad[i].reason, strlen(bad[i].reason));
        assert_int_equal(failure.line, 2);
    }
    static char many[257 * 16];
    size_t size = 0;
    for (uint32_t i = 0; i < 257; i++) size += (size_t)snprintf(many + size, sizeof many - size, "h%u = SKU\n", i);
    assert_false(ampel_list_mapping_decode(ampel_text_of(many), &mapping, &failure));
    assert_int_equal(failure.line, 257);
}

/* Each state, each impact, given and not; then what was written is read, and tells the same. */
static void a_list_that_was_written_is_read_back(void **state) {
    (void)state;
    static char csv[1 << 16], line[AMPEL_LIST_LINE_MAX];
    uint32_t size = ampel_list_header_encode(line), rows = 0, states = 0;
    memcpy(csv, line, size);
    for (uint8_t code = 0; code < ampel_registry_count(AMPEL_REGISTRY_VIOLATION_STATE); code++) {
        for (int8_t severity = 0; severity <= 4; severity++) {
            char id[16];
            snprintf(id, sizeof id, "V%u-%d", code, severity);
            const bool full = severity % 2 == 0;
            const struct ampel_list_row row = {
                .tenant = ampel_text_of("t"), .seller = ampel_text_of("A"), .marketplace = ampel_text_of("DE"),
                .id = ampel_text_of(id), .asin = ampel_text_of(full ? "B0" : ""), .sku = ampel_text_of(full ? "S,1" : ""),
                .incident = ampel_text_of(full ? "I\"1" : ""), .at_ms = full ? OPENED_MS : OPENED_MS + 1234,
                .state_at_ms = OPENED_MS + AMPEL_DAY_MS, .at_risk_sales_cents = full ? 123456 : -1, .rank = full,
                .points_given = full ? 12 : -1, .rev = full ? 3 : 0, .policy = code % 8, .state = code,
                .severity = severity, .severity_given = full};
            uint32_t more = ampel_list_row_encode(&row, line);
            memcpy(csv + size, line, more);
            size += more;
            rows++;
            states += !ampel_state_deducting(code);
        }
    }
    csv[size] = 0;
    assert_true(list(csv));
    assert_string_equal(wrong, "");
    assert_int_equal(counts.rows, rows);
    assert_in_range(counts.events, rows + states, 2 * rows);
    assert_non_null(strstr(told, "\"sku\":\"S,1\""));
    assert_non_null(strstr(told, "\"incident\":\"I\\\"1\""));
    assert_non_null(strstr(told, "2026-10-01T00:00:01.234Z"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_row_says_wrongly_is_named_and_the_rest_goes_on, setup),
        cmocka_unit_test_setup(states_begin_when_the_list_or_its_date_says, setup),
        cmocka_unit_test_setup(the_same_row_twice_is_two_violations_and_the_same_list_again_the_same_ones, setup),
        cmocka_unit_test_setup(accounts_stand_in_rows_or_are_given, setup),
        cmocka_unit_test_setup(a_list_as_a_whole_is_refused_for_its_header_or_its_bytes, setup),
        cmocka_unit_test_setup(a_mapping_names_headers_and_values, setup),
        cmocka_unit_test_setup(what_is_wrong_in_a_mapping_is_named_with_its_line, setup),
        cmocka_unit_test_setup(a_list_that_was_written_is_read_back, setup),
    };
    return cmocka_run_group_tests_name("violation_list", tests, NULL, NULL);
}

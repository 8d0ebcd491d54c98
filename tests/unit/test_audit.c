/* Audits: rows become signals and announced work, and what is wrong is named by line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"
#include "proto/audit.h"
#include "proto/text.h"
#include "tests/unit/list_fixture.h"

static struct ampel_list_counts counts;
static struct ampel_error failure;

static bool audit(const char *csv, bool account) {
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take};
    struct ampel_audit_options options = {0};
    if (account)
        options.account = (struct ampel_document_account){ampel_text_of("t"), ampel_text_of("A"), ampel_text_of("DE")};
    told[0] = wrong[0] = 0;
    counts = (struct ampel_list_counts){0};
    failure = (struct ampel_error){0};
    return ampel_audit(ampel_text_of(csv), &options, &sink, &counts, &failure);
}

#define HEAD "{\"tenant\":\"t\",\"seller\":\"A\",\"marketplace\":\"DE\","

static void rows_become_signals_and_announced_work(void **state) {
    (void)state;
    assert_true(audit("Time,Kind,Value,Detail,Until,Kinds\n"
                      "2026-10-01 14:30,deposit_change,2,\"to, abroad\",,\n"
                      "\n"
                      "2026-10-01T15:00:00+02:00,New  USER,,,,\n"
                      "2026-10-02,Maintenance,,,2026-10-03,\"price_cut; bulk upload\"\n"
                      "2026-10-02,Wartung,,,2026-10-03,\n",
                      true));
    assert_string_equal(wrong, "");
    assert_string_equal(
        told, HEAD "\"type\":\"signal\",\"at\":\"2026-10-01T14:30:00.000Z\",\"kind\":\"deposit_change\",\"value\":2,"
                   "\"detail\":\"to, abroad\"}\n" HEAD
                   "\"type\":\"signal\",\"at\":\"2026-10-01T13:00:00.000Z\",\"kind\":\"new_user_or_app\"}\n" HEAD
                   "\"type\":\"maintenance\",\"at\":\"2026-10-02T00:00:00.000Z\",\"until\":\"2026-10-03T00:00:00.000Z\","
                   "\"kinds\":[\"bulk_new_listings\",\"price_cut\"]}\n" HEAD
                   "\"type\":\"maintenance\",\"at\":\"2026-10-02T00:00:00.000Z\",\"until\":\"2026-10-03T00:00:00.000Z\"}\n");
    assert_int_equal(counts.rows, 4);
    assert_int_equal(counts.events, 4);
}

static void what_is_wrong_is_named_and_the_rest_goes_on(void **state) {
    (void)state;
    assert_true(audit("When;Event;Value;Ends;Kinds\n"
                      "3/4/2026;deposit_change;;;\n"
                      "2026-10-01;nonsense;;;\n"
                      ";deposit_change;;;\n"
                      "2026-10-01;;;;\n"
                      "2026-10-01;deposit_change;1.5;;\n"
                      "2026-10-01;maintenance;;;\n"
                      "2026-10-02;maintenance;;2026-10-01;\n"
                      "2026-10-02;maintenance;;2026-10-03;sunshine\n"
                      "2026-10-02;deposit_change;;;;x\n"
                      "2026-10-02;deposit_change;;;\n",
                      true));
    assert_int_equal(counts.events, 1);
    assert_int_equal(counts.broken, 9);
    static const char *const lines[] = {"2 column 1, Time: ",       "3 column 2, Kind: is no known kind",
                                        "4 column 1, Time: is missing", "5 column 2, Kind: is missing",
                                        "6 column 3, Value: is no whole", "7 column 4, Until: is missing",
                                        "8 column 4, Until: does not lie", "9 column 5, Kinds: names no kind",
                                        "10 : the row has more cells"};
    const char *at = wrong;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(lines); i++) {
        if (strncmp(at, lines[i], strlen(lines[i])) != 0) fail_msg("'%s' is not '%s'", at, lines[i]);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, 0);
}

static void accounts_stand_in_rows_or_are_given(void **state) {
    (void)state;
    assert_true(audit("Account,Time,Kind\nt/B/FR,2026-10-01,storefront_text\nB/FR,2026-10-01,storefront_text\n", false));
    assert_string_equal(told, "{\"tenant\":\"t\",\"seller\":\"B\",\"marketplace\":\"FR\",\"type\":\"signal\","
                              "\"at\":\"2026-10-01T00:00:00.000Z\",\"kind\":\"storefront_text\"}\n");
    assert_string_equal(wrong, "3 column 1, Account: is no tenant/seller/marketplace\n");
    assert_true(audit("Account,Time,Kind\nu/B/FR,2026-10-01,storefront_text\n", true));
    assert_string_equal(wrong, "2 column 1, Account: belongs to another tenant than the one given\n");
    assert_true(audit("Time,Kind\n2026-10-01,storefront_text\n", false));
    assert_string_equal(wrong, "2 Account: is missing, and no account was given\n");
}

static void a_table_that_is_no_audit_is_refused(void **state) {
    (void)state;
    assert_false(audit("", true));
    assert_false(audit("Time,Value\n2026-10-01,1\n", true));
    assert_string_equal(failure.field, "Kind");
    assert_false(audit("Time,Kind,When\n", true));
    assert_string_equal(failure.field, "Time");
}

static void every_kind_is_known_by_its_name(void **state) {
    (void)state;
    for (uint32_t code = 0; code < ampel_registry_count(AMPEL_REGISTRY_KIND); code++) {
        uint8_t kind;
        assert_true(ampel_audit_kind(ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_KIND, code)), &kind));
        assert_int_equal(kind, code);
    }
    uint8_t kind;
    assert_false(ampel_audit_kind(ampel_text_of("bank"), &kind));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_signals_and_announced_work),
        cmocka_unit_test(what_is_wrong_is_named_and_the_rest_goes_on),
        cmocka_unit_test(accounts_stand_in_rows_or_are_given),
        cmocka_unit_test(a_table_that_is_no_audit_is_refused),
        cmocka_unit_test(every_kind_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

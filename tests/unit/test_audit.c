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
static char ignored[256];

static void ignored_take(void *context, struct ampel_text header) {
    (void)context;
    size_t used = strlen(ignored);
    snprintf(ignored + used, sizeof ignored - used, "%.*s|", (int)header.size, header.bytes);
}

static bool audit_with(const char *csv, const struct ampel_audit_options *options) {
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take, .ignored = ignored_take};
    told[0] = wrong[0] = ignored[0] = 0;
    counts = (struct ampel_list_counts){0};
    failure = (struct ampel_error){0};
    return ampel_audit(ampel_text_of(csv), options, &sink, &counts, &failure);
}

static bool audit(const char *csv, bool account) {
    struct ampel_audit_options options = {0};
    if (account)
        options.account = (struct ampel_document_account){ampel_text_of("t"), ampel_text_of("A"), ampel_text_of("DE")};
    return audit_with(csv, &options);
}

/* Each line of `wrong` begins as told. */
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
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
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

static void an_account_has_three_parts_each_an_id(void **state) {
    (void)state;
    static const char *const lines[] = {"2 column 1, Account: is no tenant", "3 column 1, Account: is no tenant",
                                        "4 column 1, Account: is no tenant", "5 column 1, Account: is no tenant"};
    assert_true(audit("Account,Time,Kind\n"
                      "t,2026-10-01,storefront_text\n"
                      "t/B/FR/x,2026-10-01,storefront_text\n"
                      "t//FR,2026-10-01,storefront_text\n"
                      "t/B/,2026-10-01,storefront_text\n"
                      "t/B/FR,2026-10-01,storefront_text\n",
                      false));
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
    assert_int_equal(counts.events, 1);
    /* Each part may be given alone, and then is not the others. */
    static const struct ampel_document_account accounts[] = {
        {.seller = {"A", 1}, .marketplace = {"DE", 2}}, {.tenant = {"t", 1}, .marketplace = {"DE", 2}}, {.tenant = {"t", 1}}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(accounts); i++) {
        assert_true(audit_with("Account,Time,Kind\n,2026-10-01,storefront_text\n",
                               &(struct ampel_audit_options){.account = accounts[i]}));
        assert_string_equal(wrong, "2 column 1, Account: is missing, and no account was given\n");
    }
}

static void values_are_whole_numbers_of_either_sign(void **state) {
    (void)state;
    static const char *const lines[] = {"4 column 3, Value: is no whole", "5 column 3, Value: is no whole",
                                        "6 column 3, Value: is no whole", "7 column 3, Value: is no whole"};
    assert_true(audit("Time,Kind,Value\n"
                      "2026-10-01,price_cut,-12\n"
                      "2026-10-01,price_cut,123456789012345\n"
                      "2026-10-01,price_cut,1234567890123456\n"
                      "2026-10-01,price_cut,-\n"
                      "2026-10-01,price_cut,1-2\n"
                      "2026-10-01,price_cut,/\n",
                      true));
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
    assert_non_null(strstr(told, "\"value\":-12}"));
    assert_non_null(strstr(told, "\"value\":123456789012345}"));
}

static void kinds_of_announced_work_stand_between_any_marks(void **state) {
    (void)state;
    static const char *const lines[] = {"5 column 4, Kinds: names no kind", "6 column 3, Until: is no date",
                                        "7 column 3, Until: does not lie"};
    assert_true(audit("Time,Kind,Until,Kinds\n"
                      "2026-10-02,Maintenance,2026-10-03,price_cut|all\n"
                      "2026-10-02,Maintenance,2026-10-03,|price_cut;;\n"
                      "2026-10-02,Maintenance,2026-10-03,;|\n"
                      "2026-10-02,Maintenance,2026-10-03,Wartung\n"
                      "2026-10-02,Maintenance,tomorrow,\n"
                      "2026-10-02,Maintenance,2026-10-02,\n",
                      true));
    assert_wrong(lines, AMPEL_ARRAY_COUNT(lines));
    static const char at[] = HEAD "\"type\":\"maintenance\",\"at\":\"2026-10-02T00:00:00.000Z\",\"until\":\"2026-10-03T00:00:00.000Z\"";
    char expected[1024];
    snprintf(expected, sizeof expected, "%s}\n%s,\"kinds\":[\"price_cut\"]}\n%s}\n", at, at, at);
    assert_string_equal(told, expected);
}

static void details_have_at_most_200_bytes(void **state) {
    (void)state;
    for (int size = 200; size <= 201; size++) {
        char csv[300];
        snprintf(csv, sizeof csv, "Time,Kind,Note\n2026-10-01,price_cut,%0*d\n", size, 1);
        assert_true(audit(csv, true));
        assert_int_equal(counts.events, size == 200);
        assert_string_equal(wrong, size == 200 ? "" : "2 column 3, Detail: must have at most 200 bytes\n");
    }
}

static void columns_and_cells_that_mean_nothing_are_passed_over(void **state) {
    (void)state;
    assert_true(audit("Reviewer, ,Time,Kind\nMe,,2026-10-01,price_cut,, \n , ,,\nMe,x,2026-10-01\n", true));
    assert_string_equal(ignored, "Reviewer|");
    assert_int_equal(counts.rows, 2);
    assert_int_equal(counts.events, 1);
    assert_string_equal(wrong, "4 column 4, Kind: is missing\n");
    /* Who does not ask is not told. */
    const struct ampel_list_sink sink = {.event = event_take, .broken = broken_take};
    const struct ampel_audit_options options = {0};
    assert_true(ampel_audit(ampel_text_of("Reviewer,Time,Kind\n"), &options, &sink, &counts, &failure));
}

static void usual_phrases_name_kinds_in_either_language(void **state) {
    (void)state;
    static const struct {
        const char *phrase, *kind;
    } rows[] = {{"Bank account changed", "deposit_change"}, {"Bankkonto geändert", "deposit_change"},
                {"API KEY", "new_user_or_app"},             {"two-step verification", "email_phone_change"},
                {"fremde Anmeldung", "foreign_login_language"}, {"Bulk upload", "bulk_new_listings"}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        uint8_t kind;
        assert_true(ampel_audit_kind(ampel_text_of(rows[i].phrase), &kind));
        assert_string_equal(ampel_registry_name(AMPEL_REGISTRY_KIND, kind), rows[i].kind);
    }
}

static void a_table_that_is_no_audit_is_refused(void **state) {
    (void)state;
    assert_false(audit("", true));
    assert_string_equal(failure.reason, "the audit is empty");
    assert_false(audit("Time,\"Kind\n", true));
    assert_string_equal(failure.reason, "the quote is never closed");
    assert_false(audit("Kind\n", true));
    assert_string_equal(failure.field, "Time");
    assert_false(audit("Time,Kind\n2026-10-01,price_cut\n2026-10-01,\"price\"_cut\n", true));
    assert_int_equal(failure.line, 3);
    assert_int_equal(counts.events, 1);
    assert_false(audit("\xFF", true));
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
        cmocka_unit_test(an_account_has_three_parts_each_an_id),
        cmocka_unit_test(values_are_whole_numbers_of_either_sign),
        cmocka_unit_test(kinds_of_announced_work_stand_between_any_marks),
        cmocka_unit_test(details_have_at_most_200_bytes),
        cmocka_unit_test(columns_and_cells_that_mean_nothing_are_passed_over),
        cmocka_unit_test(usual_phrases_name_kinds_in_either_language),
        cmocka_unit_test(a_table_that_is_no_audit_is_refused),
        cmocka_unit_test(every_kind_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

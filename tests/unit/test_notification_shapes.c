/* Notifications by shape: every field of every type that is broken is named, every one that may be missing may be, and a
   document that is refused leaves no trace. Documents stand here with ' for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/bounds.h"
#include "proto/document.h"

#define BYTES_MAX (16 * 1024)

static char json[BYTES_MAX], told[BYTES_MAX];
static size_t told_size;
static struct ampel_document_counts counts;
static struct ampel_error error;

static const struct ampel_document_account account = {
    .tenant = {"nordlicht", 9}, .seller = {"S1", 2}, .marketplace = {"M1", 2}};
static const struct ampel_document_account nobody = {.tenant = {"nordlicht", 9}};

static void take(void *context, const struct ampel_jsonl_event *event) {
    (void)context;
    told_size += ampel_jsonl_encode(event->tenant, event->seller, event->marketplace, &event->event,
                                    told + told_size, (uint32_t)(BYTES_MAX - told_size - 1));
    told[told_size] = '\0';
}

static bool notify_as(struct ampel_document_memory *memory, const struct ampel_document_account *of,
                      const char *document) {
    size_t size = strlen(document);
    assert_true(size < sizeof json);
    for (size_t i = 0; i <= size; i++)
        json[i] = (char)(document[i] == '\'' ? '"' : document[i]);
    told_size = 0;
    told[0] = '\0';
    memset(&counts, 0, sizeof counts);
    memset(&error, 0, sizeof error);
    return ampel_document_notification((struct ampel_text){json, (uint32_t)size}, of, memory, take, NULL, &counts, &error);
}

/* What is told, without the account, "" for a document that is skipped or a duplicate. */
static void assert_told(const char *document, const char *expected) {
    struct ampel_document_memory *memory = ampel_document_memory_open();
    if (!notify_as(memory, &account, document)) fail_msg("%s\n%s: %s", document, error.field, error.reason);
    const char *type = strstr(told, "\"type\":");
    char wanted[1024];
    size_t size = 0;
    for (; expected[size] != '\0'; size++)
        wanted[size] = (char)(expected[size] == '\'' ? '"' : expected[size]);
    wanted[size] = '\0';
    if (strcmp(type == NULL ? "" : type, wanted) != 0) fail_msg("%s\ntold %s, expected %s", document, told, wanted);
    assert_int_equal(counts.events, size > 0);
    assert_int_equal(counts.skipped, size == 0);
    ampel_document_memory_close(memory);
}

struct refused {
    const char *document, *field, *reason;
};

static void assert_refused(const struct ampel_document_account *of, const struct refused *row) {
    struct ampel_document_memory *memory = ampel_document_memory_open();
    if (notify_as(memory, of, row->document)) fail_msg("taken: %s", row->document);
    if (strcmp(error.field, row->field) != 0 || strstr(error.reason, row->reason) == NULL)
        fail_msg("%s\nexpected %s: %s, got %s: %s", row->document, row->field, row->reason, error.field, error.reason);
    assert_string_equal(told, "");
    assert_int_equal(counts.events + counts.duplicates + counts.skipped, 0);
    assert_int_equal(ampel_document_memory_count(memory), 0);
    ampel_document_memory_close(memory);
}

#define ID     ",'NotificationMetadata':{'NotificationId':'n1'}"
#define BAD_ID ",'NotificationMetadata':{'NotificationId':1}"
#define NOON   ",'EventTime':'2026-09-13T12:00:00Z'"

#define STATUS(CHANGE, REST) \
    "{'NotificationType':'ACCOUNT_STATUS_CHANGED','Payload':{'AccountStatusChangeNotification':" CHANGE "}" REST "}"
#define ORDER(CHANGE, REST) "{'NotificationType':'ORDER_CHANGE','Payload':{'OrderChangeNotification':{" CHANGE "}}" REST "}"
#define ISSUES(PAYLOAD, REST) "{'NotificationType':'LISTINGS_ITEM_ISSUES_CHANGE','Payload':{" PAYLOAD "}" REST "}"
#define LISTING(PAYLOAD, REST) "{'NotificationType':'LISTINGS_ITEM_STATUS_CHANGE','Payload':{" PAYLOAD "}" REST "}"
#define OFFER(CHANGE, REST) \
    "{'NotificationType':'ANY_OFFER_CHANGED','Payload':{'AnyOfferChangedNotification':{" CHANGE "}}" REST "}"
#define TRIGGER "'OfferChangeTrigger':{'MarketplaceId':'M1','ASIN':'B1','TimeOfOfferChange':'2026-09-13T05:00:00Z'}"
/* One offer: whose, its price, and what else is said of it. */
#define PRICE(SELLER, AMOUNT, REST) "{'SellerId':'" SELLER "','ListingPrice':{'Amount':" AMOUNT "}" REST "}"
#define OFFERS(LIST) OFFER(TRIGGER ",'Offers':[" LIST "]", NOON)

static void a_broken_field_of_any_type_is_named_and_leaves_no_trace(void **state) {
    (void)state;
    static const char status[] = "Payload.AccountStatusChangeNotification";
    static const char current[] = "Payload.AccountStatusChangeNotification.CurrentAccountStatus";
    static const char id[] = "NotificationMetadata.NotificationId";
    static const struct refused rows[] = {
        {"{", "", ""},
        {"[]", "", "one JSON object"},
        {"{'NotificationType':'','Payload':{}}", "NotificationType", "1 to 200 bytes"},
        {"{'NotificationType':'ORDER_CHANGE','Payload':[]}", "Payload", "must be an object, is a list"},

        {STATUS("null", NOON), status, "must be an object, is null"},
        {STATUS("{'CurrentAccountStatus':'NORMAL'}", NOON BAD_ID), id, "must be a text"},
        {STATUS("{}", NOON), current, "is missing"},
        {STATUS("{'CurrentAccountStatus':'FINE'}", NOON), current, "must be NORMAL"},
        {STATUS("{'CurrentAccountStatus':'NORMAL'}", ""), "EventTime", "is missing"},
        {STATUS("{'CurrentAccountStatus':'NORMAL'}", ",'EventTime':'soon'"), "EventTime", "must be a time"},
        {STATUS("{'CurrentAccountStatus':'NORMAL','SellerId':1}", NOON), status, "must be a text"},
        {STATUS("{'CurrentAccountStatus':'NORMAL','MarketplaceId':1}", NOON), status, "must be a text"},
        {STATUS("{'CurrentAccountStatus':'NORMAL','MarketplaceId':'M/1'}", NOON), status, "the marketplace must be"},

        {ORDER("'AmazonOrderId':'1','SellerId':1,'Summary':{'OrderStatus':'Shipped'}", NOON),
         "Payload.OrderChangeNotification.SellerId", "must be a text"},
        {ORDER("'AmazonOrderId':'1','Summary':{'OrderStatus':'Shipped','MarketplaceId':{}}", NOON),
         "Payload.OrderChangeNotification.Summary.MarketplaceId", "must be a text"},
        {ORDER("'AmazonOrderId':'1','Summary':{'OrderStatus':'Shipped'}", ""), "EventTime", "is missing"},
        {ORDER("'AmazonOrderId':'1','SellerId':'S 1','Summary':{'OrderStatus':'Cancelled'}", NOON),
         "Payload.OrderChangeNotification", "the seller must be"},

        {ISSUES("'Asin':'B1'", NOON BAD_ID), id, "must be a text"},
        {ISSUES("'Asin':'B1'", ""), "EventTime", "is missing"},
        {ISSUES("'Asin':'B1','SellerId':1", NOON), "Payload.SellerId", "must be a text"},
        {ISSUES("'Asin':'B1','MarketplaceId':1", NOON), "Payload.MarketplaceId", "must be a text"},
        {ISSUES("'Asin':1", NOON), "Payload.Asin", "must be a text"},
        {ISSUES("'Asin':'B1','Sku':''", NOON), "Payload.Sku", "1 to 200 bytes"},
        {ISSUES("'Asin':'B 1'", NOON), "Payload.Asin", "an id without spaces"},
        {ISSUES("'Sku':'A LAMP'", NOON), "Payload.Sku", "where there is no Asin"},
        {ISSUES("'Severities':['ERROR']", NOON), "Payload.Sku", "where there is no Asin"},
        {ISSUES("'Asin':'B1','EnforcementActions':'X'", NOON), "Payload.EnforcementActions", "must be a list, is a text"},
        {ISSUES("'Asin':'B1','EnforcementActions':[1]", NOON), "Payload.EnforcementActions", "must hold names"},
        {ISSUES("'Asin':'B1','EnforcementActions':['A B']", NOON), "Payload.EnforcementActions", "must hold names"},
        {ISSUES("'Asin':'B1','EnforcementActions':['A,B']", NOON), "Payload.EnforcementActions", "must hold names"},
        {ISSUES("'Asin':'B1','SellerId':'S 1','EnforcementActions':['A']", NOON), "Payload", "the seller must be"},

        {LISTING("'Sku':'A','CreatedDate':'2026-09-12'", NOON BAD_ID), id, "must be a text"},
        {LISTING("'Sku':'A','CreatedDate':[]", NOON), "Payload.CreatedDate", "must be a time"},
        {LISTING("'Sku':'A','CreatedDate':'2026-09-12','SellerId':1", NOON), "Payload.SellerId", "must be a text"},
        {LISTING("'Sku':'A','CreatedDate':'2026-09-12','MarketplaceId':1", NOON), "Payload.MarketplaceId", "must be a text"},
        {LISTING("'CreatedDate':'2026-09-12'", NOON), "Payload.Sku", "is missing"},
        {LISTING("'Sku':'A','CreatedDate':'2026-09-12','SellerId':'S/1'", NOON), "Payload", "names no account"},
        {LISTING("'Sku':'A','CreatedDate':'2026-09-12','MarketplaceId':'M 1'", NOON), "Payload", "names no account"},

        {OFFER("", NOON), "Payload.AnyOfferChangedNotification.OfferChangeTrigger.ASIN", "is missing"},
        {"{'NotificationType':'ANY_OFFER_CHANGED','Payload':{}}", "Payload.AnyOfferChangedNotification", "is missing"},
        {OFFER(TRIGGER, NOON BAD_ID), id, "must be a text"},
        {OFFER("'SellerId':1," TRIGGER, NOON), "Payload.AnyOfferChangedNotification.SellerId", "must be a text"},
        {OFFER("'OfferChangeTrigger':{'ASIN':'B1','MarketplaceId':1}", NOON),
         "Payload.AnyOfferChangedNotification.OfferChangeTrigger.MarketplaceId", "must be a text"},
        {OFFER("'OfferChangeTrigger':{'ASIN':'B1'}", ""),
         "Payload.AnyOfferChangedNotification.OfferChangeTrigger.TimeOfOfferChange", "is missing"},
        {OFFER(TRIGGER ",'Offers':{}", NOON), "Payload.AnyOfferChangedNotification.Offers", "must be a list, is an object"},
        {OFFER("'SellerId':'S 1'," TRIGGER, NOON), "Payload.AnyOfferChangedNotification", "names no account"},
        {OFFER("'OfferChangeTrigger':{'ASIN':'B1','MarketplaceId':'M 1'}", NOON), "Payload.AnyOfferChangedNotification",
         "names no account"},
        {OFFER("'OfferChangeTrigger':{'ASIN':'B 1'}", NOON),
         "Payload.AnyOfferChangedNotification.OfferChangeTrigger.ASIN", "an id without spaces"},
        {OFFERS("{'SellerId':1,'ListingPrice':{'Amount':1}}"), "Payload.AnyOfferChangedNotification.Offers", "must be a text"},
        {OFFERS("{'SellerId':'S1','ListingPrice':{}}"), "Payload.AnyOfferChangedNotification.Offers", "is missing"},
        {OFFERS(PRICE("S2", "'1'", "")), "Payload.AnyOfferChangedNotification.Offers", "must be an Amount, is a text"},
        {OFFERS(PRICE("S2", "-0.01", "")), "Payload.AnyOfferChangedNotification.Offers", "0 or more"},
        {OFFER(TRIGGER ",'Summary':{'CompetitivePriceThreshold':{'Amount':-1}},'Offers':[" PRICE("S1", "5", "") "]", NOON),
         "Payload.AnyOfferChangedNotification.Summary", "0 or more"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        assert_refused(&account, &rows[i]);
}

static void a_document_without_an_account_needs_one_of_the_caller(void **state) {
    (void)state;
    static const struct refused rows[] = {
        {STATUS("{'CurrentAccountStatus':'NORMAL'}", NOON), "Payload.AccountStatusChangeNotification", "names no seller"},
        {STATUS("{'CurrentAccountStatus':'NORMAL','SellerId':'S1'}", NOON), "Payload.AccountStatusChangeNotification",
         "names no marketplace"},
        {ISSUES("'Asin':'B1','EnforcementActions':['A']", NOON), "Payload", "names no seller"},
        {LISTING("'Sku':'A','CreatedDate':'2026-09-12'", NOON), "Payload", "names no seller"},
        {OFFERS(PRICE("S1", "5", "") "," PRICE("S2", "6", "")), "Payload.AnyOfferChangedNotification", "names no account"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        assert_refused(&nobody, &rows[i]);
    const struct ampel_document_account wrong[] = {{.tenant = {"nord licht", 10}},
                                                   {.tenant = {"nordlicht", 9}, .seller = {"S/1", 3}},
                                                   {.tenant = {"nordlicht", 9}, .marketplace = {"M 1", 3}}};
    static const char *const parts[] = {"the tenant must be", "the seller must be", "the marketplace must be"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(wrong); i++)
        assert_refused(&wrong[i], &(struct refused){STATUS("{'CurrentAccountStatus':'NORMAL'}", NOON), "", parts[i]});
}

static void a_text_of_200_bytes_is_taken_and_one_of_201_is_not(void **state) {
    (void)state;
    char document[800];
    for (int size = AMPEL_TEXT_BYTES_MAX; size <= AMPEL_TEXT_BYTES_MAX + 1; size++) {
        struct ampel_document_memory *memory = ampel_document_memory_open();
        snprintf(document, sizeof document,
                 "{'NotificationType':'LISTINGS_ITEM_STATUS_CHANGE','Payload':{'CreatedDate':'2026-09-12','Sku':'%0*d'}" NOON "}",
                 size, 1);
        assert_int_equal(notify_as(memory, &account, document), size == AMPEL_TEXT_BYTES_MAX);
        assert_int_equal(counts.events, size == AMPEL_TEXT_BYTES_MAX);
        ampel_document_memory_close(memory);
    }
}

static void what_may_be_missing_may_be(void **state) {
    (void)state;
    static const struct {
        const char *document, *told;
    } rows[] = {
        {STATUS("{'CurrentAccountStatus':'AT_RISK','SellerId':null}", NOON),
         "'type':'account_status','at':'2026-09-13T12:00:00.000Z','status':'at_risk'}\n"},
        {ORDER("'AmazonOrderId':'1','Summary':{'OrderStatus':'Cancelled'}", NOON),
         "'type':'orders_cancelled','at':'2026-09-13T12:00:00.000Z'}\n"},
        {ORDER("'AmazonOrderId':'1','IsReplacementOrder':'True','Summary':{'OrderStatus':'Shipped'}", NOON), ""},
        {ORDER("'AmazonOrderId':'1','Summary':{'OrderStatus':'Shipped','OrderType':'Replacement'}", NOON), ""},
        /* A listing that is well again; one with an issue, of which nothing more is known; actions in their order. */
        {ISSUES("'Asin':'B1'", NOON), ""},
        {ISSUES("'Asin':'B1','EnforcementActions':null,'Severities':[]", NOON), ""},
        {ISSUES("'Asin':'B1','Sku':'A LAMP','Severities':['ERROR']", NOON),
         "'type':'hint','at':'2026-09-13T12:00:00.000Z','asin':'B1'}\n"},
        {ISSUES("'Sku':'LAMP','EnforcementActions':['SEARCH_SUPPRESSED','LISTING_SUPPRESSED']", NOON),
         "'type':'hint','at':'2026-09-13T12:00:00.000Z','sku':'LAMP','actions':['SEARCH_SUPPRESSED','LISTING_SUPPRESSED']}\n"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        assert_told(rows[i].document, rows[i].told);
}

#define TOLD(REST) "'type':'listing','at':'2026-09-13T05:00:00.000Z','change':'price','price_permille':" REST "}\n"

static void a_price_is_compared_with_whatever_the_document_offers(void **state) {
    (void)state;
    static const struct {
        const char *document, *told;
    } rows[] = {
        /* Nobody is told, the seller is not among those told, nothing to compare with, others give it away. */
        {OFFER(TRIGGER, NOON), ""},
        {OFFERS(PRICE("S2", "5", "")), ""},
        {OFFERS(PRICE("S1", "5", "")), ""},
        {OFFERS(PRICE("S1", "5", "") "," PRICE("S2", "0", "")), ""},
        {OFFERS("{'SellerId':'S1'}," PRICE("S2", "5", "")), ""},
        /* The lowest of the others, the lowest own one with its own handling; an offer of nobody is another's. */
        {OFFERS(PRICE("S1", "3", "") "," PRICE("S2", "9", "") "," PRICE("S3", "6", "") ",{'ListingPrice':{'Amount':7}}"),
         TOLD("500")},
        {OFFERS(PRICE("S1", "8", ",'ShippingTime':{'MaximumHours':480}") "," PRICE(
             "S1", "3", "") "," PRICE("S1", "4", "") "," PRICE("S2", "6", "")),
         TOLD("500")},
        {OFFERS(PRICE("S1", "3", ",'ShippingTime':{'MaximumHours':480}") "," PRICE("S2", "6", "")),
         TOLD("500,'handling_days':20")},
        {OFFERS(PRICE("S1", "3", ",'ShippingTime':{'MaximumHours':-480}") "," PRICE("S2", "6", "")), TOLD("500")},
        {OFFERS(PRICE("S1", "3", ",'ShippingTime':{'MaximumHours':'480'}") "," PRICE("S2", "6", "")), TOLD("500")},
        /* The price elsewhere comes before the maker's, and either before nothing. */
        {OFFER(TRIGGER ",'Summary':{'ListPrice':{'Amount':6},'CompetitivePriceThreshold':{'Amount':12}},'Offers':[" PRICE(
             "S1", "3", "") "]", NOON),
         TOLD("200")},
        {OFFER(TRIGGER ",'Summary':{'ListPrice':{'Amount':6}},'Offers':[" PRICE("S1", "3", "") "]", NOON), TOLD("500")},
        /* Another spelling of the product, its time that of the notification, a seller of its own, no list of offers. */
        {"{'notificationType':'ANY_OFFER_CHANGED','eventTime':'2026-09-13T05:00:00Z','payload':{'anyOfferChangedNotification':"
         "{'sellerId':'S2','offerChangeTrigger':{'asin':'B1'},'offers':[" PRICE("S2", "3", "") "," PRICE("S1", "6", "") "]}}}",
         TOLD("500")},
        {OFFER(TRIGGER ",'Offers':null", NOON), ""},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        assert_told(rows[i].document, rows[i].told);
}

static void a_second_delivery_of_any_type_is_a_duplicate(void **state) {
    (void)state;
    static const char *const documents[] = {
        STATUS("{'CurrentAccountStatus':'NORMAL'}", NOON ID),
        ORDER("'AmazonOrderId':'1','Summary':{'OrderStatus':'Shipped'}", NOON ID),
        ISSUES("'Asin':'B1','EnforcementActions':['A']", NOON ID),
        LISTING("'Sku':'A','CreatedDate':'2026-09-12'", NOON ID),
        OFFER(TRIGGER ",'Offers':[" PRICE("S1", "3", "") "," PRICE("S2", "6", "") "]", NOON ID),
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(documents); i++) {
        struct ampel_document_memory *memory = ampel_document_memory_open();
        assert_true(notify_as(memory, &account, documents[i]));
        assert_int_equal(counts.events, 1);
        uint32_t remembered = ampel_document_memory_count(memory);
        assert_true(notify_as(memory, &account, documents[i]));
        assert_int_equal(counts.events, 0);
        assert_int_equal(counts.duplicates, 1);
        assert_int_equal(ampel_document_memory_count(memory), remembered);
        ampel_document_memory_close(memory);
    }
}

/* Beyond it an event was refused as a whole, which named no field. */
static void actions_of_200_bytes_are_taken_and_one_more_is_refused_by_name(void **state) {
    (void)state;
    char document[1000];
    /* Three names of 64 and their commas, and one that ends at the last byte or one behind it. */
    for (int last = 5; last <= 6; last++) {
        struct ampel_document_memory *memory = ampel_document_memory_open();
        int size = snprintf(document, sizeof document, "{'NotificationType':'LISTINGS_ITEM_ISSUES_CHANGE'" NOON
                                                       ",'Payload':{'Asin':'%064d','Sku':'%064d','EnforcementActions':[", 1, 2);
        for (int i = 0; i < 3; i++)
            size += snprintf(document + size, sizeof document - (size_t)size, "'%064d',", i);
        snprintf(document + size, sizeof document - (size_t)size, "'%0*d']}}", last, 9);
        bool taken = notify_as(memory, &account, document);
        assert_int_equal(taken, last == 5);
        if (!taken) assert_string_equal(error.field, "Payload.EnforcementActions");
        if (!taken) assert_string_equal(error.reason, "has too many names");
        ampel_document_memory_close(memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_field_of_any_type_is_named_and_leaves_no_trace),
        cmocka_unit_test(a_document_without_an_account_needs_one_of_the_caller),
        cmocka_unit_test(a_text_of_200_bytes_is_taken_and_one_of_201_is_not),
        cmocka_unit_test(what_may_be_missing_may_be),
        cmocka_unit_test(a_price_is_compared_with_whatever_the_document_offers),
        cmocka_unit_test(a_second_delivery_of_any_type_is_a_duplicate),
        cmocka_unit_test(actions_of_200_bytes_are_taken_and_one_more_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

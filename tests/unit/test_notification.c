/* Notifications: an order counts once, whatever the feed repeats, reorders or spells differently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/bounds.h"
#include "proto/document.h"
#include "tests/unit/draw.h"

#define BYTES_MAX  (64 * 1024)
#define ORDERS     400
#define DELIVERIES 1024

static char file_bytes[BYTES_MAX], changed[BYTES_MAX], expected[BYTES_MAX];
static char told[BYTES_MAX];
static size_t told_size;
static struct ampel_document_counts counts;
static struct ampel_error error;

static const struct ampel_document_account account = {.tenant = {"nordlicht", 9},
                                                      .seller = {"A2QUAYSIDE41", 12},
                                                      .marketplace = {"A1PA6795UKMFR9", 14}};

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

static struct ampel_text text_of(const char *text) {
    return (struct ampel_text){text, (uint32_t)strlen(text)};
}

static void forget_told(void) {
    told_size = 0;
    told[0] = '\0';
    memset(&counts, 0, sizeof(counts));
}

static bool notify(struct ampel_document_memory *memory, struct ampel_text text) {
    memset(&error, 0, sizeof(error));
    return ampel_document_notification(text, &account, memory, take, told, &counts, &error);
}

static void notify_file(struct ampel_document_memory *memory, const char *bytes) {
    struct ampel_document_cursor cursor = {0, 0};
    struct ampel_text document;
    uint32_t line;
    while (ampel_document_next(text_of(bytes), &cursor, &document, &line)) {
        if (!notify(memory, document)) fail_msg("line %u: %s: %s", line, error.field, error.reason);
    }
}

static void notifications_become_events_once(void **state) {
    (void)state;
    struct ampel_document_memory *memory = ampel_document_memory_open();
    read_file("notifications.jsonl", file_bytes);
    read_file("notifications.expected.jsonl", expected);
    forget_told();
    notify_file(memory, file_bytes);
    assert_string_equal(told, expected);
    assert_int_equal(counts.events, 8);
    assert_int_equal(counts.duplicates, 3);
    assert_int_equal(counts.skipped, 4);
    /* The same file again brings nothing new: what had effect is a duplicate, the rest is skipped.
     */
    forget_told();
    notify_file(memory, file_bytes);
    assert_string_equal(told, "");
    assert_int_equal(counts.events, 0);
    assert_int_equal(counts.duplicates, 11);
    assert_int_equal(counts.skipped, 4);
    ampel_document_memory_close(memory);
}

static struct ampel_text offer_of(const char *sku, const char *created, uint32_t notification) {
    static char bytes[600];
    snprintf(bytes, sizeof bytes,
             "{\"NotificationType\":\"LISTINGS_ITEM_STATUS_CHANGE\",\"EventTime\":\"2026-09-13T05:00:00Z\",\"Payload\":"
             "{\"SellerId\":\"S1\",\"MarketplaceId\":\"M1\",\"Asin\":\"B1\",\"Sku\":\"%s\"%s%s%s,\"Status\":[\"BUYABLE\"]},"
             "\"NotificationMetadata\":{\"NotificationId\":\"n%u\"}}",
             sku, created != NULL ? ",\"CreatedDate\":\"" : "", created != NULL ? created : "",
             created != NULL ? "\"" : "", notification);
    return text_of(bytes);
}

static void an_offer_is_created_once_on_the_day_it_says(void **state) {
    (void)state;
    static const char once[] = "{\"tenant\":\"nordlicht\",\"seller\":\"S1\",\"marketplace\":\"M1\",\"type\":\"listing\","
                               "\"at\":\"2026-09-12T18:00:00.000Z\",\"change\":\"created\"}\n";
    struct ampel_document_memory *memory = ampel_document_memory_open();
    forget_told();
    assert_true(notify(memory, offer_of("A LAMP, brass", "2026-09-12T18:00:00Z", 1)));
    assert_string_equal(told, once);
    /* Its status changes, the delivery comes twice, and one of another offer says not since when it is there. */
    assert_true(notify(memory, offer_of("A LAMP, brass", "2026-09-12T18:00:00Z", 2)));
    assert_true(notify(memory, offer_of("A LAMP, brass", "2026-09-12T18:00:00Z", 2)));
    assert_true(notify(memory, offer_of("ANOTHER", NULL, 3)));
    assert_string_equal(told, once);
    assert_int_equal(counts.events, 1);
    assert_int_equal(counts.duplicates, 2);
    assert_int_equal(counts.skipped, 1);
    assert_false(notify(memory, offer_of("ANOTHER", "yesterday", 4)));
    assert_string_equal(error.field, "Payload.CreatedDate");
    ampel_document_memory_close(memory);
}

/* A look at the market of B1: what the seller asks (NULL: is not among the offers), what another one does. */
static struct ampel_text prices_of(const char *own, const char *other, int hours, uint32_t notification) {
    static char bytes[1200];
    char mine[200] = "", theirs[200] = "";
    if (own != NULL)
        snprintf(mine, sizeof mine,
                 "{\"SellerId\":\"S1\",\"ShippingTime\":{\"MaximumHours\":%d},\"ListingPrice\":{\"Amount\":%s,"
                 "\"CurrencyCode\":\"EUR\"}}",
                 hours, own);
    if (other != NULL)
        snprintf(theirs, sizeof theirs, "%s{\"SellerId\":\"S2\",\"ListingPrice\":{\"Amount\":%s}}", own != NULL ? "," : "",
                 other);
    snprintf(bytes, sizeof bytes,
             "{\"NotificationType\":\"ANY_OFFER_CHANGED\",\"EventTime\":\"2026-09-13T05:00:01Z\",\"Payload\":"
             "{\"AnyOfferChangedNotification\":{\"SellerId\":\"S1\",\"OfferChangeTrigger\":{\"MarketplaceId\":\"M1\","
             "\"ASIN\":\"B1\",\"TimeOfOfferChange\":\"2026-09-13T05:00:00Z\"},\"Summary\":{\"ListPrice\":{\"Amount\":500}},"
             "\"Offers\":[%s%s]}},\"NotificationMetadata\":{\"NotificationId\":\"p%u\"}}",
             mine, theirs, notification);
    return text_of(bytes);
}

static void an_own_price_is_told_against_the_lowest_of_the_others_once_a_day(void **state) {
    (void)state;
    static const struct {
        const char *own, *other;
        int hours;
        const char *told;
    } cases[] = {
        {"250", "600.00", 24, "\"price_permille\":400}\n"},
        {"599.99", "1000", 24, "\"price_permille\":500}\n"},
        {"600", "1000", 24, "\"price_permille\":1000}\n"},
        {"1700", "1000", 24, "\"price_permille\":1000}\n"},
        {"250", NULL, 24, "\"price_permille\":500}\n"},
        {"900", "1000", 9 * 24 + 23, "\"price_permille\":1000}\n"},
        {"900", "1000", 14 * 24, "\"price_permille\":1000,\"handling_days\":10}\n"},
        {"900", "1000", 24 * 365, "\"price_permille\":1000,\"handling_days\":60}\n"},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ampel_document_memory *memory = ampel_document_memory_open();
        forget_told();
        assert_true(notify(memory, prices_of(cases[i].own, cases[i].other, cases[i].hours, i)));
        /* Others move their prices; the own one is the same. */
        assert_true(notify(memory, prices_of(cases[i].own, "2000", cases[i].hours, i + 100)));
        assert_int_equal(counts.events, 1);
        assert_int_equal(counts.duplicates, 1);
        const char *rest = strstr(told, "\"price_permille\"");
        assert_non_null(rest);
        assert_string_equal(rest, cases[i].told);
        assert_non_null(strstr(told, "\"seller\":\"S1\",\"marketplace\":\"M1\",\"type\":\"listing\",\"at\":\"2026-09-13T05:00:00.000Z\",\"change\":\"price\""));
        ampel_document_memory_close(memory);
    }
    struct ampel_document_memory *memory = ampel_document_memory_open();
    forget_told();
    assert_true(notify(memory, prices_of(NULL, "600", 24, 1)));
    assert_int_equal(counts.skipped, 1);
    assert_false(notify(memory, prices_of("\"cheap\"", "600", 24, 2)));
    assert_string_equal(error.field, "Payload.AnyOfferChangedNotification.Offers");
    assert_false(notify(memory, prices_of("-1", "600", 24, 3)));
    assert_int_equal(ampel_document_memory_count(memory), 0);
    assert_string_equal(told, "");
    ampel_document_memory_close(memory);
}

static void second_run_with_the_exported_memory_counts_nothing_twice(void **state) {
    (void)state;
    static uint8_t bytes[BYTES_MAX], again[BYTES_MAX];
    struct ampel_document_memory *first = ampel_document_memory_open();
    struct ampel_document_memory *second = ampel_document_memory_open();
    read_file("notifications.jsonl", file_bytes);
    notify_file(first, file_bytes);
    size_t size = ampel_document_memory_export(first, 0, bytes, sizeof(bytes));
    assert_int_equal(size, ampel_document_memory_export_size_max(first));
    assert_int_equal(ampel_document_memory_export(first, 0, again, size - 1), 0);
    assert_true(ampel_document_memory_import(second, bytes, size, &error));
    assert_int_equal(ampel_document_memory_count(second), ampel_document_memory_count(first));
    forget_told();
    notify_file(second, file_bytes);
    assert_string_equal(told, "");
    /* What came back is the same bytes again, also when it was imported twice. */
    assert_true(ampel_document_memory_import(second, bytes, size, &error));
    assert_int_equal(ampel_document_memory_export(second, 0, again, sizeof(again)), size);
    assert_memory_equal(bytes, again, size);
    ampel_document_memory_close(first);
    ampel_document_memory_close(second);
}

static void export_forgets_days_before_the_given_time_and_no_others(void **state) {
    (void)state;
    static uint8_t bytes[BYTES_MAX];
    struct ampel_document_memory *memory = ampel_document_memory_open();
    read_file("notifications.jsonl", file_bytes);
    notify_file(memory, file_bytes);
    /* Orders of 11, 12, 13 and 13 September with a notification id each (one of them two), one cancelled on
     * the 12th, two statuses, and a price of the 14th with its notification id. */
    uint32_t all = ampel_document_memory_count(memory);
    assert_int_equal(all, 2 + 3 + 2 + 2 + 2 + 2 + 2);
    const int64_t day_ms = INT64_C(1789084800000); /* 2026-09-11 */
    const size_t head = 8 + 8 + 8;
    assert_int_equal(ampel_document_memory_export(memory, day_ms, bytes, BYTES_MAX),
                     head + (size_t)all * 24);
    assert_int_equal(ampel_document_memory_export(memory, day_ms + AMPEL_DAY_MS, bytes, BYTES_MAX),
                     head + (size_t)(all - 2) * 24);
    assert_int_equal(
        ampel_document_memory_export(memory, day_ms + 9 * AMPEL_DAY_MS, bytes, BYTES_MAX), head);
    ampel_document_memory_close(memory);
}

static void damaged_memory_is_refused_whole(void **state) {
    (void)state;
    static uint8_t bytes[BYTES_MAX];
    struct ampel_document_memory *memory = ampel_document_memory_open();
    struct ampel_document_memory *other = ampel_document_memory_open();
    read_file("notifications.jsonl", file_bytes);
    notify_file(memory, file_bytes);
    size_t size = ampel_document_memory_export(memory, 0, bytes, sizeof(bytes));
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x10;
        assert_false(ampel_document_memory_import(other, bytes, size, &error));
        bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_false(ampel_document_memory_import(other, bytes, cut, &error));
    assert_int_equal(ampel_document_memory_count(other), 0);
    assert_true(ampel_document_memory_import(other, bytes, size, &error));
    ampel_document_memory_close(memory);
    ampel_document_memory_close(other);
}

/* One delivery of an order's notification, in either spelling. */
static struct ampel_text delivery_of(uint32_t order, uint32_t notification, bool small) {
    static const char capital[] =
        "{\"NotificationType\":\"ORDER_CHANGE\",\"EventTime\":\"2026-09-12T10:00:00Z\",\"Payload\":"
        "{"
        "\"OrderChangeNotification\":{\"SellerId\":\"S1\",\"AmazonOrderId\":\"302-%07u\","
        "\"Summary\":{"
        "\"MarketplaceId\":\"M1\",\"OrderStatus\":\"Shipped\"}}},\"NotificationMetadata\":{"
        "\"NotificationId\":\"%u-%u\"}}";
    static const char lower[] =
        "{\"notificationType\":\"ORDER_CHANGE\",\"eventTime\":\"2026-09-12T10:00:00Z\",\"payload\":"
        "{"
        "\"orderChangeNotification\":{\"sellerId\":\"S1\",\"amazonOrderId\":\"302-%07u\","
        "\"summary\":{"
        "\"marketplaceId\":\"M1\",\"orderStatus\":\"Shipped\"}}},\"notificationMetadata\":{"
        "\"notificationId\":\"%u-%u\"}}";
    if (small)
        snprintf(changed, sizeof(changed), lower, order, order, notification);
    else
        snprintf(changed, sizeof(changed), capital, order, order, notification);
    return text_of(changed);
}

static void one_in_seven_doubled_deliveries_out_of_order_count_each_order_once(void **state) {
    (void)state;
    struct {
        uint32_t order, notification;
    } deliveries[DELIVERIES];
    uint64_t seed = 0x5eed2026;
    printf("seed %llx\n", (unsigned long long)seed);
    uint32_t count = 0;
    for (uint32_t order = 0; order < ORDERS; order++) {
        uint32_t notifications = 1 + draw_from(&seed, 2);
        for (uint32_t i = 0; i < notifications; i++) {
            uint32_t times = draw_from(&seed, 7) == 0 ? 2 : 1;
            for (uint32_t k = 0; k < times && count < DELIVERIES; k++, count++) {
                deliveries[count].order = order;
                deliveries[count].notification = i;
            }
        }
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t with = draw_from(&seed, i + 1);
        uint32_t order = deliveries[i].order, notification = deliveries[i].notification;
        deliveries[i] = deliveries[with];
        deliveries[with].order = order;
        deliveries[with].notification = notification;
    }
    struct ampel_document_memory *memory = ampel_document_memory_open();
    memset(&counts, 0, sizeof(counts));
    for (uint32_t i = 0; i < count; i++) {
        told_size = 0;
        assert_true(notify(memory, delivery_of(deliveries[i].order, deliveries[i].notification,
                                               draw_from(&seed, 2) == 0)));
    }
    assert_true(count > ORDERS + ORDERS / 7);
    assert_int_equal(counts.events, ORDERS);
    assert_int_equal(counts.duplicates, count - ORDERS);
    assert_int_equal(counts.skipped, 0);
    ampel_document_memory_close(memory);
}

static void memory_outgrows_its_first_table(void **state) {
    (void)state;
    struct ampel_document_memory *memory = ampel_document_memory_open();
    memset(&counts, 0, sizeof(counts));
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t order = 0; order < 5000; order++) {
            told_size = 0;
            assert_true(notify(memory, delivery_of(order, pass, false)));
        }
    }
    assert_int_equal(counts.events, 5000);
    assert_int_equal(counts.duplicates, 5000);
    assert_int_equal(ampel_document_memory_count(memory), 15000);
    ampel_document_memory_close(memory);
}

/* The first document of the file, an order, with `from` replaced. */
static struct ampel_text changed_order(const char *from, const char *to) {
    read_file("notifications.jsonl", file_bytes);
    *strchr(file_bytes, '\n') = '\0';
    const char *place = strstr(file_bytes, from);
    if (place == NULL) fail_msg("no %s", from);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - file_bytes), file_bytes, to,
             place + strlen(from));
    return text_of(changed);
}

static void assert_refused(struct ampel_document_memory *memory, const char *from, const char *to,
                           const char *field, const char *reason) {
    forget_told();
    assert_false(notify(memory, changed_order(from, to)));
    if (strcmp(error.field, field) != 0 || strstr(error.reason, reason) == NULL)
        fail_msg("expected %s: %s, got %s: %s", field, reason, error.field, error.reason);
    assert_string_equal(told, "");
    assert_int_equal(counts.events + counts.duplicates + counts.skipped, 0);
}

static void broken_field_is_named_and_leaves_the_memory_as_it_was(void **state) {
    (void)state;
    struct ampel_document_memory *memory = ampel_document_memory_open();
    assert_refused(memory, "\"NotificationType\": \"ORDER_CHANGE\", ", "", "NotificationType",
                   "is missing");
    assert_refused(memory, "\"ORDER_CHANGE\"", "5", "NotificationType", "must be a text");
    assert_refused(memory, "\"Payload\"", "\"Load\"", "Payload", "is missing");
    assert_refused(memory, "\"OrderChangeNotification\"", "\"Other\"",
                   "Payload.OrderChangeNotification", "is missing");
    assert_refused(memory, "\"Summary\": {", "\"Summary\": 1, \"Rest\": {",
                   "Payload.OrderChangeNotification.Summary", "must be an object");
    assert_refused(memory, "\"OrderStatus\": \"Shipped\"", "\"OrderStatus\": null",
                   "Payload.OrderChangeNotification.Summary.OrderStatus",
                   "must be a text, is null");
    assert_refused(memory, "\"AmazonOrderId\": \"302-1000001-0000001\"", "\"AmazonOrderId\": \"\"",
                   "Payload.OrderChangeNotification.AmazonOrderId", "1 to 200 bytes");
    assert_refused(memory, "\"AmazonOrderId\": \"302-1000001-0000001\", ", "",
                   "Payload.OrderChangeNotification.AmazonOrderId", "is missing");
    assert_refused(memory, "\"TimeOfOrderChange\": \"2026-09-12T09:15:00.000Z\"",
                   "\"TimeOfOrderChange\": \"noon\"",
                   "Payload.OrderChangeNotification.OrderChangeTrigger.TimeOfOrderChange",
                   "must be a time");
    assert_refused(memory, "\"SellerId\": \"A2QUAYSIDE41\"", "\"SellerId\": \"A2 QUAYSIDE\"",
                   "Payload.OrderChangeNotification", "the seller must be");
    assert_refused(memory, "\"NotificationId\": \"", "\"NotificationId\": [], \"X\": \"",
                   "NotificationMetadata.NotificationId", "must be a text, is a list");
    assert_int_equal(ampel_document_memory_count(memory), 0);
    /* Mended, the same notification counts. */
    assert_true(notify(memory, changed_order("Shipped", "Shipped")));
    assert_int_equal(counts.events, 1);
    ampel_document_memory_close(memory);
}

static void order_that_replaces_another_or_is_not_shipped_is_skipped(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"\"OrderStatus\": \"Shipped\"", "\"OrderStatus\": \"PartiallyShipped\""},
        {"\"OrderStatus\": \"Shipped\"", "\"OrderStatus\": \"shipped\""},
        {"\"StandardOrder\"", "\"ReplacementOrder\""},
        {"\"Summary\": {", "\"Summary\": {\"IsReplacementOrder\": true, "},
        {"\"Summary\": {", "\"IsReplacementOrder\": \"true\", \"Summary\": {"},
        {"\"Summary\": {", "\"Summary\": {\"ReplacedOrderId\": \"302-1-2\", "},
        {"\"ORDER_CHANGE\"", "\"PRICING_HEALTH\""},
    };
    struct ampel_document_memory *memory = ampel_document_memory_open();
    forget_told();
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(changes); i++) {
        assert_true(notify(memory, changed_order(changes[i][0], changes[i][1])));
        assert_int_equal(counts.skipped, i + 1);
    }
    assert_int_equal(ampel_document_memory_count(memory), 0);
    assert_string_equal(told, "");
    /* The step between: what says that it is no replacement counts. */
    assert_true(notify(memory, changed_order("\"Summary\": {",
                                             "\"Summary\": {\"IsReplacementOrder\": \"false\", "
                                             "\"ReplacedOrderId\": \"\", ")));
    assert_int_equal(counts.events, 1);
    ampel_document_memory_close(memory);
}

static void files_are_walked_as_lines_as_an_array_and_past_broken_documents(void **state) {
    (void)state;
    struct ampel_document_memory *memory = ampel_document_memory_open();
    struct ampel_document_cursor cursor = {0, 0};
    struct ampel_text document;
    uint32_t line;
    read_file("notification_pretty.json", file_bytes);
    forget_told();
    notify_file(memory, file_bytes);
    assert_int_equal(counts.events, 3);

    struct ampel_text file =
        text_of("{\"a\":\"}{\\\"\"}\n\n{\"b\":\n1}{\"c\":2}\n{\"d\"\n{\"e\":1}\nx\n");
    static const struct {
        const char *text;
        uint32_t line;
    } parts[] = {{"{\"a\":\"}{\\\"\"}", 1}, {"{\"b\":\n1}", 3}, {"{\"c\":2}", 4},
                 {"{\"d\"\n", 5},           {"{\"e\":1}", 6},   {"x\n", 7}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(parts); i++) {
        assert_true(ampel_document_next(file, &cursor, &document, &line));
        assert_int_equal(document.size, strlen(parts[i].text));
        assert_memory_equal(document.bytes, parts[i].text, document.size);
        assert_int_equal(line, parts[i].line);
    }
    assert_false(ampel_document_next(file, &cursor, &document, &line));
    assert_false(ampel_document_next(file, &cursor, &document, &line));
    ampel_document_memory_close(memory);
}

static void tenants_do_not_share_what_was_seen(void **state) {
    (void)state;
    struct ampel_document_memory *memory = ampel_document_memory_open();
    struct ampel_document_account other = account;
    other.tenant = (struct ampel_text){"suedwind", 8};
    forget_told();
    assert_true(notify(memory, delivery_of(1, 1, false)));
    assert_true(ampel_document_notification(delivery_of(1, 1, false), &other, memory, take, told,
                                            &counts, &error));
    assert_int_equal(counts.events, 2);
    ampel_document_memory_close(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_become_events_once),
        cmocka_unit_test(an_offer_is_created_once_on_the_day_it_says),
        cmocka_unit_test(an_own_price_is_told_against_the_lowest_of_the_others_once_a_day),
        cmocka_unit_test(second_run_with_the_exported_memory_counts_nothing_twice),
        cmocka_unit_test(export_forgets_days_before_the_given_time_and_no_others),
        cmocka_unit_test(damaged_memory_is_refused_whole),
        cmocka_unit_test(one_in_seven_doubled_deliveries_out_of_order_count_each_order_once),
        cmocka_unit_test(memory_outgrows_its_first_table),
        cmocka_unit_test(broken_field_is_named_and_leaves_the_memory_as_it_was),
        cmocka_unit_test(order_that_replaces_another_or_is_not_shipped_is_skipped),
        cmocka_unit_test(files_are_walked_as_lines_as_an_array_and_past_broken_documents),
        cmocka_unit_test(tenants_do_not_share_what_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

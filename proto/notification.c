/* Notifications: ORDER_CHANGE, ACCOUNT_STATUS_CHANGED, ANY_OFFER_CHANGED, LISTINGS_ITEM_STATUS_CHANGE and LISTINGS_ITEM_ISSUES_CHANGE. The marketplace writes the keys of some
   types as "NotificationType", of others as "notificationType"; either is read everywhere. */
#include <stdio.h>
#include <string.h>

#include "engine/bounds.h"
#include "proto/document_memory.h"
#include "proto/document_part.h"
#include "proto/text.h"

#define KEY_ORDER        'o'
#define KEY_CANCELLED    'c'
#define KEY_OFFER        'l'
#define KEY_NOTIFICATION 'n'
#define KEY_PRICE        'p'

struct notification {
    struct ampel_document_writer writer;
    struct ampel_document_memory *memory;
    const struct ampel_json *root, *payload;
};

static bool absent(const struct ampel_json *value) {
    return ampel_json_kind(value) == AMPEL_JSON_NULL;
}

/* The value under a key written with a capital, or with that letter small. */
static const struct ampel_json *member(const struct ampel_json *object, const char *key) {
    const struct ampel_json *value = ampel_json_get(object, key);
    if (value != NULL) return value;
    char small[48];
    size_t size = strlen(key);
    AMPEL_ASSERT(size < sizeof(small));
    memcpy(small, key, size + 1);
    small[0] = (char)(small[0] - 'A' + 'a');
    return ampel_json_get(object, small);
}

/* A text that must be there. */
static bool read_text(struct notification *notification, const struct ampel_json *value,
                      const char *path, struct ampel_text *out) {
    if (!ampel_json_text(value, out))
        return ampel_document_fail_kind(&notification->writer, path, "a text", value);
    if (out->size >= 1 && out->size <= AMPEL_TEXT_BYTES_MAX) return true;
    return ampel_document_fail(&notification->writer, path, "must have 1 to 200 bytes");
}

/* A text that may be missing or null, then empty. */
static bool read_text_if_any(struct notification *notification, const struct ampel_json *value,
                             const char *path, struct ampel_text *out) {
    *out = (struct ampel_text){NULL, 0};
    return absent(value) || read_text(notification, value, path, out);
}

static bool read_time(struct notification *notification, const struct ampel_json *value,
                      const char *path, int64_t *out_ms) {
    if (absent(value)) return ampel_document_fail(&notification->writer, path, "is missing");
    if (ampel_document_time(value, false, out_ms)) return true;
    return ampel_document_fail(&notification->writer, path, "must be a time");
}

/* The id of the notification; a document without one can be told from others by its content alone.
 */
static bool read_id(struct notification *notification, struct ampel_text *out) {
    const struct ampel_json *metadata = member(notification->root, "NotificationMetadata");
    return read_text_if_any(notification, member(metadata, "NotificationId"),
                            "NotificationMetadata.NotificationId", out);
}

static struct ampel_document_memory_key key_of_id(const struct notification *notification,
                                                  struct ampel_text id) {
    struct ampel_document_memory_key key;
    const struct ampel_text parts[] = {notification->writer.account->tenant, id};
    ampel_document_memory_key_of(&key, KEY_NOTIFICATION, parts, 2);
    return key;
}

/* Whether this delivery was met before; counts it if so. */
static bool delivered_before(struct notification *notification, struct ampel_text id) {
    if (id.size == 0) return false;
    struct ampel_document_memory_key key = key_of_id(notification, id);
    if (!ampel_document_memory_has(notification->memory, &key)) return false;
    notification->writer.counts->duplicates++;
    return true;
}

static void remember_id(struct notification *notification, struct ampel_text id, int64_t at_ms) {
    if (id.size == 0) return;
    struct ampel_document_memory_key key = key_of_id(notification, id);
    ampel_document_memory_add(notification->memory, &key, at_ms / AMPEL_DAY_MS);
}

/* Room for what one document can add. */
static bool reserve(struct notification *notification) {
    return ampel_document_memory_reserve(notification->memory, 2) ||
           ampel_document_fail(&notification->writer, "", "there is no memory");
}

/* Judges the event first, so that what is remembered below was really told. */
static bool judge_then_tell(struct notification *notification, ampel_document_sink sink,
                            struct ampel_text seller, struct ampel_text marketplace,
                            const char *path) {
    if (!ampel_document_tell(&notification->writer, seller, marketplace, path)) return false;
    notification->writer.sink = sink;
    bool told = ampel_document_tell(&notification->writer, seller, marketplace, path);
    AMPEL_ASSERT(told); /* the same event was judged a moment ago */
    return true;
}

static bool skip(struct notification *notification) {
    notification->writer.counts->skipped++;
    return true;
}

/* ---- ACCOUNT_STATUS_CHANGED ----------------------------------------------------------------- */

static bool read_account_status(struct notification *notification, ampel_document_sink sink) {
    static const char change_path[] = "Payload.AccountStatusChangeNotification";
    static const char status_path[] =
        "Payload.AccountStatusChangeNotification.CurrentAccountStatus";
    struct ampel_document_writer *writer = &notification->writer;
    const struct ampel_json *change =
        member(notification->payload, "AccountStatusChangeNotification");
    struct ampel_text id, seller, marketplace;
    int64_t at_ms;
    uint8_t code;
    if (ampel_json_kind(change) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(writer, change_path, "an object", change);
    if (!read_id(notification, &id)) return false;
    if (delivered_before(notification, id)) return true;
    if (!ampel_document_status(writer, member(change, "CurrentAccountStatus"), status_path,
                               &code) ||
        !read_time(notification, member(notification->root, "EventTime"), "EventTime", &at_ms) ||
        !read_text_if_any(notification, member(change, "SellerId"), change_path, &seller) ||
        !read_text_if_any(notification, member(change, "MarketplaceId"), change_path,
                          &marketplace) ||
        !reserve(notification))
        return false;
    ampel_document_event(writer, AMPEL_EVENT_ACCOUNT_STATUS, at_ms);
    writer->out.event.code = code;
    if (!judge_then_tell(notification, sink, seller, marketplace, change_path)) return false;
    remember_id(notification, id, at_ms);
    return true;
}

/* ---- ORDER_CHANGE --------------------------------------------------------------------------- */

static bool says_true(const struct ampel_json *value) {
    bool boolean;
    struct ampel_text text;
    if (ampel_json_boolean(value, &boolean)) return boolean;
    return ampel_json_text(value, &text) &&
           (ampel_text_is(text, "true") || ampel_text_is(text, "True"));
}

/* An order that replaces another one brings no points of its own. Said in different places by
 * different versions. */
static bool is_replacement(const struct ampel_json *change, const struct ampel_json *summary) {
    struct ampel_text type, replaced;
    if (says_true(member(summary, "IsReplacementOrder"))) return true;
    if (says_true(member(change, "IsReplacementOrder"))) return true;
    if (ampel_json_text(member(summary, "ReplacedOrderId"), &replaced) && replaced.size > 0)
        return true;
    return ampel_json_text(member(summary, "OrderType"), &type) &&
           (ampel_text_is(type, "ReplacementOrder") || ampel_text_is(type, "Replacement"));
}

/* When the order changed, told by the order system itself; where that is missing, when the
   notification was made, which is the same but for delays of the feed. A delivery's own time is
   never used: it differs between deliveries. */
static bool read_change_time(struct notification *notification, const struct ampel_json *change,
                             int64_t *at_ms) {
    const struct ampel_json *trigger = member(change, "OrderChangeTrigger");
    const struct ampel_json *changed = member(trigger, "TimeOfOrderChange");
    if (absent(changed))
        return read_time(notification, member(notification->root, "EventTime"), "EventTime", at_ms);
    return read_time(notification, changed,
                     "Payload.OrderChangeNotification.OrderChangeTrigger.TimeOfOrderChange", at_ms);
}

struct order {
    struct ampel_text notification_id, order_id, seller, marketplace;
    int64_t at_ms;
};

static bool read_order(struct notification *notification, const struct ampel_json *change,
                       const struct ampel_json *summary, struct order *order) {
    return read_text(notification, member(change, "AmazonOrderId"),
                     "Payload.OrderChangeNotification.AmazonOrderId", &order->order_id) &&
           read_text_if_any(notification, member(change, "SellerId"),
                            "Payload.OrderChangeNotification.SellerId", &order->seller) &&
           read_text_if_any(notification, member(summary, "MarketplaceId"),
                            "Payload.OrderChangeNotification.Summary.MarketplaceId",
                            &order->marketplace) &&
           read_change_time(notification, change, &order->at_ms) && reserve(notification);
}

/* Tells the order unless it was told before; either way this delivery is known from now on. An order may be shipped and then
   cancelled: each counts once for itself. */
static bool count_order(struct notification *notification, ampel_document_sink sink,
                        const struct order *order, bool cancelled) {
    struct ampel_document_memory_key key;
    const struct ampel_document_account *account = notification->writer.account;
    const struct ampel_text parts[] = {account->tenant, order->order_id};
    ampel_document_memory_key_of(&key, cancelled ? KEY_CANCELLED : KEY_ORDER, parts, 2);
    if (ampel_document_memory_has(notification->memory, &key)) {
        notification->writer.counts->duplicates++;
    } else {
        ampel_document_event(&notification->writer,
                             cancelled ? AMPEL_EVENT_ORDERS_CANCELLED : AMPEL_EVENT_ORDER, order->at_ms);
        if (!judge_then_tell(notification, sink, order->seller, order->marketplace,
                             "Payload.OrderChangeNotification"))
            return false;
        ampel_document_memory_add(notification->memory, &key, order->at_ms / AMPEL_DAY_MS);
    }
    remember_id(notification, order->notification_id, order->at_ms);
    return true;
}

static bool read_order_change(struct notification *notification, ampel_document_sink sink) {
    const struct ampel_json *change = member(notification->payload, "OrderChangeNotification");
    const struct ampel_json *summary = member(change, "Summary");
    struct order order;
    struct ampel_text status;
    if (ampel_json_kind(change) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&notification->writer, "Payload.OrderChangeNotification",
                                        "an object", change);
    if (ampel_json_kind(summary) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(
            &notification->writer, "Payload.OrderChangeNotification.Summary", "an object", summary);
    if (!read_id(notification, &order.notification_id)) return false;
    if (delivered_before(notification, order.notification_id)) return true;
    if (!read_text(notification, member(summary, "OrderStatus"),
                   "Payload.OrderChangeNotification.Summary.OrderStatus", &status))
        return false;
    bool cancelled = ampel_text_is(status, "Canceled") || ampel_text_is(status, "Cancelled");
    if ((!cancelled && !ampel_text_is(status, "Shipped")) || is_replacement(change, summary))
        return skip(notification);
    return read_order(notification, change, summary, &order) &&
           count_order(notification, sink, &order, cancelled);
}

/* ---- LISTINGS_ITEM_ISSUES_CHANGE ------------------------------------------------------------- */

/* As any text of an event. */
#define ACTIONS_BYTES_MAX AMPEL_TEXT_BYTES_MAX
static_assert(ACTIONS_BYTES_MAX + 2 * AMPEL_ID_BYTES_MAX + 3 * 3 <= AMPEL_EXTRAS_BYTES_MAX, "with a tag and a size each");

/* The actions joined by commas, as an event keeps them. */
static bool read_actions(struct notification *notification, const struct ampel_json *actions,
                         char bytes[ACTIONS_BYTES_MAX], struct ampel_text *out) {
    static const char path[] = "Payload.EnforcementActions";
    uint32_t size = 0;
    *out = (struct ampel_text){bytes, 0};
    if (absent(actions)) return true;
    if (ampel_json_kind(actions) != AMPEL_JSON_ARRAY)
        return ampel_document_fail_kind(&notification->writer, path, "a list", actions);
    for (uint32_t i = 0; i < ampel_json_count(actions); i++) {
        struct ampel_text action;
        if (!ampel_json_text(ampel_json_at(actions, i), &action) || !ampel_id_valid(action, false) ||
            memchr(action.bytes, ',', action.size) != NULL)
            return ampel_document_fail(&notification->writer, path,
                                       "must hold names of 1 to 64 characters without spaces or commas");
        if (size + action.size + 1 > ACTIONS_BYTES_MAX)
            return ampel_document_fail(&notification->writer, path, "has too many names");
        if (size > 0) bytes[size++] = ',';
        memcpy(bytes + size, action.bytes, action.size);
        size += action.size;
    }
    out->size = size;
    return true;
}

static void put_extra(struct notification *notification, enum ampel_extra_tag tag, struct ampel_text text) {
    if (text.size == 0) return;
    bool fits = ampel_extras_put_text(&notification->writer.extras, tag, text);
    AMPEL_ASSERT(fits); /* two ids and the actions */
}

/* A seller's own SKU may hold spaces and is then no id: the ASIN names the listing as well. */
static bool read_listing(struct notification *notification, struct ampel_text *asin, struct ampel_text *sku) {
    if (!read_text_if_any(notification, member(notification->payload, "Asin"), "Payload.Asin", asin) ||
        !read_text_if_any(notification, member(notification->payload, "Sku"), "Payload.Sku", sku))
        return false;
    if (asin->size > 0 && !ampel_id_valid(*asin, false))
        return ampel_document_fail(&notification->writer, "Payload.Asin", "must be an id without spaces");
    if (ampel_id_valid(*sku, false)) return true;
    if (asin->size == 0)
        return ampel_document_fail(&notification->writer, "Payload.Sku",
                                   "must be an id without spaces where there is no Asin");
    *sku = (struct ampel_text){NULL, 0};
    return true;
}

static bool read_listing_issues(struct notification *notification, ampel_document_sink sink) {
    const struct ampel_json *payload = notification->payload;
    struct ampel_text id, seller, marketplace, asin, sku, actions;
    char bytes[ACTIONS_BYTES_MAX];
    int64_t at_ms;
    if (!read_id(notification, &id)) return false;
    if (delivered_before(notification, id)) return true;
    if (!read_time(notification, member(notification->root, "EventTime"), "EventTime", &at_ms) ||
        !read_text_if_any(notification, member(payload, "SellerId"), "Payload.SellerId", &seller) ||
        !read_text_if_any(notification, member(payload, "MarketplaceId"), "Payload.MarketplaceId",
                          &marketplace) ||
        !read_listing(notification, &asin, &sku) ||
        !read_actions(notification, member(payload, "EnforcementActions"), bytes, &actions) ||
        !reserve(notification))
        return false;
    /* Neither an issue nor an action is left: the listing is well again. */
    if (actions.size == 0 && ampel_json_count(member(payload, "Severities")) == 0) return skip(notification);
    ampel_document_event(&notification->writer, AMPEL_EVENT_HINT, at_ms);
    put_extra(notification, AMPEL_EXTRA_ASIN, asin);
    put_extra(notification, AMPEL_EXTRA_SKU, sku);
    put_extra(notification, AMPEL_EXTRA_ACTIONS, actions);
    if (!judge_then_tell(notification, sink, seller, marketplace, "Payload")) return false;
    remember_id(notification, id, at_ms);
    return true;
}

/* ---- LISTINGS_ITEM_STATUS_CHANGE ------------------------------------------------------------- */

struct offer {
    struct ampel_text notification_id, seller, marketplace, sku;
    int64_t created_ms;
};

static bool read_offer(struct notification *notification, struct offer *offer) {
    const struct ampel_json *payload = notification->payload;
    return read_time(notification, member(payload, "CreatedDate"), "Payload.CreatedDate", &offer->created_ms) &&
           read_text_if_any(notification, member(payload, "SellerId"), "Payload.SellerId", &offer->seller) &&
           read_text_if_any(notification, member(payload, "MarketplaceId"), "Payload.MarketplaceId",
                            &offer->marketplace) &&
           read_text(notification, member(payload, "Sku"), "Payload.Sku", &offer->sku) && reserve(notification);
}

static struct ampel_document_memory_key key_of_offer(const struct notification *notification,
                                                     const struct offer *offer) {
    const struct ampel_document_account *account = notification->writer.account;
    const struct ampel_text parts[] = {
        account->tenant, offer->seller.size > 0 ? offer->seller : account->seller,
        offer->marketplace.size > 0 ? offer->marketplace : account->marketplace, offer->sku};
    struct ampel_document_memory_key key;
    ampel_document_memory_key_of(&key, KEY_OFFER, parts, 4);
    return key;
}

/* An offer that is met for the first time was created on its CreatedDate, whatever its status is now; one without a date may
   be as old as the shop, and says nothing. */
static bool read_listing_status(struct notification *notification, ampel_document_sink sink) {
    struct offer offer;
    if (!read_id(notification, &offer.notification_id)) return false;
    if (delivered_before(notification, offer.notification_id)) return true;
    if (absent(member(notification->payload, "CreatedDate"))) return skip(notification);
    if (!read_offer(notification, &offer)) return false;
    if ((offer.seller.size > 0 && !ampel_id_valid(offer.seller, true)) ||
        (offer.marketplace.size > 0 && !ampel_id_valid(offer.marketplace, true)))
        return ampel_document_fail(&notification->writer, "Payload", "names no account");
    struct ampel_document_memory_key key = key_of_offer(notification, &offer);
    if (ampel_document_memory_has(notification->memory, &key)) {
        notification->writer.counts->duplicates++;
    } else {
        ampel_document_event(&notification->writer, AMPEL_EVENT_LISTING, offer.created_ms);
        notification->writer.out.event.code = 0; /* created */
        if (!judge_then_tell(notification, sink, offer.seller, offer.marketplace, "Payload")) return false;
        ampel_document_memory_add(notification->memory, &key, offer.created_ms / AMPEL_DAY_MS);
    }
    remember_id(notification, offer.notification_id, offer.created_ms);
    return true;
}

/* ---- ANY_OFFER_CHANGED ------------------------------------------------------------------------ */

/* An account keeps few facts, a shop changes many prices: what is not far below the others is told as one price, what is in
   steps of a tenth; handling only where it is long, in steps of five days. */
#define PRICE_USUAL_PERMILLE 1000
#define PRICE_CUT_PERMILLE   600
#define PRICE_STEP_PERMILLE  100
#define HANDLING_LONG_DAYS   10
#define HANDLING_STEP_DAYS   5
#define HANDLING_MOST_DAYS   60

/* One look at the market of a product: what the seller asks, and what others do. */
struct prices {
    struct ampel_text notification_id, seller, marketplace, asin;
    int64_t at_ms;
    int64_t own_cents, others_cents; /* the lowest; -1: none */
    int64_t own_hours;               /* until the cheapest own one is sent at the latest; -1: not told */
};

#define OFFERS_PATH "Payload.AnyOfferChangedNotification.Offers"

static bool read_amount(struct notification *notification, const struct ampel_json *price, const char *path,
                        int64_t *cents) {
    const struct ampel_json *amount = member(price, "Amount");
    *cents = -1;
    if (absent(price)) return true;
    if (!ampel_json_scaled(amount, 100, cents))
        return ampel_document_fail_kind(&notification->writer, path, "an Amount", amount);
    return *cents >= 0 || ampel_document_fail(&notification->writer, path, "must have an Amount of 0 or more");
}

static bool read_one_price(struct notification *notification, const struct ampel_json *offer, struct prices *prices) {
    struct ampel_text seller;
    int64_t cents, hours = -1;
    if (!read_text_if_any(notification, member(offer, "SellerId"), OFFERS_PATH, &seller) ||
        !read_amount(notification, member(offer, "ListingPrice"), OFFERS_PATH, &cents))
        return false;
    if (cents < 0) return true;
    if (!ampel_text_equal(seller, prices->seller)) {
        if (prices->others_cents < 0 || cents < prices->others_cents) prices->others_cents = cents;
        return true;
    }
    if (prices->own_cents >= 0 && cents >= prices->own_cents) return true;
    prices->own_cents = cents;
    bool told = ampel_json_integer(member(member(offer, "ShippingTime"), "MaximumHours"), &hours) && hours >= 0;
    prices->own_hours = told ? hours : -1;
    return true;
}

/* Where nobody else offers it, what the marketplace takes for the price elsewhere, else the maker's. */
static bool read_reference(struct notification *notification, const struct ampel_json *summary, struct prices *prices) {
    static const char *const names[] = {"CompetitivePriceThreshold", "ListPrice"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names) && prices->others_cents < 0; i++) {
        if (!read_amount(notification, member(summary, names[i]), "Payload.AnyOfferChangedNotification.Summary",
                         &prices->others_cents))
            return false;
    }
    return true;
}

static bool read_prices(struct notification *notification, const struct ampel_json *change, struct prices *prices) {
    const struct ampel_json *trigger = member(change, "OfferChangeTrigger"), *offers = member(change, "Offers");
    const struct ampel_json *changed = member(trigger, "TimeOfOfferChange");
    if (absent(changed)) changed = member(notification->root, "EventTime");
    if (!read_text_if_any(notification, member(change, "SellerId"), "Payload.AnyOfferChangedNotification.SellerId",
                          &prices->seller) ||
        !read_text_if_any(notification, member(trigger, "MarketplaceId"),
                          "Payload.AnyOfferChangedNotification.OfferChangeTrigger.MarketplaceId", &prices->marketplace) ||
        !read_text(notification, member(trigger, "ASIN") != NULL ? member(trigger, "ASIN") : ampel_json_get(trigger, "asin"),
                   "Payload.AnyOfferChangedNotification.OfferChangeTrigger.ASIN", &prices->asin) ||
        !read_time(notification, changed, "Payload.AnyOfferChangedNotification.OfferChangeTrigger.TimeOfOfferChange",
                   &prices->at_ms))
        return false;
    if (!absent(offers) && ampel_json_kind(offers) != AMPEL_JSON_ARRAY)
        return ampel_document_fail_kind(&notification->writer, OFFERS_PATH, "a list", offers);
    if (prices->seller.size == 0) prices->seller = notification->writer.account->seller;
    if (prices->marketplace.size == 0) prices->marketplace = notification->writer.account->marketplace;
    if (!ampel_id_valid(prices->seller, true) || !ampel_id_valid(prices->marketplace, true))
        return ampel_document_fail(&notification->writer, "Payload.AnyOfferChangedNotification", "names no account");
    if (!ampel_id_valid(prices->asin, false))
        return ampel_document_fail(&notification->writer, "Payload.AnyOfferChangedNotification.OfferChangeTrigger.ASIN",
                                   "must be an id without spaces");
    prices->own_cents = prices->others_cents = prices->own_hours = -1;
    for (uint32_t i = 0; i < ampel_json_count(offers); i++) {
        if (!read_one_price(notification, ampel_json_at(offers, i), prices)) return false;
    }
    return read_reference(notification, member(change, "Summary"), prices);
}

/* The same own price of the same product counts once a day, however often others move theirs. */
static struct ampel_document_memory_key key_of_price(const struct notification *notification,
                                                     const struct prices *prices) {
    char what[64];
    int size = snprintf(what, sizeof what, "%lld %lld %lld", (long long)(prices->at_ms / AMPEL_DAY_MS),
                        (long long)prices->own_cents, (long long)prices->own_hours);
    const struct ampel_text parts[] = {notification->writer.account->tenant, prices->seller, prices->marketplace,
                                       prices->asin, {what, (uint32_t)size}};
    struct ampel_document_memory_key key;
    ampel_document_memory_key_of(&key, KEY_PRICE, parts, 5);
    return key;
}

/* The seller's offer against the market. False: no room, which cannot be. */
static bool price_event(struct notification *notification, const struct prices *prices) {
    struct ampel_extras_writer *extras = &notification->writer.extras;
    /* No amount is read beyond 10^15 cents. */
    int64_t permille = prices->own_cents * 1000 / prices->others_cents;
    int64_t days = prices->own_hours / 24;
    permille = permille < PRICE_CUT_PERMILLE ? permille - permille % PRICE_STEP_PERMILLE : PRICE_USUAL_PERMILLE;
    if (days > HANDLING_MOST_DAYS) days = HANDLING_MOST_DAYS;
    ampel_document_event(&notification->writer, AMPEL_EVENT_LISTING, prices->at_ms);
    notification->writer.out.event.code = 1; /* price */
    return ampel_extras_put_number(extras, AMPEL_EXTRA_PRICE_PERMILLE, permille) &&
           (days < HANDLING_LONG_DAYS ||
            ampel_extras_put_number(extras, AMPEL_EXTRA_HANDLING_DAYS, days - days % HANDLING_STEP_DAYS));
}

static bool read_any_offer_changed(struct notification *notification, ampel_document_sink sink) {
    const struct ampel_json *change = member(notification->payload, "AnyOfferChangedNotification");
    struct prices prices;
    if (ampel_json_kind(change) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&notification->writer, "Payload.AnyOfferChangedNotification", "an object", change);
    if (!read_id(notification, &prices.notification_id)) return false;
    if (delivered_before(notification, prices.notification_id)) return true;
    if (!read_prices(notification, change, &prices)) return false;
    /* The seller is not among the twenty offers told, or there is nothing to compare with. */
    if (prices.own_cents < 0 || prices.others_cents <= 0) return skip(notification);
    if (!reserve(notification)) return false;
    struct ampel_document_memory_key key = key_of_price(notification, &prices);
    if (ampel_document_memory_has(notification->memory, &key)) {
        notification->writer.counts->duplicates++;
    } else {
        bool fits = price_event(notification, &prices);
        AMPEL_ASSERT(fits);
        if (!judge_then_tell(notification, sink, prices.seller, prices.marketplace, "Payload.AnyOfferChangedNotification"))
            return false;
        ampel_document_memory_add(notification->memory, &key, prices.at_ms / AMPEL_DAY_MS);
    }
    remember_id(notification, prices.notification_id, prices.at_ms);
    return true;
}

/* ---- any ------------------------------------------------------------------------------------ */

static bool read_notification(struct notification *notification, ampel_document_sink sink) {
    struct ampel_text type;
    if (ampel_json_kind(notification->root) != AMPEL_JSON_OBJECT)
        return ampel_document_fail(&notification->writer, "", "a notification is one JSON object");
    if (!read_text(notification, member(notification->root, "NotificationType"), "NotificationType",
                   &type))
        return false;
    bool (*read)(struct notification *, ampel_document_sink) =
        ampel_text_is(type, "ORDER_CHANGE")                  ? read_order_change
        : ampel_text_is(type, "ACCOUNT_STATUS_CHANGED")      ? read_account_status
        : ampel_text_is(type, "ANY_OFFER_CHANGED")           ? read_any_offer_changed
        : ampel_text_is(type, "LISTINGS_ITEM_STATUS_CHANGE") ? read_listing_status
        : ampel_text_is(type, "LISTINGS_ITEM_ISSUES_CHANGE") ? read_listing_issues
                                                             : NULL;
    if (read == NULL) return skip(notification);
    notification->payload = member(notification->root, "Payload");
    if (ampel_json_kind(notification->payload) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&notification->writer, "Payload", "an object",
                                        notification->payload);
    return read(notification, sink);
}

bool ampel_document_notification(struct ampel_text json,
                                 const struct ampel_document_account *account,
                                 struct ampel_document_memory *memory, ampel_document_sink sink,
                                 void *context, struct ampel_document_counts *counts,
                                 struct ampel_error *error) {
    struct ampel_json *root = ampel_json_open(json, error);
    if (root == NULL) return false;
    struct notification notification = {
        .writer = {.account = account, .context = context, .counts = counts, .error = error},
        .memory = memory,
        .root = root,
    };
    bool read = ampel_document_account_check(&notification.writer) &&
                read_notification(&notification, sink);
    ampel_json_close(root);
    return read;
}

/* Seller performance reports. Read twice: first everything is judged and nothing told, then told;
   so a report with a broken field yields no event at all.

   What a field may be called and where it may be nested differs between the published schema, its
   example and live reports; the tables below hold every spelling that was seen. null and `status:
   NONE` mean no data. */
#include <stdio.h>
#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/document_part.h"
#include "proto/text.h"

#define PPM           1000000
#define SPELLINGS_MAX 2
#define NAME_SIZE     (AMPEL_ID_BYTES_MAX + 1)
#define COUNT_BYTES   5
/* Reports come for some twenty marketplaces; a document with more than this is none. */
#define MARKETPLACES_MAX 1000

/* Counts per policy; the least policy first. A policy without a row here stands in no report. */
static const struct {
    const char *policy;
    const char *spellings[SPELLINGS_MAX];
} policy_fields[] = {
    {"suspected_ip", {"suspectedIntellectualPropertyViolations"}},
    {"received_ip_complaint", {"receivedIntellectualPropertyComplaints"}},
    {"product_authenticity", {"productAuthenticityCustomerComplaints"}},
    {"product_condition", {"productConditionCustomerComplaints"}},
    {"product_safety", {"productSafetyCustomerComplaints"}},
    {"food_and_product_safety", {"foodAndProductSafetyIssues"}},
    {"listing_policy", {"listingPolicyViolations"}},
    {"restricted_product", {"restrictedProductPolicyViolations"}},
    {"customer_reviews", {"customerProductReviewsPolicyViolations"}},
    {"other_policy", {"otherPolicyViolations"}},
    {"policy_warning", {"policyViolationWarnings"}},
    {"regulatory_compliance", {"documentRequests", "documentRequest"}},
};
static const char *const count_spellings[] = {"defectsCount", "warningsCount", "count"};

/* Delivery metrics: the name of the event, then where the report has it. */
static const struct {
    const char *name;
    const char *spellings[SPELLINGS_MAX];
    const char *member; /* one level deeper, or NULL */
} metric_fields[] = {
    {"orderDefectRate.mfn", {"orderDefectRate"}, "mfn"},
    {"orderDefectRate.afn", {"orderDefectRate"}, "afn"},
    {"preFulfillmentCancellationRate",
     {"preFulfillmentCancellationRate", "prefulfillmentCancelRate"},
     NULL},
    {"lateShipmentRate", {"lateShipmentRate"}, NULL},
    {"validTrackingRate", {"validTrackingRate"}, NULL},
    {"unitOnTimeDeliveryRate", {"unitOnTimeDeliveryRate"}, NULL},
    {"onTimeDeliveryRate", {"onTimeDeliveryRate"}, NULL},
    {"invoiceDefectRate", {"invoiceDefectRate"}, NULL},
};

struct report {
    struct ampel_document_writer writer;
    const struct ampel_json *statuses, *metrics; /* NULL or lists */
    int64_t at_ms;
};

static bool absent(const struct ampel_json *value) {
    return ampel_json_kind(value) == AMPEL_JSON_NULL;
}

static struct ampel_text no_text(void) {
    return (struct ampel_text){NULL, 0};
}

/* "above.below" */
static void path_below(char out[AMPEL_DOCUMENT_PATH_SIZE], const char *above, const char *below) {
    snprintf(out, AMPEL_DOCUMENT_PATH_SIZE, "%.70s.%.45s", above, below);
}

/* The first spelling that has a value; *used is it, or the first one where none has. */
static const struct ampel_json *spelled(const struct ampel_json *object,
                                        const char *const *spellings, uint32_t count,
                                        const char **used) {
    *used = spellings[0];
    for (uint32_t i = 0; i < count && spellings[i] != NULL; i++) {
        const struct ampel_json *value = ampel_json_get(object, spellings[i]);
        if (absent(value)) continue;
        *used = spellings[i];
        return value;
    }
    return NULL;
}

/* The words of a report's enumerations as names of our registries; false for another word. */
static bool word_code(struct ampel_text word, enum ampel_registry registry, uint8_t *code) {
    char name[NAME_SIZE];
    if (word.size >= sizeof(name)) return false;
    for (uint32_t i = 0; i < word.size; i++) {
        char byte = word.bytes[i];
        name[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    return ampel_registry_code(registry, (struct ampel_text){name, word.size}, code);
}

/* `status` of a metric or count: GOOD, BAD, NONE; AMPEL_CODE_NONE where absent. */
static bool read_state(struct report *report, const struct ampel_json *object, const char *above,
                       uint8_t *code) {
    const struct ampel_json *value = ampel_json_get(object, "status");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    struct ampel_text word;
    *code = AMPEL_CODE_NONE;
    if (absent(value)) return true;
    path_below(path, above, "status");
    if (!ampel_json_text(value, &word))
        return ampel_document_fail_kind(&report->writer, path, "a text", value);
    if (!word_code(word, AMPEL_REGISTRY_METRIC_STATE, code))
        return ampel_document_fail(&report->writer, path, "must be GOOD, BAD or NONE");
    return true;
}

static bool state_is_none(uint8_t code) {
    return code != AMPEL_CODE_NONE &&
           strcmp(ampel_registry_name(AMPEL_REGISTRY_METRIC_STATE, code), "none") == 0;
}

/* `marketplaceId` of an entry, or the caller's. */
static bool read_marketplace(struct report *report, const struct ampel_json *entry,
                             const char *above, struct ampel_text *out) {
    const struct ampel_json *value = ampel_json_get(entry, "marketplaceId");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    *out = report->writer.account->marketplace;
    if (absent(value) && out->size > 0) return true;
    path_below(path, above, "marketplaceId");
    if (!ampel_json_text(value, out))
        return ampel_document_fail_kind(&report->writer, path, "a text", value);
    if (!ampel_id_valid(*out, true))
        return ampel_document_fail(&report->writer, path,
                                   "must be 1 to 64 characters without space or slash");
    return true;
}

/* ---- status and observation ----------------------------------------------------------------- */

static bool tell_status(struct report *report, const struct ampel_json *entry, const char *above) {
    struct ampel_text marketplace;
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    uint8_t code;
    if (!read_marketplace(report, entry, above, &marketplace)) return false;
    path_below(path, above, "status");
    if (!ampel_document_status(&report->writer, ampel_json_get(entry, "status"), path, &code))
        return false;
    ampel_document_event(&report->writer, AMPEL_EVENT_ACCOUNT_STATUS, report->at_ms);
    report->writer.out.event.code = code;
    return ampel_document_tell(&report->writer, no_text(), marketplace, above);
}

/* The status that accountStatuses tells of a marketplace; its entries were judged before. */
static uint8_t status_of(struct report *report, struct ampel_text marketplace) {
    for (uint32_t i = 0; i < ampel_json_count(report->statuses); i++) {
        const struct ampel_json *entry = ampel_json_at(report->statuses, i);
        struct ampel_text named;
        uint8_t code;
        if (read_marketplace(report, entry, "", &named) && ampel_text_equal(named, marketplace) &&
            ampel_document_status(&report->writer, ampel_json_get(entry, "status"), "", &code))
            return code;
    }
    return AMPEL_CODE_NONE;
}

/* A whole number that is 0 or more, given as 5 or 5.0. */
static bool read_whole(struct report *report, const struct ampel_json *value, const char *path,
                       int64_t greatest, int64_t *out) {
    char reason[80];
    if (ampel_json_scaled_exactly(value, 1, out) && *out >= 0 && *out <= greatest) return true;
    snprintf(reason, sizeof(reason), "must be a whole number from 0 to %lld", (long long)greatest);
    return ampel_document_fail(&report->writer, path, reason);
}

/* The count of one policy; *known false where the report has no data of it. */
static bool read_count(struct report *report, const struct ampel_json *value, const char *above,
                       int64_t *count, bool *known) {
    uint8_t state;
    const char *used;
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    *known = false;
    if (absent(value)) return true;
    if (ampel_json_kind(value) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&report->writer, above, "an object", value);
    if (!read_state(report, value, above, &state)) return false;
    const struct ampel_json *number =
        spelled(value, count_spellings, AMPEL_ARRAY_COUNT(count_spellings), &used);
    path_below(path, above, used);
    if (number == NULL)
        return state_is_none(state) || ampel_document_fail(&report->writer, path, "is missing");
    if (!read_whole(report, number, path, AMPEL_ORDERS_MAX, count)) return false;
    *known = *count > 0 || !state_is_none(state);
    return true;
}

static bool put_counts(struct report *report, const struct ampel_json *element, const char *above) {
    char pairs[AMPEL_ARRAY_COUNT(policy_fields) * COUNT_BYTES];
    uint32_t size = 0;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(policy_fields); i++) {
        const char *used;
        char path[AMPEL_DOCUMENT_PATH_SIZE];
        int64_t count;
        bool known;
        uint8_t policy;
        const struct ampel_json *value =
            spelled(element, policy_fields[i].spellings, SPELLINGS_MAX, &used);
        path_below(path, above, used);
        if (!read_count(report, value, path, &count, &known)) return false;
        if (!known) continue;
        bool registered = ampel_registry_code(AMPEL_REGISTRY_POLICY,
                                              ampel_text_of(policy_fields[i].policy), &policy);
        AMPEL_ASSERT(registered);
        pairs[size] = (char)policy;
        ampel_store_u32(pairs + size + 1, (uint32_t)count);
        size += COUNT_BYTES;
    }
    if (size == 0) return true;
    return ampel_extras_put_text(&report->writer.extras, AMPEL_EXTRA_COUNTS,
                                 (struct ampel_text){pairs, size});
}

static bool read_score(struct report *report, const struct ampel_json *element, const char *above,
                       int16_t *score) {
    const struct ampel_json *rating = ampel_json_get(element, "accountHealthRating");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    int64_t number;
    *score = -1;
    path_below(path, above, "accountHealthRating");
    if (absent(rating)) return true;
    if (ampel_json_kind(rating) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&report->writer, path, "an object", rating);
    const struct ampel_json *value = ampel_json_get(rating, "ahrScore");
    if (absent(value)) return true;
    path_below(path, above, "accountHealthRating.ahrScore");
    if (!read_whole(report, value, path, AMPEL_POINTS_MAX, &number)) return false;
    *score = (int16_t)number;
    return true;
}

static bool tell_observed(struct report *report, const struct ampel_json *element,
                          const char *above, struct ampel_text marketplace) {
    struct ampel_event *event = &report->writer.out.event;
    int16_t score;
    uint8_t status = status_of(report, marketplace);
    if (!read_score(report, element, above, &score)) return false;
    ampel_document_event(&report->writer, AMPEL_EVENT_OBSERVED, report->at_ms);
    event->code = status;
    event->points = score;
    if (!put_counts(report, element, above)) return false;
    bool nothing = status == AMPEL_CODE_NONE && score < 0 && report->writer.extras.size == 0;
    return nothing || ampel_document_tell(&report->writer, no_text(), marketplace, above);
}

/* ---- delivery metrics ----------------------------------------------------------------------- */

/* A rate or target, given as a fraction, in ppm; *known false where it is null or not there. */
static bool read_ppm(struct report *report, const struct ampel_json *object, const char *above,
                     const char *key, int64_t *out, bool *known) {
    const struct ampel_json *value = ampel_json_get(object, key);
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    *known = !absent(value);
    if (!*known || (ampel_json_scaled(value, PPM, out) && *out >= 0)) return true;
    path_below(path, above, key);
    return ampel_document_fail(&report->writer, path, "must be a number that is 0 or more");
}

static bool put_condition(struct report *report, const struct ampel_json *object,
                          const char *above) {
    const struct ampel_json *value = ampel_json_get(object, "targetCondition");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    struct ampel_text word;
    uint8_t code;
    if (absent(value)) return true;
    path_below(path, above, "targetCondition");
    if (!ampel_json_text(value, &word))
        return ampel_document_fail_kind(&report->writer, path, "a text", value);
    if (!word_code(word, AMPEL_REGISTRY_METRIC_CONDITION, &code))
        return ampel_document_fail(&report->writer, path,
                                   "must be LESS_THAN, GREATER_THAN or EQUALS");
    return ampel_extras_put_number(&report->writer.extras, AMPEL_EXTRA_CONDITION, code);
}

static bool tell_metric(struct report *report, const struct ampel_json *object, const char *above,
                        const char *name, struct ampel_text marketplace) {
    struct ampel_document_writer *writer = &report->writer;
    int64_t rate, target;
    bool rate_known, target_known;
    uint8_t state;
    if (absent(object)) return true;
    if (ampel_json_kind(object) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(writer, above, "an object", object);
    if (!read_state(report, object, above, &state)) return false;
    if (!read_ppm(report, object, above, "rate", &rate, &rate_known)) return false;
    if (!read_ppm(report, object, above, "targetValue", &target, &target_known)) return false;
    ampel_document_event(writer, AMPEL_EVENT_METRIC, report->at_ms);
    writer->out.event.code = state;
    bool put = ampel_extras_put_text(&writer->extras, AMPEL_EXTRA_NAME, ampel_text_of(name));
    if (rate_known && !state_is_none(state))
        put = put && ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_VALUE_PPM, rate);
    if (target_known)
        put = put && ampel_extras_put_number(&writer->extras, AMPEL_EXTRA_TARGET_PPM, target);
    AMPEL_ASSERT(put); /* a name and three numbers fit into any event */
    return put_condition(report, object, above) &&
           ampel_document_tell(writer, no_text(), marketplace, above);
}

/* The days that an entry of lateShipmentRateList looks at: from midnight to the minute before one.
 */
static bool read_span_days(struct report *report, const struct ampel_json *entry, const char *above,
                           int64_t *days) {
    const struct ampel_json *range = ampel_json_get(entry, "reportingDateRange");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    int64_t from_ms, to_ms;
    path_below(path, above, "reportingDateRange.reportingDateFrom");
    if (!ampel_document_time(ampel_json_get(range, "reportingDateFrom"), false, &from_ms))
        return ampel_document_fail(&report->writer, path, "must be a time");
    path_below(path, above, "reportingDateRange.reportingDateTo");
    if (!ampel_document_time(ampel_json_get(range, "reportingDateTo"), true, &to_ms))
        return ampel_document_fail(&report->writer, path, "must be a time");
    if (to_ms < from_ms)
        return ampel_document_fail(&report->writer, path, "must not be before reportingDateFrom");
    *days = (to_ms - from_ms + AMPEL_DAY_MS / 2) / AMPEL_DAY_MS;
    return true;
}

static bool tell_late_shipments(struct report *report, const struct ampel_json *element,
                                const char *above, struct ampel_text marketplace) {
    const struct ampel_json *list = ampel_json_get(element, "lateShipmentRateList");
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    path_below(path, above, "lateShipmentRateList");
    if (absent(list)) return true;
    if (ampel_json_kind(list) != AMPEL_JSON_ARRAY)
        return ampel_document_fail_kind(&report->writer, path, "a list", list);
    for (uint32_t i = 0; i < ampel_json_count(list); i++) {
        char below[40], name[NAME_SIZE];
        int64_t days = 0;
        const struct ampel_json *entry = ampel_json_at(list, i);
        if (absent(entry)) continue;
        snprintf(below, sizeof(below), "lateShipmentRateList[%u]", i);
        path_below(path, above, below);
        if (!read_span_days(report, entry, path, &days)) return false;
        snprintf(name, sizeof(name), "lateShipmentRate.%lldd", (long long)days);
        if (!tell_metric(report, entry, path, name, marketplace)) return false;
    }
    return true;
}

static bool tell_metrics(struct report *report, const struct ampel_json *element, const char *above,
                         struct ampel_text marketplace) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(metric_fields); i++) {
        const char *used, *member = metric_fields[i].member;
        char outer[AMPEL_DOCUMENT_PATH_SIZE], path[AMPEL_DOCUMENT_PATH_SIZE];
        const struct ampel_json *value =
            spelled(element, metric_fields[i].spellings, SPELLINGS_MAX, &used);
        path_below(outer, above, used);
        if (absent(value)) continue;
        if (ampel_json_kind(value) != AMPEL_JSON_OBJECT)
            return ampel_document_fail_kind(&report->writer, outer, "an object", value);
        if (member != NULL) path_below(path, outer, member);
        if (!tell_metric(report, member != NULL ? ampel_json_get(value, member) : value,
                         member != NULL ? path : outer, metric_fields[i].name, marketplace))
            return false;
    }
    return tell_late_shipments(report, element, above, marketplace);
}

/* ---- the report ----------------------------------------------------------------------------- */

/* Raises *latest_ms to the end of the range of one metric or count, if it has one. */
static bool note_range(struct report *report, const struct ampel_json *value, const char *path,
                       int64_t *latest_ms) {
    const struct ampel_json *end =
        ampel_json_get(ampel_json_get(value, "reportingDateRange"), "reportingDateTo");
    int64_t end_ms;
    if (absent(end)) return true;
    if (!ampel_document_time(end, true, &end_ms)) {
        char below[AMPEL_DOCUMENT_PATH_SIZE];
        path_below(below, path, "reportingDateRange.reportingDateTo");
        return ampel_document_fail(&report->writer, below, "must be a time");
    }
    if (end_ms > *latest_ms) *latest_ms = end_ms;
    return true;
}

/* Ranges stand in a member, in its members (orderDefectRate) or in its entries
 * (lateShipmentRateList). */
static bool note_ranges(struct report *report, const struct ampel_json *member, const char *path,
                        int64_t *latest_ms) {
    const void *cursor = NULL;
    struct ampel_text key;
    const struct ampel_json *value;
    char below[AMPEL_DOCUMENT_PATH_SIZE];
    if (!note_range(report, member, path, latest_ms)) return false;
    while (ampel_json_next(member, &cursor, &key, &value)) {
        path_below(below, path, key.bytes);
        if (!note_range(report, value, below, latest_ms)) return false;
    }
    if (ampel_json_kind(member) != AMPEL_JSON_ARRAY) return true;
    for (uint32_t i = 0; i < ampel_json_count(member); i++) {
        snprintf(below, sizeof(below), "%.70s[%u]", path, i);
        if (!note_range(report, ampel_json_at(member, i), below, latest_ms)) return false;
    }
    return true;
}

static bool read_report_time(struct report *report) {
    int64_t latest_ms = INT64_MIN;
    for (uint32_t i = 0; i < ampel_json_count(report->metrics); i++) {
        const void *cursor = NULL;
        struct ampel_text key;
        const struct ampel_json *member;
        while (ampel_json_next(ampel_json_at(report->metrics, i), &cursor, &key, &member)) {
            char path[AMPEL_DOCUMENT_PATH_SIZE];
            snprintf(path, sizeof(path), "performanceMetrics[%u].%.60s", i, key.bytes);
            if (!note_ranges(report, member, path, &latest_ms)) return false;
        }
    }
    if (latest_ms == INT64_MIN)
        return ampel_document_fail(&report->writer, "performanceMetrics",
                                   "no reporting range tells the time of the report; give it");
    report->at_ms = latest_ms;
    return true;
}

static bool tell_entry(struct report *report, const struct ampel_json *entry, const char *path,
                       bool status) {
    struct ampel_text marketplace;
    if (ampel_json_kind(entry) != AMPEL_JSON_OBJECT)
        return ampel_document_fail_kind(&report->writer, path, "an object", entry);
    if (status) return tell_status(report, entry, path);
    return read_marketplace(report, entry, path, &marketplace) &&
           tell_observed(report, entry, path, marketplace) &&
           tell_metrics(report, entry, path, marketplace);
}

static bool tell_report(struct report *report) {
    char path[AMPEL_DOCUMENT_PATH_SIZE];
    for (uint32_t i = 0; i < ampel_json_count(report->statuses); i++) {
        snprintf(path, sizeof(path), "accountStatuses[%u]", i);
        if (!tell_entry(report, ampel_json_at(report->statuses, i), path, true)) return false;
    }
    for (uint32_t i = 0; i < ampel_json_count(report->metrics); i++) {
        snprintf(path, sizeof(path), "performanceMetrics[%u]", i);
        if (!tell_entry(report, ampel_json_at(report->metrics, i), path, false)) return false;
    }
    return true;
}

static bool read_list(struct report *report, const struct ampel_json *root, const char *key,
                      const struct ampel_json **out) {
    const struct ampel_json *value = ampel_json_get(root, key);
    *out = NULL;
    if (absent(value)) return true;
    if (ampel_json_kind(value) != AMPEL_JSON_ARRAY)
        return ampel_document_fail_kind(&report->writer, key, "a list", value);
    if (ampel_json_count(value) > MARKETPLACES_MAX)
        return ampel_document_fail(&report->writer, key, "has more than 1000 entries");
    *out = value;
    return true;
}

static bool read_report(struct report *report, const struct ampel_json *root,
                        ampel_document_sink sink) {
    if (ampel_json_kind(root) != AMPEL_JSON_OBJECT)
        return ampel_document_fail(&report->writer, "", "a report is one JSON object");
    if (!read_list(report, root, "accountStatuses", &report->statuses) ||
        !read_list(report, root, "performanceMetrics", &report->metrics))
        return false;
    if (report->statuses == NULL && report->metrics == NULL)
        return ampel_document_fail(
            &report->writer, "",
            "no seller performance report: it has neither accountStatuses nor performanceMetrics");
    if (report->at_ms == INT64_MIN && !read_report_time(report)) return false;
    if (!tell_report(report)) return false;
    report->writer.sink = sink;
    bool told = tell_report(report);
    AMPEL_ASSERT(told); /* the same bytes were judged a moment ago */
    return true;
}

bool ampel_document_report(struct ampel_text json, int64_t at_ms,
                           const struct ampel_document_account *account, ampel_document_sink sink,
                           void *context, struct ampel_document_counts *counts,
                           struct ampel_error *error) {
    struct ampel_json *root = ampel_json_open(json, error);
    if (root == NULL) return false;
    struct report report = {
        .writer = {.account = account, .context = context, .counts = counts, .error = error},
        .at_ms = at_ms,
    };
    bool read = ampel_document_account_check(&report.writer) && read_report(&report, root, sink);
    ampel_json_close(root);
    return read;
}

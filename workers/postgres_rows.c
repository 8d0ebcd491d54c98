/* Rows of accounts, violations, pages and refusals, in the columns of the *_copy statements. */
#include <stdio.h>
#include <string.h>

#include "engine/registry.h"
#include "workers/postgres.h"

enum ampel_database_status ampel_postgres_copy_pages(struct ampel_postgres *postgres,
                                                     const struct ampel_checkpoint *checkpoint,
                                                     struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_PAGE_COPY, 2, error);
    for (uint32_t i = 0; i < checkpoint->pages_count; i++) {
        const struct ampel_loaded_page *page = &checkpoint->pages[i];
        ampel_copy_row(copy);
        ampel_copy_int32(copy, (int32_t)page->page);
        ampel_copy_text(copy, (struct ampel_text){(const char *)page->bytes, page->size});
    }
    return ampel_copy_end(copy);
}

static uint32_t json_string(const char *text, char *bytes) {
    uint32_t size = 0;
    bytes[size++] = '"';
    /* Names of cap groups are printable ASCII. */
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\') bytes[size++] = '\\';
        bytes[size++] = *text;
    }
    bytes[size++] = '"';
    return size;
}

/* {"infringement":3,"restricted":0} */
static struct ampel_text caps_json(const struct ampel_checkpoint *checkpoint,
                                   const struct ampel_numbers *numbers, char *bytes) {
    uint32_t size = 0;
    bytes[size++] = '{';
    for (uint32_t i = 0; i < checkpoint->caps_count; i++) {
        if (i > 0) bytes[size++] = ',';
        size += json_string(checkpoint->caps_names[i], bytes + size);
        size += (uint32_t)snprintf(bytes + size, 8, ":%u", numbers->caps[i]);
    }
    bytes[size++] = '}';
    return (struct ampel_text){bytes, size};
}
static_assert(AMPEL_CAP_GROUPS_MAX * (2 * AMPEL_ID_BYTES_MAX + 16) < 4 * AMPEL_MESSAGE_BYTES_MAX,
              "all caps fit the text they are written to");

static void time_or_null(struct ampel_copy *copy, int64_t at_ms, int64_t none) {
    if (at_ms == none)
        ampel_copy_null(copy);
    else
        ampel_copy_time(copy, at_ms);
}

static void copy_outlook(struct ampel_copy *copy, const struct ampel_rating_row *row) {
    ampel_copy_int32(copy, row->score_min);
    ampel_copy_int32(copy, row->score_max);
    time_or_null(copy, row->turns.next_change_at_ms, INT64_MAX);
    time_or_null(copy, row->turns.turns_at_ms[AMPEL_GREEN], INT64_MAX);
    time_or_null(copy, row->turns.turns_at_ms[AMPEL_YELLOW], INT64_MAX);
    time_or_null(copy, row->turns.turns_at_ms[AMPEL_RED], INT64_MAX);
}

static void copy_incidents(struct ampel_copy *copy, const struct ampel_rating_row *row) {
    if (row->incidents_total == 0) {
        ampel_copy_null(copy);
        ampel_copy_null(copy);
    } else {
        ampel_copy_int32(copy, row->score_without);
        ampel_copy_json(copy, row->incidents);
    }
    ampel_copy_int32(copy, (int32_t)row->incidents_total);
}

enum ampel_database_status ampel_postgres_copy_ratings(struct ampel_postgres *postgres,
                                                       const struct ampel_checkpoint *checkpoint,
                                                       struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    AMPEL_ASSERT(checkpoint->caps_count <= AMPEL_CAP_GROUPS_MAX);
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_RATING_COPY, 22, error);
    for (uint32_t i = 0; i < checkpoint->ratings_count; i++) {
        const struct ampel_rating_row *row = &checkpoint->ratings[i];
        const struct ampel_numbers *numbers = &row->numbers;
        ampel_copy_row(copy);
        ampel_copy_text(copy, row->tenant);
        ampel_copy_text(copy, row->seller);
        ampel_copy_text(copy, row->marketplace);
        ampel_copy_int32(copy, numbers->score);
        ampel_copy_name(copy, ampel_registry_name(AMPEL_REGISTRY_COLOUR, numbers->colour));
        ampel_copy_name(copy, ampel_registry_name(AMPEL_REGISTRY_RISK, numbers->risk));
        ampel_copy_int64(copy, numbers->orders);
        ampel_copy_int32(copy, numbers->order_points);
        ampel_copy_int64(copy, numbers->deducted);
        ampel_copy_int32(copy, numbers->criticals);
        ampel_copy_text(copy, caps_json(checkpoint, numbers, postgres->json));
        ampel_copy_time(copy, row->as_of_ms);
        copy_outlook(copy, row);
        copy_incidents(copy, row);
        ampel_copy_text_or_null(copy, row->outlook);
    }
    return ampel_copy_end(copy);
}

enum ampel_database_status ampel_postgres_copy_gone(struct ampel_postgres *postgres,
                                                    const struct ampel_checkpoint *checkpoint,
                                                    struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_GONE_COPY, 4, error);
    for (uint32_t i = 0; i < checkpoint->gone_count; i++) {
        const struct ampel_violation_gone *gone = &checkpoint->gone[i];
        ampel_copy_row(copy);
        ampel_copy_text(copy, gone->tenant);
        ampel_copy_text(copy, gone->seller);
        ampel_copy_text(copy, gone->marketplace);
        ampel_copy_text(copy, gone->id);
    }
    return ampel_copy_end(copy);
}

static const char *severity_name(int8_t severity) {
    return severity < 0 ? NULL : ampel_registry_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)severity);
}

static void violation_row(struct ampel_copy *copy, const struct ampel_violation_row *row) {
    const struct ampel_violation *violation = &row->violation;
    ampel_copy_row(copy);
    ampel_copy_text(copy, row->tenant);
    ampel_copy_text(copy, row->seller);
    ampel_copy_text(copy, row->marketplace);
    ampel_copy_text(copy, violation->id);
    ampel_copy_name(copy, ampel_registry_name(AMPEL_REGISTRY_POLICY, violation->policy));
    ampel_copy_name(copy, severity_name(violation->severity));
    ampel_copy_name(copy, severity_name(violation->severity_given));
    ampel_copy_name(copy, ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, violation->state));
    ampel_copy_time(copy, violation->at_ms);
    time_or_null(copy, violation->state_at_ms, INT64_MIN);
    time_or_null(copy, violation->cleared_since_ms, INT64_MAX);
    ampel_copy_time(copy, violation->expires_at_ms);
    ampel_copy_int32(copy, (int32_t)violation->rank);
    ampel_copy_int64(copy, violation->points);
    if (violation->points_given < 0)
        ampel_copy_null(copy);
    else
        ampel_copy_int32(copy, violation->points_given);
    ampel_copy_int32(copy, violation->rev);
    ampel_copy_boolean(copy, violation->critical);
    ampel_copy_boolean(copy, ampel_state_deducting(violation->state));
    ampel_copy_text_or_null(copy, violation->incident);
    ampel_copy_text_or_null(copy, violation->asin);
    ampel_copy_text_or_null(copy, violation->sku);
    if (violation->at_risk_sales_cents < 0)
        ampel_copy_null(copy);
    else
        ampel_copy_int64(copy, violation->at_risk_sales_cents);
}

enum ampel_database_status ampel_postgres_copy_violations(struct ampel_postgres *postgres,
                                                          const struct ampel_checkpoint *checkpoint,
                                                          struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_VIOLATION_COPY, 22, error);
    for (uint32_t i = 0; i < checkpoint->violations_count; i++)
        violation_row(copy, &checkpoint->violations[i]);
    return ampel_copy_end(copy);
}

enum ampel_database_status ampel_postgres_copy_refusals(struct ampel_postgres *postgres,
                                                        const struct ampel_checkpoint *checkpoint,
                                                        struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_REFUSAL_COPY, 13, error);
    for (uint32_t i = 0; i < checkpoint->refusals_count; i++) {
        const struct ampel_refusal_row *row = &checkpoint->refusals[i];
        const char *type = ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, row->type);
        ampel_copy_row(copy);
        ampel_copy_text(copy, row->tenant);
        ampel_copy_text(copy, row->seller);
        ampel_copy_text(copy, row->marketplace);
        ampel_copy_text(copy, row->producer);
        ampel_copy_int64(copy, (int64_t)row->sequence);
        ampel_copy_int64(copy, row->event_index);
        ampel_copy_name(copy, ampel_verdict_name(row->verdict));
        ampel_copy_name(copy, type == NULL ? "unknown" : type);
        ampel_copy_text_or_null(copy, row->field);
        ampel_copy_text_or_null(copy, row->id);
        ampel_copy_time(copy, row->at_ms);
        ampel_copy_time(copy, row->stamp_ms);
        ampel_copy_int64(copy, (int64_t)row->position);
    }
    return ampel_copy_end(copy);
}

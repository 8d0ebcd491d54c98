#include "tests/database/sample.h"

#include <stdio.h>
#include <string.h>

#include "engine/registry.h"

struct ampel_text sample_text(const char *text) {
    return (struct ampel_text){text, (uint32_t)strlen(text)};
}

struct ampel_checkpoint sample_checkpoint(const struct ampel_parcel_loaded *loaded,
                                          uint64_t position_new) {
    static uint8_t meta[] = "meta";
    struct ampel_checkpoint checkpoint = {
        .parcel = {AMPEL_PARCEL_CHECKPOINT},
        .partition = loaded->partition,
        .epoch = loaded->epoch,
        .position_old = loaded->position,
        .position_new = position_new,
        .as_of_ms = SAMPLE_AT_MS,
        .rules_version = "amazon-1",
        .caps_count = 2,
        .caps_names = {"infringement", "restricted"},
        .meta_size = 4,
        .meta = meta,
        .stream_epoch = 7,
    };
    return checkpoint;
}

struct ampel_rules_face sample_face(void) {
    return (struct ampel_rules_face){
        .version = "amazon-1", .caps_count = 2, .caps_names = {"infringement", "restricted"}};
}

struct ampel_numbers sample_numbers(int32_t score) {
    return (struct ampel_numbers){.deducted = INT64_C(5000000000),
                                  .score = score,
                                  .order_points = 240,
                                  .orders = 4000000000u,
                                  .caps = {3, 1},
                                  .criticals = 2,
                                  .colour = score >= 200   ? AMPEL_GREEN
                                            : score >= 100 ? AMPEL_YELLOW
                                                           : AMPEL_RED,
                                  .risk = score >= 200 ? AMPEL_RISK_NONE : AMPEL_RISK_AT_RISK};
}

struct ampel_rating_row sample_rating(const char *tenant, const char *seller, int32_t score) {
    return (struct ampel_rating_row){.tenant = sample_text(tenant),
                                     .seller = sample_text(seller),
                                     .marketplace = sample_text("DE"),
                                     .numbers = sample_numbers(score),
                                     .as_of_ms = SAMPLE_AT_MS,
                                     .score_min = score - 10,
                                     .score_max = score + 10,
                                     .incidents_total = 1,
                                     .score_without = score + 7,
                                     .incidents = sample_text("[{\"id\":\"i1\",\"phase\":\"opened\",\"score\":207}]"),
                                     .turns = {.next_change_at_ms = SAMPLE_AT_MS + AMPEL_DAY_MS,
                                               .turns_at_ms = {INT64_MAX, INT64_MAX, INT64_MAX}}};
}

struct ampel_violation_row sample_violation(const char *tenant, const char *seller,
                                            const char *id) {
    return (struct ampel_violation_row){
        .tenant = sample_text(tenant),
        .seller = sample_text(seller),
        .marketplace = sample_text("DE"),
        .violation = {.at_ms = SAMPLE_AT_MS - AMPEL_DAY_MS,
                      .expires_at_ms = SAMPLE_AT_MS - AMPEL_DAY_MS + AMPEL_WINDOW_MS,
                      .state_at_ms = INT64_MIN,
                      .cleared_since_ms = INT64_MAX,
                      .points = 16,
                      .at_risk_sales_cents = -1,
                      .rank = 2,
                      .rev = 65535,
                      .points_given = -1,
                      .policy = 0,
                      .severity = AMPEL_SEVERITY_MEDIUM,
                      .severity_given = AMPEL_SEVERITY_NOT_GIVEN,
                      .state = AMPEL_STATE_OPEN,
                      .in_window = true,
                      .deducting = true,
                      .id = sample_text(id)},
    };
}

struct ampel_refusal_row sample_refusal(const char *tenant, uint64_t sequence) {
    return (struct ampel_refusal_row){.tenant = sample_text(tenant),
                                      .seller = sample_text("S1"),
                                      .marketplace = sample_text("DE"),
                                      .producer = sample_text("feeder"),
                                      .field = sample_text("id"),
                                      .id = sample_text("v-9"),
                                      .sequence = sequence,
                                      .position = 77,
                                      .event_index = 4000000000u,
                                      .verdict = AMPEL_VERDICT_TOO_MANY_VIOLATIONS,
                                      .type = AMPEL_EVENT_VIOLATION,
                                      .at_ms = SAMPLE_AT_MS,
                                      .stamp_ms = SAMPLE_AT_MS + 1};
}

struct ampel_told sample_told(const char *tenant, enum ampel_change_kind kind, uint64_t number,
                              int64_t at_ms) {
    struct ampel_told told = {
        .change = {.at_ms = at_ms,
                   .deadline_ms = kind == AMPEL_CHANGE_SCORE ? 0 : at_ms + 72 * AMPEL_HOUR_MS,
                   .kind = (uint8_t)kind,
                   .cap_group = kind == AMPEL_CHANGE_CAP_REACHED ? 1 : AMPEL_CAP_GROUP_NONE,
                   .before = sample_numbers(250),
                   .after = sample_numbers(150),
                   .cause = {.at_ms = at_ms - 1000,
                             .sequence = 12,
                             .kind = AMPEL_CAUSE_EVENT,
                             .event_type = AMPEL_EVENT_VIOLATION,
                             .policy = 0,
                             .severity = AMPEL_SEVERITY_MEDIUM,
                             .code = AMPEL_CODE_NONE,
                             .id_size = 3,
                             .producer_size = 6,
                             .id = "v-1",
                             .producer = "feeder"}},
        .tenant = sample_text(tenant),
        .seller = sample_text("S1"),
        .marketplace = sample_text("DE"),
        .stream = kind == AMPEL_CHANGE_SCORE ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS,
        .number = number,
    };
    uint64_t tenant_hash = ampel_hash_bytes(tenant, strlen(tenant));
    snprintf(told.id, sizeof(told.id), "%016llx%08x%08x", (unsigned long long)tenant_hash,
             (unsigned)kind, (unsigned)number);
    return told;
}

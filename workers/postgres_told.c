/* Rows of what was told: alerts and the history of scores, each with its message as it went over
 * the wire. */
#include <string.h>

#include "engine/registry.h"
#include "workers/postgres.h"

static const char *colour_name(const struct ampel_numbers *numbers) {
    return ampel_registry_name(AMPEL_REGISTRY_COLOUR, numbers->colour);
}

static const char *risk_name(const struct ampel_numbers *numbers) {
    return ampel_registry_name(AMPEL_REGISTRY_RISK, numbers->risk);
}

static struct ampel_text message_bytes(struct ampel_postgres *postgres, const struct ampel_message *message) {
    uint32_t size = ampel_message_encode(message, postgres->message, sizeof(postgres->message));
    AMPEL_ASSERT(size > 0);
    return (struct ampel_text){(const char *)postgres->message, size};
}

/* Before an account came into being it had no numbers. */
static void before_int32(struct ampel_copy *copy, const struct ampel_change *change,
                         int32_t value) {
    if (change->is_new)
        ampel_copy_null(copy);
    else
        ampel_copy_int32(copy, value);
}

static void before_name(struct ampel_copy *copy, const struct ampel_change *change,
                        const char *name) {
    ampel_copy_name(copy, change->is_new ? NULL : name);
}

static void alert_row(struct ampel_postgres *postgres, uint64_t stream_epoch,
                      const struct ampel_rules_face *rules, const struct ampel_told *told) {
    struct ampel_copy *copy = &postgres->copy;
    const struct ampel_change *change = &told->change;
    struct ampel_message message; /* as the publisher sends it */
    ampel_told_message(told, rules, stream_epoch, &message);
    uint32_t json_size = ampel_change_row_json(&message.change, postgres->json, sizeof(postgres->json));
    AMPEL_ASSERT(json_size > 0);
    ampel_copy_row(copy);
    ampel_copy_text(copy, told->tenant);
    ampel_copy_int64(copy, (int64_t)told->number);
    ampel_copy_uuid(copy, told->id);
    ampel_copy_time(copy, change->at_ms);
    ampel_copy_name(copy, ampel_change_name(change->kind));
    ampel_copy_text(copy, told->seller);
    ampel_copy_text(copy, told->marketplace);
    before_name(copy, change, colour_name(&change->before));
    ampel_copy_name(copy, colour_name(&change->after));
    before_int32(copy, change, change->before.score);
    ampel_copy_int32(copy, change->after.score);
    before_name(copy, change, risk_name(&change->before));
    ampel_copy_name(copy, risk_name(&change->after));
    ampel_copy_text_or_null(copy, message.change.cap_group);
    ampel_copy_json(copy, (struct ampel_text){postgres->json, json_size});
    if (change->deadline_ms == 0)
        ampel_copy_null(copy);
    else
        ampel_copy_time(copy, change->deadline_ms);
    ampel_copy_text(copy, message.change.rules_version);
    ampel_copy_text(copy, message_bytes(postgres, &message));
}

static void history_row(struct ampel_postgres *postgres, uint64_t stream_epoch,
                        const struct ampel_rules_face *rules, const struct ampel_told *told) {
    struct ampel_copy *copy = &postgres->copy;
    const struct ampel_change *change = &told->change;
    struct ampel_message message; /* as the publisher sends it */
    ampel_told_message(told, rules, stream_epoch, &message);
    ampel_copy_row(copy);
    ampel_copy_text(copy, told->tenant);
    ampel_copy_int64(copy, (int64_t)told->number);
    ampel_copy_uuid(copy, told->id);
    ampel_copy_time(copy, change->at_ms);
    ampel_copy_text(copy, told->seller);
    ampel_copy_text(copy, told->marketplace);
    ampel_copy_int32(copy, change->after.score);
    ampel_copy_name(copy, colour_name(&change->after));
    ampel_copy_name(copy, risk_name(&change->after));
    ampel_copy_int64(copy, change->after.orders);
    ampel_copy_int32(copy, change->after.order_points);
    ampel_copy_int64(copy, change->after.deducted);
    before_int32(copy, change, change->before.score);
    before_name(copy, change, colour_name(&change->before));
    before_name(copy, change, risk_name(&change->before));
    ampel_copy_name(copy, ampel_cause_name(change->cause.kind));
    ampel_copy_text_or_null(copy, (struct ampel_text){change->cause.id, change->cause.id_size});
    ampel_copy_text(copy, message.change.rules_version);
    ampel_copy_text(copy, message_bytes(postgres, &message));
}

typedef void (*row_writer)(struct ampel_postgres *, uint64_t, const struct ampel_rules_face *,
                           const struct ampel_told *);

static enum ampel_database_status copy_stream(struct ampel_postgres *postgres,
                                              const struct ampel_checkpoint *checkpoint,
                                              enum ampel_stream stream, row_writer write) {
    for (uint32_t i = 0; i < checkpoint->outs_count; i++) {
        const struct ampel_parcel_out *out = checkpoint->outs[i];
        for (uint32_t k = 0; k < out->told_count; k++) {
            if (out->told[k].stream == stream)
                write(postgres, checkpoint->stream_epoch, &out->rules, &out->told[k]);
        }
    }
    return ampel_copy_end(&postgres->copy);
}

enum ampel_database_status ampel_postgres_copy_alerts(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error) {
    ampel_copy_begin(&postgres->copy, postgres->pq, AMPEL_SQL_ALERT_COPY, 18, error);
    return copy_stream(postgres, checkpoint, AMPEL_STREAM_ALERTS, alert_row);
}

enum ampel_database_status ampel_postgres_copy_history(struct ampel_postgres *postgres,
                                                       const struct ampel_checkpoint *checkpoint,
                                                       struct ampel_error *error) {
    ampel_copy_begin(&postgres->copy, postgres->pq, AMPEL_SQL_HISTORY_COPY, 19, error);
    return copy_stream(postgres, checkpoint, AMPEL_STREAM_SCORES, history_row);
}

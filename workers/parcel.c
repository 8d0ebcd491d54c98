#include "workers/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "workers/checkpoint.h"

static_assert(sizeof(struct ampel_parcel_record) % 8 == 0, "the bytes behind it are 8-aligned");

struct ampel_parcel_record *ampel_parcel_record_make(uint32_t size) {
    struct ampel_parcel_record *record = malloc(sizeof(*record) + size);
    if (record == NULL) return NULL;
    *record = (struct ampel_parcel_record){
        .parcel = {AMPEL_PARCEL_RECORD}, .size = size, .bytes = (uint8_t *)(record + 1)};
    atomic_init(&record->holders, 1);
    return record;
}

void ampel_parcel_record_hold(struct ampel_parcel_record *record, uint32_t more) {
    atomic_fetch_add_explicit(&record->holders, more, memory_order_relaxed);
}

void ampel_parcel_record_release(struct ampel_parcel_record *record) {
    if (record == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&record->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders > 1) return;
    free(record->ack);
    free(record);
}

void ampel_parcel_loaded_free(struct ampel_parcel_loaded *loaded) {
    if (loaded == NULL) return;
    for (uint32_t i = 0; i < loaded->pages_count; i++)
        free(loaded->pages[i].bytes);
    free(loaded->pages);
    free(loaded->meta);
    free(loaded->rules_text);
    free(loaded);
}

static void windows_free(struct ampel_parcel_windows *windows) {
    free(windows->windows);
    free(windows);
}

void ampel_parcel_out_free(struct ampel_parcel_out *out) {
    if (out == NULL) return;
    free(out->told);
    free(out->texts);
    free(out->signals);
    free(out);
}

void ampel_rules_face_set(struct ampel_rules_face *face, const struct ampel_rules *rules) {
    *face = (struct ampel_rules_face){.caps_count = rules->cap_groups_count};
    memcpy(face->version, rules->version, sizeof(face->version));
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        memcpy(face->caps_names[i], rules->cap_groups[i].name, sizeof(face->caps_names[i]));
}

static struct ampel_text text_of(const char *terminated) {
    return (struct ampel_text){terminated, (uint32_t)strlen(terminated)};
}

void ampel_told_message(const struct ampel_told *told, const struct ampel_rules_face *rules, uint64_t stream_epoch,
                        struct ampel_message *out) {
    *out = (struct ampel_message){
        .kind = AMPEL_MESSAGE_CHANGE,
        .change = {.stream = told->stream,
                   .epoch = stream_epoch,
                   .number = told->number,
                   .tenant = told->tenant,
                   .seller = told->seller,
                   .marketplace = told->marketplace,
                   .change = told->change,
                   .rules_version = text_of(rules->version),
                   .caps_count = rules->caps_count},
    };
    struct ampel_message_change *change = &out->change;
    memcpy(change->id, told->id, sizeof(told->id));
    for (uint32_t i = 0; i < rules->caps_count; i++)
        change->caps_names[i] = text_of(rules->caps_names[i]);
    if (told->change.cap_group < rules->caps_count) change->cap_group = change->caps_names[told->change.cap_group];
    ampel_message_signals_set(change, told->signals);
}

void ampel_parcel_rules_free(struct ampel_parcel_rules *rules) {
    if (rules == NULL) return;
    free(rules->text);
    free(rules);
}

void ampel_parcel_tenants_free(struct ampel_parcel_tenants *tenants) {
    if (tenants == NULL) return;
    free(tenants->keys);
    free(tenants->numbers);
    free(tenants);
}

void ampel_parcel_answer_free(struct ampel_parcel_answer *answer) {
    if (answer == NULL) return;
    for (uint32_t i = 0; i < answer->rows_count; i++)
        free(answer->rows[i].bytes);
    free(answer->rows);
    free(answer);
}

void ampel_parcel_free(struct ampel_parcel *parcel) {
    if (parcel == NULL) return;
    switch (parcel->kind) {
    case AMPEL_PARCEL_RECORD:
        ampel_parcel_record_release((struct ampel_parcel_record *)parcel);
        return;
    case AMPEL_PARCEL_LOADED:
        ampel_parcel_loaded_free((struct ampel_parcel_loaded *)parcel);
        return;
    case AMPEL_PARCEL_WINDOWS:
        windows_free((struct ampel_parcel_windows *)parcel);
        return;
    case AMPEL_PARCEL_OUT:
        ampel_parcel_out_free((struct ampel_parcel_out *)parcel);
        return;
    case AMPEL_PARCEL_CHECKPOINT:
        ampel_checkpoint_free((struct ampel_checkpoint *)parcel);
        return;
    case AMPEL_PARCEL_TENANTS:
        ampel_parcel_tenants_free((struct ampel_parcel_tenants *)parcel);
        return;
    case AMPEL_PARCEL_ANSWER:
        ampel_parcel_answer_free((struct ampel_parcel_answer *)parcel);
        return;
    case AMPEL_PARCEL_RULES:
        ampel_parcel_rules_free((struct ampel_parcel_rules *)parcel);
        return;
    case AMPEL_PARCEL_REPLAYED:
    case AMPEL_PARCEL_COMMITTED:
    case AMPEL_PARCEL_ASK:
    case AMPEL_PARCEL_STOP:
        free(parcel);
        return;
    }
    AMPEL_ASSERT(false); /* a kind of parcel that nobody knows */
}

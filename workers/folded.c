#include "workers/folded.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct ampel_shared_face {
    atomic_uint holders;
    struct ampel_rules_face face;
};

struct ampel_folded {
    struct ampel_shared_face *face;
    uint64_t position, number;
    atomic_uint holders;
    uint32_t size, signals_count;
    char id[AMPEL_CHANGE_ID_SIZE];
    uint8_t stream, tenant_size, seller_size, marketplace_size;
    _Alignas(8) uint8_t bytes[];
};

/* Of a change all up to its cause's texts. */
#define CHANGE_BYTES (offsetof(struct ampel_change, cause) + offsetof(struct ampel_cause, id))
static_assert(offsetof(struct ampel_change, cause) + sizeof(struct ampel_cause) == sizeof(struct ampel_change) &&
                  sizeof(struct ampel_cause) - offsetof(struct ampel_cause, id) - 2 * AMPEL_ID_BYTES_MAX < 8,
              "the texts of a cause are the end of a change");
static_assert(_Alignof(struct ampel_signal) <= 8, "signals stand where a block's bytes begin");
static_assert(AMPEL_ID_BYTES_MAX <= UINT8_MAX, "the size of an id fits a byte");

/* ---- faces ---------------------------------------------------------------------------------- */

void ampel_shared_face_release(struct ampel_shared_face *face) {
    if (face == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&face->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders == 1) free(face);
}

bool ampel_shared_face_renew(struct ampel_shared_face **face, const struct ampel_rules_face *wanted) {
    if (*face != NULL && memcmp(&(*face)->face, wanted, sizeof(*wanted)) == 0) return true;
    struct ampel_shared_face *made = malloc(sizeof(*made));
    if (made == NULL) return false;
    atomic_init(&made->holders, 1);
    made->face = *wanted;
    ampel_shared_face_release(*face);
    *face = made;
    return true;
}

/* ---- folding -------------------------------------------------------------------------------- */

static uint32_t signals_size(const struct ampel_told *told) {
    return told->signals == NULL ? 0 : told->change.signals_count * (uint32_t)sizeof(struct ampel_signal);
}

uint32_t ampel_folded_size(const struct ampel_told *told) {
    const struct ampel_cause *cause = &told->change.cause;
    return (uint32_t)(sizeof(struct ampel_folded) + CHANGE_BYTES) + signals_size(told) + cause->id_size +
           cause->producer_size + told->tenant.size + told->seller.size + told->marketplace.size;
}

static void put(uint8_t **at, const void *bytes, size_t size) {
    if (size > 0) memcpy(*at, bytes, size);
    *at += size;
}

static void told_put(const struct ampel_told *told, uint8_t *at) {
    const struct ampel_cause *cause = &told->change.cause;
    put(&at, told->signals, signals_size(told));
    put(&at, &told->change, CHANGE_BYTES);
    put(&at, cause->id, cause->id_size);
    put(&at, cause->producer, cause->producer_size);
    put(&at, told->tenant.bytes, told->tenant.size);
    put(&at, told->seller.bytes, told->seller.size);
    put(&at, told->marketplace.bytes, told->marketplace.size);
}

struct ampel_folded *ampel_folded_make(const struct ampel_told *told, uint64_t position, struct ampel_shared_face *face) {
    const uint32_t size = ampel_folded_size(told);
    struct ampel_folded *folded = malloc(size);
    if (folded == NULL) return NULL;
    atomic_init(&folded->holders, 1);
    atomic_fetch_add_explicit(&face->holders, 1, memory_order_relaxed);
    folded->face = face;
    folded->position = position;
    folded->number = told->number;
    folded->size = size;
    folded->signals_count = told->signals == NULL ? 0 : told->change.signals_count;
    memcpy(folded->id, told->id, sizeof(folded->id));
    folded->stream = (uint8_t)told->stream;
    folded->tenant_size = (uint8_t)told->tenant.size;
    folded->seller_size = (uint8_t)told->seller.size;
    folded->marketplace_size = (uint8_t)told->marketplace.size;
    told_put(told, folded->bytes);
    return folded;
}

void ampel_folded_hold(struct ampel_folded *folded) {
    atomic_fetch_add_explicit(&folded->holders, 1, memory_order_relaxed);
}

void ampel_folded_release(struct ampel_folded *folded) {
    if (folded == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&folded->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders > 1) return;
    ampel_shared_face_release(folded->face);
    free(folded);
}

uint64_t ampel_folded_position(const struct ampel_folded *folded) { return folded->position; }

uint64_t ampel_folded_number(const struct ampel_folded *folded) { return folded->number; }

uint32_t ampel_folded_bytes(const struct ampel_folded *folded) { return folded->size; }

const struct ampel_rules_face *ampel_folded_rules(const struct ampel_folded *folded) { return &folded->face->face; }

/* ---- opening -------------------------------------------------------------------------------- */

static void take(const uint8_t **at, void *to, size_t size) {
    if (size > 0) memcpy(to, *at, size);
    *at += size;
}

static struct ampel_text text_at(const uint8_t **at, uint32_t size) {
    struct ampel_text text = {(const char *)*at, size};
    *at += size;
    return text;
}

void ampel_folded_read(const struct ampel_folded *folded, struct ampel_told *told) {
    const uint8_t *at = folded->bytes;
    *told = (struct ampel_told){.number = folded->number, .stream = (enum ampel_stream)folded->stream};
    memcpy(told->id, folded->id, sizeof(told->id));
    if (folded->signals_count > 0) {
        told->signals = (const struct ampel_signal *)(const void *)at;
        at += folded->signals_count * sizeof(told->signals[0]);
    }
    take(&at, &told->change, CHANGE_BYTES);
    take(&at, told->change.cause.id, told->change.cause.id_size);
    take(&at, told->change.cause.producer, told->change.cause.producer_size);
    told->tenant = text_at(&at, folded->tenant_size);
    told->seller = text_at(&at, folded->seller_size);
    told->marketplace = text_at(&at, folded->marketplace_size);
}

struct ampel_parcel_out *ampel_folded_open(struct ampel_folded *const *folded, uint32_t count) {
    AMPEL_ASSERT(count > 0);
    uint32_t alike = 1;
    while (alike < count && folded[alike]->face == folded[0]->face)
        alike++;
    struct ampel_parcel_out *out = calloc(1, sizeof(*out));
    if (out == NULL) return NULL;
    out->parcel.kind = AMPEL_PARCEL_OUT;
    out->position = folded[alike - 1]->position;
    out->rules = folded[0]->face->face;
    out->told = malloc(alike * sizeof(out->told[0]));
    if (out->told == NULL) {
        ampel_parcel_out_free(out);
        return NULL;
    }
    for (; out->told_count < alike; out->told_count++)
        ampel_folded_read(folded[out->told_count], &out->told[out->told_count]);
    return out;
}

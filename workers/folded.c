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
    uint64_t position;
    uint32_t partition;
    uint32_t told_count, texts_size, signals_count;
    uint8_t bytes[];
};

/* Of a change all up to its cause's texts. */
#define CHANGE_BYTES (offsetof(struct ampel_change, cause) + offsetof(struct ampel_cause, id))
static_assert(offsetof(struct ampel_change, cause) + sizeof(struct ampel_cause) == sizeof(struct ampel_change) &&
                  sizeof(struct ampel_cause) - offsetof(struct ampel_cause, id) - 2 * AMPEL_ID_BYTES_MAX < 8,
              "the texts of a cause are the end of a change");

/* What stands before each change. Texts of size 0 with same_account set are those of the change before. */
struct told_head {
    uint64_t number;
    char id[AMPEL_CHANGE_ID_SIZE];
    uint8_t stream, tenant_size, seller_size, marketplace_size;
    bool same_account, signals;
};

void ampel_shared_face_release(struct ampel_shared_face *face) {
    if (face == NULL) return;
    unsigned holders = atomic_fetch_sub_explicit(&face->holders, 1, memory_order_acq_rel);
    AMPEL_ASSERT(holders > 0);
    if (holders == 1) free(face);
}

static bool faces_equal(const struct ampel_rules_face *left, const struct ampel_rules_face *right) {
    return memcmp(left, right, sizeof(*left)) == 0;
}

/* Makes *face that of the OUT and holds it once more. */
static bool face_hold(const struct ampel_rules_face *wanted, struct ampel_shared_face **face) {
    if (*face == NULL || !faces_equal(&(*face)->face, wanted)) {
        struct ampel_shared_face *made = malloc(sizeof(*made));
        if (made == NULL) return false;
        atomic_init(&made->holders, 1);
        made->face = *wanted;
        ampel_shared_face_release(*face);
        *face = made;
    }
    atomic_fetch_add_explicit(&(*face)->holders, 1, memory_order_relaxed);
    return true;
}

/* Changes of one account stand together and share its texts (shard_tell.c). */
static bool text_same(struct ampel_text left, struct ampel_text right) {
    return left.bytes == right.bytes && left.size == right.size;
}

static bool account_same(const struct ampel_parcel_out *out, uint32_t index) {
    if (index == 0) return false;
    const struct ampel_told *told = &out->told[index], *before = told - 1;
    return text_same(told->tenant, before->tenant) && text_same(told->seller, before->seller) &&
           text_same(told->marketplace, before->marketplace);
}

static uint32_t account_size(const struct ampel_told *told) {
    return told->tenant.size + told->seller.size + told->marketplace.size;
}

static uint32_t signals_size(const struct ampel_told *told) {
    return told->signals == NULL ? 0
                                 : told->change.signals_count * (uint32_t)sizeof(struct ampel_signal);
}

static uint64_t told_size(const struct ampel_parcel_out *out, uint32_t index) {
    const struct ampel_told *told = &out->told[index];
    return sizeof(struct told_head) + CHANGE_BYTES + told->change.cause.id_size +
           told->change.cause.producer_size + signals_size(told) +
           (account_same(out, index) ? 0 : account_size(told));
}

uint64_t ampel_folded_size(const struct ampel_parcel_out *out) {
    uint64_t size = sizeof(struct ampel_folded);
    for (uint32_t i = 0; i < out->told_count; i++)
        size += told_size(out, i);
    return size;
}

static void put(uint8_t **at, const void *bytes, size_t size) {
    if (size > 0) memcpy(*at, bytes, size);
    *at += size;
}

static void told_put(struct ampel_folded *folded, const struct ampel_parcel_out *out, uint32_t index,
                     uint8_t **at) {
    const struct ampel_told *told = &out->told[index];
    const struct ampel_cause *cause = &told->change.cause;
    struct told_head head;
    memset(&head, 0, sizeof(head));
    head.number = told->number;
    memcpy(head.id, told->id, sizeof(head.id));
    head.stream = (uint8_t)told->stream;
    head.same_account = account_same(out, index);
    head.signals = told->signals != NULL;
    head.tenant_size = (uint8_t)told->tenant.size;
    head.seller_size = (uint8_t)told->seller.size;
    head.marketplace_size = (uint8_t)told->marketplace.size;
    put(at, &head, sizeof(head));
    put(at, &told->change, CHANGE_BYTES);
    put(at, cause->id, cause->id_size);
    put(at, cause->producer, cause->producer_size);
    put(at, told->signals, signals_size(told));
    if (told->signals != NULL) folded->signals_count += told->change.signals_count;
    if (head.same_account) return;
    put(at, told->tenant.bytes, told->tenant.size);
    put(at, told->seller.bytes, told->seller.size);
    put(at, told->marketplace.bytes, told->marketplace.size);
    folded->texts_size += account_size(told);
}

struct ampel_folded *ampel_folded_make(const struct ampel_parcel_out *out, struct ampel_shared_face **face) {
    static_assert(AMPEL_ID_BYTES_MAX <= UINT8_MAX, "the size of an id fits a byte");
    struct ampel_folded *folded = malloc(ampel_folded_size(out));
    if (folded == NULL) return NULL;
    if (!face_hold(&out->rules, face)) {
        free(folded);
        return NULL;
    }
    *folded = (struct ampel_folded){.face = *face,
                                    .position = out->position,
                                    .partition = out->partition,
                                    .told_count = out->told_count};
    uint8_t *at = folded->bytes;
    for (uint32_t i = 0; i < out->told_count; i++)
        told_put(folded, out, i, &at);
    return folded;
}

void ampel_folded_free(struct ampel_folded *folded) {
    if (folded == NULL) return;
    ampel_shared_face_release(folded->face);
    free(folded);
}

uint64_t ampel_folded_position(const struct ampel_folded *folded) { return folded->position; }

uint32_t ampel_folded_count(const struct ampel_folded *folded) { return folded->told_count; }

/* ---- opening -------------------------------------------------------------------------------- */

/* Where the next change is read from, and where its texts and signals are put. */
struct opening {
    const uint8_t *at;
    char *texts;
    struct ampel_signal *signals;
};

static void take(struct opening *opening, void *to, size_t size) {
    if (size > 0) memcpy(to, opening->at, size);
    opening->at += size;
}

static struct ampel_text text_take(struct opening *opening, uint32_t size) {
    struct ampel_text text = {opening->texts, size};
    take(opening, opening->texts, size);
    opening->texts += size;
    return text;
}

/* before: NULL for the first one. */
static void told_take(struct opening *opening, const struct ampel_told *before, struct ampel_told *told) {
    struct told_head head;
    take(opening, &head, sizeof(head));
    told->number = head.number;
    memcpy(told->id, head.id, sizeof(head.id));
    told->stream = (enum ampel_stream)head.stream;
    take(opening, &told->change, CHANGE_BYTES);
    take(opening, told->change.cause.id, told->change.cause.id_size);
    take(opening, told->change.cause.producer, told->change.cause.producer_size);
    if (head.signals) {
        told->signals = opening->signals;
        take(opening, opening->signals, told->change.signals_count * sizeof(struct ampel_signal));
        opening->signals += told->change.signals_count;
    }
    if (head.same_account) {
        told->tenant = before->tenant;
        told->seller = before->seller;
        told->marketplace = before->marketplace;
        return;
    }
    told->tenant = text_take(opening, head.tenant_size);
    told->seller = text_take(opening, head.seller_size);
    told->marketplace = text_take(opening, head.marketplace_size);
}

struct ampel_parcel_out *ampel_folded_open(const struct ampel_folded *folded) {
    struct ampel_parcel_out *out = calloc(1, sizeof(*out));
    if (out == NULL) return NULL;
    out->parcel.kind = AMPEL_PARCEL_OUT;
    out->partition = folded->partition;
    out->position = folded->position;
    out->rules = folded->face->face;
    out->told = calloc(folded->told_count + 1, sizeof(out->told[0]));
    out->texts = malloc(folded->texts_size + 1);
    if (folded->signals_count > 0) out->signals = calloc(folded->signals_count, sizeof(out->signals[0]));
    if (out->told == NULL || out->texts == NULL || (folded->signals_count > 0 && out->signals == NULL)) {
        ampel_parcel_out_free(out);
        return NULL;
    }
    struct opening opening = {.at = folded->bytes, .texts = out->texts, .signals = out->signals};
    for (; out->told_count < folded->told_count; out->told_count++)
        told_take(&opening, out->told_count == 0 ? NULL : &out->told[out->told_count - 1],
                  &out->told[out->told_count]);
    return out;
}

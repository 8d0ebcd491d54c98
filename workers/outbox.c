#include "workers/outbox.h"

#include <stdlib.h>

static bool grow(struct ampel_outbox *outbox) {
    const uint32_t capacity = outbox->capacity == 0 ? 16 : outbox->capacity * 2;
    struct ampel_parcel **parcels = malloc(capacity * sizeof(struct ampel_parcel *));
    if (parcels == NULL) return false;
    for (uint32_t i = 0; i < outbox->count; i++)
        parcels[i] = outbox->parcels[(outbox->first + i) % outbox->capacity];
    free(outbox->parcels);
    outbox->parcels = parcels;
    outbox->capacity = capacity;
    outbox->first = 0;
    return true;
}

bool ampel_outbox_push(struct ampel_outbox *outbox, struct ampel_parcel *parcel) {
    if (outbox->count == outbox->capacity && !grow(outbox)) return false;
    outbox->parcels[(outbox->first + outbox->count++) % outbox->capacity] = parcel;
    return true;
}

bool ampel_outbox_flush(struct ampel_outbox *outbox) {
    while (outbox->count > 0) {
        if (!ampel_queue_push(outbox->queue, outbox->parcels[outbox->first])) return false;
        outbox->first = (outbox->first + 1) % outbox->capacity;
        outbox->count--;
    }
    return true;
}

void ampel_outbox_reset(struct ampel_outbox *outbox) {
    for (uint32_t i = 0; i < outbox->count; i++)
        ampel_parcel_free(outbox->parcels[(outbox->first + i) % outbox->capacity]);
    free(outbox->parcels);
    *outbox = (struct ampel_outbox){.queue = outbox->queue};
}

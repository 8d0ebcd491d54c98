/* Parcels that wait for room in one queue, oldest first, so that a stage that met a full queue goes on with its other
   work and no circle of stages waits for itself. What may be in it is bounded by its user's protocol. Thread: the owner's. */
#ifndef AMPEL_WORKERS_OUTBOX_H
#define AMPEL_WORKERS_OUTBOX_H

#include "workers/parcel.h"
#include "workers/queue.h"

struct ampel_outbox {
    struct ampel_queue *queue;
    struct ampel_parcel **parcels; /* a ring */
    uint32_t first, count, capacity;
};

/* Takes the parcel. False: no memory, the parcel stays the caller's. */
AMPEL_MUST_CHECK bool ampel_outbox_push(struct ampel_outbox *outbox, struct ampel_parcel *parcel);
/* Hands on as much as there is room for. True where nothing is left. */
bool ampel_outbox_flush(struct ampel_outbox *outbox);
/* Frees what still waits. */
void ampel_outbox_reset(struct ampel_outbox *outbox);

#endif

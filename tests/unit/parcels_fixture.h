/* What the tests of stages share: queues that end with what is still in them. Included by each of them once. */
#ifndef AMPEL_TESTS_PARCELS_FIXTURE_H
#define AMPEL_TESTS_PARCELS_FIXTURE_H

#include "workers/parcel.h"
#include "workers/queue.h"

static inline void parcels_drain(struct ampel_queue *queue) {
    struct ampel_parcel *parcel;
    while ((parcel = ampel_queue_pop(queue)) != NULL)
        ampel_parcel_free(parcel);
}

static inline void parcels_end(struct ampel_queue *queue) {
    parcels_drain(queue);
    ampel_queue_close(queue);
}

#endif

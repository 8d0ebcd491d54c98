/* What a feeder remembers beside its source, so that a second run sends the same batches under the same numbers:
   one line of text a batch, written and synced before the batch is sent for the first time.

       producer NAME
       batch TENANT SEQUENCE SENT_AT_MS EVENTS CHECKSUM FILE

   EVENTS is how many of the tenant's events the batch holds, CHECKSUM the xxh3_64 of its bytes in hex: a source whose
   beginning changed is recognised. FILE is ./NAME for a file in the state's own folder, which may move as a whole, else the whole
   path: however a file is called, it is one file. Thread: one. */
#ifndef AMPEL_WORKERS_CLI_FEED_STATE_H
#define AMPEL_WORKERS_CLI_FEED_STATE_H

#include "engine/base.h"
#include "engine/bounds.h"

struct ampel_feed_batch {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    uint64_t sequence;
    int64_t sent_at_ms;
    uint32_t events_count;
    uint64_t checksum;
};

struct ampel_feed_state;

/* path NULL: nothing is remembered. producer NULL: the file's, or one made from the path's name and random bits. Takes
   a lock on the file, so that two feeders never use it at once. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_state_open(const char *path, const char *producer,
                                            struct ampel_feed_state **out);
void ampel_feed_state_close(struct ampel_feed_state *state);
const char *ampel_feed_state_producer(const struct ampel_feed_state *state);

#define AMPEL_FEED_FILE_SIZE 4097
/* The name by which the state knows a file; what cannot be resolved (standard input, "-") keeps the name that it has. */
void ampel_feed_state_name(const struct ampel_feed_state *state, const char *file, char out[AMPEL_FEED_FILE_SIZE]);

/* file, below: as ampel_feed_state_name has it. The index-th batch of a tenant from a file as remembered; NULL if there is none yet. Borrowed until the next push. */
const struct ampel_feed_batch *ampel_feed_state_batch(const struct ampel_feed_state *state,
                                                      const char *file, const char *tenant,
                                                      uint32_t index);
/* The sequence of a tenant's next new batch. */
uint64_t ampel_feed_state_next(const struct ampel_feed_state *state, const char *tenant);
/* Remembers one more; durable only after sync. */
AMPEL_MUST_CHECK bool ampel_feed_state_push(struct ampel_feed_state *state, const char *file,
                                            const struct ampel_feed_batch *batch);
AMPEL_MUST_CHECK bool ampel_feed_state_sync(struct ampel_feed_state *state);

#endif

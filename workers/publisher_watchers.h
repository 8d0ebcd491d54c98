/* Watchers of streams: where each stands, and what it must be sent next. A watcher is sent, in the order of numbers and
   without a gap, rows of the outbox (ASK, ANSWER) while it stands before what is kept, then what is kept, then what comes.

       number   1 ............. first ............... next
                outbox alone  │ kept in memory      │ to come
       An ANSWER is good for numbers below `first` as it was when it was asked for: only those are all stored for sure.

   One that does not read (FULL) is left where it stands and tried again; it never slows another. Bounded by
   AMPEL_WATCHERS_MAX. Thread: the publisher's. */
#ifndef AMPEL_WORKERS_PUBLISHER_WATCHERS_H
#define AMPEL_WORKERS_PUBLISHER_WATCHERS_H

#include "workers/network.h"
#include "workers/outbox.h"
#include "workers/parcel.h"
#include "workers/publisher_streams.h"

#define AMPEL_WATCHERS_MAX 1024
#define AMPEL_BEAT_EVERY_NS INT64_C(10000000000)
/* Rows of one ASK: some hundred kilobytes. */
#define AMPEL_ASK_ROWS 256

struct ampel_publisher_watchers;

struct ampel_publisher_watchers *ampel_publisher_watchers_open(struct ampel_publisher_streams *streams,
                                                               const struct ampel_network *network);
void ampel_publisher_watchers_close(struct ampel_publisher_watchers *watchers);

/* A peer watches a stream from a number on (0, or beyond next: only what comes). One that watches it already starts
   anew. False: there are as many watchers as may be, or no memory. */
AMPEL_MUST_CHECK bool ampel_publisher_watchers_push(struct ampel_publisher_watchers *watchers,
                                                    const struct ampel_peer *peer, uint32_t stream,
                                                    uint64_t from, uint64_t epoch, int64_t now_ns);
/* Rows that were asked for; takes the parcel. */
void ampel_publisher_watchers_answer(struct ampel_publisher_watchers *watchers,
                                     struct ampel_parcel_answer *answer, int64_t now_ns);
/* Forgets the watchers of tenants for which keep says no. */
void ampel_publisher_watchers_evict(struct ampel_publisher_watchers *watchers,
                                    bool (*keep)(const void *context, const char *tenant),
                                    const void *context);

struct ampel_pumped {
    bool more;        /* pump again at once */
    bool behind;      /* somebody who is not waiting for an answer has not got all yet */
    int64_t wake_ns;  /* a beat or another try is due then */
};
/* Sends what can be sent, bounded for each watcher. now_ms is what a beat says. ASKs go to the outbox. */
struct ampel_pumped ampel_publisher_watchers_pump(struct ampel_publisher_watchers *watchers, int64_t now_ns,
                                                  int64_t now_ms, struct ampel_outbox *asks);

#endif

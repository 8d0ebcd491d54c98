/* The ways of all tenants of one feeder to the worker. Connections are opened without waiting for one another, and a batch
   waits here until its tenant's connection is there; one thread of ZeroMQ serves all of them.

       tenants with batches ──▶ line ──▶ handshake, at most 64 ──▶ live, at most 240 ──▶ nothing waits: may be closed
                                 ▲                  │ key not accepted
                                 └─── a second ─────┘ until patience is over

   The worker takes 256 connections, watchers included; where 128 are live those of which nothing waits make room for the line.
   What is wrong with one tenant (its key, a batch that is never taken) ends the way of that one and of no other; it is said on
   standard error as it is met. The worker's silence ends all. Thread: one. */
#ifndef AMPEL_WORKERS_CLI_FEED_LINKS_H
#define AMPEL_WORKERS_CLI_FEED_LINKS_H

#include "workers/cli/feed_link.h"

struct ampel_feed_links_options {
    const char *endpoint, *keys; /* a folder with TENANT.key files; both are borrowed until close */
    int64_t patience_ms;         /* how long to wait without any word from the worker before giving up */
    ampel_feed_sink sink;
    void *sink_context;
};

struct ampel_feed_links;
struct ampel_feed_way; /* one tenant's; lives as long as the links */

struct ampel_feed_links *ampel_feed_links_open(const struct ampel_feed_links_options *options);
void ampel_feed_links_close(struct ampel_feed_links *links);

/* Makes a tenant's way, once for each tenant. Does not connect. */
struct ampel_feed_way *ampel_feed_links_way(struct ampel_feed_links *links, const char *tenant);
/* Whether anything can still go this way. */
bool ampel_feed_way_good(const struct ampel_feed_way *way);
/* Tenants of whom not everything went. */
uint32_t ampel_feed_links_failed(const struct ampel_feed_links *links);

/* Hands over one encoded batch (copied); waits while the tenant's window is full, or too much waits for all together. more: the
   next one comes at once, so that small ones may go together. Batches of a way that is not good are passed over. False here
   and below: final for all, said on standard error. */
AMPEL_MUST_CHECK bool ampel_feed_links_push(struct ampel_feed_links *links, struct ampel_feed_way *way,
                                            const uint8_t *bytes, uint32_t size,
                                            const struct ampel_batch_header *header, bool more);
/* Sends what was pushed with more and is still here. wait: until each tenant's connection is there or its key was refused, as
   the caller may be away for long. */
AMPEL_MUST_CHECK bool ampel_feed_links_send(struct ampel_feed_links *links, bool wait);
/* Waits until every batch is answered or its way is at its end. */
AMPEL_MUST_CHECK bool ampel_feed_links_drain(struct ampel_feed_links *links);

#endif

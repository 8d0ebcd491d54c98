/* A network in memory: peers in the same process say and hear whole messages. What is under way when the worker dies is
   lost, and its peers with it; they connect anew. Memory is the C library's; when there is none the program stops.
   Thread: any, but one at a time hears for a peer. */
#ifndef AMPEL_TESTS_ORACLE_LOOPBACK_H
#define AMPEL_TESTS_ORACLE_LOOPBACK_H

#include "workers/network.h"
#include "workers/parcel.h"

struct ampel_loopback;

struct ampel_loopback *ampel_loopback_open(void);
void ampel_loopback_close(struct ampel_loopback *loopback); /* NULL is fine */

/* The worker's side. */
void ampel_loopback_face(struct ampel_loopback *loopback, struct ampel_network *out);
uint32_t ampel_loopback_fds(void *context, int *fds, uint32_t capacity);
void ampel_loopback_tenants(void *context, const struct ampel_parcel_tenants *tenants);
/* How many keys the worker knows of; UINT32_MAX before it was told any. */
uint32_t ampel_loopback_keys_count(struct ampel_loopback *loopback);

/* The other side. A peer is a number, never used again. */
uint32_t ampel_loopback_connect(struct ampel_loopback *loopback, const char *tenant);
/* False: the connection is gone. Copies the bytes. */
bool ampel_loopback_say(struct ampel_loopback *loopback, uint32_t peer, const void *bytes,
                        uint32_t size);
/* The next message for the peer; borrowed until the next call for this peer. False: there is none. */
bool ampel_loopback_hear(struct ampel_loopback *loopback, uint32_t peer, const uint8_t **bytes,
                         uint32_t *size);
bool ampel_loopback_connected(struct ampel_loopback *loopback, uint32_t peer);

/* The peer hangs up: what waits for it is dropped, and sends to it say so. */
void ampel_loopback_leave(struct ampel_loopback *loopback, uint32_t peer);

/* What a bad network does to one message on its way to the worker, or back. Which one the caller's number says. False:
   there is none. */
enum ampel_loopback_harm { AMPEL_HARM_DROP, AMPEL_HARM_DOUBLE, AMPEL_HARM_REORDER, AMPEL_HARM_CUT };
bool ampel_loopback_harm(struct ampel_loopback *loopback, enum ampel_loopback_harm harm,
                         bool to_worker, uint64_t number);

/* How many messages a peer may leave unheard before sends to it find no room; 1024 at first. */
void ampel_loopback_room(struct ampel_loopback *loopback, uint32_t messages_max);
/* The worker died: every connection is gone with all that was under way. */
void ampel_loopback_reset(struct ampel_loopback *loopback);

#endif

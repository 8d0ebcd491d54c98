/* The network over ZeroMQ: one context, one ROUTER with CURVE for feeders and one for watchers, one ZAP thread for both.
   libzmq is known to network_zmq.c, zap.c, keyfile.c (keys) and client_zmq.c alone.

   What a connection may hold in memory is bounded: a ROUTER keeps at most AMPEL_NETWORK_RECEIVE_HWM messages from it, none
   larger than message_bytes_max and a little, AMPEL_NETWORK_SEND_HWM acks or changes to it, and there are at most
   connections_max of them. High-water marks of a thousand (the library's default) would let one feeder fill the
   memory while the gateway waits for the disk; small ones let TCP push back at once, and a batch is large enough
   for them to cost nothing. To a feeder more may be under way, because a group commit lets many small acks go at once.

   Peers are named by libzmq (5 bytes from 0), never by themselves: with a name of its own choice a tenant could
   take the name of another's lost connection and be sent what was meant for it. A message from a connection that
   named itself is dropped and told in the log.

   Whether a peer still lives is asked by TCP's keepalive and not by ZMTP's heartbeats: in 4.3.4 a heartbeat that stands behind
   messages nobody reads (back-pressure, which is part of our design) ends a healthy connection, and the connection
   after it can fail an assertion inside the library (libzmq issues 3937 and 4229, pull request 4830).

   The socket's fd is edge-triggered: wait for it only after `receive` said that nothing waits, and after no send
   since. Stages of ours turn again until then. */
#ifndef AMPEL_WORKERS_NETWORK_ZMQ_H
#define AMPEL_WORKERS_NETWORK_ZMQ_H

#include "proto/error.h"
#include "workers/clock.h"
#include "workers/keyfile.h"
#include "workers/network.h"
#include "workers/parcel.h"

#define AMPEL_NETWORK_RECEIVE_HWM 4
#define AMPEL_NETWORK_SEND_HWM 64
#define AMPEL_NETWORK_CONNECTIONS_MAX 256
/* A message this much too large still arrives and is answered with words; a larger one costs its connection. */
#define AMPEL_NETWORK_SLACK_BYTES (UINT32_C(64) << 10)

struct ampel_hub_options {
    struct ampel_keyfile keys;  /* the worker's; copied */
    struct ampel_clock clock;   /* for the rate of log lines */
    uint32_t message_bytes_max; /* 0: AMPEL_BATCH_BYTES_MAX */
    bool realtime;              /* its threads run before others, which must be permitted (workers/realtime.h) */
    uint32_t core;              /* that ZeroMQ's threads keep to with realtime, or AMPEL_CORE_ANY */
    uint32_t connections_max;   /* of both sockets together; 0: AMPEL_NETWORK_CONNECTIONS_MAX */
};

/* The context and the ZAP thread. Thread: main. False: error says why. */
struct ampel_hub;
AMPEL_MUST_CHECK bool ampel_hub_open(const struct ampel_hub_options *options, struct ampel_hub **out,
                                     struct ampel_error *error);
/* After all its networks. Waits at most a second for what is still to be sent. */
void ampel_hub_close(struct ampel_hub *hub);

/* Binds one ROUTER. endpoint as ZeroMQ writes it, e.g. "tcp://127.0.0.1:5610", port * picks one. out->context is what the
   functions below take. Opened and closed on main, used by one stage's thread in between. */
AMPEL_MUST_CHECK bool ampel_network_zmq_open(struct ampel_hub *hub, const char *endpoint,
                                             struct ampel_network *out, struct ampel_error *error);
void ampel_network_zmq_close(void *network_context);
/* Where it listens, with the port that was picked. */
const char *ampel_network_zmq_endpoint(const void *network_context);
uint32_t ampel_network_zmq_fds(void *network_context, int *fds, uint32_t capacity);
/* Who may connect (both sockets: the ZAP handler is one) and whose messages carry their tenant. A message whose key is no
   longer an active tenant's comes with an empty tenant: 4.3.4 can not disconnect one peer. */
void ampel_network_zmq_tenants(void *network_context, const struct ampel_parcel_tenants *tenants);

#endif

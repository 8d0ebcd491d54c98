/* ZAP: who may connect. A small thread answers ZeroMQ's authentication requests for every socket of one context: a
   public key that belongs to an active tenant is let in under the tenant's name (User-Id), any other is refused.

   Why a thread of its own: gateway and publisher share the context, and a handshake of a watcher must not wait for a
   gateway that has stopped reading. It sleeps until a request comes.

   Until the tenants are known no request is read, so that handshakes of the first moment go on as soon as they are.

   A key that is not known, or a suspended tenant's, is looked at again for two seconds before it is refused: who adds a
   tenant and connects at once must not be turned away for good, only because the news was still on its way.

   It also counts connections, because nothing in libzmq bounds them: beyond connections_max a handshake waits for two seconds
   whether another connection goes, then it is turned away and may try again. Connections whose handshake is under way are bounded by ZMQ_HANDSHAKE_IVL and file descriptors. */
#ifndef AMPEL_WORKERS_ZAP_H
#define AMPEL_WORKERS_ZAP_H

#include "workers/clock.h"
#include "workers/parcel.h"

/* Non-empty: with an empty domain libzmq asks nobody. */
#define AMPEL_ZAP_DOMAIN "ampel"
/* The property of a message that names the key of its sender: "X-" is what ZMTP leaves to applications. */
#define AMPEL_ZAP_KEY_PROPERTY "X-Ampel-Key"

/* Public keys and whose they are, sorted by key: looked up at each handshake and each message. Thread: one. */
struct ampel_zap_keys {
    bool known; /* false until the first tenants came */
    uint32_t count;
    struct ampel_tenant_key *keys;
};
/* Replaces them by a sorted copy. False: no memory, nothing changed. */
AMPEL_MUST_CHECK bool ampel_zap_keys_set(struct ampel_zap_keys *keys,
                                         const struct ampel_parcel_tenants *tenants);
void ampel_zap_keys_reset(struct ampel_zap_keys *keys);
/* NULL where the key is nobody's. Borrowed until the next set. */
const struct ampel_tenant_key *ampel_zap_keys_find(const struct ampel_zap_keys *keys,
                                                   const char *public_key);

struct ampel_zap;
/* Starts the thread. context is a ZeroMQ context without another ZAP handler; it is kept until close. Thread: main. */
AMPEL_MUST_CHECK bool ampel_zap_open(void *zmq_context, const struct ampel_clock *clock,
                                     uint32_t connections_max, struct ampel_zap **out);
/* After all sockets that need it are closed. Ends the thread. Thread: main. */
void ampel_zap_close(struct ampel_zap *zap);
/* Counts the connections of one listening ZeroMQ socket from now on. Before the socket is bound. Thread: main. */
AMPEL_MUST_CHECK bool ampel_zap_count(struct ampel_zap *zap, void *zmq_socket);
/* The tenants from now on; connections that are open stay. Thread: any. */
void ampel_zap_tenants(struct ampel_zap *zap, const struct ampel_parcel_tenants *tenants);

#endif

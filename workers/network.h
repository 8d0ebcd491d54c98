/* The network, as gateway and publisher see it: whole messages from and to named peers. A simulator gives its own.

   A peer is what the transport calls a connection; it is gone when a send says so. The tenant comes from the key
   with which the peer authenticated, never from a message. Thread: the socket's owner. */
#ifndef AMPEL_WORKERS_NETWORK_H
#define AMPEL_WORKERS_NETWORK_H

#include "engine/base.h"
#include "engine/bounds.h"

enum ampel_send_status {
    AMPEL_SEND_OK = 0,
    AMPEL_SEND_FULL, /* the peer reads too slowly: try later */
    AMPEL_SEND_GONE, /* no such peer any more */
};

#define AMPEL_PEER_BYTES_MAX 32
struct ampel_peer {
    uint8_t size;
    uint8_t bytes[AMPEL_PEER_BYTES_MAX];
};

/* One message received; bytes are the network's until release. */
struct ampel_received {
    struct ampel_peer peer;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    const uint8_t *bytes;
    uint32_t size;
    void *handle;
};

struct ampel_network {
    void *context;
    /* False when nothing waits. */
    bool (*receive)(void *context, struct ampel_received *out);
    void (*release)(void *context, struct ampel_received *received);
    /* Copies the bytes, never blocks. */
    enum ampel_send_status (*send)(void *context, const struct ampel_peer *peer,
                                   const uint8_t *bytes, uint32_t size);
};

#endif

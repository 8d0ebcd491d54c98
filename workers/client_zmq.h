/* A connection to a worker, as feeders and watchers of the command line have it: a ZeroMQ DEALER with CURVE.

   ZeroMQ connects again by itself when the worker goes and comes. What was sent may be lost on the way all the same: a
   feeder keeps a batch until its ack. Thread: one. */
#ifndef AMPEL_WORKERS_CLIENT_ZMQ_H
#define AMPEL_WORKERS_CLIENT_ZMQ_H

#include "proto/error.h"
#include "workers/keyfile.h"

enum ampel_client_status {
    AMPEL_CLIENT_OK = 0,
    AMPEL_CLIENT_NOTHING, /* receive: the time is over and nothing came */
    AMPEL_CLIENT_FULL,    /* send: too much waits, e.g. while there is no connection; receive, then try again */
    AMPEL_CLIENT_REFUSED, /* receive: the worker does not accept the key (unknown, suspended). Told once for each refusal;
                             a new try is made after a second, as the key may have been added just now. What was sent is gone. */
    AMPEL_CLIENT_FAILED,  /* final: ampel_client_trouble says why */
};

/* What clients of one thread share: ZeroMQ's context, which has one thread of its own for all of them. */
struct ampel_client_context;
/* NULL: no memory. */
struct ampel_client_context *ampel_client_context_open(void);
/* After all its clients. */
void ampel_client_context_close(struct ampel_client_context *context);

struct ampel_client;

/* keys is a tenant's file, with server. context: NULL gives it one of its own. Does not wait for the connection. False:
   error says why. */
AMPEL_MUST_CHECK bool ampel_client_open(struct ampel_client_context *context, const char *endpoint,
                                        const struct ampel_keyfile *keys, struct ampel_client **out,
                                        struct ampel_error *error);
void ampel_client_close(struct ampel_client *client);

/* Copies the bytes, never blocks. Returns: OK, FULL, FAILED. */
AMPEL_MUST_CHECK enum ampel_client_status ampel_client_send(struct ampel_client *client,
                                                            const uint8_t *bytes, uint32_t size);
/* Likewise without a copy: the bytes stay as they are until done(bytes, hint) is called, which is once, on any thread, whatever comes
   out here. */
AMPEL_MUST_CHECK enum ampel_client_status ampel_client_lend(struct ampel_client *client, const uint8_t *bytes,
                                                            uint32_t size, void (*done)(void *bytes, void *hint),
                                                            void *hint);
/* Waits at most timeout_ms (0: not at all). *bytes are the client's until its next receive or close.
   Returns: OK, NOTHING, REFUSED, FAILED. A signal or an event of the connection ends the wait early with NOTHING. */
AMPEL_MUST_CHECK enum ampel_client_status ampel_client_receive(struct ampel_client *client,
                                                               uint32_t timeout_ms,
                                                               const uint8_t **bytes, uint32_t *size);
/* For a poll with other things: readable when something may have come. Edge-triggered: wait for it only after a
   receive with timeout 0 said NOTHING and after no send since. Changes with a refusal. */
int ampel_client_fd(const struct ampel_client *client);
/* Likewise readable when something of the connection's life is to be told, a refusal among it: a receive with timeout 0 reads
   all of it while there is no connection. */
int ampel_client_life_fd(const struct ampel_client *client);
/* One sentence about what stands in the way of the connection ("" while there is one), for people. */
const char *ampel_client_trouble(const struct ampel_client *client);

#endif

/* What the gateway knows of one producer's sequences: which are durable, which are under way.

       ... done ... | next                                        next + AMPEL_CREDIT
       all below next is durable; from next on one bit each, done or under way, never both; beyond: no credit

   Pure: no memory of its own, no time. Thread: any. */
#ifndef AMPEL_WORKERS_GATEWAY_WINDOW_H
#define AMPEL_WORKERS_GATEWAY_WINDOW_H

#include "engine/base.h"
#include "engine/bounds.h"

struct ampel_gateway_window {
    uint64_t next;                        /* the lowest sequence that is not durable */
    uint64_t done[AMPEL_CREDIT / 64];     /* bit of sequence mod AMPEL_CREDIT */
    uint64_t underway[AMPEL_CREDIT / 64]; /* likewise */
};

enum ampel_sequence_state {
    AMPEL_SEQUENCE_FREE,     /* may be taken */
    AMPEL_SEQUENCE_UNDERWAY, /* handed to the log, its fate is open */
    AMPEL_SEQUENCE_DONE,     /* durable */
    AMPEL_SEQUENCE_BEYOND,   /* at or beyond next + AMPEL_CREDIT */
};

/* A producer that nobody has heard of: next is 0. */
void ampel_gateway_window_init(struct ampel_gateway_window *window);

enum ampel_sequence_state ampel_gateway_window_query(const struct ampel_gateway_window *window,
                                                     uint64_t sequence);
/* FREE becomes UNDERWAY. */
void ampel_gateway_window_claim(struct ampel_gateway_window *window, uint64_t sequence);
/* UNDERWAY becomes DONE where durable, else FREE again; next moves over what is done. */
void ampel_gateway_window_release(struct ampel_gateway_window *window, uint64_t sequence, bool durable);

/* Adds what one partition knows: all below base is durable, and base + i where bit i of bits is set. A batch is one
   atomic record, so that what any partition knows is durable everywhere: the union over all partitions is the truth.
   Only while nothing is under way. */
void ampel_gateway_window_merge(struct ampel_gateway_window *window, uint64_t base,
                                const uint64_t bits[AMPEL_CREDIT / 64]);

/* The durable sequences above next, ascending; returns how many. */
uint32_t ampel_gateway_window_done(const struct ampel_gateway_window *window,
                                   uint64_t out[AMPEL_CREDIT]);
/* True where nothing is under way. */
bool ampel_gateway_window_quiet(const struct ampel_gateway_window *window);

#endif

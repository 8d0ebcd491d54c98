/* Watchers of alerts and scores: they come late, hang up, fall behind, ask again from a number on, and outlive workers.
   Each keeps to what WIRE.md tells them, as `ampel watch` does.

   What is checked: within an epoch numbers come without a gap, from the one that was asked for on; an older epoch's may
   have gaps only where nothing is stored; what is heard is what is stored, by id and byte for byte but for epoch and
   number; and who began with number 1 has heard, in the end, each change that is stored. Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_WATCHERS_H
#define AMPEL_TESTS_SIMULATION_WATCHERS_H

#include "tests/oracle/random.h"
#include "tests/simulation/model.h"

#define SIM_WATCHERS 4

struct sim_watchers;

/* tenants: SIM_AGENCIES names, borrowed. */
struct sim_watchers *sim_watchers_open(struct ampel_loopback *network, struct sim_model *model,
                                       const char *const *tenants, uint64_t seed);
void sim_watchers_close(struct sim_watchers *watchers); /* NULL is fine */
/* All hear what there is, and those that have nothing to wait for ask. now_ms: of the clock that never jumps. */
void sim_watchers_pump(struct sim_watchers *watchers, int64_t now_ms);
/* One of them hangs up and comes again, at once or much later. */
void sim_watchers_leave(struct sim_watchers *watchers, int64_t now_ms);
/* One of them asks again, on the connection that it has, from some number that it has seen. False: it has none. */
bool sim_watchers_ask_again(struct sim_watchers *watchers);
/* One of them hears nothing for a while. */
void sim_watchers_lag(struct sim_watchers *watchers, int64_t now_ms);
/* None of them lags or is away any more. */
void sim_watchers_calm(struct sim_watchers *watchers);
/* Each has an answer to its last question on a connection that stands. */
bool sim_watchers_settled(const struct sim_watchers *watchers);
/* After all is stored and heard. */
void sim_watchers_check(struct sim_watchers *watchers);
uint64_t sim_watchers_heard(const struct sim_watchers *watchers);

#endif

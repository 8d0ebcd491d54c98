/* One seed: a world, three agencies, and what happens to them. Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_LIFE_H
#define AMPEL_TESTS_SIMULATION_LIFE_H

#include "tests/simulation/faults.h"
#include "tests/simulation/model.h"

#define SIM_EVENTS_LEAST      300
#define SIM_CHECKPOINTS_LEAST 3
#define SIM_RECOVERIES_LEAST  3

struct sim_outcome {
    uint64_t faults[SIM_FAULTS_COUNT];
    uint64_t events, commits, checks, starts, simulated_ms, told, log_records;
    uint64_t steps, heard; /* compared after steps of engines; heard by watchers */
    char reason[600]; /* empty: all is well */
};

/* Lives the seed through. */
void sim_live(uint64_t seed, struct sim_outcome *out);

#endif

/* The undisturbed run: another worker, on a fresh disk and an empty database, reads the same log once from its
   beginning. What it tells must be what was told, by id. Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_UNDISTURBED_H
#define AMPEL_TESTS_SIMULATION_UNDISTURBED_H

#include "tests/simulation/model.h"

/* options: those of the disturbed world; the first difference fails the model. */
void sim_undisturbed_check(struct sim_model *model, const struct ampel_world_options *options);

#endif

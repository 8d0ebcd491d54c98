/* From what an oracle event says to the engine's event with all its extras, from the table of
 * fields. */
#ifndef AMPEL_TESTS_ORACLE_FIELDS_H
#define AMPEL_TESTS_ORACLE_FIELDS_H

#include "tests/oracle/oracle.h"
#include "tests/oracle/random.h"

/* Fills event and extras: violations, states and orders from told; every other type with random
   values that its fields allow, of which told gets code, count and points. capacity suffices for
   the texts used here. */
void ampel_story_fields(struct ampel_random *random, struct ampel_oracle_event *told,
                        struct ampel_event *event, uint8_t *extras, uint32_t capacity);

#endif

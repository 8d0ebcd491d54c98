/* Random valid events of every type, drawn from the table of fields: a field that is added is met
   by every test that uses this. Deterministic from its seed. */
#ifndef AMPEL_TESTS_ORACLE_MAKER_H
#define AMPEL_TESTS_ORACLE_MAKER_H

#include "engine/event.h"

struct ampel_maker {
    uint64_t state;
};

/* The seed that a test run uses: from AMPEL_TEST_SEED, else the clock's; printed with the test's
 * name. */
struct ampel_maker ampel_maker_open(const char *test);
uint32_t ampel_maker_below(struct ampel_maker *maker, uint32_t bound);
/* An event that ampel_event_check accepts for a batch sent at sent_at_ms; extras in the caller's
 * bytes. */
void ampel_maker_event(struct ampel_maker *maker, uint8_t type, int64_t sent_at_ms,
                       uint8_t extras[AMPEL_EXTRAS_BYTES_MAX], struct ampel_event *out);
/* 1..64 characters, of an account's name where account is set. Returns the size. */
uint32_t ampel_maker_id(struct ampel_maker *maker, bool account, char out[AMPEL_ID_BYTES_MAX]);

#endif

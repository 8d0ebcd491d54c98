/* An agency: some sellers whose orders and violations a seed makes up, the feeder that sends them, and the oracle that
   says what their ratings must be. Times lie on whole minutes, so that at any half minute nothing is about to happen.
   Thread: one. */
#ifndef AMPEL_TESTS_ORACLE_AGENCY_H
#define AMPEL_TESTS_ORACLE_AGENCY_H

#include "tests/oracle/feeder.h"
#include "tests/oracle/memory_database.h"
#include "tests/oracle/oracle.h"

struct ampel_agency;

struct ampel_agency *ampel_agency_open(struct ampel_loopback *network, const char *tenant,
                                       const char *producer, uint32_t accounts_count,
                                       uint64_t seed);
void ampel_agency_close(struct ampel_agency *agency); /* NULL is fine */

/* Makes up one batch of events that the engine will accept, at most `bad` more that the gateway refuses, and gives it to
   the feeder. */
void ampel_agency_batch(struct ampel_agency *agency, int64_t now_ms, uint32_t events, uint32_t bad,
                        bool backfill);
/* From now on so many of a hundred events are of other types than orders, violations and their states: with whatever
   values their fields allow, so that all that stands beside the score comes into play. 0 at first. */
void ampel_agency_facts(struct ampel_agency *agency, uint32_t percent);
struct ampel_feeder *ampel_agency_feeder(struct ampel_agency *agency);

/* Compares every stored rating of the tenant with the oracle's at now_ms. False: reason names the first that differs. */
bool ampel_agency_check(const struct ampel_agency *agency,
                        const struct ampel_memory_database *database,
                        const struct ampel_rules *rules, int64_t now_ms, char reason[400]);
/* Violations too: state, rank, points. */
bool ampel_agency_check_violations(const struct ampel_agency *agency,
                                   const struct ampel_memory_database *database,
                                   const struct ampel_rules *rules, int64_t now_ms,
                                   char reason[400]);
/* What a batch told of whom, those events left out that the gateway refuses. Borrowed until the next batch. Returns how
   many. */
struct ampel_agency_event {
    uint32_t account;
    struct ampel_oracle_event event;
};
uint32_t ampel_agency_told(const struct ampel_agency *agency, uint64_t sequence,
                           const struct ampel_agency_event **out);
bool ampel_agency_backfills(const struct ampel_agency *agency, uint64_t sequence);
/* Seller i is called so, and sells in "DE". */
#define AMPEL_AGENCY_NAME_SIZE 24
void ampel_agency_seller(uint32_t account, char out[AMPEL_AGENCY_NAME_SIZE]);
const char *ampel_agency_tenant(const struct ampel_agency *agency);
uint32_t ampel_agency_accounts(const struct ampel_agency *agency);

uint64_t ampel_agency_bad(const struct ampel_agency *agency); /* events made to be refused */

#endif

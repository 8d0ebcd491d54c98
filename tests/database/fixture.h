/* A system of four partitions and two tenants in the test's database, and a worker's view of it. A
   failure fails the test with the database's own sentence. */
#ifndef AMPEL_TESTS_DATABASE_FIXTURE_H
#define AMPEL_TESTS_DATABASE_FIXTURE_H

#include "workers/database.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* of the tenant acme */
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" /* of bravo */

/* A setup of cmocka: drops what is there and makes a fresh system. */
int fresh(void **state);

struct worker {
    struct ampel_database database;
    struct ampel_error error;
};
struct worker *worker_open(const char *url); /* connected */
void worker_close(struct worker *worker);

struct ampel_parcel_loaded *claimed(struct worker *worker, uint32_t partition);
AMPEL_MUST_CHECK enum ampel_database_status commit(struct worker *worker,
                                                   const struct ampel_checkpoint *checkpoint);
void committed(struct worker *worker, const struct ampel_checkpoint *checkpoint);
/* Commits these changes of a claimed partition from one position to the next. */
AMPEL_MUST_CHECK enum ampel_database_status tell(struct worker *worker,
                                                 const struct ampel_parcel_loaded *loaded,
                                                 uint64_t position, struct ampel_told *told,
                                                 uint32_t told_count);
struct ampel_parcel_answer *asked(struct worker *worker, const char *tenant,
                                  enum ampel_stream stream, uint64_t from, uint32_t limit);

#endif

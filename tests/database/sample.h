/* Checkpoints of one's own making for the tests of the database. Static storage: one set of rows at
 * a time. */
#ifndef AMPEL_TESTS_DATABASE_SAMPLE_H
#define AMPEL_TESTS_DATABASE_SAMPLE_H

#include "workers/checkpoint.h"

#define SAMPLE_AT_MS INT64_C(1790858096789) /* 2026-10-01T12:34:56.789Z */

struct ampel_text sample_text(const char *text);

/* An empty checkpoint of a partition as claimed, from position to position_new, with two cap groups
 * of the default rules. */
struct ampel_checkpoint sample_checkpoint(const struct ampel_parcel_loaded *loaded,
                                          uint64_t position_new);

/* The rules that it names. */
struct ampel_rules_face sample_face(void);

/* Rows with unlike values in all members. */
struct ampel_numbers sample_numbers(int32_t score);
struct ampel_rating_row sample_rating(const char *tenant, const char *seller, int32_t score);
struct ampel_violation_row sample_violation(const char *tenant, const char *seller, const char *id);
struct ampel_refusal_row sample_refusal(const char *tenant, uint64_t sequence);
/* A change of kind AMPEL_CHANGE_*; number also makes the id, so that unlike numbers have unlike
 * ids. */
struct ampel_told sample_told(const char *tenant, enum ampel_change_kind kind, uint64_t number,
                              int64_t at_ms);

#endif

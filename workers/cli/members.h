/* Members of JSON objects on standard output, a key and its value at once; and the numbers of a rating, with the same keys in the
   same order wherever a command prints them. A print is a piece of a line: empty it before it is full. */
#ifndef AMPEL_WORKERS_CLI_MEMBERS_H
#define AMPEL_WORKERS_CLI_MEMBERS_H

#include "engine/engine.h"
#include "proto/print.h"

void ampel_member_integer(struct ampel_print *print, const char *key, int64_t value);
void ampel_member_unsigned(struct ampel_print *print, const char *key, uint64_t value);
void ampel_member_boolean(struct ampel_print *print, const char *key, bool value);
void ampel_member_text(struct ampel_print *print, const char *key, struct ampel_text text);
/* RFC 3339; null for INT64_MAX. */
void ampel_member_time(struct ampel_print *print, const char *key, int64_t at_ms);
/* A registry's name; null beyond the registry. */
void ampel_member_name(struct ampel_print *print, const char *key, enum ampel_registry registry, uint32_t code);

/* "score", "status", "risk" */
void ampel_members_rated(struct ampel_print *print, int64_t score, uint32_t colour, uint32_t risk);
/* "orders", "order_points", "deducted" */
void ampel_members_sums(struct ampel_print *print, int64_t orders, int64_t order_points, int64_t deducted);
/* "caps", by group in the order of the rules */
void ampel_members_caps(struct ampel_print *print, const struct ampel_rules *rules, const struct ampel_numbers *numbers);

/* Writes what was printed and empties it. */
void ampel_members_piece(struct ampel_print *print);

#endif

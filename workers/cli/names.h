/* Names that are too long for a column: cut in the middle of their parts, first the marketplace, then the tenant, then the longest
   ("nordlicht/A1B2C3D4E5/A1P…R9"), and never so that two different names become the same. */
#ifndef AMPEL_WORKERS_CLI_NAMES_H
#define AMPEL_WORKERS_CLI_NAMES_H

#include "engine/base.h"

#define AMPEL_NAMES_WIDTH_MIN 8
/* Widest name that is cut whole: longer ones lose their end first. */
#define AMPEL_NAMES_SIZE 512

/* The least width, from AMPEL_NAMES_WIDTH_MIN on, in which all different names stay different. Names are ASCII.
   Cost: O(n log n) a width. */
uint32_t ampel_names_width(char *const *names, uint32_t count);

/* Writes the name in at most width columns; part by part, split at '/'. out takes three bytes for each '…'. */
void ampel_name_cut(const char *name, uint32_t width, char out[AMPEL_NAMES_SIZE]);

/* Replaces all names by their cut ones (malloc'd texts, as they were). Where width is too small for them to stay different each
   ends in ~ and a number of its own. */
void ampel_names_cut(char **names, uint32_t count, uint32_t width);

#endif

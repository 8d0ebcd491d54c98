/* SHA-256 of files: what says later that a piece of evidence is still the one that was kept. The one place that knows
   libsodium. */
#ifndef AMPEL_WORKERS_FINGERPRINT_H
#define AMPEL_WORKERS_FINGERPRINT_H

#include "proto/error.h"

#define AMPEL_FINGERPRINT_SIZE 65 /* 64 lower-case hex digits and a zero */

/* Reads a regular file to its end. False: error says why. Thread: any. */
AMPEL_MUST_CHECK bool ampel_fingerprint_file(const char *path, char out[AMPEL_FINGERPRINT_SIZE], int64_t *size_bytes,
                                             struct ampel_error *error);

#endif

/* Key files: CURVE keys as text, one a line.

       worker.key     public <40 characters of Z85> | secret <likewise>
       TENANT.key     public | secret | server: the worker's public key

   Empty lines and lines that start with # are passed over. Thread: any. */
#ifndef AMPEL_WORKERS_KEYFILE_H
#define AMPEL_WORKERS_KEYFILE_H

#include "proto/error.h"

#define AMPEL_KEY_TEXT_SIZE 41 /* 32 bytes as Z85, and a zero */

struct ampel_keyfile {
    char public_key[AMPEL_KEY_TEXT_SIZE];
    char secret_key[AMPEL_KEY_TEXT_SIZE];
    char server_key[AMPEL_KEY_TEXT_SIZE]; /* "" in a worker's file */
};

/* A fresh pair; server_key is "". False: the library was built without encryption. */
AMPEL_MUST_CHECK bool ampel_keyfile_generate(struct ampel_keyfile *out);
/* server: the file must have one (a tenant's), else it must not (the worker's). Checks that public belongs to secret. False:
   error names file, line and field. */
AMPEL_MUST_CHECK bool ampel_keyfile_read(const char *path, bool server, struct ampel_keyfile *out,
                                         struct ampel_error *error);
/* Makes a new file that only its owner reads (0600), synced. A file that exists is never replaced: its key may be in use. */
AMPEL_MUST_CHECK bool ampel_keyfile_write(const char *path, const struct ampel_keyfile *keyfile,
                                          struct ampel_error *error);

/* 40 characters that are 32 bytes of Z85. */
AMPEL_MUST_CHECK bool ampel_key_valid(const char *key);

#endif

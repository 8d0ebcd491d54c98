/* Whole files in memory, for commands. */
#ifndef AMPEL_WORKERS_CLI_FILE_H
#define AMPEL_WORKERS_CLI_FILE_H

#include "engine/base.h"

/* The bytes of a file of at most 256 MiB ("-" is standard input); free them. NULL: said on standard error. */
char *ampel_file_read(const char *command, const char *path, uint32_t *size);

#endif

/* Where the server is: environment variables, or the same names in a file that `deploy/up` writes. The first of $AMPEL_ENV,
   ./var/ampel.env and var/ampel.env beside the build folder of this binary is read; variables that are set already win. */
#ifndef AMPEL_WORKERS_ENVIRONMENT_H
#define AMPEL_WORKERS_ENVIRONMENT_H

#include "engine/base.h"

/* Lines NAME=value (single quotes around the value allowed), # comments. False: the file that AMPEL_ENV names cannot be read
   or a line is broken; said on standard error. */
AMPEL_MUST_CHECK bool ampel_environment_read(void);

/* given, else the variable, else NULL. */
const char *ampel_environment_or(const char *given, const char *variable);

#endif

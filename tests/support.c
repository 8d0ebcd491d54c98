/* What every C test shares. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base.h"

void ampel_panic(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

/* We are wrong: say where and stop, leaving a core for whoever looks. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base.h"

void ampel_panic(const char *file, int line, const char *condition) {
    fprintf(stderr, "ampel: assertion failed at %s:%d: %s\n", file, line, condition);
    abort();
}

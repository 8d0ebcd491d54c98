#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>

bool ampel_error_set(struct ampel_error *error, const char *field, const char *format, ...) {
    if (error == NULL) return false;
    error->line = 0;
    error->no_memory = false;
    snprintf(error->field, sizeof error->field, "%s", field);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->reason, sizeof error->reason, format, arguments);
    va_end(arguments);
    return false;
}

bool ampel_error_no_memory(struct ampel_error *error) {
    (void)ampel_error_set(error, "", "out of memory");
    if (error != NULL) error->no_memory = true;
    return false;
}

/* A reason for people: what is wrong with some outside bytes, naming the field, the line or the event. */
#ifndef AMPEL_PROTO_ERROR_H
#define AMPEL_PROTO_ERROR_H

#include "engine/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_error {
    uint32_t line;    /* 1.. where the bytes have lines, else 0 */
    char field[120];  /* "" where no single field is to blame; JSON paths get this long */
    char reason[240]; /* one sentence, terminated */
    bool no_memory;   /* nothing is wrong with the bytes; set where that makes a difference (proto/batch.h) */
};

/* Fills error (NULL is fine) printf-like; always returns false, so that `return ampel_error_set(...)` reads. */
bool ampel_error_set(struct ampel_error *error, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same where there was none. */
bool ampel_error_no_memory(struct ampel_error *error);

#ifdef __cplusplus
}
#endif

#endif

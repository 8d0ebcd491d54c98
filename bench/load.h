/* The load program: makes events, drives a worker with them, weighs each stage of the way alone.

   What it finds goes to standard output as JSON objects, one a line, each with "name". Thread: one, but where said. */
#ifndef AMPEL_BENCH_LOAD_H
#define AMPEL_BENCH_LOAD_H

#include <stdio.h>

#include "engine/base.h"
#include "proto/batch.h"

/* splitmix64: good enough for loads, the same on every machine. */
uint64_t load_random(uint64_t *state);
/* A number below bound > 0. */
uint32_t load_below(uint64_t *state, uint32_t bound);

/* Seller and marketplace of an account, as an agency would write them. Borrowed from static memory until the next call. */
void load_account(uint64_t number, struct ampel_text *seller, struct ampel_text *marketplace);
/* Tenants are called load-0, load-1, ...; bytes take at least 16. */
struct ampel_text load_tenant(uint32_t number, char *bytes);
/* One event of the mix: orders, and so many violations in a thousand, each of its own id (100: nine orders to one violation).
   Its extras are borrowed from the caller's bytes. */
void load_event(uint64_t *state, uint64_t number, uint32_t violations, int64_t from_ms, int64_t to_ms,
                uint8_t extras[128], struct ampel_event *out);

/* An encoded file, read whole into memory. */
struct load_batch {
    struct ampel_text tenant;
    const uint8_t *bytes;
    uint32_t size;
};
struct load_file {
    uint8_t *bytes;
    size_t size;
    uint64_t batches_count, events_count;
    struct load_batch *batches;
};
void load_file_open(const char *path, struct load_file *out);
void load_file_close(struct load_file *file);

int64_t load_now_ns(void);      /* monotonic */
int64_t load_thread_ns(void);   /* of this thread's processor time */
/* Ends the program with a sentence. */
_Noreturn void load_fail(const char *sentence, const char *what);
/* The value of --NAME VALUE among the words, or fallback. */
const char *load_option(int argc, char **argv, const char *name, const char *fallback);
double load_number(int argc, char **argv, const char *name, double fallback);

int load_make(int argc, char **argv);
int load_stages(int argc, char **argv);
int load_latency(int argc, char **argv);
int load_store(int argc, char **argv);

#endif

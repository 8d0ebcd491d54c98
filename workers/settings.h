/* Settings: one row each; parser, --print-settings, --help and docs/SETTINGS.md derive from the table.
   Order of force: flag --name, environment AMPEL_NAME, file (name = value lines, # comments), default. */
#ifndef AMPEL_WORKERS_SETTINGS_H
#define AMPEL_WORKERS_SETTINGS_H

#include "engine/base.h"
#include "engine/bounds.h"
#include "proto/error.h"

/* X(name, form, default, least, greatest, unit, sentence); forms: TEXT, INTEGER, BYTES (k, m, g suffixes), CHOICE
   (sentence starts with the choices), TIME (RFC 3339 or "now"). Least and greatest bound numbers, or a text's size. */
#define AMPEL_SETTINGS(X)                                                                          \
    X(endpoint, TEXT, "tcp://127.0.0.1:5610", 1, 200, "", "where feeders connect (ZeroMQ ROUTER, CURVE)") \
    X(watch_endpoint, TEXT, "tcp://127.0.0.1:5611", 1, 200, "", "where watchers connect (ZeroMQ ROUTER, CURVE)") \
    X(http_address, TEXT, "127.0.0.1:9464", 1, 200, "", "metrics and health; empty host means all")  \
    X(database_url, TEXT, "", 0, 1000, "", "PostgreSQL, as libpq takes it")                          \
    X(keys, TEXT, "", 0, 1000, "", "directory with worker.key, the worker's CURVE key pair")         \
    X(journal, TEXT, "journal", 1, 1000, "", "directory of the journal")                             \
    X(rules, TEXT, "", 0, 1000, "", "rules file; empty: the built-in default")                       \
    X(shards, INTEGER, "1", 1, 64, "threads", "threads that keep ratings")                           \
    X(scribes, INTEGER, "2", 1, 4, "connections", "connections to the database that store checkpoints at once, each on a thread of its own") \
    X(realtime, INTEGER, "0", 0, 1, "boolean", "threads that acks and alerts wait for run before all others of the machine (SCHED_RR), if that is permitted; shards only where there are fewer than cores; one shard on two cores: each thread keeps to one") \
    X(checkpoint_every, INTEGER, "1000", 0, 3600000, "ms", "how often a changed partition is stored; later where checkpoint_share says so") \
    X(checkpoint_share, INTEGER, "25", 1, 100, "%", "so much of the time may go into storing; beyond it changed partitions wait, up to thirty times checkpoint_every; 100: none waits") \
    X(orders_rows_every, INTEGER, "600000", 0, 86400000, "ms", "how often a row is written for order counts alone; 0: at each checkpoint") \
    X(segment_bytes, BYTES, "64m", 1048576, 1073741824, "bytes", "size of a journal segment")        \
    X(journal_bytes_max, BYTES, "16g", 4194304, 1099511627776, "bytes", "journal that may wait for its checkpoint; then feeders are slowed") \
    X(group_bytes_max, BYTES, "1m", 4096, 67108864, "bytes", "largest group of one write and fdatasync") \
    X(inflight_bytes_max, BYTES, "64m", 65536, 4294967296, "bytes", "batches taken and not yet durable; then the gateway reads no more") \
    X(unstored_bytes_max, BYTES, "256m", 1048576, 68719476736, "bytes", "changes told and not yet stored; from half of it on feeders are slowed") \
    X(stop_stall_max, INTEGER, "30000", 100, 3600000, "ms", "an orderly stop that stores no checkpoint for so long ends at once") \
    X(message_bytes_max, BYTES, "16m", 4096, 16777216, "bytes", "largest message taken from a peer")  \
    X(accounts_per_tenant_max, INTEGER, "10000000", 1, 4000000000, "accounts", "accounts one tenant may have, spread over the partitions") \
    X(violations_per_account_max, INTEGER, "65535", 1, 65535, "violations", "violations one account may have") \
    X(producers_per_tenant_max, INTEGER, "64", 1, 64, "producers", "producers one tenant may have")   \
    X(clock_at, TIME, "now", 0, 0, "", "start the clock at this time")                                \
    X(clock_speed, INTEGER, "1", 0, 100000, "times", "how fast the clock runs; 0 stands still")       \
    X(clock_is_right, INTEGER, "0", 0, 1, "boolean", "accept a clock behind the log, or more than 400 days ahead of it") \
    X(log_level, CHOICE, "info", 0, 0, "", "debug|info|warn|error: least level of log lines")         \
    X(log_format, CHOICE, "auto", 0, 0, "", "auto|json|text: form of log lines")

enum ampel_setting {
#define X(name, form, fallback, least, greatest, unit, sentence) AMPEL_SETTING_INDEX_##name,
    AMPEL_SETTINGS(X)
#undef X
        AMPEL_SETTINGS_COUNT
};

struct ampel_settings {
#define X(name, form, fallback, least, greatest, unit, sentence) AMPEL_SETTING_##form(name)
#define AMPEL_SETTING_TEXT(name) char name[1001];
#define AMPEL_SETTING_CHOICE(name) char name[65];
#define AMPEL_SETTING_INTEGER(name) int64_t name;
#define AMPEL_SETTING_BYTES(name) int64_t name;
#define AMPEL_SETTING_TIME(name) int64_t name; /* INT64_MIN: now */
    AMPEL_SETTINGS(X)
#undef X
    /* Where each value came from: "default", "--flag", "environment NAME" or "FILE:line". */
    char sources[AMPEL_SETTINGS_COUNT][128];
};

/* Defaults, then the file, the environment (AMPEL_ and the name in upper case; of other AMPEL_ variables see below), then
   arguments: `--name value` or `--name=value`, with - or _ between words; a boolean may stand without its value. The file
   is named by `--settings FILE` or AMPEL_SETTINGS (none, or "": none; a missing file that was named is an error). Sets *help
   or *print where --help or --print-settings stands among the arguments. About 25 KiB: keep it static.
   False: error names setting (in field), value, bounds and source. Thread: main, once. */
AMPEL_MUST_CHECK bool ampel_settings_read(struct ampel_settings *out, int argc, char **argv,
                                          bool *help, bool *print, struct ampel_error *error);
/* The first variable from index on that begins with AMPEL_ and that no program of ours reads, likely a name that was misspelt:
   its name into name. Returns the index behind it, 0 for none. Thread: any. */
AMPEL_MUST_CHECK uint32_t ampel_settings_unknown(char **environment, uint32_t from, char *name, size_t name_size);
/* `name = value` lines with where each came from as comment: what --print-settings shows, on standard output. A password in
   database_url is shown as ***. What it prints can be read as a settings file. */
void ampel_settings_print(const struct ampel_settings *settings);
/* --help: how to call the program and a row for each setting, on standard output. */
void ampel_settings_help(const char *program);
/* docs/SETTINGS.md. Returns the size, 0 when capacity does not suffice. */
uint32_t ampel_settings_document(char *bytes, uint32_t capacity);

#endif

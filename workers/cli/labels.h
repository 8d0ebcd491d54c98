/* Words and times for people: English, or German where --lang, LC_ALL, LC_MESSAGES or LANG ask for it; times in the reader's zone
   (TZ), with the zone named. Never for what programs read: names there are the registries', times are UTC. */
#ifndef AMPEL_WORKERS_CLI_LABELS_H
#define AMPEL_WORKERS_CLI_LABELS_H

#include "engine/registry.h"

/* "de" or "en"; NULL asks the environment. False, with nothing changed: another language. Thread: before others start. */
AMPEL_MUST_CHECK bool ampel_language_set(const char *name);
bool ampel_language_is_german(void);

/* The word or phrase in the reader's language; itself where the table has none; also formats of printf. Static storage, or english. */
const char *ampel_label(const char *english) __attribute__((format_arg(1)));
/* A registry's name for people; NULL beyond the registry. */
const char *ampel_label_name(enum ampel_registry registry, uint32_t code);

/* The width to give to %-*s so that the text takes so many columns: printf counts bytes. */
#define AMPEL_LABEL_WORDS_SIZE 64
/* A name of a table (step_done, ip_removal) for people: its label, in English without underscores. Cut to the size. */
const char *ampel_label_words(const char *name, char out[AMPEL_LABEL_WORDS_SIZE]);
int ampel_label_width(const char *text, int columns);

#define AMPEL_LABEL_TIME_SIZE 64
/* "2026-10-01 14:34:56 CEST"; in UTC "2026-10-01T12:34:56.789Z". */
void ampel_label_time(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]);
/* "2026-10-01 14:34 CEST"; in UTC "2026-10-01 12:34Z". */
void ampel_label_minute(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]);
/* "2026-10-01": the reader's day. */
void ampel_label_day(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]);
/* "14:34:56 CEST", "12:34:56Z". */
void ampel_label_clock(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]);

#endif

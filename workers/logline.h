/* Log lines: one JSON object a line on standard error, or aligned text where it is a terminal.
   Thread: any; a line is written whole. */
#ifndef AMPEL_WORKERS_LOGLINE_H
#define AMPEL_WORKERS_LOGLINE_H

#include "engine/base.h"

enum ampel_log_level { AMPEL_LOG_DEBUG, AMPEL_LOG_INFO, AMPEL_LOG_WARN, AMPEL_LOG_ERROR };

enum ampel_log_format { AMPEL_LOG_AUTO, AMPEL_LOG_JSON, AMPEL_LOG_TEXT };
void ampel_log_configure(enum ampel_log_level least, enum ampel_log_format format);

/* ampel_log(AMPEL_LOG_INFO, "journal", "torn tail cut", "file", "%s", name, "bytes", "%llu", n, NULL):
   room, sentence, then triples of key, format (one conversion), value... ending with NULL. Conversions: %s %d %u %lld %llu. */
void ampel_log(enum ampel_log_level level, const char *room, const char *sentence, ...);

#endif

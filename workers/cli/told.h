/* Changes as people and programs read them: what `ampel watch` receives and `ampel replay` computes
   is printed by the same words. */
#ifndef AMPEL_WORKERS_CLI_TOLD_H
#define AMPEL_WORKERS_CLI_TOLD_H

#include "proto/message.h"
#include "workers/cli/format.h"

/* The change as the worker would send it, with its id; number and epoch stay 0. Texts are borrowed from the engine
   until its next apply. The change must be one that is told. */
void ampel_told_fill(const struct ampel_engine *engine, const struct ampel_change *change,
                     struct ampel_message_change *out);

/* On standard output: a sentence of two or three lines, or the line of ampel_change_json. */
void ampel_told_print(const struct ampel_message_change *told, enum ampel_format format);

#endif

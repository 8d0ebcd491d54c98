/* The part of `ampel import` that reads violation lists and audits. */
#ifndef AMPEL_WORKERS_CLI_IMPORT_LIST_H
#define AMPEL_WORKERS_CLI_IMPORT_LIST_H

#include "proto/violation_list.h"

struct ampel_import_list {
    const char *path; /* for messages */
    const struct ampel_list_options *options;
    void (*event)(void *context, const struct ampel_jsonl_event *event);
    void *context;
};

/* Fills mapping (out->mapping then points to it) and order of dates; NULL where not given. False: said on standard error. */
AMPEL_MUST_CHECK bool ampel_import_list_options(const char *mapping_path, const char *dates,
                                                struct ampel_list_mapping *mapping,
                                                struct ampel_list_options *out);
/* The same for audits (proto/audit.h): of options the account and the order of dates count. */
void ampel_import_audit(const struct ampel_import_list *list, struct ampel_text csv, uint32_t *events,
                        uint32_t *broken);
/* Tells the events of one list; what is wrong is said on standard error and counted. */
void ampel_import_list(const struct ampel_import_list *list, struct ampel_text csv, uint32_t *events,
                       uint32_t *broken);

#endif

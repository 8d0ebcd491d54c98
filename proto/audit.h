/* Audits as CSV: what an agency's console, its mail or a permissions list tells of an account, one row a signal; and the work
   that it announces. docs/DOCUMENTS.md tells the columns and the words. The same rows again tell the same events. */
#ifndef AMPEL_PROTO_AUDIT_H
#define AMPEL_PROTO_AUDIT_H

#include "proto/violation_list.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ampel_audit_options {
    struct ampel_document_account account; /* of rows without an Account */
    enum ampel_list_dates dates;
};

/* A kind of signal by the registry's name or a usual phrase; AMPEL_AUDIT_MAINTENANCE for announced work. False: unknown. */
#define AMPEL_AUDIT_MAINTENANCE 255
AMPEL_MUST_CHECK bool ampel_audit_kind(struct ampel_text text, uint8_t *kind);

/* As ampel_violation_list: each row becomes a `signal` or a `maintenance`. */
AMPEL_MUST_CHECK bool ampel_audit(struct ampel_text csv, const struct ampel_audit_options *options,
                                  const struct ampel_list_sink *sink, struct ampel_list_counts *counts,
                                  struct ampel_error *error);

#ifdef __cplusplus
}
#endif

#endif

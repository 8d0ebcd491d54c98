/* Changes as members: the one list of names from which the wire and the JSON form are written. For
 * proto/message*.c. */
#ifndef AMPEL_PROTO_MESSAGE_CHANGE_H
#define AMPEL_PROTO_MESSAGE_CHANGE_H

#include "proto/message.h"
#include "proto/pack.h"

/* Writes the change's members as one map, with "v" and "m" before them. */
void ampel_change_pack(const struct ampel_message_change *change, struct ampel_pack_writer *writer);
/* Reads them. False: error names the key. */
AMPEL_MUST_CHECK bool ampel_change_unpack(const struct ampel_pack *map,
                                          struct ampel_message_change *out,
                                          struct ampel_error *error);

const char *ampel_stream_name(enum ampel_stream stream);
AMPEL_MUST_CHECK bool ampel_stream_code(struct ampel_text name, enum ampel_stream *out);

/* ---- keys of a message's map, each false with error filled where it is missing or of another kind
 * -------------- */

AMPEL_MUST_CHECK bool ampel_take_id(const struct ampel_pack *map, const char *key, bool account,
                                    struct ampel_text *out, struct ampel_error *error);
/* An integer in [least, greatest]. */
AMPEL_MUST_CHECK bool ampel_take_integer(const struct ampel_pack *map, const char *key,
                                         int64_t least, int64_t greatest, int64_t *out,
                                         struct ampel_error *error);
AMPEL_MUST_CHECK bool ampel_take_unsigned(const struct ampel_pack *map, const char *key,
                                          uint64_t *out, struct ampel_error *error);
AMPEL_MUST_CHECK bool ampel_take_stream(const struct ampel_pack *map, enum ampel_stream *out,
                                        struct ampel_error *error);

#endif

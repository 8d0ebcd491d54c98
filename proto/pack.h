/* msgpack values in and out: the one place that knows msgpack-c. What is read was walked with
   bounds before (proto/walk.h), so that the library only sees bytes that are whole.

   Thread: a reader and what it gave belong to one. */
#ifndef AMPEL_PROTO_PACK_H
#define AMPEL_PROTO_PACK_H

#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ampel_pack_kind {
    AMPEL_PACK_OTHER, /* nil, and integers beyond int64 */
    AMPEL_PACK_BOOLEAN,
    AMPEL_PACK_INTEGER,
    AMPEL_PACK_REAL,
    AMPEL_PACK_TEXT,
    AMPEL_PACK_BYTES,
    AMPEL_PACK_LIST,
    AMPEL_PACK_MAP,
};

struct ampel_pack {
    enum ampel_pack_kind kind;
    bool boolean;
    uint32_t count; /* LIST, MAP: entries */
    int64_t integer;
    double real;
    struct ampel_text text; /* TEXT, BYTES: borrowed from the bytes that were read */
    const void *entries;    /* the library's; of a closed value where it begins */
};

struct ampel_pack_reader;                               /* a zone, reused from message to message */
struct ampel_pack_reader *ampel_pack_reader_open(void); /* NULL: no memory */
void ampel_pack_reader_close(struct ampel_pack_reader *reader);

/* Walks and reads one message, which must be a map. out and its entries live until the reader's
   next use and as long as the bytes. nodes_max bounds the values in it. False: error says what is
   wrong and where. */
AMPEL_MUST_CHECK bool ampel_pack_decode(struct ampel_pack_reader *reader, const uint8_t *bytes,
                                        uint32_t size, uint32_t nodes_max, struct ampel_pack *out,
                                        struct ampel_error *error);
/* The same without going into what the map holds: out and the values of its entries are closed, that is a LIST or MAP has
   count and, as its text, the bytes of its entries, which ampel_pack_cursor walks. Takes no memory, so that it is the way for
   messages whose values are many. */
AMPEL_MUST_CHECK bool ampel_pack_closed(const uint8_t *bytes, uint32_t size, uint32_t nodes_max,
                                        struct ampel_pack *out, struct ampel_error *error);
struct ampel_pack_cursor {
    const uint8_t *bytes;
    uint32_t size, offset;
    uint32_t left; /* values to come; a map has two for each entry */
};
/* value is a closed LIST or MAP. */
void ampel_pack_cursor_reset(struct ampel_pack_cursor *cursor, const struct ampel_pack *value);
/* The next value, closed; left > 0. */
void ampel_pack_cursor_next(struct ampel_pack_cursor *cursor, struct ampel_pack *out);
/* The same where two short texts stand there (proto/walk.h): false, and nothing is passed, where they do not. */
AMPEL_MUST_CHECK bool ampel_pack_cursor_pair(struct ampel_pack_cursor *cursor,
                                             struct ampel_text out[2]);
/* Opens a closed LIST for ampel_pack_item. Lifetime as of ampel_pack_decode. False: no memory. */
AMPEL_MUST_CHECK bool ampel_pack_list_open(struct ampel_pack_reader *reader, struct ampel_pack *list,
                                           struct ampel_error *error);
/* index < count, of an open list or map. */
void ampel_pack_item(const struct ampel_pack *list, uint32_t index, struct ampel_pack *out);
void ampel_pack_entry(const struct ampel_pack *map, uint32_t index, struct ampel_pack *key,
                      struct ampel_pack *out);
/* The value under a key of a map: false where it is absent or stands twice. */
AMPEL_MUST_CHECK bool ampel_pack_find(const struct ampel_pack *map, const char *key,
                                      struct ampel_pack *out);

/* Writes into the caller's bytes; once something does not fit, full is set and stays. Numbers take
   their shortest form, so that equal values have equal bytes. */
struct ampel_pack_writer {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t size;
    bool full;
};
void ampel_pack_put_map(struct ampel_pack_writer *writer, uint32_t count);
void ampel_pack_put_list(struct ampel_pack_writer *writer, uint32_t count);
void ampel_pack_put_text(struct ampel_pack_writer *writer, struct ampel_text text);
void ampel_pack_put_word(struct ampel_pack_writer *writer, const char *word);
void ampel_pack_put_bytes(struct ampel_pack_writer *writer, const void *bytes, uint32_t size);
void ampel_pack_put_integer(struct ampel_pack_writer *writer, int64_t number);
void ampel_pack_put_unsigned(struct ampel_pack_writer *writer, uint64_t number);
void ampel_pack_put_boolean(struct ampel_pack_writer *writer, bool boolean);

#ifdef __cplusplus
}
#endif

#endif

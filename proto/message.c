#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#include "proto/message_change.h"
#include "proto/pack.h"
#include "proto/text.h"
#include "proto/walk.h"

/* Four values for each refusal of an ack, and a few keys: the largest message there is. */
#define NODES_MAX (4 * AMPEL_BATCH_EVENTS_MAX + 256)
/* A sentence for people in a message. */
#define SENTENCE_BYTES_MAX 1024

static const char *const back_names[] = {
#define X(upper, lower) #lower,
    AMPEL_BACKS(X)
#undef X
};

const char *ampel_back_name(enum ampel_back_reason reason) {
    return (uint32_t)reason < AMPEL_BACKS_COUNT ? back_names[reason] : "unknown";
}

static const char *const message_names[] = {
    [AMPEL_MESSAGE_HELLO] = "hello",   [AMPEL_MESSAGE_WELCOME] = "welcome",
    [AMPEL_MESSAGE_ACK] = "ack",       [AMPEL_MESSAGE_BACK] = "back",
    [AMPEL_MESSAGE_WATCH] = "watch",   [AMPEL_MESSAGE_WATCHING] = "watching",
    [AMPEL_MESSAGE_CHANGE] = "change", [AMPEL_MESSAGE_BEAT] = "beat",
};

struct ampel_message_decoder {
    struct ampel_pack_reader *reader;
    struct ampel_batch_refused *refused;
    uint32_t refused_capacity;
    char *fields; /* the names of refused fields, each with its zero */
    uint32_t fields_capacity;
};

struct ampel_message_decoder *ampel_message_decoder_open(void) {
    struct ampel_message_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) return NULL;
    decoder->reader = ampel_pack_reader_open();
    if (decoder->reader != NULL) return decoder;
    free(decoder);
    return NULL;
}

void ampel_message_decoder_close(struct ampel_message_decoder *decoder) {
    if (decoder == NULL) return;
    ampel_pack_reader_close(decoder->reader);
    free(decoder->refused);
    free(decoder->fields);
    free(decoder);
}

/* ---- which message -------------------------------------------------------------------------- */

/* Tells a batch from the others by its keys, without going through its events. */
static bool is_batch(const uint8_t *bytes, uint32_t size) {
    struct ampel_walk walk;
    struct ampel_walk_head map, key;
    ampel_walk_reset(&walk, bytes, size, NODES_MAX);
    if (!ampel_walk_step(&walk, &map) || map.form != AMPEL_WALK_MAP) return false;
    for (uint32_t i = 0; i < map.count; i++) {
        if (!ampel_walk_step(&walk, &key) || key.form != AMPEL_WALK_TEXT) return false;
        if (ampel_text_is(key.text, "m")) return false;
        if (ampel_text_is(key.text, "accounts") || ampel_text_is(key.text, "rows") ||
            ampel_text_is(key.text, "columns"))
            return true;
        if (!ampel_walk_over(&walk)) return false;
    }
    return true; /* of a batch without events the decoder says what is missing */
}

static bool read_kind(const struct ampel_pack *map, enum ampel_message_kind *out,
                      struct ampel_error *error) {
    struct ampel_pack value;
    if (!ampel_pack_find(map, "v", &value) || value.kind != AMPEL_PACK_INTEGER || value.integer < 1)
        return ampel_error_set(error, "v", "the wire version is missing");
    if (value.integer != AMPEL_WIRE_VERSION)
        return ampel_error_set(error, "v",
                               "wire version %lld is newer than %d, which is spoken here",
                               (long long)value.integer, AMPEL_WIRE_VERSION);
    if (ampel_pack_find(map, "m", &value) && value.kind == AMPEL_PACK_TEXT) {
        for (uint32_t kind = AMPEL_MESSAGE_HELLO; kind <= AMPEL_MESSAGE_BEAT; kind++) {
            if (!ampel_text_is(value.text, message_names[kind])) continue;
            *out = (enum ampel_message_kind)kind;
            return true;
        }
    }
    return ampel_error_set(error, "m", "there is no such message");
}

/* ---- each message in ------------------------------------------------------------------------ */

static bool read_welcome(const struct ampel_pack *map, struct ampel_message_welcome *out,
                         struct ampel_error *error) {
    struct ampel_pack done, entry;
    int64_t credit = 0;
    if (!ampel_take_id(map, "tenant", true, &out->tenant, error) ||
        !ampel_take_id(map, "producer", false, &out->producer, error) ||
        !ampel_take_unsigned(map, "next", &out->next, error) ||
        !ampel_take_integer(map, "credit", 0, UINT32_MAX, &credit, error) ||
        !ampel_take_integer(map, "now", 0, INT64_MAX, &out->now_ms, error))
        return false;
    out->credit = (uint32_t)credit;
    out->done_count = 0;
    if (!ampel_pack_find(map, "done", &done) || done.kind != AMPEL_PACK_LIST ||
        done.count > AMPEL_CREDIT)
        return ampel_error_set(error, "done", "the value is missing or no list of sequences");
    for (uint32_t i = 0; i < done.count; i++) {
        ampel_pack_item(&done, i, &entry);
        if (entry.kind != AMPEL_PACK_INTEGER || entry.integer < 0)
            return ampel_error_set(error, "done", "an entry is no sequence");
        out->done[out->done_count++] = (uint64_t)entry.integer;
    }
    return true;
}

static bool reserve_refused(struct ampel_message_decoder *decoder, uint32_t count) {
    uint32_t fields_size = count * (AMPEL_ID_BYTES_MAX + 1);
    if (count > decoder->refused_capacity) {
        struct ampel_batch_refused *refused =
            realloc(decoder->refused, count * sizeof *decoder->refused);
        if (refused == NULL) return false;
        decoder->refused = refused;
        decoder->refused_capacity = count;
    }
    if (fields_size > decoder->fields_capacity) {
        char *fields = realloc(decoder->fields, fields_size);
        if (fields == NULL) return false;
        decoder->fields = fields;
        decoder->fields_capacity = fields_size;
    }
    return true;
}

static bool read_refusal(const struct ampel_pack *triple, char field[AMPEL_ID_BYTES_MAX + 1],
                         struct ampel_batch_refused *out) {
    struct ampel_pack index, verdict, name;
    if (triple->kind != AMPEL_PACK_LIST || triple->count != 3) return false;
    ampel_pack_item(triple, 0, &index);
    ampel_pack_item(triple, 1, &verdict);
    ampel_pack_item(triple, 2, &name);
    if (index.kind != AMPEL_PACK_INTEGER || index.integer < 0 ||
        index.integer >= AMPEL_BATCH_EVENTS_MAX)
        return false;
    if (verdict.kind != AMPEL_PACK_INTEGER || verdict.integer < 1 || verdict.integer > UINT8_MAX)
        return false;
    if (name.kind != AMPEL_PACK_TEXT || (name.text.size > 0 && !ampel_id_valid(name.text, false)))
        return false;
    if (name.text.size > 0) memcpy(field, name.text.bytes, name.text.size);
    field[name.text.size] = 0;
    *out = (struct ampel_batch_refused){.event_index = (uint32_t)index.integer,
                                        .verdict = (uint8_t)verdict.integer,
                                        .field = field};
    return true;
}

static bool read_ack(struct ampel_message_decoder *decoder, const struct ampel_pack *map,
                     struct ampel_message_ack *out, struct ampel_error *error) {
    struct ampel_pack duplicate, refused, triple;
    int64_t accepted = 0;
    if (!ampel_take_id(map, "producer", false, &out->producer, error) ||
        !ampel_take_unsigned(map, "seq", &out->sequence, error) ||
        !ampel_take_integer(map, "accepted", 0, AMPEL_BATCH_EVENTS_MAX, &accepted, error) ||
        !ampel_take_unsigned(map, "next", &out->next, error))
        return false;
    if (!ampel_pack_find(map, "duplicate", &duplicate) || duplicate.kind != AMPEL_PACK_BOOLEAN)
        return ampel_error_set(error, "duplicate", "the value is missing or not true or false");
    if (!ampel_pack_find(map, "refused", &refused) || refused.kind != AMPEL_PACK_LIST ||
        refused.count > AMPEL_BATCH_EVENTS_MAX)
        return ampel_error_set(error, "refused", "the value is missing or no list");
    if (!reserve_refused(decoder, refused.count))
        return ampel_error_set(error, "", "out of memory");
    for (uint32_t i = 0; i < refused.count; i++) {
        ampel_pack_item(&refused, i, &triple);
        if (!read_refusal(&triple, decoder->fields + (size_t)i * (AMPEL_ID_BYTES_MAX + 1),
                          &decoder->refused[i]))
            return ampel_error_set(error, "refused", "entry %u is no [index, verdict, field]", i);
    }
    out->accepted = (uint32_t)accepted;
    out->duplicate = duplicate.boolean;
    out->refused_count = refused.count;
    out->refused = decoder->refused;
    return true;
}

/* Printable ASCII, since it ends on somebody's terminal. */
static bool sentence_valid(struct ampel_text text) {
    if (text.size > SENTENCE_BYTES_MAX) return false;
    for (uint32_t i = 0; i < text.size; i++)
        if (text.bytes[i] < ' ' || text.bytes[i] > '~') return false;
    return true;
}

static bool read_back(const struct ampel_pack *map, struct ampel_message_back *out,
                      struct ampel_error *error) {
    struct ampel_pack value;
    int64_t retry_ms = 0;
    uint32_t reason = 0;
    /* A batch that could not be read has no name. */
    out->producer = (struct ampel_text){NULL, 0};
    out->sequence = 0;
    if (ampel_pack_find(map, "producer", &value) &&
        (!ampel_take_id(map, "producer", false, &out->producer, error) ||
         !ampel_take_unsigned(map, "seq", &out->sequence, error)))
        return false;
    if (!ampel_pack_find(map, "reason", &value) || value.kind != AMPEL_PACK_TEXT)
        return ampel_error_set(error, "reason", "the value is missing or no text");
    while (reason < AMPEL_BACKS_COUNT && !ampel_text_is(value.text, back_names[reason]))
        reason++;
    if (reason == AMPEL_BACKS_COUNT)
        return ampel_error_set(error, "reason", "the reason is unknown");
    if (!ampel_pack_find(map, "text", &value) || value.kind != AMPEL_PACK_TEXT ||
        !sentence_valid(value.text))
        return ampel_error_set(error, "text", "the value is missing or no printable text");
    if (!ampel_take_integer(map, "retry_ms", 0, UINT32_MAX, &retry_ms, error)) return false;
    out->text = value.text;
    out->reason = (enum ampel_back_reason)reason;
    out->retry_ms = (uint32_t)retry_ms;
    return true;
}

static bool read_watching(const struct ampel_pack *map, struct ampel_message_watching *out,
                          struct ampel_error *error) {
    struct ampel_pack since;
    out->since = 0;
    return ampel_take_id(map, "tenant", true, &out->tenant, error) &&
           ampel_take_stream(map, &out->stream, error) &&
           ampel_take_unsigned(map, "epoch", &out->epoch, error) &&
           ampel_take_unsigned(map, "next", &out->next, error) &&
           (!ampel_pack_find(map, "since", &since) ||
            ampel_take_unsigned(map, "since", &out->since, error));
}

static bool read_message(struct ampel_message_decoder *decoder, const struct ampel_pack *map,
                         struct ampel_message *out, struct ampel_error *error) {
    switch (out->kind) {
    case AMPEL_MESSAGE_HELLO:
        return ampel_take_id(map, "producer", false, &out->hello.producer, error);
    case AMPEL_MESSAGE_WELCOME:
        return read_welcome(map, &out->welcome, error);
    case AMPEL_MESSAGE_ACK:
        return read_ack(decoder, map, &out->ack, error);
    case AMPEL_MESSAGE_BACK:
        return read_back(map, &out->back, error);
    case AMPEL_MESSAGE_WATCH:
        return ampel_take_stream(map, &out->watch.stream, error) &&
               ampel_take_unsigned(map, "from", &out->watch.from, error);
    case AMPEL_MESSAGE_WATCHING:
        return read_watching(map, &out->watching, error);
    case AMPEL_MESSAGE_CHANGE:
        return ampel_change_unpack(map, &out->change, error);
    case AMPEL_MESSAGE_BEAT:
        return ampel_take_integer(map, "now", 0, INT64_MAX, &out->beat.now_ms, error);
    case AMPEL_MESSAGE_BATCH:
        break;
    }
    return true;
}

bool ampel_message_decode(struct ampel_message_decoder *decoder, const uint8_t *bytes,
                          uint32_t size, struct ampel_message *out, struct ampel_error *error) {
    struct ampel_pack map;
    if (size > AMPEL_BATCH_BYTES_MAX)
        return ampel_error_set(error, "", "the message has %u bytes, more than %u", size,
                               AMPEL_BATCH_BYTES_MAX);
    if (is_batch(bytes, size)) {
        out->kind = AMPEL_MESSAGE_BATCH;
        return true;
    }
    return ampel_pack_decode(decoder->reader, bytes, size, NODES_MAX, &map, error) &&
           read_kind(&map, &out->kind, error) && read_message(decoder, &map, out, error);
}

/* ---- each message out ----------------------------------------------------------------------- */

static void put_text(struct ampel_pack_writer *writer, const char *key, struct ampel_text text) {
    ampel_pack_put_word(writer, key);
    ampel_pack_put_text(writer, text);
}

static void put_unsigned(struct ampel_pack_writer *writer, const char *key, uint64_t number) {
    ampel_pack_put_word(writer, key);
    ampel_pack_put_unsigned(writer, number);
}

static void put_time(struct ampel_pack_writer *writer, const char *key, int64_t at_ms) {
    ampel_pack_put_word(writer, key);
    ampel_pack_put_integer(writer, at_ms);
}

static void put_head(struct ampel_pack_writer *writer, enum ampel_message_kind kind,
                     uint32_t keys_count) {
    ampel_pack_put_map(writer, 2 + keys_count);
    put_unsigned(writer, "v", AMPEL_WIRE_VERSION);
    put_text(writer, "m", ampel_text_of(message_names[kind]));
}

static void put_welcome(struct ampel_pack_writer *writer,
                        const struct ampel_message_welcome *welcome) {
    put_head(writer, AMPEL_MESSAGE_WELCOME, 6);
    put_text(writer, "tenant", welcome->tenant);
    put_text(writer, "producer", welcome->producer);
    put_unsigned(writer, "next", welcome->next);
    put_unsigned(writer, "credit", welcome->credit);
    ampel_pack_put_word(writer, "done");
    ampel_pack_put_list(writer, welcome->done_count);
    for (uint32_t i = 0; i < welcome->done_count; i++)
        ampel_pack_put_unsigned(writer, welcome->done[i]);
    put_time(writer, "now", welcome->now_ms);
}

static void put_ack(struct ampel_pack_writer *writer, const struct ampel_message_ack *ack) {
    put_head(writer, AMPEL_MESSAGE_ACK, 6);
    put_text(writer, "producer", ack->producer);
    put_unsigned(writer, "seq", ack->sequence);
    put_unsigned(writer, "accepted", ack->accepted);
    ampel_pack_put_word(writer, "duplicate");
    ampel_pack_put_boolean(writer, ack->duplicate);
    put_unsigned(writer, "next", ack->next);
    ampel_pack_put_word(writer, "refused");
    ampel_pack_put_list(writer, ack->refused_count);
    for (uint32_t i = 0; i < ack->refused_count; i++) {
        ampel_pack_put_list(writer, 3);
        ampel_pack_put_unsigned(writer, ack->refused[i].event_index);
        ampel_pack_put_unsigned(writer, ack->refused[i].verdict);
        ampel_pack_put_word(writer, ack->refused[i].field);
    }
}

/* Reasons may quote what came from outside: only what every terminal shows goes out. */
static void put_sentence(struct ampel_pack_writer *writer, const char *key,
                         struct ampel_text text) {
    char shown[SENTENCE_BYTES_MAX];
    uint32_t size = text.size < sizeof shown ? text.size : sizeof shown;
    for (uint32_t i = 0; i < size; i++)
        shown[i] = text.bytes[i] >= ' ' && text.bytes[i] <= '~' ? text.bytes[i] : '?';
    put_text(writer, key, (struct ampel_text){shown, size});
}

static void put_back(struct ampel_pack_writer *writer, const struct ampel_message_back *back) {
    bool named = back->producer.size > 0;
    put_head(writer, AMPEL_MESSAGE_BACK, named ? 5 : 3);
    if (named) {
        put_text(writer, "producer", back->producer);
        put_unsigned(writer, "seq", back->sequence);
    }
    put_text(writer, "reason", ampel_text_of(ampel_back_name(back->reason)));
    put_sentence(writer, "text", back->text);
    put_unsigned(writer, "retry_ms", back->retry_ms);
}

static void put_stream(struct ampel_pack_writer *writer, enum ampel_stream stream) {
    put_text(writer, "stream", ampel_text_of(ampel_stream_name(stream)));
}

static void put_watching(struct ampel_pack_writer *writer,
                         const struct ampel_message_watching *watching) {
    put_head(writer, AMPEL_MESSAGE_WATCHING, 5);
    put_text(writer, "tenant", watching->tenant);
    put_stream(writer, watching->stream);
    put_unsigned(writer, "epoch", watching->epoch);
    put_unsigned(writer, "next", watching->next);
    put_unsigned(writer, "since", watching->since);
}

uint32_t ampel_message_encode(const struct ampel_message *message, uint8_t *bytes,
                              uint32_t capacity) {
    struct ampel_pack_writer writer = {.bytes = bytes, .capacity = capacity};
    switch (message->kind) {
    case AMPEL_MESSAGE_HELLO:
        put_head(&writer, AMPEL_MESSAGE_HELLO, 1);
        put_text(&writer, "producer", message->hello.producer);
        break;
    case AMPEL_MESSAGE_WELCOME:
        put_welcome(&writer, &message->welcome);
        break;
    case AMPEL_MESSAGE_ACK:
        put_ack(&writer, &message->ack);
        break;
    case AMPEL_MESSAGE_BACK:
        put_back(&writer, &message->back);
        break;
    case AMPEL_MESSAGE_WATCH:
        put_head(&writer, AMPEL_MESSAGE_WATCH, 2);
        put_stream(&writer, message->watch.stream);
        put_unsigned(&writer, "from", message->watch.from);
        break;
    case AMPEL_MESSAGE_WATCHING:
        put_watching(&writer, &message->watching);
        break;
    case AMPEL_MESSAGE_CHANGE:
        ampel_change_pack(&message->change, &writer);
        break;
    case AMPEL_MESSAGE_BEAT:
        put_head(&writer, AMPEL_MESSAGE_BEAT, 1);
        put_time(&writer, "now", message->beat.now_ms);
        break;
    case AMPEL_MESSAGE_BATCH:
        return 0; /* ampel_batch_encode makes these */
    }
    return writer.full ? 0 : writer.size;
}

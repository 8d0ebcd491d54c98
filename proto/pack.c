#include "proto/pack.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "proto/walk.h"

/* Holds the envelope of a batch of a thousand accounts without a second chunk. */
#define ZONE_CHUNK_BYTES (128 * 1024)

struct ampel_pack_reader {
    msgpack_zone zone;
};

struct ampel_pack_reader *ampel_pack_reader_open(void) {
    struct ampel_pack_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    if (msgpack_zone_init(&reader->zone, ZONE_CHUNK_BYTES)) return reader;
    free(reader);
    return NULL;
}

void ampel_pack_reader_close(struct ampel_pack_reader *reader) {
    if (reader == NULL) return;
    msgpack_zone_destroy(&reader->zone);
    free(reader);
}

static void value_of(const msgpack_object *object, struct ampel_pack *out) {
    *out = (struct ampel_pack){.kind = AMPEL_PACK_OTHER};
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        out->kind = AMPEL_PACK_BOOLEAN;
        out->boolean = object->via.boolean;
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX) break;
        out->kind = AMPEL_PACK_INTEGER;
        out->integer = (int64_t)object->via.u64;
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        out->kind = AMPEL_PACK_INTEGER;
        out->integer = object->via.i64;
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        out->kind = AMPEL_PACK_REAL;
        out->real = object->via.f64;
        break;
    case MSGPACK_OBJECT_STR:
        out->kind = AMPEL_PACK_TEXT;
        out->text = (struct ampel_text){object->via.str.ptr, object->via.str.size};
        break;
    case MSGPACK_OBJECT_BIN:
        out->kind = AMPEL_PACK_BYTES;
        out->text = (struct ampel_text){object->via.bin.ptr, object->via.bin.size};
        break;
    case MSGPACK_OBJECT_ARRAY:
        out->kind = AMPEL_PACK_LIST;
        out->count = object->via.array.size;
        out->entries = object->via.array.ptr;
        break;
    case MSGPACK_OBJECT_MAP:
        out->kind = AMPEL_PACK_MAP;
        out->count = object->via.map.size;
        out->entries = object->via.map.ptr;
        break;
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_EXT:
        break;
    }
}

bool ampel_pack_decode(struct ampel_pack_reader *reader, const uint8_t *bytes, uint32_t size,
                       uint32_t nodes_max, struct ampel_pack *out, struct ampel_error *error) {
    struct ampel_walk walk;
    ampel_walk_reset(&walk, bytes, size, nodes_max);
    if (!ampel_walk_whole(&walk))
        return ampel_error_set(error, "", "%s (byte %u of %u)", walk.problem, walk.offset, size);
    msgpack_zone_clear(&reader->zone);
    msgpack_object object;
    size_t offset = 0;
    msgpack_unpack_return found =
        msgpack_unpack((const char *)bytes, size, &offset, &reader->zone, &object);
    if (found == MSGPACK_UNPACK_NOMEM_ERROR) return ampel_error_set(error, "", "out of memory");
    if (found != MSGPACK_UNPACK_SUCCESS && found != MSGPACK_UNPACK_EXTRA_BYTES)
        return ampel_error_set(error, "", "the bytes are no msgpack");
    if (object.type != MSGPACK_OBJECT_MAP)
        return ampel_error_set(error, "", "the message is no map");
    value_of(&object, out);
    return true;
}

/* ---- closed values -------------------------------------------------------------------------- */

bool ampel_pack_closed(const uint8_t *bytes, uint32_t size, uint32_t nodes_max,
                       struct ampel_pack *out, struct ampel_error *error) {
    struct ampel_walk walk;
    ampel_walk_reset(&walk, bytes, size, nodes_max);
    if (!ampel_walk_whole(&walk))
        return ampel_error_set(error, "", "%s (byte %u of %u)", walk.problem, walk.offset, size);
    struct ampel_walk_head head;
    ampel_walk_reset(&walk, bytes, size, nodes_max);
    bool whole = ampel_walk_step(&walk, &head); /* it was walked before */
    AMPEL_ASSERT(whole);
    if (head.form != AMPEL_WALK_MAP) return ampel_error_set(error, "", "the message is no map");
    *out = (struct ampel_pack){
        .kind = AMPEL_PACK_MAP,
        .count = head.count,
        .text = {(const char *)bytes + walk.offset, size - walk.offset},
        .entries = bytes,
    };
    return true;
}

void ampel_pack_cursor_reset(struct ampel_pack_cursor *cursor, const struct ampel_pack *value) {
    AMPEL_ASSERT(value->kind == AMPEL_PACK_LIST || value->kind == AMPEL_PACK_MAP);
    *cursor = (struct ampel_pack_cursor){
        .bytes = (const uint8_t *)value->text.bytes,
        .size = value->text.size,
        .left = value->kind == AMPEL_PACK_MAP ? 2 * value->count : value->count};
}

/* A whole number, with the bytes behind its tag, least last. False: the tag is of something else, or it does not fit. */
static bool integer_of(const uint8_t *bytes, uint32_t size, int64_t *out) {
    uint8_t tag = bytes[0];
    uint64_t number = 0;
    if (tag <= 0x7f || tag >= 0xe0) {
        *out = tag <= 0x7f ? tag : (int64_t)tag - 256;
        return true;
    }
    if (tag < 0xcc || tag > 0xd3) return false;
    for (uint32_t i = 1; i < size; i++)
        number = number << 8 | bytes[i];
    if (tag < 0xd0) {
        if (number > INT64_MAX) return false;
        *out = (int64_t)number;
        return true;
    }
    uint32_t bits = 8 * (size - 1);
    uint64_t sign = UINT64_C(1) << (bits - 1);
    /* Of two's complement in so many bits; below 0 the distance to it is at most 2^63. */
    *out = (number & sign) == 0 ? (int64_t)number : -(int64_t)((sign << 1) - 1 - number) - 1;
    return true;
}

/* Values without entries and text: those that envelopes have in place, others by the library from their own few bytes. */
static void scalar_of(const uint8_t *bytes, uint32_t size, struct ampel_pack *out) {
    int64_t integer;
    if (integer_of(bytes, size, &integer)) {
        *out = (struct ampel_pack){.kind = AMPEL_PACK_INTEGER, .integer = integer};
        return;
    }
    if (bytes[0] == 0xc2 || bytes[0] == 0xc3) {
        *out = (struct ampel_pack){.kind = AMPEL_PACK_BOOLEAN, .boolean = bytes[0] == 0xc3};
        return;
    }
    msgpack_object object = {.type = MSGPACK_OBJECT_NIL};
    size_t offset = 0;
    (void)msgpack_unpack((const char *)bytes, size, &offset, NULL, &object);
    value_of(&object, out);
}

/* Keys, above all. */
static bool text_short(struct ampel_pack_cursor *cursor, struct ampel_pack *out) {
    AMPEL_ASSERT(cursor->offset < cursor->size);
    const uint8_t *at = cursor->bytes + cursor->offset;
    const uint32_t size = at[0] & 0x1f;
    if (at[0] >> 5 != 5) return false;
    AMPEL_ASSERT(cursor->size - cursor->offset > size);
    *out = (struct ampel_pack){
        .kind = AMPEL_PACK_TEXT, .text = {(const char *)at + 1, size}, .entries = at};
    cursor->offset += size + 1;
    cursor->left--;
    return true;
}

void ampel_pack_cursor_next(struct ampel_pack_cursor *cursor, struct ampel_pack *out) {
    struct ampel_walk walk;
    struct ampel_walk_head head;
    const uint32_t from = cursor->offset;
    AMPEL_ASSERT(cursor->left > 0);
    if (text_short(cursor, out)) return;
    ampel_walk_reset(&walk, cursor->bytes, cursor->size, UINT32_MAX);
    walk.offset = from;
    bool whole = ampel_walk_step(&walk, &head); /* it was walked before */
    AMPEL_ASSERT(whole);
    const uint32_t entries = walk.offset;
    *out = (struct ampel_pack){.count = head.count, .text = head.text, .entries = cursor->bytes + from};
    switch (head.form) {
    case AMPEL_WALK_SCALAR:
        scalar_of(cursor->bytes + from, entries - from, out);
        break;
    case AMPEL_WALK_TEXT:
        out->kind = AMPEL_PACK_TEXT;
        break;
    case AMPEL_WALK_BYTES:
        out->kind = AMPEL_PACK_BYTES;
        break;
    case AMPEL_WALK_LIST:
    case AMPEL_WALK_MAP:
        out->kind = head.form == AMPEL_WALK_LIST ? AMPEL_PACK_LIST : AMPEL_PACK_MAP;
        walk.offset = from;
        whole = ampel_walk_over(&walk);
        AMPEL_ASSERT(whole);
        out->text = (struct ampel_text){(const char *)cursor->bytes + entries, walk.offset - entries};
        break;
    }
    cursor->offset = walk.offset;
    cursor->left--;
}

bool ampel_pack_cursor_pair(struct ampel_pack_cursor *cursor, struct ampel_text out[2]) {
    uint32_t size = ampel_walk_pair(cursor->bytes + cursor->offset, cursor->size - cursor->offset, out);
    AMPEL_ASSERT(cursor->left > 0);
    if (size == 0) return false;
    cursor->offset += size;
    cursor->left--;
    return true;
}

bool ampel_pack_list_open(struct ampel_pack_reader *reader, struct ampel_pack *list,
                          struct ampel_error *error) {
    AMPEL_ASSERT(list->kind == AMPEL_PACK_LIST && list->entries != NULL);
    const char *bytes = list->entries;
    size_t size = (size_t)(list->text.bytes + list->text.size - bytes), offset = 0;
    msgpack_object object;
    msgpack_zone_clear(&reader->zone);
    msgpack_unpack_return found = msgpack_unpack(bytes, size, &offset, &reader->zone, &object);
    if (found == MSGPACK_UNPACK_NOMEM_ERROR) return ampel_error_set(error, "", "out of memory");
    AMPEL_ASSERT(found == MSGPACK_UNPACK_SUCCESS && object.type == MSGPACK_OBJECT_ARRAY);
    value_of(&object, list);
    return true;
}

void ampel_pack_item(const struct ampel_pack *list, uint32_t index, struct ampel_pack *out) {
    AMPEL_ASSERT(list->kind == AMPEL_PACK_LIST && index < list->count);
    value_of((const msgpack_object *)list->entries + index, out);
}

void ampel_pack_entry(const struct ampel_pack *map, uint32_t index, struct ampel_pack *key,
                      struct ampel_pack *out) {
    AMPEL_ASSERT(map->kind == AMPEL_PACK_MAP && index < map->count);
    const msgpack_object_kv *entry = (const msgpack_object_kv *)map->entries + index;
    value_of(&entry->key, key);
    value_of(&entry->val, out);
}

bool ampel_pack_find(const struct ampel_pack *map, const char *key, struct ampel_pack *out) {
    AMPEL_ASSERT(map->kind == AMPEL_PACK_MAP);
    const msgpack_object_kv *entries = map->entries;
    const uint32_t size = (uint32_t)strlen(key);
    uint32_t found = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        const msgpack_object *name = &entries[i].key;
        if (name->type != MSGPACK_OBJECT_STR || name->via.str.size != size) continue;
        if (memcmp(name->via.str.ptr, key, size) != 0) continue;
        if (found++ == 0) value_of(&entries[i].val, out);
    }
    return found == 1;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_bytes(void *context, const char *bytes, size_t size) {
    struct ampel_pack_writer *writer = context;
    if (writer->full || writer->capacity - writer->size < size) {
        writer->full = true;
        return -1;
    }
    if (size > 0) memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += (uint32_t)size;
    return 0;
}

/* Every put leaves its outcome in writer->full. */
static msgpack_packer packer_of(struct ampel_pack_writer *writer) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, write_bytes);
    return packer;
}

void ampel_pack_put_map(struct ampel_pack_writer *writer, uint32_t count) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_map(&packer, count);
}

void ampel_pack_put_list(struct ampel_pack_writer *writer, uint32_t count) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, count);
}

void ampel_pack_put_text(struct ampel_pack_writer *writer, struct ampel_text text) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_str(&packer, text.size);
    msgpack_pack_str_body(&packer, text.bytes, text.size);
}

void ampel_pack_put_word(struct ampel_pack_writer *writer, const char *word) {
    ampel_pack_put_text(writer, ampel_text_of(word));
}

void ampel_pack_put_bytes(struct ampel_pack_writer *writer, const void *bytes, uint32_t size) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_bin(&packer, size);
    msgpack_pack_bin_body(&packer, bytes, size);
}

void ampel_pack_put_integer(struct ampel_pack_writer *writer, int64_t number) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_int64(&packer, number);
}

void ampel_pack_put_unsigned(struct ampel_pack_writer *writer, uint64_t number) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_uint64(&packer, number);
}

void ampel_pack_put_boolean(struct ampel_pack_writer *writer, bool boolean) {
    msgpack_packer packer = packer_of(writer);
    if (boolean)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

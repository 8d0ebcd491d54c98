#include "workers/copy.h"

#include <string.h>

static void send(struct ampel_copy *copy, const void *bytes, uint32_t size) {
    if (copy->status == AMPEL_DATABASE_OK && size > 0)
        copy->status = ampel_pq_copy_put(copy->pq, bytes, size, copy->error);
}

static void put(struct ampel_copy *copy, const void *bytes, uint32_t size) {
    if (size > AMPEL_COPY_BYTES - copy->size) {
        send(copy, copy->bytes, copy->size);
        copy->size = 0;
    }
    /* A page may be larger than what is collected: it goes as it is. */
    if (size > AMPEL_COPY_BYTES) {
        send(copy, bytes, size);
        return;
    }
    if (size > 0) memcpy(copy->bytes + copy->size, bytes, size);
    copy->size += size;
}

/* Network order. */
static void put_number(struct ampel_copy *copy, uint64_t value, uint32_t size) {
    uint8_t bytes[8];
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    put(copy, bytes, size);
}

static void field(struct ampel_copy *copy, uint32_t size) {
    AMPEL_ASSERT(copy->fields_left > 0);
    copy->fields_left--;
    put_number(copy, size, 4);
}

void ampel_copy_begin(struct ampel_copy *copy, struct ampel_pq *pq,
                      enum ampel_sql_statement statement, uint16_t fields_count,
                      struct ampel_error *error) {
    static const uint8_t head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    copy->pq = pq;
    copy->error = error;
    copy->fields_count = fields_count;
    copy->fields_left = 0;
    copy->size = 0;
    copy->status = ampel_pq_copy_begin(pq, statement, error);
    static_assert(sizeof(head) == 20, "signature, flags, size of no extension, and C's zero");
    put(copy, head, 19);
}

void ampel_copy_row(struct ampel_copy *copy) {
    AMPEL_ASSERT(copy->fields_left == 0);
    copy->fields_left = copy->fields_count;
    put_number(copy, copy->fields_count, 2);
}

void ampel_copy_null(struct ampel_copy *copy) {
    field(copy, UINT32_MAX);
}

void ampel_copy_int32(struct ampel_copy *copy, int32_t value) {
    field(copy, 4);
    put_number(copy, (uint32_t)value, 4);
}

void ampel_copy_int64(struct ampel_copy *copy, int64_t value) {
    field(copy, 8);
    put_number(copy, (uint64_t)value, 8);
}

void ampel_copy_boolean(struct ampel_copy *copy, bool value) {
    field(copy, 1);
    put_number(copy, value, 1);
}

void ampel_copy_time(struct ampel_copy *copy, int64_t at_ms) {
    ampel_copy_int64(copy, ampel_pq_microseconds(at_ms));
}

void ampel_copy_text(struct ampel_copy *copy, struct ampel_text text) {
    field(copy, text.size);
    put(copy, text.bytes, text.size);
}

void ampel_copy_text_or_null(struct ampel_copy *copy, struct ampel_text text) {
    if (text.size == 0)
        ampel_copy_null(copy);
    else
        ampel_copy_text(copy, text);
}

void ampel_copy_name(struct ampel_copy *copy, const char *name) {
    if (name == NULL)
        ampel_copy_null(copy);
    else
        ampel_copy_text(copy, (struct ampel_text){name, (uint32_t)strlen(name)});
}

void ampel_copy_json(struct ampel_copy *copy, struct ampel_text json) {
    field(copy, json.size + 1);
    put_number(copy, 1, 1); /* version of jsonb's outside form */
    put(copy, json.bytes, json.size);
}

static uint8_t nibble(char digit) {
    return (uint8_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
}

void ampel_copy_uuid(struct ampel_copy *copy, const char *hex) {
    uint8_t bytes[16];
    AMPEL_ASSERT(strspn(hex, "0123456789abcdef") == 32);
    for (uint32_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    field(copy, 16);
    put(copy, bytes, 16);
}

enum ampel_database_status ampel_copy_end(struct ampel_copy *copy) {
    AMPEL_ASSERT(copy->fields_left == 0);
    put_number(copy, UINT16_MAX, 2);
    send(copy, copy->bytes, copy->size);
    if (copy->status != AMPEL_DATABASE_OK) return copy->status;
    return ampel_pq_copy_end(copy->pq, copy->error);
}

/* Names of the journal's files, and the bytes of segment and group headers.

       segment header   magic u64 "AMPELJNL", version u32, header bytes u32, system id u64, start
   u64, previous u64, zeroes, checksum u64 at the end (xxh3_64 of the 4088 bytes before) group
   header     magic u32 "AMPG", version u16, reserved u16, size u32 (of the whole group), records
   u32, position u64, checksum u64 (xxh3_64 of the 24 bytes before) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "workers/journal_inside.h"

#define SEGMENT_CHECKSUM_AT (AMPEL_SEGMENT_HEADER_BYTES - 8)
#define GROUP_CHECKSUM_AT   (AMPEL_GROUP_HEADER_BYTES - 8)
#define GROUP_MAGIC         UINT32_C(0x47504d41) /* "AMPG" as bytes */
#define RECORD_MAGIC        UINT32_C(0x52504d41) /* "AMPR" as bytes */
static const char segment_magic[8] = {'A', 'M', 'P', 'E', 'L', 'J', 'N', 'L'};

void ampel_segment_name(uint64_t start, char out[AMPEL_DISK_NAME_MAX]) {
    snprintf(out, AMPEL_DISK_NAME_MAX, "%016" PRIx64 ".log", start);
}

bool ampel_segment_name_read(const char *name, uint64_t *start) {
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) {
        char digit = name[i];
        if (digit >= '0' && digit <= '9') {
            value = value << 4 | (uint64_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        } else {
            return false;
        }
    }
    if (strcmp(name + 16, ".log") != 0) return false;
    *start = value;
    return true;
}

void ampel_spare_name(uint32_t number, char out[AMPEL_DISK_NAME_MAX]) {
    snprintf(out, AMPEL_DISK_NAME_MAX, "spare-%" PRIu32 ".log", number);
}

bool ampel_spare_name_read(const char *name, uint32_t *number) {
    static const char prefix[] = "spare-";
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) return false;
    uint64_t value = 0;
    const char *digit = name + sizeof(prefix) - 1;
    if (*digit == '.') return false;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        value = value * 10 + (uint64_t)(*digit - '0');
        if (value > UINT32_MAX) return false;
    }
    if (strcmp(digit, ".log") != 0) return false;
    *number = (uint32_t)value;
    return true;
}

void ampel_segment_header_encode(const struct ampel_segment_header *header,
                                 uint8_t out[AMPEL_SEGMENT_HEADER_BYTES]) {
    memset(out, 0, AMPEL_SEGMENT_HEADER_BYTES);
    memcpy(out, segment_magic, sizeof(segment_magic));
    ampel_store_u32(out + 8, AMPEL_SEGMENT_VERSION);
    ampel_store_u32(out + 12, AMPEL_SEGMENT_HEADER_BYTES);
    ampel_store_u64(out + 16, header->system_id);
    ampel_store_u64(out + 24, header->start);
    ampel_store_u64(out + 32, header->previous);
    ampel_store_u64(out + SEGMENT_CHECKSUM_AT, ampel_hash_bytes(out, SEGMENT_CHECKSUM_AT));
}

enum ampel_form_status ampel_segment_header_decode(const uint8_t bytes[AMPEL_SEGMENT_HEADER_BYTES],
                                                   struct ampel_segment_header *out) {
    if (memcmp(bytes, segment_magic, sizeof(segment_magic)) != 0) return AMPEL_FORM_DAMAGED;
    if (ampel_load_u64(bytes + SEGMENT_CHECKSUM_AT) !=
        ampel_hash_bytes(bytes, SEGMENT_CHECKSUM_AT)) {
        return AMPEL_FORM_DAMAGED;
    }
    if (ampel_load_u32(bytes + 8) > AMPEL_SEGMENT_VERSION) return AMPEL_FORM_NEWER;
    if (ampel_load_u32(bytes + 12) != AMPEL_SEGMENT_HEADER_BYTES) return AMPEL_FORM_DAMAGED;
    *out = (struct ampel_segment_header){.system_id = ampel_load_u64(bytes + 16),
                                         .start = ampel_load_u64(bytes + 24),
                                         .previous = ampel_load_u64(bytes + 32)};
    return AMPEL_FORM_OK;
}

void ampel_group_header_encode(uint8_t out[AMPEL_GROUP_HEADER_BYTES], uint64_t position,
                               uint32_t size, uint32_t records_count) {
    ampel_store_u32(out, GROUP_MAGIC);
    ampel_store_u16(out + 4, AMPEL_SEGMENT_VERSION);
    ampel_store_u16(out + 6, 0);
    ampel_store_u32(out + 8, size);
    ampel_store_u32(out + 12, records_count);
    ampel_store_u64(out + 16, position);
    ampel_store_u64(out + GROUP_CHECKSUM_AT, ampel_hash_bytes(out, GROUP_CHECKSUM_AT));
}

enum ampel_form_status ampel_group_header_check(const uint8_t *bytes, size_t size,
                                                uint64_t position, uint32_t *group_size) {
    if (size < AMPEL_GROUP_HEADER_BYTES || ampel_load_u32(bytes) != GROUP_MAGIC ||
        ampel_load_u64(bytes + 16) != position ||
        ampel_load_u64(bytes + GROUP_CHECKSUM_AT) != ampel_hash_bytes(bytes, GROUP_CHECKSUM_AT)) {
        return AMPEL_FORM_DAMAGED;
    }
    if (ampel_load_u16(bytes + 4) > AMPEL_SEGMENT_VERSION) return AMPEL_FORM_NEWER;
    *group_size = ampel_load_u32(bytes + 8);
    /* A group without a record is never written. */
    return *group_size >= AMPEL_GROUP_HEADER_BYTES + AMPEL_RECORD_HEADER_BYTES &&
                   *group_size % 8 == 0
               ? AMPEL_FORM_OK
               : AMPEL_FORM_DAMAGED;
}

enum ampel_form_status ampel_journal_record_check(const uint8_t *bytes, size_t size,
                                                  uint64_t position,
                                                  struct ampel_record_header *out) {
    if (size < AMPEL_RECORD_HEADER_BYTES) return AMPEL_FORM_DAMAGED;
    /* Remains of an earlier life carry another position, whatever else they are. */
    if (ampel_load_u64(bytes + 16) != position) return AMPEL_FORM_DAMAGED;
    switch (ampel_record_check(bytes, size, out)) {
    case AMPEL_RECORD_OK:
        return AMPEL_FORM_OK;
    case AMPEL_RECORD_NEWER:
        return AMPEL_FORM_NEWER;
    case AMPEL_RECORD_SHORT:
    case AMPEL_RECORD_DAMAGED:
        break;
    }
    return AMPEL_FORM_DAMAGED;
}

bool ampel_journal_claims(const uint8_t bytes[AMPEL_RECORD_HEADER_BYTES], uint64_t position,
                          uint32_t *size, bool *is_group) {
    /* Both headers have size and position at the same offsets. */
    uint32_t magic = ampel_load_u32(bytes);
    if (magic != GROUP_MAGIC && magic != RECORD_MAGIC) return false;
    if (ampel_load_u64(bytes + 16) != position) return false;
    *is_group = magic == GROUP_MAGIC;
    *size = ampel_load_u32(bytes + 8);
    return true;
}

/* Ids of an account's violations: an index of many, a scan of few. */
#include "engine/load.h"
#include "engine/records.h"

static uint64_t hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

uint32_t ampel_ids_hash(struct ampel_text id) {
    uint64_t hash = id.size * UINT64_C(0x9e3779b97f4a7c15), word = 0;
    if (id.size < 8) {
        for (uint32_t i = 0; i < id.size; i++)
            word = word << 8 | (uint8_t)id.bytes[i];
        return (uint32_t)hash_word(hash, word);
    }
    for (uint32_t offset = 0; offset + 8 < id.size; offset += 8)
        hash = hash_word(hash, ampel_load_u64(id.bytes + offset));
    return (uint32_t)hash_word(hash, ampel_load_u64(id.bytes + id.size - 8));
}

/* Entries are a power of two. */
static uint32_t index_mask(const struct ampel_violations *block) {
    return 2 * (uint32_t)block->capacity - 1;
}

/* The upper half of the hash beside the record's number: who looks for an id that is unknown reads
   nothing but the index. */
static uint32_t index_entry(uint32_t hash, uint16_t record) {
    return (hash & UINT32_C(0xffff0000)) | (uint32_t)(record + 1);
}

static uint16_t index_record(uint32_t entry) {
    return (uint16_t)((entry & 0xffff) - 1);
}

void ampel_ids_put(struct ampel_violations *block, uint16_t record) {
    uint32_t hash = block->hot[record].id_hash, mask = index_mask(block), place = hash & mask;
    uint32_t *index = ampel_violations_index(block);
    while (index[place] != 0)
        place = (place + 1) & mask;
    index[place] = index_entry(hash, record);
}

static uint32_t index_place(const struct ampel_violations *block, uint16_t record) {
    uint32_t hash = block->hot[record].id_hash, place = hash & index_mask(block);
    while (ampel_violations_index(block)[place] != index_entry(hash, record))
        place = (place + 1) & index_mask(block);
    return place;
}

/* Closes the gap, so that no chain is cut (no tombstones). */
void ampel_ids_remove(struct ampel_violations *block, uint16_t record) {
    uint32_t mask = index_mask(block), hole = index_place(block, record), place = hole;
    for (;;) {
        ampel_violations_index(block)[hole] = 0;
        for (;;) {
            place = (place + 1) & mask;
            if (ampel_violations_index(block)[place] == 0) return;
            uint32_t home = block->hot[index_record(ampel_violations_index(block)[place])].id_hash & mask;
            if (((place - home) & mask) >= ((place - hole) & mask)) break;
        }
        ampel_violations_index(block)[hole] = ampel_violations_index(block)[place];
        hole = place;
    }
}

void ampel_ids_renumber(struct ampel_violations *block, uint16_t from, uint16_t to) {
    ampel_violations_index(block)[index_place(block, from)] = index_entry(block->hot[from].id_hash, to);
}

static bool record_is(const struct ampel_violations *block, uint16_t record, uint32_t hash,
                      struct ampel_text id) {
    return block->hot[record].id_hash == hash && ampel_text_compare(ampel_violations_text(block, record, AMPEL_TEXT_ID), id) == 0;
}

uint16_t ampel_violations_find(const struct ampel_violations *block, struct ampel_text id) {
    return block != NULL ? ampel_ids_find(block, id, ampel_ids_hash(id))
                         : AMPEL_VIOLATION_NONE;
}

uint16_t ampel_ids_find(const struct ampel_violations *block, struct ampel_text id,
                            uint32_t hash) {
    if (block == NULL) return AMPEL_VIOLATION_NONE;
    if (!ampel_violations_many(block)) {
        for (uint32_t i = 0; i < block->count; i++) {
            if (record_is(block, (uint16_t)i, hash, id)) return (uint16_t)i;
        }
        return AMPEL_VIOLATION_NONE;
    }
    const uint32_t *index = ampel_violations_index(block);
    uint32_t mask = index_mask(block), place = hash & mask;
    for (; index[place] != 0; place = (place + 1) & mask) {
        if (((index[place] ^ hash) & UINT32_C(0xffff0000)) != 0) continue;
        uint16_t record = index_record(index[place]);
        if (record_is(block, record, hash, id)) return record;
    }
    return AMPEL_VIOLATION_NONE;
}

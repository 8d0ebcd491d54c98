/* Journals: the input builds a directory of segments, whole or not, out of headers, groups and
   records with sound checksums, damage and rubbish. Opening it and reading it ends with a status;
   where it opens, what was read comes again after the next start, in the same order, with what was
   appended behind it. */
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/record.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/memory_disk.h"
#include "workers/journal_inside.h"
#include "workers/logline.h"

#define SYSTEM_ID     7
#define SEGMENT_BYTES 8192
#define SEGMENTS_MAX  6
#define RECORDS_MAX   512

static struct ampel_record_builder *builder;

/* ---- a directory out of a script ------------------------------------------------------------ */

struct maker {
    struct fuzz_script *script;
    struct memory_disk *disk;
    struct ampel_disk process;
    uint8_t bytes[4 * SEGMENT_BYTES];
    uint32_t size;
    uint64_t start; /* of the segment in the making */
    int64_t stamp_ms;
};

static uint32_t make_record(struct maker *maker, uint8_t *out, uint64_t position) {
    uint32_t partitions[8], count = 1 + fuzz_below(maker->script, 8), size;
    const uint8_t *bytes;
    for (uint32_t i = 0; i < count; i++)
        partitions[i] = i;
    maker->stamp_ms += fuzz_u8(maker->script) % 16;
    AMPEL_ASSERT(
        ampel_record_encode_tick(builder, maker->stamp_ms, partitions, count, &bytes, &size));
    memcpy(out, bytes, size);
    ampel_record_seal(out, position, maker->stamp_ms);
    return size;
}

static bool room(const struct maker *maker, size_t size) {
    return maker->size + size + 1024 < sizeof maker->bytes;
}

static void make_group(struct maker *maker) {
    uint32_t records = fuzz_below(maker->script, 5), group = maker->size;
    uint32_t lie = fuzz_u8(maker->script);
    if (!room(maker, 0)) return;
    maker->size += AMPEL_GROUP_HEADER_BYTES;
    for (uint32_t i = 0; i < records; i++)
        maker->size += make_record(maker, maker->bytes + maker->size, maker->start + maker->size);
    uint32_t size = maker->size - group;
    if (lie == 1) size += 8;
    if (lie == 2) size = (size / 2) & ~7u;
    if (lie == 3) size = AMPEL_GROUP_HEADER_BYTES;
    ampel_group_header_encode(maker->bytes + group, maker->start + group, size,
                              lie == 4 ? records + 1 : records);
}

static void begin_segment(struct maker *maker, uint64_t start, uint64_t previous) {
    uint8_t lie = fuzz_u8(maker->script);
    maker->start = start;
    maker->size = AMPEL_SEGMENT_HEADER_BYTES;
    ampel_segment_header_encode(
        &(struct ampel_segment_header){.system_id = lie == 1 ? 8 : SYSTEM_ID,
                                       .start = lie == 2 ? start + 8 : start,
                                       .previous = lie == 3 ? start : previous},
        maker->bytes);
}

static void write_file(const struct maker *maker, const char *name, const uint8_t *bytes,
                       size_t size) {
    const struct ampel_disk *disk = &maker->process;
    int handle;
    AMPEL_ASSERT(disk->open(disk->context, name, true, &handle) == AMPEL_DISK_OK);
    if (size > 0) AMPEL_ASSERT(disk->write(disk->context, handle, 0, bytes, size) == AMPEL_DISK_OK);
    AMPEL_ASSERT(disk->close(disk->context, handle) == AMPEL_DISK_OK);
}

/* Groups, rubbish and damage until the script says that the segment ends. */
static void fill_segment(struct maker *maker) {
    for (;;) {
        uint8_t action = fuzz_u8(maker->script);
        if (fuzz_done(maker->script)) return;
        if (action < 128) {
            make_group(maker);
        } else if (action < 160) {
            return;
        } else if (action < 180 && room(maker, 256)) {
            for (uint32_t left = fuzz_u8(maker->script); left > 0; left--)
                maker->bytes[maker->size++] = fuzz_u8(maker->script);
        } else if (action < 200) {
            maker->bytes[fuzz_u16(maker->script) % maker->size] ^= fuzz_u8(maker->script);
        } else if (action < 210) {
            maker->size -= fuzz_u16(maker->script) % maker->size / 2;
        } else if (action < 230 && room(maker, 512)) {
            /* A record that no group announced. */
            maker->size += make_record(maker, maker->bytes + maker->size,
                                       maker->start + maker->size - fuzz_u8(maker->script) % 2);
        } else if (room(maker, 256)) {
            uint32_t zeroes = 8u * (fuzz_u8(maker->script) % 32);
            memset(maker->bytes + maker->size, 0, zeroes);
            maker->size += zeroes;
        }
    }
}

static void make_directory(struct maker *maker) {
    char name[AMPEL_DISK_NAME_MAX];
    uint64_t start = fuzz_below(maker->script, 4) * 4096, previous = start;
    uint32_t segments = fuzz_below(maker->script, SEGMENTS_MAX);
    if (fuzz_u8(maker->script) % 8 == 7) {
        static const uint8_t spare[SEGMENT_BYTES];
        write_file(maker, "spare-3.log", spare, sizeof spare);
    }
    for (uint32_t i = 0; i < segments && !fuzz_done(maker->script); i++) {
        begin_segment(maker, start, previous);
        fill_segment(maker);
        uint32_t end = maker->size, tail = fuzz_u8(maker->script);
        if (tail % 2 == 1 && maker->size < SEGMENT_BYTES) {
            memset(maker->bytes + maker->size, 0, SEGMENT_BYTES - maker->size);
            maker->size = SEGMENT_BYTES;
        }
        ampel_segment_name(start, name);
        write_file(maker, name, maker->bytes, maker->size);
        previous = start;
        start += tail == 6 ? end + 8 : end;
    }
}

/* ---- what was read -------------------------------------------------------------------------- */

struct read {
    uint64_t positions[RECORDS_MAX];
    uint64_t hashes[RECORDS_MAX];
    uint32_t count;
    enum ampel_journal_status status;
};

static enum ampel_journal_status journal_open(struct memory_disk *disk, struct ampel_journal **out,
                                              struct ampel_error *error) {
    struct ampel_journal_options options = {.disk = memory_disk_process(disk),
                                            .system_id = SYSTEM_ID,
                                            .segment_bytes = SEGMENT_BYTES,
                                            .bytes_max = 1 << 20,
                                            .group_bytes_max = 2048};
    return ampel_journal_open(&options, out, error);
}

static void read_all(struct ampel_journal *journal, struct read *out) {
    uint64_t position = ampel_journal_first(journal), before = 0;
    *out = (struct read){0};
    for (;;) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        struct ampel_error error = {0};
        out->status = ampel_journal_read(journal, &position, &bytes, &header, &error);
        if (out->status != AMPEL_JOURNAL_OK) {
            AMPEL_ASSERT(out->status == AMPEL_JOURNAL_END || error.reason[0] != 0);
            return;
        }
        AMPEL_ASSERT(out->count < RECORDS_MAX);
        AMPEL_ASSERT(out->count == 0 || header.position > before);
        AMPEL_ASSERT(position == header.position + header.size);
        before = header.position;
        out->positions[out->count] = header.position;
        out->hashes[out->count++] = ampel_load_u64(bytes + 32);
    }
}

static uint32_t append_some(struct ampel_journal *journal, struct ampel_error *error) {
    uint32_t appended = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t record[64];
        const uint8_t *bytes;
        uint32_t size, partition = i;
        int64_t stamp_ms = ampel_journal_stamp(journal);
        if (stamp_ms < 0) stamp_ms = 0;
        AMPEL_ASSERT(ampel_record_encode_tick(builder, stamp_ms, &partition, 1, &bytes, &size));
        AMPEL_ASSERT(size <= sizeof record);
        memcpy(record, bytes, size);
        AMPEL_ASSERT(ampel_journal_append(journal, record, size, stamp_ms) == AMPEL_JOURNAL_OK);
        AMPEL_ASSERT(ampel_journal_commit(journal, error) == AMPEL_JOURNAL_OK);
        appended++;
    }
    return appended;
}

static void check(struct memory_disk *disk) {
    static struct read first, second;
    struct ampel_journal *journal = NULL;
    struct ampel_error error = {0};
    enum ampel_journal_status status = journal_open(disk, &journal, &error);
    if (status != AMPEL_JOURNAL_OK) {
        AMPEL_ASSERT(error.reason[0] != 0);
        AMPEL_ASSERT(status == AMPEL_JOURNAL_DAMAGED || status == AMPEL_JOURNAL_FAILED);
        return;
    }
    read_all(journal, &first);
    FUZZ_CANARY(first.count == 5 && ampel_journal_first(journal) > 0);
    uint32_t appended = append_some(journal, &error);
    ampel_journal_close(journal);
    memory_disk_restart(disk);
    status = journal_open(disk, &journal, &error);
    AMPEL_ASSERT(status == AMPEL_JOURNAL_OK);
    read_all(journal, &second);
    AMPEL_ASSERT(second.status == first.status);
    /* Damage in the middle hides what lies behind it, before and after. */
    uint32_t expected = first.status == AMPEL_JOURNAL_END ? first.count + appended : first.count;
    AMPEL_ASSERT(second.count == expected);
    for (uint32_t i = 0; i < first.count; i++) {
        AMPEL_ASSERT(first.positions[i] == second.positions[i]);
        AMPEL_ASSERT(first.hashes[i] == second.hashes[i]);
    }
    ampel_journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct maker maker;
    struct fuzz_script script = {bytes, size, 0};
    if (builder == NULL) {
        builder = ampel_record_builder_open(AMPEL_PARTITIONS_MAX);
        ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_JSON); /* torn tails are news elsewhere */
    }
    maker.script = &script;
    maker.disk = memory_disk_open();
    maker.process = memory_disk_process(maker.disk);
    maker.stamp_ms = 1;
    make_directory(&maker);
    check(maker.disk);
    memory_disk_close(maker.disk);
    return 0;
}

/* The journal on a disk that dies at every step: what was acked is there, what went back is not,
 * damage is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "proto/record.h"
#include "tests/oracle/memory_disk.h"
#include "workers/journal.h"
#include "workers/logline.h"
#include "workers/metrics.h"

#define SYSTEM      UINT64_C(0x1234)
#define SEGMENT     16384
#define RECORDS_MAX 512

/* All segments before the position, one by a call. */
static enum ampel_journal_status release_all(struct ampel_journal *journal, uint64_t position) {
    bool more;
    enum ampel_journal_status status;
    do {
        status = ampel_journal_release(journal, position, &more);
    } while (more);
    return status;
}

struct world {
    struct memory_disk *disk;
    struct ampel_journal_options options;
    struct ampel_journal *journal;
    struct ampel_record_builder *builder;
    struct ampel_error error;
    uint64_t random;
    int64_t stamp;              /* of the next record: its name in these tests */
    int64_t acked[RECORDS_MAX]; /* stamps, in order */
    uint64_t ends[RECORDS_MAX]; /* position behind each */
    uint32_t acked_count;
    int64_t open[RECORDS_MAX]; /* of the group under way */
    uint32_t open_count;
};

static uint32_t random_below(struct world *world, uint32_t bound) {
    world->random = world->random * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(world->random >> 33) % bound;
}

static void world_init(struct world *world) {
    memset(world, 0, sizeof(*world));
    world->disk = memory_disk_open();
    world->builder = ampel_record_builder_open(AMPEL_PARTITIONS_MAX);
    assert_non_null(world->builder);
    world->random = 7;
    world->stamp = 1;
    world->options = (struct ampel_journal_options){.system_id = SYSTEM,
                                                    .segment_bytes = SEGMENT,
                                                    .bytes_max = 1 << 20,
                                                    .group_bytes_max = 8192};
}

static void world_reset(struct world *world) {
    ampel_journal_close(world->journal);
    ampel_record_builder_close(world->builder);
    memory_disk_close(world->disk);
}

static enum ampel_journal_status world_open(struct world *world) {
    world->options.disk = memory_disk_process(world->disk);
    world->error = (struct ampel_error){0};
    return ampel_journal_open(&world->options, &world->journal, &world->error);
}

/* A journal, new, with the usual options. */
static void world_start(struct world *world) {
    world_init(world);
    assert_int_equal(world_open(world), AMPEL_JOURNAL_OK);
}

static void world_leave(struct world *world) {
    ampel_journal_close(world->journal);
    world->journal = NULL;
    world->open_count = 0;
}

static void world_restart(struct world *world) {
    world_leave(world);
    memory_disk_restart(world->disk);
    if (world_open(world) != AMPEL_JOURNAL_OK)
        fail_msg("%s: %s", world->error.field, world->error.reason);
}

/* A record of about size bytes, named by its stamp. The journal only carries it, so a tick serves.
 */
static enum ampel_journal_status append(struct world *world, uint32_t size) {
    static uint32_t partitions[AMPEL_PARTITIONS_MAX];
    uint32_t count = size <= 48 ? 1 : (size - AMPEL_RECORD_HEADER_BYTES) / 4;
    for (uint32_t i = 0; i < count; i++) {
        partitions[i] = (uint32_t)(world->stamp * 7 + i) % AMPEL_PARTITIONS_MAX;
    }
    const uint8_t *bytes;
    uint32_t bytes_size;
    assert_true(ampel_record_encode_tick(world->builder, world->stamp, partitions, count, &bytes,
                                         &bytes_size));
    uint8_t *copy = malloc(bytes_size);
    assert_non_null(copy);
    memcpy(copy, bytes, bytes_size);
    enum ampel_journal_status status =
        ampel_journal_append(world->journal, copy, bytes_size, world->stamp);
    free(copy);
    if (status == AMPEL_JOURNAL_OK) world->open[world->open_count++] = world->stamp++;
    return status;
}

static void group_acked(struct world *world) {
    for (uint32_t i = 0; i < world->open_count; i++) {
        world->acked[world->acked_count] = world->open[i];
        world->ends[world->acked_count++] = ampel_journal_end(world->journal);
    }
    world->open_count = 0;
}

static enum ampel_journal_status commit(struct world *world) {
    enum ampel_journal_status status = ampel_journal_commit(world->journal, &world->error);
    if (status == AMPEL_JOURNAL_OK) group_acked(world);
    /* What went back comes again with later stamps: its stamps must never be seen. */
    if (status == AMPEL_JOURNAL_FULL) world->open_count = 0;
    return status;
}

static void append_and_commit(struct world *world, uint32_t records, uint32_t size) {
    for (uint32_t i = 0; i < records; i++) {
        enum ampel_journal_status status = append(world, size);
        if (status == AMPEL_JOURNAL_AGAIN) {
            assert_int_equal(commit(world), AMPEL_JOURNAL_OK);
            status = append(world, size);
        }
        assert_int_equal(status, AMPEL_JOURNAL_OK);
    }
    assert_int_equal(commit(world), AMPEL_JOURNAL_OK);
}

/* Reads everything that is held: the acked records from the first held on, and then nothing or the
 * whole group under way. */
static void check_all(struct world *world) {
    uint64_t position = ampel_journal_first(world->journal);
    uint32_t at = 0;
    while (at < world->acked_count && world->ends[at] <= position)
        at++;
    uint32_t beyond = 0;
    for (;;) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        enum ampel_journal_status status =
            ampel_journal_read(world->journal, &position, &bytes, &header, &world->error);
        if (status == AMPEL_JOURNAL_END) break;
        if (status != AMPEL_JOURNAL_OK) fail_msg("%s: %s", world->error.field, world->error.reason);
        assert_int_equal(header.position + header.size, position);
        if (at < world->acked_count) {
            assert_int_equal(header.stamp_ms, world->acked[at]);
            at++;
        } else {
            assert_true(beyond < world->open_count);
            assert_int_equal(header.stamp_ms, world->open[beyond]);
            beyond++;
        }
    }
    assert_int_equal(at, world->acked_count);
    assert_true(beyond == 0 || beyond == world->open_count);
    if (beyond > 0) group_acked(world);
    world->open_count = 0;
}

/* ---- plain days ------------------------------------------------------------------------------ */

static void an_empty_directory_is_an_empty_journal(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    assert_int_equal(ampel_journal_first(world.journal), 0);
    assert_true(ampel_journal_stamp(world.journal) == INT64_MIN);
    assert_int_equal(ampel_journal_held_bytes(world.journal), 4096);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_OK);
    check_all(&world);
    assert_int_equal(memory_disk_files(world.disk), 0);
    world_reset(&world);
}

static void what_was_committed_is_read_again_over_many_segments(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    for (int i = 0; i < 40; i++)
        append_and_commit(&world, 1 + random_below(&world, 3), 40 + random_below(&world, 2000));
    check_all(&world);
    assert_true(memory_disk_files(world.disk) > 3);
    uint64_t end = ampel_journal_end(world.journal);
    world_restart(&world);
    assert_int_equal(ampel_journal_end(world.journal), end);
    assert_true(ampel_journal_stamp(world.journal) == world.stamp - 1);
    check_all(&world);
    append_and_commit(&world, 2, 100);
    check_all(&world);
    world_reset(&world);
}

static void reading_may_begin_at_any_position(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    for (int i = 0; i < 12; i++)
        append_and_commit(&world, 1, 3000);
    for (uint32_t i = 0; i + 1 < world.acked_count; i++) {
        /* Where one group ends, and a little behind: the next record is the same. */
        for (uint64_t more = 0; more < 24; more += 8) {
            uint64_t position = world.ends[i] + more;
            const uint8_t *bytes;
            struct ampel_record_header header;
            assert_int_equal(
                ampel_journal_read(world.journal, &position, &bytes, &header, &world.error),
                AMPEL_JOURNAL_OK);
            assert_int_equal(header.stamp_ms, world.acked[i + 1]);
        }
    }
    world_reset(&world);
}

static void a_record_larger_than_a_segment_gets_one_of_its_own(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    world.options.segment_bytes = 8192;
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    append_and_commit(&world, 1, 100);
    append_and_commit(&world, 1, 15000);
    append_and_commit(&world, 1, 100);
    world_restart(&world);
    check_all(&world);
    assert_int_equal(release_all(world.journal, ampel_journal_end(world.journal)),
                     AMPEL_JOURNAL_OK);
    check_all(&world);
    append_and_commit(&world, 1, 16000);
    world_restart(&world);
    check_all(&world);
    world_reset(&world);
}

static void a_group_takes_no_more_than_it_may(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    uint32_t taken = 0;
    enum ampel_journal_status status;
    while ((status = append(&world, 1000)) == AMPEL_JOURNAL_OK)
        taken++;
    assert_int_equal(status, AMPEL_JOURNAL_AGAIN);
    assert_int_equal(taken, 8);
    assert_true(ampel_journal_group_bytes(world.journal) <= world.options.group_bytes_max);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_OK);
    assert_int_equal(append(&world, 1000), AMPEL_JOURNAL_OK);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_OK);
    check_all(&world);
    world_reset(&world);
}

static void held_beyond_its_bound_it_is_full_until_something_is_released(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    world.options.bytes_max = 40000;
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    enum ampel_journal_status status;
    while ((status = append(&world, 2000)) == AMPEL_JOURNAL_OK) {
        assert_int_equal(commit(&world), AMPEL_JOURNAL_OK);
    }
    assert_int_equal(status, AMPEL_JOURNAL_FULL);
    /* Ticks, which these are, have a sixteenth more. */
    assert_in_range(ampel_journal_held_bytes(world.journal), 40000, 42500);
    assert_int_equal(release_all(world.journal, world.ends[10]), AMPEL_JOURNAL_OK);
    append_and_commit(&world, 1, 2000);
    check_all(&world);
    world_reset(&world);
}

static void released_segments_live_again_and_their_past_is_never_read(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    uint32_t files_most = 0;
    for (int i = 0; i < 60; i++) {
        append_and_commit(&world, 1 + random_below(&world, 3), 500);
        if (i % 10 == 9) {
            assert_int_equal(
                release_all(world.journal, world.ends[world.acked_count - 2]),
                AMPEL_JOURNAL_OK);
            world_restart(&world);
            check_all(&world);
        }
        uint32_t files = memory_disk_files(world.disk);
        if (files > files_most) files_most = files;
    }
    assert_true(ampel_journal_first(world.journal) > 3 * SEGMENT);
    assert_in_range(files_most, 2, 4);
    world_reset(&world);
}

/* ---- a full disk ------------------------------------------------------------------------------
 */

static void a_full_disk_sends_the_group_back_and_the_next_one_may_fit(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    memory_disk_limit(world.disk, 2 * SEGMENT);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    enum ampel_journal_status status;
    do {
        assert_int_equal(append(&world, 3000), AMPEL_JOURNAL_OK);
        status = commit(&world);
    } while (status == AMPEL_JOURNAL_OK);
    assert_int_equal(status, AMPEL_JOURNAL_FULL);
    assert_string_equal(world.error.reason, "the disk is full");
    assert_true(world.acked_count >= 6);
    append_and_commit(&world, 1, 40); /* smaller: there is room behind the last group */
    assert_int_equal(append(&world, 3000), AMPEL_JOURNAL_OK);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_FULL);
    memory_disk_limit(world.disk, UINT64_MAX);
    append_and_commit(&world, 1, 3000);
    world_restart(&world);
    check_all(&world);
    world_reset(&world);
}

/* ---- crashes ----------------------------------------------------------------------------------
 */

/* One life that appends, commits and releases until the disk fails or the work is done. */
static void live(struct world *world, int groups) {
    for (int i = 0; i < groups; i++) {
        uint32_t records = 1 + random_below(world, 4);
        for (uint32_t j = 0; j < records; j++) {
            if (append(world, 40 + random_below(world, 2500)) != AMPEL_JOURNAL_OK) break;
        }
        if (commit(world) == AMPEL_JOURNAL_FAILED) return;
        if (i % 4 == 3 && world->acked_count > 2 &&
            release_all(world->journal, world->ends[world->acked_count - 2]) !=
                AMPEL_JOURNAL_OK) {
            return;
        }
    }
}

/* A start that dies, and one that does not. */
static void recover(struct world *world, uint64_t seed) {
    ampel_journal_close(world->journal);
    world->journal = NULL;
    memory_disk_crash(world->disk, seed);
    memory_disk_fail_at(world->disk, memory_disk_operations(world->disk) + seed % 9, AMPEL_DISK_OK);
    if (world_open(world) == AMPEL_JOURNAL_OK) {
        ampel_journal_close(world->journal);
        world->journal = NULL;
    }
    memory_disk_crash(world->disk, seed + 1);
    if (world_open(world) != AMPEL_JOURNAL_OK) {
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, world->error.field,
                 world->error.reason);
    }
    check_all(world);
}

static void sweep(enum ampel_disk_status status, uint64_t seeds) {
    uint64_t operations = UINT64_MAX;
    for (uint64_t at = 0; at < operations; at++) {
        for (uint64_t seed = 0; seed < seeds; seed++) {
            struct world world;
            world_init(&world);
            memory_disk_fail_at(world.disk, at, status);
            assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
            live(&world, 16);
            if (memory_disk_operations(world.disk) <= at) operations = at;
            recover(&world, at * 1000 + seed);
            /* What follows stands upon the remains of what was cut. */
            live(&world, 5);
            recover(&world, at * 1000 + seed + 500);
            live(&world, 5);
            world_restart(&world);
            check_all(&world);
            world_reset(&world);
        }
    }
    assert_in_range(operations, 40, 1000);
}

static void acked_records_outlive_a_power_cut_at_any_step(void **state) {
    (void)state;
    sweep(AMPEL_DISK_OK, 30);
}

static void a_full_disk_at_any_step_leaves_nothing_of_what_went_back(void **state) {
    (void)state;
    sweep(AMPEL_DISK_FULL, 15);
}

static void a_failing_disk_at_any_step_costs_nothing_that_was_acked(void **state) {
    (void)state;
    sweep(AMPEL_DISK_FAILED, 15);
}

static void after_a_failed_sync_nothing_is_taken_any_more(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    append_and_commit(&world, 1, 100);
    memory_disk_fail_at(world.disk, memory_disk_operations(world.disk) + 1, AMPEL_DISK_FAILED);
    assert_int_equal(append(&world, 100), AMPEL_JOURNAL_OK);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_FAILED);
    assert_string_equal(world.error.field, "0000000000000000.log");
    assert_int_equal(append(&world, 100), AMPEL_JOURNAL_FAILED);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_FAILED);
    assert_int_equal(release_all(world.journal, 0), AMPEL_JOURNAL_FAILED);
    world_reset(&world);
}

/* The process dies between write and sync; the next one reads the group; then the power fails. */
static void believe_and_crash(uint64_t seed) {
    struct world world;
    world_start(&world);
    append_and_commit(&world, 1, 100);
    memory_disk_fail_at(world.disk, memory_disk_operations(world.disk) + 1, AMPEL_DISK_FAILED);
    assert_int_equal(append(&world, 100), AMPEL_JOURNAL_OK);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_FAILED);
    ampel_journal_close(world.journal);
    world.journal = NULL;
    memory_disk_restart(world.disk);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    check_all(&world);
    assert_int_equal(world.acked_count, 2);
    world_leave(&world);
    memory_disk_crash(world.disk, seed);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    check_all(&world);
    world_reset(&world);
}

static void what_only_stood_in_memory_is_synced_before_it_is_believed(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        believe_and_crash(seed);
}

/* ---- damage -----------------------------------------------------------------------------------
 */

static void flip(struct world *world, const char *name, uint64_t offset) {
    uint64_t size;
    uint8_t *bytes = memory_disk_bytes(world->disk, name, &size);
    assert_non_null(bytes);
    assert_true(offset < size);
    bytes[offset] ^= 0x40;
}

/* Some segments of single records, closed. */
static void world_fill(struct world *world, int groups, uint32_t size) {
    world_init(world);
    assert_int_equal(world_open(world), AMPEL_JOURNAL_OK);
    for (int i = 0; i < groups; i++)
        append_and_commit(world, 1, size);
    world_leave(world);
    memory_disk_restart(world->disk);
}

static void a_damaged_record_before_a_whole_group_is_named(void **state) {
    (void)state;
    /* Header of the group, header of the record, its body: byte by byte of the second of three
     * groups. */
    for (uint64_t byte = 0; byte < 32 + 48; byte++) {
        struct world world;
        world_fill(&world, 3, 48);
        flip(&world, "0000000000000000.log", 4096 + 80 + byte);
        assert_int_equal(world_open(&world), AMPEL_JOURNAL_DAMAGED);
        assert_string_equal(world.error.field, "0000000000000000.log");
        assert_non_null(strstr(world.error.reason, byte < 32 ? "offset 4176 " : "offset 4208 "));
        world_reset(&world);
    }
}

static void a_last_group_that_is_not_whole_is_a_torn_tail(void **state) {
    (void)state;
    for (uint64_t byte = 0; byte < 32 + 48; byte++) {
        struct world world;
        world_fill(&world, 3, 48);
        flip(&world, "0000000000000000.log", 4096 + 160 + byte);
        world.acked_count = 2;
        assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
        assert_int_equal(ampel_journal_end(world.journal), 4096 + 160);
        check_all(&world);
        append_and_commit(&world, 1, 48);
        world_restart(&world);
        check_all(&world);
        world_reset(&world);
    }
}

static void remains_of_a_torn_group_are_no_proof_of_damage_later(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 1, 48);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    append_and_commit(&world, 6, 48);
    world_restart(&world);
    /* The first record of the six is lost: the group is torn, five whole records stand behind. */
    flip(&world, "0000000000000000.log", 4096 + 80 + 32 + 40);
    world.acked_count = 1;
    world_restart(&world);
    check_all(&world);
    append_and_commit(&world, 1, 48);
    append_and_commit(&world, 1, 48);
    flip(&world, "0000000000000000.log", 4096 + 160 + 32 + 40);
    world.acked_count = 2;
    world_restart(&world);
    check_all(&world);
    world_reset(&world);
}

/* The power fails in a group of several sectors, and, after the start that cut it, in a shorter one: in its write, or in the
   sync after it. What is left of the first must not stand behind the torn second as if that were damaged. */
static void fall_twice(uint64_t seed, uint64_t operation) {
    struct world world;
    world_fill(&world, 1, 48);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    memory_disk_fail_at(world.disk, memory_disk_operations(world.disk) + 1, AMPEL_DISK_OK);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(append(&world, 48), AMPEL_JOURNAL_OK);
    assert_int_equal(commit(&world), AMPEL_JOURNAL_FAILED);
    world_leave(&world);
    memory_disk_crash(world.disk, seed);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    /* It may have come through whole, which nobody was told. */
    if (ampel_journal_end(world.journal) == 4096 + 80) {
        memory_disk_fail_at(world.disk, memory_disk_operations(world.disk) + operation,
                            AMPEL_DISK_OK);
        for (uint32_t i = 0; i < 20; i++)
            assert_int_equal(append(&world, 48), AMPEL_JOURNAL_OK);
        assert_int_equal(commit(&world), AMPEL_JOURNAL_FAILED);
        world_leave(&world);
        memory_disk_crash(world.disk, seed * 31 + operation);
        if (world_open(&world) != AMPEL_JOURNAL_OK)
            fail_msg("seed %llu, operation %llu: %s: %s", (unsigned long long)seed,
                     (unsigned long long)operation, world.error.field, world.error.reason);
    }
    world_reset(&world);
}

static void what_a_start_cuts_is_gone_before_anything_is_written_there(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++)
        fall_twice(seed, seed % 2);
}

static void damage_in_an_older_segment_is_found_by_reading(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 12, 3000);
    flip(&world, "0000000000000000.log", 4096 + 32 + 3000 + 100);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_OK);
    uint64_t position = 0;
    const uint8_t *bytes;
    struct ampel_record_header header;
    assert_int_equal(ampel_journal_read(world.journal, &position, &bytes, &header, &world.error),
                     AMPEL_JOURNAL_OK);
    assert_int_equal(ampel_journal_read(world.journal, &position, &bytes, &header, &world.error),
                     AMPEL_JOURNAL_DAMAGED);
    assert_string_equal(world.error.field, "0000000000000000.log");
    assert_non_null(strstr(world.error.reason, "offset 7160 "));
    world_reset(&world);
}

static void a_missing_segment_is_named(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 20, 3000);
    char name[AMPEL_DISK_NAME_MAX];
    snprintf(name, sizeof(name), "%s", memory_disk_name(world.disk, 2));
    assert_true(memory_disk_remove(world.disk, name));
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_DAMAGED);
    assert_string_equal(world.error.field, name);
    assert_non_null(strstr(world.error.reason, "is missing"));
    world_reset(&world);
}

static void a_damaged_segment_header_is_named(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 3, 48);
    flip(&world, "0000000000000000.log", 2000);
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_DAMAGED);
    assert_string_equal(world.error.field, "0000000000000000.log");
    world_reset(&world);
}

static void the_journal_of_another_system_is_refused_by_both_names(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 3, 48);
    world.options.system_id = 0x77;
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_FAILED);
    assert_string_equal(world.error.reason,
                        "belongs to the system 0000000000001234, the database to 0000000000000077");
    world_reset(&world);
}

static void a_segment_of_a_newer_version_is_refused_by_name(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 3, 48);
    uint64_t size;
    uint8_t *bytes = memory_disk_bytes(world.disk, "0000000000000000.log", &size);
    bytes[8]++;
    ampel_store_u64(bytes + 4088, ampel_hash_bytes(bytes, 4088));
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_FAILED);
    assert_string_equal(world.error.field, "0000000000000000.log");
    assert_string_equal(world.error.reason, "was written by a newer version of Ampel");
    world_reset(&world);
}

static void a_record_of_a_newer_version_is_refused_and_not_cut(void **state) {
    (void)state;
    struct world world;
    world_fill(&world, 3, 48);
    uint64_t size;
    uint8_t *record =
        memory_disk_bytes(world.disk, "0000000000000000.log", &size) + 4096 + 160 + 32;
    record[4]++;
    ampel_record_seal(record, ampel_load_u64(record + 16), ampel_load_i64(record + 24));
    assert_int_equal(world_open(&world), AMPEL_JOURNAL_DAMAGED);
    assert_string_equal(world.error.field, "0000000000000000.log");
    assert_non_null(strstr(world.error.reason, "offset 4288 "));
    assert_non_null(strstr(world.error.reason, "newer version"));
    world_reset(&world);
}

static void a_second_process_is_kept_out(void **state) {
    (void)state;
    struct world world;
    world_start(&world);
    struct ampel_journal *second;
    assert_int_equal(ampel_journal_open(&world.options, &second, &world.error),
                     AMPEL_JOURNAL_FAILED);
    assert_string_equal(world.error.reason, "another process uses this journal");
    world_reset(&world);
}

/* ---- the real disk ----------------------------------------------------------------------------
 */

static void the_real_disk_keeps_a_journal_over_restarts(void **state) {
    (void)state;
    char path[] = "/tmp/ampel-journal-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct world world;
    world_init(&world);
    for (int life = 0; life < 3; life++) {
        struct ampel_disk other;
        assert_true(ampel_disk_posix(path, &world.options.disk));
        assert_int_equal(ampel_journal_open(&world.options, &world.journal, &world.error),
                         AMPEL_JOURNAL_OK);
        assert_true(ampel_disk_posix(path, &other));
        assert_int_equal(other.lock(other.context), AMPEL_DISK_BUSY);
        ampel_disk_posix_close(&other);
        check_all(&world);
        for (int i = 0; i < 20; i++)
            append_and_commit(&world, 2, 1500);
        assert_int_equal(release_all(world.journal, world.ends[world.acked_count - 20]),
                         AMPEL_JOURNAL_OK);
        check_all(&world);
        world_leave(&world);
        ampel_disk_posix_close(&world.options.disk);
    }
    world_reset(&world);
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

/* A disk that looks at what is written behind a segment's header. */
static struct {
    struct ampel_disk under;
    bool awake;
    uint64_t end; /* of what is durable */
    uint32_t writes_count;
} looks;

static enum ampel_disk_status looks_write(void *context, int handle, uint64_t offset, const void *bytes, size_t size) {
    if (looks.awake && offset > 0) {
        uint8_t before[AMPEL_DISK_BLOCK_BYTES];
        size_t got;
        looks.writes_count++;
        assert_int_equal((offset | size | (uintptr_t)bytes) % AMPEL_DISK_BLOCK_BYTES, 0);
        assert_in_range(looks.end, offset, offset + AMPEL_DISK_BLOCK_BYTES - 1);
        assert_int_equal(looks.under.read(context, handle, offset, before, looks.end - offset, &got), AMPEL_DISK_OK);
        assert_memory_equal(bytes, before, looks.end - offset);
        const uint8_t *group = (const uint8_t *)bytes + (looks.end - offset);
        for (uint64_t behind = looks.end - offset + ampel_load_u32(group + 8); behind < size; behind++)
            assert_int_equal(((const uint8_t *)bytes)[behind], 0);
    }
    return looks.under.write(context, handle, offset, bytes, size);
}

/* A start writes the last group again, as it is: only what comes behind that is looked at. */
static void looks_open(struct world *world) {
    world->options.disk = looks.under = memory_disk_process(world->disk);
    world->options.disk.write = looks_write;
    looks.awake = false;
    assert_int_equal(ampel_journal_open(&world->options, &world->journal, &world->error), AMPEL_JOURNAL_OK);
    looks.awake = true;
}

static void groups_are_written_in_whole_blocks_and_change_nothing_that_is_durable(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    world.options.segment_bytes = 64 * SEGMENT;
    memset(&looks, 0, sizeof(looks));
    looks.end = 4096;
    looks_open(&world);
    for (int i = 0; i < 100; i++) {
        append_and_commit(&world, 1 + random_below(&world, 3), 40 + random_below(&world, 2500));
        looks.end = ampel_journal_end(world.journal);
        if (i % 10 != 9) continue;
        world_leave(&world);
        memory_disk_restart(world.disk);
        looks_open(&world);
    }
    assert_true(looks.writes_count >= 100);
    check_all(&world);
    world_reset(&world);
}

/* A disk that makes files ahead at the second asking. */
static struct {
    struct ampel_disk under;
    uint32_t asked_count, made_count, allocated_count;
    bool fails;
} ahead;

static enum ampel_disk_status ahead_allocate(void *context, int handle, uint64_t size_bytes) {
    ahead.allocated_count++;
    return ahead.under.allocate(context, handle, size_bytes);
}

static enum ampel_disk_status ahead_prepare(void *context, const char *name, uint64_t size_bytes, bool *done) {
    int handle;
    *done = ++ahead.asked_count % 2 == 0;
    if (!*done) return AMPEL_DISK_OK;
    if (ahead.fails) return AMPEL_DISK_FULL;
    ahead.made_count++;
    assert_int_equal(ahead.under.open(context, name, true, &handle), AMPEL_DISK_OK);
    assert_int_equal(ahead.under.allocate(context, handle, size_bytes), AMPEL_DISK_OK);
    assert_int_equal(ahead.under.sync(context, handle), AMPEL_DISK_OK);
    return ahead.under.close(context, handle);
}

static void ahead_start(struct world *world, bool fails) {
    world_init(world);
    world->options.segment_bytes = 4 * SEGMENT;
    world->options.disk = memory_disk_process(world->disk);
    memset(&ahead, 0, sizeof(ahead));
    ahead.under = world->options.disk;
    ahead.fails = fails;
    world->options.disk.allocate = ahead_allocate;
    world->options.disk.prepare = ahead_prepare;
    assert_int_equal(ampel_journal_open(&world->options, &world->journal, &world->error), AMPEL_JOURNAL_OK);
}

static void segments_are_made_ahead_and_no_group_waits_for_one(void **state) {
    (void)state;
    struct world world;
    ahead_start(&world, false);
    append_and_commit(&world, 1, 100);
    assert_int_equal(ahead.asked_count, 0); /* the next one is far */
    for (int i = 0; i < 250; i++)
        append_and_commit(&world, 1, 1000);
    assert_int_equal(ahead.allocated_count, 1); /* the first one */
    int64_t segments = ampel_metric_get(AMPEL_METRIC_JOURNAL_SEGMENTS);
    assert_int_equal(segments, 1 + ahead.made_count);
    assert_in_range(segments, 4, 10);
    check_all(&world);
    world_reset(&world);
}

static void a_segment_that_could_not_be_made_ahead_is_made_when_it_is_needed(void **state) {
    (void)state;
    struct world world;
    ahead_start(&world, true);
    for (int i = 0; i < 250; i++)
        append_and_commit(&world, 1, 1000);
    assert_true(ahead.asked_count > 2);
    assert_int_equal(ahead.allocated_count, ampel_metric_get(AMPEL_METRIC_JOURNAL_SEGMENTS));
    assert_true(ahead.allocated_count >= 3);
    check_all(&world);
    world_reset(&world);
}

static void the_real_disk_makes_a_file_ahead(void **state) {
    (void)state;
    char path[] = "/tmp/ampel-journal-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct ampel_disk disk;
    assert_true(ampel_disk_posix(path, &disk));
    bool done = false;
    enum ampel_disk_status status = AMPEL_DISK_OK;
    for (int i = 0; i < 5000 && !done; i++) {
        status = disk.prepare(disk.context, "spare-3.log", 3 << 20, &done);
        if (!done) (void)usleep(1000);
    }
    assert_true(done);
    assert_int_equal(status, AMPEL_DISK_OK);
    int handle;
    uint64_t size_bytes;
    assert_int_equal(disk.open(disk.context, "spare-3.log", false, &handle), AMPEL_DISK_OK);
    assert_int_equal(disk.size(disk.context, handle, &size_bytes), AMPEL_DISK_OK);
    assert_int_equal(size_bytes, 3 << 20);
    assert_int_equal(disk.close(disk.context, handle), AMPEL_DISK_OK);
    /* One that is still being made is waited for. */
    assert_int_equal(disk.prepare(disk.context, "spare-4.log", 3 << 20, &done), AMPEL_DISK_OK);
    ampel_disk_posix_close(&disk);
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

int main(void) {
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO); /* torn tails are daily bread here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_directory_is_an_empty_journal),
        cmocka_unit_test(what_was_committed_is_read_again_over_many_segments),
        cmocka_unit_test(reading_may_begin_at_any_position),
        cmocka_unit_test(a_record_larger_than_a_segment_gets_one_of_its_own),
        cmocka_unit_test(a_group_takes_no_more_than_it_may),
        cmocka_unit_test(held_beyond_its_bound_it_is_full_until_something_is_released),
        cmocka_unit_test(released_segments_live_again_and_their_past_is_never_read),
        cmocka_unit_test(a_full_disk_sends_the_group_back_and_the_next_one_may_fit),
        cmocka_unit_test(acked_records_outlive_a_power_cut_at_any_step),
        cmocka_unit_test(a_full_disk_at_any_step_leaves_nothing_of_what_went_back),
        cmocka_unit_test(a_failing_disk_at_any_step_costs_nothing_that_was_acked),
        cmocka_unit_test(after_a_failed_sync_nothing_is_taken_any_more),
        cmocka_unit_test(what_only_stood_in_memory_is_synced_before_it_is_believed),
        cmocka_unit_test(a_damaged_record_before_a_whole_group_is_named),
        cmocka_unit_test(a_last_group_that_is_not_whole_is_a_torn_tail),
        cmocka_unit_test(remains_of_a_torn_group_are_no_proof_of_damage_later),
        cmocka_unit_test(what_a_start_cuts_is_gone_before_anything_is_written_there),
        cmocka_unit_test(damage_in_an_older_segment_is_found_by_reading),
        cmocka_unit_test(a_missing_segment_is_named),
        cmocka_unit_test(a_damaged_segment_header_is_named),
        cmocka_unit_test(the_journal_of_another_system_is_refused_by_both_names),
        cmocka_unit_test(a_segment_of_a_newer_version_is_refused_by_name),
        cmocka_unit_test(a_record_of_a_newer_version_is_refused_and_not_cut),
        cmocka_unit_test(a_second_process_is_kept_out),
        cmocka_unit_test(the_real_disk_keeps_a_journal_over_restarts),
        cmocka_unit_test(groups_are_written_in_whole_blocks_and_change_nothing_that_is_durable),
        cmocka_unit_test(segments_are_made_ahead_and_no_group_waits_for_one),
        cmocka_unit_test(a_segment_that_could_not_be_made_ahead_is_made_when_it_is_needed),
        cmocka_unit_test(the_real_disk_makes_a_file_ahead),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}

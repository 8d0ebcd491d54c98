/* The real disk, past the page cache and through it: whatever is written, in blocks or not, is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "proto/record.h"
#include "tests/everypoint/wrap_fcntl.h"
#include "tests/unit/draw.h"
#include "workers/disk.h"
#include "workers/journal.h"
#include "workers/logline.h"
#include "workers/metrics.h"

#define BLOCK       AMPEL_DISK_BLOCK_BYTES
#define FILE_BYTES  (64 * BLOCK)
#define PREPARED    ((uint64_t)3 << 20)
#define SEGMENT     (8 * BLOCK)
#define GROUP_BYTES 20000
#define RECORDS_MAX 4096

/* ---- what the system says --------------------------------------------------------------------- */

/* Each way of a disk is tried in a folder of its own. */
static const struct way {
    const char *name, *folder;
    bool refuses_flag;                /* O_DIRECT */
    int refuses_write;                /* with this error; 0: it does not */
    size_t piece_bytes;               /* a write past the page cache takes no more at once; 0: all of it */
} ways[] = {
    {.name = "past the page cache", .folder = "/var/tmp"},
    {.name = "past it, block by block", .folder = "/var/tmp", .piece_bytes = BLOCK},
    {.name = "past it, and a piece of a block", .folder = "/var/tmp", .piece_bytes = BLOCK + 100},
    {.name = "the flag is refused", .folder = "/var/tmp", .refuses_flag = true},
    {.name = "the write is refused", .folder = "/var/tmp", .refuses_write = EINVAL},
    {.name = "the write is not supported", .folder = "/var/tmp", .refuses_write = EOPNOTSUPP},
    {.name = "a disk in memory", .folder = "/dev/shm"},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static const struct way *way = &ways[0];
static atomic_uint direct_writes;

static bool fcntl_fails(int command, int flags) {
    bool fails = command == F_SETFL && (flags & O_DIRECT) != 0 && way->refuses_flag;
    if (fails) errno = EINVAL;
    return fails;
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    bool direct = (__real_fcntl(fd, F_GETFL, 0) & O_DIRECT) != 0;
    bool whole = (size | (size_t)offset | (uintptr_t)bytes) % BLOCK == 0;
    if (direct && (way->refuses_write != 0 || !whole)) {
        errno = whole ? way->refuses_write : EINVAL;
        return -1;
    }
    if (!direct) return __real_pwrite(fd, bytes, size, offset);
    atomic_fetch_add(&direct_writes, 1);
    if (way->piece_bytes == 0 || size <= way->piece_bytes) return __real_pwrite(fd, bytes, size, offset);
    /* A file system that ends within a block has written it by other means. */
    assert_int_equal(__real_fcntl(fd, F_SETFL, 0), 0);
    ssize_t done = __real_pwrite(fd, bytes, way->piece_bytes, offset);
    assert_int_equal(__real_fcntl(fd, F_SETFL, O_DIRECT), 0);
    return done;
}

struct place {
    char path[64];
    struct ampel_disk disk;
    uint64_t random;
};

static uint32_t random_below(struct place *place, uint32_t bound) {
    return draw_from(&place->random, bound);
}

static void place_open(struct place *place, const struct way *chosen) {
    way = chosen;
    atomic_store(&direct_writes, 0);
    *place = (struct place){.random = 7};
    (void)snprintf(place->path, sizeof(place->path), "%s/ampel-disk-XXXXXX", chosen->folder);
    if (mkdtemp(place->path) == NULL) skip();
    assert_true(ampel_disk_posix(place->path, &place->disk));
}

static void place_close(struct place *place) {
    ampel_disk_posix_close(&place->disk);
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", place->path);
    assert_int_equal(system(command), 0);
}

/* Whether this system's folder of the way can be written past the page cache at all. */
static bool direct_is_possible(const struct place *place) {
    char path[80];
    snprintf(path, sizeof(path), "%s/try", place->path);
    int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
    if (fd < 0) return false;
    void *block = aligned_alloc(BLOCK, BLOCK);
    assert_non_null(block);
    memset(block, 0, BLOCK);
    bool fine = __real_pwrite(fd, block, BLOCK, 0) == BLOCK;
    free(block);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    return fine;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void noise(struct place *place, uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_below(place, 256);
}

static void file_make(struct place *place, const char *name, uint64_t size_bytes, int *handle) {
    assert_int_equal(place->disk.open(place->disk.context, name, true, handle), AMPEL_DISK_OK);
    assert_int_equal(place->disk.allocate(place->disk.context, *handle, size_bytes), AMPEL_DISK_OK);
}

static void read_check(struct place *place, int handle, uint64_t offset, size_t size, const uint8_t *model) {
    static uint8_t bytes[FILE_BYTES];
    size_t got = 0;
    assert_int_equal(place->disk.read(place->disk.context, handle, offset, bytes, size, &got), AMPEL_DISK_OK);
    assert_int_equal(got, size);
    assert_memory_equal(bytes, model + offset, size);
}

/* In blocks or off them, by offset, size or address. */
static void any_write(struct place *place, int handle, uint8_t *memory, uint8_t *model) {
    uint32_t offset = random_below(place, FILE_BYTES), size = 1 + random_below(place, FILE_BYTES - offset);
    uint32_t shift = random_below(place, BLOCK);
    uint32_t odd = random_below(place, 8);
    if ((odd & 1) == 0) offset -= offset % BLOCK;
    if ((odd & 2) == 0 || size > FILE_BYTES - offset) size = (size + BLOCK - 1) / BLOCK * BLOCK;
    if (size > FILE_BYTES - offset) size = FILE_BYTES - offset;
    uint8_t *bytes = memory + ((odd & 4) == 0 ? 0 : shift);
    noise(place, bytes, size);
    assert_int_equal(place->disk.write(place->disk.context, handle, offset, bytes, size), AMPEL_DISK_OK);
    memcpy(model + offset, bytes, size);
}

static void write_and_read(const struct way *chosen) {
    struct place place;
    place_open(&place, chosen);
    uint8_t *memory = aligned_alloc(BLOCK, FILE_BYTES + BLOCK), *model = calloc(1, FILE_BYTES);
    assert_non_null(memory);
    assert_non_null(model);
    bool possible = !chosen->refuses_flag && !chosen->refuses_write && direct_is_possible(&place);
    int handle;
    file_make(&place, "file", FILE_BYTES, &handle);
    for (int i = 0; i < 200; i++) {
        any_write(&place, handle, memory, model);
        uint32_t offset = random_below(&place, FILE_BYTES);
        read_check(&place, handle, offset, 1 + random_below(&place, FILE_BYTES - offset), model);
        if (i % 20 == 0) {
            assert_int_equal(place.disk.sync(place.disk.context, handle), AMPEL_DISK_OK);
        } else if (i % 20 == 10) {
            assert_int_equal(place.disk.close(place.disk.context, handle), AMPEL_DISK_OK);
            assert_int_equal(place.disk.open(place.disk.context, "file", false, &handle), AMPEL_DISK_OK);
        }
        read_check(&place, handle, 0, FILE_BYTES, model);
    }
    /* What lies off the blocks is nobody's refusal. */
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_JOURNAL_DIRECT), possible);
    assert_int_equal(place.disk.close(place.disk.context, handle), AMPEL_DISK_OK);
    free(memory);
    free(model);
    place_close(&place);
}

static void what_is_written_in_blocks_or_not_is_what_is_read(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++)
        write_and_read(&ways[i]);
}

/* Pages of the file that stand in memory. */
static size_t pages_cached(const struct place *place, const char *name, size_t size) {
    char path[80];
    snprintf(path, sizeof(path), "%s/%s", place->path, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    void *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    unsigned char *pages = calloc(1, size / BLOCK);
    assert_non_null(pages);
    assert_int_equal(mincore(mapped, size, pages), 0);
    size_t cached = 0;
    for (size_t i = 0; i < size / BLOCK; i++)
        cached += pages[i] & 1;
    free(pages);
    assert_int_equal(munmap(mapped, size), 0);
    assert_int_equal(close(fd), 0);
    return cached;
}

static void whole_blocks_leave_no_page_behind_where_the_file_system_lets_them_past(void **state) {
    (void)state;
    struct place place;
    place_open(&place, &ways[0]);
    if (!direct_is_possible(&place)) {
        place_close(&place);
        skip();
    }
    int handle;
    file_make(&place, "file", FILE_BYTES, &handle);
    assert_int_equal(pages_cached(&place, "file", FILE_BYTES), 0);
    uint8_t *memory = aligned_alloc(BLOCK, 3 * BLOCK);
    assert_non_null(memory);
    noise(&place, memory, 3 * BLOCK);
    assert_int_equal(place.disk.write(place.disk.context, handle, 8192, memory, 3 * BLOCK), AMPEL_DISK_OK);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_JOURNAL_DIRECT), 1);
    assert_int_equal(pages_cached(&place, "file", FILE_BYTES), 0);
    assert_int_equal(place.disk.write(place.disk.context, handle, 100, memory, 50), AMPEL_DISK_OK);
    assert_int_not_equal(pages_cached(&place, "file", FILE_BYTES), 0);
    assert_int_equal(place.disk.close(place.disk.context, handle), AMPEL_DISK_OK);
    free(memory);
    place_close(&place);
}

static void a_refusal_is_remembered_and_told(void **state) {
    (void)state;
    struct place place;
    for (size_t i = 3; i < 5; i++) {
        place_open(&place, &ways[i]);
        int handle;
        file_make(&place, "file", FILE_BYTES, &handle);
        uint8_t *memory = aligned_alloc(BLOCK, BLOCK);
        assert_non_null(memory);
        noise(&place, memory, BLOCK);
        assert_int_equal(place.disk.write(place.disk.context, handle, 0, memory, BLOCK), AMPEL_DISK_OK);
        assert_int_equal(ampel_metric_get(AMPEL_METRIC_JOURNAL_DIRECT), 0);
        way = &ways[0]; /* nobody asks again */
        assert_int_equal(place.disk.write(place.disk.context, handle, 0, memory, BLOCK), AMPEL_DISK_OK);
        assert_int_equal(atomic_load(&direct_writes), 0);
        assert_int_equal(place.disk.close(place.disk.context, handle), AMPEL_DISK_OK);
        free(memory);
        place_close(&place);
    }
}

/* ---- files made ahead ------------------------------------------------------------------------- */

static void prepare_over_remains(const struct way *chosen) {
    struct place place;
    place_open(&place, chosen);
    static uint8_t bytes[FILE_BYTES], zeroes[FILE_BYTES];
    noise(&place, bytes, sizeof(bytes));
    int handle;
    assert_int_equal(place.disk.open(place.disk.context, "spare-1.log", true, &handle), AMPEL_DISK_OK);
    for (uint64_t at = 0; at < PREPARED; at += FILE_BYTES)
        assert_int_equal(place.disk.write(place.disk.context, handle, at, bytes, FILE_BYTES), AMPEL_DISK_OK);
    bool done = false;
    enum ampel_disk_status status = AMPEL_DISK_OK;
    for (int i = 0; i < 20000 && !done; i++) {
        status = place.disk.prepare(place.disk.context, "spare-1.log", PREPARED, &done);
        if (!done) (void)usleep(1000);
    }
    assert_true(done);
    assert_int_equal(status, AMPEL_DISK_OK);
    uint64_t size_bytes;
    assert_int_equal(place.disk.size(place.disk.context, handle, &size_bytes), AMPEL_DISK_OK);
    assert_int_equal(size_bytes, PREPARED);
    for (uint64_t at = 0; at < PREPARED; at += FILE_BYTES) {
        size_t got = 0;
        assert_int_equal(place.disk.read(place.disk.context, handle, at, bytes, FILE_BYTES, &got), AMPEL_DISK_OK);
        assert_int_equal(got, FILE_BYTES);
        assert_memory_equal(bytes, zeroes, FILE_BYTES);
    }
    assert_int_equal(place.disk.close(place.disk.context, handle), AMPEL_DISK_OK);
    place_close(&place);
}

static void a_file_made_ahead_holds_zeroes_whatever_stood_there(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++)
        prepare_over_remains(&ways[i]);
}

/* ---- a journal on it -------------------------------------------------------------------------- */

/* What the journal has taken, as it was sealed. */
struct written {
    uint8_t *bytes;
    uint32_t size;
    uint64_t end; /* of its group */
};

struct log {
    struct place place;
    struct ampel_journal_options options;
    struct ampel_journal *journal;
    struct ampel_record_builder *builder;
    struct ampel_error error;
    int64_t stamp;
    struct written written[RECORDS_MAX];
    uint32_t count, durable_count;
};

static void log_open(struct log *log) {
    if (log->place.disk.context == NULL) assert_true(ampel_disk_posix(log->place.path, &log->place.disk));
    log->options.disk = log->place.disk;
    if (ampel_journal_open(&log->options, &log->journal, &log->error) != AMPEL_JOURNAL_OK)
        fail_msg("%s: %s", log->error.field, log->error.reason);
}

static void log_leave(struct log *log) {
    ampel_journal_close(log->journal);
    ampel_disk_posix_close(&log->place.disk);
}

static bool record_append(struct log *log, uint32_t partitions_count) {
    static uint32_t partitions[AMPEL_PARTITIONS_MAX];
    for (uint32_t i = 0; i < partitions_count; i++)
        partitions[i] = (uint32_t)(log->stamp * 7 + i) % AMPEL_PARTITIONS_MAX;
    const uint8_t *bytes;
    uint32_t size;
    assert_true(ampel_record_encode_tick(log->builder, log->stamp, partitions, partitions_count, &bytes, &size));
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum ampel_journal_status status = ampel_journal_append(log->journal, copy, size, log->stamp);
    if (status == AMPEL_JOURNAL_AGAIN) {
        free(copy);
        return false;
    }
    assert_int_equal(status, AMPEL_JOURNAL_OK);
    log->stamp++;
    log->written[log->count++] = (struct written){.bytes = copy, .size = size};
    return true;
}

static void group_write(struct log *log) {
    uint32_t records = 1 + random_below(&log->place, 5);
    for (uint32_t i = 0; i < records; i++) {
        /* Small ones share blocks, large ones span several. */
        uint32_t partitions = 1 + random_below(&log->place, random_below(&log->place, 3) == 0 ? 1900 : 60);
        if (!record_append(log, partitions)) break;
    }
    assert_int_equal(ampel_journal_commit(log->journal, &log->error), AMPEL_JOURNAL_OK);
    for (; log->durable_count < log->count; log->durable_count++)
        log->written[log->durable_count].end = ampel_journal_end(log->journal);
}

/* From the first that is held to the last, byte by byte. */
static void log_check(struct log *log) {
    uint64_t position = ampel_journal_first(log->journal);
    uint32_t at = 0;
    while (at < log->count && log->written[at].end <= position)
        at++;
    for (; at < log->count; at++) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        if (ampel_journal_read(log->journal, &position, &bytes, &header, &log->error) != AMPEL_JOURNAL_OK)
            fail_msg("record %u: %s: %s", at, log->error.field, log->error.reason);
        assert_int_equal(header.size, log->written[at].size);
        assert_memory_equal(bytes, log->written[at].bytes, header.size);
    }
    const uint8_t *bytes;
    struct ampel_record_header header;
    assert_int_equal(ampel_journal_read(log->journal, &position, &bytes, &header, &log->error), AMPEL_JOURNAL_END);
}

static void release_most(struct log *log) {
    bool more = true;
    while (more)
        assert_int_equal(ampel_journal_release(log->journal, log->written[log->count - 4].end, &more),
                         AMPEL_JOURNAL_OK);
}

static struct log *log_start(const struct way *chosen) {
    struct log *log = calloc(1, sizeof(*log));
    assert_non_null(log);
    place_open(&log->place, chosen);
    log->options = (struct ampel_journal_options){
        .system_id = 1, .segment_bytes = SEGMENT, .bytes_max = UINT64_C(1) << 30, .group_bytes_max = GROUP_BYTES};
    log->builder = ampel_record_builder_open(AMPEL_PARTITIONS_MAX);
    assert_non_null(log->builder);
    log->stamp = 1;
    log_open(log);
    return log;
}

static void log_end(struct log *log) {
    ampel_journal_close(log->journal);
    for (uint32_t i = 0; i < log->count; i++)
        free(log->written[i].bytes);
    ampel_record_builder_close(log->builder);
    place_close(&log->place);
    free(log);
}

static void journal_over(const struct way *chosen) {
    struct log *log = log_start(chosen);
    bool possible = !chosen->refuses_flag && !chosen->refuses_write && direct_is_possible(&log->place);
    for (int life = 0; life < 12; life++) {
        uint32_t groups = 1 + random_below(&log->place, 30);
        for (uint32_t i = 0; i < groups; i++)
            group_write(log);
        log_check(log);
        /* The first lives have segments of zeroes, later ones recycled ones. */
        if (life > 3) release_most(log);
        log_leave(log);
        log_open(log);
        log_check(log);
    }
    assert_int_equal(atomic_load(&direct_writes) > 0, possible);
    log_end(log);
}

static void groups_of_any_size_at_any_offset_are_read_as_they_were_written(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++)
        journal_over(&ways[i]);
}

static void a_group_does_not_grow_a_file_that_was_cut(void **state) {
    (void)state;
    struct log *log = log_start(&ways[0]);
    assert_true(record_append(log, 10));
    group_write(log);
    log_leave(log);
    uint64_t cut = (log->written[log->count - 1].end + 512) / 8 * 8;
    char path[100];
    snprintf(path, sizeof(path), "%s/0000000000000000.log", log->place.path);
    assert_int_equal(truncate(path, (off_t)cut), 0);
    log_open(log);
    assert_true(record_append(log, 10));
    assert_int_equal(ampel_journal_commit(log->journal, &log->error), AMPEL_JOURNAL_OK);
    assert_in_range(ampel_journal_end(log->journal), cut - 511, cut);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, cut);
    log->written[log->count - 1].end = ampel_journal_end(log->journal);
    log_leave(log);
    log_open(log);
    log_check(log);
    log_end(log);
}

int main(void) {
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_in_blocks_or_not_is_what_is_read),
        cmocka_unit_test(whole_blocks_leave_no_page_behind_where_the_file_system_lets_them_past),
        cmocka_unit_test(a_refusal_is_remembered_and_told),
        cmocka_unit_test(a_file_made_ahead_holds_zeroes_whatever_stood_there),
        cmocka_unit_test(groups_of_any_size_at_any_offset_are_read_as_they_were_written),
        cmocka_unit_test(a_group_does_not_grow_a_file_that_was_cut),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}

/* Memory of shards and checkpoints, and the last holder of a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "workers/checkpoint.h"
#include "workers/keeper_lane.h"
#include "workers/memory.h"
#include "workers/memory_region.h"

static void memory_counts_what_is_taken_and_aligns_it(void **state) {
    (void)state;
    struct ampel_shard_memory shard;
    struct ampel_memory memory;
    ampel_memory_open(&shard, &memory);
    void *blocks[7];
    uint64_t taken = 0;
    for (size_t i = 0; i < 7; i++) {
        size_t alignment = (size_t)1 << i, size = 100 * i + 1;
        blocks[i] = memory.take(memory.context, size, alignment);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
        memset(blocks[i], 0xaa, size);
        taken += size;
        assert_int_equal(ampel_memory_bytes(&shard), taken);
    }
    for (size_t i = 0; i < 7; i++)
        memory.give(memory.context, blocks[i], 100 * i + 1);
    assert_int_equal(ampel_memory_bytes(&shard), 0);
    assert_null(memory.take(memory.context, SIZE_MAX - 10, 8));
    ampel_memory_close(&shard);
}

/* An arena ends with its memory, and the next one is as good. */
static void memory_is_used_and_given_back(int rounds) {
    enum { COUNT = 40, BYTES = 1 << 20 };
    for (int round = 0; round < rounds; round++) {
        struct ampel_shard_memory shard;
        struct ampel_memory memory;
        ampel_memory_open(&shard, &memory);
        unsigned char *blocks[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = memory.take(memory.context, BYTES, 64);
            assert_non_null(blocks[i]);
            memset(blocks[i], (int)i + round, BYTES);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(blocks[i][0], i + (size_t)round);
            assert_memory_equal(blocks[i], blocks[i] + 1, BYTES - 1);
            memory.give(memory.context, blocks[i], BYTES);
        }
        ampel_memory_close(&shard);
    }
}

static void memory_is_given_back_and_opened_again(void **state) {
    (void)state;
    memory_is_used_and_given_back(3);
}

static size_t addresses_taken(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct rlimit addresses_before;

static int addresses_note(void **state) {
    (void)state;
    return getrlimit(RLIMIT_AS, &addresses_before);
}

static int addresses_again(void **state) {
    (void)state;
    return setrlimit(RLIMIT_AS, &addresses_before);
}

/* A process may have few addresses, or a system no more of them than it has memory. */
static void memory_is_there_without_a_range_of_addresses(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* sanitizers have an allocator of their own, which ends the process there */
#endif
    struct ampel_region region;
    struct rlimit few = addresses_before;
    const size_t room = (size_t)128 << 20;
    few.rlim_cur = addresses_taken() + room;
    assert_int_equal(setrlimit(RLIMIT_AS, &few), 0);
    assert_false(ampel_region_open(&region));
    /* In all more than the room: it is given back. */
    memory_is_used_and_given_back(8);
}

static void a_region_is_zeroes_one_behind_the_other_to_its_end(void **state) {
    (void)state;
    struct ampel_region region;
    assert_true(ampel_region_open(&region));
    size_t end = 0;
    for (size_t i = 0; i < 30; i++) {
        size_t size = 1000 + i * 100000, alignment = (size_t)1 << i % 21;
        unsigned char *taken = ampel_region_take(&region, size, alignment);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % alignment, 0);
        assert_in_range((size_t)(taken - region.base), end, end + alignment - 1);
        for (size_t at = 0; at < size; at += 499)
            assert_int_equal(taken[at], 0);
        memset(taken, 0xff, size);
        end = (size_t)(taken - region.base) + size;
    }
    assert_null(ampel_region_take(&region, region.size - end + 1, 1));
    assert_null(ampel_region_take(&region, SIZE_MAX, 1));
    assert_non_null(ampel_region_take(&region, 1, 1));
    ampel_region_close(&region);
}

/* Linux 5.14 and later do. */
static bool system_touches(void) {
    const int populate_write = 23;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    bool touches = madvise(map, page, populate_write) == 0;
    (void)munmap(map, page);
    return touches;
}

static void what_comes_next_in_a_region_is_touched_before(void **state) {
    (void)state;
    struct ampel_region region;
    assert_true(ampel_region_open(&region));
    const size_t size = (size_t)64 << 20; /* where pages are dear the thread begins some megabytes behind it */
    unsigned char *taken = ampel_region_take(&region, size, 64);
    assert_non_null(taken);
    for (int i = 0; i < 2000 && atomic_load(&region.touched) < size + size / 4; i++)
        (void)poll(NULL, 0, 5);
    unsigned char resident[1] = {0};
    size_t touched = atomic_load(&region.touched);
    if (system_touches()) {
        assert_in_range(touched, size + 1, region.size);
        assert_int_equal(mincore(region.base + touched - 4096, 4096, resident), 0);
        assert_int_equal(resident[0] & 1, 1);
    }
    ampel_region_close(&region);
}

static void a_dear_page_makes_what_comes_next_small_until_a_gigabyte_is_not(void **state) {
    (void)state;
    const int64_t dear_ns = 8000000, cheap_ns = 200000;
    uint32_t cheap = 0;
    assert_false(ampel_region_small(false, cheap_ns, &cheap));
    assert_true(ampel_region_small(false, dear_ns, &cheap));
    for (int i = 0; i < 511; i++)
        assert_true(ampel_region_small(true, cheap_ns, &cheap));
    assert_true(ampel_region_small(true, dear_ns, &cheap));
    for (int i = 0; i < 511; i++)
        assert_true(ampel_region_small(true, cheap_ns, &cheap));
    assert_false(ampel_region_small(true, cheap_ns, &cheap));
    assert_false(ampel_region_small(false, cheap_ns, &cheap));
}

static void an_arena_keeps_everything_until_it_is_closed(void **state) {
    (void)state;
    struct ampel_arena *arena = ampel_arena_open();
    enum { COUNT = 3000 };
    static unsigned char *taken[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 100 == 99 ? 100000 : i % 50;
        taken[i] = ampel_arena_take(arena, size);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % 8, 0);
        memset(taken[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 100 == 99 ? 100000 : i % 50;
        for (size_t j = 0; j < size; j++)
            assert_int_equal(taken[i][j], i % 251);
    }
    struct ampel_text text;
    assert_true(ampel_arena_text(arena, (struct ampel_text){"abc", 3}, &text));
    assert_memory_equal(text.bytes, "abc", 3);
    assert_true(ampel_arena_text(arena, (struct ampel_text){NULL, 0}, &text));
    assert_int_equal(text.size, 0);
    assert_null(ampel_arena_take(arena, SIZE_MAX));
    ampel_arena_close(arena);
}

static void a_record_lives_until_its_last_holder_lets_go(void **state) {
    (void)state;
    struct ampel_parcel_record *record = ampel_parcel_record_make(24);
    assert_int_equal((uintptr_t)record->bytes % 8, 0);
    record->ack = malloc(10); /* goes with the record: a leak or a second free would be seen */
    ampel_parcel_record_hold(record, 2);
    ampel_parcel_free(&record->parcel);
    ampel_parcel_free(&record->parcel);
    memset(record->bytes, 1, 24);
    assert_int_equal(record->size, 24);
    ampel_parcel_record_release(record);
}

static void checkpoints_and_other_parcels_are_freed_with_all_they_own(void **state) {
    (void)state;
    struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    checkpoint->parcel.kind = AMPEL_PARCEL_CHECKPOINT;
    checkpoint->arena = ampel_arena_open();
    checkpoint->meta = ampel_arena_take(checkpoint->arena, 100);
    checkpoint->outs = calloc(1, sizeof(checkpoint->outs[0]));
    checkpoint->outs_count = 1;
    checkpoint->outs[0] = calloc(1, sizeof(struct ampel_parcel_out));
    checkpoint->outs[0]->told = malloc(sizeof(struct ampel_told));
    checkpoint->outs[0]->texts = malloc(5);
    ampel_parcel_free(&checkpoint->parcel);
    struct ampel_parcel_loaded *loaded = calloc(1, sizeof(*loaded));
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->meta = malloc(3);
    loaded->pages = calloc(2, sizeof(loaded->pages[0]));
    loaded->pages_count = 2;
    loaded->pages[0].bytes = malloc(7);
    ampel_parcel_free(&loaded->parcel);
    ampel_parcel_free(NULL);
}

static struct ampel_parcel *signal_make(void) {
    struct ampel_parcel *parcel = calloc(1, sizeof(*parcel));
    parcel->kind = AMPEL_PARCEL_STOP;
    return parcel;
}

static void a_lane_closes_at_its_bytes_and_opens_when_they_are_taken(void **state) {
    (void)state;
    struct ampel_lane lane = {.queue = ampel_queue_open(4)};
    struct ampel_queue *own = ampel_queue_open(2);
    ampel_queue_on_room(lane.queue, ampel_queue_fd(own));
    assert_true(ampel_lane_put(&lane, signal_make(), 60));
    assert_true(ampel_lane_room(&lane, 100) > 0);
    assert_true(ampel_lane_put(&lane, signal_make(), 40));
    assert_int_equal(ampel_lane_room(&lane, 100), 0);
    free(ampel_queue_pop(lane.queue));
    assert_true(ampel_lane_room(&lane, 100) > 0);
    /* Beyond the queue's room things wait, in order, and count. */
    for (int i = 0; i < 100; i++)
        assert_true(ampel_lane_put(&lane, signal_make(), 1));
    assert_int_equal(lane.bytes, 140);
    assert_int_equal(ampel_lane_room(&lane, 1000), 0);
    uint32_t taken = 0;
    while (!ampel_lane_flush(&lane) || ampel_queue_count(lane.queue) > 0) {
        free(ampel_queue_pop(lane.queue));
        taken++;
    }
    assert_int_equal(taken, 101);
    assert_true(ampel_lane_room(&lane, 1) > 0);
    assert_int_equal(lane.bytes, 0);
    ampel_lane_reset(&lane);
    ampel_queue_close(lane.queue);
    ampel_queue_close(own);
}

static void a_lane_has_room_for_as_many_as_its_receiver_wishes_and_wakes_its_sender(void **state) {
    (void)state;
    struct ampel_lane lane = {.queue = ampel_queue_open(1024)};
    struct ampel_queue *own = ampel_queue_open(2);
    ampel_queue_on_room(lane.queue, ampel_queue_fd(own));
    ampel_queue_depth_set(lane.queue, 3);
    assert_int_equal(ampel_lane_room(&lane, 100), 3);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(ampel_lane_room(&lane, 100), 3 - i);
        if (i < 3) assert_true(ampel_lane_put(&lane, signal_make(), 1));
    }
    struct pollfd polled = {.fd = ampel_queue_fd(own), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 0), 0);
    free(ampel_queue_pop(lane.queue));
    assert_int_equal(poll(&polled, 1, 0), 1);
    assert_int_equal(ampel_lane_room(&lane, 100), 1);
    ampel_queue_depth_set(lane.queue, 1);
    assert_int_equal(ampel_lane_room(&lane, 100), 0);
    ampel_queue_depth_set(lane.queue, UINT32_MAX);
    assert_true(ampel_lane_room(&lane, 100) > 1000000);
    while (ampel_queue_count(lane.queue) > 0)
        free(ampel_queue_pop(lane.queue));
    ampel_lane_reset(&lane);
    ampel_queue_close(lane.queue);
    ampel_queue_close(own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_counts_what_is_taken_and_aligns_it),
        cmocka_unit_test(memory_is_given_back_and_opened_again),
        cmocka_unit_test_setup_teardown(memory_is_there_without_a_range_of_addresses, addresses_note, addresses_again),
        cmocka_unit_test(a_dear_page_makes_what_comes_next_small_until_a_gigabyte_is_not),
        cmocka_unit_test(a_region_is_zeroes_one_behind_the_other_to_its_end),
        cmocka_unit_test(what_comes_next_in_a_region_is_touched_before),
        cmocka_unit_test(an_arena_keeps_everything_until_it_is_closed),
        cmocka_unit_test(a_record_lives_until_its_last_holder_lets_go),
        cmocka_unit_test(checkpoints_and_other_parcels_are_freed_with_all_they_own),
        cmocka_unit_test(a_lane_closes_at_its_bytes_and_opens_when_they_are_taken),
        cmocka_unit_test(a_lane_has_room_for_as_many_as_its_receiver_wishes_and_wakes_its_sender),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

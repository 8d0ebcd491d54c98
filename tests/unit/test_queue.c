/* The queue between threads: nothing lost, nothing doubled, order kept, its fd honest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "workers/queue.h"

static bool readable(int fd) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

static void *thing(uintptr_t number) {
    return (void *)(number + 1);
}
static uintptr_t number_of(const void *thing) {
    return (uintptr_t)thing - 1;
}

static void what_goes_in_comes_out_in_order(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(5);
    assert_int_equal(ampel_queue_capacity(queue), 8);
    uintptr_t in = 0, out = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < round % 9; i++)
            assert_true(ampel_queue_push(queue, thing(in++)));
        void *got;
        while ((got = ampel_queue_pop(queue)) != NULL)
            assert_int_equal(number_of(got), out++);
        assert_int_equal(in, out);
    }
    ampel_queue_close(queue);
}

static void a_full_queue_takes_nothing_more(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(2);
    assert_true(ampel_queue_push(queue, thing(0)));
    assert_true(ampel_queue_push(queue, thing(1)));
    assert_false(ampel_queue_push(queue, thing(2)));
    assert_int_equal(ampel_queue_count(queue), 2);
    assert_int_equal(number_of(ampel_queue_pop(queue)), 0);
    assert_true(ampel_queue_push(queue, thing(3)));
    assert_int_equal(number_of(ampel_queue_pop(queue)), 1);
    assert_int_equal(number_of(ampel_queue_pop(queue)), 3);
    assert_null(ampel_queue_pop(queue));
    ampel_queue_close(queue);
}

static void the_fd_is_readable_while_something_waits_and_not_after(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(4);
    int fd = ampel_queue_fd(queue);
    for (int round = 0; round < 3; round++) {
        assert_false(readable(fd));
        assert_true(ampel_queue_push(queue, thing(1)));
        assert_true(ampel_queue_push(queue, thing(2)));
        assert_true(readable(fd));
        assert_non_null(ampel_queue_pop(queue));
        assert_true(readable(fd));
        assert_non_null(ampel_queue_pop(queue));
        assert_null(ampel_queue_pop(queue));
    }
    ampel_queue_wake(queue);
    assert_true(readable(fd));
    assert_null(ampel_queue_pop(queue));
    assert_false(readable(fd));
    ampel_queue_close(queue);
}

static void producers_that_met_a_full_queue_are_woken_when_it_is_half_empty(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(4);
    struct ampel_queue *first = ampel_queue_open(2), *second = ampel_queue_open(2);
    ampel_queue_on_room(queue, ampel_queue_fd(first));
    ampel_queue_on_room(queue, ampel_queue_fd(second));
    ampel_queue_on_room(queue, ampel_queue_fd(second));
    for (uintptr_t i = 0; i < 4; i++)
        assert_true(ampel_queue_push(queue, thing(i)));
    assert_non_null(ampel_queue_pop(queue));
    assert_non_null(ampel_queue_pop(queue));
    assert_false(readable(ampel_queue_fd(first))); /* nobody asked */
    assert_true(ampel_queue_push(queue, thing(4)));
    assert_true(ampel_queue_push(queue, thing(5)));
    assert_false(ampel_queue_push(queue, thing(6)));
    assert_non_null(ampel_queue_pop(queue));
    assert_false(readable(ampel_queue_fd(first)));
    assert_non_null(ampel_queue_pop(queue));
    assert_true(readable(ampel_queue_fd(first)));
    assert_true(readable(ampel_queue_fd(second)));
    assert_null(ampel_queue_pop(first));
    assert_non_null(ampel_queue_pop(queue));
    assert_false(readable(ampel_queue_fd(first))); /* told once */
    ampel_queue_want_room(queue);
    assert_non_null(ampel_queue_pop(queue));
    assert_true(readable(ampel_queue_fd(first)));
    ampel_queue_close(queue);
    ampel_queue_close(first);
    ampel_queue_close(second);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

#define PRODUCERS   3
#define THINGS_EACH 20000

struct producer {
    struct ampel_queue *queue;
    struct ampel_queue *wake; /* only its fd is used: where the producer waits for room */
    uintptr_t index;
    pthread_t thread;
};

static void what_is_pushed_quietly_wakes_nobody_before_it_is_stirred(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(2);
    ampel_queue_stir(queue);
    assert_false(readable(ampel_queue_fd(queue)));
    assert_true(ampel_queue_push_quietly(queue, thing(1)));
    assert_false(readable(ampel_queue_fd(queue)));
    ampel_queue_stir(queue);
    assert_true(readable(ampel_queue_fd(queue)));
    assert_ptr_equal(ampel_queue_pop(queue), thing(1));
    assert_null(ampel_queue_pop(queue));
    assert_false(readable(ampel_queue_fd(queue)));
    /* Who is awake finds it all the same. */
    assert_true(ampel_queue_push_quietly(queue, thing(2)));
    assert_true(ampel_queue_push_quietly(queue, thing(3)));
    assert_false(ampel_queue_push_quietly(queue, thing(4)));
    assert_ptr_equal(ampel_queue_pop(queue), thing(2));
    assert_ptr_equal(ampel_queue_pop(queue), thing(3));
    ampel_queue_stir(queue);
    assert_null(ampel_queue_pop(queue));
    ampel_queue_close(queue);
}

static void wait_readable(int fd) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    /* A lost wake would wait here for good: the test's own time limit speaks then. */
    assert_int_equal(poll(&polled, 1, 20000), 1);
}

static void *produce(void *context) {
    struct producer *producer = context;
    for (uintptr_t i = 0; i < THINGS_EACH; i++) {
        while (!ampel_queue_push(producer->queue, thing(producer->index * THINGS_EACH + i))) {
            wait_readable(ampel_queue_fd(producer->wake));
            assert_null(ampel_queue_pop(producer->wake));
        }
    }
    return NULL;
}

static void threads_lose_nothing_and_no_wake(void **state) {
    (void)state;
    struct ampel_queue *queue = ampel_queue_open(16);
    struct producer producers[PRODUCERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.queue = queue, .wake = ampel_queue_open(2), .index = i};
        ampel_queue_on_room(queue, ampel_queue_fd(producers[i].wake));
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    uintptr_t next[PRODUCERS] = {0}, taken = 0;
    while (taken < PRODUCERS * THINGS_EACH) {
        void *got = ampel_queue_pop(queue);
        if (got == NULL) {
            wait_readable(ampel_queue_fd(queue));
            continue;
        }
        uintptr_t number = number_of(got);
        assert_int_equal(number % THINGS_EACH, next[number / THINGS_EACH]++);
        taken++;
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        ampel_queue_close(producers[i].wake);
    }
    assert_null(ampel_queue_pop(queue));
    ampel_queue_close(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(a_full_queue_takes_nothing_more),
        cmocka_unit_test(the_fd_is_readable_while_something_waits_and_not_after),
        cmocka_unit_test(what_is_pushed_quietly_wakes_nobody_before_it_is_stirred),
        cmocka_unit_test(producers_that_met_a_full_queue_are_woken_when_it_is_half_empty),
        cmocka_unit_test(threads_lose_nothing_and_no_wake),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}

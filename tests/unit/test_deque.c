/* Pointers in a line (workers/deque.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/deque.h"

static void push(struct ampel_deque *deque, uintptr_t from, uintptr_t to) {
    for (; from < to; from++)
        assert_true(ampel_deque_push(deque, (void *)from));
}

static void pop(struct ampel_deque *deque, uintptr_t from, uintptr_t to) {
    for (; from < to; from++)
        assert_ptr_equal(ampel_deque_pop(deque), (void *)from);
}

static void assert_line(const struct ampel_deque *deque, uintptr_t from, uintptr_t to) {
    assert_int_equal(ampel_deque_count(deque), to - from);
    for (uintptr_t thing = from; thing < to; thing++)
        assert_ptr_equal(ampel_deque_at(deque, thing - from), (void *)thing);
}

static void things_come_out_as_they_went_in_however_many_there_are(void **state) {
    (void)state;
    struct ampel_deque deque = {0};
    for (uintptr_t count = 1; count < 700; count++) {
        push(&deque, 1, count);
        assert_line(&deque, 1, count);
        pop(&deque, 1, count);
        assert_int_equal(ampel_deque_count(&deque), 0);
    }
    ampel_deque_reset(&deque);
}

/* The front runs through all places of a chunk and of the ring while the line grows and shrinks. */
static void a_line_keeps_its_order_while_it_moves_on(void **state) {
    (void)state;
    struct ampel_deque deque = {0};
    uintptr_t first = 1, end = 1;
    for (uintptr_t step = 0; step < 3000; step++) {
        const uintptr_t more = step * 37 % 211, fewer = step % 100 < 50 ? step * 31 % 97 : step * 41 % 331;
        push(&deque, end, end + more);
        end += more;
        const uintptr_t gone = fewer < end - first ? fewer : end - first;
        pop(&deque, first, first + gone);
        first += gone;
        if (step % 16 == 0) assert_line(&deque, first, end);
    }
    assert_line(&deque, first, end);
    ampel_deque_reset(&deque);
}

static void a_line_that_was_reset_is_open_again(void **state) {
    (void)state;
    struct ampel_deque deque = {0};
    for (uintptr_t gone = 0; gone < 260; gone += 13) {
        push(&deque, 1, 300);
        pop(&deque, 1, gone);
        ampel_deque_reset(&deque);
        assert_int_equal(ampel_deque_count(&deque), 0);
    }
    ampel_deque_reset(&deque);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_come_out_as_they_went_in_however_many_there_are),
        cmocka_unit_test(a_line_keeps_its_order_while_it_moves_on),
        cmocka_unit_test(a_line_that_was_reset_is_open_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

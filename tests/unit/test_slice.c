/* The slice that a thread asks for (workers/slice.h). Kernels before 6.12 tell none and give none. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "workers/slice.h"

static void a_thread_gets_a_short_slice_and_its_usual_one_again(void **state) {
    (void)state;
    const uint64_t usual_ns = ampel_slice_get();
    if (usual_ns == 0) skip();
    assert_true(usual_ns > AMPEL_SLICE_SHORT_NS);
    assert_true(ampel_slice_set(AMPEL_SLICE_SHORT_NS));
    assert_int_equal(ampel_slice_get(), AMPEL_SLICE_SHORT_NS);
    assert_true(ampel_slice_set(AMPEL_SLICE_USUAL_NS));
    assert_int_equal(ampel_slice_get(), usual_ns);
}

static void *slice_tell(void *context) {
    *(uint64_t *)context = ampel_slice_get();
    return NULL;
}

static void threads_inherit_the_slice_of_their_maker(void **state) {
    (void)state;
    if (ampel_slice_get() == 0) skip();
    uint64_t told_ns = 0;
    pthread_t thread;
    assert_true(ampel_slice_set(AMPEL_SLICE_SHORT_NS));
    assert_int_equal(pthread_create(&thread, NULL, slice_tell, &told_ns), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(ampel_slice_set(AMPEL_SLICE_USUAL_NS));
    assert_int_equal(told_ns, AMPEL_SLICE_SHORT_NS);
}

static void a_slice_leaves_the_priority_as_it_was(void **state) {
    (void)state;
    assert_int_equal(setpriority(PRIO_PROCESS, 0, 5), 0);
    (void)ampel_slice_set(AMPEL_SLICE_SHORT_NS);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), 5);
    (void)ampel_slice_set(AMPEL_SLICE_USUAL_NS);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gets_a_short_slice_and_its_usual_one_again),
        cmocka_unit_test(threads_inherit_the_slice_of_their_maker),
        cmocka_unit_test(a_slice_leaves_the_priority_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

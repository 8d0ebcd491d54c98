#include "bench/load_pauses.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "bench/load.h"
#include "bench/load_times.h"
#include "workers/realtime.h"

#define PERIOD_NS INT64_C(2000000)
#define GONE_NS   INT64_C(1000000)
#define PRIORITY  90
_Static_assert(PRIORITY > AMPEL_REALTIME_PRIORITY, "the worker's threads and the load's would run before");

struct watch {
    const struct load_pauses *pauses;
    pthread_t thread;
    int64_t due_ns, gone_ns;
    struct load_times late;
};

struct load_pauses {
    int64_t from_ns;
    atomic_bool stop;
    uint32_t count;
    struct watch watches[];
};

static void sleep_until(int64_t due_ns) {
    const struct timespec due = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

static void wake_take(struct watch *watch, int64_t now_ns) {
    bool counts = watch->due_ns >= watch->pauses->from_ns;
    if (counts && now_ns - watch->due_ns > GONE_NS) watch->gone_ns += now_ns - watch->due_ns;
    for (; watch->due_ns <= now_ns; watch->due_ns += PERIOD_NS)
        if (counts) load_times_add(&watch->late, now_ns - watch->due_ns);
}

static void *watch_core(void *context) {
    struct watch *watch = context;
    for (;;) {
        sleep_until(watch->due_ns);
        wake_take(watch, load_now_ns());
        if (atomic_load(&watch->pauses->stop)) return NULL;
    }
}

static bool thread_begin(struct watch *watch, uint32_t core) {
    const struct sched_param param = {.sched_priority = PRIORITY};
    pthread_attr_t attributes;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (pthread_attr_init(&attributes) != 0) load_fail("no memory", "");
    bool begun = pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED) == 0 &&
                 pthread_attr_setschedpolicy(&attributes, SCHED_FIFO) == 0 &&
                 pthread_attr_setschedparam(&attributes, &param) == 0 &&
                 pthread_attr_setaffinity_np(&attributes, sizeof one, &one) == 0 &&
                 pthread_create(&watch->thread, &attributes, watch_core, watch) == 0;
    pthread_attr_destroy(&attributes);
    return begun;
}

static void threads_end(struct load_pauses *pauses) {
    atomic_store(&pauses->stop, true);
    for (uint32_t i = 0; i < pauses->count; i++) pthread_join(pauses->watches[i].thread, NULL);
}

static void pauses_free(struct load_pauses *pauses) {
    for (uint32_t i = 0; i < pauses->count; i++) free(pauses->watches[i].late.ns);
    free(pauses);
}

struct load_pauses *load_pauses_begin(int64_t from_ns) {
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return NULL;
    uint32_t cores_count = (uint32_t)CPU_COUNT(&cores);
    struct load_pauses *pauses = calloc(1, sizeof *pauses + cores_count * sizeof pauses->watches[0]);
    if (pauses == NULL) load_fail("no memory", "");
    pauses->from_ns = from_ns;
    int64_t now_ns = load_now_ns();
    for (uint32_t core = 0; core < CPU_SETSIZE && pauses->count < cores_count; core++) {
        if (!CPU_ISSET(core, &cores)) continue;
        struct watch *watch = &pauses->watches[pauses->count];
        *watch = (struct watch){.pauses = pauses, .due_ns = now_ns + PERIOD_NS + PERIOD_NS * pauses->count / cores_count};
        if (!thread_begin(watch, core)) {
            threads_end(pauses);
            pauses_free(pauses);
            return NULL;
        }
        pauses->count++;
    }
    return pauses;
}

void load_pauses_end(struct load_pauses *pauses, const char *name) {
    if (pauses == NULL) return;
    threads_end(pauses);
    struct load_times late = {0};
    int64_t gone_ns = 0;
    for (uint32_t i = 0; i < pauses->count; i++) {
        const struct watch *watch = &pauses->watches[i];
        for (uint64_t k = 0; k < watch->late.count; k++) load_times_add(&late, watch->late.ns[k]);
        gone_ns += watch->gone_ns;
    }
    double all_ns = (double)late.count * PERIOD_NS;
    printf("{\"name\":\"%s_gone\",\"unit\":\"percent\",\"value\":%.3f}\n", name, all_ns > 0 ? 100 * (double)gone_ns / all_ns : 0);
    load_times_tell(name, &late);
    pauses_free(pauses);
}

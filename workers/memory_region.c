#include "workers/memory_region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workers/clock.h"

/* A huge page: what the system finds and clears at once. */
#define STEP_BYTES ((size_t)2 << 20)

/* Pages that take so much processor time are dear, until so many in a row are not. */
#define DEAR_NS   INT64_C(2000000)
#define CHEAP_ROW 512
/* So little in front of what is handed out, and its user may come at any moment. */
#define NEAR_BYTES ((size_t)4 << 20)

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones refuse it, and nothing is ahead */
#define MADV_POPULATE_WRITE 23
#endif

static size_t aligned(size_t bytes, size_t alignment) {
    return (bytes + alignment - 1) & ~(alignment - 1);
}

/* How far the pages may be touched now. */
static size_t goal(const struct ampel_region *region) {
    size_t handed = atomic_load_explicit(&region->handed, memory_order_relaxed);
    size_t ahead = handed / 2 < AMPEL_REGION_AHEAD_BYTES ? handed / 2 : AMPEL_REGION_AHEAD_BYTES;
    return handed + ahead < region->size ? handed + ahead : region->size;
}

/* Where to go on. Whoever has come near uses the page that would be touched next, and would wait for it: the way is left to
   them for a while, where pages are small. */
static size_t next_page(const struct ampel_region *region, size_t touched, bool small) {
    size_t handed = aligned(atomic_load_explicit(&region->handed, memory_order_relaxed), STEP_BYTES);
    return small && touched < handed + NEAR_BYTES ? handed + 2 * NEAR_BYTES : touched;
}

static bool stopped(const struct ampel_region *region) {
    return atomic_load_explicit(&region->stopped, memory_order_relaxed);
}

bool ampel_region_small(bool small, int64_t spent_ns, uint32_t *cheap) {
    *cheap = spent_ns > DEAR_NS ? 0 : *cheap + 1;
    return *cheap == 0 || (small && *cheap < CHEAP_ROW);
}

/* What is not touched yet. */
static bool rest_advise(const struct ampel_region *region, size_t touched, bool small) {
    return touched < region->size &&
           madvise(region->base + touched, region->size - touched, small ? MADV_NOHUGEPAGE : MADV_HUGEPAGE) == 0;
}

/* One page. False: the system refuses: it is an older one, or there is no memory, which the page's user will see. */
static bool page_touch(const struct ampel_region *region, size_t offset, bool small) {
    int done;
    if (small) (void)madvise(region->base + offset, STEP_BYTES, MADV_HUGEPAGE);
    do
        done = madvise(region->base + offset, STEP_BYTES, MADV_POPULATE_WRITE);
    while (done != 0 && (errno == EINTR || errno == EAGAIN) && !stopped(region));
    return done == 0;
}

/* Page by page, so that whoever needs the map of addresses waits for one page at most. */
static void *region_run(void *context) {
    struct ampel_region *region = context;
    size_t touched = 0;
    bool small = false; /* what is not touched yet has small pages */
    uint32_t cheap = 0;
    (void)pthread_setname_np(pthread_self(), "memory");
    while (!stopped(region)) {
        size_t next = next_page(region, touched, small);
        if (next + STEP_BYTES > goal(region)) {
            while (sem_wait(&region->wake) != 0 && errno == EINTR)
                continue;
            continue;
        }
        int64_t before_ns = ampel_clock_spent_ns();
        if (!page_touch(region, next, small)) break;
        touched = next + STEP_BYTES;
        atomic_store_explicit(&region->touched, touched, memory_order_relaxed);
        bool wanted = ampel_region_small(small, ampel_clock_spent_ns() - before_ns, &cheap);
        if (wanted != small && rest_advise(region, touched, wanted)) small = wanted;
    }
    return NULL;
}

static size_t machine_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)8 << 30;
}

bool ampel_region_open(struct ampel_region *region) {
    memset(region, 0, sizeof(*region));
    region->size = aligned(2 * machine_bytes(), STEP_BYTES);
    region->map_size = region->size + STEP_BYTES;
    region->map = mmap(NULL, region->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region->map == MAP_FAILED) return false;
    region->base = (uint8_t *)region->map + (-(uintptr_t)region->map) % STEP_BYTES;
    (void)madvise(region->base, region->size, MADV_HUGEPAGE);
    if (sem_init(&region->wake, 0, 0) == 0 && pthread_create(&region->thread, NULL, region_run, region) == 0) return true;
    (void)munmap(region->map, region->map_size);
    region->base = NULL;
    return false;
}

void *ampel_region_take(struct ampel_region *region, size_t size, size_t alignment) {
    AMPEL_ASSERT(alignment > 0 && (alignment & (alignment - 1)) == 0 && alignment <= STEP_BYTES);
    size_t first = aligned(atomic_load_explicit(&region->handed, memory_order_relaxed), alignment);
    if (size > region->size || first > region->size - size) return NULL;
    atomic_store_explicit(&region->handed, first + size, memory_order_relaxed);
    if (goal(region) >= atomic_load_explicit(&region->touched, memory_order_relaxed) + STEP_BYTES) (void)sem_post(&region->wake);
    return region->base + first;
}

void ampel_region_close(struct ampel_region *region) {
    if (region->base == NULL) return;
    atomic_store_explicit(&region->stopped, true, memory_order_relaxed);
    (void)sem_post(&region->wake);
    (void)pthread_join(region->thread, NULL);
    (void)sem_destroy(&region->wake);
    (void)munmap(region->map, region->map_size);
    region->base = NULL;
}

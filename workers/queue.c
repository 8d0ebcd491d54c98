#define _POSIX_C_SOURCE 200809L
#include "workers/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CAPACITY_MAX 65536
#define CACHE_LINE   64

struct cell {
    _Atomic uint32_t turn;
    void *thing;
};

struct ampel_queue {
    uint32_t mask;
    int fd;
    struct cell *cells;
    uint32_t wake_count;
    int wake_fds[AMPEL_QUEUE_PRODUCERS_MAX];
    _Alignas(CACHE_LINE) _Atomic uint32_t tail;
    _Alignas(CACHE_LINE) _Atomic uint32_t head;
    _Alignas(CACHE_LINE) atomic_bool signalled; /* the fd is readable, or will be at once */
    atomic_bool wanted;                         /* a push failed and its producer waits for room */
    _Atomic uint32_t depth;
};

static void raise_fd(int fd) {
    const uint64_t one = 1;
    ssize_t written;
    /* EAGAIN means that the counter is full, and so readable. */
    do {
        written = write(fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

static void drain_fd(int fd) {
    uint64_t count;
    ssize_t got;
    do {
        got = read(fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
}

struct ampel_queue *ampel_queue_open(uint32_t capacity) {
    uint32_t cells_count = 2;
    while (cells_count < capacity && cells_count < CAPACITY_MAX)
        cells_count *= 2;
    struct ampel_queue *queue = aligned_alloc(CACHE_LINE, sizeof(*queue));
    if (queue == NULL) return NULL;
    *queue = (struct ampel_queue){.mask = cells_count - 1, .fd = -1};
    queue->cells = calloc(cells_count, sizeof(queue->cells[0]));
    if (queue->cells != NULL) queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&queue->depth, UINT32_MAX);
    if (queue->fd < 0) {
        free(queue->cells);
        free(queue);
        return NULL;
    }
    for (uint32_t i = 0; i < cells_count; i++)
        atomic_init(&queue->cells[i].turn, i);
    return queue;
}

void ampel_queue_close(struct ampel_queue *queue) {
    if (queue == NULL) return;
    AMPEL_ASSERT(ampel_queue_count(queue) == 0);
    (void)close(queue->fd);
    free(queue->cells);
    free(queue);
}

/* Indices run through all of u32 and wrap; only their distances matter. */
static bool try_push(struct ampel_queue *queue, void *thing) {
    uint32_t index = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &queue->cells[index & queue->mask];
        uint32_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        int32_t distance = (int32_t)(turn - index);
        if (distance < 0) return false;
        if (distance > 0) {
            index = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&queue->tail, &index, index + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->thing = thing;
            atomic_store_explicit(&cell->turn, index + 1, memory_order_release);
            return true;
        }
    }
}

bool ampel_queue_push_quietly(struct ampel_queue *queue, void *thing) {
    AMPEL_ASSERT(thing != NULL);
    if (!try_push(queue, thing)) {
        /* Whoever takes a thing from now on sees the wish; room made just before is seen by the
         * second try. */
        atomic_exchange(&queue->wanted, true);
        if (!try_push(queue, thing)) return false;
    }
    return true;
}

bool ampel_queue_push(struct ampel_queue *queue, void *thing) {
    if (!ampel_queue_push_quietly(queue, thing)) return false;
    if (!atomic_exchange(&queue->signalled, true)) raise_fd(queue->fd);
    return true;
}

void ampel_queue_stir(struct ampel_queue *queue) {
    if (ampel_queue_count(queue) == 0) return;
    if (!atomic_exchange(&queue->signalled, true)) raise_fd(queue->fd);
}

static void *try_pop(struct ampel_queue *queue) {
    uint32_t index = atomic_load_explicit(&queue->head, memory_order_relaxed);
    struct cell *cell = &queue->cells[index & queue->mask];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != index + 1) return NULL;
    void *thing = cell->thing;
    atomic_store_explicit(&cell->turn, index + queue->mask + 1, memory_order_release);
    atomic_store_explicit(&queue->head, index + 1, memory_order_release);
    return thing;
}

static void tell_room(struct ampel_queue *queue) {
    if (ampel_queue_count(queue) > (queue->mask + 1) / 2) return;
    if (!atomic_exchange(&queue->wanted, false)) return;
    for (uint32_t i = 0; i < queue->wake_count; i++)
        raise_fd(queue->wake_fds[i]);
}

void *ampel_queue_pop(struct ampel_queue *queue) {
    void *thing = try_pop(queue);
    if (thing == NULL) {
        drain_fd(queue->fd);
        atomic_exchange(&queue->signalled, false);
        /* What came between the look and the draining has lost its signal: look again. */
        thing = try_pop(queue);
        if (thing == NULL) return NULL;
        if (!atomic_exchange(&queue->signalled, true)) raise_fd(queue->fd);
    }
    tell_room(queue);
    return thing;
}

uint32_t ampel_queue_count(const struct ampel_queue *queue) {
    uint32_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
    uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_acquire);
    return tail - head;
}

uint32_t ampel_queue_capacity(const struct ampel_queue *queue) {
    return queue->mask + 1;
}

void ampel_queue_depth_set(struct ampel_queue *queue, uint32_t depth) {
    atomic_store_explicit(&queue->depth, depth, memory_order_relaxed);
}

uint32_t ampel_queue_depth(const struct ampel_queue *queue) {
    return atomic_load_explicit(&queue->depth, memory_order_relaxed);
}

int ampel_queue_fd(const struct ampel_queue *queue) {
    return queue->fd;
}

void ampel_queue_wake(struct ampel_queue *queue) {
    raise_fd(queue->fd);
}

void ampel_queue_want_room(struct ampel_queue *queue) { atomic_exchange(&queue->wanted, true); }

void ampel_queue_on_room(struct ampel_queue *queue, int wake_fd) {
    if (wake_fd < 0) {
        queue->wake_count = 0;
        return;
    }
    for (uint32_t i = 0; i < queue->wake_count; i++) {
        if (queue->wake_fds[i] == wake_fd) return;
    }
    AMPEL_ASSERT(queue->wake_count < AMPEL_QUEUE_PRODUCERS_MAX);
    queue->wake_fds[queue->wake_count++] = wake_fd;
}

#include "workers/cli/feed_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/text.h"

/* A worker has 256 for feeders and watchers: some are left to others. */
#define LIVE_MAX 240
/* From here on connections of which nothing waits are closed when another tenant wants one. The rest of LIVE_MAX is for those
   that the worker has not yet seen go. */
#define LIVE_KEPT 128
/* Handshakes under way: more than keep both sides busy, fewer than a listening socket holds back. */
#define HANDSHAKES_MAX 64
/* Open files of one connection: socket, mailbox and two of its monitor; twice, as one that was closed goes a little later. */
#define CONNECTION_FILES 8
#define OTHER_FILES 64
/* Bytes that may wait for their acks, of all tenants: a bound for memory. */
#define WAITING_BYTES_MAX (UINT64_C(128) << 20)
/* Likewise of one tenant: a tenth of a second of a network as fast as a worker, and what is fed again and again stays near. */
#define WAY_BYTES_MAX (UINT64_C(16) << 20)
#define WAIT_MS 50
#define TICK_NS INT64_C(50000000)
/* How often the caller of push pays for looking after others. */
#define SERVE_EVERY_NS INT64_C(500000)
#define REST_NS INT64_C(1000000000)
/* A caller that was away for longer did not listen. */
#define AWAY_NS INT64_C(1000000000)
#define EVENTS_MAX 64
#define PATH_BYTES 4096

enum way_state {
    WAY_IDLE,    /* nothing waits, no connection */
    WAY_LINED,   /* in line for a connection */
    WAY_LIVE,    /* connected, or about to be */
    WAY_RESTING, /* the key was refused: in line again after a while */
    WAY_FAILED,
};

struct ampel_feed_way {
    struct ampel_feed_link *link; /* NULL: its key could not be read */
    enum way_state state;
    bool greeted;                /* since it is live the worker has welcomed it */
    uint32_t live_index;
    uint64_t used;               /* when it last had something to do; the least is closed first */
    int fds[2];
    int64_t again_ns;            /* resting until then */
    struct ampel_feed_way *next; /* in line, or resting */
};

struct way_list {
    struct ampel_feed_way *first, *last;
};

struct ampel_feed_links {
    struct ampel_feed_shared shared;
    struct ampel_system_clock clock_state;
    const char *keys;
    int epoll;
    bool ended; /* for all; said */
    uint32_t window;
    uint32_t ways_count, ways_capacity, failed_count;
    struct ampel_feed_way **ways;
    uint32_t live_count, handshakes_count;
    struct ampel_feed_way *live[LIVE_MAX];
    struct way_list line, resting; /* resting: in the order of again_ns, as each rests as long */
    uint64_t used;
    int64_t seen_ns, served_ns, tick_ns;
    /* Names of producers, one pointer each; the last is almost always the one. */
    uint32_t producers_count, producers_capacity;
    char **producers;
};

static int64_t now_ns(const struct ampel_feed_links *links) {
    return links->shared.clock.monotonic_ns(links->shared.clock.context);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void list_push(struct way_list *list, struct ampel_feed_way *way) {
    way->next = NULL;
    if (list->first == NULL)
        list->first = way;
    else
        list->last->next = way;
    list->last = way;
}

static struct ampel_feed_way *list_pop(struct way_list *list) {
    struct ampel_feed_way *way = list->first;
    list->first = way->next;
    return way;
}

static const char *producer_keep(struct ampel_feed_links *links, struct ampel_text producer) {
    for (uint32_t i = links->producers_count; i > 0; i--)
        if (ampel_text_is(producer, links->producers[i - 1])) return links->producers[i - 1];
    if (links->producers_count == links->producers_capacity) {
        links->producers_capacity = links->producers_capacity == 0 ? 4 : links->producers_capacity * 2;
        links->producers = realloc(links->producers, links->producers_capacity * sizeof *links->producers);
        AMPEL_ASSERT(links->producers != NULL);
    }
    char *name = strndup(producer.bytes, producer.size);
    AMPEL_ASSERT(name != NULL && producer.size <= AMPEL_ID_BYTES_MAX);
    links->producers[links->producers_count++] = name;
    return name;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* As many connections as the process may have files for. */
static uint32_t window_find(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return LIVE_KEPT / 2;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    if (limit.rlim_cur >= OTHER_FILES + LIVE_MAX * CONNECTION_FILES) return LIVE_MAX;
    return limit.rlim_cur < OTHER_FILES + CONNECTION_FILES
               ? 1
               : (uint32_t)(limit.rlim_cur - OTHER_FILES) / CONNECTION_FILES;
}

struct ampel_feed_links *ampel_feed_links_open(const struct ampel_feed_links_options *options) {
    struct ampel_feed_links *links = calloc(1, sizeof *links);
    AMPEL_ASSERT(links != NULL);
    links->keys = options->keys;
    links->shared.endpoint = options->endpoint;
    links->shared.patience_ns = options->patience_ms * 1000000;
    links->shared.sink = options->sink;
    links->shared.sink_context = options->sink_context;
    links->shared.clients = ampel_client_context_open();
    links->shared.decoder = ampel_message_decoder_open();
    AMPEL_ASSERT(links->shared.clients != NULL && links->shared.decoder != NULL);
    ampel_clock_system(&links->clock_state, INT64_MIN, 1, &links->shared.clock);
    links->window = window_find();
    links->epoll = epoll_create1(EPOLL_CLOEXEC);
    AMPEL_ASSERT(links->epoll >= 0);
    links->seen_ns = now_ns(links);
    links->shared.heard_ns = links->seen_ns - links->shared.patience_ns - 1;
    return links;
}

void ampel_feed_links_close(struct ampel_feed_links *links) {
    if (links == NULL) return;
    for (uint32_t i = 0; i < links->ways_count; i++) {
        ampel_feed_link_close(links->ways[i]->link);
        free(links->ways[i]);
    }
    for (uint32_t i = 0; i < links->producers_count; i++) free(links->producers[i]);
    free(links->producers);
    free(links->ways);
    (void)close(links->epoll);
    ampel_client_context_close(links->shared.clients);
    ampel_message_decoder_close(links->shared.decoder);
    free(links);
}

struct ampel_feed_way *ampel_feed_links_way(struct ampel_feed_links *links, const char *tenant) {
    if (links->ways_count == links->ways_capacity) {
        links->ways_capacity = links->ways_capacity == 0 ? 16 : links->ways_capacity * 2;
        links->ways = realloc(links->ways, links->ways_capacity * sizeof *links->ways);
        AMPEL_ASSERT(links->ways != NULL);
    }
    struct ampel_feed_way *way = calloc(1, sizeof *way);
    AMPEL_ASSERT(way != NULL);
    links->ways[links->ways_count++] = way;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s.key", links->keys, tenant);
    if (!ampel_feed_link_open(&links->shared, path, tenant, &way->link)) {
        way->state = WAY_FAILED;
        links->failed_count++;
    }
    return way;
}

bool ampel_feed_way_good(const struct ampel_feed_way *way) { return way->state != WAY_FAILED; }
uint32_t ampel_feed_links_failed(const struct ampel_feed_links *links) { return links->failed_count; }

/* ---- connections ----------------------------------------------------------------------------- */

/* Before any other connection is opened: the link may have closed its files, whose numbers are then used again. */
static void live_leave(struct ampel_feed_links *links, struct ampel_feed_way *way) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(way->fds); i++)
        (void)epoll_ctl(links->epoll, EPOLL_CTL_DEL, way->fds[i], NULL);
    ampel_feed_link_disconnect(way->link);
    if (!way->greeted) links->handshakes_count--;
    struct ampel_feed_way *last = links->live[--links->live_count];
    links->live[way->live_index] = last;
    last->live_index = way->live_index;
    way->state = WAY_IDLE;
}

static void way_fail(struct ampel_feed_links *links, struct ampel_feed_way *way) {
    live_leave(links, way);
    ampel_feed_link_drop(way->link);
    way->state = WAY_FAILED;
    links->failed_count++;
    if (links->failed_count == links->ways_count) links->ended = true;
}

static void way_turn(struct ampel_feed_links *links, struct ampel_feed_way *way) {
    if (links->ended) return;
    way->used = ++links->used;
    switch (ampel_feed_link_turn(way->link)) {
    case AMPEL_FEED_GOOD:
        if (!way->greeted && ampel_feed_link_welcome(way->link)) {
            way->greeted = true;
            links->handshakes_count--;
        }
        break;
    case AMPEL_FEED_REFUSED:
        live_leave(links, way);
        if (ampel_feed_link_waiting(way->link) == 0) break;
        way->state = WAY_RESTING;
        way->again_ns = now_ns(links) + REST_NS;
        list_push(&links->resting, way);
        break;
    case AMPEL_FEED_SILENT:
        if (now_ns(links) - links->shared.heard_ns > links->shared.patience_ns)
            links->ended = true;
        else
            way_fail(links, way);
        break;
    default:
        way_fail(links, way);
        break;
    }
}

static bool watch(struct ampel_feed_links *links, struct ampel_feed_way *way, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = way};
    return epoll_ctl(links->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void way_connect(struct ampel_feed_links *links, struct ampel_feed_way *way) {
    if (!ampel_feed_link_connect(way->link)) {
        links->ended = true;
        return;
    }
    const struct ampel_client *client = ampel_feed_link_client(way->link);
    way->fds[0] = ampel_client_fd(client);
    way->fds[1] = ampel_client_life_fd(client);
    /* What is told of the connection's life is not always read at once: one call for each piece of news is enough. */
    AMPEL_ASSERT(watch(links, way, way->fds[0], EPOLLIN) && watch(links, way, way->fds[1], EPOLLIN | EPOLLET));
    way->state = WAY_LIVE;
    way->greeted = false;
    way->live_index = links->live_count;
    links->live[links->live_count++] = way;
    links->handshakes_count++;
    way_turn(links, way);
}

/* Closes the connection of which nothing waits for longest; false where there is none. */
static bool idle_close(struct ampel_feed_links *links) {
    struct ampel_feed_way *idle = NULL;
    for (uint32_t i = 0; i < links->live_count; i++) {
        struct ampel_feed_way *way = links->live[i];
        if (ampel_feed_link_waiting(way->link) == 0 && (idle == NULL || way->used < idle->used)) idle = way;
    }
    if (idle != NULL) live_leave(links, idle);
    return idle != NULL;
}

static bool room_make(struct ampel_feed_links *links) {
    if (links->live_count >= LIVE_KEPT || links->live_count == links->window)
        (void)idle_close(links);
    return links->live_count < links->window;
}

static void line_admit(struct ampel_feed_links *links) {
    while (links->resting.first != NULL && links->resting.first->again_ns <= links->served_ns) {
        struct ampel_feed_way *way = list_pop(&links->resting);
        way->state = WAY_LINED;
        list_push(&links->line, way);
    }
    while (!links->ended && links->line.first != NULL && links->handshakes_count < HANDSHAKES_MAX &&
           room_make(links))
        way_connect(links, list_pop(&links->line));
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static int64_t presence_note(struct ampel_feed_links *links) {
    const int64_t now = now_ns(links), away_ns = now - links->seen_ns;
    links->seen_ns = now;
    if (away_ns > AWAY_NS) {
        links->shared.heard_ns += away_ns;
        for (uint32_t i = 0; i < links->live_count; i++) ampel_feed_link_away(links->live[i]->link, away_ns);
    }
    return now;
}

static void live_tick(struct ampel_feed_links *links) {
    links->tick_ns = links->served_ns + TICK_NS;
    for (uint32_t i = links->live_count; i > 0; i--)
        if (ampel_feed_link_waiting(links->live[i - 1]->link) > 0) way_turn(links, links->live[i - 1]);
}

/* One round for all: opens what there is room for, waits at most wait_ms for something to come, takes it. */
static void serve(struct ampel_feed_links *links, int wait_ms) {
    struct epoll_event events[EVENTS_MAX];
    links->served_ns = presence_note(links);
    line_admit(links);
    const int count = epoll_wait(links->epoll, events, EVENTS_MAX, links->ended ? 0 : wait_ms);
    for (int i = 0; i < count; i++) {
        struct ampel_feed_way *way = events[i].data.ptr;
        if (way->state == WAY_LIVE) way_turn(links, way);
    }
    links->served_ns = presence_note(links);
    if (links->served_ns >= links->tick_ns) live_tick(links);
}

static bool unsettled(const struct ampel_feed_links *links) {
    return links->line.first != NULL || links->handshakes_count > 0;
}

static struct ampel_feed_parcel *parcel_make(struct ampel_feed_links *links, const uint8_t *bytes,
                                             uint32_t size, const struct ampel_batch_header *header) {
    struct ampel_feed_parcel *parcel = malloc(sizeof *parcel + size);
    AMPEL_ASSERT(parcel != NULL);
    atomic_init(&parcel->holders, 1);
    parcel->producer = producer_keep(links, header->producer);
    parcel->sequence = header->sequence;
    parcel->size = size;
    memcpy(parcel->bytes, bytes, size);
    return parcel;
}

/* Whether there is no room for one more of this tenant. */
static bool crowded(const struct ampel_feed_links *links, const struct ampel_feed_way *way) {
    return links->shared.bytes > WAITING_BYTES_MAX ||
           (way->state == WAY_LIVE &&
            (ampel_feed_link_full(way->link) || ampel_feed_link_waiting_bytes(way->link) > WAY_BYTES_MAX));
}

bool ampel_feed_links_push(struct ampel_feed_links *links, struct ampel_feed_way *way, const uint8_t *bytes,
                           uint32_t size, const struct ampel_batch_header *header, bool more) {
    if (way->state == WAY_FAILED) return !links->ended;
    const int64_t now = presence_note(links);
    ampel_feed_link_push(way->link, parcel_make(links, bytes, size, header));
    if (way->state == WAY_IDLE) {
        way->state = WAY_LINED;
        list_push(&links->line, way);
    }
    const bool full = ampel_feed_link_full(way->link);
    if (way->state == WAY_LIVE && ampel_feed_link_welcome(way->link) &&
        (full || !more || ampel_feed_link_new_bytes(way->link) >= AMPEL_FEED_BUNDLE_BYTES))
        way_turn(links, way);
    if (now >= links->tick_ns || (unsettled(links) && now - links->served_ns >= SERVE_EVERY_NS)) serve(links, 0);
    while (!links->ended && crowded(links, way)) serve(links, WAIT_MS);
    return !links->ended;
}

bool ampel_feed_links_send(struct ampel_feed_links *links, bool wait) {
    while (wait && !links->ended && unsettled(links)) serve(links, WAIT_MS);
    for (uint32_t i = links->live_count; i > 0; i--)
        if (ampel_feed_link_new_bytes(links->live[i - 1]->link) > 0) way_turn(links, links->live[i - 1]);
    return !links->ended && (!wait || links->ways_count == 0 || links->failed_count < links->ways_count);
}

bool ampel_feed_links_drain(struct ampel_feed_links *links) {
    while (!links->ended && links->shared.bytes > 0) serve(links, WAIT_MS);
    return !links->ended;
}

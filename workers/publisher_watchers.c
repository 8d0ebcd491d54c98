#include "workers/publisher_watchers.h"

#include <stdlib.h>
#include <string.h>

#include "workers/metrics.h"

/* Messages to one watcher before the next has its turn. */
#define MESSAGES_A_PUMP 256
/* What a connection holds is on its way soon where the watcher reads, and is not for long where it does not: it is looked at again
   after a quarter of the time for which it has been full. */
#define FULL_AGAIN_NS     INT64_C(500000)
#define FULL_AGAIN_MAX_NS INT64_C(20000000)
#define FULL_AGAIN_SHARE  4
/* The database was away when rows were asked for. */
#define ASK_AGAIN_NS        INT64_C(1000000000)
#define SMALL_MESSAGE_BYTES 512

struct watcher {
    struct ampel_peer peer;
    uint32_t stream;
    bool greeted; /* `watching` was sent */
    bool asked;   /* an ANSWER is to come */
    bool stale;   /* and is of no use: it was asked for before the watcher started anew */
    uint64_t epoch;
    uint64_t next;                      /* the number it is sent next */
    uint64_t ask_from, ask_before;      /* of the last ASK: numbers it is good for */
    struct ampel_parcel_answer *answer; /* rows under way, from answer_at on */
    uint32_t answer_at;
    int64_t sent_ns;       /* the last message of any kind */
    int64_t not_before_ns; /* it was full, or the database away */
    bool full;             /* the last look found it so */
    int64_t full_since_ns;
};

struct ampel_publisher_watchers {
    struct ampel_publisher_streams *streams;
    struct ampel_network network;
    uint32_t count, capacity;
    struct watcher *watchers;
};

struct ampel_publisher_watchers *
ampel_publisher_watchers_open(struct ampel_publisher_streams *streams,
                              const struct ampel_network *network) {
    struct ampel_publisher_watchers *watchers = calloc(1, sizeof(*watchers));
    if (watchers == NULL) return NULL;
    watchers->streams = streams;
    watchers->network = *network;
    return watchers;
}

void ampel_publisher_watchers_close(struct ampel_publisher_watchers *watchers) {
    if (watchers == NULL) return;
    for (uint32_t i = 0; i < watchers->count; i++)
        ampel_parcel_answer_free(watchers->watchers[i].answer);
    free(watchers->watchers);
    free(watchers);
}

static void forget(struct ampel_publisher_watchers *watchers, uint32_t index) {
    ampel_parcel_answer_free(watchers->watchers[index].answer);
    watchers->watchers[index] = watchers->watchers[--watchers->count];
}

static struct watcher *find(const struct ampel_publisher_watchers *watchers,
                            const struct ampel_peer *peer, uint32_t stream) {
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct watcher *watcher = &watchers->watchers[i];
        if (watcher->stream == stream && watcher->peer.size == peer->size &&
            memcmp(watcher->peer.bytes, peer->bytes, peer->size) == 0)
            return watcher;
    }
    return NULL;
}

static struct watcher *claim(struct ampel_publisher_watchers *watchers) {
    if (watchers->count == AMPEL_WATCHERS_MAX) return NULL;
    if (watchers->count == watchers->capacity) {
        const uint32_t capacity = watchers->capacity == 0 ? 16 : watchers->capacity * 2;
        struct watcher *larger = realloc(watchers->watchers, capacity * sizeof(*larger));
        if (larger == NULL) return NULL;
        watchers->watchers = larger;
        watchers->capacity = capacity;
    }
    return &watchers->watchers[watchers->count++];
}

bool ampel_publisher_watchers_push(struct ampel_publisher_watchers *watchers,
                                   const struct ampel_peer *peer, uint32_t stream, uint64_t from,
                                   uint64_t epoch, int64_t now_ns) {
    struct watcher *watcher = find(watchers, peer, stream);
    const bool asked = watcher != NULL && watcher->asked;
    if (watcher == NULL) {
        watcher = claim(watchers);
        if (watcher == NULL) return false;
    } else {
        ampel_parcel_answer_free(watcher->answer);
    }
    const uint64_t next = ampel_publisher_streams_next(watchers->streams, stream);
    *watcher = (struct watcher){.peer = *peer,
                                .stream = stream,
                                .asked = asked,
                                .stale = asked,
                                .epoch = epoch,
                                .next = from == 0 || from > next ? next : from,
                                .sent_ns = now_ns,
                                .not_before_ns = INT64_MIN};
    return true;
}

void ampel_publisher_watchers_answer(struct ampel_publisher_watchers *watchers,
                                     struct ampel_parcel_answer *answer, int64_t now_ns) {
    const struct ampel_text tenant = {answer->tenant, (uint32_t)strlen(answer->tenant)};
    uint32_t stream;
    struct watcher *watcher = NULL;
    if (ampel_publisher_streams_claim(watchers->streams, tenant, answer->stream, &stream))
        watcher = find(watchers, &answer->peer, stream);
    if (watcher == NULL || !watcher->asked ||
        (!watcher->stale && watcher->ask_from != answer->from)) {
        ampel_parcel_answer_free(answer);
        return;
    }
    watcher->asked = false;
    if (watcher->stale) {
        watcher->stale = false;
        ampel_parcel_answer_free(answer);
        return;
    }
    if (answer->failed) {
        watcher->not_before_ns = now_ns + ASK_AGAIN_NS;
        ampel_parcel_answer_free(answer);
        return;
    }
    watcher->answer = answer;
    watcher->answer_at = 0;
}

void ampel_publisher_watchers_evict(struct ampel_publisher_watchers *watchers,
                                    bool (*keep)(const void *context, const char *tenant),
                                    const void *context) {
    for (uint32_t i = watchers->count; i > 0; i--) {
        const char *tenant =
            ampel_publisher_streams_tenant(watchers->streams, watchers->watchers[i - 1].stream);
        if (!keep(context, tenant)) forget(watchers, i - 1);
    }
}

/* ---- pumping -------------------------------------------------------------------------------- */

enum step { STEP_SENT, STEP_NOTHING, STEP_WAITS, STEP_GONE, STEP_NO_MEMORY };

static int64_t full_again_ns(int64_t full_ns) {
    const int64_t again_ns = full_ns / FULL_AGAIN_SHARE;
    if (again_ns < FULL_AGAIN_NS) return FULL_AGAIN_NS;
    return again_ns < FULL_AGAIN_MAX_NS ? again_ns : FULL_AGAIN_MAX_NS;
}

static enum step bytes_send(const struct ampel_publisher_watchers *watchers,
                            struct watcher *watcher, const uint8_t *bytes, uint32_t size,
                            int64_t now_ns) {
    switch (watchers->network.send(watchers->network.context, &watcher->peer, bytes, size)) {
    case AMPEL_SEND_OK:
        watcher->sent_ns = now_ns;
        watcher->full = false;
        return STEP_SENT;
    case AMPEL_SEND_FULL:
        if (!watcher->full) watcher->full_since_ns = now_ns;
        watcher->full = true;
        watcher->not_before_ns = now_ns + full_again_ns(now_ns - watcher->full_since_ns);
        return STEP_WAITS;
    case AMPEL_SEND_GONE:
        break;
    }
    return STEP_GONE;
}

static enum step small_send(const struct ampel_publisher_watchers *watchers,
                            struct watcher *watcher, const struct ampel_message *message,
                            int64_t now_ns) {
    uint8_t bytes[SMALL_MESSAGE_BYTES];
    const uint32_t size = ampel_message_encode(message, bytes, sizeof(bytes));
    AMPEL_ASSERT(size > 0);
    return bytes_send(watchers, watcher, bytes, size, now_ns);
}

static enum step greet(const struct ampel_publisher_watchers *watchers, struct watcher *watcher,
                       int64_t now_ns) {
    const char *tenant = ampel_publisher_streams_tenant(watchers->streams, watcher->stream);
    const struct ampel_message message = {
        .kind = AMPEL_MESSAGE_WATCHING,
        .watching = {.tenant = {tenant, (uint32_t)strlen(tenant)},
                     .stream = ampel_publisher_streams_kind(watchers->streams, watcher->stream),
                     .epoch = watcher->epoch,
                     .next = ampel_publisher_streams_next(watchers->streams, watcher->stream),
                     .since = ampel_publisher_streams_since(watchers->streams, watcher->stream)},
    };
    const enum step step = small_send(watchers, watcher, &message, now_ns);
    watcher->greeted = step == STEP_SENT;
    return step;
}

static enum step ask(const struct ampel_publisher_watchers *watchers, struct watcher *watcher,
                     struct ampel_outbox *asks) {
    if (watcher->asked) return STEP_NOTHING;
    struct ampel_parcel_ask *parcel = calloc(1, sizeof(*parcel));
    if (parcel == NULL) return STEP_NO_MEMORY;
    parcel->parcel.kind = AMPEL_PARCEL_ASK;
    parcel->peer = watcher->peer;
    const char *tenant = ampel_publisher_streams_tenant(watchers->streams, watcher->stream);
    memcpy(parcel->tenant, tenant, strlen(tenant));
    parcel->stream = ampel_publisher_streams_kind(watchers->streams, watcher->stream);
    parcel->from = watcher->next;
    parcel->limit = AMPEL_ASK_ROWS;
    if (!ampel_outbox_push(asks, &parcel->parcel)) {
        free(parcel);
        return STEP_NO_MEMORY;
    }
    watcher->asked = true;
    watcher->ask_from = watcher->next;
    watcher->ask_before = ampel_publisher_streams_first(watchers->streams, watcher->stream);
    return STEP_NOTHING;
}

/* The next row of the answer. Numbers that the outbox has not were told in an earlier epoch and
   never stored: the watcher sees a gap, and the same changes under other numbers. */
static enum step row_send(const struct ampel_publisher_watchers *watchers, struct watcher *watcher,
                          int64_t now_ns) {
    struct ampel_parcel_answer *answer = watcher->answer;
    if (watcher->answer_at < answer->rows_count) {
        const struct ampel_answer_row *row = &answer->rows[watcher->answer_at];
        if (row->number < watcher->ask_before) {
            enum step step = STEP_SENT;
            if (row->number >= watcher->next)
                step = bytes_send(watchers, watcher, row->bytes, row->size, now_ns);
            if (step != STEP_SENT) return step;
            watcher->answer_at++;
            if (row->number >= watcher->next) watcher->next = row->number + 1;
            return STEP_SENT;
        }
    }
    const bool all = answer->rows_count < AMPEL_ASK_ROWS || watcher->answer_at < answer->rows_count;
    if (all && watcher->next < watcher->ask_before) watcher->next = watcher->ask_before;
    ampel_parcel_answer_free(answer);
    watcher->answer = NULL;
    return STEP_SENT;
}

static enum step step_take(const struct ampel_publisher_watchers *watchers, struct watcher *watcher,
                           int64_t now_ns, int64_t now_ms, struct ampel_outbox *asks) {
    if (now_ns < watcher->not_before_ns) return STEP_WAITS;
    if (!watcher->greeted) return greet(watchers, watcher, now_ns);
    if (watcher->answer != NULL) return row_send(watchers, watcher, now_ns);
    if (watcher->next < ampel_publisher_streams_first(watchers->streams, watcher->stream)) {
        const enum step step = ask(watchers, watcher, asks);
        if (step != STEP_NOTHING) return step;
    } else if (watcher->next < ampel_publisher_streams_next(watchers->streams, watcher->stream)) {
        const uint8_t *bytes;
        uint32_t size;
        ampel_publisher_streams_get(watchers->streams, watcher->stream, watcher->next, watcher->epoch, &bytes,
                                    &size);
        const enum step step = bytes_send(watchers, watcher, bytes, size, now_ns);
        if (step == STEP_SENT) watcher->next++;
        return step;
    }
    if (now_ns - watcher->sent_ns < AMPEL_BEAT_EVERY_NS) return STEP_NOTHING;
    const struct ampel_message beat = {.kind = AMPEL_MESSAGE_BEAT, .beat = {.now_ms = now_ms}};
    return small_send(watchers, watcher, &beat, now_ns);
}

static void wake_earlier(struct ampel_pumped *pumped, int64_t at_ns) {
    if (at_ns < pumped->wake_ns) pumped->wake_ns = at_ns;
}

struct ampel_pumped ampel_publisher_watchers_pump(struct ampel_publisher_watchers *watchers,
                                                  int64_t now_ns, int64_t now_ms,
                                                  struct ampel_outbox *asks) {
    struct ampel_pumped pumped = {.wake_ns = INT64_MAX};
    uint32_t behind = 0;
    for (uint32_t i = watchers->count; i > 0; i--) {
        struct watcher *watcher = &watchers->watchers[i - 1];
        enum step step = STEP_SENT;
        for (uint32_t sent = 0; sent < MESSAGES_A_PUMP && step == STEP_SENT; sent++)
            step = step_take(watchers, watcher, now_ns, now_ms, asks);
        if (step == STEP_GONE) {
            forget(watchers, i - 1);
            continue;
        }
        if (step == STEP_NO_MEMORY) watcher->not_before_ns = now_ns + ASK_AGAIN_NS;
        pumped.more |= step == STEP_SENT;
        if (step == STEP_WAITS || step == STEP_NO_MEMORY)
            wake_earlier(&pumped, watcher->not_before_ns);
        else
            wake_earlier(&pumped, watcher->sent_ns + AMPEL_BEAT_EVERY_NS);
        const bool caught_up =
            watcher->greeted && watcher->answer == NULL &&
            watcher->next == ampel_publisher_streams_next(watchers->streams, watcher->stream);
        behind += caught_up ? 0 : 1;
        pumped.behind |= !caught_up && !watcher->asked;
    }
    ampel_metric_set(AMPEL_METRIC_WATCHERS, watchers->count);
    ampel_metric_set(AMPEL_METRIC_WATCHERS_BEHIND, behind);
    return pumped;
}

#include "tests/simulation/watchers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_MS 15000
#define AGAIN_MS   500
#define AWAY_MS    INT64_C(20000)

/* One change as it was heard. */
struct heard {
    char id[AMPEL_CHANGE_ID_SIZE];
    uint64_t epoch, number;
    uint32_t asking; /* which of the watcher's questions brought it */
    uint32_t size;
    uint8_t *bytes; /* encoded with neither epoch nor number */
};

/* One question and what the worker said to it. */
struct asking {
    uint64_t from, epoch; /* epoch 0: not answered yet */
    uint64_t least, last; /* numbers that had to come so far: [least, last] */
};

struct watcher {
    const char *tenant;
    enum ampel_stream stream;
    uint32_t peer;
    bool connected_once, from_first; /* it wants everything from number 1 on */
    uint64_t from, epoch, since; /* since: where that epoch begins */
    int64_t heard_ms, deaf_until_ms, ask_at_ms;
    struct asking *askings;
    uint32_t askings_count, askings_capacity;
    struct heard *heard;
    uint32_t heard_count, heard_capacity;
};

struct sim_watchers {
    struct ampel_loopback *network;
    struct sim_model *model;
    struct ampel_random random;
    struct ampel_message_decoder *decoder;
    struct ampel_message *message;
    uint8_t bytes[AMPEL_MESSAGE_BYTES_MAX];
    struct watcher all[SIM_WATCHERS];
};

struct sim_watchers *sim_watchers_open(struct ampel_loopback *network, struct sim_model *model,
                                       const char *const *tenants, uint64_t seed) {
    struct sim_watchers *watchers = calloc(1, sizeof(*watchers));
    AMPEL_ASSERT(watchers != NULL);
    watchers->network = network;
    watchers->model = model;
    watchers->random.state = seed ^ UINT64_C(0x776174);
    watchers->decoder = ampel_message_decoder_open();
    watchers->message = calloc(1, sizeof(*watchers->message));
    AMPEL_ASSERT(watchers->decoder != NULL && watchers->message != NULL);
    for (uint32_t i = 0; i < SIM_WATCHERS; i++) {
        struct watcher *watcher = &watchers->all[i];
        watcher->tenant = tenants[i % SIM_AGENCIES];
        watcher->stream = i % 2 == 0 ? AMPEL_STREAM_ALERTS : AMPEL_STREAM_SCORES;
        watcher->from_first = ampel_random_chance(&watchers->random, 75);
        watcher->from = watcher->from_first ? 1 : 0;
        /* Some come when much has happened. */
        if (ampel_random_chance(&watchers->random, 40))
            watcher->ask_at_ms =
                ampel_random_between(&watchers->random, 0, 20 * INT64_C(60000));
    }
    return watchers;
}

void sim_watchers_close(struct sim_watchers *watchers) {
    if (watchers == NULL) return;
    for (uint32_t i = 0; i < SIM_WATCHERS; i++) {
        for (uint32_t j = 0; j < watchers->all[i].heard_count; j++)
            free(watchers->all[i].heard[j].bytes);
        free(watchers->all[i].heard);
        free(watchers->all[i].askings);
    }
    ampel_message_decoder_close(watchers->decoder);
    free(watchers->message);
    free(watchers);
}

/* ---- asking ------------------------------------------------------------------------------------- */

static void ask(struct sim_watchers *watchers, struct watcher *watcher) {
    struct ampel_message *message = watchers->message;
    memset(message, 0, sizeof(*message));
    message->kind = AMPEL_MESSAGE_WATCH;
    message->watch = (struct ampel_message_watch){.stream = watcher->stream, .from = watcher->from};
    uint32_t size = ampel_message_encode(message, watchers->bytes, sizeof(watchers->bytes));
    AMPEL_ASSERT(size > 0);
    (void)ampel_loopback_say(watchers->network, watcher->peer, watchers->bytes, size);
    watcher->askings = ampel_oracle_grow(watcher->askings, watcher->askings_count,
                                         &watcher->askings_capacity, sizeof(watcher->askings[0]));
    watcher->askings[watcher->askings_count++] = (struct asking){.from = watcher->from};
}

/* For the answer to its last question. */
static bool waits(const struct watcher *watcher) {
    return watcher->askings_count == 0 || watcher->askings[watcher->askings_count - 1].epoch == 0;
}

static void keep_asking(struct sim_watchers *watchers, struct watcher *watcher, int64_t now_ms) {
    if (now_ms < watcher->ask_at_ms) return;
    bool gone = !watcher->connected_once ||
                !ampel_loopback_connected(watchers->network, watcher->peer);
    /* A question without an answer is not asked twice on one connection: nobody could tell whose answer comes. */
    bool silent = now_ms - watcher->heard_ms >= SILENCE_MS || watcher->ask_at_ms > 0;
    if (!gone && silent && waits(watcher)) {
        ampel_loopback_leave(watchers->network, watcher->peer);
        gone = true;
    }
    if (gone) {
        watcher->peer = ampel_loopback_connect(watchers->network, watcher->tenant);
        watcher->connected_once = true;
    }
    if (!gone && !silent) return;
    watcher->heard_ms = now_ms;
    watcher->ask_at_ms = 0;
    ask(watchers, watcher);
}

/* ---- hearing ------------------------------------------------------------------------------------ */

static void take_watching(struct sim_watchers *watchers, struct watcher *watcher,
                          const struct ampel_message_watching *watching) {
    /* What earlier epochs told and did not store comes again from their first own number on. The one before is known; of
       those that nobody here heard of, only that they begin no earlier than the last one that was. */
    bool restarted = watcher->epoch != 0 && watching->epoch != watcher->epoch;
    uint64_t again = watching->epoch == watcher->epoch + 1 ? watching->since : watcher->since;
    watcher->epoch = watching->epoch;
    watcher->since = watching->since;
    struct asking *asking = &watcher->askings[watcher->askings_count - 1];
    asking->epoch = watching->epoch;
    bool ahead = asking->from == 0 || asking->from > watching->next;
    asking->least = ahead ? watching->next : asking->from;
    asking->last = asking->least - 1;
    if (watcher->from == 0) watcher->from = watching->next;
    if (!restarted || again == 0 || again >= watcher->from) return;
    watcher->from = again;
    ask(watchers, watcher);
}

static void take_change(struct sim_watchers *watchers, struct watcher *watcher) {
    struct ampel_message_change *change = &watchers->message->change;
    struct asking *asking = &watcher->askings[watcher->askings_count - 1];
    struct heard heard = {.epoch = change->epoch,
                          .number = change->number,
                          .asking = watcher->askings_count - 1};
    memcpy(heard.id, change->id, sizeof(heard.id));
    /* Between a question and its answer the one before it goes on. */
    if (asking->epoch != 0) {
        bool own = change->epoch == asking->epoch;
        if (change->number <= asking->last && asking->last >= asking->least)
            sim_model_fail(watchers->model, "a watcher of %s was told the number %llu after %llu",
                           watcher->tenant, (unsigned long long)change->number,
                           (unsigned long long)asking->last);
        /* Its own numbers follow each other. Older ones have gaps where a death took them: the check at the end looks
           there. */
        if (own && change->number != asking->last + 1 && asking->last + 1 >= asking->least &&
            watcher->heard_count > 0 &&
            watcher->heard[watcher->heard_count - 1].epoch == change->epoch &&
            watcher->heard[watcher->heard_count - 1].asking == heard.asking)
            sim_model_fail(watchers->model, "a watcher of %s was not told the number %llu",
                           watcher->tenant, (unsigned long long)(asking->last + 1));
        asking->last = change->number;
    } else {
        heard.asking = UINT32_MAX;
    }
    /* What comes before the answer is not what the question was for, and may leave out some of it. */
    if (!waits(watcher) && change->number >= watcher->from) watcher->from = change->number + 1;
    change->epoch = change->number = 0;
    heard.size = ampel_message_encode(watchers->message, watchers->bytes, sizeof(watchers->bytes));
    AMPEL_ASSERT(heard.size > 0);
    heard.bytes = malloc(heard.size);
    AMPEL_ASSERT(heard.bytes != NULL);
    memcpy(heard.bytes, watchers->bytes, heard.size);
    watcher->heard = ampel_oracle_grow(watcher->heard, watcher->heard_count,
                                       &watcher->heard_capacity, sizeof(watcher->heard[0]));
    watcher->heard[watcher->heard_count++] = heard;
}

static void hear(struct sim_watchers *watchers, struct watcher *watcher, int64_t now_ms) {
    const uint8_t *bytes;
    uint32_t size;
    while (now_ms >= watcher->deaf_until_ms && watcher->connected_once &&
           ampel_loopback_hear(watchers->network, watcher->peer, &bytes, &size)) {
        struct ampel_error error = {0};
        if (!ampel_message_decode(watchers->decoder, bytes, size, watchers->message, &error)) {
            sim_model_fail(watchers->model, "a watcher cannot read what it is told: %s: %s",
                           error.field, error.reason);
            return;
        }
        watcher->heard_ms = now_ms;
        if (watchers->message->kind == AMPEL_MESSAGE_WATCHING)
            take_watching(watchers, watcher, &watchers->message->watching);
        else if (watchers->message->kind == AMPEL_MESSAGE_CHANGE)
            take_change(watchers, watcher);
        else if (watchers->message->kind == AMPEL_MESSAGE_BACK)
            watcher->ask_at_ms = now_ms + AGAIN_MS;
    }
}

void sim_watchers_pump(struct sim_watchers *watchers, int64_t now_ms) {
    for (uint32_t i = 0; i < SIM_WATCHERS; i++) {
        hear(watchers, &watchers->all[i], now_ms);
        keep_asking(watchers, &watchers->all[i], now_ms);
    }
}

/* ---- what they do ------------------------------------------------------------------------------- */

static struct watcher *some(struct sim_watchers *watchers) {
    return &watchers->all[ampel_random_below(&watchers->random, SIM_WATCHERS)];
}

void sim_watchers_leave(struct sim_watchers *watchers, int64_t now_ms) {
    struct watcher *watcher = some(watchers);
    if (watcher->connected_once) ampel_loopback_leave(watchers->network, watcher->peer);
    watcher->ask_at_ms = now_ms + ampel_random_between(&watchers->random, 0, AWAY_MS);
}

bool sim_watchers_ask_again(struct sim_watchers *watchers) {
    struct watcher *watcher = some(watchers);
    if (watcher->heard_count == 0 || waits(watcher) ||
        !ampel_loopback_connected(watchers->network, watcher->peer)) {
        return false;
    }
    uint64_t seen = watcher->heard[ampel_random_below(&watchers->random, watcher->heard_count)].number;
    if (seen < watcher->from) watcher->from = seen;
    ask(watchers, watcher);
    return true;
}

void sim_watchers_lag(struct sim_watchers *watchers, int64_t now_ms) {
    some(watchers)->deaf_until_ms =
        now_ms + ampel_random_between(&watchers->random, 1, 2 * AWAY_MS);
}

void sim_watchers_calm(struct sim_watchers *watchers) {
    for (uint32_t i = 0; i < SIM_WATCHERS; i++) {
        watchers->all[i].deaf_until_ms = 0;
        if (watchers->all[i].ask_at_ms > 0) watchers->all[i].ask_at_ms = 1;
    }
}

bool sim_watchers_settled(const struct sim_watchers *watchers) {
    for (uint32_t i = 0; i < SIM_WATCHERS; i++) {
        const struct watcher *watcher = &watchers->all[i];
        if (waits(watcher) || !ampel_loopback_connected(watchers->network, watcher->peer))
            return false;
    }
    return true;
}

uint64_t sim_watchers_heard(const struct sim_watchers *watchers) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SIM_WATCHERS; i++)
        sum += watchers->all[i].heard_count;
    return sum;
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* What is stored, encoded with neither epoch nor number. Returns its size. */
static uint32_t encode_stored(struct sim_watchers *watchers, const struct ampel_stored_told *told) {
    struct ampel_error error = {0};
    AMPEL_ASSERT(ampel_message_decode(watchers->decoder, told->bytes, told->size,
                                      watchers->message, &error));
    watchers->message->change.epoch = watchers->message->change.number = 0;
    return ampel_message_encode(watchers->message, watchers->bytes, sizeof(watchers->bytes));
}

/* Among what it heard; NULL: it did not. */
static const struct heard *heard_of(const struct watcher *watcher, const char *id) {
    for (uint32_t i = 0; i < watcher->heard_count; i++) {
        if (strcmp(watcher->heard[i].id, id) == 0) return &watcher->heard[i];
    }
    return NULL;
}

/* A question had to bring each stored number of its range that no later epoch gave anew. */
static void check_askings(struct sim_watchers *watchers, const struct watcher *watcher,
                          const struct ampel_stored_told *told) {
    for (uint32_t i = 0; i < watcher->askings_count; i++) {
        const struct asking *asking = &watcher->askings[i];
        if (asking->epoch == 0 || told->epoch > asking->epoch || told->number < asking->least ||
            told->number > asking->last)
            continue;
        bool found = false;
        for (uint32_t j = 0; j < watcher->heard_count && !found; j++)
            found = watcher->heard[j].asking == i && strcmp(watcher->heard[j].id, told->id) == 0;
        if (!found)
            sim_model_fail(watchers->model,
                           "a watcher of %s asked for %llu and more and was not told the number "
                           "%llu of epoch %llu",
                           watcher->tenant, (unsigned long long)asking->from,
                           (unsigned long long)told->number, (unsigned long long)told->epoch);
    }
}

static void check_stored(struct sim_watchers *watchers, const struct watcher *watcher,
                         const struct ampel_stored_told *told) {
    const struct heard *heard = heard_of(watcher, told->id);
    if (heard == NULL && watcher->from_first)
        sim_model_fail(watchers->model,
                       "a watcher of %s from number 1 on was never told the change %s, number %llu "
                       "of epoch %llu",
                       watcher->tenant, told->id, (unsigned long long)told->number,
                       (unsigned long long)told->epoch);
    uint32_t size = encode_stored(watchers, told);
    for (uint32_t i = 0; i < watcher->heard_count && heard != NULL; i++) {
        const struct heard *one = &watcher->heard[i];
        if (strcmp(one->id, told->id) == 0 &&
            (one->size != size || memcmp(one->bytes, watchers->bytes, size) != 0))
            sim_model_fail(watchers->model, "a watcher of %s was told the change %s otherwise",
                           watcher->tenant, told->id);
    }
    check_askings(watchers, watcher, told);
}

void sim_watchers_check(struct sim_watchers *watchers) {
    const struct ampel_stored_told *told;
    uint32_t count = ampel_memory_database_told(watchers->model->database, &told);
    for (uint32_t i = 0; i < SIM_WATCHERS && watchers->model->reason[0] == '\0'; i++) {
        const struct watcher *watcher = &watchers->all[i];
        for (uint32_t j = 0; j < count; j++) {
            if (told[j].stream == watcher->stream && strcmp(told[j].tenant, watcher->tenant) == 0)
                check_stored(watchers, watcher, &told[j]);
        }
        for (uint32_t j = 0; j < watcher->heard_count; j++) {
            bool stored = false;
            for (uint32_t k = 0; k < count && !stored; k++)
                stored = strcmp(told[k].id, watcher->heard[j].id) == 0;
            if (!stored)
                sim_model_fail(watchers->model,
                               "a watcher of %s was told the change %s, which is not stored",
                               watcher->tenant, watcher->heard[j].id);
        }
    }
}

/* ampel watch: a tenant's alerts (or score changes) as they come, from any number on. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/environment.h"
#include "workers/cli/format.h"
#include "workers/cli/told.h"
#include "workers/client_zmq.h"
#include "workers/clock.h"

#define PATH_BYTES 4096
/* After a crash of the worker numbers that were told and not stored are given anew. It says from which on; one that does not
   say is asked for so many again. */
#define OVERLAP 1024
/* What is told again is known by its id: of so many at least that came last. */
#define SEEN_LEAST 32768
#define RECEIVE_MS 500
/* The worker beats every 10 s: longer silence means the connection is gone, or the worker has forgotten us. */
#define SILENCE_NS INT64_C(15000000000)

static const struct ampel_usage usage = {
    .command = "watch",
    .arguments = "",
    .about = "Prints a tenant's alerts as they come, each once, also over restarts of the worker.\n"
             "--from N begins with number N of what is stored; without it only what comes is shown.",
    .examples = "  ampel watch --tenant nordlicht\n"
                "  ampel watch --tenant nordlicht --from 1 --count 20 --format jsonl\n",
};

struct watching {
    struct ampel_client *client;
    struct ampel_message_decoder *decoder;
    enum ampel_stream stream;
    enum ampel_format format;
    uint64_t from;        /* the next number wanted; 0: only live ones */
    uint64_t epoch, since; /* since: the first number of that epoch, 0 unknown */
    bool asked;           /* and not answered: what comes meanwhile belongs to an earlier question */
    uint64_t first, first_epoch; /* what was wanted at the start: lower numbers are news in a later epoch only */
    int64_t count_left;   /* 0: no end */
    /* Two tables by id: one fills to its half, then the older one is emptied and filled. */
    uint32_t seen_count, seen_table;
    char seen[2][2 * SEEN_LEAST][AMPEL_CHANGE_ID_SIZE];
};

static bool ask(struct watching *watching) {
    uint8_t bytes[256];
    struct ampel_message message = {.kind = AMPEL_MESSAGE_WATCH,
                                    .watch = {.stream = watching->stream, .from = watching->from}};
    uint32_t size = ampel_message_encode(&message, bytes, sizeof bytes);
    AMPEL_ASSERT(size > 0);
    watching->asked = true;
    return ampel_client_send(watching->client, bytes, size) != AMPEL_CLIENT_FAILED;
}

/* Where the id stands, or an empty place where it would. */
static char *seen_find(struct watching *watching, uint32_t table, const char *id) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < 8 && id[i] != '\0'; i++)
        at = at * 16 + (uint32_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    for (;; at++) {
        char *place = watching->seen[table][at % (2 * SEEN_LEAST)];
        if (place[0] == '\0' || strcmp(place, id) == 0) return place;
    }
}

static bool seen_before(struct watching *watching, const char *id) {
    for (uint32_t table = 0; table < 2; table++)
        if (seen_find(watching, table, id)[0] != '\0') return true;
    if (watching->seen_count == SEEN_LEAST) {
        watching->seen_count = 0;
        watching->seen_table ^= 1;
        memset(watching->seen[watching->seen_table], 0, sizeof watching->seen[0]);
    }
    memcpy(seen_find(watching, watching->seen_table, id), id, AMPEL_CHANGE_ID_SIZE);
    watching->seen_count++;
    return false;
}

static void change_take(struct watching *watching, const struct ampel_message_change *told) {
    if (!watching->asked && told->number >= watching->from) watching->from = told->number + 1;
    if (told->number < watching->first && told->epoch <= watching->first_epoch) return;
    if (seen_before(watching, told->id)) return;
    ampel_told_print(told, watching->format);
    fflush(stdout);
    if (watching->count_left > 0 && --watching->count_left == 0) watching->count_left = -1;
}

/* Another worker: what earlier ones told and did not store comes again, from the first of their own numbers on. Where some
   came and went unheard, theirs are no lower than those of the last one that was. */
static bool again(struct watching *watching, uint64_t epoch, uint64_t since) {
    uint64_t from = epoch == watching->epoch + 1 ? since : watching->since;
    if (from == 0) from = watching->from > OVERLAP ? watching->from - OVERLAP : 1;
    if (from >= watching->from) return true;
    watching->from = from;
    return ask(watching);
}

static bool message_take(struct watching *watching, const uint8_t *bytes, uint32_t size) {
    struct ampel_message message;
    struct ampel_error error = {0};
    if (!ampel_message_decode(watching->decoder, bytes, size, &message, &error)) {
        fprintf(stderr, "ampel watch: %s: %s\n", error.field, error.reason);
        return false;
    }
    switch (message.kind) {
    case AMPEL_MESSAGE_WATCHING: {
        const struct ampel_message_watching *now = &message.watching;
        watching->asked = false;
        bool fine = watching->epoch == 0 || now->epoch == watching->epoch ||
                    again(watching, now->epoch, now->since);
        watching->epoch = now->epoch;
        watching->since = now->since;
        if (watching->from == 0) watching->from = message.watching.next;
        if (watching->first == 0) {
            watching->first = watching->from;
            watching->first_epoch = watching->epoch;
        }
        return fine;
    }
    case AMPEL_MESSAGE_CHANGE:
        change_take(watching, &message.change);
        return true;
    case AMPEL_MESSAGE_BACK:
        fprintf(stderr, "ampel watch: %s: %.*s\n", ampel_back_name(message.back.reason),
                (int)message.back.text.size, message.back.text.bytes);
        return message.back.retry_ms > 0;
    default:
        return true;
    }
}

static bool watch_run(struct watching *watching, int64_t seconds) {
    struct ampel_system_clock state;
    struct ampel_clock clock;
    ampel_clock_system(&state, INT64_MIN, 1, &clock);
    int64_t started_ns = clock.monotonic_ns(clock.context), heard_ns = started_ns;
    if (!ask(watching)) return false;
    while (watching->count_left >= 0) {
        const uint8_t *bytes;
        uint32_t size;
        enum ampel_client_status status =
            ampel_client_receive(watching->client, RECEIVE_MS, &bytes, &size);
        int64_t now_ns = clock.monotonic_ns(clock.context);
        if (status == AMPEL_CLIENT_FAILED || status == AMPEL_CLIENT_REFUSED) {
            fprintf(stderr, "ampel watch: %s\n", ampel_client_trouble(watching->client));
            if (status == AMPEL_CLIENT_FAILED) return false;
        }
        if (status == AMPEL_CLIENT_OK) {
            heard_ns = now_ns;
            if (!message_take(watching, bytes, size)) return false;
        }
        if (now_ns - heard_ns > SILENCE_NS || status == AMPEL_CLIENT_REFUSED) {
            heard_ns = now_ns;
            if (!ask(watching)) return false;
        }
        if (seconds > 0 && now_ns - started_ns > seconds * 1000000000) break;
    }
    return true;
}

/* The only tenant with a key in the folder, where none is named. */
static const char *tenant_guess(const char *keys, char *name, size_t size) {
    DIR *folder = opendir(keys);
    uint32_t count = 0;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 4 || strcmp(entry->d_name + length - 4, ".key") != 0) continue;
        if (strcmp(entry->d_name, "worker.key") == 0) continue;
        snprintf(name, size, "%.*s", (int)(length - 4), entry->d_name);
        count++;
    }
    if (folder != NULL) closedir(folder);
    return count == 1 ? name : NULL;
}

int ampel_command_watch(int argc, char **argv) {
    const char *tenant = NULL, *endpoint = NULL, *keys = NULL, *format_text = NULL;
    int64_t from = 0, count = 0, seconds = 0;
    bool scores = false;
    const struct ampel_option options[] = {
        {"tenant", 0, AMPEL_OPTION_TEXT, &tenant, "NAME", "default: the only one with a key in AMPEL_KEYS"},
        {"from", 'n', AMPEL_OPTION_NUMBER, &from, "N", "begin with number N; default: with what comes"},
        {"scores", 's', AMPEL_OPTION_FLAG, &scores, NULL, "score changes instead of alerts"},
        {"count", 'c', AMPEL_OPTION_NUMBER, &count, "N", "end after N"},
        {"seconds", 0, AMPEL_OPTION_NUMBER, &seconds, "S", "end after S seconds"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (for people, default) or jsonl"},
        {"endpoint", 0, AMPEL_OPTION_TEXT, &endpoint, "URL", "default: AMPEL_WATCH_ENDPOINT"},
        {"keys", 0, AMPEL_OPTION_TEXT, &keys, "DIR", "with TENANT.key files; default: AMPEL_KEYS"},
    };
    int words;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (result != AMPEL_OPTIONS_OK)
        return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words > 0) return ampel_usage_wrong(&usage, "there is nothing to do with '%s'", argv[1]);
    static struct watching watching;
    watching = (struct watching){.stream = scores ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS,
                                 .from = (uint64_t)from,
                                 .count_left = count};
    if (!ampel_format_read(&usage, format_text, &watching.format)) return AMPEL_EXIT_USAGE;
    endpoint = ampel_environment_or(endpoint, "AMPEL_WATCH_ENDPOINT");
    keys = ampel_environment_or(keys, "AMPEL_KEYS");
    if (endpoint == NULL) return ampel_usage_wrong(&usage, "no --endpoint and no AMPEL_WATCH_ENDPOINT");
    if (keys == NULL) return ampel_usage_wrong(&usage, "no --keys and no AMPEL_KEYS");
    char guessed[AMPEL_ID_BYTES_MAX + 1];
    if (tenant == NULL) tenant = tenant_guess(keys, guessed, sizeof guessed);
    if (tenant == NULL) return ampel_usage_wrong(&usage, "say whose alerts: --tenant NAME");
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s.key", keys, tenant);
    struct ampel_keyfile keyfile;
    struct ampel_error error = {0};
    if (!ampel_keyfile_read(path, true, &keyfile, &error) ||
        !ampel_client_open(NULL, endpoint, &keyfile, &watching.client, &error)) {
        fprintf(stderr, "ampel watch: tenant %s: %s\n", tenant, error.reason);
        return AMPEL_EXIT_FAILED;
    }
    watching.decoder = ampel_message_decoder_open();
    AMPEL_ASSERT(watching.decoder != NULL);
    bool good = watch_run(&watching, seconds);
    ampel_message_decoder_close(watching.decoder);
    ampel_client_close(watching.client);
    return good ? AMPEL_EXIT_OK : AMPEL_EXIT_FAILED;
}

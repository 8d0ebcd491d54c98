#include "workers/publisher_streams.h"

#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"
#include "workers/deque.h"

#define STREAMS_FIRST 16

/* Messages that are kept as they were sent: of as many as all watchers of a stream get in two of their turns. */
#define ENCODED_COUNT 512

struct encoded {
    uint64_t number;
    uint32_t stream, size, capacity;
    uint8_t *bytes; /* NULL: none yet */
};

struct stream {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    uint32_t tenant_size;
    enum ampel_stream kind;
    uint64_t first, next, since;
    struct ampel_deque kept; /* folded changes; number `first` is the front */
    uint64_t bytes;
};

struct ampel_publisher_streams {
    struct stream *streams;
    uint32_t count, capacity;
    uint32_t *buckets; /* open addressing, index + 1; twice the capacity */
    uint64_t kept_bytes_max;
    uint64_t unstored_bytes;
    struct encoded encoded[ENCODED_COUNT];
    uint8_t scratch[AMPEL_MESSAGE_BYTES_MAX];
};

static bool grow(struct ampel_publisher_streams *streams);

struct ampel_publisher_streams *ampel_publisher_streams_open(uint64_t kept_bytes_max) {
    struct ampel_publisher_streams *streams = calloc(1, sizeof(*streams));
    if (streams == NULL) return NULL;
    streams->kept_bytes_max = kept_bytes_max;
    if (grow(streams)) return streams;
    ampel_publisher_streams_close(streams);
    return NULL;
}

void ampel_publisher_streams_close(struct ampel_publisher_streams *streams) {
    if (streams == NULL) return;
    for (uint32_t index = 0; index < streams->count; index++) {
        struct stream *stream = &streams->streams[index];
        while (ampel_deque_count(&stream->kept) > 0)
            ampel_folded_release(ampel_deque_pop(&stream->kept));
        ampel_deque_reset(&stream->kept);
    }
    for (uint32_t i = 0; i < ENCODED_COUNT; i++)
        free(streams->encoded[i].bytes);
    free(streams->streams);
    free(streams->buckets);
    free(streams);
}

/* ---- finding -------------------------------------------------------------------------------- */

/* The bucket where the stream stands, or the empty one where it would. */
static uint32_t bucket_find(const struct ampel_publisher_streams *streams, struct ampel_text tenant,
                            enum ampel_stream kind) {
    const uint32_t mask = streams->capacity * 2 - 1;
    const uint64_t hash = ampel_hash_bytes(tenant.bytes, tenant.size) + (uint64_t)kind;
    for (uint32_t bucket = (uint32_t)hash & mask;; bucket = (bucket + 1) & mask) {
        if (streams->buckets[bucket] == 0) return bucket;
        const struct stream *stream = &streams->streams[streams->buckets[bucket] - 1];
        if (stream->kind == kind && stream->tenant_size == tenant.size &&
            memcmp(stream->tenant, tenant.bytes, tenant.size) == 0)
            return bucket;
    }
}

static bool grow(struct ampel_publisher_streams *streams) {
    const uint32_t capacity = streams->capacity == 0 ? STREAMS_FIRST : streams->capacity * 2;
    uint32_t *buckets = calloc((size_t)capacity * 2, sizeof(*buckets));
    struct stream *larger = realloc(streams->streams, capacity * sizeof(*larger));
    if (larger != NULL) streams->streams = larger;
    if (buckets == NULL || larger == NULL) {
        free(buckets);
        return false;
    }
    free(streams->buckets);
    streams->buckets = buckets;
    streams->capacity = capacity;
    for (uint32_t index = 0; index < streams->count; index++) {
        const struct stream *stream = &streams->streams[index];
        const struct ampel_text tenant = {stream->tenant, stream->tenant_size};
        streams->buckets[bucket_find(streams, tenant, stream->kind)] = index + 1;
    }
    return true;
}

bool ampel_publisher_streams_claim(struct ampel_publisher_streams *streams,
                                   struct ampel_text tenant, enum ampel_stream kind,
                                   uint32_t *index) {
    AMPEL_ASSERT(tenant.size > 0 && tenant.size <= AMPEL_ID_BYTES_MAX);
    uint32_t bucket = bucket_find(streams, tenant, kind);
    if (streams->buckets[bucket] == 0) {
        if (streams->count == streams->capacity) {
            if (!grow(streams)) return false;
            bucket = bucket_find(streams, tenant, kind);
        }
        struct stream *stream = &streams->streams[streams->count];
        *stream = (struct stream){.tenant_size = tenant.size, .kind = kind, .first = 1, .next = 1, .since = 1};
        memcpy(stream->tenant, tenant.bytes, tenant.size);
        streams->buckets[bucket] = ++streams->count;
    }
    *index = streams->buckets[bucket] - 1;
    return true;
}

static struct stream *at(const struct ampel_publisher_streams *streams, uint32_t index) {
    AMPEL_ASSERT(index < streams->count);
    return &streams->streams[index];
}

void ampel_publisher_streams_start(struct ampel_publisher_streams *streams, uint32_t index,
                                   uint64_t next) {
    struct stream *stream = at(streams, index);
    AMPEL_ASSERT(stream->first == stream->next);
    stream->first = stream->next = stream->since = next > 0 ? next : 1;
}

const char *ampel_publisher_streams_tenant(const struct ampel_publisher_streams *streams,
                                           uint32_t index) {
    return at(streams, index)->tenant;
}

enum ampel_stream ampel_publisher_streams_kind(const struct ampel_publisher_streams *streams,
                                               uint32_t index) {
    return at(streams, index)->kind;
}

uint64_t ampel_publisher_streams_next(const struct ampel_publisher_streams *streams,
                                      uint32_t index) {
    return at(streams, index)->next;
}

uint64_t ampel_publisher_streams_since(const struct ampel_publisher_streams *streams,
                                       uint32_t index) {
    return at(streams, index)->since;
}

uint64_t ampel_publisher_streams_first(const struct ampel_publisher_streams *streams,
                                       uint32_t index) {
    return at(streams, index)->first;
}

/* ---- keeping -------------------------------------------------------------------------------- */

static struct ampel_folded *kept_at(const struct stream *stream, uint64_t number) {
    AMPEL_ASSERT(number >= stream->first && number < stream->next);
    return ampel_deque_at(&stream->kept, number - stream->first);
}

static void trim(const struct ampel_publisher_streams *streams, struct stream *stream) {
    const uint64_t share = streams->kept_bytes_max / streams->count;
    while (stream->bytes > share && ampel_folded_stored(kept_at(stream, stream->first))) {
        struct ampel_folded *folded = ampel_deque_pop(&stream->kept);
        stream->bytes -= ampel_folded_bytes(folded);
        ampel_folded_release(folded);
        stream->first++;
    }
}

bool ampel_publisher_streams_push(struct ampel_publisher_streams *streams, uint32_t index,
                                  struct ampel_folded *folded) {
    struct stream *stream = at(streams, index);
    AMPEL_ASSERT(ampel_folded_number(folded) == stream->next);
    if (!ampel_deque_push(&stream->kept, folded)) return false;
    ampel_folded_hold(folded);
    ampel_folded_place_set(folded, index);
    stream->next++;
    stream->bytes += ampel_folded_bytes(folded);
    streams->unstored_bytes += ampel_folded_bytes(folded);
    trim(streams, stream);
    return true;
}

static uint32_t encode(struct ampel_publisher_streams *streams, const struct ampel_folded *folded, uint64_t epoch) {
    struct ampel_told told;
    struct ampel_message message;
    ampel_folded_read(folded, &told);
    ampel_told_message(&told, ampel_folded_rules(folded), epoch, &message);
    const uint32_t size = ampel_message_encode(&message, streams->scratch, sizeof(streams->scratch));
    AMPEL_ASSERT(size > 0);
    return size;
}

static bool encoded_reserve(struct encoded *encoded, uint32_t size) {
    if (encoded->bytes != NULL && encoded->capacity >= size) return true;
    free(encoded->bytes);
    encoded->bytes = malloc(size);
    encoded->capacity = size;
    return encoded->bytes != NULL;
}

void ampel_publisher_streams_get(struct ampel_publisher_streams *streams, uint32_t index, uint64_t number,
                                 uint64_t epoch, const uint8_t **bytes, uint32_t *size) {
    const struct ampel_folded *kept = kept_at(at(streams, index), number);
    /* Neighbours have neighbouring places, other streams others. */
    struct encoded *encoded = &streams->encoded[(number + index * UINT64_C(97)) % ENCODED_COUNT];
    if (encoded->bytes == NULL || encoded->stream != index || encoded->number != number) {
        const uint32_t made = encode(streams, kept, epoch);
        *bytes = streams->scratch;
        *size = made;
        if (!encoded_reserve(encoded, made)) return; /* sent all the same */
        memcpy(encoded->bytes, streams->scratch, made);
        encoded->stream = index;
        encoded->number = number;
        encoded->size = made;
    }
    *bytes = encoded->bytes;
    *size = encoded->size;
}

void ampel_publisher_streams_stored(struct ampel_publisher_streams *streams, uint32_t index,
                                    uint64_t number) {
    struct stream *stream = at(streams, index);
    struct ampel_folded *kept = kept_at(stream, number);
    AMPEL_ASSERT(!ampel_folded_stored(kept));
    ampel_folded_stored_set(kept);
    streams->unstored_bytes -= ampel_folded_bytes(kept);
    trim(streams, stream);
}

uint64_t ampel_publisher_streams_unstored_bytes(const struct ampel_publisher_streams *streams) {
    return streams->unstored_bytes;
}
